use proptest::prelude::*;

use super::*;

/// A reader that gives so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.0.len().min(self.1).min(to.len());
        to[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn read<'a>(label: Option<&str>, bytes: &'a [u8], piece: usize) -> (Decoded<Pieces<'a>>, Vec<u8>) {
    let mut decoded = Decoded::new(Pieces(bytes, piece), label.map(|l| encoding(l).unwrap()));
    let mut text = Vec::new();
    decoded.read_to_end(&mut text).unwrap();
    (decoded, text)
}

#[test]
fn a_file_is_in_the_encoding_that_is_said_or_that_its_mark_says() {
    let text = "größe,日本,\u{1F512}\n";
    let little = [b"\xFF\xFE".to_vec(), utf_16(text, u16::to_le_bytes)].concat();
    let big = [b"\xFE\xFF".to_vec(), utf_16(text, u16::to_be_bytes)].concat();
    for (said, bytes) in [
        (None, &little),
        (None, &big),
        (Some("utf-16"), &big),
        (Some("UTF-16BE"), &little),
        (Some("utf-16be"), &big[2..].to_vec()),
        (Some("utf-16"), &little[2..].to_vec()),
        (None, &text.as_bytes().to_vec()),
        (Some("utf-8"), &text.as_bytes().to_vec()),
    ] {
        for piece in [1, 2, 3, 5, 100] {
            assert_eq!(read(said, bytes, piece).1, text.as_bytes(), "{said:?} {piece}");
        }
    }
    assert_eq!(read(Some("windows-1252"), b"gr\xF6\xDFe \x80", 2).1, "größe €".as_bytes());
    assert_eq!(read(None, b"\xEF\xBB\xBFa", 1).1, b"\xEF\xBB\xBFa");
}

#[test]
fn a_mark_that_speaks_against_what_is_said_and_a_label_that_is_none_are_errors() {
    let mut decoded = Decoded::new(&b"\xFF\xFEM\0"[..], Some(encoding("windows-1252").unwrap()));
    let error = decoded.read(&mut [0; 9]).unwrap_err().to_string();
    assert!(error.contains("expected windows-1252, as is said, got the byte order mark of UTF-16LE"), "{error}");
    for label in ["ibm037", "utf16", "", "iso-2022-kr"] {
        let error = encoding(label).unwrap_err();
        assert!(error.contains("windows-1252") && error.contains("utf-16"), "{error}");
    }
}

#[test]
fn what_is_no_text_is_told_with_its_place_in_the_file() {
    let lone = [utf_16("ab", u16::to_le_bytes), vec![0, 0xD8], utf_16("c\n", u16::to_le_bytes), vec![b'x']].concat();
    for piece in [1, 2, 3, 100] {
        let (mut decoded, text) = read(Some("utf-16"), &lone, piece);
        assert_eq!(text, b"ab\xFFc\n\xFF", "{piece}");
        let why = decoded.no_text(0, 6).unwrap().why();
        assert!(why.starts_with("offset 4: expected UTF-16LE, got X'00D8'"), "{why}");
        assert_eq!(decoded.pass(5), 10);
        let why = decoded.no_text(5, 6).unwrap().why();
        assert!(why.starts_with("offset 10: expected UTF-16LE, got X'78'"), "{why}");
        assert_eq!((decoded.pass(1), decoded.pass(0)), (1, 0));
    }
    let (mut decoded, text) = read(Some("shift_jis"), b"\x93\xFA\x81\xFF\n", 1);
    assert_eq!(text, ["日".as_bytes(), b"\xFF\n"].concat());
    assert!(decoded.no_text(0, 9).unwrap().why().starts_with("offset 2: expected Shift_JIS, got X'81"));
}

proptest! {
    #[test]
    fn places_count_the_bytes_of_the_file(
        parts in proptest::collection::vec(("[a-zäöü€日本表\u{1F512}]{0,90}", any::<bool>()), 0..6),
        piece in 1usize..200,
    ) {
        for (label, mark) in [("utf-16le", &b"\xFF\xFE"[..]), ("utf-16be", b"\xFE\xFF"), ("shift_jis", b""), ("iso-2022-jp", b"")] {
            let encoding = encoding(label).unwrap();
            let mut bytes = mark.to_vec();
            let mut ends = Vec::new();
            for (text, bad) in &parts {
                let text = format!("{text}\n");
                match label {
                    "utf-16le" => bytes.extend(utf_16(&text, u16::to_le_bytes)),
                    "utf-16be" => bytes.extend(utf_16(&text, u16::to_be_bytes)),
                    // References to characters that it does not have are text too.
                    _ => bytes.extend_from_slice(&encoding.encode(&text).0),
                }
                let end = bytes.len() as u64;
                if *bad && label.starts_with("utf") {
                    bytes.extend_from_slice(&[0xD8, 0xD8]);
                }
                ends.push(end);
            }
            let (mut decoded, text) = read(Some(label), &bytes, piece);
            let mut at = 0;
            for (n, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
                at += decoded.pass(line.len());
                if let Some(end) = ends.get(n) {
                    prop_assert_eq!(at, *end, "{} {}", label, n);
                }
            }
        }
    }
}
