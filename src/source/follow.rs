//! A capture file as a source: read once, or followed as it grows, is rotated, cut short or replaced.
//!
//! A place in a file is a number of bytes and what stood there: the hashes of the first bytes of the file and of the last
//! ones before the place. Where both are the same the file is the same, whatever it is called now; where not, the place is
//! there no more and the file is read from its start, because to skip bytes that were never read would lose them.
mod place;

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use self::place::FilePlace;
pub(super) use self::place::FileStat;
use super::{
    Capture, CaptureError, Checkpoint, Condition, Feed, FeedError, FeedEvent, Item, Record, Until, Waiter, Woken,
    capture::{Front, Opener},
    derived::placeholder,
};
use crate::decode::journal::{Heading, detect::Unknown};

/// How long a followed file that is too short to tell what it is must stay as it is before that is settled.
const SETTLED: Duration = Duration::from_secs(5);
/// How long what was handed out waits for more, to be stored together with it.
const QUIET: Duration = Duration::from_millis(50);

/// What is to be said of a file that was read to its end and is not whole, and whether it is new: `undecodable` of its records are no
/// entries, `before` of these in an earlier run.
pub(super) fn incomplete(name: &Path, capture: &Capture, undecodable: u64, before: u64) -> Option<FeedEvent<'static>> {
    let torn = capture.ends_within();
    let newly = torn.as_ref().is_some_and(|t| t.newly) || undecodable > before;
    let mut parts: Vec<String> = torn.map(|t| t.text).into_iter().collect();
    if undecodable > 0 {
        parts.push(format!("what {undecodable} of its records say was not understood: they are parked"));
    }
    let text = format!("{}: {}", name.display(), parts.join("; "));
    (!parts.is_empty()).then_some(FeedEvent::Incomplete { text, newly })
}

/// A capture that is open.
struct Open {
    capture: Capture,
    /// The file when it was opened, or last looked at, and since when it looks so.
    stat: FileStat,
    since: Instant,
    /// Where it was read to when it had no more: what must still be there when it has more.
    end: Option<FilePlace>,
    heading: Arc<Heading>,
    /// Since when the file goes by another name, or by none, and has half a record at its end.
    renamed_since: Option<Instant>,
    /// Nobody will finish that record.
    abandoned: bool,
    /// Records that are no entries, and those of them that were read in an earlier run.
    undecodable: u64,
    undecodable_before: u64,
}

impl Open {
    fn new(mut capture: Capture, stat: FileStat, follow: bool) -> Open {
        let heading = capture.found().heading.clone();
        capture.set_grows(follow);
        let (end, renamed_since, since) = (None, None, Instant::now());
        Open {
            capture,
            stat,
            since,
            heading,
            end,
            renamed_since,
            abandoned: false,
            undecodable: 0,
            undecodable_before: 0,
        }
    }

    /// Nothing more will come: what is at the end is handed out as it is.
    fn abandon(&mut self) {
        self.abandoned = true;
        self.capture.set_grows(false);
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
    /// The file that is waited for, how it looked, since when, and whether it was looked into when it had looked so for long.
    waiting: Option<(FileStat, Instant, bool)>,
    /// What was said last of a file that cannot be read yet.
    told: String,
    /// What its end is was said.
    ended: bool,
    /// Something was handed out since it was last said that there is nothing.
    owes: bool,
    waiter: Waiter,
}

impl CaptureFeed {
    /// For a file; `stored` is the place that was stored last.
    pub fn new(path: PathBuf, follow: bool, opener: Opener, stored: Option<&Value>) -> CaptureFeed {
        let place = stored.and_then(|v| serde_json::from_value(v.clone()).ok()).filter(|p: &FilePlace| p.offset > 0);
        CaptureFeed {
            path,
            follow,
            opener,
            open: None,
            place,
            waiting: None,
            told: String::new(),
            ended: false,
            owes: false,
            waiter: Waiter::default(),
        }
    }

    /// The same; its waits end when this does.
    pub fn until(mut self, stop: &CancellationToken) -> CaptureFeed {
        self.waiter.until(stop);
        self
    }

    /// Opens the file. `Some` is what to say; `None` in `open` when it is not there yet, or too short to tell what it is.
    fn open(&mut self) -> Result<Option<FeedEvent<'static>>, FeedError> {
        let (capture, stat) = match self.try_open()? {
            Ok(opened) => opened,
            Err(step) => return Ok(step),
        };
        let open = self.open.insert(Open::new(capture, stat, self.follow));
        let Some(place) = self.place.take() else { return Ok(None) };
        if place.is_in(&open.capture)? {
            let again = place.resume(&mut open.capture)?;
            (open.undecodable, open.undecodable_before) = (place.undecodable, place.undecodable);
            let say =
                |from| format!("{}: the record that was cut off at byte {from} is read again", self.path.display());
            return Ok(again.map(|from| FeedEvent::Rewound(say(from))));
        }
        Ok(Some(FeedEvent::PositionLost(format!(
            "{}: the place at byte {} is there no more: the file was cut short or is another one than before; it is read from its start",
            self.path.display(),
            place.offset
        ))))
    }

