//! Counters by name in memory that is bounded, whatever names a capture holds.
//!
//! Up to twice `keep` names are counted one by one. When there are more, those with the lowest counts are forgotten, and a name that comes
//! later may have been one of them: what it may have had before is kept beside its count. So a count is exact where `missed` is
//! 0; otherwise the true one lies between it and the sum of both (lossy counting).
use std::{collections::HashMap, hash::Hash};

/// Counters by name.
pub struct Top<K, V> {
    rows: HashMap<K, Counted<V>>,
    keep: usize,
    /// No name that was forgotten had more than this.
    floor: u64,
    forgotten: u64,
}

/// What was counted of one name.
#[derive(Default)]
pub struct Counted<V> {
    /// What was seen since it was last taken up.
    pub count: u64,
    /// At most so many were seen before; 0: the count is exact.
    pub missed: u64,
    /// What else is known of it, of those that are in the count.
    pub value: V,
}

impl<K: Hash + Eq + Clone, V: Default> Top<K, V> {
    /// Keeps so many names at least.
    pub fn new(keep: usize) -> Top<K, V> {
        Top { rows: HashMap::new(), keep: keep.max(1), floor: 0, forgotten: 0 }
    }

    /// Counts once; `is_pinned` tells names that are never forgotten, of which there are few.
    #[inline]
    pub fn count(&mut self, key: &K, is_pinned: impl Fn(&K) -> bool) -> &mut V {
        if !self.rows.contains_key(key) {
            if self.rows.len() >= 2 * self.keep {
                self.forget(is_pinned);
            }
            self.rows.insert(key.clone(), Counted { count: 0, missed: self.floor, value: V::default() });
        }
        let row = self.rows.entry(key.clone()).or_default();
        row.count += 1;
        &mut row.value
    }

    #[cold]
    fn forget(&mut self, is_pinned: impl Fn(&K) -> bool) {
        let most = |row: &Counted<V>| row.count + row.missed;
        let mut counts: Vec<u64> = self.rows.iter().filter(|(k, _)| !is_pinned(k)).map(|(_, r)| most(r)).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let least = counts.get(self.keep).copied().unwrap_or(0);
        let before = self.rows.len();
        // Those with the same count stay or go together.
        self.rows.retain(|k, r| most(r) > least || is_pinned(k));
        self.floor = self.floor.max(least);
        self.forgotten += (before - self.rows.len()) as u64;
    }

    /// How many names are known.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether every name that was seen is there with its exact count.
    pub fn is_exact(&self) -> bool {
        self.forgotten == 0
    }

    /// What is to be said where they are not all there.
    pub fn note(&self, what: &str) -> Option<String> {
        (!self.is_exact()).then(|| {
            format!(
                "more {what} than are kept: those with the lowest counts were forgotten; a count with ~ may be up to {} too low",
                self.floor
            )
        })
    }

    /// All that are there with their names, those with the highest counts first.
    pub fn sorted(&self, name: impl Fn(&K) -> String) -> Vec<(String, &K, &Counted<V>)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(k, r)| (name(k), k, r)).collect();
        rows.sort_by(|(a, _, x), (b, _, y)| y.count.cmp(&x.count).then_with(|| a.cmp(b)));
        rows
    }
}

/// Counts of the first few names; those of the others are one sum.
#[derive(Clone, Debug)]
pub struct Few<K> {
    rows: Vec<(K, u64)>,
    /// Counts of names that came when all places were taken.
    pub others: u64,
}

impl<K> Default for Few<K> {
    fn default() -> Self {
        Few { rows: Vec::new(), others: 0 }
    }
}

impl<K: PartialEq + Copy> Few<K> {
    const PLACES: usize = 6;

    /// Counts once.
    pub fn count(&mut self, key: K) {
        if let Some((_, n)) = self.rows.iter_mut().find(|(k, _)| *k == key) {
            *n += 1;
        } else if self.rows.len() < Self::PLACES {
            self.rows.push((key, 1));
        } else {
            self.others += 1;
        }
    }

    /// The names with their counts, highest first.
    pub fn sorted(&self) -> Vec<(K, u64)> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_counted_exactly() {
        let mut top: Top<u32, ()> = Top::new(10);
        (0..1_000u32).for_each(|n| *top.count(&(n % 20), |_| false) = ());
        assert!(top.is_exact() && top.note("names").is_none());
        assert!(top.sorted(u32::to_string).iter().all(|(_, _, r)| (r.count, r.missed) == (50, 0)));
    }

    #[test]
    fn a_million_names_cost_bounded_memory_and_the_truth_lies_between() {
        let mut top: Top<u32, ()> = Top::new(100);
        let mut truth: HashMap<u32, u64> = HashMap::new();
        let mut random = 1u32;
        for n in 0..1_000_000u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Loud ones in between, and one that is seldom and pinned.
            let key = match n % 10 {
                0 => 1 + random % 5,
                _ if n % 100_001 == 0 => 0,
                _ => 100 + n,
            };
            top.count(&key, |k| *k == 0);
            *truth.entry(key).or_default() += 1;
            assert!(top.len() <= 201);
        }
        assert!(!top.is_exact() && top.note("names").unwrap().contains("may be up to"));
        let rows = top.sorted(u32::to_string);
        for (_, key, row) in &rows {
            let n = truth[key];
            assert!(row.count <= n && n <= row.count + row.missed, "{key}: {n}");
        }
        for loud in 0..=5 {
            assert!(rows.iter().any(|(_, k, r)| **k == loud && r.count == truth[&loud]), "{loud}");
        }
    }
}
