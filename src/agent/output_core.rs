//! What an output decides, without I/O: facts in (a line was taken, everything is written, the receiver takes nothing, datagrams were
//! refused), decisions out (the line may go, wait until then, give this receiver up, all is done).
//!
//! It reads no clock, waits for nothing, and knows neither the spool nor a connection: the [task](super::output_task) around it does
//! what it decides, and says what came of it. So every order of facts can be tried in tests, with a time of their own.
//!
//! 1. Entries that were taken = sent + refused + in the window + taken again: none is counted twice, none is forgotten ([`Sums`]).
//! 2. A line that may go keeps to the limits a second at the time at which it is written, however late that is.
//! 3. A receiver is given up when it took nothing for `stall_timeout`, never before, and whatever it takes begins that time anew.
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

pub use self::session::{Session, Stall};
use crate::{
    output::{
        rate_limit::{Answer, RateLimiter, Spent},
        resend_window::{Count, Line, Moved, ResendPolicy, ResendWindow},
    },
    spool::Lane,
};

/// How long a heartbeat waits for the limits a second.
const PATIENCE: Duration = Duration::from_secs(1);

/// What holds for an output from its start to its end.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// When lines of an unacknowledged connection count as arrived.
    pub resend_window: ResendPolicy,
    /// How long a receiver may take nothing.
    pub stall_timeout: Duration,
    /// Events or bytes a second are limited.
    pub is_paced: bool,
    /// Anything is: a second or a day. Where nothing is, nobody asks for the time of each line.
    pub is_limited: bool,
}

/// A time by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The one that never steps.
    pub at: Instant,
    /// UTC microseconds, which may step.
    pub wall: i64,
}

/// Whether a line may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// It is to be taken, and then [`OutputCore::taken`] is to be said.
    Go,
    /// A limit a second holds it back: not before [`Session::paced`].
    Later,
    /// It does not fit into the day's budget; the next day begins at this time, UTC microseconds.
    OverBudget {
        /// When the next day begins.
        until: i64,
        /// The budget has only now come to its end.
        newly: bool,
    },
}

/// Whether a heartbeat may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayBeat {
    /// As any line.
    Go,
    /// Outside the limits a second: an output of an event an hour would else be silent, or send nothing but heartbeats.
    GoUnmetered,
    /// Soon.
    Later,
}

/// What was done since this was last asked for, for the [stats](super::stats) of the output. A difference: `sent` is negative when
/// what was counted before came back as refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Entries that are done.
    pub sent: i64,
    /// Notices of the agent that are done.
    pub notices: i64,
    /// Notices that are done or lost and were no events of the spool.
    pub unqueued: u64,
    /// Notices that are known to be lost.
    pub notices_refused: u64,
    /// Entries that were counted as done and are known to be lost.
    pub recalled: u64,
    /// Notices that were.
    pub notices_recalled: u64,
    /// Lines of the spool that are known to be lost and have not left the window: a difference too.
    pub lost: i64,
    /// Entries that are known to be lost.
    pub refused: u64,
    /// Entries that were taken once more, behind a connection that ended.
    pub resent: u64,
    /// Entries whose connection ended before they were done and that were not taken again: a difference too.
    pub unconfirmed: i64,
}

/// See the module.
#[derive(Debug)]
pub struct OutputCore {
    rules: Rules,
    limiter: RateLimiter,
    window: ResendWindow,
    /// The connection that is served.
    pub session: Session,
    /// The day's budget is spent: lanes that it holds back are not read until an event of this many bytes fits.
    over_budget: Option<u64>,
    /// Bytes of a line that is taken and not counted by the limiter, because it is not written.
    unmetered_bytes: Option<u64>,
    /// The last datagram, and how many were refused so far on this connection.
    last: Option<Line>,
    refused: u64,
    /// Lost lines that are not done yet: as many that will be are not counted as sent.
    lost: Count,
    /// Entries that are to be taken again.
    unconfirmed: u64,
    /// The receiver shows by closing that it has read everything; one that did not once is not asked for it early.
    pub confirms: bool,
    began: Instant,
    sums: Sums,
    /// What was counted as done so far: only that can come back as refused.
    done: Count,
}

