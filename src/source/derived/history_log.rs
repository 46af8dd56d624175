//! A history log file, read as length-prefixed records, one a message.
//!
//! Memory is bounded by the largest message. What is damaged becomes a record that is parked, and reading goes on at the next message; where
//! none is near, that is an error of the read behind the messages before it. A message that the file ends within is handed out as far as
//! it is there, and then told.
use std::io::{self, ErrorKind, Read};

use super::{placeholder, read_trace::TruncatedTail, record_queue::RecordQueue};
use crate::decode::history::{
    compose::HistoryComposer,
    record::{BadHistory, DataAt, MOST, RECORD, Split, is_history, split},
};

/// Why a history log file cannot be read on: found in an [`io::Error`] of [`History`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: {why} (message {number} of the history log); messages before it were read")]
pub struct HistoryError {
    /// In the file.
    offset: u64,
    number: u64,
    why: BadHistory,
}

/// Turns a history log file into a stream of records, each behind its 4-byte length.
pub struct History<R> {
    input: R,
    composer: HistoryComposer,
    /// Bytes that are read and in no message yet.
    bytes: Vec<u8>,
    start: usize,
    ended: bool,
    /// Where message data begins in this file, once a message told.
    known: Option<DataAt>,
    queue: RecordQueue,
    /// Messages begun, and the offset of the next one.
    number: u64,
    offset: u64,
    /// What is told when the records before it are handed out.
    failed: Option<HistoryError>,
}

/// Bytes read at a time: the longest message fits.
const CHUNK: usize = RECORD * MOST;

/// How far the next message is looked for behind damage: what is between becomes one record.
const FAR: usize = 512 << 10;

impl<R: Read> History<R> {
    /// Reads a file.
    pub fn new(input: R, composer: HistoryComposer) -> History<R> {
        History {
            input,
            composer,
            bytes: Vec::new(),
            start: 0,
            ended: false,
            known: None,
            queue: RecordQueue::default(),
            number: 0,
            offset: 0,
            failed: None,
        }
    }

    /// Which record is one of a message that the file ends within, once it is made.
    pub fn truncated_tail(&self) -> TruncatedTail {
        self.queue.truncated_tail()
    }

    fn fails(&mut self, why: BadHistory) {
        self.failed = Some(HistoryError { offset: self.offset + why.at as u64, number: self.number + 1, why });
    }

    /// Takes the next message; `false` at the end of the file.
    fn next(&mut self) -> io::Result<bool> {
        loop {
            let front = self.bytes.get(self.start..).unwrap_or(&[]);
            match split(front, self.ended, self.known) {
                Split::Message { message, used, data_at } => {
                    self.queue.push(self.composer.compose(&message));
                    self.known = data_at.or(self.known);
                    self.start += used;
                    self.offset += used as u64;
                    self.number += 1;
                    return Ok(true);
                }
                Split::Cut(message, why) => {
                    self.queue.push_cut(self.composer.compose(&message), true);
                    self.fails(why);
                    return Ok(true);
                }
                Split::Bad(why) => {
                    match self.search()? {
                        Some(bytes) => self.park(bytes, &why),
                        None => self.fails(why),
                    }
                    return Ok(true);
                }
                Split::End => return Ok(false),
                Split::Need(_) => self.fill()?,
            }
        }
    }

    /// How far the next message is behind what is none, where one is near.
    fn search(&mut self) -> io::Result<Option<usize>> {
        // As much as is looked at is there, so that the answer does not hang on how it was read.
        while !self.ended && self.bytes.len() - self.start < FAR {
            self.fill()?;
        }
        let bytes = self.bytes.get(self.start..).unwrap_or(&[]);
        let begins = |at: &usize| {
            let front = bytes.get(*at..).filter(|front| is_history(front)).unwrap_or(&[]);
            let Split::Message { used, .. } = split(front, self.ended, self.known) else { return false };
            // Another message follows, or the end.
            let behind = front.get(used..).unwrap_or(&[]);
            is_history(behind) || behind.len() < RECORD
        };
        // Where nothing moved, messages begin where records do; what somebody wrote into a text cannot.
        let records = (1..=MOST).map(|n| n * RECORD).find(begins);
        Ok(records.or_else(|| (1..bytes.len().min(FAR)).find(begins)))
    }

    /// Hands out what is no message as a record that is parked.
    fn park(&mut self, bytes: usize, why: &BadHistory) {
        let (from, to) = (self.offset, self.offset + bytes as u64);
        let text = format!(
            "bytes {from} to {} hold no whole message of the history log: offset {}: {why}",
            to - 1,
            from + why.at as u64
        );
        let raw = self.bytes.get(self.start..self.start + bytes).unwrap_or(&[]);
        self.queue.push(&placeholder::damage(&text, raw));
        self.start += bytes;
        self.offset = to;
        self.number += 1;
    }

    fn fill(&mut self) -> io::Result<()> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let before = self.bytes.len();
        self.bytes.resize(before + CHUNK, 0);
        let got = loop {
            match self.input.read(self.bytes.get_mut(before..).unwrap_or(&mut [])) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.bytes.truncate(before + got.as_ref().map_or(0, |n| *n));
        self.ended = got? == 0;
        Ok(())
    }
}

impl<R: Read> Read for History<R> {
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
