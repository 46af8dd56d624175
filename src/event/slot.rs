//! The slots of an event: a name, and where the value stands in the entry.
//!
//! Names are the project's own and the same for every entry type: `effective_user`, `job_user`, `object`, `path`,
//! `command` and so on; a field that has no such name keeps the one of its layout.
use crate::decode::{
    ebcdic::Charset,
    journal::{
        Field, FieldKind, Heading, Layout,
        heading::Span,
        layout::{Confidence, Part},
    },
};

/// At which detail a slot is carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum SlotDetail {
    /// Always.
    Compact,
    /// Only with `--detail full`.
    Full,
}

/// Where the value of a slot stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueLocation {
    /// Text of the heading.
    Head(Span),
    /// A number of the heading, shown without leading zeros; 0 counts as absent.
    HeadNumber(Span),
    /// Sequence number.
    Sequence,
    /// RECEIVER:SEQUENCE.
    EntryId,
    /// The receiver of the heading or, where it has none, the one given as an option.
    Receiver,
    /// The library of the receiver, from the heading or the option.
    ReceiverLibrary,
    /// The system, from the heading or the option.
    System,
    /// Entry time.
    Time,
    /// NNNNNN/USER/NAME of the heading.
    Job,
    /// LIBRARY/PROGRAM of the heading; `*NONE` counts as absent.
    Program,
    /// The remote address: that of the heading or, where blank, of this field.
    RemoteAddress(Option<usize>),
    /// The address or port in this field, where the heading has an address of its own.
    OtherAddress(usize),
    /// The remote port: that of the heading or, where blank, of this field.
    RemotePort(Option<usize>),
    /// EBCDIC text in the job's CCSID: 0-based offset and length in the entry data.
    Plain(Span),
    /// Text of any kind, by field.
    Text(usize),
    /// A number, by field.
    Number(usize),
    /// Opaque bytes, by field; all zero counts as absent.
    Hex(usize),
    /// LIBRARY/NAME.
    Qualified {
        /// The library, if the type has one.
        library: Option<Span>,
        /// The name in the library.
        name: Span,
    },
    /// The last component of a path, left out where the path of the event ends with it.
    FileName {
        /// The name's field.
        name: usize,
        /// The path's field.
        path: Option<usize>,
    },
    /// NNNNNN/USER/NAME from fields.
    JobOf {
        /// The job number: digits as text or zoned.
        number: Option<usize>,
        /// The job user.
        user: Option<Span>,
        /// The job name.
        name: Span,
        /// Left out where it is the job of the heading.
        unless_own: bool,
    },
    /// A profile that is carried only where it differs from the effective user.
    ActingUser(Span),
    /// A group of Y/N flags as the values whose flag is Y: offset in the entry data and value.
    Flags(Vec<(usize, String)>),
    /// A text and the fields that continue it.
    Joined(Vec<Span>),
    /// A text and the fields that continue it, where its type depends on another field.
    Read {
        /// The first field.
        field: usize,
        /// All of them.
        spans: Vec<Span>,
    },
    /// A continuation on its own: carried where the text before it does not reach it.
    Continuation {
        /// The text that it continues.
        before: Span,
        /// The continuation.
        text: Span,
    },
    /// What a number means, by field; the number itself where no table says.
    Meaning(usize),
    /// A part of a field, for entries whose object type and access type give it a meaning.
    Part(Box<PartLocation>),
    /// All entry data in hexadecimal.
    RawData,
    /// All entry data as text in the job's CCSID.
    RawText,
}

/// Where a part of a field stands, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct PartLocation {
    /// The part.
    pub span: Span,
    /// The object type.
    pub object_type: Span,
    /// The object types for which it applies, blank-padded in the job's character set.
    pub object_types: Vec<Vec<u8>>,
    /// Index of the access type's field.
    pub access_type: Option<usize>,
    /// The access types for which it applies; empty for all.
    pub access_types: Vec<i64>,
}

/// One value of an event type.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// What the event model, or the layout, calls it.
    pub name: String,
    /// When it is carried.
    pub detail: SlotDetail,
    /// Whether the name is one of the event model (and so has a place of its own in the profiles).
    pub named: bool,
    /// Whether it is a flag group.
    pub group: bool,
    /// Where it stands.
    pub location: ValueLocation,
}

/// What decides about slots beside the layout.
pub struct SlotRules<'a> {
    /// The job's character set.
    pub job: &'static Charset,
    /// Carry fields whose layout is a guess.
    pub include_guesses: bool,
    /// Fields beside the roles that the compact detail carries.
    pub relevant: &'a [String],
    /// Patterns (`*` at the front) of names that even the full detail leaves out.
    pub omit: &'a [String],
}

