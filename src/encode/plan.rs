//! The plan of a line: for one event type and one format, the bytes between the values, made once.
//!
//! A line is: header, body start (constant for type and detail), constants of the detail, values, marks, end.
//! Everything that does not depend on the entry is in [`EventConstants`] or a [`FieldOp`] and is copied, not formatted.
use super::{
    Format, Profile, Settings, dialect_plan,
    event_constants::{EventConstants, event_constants},
    field_op::{Constant, FieldOp, OpKind},
    keys::OF_THE_LINE,
    profile::ProfileRow,
    syntax::{camel, key_prefix, other_key, value_suffix},
};
use crate::decode::{history::CATEGORY, journal::heading::Span};
use crate::event::{Detail, Event, EventType, Slot, SlotDetail, ValueLocation};

/// The plan of one event type.
pub struct Plan {
    /// Values in order.
    pub ops: Vec<FieldOp>,
    /// The last ones of them, for entries whose object type gives parts of a field a meaning.
    pub parts: Vec<FieldOp>,
    /// Where the object type stands, and which have parts.
    part_types: Option<(Span, Vec<Vec<u8>>)>,
    /// Those of the known details.
    constants: Vec<EventConstants>,
    /// Their index by the byte of a one-byte detail code, 255 for none.
    by_byte: [u8; 256],
    /// Longer codes.
    by_code: Vec<(Vec<u8>, u8)>,
}

impl Plan {
    /// For an event type.
    pub fn new(kind: &EventType, settings: &Settings, profile: &Profile) -> Plan {
        let all = match settings.form() {
            Some((_, form)) => dialect_plan::ops(kind, form, settings.format),
            None => ops(kind, settings, profile),
        };
        let (parts, ops): (Vec<FieldOp>, Vec<FieldOp>) =
            all.into_iter().partition(|op| matches!(op.location, ValueLocation::Part(_)));
        let mut plan = Plan {
            part_types: part_types(&parts),
            ops,
            parts,
            constants: Vec::new(),
            by_byte: [255; 256],
            by_code: Vec::new(),
        };
        for (code, detail) in kind.details() {
            let Ok(at) = u8::try_from(plan.constants.len()) else { break };
            if at == 255 {
                break;
            }
            plan.constants.push(if kind.is_history() {
                message_constants(kind, detail, settings, profile)
            } else {
                constants(kind, (&kind.code, &kind.code), &kind.title, detail, settings, profile)
            });
            match code.as_slice() {
                [b] => plan.by_byte[usize::from(*b)] = at,
                code => plan.by_code.push((code.to_vec(), at)),
            }
        }
        plan
    }

    /// The values that an entry can have: without the parts, unless its object type has some.
    #[inline]
    pub fn ops_for(&self, ev: &Event<'_>) -> impl Iterator<Item = &FieldOp> {
        let parts: &[FieldOp] = match &self.part_types {
            Some((at, types)) if types.iter().any(|t| t == at.of(ev.entry.data)) => &self.parts,
            _ => &[],
        };
        self.ops.iter().chain(parts)
    }

    /// The constants of a detail code in EBCDIC, blanks off; `None` for a code that no table knows.
    #[inline]
    pub fn constants_of(&self, code: &[u8]) -> Option<&EventConstants> {
        let at = match code {
            [b] => self.by_byte[usize::from(*b)],
            code => self.by_code.iter().find(|(c, _)| c == code).map_or(255, |(_, at)| *at),
        };
        self.constants.get(usize::from(at))
    }
}

/// The constants of a history log message: its id is the event id.
pub(super) fn message_constants(kind: &EventType, detail: &Detail, s: &Settings, p: &Profile) -> EventConstants {
    // What is no id has none.
    let id = if detail.code.trim().is_empty() { CATEGORY } else { "" };
    constants(kind, (CATEGORY, id), detail.title.as_deref().unwrap_or(&kind.title), detail, s, p)
}

/// The constants of an event, in our lines or those of another product; see [`event_constants()`].
pub(super) fn constants(
    kind: &EventType,
    (category, id): (&str, &str),
    title: &str,
    detail: &Detail,
    s: &Settings,
    p: &Profile,
) -> EventConstants {
    match s.form() {
        Some(form) => dialect_plan::constants(kind, (category, id), title, detail, form, s, p),
        None => event_constants(category, id, title, detail, s, p),
    }
}

fn part_types(parts: &[FieldOp]) -> Option<(Span, Vec<Vec<u8>>)> {
    let mut at = None;
    let mut types = Vec::new();
    for op in parts {
        if let ValueLocation::Part(p) = &op.location {
            at = Some(p.object_type);
            types.extend(p.object_types.iter().cloned());
        }
    }
    types.sort();
    types.dedup();
    at.map(|at| (at, types))
}

