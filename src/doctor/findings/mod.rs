//! What is to be said about what a system answered: plain functions over [`Answers`], no connection in them.
//!
//! A finding says what was found, what that means in IBM's words, and the commands that would change it. Nothing here, nor anywhere
//! else, runs them. Errors: entries are not written, or do not reach the agent. Warnings: part of them, or more authority
//! than is needed. Notes: good to know; they do not count for the exit code.
mod auditing;
mod authority;
mod objects;
mod types;
mod users;

use std::collections::BTreeMap;

use super::answers::{Answers, Asked, words};
use crate::{decode::journal::Catalog, filter::types::TypeRules};

pub use auditing::{CREATE, end_action, keeps_receivers, switch_on};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Entries are not written, or do not reach the agent.
    Error,
    /// Some are not, or somebody may more than is needed.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// A name for scripts that stays the same, such as `qaudctl-none`.
    pub id: &'static str,
    /// The requirement it answers (R11 to R18); empty where there is none.
    pub requirement: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What that means.
    pub means: String,
    /// CL commands that would change it, in their order. They are printed and never run.
    pub commands: Vec<String>,
    /// Names it is about, for scripts: entry types, profiles, objects.
    pub names: Vec<String>,
}

impl Finding {
    fn new(id: &'static str, requirement: &'static str, severity: Severity, found: impl Into<String>) -> Finding {
        let (means, commands, names) = (String::new(), Vec::new(), Vec::new());
        Finding { id, requirement, severity, found: found.into(), means, commands, names }
    }

    fn means(mut self, text: impl Into<String>) -> Finding {
        self.means = text.into();
        self
    }

    fn command(mut self, text: impl Into<String>) -> Finding {
        self.commands.push(text.into());
        self
    }

    fn commands(mut self, all: impl IntoIterator<Item = String>) -> Finding {
        self.commands.extend(all);
        self
    }

    fn names(mut self, all: impl IntoIterator<Item = String>) -> Finding {
        self.names.extend(all);
        self
    }
}

/// What the configuration sends of a source.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'c> {
    /// Rules over types that an entry must pass, one after the other: the agent's, the source's.
    pub stages: [&'c TypeRules; 2],
    /// Rules of the outputs, one of which it must pass; none, where there is no output.
    pub outputs: &'c [&'c TypeRules],
}

/// Everything that is to be said, by its weight.
pub fn judge(answers: &Answers, wanted: Wanted<'_>, catalog: &Catalog) -> Vec<Finding> {
    let collected = Collected::of(&answers.values);
    let mut all = auditing::findings(answers, collected.as_ref(), catalog);
    if let Some(collected) = &collected {
        all.extend(types::findings(answers, collected, wanted, catalog));
    }
    all.extend(users::findings(answers, collected.is_some()));
    all.extend(objects::findings(answers, collected.is_some()));
    all.extend(authority::findings(answers));
    all.sort_by_key(|f| f.severity);
    all
}

/// What the system collects, by its system values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Collected {
    control: Vec<String>,
    level: Vec<String>,
    level2: Vec<String>,
}

impl Collected {
    /// `None` where the values were not answered or may not be seen.
    fn of(values: &Asked<BTreeMap<String, String>>) -> Option<Collected> {
        let values = values.as_ref().ok()?;
        let list = |name: &str| -> Option<Vec<String>> {
            let text = values.get(name).map_or("", String::as_str);
            (!text.contains("*NOTAVL")).then(|| words(text).into_iter().filter(|w| w != "*NONE").collect())
        };
        values.contains_key("QAUDCTL").then_some(())?;
        Some(Collected { control: list("QAUDCTL")?, level: list("QAUDLVL")?, level2: list("QAUDLVL2")? })
    }

    fn controls(&self, value: &str) -> bool {
        self.control.iter().any(|c| c == value)
    }

    /// The levels in force for all users.
    fn levels(&self) -> Vec<&str> {
        if !self.controls("*AUDLVL") {
            return Vec::new();
        }
        let extended = self.level.iter().any(|l| l == "*AUDLVL2");
        let second = self.level2.iter().filter(|_| extended);
        self.level.iter().chain(second).map(String::as_str).filter(|l| *l != "*AUDLVL2").collect()
    }

    /// The commands that add levels. QAUDLVL takes sixteen values; what is more goes to QAUDLVL2.
    fn adding(&self, levels: &[&str]) -> Vec<String> {
        let mut first: Vec<&str> = self.level.iter().map(String::as_str).filter(|l| *l != "*AUDLVL2").collect();
        let extended = self.level.len() > first.len();
        let mut second: Vec<&str> = self.level2.iter().map(String::as_str).collect();
        let before = second.len();
        for level in levels.iter().filter(|l| !self.level.iter().any(|have| have == *l)) {
            if !second.contains(level) && !first.contains(level) {
                if extended { second.push(level) } else { first.push(level) }
            }
        }
        let mut commands = Vec::new();
        let needs_second = extended || first.len() > MOST_LEVELS || !second.is_empty();
        if needs_second && first.len() > MOST_LEVELS - 1 {
            second.extend(first.split_off(MOST_LEVELS - 1));
        }
        if second.len() > before {
            commands.push(set("QAUDLVL2", &second));
        }
        if needs_second {
            first.push("*AUDLVL2");
        }
        if first.iter().any(|l| !self.level.iter().any(|have| have == l)) || first.len() != self.level.len() {
            commands.push(set("QAUDLVL", &first));
        }
        commands
    }
}

/// Values of QAUDLVL: "required when more than sixteen auditing values are needed" (QAUDLVL2, 7.2).
const MOST_LEVELS: usize = 16;

fn set(value: &str, words: &[&str]) -> String {
    format!(
        "CHGSYSVAL SYSVAL({value}) VALUE('{}')",
        if words.is_empty() { "*NONE".to_owned() } else { words.join(" ") }
    )
}

/// `One`, `one and another`, `one, another and a third`.
fn list(names: &[impl AsRef<str>]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

fn not_asked(what: &str, why: &str) -> Finding {
    Finding::new("not-answered", "", Severity::Warning, format!("{what} could not be asked for: {why}"))
        .means("nothing is said about it: the release may lack a column, or the profile an authority")
}

#[cfg(test)]
mod tests;