/// The slots that the heading gives to every entry.
pub fn heading_slots(h: &Heading) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut add = |name: &str, location| slots.push(named(name, location));
    add("entry_id", ValueLocation::EntryId);
    add("time", ValueLocation::Time);
    add("system", ValueLocation::System);
    if let Some(s) = h.user_name {
        add("effective_user", ValueLocation::Head(s));
    }
    add("job_user", ValueLocation::Head(h.job_user));
    add("job", ValueLocation::Job);
    add("job_number", ValueLocation::HeadNumber(h.job_number));
    add("job_name", ValueLocation::Head(h.job_name));
    add("sequence", ValueLocation::Sequence);
    add("receiver", ValueLocation::Receiver);
    add("receiver_library", ValueLocation::ReceiverLibrary);
    if let Some(s) = h.thread {
        add("thread", ValueLocation::Head(s));
    }
    add("program", ValueLocation::Program);
    slots
}

/// The slots for entries that no table knows: their bytes, and the bytes read as text.
pub fn foreign_slots(h: &Heading) -> Vec<Slot> {
    let mut slots = heading_slots(h);
    slots.push(named("remote_address", ValueLocation::RemoteAddress(None)));
    slots.push(named("remote_port", ValueLocation::RemotePort(None)));
    slots.push(other("text", SlotDetail::Compact, ValueLocation::RawText));
    slots.push(other("data", SlotDetail::Compact, ValueLocation::RawData));
    slots
}

/// The slots of an entry type under a heading, in the order of the layout after those of the heading.
pub fn slots(layout: &Layout, heading: &Heading, rules: &SlotRules<'_>) -> Vec<Slot> {
    let mut slots = heading_slots(heading);
    let usable = |f: &Field| !f.reserved && (rules.include_guesses || f.confidence != Confidence::Guess);
    let role = |role: &str| layout.fields.iter().position(|f| f.role.as_deref() == Some(role) && usable(f));
    let field = |i: Option<usize>| i.and_then(|i| layout.fields.get(i));
    let span = |i: Option<usize>| field(i).map(span_of);
    let mut taken = vec![false; layout.fields.len()];
    let mut take = |indexes: &[Option<usize>]| {
        for i in indexes.iter().flatten() {
            if let Some(t) = taken.get_mut(*i) {
                *t = true;
            }
        }
    };

    let (address, port) = (role("remote_address"), role("remote_port"));
    slots.push(named("remote_address", ValueLocation::RemoteAddress(address)));
    slots.push(named("remote_port", ValueLocation::RemotePort(if address.is_some() { port } else { None })));

    for (name, library_role, name_role) in [
        ("object", "object_library", "object_name"),
        ("old_object", "old_object_library", "old_object_name"),
        ("dlo", "folder_path", "dlo_name"),
    ] {
        let (l, n) = (role(library_role), role(name_role));
        if let Some(n_span) = span(n) {
            slots.push(named(name, ValueLocation::Qualified { library: span(l), name: n_span }));
            take(&[l, n]);
        }
    }
    let path = role("object_path");
    for (name, role_name) in [
        ("object_type", "object_type"),
        ("target_user", "target_user"),
        ("path", "object_path"),
        ("old_path", "old_object_path"),
        ("command", "command"),
        ("device", "device"),
        ("local_address", "local_address"),
        ("local_port", "local_port"),
        ("object_attribute", "object_attribute"),
        ("text", "text"),
    ] {
        let i = role(role_name);
        if let (Some(index), Some(f)) = (i, field(i)) {
            slots.push(named(name, location_of(index, f)));
            take(&[i]);
        }
    }
    if let Some(name) = role("ifs_object_name") {
        slots.push(named("file_name", ValueLocation::FileName { name, path }));
        take(&[Some(name)]);
    }
    let acting = role("acting_user");
    if let Some(s) = span(acting) {
        slots.push(named("acting_user", ValueLocation::ActingUser(s)));
        take(&[acting]);
    }
    for (slot, prefix, unless_own) in
        [("target_job", "target_job", false), ("target_job", "named_job", true), ("source_job", "source_job", false)]
    {
        let part = |p: &str| role(&format!("{prefix}_{p}"));
        let (number, user, name) = (part("number"), part("user"), part("name"));
        if let Some(n) = span(name) {
            slots.push(named(slot, ValueLocation::JobOf { number, user: span(user), name: n, unless_own }));
            take(&[number, user, name]);
        }
    }
    for (name, role_name) in [("new_value", "new_value"), ("old_value", "old_value")] {
        let i = role(role_name);
        let (Some(index), Some(f)) = (i, field(i)) else { continue };
        let more: Vec<usize> = (0..layout.fields.len())
            .filter(|j| layout.fields.get(*j).is_some_and(|g| g.continues == Some(index) && usable(g)))
            .collect();
        take(&[i]);
        if f.kind != FieldKind::Char || more.is_empty() && f.readings.is_empty() {
            slots.push(named(name, location_of(index, f)));
            continue;
        }
        let mut spans = vec![span_of(f)];
        for j in more {
            let Some(g) = layout.fields.get(j) else { continue };
            let before = spans.last().copied().unwrap_or(span_of(f));
            slots.push(other(&g.name, SlotDetail::Compact, ValueLocation::Continuation { before, text: span_of(g) }));
            spans.push(span_of(g));
            take(&[Some(j)]);
        }
        let read = !f.readings.is_empty();
        slots.push(named(
            name,
            if read { ValueLocation::Read { field: index, spans } } else { ValueLocation::Joined(spans) },
        ));
    }
    if let Some(access) = role("access_type") {
        slots.push(named("action", ValueLocation::Meaning(access)));
        slots.push(other("access_type", SlotDetail::Full, ValueLocation::Number(access)));
        take(&[Some(access)]);
    }
    take(&[role("detail")]);

    for group in groups(layout) {
        let flags = layout
            .fields
            .iter()
            .filter(|f| usable(f))
            .filter_map(|f| f.flag.as_ref().filter(|(g, _)| *g == group).map(|(_, v)| (f.offset, v.clone())))
            .collect();
        slots.push(Slot {
            name: group,
            detail: SlotDetail::Compact,
            named: false,
            group: true,
            location: ValueLocation::Flags(flags),
        });
    }
    for (i, f) in layout.fields.iter().enumerate() {
        if taken.get(i).copied().unwrap_or(true) || !usable(f) || f.flag.is_some() {
            continue;
        }
        let indicator = f.role.as_deref().is_some_and(|r| r.ends_with("path_indicator"));
        let compact = (f.role.is_some() && !indicator) || rules.relevant.contains(&f.name);
        if !compact && rules.omit.iter().any(|p| matches(p, &f.name)) {
            continue;
        }
        let location = match f.role.as_deref() {
            Some("remote_address" | "remote_port") if f.kind == FieldKind::Char => ValueLocation::OtherAddress(i),
            _ => location_of(i, f),
        };
        let detail = if compact { SlotDetail::Compact } else { SlotDetail::Full };
        slots.push(other(&f.name, detail, location));
    }
    for p in &layout.parts {
        if rules.include_guesses || p.confidence != Confidence::Guess {
            slots.extend(part_slot(layout, p, rules.job));
        }
    }
    slots
}

