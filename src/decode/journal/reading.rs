//! Fields whose type depends on what another field holds: the old and new value of a system value.
//!
//! `[[reading]]` in a table names the fields, the field that decides, the names for which it holds, and how the bytes read
//! then. Where nothing is known of a name the bytes are text only if every one of them is a character; else they are
//! shown as bytes. No value is ever made of bytes of another type.
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    layout::{Confidence, Field, Layout},
    number,
    text::{self, Text},
    value::Value,
};
use crate::decode::ebcdic::{Charset, Unit, ebcdic};

/// How bytes read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadAs {
    /// Text of any characters; bytes where one of them is a control character or none at all.
    Text,
    /// Text of letters, digits and plain punctuation, which every EBCDIC code page has in the same place; else bytes.
    Plain,
    /// Text, or a 4-byte number in front of blanks.
    Number,
    /// An 8-byte number of microseconds.
    Microseconds,
    /// An 8-byte *DTS time: units of 1/4096 microsecond, X'8000000000000000' is the beginning of 2000, UTC.
    Dts,
}

/// One way to read a field.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Index of the field that decides.
    by: Option<usize>,
    /// What it holds then, in EBCDIC; empty for anything.
    names: Vec<Vec<u8>>,
    read_as: ReadAs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReading {
    fields: Vec<String>,
    by: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(rename = "as")]
    read_as: ReadAs,
    #[serde(default)]
    #[allow(dead_code)] // for readers of the table
    confidence: Confidence,
    #[serde(default)]
    #[allow(dead_code)]
    source: String,
}

/// Gives the fields of a table their readings.
pub(super) fn resolve(
    raw: Vec<RawReading>,
    name_at: &BTreeMap<String, usize>,
    fields: &mut [Field],
) -> Result<(), String> {
    for reading in raw {
        let find = |name: &String| {
            name_at.get(name).copied().ok_or_else(|| format!("a reading names {name}, which is not in the table"))
        };
        let by = reading.by.as_ref().map(find).transpose()?;
        if by.is_none() && !reading.names.is_empty() {
            return Err("a reading has names: say in `by` which field holds them".to_owned());
        }
        let encoded = |name: &String| ebcdic(name).ok_or_else(|| format!("a reading has the name {name:?}"));
        let names = reading.names.iter().map(encoded).collect::<Result<Vec<_>, _>>()?;
        for name in &reading.fields {
            if let Some(field) = fields.get_mut(find(name)?) {
                field.readings.push(Reading { by, names: names.clone(), read_as: reading.read_as });
            }
        }
    }
    Ok(())
}

/// The value of a field that has readings, of these bytes of it; `None` for nothing but blanks and NULs.
pub fn value<'a>(
    layout: &Layout,
    field: &Field,
    data: &[u8],
    bytes: &'a [u8],
    job: &'static Charset,
) -> Option<Value<'a>> {
    if text::is_blank(bytes) {
        return None;
    }
    let raw = || Value::Text(Text { bytes: text::trim_blanks(bytes), charset: None });
    let shown = |readable: bool| {
        if readable { Value::Text(Text { bytes: text::trim_blanks(bytes), charset: Some(job) }) } else { raw() }
    };
    Some(match read_as(layout, field, data) {
        ReadAs::Text => shown(is_text(bytes, job)),
        ReadAs::Plain => shown(text::trim_blanks(bytes).iter().all(|b| is_plain(*b))),
        ReadAs::Number if is_text(bytes, job) => shown(true),
        ReadAs::Number => alone::<4>(bytes).map_or_else(raw, |n| Value::Number(number::binary(n))),
        ReadAs::Microseconds => match alone::<8>(bytes) {
            Some(n) => Value::Microseconds(i64::from_be_bytes(*n)),
            None => raw(),
        },
        ReadAs::Dts => match alone::<8>(bytes) {
            Some(n) => Value::Dts((i64::from_be_bytes(*n) ^ i64::MIN) >> 12),
            None => raw(),
        },
    })
}

/// The reading that applies; a field without any is text.
fn read_as(layout: &Layout, field: &Field, data: &[u8]) -> ReadAs {
    let applies = |r: &&Reading| {
        r.names.is_empty() || {
            let by = r.by.and_then(|i| layout.fields.get(i));
            let held = by.and_then(|f| data.get(f.offset..f.offset + f.length)).map(text::trim_blanks);
            held.is_some_and(|held| r.names.iter().any(|n| n == held))
        }
    };
    field.readings.iter().find(applies).map_or(ReadAs::Text, |r| r.read_as)
}

