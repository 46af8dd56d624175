//! An ingest with whatever records, gaps and ends of batches, in whatever order.
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::{
    config::Config,
    config::model::model_options,
    decode::journal::{Catalog, HeadingKind, catalog::entry_type_bytes},
    encode::Profile,
};

struct Bench {
    setup: Setup,
    parts: Parts,
    stats: SourceStats,
    heading: Arc<Heading>,
}

impl Bench {
    fn new(rest: &str) -> Bench {
        let catalog = Arc::new(Catalog::shipped().unwrap());
        let profile = Profile::native().unwrap();
        let text = format!(
            "{rest}[[source]]\nname = \"a\"\nkind = \"stream\"\nlisten = \"unix:/x\"\ninput = \"type5\"\nfilter.types.exclude = [\"CD\"]\n"
        );
        let config = Config::parse(&text, "agent.toml", std::path::Path::new("/"), &catalog).into_valid(false).unwrap();
        let heading = catalog.heading(HeadingKind::Type5).unwrap().clone();
        let options = model_options(&profile, &config, false);
        Bench {
            setup: Setup::new(options, config),
            parts: Parts::new(catalog, profile),
            stats: SourceStats::default(),
            heading,
        }
    }

    fn of(&self) -> Of<'_> {
        let config = self.setup.config.sources.first().unwrap();
        Of { config, setup: &self.setup, parts: &self.parts, stats: &self.stats }
    }

    fn ingest(&self, position: Position, before: &Hash) -> Ingest<'_> {
        Ingest::new(self.of(), position, before)
    }

    fn give(&self, ingest: &mut Ingest<'_>, bytes: &[u8], offset: u64) {
        ingest.record(&Record { bytes, heading: &self.heading, offset, framed: true }).unwrap();
    }
}

/// A *TYPE5 entry without data.
fn record(code: &str, n: u64) -> Vec<u8> {
    let mut record = vec![0x40; 609];
    let digits = |text: String| text.bytes().map(|b| b - b'0' + 0xF0).collect::<Vec<u8>>();
    for (at, bytes) in [
        (0, digits("00609".to_owned())),
        (5, digits(format!("{n:020}"))),
        (25, vec![0xE3]),
        (26, entry_type_bytes(code).unwrap().to_vec()),
        (607, vec![0, 0]),
    ] {
        record[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    record
}

/// What happens to an ingest.
#[derive(Clone, Debug)]
enum Act {
    /// An entry that is sent, so many numbers behind the one before.
    Sent(u64),
    /// One that the filter drops.
    Dropped(u64),
    /// Bytes that are no entry.
    Damaged(usize),
    /// An entry with something behind it.
    Longer(u64),
    /// Something is missing.
    Gap,
    /// The batch is stored.
    Cut,
    /// The agent is killed, and goes on from what is stored.
    Killed,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1_u64..3).prop_map(Act::Sent),
        3 => (1_u64..3).prop_map(Act::Dropped),
        2 => (0_usize..700).prop_map(Act::Damaged),
        1 => (1_u64..3).prop_map(Act::Longer),
        1 => Just(Act::Gap),
        3 => Just(Act::Cut),
        1 => Just(Act::Killed),
    ]
}

/// What is on the disk.
#[derive(Default)]
struct Disk {
    position: Position,
    chained: Hash,
    /// Numbers of the entries, in the order in which they were stored.
    entries: Vec<u64>,
    read: u64,
    parked: u64,
    filtered: u64,
    /// Notices of what is missing or parked.
    notices: u64,
}

