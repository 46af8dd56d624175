//! What has been wrong for long is said again, less and less often: who looks into the log of an hour finds it there.
use std::collections::BTreeMap;

use super::control::{snapshot::Snapshot, words};

/// Seconds after which it is said again for the first time, and between two times at most.
const AGAIN: (u64, u64) = (300, 3_600);

/// What was said, by what it was about.
#[derive(Debug, Default)]
pub struct Reminders(BTreeMap<String, Said>);

#[derive(Debug)]
struct Said {
    /// For how many seconds it had been wrong at the last look.
    wrong_for: u64,
    /// For how many it will have been when it is said next.
    next: u64,
}

impl Reminders {
    /// What is to be said now, a line each. To be called every few seconds.
    pub fn look(&mut self, s: &Snapshot) -> Vec<String> {
        let sources =
            s.sources.iter().filter_map(|s| Some((format!("source {}", s.name), s.down_seconds?, words::source(s))));
        let outputs = s.outputs.iter().filter(|o| o.is_stuck());
        let outputs = outputs.map(|o| (format!("output {}", o.name), o.since_seconds, words::output(o)));
        let mut before = std::mem::take(&mut self.0);
        let mut lines = Vec::new();
        for (what, wrong_for, line) in sources.chain(outputs) {
            let said = before.remove(&what).filter(|said| said.wrong_for <= wrong_for);
            let mut next = said.map_or(AGAIN.0, |said| said.next);
            if wrong_for >= next {
                next = wrong_for + wrong_for.min(AGAIN.1);
                lines.push(line);
            }
            self.0.insert(what, Said { wrong_for, next });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{
        control::snapshot::{Output, Source},
        link::State,
    };

    fn at(down: Option<u64>, stalled: u64) -> Snapshot {
        let source = Source { name: "a".to_owned(), down_seconds: down, ..Source::default() };
        let output =
            Output { name: "siem".to_owned(), state: State::Stalled, since_seconds: stalled, ..Output::default() };
        Snapshot { sources: vec![source], outputs: vec![output], ..Snapshot::default() }
    }

    #[test]
    fn what_stays_wrong_is_said_again_less_and_less_often() {
        let mut reminders = Reminders::default();
        let mut said = Vec::new();
        for now in (0..20_000).step_by(10) {
            let lines = reminders.look(&at(Some(now), 5));
            assert!(lines.len() <= 1 && lines.iter().all(|l| l.starts_with("source a: ")), "{lines:?}");
            said.extend(lines.iter().map(|_| now));
        }
        assert_eq!(said, [300, 600, 1_200, 2_400, 4_800, 8_400, 12_000, 15_600, 19_200]);
        // It was read meanwhile, seen or not: it begins anew.
        assert!(reminders.look(&at(None, 0)).is_empty());
        assert!(reminders.look(&at(Some(299), 0)).is_empty());
        assert_eq!(reminders.look(&at(Some(301), 400)).len(), 2);
        assert!(reminders.look(&at(Some(10), 401)).is_empty());
        assert_eq!(reminders.look(&at(Some(300), 600)).len(), 1);
    }
}
