//! Reading a source into the spool: decode, filter, batch, and the position behind the batch, durable together.
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use super::{Shared, log};
use crate::{
    config::SourceConfig,
    decode::journal::{Entry, HeadingKind, detect::Wanted},
    encode::escape::printable,
    event::{Clock, EventModel},
    filter::{Filter, RuleBook, RuleId, State, Verdict, names::Key},
    source::{Capture, Item},
    spool::{
        Builder, Continuity,
        batch::{Hash, checksum, hex},
    },
};

/// A batch is stored when it has this many events, this many bytes, or was made from this many records.
const EVENTS: u32 = 1_000;
const BYTES: usize = 512 << 10;
const RECORDS: u64 = 8_000;
/// The longest an event waits for its batch.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where a source goes on, as the spool keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes of the capture that are read.
    pub offset: u64,
    /// SHA-256 of its first bytes: another file under the same name is read from its start.
    pub front: String,
    /// How many bytes that are.
    pub front_length: u64,
    /// Receiver and sequence number of the last entry.
    pub receiver: String,
    /// Sequence number of the last entry.
    pub sequence: u64,
    /// Privileged profiles learned so far, in hexadecimal.
    pub learned: Vec<String>,
}

/// What a source did, for reports.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records read.
    pub read: AtomicU64,
    /// Entries spooled.
    pub spooled: AtomicU64,
    /// Entries dropped.
    pub filtered: AtomicU64,
    /// Records that are no entries.
    pub parked: AtomicU64,
    /// Set when it will read no more.
    pub ended: AtomicBool,
}

/// Runs one source until its end or the wish to stop. An error ends it; the agent goes on.
pub fn run(config: &SourceConfig, shared: &Shared, counters: &Counters) {
    if let Err(e) = read(config, shared, counters) {
        log(format_args!("source {}: {e}", config.name));
        shared.failed.store(true, Ordering::Relaxed);
    }
    counters.ended.store(true, Ordering::Relaxed);
    shared.spool.wake();
}

/// How many of the first bytes tell one file from another.
const FRONT: u64 = 4_096;

fn front(path: &Path, length: u64) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(length).read_to_end(&mut bytes)?;
    Ok(hex(&checksum(&bytes)))
}

