//! The files of a state: whose they are, their modes, what goes by a path, and the reserve.
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{SpoolError, fault::Fault};

/// Bytes kept back so that deletes still work when the disk is full.
const RESERVE: u64 = 16 << 20;
/// It is written in pieces of so many bytes.
const PIECE: usize = 64 << 10;
/// The files that an agent makes in its folder. What goes by one of these names must be its own.
const OWN: [&str; 18] = [
    "lock",
    "position.0",
    "position.1",
    "reserve",
    "spool.db",
    "spool.db-wal",
    "spool.db-wal.new",
    "spool.db-wal.doubtful",
    "spool.db-shm",
    "spool.db.lost",
    "spool.db.new",
    "spool.db.new-wal",
    "spool.db.new-shm",
    "spool.db.head",
    "spool.db.head-wal",
    "spool.db.head-shm",
    "metrics.prom",
    "metrics.prom.new",
];

/// Device and inode of what goes by a path; `None` where nothing does. What cannot be looked at now is an error: it may well be there.
pub(super) fn inode(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::metadata(path) {
        Ok(m) => Ok(Some((m.dev(), m.ino()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes a file or folder the agent's own.
pub(super) fn private(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes the folder of a state, or takes the one that is there: it must belong to the user that runs the agent, and so must every
/// file in it that goes by a name of ours; links are not followed.
pub(super) fn own(folder: &Path) -> Result<(), SpoolError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SpoolError::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(|source| match source.kind() {
        // Where every folder above it is made too, these do not pass: a link to nothing, a file in the way, a file system that has none.
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            SpoolError::NoFolder { path: folder.to_owned(), source }
        }
        _ => io(folder)(source),
    })?;
    folder_is_ours(folder)?;
    private(folder, 0o700).map_err(io(folder))?;
    for path in OWN.map(|name| folder.join(name)) {
        // A mode that others may read or write is a state that others may read or write.
        if file_is_ours(&path)?.is_some_and(|found| found.mode() & 0o077 != 0) {
            private(&path, 0o600).map_err(io(&path))?;
        }
    }
    Ok(())
}

/// Whether a start takes this folder, as far as it is there, and the files in it for its own. Nothing is changed.
pub fn is_ours(folder: &Path) -> Result<(), SpoolError> {
    folder_is_ours(folder)?;
    OWN.map(|name| folder.join(name)).iter().try_for_each(|path| file_is_ours(path).map(drop))
}

fn foreign(path: &Path, other_user: bool, why: String) -> SpoolError {
    SpoolError::NotOurs { path: path.to_owned(), other_user, why }
}

/// An error where it belongs to somebody else.
fn is_of_this_user(path: &Path, found: &fs::Metadata) -> Result<(), SpoolError> {
    let me = rustix::process::geteuid().as_raw();
    if found.uid() == me {
        return Ok(());
    }
    Err(foreign(path, true, format!("it belongs to user {}, and the agent runs as user {me}", found.uid())))
}

fn folder_is_ours(folder: &Path) -> Result<(), SpoolError> {
    let found = fs::metadata(folder).map_err(|source| SpoolError::Io { path: folder.to_owned(), source })?;
    is_of_this_user(folder, &found)
}

/// What it is; `None` where it is not there.
fn file_is_ours(path: &Path) -> Result<Option<fs::Metadata>, SpoolError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SpoolError::Io { path: path.to_owned(), source }),
    };
    if !found.is_file() {
        return Err(foreign(path, false, "it is a link or no regular file".to_owned()));
    }
    if found.nlink() > 1 {
        return Err(foreign(path, false, "it goes by another name too (a hard link)".to_owned()));
    }
    is_of_this_user(path, &found)?;
    Ok(Some(found))
}

/// Options that follow no link and make private files.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// A file beside another: its name with something behind.
pub(super) fn beside(path: &Path, behind: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(behind);
    name.into()
}

/// Makes an empty file, where there is none: SQLite gives the files beside it the mode of this one.
pub(super) fn create(path: &Path) -> io::Result<()> {
    options().append(true).create(true).open(path).map(|_| ())
}

/// The names in a folder are on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The database and what SQLite keeps beside it.
const PIECES: [&str; 3] = ["", "-wal", "-shm"];

/// Deletes a database that holds nothing that is not elsewhere.
pub(super) fn remove_database(path: &Path) -> io::Result<()> {
    for piece in PIECES {
        match fs::remove_file(beside(path, piece)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// A name beside a file under which it can be kept.
pub(super) fn free_name(path: &Path) -> io::Result<PathBuf> {
    let mut n = 1_u32;
    while is_taken(&aside(path, n))? {
        n += 1;
    }
    Ok(aside(path, n))
}

/// Whether a database, or something beside one, goes by this name. An error is no answer: what cannot be looked at now may be there.
fn is_taken(path: &Path) -> io::Result<bool> {
    PIECES.iter().try_fold(false, |taken, piece| Ok(taken || beside(path, piece).try_exists()?))
}

fn aside(path: &Path, n: u32) -> PathBuf {
    beside(path, &format!(".set-aside-{n}"))
}

/// Renames the database and what belongs to it; nothing is deleted. Returns the new name.
pub(super) fn quarantine(path: &Path) -> io::Result<PathBuf> {
    let to = free_name(path)?;
    // The database first: where this ends in between, the log is not read without it, and [`follow`] brings it after.
    for piece in PIECES {
        match fs::rename(beside(path, piece), beside(&to, piece)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    sync_folder(path)?;
    Ok(to)
}

/// Whether an agent kept its spool in this folder, and it is not there: what is made behind it, and goes with nobody, is.
pub(super) fn is_taken_away(folder: &Path) -> io::Result<bool> {
    Ok(!folder.join("spool.db").try_exists()? && folder.join("reserve").try_exists()?)
}

/// A file that says why a database was set aside of which nothing could be read, until that is told.
const LOST: &str = ".lost";

/// What is in the database is lost, for this reason; it is set aside next.
pub(super) fn mark_lost(path: &Path, why: &str) -> io::Result<()> {
    let mut file = options().write(true).create(true).truncate(true).open(beside(path, LOST))?;
    file.write_all(why.as_bytes())?;
    file.sync_all()?;
    sync_folder(path)
}

/// Why a database was lost that was set aside, where that may not be told yet.
pub(super) fn lost(path: &Path) -> io::Result<Option<String>> {
    match fs::read(beside(path, LOST)) {
        Ok(why) => Ok(Some(String::from_utf8_lossy(&why).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// It is told, on the disk, or nothing was lost.
pub(super) fn loss_is_told(path: &Path) {
    // Where this fails, the next start does it.
    let _ = fs::remove_file(beside(path, LOST));
}

/// What is left of a database that is not there any more goes to where that was set aside, or is set aside itself.
pub(super) fn follow(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let mut last = None;
    for n in 1_u32.. {
        if !aside(path, n).try_exists()? {
            break;
        }
        last = Some(aside(path, n));
    }
    for piece in PIECES.iter().skip(1) {
        if !beside(path, piece).try_exists()? {
            continue;
        }
        let to = match &last {
            Some(to) if !beside(to, piece).try_exists()? => to.clone(),
            _ => free_name(path)?,
        };
        fs::rename(beside(path, piece), beside(&to, piece))?;
    }
    sync_folder(path)
}

/// Reads the database and its log from end to end, which nobody has open here. A page that the disk fails to read is a damaged one
/// to SQLite (it makes SQLITE_CORRUPT of EIO): this says which it is.
pub(super) fn read_through(path: &Path) -> io::Result<()> {
    let mut some = vec![0; 1 << 20];
    for piece in ["", "-wal"] {
        let file = match File::open(beside(path, piece)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let mut at = 0;
        loop {
            // As SQLite reads.
            match file.read_at(&mut some, at) {
                Ok(0) => break,
                Ok(n) => at += n as u64,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

/// A file that cannot be used now is no damage.
pub(super) fn not_now(source: io::Error) -> Fault {
    Fault::File(source)
}

/// Makes the reserve, where there is room for it.
pub(super) fn reserve(folder: &Path) -> io::Result<()> {
    let path = folder.join("reserve");
    if fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.len() == RESERVE) {
        return Ok(());
    }
    // Written, not only sized: a file of holes keeps no room.
    let write = || {
        let mut file = options().write(true).create(true).truncate(true).open(&path)?;
        // In pieces: behind a block of all of it the C library keeps that much free memory for ever.
        let piece = [0; PIECE];
        (0..RESERVE / PIECE as u64).try_for_each(|_| file.write_all(&piece))
    };
    match write() {
        // Without room it is made later.
        Err(_) => give_up_reserve(folder).map(|_| ()),
        Ok(()) => Ok(()),
    }
}

/// Makes room. `false` when there was no reserve.
pub(super) fn give_up_reserve(folder: &Path) -> io::Result<bool> {
    match fs::remove_file(folder.join("reserve")) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The right to use a state, as long as it lives. The folder itself is held too: a lock file that somebody deletes lets nobody in.
pub struct Lock {
    file: File,
    folder: Option<File>,
}

impl Lock {
    /// Takes it, unless an agent has it.
    pub fn take(folder: &Path) -> Result<Lock, SpoolError> {
        let path = folder.join("lock");
        let file = options().append(true).create(true).open(&path);
        let file = file.map_err(|source| SpoolError::Io { path: path.clone(), source })?;
        let held = |locked: Result<(), TryLockError>| match locked {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { path: path.clone() }),
            Err(TryLockError::Error(source)) => Err(SpoolError::Io { path: path.clone(), source }),
        };
        held(file.try_lock())?;
        // Not every system locks folders.
        let whole = File::open(folder).ok();
        let folder = match whole.as_ref().map(File::try_lock) {
            Some(Err(TryLockError::WouldBlock)) => return Err(SpoolError::InUse { path }),
            Some(Ok(())) => whole,
            _ => None,
        };
        Ok(Lock { file, folder })
    }
}

/// Whether an agent has the state of this folder at present. Nothing is made or changed.
pub fn is_in_use(folder: &Path) -> bool {
    let held = |path: &Path| {
        let Ok(file) = File::open(path) else { return false };
        let locked = file.try_lock_shared();
        let _ = file.unlock();
        matches!(locked, Err(TryLockError::WouldBlock))
    };
    held(&folder.join("lock")) || held(folder)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // To close is not enough: a process that was forked at this moment, and is not yet another program, holds the file too.
        let _ = self.file.unlock();
        let _ = self.folder.as_ref().map(File::unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h17_a_lock_that_is_given_back_is_free_though_a_forked_process_holds_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let forked = (lock.file.try_clone().unwrap(), lock.folder.as_ref().map(|f| f.try_clone().unwrap()));
        assert!(matches!(Lock::take(folder.path()), Err(SpoolError::InUse { .. })));
        assert!(is_in_use(folder.path()));
        drop(lock);
        assert!(!is_in_use(folder.path()));
        Lock::take(folder.path()).unwrap();
        drop(forked);
    }
}
