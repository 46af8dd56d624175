//! A batch that was looked through: what becomes of each of its events at one output, and how many there are of each kind.
use std::sync::Arc;

use crate::{
    event::{Notice, notice::GAP},
    spool::{Batch, Lane},
};

/// What becomes of one event at this output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It goes, in this lane; its severity is at least this.
    Sent(Lane, u8),
    /// The filter of the output drops it.
    Filtered,
    /// It is stored, and cannot be seen as an entry again.
    Unreadable,
    /// The first of a batch that cannot be: in its place a notice goes, in this lane, that says so.
    StandIn(Lane),
}

impl Disposition {
    /// The lane in which something goes.
    fn lane(self) -> Option<Lane> {
        match self {
            Disposition::Sent(lane, _) | Disposition::StandIn(lane) => Some(lane),
            Disposition::Filtered | Disposition::Unreadable => None,
        }
    }
}

/// How many events of a batch go in which lane, and how many nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    lanes: [u32; Lane::COUNT],
    /// Stand-ins among those.
    stand_ins: [u32; Lane::COUNT],
    /// Events that the filter of the output drops.
    pub filtered: u32,
    /// Events that cannot be seen as entries again.
    pub unreadable: u32,
}

impl Counts {
    fn add(&mut self, disposition: Disposition) {
        if let Some(n) = disposition.lane().and_then(|l| self.lanes.get_mut(l.index())) {
            *n += 1;
        }
        if let Disposition::StandIn(lane) = disposition
            && let Some(n) = self.stand_ins.get_mut(lane.index())
        {
            *n += 1;
        }
        self.filtered += u32::from(disposition == Disposition::Filtered);
        self.unreadable += u32::from(matches!(disposition, Disposition::Unreadable | Disposition::StandIn(_)));
    }

    /// What goes in a lane.
    pub fn of(&self, lane: Lane) -> u32 {
        self.lanes.get(lane.index()).copied().unwrap_or(0)
    }

    /// Events that are delivered with a lane: a stand-in is a notice, and its event goes nowhere.
    pub fn delivered(&self, lane: Lane) -> u32 {
        self.of(lane) - self.stand_ins.get(lane.index()).copied().unwrap_or(0)
    }

    /// Events that go nowhere: dropped ones, and those that cannot be read.
    pub fn nowhere(&self) -> [u64; 2] {
        [self.filtered.into(), self.unreadable.into()]
    }
}

/// A batch, looked through.
pub struct ClassifiedBatch {
    /// The batch.
    pub batch: Arc<Batch>,
    dispositions: Vec<Disposition>,
    /// How many events of each kind it has.
    pub counts: Counts,
    notices: Lane,
    /// Why the first that cannot be read cannot.
    why: String,
}

impl ClassifiedBatch {
    /// Of no event yet; notices go in this lane.
    pub fn new(batch: Arc<Batch>, notices: Lane) -> ClassifiedBatch {
        ClassifiedBatch {
            dispositions: Vec::with_capacity(batch.len()),
            counts: Counts::default(),
            notices,
            why: String::new(),
            batch,
        }
    }

    /// What becomes of the next event.
    pub fn add(&mut self, seen: Result<Disposition, String>) {
        let disposition = seen.unwrap_or_else(|why| {
            if self.counts.unreadable > 0 {
                return Disposition::Unreadable;
            }
            self.why = why;
            Disposition::StandIn(self.notices)
        });
        self.counts.add(disposition);
        self.dispositions.push(disposition);
    }

    /// The first event of a lane from `from` on.
    pub fn next(&self, lane: Lane, from: usize) -> Option<usize> {
        if self.counts.of(lane) == 0 {
            return None;
        }
        let rest = self.dispositions.get(from..)?;
        rest.iter().position(|f| f.lane() == Some(lane)).map(|n| from + n)
    }

    /// What becomes of an event.
    pub fn disposition(&self, n: usize) -> Option<Disposition> {
        self.dispositions.get(n).copied()
    }

    /// What the events before one come to.
    pub fn before(&self, n: usize) -> Counts {
        let mut counts = Counts::default();
        self.dispositions.iter().take(n).for_each(|f| counts.add(*f));
        counts
    }

    /// Whether an event is one in whose place a notice goes.
    pub fn is_stand_in(&self, n: usize) -> bool {
        matches!(self.disposition(n), Some(Disposition::StandIn(_)))
    }

    /// Why what cannot be read cannot.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What of the batch cannot be read, and why.
    pub fn complaint(&self) -> String {
        let a = &self.batch.header;
        format!(
            "{} of {} stored events cannot be read again: {} (batch {}, source {}, receiver {}, sequence {} to {})",
            self.counts.unreadable,
            self.batch.len(),
            self.why,
            self.batch.id,
            a.source,
            a.receiver,
            a.first_sequence,
            a.last_sequence
        )
    }

    /// The notice in the place of what cannot be read.
    pub fn stand_in(&self) -> Notice {
        let a = &self.batch.header;
        let zone = a.zone.parse().unwrap_or(chrono_tz::UTC);
        Notice::new(GAP, &a.system, a.created_at, zone).with("source", &a.source).with("missing", self.complaint())
    }
}
