//! Behaviour of whole character sets: shifts, cuts, controls, variant letters, coming back.
//!
//! Not for: whether each cell is right, which `against_iconv` and, with more judges,
//! `tests/tools/make_ccsid.py --check` ask. Characters here are written out, not taken from a table.

use super::{Ccsid, Charset, CharsetKind, SUPPORTED, Unit};
use proptest::prelude::*;

fn of(ccsid: u16) -> &'static Charset {
    Charset::of(Ccsid(ccsid)).unwrap_or_else(|| panic!("no CCSID {ccsid}"))
}

fn units(ccsid: u16, bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    of(ccsid).decode(bytes, &mut |unit| units.push(unit));
    units
}

fn chars(text: &str) -> Vec<Unit> {
    text.chars().map(Unit::Char).collect()
}

/// Every character set there is.
pub(super) fn every() -> impl Iterator<Item = &'static Charset> {
    SUPPORTED.iter().chain(&[1200, 1208, 13488]).map(|c| of(*c))
}

#[test]
fn every_supported_ccsid_has_a_table_that_reads() {
    assert!(SUPPORTED.is_sorted());
    assert_eq!(SUPPORTED.len(), 55);
    for ccsid in SUPPORTED {
        assert_eq!(of(*ccsid).ccsid(), Ccsid(*ccsid));
        assert!(of(*ccsid).single_byte().is_some());
    }
    let mixed = SUPPORTED.iter().filter(|c| of(**c).kind() == CharsetKind::Mixed);
    assert!(mixed.eq(&[930, 933, 935, 937, 939, 1364, 1371, 1388, 1390, 1399, 5026, 5035]));
    assert_eq!(of(13488).kind(), CharsetKind::Utf16Be);
    assert_eq!(of(1208).kind(), CharsetKind::Utf8);
    assert_eq!(Ccsid(37).to_string(), "37");
}

#[test]
fn f14_the_names_of_the_trade_for_japanese_are_known() {
    for (ccsid, like) in [(5026, 930), (5035, 939)] {
        let bytes = b"\xC1\x0E\x45\x62\x45\x66\x0F\x81\x62";
        assert_eq!(of(ccsid).decode_string(bytes), of(like).decode_string(bytes), "{ccsid}");
        assert_eq!(of(ccsid).ccsid(), Ccsid(ccsid));
    }
    // Katakana where 930 has them, small letters where 939 has them; no shifts.
    assert_eq!(of(290).decode_string(b"\xC1\x81\x62"), "A\u{FF71}a");
    assert_eq!(of(1027).decode_string(b"\xC1\x81"), "Aa");
    assert_eq!(of(290).kind(), CharsetKind::SingleByte);
    assert_eq!(of(1390).decode_string(b"\xC1\x0E\x45\x62\x0F"), "A日");
    assert_eq!(of(1371).decode_string(b"\xC1\x0E\x47\xA2\x0F"), "A€");
}

#[test]
fn a_number_that_names_no_known_set_is_refused() {
    for ccsid in [0, 1, 36, 819, 1209, 65535] {
        assert!(Charset::of(Ccsid(ccsid)).is_none(), "{ccsid}");
    }
}

#[test]
fn new_line_line_feed_and_the_common_controls_are_ibms_in_every_set() {
    for ccsid in SUPPORTED {
        let controls = of(*ccsid).decode_string(b"\x00\x05\x0D\x15\x25\x3F\x40");
        assert_eq!(controls, "\0\t\r\u{85}\n\u{1A} ", "{ccsid}");
    }
}

#[test]
fn the_variant_characters_sit_where_each_country_has_them() {
    // X'7B' X'7C' X'5B' are # @ $ in CCSID 37, and the same bytes are other letters elsewhere.
    for (ccsid, text) in [
        (37, "#@$"),
        (273, "#§$"),
        (277, "ÆØÅ"),
        (278, "ÄÖÅ"),
        (280, "£§$"),
        (284, "Ñ@$"),
        (285, "#@£"),
        (297, "£à$"),
        (500, "#@$"),
        (871, "#Ð$"),
        (1026, "ÖŞİ"),
        (1047, "#@$"),
        (1140, "#@$"),
        (1147, "£à$"),
    ] {
        assert_eq!(of(ccsid).decode_string(b"\x7B\x7C\x5B"), text, "{ccsid}");
        assert_eq!(of(ccsid).encode(text).as_deref(), Some(&b"\x7B\x7C\x5B"[..]));
    }
}

