//! Old batches, read from the disk by a connection of their own.
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use rusqlite::{Connection, OpenFlags};

use super::super::{batch::Batch, ledger::Board, store};

/// Reads batches.
pub(super) struct Reader {
    path: PathBuf,
    board: Arc<Board>,
    /// The generation of the database, and the connection.
    open: Mutex<Option<(u64, Connection)>>,
}

impl Reader {
    /// Of a database, which is opened when it is first asked.
    pub(super) fn new(path: PathBuf, board: Arc<Board>) -> Arc<Reader> {
        Arc::new(Reader { path, board, open: Mutex::default() })
    }

    /// The first batch at or behind a number, or none, as far as the disk is not needed for it: `None` where it is.
    pub(super) fn in_memory(&self, from: i64) -> Option<Option<Arc<Batch>>> {
        let ledger = self.board.lock();
        if from > ledger.loaded.log.last || ledger.stored_now.is_some_and(|first| from >= first) {
            return Some(None);
        }
        ledger.find_recent(from).map(|batch| Some(batch.clone()))
    }

    /// The batch from the disk, if all is well there. Waits for the disk.
    pub(super) fn read(&self, from: i64) -> Option<Arc<Batch>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.board.generation.load(Ordering::SeqCst);
        if open.as_ref().is_none_or(|(of, _)| *of != generation) {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            *open = Some((generation, Connection::open_with_flags(&self.path, flags).ok()?));
        }
        let (_, db) = open.as_ref()?;
        store::near(db, from).ok()?.ok()?
    }

    /// The database is left alone, until it is asked again.
    pub(super) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
