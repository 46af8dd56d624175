//! A database of which any bit, or any row, is another than was written.
use std::collections::BTreeMap;

use super::*;

/// A start that gives all that an output has yet to get, or says what it does not; so does the next one.
#[track_caller]
fn holds(what: &str, from: &Path, left: &[Vec<String>; 2], damage: &dyn Fn(&Path)) {
    for (output, left) in ["a", "b"].iter().zip(left) {
        let folder = tempfile::tempdir().unwrap();
        copy(from, folder.path());
        damage(folder.path());
        for round in ["first", "second"] {
            let given = start(folder.path(), output);
            let missing: Vec<_> = left.iter().filter(|e| !given.events.contains(e)).collect();
            assert!(
                missing.is_empty() || !given.gaps.is_empty(),
                "{what}, output {output}, {round} start: {missing:?} are missing: {given:?}"
            );
            if round == "first" && !given.gaps.is_empty() {
                assert!(given.damaged > 0 && !given.notes.is_empty(), "{what}: {given:?}");
            }
            // What is told is told once, of each of the two sources.
            let mut times: BTreeMap<&str, u8> = BTreeMap::new();
            given.gaps.iter().for_each(|gap| *times.entry(gap).or_default() += 1);
            assert!(times.len() <= 9 && times.values().all(|n| *n <= 2), "{what}: {given:?}");
        }
    }
}

#[test]
fn h3_a6_a_bit_that_flips_anywhere_costs_duplicates_or_is_told_and_never_stops_the_start() {
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    holds("whole", from.path(), &left, &|_| {});
    let whole = start(from.path(), "a");
    assert_eq!((whole.events, whole.gaps, whole.damaged), (left[0].clone(), Vec::new(), 0));
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    let bytes = fs::read(from.path().join("spool.db")).unwrap();
    // Most of a page is nothing: what holds something is tried more often, and so is the head of every page.
    let some: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0 || at % (16 << 10) < 16).collect();
    // The numbers of version and application say whose it is.
    let bits = if cfg!(target_endian = "big") { 3 } else { 8 };
    let whose = (60..72).flat_map(|at| (0..bits).map(move |bit| (at, bit)));
    for (at, bit) in places(some.len(), 250).map(|n| (some[n], n % 8)).chain(whose) {
        let flip = |folder: &Path| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            fs::write(folder.join("spool.db"), bytes).unwrap();
        };
        holds(&format!("byte {at}, bit {bit}"), from.path(), &left, &flip);
    }
}

/// A database with one bit that is another gives everything, and tells of nothing.
#[track_caller]
fn costs_nothing(from: &Path, left: &[String], (at, bit): (usize, u8)) {
    let folder = tempfile::tempdir().unwrap();
    copy(from, folder.path());
    let mut bytes = fs::read(folder.path().join("spool.db")).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(folder.path().join("spool.db"), bytes).unwrap();
    let given = start(folder.path(), "a");
    let missing: Vec<_> = left.iter().filter(|e| !given.events.contains(e)).collect();
    assert!(missing.is_empty() && given.gaps.is_empty(), "byte {at}, bit {bit}: {missing:?}: {given:?}");
}

/// The sums of many batches share a page: that it is damaged says nothing of the batches, which have sums of their own.
#[test]
fn h3_a_page_of_seals_that_is_damaged_costs_no_batch() {
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    let db = rusqlite::Connection::open(from.path().join("spool.db")).unwrap();
    let root: i64 = db.query_row("SELECT rootpage FROM sqlite_master WHERE name = 'seal'", [], |r| r.get(0)).unwrap();
    drop(db);
    let begins = (usize::try_from(root).unwrap() - 1) * (16 << 10);
    // The kind of the page, the number of its rows, and where each of them stands.
    // Fewer under emulation.
    let step = if cfg!(target_endian = "big") { 3 } else { 1 };
    for at in [0, 3, 4, 8, 10, 12, 14] {
        for bit in (0..8).step_by(step) {
            costs_nothing(from.path(), &left[0], (begins + at, bit));
        }
    }
}

/// The first page says which tables there are and where they begin, which is known of one that was made with them.
#[test]
fn h3_the_table_of_tables_that_cannot_be_read_costs_no_batch() {
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    for (at, bit) in [(100, 0), (101, 3), (103, 6), (105, 2), (108, 7), (124, 2), (125, 0), ((16 << 10) - 20, 5)] {
        for logged in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            copy(from.path(), folder.path());
            let path = folder.path().join("spool.db");
            let open = logged.then(|| {
                let db = rusqlite::Connection::open(&path).unwrap();
                db.execute_batch("PRAGMA wal_autocheckpoint = 0; DELETE FROM parked WHERE id = 1").unwrap();
                let aside = tempfile::tempdir().unwrap();
                copy(folder.path(), aside.path());
                aside
            });
            // Closed, SQLite has brought the log into the database.
            open.iter().for_each(|aside| copy(aside.path(), folder.path()));
            costs_nothing(folder.path(), &left[0], (at, bit));
        }
    }
}

