//! Entries that an output is known to have lost: told to every output one by one, and where it goes on in sums.

use tokio::time::Instant;

use super::burst::Burst;

/// Entries that are lost and not told of yet.
#[derive(Debug)]
pub struct Losses {
    burst: Burst,
    waiting: u64,
}

impl Losses {
    /// Nothing is lost yet.
    pub fn new(now: Instant) -> Losses {
        Losses { burst: Burst::new(now), waiting: 0 }
    }

    /// So many more are lost.
    pub fn add(&mut self, entries: u64) {
        self.waiting += entries;
    }

    /// Whether all were told.
    pub fn are_told(&self) -> bool {
        self.waiting == 0
    }

    /// How many are to be told now; `last` when there will be no other time.
    pub fn tell(&mut self, last: bool) -> Option<u64> {
        if self.waiting == 0 {
            self.burst.calm(Instant::now());
            return None;
        }
        if !self.burst.may_tell(Instant::now()) && !last {
            return None;
        }
        Some(std::mem::take(&mut self.waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n6_losses_that_go_on_are_told_in_sums_and_none_is_left_out() {
        let mut losses = Losses::new(Instant::now());
        let mut told = Vec::new();
        for _ in 0..1_000 {
            losses.add(1);
            told.extend(losses.tell(false));
        }
        assert_eq!(told, [1; 10]);
        assert!(!losses.are_told());
        assert_eq!(losses.tell(true), Some(990));
        assert!(losses.are_told());
        assert_eq!(losses.tell(true), None);
    }
}
