//! The log as one output reads it: up to four lanes, each with its own place in it, merged in the order of the log.
//!
//! A batch is looked through by the lane that comes to it first, and how many events it has of each lane is kept: the
//! others go past it where they have none. Events that go first are looked for some batches ahead of those that do not, and
//! one batch further with each event that goes: a long backlog without any holds up nothing.
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    TaskContext,
    classified::{ClassifiedBatch, Counts},
    log,
    render::RendererCache,
};
use crate::{
    config::OutputConfig,
    event::Notice,
    spool::{Cursor, Lane},
};

/// Batches that are kept looked through: lanes read in different places.
const KEPT: usize = 4;
/// Batches that lanes which go first may be ahead of the others before those may go, and that are looked through in one go.
const AHEAD: usize = 4;
/// Batches of which it is known what they hold: 2 MiB at most.
const KNOWN: usize = 65_536;

/// Where a lane reads.
#[derive(Default)]
struct Reading {
    /// The next event, or where to look for it.
    next: Cursor,
    /// Its batch.
    classified: Option<Arc<ClassifiedBatch>>,
    /// `next` is an event of this lane.
    found: bool,
}

/// What there is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An event of this lane.
    Event(Lane),
    /// Nothing that was found so far; there is more to look through.
    Later,
    /// Nothing.
    Nothing,
}

/// The lanes of an output.
pub struct Lanes<'a> {
    config: &'a OutputConfig,
    context: &'a TaskContext,
    renderers: RendererCache<'a>,
    /// The lane of notices.
    notices: Lane,
    reading: [Reading; Lane::COUNT],
    /// Lanes that an event can be in.
    there: [bool; Lane::COUNT],
    recent: VecDeque<Arc<ClassifiedBatch>>,
    known: BTreeMap<i64, Counts>,
    /// Up to here the events that go nowhere are counted.
    counted: Cursor,
    /// Events of the batch of `counted` that were counted before.
    before: Counts,
    /// Why events cannot be read, as far as that was told.
    told: BTreeSet<String>,
    last: i64,
}