fn named(name: &str, location: ValueLocation) -> Slot {
    Slot { name: name.to_owned(), detail: SlotDetail::Compact, named: true, group: false, location }
}

fn other(name: &str, detail: SlotDetail, location: ValueLocation) -> Slot {
    Slot { name: name.to_owned(), detail, named: false, group: false, location }
}

fn span_of(f: &Field) -> Span {
    Span { at: f.offset, len: f.length }
}

fn location_of(index: usize, f: &Field) -> ValueLocation {
    match f.kind {
        FieldKind::Char if f.ccsid_field.is_none() => ValueLocation::Plain(span_of(f)),
        FieldKind::Char | FieldKind::Unicode | FieldKind::Varchar | FieldKind::Varpath => ValueLocation::Text(index),
        FieldKind::Zoned | FieldKind::Packed | FieldKind::Bin => ValueLocation::Number(index),
        FieldKind::Hex | FieldKind::Rest => ValueLocation::Hex(index),
    }
}

fn groups(layout: &Layout) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (g, _) in layout.fields.iter().filter_map(|f| f.flag.as_ref()) {
        if !names.contains(g) {
            names.push(g.clone());
        }
    }
    names
}

/// `*tail` matches names that end so; anything else matches itself.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(tail) => name.ends_with(tail),
        None => pattern == name,
    }
}

fn part_slot(layout: &Layout, part: &Part, job: &'static Charset) -> Option<Slot> {
    let object_type = span_of(layout.fields.get(layout.role("object_type")?)?);
    let padded = |t: &String| {
        let mut bytes = job.encode(t)?;
        bytes.resize(object_type.len, 0x40);
        Some(bytes)
    };
    let location = PartLocation {
        span: Span { at: part.offset, len: part.length },
        object_type,
        object_types: part.object_types.iter().filter_map(padded).collect(),
        access_type: layout.role("access_type"),
        access_types: part.access_types.clone(),
    };
    Some(other(&part.name, SlotDetail::Compact, ValueLocation::Part(Box::new(location))))
}
