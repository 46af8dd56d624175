//! RELP frames as bytes: `TXNR SP COMMAND SP DATALEN [SP DATA] LF`. Not for: what a frame means in a session.
//!
//! Plain functions over slices. Whatever comes from the network is read with bounds: a header is at most 52 bytes, data
//! at most [`MAX_DATA`], and a byte that cannot belong to a frame is refused as soon as it is seen.
//! Source: librelp, doc/relp.md ("RELP FRAME"); where it and librelp's code differ, the code counts.
use nom::{
    IResult, Parser,
    branch::alt,
    bytes::{complete, streaming},
    character::{complete::char as byte, streaming::char as next_byte},
    combinator::{cond, eof, opt, rest},
    error::context,
    sequence::{preceded, terminated},
};

use crate::parse::{Expected, so_far, whole};

/// Transaction numbers go from 1 to this and then to 1 again; 0 is for hints.
pub const LAST_TRANSACTION: u32 = 999_999_999;
/// The most data that is accepted in one frame from a receiver. Answers have about 10 bytes, offers about 100.
pub const MAX_DATA: usize = 64 << 10;
/// The most data that a frame can announce: nine digits.
pub const MAX_LINE: usize = 999_999_999;

/// Digits of a number.
const DIGITS: usize = 9;
/// Letters of a command.
const LETTERS: usize = 32;

/// One frame, in the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its transaction; 0 is a hint.
    pub transaction: u32,
    /// `rsp`, `serverclose`: 1 to 32 letters.
    pub command: &'a [u8],
    /// May have any bytes.
    pub data: &'a [u8],
}

/// Why bytes are not RELP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another byte where the header has its next part.
    #[error("expected {expected}, got \"{got}\"")]
    Header {
        /// What would have been right.
        expected: &'static str,
        /// What stands there: some bytes, escaped.
        got: String,
    },
    /// More data than is accepted.
    #[error("a frame of {length} bytes: at most {MAX_DATA} are accepted")]
    TooLong {
        /// As the header says.
        length: usize,
    },
    /// An answer without its code.
    #[error("expected an answer (three digits, blank, text), got \"{got}\"")]
    Answer {
        /// What stands there: some bytes, escaped.
        got: String,
    },
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` begin with, and its length; `None` as long as it is not whole.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
        let Some((behind, (transaction, command, length))) = so_far(header(bytes))? else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_DATA {
            return Err(FrameError::TooLong { length });
        }
        let Some((behind, data)) = so_far(data(behind, length))? else { return Ok(None) };
        Ok(Some((Frame { transaction, command, data }, bytes.len() - behind.len())))
    }
}

type Parsed<'a, O> = IResult<&'a [u8], O, Expected<&'a [u8]>>;

/// `TXNR SP COMMAND SP DATALEN`.
fn header(bytes: &[u8]) -> Parsed<'_, (u32, &[u8], u32)> {
    // One more than allowed is looked at, and then refused as what should follow.
    let number = |expected| context(expected, streaming::take_while_m_n(1, DIGITS, is_digit).map(number));
    let blank = |expected| context(expected, next_byte(' '));
    let is_letter = |b: u8| b.is_ascii_alphabetic();
    (
        terminated(number("a transaction number"), blank("a blank behind the transaction number")),
        terminated(
            context("a command", streaming::take_while_m_n(1, LETTERS, is_letter)),
            blank("a blank behind the command"),
        ),
        number("a data length"),
    )
        .parse(bytes)
}

/// `[SP DATA] LF`: without data there is no blank either.
fn data(bytes: &[u8], length: usize) -> Parsed<'_, &[u8]> {
    let blank = cond(length > 0, context("a blank behind the data length", next_byte(' ')));
    let end = context("a line feed behind the data", next_byte('\n'));
    terminated(preceded(blank, streaming::take(length)), end).parse(bytes)
}

impl From<Expected<&[u8]>> for FrameError {
    fn from(e: Expected<&[u8]>) -> FrameError {
        FrameError::Header { expected: e.expected, got: escaped(e.got, 16) }
    }
}

/// Appends a frame to `out`. The data must not be longer than [`MAX_LINE`].
pub fn put(transaction: u32, command: &[u8], data: &[u8], out: &mut Vec<u8>) {
    crate::encode::value::put_number(u64::from(transaction), out);
    out.push(b' ');
    out.extend_from_slice(command);
    out.push(b' ');
    crate::encode::value::put_number(data.len() as u64, out);
    if !data.is_empty() {
        out.push(b' ');
        out.extend_from_slice(data);
    }
    out.push(b'\n');
}

/// The data of a `rsp` frame: `CODE [SP TEXT] [LF REST]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// 200 is good.
    pub code: u32,
    /// For people.
    pub text: &'a [u8],
    /// For the command that is answered: offers, for `open`.
    pub rest: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Takes the data of an answer apart.
    pub fn parse(data: &'a [u8]) -> Result<Answer<'a>, FrameError> {
        let code = complete::take_while_m_n(3, 3, is_digit).map(number);
        let text = opt(preceded(byte(' '), complete::take_till(|b| b == b'\n'))).map(Option::unwrap_or_default);
        let lines = alt((preceded(byte('\n'), rest), eof));
        match whole(data, (code, text, lines)) {
            Some((code, text, rest)) => Ok(Answer { code, text, rest }),
            None => Err(FrameError::Answer { got: escaped(data, 16) }),
        }
    }

    /// The values of the offer `name`, which stands in its own line as `NAME=VALUE,VALUE`.
    pub fn offer(&self, name: &str) -> Option<&'a [u8]> {
        self.rest.split(|b| *b == b'\n').find_map(|line| match line.strip_prefix(name.as_bytes())? {
            [] => Some([].as_slice()),
            values => values.strip_prefix(b"="),
        })
    }
}

