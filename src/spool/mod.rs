//! The spool: one durable log of filtered entries in SQLite, which any number of outputs read, each at its own cursor.
//!
//! For: appending a batch together with its source's position in one transaction ([`Spool::append`]), reading batches in
//! order ([`Spool::next`]), keeping cursors ([`Spool::advance`], [`Spool::sync`]), deleting what every output has passed.
//! Not for: what is in an entry, encoding, sending.
//!
//! Invariants: what [`Spool::append`] returned from is on the disk; a cursor never stands behind an event that is not
//! acknowledged; a batch whose bytes are not those that were written is never handed out; a database that cannot be
//! used is set aside with its reason and never overwritten, and the sources are read again from the position file:
//! that costs duplicates, not events.
pub mod basis;
pub mod batch;
mod cursor;
mod files;
pub mod inspect;
pub mod positions;
mod schema;
mod store;
mod tables;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

pub use basis::Basis;
pub use batch::{Batch, Builder, Continuity, NewBatch, Stored};
pub use cursor::{Cursor, Lane};
pub use store::{Spool, Start, Status, Waiting};

/// What shapes a spool.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// The folder of the state; nothing is written elsewhere.
    pub state_dir: PathBuf,
    /// Bytes that database, write-ahead log and reserve may have together.
    pub max_size: u64,
    /// Bytes of batches kept in memory for outputs that are not behind.
    pub cache: usize,
}

impl SpoolOptions {
    /// The size unless another is given.
    pub const MAX_SIZE: u64 = 4 << 30;

    /// The defaults for a folder.
    pub fn new(state_dir: PathBuf) -> SpoolOptions {
        SpoolOptions { state_dir, max_size: SpoolOptions::MAX_SIZE, cache: 16 << 20 }
    }
}

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another agent holds it.
    #[error("{path}: another agent uses this state: each agent needs a state_dir of its own")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// A file of the state.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error("the spool {path}: {source}")]
    Database {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The database goes by another name, or is deleted, while the agent runs.
    #[error(
        "the spool {path} was taken away or replaced while it was in use: what was written to it since is not safe; start the agent again: it reads the sources again from the position file"
    )]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// A batch is not what was written.
    #[error(
        "the spool {path}: batch {batch} is damaged: {reason}; start the agent again: it sets the spool aside and reads the sources again"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The batch.
        batch: i64,
        /// How.
        reason: String,
    },
}

impl SpoolError {
    /// Whether the disk is full or not to be written to: a reason to wait, not to end.
    pub fn is_no_space(&self) -> bool {
        match self {
            SpoolError::Database { source: rusqlite::Error::SqliteFailure(e, _), .. } => matches!(
                e.code,
                rusqlite::ErrorCode::DiskFull
                    | rusqlite::ErrorCode::ReadOnly
                    | rusqlite::ErrorCode::SystemIoFailure
                    | rusqlite::ErrorCode::CannotOpen
            ),
            SpoolError::Io { .. } => true,
            _ => false,
        }
    }
}
