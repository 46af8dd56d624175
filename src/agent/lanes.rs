//! The log as one output reads it: four lanes, each with its own place in it, merged in the order of the log.
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    Orders, log,
    reader::{Looked, Readers},
};
use crate::{
    config::OutputConfig,
    event::Notice,
    spool::{Cursor, Lane},
};

/// Batches that are kept looked through: lanes read in different places.
const KEPT: usize = 4;

/// Where a lane reads.
#[derive(Default)]
struct Reading {
    /// The next event, or where to look for it.
    next: Cursor,
    /// Its batch.
    looked: Option<Arc<Looked>>,
    /// `next` is an event of this lane.
    found: bool,
}

/// The lanes of an output.
pub struct Lanes<'a> {
    config: &'a OutputConfig,
    orders: &'a Orders,
    readers: Readers<'a>,
    reading: [Reading; Lane::COUNT],
    recent: VecDeque<Arc<Looked>>,
    /// The last batch whose filtered events are counted, and the first one that is not passed at the start.
    counted: i64,
    /// Events that the filter of the output dropped and that are not counted elsewhere yet.
    filtered: u64,
    /// Events that cannot be seen as entries again and that are not counted elsewhere yet.
    unreadable: u64,
    /// Where notices stand in for those: the cursors behind them, in order.
    stand_ins: VecDeque<Cursor>,
    /// Why events cannot be read, as far as that was told.
    told: BTreeSet<String>,
    last: i64,
}

impl<'a> Lanes<'a> {
    /// For an output.
    pub fn new(config: &'a OutputConfig, orders: &'a Orders) -> Lanes<'a> {
        let mut lanes = Lanes {
            config,
            orders,
            readers: Readers::new(config, orders),
            reading: Default::default(),
            recent: VecDeque::new(),
            counted: 0,
            filtered: 0,
            unreadable: 0,
            stand_ins: VecDeque::new(),
            told: BTreeSet::new(),
            last: 0,
        };
        lanes.rewind();
        lanes.counted = Lane::ALL.iter().map(|l| lanes.place(*l).batch).min().unwrap_or(0) - 1;
        lanes
    }

    /// All lanes read from what is not acknowledged.
    pub fn rewind(&mut self) {
        self.stand_ins.clear();
        for lane in Lane::ALL {
            let next = self.orders.shared.spool.cursor(&self.config.name, lane);
            if let Some(reading) = self.reading.get_mut(lane.index()) {
                *reading = Reading { next, looked: None, found: false };
            }
        }
    }

    /// Where a lane reads: before its next event.
    pub fn place(&self, lane: Lane) -> Cursor {
        self.reading.get(lane.index()).map_or(Cursor::default(), |r| r.next)
    }

    /// Whether every lane has read all there is.
    pub fn is_at_end(&self) -> bool {
        let last = self.orders.shared.spool.last();
        Lane::ALL.iter().all(|l| self.place(*l).batch > last)
    }

    /// Events that the filter of the output dropped since the last call.
    pub fn take_filtered(&mut self) -> u64 {
        std::mem::take(&mut self.filtered)
    }

    /// Events that cannot be seen as entries again, found since the last call.
    pub fn take_unreadable(&mut self) -> u64 {
        std::mem::take(&mut self.unreadable)
    }

    /// How many of the lines that are delivered up to a place were notices in the place of what cannot be read, since the last
    /// call. They are no events.
    pub fn take_stand_ins(&mut self, to: Cursor) -> u64 {
        let passed = self.stand_ins.iter().take_while(|c| **c <= to).count();
        self.stand_ins.drain(..passed).count() as u64
    }

    /// The lane whose event is next, if there is one: those that go first before the others, and of two lanes the one
    /// whose event was read first. With `spent`, only lanes that pass a spent daily budget.
    pub fn next(&mut self, spent: bool) -> anyhow::Result<Option<Lane>> {
        for (pass, held) in [(Lane::Priority, Lane::PriorityHeld), (Lane::Normal, Lane::Held)] {
            let passing = self.find(pass)?;
            let holding = if spent { false } else { self.find(held)? };
            match (passing, holding) {
                (true, true) => {
                    return Ok(Some(if self.place(pass) <= self.place(held) { pass } else { held }));
                }
                (true, false) => return Ok(Some(pass)),
                (false, true) => return Ok(Some(held)),
                (false, false) => {}
            }
        }
        Ok(None)
    }

    /// Whether a lane that a spent budget holds back has something.
    pub fn holds_back(&mut self) -> anyhow::Result<bool> {
        Ok(self.find(Lane::PriorityHeld)? || self.find(Lane::Held)?)
    }

    /// Writes the line of the next event of a lane. Returns where the lane is behind it, for [`Lanes::step`].
    pub fn encode(&mut self, lane: Lane, line: &mut Vec<u8>) -> anyhow::Result<Cursor> {
        let Some(reading) = self.reading.get(lane.index()) else { return Ok(Cursor::default()) };
        let next = Cursor { event: reading.next.event + 1, ..reading.next };
        if let Some(looked) = &reading.looked {
            self.readers.encode(looked, reading.next.event, line)?;
            if looked.is_stand_in(reading.next.event) && self.stand_ins.back() != Some(&next) {
                self.stand_ins.push_back(next);
            }
        }
        Ok(next)
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
        self.readers.shorten(limit);
    }

    /// Writes the line of a notice.
    pub fn notice(&self, notice: &Notice, line: &mut Vec<u8>) {
        self.readers.notice(notice, line);
    }

    /// Finds the next event of a lane.
    fn find(&mut self, lane: Lane) -> anyhow::Result<bool> {
        loop {
            let Some(reading) = self.reading.get_mut(lane.index()) else { return Ok(false) };
            if reading.found {
                return Ok(true);
            }
            if let Some(looked) = &reading.looked {
                if let Some(n) = looked.next(lane, reading.next.event) {
                    reading.next.event = n;
                    reading.found = true;
                    return Ok(true);
                }
                reading.next = Cursor { batch: looked.batch.id + 1, event: 0 };
                reading.looked = None;
            }
            let from = reading.next.batch;
            let Some(looked) = self.look(from)? else { return Ok(false) };
            let Some(reading) = self.reading.get_mut(lane.index()) else { return Ok(false) };
            if looked.batch.id > reading.next.batch {
                reading.next = Cursor { batch: looked.batch.id, event: 0 };
            }
            reading.looked = Some(looked);
        }
    }

    /// The first batch at or behind a number, looked through.
    fn look(&mut self, from: i64) -> anyhow::Result<Option<Arc<Looked>>> {
        if let Some(found) = self.recent.iter().find(|l| l.batch.id == from) {
            return Ok(Some(found.clone()));
        }
        // Asked once an event: the number alone costs no lock.
        if from > self.last {
            self.last = self.orders.shared.spool.last();
            if from > self.last {
                return Ok(None);
            }
        }
        let Some(batch) = self.orders.shared.spool.next(from)? else { return Ok(None) };
        let id = batch.id;
        let looked = Arc::new(self.readers.look(batch)?);
        if id > self.counted {
            self.counted = id;
            self.filtered += looked.filtered as u64;
            self.unreadable += looked.unreadable as u64;
            if looked.unreadable > 0 && self.told.insert(looked.why().to_owned()) {
                log(format_args!("output {}: {}", self.config.name, looked.complaint()));
            }
        }
        if self.recent.len() >= KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(looked.clone());
        Ok(Some(looked))
    }
}
