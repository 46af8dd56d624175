//! One limit a second: governor for the pace, and the last second's sum for the bound.
//!
//! governor's GCRA alone can do only one of two things. Where it holds no more than `burst = 1`, each sleep that ends
//! 1 ms late costs that millisecond for good, and 500 events a second become 333. Where it holds more, a second may see
//! more than it should; and a line of any length, which goes whole, is more than any share of a small limit. So the pace
//! of an output that is behind keeps what late sleeps and slow writes cost, up to [`CATCH_UP`], and what catching up may
//! bring into one second is bounded by counting that second.
//!
//! The bound: `wait` is zero only where the sum of (now - 1 s, now], with the event, is at most `max_per_second`. Whatever second
//! [s, s + 1 s) one looks at, all its events lie in (t - 1 s, t], t being its last event's time, and that sum was
//! checked at t. It is exact: no rounding, no calendar seconds.
//!
//! The pace: `max_per_second` is never below the limit, so what waits for the sum loses nothing against the limit but the time its
//! sleeps end late, at most once a second. governor counts whole cells, a whole number of nanoseconds each, rounded up: of
//! a million a second that costs a thousandth at most.
use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter as Gcra,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

const SECOND: Duration = Duration::from_secs(1);

/// Lost time that an output makes up for.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How long after its last wait an output still counts as behind.
const BEHIND: Duration = SECOND;

/// The most cells that a second brings: each takes a microsecond or more, which rounding up hardly changes.
const CELLS: u128 = 1_000_000;

/// What may be owed at once, in cells, beside the burst: one line. More is paid in several steps.
const DEBT: u64 = 1 << 20;

/// The latest time, and the longest burst and debt together: 73 years. governor adds such times in a `u64`.
const FAR: u64 = 1 << 61;

/// One limit.
#[derive(Debug)]
pub(super) struct Limiter {
    pace: Gcra<NotKeyed, Due, Given, NoOpMiddleware<Nanos>>,
    /// The state of `pace`.
    due: Due,
    /// Events or bytes in a cell.
    cell: u64,
    /// Cells that may go at once after a pause.
    burst: u64,
    /// Cells that may be owed.
    debt: u64,
    /// What is paid of the last cell and has not gone.
    paid: u64,
    /// Until when lost time is made up for.
    behind: Duration,
    /// What went, and the most that a second may hold.
    second: LastSecond,
    max_per_second: u64,
}

impl Limiter {
    /// `per_second` events, as seconds: 333.3 s are 333.3 events. `burst` is 1 or more.
    pub(super) fn of_events(per_second: Duration, burst: u64) -> Limiter {
        let rounded_up = per_second.as_secs().saturating_add(u64::from(per_second.subsec_nanos() > 0));
        Limiter::new(per_second, burst, rounded_up.saturating_add(burst.saturating_sub(1)))
    }

    /// `per_second` bytes.
    pub(super) fn of_bytes(per_second: u64, burst: u64) -> Limiter {
        Limiter::new(Duration::from_secs(per_second), burst, per_second.saturating_add(burst))
    }

    fn new(per_second: Duration, burst: u64, max_per_second: u64) -> Limiter {
        // In billionths.
        let rate = per_second.as_nanos().max(1);
        let cell = rate.div_ceil(1_000_000_000 * CELLS).max(u128::from(burst >> 31)).max(1);
        let period = u64::try_from((cell * 1_000_000_000_000_000_000).div_ceil(rate)).unwrap_or(FAR).clamp(1, FAR);
        // Half of what fits is the burst's; one that takes 36 years to come again is as good as a larger one.
        let fits = FAR / 2 / period;
        let cell = u64::try_from(cell).unwrap_or(u64::MAX);
        let burst = burst.div_ceil(cell).min(fits).max(1);
        let debt = DEBT.min(fits);
        let due = Due::default();
        let quota = Quota::with_period(Duration::from_nanos(period)).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        Limiter {
            pace: Gcra::new(quota.allow_burst(cells(burst.saturating_add(debt))), due.clone(), Given::default()),
            due,
            cell,
            burst,
            debt,
            paid: 0,
            behind: Duration::ZERO,
            second: LastSecond::default(),
            max_per_second,
        }
    }

    /// How long until `cost` may go. Larger than the burst, it goes with a full bucket, which then owes the rest;
    /// larger than a second may hold, it has the second to itself. `now` never goes back.
    pub(super) fn wait(&mut self, now: Duration, cost: u64) -> Duration {
        self.second.forget(now);
        let wait = self.paced(now, cost).max(self.second.wait(now, self.max_per_second.saturating_sub(cost)));
        if !wait.is_zero() {
            self.behind = now.saturating_add(wait).saturating_add(BEHIND);
        }
        wait
    }

