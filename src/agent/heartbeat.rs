//! Heartbeats: what an output says of the agent while nothing else happens, so that a SIEM can alarm on silence. One for each
//! source, under the name of its system.
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{TaskContext, stats::OutputStats};
use crate::{
    clock,
    config::OutputConfig,
    event::{
        Notice,
        notice::{HEARTBEAT, HEARTBEAT_DOWN},
    },
};

/// Rules that are named with what they dropped, those that dropped most first.
const RULES: usize = 20;

/// When an output has to say that the agent lives.
pub struct Heartbeat {
    every: Duration,
    last: Instant,
    /// Entries that were lost when the last one was made.
    lost: u64,
}

impl Heartbeat {
    /// Every so often; zero for never. The first is due when that time has passed.
    pub fn new(every: Duration) -> Heartbeat {
        Heartbeat { every, last: Instant::now(), lost: 0 }
    }

    /// Whether it is time. Then the time begins anew.
    pub fn is_due(&mut self) -> bool {
        let due = !self.every.is_zero() && self.last.elapsed() >= self.every;
        if due {
            self.last = Instant::now();
        }
        due
    }

    /// How long until it is time; `None` for never.
    pub fn due_in(&self) -> Option<Duration> {
        (!self.every.is_zero()).then(|| self.every.saturating_sub(self.last.elapsed()))
    }

    /// What there is to say, a notice for each source.
    pub fn notices(&mut self, output: &OutputConfig, context: &TaskContext, sent: &OutputStats) -> Vec<Notice> {
        let shared = &context.shared;
        let now = clock::now().timestamp_micros();
        let waiting = shared.spool.waiting(&output.name);
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let lost = load(&sent.refused);
        let loses = std::mem::replace(&mut self.lost, lost) < lost;
        let notice = |(name, stats): &super::context::NamedStats| {
            let status = stats.status();
            let zone = status.zone.unwrap_or(chrono_tz::UTC);
            let waits = waiting.get(name.as_str()).copied().unwrap_or_default();
            let waited = waits.since.map_or(0, |since| (now - since).max(0) / 1_000_000);
            // What is not read is late too, though nobody can say how much of it there is.
            let down = status.down.map(|since| i64::try_from(since.elapsed().as_secs()).unwrap_or(i64::MAX));
            let lag = waited.max(down.unwrap_or(0));
            let kind = if down.is_some() || loses { HEARTBEAT_DOWN } else { HEARTBEAT };
            let stored = shared.spool.stored_of(name);
            let filtered: u64 = stored.filtered.values().sum();
            let mut rules: Vec<(&String, &u64)> = stored.filtered.iter().collect();
            rules.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            let rules: Vec<String> = rules.iter().take(RULES).map(|(rule, n)| format!("{rule}: {n}")).collect();
            let gaps = load(&stats.gaps);
            Notice::new(kind, &status.system, now, zone)
                .with("source", name)
                .with("state", status.in_words())
                .with("last_receiver", &status.last.receiver)
                .with(
                    "last_sequence",
                    if status.last.sequence == 0 { String::new() } else { status.last.sequence.to_string() },
                )
                .with("lag_entries", waits.events)
                .with("lag_seconds", lag)
                .with("gaps", gaps)
                .with("last_gap", &status.gap)
                .with("missing_entries", load(&stats.missing))
                .with("read", stored.read)
                .with("filtered", filtered)
                .with("filtered_by", rules.join(", "))
                .with("parked", stored.parked)
                .with("refused", stored.refused)
                .with("output", &output.name)
                .with("output_sent", load(&sent.sent))
                .with("output_refused", lost)
                .with("output_filtered", load(&sent.filtered))
                .with("output_resent", load(&sent.resent))
                .with("output_answered", if sent.answered.load(Ordering::Relaxed) { "1" } else { "" })
                .with(
                    "output_unreadable",
                    Some(load(&sent.unreadable)).filter(|n| *n > 0).map_or(String::new(), |n| n.to_string()),
                )
                .with("agent_version", env!("CARGO_PKG_VERSION"))
                .with("configuration", shared.configuration())
                .with("uptime_seconds", shared.began.elapsed().as_secs())
        };
        shared.source_stats().iter().map(notice).collect()
    }
}
