//! Text to EBCDIC bytes.
//!
//! For: compiling a filter rule once, so that it can be compared with raw fields. Not for: bytes on
//! the hot path; not for other spellings of the same text, of which mixed sets have several (wide
//! letters, user-defined characters): the text is written as glibc iconv would.
//!
//! Invariant: what is written decodes to the same text.

use super::double_byte::DoubleByte;
use super::single_byte::SingleByte;
use super::{SHIFT_IN, SHIFT_OUT};

pub(super) fn single(table: &SingleByte, text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| table.byte(character)).collect()
}

pub(super) fn mixed(single: &SingleByte, double: &DoubleByte, text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut shifted = false;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        // A base and its mark may share one cell, and then must: the mark alone may have none.
        let two = rest.clone().next().and_then(|mark| double.pair_of_two(character, mark));
        if two.is_some() {
            rest.next();
        }
        let single = match single.byte(character) {
            Some(SHIFT_OUT | SHIFT_IN) => return None,
            byte if two.is_none() => byte,
            _ => None,
        };
        if let Some(byte) = single {
            if shifted {
                bytes.push(SHIFT_IN);
                shifted = false;
            }
            bytes.push(byte);
        } else {
            let pair = two.or_else(|| double.pair(character))?;
            if !shifted {
                bytes.push(SHIFT_OUT);
                shifted = true;
            }
            bytes.extend(pair);
        }
    }
    if shifted {
        bytes.push(SHIFT_IN);
    }
    Some(bytes)
}
