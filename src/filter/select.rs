//! The selection of one command: which part of a capture it is about. Unlike a filter, a selection is the question
//! itself: it drops whatever it does not name, changes to auditing too.
use super::{FilterError, RuleBook, RuleId, RulePattern, TypeRule, TypeRules, rule::Rule, types};
use crate::{
    decode::{ebcdic::Charset, journal::text::trim_blanks},
    event::{Event, EventModel},
};

/// What is selected, in words.
#[derive(Clone, Debug)]
pub struct Selection {
    types: TypeRules,
    users: Vec<String>,
    since: Option<i64>,
    until: Option<i64>,
    user_rule: RuleId,
    time_rule: RuleId,
}

impl Selection {
    /// `--types`, `--user` (either user), `--since` and `--until` (microseconds UTC; `until` itself is out); empty for
    /// all. Its three rules are written into the book.
    pub fn new(
        types: &[TypeRule],
        users: &[String],
        since: Option<i64>,
        until: Option<i64>,
        book: &mut RuleBook,
    ) -> Selection {
        let mut add = |key: &'static str| book.add(Rule { key: key.into(), written: String::new(), place: None });
        let type_rule = add("--types");
        Selection {
            types: TypeRules {
                send: types.iter().map(|t| RulePattern { rule: type_rule, pattern: t.clone() }).collect(),
                exclude: Vec::new(),
                send_rule: Some(type_rule),
            },
            users: users.to_vec(),
            since,
            until,
            user_rule: add("--user"),
            time_rule: add("--since/--until"),
        }
    }
}

/// A selection compiled for a model.
pub(super) struct CompiledSelection {
    types: types::CompiledTypes,
    users: Vec<Vec<u8>>,
    since: i64,
    until: i64,
    user_rule: RuleId,
    time_rule: RuleId,
}

impl CompiledSelection {
    pub(super) fn new(model: &EventModel, s: &Selection) -> Result<CompiledSelection, FilterError> {
        let job = model.job_charset();
        Ok(CompiledSelection {
            types: types::CompiledTypes::new(model, &s.types)?,
            users: s.users.iter().map(|u| user_bytes(job, u)).collect::<Result<_, _>>()?,
            since: s.since.unwrap_or(i64::MIN),
            until: s.until.unwrap_or(i64::MAX),
            user_rule: s.user_rule,
            time_rule: s.time_rule,
        })
    }

    /// The option that leaves an event out. An entry without a valid time passes every time: what cannot be told is
    /// not hidden.
    #[inline]
    pub(super) fn drops(&self, ev: &Event<'_>) -> Option<RuleId> {
        if let Some(rule) = self.types.drops(ev) {
            return Some(rule);
        }
        if !self.users.is_empty() {
            let h = ev.entry.heading;
            let effective = trim_blanks(ev.entry.head(h.user_name));
            let job = trim_blanks(h.job_user.of(ev.entry.record));
            if !self.users.iter().any(|u| *u == effective || *u == job) {
                return Some(self.user_rule);
            }
        }
        match ev.time {
            Some(t) if t.utc_micros < self.since || t.utc_micros >= self.until => Some(self.time_rule),
            _ => None,
        }
    }
}

fn user_bytes(job: &'static Charset, name: &str) -> Result<Vec<u8>, FilterError> {
    let bytes = job.encode(&name.trim().to_uppercase()).filter(|b| !b.is_empty() && b.len() <= 10);
    bytes.ok_or_else(|| FilterError::User { name: name.to_owned(), ccsid: job.ccsid().0 })
}
