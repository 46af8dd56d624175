//! A row of DISPLAY_JOURNAL as a *TYPE5 record.
use nom::{
    IResult, Parser,
    bytes::complete::take_while_m_n,
    character::complete::{digit1, one_of, satisfy},
    combinator::{not, opt},
    sequence::{preceded, terminated},
};

use crate::{
    decode::{
        ebcdic::Charset,
        journal::compose::{Composer, invariant},
    },
    source::live::{query::Row, statements::Columns},
};

/// What is taken from a row, by the places of its columns ([`super::statements::page`]).
pub struct Reader {
    composer: Composer,
    charset: &'static Charset,
    columns: Columns,
}

/// A row that is none.
#[derive(Debug, thiserror::Error)]
#[error("the system answers with a row that cannot be: {0}")]
pub struct BadRow(String);

impl Reader {
    /// For the columns a system has.
    pub fn new(composer: Composer, charset: &'static Charset, columns: Columns) -> Reader {
        Reader { composer, charset, columns }
    }

    fn at(&self, column: usize) -> usize {
        // REMOTE_ADDRESS and REMOTE_PORT stand before the last four.
        if column >= 12 && !self.columns.remote { column - 2 } else { column }
    }

    fn text<'r>(&self, row: &'r Row, column: usize) -> &'r str {
        row.get(self.at(column)).and_then(Option::as_deref).unwrap_or("")
    }

    /// Sequence number of a row.
    pub fn sequence(&self, row: &Row) -> Result<u64, BadRow> {
        let text = self.text(row, 0).trim();
        text.parse().map_err(|_| BadRow(format!("the sequence number is {text:?}")))
    }

    /// Bytes of entry data that it has, and those that came with the row.
    pub fn data(&self, row: &Row) -> Result<(usize, Vec<u8>), BadRow> {
        let data = hex(self.text(row, 17))?;
        let length = self.text(row, 16);
        let length = if length.is_empty() { Ok(data.len()) } else { length.trim().parse() };
        let length = length.map_err(|_| BadRow(format!("the length is {:?}", self.text(row, 16))))?;
        Ok((length.max(data.len()), data))
    }

    /// The receiver that a row says it is in: library and name.
    pub fn receiver<'r>(&self, row: &'r Row) -> (&'r str, &'r str) {
        (self.text(row, 14).trim_end(), self.text(row, 15).trim_end())
    }

    /// The record of a row with its entry data, of which it had `stated` bytes.
    pub fn record(&mut self, row: &Row, sequence: u64, data: &[u8], stated: usize) -> &[u8] {
        let text = |column: usize| self.text(row, column);
        let named: Vec<(&str, Vec<u8>)> = [
            ("journal_code", 2),
            ("journal_entry_type", 3),
            ("job_name", 4),
            ("job_user", 5),
            ("job_number", 6),
            ("program_name", 7),
            ("program_library", 8),
            ("journaled_object_type", 10),
            ("user_name", 11),
            ("receiver_library", 14),
            ("receiver_name", 15),
        ]
        .map(|(name, column)| (name, encode(self.charset, text(column))))
        .into();
        let object = encode(self.charset, text(9));
        let (time, address, port) = (timestamp(text(1)), text(12).trim().to_owned(), text(13).trim().parse());
        let remote = self.columns.remote;
        let c = &mut self.composer;
        c.begin();
        c.number("sequence_number", sequence);
        c.plain("entry_timestamp", &time);
        for (name, value) in named {
            c.bytes(name, &value);
        }
        for (name, from) in [("object_name", 0), ("object_library", 10), ("member_name", 20)] {
            c.bytes(name, object.get(from..object.len().min(from + 10)).unwrap_or(&[]));
        }
        if remote {
            c.plain("remote_address", &address);
            if let Ok(port) = port {
                c.number("remote_port", port);
            }
        }
        c.end(data, stated)
    }
}

