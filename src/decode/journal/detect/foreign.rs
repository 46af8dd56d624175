//! What else than a capture a file may be, by its first bytes, and what to do with it.
use std::borrow::Cow;

/// A format that is known and not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is.
    pub name: &'static str,
    /// What to do.
    pub advice: Cow<'static, str>,
}

const UNPACK: &str = "unpack it first and name the file that is in it";

/// Formats, the bytes that they begin with, and what to do.
const FORMATS: [(&str, &[u8], &str); 15] = [
    ("gzip within gzip", b"\x1F\x8B", "unpack it once with gunzip; one gzip is read as it is"),
    ("a ZIP archive", b"PK\x03\x04", UNPACK),
    ("an empty ZIP archive", b"PK\x05\x06", "there is nothing in it"),
    ("xz", b"\xFD7zXZ\0", "unpack it first with unxz, or compress with gzip, which is read"),
    ("bzip2", b"BZh", "unpack it first with bunzip2, or compress with gzip, which is read"),
    ("Zstandard", b"\x28\xB5\x2F\xFD", "unpack it first with unzstd, or compress with gzip, which is read"),
    ("LZ4", b"\x04\x22\x4D\x18", "unpack it first with unlz4, or compress with gzip, which is read"),
    ("a 7-Zip archive", b"7z\xBC\xAF\x27\x1C", UNPACK),
    ("compress (.Z)", b"\x1F\x9D", "unpack it first with uncompress, or compress with gzip, which is read"),
    // SAVLIB, SAVOBJ: X'19DB' and QSRDSSPC in EBCDIC.
    (
        "a save file of IBM i",
        b"\x19\xDB\xD8\xE2\xD9\xC4\xE2\xE2\xD7\xC3",
        "only IBM i reads what is saved in it: restore it there (RSTOBJ), and transfer the outfile itself in binary",
    ),
    ("a database of SQLite", b"SQLite format 3\0", "name the capture that it was made of"),
    ("a PDF document", b"%PDF", "write the entries with DSPJRN OUTPUT(*OUTFILE) and transfer the outfile in binary"),
    ("XML or HTML", b"<?xml", "write the entries with DSPJRN OUTPUT(*OUTFILE) and transfer the outfile in binary"),
    ("XML or HTML", b"<!", "write the entries with DSPJRN OUTPUT(*OUTFILE) and transfer the outfile in binary"),
    ("a program or library", b"\x7FELF", "name a capture"),
];

const UTF16: &str = "an outfile is transferred in binary (FTP BINARY, no CCSID conversion); an export of the history log is read with --input history-csv or history-json (input =) and, where it has no mark of its byte order, --encoding utf-16le or utf-16be (encoding =)";
const JSON: &str = "rows of QSYS2.HISTORY_LOG_INFO are read with --input history-json (input = \"history-json\"), as an array or as one object a line, with MESSAGE_ID and MESSAGE_TIMESTAMP in each: take them out of what is around them; journal entries are read as outfiles only";
const CSV: &str = "rows of QSYS2.HISTORY_LOG_INFO are read with --input history-csv (input = \"history-csv\"), with the names of the columns in the first line, MESSAGE_ID and MESSAGE_TIMESTAMP among them; journal entries are read as outfiles only";

/// What these bytes, the first of a file, are.
pub fn foreign(front: &[u8]) -> Option<Foreign> {
    let is = |name, advice| Some(Foreign { name, advice: Cow::Borrowed(advice) });
    if let Some((name, _, advice)) = FORMATS.iter().find(|(_, begin, _)| front.starts_with(begin)) {
        return is(name, advice);
    }
    if front.get(257..262) == Some(b"ustar") {
        return is("a tar archive", UNPACK);
    }
    if is_utf16(front) {
        return is("UTF-16 text", UTF16);
    }
    let text = front.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(front).trim_ascii_start();
    // X'7B' and X'5B' are no digits of EBCDIC: no heading begins so.
    let quoted = |rest: &[u8]| matches!(rest.trim_ascii_start().first(), Some(b'"' | b'{' | b'[' | b'}' | b']'));
    if text.strip_prefix(b"{").or(text.strip_prefix(b"[")).is_some_and(quoted) {
        return is("JSON", JSON);
    }
    if is_csv(text) { is("CSV", CSV) } else { None }
}

/// Whether a file that begins so is UTF-16: a byte order mark, or every second byte zero and the others ASCII.
pub fn is_utf16(front: &[u8]) -> bool {
    if front.starts_with(b"\xFF\xFE") || front.starts_with(b"\xFE\xFF") {
        return true;
    }
    let pairs = front.get(..front.len().min(512)).unwrap_or(&[]).as_chunks::<2>().0;
    let is = |zero: usize, ascii: usize| {
        let text = |b: u8| matches!(b, 0x20..=0x7E | b'\n' | b'\r' | b'\t');
        pairs.len() >= 8 && pairs.iter().all(|p| p.get(zero) == Some(&0) && p.get(ascii).is_some_and(|b| text(*b)))
    };
    is(0, 1) || is(1, 0)
}

/// A first line of three or more words with one delimiter between them.
fn is_csv(text: &[u8]) -> bool {
    let line = text.split(|b| *b == b'\n').next().unwrap_or(&[]).trim_ascii_end();
    let word = |w: &[u8]| {
        !w.is_empty() && w.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' ' | b'"' | b'-'))
    };
    line.len() < text.len()
        && [b',', b';', b'\t'].into_iter().any(|delimiter| {
            let words: Vec<&[u8]> = line.split(|b| *b == delimiter).collect();
            words.len() >= 3 && words.iter().all(|w| word(w))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n12_what_people_take_for_captures_is_named() {
        let utf16: Vec<u8> = "MESSAGE_ID,MESSAGE_TEXT\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (bytes, name) in [
            (&b"PK\x03\x04\x14\0"[..], "a ZIP archive"),
            (b"\xFD7zXZ\0\0", "xz"),
            (b"BZh91AY", "bzip2"),
            (b"\x28\xB5\x2F\xFD\x04", "Zstandard"),
            (b"\x19\xDB\xD8\xE2\xD9\xC4\xE2\xE2\xD7\xC3\xD5\xE3", "a save file of IBM i"),
            (b"\xFF\xFEM\0E\0", "UTF-16 text"),
            (&utf16, "UTF-16 text"),
            (&tar, "a tar archive"),
            (b"{\"success\": true, \"data\": []}", "JSON"),
            (b"\xEF\xBB\xBF[\n  {\"a\": 1}]", "JSON"),
            (b"JOENTL,JOSEQN,JOCODE\n727,1,T\n", "CSV"),
            (b"\"JOENTL\";\"JOSEQN\";\"JOCODE\"\r\n727;1;T\r\n", "CSV"),
        ] {
            assert_eq!(foreign(bytes).map(|f| f.name), Some(name));
        }
        for bytes in [&b""[..], b"xxxxxxxxxxxx", b"Some text, of people; it is none.\nmore\n", &[0; 600], &[0xF0; 600]]
        {
            assert_eq!(foreign(bytes), None);
        }
    }
}