    /// Opens the file if it can be told what it is; else with what to say. Of a file that is still being written, the beginning alone
    /// may look like something else: a followed one must show enough, or stay as it is for a while.
    fn try_open(&mut self) -> Result<Result<(Capture, FileStat), Option<FeedEvent<'static>>>, FeedError> {
        let there = if self.follow { FileStat::at(&self.path).ok().flatten() } else { None };
        let mut settled = false;
        if let Some(stat) = there {
            let (since, looked) = match self.waiting {
                Some((before, since, looked)) if before == stat => (since, looked),
                _ => (Instant::now(), false),
            };
            settled = since.elapsed() >= SETTLED;
            // It was found to be nothing yet, and is what it was.
            let again = self.waiting.is_some_and(|(before, ..)| before == stat) && (looked || !settled);
            self.waiting = Some((stat, since, looked || settled));
            if again {
                return Ok(Err(None));
            }
        }
        let opened = self.opener.open_file(&self.path);
        match opened {
            Ok(capture) if !self.follow => {
                let stat = FileStat::of(&capture.metadata()?);
                Ok(Ok((capture, stat)))
            }
            Ok(capture) if capture.is_packed() => Err(FeedError::Config(format!(
                "{}: this is gzip, which nobody appends to: leave out follow = true, or let what arrives packed come into a folder (kind = \"directory\")",
                self.path.display()
            ))),
            Ok(capture) if capture.is_certain() || settled => {
                let stat = FileStat::of(&capture.metadata()?);
                self.waiting = None;
                self.told.clear();
                Ok(Ok((capture, stat)))
            }
            Ok(_) => Ok(Err(None)),
            Err(CaptureError::Unknown { reason, .. }) if self.follow && (reason == Unknown::Empty || !settled) => {
                Ok(Err(None))
            }
            Err(e) if self.follow => self.not_now(e).map(Err),
            Err(e) => Err(e.into()),
        }
    }

    /// What cannot be read under the name at present is told once: another file may come there.
    fn not_now(&mut self, e: CaptureError) -> Result<Option<FeedEvent<'static>>, FeedError> {
        let text = match &e {
            CaptureError::Open { source, .. } if source.kind() == ErrorKind::NotFound => {
                format!("{} is not there yet: waiting for it", self.path.display())
            }
            CaptureError::NotAFile { .. } | CaptureError::Directory { .. } => {
                format!("{e}; waiting for a file of this name")
            }
            _ => return Err(e.into()),
        };
        self.waiting = None;
        let told = std::mem::replace(&mut self.told, text.clone());
        Ok((told != text).then_some(FeedEvent::Log(text)))
    }

    /// There is no whole record at present.
    fn on_end(&mut self) -> Result<FeedEvent<'_>, FeedError> {
        if !self.follow {
            let open = self.open.as_ref().filter(|_| !std::mem::replace(&mut self.ended, true));
            let step = open.and_then(|o| incomplete(&self.path, &o.capture, o.undecodable, o.undecodable_before));
            return Ok(step.unwrap_or(FeedEvent::End));
        }
        // Before it is looked: what changes behind that is told.
        self.waiter.watch_file(&self.path);
        if let Some(step) = self.look_again()? {
            return Ok(step);
        }
        Ok(self.wait())
    }

    /// Waits for more. What was handed out just now is to be stored soon, with what comes in these moments.
    fn wait(&mut self) -> FeedEvent<'static> {
        let owes = std::mem::take(&mut self.owes);
        let until = match owes {
            true => Until::After(QUIET),
            false if self.is_pending() => Until::Soon,
            false => Until::Told,
        };
        match self.waiter.wait(until) {
            Woken::Changed => {
                self.owes = owes;
                FeedEvent::Poll
            }
            Woken::Time => FeedEvent::Idle,
        }
    }

    /// Whether something is to be done though nothing changes: when the file has been as it is for a while.
    fn is_pending(&self) -> bool {
        let open = self.open.as_ref();
        let at_end = open.is_some_and(|o| o.renamed_since.is_some() || !o.abandoned && o.capture.waits());
        at_end || self.waiting.is_some() || !self.told.is_empty()
    }

    /// What became of the followed file that had no more? `Some` is what to say of it, or that it has more.
    fn look_again(&mut self) -> Result<Option<FeedEvent<'static>>, FeedError> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let offset = open.capture.offset();
        let there = FileStat::at(&self.path)?;
        let unchanged = there == Some(open.stat);
        if unchanged && open.end.as_ref().is_some_and(|end| end.offset == offset) {
            // What is at its end and no record is handed out when nothing came behind it.
            let waits = !open.abandoned && open.capture.waits() && open.since.elapsed() >= SETTLED;
            if waits {
                open.capture.set_grows(false);
            }
            return Ok(waits.then_some(FeedEvent::Poll));
        }
        let end = match open.end.take() {
            Some(end) if end.offset == offset => end,
            _ => FilePlace::of(&open.capture, open.undecodable),
        };
        open.end = Some(end.clone());
        let name = self.path.display();
        let Some(there) = there.filter(|l| l.is_same_file(&open.stat)) else {
            return self.follow_name(&end);
        };
        open.renamed_since = None;
        self.told.clear();
        if !open.abandoned {
            open.capture.set_grows(true);
        }
        if there == open.stat && there.size <= offset {
            return Ok(None);
        }
        // Something was written: behind what was read, or over it?
        if end.is_in(&open.capture)? {
            (open.stat, open.since) = (there, Instant::now());
            open.capture.skip_to(offset)?;
            return Ok(Some(FeedEvent::Poll));
        }
        let text = format!(
            "{name}: the place at byte {offset} is there no more: the file was cut short or written anew; it is read from its start, and what was written between is not known"
        );
        self.open = None;
        Ok(Some(FeedEvent::PositionLost(text)))
    }

    /// The file goes by another name now, or is deleted: what is left of it is read, then the one that goes by its name.
    fn follow_name(&mut self, end: &FilePlace) -> Result<Option<FeedEvent<'static>>, FeedError> {
        let Some(open) = &mut self.open else { return Ok(None) };
        let name = self.path.display().to_string();
        if open.capture.file_size()? > end.offset {
            open.capture.skip_to(end.offset)?;
            if open.capture.front()? != Front::Cut {
                return Ok(Some(FeedEvent::Poll));
            }
            if open.renamed_since.get_or_insert_with(Instant::now).elapsed() >= SETTLED {
                open.abandon();
                let text = format!(
                    "{name}: the file that went by this name ends within the record that begins at byte {}",
                    end.offset
                );
                return Ok(Some(FeedEvent::Incomplete { text, newly: true }));
            }
            return Ok(None);
        }
        // Opened when it can be told what it is: an empty one has just been made.
        let (capture, stat) = match self.try_open()? {
            Ok(opened) => opened,
            Err(step) => return Ok(step),
        };
        let open = self.open.insert(Open::new(capture, stat, true));
        if end.offset > 0 && end.is_in(&open.capture)? {
            open.capture.skip_to(end.offset)?;
            return Ok(Some(FeedEvent::Log(format!(
                "{name} was replaced by a copy: it goes on at byte {}",
                end.offset
            ))));
        }
        Ok(Some(FeedEvent::Log(format!("{name} is a new file; the one before was read to its end"))))
    }
}

