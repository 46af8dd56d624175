//! Buffers of QjoRetrieveJournalEntries, saved by a program on the system: RJNE0100 and RJNE0200.
//!
//! Source: the API's format tables as Debezium's EntryHeaderDecoder, iSphere's RJNE0200.java and jtopenlite read them (they agree).
//! A buffer is its header and a chain of entries; everything in an entry is found by displacements from its first byte. Each is
//! checked to lie inside the bytes returned before it is followed, the chain only goes forward, and the count of the header
//! must be that of the chain: a buffer is data from elsewhere.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::{
    IResult, Needed, Parser,
    bytes::streaming::take,
    combinator::map_opt,
    number::streaming::{be_u8, be_u16, be_u32, be_u64, be_u128},
    sequence::terminated,
};

use super::compose::Composer;

/// Which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferFormat {
    /// RJNE0100: no receiver, no remote address.
    Rjne0100,
    /// RJNE0200.
    Rjne0200,
}

/// Bytes at the front of a buffer that say how long it is.
pub const LENGTH: usize = 4;
/// The longest buffer that is taken for one: the API takes lengths up to 2 GiB, programs use some MiB.
pub const MAX_BUFFER: usize = 256 << 20;

/// What is wrong with a buffer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the buffer: expected {expected}, got {got}")]
pub struct BadBuffer {
    /// 0-based offset in the buffer.
    pub at: usize,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub got: String,
}

fn bad(at: usize, expected: impl Into<String>, got: impl std::fmt::Display) -> BadBuffer {
    BadBuffer { at, expected: expected.into(), got: got.to_string() }
}

/// Where fields stand in the entry headers of a format, 0-based.
struct Fields {
    header: usize,
    entry: usize,
}

impl BufferFormat {
    fn fields(self) -> Fields {
        match self {
            BufferFormat::Rjne0100 => Fields { header: 13, entry: 196 },
            BufferFormat::Rjne0200 => Fields { header: 64, entry: 236 },
        }
    }

    /// Bytes of a buffer, by its first four; `available` are those that are there at most.
    pub fn length(self, front: [u8; LENGTH]) -> Result<usize, BadBuffer> {
        let n = u32::from_be_bytes(front);
        let least = self.fields().header;
        match usize::try_from(n) {
            Ok(length) if (least..=MAX_BUFFER).contains(&length) => Ok(length),
            _ => Err(bad(0, format!("the bytes returned ({least} to {MAX_BUFFER})"), n)),
        }
    }
}

/// Decodes buffers one after the other: the receiver is carried from entry to entry and from buffer to buffer.
pub struct BufferDecoder {
    format: BufferFormat,
    composer: Composer,
    /// Receiver name, its library, ASP device (10 bytes each) and ASP number.
    receiver: Option<([u8; 30], u16)>,
}

impl BufferDecoder {
    /// Decoding `format` into records with the heading of `composer`.
    pub fn new(format: BufferFormat, composer: Composer) -> BufferDecoder {
        BufferDecoder { format, composer, receiver: None }
    }

    /// Hands out the records of one buffer; those before what is wrong are handed out too.
    pub fn decode(&mut self, buffer: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), BadBuffer> {
        let Fields { header, entry: least } = self.format.fields();
        let view = View(buffer);
        let first = view.read(4, be_u32)? as usize;
        let count = view.read(8, be_u32)?;
        if count == 0 {
            // Entries that are there and not counted would be lost without a word.
            return if first == 0 {
                Ok(())
            } else {
                Err(bad(8, "the number of entries, for a first one is there", count))
            };
        }
        if first < header || first > buffer.len().saturating_sub(least) {
            return Err(bad(4, format!("the offset of the first entry ({header} to the end)"), first));
        }
        let mut at = first;
        for n in 1..=count {
            let next = view.read(at, be_u32)? as usize;
            self.entry(view, at)?;
            each(self.composer.record());
            let last = n == count;
            if last != (next == 0) {
                let expected = if last { "0 in the last entry" } else { "the displacement to the next entry" };
                return Err(bad(at, format!("{expected} (entry {n} of {count})"), next));
            }
            if last {
                break;
            }
            if next < least || next > buffer.len().saturating_sub(at + least) {
                return Err(bad(
                    at,
                    format!("a displacement to the next entry ({least} or more, inside the buffer)"),
                    next,
                ));
            }
            at += next;
        }
        Ok(())
    }

