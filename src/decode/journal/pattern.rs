//! Bytes that must stand at certain places of a record, each within a range. Every record is asked, so sixty-four are tested at once, in a
//! way that compilers turn into vector instructions.

/// See the module. A record matches if each byte that matters is within its range.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// In order: where, the least byte, and how many more there are.
    places: Vec<(usize, u8, u8)>,
    blocks: Vec<Block>,
}

/// Bytes that are tested at once.
const BLOCK: usize = 64;

/// A part of a record.
#[derive(Clone, Debug)]
struct Block {
    at: usize,
    least: [u8; BLOCK],
    /// X'FF' where a byte matters, X'00' where any may stand.
    matters: [u8; BLOCK],
    more: [u8; BLOCK],
}

impl Block {
    fn set(&mut self, n: usize, least: u8, more: u8) {
        let all = self.least.iter_mut().zip(&mut self.matters).zip(&mut self.more);
        all.skip(n).take(1).for_each(|((l, matters), m)| (*l, *matters, *m) = (least, 0xFF, more));
    }

    #[inline]
    fn matches(&self, record: &[u8]) -> bool {
        let Some(bytes) = record.get(self.at..).and_then(<[u8]>::first_chunk::<BLOCK>) else { return false };
        let ranges = self.least.iter().zip(&self.matters).zip(&self.more);
        let over =
            |(b, ((least, matters), more)): (&u8, ((&u8, &u8), &u8))| ((b ^ least) & matters).saturating_sub(*more);
        bytes.iter().zip(ranges).fold(0, |so_far, place| so_far | over(place)) == 0
    }
}

impl Pattern {
    /// Digits, X'F0' to X'F9', at so many places from `at` on.
    pub fn digits(&mut self, at: usize, length: usize) {
        self.ranges(at, &vec![(0xF0, 9); length]);
    }

    /// These bytes from `at` on.
    pub fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.ranges(at, &bytes.iter().map(|b| (*b, 0)).collect::<Vec<_>>());
    }

    /// From `at` on: at each place the least byte, and how many more there are. Where there are any, they change no bit that the least
    /// byte has (X'F0' and 9 are the digits).
    pub fn ranges(&mut self, at: usize, ranges: &[(u8, u8)]) {
        self.places.extend(ranges.iter().enumerate().map(|(n, (least, more))| (at + n, *least, *more)));
        self.places.sort_unstable();
        self.blocks.clear();
        let mut rest = self.places.as_slice();
        // From the end, each block ends with a place that matters: a record that has all places has all blocks, if it is as long as one.
        while let Some((last, ..)) = rest.last() {
            let at = (last + 1).saturating_sub(BLOCK);
            let mut block = Block { at, least: [0; BLOCK], matters: [0; BLOCK], more: [0; BLOCK] };
            let (before, within) = rest.split_at(rest.partition_point(|(place, ..)| *place < at));
            for (place, from, more) in within {
                block.set(place - at, *from, *more);
            }
            self.blocks.push(block);
            rest = before;
        }
    }

    /// Whether a record matches.
    #[inline]
    pub fn matches(&self, record: &[u8]) -> bool {
        self.blocks.iter().all(|block| block.matches(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_matches_if_each_of_its_bytes_does() {
        for at in [0, 3, 70] {
            for length in [1, 5, 8, 26, 64, 65, 130] {
                for (least, more) in [(0xF0, 9), (0x60, 0), (0x00, 0), (0xFF, 0), (0x80, 0)] {
                    let mut pattern = Pattern::default();
                    pattern.ranges(at, &vec![(least, more); length]);
                    // No longer than it must be.
                    let mut record = vec![least; (at + length).max(BLOCK)];
                    record[..at].fill(!least);
                    assert!(pattern.matches(&record), "{at} {length} {least:02X}");
                    for place in 0..record.len() {
                        let (matters, right) = ((at..at + length).contains(&place), record[place]);
                        for b in [0, 1, 8, 9, 10, 0x0F, 0x40, 0x60, 0x7F, 0x80, 0xEF, 0xF0, 0xF5, 0xF9, 0xFA, 0xFF] {
                            record[place] = b;
                            let expected = !matters || u8::wrapping_sub(b, least) <= more;
                            assert_eq!(pattern.matches(&record), expected, "{at} {length} {least:02X} {place} {b:02X}");
                        }
                        record[place] = right;
                    }
                }
            }
        }
    }

    #[test]
    fn places_of_a_record_count_together_and_a_record_without_them_does_not_match() {
        let mut pattern = Pattern::default();
        pattern.digits(100, 5);
        pattern.bytes(9, b"AB");
        let mut record = vec![0x40; 105];
        record[9..11].copy_from_slice(b"AB");
        record[100..].copy_from_slice(b"\xF0\xF1\xF2\xF3\xF9");
        assert!(pattern.matches(&record));
        assert!(!pattern.matches(&record[..104]) && !pattern.matches(&[]));
        for place in [9, 10, 100, 104] {
            let mut other = record.clone();
            other[place] = 0xFA;
            assert!(!pattern.matches(&other), "{place}");
        }
        assert!(Pattern::default().matches(b""));
    }
}