impl Feed for CaptureFeed {
    fn next(&mut self) -> Result<FeedEvent<'_>, FeedError> {
        if self.open.is_none() {
            if self.follow {
                self.waiter.watch_file(&self.path);
            }
            if let Some(step) = self.open()? {
                return Ok(step);
            }
        }
        let front = match &mut self.open {
            Some(open) => open.capture.front(),
            None => return Ok(self.wait()),
        };
        let whole = match front {
            Ok(Front::Record) => true,
            // Its rest is still to be written, unless nobody writes to this file any more.
            Ok(Front::Cut) => !self.follow || self.open.as_ref().is_some_and(|o| o.abandoned),
            Ok(Front::End) => false,
            // What is read of a file that is written over is not what came behind the last record.
            Err(e @ CaptureError::Changed { .. }) => {
                self.open = None;
                let text = format!("{e}; it is read from its start, and what was written between is not known");
                return Ok(FeedEvent::PositionLost(text));
            }
            Err(e) => return Err(e.into()),
        };
        if !whole {
            return self.on_end();
        }
        self.waiter.reset();
        self.owes = true;
        let Some(open) = &mut self.open else { return Ok(FeedEvent::Idle) };
        let framed = open.capture.is_framed();
        match open.capture.next()? {
            Some(Item::Record(bytes, offset)) => {
                open.undecodable += u64::from(placeholder::is_in(&open.heading, bytes, framed));
                Ok(FeedEvent::Record(Record { bytes, heading: &open.heading, offset, framed }))
            }
            Some(Item::Cut(bytes, offset)) => {
                Ok(FeedEvent::Record(Record { bytes, heading: &open.heading, offset, framed }))
            }
            None => Ok(FeedEvent::Poll),
        }
    }

    fn is_ready(&self) -> bool {
        self.open.as_ref().is_some_and(|o| o.capture.is_ready())
    }

    fn condition(&self) -> Condition<'_> {
        match self.told.strip_suffix(" yet: waiting for it").unwrap_or(&self.told) {
            "" => Condition::Reading,
            why => Condition::Down(why.into()),
        }
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, FeedError> {
        let place = match &self.open {
            Some(open) => Some(FilePlace::of(&open.capture, open.undecodable)),
            None => self.place.clone(),
        };
        let source = place.and_then(|p| serde_json::to_value(p).ok()).unwrap_or_default();
        Ok(Checkpoint { source, file: None })
    }
}
