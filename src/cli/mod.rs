//! The commands: one file each. Here is what they share: options, exit codes, error text.
pub mod check;
pub mod context;
pub mod decode;
pub mod doctor;
pub mod doctor_layouts;
pub mod exit;
pub mod explain;
pub mod input;
pub mod pin;
pub mod pretty;
pub mod replay;
pub mod run;
pub mod signals;
pub mod spool;
pub mod summary;
pub mod types;
pub mod visit;
pub mod what_if;

use std::{
    ffi::OsString,
    io::{self, Write as _},
};

use clap::{Parser, Subcommand};
use tracing::Level;

pub use self::exit::{Exit, Failure};
use crate::{
    config::{ConfigError, Problem, Weight},
    log,
};

/// Log agent for IBM i: decodes the security audit journal QAUDJRN and sends it as Syslog, CEF or LEEF.
#[derive(Parser, Debug)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 finished, but something was parked or, with --strict, a sequence gap was seen; 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How it speaks.
    #[command(flatten)]
    pub log: log::Options,
}

impl Cli {
    /// Reads the arguments; ends the program with help or an error. A name of a file among them may be a stranger's, and
    /// an error shows it.
    pub fn read() -> Cli {
        let all: Vec<OsString> = std::env::args_os().collect();
        Cli::try_parse_from(&all).unwrap_or_else(|e| {
            let visible = all.iter().map(|a| OsString::from(log::Visible(a.display()).to_string()));
            match Cli::try_parse_from(visible) {
                Err(shown) if shown.kind() == e.kind() => shown.exit(),
                _ => e.exit(),
            }
        })
    }
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print the entries of a capture with every field, one JSON object a line
    Decode(decode::Args),
    /// Send the entries of a capture as Syslog, CEF, LEEF or JSON lines
    Replay(Box<replay::Args>),
    /// Show one entry from bytes to lines: its fields, what every rule says, the lines that would be sent
    Explain(explain::Args),
    /// Show what a configuration would send of captures, what that saves, and what the SIEM would no longer see
    WhatIf(Box<what_if::Args>),
    /// Check a configuration: everything wrong in one run, and what its filter means in words
    Check(check::Args),
    /// Run the agent: sources in, filter, durable spool, outputs out
    Run(run::Args),
    /// Look at the live systems of a configuration: what keeps audit entries from being written or read; changes nothing
    Doctor(doctor::Args),
    /// Look into the spool of an agent: status, verify, export, forget
    Spool(spool::Args),
    /// List the entry types, or show the layout of one
    Types(types::Args),
    /// Show a receiver's certificate and the fingerprint to give to --pin
    Pin(pin::Args),
}

/// Says something on standard error, by the door of the program ([`log`]): a message, with or without `qaudjrn: ` in front and
/// a line feed at its end.
#[track_caller]
pub fn say(text: std::fmt::Arguments<'_>) {
    let text = text.to_string();
    let message = text.strip_prefix("qaudjrn: ").unwrap_or(&text);
    let level = if message.starts_with("warning: ") { Level::WARN } else { Level::INFO };
    log::say(level, format_args!("{message}"));
}

/// Says why a command failed; each problem of a configuration is a message.
pub fn tell(failure: &Failure) {
    match failure.error.downcast_ref::<ConfigError>() {
        Some(ConfigError(problems)) => problems.iter().for_each(tell_problem),
        None => log::error(format_args!("{}", failure.error)),
    }
}

/// Says what is wrong with a configuration.
pub fn tell_problem(problem: &Problem) {
    let level = if problem.weight == Weight::Error { Level::ERROR } else { Level::WARN };
    log::each(level, format_args!("{problem}"));
}

/// Prints what a command was asked for: lines, of which nothing but their ends is obeyed. Nobody there is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    written(io::stdout().write_all(log::lines(text).as_bytes()))
}

/// Prints JSON.
pub fn print_json(text: &str) -> Result<(), Failure> {
    written(io::stdout().write_all(log::json(text).as_bytes()))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(e)),
        _ => Ok(()),
    }
}

/// Runs a command.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Decode(args) => decode::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::WhatIf(args) => what_if::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Spool(args) => spool::run(&args),
        Command::Types(args) => types::run(&args),
        Command::Pin(args) => pin::run(&args),
    }
}
