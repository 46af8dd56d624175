//! How an agent is, as plain data: for the control socket, the log, and whoever reads it elsewhere.
use serde::{Deserialize, Serialize};

use crate::agent::link::State;

/// So long an output may be stalled before that is wrong, in seconds.
const STALLED: u64 = 60;
/// The part of the spool that may be used before that is wrong, in percent.
const PRESSURE: u64 = 80;

/// How an agent is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version of the program.
    pub version: String,
    /// The first digits of the hash of the configuration in force.
    pub configuration: String,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// What is wrong, each a sentence; nothing when all is well.
    pub wrong: Vec<String>,
    /// What entries come from.
    pub sources: Vec<Source>,
    /// Where they go.
    pub outputs: Vec<Output>,
    /// What is between.
    pub spool: Spool,
    /// Batches of the spool that were found damaged or missing since the start.
    pub damaged_batches: u64,
    /// A new configuration was refused, and the old one stays.
    pub configuration_refused: bool,
    /// Something ended that should not have.
    pub failed: bool,
}

/// A source. read = filtered + refused + parked + spooled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "counts as in SourceStats, under the same names")]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it is doing, in words.
    pub state: String,
    /// Seconds since it was last read, where it is not.
    pub down_seconds: Option<u64>,
    /// It has ended with an error, and is not tried again before a reload.
    pub failed: bool,
    /// System, receiver and sequence number of the last entry.
    pub system: String,
    pub receiver: String,
    pub sequence: u64,
    /// When the last entry was written there, UTC microseconds; `None` before the first.
    pub last_entry: Option<i64>,
    /// How long ago that was, by the clock of this machine.
    pub last_entry_age_seconds: Option<u64>,
    pub read: u64,
    pub filtered: u64,
    pub parked: u64,
    pub refused: u64,
    pub spooled: u64,
    pub gaps: u64,
    pub missing: u64,
    /// The rules that dropped most.
    pub rules: Vec<Rule>,
}

/// What a rule dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule.
    pub rule: String,
    /// Entries.
    pub dropped: u64,
}

/// An output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "counts as in OutputStats, under the same names")]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// For how many seconds.
    pub since_seconds: u64,
    /// The address in use, or last used; empty before the first connection.
    pub address: String,
    /// Events that were done a second, over the last ten seconds.
    pub rate: f64,
    pub sent: u64,
    pub filtered: u64,
    pub resent: u64,
    pub refused: u64,
    pub unreadable: u64,
    pub notices: u64,
    /// Events that were handed over and are not acknowledged.
    pub in_window: u64,
    /// Events that are not done, those in the window too.
    pub waiting: u64,
    /// For how many seconds the oldest of them has waited.
    pub oldest_seconds: Option<u64>,
    /// In how many seconds it is tried again, while it is not connected.
    pub next_try_seconds: Option<u64>,
    /// Why the last connection ended or was not made; empty while none was.
    pub last_error: String,
    /// The receiver says something that none of syslog says.
    pub answered: bool,
}

/// The spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spool {
    /// Bytes that it uses.
    pub bytes: u64,
    /// Bytes that it may use.
    pub max_bytes: u64,
    /// It cannot be written at present.
    pub stuck: bool,
}

impl Snapshot {
    /// What is wrong.
    pub(super) fn judge(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for s in &self.sources {
            let mut say = |what: String| wrong.push(format!("source {}{what}", s.name));
            if s.failed || s.down_seconds.is_some() {
                say(" is not read".to_owned());
            }
            if s.gaps > 0 {
                say(format!(": {} gaps, {} entries known to be missing", s.gaps, s.missing));
            }
            if s.parked > 0 {
                say(format!(": {} records are parked", s.parked));
            }
            if s.refused > 0 {
                say(format!(": {} entries were refused, because the spool was nearly full", s.refused));
            }
        }
        for o in &self.outputs {
            if let Some(state) = o.wrong_state() {
                wrong.push(format!("output {} {state}", o.name));
            }
            if o.refused > 0 {
                wrong.push(format!("output {} has lost {} events: nobody took its datagrams", o.name, o.refused));
            }
            if o.unreadable > 0 {
                wrong.push(format!("output {}: {} stored events cannot be read again", o.name, o.unreadable));
            }
            if o.answered {
                wrong.push(format!("output {}: its receiver answers: is it the right port?", o.name));
            }
        }
        for (is_so, what) in [
            (self.failed, "something ended that should not have: the log says what"),
            (self.configuration_refused, "a new configuration was refused, the old one stays: the log says why"),
            (self.spool.stuck, "the spool cannot be written at present"),
        ] {
            if is_so {
                wrong.push(what.to_owned());
            }
        }
        if self.damaged_batches > 0 {
            wrong.push(format!("{} batches of the spool were damaged", self.damaged_batches));
        }
        if self.spool.bytes.saturating_mul(100).checked_div(self.spool.max_bytes).is_some_and(|used| used > PRESSURE) {
            wrong.push(format!("the spool is more than {PRESSURE} percent full"));
        }
        wrong
    }
}

