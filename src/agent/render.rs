//! Stored events through the eyes of one output: which of its lanes an event is in, and what its line is.
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use anyhow::anyhow;
use serde_json::Value;

use super::{
    TaskContext,
    classified::{ClassifiedBatch, Disposition},
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
pub struct RendererCache<'a> {
    config: &'a OutputConfig,
    context: &'a TaskContext,
    renderers: HashMap<(String, u16), Renderer>,
    settings: Settings,
    record: Vec<u8>,
    /// The longest line that the way takes, once a longer one did not pass.
    longest: Option<usize>,
}

/// Filters and encodes the events of one heading and CCSID.
struct Renderer {
    back: Back,
    clock: Clock,
    state: State,
    /// Whether the filter does nothing to the events of the batch.
    unfiltered: bool,
    /// The batch that it is set to.
    of: i64,
}

impl<'a> RendererCache<'a> {
    /// For an output.
    pub fn new(config: &'a OutputConfig, context: &'a TaskContext) -> RendererCache<'a> {
        let settings = config.settings(
            config.format,
            &context.setup.config.line,
            &context.shared.profile,
            HeadingDefaults::default(),
        );
        RendererCache { config, context, renderers: HashMap::new(), settings, record: Vec::new(), longest: None }
    }

    /// Says of every event of a batch what becomes of it; its notices go in this lane.
    pub fn classify(&mut self, batch: Arc<Batch>, notices: Lane) -> anyhow::Result<ClassifiedBatch> {
        let mut classified = ClassifiedBatch::new(batch.clone(), notices);
        let mut record = std::mem::take(&mut self.record);
        let mut renderer = if batch.is_empty() { Err(String::new()) } else { self.renderer(&batch)? };
        let mut later = batch.header.basis.as_ref().map(Basis::learned_later).into_iter().flatten().peekable();
        for n in 0..batch.len() {
            let seen = match (batch.event(n), &mut renderer) {
                (Some(stored), _) if stored.is_notice => match stored.notice() {
                    Some(_) => Ok(Disposition::Sent(notices, stored.severity_floor)),
                    None => Err("it is no notice of the agent".to_owned()),
                },
                (Some(stored), Ok(renderer)) => {
                    while let Some((_, profile)) = later.next_if(|(from, _)| *from <= n) {
                        renderer.state.learned.add(profile);
                    }
                    renderer.disposition(stored, &mut record)
                }
                (None, _) => Err("it is no event".to_owned()),
                (_, Err(why)) => Err(why.clone()),
            };
            classified.add(seen);
        }
        self.record = record;
        Ok(classified)
    }

    /// Writes the line of an event.
    pub fn encode(&mut self, classified: &ClassifiedBatch, n: usize, line: &mut Vec<u8>) -> anyhow::Result<()> {
        line.clear();
        if classified.is_stand_in(n) {
            self.notice(&classified.stand_in(), line);
            return Ok(());
        }
        let (Some(stored), Some(Disposition::Sent(_, floor))) = (classified.batch.event(n), classified.disposition(n))
        else {
            return Ok(());
        };
        if let Some(notice) = stored.notice() {
            self.notice(&notice, line);
            return Ok(());
        }
        let mut record = std::mem::take(&mut self.record);
        let Renderer { back: Back { judge, encoder }, clock, .. } =
            self.renderer(&classified.batch)?.map_err(|e| anyhow!(e))?;
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
        notice::put(n, &self.settings, &self.context.shared.profile, line);
    }

    /// The reader for the events of a batch, set to what it depends on; or why there can be none.
    fn renderer(&mut self, batch: &Batch) -> anyhow::Result<Result<&mut Renderer, String>> {
        let key = (batch.header.heading.clone(), batch.header.ccsid);
        let renderer = match self.renderers.entry(key) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => {
                let of = match heading(self.context, batch) {
                    Ok(of) => of,
                    Err(why) => return Ok(Err(why)),
                };
                let renderer = free.insert(Renderer::new(self.config, self.context, (&of.0, of.1))?);
                if let Some(limit) = self.longest {
                    renderer.back.encoder.shorten(limit);
                }
                renderer
            }
        };
        if renderer.of != batch.id {
            renderer.begin(batch, self.context);
        }
        Ok(Ok(renderer))
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.longest = Some(limit);
        self.settings.max_size = self.settings.max_size.min(limit);
        for renderer in self.renderers.values_mut() {
            renderer.back.encoder.shorten(limit);
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
fn heading(context: &TaskContext, batch: &Batch) -> Result<(Arc<Heading>, &'static Charset), String> {
    let header = &batch.header;
    let kind = HeadingKind::ALL.iter().find(|k| k.key() == header.heading);
    let heading = kind
        .and_then(|k| context.shared.catalog.heading(*k).cloned())
        .ok_or_else(|| format!("this program knows no heading {:?}", header.heading))?;
    let charset =
        Charset::of(Ccsid(header.ccsid)).ok_or_else(|| format!("this program does not know CCSID {}", header.ccsid))?;
    Ok((heading, charset))
}

impl Renderer {
    fn new(
        output: &OutputConfig,
        context: &TaskContext,
        of: (&Arc<Heading>, &'static Charset),
    ) -> anyhow::Result<Renderer> {
        let (shared, setup) = (&context.shared, &context.setup);
        let settings = output.settings(output.format, &setup.config.line, &shared.profile, HeadingDefaults::default());
        let back = Back::new(&shared.parts, of, &setup.model_options, Some(output), settings)?;
        let clock = Clock::new(chrono_tz::UTC, None);
        Ok(Renderer { back, clock, state: State::default(), unfiltered: false, of: 0 })
    }

    /// The events that come next are of this batch.
    fn begin(&mut self, batch: &Batch, context: &TaskContext) {
        let (given, dates, learned) = match &batch.header.basis {
            Some(basis) => (basis.given(), basis.dates, basis.learned()),
            None => unsaid(batch, context),
        };
        self.back.encoder.set_given(given);
        self.clock = Clock::new(chrono_tz::UTC, dates);
        self.state.learned = learned;
        self.unfiltered = !self.back.judge.has_effects(batch.header.basis.as_ref().map_or(0, |b| b.audit_floor));
        self.of = batch.id;
    }

    /// What becomes of an entry; or why it cannot be seen as one again.
    fn disposition(&mut self, stored: StoredEvent<'_>, record: &mut Vec<u8>) -> Result<Disposition, String> {
        let Renderer { back: Back { judge, .. }, clock, state, unfiltered, .. } = self;
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
            return Ok(Disposition::Filtered);
        }
        Ok(Disposition::Sent(judge.lane(&ev), ev.severity_floor))
    }
}

/// What a batch of an older program does not say of itself, as it is today. Of profiles that is more than was known then: it
/// lets through what a rule over users would drop, and hides nothing.
fn unsaid(batch: &Batch, context: &TaskContext) -> (HeadingDefaults, Option<DateFormat>, Learned) {
    let source = context.setup.config.sources.iter().find(|s| s.name == batch.header.source);
    let position = context.shared.spool.position(&batch.header.source).ok().flatten();
    let position: Value = position.and_then(|(text, _)| serde_json::from_str(&text).ok()).unwrap_or_default();
    let names = position.get("learned").and_then(Value::as_array).into_iter().flatten();
    let learned = names.filter_map(|n| basis::key(n.as_str()?)).collect();
    (source.map_or_else(HeadingDefaults::default, SourceConfig::given), source.and_then(|s| s.dates), learned)
}
