//! Every cell of every table against glibc iconv, where it is installed; said and skipped elsewhere.
//!
//! Not for: Python, the JDK and jt400, which `tests/tools/make_ccsid.py --check` asks. A cell whose
//! table says in its header why it is not iconv's is left out here.

use super::tests::{every, pairs};
use super::{Ccsid, Charset, CharsetKind, SHIFT_IN, SHIFT_OUT};
use std::io::Write;
use std::process::{Command, Stdio};

const UNASSIGNED: &str = "\u{FFFD}";

/// What iconv makes of bytes, with its options; `None` when it fails, is not there, or does not know
/// the set. (With `-c` it leaves out what it cannot convert, and says so by a failure.)
fn iconv(options: [&str; 4], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("iconv")
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // Its output may fill the pipe before it has read all: written from another thread.
    let mut input = child.stdin.take()?;
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    let lenient = options.contains(&"-ct");
    (lenient || output.status.success()).then_some(output.stdout)
}

fn name(ccsid: Ccsid) -> String {
    format!("IBM{:03}", table_of(ccsid).0)
}

/// The CCSID whose table another one is read with.
fn table_of(ccsid: Ccsid) -> Ccsid {
    match ccsid.0 {
        5026 => Ccsid(930),
        5035 => Ccsid(939),
        _ => ccsid,
    }
}

/// The text of bytes that all have characters.
fn decoded(ccsid: Ccsid, bytes: &[u8]) -> Option<Vec<u8>> {
    iconv(["-f", &name(ccsid), "-t", "UTF-8"], bytes)
}

/// The text of those bytes that have characters.
fn decoded_leniently(ccsid: Ccsid, bytes: &[u8]) -> Option<Vec<u8>> {
    iconv(["-f", &name(ccsid), "-ct", "UTF-8"], bytes)
}

fn encoded(ccsid: Ccsid, text: &str) -> Option<Vec<u8>> {
    iconv(["-f", "UTF-8", "-t", &name(ccsid)], text.as_bytes())
}

fn absent() -> bool {
    let absent = decoded(Ccsid(37), b"\x40").is_none();
    if absent {
        eprintln!("no iconv with EBCDIC here: not compared");
    }
    absent
}

/// The text of a table.
fn table(name: &str) -> String {
    let path = format!("{}/formats/ccsid/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {path}"))
}

/// Whether a table's header says that the cell is deliberately not iconv's.
fn decided(table: &str, cell: &[u8]) -> bool {
    let hex: String = cell.iter().map(|byte| format!("{byte:02X}")).collect();
    let mark = format!("# X'{hex}' ");
    table.lines().any(|line| line.starts_with(&mark))
}

/// The bytes outside the shifts that the header does not speak of: with a character, and without.
fn single_bytes(charset: &Charset) -> (Vec<u8>, Vec<u8>) {
    let mixed = charset.kind() == CharsetKind::Mixed;
    let table = table(&table_of(charset.ccsid()).to_string());
    (0..=u8::MAX)
        .filter(|byte| !(mixed && [SHIFT_OUT, SHIFT_IN].contains(byte)))
        .filter(|byte| !decided(&table, &[*byte]))
        .partition(|byte| charset.decode_string(&[*byte]) != UNASSIGNED)
}

#[test]
fn every_byte_is_iconvs_unless_the_table_says_why_not() {
    if absent() {
        return;
    }
    // iconv has no 838 and no 1027, and its 290 is another table: those two are the single bytes of 939 and 930.
    let asked = |c: &&Charset| c.single_byte().is_some() && ![838, 290, 1027].contains(&c.ccsid().0);
    for charset in every().filter(asked) {
        let ccsid = charset.ccsid();
        let (with, without) = single_bytes(charset);
        assert!(with.len() > 140, "{ccsid}");
        let text = charset.decode_string(&with);
        assert_eq!(Some(text.as_bytes()), decoded(ccsid, &with).as_deref(), "{ccsid}");
        // Of the mixed sets, iconv writes the yen sign of 930 as X'5B', which it reads as a dollar.
        if charset.kind() == CharsetKind::SingleByte {
            assert_eq!(charset.encode(&text), encoded(ccsid, &text), "{ccsid}");
        }
        let left = decoded_leniently(ccsid, &without);
        assert_eq!(left, Some(Vec::new()), "{ccsid}: unassigned here only");
    }
}

#[test]
fn every_pair_with_a_character_is_iconvs_unless_the_table_says_why_not() {
    if absent() {
        return;
    }
    let ibm_300 = table("dbcs-300");
    for charset in every().filter(|c| c.kind() == CharsetKind::Mixed) {
        let japanese = [930, 939].contains(&table_of(charset.ccsid()).0);
        let mut bytes = vec![SHIFT_OUT];
        for (pair, _) in pairs(charset) {
            // The header speaks of wards 42 to 44 only; asking it for each of 11,000 pairs is slow.
            if !(japanese && pair[0] < 0x45 && decided(&ibm_300, &pair)) {
                bytes.extend(pair);
            }
        }
        bytes.push(SHIFT_IN);
        assert!(bytes.len() > 18_000, "{}", charset.ccsid());
        let text = charset.decode_string(&bytes);
        let theirs = decoded(charset.ccsid(), &bytes);
        assert!(Some(text.as_bytes()) == theirs.as_deref(), "{}", charset.ccsid());
        let theirs = encoded(charset.ccsid(), &text);
        assert!(charset.encode(&text) == theirs, "{}", charset.ccsid());
    }
}
