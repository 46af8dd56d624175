//! From records to batches: decode, look for gaps, filter, and what is to be stored together with the place behind it.
//!
//! For: one source, whoever reads it: a thread with a feed ([`super::intake`]) or the task of a sender
//! ([`crate::source::stream`]). Not for: reading, waiting, storing; it asks nobody anything and has no clock but for the times
//! that notices have.
//!
//! Invariants: read = filtered + refused + parked + spooled, in every batch and in the report of the source; a record is in one batch;
//! the hash of a batch goes on from the one before it; after [`Ingest::batch`] comes [`Ingest::stored`], or nothing more.
mod notices;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use anyhow::anyhow;

use super::{
    Setup,
    gaps::Gaps,
    overflow::OverflowPolicy,
    parking::{Parking, Unit},
    position::Position,
    stats::SourceStats,
};

use crate::{
    clock,
    config::{SourceConfig, source::Input},
    decode::journal::{Entry, Heading},
    digest::{Hash, hex},
    event::Clock,
    filter::{RuleBook, RuleId, State, Verdict},
    pipeline::{Front, Parts},
    source::{
        Checkpoint, Record,
        gap_detector::GapDetector,
        receiver_chain::{Count, Gap, JournalPlace},
    },
    spool::{Basis, BatchHeader, Builder, NewBatch, basis},
};
use tokio::time::Instant;

/// A batch is stored when it has this many events, this many bytes, or was made from this many records.
const EVENTS: u32 = 2_000;
pub(super) const BYTES: usize = 1 << 20;
const RECORDS: u64 = 8_000;

/// What an ingest depends on, from its beginning to its end.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    /// The source.
    pub config: &'a SourceConfig,
    /// The configuration that it was started with.
    pub setup: &'a Setup,
    /// Models and filters.
    pub parts: &'a Parts,
    /// Where it says how it is.
    pub stats: &'a SourceStats,
}

/// What goes with one heading.
struct Sight {
    heading: Arc<Heading>,
    front: Front,
    overflow: Option<OverflowPolicy>,
}

/// A batch that is to be stored, with the place behind it.
pub struct Ready {
    /// The batch.
    pub batch: NewBatch,
    /// Where the source goes on, as text.
    pub position: String,
    /// The name and the place of the part that was read, where a source has parts.
    pub file: Option<(String, String)>,
}

/// What is to be done when a batch is stored.
struct Handed {
    system: String,
    last: JournalPlace,
}

/// A source between its records and its batches.
pub struct Ingest<'a> {
    of: Of<'a>,
    sight: Option<Sight>,
    detector: GapDetector,
    /// What the lines of every batch depend on.
    basis: Basis,
    state: State,
    /// Privileged profiles that were known when the batch began, and the events from which on others are.
    known: usize,
    learned_later: Vec<u32>,
    clock: Clock,
    builder: Builder,
    /// A batch is stored when it has so many bytes.
    most: usize,
    /// Notices in the batch.
    notices: u64,
    parking: Parking,
    gaps: Gaps,
    dropped: BTreeMap<RuleId, u64>,
    /// What the system itself says of its clock.
    system_offset: Option<i32>,
    /// What is read is not what the configuration says.
    contradicted: bool,
    /// When the last entry was made, UTC microseconds.
    entry_at: i64,
    /// A batch was handed out and is not known to be stored.
    handed: Option<Handed>,
}

