//! The database of the spool: one writer behind a lock, batches in memory for outputs that are not behind.
mod outputs;
mod transactions;

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions, TryLockError},
    mem,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension};

use super::{
    SpoolError, SpoolOptions,
    batch::{self, Batch, Builder, Continuity, Hash, NewBatch},
    cursor::{self, Cursors},
    files::{inode, private, reserve},
    positions::PositionFile,
    schema,
    tables::{self, Live, Outputs},
};
use crate::event::Notice;

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

/// How often it is made again after it was used up.
const RESERVE_EVERY: Duration = Duration::from_secs(60);

/// Bytes of free pages that stay in the database, at most.
const KEPT_FREE: u64 = 32 << 20;

/// What an output has yet to deliver of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Events. Those that a lane of its own has passed already are counted too.
    pub events: u64,
    /// When the oldest was read, UTC microseconds.
    pub since: Option<i64>,
}

/// Where an output begins that the spool does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// With the oldest batch that is there.
    #[default]
    Oldest,
    /// With what is read from now on.
    Now,
}

/// The spool of one agent.
pub struct Spool {
    path: PathBuf,
    /// Device and inode of the database: what goes by its path later may be another file.
    inode: (u64, u64),
    options: SpoolOptions,
    max_size: AtomicU64,
    /// Nothing is stored.
    is_empty: AtomicBool,
    /// Bytes in the database that batches had and others will have.
    free: AtomicU64,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// How often those who wait were woken.
    woken: AtomicU64,
    /// Held as long as the agent runs.
    _lock: File,
}

struct Inner {
    db: Connection,
    positions: PositionFile,
    cursors: Cursors,
    /// What else is kept of outputs.
    outputs: Outputs,
    /// The stored batches: what waits, and for how long.
    live: BTreeMap<i64, Live>,
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
        let cursors = cursor::read(&db).map_err(error)?;
        let outputs = tables::outputs(&db).map_err(error)?;
        let live = tables::live(&db).map_err(error)?;
        let free = AtomicU64::new(schema::free(&db).map_err(error)?);
        let inner = Inner {
            db,
            positions,
            cursors,
            outputs,
            live,
            moved: false,
            last,
            recent: VecDeque::new(),
            recent_bytes: 0,
            reserved: Instant::now(),
        };
        let max_size = options.max_size.into();
        let inode = inode(&path).unwrap_or_default();
        let is_empty = inner.live.is_empty().into();
        let spool = Spool {
            path,
            inode,
            options,
            max_size,
            is_empty,
            free,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            woken: AtomicU64::new(0),
            _lock: lock,
        };
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

    fn count_free(&self, inner: &Inner) {
        // Without the number all of the file counts as used: too early full is the safe side.
        self.is_empty.store(inner.live.is_empty(), Ordering::Relaxed);
        self.free.store(schema::free(&inner.db).unwrap_or(0), Ordering::Relaxed);
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
        Ok(stored.or_else(|| inner.positions.positions().get(source).map(|p| (p.position.clone(), [0; 32]))))
    }

    /// The position of a source that every output has passed, by the position file.
    pub fn delivered_position(&self, source: &str) -> Option<String> {
        self.lock().positions.positions().get(source).map(|p| p.position.clone())
    }

