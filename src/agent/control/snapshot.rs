//! How an agent is, as plain data: for the control socket, the log, and whoever reads it elsewhere.
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::{
    agent::{
        Shared,
        link::State,
        stats::{OutputStats, SourceStats},
    },
    clock,
};

/// Rules that are named with what they dropped, those that dropped most first.
const RULES: usize = 5;
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
    /// Batches in it.
    pub batches: u64,
}

impl Snapshot {
    /// Of a running agent.
    pub fn of(shared: &Shared) -> Snapshot {
        let sources = shared.source_stats();
        let outputs = shared.output_stats();
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: shared.configuration(),
            uptime_seconds: shared.began.elapsed().as_secs(),
            wrong: Vec::new(),
            sources: sources.iter().map(|(name, stats)| source(name, stats)).collect(),
            outputs: outputs.iter().map(|(name, stats)| output(name, stats, shared)).collect(),
            spool: Spool {
                bytes: shared.spool.size(),
                max_bytes: shared.spool.max_size(),
                batches: shared.spool.batches(),
            },
            damaged_batches: shared.spool.damaged(),
        };
        snapshot.wrong = snapshot.judge();
        snapshot
    }

    /// What is wrong.
    fn judge(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for s in &self.sources {
            if s.failed || s.down_seconds.is_some() {
                wrong.push(format!("source {} is not read", s.name));
            }
        }
        for o in &self.outputs {
            match o.state {
                State::Paused => wrong.push(format!("output {} is paused", o.name)),
                State::Connecting if !o.last_error.is_empty() => {
                    wrong.push(format!("output {} is not connected", o.name));
                }
                State::Stalled if o.since_seconds > STALLED => {
                    wrong.push(format!("output {} has been stalled for {} s", o.name, o.since_seconds));
                }
                State::Ended => wrong.push(format!("output {} has ended", o.name)),
                _ => {}
            }
        }
        if self.spool.max_bytes > 0 && self.spool.bytes.saturating_mul(100) / self.spool.max_bytes > PRESSURE {
            wrong.push(format!("the spool is more than {PRESSURE} percent full"));
        }
        wrong
    }
}

fn load(n: &AtomicU64) -> u64 {
    n.load(Ordering::Relaxed)
}

fn source(name: &str, stats: &SourceStats) -> Source {
    let status = stats.status();
    let mut rules: Vec<Rule> =
        status.filtered.iter().map(|(rule, n)| Rule { rule: rule.clone(), dropped: *n }).collect();
    rules.sort_by_key(|r| std::cmp::Reverse(r.dropped));
    rules.truncate(RULES);
    Source {
        name: name.to_owned(),
        state: status.in_words(),
        down_seconds: status.down.map(|since| since.elapsed().as_secs()),
        failed: stats.failed.load(Ordering::Relaxed),
        receiver: match (status.last.library.as_str(), status.last.receiver.as_str()) {
            ("", receiver) => receiver.to_owned(),
            (library, receiver) => format!("{library}/{receiver}"),
        },
        system: status.system,
        sequence: status.last.sequence,
        last_entry: status.last_entry,
        read: load(&stats.read),
        filtered: load(&stats.filtered),
        parked: load(&stats.parked),
        refused: load(&stats.refused),
        spooled: load(&stats.spooled),
        gaps: load(&stats.gaps),
        missing: load(&stats.missing),
        rules,
    }
}

fn output(name: &str, stats: &OutputStats, shared: &Shared) -> Output {
    let link = stats.link.look();
    let waiting = shared.spool.waiting(name);
    let oldest = waiting.values().filter_map(|w| w.since).min();
    let now = clock::now().timestamp_micros();
    Output {
        name: name.to_owned(),
        state: link.state,
        since_seconds: link.since.as_secs(),
        address: link.address,
        rate: link.rate,
        sent: load(&stats.sent),
        filtered: load(&stats.filtered),
        resent: load(&stats.resent),
        refused: load(&stats.refused),
        unreadable: load(&stats.unreadable),
        notices: load(&stats.notices),
        in_window: link.in_window,
        waiting: waiting.values().map(|w| w.events).sum(),
        oldest_seconds: oldest.map(|since| u64::try_from((now - since).max(0) / 1_000_000).unwrap_or(0)),
        next_try_seconds: link.next_try.map(|wait| wait.as_secs()),
        last_error: link.last_error,
        answered: stats.answered.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(state: State) -> Output {
        Output { name: "siem".to_owned(), state, ..Output::default() }
    }

    fn judged(outputs: Vec<Output>, sources: Vec<Source>, bytes: u64) -> Vec<String> {
        let spool = Spool { bytes, max_bytes: 1_000, batches: 1 };
        Snapshot { outputs, sources, spool, ..Snapshot::default() }.judge()
    }

    #[test]
    fn what_is_wrong_is_what_a_monitor_is_to_hear_of() {
        let well = [State::Connected, State::OverBudget, State::Stalled, State::Connecting];
        assert_eq!(judged(well.map(output).to_vec(), vec![Source::default()], 809), Vec::<String>::new());
        let cases = [
            (Output { since_seconds: 61, ..output(State::Stalled) }, "output siem has been stalled for 61 s"),
            (
                Output { last_error: "refused".to_owned(), ..output(State::Connecting) },
                "output siem is not connected",
            ),
            (output(State::Paused), "output siem is paused"),
            (output(State::Ended), "output siem has ended"),
        ];
        for (output, says) in cases {
            assert_eq!(judged(vec![output], vec![], 0), [says]);
        }
        let dead = Source { name: "a".to_owned(), down_seconds: Some(0), ..Source::default() };
        let failed = Source { name: "b".to_owned(), failed: true, ..Source::default() };
        assert_eq!(judged(vec![], vec![dead, failed], 0), ["source a is not read", "source b is not read"]);
        assert_eq!(judged(vec![], vec![], 810), ["the spool is more than 80 percent full"]);
    }
}
