//! What every source of records is to the agent: [`Feed`], and what one hands out.
//!
//! Invariants: a feed reads ahead by one buffer, whatever the size of its source; a wait ends with the agent, and what was
//! handed out is not kept waiting ([`Feed::next`]); a place that was returned by [`Feed::checkpoint`] and stored is where it goes on in
//! this run or another, and if what was there is there no more, it says so ([`FeedEvent::PositionLost`]) and never guesses.
use std::{borrow::Cow, sync::Arc, time::Duration};

use serde_json::Value;

use super::{capture::CaptureError, receiver_chain::Gap};
use crate::decode::journal::Heading;

/// How long it is waited before something is looked at again, at first, and how long an event waits for others at most.
pub const WAIT: Duration = Duration::from_millis(200);
/// How long at most, where nothing came for a while and nobody tells when something does.
pub const MOST: Duration = Duration::from_secs(1);
/// How long at most, where somebody tells: what is not told of (a file that is written through a mapping of it) is found then.
pub const TOLD: Duration = Duration::from_secs(5);

/// One record as its source holds it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its bytes, heading included.
    pub bytes: &'a [u8],
    /// The heading they have.
    pub heading: &'a Arc<Heading>,
    /// Where it stands, for messages: byte offset in a file, number in a stream.
    pub offset: u64,
    /// It came with a length of its own: nothing but padding stands behind its entry. (Behind one of an outfile may stand anything.)
    pub framed: bool,
}

/// What a feed has next.
#[derive(Debug)]
pub enum FeedEvent<'a> {
    /// A record.
    Record(Record<'a>),
    /// A part of the source is read to its end, and another begins: what was handed out is stored before the next call.
    /// The same holds for [`FeedEvent::Log`] and [`FeedEvent::PositionLost`]: only behind one of them may the heading change.
    Boundary,
    /// Something for the log.
    Log(String),
    /// Something for the log, and what comes next may begin before the last record: what comes again is no gap.
    Rewound(String),
    /// What stood behind the last place is there no more, or cannot be read: entries may be missing.
    PositionLost(String),
    /// What was read to its end is not whole, or part of it was not understood: it is left where it is.
    Incomplete {
        /// What is missing.
        text: String,
        /// It is told for the first time: a gap, also for those who get the lines.
        newly: bool,
    },
    /// The place moved to where nothing is missing before: it is stored though nothing was handed out.
    Moved,
    /// Something is missing before the place, which is behind it now; what comes next is no second gap.
    Gap(Gap),
    /// The offset from UTC, in seconds east, that the system itself says from here on.
    Offset(i32),
    /// It does nothing more until the configuration is read again, and this is why.
    Halted(String),
    /// Nothing was handed out, and nothing was waited for: ask again.
    Poll,
    /// Nothing at present.
    Idle,
    /// Nothing will come any more.
    End,
}

/// Whether a feed does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// What there is to be read is read.
    Reading,
    /// It cannot be read at present: why, in words for a heartbeat.
    Down(Cow<'a, str>),
}

/// Where a feed goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Of the source as a whole.
    pub source: Value,
    /// Of the file that is being read, where each has a place of its own (in a folder): its key, which is what is in it and not what
    /// it is called, and its place.
    pub file: Option<(String, Value)>,
}

/// Why a feed cannot go on: the source ends with this.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A file, a folder or a socket of the source.
    #[error("{what}: {source}")]
    Io {
        /// Which, and what was tried.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration of the source does not go with what is there.
    #[error("{0}")]
    Config(String),
    /// Something else that may be well in a moment.
    #[error("{0}")]
    NotNow(String),
}

impl FeedError {
    /// Whether it will fail as long as the configuration stays as it is. Everything else may be over in a moment.
    pub fn is_permanent(&self) -> bool {
        match self {
            FeedError::Config(_) => true,
            // Somebody's file stands where a socket is to be: it stays until he takes it away.
            FeedError::Io { source, .. } => source.kind() == std::io::ErrorKind::AlreadyExists,
            FeedError::Capture(e) => e.is_permanent(),
            FeedError::NotNow(_) => false,
        }
    }

    /// Whether it may be over in a moment whatever the source is: no descriptor, no memory, a disk or a file server that fails.
    pub fn is_not_now(&self) -> bool {
        let io = match self {
            FeedError::NotNow(_) => return true,
            FeedError::Io { source, .. } => source,
            FeedError::Capture(e) => match e.io() {
                Some(io) => io,
                None => return false,
            },
            FeedError::Config(_) => return false,
        };
        use rustix::io::Errno;
        let code = io.raw_os_error().map(Errno::from_raw_os_error);
        let passing = [
            Errno::IO,
            Errno::STALE,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::TIMEDOUT,
            Errno::NOBUFS,
            Errno::INTR,
        ];
        code.is_some_and(|c| passing.contains(&c))
    }
}

/// A source of records.
pub trait Feed {
    /// What comes next. Behind something that was handed out it waits for some moments only, and says that there is nothing
    /// ([`FeedEvent::Idle`]); then for seconds, or until something comes or the end begins.
    fn next(&mut self) -> Result<FeedEvent<'_>, FeedError>;

    /// Whether the next call returns a record without a wait: what was read before a wait is stored first.
    fn is_ready(&self) -> bool;

    /// Whether it does its work. Asked between records only.
    fn condition(&self) -> Condition<'_> {
        Condition::Reading
    }

    /// Where to go on behind the last record handed out.
    fn checkpoint(&mut self) -> Result<Checkpoint, FeedError>;

    /// Everything handed out so far is on the disk, with its checkpoint, in batches up to this one.
    fn on_committed(&mut self, _batch: i64) -> Result<(), FeedError> {
        Ok(())
    }

    /// Every output has passed the batches before this one: what they came from is needed no more. Returns sentences for the log.
    fn on_delivered(&mut self, _before: i64) -> Vec<String> {
        Vec::new()
    }

    /// Keys of files whose places are needed no more, since the last call.
    fn take_forgotten(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Whether nothing is left to be done when outputs have passed batches.
    fn is_done(&self) -> bool {
        true
    }
}
