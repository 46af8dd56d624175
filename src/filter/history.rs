//! Rules over messages of the history log: which ids are sent, from which severity on, and whose jobs are left out. They look at
//! nothing else, and nothing else that is about entry types looks at messages.
use super::{
    names::{Key, NameTree, Qualified},
    rule::{RuleId, RulePattern},
};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{layout::Field, text},
    },
    event::{Event, EventModel},
};

/// Job started and ended: `history.send = "logon_logoff"`.
pub const LOGON_LOGOFF: [&str; 2] = ["CPF1124", "CPF1164"];
/// Failures to sign on, and the messages beside them: `history.sign_on_failures`. CPF2200 to CPF22FF count too.
const SIGN_ON_FAILURES: [&str; 9] =
    ["CPF1120", "CPF1121", "CPF1122", "CPF1123", "CPF1125", "CPF1126", "CPF1127", "CPF1393", "CPF2234"];
/// The front of the security messages, CPF2200 to CPF22FF.
const SECURITY: &str = "CPF22";

/// `history`, in words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryRules {
    /// `send`: the ids, and the key itself, under which what none of them takes is counted. `None`: all are sent.
    pub send: Option<(RuleId, Vec<String>)>,
    /// `sign_on_failures`: they are sent beside those of `send`.
    pub sign_on_failures: bool,
    /// `exclude_jobs`: names of sending jobs.
    pub exclude_jobs: Vec<RulePattern<Qualified<1>>>,
    /// `minimum_severity`: of the message, 0 to 99.
    pub minimum_severity: Option<(RuleId, i64)>,
}

impl HistoryRules {
    /// All rules of it get this number.
    pub fn renumber(&mut self, to: RuleId) {
        self.exclude_jobs.iter_mut().for_each(|r| r.renumber(to));
        self.send.iter_mut().for_each(|(r, _)| *r = to);
        self.minimum_severity.iter_mut().for_each(|(r, _)| *r = to);
    }

    /// Whether they leave nothing out.
    pub fn is_empty(&self) -> bool {
        self.send.is_none() && self.exclude_jobs.is_empty() && self.minimum_severity.is_none()
    }
}

/// Rules compiled for a model.
pub(super) struct CompiledHistory {
    send: Option<(RuleId, Vec<Vec<u8>>)>,
    /// The front of further ids that are sent.
    front: Option<Vec<u8>>,
    jobs: NameTree<1>,
    minimum_severity: Option<(RuleId, i64)>,
    severity: Option<Field>,
}

impl CompiledHistory {
    pub(super) fn new(model: &EventModel, rules: &HistoryRules) -> CompiledHistory {
        let job: &'static Charset = model.job_charset();
        let failures: &[&str] = if rules.sign_on_failures { &SIGN_ON_FAILURES } else { &[] };
        let send = rules.send.as_ref().map(|(rule, ids)| {
            let ids = ids.iter().map(String::as_str).chain(failures.iter().copied());
            (*rule, ids.filter_map(|id| job.encode(id)).collect())
        });
        let layout = model.catalog().history();
        CompiledHistory {
            send,
            front: if rules.sign_on_failures { job.encode(SECURITY) } else { None },
            jobs: NameTree::new(rules.exclude_jobs.iter(), job),
            minimum_severity: rules.minimum_severity,
            severity: layout.role("message_severity").and_then(|i| layout.fields.get(i)).cloned(),
        }
    }

    /// The first rule that leaves a message out. One without a severity has none that is too low.
    pub(super) fn drops(&self, ev: &Event<'_>) -> Option<RuleId> {
        if !ev.kind.is_history() {
            return None;
        }
        let id = ev.detail_code();
        let sent = |ids: &[Vec<u8>]| {
            ids.iter().any(|sent| sent == id) || self.front.as_ref().is_some_and(|f| id.len() == 7 && id.starts_with(f))
        };
        let by_id = self.send.as_ref().filter(|(_, ids)| !sent(ids)).map(|(rule, _)| *rule);
        let by_job =
            Key::of(ev.entry.heading.job_name.of(ev.entry.record)).and_then(|name| self.jobs.find(&[Some(name)]));
        let severity = self.severity.as_ref().and_then(|f| text::integer(f, ev.entry.data));
        let by_severity =
            self.minimum_severity.filter(|(_, least)| severity.is_some_and(|n| n < *least)).map(|(r, _)| r);
        [by_id, by_job, by_severity].into_iter().flatten().min()
    }
}
