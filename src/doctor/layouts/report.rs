//! The proof of the tables, as a table and as JSON.
use std::fmt::Write as _;

use serde::Serialize;

use super::{Action, FieldReport, NO_COLUMN, TypeReport, Verdict, compare::entries};
use crate::{encode::escape::printable, log::Visible};

/// One system.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SystemProof {
    /// Name of the source.
    pub source: String,
    /// Name of the system; empty where it could not be asked.
    pub system: String,
    /// The profile that asked.
    pub asker: String,
    /// Why nothing could be asked, or why it ended in the middle.
    pub failed: Option<String>,
    /// The entry types, in order.
    pub types: Vec<TypeReport>,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// Fields that agree.
    pub agree: usize,
    /// Fields that differ.
    pub differ: usize,
    /// Fields that could not be compared.
    pub not_comparable: usize,
    /// Fields that an overlay promotes.
    pub promoted: usize,
    /// The systems, in the order of the configuration.
    pub systems: Vec<SystemProof>,
}

impl Proof {
    /// Counts.
    pub fn new(systems: Vec<SystemProof>) -> Proof {
        let types = || systems.iter().flat_map(|s| &s.types);
        let count = |verdict| types().map(|t| t.count(verdict)).sum();
        Proof {
            agree: count(Verdict::Agree),
            differ: count(Verdict::Differ),
            not_comparable: count(Verdict::NotComparable),
            promoted: types().map(|t| t.actions(Action::Promote)).sum(),
            systems,
        }
    }

    /// Whether some system could not be asked to the end.
    pub fn failed(&self) -> bool {
        self.systems.iter().any(|s| s.failed.is_some())
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut t = String::new();
        for s in &self.systems {
            let _ = match s.system.as_str() {
                "" => writeln!(t, "source {}", s.source),
                name => writeln!(t, "source {}: system {}, asked as {}", s.source, Visible(name), Visible(&s.asker)),
            };
            for one in &s.types {
                entry_type(&mut t, one);
            }
            if let Some(why) = &s.failed {
                let _ = writeln!(t, "  could not go on: {}", Visible(why));
            }
        }
        let _ = writeln!(
            t,
            "{} fields agree, {} differ, {} not comparable; {} would be promoted",
            self.agree, self.differ, self.not_comparable, self.promoted
        );
        t
    }
}

fn entry_type(t: &mut String, one: &TypeReport) {
    let _ = write!(t, "  {}  SYSTOOLS.{}: {}", one.entry_type, one.function, entries(one.entries));
    if !one.fields.is_empty() && one.entries > 0 {
        let count = |verdict| one.count(verdict);
        let _ = write!(
            t,
            ", {} fields agree, {} differ, {} not comparable",
            count(Verdict::Agree),
            count(Verdict::Differ),
            count(Verdict::NotComparable)
        );
    }
    t.push('\n');
    if !one.why.is_empty() {
        let _ = writeln!(t, "      {}", Visible(&one.why));
    }
    if one.without_columns > 0 {
        let _ = writeln!(t, "      {} came as bytes and not as columns", entries(one.without_columns));
    }
    if one.entries > 0 {
        let (without, with): (Vec<&FieldReport>, Vec<&FieldReport>) =
            one.fields.iter().partition(|f| f.why == NO_COLUMN);
        with.into_iter().for_each(|f| field(t, f));
        if !without.is_empty() {
            let names: Vec<&str> = without.iter().map(|f| f.field.as_str()).collect();
            let _ = writeln!(t, "      fields without a column: {}", names.join(" "));
        }
        if !one.columns_without_field.is_empty() {
            let _ = writeln!(t, "      columns without a field: {}", Visible(one.columns_without_field.join(" ")));
        }
    }
    if let Some(path) = &one.written {
        let _ = writeln!(t, "      written: {}", Visible(path));
    }
}

fn field(t: &mut String, f: &FieldReport) {
    let (word, found) = match f.verdict {
        Verdict::Agree => {
            ("agree", format!("{} equal, {} value{}", f.equal, f.values, if f.values == 1 { "" } else { "s" }))
        }
        Verdict::Differ => ("DIFFER", format!("{} of {}", f.different, f.different + f.equal)),
        Verdict::NotComparable => ("-", String::new()),
    };
    let action = match f.action {
        Action::None => "",
        Action::Promote => "promoted",
        Action::TurnOff => "turned off",
    };
    let codes: Vec<String> =
        f.codes.iter().map(|(ours, theirs)| format!("{}={}", shown(ours), shown(theirs))).collect();
    let codes = printable(&codes.join(" "));
    let example =
        f.example.as_ref().map(|e| format!("{}: bytes {:?}, column {:?}", e.entry_id, cut(&e.ours), cut(&e.theirs)));
    let words: Vec<&str> = [action, &found, &codes, example.as_deref().unwrap_or(""), &f.why]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    let name = if f.column.is_empty() || f.column.eq_ignore_ascii_case(&f.field) {
        f.field.clone()
    } else {
        format!("{} ({})", f.field, f.column)
    };
    let _ = writeln!(
        t,
        "      {word:<6} {:<8} {:<32} {}",
        f.confidence,
        Visible(name).to_string(),
        Visible(words.join("; "))
    );
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "blank" } else { text }
}

/// The beginning of a long value.
fn cut(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or("")),
        None => text.to_owned(),
    }
}
