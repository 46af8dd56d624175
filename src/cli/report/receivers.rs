//! The receivers that entries are of, and which numbers were read of each.
use std::collections::BTreeMap;

use crate::{
    decode::{ebcdic::Charset, journal::Entry},
    encode::{HeadingDefaults, escape::printable},
};

/// Receivers that are kept; more are only counted.
const KEPT: usize = 1_000;

/// What was read of one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The system.
    pub system: String,
    /// Library and name, or the name alone.
    pub name: String,
    /// Entries.
    pub entries: u64,
    /// The lowest and the highest number.
    pub numbers: (u64, u64),
}

/// All of them, in the order in which they came.
pub struct Receivers {
    job: &'static Charset,
    /// System, library and receiver of the last entry as they stand in its heading.
    last: Vec<u8>,
    at: Option<usize>,
    places: BTreeMap<Vec<u8>, usize>,
    /// Those that are kept.
    pub kept: Vec<Receiver>,
    /// Entries of receivers that came when there was no more room.
    pub others: u64,
}

impl Receivers {
    /// None yet.
    pub fn new(job: &'static Charset) -> Receivers {
        Receivers { job, last: Vec::new(), at: None, places: BTreeMap::new(), kept: Vec::new(), others: 0 }
    }

    /// An entry; `given` is what its heading does not hold.
    #[inline]
    pub fn see(&mut self, entry: &Entry<'_>, given: &HeadingDefaults) {
        let h = entry.heading;
        let names = [h.system_name, h.receiver_library, h.receiver_name].map(|span| entry.head(span));
        let [system, library, receiver] = names;
        let (a, b) = (system.len(), system.len() + library.len());
        let is_same = self.at.is_some()
            && self.last.len() == b + receiver.len()
            && self.last.get(..a) == Some(system)
            && self.last.get(a..b) == Some(library)
            && self.last.get(b..) == Some(receiver);
        if !is_same {
            self.change(names, given);
        }
        match self.at.and_then(|at| self.kept.get_mut(at)) {
            Some(r) => {
                r.entries += 1;
                r.numbers = (r.numbers.0.min(entry.sequence), r.numbers.1.max(entry.sequence));
            }
            None => self.others += 1,
        }
    }

    #[cold]
    fn change(&mut self, names: [&[u8]; 3], given: &HeadingDefaults) {
        self.last = names.concat();
        self.at = self.places.get(&self.last).copied();
        if self.at.is_some() || self.kept.len() >= KEPT {
            return;
        }
        let name = |own: &[u8], given: &[u8]| {
            let text = self.job.decode_string(own);
            let text = if text.trim_end().is_empty() { self.job.decode_string(given) } else { text };
            printable(text.trim_end())
        };
        let [system, library, receiver] = names;
        let (library, receiver) = (name(library, &given.receiver_library), name(receiver, &given.receiver));
        self.at = Some(self.kept.len());
        self.places.insert(self.last.clone(), self.kept.len());
        self.kept.push(Receiver {
            system: name(system, &given.system),
            name: if library.is_empty() { receiver } else { format!("{library}/{receiver}") },
            entries: 0,
            numbers: (u64::MAX, 0),
        });
    }
}