#[test]
fn the_euro_sets_replace_the_currency_sign() {
    assert_eq!(of(37).decode_string(b"\x9F"), "¤");
    assert_eq!(of(1140).decode_string(b"\x9F"), "€");
    assert_eq!(of(1142).decode_string(b"\x5A"), "€");
}

#[test]
fn cells_where_iconv_is_wrong_follow_jt400_and_the_jdk() {
    assert_eq!(of(1026).decode_string(b"\x9D\xBC"), "\u{B8}\u{AF}");
    assert_eq!(of(424).decode_string(b"\x78\x8F"), "\u{2017}\u{B1}");
    assert_eq!(of(278).decode_string(b"\x71\xE0"), "\\É");
    assert_eq!(of(871).decode_string(b"\x4A\xC0"), "Þþ");
    assert_eq!(of(838).decode_string(b"\x42\x43\x44"), "กขฃ");
}

#[test]
fn a_byte_without_a_character_is_the_replacement_character() {
    assert_eq!(units(424, b"\xC1\x70\xC2"), chars("A\u{FFFD}B"));
    assert_eq!(of(424).encode("\u{FFFD}"), None);
}

#[test]
fn text_the_set_lacks_is_not_encoded() {
    assert_eq!(of(37).encode("10 €"), None);
    assert_eq!(of(939).encode("naïve"), None);
    assert_eq!(of(37).encode(""), Some(Vec::new()));
}

#[test]
fn mixed_text_shifts_out_and_in() {
    assert_eq!(of(939).decode_string(b"\xC1\x0E\x43\x81\x45\x62\x40\x40\x0F\xC2"), "Aア日\u{3000}B");
    for (ccsid, text) in [
        (930, "A日本語B"),
        (933, "A한국어B"),
        (935, "A中文B"),
        (937, "A繁體中文B"),
        (939, "a日本b語"),
        (1364, "A한국어B"),
        (1388, "A简体中文B"),
        (1399, "日本語"),
    ] {
        let bytes = of(ccsid).encode(text).unwrap_or_else(|| panic!("{ccsid}"));
        assert_eq!(of(ccsid).decode_string(&bytes), text, "{ccsid}");
    }
    assert_eq!(of(939).encode("A日B").as_deref(), Some(&b"\xC1\x0E\x45\x62\x0F\xC2"[..]));
}

#[test]
fn mixed_text_cut_anywhere_accounts_for_every_byte() {
    // 日 is X'4562': cut after SO, inside the pair, after it.
    assert_eq!(units(939, b"\xC1\x0E"), chars("A"));
    assert_eq!(units(939, b"\xC1\x0E\x45"), [Unit::Char('A'), Unit::Byte(0x45)]);
    assert_eq!(units(939, b"\xC1\x0E\x45\x62"), chars("A日"));
    assert_eq!(units(939, b"\x0E\x45\x0F\xC1"), [Unit::Byte(0x45), Unit::Char('A')]);
    assert_eq!(units(939, b"\xC1\x0F\xC2"), chars("A\u{F}B"));
    assert_eq!(units(939, b"\x0E\x0E\x45\x62\x0F"), chars("日"));
    assert_eq!(units(939, b"\x0E\xFF\xFF\x00\x00\x0F"), chars("\u{FFFD}\u{FFFD}"));
}

#[test]
fn the_shifts_themselves_are_not_encoded_in_mixed_text() {
    assert_eq!(of(939).encode("a\u{E}"), None);
    assert_eq!(of(939).encode("a\u{F}"), None);
    assert_eq!(of(37).encode("\u{E}\u{F}").as_deref(), Some(&b"\x0E\x0F"[..]));
}

#[test]
fn a_cell_may_stand_for_two_characters_or_one_beyond_the_first_plane() {
    let ainu = "か\u{309A}";
    let bytes = of(1399).encode(ainu).unwrap();
    assert_eq!(bytes.len(), 4, "one pair between the shifts");
    assert_eq!(of(1399).decode_string(&bytes), ainu);
    let supplementary = "\u{2000B}";
    let bytes = of(1399).encode(supplementary).unwrap();
    assert_eq!(units(1399, &bytes), chars(supplementary));
}