impl<'a> Ingest<'a> {
    /// Goes on from a position; `before` is the hash that the next batch is chained to.
    pub fn new(of: Of<'a>, position: Position, before: &Hash) -> Ingest<'a> {
        let (config, setup) = (of.config, of.setup);
        let mut state = State::default();
        for key in position.learned.iter().filter_map(|hex| basis::key(hex)) {
            state.learned.add(key);
        }
        let floor = setup.config.filter.audit_floor().max(config.filter.audit_floor());
        let basis = Basis::new(&config.given(), config.dates, &of.parts.catalog().hash(), floor);
        let mut clock = Clock::new(config.zone, config.dates);
        clock.set_second_pass(position.second_pass);
        // A live system says itself that a range holds no more; what is not asked for leaves holes.
        let is_live = matches!(config.input, Input::Live(_));
        let count = if is_live { Count::Receivers } else { config.gaps.unwrap_or(setup.config.gaps) };
        of.stats.set(|d| {
            d.system.clone_from(&position.system);
            d.last = position.last.clone();
            d.zone = Some(config.zone);
        });
        Ingest {
            of,
            sight: None,
            detector: GapDetector::new(
                config.charset,
                config.given(),
                count,
                (position.chain, position.system, position.last),
            ),
            basis,
            known: state.learned.len(),
            learned_later: Vec::new(),
            state,
            clock,
            builder: Builder::new(BatchHeader::default(), before),
            most: BYTES,
            notices: 0,
            parking: Parking::new(Instant::now(), Unit::of(&config.input), position.parked),
            gaps: Gaps::new(Instant::now(), position.gaps),
            dropped: BTreeMap::new(),
            system_offset: None,
            contradicted: false,
            entry_at: 0,
            handed: None,
        }
    }

    /// Whether there is nothing to be stored but a place.
    pub fn is_empty(&self) -> bool {
        self.builder.header.read == 0 && self.notices == 0
    }

    /// A batch is stored when it has so many bytes: less than all, where many share the memory.
    pub fn set_most(&mut self, bytes: usize) {
        self.most = bytes.min(BYTES);
    }

    /// Whether the batch is to be stored before more is read.
    pub fn is_full(&self) -> bool {
        self.builder.events() >= EVENTS || self.builder.size() >= self.most || self.builder.header.read >= RECORDS
    }

    /// When something that is missing or parked is to be told that is not told yet ([`Ingest::tell`]).
    pub fn tells_at(&self) -> Option<Instant> {
        self.parking.due().into_iter().chain(self.gaps.due()).min()
    }

    /// Takes a record.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        if !self.sight.as_ref().is_some_and(|s| Arc::ptr_eq(&s.heading, record.heading)) {
            self.look_through(record.heading)?;
        }
        self.builder.read(record.bytes);
        let entry = match Entry::new(record.heading, record.bytes) {
            Ok(entry) => entry,
            Err(e) => {
                self.park(record, &e.to_string());
                return Ok(());
            }
        };
        if record.framed && !entry.behind().is_empty() {
            self.park_behind(record, entry.behind());
        }
        let time = self.clock.read(&entry);
        if let Some(why) = self.clock.new_contradiction() {
            self.contradicted(&why.to_string());
        }
        if let Some(gap) = self.detector.observe(&entry, time) {
            self.gap(gap);
        }
        if let Some(time) = time {
            self.entry_at = time.utc_micros;
        }
        let Some(sight) = &mut self.sight else { return Ok(()) };
        let mut event = sight.front.event(entry, time);
        if self.builder.header.first_sequence == 0 {
            self.builder.header.first_sequence = entry.sequence;
        }
        let verdict = sight.front.verdict(&mut event, &mut self.state);
        // One entry shows one profile to be privileged: it is so from the event of this entry on, whether that is sent or not.
        if self.state.learned.len() > self.known + self.learned_later.len() {
            self.learned_later.push(self.builder.events());
        }
        match verdict {
            Verdict::Dropped(rule) => *self.dropped.entry(rule).or_default() += 1,
            _ => match sight.overflow.as_ref().and_then(|r| r.sheds(&event)) {
                Some(severity) => *self.builder.header.refused.entry(severity).or_default() += 1,
                None => self.builder.push(&event),
            },
        }
        Ok(())
    }

    /// Builds what a heading needs; between two of them the batch was stored.
    #[cold]
    fn look_through(&mut self, heading: &Arc<Heading>) -> anyhow::Result<()> {
        if self.builder.header.read > 0 {
            return Err(anyhow!("the heading changes within what is read: this is a mistake of the program"));
        }
        let Of { config, setup, parts, .. } = self.of;
        let lacks = config.lacks(heading);
        if !lacks.is_empty() {
            crate::log::warn(format_args!(
                "source {}: {} headings do not hold everything that identifies an entry to a SIEM, and entries are sent without it: give {}",
                config.name,
                heading.kind.ibm_name(),
                lacks.join(" and ")
            ));
            self.of.stats.set(|d| d.lacks = lacks.join(" and "));
        }
        let rules = [&setup.config.filter, &config.filter];
        let front = Front::new(parts, (heading, config.charset), &setup.model_options, &rules, None)?;
        let overflow = OverflowPolicy::new(front.model(), setup.config.when_full)?;
        self.sight = Some(Sight { heading: heading.clone(), front, overflow });
        Ok(())
    }

    /// What comes next may begin before the last record: what comes again is no gap.
    pub fn allow_replay(&mut self) {
        self.detector.allow_replay();
    }

    /// What is missing before the next record is known already, or nothing is.
    pub fn forget_last(&mut self) {
        self.detector.reset();
    }

    /// What stood behind the last record cannot be read, in words.
    pub fn lost(&mut self, text: String) {
        let before = self.detector.sure().clone();
        self.gap(Gap { before, ..Gap::of(text) });
    }

    /// The offset from UTC, in seconds east, that the system itself says: of what comes behind the last batch.
    pub fn set_system_offset(&mut self, seconds: i32) {
        self.system_offset = Some(seconds);
    }

    /// The place of the last record whose number can be true.
    pub fn last(&self) -> &JournalPlace {
        self.detector.sure()
    }

    /// Whether what is read is not what the configuration says, since the last call.
    pub fn take_contradiction(&mut self) -> bool {
        std::mem::take(&mut self.contradicted)
    }

    /// Hands the batch out, to be stored with this place behind it. The next one is chained to it.
    pub fn batch(&mut self, checkpoint: Checkpoint) -> anyhow::Result<Ready> {
        if self.handed.is_some() {
            return Err(anyhow!(
                "a batch is made before the one before it is stored: this is a mistake of the program"
            ));
        }
        let Of { config, setup, .. } = self.of;
        let last = self.detector.sure().clone();
        let header = &mut self.builder.header;
        header.source.clone_from(&config.name);
        let heading = self.sight.as_ref().map_or("", |s| s.heading.kind.key());
        header.heading = heading.to_owned();
        header.ccsid = config.charset.ccsid().0;
        header.zone = config.zone.name().to_owned();
        header.system_offset = self.system_offset;
        header.system = self.detector.system().to_owned();
        header.receiver = match last.library.as_str() {
            "" => last.receiver.clone(),
            library => format!("{library}/{}", last.receiver),
        };
        header.last_sequence = last.sequence;
        header.created_at = clock::now().timestamp_micros();
        header.filtered = by_name(&setup.config.book, &self.dropped);
        let mut basis = self.basis.clone();
        basis.learn(&self.state.learned, self.known, &self.learned_later);
        header.basis = Some(basis);
        let position = Position {
            feed: checkpoint.source,
            system: self.detector.system().to_owned(),
            last,
            chain: self.detector.chain().clone(),
            second_pass: self.clock.second_pass(),
            learned: self.state.learned.bytes().iter().map(|b| hex(b)).collect(),
            gaps: self.gaps.waiting().cloned(),
            parked: self.parking.waiting().cloned(),
        };
        let text = serde_json::to_string(&position)?;
        let batch = std::mem::replace(&mut self.builder, Builder::new(BatchHeader::default(), &[0; 32])).finish();
        self.builder = Builder::behind(&batch);
        self.handed = Some(Handed { system: position.system, last: position.last });
        let file = checkpoint.file.map(|(name, place)| (name, place.to_string()));
        Ok(Ready { batch, position: text, file })
    }

    /// The batch that was handed out is stored; `pressure` is how much of its size the spool uses, 0 to 1.
    pub fn stored(&mut self, pressure: f64) {
        if let Some(Handed { system, last }) = self.handed.take() {
            self.of.stats.set(|d| {
                d.system = system;
                d.last = last;
                d.entry_at = self.entry_at;
            });
        }
        self.notices = 0;
        self.known = self.state.learned.len();
        self.learned_later.clear();
        self.dropped.clear();
        if let Some(overflow) = self.sight.as_mut().and_then(|s| s.overflow.as_mut()) {
            overflow.set_pressure(pressure);
        }
    }
}

fn by_name(book: &RuleBook, dropped: &BTreeMap<RuleId, u64>) -> BTreeMap<String, u64> {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for (id, n) in dropped {
        *named.entry(book.get(*id).map_or(String::new(), |r| r.to_string())).or_default() += n;
    }
    named
}
