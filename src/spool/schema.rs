//! The tables of the database, and whether a file holds them.
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::batch;

/// "qaud" as a number: SQLite keeps it in the header of the file.
const APPLICATION: i64 = 0x7161_7564;
/// The version of the tables.
const VERSION: i64 = 2;

const TABLES: &str = "
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    format INTEGER NOT NULL,
    about TEXT NOT NULL,
    position TEXT NOT NULL,
    part TEXT,
    part_position TEXT,
    raw_sha256 BLOB NOT NULL,
    events INTEGER NOT NULL,
    blob_sha256 BLOB NOT NULL,
    blob BLOB NOT NULL
);
CREATE TABLE source (name TEXT PRIMARY KEY, position TEXT NOT NULL, raw_sha256 BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE part (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    position TEXT NOT NULL,
    batch INTEGER NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE TABLE output (name TEXT PRIMARY KEY, spent TEXT, lanes TEXT) WITHOUT ROWID;
CREATE TABLE cursor (
    output TEXT NOT NULL,
    lane INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (output, lane)
) WITHOUT ROWID;
";

/// Bytes of a page.
pub(super) const PAGE: u64 = 16 << 10;

/// Bytes of pages that hold nothing.
pub(super) fn free(db: &Connection) -> rusqlite::Result<u64> {
    let pages: i64 = db.pragma_query_value(None, "freelist_count", |r| r.get(0))?;
    Ok(u64::try_from(pages).unwrap_or(0) * PAGE)
}

/// Opens the database, or says why the file cannot be used as one.
pub(super) fn open(path: &Path) -> Result<Connection, String> {
    let fresh = !path.exists();
    if fresh {
        // SQLite gives the files beside it the mode of this one.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| e.to_string())?;
    }
    // A file that is not ours is looked at and not written to.
    if !fresh {
        let look = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| e.to_string())?;
        is_ours(&look)?;
    }
    let db = Connection::open(path).map_err(|e| e.to_string())?;
    let text = |e: rusqlite::Error| e.to_string();
    db.busy_timeout(Duration::from_secs(10)).map_err(text)?;
    // Only for a new file. Batches are large: with pages of 4 KiB the calls to write them cost more than the writing.
    db.pragma_update(None, "page_size", PAGE as i64).map_err(text)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(text)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(text)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(text)?;
    db.pragma_update(None, "wal_autocheckpoint", 256).map_err(text)?;
    if fresh {
        db.execute_batch(&format!(
            "BEGIN;{TABLES}PRAGMA application_id={APPLICATION};PRAGMA user_version={VERSION};COMMIT;"
        ))
        .map_err(text)?;
        return Ok(db);
    }
    let check: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(text)?;
    if check != "ok" {
        return Err(format!("it is damaged: {check}"));
    }
    verify(&db)?;
    Ok(db)
}

/// Whether the database is a spool that this program knows.
fn is_ours(db: &Connection) -> Result<(), String> {
    let number = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).map_err(|e| e.to_string());
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application != APPLICATION {
        return Err(format!("it is no spool of qaudjrn (application id {application}, expected {APPLICATION})"));
    }
    if version != VERSION {
        return Err(format!("its tables have version {version}, this program knows version {VERSION}"));
    }
    Ok(())
}

/// Compares every batch with its checksum.
fn verify(db: &Connection) -> Result<(), String> {
    let text = |e: rusqlite::Error| e.to_string();
    let mut all = db.prepare("SELECT id, format, blob, blob_sha256 FROM batch ORDER BY id").map_err(text)?;
    let mut rows = all.query([]).map_err(text)?;
    while let Some(row) = rows.next().map_err(text)? {
        let id: i64 = row.get(0).map_err(text)?;
        let format: i64 = row.get(1).map_err(text)?;
        if format != batch::FORMAT {
            return Err(format!("batch {id} has format {format}, this program knows format {}", batch::FORMAT));
        }
        let blob = row.get_ref(2).map_err(text)?.as_blob().map_err(|e| e.to_string())?;
        let sum = row.get_ref(3).map_err(text)?.as_blob().map_err(|e| e.to_string())?;
        if batch::checksum(blob) != sum {
            return Err(format!("batch {id} is not what was written (checksum)"));
        }
    }
    Ok(())
}

/// Renames the database and what belongs to it; nothing is deleted. Returns the new name.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let free = (1..).map(|n| path.with_extension(format!("db.set-aside-{n}"))).find(|p| !p.exists());
    let to = free.unwrap_or_else(|| path.with_extension("db.set-aside"));
    for suffix in ["", "-wal", "-shm"] {
        let with = |p: &Path| PathBuf::from(format!("{}{suffix}", p.display()));
        match fs::rename(with(path), with(&to)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(to)
}