impl OutputCore {
    /// Of an output that begins, with what it may take.
    pub fn new(rules: Rules, limiter: RateLimiter, now: Instant) -> OutputCore {
        OutputCore {
            rules,
            limiter,
            window: ResendWindow::default(),
            session: Session::new(now),
            over_budget: None,
            unmetered_bytes: None,
            last: None,
            refused: 0,
            lost: Count::default(),
            unconfirmed: 0,
            confirms: true,
            began: now,
            sums: Sums::default(),
            done: Count::default(),
        }
    }

    /// A connection is there.
    pub fn begin(&mut self, now: Instant) {
        self.session = Session::new(now);
        self.window.begin();
        (self.last, self.refused) = (None, 0);
    }

    /// Since the output began: the clock of its window and its limits.
    fn since(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }

    /// Whether what is taken is to be written at once: limits a second hold for the wire, and a line that is written late would stand
    /// within a second with too many others.
    pub fn writes_at_once(&self) -> bool {
        self.rules.is_paced
    }

    /// Whether the day's budget holds lines back.
    pub fn is_over_budget(&self) -> bool {
        self.over_budget.is_some()
    }

    /// What of the day's budget is spent, for the spool.
    pub fn spent(&self) -> Spent {
        self.limiter.spent()
    }

    /// Whether a line of so many bytes may go; an `exempt` one passes a spent budget.
    pub fn may_go(&mut self, now: impl FnOnce() -> Now, bytes: u64, exempt: bool) -> May {
        if !self.rules.is_limited {
            return May::Go;
        }
        let now = now();
        match self.limiter.check(self.since(now.at), now.wall, bytes, exempt) {
            Answer::Now => May::Go,
            Answer::Wait(wait) => {
                self.session.paced = Some(now.at + wait);
                May::Later
            }
            Answer::OverDailyBudget(until) => {
                May::OverBudget { until, newly: self.over_budget.replace(bytes).is_none() }
            }
        }
    }

    /// Whether a heartbeat of so many bytes may go.
    pub fn may_beat(&mut self, now: Now, bytes: u64) -> MayBeat {
        match self.limiter.check(self.since(now.at), now.wall, bytes, true) {
            Answer::Now | Answer::OverDailyBudget(_) => MayBeat::Go,
            Answer::Wait(wait) if wait <= PATIENCE => {
                self.session.paced = Some(now.at + wait);
                MayBeat::Later
            }
            Answer::Wait(_) => MayBeat::GoUnmetered,
        }
    }

    /// Whether a new day has begun for what the budget held back: from then on it goes again.
    pub fn is_new_day(&mut self, now: Now) -> bool {
        let Some(bytes) = self.over_budget else { return false };
        let answer = self.limiter.check(self.since(now.at), now.wall, bytes, false);
        let fits = !matches!(answer, Answer::OverDailyBudget(_));
        if fits {
            self.over_budget = None;
        }
        fits
    }

    /// The connection took a line of so many bytes. It counts for the limits when it is [written](Self::written), at once where
    /// nothing limits a second.
    pub fn taken(&mut self, now: impl FnOnce() -> Now, line: Line, bytes: u64) {
        self.push(line, bytes);
        if !self.rules.is_limited {
            return;
        }
        self.unmetered_bytes = Some(bytes);
        if !self.rules.is_paced {
            self.written(now());
        }
    }

    /// It took a heartbeat outside the limits a second.
    pub fn taken_unmetered(&mut self, now: Now, bytes: u64) {
        self.push(Line::Beat, bytes);
        self.limiter.record_exempt(self.since(now.at), now.wall, bytes);
    }

    fn push(&mut self, line: Line, bytes: u64) {
        self.last = Some(line);
        self.window.push(line, bytes);
        // Behind a connection that ended, what was on its way goes first.
        if matches!(line, Line::Entry(..)) && self.unconfirmed > 0 {
            self.unconfirmed -= 1;
            self.sums.unconfirmed -= 1;
            self.sums.resent += 1;
        }
    }

    /// Everything that was taken is written, to the system.
    pub fn written(&mut self, now: Now) {
        if let Some(bytes) = self.unmetered_bytes.take() {
            self.limiter.record(self.since(now.at), now.wall, bytes);
        }
    }

