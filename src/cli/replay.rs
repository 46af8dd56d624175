//! `replay`: a captured audit journal as lines, to a terminal, a file or a SIEM.
//!
//! The loop of this program in small: read a record, see the entry, ask the filter, encode, send, count.
use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::iterator::Signals;

use super::{
    Exit, Failure,
    input::{InputArgs, capture_failure},
    say,
    summary::Summary,
};
use crate::{
    config::Config,
    decode::journal::{Catalog, Entry, Heading, record, text},
    encode::{self, Encoder, Format, Header, Profile, Settings, value::Given},
    event::{Clock, DateFormat, EventModel, model},
    filter::{Filter, Rule, Rules, TypeRule, types::distance},
    output::{OutputError, Sink, Target, TlsOptions, pace, pin::Pin, sink::Framing},
    source::{Capture, Item, capture},
};

/// Options of `replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    facts: Facts,
    #[command(flatten)]
    line: LineArgs,
    #[command(flatten)]
    to: ToArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// End with 3 when the sequence numbers have a gap
    #[arg(long)]
    strict: bool,
    /// How to write the summary to standard error
    #[arg(long, value_enum, default_value_t = SummaryKind::Text)]
    summary: SummaryKind,
}

/// What the entries do not say themselves.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Facts the entries do not hold")]
struct Facts {
    /// Time zone of the system, for example Europe/Berlin [default: UTC, with a warning]
    #[arg(long, value_name = "IANA", value_parser = time_zone)]
    timezone: Option<Tz>,
    /// System name (*TYPE1 headings hold none)
    #[arg(long, value_name = "NAME")]
    system: Option<String>,
    /// Journal receiver (*TYPE1 to *TYPE4 headings hold none)
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Library of the receiver
    #[arg(long, value_name = "NAME")]
    receiver_library: Option<String>,
    /// Date format of the job that made the capture (*TYPE1 and *TYPE2 headings)
    #[arg(long, value_enum, value_name = "FORMAT", ignore_case = true)]
    date_format: Option<DateArg>,
}

/// `--date-format`.
#[derive(ValueEnum, Clone, Copy, Debug)]
#[value(rename_all = "UPPER")]
enum DateArg {
    /// mmddyy
    Mdy,
    /// ddmmyy
    Dmy,
    /// yymmdd
    Ymd,
    /// yyddd
    Jul,
}

/// What lines look like.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Lines")]
struct LineArgs {
    /// Format of the lines
    #[arg(long, value_enum, default_value_t = FormatArg::Cef)]
    format: FormatArg,
    /// Syslog header [default: rfc5424; rfc3164 for LEEF, none for JSON]
    #[arg(long, value_enum)]
    header: Option<HeaderArg>,
    /// Fields that a line carries: those that say what happened, or every one that is not blank
    #[arg(long, value_enum, default_value_t = DetailArg::Compact)]
    detail: DetailArg,
    /// Carry fields whose layout is a guess too
    #[arg(long)]
    include_guesses: bool,
    /// Longest line in bytes [default: 8192; LEEF 4000; UDP 2048]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(480..=1_000_000))]
    max_size: Option<u32>,
}

/// `--format`.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum FormatArg {
    /// RFC 5424 structured data and a short text
    Syslog,
    /// CEF:0
    Cef,
    /// LEEF 1.0
    Leef,
    /// LEEF 2.0
    Leef2,
    /// One JSON object a line
    Json,
}

/// `--header`.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum HeaderArg {
    /// RFC 5424
    Rfc5424,
    /// RFC 3164
    Rfc3164,
    /// None
    None,
}

/// `--detail`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq)]
enum DetailArg {
    /// What happened, to what, by whom
    Compact,
    /// Everything seen or expected
    Full,
}

/// Where lines go.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Output")]
struct ToArgs {
    /// stdout, null, file:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT
    #[arg(long, default_value = "stdout", value_name = "ADDRESS")]
    to: Target,
    /// How lines follow one another on TCP and TLS [default: newline on TCP, octet on TLS]
    #[arg(long, value_enum)]
    tcp_framing: Option<TcpFraming>,
    /// At most this many events a second, for example 500/s
    #[arg(long, value_parser = pace::parse_rate, value_name = "EVENTS/s")]
    rate: Option<f64>,
    /// CA certificates to trust, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Our certificate for mutual TLS, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The name that the receiver's certificate must have [default: the host]
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Trust the one certificate with this fingerprint (see `qaudjrn pin`)
    #[arg(long, value_name = "sha256:HEX", conflicts_with = "ca")]
    pin: Option<Pin>,
    /// Do not verify the receiver's certificate: anyone on the way can read and change the lines
    #[arg(long, conflicts_with_all = ["ca", "pin"])]
    insecure_skip_verify: bool,
}

