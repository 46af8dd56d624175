//! Stored events through the eyes of one output: which of its lanes an event is in, and what its line is.
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use anyhow::anyhow;
use serde_json::Value;

use super::{
    Orders,
    classified::{Fate, Looked},
};
use crate::{
    config::{OutputConfig, SourceConfig},
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Entry as JournalEntry, Heading, HeadingKind},
    },
    encode::{HeadingDefaults, Settings, notice},
    event::{Clock, DateFormat, Event, EventModel, Notice},
    filter::{State, Verdict, protect::Learned},
    pipeline::Back,
    spool::{Basis, Batch, Lane, StoredEvent, basis},
};

/// The readers of one output, by the heading and the CCSID of what they read.
pub struct Readers<'a> {
    config: &'a OutputConfig,
    orders: &'a Orders,
    readers: HashMap<(String, u16), Reader>,
    settings: Settings,
    record: Vec<u8>,
    /// The longest line that the way takes, once a longer one did not pass.
    longest: Option<usize>,
}

/// Filters and encodes the events of one heading and CCSID.
struct Reader {
    back: Back,
    clock: Clock,
    state: State,
    /// Whether the filter does nothing to the events of the batch.
    unfiltered: bool,
    /// The batch that it is set to.
    of: i64,
}

impl<'a> Readers<'a> {
    /// For an output.
    pub fn new(config: &'a OutputConfig, orders: &'a Orders) -> Readers<'a> {
        let settings = config.settings(
            config.format,
            &orders.setup.config.line,
            &orders.shared.profile,
            HeadingDefaults::default(),
        );
        Readers { config, orders, readers: HashMap::new(), settings, record: Vec::new(), longest: None }
    }

    /// Says of every event of a batch what becomes of it; its notices go in this lane.
    pub fn look(&mut self, batch: Arc<Batch>, notices: Lane) -> anyhow::Result<Looked> {
        let mut looked = Looked::new(batch.clone(), notices);
        let mut record = std::mem::take(&mut self.record);
        let mut reader = if batch.is_empty() { Err(String::new()) } else { self.reader(&batch)? };
        let mut later = batch.header.basis.as_ref().map(Basis::learned_later).into_iter().flatten().peekable();
        for n in 0..batch.len() {
            let seen = match (batch.event(n), &mut reader) {
                (Some(stored), _) if stored.is_notice => match stored.notice() {
                    Some(_) => Ok(Fate::Sent(notices, stored.severity_floor)),
                    None => Err("it is no notice of the agent".to_owned()),
                },
                (Some(stored), Ok(reader)) => {
                    while let Some((_, profile)) = later.next_if(|(from, _)| *from <= n) {
                        reader.state.learned.add(profile);
                    }
                    reader.fate(stored, &mut record)
                }
                (None, _) => Err("it is no event".to_owned()),
                (_, Err(why)) => Err(why.clone()),
            };
            looked.add(seen);
        }
        self.record = record;
        Ok(looked)
    }

    /// Writes the line of an event.
    pub fn encode(&mut self, looked: &Looked, n: usize, line: &mut Vec<u8>) -> anyhow::Result<()> {
        line.clear();
        if looked.is_stand_in(n) {
            self.notice(&looked.stand_in(), line);
            return Ok(());
        }
        let (Some(stored), Some(Fate::Sent(_, floor))) = (looked.batch.event(n), looked.fate(n)) else {
            return Ok(());
        };
        if let Some(notice) = stored.notice() {
            self.notice(&notice, line);
            return Ok(());
        }
        let mut record = std::mem::take(&mut self.record);
        let Reader { back: Back { judge, encoder }, clock, .. } =
            self.reader(&looked.batch)?.map_err(|e| anyhow!(e))?;
        stored.record(&mut record);
        if let Ok(mut ev) = event(judge.model(), clock, stored, &record) {
            ev.severity_floor = ev.severity_floor.max(floor);
            encoder.encode(&ev, line);
        }
        self.record = record;
        Ok(())
    }

    /// Writes the line of a notice.
    pub fn notice(&self, n: &Notice, line: &mut Vec<u8>) {
        line.clear();
        notice::put(n, &self.settings, &self.orders.shared.profile, line);
    }

    /// The reader for the events of a batch, set to what it depends on; or why there can be none.
    fn reader(&mut self, batch: &Batch) -> anyhow::Result<Result<&mut Reader, String>> {
        let key = (batch.header.heading.clone(), batch.header.ccsid);
        let reader = match self.readers.entry(key) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => {
                let of = match heading(self.orders, batch) {
                    Ok(of) => of,
                    Err(why) => return Ok(Err(why)),
                };
                let reader = free.insert(Reader::new(self.config, self.orders, (&of.0, of.1))?);
                if let Some(limit) = self.longest {
                    reader.back.encoder.shorten(limit);
                }
                reader
            }
        };
        if reader.of != batch.id {
            reader.begin(batch, self.orders);
        }
        Ok(Ok(reader))
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.longest = Some(limit);
        self.settings.max_size = self.settings.max_size.min(limit);
        for reader in self.readers.values_mut() {
            reader.back.encoder.shorten(limit);
        }
    }
}

