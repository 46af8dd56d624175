//! A borrowed view of one entry: its heading fields and its entry data, checked once.
//!
//! An [`Entry`] exists only for a record whose heading can be read: the heading is whole, the journal code is a
//! letter, the lengths and the sequence number are digits. Everything else in it may be garbage.
use super::{
    heading::{Heading, Span},
    number, text,
};

/// One entry in a record. Cheap to copy; nothing is transcoded.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The heading it has.
    pub heading: &'a Heading,
    /// The record, heading included.
    pub record: &'a [u8],
    /// The entry data that is there.
    pub data: &'a [u8],
    /// Bytes of entry data that the entry had when it was written, as its own length says.
    pub stated: usize,
    /// Sequence number.
    pub sequence: u64,
}

/// Why a record is no entry: what was expected where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expected} at byte {at} of the record, got {got}")]
pub struct NotAnEntry {
    /// 0-based offset in the record.
    pub at: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there.
    pub got: String,
}

impl<'a> Entry<'a> {
    /// Looks at a record through a heading.
    #[inline]
    pub fn new(heading: &'a Heading, record: &'a [u8]) -> Result<Entry<'a>, NotAnEntry> {
        if record.len() < heading.length {
            return Err(too_short(heading, record));
        }
        let wrong = |span: Span, expected| Err(not_an_entry(span, expected, record));
        let Some(total) = number::zoned(heading.entry_length.of(record)) else {
            return wrong(heading.entry_length, "the entry length in 5 EBCDIC digits");
        };
        let Some(sequence) = number::digits(heading.sequence_number.of(record)) else {
            return wrong(heading.sequence_number, "a sequence number in EBCDIC digits");
        };
        if !heading.journal_code.of(record).iter().all(|b| is_letter(*b)) {
            return wrong(heading.journal_code, "a journal code (T for audit entries)");
        }
        let room = record.len() - heading.length;
        let stated = usize::try_from(total).unwrap_or(0).saturating_sub(heading.length);
        // The 2-byte length counts what is there; the entry length also counts what a short outfile cut off.
        let there = match heading.entry_data_length {
            Some(span) => match number::binary(span.of(record)) {
                Some(n) => usize::try_from(n & 0xFFFF).unwrap_or(0),
                None => stated,
            },
            None => stated,
        };
        let there = there.min(room);
        let data = record.get(heading.length..heading.length + there).unwrap_or(&[]);
        Ok(Entry { heading, record, data, stated: stated.max(there), sequence })
    }

    /// Whether all the entry data is there.
    pub fn complete(&self) -> bool {
        self.data.len() >= self.stated && !self.pointers_replaced()
    }

    /// The incomplete-data flag: *POINTER stands where data would (over 32,766 bytes or LOBs).
    fn pointers_replaced(&self) -> bool {
        self.heading.incomplete_data.is_some_and(|s| s.of(self.record) == [0xF1])
    }

    /// Bytes of a heading field; empty when this heading has none.
    #[inline]
    pub fn head(&self, span: Option<Span>) -> &'a [u8] {
        span.map_or(&[], |s| s.of(self.record))
    }

    /// What its record holds behind it, if that is more than padding.
    pub fn behind(&self) -> &'a [u8] {
        let rest = self.record.get(self.heading.length + self.data.len()..).unwrap_or(&[]);
        if text::is_blank(rest) { &[] } else { rest }
    }

    /// Journal code in EBCDIC.
    #[inline]
    pub fn journal_code(&self) -> u8 {
        self.heading.journal_code.of(self.record).first().copied().unwrap_or(0)
    }

    /// Whether it is an audit entry (journal code T).
    #[inline]
    pub fn is_audit(&self) -> bool {
        self.journal_code() == 0xE3
    }

    /// Entry type in EBCDIC.
    #[inline]
    pub fn entry_type(&self) -> [u8; 2] {
        self.heading.entry_type.of(self.record).try_into().unwrap_or([0x40; 2])
    }
}

/// EBCDIC A to Z.
#[inline]
pub(super) fn is_letter(b: u8) -> bool {
    matches!(b, 0xC1..=0xC9 | 0xD1..=0xD9 | 0xE2..=0xE9)
}

/// What journal codes and entry types are written with: A to Z and digits.
#[inline]
pub(super) fn is_letter_or_digit(b: u8) -> bool {
    is_letter(b) || matches!(b, 0xF0..=0xF9)
}

#[cold]
fn too_short(heading: &Heading, record: &[u8]) -> NotAnEntry {
    NotAnEntry {
        at: record.len(),
        expected: match heading.length {
            125 => "a *TYPE1 heading of 125 bytes",
            155 => "a *TYPE2 heading of 155 bytes",
            223 => "a heading of 223 bytes",
            609 => "a *TYPE5 heading of 609 bytes",
            _ => "a whole heading",
        },
        got: format!("the end of the record after {} bytes", record.len()),
    }
}

#[cold]
fn not_an_entry(span: Span, expected: &'static str, record: &[u8]) -> NotAnEntry {
    let bytes = span.of(record);
    let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02X}")).collect();
    NotAnEntry { at: span.at, expected, got: format!("X'{}'", hex.concat()) }
}
