//! An export in another encoding than UTF-8, read as UTF-8.
//!
//! What is no character in its encoding is handed out as [`NO_TEXT`], a byte that no UTF-8 has, and where it stands is kept: nothing is
//! replaced in silence. How many bytes of the file some bytes of text are is known too, so that places count those of the file.
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read},
};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Stands for what is no text in the encoding of the file.
pub const NO_TEXT: u8 = 0xFF;
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// The longest mark of a byte order.
const MARK: usize = 3;
/// So many bytes of text are counted one by one: a decoder stops before what may not fit.
const LAST: usize = 32;
/// What may be written.
const EXPECTED: &str = "utf-8, utf-16 (utf-16le, utf-16be), windows-1252, iso-8859-15, shift_jis, gbk, big5, euc-kr or another label of the WHATWG Encoding Standard; EBCDIC is none of them: transfer an export as text";

/// The encoding of a label, in any case; or what to write instead.
pub fn encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| format!("expected {EXPECTED}"))
}

/// The encoding of a file that begins so, where it is not UTF-8: as said, or as the mark of its byte order says. With the bytes of the
/// mark; or what is wrong.
pub fn find(said: Option<&'static Encoding>, front: &[u8]) -> Result<Option<(&'static Encoding, usize)>, String> {
    let (of_mark, length) = Encoding::for_bom(front).unzip();
    let is_utf_16 = |e: &'static Encoding| e == UTF_16LE || e == UTF_16BE;
    let found = match (said, of_mark) {
        // UTF-16 is of either byte order, whatever label it goes by.
        (Some(said), Some(mark)) if said != mark && !(is_utf_16(said) && is_utf_16(mark)) => {
            return Err(format!(
                "expected {}, as is said, got the byte order mark of {}: leave out the encoding, which the mark says",
                said.name(),
                mark.name()
            ));
        }
        (_, Some(mark)) => mark,
        (Some(said), None) => said,
        (None, None) => return Ok(None),
    };
    // A mark of UTF-8 is passed over by who reads UTF-8.
    Ok((found != UTF_8).then_some((found, length.unwrap_or(0))))
}

/// The front of a file as text, as far as it is whole.
pub fn front(said: Option<&'static Encoding>, bytes: &[u8]) -> Option<Vec<u8>> {
    let (encoding, mark) = find(said, bytes).ok()??;
    let mut text = Vec::new();
    let mut text_of = Text::new(encoding, mark as u64);
    text_of.decode(bytes.get(mark..).unwrap_or(&[]), false);
    text.append(&mut text_of.ready);
    Some(text)
}

/// What is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoText {
    /// In what is read as text.
    at: u64,
    /// In the file.
    offset: u64,
    /// The first of its bytes, and how many of these it has.
    bytes: [u8; 4],
    length: usize,
    encoding: &'static str,
}

impl NoText {
    /// Why a row that it stands in is none.
    pub fn why(&self) -> String {
        let hex: String = self.bytes.iter().take(self.length).map(|b| format!("{b:02X}")).collect();
        format!(
            "offset {}: expected {}, got X'{hex}', which is no text in it: is this the encoding of the file? It is said with --encoding (encoding =)",
            self.offset, self.encoding
        )
    }
}

/// Reads a file as UTF-8, whatever its encoding.
pub struct Decoded<R> {
    input: R,
    said: Option<&'static Encoding>,
    begun: bool,
    /// What was read to find the encoding, where it is UTF-8.
    front: VecDeque<u8>,
    text: Option<Box<Text>>,
}

/// Bytes that become text.
struct Text {
    encoding: &'static Encoding,
    decoder: Decoder,
    /// Bytes of the file that were decoded, and of the text made of them.
    read: u64,
    made: u64,
    /// Text that is not handed out.
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
    no_text: VecDeque<NoText>,
    /// What is decoded again to count it: bytes that were not passed, and how many were before them.
    counter: Decoder,
    raw: Vec<u8>,
    passed: u64,
    /// The mark of the byte order, as long as nothing was passed.
    mark: u64,
    counted: bool,
}

impl Text {
    fn new(encoding: &'static Encoding, mark: u64) -> Text {
        Text {
            encoding,
            decoder: encoding.new_decoder_without_bom_handling(),
            read: mark,
            made: 0,
            ready: Vec::new(),
            taken: 0,
            ended: false,
            no_text: VecDeque::new(),
            counter: encoding.new_decoder_without_bom_handling(),
            raw: Vec::new(),
            passed: mark,
            mark,
            counted: false,
        }
    }

