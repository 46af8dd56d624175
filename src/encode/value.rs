//! Writing one value of an event: find its bytes, leave out what means nothing, transcode.
//!
//! What means nothing: blanks, NULs, `*N`, reserved areas, numbers without digits. A writer returns whether it wrote.
use super::transcode::{NOTHING, Transcoder, meaningful};
use super::{HeadingDefaults, pieces::Piece, read};
use crate::digest::put_hex;
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Entry, FieldKind, Layout, heading::Span, layout::Field, number, text, text::Text, value},
    },
    event::{EntryTime, Event, ValueLocation, slot::PartLocation},
};

/// What a writer needs beside the event.
pub struct Context<'c> {
    /// The job's character set.
    pub job: &'static Charset,
    /// What stands in for fields that the heading does not hold.
    pub given: &'c HeadingDefaults,
    /// Meanings of numeric access types by code, escaped; empty where there is none.
    pub access: &'c [Vec<u8>],
    /// The texts of another product's lines, by their numbers; none in ours.
    pub texts: &'c [Vec<Vec<Piece>>],
}

/// `*NONE` in a program name: no program applies, or it is not known.
const NONE: &[u8; 6] = &[0x5C, 0xD5, 0xD6, 0xD5, 0xC5, 0x40];

/// A text that says that there is none: empty, NULs, or `*N` in EBCDIC, UTF-16 or UTF-8.
fn says_nothing(bytes: &[u8]) -> bool {
    matches!(bytes, NOTHING | b"\0*\0N" | b"*N") || bytes.iter().all(|b| *b == 0)
}

/// The bytes of a span of the entry data, as far as they are there.
#[inline]
pub(super) fn raw<'a>(entry: &Entry<'a>, s: Span) -> &'a [u8] {
    match entry.data.get(s.at..s.at + s.len) {
        Some(b) => b,
        None => entry.data.get(s.at..).unwrap_or(&[]),
    }
}

/// The bytes of a span without padding; empty when they mean nothing.
#[inline]
pub fn plain<'a>(entry: &Entry<'a>, s: Span) -> &'a [u8] {
    meaningful(raw(entry, s))
}

/// The system's name as it stands in the entry or was given.
#[inline]
pub fn system<'a>(entry: &Entry<'a>, given: &'a HeadingDefaults) -> &'a [u8] {
    match entry.heading.system_name.map(|s| s.of(entry.record)) {
        // Blank in what came from a history log file.
        Some(own) if given.system.is_empty() || !text::is_blank(own) => own,
        _ => &given.system,
    }
}