impl ToArgs {
    /// TLS options without TLS would be a false comfort.
    fn check(&self) -> Result<(), Failure> {
        let given = [
            (self.ca.is_some(), "--ca"),
            (self.cert.is_some(), "--cert"),
            (self.server_name.is_some(), "--server-name"),
            (self.pin.is_some(), "--pin"),
            (self.insecure_skip_verify, "--insecure-skip-verify"),
        ];
        match given.iter().find(|(given, _)| *given) {
            Some((_, option)) if !matches!(self.to, Target::Tls(_)) => {
                Err(Failure::usage(anyhow!("{option} is for --to tls://HOST:PORT; this output is not encrypted")))
            }
            _ => Ok(()),
        }
    }
}

/// `--tcp-framing`.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum TcpFraming {
    /// A line feed behind every line
    Newline,
    /// Octet counting (RFC 6587, RFC 5425)
    Octet,
}

/// What is sent.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Selection")]
struct SelectArgs {
    /// Configuration whose [filter], [line] and [severity] apply
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only these entry types: PW,AF,CP-A,*SECURITY
    #[arg(long, value_delimiter = ',', value_name = "TYPES")]
    types: Vec<TypeRule>,
    /// Only entries from this time on: 2026-11-20, 2026-11-20T08:00:00, or with an offset
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only entries with this effective user or job user; several with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    user: Vec<String>,
}

/// `--summary`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq)]
enum SummaryKind {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// Nothing
    None,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut run = Run::new(args)?;
    let stop = stop_flag()?;
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

/// Set by Ctrl-C and SIGTERM. The run ends at the next record with its summary; if it hangs in a read or a write (a
/// silent pipe, a receiver that reads no more), it ends two seconds later, or at the second Ctrl-C.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals =
        Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]).map_err(Failure::failed)?;
    let flag = stop.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(Exit::Interrupted as i32);
            }
            thread::spawn(|| {
                thread::sleep(Duration::from_secs(2));
                say(format_args!("qaudjrn: interrupted while waiting for input or output; no summary\n"));
                std::process::exit(Exit::Interrupted as i32);
            });
        }
    });
    Ok(stop)
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

/// Model, filter and encoder for one heading.
struct Lane {
    heading: Arc<Heading>,
    model: EventModel,
    filter: Filter,
    encoder: Encoder,
}

struct Run {
    catalog: Arc<Catalog>,
    profile: Profile,
    settings: Settings,
    options: model::Options,
    rules: Rules,
    zone: Tz,
    dates: Option<DateFormat>,
    job: &'static crate::decode::ebcdic::Charset,
    lanes: Vec<Lane>,
    pace: Option<pace::Pace>,
    summary: Summary,
    progress: ProgressBar,
}

