//! The standard headings of *TYPE1 to *TYPE5, from `formats/journal/_headers.toml`.
//!
//! A heading is the fixed part before the entry data. Older ones hold less: *TYPE1 has no user profile and no
//! system, *TYPE1 to *TYPE4 no receiver, *TYPE1 and *TYPE2 a date in the job's format instead of a timestamp.
//! What a heading does not hold is `None` here, so nobody can read a field that is not there.
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    layout::{self, Columns, FieldKind},
    pattern::Pattern,
};

/// Which heading a capture has: the OUTFILFMT of DSPJRN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub enum HeadingKind {
    /// QJORDJE.
    Type1,
    /// QJORDJE2.
    Type2,
    /// QJORDJE3.
    Type3,
    /// QJORDJE4.
    Type4,
    /// QJORDJE5.
    Type5,
}

impl HeadingKind {
    /// All five, newest first: the order in which a capture is tried.
    pub const ALL: [HeadingKind; 5] =
        [HeadingKind::Type5, HeadingKind::Type4, HeadingKind::Type3, HeadingKind::Type2, HeadingKind::Type1];

    /// The key in `_headers.toml` and the value of `--input`.
    pub fn key(self) -> &'static str {
        match self {
            HeadingKind::Type1 => "type1",
            HeadingKind::Type2 => "type2",
            HeadingKind::Type3 => "type3",
            HeadingKind::Type4 => "type4",
            HeadingKind::Type5 => "type5",
        }
    }

    /// IBM's name.
    pub fn ibm_name(self) -> &'static str {
        match self {
            HeadingKind::Type1 => "*TYPE1",
            HeadingKind::Type2 => "*TYPE2",
            HeadingKind::Type3 => "*TYPE3",
            HeadingKind::Type4 => "*TYPE4",
            HeadingKind::Type5 => "*TYPE5",
        }
    }

    /// The one that has the same fields at the same places, as far as both have them: a byte of the heading says which it is.
    pub fn sibling(self) -> Option<HeadingKind> {
        match self {
            HeadingKind::Type1 => Some(HeadingKind::Type2),
            HeadingKind::Type2 => Some(HeadingKind::Type1),
            HeadingKind::Type3 => Some(HeadingKind::Type4),
            HeadingKind::Type4 => Some(HeadingKind::Type3),
            HeadingKind::Type5 => None,
        }
    }

    /// The outfile column of its model files.
    pub fn columns(self) -> Columns {
        match self {
            HeadingKind::Type1 | HeadingKind::Type2 => Columns::JE,
            HeadingKind::Type3 | HeadingKind::Type4 => Columns::J4,
            HeadingKind::Type5 => Columns::J5,
        }
    }
}

/// A place in a record: 0-based start and length in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// 0-based offset.
    pub at: usize,
    /// Length in bytes.
    pub len: usize,
}

impl Span {
    /// The bytes of `record` in this place; empty when the record ends before it.
    #[inline]
    pub fn of(self, record: &[u8]) -> &[u8] {
        record.get(self.at..self.at + self.len).unwrap_or(&[])
    }
}

/// One field of a heading, for `decode`.
#[derive(Clone, Debug)]
pub struct HeadingField {
    /// Name in JSON.
    pub name: String,
    /// IBM's label.
    pub label: String,
    /// Where it stands.
    pub span: Span,
    /// How to read it.
    pub kind: FieldKind,
    /// Reserved areas have no value.
    pub reserved: bool,
    /// What codes mean.
    pub values: BTreeMap<String, String>,
}

/// The least byte at each place of a timestamp, and how many more there are.
pub const TIMESTAMP: [(u8, u8); 26] = {
    let mut places = [(0xF0, 9); 26];
    let mut i = 0;
    while i < 26 {
        match i {
            4 | 7 | 10 => places[i] = (0x60, 0),
            13 | 16 | 19 => places[i] = (0x4B, 0),
            _ => {}
        }
        i += 1;
    }
    places
};