    /// How long governor would have it wait. It is asked for the debt too, of which nothing may be left, and what it
    /// books is taken back: only what goes counts.
    fn paced(&self, now: Duration, cost: u64) -> Duration {
        let needed = self.in_cells(cost).clamp(1, self.burst).saturating_add(self.debt);
        let now = nanos(now);
        self.pace.clock().set(now);
        let before = self.due.get();
        let answer = self.pace.check_n(cells(needed));
        self.due.set(before);
        match answer {
            Ok(Err(not_until)) => not_until.wait_time_from(Nanos::new(now)),
            // No more is asked for than there can be: `needed` is at most the quota's burst.
            Ok(Ok(())) | Err(_) => Duration::ZERO,
        }
    }

    /// Counts what went.
    pub(super) fn record(&mut self, now: Duration, cost: u64) {
        self.pass(now, cost);
        let cells_due = self.in_cells(cost);
        self.paid = self.paid.saturating_add(cells_due.saturating_mul(self.cell)).saturating_sub(cost);
        let made_up = if now <= self.behind { CATCH_UP } else { Duration::ZERO };
        // Paid as early as the time to be made up for allows, and each step as soon as governor takes it.
        let mut at = nanos(now.saturating_sub(made_up));
        let mut rest = cells_due.min(u64::from(u32::MAX));
        while rest > 0 && at < FAR {
            let step = rest.min(self.debt.max(1));
            self.pace.clock().set(at);
            match self.pace.check_n(cells(step)) {
                Ok(Ok(())) => rest -= step,
                Ok(Err(not_until)) => at = not_until.earliest_possible().as_u64(),
                Err(_) => return,
            }
        }
    }

    /// Counts what goes outside the pace: the second holds it, but it is not paid for.
    pub(super) fn pass(&mut self, now: Duration, cost: u64) {
        self.second.forget(now);
        self.second.add(now, cost);
    }

    /// The cells to be paid for `cost`, behind what is paid.
    fn in_cells(&self, cost: u64) -> u64 {
        cost.saturating_sub(self.paid).div_ceil(self.cell)
    }
}

/// At least one cell, at most as many as governor counts.
fn cells(n: u64) -> NonZeroU32 {
    u32::try_from(n).map_or(NonZeroU32::MAX, |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(FAR).min(FAR)
}

/// governor's clock: the time that the caller gave, in nanoseconds.
#[derive(Clone, Debug, Default)]
struct Given(Arc<AtomicU64>);

impl Given {
    fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for Given {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

/// When the next cell is due, in nanoseconds. Kept here and not in governor's own store, which gives nothing back. One
/// task uses it: what is read and written in two steps is not written in between.
#[derive(Clone, Debug, Default)]
struct Due(Arc<AtomicU64>);

impl Due {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, due: u64) {
        self.0.store(due, Ordering::Relaxed);
    }
}

impl StateStore for Due {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, due) = f(Some(Nanos::new(self.get())))?;
        self.set(due.as_u64());
        Ok(answer)
    }
}

/// What went in the last second: exact to a millisecond and never too little. What goes less than 1 ms after a slot's
/// first shares the slot and leaves with its last. So there are at most 1001 slots, whatever the rate.
#[derive(Debug, Default)]
struct LastSecond {
    /// Oldest first.
    slots: VecDeque<Slot>,
    /// The sum of `slots`.
    sum: u64,
}

#[derive(Debug)]
struct Slot {
    first: Duration,
    last: Duration,
    sum: u64,
}

/// What goes this close shares a slot.
const SLOT: Duration = Duration::from_millis(1);

impl LastSecond {
    /// Forgets what is a second old or older.
    fn forget(&mut self, now: Duration) {
        while let Some(slot) = self.slots.pop_front_if(|slot| slot.last.saturating_add(SECOND) <= now) {
            self.sum = self.sum.saturating_sub(slot.sum);
        }
    }

    fn add(&mut self, now: Duration, cost: u64) {
        self.sum = self.sum.saturating_add(cost);
        match self.slots.back_mut() {
            Some(slot) if now.saturating_sub(slot.first) < SLOT => {
                slot.last = now;
                slot.sum = slot.sum.saturating_add(cost);
            }
            _ => self.slots.push_back(Slot { first: now, last: now, sum: cost }),
        }
    }

    /// How long until it holds no more than `max_per_second`.
    fn wait(&self, now: Duration, max_per_second: u64) -> Duration {
        let mut over = self.sum.saturating_sub(max_per_second);
        if over == 0 {
            return Duration::ZERO;
        }
        for slot in &self.slots {
            over = over.saturating_sub(slot.sum);
            if over == 0 {
                return slot.last.saturating_add(SECOND).saturating_sub(now);
            }
        }
        SECOND
    }
}
