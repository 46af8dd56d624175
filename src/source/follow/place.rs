//! A place in a file, and what a file is by its name in the file system.
use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::Path,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    digest::{checksum, hex},
    source::{Capture, CaptureError, FeedError, capture::Reached, derived::read_trace::MARK as LENGTH},
};

/// Bytes at the front, and before a place, that tell one file from another.
const MARK: u64 = LENGTH as u64;

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// Bytes that are read.
    pub offset: u64,
    /// SHA-256 of the first `front_length` bytes.
    pub front: String,
    /// At most 4,096.
    pub front_length: u64,
    /// SHA-256 of the 4,096 bytes before `offset`, or of as many as there are; empty where an early program wrote the place, which
    /// looked at the front alone.
    #[serde(default)]
    pub tail: String,
    /// Bytes of a piece of a record before `offset` that was handed out because the file had no more.
    #[serde(default)]
    pub cut: u64,
    /// Records that were handed out, where they are made of what is in the file (of the history log, of buffers): read ahead, the file
    /// is farther than they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Bytes that were handed out of what is in the file, where it is unpacked while it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<u64>,
    /// Records before this place that are no entries.
    #[serde(default, rename = "parked")]
    pub undecodable: u64,
}

impl FilePlace {
    /// The place in an open file behind what it handed out, by what was read there: the file may be another one by now. With how
    /// many records before it are no entries.
    pub fn of(capture: &Capture, undecodable: u64) -> FilePlace {
        let Reached { offset, head, tail, cut, records, unpacked } = capture.reached();
        let front_length = offset.min(head.len() as u64);
        let front = head.get(..usize::try_from(front_length).unwrap_or(0)).unwrap_or(&[]);
        let (front, tail) = (hex(&checksum(front)), hex(&checksum(&tail)));
        FilePlace { offset, front, front_length, tail, cut, records, unpacked, undecodable }
    }

    /// How far it is: of two places in a file, the greater one counts.
    pub fn order(&self) -> impl Ord {
        // Read ahead, a file may have one offset and more and more records.
        (self.offset, self.records, self.unpacked)
    }

    /// Goes on in a file that it is in. Where there is more now, a piece of a record that was handed out is read again: from which
    /// byte on.
    pub fn resume(&self, capture: &mut Capture) -> Result<Option<u64>, CaptureError> {
        let has_more = capture.file_size()? > self.offset;
        let cut = if has_more { self.cut } else { 0 };
        let from = match (self.records, self.unpacked) {
            // The record is read again, whatever its bytes.
            (Some(records), _) => {
                capture.pass_over(records.saturating_sub(cut))?;
                self.offset
            }
            (None, Some(unpacked)) => {
                let from = unpacked.saturating_sub(cut);
                capture.pass_to(from)?;
                from
            }
            (None, None) => {
                let from = self.offset.saturating_sub(cut);
                capture.skip_to(from)?;
                from
            }
        };
        if !has_more {
            capture.ends_as_before(self.cut);
        }
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
            && (self.tail.is_empty() || there(&sum(capture, self.offset - tail_length, tail_length)?, &self.tail)))
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
pub(crate) struct FileStat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
}

impl FileStat {
    /// `None` where there is no such file.
    pub(crate) fn at(path: &Path) -> Result<Option<FileStat>, FeedError> {
        match fs::metadata(path) {
            Ok(m) => Ok(Some(FileStat::of(&m))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FeedError::Io { what: path.display().to_string(), source }),
        }
    }

    pub(crate) fn of(m: &Metadata) -> FileStat {
        FileStat { device: m.dev(), inode: m.ino(), size: m.len(), modified: m.modified().ok() }
    }

    pub(crate) fn is_same_file(&self, other: &FileStat) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}
