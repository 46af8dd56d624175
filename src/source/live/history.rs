//! Following the history log by queries: HISTORY_LOG_INFO from the time of the last message on.
//!
//! The service has no key: rows are numbered by query. The place is a time and what was seen of it, so that of messages with equal
//! times, which may stand on both sides of a page's edge, none is lost and none comes twice. A message that is written with an older
//! time, behind a clock that was set back, is not seen.
use serde::{Deserialize, Serialize};

use super::{
    entry::{encode, hex, timestamp},
    query::{Query, QueryError, Row},
    statements,
    tail::{From, Seen},
};
use crate::{
    decode::{
        ebcdic::Charset,
        history::{
            compose::HistoryComposer,
            record::{Head, Message},
        },
        journal::compose::invariant,
    },
    source::frame,
    spool::batch::{checksum, hex as in_hex},
};

/// Messages of one look.
const MOST: usize = 20_000;
/// What a source begins with that wants all there is.
const OLDEST: &str = "1980-01-01-00.00.00.000000";
/// Behind every message.
const END: &str = "9999-12-30-00.00.00.000000";
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

/// A place in the history log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPlace {
    /// The time of the last message.
    pub time: String,
    /// The messages of that time that were read, by what is in them.
    pub seen: Vec<String>,
}

impl HistoryPlace {
    /// A message was read.
    pub fn pass(&mut self, time: &str, what: &str) {
        if self.time != time {
            time.clone_into(&mut self.time);
            self.seen.clear();
        }
        self.seen.push(what.to_owned());
    }
}

/// A message that was read: its time, and what is in it.
pub type Mark = (String, String);

/// Follows the history log.
pub struct HistoryTail {
    composer: HistoryComposer,
    charset: &'static Charset,
    place: HistoryPlace,
}

impl HistoryTail {
    /// Goes on from a place, or from where `from` says; `now` is the system's time.
    pub fn new(
        composer: HistoryComposer,
        charset: &'static Charset,
        place: Option<HistoryPlace>,
        from: &From,
        now: &str,
    ) -> HistoryTail {
        let begin = match from {
            From::Oldest => OLDEST.to_owned(),
            From::Time(time) => timestamp(time),
            From::Now | From::Entry(..) => timestamp(now),
        };
        let place = place.unwrap_or(HistoryPlace { time: begin, seen: Vec::new() });
        HistoryTail { composer, charset, place }
    }

    /// Where it is.
    pub fn place(&self) -> &HistoryPlace {
        &self.place
    }

    /// Looks once. Hands out records, each behind its 4-byte length, with the mark of each.
    pub fn look(
        &mut self,
        db: &mut dyn Query,
        sink: &mut dyn FnMut(Vec<u8>, Vec<Mark>) -> bool,
    ) -> Result<Seen, QueryError> {
        // Those of the place's own time come again; each that was seen is passed over once.
        let mut again = self.place.seen.clone();
        let since = self.place.time.clone();
        // Numbers of messages with the same time begin with the first of them.
        self.composer.restart();
        let mut found = db.start(statements::HISTORY, &[&since, END], 1_000)?;
        let mut read = 0;
        loop {
            let (mut bytes, mut marks) = (Vec::new(), Vec::new());
            for row in &found.rows {
                let time = timestamp(text(row, 0));
                let what = identity(row);
                let data = hex(text(row, 9)).map_err(|e| QueryError::Lost(e.to_string()))?;
                let part = head(row, self.charset, data.len());
                let message = Message {
                    head: Head::new(dts(&time), &part),
                    text: Some(text(row, 10).as_bytes().to_vec()),
                    data: Some(data),
                };
                let record = self.composer.compose(&message);
                if time == since
                    && let Some(i) = again.iter().position(|seen| *seen == what)
                {
                    again.swap_remove(i);
                    continue;
                }
                frame(&mut bytes, record);
                marks.push((time, what));
            }
            read += marks.len();
            if !marks.is_empty() {
                marks.iter().for_each(|(time, what)| self.place.pass(time, what));
                if !sink(bytes, marks) {
                    return Err(QueryError::Stopped);
                }
            }
            let Some(rest) = found.rest.take() else { break };
            if read >= MOST {
                db.close(&rest)?;
                return Ok(Seen::Behind);
            }
            found = db.more(&rest, 1_000)?;
        }
        Ok(Seen::All)
    }
}

fn text(row: &Row, n: usize) -> &str {
    row.get(n).and_then(Option::as_deref).unwrap_or("")
}

/// What tells a message from another one with the same time.
fn identity(row: &Row) -> String {
    let all: Vec<&str> = [1, 4, 5, 6, 9].map(|n| text(row, n)).into();
    let mut sum = in_hex(&checksum(all.join("\u{1f}").as_bytes()));
    sum.truncate(16);
    sum
}

/// Record 1 of the message, as a history log file would have it.
fn head(row: &Row, charset: &Charset, data: usize) -> [u8; 132] {
    let mut part = [0x40; 132];
    let mut put = |at: usize, length: usize, bytes: &[u8]| {
        let place = part.get_mut(at..at + length).unwrap_or(&mut []);
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    };
    // NUMBER/USER/NAME.
    let mut job = text(row, 5).splitn(3, '/');
    let (number, user, name) = (job.next().unwrap_or(""), job.next().unwrap_or(""), job.next().unwrap_or(""));
    put(0, 10, &encode(charset, name));
    put(10, 10, &encode(charset, user));
    put(20, 6, &encode(charset, number));
    put(39, 7, &encode(charset, text(row, 1)));
    put(46, 10, &encode(charset, text(row, 8)));
    put(56, 10, &encode(charset, text(row, 7)));
    let kind = text(row, 2).trim();
    let kind = TYPES.iter().find(|(name, _)| *name == kind).map_or("", |(_, digits)| digits);
    put(66, 2, &digits(kind));
    let severity = text(row, 3).trim().parse::<u8>().map_or(String::new(), |n| format!("{:02}", n.min(99)));
    put(68, 2, &digits(&severity));
    put(70, 10, &encode(charset, text(row, 6)));
    let length = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes();
    put(100, 2, &length(text(row, 10).len()));
    put(102, 2, &length(data));
    // The text is UTF-8.
    put(104, 4, &1208_i32.to_be_bytes());
    put(108, 10, &encode(charset, text(row, 4)));
    part
}

fn digits(text: &str) -> Vec<u8> {
    text.bytes().map(invariant).collect()
}

/// A timestamp of a heading as *DTS.
fn dts(time: &str) -> u64 {
    let epoch = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|d| d.and_hms_opt(0, 0, 0));
    let parsed = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d-%H.%M.%S%.6f");
    let micros = epoch.zip(parsed.ok()).and_then(|(epoch, time)| (time - epoch).num_microseconds());
    micros.and_then(|m| u64::try_from(m + (1 << 51)).ok()).map_or(0, |m| m << 12)
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
        assert_eq!(dts("never"), 0);
    }
}
