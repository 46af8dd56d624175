//! Blind spots: what reached the SIEM under the baseline and does so no longer.
use std::collections::{BTreeMap, BTreeSet};

use super::{Watching, report::name};
use crate::{
    cli::{Failure, summary::grouped},
    event::{Event, EventModel},
    filter::{Filter, Rules, State, lint, names::Key, users},
};

/// How many of some events were sent before, and are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Under the baseline.
    pub old: u64,
    /// Under the new configuration.
    pub new: u64,
}

impl Before {
    fn count(&mut self, old: bool, new: bool) {
        self.old += u64::from(old);
        self.new += u64::from(new);
    }
}

/// Watches what both configurations do with the events that matter most.
pub struct Watch {
    rules: Rules,
    state: State,
    /// By event type.
    pub types: BTreeMap<usize, Before>,
    /// By privileged user, effective or of the job.
    pub privileged: BTreeMap<Vec<u8>, Before>,
    /// Changes to auditing.
    pub audit_changes: Before,
    /// By library of the objects that are named.
    pub libraries: BTreeMap<Vec<u8>, Before>,
}

/// For one heading: a filter that drops nothing and knows who is privileged and what changes auditing.
pub struct Lane(Filter);

impl Watch {
    /// With the privileged users of a configuration. What it allows to be filtered is watched all the same.
    pub fn new(config: &Rules) -> Watch {
        let rules = Rules { privileged: config.privileged.clone(), ..Rules::default() };
        Watch {
            rules,
            state: State::default(),
            types: BTreeMap::new(),
            privileged: BTreeMap::new(),
            audit_changes: Before::default(),
            libraries: BTreeMap::new(),
        }
    }

    /// Compiles it for a model.
    pub fn lane(&self, model: &EventModel) -> Result<Lane, Failure> {
        Filter::new(model, &self.rules, None).map(Lane).map_err(Failure::usage)
    }

    /// Counts an event.
    pub fn event(&mut self, Lane(filter): &mut Lane, ev: &Event<'_>, old: bool, new: bool) {
        // For what it learns.
        filter.verdict(ev, &mut self.state);
        self.types.entry(ev.kind.index).or_default().count(old, new);
        if filter.is_protected(ev) {
            self.audit_changes.count(old, new);
        }
        let (effective, job) = users(ev);
        let both = [effective, job.filter(|j| Some(*j) != effective)];
        for user in both.into_iter().flatten().filter(|u| filter.is_privileged_user(*u, &self.state)) {
            self.privileged.entry(user.bytes()).or_default().count(old, new);
        }
        // The object of a CD entry is the command.
        let objects = filter.places(ev).filter(|p| !p.is_command).map_or(&[][..], |p| p.objects.as_slice());
        let mut last: Option<Key> = None;
        for [library, ..] in objects.iter().filter_map(|o| o.of(&ev.entry)) {
            if let Some(library) = library.filter(|l| last != Some(*l)) {
                last = Some(library);
                self.libraries.entry(library.bytes()).or_default().count(old, new);
            }
        }
    }
}

/// A privileged user as the kind of a spot.
pub const PRIVILEGED: &str = "privileged user";

/// Something that the SIEM no longer sees.
pub struct Spot {
    /// `type`, `privileged user`, `audit changes`, `library`.
    pub kind: &'static str,
    /// Which.
    pub what: String,
    /// In a sentence.
    pub text: String,
    /// How many of its events were sent before and are now.
    pub counts: Before,
}

/// What reached the SIEM under the baseline and does so no longer; `codes` are the event types by index.
pub(super) fn spots(w: &Watching<'_>, codes: &[String]) -> Vec<Spot> {
    let mut spots = Vec::new();
    let catalog = &w.new.catalog;
    let counts = |code: &str| {
        let index = codes.iter().position(|c| c == code);
        index.and_then(|i| w.watch.types.get(&i)).copied().unwrap_or_default()
    };
    let off = |side: usize, level: &str| -> BTreeSet<String> {
        let (setup, output) = if side == 0 { (w.new, w.outputs.0) } else { (w.old, w.outputs.1) };
        let mut all: BTreeSet<String> = lint::off(&setup.config.filter.types, level, catalog).0.into_iter().collect();
        if let Some(o) = output {
            all.extend(lint::off(&o.filter.types, level, catalog).0);
        }
        all
    };
    let mut told: BTreeSet<String> = BTreeSet::new();
    for level in ["*SECURITY", "*AUTFAIL"] {
        for code in off(0, level).difference(&off(1, level)) {
            let c = counts(code);
            told.insert(code.clone());
            spots.push(Spot {
                kind: "type",
                what: code.clone(),
                text: format!(
                    "{code} of {level} is off; {} of its entries are in these captures",
                    if c.old == 0 { "none".to_owned() } else { grouped(c.old) }
                ),
                counts: c,
            });
        }
    }
    let security: BTreeSet<&String> = catalog
        .levels()
        .levels
        .iter()
        .filter(|l| matches!(l.value.as_str(), "*SECURITY" | "*AUTFAIL"))
        .flat_map(|l| &l.entry_types)
        .collect();
    for code in security.into_iter().filter(|c| !told.contains(*c)) {
        let c = counts(code);
        if c.old > 0 && c.new == 0 {
            spots.push(Spot {
                kind: "type",
                what: code.clone(),
                text: format!("{code} is on, but rules drop all {} of its entries", grouped(c.old)),
                counts: c,
            });
        }
    }
    for (user, c) in w.watch.privileged.iter().filter(|(_, c)| c.new < c.old) {
        let user = name(user, w.new.job);
        let what = if c.new == 0 { "none" } else { "only a part" };
        spots.push(Spot {
            kind: PRIVILEGED,
            text: format!("of what {user} does, {what} is sent: {} of {} entries", grouped(c.new), grouped(c.old)),
            what: user,
            counts: *c,
        });
    }
    let c = w.watch.audit_changes;
    if c.new < c.old {
        spots.push(Spot {
            kind: "audit changes",
            what: "changes to auditing".to_owned(),
            text: format!("{} of {} changes to auditing are not sent", grouped(c.old - c.new), grouped(c.old)),
            counts: c,
        });
    }
    for (library, c) in w.watch.libraries.iter().filter(|(_, c)| c.old > 0 && c.new == 0) {
        let library = name(library, w.new.job);
        spots.push(Spot {
            kind: "library",
            text: format!("none of the {} entries that name objects in {library} is sent", grouped(c.old)),
            what: library,
            counts: *c,
        });
    }
    spots
}
