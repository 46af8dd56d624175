//! A database that is damaged while an agent uses it, what a start tells though it came no further before, and outputs that come
//! to a spool that has forgotten them.
use super::*;

/// A spool in use: `batches` of one event each, of two sources; output a is behind `passed` of them in every lane.
fn used(folder: &Path, batches: i64, passed: i64) -> Spool {
    let options = SpoolOptions { cache: 0, ..SpoolOptions::new(folder.to_owned()) };
    let (spool, _) = Spool::open(options).unwrap();
    spool.register("a", Start::Oldest, "lanes");
    for n in 1..=batches {
        append(&spool, n);
    }
    Lane::ALL.iter().for_each(|l| spool.advance("a", *l, Cursor { batch: passed + 1, event: 0 }));
    spool.sync().unwrap();
    spool
}

fn append(spool: &Spool, n: i64) {
    let source = if n % 2 == 0 { "s" } else { "t" };
    let before = spool.position(source).unwrap().map_or([0; 32], |(_, hash)| hash);
    let mut builder = Builder::new(header(source), &before);
    // Nothing that can be packed, and more of it than SQLite keeps in memory.
    let mut random = n as u64;
    let noise = (0..9_000).map(|_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + ((random >> 33) % 75) as u8)
    });
    let text = format!("event {n} {}", noise.collect::<String>());
    builder.push_notice(&Notice::new(GAP, &text, 0, chrono_tz::UTC));
    builder.read(&n.to_be_bytes());
    spool.append(&mut builder.finish(), &format!("{{\"n\":{n}}}"), None).unwrap();
}

/// What an output that goes on from its cursor gets: events and texts of gaps.
fn rest(spool: &Spool, output: &str) -> Result<(Vec<i64>, Vec<String>), SpoolError> {
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    let mut from = spool.cursor(output, Lane::Normal);
    while let Some(batch) = spool.next(from.batch)? {
        for notice in (0..batch.len()).filter_map(|n| batch.event(n)?.notice()) {
            match notice.fields.iter().find(|(name, _)| name == "missing") {
                Some((_, text)) => gaps.push(text.clone()),
                None => events.push(notice.system.split(' ').nth(1).unwrap().parse().unwrap()),
            }
        }
        from = Cursor { batch: batch.id + 1, event: 0 };
    }
    Ok((events, gaps))
}

/// Overwrites the database and its log in place: their inodes stay.
fn overwrite(folder: &Path, from: usize) {
    for name in ["spool.db", "spool.db-wal"] {
        let path = folder.join(name);
        let length = fs::metadata(&path).unwrap().len() as usize;
        let mut bytes = fs::read(&path).unwrap();
        bytes[from.min(length)..].fill(0xE5);
        use std::os::unix::fs::FileExt as _;
        fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&bytes, 0).unwrap();
    }
}

#[test]
fn h3_a_spool_of_which_nothing_is_left_while_it_is_in_use_ends_the_agent_and_is_told_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let spool = used(folder.path(), 400, 30);
    overwrite(folder.path(), 0);
    // Whatever finds it first.
    let error = (31..400).find_map(|n| {
        let found = spool.next(n).map(|_| ());
        found.and_then(|()| spool.notify("", &[Notice::new(GAP, &n.to_string(), 0, chrono_tz::UTC)]).map(|_| ())).err()
    });
    let error = error.expect("it is found").to_string();
    assert!(error.contains("was damaged while it was in use") && error.contains("start the agent again"), "{error}");
    assert!(spool.sync().is_err() && spool.notify("", &[]).is_err());
    drop(spool);
    let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    for (output, from) in [("a", Start::Oldest), ("b", Start::Oldest)] {
        spool.register(output, from, "lanes");
        let (events, gaps) = rest(&spool, output).unwrap();
        assert_eq!((events.len(), gaps.len()), (0, 2), "{output}: {gaps:?}");
    }
    // The sources go on from the position file.
    for source in ["s", "t"] {
        let (position, _) = spool.position(source).unwrap().expect("a position");
        assert!(["{\"n\":29}", "{\"n\":30}"].contains(&position.as_str()), "{position}");
    }
}

