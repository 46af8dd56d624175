//! What the readers of a live system hand out, and the places that they go on from.
use serde::{Deserialize, Serialize};

use crate::source::receiver_chain::{Gap, JournalPlace};

/// Where a source without a place begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// With what is written from now on.
    Now,
    /// With the oldest entry of the oldest receiver.
    Oldest,
    /// With an entry, by receiver and number.
    Entry(String, u64),
    /// With the first entry at or after a time of the system, yyyy-mm-dd-hh.mm.ss or the like.
    Time(String),
}

/// A place, with what is needed to go on from it when its receiver is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailPlace {
    /// The last entry that was read, or that was found not to be wanted.
    #[serde(flatten)]
    pub at: JournalPlace,
    /// When its receiver was attached.
    #[serde(default)]
    pub attached: String,
}

/// What a look brings.
#[derive(Debug)]
pub enum Update {
    /// Records of one receiver, each behind its 4-byte length, with the place behind each.
    Records(Vec<u8>, Vec<u64>, TailPlace),
    /// The place moved, though nothing was read; nothing is missing between.
    Moved(TailPlace),
    /// Something is missing; it goes on at the place.
    Missing(Gap, TailPlace),
    /// Messages of the history log, each behind its 4-byte length, with the mark of each.
    History(Vec<u8>, Vec<Mark>),
    /// Where the history log is read from, before anything was read of it.
    Began(HistoryPlace),
    /// The system's offset from UTC in seconds east, from here on.
    Offset(i32),
    /// For the log.
    Say(String),
}

/// Whether there is more at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// There is.
    Behind,
    /// It is to be looked again before anything can be said.
    Inconclusive,
    /// Everything that is there was read.
    CaughtUp,
}

/// A message that was read: its time, and what is in it.
pub type Mark = (String, String);

/// A place in the history log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPlace {
    /// The time of the last message.
    pub time: String,
    /// The messages of that time that were read, by what is in them.
    pub seen: Vec<String>,
}

impl HistoryPlace {
    /// A message was read.
    pub fn pass(&mut self, time: &str, what: &str) {
        if self.time != time {
            time.clone_into(&mut self.time);
            self.seen.clear();
        }
        self.seen.push(what.to_owned());
    }
}