    /// The positions of the parts of a source, and the batch that each was last read into (0: passed).
    pub fn parts(&self, source: &str) -> Result<BTreeMap<String, (String, i64)>, SpoolError> {
        let inner = self.lock();
        let file = inner.positions.positions().get(source);
        let mut parts: BTreeMap<String, (String, i64)> =
            file.map(|f| f.parts.iter().map(|(n, p)| (n.clone(), (p.clone(), 0))).collect()).unwrap_or_default();
        let stored = inner
            .db
            .prepare_cached("SELECT name, position, batch FROM part WHERE source = ?1")
            .and_then(|mut s| {
                s.query_map([source], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?))))?.collect::<Result<Vec<_>, _>>()
            })
            .map_err(|e| self.error(e))?;
        parts.extend(stored);
        Ok(parts)
    }

    /// Forgets places of parts of a source.
    pub fn forget_parts(&self, source: &str, names: &[String]) -> Result<(), SpoolError> {
        if names.is_empty() {
            return Ok(());
        }
        tables::forget_parts(&mut self.lock().db, source, names).map_err(|e| self.error(e))
    }

    /// Stores a batch, its source's position, and that of the part that was read (its name first), in one transaction;
    /// when this returns, all of it is on the disk, and the events are taken out of `new`. After an error they are not.
    pub fn append(&self, new: &mut NewBatch, position: &str, part: Option<(&str, &str)>) -> Result<i64, SpoolError> {
        self.store(new, Some((position, part)))
    }

    /// Stores what the agent itself has to say, for every output, in the order of the log; no source's position moves.
    /// `source` is the one it is about, or empty.
    pub fn notify(&self, source: &str, notices: &[Notice]) -> Result<i64, SpoolError> {
        let made = notices.iter().map(|n| n.utc_micros).max().unwrap_or_default();
        let about = Continuity { source: source.to_owned(), made, ..Continuity::default() };
        let mut builder = Builder::new(about, &[0; 32]);
        notices.iter().for_each(|n| builder.push_notice(n));
        self.store(&mut builder.finish(), None)
    }

    fn store(&self, new: &mut NewBatch, place: Option<transactions::Place<'_>>) -> Result<i64, SpoolError> {
        let about = serde_json::to_string(&new.about).unwrap_or_default();
        let sum = batch::checksum(&new.blob);
        let mut inner = self.lock();
        let id = transactions::store(&mut inner, new, &about, place, &sum).map_err(|e| self.error(e))?;
        inner.moved = false;
        inner.last = id;
        inner.live.insert(id, Live::new(&new.about, new.events as usize));
        self.count_free(&inner);
        if let Some(batch) = Batch::plain(id, new.about.clone(), mem::take(&mut new.plain)) {
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
        Batch::open(id, about, &blob).map(|b| Some(Arc::new(b))).ok_or_else(|| damaged("its lengths do not add up"))
    }

    /// Waits until there is a batch at or behind a number, somebody woke those who wait since [`Spool::woken`] said
    /// `woken`, or the time is over.
    pub fn wait(&self, woken: u64, from: i64, at_most: Duration) {
        let nothing = |i: &mut Inner| i.last < from && self.woken() == woken;
        let waited = self.changed.wait_timeout_while(self.lock(), at_most, nothing);
        drop(waited.unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// How often those who wait were woken. Who asks this before it looks at anything else misses no change.
    pub fn woken(&self) -> u64 {
        self.woken.load(Ordering::SeqCst)
    }

    /// Wakes everybody who waits: something else changed, such as the wish to stop.
    pub fn wake(&self) {
        // Behind the lock: who has looked and does not wait yet is waited for.
        let _inner = self.lock();
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// The number of the last batch ever stored.
    pub fn last(&self) -> i64 {
        self.lock().last
    }

    /// Writes the cursors, deletes the batches that every output has passed, and writes the position file for them.
    pub fn sync(&self) -> Result<(), SpoolError> {
        if inode(&self.path) != Some(self.inode) {
            return Err(SpoolError::Gone { path: self.path.clone() });
        }
        let mut inner = self.lock();
        let keep = KEPT_FREE.min(self.max_size() / 4);
        // What was deleted is given back some pages at a time: it goes on when nothing else moves.
        if !inner.moved && self.free.load(Ordering::Relaxed) < keep + schema::PAGE {
            let path = self.options.state_dir.join("position");
            return inner.positions.write_in_time().map_err(|source| SpoolError::Io { path, source });
        }
        let passed = inner.cursors.values().map(|c| c.batch).min().unwrap_or(0);
        let positions = transactions::sync(&mut inner, passed, keep).map_err(|e| self.error(e))?;
        inner.moved = false;
        inner.live = inner.live.split_off(&passed);
        self.count_free(&inner);
        self.restore_reserve(&mut inner);
        if self.is_full() {
            // What was given back leaves the file with a checkpoint only, and the log counts too.
            let checkpoint = inner.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            checkpoint.map_err(|e| self.error(e))?;
        }
        let mut all = inner.positions.positions().clone();
        for (source, position) in positions {
            all.entry(source).or_default().advance(position);
        }
        let file = self.options.state_dir.join("position");
        inner.positions.write(&all).map_err(|source| SpoolError::Io { path: file, source })
    }

    /// Whether it has reached its size: then the sources are not read.
    pub fn is_full(&self) -> bool {
        // An empty one always takes a batch: with a size that is too small it would else wait for ever.
        self.used() >= self.max_size() && !self.is_empty.load(Ordering::Relaxed)
    }

    /// Bytes used: those of pages that wait to be used again are room.
    fn used(&self) -> u64 {
        self.size().saturating_sub(self.free.load(Ordering::Relaxed))
    }

    /// Another size. A spool that is larger already is full until outputs have passed enough.
    pub fn set_max_size(&self, bytes: u64) {
        self.max_size.store(bytes, Ordering::Relaxed);
    }

    /// How much of its size is used, 0 to 1 and more.
    pub fn pressure(&self) -> f64 {
        self.used() as f64 / self.max_size().max(1) as f64
    }

    /// The folder of the state.
    pub fn folder(&self) -> &Path {
        &self.options.state_dir
    }

    /// Bytes it may have.
    pub fn max_size(&self) -> u64 {
        self.max_size.load(Ordering::Relaxed)
    }

    /// Bytes of database, write-ahead log and reserve.
    pub fn size(&self) -> u64 {
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
