//! Many sources, one thread that writes: what waits is stored together.
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

use super::*;

/// A batch of a source with one event.
fn batch(source: &str) -> NewBatch {
    let mut builder = Builder::new(BatchHeader { source: source.to_owned(), ..BatchHeader::default() }, &[0; 32]);
    builder.push_notice(&Notice::new(GAP, "", 1, chrono_tz::UTC));
    builder.finish()
}

/// Stores a batch of each source at once, while the thread is held. What became of each, in their order.
fn at_once(spool: &Arc<Spool>, sources: &[String]) -> Vec<Result<i64, String>> {
    let (held, is_held) = channel();
    let (release, released) = channel::<()>();
    let holds = {
        let spool = spool.clone();
        thread::spawn(move || {
            spool.ask(move |_| {
                held.send(()).unwrap();
                let _ = released.recv();
                Ok(())
            })
        })
    };
    is_held.recv().unwrap();
    let begun = Arc::new(AtomicUsize::new(0));
    let appends: Vec<_> = sources
        .iter()
        .map(|source| {
            let (spool, source, begun) = (spool.clone(), source.clone(), begun.clone());
            thread::spawn(move || {
                let mut new = batch(&source);
                begun.fetch_add(1, Ordering::SeqCst);
                let stored = spool.append(&mut new, &format!("place of {source}"), None).map_err(|e| e.to_string());
                // What is not stored is not taken.
                assert_eq!(new.events, u32::from(stored.is_err()), "{source}");
                stored
            })
        })
        .collect();
    while begun.load(Ordering::SeqCst) < sources.len() {
        thread::yield_now();
    }
    release.send(()).unwrap();
    holds.join().unwrap().unwrap();
    appends.into_iter().map(|a| a.join().unwrap()).collect()
}

#[test]
fn c4_batches_that_wait_become_one_transaction_and_each_source_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap().0);
    let sources: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let mut ids: Vec<i64> = at_once(&spool, &sources).into_iter().map(|id| id.unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());
    // A thread that came late is in a later one.
    assert!(spool.commits() < 20, "{} transactions", spool.commits());
    drop(spool);
    let (spool, notes) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    assert_eq!((notes, spool.last()), (Vec::new(), 40));
    for source in sources {
        assert_eq!(spool.position(&source).unwrap().unwrap().0, format!("place of {source}"));
    }
}

#[test]
fn c4_a_batch_is_there_as_soon_as_its_number_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap().0);
    spool.append(&mut batch("s"), "first", None).unwrap();
    let (view, other) = (spool.view(), spool.clone());
    // The moment in which a batch is on the disk and not in memory yet: it is waited for, for who comes to it next is told.
    spool
        .ask(move |s| {
            let id = s.store(&[(&batch("s"), None)])?;
            assert_eq!((id, other.last(), other.next(2)?.map(|b| b.id)), (2, 2, None));
            assert_eq!(other.next(1)?.map(|b| b.id), Some(1));
            s.remember(id, [batch("s")].into_iter());
            Ok(())
        })
        .unwrap();
    assert!(view.has_changed().unwrap());
    assert_eq!((spool.last(), spool.next(2).unwrap().map(|b| b.id)), (2, Some(2)));
    assert!(spool.next(3).unwrap().is_none());
}

#[test]
fn a_thread_that_has_ended_ends_the_agent_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    spool.append(&mut batch("s"), "first", None).unwrap();
    assert!(spool.ask(|_| -> Result<(), SpoolError> { panic!("on purpose") }).is_err());
    let e = spool.append(&mut batch("s"), "second", None).unwrap_err();
    assert!(e.ends_the_agent() && e.to_string().contains("the thread that writes it has ended"), "{e}");
    drop(spool);
    let (spool, notes) = Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap();
    assert_eq!((notes, spool.position("s").unwrap().unwrap().0), (Vec::new(), "first".to_owned()));
}

#[test]
fn c4_a_batch_that_cannot_be_stored_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(SpoolOptions::new(folder.path().to_owned())).unwrap().0);
    spool
        .ask(|s| {
            s.connection()
                .execute_batch("CREATE TEMP TRIGGER no BEFORE INSERT ON batch WHEN new.source = 'bad' BEGIN SELECT zeroblob(3000000000); END")
                .unwrap();
            Ok(())
        })
        .unwrap();
    let sources = ["a", "b", "bad", "c", "d"].map(str::to_owned);
    let stored = at_once(&spool, &sources);
    for (source, stored) in sources.iter().zip(&stored) {
        match source.as_str() {
            "bad" => assert!(stored.as_ref().unwrap_err().contains("too big"), "{stored:?}"),
            _ => assert!(stored.is_ok(), "{source}: {stored:?}"),
        }
    }
    assert_eq!((spool.last(), spool.status().events), (4, 4));
    assert!(spool.position("bad").unwrap().is_none());
}
