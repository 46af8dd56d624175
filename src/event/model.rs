//! The event model of one source: the event type of every entry type, compiled when the first entry of it is met.
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use super::{
    EntryTime, Event,
    kind::{Detail, EventType, SeverityScale},
    layout_slots,
    slot::{self, Slot, SlotRules},
};
use crate::decode::{
    ebcdic::Charset,
    history::{self, messages::is_message_id},
    journal::{Catalog, Entry, FieldKind, Heading, Layout, catalog::entry_type_bytes, heading::Span},
};

/// What shapes events, beside the tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Carry fields whose layout is a guess.
    pub include_guesses: bool,
    /// Severity 0 to 10 by event id (`PW-P`) or type (`PW`), in place of the tables'.
    pub severity: BTreeMap<String, u8>,
    /// Event ids and types that record a failure.
    pub failures: Vec<String>,
    /// Names that the full detail leaves out.
    pub omit: Vec<String>,
    /// Severity and titles of entries that no table knows.
    pub foreign: Foreign,
}

/// Titles and severity of entries that no table knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    /// 0 to 10.
    pub severity: u8,
    /// Audit entries of an unknown type.
    pub title_unknown: String,
    /// Journal code J.
    pub title_j: String,
    /// Journal code U.
    pub title_u: String,
    /// Any other journal code.
    pub title_other: String,
}

/// The event types of one source.
pub struct EventModel {
    catalog: Arc<Catalog>,
    heading: Arc<Heading>,
    job: &'static Charset,
    options: Options,
    codes: Vec<String>,
    /// Index into `types` by the two bytes of the entry type; `u16::MAX` for an unknown type.
    by_bytes: Vec<u16>,
    types: Vec<OnceLock<EventType>>,
}

/// Foreign event types, after the known ones, and behind them the messages of the history log.
const FOREIGN: usize = 4;

impl EventModel {
    /// For a heading and the CCSID of the jobs.
    pub fn new(catalog: Arc<Catalog>, heading: Arc<Heading>, job: &'static Charset, options: Options) -> EventModel {
        let codes: Vec<String> = catalog.codes().map(str::to_owned).collect();
        let mut by_bytes = vec![u16::MAX; 1 << 16];
        for (i, code) in codes.iter().enumerate() {
            let place = entry_type_bytes(code).map(|b| usize::from(u16::from_be_bytes(b)));
            if let (Some(place), Ok(i)) = (place.and_then(|p| by_bytes.get_mut(p)), u16::try_from(i)) {
                *place = i;
            }
        }
        let types = (0..codes.len() + FOREIGN + 1).map(|_| OnceLock::new()).collect();
        EventModel { catalog, heading, job, options, codes, by_bytes, types }
    }

    /// The tables.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The heading, to compare it with another.
    pub fn heading_arc(&self) -> &Arc<Heading> {
        &self.heading
    }

    /// The heading.
    pub fn heading(&self) -> &Heading {
        &self.heading
    }

