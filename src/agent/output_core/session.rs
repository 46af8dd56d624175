//! One connection in time: when it is looked after, whether its receiver takes anything, and what is due next.
use std::time::Duration;

use tokio::time::Instant;

/// How soon behind an event acknowledgements are looked at, and how seldom where nothing happens.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// So long a receiver takes nothing before the log says so.
const STALLED: Duration = Duration::from_secs(5);
/// The shortest wait: what is due now is done by the loop, which then asks again.
const SHORTEST: Duration = Duration::from_micros(50);

/// See the module.
#[derive(Debug)]
pub struct Session {
    /// When the connection is looked after next, and how long until the time after that.
    next_look: Instant,
    interval: Duration,
    /// Since when the receiver takes nothing, and how much it had taken.
    stalled: Option<(Instant, u64)>,
    is_logged: bool,
    /// When a limit a second lets the next line go.
    pub paced: Option<Instant>,
}

/// Whether a receiver takes what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// It does.
    Open {
        /// The log knows that it did not, and is to be told.
        again: bool,
    },
    /// It takes nothing at present.
    Stalled {
        /// For so long that the log is to be told, once.
        tell: bool,
    },
    /// It took nothing for too long.
    GiveUp(Duration),
}

impl Session {
    /// Of a connection that was made.
    pub fn new(now: Instant) -> Session {
        Session { next_look: now + LOOK.0, interval: LOOK.0, stalled: None, is_logged: false, paced: None }
    }

    /// Whether it is to be looked after.
    pub fn is_look_due(&self, now: Instant) -> bool {
        now >= self.next_look
    }

    /// Something happened at the connection: it is to be looked after at once.
    pub fn look_at_once(&mut self, now: Instant) {
        self.next_look = now;
    }

    /// It was looked after: less and less often while nothing happens.
    pub fn looked(&mut self, now: Instant) {
        self.next_look = now + self.interval;
        self.interval = (self.interval * 2).min(LOOK.1);
    }

    /// A line went.
    pub fn went(&mut self, now: Instant) {
        self.interval = LOOK.0;
        self.next_look = self.next_look.min(now + LOOK.0);
    }

    /// Whether the receiver takes nothing at present.
    pub fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    pub(super) fn open(&mut self) -> Stall {
        self.stalled = None;
        Stall::Open { again: std::mem::take(&mut self.is_logged) }
    }

    pub(super) fn stall(&mut self, now: Instant, progress: u64, timeout: Duration) -> Stall {
        let since = match self.stalled {
            Some((since, at)) if at == progress => since,
            _ => {
                self.stalled = Some((now, progress));
                now
            }
        };
        let waited = now.saturating_duration_since(since);
        if waited >= timeout {
            return Stall::GiveUp(waited);
        }
        let tell = waited > STALLED && !std::mem::replace(&mut self.is_logged, true);
        Stall::Stalled { tell }
    }

    /// When something is to be done about a receiver that takes nothing, though it says nothing: a look, a word to the log, the end.
    pub fn stall_due(&self, now: Instant, timeout: Duration) -> Instant {
        let since = self.stalled.map_or(now, |(since, _)| since);
        // Told as soon as it is longer than that.
        let told = (!self.is_logged).then(|| since + STALLED + Duration::from_millis(1));
        let end = since.checked_add(timeout);
        [told, end].into_iter().flatten().fold(self.next_look, Instant::min)
    }

    /// When something is to be done though nothing happens: `waits` from now, a line that a limit holds back, and the next look where
    /// `looks` are wanted. `None` when nothing is.
    pub fn due(&self, now: Instant, waits: impl IntoIterator<Item = Option<Duration>>, looks: bool) -> Option<Instant> {
        let waits = waits.into_iter().flatten().filter_map(|wait| now.checked_add(wait));
        let due = waits.chain(self.paced).chain(looks.then_some(self.next_look)).min()?;
        Some(due.max(now + SHORTEST))
    }
}