#[test]
fn h3_of_a_spool_that_is_partly_damaged_while_it_is_in_use_what_is_in_memory_counts() {
    for from in [2, 3, 4, 6, 12, 40] {
        let folder = tempfile::tempdir().unwrap();
        let spool = used(folder.path(), 60, 30);
        // An output that nobody works for, such as one that is not in the configuration any more.
        spool.register("b", Start::Oldest, "lanes");
        spool.sync().unwrap();
        let db = rusqlite::Connection::open(folder.path().join("spool.db")).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(db);
        overwrite(folder.path(), from * (16 << 10));
        let found = rest(&spool, "a").and_then(|_| {
            append(&spool, 61);
            spool.sync()
        });
        if found.is_err() {
            assert!(spool.sync().is_err(), "{from}");
            continue;
        }
        let told = |gaps: &[String]| !gaps.is_empty();
        for output in ["a", "b"] {
            let (events, gaps) = rest(&spool, output).unwrap();
            let all = (31..=60).all(|n| events.contains(&n));
            assert!(events.contains(&61) && (all || told(&gaps)), "{from} {output}: {events:?} {gaps:?}");
        }
        drop(spool);
        let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
        let (events, gaps) = rest(&spool, "b").unwrap();
        assert!(events.contains(&61) && ((31..=60).all(|n| events.contains(&n)) || told(&gaps)), "{from}: {events:?}");
    }
}

#[test]
fn a6_an_output_that_begins_now_and_is_known_already_goes_on_where_it_was_though_its_cursors_are_lost() {
    let lost = [
        "SELECT 1",
        "UPDATE cursor SET event = 'x' WHERE output = 'n' AND lane = 2",
        "UPDATE cursor SET event = 'x' WHERE output = 'n'",
        "DELETE FROM cursor WHERE output = 'n'",
        "DELETE FROM cursor",
        "DROP TABLE cursor",
        "UPDATE output SET name = 'x' WHERE name = 'n'; UPDATE cursor SET output = 'x' WHERE output = 'n'",
    ];
    for sql in lost {
        let folder = tempfile::tempdir().unwrap();
        let spool = used(folder.path(), 3, 1);
        spool.register("n", Start::Now, "lanes");
        spool.sync().unwrap();
        (4..=6).for_each(|n| append(&spool, n));
        drop(spool);
        by_hand(sql)(folder.path());
        let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
        spool.register("n", Start::Now, "lanes");
        for lane in Lane::ALL {
            let at = spool.cursor("n", lane);
            assert!(at <= Cursor { batch: 4, event: 0 } && at.batch > 0, "{sql}: {lane:?} stands at {at:?}");
        }
        // One that is new begins with what comes now.
        if sql == "SELECT 1" {
            spool.register("new", Start::Now, "lanes");
            assert_eq!(spool.cursor("new", Lane::Held), Cursor { batch: 7, event: 0 });
        }
    }
}

#[test]
fn a2_lanes_of_which_nothing_is_known_are_looked_through_from_the_slowest_on() {
    let folder = tempfile::tempdir().unwrap();
    let spool = used(folder.path(), 6, 1);
    spool.advance("a", Lane::Normal, Cursor { batch: 6, event: 0 });
    drop(spool);
    by_hand("UPDATE output SET lanes = 'x' WHERE name = 'a'")(folder.path());
    let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    spool.register("a", Start::Oldest, "other lanes");
    Lane::ALL.iter().for_each(|l| assert_eq!(spool.cursor("a", *l), Cursor { batch: 2, event: 0 }));
}

#[test]
fn h3_a_name_that_sqlite_reads_otherwise_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a b%?#c");
    fs::create_dir(&odd).unwrap();
    for state in [std::path::PathBuf::from(format!("/{}", folder.path().display())), odd] {
        for n in 1..=3 {
            let (spool, notes) = Spool::open(SpoolOptions::new(state.clone())).unwrap();
            assert_eq!(notes, Vec::<String>::new(), "{}", state.display());
            spool.register("a", Start::Oldest, "");
            append(&spool, n);
            assert_eq!(spool.last(), n);
        }
    }
}

