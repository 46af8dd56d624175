//! Rules compiled for the events of one model, and their verdict.
use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use super::{
    Dimension, FilterError, Lists, RuleId, RuleOutcome, Rules, Selection, State, UserMatch, Verdict,
    addresses::{self, NetworkTable},
    history,
    names::{Key, Name, NameTree, Qualified},
    paths::PathTree,
    places::Places,
    protect::{AuditChanges, Privileged},
    select, types, users,
};
use crate::{
    decode::{ebcdic::Charset, journal::heading::Span},
    event::{Event, EventModel},
};

/// Rules compiled for the events of one model.
pub struct Filter {
    job: &'static Charset,
    selection: Option<select::CompiledSelection>,
    types: types::CompiledTypes,
    objects: Pair<3>,
    match_commands: bool,
    ifs: PathTree,
    users: Pair<1>,
    user_match: UserMatch,
    privileged: Privileged,
    system_values: Pair<1>,
    programs: Pair<2>,
    jobs: Pair<3>,
    /// Rules over jobs that name a user: they are rules over users too.
    jobs_of_users: Pair<3>,
    remote: (NetworkTable, NetworkTable),
    history: history::CompiledHistory,
    audit_changes: Option<(AuditChanges, u8)>,
    /// The dimensions that have rules, but for types.
    active: Vec<Dimension>,
    places: Vec<OnceLock<Places>>,
    /// Index of the event type of journal code J.
    journal_code_j: usize,
}

/// Exclude and include of names in `N` parts.
struct Pair<const N: usize> {
    exclude: NameTree<N>,
    include: NameTree<N>,
}

impl<const N: usize> Pair<N> {
    fn new(lists: &Lists<Qualified<N>>, job: &'static Charset) -> Pair<N> {
        Pair { exclude: NameTree::new(lists.exclude.iter(), job), include: NameTree::new(lists.include.iter(), job) }
    }

    /// An include of any of these beats an exclude of any of them.
    #[inline]
    fn evaluate(&self, several: &[[Option<Key>; N]]) -> RuleOutcome {
        let first = |tree: &NameTree<N>| several.iter().filter_map(|names| tree.find(names)).min();
        match first(&self.exclude) {
            None => RuleOutcome::Nothing,
            Some(exclude) => match first(&self.include) {
                Some(include) => RuleOutcome::Keep(include),
                None => RuleOutcome::Drop(exclude),
            },
        }
    }
}

impl Filter {
    /// Compiles rules for a model. Fails for a type or level that no table knows.
    pub fn new(model: &EventModel, rules: &Rules, selection: Option<&Selection>) -> Result<Filter, FilterError> {
        let job = model.job_charset();
        let split = |with_user: bool| Lists {
            exclude: rules.jobs.exclude.iter().filter(|r| (r.pattern[1] != Name::All) == with_user).cloned().collect(),
            include: rules.jobs.include.clone(),
        };
        let remote = (NetworkTable::new(rules.remote.exclude.iter()), NetworkTable::new(rules.remote.include.iter()));
        let active = [
            (Dimension::Users, rules.users.is_empty()),
            (Dimension::Objects, rules.objects.is_empty()),
            (Dimension::Ifs, rules.ifs.is_empty()),
            (Dimension::SystemValues, rules.system_values.is_empty()),
            (Dimension::Programs, rules.programs.is_empty()),
            (Dimension::Jobs, rules.jobs.is_empty()),
            (Dimension::Remote, rules.remote.is_empty()),
            (Dimension::History, rules.history.is_empty()),
        ];
        Ok(Filter {
            job,
            selection: selection.map(|s| select::CompiledSelection::new(model, s)).transpose()?,
            types: types::CompiledTypes::new(model, &rules.types)?,
            objects: Pair::new(&rules.objects, job),
            match_commands: rules.match_commands,
            ifs: PathTree::new(&rules.ifs),
            users: Pair::new(&rules.users, job),
            user_match: rules.user_match,
            privileged: Privileged::new(&rules.privileged, &rules.allow_filtering_privileged, job),
            system_values: Pair::new(&rules.system_values, job),
            programs: Pair::new(&rules.programs, job),
            jobs: Pair::new(&split(false), job),
            jobs_of_users: Pair::new(&split(true), job),
            remote,
            history: history::CompiledHistory::new(model, &rules.history),
            audit_changes: rules.protect_audit_changes.then(|| (AuditChanges::new(job), rules.audit_change_severity)),
            active: active.into_iter().filter(|(_, empty)| !empty).map(|(d, _)| d).collect(),
            places: (0..model.len()).map(|_| OnceLock::new()).collect(),
            journal_code_j: model.journal_code_j(),
        })
    }

