//! Heartbeats: what an output says of the agent while nothing else happens, so that a SIEM can alarm on silence. One for each
//! source, under the name of its system.
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Orders, output_task::Counters};
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
    pub fn notices(&mut self, output: &OutputConfig, orders: &Orders, counters: &Counters) -> Vec<Notice> {
        let shared = &orders.shared;
        let now = clock::now().timestamp_micros();
        let waiting = shared.spool.waiting(&output.name);
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let lost = load(&counters.refused);
        let loses = std::mem::replace(&mut self.lost, lost) < lost;
        let notice = |(name, report): &super::NamedReport| {
            let details = report.details();
            let zone = details.zone.unwrap_or(chrono_tz::UTC);
            let waits = waiting.get(name.as_str()).copied().unwrap_or_default();
            let waited = waits.since.map_or(0, |since| (now - since).max(0) / 1_000_000);
            // What is not read is late too, though nobody can say how much of it there is.
            let down = details.down.map(|since| i64::try_from(since.elapsed().as_secs()).unwrap_or(i64::MAX));
            let lag = waited.max(down.unwrap_or(0));
            let kind = if down.is_some() || loses { HEARTBEAT_DOWN } else { HEARTBEAT };
            let mut rules: Vec<(&String, &u64)> = details.filtered.iter().collect();
            rules.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            let rules: Vec<String> = rules.iter().take(RULES).map(|(rule, n)| format!("{rule}: {n}")).collect();
            let gaps = load(&report.gaps);
            Notice::new(kind, &details.system, now, zone)
                .with("source", name)
                .with("state", &details.state)
                .with("last_receiver", &details.last.receiver)
                .with(
                    "last_sequence",
                    if details.last.sequence == 0 { String::new() } else { details.last.sequence.to_string() },
                )
                .with("lag_entries", waits.events)
                .with("lag_seconds", lag)
                .with("gaps", gaps)
                .with("last_gap", &details.gap)
                .with("missing_entries", load(&report.missing))
                .with("read", load(&report.read))
                .with("filtered", load(&report.filtered))
                .with("filtered_by", rules.join(", "))
                .with("parked", load(&report.parked))
                .with("refused", load(&report.refused))
                .with("output", &output.name)
                .with("output_sent", load(&counters.sent))
                .with("output_refused", lost)
                .with("output_filtered", load(&counters.filtered))
                .with("output_resent", load(&counters.resent))
                .with("output_answered", if counters.answered.load(Ordering::Relaxed) { "1" } else { "" })
                .with(
                    "output_unreadable",
                    Some(load(&counters.unreadable)).filter(|n| *n > 0).map_or(String::new(), |n| n.to_string()),
                )
                .with("agent_version", env!("CARGO_PKG_VERSION"))
                .with("configuration", shared.configuration())
                .with("uptime_seconds", shared.began.elapsed().as_secs())
        };
        shared.reports().iter().map(notice).collect()
    }
}
