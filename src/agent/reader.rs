//! Stored events through the eyes of one output: which of its lanes an event is in, and what its line is.
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use anyhow::anyhow;

use super::Orders;
use crate::{
    config::{OutputConfig, SourceConfig, output::Pass},
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Entry as JournalEntry, HeadingKind},
    },
    encode::{Encoder, Profile, Settings, notice, value::Given},
    event::{Clock, Event, EventModel, Notice, Options},
    filter::{Filter, State, UnknownType, Verdict, types::Compiled},
    spool::{Batch, Lane, Stored},
};

/// What becomes of one event at this output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes, in this lane; its severity is at least this.
    Sent(Lane, u8),
    /// The filter of the output drops it.
    Filtered,
}

/// A batch, looked through.
pub struct Looked {
    /// The batch.
    pub batch: Arc<Batch>,
    fates: Vec<Fate>,
    counts: [usize; Lane::COUNT],
    /// Events that the filter of the output drops.
    pub filtered: usize,
}

impl Looked {
    /// The first event of a lane from `from` on.
    pub fn next(&self, lane: Lane, from: usize) -> Option<usize> {
        if self.counts[lane.index()] == 0 {
            return None;
        }
        let rest = self.fates.get(from..)?;
        rest.iter().position(|f| matches!(f, Fate::Sent(l, _) if *l == lane)).map(|n| from + n)
    }
}

/// Decodes, filters and encodes the events of one source.
struct Reader {
    model: EventModel,
    filter: Filter,
    encoder: Encoder,
    clock: Clock,
    state: State,
    priority: Option<Compiled>,
    /// What passes a spent daily budget; `None` where there is none.
    pass: Option<Passing>,
    /// Whether the filter looks at nothing.
    unfiltered: bool,
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

/// The readers of one output, by source and heading.
pub struct Readers<'a> {
    config: &'a OutputConfig,
    orders: &'a Orders,
    readers: HashMap<(String, String), Reader>,
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
        let mut fates = Vec::with_capacity(batch.len());
        let mut counts = [0; Lane::COUNT];
        let mut filtered = 0;
        let mut record = std::mem::take(&mut self.record);
        if !batch.is_empty() {
            let reader = self.reader(&batch)?;
            for n in 0..batch.len() {
                let fate = batch.event(n).map_or(Fate::Filtered, |stored| reader.fate(stored, &mut record));
                match fate {
                    Fate::Sent(lane, _) => counts[lane.index()] += 1,
                    Fate::Filtered => filtered += 1,
                }
                fates.push(fate);
            }
        }
        self.record = record;
        Ok(Looked { batch, fates, counts, filtered })
    }

    /// Writes the line of an event.
    pub fn encode(&mut self, looked: &Looked, n: usize, line: &mut Vec<u8>) -> anyhow::Result<()> {
        line.clear();
        let (Some(stored), Some(Fate::Sent(_, floor))) = (looked.batch.event(n), looked.fates.get(n)) else {
            return Ok(());
        };
        if let Some(notice) = stored.notice() {
            self.notice(&notice, line);
            return Ok(());
        }
        let mut record = std::mem::take(&mut self.record);
        let Reader { model, clock, encoder, .. } = self.reader(&looked.batch)?;
        stored.record(&mut record);
        if let Some(mut ev) = event(model, clock, stored, &record) {
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

    /// The reader for the events of a batch.
    fn reader(&mut self, batch: &Batch) -> anyhow::Result<&mut Reader> {
        let key = (batch.about.source.clone(), batch.about.heading.clone());
        match self.readers.entry(key) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(free) => {
                let reader = free.insert(Reader::new(self.config, self.orders, batch)?);
                if let Some(limit) = self.longest {
                    reader.shorten(&self.orders.shared.profile, limit);
                }
                Ok(reader)
            }
        }
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.longest = Some(limit);
        for reader in self.readers.values_mut() {
            reader.shorten(&self.orders.shared.profile, limit);
        }
    }
}

