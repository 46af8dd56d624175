//! Writing one value of an event: find its bytes, leave out what means nothing, transcode.
//!
//! What means nothing: blanks, NULs, `*N`, reserved areas, numbers without digits. A writer returns whether it wrote.
use std::net::{Ipv4Addr, Ipv6Addr};

use super::transcode::{Transcoder, put_hex};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Entry, FieldKind, Layout, heading::Span, layout::Field, number, text, text::Text, value},
    },
    event::{Event, Source, slot},
};

/// What a writer needs beside the event.
pub struct Context<'c> {
    /// The job's character set.
    pub job: &'static Charset,
    /// What stands in for fields that the heading does not hold.
    pub given: &'c Given,
    /// Meanings of numeric access types.
    pub access: &'c [(i64, String)],
}

/// What the user gave for headings that do not hold it. In the job's character set.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--system`.
    pub system: Vec<u8>,
    /// `--receiver`.
    pub receiver: Vec<u8>,
    /// `--receiver-library`.
    pub receiver_library: Vec<u8>,
}

/// The kind of a remote address: CEF has other keys for IPv6, and none for what is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressKind {
    /// Dotted decimal.
    V4,
    /// IPv6.
    V6,
    /// Anything else that stands there.
    Other,
}

const NONE: &[u8] = &[0x5C, 0xD5, 0xD6, 0xD5, 0xC5]; // *NONE
const N: &[u8] = &[0x5C, 0xD5]; // *N

/// A text that says that there is none: empty, NULs, or `*N` in EBCDIC, UTF-16 or UTF-8.
fn says_nothing(bytes: &[u8]) -> bool {
    matches!(bytes, N | b"\0*\0N" | b"*N") || bytes.iter().all(|b| *b == 0)
}

/// A text of the heading or entry data, padding off; empty when it means nothing.
#[inline]
pub fn meaningful(bytes: &[u8]) -> &[u8] {
    let bytes = text::trim_blanks(bytes);
    match bytes {
        N => &[],
        [0, ..] if bytes.iter().all(|b| *b == 0) => &[],
        _ => bytes,
    }
}

/// The bytes of a span of the entry data, as far as they are there; empty when they mean nothing.
#[inline]
pub fn plain<'a>(entry: &Entry<'a>, s: Span) -> &'a [u8] {
    match entry.data.get(s.at..s.at + s.len) {
        Some(b) => meaningful(b),
        None => entry.data.get(s.at..).map_or(&[], meaningful),
    }
}

/// The system's name as it stands in the entry or was given.
#[inline]
pub fn system<'a>(entry: &Entry<'a>, given: &'a Given) -> &'a [u8] {
    match entry.heading.system_name {
        Some(s) => meaningful(s.of(entry.record)),
        None => &given.system,
    }
}

/// Appends the value; `false`, with nothing appended, when there is none.
#[inline]
pub fn put(source: &Source, ev: &Event<'_>, cx: &Context<'_>, tr: &mut Transcoder, out: &mut Vec<u8>) -> bool {
    let entry = &ev.entry;
    match source {
        Source::Head(s) => put_text(meaningful(s.of(entry.record)), tr, out),
        Source::Plain(s) => put_text(plain(entry, *s), tr, out),
        Source::Sequence => put_number(entry.sequence, out),
        Source::EntryId => {
            if put(&Source::Receiver, ev, cx, tr, out) {
                out.push(b':');
            }
            put_number(entry.sequence, out)
        }
        Source::Receiver => put_text(given_or(entry, entry.heading.receiver_name, &cx.given.receiver), tr, out),
        Source::Job => {
            let h = entry.heading;
            let number = h.job_number.of(entry.record);
            let number = if is_digits(number) { number } else { &[] };
            put_job(number, h.job_user.of(entry.record), h.job_name.of(entry.record), tr, out)
        }
        Source::Program => {
            let name = meaningful(entry.heading.program_name.of(entry.record));
            if name.is_empty() || name == NONE {
                return false;
            }
            if put_text(meaningful(entry.head(entry.heading.program_library)), tr, out) {
                out.push(b'/');
            }
            put_text(name, tr, out)
        }
        Source::RemoteAddress(field) => {
            let head = meaningful(entry.head(entry.heading.remote_address));
            if !head.is_empty() {
                return put_text(head, tr, out);
            }
            field.is_some_and(|i| put_field(i, ev, cx, tr, out))
        }
        Source::RemotePort(field) => {
            match number::zoned(entry.head(entry.heading.remote_port)).and_then(|n| u64::try_from(n).ok()) {
                Some(n) if n > 0 => put_number(n, out),
                _ => field.is_some_and(|i| put_field(i, ev, cx, tr, out)),
            }
        }
        Source::Qualified { library, name } => {
            let name = plain(entry, *name);
            let library = library.map_or(&[][..], |l| plain(entry, l));
            if name.is_empty() {
                return put_text(library, tr, out);
            }
            if put_text(library, tr, out) {
                out.push(b'/');
            }
            put_text(name, tr, out)
        }
        Source::Meaning(i) => put_meaning(*i, ev, cx, tr, out),
        Source::Flags(flags) => {
            let mut wrote = false;
            for (at, value) in flags {
                if entry.data.get(*at) == Some(&0xE8) {
                    if wrote {
                        out.push(b' ');
                    }
                    out.extend_from_slice(value.as_bytes());
                    wrote = true;
                }
            }
            wrote
        }
        _ => put_rare(source, ev, cx, tr, out),
    }
}

