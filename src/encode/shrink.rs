//! Bringing a line that is too long back under its limit, and saying in it what it lost.
use super::{
    Format,
    escape::put_unit,
    line::{Settings, put_mark, put_op},
    plan::{Op, OpKind, Plan},
    transcode::Transcoder,
    value::{self, Context},
    variant::Variant,
};
use crate::event::Event;

/// Room kept for the marks of a line that is cut.
const MARK: usize = 160;
/// A long text is cut rather than left out only when at least this many bytes of it remain.
const WORTH_CUTTING: usize = 64;

/// Where a line stands in the buffer.
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) body: usize,
    /// Bytes that still follow the values.
    pub(super) marks: usize,
}

/// Brings a line back under its limit: whole values go from the end; the first that does not fit is cut between two
/// characters if it is a long text. The names of what was cut or left out are said in the line.
#[cold]
#[allow(clippy::too_many_arguments)] // the parts of one encoder, borrowed apart
pub(super) fn shrink(
    s: &Settings,
    plan: &Plan,
    v: &Variant,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    place: Place,
    out: &mut Vec<u8>,
) {
    let limit = (place.start + s.max_size).saturating_sub(place.marks + MARK);
    out.truncate(place.body);
    let mut gone: Vec<&Op> = Vec::new();
    let mut in_msg = false;
    for op in plan.ops_for(ev) {
        let at = out.len();
        if !put_op(op, ev, cx, tr, &mut in_msg, out) {
            continue;
        }
        let first = at == place.body && s.format == Format::Cef;
        if first {
            out.remove(at);
            out.extend_from_slice(&v.constants);
        }
        if gone.is_empty() && (out.len() <= limit || first) {
            continue;
        }
        out.truncate(at);
        if gone.is_empty() {
            put_beginning(op, ev, cx, tr, limit, out);
        }
        gone.push(op);
    }
    let mut names = String::new();
    for op in gone {
        if names.len() + op.name.len() > 120 {
            names.push_str(",...");
            break;
        }
        if !names.is_empty() {
            names.push(',');
        }
        names.push_str(&op.name);
    }
    put_mark(s.format, "truncated", &names, out);
}

/// The beginning of a long text, as much as stays under `limit`, cut between two characters; nothing if that is too little.
fn put_beginning(op: &Op, ev: &Event<'_>, cx: &Context<'_>, tr: &Transcoder, limit: usize, out: &mut Vec<u8>) {
    let room = limit.saturating_sub(out.len() + op.before.len() + op.after.len());
    let text = value::long_text(&op.source, ev, cx).filter(|_| matches!(op.kind, OpKind::Value));
    let Some((text, charset)) = text.and_then(|t| Some((t, t.charset?))) else { return };
    if room < WORTH_CUTTING {
        return;
    }
    op.before.put(out);
    let end = out.len() + room;
    let mut full = false;
    charset.decode(text.bytes, &mut |unit| {
        let at = out.len();
        if !full {
            put_unit(tr.escape(), unit, out);
            if out.len() > end {
                out.truncate(at);
                full = true;
            }
        }
    });
    out.extend_from_slice(op.after);
}
