//! Logs with a byte that is another, and logs as a kill leaves them.
use super::*;
use crate::spool::tests::HIGHEST_BYTE;

/// A database as a kill finds it.
fn killed(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["spool.db", "spool.db-wal"] {
        fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    to
}

#[test]
fn n2_what_a_kill_leaves_within_a_transaction_is_no_damage() {
    let mut folder = tempfile::tempdir().unwrap();
    let mut spilled = 0;
    for round in 0..40_i64 {
        let path = folder.path().join("spool.db");
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA cache_size = 4").unwrap();
        db.execute_batch("CREATE TABLE IF NOT EXISTS t (x)").unwrap();
        for n in 0..round % 5 {
            db.execute("INSERT INTO t VALUES (zeroblob(700) || ?1)", [n]).unwrap();
        }
        let before = fs::metadata(folder.path().join("spool.db-wal")).unwrap().len();
        // More than is kept in memory, and pages of it twice.
        db.execute_batch("BEGIN").unwrap();
        for n in 0..(round * 7) % 50 {
            db.execute("INSERT INTO t VALUES (zeroblob(700) || ?1)", [n]).unwrap();
            db.execute("UPDATE t SET x = zeroblob(700) || 'again' WHERE rowid % 7 = ?1", [n % 7]).unwrap();
        }
        spilled += u64::from(fs::metadata(folder.path().join("spool.db-wal")).unwrap().len() > before);
        let left = killed(folder.path());
        assert!(look(&left.path().join("spool.db")).unwrap().is_none(), "{round}");
        drop(db);
        folder = left;
    }
    assert!(spilled > 10, "{spilled}");
}

#[test]
fn n2_what_is_put_right_is_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    let page = 1_024;
    db.execute_batch("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
    for n in 0..6 {
        db.execute("INSERT INTO t VALUES (zeroblob(700) || ?1)", [n]).unwrap();
    }
    let log = fs::read(folder.path().join("spool.db-wal")).unwrap();
    let right = |bytes: Vec<u8>| Log { bytes, page, big: false }.put_right();
    assert!(right(log.clone()).is_none());
    let (mut one_byte, last_frame) = (0, log.len() - page - 24);
    // Emulation is slow (tests/tools/big_endian.sh).
    let step = if cfg!(target_endian = "big") { 61 } else { 7 };
    for at in (0..log.len()).step_by(step) {
        let mut other = log.clone();
        other[at] ^= 1 << (at % 8);
        let (found, what) = right(other).unwrap();
        // Of every fourth byte more than one may be it, and it stays; of the last page, it or its sum.
        let page = |n: &usize| *n > 32 && (*n - 32) % (24 + page) >= 24;
        let differs =
            |all: bool| (0..log.len()).filter(|n| (all || page(n)) && found.get(*n) != log.get(*n)).collect::<Vec<_>>();
        let known = differs(true).is_empty() && what == Found { corrected: 1, doubtful: 0 };
        let one = differs(false).iter().all(|n| *n == at)
            && what == Found { corrected: 0, doubtful: 1 }
            && (at % 4 == HIGHEST_BYTE || at >= last_frame);
        one_byte += usize::from(one);
        assert!(known || one, "byte {at}: {:?} {what:?}", differs(true));
    }
    assert!(one_byte > 0 && one_byte < log.len() / step / 4, "{one_byte}");
}
