//! Looking into a spool database without using it: in numbers, batch by batch, also while an agent runs and for one that was set
//! aside. Nothing is written.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension};

use super::{
    SpoolError,
    batch::{Batch, BatchHeader},
    cursor::{self, Cursor},
    fault::Fault,
    load, parked,
    rows::{self, Found as Row},
    schema::{self, Shape},
    tables, wal,
};

/// A database that is looked into.
pub struct Inspector {
    path: PathBuf,
    db: Connection,
    /// Of its tables.
    version: i64,
    /// What is wrong with them.
    altered: Option<String>,
}

/// A batch as it is stored: its number, what it says of itself, and its events or why they cannot be had.
pub struct Found {
    /// Its number.
    pub id: i64,
    /// What it says of itself; `None` where that cannot be read.
    pub header: Option<BatchHeader>,
    /// Events it says it has.
    pub events: i64,
    /// The batch, or what is wrong with it.
    pub batch: Result<Batch, String>,
}

/// Where a source stands, as it was stored.
#[derive(Clone, Debug)]
pub struct SourceFound {
    /// Its name.
    pub name: String,
    /// Its position, as JSON.
    pub position: String,
}

impl Inspector {
    /// Opens a database for reading.
    pub fn open(path: &Path) -> Result<Inspector, SpoolError> {
        Inspector::with(path, schema::look)
    }

    /// The same of one that no agent uses: nothing is made beside it either.
    pub fn open_unused(path: &Path) -> Result<Inspector, SpoolError> {
        Inspector::with(path, schema::look_alone)
    }

    fn with(path: &Path, look: fn(&Path) -> rusqlite::Result<Connection>) -> Result<Inspector, SpoolError> {
        let error = |e| Fault::from(e).at(path);
        fs::metadata(path).map_err(|source| SpoolError::Io { path: path.to_owned(), source })?;
        let db = look(path).map_err(error)?;
        let (version, altered) = match schema::shape(&db).map_err(error)? {
            Shape::Spool(version) => (version, None),
            Shape::Altered(version, why) => (version, Some(why)),
            Shape::Newer(version) => return Err(SpoolError::Newer { path: path.to_owned(), version }),
            Shape::Empty => return Err(Fault::Damage("nothing was ever stored in it".to_owned()).at(path)),
            Shape::Foreign(why) => return Err(Fault::Damage(why).at(path)),
        };
        Ok(Inspector { path: path.to_owned(), db, version, altered })
    }

    fn error(&self, source: rusqlite::Error) -> SpoolError {
        SpoolError::Database { path: self.path.clone(), source }
    }

    /// What is wrong with everything but the batches themselves: the pages, the tables, the rows of state, numbers that are missing, the
    /// chain of hashes.
    pub fn faults(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self.altered.iter().map(|why| format!("the database: {why}")).collect();
        // An agent that runs writes to it: what is damaged is so at the second look too.
        let log = || wal::look(&self.path).unwrap_or_default().map(|(_, found)| found);
        wrong.extend(log().filter(|found| log() == Some(*found)).map(|found| format!("the database: {found}")));
        match schema::quick_check(&self.db) {
            Ok(found) => wrong.extend(found.map(|text| format!("the database: {text}"))),
            Err(e) => wrong.push(format!("the database: {e}")),
        }
        if self.version >= 3 {
            match load::load(&self.db) {
                Ok(loaded) => {
                    wrong.extend(loaded.missing.iter().map(|(first, last)| match first == last {
                        true => format!("batch {first} is missing"),
                        false => format!("batches {first} to {last} are missing"),
                    }));
                    wrong.extend(loaded.notes);
                    wrong.extend(loaded.broken);
                }
                Err(e) => wrong.push(format!("what it keeps beside batches cannot be read: {e}")),
            }
            let checked = parked::each(&self.db, &mut |id, record| {
                if record.is_none() {
                    wrong.push(format!("parked record {id} is not what was written"));
                }
                Ok(())
            });
            if let Err(e) = checked {
                wrong.push(format!("parked records cannot be read: {e}"));
            }
            wrong.extend(self.quarantine());
        }
        wrong
    }

