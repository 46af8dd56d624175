//! What is missing, in the order in which it was found: told one by one, and where it comes again and again in sums.

use tokio::time::Instant;

use serde::{Deserialize, Serialize};

use super::burst::Burst;
use crate::source::receiver_chain::Gap;

/// Gaps that are not told of yet.
#[derive(Debug)]
pub struct Gaps {
    burst: Burst,
    waiting: Option<Several>,
}

/// Gaps one behind the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Several {
    /// From before the first to behind the last, in words.
    pub gap: Gap,
    /// Sequence numbers that are missing in all of them, as far as that can be told.
    pub missing: u64,
    number: u64,
}

impl Gaps {
    /// With what was found before and not told.
    pub fn new(now: Instant, waiting: Option<Several>) -> Gaps {
        Gaps { burst: Burst::new(now), waiting }
    }

    /// When what is not told yet is to be told; `None` where there is nothing.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.is_some().then(|| self.burst.due())
    }

    /// What is not told yet.
    pub fn waiting(&self) -> Option<&Several> {
        self.waiting.as_ref()
    }

    /// Something is missing.
    pub fn add(&mut self, gap: Gap) {
        let missing = gap.count();
        self.waiting = Some(match self.waiting.take() {
            None => Several { gap, missing, number: 1 },
            Some(s) => Several {
                missing: s.missing.saturating_add(missing),
                number: s.number + 1,
                gap: Gap { after: gap.after, ..s.gap },
            },
        });
    }

    /// What is to be told now: one gap, or several as one that begins with the first and ends with the last. `last` when there will be
    /// no other time.
    pub fn tell(&mut self, last: bool) -> Option<Several> {
        if self.waiting.is_none() {
            self.burst.calm(Instant::now());
            return None;
        }
        if !self.burst.may_tell(Instant::now()) && !last {
            return None;
        }
        let mut several = self.waiting.take()?;
        if several.number > 1 {
            let Gap { before, after, text, .. } = &several.gap;
            several.gap.text = format!("{} gaps between {before} and {after}: the first: {text}", several.number);
        }
        Some(several)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::receiver_chain::JournalPlace;

    #[test]
    fn h9_gaps_that_come_again_and_again_are_told_as_one_and_none_is_forgotten() {
        let mut gaps = Gaps::new(Instant::now(), None);
        let place = |sequence| JournalPlace { library: String::new(), receiver: "R".to_owned(), sequence };
        let mut told = Vec::new();
        for n in 0..1_000_u64 {
            let numbers = Some((n + 1, n + 1));
            let (before, after, text) = (place(n), place(n + 2), format!("{n} is missing"));
            gaps.add(Gap { before, after, text, back: false, numbers });
            told.extend(gaps.tell(n == 999).map(|s| (s.gap.text, s.missing)));
        }
        assert_eq!(told.len(), 11);
        assert_eq!(told[0], ("0 is missing".to_owned(), 1));
        assert_eq!(told[10], ("990 gaps between R:10 and R:1001: the first: 10 is missing".to_owned(), 990));
    }
}
