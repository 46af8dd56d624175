//! The options of `replay`, and what they mean: settings of lines, rules of selection, times as people write them.
use std::path::PathBuf;

use anyhow::anyhow;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use clap::ValueEnum;

use super::super::{Failure, input::InputArgs};
use crate::{
    config::Config,
    decode::ebcdic::Charset,
    encode::{Format, Header, Profile, Settings, value::Given},
    event::DateFormat,
    filter::{Rules, TypeRule, types::distance},
    output::{Target, TlsOptions, pace, pin::Pin, sink::Framing},
};

/// Options of `replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) facts: Facts,
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

/// What the entries do not say themselves.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Facts the entries do not hold")]
pub(super) struct Facts {
    /// Time zone of the system, for example Europe/Berlin [default: UTC, with a warning]
    #[arg(long, value_name = "IANA", value_parser = time_zone)]
    pub(super) timezone: Option<Tz>,
    /// System name (*TYPE1 headings hold none)
    #[arg(long, value_name = "NAME")]
    pub(super) system: Option<String>,
    /// Journal receiver (*TYPE1 to *TYPE4 headings hold none)
    #[arg(long, value_name = "NAME")]
    pub(super) receiver: Option<String>,
    /// Library of the receiver
    #[arg(long, value_name = "NAME")]
    pub(super) receiver_library: Option<String>,
    /// Date format of the job that made the capture (*TYPE1 and *TYPE2 headings)
    #[arg(long, value_enum, value_name = "FORMAT", ignore_case = true)]
    pub(super) date_format: Option<DateArg>,
}

/// `--date-format`.
#[derive(ValueEnum, Clone, Copy, Debug)]
#[value(rename_all = "UPPER")]
pub(super) enum DateArg {
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
pub(super) struct LineArgs {
    /// Format of the lines
    #[arg(long, value_enum, default_value_t = FormatArg::Cef)]
    pub(super) format: FormatArg,
    /// Syslog header [default: rfc5424; rfc3164 for LEEF, none for JSON]
    #[arg(long, value_enum)]
    pub(super) header: Option<HeaderArg>,
    /// Fields that a line carries: those that say what happened, or every one that is not blank
    #[arg(long, value_enum, default_value_t = DetailArg::Compact)]
    pub(super) detail: DetailArg,
    /// Carry fields whose layout is a guess too
    #[arg(long)]
    pub(super) include_guesses: bool,
    /// Longest line in bytes [default: 8192; LEEF 4000; UDP 2048]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(480..=1_000_000))]
    pub(super) max_size: Option<u32>,
}

/// `--format`.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum FormatArg {
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
    /// stdout, null, file:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT
    #[arg(long, default_value = "stdout", value_name = "ADDRESS")]
    pub(super) to: Target,
    /// How lines follow one another on TCP and TLS [default: newline on TCP, octet on TLS]
    #[arg(long, value_enum)]
    pub(super) tcp_framing: Option<TcpFraming>,
    /// At most this many events a second, for example 500/s
    #[arg(long, value_parser = pace::parse_rate, value_name = "EVENTS/s")]
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

impl Facts {
    /// How the older headings write dates.
    pub(super) fn dates(&self) -> Option<DateFormat> {
        self.date_format.map(|d| match d {
            DateArg::Mdy => DateFormat::Mdy,
            DateArg::Dmy => DateFormat::Dmy,
            DateArg::Ymd => DateFormat::Ymd,
            DateArg::Jul => DateFormat::Jul,
        })
    }
}

impl SelectArgs {
    /// The rules of the options and of the configuration.
    pub(super) fn rules(&self, config: &Config, zone: Tz) -> Result<Rules, Failure> {
        let time = |t: &Option<String>, option| match t {
            Some(t) => parse_time(t, zone).map(Some).map_err(|e| Failure::usage(anyhow!("--{option} {e}"))),
            None => Ok(None),
        };
        let (since, until) = (time(&self.since, "since")?, time(&self.until, "until")?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(Failure::usage(anyhow!("--since is not before --until: nothing can be between them")));
        }
        Ok(Rules {
            configured: config.filter.types.clone(),
            selected: self.types.clone(),
            users: self.user.clone(),
            since,
            until,
        })
    }
}

impl ToArgs {
    /// How lines follow one another on a stream.
    pub(super) fn framing(&self) -> Framing {
        match (self.tcp_framing, &self.to) {
            (Some(TcpFraming::Newline), _) => Framing::Newline,
            (Some(TcpFraming::Octet), _) | (None, Target::Tls(_)) => Framing::Octet,
            (None, _) => Framing::Newline,
        }
    }

    /// Whom to trust.
    pub(super) fn tls(&self) -> TlsOptions {
        TlsOptions {
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            server_name: self.server_name.clone(),
            pin: self.pin.clone(),
            insecure: self.insecure_skip_verify,
        }
    }

    /// TLS options without TLS would be a false comfort.
    pub(super) fn check(&self) -> Result<(), Failure> {
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

/// The settings of the lines: the format's, the configuration's, the options'.
pub(super) fn settings(
    args: &Args,
    config: &Config,
    profile: &Profile,
    job: &'static Charset,
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