#[test]
fn utf_16_keeps_lone_surrogates_and_the_odd_last_byte() {
    assert_eq!(units(1200, b"\x00A\xD8\x3D\xDE\x00"), chars("A😀"));
    assert_eq!(
        units(13488, b"\xD8\x3D\x00A\xDE\x00\x41"),
        [Unit::Surrogate(0xD83D), Unit::Char('A'), Unit::Surrogate(0xDE00), Unit::Byte(0x41)]
    );
    assert_eq!(of(1200).decode_string(b"\xD8\x3D"), "\u{FFFD}");
    assert_eq!(of(1200).encode("A😀").as_deref(), Some(&b"\x00A\xD8\x3D\xDE\x00"[..]));
}

#[test]
fn utf_8_keeps_each_byte_that_is_not_text() {
    assert_eq!(
        units(1208, b"\xC3\xA9\xE2\x82A\xFF"),
        [Unit::Char('é'), Unit::Byte(0xE2), Unit::Byte(0x82), Unit::Char('A'), Unit::Byte(0xFF)]
    );
    assert_eq!(of(1208).encode("é").as_deref(), Some("é".as_bytes()));
}

#[test]
fn every_single_byte_set_comes_back_from_its_own_text() {
    for charset in every() {
        let Some(points) = charset.single_byte() else {
            continue;
        };
        for (point, byte) in points.iter().zip(0..=u8::MAX) {
            let text = charset.decode_string(&[byte]);
            if *point == 0xFFFD || charset.kind() == CharsetKind::Mixed && [0x0E, 0x0F].contains(&byte) {
                continue;
            }
            let bytes = charset.encode(&text).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!(charset.decode_string(&bytes), text);
            // The Thai tone marks of 838 and 1160 have two bytes each; one is written.
            let thai = [Ccsid(838), Ccsid(1160)].contains(&charset.ccsid());
            let twice = thai && ('\u{E48}'..='\u{E4C}').any(|c| text.contains(c));
            assert!(twice || bytes == [byte], "{} {byte:02X}", charset.ccsid());
        }
    }
}

#[test]
fn every_double_byte_cell_comes_back_from_its_own_text() {
    for charset in every().filter(|c| c.kind() == CharsetKind::Mixed) {
        for text in pairs(charset).into_iter().map(|(_, text)| text) {
            let bytes = charset.encode(&text).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!(charset.decode_string(&bytes), text);
        }
    }
}

/// The assigned pairs of a mixed set and their text.
pub(super) fn pairs(charset: &Charset) -> Vec<([u8; 2], String)> {
    let every = (0x40..=0xFF).flat_map(|lead| (0x40..=0xFF).map(move |trail| [lead, trail]));
    every
        .map(|pair| (pair, charset.decode_string(&[0x0E, pair[0], pair[1]])))
        .filter(|(_, text)| text != "\u{FFFD}")
        .collect()
}

proptest! {
    #[test]
    fn any_bytes_decode_and_what_encodes_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for charset in every() {
            let (mut units, mut length) = (0, 0);
            charset.decode(&bytes, &mut |unit| {
                units += 1;
                length += match (charset.kind(), unit) {
                    (CharsetKind::Utf16Be, Unit::Char(c)) => c.len_utf16() * 2,
                    (CharsetKind::Utf16Be, Unit::Surrogate(_)) => 2,
                    (CharsetKind::Utf8, Unit::Char(c)) => c.len_utf8(),
                    _ => 1,
                };
            });
            match charset.kind() {
                CharsetKind::Mixed => prop_assert!(units <= bytes.len()),
                _ => prop_assert_eq!(length, bytes.len()),
            }
            let text = charset.decode_string(&bytes);
            if let Some(again) = charset.encode(&text) {
                prop_assert_eq!(charset.decode_string(&again), text);
            }
        }
    }

    #[test]
    fn any_text_that_encodes_comes_back(text in "[ -~\u{80}-\u{FF}ぁ-ん一-丿가-갛\u{E}\u{F}\u{309A}]{0,12}") {
        for charset in every() {
            if let Some(bytes) = charset.encode(&text) {
                prop_assert_eq!(charset.decode_string(&bytes), text.clone());
            }
        }
    }
}
