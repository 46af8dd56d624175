//! The database of the spool: one writer behind a lock, batches in memory for outputs that are not behind.
mod outputs;
mod repair;
mod transactions;

use std::{
    collections::{BTreeMap, VecDeque},
    fs, mem,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    SpoolError, SpoolOptions,
    batch::{Batch, Builder, Continuity, NewBatch},
    files,
    files::{Lock, inode, reserve},
    load::Loaded,
    open::{self, Opened},
    parked,
    positions::PositionFile,
    rows::{self, Damaged, Found, Live},
    schema, tables,
};
use crate::digest::Hash;
use crate::{clock, event::Notice};

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
    _lock: Lock,
}

struct Inner {
    db: Connection,
    /// Device and inode of the database: what goes by its path later may be another file.
    inode: (u64, u64),
    positions: PositionFile,
    /// What is in the database, in short, and the state of outputs as it will be there.
    loaded: Loaded,
    /// An output that is not known may have been: it begins with the oldest that is there.
    forgets_outputs: bool,
    /// Nothing of it could be read any more while it was in use, for this reason: only another start helps.
    unusable: Option<String>,
    /// Cursors that moved since they were last written.
    moved: bool,
    recent: VecDeque<Arc<Batch>>,
    recent_bytes: usize,
    /// Bytes of parked records.
    parked: u64,
    /// When the reserve was last looked after.
    reserved: Instant,
    /// Sentences for the log.
    notes: Vec<String>,
    /// Batches that were found damaged or missing since the start.
    damaged: u64,
}

impl Spool {
    /// Opens the spool of a folder, or makes it. What was odd about it is returned in sentences for the log.
    ///
    /// After an error that [is not now](SpoolError::is_not_now) every file is as it was, but for the reserve.
    pub fn open(options: SpoolOptions) -> Result<(Spool, Vec<String>), SpoolError> {
        let folder = options.state_dir.clone();
        files::own(&folder)?;
        let lock = Lock::take(&folder)?;
        let path = folder.join("spool.db");
        let now = clock::now().timestamp_micros();
        let positions = PositionFile::open(&folder);
        let taken_away =
            files::is_taken_away(&folder).map_err(|source| SpoolError::Io { path: path.clone(), source })?;
        let opened = match open::open(&path, now) {
            // SQLite cannot even read on a full disk: the reserve makes room for what it needs beside the database.
            Err(e) if e.is_not_now() && files::give_up_reserve(&folder).unwrap_or(false) => open::open(&path, now),
            other => other,
        };
        let Opened { db, loaded, mut notes, lost, forgets_outputs, damaged } = opened?;
        // Also where an earlier start set it aside and came no further.
        let gone = loaded.log.last == 0 && lost.is_none() && (taken_away || !positions.positions().is_empty());
        if gone {
            notes.push(format!(
                "the spool {} is gone; the sources are read again from the position file, duplicates are possible",
                path.display()
            ));
        }
        // Without room it is made later.
        let _ = reserve(&folder);
        let error = |source| SpoolError::Database { path: path.clone(), source };
        let free = AtomicU64::new(schema::free(&db).map_err(error)?);
        let (_, parked) = parked::count(&db).map_err(error)?;
        let found = inode(&path).map_err(|source| SpoolError::Io { path: path.clone(), source })?.unwrap_or_default();
        let why = lost.or(gone.then(|| "it is not there any more".to_owned()));
        let inner = Inner {
            db,
            inode: found,
            positions,
            loaded,
            forgets_outputs: forgets_outputs || why.is_some(),
            unusable: None,
            moved: false,
            recent: VecDeque::new(),
            recent_bytes: 0,
            parked,
            reserved: Instant::now(),
            notes: Vec::new(),
            damaged,
        };
        let spool = Spool {
            path,
            max_size: options.max_size.into(),
            options,
            is_empty: inner.loaded.live.is_empty().into(),
            free,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            woken: AtomicU64::new(0),
            _lock: lock,
        };
        if let Some(why) = why {
            spool.tell_of_all(&why, now)?;
            files::loss_is_told(&spool.path);
        }
        Ok((spool, notes))
    }

