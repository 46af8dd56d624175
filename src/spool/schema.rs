//! The tables of the database in every version, and which of them a file holds.
use std::{collections::BTreeSet, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{fault::Fault, files};

/// "qaud" as a number: SQLite keeps it in the header of the file.
pub(super) const APPLICATION: i64 = 0x7161_7564;
/// The version of the tables that this program writes.
pub(super) const VERSION: i64 = 3;
/// Bytes of a page in a new database. Batches are large: with pages of 4 KiB the calls to write them cost more than the writing.
pub(super) const PAGE: u64 = 16 << 10;
/// The same of a database that a program of version 1 made.
pub(super) const PAGE_1: u64 = 4 << 10;

const BATCH_1: &str = "CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    format INTEGER NOT NULL,
    about TEXT NOT NULL,
    position TEXT NOT NULL,
    raw_sha256 BLOB NOT NULL,
    events INTEGER NOT NULL,
    blob_sha256 BLOB NOT NULL,
    blob BLOB NOT NULL
)";
const BATCH_2: &str = "CREATE TABLE batch (
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
)";
const SOURCE_1: &str =
    "CREATE TABLE source (name TEXT PRIMARY KEY, position TEXT NOT NULL, raw_sha256 BLOB NOT NULL) WITHOUT ROWID";
const PART_2: &str = "CREATE TABLE part (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    position TEXT NOT NULL,
    batch INTEGER NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID";
const OUTPUT_2: &str = "CREATE TABLE output (name TEXT PRIMARY KEY, spent TEXT, lanes TEXT) WITHOUT ROWID";
const CURSOR_1: &str = "CREATE TABLE cursor (
    output TEXT NOT NULL,
    lane INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (output, lane)
) WITHOUT ROWID";

/// What version 3 adds to `batch`: the sum of everything in a row, and the hash of the batch of its source before it.
const SEAL_3: &str = "CREATE TABLE seal (id INTEGER PRIMARY KEY, previous BLOB NOT NULL, sum BLOB NOT NULL)";
const SOURCE_3: &str = "CREATE TABLE source (
    name TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    raw_sha256 BLOB NOT NULL,
    sum BLOB NOT NULL
) WITHOUT ROWID";
const PART_3: &str = "CREATE TABLE part (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    position TEXT NOT NULL,
    batch INTEGER NOT NULL,
    sum BLOB NOT NULL,
    PRIMARY KEY (source, name)
) WITHOUT ROWID";
const OUTPUT_3: &str =
    "CREATE TABLE output (name TEXT PRIMARY KEY, spent TEXT, lanes TEXT, sum BLOB NOT NULL) WITHOUT ROWID";
/// Each cursor stands here twice: the last generation, and the one before it.
const CURSOR_3: &str = "CREATE TABLE cursor (
    output TEXT NOT NULL,
    lane INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    event INTEGER NOT NULL,
    sum BLOB NOT NULL,
    PRIMARY KEY (output, lane, slot)
) WITHOUT ROWID";
/// The numbers of the batches that are to be there, in two generations.
const LOG_3: &str = "CREATE TABLE log (
    slot INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    sum BLOB NOT NULL
)";
const PARKED_3: &str = "CREATE TABLE parked (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    batch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    place INTEGER NOT NULL,
    why TEXT NOT NULL,
    sum BLOB NOT NULL,
    bytes BLOB NOT NULL
)";
/// Batches that were found damaged, as they were found.
const DAMAGED_3: &str = "CREATE TABLE damaged (
    id INTEGER NOT NULL,
    found INTEGER NOT NULL,
    why TEXT NOT NULL,
    source,
    about,
    position,
    blob
)";

const TABLES_1: &[&str] = &[BATCH_1, SOURCE_1, CURSOR_1];
const TABLES_2: &[&str] = &[BATCH_2, SOURCE_1, PART_2, OUTPUT_2, CURSOR_1];
const TABLES_3: &[&str] = &[BATCH_2, SEAL_3, SOURCE_3, PART_3, OUTPUT_3, CURSOR_3, LOG_3, PARKED_3, DAMAGED_3];

/// The tables of a version; none for one that this program does not know.
pub(super) fn tables(version: i64) -> &'static [&'static str] {
    match version {
        1 => TABLES_1,
        2 => TABLES_2,
        3 => TABLES_3,
        _ => &[],
    }
}

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A database with nothing in it: a first start that did not come further.
    Empty,
    /// A spool with just the tables of this version.
    Spool(i64),
    /// A spool whose tables are not as they should be: this version is the nearest.
    Altered(i64, String),
    /// A spool of a later program.
    Newer(i64),
    /// No spool.
    Foreign(String),
}

