//! Opening a database: what is ours is used, what is older is brought up, what is damaged is mended or set aside with its reason, and
//! what only does not work now is left as it is.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    SpoolError,
    fault::Fault,
    files, head,
    load::{Loaded, load},
    mend::mend,
    migrate,
    rebuild::{self, Rebuilt},
    schema::{self, Shape, VERSION},
    wal,
};

/// An open database.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) loaded: Loaded,
    /// Sentences for the log.
    pub(super) notes: Vec<String>,
    /// Nothing of the database before it could be read, for this reason.
    pub(super) lost: Option<String>,
    /// Rows about outputs are damaged, or were copied from a damaged database: one that is not known may have been.
    pub(super) forgets_outputs: bool,
    /// Batches that were found damaged or missing; each is told of in a gap event.
    pub(super) damaged: u64,
}

/// How often damage is mended in one start: each time it is told, and what is left is read again.
const ATTEMPTS: usize = 3;

/// Opens the database of a state, or makes it.
pub(super) fn open(path: &Path, now: i64) -> Result<Opened, SpoolError> {
    rebuild::resume(path).map_err(|source| SpoolError::Io { path: path.to_owned(), source })?;
    let mut notes = Vec::new();
    let mut lost = None;
    let (mut why, mut damaged) = (String::new(), 0);
    // Before SQLite sees it.
    notes.extend(wal::mend(path).map_err(|source| SpoolError::Io { path: path.to_owned(), source })?);
    for attempt in 0..ATTEMPTS {
        let (reason, version) = match settled(path, now) {
            Ok(Step::Open(mut opened)) => {
                lost = still_lost(path, lost, &opened.loaded)?;
                notes.append(&mut opened.notes);
                damaged += opened.damaged;
                let forgets_outputs = opened.forgets_outputs || attempt > 0;
                return Ok(Opened { notes, lost, damaged, forgets_outputs, ..*opened });
            }
            Ok(Step::Newer(version)) => return Err(SpoolError::Newer { path: path.to_owned(), version }),
            Ok(Step::Foreign(reason)) => (reason, None),
            Ok(Step::Damaged(reason, version)) => (reason, Some(version)),
            Err(Fault::Damage(reason)) => (reason, Some(VERSION)),
            Err(Fault::Database(source)) => return Err(SpoolError::Database { path: path.to_owned(), source }),
            Err(Fault::File(source)) => return Err(SpoolError::Io { path: path.to_owned(), source }),
        };
        let rebuilt = match (version, attempt) {
            (Some(version), 0 | 1) => rebuild::rebuild(path, version, &reason, now),
            _ => give_up(path, &reason)
                .map(|aside| Rebuilt { aside, copied: None, told: 0, unparked: false })
                .map_err(Fault::File),
        };
        let rebuilt = rebuilt.map_err(|fault| fault.at(path))?;
        notes.push(match rebuilt.copied {
            Some(_) => {
                damaged += rebuilt.damaged();
                rebuilt.words(path, &reason)
            }
            None => {
                lost = Some(reason.clone());
                format!(
                    "the spool {} cannot be used: {reason}; it was set aside as {}; the sources are read again from the position file, duplicates are possible",
                    path.display(),
                    rebuilt.aside.display()
                )
            }
        });
        why = reason;
    }
    Err(SpoolError::Damaged { path: path.to_owned(), reason: why })
}

/// Sets a database aside of which nothing can be read.
fn give_up(path: &Path, why: &str) -> io::Result<PathBuf> {
    files::read_through(path)?;
    files::mark_lost(path, why)?;
    files::quarantine(path)
}

/// Why what there was is lost: by this start, or by one before it that came no further. What is told stands in the log.
fn still_lost(path: &Path, lost: Option<String>, loaded: &Loaded) -> Result<Option<String>, SpoolError> {
    let marked = files::lost(path).map_err(|source| SpoolError::Io { path: path.to_owned(), source })?;
    if lost.is_none() && marked.is_some() && loaded.log.last > 0 {
        files::loss_is_told(path);
        return Ok(None);
    }
    Ok(lost.or(marked))
}

/// What came of an attempt.
enum Step {
    Open(Box<Opened>),
    Newer(i64),
    Foreign(String),
    /// Why, and the version of the tables it has.
    Damaged(String, i64),
}

/// What comes of an attempt, and of another where something is wrong: a disk that failed once looks damaged once.
fn settled(path: &Path, now: i64) -> Result<Step, Fault> {
    match attempt_to_open(path, now) {
        Ok(Step::Damaged(..) | Step::Foreign(_)) | Err(Fault::Damage(_)) => {
            files::read_through(path).map_err(files::not_now)?;
            attempt_to_open(path, now)
        }
        other => other,
    }
}

fn attempt_to_open(path: &Path, now: i64) -> Result<Step, Fault> {
    let length = match fs::metadata(path) {
        Ok(m) => m.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        Err(e) => return Err(Fault::File(e)),
    };
    let mut fresh = length == 0;
    let mut notes = Vec::new();
    if fresh {
        files::create(path).map_err(Fault::File)?;
    } else {
        head::check(path)?;
        // A file that is not ours is looked at and not written to.
        let look = schema::look_alone(path)?;
        match schema::shape(&look)? {
            Shape::Empty => fresh = true,
            Shape::Newer(version) => return Ok(Step::Newer(version)),
            Shape::Foreign(why) => return Ok(Step::Foreign(why)),
            Shape::Altered(version, why) => return Ok(Step::Damaged(why, version)),
            Shape::Spool(version) => {
                if let Some(why) = schema::damage(&look)? {
                    return Ok(Step::Damaged(why, version));
                }
                drop(look);
                if version < VERSION {
                    if let Err((version, e)) = migrate::up(&mut schema::connect(path)?, version) {
                        return match Fault::from(e) {
                            Fault::Damage(why) => {
                                let why = format!("it cannot be brought to version {VERSION}: {why}");
                                Ok(Step::Damaged(why, version))
                            }
                            other => Err(other),
                        };
                    }
                    notes.push(format!(
                        "the spool {} was of version {version}; it is of version {VERSION} now, with everything that waits in it",
                        path.display()
                    ));
                }
            }
        }
    }
    let mut db = schema::connect(path)?;
    if fresh {
        schema::create(&db, VERSION)?;
    }
    let mut loaded = load(&db)?;
    notes.append(&mut loaded.notes);
    let is_doubtful = wal::is_doubtful(path);
    if is_doubtful {
        loaded.broken.push("its log was damaged: what was in some of its pages is not known".to_owned());
    }
    let told = mend(&mut db, &mut loaded, now)?;
    if is_doubtful {
        wal::is_told(path);
    }
    let damaged = told.len() as u64;
    notes.extend(told);
    let forgets_outputs = loaded.forgets_outputs;
    Ok(Step::Open(Box::new(Opened { db, loaded, notes, lost: None, forgets_outputs, damaged })))
}
