//! Writing values whose type depends on another field: text, a number, a time, or bytes.
use super::{
    transcode::{Transcoder, meaningful},
    value::{Context, field, put_joined, raw, reaches},
};
use crate::{
    decode::journal::{
        Entry,
        heading::Span,
        reading,
        text::Text,
        value::{self, Value},
    },
    event::Event,
};

/// A value whose type depends on another field.
pub(super) fn put_read(
    index: usize,
    spans: &[Span],
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    out: &mut Vec<u8>,
) -> bool {
    let Some((layout, f)) = field(ev, index) else { return false };
    match value::field_value(layout, f, &ev.entry, cx.job).value() {
        Some(Value::Text(Text { charset: Some(_), .. })) if spans.iter().all(|s| is_text(&ev.entry, *s, cx)) => {
            put_joined(spans, &ev.entry, tr, out)
        }
        Some(Value::Text(t)) => {
            // Looked at as a whole: one part that is no text makes none of it, and two halves of a character make one.
            let first = spans.first().map_or(&[][..], |s| raw(&ev.entry, *s));
            let mut whole = first.to_vec();
            for (before, s) in spans.iter().zip(spans.iter().skip(1)) {
                if !reaches(&ev.entry, *before) {
                    break;
                }
                whole.extend_from_slice(raw(&ev.entry, *s));
            }
            // What is no text by its type is none, however it looks.
            if t.charset.is_none() && reading::is_text(first, cx.job) {
                tr.put(Text { bytes: meaningful(&whole), charset: None }, out);
                return true;
            }
            put_readable(meaningful(&whole), cx, tr, out)
        }
        Some(other) => {
            let said = other.said();
            out.extend_from_slice(said.as_deref().unwrap_or("").as_bytes());
            said.is_some()
        }
        None => false,
    }
}

pub(super) fn is_text(entry: &Entry<'_>, s: Span, cx: &Context<'_>) -> bool {
    reading::is_text(raw(entry, s), cx.job)
}

/// As text where it is some, else its bytes.
pub(super) fn put_readable(bytes: &[u8], cx: &Context<'_>, tr: &mut Transcoder, out: &mut Vec<u8>) -> bool {
    let charset = Some(cx.job).filter(|job| reading::is_text(bytes, job));
    if !bytes.is_empty() {
        tr.put(Text { bytes, charset }, out);
    }
    !bytes.is_empty()
}
