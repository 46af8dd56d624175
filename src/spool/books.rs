//! The books of the spool: what was stored of each source since the start, and what each output was given to deliver. They are kept under
//! the lock of the [ledger](super::ledger), so that at any moment the sums of both balance:
//!
//! - of a source: read = filtered + refused + parked + spooled;
//! - of all: stored = spooled of every source + notices;
//! - of an output: queued = what it is done with + withdrawn + waiting.
use std::collections::BTreeMap;

use super::{batch::NewBatch, cursor::Cursor, ledger::Ledger, rows::BatchSummary};

/// What was stored of a source since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceBook {
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// Entries refused because the spool was nearly full.
    pub refused: u64,
    /// Entries dropped, by rule.
    pub filtered: BTreeMap<String, u64>,
    /// Entries stored.
    pub spooled: u64,
    /// When its last batch was made, UTC microseconds; 0 for none.
    pub stored_at: i64,
}

/// What an output was given since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Events that waited for it when it was first made known.
    pub found: u64,
    /// Events that were put before it: those that were found, and all that were stored since.
    pub queued: u64,
    /// Events that waited and need no delivery after all: their batch is damaged, or they were delivered before the start, which is seen
    /// only when their batch is looked through.
    pub withdrawn: u64,
    /// What is before this was delivered before it was made known.
    pub(super) start: Cursor,
}

/// What waits for an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Its account.
    pub account: Account,
    /// Events that wait.
    pub waiting: u64,
    /// When the batch of the oldest of them was made, UTC microseconds.
    pub since: Option<i64>,
}

/// The books at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// By source.
    pub sources: BTreeMap<String, SourceBook>,
    /// By output: those that were made known, and those of which only cursors are left.
    pub outputs: BTreeMap<String, Queue>,
    /// Events stored since the start, notices among them.
    pub stored: u64,
    /// Notices of the agent among them.
    pub notices: u64,
}

/// What is kept of them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    sources: BTreeMap<String, SourceBook>,
    pub(super) accounts: BTreeMap<String, Account>,
    stored: u64,
    notices: u64,
}

impl Kept {
    /// A batch is stored.
    pub(super) fn stored(&mut self, new: &NewBatch) {
        let (events, notices) = (u64::from(new.events), u64::from(new.notices));
        self.stored += events;
        self.notices += notices;
        self.accounts.values_mut().for_each(|account| account.queued += events);
        let header = &new.header;
        if header.source.is_empty() {
            return;
        }
        let book = self.sources.entry(header.source.clone()).or_default();
        book.read += header.read;
        book.parked += header.parked;
        book.refused += header.refused.values().sum::<u64>();
        book.spooled += events.saturating_sub(notices);
        for (rule, n) in &header.filtered {
            *book.filtered.entry(rule.clone()).or_default() += n;
        }
        // A notice about a source is none of its batches.
        if header.read > 0 {
            book.stored_at = header.created_at;
        }
    }

    /// What was stored of a source.
    pub(super) fn source(&self, name: &str) -> SourceBook {
        self.sources.get(name).cloned().unwrap_or_default()
    }
}

/// What there was before something changed it that nobody delivered.
pub(super) struct Before {
    /// Events that waited for each output that has an account.
    waits: BTreeMap<String, u64>,
    /// What tells a batch from another that is put into its place.
    batches: Vec<(i64, usize, i64)>,
}

impl Ledger {
    fn waits(&self) -> BTreeMap<String, u64> {
        self.books.accounts.keys().map(|output| (output.clone(), self.queue(output).waiting)).collect()
    }

    /// What there is, for [`Ledger::rebook`].
    pub(super) fn before(&self) -> Before {
        let batches = self.loaded.live.iter().map(|(id, live)| (*id, live.events, live.created_at));
        Before { waits: self.waits(), batches: batches.collect() }
    }

    /// Something changed what waits, and nobody delivered it: that is put before the outputs again, or withdrawn.
    pub(super) fn rebook(&mut self, before: &Before) {
        for (id, events, created_at) in &before.batches {
            let is_same = |live: &BatchSummary| live.events == *events && live.created_at == *created_at;
            if !self.loaded.live.get(id).is_some_and(is_same) {
                self.forget_delivered(*id);
            }
        }
        for (output, now) in self.waits() {
            let before = before.waits.get(&output).copied().unwrap_or(now);
            if let Some(account) = self.books.accounts.get_mut(&output) {
                account.queued += now.saturating_sub(before);
                account.withdrawn += before.saturating_sub(now);
            }
        }
    }

    /// Another batch stands in the place of this one: nothing of it is delivered.
    fn forget_delivered(&mut self, batch: i64) {
        self.delivered.values_mut().for_each(|told| _ = told.remove(&batch));
        for account in self.books.accounts.values_mut().filter(|account| account.start.batch == batch) {
            account.start.event = 0;
        }
    }

    /// An output is made known, for the first time since the start: what waits is put before it.
    pub(super) fn open_account(&mut self, output: &str) {
        if self.books.accounts.contains_key(output) {
            return;
        }
        let found = self.queue(output).waiting;
        let account = Account { found, queued: found, withdrawn: 0, start: self.slowest(output) };
        self.books.accounts.insert(output.to_owned(), account);
    }

    /// An output was seen to have delivered so much of a batch before anybody counted.
    pub(super) fn was_delivered(&mut self, output: &str, batch: i64, found: u64) {
        let known = self.passed(output)(batch);
        if let Some(account) = self.books.accounts.get_mut(output) {
            account.withdrawn += found.saturating_sub(known);
            account.queued += known.saturating_sub(found);
        }
    }

    /// How much of a batch that its slowest lane has not passed an output is done with.
    pub(super) fn passed(&self, output: &str) -> impl Fn(i64) -> u64 + use<'_> {
        let told = self.delivered.get(output);
        let start = self.books.accounts.get(output).map_or_else(|| self.slowest(output), |account| account.start);
        let before = move |batch| if start.batch == batch { start.event as u64 } else { 0 };
        move |batch| told.and_then(|told| told.get(&batch)).copied().unwrap_or_else(|| before(batch))
    }

    /// What waits for an output.
    pub(super) fn queue(&self, output: &str) -> Queue {
        let account = self.books.accounts.get(output).copied().unwrap_or_default();
        let mut queue = Queue { account, ..Queue::default() };
        let passed = self.passed(output);
        for (id, live) in self.loaded.live.range(self.slowest(output).batch..) {
            let events = (live.events as u64).saturating_sub(passed(*id));
            queue.waiting += events;
            if events > 0 {
                queue.since.get_or_insert(live.created_at);
            }
        }
        queue
    }

    /// All at this moment.
    pub(super) fn balance(&self) -> Books {
        let mut names: Vec<&String> = self.loaded.cursors.keys().map(|(output, _)| output).collect();
        names.dedup();
        Books {
            sources: self.books.sources.clone(),
            outputs: names.into_iter().map(|output| (output.clone(), self.queue(output))).collect(),
            stored: self.books.stored,
            notices: self.books.notices,
        }
    }
}