/// A heading and where its fields stand.
#[derive(Clone, Debug)]
pub struct Heading {
    /// Which one.
    pub kind: HeadingKind,
    /// Bytes before the entry data.
    pub length: usize,
    /// All fields in order, for `decode`.
    pub fields: Vec<HeadingField>,
    /// Length of the whole entry, zoned(5).
    pub entry_length: Span,
    /// Length of the entry data present, binary(2), *TYPE3 on.
    pub entry_data_length: Option<Span>,
    /// Sequence number, zoned or digits as text.
    pub sequence_number: Span,
    /// Journal code.
    pub journal_code: Span,
    /// Entry type.
    pub entry_type: Span,
    /// SAA timestamp, *TYPE3 on.
    pub timestamp: Option<Span>,
    /// Date in the job's format, *TYPE1 and *TYPE2.
    pub date: Option<Span>,
    /// hhmmss, *TYPE1 and *TYPE2.
    pub time: Option<Span>,
    /// Job name.
    pub job_name: Span,
    /// User part of the job name.
    pub job_user: Span,
    /// Job number, zoned(6).
    pub job_number: Span,
    /// Program.
    pub program_name: Span,
    /// Program library, *TYPE5.
    pub program_library: Option<Span>,
    /// Effective user, *TYPE2 on.
    pub user_name: Option<Span>,
    /// System, *TYPE2 on.
    pub system_name: Option<Span>,
    /// Receiver, *TYPE5.
    pub receiver_name: Option<Span>,
    /// Receiver library, *TYPE5.
    pub receiver_library: Option<Span>,
    /// Thread as hexadecimal text, *TYPE5.
    pub thread: Option<Span>,
    /// Remote port, zoned(5), *TYPE5.
    pub remote_port: Option<Span>,
    /// Remote address as text, *TYPE5.
    pub remote_address: Option<Span>,
    /// '1' when the entry data is not all there.
    pub incomplete_data: Option<Span>,
    /// What nearly every heading is like: lengths, numbers and times are digits with their punctuation between. Others may be right too.
    pub usual: Pattern,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeadings {
    #[serde(default)]
    #[allow(dead_code)] // for readers of the table
    sources: Vec<String>,
    #[serde(default)]
    #[allow(dead_code)]
    notes: String,
    type1: RawHeading,
    type2: RawHeading,
    type3: RawHeading,
    type4: RawHeading,
    type5: RawHeading,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeading {
    #[allow(dead_code)] // for readers of the table
    format: String,
    #[allow(dead_code)]
    file: String,
    esd_offset: usize,
    #[serde(default)]
    #[allow(dead_code)]
    confidence: String,
    field: Vec<RawField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    #[serde(default)]
    label: String,
    offset: usize,
    #[serde(rename = "type")]
    kind: FieldKind,
    length: usize,
    #[serde(default)]
    reserved: bool,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

/// Reads `_headers.toml`: five headings, in the order of [`HeadingKind::ALL`].
pub fn parse(text: &str) -> Result<Vec<Heading>, String> {
    let RawHeadings { type1, type2, type3, type4, type5, .. } = layout::read(text)?;
    let raw = [type5, type4, type3, type2, type1];
    HeadingKind::ALL.into_iter().zip(raw).map(|(kind, raw)| compile(kind, raw)).collect()
}

fn compile(kind: HeadingKind, raw: RawHeading) -> Result<Heading, String> {
    let length = raw.esd_offset.saturating_sub(1);
    let mut fields = Vec::with_capacity(raw.field.len());
    for f in raw.field {
        let end = f.offset.saturating_sub(1) + f.length;
        if f.offset == 0 || f.length == 0 || end > length {
            return Err(format!(
                "heading [{}]: field {} at {} with length {} is not inside the {length} bytes before the entry data",
                kind.key(),
                f.name,
                f.offset,
                f.length
            ));
        }
        fields.push(HeadingField {
            span: Span { at: f.offset - 1, len: f.length },
            name: f.name,
            label: f.label,
            kind: f.kind,
            reserved: f.reserved,
            values: f.values,
        });
    }
    let place = |name: &str| fields.iter().find(|f| f.name == name).map(|f| f.span);
    let needed =
        |name: &str| place(name).ok_or_else(|| format!("heading [{}]: the field {name} is missing", kind.key()));
    let mut usual = Pattern::default();
    for span in ["entry_length", "sequence_number", "entry_date", "entry_time"].into_iter().filter_map(place) {
        usual.digits(span.at, span.len);
    }
    if let Some(span) = place("entry_timestamp") {
        usual.ranges(span.at, &TIMESTAMP);
    }
    Ok(Heading {
        usual,
        kind,
        length,
        entry_length: needed("entry_length")?,
        entry_data_length: place("entry_data_length"),
        sequence_number: needed("sequence_number")?,
        journal_code: needed("journal_code")?,
        entry_type: needed("journal_entry_type")?,
        timestamp: place("entry_timestamp"),
        date: place("entry_date"),
        time: place("entry_time"),
        job_name: needed("job_name")?,
        job_user: needed("job_user")?,
        job_number: needed("job_number")?,
        program_name: needed("program_name")?,
        program_library: place("program_library"),
        user_name: place("user_name"),
        system_name: place("system_name"),
        receiver_name: place("receiver_name"),
        receiver_library: place("receiver_library"),
        thread: place("thread"),
        remote_port: place("remote_port"),
        remote_address: place("remote_address"),
        incomplete_data: place("incomplete_data"),
        fields,
    })
}
