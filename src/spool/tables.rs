//! The rows of a spool beside batches and cursors: sources and their parts, outputs, the numbers of the log. Each row has a
//! sum over all its columns; one that is not what was written is left out, which costs duplicates and no events.
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    cursor::{self, Cursors},
    seal::{Seal, column},
};
use crate::digest::Hash;

/// What is kept of an output beside its cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OutputState {
    /// What it has spent of its daily budget, as its meter says it.
    pub(super) spent: Option<String>,
    /// Which lane an event is in, as the configuration said when the cursors moved.
    pub(super) lanes: Option<String>,
}

impl OutputState {
    fn seal(&self, name: &str) -> Hash {
        let seal = Seal::of("output").text(name);
        seal.optional(self.spent.as_deref()).optional(self.lanes.as_deref()).done()
    }
}

pub(super) type Outputs = BTreeMap<String, OutputState>;

/// The numbers of the batches that are to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    generation: i64,
    /// Batches before this one were delivered and deleted.
    pub(super) first: i64,
    /// The last batch that was ever stored.
    pub(super) last: i64,
}

impl Log {
    /// One that is not on the disk yet.
    pub(super) fn new(first: i64, last: i64) -> Log {
        Log { generation: 0, first, last }
    }

    fn seal(&self, slot: i64) -> Hash {
        Seal::of("log").number(slot).number(self.generation).number(self.first).number(self.last).done()
    }

    /// The same generation with other numbers.
    pub(super) fn with(&self, first: i64, last: i64) -> Log {
        Log { first, last, ..*self }
    }

    /// Reads the newest generation that is what was written.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Option<Log>> {
        let mut s = db.prepare("SELECT slot, generation, first, last, sum FROM log")?;
        let mut rows = s.query([])?;
        let mut newest: Option<Log> = None;
        while let Some(row) = rows.next()? {
            let numbers: [Option<i64>; 4] = [column(row, 0)?, column(row, 1)?, column(row, 2)?, column(row, 3)?];
            let sum: Option<Hash> = column(row, 4)?;
            let [Some(slot), Some(generation), Some(first), Some(last)] = numbers else { continue };
            let log = Log { generation, first, last };
            if sum == Some(log.seal(slot)) && newest.is_none_or(|n| n.generation < generation) {
                newest = Some(log);
            }
        }
        Ok(newest)
    }

    /// Writes the next generation over the older one, and returns it.
    pub(super) fn write(&self, t: &Transaction<'_>) -> rusqlite::Result<Log> {
        let next = Log { generation: self.generation + 1, ..*self };
        let slot = next.generation % 2;
        t.prepare_cached(
            "INSERT OR REPLACE INTO log (slot, generation, first, last, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![slot, next.generation, next.first, next.last, next.seal(slot)])?;
        Ok(next)
    }
}

/// Cursors that moved, and what is kept of outputs.
pub(super) fn write_state(t: &Transaction<'_>, cursors: &Cursors, outputs: &Outputs) -> rusqlite::Result<()> {
    cursor::write(t, cursors)?;
    let mut s = t.prepare_cached("INSERT OR REPLACE INTO output (name, spent, lanes, sum) VALUES (?1, ?2, ?3, ?4)")?;
    for (name, kept) in outputs {
        s.execute(params![name, kept.spent, kept.lanes, kept.seal(name)])?;
    }
    Ok(())
}

/// What is kept of outputs; the names of those whose row is damaged come with it.
pub(super) fn outputs(db: &Connection, version: i64) -> rusqlite::Result<(Outputs, Vec<String>)> {
    let (mut found, mut damaged) = (Outputs::new(), Vec::new());
    let mut s = match version {
        1 => return Ok((found, damaged)),
        2 => db.prepare("SELECT name, spent, lanes, NULL FROM output")?,
        _ => db.prepare("SELECT name, spent, lanes, sum FROM output")?,
    };
    let mut rows = s.query([])?;
    while let Some(row) = rows.next()? {
        let name: Option<String> = column(row, 0)?;
        let (spent, lanes): (Option<Option<String>>, Option<Option<String>>) = (column(row, 1)?, column(row, 2)?);
        let sum: Option<Option<Hash>> = column(row, 3)?;
        match (name, spent, lanes) {
            (Some(name), Some(spent), Some(lanes)) => {
                let kept = OutputState { spent, lanes };
                if version < 3 || sum == Some(Some(kept.seal(&name))) {
                    found.insert(name, kept);
                } else {
                    damaged.push(name);
                }
            }
            (name, ..) => damaged.push(name.unwrap_or_default()),
        }
    }
    Ok((found, damaged))
}

/// Where a source stands: its position, and the hash that its next batch is chained to.
pub(super) type SourceRow = (String, Hash);

