//! `agent.toml`: what is sent, where to, and under which names and severities.
//!
//! Every key is checked, and everything wrong is said in one run: with file, line, column, what was expected and the
//! nearest valid spelling. Errors stop the program, warnings do not.
pub mod control;
pub mod dialect;
pub mod doctor;
pub mod files;
mod filter;
pub mod line;
mod listener;
mod live;
pub mod metrics;
pub mod model;
pub mod naming;
pub mod output;
pub mod presets;
pub mod problem;
pub mod read;
pub mod ready;
mod section;
pub mod shown;
pub mod size;
pub mod source;
pub mod state_dir;
mod stream;
pub mod test;
mod test_entry;
mod tls;
mod value;
pub mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::{
    control::ControlConfig,
    line::LineConfig,
    listener::ListenerConfig,
    output::OutputConfig,
    problem::{ConfigError, Problem, ProblemLevel},
    shown::Shown,
    source::SourceConfig,
};
use self::{
    files::ConfigText,
    filter::RuleReader,
    read::{Reader, Section},
};
use crate::{
    decode::{ebcdic::Charset, history::messages::is_message_id, journal::Catalog},
    filter::{RuleBook, Rules, lint, types},
    source::receiver_chain::Count,
    spool::SpoolOptions,
};

/// The whole file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What is sent.
    pub filter: Rules,
    /// All rules of the file and its presets, by number.
    pub book: RuleBook,
    /// Where entries come from.
    pub sources: Vec<SourceConfig>,
    /// Where senders come to, each of whom is a source.
    pub listeners: Vec<ListenerConfig>,
    /// The folder of the agent's state.
    pub state_dir: Option<PathBuf>,
    /// Bytes that the spool may have.
    pub spool_max_size: u64,
    /// What happens when it has them.
    pub when_full: WhenFull,
    /// How often each output is told that the agent lives, unless it says otherwise; zero for never.
    pub heartbeat: Duration,
    /// SHA-256 over what the files say ([`files::hash`]): the same hash, the same configuration.
    pub hash: String,
    /// Whether outputs are told that the agent starts, stops, and changes its configuration.
    pub agent_events: bool,
    /// How long an agent may take to end.
    pub stop_timeout: Duration,
    /// What counts as a gap, unless a source says otherwise.
    pub gaps: Count,
    /// Where it is sent.
    pub outputs: Vec<OutputConfig>,
    /// What is switched off.
    pub off: Off,
    /// What `qaudjrn test` expects of it.
    pub tests: Vec<test::TestConfig>,
    /// How lines name us.
    pub line: LineConfig,
    /// The socket by which an agent is asked and told.
    pub control: ControlConfig,
    /// Where the figures of the agent are to be had.
    pub metrics: metrics::MetricsConfig,
    /// What `doctor` looks at.
    pub doctor: doctor::DoctorConfig,
    /// Severity 0 to 10 by event id (`"PW-P" = 8`) or type (`PW = 8`).
    pub severity: BTreeMap<String, u8>,
    /// What is odd about it, errors first.
    pub problems: Vec<Problem>,
    /// The tables and values of the file itself, by their keys.
    named: BTreeSet<String>,
    /// A file is no TOML: of what is behind the mistake, nothing may have been read.
    is_no_toml: bool,
    /// The keys that were looked for, whether they are there or not.
    looked_for: BTreeSet<String>,
}

/// What `enabled = false` keeps from being started. It is checked as everything else.
#[derive(Clone, Debug, Default)]
pub struct Off {
    /// Sources: their places stay.
    pub sources: Vec<SourceConfig>,
    /// Listeners.
    pub listeners: Vec<ListenerConfig>,
    /// Outputs: what waits for one in a spool stays.
    pub outputs: Vec<OutputConfig>,
}

impl Off {
    /// What they are and their names.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let sources = self.sources.iter().map(|s| ("source", s.name.as_str()));
        let listeners = self.listeners.iter().map(|l| ("listener", l.name.as_str()));
        sources.chain(listeners).chain(self.outputs.iter().map(|o| ("output", o.name.as_str())))
    }
}

/// `spool.when_full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The sources are not read until there is room: nothing is dropped.
    #[default]
    Wait,
    /// Near the end of the room, entries of the lowest severities are refused first; never those of `*SECURITY` and
    /// `*AUTFAIL`.
    DropLowestSeverity,
}

impl Config {
    /// Reads a file, and those in `conf.d` beside it, and checks them against the tables. Fails only when the file cannot be read: see [`Config::into_valid`].
    pub fn load(path: &Path, catalog: &Catalog) -> Result<Config, ConfigError> {
        Ok(Config::of(&files::read(path)?, &files::folder(path), catalog))
    }

