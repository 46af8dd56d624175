//! What comes again and again is told ten times one by one, and from then on as a sum a minute, until a minute is quiet.
use std::time::Duration;

use tokio::time::Instant;

/// So many are told one by one.
const SINGLY: u32 = 10;
/// How often a sum is told.
const EVERY: Duration = Duration::from_secs(60);

/// How often something was told of late.
#[derive(Debug)]
pub struct Burst {
    told: u32,
    /// When a sum was told last, or the last one came.
    since: Instant,
}

impl Burst {
    /// Nothing was told yet.
    pub fn new(now: Instant) -> Burst {
        Burst { told: 0, since: now }
    }

    /// Something is to be told. `true` when it is time to tell it, with what was gathered before; else it is gathered.
    pub fn may_tell(&mut self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.since) >= EVERY;
        if self.told >= SINGLY && !quiet {
            return false;
        }
        // A sum a minute while it goes on; what comes behind a quiet minute is told one by one again.
        self.told = if quiet && self.told < SINGLY { 1 } else { (self.told + 1).min(SINGLY) };
        self.since = now;
        true
    }

    /// When what is gathered may be told, at the latest.
    pub fn due(&self) -> Instant {
        self.since + EVERY
    }

    /// Nothing came for so long that what comes next is told one by one.
    pub fn calm(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= EVERY {
            self.told = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_ten_are_told_one_by_one_then_a_sum_a_minute_until_a_minute_is_quiet() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut burst = Burst::new(start);
        let told = (0..1_000).filter(|_| burst.may_tell(at(0))).count();
        assert_eq!(told, 10);
        // One each second for five minutes: a sum each minute.
        let told = (1..=300).filter(|s| burst.may_tell(at(*s))).count();
        assert_eq!(told, 5);
        burst.calm(at(330));
        assert!(!burst.may_tell(at(330)), "the minute is not over");
        burst.calm(at(400));
        assert_eq!((0..1_000).filter(|_| burst.may_tell(at(400))).count(), 10);
    }
}
