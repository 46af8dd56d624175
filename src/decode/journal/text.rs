//! Which bytes a text field holds, and in which character set: padding off, lengths applied, CCSID resolved.
//!
//! Shared by `decode` and by the encoders, so that both see the same text. Nothing is transcoded here.
use super::{
    layout::{Field, FieldKind, Layout},
    number,
};
use crate::decode::ebcdic::{Ccsid, Charset, CharsetKind};

/// The bytes of a text and how to read them.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// Without padding.
    pub bytes: &'a [u8],
    /// `None`: the field names a CCSID that is not supported; shown as X'..'.
    pub charset: Option<&'static Charset>,
}

/// How much of a field is there.
#[derive(Clone, Copy)]
pub enum Presence<T> {
    /// The entry data ends before it, or it is an area that the data leaves blank.
    Absent,
    /// The entry data ends within it.
    Cut(T),
    /// The entry data holds it to its end.
    Whole(T),
}

impl<T> Presence<T> {
    /// The value, whole or cut.
    pub fn value(self) -> Option<T> {
        match self {
            Presence::Absent => None,
            Presence::Cut(t) | Presence::Whole(t) => Some(t),
        }
    }
}

/// Without trailing EBCDIC blanks. Blanks are counted sixteen bytes at a time: a command field is 6,000 bytes wide
/// and nearly all of them are blank.
#[inline]
pub fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let Some((head, tail)) = bytes.split_last_chunk::<16>() {
        match blanks_at_end(tail) {
            16 => bytes = head,
            n => return bytes.get(..bytes.len() - n).unwrap_or(bytes),
        }
    }
    while let Some((0x40, head)) = bytes.split_last() {
        bytes = head;
    }
    bytes
}

/// How many of the last bytes are blanks, without a branch: names end at no foreseeable place.
#[inline]
pub fn blanks_at_end<const N: usize>(bytes: &[u8; N]) -> usize {
    let mut wide = [0x40; 16];
    let at = 16usize.saturating_sub(N);
    if let Some(to) = wide.get_mut(at..at + N) {
        to.copy_from_slice(bytes);
    }
    let differs = u128::from_be_bytes(wide) ^ u128::from_be_bytes([0x40; 16]);
    usize::try_from(differs.trailing_zeros() / 8).unwrap_or(0).min(N)
}

/// A text that the end of the record cuts, without trailing blanks and, in a mixed CCSID, without half a character.
pub fn trim_cut<'a>(bytes: &'a [u8], job: &'static Charset) -> &'a [u8] {
    if job.kind() != CharsetKind::Mixed {
        return trim_blanks(bytes);
    }
    let (mut at, mut end, mut double) = (0, 0, false);
    while let Some(&b) = bytes.get(at) {
        match b {
            0x0E if !double => (at, double) = (at + 1, true),
            0x0F if double => (at, double) = (at + 1, false),
            _ if double && at + 1 < bytes.len() => {
                at += 2;
                end = at;
            }
            _ if double => break,
            _ => {
                at += 1;
                if b != 0x40 {
                    end = at;
                }
            }
        }
    }
    bytes.get(..end).unwrap_or(bytes)
}

/// Whether an area holds nothing: blanks or NULs only.
#[inline]
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0x40) || bytes.iter().all(|b| *b == 0)
}

/// The text of a field of `char`, `unicode`, `varchar` or `varpath`; `job` is the job's character set.
pub fn text_of<'a>(layout: &Layout, field: &Field, data: &'a [u8], job: &'static Charset) -> Presence<Text<'a>> {
    let Some(room) = data.get(field.offset..).filter(|r| !r.is_empty()) else {
        return Presence::Absent;
    };
    let own = ccsid(layout, field, data, job);
    match field.kind {
        FieldKind::Char if matches!(own, Own::None) => match room.get(..field.length) {
            Some(bytes) => Presence::Whole(Text { bytes: trim_blanks(bytes), charset: Some(job) }),
            None => Presence::Cut(Text { bytes: trim_cut(room, job), charset: Some(job) }),
        },
        FieldKind::Char | FieldKind::Unicode => {
            let Some(bytes) = room.get(..field.length) else { return Presence::Absent };
            let charset = own.charset(field.kind, job);
            let bytes = match used(layout, field, data) {
                Some(n) => bytes.get(..n).unwrap_or(bytes),
                None => trim_padding(bytes, charset),
            };
            Presence::Whole(Text { bytes, charset })
        }
        FieldKind::Varchar | FieldKind::Varpath => {
            let Some((head, rest)) = room.split_first_chunk::<2>() else { return Presence::Absent };
            let stated = usize::from(u16::from_be_bytes(*head));
            // A length beyond the field is not a length: what the field can hold is what there is.
            let stated = stated.min(field.length.saturating_sub(2));
            match rest.get(..stated) {
                Some(bytes) => Presence::Whole(Text { bytes, charset: own.charset(field.kind, job) }),
                None => Presence::Absent,
            }
        }
        _ => Presence::Absent,
    }
}

