//! The slots of an entry type: which fields of its layout become which values of an event.
//!
//! A field with a role gets the name of the event model, and several may make one value (a library and a name, the parts of a job). What is
//! left keeps the name of the layout.
use super::slot::{PartLocation, Slot, SlotDetail, SlotRules, ValueLocation, heading_slots, named, other};
use crate::decode::{
    ebcdic::Charset,
    journal::{
        Field, FieldKind, Heading, Layout,
        heading::Span,
        layout::{Confidence, Part},
    },
};

/// Values that are a library and a name: slot, role of the library, role of the name.
const QUALIFIED: [(&str, &str, &str); 3] = [
    ("object", "object_library", "object_name"),
    ("old_object", "old_object_library", "old_object_name"),
    ("dlo", "folder_path", "dlo_name"),
];

/// Values that are one field: slot and role.
const FIELDS: [(&str, &str); 10] = [
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
];

/// Values that are a job: slot, what the roles of its parts begin with, and whether it is left out where it is the job of the heading.
const JOBS: [(&str, &str, bool); 3] =
    [("target_job", "target_job", false), ("target_job", "named_job", true), ("source_job", "source_job", false)];

/// The slots of an entry type under a heading, in the order of the layout after those of the heading.
pub fn slots(layout: &Layout, heading: &Heading, rules: &SlotRules<'_>) -> Vec<Slot> {
    let taken = vec![false; layout.fields.len()];
    let mut made = LayoutSlots { layout, rules, taken, slots: heading_slots(heading) };
    made.remote();
    made.qualified();
    made.fields_with_roles();
    made.jobs();
    made.old_and_new_value("new_value");
    made.old_and_new_value("old_value");
    made.access_type();
    made.take(&[made.role("detail")]);
    made.flag_groups();
    made.other_fields();
    made.parts();
    made.slots
}

/// Slots as they are made of a layout.
struct LayoutSlots<'a> {
    layout: &'a Layout,
    rules: &'a SlotRules<'a>,
    /// By field: whether it is in a slot already.
    taken: Vec<bool>,
    slots: Vec<Slot>,
}

impl<'a> LayoutSlots<'a> {
    fn usable(&self, f: &Field) -> bool {
        !f.reserved && (self.rules.include_guesses || f.confidence != Confidence::Guess)
    }

    /// The field of a role.
    fn role(&self, role: &str) -> Option<usize> {
        self.layout.fields.iter().position(|f| f.role.as_deref() == Some(role) && self.usable(f))
    }