#[test]
fn n2_what_a_start_found_is_told_by_the_next_one_where_it_came_no_further() {
    // The log was put right, and a kill came before that was told.
    let from = tempfile::tempdir().unwrap();
    state(from.path());
    let log = from.path().join("spool.db-wal");
    let mut bytes = fs::read(&log).unwrap();
    let middle = 32 + 9 * (24 + (16 << 10));
    bytes[middle..middle + 900].fill(0xE5);
    fs::write(&log, bytes).unwrap();
    assert!(super::super::wal::mend(&from.path().join("spool.db")).unwrap().is_some());
    let given = start(from.path(), "a");
    assert!(given.gaps.iter().any(|g| g.contains("its log was damaged")), "{given:?}");
    let again = start(from.path(), "a");
    assert_eq!(again.gaps.iter().filter(|g| g.contains("its log was damaged")).count(), 1, "{again:?}");
    // The database was set aside, and a kill came before that was told.
    let folder = tempfile::tempdir().unwrap();
    drop(used(folder.path(), 6, 3));
    let path = folder.path().join("spool.db");
    super::super::files::quarantine(&path).unwrap();
    super::super::files::create(&path).unwrap();
    let given = start(folder.path(), "a");
    assert_eq!(given.gaps.len(), 2, "of each source: {given:?}");
}

#[test]
fn h1_a_database_that_is_lost_is_told_by_the_next_start_though_no_position_file_knows_of_it() {
    for renamed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        drop(used(folder.path(), 6, 0));
        for n in 0..2 {
            let _ = fs::remove_file(folder.path().join(format!("position.{n}")));
        }
        let path = folder.path().join("spool.db");
        let _ = fs::remove_file(folder.path().join("spool.db-wal"));
        fs::write(&path, [0xE5; 60_000]).unwrap();
        // A kill behind the new database, or before the old one was renamed.
        match renamed {
            true => drop(super::super::open::open(&path, 0).unwrap()),
            false => super::super::files::mark_lost(&path, "its head").unwrap(),
        }
        let given = start(folder.path(), "a");
        assert!(given.gaps.len() == 1 && given.gaps[0].contains("its head"), "{given:?}");
        assert!(!folder.path().join("spool.db.lost").exists());
        let again = start(folder.path(), "b");
        assert_eq!((again.gaps.len(), again.damaged), (1, 0), "{again:?}");
    }
    // One that is whole after all is not lost.
    let folder = tempfile::tempdir().unwrap();
    drop(used(folder.path(), 6, 0));
    super::super::files::mark_lost(&folder.path().join("spool.db"), "its head").unwrap();
    let given = start(folder.path(), "a");
    assert_eq!((given.gaps.len(), given.events.len()), (0, 6), "{given:?}");
}

#[test]
fn h3_a_database_that_is_set_aside_keeps_its_log_wherever_a_kill_comes() {
    let from = tempfile::tempdir().unwrap();
    state(from.path());
    let name = |piece: &str| format!("spool.db{piece}");
    let log = fs::read(from.path().join(name("-wal"))).unwrap();
    // What was renamed before the kill.
    for renamed in 0..=2 {
        let folder = tempfile::tempdir().unwrap();
        copy(from.path(), folder.path());
        for piece in ["", "-wal"].iter().take(renamed) {
            fs::rename(folder.path().join(name(piece)), folder.path().join(format!("spool.db.set-aside-1{piece}")))
                .unwrap();
        }
        start(folder.path(), "a");
        let kept = folder.path().join("spool.db.set-aside-1-wal");
        assert_eq!(kept.exists(), renamed > 0, "{renamed}");
        assert!(renamed == 0 || fs::read(kept).unwrap() == log);
    }
}
