//! What of the log is in memory: the newest batches, as long as somebody has yet to read them.
use super::*;

/// Two outputs, of which one reads; batches of five events.
fn bench(folder: &Path, cache: usize) -> Spool {
    let options = SpoolOptions { cache, ..SpoolOptions::new(folder.to_owned()) };
    let spool = Spool::open(options).unwrap().0;
    spool.register("quick", Start::Oldest, "");
    spool.register("slow", Start::Oldest, "");
    spool
}

fn pass(spool: &Spool, output: &str, to: i64) {
    Lane::ALL.iter().for_each(|lane| spool.advance(output, *lane, Cursor { batch: to, event: 0 }));
}

#[test]
fn batches_stay_in_memory_until_every_output_has_passed_them() {
    let folder = tempfile::tempdir().unwrap();
    let spool = bench(folder.path(), 1 << 20);
    fill(&spool, 0..8, [0; 32], &mut Vec::new());
    assert_eq!(spool.recent(), (1..=8).collect::<Vec<_>>());
    pass(&spool, "quick", 9);
    assert_eq!(spool.recent().len(), 8, "the other has read none");
    // A lane that stands still holds them as an output does.
    for lane in &Lane::ALL[1..] {
        spool.advance("slow", *lane, Cursor { batch: 9, event: 0 });
    }
    assert_eq!(spool.recent().len(), 8);
    spool.advance("slow", Lane::ALL[0], Cursor { batch: 4, event: 2 });
    assert_eq!(spool.recent(), (4..=8).collect::<Vec<_>>());
    pass(&spool, "slow", 9);
    assert_eq!(spool.recent(), Vec::<i64>::new());
}

#[test]
fn an_output_that_is_behind_reads_what_is_not_in_memory_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    // Room for two.
    let spool = bench(folder.path(), 12 << 10);
    let mut stored = Vec::new();
    fill(&spool, 0..8, [0; 32], &mut stored);
    assert_eq!(spool.recent(), [7, 8]);
    let read: Vec<String> = (1..=8)
        .flat_map(|id| {
            let batch = spool.next(id).unwrap().unwrap();
            assert_eq!(batch.id, id);
            (0..batch.len()).filter_map(|n| Some(batch.event(n)?.notice()?.system)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(read, stored);
    assert!(spool.next(9).unwrap().is_none());
}

/// The cursors of an output's lanes, which stand within the second of three batches of five events.
fn within(spool: &Spool) {
    fill(spool, 0..3, [0; 32], &mut Vec::new());
    for output in ["quick", "slow"] {
        for (event, lane) in Lane::ALL.into_iter().enumerate() {
            spool.advance(output, lane, Cursor { batch: 2, event: event + 1 });
        }
    }
    spool.sync().unwrap();
}

fn damage(folder: &Path, column: &str) {
    let db = rusqlite::Connection::open(folder.join("spool.db")).unwrap();
    assert_eq!(db.execute(&format!("UPDATE batch SET {column} = x'00' WHERE id = 2"), []).unwrap(), 1);
}

/// Whoever stood within a batch stands before what is told in its place: that waits for every output, and is read by all lanes.
fn all_are_told(spool: &Spool) {
    for output in ["quick", "slow"] {
        let waits: u64 = spool.waiting(output).values().map(|w| w.events).sum();
        assert_eq!(waits, 1 + 5, "what is told of batch 2, and batch 3");
        for lane in Lane::ALL {
            assert_eq!(spool.cursor(output, lane), Cursor { batch: 2, event: 0 }, "{output} {lane:?}");
        }
    }
    let batch = spool.next(2).unwrap().unwrap();
    assert_eq!((batch.id, batch.len(), batch.header.since), (2, 1, Some(2)));
}

#[test]
fn a7_cursors_within_a_batch_that_is_damaged_stand_before_what_is_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let spool = bench(folder.path(), 0);
    within(&spool);
    drop(spool);
    // A start finds what is wrong with a row, but for its blob.
    damage(folder.path(), "about");
    all_are_told(&bench(folder.path(), 0));
    // And where it is found while the agent runs.
    let folder = tempfile::tempdir().unwrap();
    let spool = bench(folder.path(), 0);
    within(&spool);
    damage(folder.path(), "blob");
    assert_eq!(spool.next(2).unwrap().unwrap().len(), 1);
    all_are_told(&spool);
}

#[test]
fn what_lanes_that_are_ahead_have_delivered_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let spool = bench(folder.path(), 0);
    fill(&spool, 0..4, [0; 32], &mut Vec::new());
    let waiting = |output| spool.waiting(output).values().map(|w| w.events).sum::<u64>();
    let tell = |told: &[(i64, u64)]| {
        let told = told.iter().map(|(batch, events)| Delivered { batch: *batch, events: *events, found: None });
        spool.set_delivered("quick", told.collect());
    };
    for lane in &Lane::ALL[1..] {
        spool.advance("quick", *lane, Cursor { batch: 4, event: 0 });
    }
    spool.advance("quick", Lane::ALL[0], Cursor { batch: 2, event: 3 });
    assert_eq!(waiting("quick"), 15, "nobody knows yet what any of them had of these");
    tell(&[(1, 5), (2, 4), (3, 2)]);
    assert_eq!((waiting("quick"), waiting("slow")), (1 + 3 + 5, 20));
    tell(&[(3, 5), (4, 1)]);
    assert_eq!(waiting("quick"), 1 + 4);
    // Other lanes begin where the slowest is: everything behind it is to be delivered.
    spool.register("quick", Start::Oldest, "otherwise");
    assert_eq!(waiting("quick"), 12);
    pass(&spool, "quick", 5);
    assert_eq!((waiting("quick"), waiting("slow")), (0, 20));
}

/// What was put before an output is what it delivered, what was withdrawn and what waits.
fn balances(spool: &Spool, output: &str, delivered: u64) {
    let queue = spool.books().outputs[output];
    assert_eq!(queue.account.queued, delivered + queue.account.withdrawn + queue.waiting, "{queue:?}");
}

#[test]
fn the_books_balance_where_a_batch_is_damaged_that_was_delivered_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let spool = bench(folder.path(), 0);
    fill(&spool, 0..3, [0; 32], &mut Vec::new());
    assert_eq!((spool.books().stored, spool.books().notices), (15, 15));
    // Behind a start the cursors stand at the end of the second batch: nothing of it waits, until it is damaged.
    Lane::ALL.iter().for_each(|lane| spool.advance("quick", *lane, Cursor { batch: 2, event: 5 }));
    spool.sync().unwrap();
    drop(spool);
    damage(folder.path(), "blob");
    let spool = bench(folder.path(), 0);
    let waits = |output: &str| spool.books().outputs[output].waiting;
    assert_eq!((waits("quick"), waits("slow")), (5, 15));
    assert_eq!(spool.next(2).unwrap().unwrap().len(), 1);
    assert_eq!((waits("quick"), waits("slow")), (1 + 5, 5 + 1 + 5));
    balances(&spool, "quick", 0);
    balances(&spool, "slow", 0);
    pass(&spool, "quick", 3);
    balances(&spool, "quick", 1);
    // Where another program took it for delivered, that is found when it is looked through.
    let told = [Delivered { batch: 3, events: 4, found: Some(3) }];
    spool.set_delivered("quick", told.to_vec());
    balances(&spool, "quick", 1 + 1);
    assert_eq!(spool.books().outputs["quick"].account.withdrawn, 3);
}
