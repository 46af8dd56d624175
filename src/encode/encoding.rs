//! The encoding of lines, for receivers that take no UTF-8.
//!
//! A line is made in UTF-8, and what is ASCII of it stays as it is: the separators, keys and escapes. A character that the encoding does not
//! have becomes visible text, `\u{20ac}`, under the escape of its place; so does one whose bytes hold a sign that formats are made of
//! (Shift_JIS writes U+8868 as X'955C', and X'5C' is a backslash to whoever reads bytes): no value ends its field in any encoding.
use encoding_rs::{
    BIG5, DecoderResult, EUC_JP, EUC_KR, EncoderResult, Encoding, GBK, SHIFT_JIS, UTF_8, X_USER_DEFINED,
};

use super::escape::{Escape, put_absent, put_unit};
use crate::decode::ebcdic::Unit;

/// An encoding in which lines can leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineEncoding(&'static Encoding);

/// Those of two bytes a character in which ASCII is ASCII.
const DOUBLE: [&Encoding; 5] = [SHIFT_JIS, EUC_JP, EUC_KR, GBK, BIG5];
/// Signs that formats are made of, and that the second byte of a character may be.
const SIGNS: [u8; 5] = [b'\\', b'|', b']', b'[', b'^'];
/// What may be written.
const EXPECTED: &str = "an encoding in which ASCII is ASCII, of one or two bytes a character: utf-8, windows-1252 (or another windows-125x), iso-8859-2 to iso-8859-16, ibm866, koi8-r, macintosh, shift_jis, euc-jp, euc-kr, gbk, big5";

impl LineEncoding {
    /// By a label of the WHATWG Encoding Standard, in any case; or what to write instead.
    pub fn of(label: &str) -> Result<LineEncoding, String> {
        let Some(found) = Encoding::for_label(label.as_bytes()) else { return Err(format!("expected {EXPECTED}")) };
        let fits = found == UTF_8 || found.is_single_byte() && found != X_USER_DEFINED || DOUBLE.contains(&found);
        if !fits {
            return Err(format!("{} cannot carry lines: expected {EXPECTED}", found.name()));
        }
        // The standard takes ISO 8859-1, 9 and 11 for the code pages of Windows that have more characters.
        let name = found.name().to_ascii_lowercase();
        let number = name.strip_prefix("windows-").unwrap_or("");
        if !label.contains(number) {
            return Err(format!(
                "expected {name}, which this label stands for: a receiver that takes {} alone does not have its characters X'80' to X'9F'",
                label.trim()
            ));
        }
        Ok(LineEncoding(found))
    }

    /// `None` for UTF-8, in which lines are made.
    pub fn unless_utf_8(self) -> Option<LineEncoding> {
        (self.0 != UTF_8).then_some(self)
    }

    /// How many bytes a piece of a line has in it.
    pub fn length(self, piece: &[u8], escape: Escape) -> usize {
        if piece.is_ascii() {
            return piece.len();
        }
        let mut length = 0;
        self.each(piece, escape, &mut |bytes| length += bytes.len());
        length
    }

    /// Brings what stands from `start` on, in UTF-8, into it.
    pub fn convert(self, start: usize, escape: Escape, out: &mut Vec<u8>) {
        if out.get(start..).is_none_or(<[u8]>::is_ascii) {
            return;
        }
        let piece = out.split_off(start);
        self.each(&piece, escape, &mut |bytes| out.extend_from_slice(bytes));
    }

    /// Converts what stands between `start` and `end`.
    pub fn convert_before(self, start: usize, end: usize, escape: Escape, out: &mut Vec<u8>) {
        if out.get(start..end).is_none_or(<[u8]>::is_ascii) {
            return;
        }
        let behind = out.split_off(end);
        self.convert(start, escape, out);
        out.extend_from_slice(&behind);
    }

    /// A line as text, to be shown.
    pub fn text(self, line: &[u8]) -> String {
        self.0.decode_without_bom_handling(line).0.into_owned()
    }

    /// Gives the bytes of a text in it, piece by piece.
    fn each(self, text: &[u8], escape: Escape, to: &mut dyn FnMut(&[u8])) {
        let mut visible = Vec::new();
        for chunk in text.utf8_chunks() {
            for run in chunk.valid().split_inclusive(|c: char| !c.is_ascii()) {
                let mut chars = run.chars();
                let last = chars.next_back().filter(|c| !c.is_ascii());
                to(if last.is_some() { chars.as_str() } else { run }.as_bytes());
                let Some(c) = last else { continue };
                if !self.put(c, to) {
                    visible.clear();
                    put_absent(escape, c, &mut visible);
                    to(&visible);
                }
            }
            for b in chunk.invalid() {
                visible.clear();
                put_unit(escape, Unit::Byte(*b), &mut visible);
                // JSON has a sign for it, which is no ASCII.
                to(if visible.is_ascii() { &visible } else { b"\\ufffd" });
            }
        }
    }

