//! What is wrong with a configuration: everything in one run, each with file, line, column and what was expected.
use std::fmt;

use crate::{filter::ConfigLocation, log::Visible};

/// Whether a problem stops the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum ProblemLevel {
    /// It does.
    Error,
    /// It does not, unless `--deny-warnings`.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub level: ProblemLevel,
    /// Where; `None` for the configuration as a whole.
    pub place: Option<ConfigLocation>,
    /// What, and what to do.
    pub text: String,
}

impl Problem {
    /// An error.
    pub fn error(place: Option<ConfigLocation>, text: impl Into<String>) -> Problem {
        Problem { level: ProblemLevel::Error, place, text: text.into() }
    }

    /// A warning.
    pub fn warning(place: Option<ConfigLocation>, text: impl Into<String>) -> Problem {
        Problem { level: ProblemLevel::Warning, place, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(p) = &self.place {
            write!(f, "{}: ", Visible(p))?;
        }
        let word = if self.level == ProblemLevel::Error { "error" } else { "warning" };
        // Names of files and what stood in them: nobody forges a second problem.
        write!(f, "{word}: {}", Visible(&self.text))
    }
}

/// A configuration that cannot be used: its errors, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigError(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(Problem::to_string).collect();
    match all.as_slice() {
        [one] => one.clone(),
        several => format!("{} problems in the configuration:\n  {}", several.len(), several.join("\n  ")),
    }
}
