//! Lanes over a spool: what they find, in which order, and how many batches they look through for it.
use std::path::Path;

use super::{core::AHEAD, *};
use crate::{
    agent::{Setup, Shared, model_tests::record},
    config::{Config, model::model_options},
    decode::journal::{Catalog, Entry, HeadingKind},
    encode::Profile,
    event::{EventModel, Options},
    output::resend_window::{Line, ResendWindow},
    runtime,
    spool::{Basis, BatchHeader, Builder, Spool, SpoolOptions, Start},
};

/// An agent with a spool and one output.
struct Bench {
    context: TaskContext,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// Each text is a batch: the types of its entries.
    fn new(output: &str, batches: &[Vec<&str>]) -> Bench {
        let catalog = Arc::new(Catalog::shipped().unwrap());
        let profile = Profile::native().unwrap();
        let text = format!("[[output]]\nname = \"a\"\naddress = \"null\"\nformat = \"json\"\n{output}");
        let config = Config::parse(&text, "agent.toml", Path::new("/"), &catalog).into_valid(false).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(SpoolOptions { cache: 0, ..SpoolOptions::new(dir.path().to_owned()) }).unwrap();
        spool.register("a", Start::Oldest, "");
        let heading = catalog.heading(HeadingKind::Type5).unwrap().clone();
        let job = crate::decode::ebcdic::Charset::ebcdic(37).unwrap();
        let model = EventModel::new(catalog.clone(), heading.clone(), job, Options::default());
        let mut n = 0;
        for types in batches {
            let basis = Some(Basis::new(&Default::default(), None, "", 9));
            let header =
                BatchHeader { source: "s".into(), heading: "type5".into(), ccsid: 37, basis, ..BatchHeader::default() };
            let mut builder = Builder::new(header, &[0; 32]);
            for code in types {
                n += 1;
                let record = record(code, n);
                builder.read(&record);
                builder.push(&model.event(Entry::new(&heading, &record).unwrap(), None));
            }
            spool.append(&mut builder.finish(), "{}", None).unwrap();
        }
        let setup = Setup::new(model_options(&profile, &config, false), config);
        let (handle, _) = crate::agent::control();
        let context = TaskContext::new(
            Arc::new(Shared::new(catalog, profile, spool, handle)),
            Arc::new(setup),
            crate::agent::tasks::Kind::Output,
        );
        Bench { context, _dir: dir }
    }

    fn lanes(&self) -> Lanes<'_> {
        Lanes::new(&self.context.setup.config.outputs[0], &self.context)
    }
}

/// Takes the next event: its number. Cursors move at once.
fn take(lanes: &mut Lanes<'_>, bench: &Bench) -> Option<u64> {
    loop {
        match lanes.next_here(false).unwrap() {
            Next::Later | Next::Unread(_) => {}
            Next::Nothing => return None,
            Next::Event(lane) => {
                let mut line = Vec::new();
                let next = lanes.encode(lane, &mut line).unwrap();
                lanes.advance(lane, next);
                bench.context.shared.spool.advance("a", lane, next);
                let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
                return line["sequence"].as_str().unwrap().parse().ok();
            }
        }
    }
}

#[test]
fn c2_the_first_event_of_a_long_backlog_goes_after_a_few_batches() {
    let bench = Bench::new("", &vec![vec!["ZR"; 10]; 300]);
    let mut lanes = bench.lanes();
    assert_eq!(take(&mut lanes, &bench), Some(1));
    assert!(lanes.core.known() <= AHEAD + 1, "{} batches", lanes.core.known());
    // Those that go first are looked for further on while others go, a batch at a time.
    for n in 2..=200 {
        let before = lanes.core.known();
        assert_eq!(take(&mut lanes, &bench), Some(n));
        assert!(lanes.core.known() <= before + 2, "at {n}");
    }
    for n in 201..=3_000 {
        assert_eq!(take(&mut lanes, &bench), Some(n));
    }
    assert_eq!(take(&mut lanes, &bench), None);
    assert!(lanes.is_at_end());
}

#[test]
fn c2_a_backlog_of_which_nothing_goes_is_looked_through_in_pieces() {
    let bench = Bench::new("filter.types.exclude = [\"ZR\"]\n", &vec![vec!["ZR"; 10]; 100]);
    let mut lanes = bench.lanes();
    let mut rounds = 0;
    loop {
        let before = lanes.core.known();
        match lanes.next(false).unwrap() {
            Next::Event(lane) => panic!("{lane:?}"),
            Next::Unread(from) => runtime::block_on(lanes.read(from)).unwrap().unwrap(),
            Next::Later => assert!(lanes.core.known() <= before + 2 * AHEAD),
            Next::Nothing => break,
        }
        rounds += 1;
    }
    // A stop is asked for between two of them.
    assert!(rounds >= 100 / (2 * AHEAD), "{rounds}");
    let end = lanes.position(Lane::Normal);
    Lane::ALL.iter().for_each(|lane| bench.context.shared.spool.advance("a", *lane, end));
    assert_eq!(lanes.take_nowhere(), [1_000, 0]);
}

#[test]
fn c2_lanes_that_no_event_can_be_in_are_not_looked_for_and_stand_where_the_others_are() {
    let bench = Bench::new("priority_types = []\n", &vec![vec!["PW", "ZR"]; 50]);
    let mut lanes = bench.lanes();
    for n in 1..=20 {
        assert_eq!(take(&mut lanes, &bench), Some(n));
    }
    assert!(lanes.core.known() <= 11, "{}", lanes.core.known());
    assert_eq!(lanes.position(Lane::Priority), lanes.position(Lane::Normal));
    assert_eq!(lanes.position(Lane::Held), lanes.position(Lane::Normal));
}

