//! `decode --pretty`: one entry for a person: offset, field, raw bytes, value, meaning, and how well the layout is known.
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{
            Confidence, Entry, Layout,
            levels::Levels,
            text::Presence,
            value::{self, Value},
        },
    },
    encode::escape::printable,
};

/// Bytes of a field shown in hexadecimal before `...`.
const HEX: usize = 12;

/// Appends the entry.
pub fn put_entry(
    entry: &Entry<'_>,
    layout: Option<&Layout>,
    levels: &Levels,
    job: &'static Charset,
    offset: u64,
    out: &mut Vec<u8>,
) {
    let code = printable(&job.decode_string(&entry.entry_type()));
    let title = layout.map_or("no layout table", |l| l.title.as_str());
    let data = entry.data.len();
    let whole = if entry.complete() {
        format!("{data} bytes of entry data")
    } else {
        format!("{data} of {} bytes of entry data: the rest was cut off", entry.stated)
    };
    line(
        out,
        &format!(
            "{} {code} ({title})  sequence {}  {} at offset {offset}, {whole}",
            printable(&job.decode_string(&[entry.journal_code()])),
            entry.sequence,
            entry.heading.kind.ibm_name(),
        ),
    );
    line(out, "  offset length  field                                bytes                       value");
    for f in entry.heading.fields.iter().filter(|f| !f.reserved) {
        let v = value::heading_value(f, entry.record, job);
        let shown = show(v);
        let meaning = f.values.get(&shown).map(String::as_str);
        row(out, f.span.at + 1, f.span.len, &f.name, f.span.of(entry.record), &shown, meaning, "");
    }
    let base = entry.heading.length + 1;
    let Some(layout) = layout else {
        row(out, base, data, "entry data", entry.data, &printable(&job.decode_string(entry.data)), None, "");
        return;
    };
    for f in &layout.fields {
        let presence = value::field_value(layout, f, entry, job);
        let cut = if matches!(presence, Presence::Cut(_)) { " (cut)" } else { "" };
        let Some(v) = presence.value() else { continue };
        let shown = show(v);
        let mark = match f.confidence {
            Confidence::Seen => cut.to_owned(),
            Confidence::Expected => format!(" * expected{cut}"),
            Confidence::Guess => format!(" ? guess{cut}"),
        };
        let raw = entry.data.get(f.offset..).map_or(&[][..], |r| r.get(..f.length).unwrap_or(r));
        let meaning = match (f.role.as_deref(), v) {
            (Some("access_type"), Value::Number(Some(n))) => levels.access_type(n),
            _ => f.values.get(&shown).map(String::as_str),
        };
        row(out, base + f.offset, f.length, &f.name, raw, &shown, meaning, &mark);
    }
    for (p, text) in value::parts(layout, entry, job) {
        let mark = match p.confidence {
            Confidence::Seen => " (part)",
            Confidence::Expected => " * expected (part)",
            Confidence::Guess => " ? guess (part)",
        };
        row(out, base + p.offset, p.length, &p.name, text.bytes, &show(Value::Text(text)), None, mark);
    }
}

#[allow(clippy::too_many_arguments)] // the columns of one row
fn row(
    out: &mut Vec<u8>,
    at: usize,
    length: usize,
    name: &str,
    raw: &[u8],
    value: &str,
    meaning: Option<&str>,
    mark: &str,
) {
    let mut hex: String = raw.iter().take(HEX).map(|b| format!("{b:02X}")).collect();
    if raw.len() > HEX {
        hex.push_str("...");
    }
    let meaning = meaning.map_or(String::new(), |m| format!("  = {m}"));
    line(out, &format!("  {at:>6} {length:>6}  {name:<36} {hex:<27} {value}{meaning}{mark}"));
}

fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.trim_end().as_bytes());
    out.push(b'\n');
}

fn show(v: Value<'_>) -> String {
    match v {
        Value::Number(Some(n)) => n.to_string(),
        Value::Number(None) => "(no digits)".to_owned(),
        Value::Hex(bytes) => hex(bytes),
        Value::Microseconds(_) | Value::Dts(_) => v.said().unwrap_or_default(),
        Value::Text(t) => match t.charset {
            Some(c) => printable(&c.decode_string(t.bytes)),
            // No text, or text in a CCSID that is not supported.
            None => hex(t.bytes),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().take(32).map(|b| format!("{b:02x}")).collect();
    if bytes.len() > 32 { format!("x'{hex}...'") } else { format!("x'{hex}'") }
}
