//! Cutting a capture into records, and finding the way back where it is damaged.
//!
//! A record is trusted when another one begins where it ends, or the capture does. Where that is not so:
//! - a heading stands a record further on: only what is between is damaged. It is handed out record by record.
//! - a heading stands elsewhere: bytes are missing, or too many. What is between two that are whole is one range of damaged bytes,
//!   with the record that it begins in, unless that ends where another one visibly began.
//! - none is found: the range goes on, in pieces.
//!
//! A heading that is not where it was expected counts when another record, or the end, follows where it says: one may have been
//! written into a text. Pure over slices, as [`split`] is; records that are made of something else are cut by their lengths alone.
use std::sync::Arc;

use crate::decode::journal::{
    Heading,
    detect::{fits, may_fit, prefixed},
    record::{Framing, MAX_RECORD, Split, split},
};

/// The longest range of damaged bytes that is handed out as one.
pub const PIECE: usize = 1 << 20;
/// Damaged records in a row that are handed out one by one.
const ROW: usize = 64;
/// How many records further on a heading is looked for before it is looked for anywhere.
const NEAR: usize = 3;
/// Digits that a heading begins with: its length, and its number as far as that cannot be chance.
const VISIBLE: usize = 8;

/// What stands at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More bytes are needed: this many in all.
    Need(usize),
    /// Nothing is left.
    End,
    /// A record, trusted or not an entry; `used` bytes with its length prefix.
    Record {
        /// Bytes of the prefix.
        prefix: usize,
        /// All bytes.
        used: usize,
        /// What comes behind it.
        then: Ahead,
    },
    /// The capture ends within a record.
    Cut {
        /// Bytes of the prefix that are there.
        prefix: usize,
    },
    /// Damaged bytes.
    Damaged {
        /// How many.
        used: usize,
        /// What comes behind them.
        then: Ahead,
    },
    /// Damaged bytes at the end of a file that grows: what follows tells more.
    Wait,
    /// The length prefix of a record that is made cannot be one.
    BadLength(u32),
}

/// What is known of the bytes behind what was handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing.
    #[default]
    Unknown,
    /// A record begins.
    Begins,
    /// So many bytes of records that are damaged, each of its length.
    Row(usize),
    /// So many damaged bytes.
    Damage(usize),
    /// Damaged bytes, nobody knows how many.
    InDamage,
}

/// What some bytes may be the front of.
enum RecordStart {
    Begins(usize),
    May,
    No,
}

/// Cuts a capture.
#[derive(Clone, Debug)]
pub struct Cutter {
    heading: Arc<Heading>,
    framing: Framing,
    /// Records are looked at; those that are made are what they are.
    pub checks: bool,
    /// More bytes may be long in coming: a record is not kept waiting for the one behind it.
    pub live: bool,
    /// The capture is a file that somebody writes to.
    pub grows: bool,
    ahead: Ahead,
}

impl Cutter {
    /// For records of one kind.
    pub fn new(heading: Arc<Heading>, framing: Framing, checks: bool) -> Cutter {
        Cutter { heading, framing, checks, live: false, grows: false, ahead: Ahead::Unknown }
    }

    /// Goes on behind what was handed out.
    pub fn took(&mut self, then: Ahead) {
        self.ahead = then;
    }

    /// What stands at the front of `bytes`; `ended` when no more can come.
    pub fn next(&self, bytes: &[u8], ended: bool) -> Next {
        if !self.checks {
            return self.plain(bytes, ended);
        }
        if bytes.is_empty() {
            return if ended { Next::End } else { Next::Need(1) };
        }
        match self.ahead {
            Ahead::Damage(n) => return damaged(n.min(bytes.len())),
            Ahead::Row(n) => {
                let used = self.step(bytes).unwrap_or(n).min(n).min(bytes.len());
                let then = if n > used { Ahead::Row(n - used) } else { Ahead::Unknown };
                return Next::Record { prefix: self.prefix(), used, then };
            }
            Ahead::Unknown | Ahead::Begins | Ahead::InDamage => {}
        }
        let known = self.step(bytes).filter(|_| self.ahead == Ahead::Begins);
        let used = match known.map_or_else(|| self.record_start(bytes), RecordStart::Begins) {
            RecordStart::Begins(used) => used,
            RecordStart::May if ended => return Next::Cut { prefix: self.prefix() },
            RecordStart::May => return Next::Need(self.front()),
            RecordStart::No => return self.search(bytes, None, ended),
        };
        let Some(behind) = bytes.get(used..) else {
            return match (ended, self.grows) {
                (false, _) => Next::Need(used),
                (true, true) => Next::Cut { prefix: self.prefix() },
                // It may be a record with bytes missing, and what is left of the next one.
                (true, false) => match self.find(bytes, true) {
                    Some(Ok(at)) => damaged(at),
                    _ => Next::Cut { prefix: self.prefix() },
                },
            };
        };
        let record = |then| Next::Record { prefix: self.prefix(), used, then };
        match self.record_start(behind) {
            RecordStart::Begins(_) => record(Ahead::Begins),
            RecordStart::May if ended || self.live => record(Ahead::Unknown),
            RecordStart::May => Next::Need(used + self.front()),
            RecordStart::No => self.search(bytes, Some(used), ended),
        }
    }

