//! The lines of another product for one event type: its keys, and what is constant for a detail. What each line then costs is copying
//! and [`super::template`].
use super::{
    Format, Profile, Settings,
    dialect::{Dialect, Form, KeyRow, Part, TIMES, Template},
    escape::{Escape, put_str},
    event_constants::{self, DialectConstants, EventConstants, put_fields, scaled},
    field_op::{Constant, FieldOp, OpKind},
    pieces::{Piece, Through, TimeForm},
    syntax::{key_prefix, value_escape, value_suffix},
};
use crate::{
    decode::{
        history::{self, CATEGORY},
        journal::layout::Confidence,
    },
    event::{Detail, EventType, ValueLocation, layout_slots},
};

/// What the entries of a type are called in the tables of a profile.
fn type_of(kind: &EventType) -> &str {
    if kind.is_history() { CATEGORY } else { &kind.code }
}

/// The rows of an event type, those with one key together, in the order of the first of each.
fn keys<'a>(kind: &EventType, form: &'a Form) -> Vec<Vec<&'a KeyRow>> {
    let mut found: Vec<Vec<&KeyRow>> = Vec::new();
    for row in form.keys.iter().filter(|row| row.is_of(type_of(kind))) {
        match found.iter_mut().find(|rows| rows.first().is_some_and(|first| first.key == row.key)) {
            Some(rows) => rows.push(row),
            None => found.push(vec![row]),
        }
    }
    found
}

/// The values of a line in order. A value that is nothing but a value is one of the agent's own lines.
pub(super) fn ops(kind: &EventType, form: &Form, format: Format) -> Vec<FieldOp> {
    let op = |(n, rows): (usize, Vec<&KeyRow>)| {
        let row = rows.first()?;
        let mut label = Vec::new();
        row.label.iter().for_each(|text| put_str(Escape::CefValue, text, &mut label));
        let label = row.label.as_ref().map(|_| String::from_utf8_lossy(&label).into_owned());
        let plain = match (rows.as_slice(), row.value.0.as_slice()) {
            ([_], [Part::Value { name, through: None, .. }]) if !row.blank => resolve(kind, name),
            _ => None,
        };
        let (kind, location) = match plain {
            Some(location) => (OpKind::Value, location),
            None => (OpKind::Template(n), ValueLocation::Sequence),
        };
        Some(FieldOp {
            key_prefix: Constant::new(&key_prefix(format, &row.key, label.as_deref())),
            value_suffix: value_suffix(format),
            kind,
            location,
            name: row.key.clone(),
        })
    };
    keys(kind, form).into_iter().enumerate().filter_map(op).collect()
}

/// Where a value stands in the entries of a type: one of the event model, else a field of the layout. A guess is none.
fn resolve(kind: &EventType, name: &str) -> Option<ValueLocation> {
    let slots = kind.slots.iter();
    if let Some(slot) =
        slots.clone().find(|s| s.named && s.name == name).or_else(|| slots.clone().find(|s| s.name == name))
    {
        return Some(slot.location.clone());
    }
    let layout = kind.layout.as_deref()?;
    let usable = |f: &&crate::decode::journal::Field| !f.reserved && f.confidence != Confidence::Guess;
    let (index, field) = layout.fields.iter().enumerate().find(|(_, f)| f.name == name && usable(f))?;
    Some(layout_slots::location_of(index, field))
}

/// What an event is called, taken apart again: journal code, entry type and detail.
struct Named<'a> {
    code: &'a str,
    entry_type: &'a str,
    detail: &'a str,
}

impl<'a> Named<'a> {
    fn new(category: &'a str, id: &'a str, detail: &'a str) -> Named<'a> {
        match category {
            CATEGORY => Named { code: "", entry_type: CATEGORY, detail },
            // An audit entry that no table knows, or one that a table knows.
            "T" => Named { code: "T", entry_type: id, detail },
            known if known.len() == 2 => Named { code: "T", entry_type: known, detail },
            code => Named { code, entry_type: detail, detail: "" },
        }
    }
}

/// What the texts of one event are made of.
struct Maker<'a> {
    kind: &'a EventType,
    dialect: &'a Dialect,
    /// By the names in [`super::dialect::CONSTANTS`].
    constants: Vec<(&'static str, String)>,
    escape: Escape,
}

impl Maker<'_> {
    fn escaped(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put_str(self.escape, text, &mut out);
        out
    }

