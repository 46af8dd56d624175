//! What was appended, what each output's receiver has read, and what therefore may and may not be.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Variant;
use crate::spool::{Cursor, Lane, Spool};

/// An event by its number; nothing stands for what the spool tells of what is missing.
pub type Event = Option<u64>;
/// The outputs.
pub const OUTPUTS: [&str; 2] = ["a", "b"];

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An entry of this type.
    Entry(&'static str),
    /// A notice of the agent.
    Notice,
}

/// One output.
#[derive(Default)]
pub struct Told {
    read: BTreeSet<u64>,
    gaps: usize,
    /// Events that left the window, and those of them that a cursor on the disk stands behind.
    left: BTreeSet<u64>,
    durable: BTreeSet<u64>,
    /// What the lanes mean, as the spool was told, and as it is on the disk.
    lanes: [Option<Variant>; 2],
}

/// The model.
#[derive(Default)]
pub struct Ledger {
    pub events: BTreeMap<u64, What>,
    log: BTreeMap<i64, Vec<u64>>,
    places: HashMap<u64, Cursor>,
    told: [Told; 2],
    /// The cursors as they were last committed.
    committed: Option<Vec<Cursor>>,
    /// A bit of the disk is another: what was kept may come twice, or be told to be missing.
    pub flipped: bool,
}

impl Ledger {
    /// A batch is on the disk, and so are the cursors.
    pub fn appended(&mut self, id: i64, events: &[u64], spool: &Spool) {
        self.log.insert(id, events.to_vec());
        for (event, n) in events.iter().enumerate() {
            self.places.insert(*n, Cursor { batch: id, event });
        }
        self.committed(spool);
    }

    /// The cursors are on the disk.
    pub fn committed(&mut self, spool: &Spool) {
        self.committed = Some(cursors(spool));
        for told in &mut self.told {
            told.durable = told.left.clone();
            told.lanes[1] = told.lanes[0];
        }
    }

    /// The agent was killed and has opened its spool again.
    pub fn reopened(&mut self, spool: &Spool) {
        for told in &mut self.told {
            told.left = told.durable.clone();
            told.lanes[0] = told.lanes[1];
        }
        if self.flipped {
            return;
        }
        let found = cursors(spool);
        assert_eq!(found, self.committed.clone().unwrap_or_else(|| vec![Cursor::default(); found.len()]));
    }

    /// An output is made known. Where its lanes mean something else than before, all go back to the slowest.
    pub fn registered(&mut self, output: usize, variant: Variant, spool: &Spool) {
        let (told, places) = (&mut self.told[output], &self.places);
        if told.lanes[0].replace(variant).is_none_or(|before| before == variant) {
            return;
        }
        let slowest = Lane::ALL.iter().map(|l| spool.cursor(OUTPUTS[output], *l)).min().unwrap_or_default();
        told.left.retain(|n| places[n] < slowest);
        told.durable.retain(|n| places[n] < slowest);
    }

    /// An event goes: is it the one that stands there, in its lane, and may it go (again)?
    pub fn goes(&self, output: usize, variant: Variant, event: Event, (lane, at): (Lane, Cursor)) {
        if self.flipped {
            return;
        }
        let n = event.expect("nothing is missing");
        assert_eq!(self.log.get(&at.batch).and_then(|b| b.get(at.event)), Some(&n), "at {at:?}");
        assert_eq!(self.lane(output, variant, n), Some(lane), "event {n}");
        assert!(!self.told[output].left.contains(&n), "event {n} goes again to {}", OUTPUTS[output]);
    }

    /// Lines were read.
    pub fn read(&mut self, output: usize, events: Vec<Event>) {
        for event in events {
            match event {
                Some(n) => _ = self.told[output].read.insert(n),
                None => self.told[output].gaps += 1,
            }
        }
    }

    /// Lines left the window.
    pub fn left(&mut self, output: usize, events: Vec<Event>) {
        self.told[output].left.extend(events.into_iter().flatten());
    }

    /// The lane of an event at an output; `None` where its filter drops it.
    fn lane(&self, output: usize, variant: Variant, n: u64) -> Option<Lane> {
        let what = self.events[&n];
        (output != 1 || what != What::Entry("CD")).then(|| lane_of(variant, what))
    }

    fn needs(&self, output: usize, n: u64) -> bool {
        self.lane(output, Variant::default(), n).is_some() && !self.told[output].read.contains(&n)
    }

    /// No cursor stands behind an event of its lane that was not read.
    pub fn check_cursors(&self, output: usize, variant: Variant, spool: &Spool) {
        if self.flipped {
            return;
        }
        for lane in Lane::ALL {
            let cursor = spool.cursor(OUTPUTS[output], lane);
            for (batch, events) in self.log.range(..=cursor.batch) {
                let passed = events.iter().take(if *batch < cursor.batch { events.len() } else { cursor.event });
                for n in passed.filter(|n| self.lane(output, variant, **n) == Some(lane)) {
                    assert!(!self.needs(output, *n), "{}: {lane:?} is at {cursor:?}, behind {n}", OUTPUTS[output]);
                }
            }
        }
    }

    /// What is deleted was read by both.
    pub fn check_deleted(&self, spool: &Spool) {
        if self.flipped {
            return;
        }
        let first = spool.next(1).unwrap().map_or(spool.last() + 1, |b| b.id);
        for n in self.log.range(..first).flat_map(|(_, events)| events) {
            assert!((0..2).all(|o| !self.needs(o, *n)), "event {n} is deleted");
        }
    }

    /// Everything is drained: what was not read was told to be missing.
    pub fn check_end(&self) {
        for (output, told) in self.told.iter().enumerate() {
            let missing: Vec<u64> = self.events.keys().filter(|n| self.needs(output, **n)).copied().collect();
            assert!(missing.is_empty() || self.flipped && told.gaps > 0, "{}: {missing:?}", OUTPUTS[output]);
            assert!(told.gaps == 0 || self.flipped, "{} gaps", told.gaps);
        }
    }
}

/// All cursors.
fn cursors(spool: &Spool) -> Vec<Cursor> {
    OUTPUTS.iter().flat_map(|o| Lane::ALL.map(|l| spool.cursor(o, l))).collect()
}

/// The lane of an event, as the configuration of an output has it.
pub fn lane_of(variant: Variant, what: What) -> Lane {
    match what {
        What::Notice => Lane::of(!variant.first().is_empty(), false),
        What::Entry(code) => Lane::of(variant.first().contains(&code), variant.budget && code != "AF"),
    }
}
