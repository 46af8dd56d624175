//! Stored events through the eyes of one output: which of its lanes an event is in, and what its line is.
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use anyhow::anyhow;
use serde_json::Value;

use super::Orders;
use crate::{
    config::{OutputConfig, SourceConfig, output::Pass},
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Entry as JournalEntry, HeadingKind},
    },
    encode::{Encoder, Profile, Settings, notice, value::Given},
    event::{Clock, DateFormat, Event, EventModel, Notice, Options, notice::GAP},
    filter::{Filter, State, UnknownType, Verdict, protect::Learned, types::Compiled},
    spool::{Basis, Batch, Lane, Stored, basis},
};

/// What becomes of one event at this output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes, in this lane; its severity is at least this.
    Sent(Lane, u8),
    /// The filter of the output drops it.
    Filtered,
    /// It is stored, and cannot be seen as an entry again. In the place of the first of a batch a notice goes that says so.
    Unreadable {
        /// Whether it is the first.
        first: bool,
    },
}

impl Fate {
    /// The lane in which something goes.
    fn lane(self) -> Option<Lane> {
        match self {
            Fate::Sent(lane, _) => Some(lane),
            Fate::Unreadable { first: true } => Some(Lane::Priority),
            Fate::Filtered | Fate::Unreadable { first: false } => None,
        }
    }
}

/// A batch, looked through.
pub struct Looked {
    /// The batch.
    pub batch: Arc<Batch>,
    fates: Vec<Fate>,
    counts: [usize; Lane::COUNT],
    /// Events that the filter of the output drops.
    pub filtered: usize,
    /// Events that cannot be seen as entries again, and why the first of them cannot.
    pub unreadable: usize,
    why: String,
}

impl Looked {
    /// The first event of a lane from `from` on.
    pub fn next(&self, lane: Lane, from: usize) -> Option<usize> {
        if self.counts[lane.index()] == 0 {
            return None;
        }
        let rest = self.fates.get(from..)?;
        rest.iter().position(|f| f.lane() == Some(lane)).map(|n| from + n)
    }

    /// Whether an event is one in whose place a notice goes.
    pub fn is_stand_in(&self, n: usize) -> bool {
        self.fates.get(n) == Some(&Fate::Unreadable { first: true })
    }

    /// Why what cannot be read cannot.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// What of the batch cannot be read, and why.
    pub fn complaint(&self) -> String {
        let a = &self.batch.about;
        format!(
            "{} of {} stored events cannot be read: {} (batch {}, source {}, receiver {}, sequence {} to {})",
            self.unreadable,
            self.batch.len(),
            self.why,
            self.batch.id,
            a.source,
            a.receiver,
            a.first_sequence,
            a.last_sequence
        )
    }

    /// The notice in the place of what cannot be read.
    fn stand_in(&self) -> Notice {
        let a = &self.batch.about;
        let zone = a.zone.parse().unwrap_or(chrono_tz::UTC);
        Notice::new(GAP, &a.system, a.made, zone).with("source", &a.source).with("missing", self.complaint())
    }
}

/// Decodes, filters and encodes the events of one heading and CCSID.
struct Reader {
    model: EventModel,
    filter: Filter,
    encoder: Encoder,
    clock: Clock,
    state: State,
    priority: Option<Compiled>,
    /// What passes a spent daily budget; `None` where there is none.
    pass: Option<Passing>,
    /// Whether the filter does nothing to the events of the batch.
    unfiltered: bool,
    /// The batch that it is set to.
    of: i64,
}

/// What passes a spent daily budget.
struct Passing {
    types: Option<Compiled>,
    severity: Option<u8>,
}

impl Passing {
    fn new(model: &EventModel, pass: &Pass) -> Result<Passing, UnknownType> {
        let none = pass.types.send.is_empty();
        let types = if none { None } else { Some(Compiled::new(model, &pass.types)?) };
        Ok(Passing { types, severity: pass.severity })
    }

