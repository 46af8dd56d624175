//! A write-ahead log that is damaged while no agent runs.
use super::*;

#[test]
fn n2_fault_15_a_bit_that_flips_in_the_log_is_put_right() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    let length = fs::metadata(from.path().join("spool.db-wal")).unwrap().len();
    for at in places(usize::try_from(length).unwrap(), 150) {
        let flip = |folder: &Path| {
            let mut bytes = fs::read(folder.join("spool.db-wal")).unwrap();
            bytes[at] ^= 1 << (at % 8);
            fs::write(folder.join("spool.db-wal"), bytes).unwrap();
        };
        put_right(&format!("byte {at}"), from.path(), &stored, at, &flip);
    }
}

/// What the head of a database of ours says in one way only, from where to where.
const KNOWN: [(usize, usize); 2] = [(0, 24), (68, 92)];

/// From this bit of a word on, the checksum is the same for another word of the page. The numbers that it multiplies words by are
/// Fibonacci's, which modulo 2^k repeat after 3 * 2^(k-1) of them (<https://oeis.org/A001175>): to bit n belongs k = 32 - n.
fn repeats(page: usize) -> u32 {
    (0..32).find(|bit| (3_usize << (31 - bit)) < page / 4).unwrap()
}

/// Whether the checksum of a log says of a byte that it is another, and not one elsewhere. Where only high bits of a word are others, it
/// is what it is for the same bits of words further on; and of the last page and its checksum it may be either. In the head of page 1 it
/// is clear what stands there.
fn is_one_place_only(whole: &[u8], damaged: &[u8], at: usize) -> bool {
    let page = 16 << 10;
    let word = |log: &[u8]| u32::from_ne_bytes(log[at / 4 * 4..][..4].try_into().unwrap());
    let lowest = word(damaged).wrapping_sub(word(whole)).trailing_zeros();
    let last = whole.len() - page - 24;
    let frame = 32 + (at.max(32) - 32) / (24 + page) * (24 + page);
    let in_head = |(from, to): &(usize, usize)| (frame + 24 + from..frame + 24 + to).contains(&at);
    let is_known = whole[frame..frame + 4] == [0, 0, 0, 1] && KNOWN.iter().any(in_head);
    at < last && (lowest < repeats(page) || is_known)
}

/// A log with a byte that is another: everything is there, and a note says what was wrong.
fn put_right(what: &str, from: &Path, stored: &[String], at: usize, damage: &dyn Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    copy(from, folder.path());
    damage(folder.path());
    let (log, kept) = (folder.path().join("spool.db-wal"), folder.path().join("spool.db-wal.set-aside-1"));
    let (whole, damaged) = (fs::read(from.join("spool.db-wal")).unwrap(), fs::read(&log).unwrap());
    let found = inspect::Inspector::open(&folder.path().join("spool.db")).map(|i| i.faults());
    assert!(found.is_err() || found.is_ok_and(|f| f.iter().any(|f| f.contains("its log"))), "{what}");
    let given = start(folder.path(), "a");
    assert_eq!(fs::read(kept).unwrap(), damaged, "{what}");
    if is_one_place_only(&whole, &damaged, at) {
        assert!(given.notes[0].contains("was put right"), "{what}: {given:?}");
        assert_eq!((&given.events[..], given.gaps.len(), given.damaged), (stored, 0, 0), "{what}: {given:?}");
        assert_eq!(given.notes.len(), 1, "{what}: {given:?}");
    } else {
        let right = given.events == stored && given.notes[0].contains("was put right");
        assert!(right || !given.gaps.is_empty(), "{what}: {given:?}");
    }
}

#[test]
fn n2_a_byte_of_the_log_that_is_another_is_put_right() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    let bytes = fs::read(from.path().join("spool.db-wal")).unwrap();
    // The header, the heads of two frames, and some of their pages.
    let frame = 24 + (16 << 10);
    let heads = |at: &usize| *at < 32 + 24 || (32 + 3 * frame..32 + 3 * frame + 24).contains(at);
    let step = if cfg!(target_endian = "big") { 11 } else { 1 };
    for at in (0..bytes.len()).filter(heads).step_by(step).chain(places(bytes.len(), 60)) {
        let damage = |folder: &Path| {
            let mut bytes = bytes.clone();
            bytes[at] = bytes[at].wrapping_add(1 + (at % 255) as u8);
            fs::write(folder.join("spool.db-wal"), bytes).unwrap();
        };
        put_right(&format!("byte {at}"), from.path(), &stored, at, &damage);
    }
}

/// The version and the program's number, where a wrong byte made a spool of today one of a later program, or none.
#[test]
fn n2_what_the_log_says_of_the_version_is_put_right() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    let bytes = fs::read(from.path().join("spool.db-wal")).unwrap();
    let frame = 24 + (16 << 10);
    let first = (0..bytes.len() / frame).map(|n| 32 + n * frame).filter(|at| bytes[*at..at + 4] == [0, 0, 0, 1]);
    for at in first.flat_map(|at| [at + 24 + 60, at + 24 + 63, at + 24 + 70, at + 24 + 71]) {
        let damage = |folder: &Path| {
            let mut bytes = bytes.clone();
            bytes[at] = bytes[at].wrapping_add(120);
            fs::write(folder.join("spool.db-wal"), bytes).unwrap();
        };
        put_right(&format!("byte {at}"), from.path(), &stored, at, &damage);
    }
}

#[test]
fn n2_a_page_of_the_log_that_is_lost_costs_what_was_in_it_and_is_told() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    let bytes = fs::read(from.path().join("spool.db-wal")).unwrap();
    let frame = 24 + (16 << 10);
    let frames = (bytes.len() - 32) / frame;
    for n in (0..frames).step_by(if cfg!(target_endian = "big") { 6 } else { 1 }) {
        for (first, length) in [(0, 24), (0, frame), (24, 512), (24 + 8_000, 600)] {
            let folder = tempfile::tempdir().unwrap();
            copy(from.path(), folder.path());
            let mut other = bytes.clone();
            let at = 32 + n * frame + first;
            other[at..at + length].fill(0xE5);
            if other == bytes {
                continue;
            }
            fs::write(folder.path().join("spool.db-wal"), &other).unwrap();
            let given = start(folder.path(), "a");
            let what = format!("frame {n}, {length} bytes from {first}: {given:?}");
            let all = stored.iter().all(|s| given.events.contains(s));
            // The last commit may be one that a loss of power tore: sources are at its beginning too, then.
            let before = given.position.as_deref() == Some("{\"n\":1}") && given.events.len() >= 10;
            assert!(all || before || !given.gaps.is_empty(), "{what}");
        }
    }
}
