//! The chain of journal receivers, followed by the numbers in the entries: is something missing?
//!
//! A place in a journal is system, receiver library, receiver, sequence number. Normal are: numbers that go up by one, a receiver
//! that follows the one before by its name, with numbers that go on or begin again. A gap are: numbers that are missing (unless
//! [`Count::Receivers`] says that holes are no gaps, because a capture holds a selection), numbers that go back within a receiver,
//! or jump farther than a journal grows, a receiver that is older than the one before, receivers that are left out by name. A heading without receivers (*TYPE1 to *TYPE4) shows new ones only by numbers that begin again
//! while time goes on.
use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Systems that are followed at once: a folder may get captures of several.
const SYSTEMS: usize = 64;
/// Receivers that are named when several are missing.
const NAMED: u64 = 10;

/// A number that is so much higher than the one before is none that a journal came to.
pub const JUMP: u64 = 1_000_000_000_000;
/// The last sequence number that a journal gives (RCVSIZOPT(*MAXOPT3)).
pub const LAST: u64 = 18_446_744_073_709_551_600;

/// What counts as a gap beside receivers that are missing and numbers that go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// Every number that is missing.
    #[default]
    Numbers,
    /// Nothing: what is read is a selection, with holes in its numbers.
    Receivers,
}

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last entry before it.
    pub before: JournalPlace,
    /// The first one after it.
    pub after: JournalPlace,
    /// What is missing, in words.
    pub text: String,
    /// It goes back: entries may only have come again.
    pub back: bool,
    /// The sequence numbers that are missing, first and last, where they can be told.
    pub numbers: Option<(u64, u64)>,
}

impl Gap {
    /// Something of which no places are known.
    pub fn of(text: String) -> Gap {
        Gap { before: JournalPlace::default(), after: JournalPlace::default(), text, back: false, numbers: None }
    }

    /// How many sequence numbers are missing, as far as that can be told.
    pub fn count(&self) -> u64 {
        self.numbers.map_or(0, |(first, last)| last.saturating_sub(first).saturating_add(1))
    }
}

/// The last place of each system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverChain {
    systems: BTreeMap<String, JournalPlace>,
    /// When the last entry of a heading without receivers was written, UTC microseconds.
    #[serde(default)]
    time: Option<i64>,
}

impl ReceiverChain {
    /// The next entry of a system. `time` is when it was written, UTC microseconds.
    pub fn see(&mut self, system: &str, after: JournalPlace, time: Option<i64>, count: Count) -> Option<Gap> {
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
        let Found { text, back, numbers } = compare(&before, &after, forward, count)?;
        Some(Gap { before, after, text, back, numbers })
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
    compare(before, after, true, Count::Receivers).map(|found| found.text)
}

/// Whether a number is too high to be true behind another one of the journal; that one may be 0: none.
pub fn is_jump(before: u64, after: u64) -> bool {
    after > LAST || before > 0 && after.saturating_sub(before) > JUMP
}

/// What is missing.
struct Found {
    text: String,
    back: bool,
    numbers: Option<(u64, u64)>,
}

impl Found {
    fn words(text: String, back: bool) -> Option<Found> {
        Some(Found { text, back, numbers: None })
    }

