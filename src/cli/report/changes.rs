//! Changes that an auditor asks for, one by one: of what users may do, and of auditing itself; with what was before where the
//! tables have it.
use std::collections::BTreeMap;

use super::describe::Describer;
use crate::{
    cli::page::words::clip,
    event::{EntryTime, Event},
    filter::users,
    source::receiver_chain::JournalPlace,
};

/// Changes of one type that are kept; the others are only counted.
pub const KEPT: usize = 500;
/// Characters of what is said of one.
const LONGEST: usize = 300;

/// Entry types that change who may what, with the fields and groups of flags that say what was before, and what is now.
const PRIVILEGES: &[Watched] = &[
    Watched {
        code: "CP",
        before: &["previous_special_authorities"],
        after: &["special_authorities", "user_class", "group_profile", "supplemental_group_profiles"],
        only_if_told: true,
    },
    Watched {
        code: "CA",
        before: &[],
        after: &["command_type", "authorities", "authorization_list_name"],
        only_if_told: false,
    },
    Watched { code: "OW", before: &["previous_owner"], after: &["new_owner"], only_if_told: false },
    Watched {
        code: "PA",
        before: &["previous_setuid_mode", "previous_setgid_mode", "previous_isvtx_mode"],
        after: &["object_owner", "setuid_mode", "setgid_mode", "isvtx_mode"],
        only_if_told: false,
    },
    Watched {
        code: "PG",
        before: &["previous_primary_group", "previous_authorities"],
        after: &["new_primary_group", "authorities", "revoke_old_primary_group"],
        only_if_told: false,
    },
];

/// The same of entries that change auditing, and of the use of service tools.
const AUDITING: &[Watched] = &[
    Watched { code: "SV", before: &["old_value"], after: &["new_value"], only_if_told: false },
    Watched { code: "AD", before: &[], after: &["object_audit", "user_audit_levels"], only_if_told: false },
    Watched {
        code: "CP",
        before: &["previous_special_authorities"],
        after: &["special_authorities"],
        only_if_told: false,
    },
    Watched { code: "ST", before: &[], after: &["service_tool"], only_if_told: false },
    Watched { code: "OW", before: &["previous_owner"], after: &["new_owner"], only_if_told: false },
    Watched { code: "CA", before: &[], after: &["command_type", "authorities"], only_if_told: false },
];

/// An entry type and what is told of it.
struct Watched {
    code: &'static str,
    before: &'static [&'static str],
    after: &'static [&'static str],
    /// An entry that says nothing of these is none of the changes.
    only_if_told: bool,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub time: Option<EntryTime>,
    /// Where the entry stands: receiver and sequence number.
    pub place: JournalPlace,
    /// Type and detail: `CP-A`.
    pub code: String,
    /// The words of the tables for it.
    pub words: String,
    /// Who.
    pub effective: String,
    /// In whose job.
    pub job: String,
    /// Of what.
    pub subject: String,
    /// What was, where the tables have it.
    pub before: String,
    /// What is.
    pub after: String,
}

impl Change {
    /// Of an event, without what was before and is now.
    pub fn of(ev: &Event<'_>, d: &Describer, place: JournalPlace) -> Change {
        let (effective, job) = users(ev);
        Change {
            time: ev.time,
            place,
            code: d.code(ev),
            words: d.words(ev),
            effective: d.name(effective),
            job: d.name(job),
            subject: clip(&d.subject(ev), LONGEST),
            before: String::new(),
            after: String::new(),
        }
    }
}

/// Changes of one type.
#[derive(Default)]
pub struct OfType {
    /// How many.
    pub total: u64,
    /// The first of them.
    pub kept: Vec<Change>,
}

/// Changes by entry type; of each type so many are kept that a flood of one hides none of another.
#[derive(Default)]
pub struct Changes(pub BTreeMap<String, OfType>);

impl Changes {
    /// How many there were.
    pub fn total(&self) -> u64 {
        self.0.values().map(|t| t.total).sum()
    }

    /// Those that are kept, as they came.
    pub fn kept(&self) -> Vec<&Change> {
        let mut all: Vec<&Change> = self.0.values().flat_map(|t| &t.kept).collect();
        all.sort_by_key(|c| c.time.map(|t| t.utc_micros));
        all
    }

    /// An event that changes who may what; `place` is asked only where it is kept.
    pub fn privilege(&mut self, ev: &Event<'_>, d: &Describer, place: impl FnOnce() -> JournalPlace) {
        if let Some(watched) = PRIVILEGES.iter().find(|w| w.code == ev.kind.code) {
            self.add(ev, d, Some(watched), place);
        }
    }

    /// An event that changes auditing, or uses service tools.
    pub fn auditing(&mut self, ev: &Event<'_>, d: &Describer, place: impl FnOnce() -> JournalPlace) {
        self.add(ev, d, AUDITING.iter().find(|w| w.code == ev.kind.code), place);
    }

    fn add(&mut self, ev: &Event<'_>, d: &Describer, watched: Option<&Watched>, place: impl FnOnce() -> JournalPlace) {
        let told = |names: fn(&Watched) -> &'static [&'static str]| match (watched, ev.kind.layout.as_deref()) {
            (Some(w), Some(layout)) => d.values(layout, names(w), &ev.entry),
            _ => String::new(),
        };
        let kind = if ev.kind.code.is_empty() { "other journal entries" } else { ev.kind.code.as_str() };
        let only_if_told = watched.is_some_and(|w| w.only_if_told);
        // Where it is only counted, nothing is read of it.
        if !only_if_told && let Some(full) = self.0.get_mut(kind).filter(|t| t.kept.len() >= KEPT) {
            full.total += 1;
            return;
        }
        let (before, after) = (told(|w| w.before), told(|w| w.after));
        if only_if_told && before.is_empty() && after.is_empty() {
            return;
        }
        let of_type = match self.0.get_mut(kind) {
            Some(of_type) => of_type,
            None => self.0.entry(kind.to_owned()).or_default(),
        };
        of_type.total += 1;
        if of_type.kept.len() < KEPT {
            let (before, after) = (clip(&before, LONGEST), clip(&after, LONGEST));
            of_type.kept.push(Change { before, after, ..Change::of(ev, d, place()) });
        }
    }
}
