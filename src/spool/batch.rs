//! A batch: some hundred entries that the filter let through, in one blob, and what proves their continuity.
//!
//! The blob holds, event after event: what it is (u8: 0 an entry, 1 a notice of the agent), length of the record (u32),
//! length of what is stored of it (u32), offset of local time from UTC in seconds (i32; -2147483648 where the entry has no
//! valid time), severity floor (u8), the record without its trailing blanks; of a notice the JSON. Numbers are big-endian.
//! Stored, it is one LZ4 block behind its uncompressed length (u32, little-endian): records are full of blanks and of names
//! that repeat, so the disk gets a fifth of the bytes. Nothing in it is ever rewritten.
use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{basis::Basis, buffers};
use crate::{
    decode::journal::text::trim_blanks,
    digest::Hash,
    event::{Event, Notice},
};

/// The version of the blob.
pub const FORMAT: i64 = 2;
/// Stands for the offset of an entry without a valid time.
const NO_TIME: i32 = i32::MIN;
const HEAD: usize = 14;
/// The most bytes of events that a batch can have: a batch ends soon after a MiB, and a record has at most one.
const LARGEST: usize = 64 << 20;
/// What an event is.
const ENTRY: u8 = 0;
const NOTICE: u8 = 1;

/// What a batch says of the entries it was made from, those too that are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchHeader {
    /// The source by its name in the configuration.
    pub source: String,
    /// Heading: `type5`.
    pub heading: String,
    /// CCSID of the jobs.
    pub ccsid: u16,
    /// IANA zone of the system.
    pub zone: String,
    /// The offset from UTC, in seconds east, that the system itself said when the batch was read; live systems only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_offset: Option<i32>,
    /// System of the last entry.
    pub system: String,
    /// Receiver of the last entry, with its library: LIBRARY/RECEIVER.
    pub receiver: String,
    /// Sequence number of the first entry read.
    pub first_sequence: u64,
    /// Sequence number of the last entry read.
    pub last_sequence: u64,
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// Entries dropped, by rule.
    pub filtered: BTreeMap<String, u64>,
    /// Entries refused because the spool was full, by severity; only where that was asked for.
    #[serde(default)]
    pub refused: BTreeMap<u8, u64>,
    /// The first batch that this one stands for, itself being the last: it holds what is told of batches that are damaged or
    /// missing. `None` for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// When the batch was made, UTC microseconds.
    #[serde(default, rename = "made")]
    pub created_at: i64,
    /// What else its lines depend on; `None`: a program before 0.2 stored it, which did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// A batch in the making.
pub struct Builder {
    /// What it says of its entries so far.
    pub header: BatchHeader,
    blob: Vec<u8>,
    /// Bytes that its events will take, about.
    expected: usize,
    events: u32,
    notices: u32,
    previous: Hash,
    raw: Context,
    parked: Vec<Parked>,
    parked_bytes: usize,
}