/// A stored event as it was when it was read.
fn event<'e>(model: &'e EventModel, clock: &mut Clock, stored: Stored<'_>, record: &'e [u8]) -> Option<Event<'e>> {
    let entry = JournalEntry::new(model.heading(), record).ok()?;
    // The offset was resolved when the entry was read; the clock here only reads digits.
    let time = stored.offset.and_then(|offset| {
        let mut t = clock.read(&entry)?;
        t.utc_micros -= i64::from(offset) * 1_000_000;
        t.offset = offset;
        Some(t)
    });
    let mut event = model.event(entry, time);
    event.severity_floor = stored.severity_floor;
    Some(event)
}

impl Reader {
    fn new(output: &OutputConfig, orders: &Orders, batch: &Batch) -> anyhow::Result<Reader> {
        let (shared, setup) = (&orders.shared, &orders.setup);
        let about = &batch.about;
        // A batch of notices alone, stored before the first record came, has none: any will do.
        let nothing_read = about.heading.is_empty();
        let kind = HeadingKind::ALL.iter().find(|k| nothing_read || k.key() == about.heading);
        let heading = kind
            .and_then(|k| shared.catalog.heading(*k).cloned())
            .ok_or_else(|| anyhow!("no heading {:?} is known", about.heading))?;
        let charset = Charset::of(Ccsid(about.ccsid)).ok_or_else(|| anyhow!("CCSID {} is not known", about.ccsid))?;
        let options = Options { include_guesses: output.include_guesses, ..setup.model_options.clone() };
        let model = EventModel::new(shared.catalog.clone(), heading, charset, options);
        let filter = Filter::new(&model, &output.filter, None).map_err(|e| anyhow!(e))?;
        let source = setup.config.sources.iter().find(|s| s.name == about.source);
        let given = source.map_or_else(Given::default, SourceConfig::given);
        let settings = output.settings(output.format, &setup.config.line, &shared.profile, given);
        let encoder = Encoder::new(&model, shared.profile.clone(), settings);
        let priority = match output.priority_types.send.is_empty() {
            true => None,
            false => Some(Compiled::new(&model, &output.priority_types).map_err(|e| anyhow!(e))?),
        };
        let pass = match output.limits.bytes_per_day {
            None => None,
            Some(_) => Some(Passing::new(&model, &output.pass).map_err(|e| anyhow!(e))?),
        };
        let clock = Clock::new(chrono_tz::UTC, source.and_then(|s| s.dates));
        let unfiltered = output.filter.is_empty();
        Ok(Reader { model, filter, encoder, clock, state: State::default(), priority, pass, unfiltered })
    }

    fn shorten(&mut self, profile: &Profile, limit: usize) {
        let settings = self.encoder.settings().clone();
        let settings = Settings { max_size: settings.max_size.min(limit), ..settings };
        self.encoder = Encoder::new(&self.model, profile.clone(), settings);
    }

    fn fate(&mut self, stored: Stored<'_>, record: &mut Vec<u8>) -> Fate {
        if stored.is_notice {
            return Fate::Sent(Lane::Priority, stored.severity_floor);
        }
        let Reader { model, filter, clock, state, priority, pass, unfiltered, .. } = self;
        // Type and detail stand in what is stored; only rules may look at blanks.
        let short = *unfiltered && stored.bytes.len() >= model.heading().length;
        let bytes = if short {
            stored.bytes
        } else {
            stored.record(record);
            record.as_slice()
        };
        let Some(mut ev) = event(model, clock, Stored { offset: None, ..stored }, bytes) else {
            return Fate::Filtered;
        };
        if !*unfiltered {
            match filter.verdict(&ev, state) {
                Verdict::Dropped(_) => return Fate::Filtered,
                sent => sent.raise(&mut ev),
            }
        }
        let first = priority.as_ref().is_some_and(|p| p.drops(&ev).is_none());
        let held = pass.as_ref().is_some_and(|p| !p.passes(&ev));
        Fate::Sent(Lane::of(first, held), ev.severity_floor)
    }
}
