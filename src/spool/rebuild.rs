//! A database that is damaged as a whole (its pages, its tables) is copied into a new one, row by row, as far as rows can be read
//! and are what was written. The old one is set aside as it is, never overwritten and never deleted.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    cursor::{self, Cursors, Kept},
    fault::{Fault, is_damage},
    files, head, loss, migrate, parked,
    rows::{self, Found},
    schema::{self, Shape, VERSION},
    tables::{self, Log, Outputs, SourceRow},
    wal,
};

/// Batches copied in one transaction.
const AT_ONCE: usize = 64;

/// What became of a damaged database.
pub(super) struct Rebuilt {
    /// Where it is now.
    pub(super) aside: PathBuf,
    /// Batches in the new one; nothing where nothing could be read.
    pub(super) copied: Option<usize>,
    /// Batches in whose place it is told that they are damaged.
    pub(super) told: u64,
    /// Not all parked records could be read.
    pub(super) unparked: bool,
}

impl Rebuilt {
    /// What is to be said of it where something was copied, for the log.
    pub(super) fn words(&self, path: &Path, why: &str) -> String {
        let unparked = if self.unparked { "; not all parked records could be read" } else { "" };
        format!(
            "the spool {} is damaged: {why}; {} batches that are whole go on in a new one, the old one was set aside as {}{unparked}",
            path.display(),
            self.copied.unwrap_or(0),
            self.aside.display()
        )
    }

    /// What was found damaged, in all: where nothing else is told, that there was damage.
    pub(super) fn damaged(&self) -> u64 {
        (self.told + u64::from(self.unparked)).max(1)
    }
}

/// What was copied: batches, those that are told of, and whether parked records are missing.
type Counts = (Option<usize>, u64, bool);

/// Makes a new database of what can be read of a damaged one, whose tables are those of `version`; `why` it is damaged.
pub(super) fn rebuild(path: &Path, version: i64, why: &str, now: i64) -> Result<Rebuilt, Fault> {
    let fresh = files::beside(path, ".new");
    // What could not be read in between is missing in the copy.
    let copied = copy_into(path, &fresh, version, now)
        .and_then(|copied| files::read_through(path).map(|()| copied).map_err(files::not_now));
    if copied.is_err() {
        // What is half made is no use to anybody.
        let _ = files::remove_database(&fresh);
    }
    let (copied, told, unparked) = copied?;
    if copied.is_none() {
        files::mark_lost(path, why).map_err(files::not_now)?;
    }
    let aside = files::quarantine(path).map_err(files::not_now)?;
    fs::rename(&fresh, path).and_then(|()| files::sync_folder(path)).map_err(files::not_now)?;
    Ok(Rebuilt { aside, copied, told, unparked })
}

/// Goes on where a rebuild was ended: a new database counts only when the old one is out of its way.
pub(super) fn resume(path: &Path) -> std::io::Result<()> {
    let fresh = files::beside(path, ".new");
    head::forget(path)?;
    files::follow(path)?;
    match (path.try_exists()?, fresh.try_exists()?) {
        (false, true) => fs::rename(&fresh, path).and_then(|()| files::sync_folder(path)),
        (true, true) => files::remove_database(&fresh),
        _ => Ok(()),
    }
}

fn copy_into(path: &Path, fresh: &Path, version: i64, now: i64) -> Result<Counts, Fault> {
    let with_head = head::put_right(path).map_err(files::not_now)?;
    let mut copied = copy_anew(with_head.as_deref().unwrap_or(path), fresh, version, now);
    // Perhaps only the page that says where its tables begin.
    if matches!(copied, Ok((None, ..)))
        && let Some(with_tables) = head::put_tables(path, fresh, wal::checkpoint).map_err(files::not_now)?
    {
        copied = copy_anew(&with_tables, fresh, VERSION, now);
        if !matches!(copied, Ok((Some(1..), ..)) | Err(_)) {
            copied = copy_anew(path, fresh, version, now);
        }
    }
    // One that is left behind is deleted by the next start.
    let _ = head::forget(path);
    copied
}

/// Makes a new database of one, and nothing else of what may be there by its name.
fn copy_anew(path: &Path, fresh: &Path, version: i64, now: i64) -> Result<Counts, Fault> {
    files::remove_database(fresh).and_then(|()| files::create(fresh)).map_err(files::not_now)?;
    let mut to = schema::connect(fresh)?;
    schema::create(&to, VERSION)?;
    let copied = copy_from(path, version, &mut to, now)?;
    to.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(to);
    fs::File::open(fresh).and_then(|f| f.sync_all()).map_err(files::not_now)?;
    Ok(copied)
}

fn copy_from(path: &Path, version: i64, to: &mut Connection, now: i64) -> Result<Counts, Fault> {
    let Some(old) = readable(|| schema::look(path))? else { return Ok((None, 0, false)) };
    // With its own head it could not say of which version it is.
    let version = match readable(|| schema::shape(&old))? {
        Some(Shape::Spool(version) | Shape::Altered(version, _)) => version,
        _ => version,
    };
    copy(&old, version, to, now)
}

/// What can be read; nothing where it is damaged. What does not work now may work later: then nothing is decided.
fn readable<T>(read: impl Fn() -> rusqlite::Result<T>) -> Result<Option<T>, Fault> {
    // A disk that failed once looks damaged once.
    once(read().or_else(|e| if is_damage(&e) { read() } else { Err(e) }))
}

