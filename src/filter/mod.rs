//! The filter: whether an event is sent, and which rule said no.
//!
//! Compiled once for an event model; a verdict compares bytes and allocates nothing. Without rules everything is
//! sent. In this version: entry types ([`types`]), users and times of a selection.
pub mod types;

use crate::{
    decode::{ebcdic::Charset, journal::text::trim_blanks},
    event::{Event, EventModel},
};
pub use types::{TypeRule, TypeRules, UnknownType};

/// What is asked for, in words.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `[filter] types` of the configuration.
    pub configured: TypeRules,
    /// `--types`; empty for all.
    pub selected: Vec<TypeRule>,
    /// `--user`: either user; empty for all.
    pub users: Vec<String>,
    /// `--since`, in microseconds UTC.
    pub since: Option<i64>,
    /// `--until`, in microseconds UTC; that time itself is out.
    pub until: Option<i64>,
}

/// The rule that decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Rule {
    /// `[filter] types`.
    ConfiguredTypes,
    /// `--types`.
    SelectedTypes,
    /// `--user`.
    User,
    /// `--since` and `--until`.
    Time,
}

impl Rule {
    /// All rules, in the order in which they are asked.
    pub const ALL: [Rule; 4] = [Rule::ConfiguredTypes, Rule::SelectedTypes, Rule::User, Rule::Time];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Rule::ConfiguredTypes => "filter.types",
            Rule::SelectedTypes => "--types",
            Rule::User => "--user",
            Rule::Time => "--since/--until",
        }
    }
}

/// A compiled filter.
pub struct Filter {
    configured: types::Compiled,
    selected: types::Compiled,
    users: Vec<Vec<u8>>,
    since: i64,
    until: i64,
}

impl Filter {
    /// Compiles the rules for a model. Fails for a type or level that no table knows, and for a name that no profile can have.
    pub fn new(model: &EventModel, rules: &Rules) -> Result<Filter, FilterError> {
        let job: &'static Charset = model.job_charset();
        let selected = TypeRules { send: rules.selected.clone(), exclude: Vec::new() };
        Ok(Filter {
            configured: types::Compiled::new(model, &rules.configured)?,
            selected: types::Compiled::new(model, &selected)?,
            users: rules.users.iter().map(|u| user_bytes(job, u)).collect::<Result<_, _>>()?,
            since: rules.since.unwrap_or(i64::MIN),
            until: rules.until.unwrap_or(i64::MAX),
        })
    }

    /// The rule that drops an event; `None` when it is sent. An entry without a valid time passes every time rule:
    /// what cannot be told is not hidden.
    #[inline]
    pub fn verdict(&self, ev: &Event<'_>) -> Option<Rule> {
        if !self.configured.sends(ev) {
            return Some(Rule::ConfiguredTypes);
        }
        if !self.selected.sends(ev) {
            return Some(Rule::SelectedTypes);
        }
        if !self.users.is_empty() {
            let h = ev.entry.heading;
            let effective = trim_blanks(ev.entry.head(h.user_name));
            let job = trim_blanks(h.job_user.of(ev.entry.record));
            if !self.users.iter().any(|u| *u == effective || *u == job) {
                return Some(Rule::User);
            }
        }
        match ev.time {
            Some(t) if t.utc_micros < self.since || t.utc_micros >= self.until => Some(Rule::Time),
            _ => None,
        }
    }
}

fn user_bytes(job: &'static Charset, name: &str) -> Result<Vec<u8>, FilterError> {
    let bytes = job.encode(&name.trim().to_uppercase()).filter(|b| !b.is_empty() && b.len() <= 10);
    bytes.ok_or_else(|| FilterError::User { name: name.to_owned(), ccsid: job.ccsid().0 })
}

/// A rule that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No such type, level or detail.
    #[error(transparent)]
    Type(#[from] UnknownType),
    /// No profile can have this name.
    #[error("--user {name:?}: expected a user profile name, 1 to 10 characters of CCSID {ccsid}")]
    User {
        /// As written.
        name: String,
        /// The job's CCSID.
        ccsid: u16,
    },
}
