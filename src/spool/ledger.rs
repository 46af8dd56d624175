//! What is known of the spool in memory: where outputs stand, which batches there are, and the newest of them.
//!
//! Whoever looks at it holds its lock for a moment and never while the disk is waited for.
use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use super::{
    SpoolError, SpoolOptions,
    batch::Batch,
    books::Kept,
    cursor::{self, Cursor, Cursors, Lane},
    files::inode,
    load::Loaded,
    schema,
    tables::Outputs,
};

/// Bytes of free pages that stay in the database, at most.
const KEPT_FREE: u64 = 32 << 20;

/// What the thread that writes the spool shares with those that use it.
pub(super) struct Board {
    /// The folder of the state.
    pub(super) folder: PathBuf,
    /// Bytes that the spool may have.
    pub(super) max_size: AtomicU64,
    /// Nothing is stored.
    pub(super) is_empty: AtomicBool,
    /// Bytes in the database that batches had and others will have.
    pub(super) free: AtomicU64,
    /// Grows when the database is made anew: who has it open reads what is not there any more.
    pub(super) generation: AtomicU64,
    /// A sync has something to do though nothing moved: the position file is older than it may be, or nothing can be stored any more.
    pub(super) unsettled: AtomicBool,
    /// Transactions that stored batches.
    pub(super) commits: AtomicU64,
    /// For those who wait.
    pub(super) view: watch::Sender<View>,
    /// There is something to be written.
    pub(super) stirred: Arc<Notify>,
    ledger: Mutex<Ledger>,
    /// It was seen to be full, and somebody may wait for room.
    was_full: AtomicBool,
}

/// What those who wait for the spool see of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The number of the newest batch that can be read.
    pub last: i64,
    /// Grows when somebody is to look again: there is room, or something else than the spool changed.
    pub woken: u64,
}

/// See the module.
pub(super) struct Ledger {
    /// What is in the database, in short, and the state of outputs as it will be there.
    pub(super) loaded: Loaded,
    /// An output that is not known may have been: it begins with the oldest that is there.
    pub(super) forgets_outputs: bool,
    /// Device and inode of the database: what goes by its path later may be another file.
    pub(super) inode: (u64, u64),
    /// Cursors that moved since they were last written.
    pub(super) moved: bool,
    /// Is told when that begins.
    stirred: Arc<Notify>,
    /// The newest batches, for outputs that are not behind.
    recent: VecDeque<Arc<Batch>>,
    /// From here on batches are stored this moment. They are read when they are in memory: an output that comes to them before would read
    /// all of them from the disk.
    pub(super) stored_now: Option<i64>,
    recent_bytes: usize,
    /// By output: what it has delivered of batches that its slowest lane has not passed, where it said so.
    pub(super) delivered: BTreeMap<String, BTreeMap<i64, u64>>,
    /// What was stored and put before outputs since the start.
    pub(super) books: Kept,
    /// Sentences for the log.
    pub(super) notes: Vec<String>,
    /// Batches that were found damaged or missing since the start.
    pub(super) damaged: u64,
}

/// The state of outputs at a moment, to be written.
pub(super) struct Snapshot {
    pub(super) cursors: Cursors,
    pub(super) outputs: Outputs,
}

impl Board {
    pub(super) fn new(loaded: Loaded, forgets_outputs: bool, damaged: u64, options: &SpoolOptions) -> Board {
        let stirred: Arc<Notify> = Arc::default();
        let view = View { last: loaded.log.last, woken: 0 };
        Board {
            folder: options.state_dir.clone(),
            max_size: options.max_size.into(),
            is_empty: loaded.live.is_empty().into(),
            free: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            unsettled: AtomicBool::new(true),
            commits: AtomicU64::new(0),
            ledger: Mutex::new(Ledger {
                loaded,
                forgets_outputs,
                inode: (0, 0),
                moved: false,
                stirred: stirred.clone(),
                recent: VecDeque::new(),
                stored_now: None,
                recent_bytes: 0,
                delivered: BTreeMap::new(),
                books: Kept::default(),
                notes: Vec::new(),
                damaged,
            }),
            view: watch::Sender::new(view),
            stirred,
            was_full: AtomicBool::new(false),
        }
    }

    /// A thread that died with the lock held left nothing half done that counts.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of database, write-ahead log and reserve.
    pub(super) fn size(&self) -> u64 {
        let length = |name: &str| fs::metadata(self.folder.join(name)).map_or(0, |m| m.len());
        ["spool.db", "spool.db-wal", "reserve"].into_iter().map(length).sum()
    }

    /// Bytes used: those of pages that wait to be used again are room.
    pub(super) fn used(&self) -> u64 {
        self.size().saturating_sub(self.free.load(Ordering::Relaxed))
    }

    /// Whether it has reached its size. An empty one always takes a batch: with a size that is too small it would else wait for ever.
    pub(super) fn is_at_its_size(&self) -> bool {
        self.used() >= self.max_size.load(Ordering::Relaxed) && !self.is_empty.load(Ordering::Relaxed)
    }

