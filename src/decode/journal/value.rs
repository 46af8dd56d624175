//! The values of an entry as `decode` shows them: text right-trimmed, numbers as integers, opaque bytes, codes as codes.
use chrono::DateTime;

use super::{
    entry::Entry,
    heading::HeadingField,
    layout::{Field, FieldKind, Layout, Part},
    number, reading,
    text::{self, Presence, Text},
};
use crate::decode::ebcdic::Charset;

/// The value of one field.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Text, padding off.
    Text(Text<'a>),
    /// A whole number; `None` where the bytes are blank or no digits.
    Number(Option<i64>),
    /// Opaque bytes.
    Hex(&'a [u8]),
    /// A span of time in microseconds.
    Microseconds(i64),
    /// A moment: microseconds since the beginning of 2000, UTC.
    Dts(i64),
}

impl Value<'_> {
    /// In words, what is no text, number or bytes.
    pub fn said(&self) -> Option<String> {
        match self {
            Value::Number(Some(n)) => Some(n.to_string()),
            Value::Microseconds(n) => Some(format!("{n} microseconds")),
            Value::Dts(n) => {
                let moment = DateTime::from_timestamp_micros(n.checked_add(YEAR_2000)?)?;
                let fraction = if moment.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
                Some(moment.format(&format!("%Y-%m-%d %H:%M:%S{fraction} UTC")).to_string())
            }
            _ => None,
        }
    }
}

/// Its beginning in microseconds since 1970.
const YEAR_2000: i64 = 946_684_800_000_000;

/// The value of a heading field.
pub fn heading_value<'a>(field: &HeadingField, record: &'a [u8], job: &'static Charset) -> Value<'a> {
    let bytes = field.span.of(record);
    match field.kind {
        FieldKind::Zoned => Value::Number(number::zoned(bytes)),
        FieldKind::Packed => Value::Number(number::packed(bytes)),
        FieldKind::Bin => Value::Number(number::binary(bytes)),
        FieldKind::Hex => Value::Hex(bytes),
        FieldKind::Char | FieldKind::Unicode => {
            Value::Text(Text { bytes: text::trim_blanks(bytes), charset: Some(job) })
        }
        FieldKind::Rest => Value::Hex(bytes),
        FieldKind::Varchar | FieldKind::Varpath => {
            let text = bytes.split_first_chunk::<2>().and_then(|(head, rest)| {
                let n = usize::from(u16::from_be_bytes(*head)).min(rest.len());
                rest.get(..n)
            });
            Value::Text(Text { bytes: text.unwrap_or(&[]), charset: Some(job) })
        }
    }
}

/// The value of a field of the entry data, as far as the data goes.
///
/// An area that the outfile of this heading reserves, and that is blank, holds no field: the same layout serves
/// every heading, and a newer release fills what an older one left blank.
pub fn field_value<'a>(
    layout: &Layout,
    field: &Field,
    entry: &Entry<'a>,
    job: &'static Charset,
) -> Presence<Value<'a>> {
    let data = entry.data;
    let Some(room) = data.get(field.offset..).filter(|r| !r.is_empty()) else {
        return Presence::Absent;
    };
    if field.reserved {
        return Presence::Absent;
    }
    if field.kind == FieldKind::Rest {
        return match rest_of(layout, field, data) {
            Some(rest) => Presence::Whole(Value::Hex(rest)),
            None => Presence::Absent,
        };
    }
    let whole = room.get(..field.length);
    if !field.readings.is_empty() {
        match whole {
            Some(bytes) if !text::is_blank(bytes) => {
                return reading::value(layout, field, data, bytes, job).map_or(Presence::Absent, Presence::Whole);
            }
            None if !reading::is_text(text::trim_cut(room, job), job) => {
                return reading::value(layout, field, data, room, job).map_or(Presence::Absent, Presence::Cut);
            }
            _ => {}
        }
    }
    if !field.columns.has(entry.heading.kind.columns()) && text::is_blank(whole.unwrap_or(room)) {
        return Presence::Absent;
    }
    match (field.kind, whole) {
        (FieldKind::Zoned, Some(b)) => Presence::Whole(Value::Number(number::zoned(b))),
        (FieldKind::Packed, Some(b)) => Presence::Whole(Value::Number(number::packed(b))),
        (FieldKind::Bin, Some(b)) => Presence::Whole(Value::Number(number::binary(b))),
        (FieldKind::Hex, Some(b)) => Presence::Whole(Value::Hex(b)),
        (FieldKind::Zoned | FieldKind::Packed | FieldKind::Bin | FieldKind::Hex, None) => Presence::Absent,
        _ => match text::text_of(layout, field, data, job) {
            Presence::Absent => Presence::Absent,
            Presence::Cut(t) => Presence::Cut(Value::Text(t)),
            Presence::Whole(t) => Presence::Whole(Value::Text(t)),
        },
    }
}

/// What stands behind the varchar that a field continues.
fn rest_of<'a>(layout: &Layout, field: &Field, data: &'a [u8]) -> Option<&'a [u8]> {
    let text = layout.fields.get(field.continues?)?;
    let (length, behind) = data.get(text.offset..)?.split_first_chunk()?;
    behind.get(usize::from(u16::from_be_bytes(*length))..)
}

/// The parts of this entry's fields that its object type and access type give a meaning; blank ones left out.
pub fn parts<'a, 'l>(layout: &'l Layout, entry: &Entry<'a>, job: &'static Charset) -> Vec<(&'l Part, Text<'a>)> {
    if layout.parts.is_empty() {
        return Vec::new();
    }
    let object_type = layout
        .role("object_type")
        .and_then(|i| layout.fields.get(i))
        .and_then(|f| text::text_of(layout, f, entry.data, job).value())
        .map(|t| job.decode_string(t.bytes));
    let access_type =
        layout.role("access_type").and_then(|i| layout.fields.get(i)).and_then(|f| text::integer(f, entry.data));
    let applies = |p: &&Part| {
        object_type.as_ref().is_some_and(|t| p.object_types.contains(t))
            && (p.access_types.is_empty() || access_type.is_some_and(|a| p.access_types.contains(&a)))
    };
    layout
        .parts
        .iter()
        .filter(applies)
        .filter_map(|p| {
            let bytes = text::trim_blanks(entry.data.get(p.offset..p.offset + p.length)?);
            (!text::is_blank(bytes)).then_some((p, Text { bytes, charset: Some(job) }))
        })
        .collect()
}
