//! What the agent tells every output of itself, through the spool: that it starts, that it stops, and under which configuration
//! it goes on.
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::{Setup, Shared, log};
use crate::{
    clock,
    config::Config,
    event::{
        Notice,
        notice::{CONFIG, LOST, NoticeKind, START, STOP, TEST},
    },
};

impl Shared {
    /// The agent starts, or goes on after it had come to its end.
    pub(super) fn tell_start(&self, setup: &Setup) {
        let notice = self.own(START, setup).with("configuration", &setup.config.hash);
        self.tell(setup, notice);
    }

    /// The agent stops: no source adds anything behind this.
    pub(super) fn tell_stop(&self, setup: &Setup, reason: &str) {
        let notice = self.own(STOP, setup);
        let seconds = self.began.elapsed().as_secs();
        let notice = notice.with("reason", reason).with("configuration", &setup.config.hash);
        if let Some(batch) = self.tell(setup, notice.with("uptime_seconds", seconds)) {
            self.last_word.store(batch, Ordering::SeqCst);
        }
    }

    /// Another configuration is in force.
    pub(super) fn tell_configuration(&self, before: &str, setup: &Setup) {
        let notice = self.own(CONFIG, setup);
        self.tell(setup, notice.with("configuration_before", before).with("configuration", &setup.config.hash));
    }

    /// An output is paused, or goes on.
    pub(super) fn tell_pause(&self, setup: &Setup, what: &str) {
        let notice = self.own(CONFIG, setup).with("reason", what);
        self.tell(
            setup,
            notice.with("configuration_before", &setup.config.hash).with("configuration", &setup.config.hash),
        );
    }

    /// An output has lost entries, of so many since the start. Whether that is stored: what is lost is told whatever
    /// `agent_events` says.
    pub(super) fn tell_lost(&self, setup: &Setup, output: &str, lost: u64, in_all: u64) -> bool {
        let notice = self.plain(LOST, setup).with("host", host()).with("output", output).with("reason", REFUSED);
        self.store(notice.with("lost_entries", lost).with("output_refused", in_all)).is_some()
    }

    /// Without fields.
    fn plain(&self, kind: NoticeKind, setup: &Setup) -> Notice {
        let first = setup.config.every_source().next();
        let zone = first.map_or(chrono_tz::UTC, |s| s.zone);
        Notice::new(kind, &self.system(setup), clock::now().timestamp_micros(), zone)
    }

    fn own(&self, kind: NoticeKind, setup: &Setup) -> Notice {
        self.plain(kind, setup)
            .with("host", host())
            .with("agent_version", env!("CARGO_PKG_VERSION"))
            .with("sources", setup.config.sources.len() + setup.config.listeners.len())
            .with("outputs", setup.config.outputs.len())
    }

    /// The system under whose name a SIEM files it: that of the first source, as far as it is known, else the host.
    fn system(&self, setup: &Setup) -> String {
        let Some(first) = setup.config.sources.first() else { return host() };
        let reported =
            self.source_stats().into_iter().find(|(name, _)| *name == first.name).map(|(_, r)| r.status().system);
        let stored = || {
            let (text, _) = self.spool.position(&first.name).ok()??;
            let position: Value = serde_json::from_str(&text).ok()?;
            Some(position.get("system")?.as_str()?.to_owned())
        };
        reported.filter(|s| !s.is_empty()).or_else(stored).filter(|s| !s.is_empty()).unwrap_or_else(host)
    }

    /// Stores it where it is wanted; in which batch.
    fn tell(&self, setup: &Setup, notice: Notice) -> Option<i64> {
        if setup.config.agent_events { self.store(notice) } else { None }
    }

    /// Stores it behind what was stored before; in which batch.
    fn store(&self, notice: Notice) -> Option<i64> {
        match self.spool.notify("", &[notice]) {
            Ok(batch) => Some(batch),
            Err(e) => {
                log(format_args!("what the agent tells of itself cannot be stored: {e}"));
                None
            }
        }
    }
}

/// The event that tries an output: made as those of an agent are, but by a command, which stores nothing. `system` is the one that the
/// first source is known to be of; without one the host stands for it, as it does where an agent knows none.
pub fn test_event(config: &Config, output: &str, system: Option<String>) -> Notice {
    let zone = config.every_source().next().map_or(chrono_tz::UTC, |s| s.zone);
    let system = system.filter(|s| !s.is_empty()).unwrap_or_else(host);
    Notice::new(TEST, &system, clock::now().timestamp_micros(), zone)
        .with("host", host())
        .with("agent_version", env!("CARGO_PKG_VERSION"))
        .with("output", output)
        .with("test", "sent by qaudjrn check --send-test, no event of the system")
        .with("configuration", &config.hash)
}

/// Why datagrams are lost.
const REFUSED: &str = "datagrams were refused: nobody listens there";

/// The name of the host, from the system: a service may see neither /proc/sys nor /etc.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().trim().to_owned()
}
