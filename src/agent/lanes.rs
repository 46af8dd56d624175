//! The log as one output reads it: lanes that say which event is next ([`core`]), and what they need for it: batches of the spool, looked
//! through with the eyes of this output ([`RendererCache`]).
mod core;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use self::core::{Asked, LaneCore, Search, Wish};
use super::{TaskContext, classified::ClassifiedBatch, log, render::RendererCache};
use crate::{
    config::OutputConfig,
    event::Notice,
    output::resend_window::Line,
    spool::{Batch, Cursor, Lane},
};

/// What there is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An event of this lane.
    Event(Lane),
    /// What stands behind this number is on the disk: it is to be [read](Lanes::read) first.
    Unread(i64),
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
    core: LaneCore,
    /// Why events cannot be read, as far as that was told.
    told: BTreeSet<String>,
    /// The newest batch that was heard of.
    last: i64,
    /// The search that needs a batch from the disk, and the lane that has come to it: it goes on where it was, and looks no further
    /// than any other.
    paused: Option<(Asked, Search, Lane)>,
    /// That batch, and what it was asked for by.
    read: Option<(i64, Option<Arc<Batch>>)>,
}

impl<'a> Lanes<'a> {
    /// For an output.
    pub fn new(config: &'a OutputConfig, context: &'a TaskContext) -> Lanes<'a> {
        let first = !config.priority_types.send.is_empty();
        let budget = config.limits.bytes_per_day.is_some();
        let there = [first, first && budget, true, budget];
        Lanes {
            config,
            context,
            renderers: RendererCache::new(config, context),
            core: LaneCore::new(there, Lane::of(first, false), acknowledged(config, context)),
            told: BTreeSet::new(),
            last: 0,
            paused: None,
            read: None,
        }
    }

    /// All lanes read from what is not acknowledged.
    pub fn rewind(&mut self) {
        (self.paused, self.read) = (None, None);
        self.core.rewind(acknowledged(self.config, self.context));
    }

    /// The place before which everything is acknowledged, of the lanes that events can be in.
    fn acknowledged(&self) -> Cursor {
        self.core.slowest(acknowledged(self.config, self.context))
    }

    /// Where a lane reads: before its next event. One that no event can be in is where the slowest of the others is.
    pub fn position(&self, lane: Lane) -> Cursor {
        self.core.position(lane)
    }

    /// Whether every lane has read all there is.
    pub fn is_at_end(&self) -> bool {
        let last = self.context.shared.spool.last();
        Lane::ALL.iter().all(|l| self.position(*l).batch > last)
    }

    /// Events that are passed since the last call and go nowhere: those that the filter drops, and those that cannot be read.
    pub fn take_nowhere(&mut self) -> [u64; 2] {
        let to = self.acknowledged();
        // Lanes that no event can be in stand where the slowest of the others does.
        let nobodys = Lane::ALL.into_iter().filter(|lane| !self.core.is_there(*lane));
        nobodys.for_each(|lane| self.context.shared.spool.advance(&self.config.name, lane, to));
        let nowhere = self.core.take_nowhere(to);
        self.tell_delivered();
        nowhere
    }

    /// The same at the end, with those of a batch that is passed in part. [`Lanes::tell_delivered`] comes next.
    pub fn take_last_nowhere(&mut self) -> [u64; 2] {
        let to = self.acknowledged();
        let mut sum = self.core.take_nowhere(to);
        if self.core.is_partly_counted(to) {
            let kept = self.core.recent(to.batch).cloned();
            // What cannot be read now is counted by the next task.
            let read = |lanes: &mut Self| {
                let batch = lanes.context.shared.spool.next(to.batch).ok()??;
                lanes.look(batch, Lane::Normal).ok()
            };
            if let Some(classified) = kept.or_else(|| read(self)) {
                let within = self.core.take_nowhere_within(&classified, to);
                sum.iter_mut().zip(within).for_each(|(sum, more)| *sum += more);
            }
        }
        sum
    }

    /// So many events of a batch are delivered.
    pub fn delivered(&mut self, batch: i64, events: u64) {
        self.core.delivered(batch, events);
    }

    /// What is delivered of batches that some lane has yet to pass waits no more.
    pub fn tell_delivered(&mut self) {
        let delivered = self.core.take_delivered();
        if !delivered.is_empty() {
            self.context.shared.spool.set_delivered(&self.config.name, delivered);
        }
    }

    /// The lane whose event is next, if there is one: those that go first before the others, and of two lanes the one
    /// whose event was read first. With `spent`, only lanes that pass a spent daily budget.
    pub fn next(&mut self, spent: bool) -> anyhow::Result<Next> {
        self.search(Asked::Next { spent })
    }

    /// Whether a lane that a spent budget holds back has something.
    pub fn holds_back(&mut self) -> anyhow::Result<Next> {
        self.search(Asked::HeldBack)
    }

    /// Reads the batch that was [asked for](Next::Unread).
    pub async fn read(&mut self, from: i64) -> anyhow::Result<()> {
        self.read = Some((from, self.context.shared.spool.next_from_disk(from).await?));
        Ok(())
    }

    /// The same, and the search goes on: as the task does it.
    #[cfg(test)]
    pub fn next_here(&mut self, spent: bool) -> anyhow::Result<Next> {
        loop {
            match self.next(spent)? {
                Next::Unread(from) => self.read = Some((from, self.context.shared.spool.next(from)?)),
                next => return Ok(next),
            }
        }
    }

    /// The first batch at or behind a number, or none; `None` where it is on the disk.
    fn batch(&mut self, from: i64) -> Option<Option<Arc<Batch>>> {
        let read = self.read.take_if(|(of, _)| *of == from);
        read.map(|(_, batch)| batch).or_else(|| self.context.shared.spool.next_in_memory(from))
    }

    fn search(&mut self, asked: Asked) -> anyhow::Result<Next> {
        let paused = self.paused.take().filter(|(of, ..)| *of == asked);
        let (mut search, mut wish) = match (paused, &self.read) {
            (Some((_, search, lane)), Some((from, _))) => (search, Some(Wish::Read(*from, lane))),
            _ => {
                // What another search asked for may be old news.
                self.read = None;
                (self.core.begin(asked), None)
            }
        };
        // A batch that is stored this moment is read when that is done.
        let mut absent = None;
        loop {
            let last = absent.unwrap_or(self.last);
            let next = match wish.take().unwrap_or_else(|| self.core.next(&mut search, last)) {
                Wish::Read(from, lane) => {
                    let Some(batch) = self.batch(from) else {
                        self.paused = Some((asked, search, lane));
                        return Ok(Next::Unread(from));
                    };
                    match batch {
                        None => absent = Some(from - 1),
                        Some(batch) if batch.id > from && self.core.leap(lane, batch.id) => {}
                        Some(batch) => {
                            let classified = self.look(batch, lane)?;
                            self.core.take(lane, &classified);
                        }
                    }
                    continue;
                }
                Wish::Event(lane) => Next::Event(lane),
                Wish::Later => Next::Later,
                Wish::Nothing => Next::Nothing,
            };
            // What was heard of costs no lock.
            if absent.is_none() && self.core.farthest() > self.last {
                let newest = self.context.shared.spool.last();
                if std::mem::replace(&mut self.last, newest) < newest {
                    continue;
                }
            }
            return Ok(next);
        }
    }

    /// Looks through a batch that a lane has come to.
    fn look(&mut self, batch: Arc<Batch>, lane: Lane) -> anyhow::Result<Arc<ClassifiedBatch>> {
        let notices = self.core.lane_of_notices(batch.id, batch.header.since.is_some(), lane);
        let classified = Arc::new(self.renderers.classify(batch, notices)?);
        if classified.counts.unreadable > 0 && self.told.insert(classified.why().to_owned()) {
            log(format_args!("output {}: {}", self.config.name, classified.complaint()));
        }
        Ok(classified)
    }

    /// Writes the line of the next event of a lane. Returns where the lane is behind it, for [`Lanes::advance`].
    pub fn encode(&mut self, lane: Lane, line: &mut Vec<u8>) -> anyhow::Result<Cursor> {
        let Some((classified, n)) = self.core.next_event(lane) else { return Ok(self.position(lane)) };
        self.renderers.encode(classified, n, line)?;
        Ok(Cursor { batch: classified.batch.id, event: n + 1 })
    }

    /// What the line of the next event of a lane is: an entry, a notice of the agent, or one in the place of what cannot be read.
    /// `next` is where the lane is behind it.
    pub fn line(&self, lane: Lane, next: Cursor) -> Line {
        match self.core.next_event(lane) {
            Some((classified, n)) if classified.is_stand_in(n) => Line::StandIn(lane, next),
            Some((classified, n)) if classified.batch.event(n).is_some_and(|stored| stored.is_notice) => {
                Line::Notice(lane, next)
            }
            _ => Line::Entry(lane, next),
        }
    }

    /// The next event of a lane is taken.
    pub fn advance(&mut self, lane: Lane, to: Cursor) {
        self.core.advance(lane, to);
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.renderers.shorten(limit);
    }

    /// Writes the line of a notice.
    pub fn notice(&self, notice: &Notice, line: &mut Vec<u8>) {
        self.renderers.notice(notice, line);
    }
}

/// Where the lanes of an output stand: everything before that is acknowledged.
fn acknowledged(config: &OutputConfig, context: &TaskContext) -> [Cursor; Lane::COUNT] {
    Lane::ALL.map(|lane| context.shared.spool.cursor(&config.name, lane))
}
