//! How a running agent is, at a moment.
use std::sync::atomic::{AtomicU64, Ordering};

use super::snapshot::{Output, Rule, Snapshot, Source, Spool};
use crate::{
    agent::{
        Shared,
        link::State,
        stats::{OutputStats, SourceStats},
    },
    clock,
};

/// Rules that are named with what they dropped, those that dropped most first.
const RULES: usize = 5;

impl Snapshot {
    /// Of a running agent.
    pub fn of(shared: &Shared) -> Snapshot {
        let sources = shared.source_stats();
        let outputs = shared.output_stats();
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: shared.configuration(),
            uptime_seconds: shared.began.elapsed().as_secs(),
            wrong: Vec::new(),
            sources: sources.iter().map(|(name, stats)| source(name, stats)).collect(),
            outputs: outputs.iter().map(|(name, stats)| output(name, stats, shared)).collect(),
            spool: Spool { bytes: shared.spool.size(), max_bytes: shared.spool.max_size() },
            damaged_batches: shared.spool.damaged(),
        };
        snapshot.wrong = snapshot.judge();
        snapshot
    }
}

/// Seconds since a time, in UTC microseconds.
fn age(since: i64) -> u64 {
    u64::try_from((clock::now().timestamp_micros() - since) / 1_000_000).unwrap_or(0)
}

fn load(n: &AtomicU64) -> u64 {
    n.load(Ordering::Relaxed)
}

fn source(name: &str, stats: &SourceStats) -> Source {
    let status = stats.status();
    let mut rules: Vec<Rule> =
        status.filtered.iter().map(|(rule, n)| Rule { rule: rule.clone(), dropped: *n }).collect();
    rules.sort_by_key(|r| std::cmp::Reverse(r.dropped));
    rules.truncate(RULES);
    Source {
        name: name.to_owned(),
        state: status.in_words(),
        down_seconds: status.down.map(|since| since.elapsed().as_secs()),
        failed: stats.failed.load(Ordering::Relaxed),
        receiver: match (status.last.library.as_str(), status.last.receiver.as_str()) {
            ("", receiver) => receiver.to_owned(),
            (library, receiver) => format!("{library}/{receiver}"),
        },
        system: status.system,
        sequence: status.last.sequence,
        last_entry: status.last_entry,
        last_entry_age_seconds: status.last_entry.map(age),
        read: load(&stats.read),
        filtered: load(&stats.filtered),
        parked: load(&stats.parked),
        refused: load(&stats.refused),
        spooled: load(&stats.spooled),
        gaps: load(&stats.gaps),
        missing: load(&stats.missing),
        rules,
    }
}

fn output(name: &str, stats: &OutputStats, shared: &Shared) -> Output {
    let mut link = stats.link.look();
    if let Some(since) = shared.paused(name) {
        (link.state, link.since, link.next_try) = (State::Paused, since.elapsed(), None);
    }
    let waiting = shared.spool.waiting(name);
    let oldest = waiting.values().filter_map(|w| w.since).min();
    Output {
        name: name.to_owned(),
        state: link.state,
        since_seconds: link.since.as_secs(),
        address: link.address,
        rate: link.rate,
        sent: load(&stats.sent),
        filtered: load(&stats.filtered),
        resent: load(&stats.resent),
        refused: load(&stats.refused),
        unreadable: load(&stats.unreadable),
        notices: load(&stats.notices),
        in_window: link.in_window,
        waiting: waiting.values().map(|w| w.events).sum(),
        oldest_seconds: oldest.map(age),
        next_try_seconds: link.next_try.map(|wait| wait.as_secs()),
        last_error: link.last_error,
        answered: stats.answered.load(Ordering::Relaxed),
    }
}
