//! Saved retrieve buffers, one after the other in a file or pipe, read as length-prefixed records.
//!
//! Memory is bounded by the largest buffer. What is wrong with one is an error of the read behind the records before it.
use std::io::{self, ErrorKind, Read};

use super::record_queue::RecordQueue;
use crate::decode::journal::{
    buffer::{BufferDecoder, BufferFormat, LENGTH},
    compose::Composer,
};

/// Why buffers cannot be read on: found in an [`io::Error`] of [`Buffers`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("buffer {number} at offset {at}: {why}; entries before it were read")]
pub struct BufferError {
    number: u64,
    at: u64,
    why: String,
}

/// Turns buffers into a stream of records, each behind its 4-byte length.
pub struct Buffers<R> {
    input: R,
    format: BufferFormat,
    decoder: BufferDecoder,
    queue: RecordQueue,
    /// Buffers begun, and where the next one begins.
    number: u64,
    at: u64,
    /// What is told when the records before it are handed out.
    failed: Option<BufferError>,
}

impl<R: Read> Buffers<R> {
    /// Reads buffers of a format.
    pub fn new(input: R, format: BufferFormat, composer: Composer) -> Buffers<R> {
        let decoder = BufferDecoder::new(format, composer);
        Buffers { input, format, decoder, queue: RecordQueue::default(), number: 0, at: 0, failed: None }
    }

    fn fails(&mut self, why: impl ToString) {
        self.failed = Some(BufferError { number: self.number, at: self.at, why: why.to_string() });
    }

    /// Decodes the next buffer; `false` at the end of the input.
    fn next(&mut self) -> io::Result<bool> {
        let mut front = [0; LENGTH];
        let got = fill(&mut self.input, &mut front)?;
        if got == 0 {
            return Ok(false);
        }
        self.number += 1;
        let length = if got < LENGTH { Err(cut(got)) } else { self.format.length(front).map_err(|e| e.to_string()) };
        let length = match length {
            Ok(length) => length,
            Err(why) => {
                self.fails(why);
                return Ok(true);
            }
        };
        // Not taken from the length: a cut file must not cost memory that it does not have.
        let mut buffer = front.to_vec();
        Read::by_ref(&mut self.input).take((length - LENGTH) as u64).read_to_end(&mut buffer)?;
        let queue = &mut self.queue;
        let decoded = self.decoder.decode(&buffer, &mut |record| queue.push(record));
        match decoded {
            _ if buffer.len() < length => self.fails(format!("expected {length} bytes, got {}", cut(buffer.len()))),
            Err(e) => self.fails(e),
            Ok(()) => self.at += length as u64,
        }
        Ok(true)
    }
}

fn cut(got: usize) -> String {
    format!("the end of the file after {got} of them")
}

/// Reads until it is full or the input ends.
fn fill(input: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < to.len() {
        match input.read(to.get_mut(got..).unwrap_or(&mut [])) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

impl<R: Read> Read for Buffers<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(n) = self.queue.take(to) {
                return Ok(n);
            }
            if let Some(failed) = &self.failed {
                return Err(io::Error::new(ErrorKind::InvalidData, failed.clone()));
            }
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}
