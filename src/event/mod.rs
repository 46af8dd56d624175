//! The event: what an entry says, under names that do not depend on its type, its heading or the output format.
//!
//! There is one event model; filters and all encoders read it (R42). It is compact: an event is an entry, still as
//! borrowed bytes, and the [`EventType`] compiled once for its entry type and heading, which says where each
//! [`Slot`] of the event stands. Nothing is transcoded here, and a guess never becomes a slot unless asked for.
pub mod dates;
pub mod kind;
pub mod layout_slots;
pub mod model;
pub mod notice;
pub mod slot;
pub mod time;

pub use kind::{Detail, EventType};
pub use model::{EventModel, Options};
pub use notice::Notice;
pub use slot::{Slot, SlotDetail, ValueLocation};
pub use time::{Clock, DateFormat, EntryTime};

use crate::decode::journal::Entry;

/// One event: an entry seen through its type.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// Where its values stand.
    pub kind: &'a EventType,
    /// When it happened; `None` where the entry holds no valid time.
    pub time: Option<EntryTime>,
    /// Its severity is at least this, 0 to 10: the filter raises that of changes to auditing.
    pub severity_floor: u8,
}

impl<'a> Event<'a> {
    /// The bytes of the detail code, blanks off; empty for a type without one.
    #[inline]
    pub fn detail_code(&self) -> &'a [u8] {
        self.kind.detail_code(&self.entry)
    }

    /// Severity, 0 to 10: its own, that of the detail, of the type where no table has the detail, or the floor.
    pub fn severity(&self) -> u8 {
        let severity = self.kind.message_severity(&self.entry).unwrap_or_else(|| {
            let code = self.detail_code();
            let detail = self.kind.details().iter().find(|(c, _)| c == code);
            detail.map_or(self.kind.severity, |(_, d)| d.severity)
        });
        severity.max(self.severity_floor).min(10)
    }
}
