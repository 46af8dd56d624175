//! Sizes as people write them: `10GB`, `1.5 MiB`, `4096`.

use nom::{
    IResult, Parser,
    bytes::complete::take_while,
    character::complete::{char, digit1},
    combinator::{not, opt, rest},
    sequence::{preceded, terminated},
};

use crate::parse::whole;

/// Decimal and binary units; without a unit, bytes.
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// `10GB` is 10,000,000,000 bytes, `10GiB` 10,737,418,240. The error says what was expected, for a message that names
/// the key.
///
/// ```
/// use qaudjrn::config::size::parse_size;
/// assert_eq!(parse_size("10GB"), Ok(10_000_000_000));
/// assert_eq!(parse_size("1.5 KiB"), Ok(1_536));
/// assert!(parse_size("10gb").unwrap_err().contains("did you mean GB?"));
/// ```
pub fn parse_size(text: &str) -> Result<u64, String> {
    let Some((whole, fraction, unit)) = whole(text.trim(), parts) else {
        return Err(format!("{text:?}: expected a size such as 10GB, 512MiB or 4096"));
    };
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("{text:?}: unknown unit {unit:?}{}", hint(unit)));
    };
    let too_large = || format!("{text:?}: larger than 2^64 - 1 bytes");
    let whole = whole.parse::<u64>().map_err(|_| too_large())?.checked_mul(*factor).ok_or_else(too_large)?;
    let part = part(fraction.trim_end_matches('0'), *factor)
        .ok_or_else(|| format!("{text:?}: not a whole number of bytes"))?;
    whole.checked_add(part).ok_or_else(too_large)
}

/// `DIGITS[.DIGITS] UNIT`, as they are written. The unit may be nothing.
fn parts(text: &str) -> IResult<&str, (&str, &str, &str), ()> {
    let fraction = opt(preceded(char('.'), digit1)).map(|digits: Option<&str>| digits.unwrap_or("0"));
    let unit = preceded(take_while(char::is_whitespace), rest);
    (digit1, terminated(fraction, not(char('.'))), unit).parse(text)
}

/// `0.FRACTION` of `factor`, where that is a whole number.
fn part(fraction: &str, factor: u64) -> Option<u64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let product = fraction.parse::<u128>().ok()?.checked_mul(u128::from(factor))?;
    (product % scale == 0).then_some(product / scale).and_then(|n| u64::try_from(n).ok())
}

fn hint(unit: &str) -> String {
    let near = |name: &&str| {
        name.eq_ignore_ascii_case(unit) || name.strip_suffix('B').is_some_and(|name| name.eq_ignore_ascii_case(unit))
    };
    match UNITS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).find(near) {
        Some(name) => format!(", did you mean {name}?"),
        None => ", expected B, kB, MB, GB, TB, KiB, MiB, GiB or TiB".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("7B", 7),
            ("1kB", 1_000),
            ("1KB", 1_000),
            ("1KiB", 1_024),
            ("64 MB", 64_000_000),
            ("64MiB", 67_108_864),
            (" 10GB ", 10_000_000_000),
            ("10GiB", 10_737_418_240),
            ("2TB", 2_000_000_000_000),
            ("2TiB", 2_199_023_255_552),
            ("1.5GB", 1_500_000_000),
            ("0.5KiB", 512),
            ("1.500kB", 1_500),
            ("2.0B", 2),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_wrong_size_is_explained() {
        for (text, says) in [
            ("", "expected a size such as"),
            ("GB", "expected a size such as"),
            ("-1GB", "expected a size such as"),
            (".5GB", "expected a size such as"),
            ("5.GB", "expected a size such as"),
            ("1.2.3GB", "expected a size such as"),
            ("10gb", "did you mean GB?"),
            ("10G", "did you mean GB?"),
            ("10k", "did you mean kB?"),
            ("10mib", "did you mean MiB?"),
            ("10 GB/day", "expected B, kB, MB"),
            ("1_000", "expected B, kB, MB"),
            ("10€", "expected B, kB, MB"),
            ("1.5B", "not a whole number of bytes"),
            ("0.0001kB", "not a whole number of bytes"),
            ("0.00000000000000000000000000000000000000000000001kB", "not a whole number of bytes"),
            ("18446744073709551616", "larger than"),
            ("99999999TB", "larger than"),
        ] {
            let error = parse_size(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    /// The messages word for word.
    #[test]
    fn a_wrong_size_is_told_word_for_word() {
        const FORM: &str = "expected a size such as 10GB, 512MiB or 4096";
        const UNITS: &str = "expected B, kB, MB, GB, TB, KiB, MiB, GiB or TiB";
        for (text, told) in [
            ("", format!(r#""": {FORM}"#)),
            (" ", format!(r#"" ": {FORM}"#)),
            ("1.2.3GB", format!(r#""1.2.3GB": {FORM}"#)),
            ("1..2", format!(r#""1..2": {FORM}"#)),
            ("1.", format!(r#""1.": {FORM}"#)),
            ("1. GB", format!(r#""1. GB": {FORM}"#)),
            (".5", format!(r#"".5": {FORM}"#)),
            ("+1", format!(r#""+1": {FORM}"#)),
            (" 10 gb ", r#"" 10 gb ": unknown unit "gb", did you mean GB?"#.to_owned()),
            ("10\u{a0}Mi", r#""10\u{a0}Mi": unknown unit "Mi", did you mean MiB?"#.to_owned()),
            ("1.5 x", format!(r#""1.5 x": unknown unit "x", {UNITS}"#)),
            ("1e3", format!(r#""1e3": unknown unit "e3", {UNITS}"#)),
            ("1 .5", format!(r#""1 .5": unknown unit ".5", {UNITS}"#)),
            ("1kB.", format!(r#""1kB.": unknown unit "kB.", {UNITS}"#)),
            ("1 k B", format!(r#""1 k B": unknown unit "k B", {UNITS}"#)),
            ("0.5", r#""0.5": not a whole number of bytes"#.to_owned()),
            ("99999999TB", r#""99999999TB": larger than 2^64 - 1 bytes"#.to_owned()),
            ("18446744073709551615.5kB", r#""18446744073709551615.5kB": larger than 2^64 - 1 bytes"#.to_owned()),
        ] {
            assert_eq!(parse_size(text), Err(told));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_a_size_in_any_unit_is_its_bytes(
            text in "\\PC?[0-9]{0,20}[.]?[0-9]{0,6}[ \u{a0}]?([kKMGTi]{0,2}B?)\\PC?",
            whole in 0u64..1_000_000,
            unit in 0usize..UNITS.len(),
        ) {
            let _ = parse_size(&text);
            let (name, factor) = UNITS[unit];
            proptest::prop_assert_eq!(parse_size(&format!(" {whole}.0 {name}")), Ok(whole * factor));
        }
    }
}