/// What the head of the file says of the form of its tables is the same in each of ours.
#[test]
fn h3_the_form_of_the_tables_in_the_head_costs_nothing() {
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    let step = if cfg!(target_endian = "big") { 3 } else { 1 };
    for (at, bit) in (44..48).flat_map(|at| (0..8).step_by(step).map(move |bit| (at, bit))) {
        costs_nothing(from.path(), &left[0], (at, bit));
    }
}

#[test]
fn h3_n2_h16_what_is_changed_by_hand_costs_duplicates_or_is_told() {
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    let lost = [
        "DELETE FROM batch WHERE id = 6",
        "DELETE FROM batch WHERE id >= 6",
        "DELETE FROM seal WHERE id = 7",
        "UPDATE batch SET blob = (SELECT blob FROM batch WHERE id = 7), blob_sha256 = (SELECT blob_sha256 FROM batch WHERE id = 7) WHERE id = 8",
        "UPDATE batch SET about = 'nothing' WHERE id = 6",
        "UPDATE batch SET about = replace(about, 'type5', 'type1') WHERE id = 6",
        "UPDATE batch SET position = '{}' WHERE id = 8",
        "UPDATE batch SET events = 4 WHERE id = 8",
        "UPDATE batch SET blob = x'00' WHERE id = 8",
        "UPDATE batch SET source = 7, raw_sha256 = 'text' WHERE id = 8",
        "UPDATE batch SET id = 1000 WHERE id = 8",
        "DROP TABLE batch",
    ];
    let told = |sql: &'static str| {
        let folder = tempfile::tempdir().unwrap();
        copy(from.path(), folder.path());
        by_hand(sql)(folder.path());
        start(folder.path(), "a")
    };
    for sql in lost {
        holds(sql, from.path(), &left, &by_hand(sql));
        assert!(!told(sql).gaps.is_empty(), "{sql}");
    }
    let kept = [
        "UPDATE cursor SET batch = 9223372036854775807",
        "UPDATE cursor SET batch = 9223372036854775807, generation = generation + 1 WHERE output = 'a'",
        "UPDATE cursor SET output = 'c' WHERE output = 'a'",
        "UPDATE cursor SET output = 'c' WHERE output = 'b'",
        "DELETE FROM cursor WHERE output = 'b'",
        "UPDATE cursor SET batch = 7 WHERE output = 'b' AND lane = 3",
        "UPDATE cursor SET event = 'text'",
        "DELETE FROM cursor",
        "UPDATE source SET position = 'nothing'",
        "DELETE FROM source",
        "UPDATE part SET position = 'x'",
        "UPDATE output SET spent = x'01', lanes = 'other'",
        "UPDATE log SET last = 1000000, first = 900",
        "UPDATE log SET generation = 1000000 WHERE slot = 0",
        "DELETE FROM log",
        "UPDATE sqlite_sequence SET seq = 1000000",
        "DELETE FROM parked",
        "UPDATE parked SET bytes = x'00'",
        "CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM batch WHERE id = new.id; END",
        "CREATE TABLE another (x)",
        "CREATE INDEX another ON batch (source)",
        "CREATE VIEW another AS SELECT * FROM batch",
        "DROP TABLE cursor",
        "DROP TABLE source",
        "DROP TABLE part",
        "DROP TABLE log",
        "DROP TABLE parked",
        "ALTER TABLE source RENAME TO s2; CREATE VIEW source AS SELECT * FROM s2",
        "ALTER TABLE batch ADD COLUMN more",
        "PRAGMA user_version = 2",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 7",
    ];
    for sql in kept {
        holds(sql, from.path(), &left, &by_hand(sql));
        assert_eq!(told(sql).gaps, Vec::<String>::new(), "{sql}");
    }
    // A trigger that deletes what is stored has nothing to say in the new database.
    let folder = tempfile::tempdir().unwrap();
    copy(from.path(), folder.path());
    by_hand("CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM batch WHERE id = new.id; END")(folder.path());
    let (spool, notes) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    assert!(notes.iter().any(|n| n.contains("trigger t") && n.contains("set aside as")), "{notes:?}");
    let id = spool.append(&mut Builder::new(header("s"), &[0; 32]).finish(), "{}", None).unwrap();
    assert_eq!(spool.next(id).unwrap().unwrap().id, id);
}
