//! Which event of the log goes next at one output: up to four lanes, each with its own place in the log, merged in the order of the log.
//!
//! No I/O: facts come in (what a batch holds, looked through: [`LaneCore::take`]), wishes go out ([`Wish`]: a batch to be looked through,
//! or the lane whose event is next). A batch is looked through by the lane that comes to it first, and how many events it has of each
//! lane is kept: the others go past it where they have none. Events that go first are looked for some batches ahead of those that do
//! not, and one batch further with each event that goes: a long backlog without any holds up nothing.
//!
//! Invariants: the events of a lane come in the order of the log, each once between two rewinds, and none is passed over; a search asks
//! for a bounded number of batches of which nothing is known; every event that goes nowhere is counted once.
mod delivered;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::Arc,
};

use self::delivered::Delivered;
use crate::{
    agent::classified::{ClassifiedBatch, Counts},
    spool::{self, Cursor, Lane},
};

/// Batches that are kept looked through: lanes read in different places.
const KEPT: usize = 4;
/// Batches that lanes which go first may be ahead of the others before those may go, and that are looked through in one go.
pub const AHEAD: usize = 4;
/// Batches of which it is known what they hold: 2 MiB at most.
const KNOWN: usize = 65_536;

/// Where a lane reads.
#[derive(Default)]
struct LaneCursor {
    /// The next event, or where to look for it.
    next: Cursor,
    /// Its batch.
    classified: Option<Arc<ClassifiedBatch>>,
    /// `next` is an event of this lane.
    found: bool,
}

/// What a search comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The first batch at or behind a number is to be looked through: this lane has come to it.
    Read(i64, Lane),
    /// The next event of this lane may go.
    Event(Lane),
    /// Nothing that was found so far; there is more to look through.
    Later,
    /// Nothing.
    Nothing,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The next event that may go: one that passes a daily budget, where that is spent.
    Next {
        /// Whether it is.
        spent: bool,
    },
    /// An event that a spent budget holds back.
    HeldBack,
}

/// What looking for the next event of a lane came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// There is one.
    Yes,
    /// None so far; there is more to look through.
    Later,
    /// There is none.
    No,
    /// It depends on what is in the first batch at or behind this number.
    Read(i64),
}

/// One search: which lanes may go, and how many batches of which nothing is known may yet be looked through for them.
#[derive(Clone, Copy, Debug)]
pub struct Search([Pass; 2]);

/// Lanes that go before those of the next pass; of two the one whose event was read first.
#[derive(Clone, Copy, Debug)]
struct Pass {
    lanes: [Option<Lane>; 2],
    looks: usize,
}

/// The lanes of an output. See the module.
pub struct LaneCore {
    /// The lane of notices.
    notices: Lane,
    cursors: [LaneCursor; Lane::COUNT],
    /// Lanes that an event can be in.
    there: [bool; Lane::COUNT],
    recent: VecDeque<Arc<ClassifiedBatch>>,
    known: BTreeMap<i64, Counts>,
    /// Up to here the events that go nowhere are counted.
    counted: Cursor,
    /// Events of the batch of `counted` that were counted before.
    before: Counts,
    delivered: Delivered,
}

impl LaneCore {
    /// Lanes that stand at these places, of which events can be in those that are `there`; notices go in this lane.
    pub fn new(there: [bool; Lane::COUNT], notices: Lane, places: [Cursor; Lane::COUNT]) -> LaneCore {
        let mut core = LaneCore {
            notices,
            cursors: Default::default(),
            there,
            recent: VecDeque::new(),
            known: BTreeMap::new(),
            counted: Cursor::default(),
            before: Counts::default(),
            delivered: Delivered::new(places),
        };
        core.rewind(places);
        core.counted = core.slowest(places);
        core
    }

    /// All lanes read from here.
    pub fn rewind(&mut self, places: [Cursor; Lane::COUNT]) {
        self.cursors = places.map(|next| LaneCursor { next, classified: None, found: false });
    }

    /// Of these places, one for each lane, the first of a lane that events can be in.
    pub fn slowest(&self, places: [Cursor; Lane::COUNT]) -> Cursor {
        let there = places.into_iter().zip(self.there).filter(|(_, there)| *there);
        there.map(|(place, _)| place).min().unwrap_or_default()
    }

    /// Whether events can be in a lane.
    pub fn is_there(&self, lane: Lane) -> bool {
        self.there.get(lane.index()).copied().unwrap_or(false)
    }

    fn cursor(&self, lane: Lane) -> Option<&LaneCursor> {
        self.cursors.get(lane.index())
    }

    /// Where a lane reads: before its next event. One that no event can be in is where the slowest of the others is.
    pub fn position(&self, lane: Lane) -> Cursor {
        match self.cursor(lane) {
            Some(cursor) if self.is_there(lane) => cursor.next,
            _ => self.slowest(self.cursors.each_ref().map(|c| c.next)),
        }
    }

