//! The order of names: by their bytes, but of history logs as IBM i names them.
//!
//! A log is QHSTyydddn: year, day of the year, and n, which counts the logs of a day: A to Z, then 0 to 9.
use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

/// Where the year, the day and the count stand in the name of a log.
const DATE: std::ops::Range<usize> = 4..9;
const COUNT: usize = 9;

/// What names are sorted by.
pub fn key(name: &OsStr) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    let is_log = key.get(..DATE.start).is_some_and(|front| front.eq_ignore_ascii_case(b"QHST"))
        && key.get(DATE).is_some_and(|date| date.iter().all(u8::is_ascii_digit));
    if is_log && let Some(count) = key.get_mut(COUNT).filter(|c| c.is_ascii_digit()) {
        // Behind the letters, small ones too.
        *count += b'z' + 1 - b'0';
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f18_the_logs_of_a_day_are_counted_from_a_to_z_and_then_from_0_to_9() {
        let mut names =
            ["QHST263240", "QHST26324Z", "QHST26325A", "QHST263249", "QHST26324A", "qhst26324b", "QHST26324"];
        names.sort_by_key(|name| key(OsStr::new(name)));
        assert_eq!(
            names,
            ["QHST26324", "QHST26324A", "QHST26324Z", "QHST263240", "QHST263249", "QHST26325A", "qhst26324b"]
        );
        let mut others = ["b0", "bA", "QHST2632", "a"];
        others.sort_by_key(|name| key(OsStr::new(name)));
        assert_eq!(others, ["QHST2632", "a", "b0", "bA"]);
    }
}
