//! Text to the bytes of a CCSID, from the tables of `formats/ccsid`, and what `printable` must make of any text.
use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, OnceLock},
};

/// The 256 characters of the single bytes of a CCSID; U+FFFD where there is none.
pub fn table(ccsid: u16) -> &'static [char; 256] {
    static READ: OnceLock<Mutex<BTreeMap<u16, &'static [char; 256]>>> = OnceLock::new();
    let mut read = READ.get_or_init(Mutex::default).lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    read.entry(ccsid).or_insert_with(|| {
        // Some are read with the table of another one.
        let file = match ccsid {
            290 | 5026 => 930,
            1027 | 5035 => 939,
            own => own,
        };
        let path = format!("{}/../../formats/ccsid/{file}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let points: Vec<char> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .flat_map(str::split_whitespace)
            // A `*` marks a second byte of the same character.
            .map(|hex| u32::from_str_radix(hex.trim_end_matches('*'), 16).expect("hexadecimal"))
            .map(|code| char::from_u32(code).expect("a character"))
            .collect();
        Box::leak(Box::new(points.try_into().expect("256 characters")))
    })
}

/// The bytes of a text in CCSID 37, whose digits, letters and `*` are those of every CCSID.
pub fn plain(text: &str) -> Vec<u8> {
    let table = table(37);
    text.chars().map(|c| table.iter().position(|t| *t == c).expect("in CCSID 37") as u8).collect()
}

/// One unit of a text as a decoder may meet it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    Char(char),
    /// Half a surrogate pair, or a byte that is no text.
    Code(u32),
}

/// What nobody sees and Unicode calls a format character (Cf), and the separators of lines and paragraphs.
pub fn is_format(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x890..=0x891 | 0x8E2 | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E
        | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3
        | 0x1D173..=0x1D17A | 0xE0000..=0xE007F)
}

/// C0, DEL, C1, U+2028, U+2029, format characters and lone surrogates become `\xHH` or `\u{H}`.
pub fn printable(pieces: &[Piece]) -> String {
    let code = |c: u32| if c <= 0xFF { format!("\\x{c:02x}") } else { format!("\\u{{{c:x}}}") };
    pieces
        .iter()
        .map(|p| match *p {
            Piece::Char(c) if matches!(c, '\0'..='\x1F' | '\x7F'..='\u{9F}') || is_format(c) => code(c.into()),
            Piece::Char(c) => c.to_string(),
            Piece::Code(c) => code(c),
        })
        .collect()
}