fn seal_source(name: &str, position: &str, raw: &Hash) -> Hash {
    Seal::of("source").text(name).text(position).bytes(raw).done()
}

/// Writes where a source stands.
pub(super) fn write_source(t: &Transaction<'_>, name: &str, (position, raw): (&str, &Hash)) -> rusqlite::Result<()> {
    t.prepare_cached("INSERT OR REPLACE INTO source (name, position, raw_sha256, sum) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name, position, raw, seal_source(name, position, raw)])?;
    Ok(())
}

/// Where every source stands; the names of those whose row is damaged come with it.
pub(super) fn sources(db: &Connection, version: i64) -> rusqlite::Result<(BTreeMap<String, SourceRow>, Vec<String>)> {
    let (mut found, mut damaged) = (BTreeMap::new(), Vec::new());
    let sum = if version < 3 { "NULL" } else { "sum" };
    let mut s = db.prepare(&format!("SELECT name, position, raw_sha256, {sum} FROM source ORDER BY name"))?;
    let mut rows = s.query([])?;
    while let Some(row) = rows.next()? {
        match source(row, version)? {
            (Some(name), Some(is)) => _ = found.insert(name, is),
            (name, _) => damaged.push(name.unwrap_or_default()),
        }
    }
    Ok((found, damaged))
}

fn source(row: &Row<'_>, version: i64) -> rusqlite::Result<(Option<String>, Option<SourceRow>)> {
    let (name, position): (Option<String>, Option<String>) = (column(row, 0)?, column(row, 1)?);
    let (raw, sum): (Option<Hash>, Option<Option<Hash>>) = (column(row, 2)?, column(row, 3)?);
    let whole = match (&name, position, raw) {
        (Some(name), Some(position), Some(raw)) => {
            let is = version < 3 || sum == Some(Some(seal_source(name, &position, &raw)));
            is.then_some((position, raw))
        }
        _ => None,
    };
    Ok((name, whole))
}

/// Where one source stands; nothing where there is no row, or one that is damaged.
pub(super) fn one_source(db: &Connection, name: &str) -> rusqlite::Result<Option<SourceRow>> {
    db.prepare_cached("SELECT name, position, raw_sha256, sum FROM source WHERE name = ?1")?
        .query_row([name], |r| source(r, 3))
        .optional()
        .map(|found| found.and_then(|(_, row)| row))
}

/// A part of a source: its name, where it stands, and the batch it was last read into.
pub(super) type PartRow = (String, (String, i64));

fn seal_part(source: &str, name: &str, position: &str, batch: i64) -> Hash {
    Seal::of("part").text(source).text(name).text(position).number(batch).done()
}

/// Writes where a part stands.
pub(super) fn write_file(
    t: &Transaction<'_>,
    source: &str,
    (name, (position, batch)): (&str, (&str, i64)),
) -> rusqlite::Result<()> {
    t.prepare_cached("INSERT OR REPLACE INTO part (source, name, position, batch, sum) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![source, name, position, batch, seal_part(source, name, position, batch)])?;
    Ok(())
}

/// The parts of a source, or of all with their sources; how many rows are damaged comes with them. A part whose row is damaged
/// is read from its start.
pub(super) fn files(
    db: &Connection,
    version: i64,
    source: Option<&str>,
) -> rusqlite::Result<(Vec<(String, PartRow)>, u64)> {
    let (mut found, mut damaged) = (Vec::new(), 0);
    if version < 2 {
        return Ok((found, damaged));
    }
    let sum = if version < 3 { "NULL" } else { "sum" };
    let mut s = db.prepare_cached(&format!(
        "SELECT source, name, position, batch, {sum} FROM part WHERE ?1 IS NULL OR source = ?1"
    ))?;
    let mut rows = s.query([source])?;
    while let Some(row) = rows.next()? {
        let texts: [Option<String>; 3] = [column(row, 0)?, column(row, 1)?, column(row, 2)?];
        let (batch, sum): (Option<i64>, Option<Option<Hash>>) = (column(row, 3)?, column(row, 4)?);
        match (texts, batch) {
            ([Some(of), Some(name), Some(position)], Some(batch))
                if version < 3 || sum == Some(Some(seal_part(&of, &name, &position, batch))) =>
            {
                found.push((of, (name, (position, batch))));
            }
            _ => damaged += 1,
        }
    }
    Ok((found, damaged))
}

/// Takes parts of a source off the disk, in one transaction.
pub(super) fn forget_files(db: &mut Connection, source: &str, names: &[String]) -> rusqlite::Result<()> {
    let t = db.transaction()?;
    for name in names {
        t.prepare_cached("DELETE FROM part WHERE source = ?1 AND name = ?2")?.execute([source, name])?;
    }
    t.commit()
}
