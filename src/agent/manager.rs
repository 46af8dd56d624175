//! What the service manager hears of a running agent: when, and in which words. The supervisor's loop says it, so that it is silent when
//! that loop hangs.
use std::sync::Arc;

use tokio::time::Instant;

use super::Totals;
use crate::service::Service;

/// What was said, and what is to be said next.
pub struct Manager {
    service: Arc<Service>,
    /// A configuration is in force of which it does not know yet.
    news: bool,
    stopping: bool,
    status: String,
    /// When it is to hear next that the agent lives.
    alive_due: Option<Instant>,
}

impl Manager {
    /// It hears first that the agent runs.
    pub fn new(service: Arc<Service>) -> Manager {
        let alive_due = service.alive_every().map(|_| Instant::now());
        Manager { service, news: false, stopping: false, status: String::new(), alive_due }
    }

    /// A configuration is in force: it hears of that when its tasks run.
    pub fn configured(&mut self) {
        self.news = true;
    }

    /// Whether it does not know yet that the tasks of a configuration run.
    pub fn has_news(&self) -> bool {
        self.news
    }

    /// The tasks of the configuration run.
    pub fn running(&mut self, totals: &Totals) {
        self.news = false;
        self.status = in_words(totals);
        self.service.ready(&self.status);
    }

    /// How the agent is doing.
    pub fn status(&mut self, totals: &Totals) {
        let status = in_words(totals);
        if !self.stopping && status != self.status {
            self.service.status(&status);
            self.status = status;
        }
    }

    /// The agent ends: it hears that once.
    pub fn stopping(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            self.service.stopping();
        }
    }

    /// When something is to be said next, if a watchdog waits for it.
    pub fn due(&self) -> Option<Instant> {
        self.alive_due
    }

    /// Says that the agent lives, if it is time for it.
    pub fn say_what_is_due(&mut self) {
        let now = Instant::now();
        if let (Some(due), Some(every)) = (self.alive_due, self.service.alive_every())
            && due <= now
        {
            self.service.alive();
            self.alive_due = Some(now + every);
        }
    }
}

/// A line for `systemctl status`.
fn in_words(totals: &Totals) -> String {
    let up = totals.sources.iter().filter(|(_, s)| s.up).count();
    let parts: Vec<String> = totals.outputs.iter().map(|(name, o)| format!("{name}: {} wait", o.waiting)).collect();
    format!("{up} of {} sources are read; {}", totals.sources.len(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::totals::{OutputTotals, SourceTotals};

    #[test]
    fn the_line_of_the_state_counts_sources_and_what_waits() {
        let source = |up| ("s".to_owned(), SourceTotals { up, ..SourceTotals::default() });
        let output = OutputTotals { waiting: 12, ..OutputTotals::default() };
        let totals = Totals {
            sources: vec![source(true), source(false)],
            outputs: vec![("siem".to_owned(), output)],
            ..Totals::default()
        };
        assert_eq!(in_words(&totals), "1 of 2 sources are read; siem: 12 wait");
    }
}
