//! The spool on a disk that lies: what is damaged is never handed out, and never stops the start.
use std::{fs, path::Path};

use super::{
    batch::{Builder, Continuity},
    *,
};
use crate::event::{Notice, notice::GAP};

/// How many of so many places are tried: some, spread by a step that is no multiple of a page; all with QAUDJRN_FAULTS=all.
fn places(all: usize, some: usize) -> impl Iterator<Item = usize> {
    let every = std::env::var("QAUDJRN_FAULTS").is_ok_and(|v| v == "all");
    (0..all).step_by(if every { 1 } else { (all / some).max(1) | 1 })
}

/// A state with three batches, the last two of them in the write-ahead log only, as a kill leaves it; what was stored is
/// returned with it.
fn state(to: &Path) -> Vec<String> {
    let made = tempfile::tempdir().unwrap();
    let (spool, notes) = Spool::open(SpoolOptions::new(made.path().to_owned())).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    spool.register("a", Start::Oldest, "");
    let mut stored = Vec::new();
    for n in 0..3 {
        let mut builder =
            Builder::new(Continuity { source: "s".into(), heading: "type5".into(), ..Continuity::default() }, &[0; 32]);
        for e in 0..5 {
            let text = format!("event {n}.{e}");
            builder.push_notice(&Notice::new(GAP, &text, 0, chrono_tz::UTC));
            stored.push(text);
        }
        spool.append(&mut builder.finish(), &format!("{{\"n\":{n}}}"), None).unwrap();
        if n == 0 {
            spool.sync().unwrap();
        }
    }
    for file in ["spool.db", "spool.db-wal", "position.0", "position.1"] {
        let _ = fs::copy(made.path().join(file), to.join(file));
    }
    stored
}

/// Opens a state and reads what is in it. Panics where the start fails.
fn read(folder: &Path) -> (Vec<String>, Vec<String>, Option<String>) {
    let (spool, notes) = Spool::open(SpoolOptions::new(folder.to_owned())).unwrap();
    let mut found = Vec::new();
    let mut next = 1;
    while let Ok(Some(batch)) = spool.next(next) {
        found.extend((0..batch.len()).filter_map(|n| Some(batch.event(n)?.notice()?.system)));
        next = batch.id + 1;
    }
    let position = spool.position("s").unwrap().map(|p| p.0);
    (found, notes, position)
}

/// A damaged copy of a state: what comes out of it is a beginning of what was stored, with the position that goes with it, or
/// it is set aside with its reason.
fn judge(what: &str, stored: &[String], damage: impl FnOnce(&Path), from: &Path) {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(from).unwrap().flatten() {
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    damage(copy.path());
    let (found, notes, position) = read(copy.path());
    assert!(stored.starts_with(&found), "{what}: {found:?}");
    match position {
        // Batches and position are one transaction.
        Some(p) => assert_eq!(p, format!("{{\"n\":{}}}", (found.len() / 5).max(1) - 1), "{what}: {notes:?}"),
        None => assert!(found.is_empty(), "{what}: {found:?}"),
    }
    // What is not as it was written is set aside with its reason; a log that ends early is as it was at that moment.
    let aside = copy.path().join("spool.db.set-aside-1").exists();
    assert_eq!(aside, notes.iter().any(|n| n.contains("it was set aside as")), "{what}: {notes:?}");
}

#[test]
fn n2_fault_14_a_log_that_is_cut_anywhere_gives_what_was_committed_before() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    let length = fs::metadata(from.path().join("spool.db-wal")).unwrap().len();
    assert!(length > 50_000, "{length}");
    judge("whole", &stored, |_| {}, from.path());
    for at in places(usize::try_from(length).unwrap(), 120) {
        let cut = |folder: &Path| {
            let wal = fs::OpenOptions::new().write(true).open(folder.join("spool.db-wal")).unwrap();
            wal.set_len(at as u64).unwrap();
        };
        judge(&format!("cut at {at}"), &stored, cut, from.path());
    }
}

#[test]
fn n2_fault_15_a_bit_that_flips_anywhere_is_found_and_never_stops_the_start() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    for file in ["spool.db", "spool.db-wal"] {
        let length = fs::metadata(from.path().join(file)).unwrap().len();
        for at in places(usize::try_from(length).unwrap(), 150) {
            let flip = |folder: &Path| {
                let mut bytes = fs::read(folder.join(file)).unwrap();
                bytes[at] ^= 1 << (at % 8);
                fs::write(folder.join(file), bytes).unwrap();
            };
            judge(&format!("{file}, byte {at}"), &stored, flip, from.path());
        }
    }
}