    fn plain(&self, bytes: &[u8], ended: bool) -> Next {
        let prefix = self.prefix();
        match split(self.framing, bytes, ended) {
            Split::Record { used, .. } => Next::Record { prefix, used, then: Ahead::Unknown },
            Split::Need(n) => Next::Need(n),
            Split::End => Next::End,
            Split::Cut(_) => Next::Cut { prefix },
            Split::BadLength(n) => Next::BadLength(n),
        }
    }

    fn prefix(&self) -> usize {
        match self.framing {
            Framing::Fixed(_) => 0,
            Framing::Stream => 4,
        }
    }

    /// Bytes that show whether a record begins.
    fn front(&self) -> usize {
        self.prefix() + self.heading.length
    }

    /// The bytes of whatever record stands here, by its framing alone.
    fn step(&self, bytes: &[u8]) -> Option<usize> {
        match self.framing {
            Framing::Fixed(n) => Some(n),
            Framing::Stream => {
                let n = usize::try_from(u32::from_be_bytes(*bytes.first_chunk::<4>()?)).ok()?;
                (1..=MAX_RECORD).contains(&n).then_some(n + 4)
            }
        }
    }

    fn record_start(&self, bytes: &[u8]) -> RecordStart {
        let h = &self.heading;
        if bytes.len() >= self.front() {
            let used = match self.framing {
                Framing::Fixed(n) => fits(h, bytes).then_some(n),
                Framing::Stream => prefixed(h, bytes),
            };
            return used.map_or(RecordStart::No, RecordStart::Begins);
        }
        if self.may_begin(bytes) { RecordStart::May } else { RecordStart::No }
    }

