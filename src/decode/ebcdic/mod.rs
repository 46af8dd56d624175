//! EBCDIC text: the bytes of a field and its CCSID become characters, and back for filter rules.
//!
//! For: the single-byte and the mixed (SO/SI) EBCDIC character sets of IBM i, plus the Unicode
//! CCSIDs a journal entry may carry: 1200 and 13488 (UTF-16BE), 1208 (UTF-8). Not for: choosing a
//! CCSID (0 and 65535 mean "the job's", which the caller knows), trimming blanks, or making control
//! characters safe to print.
//!
//! Invariants:
//! - decoding is total: any bytes decode, and every byte is part of a character, a shift or a
//!   [`Unit`] that says what was wrong with it;
//! - X'15' is U+0085 and X'25' is U+000A in every EBCDIC set, as in IBM's own tables;
//! - tables are data (`formats/ccsid/`, made by `tests/tools/make_ccsid.py`), parsed once per CCSID
//!   when it is first asked for.
//!
//! ```
//! use qaudjrn::decode::ebcdic::{Ccsid, Charset};
//! let french = Charset::of(Ccsid(297)).ok_or("not supported")?;
//! assert_eq!(french.decode_string(b"\xC5\xD3\xC5\xE5\xC5\x40\xC0"), "ELEVE é");
//! # Ok::<(), &str>(())
//! ```

#[cfg(test)]
mod against_iconv;
mod catalogue;
mod decoding;
mod double_byte;
mod encoding;
mod invariant;
mod single_byte;
#[cfg(test)]
mod tests;
mod unsupported;

use std::fmt;

pub use catalogue::SUPPORTED;
use double_byte::DoubleByte;
pub use invariant::ebcdic;
use single_byte::SingleByte;

/// A CCSID as IBM writes it: 37, 1140, 1208.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Ccsid(pub u16);

impl fmt::Display for Ccsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One unit of decoded text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A character; U+FFFD for a byte or pair to which the set assigns none.
    Char(char),
    /// A UTF-16 surrogate without its other half.
    Surrogate(u16),
    /// A byte that is no text in its encoding: not valid UTF-8, the odd last byte of UTF-16 or of
    /// double-byte text, a lead byte followed by a shift.
    Byte(u8),
}

/// How a character set writes its characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CharsetKind {
    /// EBCDIC, one byte a character.
    SingleByte,
    /// EBCDIC, single bytes until SO X'0E', byte pairs until SI X'0F'.
    Mixed,
    /// UTF-16, big-endian (1200, and 13488 without surrogates by IBM's book, with them in practice).
    Utf16Be,
    /// UTF-8 (1208).
    Utf8,
}

/// A character set that is ready to decode and encode; [`Charset::of`] hands out the only copies.
#[derive(Debug)]
pub struct Charset {
    ccsid: Ccsid,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Single(SingleByte),
    Mixed(SingleByte, &'static DoubleByte),
    Utf16Be,
    Utf8,
}

/// What stands for a byte or pair without a character, in the tables and in text.
const UNASSIGNED: char = char::REPLACEMENT_CHARACTER;
const SHIFT_OUT: u8 = 0x0E;
const SHIFT_IN: u8 = 0x0F;

impl Charset {
    /// The character set of a CCSID: one in [`SUPPORTED`], 1200, 13488 or 1208. Otherwise `None`,
    /// so for 0 and 65535 too, which name no character set.
    #[must_use]
    pub fn of(ccsid: Ccsid) -> Option<&'static Self> {
        catalogue::charset(ccsid)
    }

    /// The CCSID it was asked for by.
    #[must_use]
    pub fn ccsid(&self) -> Ccsid {
        self.ccsid
    }

    /// The EBCDIC character set of a CCSID, or a sentence that says what to give instead.
    pub fn ebcdic(ccsid: u16) -> Result<&'static Self, String> {
        let found = Charset::of(Ccsid(ccsid)).filter(|_| SUPPORTED.contains(&ccsid));
        found.ok_or_else(|| unsupported::advice(ccsid))
    }

    /// The bytes of a system, receiver or profile name: 1 to 10 of them.
    pub fn name(&self, text: &str) -> Result<Vec<u8>, &'static str> {
        self.encode(text)
            .filter(|b| !b.is_empty() && b.len() <= 10)
            .ok_or("expected a name of 1 to 10 characters of the CCSID")
    }

    /// How it writes its characters.
    #[must_use]
    pub fn kind(&self) -> CharsetKind {
        match self.form {
            Form::Single(_) => CharsetKind::SingleByte,
            Form::Mixed(..) => CharsetKind::Mixed,
            Form::Utf16Be => CharsetKind::Utf16Be,
            Form::Utf8 => CharsetKind::Utf8,
        }
    }

    /// The code point of each byte, U+FFFD where there is none: of the whole set when single-byte,
    /// of the text outside the shifts when mixed (where X'0E' and X'0F' are the shifts).
    #[must_use]
    pub fn single_byte(&self) -> Option<&[u16; 256]> {
        match &self.form {
            Form::Single(table) | Form::Mixed(table, _) => Some(table.points()),
            Form::Utf16Be | Form::Utf8 => None,
        }
    }

    /// Decodes any bytes, giving each unit in turn. A double-byte cell that stands for a base and a
    /// combining character gives two.
    pub fn decode(&self, bytes: &[u8], each: &mut dyn FnMut(Unit)) {
        match &self.form {
            Form::Single(table) => decoding::single(table, bytes, each),
            Form::Mixed(single, double) => decoding::mixed(single, double, bytes, each),
            Form::Utf16Be => decoding::utf16_be(bytes, each),
            Form::Utf8 => decoding::utf8(bytes, each),
        }
    }

    /// Decodes any bytes; a lone surrogate or a byte that is no text becomes U+FFFD.
    #[must_use]
    pub fn decode_string(&self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len());
        self.decode(bytes, &mut |unit| {
            text.push(match unit {
                Unit::Char(character) => character,
                Unit::Surrogate(_) | Unit::Byte(_) => UNASSIGNED,
            });
        });
        text
    }

    /// The bytes of a text, which decode to it again; `None` when the set lacks one of its
    /// characters. Mixed text prefers single bytes, and goes into SO and back by SI as it must;
    /// U+000E and U+000F, being the shifts, cannot be written in it.
    #[must_use]
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match &self.form {
            Form::Single(table) => encoding::single(table, text),
            Form::Mixed(single, double) => encoding::mixed(single, double, text),
            Form::Utf16Be => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Form::Utf8 => Some(text.as_bytes().to_vec()),
        }
    }
}
