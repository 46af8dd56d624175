//! The write-ahead log of a database, before SQLite reads it.
//!
//! SQLite takes the first frame whose checksum fails for the end of the log, as a loss of power leaves it, and forgets what stands
//! behind it. But each commit is on the disk before the next is written (`synchronous=FULL`): with two commits behind it, a frame is
//! damaged. What its checksum allows is put right here; a page that cannot be is let through, for its rows have sums of their own,
//! and the one that is damaged is found and told.
//!
//! Layout and checksums: <https://sqlite.org/fileformat2.html>, 4.1 and 4.2.
mod log;

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use self::log::{FRAME, HEAD, Log};
use super::files;

/// What was found and put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Places with the bytes again that they were written with.
    pub(super) corrected: usize,
    /// Pages that are not what was written.
    pub(super) doubtful: usize,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "its log (spool.db-wal) is damaged in {} places", self.corrected + self.doubtful)?;
        match self.doubtful {
            0 => f.write_str(", and its checksums say what was written there"),
            n => write!(f, ", {n} of them pages that cannot be put right"),
        }
    }
}

/// Puts the log of a database right that nobody has open. The log as it was is kept; returned is a sentence about it. Where not all
/// of it is what was written, [`is_doubtful`] says so until [`is_told`].
pub(super) fn mend(db: &Path) -> io::Result<Option<String>> {
    let path = files::beside(db, "-wal");
    let Some((log, found)) = look(db)? else { return Ok(None) };
    let aside = files::free_name(&path)?;
    let new = files::beside(db, "-wal.new");
    if let Err(e) = fs::copy(&path, &aside).and_then(|_| File::open(&aside)?.sync_all()) {
        // A disk that is full is tried again, and again.
        let _ = fs::remove_file(&aside);
        return Err(e);
    }
    let mut file = files::options().write(true).create(true).truncate(true).open(&new)?;
    file.write_all(&log)?;
    file.sync_all()?;
    if found.doubtful > 0 {
        files::options().write(true).create(true).truncate(true).open(files::beside(db, DOUBTFUL))?.sync_all()?;
    }
    fs::rename(&new, &path)?;
    files::sync_folder(db)?;
    let done = if found.doubtful == 0 { "it was put right" } else { "it is used as far as it goes" };
    let sentence = format!("the spool {}: {found}; {done}, and is kept as it was as {}", db.display(), aside.display());
    Ok(Some(sentence))
}

/// A file that is there as long as it is not told that something of the log may be missing.
const DOUBTFUL: &str = "-wal.doubtful";

/// Whether something of the log was not what was written, and is not told yet.
pub(super) fn is_doubtful(db: &Path) -> bool {
    files::beside(db, DOUBTFUL).try_exists().unwrap_or(true)
}

/// It is told, on the disk.
pub(super) fn is_told(db: &Path) {
    // Where this fails, it is told once more.
    let _ = fs::remove_file(files::beside(db, DOUBTFUL));
}

/// Writes what is committed in the log of a database into it, and deletes the log: as SQLite does, which needs tables for that that it
/// can read. For a copy that nobody has open.
pub(super) fn checkpoint(db: &Path) -> io::Result<()> {
    let path = files::beside(db, "-wal");
    let bytes = match fs::read(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    let (magic, page) = (word(0), usize::try_from(word(8)).unwrap_or(0));
    if page >= 512 && bytes.len() >= HEAD + FRAME + page && magic & !1 == 0x377F_0682 {
        let log = Log { bytes, page, big: magic & 1 == 1 };
        let file = files::options().write(true).open(db)?;
        for (n, frame) in (0..log.committed()).map(|n| (n, log.at(n))) {
            let number = u64::from(log.word(frame, true).saturating_sub(1));
            file.write_all_at(log.read(frame + FRAME, page), number * page as u64)?;
            if n + 1 == log.committed() {
                file.set_len(u64::from(log.word(frame + 4, true)) * page as u64)?;
            }
        }
    }
    fs::remove_file(path)
}

/// The log of a database as it should be, and what is wrong with it; `None` when nothing is. Nothing is written.
pub(super) fn look(db: &Path) -> io::Result<Option<(Vec<u8>, Found)>> {
    let mut head = [0; 18];
    match File::open(db).and_then(|mut f| f.read_exact(&mut head)) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => return Ok(None),
        other => other?,
    }
    let page = usize::from(u16::from_be_bytes([head[16], head[17]]));
    match fs::read(files::beside(db, "-wal")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
        Ok(bytes) if page < 512 || bytes.len() < HEAD + FRAME + page => Ok(None),
        Ok(bytes) => Ok(Log { bytes, page, big: false }.put_right()),
    }
}

#[cfg(test)]
mod tests;
