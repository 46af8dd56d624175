//! Parked records: bounded, kept with their bytes, in nobody's way.
use super::*;

#[test]
fn a8_parked_records_take_an_eighth_of_a_spool_and_press_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions { max_size: 24 << 20, ..SpoolOptions::new(folder.path().to_owned()) };
    let (spool, _) = Spool::open(options).unwrap();
    for n in 0..20 {
        let mut builder = Builder::new(header("s"), &[0; 32]);
        builder.park(batch::Parked { place: n, why: "it is none".into(), bytes: vec![7; 1 << 20] });
        spool.append(&mut builder.finish(), "{}", None).unwrap();
    }
    let (records, bytes) = inspect::Inspector::open(&folder.path().join("spool.db")).unwrap().parked().unwrap();
    assert!(records == 3 && bytes == 3 << 20, "{records} {bytes}");
    spool.register("a", Start::Now, "");
    for lane in Lane::ALL {
        spool.advance("a", lane, Cursor { batch: spool.last() + 1, event: 0 });
    }
    spool.sync().unwrap();
    assert_eq!(spool.pressure(), 0.0);
}

#[test]
fn a8_parked_records_are_kept_with_their_bytes_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    spool.register("a", Start::Oldest, "");
    let record = |n: u64, bytes: Vec<u8>| batch::Parked { place: n, why: format!("reason {n}"), bytes };
    let large = usize::try_from((64 << 20) / 4).unwrap();
    for n in 0..6 {
        let mut builder = Builder::new(header("s"), &[0; 32]);
        builder.park(record(n, vec![u8::try_from(n).unwrap(); large]));
        assert_eq!(builder.header.parked, 1);
        spool.append(&mut builder.finish(), "{}", None).unwrap();
    }
    let inspector = inspect::Inspector::open(&folder.path().join("spool.db")).unwrap();
    let mut found = Vec::new();
    inspector.each_parked(&mut |_, kept| found.extend(kept)).unwrap();
    assert_eq!(
        found.iter().map(|k| k.parked.clone()).collect::<Vec<_>>(),
        (2..6).map(|n| record(n, vec![u8::try_from(n).unwrap(); large])).collect::<Vec<_>>()
    );
    assert_eq!(inspector.faults(), Vec::<String>::new());
}
