//! What sources and outputs do a second, from one look to the next.
use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use crate::agent::control::snapshot::Snapshot;

/// Looks that are remembered.
const LOOKS: usize = 120;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Rates {
    before: Option<Instant>,
    counts: BTreeMap<(Kind, String), u64>,
    rates: BTreeMap<(Kind, String), VecDeque<u64>>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Entries that a source read.
    Read,
    /// Events that an output delivered.
    Done,
}

impl Rates {
    /// Another look.
    pub fn take(&mut self, snapshot: &Snapshot, now: Instant) {
        let read = snapshot.sources.iter().map(|s| ((Kind::Read, s.name.clone()), s.read));
        let done = snapshot.outputs.iter().map(|o| ((Kind::Done, o.name.clone()), o.sent + o.notices));
        let counts: BTreeMap<_, _> = read.chain(done).collect();
        if let Some(before) = self.before {
            let seconds = now.saturating_duration_since(before).as_secs_f64().max(0.001);
            for (key, count) in &counts {
                // A count that is less than before is that of an agent that began anew.
                let Some(before) = self.counts.get(key).filter(|before| *before <= count) else { continue };
                let rates = self.rates.entry(key.clone()).or_default();
                rates.push_back(((count - before) as f64 / seconds).round() as u64);
                while rates.len() > LOOKS {
                    rates.pop_front();
                }
            }
        }
        self.rates.retain(|key, _| counts.contains_key(key));
        (self.before, self.counts) = (Some(now), counts);
    }

    /// The last rate; `None` before the second look.
    pub fn last(&self, kind: Kind, name: &str) -> Option<u64> {
        self.rates.get(&(kind, name.to_owned()))?.back().copied()
    }

    /// The sum of all of a kind at each look, the newest last.
    pub fn sums(&self, kind: Kind) -> Vec<u64> {
        let mut sums = VecDeque::new();
        for rates in self.rates.iter().filter(|((k, _), _)| *k == kind).map(|(_, rates)| rates) {
            while sums.len() < rates.len() {
                sums.push_front(0);
            }
            // They end with the same look.
            sums.iter_mut().rev().zip(rates.iter().rev()).for_each(|(sum, rate)| *sum += rate);
        }
        sums.into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::control::snapshot::{Output, Source};

    fn snapshot(read: u64, outputs: &[(&str, u64)]) -> Snapshot {
        let outputs =
            outputs.iter().map(|(name, sent)| Output { name: (*name).to_owned(), sent: *sent, ..Output::default() });
        let source = Source { name: "s".to_owned(), read, ..Source::default() };
        Snapshot { sources: vec![source], outputs: outputs.collect(), ..Snapshot::default() }
    }

    #[test]
    fn a_rate_is_what_was_done_between_two_looks() {
        let mut rates = Rates::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        rates.take(&snapshot(100, &[("a", 10)]), now);
        assert_eq!((rates.last(Kind::Read, "s"), rates.sums(Kind::Done)), (None, vec![]));
        rates.take(&snapshot(300, &[("a", 30)]), at(2));
        rates.take(&snapshot(300, &[("a", 130), ("b", 0)]), at(3));
        rates.take(&snapshot(300, &[("a", 131), ("b", 7)]), at(4));
        assert_eq!((rates.last(Kind::Read, "s"), rates.last(Kind::Done, "b")), (Some(0), Some(7)));
        assert_eq!(rates.sums(Kind::Done), [10, 100, 8]);
        // An agent that began anew has no rate until the next look.
        rates.take(&snapshot(5, &[("a", 1)]), at(5));
        assert_eq!(rates.sums(Kind::Done), [10, 100, 1]);
        for n in 6..400 {
            rates.take(&snapshot(n, &[("a", n)]), at(n));
        }
        assert_eq!(rates.sums(Kind::Done).len(), LOOKS);
    }
}
