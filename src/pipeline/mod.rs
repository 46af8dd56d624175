//! The one way from a record to a line: entry, event, verdict, lane, line.
//!
//! For: everything that makes lines or says what lines would be made: the agent, `replay`, `explain`, `what-if`. [`Front`] is
//! the half before the spool (the event of an entry, and what the filters of agent and source say of it), [`Back`] the half
//! behind it (what the filter of an output says, in which lane the event goes, what its line is). Where there is no spool,
//! one follows the other ([`see`]). Not for: reading records, keeping events, sending lines.
//!
//! Invariants: the same entry, the same rules, the same known profiles: the same verdict, severity and line, whoever asks;
//! models, filters and plans are made once for what they depend on, not for each source and output ([`Parts`]).
mod parts;

use std::sync::Arc;

pub use parts::Parts;

use crate::{
    config::{OutputConfig, output::BudgetExemption},
    decode::{
        ebcdic::Charset,
        journal::{Entry, Heading},
    },
    encode::{Encoder, Settings},
    event::{EntryTime, Event, EventModel, Options},
    filter::{Filter, FilterChain, FilterError, Rules, Selection, State, UnknownType, Verdict, types::CompiledTypes},
    spool::Lane,
};

/// The half before the spool.
pub struct Front {
    model: Arc<EventModel>,
    filters: FilterChain,
}

impl Front {
    /// For the entries of a heading. An event passes the rules one after another; `selection` is that of a command line.
    pub fn new(
        parts: &Parts,
        (heading, job): (&Arc<Heading>, &'static Charset),
        options: &Options,
        rules: &[&Rules],
        selection: Option<&Selection>,
    ) -> Result<Front, FilterError> {
        let model = parts.model(heading, job, options);
        let mut stages = Vec::new();
        for (n, rules) in rules.iter().enumerate() {
            stages.push(match selection.filter(|_| n == 0) {
                Some(selection) => Arc::new(Filter::new(&model, rules, Some(selection))?),
                None => parts.filter(&model, rules)?,
            });
        }
        Ok(Front { model, filters: FilterChain::new(stages) })
    }

    /// The model of its events.
    pub fn model(&self) -> &Arc<EventModel> {
        &self.model
    }

    /// Its filters.
    pub fn filters(&self) -> &FilterChain {
        &self.filters
    }

    /// The event of an entry.
    #[inline]
    pub fn event<'a>(&'a self, entry: Entry<'a>, time: Option<EntryTime>) -> Event<'a> {
        self.model.event(entry, time)
    }

    /// What the filters say of an event of [`Front::event`]; one that is sent has the severity that they raise it to.
    #[inline]
    pub fn verdict(&self, ev: &mut Event<'_>, state: &mut State) -> Verdict {
        let verdict = self.filters.verdict(ev, state);
        verdict.raise(ev);
        verdict
    }
}

/// The half behind the spool: one output, or a format where there is none.
pub struct Back {
    /// What says whether and in which lane an event goes.
    pub judge: Judge,
    /// What writes its line.
    pub encoder: Encoder,
}

/// What an output says of events.
pub struct Judge {
    model: Arc<EventModel>,
    /// Its own filter, and what that does.
    filter: Option<(Arc<Filter>, Effects)>,
    priority: Option<CompiledTypes>,
    /// What passes a spent daily budget; `None` where there is none.
    pass: Option<Passing>,
}

/// What rules do to events.
#[derive(Clone, Copy)]
struct Effects {
    drops: bool,
    audit_floor: u8,
}

/// What passes a spent daily budget.
struct Passing {
    types: Option<CompiledTypes>,
    severity: Option<u8>,
}

impl Passing {
    fn new(model: &EventModel, pass: &BudgetExemption) -> Result<Passing, UnknownType> {
        let none = pass.types.send.is_empty();
        let types = if none { None } else { Some(CompiledTypes::new(model, &pass.types)?) };
        Ok(Passing { types, severity: pass.severity })
    }

    fn passes(&self, ev: &Event<'_>) -> bool {
        self.types.as_ref().is_some_and(|t| t.drops(ev).is_none()) || self.severity.is_some_and(|s| ev.severity() >= s)
    }
}

impl Back {
    /// For the entries of a heading. `options` are those of the agent; an output says itself whether it carries guesses.
    pub fn new(
        parts: &Parts,
        (heading, job): (&Arc<Heading>, &'static Charset),
        options: &Options,
        output: Option<&OutputConfig>,
        settings: Settings,
    ) -> Result<Back, FilterError> {
        let guesses = output.map_or(options.include_guesses, |o| o.include_guesses || options.include_guesses);
        let model = parts.model(heading, job, &Options { include_guesses: guesses, ..options.clone() });
        let encoder = Encoder::with_plans(parts.plans(&model, &settings), settings);
        let mut judge = Judge { filter: None, priority: None, pass: None, model };
        if let Some(output) = output {
            let effects = Effects { drops: !output.filter.is_empty(), audit_floor: output.filter.audit_floor() };
            judge.filter = Some((parts.filter(&judge.model, &output.filter)?, effects));
            if !output.priority_types.send.is_empty() {
                judge.priority = Some(CompiledTypes::new(&judge.model, &output.priority_types)?);
            }
            if output.limits.bytes_per_day.is_some() {
                judge.pass = Some(Passing::new(&judge.model, &output.pass)?);
            }
        }
        Ok(Back { judge, encoder })
    }
}

impl Judge {
    /// The model of its events.
    pub fn model(&self) -> &Arc<EventModel> {
        &self.model
    }

    /// Its filter.
    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref().map(|(filter, _)| &**filter)
    }

    /// Whether its filter does something to events whose changes to auditing have been raised to this severity before.
    pub fn has_effects(&self, raised: u8) -> bool {
        self.filter.as_ref().is_some_and(|(_, e)| e.drops || e.audit_floor > raised)
    }

    /// What its own filter says of an event of its model; one that is sent has the severity that it raises it to.
    #[inline]
    pub fn verdict(&self, ev: &mut Event<'_>, state: &mut State) -> Verdict {
        let Some((filter, _)) = &self.filter else { return Verdict::Sent };
        let verdict = filter.verdict(ev, state);
        verdict.raise(ev);
        verdict
    }

    /// The lane of an event that its filter sends, with the severity it has then.
    #[inline]
    pub fn lane(&self, ev: &Event<'_>) -> Lane {
        let first = self.priority.as_ref().is_some_and(|p| p.drops(ev).is_none());
        let held = self.pass.as_ref().is_some_and(|p| !p.passes(ev));
        Lane::of(first, held)
    }
}

/// The event of an entry as an output sees it, and what all filters say of it, with no spool in between. Learns from the entry.
#[inline(always)] // an event is large: it is made where it is used
pub fn see<'a>(
    front: &'a Front,
    judge: &'a Judge,
    entry: Entry<'a>,
    time: Option<EntryTime>,
    state: &mut State,
) -> (Event<'a>, Verdict) {
    let mut ev = front.event(entry, time);
    let first = front.verdict(&mut ev, state);
    if !Arc::ptr_eq(front.model(), judge.model()) {
        ev = Event { severity_floor: ev.severity_floor, ..judge.model.event(entry, time) };
    }
    let verdict = if first.is_sent() { first.then(judge.verdict(&mut ev, state)) } else { first };
    (ev, verdict)
}