impl Run {
    fn new(args: &Args) -> Result<Run, Failure> {
        let catalog = args.input.catalog()?;
        let job = args.input.charset()?;
        let profile = Profile::native().map_err(|e| Failure::failed(anyhow!(e)))?;
        let config = match &args.select.config {
            Some(path) => Config::load(path).map_err(Failure::usage)?,
            None => Config::default(),
        };
        args.to.check()?;
        capture::check_paths(&args.input.captures).map_err(capture_failure)?;
        let zone = args.facts.timezone.unwrap_or(Tz::UTC);
        let mut summary = Summary::default();
        if args.facts.timezone.is_none() {
            summary.warnings.push("no --timezone was given: entry times were taken as UTC".into());
        }
        if args.to.insecure_skip_verify {
            say(format_args!(
                "qaudjrn: warning: --insecure-skip-verify: the receiver is not verified; anyone on the way can read and change the lines\n"
            ));
        }
        let time = |t: &Option<String>, option| match t {
            Some(t) => parse_time(t, zone).map(Some).map_err(|e| Failure::usage(anyhow!("--{option} {e}"))),
            None => Ok(None),
        };
        let rules = Rules {
            configured: config.filter.types.clone(),
            selected: args.select.types.clone(),
            users: args.select.user.clone(),
            since: time(&args.select.since, "since")?,
            until: time(&args.select.until, "until")?,
        };
        if let (Some(since), Some(until)) = (rules.since, rules.until)
            && since >= until
        {
            return Err(Failure::usage(anyhow!("--since is not before --until: nothing can be between them")));
        }
        let options = model::Options {
            include_guesses: args.line.include_guesses,
            severity: config.severity.clone(),
            failures: profile.outcome.failure.clone(),
            omit: profile.full.omit.clone(),
            foreign: model::Foreign {
                severity: profile.foreign.severity,
                title_unknown: profile.foreign.title_unknown.clone(),
                title_j: profile.foreign.title_j.clone(),
                title_u: profile.foreign.title_u.clone(),
                title_other: profile.foreign.title_other.clone(),
            },
        };
        let settings = settings(args, &config, &profile, job)?;
        let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Ok(Run {
            dates: args.facts.date_format.map(|d| match d {
                DateArg::Mdy => DateFormat::Mdy,
                DateArg::Dmy => DateFormat::Dmy,
                DateArg::Ymd => DateFormat::Ymd,
                DateArg::Jul => DateFormat::Jul,
            }),
            pace: args.to.rate.map(pace::Pace::new),
            catalog,
            profile,
            settings,
            options,
            rules,
            zone,
            job,
            summary,
            progress,
            lanes: Vec::new(),
        })
    }

