//! Files that cannot be read at present: each is tried again, with growing pauses, and the source says so meanwhile.
use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use super::DirectoryFeed;
use crate::source::{FeedError, FeedEvent};

/// The first pause before a file is tried again, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// When a file is tried again, and why that is needed.
#[derive(Clone)]
pub(super) struct Retry {
    at: Instant,
    pause: Duration,
    why: String,
}

impl Retry {
    /// Whether it is not time yet.
    pub(super) fn is_pausing(&self) -> bool {
        Instant::now() < self.at
    }
}

impl DirectoryFeed {
    /// Whether the reason may pass, so that the file is tried again. Where files are waited for, somebody may give the right to read one.
    pub(super) fn is_not_now(&self, e: &FeedError) -> bool {
        let denied =
            matches!(e, FeedError::Capture(c) if c.io().is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied));
        e.is_not_now() || denied && self.options.follow
    }

    /// Tries a file again later, with growing pauses. Said when it begins.
    pub(super) fn retry(&mut self, path: &Path, why: String) {
        let Some(seen) = self.seen.get_mut(path) else { return };
        let before = seen.retry.as_ref().map(|r| r.pause);
        if before.is_none() {
            self.say.push_back(FeedEvent::Log(format!("{why}; the file is tried again until that works")));
        }
        let pause = before.map_or(FIRST, |p| (p * 2).min(LONGEST));
        seen.retry = Some(Retry { at: Instant::now() + pause, pause, why });
    }

    /// Why a file cannot be read at present, where there is one.
    pub(super) fn waits_for(&self) -> Option<&str> {
        self.seen.values().find_map(|s| s.retry.as_ref()).map(|r| r.why.as_str())
    }
}
