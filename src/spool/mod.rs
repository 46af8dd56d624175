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
mod actor;
pub mod basis;
pub mod batch;
mod books;
mod buffers;
mod cursor;
mod fault;
mod files;
mod head;
pub mod inspect;
mod ledger;
mod load;
mod loss;
mod mend;
mod migrate;
mod open;
pub mod parked;
pub mod positions;
mod rebuild;
mod rows;
mod schema;
mod seal;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod wal;

use std::{io, path::PathBuf};

pub use actor::{Delivered, Spool, Start, Waiting};
pub use basis::Basis;
pub use batch::{Batch, BatchHeader, Builder, NewBatch, StoredEvent};
pub use books::{Books, Queue, SourceBook};
pub use cursor::{Cursor, Lane};
pub use files::{Lock, is_in_use, is_ours};
pub use ledger::View;

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
        SpoolOptions { state_dir, max_size: SpoolOptions::MAX_SIZE, cache: 8 << 20 }
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
    /// Nothing of the database can be read any more, while the agent runs.
    #[error(
        "the spool {path} was damaged while it was in use ({reason}), and was set aside: start the agent again: it reads the sources again from the position file"
    )]
    Lost {
        /// Where it was.
        path: PathBuf,
        /// How it is damaged.
        reason: String,
    },
    /// The thread that writes it is not there any more.
    #[error(
        "the spool {path}: the thread that writes it has ended: this is a mistake of the program, please report it; what was stored is on the disk: start the agent again"
    )]
    Ended {
        /// The database.
        path: PathBuf,
    },
    /// A file or the folder belongs to somebody else, or is a link.
    #[error(
        "{path}: {why}: the state is not safe there; give it a folder that is the agent's own, or take the file away and start again"
    )]
    NotOurs {
        /// The file or folder.
        path: PathBuf,
        /// It is what it should be, but of another user.
        other_user: bool,
        /// Whose it is, or what it is.
        why: String,
    },
    /// No folder can be made there.
    #[error("{path}: no folder can be made there ({source}): name another state_dir, or make this one")]
    NoFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A later program wrote it.
    #[error(
        "the spool {path} was written by a later version of qaudjrn (its tables have version {version}, this program knows versions up to {known}): start that one again; nothing was changed",
        known = schema::VERSION
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its tables.
        version: i64,
    },
    /// It is damaged, and what was set aside and made anew is damaged again.
    #[error("the spool {path} is damaged again and again: {reason}; look at the disk")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// How.
        reason: String,
    },
}

impl SpoolError {
    /// Whether the agent cannot go on with its state: it ends, and the next start sees what is to be done.
    pub fn ends_the_agent(&self) -> bool {
        matches!(
            self,
            SpoolError::Gone { .. } | SpoolError::Lost { .. } | SpoolError::Ended { .. } | SpoolError::Damaged { .. }
        )
    }

    /// Whether it may work later: no room, no descriptor, no memory, a disk that fails, another program that holds the database. A
    /// reason to wait, not to end.
    pub fn is_not_now(&self) -> bool {
        match self {
            SpoolError::Database { source, .. } => !fault::is_damage(source),
            SpoolError::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::NotADirectory
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::InvalidInput
            ),
            _ => false,
        }
    }
}
