//! The database of the spool: one writer behind a lock, batches in memory for outputs that are not behind.
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    SpoolError, SpoolOptions,
    batch::{self, Batch, Hash, NewBatch},
    positions::{PositionFile, Positions},
    schema,
};

/// Which events of the log a cursor is about. Order holds within a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Lane {
    /// Events that go first when an output is behind.
    Priority,
    /// All others.
    Normal,
}

impl Lane {
    /// Both, the first served first.
    pub const ALL: [Lane; 2] = [Lane::Priority, Lane::Normal];

    /// For tables.
    pub fn index(self) -> usize {
        match self {
            Lane::Priority => 0,
            Lane::Normal => 1,
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

/// The spool in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Batches stored.
    pub batches: i64,
    /// Events in them.
    pub events: i64,
    /// Bytes of database, write-ahead log and reserve.
    pub size: u64,
    /// The number of the last batch ever stored.
    pub last: i64,
}

/// Bytes kept back so that deletes still work when the disk is full.
const RESERVE: u64 = 16 << 20;
/// How often it is made again after it was used up.
const RESERVE_EVERY: Duration = Duration::from_secs(60);

/// The spool of one agent.
pub struct Spool {
    path: PathBuf,
    options: SpoolOptions,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Held as long as the agent runs.
    _lock: File,
}

struct Inner {
    db: Connection,
    positions: PositionFile,
    cursors: BTreeMap<(String, Lane), Cursor>,
    /// Cursors that moved since they were last written.
    moved: bool,
    last: i64,
    recent: VecDeque<Arc<Batch>>,
    recent_bytes: usize,
    /// When the reserve was last looked after.
    reserved: Instant,
}

impl Spool {
    /// Opens the spool of a folder, or makes it. What was odd about it is returned in sentences for the log.
    pub fn open(options: SpoolOptions) -> Result<(Spool, Vec<String>), SpoolError> {
        let folder = options.state_dir.clone();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| SpoolError::Io { path, source }
        };
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        private(&folder, 0o700).map_err(io(&folder))?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new().create(true).append(true).open(&lock_path).map_err(io(&lock_path))?;
        private(&lock_path, 0o600).map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse { path: lock_path }),
            Err(TryLockError::Error(source)) => return Err(SpoolError::Io { path: lock_path, source }),
        }
        let mut notes = Vec::new();
        let path = folder.join("spool.db");
        let missing = !path.exists();
        let positions = PositionFile::open(&folder);
        let db = match schema::open(&path) {
            Ok(db) => db,
            Err(reason) => {
                let aside = schema::set_aside(&path).map_err(io(&path))?;
                notes.push(format!(
                    "the spool {} cannot be used: {reason}; it was set aside as {}; the sources are read again from the position file, duplicates are possible",
                    path.display(),
                    aside.display()
                ));
                schema::open(&path).map_err(|reason| SpoolError::Damaged { path: path.clone(), batch: 0, reason })?
            }
        };
        if missing && !positions.positions().is_empty() {
            notes.push(format!(
                "the spool {} is gone; the sources are read again from the position file, duplicates are possible",
                path.display()
            ));
        }
        private(&path, 0o600).map_err(io(&path))?;
        reserve(&folder).map_err(io(&folder.join("reserve")))?;
        let error = |source| SpoolError::Database { path: path.clone(), source };
        let last = db
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'batch'", [], |r| r.get(0))
            .optional()
            .map_err(error)?
            .unwrap_or(0);
        let cursors = cursors(&db).map_err(error)?;
        let inner = Inner {
            db,
            positions,
            cursors,
            moved: false,
            last,
            recent: VecDeque::new(),
            recent_bytes: 0,
            reserved: Instant::now(),
        };
        let spool = Spool { path, options, inner: Mutex::new(inner), changed: Condvar::new(), _lock: lock };
        Ok((spool, notes))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that died with the lock held left a transaction that SQLite rolls back: the rest is usable.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// An error; where the disk has no room, the reserve makes some, so that deletes and checkpoints go on (SQLite cannot
    /// even delete on a full disk).
    fn error(&self, source: rusqlite::Error) -> SpoolError {
        let e = SpoolError::Database { path: self.path.clone(), source };
        if e.is_no_space() {
            let _ = fs::remove_file(self.options.state_dir.join("reserve"));
        }
        e
    }

    /// Makes the reserve again, once in a while, when it was used up and things go well.
    fn restore_reserve(&self, inner: &mut Inner) {
        if inner.reserved.elapsed() >= RESERVE_EVERY {
            inner.reserved = Instant::now();
            // Without room it is tried again later.
            let _ = reserve(&self.options.state_dir);
        }
    }

