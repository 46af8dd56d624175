//! The columns of HISTORY_LOG_INFO that a message is made of, and what may stand in them.
use crate::source::{
    derived::history_row::{HistoryRow, dts},
    live::entry::timestamp,
};

/// Columns that are taken.
pub const COUNT: usize = 14;
/// Their names, in the order of the cells.
const NAMES: [&str; COUNT] = [
    "MESSAGE_ID",
    "MESSAGE_TIMESTAMP",
    "MESSAGE_TYPE",
    "SEVERITY",
    "FROM_USER",
    "FROM_JOB",
    "FROM_JOB_NAME",
    "FROM_JOB_USER",
    "FROM_JOB_NUMBER",
    "FROM_PROGRAM",
    "MESSAGE_LIBRARY",
    "MESSAGE_FILE",
    "MESSAGE_TOKENS",
    "MESSAGE_TEXT",
];
const ID: usize = 0;
const TIME: usize = 1;
const KIND: usize = 2;
const SEVERITY: usize = 3;
const USER: usize = 4;
const JOB: usize = 5;
const JOB_NAME: usize = 6;
const JOB_USER: usize = 7;
const JOB_NUMBER: usize = 8;
const PROGRAM: usize = 9;
const LIBRARY: usize = 10;
const FILE: usize = 11;
const TEXT: usize = 13;

/// The column of a name as an export writes it: in any case, and with blanks where a heading has them.
pub fn column(name: &[u8]) -> Option<usize> {
    let same = |a: &u8, b: &u8| a.to_ascii_uppercase() == *b || *a == b' ' && *b == b'_';
    let name = name.trim_ascii();
    NAMES.iter().position(|n| n.len() == name.len() && name.iter().zip(n.as_bytes()).all(|(a, b)| same(a, b)))
}

/// The name of a column.
pub fn name(column: usize) -> &'static str {
    NAMES.get(column).copied().unwrap_or("")
}

/// Which of the columns that a row cannot do without are not there, in words; `None` when all are.
pub fn missing(has: impl Fn(usize) -> bool) -> Option<String> {
    let names: Vec<&str> = [ID, TIME].into_iter().filter(|c| !has(*c)).map(name).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} is missing")),
        all => Some(format!("{} are missing", all.join(" and "))),
    }
}

/// One row as it stands in an export: a text for each column, empty for NULL and where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells(pub [Vec<u8>; COUNT]);

impl Cells {
    /// MESSAGE_TOKENS.
    pub fn tokens(&self) -> &[u8] {
        let [.., tokens, _] = &self.0;
        tokens.trim_ascii_end()
    }

    /// What a message is made of; or what is wrong with the row.
    pub fn checked(&self) -> Result<Checked<'_>, String> {
        let text = |column: usize, most: usize| -> Result<&str, String> {
            let bytes = self.0.get(column).map_or(&[][..], Vec::as_slice);
            let text = std::str::from_utf8(bytes).map_err(|e| {
                format!(
                    "expected UTF-8 in {}, got X'{}': export it as UTF-8, or say its encoding with --encoding, such as windows-1252 (encoding =)",
                    name(column),
                    hex(bytes.get(e.valid_up_to()..).unwrap_or(&[]))
                )
            })?;
            let text = text.trim_end();
            match text.chars().count() {
                n if n > most => Err(format!(
                    "expected {most} characters in {} at the most, got {n}: {:?}",
                    name(column),
                    shortened(text)
                )),
                _ => Ok(text),
            }
        };
        let at = text(TIME, usize::MAX)?;
        let time = exported_time(at).ok_or_else(|| {
            format!(
                "expected a timestamp such as 2026-11-20 08:00:00.123456 in {}, got {:?}",
                name(TIME),
                shortened(at)
            )
        })?;
        // A program's name has 10 characters; a longer one of a procedure is none of a program.
        let program = text(PROGRAM, usize::MAX)?;
        Ok(Checked {
            id: text(ID, 7)?,
            kind: text(KIND, usize::MAX)?,
            severity: text(SEVERITY, usize::MAX)?,
            user: text(USER, 10)?,
            program: if program.chars().count() > 12 { "" } else { program },
            library: text(LIBRARY, 10)?,
            file: text(FILE, 10)?,
            text: self.0.get(TEXT).map_or(&[][..], Vec::as_slice),
            job: match text(JOB, 28)? {
                "" => job([text(JOB_NUMBER, 6)?, text(JOB_USER, 10)?, text(JOB_NAME, 10)?]),
                whole => {
                    job_of(whole).ok_or_else(|| format!("expected NUMBER/USER/NAME in {}, got {whole:?}", name(JOB)))?
                }
            },
            time,
        })
    }
}

/// A row that a message can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    id: &'a str,
    time: String,
    kind: &'a str,
    severity: &'a str,
    user: &'a str,
    job: String,
    program: &'a str,
    library: &'a str,
    file: &'a str,
    text: &'a [u8],
}