    /// Gives the bytes of a character; `false` where it does not have it.
    fn put(self, c: char, to: &mut dyn FnMut(&[u8])) -> bool {
        let (mut room, mut again, mut utf_8) = ([0; 16], [0; 16], [0; 4]);
        let c = &*c.encode_utf8(&mut utf_8);
        let (result, _, written) = self.0.new_encoder().encode_from_utf8_without_replacement(c, &mut room, true);
        let bytes = room.get(..written).unwrap_or(&[]);
        let is_safe = bytes.first().is_some_and(|b| !b.is_ascii()) && !bytes.iter().any(|b| SIGNS.contains(b));
        if result != EncoderResult::InputEmpty || !is_safe {
            return false;
        }
        // Some stand for another character that looks alike: U+2212 for U+FF0D.
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let (result, _, n) = decoder.decode_to_utf8_without_replacement(bytes, &mut again, true);
        let is_same = result == DecoderResult::InputEmpty && again.get(..n) == Some(c.as_bytes());
        if is_same {
            to(bytes);
        }
        is_same
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(label: &str, escape: Escape, text: &str) -> Vec<u8> {
        let encoding = LineEncoding::of(label).unwrap();
        let mut out = b"before ".to_vec();
        out.extend_from_slice(text.as_bytes());
        encoding.convert(7, escape, &mut out);
        assert_eq!(out.len() - 7, encoding.length(text.as_bytes(), escape));
        assert!(out.starts_with(b"before "));
        out.split_off(7)
    }

    #[test]
    fn characters_become_bytes_of_the_encoding_and_others_visible_text() {
        for (label, escape, text, want) in [
            ("windows-1252", Escape::CefValue, "a=größe €", &b"a=gr\xF6\xDFe \x80"[..]),
            ("Windows-1252", Escape::CefValue, "日\u{1F512}é", b"\\\\u{65e5}\\\\u{1f512}\xE9"),
            ("windows-1251", Escape::LeefTab, "éЖ", b"\\u{e9}\xC6"),
            ("windows-1252", Escape::StructuredData, "日", b"\\\\u{65e5}"),
            ("windows-1252", Escape::Text, "日", b"\\u{65e5}"),
            ("windows-1252", Escape::Json, "日\u{1F512}", b"\\u65e5\\ud83d\\udd12"),
            ("iso-8859-15", Escape::Text, "€", b"\xA4"),
            ("euc-kr", Escape::Text, "가a나", b"\xB0\xA1a\xB3\xAA"),
            ("utf-8", Escape::Text, "€", "€".as_bytes()),
        ] {
            assert_eq!(encoded(label, escape, text), want, "{label} {text}");
        }
    }

    #[test]
    fn no_byte_of_a_character_is_a_sign_of_a_format_and_none_stands_for_another() {
        // X'955C', and X'815F', X'817C', X'8160': a backslash, and characters that look like others.
        assert_eq!(encoded("shift_jis", Escape::CefValue, "日表本"), b"\x93\xFA\\\\u{8868}\x96\x7B");
        // The yen and the overline are a backslash and a tilde there.
        assert_eq!(encoded("shift_jis", Escape::Text, "¥‾−"), b"\\u{a5}\\u{203e}\\u{2212}");
        assert_eq!(encoded("euc-jp", Escape::Text, "¥−表"), b"\\u{a5}\\u{2212}\xC9\xBD");
        for encoding in DOUBLE {
            let encoding = LineEncoding(encoding);
            for c in '\u{80}'..='\u{FFFF}' {
                let mut out = c.to_string().into_bytes();
                encoding.convert(0, Escape::Text, &mut out);
                let visible = format!("\\u{{{:x}}}", u32::from(c));
                let is_double = !out.iter().any(|b| SIGNS.contains(b)) && encoding.text(&out) == c.to_string();
                assert!(is_double || out == visible.as_bytes(), "{encoding:?} {c:?} {out:X?}");
            }
        }
    }

    #[test]
    fn only_encodings_in_which_ascii_is_ascii_are_taken_and_labels_that_mean_what_they_say() {
        for label in ["windows-1252", "cp1252", "ISO-8859-15", "latin2", "shift_jis", "sjis", "gbk", "big5", "koi8-r"] {
            assert!(LineEncoding::of(label).is_ok(), "{label}");
        }
        assert_eq!(LineEncoding::of("utf-8").unwrap().unless_utf_8(), None);
        for (label, said) in [
            ("utf-16", "UTF-16LE cannot carry lines: expected an encoding in which ASCII is ASCII"),
            ("iso-2022-jp", "ISO-2022-JP cannot carry lines"),
            ("gb18030", "gb18030 cannot carry lines"),
            ("x-user-defined", "x-user-defined cannot carry lines"),
            ("iso-2022-kr", "replacement cannot carry lines"),
            ("ibm037", "expected an encoding"),
            ("", "windows-1252"),
            ("us-ascii", "expected windows-1252, which this label stands for"),
            ("iso-8859-1", "expected windows-1252, which this label stands for"),
            ("iso-8859-9", "expected windows-1254"),
        ] {
            let error = LineEncoding::of(label).unwrap_err();
            assert!(error.contains(said), "{label}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_the_length_that_is_said_and_ascii_stays(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            for label in ["windows-1252", "windows-1251", "shift_jis", "big5"] {
                for escape in [Escape::CefValue, Escape::StructuredData, Escape::Json, Escape::LeefTab] {
                    let encoding = LineEncoding::of(label).unwrap();
                    let mut out = bytes.clone();
                    encoding.convert(0, escape, &mut out);
                    prop_assert_eq!(out.len(), encoding.length(&bytes, escape));
                    // A second time nothing that is ASCII changes.
                    let text = encoding.text(&out);
                    prop_assert!(!text.contains('\u{FFFD}'), "{}", text);
                }
            }
        }
    }
}