/// A stored event as it was when it was read.
fn event<'e>(
    model: &'e EventModel,
    clock: &mut Clock,
    stored: StoredEvent<'_>,
    record: &'e [u8],
) -> Result<Event<'e>, String> {
    let entry = JournalEntry::new(model.heading(), record).map_err(|e| e.to_string())?;
    // The offset was resolved when the entry was read; the clock here only reads digits.
    let time = stored.offset.and_then(|offset| {
        let mut t = clock.read(&entry)?;
        t.utc_micros -= i64::from(offset) * 1_000_000;
        t.offset = offset;
        Some(t)
    });
    let mut event = model.event(entry, time);
    event.severity_floor = stored.severity_floor;
    Ok(event)
}

/// The heading and the character set of the entries of a batch; or why there can be none.
fn heading(orders: &Orders, batch: &Batch) -> Result<(Arc<Heading>, &'static Charset), String> {
    let header = &batch.header;
    let kind = HeadingKind::ALL.iter().find(|k| k.key() == header.heading);
    let heading = kind
        .and_then(|k| orders.shared.catalog.heading(*k).cloned())
        .ok_or_else(|| format!("this program knows no heading {:?}", header.heading))?;
    let charset =
        Charset::of(Ccsid(header.ccsid)).ok_or_else(|| format!("this program does not know CCSID {}", header.ccsid))?;
    Ok((heading, charset))
}

impl Reader {
    fn new(output: &OutputConfig, orders: &Orders, of: (&Arc<Heading>, &'static Charset)) -> anyhow::Result<Reader> {
        let (shared, setup) = (&orders.shared, &orders.setup);
        let settings = output.settings(output.format, &setup.config.line, &shared.profile, HeadingDefaults::default());
        let back = Back::new(&shared.parts, of, &setup.model_options, Some(output), settings)?;
        let clock = Clock::new(chrono_tz::UTC, None);
        Ok(Reader { back, clock, state: State::default(), unfiltered: false, of: 0 })
    }

    /// The events that come next are of this batch.
    fn begin(&mut self, batch: &Batch, orders: &Orders) {
        let (given, dates, learned) = match &batch.header.basis {
            Some(basis) => (basis.given(), basis.dates, basis.learned()),
            None => unsaid(batch, orders),
        };
        self.back.encoder.set_given(given);
        self.clock = Clock::new(chrono_tz::UTC, dates);
        self.state.learned = learned;
        self.unfiltered = !self.back.judge.has_effects(batch.header.basis.as_ref().map_or(0, |b| b.audit_floor));
        self.of = batch.id;
    }

    /// What becomes of an entry; or why it cannot be seen as one again.
    fn fate(&mut self, stored: StoredEvent<'_>, record: &mut Vec<u8>) -> Result<Fate, String> {
        let Reader { back: Back { judge, .. }, clock, state, unfiltered, .. } = self;
        // Type and detail stand in what is stored; only rules may look at blanks.
        let short = *unfiltered && stored.bytes.len() >= judge.model().heading().length;
        let bytes = if short {
            stored.bytes
        } else {
            stored.record(record);
            record.as_slice()
        };
        let mut ev = event(judge.model(), clock, StoredEvent { offset: None, ..stored }, bytes)?;
        if !*unfiltered && matches!(judge.verdict(&mut ev, state), Verdict::Dropped(_)) {
            return Ok(Fate::Filtered);
        }
        Ok(Fate::Sent(judge.lane(&ev), ev.severity_floor))
    }
}

/// What a batch of an older program does not say of itself, as it is today. Of profiles that is more than was known then: it
/// lets through what a rule over users would drop, and hides nothing.
fn unsaid(batch: &Batch, orders: &Orders) -> (HeadingDefaults, Option<DateFormat>, Learned) {
    let source = orders.setup.config.sources.iter().find(|s| s.name == batch.header.source);
    let position = orders.shared.spool.position(&batch.header.source).ok().flatten();
    let position: Value = position.and_then(|(text, _)| serde_json::from_str(&text).ok()).unwrap_or_default();
    let names = position.get("learned").and_then(Value::as_array).into_iter().flatten();
    let learned = names.filter_map(|n| basis::key(n.as_str()?)).collect();
    (source.map_or_else(HeadingDefaults::default, SourceConfig::given), source.and_then(|s| s.dates), learned)
}
