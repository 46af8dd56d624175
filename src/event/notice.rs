//! What the agent itself has to say to a SIEM: that it lives ([`HEARTBEAT`]), starts, stops and is configured ([`START`],
//! [`STOP`], [`CONFIG`]), that entries are missing ([`GAP`]). Not an entry of any journal, so it has no users; it goes to
//! every output, whatever the filters say.
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::EntryTime;

/// The category of all notices, in the place of an entry type.
pub const CATEGORY: &str = "AGENT";

/// What a kind of notice is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeKind {
    /// Behind [`CATEGORY`] in the event id, where entries have their detail.
    pub id: &'static str,
    /// The title.
    pub title: &'static str,
    /// 0 to 10.
    pub severity: u8,
}

/// Once a while, so that silence is an alarm.
pub const HEARTBEAT: NoticeKind = NoticeKind { id: "HEARTBEAT", title: "Agent heartbeat", severity: 0 };
/// A heartbeat of a source that is not read at present, or of an output that has lost entries since the last one.
pub const HEARTBEAT_DOWN: NoticeKind = NoticeKind { severity: 8, ..HEARTBEAT };
/// The agent begins.
pub const START: NoticeKind = NoticeKind { id: "START", title: "Agent started", severity: 3 };
/// It ends.
pub const STOP: NoticeKind = NoticeKind { id: "STOP", title: "Agent stopped", severity: 5 };
/// It goes on under another configuration.
pub const CONFIG: NoticeKind = NoticeKind { id: "CONFIG", title: "Agent configuration changed", severity: 5 };
/// Somebody tries whether an output arrives (`check --send-test`).
pub const TEST: NoticeKind =
    NoticeKind { id: "TEST", title: "Test event of the agent, nothing is to be done", severity: 3 };
/// Entries are missing, or may be.
pub const GAP: NoticeKind = NoticeKind { id: "GAP", title: "Journal entries may be missing", severity: 9 };

/// Entries did not arrive at a receiver, and are not sent again.
pub const LOST: NoticeKind =
    NoticeKind { id: "LOST", title: "Entries were lost on the way to a receiver", severity: 9 };

/// Records came that are no entries: they are kept aside, and were not sent.
pub const PARKED: NoticeKind =
    NoticeKind { id: "PARKED", title: "Records that are no entries were parked", severity: 8 };

/// What is read does not fit what the configuration says of it.
pub const CONTRADICTION: NoticeKind =
    NoticeKind { id: "CONTRADICTION", title: "Entries contradict the configuration", severity: 7 };

/// The names of all values that notices have, beside the system.
pub const FIELDS: [&str; 41] = [
    "agent_version",
    "bytes",
    "configuration",
    "configuration_before",
    "entry_id",
    "filtered",
    "filtered_by",
    "first_after",
    "first_bytes",
    "gap",
    "gaps",
    "host",
    "lag_entries",
    "lag_seconds",
    "last_before",
    "last_gap",
    "last_receiver",
    "last_sequence",
    "lost_entries",
    "missing",
    "missing_entries",
    "output",
    "output_answered",
    "output_filtered",
    "output_refused",
    "output_resent",
    "output_sent",
    "output_unreadable",
    "outputs",
    "parked",
    "problem",
    "read",
    "reason",
    "receiver",
    "records",
    "refused",
    "sequence",
    "source",
    "sources",
    "state",
    "uptime_seconds",
];

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// See [`NoticeKind::id`].
    pub id: String,
    /// See [`NoticeKind::title`].
    pub title: String,
    /// 0 to 10.
    pub severity: u8,
    /// The system it is about.
    pub system: String,
    /// When, UTC microseconds.
    pub utc_micros: i64,
    /// Offset of local time from UTC there and then, seconds east.
    pub offset: i32,
    /// Names and values, in the order of the line. Names as layouts have them: lower case and `_`.
    pub fields: Vec<(String, String)>,
}

impl Notice {
    /// Without fields. `utc_micros` is now, `zone` that of the system.
    pub fn new(kind: NoticeKind, system: &str, utc_micros: i64, zone: Tz) -> Notice {
        let offset = DateTime::from_timestamp_micros(utc_micros)
            .map_or(0, |t| zone.offset_from_utc_datetime(&t.naive_utc()).fix().local_minus_utc());
        Notice {
            id: kind.id.to_owned(),
            title: kind.title.to_owned(),
            severity: kind.severity,
            system: system.to_owned(),
            utc_micros,
            offset,
            fields: Vec::new(),
        }
    }

    /// Adds a value.
    pub fn with(mut self, name: &str, value: impl ToString) -> Notice {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    /// When, as entries have it.
    pub fn time(&self) -> Option<EntryTime> {
        let local = DateTime::from_timestamp_micros(self.utc_micros + i64::from(self.offset) * 1_000_000)?;
        let text = local.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        Some(EntryTime { utc_micros: self.utc_micros, local: text.as_bytes().try_into().ok()?, offset: self.offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_has_the_time_of_its_system() {
        let n = Notice::new(GAP, "PROD01", 1_795_158_001_924_078, chrono_tz::Europe::Berlin);
        let t = n.time().unwrap();
        assert_eq!((&t.local, t.offset), (b"2026-11-20T08:00:01.924078", 3600));
    }
}