    fn entry(&mut self, view: View<'_>, at: usize) -> Result<(), BadBuffer> {
        self.composer.begin();
        match self.format {
            BufferFormat::Rjne0100 => self.entry_0100(view, at),
            BufferFormat::Rjne0200 => self.entry_0200(view, at),
        }?;
        let displacement = view.read(at + 8, be_u32)? as usize;
        if displacement == 0 {
            self.composer.end(&[], 0);
            return Ok(());
        }
        let section = view.part(at, 8, displacement, 16)?;
        let Ok((_, length)) = data_length(section) else {
            return Err(bad(at + displacement, "the length of the entry data in 5 EBCDIC digits", hex(section)));
        };
        let data = view.bytes(at + displacement + 16, length)?;
        self.composer.end(data, length);
        Ok(())
    }

    fn entry_0100(&mut self, view: View<'_>, at: usize) -> Result<(), BadBuffer> {
        let c = &mut self.composer;
        for (name, from, length) in [
            ("sequence_number", 16, 20),
            ("journal_code", 36, 1),
            ("journal_entry_type", 37, 2),
            ("entry_timestamp", 39, 26),
            ("job_name", 65, 10),
            ("job_user", 75, 10),
            ("job_number", 85, 6),
            ("program_name", 91, 10),
            ("object_name", 101, 10),
            ("object_library", 111, 10),
            ("member_name", 121, 10),
            ("flag", 141, 1),
            ("commit_cycle", 142, 20),
            ("user_name", 162, 10),
            ("system_name", 172, 8),
            ("journal_identifier", 180, 10),
            ("referential_constraint", 190, 1),
            ("trigger", 191, 1),
            ("incomplete_data", 192, 1),
            ("object_name_indicator", 193, 1),
            ("ignore_apply_remove", 194, 1),
            ("minimized_entry_data", 195, 1),
        ] {
            c.bytes(name, view.bytes(at + from, length)?);
        }
        if let Some(n) = super::number::digits(view.bytes(at + 131, 10)?) {
            c.number("count_or_rrn", n);
        }
        Ok(())
    }

    fn entry_0200(&mut self, view: View<'_>, at: usize) -> Result<(), BadBuffer> {
        let displacement = view.read(at + 20, be_u32)? as usize;
        if displacement != 0 {
            self.receiver = receiver(view.part(at, 20, displacement, 32)?).ok().map(|(_, receiver)| receiver);
        }
        let c = &mut self.composer;
        if let Some((names, asp)) = &self.receiver {
            let (name, rest) = names.split_at(10);
            let (library, device) = rest.split_at(10);
            c.bytes("receiver_name", name);
            c.bytes("receiver_library", library);
            c.bytes("receiver_library_asp_device", device);
            c.number("receiver_library_asp_number", u64::from(*asp));
        }
        for (name, from, length) in [
            ("journal_code", 98, 1),
            ("journal_entry_type", 99, 2),
            ("job_name", 101, 10),
            ("job_user", 111, 10),
            ("job_number", 121, 6),
            ("program_name", 127, 10),
            ("program_library", 137, 10),
            ("program_library_asp_device", 147, 10),
            ("object_name", 157, 10),
            ("object_library", 167, 10),
            ("member_name", 177, 10),
            ("user_name", 187, 10),
            ("journal_identifier", 197, 10),
            ("address_family", 207, 1),
            ("system_name", 208, 8),
            ("flag", 216, 1),
            ("object_name_indicator", 217, 1),
            ("journaled_object_type", 219, 7),
        ] {
            c.bytes(name, view.bytes(at + from, length)?);
        }
        for (name, from) in
            [("sequence_number", 24), ("system_sequence_number", 48), ("count_or_rrn", 56), ("commit_cycle", 64)]
        {
            c.number(name, view.read(at + from, be_u64)?);
        }
        for (name, from) in [("remote_port", 76), ("arm_number", 78), ("program_library_asp_number", 80)] {
            c.number(name, u64::from(view.read(at + from, be_u16)?));
        }
        let thread = view.bytes(at + 40, 8)?;
        c.bytes("thread_identifier", thread);
        c.plain("thread", &hex(thread));
        c.plain("entry_timestamp", &timestamp(view.read(at + 32, be_u64)?));
        // Most significant bit first.
        let flags = view.read(at + 218, be_u8)?;
        for (bit, name) in [
            (7, "referential_constraint"),
            (6, "trigger"),
            (5, "incomplete_data"),
            (4, "ignore_apply_remove"),
            (3, "minimized_entry_data"),
            (2, "file_type_indicator"),
        ] {
            c.bytes(name, &[0xF0 | (flags >> bit & 1)]);
        }
        c.number("nested_commit_level", u64::from(view.read(at + 232, be_u32)?));
        let is_v6 = view.read(at + 207, be_u8)? == 0xF6;
        if let Some(text) = address(&view.read(at + 82, be_u128)?.to_be_bytes(), is_v6) {
            c.plain("remote_address", &text);
        }
        Ok(())
    }
}