impl Checked<'_> {
    /// Its columns.
    pub fn row(&self) -> HistoryRow<'_> {
        HistoryRow {
            time: &self.time,
            id: self.id,
            kind: self.kind,
            severity: self.severity,
            user: self.user,
            job: &self.job,
            program: self.program,
            library: self.library,
            file: self.file,
            text: self.text,
        }
    }
}

/// NUMBER/USER/NAME, each as long as it can be.
fn job_of(whole: &str) -> Option<String> {
    let parts: Vec<&str> = whole.split('/').map(str::trim).collect();
    let [number, user, name] = parts.as_slice() else { return None };
    let fits = |part: &str, most: usize| part.chars().count() <= most;
    (fits(number, 6) && fits(user, 10) && fits(name, 10)).then(|| job([number, user, name]))
}

/// A number has six digits; spreadsheets take the zeros off its front.
fn job([number, user, name]: [&str; 3]) -> String {
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number = if is_number { format!("{number:0>6}") } else { number.to_owned() };
    format!("{number}/{user}/{name}")
}

/// A timestamp of one of the forms that Db2 and its tools write, as headings have it. No other is taken: in what a spreadsheet made
/// of it, day and month could be either, and an offset would be another time than the system's.
fn exported_time(text: &str) -> Option<String> {
    let (front, fraction) = match text.get(19..) {
        Some(rest) if !rest.is_empty() => (text.get(..19)?, rest.strip_prefix('.')?),
        _ => (text, "0"),
    };
    let digits = !fraction.is_empty() && fraction.len() <= 12 && fraction.bytes().all(|b| b.is_ascii_digit());
    let form = front.len() == 19
        && front.bytes().enumerate().all(|(n, b)| match n {
            4 | 7 => b == b'-',
            10 => matches!(b, b'-' | b' ' | b'T'),
            13 | 16 => matches!(b, b':' | b'.'),
            _ => b.is_ascii_digit(),
        });
    let time = timestamp(text);
    (digits && form && dts(&time) != 0).then_some(time)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|b| format!("{b:02X}")).collect()
}

/// The front of what is too long for a message.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or("")),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_with_blanks() {
        for (text, want) in [
            ("MESSAGE_ID", Some(ID)),
            (" message_timestamp ", Some(TIME)),
            ("Message Text", Some(TEXT)),
            ("MESSAGE_TOKENS", Some(12)),
            ("MESSAGE_SECOND_LEVEL_TEXT", None),
            ("MESSAGE-ID", None),
            ("", None),
        ] {
            assert_eq!(column(text.as_bytes()), want, "{text}");
        }
        assert_eq!(missing(|c| c == ID).as_deref(), Some("MESSAGE_TIMESTAMP is missing"));
        assert_eq!(missing(|_| false).as_deref(), Some("MESSAGE_ID and MESSAGE_TIMESTAMP are missing"));
        assert_eq!(missing(|_| true), None);
    }

    #[test]
    fn timestamps_are_those_of_db2_and_no_others() {
        for text in ["2026-07-20 13:03:14.123456", "2026-07-20-13.03.14.123456", "2026-07-20T13:03:14.123456000000"] {
            assert_eq!(exported_time(text).as_deref(), Some("2026-07-20-13.03.14.123456"), "{text}");
        }
        assert_eq!(exported_time("2026-07-20 13:03:14").as_deref(), Some("2026-07-20-13.03.14.000000"));
        for text in [
            "",
            "20.07.2026 13:03",
            "2026-07-20 13:03",
            "2026-07-20 13:03:14,123456",
            "2026-07-20 13:03:14.",
            "2026-07-20T13:03:14Z",
            "2026-07-20T13:03:14.1Z",
            "2026-07-20 13:03:14.1+02:00",
            "2026-02-30 13:03:14",
            "2026-07-20 24:03:14",
            "9999-12-31 00:00:00",
            "2026-07-2é 13:03:14",
            "2026-07-20 13:03:14.1234567890123",
        ] {
            assert_eq!(exported_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_job_is_whole_or_an_error_and_its_number_has_six_digits() {
        assert_eq!(job_of("123456/QUSER/QZDASOINIT").as_deref(), Some("123456/QUSER/QZDASOINIT"));
        assert_eq!(job_of("1234/QUSER/X").as_deref(), Some("001234/QUSER/X"));
        for text in ["QZDASOINIT", "1/2", "1/2/3/4", "1234567/A/B", "123456/ABCDEFGHIJK/B"] {
            assert_eq!(job_of(text), None, "{text}");
        }
        let mut cells = Cells::default();
        cells.0[TIME] = b"2026-07-20 13:03:14".to_vec();
        assert_eq!(cells.checked().unwrap().job, "//");
        (cells.0[JOB_NUMBER], cells.0[JOB_NAME]) = (b"42".to_vec(), b"J".to_vec());
        assert_eq!(cells.checked().unwrap().job, "000042//J");
        cells.0[USER] = b"ABCDEFGHIJK".to_vec();
        assert!(cells.checked().unwrap_err().contains("10 characters in FROM_USER"));
        cells.0[USER] = vec![0xFC];
        assert!(cells.checked().unwrap_err().contains("UTF-8 in FROM_USER, got X'FC'"));
    }
}
