//! Cursors: how far an output is with each of its lanes.
use std::collections::BTreeMap;

use rusqlite::{Connection, Row, Transaction, params};

use super::seal::{Seal, column};
use crate::digest::Hash;

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
    pub fn is_exempt(self) -> bool {
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

/// A cursor with what is on the disk of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where it stands.
    pub(super) now: Cursor,
    /// The last generation that was written, and what it says.
    generation: i64,
    written: Option<Cursor>,
}

impl Kept {
    /// One that is not on the disk yet.
    pub(super) fn new(now: Cursor) -> Kept {
        Kept { now, ..Kept::default() }
    }
}

/// The cursors of all outputs and lanes.
pub(super) type Cursors = BTreeMap<(String, Lane), Kept>;

/// Reads the cursors: of each the last generation that is what was written. Sentences say which were not.
pub(super) fn read(db: &Connection, version: i64) -> rusqlite::Result<(Cursors, Vec<String>)> {
    let mut cursors = Cursors::new();
    let mut notes = Vec::new();
    if version < 3 {
        return Ok((read_unsealed(db, version)?, notes));
    }
    let mut s = db.prepare("SELECT output, lane, slot, generation, batch, event, sum FROM cursor")?;
    let mut rows = s.query([])?;
    while let Some(row) = rows.next()? {
        let Some((key, kept)) = sealed(row)? else {
            let output: Option<String> = column(row, 0)?;
            let output = output.unwrap_or_default();
            notes.push(format!(
                "a cursor of output {output:?} in the spool is damaged: its last generation that is whole counts, and events may come twice"
            ));
            continue;
        };
        let known = cursors.entry(key).or_insert(kept);
        if known.generation < kept.generation {
            *known = kept;
        }
    }
    Ok((cursors, notes))
}

/// A row of the table, where it is what was written.
fn sealed(row: &Row<'_>) -> rusqlite::Result<Option<((String, Lane), Kept)>> {
    let (output, lane): (Option<String>, Option<i64>) = (column(row, 0)?, column(row, 1)?);
    let (slot, generation): (Option<i64>, Option<i64>) = (column(row, 2)?, column(row, 3)?);
    let (batch, event, sum): (Option<i64>, Option<i64>, Option<Hash>) =
        (column(row, 4)?, column(row, 5)?, column(row, 6)?);
    let whole = || {
        let (output, lane, slot, generation) = (output?, lane?, slot?, generation?);
        let (batch, event) = (batch?, event?);
        let is = seal(&output, lane, slot, generation, batch, event) == sum?;
        let lane = Lane::ALL.get(usize::try_from(lane).ok()?).copied()?;
        let now = Cursor { batch, event: usize::try_from(event).ok()? };
        is.then_some(((output, lane), Kept { now, generation, written: Some(now) }))
    };
    Ok(whole())
}

fn seal(output: &str, lane: i64, slot: i64, generation: i64, batch: i64, event: i64) -> Hash {
    let seal = Seal::of("cursor").text(output).number(lane).number(slot);
    seal.number(generation).number(batch).number(event).done()
}

/// The cursors of versions 1 and 2, which have one generation and no sums. Version 1 had two lanes: first and normal.
fn read_unsealed(db: &Connection, version: i64) -> rusqlite::Result<Cursors> {
    let mut s = db.prepare("SELECT output, lane, batch, event FROM cursor")?;
    let mut rows = s.query([])?;
    let mut cursors = Cursors::new();
    while let Some(row) = rows.next()? {
        let (output, lane): (Option<String>, Option<i64>) = (column(row, 0)?, column(row, 1)?);
        let (batch, event): (Option<i64>, Option<i64>) = (column(row, 2)?, column(row, 3)?);
        let lanes: &[Lane] = match (version, lane) {
            (1, Some(0)) => &[Lane::Priority, Lane::PriorityHeld],
            (1, Some(1)) => &[Lane::Normal, Lane::Held],
            (_, Some(n)) => usize::try_from(n).ok().and_then(|n| Lane::ALL.get(n..=n)).unwrap_or_default(),
            (_, None) => &[],
        };
        let event = event.and_then(|e| usize::try_from(e).ok());
        if let (Some(output), Some(batch), Some(event)) = (output, batch, event) {
            for lane in lanes {
                cursors.insert((output.clone(), *lane), Kept::new(Cursor { batch, event }));
            }
        }
    }
    Ok(cursors)
}

/// Writes the cursors that moved since they were last written, each over its older generation. When the transaction is
/// committed, [`written`] says so.
pub(super) fn write(t: &Transaction<'_>, cursors: &Cursors) -> rusqlite::Result<()> {
    let mut s = t.prepare_cached(
        "INSERT OR REPLACE INTO cursor (output, lane, slot, generation, batch, event, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for ((output, lane), kept) in cursors.iter().filter(|(_, k)| k.written != Some(k.now)) {
        let generation = kept.generation + 1;
        let (lane, slot) = (lane.index() as i64, generation % 2);
        let (batch, event) = (kept.now.batch, i64::try_from(kept.now.event).unwrap_or(0));
        let sum = seal(output, lane, slot, generation, batch, event);
        s.execute(params![output, lane, slot, generation, batch, event, sum])?;
    }
    Ok(())
}

/// The cursors that moved since they were last written.
pub(super) fn moved(cursors: &Cursors) -> Cursors {
    cursors.iter().filter(|(_, k)| k.written != Some(k.now)).map(|(key, kept)| (key.clone(), *kept)).collect()
}

/// Whether there are any such.
pub(super) fn have_moved(cursors: &Cursors) -> bool {
    cursors.values().any(|k| k.written != Some(k.now))
}

/// What [`write`] wrote of these cursors, as [`moved`] gave them, is on the disk.
pub(super) fn written(cursors: &mut Cursors, on_disk: &Cursors) {
    for (key, was) in on_disk.iter().filter(|(_, k)| k.written != Some(k.now)) {
        if let Some(kept) = cursors.get_mut(key) {
            kept.generation = was.generation + 1;
            kept.written = Some(was.now);
        }
    }
}
