//! Records to messages: the 142-byte records of a history log file, put together.
//!
//! ```text
//! record   8 bytes *DTS | 2 bytes record number in the message, from 1 | 132 bytes
//! record 1 job 26 | cyymmddhhmmss 13 | message id 7 | message file 10 | library 10 | type 2 | severity 2 | sending program 12 | its
//!          instruction 4 | receiving program 10 | its instruction 4 | text length u16 | data length u16 | CCSID i32 | sending user 10
//! then     the text, and the message data
//! ```
//! Source: IBM, "Format of the history log" (rbam6). Where the data begins can be read in two ways there: in the record behind the
//! text, or right behind it in the same one. The number of records tells them apart, or what stands behind the text; a file keeps to
//! one. CPF1124 and CPF1164 have their data in the third record in any case. A message never crosses files.
use std::fmt::Display;

use nom::{
    IResult, Parser,
    bytes::streaming::take,
    number::streaming::{be_u16, be_u64},
};

/// Bytes of a record.
pub const RECORD: usize = 142;
/// Bytes of a record before its part of the message.
const FRONT: usize = 10;
/// Bytes of a message in one record.
const PART: usize = RECORD - FRONT;
/// No message has more records: a text and data of 65,535 bytes each.
pub const MOST: usize = 1 + 2 * (65_535usize.div_ceil(PART));
/// CPF1124 and CPF1164 in EBCDIC: their message data always begins in position 11 of the third record.
const FIXED: [[u8; 7]; 2] = [[0xC3, 0xD7, 0xC6, 0xF1, 0xF1, 0xF2, 0xF4], [0xC3, 0xD7, 0xC6, 0xF1, 0xF1, 0xF6, 0xF4]];

/// Where message data begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataAt {
    /// In the record behind the text.
    Record,
    /// Right behind the text.
    Text,
}

/// Record 1 of a message: 132 bytes whose fields are read by position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head<'a> {
    /// The time of the message, *DTS.
    pub dts: u64,
    part: &'a [u8],
}

impl<'a> Head<'a> {
    /// Of record 1 of a message: its time and the 132 bytes behind the record number.
    pub fn new(dts: u64, part: &'a [u8]) -> Head<'a> {
        Head { dts, part }
    }

    fn field(&self, at: usize, length: usize) -> &'a [u8] {
        self.part.get(at..at + length).unwrap_or(&[])
    }

    fn u16(&self, at: usize) -> usize {
        self.field(at, 2).try_into().map_or(0, |b| usize::from(u16::from_be_bytes(b)))
    }

    /// Job name.
    pub fn job_name(&self) -> &'a [u8] {
        self.field(0, 10)
    }

    /// User of the job's name.
    pub fn job_user(&self) -> &'a [u8] {
        self.field(10, 10)
    }

    /// Job number.
    pub fn job_number(&self) -> &'a [u8] {
        self.field(20, 6)
    }

    /// The time again, as cyymmddhhmmss.
    pub fn written(&self) -> &'a [u8] {
        self.field(26, 13)
    }

    /// Message id.
    pub fn id(&self) -> &'a [u8] {
        self.field(39, 7)
    }

    /// Message file.
    pub fn file(&self) -> &'a [u8] {
        self.field(46, 10)
    }

    /// Its library.
    pub fn library(&self) -> &'a [u8] {
        self.field(56, 10)
    }

    /// Message type.
    pub fn kind(&self) -> &'a [u8] {
        self.field(66, 2)
    }

    /// Severity, two digits.
    pub fn severity(&self) -> &'a [u8] {
        self.field(68, 2)
    }

    /// Sending program.
    pub fn program(&self) -> &'a [u8] {
        self.field(70, 12)
    }

    /// The instruction it stood at.
    pub fn instruction(&self) -> &'a [u8] {
        self.field(82, 4)
    }

    /// Receiving program.
    pub fn receiver(&self) -> &'a [u8] {
        self.field(86, 10)
    }

    /// The instruction it stood at.
    pub fn receiver_instruction(&self) -> &'a [u8] {
        self.field(96, 4)
    }

    /// Bytes of the text.
    pub fn text_length(&self) -> usize {
        self.u16(100)
    }

    /// Bytes of the message data.
    pub fn data_length(&self) -> usize {
        self.u16(102)
    }

    /// CCSID of the text, binary.
    pub fn ccsid(&self) -> &'a [u8] {
        self.field(104, 4)
    }

    /// The profile that sent the message. Blank in older releases.
    pub fn user(&self) -> &'a [u8] {
        self.field(108, 10)
    }

    fn is_fixed(&self) -> bool {
        FIXED.iter().any(|id| self.id() == id)
    }

    /// Records of the message behind the first: of its text, and in all.
    fn records(&self, data_at: DataAt) -> (usize, usize) {
        let (text, data) = (self.text_length(), self.data_length());
        let of_text = text.div_ceil(PART).max(usize::from(self.is_fixed()));
        match data_at {
            DataAt::Text if !self.is_fixed() => (of_text, (text + data).div_ceil(PART)),
            _ => (of_text, of_text + data.div_ceil(PART)),
        }
    }
}

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Record 1.
    pub head: Head<'a>,
    /// The text; `None` where the file ends before its end.
    pub text: Option<Vec<u8>>,
    /// The message data; `None` where the file ends before its end.
    pub data: Option<Vec<u8>>,
    /// The text in the character set of the jobs, where `text` is in another: what it says is looked for here.
    pub readable: Option<Vec<u8>>,
}

