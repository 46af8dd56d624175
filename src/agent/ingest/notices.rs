//! What a source says of itself to every output, in the order of what it read: what is missing, what is parked, what does not fit its
//! configuration.
use std::sync::atomic::Ordering;

use super::Ingest;
use crate::{
    agent::{gaps::Several, log},
    clock,
    encode::escape::printable,
    event::{
        Notice,
        notice::{CONTRADICTION, GAP},
    },
    log::alike,
    source::{
        Record,
        derived::placeholder,
        receiver_chain::{Gap, JournalPlace},
    },
    spool::batch::Parked,
};

impl Ingest<'_> {
    /// Tells of what was parked and what is missing, when it is time to; `last` when there is no other time.
    pub fn tell(&mut self, last: bool) {
        self.tell_parked(last);
        self.tell_gaps(last);
    }

    /// Keeps a record that is no entry aside.
    #[cold]
    pub(super) fn park(&mut self, record: &Record<'_>, why: &str) {
        // A record that could not be made says so itself.
        let (why, bytes) = match placeholder::why(record.bytes) {
            Some(why) => (printable(&why), placeholder::bytes(record.bytes).unwrap_or_default()),
            None => (why.to_owned(), record.bytes),
        };
        self.parking.add(record.offset, &why, bytes);
        self.builder.park(Parked { place: record.offset, why, bytes: bytes.to_vec() });
    }

    /// Keeps what a record holds behind its entry: its length is wrong, or another record is within it.
    #[cold]
    pub(super) fn park_behind(&mut self, record: &Record<'_>, bytes: &[u8]) {
        let why = format!("the record goes on for {} bytes behind its entry: is its length damaged?", bytes.len());
        self.builder.read(bytes);
        self.parking.add(record.offset, &why, bytes);
        self.builder.park(Parked { place: record.offset, why, bytes: bytes.to_vec() });
    }

    /// Tells of what was parked, when it is time to.
    fn tell_parked(&mut self, last: bool) {
        let now = clock::now().timestamp_micros();
        let about = (self.detector.system(), self.of.config.zone, now);
        if let Some((text, notice)) = self.parking.tell(&self.of.config.name, about, last) {
            log(format_args!("source {}: {text}", self.of.config.name));
            self.builder.push_notice(&notice);
            self.notices += 1;
        }
    }

    /// What is read is not what the configuration says: it is sent as it reads, and nobody is to take it for right.
    #[cold]
    pub(super) fn contradicted(&mut self, why: &str) {
        log(format_args!("source {}: {why}", self.of.config.name));
        let notice =
            Notice::new(CONTRADICTION, self.detector.system(), clock::now().timestamp_micros(), self.of.config.zone)
                .with("source", &self.of.config.name)
                .with("option", "date_format")
                .with("problem", why);
        self.builder.push_notice(&notice);
        self.notices += 1;
        self.contradicted = true;
    }

    /// Something is missing: a notice to every output, a line in the log, a count. What is missing again and again is told in sums.
    #[cold]
    pub fn gap(&mut self, gap: Gap) {
        self.of.stats.gaps.fetch_add(1, Ordering::Relaxed);
        self.of.stats.missing.fetch_add(gap.count(), Ordering::Relaxed);
        self.gaps.add(gap);
        self.tell_gaps(false);
    }

    /// Tells of what is missing, when it is time to.
    fn tell_gaps(&mut self, last: bool) {
        let Some(Several { gap, missing, .. }) = self.gaps.tell(last) else { return };
        let text = format!("gap: {}", gap.text);
        alike("gap", format_args!("source {}: {text}", self.of.config.name));
        let place = |p: &JournalPlace| if *p == JournalPlace::default() { String::new() } else { p.to_string() };
        let now = clock::now().timestamp_micros();
        let notice = Notice::new(GAP, self.detector.system(), now, self.of.config.zone)
            .with("source", &self.of.config.name)
            .with("last_before", place(&gap.before))
            .with("first_after", place(&gap.after))
            .with("missing", &gap.text)
            .with("missing_entries", if missing > 0 { missing.to_string() } else { String::new() });
        self.builder.push_notice(&notice);
        self.notices += 1;
        self.of.stats.set(|d| d.gap = gap.text);
    }
}
