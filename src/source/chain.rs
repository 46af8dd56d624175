//! The chain of journal receivers, followed by the numbers in the entries: is something missing?
//!
//! A place in a journal is system, receiver library, receiver, sequence number. Normal are: numbers that go up with holes
//! (a capture holds a selection), a receiver that follows the one before by its name, with numbers that go on or begin
//! again. A gap are: numbers that go back within a receiver, a receiver that is older than the one before, receivers
//! that are left out by name. A heading without receivers (*TYPE1 to *TYPE4) shows new ones only by numbers that begin again
//! while time goes on.
use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Systems that are followed at once: a folder may get captures of several.
const SYSTEMS: usize = 64;
/// Receivers that are named when several are missing.
const NAMED: u64 = 10;

/// A place in the journal of a system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPlace {
    /// Library of the receiver.
    #[serde(default)]
    pub library: String,
    /// The receiver; empty where the heading holds none.
    #[serde(default)]
    pub receiver: String,
    /// Sequence number.
    #[serde(default)]
    pub sequence: u64,
}

impl fmt::Display for JournalPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.library.as_str(), self.receiver.as_str()) {
            ("", "") => write!(f, "{}", self.sequence),
            ("", receiver) => write!(f, "{receiver}:{}", self.sequence),
            (library, receiver) => write!(f, "{library}/{receiver}:{}", self.sequence),
        }
    }
}

/// Something is missing, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last entry before it.
    pub before: JournalPlace,
    /// The first one after it.
    pub after: JournalPlace,
    /// What is missing, in words.
    pub text: String,
    /// It goes back: entries may only have come again.
    pub back: bool,
}

/// The last place of each system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    systems: BTreeMap<String, JournalPlace>,
    /// When the last entry of a heading without receivers was written, UTC microseconds.
    #[serde(default)]
    time: Option<i64>,
}

impl Chain {
    /// The next entry of a system. `time` is when it was written, UTC microseconds.
    pub fn see(&mut self, system: &str, after: JournalPlace, time: Option<i64>) -> Option<Gap> {
        let forward = time.zip(self.time).is_none_or(|(now, before)| now >= before);
        self.time = time.or(self.time);
        let before = match self.systems.get_mut(system) {
            Some(place) => std::mem::replace(place, after.clone()),
            None => {
                if self.systems.len() >= SYSTEMS {
                    self.systems.pop_first();
                }
                self.systems.insert(system.to_owned(), after);
                return None;
            }
        };
        let (back, text) = compare(&before, &after, forward)?;
        Some(Gap { before, after, text, back })
    }

    /// What is missing before the next entry of a system is known already, or nothing is.
    pub fn forget(&mut self, system: &str) {
        self.systems.remove(system);
    }

    /// Entries of the receiver that a system is at, up to this one: their numbers went up.
    pub fn advance(&mut self, system: &str, sequence: u64, time: Option<i64>) {
        if let Some(place) = self.systems.get_mut(system) {
            place.sequence = place.sequence.max(sequence);
            self.time = time.or(self.time);
        }
    }
}

/// What is missing between two entries of different receivers, by the names of these; nothing is `None`.
pub fn between(before: &JournalPlace, after: &JournalPlace) -> Option<String> {
    compare(before, after, true).map(|(_, text)| text)
}

/// What is missing between two entries, and whether the second is the older one; nothing is `None`.
fn compare(before: &JournalPlace, after: &JournalPlace, forward: bool) -> Option<(bool, String)> {
    let (from, to) = (before.sequence, after.sequence);
    if before.receiver == after.receiver && before.library == after.library {
        if to > from || before.receiver.is_empty() && forward {
            return None;
        }
        let place =
            if before.receiver.is_empty() { String::new() } else { format!(" in receiver {}", before.receiver) };
        return Some((
            true,
            format!(
                "the sequence number goes back from {from} to {to}{place}: entries come again, or others are missing"
            ),
        ));
    }
    if before.receiver == after.receiver {
        return None;
    }
    let ((stem, old), (other, new)) = (split(&before.receiver), split(&after.receiver));
    let (Some(old), Some(new)) = (old, new) else { return None };
    if stem != other {
        return None;
    }
    if new == old + 1 || wraps(&before.receiver, new) {
        return None;
    }
    if new <= old {
        return Some((
            true,
            format!(
                "receiver {} is older than {}, which was read before: entries come again, or others are missing",
                after.receiver, before.receiver
            ),
        ));
    }
    let width = before.receiver.len() - stem.len();
    let missing = new - old - 1;
    let name = |n: u64| format!("{stem}{n:0width$}");
    let names = match missing {
        1 => format!("receiver {} is", name(old + 1)),
        n if n <= NAMED => {
            let all: Vec<String> = (old + 1..new).map(name).collect();
            format!("receivers {} are", all.join(", "))
        }
        n => format!("{n} receivers, {} to {}, are", name(old + 1), name(new - 1)),
    };
    Some((false, format!("{names} missing between {} and {}", before.receiver, after.receiver)))
}

