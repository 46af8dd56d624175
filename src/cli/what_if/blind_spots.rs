//! Blind spots: what reached the SIEM under the baseline and does so no longer.
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cli::{context::Setup, exit::Failure, page::words::name},
    config::OutputConfig,
    decode::journal::Catalog,
    event::{Event, EventModel},
    filter::{Filter, Rules, State, lint, names::Key, users},
    log::numbers::grouped,
};

/// How many of some events were sent before, and are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentCounts {
    /// In the captures.
    pub seen: u64,
    /// Under the baseline.
    pub old: u64,
    /// Under the new configuration.
    pub new: u64,
    /// Of these, changes to auditing.
    pub protected: u64,
}

impl SentCounts {
    fn count(&mut self, old: bool, new: bool, is_protected: bool) {
        self.seen += 1;
        self.protected += u64::from(new && is_protected);
        self.old += u64::from(old);
        self.new += u64::from(new);
    }
}

/// Counts what both configurations do with the events that matter most.
pub struct BlindSpotDetector {
    rules: Rules,
    state: State,
    /// By event type.
    pub types: BTreeMap<usize, SentCounts>,
    /// By privileged user, effective or of the job.
    pub privileged: BTreeMap<Vec<u8>, SentCounts>,
    /// Changes to auditing.
    pub audit_changes: SentCounts,
    /// By library of the objects that are named.
    pub libraries: BTreeMap<Vec<u8>, SentCounts>,
}

/// For one heading: a filter that drops nothing and knows who is privileged and what changes auditing.
pub struct HeadingFilter(Filter);

impl BlindSpotDetector {
    /// With the privileged users of a configuration. What it allows to be filtered is watched all the same.
    pub fn new(config: &Rules) -> BlindSpotDetector {
        let rules = Rules { privileged: config.privileged.clone(), ..Rules::default() };
        BlindSpotDetector {
            rules,
            state: State::default(),
            types: BTreeMap::new(),
            privileged: BTreeMap::new(),
            audit_changes: SentCounts::default(),
            libraries: BTreeMap::new(),
        }
    }

    /// Compiles it for a model.
    pub fn heading_filter(&self, model: &EventModel) -> Result<HeadingFilter, Failure> {
        Filter::new(model, &self.rules, None).map(HeadingFilter).map_err(Failure::usage)
    }

    /// Counts an event.
    pub fn event(&mut self, HeadingFilter(filter): &mut HeadingFilter, ev: &Event<'_>, old: bool, new: bool) {
        // For what it learns.
        filter.verdict(ev, &mut self.state);
        let is_protected = filter.is_protected(ev);
        self.types.entry(ev.kind.index).or_default().count(old, new, is_protected);
        if is_protected {
            self.audit_changes.count(old, new, true);
        }
        let (effective, job) = users(ev);
        let both = [effective, job.filter(|j| Some(*j) != effective)];
        for user in both.into_iter().flatten().filter(|u| filter.is_privileged_user(*u, &self.state)) {
            self.privileged.entry(user.bytes()).or_default().count(old, new, is_protected);
        }
        // The object of a CD entry is the command; a change to auditing is sent whatever becomes of the library.
        let places = filter.places(ev).filter(|p| !p.is_command && !is_protected);
        let objects = places.map_or(&[][..], |p| p.objects.as_slice());
        let mut last: Option<Key> = None;
        for [library, ..] in objects.iter().filter_map(|o| o.of(&ev.entry)) {
            if let Some(library) = library.filter(|l| last != Some(*l)) {
                last = Some(library);
                self.libraries.entry(library.bytes()).or_default().count(old, new, false);
            }
        }
    }
}

/// Something that the SIEM no longer sees.
pub struct BlindSpot {
    /// What it is.
    pub kind: BlindSpotKind,
    /// The entry type, user or library.
    pub what: String,
    /// The blind spot in a sentence.
    pub text: String,
    /// The auditing values that lose it; for types that are off.
    pub levels: Vec<&'static str>,
    /// How many of its events were sent before and are now.
    pub counts: SentCounts,
}

/// What the SIEM no longer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlindSpotKind {
    /// A type that is off.
    Off,
    /// A type of which details are off.
    DetailsOff,
    /// A type that is on, and of which rules drop every entry.
    Dropped,
    /// A type that is on, and of which rules drop entries.
    Part,
    /// A privileged user.
    Privileged,
    /// Changes to auditing.
    AuditChanges,
    /// A library.
    Library,
}