/// A record that is no entry: its bytes are kept, so that somebody can look at them and give them back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Where it stands in what was read: byte offset in a file, number in a stream.
    pub place: u64,
    /// Why it is no entry.
    pub why: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Builder {
    /// An empty batch; `before` is the hash of the batch of this source before it.
    pub fn new(header: BatchHeader, before: &Hash) -> Builder {
        let mut raw = Context::new(&SHA256);
        raw.update(before);
        Builder {
            header,
            blob: Vec::new(),
            expected: 0,
            events: 0,
            notices: 0,
            previous: *before,
            raw,
            parked: Vec::new(),
            parked_bytes: 0,
        }
    }

    /// An empty one behind another of the same source, which is likely to become about as long: what a batch grows into need not be copied
    /// again and again. Memory is taken with the first event.
    pub fn behind(before: &NewBatch) -> Builder {
        let length = before.plain.len();
        Builder { expected: length + length / 8, ..Builder::new(BatchHeader::default(), &before.raw_sha256) }
    }

    /// Takes a record as it was read, whatever becomes of it.
    pub fn read(&mut self, record: &[u8]) {
        self.header.read += 1;
        self.raw.update(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.raw.update(record);
    }

    /// Takes a record that is no entry, so that its bytes are kept.
    pub fn park(&mut self, parked: Parked) {
        self.header.parked += 1;
        self.parked_bytes += parked.bytes.len();
        self.parked.push(parked);
    }

    /// Takes an event that is sent.
    pub fn push(&mut self, ev: &Event<'_>) {
        let record = ev.entry.record;
        let offset = ev.time.map_or(NO_TIME, |t| t.offset);
        self.put(ENTRY, record.len(), offset, ev.severity_floor, trim_blanks(record));
    }

    /// Takes a notice, which goes to every output between the entries around it.
    pub fn push_notice(&mut self, notice: &Notice) {
        let json = serde_json::to_vec(notice).unwrap_or_default();
        self.put(NOTICE, json.len(), notice.offset, notice.severity, &json);
        self.notices += 1;
    }

    fn put(&mut self, what: u8, length: usize, offset: i32, severity_floor: u8, stored: &[u8]) {
        let n = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        let needed = HEAD + stored.len();
        if self.blob.capacity() - self.blob.len() < needed {
            // By a quarter, where a vector would double: many senders have one of these each.
            match self.blob.capacity() {
                0 => self.blob = buffers::take(needed.max(self.expected)),
                _ => self.blob.reserve_exact(needed.max(self.blob.len() / 4)),
            }
        }
        self.blob.push(what);
        self.blob.extend_from_slice(&n(length));
        self.blob.extend_from_slice(&n(stored.len()));
        self.blob.extend_from_slice(&offset.to_be_bytes());
        self.blob.push(severity_floor);
        self.blob.extend_from_slice(stored);
        self.events += 1;
    }

    /// Events in it.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// Bytes of its events and of what is parked with it.
    pub fn size(&self) -> usize {
        self.blob.len() + self.parked_bytes
    }

    /// What is parked with it.
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// The batch, ready to store; the hash is over all records as read, and those of the batches before it.
    pub fn finish(mut self) -> NewBatch {
        // It stays in memory until every output has it, and what it has grown by with it.
        if self.blob.capacity() > self.blob.len() + self.blob.len() / 4 {
            self.blob.shrink_to_fit();
        }
        let mut raw_sha256 = [0; 32];
        raw_sha256.copy_from_slice(self.raw.finish().as_ref());
        let blob = compress(&self.blob);
        NewBatch {
            header: self.header,
            events: self.events,
            notices: self.notices,
            plain: self.blob,
            blob,
            previous: self.previous,
            raw_sha256,
            parked: self.parked,
        }
    }
}

/// A batch that is not stored yet.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// What it says of its entries.
    pub header: BatchHeader,
    /// Events in it.
    pub events: u32,
    /// Notices of the agent among them.
    pub notices: u32,
    /// The events.
    pub plain: Vec<u8>,
    /// The blob to be stored: the same, compressed.
    pub blob: Vec<u8>,
    /// The hash that it is chained to: that of the batch of its source before it.
    pub previous: Hash,
    /// Over the records as read, chained.
    pub raw_sha256: Hash,
    /// Records that are no entries.
    pub parked: Vec<Parked>,
}

impl NewBatch {
    /// One in whose place nothing is: it was stored.
    pub(super) fn empty() -> NewBatch {
        NewBatch {
            header: BatchHeader::default(),
            events: 0,
            notices: 0,
            plain: Vec::new(),
            blob: Vec::new(),
            previous: [0; 32],
            raw_sha256: [0; 32],
            parked: Vec::new(),
        }
    }
}

/// One LZ4 block behind the length of what is in it.
fn compress(plain: &[u8]) -> Vec<u8> {
    let most = lz4_flex::block::get_maximum_output_size(plain.len());
    let mut blob = buffers::take(4 + most);
    blob.extend_from_slice(&u32::try_from(plain.len()).unwrap_or(u32::MAX).to_le_bytes());
    blob.resize(4 + most, 0);
    let (_, out) = blob.split_at_mut(4);
    // There is room for whatever comes of it.
    let Ok(length) = lz4_flex::block::compress_into(plain, out) else {
        return lz4_flex::block::compress_prepend_size(plain);
    };
    blob.truncate(4 + length);
    // What is used again keeps its room; the others wait with that of many senders.
    if !buffers::is_kept(&blob) {
        blob.shrink_to_fit();
    }
    blob
}

/// The events of a blob, or nothing where it is not compressed.
fn decompress(blob: &[u8]) -> Option<Vec<u8>> {
    if blob.is_empty() {
        return None;
    }
    // The length is allocated before anything is decompressed.
    let length = usize::try_from(u32::from_le_bytes(*blob.first_chunk::<4>()?)).ok()?;
    if length > LARGEST {
        return None;
    }
    let mut plain = buffers::take(length);
    plain.resize(length, 0);
    let length = lz4_flex::block::decompress_into(blob.get(4..)?, &mut plain).ok()?;
    plain.truncate(length);
    Some(plain)
}

