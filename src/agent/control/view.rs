//! How a running agent is, at a moment.
use std::sync::atomic::{AtomicBool, Ordering};

use super::snapshot::{Output, Rule, Snapshot, Source, Spool};
use crate::{
    agent::{
        Shared,
        link::State,
        stats::{OutputStats, SourceStats},
        totals::{OutputTotals, SourceTotals, Totals},
    },
    clock,
};

/// Rules that are named with what they dropped, those that dropped most first.
const RULES: usize = 5;

impl Snapshot {
    /// Of a running agent. All counts are of one moment.
    pub fn of(shared: &Shared) -> Snapshot {
        Snapshot::with(shared, &shared.totals())
    }

    /// The same with the sums of a moment.
    pub fn with(shared: &Shared, totals: &Totals) -> Snapshot {
        let source = |(name, stats): (String, _)| {
            let (_, counts) = totals.sources.iter().find(|(n, _)| *n == name)?;
            Some(source(name, stats, counts))
        };
        let output = |(name, stats): (String, _)| {
            let (_, counts) = totals.outputs.iter().find(|(n, _)| *n == name)?;
            Some(output(name, stats, counts, shared))
        };
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: shared.configuration(),
            uptime_seconds: shared.began.elapsed().as_secs(),
            wrong: Vec::new(),
            sources: shared.source_stats().iter().map(|(n, s)| (n.clone(), &**s)).filter_map(source).collect(),
            outputs: shared.output_stats().iter().map(|(n, s)| (n.clone(), &**s)).filter_map(output).collect(),
            spool: Spool {
                bytes: shared.spool.size(),
                max_bytes: shared.spool.max_size(),
                stuck: is(&shared.is_stuck),
            },
            damaged_batches: totals.damaged,
            configuration_refused: is(&shared.is_refused),
            failed: totals.failed,
        };
        snapshot.wrong = snapshot.judge();
        snapshot
    }
}

fn is(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

/// Seconds since a time, in UTC microseconds.
fn age(since: i64) -> u64 {
    u64::try_from((clock::now().timestamp_micros() - since) / 1_000_000).unwrap_or(0)
}

fn source(name: String, stats: &SourceStats, counts: &SourceTotals) -> Source {
    let status = stats.status();
    let mut rules: Vec<Rule> =
        counts.filtered_by.iter().map(|(rule, n)| Rule { rule: rule.clone(), dropped: *n }).collect();
    rules.sort_by_key(|r| std::cmp::Reverse(r.dropped));
    rules.truncate(RULES);
    let last_entry = Some(status.entry_at).filter(|at| *at != 0);
    Source {
        name,
        state: status.in_words(),
        down_seconds: status.down.map(|since| since.elapsed().as_secs()),
        failed: is(&stats.failed),
        receiver: match (status.last.library.as_str(), status.last.receiver.as_str()) {
            ("", receiver) => receiver.to_owned(),
            (library, receiver) => format!("{library}/{receiver}"),
        },
        system: status.system,
        sequence: status.last.sequence,
        last_entry,
        last_entry_age_seconds: last_entry.map(age),
        read: counts.read,
        filtered: counts.filtered,
        parked: counts.parked,
        refused: counts.refused,
        spooled: counts.spooled,
        gaps: counts.gaps,
        missing: counts.missing,
        rules,
    }
}

fn output(name: String, stats: &OutputStats, counts: &OutputTotals, shared: &Shared) -> Output {
    let mut link = stats.link.look();
    if let Some(since) = shared.paused(&name) {
        (link.state, link.since, link.next_try) = (State::Paused, since.elapsed(), None);
    }
    Output {
        name,
        state: link.state,
        since_seconds: link.since.as_secs(),
        address: link.address,
        rate: link.rate,
        sent: counts.sent,
        filtered: counts.filtered,
        resent: counts.resent,
        refused: counts.refused,
        unreadable: counts.unreadable,
        notices: counts.notices,
        in_window: link.in_window,
        waiting: counts.waiting,
        oldest_seconds: Some(counts.oldest_seconds).filter(|_| counts.waiting > 0),
        next_try_seconds: link.next_try.map(|wait| wait.as_secs()),
        last_error: link.last_error,
        answered: counts.answered,
    }
}