enum Own {
    /// The field names no CCSID, or the entry does not hold it.
    None,
    Known(&'static Charset),
    Unknown,
}

impl Own {
    fn charset(&self, kind: FieldKind, job: &'static Charset) -> Option<&'static Charset> {
        match self {
            Own::Known(c) => Some(c),
            Own::Unknown => None,
            Own::None => match kind {
                FieldKind::Unicode | FieldKind::Varpath => Charset::of(Ccsid(1200)),
                _ => Some(job),
            },
        }
    }
}

/// The CCSID that a sibling field holds. 0 and 65535 mean the job's; what is no CCSID number counts as not given.
fn ccsid(layout: &Layout, field: &Field, data: &[u8], job: &'static Charset) -> Own {
    let Some(sibling) = field.ccsid_field.and_then(|i| layout.fields.get(i)) else {
        return Own::None;
    };
    let Some(n) = integer(sibling, data) else { return Own::None };
    match u16::try_from(n) {
        Ok(0 | 65535) => Own::Known(job),
        Ok(n) if n == job.ccsid().0 => Own::Known(job),
        Ok(n) => Charset::of(Ccsid(n)).map_or(Own::Unknown, Own::Known),
        Err(_) => Own::None,
    }
}

/// The bytes in use, where a sibling field holds them.
fn used(layout: &Layout, field: &Field, data: &[u8]) -> Option<usize> {
    let sibling = layout.fields.get(field.length_field?)?;
    let bytes = data.get(sibling.offset..sibling.offset + sibling.length)?;
    if bytes.iter().all(|b| *b == 0x40) {
        return None; // an older outfile reserves the length's place: blank
    }
    let n = usize::try_from(integer(sibling, data)?).ok()?;
    (n <= field.length).then_some(n)
}

/// The whole number in a field of any numeric type, or of digits as text.
#[inline]
pub fn integer(field: &Field, data: &[u8]) -> Option<i64> {
    let bytes = data.get(field.offset..field.offset + field.length)?;
    match field.kind {
        FieldKind::Bin => match bytes {
            [a, b] => Some(i64::from(i16::from_be_bytes([*a, *b]))),
            [a, b, c, d] => Some(i64::from(i32::from_be_bytes([*a, *b, *c, *d]))),
            _ => number::binary(bytes),
        },
        FieldKind::Zoned => number::zoned(bytes),
        FieldKind::Packed => number::packed(bytes),
        FieldKind::Char => number::digits(bytes).and_then(|n| i64::try_from(n).ok()),
        _ => None,
    }
}

/// Without the padding of its character set: NUL for UTF-16, NUL and blanks for the others.
fn trim_padding<'a>(bytes: &'a [u8], charset: Option<&'static Charset>) -> &'a [u8] {
    let mut bytes = bytes;
    match charset.map(Charset::kind) {
        Some(CharsetKind::Utf16Be) => {
            // An outfile blanks what the system left unused: X'4040' is no name.
            while let Some((head, [0, 0] | [0, 0x20] | [0x40, 0x40])) =
                bytes.split_last_chunk::<2>().map(|(h, t)| (h, *t))
            {
                bytes = head;
            }
            bytes
        }
        Some(CharsetKind::Utf8) => {
            while let Some((0 | 0x20, head)) = bytes.split_last() {
                bytes = head;
            }
            bytes
        }
        _ => {
            while let Some((0 | 0x40, head)) = bytes.split_last() {
                bytes = head;
            }
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_trimmed_at_every_length() {
        for n in 0..70 {
            for text in 0..=n {
                let mut bytes = vec![0xC1; text];
                bytes.resize(n, 0x40);
                assert_eq!(trim_blanks(&bytes).len(), text);
            }
        }
        assert_eq!(trim_blanks(&[0x40, 0xC1, 0x40, 0x40, 0xC1, 0x40]).len(), 5);
        assert_eq!(blanks_at_end(&[0xC1, 0x40, 0x40]), 2);
        assert_eq!(blanks_at_end(&[0x40; 10]), 10);
    }

    #[test]
    fn a_mixed_text_that_is_cut_keeps_whole_characters_only() {
        let mixed = Charset::of(Ccsid(939)).unwrap();
        assert_eq!(trim_cut(&[0xC1, 0x40, 0x0E, 0x45, 0x66, 0x45], mixed), &[0xC1, 0x40, 0x0E, 0x45, 0x66]);
        assert_eq!(trim_cut(&[0xC1, 0x40, 0x0E, 0x45], mixed), &[0xC1]);
        assert_eq!(trim_cut(&[0x0E, 0x45], mixed), &[] as &[u8]);
        assert_eq!(trim_cut(&[0x0E, 0x45, 0x66, 0x0F, 0x40, 0x40], mixed), &[0x0E, 0x45, 0x66]);
    }
}
