//! The outputs that read the spool: where each of them stands, what waits for it, what it has spent.
use std::{collections::BTreeMap, sync::Arc};

use super::Spool;
use crate::spool::{
    Cursor, Lane,
    books::{Books, SourceBook},
    cursor::Kept,
};

/// What an output has yet to deliver of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Events. Those that a lane of its own has passed already are counted too.
    pub events: u64,
    /// When the oldest was read, UTC microseconds.
    pub since: Option<i64>,
}

/// What an output is done with of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The batch.
    pub batch: i64,
    /// Events that are delivered, or counted as going nowhere.
    pub events: u64,
    /// When the batch was looked through for the first time: how many of them were that before anybody counted.
    pub found: Option<u64>,
}

/// Where an output begins that the spool does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// With the oldest batch that is there.
    #[default]
    Oldest,
    /// With what is read from now on.
    Now,
}

impl Spool {
    /// The cursor of an output's lane; a new output starts at the oldest batch.
    pub fn cursor(&self, output: &str, lane: Lane) -> Cursor {
        self.lock().loaded.cursors.get(&(output.to_owned(), lane)).map(|k| k.now).unwrap_or_default()
    }

    /// Moves a cursor forward; it reaches the disk with the next append or [`Spool::sync`].
    pub fn advance(&self, output: &str, lane: Lane, to: Cursor) {
        let mut ledger = self.lock();
        let kept = ledger.loaded.cursors.entry((output.to_owned(), lane)).or_default();
        if to > kept.now {
            let before = std::mem::replace(&mut kept.now, to);
            ledger.mark_moved();
            if to.batch > before.batch {
                ledger.let_go_of_passed(output);
            }
        }
    }

    /// Makes an output of the configuration known: a batch is kept until all outputs that ever were have passed it.
    /// `lanes` describes which lane an event is in: when that changes, all lanes begin where the slowest is, because an
    /// event that waits in one would else be looked for in another that has passed it.
    pub fn register(&self, output: &str, from: Start, lanes: &str) {
        let mut ledger = self.lock();
        let first = Cursor { batch: ledger.loaded.log.first.max(1), event: 0 };
        let of = |lane: &Lane| ledger.loaded.cursors.get(&(output.to_owned(), *lane)).map(|k| k.now);
        let slowest = Lane::ALL.iter().filter_map(of).min();
        let is_new = slowest.is_none() && !ledger.loaded.outputs.contains_key(output);
        let start = match (slowest, from) {
            (Some(slowest), _) => slowest,
            (None, Start::Now) if is_new && !ledger.forgets_outputs => {
                Cursor { batch: ledger.loaded.log.last + 1, event: 0 }
            }
            // What was before was delivered to all others, and deleted. What is told of a state that was lost is told to all.
            (None, _) => first,
        };
        let kept = ledger.loaded.outputs.entry(output.to_owned()).or_default();
        let changed = kept.lanes.replace(lanes.to_owned()).as_deref() != Some(lanes);
        let before = ledger.before();
        if changed {
            // What a lane that was ahead has delivered is to be delivered again.
            ledger.delivered.remove(output);
        }
        for lane in Lane::ALL {
            let kept = ledger.loaded.cursors.entry((output.to_owned(), lane)).or_insert(Kept::new(start));
            if changed {
                kept.now = start;
            }
        }
        if changed && let Some(account) = ledger.books.accounts.get_mut(output) {
            account.start = start;
        }
        ledger.rebook(&before);
        ledger.open_account(output);
        ledger.mark_moved();
    }

    /// The outputs that are not among these and still keep batches here, with the number of events that wait for each.
    pub fn orphaned_outputs(&self, outputs: &[&str]) -> Vec<(String, u64)> {
        let mut others: Vec<String> = self.lock().loaded.cursors.keys().map(|(o, _)| o.clone()).collect();
        others.dedup();
        others.retain(|o| !outputs.contains(&o.as_str()));
        let waiting = |o: &String| self.waiting(o).values().map(|w| w.events).sum();
        others.into_iter().map(|o| (o.clone(), waiting(&o))).collect()
    }

    /// What an output is done with of batches that its slowest lane has not passed: those events do not [wait](Spool::waiting) any more.
    pub fn set_delivered(&self, output: &str, batches: Vec<Delivered>) {
        let mut ledger = self.lock();
        let from = ledger.slowest(output).batch;
        for Delivered { batch, events, found } in batches.into_iter().filter(|d| d.batch >= from) {
            if let Some(found) = found {
                ledger.was_delivered(output, batch, found);
            }
            ledger.delivered.entry(output.to_owned()).or_default().insert(batch, events);
        }
    }

    /// The books at this moment.
    pub fn books(&self) -> Books {
        self.lock().balance()
    }

    /// What was stored of a source since the start.
    pub fn stored_of(&self, source: &str) -> SourceBook {
        self.lock().books.source(source)
    }

    /// What an output has yet to deliver, by source. Of a batch that only some lanes have passed since before the start, that is all of
    /// it until the output has looked through it.
    pub fn waiting(&self, output: &str) -> BTreeMap<Arc<str>, Waiting> {
        let ledger = self.lock();
        let from = ledger.slowest(output);
        let passed = ledger.passed(output);
        let mut found: BTreeMap<Arc<str>, Waiting> = BTreeMap::new();
        for (id, live) in ledger.loaded.live.range(from.batch..) {
            let events = (live.events as u64).saturating_sub(passed(*id));
            if events > 0 {
                let waiting = found.entry(live.source.clone()).or_default();
                waiting.events += events;
                waiting.since.get_or_insert(live.created_at);
            }
        }
        found
    }

    /// The first batch that some output has yet to pass.
    pub fn delivered_before(&self) -> i64 {
        let ledger = self.lock();
        let next = ledger.loaded.log.last + 1;
        ledger.loaded.cursors.values().map(|c| c.now.batch).min().map_or(next, |c| c.min(next))
    }

    /// The other outputs that have passed no more than this one: what is kept for it is kept for them too.
    pub fn no_further(&self, output: &str) -> Vec<String> {
        let ledger = self.lock();
        let mut at: BTreeMap<&str, i64> = BTreeMap::new();
        for ((name, _), cursor) in &ledger.loaded.cursors {
            let least = at.entry(name).or_insert(cursor.now.batch);
            *least = cursor.now.batch.min(*least);
        }
        let own = at.remove(output).unwrap_or(i64::MAX);
        at.into_iter().filter(|(_, batch)| *batch <= own).map(|(name, _)| name.to_owned()).collect()
    }

    /// What an output had spent of its daily budget, as [`Spool::set_budget_spent`] was told.
    pub fn spent(&self, output: &str) -> Option<String> {
        self.lock().loaded.outputs.get(output).and_then(|o| o.spent.clone())
    }

    /// Keeps what an output has spent of its daily budget; it reaches the disk as cursors do.
    pub fn set_budget_spent(&self, output: &str, spent: String) {
        let mut ledger = self.lock();
        let kept = ledger.loaded.outputs.entry(output.to_owned()).or_default();
        if kept.spent.as_ref() != Some(&spent) {
            kept.spent = Some(spent);
            ledger.mark_moved();
        }
    }
}