/// What stands in front of entry data: its length in five digits, and eleven reserved bytes.
fn data_length(section: &[u8]) -> IResult<&[u8], usize, ()> {
    let length = map_opt(take(5usize), |digits| usize::try_from(super::number::zoned(digits)?).ok());
    terminated(length, take(11usize)).parse(section)
}

/// A receiver: name, library and ASP device together, and the ASP number.
fn receiver(section: &[u8]) -> IResult<&[u8], ([u8; 30], u16), ()> {
    (map_opt(take(30usize), |names: &[u8]| names.try_into().ok()), be_u16).parse(section)
}

/// A remote address as text. IPv4 comes as text or as 4 bytes and 12 zeros (iSphere, PMR 33254,031,724), IPv6 as 16 bytes, some
/// of them IPv4 mapped. Text is what can be parsed as an address: the shortest of IPv4, 7 characters, is no 4 bytes and zeros.
fn address(bytes: &[u8; 16], is_v6: bool) -> Option<String> {
    let end = bytes.iter().rposition(|b| !matches!(b, 0x40 | 0)).map_or(0, |n| n + 1);
    let text: Option<String> = bytes.iter().take(end).map(|b| address_char(*b)).collect();
    if end == 0 {
        return None;
    }
    if let Some(Ok(address)) = text.map(|t| t.parse::<IpAddr>())
        && address.is_ipv6() == is_v6
    {
        return Some(address.to_string());
    }
    let v6 = Ipv6Addr::from(*bytes);
    if let Some(v4) = v6.to_ipv4_mapped() {
        return Some(v4.to_string());
    }
    let (front, rest) = bytes.split_at(4);
    match <[u8; 4]>::try_from(front) {
        Ok(front) if !is_v6 && rest.iter().all(|b| *b == 0) => Some(Ipv4Addr::from(front).to_string()),
        _ => Some(v6.to_string()),
    }
}

/// A character of an address, from EBCDIC.
pub fn address_char(b: u8) -> Option<char> {
    match b {
        0xF0..=0xF9 => Some(char::from(b'0' + (b - 0xF0))),
        0x81..=0x86 => Some(char::from(b'a' + (b - 0x81))),
        0xC1..=0xC6 => Some(char::from(b'a' + (b - 0xC1))),
        0x4B => Some('.'),
        0x7A => Some(':'),
        _ => None,
    }
}

/// *DTS, the system's own time of day: the first 52 bits count microseconds, X'8000000000000000' is the beginning of 2000 (JTOpen,
/// AS400Timestamp). In the form of a heading: 2026-11-20-08.00.00.000000. Blank where it is zero.
pub fn timestamp(dts: u64) -> String {
    let micros = i64::try_from(dts >> 12).unwrap_or(0) - (1 << 51);
    let epoch = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|d| d.and_hms_opt(0, 0, 0));
    let time = epoch.and_then(|e| e.checked_add_signed(chrono::TimeDelta::microseconds(micros)));
    match time {
        Some(time) if dts != 0 => time.format("%Y-%m-%d-%H.%M.%S.%6f").to_string(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// Bytes of a buffer, checked.
#[derive(Clone, Copy)]
struct View<'a>(&'a [u8]);

impl<'a> View<'a> {
    /// What `grammar` reads at an offset. It says itself how many bytes it lacks.
    fn read<O>(self, at: usize, mut grammar: impl Parser<&'a [u8], Output = O, Error = ()>) -> Result<O, BadBuffer> {
        let there = self.0.get(at..).unwrap_or_default();
        grammar.parse(there).map(|(_, found)| found).map_err(|e| {
            let lacks = if let nom::Err::Incomplete(Needed::Size(n)) = e { n.get() } else { 1 };
            let end = format!("the end of the buffer at byte {}", self.0.len());
            bad(at, format!("{} bytes", there.len().saturating_add(lacks)), end)
        })
    }

    fn bytes(self, at: usize, length: usize) -> Result<&'a [u8], BadBuffer> {
        self.read(at, take(length))
    }

    /// What a displacement leads to: `length` bytes at least; `from` is where the displacement stands in the entry.
    fn part(self, at: usize, from: usize, displacement: usize, length: usize) -> Result<&'a [u8], BadBuffer> {
        let start = at.saturating_add(displacement);
        let end = start.saturating_add(length);
        // Behind the fixed part of the entry: what leads into it, or back, is no displacement.
        if displacement < 196 || end > self.0.len() {
            let expected = format!("a displacement to {length} bytes or more behind the entry's heading");
            return Err(bad(at + from, expected, displacement));
        }
        self.bytes(start, length)
    }
}

#[cfg(test)]
mod tests;
