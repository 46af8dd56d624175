//! Hundreds of random histories of a journal that rolls, begins again, loses receivers and lies about its list.
use std::collections::{BTreeMap, BTreeSet};

use super::journal::{Got, Journal, System, look, sql, tail};
use crate::source::live::{
    journal_tail::JournalTail,
    news::{From, TailPlace},
    query::{Answer, QueryError},
    request::Request,
};

/// How many: thousands with QAUDJRN_LONG=1, fewer under emulation.
fn histories() -> u64 {
    let usual = if cfg!(target_endian = "big") { 30 } else { 300 };
    if std::env::var("QAUDJRN_LONG").is_ok() { 10 * usual } else { usual }
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn upto(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn n3_in_random_histories_every_entry_comes_once_in_order_and_nothing_is_called_missing() {
    for seed in 0..histories() {
        let mut dice = Dice(seed);
        let mut journal = Journal::new();
        let mut reader = tail(From::Oldest, None, 1 + dice.upto(40));
        let (mut got, mut want) = (Got::default(), Vec::new());
        for _ in 0..60 {
            match dice.upto(12) {
                0..=4 => {
                    let count = 1 + dice.upto(30);
                    journal.append(count, dice.upto(3) == 0);
                }
                5 | 6 => {
                    // Just after a roll the list may lack the newest receiver, or have an old last number, for a look or two.
                    let mut before = journal.list();
                    let first = if dice.upto(3) == 0 { 1 } else { journal.next_number() };
                    if dice.upto(2) == 0 {
                        let newest = before.last_mut().unwrap();
                        newest.last = newest.last.saturating_sub(dice.upto(4)).max(newest.first.saturating_sub(1));
                    }
                    journal.roll(first);
                    if dice.upto(2) == 0 {
                        // The newest is there, and the one before has its old number.
                        before.push(journal.list().pop().unwrap());
                    }
                    for _ in 0..dice.upto(2) {
                        journal.stale.push_back(before.clone());
                    }
                }
                7 => journal.fails.push_back(QueryError::Lost("the server has closed".into())),
                8 => journal.fails.push_back(sql("[CPF7062] nothing")),
                9 => {
                    // Another connection, or another agent, goes on from the place.
                    let place = reader.place().cloned();
                    reader = tail(From::Oldest, place, 1 + dice.upto(40));
                }
                _ => {}
            }
            let _ = look(&mut reader, &mut journal, &mut got);
        }
        read_to_the_end(&mut reader, &mut journal, &mut got);
        for (r, numbers) in &journal.receivers {
            want.extend(numbers.iter().map(|n| (r.name.clone(), *n)));
        }
        assert_eq!(got.gaps, Vec::<String>::new(), "seed {seed}");
        assert_eq!(got.ids.len(), want.len(), "seed {seed}");
        assert_eq!(got.ids, want, "seed {seed}");
    }
}

#[test]
fn n3_receivers_that_are_deleted_unread_are_one_gap_each_time_and_reading_never_goes_back() {
    for seed in 0..histories() / 3 {
        let mut dice = Dice(seed);
        let mut journal = Journal::new();
        let mut reader = tail(From::Oldest, None, 50);
        let mut got = Got::default();
        journal.append(20, false);
        for _ in 0..5 {
            look(&mut reader, &mut journal, &mut got).unwrap();
        }
        assert_eq!(got.ids.len(), 20);
        // Some more that nobody reads, and all but the newest are deleted, or only those between.
        journal.append(dice.upto(2) * 5, false);
        let unread = journal.receivers[0].1.len() > 20;
        for _ in 0..=dice.upto(3) {
            let first = journal.next_number();
            journal.roll(first);
            journal.append(1 + dice.upto(9), false);
        }
        let first = journal.next_number();
        journal.roll(first);
        journal.append(5, false);
        let newest = journal.receivers.len() - 1;
        let keep_first = dice.upto(2) == 0;
        journal.receivers = journal
            .receivers
            .drain(..)
            .enumerate()
            .filter(|(i, _)| *i == newest || keep_first && *i == 0)
            .map(|(_, r)| r)
            .collect();
        for _ in 0..60 {
            let _ = look(&mut reader, &mut journal, &mut got);
        }
        assert_eq!(got.gaps.len(), 1, "seed {seed}: {:?}", got.gaps);
        let of_first = if keep_first && unread { 25 } else { 20 };
        assert_eq!(got.ids.len(), of_first + 5, "seed {seed}");
        assert!(got.ids.windows(2).all(|w| w[0] < w[1]), "seed {seed}");
    }
}

/// A journal to which something may happen before each of its answers, also within a look.
struct Lively {
    journal: Journal,
    dice: Dice,
    /// Every entry that was ever written, by its place in the order of them.
    written: BTreeMap<(String, u64), usize>,
    /// Receivers that were deleted.
    deleted: BTreeSet<String>,
    /// Deletions of what is not read, or of the receiver that is being read.
    deleted_ahead: usize,
    /// The receiver that is being read.
    reading: String,
}

impl Lively {
    fn append(&mut self) {
        let count = 1 + self.dice.upto(30);
        let hidden = self.dice.upto(3) == 0;
        self.journal.append(count, hidden);
        let (r, numbers) = self.journal.receivers.last().unwrap();
        for n in numbers {
            let next = self.written.len();
            self.written.entry((r.name.clone(), *n)).or_insert(next);
        }
    }

    /// The list may be old for a look or two: without the newest receiver, or with an old last number of the one before.
    fn roll(&mut self) {
        let mut before = self.journal.list();
        let first = if self.dice.upto(3) == 0 { 1 } else { self.journal.next_number() };
        if self.dice.upto(2) == 0 {
            let newest = before.last_mut().unwrap();
            newest.last = newest.last.saturating_sub(self.dice.upto(4)).max(newest.first.saturating_sub(1));
        }
        self.journal.roll(first);
        if self.dice.upto(2) == 0 {
            before.extend(self.journal.list().pop());
        }
        for _ in 0..self.dice.upto(2) {
            self.journal.stale.push_back(before.clone());
        }
    }

    /// Any receiver but the attached one, read or not.
    fn delete(&mut self) {
        let detached = self.journal.receivers.len() - 1;
        if detached == 0 {
            return;
        }
        let (r, _) = self.journal.receivers.remove(usize::try_from(self.dice.upto(detached as u64)).unwrap());
        // Names go up.
        if r.name >= self.reading {
            self.deleted_ahead += 1;
        }
        self.deleted.insert(r.name);
    }

    fn happen(&mut self) {
        match self.dice.upto(40) {
            0..=9 => self.append(),
            10 | 11 => self.roll(),
            12 => self.delete(),
            13 => self.journal.fails.push_back(QueryError::Lost("the server has closed".into())),
            14 => self.journal.most_rows = usize::try_from(1 + self.dice.upto(40)).unwrap(),
            _ => {}
        }
    }
}

impl System for Lively {
    fn answer(&mut self, request: &Request) -> Answer {
        self.happen();
        // An answer that is read in parts was found when it began.
        self.journal.answer(request)
    }
}

fn receiver_of(place: Option<&TailPlace>) -> String {
    place.map(|p| p.at.receiver.clone()).unwrap_or_default()
}

/// Reads until nothing happens any more and everything that is there was read.
fn read_to_the_end(reader: &mut JournalTail, journal: &mut Journal, got: &mut Got) {
    for _ in 0..4_000 {
        let at_end = reader.place().is_some_and(|p| {
            let (newest, numbers) = journal.receivers.last().unwrap();
            newest.holds(&p.at) && numbers.last().is_none_or(|last| p.at.sequence >= *last)
        });
        if at_end && journal.fails.is_empty() {
            return;
        }
        let _ = look(reader, journal, got);
    }
    panic!("it never comes to the end: {:?}", reader.place());
}

#[test]
fn n3_whatever_happens_also_within_a_look_what_is_there_comes_once_in_order_and_what_is_lost_is_a_gap() {
    let mut with_gaps = 0_u64;
    for seed in 0..histories() {
        let mut world = Lively {
            journal: Journal::new(),
            dice: Dice(seed),
            written: BTreeMap::new(),
            deleted: BTreeSet::new(),
            deleted_ahead: 0,
            reading: String::new(),
        };
        let page = 1 + world.dice.upto(60);
        let (mut reader, mut got) = (tail(From::Oldest, None, page), Got::default());
        for _ in 0..150 {
            world.reading = receiver_of(reader.place());
            let _ = look(&mut reader, &mut world, &mut got);
            if world.dice.upto(20) == 0 {
                // Another connection, or another agent, goes on from the place.
                reader = tail(From::Oldest, reader.place().cloned(), 1 + world.dice.upto(60));
            }
        }
        read_to_the_end(&mut reader, &mut world.journal, &mut got);
        // Once, in order, never back, and nothing that was never written.
        let order: Vec<usize> = got.ids.iter().map(|id| world.written[id]).collect();
        assert!(order.windows(2).all(|w| w[0] < w[1]), "seed {seed}: {:?}", got.ids);
        let came: BTreeSet<&(String, u64)> = got.ids.iter().collect();
        let lost: Vec<&(String, u64)> = world.written.keys().filter(|id| !came.contains(id)).collect();
        assert!(lost.iter().all(|(r, _)| world.deleted.contains(r)), "seed {seed}: {lost:?}");
        // What was deleted before it began is not missed.
        let begun = got.ids.first().map(|id| world.written[id]).unwrap_or(usize::MAX);
        let missed = lost.iter().filter(|id| world.written[**id] > begun).count();
        assert!(missed == 0 || !got.gaps.is_empty(), "seed {seed}: {lost:?}");
        assert!(got.gaps.len() <= world.deleted_ahead, "seed {seed}: {:?}", got.gaps);
        with_gaps += u64::from(!got.gaps.is_empty());
    }
    assert!(with_gaps > histories() / 30, "{with_gaps}: the histories lose too little");
}