    /// Batches that were found damaged by an agent, which set them aside and told of them.
    fn quarantine(&self) -> Vec<String> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut s = self.db.prepare("SELECT id, why FROM damaged ORDER BY id")?;
            let rows = s.query_map([], |r| {
                let why: String = r.get(1)?;
                Ok(format!(
                    "batch {} was damaged ({why}); it is set aside, and a gap event tells of it",
                    r.get::<_, i64>(0)?
                ))
            })?;
            rows.collect()
        };
        read().unwrap_or_else(|e| vec![format!("the batches that were set aside cannot be read: {e}")])
    }

    /// The sources and their positions.
    pub fn sources(&self) -> Result<Vec<SourceFound>, SpoolError> {
        let (sources, _) = tables::sources(&self.db, self.version).map_err(|e| self.error(e))?;
        Ok(sources.into_iter().map(|(name, (position, _))| SourceFound { name, position }).collect())
    }

    /// The files of a source and their places, as JSON, with the batch that each was last read into.
    pub fn files(&self, source: &str) -> Result<BTreeMap<String, (String, i64)>, SpoolError> {
        let (files, _) = tables::files(&self.db, self.version, Some(source)).map_err(|e| self.error(e))?;
        Ok(files.into_iter().map(|(_, part)| part).collect())
    }

    /// The slowest cursor of every output.
    pub fn outputs(&self) -> Result<BTreeMap<String, Cursor>, SpoolError> {
        let mut slowest: BTreeMap<String, Cursor> = BTreeMap::new();
        let (cursors, _) = cursor::read(&self.db, self.version).map_err(|e| self.error(e))?;
        for ((output, _), kept) in cursors {
            slowest.entry(output).and_modify(|c| *c = kept.now.min(*c)).or_insert(kept.now);
        }
        Ok(slowest)
    }

    /// Parked records and their bytes.
    pub fn parked(&self) -> Result<(u64, u64), SpoolError> {
        if self.version < 3 {
            return Ok((0, 0));
        }
        parked::count(&self.db).map_err(|e| self.error(e))
    }

    /// Goes through the parked records in the order in which they were read; of one that is damaged there is the number alone.
    pub fn each_parked(&self, take: &mut dyn FnMut(i64, Option<parked::Kept>)) -> Result<(), SpoolError> {
        if self.version < 3 {
            return Ok(());
        }
        let mut each = |id, record| {
            take(id, record);
            Ok(())
        };
        parked::each(&self.db, &mut each).map_err(|e| self.error(e))
    }

    /// Batches and events.
    pub fn counts(&self) -> Result<(i64, i64), SpoolError> {
        let counted = self
            .db
            .query_row("SELECT count(*), coalesce(sum(events), 0) FROM batch", [], |r| Ok((r.get(0)?, r.get(1)?)));
        counted.map_err(|e| self.error(e))
    }

    /// Events at or behind a cursor, and when the oldest batch of them was made, UTC microseconds.
    pub fn waiting(&self, from: Cursor) -> Result<(i64, Option<i64>), SpoolError> {
        let (events, header): (i64, Option<String>) = self
            .db
            .query_row(
                "SELECT coalesce(sum(events), 0), (SELECT about FROM batch WHERE id >= ?1 ORDER BY id LIMIT 1) FROM batch WHERE id >= ?1",
                [from.batch],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .map_err(|e| self.error(e))?;
        let has_first = self
            .db
            .query_row("SELECT 1 FROM batch WHERE id = ?1", [from.batch], |_| Ok(()))
            .optional()
            .map_err(|e| self.error(e))?;
        let passed = if has_first.is_some() { i64::try_from(from.event).unwrap_or(0) } else { 0 };
        let header: Option<BatchHeader> = header.and_then(|a| serde_json::from_str(&a).ok());
        let waiting = (events - passed).max(0);
        Ok((waiting, header.filter(|_| waiting > 0).map(|a| a.created_at)))
    }

    /// The next batch at or behind a number, whatever state it is in.
    pub fn next(&self, from: i64) -> Result<Option<Found>, SpoolError> {
        let row = rows::near(&self.db, self.version, from, true).map_err(|e| self.error(e))?;
        Ok(row.map(|(found, blob)| match found {
            Row::Damaged(d) => {
                Found { id: d.id, header: d.header.map(|(header, _)| header), events: d.events, batch: Err(d.why) }
            }
            Row::Whole(head) => Found {
                id: head.id,
                events: head.events,
                batch: head.open(&blob).map_err(|d| d.why),
                header: Some(head.header),
            },
        }))
    }
}

/// Forgets an output in a database that no agent uses: what was kept for it alone is deleted by the next run. Returns the number
/// of events that waited for it; `None` where it is not known.
pub fn forget(path: &Path, output: &str) -> Result<Option<i64>, SpoolError> {
    let inspector = Inspector::open(path)?;
    let Some(cursor) = inspector.outputs()?.get(output).copied() else { return Ok(None) };
    let (waiting, _) = inspector.waiting(cursor)?;
    drop(inspector);
    let error = |source| SpoolError::Database { path: path.to_owned(), source };
    let mut db = schema::connect(path).map_err(error)?;
    let t = db.transaction().map_err(error)?;
    t.execute("DELETE FROM cursor WHERE output = ?1", [output]).map_err(error)?;
    t.execute("DELETE FROM output WHERE name = ?1", [output]).map_err(error)?;
    t.commit().map_err(error)?;
    Ok(Some(waiting))
}

/// Forgets the parked records in a database that no agent uses. Returns how many there were, and their bytes.
pub fn forget_parked(path: &Path) -> Result<(u64, u64), SpoolError> {
    let inspector = Inspector::open(path)?;
    let found = inspector.parked()?;
    if inspector.version >= 3 {
        drop(inspector);
        let error = |source| SpoolError::Database { path: path.to_owned(), source };
        schema::connect(path).and_then(|db| db.execute("DELETE FROM parked", [])).map_err(error)?;
    }
    Ok(found)
}
