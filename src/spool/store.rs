//! The database of the spool, as the one thread that writes it has it ([`super::actor`]).
mod repair;
mod transactions;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::Connection;

pub(super) use self::transactions::ToStore;
use super::{
    SpoolError, SpoolOptions,
    batch::{Batch, NewBatch},
    buffers, files,
    files::{Lock, inode, reserve},
    ledger::Board,
    open::{self, Opened},
    parked,
    positions::PositionFile,
    rows::{self, Damaged, Found},
    schema, tables,
};
use crate::{clock, digest::Hash};

/// How often the reserve is made again after it was used up.
const RESERVE_EVERY: Duration = Duration::from_secs(60);

/// The database and the position file of one agent.
pub(super) struct Store {
    path: PathBuf,
    options: SpoolOptions,
    db: Connection,
    positions: PositionFile,
    /// Nothing of it could be read any more while it was in use, for this reason: only another start helps.
    unusable: Option<String>,
    /// Bytes of parked records.
    parked: u64,
    /// When the reserve was last looked after.
    reserved: Instant,
    board: Arc<Board>,
    /// Held as long as the agent runs.
    _lock: Lock,
}

impl Store {
    /// Opens the spool of a folder, or makes it. What was odd about it is returned in sentences for the log.
    ///
    /// After an error that [is not now](SpoolError::is_not_now) every file is as it was, but for the reserve.
    pub(super) fn open(options: SpoolOptions) -> Result<(Store, Arc<Board>, Vec<String>), SpoolError> {
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
        let free = schema::free(&db).map_err(error)?;
        let (_, parked) = parked::count(&db).map_err(error)?;
        let found = inode(&path).map_err(|source| SpoolError::Io { path: path.clone(), source })?.unwrap_or_default();
        let why = lost.or(gone.then(|| "it is not there any more".to_owned()));
        let board = Board::new(loaded, forgets_outputs || why.is_some(), damaged, &options);
        board.free.store(free, Ordering::Relaxed);
        board.lock().inode = found;
        let board = Arc::new(board);
        let mut store = Store {
            path,
            options,
            db,
            positions,
            unusable: None,
            parked,
            reserved: Instant::now(),
            board: board.clone(),
            _lock: lock,
        };
        if let Some(why) = why {
            store.tell_of_all(&why, now)?;
            files::loss_is_told(&store.path);
        }
        Ok((store, board, notes))
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

    fn count_free(&self) {
        // Without the number all of the file counts as used: too early full is the safe side.
        let is_empty = self.board.lock().loaded.live.is_empty();
        self.board.is_empty.store(is_empty, Ordering::Relaxed);
        self.board.free.store(schema::free(&self.db).unwrap_or(0), Ordering::Relaxed);
    }

    /// Makes the reserve again, once in a while, when it was used up and things go well.
    fn restore_reserve(&mut self) {
        if self.reserved.elapsed() >= RESERVE_EVERY {
            self.reserved = Instant::now();
            // Without room it is tried again later.
            let _ = reserve(&self.options.state_dir);
        }
    }

    /// See [`super::Spool::position`].
    pub(super) fn position(&mut self, source: &str) -> Result<Option<(String, Hash)>, SpoolError> {
        let stored = self.tried(|s| match tables::one_source(&s.db, source)? {
            None => rows::last_position(&s.db, source),
            found => Ok(found),
        })?;
        Ok(stored.or_else(|| self.positions.positions().get(source).map(|p| (p.position.clone(), [0; 32]))))
    }

    /// See [`super::Spool::sources`].
    pub(super) fn sources(&mut self, prefix: &str) -> Result<BTreeSet<String>, SpoolError> {
        let (stored, damaged) = self.tried(|s| tables::sources(&s.db, schema::VERSION))?;
        let in_file = self.positions.positions().keys().cloned();
        let all = stored.into_keys().chain(damaged).chain(in_file);
        Ok(all.filter(|name| name.starts_with(prefix)).collect())
    }

    /// See [`super::Spool::delivered_position`].
    pub(super) fn delivered_position(&self, source: &str) -> Option<String> {
        self.positions.positions().get(source).map(|p| p.position.clone())
    }

    /// See [`super::Spool::files`].
    pub(super) fn files(&mut self, source: &str) -> Result<BTreeMap<String, (String, i64)>, SpoolError> {
        let (stored, _) = self.tried(|s| tables::files(&s.db, schema::VERSION, Some(source)))?;
        let file = self.positions.positions().get(source);
        let mut files: BTreeMap<String, (String, i64)> =
            file.map(|f| f.files.iter().map(|(n, p)| (n.clone(), (p.clone(), 0))).collect()).unwrap_or_default();
        files.extend(stored.into_iter().map(|(_, file)| file));
        Ok(files)
    }

    /// See [`super::Spool::forget_files`].
    pub(super) fn forget_files(&mut self, source: &str, names: &[String]) -> Result<(), SpoolError> {
        self.tried(|s| tables::forget_files(&mut s.db, source, names))
    }

    /// Stores batches in one transaction, and returns the number of the first. When this returns all of it is on the disk.
    /// [`Store::remember`] comes next: until then nobody reads them.
    pub(super) fn store(&mut self, group: &[ToStore<'_>]) -> Result<i64, SpoolError> {
        self.usable()?;
        let most = parked::most(self.board.max_size.load(Ordering::Relaxed));
        {
            let mut ledger = self.board.lock();
            ledger.stored_now = Some(ledger.loaded.log.last + 1);
        }
        let stored = self.tried(|s| transactions::store(&mut s.db, &s.board, group, (s.parked, most)));
        if stored.is_err() {
            self.board.lock().stored_now = None;
        }
        let (first, kept) = stored?;
        self.parked = kept;
        self.board.commits.fetch_add(1, Ordering::Relaxed);
        self.count_free();
        Ok(first)
    }

    /// Keeps batches that are stored in memory, of which the first has this number, and tells those who wait for them.
    pub(super) fn remember(&self, first: i64, group: impl Iterator<Item = NewBatch>) {
        let opened = |(id, new): (i64, NewBatch)| {
            buffers::give(new.blob);
            (id, Batch::plain(id, new.header, new.plain))
        };
        let batches: Vec<(i64, Option<Batch>)> = (first..).zip(group).map(opened).collect();
        let last = batches.last().map_or(first, |(id, _)| *id);
        {
            let mut ledger = self.board.lock();
            ledger.stored_now = None;
            batches.into_iter().filter_map(|(_, batch)| batch).for_each(|b| ledger.remember(b, self.options.cache));
        }
        self.board.tell(last);
    }

    /// The first batch at or behind a number, from the disk; `None` when there is none yet. One that is damaged is set aside, and
    /// what is told of it comes in its place.
    pub(super) fn next(&mut self, from: i64) -> Result<Option<Arc<Batch>>, SpoolError> {
        // A batch that is set aside and read again is whole; more than one round is a disk that damages what is written to it.
        for _ in 0..8 {
            if from > self.board.lock().loaded.log.last {
                return Ok(None);
            }
            match self.tried(|s| near(&s.db, from))? {
                Ok(found) => return Ok(found),
                Err(damaged) => self.quarantine(&damaged)?,
            }
        }
        Err(SpoolError::Damaged { path: self.path.clone(), reason: "what is written is not what is read".to_owned() })
    }

    /// Writes the cursors, deletes the batches that every output has passed, and writes the position file for them.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        self.usable()?;
        self.board.check_place(&self.path)?;
        let done = self.write_state();
        self.board.unsettled.store(self.positions.is_unwritten() || self.unusable.is_some(), Ordering::Relaxed);
        done
    }

    fn write_state(&mut self) -> Result<(), SpoolError> {
        // What was deleted is given back some pages at a time: it goes on when nothing else moves.
        if self.board.is_at_rest() {
            let path = self.options.state_dir.join("position");
            return self.positions.write_in_time().map_err(|source| SpoolError::Io { path, source });
        }
        let keep = self.board.kept_free();
        let positions = self.tried(|s| transactions::sync(&mut s.db, &s.board, keep))?;
        self.count_free();
        self.restore_reserve();
        self.board.tell_of_room();
        if self.board.is_full() {
            // What was given back leaves the file with a checkpoint only, and the log counts too.
            self.tried(|s| s.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))?;
        }
        let mut all = self.positions.positions().clone();
        for (source, position) in positions {
            all.entry(source).or_default().advance(position);
        }
        let file = self.options.state_dir.join("position");
        self.positions.write(&all).map_err(|source| SpoolError::Io { path: file, source })
    }

    /// For tests that make it fail.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.db
    }

    /// See [`super::Spool::close`].
    pub(super) fn close(&mut self) -> Result<(), SpoolError> {
        self.sync()?;
        // One that somebody reads stays beside its log, which is as good.
        let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        self.db.query_row(checkpoint, [], |_| Ok(())).or_else(|_| Ok(()))
    }
}

/// A batch that is found, or what is wrong with it.
pub(super) type Near = Result<Option<Arc<Batch>>, Box<Damaged>>;

/// The first batch at or behind a number.
pub(super) fn near(db: &Connection, from: i64) -> rusqlite::Result<Near> {
    Ok(match rows::near(db, schema::VERSION, from, true)? {
        None => Ok(None),
        Some((Found::Damaged(damaged), _)) => Err(damaged),
        Some((Found::Whole(head), blob)) => head.open(&blob).map(|batch| Some(Arc::new(batch))),
    })
}
