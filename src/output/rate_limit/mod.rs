//! The governor of one output: may this event go now, and if not, when?
//!
//! For: events a second, bytes a second, bytes a day, each optional, and the figures that reports show.
//! Not for: waiting. It reads no clock and never sleeps. The caller passes the time: `now` since any fixed start, from
//! a clock that never steps, and `wall`, UTC microseconds, which may step. Nor for dropping: nothing is ever refused.
//!
//! 1. In no second, whenever it begins, do more events go than the limit plus the burst, less one where the limit is a
//!    whole number (so `burst = 1`, the default, means never more than the limit itself); and no more bytes than the
//!    limit plus the burst, or than one event that is larger than that. `window.rs` remembers the last second.
//! 2. What is asked for all the time goes at the limit, also where sleeps end late: `limiter.rs`.
//! 3. A date has one daily budget: `daily_budget.rs`.
//!
//! The caller's part: one [`Meter::took`] after each [`Answer::Now`] before the next question, with the time of the
//! write, also for what is sent again. The bounds hold for the times given to `took`. A restart forgets the last
//! second.
mod daily_budget;
mod limiter;
#[cfg(test)]
mod tests;
mod window;

use std::{fmt, time::Duration};

use chrono_tz::Tz;

use self::{daily_budget::Budget, limiter::Rate, window::Window};
pub use self::{daily_budget::Spent, window::Amount};

/// What an output may take. What is `None` is not limited.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Events a second, fractions too: 0.001 to 1,000,000,000.
    pub events_per_second: Option<f64>,
    /// Events that may go at once after a pause. Not given: 1, evenly spread. More would let a second hold more than
    /// the limit says, which has to be asked for.
    pub burst: Option<u64>,
    /// Bytes a second.
    pub bytes_per_second: Option<u64>,
    /// Bytes that may go at once after a pause. Not given: 0, evenly spread. With less than an event's size the end of
    /// a second that the next event does not fit into stays unused.
    pub byte_burst: Option<u64>,
    /// Bytes a day.
    pub bytes_per_day: Option<u64>,
    /// Where the day begins at midnight.
    pub zone: Tz,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            events_per_second: None,
            burst: None,
            bytes_per_second: None,
            byte_burst: None,
            bytes_per_day: None,
            zone: Tz::UTC,
        }
    }
}

/// Limits that cannot be kept to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// No rate.
    #[error("events_per_second = {0}: expected 0.001 to 1000000000, such as 500")]
    EventsPerSecond(f64),
    /// Nothing would ever go.
    #[error("{0} = 0: expected 1 or more; leave the key out for no limit")]
    Zero(&'static str),
    /// A burst over no limit.
    #[error("{burst} without {limit}: give both, or neither")]
    BurstAlone {
        /// The key that is there.
        burst: &'static str,
        /// The key that is not.
        limit: &'static str,
    },
}

impl Limits {
    /// Whether they can be kept to.
    pub fn check(&self) -> Result<(), LimitError> {
        if let Some(rate) = self.events_per_second
            && !(0.001..=1e9).contains(&rate)
        {
            return Err(LimitError::EventsPerSecond(rate));
        }
        for (key, value) in
            [("burst", self.burst), ("bytes_per_second", self.bytes_per_second), ("bytes_per_day", self.bytes_per_day)]
        {
            if value == Some(0) {
                return Err(LimitError::Zero(key));
            }
        }
        if self.burst.is_some() && self.events_per_second.is_none() {
            return Err(LimitError::BurstAlone { burst: "burst", limit: "events_per_second" });
        }
        if self.byte_burst.is_some() && self.bytes_per_second.is_none() {
            return Err(LimitError::BurstAlone { burst: "byte_burst", limit: "bytes_per_second" });
        }
        Ok(())
    }

    fn events(&self) -> Option<Rate> {
        let rate = Duration::try_from_secs_f64(self.events_per_second?).ok()?;
        Some(Rate::of_events(rate, self.burst.unwrap_or(1)))
    }

    fn bytes(&self) -> Option<Rate> {
        Some(Rate::of_bytes(self.bytes_per_second?, self.byte_burst.unwrap_or(0)))
    }
}

/// When the event may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// At once: send it, then say [`Meter::took`].
    Now,
    /// Not before this time has passed. Ask again then; it is `Now` unless something else went meanwhile.
    Wait(Duration),
    /// It does not fit into what is left of the day's budget. The next day begins at this time, UTC microseconds. As
    /// the clock may step, ask again every minute or so.
    Held(i64),
}

/// Why an output waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Events a second.
    EventsPerSecond,
    /// Bytes a second.
    BytesPerSecond,
    /// The day's budget is spent.
    BytesPerDay,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::EventsPerSecond => "events_per_second",
            Reason::BytesPerSecond => "bytes_per_second",
            Reason::BytesPerDay => "bytes_per_day",
        })
    }
}