    /// The verdict. Learns from the event first: a profile that it shows to be privileged is so from this event on.
    #[inline]
    pub fn verdict(&self, ev: &Event<'_>, state: &mut State) -> Verdict {
        let Some(places) = self.places(ev) else { return Verdict::Sent };
        if let Some(profile) = places.profile.as_ref().and_then(|p| p.privileged(&ev.entry)) {
            state.learned.add(profile);
        }
        if let Some(rule) = self.selection.as_ref().and_then(|s| s.drops(ev)) {
            return Verdict::Dropped(rule);
        }
        let dropped = self.type_rule(ev).or_else(|| {
            self.active.iter().find_map(|d| match self.evaluate(*d, ev, places, state) {
                RuleOutcome::Drop(rule) => Some(rule),
                _ => None,
            })
        });
        match (&self.audit_changes, dropped) {
            (Some((changes, severity)), _) if changes.holds(ev, places) => Verdict::AuditChange(*severity, dropped),
            (_, Some(rule)) => Verdict::Dropped(rule),
            (_, None) => Verdict::Sent,
        }
    }

    /// What every dimension says of an event, for an explanation. `None`: the dimension has no rules.
    pub fn explain(&self, ev: &Event<'_>, state: &mut State) -> Vec<(Dimension, Option<RuleOutcome>)> {
        let Some(places) = self.places(ev) else { return Vec::new() };
        // Each kind of event has one dimension that the other has not.
        let other = if ev.kind.is_history() { Dimension::Types } else { Dimension::History };
        Dimension::ALL
            .iter()
            .copied()
            .filter(|d| *d != other)
            .map(|d| {
                (d, (d == Dimension::Types || self.active.contains(&d)).then(|| self.evaluate(d, ev, places, state)))
            })
            .collect()
    }

    /// Where the values stand that rules look at.
    #[inline]
    pub fn places(&self, ev: &Event<'_>) -> Option<&Places> {
        let at = ev.kind.index;
        self.places.get(at).map(|p| p.get_or_init(|| Places::new(ev.kind, at == self.journal_code_j)))
    }

    /// Whether either user of an event is privileged.
    pub fn is_privileged(&self, ev: &Event<'_>, state: &State) -> bool {
        let (effective, job) = users(ev);
        self.privileged.holds(effective, &state.learned) || self.privileged.holds(job, &state.learned)
    }

    /// Whether a user is privileged, as far as is known.
    pub fn is_privileged_user(&self, user: Key, state: &State) -> bool {
        self.privileged.holds(Some(user), &state.learned)
    }

    /// Whether an event is a change to auditing that no rule can drop.
    pub fn is_protected(&self, ev: &Event<'_>) -> bool {
        self.audit_changes.as_ref().zip(self.places(ev)).is_some_and(|((changes, _), places)| changes.holds(ev, places))
    }

    fn evaluate(&self, dimension: Dimension, ev: &Event<'_>, places: &Places, state: &mut State) -> RuleOutcome {
        match dimension {
            Dimension::Types => self.type_rule(ev).map_or(RuleOutcome::Nothing, RuleOutcome::Drop),
            Dimension::History => self.history.drops(ev).map_or(RuleOutcome::Nothing, RuleOutcome::Drop),
            Dimension::Users => self.unless_privileged(self.evaluate_users(ev), ev, state),
            Dimension::Objects => {
                if places.objects.is_empty() || places.is_command && !self.match_commands {
                    return RuleOutcome::Nothing;
                }
                let mut found = [[None; 3]; 2];
                let mut n = 0;
                for (to, names) in found.iter_mut().zip(places.objects.iter().filter_map(|o| o.of(&ev.entry))) {
                    *to = names;
                    n += 1;
                }
                self.objects.evaluate(found.get(..n).unwrap_or(&[]))
            }
            Dimension::Ifs => self.evaluate_paths(ev, places, state),
            Dimension::SystemValues => match places.system_value.and_then(|s| Key::of(s.of(ev.entry.data))) {
                Some(name) => self.system_values.evaluate(&[[Some(name)]]),
                None => RuleOutcome::Nothing,
            },
            Dimension::Programs => {
                let h = ev.entry.heading;
                match Key::of(h.program_name.of(ev.entry.record)) {
                    Some(name) => self.programs.evaluate(&[[Key::of(ev.entry.head(h.program_library)), Some(name)]]),
                    None => RuleOutcome::Nothing,
                }
            }
            Dimension::Jobs => {
                let h = ev.entry.heading;
                let key = |span: Span| Key::of(span.of(ev.entry.record));
                let Some(name) = key(h.job_name) else { return RuleOutcome::Nothing };
                let names = [[key(h.job_number), key(h.job_user), Some(name)]];
                match self.jobs.evaluate(&names) {
                    RuleOutcome::Nothing => self.unless_privileged(self.jobs_of_users.evaluate(&names), ev, state),
                    outcome => outcome,
                }
            }
            Dimension::Remote => {
                let Some(address) = self.remote_address(ev, places) else { return RuleOutcome::Nothing };
                match (self.remote.0.find(address), self.remote.1.find(address)) {
                    (None, _) => RuleOutcome::Nothing,
                    (Some(_), Some(include)) => RuleOutcome::Keep(include),
                    (Some(exclude), None) => RuleOutcome::Drop(exclude),
                }
            }
        }
    }