    /// Reads a text; `file` is its name in problems, `folder` where relative paths begin.
    pub fn parse(text: &str, file: &str, folder: &Path, catalog: &Catalog) -> Config {
        Config::of(&[ConfigText { file: file.to_owned(), text: text.to_owned() }], folder, catalog)
    }

    /// Reads a file as [`Config::load`] does, with every key that it has or could have, and where its value comes from.
    pub fn load_with_keys(path: &Path, catalog: &Catalog) -> Result<(Config, Vec<Shown>), ConfigError> {
        let texts = files::read(path)?;
        let mut r = reader(&texts, &files::folder(path));
        r.shown = Some(Vec::new());
        let config = Config::with(&mut r, &texts, catalog);
        Ok((config, r.shown.unwrap_or_default()))
    }

    /// Reads texts as one.
    fn of(texts: &[ConfigText], folder: &Path, catalog: &Catalog) -> Config {
        Config::with(&mut reader(texts, folder), texts, catalog)
    }

    fn with(r: &mut Reader<'_>, texts: &[ConfigText], catalog: &Catalog) -> Config {
        let folder = r.folder.clone();
        let table = r.parse();
        let mut s = Section::new(&table, "");
        let mut config = Config {
            state_dir: s.path("state_dir", r).map(|d| d.value),
            stop_timeout: s.positive_or("stop_timeout", STOP_TIMEOUT, r),
            heartbeat: s.seconds_or("heartbeat", 0..86_401, HEARTBEAT, r),
            gaps: s.choice_or("gaps", &source::GAPS, Count::default(), r),
            agent_events: s.boolean_or("agent_events", true, r),
            is_no_toml: r.is_no_toml,
            hash: files::hash(texts),
            named: table.keys().map(|key| key.get_ref().to_string()).collect(),
            ..Config::default()
        };
        let mut spool = s.table("spool", r);
        config.spool_max_size = spool.size_or("max_size", SpoolOptions::MAX_SIZE, r);
        let ways = [("wait", WhenFull::Wait), ("drop_lowest_severity", WhenFull::DropLowestSeverity)];
        config.when_full = spool.choice_or("when_full", &ways, WhenFull::default(), r);
        if config.when_full == WhenFull::DropLowestSeverity {
            let place = spool.place_of("when_full", r);
            config.problems.push(Problem::warning(
                place,
                "spool.when_full: when the spool is nearly full, entries of low severity are lost, counted but lost",
            ));
        }
        spool.finish(r);
        let mut book = RuleBook::default();
        let mut rules = RuleReader { book: &mut book, prefix: String::new(), folder: &folder };
        let filter = s.table("filter", r);
        config.filter = rules.filter(filter, None, r);
        config.sources = source::sources(&mut s, &config.filter, &mut rules, r);
        config.listeners = listener::listeners(&mut s, (&config.filter, &config.sources), &mut rules, r);
        config.outputs = output::outputs(&mut s, (&config.filter, catalog), &mut rules, r);
        config.tests = test::tests(&mut s, (&config.sources, &config.outputs), catalog, r);
        config.line = line::line(&mut s, r);
        let (control, problem) = control::control(&mut s, r);
        config.control = control;
        config.problems.extend(problem);
        let (metrics, odd) = metrics::metrics(&mut s, config.state_dir.as_ref(), r);
        config.metrics = metrics;
        config.problems.extend(odd);
        config.doctor = doctor::doctor(&mut s, r);
        config.severity = severity(&mut s, catalog, r);
        s.finish(r);
        config.problems.append(&mut r.problems);
        config.looked_for = std::mem::take(&mut r.keys);
        config.book = book;
        config.validate(catalog);
        config.switch_off();
        // Errors first, then by place; what has none is about the file as a whole.
        config.problems.sort_by(|a, b| {
            let place = |p: &Problem| p.place.as_ref().map(|p| (p.file.clone(), p.line, p.column));
            (a.level, place(a)).cmp(&(b.level, place(b)))
        });
        config.problems.dedup();
        config
    }

    /// The full names of all keys that a configuration may have, such as `output.meter.burst`. A table whose keys are data has
    /// its own name only.
    pub fn keys(catalog: &Catalog) -> BTreeSet<String> {
        let all = Config::parse(&every_table(), "", Path::new(""), catalog).looked_for;
        let is_table =
            |key: &String| all.iter().any(|k| k.strip_prefix(key.as_str()).is_some_and(|k| k.starts_with('.')));
        all.iter().filter(|k| !is_table(k)).cloned().collect()
    }

    /// The configuration, if it has no errors; with `deny_warnings`, if nothing is odd about it.
    pub fn into_valid(self, deny_warnings: bool) -> Result<Config, ConfigError> {
        let stops = |p: &&Problem| deny_warnings || p.level == ProblemLevel::Error;
        let stopping: Vec<Problem> = self.problems.iter().filter(stops).cloned().collect();
        if stopping.is_empty() { Ok(self) } else { Err(ConfigError(stopping)) }
    }

