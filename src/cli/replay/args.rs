//! The options of `replay`, and what they mean: settings of lines, rules of selection, times as people write them.
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::anyhow;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use clap::ValueEnum;

use super::super::{
    context::{HeadingArgs, Setup},
    exit::Failure,
    input::InputArgs,
};
use crate::{
    config::{OutputConfig, Problem, dialect, output::UDP_SIZE},
    encode::{Format, Header, LineEncoding, Settings},
    filter::{RuleBook, Selection, TypeRule},
    net::tls::{TlsOptions, pem::Pem, pin::Pin},
    output::{Target, rate_limit, sink::Framing},
};

/// Options of `replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) heading_args: HeadingArgs,
    #[command(flatten)]
    pub(super) line: LineArgs,
    #[command(flatten)]
    pub(super) to: ToArgs,
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// End with 3 when the sequence numbers have a gap
    #[arg(long)]
    pub(super) strict: bool,
    /// How to write the summary to standard error
    #[arg(long, value_enum, default_value_t = SummaryKind::Text)]
    pub(super) summary: SummaryKind,
}

/// What lines look like.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Lines")]
pub(super) struct LineArgs {
    /// Format of the lines [default: that of --output, or cef]
    #[arg(long, value_enum)]
    pub(super) format: Option<FormatArg>,
    /// Lines as another product writes them: ibm, logagent, powertech, powertech-interact, or a file of your own, whose name has a
    /// slash or ends in .toml (docs/PROFILES.md) [default: that of --output, or native]
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Syslog header [default: rfc5424; rfc3164 for LEEF, none for JSON]
    #[arg(long, value_enum)]
    pub(super) header: Option<HeaderArg>,
    /// Fields that a line carries: those that say what happened, or every one that is not blank [default:
    /// compact]
    #[arg(long, value_enum)]
    pub(super) detail: Option<DetailArg>,
    /// Carry fields whose layout is a guess too
    #[arg(long)]
    pub(super) include_guesses: bool,
    /// Longest line in bytes [default: 8000; LEEF 4000; UDP 2048]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(480..=1_000_000))]
    pub(super) max_size: Option<u32>,
    /// Encoding in which lines leave, for receivers that take no UTF-8: windows-1252, shift_jis [default: utf-8]
    #[arg(long, value_name = "LABEL", value_parser = LineEncoding::of)]
    pub(super) output_encoding: Option<LineEncoding>,
}

/// `--format`.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum FormatArg {
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

impl FormatArg {
    /// The format it names.
    pub fn format(self) -> Format {
        match self {
            FormatArg::Syslog => Format::Syslog,
            FormatArg::Cef => Format::Cef,
            FormatArg::Leef => Format::Leef,
            FormatArg::Leef2 => Format::Leef2,
            FormatArg::Json => Format::Json,
        }
    }
}

/// `--header`.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum HeaderArg {
    /// RFC 5424
    Rfc5424,
    /// RFC 3164
    Rfc3164,
    /// None
    None,
}

/// `--detail`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq)]
pub(super) enum DetailArg {
    /// What happened, to what, by whom
    Compact,
    /// Everything seen or expected
    Full,
}

/// Where lines go.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct ToArgs {
    /// stdout, null, file:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT [default: that of --output, or
    /// stdout]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) to: Option<Target>,
    /// How lines follow one another on TCP and TLS [default: newline on TCP, octet on TLS]
    #[arg(long, value_enum)]
    pub(super) tcp_framing: Option<TcpFraming>,
    /// At most this many events a second, for example 500/s
    #[arg(long, value_parser = rate_limit::parse_rate, value_name = "EVENTS/s")]
    pub(super) rate: Option<f64>,
    /// CA certificates to trust, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Our certificate for mutual TLS, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// The name that the receiver's certificate must have [default: the host]
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,
    /// Trust the one certificate with this fingerprint (see `qaudjrn pin`)
    #[arg(long, value_name = "sha256:HEX", conflicts_with = "ca")]
    pub(super) pin: Option<Pin>,
    /// Do not verify the receiver's certificate: anyone on the way can read and change the lines
    #[arg(long, conflicts_with_all = ["ca", "pin"])]
    pub(super) insecure_skip_verify: bool,
}

impl SelectArgs {
    /// What the options select, written into the book of rules.
    pub(super) fn selection(&self, book: &mut RuleBook, zone: Tz) -> Result<Selection, Failure> {
        let time = |t: &Option<String>, option| match t {
            Some(t) => parse_time(t, zone).map(Some).map_err(|e| Failure::usage(anyhow!("--{option} {e}"))),
            None => Ok(None),
        };
        let (since, until) = (time(&self.since, "since")?, time(&self.until, "until")?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(Failure::usage(anyhow!("--since is not before --until: nothing can be between them")));
        }
        Ok(Selection::new(&self.types, &self.user, since, until, book))
    }
}

impl ToArgs {
    /// Where lines go.
    pub(super) fn target(&self, output: Option<&OutputConfig>) -> Target {
        self.to.clone().or_else(|| output.map(|o| o.address.clone())).unwrap_or(Target::Stdout)
    }

    /// How lines follow one another on a stream.
    pub(super) fn framing(&self, target: &Target, output: Option<&OutputConfig>) -> Framing {
        let own = self.tcp_framing.map(|f| match f {
            TcpFraming::Newline => Framing::Newline,
            TcpFraming::Octet => Framing::Octet,
        });
        own.or(output.and_then(|o| o.framing)).unwrap_or(match target {
            Target::Tls(_) => Framing::Octet,
            _ => Framing::Newline,
        })
    }

