//! One entry as JSON: every field under its layout name, as `decode` prints it.
//!
//! Text is right-trimmed, numbers are integers or null, opaque bytes lower-case hexadecimal, codes codes; reserved
//! areas are left out. Values are the values themselves, not their printable form.
use super::escape::{Escape, put_unit};
use crate::decode::{
    ebcdic::{Charset, Unit},
    journal::{
        Entry, Layout,
        text::{Presence, Text},
        value::{self, Value},
    },
};
use crate::digest::put_hex;

/// Appends the JSON object of an entry, without a line end. `layout` is `None` for entries that no table knows:
/// their entry data is given as `data`. `parts` adds the parts of fields that depend on the object type.
pub fn put_entry(entry: &Entry<'_>, layout: Option<&Layout>, job: &'static Charset, parts: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"header\":{");
    let mut first = true;
    for f in entry.heading.fields.iter().filter(|f| !f.reserved) {
        put_key(&f.name, &mut first, out);
        put_value(value::heading_value(f, entry.record, job), out);
    }
    let mut cut: Vec<&str> = Vec::new();
    match layout {
        None => {
            out.extend_from_slice(b"},\"data\":\"");
            put_hex(entry.data, out);
            out.push(b'"');
        }
        Some(layout) => {
            out.extend_from_slice(b"},\"fields\":{");
            let mut first = true;
            for f in &layout.fields {
                let presence = value::field_value(layout, f, entry, job);
                if matches!(presence, Presence::Cut(_)) {
                    cut.push(&f.name);
                }
                if let Some(v) = presence.value() {
                    put_key(&f.name, &mut first, out);
                    put_value(v, out);
                }
            }
            out.push(b'}');
            let found = if parts { value::parts(layout, entry, job) } else { Vec::new() };
            if !found.is_empty() {
                out.extend_from_slice(b",\"parts\":{");
                let mut first = true;
                for (part, text) in found {
                    put_key(&part.name, &mut first, out);
                    put_value(Value::Text(text), out);
                }
                out.push(b'}');
            }
        }
    }
    out.extend_from_slice(b",\"complete\":");
    out.extend_from_slice(if entry.complete() { b"true" } else { b"false" });
    out.extend_from_slice(b",\"cut\":[");
    for (i, name) in cut.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put_string(name, out);
    }
    out.extend_from_slice(b"]}");
}

fn put_key(name: &str, first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
    put_string(name, out);
    out.push(b':');
}

/// Appends a JSON string.
pub fn put_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    super::escape::put_str(Escape::Json, text, out);
    out.push(b'"');
}

fn put_value(v: Value<'_>, out: &mut Vec<u8>) {
    match v {
        Value::Number(Some(n)) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Number(None) => out.extend_from_slice(b"null"),
        Value::Microseconds(_) | Value::Dts(_) => put_string(&v.said().unwrap_or_default(), out),
        Value::Hex(bytes) => {
            out.push(b'"');
            put_hex(bytes, out);
            out.push(b'"');
        }
        Value::Text(t) => {
            out.push(b'"');
            put_text(t, out);
            out.push(b'"');
        }
    }
}

fn put_text(t: Text<'_>, out: &mut Vec<u8>) {
    match t.charset {
        Some(charset) => charset.decode(t.bytes, &mut |unit| put_unit(Escape::Json, unit, out)),
        None => {
            // An unsupported CCSID: the bytes, in IBM's notation.
            for c in "X'".chars() {
                put_unit(Escape::Json, Unit::Char(c), out);
            }
            put_hex(t.bytes, out);
            out.push(b'\'');
        }
    }
}