    fn all(&mut self, args: &Args, stop: &AtomicBool) -> Result<(), Stop> {
        // The first capture is looked at before the receiver is called: a wrong file costs no connection.
        let mut captures = args.input.captures.iter();
        let next = match captures.next() {
            Some(path) => Some(args.input.open(&self.catalog, path)?),
            None => None,
        };
        if let Some(capture) = &next {
            self.lane(capture, args)?;
        }
        let framing = match (args.to.tcp_framing, &args.to.to) {
            (Some(TcpFraming::Newline), _) => Framing::Newline,
            (Some(TcpFraming::Octet), _) => Framing::Octet,
            (None, Target::Tls(_)) => Framing::Octet,
            (None, _) => Framing::Newline,
        };
        let tls = TlsOptions {
            ca: args.to.ca.clone(),
            cert: args.to.cert.clone(),
            key: args.to.key.clone(),
            server_name: args.to.server_name.clone(),
            pin: args.to.pin.clone(),
            insecure: args.to.insecure_skip_verify,
        };
        let mut sink = Sink::open(&args.to.to, framing, &tls).map_err(output_failure)?;
        let result = self.captures(args, captures, next, &mut sink, stop);
        // Whatever ended the reading, what was encoded before it goes out; the first failure is the one to report.
        let finished = if matches!(result, Err(Stop::Output(_))) { Ok(()) } else { sink.finish() };
        self.summary.not_sent += sink.waiting();
        self.summary.sent -= sink.waiting().min(self.summary.sent);
        self.summary.refused = sink.refused();
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
            let lane = self.lane(&capture, args)?;
            self.start_progress(&capture, &args.to.to);
            self.capture(lane, capture, sink, stop)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if let Some(path) = paths.next() {
                next = Some(args.input.open(&self.catalog, path)?);
            }
        }
        Ok(())
    }

    /// The lane for a capture's heading, made when it is the first of its kind.
    fn lane(&mut self, capture: &Capture, args: &Args) -> Result<usize, Failure> {
        let found = capture.found();
        if let Some(i) = self.lanes.iter().position(|l| Arc::ptr_eq(&l.heading, &found.heading)) {
            return Ok(i);
        }
        self.needs(&found.heading, args).map_err(|e| Failure::usage(anyhow!("{}: {e}", capture.name())))?;
        let model = EventModel::new(self.catalog.clone(), found.heading.clone(), self.job, self.options.clone());
        let filter = Filter::new(&model, &self.rules).map_err(Failure::usage)?;
        let encoder = Encoder::new(&model, self.profile.clone(), self.settings.clone());
        if found.heading.user_name.is_none() {
            self.summary.warnings.push(format!(
                "{} headings hold no effective user: lines carry the job user only",
                found.heading.kind.ibm_name()
            ));
        }
        self.lanes.push(Lane { heading: found.heading.clone(), model, filter, encoder });
        Ok(self.lanes.len() - 1)
    }

    /// What the heading does not hold and no option gives.
    fn needs(&self, heading: &Heading, args: &Args) -> Result<(), String> {
        let mut missing = Vec::new();
        if heading.system_name.is_none() && args.facts.system.is_none() {
            missing.push("--system NAME");
        }
        if heading.receiver_name.is_none() && args.facts.receiver.is_none() {
            missing.push("--receiver NAME");
        }
        if heading.timestamp.is_none() && args.facts.date_format.is_none() {
            missing.push("--date-format MDY|DMY|YMD|JUL");
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} headings do not hold everything that identifies an entry to a SIEM: give {}",
            heading.kind.ibm_name(),
            missing.join(" and ")
        ))
    }

    /// Says what the capture is; draws a bar where it does not run into the lines.
    fn start_progress(&mut self, capture: &Capture, to: &Target) {
        self.summary.captures.push(format!("{}: {}", capture.name(), capture.found()));
        let mixed = *to == Target::Stdout && std::io::stdout().is_terminal();
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

    fn capture(&mut self, lane: usize, mut capture: Capture, sink: &mut Sink, stop: &AtomicBool) -> Result<(), Stop> {
        let Some(Lane { heading, model, filter, encoder }) = self.lanes.get_mut(lane) else { return Ok(()) };
        let summary = &mut self.summary;
        summary.types.resize(model.len(), 0);
        let name = capture.name().to_owned();
        let stream = capture.found().framing == record::Framing::Stream;
        let mut clock = Clock::new(self.zone, self.dates);
        let mut line: Vec<u8> = Vec::with_capacity(16 << 10);
        let mut failed: Option<OutputError> = None;
        // 1 while an entry is encoded and not yet handed to the sink.
        let mut held = 0;
        let mut shown = Instant::now();
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
                    summary.torn += 1;
                    summary.warnings.push(format!(
                        "{name}: offset {o}: the capture ends within a record ({} bytes of it are there)",
                        r.len()
                    ));
                    (r, o)
                }
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            };
            summary.read += 1;
            summary.bytes_in += record.len() as u64;
            let entry = match Entry::new(heading, record) {
                Ok(entry) => entry,
                Err(e) => {
                    let total = summary.parked_total();
                    if total < 5 {
                        summary.warnings.push(format!("{name}: offset {offset}: parked: {e}"));
                    }
                    *summary.parked.entry(format!("expected {}", e.expected)).or_default() += 1;
                    continue;
                }
            };
            if stream && hides_more(&entry) {
                summary.overlong += 1;
                if summary.overlong <= 5 {
                    summary.warnings.push(format!(
                        "{name}: offset {offset}: the record goes on for {} bytes behind its entry: is its length damaged?",
                        record.len() - heading.length - entry.data.len()
                    ));
                }
            }
            if let Some(receiver) = summary.sequence.follow(&entry)
                && !receiver.is_empty()
            {
                summary.sequence.saw(encode::escape::printable(self.job.decode_string(receiver).trim_end()));
            }
            let time = clock.read(&entry);
            let event = model.event(entry, time);
            if let Some(count) = summary.types.get_mut(event.kind.index) {
                *count += 1;
            }
            if let Some(rule) = filter.verdict(&event) {
                count_rule(&mut summary.filtered, rule);
                continue;
            }
            held = 1;
            line.clear();
            let written = encoder.encode(&event, &mut line);
            if let Some(pace) = &mut self.pace {
                if let Err(e) = sink.flush() {
                    failed = Some(e);
                    break Ok(());
                }
                pace.wait();
                if stop.load(Ordering::Relaxed) {
                    break Ok(());
                }
            }
            if let Err(e) = sink.send(&line) {
                failed = Some(e);
                break Ok(());
            }
            held = 0;
            summary.sent(record.len(), written);
            summary.incomplete += u64::from(!event.entry.complete());
            summary.without_user += u64::from(written.without_user);
            summary.without_time += u64::from(time.is_none());
        };
        if let Some(e) = failed {
            summary.not_sent += held;
            return Err(Stop::Output(e));
        }
        summary.not_sent += held;
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
        if self.summary.parked_total() + self.summary.overlong > 0 || strict && (gap || self.summary.torn > 0) {
            Exit::Finished
        } else {
            Exit::Done
        }
    }

    fn report(&self, kind: SummaryKind) {
        let names = |i: usize| match self.lanes.first().map(|l| l.model.kind(i)) {
            Some(kind) if !kind.code.is_empty() => kind.code.clone(),
            Some(kind) => kind.title.clone(),
            None => i.to_string(),
        };
        match kind {
            SummaryKind::Text => say(format_args!("{}", self.summary.text(&names))),
            SummaryKind::Json => say(format_args!("{}\n", self.summary.json(&names))),
            SummaryKind::None => {}
        }
    }
}

