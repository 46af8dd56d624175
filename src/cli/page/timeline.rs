//! Events over time, in memory that does not grow with the time.
use std::collections::BTreeMap;

/// Events over time in at most [`Timeline::BINS`] steps of one width, which doubles as the time grows.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Seconds of a step.
    pub width: i64,
    /// Step (time divided by width) to events by type.
    pub bins: BTreeMap<i64, BTreeMap<usize, u64>>,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline { width: 1, bins: BTreeMap::new() }
    }
}

impl Timeline {
    /// More steps than this are joined in pairs.
    pub const BINS: i64 = 240;

    /// What was counted, in wider steps.
    pub fn in_steps_of(&self, width: i64) -> BTreeMap<i64, BTreeMap<usize, u64>> {
        let mut bins: BTreeMap<i64, BTreeMap<usize, u64>> = BTreeMap::new();
        for (bin, kinds) in &self.bins {
            let to = bins.entry((bin * self.width).div_euclid(width)).or_default();
            for (kind, n) in kinds {
                *to.entry(*kind).or_default() += n;
            }
        }
        bins
    }

    /// Counts an event at a second.
    pub fn add(&mut self, second: i64, kind: usize) {
        *self.bins.entry(second.div_euclid(self.width)).or_default().entry(kind).or_default() += 1;
        while let (Some((first, _)), Some((last, _))) = (self.bins.first_key_value(), self.bins.last_key_value())
            && last - first >= Self::BINS
        {
            self.width *= 2;
            for (bin, kinds) in std::mem::take(&mut self.bins) {
                let to = self.bins.entry(bin.div_euclid(2)).or_default();
                for (kind, n) in kinds {
                    *to.entry(kind).or_default() += n;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_keeps_every_event_however_long_it_grows() {
        let mut t = Timeline::default();
        for second in 0..100_000 {
            t.add(second * 7 - 5_000, (second % 3) as usize);
        }
        assert!(t.bins.len() as i64 <= Timeline::BINS + 1);
        assert_eq!(t.bins.values().flat_map(BTreeMap::values).sum::<u64>(), 100_000);
    }
}
