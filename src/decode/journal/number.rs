//! Numbers as Db2 for i stores them: zoned decimal, packed decimal and big-endian binary.
//!
//! IBM i leaves numbers blank (X'40') where they do not apply, and now and then they hold no digits at all.
//! Such a number is absent: never zero, and never a reason to lose the entry.

/// Zoned decimal: one digit a byte, the sign in the zone of the last (F, C, A or E plus; D or B minus).
/// `None` when a byte is no digit or the number does not fit.
#[inline]
pub fn zoned(bytes: &[u8]) -> Option<i64> {
    // Lengths and ports: five digits.
    if let Ok([a, b, c, d, e]) = <[u8; 5]>::try_from(bytes)
        && let Some(n) = eight_digits(&[0xF0, 0xF0, 0xF0, a, b, c, d, e])
    {
        return i64::try_from(n).ok();
    }
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
    // Twenty digits in a row, as *TYPE5 writes them: eight at a time, and four.
    if let Ok(all) = <&[u8; 20]>::try_from(bytes)
        && let (Some(front), Some(middle), Some(back)) = (all.first_chunk(), all[8..].first_chunk(), all.last_chunk())
        && let (Some(front), Some(middle), Some(back)) = (eight_digits(front), eight_digits(middle), eight_digits(back))
    {
        return (front * 10_000 + middle / 10_000).checked_mul(100_000_000)?.checked_add(back);
    }
    digits_between_blanks(bytes)
}

/// The number that eight digits are.
#[inline]
fn eight_digits(bytes: &[u8; 8]) -> Option<u64> {
    let n = u64::from_le_bytes(*bytes) ^ 0xF0F0_F0F0_F0F0_F0F0;
    if (n | n.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // The first digit is in the lowest byte: neighbours become numbers of two, four and eight digits.
    let two = n.wrapping_mul(10).wrapping_add(n >> 8) & 0x00FF_00FF_00FF_00FF;
    let four = two.wrapping_mul(100).wrapping_add(two >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(four.wrapping_mul(10_000).wrapping_add(four >> 32) & 0xFFFF_FFFF)
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

    #[test]
    fn twenty_digits_are_read_as_one_by_one() {
        let text = |n: u128| -> Vec<u8> { format!("{n:020}").bytes().map(|b| b | 0xF0).collect() };
        for n in [0, 7, 12_345_678, 99_999_999, 100_000_000, 123_456_789_012_345_678, 18_446_744_073_709_551_615] {
            assert_eq!(digits(&text(n)), u64::try_from(n).ok(), "{n}");
            assert_eq!(digits(&text(n)), digits_between_blanks(&text(n)), "{n}");
        }
        for n in [18_446_744_073_709_551_616, 99_999_999_999_999_999_999] {
            assert_eq!(digits(&text(n)), None, "{n}");
        }
        for at in 0..20 {
            for wrong in [0xFA, 0xFF, 0xEF, 0x70, 0x00, 0x40, 0xC1] {
                let mut bytes = text(9_999_999_999_999_999_999);
                bytes[at] = wrong;
                assert_eq!(digits(&bytes), digits_between_blanks(&bytes), "{at} {wrong:02X}");
            }
        }
    }
}
