//! The evidence of a report, for text, JSON and pages alike: program, date, configurations, captures.
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    markup::escape,
    words::{TIME, iso, local},
};
use crate::{
    cli::evidence::{CaptureFacts, EntryFacts, Evidence},
    encode::escape::printable,
    log::numbers::grouped,
};

/// A fact: what it is, and the fact.
pub type Fact = (&'static str, String);

/// What a whole report has: date, program, configurations.
pub fn facts(e: &Evidence) -> Vec<Fact> {
    let mut all = vec![("made", format!("{} UTC by {}", e.made.format(TIME), Evidence::program()))];
    all.extend(e.configurations.iter().map(|(file, hash)| ("configuration", format!("{file}: SHA-256 {hash}"))));
    all
}

/// What is said of one capture.
pub fn capture(c: &CaptureFacts) -> Vec<Fact> {
    let mut all = vec![("capture", format!("{}: {}", c.name, c.what))];
    match &c.sum {
        Some(Ok((bytes, hash))) => {
            all.push(("bytes", grouped(*bytes)));
            all.push(("SHA-256", hash.clone()));
        }
        Some(Err(e)) => all.push(("SHA-256", format!("not known: {e}"))),
        None => {}
    }
    all.push(("entries", format!("{}{}", grouped(c.read - c.parked), parked(c.parked))));
    let ends = [("first entry", &c.first), ("last entry", &c.last)];
    all.extend(ends.into_iter().filter_map(|(what, entry)| Some((what, place(entry.as_ref()?)))));
    all
}

fn parked(n: u64) -> String {
    if n == 0 { String::new() } else { format!(" and {} records that are none", grouped(n)) }
}

/// Time, receiver, number and system of an entry.
fn place(e: &EntryFacts) -> String {
    let time = e.time.map_or_else(|| "without a valid time".to_owned(), |t| local(&t));
    let system = if e.system.is_empty() { String::new() } else { format!(", system {}", e.system) };
    format!("{time}, {}{system}", e.place)
}

/// For a terminal, a fact a line.
pub fn text(facts: &[Fact]) -> String {
    facts.iter().fold(String::new(), |mut t, (what, fact)| {
        let _ = writeln!(t, "  {what:<14} {}", printable(fact));
        t
    })
}

/// For a page.
pub fn html(h: &mut String, facts: &[Fact]) {
    h.push_str("<dl class=\"facts\">");
    for (what, fact) in facts {
        let _ = write!(h, "<dt>{what}</dt><dd>{}</dd>", escape(fact));
    }
    h.push_str("</dl>\n");
}

/// For machines.
pub fn json(e: &Evidence) -> Value {
    let entry = |e: &EntryFacts| {
        json!({
            "system": e.system, "receiver_library": e.place.library, "receiver": e.place.receiver,
            "sequence": e.place.sequence, "time": e.time.as_ref().map(iso),
        })
    };
    json!({
        "program": Evidence::program(),
        "made": e.made.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "configurations": e.configurations.iter().map(|(f, h)| json!({"file": f, "sha256": h})).collect::<Vec<_>>(),
        "captures": e.captures.iter().map(|c| json!({
            "name": c.name,
            "what": c.what,
            "bytes": c.sum.as_ref().and_then(|s| s.as_ref().ok()).map(|(bytes, _)| bytes),
            "sha256": c.sum.as_ref().and_then(|s| s.as_ref().ok()).map(|(_, hash)| hash),
            "entries": c.read - c.parked,
            "parked": c.parked,
            "first": c.first.as_ref().map(entry),
            "last": c.last.as_ref().map(entry),
        })).collect::<Vec<_>>(),
    })
}