    /// The farthest batch that a lane would look into: where that is behind the newest that was heard of, there may be more.
    pub fn farthest(&self) -> i64 {
        let open = self.cursors.iter().filter(|c| !c.found);
        open.map(|c| c.classified.as_ref().map_or(c.next.batch, |l| l.batch.id + 1)).max().unwrap_or(0)
    }

    /// The batch and the number in it of the next event of a lane, once that was [found](Wish::Event).
    pub fn next_event(&self, lane: Lane) -> Option<(&Arc<ClassifiedBatch>, usize)> {
        let cursor = self.cursor(lane)?;
        Some((cursor.classified.as_ref()?, cursor.next.event))
    }

    /// The next event of a lane is taken: it is behind it.
    pub fn advance(&mut self, lane: Lane, to: Cursor) {
        if let Some(cursor) = self.cursors.get_mut(lane.index()) {
            cursor.next = to;
            cursor.found = false;
        }
    }

    /// Begins a search.
    pub fn begin(&self, asked: Asked) -> Search {
        match asked {
            Asked::Next { spent } => self.search(spent),
            Asked::HeldBack => LaneCore::search_held(),
        }
    }

    /// A search for the next event: those that go first before the others. With `spent`, only lanes that pass a spent daily budget.
    fn search(&self, spent: bool) -> Search {
        let pass = |pass, held, looks| Pass { lanes: [Some(pass), Some(held).filter(|_| !spent)], looks };
        Search([
            pass(Lane::Priority, Lane::PriorityHeld, self.looks_ahead(spent)),
            pass(Lane::Normal, Lane::Held, AHEAD),
        ])
    }

    /// A search for what a spent daily budget holds back.
    fn search_held() -> Search {
        Search([Lane::PriorityHeld, Lane::Held].map(|lane| Pass { lanes: [Some(lane), None], looks: AHEAD }))
    }

    /// How many batches are looked through for events that go first, before another may go.
    fn looks_ahead(&self, spent: bool) -> usize {
        let ahead = self.position(Lane::Priority).batch;
        let base = self.position(Lane::Normal).batch;
        let base = if spent || !self.is_there(Lane::Held) { base } else { base.min(self.position(Lane::Held).batch) };
        AHEAD.saturating_sub(usize::try_from(ahead - base).unwrap_or(0)).max(1)
    }

    /// Goes on with a search; `last` is the number of the newest batch that there is. After [`Wish::Read`] it is to be called again,
    /// with that batch [taken](LaneCore::take), or with a `last` before it where there is none.
    pub fn next(&mut self, search: &mut Search, last: i64) -> Wish {
        let mut later = false;
        for Pass { lanes, looks } in &mut search.0 {
            let mut first: Option<(Cursor, Lane)> = None;
            for lane in lanes.iter().flatten() {
                match self.find(*lane, looks, last) {
                    Found::Read(from) => return Wish::Read(from, *lane),
                    Found::Later => later = true,
                    Found::No => {}
                    Found::Yes => {
                        let at = self.position(*lane);
                        if first.is_none_or(|(before, _)| at < before) {
                            first = Some((at, *lane));
                        }
                    }
                }
            }
            if let Some((_, lane)) = first {
                return Wish::Event(lane);
            }
        }
        if later { Wish::Later } else { Wish::Nothing }
    }

    /// Finds the next event of a lane. Batches of which nothing is known are looked through as long as `looks` last.
    fn find(&mut self, lane: Lane, looks: &mut usize, last: i64) -> Found {
        if !self.is_there(lane) {
            return Found::No;
        }
        loop {
            let Some(cursor) = self.cursors.get_mut(lane.index()) else { return Found::No };
            if cursor.found {
                return Found::Yes;
            }
            if let Some(classified) = &cursor.classified {
                if let Some(n) = classified.next(lane, cursor.next.event) {
                    cursor.next.event = n;
                    cursor.found = true;
                    return Found::Yes;
                }
                cursor.next = Cursor { batch: classified.batch.id + 1, event: 0 };
                cursor.classified = None;
            }
            let from = cursor.next.batch;
            let known = self.known.get(&from);
            if known.is_some_and(|counts| counts.of(lane) == 0) {
                cursor.next = Cursor { batch: from + 1, event: 0 };
                continue;
            }
            if let Some(classified) = self.recent.iter().find(|l| l.batch.id == from) {
                let classified = classified.clone();
                self.enter(lane, classified);
                continue;
            }
            if from > last {
                return Found::No;
            }
            if known.is_none() {
                if *looks == 0 {
                    return Found::Later;
                }
                *looks -= 1;
            }
            return Found::Read(from);
        }
    }

