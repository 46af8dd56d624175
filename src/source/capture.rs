//! A captured audit journal: a file or standard input, read in large pieces and handed out record by record.
//!
//! Memory is bounded by one buffer, whatever the size of the capture. Records are borrowed from it. The file is
//! only read; it is not mapped, because a file that shrinks while it is mapped kills the process.
mod error;
pub mod made;
mod open;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::Arc,
};

pub use error::CaptureError;
use made::{Made, Tape};
pub use open::{Opener, check_paths};

use crate::decode::journal::{
    Heading,
    detect::{self, Found, Wanted},
    record::{Framing, Split, split},
};

/// The front of a capture that is looked at to find its heading and record length.
const SAMPLE: usize = 1 << 20;
/// Bytes read at a time: small enough to stay in the second-level cache between reading and decoding.
const CHUNK: usize = 128 << 10;

/// What stands at the front of what is not handed out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// A whole record.
    Record,
    /// The beginning of a record; the rest is not there.
    Cut,
    /// Nothing.
    End,
}

/// Bytes as they were read that are kept, of the front and of what was handed out last: what a file is known by.
pub const MARK: usize = 4_096;

/// One record, or what is left of one.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A whole record and its offset in the capture (behind its length prefix).
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
    /// What was seen leaves no doubt about what it is, whatever comes behind it.
    certain: bool,
    /// The same file, to move in it; `None` for a pipe.
    file: Option<File>,
    /// Records that are made of the file; `None` where they stand in it.
    made: Option<Made>,
}

/// How far a file is read, and what stood there.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Bytes of the file.
    pub offset: u64,
    /// The first of them: [`MARK`], or all.
    pub head: Vec<u8>,
    /// The last of them.
    pub tail: Vec<u8>,
    /// Bytes of the last piece handed out, where that was half a record at the end; of a record that is made, 1.
    pub cut: u64,
    /// Records handed out, where they are made of the file; `None` where the offset says it.
    pub records: Option<u64>,
}

impl Capture {
    /// Goes on at an offset that [`Capture::offset`] returned before, in this run or another, and looks again whether there
    /// is more. Only for files, and where records are not made of them.
    pub fn skip_to(&mut self, offset: u64) -> Result<(), CaptureError> {
        let mut file = self.file()?;
        let sought = file.seek(SeekFrom::Start(offset));
        let size = file.metadata().ok().map(|m| m.len());
        sought.map_err(|e| self.failed(offset, e))?;
        let length = offset.min(MARK as u64);
        let behind = match self.bytes_at(offset - length, length) {
            Ok(bytes) => bytes,
            // Cut short by now: what is read there is found not to be what it was.
            Err(CaptureError::Io { source, .. }) if source.kind() == io::ErrorKind::UnexpectedEof => {
                self.before(self.start)
            }
            Err(e) => return Err(e),
        };
        // Where it goes on behind what was handed out, that is known as it was read.
        self.behind = if offset == self.offset { self.before(self.start) } else { behind };
        self.size = size;
        self.cut = 0;
        (self.start, self.end, self.offset, self.ended) = (0, 0, offset, false);
        Ok(())
    }

    /// How far it is.
    pub fn reached(&self) -> Reached {
        match &self.made {
            Some(made) => {
                let Tape { offset, head, tail } = made.tape.borrow().clone();
                Reached { offset, head, tail, cut: u64::from(made.is_cut()), records: Some(made.records) }
            }
            None => Reached {
                offset: self.offset,
                head: self.head.clone(),
                tail: self.before(self.start),
                cut: self.cut as u64,
                records: None,
            },
        }
    }

    /// The last bytes before a place in the buffer.
    fn before(&self, at: usize) -> Vec<u8> {
        let mut bytes = self.behind.clone();
        bytes.extend_from_slice(self.buffer.get(..at).unwrap_or(&[]));
        let surplus = bytes.len().saturating_sub(MARK);
        bytes.drain(..surplus);
        bytes
    }

    /// Whether what stands in the file before the end of the buffer is what was read there: what is read next would else be
    /// something else's continuation. Of what records are made of, its tape sees to that.
    fn is_unchanged(&self, length: usize) -> bool {
        let known = self.before(length);
        let end = self.offset + (length - self.start) as u64;
        let from = end.saturating_sub(known.len() as u64);
        self.file.is_none()
            || self.made.is_some()
            || self.bytes_at(from, known.len() as u64).is_ok_and(|bytes| bytes == known)
    }

    /// Bytes that the file has now.
    pub fn file_size(&self) -> Result<u64, CaptureError> {
        let file = self.file()?;
        file.metadata().map(|m| m.len()).map_err(|e| self.failed(0, e))
    }

