//! What is missing, in the order in which it was found: told one by one, and where it comes again and again in sums.
use std::time::Instant;

use super::burst::Burst;
use crate::source::chain::Gap;

/// Gaps that are not told of yet.
#[derive(Debug)]
pub struct Gaps {
    burst: Burst,
    waiting: Option<(u64, Gap)>,
}

impl Gaps {
    /// With nothing missing.
    pub fn new(now: Instant) -> Gaps {
        Gaps { burst: Burst::new(now), waiting: None }
    }

    /// Something is missing.
    pub fn add(&mut self, gap: Gap) {
        self.waiting = Some(match self.waiting.take() {
            None => (1, gap),
            Some((n, first)) => (n + 1, Gap { after: gap.after, ..first }),
        });
    }

    /// What is to be told now: one gap, or several as one that begins with the first and ends with the last. `last` when there will be
    /// no other time.
    pub fn tell(&mut self, last: bool) -> Option<Gap> {
        if self.waiting.is_none() {
            self.burst.calm(Instant::now());
            return None;
        }
        if !self.burst.may_tell(Instant::now()) && !last {
            return None;
        }
        let (n, gap) = self.waiting.take()?;
        let text = match n {
            1 => gap.text,
            n => format!("{n} gaps between {} and {}: the first: {}", gap.before, gap.after, gap.text),
        };
        Some(Gap { text, ..gap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::chain::JournalPlace;

    #[test]
    fn h9_gaps_that_come_again_and_again_are_told_as_one_and_none_is_forgotten() {
        let mut gaps = Gaps::new(Instant::now());
        let place = |sequence| JournalPlace { library: String::new(), receiver: "R".to_owned(), sequence };
        let mut told = Vec::new();
        for n in 0..1_000_u64 {
            gaps.add(Gap { before: place(n), after: place(n + 2), text: format!("{n} is missing"), back: false });
            told.extend(gaps.tell(n == 999).map(|g| g.text));
        }
        assert_eq!(told.len(), 11);
        assert_eq!(told[0], "0 is missing");
        assert!(told[10].starts_with("990 gaps between R:10 and R:1001: the first: 10 is missing"), "{}", told[10]);
    }
}
