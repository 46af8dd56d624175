//! The record length of a capture whose records have one length, from where its headings stand.
//!
//! Damage moves what stands behind it, so no length fits everywhere: the right one is that at which most headings stand apart. Half
//! of what there is must agree, and no other headings may stand between: a multiple of the true length would skip records. What
//! stands in the data of an entry is no heading, as far as headings say how long their data is: a text is written by strangers.
use std::{cmp::Reverse, collections::BTreeSet};

use super::{MAX_DATA, SURE, Unknown, fits};
use crate::decode::journal::{heading::Heading, number};

/// Headings that are looked at.
const MOST: usize = 512;
/// How many headings behind one another two that are a record apart may stand: others may have been written between.
const REACH: usize = 3;

/// The length of the records in a sample; `None` where no heading of this kind stands.
pub(super) fn record_length(h: &Heading, sample: &[u8], whole: bool) -> Option<Result<usize, Unknown>> {
    let all = Marks::find(h, sample, whole, false);
    if all.at.is_empty() {
        return None;
    }
    let behind = Marks::find(h, sample, whole, true);
    let behind_data = behind.length().and_then(|m| if behind.holds(m) { Ok(m) } else { Err(behind.none()) });
    Some(match (all.length(), behind_data) {
        // Either what the data of entries holds are headings, or their lengths are those of before an outfile cut them off: then
        // nearly all are too long.
        (Ok(n), Ok(m)) if n != m && !all.are_too_long(n) => {
            let pairs = all.pairs(m).count();
            Err(all.doubt(m, pairs).unwrap_or(Unknown::NoLength { heading: all.name(), at: all.first() }))
        }
        (Err(_), Ok(m)) => Ok(m),
        (n, _) => n,
    })
}

/// Whether a length that was given goes with a sample; `None` where no heading of this kind stands.
pub(super) fn check_length(h: &Heading, sample: &[u8], whole: bool, given: usize) -> Option<Result<(), Unknown>> {
    let all = Marks::find(h, sample, whole, false);
    if all.at.is_empty() {
        return None;
    }
    let checked = all.check(given);
    let without_texts = || Marks::find(h, sample, whole, true).length();
    Some(if checked.is_err() && without_texts() == Ok(given) { Ok(()) } else { checked })
}

/// Where headings stand in a sample.
struct Marks<'a> {
    heading: &'a Heading,
    sample: &'a [u8],
    /// The headings, in order.
    at: Vec<usize>,
    /// The headings, and the end of the capture where it is in the sample.
    marks: Vec<usize>,
}