/// What stands at the front of a run of records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Split<'a> {
    /// A message.
    Message {
        /// The message, borrowed from its records.
        message: Message<'a>,
        /// Bytes of its records.
        used: usize,
        /// Where its data begins, if that could be told for sure.
        data_at: Option<DataAt>,
    },
    /// More bytes are needed: this many in all.
    Need(usize),
    /// Nothing is left.
    End,
    /// The file ends within this message, of which record 1 is there.
    Cut(Message<'a>, BadHistory),
    /// What stands there is no message.
    Bad(BadHistory),
}

/// What is wrong with a history log file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got}")]
pub struct BadHistory {
    /// 0-based offset from the front of the message.
    pub at: usize,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub got: String,
}

fn bad(at: usize, expected: impl Into<String>, got: impl Display) -> BadHistory {
    BadHistory { at, expected: expected.into(), got: got.to_string() }
}

/// One record of 142 bytes.
struct Record<'a> {
    dts: u64,
    /// In its message, from 1.
    number: u16,
    part: &'a [u8],
}

/// `*DTS | record number | 132 bytes`.
fn record(bytes: &[u8]) -> IResult<&[u8], Record<'_>, ()> {
    (be_u64, be_u16, take(PART)).map(|(dts, number, part)| Record { dts, number, part }).parse(bytes)
}

/// Looks for one message at the front; `ended` when no more bytes can come, `known` where data begins in the file's other messages.
pub fn split(bytes: &[u8], ended: bool, known: Option<DataAt>) -> Split<'_> {
    let Ok((mut rest, first)) = record(bytes) else {
        return match bytes.len() {
            0 if ended => Split::End,
            n if ended => {
                Split::Bad(bad(n, format!("a record of {RECORD} bytes"), format!("the end of the file after {n}")))
            }
            _ => Split::Need(RECORD),
        };
    };
    if first.number != 1 {
        return Split::Bad(bad(8, "record number 1, the beginning of a message", first.number));
    }
    let head = Head::new(first.dts, first.part);
    let (_, longest) = head.records(DataAt::Record);
    let (_, shortest) = head.records(DataAt::Text);
    // The records of this message that are there, one after the other.
    let mut there = 0;
    let follows = loop {
        match record(rest) {
            _ if there == longest => break None,
            Err(_) if !ended => return Split::Need((there + 2) * RECORD),
            Err(_) => break None,
            Ok((behind, next)) if usize::from(next.number) == there + 2 => (there, rest) = (there + 1, behind),
            Ok((_, next)) => break Some(next.number),
        }
    };
    let used = (there + 1) * RECORD;
    let records = bytes.get(RECORD..used).unwrap_or_default().chunks_exact(RECORD);
    let body = || records.clone().filter_map(|r| r.get(FRONT..)).flatten().copied().collect::<Vec<u8>>();
    let starts = Starts::of(&head);
    match follows {
        // Short, and a message begins behind it: its data is right behind its text.
        Some(1) | None
            if there == shortest && there < longest && (follows.is_some() || starts.is_at_text(&body(), known)) =>
        {
            Split::Message { message: starts.message(head, &body(), DataAt::Text), used, data_at: Some(DataAt::Text) }
        }
        None if there == longest => {
            let body = body();
            let sure = if shortest < longest { Some(DataAt::Record) } else { starts.tell(&body) };
            let data_at = sure.or(known).unwrap_or(DataAt::Record);
            Split::Message { message: starts.message(head, &body, data_at), used, data_at: sure }
        }
        Some(n) => Split::Bad(bad(used + 8, format!("record number {} of the message", there + 2), n)),
        None => {
            let text = starts.text(&body());
            let end = bytes.len();
            let why = bad(end, format!("record number {} of the message", there + 2), "the end of the file");
            Split::Cut(Message { head, text, data: None, readable: None }, why)
        }
    }
}

