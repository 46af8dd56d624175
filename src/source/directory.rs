//! A folder that captures arrive in (by FTP, SFTP or QFileSvr.400) as a source: each is read when it is complete.
use std::{path::PathBuf, time::Duration};

/// When a file is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// When its size and time have not changed for so long.
    Stable(Duration),
    /// When it goes by a name that matches: whoever writes it does so under another name and renames it then.
    Rename,
    /// When there is a file NAME.done beside it.
    Done,
}

/// Which of several files is read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By name.
    Name,
    /// By the time of its last change.
    Time,
}

/// What becomes of a file that every output has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It stays.
    Keep,
    /// It is moved to this folder.
    Move(PathBuf),
    /// It is deleted.
    Delete,
}

/// The folder and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryOptions {
    /// The folder; not the ones in it.
    pub path: PathBuf,
    /// Names that count, with `*` and `?`.
    pub pattern: String,
    /// See there.
    pub complete: Complete,
    /// See there.
    pub order: Order,
    /// See there.
    pub after: After,
    /// Go on waiting for more; otherwise it ends when all files that are there are read.
    pub follow: bool,
}