impl<'a> Marks<'a> {
    /// Looks for the headings of one kind; with `behind_data`, only behind the data that the one before says it has.
    fn find(heading: &'a Heading, sample: &'a [u8], whole: bool, behind_data: bool) -> Marks<'a> {
        let mut at = Vec::new();
        let mut from = 0;
        while let Some(rest) = sample.get(from..).filter(|r| r.len() >= heading.length)
            && at.len() < MOST
        {
            // Nearly everywhere stands no digit: the rest need not be asked.
            let may = rest.get(heading.entry_length.at).is_some_and(|b| (0xF0..=0xF9).contains(b));
            if may && fits(heading, rest) {
                at.push(from);
                from += heading.length + data_length(heading, rest).filter(|_| behind_data).unwrap_or(0);
            } else {
                from += 1;
            }
        }
        let mut marks = at.clone();
        if whole && at.len() < MOST {
            marks.push(sample.len());
        }
        Marks { heading, sample, at, marks }
    }

    fn name(&self) -> &'static str {
        self.heading.kind.ibm_name()
    }

    fn first(&self) -> usize {
        self.at.first().copied().unwrap_or(0)
    }

    /// Headings that have another one, or the end, at this distance.
    fn pairs(&self, length: usize) -> impl Iterator<Item = usize> {
        self.at.iter().copied().filter(move |at| self.marks.binary_search(&at.saturating_add(length)).is_ok())
    }

    /// Whether nearly all data, as headings say, are longer than records of this length.
    fn are_too_long(&self, length: usize) -> bool {
        let data = |at: &usize| data_length(self.heading, self.sample.get(*at..).unwrap_or(&[])).unwrap_or(0);
        let too_long = self.at.iter().filter(|at| self.heading.length + data(at) > length).count();
        too_long * 4 >= self.at.len() * 3
    }

    /// Whether half of the records that there would be are there.
    fn is_likely(&self, length: usize, pairs: usize) -> bool {
        let span = self.marks.last().map_or(0, |last| last - self.first());
        pairs * 2 > span / length
    }

    fn none(&self) -> Unknown {
        Unknown::NoLength { heading: self.name(), at: self.first() }
    }

    /// Whether more than half of the records that there would be end in padding, and the next begins there: where an outfile cut long
    /// entries off, what is behind their data is another entry.
    fn holds(&self, length: usize) -> bool {
        let seen = self.at.iter().filter(|at| at.saturating_add(length) <= self.sample.len()).count();
        self.pairs(length).filter(|at| self.rest_is_padding(*at, length)).count() * 2 > seen
    }

    /// The length.
    fn length(&self) -> Result<usize, Unknown> {
        let none = Err(self.none());
        let possible = self.heading.length..=self.heading.length + MAX_DATA;
        let distances: BTreeSet<usize> = (1..=REACH)
            .flat_map(|n| self.marks.iter().zip(self.marks.iter().skip(n)).map(|(a, b)| b - a))
            .filter(|d| possible.contains(d))
            .collect();
        let likely = distances.into_iter().map(|d| (self.pairs(d).count(), d)).filter(|(n, d)| self.is_likely(*d, *n));
        let Some((all, length)) = likely.max_by_key(|(n, d)| (*n, Reverse(*d))) else { return none };
        if let Some(doubt) = self.doubt(length, all) {
            return Err(doubt);
        }
        // Among few records, a damaged one may be taken for the end of the one before it.
        let few = self.sample.len() / length < SURE;
        if few && !self.pairs(length).all(|at| self.rest_is_padding(at, length)) { none } else { Ok(length) }
    }

    /// What speaks against a length: headings that stand within half of the records.
    fn doubt(&self, length: usize, all: usize) -> Option<Unknown> {
        let within: Vec<(usize, usize)> =
            self.pairs(length).filter_map(|begin| Some((begin, self.within(begin, length)?))).collect();
        let (begin, at) = within.first().copied().filter(|_| within.len() * 2 >= all)?;
        let shorter = at - begin;
        Some(Unknown::Ambiguous { heading: self.name(), at, length, shorter, within: within.len(), all })
    }

    /// The first heading within a record.
    fn within(&self, at: usize, length: usize) -> Option<usize> {
        self.at.iter().copied().find(|m| *m > at && *m < at.saturating_add(length))
    }

    /// Whether nothing but padding stands between the end of an entry's data and the next record: among few records the only sign
    /// that none was skipped.
    fn rest_is_padding(&self, at: usize, length: usize) -> bool {
        let record = self.sample.get(at..at.saturating_add(length)).unwrap_or(&[]);
        let stated = number::zoned(self.heading.entry_length.of(record)).and_then(|n| usize::try_from(n).ok());
        let there = data_length(self.heading, record).map(|n| self.heading.length + n).or(stated).unwrap_or(0);
        record.get(there..).is_none_or(|rest| rest.iter().all(|b| *b == 0x40 || *b == 0))
    }

    /// Whether a length that was given goes with what is there.
    fn check(&self, given: usize) -> Result<(), Unknown> {
        let heading = self.name();
        let found = self.length().ok();
        let (pairs, best) = (self.pairs(given).count(), found.map_or(1, |n| self.pairs(n).count()));
        match found {
            Some(n) if n == given => return Ok(()),
            // Every second or third record would be read and the others lost.
            Some(n) if n < given && given.is_multiple_of(n) => {
                return Err(Unknown::Multiple { heading, given, fits: n });
            }
            _ => {}
        }
        // What the last records are cannot be seen where the sample ends.
        let seen =
            self.at.iter().any(|at| at.saturating_add(given).saturating_add(self.heading.length) <= self.sample.len());
        let between = self.at.iter().filter(|at| self.within(**at, given).is_some()).count();
        let apart = between * 2 < self.at.len().max(2);
        if apart && (!seen || pairs * 2 > best) {
            return Ok(());
        }
        let hint = found.map_or(String::new(), |n| format!("; {n} would fit"));
        let early = self.at.iter().find_map(|at| self.within(*at, given));
        let expected = self.first().saturating_add(given);
        let (offset, within) = early.filter(|e| *e < expected || pairs > 0).map_or((expected, false), |e| (e, true));
        Err(Unknown::WrongLength { heading, offset, given, within, hint })
    }
}

/// Bytes of entry data that a record holds, where its heading says so.
fn data_length(h: &Heading, record: &[u8]) -> Option<usize> {
    let n = number::binary(h.entry_data_length?.of(record))?;
    usize::try_from(n & 0xFFFF).ok()
}