impl BlindSpotKind {
    /// In reports.
    pub fn name(self) -> &'static str {
        match self {
            BlindSpotKind::Off | BlindSpotKind::DetailsOff | BlindSpotKind::Dropped | BlindSpotKind::Part => "type",
            BlindSpotKind::Privileged => "privileged user",
            BlindSpotKind::AuditChanges => "audit changes",
            BlindSpotKind::Library => "library",
        }
    }
}

/// The auditing values whose types are watched.
pub const LEVELS: [&str; 2] = ["*SECURITY", "*AUTFAIL"];

/// One side: its configuration, and the output whose filter counts.
type Configured<'a> = (&'a Setup, Option<&'a OutputConfig>);

/// Types that a side's configuration switches off, whole or in part, with the auditing values that lose them.
#[derive(Default)]
struct DisabledTypes {
    whole: BTreeMap<String, Vec<&'static str>>,
    details: BTreeMap<String, Vec<&'static str>>,
}

impl DisabledTypes {
    fn new((setup, output): Configured<'_>) -> DisabledTypes {
        let mut off = DisabledTypes::default();
        let rules = [Some(&setup.config.filter), output.map(|o| &o.filter)];
        for level in LEVELS {
            let all: Vec<_> = rules.iter().flatten().map(|r| lint::off(&r.types, level, &setup.catalog)).collect();
            let whole: BTreeSet<&String> = all.iter().flat_map(|(whole, _)| whole).collect();
            let details: BTreeSet<&String> = all.iter().flat_map(|(_, details)| details).collect();
            details.difference(&whole).for_each(|c| off.details.entry((*c).clone()).or_default().push(level));
            whole.into_iter().for_each(|c| off.whole.entry(c.clone()).or_default().push(level));
        }
        off
    }

    fn has(&self, code: &str, level: &str) -> (bool, bool) {
        let holds = |m: &BTreeMap<String, Vec<&str>>| m.get(code).is_some_and(|l| l.contains(&level));
        (holds(&self.whole), holds(&self.details))
    }
}

impl BlindSpotDetector {
    /// What reached the SIEM under the baseline and does so no longer, and the types that are off under both; `codes` are
    /// the event types by index.
    pub fn spots(&self, new: Configured<'_>, old: Configured<'_>, codes: &[String]) -> (Vec<BlindSpot>, Vec<String>) {
        let setup = new.0;
        let (new, old) = (DisabledTypes::new(new), DisabledTypes::new(old));
        let mut spots = self.types(&setup.catalog, codes, &new, &old);
        for (user, c) in self.privileged.iter().filter(|(_, c)| c.new < c.old) {
            let user = name(user, setup.job);
            let what = if c.new == 0 { "none" } else { "only a part" };
            let text = format!("of what {user} does, {what} is sent: {}", of_entries(c));
            spots.push(BlindSpot { kind: BlindSpotKind::Privileged, text, what: user, levels: Vec::new(), counts: *c });
        }
        let c = self.audit_changes;
        if c.new < c.old {
            spots.push(BlindSpot {
                kind: BlindSpotKind::AuditChanges,
                what: "changes to auditing".to_owned(),
                text: format!("{} of {} changes to auditing are not sent", grouped(c.old - c.new), grouped(c.old)),
                levels: Vec::new(),
                counts: c,
            });
        }
        for (library, c) in self.libraries.iter().filter(|(_, c)| c.old > 0 && c.new == 0) {
            let library = name(library, setup.job);
            let text = format!("none of the {} entries that name objects in {library} is sent", grouped(c.old));
            spots.push(BlindSpot { kind: BlindSpotKind::Library, text, what: library, levels: Vec::new(), counts: *c });
        }
        let both = |code: &&String| old.whole.contains_key(*code);
        (spots, new.whole.keys().filter(both).cloned().collect())
    }

