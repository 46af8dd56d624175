//! The characters that have the same byte in every EBCDIC set: upper-case letters and digits.
use super::{Ccsid, Charset};

/// A name of upper-case letters and digits in EBCDIC.
pub fn ebcdic(name: &str) -> Option<Vec<u8>> {
    Charset::of(Ccsid(37))?.encode(name)
}
