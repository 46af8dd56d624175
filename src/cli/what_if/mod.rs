//! `what-if`: what a configuration would send of captures, how that differs from another one, and what the SIEM would
//! no longer see.
mod args;
mod blind_spots;
mod charts;
mod comparison;
mod html;
mod json;
mod measure;
mod report;
mod text;

pub use self::args::Args;
use self::{
    blind_spots::BlindSpotDetector,
    comparison::Comparison,
    measure::{Hours, Side},
    report::Report,
};
use super::{
    console::{print, print_json},
    context::{Setup, load},
    exit::{Exit, Failure},
    page::file::PageFile,
    replay::FormatArg,
    visit::visit,
};
use crate::{
    config::{Config, OutputConfig},
    encode::Format,
    filter::State,
};

/// Runs `what-if`.
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
    let page = args.html.as_deref().map(|path| PageFile::open(path, &args.input.captures)).transpose()?;
    let new_output = chosen(&new, args.output.as_deref())?;
    let old_output = match &args.output {
        Some(name) => old.config.output(name),
        None => old.config.outputs.first(),
    };
    // Without a baseline the lines are the same ones, so that the difference is the filter's alone.
    let format = |own: Option<&OutputConfig>| {
        args.format.map(FormatArg::format).or(own.or(new_output).map(|o| o.format)).unwrap_or(Format::Cef)
    };
    let mut comparison = Comparison {
        args,
        new: &new,
        old: &old,
        outputs: (new_output, old_output),
        formats: (format(new_output), format(old_output)),
        sides: (Side::default(), Side::default()),
        states: (State::default(), State::default()),
        detector: BlindSpotDetector::new(&new.config.filter),
        hours: Hours::default(),
        without_time: 0,
        titles: Vec::new(),
    };
    let stats = visit(&new.catalog, &args.input, &args.heading_args, &mut comparison)?;
    if !args.json {
        stats.warn();
    }
    let exit = stats.exit();
    let report = Report::new(comparison, stats);
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