/// Whether a length-prefixed record holds more than its entry and padding. (An outfile's records may: what stands behind
/// a variable-length field is undefined.)
fn hides_more(entry: &Entry<'_>) -> bool {
    let rest = entry.record.get(entry.heading.length + entry.data.len()..).unwrap_or(&[]);
    !text::is_blank(rest)
}

fn count_rule(filtered: &mut [u64; Rule::ALL.len()], rule: Rule) {
    for (r, n) in Rule::ALL.iter().zip(filtered.iter_mut()) {
        *n += u64::from(*r == rule);
    }
}

fn output_failure(e: OutputError) -> Stop {
    Stop::Failure(match e {
        OutputError::Address(_) | OutputError::TlsOptions(_) => Failure::usage(e),
        _ => Failure::failed(e),
    })
}

fn settings(
    args: &Args,
    config: &Config,
    profile: &Profile,
    job: &'static crate::decode::ebcdic::Charset,
) -> Result<Settings, Failure> {
    let format = match args.line.format {
        FormatArg::Syslog => Format::Syslog,
        FormatArg::Cef => Format::Cef,
        FormatArg::Leef => Format::Leef,
        FormatArg::Leef2 => Format::Leef2,
        FormatArg::Json => Format::Json,
    };
    let mut s = Settings::new(format, profile);
    match args.line.header {
        Some(HeaderArg::Rfc5424) => s.header = Header::Rfc5424,
        Some(HeaderArg::Rfc3164) => s.header = Header::Rfc3164,
        Some(HeaderArg::None) => s.header = Header::None,
        None => {}
    }
    s.full = args.line.detail == DetailArg::Full;
    if matches!(args.to.to, Target::Udp(_)) {
        s.max_size = s.max_size.min(2_048);
    }
    if let Some(size) = args.line.max_size {
        s.max_size = usize::try_from(size).unwrap_or(s.max_size);
    }
    let l = &config.line;
    s.facility = l.facility.unwrap_or(s.facility);
    for (to, from) in [
        (&mut s.vendor, &l.vendor),
        (&mut s.product, &l.product),
        (&mut s.version, &l.version),
        (&mut s.sd_id, &l.sd_id),
        (&mut s.app_name, &l.app_name),
    ] {
        if let Some(value) = from {
            to.clone_from(value);
        }
    }
    let name = |option: &str, value: &Option<String>| -> Result<Vec<u8>, Failure> {
        let Some(v) = value else { return Ok(Vec::new()) };
        job.encode(v).filter(|b| !b.is_empty() && b.len() <= 10).ok_or_else(|| {
            Failure::usage(anyhow!("--{option} {v:?}: expected a name of 1 to 10 characters of the CCSID"))
        })
    };
    s.given = Given {
        system: name("system", &args.facts.system)?,
        receiver: name("receiver", &args.facts.receiver)?,
        receiver_library: name("receiver-library", &args.facts.receiver_library)?,
    };
    Ok(s)
}

fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let nearest = chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()).min_by_key(|z| distance(z, text));
        format!("expected an IANA time zone such as Europe/Berlin; did you mean {}?", nearest.unwrap_or("UTC"))
    })
}

/// A time as people write it, in the zone of the system unless it has an offset; microseconds UTC.
fn parse_time(text: &str, zone: Tz) -> Result<i64, String> {
    if let Ok(t) = DateTime::parse_from_rfc3339(text) {
        return Ok(t.timestamp_micros());
    }
    let spaced = text.replacen(' ', "T", 1);
    let local = NaiveDateTime::parse_from_str(&spaced, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(&spaced, "%Y-%m-%dT%H:%M"))
        .ok()
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
        .ok_or_else(|| {
            format!("{text:?}: expected a time such as 2026-11-20, 2026-11-20T08:00:00 or 2026-11-20T08:00:00+01:00")
        })?;
    zone.from_local_datetime(&local)
        .earliest()
        .map(|t| t.timestamp_micros())
        .ok_or_else(|| format!("{text:?}: this time does not exist in {zone} (daylight saving)"))
}
