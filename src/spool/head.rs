//! The head of a database file: what it says of all of it, and SQLite believes. One bit there makes every page unreadable, or the
//! database one that is not written to for ever (<https://sqlite.org/fileformat2.html>, 1.3).
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    fault::Fault,
    files,
    schema::{PAGE, PAGE_1},
};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
type Head = [u8; 100];

/// Looks at the head of a database.
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    let mut head = [0; 100];
    match fs::File::open(path).and_then(|mut f| f.read_exact(&mut head)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Fault::Damage("it is shorter than the head of a database".to_owned()));
        }
        other => other.map_err(Fault::File)?,
    }
    let is = head[18] <= 2 && head[19] <= 2 && head[20..24] == [0, 64, 32, 32] && page(&head).is_some();
    // The encoding of texts is UTF-8, once anything was written.
    let texts = &head[56..60];
    if head.starts_with(MAGIC) && is && (texts == [0, 0, 0, 1] || texts == [0; 4]) {
        return Ok(());
    }
    Err(Fault::Damage("its head is not that of a spool".to_owned()))
}

/// Bytes of a page, where that is a number that a page can have.
fn page(head: &Head) -> Option<u64> {
    match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => Some(1 << 16),
        n if n >= 512 && n.is_power_of_two() => Some(n),
        _ => None,
    }
}

/// The head as it was written, as far as that is known, in a file of so many bytes; nothing where it is right.
fn right(head: &Head, length: u64) -> Option<Head> {
    let mut is = *head;
    let pages = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
    let page = page(head).unwrap_or_else(|| {
        // Ours have one of two sizes: the one that gives the length, or else the one that is nearer.
        let far = |n: u64| (n ^ u64::from(u16::from_be_bytes([head[16], head[17]]))).count_ones();
        [PAGE, PAGE_1].into_iter().min_by_key(|n| (pages * n != length, far(*n))).unwrap_or(PAGE)
    });
    is[..16].copy_from_slice(MAGIC);
    // 64 KiB stand there as 1.
    is[16..18].copy_from_slice(&u16::try_from(page).unwrap_or(1).to_be_bytes());
    is[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
    is[56..60].copy_from_slice(&[0, 0, 0, 1]);
    if pages * page != length {
        // SQLite counts them then.
        is[28..32].fill(0);
    }
    (is != *head).then_some(is)
}

/// Where a database is read that is damaged: a copy of it with the right head, where its own is wrong. [`forget`] deletes it.
pub(super) fn put_right(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut file = fs::File::open(path)?;
    let mut head = [0; 100];
    match file.read_exact(&mut head) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let Some(right) = right(&head, file.metadata()?.len()) else { return Ok(None) };
    let to = copy_of(path);
    files::remove_database(&to)?;
    let written = fs::copy(path, &to).and_then(|_| files::options().write(true).open(&to)?.write_all(&right));
    let logged = written.and_then(|()| fs::copy(files::beside(path, "-wal"), files::beside(&to, "-wal")));
    match logged {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Some(to)),
        Err(e) => {
            let _ = files::remove_database(&to);
            Err(e)
        }
        Ok(_) => Ok(Some(to)),
    }
}

/// Deletes the copy.
pub(super) fn forget(path: &Path) -> io::Result<()> {
    files::remove_database(&copy_of(path))
}

fn copy_of(path: &Path) -> PathBuf {
    files::beside(path, ".head")
}