    /// A lane comes to a batch over numbers that are not there. Whether it is known what that batch holds: then it need not be looked
    /// through once more, and nothing in it is told twice.
    pub fn leap(&mut self, lane: Lane, to: i64) -> bool {
        let known = self.known.contains_key(&to);
        if known {
            self.advance(lane, Cursor { batch: to, event: 0 });
        }
        known
    }

    /// The lane in which notices of a batch go to which a lane has come. What is told in the place of a batch (`tells_of_loss`) goes in
    /// the lane that comes to it, where that of notices has passed the place.
    pub fn lane_of_notices(&self, batch: i64, tells_of_loss: bool, lane: Lane) -> Lane {
        let passed = tells_of_loss && self.position(self.notices) > Cursor { batch, event: 0 };
        if passed { lane } else { self.notices }
    }

    /// The batch that a lane has come to, looked through.
    pub fn take(&mut self, lane: Lane, classified: &Arc<ClassifiedBatch>) {
        self.know(classified);
        self.enter(lane, classified.clone());
    }

    /// A lane reads in a batch.
    fn enter(&mut self, lane: Lane, classified: Arc<ClassifiedBatch>) {
        let Some(cursor) = self.cursors.get_mut(lane.index()) else { return };
        // What is told in the place of a damaged batch is told to those too who stood within it.
        let told = classified.batch.header.since.is_some() && cursor.next.event >= classified.batch.len();
        if classified.batch.id > cursor.next.batch || told {
            cursor.next = Cursor { batch: classified.batch.id, event: 0 };
        }
        cursor.classified = Some(classified);
    }

    /// Keeps what a batch holds.
    pub fn know(&mut self, classified: &Arc<ClassifiedBatch>) {
        let id = classified.batch.id;
        if id == self.counted.batch {
            self.before = classified.before(self.counted.event);
        }
        if id >= self.counted.batch {
            self.known.insert(id, classified.counts);
            let nowhere = if id == self.counted.batch { self.before.nowhere().iter().sum() } else { 0 };
            self.delivered.look(classified, nowhere);
        }
        // Those that are passed last are looked through again when a lane comes to them.
        if self.known.len() > KNOWN {
            self.known.pop_last();
        }
        if self.recent.len() >= KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(classified.clone());
    }

    /// A batch, if it is kept looked through.
    pub fn recent(&self, id: i64) -> Option<&Arc<ClassifiedBatch>> {
        self.recent.iter().find(|l| l.batch.id == id)
    }

    /// Events that are passed since the last call and go nowhere, where everything before `to` is acknowledged: those that the filter
    /// drops, and those that cannot be read.
    pub fn take_nowhere(&mut self, to: Cursor) -> [u64; 2] {
        let mut sum = [0; 2];
        while let Some(first) = self.known.first_entry()
            && *first.key() < to.batch
        {
            let (id, counts) = first.remove_entry();
            let before = if id == self.counted.batch { mem::take(&mut self.before) } else { Counts::default() };
            add(&mut sum, counts.nowhere(), before.nowhere());
        }
        if to.batch > self.counted.batch {
            self.counted = Cursor { batch: to.batch, event: 0 };
            self.before = Counts::default();
            self.delivered.pass(to.batch);
        }
        sum
    }

    /// The batch of which some is acknowledged, up to `to`, and what goes nowhere in it is not counted.
    pub fn is_partly_counted(&self, to: Cursor) -> bool {
        to.batch == self.counted.batch && to.event > self.counted.event
    }

    /// Counts what goes nowhere before `to`, in the batch that it is in.
    pub fn take_nowhere_within(&mut self, classified: &ClassifiedBatch, to: Cursor) -> [u64; 2] {
        let mut sum = [0; 2];
        if classified.batch.id == to.batch {
            let before = classified.before(to.event);
            add(&mut sum, before.nowhere(), self.before.nowhere());
            self.before = before;
            self.delivered.add(to.batch, sum.iter().sum());
        }
        self.counted = to;
        sum
    }

    /// So many events of a batch are delivered.
    pub fn delivered(&mut self, batch: i64, events: u64) {
        if batch >= self.counted.batch {
            self.delivered.add(batch, events);
        }
    }

    /// Batches that are not passed, with the number of their events that are delivered or counted as going nowhere, where that has
    /// changed since the last call.
    pub fn take_delivered(&mut self) -> Vec<spool::Delivered> {
        self.delivered.take()
    }

    /// Batches of which it is known what they hold.
    #[cfg(test)]
    pub fn known(&self) -> usize {
        self.known.len()
    }
}

fn add(sum: &mut [u64; 2], all: [u64; 2], less: [u64; 2]) {
    for (sum, (all, less)) in sum.iter_mut().zip(all.into_iter().zip(less)) {
        *sum += all.saturating_sub(less);
    }
}
