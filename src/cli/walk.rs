//! Going through captures entry by entry, for commands that look and do not send.
use std::{ops::ControlFlow, sync::Arc};

use anyhow::anyhow;

use super::{
    Failure,
    input::{InputArgs, capture_failure},
    setup::{Facts, Setup},
};
use crate::{
    decode::journal::{Entry, Heading},
    event::{Clock, Event, EventModel},
    source::{Item, capture},
};

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The capture.
    pub capture: &'a str,
    /// Bytes before its record.
    pub offset: u64,
    /// How many entries came before it, in all captures.
    pub nth: u64,
}

/// What went by.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// What each capture was found to be.
    pub captures: Vec<String>,
}

/// Looks at every event.
pub trait Visitor {
    /// What it needs for each heading.
    type Lane;

    /// Made when the first capture with this heading is opened.
    fn lane(&mut self, model: &EventModel) -> Result<Self::Lane, Failure>;

    /// One event; `Break` ends the walk.
    fn event(
        &mut self,
        lane: &mut Self::Lane,
        model: &EventModel,
        ev: Event<'_>,
        at: At<'_>,
    ) -> Result<ControlFlow<()>, Failure>;
}

/// Visits every event of the captures, in order.
pub fn walk<V: Visitor>(
    setup: &Setup,
    input: &InputArgs,
    facts: &Facts,
    include_guesses: bool,
    visitor: &mut V,
) -> Result<Walked, Failure> {
    capture::check_paths(&input.captures).map_err(capture_failure)?;
    let mut walked = Walked::default();
    let mut lanes: Vec<(Arc<Heading>, EventModel, V::Lane)> = Vec::new();
    for path in &input.captures {
        let mut source = input.open(&setup.catalog, path)?;
        let heading = source.found().heading.clone();
        let name = source.name().to_owned();
        walked.captures.push(format!("{name}: {}", source.found()));
        facts.needed(&heading).map_err(|e| Failure::usage(anyhow!("{name}: {e}")))?;
        if !lanes.iter().any(|(h, ..)| Arc::ptr_eq(h, &heading)) {
            let model = setup.model(&heading, include_guesses);
            let lane = visitor.lane(&model)?;
            lanes.push((heading.clone(), model, lane));
        }
        let Some((_, model, lane)) = lanes.iter_mut().find(|(h, ..)| Arc::ptr_eq(h, &heading)) else { continue };
        let mut clock = Clock::new(facts.zone(), facts.dates());
        while let Some(Item::Record(record, offset) | Item::Cut(record, offset)) =
            source.next().map_err(capture_failure)?
        {
            walked.read += 1;
            let Ok(entry) = Entry::new(&heading, record) else {
                walked.parked += 1;
                continue;
            };
            let time = clock.read(&entry);
            let at = At { capture: &name, offset, nth: walked.read - 1 };
            if visitor.event(lane, model, model.event(entry, time), at)?.is_break() {
                return Ok(walked);
            }
        }
    }
    Ok(walked)
}
