//! A folder that captures arrive in (by FTP, SFTP or QFileSvr.400) as a source: each is read when it is complete.
//!
//! A file is known by what is in it: its key is the hash of its first bytes, and its place ([`FilePlace`]) says what
//! stood before it. So a file that comes again under any name is not read again, one that has grown goes on, and one that only
//! begins alike is read from its start.
mod dispose;
mod open;
mod order;
mod retry;
mod scan;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::{retry::Retry, scan::Scanned};
use super::{
    Capture, Checkpoint, Condition, Feed, FeedError, FeedEvent, FilePlace, Item, Record, Until, Waiter, Woken,
    capture::{Front, Opener},
    derived::placeholder,
    follow::{FileStat, incomplete},
};
use crate::decode::journal::Heading;

/// Files that are not in the folder any more and whose places are kept.
const KEPT_FILES: usize = 10_000;

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
    /// When a file is complete.
    pub complete: Complete,
    /// Which of several files is read first.
    pub order: Order,
    /// What becomes of a file that every output has passed.
    pub after: After,
    /// Go on waiting for more; otherwise it ends when all files that are there are read.
    pub follow: bool,
}

/// A file that is being read.
struct Reading {
    path: PathBuf,
    stat: FileStat,
    capture: Capture,
    heading: Arc<Heading>,
    /// Its key; that of its first bytes once there are enough.
    key: Option<String>,
    /// The last batch with something of it; that of an earlier run where nothing is new.
    batch: i64,
    /// Its rest cannot be read, or something in it was not understood: it stays where it is.
    broken: bool,
    /// Records that are no entries, and those of them that were read in an earlier run.
    undecodable: u64,
    undecodable_before: u64,
    /// Why its rest cannot be read at present.
    not_now: Option<String>,
}

/// How a file of the folder looked.
#[derive(Clone)]
struct Seen {
    stat: FileStat,
    /// Since when it looks so.
    since: Instant,
    /// It need not be looked into until it looks otherwise.
    done: bool,
    /// The key that it was read under.
    key: Option<String>,
    /// It cannot be read at present.
    retry: Option<Retry>,
}

/// A file that was read to its end.
struct Finished {
    path: PathBuf,
    stat: FileStat,
    /// The last batch with something of it.
    batch: i64,
    told: bool,
}

/// A folder as a source.
pub struct DirectoryFeed {
    options: DirectoryOptions,
    opener: Opener,
    /// Places by key, with the batch each was last read into.
    files: BTreeMap<String, (FilePlace, i64)>,
    /// Files that are complete and to be read, in order.
    queue: VecDeque<(PathBuf, FileStat)>,
    scanned: Option<Scanned>,
    /// The files that are there.
    seen: HashMap<PathBuf, Seen>,
    /// What is there and is not read, and was told.
    passed_over: HashSet<PathBuf>,
    /// Keys of files that were forgotten: their places are to be taken off the disk.
    forgotten: Vec<String>,
    reading: Option<Reading>,
    finished: Vec<Finished>,
    /// What is to be said before anything else.
    say: VecDeque<FeedEvent<'static>>,
    /// The folder is not there, and that was said.
    missing: bool,
    /// A file was finished: what was handed out is to be stored before the next one.
    boundary: bool,
    batch: i64,
    waiter: Waiter,
}

impl DirectoryFeed {
    /// For a folder; `files` are the places that were stored, as JSON, with the batch that each was last read into.
    pub fn new(options: DirectoryOptions, opener: Opener, files: BTreeMap<String, (String, i64)>) -> DirectoryFeed {
        let place = |(name, (text, batch)): (String, (String, i64))| {
            Some((name, (serde_json::from_str::<FilePlace>(&text).ok()?, batch)))
        };
        DirectoryFeed {
            options,
            opener,
            files: files.into_iter().filter_map(place).collect(),
            queue: VecDeque::new(),
            scanned: None,
            seen: HashMap::new(),
            passed_over: HashSet::new(),
            waiter: Waiter::default(),
            forgotten: Vec::new(),
            reading: None,
            finished: Vec::new(),
            say: VecDeque::new(),
            missing: false,
            boundary: false,
            batch: 0,
        }
    }

    /// The same; its waits end when this does.
    pub fn until(mut self, stop: &CancellationToken) -> DirectoryFeed {
        self.waiter.until(stop);
        self
    }

    /// The file that is read.
    pub fn reading(&self) -> Option<&Path> {
        self.reading.as_ref().map(|r| r.path.as_path())
    }

    /// The file that is read has no more.
    fn finish(&mut self) {
        if let Some(r) = self.reading.take() {
            if let Some(why) = r.not_now {
                return self.retry(&r.path, why);
            }
            self.settle(&r.path, r.key);
            if r.broken {
                return;
            }
            self.finished.push(Finished { path: r.path, stat: r.stat, batch: r.batch, told: false });
        }
    }

    /// Waits for something to come, or until it is time to look.
    fn wait(&mut self) {
        // Files are put away when every output has passed them, which is asked behind each wait.
        let puts_away = !self.finished.is_empty() && self.options.after != After::Keep;
        let until = match self.waiter.is_told() && !puts_away {
            true => Until::After(self.scan_due_in()),
            false => Until::Soon,
        };
        if self.waiter.wait(until) == Woken::Changed {
            self.mark_changed();
        }
    }

