//! A capture file as a source: read once, or followed as it grows, is rotated, cut short or replaced.
//!
//! A place in a file is a number of bytes and what stood there: the hashes of the first bytes of the file and of the last
//! ones before the place. Where both are the same the file is the same, whatever it is called now; where not, the place is
//! there no more and the file is read from its start, because to skip bytes that were never read would lose them.
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Capture, CaptureError, Feed, FeedError, Item, Place, Record, Step, WAIT,
    capture::{Front, Opener, Reached, made::ENDS_WITHIN},
};
use crate::{
    decode::journal::{Heading, detect::Unknown},
    spool::batch::{checksum, hex},
};

/// Bytes at the front, and before a place, that tell one file from another.
const MARK: u64 = super::capture::MARK as u64;
/// How long a followed file that is too short to tell what it is must stay as it is before that is settled.
const SETTLED: Duration = Duration::from_secs(5);

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// Bytes that are read.
    pub offset: u64,
    /// SHA-256 of the first `front_length` bytes.
    pub front: String,
    /// At most 4,096.
    pub front_length: u64,
    /// SHA-256 of the 4,096 bytes before `offset`, or of as many as there are.
    pub tail: String,
    /// Bytes of a piece of a record before `offset` that was handed out because the file had no more.
    #[serde(default)]
    pub cut: u64,
    /// Records that were handed out, where they are made of what is in the file (of the history log, of buffers): read ahead, the file
    /// is farther than they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

impl FilePlace {
    /// The place in an open file behind what it handed out, by what was read there: the file may be another one by now.
    pub fn of(capture: &Capture) -> FilePlace {
        let Reached { offset, head, tail, cut, records } = capture.reached();
        let front_length = offset.min(head.len() as u64);
        let front = head.get(..usize::try_from(front_length).unwrap_or(0)).unwrap_or(&[]);
        FilePlace { offset, front: hex(&checksum(front)), front_length, tail: hex(&checksum(&tail)), cut, records }
    }

    /// Goes on in a file that it is in. Where there is more now, a piece of a record that was handed out is read again: from which
    /// byte on.
    pub fn resume(&self, capture: &mut Capture) -> Result<Option<u64>, CaptureError> {
        let cut = if capture.file_size()? > self.offset { self.cut } else { 0 };
        let from = match self.records {
            // The record is read again, whatever its bytes.
            Some(records) => {
                capture.pass_over(records.saturating_sub(cut))?;
                self.offset
            }
            None => {
                let from = self.offset.saturating_sub(cut);
                capture.skip_to(from)?;
                from
            }
        };
        Ok((cut > 0).then_some(from))
    }

    /// The hash of the first bytes of a file, to be compared with `front`.
    pub fn front_of(capture: &Capture, length: u64) -> Result<String, CaptureError> {
        sum(capture, 0, length)
    }

    /// Whether this place is in that file.
    pub fn is_in(&self, capture: &Capture) -> Result<bool, CaptureError> {
        if capture.file_size()? < self.offset {
            return Ok(false);
        }
        let tail_length = self.offset.min(MARK);
        let there = |sum: &str, was: &str| sum == was && sum != "gone";
        Ok(there(&sum(capture, 0, self.front_length)?, &self.front)
            && there(&sum(capture, self.offset - tail_length, tail_length)?, &self.tail))
    }
}

/// SHA-256 of some bytes of a file, in hexadecimal; a word that no hash is where the file is too short by now.
fn sum(capture: &Capture, from: u64, length: u64) -> Result<String, CaptureError> {
    match capture.bytes_at(from, length) {
        Ok(bytes) => Ok(hex(&checksum(&bytes))),
        Err(CaptureError::Io { source, .. }) if source.kind() == ErrorKind::UnexpectedEof => Ok("gone".to_owned()),
        Err(e) => Err(e),
    }
}

/// What a file is by its name in the file system, and how it looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
}

impl Look {
    /// `None` where there is no such file.
    pub(super) fn at(path: &Path) -> Result<Option<Look>, FeedError> {
        match fs::metadata(path) {
            Ok(m) => Ok(Some(Look { device: m.dev(), inode: m.ino(), size: m.len(), modified: m.modified().ok() })),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FeedError::Io { what: path.display().to_string(), source }),
        }
    }

    fn is_same_file(&self, other: &Look) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// A capture that is open.
