//! What an agent did, in numbers: for the closing sums, the metrics and the log.
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    control::{snapshot::Snapshot, words},
    log,
    metrics::{self, Whole},
    stats::{OutputStats, SourceStats},
    supervisor::Supervisor,
};

/// What an agent did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By source.
    pub sources: Vec<(String, SourceTotals)>,
    /// By output.
    pub outputs: Vec<(String, OutputTotals)>,
    /// Something ended that should not have.
    pub failed: bool,
    /// Batches of the spool that were found damaged or missing.
    pub damaged: u64,
}

/// What a source did. read = filtered + refused + parked + spooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    /// Records read.
    pub read: u64,
    /// Entries dropped by rules.
    pub filtered: u64,
    /// Entries refused because the spool was nearly full.
    pub refused: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// Entries spooled.
    pub spooled: u64,
    /// Gaps seen.
    pub gaps: u64,
    /// Sequence numbers known to be missing.
    pub missing: u64,
    /// Something that was read to its end was not whole, or was not understood.
    pub incomplete: bool,
    /// Entries were sent without what their headings do not hold, and nothing gives.
    pub lacks: bool,
    /// Whether it reads, or has read all there was.
    pub up: bool,
    /// Seconds since it last did, where it does not.
    pub down_seconds: u64,
}

/// What an output did. Of entries: spooled = sent + refused + filtered + unreadable + waiting; `resent` and `notices` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputTotals {
    /// Entries delivered.
    pub sent: u64,
    /// Entries whose datagrams are known to be lost.
    pub refused: u64,
    /// The agent's own events that were delivered.
    pub notices: u64,
    /// Events that its filter dropped.
    pub filtered: u64,
    /// Events that are stored and cannot be seen as entries again.
    pub unreadable: u64,
    /// Events that were sent once more.
    pub resent: u64,
    /// Entries that were sent once, on a connection that ended before it was known that they arrived. They wait.
    pub unconfirmed: u64,
    /// Events that wait.
    pub waiting: u64,
    /// A receiver said something that none of syslog says.
    pub answered: bool,
}

impl Supervisor {
    /// How the agent is, in the log.
    pub(super) fn tell_status(&self) {
        for line in words::lines(&Snapshot::of(&self.shared)) {
            log(format_args!("status: {line}"));
        }
    }

    /// The text of `metrics.prom`.
    pub(super) fn metrics_text(&self, totals: &Totals) -> String {
        let spool = &self.shared.spool;
        let whole = Whole {
            configuration: &self.shared.configuration(),
            uptime: self.shared.began.elapsed(),
            spool: spool.size(),
            spool_max: spool.max_size(),
            commits: spool.commits(),
        };
        metrics::text(totals, &whole)
    }

    /// The sums so far.
    pub(super) fn totals(&self) -> Totals {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let source = |(name, r): (String, Arc<SourceStats>)| {
            let down = r.down();
            let totals = SourceTotals {
                read: load(&r.read),
                filtered: load(&r.filtered),
                refused: load(&r.refused),
                parked: load(&r.parked),
                spooled: load(&r.spooled),
                gaps: load(&r.gaps),
                missing: load(&r.missing),
                incomplete: r.incomplete.load(Ordering::Relaxed),
                lacks: !r.status().lacks.is_empty(),
                up: down.is_none(),
                down_seconds: down.map_or(0, |d| d.as_secs()),
            };
            (name, totals)
        };
        let output = |(name, c): (String, Arc<OutputStats>)| {
            let waiting = self.shared.spool.waiting(&name).values().map(|w| w.events).sum();
            let totals = OutputTotals {
                sent: load(&c.sent),
                refused: load(&c.refused),
                notices: load(&c.notices),
                filtered: load(&c.filtered),
                unreadable: load(&c.unreadable),
                resent: load(&c.resent),
                unconfirmed: load(&c.unconfirmed),
                waiting,
                answered: c.answered.load(Ordering::Relaxed),
            };
            (name, totals)
        };
        let source_stats = self.shared.source_stats();
        Totals {
            sources: self.shared.stats.sources().into_iter().map(source).collect(),
            outputs: self.shared.stats.outputs().into_iter().map(output).collect(),
            failed: self.shared.failed.load(Ordering::Relaxed)
                || source_stats.iter().any(|(_, r)| r.failed.load(Ordering::Relaxed)),
            damaged: self.shared.spool.damaged(),
        }
    }
}
