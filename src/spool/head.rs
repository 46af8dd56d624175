//! The head of a database file: what it says of all of it, and SQLite believes. One bit there makes every page unreadable, or the
//! database one that is not written to for ever (<https://sqlite.org/fileformat2.html>, 1.3).
use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    fault::Fault,
    files,
    schema::{APPLICATION, PAGE, PAGE_1, VERSION},
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
    // The form of the tables is 4 and the encoding of texts UTF-8, once anything was written.
    let is_one_of = |at: usize, once: u8| head[at..at + 4] == [0, 0, 0, once] || head[at..at + 4] == [0; 4];
    if head.starts_with(MAGIC) && is && is_one_of(44, 4) && is_one_of(56, 1) {
        return Ok(());
    }
    Err(Fault::Damage("its head is not that of a spool".to_owned()))
}

/// Whether the first page of a database begins as one of ours does in every version, also before its tables are made.
pub(super) fn is_ours(page_1: &[u8]) -> bool {
    let Some(head) = page_1.first_chunk::<100>() else { return false };
    let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    let (schema, encoding, version, vacuum, application) = (word(44), word(56), word(60), word(64), word(68));
    head.starts_with(MAGIC)
        && page(head).is_some_and(|n| n == PAGE || n == PAGE_1)
        && head[18..24] == [2, 2, 0, 64, 32, 32]
        && schema <= 4
        && encoding <= 1
        && i64::from(version) <= VERSION
        && vacuum <= 1
        && (application == 0 || i64::from(application) == APPLICATION)
        && head[72..92] == [0; 20]
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
    is[44..48].copy_from_slice(&[0, 0, 0, 4]);
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
    match right(&head, file.metadata()?.len()) {
        Some(right) => copy(path, |to| to.write_all(&right)).map(Some),
        None => Ok(None),
    }
}

/// The same where the first page does not say which tables there are: with the tables of another database, which was made as this one
/// was, so that they begin in the same pages. Where they do not, no row is what its sum says. `checkpoint` brings the log of the copy into
/// it. Nothing where pages are of another size.
pub(super) fn put_tables(
    path: &Path,
    like: &Path,
    checkpoint: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<Option<PathBuf>> {
    let mut page_1 = vec![0; usize::try_from(PAGE).unwrap_or(0)];
    fs::File::open(like)?.read_exact(&mut page_1)?;
    let mut head = [0; 100];
    match fs::File::open(path).and_then(|mut f| f.read_exact(&mut head)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let head = right(&head, fs::metadata(path)?.len()).unwrap_or(head);
    if page(&head) != Some(PAGE) {
        return Ok(None);
    }
    let to = copy(path, |to| to.write_all(&head))?;
    // What is in its log comes first: there may be a first page too.
    checkpoint(&to)?;
    let mut file = files::options().write(true).open(&to)?;
    file.seek(SeekFrom::Start(head.len() as u64))?;
    file.write_all(page_1.get(head.len()..).unwrap_or_default())?;
    Ok(Some(to))
}

/// Copies a database with its log, and writes to the copy.
fn copy(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<PathBuf> {
    let to = copy_of(path);
    files::remove_database(&to)?;
    let written = fs::copy(path, &to).and_then(|_| write(&mut files::options().write(true).open(&to)?));
    let logged = written.and_then(|()| fs::copy(files::beside(path, "-wal"), files::beside(&to, "-wal")));
    match logged {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(to),
        Err(e) => {
            let _ = files::remove_database(&to);
            Err(e)
        }
        Ok(_) => Ok(to),
    }
}

/// Deletes the copy.
pub(super) fn forget(path: &Path) -> io::Result<()> {
    files::remove_database(&copy_of(path))
}

fn copy_of(path: &Path) -> PathBuf {
    files::beside(path, ".head")
}
