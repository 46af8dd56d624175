//! The spool on a disk that lies: what is damaged is never handed out, and never stops the start.
mod earlier;
mod flips;
mod group;
mod head;
mod in_use;
mod log;
mod lost;
mod memory;
mod parked_records;

use std::{fs, path::Path};

use super::{
    batch::{BatchHeader, Builder},
    *,
};
use crate::event::{Notice, notice::GAP};

/// How many of so many places are tried: some, spread by a step that is no multiple of a page; all with QAUDJRN_FAULTS=all.
fn places(all: usize, some: usize) -> impl Iterator<Item = usize> {
    let every = std::env::var("QAUDJRN_FAULTS").is_ok_and(|v| v == "all");
    // Fewer under emulation (tests/tools/big_endian.sh).
    let some = if cfg!(target_endian = "big") { some / 8 } else { some };
    (0..all).step_by(if every { 1 } else { (all / some).max(1) | 1 })
}

/// The byte of a word, as this machine stores it, of which a log's checksum may not say which word it is of.
pub(super) const HIGHEST_BYTE: usize = if cfg!(target_endian = "big") { 0 } else { 3 };

/// A state with three batches, the last two of them in the write-ahead log only, as a kill leaves it; what was stored is
/// returned with it.
fn state(to: &Path) -> Vec<String> {
    let made = tempfile::tempdir().unwrap();
    let (spool, notes) = Spool::open(SpoolOptions::new(made.path().to_owned())).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    spool.register("a", Start::Oldest, "");
    let mut stored = Vec::new();
    let before = fill(&spool, 0..1, [0; 32], &mut stored);
    spool.sync().unwrap();
    fill(&spool, 1..3, before, &mut stored);
    copy(made.path(), to);
    stored
}

/// Stores batches of five events each, and what the events say; returns what the next one is chained to.
fn fill(
    spool: &Spool,
    batches: std::ops::Range<u8>,
    mut before: crate::digest::Hash,
    stored: &mut Vec<String>,
) -> crate::digest::Hash {
    for n in batches {
        let mut builder = Builder::new(header("s"), &before);
        for e in 0..5 {
            let text = format!("event {n}.{e}");
            builder.push_notice(&Notice::new(GAP, &text, 0, chrono_tz::UTC));
            stored.push(text);
        }
        builder.read(&[n; 100]);
        let mut batch = builder.finish();
        before = batch.raw_sha256;
        spool.append(&mut batch, &format!("{{\"n\":{n}}}"), None).unwrap();
    }
    before
}

fn header(source: &str) -> BatchHeader {
    BatchHeader { source: source.into(), heading: "type5".into(), zone: "UTC".into(), ..BatchHeader::default() }
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap().flatten() {
        let name = file.file_name();
        if name != "lock" && name != "reserve" && name != "spool.db-shm" {
            fs::copy(file.path(), to.join(name)).unwrap();
        }
    }
}

/// What a start gives.
#[derive(Debug, Default, PartialEq)]
struct Given {
    /// What an output that reads from its cursors on gets, of what was stored.
    events: Vec<String>,
    /// What it is told that is missing.
    gaps: Vec<String>,
    notes: Vec<String>,
    position: Option<String>,
    damaged: u64,
}

/// Opens a state and reads what is in it for an output. Panics where the start fails.
fn start(folder: &Path, output: &str) -> Given {
    let (spool, notes) = Spool::open(SpoolOptions::new(folder.to_owned())).unwrap();
    spool.register(output, Start::Oldest, "");
    let mut given = Given { notes, ..Given::default() };
    let mut from = spool.cursor(output, Lane::Priority);
    while let Some(batch) = spool.next(from.batch).unwrap() {
        let first = if batch.id == from.batch && batch.header.since.is_none() { from.event } else { 0 };
        for notice in (first..batch.len()).filter_map(|n| batch.event(n)?.notice()) {
            match notice.fields.iter().find(|(name, _)| name == "missing") {
                Some((_, text)) => given.gaps.push(text.clone()),
                None => given.events.push(notice.system),
            }
        }
        from = Cursor { batch: batch.id + 1, event: 0 };
    }
    assert!(from.batch > spool.last(), "{from:?} is the end, and the last is {}", spool.last());
    given.position = spool.position("s").unwrap().map(|p| p.0);
    given.notes.extend(spool.take_notes());
    given.damaged = spool.damaged();
    given
}