    /// The remote address: that of the heading or, where blank, of the entry's own field.
    pub(super) fn remote_address(&self, ev: &Event<'_>, places: &Places) -> Option<IpAddr> {
        let head = ev.entry.head(ev.entry.heading.remote_address);
        let own = places.remote_address.map_or(&[][..], |s| s.of(ev.entry.data));
        addresses::address(if head.iter().all(|b| *b == 0x40) { own } else { head })
    }

    /// The character set of the jobs.
    pub(super) fn charset(&self) -> &'static Charset {
        self.job
    }

    /// Whether the object of a CD entry is looked at.
    pub(super) fn matches_commands(&self) -> bool {
        self.match_commands
    }

    /// The rule over types that drops an entry. Messages of the history log have none.
    #[inline]
    fn type_rule(&self, ev: &Event<'_>) -> Option<RuleId> {
        if ev.kind.is_history() { None } else { self.types.drops(ev) }
    }

    fn evaluate_users(&self, ev: &Event<'_>) -> RuleOutcome {
        let (effective, job) = users(ev);
        let (one, other) = match self.user_match {
            UserMatch::Effective => (effective, None),
            UserMatch::Job => (job, None),
            UserMatch::Either => (effective, job),
        };
        match (one, other) {
            (None, None) => RuleOutcome::Nothing,
            (Some(_), None) => self.users.evaluate(&[[one]]),
            (None, Some(_)) => self.users.evaluate(&[[other]]),
            (Some(_), Some(_)) => self.users.evaluate(&[[one], [other]]),
        }
    }

    fn unless_privileged(&self, outcome: RuleOutcome, ev: &Event<'_>, state: &State) -> RuleOutcome {
        match outcome {
            RuleOutcome::Drop(rule) if self.is_privileged(ev, state) => RuleOutcome::Privileged(rule),
            outcome => outcome,
        }
    }

    fn evaluate_paths(&self, ev: &Event<'_>, places: &Places, state: &mut State) -> RuleOutcome {
        let Some(layout) = ev.kind.layout.as_deref() else { return RuleOutcome::Nothing };
        let mut best = None;
        for place in &places.paths {
            if let Some((bytes, charset)) = place.of(layout, &ev.entry, self.job)
                && state.path.decode(bytes, charset)
            {
                best = best.max(self.ifs.rank(&state.path, &mut state.scratch));
            }
        }
        match best.and_then(|rank| self.ifs.ruling(rank)) {
            None => RuleOutcome::Nothing,
            Some((rule, true)) => RuleOutcome::Keep(rule),
            Some((rule, false)) => RuleOutcome::Drop(rule),
        }
    }
}

/// The filters an event passes one after another: the agent's, then that of an output, which can only narrow further.
#[derive(Default)]
pub struct FilterChain {
    stages: Vec<Arc<Filter>>,
}

impl FilterChain {
    /// In this order.
    pub fn new(stages: Vec<Arc<Filter>>) -> FilterChain {
        FilterChain { stages }
    }

    /// The filters.
    pub fn stages(&self) -> &[Arc<Filter>] {
        &self.stages
    }

    /// Sent if every filter sends it. The state serves all of them: what is learned belongs to the system.
    #[inline]
    pub fn verdict(&self, ev: &Event<'_>, state: &mut State) -> Verdict {
        let mut verdict = Verdict::Sent;
        for stage in &self.stages {
            verdict = verdict.then(stage.verdict(ev, state));
            if !verdict.is_sent() {
                break;
            }
        }
        verdict
    }
}
