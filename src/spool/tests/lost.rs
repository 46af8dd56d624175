//! Parts of a state that are lost: what they were needed for goes on without them, and it is told.
use super::*;

#[test]
fn a6_a_lane_whose_cursor_is_lost_begins_with_the_oldest_batch_and_not_where_others_are() {
    for sql in [
        "DELETE FROM cursor WHERE lane = 3",
        "DELETE FROM cursor WHERE lane IN (0, 3)",
        "UPDATE cursor SET batch = batch + 1 WHERE lane = 3",
        "UPDATE cursor SET sum = X'00' WHERE lane = 3",
        "DELETE FROM cursor",
    ] {
        let from = tempfile::tempdir().unwrap();
        state(from.path());
        let behind = Cursor { batch: 1, event: 2 };
        {
            let (spool, _) = Spool::open(SpoolOptions::new(from.path().to_owned())).unwrap();
            spool.register("a", Start::Oldest, "");
            for lane in [Lane::Priority, Lane::PriorityHeld, Lane::Normal] {
                spool.advance("a", lane, Cursor { batch: 3, event: 1 });
            }
            spool.advance("a", Lane::Held, behind);
            spool.close().unwrap();
        }
        by_hand(sql)(from.path());
        let inspected = inspect::Inspector::open(&from.path().join("spool.db")).unwrap().faults();
        assert!(inspected.iter().any(|f| f.contains("output \"a\"")), "{sql}: {inspected:?}");
        let (spool, notes) = Spool::open(SpoolOptions::new(from.path().to_owned())).unwrap();
        spool.register("a", Start::Oldest, "");
        assert!(spool.cursor("a", Lane::Held) <= behind, "{sql}: {:?}", spool.cursor("a", Lane::Held));
        assert!(notes.iter().any(|n| n.contains("events may come twice")), "{sql}: {notes:?}");
        // Nothing of it was deleted.
        spool.sync().unwrap();
        assert_eq!(spool.next(0).unwrap().map(|b| b.id), Some(1), "{sql}");
    }
}

#[test]
fn h1_what_cannot_be_looked_at_is_not_taken_for_gone() {
    // A name that is too long for any file system: it is neither there nor not there.
    let path = Path::new("/tmp").join("n".repeat(300)).join("spool.db");
    assert!(files::inode(&path).is_err() && files::free_name(&path).is_err() && files::follow(&path).is_err());
}

#[test]
fn a7_a_page_of_seals_or_of_parked_records_that_is_lost_costs_no_batch_and_is_told() {
    for table in ["seal", "parked", "source", "output", "part", "log", "damaged"] {
        let from = tempfile::tempdir().unwrap();
        let stored = state(from.path());
        {
            let (spool, _) = Spool::open(SpoolOptions::new(from.path().to_owned())).unwrap();
            let mut builder = Builder::new(header("s"), &[0; 32]);
            builder.park(batch::Parked { place: 1, why: "it is none".into(), bytes: vec![7; 100] });
            spool.append(&mut builder.finish(), "{\"n\":3}", None).unwrap();
            spool.close().unwrap();
        }
        let database = from.path().join("spool.db");
        let root: i64 = {
            let db = rusqlite::Connection::open(&database).unwrap();
            db.query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [table], |r| r.get(0)).unwrap()
        };
        let mut bytes = fs::read(&database).unwrap();
        let page = usize::try_from(root - 1).unwrap() * 16_384;
        bytes[page..page + 16_384].fill(0xAA);
        fs::write(&database, bytes).unwrap();
        let given = start(from.path(), "a");
        assert_eq!(given.events, stored, "{table}: {given:?}");
        assert!(given.damaged > 0 && !given.notes.is_empty(), "{table}: {given:?}");
        let unparked = given.notes.iter().any(|n| n.contains("not all parked records could be read"));
        assert_eq!(unparked, table == "parked", "{table}: {given:?}");
    }
}