    /// Adds warnings for names that the CCSID of the jobs cannot write.
    pub fn validate_names(&mut self, job: &'static Charset) {
        let sources = all_of(&self.sources, &self.listeners).chain(all_of(&self.off.sources, &self.off.listeners));
        let outputs = self.outputs.iter().chain(&self.off.outputs).map(|o| &o.filter);
        let all = std::iter::once(&self.filter).chain(sources.map(|s| &s.filter)).chain(outputs);
        for (rule, text) in all.flat_map(|rules| lint::unwritable(rules, job)) {
            let rule = self.book.get(rule);
            let name = rule.map_or(String::new(), |r| r.name());
            let place = rule.and_then(|r| r.place.clone());
            self.problems.push(Problem::warning(place, format!("{name}: {text}")));
        }
    }

    /// What is read: the sources, and what listeners say of their senders, as far as it is not the same.
    pub fn every_source(&self) -> impl Iterator<Item = &SourceConfig> {
        all_of(&self.sources, &self.listeners)
    }

    /// The output of a name, whether it is on or off.
    pub fn output(&self, name: &str) -> Option<&OutputConfig> {
        self.outputs.iter().chain(&self.off.outputs).find(|o| o.name == name)
    }

    /// Puts aside what is not to be started.
    fn switch_off(&mut self) {
        self.off.sources = self.sources.extract_if(.., |s| !s.enabled).collect();
        self.off.listeners = self.listeners.extract_if(.., |l| !l.enabled).collect();
        self.off.outputs = self.outputs.extract_if(.., |o| !o.enabled).collect();
    }

    /// Whether there is a `[[source]]` or `[[output]]` in the file that is not among ours because of a mistake in it.
    fn has_wrong(&self, table: &str) -> bool {
        self.named.contains(table) && self.problems.iter().any(|p| p.level == ProblemLevel::Error)
    }

    /// What needs the tables and all rules: unknown types, rules that can never match.
    fn validate(&mut self, catalog: &Catalog) {
        for (named, place) in self.outputs.iter().flat_map(|o| &o.named_types) {
            if let Err(e) = types::check(catalog, named) {
                self.problems.push(Problem::error(Some(place.clone()), e.to_string()));
            }
        }
        let sources = all_of(&self.sources, &self.listeners).map(|s| (format!("source {}: ", s.name), &s.filter));
        let outputs = self.outputs.iter().map(|o| (format!("output {}: ", o.name), &o.filter));
        for (whose, rules) in std::iter::once((String::new(), &self.filter)).chain(sources).chain(outputs) {
            for level in ["*SECURITY", "*AUTFAIL"] {
                let (off, partly) = lint::off(&rules.types, level, catalog);
                if off.is_empty() && partly.is_empty() {
                    continue;
                }
                let mut text = format!("{whose}types: of {level}, these are off: {}", off.join(", "));
                if off.is_empty() {
                    text = format!("{whose}types: of {level}, details of these are off: {}", partly.join(", "));
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

fn reader<'t>(texts: &'t [ConfigText], folder: &Path) -> Reader<'t> {
    let mut r = Reader::new(texts.iter().map(|t| (t.file.as_str(), t.text.as_str())));
    folder.clone_into(&mut r.folder);
    r
}

/// What is read, and what is said of it.
fn all_of<'a>(sources: &'a [SourceConfig], listeners: &'a [ListenerConfig]) -> impl Iterator<Item = &'a SourceConfig> {
    sources.iter().chain(listeners.iter().flat_map(ListenerConfig::contents))
}

/// A configuration that has every table, so that every key is asked for.
fn every_table() -> String {
    let kinds = ["capture", "directory", "stream", "mapepire", "odbc"];
    let sources = kinds.map(|kind| format!("[[source]]\nkind = \"{kind}\"\n"));
    let listener = "[[listener]]\nlisten = \"unix:/s\"\n[[listener.sender]]\n";
    format!("{}{listener}[[output]]\naddress = \"null\"\n[[test]]\n", sources.concat())
}

/// How long an end may take, unless the configuration says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often an output hears that the agent lives, unless the configuration says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(60);

fn severity(s: &mut Section<'_>, catalog: &Catalog, r: &mut Reader<'_>) -> BTreeMap<String, u8> {
    let mut found = BTreeMap::new();
    for (key, value) in s.table("severity", r).entries(r) {
        let code = key.value.split('-').next().unwrap_or("");
        if !catalog.has(code) && !is_message_id(&key.value) {
            let code = code.to_uppercase();
            let nearest = catalog.codes().min_by_key(|c| types::distance(c, &code)).unwrap_or("PW");
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
