//! What commands print on standard output, and what they say on standard error.
use std::io::{self, Write as _};

use tracing::Level;

use super::exit::Failure;
use crate::{
    config::{ConfigError, Problem, ProblemLevel},
    log,
};

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

/// Why a command failed, for who hears it elsewhere; each problem of a configuration is a text.
pub fn in_words(failure: &Failure) -> Vec<String> {
    match failure.error.downcast_ref::<ConfigError>() {
        Some(ConfigError(problems)) => problems.iter().map(Problem::to_string).collect(),
        None => vec![failure.error.to_string()],
    }
}

/// Says what is wrong with a configuration.
pub fn tell_problem(problem: &Problem) {
    let level = if problem.level == ProblemLevel::Error { Level::ERROR } else { Level::WARN };
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