#[test]
fn events_that_go_first_go_before_those_of_the_batches_around_them_and_none_is_forgotten() {
    let batches: Vec<Vec<&str>> =
        (0..40).map(|n| if n % 3 == 2 { vec!["ZR", "PW", "ZR"] } else { vec!["ZR", "ZR"] }).collect();
    let bench = Bench::new("", &batches);
    let mut lanes = bench.lanes();
    let mut order = Vec::new();
    while let Some(n) = take(&mut lanes, &bench) {
        order.push(n);
    }
    // The third batch is within what is looked through before anything goes.
    assert_eq!(order.first(), Some(&6));
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=order.len() as u64).collect::<Vec<_>>());
}

#[test]
fn what_goes_nowhere_is_counted_once_wherever_a_thread_is_stopped() {
    let batches = vec![vec!["ZR", "CD", "ZR", "CD", "PW", "ZR"]; 9];
    for stops in 1..20 {
        let bench = Bench::new("filter.types.exclude = [\"CD\"]\n", &batches);
        let (mut sent, mut nowhere) = (0, 0);
        loop {
            let mut lanes = bench.lanes();
            let took = (0..stops).map_while(|_| take(&mut lanes, &bench)).count();
            // Nothing is on its way: every lane stands where it reads.
            for lane in Lane::ALL {
                bench.context.shared.spool.advance("a", lane, lanes.position(lane));
            }
            sent += took;
            nowhere += lanes.take_last_nowhere()[0];
            if took < stops {
                break;
            }
        }
        assert_eq!((sent, nowhere), (36, 18), "{stops} at a time");
    }
}

#[test]
fn a7_what_is_told_in_the_place_of_a_batch_is_told_where_the_lane_of_notices_has_passed_it() {
    let bench = Bench::new("", &[vec!["ZR"], vec!["ZR"], vec!["PW"]]);
    assert_eq!(take(&mut bench.lanes(), &bench), Some(3));
    let db = rusqlite::Connection::open(bench._dir.path().join("spool.db")).unwrap();
    db.execute("UPDATE batch SET blob = x'00' WHERE id = 2", []).unwrap();
    let mut lanes = bench.lanes();
    assert_eq!(take(&mut lanes, &bench), Some(1));
    let Next::Event(lane) = lanes.next_here(false).unwrap() else { panic!("nothing is told") };
    let mut line = Vec::new();
    let next = lanes.encode(lane, &mut line).unwrap();
    assert!(
        matches!(lanes.line(lane, Cursor::default()), Line::Notice(..))
            && String::from_utf8_lossy(&line).contains("batch 2 of the spool is damaged")
    );
    lanes.advance(lane, next);
    assert_eq!(take(&mut lanes, &bench), None);
}

#[test]
fn a7_who_reads_within_a_batch_that_turns_out_to_be_damaged_is_told() {
    let bench = Bench::new("priority_types = []\n", &[vec!["ZR"; 5], vec!["ZR"; 2]]);
    let mut lanes = bench.lanes();
    assert_eq!((take(&mut lanes, &bench), take(&mut lanes, &bench)), (Some(1), Some(2)));
    let db = rusqlite::Connection::open(bench._dir.path().join("spool.db")).unwrap();
    db.execute("UPDATE batch SET blob = x'00' WHERE id = 1", []).unwrap();
    // Another connection reads from where the last one had come.
    let mut lanes = bench.lanes();
    assert_eq!(lanes.position(Lane::Normal), Cursor { batch: 1, event: 2 });
    let Next::Event(lane) = lanes.next_here(false).unwrap() else { panic!("nothing is told") };
    let mut line = Vec::new();
    let next = lanes.encode(lane, &mut line).unwrap();
    assert!(
        matches!(lanes.line(lane, Cursor::default()), Line::Notice(..))
            && String::from_utf8_lossy(&line).contains("batch 1 of the spool is damaged")
    );
    lanes.advance(lane, next);
    assert_eq!((take(&mut lanes, &bench), take(&mut lanes, &bench)), (Some(6), Some(7)));
}

#[test]
fn sums_balance_while_one_lane_is_ahead_of_another() {
    let batches = vec![vec!["ZR", "CD", "PW", "CD", "PW", "ZR"]; 30];
    let bench = Bench::new("filter.types.exclude = [\"CD\"]\n", &batches);
    let (mut sent, mut filtered) = (0, 0);
    let waiting = || bench.context.shared.spool.waiting("a").values().map(|w| w.events).sum::<u64>();
    for pieces in [7, 40, 200] {
        // Each time a task of its own, which does not know what the one before had delivered.
        let mut lanes = bench.lanes();
        let mut window = ResendWindow::default();
        for n in 0..pieces {
            if let Next::Event(lane) = lanes.next_here(false).unwrap() {
                let mut line = Vec::new();
                let next = lanes.encode(lane, &mut line).unwrap();
                window.push(Line::Entry(lane, next), 1);
                lanes.advance(lane, next);
            }
            if n % 3 == 0 {
                let moved = window.acknowledge(n / 2);
                for (batch, events) in window.take_passed() {
                    lanes.delivered(batch, events);
                }
                sent += window.take_done().entries;
                for (lane, to) in Lane::ALL.into_iter().zip(moved) {
                    to.into_iter().for_each(|to| bench.context.shared.spool.advance("a", lane, to));
                }
                filtered += lanes.take_nowhere()[0];
                assert_eq!(sent + filtered + waiting(), 180, "{sent} {filtered}");
            }
        }
        filtered += lanes.take_last_nowhere()[0];
        lanes.tell_delivered();
        assert_eq!(sent + filtered + waiting(), 180, "{sent} {filtered} at the end");
    }
    assert!(sent > 60, "{sent}");
}
