//! Cursors: how far an output is with each of its lanes.
use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

/// Which events of the log a cursor is about. Order holds within a lane.
///
/// Two questions make four lanes: does the event go first when the output is behind, and is it held back when the output's
/// daily budget is spent?
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Lane {
    /// Goes first, and passes a spent budget.
    Priority,
    /// Goes first, but not when the budget is spent.
    PriorityHeld,
    /// Passes a spent budget.
    Normal,
    /// Waits when the budget is spent.
    Held,
}

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// All.
    pub const ALL: [Lane; Lane::COUNT] = [Lane::Priority, Lane::PriorityHeld, Lane::Normal, Lane::Held];

    /// The lane of an event that goes first or not, and is held back by a spent budget or not.
    pub fn of(first: bool, held: bool) -> Lane {
        match (first, held) {
            (true, false) => Lane::Priority,
            (true, true) => Lane::PriorityHeld,
            (false, false) => Lane::Normal,
            (false, true) => Lane::Held,
        }
    }

    /// Whether its events pass a spent daily budget.
    pub fn passes(self) -> bool {
        matches!(self, Lane::Priority | Lane::Normal)
    }

    /// For tables.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Priority => "priority",
            Lane::PriorityHeld => "priority, held by a spent budget",
            Lane::Normal => "normal",
            Lane::Held => "held by a spent budget",
        }
    }
}

/// A place in the log: the next event of a lane. It stands before the event, not behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Default)]
pub struct Cursor {
    /// The batch.
    pub batch: i64,
    /// The event in it.
    pub event: usize,
}

/// The cursors of all outputs and lanes.
pub(super) type Cursors = BTreeMap<(String, Lane), Cursor>;

pub(super) fn read(db: &Connection) -> rusqlite::Result<Cursors> {
    let mut s = db.prepare("SELECT output, lane, batch, event FROM cursor")?;
    let rows = s.query_map([], |r| {
        let lane = usize::try_from(r.get::<_, i64>(1)?).ok().and_then(|n| Lane::ALL.get(n).copied());
        let event = usize::try_from(r.get::<_, i64>(3)?).unwrap_or(0);
        Ok(((r.get(0)?, lane.unwrap_or(Lane::Normal)), Cursor { batch: r.get(2)?, event }))
    })?;
    rows.collect()
}

pub(super) fn write(t: &Transaction<'_>, cursors: &Cursors) -> rusqlite::Result<()> {
    let mut s =
        t.prepare_cached("INSERT OR REPLACE INTO cursor (output, lane, batch, event) VALUES (?1, ?2, ?3, ?4)")?;
    for ((output, lane), c) in cursors {
        s.execute(params![output, lane.index() as i64, c.batch, c.event as i64])?;
    }
    Ok(())
}