/// Where text and data of a message begin and end behind record 1.
#[derive(Clone, Copy)]
struct Starts {
    text: usize,
    data: usize,
    /// Where data begins that has a record of its own.
    record: usize,
    fixed: bool,
}

impl Starts {
    fn of(head: &Head<'_>) -> Starts {
        let (of_text, _) = head.records(DataAt::Record);
        Starts { text: head.text_length(), data: head.data_length(), record: of_text * PART, fixed: head.is_fixed() }
    }

    fn text(&self, body: &[u8]) -> Option<Vec<u8>> {
        body.get(..self.text).map(<[u8]>::to_vec)
    }

    fn message<'a>(&self, head: Head<'a>, body: &[u8], data_at: DataAt) -> Message<'a> {
        let at = match data_at {
            DataAt::Text if !self.fixed => self.text,
            _ => self.record,
        };
        let data = body.get(at..at + self.data).map(<[u8]>::to_vec);
        Message { head, text: self.text(body), data, readable: None }
    }

    /// Both readings take as many records: what fills the record behind the text, and behind the data, tells them apart. `None` where
    /// they are the same, or where both may be.
    fn tell(&self, body: &[u8]) -> Option<DataAt> {
        if self.fixed || self.record == self.text || self.data == 0 {
            return None;
        }
        let behind_text = is_filling(body.get(self.text..self.record).unwrap_or(&[]));
        let behind_data = is_filling(body.get(self.text + self.data..self.record + self.data).unwrap_or(&[]));
        match (behind_text, behind_data) {
            (true, true) => None,
            (true, false) => Some(DataAt::Record),
            (false, _) => Some(DataAt::Text),
        }
    }

    /// At the end of a file, with as many records as data right behind the text takes: whether it is there, or its record is missing.
    fn is_at_text(&self, body: &[u8], known: Option<DataAt>) -> bool {
        match known {
            Some(known) => known == DataAt::Text,
            None => !is_filling(body.get(self.text..self.record.min(self.text + self.data)).unwrap_or(&[])),
        }
    }
}

/// Blanks or X'00' throughout.
fn is_filling(bytes: &[u8]) -> bool {
    crate::decode::journal::text::is_blank(bytes)
}

/// Whether these are the first bytes of a history log file for sure: the time twice, a job number, the record's number, and one that
/// can follow it.
pub fn is_history(front: &[u8]) -> bool {
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(|b| (0xF0..=0xF9).contains(b));
    let Ok((behind, first)) = record(front) else { return false };
    let head = Head::new(0, first.part);
    let (longest, shortest) = (head.records(DataAt::Record).1, head.records(DataAt::Text).1);
    let second = match record(behind) {
        Ok((_, second)) => match second.number {
            1 => shortest == 0,
            2 => longest > 0,
            _ => false,
        },
        Err(_) => true,
    };
    first.number == 1 && second && digits(head.job_number()) && digits(head.written())
}

#[cfg(test)]
mod tests;
