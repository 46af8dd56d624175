//! Sign-on failures: by user, address and kind, and bursts of them.
//!
//! A burst are at least [`LEAST`] failures of one address, or of one user, each at most [`PAUSE`] behind the one before.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

use super::{span::Span, top::Top};
use crate::{event::EntryTime, filter::names::Key};

/// Failures of a burst, at least.
pub const LEAST: u64 = 5;
/// Between two failures of a burst, at most, in seconds.
pub const PAUSE: i64 = 60;
/// Names that are kept.
const KEEP: usize = 5_000;
/// Bursts that are kept.
pub const BURSTS: usize = 200;
/// Other names of a burst that are told apart.
const OTHERS: usize = 100;

/// Who failed, from where, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The user name that was tried.
    pub user: Option<Key>,
    /// The remote address as the entry has it; empty for none.
    pub address: Vec<u8>,
    /// The detail code.
    pub code: Vec<u8>,
}

/// What failures of a burst have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Common {
    /// The address.
    Address(Vec<u8>),
    /// The user.
    User(Key),
}

/// A burst.
#[derive(Clone, Debug)]
pub struct Burst {
    /// Of what.
    pub of: Common,
    /// Failures.
    pub count: u64,
    /// First and last.
    pub span: Span,
    /// Users that were tried, or addresses that were used.
    pub others: usize,
    /// There were more of them than are told apart.
    pub more_others: bool,
}

impl Burst {
    /// The longest first, then the earliest.
    fn order(&self) -> (Reverse<u64>, Option<i64>, Vec<u8>) {
        let name = match &self.of {
            Common::Address(address) => address.clone(),
            Common::User(user) => user.bytes(),
        };
        (Reverse(self.count), self.span.first.map(|t| t.utc_micros), name)
    }
}

/// All that is known of sign-on failures.
pub struct Failures {
    /// How many.
    pub total: u64,
    /// By user, address and kind.
    pub attempts: Top<Attempt, Span>,
    /// By kind.
    pub codes: BTreeMap<Vec<u8>, u64>,
    by_address: Runs<Vec<u8>, Option<Key>>,
    by_user: Runs<Key, Vec<u8>>,
    bursts: Vec<Burst>,
    /// Bursts that were seen, kept or not.
    pub burst_count: u64,
}

impl Failures {
    /// None yet.
    pub fn new() -> Failures {
        Failures {
            total: 0,
            attempts: Top::new(KEEP),
            codes: BTreeMap::new(),
            by_address: Runs::default(),
            by_user: Runs::default(),
            bursts: Vec::new(),
            burst_count: 0,
        }
    }

    /// One more.
    pub fn add(&mut self, attempt: &Attempt, time: Option<EntryTime>) {
        self.total += 1;
        self.attempts.count(attempt, |_| false).see(time);
        match self.codes.get_mut(&attempt.code) {
            Some(n) => *n += 1,
            None => {
                self.codes.insert(attempt.code.clone(), 1);
            }
        }
        let Some(time) = time else { return };
        if !attempt.address.is_empty() {
            let ended = self.by_address.add(&attempt.address, &attempt.user, time);
            ended.into_iter().for_each(|(address, run)| self.keep(Common::Address(address), run));
        }
        if let Some(user) = attempt.user {
            let ended = self.by_user.add(&user, &attempt.address, time);
            ended.into_iter().for_each(|(user, run)| self.keep(Common::User(user), run));
        }
    }

    /// Runs that were under way have ended too.
    pub fn finish(&mut self) {
        let (addresses, users) = (std::mem::take(&mut self.by_address.open), std::mem::take(&mut self.by_user.open));
        addresses.into_iter().for_each(|(address, run)| self.keep(Common::Address(address), run));
        users.into_iter().for_each(|(user, run)| self.keep(Common::User(user), run));
        self.bursts.sort_by_cached_key(Burst::order);
    }

    /// The bursts, the longest first.
    pub fn bursts(&self) -> &[Burst] {
        &self.bursts
    }

    /// Whether runs were forgotten before they could end, so that bursts may be missing.
    pub fn may_miss_bursts(&self) -> bool {
        self.by_address.forgotten + self.by_user.forgotten > 0
    }

