//! The database of the spool: one writer behind a lock, batches in memory for outputs that are not behind.
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

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    SpoolError, SpoolOptions,
    batch::{self, Batch, Hash, NewBatch},
    cursor::{self, Cursor, Cursors, Lane},
    files::{inode, private, reserve},
    positions::{PositionFile, Positions},
    schema,
    tables::{self, Live, Outputs},
};

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
        tables::forget_parts(&db).map_err(error)?;
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

    /// Stores a batch, its source's position, and that of the part that was read (its name first), in one transaction;
    /// when this returns, all of it is on the disk, and the events are taken out of `new`. After an error they are not.
    pub fn append(&self, new: &mut NewBatch, position: &str, part: Option<(&str, &str)>) -> Result<i64, SpoolError> {
        let about = serde_json::to_string(&new.about).unwrap_or_default();
        let sum = batch::checksum(&new.blob);
        let mut inner = self.lock();
        let id = store(&mut inner, new, &about, (position, part), &sum).map_err(|e| self.error(e))?;
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

    /// Makes an output of the configuration known: a batch is kept until all outputs that ever were have passed it.
    /// `lanes` describes which lane an event is in: when that changes, all lanes begin where the slowest is, because an
    /// event that waits in one would else be looked for in another that has passed it.
    pub fn register(&self, output: &str, from: Start, lanes: &str) {
        let mut inner = self.lock();
        let kept = inner.outputs.entry(output.to_owned()).or_default();
        let changed = kept.lanes.replace(lanes.to_owned()).is_some_and(|before| before != lanes);
        if changed {
            let slowest = Lane::ALL.iter().filter_map(|l| inner.cursors.get(&(output.to_owned(), *l))).min().copied();
            for (cursor, slowest) in Lane::ALL.iter().filter_map(|l| Some(((output.to_owned(), *l), slowest?))) {
                inner.cursors.insert(cursor, slowest);
            }
        }
        let start = match from {
            // Batches are numbered from 1.
            Start::Oldest => Cursor { batch: 1, event: 0 },
            Start::Now => Cursor { batch: inner.last + 1, event: 0 },
        };
        for lane in Lane::ALL {
            inner.cursors.entry((output.to_owned(), lane)).or_insert(start);
        }
        inner.moved = true;
    }

    /// The outputs that are not among these and still keep batches here, with the number of events that wait for each.
    pub fn left_behind(&self, outputs: &[&str]) -> Vec<(String, u64)> {
        let mut others: Vec<String> = self.lock().cursors.keys().map(|(o, _)| o.clone()).collect();
        others.dedup();
        others.retain(|o| !outputs.contains(&o.as_str()));
        let waiting = |o: &String| self.waiting(o).values().map(|w| w.events).sum();
        others.into_iter().map(|o| (o.clone(), waiting(&o))).collect()
    }

    /// What an output has yet to deliver, by source.
    pub fn waiting(&self, output: &str) -> BTreeMap<Arc<str>, Waiting> {
        let inner = self.lock();
        let slowest = Lane::ALL.iter().filter_map(|l| inner.cursors.get(&(output.to_owned(), *l))).min();
        let from = slowest.copied().unwrap_or_default();
        let mut found: BTreeMap<Arc<str>, Waiting> = BTreeMap::new();
        for (id, live) in inner.live.range(from.batch..) {
            let passed = if *id == from.batch { from.event } else { 0 };
            let events = live.events.saturating_sub(passed) as u64;
            if events > 0 {
                let waiting = found.entry(live.source.clone()).or_default();
                waiting.events += events;
                waiting.since.get_or_insert(live.made);
            }
        }
        found
    }

    /// The first batch that some output has yet to pass.
    pub fn passed(&self) -> i64 {
        let inner = self.lock();
        let next = inner.last + 1;
        inner.cursors.values().map(|c| c.batch).min().map_or(next, |c| c.min(next))
    }

    /// What an output had spent of its daily budget, as [`Spool::spend`] was told.
    pub fn spent(&self, output: &str) -> Option<String> {
        self.lock().outputs.get(output).and_then(|o| o.spent.clone())
    }

    /// Keeps what an output has spent of its daily budget; it reaches the disk as cursors do.
    pub fn spend(&self, output: &str, spent: String) {
        let mut inner = self.lock();
        let kept = inner.outputs.entry(output.to_owned()).or_default();
        if kept.spent.as_ref() != Some(&spent) {
            kept.spent = Some(spent);
            inner.moved = true;
        }
    }

    /// Writes the cursors, deletes the batches that every output has passed, and writes the position file for them.
    pub fn sync(&self) -> Result<(), SpoolError> {
        if inode(&self.path) != Some(self.inode) {
            return Err(SpoolError::Gone { path: self.path.clone() });
        }
        let mut inner = self.lock();
        if !inner.moved {
            return Ok(());
        }
        let passed = inner.cursors.values().map(|c| c.batch).min().unwrap_or(0);
        let keep = KEPT_FREE.min(self.max_size() / 4);
        let positions = sync(&mut inner, passed, keep).map_err(|e| self.error(e))?;
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

fn store(
    inner: &mut Inner,
    new: &NewBatch,
    about: &str,
    (position, part): (&str, Option<(&str, &str)>),
    sum: &Hash,
) -> rusqlite::Result<i64> {
    let Inner { db, cursors, outputs, moved, .. } = inner;
    let t = db.transaction()?;
    let source = &new.about.source;
    t.prepare_cached(
        "INSERT INTO batch (source, format, about, position, part, part_position, raw_sha256, events, blob_sha256, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        source,
        batch::FORMAT,
        about,
        position,
        part.map(|p| p.0),
        part.map(|p| p.1),
        new.raw_sha256,
        new.events,
        sum,
        new.blob
    ])?;
    let id = t.last_insert_rowid();
    t.prepare_cached("INSERT OR REPLACE INTO source (name, position, raw_sha256) VALUES (?1, ?2, ?3)")?
        .execute(params![source, position, new.raw_sha256])?;
    if let Some((name, position)) = part {
        t.prepare_cached("INSERT OR REPLACE INTO part (source, name, position, batch) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![source, name, position, id])?;
    }
    if *moved {
        tables::write_state(&t, cursors, outputs)?;
    }
    t.commit()?;
    Ok(id)
}

/// Writes the cursors and deletes the batches before `passed`. Returns the positions that are passed with them. Of the pages
/// that are free then, `keep` bytes stay in the file: the next batches need them.
fn sync(inner: &mut Inner, passed: i64, keep: u64) -> rusqlite::Result<Positions> {
    let Inner { db, cursors, outputs, .. } = inner;
    let t = db.transaction()?;
    tables::write_state(&t, cursors, outputs)?;
    let mut positions = Positions::new();
    {
        let mut whole =
            t.prepare_cached("SELECT source, position, max(id) FROM batch WHERE id < ?1 GROUP BY source")?;
        let mut rows = whole.query([passed])?;
        while let Some(r) = rows.next()? {
            positions.entry(r.get(0)?).or_default().position = r.get(1)?;
        }
        let mut parts = t.prepare_cached(
            "SELECT source, part, part_position, max(id) FROM batch WHERE id < ?1 AND part IS NOT NULL GROUP BY source, part",
        )?;
        let mut rows = parts.query([passed])?;
        while let Some(r) = rows.next()? {
            positions.entry(r.get(0)?).or_default().parts.insert(r.get(1)?, r.get(2)?);
        }
    }
    t.prepare_cached("DELETE FROM batch WHERE id < ?1")?.execute([passed])?;
    t.commit()?;
    let surplus = schema::free(db)?.saturating_sub(keep) / schema::PAGE;
    if surplus > 0 {
        // Each step of this statement gives one page back.
        let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(1_000)))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(positions)
}