/// The sources that few events have.
fn put_rare(source: &Source, ev: &Event<'_>, cx: &Context<'_>, tr: &mut Transcoder, out: &mut Vec<u8>) -> bool {
    let entry = &ev.entry;
    match source {
        Source::HeadNumber(s) => match number::zoned(s.of(entry.record)).and_then(|n| u64::try_from(n).ok()) {
            Some(n) if n > 0 => put_number(n, out),
            _ => false,
        },
        Source::ReceiverLibrary => {
            put_text(given_or(entry, entry.heading.receiver_library, &cx.given.receiver_library), tr, out)
        }
        Source::System => put_text(system(entry, cx.given), tr, out),
        Source::Time => match ev.time {
            Some(t) => put_number(u64::try_from(t.utc_micros.div_euclid(1000)).unwrap_or(0), out),
            None => false,
        },
        Source::OtherAddress(i) => {
            // Where the heading has no address this one already is the remote address; the same one says nothing new.
            let head = meaningful(entry.head(entry.heading.remote_address));
            let here = field(ev, *i).map_or(&[][..], |(_, f)| plain(entry, Span { at: f.offset, len: f.length }));
            !head.is_empty() && head != here && put_field(*i, ev, cx, tr, out)
        }
        Source::Text(i) | Source::Number(i) | Source::Hex(i) => put_field(*i, ev, cx, tr, out),
        Source::FileName { name, path } => put_file_name(*name, *path, ev, cx, tr, out),
        Source::JobOf { number, user, name } => {
            let digits = number.map_or(&[][..], |i| job_number_bytes(i, ev));
            let name = plain(entry, *name);
            let user = user.map_or(&[][..], |u| plain(entry, u));
            put_job(digits, user, name, tr, out)
        }
        Source::ActingUser(s) => {
            let user = plain(entry, *s);
            user != meaningful(entry.head(entry.heading.user_name)) && put_text(user, tr, out)
        }
        Source::Joined(spans) => put_joined(spans, entry, tr, out),
        Source::Continuation { before, text } => !reaches(entry, *before) && put_text(plain(entry, *text), tr, out),
        Source::Part(i) => put_part(*i, ev, cx, tr, out),
        Source::Detail => put_text(ev.detail_code(), tr, out),
        Source::RawData => {
            put_hex(entry.data, out);
            !entry.data.is_empty()
        }
        Source::RawText => put_text(meaningful(entry.data), tr, out),
        _ => false,
    }
}

/// The remote address' kind: of the text written last, in ASCII.
pub fn address_kind(text: &[u8]) -> AddressKind {
    let Ok(text) = std::str::from_utf8(text) else { return AddressKind::Other };
    if text.parse::<Ipv4Addr>().is_ok() {
        AddressKind::V4
    } else if text.parse::<Ipv6Addr>().is_ok() {
        AddressKind::V6
    } else {
        AddressKind::Other
    }
}

/// Decimal digits.
#[inline]
pub fn put_number(n: u64, out: &mut Vec<u8>) -> bool {
    let mut digits = [0u8; 20];
    let mut n = n;
    let mut at = digits.len();
    for d in digits.iter_mut().rev() {
        *d = b'0' + u8::try_from(n % 10).unwrap_or(0);
        at -= 1;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or(&[]));
    true
}

#[inline]
fn put_text(bytes: &[u8], tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    tr.put_job(bytes, out);
    !bytes.is_empty()
}

#[inline]
fn given_or<'a>(entry: &Entry<'a>, span: Option<Span>, given: &'a [u8]) -> &'a [u8] {
    match span {
        Some(s) => meaningful(s.of(entry.record)),
        None => given,
    }
}

/// NNNNNN/USER/NAME. The number keeps its six digits; what is blank stays empty between its slashes.
#[inline]
fn put_job(number: &[u8], user: &[u8], name: &[u8], tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let (user, name) = (meaningful(user), meaningful(name));
    let digits = is_digits(number);
    if number.is_empty() && user.is_empty() && name.is_empty() {
        return false;
    }
    if digits {
        out.extend(number.iter().map(|b| b & 0x0F | b'0'));
    } else {
        put_text(number, tr, out);
    }
    out.push(b'/');
    put_text(user, tr, out);
    out.push(b'/');
    put_text(name, tr, out);
    true
}

