//! What was found, as a table and as JSON.
use std::fmt::Write as _;

use serde::Serialize;

use super::{
    findings::{Finding, Severity},
    receivers::ReceiverReport,
};
use crate::log::Visible;

/// What is said about one source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SystemReport {
    /// Name of the source.
    pub source: String,
    /// Name of the system; empty where it could not be looked at.
    pub system: String,
    /// The profile that asked.
    pub asker: String,
    /// The profile of the agent.
    pub agent: String,
    /// The journal.
    pub journal: String,
    /// Why nothing could be looked at, or why it ended in the middle.
    pub failed: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Receivers, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Vec<ReceiverReport>>,
}

/// All of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Findings that are errors.
    pub errors: usize,
    /// Findings that are warnings.
    pub warnings: usize,
    /// Findings that are notes.
    pub notes: usize,
    /// The sources, in the order of the configuration.
    pub systems: Vec<SystemReport>,
}

impl Report {
    /// Counts what was found.
    pub fn new(systems: Vec<SystemReport>) -> Report {
        let count = |severity| systems.iter().flat_map(|s| &s.findings).filter(|f| f.severity == severity).count();
        Report {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            systems,
        }
    }

    /// Whether some system could not be looked at.
    pub fn failed(&self) -> bool {
        self.systems.iter().any(|s| s.failed.is_some())
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut t = String::new();
        for s in &self.systems {
            system(&mut t, s);
        }
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let _ = writeln!(
            t,
            "{}, {}, {}; commands are shown and were not run",
            plural(self.errors, "error"),
            plural(self.warnings, "warning"),
            plural(self.notes, "note")
        );
        t
    }
}

/// A report as one JSON object, a line.
pub fn json(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string(report).unwrap_or_default();
    text.push('\n');
    text
}

fn system(t: &mut String, s: &SystemReport) {
    let agent = if s.agent == s.asker { String::new() } else { format!(", the agent is {}", Visible(&s.agent)) };
    let _ = match s.system.as_str() {
        "" => writeln!(t, "source {}", s.source),
        name => writeln!(
            t,
            "source {}: system {}, journal {}, asked as {}{agent}",
            s.source,
            Visible(name),
            s.journal,
            Visible(&s.asker)
        ),
    };
    if let Some(why) = &s.failed {
        let _ = writeln!(t, "  could not look: {}", Visible(why));
    }
    for f in &s.findings {
        let requirement = if f.requirement.is_empty() { "-" } else { f.requirement };
        let _ = writeln!(t, "  {:<7} {requirement:<3}  {}", f.severity.word(), Visible(&f.found));
        if !f.means.is_empty() {
            let _ = writeln!(t, "                {}", Visible(&f.means));
        }
        for c in &f.commands {
            let _ = writeln!(t, "                > {}", Visible(c));
        }
    }
    let Some(receivers) = &s.receivers else { return };
    let _ = writeln!(t, "  {:<21} {:>20} {:>20}  {:<9} {:<6}  why", "receiver", "first", "last", "status", "delete");
    for r in receivers {
        let may = if r.may_be_deleted { "may" } else { "keep" };
        let row = format!("{:<21} {:>20} {:>20}  {:<9} {may:<6}  {}", r.receiver, r.first, r.last, r.status, r.why);
        let _ = writeln!(t, "  {}", Visible(row));
    }
    for c in receivers.iter().flat_map(|r| &r.commands) {
        let _ = writeln!(t, "                > {}", Visible(c));
    }
}