fn once<T>(result: rusqlite::Result<T>) -> Result<Option<T>, Fault> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if is_damage(&e) => Ok(None),
        Err(e) => Err(Fault::Database(e)),
    }
}

fn copy(old: &Connection, version: i64, to: &mut Connection, now: i64) -> Result<Counts, Fault> {
    let mut cursors = readable(|| cursor::read(old, version))?.map_or(Cursors::new(), |(c, _)| again(c));
    let outputs = readable(|| tables::outputs(old, version))?.map_or(Outputs::new(), |(o, _)| o);
    let mut sources = readable(|| tables::sources(old, version))?.map_or(BTreeMap::new(), |(s, _)| s);
    let files = readable(|| tables::files(old, version, None))?.unwrap_or_default().0;
    let log = if version < 3 { None } else { readable(|| Log::read(old))?.flatten() };
    let copied = batches(old, version, to, now)?;
    if version < 2 {
        sources.values_mut().for_each(|(position, _)| *position = migrate::position_of_1(position));
    }
    for (name, behind) in &copied.behind {
        sources.entry(name.clone()).or_insert_with(|| behind.clone());
    }
    // What is told in the place of a batch is told to every output.
    for kept in cursors.values_mut().filter(|k| copied.told.contains(&k.now.batch)) {
        kept.now.event = 0;
    }
    let t = to.transaction()?;
    tables::write_state(&t, &cursors, &outputs)?;
    for (name, (position, raw)) in &sources {
        tables::write_source(&t, name, (position, raw))?;
    }
    for (source, (name, (position, batch))) in &files {
        tables::write_file(&t, source, (name, (position, *batch)))?;
    }
    let unparked = version >= 3 && once(parked::copy(old, &t))?.is_none();
    let behind = cursors.values().map(|c| c.now.batch - 1).max().unwrap_or(0);
    let last = log.map_or(0, |l| l.last).max(copied.last).max(behind);
    let passed = cursors.values().map(|c| c.now.batch).min();
    let first = log.map(|l| l.first).or(passed).unwrap_or(copied.first);
    Log::new(first.min(last + 1), last).write(&t)?;
    t.commit()?;
    let known = copied.count > 0 || log.is_some() || !sources.is_empty() || !cursors.is_empty();
    Ok((known.then_some(copied.count), copied.told.len() as u64, unparked))
}

/// Cursors for a database that has none of their generations.
fn again(cursors: Cursors) -> Cursors {
    cursors.into_iter().map(|(key, kept)| (key, Kept::new(kept.now))).collect()
}

/// What was copied.
#[derive(Default)]
struct Copied {
    count: usize,
    first: i64,
    last: i64,
    /// Batches in whose place it is told that they are damaged.
    told: BTreeSet<i64>,
    /// Where each source is behind its last batch.
    behind: BTreeMap<String, SourceRow>,
}

/// Copies the batches: from the front as far as they can be found, then from the back. One that is damaged is told of in its
/// place.
fn batches(old: &Connection, version: i64, to: &mut Connection, now: i64) -> Result<Copied, Fault> {
    let mut copied = Copied { first: 1, ..Copied::default() };
    let mut ids = Vec::new();
    let mut from = i64::MIN;
    let ended = loop {
        match readable(|| rows::neighbour(old, from, true))? {
            Some(Some(id)) => {
                ids.push(id);
                from = id.saturating_add(1);
            }
            Some(None) => break true,
            None => break false,
        }
    };
    if !ended {
        let mut until = i64::MAX;
        while let Some(Some(id)) = readable(|| rows::neighbour(old, until, false))? {
            if id < from {
                break;
            }
            ids.push(id);
            until = id.saturating_sub(1);
        }
        ids.sort_unstable();
    }
    copied.first = ids.first().copied().unwrap_or(1);
    for some in ids.chunks(AT_ONCE) {
        let t = to.transaction()?;
        for id in some {
            copied.last = copied.last.max(*id);
            // Where its seal cannot be read, or is not found in a page that is damaged, it is judged by the sum of its blob alone, as in
            // version 2: else one bit would cost every batch whose seal is in that page.
            let row = match readable(|| rows::salvage(old, version, *id))? {
                None | Some(None) if version > 2 => readable(|| rows::salvage(old, 2, *id))?,
                row => row,
            };
            // One that cannot be read at all is missing in the new database, and told of as such.
            let Some(Some((found, blob))) = row else { continue };
            let whole = match found {
                Found::Whole(head) if version < 2 => migrate::batch_of_1(*head, &blob),
                Found::Whole(head) => Ok((*head, blob)),
                Found::Damaged(damaged) => Err(damaged),
            };
            match whole.and_then(|(head, blob)| head.open(&blob).map(|_| (head, blob))) {
                Ok((head, blob)) => {
                    rows::copy(&t, &head, &blob)?;
                    if !head.position.is_empty() {
                        copied.behind.insert(head.header.source.clone(), (head.position.clone(), head.raw));
                    }
                    copied.count += 1;
                }
                Err(damaged) => {
                    rows::insert(&t, *id, &loss::of_damaged(&damaged, Default::default(), now), None)?;
                    copied.told.insert(*id);
                }
            }
        }
        t.commit()?;
    }
    Ok(copied)
}