/// Looks what the database is. Nothing is written.
pub(super) fn shape(db: &Connection) -> rusqlite::Result<Shape> {
    let number = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let mut s = db.prepare("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let found: BTreeSet<(String, String, String)> = s
        .query_map([], |r| {
            let text =
                |n| r.get_ref(n).map(|v| v.as_bytes().map(String::from_utf8_lossy).unwrap_or_default().into_owned());
            Ok((text(0)?, text(1)?, text(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let has = |sql: &&&str| found.iter().any(|(_, _, is)| is == **sql);
    let known = (1..=VERSION).map(|v| (v, tables(v)));
    // The tables say the version; the number in the header is one bit away from another.
    if let Some((v, _)) = known.clone().find(|(_, t)| t.len() == found.len() && t.iter().all(|sql| has(&sql))) {
        let header = (application, version) == (APPLICATION, v);
        return Ok(if header {
            Shape::Spool(v)
        } else if application == APPLICATION && version > VERSION && (version ^ v).count_ones() > 1 {
            // A later program may have changed what the tables mean. It then has another number than one that differs in a bit.
            Shape::Newer(version)
        } else {
            Shape::Altered(v, format!("its header says application {application}, version {version}"))
        });
    }
    if found.is_empty() && application == 0 && version == 0 {
        return Ok(Shape::Empty);
    }
    if application == APPLICATION && version > VERSION {
        return Ok(Shape::Newer(version));
    }
    let likeness = |t: &[&str]| t.iter().filter(has).count();
    let nearest = known.rev().max_by_key(|(v, t)| (likeness(t), i64::from(*v == version)));
    match nearest {
        Some((v, t)) if application == APPLICATION || likeness(t) * 2 > t.len() => {
            let names = |keep: &dyn Fn(&&(String, String, String)) -> bool| {
                found.iter().filter(keep).map(|(kind, name, _)| format!("{kind} {name}")).collect::<Vec<_>>().join(", ")
            };
            let strange = names(&|(_, _, sql)| !t.contains(&sql.as_str()));
            let missing = t.iter().filter(|sql| !has(sql)).count();
            Ok(Shape::Altered(
                v,
                format!("its tables are not as they should be: {missing} are missing or changed; strange: {strange}"),
            ))
        }
        _ => Ok(Shape::Foreign(format!(
            "it is no spool of qaudjrn (application id {application}, expected {APPLICATION})"
        ))),
    }
}

/// What SQLite itself finds wrong with the file; nothing is `None`.
pub(super) fn quick_check(db: &Connection) -> rusqlite::Result<Option<String>> {
    let text: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    Ok(Some(text).filter(|t| t != "ok"))
}

/// An error of opening: a name that SQLite does not take says nothing of the file.
fn not_opened(e: rusqlite::Error) -> rusqlite::Error {
    match e {
        rusqlite::Error::SqliteFailure(failure, text) if failure.code == rusqlite::ErrorCode::Unknown => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            rusqlite::Error::SqliteFailure(code, text)
        }
        other => other,
    }
}

/// Opens a file for looking: what is not ours is not written to.
pub(super) fn look(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(not_opened)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// The same of a database that nobody else writes to: where it has no log, nothing is made beside it either.
pub(super) fn look_alone(path: &Path) -> rusqlite::Result<Connection> {
    let log = files::beside(path, "-wal");
    // A log that cannot be looked at may be there: then it is not passed over.
    match std::fs::metadata(&log) {
        Ok(m) if m.len() == 0 => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        _ => return look(path),
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    let escaped = path.as_os_str().as_bytes().iter().map(|b| match plain(*b) {
        true => char::from(*b).to_string(),
        false => format!("%{b:02X}"),
    });
    // An absolute path has an empty authority: what begins with two slashes would else be taken for one.
    let authority = if path.is_absolute() { "//" } else { "" };
    let uri = format!("file:{authority}{}?immutable=1", escaped.collect::<String>());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri, flags).map_err(not_opened)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// How long another program may hold the database before that is an error, to be tried again.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the database for use. It is there, and is ours or empty.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path).map_err(not_opened)?;
    db.busy_timeout(BUSY)?;
    // The first two only count for a new file.
    db.pragma_update(None, "page_size", PAGE as i64)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 256)?;
    // A schema that was tampered with can run nothing.
    db.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(db)
}

/// Makes the tables of a version, all or none.
pub(super) fn create(db: &Connection, version: i64) -> rusqlite::Result<()> {
    let tables = tables(version).join(";\n");
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE;{tables};PRAGMA application_id={APPLICATION};PRAGMA user_version={version};COMMIT;"
    ))
}

/// The number of the version of the tables, in the header.
pub(super) fn mark(db: &Connection, version: i64) -> rusqlite::Result<()> {
    db.pragma_update(None, "user_version", version)
}

/// Bytes of pages that hold nothing.
pub(super) fn free(db: &Connection) -> rusqlite::Result<u64> {
    let number = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let (pages, size) = (number("freelist_count")?, number("page_size")?);
    Ok(u64::try_from(pages).unwrap_or(0) * u64::try_from(size).unwrap_or(0))
}

/// What a database that cannot be used has wrong with it.
pub(super) fn damage(db: &Connection) -> Result<Option<String>, Fault> {
    quick_check(db).map_err(Fault::from)
}