    /// Whom to trust: what the options say, else what the output says. Its certificates are never given to another
    /// receiver: with `--to` only the options count.
    pub(super) fn tls(&self, output: Option<&OutputConfig>) -> TlsOptions {
        let own = output.filter(|_| self.to.is_none()).map(|o| o.tls.clone()).unwrap_or_default();
        let trust_is_given = self.ca.is_some() || self.pin.is_some() || self.insecure_skip_verify;
        let (ca, pin, insecure) = match trust_is_given {
            true => (self.ca.clone().map(Pem::from), self.pin.clone(), self.insecure_skip_verify),
            false => (own.ca, own.pin, own.insecure),
        };
        let (cert, key) = match self.cert {
            Some(_) => (self.cert.clone().map(Pem::from), self.key.clone().map(Pem::from)),
            None => (own.cert, own.key),
        };
        TlsOptions { ca, cert, key, server_name: self.server_name.clone().or(own.server_name), pin, insecure }
    }

    /// TLS options without TLS would be a false comfort.
    pub(super) fn check(&self, target: &Target) -> Result<(), Failure> {
        let given = [
            (self.ca.is_some(), "--ca"),
            (self.cert.is_some(), "--cert"),
            (self.server_name.is_some(), "--server-name"),
            (self.pin.is_some(), "--pin"),
            (self.insecure_skip_verify, "--insecure-skip-verify"),
        ];
        match given.iter().find(|(given, _)| *given) {
            Some((_, option)) if !matches!(target, Target::Tls(_)) => {
                Err(Failure::usage(anyhow!("{option} is for --to tls://HOST:PORT; this output is not encrypted")))
            }
            _ => Ok(()),
        }
    }
}

/// `--tcp-framing`.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum TcpFraming {
    /// A line feed behind every line
    Newline,
    /// Octet counting (RFC 6587, RFC 5425)
    Octet,
}

/// What is sent.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Selection")]
pub(super) struct SelectArgs {
    /// Configuration whose [filter], [line] and [severity] apply
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The output of the configuration whose address, format and filter apply
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(super) output: Option<String>,
    /// Warnings about the configuration are errors
    #[arg(long, requires = "config")]
    pub(super) deny_warnings: bool,
    /// Only these entry types: PW,AF,CP-A,*SECURITY
    #[arg(long, value_delimiter = ',', value_name = "TYPES")]
    pub(super) types: Vec<TypeRule>,
    /// Only entries from this time on: 2026-11-20, 2026-11-20T08:00:00, or with an offset
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Only entries with this effective user or job user; several with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(super) user: Vec<String>,
}

/// `--summary`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq)]
pub(super) enum SummaryKind {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// Nothing
    None,
}

/// The settings of the lines: those of the configuration, and the options, which win.
pub(super) fn settings(args: &Args, setup: &Setup, output: Option<&OutputConfig>) -> Result<Settings, Failure> {
    let format = match (args.line.format, output) {
        (Some(f), _) => f.format(),
        (None, Some(o)) => o.format,
        (None, None) => Format::Cef,
    };
    let mut s = setup.settings(format, args.heading_args.given(setup.job)?, output);
    speak(args, setup, output, &mut s)?;
    match args.line.header {
        Some(HeaderArg::Rfc5424) => s.header = Header::Rfc5424,
        Some(HeaderArg::Rfc3164) => s.header = Header::Rfc3164,
        Some(HeaderArg::None) => s.header = Header::None,
        None => {}
    }
    if let Some(detail) = args.line.detail {
        s.full = detail == DetailArg::Full;
    }
    if matches!(args.to.to, Some(Target::Udp(_))) {
        s.max_size = s.max_size.min(UDP_SIZE);
    }
    if let Some(size) = args.line.max_size {
        s.max_size = usize::try_from(size).unwrap_or(s.max_size);
    }
    if let Some(encoding) = args.line.output_encoding {
        s.encoding = encoding.unless_utf_8();
    }
    Ok(s)
}

/// The lines of another product: those of the option, else those of the output, as far as the product writes the format.
fn speak(args: &Args, setup: &Setup, output: Option<&OutputConfig>, s: &mut Settings) -> Result<(), Failure> {
    let of_output = output.and_then(|o| o.dialect.as_deref()).cloned();
    let dialect = match &args.line.profile {
        None => of_output,
        Some(name) => {
            let found = dialect::dialect(name, Path::new(""), &setup.catalog);
            let told = |all: Vec<Problem>| all.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
            let found = found.map_err(|all| Failure::usage(anyhow!("--profile: {}", told(all))))?;
            s.dialect = None;
            found.map(|d| output.map_or_else(|| d.clone(), |o| o.naming.dialect(d.clone())))
        }
    };
    let Some(dialect) = dialect else { return Ok(()) };
    if dialect.form(s.format).is_none() {
        return Err(Failure::usage(anyhow!(
            "--format {}: the profile {:?} has no lines of this format: it has {}",
            s.format.key(),
            dialect.name,
            dialect.formats().join(", ")
        )));
    }
    if args.line.profile.is_some() {
        s.speak(&Arc::new(dialect));
    }
    Ok(())
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
