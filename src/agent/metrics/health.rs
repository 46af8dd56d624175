//! Whether the agent does its work, in words: one line for each thing that does not.
use std::sync::atomic::Ordering;

use crate::{
    agent::{Shared, totals::Totals},
    log::Visible,
};

/// What is wrong with the agent as a whole.
pub struct Health {
    /// The spool has no room: the sources wait.
    pub is_full: bool,
    /// It cannot be written at present.
    pub is_stuck: bool,
    /// A new configuration was refused, and the old one stays.
    pub is_refused: bool,
}

impl Shared {
    /// See [`Health`].
    pub(super) fn health(&self) -> Health {
        Health {
            is_full: self.spool.is_at_its_size(),
            is_stuck: self.is_stuck.load(Ordering::Relaxed),
            is_refused: self.is_refused.load(Ordering::Relaxed),
        }
    }

    /// What keeps the agent from reading every source and sending to every output; nothing where it does both.
    pub(super) fn not_ready(&self) -> Vec<String> {
        let mut lines = in_words(&self.totals(), &self.wanted_outputs());
        let health = self.health();
        if self.is_shutting_down() {
            lines.push("the agent ends".to_owned());
        }
        if health.is_full {
            lines.push("spool: it is full, and the sources wait".to_owned());
        }
        if health.is_stuck {
            lines.push("spool: it cannot be written at present".to_owned());
        }
        lines
    }
}

fn in_words(totals: &Totals, wanted: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, s) in totals.sources.iter().filter(|(_, s)| s.is_current && (!s.up || s.halted)) {
        lines.push(format!("source {}: not read for {} s: {}", Visible(name), s.down_seconds, Visible(&s.state)));
    }
    for name in wanted {
        let Some((_, o)) = totals.outputs.iter().find(|(n, _)| n == name) else {
            lines.push(format!("output {}: not started yet", Visible(name)));
            continue;
        };
        let name = Visible(name);
        if !o.up {
            let why = if o.error.is_empty() { "none was made yet" } else { &o.error };
            lines.push(format!("output {name}: no connection for {} s: {}", o.down_seconds, Visible(why)));
        } else if o.stalled_seconds > 0 {
            lines.push(format!("output {name}: its receiver takes nothing for {} s", o.stalled_seconds));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::totals::{OutputTotals, SourceTotals};

    #[test]
    fn each_thing_that_does_not_work_has_its_line() {
        let source = |up, is_current| SourceTotals {
            up,
            is_current,
            down_seconds: 4,
            state: "not reached: \u{1b}[31m".to_owned(),
            ..SourceTotals::default()
        };
        let output = |up, stalled_seconds, error: &str| OutputTotals {
            up,
            stalled_seconds,
            down_seconds: 7,
            error: error.to_owned(),
            ..OutputTotals::default()
        };
        let totals = Totals {
            sources: [("up", source(true, true)), ("down", source(false, true)), ("gone", source(false, false))]
                .map(|(n, s)| (n.to_owned(), s))
                .to_vec(),
            outputs: [
                ("well", output(true, 0, "long ago")),
                ("dead", output(false, 0, "refused")),
                ("deaf", output(true, 9, "")),
            ]
            .map(|(n, o)| (n.to_owned(), o))
            .to_vec(),
            ..Totals::default()
        };
        let wanted = ["well", "dead", "deaf", "new"].map(str::to_owned);
        assert_eq!(
            in_words(&totals, &wanted),
            [
                "source down: not read for 4 s: not reached: \\x1b[31m",
                "output dead: no connection for 7 s: refused",
                "output deaf: its receiver takes nothing for 9 s",
                "output new: not started yet",
            ]
        );
    }
}