    /// Where a source goes on: its position, and the hash that its next batch is chained to.
    pub fn position(&self, source: &str) -> Result<Option<(String, Hash)>, SpoolError> {
        let inner = self.lock();
        let stored = inner
            .db
            .query_row("SELECT position, raw_sha256 FROM source WHERE name = ?1", [source], |r| {
                Ok((r.get::<_, String>(0)?, r.get::<_, Hash>(1)?))
            })
            .optional()
            .map_err(|e| self.error(e))?;
        Ok(stored.or_else(|| inner.positions.positions().get(source).map(|p| (p.clone(), [0; 32]))))
    }

    /// Stores a batch and its source's position in one transaction; when this returns, both are on the disk.
    pub fn append(&self, new: NewBatch, position: &str) -> Result<i64, SpoolError> {
        let about = serde_json::to_string(&new.about).unwrap_or_default();
        let sum = batch::checksum(&new.blob);
        let mut inner = self.lock();
        let id = store(&mut inner, &new, &about, position, &sum).map_err(|e| self.error(e))?;
        inner.moved = false;
        inner.last = id;
        if let Some(batch) = Batch::open(id, new.about, new.blob) {
            inner.recent_bytes += batch.size();
            inner.recent.push_back(Arc::new(batch));
            while inner.recent_bytes > self.options.cache {
                let Some(old) = inner.recent.pop_front() else { break };
                inner.recent_bytes -= old.size();
            }
        }
        drop(inner);
        self.changed.notify_all();
        Ok(id)
    }

    /// The first batch at or behind a number; `None` when there is none yet.
    pub fn next(&self, from: i64) -> Result<Option<Arc<Batch>>, SpoolError> {
        let inner = self.lock();
        if from > inner.last {
            return Ok(None);
        }
        if inner.recent.front().is_some_and(|b| b.id <= from) {
            return Ok(inner.recent.iter().find(|b| b.id >= from).cloned());
        }
        let found = inner
            .db
            .prepare_cached("SELECT id, about, blob, blob_sha256 FROM batch WHERE id >= ?1 ORDER BY id LIMIT 1")
            .and_then(|mut s| {
                s.query_row([from], |r| {
                    Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, Vec<u8>>(2)?, r.get::<_, Hash>(3)?))
                })
                .optional()
            })
            .map_err(|e| self.error(e))?;
        drop(inner);
        let Some((id, about, blob, sum)) = found else { return Ok(None) };
        let damaged =
            |reason: &str| SpoolError::Damaged { path: self.path.clone(), batch: id, reason: reason.to_owned() };
        if batch::checksum(&blob) != sum {
            return Err(damaged("its checksum is another"));
        }
        let about = serde_json::from_str(&about).map_err(|_| damaged("what it says of itself cannot be read"))?;
        Batch::open(id, about, blob).map(|b| Some(Arc::new(b))).ok_or_else(|| damaged("its lengths do not add up"))
    }

    /// Waits until there is a batch at or behind a number, or the time is over.
    pub fn wait(&self, from: i64, at_most: Duration) -> bool {
        let inner = self.lock();
        let (inner, _) = self
            .changed
            .wait_timeout_while(inner, at_most, |i| i.last < from)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.last >= from
    }

    /// Wakes everybody who waits: something else changed, such as the wish to stop.
    pub fn wake(&self) {
        self.changed.notify_all();
    }

    /// The number of the last batch ever stored.
    pub fn last(&self) -> i64 {
        self.lock().last
    }

    /// The cursor of an output's lane; a new output starts at the oldest batch.
    pub fn cursor(&self, output: &str, lane: Lane) -> Cursor {
        self.lock().cursors.get(&(output.to_owned(), lane)).copied().unwrap_or_default()
    }

    /// Moves a cursor forward; it reaches the disk with the next append or [`Spool::sync`].
    pub fn advance(&self, output: &str, lane: Lane, to: Cursor) {
        let mut inner = self.lock();
        let cursor = inner.cursors.entry((output.to_owned(), lane)).or_default();
        if to > *cursor {
            *cursor = to;
            inner.moved = true;
        }
    }

    /// Makes the outputs of the configuration known: a batch is kept until all of them have passed it.
    pub fn register(&self, outputs: &[String]) {
        let mut inner = self.lock();
        for (output, lane) in outputs.iter().flat_map(|o| Lane::ALL.map(|l| (o.clone(), l))) {
            inner.cursors.entry((output, lane)).or_default();
        }
        inner.moved = true;
    }

    /// Writes the cursors, deletes the batches that every output has passed, and writes the position file for them.
    pub fn sync(&self) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        if !inner.moved {
            return Ok(());
        }
        let passed = inner.cursors.values().map(|c| c.batch).min().unwrap_or(0);
        let positions = sync(&mut inner, passed).map_err(|e| self.error(e))?;
        inner.moved = false;
        self.restore_reserve(&mut inner);
        if self.is_full() {
            // What was given back leaves the file with a checkpoint only, and the log counts too.
            let checkpoint = inner.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            checkpoint.map_err(|e| self.error(e))?;
        }
        let mut all = inner.positions.positions().clone();
        all.extend(positions);
        let file = self.options.state_dir.join("position");
        inner.positions.write(&all).map_err(|source| SpoolError::Io { path: file, source })
    }

    /// Whether it has reached its size: then the sources are not read.
    pub fn is_full(&self) -> bool {
        self.size() >= self.options.max_size
    }

    fn size(&self) -> u64 {
        let folder = &self.options.state_dir;
        let files =
            ["spool.db", "spool.db-wal", "reserve"].map(|n| fs::metadata(folder.join(n)).map_or(0, |m| m.len()));
        files.iter().sum()
    }

    /// The spool in numbers.
    pub fn status(&self) -> Result<Status, SpoolError> {
        let inner = self.lock();
        let (batches, events) = inner
            .db
            .query_row("SELECT count(*), coalesce(sum(events), 0) FROM batch", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .map_err(|e| self.error(e))?;
        Ok(Status { batches, events, size: self.size(), last: inner.last })
    }
}

