//! `[[test]]`: what a configuration is expected to do with entries of a capture, or one that is written down, for `qaudjrn test`.
use std::path::PathBuf;

use toml::de::DeValue;

use super::{
    OutputConfig, Problem, ProblemLevel, SourceConfig,
    read::{Placed, Reader, Section},
    test_entry,
};
use crate::decode::journal::Catalog;

/// One test.
#[derive(Clone, Debug)]
pub struct TestConfig {
    /// Its name in reports.
    pub name: String,
    /// Where the entries are.
    pub entries: Entries,
    /// The one that it is about; all of the capture where it is not given.
    pub sequence: Option<u64>,
    /// The source that reads them: its filter, and what it says of its entries.
    pub source: Option<String>,
    /// The output that they go to; what is judged without one is the filter of the agent, and of the source.
    pub output: Option<String>,
    /// What becomes of them.
    pub expect: Expect,
    /// The rule that has spoken, as reports name it, with or without what it says: `users.exclude BILL`.
    pub rule: Option<String>,
    /// Fields that the line has, with their values.
    pub line: Vec<(String, String)>,
    /// What the line has in it.
    pub contains: Vec<String>,
}

/// Where the entries of a test are.
#[derive(Clone, Debug)]
pub enum Entries {
    /// In a capture.
    Capture(PathBuf),
    /// The one that is written down, as a *TYPE5 record.
    Written(Vec<u8>),
}

/// `expect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It is sent.
    Sent,
    /// A filter leaves it out.
    Dropped,
}

impl Expect {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Expect::Sent => "sent",
            Expect::Dropped => "dropped",
        }
    }
}

/// Reads all tests of a configuration with these sources and outputs, on or off.
pub fn tests(
    s: &mut Section<'_>,
    (sources, outputs): (&[SourceConfig], &[OutputConfig]),
    catalog: &Catalog,
    r: &mut Reader<'_>,
) -> Vec<TestConfig> {
    let mut found: Vec<TestConfig> = Vec::new();
    for Placed { value: mut t, place } in s.tables("test", r) {
        let name = t.named(r);
        let capture = t.path("capture", r);
        let sequence = t.integer("sequence", 0..i64::MAX, r).and_then(|n| u64::try_from(n).ok());
        t.otherwise("sequence", "every entry of the capture", r);
        let words = [("sent", Expect::Sent), ("dropped", Expect::Dropped)];
        let expect = t.choice("expect", &words, r);
        let rule = t.string("rule", r).map(|rule| rule.value);
        let (contains, line) = (t.strings("contains", r), fields(&mut t, r));
        let source = known(&mut t, "source", &sources.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), r);
        let output = known(&mut t, "output", &outputs.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), r);
        for key in ["line", "contains"] {
            let Some(at) = t.place_of(key, r) else { continue };
            if !t.has("output") {
                r.error(at, format!("test.{key}: give output, whose line is looked at"));
            } else if expect == Some(Expect::Dropped) {
                r.error(at, format!("test.{key}: an entry that is dropped has no line: it is for expect = \"sent\""));
            }
        }
        for key in ["name", "expect"] {
            if !t.has(key) {
                r.error(place.clone(), format!("test.{key} is missing"));
            }
        }
        let of = |s: &&SourceConfig| Some(&s.name) == source.as_ref();
        let charset = sources.iter().find(of).map(|s| s.charset).or_else(test_entry::usual_charset);
        let written = charset.and_then(|job| test_entry::entry(&mut t, catalog, job, r));
        if !t.has("entry") {
            // Known, whether it is there or not.
            drop(t.table("entry", r));
        }
        match (t.has("capture"), t.place_of("entry", r)) {
            (false, None) => r.error(
                place,
                "test.capture is missing: where the entries are; or write one down as entry = { type = \"PW\", ... }",
            ),
            (true, Some(at)) => r.error(at, "test.entry: it is this entry, or those of capture, and not both"),
            (false, Some(_)) if t.has("sequence") => {
                let at = t.place_of("sequence", r).unwrap_or(place);
                r.error(at, "test.sequence: it is for entries of a capture: entry is one already");
            }
            _ => {}
        }
        t.finish(r);
        let entries = written.map(Entries::Written).or_else(|| capture.map(|c| Entries::Capture(c.value)));
        let (Some(name), Some(entries), Some(expect)) = (name, entries, expect) else { continue };
        if found.iter().any(|t| t.name == name.value) {
            r.error(name.place, format!("test.name: there are two tests named {:?}", name.value));
        }
        found.push(TestConfig {
            name: name.value,
            entries,
            sequence,
            source,
            output,
            expect,
            rule,
            line,
            contains: contains.into_iter().flat_map(|l| l.value).map(|text| text.value).collect(),
        });
    }
    found
}

/// The name of a source or output that is there. Where one of them is wrong it may be that one: nothing is said that only follows from it.
fn known(t: &mut Section<'_>, key: &'static str, names: &[&str], r: &mut Reader<'_>) -> Option<String> {
    let Placed { value, place } = t.string(key, r)?;
    let is_wrong = |p: &Problem| p.level == ProblemLevel::Error && p.text.starts_with(&format!("{key}."));
    if !names.contains(&value.as_str()) && !r.problems.iter().any(is_wrong) {
        let there =
            if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
        r.error(place, format!("test.{key} = {value:?}: there is no [[{key}]] of this name; {there}"));
    }
    Some(value)
}

/// `line`: names of fields and their values.
fn fields(t: &mut Section<'_>, r: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in t.table("line", r).entries(r) {
        let name = format!("test.line.{}", key.value);
        let text = match value.get_ref() {
            DeValue::String(s) => r.text(&name, s, value.span()),
            other => match super::read::integer(other) {
                Some(n) => Some(n.to_string()),
                None => {
                    r.error(key.place, format!("{name}: expected a text in quotes, or a number"));
                    None
                }
            },
        };
        found.extend(text.map(|text| (key.value, text)));
    }
    found
}
