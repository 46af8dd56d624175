//! What one configuration would send of the captures: events and bytes by type, rule and user, second by second.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    cli::page::timeline::Timeline,
    filter::{RuleId, names::Key},
};

/// Events and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Events.
    pub events: u64,
    /// Bytes of their lines, header included, framing not.
    pub bytes: u64,
}

impl Volume {
    /// One more event.
    pub fn add(&mut self, bytes: u64) {
        self.events += 1;
        self.bytes += bytes;
    }
}

/// What one side sends and drops.
#[derive(Debug, Default)]
pub struct Side {
    /// Sent.
    pub sent: Volume,
    /// Dropped; the bytes are those of the lines that are not sent.
    pub dropped: Volume,
    /// Sent, by event type.
    pub types: BTreeMap<usize, Volume>,
    /// Sent, by effective user.
    pub effective_users: HashMap<Option<Key>, Volume>,
    /// Sent, by job user.
    pub job_users: HashMap<Option<Key>, Volume>,
    /// Dropped, by rule.
    pub rules: BTreeMap<RuleId, Volume>,
    /// Sent although a rule would have dropped it: changes to auditing.
    pub kept_audit_changes: u64,
    /// Sent in each second (UTC) that has any.
    pub seconds: HashMap<i64, u32>,
    /// Bytes sent on each day of the system's own time (days since 1970-01-01).
    pub days: BTreeMap<i64, u64>,
    /// Sent over time, by event type.
    pub timeline: Timeline,
}

/// The clock hours (UTC) in which entries were written. Rates are over these hours alone: neither the time between two
/// captures nor that before an entry of a wrong clock thins them out.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    /// First and last second with an entry.
    pub edges: Option<(i64, i64)>,
    hours: BTreeSet<i64>,
}

impl Hours {
    /// An entry, sent or not.
    pub fn add(&mut self, second: i64) {
        let (first, last) = self.edges.unwrap_or((second, second));
        self.edges = Some((first.min(second), last.max(second)));
        self.hours.insert(second.div_euclid(3_600));
    }

    /// Seconds from the first to the last entry, the last one included.
    pub fn span(&self) -> i64 {
        self.edges.map_or(0, |(first, last)| last - first + 1)
    }

    /// Seconds of the hours with entries, from the first to the last entry.
    pub fn active(&self) -> i64 {
        let Some((first, last)) = self.edges else { return 0 };
        self.hours.iter().map(|h| last.min(h * 3_600 + 3_599) - first.max(h * 3_600) + 1).sum()
    }

    /// Hours with entries, and clock hours from the first to the last.
    pub fn counts(&self) -> (u64, u64) {
        let all = self.edges.map_or(0, |(first, last)| last.div_euclid(3_600) - first.div_euclid(3_600) + 1);
        (self.hours.len() as u64, all.unsigned_abs())
    }
}

/// Events per second over a span, seconds without events included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Median.
    pub p50: u32,
    /// 95 of 100 seconds have no more.
    pub p95: u32,
    /// 99 of 100 seconds have no more.
    pub p99: u32,
    /// The busiest second.
    pub max: u32,
    /// Mean.
    pub mean: f64,
}

/// The rates of a side over so many seconds.
pub fn rates(side: &Side, span: i64) -> Rates {
    let mut counts: Vec<u32> = side.seconds.values().copied().collect();
    counts.sort_unstable();
    let total = usize::try_from(span.max(1)).unwrap_or(usize::MAX).max(counts.len());
    let quiet = total - counts.len();
    // The nearest-rank percentile: the smallest count that at least this share of the seconds does not exceed.
    let at = |percent: usize| {
        let rank = (total as u128 * percent as u128).div_ceil(100).max(1) as usize;
        rank.checked_sub(quiet + 1).and_then(|i| counts.get(i)).copied().unwrap_or(0)
    };
    let sum: u64 = counts.iter().map(|n| u64::from(*n)).sum();
    Rates {
        p50: at(50),
        p95: at(95),
        p99: at(99),
        max: counts.last().copied().unwrap_or(0),
        mean: sum as f64 / total as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_count_the_seconds_without_events() {
        let mut side = Side::default();
        for (second, n) in [(10, 5), (11, 1), (20, 100)] {
            side.seconds.insert(second, n);
        }
        let r = rates(&side, 100);
        assert_eq!((r.p50, r.p95, r.p99, r.max), (0, 0, 5, 100));
        assert!((r.mean - 1.06).abs() < 1e-9);
        let r = rates(&side, 3);
        assert_eq!((r.p50, r.p95, r.p99, r.max), (5, 100, 100, 100));
        assert_eq!(rates(&Side::default(), 0), Rates::default());
    }

    #[test]
    fn hours_without_entries_do_not_count() {
        let mut h = Hours::default();
        assert_eq!((h.span(), h.active(), h.counts()), (0, 0, (0, 0)));
        h.add(7_300);
        assert_eq!((h.span(), h.active(), h.counts()), (1, 1, (1, 1)));
        h.add(7_100);
        assert_eq!((h.span(), h.active(), h.counts()), (201, 201, (2, 2)), "over the hour without a gap");
        h.add(90_000 + 99);
        assert_eq!((h.active(), h.counts()), (100 + 3_600 + 100, (3, 25)));
        h.add(-1);
        assert_eq!(h.active(), 1 + 3_600 + 3_600 + 100);
    }
}
