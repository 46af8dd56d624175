//! Blind spots: what reached the SIEM under the baseline and does so no longer.
use std::collections::BTreeMap;

use crate::{
    cli::Failure,
    event::{Event, EventModel},
    filter::{Filter, Rules, State, names::Key, users},
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
