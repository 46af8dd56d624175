//! What is delivered of batches that are not passed yet: a lane that is ahead of another has delivered some of their events.
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use crate::{
    agent::classified::ClassifiedBatch,
    spool::{self, Cursor, Lane},
};

/// See the module.
pub struct Delivered {
    /// Where the lanes stood at the start: what is before that was delivered then.
    start: [Cursor; Lane::COUNT],
    /// By batch, where it is not 0.
    events: BTreeMap<i64, u64>,
    /// What batches had of them when they were looked through first, and nobody was told yet.
    found: BTreeMap<i64, u64>,
    changed: BTreeSet<i64>,
}

impl Delivered {
    /// For lanes that stand there.
    pub fn new(start: [Cursor; Lane::COUNT]) -> Delivered {
        Delivered { start, events: BTreeMap::new(), found: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// A batch is looked through: what lanes had delivered of it before the start is known now, beside `nowhere` events that were counted
    /// as going nowhere.
    pub fn look(&mut self, classified: &ClassifiedBatch, nowhere: u64) {
        let id = classified.batch.id;
        // One that is looked through again.
        if self.events.contains_key(&id) {
            return;
        }
        let tells = classified.batch.header.since.is_some();
        let is_told_again = |start: Cursor| tells && start.event >= classified.batch.len();
        let of = |(lane, start): (Lane, Cursor)| match start.batch.cmp(&id) {
            std::cmp::Ordering::Less => 0,
            // What is told in the place of a damaged batch is told to those too who stood within it.
            std::cmp::Ordering::Equal if is_told_again(start) => 0,
            std::cmp::Ordering::Equal => classified.before(start.event).delivered(lane),
            std::cmp::Ordering::Greater => classified.counts.delivered(lane),
        };
        let delivered: u32 = Lane::ALL.into_iter().zip(self.start).map(of).sum();
        let found = u64::from(delivered) + nowhere;
        self.add(id, found);
        let again = self.start.iter().any(|start| start.batch == id && start.event > 0 && is_told_again(*start));
        if found > 0 || again {
            self.found.insert(id, found);
            // Told also where it is nothing: more was taken for delivered.
            self.events.entry(id).or_default();
            self.changed.insert(id);
        }
    }

    /// More events of a batch are.
    pub fn add(&mut self, batch: i64, events: u64) {
        if events > 0 {
            *self.events.entry(batch).or_default() += events;
            self.changed.insert(batch);
        }
    }

    /// Every lane has passed the batches before this one.
    pub fn pass(&mut self, to: i64) {
        self.events = self.events.split_off(&to);
        self.found = self.found.split_off(&to);
        self.changed = self.changed.split_off(&to);
    }

    /// What has changed since the last call.
    pub fn take(&mut self) -> Vec<spool::Delivered> {
        let (changed, mut found) = (mem::take(&mut self.changed), mem::take(&mut self.found));
        let told = |batch: i64| {
            let events = *self.events.get(&batch)?;
            Some(spool::Delivered { batch, events, found: found.remove(&batch) })
        };
        changed.into_iter().filter_map(told).collect()
    }
}
