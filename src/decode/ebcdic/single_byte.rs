//! A table of 256 cells: byte to code point, and back.
//!
//! For: single-byte EBCDIC sets and the part of mixed text outside the shifts. Not for: shifts,
//! which the mixed decoder reads before it asks here.
//!
//! Invariants: all 256 cells are read or the table is refused; no cell is a surrogate; of two bytes
//! with one character the table marks the one that is only read (the Thai tone marks).

use super::UNASSIGNED;

const CELLS: usize = 256;

/// Byte to code point, and back.
#[derive(Debug)]
pub(super) struct SingleByte {
    points: [u16; CELLS],
    chars: [char; CELLS],
    /// Sorted by character, one entry each.
    bytes: Vec<(char, u8)>,
}

impl SingleByte {
    /// Reads a table: 256 code points of four hexadecimal digits, followed by `*` where another
    /// byte is written for the character; `#` begins a comment line. `None` when it is not that.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut points = [0; CELLS];
        let mut chars = [UNASSIGNED; CELLS];
        let mut bytes = Vec::with_capacity(CELLS);
        let mut words = text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split(' '));
        for ((point, character), byte) in points.iter_mut().zip(&mut chars).zip(0..=u8::MAX) {
            let word = words.next()?;
            let digits = word.strip_suffix('*').unwrap_or(word);
            *point = u16::from_str_radix(digits, 16).ok()?;
            *character = char::from_u32(u32::from(*point))?;
            if digits == word && *character != UNASSIGNED {
                bytes.push((*character, byte));
            }
        }
        if words.next().is_some() {
            return None;
        }
        bytes.sort_unstable();
        Some(Self { points, chars, bytes })
    }

    pub(super) fn points(&self) -> &[u16; CELLS] {
        &self.points
    }

    pub(super) fn char(&self, byte: u8) -> char {
        // A byte is always within 256 cells; the compiler sees it too and makes no check.
        self.chars[usize::from(byte)]
    }

    pub(super) fn byte(&self, character: char) -> Option<u8> {
        let at = self.bytes.binary_search_by_key(&character, |(known, _)| *known).ok()?;
        self.bytes.get(at).map(|(_, byte)| *byte)
    }
}

#[cfg(test)]
mod tests {
    use super::SingleByte;

    #[test]
    fn a_table_of_any_other_size_is_refused() {
        let row = "0041 ".repeat(255);
        assert!(SingleByte::parse(row.trim_end()).is_none());
        assert!(SingleByte::parse(&format!("{row}0042")).is_some());
        assert!(SingleByte::parse(&format!("{row}0042 0043")).is_none());
        assert!(SingleByte::parse(&format!("{row}D800")).is_none());
        assert!(SingleByte::parse(&format!("{row}XYZ!")).is_none());
    }

    #[test]
    fn a_marked_byte_is_read_but_not_written() {
        let row = "FFFD ".repeat(253);
        let table = SingleByte::parse(&format!("# comment\n{row}0041\n0042 0041*")).unwrap();
        assert_eq!(table.char(0xFF), 'A');
        assert_eq!(table.byte('A'), Some(0xFD));
        assert_eq!(table.byte('B'), Some(0xFE));
        assert_eq!(table.byte('C'), None);
    }
}
