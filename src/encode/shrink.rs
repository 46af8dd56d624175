//! Bringing a line that is too long back under its limit, and saying in it what it lost.
use super::{
    Settings,
    escape::put_unit,
    event_constants::EventConstants,
    field_op::{FieldOp, OpKind},
    plan::Plan,
    put::{put_mark, put_op},
    transcode::Transcoder,
    value::{self, Context},
};
use crate::event::Event;

/// Room kept for the marks of a line that is cut.
const MARK: usize = 160;
/// A long text is cut rather than left out only when at least this many bytes of it remain.
const WORTH_CUTTING: usize = 64;

/// Where a line stands in the buffer.
pub(super) struct LineSpan {
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
    v: &EventConstants,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    span: LineSpan,
    out: &mut Vec<u8>,
) {
    let limit = s.max_size.saturating_sub(span.marks + MARK);
    out.truncate(span.body);
    let mut size = s.length(out.get(span.start..).unwrap_or(&[]));
    let mut gone: Vec<&FieldOp> = Vec::new();
    let mut in_msg = false;
    for op in plan.ops_for(ev) {
        let at = out.len();
        if !put_op(op, ev, cx, tr, &mut in_msg, out) {
            continue;
        }
        let first = at == span.body && s.is_bare_first();
        if first {
            out.remove(at);
            out.extend_from_slice(&v.values);
        }
        let more = s.length(out.get(at..).unwrap_or(&[]));
        if gone.is_empty() && (size + more <= limit || first) {
            size += more;
            continue;
        }
        out.truncate(at);
        if gone.is_empty() {
            put_beginning(s, op, ev, cx, tr, limit.saturating_sub(size), out);
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

/// The beginning of a long text, in at most `room` bytes of the line, cut between two characters; nothing if that is too little.
fn put_beginning(
    s: &Settings,
    op: &FieldOp,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &Transcoder,
    room: usize,
    out: &mut Vec<u8>,
) {
    let text = value::long_text(&op.location, ev, cx).filter(|_| matches!(op.kind, OpKind::Value));
    let Some((text, charset)) = text.and_then(|t| Some((t, t.charset?))) else { return };
    let start = out.len();
    op.key_prefix.put(out);
    let mut room = room.saturating_sub(s.length(out.get(start..).unwrap_or(&[])) + op.value_suffix.len());
    if room < WORTH_CUTTING {
        out.truncate(start);
        return;
    }
    let mut full = false;
    charset.decode(text.bytes, &mut |unit| {
        let at = out.len();
        if !full {
            put_unit(tr.escape(), unit, out);
            match room.checked_sub(s.length(out.get(at..).unwrap_or(&[]))) {
                Some(rest) => room = rest,
                None => {
                    out.truncate(at);
                    full = true;
                }
            }
        }
    });
    out.extend_from_slice(op.value_suffix);
}