#[test]
fn n2_fault_16_a_state_that_is_empty_foreign_newer_or_older_is_set_aside_and_never_written_over() {
    let from = tempfile::tempdir().unwrap();
    let stored = state(from.path());
    let set = |name: &'static str, n: i64| {
        move |folder: &Path| {
            let db = rusqlite::Connection::open(folder.join("spool.db")).unwrap();
            db.pragma_update(None, name, n).unwrap();
        }
    };
    let write = |bytes: Vec<u8>| {
        move |folder: &Path| {
            let _ = fs::remove_file(folder.join("spool.db-wal"));
            fs::write(folder.join("spool.db"), bytes).unwrap();
        }
    };
    type Damage = Box<dyn FnOnce(&Path)>;
    let damages: Vec<(&str, Damage)> = vec![
        ("its tables have version 99", Box::new(set("user_version", 99))),
        ("its tables have version 1", Box::new(set("user_version", 1))),
        ("it is no spool of qaudjrn", Box::new(set("application_id", 7))),
        ("it is no spool of qaudjrn", Box::new(write(Vec::new()))),
        ("", Box::new(write(vec![0; 60_000]))),
        ("", Box::new(write(b"SQLite format 3\0 and then nothing of it".to_vec()))),
    ];
    for (why, damage) in damages {
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(from.path()).unwrap().flatten() {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        damage(copy.path());
        let before = fs::read(copy.path().join("spool.db")).unwrap();
        let (found, notes, _) = read(copy.path());
        assert_eq!(found, Vec::<String>::new(), "{why}");
        assert!(notes.iter().any(|n| n.contains(why) && n.contains("set aside as")), "{why}: {notes:?}");
        let aside = fs::read(copy.path().join("spool.db.set-aside-1")).unwrap();
        assert!(why.starts_with("its tables") || aside == before, "{why}: it was written to");
        // The second start finds a good one.
        assert_eq!(read(copy.path()).1, Vec::<String>::new());
    }
    // A database that is gone is told, where the position file knows that there was one.
    let copy = tempfile::tempdir().unwrap();
    for n in [0, 1] {
        let _ = fs::copy(from.path().join(format!("position.{n}")), copy.path().join(format!("position.{n}")));
    }
    let (found, _, _) = read(copy.path());
    assert!(found.is_empty() && !stored.is_empty());
}

#[test]
fn a_spool_that_is_drained_gives_its_room_back_though_nothing_else_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) =
        Spool::open(SpoolOptions { max_size: 32 << 20, ..SpoolOptions::new(dir.path().to_owned()) }).unwrap();
    spool.register("a", Start::Oldest, "");
    // 48 MiB of what does not compress: more pages than one sync gives back.
    let mut noise = 1_u64;
    let mut text = || {
        let bytes = (0..30_000).map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from(noise >> 58).unwrap())
        });
        bytes.collect::<String>()
    };
    for _ in 0..64 {
        let about = Continuity { source: "s".into(), heading: "type5".into(), ..Continuity::default() };
        let mut builder = Builder::new(about, &[0; 32]);
        for _ in 0..32 {
            builder.push_notice(&Notice::new(GAP, &text(), 0, chrono_tz::UTC));
        }
        spool.append(&mut builder.finish(), "{}", None).unwrap();
    }
    let full = spool.size();
    let last = Cursor { batch: spool.last() + 1, event: 0 };
    Lane::ALL.iter().for_each(|lane| spool.advance("a", *lane, last));
    for _ in 0..8 {
        spool.sync().unwrap();
    }
    let database = fs::metadata(dir.path().join("spool.db")).unwrap().len();
    // A quarter of its size may stay for the next batches.
    assert!(full > 48 << 20 && database < 12 << 20, "{full} bytes before, {database} behind");
}

#[test]
fn what_the_agent_says_is_stored_in_order_and_moves_no_source() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolOptions::new(dir.path().to_owned())).unwrap();
    spool.register("a", Start::Oldest, "");
    let about = Continuity { source: "s".into(), heading: "type5".into(), ..Continuity::default() };
    spool.append(&mut Builder::new(about, &[0; 32]).finish(), "{\"n\":1}", None).unwrap();
    let notices = ["one", "two"].map(|text| Notice::new(GAP, text, 7, chrono_tz::UTC));
    let id = spool.notify("s", &notices).unwrap();
    let batch = spool.next(id).unwrap().unwrap();
    let found: Vec<Notice> = (0..batch.len()).filter_map(|n| batch.event(n)?.notice()).collect();
    assert_eq!(found, notices);
    spool.advance("a", Lane::Priority, Cursor { batch: id + 1, event: 0 });
    Lane::ALL.iter().for_each(|lane| spool.advance("a", *lane, Cursor { batch: id + 1, event: 0 }));
    spool.sync().unwrap();
    assert_eq!(spool.position("s").unwrap().unwrap().0, "{\"n\":1}");
    drop(spool);
    assert_eq!(positions::PositionFile::open(dir.path()).positions()["s"].position, "{\"n\":1}");
}
