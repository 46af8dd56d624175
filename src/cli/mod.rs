//! The commands: one file or folder each. Here is the command line; what the commands share is in `context`, `console` and `exit`.
pub mod check;
pub mod config;
pub mod console;
pub mod context;
pub mod control;
pub mod decode;
pub mod doctor;
pub mod evidence;
pub mod exit;
pub mod explain;
pub mod init;
pub mod input;
pub mod page;
pub mod pin;
pub mod pretty;
pub mod replay;
pub mod report;
pub mod run;
pub mod sequence;
pub mod signals;
pub mod spool;
pub mod summary;
pub mod test;
pub mod types;
pub mod version;
pub mod visit;
pub mod what_if;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

pub use self::exit::{Exit, Failure};
use crate::log;

/// Log agent for IBM i: decodes the security audit journal QAUDJRN and sends it as Syslog, CEF or LEEF.
#[derive(Parser, Debug)]
#[command(
    version,
    long_version = version::LONG,
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
    /// Report what happened in captures, for an auditor: users, sign-on failures, changes of authority and of auditing, gaps
    Report(Box<report::Args>),
    /// Write a first configuration, and say what is to be done on the IBM i and on the SIEM's side
    Init(Box<init::Args>),
    /// Check a configuration: everything wrong in one run, and what its filter means in words
    Check(check::Args),
    /// Show what a configuration has in force
    Config(config::Args),
    /// Run the tests of a configuration: what it is to do with entries of captures
    Test(test::Args),
    /// Run the agent: sources in, filter, durable spool, outputs out
    Run(run::Args),
    /// Show how the running agent is: sources, outputs, spool, what is wrong
    Status(control::status::Args),
    /// Watch the running agent on a terminal
    #[cfg(not(target_os = "aix"))]
    Top(control::top::Args),
    /// Show lines of an output as the running agent sends them; never slows it
    Tap(control::tap::Args),
    /// Have the running agent read its configuration again; fails when that is refused
    Reload(control::orders::ReloadArgs),
    /// Have the running agent try again at once what failed, and wait until what waits is delivered
    Flush(control::orders::FlushArgs),
    /// Have the running agent deliver nothing to an output until it is resumed; its events wait
    Pause(control::orders::PauseArgs),
    /// Have the running agent deliver to an output again
    Resume(control::orders::PauseArgs),
    /// Change the least that the log of the running agent says
    LogLevel(control::orders::LogLevelArgs),
    /// Look at the live systems of a configuration: what keeps audit entries from being written or read; changes nothing
    Doctor(doctor::Args),
    /// Look into the spool of an agent: status, verify, export, forget
    Spool(spool::Args),
    /// List the entry types, or show the layout of one
    Types(types::Args),
    /// Show a receiver's certificate and the fingerprint to give to --pin
    Pin(pin::Args),
}

/// Runs a command.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Decode(args) => decode::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::WhatIf(args) => what_if::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Status(args) => control::status::run(&args),
        #[cfg(not(target_os = "aix"))]
        Command::Top(args) => control::top::run(&args),
        Command::Tap(args) => control::tap::run(&args),
        Command::Reload(args) => control::orders::reload(&args),
        Command::Flush(args) => control::orders::flush(&args),
        Command::Pause(args) => control::orders::pause(&args),
        Command::Resume(args) => control::orders::resume(&args),
        Command::LogLevel(args) => control::orders::log_level(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Spool(args) => spool::run(&args),
        Command::Types(args) => types::run(&args),
        Command::Pin(args) => pin::run(&args),
    }
}
