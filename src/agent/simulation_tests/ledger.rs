//! What was stored, what arrived, and what the agent may believe of it.
use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    super::model_tests::{What, lane_of},
    Variant,
};
use crate::spool::{Cursor, Lane, Spool};

/// The one output.
pub const OUTPUT: &str = "out";

/// See the module. Events are numbered in the order of the log.
pub struct Ledger {
    began: Instant,
    variant: Variant,
    events: BTreeMap<u64, What>,
    log: BTreeMap<i64, Vec<u64>>,
    /// How often each event arrived.
    arrived: BTreeMap<u64, u32>,
    /// The last event of each lane that arrived for the first time.
    last: BTreeMap<Lane, u64>,
    /// Entries that arrived once more.
    pub again: u64,
    /// The shortest line, which is no shorter than this at least.
    pub shortest: usize,
    /// Cursors as they were last looked at.
    passed: BTreeMap<Lane, Cursor>,
    /// What happened, as a number: the same for the same run.
    pub trace: u64,
}

impl Ledger {
    pub fn new(variant: Variant) -> Ledger {
        let (events, log, arrived) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (last, passed) = (BTreeMap::new(), BTreeMap::new());
        let began = Instant::now();
        Ledger { began, variant, events, log, arrived, last, again: 0, shortest: 200, passed, trace: 0 }
    }

    /// The number of an event that is to be stored.
    pub fn event(&mut self, what: What) -> u64 {
        let n = self.events.len() as u64 + 1;
        self.events.insert(n, what);
        n
    }

    pub fn stored(&mut self, batch: i64, events: Vec<u64>) {
        assert_eq!(batch, self.log.len() as i64 + 1, "numbers of batches");
        self.log.insert(batch, events);
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    pub fn what(&self, n: u64) -> What {
        self.events[&n]
    }

    /// Whether events can be in a lane.
    fn has(&self, lane: Lane) -> bool {
        let (first, budget) = (!self.variant.first().is_empty(), self.variant.budget);
        [first, first && budget, true, budget][lane.index()]
    }

    /// The lane of an event; `None` for one that the filter drops.
    fn lane(&self, n: u64) -> Option<Lane> {
        let what = self.events[&n];
        // Its filter drops these.
        (what != What::Entry("CD")).then(|| lane_of(self.variant, what))
    }

    /// A receiver has taken a line, for good.
    pub fn takes(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let Ok(line) = serde_json::from_slice::<serde_json::Value>(line) else { panic!("half a line: {text}") };
        let system = line["system"].as_str().unwrap_or_default();
        let number = line["sequence"].as_str().or_else(|| system.strip_prefix('n')).and_then(|s| s.parse().ok());
        let Some(n) = number else {
            assert!(text.contains("heartbeat"), "what is this: {text}");
            return;
        };
        let Some(lane) = self.lane(n) else { panic!("event {n} is to be dropped") };
        let millis = self.began.elapsed().as_millis() as u64;
        self.trace = (self.trace ^ n ^ millis << 20).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        let times = self.arrived.entry(n).or_default();
        *times += 1;
        if *times > 1 {
            self.again += u64::from(self.events[&n] != What::Notice);
            return;
        }
        self.shortest = self.shortest.min(text.len());
        if let Some(last) = self.last.insert(lane, n) {
            assert!(n > last, "{lane:?}: event {n} arrives behind {last}");
        }
    }

    /// Events of the log between two places.
    fn between(&self, from: Cursor, to: Cursor) -> impl Iterator<Item = u64> {
        let batches = self.log.range(from.batch..=to.batch.max(from.batch));
        batches.flat_map(move |(id, events)| {
            let first = if *id == from.batch { from.event } else { 0 };
            let end = if *id == to.batch { to.event.min(events.len()) } else { events.len() };
            events.get(first..end.max(first)).unwrap_or_default().iter().copied()
        })
    }

    /// No cursor stands behind an event of its lane that no receiver took.
    pub fn check_cursors(&mut self, spool: &Spool) {
        for lane in Lane::ALL {
            let (before, now) = (self.passed.get(&lane).copied().unwrap_or_default(), spool.cursor(OUTPUT, lane));
            if before == now {
                continue;
            }
            let missing =
                self.between(before, now).find(|n| self.lane(*n) == Some(lane) && !self.arrived.contains_key(n));
            assert!(
                missing.is_none(),
                "{lane:?} goes from {before:?} to {now:?}, and event {missing:?} did not arrive"
            );
            self.passed.insert(lane, now);
        }
    }

    /// After a start: cursors may stand before where they were. How many entries may come again because of that.
    pub fn reopened(&mut self, spool: &Spool) -> u64 {
        self.passed = Lane::ALL.into_iter().map(|lane| (lane, spool.cursor(OUTPUT, lane))).collect();
        let end = Cursor { batch: i64::MAX, event: 0 };
        let mut again = 0;
        for (lane, at) in &self.passed {
            let behind =
                self.between(*at, end).filter(|n| self.lane(*n) == Some(*lane) && self.events[n] != What::Notice);
            again += behind.count() as u64;
        }
        again
    }

    /// Entries that the output has passed by these cursors: those that were sent, and those that were dropped.
    pub fn passed(&self, cursors: &BTreeMap<Lane, Cursor>) -> (u64, u64) {
        let (mut sent, mut dropped) = (0, 0);
        let slowest = cursors.iter().filter(|(lane, _)| self.has(**lane)).map(|(_, at)| *at).min().unwrap_or_default();
        let start = Cursor::default();
        for (lane, at) in cursors.iter().filter(|(lane, _)| self.has(**lane)) {
            let entries = self.between(start, *at).filter(|n| self.events[n] != What::Notice);
            sent += entries.filter(|n| self.lane(*n) == Some(*lane)).count() as u64;
        }
        dropped += self.between(start, slowest).filter(|n| self.lane(*n).is_none()).count() as u64;
        (sent, dropped)
    }

    /// Everything that is to arrive has.
    pub fn check_end(&self) {
        let missing: Vec<u64> =
            self.events.keys().copied().filter(|n| self.lane(*n).is_some() && !self.arrived.contains_key(n)).collect();
        assert!(missing.is_empty(), "did not arrive: {missing:?}");
    }
}

/// Where all lanes are.
pub fn cursors(spool: &Spool) -> BTreeMap<Lane, Cursor> {
    Lane::ALL.into_iter().map(|lane| (lane, spool.cursor(OUTPUT, lane))).collect()
}