impl Disk {
    fn store(&mut self, ingest: &mut Ingest<'_>) {
        ingest.tell(false);
        if ingest.is_empty() {
            return;
        }
        let notices = ingest.notices;
        let Ready { batch, position, file } = ingest.batch(Checkpoint::default()).unwrap();
        assert!(ingest.batch(Checkpoint::default()).is_err(), "the one before is not stored");
        assert_eq!((file, batch.previous), (None, self.chained));
        let position: Position = serde_json::from_str(&position).unwrap();
        assert!(position.last.sequence >= self.position.last.sequence, "a position only grows");
        let about = &batch.header;
        let dropped: u64 = about.filtered.values().sum();
        let spooled = u64::from(batch.events) - notices;
        assert_eq!(about.read, dropped + about.parked + about.refused.values().sum::<u64>() + spooled);
        assert_eq!((about.parked as usize, u64::from(batch.notices)), (batch.parked.len(), notices));
        let mut rest = batch.plain.as_slice();
        while !rest.is_empty() {
            let stored = u32::from_be_bytes(rest[5..9].try_into().unwrap()) as usize;
            let bytes = &rest[14..14 + stored];
            if rest[0] == 0 {
                let digits = bytes[5..25].iter().map(|b| char::from(b - 0xF0 + b'0'));
                self.entries.push(digits.collect::<String>().parse().unwrap());
            }
            rest = &rest[14 + stored..];
        }
        self.read += about.read;
        self.parked += about.parked;
        self.filtered += dropped;
        self.notices += notices;
        (self.position, self.chained) = (position, batch.raw_sha256);
        ingest.stored(0.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_record_is_in_one_batch_and_the_sums_balance_whatever_comes(acts in prop::collection::vec(act(), 1..60)) {
        let bench = Bench::new("");
        let mut disk = Disk::default();
        let mut ingest = bench.ingest(Position::default(), &[0; 32]);
        // What is sent since what is stored comes again behind a kill.
        let (mut n, mut sent, mut records) = (0, Vec::new(), 0);
        for act in acts {
            match act {
                Act::Cut => {
                    disk.store(&mut ingest);
                    sent.clone_from(&disk.entries);
                    continue;
                }
                Act::Killed => {
                    let stored: Position = disk.position.clone();
                    (n, records) = (stored.last.sequence.max(disk.entries.last().copied().unwrap_or(0)), disk.read);
                    sent.clone_from(&disk.entries);
                    ingest = bench.ingest(stored, &disk.chained);
                    ingest.allow_replay();
                    continue;
                }
                _ => {}
            }
            match act {
                Act::Sent(by) | Act::Longer(by) => {
                    n += by;
                    let mut bytes = record("PW", n);
                    if matches!(act, Act::Longer(_)) {
                        bytes.extend_from_slice(b"more");
                        records += 1;
                    }
                    records += 1;
                    bench.give(&mut ingest, &bytes, records);
                    sent.push(n);
                }
                Act::Dropped(by) => {
                    n += by;
                    records += 1;
                    bench.give(&mut ingest, &record("CD", n), records);
                }
                Act::Damaged(length) => {
                    records += 1;
                    bench.give(&mut ingest, &vec![0xFF; length.min(400)], records);
                }
                Act::Gap => ingest.lost("something".to_owned()),
                Act::Cut | Act::Killed => {}
            }
        }
        ingest.tell(true);
        disk.store(&mut ingest);
        prop_assert_eq!(ingest.tells_at(), None);
        prop_assert_eq!(&disk.entries, &sent);
        prop_assert!(disk.entries.is_sorted());
        prop_assert_eq!(disk.read, disk.filtered + disk.parked + disk.entries.len() as u64);
    }
}

#[test]
fn a_batch_is_full_by_its_events_its_bytes_or_its_records() {
    let bench = Bench::new("");
    let until_full = |code: &str, most: u64| {
        let mut ingest = bench.ingest(Position::default(), &[0; 32]);
        let count = (1..=most).find(|n| {
            bench.give(&mut ingest, &record(code, *n), *n);
            ingest.is_full()
        });
        count.unwrap()
    };
    // These are long: their bytes count before their number does.
    assert!((1_000..u64::from(EVENTS)).contains(&until_full("PW", u64::from(EVENTS))));
    assert_eq!(until_full("CD", RECORDS), RECORDS);
    let mut ingest = bench.ingest(Position::default(), &[0; 32]);
    for n in 0..3 {
        assert!(!ingest.is_full());
        bench.give(&mut ingest, &vec![0; 400 << 10], n);
    }
    assert!(ingest.is_full());
}

#[test]
fn what_is_missing_again_and_again_waits_and_is_stored_with_the_place() {
    let bench = Bench::new("");
    let mut disk = Disk::default();
    let mut ingest = bench.ingest(Position::default(), &[0; 32]);
    for n in 0..40 {
        ingest.lost(format!("{n} is missing"));
    }
    assert!(ingest.tells_at().is_some());
    disk.store(&mut ingest);
    assert!(disk.position.gaps.is_some() && ingest.tells_at().is_some());
    // Whoever goes on tells the rest.
    let mut ingest = bench.ingest(disk.position.clone(), &disk.chained);
    ingest.tell(true);
    disk.store(&mut ingest);
    assert!(disk.position.gaps.is_none() && ingest.tells_at().is_none());
    assert_eq!(disk.notices, 11);
    assert_eq!(bench.stats.gaps.load(Ordering::Relaxed), 40);
}
