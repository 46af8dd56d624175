//! The bytes of an export that are looked at: rows are found in them, and none may be longer than a bound.
use std::io::{self, ErrorKind, Read};

use encoding_rs::Encoding;

use super::decoded::{Decoded, NoText};

/// The most bytes of a row: a text has 1,024 characters, its second level and the tokens some thousand.
pub const ROW: usize = 1 << 20;
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// A part of the input, read as far as the row at its front needs.
pub struct Lookahead<R> {
    input: Decoded<R>,
    bytes: Vec<u8>,
    start: usize,
    ended: bool,
    /// In the input, of the front; and in what is read of it as text.
    offset: u64,
    text: u64,
    line: u64,
}

impl<R: Read> Lookahead<R> {
    /// At the front of an input.
    pub fn new(input: R) -> Lookahead<R> {
        let input = Decoded::new(input, None);
        Lookahead { input, bytes: Vec::new(), start: 0, ended: false, offset: 0, text: 0, line: 1 }
    }

    /// The encoding of the input, where that is said.
    pub fn said(&mut self, encoding: Option<&'static Encoding>) {
        self.input.said(encoding);
    }

    /// Whether it is read as it is, and not as text of another encoding.
    pub fn is_utf_8(&self) -> bool {
        self.input.is_utf_8()
    }

    /// What is no text in its encoding, among so many of the bytes that were passed last.
    pub fn no_text(&mut self, passed: usize) -> Option<NoText> {
        self.input.no_text(self.text.saturating_sub(passed as u64), self.text)
    }

    /// What is there.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or(&[])
    }

    /// Nothing comes behind it.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Line of the front, from 1, and its offset.
    pub fn position(&self) -> (u64, u64) {
        (self.line, self.offset)
    }

    /// Reads on, a whole piece: a row is looked at again with each, and a pipe may give very small ones.
    pub fn fill(&mut self) -> io::Result<()> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let mut end = self.bytes.len();
        self.bytes.resize(end + CHUNK, 0);
        let mut failed = None;
        while !self.ended && end < self.bytes.len() {
            match self.input.read(self.bytes.get_mut(end..).unwrap_or(&mut [])) {
                Ok(0) => self.ended = true,
                Ok(n) => end += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        self.bytes.truncate(end);
        failed.map_or(Ok(()), Err)
    }

    /// Goes on behind some bytes.
    pub fn pass(&mut self, count: usize) {
        let passed = self.bytes().get(..count).unwrap_or(&[]);
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.offset += self.input.pass(count);
        self.text += count as u64;
        self.start += count;
    }
}