impl Output {
    /// What it is doing that it should not, if it is.
    fn wrong_state(&self) -> Option<String> {
        match self.state {
            State::Paused => Some("is paused".to_owned()),
            State::Connecting if !self.last_error.is_empty() => Some("is not connected".to_owned()),
            State::Stalled if self.since_seconds > STALLED => {
                Some(format!("has been stalled for {} s", self.since_seconds))
            }
            State::Ended => Some("has ended".to_owned()),
            _ => None,
        }
    }

    /// Whether it delivers nothing at present that it should.
    pub fn is_stuck(&self) -> bool {
        self.wrong_state().is_some()
    }

    /// Whether it does what it is for, and nothing of it is known to be lost.
    pub fn is_well(&self) -> bool {
        self.wrong_state().is_none() && self.refused + self.unreadable == 0 && !self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(state: State) -> Output {
        Output { name: "siem".to_owned(), state, ..Output::default() }
    }

    fn judged(outputs: Vec<Output>, sources: Vec<Source>, bytes: u64) -> Vec<String> {
        let spool = Spool { bytes, max_bytes: 1_000, stuck: false };
        Snapshot { outputs, sources, spool, ..Snapshot::default() }.judge()
    }

    #[test]
    fn what_is_wrong_is_what_a_monitor_is_to_hear_of() {
        let well = [State::Connected, State::OverBudget, State::Stalled, State::Connecting];
        assert_eq!(judged(well.map(output).to_vec(), vec![Source::default()], 809), Vec::<String>::new());
        let cases = [
            (Output { since_seconds: 61, ..output(State::Stalled) }, "output siem has been stalled for 61 s"),
            (Output { last_error: "refused".to_owned(), ..output(State::Connecting) }, "output siem is not connected"),
            (output(State::Paused), "output siem is paused"),
            (output(State::Ended), "output siem has ended"),
            (
                Output { refused: 2, ..output(State::Connected) },
                "output siem has lost 2 events: nobody took its datagrams",
            ),
            (Output { answered: true, ..Output::default() }, "output : its receiver answers: is it the right port?"),
            (Output { unreadable: 1, ..Output::default() }, "output : 1 stored events cannot be read again"),
        ];
        for (output, says) in cases {
            assert_eq!(judged(vec![output], vec![], 0), [says]);
        }
        let dead = Source { name: "a".to_owned(), down_seconds: Some(0), ..Source::default() };
        let failed = Source { name: "b".to_owned(), failed: true, ..Source::default() };
        assert_eq!(judged(vec![], vec![dead, failed], 0), ["source a is not read", "source b is not read"]);
        let lacks = Source { name: "c".to_owned(), gaps: 1, missing: 7, parked: 2, refused: 3, ..Source::default() };
        let says = [
            "1 gaps, 7 entries known to be missing",
            "2 records are parked",
            "3 entries were refused, because the spool was nearly full",
        ];
        assert_eq!(judged(vec![], vec![lacks], 0), says.map(|s| format!("source c: {s}")));
        let spool = Spool { stuck: true, ..Spool::default() };
        let agent =
            Snapshot { failed: true, configuration_refused: true, damaged_batches: 2, spool, ..Snapshot::default() };
        let says =
            ["something ended that", "a new configuration was refused", "the spool cannot be written", "2 batches"];
        let judged_agent = agent.judge();
        assert!(
            judged_agent.len() == 4 && judged_agent.iter().zip(says).all(|(l, s)| l.starts_with(s)),
            "{judged_agent:?}"
        );
        assert_eq!(judged(vec![], vec![], 810), ["the spool is more than 80 percent full"]);
    }
}
