//! What sources and outputs did: counts and words for heartbeats, metrics and the closing sums.
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use chrono_tz::Tz;

use super::{link::Link, output_core::Sums, tap::Tap};
use crate::source::{Condition, receiver_chain::JournalPlace};

/// How a source is, for reports. What was stored of it is in the [books](crate::spool::Books) of the spool.
#[derive(Debug, Default)]
pub struct SourceStats {
    /// It will read no more.
    pub ended: AtomicBool,
    /// It does nothing more until the configuration is read again.
    pub halted: AtomicBool,
    /// Something that was read to its end was not whole, or was not understood.
    pub incomplete: AtomicBool,
    /// It has ended with an error, or cannot be read at present.
    pub failed: AtomicBool,
    /// Gaps seen; each is an event to every output.
    pub gaps: AtomicU64,
    /// Sequence numbers known to be missing.
    pub missing: AtomicU64,
    /// The rest.
    pub status: Mutex<SourceStatus>,
}

/// What an output did, for reports. While nobody [settles](OutputStats::settling), with what the [books](crate::spool::Books) say of it:
/// queued + unqueued = sent + notices + refused + notices_refused + filtered + unreadable + withdrawn + waiting - lost. Lines of
/// entries handed to connections = sent + refused + resent + unconfirmed, but for those on the way; the rest apart.
#[derive(Debug, Default)]
pub struct OutputStats {
    settling: Mutex<()>,
    /// Entries that left the window: done.
    pub sent: AtomicU64,
    /// Entries whose datagrams are known to be lost: nobody listened.
    pub refused: AtomicU64,
    /// The agent's own events (gaps, heartbeats) that are done.
    pub notices: AtomicU64,
    /// Notices that are done or lost and were no events of the spool: heartbeats, and what goes in the place of events that cannot be read.
    pub unqueued: AtomicU64,
    /// Notices that are known to be lost.
    pub notices_refused: AtomicU64,
    /// Entries that were counted as sent, and are known to be lost: they are in `refused`, and in `sent` no more.
    pub recalled: AtomicU64,
    /// The same of notices.
    pub notices_recalled: AtomicU64,
    /// Events that are known to be lost, and wait as far as the spool knows.
    pub lost: AtomicU64,
    /// Events that its own filter drops.
    pub filtered: AtomicU64,
    /// Events that are stored and cannot be seen as entries again.
    pub unreadable: AtomicU64,
    /// Entries that were handed to a connection once more.
    pub resent: AtomicU64,
    /// Entries that were handed to a connection that ended before they were done, and not to another one since. They wait.
    pub unconfirmed: AtomicU64,
    /// A receiver said something that none of syslog says, and took lines.
    pub answered: AtomicBool,
    /// It has read everything that there is.
    pub caught_up: AtomicBool,
    /// It has ended.
    pub ended: AtomicBool,
    /// Connections made.
    pub connections: AtomicU64,
    /// Connections that ended before their time, or were not made.
    pub failures: AtomicU64,
    /// What it is doing with its receiver at the moment.
    pub link: Link,
    /// Shows its lines to who looks.
    pub tap: Tap,
}

impl OutputStats {
    /// To be held while something is counted that is to balance with the cursors of the output, and while all of it is read.
    pub fn settling(&self) -> MutexGuard<'_, ()> {
        self.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was done since the last time.
    pub fn add(&self, sums: Sums) {
        let changes = [
            (&self.sent, sums.sent),
            (&self.notices, sums.notices),
            (&self.unconfirmed, sums.unconfirmed),
            (&self.lost, sums.lost),
        ];
        for (sum, change) in changes {
            // Two's complement: a negative one takes away.
            sum.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
        }
        self.link.done(sums.sent + sums.notices);
        for (sum, more) in [
            (&self.refused, sums.refused),
            (&self.resent, sums.resent),
            (&self.unqueued, sums.unqueued),
            (&self.notices_refused, sums.notices_refused),
            (&self.recalled, sums.recalled),
            (&self.notices_recalled, sums.notices_recalled),
        ] {
            sum.fetch_add(more, Ordering::Relaxed);
        }
    }
}

/// What sources and outputs did since the start, by name: a thread that is replaced goes on with the sums of the one before
/// it, and those of a name that is taken out of the configuration stay.
#[derive(Debug, Default)]
pub struct Stats {
    sources: Mutex<Vec<(String, Arc<SourceStats>)>>,
    outputs: Mutex<Vec<(String, Arc<OutputStats>)>>,
}

impl Stats {
    /// Of a source that begins.
    pub fn source(&self, name: &str) -> Arc<SourceStats> {
        let stats = named(&self.sources, name);
        // A thread that begins has not ended.
        stats.ended.store(false, Ordering::SeqCst);
        stats.halted.store(false, Ordering::SeqCst);
        stats.failed.store(false, Ordering::SeqCst);
        stats
    }

    /// Of an output.
    pub fn output(&self, name: &str) -> Arc<OutputStats> {
        named(&self.outputs, name)
    }

    /// All sources there were.
    pub fn sources(&self) -> Vec<(String, Arc<SourceStats>)> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All outputs there were.
    pub fn outputs(&self) -> Vec<(String, Arc<OutputStats>)> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn named<R: Default>(all: &Mutex<Vec<(String, Arc<R>)>>, name: &str) -> Arc<R> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, found)) = all.iter().find(|(n, _)| n == name) {
        return found.clone();
    }
    let new = Arc::new(R::default());
    all.push((name.to_owned(), new.clone()));
    new
}

/// What a source did, in words.
#[derive(Clone, Debug, Default)]
pub struct SourceStatus {
    /// System of the last entry.
    pub system: String,
    /// Place of the last entry.
    pub last: JournalPlace,
    /// When the last entry was made on its system, UTC microseconds; 0 for none.
    pub entry_at: i64,
    /// The last gap.
    pub gap: String,
    /// What it is doing.
    pub state: String,
    /// The keys of the configuration that would say what its headings do not hold: entries are sent without it.
    pub lacks: String,
    /// Time zone of the system.
    pub zone: Option<Tz>,
    /// Since when it is not read, where it is not.
    pub down: Option<Instant>,
}

impl SourceStatus {
    /// What it is doing, and what is wrong with what it sends.
    pub fn in_words(&self) -> String {
        match self.lacks.as_str() {
            "" => self.state.clone(),
            lacks => format!("{}; its entries lack what {lacks} would give", self.state),
        }
    }
}

impl SourceStats {
    /// The rest.
    pub fn status(&self) -> SourceStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes them.
    pub fn set(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// It does its work, which is called so.
    pub fn set_up(&self, state: &str) {
        self.set(|d| {
            state.clone_into(&mut d.state);
            d.down = None;
        });
    }

    /// It does not, and this is why.
    pub fn set_down(&self, state: &str) {
        self.set(|d| {
            state.clone_into(&mut d.state);
            d.down.get_or_insert_with(Instant::now);
        });
    }

    /// What its feed says of itself.
    pub fn set_condition(&self, condition: &Condition<'_>) {
        match condition {
            Condition::Reading => self.set_up("reading"),
            Condition::Down(why) => self.set_down(why),
        }
    }

    /// For how long it has not been read, where it is not.
    pub fn down(&self) -> Option<Duration> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).down.map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_source_says_what_its_entries_lack() {
        let stats = SourceStats::default();
        stats.set_up("reading");
        assert_eq!(stats.status().in_words(), "reading");
        stats.set(|d| d.lacks = "receiver and date_format".to_owned());
        stats.set_down("not reached");
        assert_eq!(stats.status().in_words(), "not reached; its entries lack what receiver and date_format would give");
    }
}