/// Appends the value; `false`, with nothing appended, when there is none.
#[inline]
pub fn put(location: &ValueLocation, ev: &Event<'_>, cx: &Context<'_>, tr: &mut Transcoder, out: &mut Vec<u8>) -> bool {
    let entry = &ev.entry;
    match location {
        ValueLocation::Head(s) => tr.put_field(s.of(entry.record), out),
        ValueLocation::Plain(s) => match entry.data.get(s.at..s.at + s.len) {
            Some(bytes) => tr.put_field(bytes, out),
            None => tr.put_field(text::trim_cut(raw(entry, *s), cx.job), out),
        },
        ValueLocation::Sequence => put_number(entry.sequence, out),
        ValueLocation::EntryId => {
            if put(&ValueLocation::Receiver, ev, cx, tr, out) {
                out.push(b':');
            }
            put_number(entry.sequence, out)
        }
        ValueLocation::Receiver => tr.put_field(given_or(entry, entry.heading.receiver_name, &cx.given.receiver), out),
        ValueLocation::Job => {
            let h = entry.heading;
            let number = h.job_number.of(entry.record);
            let number = if is_digits(number) { number } else { &[] };
            put_job(number, h.job_user.of(entry.record), h.job_name.of(entry.record), tr, out)
        }
        ValueLocation::Program => {
            let name = entry.heading.program_name.of(entry.record);
            if name.first_chunk() == Some(NONE) {
                return false;
            }
            put_qualified(entry.head(entry.heading.program_library), name, tr, out)
        }
        ValueLocation::RemoteAddress(field) => {
            tr.put_field(entry.head(entry.heading.remote_address), out)
                || field.is_some_and(|i| put_field(i, ev, cx, tr, out))
        }
        ValueLocation::RemotePort(field) => {
            match number::zoned(entry.head(entry.heading.remote_port)).and_then(|n| u64::try_from(n).ok()) {
                Some(n) if n > 0 => put_number(n, out),
                _ => field.is_some_and(|i| put_field(i, ev, cx, tr, out)),
            }
        }
        ValueLocation::Qualified { library, name } => {
            put_qualified(library.map_or(&[][..], |l| raw(entry, l)), raw(entry, *name), tr, out)
        }
        ValueLocation::Meaning(i) => put_meaning(*i, ev, cx, out),
        ValueLocation::Flags(flags) => {
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
        _ => put_rare(location, ev, cx, tr, out),
    }
}

/// The locations that few events have.
fn put_rare(
    location: &ValueLocation,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    out: &mut Vec<u8>,
) -> bool {
    let entry = &ev.entry;
    match location {
        ValueLocation::HeadNumber(s) => match number::zoned(s.of(entry.record)).and_then(|n| u64::try_from(n).ok()) {
            Some(n) if n > 0 => put_number(n, out),
            _ => false,
        },
        ValueLocation::ReceiverLibrary => {
            tr.put_field(given_or(entry, entry.heading.receiver_library, &cx.given.receiver_library), out)
        }
        ValueLocation::System => tr.put_field(system(entry, cx.given), out),
        ValueLocation::Time => match ev.time {
            // A time before 1970 is none that these keys can hold: the header has it.
            Some(EntryTime { utc_micros, .. }) => {
                u64::try_from(utc_micros.div_euclid(1000)).is_ok_and(|n| put_number(n, out))
            }
            None => false,
        },
        ValueLocation::OtherAddress(i) => {
            // Where the heading has no address this one already is the remote address; the same one says nothing new.
            let head = meaningful(entry.head(entry.heading.remote_address));
            let here = field(ev, *i).map_or(&[][..], |(_, f)| plain(entry, Span { at: f.offset, len: f.length }));
            !head.is_empty() && head != here && put_field(*i, ev, cx, tr, out)
        }
        ValueLocation::Text(i) | ValueLocation::Number(i) | ValueLocation::Hex(i) => put_field(*i, ev, cx, tr, out),
        ValueLocation::FileName { name, path } => put_file_name(*name, *path, ev, cx, tr, out),
        ValueLocation::JobOf { number, user, name, unless_own } => {
            let digits = number.map_or(&[][..], |i| job_number_bytes(i, ev));
            let name = plain(entry, *name);
            let user = user.map_or(&[][..], |u| plain(entry, u));
            let h = entry.heading;
            let own = [h.job_number, h.job_user, h.job_name].map(|s| text::trim_blanks(s.of(entry.record)));
            !(*unless_own && own == [digits, user, name]) && put_job(digits, user, name, tr, out)
        }
        ValueLocation::ActingUser(s) => {
            let user = plain(entry, *s);
            user != meaningful(entry.head(entry.heading.user_name)) && put_text(user, tr, out)
        }
        ValueLocation::Joined(spans) => put_joined(spans, entry, tr, out),
        ValueLocation::Read { field, spans } => read::put_read(*field, spans, ev, cx, tr, out),
        ValueLocation::Continuation { before, text } => {
            !reaches(entry, *before) && read::put_readable(plain(entry, *text), cx, tr, out)
        }
        ValueLocation::Part(part) => put_part(part, ev, tr, out),
        ValueLocation::RawData => {
            put_hex(entry.data, out);
            !entry.data.is_empty()
        }
        ValueLocation::RawText => tr.put_field(entry.data, out),
        _ => false,
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
        Some(s) => s.of(entry.record),
        None => given,
    }
}

/// LIBRARY/NAME, or the one that there is.
#[inline]
fn put_qualified(library: &[u8], name: &[u8], tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if !tr.put_field(library, out) {
        return tr.put_field(name, out);
    }
    out.push(b'/');
    if !tr.put_field(name, out) {
        out.pop();
    }
    out.len() > start
}

/// NNNNNN/USER/NAME. The number keeps its six digits; what is blank stays empty between its slashes.
#[inline]
fn put_job(number: &[u8], user: &[u8], name: &[u8], tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    tr.put_field(number, out);
    out.push(b'/');
    tr.put_field(user, out);
    out.push(b'/');
    tr.put_field(name, out);
    if out.len() == start + 2 {
        out.truncate(start);
    }
    out.len() > start
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

pub(super) fn field<'a>(ev: &Event<'a>, index: usize) -> Option<(&'a Layout, &'a Field)> {
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
        Some(made @ (value::Value::Microseconds(_) | value::Value::Dts(_))) => {
            let said = made.said();
            out.extend_from_slice(said.as_deref().unwrap_or("").as_bytes());
            said.is_some()
        }
        Some(value::Value::Hex(b)) if b.iter().any(|b| *b != 0 && *b != 0x40) => {
            put_hex(b, out);
            true
        }
        _ => false,
    }
}