/// A text in the character set of the jobs; a character that it lacks is a question mark.
pub fn encode(charset: &Charset, text: &str) -> Vec<u8> {
    let text = text.trim_end();
    if text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return text.bytes().map(invariant).collect();
    }
    charset.encode(text).unwrap_or_else(|| {
        let each = |c: char| charset.encode(c.encode_utf8(&mut [0; 4])).unwrap_or_else(|| vec![0x6F]);
        text.chars().flat_map(each).collect()
    })
}

/// Bytes of hexadecimal digits.
pub fn hex(text: &str) -> Result<Vec<u8>, BadRow> {
    let text = text.trim_end();
    data_encoding::HEXUPPER_PERMISSIVE
        .decode(text.as_bytes())
        .map_err(|e| BadRow(format!("the entry data is not hexadecimal: {e}")))
}

/// A timestamp as a heading has it, whether it came as 2026-07-20 13:03:14.123456 or 2026-07-20-13.03.14.123456; fewer digits of
/// the second end with zeros. What is no timestamp stays as it is: the entry is sent without a time then.
pub fn timestamp(text: &str) -> String {
    let text = text.trim();
    moment(text).map_or_else(|_| text.to_owned(), |(_, time)| time)
}

/// A day and a time of day, as a heading has them.
pub fn moment(text: &str) -> IResult<&str, String, ()> {
    (day, preceded(separator, time_of_day))
        .map(|((year, month, day), (hour, minute, second, fraction))| {
            let fraction = fraction.get(..6).unwrap_or(fraction);
            format!("{year}-{month}-{day}-{hour}.{minute}.{second}.{fraction:0<6}")
        })
        .parse(text)
}

/// The beginning of a day, as a heading has it.
pub fn midnight(text: &str) -> IResult<&str, String, ()> {
    day.map(|(year, month, day)| format!("{year}-{month}-{day}-00.00.00.000000")).parse(text)
}

/// `YYYY-MM-DD`, with any sign between the numbers.
fn day(text: &str) -> IResult<&str, (&str, &str, &str), ()> {
    (terminated(digits(4), separator), terminated(digits(2), separator), digits(2)).parse(text)
}

/// `HH:MM:SS.FFFFFF`, with any sign between the first numbers; the last may have any digits, or be missing.
fn time_of_day(text: &str) -> IResult<&str, (&str, &str, &str, &str), ()> {
    let fraction = opt(preceded(one_of(".,"), digit1)).map(|digits: Option<&str>| digits.unwrap_or(""));
    (terminated(digits(2), separator), terminated(digits(2), separator), digits(2), fraction).parse(text)
}

/// As many digits, and no more.
fn digits<'t>(n: usize) -> impl Parser<&'t str, Output = &'t str, Error = ()> {
    let digit = |c: char| c.is_ascii_digit();
    terminated(take_while_m_n(n, n, digit), not(satisfy(digit)))
}

fn separator(text: &str) -> IResult<&str, char, ()> {
    satisfy(|c| !c.is_ascii_digit())(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_both_forms_are_one() {
        for (text, want) in [
            ("2026-07-20 13:03:14.123456", "2026-07-20-13.03.14.123456"),
            ("2026-07-20-13.03.14.123456", "2026-07-20-13.03.14.123456"),
            ("2026-07-20T13:03:14.12", "2026-07-20-13.03.14.120000"),
            ("2026-07-20 13:03:14", "2026-07-20-13.03.14.000000"),
            ("2026-07-20 13:03:14.123456789012", "2026-07-20-13.03.14.123456"),
            // A zone is no fraction of a second.
            ("2026-07-20 13:03:14+02:00", "2026-07-20-13.03.14.000000"),
            ("never", "never"),
            ("", ""),
        ] {
            assert_eq!(timestamp(text), want);
        }
    }

    #[test]
    fn names_are_in_the_ccsid_of_the_jobs() {
        let german = Charset::ebcdic(273).unwrap();
        assert_eq!(encode(german, "AUDRCV0042"), encode(Charset::ebcdic(37).unwrap(), "AUDRCV0042"));
        let back = german.decode_string(&encode(german, "MÜLLER#1 "));
        assert_eq!(back, "MÜLLER#1");
        assert_eq!(encode(german, "A🔒B"), [0xC1, 0x6F, 0xC2]);
    }
}