    fn keep<O>(&mut self, of: Common, run: Run<O>) {
        if run.count < LEAST {
            return;
        }
        self.burst_count += 1;
        let burst =
            Burst { of, count: run.count, span: run.span, others: run.others.len(), more_others: run.more_others };
        self.bursts.push(burst);
        if self.bursts.len() >= 2 * BURSTS {
            self.bursts.sort_by_cached_key(Burst::order);
            self.bursts.truncate(BURSTS);
        }
    }
}

/// Failures of one name that follow each other, and may go on.
struct Run<O> {
    count: u64,
    span: Span,
    others: HashSet<O>,
    more_others: bool,
}

/// Runs that are under way, by name.
struct Runs<K, O> {
    open: HashMap<K, Run<O>>,
    forgotten: u64,
}

impl<K, O> Default for Runs<K, O> {
    fn default() -> Self {
        Runs { open: HashMap::new(), forgotten: 0 }
    }
}

impl<K: Hash + Eq + Clone, O: Hash + Eq + Clone> Runs<K, O> {
    /// A failure; returns the runs that ended with it.
    fn add(&mut self, key: &K, other: &O, time: EntryTime) -> Vec<(K, Run<O>)> {
        let mut ended = Vec::new();
        if self.open.get(key).is_some_and(|run| run.is_over(time)) {
            ended.extend(self.open.remove_entry(key));
        }
        if self.open.len() >= KEEP && !self.open.contains_key(key) {
            // Those that are over make room; if none is, all do.
            let over: Vec<K> = self.open.iter().filter(|(_, r)| r.is_over(time)).map(|(k, _)| k.clone()).collect();
            ended.extend(over.iter().filter_map(|k| self.open.remove_entry(k)));
            if self.open.len() >= KEEP {
                self.forgotten += self.open.len() as u64;
                ended.extend(self.open.drain());
            }
        }
        let run = self.open.entry(key.clone()).or_insert_with(|| Run {
            count: 0,
            span: Span::default(),
            others: HashSet::new(),
            more_others: false,
        });
        run.count += 1;
        run.span.see(Some(time));
        if run.others.len() < OTHERS {
            run.others.insert(other.clone());
        } else if !run.others.contains(other) {
            run.more_others = true;
        }
        ended
    }
}

impl<O> Run<O> {
    /// Whether a failure at this time is none of it. Entries of two jobs can be a little out of order.
    fn is_over(&self, time: EntryTime) -> bool {
        let pause = PAUSE * 1_000_000;
        let far = |edge: Option<EntryTime>, later: bool| {
            edge.is_some_and(|e| {
                if later { time.utc_micros - e.utc_micros > pause } else { e.utc_micros - time.utc_micros > pause }
            })
        };
        far(self.span.last, true) || far(self.span.first, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Option<EntryTime> {
        Some(EntryTime { utc_micros: second * 1_000_000, local: [b'0'; 26], offset: 0 })
    }

    fn attempt(user: u8, address: u8) -> Attempt {
        Attempt { user: Key::of(&[0xC1, 0xC0 + user % 9 + 1]), address: vec![0xF1, address], code: vec![0xD7] }
    }

    #[test]
    fn a_burst_is_of_an_address_or_of_a_user_and_ends_with_a_pause() {
        let mut f = Failures::new();
        // One address tries many users; later many addresses try one user; four are no burst.
        (0..8).for_each(|n| f.add(&attempt(n as u8, 1), at(n * 10)));
        (0..6).for_each(|n| f.add(&attempt(3, 10 + n as u8), at(1_000 + n * PAUSE)));
        (0..4).for_each(|n| f.add(&attempt(5, 50), at(5_000 + n)));
        f.finish();
        let told: Vec<_> = f.bursts().iter().map(|b| (matches!(b.of, Common::User(_)), b.count, b.others)).collect();
        assert_eq!(told, [(false, 8, 8), (true, 6, 6)]);
        assert_eq!((f.burst_count, f.total, f.codes[&vec![0xD7]]), (2, 18, 18));
        assert!(!f.may_miss_bursts());
    }

    #[test]
    fn many_addresses_at_once_cost_bounded_memory_and_are_told() {
        let mut f = Failures::new();
        for n in 0..30_000u32 {
            let address = n.to_be_bytes().map(|b| b | 0x80).to_vec();
            f.add(&Attempt { address, ..attempt(1, 1) }, at(1));
        }
        assert!(f.by_address.open.len() <= KEEP && f.may_miss_bursts());
        f.finish();
        assert_eq!((f.bursts().len(), f.bursts()[0].count, f.bursts()[0].more_others), (1, 30_000, true));
    }
}