    /// The same for somebody who waits for room.
    pub(super) fn is_full(&self) -> bool {
        let is_full = self.is_at_its_size();
        if is_full {
            self.was_full.store(true, Ordering::SeqCst);
        }
        is_full
    }

    /// Something was deleted: wakes those who wait for room, if there is some.
    pub(super) fn tell_of_room(&self) {
        if self.was_full.swap(false, Ordering::SeqCst) && !self.is_full() {
            self.wake();
        }
    }

    /// Bytes of free pages that stay in the database: the next batches need them.
    pub(super) fn kept_free(&self) -> u64 {
        KEPT_FREE.min(self.max_size.load(Ordering::Relaxed) / 4)
    }

    /// Whether nothing moved, and nothing is to be given back.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.lock().moved && self.free.load(Ordering::Relaxed) < self.kept_free() + schema::PAGE
    }

    /// An error where the database goes by another name, or is deleted.
    pub(super) fn check_place(&self, path: &Path) -> Result<(), SpoolError> {
        match inode(path) {
            Ok(found) if found == Some(self.lock().inode) => Ok(()),
            Ok(_) => Err(SpoolError::Gone { path: path.to_owned() }),
            // It may be there all the same.
            Err(source) => Err(SpoolError::Io { path: path.to_owned(), source }),
        }
    }

    /// Wakes everybody who waits.
    pub(super) fn wake(&self) {
        self.view.send_modify(|v| v.woken += 1);
    }

    /// A batch can be read: wakes those who wait for it.
    pub(super) fn tell(&self, id: i64) {
        self.view.send_modify(|v| v.last = v.last.max(id));
    }
}

impl Ledger {
    /// A cursor, or something else of an output, is another than on the disk.
    pub(super) fn mark_moved(&mut self) {
        if !std::mem::replace(&mut self.moved, true) {
            self.stirred.notify_one();
        }
    }

    /// The state of outputs that has to be written: the cursors that moved.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { cursors: cursor::moved(&self.loaded.cursors), outputs: self.loaded.outputs.clone() }
    }

    /// A snapshot is on the disk. What moved since then is not.
    pub(super) fn written(&mut self, snapshot: &Snapshot) {
        cursor::written(&mut self.loaded.cursors, &snapshot.cursors);
        self.moved = self.loaded.outputs != snapshot.outputs || cursor::have_moved(&self.loaded.cursors);
    }

    /// Keeps a batch in memory, and lets the oldest go until all have at most so many bytes.
    pub(super) fn remember(&mut self, batch: Batch, most: usize) {
        self.recent_bytes += batch.size();
        self.recent.push_back(Arc::new(batch));
        while self.recent_bytes > most {
            let Some(old) = self.recent.pop_front() else { break };
            self.recent_bytes -= old.size();
        }
    }

    /// The batch of a number, if it is kept. Numbers grow from one to the next.
    pub(super) fn find_recent(&self, id: i64) -> Option<&Arc<Batch>> {
        let at = self.recent.binary_search_by_key(&id, |b| b.id).ok()?;
        self.recent.get(at)
    }

    /// Where the slowest lane of an output stands.
    pub(super) fn slowest(&self, output: &str) -> Cursor {
        let of = |lane: Lane| self.loaded.cursors.get(&(output.to_owned(), lane)).map(|kept| kept.now);
        Lane::ALL.into_iter().filter_map(of).min().unwrap_or_default()
    }

    /// A lane of an output has passed a batch: lets those go that every output has passed, for nobody asks for them any more.
    pub(super) fn let_go_of_passed(&mut self, output: &str) {
        let from = self.slowest(output).batch;
        if let Some(delivered) = self.delivered.get_mut(output)
            && delivered.first_key_value().is_some_and(|(id, _)| *id < from)
        {
            *delivered = delivered.split_off(&from);
        }
        if self.recent.front().is_none_or(|b| b.id >= from) {
            return;
        }
        let passed = self.loaded.cursors.values().map(|c| c.now.batch).min().unwrap_or(0);
        while self.recent.front().is_some_and(|b| b.id < passed) {
            let Some(old) = self.recent.pop_front() else { break };
            self.recent_bytes -= old.size();
        }
        if self.recent.is_empty() {
            self.recent = VecDeque::new();
        }
    }

    /// The numbers of those that are kept.
    #[cfg(test)]
    pub(super) fn recent(&self) -> Vec<i64> {
        let bytes: usize = self.recent.iter().map(|b| b.size()).sum();
        assert_eq!(bytes, self.recent_bytes);
        self.recent.iter().map(|b| b.id).collect()
    }

    /// Keeps none in memory.
    pub(super) fn forget_recent(&mut self) {
        self.recent = VecDeque::new();
        self.recent_bytes = 0;
    }
}
