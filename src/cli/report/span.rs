//! First and last time of something.
use crate::event::EntryTime;

/// From the earliest to the latest time that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// The earliest.
    pub first: Option<EntryTime>,
    /// The latest.
    pub last: Option<EntryTime>,
}

impl Span {
    /// An entry; one without a valid time changes nothing.
    #[inline]
    pub fn see(&mut self, time: Option<EntryTime>) {
        let Some(time) = time else { return };
        if self.last.is_none_or(|t| t.utc_micros <= time.utc_micros) {
            self.last = Some(time);
        }
        if self.first.is_none_or(|t| time.utc_micros < t.utc_micros) {
            self.first = Some(time);
        }
    }
}