    /// Some bytes of the file, all of them; reading goes on where it was.
    pub fn bytes_at(&self, from: u64, length: u64) -> Result<Vec<u8>, CaptureError> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file()?.read_exact_at(&mut bytes, from).map_err(|e| self.failed(from, e))?;
        Ok(bytes)
    }

    fn file(&self) -> Result<&File, CaptureError> {
        let no_file = || io::Error::new(io::ErrorKind::Unsupported, "only a file can be gone on with");
        self.file.as_ref().ok_or_else(|| self.failed(self.offset, no_file()))
    }

    fn failed(&self, offset: u64, source: io::Error) -> CaptureError {
        CaptureError::Io { name: self.name.clone(), offset, source }
    }

    /// Reads from anything that reads.
    pub fn new(
        name: String,
        mut input: Box<dyn Read>,
        size: Option<u64>,
        headings: &[Arc<Heading>],
        wanted: Wanted,
    ) -> Result<Capture, CaptureError> {
        // A file gives the whole sample at once; a pipe gives what there is, and its first records are not kept waiting.
        let mut buffer = Vec::new();
        let (mut whole, mut failed) = (false, false);
        let mut look_at = 0;
        let found = loop {
            let before = buffer.len();
            let mut piece = vec![0; CHUNK];
            let n = match input.read(&mut piece) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
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
        Ok(Capture {
            name,
            input,
            found,
            certain,
            head: buffer.get(..buffer.len().min(MARK)).unwrap_or(&[]).to_vec(),
            behind: Vec::new(),
            cut: 0,
            start: 0,
            end: buffer.len(),
            buffer,
            offset: 0,
            ended: whole && !failed,
            size,
            file: None,
            made: None,
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

    /// Whether the next record is in memory already, so that taking it cannot block.
    pub fn is_ready(&self) -> bool {
        let bytes = self.buffer.get(self.start..self.end).unwrap_or(&[]);
        !matches!(split(self.found.framing, bytes, self.ended), Split::Need(_))
    }

    /// What [`Capture::next`] would hand out.
    pub fn front(&mut self) -> Result<Front, CaptureError> {
        loop {
            let bytes = self.buffer.get(self.start..self.end).unwrap_or(&[]);
            match split(self.found.framing, bytes, self.ended) {
                Split::Need(n) => self.refill(n)?,
                Split::End => return Ok(Front::End),
                Split::BadLength(got) => {
                    return Err(CaptureError::BadLength { name: self.name.clone(), offset: self.offset, got });
                }
                Split::Record { .. } => return Ok(Front::Record),
                Split::Cut(_) => return Ok(Front::Cut),
            }
        }
    }

    /// The next record; `None` at the end.
    #[inline]
    #[allow(clippy::should_implement_trait)] // a lending iterator: the record borrows the buffer
    pub fn next(&mut self) -> Result<Option<Item<'_>>, CaptureError> {
        loop {
            let bytes = self.buffer.get(self.start..self.end).unwrap_or(&[]);
            // Twice, because what is returned borrows the buffer and refilling changes it.
            match split(self.found.framing, bytes, self.ended) {
                Split::Need(n) => self.refill(n)?,
                Split::End => return Ok(None),
                Split::BadLength(got) => {
                    return Err(CaptureError::BadLength { name: self.name.clone(), offset: self.offset, got });
                }
                Split::Record { used, .. } => {
                    let at = self.start + self.prefix();
                    let offset = self.offset + self.prefix() as u64;
                    self.start += used;
                    self.offset += used as u64;
                    if let Some(made) = &mut self.made {
                        made.records += 1;
                    }
                    let record = self.buffer.get(at..self.start).unwrap_or(&[]);
                    return Ok(Some(Item::Record(record, offset)));
                }
                Split::Cut(rest) => {
                    let (length, used) = (rest.len(), bytes.len());
                    let offset = self.offset;
                    self.cut = used;
                    self.start = self.end;
                    self.offset += used as u64;
                    let rest = self.buffer.get(self.end - length..self.end).unwrap_or(&[]);
                    return Ok(Some(Item::Cut(rest, offset)));
                }
            }
        }
    }

    fn prefix(&self) -> usize {
        match self.found.framing {
            Framing::Fixed(_) => 0,
            Framing::Stream => 4,
        }
    }

    #[cold]
    fn refill(&mut self, need: usize) -> Result<(), CaptureError> {
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
                Err(source) => {
                    let offset = self.offset + self.end as u64;
                    return Err(CaptureError::reading(self.name.clone(), offset, source));
                }
            }
            return Ok(());
        }
    }
}
