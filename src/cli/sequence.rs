//! What is missing of a journal, for people: gaps in the sequence numbers, and the receivers that were seen.
use std::collections::BTreeSet;

use crate::source::receiver_chain::Gap;

/// Gaps that are named.
const GAPS_NAMED: usize = 1_000;

/// What is missing, by the receivers and the sequence numbers.
#[derive(Debug, Default)]
pub struct Sequence {
    /// Gaps that are no steps back.
    pub gaps: u64,
    /// Numbers in them, as far as they can be told.
    pub missing: u64,
    /// Numbers and receivers that come before what was read before.
    pub back: u64,
    /// The first of them, in words, with their numbers.
    pub named: Vec<String>,
    /// Receivers seen, in plain.
    pub receivers: BTreeSet<String>,
    receiver: String,
}

impl Sequence {
    /// Remembers a receiver's name; a thousand are enough for people, and a bound for what strangers write.
    #[inline]
    pub fn saw(&mut self, receiver: &str) {
        if self.receiver != receiver {
            receiver.clone_into(&mut self.receiver);
            if self.receivers.len() < 1_000 && !receiver.is_empty() {
                self.receivers.insert(receiver.to_owned());
            }
        }
    }

    /// Counts a gap.
    pub fn add(&mut self, gap: &Gap) {
        if gap.back {
            self.back += 1;
        } else {
            self.gaps += 1;
            self.missing = self.missing.saturating_add(gap.count());
        }
        if self.named.len() < GAPS_NAMED {
            self.named.push(gap.text.clone());
        }
    }
}
