//! `what-if`: what a configuration would send of captures, how that differs from another one, and what the SIEM would
//! no longer see.
mod blind;
mod charts;
mod html;
mod json;
mod measure;
mod page;
mod report;
mod text;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{
    blind::Watch,
    measure::{Hours, Side},
    page::Page,
    report::Report,
};

use super::{
    console::{print, print_json},
    context::{Facts, Setup, load},
    exit::{Exit, Failure},
    input::InputArgs,
    replay::FormatArg,
    visit::{At, Visitor, walk},
};
use crate::{
    config::{Config, OutputConfig},
    decode::journal::{Entry, Heading},
    encode::{Encoder, Format},
    event::{EntryTime, Event},
    filter::{State, Verdict, users},
    pipeline::{self, Back, Front},
};

/// Options of `what-if`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    facts: Facts,
    /// The configuration to try
    #[arg(long, value_name = "NEW")]
    config: PathBuf,
    /// The configuration to compare with [default: everything is sent]
    #[arg(long, value_name = "OLD")]
    baseline: Option<PathBuf>,
    /// The output whose filter and format count [default: the first, or --format]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Format of the lines whose bytes are counted [default: that of the output, or cef]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Write a page with charts that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Warnings about the configuration are errors
    #[arg(long)]
    deny_warnings: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let new = Setup::new(&args.input, Some(&args.config), args.deny_warnings)?;
    let old = Setup {
        catalog: new.catalog.clone(),
        job: new.job,
        profile: new.profile.clone(),
        parts: new.parts.clone(),
        config: match &args.baseline {
            Some(path) => load(path, &new.catalog, None, false)?,
            None => Config::default(),
        },
    };
    let page = args.html.as_deref().map(|path| Page::open(path, &args.input.captures)).transpose()?;
    let new_output = chosen(&new, args.output.as_deref())?;
    let old_output = match &args.output {
        Some(name) => old.config.output(name),
        None => old.config.outputs.first(),
    };
    // Without a baseline the lines are the same ones, so that the difference is the filter's alone.
    let format = |own: Option<&OutputConfig>| {
        args.format.map(FormatArg::format).or(own.or(new_output).map(|o| o.format)).unwrap_or(Format::Cef)
    };
    let mut watch = Watching {
        args,
        new: &new,
        old: &old,
        outputs: (new_output, old_output),
        formats: (format(new_output), format(old_output)),
        sides: (Side::default(), Side::default()),
        states: (State::default(), State::default()),
        watch: Watch::new(&new.config.filter),
        hours: Hours::default(),
        without_time: 0,
        titles: Vec::new(),
    };
    let walked = walk(&new.catalog, &args.input, &args.facts, &mut watch)?;
    if !args.json {
        walked.warn();
    }
    let exit = walked.exit();
    let report = Report::new(watch, walked);
    // The report goes out whatever becomes of the page.
    let said = if args.json { print_json(&format!("{}\n", report.json())) } else { print(&report.text()) };
    if let Some(page) = page {
        page.write(&html::page(&report))?;
    }
    said.map(|()| exit)
}

fn chosen<'s>(setup: &'s Setup, name: Option<&str>) -> Result<Option<&'s OutputConfig>, Failure> {
    match name {
        Some(_) => setup.output(name),
        None => Ok(setup.config.outputs.first()),
    }
}

/// Both configurations, and what they did so far.
struct Watching<'a> {
    args: &'a Args,
    new: &'a Setup,
    old: &'a Setup,
    /// New and old.
    outputs: (Option<&'a OutputConfig>, Option<&'a OutputConfig>),
    formats: (Format, Format),
    sides: (Side, Side),
    states: (State, State),
    watch: Watch,
    /// When entries were written.
    hours: Hours,
    without_time: u64,
    /// Code (or title, for foreign ones) of each event type, by index.
    titles: Vec<(String, String)>,
}

/// For one heading: what each side makes of events.
struct Lane {
    new: (Front, Back),
    old: (Front, Back),
    watch: blind::Lane,
}

impl Visitor for Watching<'_> {
    type Lane = Lane;

    fn lane(&mut self, heading: &Arc<Heading>) -> Result<Lane, Failure> {
        let side = |setup: &Setup, format, output: Option<&OutputConfig>| -> Result<(Front, Back), Failure> {
            let settings = setup.settings(format, self.args.facts.given(setup.job)?, output);
            Ok((setup.front(heading, None)?, setup.back(heading, output, settings, false)?))
        };
        let new = side(self.new, self.formats.0, self.outputs.0)?;
        let model = new.1.judge.model();
        if self.titles.is_empty() {
            self.titles = (0..model.len()).map(|i| (model.code(i).to_owned(), model.title(i))).collect();
        }
        let old = side(self.old, self.formats.1, self.outputs.1)?;
        Ok(Lane { watch: self.watch.lane(model)?, new, old })
    }

    fn entry(
        &mut self,
        lane: &mut Lane,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        _: At<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        let Lane { new: (front, Back { judge, encoder }), old, watch } = lane;
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
        self.watch.event(watch, &ev, old.is_sent(), new.is_sent());
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

/// A path as people gave it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