    /// So many datagrams of this connection were refused so far: the last one that was taken never counts as sent. Whether that was an
    /// entry, which is then known to be lost.
    pub fn refused(&mut self, in_all: u64) -> bool {
        if std::mem::replace(&mut self.refused, in_all) >= in_all {
            return false;
        }
        let Some(line) = self.last.take() else { return false };
        let is_entry = matches!(line, Line::Entry(..));
        let is_unqueued = matches!(line, Line::StandIn(..) | Line::Beat);
        let (done, lost, sum) = match is_entry {
            true => (&mut self.done.entries, &mut self.lost.entries, &mut self.sums.sent),
            false => (&mut self.done.notices, &mut self.lost.notices, &mut self.sums.notices),
        };
        // It may have been counted already, with all that is written.
        if self.window.is_empty() && *done > 0 {
            *done -= 1;
            *sum -= 1;
            self.sums.recalled += u64::from(is_entry);
            self.sums.notices_recalled += u64::from(!is_entry);
        } else {
            *lost += 1;
            self.lost.unqueued += u64::from(is_unqueued);
            self.sums.unqueued += u64::from(is_unqueued);
            self.sums.lost += i64::from(!is_unqueued);
        }
        self.sums.refused += u64::from(is_entry);
        self.sums.notices_refused += u64::from(!is_entry);
        is_entry
    }

    /// Lets the lines leave the window that are done, which `expire` knows. Returns how far each lane may move.
    pub fn expire<E>(
        &mut self,
        now: Instant,
        expire: impl FnOnce(&mut ResendWindow, ResendPolicy, Duration) -> Result<Moved, E>,
    ) -> Result<Moved, E> {
        let since = self.since(now);
        let moved = expire(&mut self.window, self.rules.resend_window, since);
        self.count_done();
        moved
    }

    /// Everything that was taken has arrived: the receiver closed behind the last line.
    pub fn everything_arrived(&mut self) -> Moved {
        let moved = self.window.all();
        self.count_done();
        moved
    }

    fn count_done(&mut self) {
        let Count { entries, notices, unqueued } = self.window.take_done();
        // Of each kind: a heartbeat that is lost is none of the events that wait.
        let of_spool = (self.lost.notices - self.lost.unqueued).min(notices - unqueued);
        let others = self.lost.unqueued.min(unqueued);
        let lost = Count { entries: self.lost.entries.min(entries), notices: of_spool + others, unqueued: others };
        self.lost.entries -= lost.entries;
        self.lost.notices -= lost.notices;
        self.lost.unqueued -= lost.unqueued;
        self.sums.unqueued += unqueued - lost.unqueued;
        self.sums.lost = self.sums.lost.saturating_sub_unsigned(lost.entries + of_spool);
        let (entries, notices) = (entries - lost.entries, notices - lost.notices);
        self.done.entries += entries;
        self.done.notices += notices;
        self.sums.sent = self.sums.sent.saturating_add_unsigned(entries);
        self.sums.notices = self.sums.notices.saturating_add_unsigned(notices);
    }

    /// The connection is gone: what was on its way is to be taken again. How much that is.
    pub fn failed(&mut self, now: Now) -> Count {
        self.written(now);
        let again = self.window.fail();
        self.unconfirmed += again.entries;
        self.sums.unconfirmed = self.sums.unconfirmed.saturating_add_unsigned(again.entries);
        again
    }

    /// What was done since the last call.
    pub fn take_sums(&mut self) -> Sums {
        std::mem::take(&mut self.sums)
    }

    /// What is on its way.
    pub fn window(&self) -> &ResendWindow {
        &self.window
    }

    /// The events that left the window since the last call: how many of which batch, in runs.
    pub fn take_passed(&mut self) -> Vec<(i64, u64)> {
        self.window.take_passed()
    }

    /// Whether a lane has nothing on its way: then it stands where it reads.
    pub fn is_clear(&self, lane: Lane) -> bool {
        self.window.is_clear(lane)
    }

    /// What the write of what was taken came to: `open` when all of it is written, and how much the receiver has taken on this
    /// connection.
    pub fn wrote(&mut self, now: Now, open: bool, progress: u64) -> Stall {
        if open {
            self.written(now);
            return self.session.open();
        }
        self.session.stall(now.at, progress, self.rules.stall_timeout)
    }
}
