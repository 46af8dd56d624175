//! Bytes to [`Unit`]s, one function for each way of writing characters.
//!
//! For: [`super::Charset::decode`]. Not for: deciding what to show for a unit that is no character.
//!
//! Invariants: total over any bytes; no allocation; every byte ends up in a unit or is a shift.

use super::double_byte::{Cell, DoubleByte};
use super::single_byte::SingleByte;
use super::{SHIFT_IN, SHIFT_OUT, Unit};

pub(super) fn single(table: &SingleByte, bytes: &[u8], each: &mut dyn FnMut(Unit)) {
    for &byte in bytes {
        each(Unit::Char(table.char(byte)));
    }
}

/// Starts outside the shifts, as every IBM i field does. SO inside SO changes nothing; SI outside is
/// its control character, U+000F; a field cut off inside SO just ends.
pub(super) fn mixed(single: &SingleByte, double: &DoubleByte, mut bytes: &[u8], each: &mut dyn FnMut(Unit)) {
    let mut shifted = false;
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        match *byte {
            SHIFT_OUT => shifted = true,
            SHIFT_IN if shifted => shifted = false,
            _ if !shifted => each(Unit::Char(single.char(*byte))),
            lead => match rest {
                // A shift is never a trail byte: the lead byte lost its other half.
                [] | [SHIFT_OUT | SHIFT_IN, ..] => each(Unit::Byte(lead)),
                [trail, rest @ ..] => {
                    bytes = rest;
                    match double.cell(lead, *trail) {
                        Cell::One(character) => each(Unit::Char(character)),
                        Cell::Two(base, mark) => {
                            each(Unit::Char(base));
                            each(Unit::Char(mark));
                        }
                    }
                }
            },
        }
    }
}

pub(super) fn utf16_be(bytes: &[u8], each: &mut dyn FnMut(Unit)) {
    let (pairs, odd) = bytes.as_chunks::<2>();
    for decoded in char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair))) {
        each(match decoded {
            Ok(character) => Unit::Char(character),
            Err(lone) => Unit::Surrogate(lone.unpaired_surrogate()),
        });
    }
    for &byte in odd {
        each(Unit::Byte(byte));
    }
}

pub(super) fn utf8(bytes: &[u8], each: &mut dyn FnMut(Unit)) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            each(Unit::Char(character));
        }
        for &byte in chunk.invalid() {
            each(Unit::Byte(byte));
        }
    }
}
