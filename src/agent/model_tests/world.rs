//! What outlives a kill: the folder of the state, and the sources, which can be read again.
use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, LazyLock, Mutex},
};

use tempfile::TempDir;

use super::{
    Setup, Shared, Variant,
    ledger::{Ledger, What},
};
use crate::{
    config::{Config, model::model_options},
    decode::{
        ebcdic::Charset,
        journal::{Catalog, Entry, Heading, HeadingKind, catalog::entry_type_bytes},
    },
    digest::Hash,
    encode::Profile,
    event::{EventModel, Notice, Options, notice::START},
    spool::{Basis, BatchHeader, Builder, NewBatch, Spool, SpoolOptions},
};

/// What all cases have in common.
pub struct Common {
    pub catalog: Arc<Catalog>,
    pub profile: Profile,
    pub heading: Arc<Heading>,
    pub model: EventModel,
    setups: Mutex<HashMap<[Variant; 2], Arc<Setup>>>,
}

pub static COMMON: LazyLock<Common> = LazyLock::new(|| {
    let catalog = Arc::new(Catalog::shipped().unwrap());
    let heading = catalog.heading(HeadingKind::Type5).unwrap().clone();
    let job = Charset::ebcdic(37).unwrap();
    let model = EventModel::new(catalog.clone(), heading.clone(), job, Options::default());
    Common { catalog, profile: Profile::native().unwrap(), heading, model, setups: Mutex::default() }
});

impl Common {
    pub fn setup(&self, variants: [Variant; 2]) -> Arc<Setup> {
        let make = || {
            let [a, b] = variants.map(Variant::toml);
            let output = |name: &str| format!("[[output]]\nname = \"{name}\"\naddress = \"null\"\nformat = \"json\"\n");
            let text = format!("{}{a}{}{b}filter.types.exclude = [\"CD\"]\n", output("a"), output("b"));
            let config = Config::parse(&text, "agent.toml", Path::new("/"), &self.catalog).into_valid(false).unwrap();
            Arc::new(Setup::new(model_options(&self.profile, &config, false), config))
        };
        self.setups.lock().unwrap().entry(variants).or_insert_with(make).clone()
    }
}

/// A batch of a source with these events, behind one of this hash.
pub fn batch(source: &str, events: &[u64], what: impl Fn(u64) -> What, before: &Hash) -> NewBatch {
    let header = BatchHeader {
        source: source.into(),
        heading: "type5".into(),
        ccsid: 37,
        basis: Some(Basis::new(&Default::default(), None, "", 9)),
        first_sequence: events.first().copied().unwrap_or(0),
        last_sequence: events.last().copied().unwrap_or(0),
        ..BatchHeader::default()
    };
    let mut builder = Builder::new(header, before);
    for n in events {
        match what(*n) {
            What::Notice => builder.push_notice(&notice(*n)),
            What::Entry(code) => {
                let record = record(code, *n);
                builder.read(&record);
                builder.push(&COMMON.model.event(Entry::new(&COMMON.heading, &record).unwrap(), None));
            }
        }
    }
    builder.finish()
}

/// A *TYPE5 entry without data.
pub fn record(code: &str, n: u64) -> Vec<u8> {
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

/// A source: what it can be read again from, and how far it was read.
#[derive(Default)]
struct Source {
    events: Vec<u64>,
    at: usize,
    hash: Hash,
}

/// Everything that outlives a kill.
pub struct World {
    folder: TempDir,
    cache: usize,
    pub ledger: Ledger,
    sources: [Source; 2],
    pub variants: [Variant; 2],
    next: u64,
}

const SOURCES: [&str; 2] = ["s", "t"];

/// A folder, in memory where there is such a file system: nothing here is about how a disk syncs.
pub fn folder() -> TempDir {
    let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    // With a spool; one that is not there beside a reserve was taken away.
    Spool::open(SpoolOptions::new(dir.path().to_owned())).unwrap();
    // The reserve is as long as it is to be, so nobody writes it.
    fs::File::create(dir.path().join("reserve")).and_then(|f| f.set_len(16 << 20)).unwrap();
    dir
}

impl World {
    pub fn new(cache: usize) -> World {
        World {
            folder: folder(),
            cache,
            ledger: Ledger::default(),
            sources: Default::default(),
            variants: Default::default(),
            next: 0,
        }
    }

    pub fn open(&mut self) -> Spool {
        let options = SpoolOptions { cache: self.cache, ..SpoolOptions::new(self.folder.path().to_owned()) };
        let (spool, notes) = Spool::open(options).unwrap();
        assert!(self.ledger.flipped || notes.is_empty(), "{notes:?}");
        self.ledger.reopened(&spool);
        for (name, source) in SOURCES.iter().zip(&mut self.sources) {
            let (at, hash) = spool.position(name).unwrap().map_or((0, [0; 32]), |(p, h)| (p.parse().unwrap(), h));
            assert!(if self.ledger.flipped { at <= source.events.len() } else { at == source.at }, "{name}: {at}");
            (source.at, source.hash) = (at, hash);
        }
        spool
    }

    pub fn event(&mut self, what: What) -> u64 {
        self.next += 1;
        self.ledger.events.insert(self.next, what);
        self.next
    }

    /// Appends what a source has that is not appended, which is more than `more` where its place was lost.
    pub fn append(&mut self, spool: &Spool, n: usize, more: &[What]) {
        let more: Vec<u64> = more.iter().map(|w| self.event(*w)).collect();
        let source = &mut self.sources[n];
        source.events.extend(more);
        let events = source.events[source.at..].to_vec();
        source.at = source.events.len();
        let mut batch = batch(SOURCES[n], &events, |n| self.ledger.events[&n], &source.hash);
        source.hash = batch.raw_sha256;
        let id = spool.append(&mut batch, &source.at.to_string(), None).unwrap();
        self.ledger.appended(id, &events, spool);
    }

    /// The agent is gone, and what it had not committed with it.
    pub fn kill(&mut self, spool: Arc<Shared>, hard: bool, flip: Option<u32>) {
        let left = folder();
        if hard {
            for file in fs::read_dir(self.folder.path()).unwrap().flatten() {
                let name = file.file_name();
                if name != "lock" && name != "reserve" && name != "spool.db-shm" {
                    fs::copy(file.path(), left.path().join(name)).unwrap();
                }
            }
        }
        assert_eq!(Arc::strong_count(&spool), 1);
        drop(spool);
        if hard {
            self.folder = left;
        }
        let Some(flip) = flip else { return };
        let path = self.folder.path().join("spool.db");
        if hard {
            // What is damaged is the database, not its log.
            let db = rusqlite::Connection::open(&path).unwrap();
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        let mut bytes = fs::read(&path).unwrap();
        let some: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0 || at % (16 << 10) < 16).collect();
        bytes[some[flip as usize / 8 % some.len()]] ^= 1 << (flip % 8);
        fs::write(&path, bytes).unwrap();
        self.ledger.flipped = true;
    }
}

/// A notice with a number.
pub fn notice(n: u64) -> Notice {
    Notice::new(START, &format!("n{n}"), 0, chrono_tz::UTC)
}
