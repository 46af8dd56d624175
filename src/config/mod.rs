//! `agent.toml`: what is sent, where to, and under which names and severities.
//!
//! Every key is checked, and everything wrong is said in one run: with file, line, column, what was expected and the
//! nearest valid spelling. Errors stop the program, warnings do not.
mod filter;
pub mod output;
pub mod presets;
pub mod problem;
pub mod read;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use self::{
    filter::RuleReader,
    read::{Placed, Reader, Section},
};
pub use self::{
    output::OutputConfig,
    problem::{ConfigError, Problem, Weight},
};
use crate::{
    decode::journal::Catalog,
    filter::{RuleBook, Rules, lint, types},
};

/// The whole file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What is sent.
    pub filter: Rules,
    /// All rules of the file and its presets, by number.
    pub book: RuleBook,
    /// Where it is sent.
    pub outputs: Vec<OutputConfig>,
    /// How lines name us.
    pub line: LineConfig,
    /// Severity 0 to 10 by event id (`"PW-P" = 8`) or type (`PW = 8`).
    pub severity: BTreeMap<String, u8>,
    /// What is odd about it, errors first.
    pub problems: Vec<Problem>,
}

/// `[line]`: the public contract of the lines. What is not given is the profile's.
#[derive(Clone, Debug, Default)]
pub struct LineConfig {
    /// Syslog facility, 0 to 23.
    pub facility: Option<u8>,
    /// CEF and LEEF vendor.
    pub vendor: Option<String>,
    /// CEF and LEEF product.
    pub product: Option<String>,
    /// CEF and LEEF version.
    pub version: Option<String>,
    /// Structured-data id, `name@enterprise`.
    pub sd_id: Option<String>,
    /// APP-NAME.
    pub app_name: Option<String>,
}

impl Config {
    /// Reads a file and checks it against the tables. Fails only when the file cannot be read: see [`Config::usable`].
    pub fn load(path: &Path, catalog: &Catalog) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path).map_err(|e| {
            let text = format!("cannot read the configuration {}: {e}", path.display());
            ConfigError(vec![Problem::error(None, text)])
        })?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Config::parse(&text, &path.display().to_string(), &folder, catalog))
    }

    /// Reads a text; `file` is its name in problems, `folder` where the user's presets are looked for.
    pub fn parse(text: &str, file: &str, folder: &Path, catalog: &Catalog) -> Config {
        let mut r = Reader::new(file, text);
        let table = r.parse();
        let mut s = Section::new(table.get_ref(), "");
        let mut config = Config::default();
        let mut book = RuleBook::default();
        let mut rules = RuleReader { book: &mut book, prefix: String::new(), folder };
        let filter = s.table("filter", &mut r);
        config.filter = rules.filter(filter, None, &mut r);
        config.outputs = output::outputs(&mut s, &config.filter, &mut rules, &mut r);
        config.line = line(&mut s, &mut r);
        config.severity = severity(&mut s, catalog, &mut r);
        s.finish(&mut r);
        config.problems = r.problems;
        config.book = book;
        config.examine(catalog);
        // Errors first, then by place; what has none is about the file as a whole.
        config.problems.sort_by(|a, b| {
            let place = |p: &Problem| p.place.as_ref().map(|p| (p.file.clone(), p.line, p.column));
            (a.weight, place(a)).cmp(&(b.weight, place(b)))
        });
        config.problems.dedup();
        config
    }

    /// The configuration, if it has no errors; with `deny_warnings`, if nothing is odd about it.
    pub fn usable(self, deny_warnings: bool) -> Result<Config, ConfigError> {
        let stops = |p: &&Problem| deny_warnings || p.weight == Weight::Error;
        let stopping: Vec<Problem> = self.problems.iter().filter(stops).cloned().collect();
        if stopping.is_empty() { Ok(self) } else { Err(ConfigError(stopping)) }
    }

    /// The output of a name.
    pub fn output(&self, name: &str) -> Option<&OutputConfig> {
        self.outputs.iter().find(|o| o.name == name)
    }

    /// What needs the tables and all rules: unknown types, rules that can never match.
    fn examine(&mut self, catalog: &Catalog) {
        let all = std::iter::once(&self.filter).chain(self.outputs.iter().map(|o| &o.filter));
        for rules in all {
            for level in ["*SECURITY", "*AUTFAIL"] {
                let (off, partly) = lint::off(&rules.types, level, catalog);
                if off.is_empty() && partly.is_empty() {
                    continue;
                }
                let mut text = format!("types: of {level}, these are off: {}", off.join(", "));
                if off.is_empty() {
                    text = format!("types: of {level}, details of these are off: {}", partly.join(", "));
                } else if !partly.is_empty() {
                    text.push_str(&format!("; details of these: {}", partly.join(", ")));
                }
                let rule = rules.types.exclude.first().map(|r| r.rule).or(rules.types.send_rule);
                let place = rule.and_then(|r| self.book.get(r)).and_then(|r| r.place.clone());
                self.problems.push(Problem::warning(place, text));
            }
            for rule in rules.types.send.iter().chain(&rules.types.exclude) {
                if let Err(e) = types::check(catalog, &rule.pattern) {
                    let place = self.book.get(rule.rule).and_then(|r| r.place.clone());
                    self.problems.push(Problem::error(place, e.to_string()));
                }
            }
            for (rule, text) in lint::never(rules, &self.book, catalog) {
                let place = self.book.get(rule).and_then(|r| r.place.clone());
                let name = self.book.get(rule).map_or(String::new(), |r| format!("{}: ", r.name()));
                self.problems.push(Problem::warning(place, format!("{name}{text}")));
            }
        }
    }
}

