//! Numbers as Db2 for i stores them: zoned decimal, packed decimal and big-endian binary.
//!
//! IBM i leaves numbers blank (X'40') where they do not apply, and now and then they hold no digits at all.
//! Such a number is absent: never zero, and never a reason to lose the entry.

/// Zoned decimal: one digit a byte, the sign in the zone of the last (F, C, A or E plus; D or B minus).
/// `None` when a byte is no digit or the number does not fit.
#[inline]
pub fn zoned(bytes: &[u8]) -> Option<i64> {
    // Nearly always: few digits, all with the zone F.
    if !bytes.is_empty()
        && bytes.len() <= 10
        && bytes.iter().fold(0, |bad, b| bad | u8::from(b.wrapping_sub(0xF0) > 9)) == 0
    {
        return Some(bytes.iter().fold(0, |n, b| n * 10 + i64::from(b & 15)));
    }
    zoned_with_sign(bytes)
}

fn zoned_with_sign(bytes: &[u8]) -> Option<i64> {
    let (last, head) = bytes.split_last()?;
    let mut n: i64 = 0;
    for b in head {
        if b >> 4 != 0xF || b & 15 > 9 {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(i64::from(b & 15))?;
    }
    if last & 15 > 9 {
        return None;
    }
    n = n.checked_mul(10)?.checked_add(i64::from(last & 15))?;
    match last >> 4 {
        0xF | 0xC | 0xA | 0xE => Some(n),
        0xD | 0xB => Some(-n),
        _ => None,
    }
}

/// Packed decimal: two digits a byte, the sign in the last half byte (B and D minus, A, C, E and F plus).
pub fn packed(bytes: &[u8]) -> Option<i64> {
    let (last, head) = bytes.split_last()?;
    let mut n: i64 = 0;
    let mut digit = |d: u8| -> Option<()> {
        if d > 9 {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(i64::from(d))?;
        Some(())
    };
    for b in head {
        digit(b >> 4)?;
        digit(b & 15)?;
    }
    digit(last >> 4)?;
    match last & 15 {
        0xB | 0xD => Some(-n),
        0xA | 0xC | 0xE | 0xF => Some(n),
        _ => None,
    }
}

/// Binary: big-endian two's complement of 1 to 8 bytes.
pub fn binary(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    let fill = if bytes.first()? & 0x80 != 0 { 0xFF } else { 0 };
    let mut wide = [fill; 8];
    wide.get_mut(8 - bytes.len()..)?.copy_from_slice(bytes);
    Some(i64::from_be_bytes(wide))
}

/// Digits written as text (*TYPE5 sequence numbers): zero-padded, left- or right-justified between blanks.
/// Up to 20 digits; the maximum of *MAXOPT3, 18 446 744 073 709 551 600, fits a `u64`.
#[inline]
pub fn digits(bytes: &[u8]) -> Option<u64> {
    // Twenty digits in a row, as *TYPE5 writes them: two halves that no overflow check has to watch.
    if let Ok(all) = <&[u8; 20]>::try_from(bytes)
        && all.iter().fold(0, |bad, b| bad | u8::from(b.wrapping_sub(0xF0) > 9)) == 0
    {
        let value = |half: &[u8]| half.iter().fold(0u64, |n, b| n * 10 + u64::from(b & 15));
        let (high, low) = all.split_at(10);
        return value(high).checked_mul(10_000_000_000)?.checked_add(value(low));
    }
    digits_between_blanks(bytes)
}

fn digits_between_blanks(bytes: &[u8]) -> Option<u64> {
    let mut n: u64 = 0;
    let mut seen = false;
    let mut ended = false;
    for &b in bytes {
        match b {
            0xF0..=0xF9 if !ended => {
                seen = true;
                n = n.checked_mul(10)?.checked_add(u64::from(b & 15))?;
            }
            0x40 | 0x00 => ended = seen,
            _ => return None,
        }
    }
    seen.then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zoned_takes_plain_and_signed_digits_and_nothing_else() {
        assert_eq!(zoned(b"\xF0\xF4\xF2"), Some(42));
        assert_eq!(zoned(b"\xF0\xF4\xD2"), Some(-42));
        assert_eq!(zoned(b"\x40\x40\x40"), None);
        assert_eq!(zoned(b"\xC1\xC1\xC1"), None);
        assert_eq!(zoned(b"\xF0\xF4\xFA"), None);
        assert_eq!(zoned(b""), None);
    }

    #[test]
    fn packed_needs_digits_and_a_sign() {
        assert_eq!(packed(b"\x00\x03\x5F"), Some(35));
        assert_eq!(packed(b"\x00\x03\x5D"), Some(-35));
        assert_eq!(packed(b"\x40\x40\x40"), None);
        assert_eq!(packed(b"\xEE\xEE\xEE"), None);
    }

    #[test]
    fn binary_is_signed_and_big_endian() {
        assert_eq!(binary(b"\xFF\xFE"), Some(-2));
        assert_eq!(binary(b"\x00\x00\x01\x00"), Some(256));
        assert_eq!(binary(b""), None);
        assert_eq!(binary(&[0; 9]), None);
    }

    #[test]
    fn a_sequence_number_reads_the_same_in_every_justification() {
        let zero = b"\xF0\xF0\xF0\xF1\xF2";
        let left = b"\xF1\xF2\x40\x40\x40";
        let right = b"\x40\x40\x40\xF1\xF2";
        assert_eq!(digits(zero), Some(12));
        assert_eq!(digits(left), Some(12));
        assert_eq!(digits(right), Some(12));
        assert_eq!(digits(b"\xF1\x40\xF2"), None);
        assert_eq!(digits(b"\x40\x40"), None);
    }
}