struct Open {
    capture: Capture,
    /// The file when it was opened, or last looked at.
    look: Look,
    /// Where it was read to when it had no more: what must still be there when it has more.
    end: Option<FilePlace>,
    heading: Arc<Heading>,
    /// Since when the file goes by another name, or by none, and has half a record at its end.
    left: Option<Instant>,
    /// Nobody will finish that record.
    given_up: bool,
}

impl Open {
    fn new(capture: Capture, look: Look) -> Open {
        let heading = capture.found().heading.clone();
        Open { capture, look, heading, end: None, left: None, given_up: false }
    }
}

/// A capture file as a source.
pub struct CaptureFeed {
    path: PathBuf,
    follow: bool,
    opener: Opener,
    open: Option<Open>,
    /// Where to go on in the file that is opened next.
    place: Option<FilePlace>,
    /// The file that is waited for, how it looked, and since when.
    waiting: Option<(Look, Instant)>,
    told: bool,
    /// What its end is was said.
    ended: bool,
}

impl CaptureFeed {
    /// For a file; `stored` is the place that was stored last.
    pub fn new(path: PathBuf, follow: bool, opener: Opener, stored: Option<&Value>) -> CaptureFeed {
        let place = stored.and_then(|v| serde_json::from_value(v.clone()).ok()).filter(|p: &FilePlace| p.offset > 0);
        CaptureFeed { path, follow, opener, open: None, place, waiting: None, told: false, ended: false }
    }

    /// Opens the file. `Some` is what to say; `None` in `open` when it is not there yet, or too short to tell what it is.
    fn open(&mut self) -> Result<Option<Step<'static>>, FeedError> {
        let Some(look) = Look::at(&self.path)? else {
            if !self.follow {
                let source = std::io::Error::new(
                    ErrorKind::NotFound,
                    "there is no such file; one that comes later is waited for with follow = true",
                );
                return Err(FeedError::Io { what: self.path.display().to_string(), source });
            }
            let told = std::mem::replace(&mut self.told, true);
            return Ok((!told).then(|| Step::Say(format!("{} is not there yet: waiting for it", self.path.display()))));
        };
        self.is_a_file()?;
        let Some(capture) = self.try_open(look)? else { return Ok(None) };
        self.told = false;
        let open = self.open.insert(Open::new(capture, look));
        let Some(place) = self.place.take() else { return Ok(None) };
        if place.is_in(&open.capture)? {
            let again = place.resume(&mut open.capture)?;
            let say =
                |from| format!("{}: the record that was cut off at byte {from} is read again", self.path.display());
            return Ok(again.map(|from| Step::Again(say(from))));
        }
        Ok(Some(Step::Lost(format!(
            "{}: the place at byte {} is there no more: the file was cut short or is another one than before; it is read from its start",
            self.path.display(),
            place.offset
        ))))
    }

    /// A pipe has no place to go on from, and opening one waits for whoever writes to it.
    fn is_a_file(&self) -> Result<(), FeedError> {
        let Ok(meta) = fs::metadata(&self.path) else { return Ok(()) };
        // Directories have a better message of their own.
        if meta.is_file() || meta.is_dir() {
            return Ok(());
        }
        let what = if meta.file_type().is_fifo() { "a named pipe" } else { "no regular file" };
        Err(FeedError::Config(format!(
            "{}: expected a capture file, found {what}: what is read from it could not be read again; let its writer send to a source of kind = \"stream\", or write a file, or read it with `qaudjrn replay`",
            self.path.display()
        )))
    }

    /// Opens the file if it can be told what it is. Of a file that is still being written, the beginning alone may look
    /// like something else: a followed one must show enough, or stay as it is for a while.
    fn try_open(&mut self, look: Look) -> Result<Option<Capture>, FeedError> {
        let since = match self.waiting {
            Some((before, since)) if before == look => since,
            _ => Instant::now(),
        };
        self.waiting = Some((look, since));
        let settled = since.elapsed() >= SETTLED;
        match self.opener.open(&self.path) {
            Ok(capture) if !self.follow || capture.is_certain() || settled => {
                self.waiting = None;
                Ok(Some(capture))
            }
            Ok(_) => Ok(None),
            Err(CaptureError::Unknown { reason, .. }) if self.follow && (reason == Unknown::Empty || !settled) => {
                Ok(None)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// There is no whole record at present.
    fn rest(&mut self) -> Result<Step<'_>, FeedError> {
        if !self.follow {
            let open = self.open.as_ref().filter(|_| !std::mem::replace(&mut self.ended, true));
            let cut = open.and_then(|o| o.capture.ends_within_a_row()).is_some_and(|newly| newly);
            return Ok(if cut { Step::Lost(format!("{}: {ENDS_WITHIN}", self.path.display())) } else { Step::End });
        }
        if let Some(step) = self.look_again()? {
            return Ok(step);
        }
        if !self.is_ready() {
            thread::sleep(WAIT);
        }
        Ok(Step::Idle)
    }

    /// What became of the followed file that had no more? `Some` is what to say of it.
    fn look_again(&mut self) -> Result<Option<Step<'static>>, FeedError> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let offset = open.capture.offset();
        let end = match open.end.take() {
            Some(end) if end.offset == offset => end,
            _ => FilePlace::of(&open.capture),
        };
        open.end = Some(end.clone());
        let name = self.path.display();
        let there = Look::at(&self.path)?;
        let Some(there) = there.filter(|l| l.is_same_file(&open.look)) else {
            return self.follow_name(there, &end);
        };
        open.left = None;
        if there == open.look && there.size <= offset {
            return Ok(None);
        }
        // Something was written: behind what was read, or over it?
        if end.is_in(&open.capture)? {
            open.look = there;
            open.capture.skip_to(offset)?;
            return Ok(None);
        }
        let text = format!(
            "{name}: the place at byte {offset} is there no more: the file was cut short or written anew; it is read from its start, and what was written between is not known"
        );
        self.open = None;
        Ok(Some(Step::Lost(text)))
    }

    /// The file goes by another name now, or is deleted: what is left of it is read, then the one that goes by its name.
    fn follow_name(&mut self, there: Option<Look>, end: &FilePlace) -> Result<Option<Step<'static>>, FeedError> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let name = self.path.display().to_string();
        let left = open.capture.file_size()? > end.offset;
        if left {
            open.capture.skip_to(end.offset)?;
            if open.capture.front()? == Front::Cut && open.left.get_or_insert_with(Instant::now).elapsed() >= SETTLED {
                open.given_up = true;
                return Ok(Some(Step::Say(format!("{name}: the file that went by this name ends within a record"))));
            }
            return Ok(None);
        }
        // Opened when it can be told what it is: an empty one has just been made.
        let Some(there) = there else { return Ok(None) };
        let Some(capture) = self.try_open(there)? else { return Ok(None) };
        let open = self.open.insert(Open::new(capture, there));
        if end.offset > 0 && end.is_in(&open.capture)? {
            open.capture.skip_to(end.offset)?;
            return Ok(Some(Step::Say(format!("{name} was replaced by a copy: it goes on at byte {}", end.offset))));
        }
        Ok(Some(Step::Say(format!("{name} is a new file; the one before was read to its end"))))
    }
}