    /// Numbers, first and last, and where.
    fn numbers(first: u64, last: u64, place: &str) -> Option<Found> {
        let text = if first == last {
            format!("entry {first}{place} is missing")
        } else {
            format!("entries {first} to {last}{place} are missing")
        };
        Some(Found { text, back: false, numbers: Some((first, last)) })
    }
}

/// What is missing between two entries; nothing is `None`.
fn compare(before: &JournalPlace, after: &JournalPlace, forward: bool, count: Count) -> Option<Found> {
    let (from, to) = (before.sequence, after.sequence);
    if is_jump(from, to) {
        let text =
            format!("the sequence number jumps from {before} to {after}: no journal grows so far between two entries");
        return Found::words(text, false);
    }
    let is_same = before.receiver == after.receiver && before.library == after.library;
    let begins_again = before.receiver.is_empty() && forward;
    if is_same && to <= from && !begins_again {
        let place =
            if before.receiver.is_empty() { String::new() } else { format!(" in receiver {}", before.receiver) };
        let text = format!(
            "the sequence number goes back from {from} to {to}{place}: entries come again, or others are missing"
        );
        return Found::words(text, true);
    }
    let by_name = if before.receiver == after.receiver { None } else { by_names(before, after) };
    by_name.or_else(|| if count == Count::Numbers { by_numbers(before, after, is_same) } else { None })
}

/// What is missing by the numbers of two entries, the second of which is not the older one.
fn by_numbers(before: &JournalPlace, after: &JournalPlace, is_same: bool) -> Option<Found> {
    let (from, to) = (before.sequence, after.sequence);
    if to > from {
        let place = if is_same && before.receiver.is_empty() {
            String::new()
        } else if is_same {
            format!(" of receiver {}", before.receiver)
        } else {
            format!(" between receivers {} and {}", before.receiver, after.receiver)
        };
        // A new receiver may begin with 1 again.
        let is_next = to - from == 1 || !is_same && to == 1;
        return if is_next { None } else { Found::numbers(from + 1, to - 1, &place) };
    }
    let place = if after.receiver.is_empty() { String::new() } else { format!(" of receiver {}", after.receiver) };
    if to > 1 { Found::numbers(1, to - 1, &format!("{place}, whose numbers begin again,")) } else { None }
}

/// What is missing between two receivers by their names.
fn by_names(before: &JournalPlace, after: &JournalPlace) -> Option<Found> {
    let ((stem, old), (other, new)) = (split(&before.receiver), split(&after.receiver));
    let (Some(old), Some(new)) = (old, new) else { return None };
    if stem != other || old.checked_add(1) == Some(new) || wraps(&before.receiver, new) {
        return None;
    }
    if new <= old {
        let text = format!(
            "receiver {} is older than {}, which was read before: entries come again, or others are missing",
            after.receiver, before.receiver
        );
        return Found::words(text, true);
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
    let (from, to) = (before.sequence, after.sequence);
    Some(Found {
        text: format!("{names} missing between {} and {}", before.receiver, after.receiver),
        back: false,
        // Where the numbers go on, they tell how much was in them.
        numbers: (to > from && to - from > 1).then(|| (from + 1, to - 1)),
    })
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
        let mut chain = ReceiverChain::default();
        assert_eq!(chain.see("PROD01", place(before), Some(1), Count::Receivers), None);
        let gap = chain.see("PROD01", place(after), Some(2), Count::Receivers)?;
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
    fn n3_numbers_that_are_missing_are_a_gap_with_their_range_unless_holes_are_normal() {
        let numbers = |before: &str, after: &str, count| {
            let mut chain = ReceiverChain::default();
            chain.see("PROD01", place(before), Some(1), count);
            chain.see("PROD01", place(after), Some(2), count)
        };
        for (before, after, range, words) in [
            (
                "AUDRCV0042:10",
                "AUDRCV0042:111",
                Some((11, 110)),
                "entries 11 to 110 of receiver AUDRCV0042 are missing",
            ),
            ("AUDRCV0042:10", "AUDRCV0042:12", Some((11, 11)), "entry 11 of receiver AUDRCV0042 is missing"),
            ("AUDRCV0042:10", "AUDRCV0043:13", Some((11, 12)), "between receivers AUDRCV0042 and AUDRCV0043"),
            ("AUDRCV0042:10", "AUDRCV0043:3", Some((1, 2)), "entries 1 to 2 of receiver AUDRCV0043"),
            ("AUDRCV0042:10", "AUDRCV0044:90", Some((11, 89)), "receiver AUDRCV0043 is missing"),
            ("AUDRCV0042:10", "AUDRCV0044:1", None, "receiver AUDRCV0043 is missing"),
            ("AUDRCV0042:10", "AUDRCV0042:10", None, "goes back"),
        ] {
            let gap = numbers(before, after, Count::Numbers).unwrap();
            assert_eq!(gap.numbers, range, "{before} {after}");
            assert!(gap.text.contains(words), "{}", gap.text);
        }
        for (before, after) in
            [("AUDRCV0042:10", "AUDRCV0042:11"), ("AUDRCV0042:10", "AUDRCV0043:11"), ("AUDRCV0042:10", "AUDRCV0043:1")]
        {
            assert_eq!(numbers(before, after, Count::Numbers), None, "{before} {after}");
        }
        assert_eq!(numbers("AUDRCV0042:10", "AUDRCV0042:111", Count::Receivers), None);
    }

    #[test]
    fn h11_a_number_that_no_journal_comes_to_is_a_gap_whatever_counts() {
        for (before, after) in [(10, LAST + 1), (10, 10 + JUMP + 1), (0, LAST + 1)] {
            assert!(is_jump(before, after));
        }
        assert!(!is_jump(0, JUMP * 3) && !is_jump(10, JUMP));
        assert!(said("AUDRCV0042:10", "AUDRCV0042:2000000000000").unwrap().contains("jumps from QGPL/AUDRCV0042:10"));
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
        let mut chain = ReceiverChain::default();
        assert_eq!(chain.see("", at(900), Some(100), Count::Receivers), None);
        assert_eq!(chain.see("", at(1), Some(101), Count::Receivers), None);
        assert!(chain.see("", at(1), Some(99), Count::Receivers).is_some());
    }

    #[test]
    fn n3_systems_have_chains_of_their_own() {
        let mut chain = ReceiverChain::default();
        assert_eq!(chain.see("PROD01", place("AUDRCV0042:10"), None, Count::Receivers), None);
        assert_eq!(chain.see("PROD02", place("AUDRCV0007:3"), None, Count::Receivers), None);
        assert_eq!(chain.see("PROD01", place("AUDRCV0042:11"), None, Count::Receivers), None);
        assert!(chain.see("PROD02", place("AUDRCV0007:2"), None, Count::Receivers).is_some());
        for n in 0..1_000 {
            chain.see(&format!("S{n}"), place("A1:1"), None, Count::Receivers);
        }
        assert!(chain.systems.len() <= SYSTEMS);
    }
}