fn put_meaning(index: usize, ev: &Event<'_>, cx: &Context<'_>, out: &mut Vec<u8>) -> bool {
    let Some((_, f)) = field(ev, index) else { return false };
    let Some(code) = text::integer(f, ev.entry.data) else { return false };
    match usize::try_from(code).ok().and_then(|c| cx.access.get(c)).filter(|m| !m.is_empty()) {
        Some(meaning) => out.extend_from_slice(meaning),
        None => {
            if code < 0 {
                out.push(b'-');
            }
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
pub(super) fn reaches(entry: &Entry<'_>, s: Span) -> bool {
    let tail = entry.data.get((s.at + s.len).saturating_sub(10)..s.at + s.len).unwrap_or(&[]);
    !text::is_blank(tail)
}

pub(super) fn put_joined(spans: &[Span], entry: &Entry<'_>, tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let mut wrote = false;
    for (i, s) in spans.iter().enumerate() {
        let next = spans.get(i + 1).map(|n| plain(entry, *n));
        match (next, entry.data.get(s.at..s.at + s.len)) {
            (Some(next), Some(whole)) if !next.is_empty() && reaches(entry, *s) => {
                wrote |= put_text(whole, tr, out);
            }
            _ => return tr.put_field(raw(entry, *s), out) || wrote,
        }
    }
    wrote
}

fn put_part(part: &PartLocation, ev: &Event<'_>, tr: &Transcoder, out: &mut Vec<u8>) -> bool {
    let object_type = raw(&ev.entry, part.object_type);
    if !part.object_types.iter().any(|t| t == object_type) {
        return false;
    }
    let access = || text::integer(field(ev, part.access_type?)?.1, ev.entry.data);
    let applies = part.access_types.is_empty() || access().is_some_and(|a| part.access_types.contains(&a));
    applies && tr.put_field(raw(&ev.entry, part.span), out)
}

/// The text of a location that can be long, for cutting it between characters; `None` for the others.
pub fn long_text<'a>(location: &ValueLocation, ev: &Event<'a>, cx: &Context<'_>) -> Option<Text<'a>> {
    match location {
        ValueLocation::Plain(s) => Some(Text { bytes: plain(&ev.entry, *s), charset: Some(cx.job) }),
        ValueLocation::Read { spans, .. } if spans.iter().any(|s| !read::is_text(&ev.entry, *s, cx)) => None,
        ValueLocation::Joined(spans) | ValueLocation::Read { spans, .. } => {
            spans.first().map(|s| Text { bytes: plain(&ev.entry, *s), charset: Some(cx.job) })
        }
        ValueLocation::RawText => Some(Text { bytes: meaningful(ev.entry.data), charset: Some(cx.job) }),
        ValueLocation::Text(i) => {
            let (layout, f) = field(ev, *i)?;
            text::text_of(layout, f, ev.entry.data, cx.job).value()
        }
        _ => None,
    }
}
