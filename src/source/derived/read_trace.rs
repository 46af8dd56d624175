//! What was read of a file that records are made of, and what is known of the last of them.
//!
//! A place among such records is none in the file. So what is read of the file goes into a [`ReadTrace`], which knows how far that is and
//! what stood there, as a capture knows it of itself.
use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::FileExt,
    rc::Rc,
};

/// Bytes as they were read that are kept, of the front and of what was handed out last: what a file is known by.
pub const MARK: usize = 4_096;

/// The record that was made of what the file ends within, where there is one.
pub type TruncatedTail = Rc<Cell<Option<TruncatedRecord>>>;

/// A record of the last thing in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruncatedRecord {
    /// Its number, from 0.
    pub number: u64,
    /// Whether something of it is missing: where not, the file only may go on there.
    pub damaged: bool,
}

/// Said of a file that ends within a row.
pub const ENDS_WITHIN: &str = "it ends within a row: was it transferred whole? What is missing of it is not known";

/// What was read of a file.
#[derive(Clone, Debug, Default)]
pub struct ReadTrace {
    /// How many bytes.
    pub offset: u64,
    /// The first of them.
    pub head: Vec<u8>,
    /// The last of them.
    pub tail: Vec<u8>,
}

impl ReadTrace {
    fn push(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let room = MARK - self.head.len().min(MARK);
        self.head.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or(&[]));
        self.tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(MARK)..).unwrap_or(&[]));
        let surplus = self.tail.len().saturating_sub(MARK);
        self.tail.drain(..surplus);
    }
}

/// A file that is written over while it is read, found in an [`io::Error`] of [`TracedReader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what stood before byte {0} is not what was read there")]
pub struct WrittenOver(pub u64);

/// Reads, and keeps what was read in a trace.
pub struct TracedReader {
    input: Box<dyn Read>,
    /// The same file; `None` for a pipe.
    file: Option<File>,
    trace: Rc<RefCell<ReadTrace>>,
}

impl TracedReader {
    /// A new trace.
    pub fn new(input: Box<dyn Read>, file: Option<File>) -> TracedReader {
        TracedReader { input, file, trace: Rc::default() }
    }

    /// What was read so far; it grows with every read.
    pub fn trace(&self) -> Rc<RefCell<ReadTrace>> {
        self.trace.clone()
    }
}

impl Read for TracedReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(to)?;
        let mut trace = self.trace.borrow_mut();
        // Looked at behind the read, so that nothing can come between.
        if let Some(file) = self.file.as_ref().filter(|_| n > 0) {
            let mut there = vec![0; trace.tail.len()];
            let from = trace.offset - there.len() as u64;
            if file.read_exact_at(&mut there, from).is_err() || there != trace.tail {
                return Err(io::Error::new(ErrorKind::InvalidData, WrittenOver(trace.offset)));
            }
        }
        trace.push(to.get(..n).unwrap_or(&[]));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn a_tape_knows_front_and_end_of_what_was_read_in_whatever_pieces() {
        let bytes: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
        for piece in [1, 7, 4_095, 4_096, 4_097, 20_000] {
            let mut trace = ReadTrace::default();
            for part in bytes.chunks(piece) {
                trace.push(part);
            }
            assert_eq!(
                (trace.offset, &trace.head[..], &trace.tail[..]),
                (20_000, &bytes[..4_096], &bytes[15_904..]),
                "{piece}"
            );
        }
    }

    #[test]
    fn a_file_that_is_written_over_while_it_is_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, [1; 100]).unwrap();
        let open = || {
            let file = File::open(&path).unwrap();
            TracedReader::new(Box::new(file.try_clone().unwrap()), Some(file))
        };
        let mut buffer = [0; 60];
        let mut traced = open();
        assert_eq!(traced.read(&mut buffer).unwrap(), 60);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&[2; 10]).unwrap();
        assert_eq!(traced.read(&mut buffer).unwrap(), 50);
        let mut traced = open();
        assert_eq!(traced.read(&mut buffer).unwrap(), 60);
        fs::write(&path, [3; 100]).unwrap();
        let error = traced.read(&mut buffer).unwrap_err();
        assert_eq!(error.get_ref().and_then(|e| e.downcast_ref()), Some(&WrittenOver(60)));
    }
}