    fn place_of(reading: &mut Reading) -> (String, FilePlace) {
        let place = FilePlace::of(&reading.capture, reading.undecodable);
        let key = reading.key.get_or_insert_with(|| place.front.clone()).clone();
        (key, place)
    }

    /// Does with a finished file what was asked for.
    fn put_away(&self, file: &Finished) -> io::Result<()> {
        // Another file, or one that has grown, is not what was delivered.
        if FileStat::at(&file.path).ok().flatten() != Some(file.stat) {
            return Ok(());
        }
        dispose::dispose(&file.path, &self.options.after)
    }
}

/// The path with something behind its name.
fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

impl Feed for DirectoryFeed {
    fn next(&mut self) -> Result<FeedEvent<'_>, FeedError> {
        if std::mem::take(&mut self.boundary) {
            self.finish();
            return Ok(FeedEvent::Poll);
        }
        if let Some(step) = self.say.pop_front() {
            return Ok(step);
        }
        let front = match &mut self.reading {
            Some(r) => match r.capture.front() {
                Ok(front) => front,
                Err(e) => {
                    r.broken = true;
                    // What was read of it is stored first; its place stays before what cannot be read.
                    let e = FeedError::from(e);
                    if e.is_not_now() {
                        r.not_now = Some(e.to_string());
                    } else {
                        let text = format!("{e}: the rest of this file is not read");
                        self.say.push_back(FeedEvent::Incomplete { text, newly: true });
                    }
                    self.boundary = true;
                    return Ok(FeedEvent::Boundary);
                }
            },
            None => {
                if self.open().is_some() {
                    return Ok(FeedEvent::Poll);
                }
                if self.is_scan_due() {
                    // Before it is looked: what changes behind that is told.
                    self.waiter.watch_folder(&self.options.path);
                    let incomplete = self.scan()?;
                    if !self.queue.is_empty() {
                        self.waiter.reset();
                        return Ok(FeedEvent::Poll);
                    }
                    self.forget();
                    if !self.options.follow && !incomplete {
                        return Ok(self.say.pop_front().unwrap_or(FeedEvent::End));
                    }
                }
                self.wait();
                return Ok(FeedEvent::Idle);
            }
        };
        let Some(r) = &mut self.reading else { return Ok(FeedEvent::Poll) };
        if front == Front::End {
            let (was, is) = (r.stat.size, r.capture.file_size()?);
            if is < was {
                self.say.push_back(FeedEvent::PositionLost(format!(
                    "{}: it had {was} bytes when it was complete, and was cut short to {is} while it was read",
                    r.path.display()
                )));
            }
            if let Some(step) = incomplete(&r.path, &r.capture, r.undecodable, r.undecodable_before) {
                // It stays: what is missing may be in another copy, or still to come.
                r.broken = true;
                self.say.push_back(step);
            }
            self.boundary = true;
            return Ok(FeedEvent::Boundary);
        }
        let framed = r.capture.is_framed();
        match r.capture.next()? {
            Some(Item::Record(bytes, offset)) => {
                r.undecodable += u64::from(placeholder::is_in(&r.heading, bytes, framed));
                Ok(FeedEvent::Record(Record { bytes, heading: &r.heading, offset, framed }))
            }
            Some(Item::Cut(bytes, offset)) => {
                Ok(FeedEvent::Record(Record { bytes, heading: &r.heading, offset, framed }))
            }
            None => Ok(FeedEvent::Poll),
        }
    }

    fn is_ready(&self) -> bool {
        self.reading.as_ref().is_some_and(|r| r.capture.is_ready())
    }

    fn condition(&self) -> Condition<'_> {
        if self.missing {
            return Condition::Down(format!("{} is not there", self.options.path.display()).into());
        }
        self.waits_for().map_or(Condition::Reading, |why| Condition::Down(why.into()))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, FeedError> {
        let file = match &mut self.reading {
            Some(r) if r.capture.offset() > 0 => {
                let (name, place) = DirectoryFeed::place_of(r);
                Some((name, serde_json::to_value(place).unwrap_or_default()))
            }
            _ => None,
        };
        Ok(Checkpoint { source: Value::Null, file })
    }

    fn on_committed(&mut self, batch: i64) -> Result<(), FeedError> {
        self.batch = batch;
        if let Some(r) = &mut self.reading
            && r.capture.offset() > 0
        {
            r.batch = batch;
            let (name, place) = DirectoryFeed::place_of(r);
            self.files.insert(name, (place, batch));
        }
        Ok(())
    }

    fn on_delivered(&mut self, before: i64) -> Vec<String> {
        let mut said = Vec::new();
        let mut left = Vec::new();
        for mut file in std::mem::take(&mut self.finished) {
            if file.batch >= before {
                left.push(file);
                continue;
            }
            if let Err(e) = self.put_away(&file) {
                if !std::mem::replace(&mut file.told, true) {
                    said.push(format!("{}: it is delivered and cannot be put away: {e}", file.path.display()));
                }
                left.push(file);
            }
        }
        self.finished = left;
        said
    }

    fn take_forgotten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.forgotten)
    }

    fn is_done(&self) -> bool {
        self.finished.is_empty() || self.options.after == After::Keep || self.finished.iter().all(|f| f.told)
    }
}
