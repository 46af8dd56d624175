//! One limit a second: a token bucket for the pace, and the last second's sum for the bound.
//!
//! A bucket alone can do only one of two things. Where it holds no more than `burst = 1`, each sleep that ends 1 ms
//! late costs that millisecond for good, and 500 events a second become 333. Where it holds more, a second may see more
//! than it should. So the bucket of an output that is behind keeps what late sleeps, slow writes and commits cost, up
//! to [`MADE_UP`], and what catching up may bring into one second is bounded by counting that second.
//!
//! The bound: `wait` is zero only where the sum of (now - 1 s, now], with the event, is at most `most`. Whatever second
//! [s, s + 1 s) one looks at, all its events lie in (t - 1 s, t], t being its last event's time, and that sum was
//! checked at t. It is exact: no rounding, no calendar seconds.
//!
//! The pace: `most` is never below the limit, so what waits for the window loses nothing against the limit but the time
//! its sleeps end late, at most once a second.
use std::time::Duration;

use super::window::{Amount, SECOND, Window};

/// One event or byte. Levels are whole numbers of 1e-18: a nanosecond at a billionth a second, so nothing is rounded.
const ONE: i128 = 1_000_000_000_000_000_000;

/// Lost time that an output makes up for, in nanoseconds.
const MADE_UP: i128 = 100_000_000;

/// How long after its last wait an output still counts as behind.
const BEHIND: Duration = SECOND;

/// One limit.
#[derive(Debug)]
pub(super) struct Rate {
    /// What a nanosecond brings, in units of [`ONE`].
    per_ns: i128,
    burst: i128,
    /// The most that a second may hold.
    most: u64,
    counts: fn(&Amount) -> u64,
    /// What may go; below zero after an event larger than the burst.
    level: i128,
    /// When `level` was right.
    at: Duration,
    /// Until when what is left over is kept.
    behind: Duration,
}

impl Rate {
    /// `per_second` events, as seconds: 333.3 s are 333.3 events. `burst` is 1 or more.
    pub(super) fn of_events(per_second: Duration, burst: u64) -> Rate {
        let rounded_up = per_second.as_secs().saturating_add(u64::from(per_second.subsec_nanos() > 0));
        Rate::new(per_second, burst, rounded_up.saturating_add(burst.saturating_sub(1)), |a| a.events)
    }

    /// `per_second` bytes.
    pub(super) fn of_bytes(per_second: u64, burst: u64) -> Rate {
        Rate::new(Duration::from_secs(per_second), burst, per_second.saturating_add(burst), |a| a.bytes)
    }

    fn new(per_second: Duration, burst: u64, most: u64, counts: fn(&Amount) -> u64) -> Rate {
        let burst = i128::from(burst).saturating_mul(ONE);
        let per_ns = i128::try_from(per_second.as_nanos()).unwrap_or(i128::MAX);
        Rate { per_ns, burst, most, counts, level: burst, at: Duration::ZERO, behind: Duration::ZERO }
    }

    /// In the place of `old`: what that had in hand or owed.
    pub(super) fn after(mut self, old: Option<&Rate>, now: Duration) -> Rate {
        if let Some(old) = old {
            self.level = old.level_at(now).min(self.burst);
            self.behind = old.behind;
            self.at = now;
        }
        self
    }

    /// How long until `cost` may go. Larger than the burst, it goes with a full bucket, which then owes the rest;
    /// larger than a second may hold, it has the second to itself.
    pub(super) fn wait(&mut self, now: Duration, cost: u64, window: &Window) -> Duration {
        self.refill(now);
        let needed = i128::from(cost).saturating_mul(ONE).min(self.burst);
        let wait = self.until(needed).max(window.wait(now, self.counts, self.most.saturating_sub(cost)));
        if !wait.is_zero() {
            self.behind = now.saturating_add(wait).saturating_add(BEHIND);
        }
        wait
    }

    pub(super) fn took(&mut self, now: Duration, cost: u64) {
        self.refill(now);
        self.level = self.level.saturating_sub(i128::from(cost).saturating_mul(ONE));
    }

    fn until(&self, needed: i128) -> Duration {
        let missing = needed.saturating_sub(self.level).max(0);
        let nanos = missing / self.per_ns + i128::from(missing % self.per_ns != 0);
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    fn refill(&mut self, now: Duration) {
        self.level = self.level_at(now);
        self.at = now;
    }

    fn level_at(&self, now: Duration) -> i128 {
        let nanos = i128::try_from(now.saturating_sub(self.at).as_nanos()).unwrap_or(i128::MAX);
        let made_up = if now <= self.behind { self.per_ns.saturating_mul(MADE_UP) } else { 0 };
        let full = self.burst.saturating_add(made_up);
        self.level.saturating_add(self.per_ns.saturating_mul(nanos)).min(full)
    }
}
