//! Where a capture is in its file: going on at a place, how far it is, and what is missing at its end.
use std::{
    fs::{File, Metadata},
    io::{self, Seek, SeekFrom},
    os::unix::fs::FileExt,
};

use super::{
    Capture, CaptureError,
    cutter::{Ahead, Next},
};
use crate::source::derived::read_trace::{ENDS_WITHIN, MARK, ReadTrace};

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
    /// Bytes of what was unpacked that were handed out; `None` where the file is read as it is.
    pub unpacked: Option<u64>,
}

/// What is missing at the end of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// In words.
    pub text: String,
    /// It was found out now, not in another run.
    pub newly: bool,
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
        self.next = None;
        self.cutter.took(Ahead::Unknown);
        (self.start, self.end, self.offset, self.ended) = (0, 0, offset, false);
        Ok(())
    }

    /// Goes on at an offset of what is unpacked, from where it is.
    pub fn pass_to(&mut self, offset: u64) -> Result<(), CaptureError> {
        self.next = None;
        while self.offset < offset {
            let n = usize::try_from(offset - self.offset).unwrap_or(usize::MAX).min(self.end - self.start);
            self.start += n;
            self.offset += n as u64;
            if n == 0 {
                if self.ended {
                    break;
                }
                self.refill(1)?;
            }
        }
        Ok(())
    }

    /// The end is where it was in another run, and so many bytes there were handed out as a piece of a record then.
    pub fn ends_as_before(&mut self, cut: u64) {
        self.cut = usize::try_from(cut).unwrap_or(0);
        self.cut_before = true;
    }

    /// Whether somebody writes to the file: what its end is, is told by what follows.
    pub fn set_grows(&mut self, grows: bool) {
        if std::mem::replace(&mut self.cutter.grows, grows) != grows {
            self.next = None;
        }
    }

    /// What its file is now.
    pub fn metadata(&self) -> Result<Metadata, CaptureError> {
        self.file()?.metadata().map_err(|e| self.failed(0, e))
    }

    /// Whether damaged bytes stand at the end of a file that grows.
    pub fn waits(&self) -> bool {
        self.next == Some(Next::Wait)
    }

    /// Whether the file is unpacked while it is read.
    pub fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// What is missing at its end, once that was handed out.
    pub fn ends_within(&self) -> Option<Torn> {
        if let Some(derived) = &self.derived {
            let is_damaged = derived.is_cut() && derived.cut.get().is_some_and(|cut| cut.damaged);
            return is_damaged.then(|| Torn { text: ENDS_WITHIN.to_owned(), newly: derived.records > derived.passed });
        }
        let newly = !self.cut_before;
        if let Some(why) = &self.torn {
            let text = format!("it cannot be unpacked behind byte {}: {why}; was it transferred whole?", self.offset);
            return Some(Torn { text: format!("{text} What is missing of it is not known"), newly });
        }
        let begins = self.offset.saturating_sub(self.cut as u64);
        (self.cut > 0).then(|| Torn {
            text: format!(
                "it ends within the record that begins at byte {begins}, of which {} bytes are there: was it transferred whole? What is missing of it is not known",
                self.cut
            ),
            newly,
        })
    }

    /// How far it is.
    pub fn reached(&self) -> Reached {
        match &self.derived {
            Some(derived) => {
                let ReadTrace { offset, head, tail } = derived.trace.borrow().clone();
                let cut = u64::from(derived.is_cut());
                Reached { offset, head, tail, cut, records: Some(derived.records), unpacked: None }
            }
            None => self.reached_in_file(),
        }
    }

    fn reached_in_file(&self) -> Reached {
        let cut = self.cut as u64;
        match &self.packed {
            Some(trace) => {
                let ReadTrace { offset, head, tail } = trace.borrow().clone();
                Reached { offset, head, tail, cut, records: None, unpacked: Some(self.offset) }
            }
            None => Reached {
                offset: self.offset,
                head: self.head.clone(),
                tail: self.before(self.start),
                cut,
                records: None,
                unpacked: None,
            },
        }
    }

    /// The last bytes before a place in the buffer.
    pub(super) fn before(&self, at: usize) -> Vec<u8> {
        let mut bytes = self.behind.clone();
        bytes.extend_from_slice(self.buffer.get(..at).unwrap_or(&[]));
        let surplus = bytes.len().saturating_sub(MARK);
        bytes.drain(..surplus);
        bytes
    }

    /// Whether what stands in the file before the end of the buffer is what was read there: what is read next would else be
    /// something else's continuation. Of what records are made of, its reader sees to that.
    pub(super) fn is_unchanged(&self, length: usize) -> bool {
        let known = self.before(length);
        let end = self.offset + (length - self.start) as u64;
        let from = end.saturating_sub(known.len() as u64);
        self.file.is_none()
            || self.derived.is_some()
            || self.packed.is_some()
            || self.bytes_at(from, known.len() as u64).is_ok_and(|bytes| bytes == known)
    }

    /// Bytes that the file has now.
    pub fn file_size(&self) -> Result<u64, CaptureError> {
        self.metadata().map(|m| m.len())
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
}
