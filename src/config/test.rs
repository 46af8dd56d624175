//! `[[test]]`: what a configuration is expected to do with entries of a capture, for `qaudjrn test`.
use std::path::PathBuf;

use toml::de::DeValue;

use super::{
    OutputConfig, Problem, ProblemLevel, SourceConfig,
    read::{Placed, Reader, Section},
};

/// One test.
#[derive(Clone, Debug)]
pub struct TestConfig {
    /// Its name in reports.
    pub name: String,
    /// Where the entries are.
    pub capture: PathBuf,
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
        for key in ["name", "capture", "expect"] {
            if !t.has(key) {
                r.error(place.clone(), format!("test.{key} is missing"));
            }
        }
        t.finish(r);
        let (Some(name), Some(capture), Some(expect)) = (name, capture, expect) else { continue };
        if found.iter().any(|t| t.name == name.value) {
            r.error(name.place, format!("test.name: there are two tests named {:?}", name.value));
        }
        found.push(TestConfig {
            name: name.value,
            capture: capture.value,
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
