//! What came of trying something: a line for people, an object for programs.
use std::fmt;

use serde_json::{Map, Value, json};

use crate::log::Visible;

/// How it went, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// As it should.
    Ok,
    /// It could not be tried, or there is nothing to try.
    Note,
    /// It works, and something is odd about it.
    Warning,
    /// It does not work.
    Failed,
}

impl Level {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Failed => "failed",
        }
    }
}

/// One thing that was tried.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is about, such as `output siem`.
    pub of: String,
    /// How it went.
    pub level: Level,
    /// In words, with what to do where there is something to be done. May hold what a stranger wrote.
    pub text: String,
    /// The same as values.
    facts: Map<String, Value>,
}

impl Finding {
    /// With a level.
    pub fn new(level: Level, of: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding { of: of.into(), level, text: text.into(), facts: Map::new() }
    }

    /// It works.
    pub fn ok(of: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Ok, of, text)
    }

    /// Nothing was tried.
    pub fn note(of: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Note, of, text)
    }

    /// It is odd.
    pub fn warning(of: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Warning, of, text)
    }

    /// It does not work.
    pub fn failed(of: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Failed, of, text)
    }

    /// Adds a value for programs.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Finding {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// As an object: `for`, `result`, `text`, and values that depend on what it is.
    pub fn json(&self) -> Value {
        let mut all = json!({ "for": self.of, "result": self.level.word(), "text": self.text });
        if let Some(object) = all.as_object_mut() {
            object.extend(self.facts.clone());
        }
        all
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<7} {}: {}", self.level.word(), Visible(&self.of), Visible(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_that_no_terminal_obeys_and_an_object() {
        let finding =
            Finding::failed("output a", "it says \u{1b}[2J\nok      output b: fine").with("address", "tcp://h:1");
        assert_eq!(finding.to_string(), "failed  output a: it says \\x1b[2J\\x0aok      output b: fine");
        assert_eq!(finding.json()["address"], "tcp://h:1");
        assert_eq!(finding.json()["result"], "failed");
        assert!(Level::Failed > Level::Warning && Level::Warning > Level::Note && Level::Note > Level::Ok);
    }
}
