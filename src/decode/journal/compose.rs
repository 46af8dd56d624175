//! Writing a *TYPE5 record for an entry that came without one: out of a retrieve buffer, or as columns of an SQL service.
//!
//! All that reads entries reads records, so an entry has one form whatever it came through. What the other form does not say is
//! blank here, as IBM i leaves what does not apply.
use std::{collections::HashMap, sync::Arc};

use super::heading::{Heading, Span};

const BLANK: u8 = 0x40;

/// Writes records, one after the other, into the same memory.
pub struct Composer {
    heading: Arc<Heading>,
    places: HashMap<String, Span>,
    record: Vec<u8>,
    /// What stands in every record.
    always: Vec<(&'static str, Vec<u8>)>,
}

impl Composer {
    /// For the *TYPE5 heading.
    pub fn new(heading: Arc<Heading>) -> Composer {
        let places = heading.fields.iter().map(|f| (f.name.clone(), f.span)).collect();
        Composer { heading, places, record: Vec::new(), always: Vec::new() }
    }

    /// The heading of what is written.
    pub fn heading(&self) -> &Arc<Heading> {
        &self.heading
    }

    /// A field that every record has from now on.
    pub fn always(mut self, name: &'static str, value: &[u8]) -> Composer {
        self.always.push((name, value.to_vec()));
        self
    }

    /// Begins a record: everything else is blank.
    pub fn begin(&mut self) {
        self.record.clear();
        self.record.resize(self.heading.length, BLANK);
        let always = std::mem::take(&mut self.always);
        always.iter().for_each(|(name, value)| self.bytes(name, value));
        self.always = always;
    }

    fn place(&mut self, name: &str) -> &mut [u8] {
        let span = self.places.get(name).copied().unwrap_or(Span { at: 0, len: 0 });
        self.record.get_mut(span.at..span.at + span.len).unwrap_or(&mut [])
    }

    /// A text or opaque bytes; longer ones are cut, shorter ones end with blanks.
    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        let place = self.place(name);
        let n = value.len().min(place.len());
        let (front, rest) = place.split_at_mut(n);
        front.copy_from_slice(value.get(..n).unwrap_or(&[]));
        rest.fill(BLANK);
    }

    /// A number in zoned digits over the whole field; one that does not fit stays blank.
    pub fn number(&mut self, name: &str, value: u64) {
        let place = self.place(name);
        let mut rest = value;
        for digit in place.iter_mut().rev() {
            *digit = 0xF0 | u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        if rest > 0 {
            place.fill(BLANK);
        }
    }

    /// ASCII that is the same in every EBCDIC: digits, upper-case letters, `.`, `:`, `-`, and `a` to `f`.
    pub fn plain(&mut self, name: &str, text: &str) {
        let place = self.place(name);
        for (to, from) in place.iter_mut().zip(text.bytes().chain(std::iter::repeat(b' '))) {
            *to = invariant(from);
        }
    }

    /// Ends it: with its entry data, of which the entry had `stated` bytes when it was written.
    pub fn end(&mut self, data: &[u8], stated: usize) -> &[u8] {
        let there = data.get(..data.len().min(usize::from(u16::MAX))).unwrap_or(&[]);
        let length = self.heading.length + stated.max(there.len());
        self.number("entry_length", (length as u64).min(99_999));
        let count = u16::try_from(there.len()).unwrap_or(u16::MAX);
        self.place("entry_data_length").copy_from_slice(&count.to_be_bytes());
        self.record.extend_from_slice(there);
        &self.record
    }

    /// The record that was ended last.
    pub fn record(&self) -> &[u8] {
        &self.record
    }
}

/// A character of the invariant set in EBCDIC; a blank for any other.
pub fn invariant(c: u8) -> u8 {
    match c {
        b'0'..=b'9' => 0xF0 + (c - b'0'),
        b'A'..=b'I' => 0xC1 + (c - b'A'),
        b'J'..=b'R' => 0xD1 + (c - b'J'),
        b'S'..=b'Z' => 0xE2 + (c - b'S'),
        b'a'..=b'i' => 0x81 + (c - b'a'),
        b'.' => 0x4B,
        b'-' => 0x60,
        b'/' => 0x61,
        b':' => 0x7A,
        b'*' => 0x5C,
        b'_' => 0x6D,
        _ => BLANK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::journal::{Catalog, Entry, HeadingKind};

    #[test]
    fn a_composed_record_is_an_entry_with_what_was_given_and_blanks() {
        let heading = Catalog::shipped().unwrap().heading(HeadingKind::Type5).unwrap().clone();
        let mut composer = Composer::new(heading.clone());
        for (data, stated) in [(&[1, 2, 3][..], 3), (&[9; 10][..], 70_000), (&[][..], 0)] {
            composer.begin();
            composer.number("sequence_number", u64::MAX);
            composer.bytes("journal_code", &[0xE3]);
            composer.bytes("user_name", &[0xC1; 12]);
            composer.plain("remote_address", "2001:db8::1f");
            let record = composer.end(data, stated).to_vec();
            let entry = Entry::new(&heading, &record).unwrap();
            assert_eq!((entry.sequence, entry.data, entry.stated), (u64::MAX, data, stated));
            assert_eq!(entry.complete(), data.len() == stated);
            assert_eq!(entry.head(heading.user_name), [0xC1; 10]);
            assert_eq!(entry.head(Some(heading.job_user)), [0x40; 10]);
            assert_eq!(entry.head(heading.remote_address).get(..5), Some(&[0xF2, 0xF0, 0xF0, 0xF1, 0x7A][..]));
        }
    }
}