impl<'a> Lanes<'a> {
    /// For an output.
    pub fn new(config: &'a OutputConfig, context: &'a TaskContext) -> Lanes<'a> {
        let first = !config.priority_types.send.is_empty();
        let budget = config.limits.bytes_per_day.is_some();
        let notices = Lane::of(first, false);
        let mut lanes = Lanes {
            config,
            context,
            renderers: RendererCache::new(config, context),
            notices,
            reading: Default::default(),
            there: [first, first && budget, true, budget],
            recent: VecDeque::new(),
            known: BTreeMap::new(),
            counted: Cursor::default(),
            before: Counts::default(),
            told: BTreeSet::new(),
            last: 0,
        };
        lanes.rewind();
        lanes.counted = lanes.acknowledged();
        lanes
    }

    /// All lanes read from what is not acknowledged.
    pub fn rewind(&mut self) {
        for lane in Lane::ALL {
            let next = self.context.shared.spool.cursor(&self.config.name, lane);
            if let Some(reading) = self.reading.get_mut(lane.index()) {
                *reading = Reading { next, classified: None, found: false };
            }
        }
    }

    /// The place before which everything is acknowledged, of the lanes that events can be in.
    fn acknowledged(&self) -> Cursor {
        let spool = &self.context.shared.spool;
        let lanes = Lane::ALL.into_iter().filter(|l| self.is_there(*l));
        lanes.map(|l| spool.cursor(&self.config.name, l)).min().unwrap_or_default()
    }

    fn is_there(&self, lane: Lane) -> bool {
        self.there.get(lane.index()).copied().unwrap_or(false)
    }

    /// Where a lane reads: before its next event. One that no event can be in is where the slowest of the others is.
    pub fn place(&self, lane: Lane) -> Cursor {
        let at = |l: Lane| self.reading.get(l.index()).map_or(Cursor::default(), |r| r.next);
        match self.is_there(lane) {
            true => at(lane),
            false => Lane::ALL.into_iter().filter(|l| self.is_there(*l)).map(at).min().unwrap_or_default(),
        }
    }

    /// Whether every lane has read all there is.
    pub fn is_at_end(&self) -> bool {
        let last = self.context.shared.spool.last();
        Lane::ALL.iter().all(|l| self.place(*l).batch > last)
    }

    /// Events that are passed since the last call and go nowhere: those that the filter drops, and those that cannot be read.
    pub fn take_nowhere(&mut self) -> [u64; 2] {
        let to = self.acknowledged();
        let mut sum = [0; 2];
        while let Some(first) = self.known.first_entry()
            && *first.key() < to.batch
        {
            let (id, counts) = first.remove_entry();
            let before = if id == self.counted.batch { std::mem::take(&mut self.before) } else { Counts::default() };
            add(&mut sum, counts.nowhere(), before.nowhere());
        }
        if to.batch > self.counted.batch {
            self.counted = Cursor { batch: to.batch, event: 0 };
            self.before = Counts::default();
        }
        sum
    }

    /// The same at the end, with those of a batch that is passed in part.
    pub fn take_last_nowhere(&mut self) -> [u64; 2] {
        let mut sum = self.take_nowhere();
        let to = self.acknowledged();
        if to.batch == self.counted.batch && to.event > self.counted.event {
            // What cannot be read now is counted by the next thread.
            if let Ok(Some(classified)) = self.look(to.batch, self.notices)
                && classified.batch.id == to.batch
            {
                add(&mut sum, classified.before(to.event).nowhere(), self.before.nowhere());
            }
            self.counted = to;
        }
        sum
    }

    /// The lane whose event is next, if there is one: those that go first before the others, and of two lanes the one
    /// whose event was read first. With `spent`, only lanes that pass a spent daily budget.
    pub fn next(&mut self, spent: bool) -> anyhow::Result<Next> {
        let mut later = false;
        for (pass, held) in [(Lane::Priority, Lane::PriorityHeld), (Lane::Normal, Lane::Held)] {
            let mut looks = match pass {
                Lane::Priority => self.looks_ahead(spent),
                _ => AHEAD,
            };
            let passing = self.find(pass, &mut looks)?;
            let holding = if spent { Found::No } else { self.find(held, &mut looks)? };
            match (passing, holding) {
                (Found::Yes, Found::Yes) => {
                    let first = if self.place(pass) <= self.place(held) { pass } else { held };
                    return Ok(Next::Event(first));
                }
                (Found::Yes, _) => return Ok(Next::Event(pass)),
                (_, Found::Yes) => return Ok(Next::Event(held)),
                (Found::Later, _) | (_, Found::Later) => later = true,
                (Found::No, Found::No) => {}
            }
        }
        Ok(if later { Next::Later } else { Next::Nothing })
    }

    /// How many batches are looked through for events that go first, before another may go.
    fn looks_ahead(&self, spent: bool) -> usize {
        let ahead = self.place(Lane::Priority).batch;
        let base = self.place(Lane::Normal).batch;
        let base = if spent || !self.is_there(Lane::Held) { base } else { base.min(self.place(Lane::Held).batch) };
        AHEAD.saturating_sub(usize::try_from(ahead - base).unwrap_or(0)).max(1)
    }

    /// Whether a lane that a spent budget holds back has something.
    pub fn holds_back(&mut self) -> anyhow::Result<Next> {
        let mut later = false;
        for lane in [Lane::PriorityHeld, Lane::Held] {
            let mut looks = AHEAD;
            match self.find(lane, &mut looks)? {
                Found::Yes => return Ok(Next::Event(lane)),
                Found::Later => later = true,
                Found::No => {}
            }
        }
        Ok(if later { Next::Later } else { Next::Nothing })
    }

    /// Writes the line of the next event of a lane. Returns where the lane is behind it, for [`Lanes::step`].
    pub fn encode(&mut self, lane: Lane, line: &mut Vec<u8>) -> anyhow::Result<Cursor> {
        let Some(reading) = self.reading.get(lane.index()) else { return Ok(Cursor::default()) };
        let next = Cursor { event: reading.next.event + 1, ..reading.next };
        if let Some(classified) = &reading.classified {
            self.renderers.encode(classified, reading.next.event, line)?;
        }
        Ok(next)
    }

    /// Whether the next event of a lane is a notice of the agent, or one in the place of what cannot be read.
    pub fn is_notice(&self, lane: Lane) -> bool {
        let Some(Reading { next, classified: Some(classified), .. }) = self.reading.get(lane.index()) else {
            return false;
        };
        classified.is_stand_in(next.event) || classified.batch.event(next.event).is_some_and(|stored| stored.is_notice)
    }

    /// The next event of a lane is taken.
    pub fn step(&mut self, lane: Lane, to: Cursor) {
        if let Some(reading) = self.reading.get_mut(lane.index()) {
            reading.next = to;
            reading.found = false;
        }
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.renderers.shorten(limit);
    }

    /// Writes the line of a notice.
    pub fn notice(&self, notice: &Notice, line: &mut Vec<u8>) {
        self.renderers.notice(notice, line);
    }

    /// Finds the next event of a lane. Batches of which nothing is known are looked through as long as `looks` last.
    fn find(&mut self, lane: Lane, looks: &mut usize) -> anyhow::Result<Found> {
        if !self.is_there(lane) {
            return Ok(Found::No);
        }
        loop {
            let Some(reading) = self.reading.get_mut(lane.index()) else { return Ok(Found::No) };
            if reading.found {
                return Ok(Found::Yes);
            }
            if let Some(classified) = &reading.classified {
                if let Some(n) = classified.next(lane, reading.next.event) {
                    reading.next.event = n;
                    reading.found = true;
                    return Ok(Found::Yes);
                }
                reading.next = Cursor { batch: classified.batch.id + 1, event: 0 };
                reading.classified = None;
            }
            let from = reading.next.batch;
            let known = self.known.get(&from);
            if known.is_some_and(|counts| counts.of(lane) == 0) {
                reading.next = Cursor { batch: from + 1, event: 0 };
                continue;
            }
            let is_new = known.is_none() && !self.recent.iter().any(|l| l.batch.id == from);
            if is_new && *looks == 0 {
                let more = self.is_stored(from);
                return Ok(if more { Found::Later } else { Found::No });
            }
            let Some(classified) = self.look(from, lane)? else { return Ok(Found::No) };
            *looks = looks.saturating_sub(usize::from(is_new));
            let Some(reading) = self.reading.get_mut(lane.index()) else { return Ok(Found::No) };
            // What is told in the place of a damaged batch is told to those too who stood within it.
            let told = classified.batch.header.since.is_some() && reading.next.event >= classified.batch.len();
            if classified.batch.id > reading.next.batch || told {
                reading.next = Cursor { batch: classified.batch.id, event: 0 };
            }
            reading.classified = Some(classified);
        }
    }

    /// Whether there is a batch at or behind a number. Asked once an event: the number alone costs no lock.
    fn is_stored(&mut self, from: i64) -> bool {
        if from > self.last {
            self.last = self.context.shared.spool.last();
        }
        from <= self.last
    }

    /// The first batch at or behind a number, looked through because a lane has come to it.
    fn look(&mut self, from: i64, lane: Lane) -> anyhow::Result<Option<Arc<ClassifiedBatch>>> {
        if let Some(found) = self.recent.iter().find(|l| l.batch.id == from) {
            return Ok(Some(found.clone()));
        }
        if !self.is_stored(from) {
            return Ok(None);
        }
        let Some(batch) = self.context.shared.spool.next(from)? else { return Ok(None) };
        // What is told in the place of a batch goes in the lane that comes to it, where that of notices has passed the place.
        let passed = batch.header.since.is_some() && self.place(self.notices) > Cursor { batch: batch.id, event: 0 };
        let classified = Arc::new(self.renderers.classify(batch, if passed { lane } else { self.notices })?);
        self.know(&classified);
        if self.recent.len() >= KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(classified.clone());
        Ok(Some(classified))
    }

    /// Keeps what a batch holds.
    fn know(&mut self, classified: &ClassifiedBatch) {
        let id = classified.batch.id;
        if id == self.counted.batch {
            self.before = classified.before(self.counted.event);
        }
        if id >= self.counted.batch {
            self.known.insert(id, classified.counts);
        }
        // Those that are passed last are looked through again when a lane comes to them.
        if self.known.len() > KNOWN {
            self.known.pop_last();
        }
        if classified.counts.unreadable > 0 && self.told.insert(classified.why().to_owned()) {
            log(format_args!("output {}: {}", self.config.name, classified.complaint()));
        }
    }
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
}

fn add(sum: &mut [u64; 2], all: [u64; 2], less: [u64; 2]) {
    for (sum, (all, less)) in sum.iter_mut().zip(all.into_iter().zip(less)) {
        *sum += all.saturating_sub(less);
    }
}

#[cfg(test)]
mod tests;