    /// Makes text of the next bytes.
    fn decode(&mut self, bytes: &[u8], last: bool) {
        self.raw.extend_from_slice(bytes);
        let mut rest = bytes;
        loop {
            let start = self.ready.len();
            let most = self.decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(CHUNK);
            self.ready.resize(start + most, 0);
            let room = self.ready.get_mut(start..).unwrap_or(&mut []);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(rest, room, last);
            self.ready.truncate(start + written);
            rest = rest.get(read..).unwrap_or(&[]);
            self.read += read as u64;
            self.made += written as u64;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, behind) => {
                    let offset = self.read.saturating_sub(u64::from(length) + u64::from(behind));
                    self.keep(offset, usize::from(length));
                    self.ready.push(NO_TEXT);
                    self.made += 1;
                }
            }
        }
        self.ended |= last;
    }

    /// Keeps where something is no text; of a run of such the first alone, so that a file of nothing else costs no memory.
    fn keep(&mut self, offset: u64, length: usize) {
        if self.ready.last() == Some(&NO_TEXT) && !self.no_text.is_empty() {
            return;
        }
        let at = usize::try_from(offset.saturating_sub(self.passed)).unwrap_or(usize::MAX);
        let mut bytes = [0; 4];
        let there = self.raw.get(at..).unwrap_or(&[]).iter().take(length);
        let length = bytes.iter_mut().zip(there).map(|(to, from)| *to = *from).count();
        self.no_text.push_back(NoText { at: self.made, offset, bytes, length, encoding: self.encoding.name() });
    }

    /// Counts the bytes of the file that the next bytes of the text are.
    fn pass(&mut self, mut text: usize) -> u64 {
        let (mut used, mut room) = (0, [0; 4_096]);
        while text > 0 && !self.counted {
            let rest = self.raw.get(used..).unwrap_or(&[]);
            let (bytes, room) = match text.checked_sub(LAST) {
                Some(many) if many >= LAST => (rest, room.get_mut(..many.min(4_096))),
                // What the decoder holds back comes without more bytes, the others one by one.
                _ => (&[][..], room.get_mut(..LAST)),
            };
            let room = room.unwrap_or(&mut []);
            let last = self.ended && rest.is_empty();
            let (mut result, mut read, mut written) =
                self.counter.decode_to_utf8_without_replacement(bytes, room, last);
            // A decoder that has ended is not asked again.
            self.counted |= last && result == DecoderResult::InputEmpty;
            if bytes.is_empty() && written == 0 && result == DecoderResult::InputEmpty {
                if rest.is_empty() {
                    break;
                }
                let one = rest.get(..1).unwrap_or(&[]);
                (result, read, written) = self.counter.decode_to_utf8_without_replacement(one, room, false);
            }
            used += read;
            text = text.saturating_sub(written + usize::from(matches!(result, DecoderResult::Malformed(..))));
        }
        self.raw.drain(..used.min(self.raw.len()));
        self.passed += used as u64;
        used as u64 + std::mem::take(&mut self.mark)
    }
}

impl<R: Read> Decoded<R> {
    /// Of a file in an encoding that is said, or that the mark of its byte order says, else UTF-8.
    pub fn new(input: R, said: Option<&'static Encoding>) -> Decoded<R> {
        Decoded { input, said, begun: false, front: VecDeque::new(), text: None }
    }

    /// Sets what is said of the encoding; before the first read.
    pub fn said(&mut self, encoding: Option<&'static Encoding>) {
        self.said = encoding;
    }

    /// Whether the bytes are read as they are.
    pub fn is_utf_8(&self) -> bool {
        self.text.is_none()
    }

    /// Goes on behind some bytes of the text: how many bytes of the file these are.
    pub fn pass(&mut self, text: usize) -> u64 {
        match &mut self.text {
            Some(t) => t.pass(text),
            None => text as u64,
        }
    }

    /// What stands between two bytes of the text and is none; of what stands before them nothing is known any more.
    pub fn no_text(&mut self, from: u64, to: u64) -> Option<NoText> {
        let all = &mut self.text.as_mut()?.no_text;
        while all.front().is_some_and(|n| n.at < from) {
            all.pop_front();
        }
        all.front().filter(|n| n.at < to).cloned()
    }

    /// Looks at the front.
    fn begin(&mut self) -> io::Result<()> {
        let mut mark = [0; MARK];
        while self.front.len() < MARK {
            let room = mark.get_mut(self.front.len()..).unwrap_or(&mut []);
            match self.input.read(room) {
                Ok(0) => break,
                Ok(n) => self.front.extend(room.get(..n).unwrap_or(&[])),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.begun = true;
        let front: Vec<u8> = self.front.iter().copied().collect();
        let found = find(self.said, &front).map_err(|why| io::Error::new(ErrorKind::InvalidData, WrongMark(why)))?;
        if let Some((encoding, mark)) = found {
            let mut text = Box::new(Text::new(encoding, mark as u64));
            text.decode(front.get(mark..).unwrap_or(&[]), false);
            self.front.clear();
            self.text = Some(text);
        }
        Ok(())
    }
}

/// The mark at the front of a file speaks against what is said: found in an [`io::Error`] of [`Decoded`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongMark(pub String);

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        let Some(text) = &mut self.text else {
            if self.front.is_empty() {
                return self.input.read(to);
            }
            return self.front.read(to);
        };
        while text.taken == text.ready.len() {
            text.ready.clear();
            text.taken = 0;
            if text.ended {
                return Ok(0);
            }
            let mut bytes = [0; 8_192];
            let n = self.input.read(&mut bytes)?;
            text.decode(bytes.get(..n).unwrap_or(&[]), n == 0);
        }
        let rest = text.ready.get(text.taken..).unwrap_or(&[]);
        let n = rest.len().min(to.len());
        to.get_mut(..n).unwrap_or(&mut []).copy_from_slice(rest.get(..n).unwrap_or(&[]));
        text.taken += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests;