/// What reports show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// What went in the last second.
    pub last_second: Amount,
    /// What went in the last minute: exact where a second begins, in between the oldest second counts in part.
    pub last_minute: Amount,
    /// The day's bytes, exempt ones too.
    pub today: Spent,
    /// What is left of the day's budget, where there is one.
    pub budget_left: Option<u64>,
    /// What the output waits for, the budget first. `None` where the last answer was `Now`.
    pub waiting: Option<Reason>,
}

/// The governor of one output.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    events: Option<Rate>,
    bytes: Option<Rate>,
    budget: Budget,
    window: Window,
    /// The latest `now`: a caller's clock that goes back stands still here.
    now: Duration,
    /// The last answer was `Wait`: why, and until when.
    paced: Option<(Reason, Duration)>,
    /// The last event that was not exempt did not fit into the budget.
    held: bool,
}

impl Meter {
    /// `spent` is what [`Meter::spent`] said before the agent ended, whatever zone and budget it had then.
    pub fn new(limits: Limits, spent: Option<&Spent>, now: Duration, wall: i64) -> Result<Meter, LimitError> {
        limits.check()?;
        Ok(Meter {
            events: limits.events(),
            bytes: limits.bytes(),
            budget: Budget::new(limits.bytes_per_day, limits.zone, spent, now, wall),
            limits,
            window: Window::default(),
            now,
            paced: None,
            held: false,
        })
    }

    /// Goes on with other limits: the last second and the day's bytes stay counted. After an error the old ones hold.
    pub fn set_limits(&mut self, limits: Limits, now: Duration, wall: i64) -> Result<(), LimitError> {
        limits.check()?;
        let now = self.advance(now, wall);
        self.events = limits.events().map(|r| r.after(self.events.as_ref(), now));
        self.bytes = limits.bytes().map(|r| r.after(self.bytes.as_ref(), now));
        self.budget.change(limits.bytes_per_day, limits.zone, wall);
        self.limits = limits;
        self.paced = None;
        self.held = false;
        Ok(())
    }

    /// The limits it keeps to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the next event, of `bytes`, may go. An `exempt` one passes a spent budget; it keeps to the limits a
    /// second, and its bytes are counted. Asking counts nothing: who does not send does not say `took`.
    pub fn ask(&mut self, now: Duration, wall: i64, bytes: u64, exempt: bool) -> Answer {
        let now = self.advance(now, wall);
        if !exempt {
            self.held = !self.budget.fits(bytes);
            if self.held {
                return Answer::Held(self.budget.opens(now, wall));
            }
        }
        let window = &self.window;
        let for_events = self.events.as_mut().map_or(Duration::ZERO, |r| r.wait(now, 1, window));
        let for_bytes = self.bytes.as_mut().map_or(Duration::ZERO, |r| r.wait(now, bytes, window));
        let wait = for_events.max(for_bytes);
        if wait.is_zero() {
            self.paced = None;
            return Answer::Now;
        }
        let reason = if for_events >= for_bytes { Reason::EventsPerSecond } else { Reason::BytesPerSecond };
        self.paced = Some((reason, now.saturating_add(wait)));
        Answer::Wait(wait)
    }

    /// Counts an event that was sent, for the first time or again.
    pub fn took(&mut self, now: Duration, wall: i64, bytes: u64) {
        let now = self.advance(now, wall);
        if let Some(rate) = &mut self.events {
            rate.took(now, 1);
        }
        if let Some(rate) = &mut self.bytes {
            rate.took(now, bytes);
        }
        self.window.add(now, bytes);
        self.budget.took(bytes);
    }

    /// Counts a line that went outside the limits a second: its bytes are the day's, but no event waits for it.
    pub fn let_pass(&mut self, now: Duration, wall: i64, bytes: u64) {
        let now = self.advance(now, wall);
        self.window.add(now, bytes);
        self.budget.took(bytes);
    }

    /// What has to outlive the agent.
    pub fn spent(&self) -> Spent {
        self.budget.spent()
    }

    /// What reports show.
    pub fn figures(&mut self, now: Duration, wall: i64) -> Figures {
        let now = self.advance(now, wall);
        let paced = self.paced.filter(|(_, until)| now <= *until).map(|(reason, _)| reason);
        Figures {
            last_second: self.window.second(),
            last_minute: self.window.minute(now),
            today: self.budget.spent(),
            budget_left: self.budget.left(),
            waiting: if self.held { Some(Reason::BytesPerDay) } else { paced },
        }
    }

    /// Lets time pass: the last second moves on, a new day begins.
    fn advance(&mut self, now: Duration, wall: i64) -> Duration {
        self.now = self.now.max(now);
        self.window.forget(self.now);
        if self.budget.roll(self.now, wall) {
            self.held = false;
        }
        self.now
    }
}