    /// The character set of the jobs.
    pub fn job_charset(&self) -> &'static Charset {
        self.job
    }

    /// The entry type at an index; empty for foreign ones.
    pub fn code(&self, index: usize) -> &str {
        match self.codes.get(index) {
            Some(code) => code,
            None if index == self.history() => &self.catalog.history().code,
            None => "",
        }
    }

    /// The title at an index; compiles nothing.
    pub fn title(&self, index: usize) -> String {
        match self.codes.get(index) {
            Some(code) => self.catalog.levels().type_row(code).map_or(String::new(), |r| r.title.clone()),
            None => self.kind(index).title.clone(),
        }
    }

    /// The index of the event type of entries with journal code J.
    pub fn journal_code_j(&self) -> usize {
        self.codes.len() + 1
    }

    /// The index of the event type of history log messages.
    pub fn history(&self) -> usize {
        self.codes.len() + FOREIGN
    }

    /// Number of event types, for tables beside the model.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Never: the foreign types are always there.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The event of an entry. Total: an entry that no table knows is a foreign event.
    #[inline]
    pub fn event<'a>(&'a self, entry: Entry<'a>, time: Option<EntryTime>) -> Event<'a> {
        Event { entry, kind: self.kind(self.index_of(&entry)), time, severity_floor: 0 }
    }

    /// The index of an entry's type.
    #[inline]
    pub fn index_of(&self, entry: &Entry<'_>) -> usize {
        if entry.is_audit() {
            let place = usize::from(u16::from_be_bytes(entry.entry_type()));
            match self.by_bytes.get(place) {
                Some(i) if *i != u16::MAX => usize::from(*i),
                _ => self.codes.len(),
            }
        } else {
            self.codes.len()
                + match entry.journal_code() {
                    0xD1 => 1,
                    0xE4 => 2,
                    code if (code, entry.entry_type()) == history::MARK => FOREIGN,
                    _ => 3,
                }
        }
    }

    /// The event type at an index; those out of range are foreign.
    #[inline]
    pub fn kind(&self, index: usize) -> &EventType {
        let index = index.min(self.types.len() - 1);
        match self.types.get(index).map(OnceLock::get) {
            Some(Some(kind)) => kind,
            _ => self.types[index].get_or_init(|| self.compile(index)),
        }
    }

    /// The event type of a code.
    pub fn kind_of(&self, code: &str) -> Option<&EventType> {
        self.codes.iter().position(|c| c == code).map(|i| self.kind(i))
    }

    #[cold]
    fn compile(&self, index: usize) -> EventType {
        if index == self.history() {
            return self.messages(index);
        }
        let layout = self.codes.get(index).and_then(|c| self.catalog.layout(c));
        match layout {
            Some(layout) => self.known(index, layout),
            None => self.foreign(index),
        }
    }

    fn known(&self, index: usize, layout: &Arc<Layout>) -> EventType {
        let code = layout.code.clone();
        let levels = self.catalog.levels();
        let row = levels.type_row(&code);
        let severity = self.options.severity.get(&code).copied();
        let type_severity = severity.or(row.map(|r| r.default_cef_severity)).unwrap_or(5);
        let fails = |id: &str| self.options.failures.iter().any(|f| f == id);
        let type_fails = fails(&code);
        let detail_field = layout.role("detail").and_then(|i| layout.fields.get(i));

        let mut known: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        if let Some(f) = detail_field {
            known.extend(f.values.iter().map(|(c, m)| (c.as_str(), Some(m.as_str()))));
        }
        for d in levels.details.iter().filter(|d| d.entry_type == code) {
            known.insert(&d.code, Some(&d.meaning));
        }
        for (_, codes) in levels.levels.iter().flat_map(|l| l.details.iter().filter(|(t, _)| **t == code)) {
            for c in codes {
                known.entry(c).or_insert(None);
            }
        }
        known.entry("").or_insert(None);
        let details = known
            .into_iter()
            .filter_map(|(c, meaning)| {
                let id = format!("{code}-{c}");
                let row = levels.detail_row(&code, c);
                let detail = Detail {
                    code: c.to_owned(),
                    title: None,
                    meaning: meaning.map(str::to_owned),
                    notable: row.is_some(),
                    severity: self
                        .options
                        .severity
                        .get(&id)
                        .copied()
                        .or(severity)
                        .or(row.map(|r| r.cef_severity))
                        .unwrap_or(type_severity),
                    failure: type_fails || fails(&id),
                };
                Some((self.job.encode(c)?, detail))
            })
            .collect();
        let slots = self.slots(layout);
        EventType {
            index,
            title: row.map_or_else(|| layout.title.clone(), |r| r.title.clone()),
            slots,
            severity: type_severity,
            failure: type_fails,
            scale: None,
            detail: detail_field.map(|f| Span { at: f.offset, len: f.length }),
            details,
            text_spans: text_spans(layout),
            layout: Some(layout.clone()),
            code,
        }
    }

    fn slots(&self, layout: &Layout) -> Vec<Slot> {
        let rules = SlotRules {
            job: self.job,
            include_guesses: self.options.include_guesses,
            relevant: self.catalog.relevant(&layout.code),
            omit: &self.options.omit,
        };
        layout_slots::slots(layout, &self.heading, &rules)
    }

    /// The messages of the history log: the detail is the message id.
    fn messages(&self, index: usize) -> EventType {
        let layout = self.catalog.history();
        let messages = self.catalog.messages();
        let given = &self.options.severity;
        let fails = |id: &str| self.options.failures.iter().any(|f| f == id);
        let known = messages.rows.iter().map(|row| Detail {
            code: row.id.clone(),
            title: row.title.clone(),
            meaning: None,
            notable: false,
            severity: given.get(&row.id).copied().unwrap_or_else(|| messages.severity(Some(row.severity.into()))),
            failure: row.failure || fails(&row.id),
        });
        let unknown = given.iter().filter(|(id, _)| is_message_id(id) && messages.rows.iter().all(|r| r.id != **id));
        let unknown = unknown.map(|(id, severity)| Detail {
            code: id.clone(),
            title: None,
            meaning: None,
            notable: false,
            severity: *severity,
            failure: fails(id),
        });
        let details = known.chain(unknown).filter_map(|d| Some((self.job.encode(&d.code)?, d))).collect();
        let id = layout.role("detail").and_then(|i| layout.fields.get(i));
        EventType {
            index,
            code: layout.code.clone(),
            title: layout.title.clone(),
            slots: self.slots(layout),
            severity: messages.severity(None),
            failure: false,
            scale: Some(SeverityScale {
                messages: messages.clone(),
                field: layout.role("message_severity").unwrap_or(usize::MAX),
                configured: given.keys().filter(|id| is_message_id(id)).filter_map(|id| self.job.encode(id)).collect(),
            }),
            detail: id.map(|f| Span { at: f.offset, len: f.length }),
            details,
            text_spans: text_spans(layout),
            layout: Some(layout.clone()),
        }
    }

    fn foreign(&self, index: usize) -> EventType {
        let f = &self.options.foreign;
        let title = match index - self.codes.len() {
            0 => &f.title_unknown,
            1 => &f.title_j,
            2 => &f.title_u,
            _ => &f.title_other,
        };
        EventType {
            index,
            code: String::new(),
            title: title.clone(),
            layout: None,
            slots: slot::foreign_slots(&self.heading),
            severity: f.severity,
            failure: false,
            scale: None,
            detail: None,
            details: Vec::new(),
            text_spans: Vec::new(),
        }
    }
}

/// The texts of a layout by their ends: those that a cut can hurt. Shorter fields are told by the texts around them.
fn text_spans(layout: &Layout) -> Vec<(Span, FieldKind, String)> {
    let mut spans: Vec<_> = layout
        .fields
        .iter()
        .filter(|f| !f.reserved && f.columns.has(crate::decode::journal::layout::Columns::J5))
        .filter(|f| f.role.is_some() && !matches!(f.kind, FieldKind::Bin | FieldKind::Zoned | FieldKind::Packed))
        .map(|f| (Span { at: f.offset, len: f.length }, f.kind, f.name.clone()))
        .collect();
    spans.sort_by_key(|(s, ..)| s.at + s.len);
    spans
}
