//! A captured audit journal: a file or standard input, read in large pieces and handed out record by record.
//!
//! Memory is bounded by one buffer, whatever the size of the capture, or of what is unpacked from it. Records are borrowed from it;
//! damaged bytes are handed out in their place (`cutter`). The file is only read; it is not mapped, because a file that shrinks
//! while it is mapped kills the process.
mod cutter;
mod derived_records;
mod error;
mod gzip;
mod open;
mod place;
mod tally;

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    rc::Rc,
    sync::Arc,
};

use derived_records::DerivedRecords;
pub use error::CaptureError;
pub use open::{Opener, check_paths};
pub use place::{Reached, Torn};
pub use tally::Tally;

use self::cutter::{Ahead, Cutter, Next};
use super::derived::{
    placeholder,
    read_trace::{MARK, ReadTrace},
};
use crate::decode::journal::{
    Heading,
    detect::{self, Found, Wanted},
    record::Framing,
};

/// The front of a capture that is looked at to find its heading and record length.
const SAMPLE: usize = 1 << 20;
/// Bytes read at a time: small enough to stay in the second-level cache between reading and decoding.
const CHUNK: usize = 128 << 10;

/// What stands at the front of what is not handed out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// A whole record, or damaged bytes.
    Record,
    /// The beginning of a record; the rest is not there. In a file that grows, also damaged bytes at its end.
    Cut,
    /// Nothing.
    End,
}

