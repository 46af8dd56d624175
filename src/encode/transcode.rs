//! From the bytes of a field to the bytes of a line, in one pass: EBCDIC to UTF-8, `printable` and the escape of the format.
//!
//! For every single-byte character set and escape there is a table of 256 bytes: the output byte where one input
//! byte gives exactly one, 0 where it does not. Nearly every field of an audit entry goes through it without a
//! branch per byte; only when a 0 was met is the field done again, unit by unit.
use std::collections::BTreeMap;

use encoding_rs::{DecoderResult, UTF_16BE};

use super::escape::{Escape, is_hidden, put_unit};
use crate::decode::{
    ebcdic::{Ccsid, Charset, CharsetKind},
    journal::text::{Text, blanks_at_end, trim_blanks},
};
use crate::digest::put_hex;

/// Writes texts of any character set under one escape.
pub struct Transcoder {
    escape: Escape,
    job: &'static Charset,
    job_table: Table,
    /// The output for every input byte of a single-byte set, for fields with a byte that the table cannot do.
    job_wide: Vec<Vec<u8>>,
    ascii: Table,
    others: BTreeMap<Ccsid, Table>,
}

/// Output byte per input byte; 0 = not one byte.
type Table = [u8; 256];

impl Transcoder {
    /// For the job's character set.
    pub fn new(escape: Escape, job: &'static Charset) -> Transcoder {
        let mut ascii = [0; 256];
        for b in 0..0x80u8 {
            set(&mut ascii, b, u16::from(b), escape);
        }
        let job_wide = if job.kind() == CharsetKind::SingleByte { wide(escape, job) } else { Vec::new() };
        Transcoder { escape, job, job_table: table(escape, job), job_wide, ascii, others: BTreeMap::new() }
    }

    /// The escape it writes under.
    pub fn escape(&self) -> Escape {
        self.escape
    }

    /// Appends text in the job's character set.
    #[inline]
    pub fn put_job(&self, bytes: &[u8], out: &mut Vec<u8>) {
        if put_table(&self.job_table, bytes, out) {
            return;
        }
        if self.job_wide.is_empty() {
            return slow(self.escape, self.job, bytes, out);
        }
        for b in bytes {
            match self.job_table[usize::from(*b)] {
                0 => out.extend_from_slice(self.job_wide.get(usize::from(*b)).map_or(&[], Vec::as_slice)),
                c => out.push(c),
            }
        }
    }

    /// Appends a field in the job's character set, padding off; `false`, with nothing appended, when it means
    /// nothing: blanks, NULs or `*N`.
    #[inline]
    pub fn put_field(&self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        // Names are 10 bytes and object types 8: at a known length nothing branches on where the name ends.
        let fast = match bytes.len() {
            10 => bytes.first_chunk::<10>().and_then(|b| put_fixed(&self.job_table, b, out)),
            8 => bytes.first_chunk::<8>().and_then(|b| put_fixed(&self.job_table, b, out)),
            // An address: IPv4 leaves all but the first 16 bytes blank.
            46 => match bytes.split_first_chunk::<16>() {
                Some((b, rest)) if trim_blanks(rest).is_empty() => put_fixed(&self.job_table, b, out),
                _ => None,
            },
            _ => None,
        };
        match fast {
            Some(wrote) => wrote,
            None => {
                let start = out.len();
                self.put_job(meaningful(bytes), out);
                out.len() > start
            }
        }
    }

    /// Appends a text.
    #[inline]
    pub fn put(&mut self, text: Text<'_>, out: &mut Vec<u8>) {
        let Some(charset) = text.charset else { return put_unknown(text.bytes, out) };
        if std::ptr::eq(charset, self.job) {
            return self.put_job(text.bytes, out);
        }
        let fast = match charset.kind() {
            CharsetKind::Utf16Be => {
                put_utf16_ascii(&self.ascii, text.bytes, out) || put_utf16(self.escape, &self.ascii, text.bytes, out)
            }
            CharsetKind::Utf8 => put_table(&self.ascii, text.bytes, out),
            CharsetKind::SingleByte | CharsetKind::Mixed => {
                let escape = self.escape;
                let table = self.others.entry(charset.ccsid()).or_insert_with(|| table(escape, charset));
                put_table(table, text.bytes, out)
            }
        };
        if !fast {
            slow(self.escape, charset, text.bytes, out);
        }
    }
}

/// A CCSID that is not supported: the bytes themselves, in IBM's notation.
fn put_unknown(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"X'");
    put_hex(bytes, out);
    out.push(b'\'');
}

fn table(escape: Escape, charset: &Charset) -> Table {
    let mut table = [0; 256];
    if let Some(points) = charset.single_byte() {
        let mixed = charset.kind() == CharsetKind::Mixed;
        for (b, point) in (0..=255u8).zip(points) {
            if !(mixed && matches!(b, 0x0E | 0x0F)) {
                set(&mut table, b, *point, escape);
            }
        }
    }
    table
}