/// The first bytes, where nothing but padding stands behind them.
fn alone<const N: usize>(bytes: &[u8]) -> Option<&[u8; N]> {
    bytes.split_first_chunk::<N>().filter(|(_, rest)| rest.is_empty() || text::is_blank(rest)).map(|(n, _)| n)
}

/// Whether every byte is part of a character that can be seen. Padding of NULs is no text either: text is blank-padded.
pub fn is_text(bytes: &[u8], job: &'static Charset) -> bool {
    let mut readable = true;
    job.decode(text::trim_blanks(bytes), &mut |unit| {
        readable &= matches!(unit, Unit::Char(c) if !c.is_control() && c != char::REPLACEMENT_CHARACTER);
    });
    readable
}

/// Letters, digits, blanks and `.(+*)-/,_:'=`, which stand in the same place in every EBCDIC code page but for the small
/// letters of the Japanese ones.
fn is_plain(b: u8) -> bool {
    matches!(b, 0x81..=0x89 | 0x91..=0x99 | 0xA2..=0xA9 | 0xC1..=0xC9 | 0xD1..=0xD9 | 0xE2..=0xE9 | 0xF0..=0xF9)
        || matches!(b, 0x40 | 0x4B | 0x4D | 0x4E | 0x5C | 0x5D | 0x60 | 0x61 | 0x6B | 0x6D | 0x7A | 0x7D | 0x7E)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ebcdic::Ccsid;

    fn read(code: &str, bytes: &[u8]) -> String {
        let table = "entry_type='QQ'\ntitle='t'\n\
             [[field]]\nname='name'\nj5=610\ntype='char'\nlength=4\n\
             [[field]]\nname='value'\nj5=614\ntype='char'\nlength=20\n\
             [[reading]]\nfields=['value']\nby='name'\nnames=['MICR']\nas='microseconds'\n\
             [[reading]]\nfields=['value']\nby='name'\nnames=['TIME']\nas='dts'\n\
             [[reading]]\nfields=['value']\nby='name'\nnames=['NUMB']\nas='number'\n\
             [[reading]]\nfields=['value']\nby='name'\nnames=['PLAI']\nas='plain'\n\
             [[reading]]\nfields=['value']\nas='text'\n";
        let layout = Layout::parse(table).unwrap();
        let mut data = ebcdic(code).unwrap();
        data.extend_from_slice(bytes);
        data.resize(24, 0x40);
        let job = Charset::of(Ccsid(37)).unwrap();
        match value(&layout, &layout.fields[1], &data, &data[4..], job) {
            Some(Value::Text(Text { bytes, charset: Some(job) })) => job.decode_string(bytes),
            Some(Value::Text(Text { bytes, .. })) => format!("{bytes:02X?}"),
            Some(other) => other.said().unwrap_or_else(|| "?".to_owned()),
            None => String::new(),
        }
    }

    #[test]
    fn f08_bytes_are_read_by_what_another_field_holds() {
        let text = ebcdic("YES").unwrap();
        assert_eq!(read("MICR", &90_000_000_u64.to_be_bytes()), "90000000 microseconds");
        assert_eq!(read("MICR", &(-5_i64).to_be_bytes()), "-5 microseconds");
        assert_eq!(read("TIME", &0xAEA4_DBF8_5800_0000_u64.to_be_bytes()), "2026-01-01 08:00:00 UTC");
        assert_eq!(read("NUMB", &[0, 0, 0, 200]), "200");
        assert_eq!(read("NUMB", &text), "YES");
        assert_eq!(read("PLAI", &text), "YES");
        assert_eq!(read("PLAI", &[0xC1, 0x4A]), "[C1, 4A]");
    }

    #[test]
    fn f08_what_is_no_text_and_of_no_known_type_is_shown_as_bytes() {
        assert_eq!(read("XXXX", &[0, 0, 0, 9]), "[00, 00, 00, 09]");
        assert_eq!(read("XXXX", &[0xC1, 0xFF]), "[C1, FF]");
        assert_eq!(read("XXXX", &[0xC1, 0x4A]), "A¢");
        assert_eq!(read("MICR", &[0xF1; 9]), format!("{:02X?}", [0xF1; 9]));
        assert_eq!(read("NUMB", &[0, 0, 0, 9, 1]), "[00, 00, 00, 09, 01]");
        assert_eq!(read("XXXX", &[]), "");
    }
}