fn job_number_bytes<'a>(index: usize, ev: &Event<'a>) -> &'a [u8] {
    match field(ev, index) {
        // A zoned number without digits is absent; a number kept as text is shown as it stands.
        Some((_, f)) => {
            let bytes = plain(&ev.entry, Span { at: f.offset, len: f.length });
            if f.kind == FieldKind::Char || is_digits(bytes) { bytes } else { &[] }
        }
        None => &[],
    }
}

fn is_digits(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| (0xF0..=0xF9).contains(b))
}

fn field<'a>(ev: &Event<'a>, index: usize) -> Option<(&'a Layout, &'a Field)> {
    let layout = ev.kind.layout.as_deref()?;
    Some((layout, layout.fields.get(index)?))
}

fn put_field(index: usize, ev: &Event<'_>, cx: &Context<'_>, tr: &mut Transcoder, out: &mut Vec<u8>) -> bool {
    let Some((layout, f)) = field(ev, index) else { return false };
    match value::field_value(layout, f, &ev.entry, cx.job).value() {
        Some(value::Value::Text(t)) => {
            let blank = says_nothing(t.bytes);
            if !blank {
                tr.put(t, out);
            }
            !blank
        }
        Some(value::Value::Number(Some(n))) => {
            if n < 0 {
                out.push(b'-');
            }
            put_number(n.unsigned_abs(), out)
        }
        Some(value::Value::Hex(b)) if b.iter().any(|b| *b != 0 && *b != 0x40) => {
            put_hex(b, out);
            true
        }
        _ => false,
    }
}

fn put_meaning(index: usize, ev: &Event<'_>, cx: &Context<'_>, tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let Some((_, f)) = field(ev, index) else { return false };
    let Some(code) = text::integer(f, ev.entry.data) else { return false };
    match cx.access.iter().find(|(c, _)| *c == code) {
        Some((_, meaning)) => super::escape::put_str(tr.escape(), meaning, out),
        None => {
            put_number(code.unsigned_abs(), out);
        }
    }
    true
}

fn put_file_name(
    name: usize,
    path: Option<usize>,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    out: &mut Vec<u8>,
) -> bool {
    let text = |i: usize| {
        let (layout, f) = field(ev, i)?;
        text::text_of(layout, f, ev.entry.data, cx.job).value()
    };
    let Some(name) = text(name).filter(|n| !says_nothing(n.bytes)) else { return false };
    let repeats = path.and_then(text).is_some_and(|p| p.bytes.ends_with(name.bytes));
    if !repeats {
        tr.put(name, out);
    }
    !repeats
}

/// Whether a text goes on in the field behind it: it fills its last ten bytes, the width of a list's column, not with blanks only.
fn reaches(entry: &Entry<'_>, s: Span) -> bool {
    let tail = entry.data.get((s.at + s.len).saturating_sub(10)..s.at + s.len).unwrap_or(&[]);
    !text::is_blank(tail)
}

fn put_joined(spans: &[Span], entry: &Entry<'_>, tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let mut wrote = false;
    for (i, s) in spans.iter().enumerate() {
        let next = spans.get(i + 1).map(|n| plain(entry, *n));
        match (next, entry.data.get(s.at..s.at + s.len)) {
            (Some(next), Some(whole)) if !next.is_empty() && reaches(entry, *s) => {
                wrote |= put_text(whole, tr, out);
            }
            _ => return put_text(plain(entry, *s), tr, out) || wrote,
        }
    }
    wrote
}

fn put_part(index: usize, ev: &Event<'_>, cx: &Context<'_>, tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let Some(layout) = ev.kind.layout.as_deref() else { return false };
    let Some(part) = layout.parts.get(index) else { return false };
    let role = |r: &str| layout.role(r).and_then(|i| layout.fields.get(i));
    let object_type = role("object_type")
        .and_then(|f| text::text_of(layout, f, ev.entry.data, cx.job).value())
        .map(|t| cx.job.decode_string(t.bytes));
    let access = role("access_type").and_then(|f| text::integer(f, ev.entry.data));
    if !object_type.is_some_and(|t| slot::part_applies(part, &t, access)) {
        return false;
    }
    put_text(plain(&ev.entry, Span { at: part.offset, len: part.length }), tr, out)
}

/// The text behind a source that can be long, for cutting it between characters; `None` for the others.
pub fn long_text<'a>(source: &Source, ev: &Event<'a>, cx: &Context<'_>) -> Option<Text<'a>> {
    match source {
        Source::Plain(s) => Some(Text { bytes: plain(&ev.entry, *s), charset: Some(cx.job) }),
        Source::Joined(spans) => spans.first().map(|s| Text { bytes: plain(&ev.entry, *s), charset: Some(cx.job) }),
        Source::RawText => Some(Text { bytes: meaningful(ev.entry.data), charset: Some(cx.job) }),
        Source::Text(i) => {
            let (layout, f) = field(ev, *i)?;
            text::text_of(layout, f, ev.entry.data, cx.job).value()
        }
        _ => None,
    }
}