/// At most the first `most` bytes, with everything that is not printable ASCII escaped: fit for a message.
pub fn escaped(bytes: &[u8], most: usize) -> String {
    bytes.get(..most).unwrap_or(bytes).escape_ascii().to_string()
}

fn is_digit(b: u8) -> bool {
    b.is_ascii_digit()
}

/// At most nine digits.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n: u32, d| n.saturating_mul(10).saturating_add(u32::from(d.saturating_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Frame<'_> {
        let (frame, length) = Frame::parse(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        frame
    }

    #[test]
    fn frames_are_read_with_and_without_data() {
        let answer = whole(b"1 rsp 6 200 OK\n");
        assert_eq!(answer, Frame { transaction: 1, command: b"rsp", data: b"200 OK" });
        assert_eq!(whole(b"0 serverclose 0\n"), Frame { transaction: 0, command: b"serverclose", data: b"" });
        assert_eq!(whole(b"999999999 rsp 2 \n\n\n").data, b"\n\n");
        assert_eq!(Frame::parse(b"1 rsp 3 200\n2 rsp 3 500\n").unwrap().unwrap().1, 12);
    }

    #[test]
    fn a_frame_cut_anywhere_is_not_whole_and_not_wrong() {
        for frame in [b"12 rsp 9 200 OK\n\na\n".as_slice(), b"0 serverclose 0\n"] {
            for end in 0..frame.len() {
                assert_eq!(Frame::parse(frame.get(..end).unwrap()), Ok(None), "{end}");
            }
            whole(frame);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_at_its_first_wrong_byte() {
        for (bytes, message) in [
            ("HTTP/1.1 400", "expected a transaction number, got \"HTTP/1.1 400\""),
            ("\u{15}\u{3}", "expected a transaction number, got \"\\x15\\x03\""),
            ("1234567890", "expected a blank behind the transaction number, got \"0\""),
            ("1  rsp", "expected a command, got \" rsp\""),
            ("1 rsp2", "expected a blank behind the command, got \"2\""),
            ("1 abcdefghijklmnopqrstuvwxyzabcdefg", "expected a blank behind the command, got \"g\""),
            ("1 rsp -1", "expected a data length, got \"-1\""),
            ("1 rsp 0 ", "expected a line feed behind the data, got \" \""),
            ("1 rsp 5\n", "expected a blank behind the data length, got \"\\n\""),
            ("1 rsp 0000000011", "expected a blank behind the data length, got \"1\""),
            ("1 rsp 65537", "a frame of 65537 bytes: at most 65536 are accepted"),
            ("1 rsp 000065537 ", "a frame of 65537 bytes: at most 65536 are accepted"),
            ("1 rsp 999999999\n", "a frame of 999999999 bytes: at most 65536 are accepted"),
            ("\n1 rsp 0\n", "expected a transaction number, got \"\\n1 rsp 0\\n\""),
            ("1\trsp 0\n", "expected a blank behind the transaction number, got \"\\trsp 0\\n\""),
            ("1 rsp\n", "expected a blank behind the command, got \"\\n\""),
            ("1 rsp  6", "expected a data length, got \" 6\""),
            ("1 rsp 0x", "expected a line feed behind the data, got \"x\""),
            ("1 a_command_of_many_letters 0\n", "expected a blank behind the command, got \"_command_of_many\""),
            ("\u{fffd}", "expected a transaction number, got \"\\xef\\xbf\\xbd\""),
            ("1 rsp 3 2000", "expected a line feed behind the data, got \"0\""),
        ] {
            // A length is known when the byte behind it has come.
            let bytes = if bytes.ends_with("65537") { format!("{bytes} ") } else { bytes.into() };
            assert_eq!(Frame::parse(bytes.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn answers_have_a_code_a_text_and_offers() {
        let answer = Answer::parse(b"200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0\ncommands=syslog,x").unwrap();
        assert_eq!((answer.code, answer.text), (200, b"OK".as_slice()));
        assert_eq!(answer.offer("relp_version"), Some(b"0".as_slice()));
        assert_eq!(answer.offer("commands"), Some(b"syslog,x".as_slice()));
        assert_eq!(answer.offer("command"), None);
        assert_eq!(Answer::parse(b"500").unwrap(), Answer { code: 500, text: b"", rest: b"" });
        assert_eq!(Answer::parse(b"200\n a=b\n").unwrap(), Answer { code: 200, text: b"", rest: b" a=b\n" });
        assert_eq!(Answer::parse(b"000 \n").unwrap(), Answer { code: 0, text: b"", rest: b"" });
    }

    #[test]
    fn what_is_no_answer_is_refused_with_what_stands_there() {
        for (data, got) in [
            ("", ""),
            ("20", "20"),
            ("2000", "2000"),
            ("OK", "OK"),
            ("200:OK", "200:OK"),
            ("20x y", "20x y"),
            ("20\n0 OK", "20\\n0 OK"),
            ("200\tOK and so on", "200\\tOK and so on"),
            ("error: no room on this device", "error: no room o"),
        ] {
            let message = format!("expected an answer (three digits, blank, text), got \"{got}\"");
            assert_eq!(Answer::parse(data.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_read_back(
            transaction in 0..=LAST_TRANSACTION,
            command in "[a-zA-Z]{1,32}",
            data in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = Vec::new();
            put(transaction, command.as_bytes(), &data, &mut bytes);
            prop_assert_eq!(whole(&bytes), Frame { transaction, command: command.as_bytes(), data: &data });
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(bytes in "[0-2]{0,2} ?[a-z]{0,2} ?[0-9]{0,2}[ \n]?\\PC{0,9}\n?") {
            if let Ok(Some((frame, length))) = Frame::parse(bytes.as_bytes()) {
                prop_assert!(frame.data.len() < length && length <= bytes.len());
                let _ = Answer::parse(frame.data);
            }
            let _ = Answer::parse(bytes.as_bytes()).map(|answer| answer.offer("a").is_some());
        }
    }
}