impl Feed for CaptureFeed {
    fn next(&mut self) -> Result<Step<'_>, FeedError> {
        if self.open.is_none()
            && let Some(step) = self.open()?
        {
            return Ok(step);
        }
        let front = match &mut self.open {
            Some(open) => open.capture.front(),
            None => {
                thread::sleep(WAIT);
                return Ok(Step::Idle);
            }
        };
        let whole = match front {
            Ok(Front::Record) => true,
            // Its rest is still to be written, unless nobody writes to this file any more.
            Ok(Front::Cut) => !self.follow || self.open.as_ref().is_some_and(|o| o.given_up),
            Ok(Front::End) => false,
            // What is read of a file that is written over is not what came behind the last record.
            Err(e @ CaptureError::Changed { .. }) => {
                self.open = None;
                let text = format!("{e}; it is read from its start, and what was written between is not known");
                return Ok(Step::Lost(text));
            }
            Err(e) => return Err(e.into()),
        };
        if !whole {
            return self.rest();
        }
        let Some(open) = &mut self.open else { return Ok(Step::Idle) };
        match open.capture.next()? {
            Some(Item::Record(bytes, offset) | Item::Cut(bytes, offset)) => {
                Ok(Step::Record(Record { bytes, heading: &open.heading, offset }))
            }
            None => Ok(Step::Idle),
        }
    }

    fn is_ready(&self) -> bool {
        self.open.as_ref().is_some_and(|o| o.capture.is_ready())
    }

    fn place(&mut self) -> Result<Place, FeedError> {
        let place = match &self.open {
            Some(open) => Some(FilePlace::of(&open.capture)),
            None => self.place.clone(),
        };
        let whole = place.and_then(|p| serde_json::to_value(p).ok()).unwrap_or_default();
        Ok(Place { whole, part: None })
    }
}
