//! A row of QSYS2.HISTORY_LOG_INFO as the record of its message, whether a live system answered with it or an export holds it.
//!
//! The row becomes record 1 of the message as a history log file would have it, so all that reads messages reads rows too. What the
//! service does not say (instructions, the receiving program) is blank. The text stays UTF-8, as it came.
use crate::{
    decode::{
        ebcdic::Charset,
        history::{
            compose::HistoryComposer,
            record::{Head, Message},
        },
        journal::compose::invariant,
    },
    source::live::entry::encode,
};

/// Types as the service names them, and as record 1 of a message has them.
const TYPES: [(&str, &str); 9] = [
    ("COMPLETION", "01"),
    ("DIAGNOSTIC", "02"),
    ("INFORMATIONAL", "04"),
    ("INFO", "04"),
    ("INQUIRY", "05"),
    ("SENDER", "06"),
    ("REQUEST", "08"),
    ("NOTIFY", "14"),
    ("ESCAPE", "15"),
];

/// CCSID of UTF-8.
const UTF_8: i32 = 1208;
/// No character of a name, a number or an address, and none that ends one.
const NO_CHARACTER: u8 = 0xFF;

/// The columns of a row that a message is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryRow<'a> {
    /// MESSAGE_TIMESTAMP, as headings write it.
    pub time: &'a str,
    /// MESSAGE_ID.
    pub id: &'a str,
    /// MESSAGE_TYPE, in words.
    pub kind: &'a str,
    /// SEVERITY, 0 to 99.
    pub severity: &'a str,
    /// FROM_USER.
    pub user: &'a str,
    /// FROM_JOB: NUMBER/USER/NAME.
    pub job: &'a str,
    /// FROM_PROGRAM.
    pub program: &'a str,
    /// MESSAGE_LIBRARY.
    pub library: &'a str,
    /// MESSAGE_FILE.
    pub file: &'a str,
    /// MESSAGE_TEXT; UTF-8, or meant to be.
    pub text: &'a [u8],
}

/// MESSAGE_TOKENS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// The bytes of the message data.
    Bytes(Vec<u8>),
    /// There were so many, and they are not known.
    Unknown(usize),
}

impl HistoryRow<'_> {
    /// The record of the message, which comes behind the one composed last.
    pub fn compose<'c>(&self, tokens: Tokens, charset: &Charset, composer: &'c mut HistoryComposer) -> &'c [u8] {
        let length = match &tokens {
            Tokens::Bytes(data) => data.len(),
            Tokens::Unknown(length) => *length,
        };
        let part = self.head(charset, length);
        let message = Message {
            head: Head::new(dts(self.time), &part),
            text: Some(self.text.to_vec()),
            data: match tokens {
                Tokens::Bytes(data) => Some(data),
                Tokens::Unknown(_) => None,
            },
            readable: Some(readable(charset, self.text)),
        };
        composer.compose(&message)
    }

    /// Record 1 of the message.
    fn head(&self, charset: &Charset, data: usize) -> [u8; 132] {
        let mut part = [0x40; 132];
        let mut put = |at: usize, length: usize, bytes: &[u8]| {
            let place = part.get_mut(at..at + length).unwrap_or(&mut []);
            place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        };
        let mut job = self.job.splitn(3, '/');
        let (number, user, name) = (job.next().unwrap_or(""), job.next().unwrap_or(""), job.next().unwrap_or(""));
        put(0, 10, &encode(charset, name));
        put(10, 10, &encode(charset, user));
        put(20, 6, &encode(charset, number));
        put(39, 7, &encode(charset, self.id));
        put(46, 10, &encode(charset, self.file));
        put(56, 10, &encode(charset, self.library));
        let kind = self.kind.trim();
        let kind = TYPES.iter().find(|(name, _)| *name == kind).map_or("", |(_, digits)| digits);
        put(66, 2, &digits(kind));
        let severity = self.severity.trim().parse::<u8>().map_or(String::new(), |n| format!("{:02}", n.min(99)));
        put(68, 2, &digits(&severity));
        put(70, 12, &encode(charset, self.program));
        let length = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes();
        put(100, 2, &length(self.text.len()));
        put(102, 2, &length(data));
        put(104, 4, &UTF_8.to_be_bytes());
        put(108, 10, &encode(charset, self.user));
        part
    }
}

fn digits(text: &str) -> Vec<u8> {
    text.bytes().map(invariant).collect()
}

/// A text in the character set of the jobs, to look for names and addresses in it.
fn readable(charset: &Charset, text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    charset.encode(&text).unwrap_or_else(|| {
        let each = |c: char| charset.encode(c.encode_utf8(&mut [0; 4])).unwrap_or_else(|| vec![NO_CHARACTER]);
        text.chars().flat_map(each).collect()
    })
}

/// A timestamp of a heading as *DTS; 0 for what is none, or is more than 71 years from 2000.
pub fn dts(time: &str) -> u64 {
    let epoch = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|d| d.and_hms_opt(0, 0, 0));
    let parsed = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d-%H.%M.%S%.6f");
    let micros = epoch.zip(parsed.ok()).and_then(|(epoch, time)| (time - epoch).num_microseconds());
    let turned = micros.and_then(|m| m.checked_add(1 << 51)).and_then(|m| u64::try_from(m).ok());
    turned.filter(|m| *m < 1 << 52).map_or(0, |m| m << 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::journal::buffer;

    #[test]
    fn a_time_is_the_same_as_dts() {
        for time in ["2026-07-20-13.03.14.123456", "1999-12-31-23.59.59.999999", "2000-01-01-00.00.00.000000"] {
            assert_eq!(buffer::timestamp(dts(time)), time);
        }
        for time in
            ["never", "", "9999-12-31-23.59.59.000000", "0001-01-01-00.00.00.000000", "2026-02-30-00.00.00.000000"]
        {
            assert_eq!(dts(time), 0, "{time}");
        }
    }

    #[test]
    fn a_character_that_the_jobs_lack_makes_no_other_name_of_what_it_stands_in() {
        let charset = Charset::ebcdic(37).unwrap();
        let text = readable(charset, "Job 123456/QUSER/NAMEЖ at 10.1.2.3".as_bytes());
        assert_eq!(text.len(), 34);
        assert_eq!(text.iter().filter(|b| **b == NO_CHARACTER).count(), 1);
    }
}