/// The letters before the digits at the end of a receiver name, and the number in these.
fn split(receiver: &str) -> (&str, Option<u64>) {
    let stem = receiver.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, receiver.get(stem.len()..).and_then(|digits| digits.parse().ok()))
}

/// Whether the digits are used up, so that the next name begins again.
fn wraps(receiver: &str, next: u64) -> bool {
    let (stem, _) = split(receiver);
    next <= 1 && receiver.get(stem.len()..).is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b == b'9'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> JournalPlace {
        let (receiver, sequence) = text.split_once(':').unwrap();
        JournalPlace { library: "QGPL".into(), receiver: receiver.into(), sequence: sequence.parse().unwrap() }
    }

    /// What is said of the second of two places.
    fn said(before: &str, after: &str) -> Option<String> {
        let mut chain = Chain::default();
        assert_eq!(chain.see("PROD01", place(before), Some(1)), None);
        let gap = chain.see("PROD01", place(after), Some(2))?;
        assert_eq!((gap.before, gap.after), (place(before), place(after)));
        Some(gap.text)
    }

    #[test]
    fn n3_holes_new_receivers_and_sequences_that_begin_again_with_them_are_normal() {
        for (before, after) in [
            ("AUDRCV0042:10", "AUDRCV0042:11"),
            ("AUDRCV0042:10", "AUDRCV0042:5000"),
            ("AUDRCV0042:10", "AUDRCV0043:11"),
            ("AUDRCV0042:10", "AUDRCV0043:1"),
            ("AUDRCV0042:10", "AUDRCV0043:3"),
            ("AUDRCV0009:10", "AUDRCV0010:11"),
            ("AUDRCV9999:10", "AUDRCV0000:1"),
            ("AUDRCV9999:10", "AUDRCV0001:1"),
            ("AUDRCV0042:10", "NEWNAME001:1"),
            ("AUDRCV:10", "OTHER:1"),
        ] {
            assert_eq!(said(before, after), None, "{before} {after}");
        }
    }

    #[test]
    fn n3_what_is_missing_is_named() {
        for (before, after, words) in [
            ("AUDRCV0042:10", "AUDRCV0042:9", "goes back from 10 to 9 in receiver AUDRCV0042"),
            ("AUDRCV0042:10", "AUDRCV0042:10", "goes back from 10 to 10"),
            ("AUDRCV0042:10", "AUDRCV0041:11", "AUDRCV0041 is older than AUDRCV0042"),
            ("AUDRCV0042:10", "AUDRCV0044:1", "receiver AUDRCV0043 is missing between AUDRCV0042 and AUDRCV0044"),
            ("AUDRCV0042:10", "AUDRCV0045:99", "receivers AUDRCV0043, AUDRCV0044 are missing"),
            ("AUDRCV0009:10", "AUDRCV0100:1", "90 receivers, AUDRCV0010 to AUDRCV0099, are missing"),
        ] {
            let text = said(before, after).unwrap_or_default();
            assert!(text.contains(words), "{before} {after}: {text:?}");
        }
    }

    #[test]
    fn n3_headings_without_receivers_show_a_new_one_by_numbers_that_begin_again_while_time_goes_on() {
        let at = |sequence| JournalPlace { sequence, ..JournalPlace::default() };
        let mut chain = Chain::default();
        assert_eq!(chain.see("", at(900), Some(100)), None);
        assert_eq!(chain.see("", at(1), Some(101)), None);
        assert!(chain.see("", at(1), Some(99)).is_some());
    }

    #[test]
    fn n3_systems_have_chains_of_their_own() {
        let mut chain = Chain::default();
        assert_eq!(chain.see("PROD01", place("AUDRCV0042:10"), None), None);
        assert_eq!(chain.see("PROD02", place("AUDRCV0007:3"), None), None);
        assert_eq!(chain.see("PROD01", place("AUDRCV0042:11"), None), None);
        assert!(chain.see("PROD02", place("AUDRCV0007:2"), None).is_some());
        for n in 0..1_000 {
            chain.see(&format!("S{n}"), place("A1:1"), None);
        }
        assert!(chain.systems.len() <= SYSTEMS);
    }
}
