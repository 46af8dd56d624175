//! A bit that is wrong in what the head of the file always says: every batch is whole, and no event is lost.
use super::*;

/// The bytes of the head that are known: magic, size of a page, versions, numbers that never change, pages, encoding.
fn known() -> impl Iterator<Item = usize> {
    (0..24).chain(28..32).chain(56..60)
}

/// A state with 100 events that nobody got, which stand in the database itself or in its log.
fn hundred(to: &Path, in_the_log: bool) -> Vec<String> {
    let made = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolOptions::new(made.path().to_owned())).unwrap();
    spool.register("a", Start::Oldest, "");
    spool.sync().unwrap();
    let mut stored = Vec::new();
    fill(&spool, 0..20, [0; 32], &mut stored);
    // The last one that closes a database writes its log back.
    let open = in_the_log.then_some(spool);
    copy(made.path(), to);
    drop(open);
    stored
}

fn flip(folder: &Path, at: usize, bit: usize) -> Vec<u8> {
    let path = folder.join("spool.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(&path, &bytes).unwrap();
    bytes
}

#[test]
fn h3_a_bit_that_flips_in_a_constant_of_the_head_costs_no_event() {
    for in_the_log in [false, true] {
        let from = tempfile::tempdir().unwrap();
        let stored = hundred(from.path(), in_the_log);
        let bits: Vec<_> = known().flat_map(|at| (0..8).map(move |bit| (at, bit))).collect();
        for (at, bit) in places(bits.len(), if in_the_log { 40 } else { 100 }).map(|n| bits[n]) {
            let folder = tempfile::tempdir().unwrap();
            copy(from.path(), folder.path());
            let bytes = flip(folder.path(), at, bit);
            let given = start(folder.path(), "a");
            let what = format!("byte {at}, bit {bit}, in the log {in_the_log}: {:?} {:?}", given.notes, given.gaps);
            assert_eq!((&given.events, given.gaps.len()), (&stored, 0), "{what}");
            // That a new one was made of it is told, and no more.
            let made_anew = folder.path().join("spool.db.set-aside-1").exists();
            assert_eq!(given.damaged, u64::from(made_anew), "{what}");
            assert_eq!(given.position.as_deref(), Some("{\"n\":19}"), "{what}");
            // The old one is as it was found, and the copy that was read is gone.
            let aside = folder.path().join("spool.db.set-aside-1");
            assert!(!aside.exists() || fs::read(aside).unwrap() == bytes, "{what}");
            assert!(!folder.path().join("spool.db.head").exists(), "{what}");
        }
    }
}

#[test]
fn h3_a_bit_that_flips_in_the_head_of_a_database_of_an_earlier_version_costs_no_event() {
    for version in [1, 2] {
        let from = tempfile::tempdir().unwrap();
        let batches = earlier::earlier(version, from.path());
        for (at, bit) in known().flat_map(|at| (0..8).map(move |bit| (at, bit))).step_by(7).chain([(16, 4), (16, 6)]) {
            let folder = tempfile::tempdir().unwrap();
            copy(from.path(), folder.path());
            flip(folder.path(), at, bit);
            let (found, gaps, position) = earlier::given(folder.path());
            assert_eq!((&found, gaps.len()), (&batches, 0), "version {version}, byte {at}, bit {bit}: {gaps:?}");
            assert!(position.is_some_and(|p| p.contains("\"feed\"")), "version {version}, byte {at}, bit {bit}");
        }
    }
}
