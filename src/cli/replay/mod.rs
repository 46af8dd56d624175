//! `replay`: a captured audit journal as lines, to a terminal, a file or a SIEM.
//!
//! The loop of this program in small: read a record, see the entry, ask the filter, encode, send, count.
mod args;

use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::anyhow;
use chrono_tz::Tz;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    console::say,
    context::Setup,
    exit::{Exit, Failure},
    input::capture_failure,
    signals,
    summary::Summary,
};
use crate::{
    decode::journal::{Entry, Heading},
    encode::Settings,
    event::{Clock, DateFormat},
    filter::{Selection, State, Verdict},
    log,
    net::ConnectError,
    output::{OutputError, Sink, Target, rate_limit::Pace},
    pipeline::{self, Back, Front},
    runtime::block_on,
    source::{Capture, Item, capture, derived::placeholder, gap_detector::GapDetector},
};
use args::SummaryKind;
pub use args::{Args, FormatArg};

/// Runs `replay`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut run = Run::new(args)?;
    let stop = signals::stop_flag().map_err(Failure::failed)?;
    let begin = Instant::now();
    let result = run.all(args, &stop);
    run.summary.elapsed = begin.elapsed();
    run.progress.finish_and_clear();
    if run.summary.read > 0 || result.is_ok() {
        run.report(args.summary);
    }
    match result {
        Ok(()) if stop.load(Ordering::Relaxed) => Ok(Exit::Interrupted),
        Ok(()) => Ok(run.exit(args.strict)),
        Err(Stop::Pipe) => Ok(Exit::Done),
        Err(Stop::Failure(f)) => Err(f),
        Err(Stop::Output(e)) => Err(Failure::failed(e)),
    }
}

/// Why a run ended before the end.
enum Stop {
    /// The reader of standard output went away.
    Pipe,
    /// Writing failed; not yet said what that means for the run.
    Output(OutputError),
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(f: Failure) -> Stop {
        Stop::Failure(f)
    }
}

/// The pipeline for one heading.
struct Pipeline {
    heading: Arc<Heading>,
    front: Front,
    back: Back,
}

struct Run {
    setup: Setup,
    selection: Selection,
    settings: Settings,
    target: Target,
    /// What the filters learn belongs to the system, not to one heading.
    state: State,
    zone: Tz,
    pipelines: Vec<Pipeline>,
    pace: Option<Pace>,
    /// Where in the journal it is.
    detector: GapDetector,
    summary: Summary,
    progress: ProgressBar,
}

impl Run {
    fn new(args: &Args) -> Result<Run, Failure> {
        let mut setup = Setup::new(&args.input, args.select.config.as_deref(), args.select.deny_warnings)?;
        let zone = args.heading_args.zone();
        let selection = args.select.selection(&mut setup.config.book, zone)?;
        let output = setup.output(args.select.output.as_deref())?;
        let target = args.to.target(output);
        args.to.check(&target)?;
        capture::check_paths(&args.input.captures).map_err(capture_failure)?;
        let mut summary = Summary::new(setup.config.book.clone());
        if args.heading_args.timezone.is_none() {
            summary.warnings.push("no --timezone was given: entry times were taken as UTC".into());
        }
        if args.to.insecure_skip_verify {
            say(format_args!(
                "qaudjrn: warning: --insecure-skip-verify: the receiver is not verified; anyone on the way can read and change the lines\n"
            ));
        }
        let settings = args::settings(args, &setup, output)?;
        let given = args.heading_args.given(setup.job)?;
        let detector = GapDetector::new(setup.job, given, setup.config.gaps, Default::default());
        let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Ok(Run {
            pace: args.to.rate.map(Pace::new),
            state: State::default(),
            setup,
            selection,
            settings,
            detector,
            target,
            zone,
            summary,
            progress,
            pipelines: Vec::new(),
        })
    }

