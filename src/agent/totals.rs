//! What an agent did and how it is, in numbers, at one moment: for the closing sums, the metrics and the log.
//!
//! All of it is taken together: nobody counts and no batch is stored meanwhile. So the sums balance in every snapshot:
//!
//! - of a source: read = filtered + refused + parked + spooled;
//! - of the spool: stored = spooled of every source + notices;
//! - of an output: queued + unqueued = sent + notices + refused + notices_refused + filtered + unreadable + withdrawn + waiting.
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{
    Shared,
    control::{snapshot::Snapshot, words},
    link::State,
    log,
    stats::{OutputStats, SourceStats},
    supervisor::Supervisor,
};
use crate::{
    clock,
    spool::{Books, Queue, SourceBook},
};

/// What an agent did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By source.
    pub sources: Vec<(String, SourceTotals)>,
    /// By output.
    pub outputs: Vec<(String, OutputTotals)>,
    /// Outputs that nobody starts, of which only the cursors are left: what waits for them is kept.
    pub orphans: Vec<(String, OutputTotals)>,
    /// Something ended that should not have.
    pub failed: bool,
    /// Batches of the spool that were found damaged or missing.
    pub damaged: u64,
    /// Events stored, notices among them.
    pub stored: u64,
    /// Notices of the agent among them.
    pub notices: u64,
}

/// What a source did, and how it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    /// Records read.
    pub read: u64,
    /// Entries dropped by rules.
    pub filtered: u64,
    /// The same by rule.
    pub filtered_by: BTreeMap<String, u64>,
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
    /// It does nothing more until the configuration is read again.
    pub halted: bool,
    /// It has read all there was.
    pub ended: bool,
    /// What it is doing, in words.
    pub state: String,
    /// When its last batch was made, UTC seconds; 0 for none.
    pub stored_at: u64,
    /// When the last entry that was stored was made on its system, UTC seconds; 0 for none.
    pub entry_at: u64,
    /// The configuration in force has it.
    pub is_current: bool,
}

/// What an output did, and how it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputTotals {
    /// Events that waited for it when the agent began with it.
    pub found: u64,
    /// Events put before it: those, and all that were stored since.
    pub queued: u64,
    /// Events that need no delivery after all.
    pub withdrawn: u64,
    /// Entries delivered.
    pub sent: u64,
    /// Entries whose datagrams are known to be lost.
    pub refused: u64,
    /// The agent's own events that were delivered.
    pub notices: u64,
    /// Those that are known to be lost.
    pub notices_refused: u64,
    /// The agent's own lines, delivered or lost, that were never in the spool.
    pub unqueued: u64,
    /// Entries that were counted as delivered, and were refused: a counter that only grows has them in `sent` still.
    pub recalled: u64,
    /// The same of notices.
    pub notices_recalled: u64,
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
    /// Seconds since the oldest of them was read.
    pub oldest_seconds: u64,
    /// Lines on the connection that are not known to have arrived.
    pub window: u64,
    /// A receiver said something that none of syslog says.
    pub answered: bool,
    /// It has a connection.
    pub up: bool,
    /// Seconds since it had one, where it has none.
    pub down_seconds: u64,
    /// Seconds since its receiver takes nothing, where it does not.
    pub stalled_seconds: u64,
    /// The bytes of the day are spent, and something waits for the next one.
    pub over_budget: bool,
    /// Connections made.
    pub connections: u64,
    /// Connections that ended before their time, or were not made.
    pub failures: u64,
    /// When the last did, UTC seconds; 0 for never.
    pub failed_at: u64,
    /// Why.
    pub error: String,
    /// The configuration in force has it.
    pub is_current: bool,
}

#[cfg(test)]
impl OutputTotals {
    /// What was put before it, and what came of that.
    pub(super) fn sides(&self) -> (u64, u64) {
        let done = self.sent + self.notices + self.refused + self.notices_refused + self.filtered + self.unreadable;
        (self.queued + self.unqueued, done + self.withdrawn + self.waiting)
    }

    /// That of an output by itself.
    pub(super) fn of(stats: &OutputStats, spool: &crate::spool::Spool, name: &str) -> OutputTotals {
        let _settling = stats.settling();
        output(stats, spool.books().outputs.get(name), true)
    }
}

impl Supervisor {
    /// How the agent is, in the log.
    pub(super) fn tell_status(&self) {
        for line in words::lines(&Snapshot::of(&self.shared)) {
            log(format_args!("status: {line}"));
        }
    }
}