    /// Whether these bytes, fewer than show it, may be the front of a record.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        let h = &self.heading;
        if self.prefix() == 0 {
            return may_fit(h, bytes);
        }
        let Some((prefix, rest)) = bytes.split_first_chunk::<4>() else {
            // At most X'00100000'.
            return bytes.first().is_none_or(|b| *b == 0) && bytes.get(1).is_none_or(|b| *b <= 0x10);
        };
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(0);
        (h.length..=MAX_RECORD).contains(&length) && may_fit(h, rest)
    }

    /// Whether a record visibly began here, whatever became of its heading.
    fn began(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.prefix() + VISIBLE).is_some_and(|front| self.may_begin(front))
    }

    /// Behind the front, or behind the record at the front that is `first` bytes long, no record begins: where is the next one?
    #[cold]
    fn search(&self, bytes: &[u8], first: Option<usize>, ended: bool) -> Next {
        let from = first.unwrap_or(0);
        // As much as is looked at first is there, so that the answer does not hang on how it was read.
        let near = self
            .step(bytes.get(from..).unwrap_or(&[]))
            .unwrap_or(0)
            .saturating_mul(NEAR)
            .saturating_add(from + self.front());
        if bytes.len() < near.min(PIECE) && !ended {
            return Next::Need(near.min(PIECE));
        }
        if let Some(at) = self.near(bytes, from, ended) {
            return self.row(bytes, first, at);
        }
        match self.find(bytes, ended) {
            Some(Ok(at)) => self.until(bytes, first, at),
            Some(Err(need)) => Next::Need(need),
            None if !ended && bytes.len() < PIECE => Next::Need((bytes.len() * 2).min(PIECE)),
            None if ended && self.grows => Next::Wait,
            None if ended => self.until(bytes, first, bytes.len()),
            None => match (first, self.framing) {
                (Some(used), _) if self.began(bytes.get(used..).unwrap_or(&[])) || self.is_blank_from(bytes, used) => {
                    Next::Record { prefix: self.prefix(), used, then: Ahead::Unknown }
                }
                // Whole records: what is behind them stands where it would.
                (_, Framing::Fixed(n)) => Next::Damaged { used: PIECE / n * n, then: Ahead::InDamage },
                (_, Framing::Stream) => Next::Damaged { used: PIECE, then: Ahead::InDamage },
            },
        }
    }

    /// Whether a blank record of the length of all stands here: nothing moved, and nothing was written.
    fn is_blank_from(&self, bytes: &[u8], at: usize) -> bool {
        let Framing::Fixed(n) = self.framing else { return false };
        let record = bytes.get(at..).and_then(|rest| rest.get(..n));
        record.is_some_and(|r| r.iter().all(|b| *b == 0x40) || r.iter().all(|b| *b == 0))
    }

    /// A heading one to three records further on than where one should stand, with the lengths of what is between as they should be.
    fn near(&self, bytes: &[u8], from: usize, ended: bool) -> Option<usize> {
        let mut at = from;
        for _ in 0..NEAR {
            at = at.checked_add(self.step(bytes.get(at..)?)?)?;
            if ended && at == bytes.len() || matches!(self.record_start(bytes.get(at..)?), RecordStart::Begins(_)) {
                return Some(at);
            }
        }
        None
    }

    /// The next place at which a record begins that another one, or the end, follows; or how many bytes are needed to say so.
    fn find(&self, bytes: &[u8], ended: bool) -> Option<Result<usize, usize>> {
        for at in 1..bytes.len().min(PIECE) {
            let here = bytes.get(at..).unwrap_or(&[]);
            if here.len() < self.front() {
                break;
            }
            let RecordStart::Begins(used) = self.record_start(here) else { continue };
            match here.get(used..).map(|behind| self.record_start(behind)) {
                Some(RecordStart::Begins(_)) => return Some(Ok(at)),
                Some(RecordStart::May) | None if ended => return Some(Ok(at)),
                Some(RecordStart::May) | None => return Some(Err(at + used + self.front())),
                // The one behind it may be the damaged one.
                Some(RecordStart::No) => match (self.framing, here.get(used.saturating_mul(2)..)) {
                    (Framing::Fixed(_), Some(next)) if matches!(self.record_start(next), RecordStart::Begins(_)) => {
                        return Some(Ok(at));
                    }
                    _ => {}
                },
            }
        }
        None
    }

    /// Damaged records, each of its length, up to `at`.
    fn row(&self, bytes: &[u8], first: Option<usize>, at: usize) -> Next {
        let prefix = self.prefix();
        match first {
            Some(used) => Next::Record { prefix, used, then: Ahead::Row(at - used) },
            None if self.ahead == Ahead::InDamage => damaged(at),
            None => {
                let used = self.step(bytes).unwrap_or(at).min(at);
                let then = if at > used { Ahead::Row(at - used) } else { Ahead::Unknown };
                Next::Record { prefix, used, then }
            }
        }
    }

    /// Damage up to `at`, where a record begins or the capture ends.
    fn until(&self, bytes: &[u8], first: Option<usize>, at: usize) -> Next {
        let from = first.unwrap_or(0);
        if let Framing::Fixed(n) = self.framing
            && at > from
            && (at - from).is_multiple_of(n)
            && self.ahead != Ahead::InDamage
        {
            match first {
                _ if (at - from) / n <= ROW => return self.row(bytes, first, at),
                // What comes next stands where it would: the record before the damage has all its bytes.
                Some(used) => {
                    return Next::Record { prefix: self.prefix(), used, then: Ahead::Damage(at - used) };
                }
                None => {}
            }
        }
        match first {
            // Only what stands before the next record can be the front of one between.
            Some(used) if at > used && self.began(bytes.get(used..at).unwrap_or(&[])) => {
                Next::Record { prefix: self.prefix(), used, then: Ahead::Damage(at - used) }
            }
            _ => damaged(at),
        }
    }
}

/// A range of damaged bytes, handed out in pieces.
fn damaged(n: usize) -> Next {
    let used = n.min(PIECE);
    Next::Damaged { used, then: if n > used { Ahead::Damage(n - used) } else { Ahead::Unknown } }
}
