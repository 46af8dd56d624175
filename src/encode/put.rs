//! The parts of a line, each appended to it: values with what stands around them, marks, times.
use super::{
    Format,
    address::{self, AddressKind},
    plan::{FieldOp, OpKind},
    syntax,
    transcode::Transcoder,
    value::{self, Context},
};
use crate::event::{EntryTime, Event};

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

fn is_port(text: &[u8]) -> bool {
    let number = text
        .iter()
        .try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u32::from(b & 15))));
    !text.is_empty() && number.is_some_and(|n| n <= 65_535)
}

pub(super) fn put_rfc3339(time: Option<EntryTime>, out: &mut Vec<u8>) -> bool {
    let Some(t) = time else { return false };
    out.extend_from_slice(&t.local);
    put_offset(t.offset, out);
    true
}

#[inline]
fn put_offset(offset: i32, out: &mut Vec<u8>) {
    if offset == 0 {
        return out.push(b'Z');
    }
    let minutes = offset.unsigned_abs() / 60;
    let two = |n: u32| [b'0' + u8::try_from(n / 10 % 10).unwrap_or(0), b'0' + u8::try_from(n % 10).unwrap_or(0)];
    out.push(if offset < 0 { b'-' } else { b'+' });
    out.extend_from_slice(&two(minutes / 60));
    out.push(b':');
    out.extend_from_slice(&two(minutes % 60));
}

/// `Mmm dd hh:mm:ss` and a blank, the day padded with a blank (RFC 3164, section 4.1.2). RFC 3164 has no sign for an unknown
/// time, and a made-up one would date the event: without one the host follows at once, and receivers take the time of arrival.
pub(super) fn put_bsd_time(time: Option<EntryTime>, out: &mut Vec<u8>) {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let Some(EntryTime { local, .. }) = time else { return };
    let [_, _, _, _, _, m1, m2, _, d1, d2, _, rest @ ..] = local;
    let month = usize::from(m1.wrapping_sub(b'0')) * 10 + usize::from(m2.wrapping_sub(b'0'));
    out.extend_from_slice(MONTHS.get(month.wrapping_sub(1)).map_or(b"Jan", |m| *m));
    out.push(b' ');
    out.push(if d1 == b'0' { b' ' } else { d1 });
    out.push(d2);
    out.push(b' ');
    out.extend(rest.iter().take(8));
    out.push(b' ');
}
