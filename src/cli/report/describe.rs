//! Entries in words: who, what object, which values before and after, by what the layout tables say and no more.
use crate::{
    cli::page::words::clip,
    decode::{
        ebcdic::Charset,
        journal::{
            Entry, Layout,
            heading::Span,
            layout::{Confidence, Field},
            text,
            value::{Value, field_value},
        },
    },
    encode::escape::printable,
    event::{Event, EventType},
    filter::names::Key,
};

/// Characters of a value that are told.
const LONGEST: usize = 160;

/// Reads values of entries for people.
#[derive(Clone, Copy)]
pub struct Describer {
    /// The character set of the jobs.
    pub job: &'static Charset,
    /// Fields whose layout is a guess count too.
    pub guesses: bool,
}

impl Describer {
    /// A name, or that there is none.
    pub fn name(&self, key: Option<Key>) -> String {
        key.map_or_else(|| "(none)".to_owned(), |k| self.text(&k.bytes()))
    }

    /// Text of the heading, visible.
    pub fn text(&self, bytes: &[u8]) -> String {
        printable(self.job.decode_string(bytes).trim_end())
    }

    /// The event's type and detail: `PW-P`.
    pub fn code(&self, ev: &Event<'_>) -> String {
        let code = match ev.kind.code.as_str() {
            "" => self.text(&ev.entry.entry_type()),
            code => code.to_owned(),
        };
        match ev.detail_code() {
            [] => code,
            detail => format!("{code}-{}", self.text(detail)),
        }
    }

    /// What happened, in the words of the tables: the title of the type and the meaning of its detail.
    pub fn words(&self, ev: &Event<'_>) -> String {
        match self.detail(ev) {
            Some(meaning) => format!("{}: {meaning}", ev.kind.title),
            None => ev.kind.title.clone(),
        }
    }

    /// What the detail code means: as IBM's table of the type has it, or the table of audit levels.
    pub fn detail<'k>(&self, ev: &Event<'k>) -> Option<&'k str> {
        let kind: &'k EventType = ev.kind;
        let code = ev.detail_code();
        let field = kind.layout.as_deref().and_then(|l| l.fields.get(l.role("detail")?));
        let own = field.and_then(|f| f.values.get(&self.job.decode_string(code))).map(String::as_str);
        own.or_else(|| {
            let (_, known) = kind.details().iter().find(|(c, _)| c == code)?;
            known.meaning.as_deref().or(known.title.as_deref())
        })
    }

    /// What the entry is about: object, document, path, system value, user, whichever it names.
    pub fn subject(&self, ev: &Event<'_>) -> String {
        let Some(layout) = ev.kind.layout.as_deref() else { return String::new() };
        let role = |role: &str| self.role(layout, role, &ev.entry);
        let mut parts: Vec<String> = Vec::new();
        for (library, name) in [("object_library", "object_name"), ("old_object_library", "old_object_name")] {
            if let Some(name) = role(name) {
                let name = role(library).map_or(name.clone(), |l| format!("{l}/{name}"));
                let kind = if parts.is_empty() { role("object_type") } else { None };
                let name = kind.map_or(name.clone(), |k| format!("{name} {k}"));
                parts.push(if parts.is_empty() { name } else { format!("from {name}") });
            }
        }
        for one in ["object_path", "dlo_name", "system_value"] {
            parts.extend(role(one).filter(|value| value != "*NONE"));
        }
        if parts.is_empty() {
            parts.extend(role("ifs_object_name").or_else(|| role("object_type")));
        }
        if let Some(user) = role("target_user") {
            parts.push(format!("user {user}"));
        }
        parts.join(", ")
    }

    /// The value of the first field with a role.
    pub fn role(&self, layout: &Layout, role: &str, entry: &Entry<'_>) -> Option<String> {
        self.value(layout, layout.fields.get(layout.role(role)?)?, entry)
    }

    /// The values of fields and groups of flags by their names, each behind IBM's label; those that say nothing are left out.
    pub fn values(&self, layout: &Layout, names: &[&str], entry: &Entry<'_>) -> String {
        let all: Vec<String> = names
            .iter()
            .filter_map(|name| match layout.field(name) {
                Some(field) => {
                    let value = self.value(layout, field, entry)?;
                    let meaning = field.values.get(value.trim_end_matches('?'));
                    let meaning = meaning.map_or(String::new(), |m| format!(" ({m})"));
                    Some(format!("{} {value}{meaning}", field.label.to_lowercase()))
                }
                None => self.flags(layout, name, entry).map(|flags| format!("{} {flags}", name.replace('_', " "))),
            })
            .collect();
        all.join("; ")
    }

    /// The flags of a group that are on.
    pub fn flags(&self, layout: &Layout, group: &str, entry: &Entry<'_>) -> Option<String> {
        let on = |f: &&Field| entry.data.get(f.offset) == Some(&YES) && self.is_used(f);
        let word = |f: &Field| {
            let (of, flag) = f.flag.as_ref()?;
            (of == group).then(|| if f.confidence == Confidence::Guess { format!("{flag}?") } else { flag.clone() })
        };
        let flags: Vec<String> = layout.fields.iter().filter(on).filter_map(word).collect();
        (!flags.is_empty()).then(|| flags.join(" "))
    }

    fn is_used(&self, field: &Field) -> bool {
        !field.reserved && (self.guesses || field.confidence != Confidence::Guess)
    }

    fn value(&self, layout: &Layout, field: &Field, entry: &Entry<'_>) -> Option<String> {
        if !self.is_used(field) {
            return None;
        }
        let value = match field_value(layout, field, entry, self.job).value()? {
            Value::Text(t) => printable(t.charset?.decode_string(t.bytes).trim_end()),
            Value::Hex(_) => return None,
            other => other.said()?,
        };
        let mark = if field.confidence == Confidence::Guess { "?" } else { "" };
        (!value.is_empty() && value != "*N").then(|| format!("{}{mark}", clip(&value, LONGEST)))
    }
}

/// Y in EBCDIC.
const YES: u8 = 0xE8;

/// The bytes of the remote address, without padding: that of the heading or, where blank, of the entry's own field.
pub fn remote_address<'a>(entry: &Entry<'a>, own: Option<Span>) -> &'a [u8] {
    let head = entry.head(entry.heading.remote_address);
    let bytes = match own {
        Some(own) if text::is_blank(head) => entry.data.get(own.at..own.at + own.len).unwrap_or(&[]),
        _ => head,
    };
    if text::is_blank(bytes) { &[] } else { text::trim_blanks(bytes) }
}