fn read(config: &SourceConfig, shared: &Shared, counters: &Counters) -> anyhow::Result<()> {
    let stored = shared.spool.position(&config.name)?;
    let (mut position, mut chain): (Position, Hash) = match stored {
        Some((text, chain)) => (serde_json::from_str(&text).context("its position cannot be read")?, chain),
        None => (Position::default(), [0; 32]),
    };
    let headings: Vec<_> = HeadingKind::ALL.iter().filter_map(|k| shared.catalog.heading(*k).cloned()).collect();
    let wanted = Wanted { kind: config.kind, stream: config.stream, record_length: config.record_length };
    let mut capture = Capture::open(&config.path, &headings, wanted)?;
    if position.offset > 0 {
        if front(&config.path, position.front_length)? == position.front && capture.size() >= Some(position.offset) {
            capture.skip_to(position.offset)?;
        } else {
            log(format_args!(
                "source {}: {} is another file than before: it is read from its start",
                config.name,
                config.path.display()
            ));
            position = Position { learned: std::mem::take(&mut position.learned), ..Position::default() };
        }
    }
    let heading = capture.found().heading.clone();
    let model = EventModel::new(shared.catalog.clone(), heading.clone(), config.charset, shared.model_options.clone());
    let filter = Filter::new(&model, &shared.config.filter, None).map_err(|e| anyhow!(e))?;
    let mut state = State::default();
    for hex in &position.learned {
        if let Some(key) = key(hex) {
            state.learned.add(key);
        }
    }
    let mut clock = Clock::new(config.zone, config.dates);
    let about = || Continuity {
        source: config.name.clone(),
        heading: heading.kind.key().to_owned(),
        ccsid: config.charset.ccsid().0,
        zone: config.zone.name().to_owned(),
        ..Continuity::default()
    };
    let mut builder = Builder::new(about(), &chain);
    let mut dropped: BTreeMap<RuleId, u64> = BTreeMap::new();
    let mut since = Instant::now();
    loop {
        let before = capture.offset();
        let ended = match capture.next()? {
            Some(Item::Cut(..)) if config.follow => {
                // Its rest is still to be written.
                capture.skip_to(before)?;
                true
            }
            None => true,
            Some(Item::Record(record, offset) | Item::Cut(record, offset)) => {
                builder.read(record);
                match Entry::new(&heading, record) {
                    Err(e) => {
                        builder.about.parked += 1;
                        log(format_args!("source {}: offset {offset}: parked: {e}", config.name));
                    }
                    Ok(entry) => {
                        let time = clock.read(&entry);
                        let mut event = model.event(entry, time);
                        if builder.about.first_sequence == 0 {
                            builder.about.first_sequence = entry.sequence;
                        }
                        builder.about.last_sequence = entry.sequence;
                        position.sequence = entry.sequence;
                        match filter.verdict(&event, &mut state) {
                            Verdict::Dropped(rule) => *dropped.entry(rule).or_default() += 1,
                            sent => {
                                sent.raise(&mut event);
                                builder.push(&event);
                            }
                        }
                        if builder.events() == 1 || builder.about.receiver.is_empty() {
                            let text = |bytes: &[u8]| printable(config.charset.decode_string(bytes).trim_end());
                            builder.about.receiver = text(entry.head(heading.receiver_name));
                            builder.about.system = text(entry.head(heading.system_name));
                            position.receiver.clone_from(&builder.about.receiver);
                        }
                    }
                }
                false
            }
        };
        let stop = shared.stop.load(Ordering::Relaxed);
        let full = builder.events() >= EVENTS || builder.size() >= BYTES || builder.about.read >= RECORDS;
        let late = ended || stop || !capture.is_ready() && since.elapsed() > PATIENCE;
        if builder.about.read > 0 && (full || late) {
            position.offset = capture.offset();
            if position.front_length < FRONT {
                position.front_length = position.offset.min(FRONT);
                position.front = front(&config.path, position.front_length)?;
            }
            position.learned = state.learned.bytes().iter().map(|b| hex(b)).collect();
            builder.about.filtered = by_name(&shared.config.book, &dropped);
            let filtered: u64 = dropped.values().sum();
            let done = std::mem::replace(&mut builder, Builder::new(about(), &[0; 32])).finish();
            chain = done.raw_sha256;
            builder = Builder::new(about(), &chain);
            let counts = (done.about.read, u64::from(done.events), done.about.parked);
            if !store(config, shared, done, &serde_json::to_string(&position)?)? {
                return Ok(());
            }
            for (counter, n) in [
                (&counters.read, counts.0),
                (&counters.spooled, counts.1),
                (&counters.parked, counts.2),
                (&counters.filtered, filtered),
            ] {
                counter.fetch_add(n, Ordering::Relaxed);
            }
            dropped.clear();
            since = Instant::now();
        }
        if stop || ended && !config.follow {
            return Ok(());
        }
        if ended {
            thread::sleep(PATIENCE);
            capture.skip_to(capture.offset())?;
        }
    }
}

/// Stores a batch, however long that takes: a spool that is full or a disk without room is waited for, and the source is
/// not read meanwhile. `false` when the agent is to stop and the batch is not stored: it will be read again.
fn store(
    config: &SourceConfig,
    shared: &Shared,
    batch: crate::spool::NewBatch,
    position: &str,
) -> anyhow::Result<bool> {
    let mut told = false;
    loop {
        let trouble = if shared.spool.is_full() {
            "the spool is full".to_owned()
        } else {
            match shared.spool.append(batch.clone(), position) {
                Ok(_) => {
                    if told {
                        log(format_args!("source {}: reading goes on", config.name));
                    }
                    return Ok(true);
                }
                Err(e) if e.is_no_space() => e.to_string(),
                Err(e) => return Err(e.into()),
            }
        };
        if !std::mem::replace(&mut told, true) {
            log(format_args!("source {}: not read until there is room: {trouble}", config.name));
        }
        if shared.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        thread::sleep(PATIENCE);
    }
}

fn by_name(book: &RuleBook, dropped: &BTreeMap<RuleId, u64>) -> BTreeMap<String, u64> {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for (id, n) in dropped {
        *named.entry(book.get(*id).map_or(String::new(), |r| r.to_string())).or_default() += n;
    }
    named
}

fn key(hex: &str) -> Option<Key> {
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect();
    Key::of(&bytes?)
}

/// The sources of an agent, each on its thread.
pub fn start(shared: &Arc<Shared>) -> Vec<(Arc<Counters>, thread::JoinHandle<()>)> {
    let sources = shared.config.sources.iter().cloned();
    sources
        .map(|config| {
            let (shared, counters) = (shared.clone(), Arc::new(Counters::default()));
            let own = counters.clone();
            (counters, thread::spawn(move || run(&config, &shared, &own)))
        })
        .collect()
}