/// A damaged copy of a state: what comes out of it is a beginning of what was stored, with the position that goes with it.
fn judge(what: &str, stored: &[String], damage: impl FnOnce(&Path), from: &Path) {
    let folder = tempfile::tempdir().unwrap();
    copy(from, folder.path());
    damage(folder.path());
    let Given { events, position, notes, .. } = start(folder.path(), "a");
    assert!(stored.starts_with(&events), "{what}: {events:?}");
    match position {
        // Batches and position are one transaction.
        Some(p) => assert_eq!(p, format!("{{\"n\":{}}}", (events.len() / 5).max(1) - 1), "{what}: {notes:?}"),
        None => assert!(events.is_empty(), "{what}: {events:?}"),
    }
    // What is not as it was written is set aside with its reason; a log that ends early is as it was at that moment.
    let aside = folder.path().join("spool.db.set-aside-1").exists();
    assert_eq!(aside, notes.iter().any(|n| n.contains("set aside as")), "{what}: {notes:?}");
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

/// A state with rows in every table, all of them in the database itself, and what its two outputs have yet to get.
fn checkpointed(to: &Path) -> [Vec<String>; 2] {
    let made = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolOptions::new(made.path().to_owned())).unwrap();
    let (mut stored, mut chains) = (Vec::new(), [[0; 32]; 2]);
    for name in ["a", "b"] {
        spool.register(name, Start::Oldest, "lanes");
        spool.set_budget_spent(name, format!("{{\"spent\":\"{name}\"}}"));
    }
    for n in 0..8_u8 {
        let source = usize::from(n % 2);
        let mut builder = Builder::new(header(["s", "t"][source]), &chains[source]);
        for e in 0..5 {
            let text = format!("event {n}.{e}");
            builder.push_notice(&Notice::new(GAP, &text, 0, chrono_tz::UTC));
            stored.push((i64::from(n) + 1, e, text));
        }
        builder.read(&[n; 100]);
        builder.park(batch::Parked { place: 7, why: "it is none".into(), bytes: vec![n; 50] });
        let mut batch = builder.finish();
        chains[source] = batch.raw_sha256;
        let part = format!("{{\"part\":{n}}}");
        spool.append(&mut batch, &format!("{{\"n\":{n}}}"), Some(("file", &part))).unwrap();
        let at = |batch, event| Cursor { batch, event };
        for (name, cursor) in [("a", at(i64::from(n) / 2 + 1, 2)), ("b", at(i64::from(n) / 4 + 2, 0))] {
            Lane::ALL.iter().for_each(|lane| spool.advance(name, *lane, cursor));
        }
        spool.sync().unwrap();
    }
    let left = |name: &str| {
        let from = spool.cursor(name, Lane::Priority);
        let rest = stored.iter().filter(|(batch, event, _)| (*batch, *event) >= (from.batch, from.event));
        rest.map(|(.., text)| text.clone()).collect()
    };
    let left = [left("a"), left("b")];
    drop(spool);
    let db = rusqlite::Connection::open(made.path().join("spool.db")).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    copy(made.path(), to);
    assert!(!to.join("spool.db-wal").exists() || fs::metadata(to.join("spool.db-wal")).unwrap().len() == 0);
    left
}

/// Something done to the database by hand.
fn by_hand(sql: &'static str) -> impl Fn(&Path) {
    move |folder| {
        let db = rusqlite::Connection::open(folder.join("spool.db")).unwrap();
        db.execute_batch(sql).unwrap();
    }
}