fn wide(escape: Escape, charset: &Charset) -> Vec<Vec<u8>> {
    (0..=255u8)
        .map(|b| {
            let mut out = Vec::new();
            slow(escape, charset, &[b], &mut out);
            out
        })
        .collect()
}

fn set(table: &mut Table, byte: u8, point: u16, escape: Escape) {
    let Some(c) = char::from_u32(u32::from(point)) else { return };
    let mut one = Vec::new();
    put_unit(escape, crate::decode::ebcdic::Unit::Char(c), &mut one);
    if let [b] = one.as_slice() {
        table[usize::from(byte)] = *b; // an array of 256 has every u8
    }
}

/// A text of the heading or entry data, padding off; empty when it means nothing.
#[inline]
pub fn meaningful(bytes: &[u8]) -> &[u8] {
    let bytes = trim_blanks(bytes);
    match bytes {
        NOTHING => &[],
        [0, ..] if bytes.iter().all(|b| *b == 0) => &[],
        _ => bytes,
    }
}

/// `*N`: IBM i's way to say that there is no name.
pub const NOTHING: &[u8] = &[0x5C, 0xD5];

/// Appends a blank-padded field of a known length; `None`, with nothing appended, when a byte needs more than the table.
#[inline]
fn put_fixed<const N: usize>(table: &Table, bytes: &[u8; N], out: &mut Vec<u8>) -> Option<bool> {
    let length = N - blanks_at_end(bytes);
    let text = bytes.map(|b| table[usize::from(b)]);
    if has_zero(&text) {
        return None;
    }
    if length == 2 && bytes.starts_with(NOTHING) {
        return Some(false);
    }
    let start = out.len();
    out.extend_from_slice(&text);
    out.truncate(start + length);
    Some(length > 0)
}

/// Whether a byte of at most sixteen is zero, all at once (the carry of a subtraction runs into a byte's high bit only
/// where that byte was zero or the one below it was).
#[inline]
fn has_zero<const N: usize>(bytes: &[u8; N]) -> bool {
    const ONES: u128 = u128::from_ne_bytes([0x01; 16]);
    const HIGHS: u128 = u128::from_ne_bytes([0x80; 16]);
    let mut wide = [1; 16];
    if let Some(to) = wide.get_mut(..N) {
        to.copy_from_slice(bytes);
    }
    let v = u128::from_le_bytes(wide);
    v.wrapping_sub(ONES) & !v & HIGHS != 0
}

/// Appends through the table; `false`, with nothing appended, when a byte needs more than the table.
#[inline]
fn put_table(table: &Table, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut bad = 0;
    out.extend(bytes.iter().map(|b| {
        let c = table[usize::from(*b)];
        bad |= u8::from(c == 0);
        c
    }));
    if bad != 0 {
        out.truncate(start);
    }
    bad == 0
}

#[inline]
fn put_utf16_ascii(table: &Table, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return false;
    }
    let mut bad = 0;
    out.extend(pairs.map(|p| {
        let c = match p {
            [0, low] => table[usize::from(*low)],
            _ => 0,
        };
        bad |= u8::from(c == 0);
        c
    }));
    if bad != 0 {
        out.truncate(start);
    }
    bad == 0
}

/// Appends UTF-16 whose characters all stand in a line as they are; `false`, with nothing appended, when one does not. What is no character
/// (half of a pair, the odd byte) is seen unit by unit, because it must stay visible.
fn put_utf16(escape: Escape, table: &Table, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if matches!(escape, Escape::HeaderField | Escape::Host) {
        return false; // they hold ASCII only
    }
    // ASCII alone came here because of an escape: that is done unit by unit at once.
    if bytes.as_chunks::<2>().0.iter().all(|[high, low]| *high == 0 && low.is_ascii()) {
        return false;
    }
    // No mark of the byte order is looked for: a path may begin with U+FEFF.
    let mut decoder = UTF_16BE.new_decoder_without_bom_handling();
    let Some(most) = decoder.max_utf8_buffer_length_without_replacement(bytes.len()) else { return false };
    let start = out.len();
    out.resize(start + most, 0);
    let room = out.get_mut(start..).unwrap_or(&mut []);
    let (result, _, written) = decoder.decode_to_utf8_without_replacement(bytes, room, true);
    out.truncate(start + written);
    let is_plain = |c: char| match u8::try_from(c) {
        Ok(b) if b.is_ascii() => b != 0 && table[usize::from(b)] == b,
        _ => !is_hidden(c),
    };
    let text = std::str::from_utf8(out.get(start..).unwrap_or(&[]));
    let fits = result == DecoderResult::InputEmpty && text.is_ok_and(|text| text.chars().all(is_plain));
    if !fits {
        out.truncate(start);
    }
    fits
}