/// The blob of format 1 in the present format: its events did not say what they are, for all were entries.
pub(super) fn of_format_1(blob: &[u8]) -> Option<Vec<u8>> {
    const HEAD_1: usize = HEAD - 1;
    let (mut events, mut rest) = (Vec::with_capacity(blob.len()), blob);
    while !rest.is_empty() {
        let (_, stored) = rest.split_first_chunk::<4>()?;
        let stored = u32::from_be_bytes(*stored.first_chunk::<4>()?);
        let (event, behind) = rest.split_at_checked(HEAD_1 + usize::try_from(stored).ok()?)?;
        events.push(ENTRY);
        events.extend_from_slice(event);
        rest = behind;
    }
    Some(lz4_flex::block::compress_prepend_size(&events))
}

/// A stored batch, opened.
#[derive(Debug)]
pub struct Batch {
    /// Its number: later batches have higher ones.
    pub id: i64,
    /// What it says of its entries.
    pub header: BatchHeader,
    blob: Vec<u8>,
    starts: Vec<u32>,
}

/// One event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredEvent<'a> {
    /// A notice of the agent: `bytes` are its JSON.
    pub is_notice: bool,
    /// Bytes of the record with its blanks.
    pub length: usize,
    /// The record without them.
    pub bytes: &'a [u8],
    /// Offset of local time from UTC in seconds; `None` where the entry has no valid time.
    pub offset: Option<i32>,
    /// Severity is at least this.
    pub severity_floor: u8,
}

/// What the header of a batch in memory takes, with its texts and the profiles that are known.
const HEADER: usize = 4 << 10;

impl Batch {
    /// Opens a stored blob whose checksum was compared. `None` when it cannot be one, or its lengths do not add up.
    pub fn open(id: i64, header: BatchHeader, blob: &[u8]) -> Option<Batch> {
        // Some of the first databases hold events that are not compressed.
        let events = decompress(blob).unwrap_or_else(|| blob.to_vec());
        Batch::plain(id, header, events)
    }

    /// The same, not compressed.
    pub fn plain(id: i64, header: BatchHeader, blob: Vec<u8>) -> Option<Batch> {
        let mut starts = Vec::new();
        let mut at = 0;
        while at < blob.len() {
            let stored = u32::from_be_bytes(blob.get(at + 5..at + 9)?.try_into().ok()?);
            let next = at + HEAD + usize::try_from(stored).ok()?;
            if next > blob.len() {
                return None;
            }
            starts.push(u32::try_from(at).ok()?);
            at = next;
        }
        starts.shrink_to_fit();
        Some(Batch { id, header, blob, starts })
    }

    /// Events in it.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether it has none: then it only says what was read and dropped.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes in memory, about: what its header takes beside the events too, which is most of a little batch.
    pub fn size(&self) -> usize {
        HEADER + self.blob.capacity() + self.starts.capacity() * 4
    }

    /// The n-th event.
    pub fn event(&self, n: usize) -> Option<StoredEvent<'_>> {
        let at = usize::try_from(*self.starts.get(n)?).ok()?;
        let (head, rest) = self.blob.get(at..)?.split_first_chunk::<HEAD>()?;
        let [what, l1, l2, l3, l4, s1, s2, s3, s4, o1, o2, o3, o4, severity_floor] = *head;
        let stored = usize::try_from(u32::from_be_bytes([s1, s2, s3, s4])).ok()?;
        let offset = i32::from_be_bytes([o1, o2, o3, o4]);
        Some(StoredEvent {
            is_notice: what == NOTICE,
            length: usize::try_from(u32::from_be_bytes([l1, l2, l3, l4])).ok()?,
            bytes: rest.get(..stored)?,
            offset: (offset != NO_TIME).then_some(offset),
            severity_floor,
        })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        buffers::give(std::mem::take(&mut self.blob));
    }
}

impl StoredEvent<'_> {
    /// The notice, where it is one.
    pub fn notice(&self) -> Option<Notice> {
        if self.is_notice { serde_json::from_slice(self.bytes).ok() } else { None }
    }

    /// The record as it was read, into a buffer.
    pub fn record(&self, to: &mut Vec<u8>) {
        to.clear();
        to.extend_from_slice(self.bytes);
        // A length beyond what a record may have is no length: the checksum makes this impossible.
        to.resize(self.length.clamp(self.bytes.len(), crate::decode::journal::record::MAX_RECORD), 0x40);
    }
}