/// One record, or what is left of one.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A whole record and its offset in the capture (behind its length prefix); or, in place of one, damaged bytes ([`placeholder`]).
    Record(&'a [u8], u64),
    /// The capture ends within this record.
    Cut(&'a [u8], u64),
}

/// An open capture.
pub struct Capture {
    name: String,
    input: Box<dyn Read>,
    found: Found,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the capture of `buffer[start]`.
    offset: u64,
    ended: bool,
    size: Option<u64>,
    /// The first bytes, as they were read.
    head: Vec<u8>,
    /// The last bytes before `buffer[0]`, as they were read.
    behind: Vec<u8>,
    /// Bytes of the piece of a record that was handed out last, at the end of the capture.
    cut: usize,
    /// That, or what else is missing at its end, was known before.
    cut_before: bool,
    /// Why what comes next cannot be unpacked.
    torn: Option<String>,
    /// Cuts it into records.
    cutter: Cutter,
    /// What stands at the front, where that was looked at.
    next: Option<Next>,
    /// Damaged bytes that are handed out.
    damage: Vec<u8>,
    /// What was seen leaves no doubt about what it is, whatever comes behind it.
    certain: bool,
    /// The same file, to move in it; `None` for a pipe.
    file: Option<File>,
    /// Records that are made of the file; `None` where they stand in it.
    derived: Option<DerivedRecords>,
    /// What was read of the file, where that is not what it is read as: it is unpacked.
    packed: Option<Rc<RefCell<ReadTrace>>>,
}

impl Capture {
    /// Reads from anything that reads.
    pub fn new(
        name: String,
        input: Box<dyn Read>,
        size: Option<u64>,
        headings: &[Arc<Heading>],
        wanted: Wanted,
    ) -> Result<Capture, CaptureError> {
        Capture::read(name, input, size, false, headings, wanted)
    }

    /// Finds out what a capture is; `live` when what is not there yet may be long in coming.
    fn read(
        name: String,
        mut input: Box<dyn Read>,
        size: Option<u64>,
        live: bool,
        headings: &[Arc<Heading>],
        wanted: Wanted,
    ) -> Result<Capture, CaptureError> {
        // A file gives the whole sample at once; a pipe gives what there is, and its first records are not kept waiting.
        let mut buffer = Vec::new();
        let (mut whole, mut failed, mut torn) = (false, false, None);
        let mut look_at = 0;
        let found = loop {
            let before = buffer.len();
            let mut piece = vec![0; CHUNK];
            let n = match input.read(&mut piece) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if gzip::why(&e).is_some() && !buffer.is_empty() => {
                    torn = gzip::why(&e);
                    0
                }
                Err(source) if buffer.is_empty() => return Err(CaptureError::reading(name, before as u64, source)),
                Err(_) => {
                    // It comes again behind what was read before it.
                    failed = true;
                    0
                }
            };
            buffer.extend_from_slice(piece.get(..n).unwrap_or(&[]));
            whole |= n == 0;
            let full = whole || buffer.len() >= SAMPLE;
            if !full && (size.is_some() || buffer.len() < look_at) {
                continue;
            }
            // However small the pieces are, the sample is looked at a few dozen times only.
            look_at = buffer.len() + (buffer.len() / 8).max(512);
            match detect::detect(headings, wanted, &buffer, whole) {
                Ok(found) if full || detect::is_certain(&found, wanted, buffer.len()) => break found,
                Err(reason) if full => return Err(CaptureError::Unknown { name, reason }),
                _ => {}
            }
        };
        let certain = detect::is_certain(&found, wanted, buffer.len());
        let mut cutter = Cutter::new(found.heading.clone(), found.framing, true);
        // What comes over a pipe comes when it comes.
        cutter.live = live;
        let ended = whole && !failed;
        Ok(Capture {
            name,
            input,
            next: Some(cutter.next(&buffer, ended)),
            cutter,
            found,
            certain,
            torn,
            cut_before: false,
            damage: Vec::new(),
            packed: None,
            head: buffer.get(..buffer.len().min(MARK)).unwrap_or(&[]).to_vec(),
            behind: Vec::new(),
            cut: 0,
            start: 0,
            end: buffer.len(),
            buffer,
            offset: 0,
            ended,
            size,
            file: None,
            derived: None,
        })
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was found to be.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Whether its records have a length each.
    pub fn is_framed(&self) -> bool {
        self.found.framing == Framing::Stream
    }

    /// Whether what was seen at its front leaves no doubt about what it is, whatever comes behind it.
    pub fn is_certain(&self) -> bool {
        self.certain
    }

    /// Its size in bytes, where known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes handed out so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether something to be handed out is in memory already, so that taking it cannot block.
    pub fn is_ready(&self) -> bool {
        self.next.is_some_and(|next| !matches!(next, Next::Need(_) | Next::End | Next::Wait))
    }

    /// What stands at the front of what was read.
    fn front_read(&self) -> Next {
        self.cutter.next(self.buffer.get(self.start..self.end).unwrap_or(&[]), self.ended)
    }

    /// What is next, read as far as that needs.
    #[inline]
    fn decide(&mut self) -> Result<Next, CaptureError> {
        loop {
            match self.next {
                Some(Next::Need(n)) => {
                    self.next = None;
                    self.refill(n)?;
                }
                Some(Next::BadLength(got)) => {
                    return Err(CaptureError::BadLength { name: self.name.clone(), offset: self.offset, got });
                }
                Some(next) => return Ok(next),
                None => {}
            }
            self.next = Some(self.front_read());
        }
    }

    /// What [`Capture::next`] would hand out.
    pub fn front(&mut self) -> Result<Front, CaptureError> {
        Ok(match self.decide()? {
            Next::End | Next::Need(_) | Next::BadLength(_) => Front::End,
            Next::Cut { .. } | Next::Wait => Front::Cut,
            Next::Record { .. } | Next::Damaged { .. } => Front::Record,
        })
    }

    /// The next record; `None` at the end.
    #[inline]
    #[allow(clippy::should_implement_trait)] // a lending iterator: the record borrows the buffer
    pub fn next(&mut self) -> Result<Option<Item<'_>>, CaptureError> {
        let (prefix, used, then) = match self.decide()? {
            Next::Record { prefix, used, then } => (prefix, used, then),
            Next::Damaged { used, then } => return Ok(Some(self.damaged(used, then))),
            Next::Cut { prefix } => return Ok(Some(self.cut(prefix))),
            Next::Need(_) | Next::End | Next::Wait | Next::BadLength(_) => return Ok(None),
        };
        let (at, offset) = (self.start + prefix, self.offset + prefix as u64);
        self.spend(used, then);
        if let Some(derived) = &mut self.derived {
            derived.records += 1;
        }
        Ok(Some(Item::Record(self.buffer.get(at..self.start).unwrap_or(&[]), offset)))
    }

    /// So many bytes are handed out.
    #[inline]
    fn spend(&mut self, used: usize, then: Ahead) {
        self.start += used;
        self.offset += used as u64;
        self.cutter.took(then);
        self.next = Some(self.front_read());
    }

    #[cold]
    fn cut(&mut self, prefix: usize) -> Item<'_> {
        let used = self.end - self.start;
        let (at, offset) = (self.start + prefix.min(used), self.offset);
        self.spend(used, Ahead::Unknown);
        (self.cut, self.cut_before) = (used, false);
        Item::Cut(self.buffer.get(at..self.end).unwrap_or(&[]), offset)
    }

    #[cold]
    fn damaged(&mut self, used: usize, then: Ahead) -> Item<'_> {
        let (from, to) = (self.offset, self.offset + used as u64);
        let what = match self.found.framing {
            Framing::Fixed(n) => format!(
                "are damaged, or of records of another length: they hold no record of {n} bytes that another one follows"
            ),
            Framing::Stream => "are damaged: they hold no record that another one follows".to_owned(),
        };
        let why = format!("bytes {from} to {} ({used} bytes) {what}", to.saturating_sub(1));
        let bytes = self.buffer.get(self.start..self.start + used).unwrap_or(&[]);
        self.damage = placeholder::damage(&why, bytes);
        self.spend(used, then);
        Item::Record(&self.damage, from)
    }

    #[cold]
    fn refill(&mut self, need: usize) -> Result<(), CaptureError> {
        self.next = None;
        self.behind = self.before(self.start);
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = (self.end + CHUNK).max(need);
        if self.buffer.len() != room {
            self.buffer.resize(room, 0);
            self.buffer.shrink_to(room.max(2 * CHUNK));
        }
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
            match self.input.read(free) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    // Looked at behind the read, so that nothing can come between.
                    if !self.is_unchanged(self.end) {
                        let offset = self.offset + self.end as u64;
                        return Err(CaptureError::Changed { name: self.name.clone(), offset });
                    }
                    self.end += n;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if gzip::why(&e).is_some() && self.derived.is_none() => {
                    self.torn = gzip::why(&e);
                    self.ended = true;
                }
                Err(source) => {
                    let offset = self.offset + self.end as u64;
                    return Err(CaptureError::reading(self.name.clone(), offset, source));
                }
            }
            return Ok(());
        }
    }
}