fn store(inner: &mut Inner, new: &NewBatch, about: &str, position: &str, sum: &Hash) -> rusqlite::Result<i64> {
    let Inner { db, cursors, moved, .. } = inner;
    let t = db.transaction()?;
    let source = &new.about.source;
    t.prepare_cached(
        "INSERT INTO batch (source, format, about, position, raw_sha256, events, blob_sha256, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![source, batch::FORMAT, about, position, new.raw_sha256, new.events, sum, new.blob])?;
    let id = t.last_insert_rowid();
    t.prepare_cached("INSERT OR REPLACE INTO source (name, position, raw_sha256) VALUES (?1, ?2, ?3)")?
        .execute(params![source, position, new.raw_sha256])?;
    if *moved {
        write_cursors(&t, cursors)?;
    }
    t.commit()?;
    Ok(id)
}

/// Writes the cursors and deletes the batches before `passed`. Returns the positions that are passed with them.
fn sync(inner: &mut Inner, passed: i64) -> rusqlite::Result<Positions> {
    let Inner { db, cursors, .. } = inner;
    let t = db.transaction()?;
    write_cursors(&t, cursors)?;
    let positions = t
        .prepare_cached("SELECT source, position, max(id) FROM batch WHERE id < ?1 GROUP BY source")?
        .query_map([passed], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<Positions, _>>()?;
    t.prepare_cached("DELETE FROM batch WHERE id < ?1")?.execute([passed])?;
    t.commit()?;
    // Each step of this statement gives one page back.
    let mut vacuum = db.prepare_cached("PRAGMA incremental_vacuum(4000)")?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(positions)
}

fn write_cursors(t: &rusqlite::Transaction<'_>, cursors: &BTreeMap<(String, Lane), Cursor>) -> rusqlite::Result<()> {
    let mut s =
        t.prepare_cached("INSERT OR REPLACE INTO cursor (output, lane, batch, event) VALUES (?1, ?2, ?3, ?4)")?;
    for ((output, lane), c) in cursors {
        s.execute(params![output, lane.index() as i64, c.batch, c.event as i64])?;
    }
    Ok(())
}

fn cursors(db: &Connection) -> rusqlite::Result<BTreeMap<(String, Lane), Cursor>> {
    let mut s = db.prepare("SELECT output, lane, batch, event FROM cursor")?;
    let rows = s.query_map([], |r| {
        let lane = if r.get::<_, i64>(1)? == 0 { Lane::Priority } else { Lane::Normal };
        let event = usize::try_from(r.get::<_, i64>(3)?).unwrap_or(0);
        Ok(((r.get(0)?, lane), Cursor { batch: r.get(2)?, event }))
    })?;
    rows.collect()
}

/// Makes a file or folder the agent's own.
pub(super) fn private(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes the reserve, where there is room for it.
fn reserve(folder: &Path) -> std::io::Result<()> {
    let path = folder.join("reserve");
    if fs::metadata(&path).is_ok_and(|m| m.len() == RESERVE) {
        return Ok(());
    }
    // Written, not only sized: a file of holes keeps no room.
    let written = fs::write(&path, vec![0u8; usize::try_from(RESERVE).unwrap_or(0)]);
    match written {
        Err(_) => fs::remove_file(&path).or(Ok(())),
        Ok(()) => private(&path, 0o600),
    }
}
