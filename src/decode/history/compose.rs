//! A message as a *TYPE5 record: what reads entries reads messages too.
//!
//! Journal code H and entry type QH are our own. The sequence number is the time in microseconds since 1970, times 1000, plus the
//! number of messages with the same time before it: the same message has the same number whenever its file is read.
use std::{collections::HashMap, sync::Arc};

use chrono::NaiveDateTime;

use super::{
    messages::Messages,
    record::Message,
    values::{Taken, values},
};
use crate::decode::journal::{
    Layout,
    buffer::timestamp,
    compose::{Composer, invariant},
    heading::Span,
};

/// The receiver of an entry id: the history log.
const RECEIVER: &str = "QHST";

/// Writes records for the messages of one file.
pub struct HistoryComposer {
    composer: Composer,
    messages: Arc<Messages>,
    places: HashMap<String, (Span, bool)>,
    /// Where the text begins: bytes before it.
    fixed: usize,
    data: Vec<u8>,
    /// The time of the message before, and how many before it had the same.
    last: Option<u64>,
    equal: u64,
}

impl HistoryComposer {
    /// For the layout QH.
    pub fn new(composer: Composer, layout: &Layout, messages: Arc<Messages>) -> HistoryComposer {
        use crate::decode::journal::FieldKind;
        let text = layout.field("text").map_or(0, |f| f.offset);
        let places = layout
            .fields
            .iter()
            .filter(|f| f.offset + f.length <= text)
            .map(|f| (f.name.clone(), (Span { at: f.offset, len: f.length }, f.kind == FieldKind::Zoned)));
        HistoryComposer {
            composer,
            messages,
            places: places.collect(),
            fixed: text,
            data: Vec::new(),
            last: None,
            equal: 0,
        }
    }

    /// The record of a message, which comes behind the one composed last.
    pub fn compose(&mut self, message: &Message<'_>) -> &[u8] {
        let head = &message.head;
        self.equal = if self.last == Some(head.dts) { self.equal + 1 } else { 0 };
        self.last = Some(head.dts);
        let time = timestamp(head.dts);
        let c = &mut self.composer;
        c.begin();
        c.number("sequence_number", micros(&time).saturating_mul(1000).saturating_add(self.equal));
        c.plain("journal_code", "H");
        c.plain("journal_entry_type", "QH");
        c.plain("entry_timestamp", &time);
        c.plain("receiver_name", RECEIVER);
        c.plain("receiver_library", "QSYS");
        c.bytes("job_name", head.job_name());
        c.bytes("job_user", head.job_user());
        c.bytes("job_number", head.job_number());
        c.bytes("user_name", head.user());
        c.bytes("program_name", head.program());

        let messages = self.messages.clone();
        self.data.clear();
        self.data.resize(self.fixed, 0x40);
        for (name, bytes) in [
            ("message_id", head.id()),
            ("message_type", head.kind()),
            ("message_file", head.file()),
            ("message_library", head.library()),
            ("sending_program", head.program()),
            ("sending_instruction", head.instruction()),
            ("receiving_program", head.receiver()),
            ("receiving_instruction", head.receiver_instruction()),
            ("message_ccsid", head.ccsid()),
            ("written", head.written()),
        ] {
            self.put(name, Taken::Bytes(bytes));
        }
        // Two digits; a letter in them would pass for a sign.
        if head.severity().iter().all(|b| (0xF0..=0xF9).contains(b)) {
            self.put("message_severity", Taken::Bytes(head.severity()));
        }
        for (name, length) in [("text_length", head.text_length()), ("data_length", head.data_length())] {
            self.put(name, Taken::Number(i64::try_from(length).unwrap_or(0)));
        }
        if let Some(row) = messages.row(head.id()) {
            values(row, message, &mut |name, taken| self.put(name, taken));
        }
        let text_length = u16::try_from(head.text_length()).unwrap_or(u16::MAX);
        self.data.extend_from_slice(&text_length.to_be_bytes());
        let stated = self.data.len() + head.text_length() + head.data_length();
        if let Some(text) = &message.text {
            self.data.extend_from_slice(text);
            self.data.extend_from_slice(message.data.as_deref().unwrap_or(&[]));
        }
        self.composer.end(&self.data, stated)
    }

    fn put(&mut self, name: &str, taken: Taken<'_>) {
        let Some((span, zoned)) = self.places.get(name).copied() else { return };
        let Some(place) = self.data.get_mut(span.at..span.at + span.len) else { return };
        let bytes = match &taken {
            Taken::Bytes(bytes) => bytes,
            Taken::Made(bytes) => bytes.as_slice(),
            Taken::Number(n) if zoned => return put_zoned(place, *n),
            Taken::Number(_) => return,
        };
        for (to, from) in place.iter_mut().zip(bytes.iter().chain(std::iter::repeat(&0x40))) {
            *to = *from;
        }
    }
}

/// Zoned digits; blank where they do not fit.
fn put_zoned(place: &mut [u8], n: i64) {
    let digits = format!("{:0width$}", n.unsigned_abs(), width = place.len());
    if digits.len() != place.len() {
        return;
    }
    for (to, from) in place.iter_mut().zip(digits.bytes()) {
        *to = invariant(from);
    }
    if let Some(last) = place.last_mut().filter(|_| n < 0) {
        *last = 0xD0 | (*last & 15);
    }
}

/// Microseconds since 1970 of a heading's timestamp, as if it were UTC; 0 for none and for earlier ones.
fn micros(timestamp: &str) -> u64 {
    let time = NaiveDateTime::parse_from_str(timestamp, "%Y-%m-%d-%H.%M.%S.%6f").ok();
    time.and_then(|t| u64::try_from(t.and_utc().timestamp_micros()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_written_as_headings_and_layouts_read_them() {
        assert_eq!(micros("1970-01-01-00.00.01.000002"), 1_000_002);
        assert_eq!(micros("1969-12-31-23.59.59.000000"), 0);
        assert_eq!(micros(""), 0);
        for n in [0, 7, -7, i64::from(i32::MAX), i64::from(i32::MIN)] {
            let mut place = [0x40; 10];
            put_zoned(&mut place, n);
            assert_eq!(crate::decode::journal::number::zoned(&place), Some(n));
        }
        let mut place = [0x40; 2];
        put_zoned(&mut place, 100);
        assert_eq!(place, [0x40; 2]);
    }
}