    /// The same, however long it takes: while it does not work at present, `wait` is asked with the reason whether to try again, and
    /// waits before it answers.
    pub fn open_patiently(
        options: SpoolOptions,
        wait: &mut dyn FnMut(&SpoolError) -> bool,
    ) -> Result<(Spool, Vec<String>), SpoolError> {
        loop {
            match Spool::open(options.clone()) {
                Err(e) if e.is_not_now() && wait(&e) => {}
                other => return other,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that died with the lock held left a transaction that SQLite rolls back: the rest is usable.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// An error; where it may be that the disk has no room, the reserve makes some, so that deletes and checkpoints go on (SQLite
    /// cannot even delete on a full disk).
    fn error(&self, source: rusqlite::Error) -> SpoolError {
        let e = SpoolError::Database { path: self.path.clone(), source };
        if e.is_not_now() {
            let _ = files::give_up_reserve(&self.options.state_dir);
        }
        e
    }

    fn count_free(&self, inner: &Inner) {
        // Without the number all of the file counts as used: too early full is the safe side.
        self.is_empty.store(inner.loaded.live.is_empty(), Ordering::Relaxed);
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
        let mut inner = self.lock();
        let stored = self.tried(&mut inner, |i| match tables::one_source(&i.db, source)? {
            None => rows::last_position(&i.db, source),
            found => Ok(found),
        })?;
        Ok(stored.or_else(|| inner.positions.positions().get(source).map(|p| (p.position.clone(), [0; 32]))))
    }

    /// The position of a source that every output has passed, by the position file.
    pub fn delivered_position(&self, source: &str) -> Option<String> {
        self.lock().positions.positions().get(source).map(|p| p.position.clone())
    }

    /// The positions of the parts of a source, and the batch that each was last read into (0: passed).
    pub fn parts(&self, source: &str) -> Result<BTreeMap<String, (String, i64)>, SpoolError> {
        let mut inner = self.lock();
        let (stored, _) = self.tried(&mut inner, |i| tables::parts(&i.db, schema::VERSION, Some(source)))?;
        let file = inner.positions.positions().get(source);
        let mut parts: BTreeMap<String, (String, i64)> =
            file.map(|f| f.parts.iter().map(|(n, p)| (n.clone(), (p.clone(), 0))).collect()).unwrap_or_default();
        parts.extend(stored.into_iter().map(|(_, part)| part));
        Ok(parts)
    }

    /// Forgets places of parts of a source.
    pub fn forget_parts(&self, source: &str, names: &[String]) -> Result<(), SpoolError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        self.tried(&mut inner, |i| tables::forget_parts(&mut i.db, source, names))
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

    fn store(&self, new: &mut NewBatch, place: Option<rows::Place<'_>>) -> Result<i64, SpoolError> {
        let mut inner = self.lock();
        self.usable(&inner)?;
        let most = parked::most(self.max_size());
        let id = self.tried(&mut inner, |i| transactions::store(i, new, place, most))?;
        inner.loaded.live.insert(id, Live::new(id, &new.about, new.events as usize));
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

    /// The first batch at or behind a number; `None` when there is none yet. One that is damaged is set aside, and what is told of
    /// it comes in its place.
    pub fn next(&self, from: i64) -> Result<Option<Arc<Batch>>, SpoolError> {
        // A batch that is set aside and read again is whole; more than one round is a disk that damages what is written to it.
        for _ in 0..8 {
            match self.look(from)? {
                Ok(found) => return Ok(found),
                Err(damaged) => self.set_aside(&damaged)?,
            }
        }
        Err(SpoolError::Damaged { path: self.path.clone(), reason: "what is written is not what is read".to_owned() })
    }

    fn look(&self, from: i64) -> Result<Result<Option<Arc<Batch>>, Box<Damaged>>, SpoolError> {
        let mut inner = self.lock();
        if from > inner.loaded.log.last {
            return Ok(Ok(None));
        }
        if inner.recent.front().is_some_and(|b| b.id <= from) {
            return Ok(Ok(inner.recent.iter().find(|b| b.id >= from).cloned()));
        }
        let found = self.tried(&mut inner, |i| rows::near(&i.db, schema::VERSION, from, true))?;
        drop(inner);
        Ok(match found {
            None => Ok(None),
            Some((Found::Damaged(damaged), _)) => Err(damaged),
            Some((Found::Whole(head), blob)) => head.open(&blob).map(|batch| Some(Arc::new(batch))),
        })
    }

    /// Waits until there is a batch at or behind a number, somebody woke those who wait since [`Spool::woken`] said
    /// `woken`, or the time is over.
    pub fn wait(&self, woken: u64, from: i64, at_most: Duration) {
        let nothing = |i: &mut Inner| i.loaded.log.last < from && self.woken() == woken;
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
        self.lock().loaded.log.last
    }

    /// Writes the cursors, deletes the batches that every output has passed, and writes the position file for them.
    pub fn sync(&self) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        self.usable(&inner)?;
        match inode(&self.path) {
            Ok(found) if found == Some(inner.inode) => {}
            Ok(_) => return Err(SpoolError::Gone { path: self.path.clone() }),
            // It may be there all the same.
            Err(source) => return Err(SpoolError::Io { path: self.path.clone(), source }),
        }
        let keep = KEPT_FREE.min(self.max_size() / 4);
        // What was deleted is given back some pages at a time: it goes on when nothing else moves.
        if !inner.moved && self.free.load(Ordering::Relaxed) < keep + schema::PAGE {
            let path = self.options.state_dir.join("position");
            return inner.positions.write_in_time().map_err(|source| SpoolError::Io { path, source });
        }
        let positions = self.tried(&mut inner, |i| transactions::sync(i, keep))?;
        self.count_free(&inner);
        self.restore_reserve(&mut inner);
        if self.is_full() {
            // What was given back leaves the file with a checkpoint only, and the log counts too.
            self.tried(&mut inner, |i| i.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))?;
        }
        let mut all = inner.positions.positions().clone();
        for (source, position) in positions {
            all.entry(source).or_default().advance(position);
        }
        let file = self.options.state_dir.join("position");
        inner.positions.write(&all).map_err(|source| SpoolError::Io { path: file, source })
    }

    /// The same at the end of an agent, and the log is written into the database: a copy of that file alone is the spool, also where
    /// a thread that hangs keeps it open.
    pub fn close(&self) -> Result<(), SpoolError> {
        self.sync()?;
        // One that somebody reads stays beside its log, which is as good.
        let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        self.lock().db.query_row(checkpoint, [], |_| Ok(())).or_else(|_| Ok(()))
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
        // Parked records stay until somebody forgets them: they hold up nothing.
        if self.is_empty.load(Ordering::Relaxed) {
            return 0.0;
        }
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
        let live = &inner.loaded.live;
        Ok(Status {
            batches: i64::try_from(live.len()).unwrap_or(i64::MAX),
            events: live.values().map(|l| i64::try_from(l.events).unwrap_or(0)).sum(),
            size: self.size(),
            last: inner.loaded.log.last,
        })
    }
}
