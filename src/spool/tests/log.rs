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

/// A log with a byte that is another: everything is there, and a note says what was wrong.
fn put_right(what: &str, from: &Path, stored: &[String], at: usize, damage: &dyn Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    copy(from, folder.path());
    damage(folder.path());
    let (log, kept) = (folder.path().join("spool.db-wal"), folder.path().join("spool.db-wal.set-aside-1"));
    let damaged = fs::read(&log).unwrap();
    let found = inspect::Inspector::open(&folder.path().join("spool.db")).map(|i| i.faults());
    assert!(found.is_err() || found.is_ok_and(|f| f.iter().any(|f| f.contains("its log"))), "{what}");
    let given = start(folder.path(), "a");
    assert_eq!(fs::read(kept).unwrap(), damaged, "{what}");
    // Of every fourth byte, and of the last page and its checksum, nothing may say which it is: sums of rows do.
    if at < damaged.len() - (16 << 10) - 24 && at % 4 != HIGHEST_BYTE {
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