    fn passes(&self, ev: &Event<'_>) -> bool {
        self.types.as_ref().is_some_and(|t| t.drops(ev).is_none()) || self.severity.is_some_and(|s| ev.severity() >= s)
    }
}

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

impl<'a> Readers<'a> {
    /// For an output.
    pub fn new(config: &'a OutputConfig, orders: &'a Orders) -> Readers<'a> {
        let settings =
            config.settings(config.format, &orders.setup.config.line, &orders.shared.profile, Given::default());
        Readers { config, orders, readers: HashMap::new(), settings, record: Vec::new(), longest: None }
    }

    /// Says of every event of a batch what becomes of it.
    pub fn look(&mut self, batch: Arc<Batch>) -> anyhow::Result<Looked> {
        let mut looked = Looked {
            fates: Vec::with_capacity(batch.len()),
            counts: [0; Lane::COUNT],
            filtered: 0,
            unreadable: 0,
            why: String::new(),
            batch: batch.clone(),
        };
        let mut record = std::mem::take(&mut self.record);
        let mut reader = if batch.is_empty() { Err(String::new()) } else { self.reader(&batch)? };
        let mut later = batch.about.basis.as_ref().map(Basis::learned_later).into_iter().flatten().peekable();
        for n in 0..batch.len() {
            let seen = match (batch.event(n), &mut reader) {
                (Some(stored), _) if stored.is_notice => Ok(Fate::Sent(Lane::Priority, stored.severity_floor)),
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
        let (Some(stored), Some(Fate::Sent(_, floor))) = (looked.batch.event(n), looked.fates.get(n)) else {
            return Ok(());
        };
        if let Some(notice) = stored.notice() {
            self.notice(&notice, line);
            return Ok(());
        }
        let mut record = std::mem::take(&mut self.record);
        let Reader { model, clock, encoder, .. } = self.reader(&looked.batch)?.map_err(|e| anyhow!(e))?;
        stored.record(&mut record);
        if let Ok(mut ev) = event(model, clock, stored, &record) {
            ev.severity_floor = ev.severity_floor.max(*floor);
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
        let key = (batch.about.heading.clone(), batch.about.ccsid);
        let reader = match self.readers.entry(key) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => {
                let model = match model(self.config, self.orders, batch) {
                    Ok(model) => model,
                    Err(why) => return Ok(Err(why)),
                };
                let reader = free.insert(Reader::new(self.config, self.orders, model)?);
                if let Some(limit) = self.longest {
                    reader.shorten(&self.orders.shared.profile, limit);
                }
                reader
            }
        };
        if reader.of != batch.id {
            reader.begin(batch, self.config, self.orders);
        }
        Ok(Ok(reader))
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.longest = Some(limit);
        for reader in self.readers.values_mut() {
            reader.shorten(&self.orders.shared.profile, limit);
        }
    }
}

impl Looked {
    /// What becomes of the next event.
    fn add(&mut self, seen: Result<Fate, String>) {
        let fate = seen.unwrap_or_else(|why| {
            let first = self.unreadable == 0;
            self.unreadable += 1;
            if first {
                self.why = why;
            }
            Fate::Unreadable { first }
        });
        self.filtered += usize::from(fate == Fate::Filtered);
        if let Some(lane) = fate.lane() {
            self.counts[lane.index()] += 1;
        }
        self.fates.push(fate);
    }
}

/// A stored event as it was when it was read.
fn event<'e>(
    model: &'e EventModel,
    clock: &mut Clock,
    stored: Stored<'_>,
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

/// The model for the entries of a batch; or why there can be none.
fn model(output: &OutputConfig, orders: &Orders, batch: &Batch) -> Result<EventModel, String> {
    let (shared, setup) = (&orders.shared, &orders.setup);
    let about = &batch.about;
    let kind = HeadingKind::ALL.iter().find(|k| k.key() == about.heading);
    let heading = kind
        .and_then(|k| shared.catalog.heading(*k).cloned())
        .ok_or_else(|| format!("this program knows no heading {:?}", about.heading))?;
    let charset =
        Charset::of(Ccsid(about.ccsid)).ok_or_else(|| format!("this program does not know CCSID {}", about.ccsid))?;
    let options = Options { include_guesses: output.include_guesses, ..setup.model_options.clone() };
    Ok(EventModel::new(shared.catalog.clone(), heading, charset, options))
}

impl Reader {
    fn new(output: &OutputConfig, orders: &Orders, model: EventModel) -> anyhow::Result<Reader> {
        let (shared, setup) = (&orders.shared, &orders.setup);
        let filter = Filter::new(&model, &output.filter, None).map_err(|e| anyhow!(e))?;
        let settings = output.settings(output.format, &setup.config.line, &shared.profile, Given::default());
        let encoder = Encoder::new(&model, shared.profile.clone(), settings);
        let priority = match output.priority_types.send.is_empty() {
            true => None,
            false => Some(Compiled::new(&model, &output.priority_types).map_err(|e| anyhow!(e))?),
        };
        let pass = match output.limits.bytes_per_day {
            None => None,
            Some(_) => Some(Passing::new(&model, &output.pass).map_err(|e| anyhow!(e))?),
        };
        let clock = Clock::new(chrono_tz::UTC, None);
        Ok(Reader { model, filter, encoder, clock, state: State::default(), priority, pass, unfiltered: false, of: 0 })
    }

    /// The events that come next are of this batch.
    fn begin(&mut self, batch: &Batch, output: &OutputConfig, orders: &Orders) {
        let (given, dates, learned) = match &batch.about.basis {
            Some(basis) => (basis.given(), basis.dates, basis.learned()),
            None => unsaid(batch, orders),
        };
        self.encoder.set_given(given);
        self.clock = Clock::new(chrono_tz::UTC, dates);
        self.state.learned = learned;
        self.unfiltered = !output.filter.has_effects(batch.about.basis.as_ref().map_or(0, |b| b.audit_floor));
        self.of = batch.id;
    }

    fn shorten(&mut self, profile: &Profile, limit: usize) {
        let settings = self.encoder.settings().clone();
        let settings = Settings { max_size: settings.max_size.min(limit), ..settings };
        self.encoder = Encoder::new(&self.model, profile.clone(), settings);
    }

    /// What becomes of an entry; or why it cannot be seen as one again.
    fn fate(&mut self, stored: Stored<'_>, record: &mut Vec<u8>) -> Result<Fate, String> {
        let Reader { model, filter, clock, state, priority, pass, unfiltered, .. } = self;
        // Type and detail stand in what is stored; only rules may look at blanks.
        let short = *unfiltered && stored.bytes.len() >= model.heading().length;
        let bytes = if short {
            stored.bytes
        } else {
            stored.record(record);
            record.as_slice()
        };
        let mut ev = event(model, clock, Stored { offset: None, ..stored }, bytes)?;
        if !*unfiltered {
            match filter.verdict(&ev, state) {
                Verdict::Dropped(_) => return Ok(Fate::Filtered),
                sent => sent.raise(&mut ev),
            }
        }
        let first = priority.as_ref().is_some_and(|p| p.drops(&ev).is_none());
        let held = pass.as_ref().is_some_and(|p| !p.passes(&ev));
        Ok(Fate::Sent(Lane::of(first, held), ev.severity_floor))
    }
}

/// What a batch of an older program does not say of itself, as it is today. Of profiles that is more than was known then: it
/// lets through what a rule over users would drop, and hides nothing.
fn unsaid(batch: &Batch, orders: &Orders) -> (Given, Option<DateFormat>, Learned) {
    let source = orders.setup.config.sources.iter().find(|s| s.name == batch.about.source);
    let position = orders.shared.spool.position(&batch.about.source).ok().flatten();
    let position: Value = position.and_then(|(text, _)| serde_json::from_str(&text).ok()).unwrap_or_default();
    let names = position.get("learned").and_then(Value::as_array).into_iter().flatten();
    let learned = names.filter_map(|n| basis::key(n.as_str()?)).collect();
    (source.map_or_else(Given::default, SourceConfig::given), source.and_then(|s| s.dates), learned)
}