fn ops(kind: &EventType, s: &Settings, profile: &Profile) -> Vec<FieldOp> {
    let mut ops = Vec::new();
    let mut msg = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    let named = |r: &&ProfileRow| s.carries(r) && kind.slots.iter().any(|slot| slot.named && slot.name == r.name);
    let mut taken: Vec<String> =
        profile.values.iter().filter(named).filter_map(|r| r.key(s.format)).map(str::to_owned).collect();
    taken.extend(OF_THE_LINE.map(str::to_owned));
    // The text of a message is all of CEF's msg; what else would stand there goes where old values of an audit entry do.
    let pairs = if kind.slots.iter().any(|slot| slot.named && slot.name == "text") {
        " cs5Label=details cs5="
    } else {
        " msg="
    };
    let wanted = |slot: &&Slot| s.full || slot.detail == SlotDetail::Compact;
    for row in profile.values.iter().filter(|r| s.carries(r)) {
        if row.name == "*" {
            for slot in kind.slots.iter().filter(wanted).filter(|slot| !slot.named) {
                match (s.format, &row.cef) {
                    (Format::Cef, Some(_)) => msg.push(msg_op(slot, None, pairs)),
                    (Format::Cef, None) => {}
                    _ => {
                        let mut key = other_key(s.format, &slot.name);
                        // A layout may use a name that the profile or the line itself gives to something else.
                        if taken.contains(&key) {
                            key = other_key(s.format, &format!("field_{}", slot.name));
                        }
                        taken.push(key.clone());
                        ops.push(op(s.format, &key, None, slot));
                    }
                }
            }
            continue;
        }
        let Some(key) = row.key(s.format) else { continue };
        // JSON takes its keys from the names, so a name that two rows place differently comes once.
        if s.format == Format::Json && done.contains(&row.name.as_str()) {
            continue;
        }
        let Some(slot) = kind.slots.iter().find(|slot| slot.named && slot.name == row.name) else { continue };
        done.push(&row.name);
        if s.format == Format::Cef && key == "msg" && slot.name != "text" {
            msg.push(msg_op(slot, row.cef_label.as_deref(), pairs));
        } else {
            ops.push(op(s.format, key, row.cef_label.as_deref(), slot));
        }
    }
    ops.append(&mut msg);
    ops
}

fn op(format: Format, key: &str, label: Option<&str>, slot: &Slot) -> FieldOp {
    // SIEMs type these keys: what is no address or no port goes under another one. CEF has others for IPv6 too.
    let typed = matches!(format, Format::Cef | Format::Leef | Format::Leef2);
    let other = |key: &str| key_prefix(format, key, None);
    let v6 = |cef: &str| if format == Format::Cef { cef.as_bytes().to_vec() } else { key_prefix(format, key, None) };
    let name = if slot.named { slot.name.as_str() } else { "" };
    let kind = match name {
        "time" if format == Format::Json => OpKind::Rfc3339,
        // The sequence number of a journal can have twenty digits: it is text always, so that no reader rounds it.
        "sequence" => OpKind::Value,
        _ if format == Format::Json && is_number(slot) => OpKind::Number,
        "remote_address" if typed => OpKind::Address {
            v6: v6(" c6a2Label=Source IPv6 Address c6a2="),
            other: other(if format == Format::Cef { "shost" } else { "remoteAddress" }),
        },
        "local_address" if typed => OpKind::Address {
            v6: v6(" c6a3Label=Destination IPv6 Address c6a3="),
            other: other(if format == Format::Cef { "dhost" } else { "localAddress" }),
        },
        "remote_port" if typed => OpKind::Port(other("remotePort")),
        "local_port" if typed => OpKind::Port(other("localPort")),
        _ => OpKind::Value,
    };
    FieldOp {
        key_prefix: Constant::new(&key_prefix(format, key, label)),
        value_suffix: value_suffix(format),
        kind,
        location: slot.location.clone(),
        name: label.filter(|_| format == Format::Cef).unwrap_or(key).to_owned(),
    }
}

fn is_number(slot: &Slot) -> bool {
    matches!(slot.location, ValueLocation::Number(_) | ValueLocation::HeadNumber(_) | ValueLocation::RemotePort(_))
        || matches!(slot.name.as_str(), "local_port") && slot.named
}

fn msg_op(slot: &Slot, label: Option<&str>, pairs: &str) -> FieldOp {
    let label = match label {
        Some(label) => label.to_owned(),
        None => camel(&slot.name),
    };
    FieldOp {
        key_prefix: Constant::new(format!("{pairs}{label}: ").as_bytes()),
        value_suffix: b"",
        kind: OpKind::Msg(Constant::new(format!("; {label}: ").as_bytes())),
        location: slot.location.clone(),
        name: label,
    }
}