    fn all(&mut self, args: &Args, stop: &AtomicBool) -> Result<(), Stop> {
        // The first capture is looked at before the receiver is called: a wrong file costs no connection.
        let mut captures = args.input.captures.iter();
        let next = match captures.next() {
            Some(path) => Some(args.input.open_dated(&self.setup.catalog, path, args.heading_args.dates())?),
            None => None,
        };
        if let Some(capture) = &next {
            self.pipeline(capture, args)?;
        }
        let output = self.setup.output(args.select.output.as_deref())?;
        let framing = args.to.framing(&self.target, output);
        let mut sink = Sink::open(&self.target, framing, &args.to.tls(output)).map_err(output_failure)?;
        let result = self.captures(args, captures, next, &mut sink, stop);
        // Whatever ended the reading, what was encoded before it goes out; the first failure is the one to report.
        let finished = if matches!(result, Err(Stop::Output(_))) { Ok(()) } else { sink.finish() };
        if sink.unwritten_lines() == 0 {
            self.summary.written();
        } else {
            self.summary.lost();
        }
        self.summary.refuse(sink.refused());
        if let Some(said) = sink.note() {
            self.summary.answered += 1;
            self.summary.warnings.push(said);
        }
        match result.and(finished.map_err(Stop::Output)) {
            Err(Stop::Output(e)) => Err(self.send_failure(e)),
            other => other,
        }
    }

