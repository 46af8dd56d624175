//! What stands in place of a record that could not be made: why, and what was there.
//!
//! It goes through a capture as a record does, and is parked by whoever looks for an entry in it: it begins with ASCII, which no
//! heading does, so whatever bytes it holds can never pass for one.

use crate::decode::journal::{Entry, Heading};

/// The front of one.
const FRONT: &[u8] = b"parked: ";
/// Bytes that are kept of what was there.
const KEPT: usize = 65_536;

/// Characters of the reason that are said: it may be a stranger's, in a capture that is damaged.
const SAID: usize = 400;

/// In place of a record.
pub fn record(why: &str, bytes: &[u8]) -> Vec<u8> {
    // One line: what stands behind it is what was there.
    let why = why.replace(['\n', '\r'], " ");
    [FRONT, why.as_bytes(), b"\n", bytes.get(..bytes.len().min(KEPT)).unwrap_or(&[])].concat()
}

/// In place of records that are damaged: all of their bytes.
pub fn damage(why: &str, bytes: &[u8]) -> Vec<u8> {
    [FRONT, why.as_bytes(), b"\n", bytes].concat()
}

/// Whether something of a record will be parked: it is no entry, or one with a length of its own that holds more than its entry.
pub fn is_in(heading: &Heading, record: &[u8], framed: bool) -> bool {
    Entry::new(heading, record).map_or(true, |entry| framed && !entry.behind().is_empty())
}

/// What was there, where this is one of these.
pub fn bytes(record: &[u8]) -> Option<&[u8]> {
    let rest = record.strip_prefix(FRONT)?;
    rest.get(rest.iter().position(|b| *b == b'\n')? + 1..)
}

/// Why there is no record, where this is one of these.
pub fn why(record: &[u8]) -> Option<String> {
    let line = record.strip_prefix(FRONT)?.split(|b| *b == b'\n').next()?;
    Some(String::from_utf8_lossy(line).chars().take(SAID).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::journal::{Catalog, HeadingKind};

    #[test]
    fn whatever_it_holds_it_is_no_entry_and_says_why() {
        let catalog = Catalog::shipped().unwrap();
        let forged = [0xF0; 2_000];
        for heading in HeadingKind::ALL.iter().filter_map(|k| catalog.heading(*k)) {
            let parked = record("line 7: expected\nit", &forged);
            assert!(Entry::new(heading, &parked).is_err());
            assert_eq!(why(&parked).as_deref(), Some("line 7: expected it"));
            assert_eq!((bytes(&parked), bytes(&forged)), (Some(&forged[..]), None));
        }
        assert_eq!(why(&forged), None);
        assert!(record("", &[0; 1 << 20]).len() < KEPT + 100);
    }
}
