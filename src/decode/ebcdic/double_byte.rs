//! A table of byte pairs: pair to one or two characters, and back.
//!
//! For: the text between SO and SI of a mixed set. Not for: finding the pairs in a field.
//!
//! Invariants: a pair outside the table, and a cell the table leaves out, is U+FFFD; the reverse
//! index is built only when something is encoded, for decoding never needs it; of two pairs with one
//! character the higher is written, as glibc iconv does (188 radicals of CCSID 835).

use super::UNASSIGNED;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Lead and trail bytes both start at X'40' in every IBM double-byte set.
const FIRST: u8 = 0x40;
const PER_LEAD: usize = 0xC0;
/// Marks a cell whose two characters are in `sequences`; as a noncharacter it is never text.
const SEQUENCE: char = '\u{FFFF}';

/// What a pair stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cell {
    One(char),
    /// A base and a combining character, as CCSID 16684 has for Ainu kana and for phonetics.
    Two(char, char),
}

/// Pair to characters, and back.
#[derive(Debug)]
pub(super) struct DoubleByte {
    chars: Vec<char>,
    sequences: BTreeMap<[u8; 2], (char, char)>,
    pairs: OnceLock<Pairs>,
}

/// The reverse index; both parts are sorted by character, one entry each.
#[derive(Debug)]
struct Pairs {
    ones: Vec<(char, [u8; 2])>,
    twos: Vec<((char, char), [u8; 2])>,
}

impl DoubleByte {
    /// Reads a table. A line is a lead byte and runs, split by spaces: `tt:abc` gives the characters
    /// from trail byte `tt` on; `tt=p+n` gives `n` code points counting up from `p`; `tt~p+q` is one
    /// cell of two code points; all numbers are hexadecimal. `None` when it is not that.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut table =
            Self { chars: vec![UNASSIGNED; PER_LEAD * PER_LEAD], sequences: BTreeMap::new(), pairs: OnceLock::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let lead = u8::from_str_radix(words.next()?, 16).ok()?;
            words.try_for_each(|run| table.read(lead, run))?;
        }
        Some(table)
    }

    fn read(&mut self, lead: u8, run: &str) -> Option<()> {
        let (trail, rest) = run.split_at_checked(2)?;
        let trail = u8::from_str_radix(trail, 16).ok()?;
        let mut rest = rest.chars();
        let sign = rest.next()?;
        let rest = rest.as_str();
        if sign == ':' {
            return self.fill(lead, trail, rest.chars());
        }
        let (left, right) = rest.split_once('+')?;
        let left = char::from_u32(u32::from_str_radix(left, 16).ok()?)?;
        let right = u32::from_str_radix(right, 16).ok()?;
        match sign {
            '=' => self.fill(lead, trail, (left..).take(usize::try_from(right).ok()?)),
            '~' => {
                let cell = (left, char::from_u32(right)?);
                self.sequences.insert([lead, trail], cell);
                self.fill(lead, trail, std::iter::once(SEQUENCE))
            }
            _ => None,
        }
    }

    fn fill(&mut self, lead: u8, trail: u8, run: impl Iterator<Item = char>) -> Option<()> {
        let row = usize::from(lead.checked_sub(FIRST)?) * PER_LEAD;
        let mut cells =
            self.chars.get_mut(row..row + PER_LEAD)?.get_mut(usize::from(trail.checked_sub(FIRST)?)..)?.iter_mut();
        for character in run {
            *cells.next()? = character;
        }
        Some(())
    }

    pub(super) fn cell(&self, lead: u8, trail: u8) -> Cell {
        let one = position(lead, trail).and_then(|at| self.chars.get(at));
        match one {
            Some(&SEQUENCE) => match self.sequences.get(&[lead, trail]) {
                Some(&(base, mark)) => Cell::Two(base, mark),
                None => Cell::One(UNASSIGNED),
            },
            Some(&character) => Cell::One(character),
            None => Cell::One(UNASSIGNED),
        }
    }

    /// The pair of one character.
    pub(super) fn pair(&self, character: char) -> Option<[u8; 2]> {
        find(&self.pairs().ones, character)
    }

    /// The pair of two characters that share one cell.
    pub(super) fn pair_of_two(&self, base: char, mark: char) -> Option<[u8; 2]> {
        find(&self.pairs().twos, (base, mark))
    }

    fn pairs(&self) -> &Pairs {
        self.pairs.get_or_init(|| {
            let every = (FIRST..=u8::MAX).flat_map(|lead| (FIRST..=u8::MAX).map(move |trail| [lead, trail]));
            let ones = every
                .zip(&self.chars)
                .filter(|(_, character)| ![UNASSIGNED, SEQUENCE].contains(character))
                .map(|(pair, &character)| (character, pair));
            let twos = self.sequences.iter().map(|(&pair, &cell)| (cell, pair));
            Pairs { ones: highest(ones.collect()), twos: highest(twos.collect()) }
        })
    }
}

fn position(lead: u8, trail: u8) -> Option<usize> {
    let row = usize::from(lead.checked_sub(FIRST)?);
    let column = usize::from(trail.checked_sub(FIRST)?);
    Some(row * PER_LEAD + column)
}

/// Sorts by key and keeps the highest pair of each.
fn highest<K: Ord + Copy>(mut entries: Vec<(K, [u8; 2])>) -> Vec<(K, [u8; 2])> {
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries.dedup_by_key(|(key, _)| *key);
    entries.reverse();
    entries
}

fn find<K: Ord + Copy>(entries: &[(K, [u8; 2])], key: K) -> Option<[u8; 2]> {
    let at = entries.binary_search_by_key(&key, |(known, _)| *known).ok()?;
    entries.get(at).map(|(_, pair)| *pair)
}

#[cfg(test)]
mod tests {
    use super::{Cell, DoubleByte};

    #[test]
    fn a_line_of_each_kind_of_run_is_read() {
        let table = DoubleByte::parse("# x\n41 40:ab 44=E000+2 FF~30AB+309A\n42 40:b").unwrap();
        assert_eq!(table.cell(0x41, 0x41), Cell::One('b'));
        assert_eq!(table.cell(0x41, 0x42), Cell::One('\u{FFFD}'));
        assert_eq!(table.cell(0x41, 0x45), Cell::One('\u{E001}'));
        assert_eq!(table.cell(0x41, 0xFF), Cell::Two('\u{30AB}', '\u{309A}'));
        assert_eq!(table.cell(0x00, 0x41), Cell::One('\u{FFFD}'));
        assert_eq!(table.cell(0x41, 0x3F), Cell::One('\u{FFFD}'));
        assert_eq!(table.pair('b'), Some([0x42, 0x40]));
        assert_eq!(table.pair('\u{FFFD}'), None);
        assert_eq!(table.pair_of_two('\u{30AB}', '\u{309A}'), Some([0x41, 0xFF]));
    }

    #[test]
    fn a_line_of_another_shape_is_refused() {
        for line in ["3F 41:a", "41 3F:a", "41 FF:ab", "41 4", "41 41", "41 41?a", "41 41=D800+1"] {
            assert!(DoubleByte::parse(line).is_none(), "{line}");
        }
    }
}