fn line(s: &mut Section<'_>, r: &mut Reader<'_>) -> LineConfig {
    let mut t = s.table("line", r);
    let facility = t.integer("facility", 0..24, r).and_then(|n| u8::try_from(n).ok());
    let mut text = |key: &'static str, r: &mut Reader<'_>| -> Option<String> {
        let Placed { value, place } = t.string(key, r)?;
        // No escapes in the header: several parsers split it at every pipe, escaped or not.
        let legal = |c: char| !c.is_control() && !matches!(c, '|' | '\\' | '^');
        if value.is_empty() || value.len() > 40 || !value.chars().all(legal) {
            r.error(place, format!("line.{key}: expected 1 to 40 bytes without control characters, | \\ and ^"));
            return None;
        }
        Some(value)
    };
    let (vendor, product, version) = (text("vendor", r), text("product", r), text("version", r));
    let app_name = text("app_name", r);
    let sd_id = t.string("sd_id", r).and_then(|Placed { value, place }| {
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
        if value.is_empty() || value.len() > 32 || !value.bytes().all(legal) {
            r.error(place, format!(
                "line.sd_id = {value:?}: expected name@enterprise-number, 1 to 32 printable ASCII characters without = ] \" and blanks (RFC 5424, section 6.3.2)"
            ));
            return None;
        }
        Some(value)
    });
    t.finish(r);
    LineConfig { facility, vendor, product, version, sd_id, app_name }
}

fn severity(s: &mut Section<'_>, catalog: &Catalog, r: &mut Reader<'_>) -> BTreeMap<String, u8> {
    let mut found = BTreeMap::new();
    for (key, value) in s.table("severity", r).entries(r) {
        let code = key.value.split('-').next().unwrap_or("");
        if !catalog.has(code) {
            let nearest = catalog.codes().min_by_key(|c| types::distance(c, code)).unwrap_or("PW");
            r.error(key.place, format!("severity.{:?}: no such entry type; did you mean {nearest}?", key.value));
            continue;
        }
        match read::integer(value.get_ref()).and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= 10) {
            Some(n) => drop(found.insert(key.value, n)),
            None => r.error(key.place, format!("severity.{:?}: expected a number from 0 to 10", key.value)),
        }
    }
    found
}

#[cfg(test)]
mod tests;
