//! What went in the last second and in the last minute.
//!
//! The last second is exact to a millisecond and never too small: events less than 1 ms after a slot's first share the
//! slot and leave with its last. So there are at most 1001 slots, whatever the rate.
use std::{collections::VecDeque, time::Duration};

/// The window of every limit a second.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Events this close share a slot.
const SLOT: Duration = Duration::from_millis(1);

/// Events and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub events: u64,
    /// Their bytes, as sent.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, other: Amount) {
        self.events = self.events.saturating_add(other.events);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn subtract(&mut self, other: Amount) {
        self.events = self.events.saturating_sub(other.events);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

#[derive(Debug)]
struct Slot {
    first: Duration,
    last: Duration,
    amount: Amount,
}

/// The last second in slots, oldest first, and the last minute in whole seconds.
#[derive(Debug, Default)]
pub(super) struct Window {
    slots: VecDeque<Slot>,
    /// The sum of `slots`.
    sum: Amount,
    /// By second of the caller's clock, those with events, oldest first: at most 61.
    seconds: VecDeque<(u64, Amount)>,
}

impl Window {
    /// Forgets what is a second old or older.
    pub(super) fn forget(&mut self, now: Duration) {
        while let Some(slot) = self.slots.pop_front_if(|slot| slot.last.saturating_add(SECOND) <= now) {
            self.sum.subtract(slot.amount);
        }
        while self.seconds.pop_front_if(|(second, _)| second.saturating_add(60) < now.as_secs()).is_some() {}
    }

    /// Adds one event. `now` never goes back.
    pub(super) fn add(&mut self, now: Duration, bytes: u64) {
        let amount = Amount { events: 1, bytes };
        self.sum.add(amount);
        match self.slots.back_mut() {
            Some(slot) if now.saturating_sub(slot.first) < SLOT => {
                slot.last = now;
                slot.amount.add(amount);
            }
            _ => self.slots.push_back(Slot { first: now, last: now, amount }),
        }
        match self.seconds.back_mut() {
            Some((second, sum)) if *second == now.as_secs() => sum.add(amount),
            _ => self.seconds.push_back((now.as_secs(), amount)),
        }
    }

    /// How long until the last second holds no more than `most`.
    pub(super) fn wait(&self, now: Duration, counts: fn(&Amount) -> u64, most: u64) -> Duration {
        let mut over = counts(&self.sum).saturating_sub(most);
        if over == 0 {
            return Duration::ZERO;
        }
        for slot in &self.slots {
            over = over.saturating_sub(counts(&slot.amount));
            if over == 0 {
                return slot.last.saturating_add(SECOND).saturating_sub(now);
            }
        }
        SECOND
    }

    pub(super) fn second(&self) -> Amount {
        self.sum
    }

    /// The current second and the 60 before it, of the oldest only the part that is less than a minute old.
    pub(super) fn minute(&self, now: Duration) -> Amount {
        let mut sum = Amount::default();
        for (second, amount) in &self.seconds {
            if second.saturating_add(60) == now.as_secs() {
                sum.add(Amount { events: part(amount.events, now), bytes: part(amount.bytes, now) });
            } else {
                sum.add(*amount);
            }
        }
        sum
    }
}

/// What is left of `n` when the current second's part has passed.
fn part(n: u64, now: Duration) -> u64 {
    let left = u128::from(1_000_000_000_u32.saturating_sub(now.subsec_nanos()));
    u64::try_from(u128::from(n) * left / 1_000_000_000).unwrap_or(n)
}