#[test]
fn a7_one_damaged_batch_is_set_aside_alone_while_the_spool_is_in_use() {
    let from = tempfile::tempdir().unwrap();
    let left = checkpointed(from.path());
    // The last bytes of a blob: the row is whole, and so is the start.
    by_hand("UPDATE batch SET blob = CAST(substr(blob, 1, length(blob) - 1) || x'77' AS BLOB) WHERE id = 7")(
        from.path(),
    );
    let given = start(from.path(), "a");
    let rest: Vec<String> = left[0].iter().filter(|e| !e.starts_with("event 6.")).cloned().collect();
    assert_eq!(given.events, rest);
    assert_eq!(given.gaps.len(), 1);
    assert!(
        given.gaps[0].contains("batch 7 of the spool is damaged (its checksum is another)")
            && given.gaps[0].contains("it held 5 events"),
        "{given:?}"
    );
    assert_eq!(given.damaged, 1);
    assert!(!from.path().join("spool.db.set-aside-1").exists());
    // Every output is told, and its bytes are kept as they were found.
    let again = start(from.path(), "b");
    assert_eq!((again.gaps, again.damaged), (given.gaps, 0));
    let db = rusqlite::Connection::open(from.path().join("spool.db")).unwrap();
    let kept: (i64, Vec<u8>) =
        db.query_row("SELECT id, blob FROM damaged", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    assert!(kept.0 == 7 && kept.1.ends_with(&[0x77]), "{kept:?}");
}

#[test]
fn n2_fault_16_a_state_that_is_empty_or_foreign_is_set_aside_and_one_of_a_later_program_is_left_as_it_is() {
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
    let foreign = tempfile::tempdir().unwrap();
    let other = rusqlite::Connection::open(foreign.path().join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    let foreign = fs::read(foreign.path().join("other.db")).unwrap();
    for (why, bytes) in [
        ("it is no spool of qaudjrn", foreign),
        ("its head is not that of a spool", vec![0; 60_000]),
        ("shorter than the head", b"SQLite format 3\0 and then nothing of it".to_vec()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        copy(from.path(), folder.path());
        write(bytes.clone())(folder.path());
        let given = start(folder.path(), "a");
        assert_eq!(given.events, Vec::<String>::new(), "{why}");
        assert!(given.notes.iter().any(|n| n.contains(why) && n.contains("set aside as")), "{why}: {:?}", given.notes);
        assert!(given.gaps.len() == 1 && given.gaps[0].contains("the spool could not be read"), "{:?}", given.gaps);
        assert_eq!(fs::read(folder.path().join("spool.db.set-aside-1")).unwrap(), bytes, "{why}: it was written to");
        // The second start finds a good one, and what is told is still told.
        let given = start(folder.path(), "b");
        assert_eq!((given.notes, given.gaps.len()), (Vec::new(), 1));
    }
    // A later program wrote it: nothing is changed.
    let folder = tempfile::tempdir().unwrap();
    copy(from.path(), folder.path());
    set("user_version", 99)(folder.path());
    let before = fs::read(folder.path().join("spool.db")).unwrap();
    for _ in 0..2 {
        let refused = Spool::open(SpoolOptions::new(folder.path().to_owned())).err().unwrap();
        assert!(matches!(refused, SpoolError::Newer { version: 99, .. }) && !refused.is_not_now(), "{refused}");
        assert!(refused.to_string().contains("a later version of qaudjrn"), "{refused}");
        assert_eq!(fs::read(folder.path().join("spool.db")).unwrap(), before);
    }
    // A database that is gone, or cut to nothing, is told, where the position file knows that there was one.
    for nothing in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        for n in [0, 1] {
            let _ = fs::copy(from.path().join(format!("position.{n}")), folder.path().join(format!("position.{n}")));
        }
        fs::write(folder.path().join("position.1"), position_file("{\"n\":0}")).unwrap();
        if nothing {
            fs::write(folder.path().join("spool.db"), "").unwrap();
        }
        let given = start(folder.path(), "a");
        assert!(given.events.is_empty() && !stored.is_empty());
        assert_eq!(given.position.as_deref(), Some("{\"n\":0}"));
        assert!(given.notes[0].contains("is gone") && given.gaps.len() == 1 && given.damaged == 1, "{given:?}");
    }
}

fn position_file(position: &str) -> String {
    let body = format!("{{\"generation\":9,\"positions\":{{\"s\":{{\"position\":{}}}}}}}", serde_json::json!(position));
    format!("{}\n{body}\n", crate::digest::hex(&crate::digest::checksum(body.as_bytes())))
}

#[test]
fn h16_a_folder_or_file_of_somebody_else_and_links_are_refused_and_left_as_they_are() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let outside = tempfile::tempdir().unwrap();
    let precious = outside.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o644)).unwrap();
    for name in ["lock", "position.0", "position.1", "reserve", "spool.db", "spool.db-wal", "metrics.prom.new"] {
        for hard in [false, true] {
            let folder = tempfile::tempdir_in(outside.path()).unwrap();
            let link = folder.path().join(name);
            if hard {
                fs::hard_link(&precious, &link).unwrap()
            } else {
                symlink(&precious, &link).unwrap()
            }
            let refused = Spool::open(SpoolOptions::new(folder.path().to_owned())).err().unwrap();
            assert!(matches!(refused, SpoolError::NotOurs { .. }), "{name}: {refused}");
            fs::remove_file(&link).unwrap();
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious", "{name}");
            assert_eq!(fs::metadata(&precious).unwrap().mode() & 0o777, 0o644, "{name}");
        }
    }
    // Files that others may read are made private.
    let folder = tempfile::tempdir().unwrap();
    drop(Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap());
    for name in ["spool.db", "lock", "reserve"] {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o666)).unwrap();
    }
    drop(Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap());
    for name in ["spool.db", "lock", "reserve"] {
        assert_eq!(fs::metadata(folder.path().join(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    if rustix::process::geteuid().is_root() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
        let refused = Spool::open(SpoolOptions::new(folder.path().to_owned())).err().unwrap();
        assert!(refused.to_string().contains("it belongs to user 12345"), "{refused}");
    }
}

#[test]
fn h17_a_lock_file_that_is_deleted_lets_no_second_agent_in() {
    let folder = tempfile::tempdir().unwrap();
    let first = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    let second = Spool::open(SpoolOptions::new(folder.path().to_owned())).err().unwrap();
    assert!(matches!(second, SpoolError::InUse { .. }), "{second}");
    drop(first);
    Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
}

#[test]
fn a_spool_that_is_drained_gives_its_room_back_though_nothing_else_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) =
        Spool::open(SpoolOptions { max_size: 32 << 20, ..SpoolOptions::new(dir.path().to_owned()) }).unwrap();
    spool.register("a", Start::Oldest, "");
    // 48 MiB of what does not compress within a batch: more pages than one sync gives back.
    let mut noise = 1_u64;
    let signs = (0..32 * 30_000).map(|_| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from(noise >> 58).unwrap())
    });
    let text: String = signs.collect();
    for _ in 0..64 {
        let header = BatchHeader { source: "s".into(), heading: "type5".into(), ..BatchHeader::default() };
        let mut builder = Builder::new(header, &[0; 32]);
        for n in 0..32 {
            builder.push_notice(&Notice::new(GAP, &text[n * 30_000..][..30_000], 0, chrono_tz::UTC));
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
    let header = BatchHeader { source: "s".into(), heading: "type5".into(), ..BatchHeader::default() };
    spool.append(&mut Builder::new(header, &[0; 32]).finish(), "{\"n\":1}", None).unwrap();
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

#[test]
fn an_output_that_comes_when_everything_is_delivered_has_nothing_to_wait_for() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    spool.register("a", Start::Oldest, "");
    for _ in 0..3 {
        spool.append(&mut Builder::new(header("s"), &[0; 32]).finish(), "{}", None).unwrap();
    }
    let end = Cursor { batch: spool.last() + 1, event: 0 };
    Lane::ALL.iter().for_each(|lane| spool.advance("a", *lane, end));
    spool.sync().unwrap();
    for spool in [spool, Spool::open(SpoolOptions::new(folder.path().join("never"))).unwrap().0] {
        spool.register("b", Start::Oldest, "");
        assert!(spool.cursor("b", Lane::Held).batch > spool.last());
    }
    let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    spool.register("c", Start::Oldest, "");
    assert!(spool.cursor("c", Lane::Held).batch > spool.last());
}