    fn captures<'a>(
        &mut self,
        args: &Args,
        mut paths: impl Iterator<Item = &'a PathBuf>,
        mut next: Option<Capture>,
        sink: &mut Sink,
        stop: &AtomicBool,
    ) -> Result<(), Stop> {
        while let Some(capture) = next.take() {
            let pipeline = self.pipeline(&capture, args)?;
            self.start_progress(&capture);
            self.capture(pipeline, capture, args.heading_args.dates(), sink, stop)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if let Some(path) = paths.next() {
                next = Some(args.input.open_dated(&self.setup.catalog, path, args.heading_args.dates())?);
            }
        }
        Ok(())
    }

    /// The pipeline for a capture's heading, made when it is the first of its kind.
    fn pipeline(&mut self, capture: &Capture, args: &Args) -> Result<usize, Failure> {
        let found = capture.found();
        if let Some(i) = self.pipelines.iter().position(|l| Arc::ptr_eq(&l.heading, &found.heading)) {
            return Ok(i);
        }
        args.heading_args.needed_by(found).map_err(|e| Failure::usage(anyhow!("{}: {e}", capture.name())))?;
        let output = self.setup.output(args.select.output.as_deref())?;
        let guesses = args.line.include_guesses || output.is_some_and(|o| o.include_guesses);
        let front = self.setup.front(&found.heading, Some(&self.selection))?;
        let back = self.setup.back(&found.heading, output, self.settings.clone(), guesses)?;
        if found.heading.user_name.is_none() {
            self.summary.warnings.push(format!(
                "{} headings hold no effective user: lines carry the job user only",
                found.heading.kind.ibm_name()
            ));
        }
        self.pipelines.push(Pipeline { heading: found.heading.clone(), front, back });
        Ok(self.pipelines.len() - 1)
    }

    /// Says what the capture is; draws a bar where it does not run into the lines.
    fn start_progress(&mut self, capture: &Capture) {
        self.summary.captures.push(format!("{}: {}", capture.name(), capture.found()));
        let mixed = self.target == Target::Stdout && std::io::stdout().is_terminal();
        if !std::io::stderr().is_terminal() || mixed {
            return;
        }
        if let Some(size) = capture.size() {
            self.progress = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr_with_hz(4));
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
            {
                self.progress.set_style(style);
            }
        }
    }

    fn capture(
        &mut self,
        pipeline: usize,
        mut capture: Capture,
        dates: Option<DateFormat>,
        sink: &mut Sink,
        stop: &AtomicBool,
    ) -> Result<(), Stop> {
        let Some(Pipeline { heading, front, back }) = self.pipelines.get_mut(pipeline) else { return Ok(()) };
        let Back { judge, encoder } = back;
        let summary = &mut self.summary;
        summary.types.resize(judge.model().len(), 0);
        let name = capture.name().to_owned();
        let history = capture.found().history.is_some();
        let stream = capture.is_framed();
        let mut clock = Clock::new(self.zone, dates);
        let mut line: Vec<u8> = Vec::with_capacity(16 << 10);
        let mut failed: Option<OutputError> = None;
        // 1 while an entry is encoded and not yet handed to the sink.
        let mut held = 0;
        let mut shown = Instant::now();
        let torn = summary.torn;
        let ended = loop {
            if !capture.is_ready() {
                // The next read may wait (a pipe): what is done goes out first.
                if let Err(e) = sink.flush() {
                    failed = Some(e);
                    break Ok(());
                }
                if stop.load(Ordering::Relaxed) {
                    break Ok(());
                }
                if shown.elapsed() > Duration::from_millis(200) {
                    shown = Instant::now();
                    self.progress.set_position(capture.offset());
                }
            }
            let (record, offset) = match capture.next() {
                Ok(Some(Item::Record(r, o))) => (r, o),
                Ok(Some(Item::Cut(r, o))) => {
                    summary.cut(&name, o, r.len());
                    (r, o)
                }
                Ok(None) => {
                    if let Some(end) = capture.ends_within() {
                        // A piece of a record at the end was told already; why there is no more was not.
                        if summary.torn == torn || capture.is_packed() {
                            summary.warnings.push(format!("{name}: {}", end.text));
                        }
                        summary.torn = torn + 1;
                    }
                    break Ok(());
                }
                Err(e) => break Err(e),
            };
            summary.read += 1;
            summary.bytes_in += record.len() as u64;
            let entry = match Entry::new(heading, record) {
                Ok(entry) => entry,
                Err(e) => {
                    summary.park(&name, offset, (placeholder::why(record), history), &e);
                    continue;
                }
            };
            if stream && !entry.behind().is_empty() {
                summary.goes_on(&name, offset, entry.behind().len());
            }
            let time = clock.read(&entry);
            // As `run` does; the numbers of history log messages are times, and have no gaps to tell.
            if let Some(gap) = self.detector.observe(&entry, time) {
                summary.sequence.add(&gap);
            }
            if !history {
                summary.sequence.saw(&self.detector.sure().receiver);
            }
            let (event, verdict) = pipeline::see(front, judge, entry, time, &mut self.state);
            if let Some(count) = summary.types.get_mut(event.kind.index) {
                *count += 1;
            }
            match verdict {
                Verdict::Sent => {}
                Verdict::AuditChange(_, rule) => summary.kept_audit_changes += u64::from(rule.is_some()),
                Verdict::Dropped(rule) => {
                    summary.dropped(rule);
                    continue;
                }
            }
            held = 1;
            line.clear();
            let written = encoder.encode(&event, &mut line);
            if let Some(pace) = &mut self.pace {
                if let Err(e) = sink.flush() {
                    failed = Some(e);
                    break Ok(());
                }
                if pace.check().is_err()
                    && let Err(e) = block_on(pace.wait())
                {
                    return Err(Stop::Failure(Failure::failed(e)));
                }
                if stop.load(Ordering::Relaxed) {
                    break Ok(());
                }
            }
            held = 0;
            summary.taken(&event, written);
            if let Err(e) = sink.send(&line) {
                failed = Some(e);
                break Ok(());
            }
            if sink.unwritten_lines() == 0 {
                summary.written();
            }
        };
        if let Some(e) = failed {
            summary.not_sent += held;
            return Err(Stop::Output(e));
        }
        summary.not_sent += held;
        if let Some(why) = clock.contradiction() {
            summary.misread += 1;
            summary.warnings.push(format!("{name}: {why}"));
        }
        ended.map_err(|e| Stop::Failure(capture_failure(e)))
    }

    fn send_failure(&self, e: OutputError) -> Stop {
        if e.is_closed_pipe() {
            return Stop::Pipe;
        }
        let text = match self.summary.sent {
            0 => format!("{e}; nothing was sent"),
            n => format!(
                "{e}; {n} lines were handed to the connection, but it does not confirm what arrived: send the whole capture again, the receiver can drop duplicates by their entry id"
            ),
        };
        Stop::Failure(Failure::failed(anyhow!(text)))
    }

    fn exit(&self, strict: bool) -> Exit {
        let gap = self.summary.sequence.gaps + self.summary.sequence.back > 0;
        let s = &self.summary;
        let not_well = s.parked_total() + s.overlong + s.refused + s.answered + s.misread + s.torn > 0;
        if not_well || strict && gap { Exit::Incomplete } else { Exit::Done }
    }

    fn report(&self, kind: SummaryKind) {
        let names = |i: usize| match self.pipelines.first().map(|l| l.back.judge.model().kind(i)) {
            Some(kind) if !kind.code.is_empty() => kind.code.clone(),
            Some(kind) => kind.title.clone(),
            None => i.to_string(),
        };
        match kind {
            SummaryKind::Text => log::text(&self.summary.text(&names)),
            SummaryKind::Json => log::object(&self.summary.json(&names)),
            SummaryKind::None => {}
        }
    }
}

fn output_failure(e: OutputError) -> Stop {
    Stop::Failure(match e {
        OutputError::Address(_) | OutputError::RelpForRun(_) | OutputError::Connect(ConnectError::TlsOptions(_)) => {
            Failure::usage(e)
        }
        _ => Failure::failed(e),
    })
}