#[cold]
fn slow(escape: Escape, charset: &Charset, bytes: &[u8], out: &mut Vec<u8>) {
    charset.decode(bytes, &mut |unit| put_unit(escape, unit, out));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(escape: Escape, ccsid: u16, bytes: &[u8]) -> String {
        let job = Charset::of(Ccsid(37)).unwrap();
        let charset = Charset::of(Ccsid(ccsid));
        let mut out = Vec::new();
        Transcoder::new(escape, job).put(Text { bytes, charset }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_and_hostile_texts_come_out_right_in_every_character_set() {
        assert_eq!(put(Escape::CefValue, 37, &[0xC1, 0x7E, 0xC2]), r"A\=B");
        assert_eq!(put(Escape::StructuredData, 37, &[0xC1, 0x25, 0xC2]), r"A\\x0aB");
        assert_eq!(put(Escape::CefValue, 1200, b"\0a\0=\0b"), r"a\=b");
        assert_eq!(put(Escape::Text, 1200, b"\0a\xD8\0\0b"), r"a\u{d800}b");
        assert_eq!(put(Escape::Text, 1200, b"\0a\0"), r"a\x00");
        assert_eq!(put(Escape::Text, 1208, "ä\u{1F512}".as_bytes()), "ä\u{1F512}");
        assert_eq!(put(Escape::Text, 1208, b"a\xFF"), r"a\xff");
        assert_eq!(put(Escape::Text, 273, &[0x4A]), "Ä");
    }

    #[test]
    fn utf_16_keeps_what_is_no_character_visible_and_a_mark_at_its_front_too() {
        for ccsid in [1200, 13488] {
            let text = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
            assert_eq!(put(Escape::Text, ccsid, &text("/日本/größe \u{1F512}")), "/日本/größe \u{1F512}");
            assert_eq!(put(Escape::Text, ccsid, &text("\u{FEFF}/ä")), r"\u{feff}/ä");
            assert_eq!(put(Escape::CefValue, ccsid, &text("ä=\n")), r"ä\=\\x0a");
            assert_eq!(put(Escape::LeefTab, ccsid, &text("ä|b")), "ä_b");
            assert_eq!(put(Escape::HeaderField, ccsid, &text("ä")), "_");
            assert_eq!(put(Escape::Text, ccsid, &[text("ä"), vec![0xDC, 0, 0]].concat()), r"ä\u{dc00}\x00");
            assert_eq!(put(Escape::Text, ccsid, &[text("ä"), vec![0xD8, 0]].concat()), r"ä\u{d800}");
            assert_eq!(put(Escape::Json, ccsid, &[text("ä"), vec![0xD8, 0, 0]].concat()), "ä\u{FFFD}\u{FFFD}");
        }
    }

    const ESCAPES: [Escape; 9] = [
        Escape::CefValue,
        Escape::CefHeader,
        Escape::LeefTab,
        Escape::LeefCaret,
        Escape::StructuredData,
        Escape::Json,
        Escape::HeaderField,
        Escape::Host,
        Escape::Text,
    ];

    /// Bytes of characters, halves of characters and whatever comes.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let text = ".{0,8}".prop_map(|t| t.encode_utf16().flat_map(u16::to_be_bytes).collect());
        let half = (0xD8u8..0xE0, any::<u8>()).prop_map(|(a, b)| vec![a, b]);
        let piece = prop_oneof![4 => text, 1 => half, 1 => proptest::collection::vec(any::<u8>(), 0..4)];
        proptest::collection::vec(piece, 0..6).prop_map(|p| p.concat())
    }

    proptest! {
        #[test]
        fn utf_16_is_the_same_at_once_and_unit_by_unit(bytes in pieces()) {
            for escape in ESCAPES {
                for ccsid in [1200, 13488] {
                    let mut want = Vec::new();
                    slow(escape, Charset::of(Ccsid(ccsid)).unwrap(), &bytes, &mut want);
                    prop_assert_eq!(put(escape, ccsid, &bytes).into_bytes(), want);
                }
            }
        }
    }

    #[test]
    fn a_zero_byte_is_found_wherever_it_stands() {
        for at in 0..10 {
            let mut bytes = [0xFFu8, 1, 0x80, 0x7F, 2, 0x40, 0xC1, 1, 1, 0xFF];
            assert!(!has_zero(&bytes));
            bytes[at] = 0;
            assert!(has_zero(&bytes), "{at}");
        }
    }

    #[test]
    fn an_unsupported_ccsid_is_shown_as_bytes() {
        assert_eq!(put(Escape::Text, 9999, &[0xC1, 0x0A]), "X'c10a'");
    }
}
