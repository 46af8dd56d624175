//! The parts of a line, each appended to it: values with what stands around them, marks, times.
use super::{
    Format,
    address::{self, AddressKind, is_port},
    field_op::{FieldOp, OpKind},
    syntax, template,
    times::put_rfc3339,
    transcode::Transcoder,
    value::{self, Context},
};
use crate::event::Event;

pub(super) fn put_mark(format: Format, key: &str, value: &str, out: &mut Vec<u8>) {
    out.extend(syntax::key_prefix(format, key, None));
    out.extend_from_slice(value.as_bytes());
    out.extend(syntax::value_suffix(format));
}

#[inline]
pub(super) fn put_op(
    op: &FieldOp,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    in_msg: &mut bool,
    out: &mut Vec<u8>,
) -> bool {
    let at = out.len();
    match &op.kind {
        OpKind::Msg(more) if *in_msg => more.put(out),
        _ => op.key_prefix.put(out),
    }
    let value_at = out.len();
    let wrote = match op.kind {
        OpKind::Rfc3339 => put_rfc3339(ev.time, out),
        OpKind::Template(n) => return put_template(op, n, ev, cx, tr, at, out),
        _ => value::put(&op.location, ev, cx, tr, out),
    };
    // Bytes can be no character at all: shifts of a mixed CCSID with nothing between them.
    if !wrote || out.len() == value_at {
        out.truncate(at);
        return false;
    }
    match &op.kind {
        OpKind::Address { v6, other } => {
            let key = match address::address_kind(out.get(value_at..).unwrap_or(&[])) {
                AddressKind::V4 => None,
                AddressKind::V6 => Some(v6),
                AddressKind::Other => Some(other),
            };
            if let Some(key) = key {
                out.splice(at..value_at, key.iter().copied());
            }
        }
        OpKind::Number if is_json_number(out.get(value_at..).unwrap_or(&[])) => {
            // Without the quotes that its key opened.
            out.remove(value_at - 1);
            return true;
        }
        OpKind::Port(other) if !is_port(out.get(value_at..).unwrap_or(&[])) => {
            out.splice(at..value_at, other.iter().copied());
        }
        OpKind::Msg(_) => {
            *in_msg = true;
            quote_if_needed(value_at, out);
        }
        _ => {}
    }
    // One byte or none: no call to copy it.
    if let [b] = op.value_suffix {
        out.push(*b);
    }
    true
}

/// A value of another product's line, behind its key: it may be empty, where the product writes keys without a value.
fn put_template(
    op: &FieldOp,
    n: usize,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    at: usize,
    out: &mut Vec<u8>,
) -> bool {
    let is_there = cx.texts.get(n).is_some_and(|texts| template::put_first(texts, ev, cx, tr, out));
    if is_there {
        out.extend_from_slice(op.value_suffix);
    } else {
        out.truncate(at);
    }
    is_there
}

/// A value of CEF's msg that holds the separator, or begins with a quote, is quoted, so that it cannot pass for another pair.
#[inline]
fn quote_if_needed(at: usize, out: &mut Vec<u8>) {
    let value = out.get(at..).unwrap_or(&[]);
    let hides = value.first() == Some(&b'"')
        || memchr::memchr_iter(b';', value).any(|i| value.get(i + 1).is_none_or(|b| *b == b' '));
    if hides {
        let quoted: Vec<u8> = value.iter().flat_map(|b| if *b == b'"' { vec![b'"', b'"'] } else { vec![*b] }).collect();
        out.truncate(at);
        out.push(b'"');
        out.extend_from_slice(&quoted);
        out.push(b'"');
    }
}

/// Whether a text is a number as JSON writes it, and small enough for readers that hold numbers as doubles.
fn is_json_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leads = digits.len() > 1 && digits.first() == Some(&b'0');
    (1..=15).contains(&digits.len()) && !leads && digits.iter().all(u8::is_ascii_digit)
}
