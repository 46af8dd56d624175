//! Looking into a spool database without using it: in numbers, batch by batch, also while an agent runs and for one that was set
//! aside. Nothing is written.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{
    SpoolError,
    batch::{self, Batch, Continuity, Hash},
    cursor::{self, Cursor},
};

/// A database that is looked into.
pub struct Inspector {
    path: PathBuf,
    db: Connection,
}

/// A batch as it is stored: its number, what it says of itself, and its events or why they cannot be had.
pub struct Found {
    /// Its number.
    pub id: i64,
    /// What it says of itself; `None` where that cannot be read.
    pub about: Option<Continuity>,
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
        let error = |source| SpoolError::Database { path: path.to_owned(), source };
        fs::metadata(path).map_err(|source| SpoolError::Io { path: path.to_owned(), source })?;
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(error)?;
        db.busy_timeout(Duration::from_secs(10)).map_err(error)?;
        Ok(Inspector { path: path.to_owned(), db })
    }

    fn error(&self, source: rusqlite::Error) -> SpoolError {
        SpoolError::Database { path: self.path.clone(), source }
    }

    /// What SQLite itself finds wrong with the file; nothing is `None`.
    pub fn quick_check(&self) -> Option<String> {
        match self.db.query_row("PRAGMA quick_check(1)", [], |r| r.get::<_, String>(0)) {
            Ok(text) if text == "ok" => None,
            Ok(text) => Some(text),
            Err(e) => Some(e.to_string()),
        }
    }

    /// The sources and their positions.
    pub fn sources(&self) -> Result<Vec<SourceFound>, SpoolError> {
        let mut s = self.db.prepare("SELECT name, position FROM source ORDER BY name").map_err(|e| self.error(e))?;
        let rows = s.query_map([], |r| Ok(SourceFound { name: r.get(0)?, position: r.get(1)? }));
        rows.and_then(Iterator::collect).map_err(|e| self.error(e))
    }

    /// The slowest cursor of every output.
    pub fn outputs(&self) -> Result<BTreeMap<String, Cursor>, SpoolError> {
        let mut slowest: BTreeMap<String, Cursor> = BTreeMap::new();
        for ((output, _), cursor) in cursor::read(&self.db).map_err(|e| self.error(e))? {
            slowest.entry(output).and_modify(|c| *c = cursor.min(*c)).or_insert(cursor);
        }
        Ok(slowest)
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
        let (events, about): (i64, Option<String>) = self
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
        let about: Option<Continuity> = about.and_then(|a| serde_json::from_str(&a).ok());
        let waiting = (events - passed).max(0);
        Ok((waiting, about.filter(|_| waiting > 0).map(|a| a.made)))
    }

    /// The next batch at or behind a number, whatever state it is in.
    pub fn next(&self, from: i64) -> Result<Option<Found>, SpoolError> {
        let row = self
            .db
            .prepare_cached(
                "SELECT id, format, about, events, blob, blob_sha256 FROM batch WHERE id >= ?1 ORDER BY id LIMIT 1",
            )
            .and_then(|mut s| {
                s.query_row([from], |r| {
                    let about: Option<Continuity> =
                        r.get::<_, String>(2).ok().and_then(|text| serde_json::from_str(&text).ok());
                    let blob: Vec<u8> = r.get(4).unwrap_or_default();
                    let sum: Option<Hash> = r.get(5).ok();
                    Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, about, r.get::<_, i64>(3).unwrap_or(0), blob, sum))
                })
                .optional()
            })
            .map_err(|e| self.error(e))?;
        let Some((id, format, about, events, blob, sum)) = row else { return Ok(None) };
        let batch = match &about {
            None => Err("what it says of itself cannot be read".to_owned()),
            Some(_) if format != batch::FORMAT => Err(format!("it has format {format}")),
            Some(_) if sum != Some(batch::checksum(&blob)) => Err("its checksum is another".to_owned()),
            Some(about) => Batch::open(id, about.clone(), &blob).ok_or_else(|| "its lengths do not add up".to_owned()),
        };
        Ok(Some(Found { id, about, events, batch }))
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
    let mut db = Connection::open(path).map_err(error)?;
    let t = db.transaction().map_err(error)?;
    t.execute("DELETE FROM cursor WHERE output = ?1", [output]).map_err(error)?;
    t.execute("DELETE FROM output WHERE name = ?1", [output]).map_err(error)?;
    t.commit().map_err(error)?;
    Ok(Some(waiting))
}