    fn field(&self, i: Option<usize>) -> Option<&'a Field> {
        self.layout.fields.get(i?)
    }

    fn span(&self, i: Option<usize>) -> Option<Span> {
        self.field(i).map(span_of)
    }

    /// Keeps fields from coming again under the names of the layout.
    fn take(&mut self, indexes: &[Option<usize>]) {
        for i in indexes.iter().flatten() {
            if let Some(t) = self.taken.get_mut(*i) {
                *t = true;
            }
        }
    }

    fn add(&mut self, name: &str, location: ValueLocation) {
        self.slots.push(named(name, location));
    }

    /// They are not taken: where the heading has an address of its own, the fields come too.
    fn remote(&mut self) {
        let (address, port) = (self.role("remote_address"), self.role("remote_port"));
        self.add("remote_address", ValueLocation::RemoteAddress(address));
        self.add("remote_port", ValueLocation::RemotePort(if address.is_some() { port } else { None }));
    }

    fn qualified(&mut self) {
        for (name, library_role, name_role) in QUALIFIED {
            let (l, n) = (self.role(library_role), self.role(name_role));
            if let Some(n_span) = self.span(n) {
                self.add(name, ValueLocation::Qualified { library: self.span(l), name: n_span });
                self.take(&[l, n]);
            }
        }
    }

    fn fields_with_roles(&mut self) {
        for (name, role) in FIELDS {
            let i = self.role(role);
            if let (Some(index), Some(f)) = (i, self.field(i)) {
                self.add(name, location_of(index, f));
                self.take(&[i]);
            }
        }
        if let Some(name) = self.role("ifs_object_name") {
            self.add("file_name", ValueLocation::FileName { name, path: self.role("object_path") });
            self.take(&[Some(name)]);
        }
        let acting = self.role("acting_user");
        if let Some(s) = self.span(acting) {
            self.add("acting_user", ValueLocation::ActingUser(s));
            self.take(&[acting]);
        }
    }

    fn jobs(&mut self) {
        for (slot, prefix, unless_own) in JOBS {
            let part = |p: &str| self.role(&format!("{prefix}_{p}"));
            let (number, user, name) = (part("number"), part("user"), part("name"));
            if let Some(n) = self.span(name) {
                self.add(slot, ValueLocation::JobOf { number, user: self.span(user), name: n, unless_own });
                self.take(&[number, user, name]);
            }
        }
    }

    /// A value before or after a change: a field, and those that continue it, each of which also stands on its own for entries in which
    /// the text before does not reach it.
    fn old_and_new_value(&mut self, name: &str) {
        let i = self.role(name);
        let (Some(index), Some(f)) = (i, self.field(i)) else { return };
        let fields = self.layout.fields.iter().enumerate();
        let more: Vec<(usize, &Field)> = fields.filter(|(_, g)| g.continues == Some(index) && self.usable(g)).collect();
        self.take(&[i]);
        if f.kind != FieldKind::Char || more.is_empty() && f.readings.is_empty() {
            return self.add(name, location_of(index, f));
        }
        let mut spans = vec![span_of(f)];
        for (j, g) in more {
            let before = spans.last().copied().unwrap_or(span_of(f));
            let location = ValueLocation::Continuation { before, text: span_of(g) };
            self.slots.push(other(&g.name, SlotDetail::Compact, location));
            spans.push(span_of(g));
            self.take(&[Some(j)]);
        }
        let read = !f.readings.is_empty();
        self.add(name, if read { ValueLocation::Read { field: index, spans } } else { ValueLocation::Joined(spans) });
    }

    fn access_type(&mut self) {
        if let Some(access) = self.role("access_type") {
            self.add("action", ValueLocation::Meaning(access));
            self.slots.push(other("access_type", SlotDetail::Full, ValueLocation::Number(access)));
            self.take(&[Some(access)]);
        }
    }

    fn flag_groups(&mut self) {
        for group in groups(self.layout) {
            let flag = |f: &Field| {
                let (_, value) = f.flag.as_ref().filter(|(g, _)| *g == group)?;
                Some((f.offset, value.clone()))
            };
            let flags = self.layout.fields.iter().filter(|f| self.usable(f)).filter_map(flag).collect();
            let location = ValueLocation::Flags(flags);
            self.slots.push(Slot { name: group, detail: SlotDetail::Compact, named: false, group: true, location });
        }
    }

    /// The fields that nothing above stands for, under the names of the layout.
    fn other_fields(&mut self) {
        for (i, f) in self.layout.fields.iter().enumerate() {
            if self.taken.get(i).copied().unwrap_or(true) || !self.usable(f) || f.flag.is_some() {
                continue;
            }
            let indicator = f.role.as_deref().is_some_and(|r| r.ends_with("path_indicator"));
            let compact = (f.role.is_some() && !indicator) || self.rules.relevant.contains(&f.name);
            if !compact && self.rules.omit.iter().any(|p| matches(p, &f.name)) {
                continue;
            }
            let location = match f.role.as_deref() {
                Some("remote_address" | "remote_port") if f.kind == FieldKind::Char => ValueLocation::OtherAddress(i),
                _ => location_of(i, f),
            };
            let detail = if compact { SlotDetail::Compact } else { SlotDetail::Full };
            self.slots.push(other(&f.name, detail, location));
        }
    }

    fn parts(&mut self) {
        let (layout, rules) = (self.layout, self.rules);
        let usable = |p: &&Part| rules.include_guesses || p.confidence != Confidence::Guess;
        self.slots.extend(layout.parts.iter().filter(usable).filter_map(|p| part_slot(layout, p, rules.job)));
    }
}

fn span_of(f: &Field) -> Span {
    Span { at: f.offset, len: f.length }
}

/// Where the value of a field stands.
pub fn location_of(index: usize, f: &Field) -> ValueLocation {
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