    fn words(&self, table: &str) -> Option<&[(String, String)]> {
        self.dialect.words.iter().find(|(name, _)| name == table).map(|(_, words)| words.as_slice())
    }

    /// A constant; `None` where it is none, or has no value.
    fn constant(&self, name: &str, through: Option<&str>) -> Option<Option<&str>> {
        let (_, value) = self.constants.iter().find(|(n, _)| *n == name)?;
        let value = match through.and_then(|table| self.words(table)) {
            Some(words) => words.iter().find(|(of, _)| of == value).map_or("", |(_, word)| word),
            None => value,
        };
        Some(Some(value).filter(|v| !v.is_empty()))
    }

    /// A template for this event; `None` where a value can never be there.
    fn pieces(&self, template: &Template) -> Option<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        for part in &template.0 {
            let (name, through, is_optional) = match part {
                Part::Text(text) => {
                    add(&mut pieces, &self.escaped(text));
                    continue;
                }
                Part::Value { name, through, is_optional } => (name.as_str(), through.as_deref(), *is_optional),
            };
            match self.constant(name, through) {
                Some(Some(text)) => add(&mut pieces, &self.escaped(text)),
                Some(None) if is_optional => {}
                Some(None) => return None,
                None => match self.value(name, through, is_optional) {
                    Some(piece) => pieces.push(piece),
                    None if is_optional => {}
                    None => return None,
                },
            }
        }
        Some(pieces)
    }

    fn value(&self, name: &str, through: Option<&str>, is_optional: bool) -> Option<Piece> {
        if name == "time" && through.is_some_and(|t| TIMES.contains(&t)) {
            let form = match through {
                Some("db2") => TimeForm::Db2,
                Some("rfc3339") => TimeForm::Rfc3339,
                _ => TimeForm::Digits,
            };
            return Some(Piece::Time(form, is_optional));
        }
        let through = through.map(|through| match through {
            "ip" => Through::Ip,
            "ipv4" => Through::Ipv4,
            "ipv6" => Through::Ipv6,
            "port" => Through::Port,
            "library" | "number" => Through::Before,
            "user" => Through::Between,
            "name" => Through::Behind,
            table => {
                let words = self.words(table).unwrap_or(&[]).iter();
                Through::Words(words.map(|(of, word)| (self.escaped(of), self.escaped(word))).collect())
            }
        });
        Some(Piece::Value { location: resolve(self.kind, name)?, through, is_optional })
    }

    /// A template of constants as text.
    fn text(&self, template: &Template) -> Option<String> {
        match self.pieces(template)?.as_slice() {
            [] => None,
            [Piece::Bytes(bytes)] => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

/// Adds text to what stands before.
fn add(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    match pieces.last_mut() {
        Some(Piece::Bytes(before)) => before.extend_from_slice(bytes),
        _ if bytes.is_empty() => {}
        _ => pieces.push(Piece::Bytes(bytes.to_vec())),
    }
}

/// The constants of an event; see [`event_constants::event_constants`].
pub(super) fn constants(
    kind: &EventType,
    (category, id): (&str, &str),
    title: &str,
    detail: &Detail,
    (dialect, form): (&Dialect, &Form),
    s: &Settings,
    p: &Profile,
) -> EventConstants {
    let own_id = event_constants::joined(category, id, &detail.code);
    let named = Named::new(category, id, &detail.code);
    let row = |of: &dyn Fn(&super::dialect::EventRow) -> bool| dialect.rows(&own_id, named.entry_type).find(|r| of(r));
    let title = row(&|r| r.title.is_some()).and_then(|r| r.title.as_deref()).unwrap_or(title);
    let meaning = row(&|r| r.meaning.is_some()).and_then(|r| r.meaning.as_deref()).or(detail.meaning.as_deref());
    let severity = detail.severity.min(10);
    let scale = if s.format == Format::Cef { severity } else { scaled(&p.severity.leef, severity) };
    let history = named.entry_type == CATEGORY;
    let constants = vec![
        ("code", named.code.to_owned()),
        ("type", named.entry_type.to_owned()),
        ("detail", named.detail.to_owned()),
        ("letter", letter(named.detail)),
        ("title", title.to_owned()),
        ("meaning", meaning.unwrap_or("").to_owned()),
        ("event_id", own_id.clone()),
        ("severity", scale.to_string()),
        ("log", if history { history::LOG } else { JOURNAL }.to_owned()),
        ("outcome", if detail.failure { "failure" } else { "" }.to_owned()),
    ];
    let maker = |escape| Maker { kind, dialect, constants: constants.clone(), escape };
    // Escaped where it is put.
    let plain = maker(Escape::Text);
    let event_id = row(&|r| r.event_id.is_some()).and_then(|r| r.event_id.as_ref()).unwrap_or(&form.event_id);
    let event_id = plain.text(event_id).unwrap_or_else(|| own_id.clone());
    let mut v = EventConstants { severity, ..EventConstants::default() };
    let syslog = row(&|r| r.syslog_severity.is_some()).and_then(|r| r.syslog_severity);
    event_constants::header(&mut v, &event_id, syslog, s, p);
    let said = row(&|r| r.severity.is_some()).and_then(|r| r.severity.clone());
    let said =
        said.unwrap_or_else(|| if form.severity_words { word(severity).to_owned() } else { severity.to_string() });
    let mut other = DialectConstants::default();
    let head = |text: &str| {
        let escape = if s.format == Format::Cef { Escape::CefHeader } else { value_escape(s.format) };
        let mut out = Vec::new();
        put_str(escape, text, &mut out);
        out
    };
    let mut start = |parts: &[&[u8]]| parts.iter().for_each(|part| v.start.extend_from_slice(part));
    let version = form.version.as_deref().unwrap_or(UNKNOWN);
    let by_bars = |first: &str| {
        let parts =
            [form.vendor.as_str(), &form.product, version, &event_id].map(|part| [head(part), b"|".to_vec()].concat());
        [first.as_bytes().to_vec(), parts.concat()].concat()
    };
    match s.format {
        Format::Cef => {
            start(&[&by_bars("CEF:0|")]);
            let name = row(&|r| r.name.is_some()).and_then(|r| r.name.as_ref()).unwrap_or(&form.name);
            other.name =
                maker(Escape::CefHeader).pieces(name).into_iter().chain([vec![Piece::Bytes(head(title))]]).collect();
            other.after_name = format!("|{said}|").into_bytes();
        }
        Format::Leef => start(&[&by_bars("LEEF:1.0|")]),
        Format::Leef2 => start(&[&by_bars("LEEF:2.0|"), b"^|"]),
        Format::Syslog | Format::Json => {
            let sd_id = plain.text(&form.sd_id).unwrap_or_else(|| s.sd_id.clone());
            // What is no sign of an SD-ID (RFC 5424, section 6.3.2) cannot end it.
            let legal = |c: char| if c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"') { c } else { '_' };
            start(&[b"[", sd_id.chars().map(legal).take(32).collect::<String>().as_bytes()]);
            v.end = b"]".to_vec();
        }
    }
    let values = maker(value_escape(s.format));
    other.values = keys(kind, form)
        .iter()
        .map(|rows| {
            let texts = rows.iter().filter_map(|row| values.pieces(&row.value));
            let blank = rows.iter().any(|row| row.blank).then(Vec::new);
            texts.chain(blank).collect()
        })
        .collect();
    put_fields(s, &mut v.values);
    v.other = Some(Box::new(other));
    v
}

/// The place of a letter in the alphabet, in four digits.
fn letter(detail: &str) -> String {
    match detail.as_bytes() {
        [b @ b'A'..=b'Z'] => format!("{:04}", b - b'A' + 1),
        _ => String::new(),
    }
}

/// CEF's word for a severity (CEF Implementation Standard, header field Severity).
fn word(severity: u8) -> &'static str {
    match severity {
        0..=3 => "Low",
        4..=6 => "Medium",
        7 | 8 => "High",
        _ => "Very-High",
    }
}

/// The log that entries of the audit journal are of.
const JOURNAL: &str = "QSYS-QAUDJRN";

/// The version where nobody says one.
const UNKNOWN: &str = "unknown";