impl Shared {
    /// The sums so far, and how everything is.
    pub(super) fn totals(&self) -> Totals {
        let (sources, outputs) = (self.stats.sources(), self.stats.outputs());
        let current = self.source_stats();
        let wanted = self.wanted_outputs();
        // From here on nobody counts: each output first, then the spool, as those do who count.
        let settling: Vec<_> = outputs.iter().map(|(_, stats)| stats.settling()).collect();
        let books = self.spool.books();
        let source = |(name, stats): &(String, Arc<SourceStats>)| {
            let is_current = current.iter().any(|(n, _)| n == name);
            (name.clone(), source(stats, books.sources.get(name), is_current))
        };
        let output = |(name, stats): &(String, Arc<OutputStats>)| {
            (name.clone(), output(stats, books.outputs.get(name), wanted.contains(name)))
        };
        let outputs_now = outputs.iter().map(output).collect();
        let sources_now = sources.iter().map(source).collect();
        drop(settling);
        Totals {
            sources: sources_now,
            outputs: outputs_now,
            orphans: orphans(&books, &outputs),
            failed: self.failed.load(Ordering::Relaxed)
                || current.iter().any(|(_, stats)| stats.failed.load(Ordering::Relaxed)),
            damaged: self.spool.damaged(),
            stored: books.stored,
            notices: books.notices,
        }
    }
}

fn source(stats: &SourceStats, book: Option<&SourceBook>, is_current: bool) -> SourceTotals {
    let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    let book = book.cloned().unwrap_or_default();
    let status = stats.status();
    let down = status.down.map(|since| since.elapsed());
    SourceTotals {
        read: book.read,
        filtered: book.filtered.values().sum(),
        filtered_by: book.filtered,
        refused: book.refused,
        parked: book.parked,
        spooled: book.spooled,
        gaps: stats.gaps.load(Ordering::Relaxed),
        missing: stats.missing.load(Ordering::Relaxed),
        incomplete: is(&stats.incomplete),
        lacks: !status.lacks.is_empty(),
        up: down.is_none(),
        down_seconds: down.map_or(0, |d| d.as_secs()),
        halted: is(&stats.halted),
        ended: is(&stats.ended),
        state: status.in_words(),
        stored_at: seconds(book.stored_at),
        entry_at: seconds(status.entry_at),
        is_current,
    }
}

fn output(stats: &OutputStats, queue: Option<&Queue>, is_current: bool) -> OutputTotals {
    let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let queue = queue.copied().unwrap_or_default();
    let link = stats.link.look();
    let since = |is: bool| if is { link.since.as_secs() } else { 0 };
    let up = !matches!(link.state, State::Connecting | State::Ended);
    OutputTotals {
        found: queue.account.found,
        queued: queue.account.queued,
        withdrawn: queue.account.withdrawn,
        sent: load(&stats.sent),
        refused: load(&stats.refused),
        notices: load(&stats.notices),
        notices_refused: load(&stats.notices_refused),
        unqueued: load(&stats.unqueued),
        recalled: load(&stats.recalled),
        notices_recalled: load(&stats.notices_recalled),
        filtered: load(&stats.filtered),
        unreadable: load(&stats.unreadable),
        resent: load(&stats.resent),
        unconfirmed: load(&stats.unconfirmed),
        waiting: queue.waiting.saturating_sub(load(&stats.lost)),
        oldest_seconds: waited(&queue),
        window: link.in_window,
        answered: stats.answered.load(Ordering::Relaxed),
        up,
        down_seconds: since(!up),
        stalled_seconds: since(link.state == State::Stalled),
        over_budget: link.state == State::OverBudget,
        connections: load(&stats.connections),
        failures: load(&stats.failures),
        failed_at: seconds(link.failed_at),
        error: link.last_error,
        is_current,
    }
}

fn orphans(books: &Books, known: &[(String, Arc<OutputStats>)]) -> Vec<(String, OutputTotals)> {
    let others = books.outputs.iter().filter(|(name, _)| !known.iter().any(|(k, _)| k == *name));
    let waits = |queue: &Queue| OutputTotals {
        waiting: queue.waiting,
        oldest_seconds: waited(queue),
        ..OutputTotals::default()
    };
    others.map(|(name, queue)| (name.clone(), waits(queue))).collect()
}

fn waited(queue: &Queue) -> u64 {
    let now = clock::now().timestamp_micros();
    queue.since.map_or(0, |since| seconds((now - since).max(0)))
}

/// Whole seconds; none before 1970.
fn seconds(micros: i64) -> u64 {
    u64::try_from(micros / 1_000_000).unwrap_or(0)
}
