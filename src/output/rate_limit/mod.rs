//! The limits of one output: may this event go now, and if not, when?
//!
//! For: events a second, bytes a second, bytes a day, each optional ([`RateLimiter`]), and the pace of a command that sends once
//! ([`Pace`]).
//! Not for: waiting. A [`RateLimiter`] reads no clock and never sleeps. The caller passes the time: `now` since any fixed start,
//! from a clock that never steps, and `wall`, UTC microseconds, which may step. Nor for dropping: nothing is ever refused.
//!
//! 1. In no second, whenever it begins, do more events go than the limit plus the burst, less one where the limit is a
//!    whole number (so `burst = 1`, the default, means never more than the limit itself); and no more bytes than the
//!    limit plus the burst, or than one event that is larger than that.
//! 2. What is asked for all the time goes at the limit, also where sleeps end late. Both: `limiter.rs`.
//! 3. A date has one daily budget: `daily_budget.rs`.
//!
//! The caller's part: one [`RateLimiter::record`] after each [`Answer::Now`] before the next question, with the time of the
//! write, also for what is sent again. The bounds hold for the times given to `record`. A restart forgets the last
//! second.
mod daily_budget;
mod limiter;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono_tz::Tz;
use nom::{
    bytes::complete::tag,
    combinator::{opt, verify},
    number::complete::double,
    sequence::terminated,
};
use tokio::time::{Instant, sleep};

pub use self::daily_budget::Spent;
use self::{daily_budget::DailyBudget, limiter::Limiter};
use crate::parse::whole;

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

    /// Whether a second is limited.
    pub fn has_rate(&self) -> bool {
        self.events_per_second.is_some() || self.bytes_per_second.is_some()
    }

    fn events(&self) -> Option<Limiter> {
        let rate = Duration::try_from_secs_f64(self.events_per_second?).ok()?;
        Some(Limiter::of_events(rate, self.burst.unwrap_or(1)))
    }

    fn bytes(&self) -> Option<Limiter> {
        Some(Limiter::of_bytes(self.bytes_per_second?, self.byte_burst.unwrap_or(0)))
    }
}

/// When the event may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// At once: send it, then say [`RateLimiter::record`].
    Now,
    /// Not before this time has passed. Ask again then; it is `Now` unless something else went meanwhile.
    Wait(Duration),
    /// It does not fit into what is left of the day's budget. The next day begins at this time, UTC microseconds. As
    /// the clock may step, ask again every minute or so.
    OverDailyBudget(i64),
}

/// The limits of one output, and what went so far.
#[derive(Debug)]
pub struct RateLimiter {
    events: Option<Limiter>,
    bytes: Option<Limiter>,
    budget: DailyBudget,
    /// The latest `now`: a caller's clock that goes back stands still here.
    now: Duration,
}

impl RateLimiter {
    /// `spent` is what [`RateLimiter::spent`] said before the agent ended, whatever zone and budget it had then.
    pub fn new(limits: Limits, spent: Option<&Spent>, now: Duration, wall: i64) -> Result<RateLimiter, LimitError> {
        limits.check()?;
        Ok(RateLimiter {
            events: limits.events(),
            bytes: limits.bytes(),
            budget: DailyBudget::new(limits.bytes_per_day, limits.zone, spent, now, wall),
            now,
        })
    }

    /// Whether the next event, of `bytes`, may go. An `exempt` one passes a spent budget; it keeps to the limits a
    /// second, and its bytes are counted. Asking counts nothing: who does not send does not say `record`.
    pub fn check(&mut self, now: Duration, wall: i64, bytes: u64, exempt: bool) -> Answer {
        let now = self.advance(now, wall);
        if !exempt && !self.budget.fits(bytes) {
            return Answer::OverDailyBudget(self.budget.opens(now, wall));
        }
        let for_events = self.events.as_mut().map_or(Duration::ZERO, |l| l.wait(now, 1));
        let for_bytes = self.bytes.as_mut().map_or(Duration::ZERO, |l| l.wait(now, bytes));
        match for_events.max(for_bytes) {
            Duration::ZERO => Answer::Now,
            wait => Answer::Wait(wait),
        }
    }

    /// Counts an event that was sent, for the first time or again.
    pub fn record(&mut self, now: Duration, wall: i64, bytes: u64) {
        let now = self.advance(now, wall);
        self.each(bytes, |limiter, cost| limiter.record(now, cost));
    }

    /// Counts a line that went outside the limits a second: the second holds it and its bytes are the day's, but it is
    /// not made up for.
    pub fn record_exempt(&mut self, now: Duration, wall: i64, bytes: u64) {
        let now = self.advance(now, wall);
        self.each(bytes, |limiter, cost| limiter.pass(now, cost));
    }

    /// What has to outlive the agent.
    pub fn spent(&self) -> Spent {
        self.budget.spent()
    }

    /// Counts an event with each limit.
    fn each(&mut self, bytes: u64, count: impl Fn(&mut Limiter, u64)) {
        if let Some(limiter) = &mut self.events {
            count(limiter, 1);
        }
        if let Some(limiter) = &mut self.bytes {
            count(limiter, bytes);
        }
        self.budget.record(bytes);
    }

    /// Lets time pass: a new day may begin.
    fn advance(&mut self, now: Duration, wall: i64) -> Duration {
        self.now = self.now.max(now);
        self.budget.roll(self.now, wall);
        self.now
    }
}

/// Events a second, evenly spread, for a command that sends once.
#[derive(Debug)]
pub struct Pace {
    limiter: Limiter,
    began: Instant,
}

impl Pace {
    /// `events` a second.
    pub fn new(events: f64) -> Pace {
        let rate = Duration::try_from_secs_f64(events).unwrap_or(Duration::MAX);
        Pace { limiter: Limiter::of_events(rate, 1), began: Instant::now() }
    }

    /// Whether the next event may go now; it is counted as sent then. Else how long it has to wait.
    pub fn check(&mut self) -> Result<(), Duration> {
        let now = self.began.elapsed();
        let wait = self.limiter.wait(now, 1);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.limiter.record(now, 1);
        Ok(())
    }

    /// Waits until the next event may go, which is counted as sent then.
    pub async fn wait(&mut self) {
        while let Err(wait) = self.check() {
            sleep(wait).await;
        }
    }
}

/// `500/s`, `500`, `0.5/s`.
pub fn parse_rate(s: &str) -> Result<f64, String> {
    let rate = verify(double, |n| n.is_finite() && *n > 0.0 && *n <= 1e9);
    whole(s, terminated(rate, opt(tag("/s")))).ok_or_else(|| format!("{s:?}: expected events a second, such as 500/s"))
}