    fn types(&self, catalog: &Catalog, codes: &[String], new: &DisabledTypes, old: &DisabledTypes) -> Vec<BlindSpot> {
        let counts = |code: &str| {
            let index = codes.iter().position(|c| c == code);
            index.and_then(|i| self.types.get(&i)).copied().unwrap_or_default()
        };
        let mut spots: Vec<BlindSpot> = Vec::new();
        for (code, levels) in &new.whole {
            let levels: Vec<_> = levels.iter().copied().filter(|l| !old.has(code, l).0).collect();
            if levels.is_empty() {
                continue;
            }
            let c = counts(code);
            let text = match (c.seen, c.old, c.new) {
                (0, ..) => "without entries in these captures".to_owned(),
                (seen, 0, _) => format!("none of its {} entries was sent before", grouped(seen)),
                (_, old, 0) => format!("its {} entries are no longer sent", grouped(old)),
                (_, old, new) => {
                    // What another auditing value lists may be on.
                    let why = if new == c.protected { " as changes to auditing" } else { "" };
                    format!("{} entries, {} of them still sent{why}", grouped(old), grouped(new))
                }
            };
            let text = format!("off: {code} ({}); {text}", levels.join(", "));
            spots.push(BlindSpot { kind: BlindSpotKind::Off, what: code.clone(), text, levels, counts: c });
        }
        for (code, levels) in &new.details {
            let is_new = |l: &&str| old.has(code, l) == (false, false);
            let levels: Vec<_> = levels.iter().copied().filter(is_new).collect();
            if levels.is_empty() || spots.iter().any(|s| s.what == *code) {
                continue;
            }
            let c = counts(code);
            let sent = if c.seen == 0 { "without entries in these captures".to_owned() } else { sent(&c) };
            let text = format!("some details are off: {code} ({}); {sent}", levels.join(", "));
            spots.push(BlindSpot { kind: BlindSpotKind::DetailsOff, what: code.clone(), text, levels, counts: c });
        }
        let of_levels = catalog.levels().levels.iter().filter(|l| LEVELS.contains(&l.value.as_str()));
        let watched: BTreeSet<&String> = of_levels.flat_map(|l| &l.entry_types).collect();
        for code in watched {
            let c = counts(code);
            if c.new >= c.old || spots.iter().any(|s| s.what == *code) {
                continue;
            }
            let (kind, text) = match c.new {
                0 => (
                    BlindSpotKind::Dropped,
                    format!("{code} is on, but rules drop all {} of its entries", grouped(c.old)),
                ),
                _ => (BlindSpotKind::Part, format!("of {code} only a part is sent: {}", of_entries(&c))),
            };
            spots.push(BlindSpot { kind, what: code.clone(), text, levels: Vec::new(), counts: c });
        }
        spots
    }
}

fn of_entries(c: &SentCounts) -> String {
    format!("{} of {} entries", grouped(c.new), grouped(c.old))
}

fn sent(c: &SentCounts) -> String {
    format!("{} sent", of_entries(c))
}

/// A line of blind spots: its kind, what is said, and what it is said of where that is a list.
pub struct Line {
    /// The kind.
    pub kind: &'static str,
    /// A sentence, or the head of a list.
    pub text: String,
    /// The list.
    pub items: Vec<String>,
}

/// The blind spots as sentences and lists: what has nothing more to say than a name stands in a list.
pub fn lines(spots: &[BlindSpot]) -> Vec<Line> {
    // Head of the list that a spot is a part of, if any.
    let joined = |s: &BlindSpot| -> Option<&'static str> {
        match s.kind {
            BlindSpotKind::Off if s.counts.seen == 0 => Some("off, without entries in these captures"),
            BlindSpotKind::DetailsOff if s.counts.seen == 0 => {
                Some("some details are off, without entries in these captures")
            }
            BlindSpotKind::Part => Some("of these types only a part is sent"),
            BlindSpotKind::Privileged if s.counts.new > 0 => Some("of what these do, only a part is sent"),
            _ => None,
        }
    };
    let mut lines: Vec<Line> = Vec::new();
    for spot in spots {
        let kind = spot.kind.name();
        let Some(head) = joined(spot) else {
            lines.push(Line { kind, text: spot.text.clone(), items: Vec::new() });
            continue;
        };
        let own = match spot.counts.seen {
            0 => spot.what.clone(),
            _ => format!("{} {} of {}", spot.what, grouped(spot.counts.new), grouped(spot.counts.old)),
        };
        match lines.iter_mut().find(|line| !line.items.is_empty() && line.text == head) {
            Some(line) => line.items.push(own),
            None => lines.push(Line { kind, text: head.to_owned(), items: vec![own] }),
        }
    }
    lines
}
