//! Going through the captures with both configurations.
use std::{ops::ControlFlow, sync::Arc};

use super::{
    args::Args,
    blind_spots::{BlindSpotDetector, HeadingFilter},
    measure::{Hours, Side},
};
use crate::{
    cli::{
        context::Setup,
        exit::Failure,
        visit::{EntryLocation, Visitor},
    },
    config::OutputConfig,
    decode::journal::{Entry, Heading},
    encode::{Encoder, Format},
    event::{EntryTime, Event},
    filter::{State, Verdict, users},
    pipeline::{self, Back, Front},
};

/// Both configurations, and what they did so far.
pub struct Comparison<'a> {
    pub args: &'a Args,
    pub new: &'a Setup,
    pub old: &'a Setup,
    /// New and old.
    pub outputs: (Option<&'a OutputConfig>, Option<&'a OutputConfig>),
    pub formats: (Format, Format),
    pub sides: (Side, Side),
    pub states: (State, State),
    pub detector: BlindSpotDetector,
    /// When entries were written.
    pub hours: Hours,
    pub without_time: u64,
    /// Code (or title, for foreign ones) of each event type, by index.
    pub titles: Vec<(String, String)>,
}

/// For one heading: what each side makes of events.
pub struct Pipeline {
    new: (Front, Back),
    old: (Front, Back),
    blind_spots: HeadingFilter,
}

impl Visitor for Comparison<'_> {
    type Pipeline = Pipeline;
    const COUNTED: bool = true;

    fn pipeline(&mut self, heading: &Arc<Heading>) -> Result<Pipeline, Failure> {
        let side = |setup: &Setup, format, output: Option<&OutputConfig>| -> Result<(Front, Back), Failure> {
            let settings = setup.settings(format, self.args.heading_args.given(setup.job)?, output);
            Ok((setup.front(heading, None)?, setup.back(heading, output, settings, false)?))
        };
        let new = side(self.new, self.formats.0, self.outputs.0)?;
        let model = new.1.judge.model();
        if self.titles.is_empty() {
            self.titles = (0..model.len()).map(|i| (model.code(i).to_owned(), model.title(i))).collect();
        }
        let old = side(self.old, self.formats.1, self.outputs.1)?;
        Ok(Pipeline { blind_spots: self.detector.heading_filter(model)?, new, old })
    }

    fn entry(
        &mut self,
        pipeline: &mut Pipeline,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        _: EntryLocation<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        let Pipeline { new: (front, Back { judge, encoder }), old, blind_spots } = pipeline;
        let second = time.map(|t| t.utc_micros.div_euclid(1_000_000));
        match second {
            Some(s) => self.hours.add(s),
            None => self.without_time += 1,
        }
        let mut line = Vec::with_capacity(1 << 10);
        let (ev, new) = pipeline::see(front, judge, entry, time, &mut self.states.0);
        let new_bytes = bytes(encoder, &ev, &mut line);
        let (front, Back { judge, encoder }) = old;
        let (old_ev, old) = pipeline::see(front, judge, entry, time, &mut self.states.1);
        // Without a baseline the lines of the old side are those of the new one.
        let old_bytes = if self.args.baseline.is_some() { bytes(encoder, &old_ev, &mut line) } else { new_bytes };
        count(&mut self.sides.0, &ev, new, new_bytes, second);
        count(&mut self.sides.1, &ev, old, old_bytes, second);
        self.detector.event(blind_spots, &ev, old.is_sent(), new.is_sent());
        Ok(ControlFlow::Continue(()))
    }
}

/// The bytes of the line, sent or not: what is dropped is what is saved.
fn bytes(encoder: &mut Encoder, ev: &Event<'_>, line: &mut Vec<u8>) -> u64 {
    line.clear();
    encoder.encode(ev, line).total as u64
}

fn count(side: &mut Side, ev: &Event<'_>, verdict: Verdict, bytes: u64, second: Option<i64>) {
    match verdict {
        Verdict::Dropped(rule) => {
            side.dropped.add(bytes);
            return side.rules.entry(rule).or_default().add(bytes);
        }
        Verdict::AuditChange(_, Some(_)) => side.kept_audit_changes += 1,
        Verdict::AuditChange(_, None) | Verdict::Sent => {}
    }
    side.sent.add(bytes);
    side.types.entry(ev.kind.index).or_default().add(bytes);
    let (effective, job) = users(ev);
    side.effective_users.entry(effective).or_default().add(bytes);
    side.job_users.entry(job).or_default().add(bytes);
    if let (Some(s), Some(t)) = (second, ev.time) {
        *side.seconds.entry(s).or_default() += 1;
        *side.days.entry((s + i64::from(t.offset)).div_euclid(86_400)).or_default() += bytes;
        side.timeline.add(s, ev.kind.index);
    }
}
