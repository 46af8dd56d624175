//! One output: takes events from the spool at its own cursors, and hands them to its connection at its own pace.
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use chrono::Utc;

use super::{
    Shared,
    link::{Link, route::Route},
    log,
    window::Window,
};
use crate::{
    config::{OutputConfig, SourceConfig},
    decode::journal::Entry,
    encode::{Encoder, Settings, value::Given},
    event::{Clock, EventModel},
    filter::{Filter, State},
    output::{
        OutputError,
        meter::{Answer, Meter},
        stream::Flushed,
        wait::Stop,
    },
    spool::{Batch, Cursor, Lane, Stored},
};

/// What an output did, for reports. spooled = sent + filtered + waiting; `resent` apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events that left the window: done.
    pub sent: AtomicU64,
    /// Events that its own filter drops.
    pub filtered: AtomicU64,
    /// Events that were handed to a connection once more.
    pub resent: AtomicU64,
}

/// The first wait after a failed connection, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How often acknowledgements are looked at, and cursors moved.
const TICK: Duration = Duration::from_millis(100);

/// So long a receiver takes nothing before the log says so.
const STALLED: Duration = Duration::from_secs(5);
/// What an IPv4 datagram holds beside its headers (RFC 791, RFC 768).
const LARGEST_DATAGRAM: usize = 65_507;
/// The smallest `max_size`.
const SHORTEST: usize = 480;

/// Decodes, filters and encodes the events of one source for this output.
struct Reader {
    model: EventModel,
    filter: Filter,
    encoder: Encoder,
    clock: Clock,
    state: State,
    /// By event type: whether it goes in the priority lane.
    priority: Vec<bool>,
}

/// Where a lane reads.
#[derive(Default)]
struct Reading {
    next: Cursor,
    batch: Option<Arc<Batch>>,
    /// Events before this one were counted.
    counted: Cursor,
}

struct Worker<'a> {
    config: &'a OutputConfig,
    shared: &'a Shared,
    counters: &'a Counters,
    readers: HashMap<String, Reader>,
    reading: [Reading; 2],
    window: Window,
    meter: Meter,
    began: Instant,
    record: Vec<u8>,
    line: Vec<u8>,
    /// The longest line that the way takes, once a longer one did not pass.
    longest: Option<usize>,
}

/// How serving a connection ended.
enum Served {
    /// Everything is delivered, or the agent stops.
    Everything,
    /// Everything that was sent is delivered; there is more to come.
    Enough,
}

/// What a lane holds next.
enum Next {
    /// An event, encoded in `line`; the cursor behind it.
    Event(Cursor),
    /// Nothing at present.
    Nothing,
}

/// Runs one output until everything is delivered or the agent stops.
pub fn run(config: &OutputConfig, shared: &Arc<Shared>, counters: &Counters) {
    let began = Instant::now();
    let meter = match Meter::new(config.limits.clone(), None, Duration::ZERO, Utc::now().timestamp_micros()) {
        Ok(meter) => meter,
        Err(e) => {
            log(format_args!("output {}: meter: {e}", config.name));
            return shared.failed.store(true, Ordering::Relaxed);
        }
    };
    let mut worker = Worker {
        config,
        shared,
        counters,
        readers: HashMap::new(),
        reading: [Reading::default(), Reading::default()],
        window: Window::default(),
        meter,
        began,
        record: Vec::new(),
        line: Vec::new(),
        longest: None,
    };
    let (wished, over) = (shared.clone(), shared.clone());
    let mut route = Route::new(
        config,
        Stop::when(move || wished.must_stop() || wished.stop.load(Ordering::Relaxed)),
        Stop::when(move || over.must_stop()),
    );
    for lane in Lane::ALL {
        worker.reading[lane.index()].counted = shared.spool.cursor(&config.name, lane);
    }
    let mut wait = BACKOFF.0;
    let mut told = String::new();
    while !worker.is_done() {
        worker.rewind();
        let connected = Instant::now();
        let served = route.open().map_err(anyhow::Error::from).and_then(|mut link| {
            let served = worker.serve(&mut link, &mut route, &mut told);
            if served.is_err() {
                route.failed();
            }
            worker.tell_notes(&mut link);
            served
        });
        match served {
            Ok(Served::Everything) => break,
            Ok(Served::Enough) => wait = BACKOFF.0,
            Err(e) => {
                let again = worker.window.fail();
                counters.resent.fetch_add(again as u64, Ordering::Relaxed);
                let text = format!("output {}: {e}", config.name);
                if text != told {
                    log(format_args!("{text}; {again} events will be sent again"));
                    told = text;
                }
                // What is not delivered stays in the spool: an agent that stops makes no more connections.
                if shared.must_stop() || shared.stop.load(Ordering::Relaxed) {
                    break;
                }
                if connected.elapsed() > Duration::from_secs(10) {
                    wait = BACKOFF.0;
                }
                shared.pause(jittered(wait));
                wait = (wait * 2).min(BACKOFF.1);
            }
        }
    }
}

/// A random part is taken off a wait, so that many agents do not come back at the same moment.
fn jittered(wait: Duration) -> Duration {
    let noise = u64::from(Utc::now().timestamp_subsec_nanos()) % 1_000;
    wait.mul_f64(0.5 + noise as f64 / 2_000.0)
}

impl Worker<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Everything is read and delivered, or the agent is to stop at once.
    fn is_done(&self) -> bool {
        self.shared.must_stop()
            || self.shared.sources_ended()
                && Lane::ALL
                    .iter()
                    .all(|l| self.shared.spool.cursor(&self.config.name, *l).batch > self.shared.spool.last())
    }

    /// Both lanes read from what is not acknowledged.
    fn rewind(&mut self) {
        for lane in Lane::ALL {
            let reading = &mut self.reading[lane.index()];
            reading.next = self.shared.spool.cursor(&self.config.name, lane);
            reading.batch = None;
        }
    }

    /// Serves one connection.
    fn serve(&mut self, link: &mut Link, route: &mut Route, told: &mut String) -> anyhow::Result<Served> {
        if !std::mem::take(told).is_empty() {
            log(format_args!("output {}: connected again", self.config.name));
        }
        let mut ticked = Instant::now();
        let mut stalled: Option<Instant> = None;
        let mut stall_told = false;
        loop {
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                link.look()?;
                self.tell_notes(link);
                self.settle_at_rest(link);
                if route.first_is_back() {
                    if stalled.is_some() || link.flush()? == Flushed::Stalled {
                        return Err(anyhow!("the first address is back, and this receiver takes nothing"));
                    }
                    self.finish(link)?;
                    return Ok(Served::Enough);
                }
            }
            if self.shared.must_stop() {
                return Err(anyhow!("stopped"));
            }
            if self.shared.stop.load(Ordering::Relaxed) && stalled.is_none() && link.flush()? == Flushed::All {
                self.finish(link)?;
                return Ok(Served::Everything);
            }
            if link.is_full() || stalled.is_some() {
                match link.flush()? {
                    Flushed::All => {
                        stalled = None;
                        if std::mem::take(&mut stall_told) {
                            log(format_args!("output {}: the receiver reads again", self.config.name));
                        }
                    }
                    Flushed::Stalled => {
                        let since = *stalled.get_or_insert_with(Instant::now);
                        if since.elapsed() >= self.config.stall_timeout {
                            return Err(anyhow!("the receiver took nothing for {} s", since.elapsed().as_secs()));
                        }
                        if !stall_told && since.elapsed() > STALLED {
                            stall_told = true;
                            let (name, most) = (&self.config.name, self.config.stall_timeout.as_secs());
                            log(format_args!(
                                "output {name}: stalled: the receiver takes nothing at present; it has {most} s (stall_timeout)"
                            ));
                        }
                        continue;
                    }
                }
            }
            if let Some((lane, next)) = self.next()? {
                self.meter(link)?;
                self.take(link, lane)?;
                let bytes = self.line.len() as u64;
                self.window.push(lane, next, bytes, self.now());
                continue;
            }
            if link.flush()? == Flushed::Stalled {
                stalled.get_or_insert_with(Instant::now);
                continue;
            }
            self.settle_at_rest(link);
            // Asked in this order: what a source stored before it ended is seen by the second look.
            if self.shared.sources_ended() && self.is_at_end() {
                self.finish(link)?;
                return Ok(Served::Everything);
            }
            // What is in the window fills the spool, and nothing more can come that would push it out: a receiver that
            // closes with us has read it.
            if !self.window.is_empty() && self.shared.spool.is_full() {
                self.finish(link)?;
                return Ok(Served::Enough);
            }
            let from = self.reading.iter().map(|r| r.next.batch).min().unwrap_or(0);
            self.shared.spool.wait(from.max(self.shared.spool.last() + 1), TICK);
        }
    }

    /// Hands the line over; one that the way does not take is written again, shorter, as all after it.
    fn take(&mut self, link: &mut Link, lane: Lane) -> anyhow::Result<()> {
        loop {
            match link.take(&self.line) {
                Err(OutputError::TooLong { to, bytes }) if bytes > SHORTEST => {
                    let limit =
                        if bytes > LARGEST_DATAGRAM { LARGEST_DATAGRAM } else { (bytes - bytes / 4).max(SHORTEST) };
                    log(format_args!(
                        "output {}: {to}: the way takes no datagram of {bytes} bytes: lines are cut at {limit} from now on",
                        self.config.name
                    ));
                    self.longest = Some(limit);
                    for reader in self.readers.values_mut() {
                        reader.shorten(self.shared, limit);
                    }
                    let reading = &self.reading[lane.index()];
                    let event = reading.next.event.checked_sub(1);
                    let batch = reading.batch.clone();
                    let stored = batch.as_ref().zip(event).and_then(|(b, e)| Some((b, b.event(e)?)));
                    let (batch, stored) = stored.ok_or_else(|| anyhow!("the event to shorten is gone"))?;
                    self.encode(batch, stored, lane)?;
                }
                other => return Ok(other?),
            }
        }
    }

    fn tell_notes(&self, link: &mut Link) {
        for note in link.notes() {
            log(format_args!("output {}: {note}", self.config.name));
        }
    }

    fn is_at_end(&self) -> bool {
        self.reading.iter().all(|r| r.next.batch > self.shared.spool.last())
    }

    /// Waits until the meter lets the line in `line` go; what was gathered goes out before a wait.
    fn meter(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let bytes = self.line.len() as u64;
        loop {
            let (now, wall) = (self.now(), Utc::now().timestamp_micros());
            match self.meter.ask(now, wall, bytes, false) {
                Answer::Now => {
                    self.meter.took(now, wall, bytes);
                    return Ok(());
                }
                Answer::Wait(wait) => {
                    link.flush()?;
                    self.settle(link);
                    thread::sleep(wait.min(TICK));
                }
                Answer::Held(_) => {
                    link.flush()?;
                    self.settle(link);
                    link.look()?;
                    self.shared.pause(TICK * 5);
                }
            }
            if self.shared.must_stop() {
                return Err(anyhow!("stopped"));
            }
        }
    }

    /// Moves the cursors behind what is done.
    fn settle(&mut self, link: &mut Link) {
        let before = self.window.len();
        let now = self.now();
        let moved = link.pass(&mut self.window, self.config.resend_window, now);
        self.counters.sent.fetch_add((before - self.window.len()) as u64, Ordering::Relaxed);
        for lane in Lane::ALL {
            if let Some(cursor) = moved[lane.index()] {
                self.shared.spool.advance(&self.config.name, lane, cursor);
            }
        }
    }

    /// The same between two events: a lane with nothing on the way stands where it reads, behind what it passed over.
    fn settle_at_rest(&mut self, link: &mut Link) {
        self.settle(link);
        for lane in Lane::ALL.into_iter().filter(|l| self.window.is_clear(*l)) {
            self.shared.spool.advance(&self.config.name, lane, self.reading[lane.index()].next);
        }
    }

    /// Ends the connection cleanly: the receiver has read everything when it closes too.
    fn finish(&mut self, link: &mut Link) -> anyhow::Result<()> {
        // A slow receiver has what the system holds for it still to read: it gets the time that one that stalls gets.
        let stops = self.shared.stop.load(Ordering::Relaxed);
        let at_most = if stops { self.shared.config.stop_timeout } else { self.config.stall_timeout };
        if !link.finish(at_most)? {
            return Err(anyhow!(
                "the receiver did not close within {} s: whether it read the last lines is not known",
                at_most.as_secs()
            ));
        }
        self.counters.sent.fetch_add(self.window.len() as u64, Ordering::Relaxed);
        self.window = Window::default();
        for lane in Lane::ALL {
            self.shared.spool.advance(&self.config.name, lane, self.reading[lane.index()].next);
        }
        Ok(())
    }

    /// The next event to send, encoded in `line`: of the priority lane if there is one.
    fn next(&mut self) -> anyhow::Result<Option<(Lane, Cursor)>> {
        for lane in Lane::ALL {
            if let Next::Event(cursor) = self.next_of(lane)? {
                return Ok(Some((lane, cursor)));
            }
        }
        Ok(None)
    }

    fn next_of(&mut self, lane: Lane) -> anyhow::Result<Next> {
        loop {
            let reading = &mut self.reading[lane.index()];
            let batch = match &reading.batch {
                Some(batch) => batch.clone(),
                None => {
                    let Some(batch) = self.shared.spool.next(reading.next.batch)? else { return Ok(Next::Nothing) };
                    if batch.id > reading.next.batch {
                        reading.next = Cursor { batch: batch.id, event: 0 };
                    }
                    reading.batch = Some(batch.clone());
                    batch
                }
            };
            while let Some(stored) = batch.event(self.reading[lane.index()].next.event) {
                let reading = &mut self.reading[lane.index()];
                let at = reading.next;
                reading.next.event += 1;
                let next = reading.next;
                let first_time = at >= reading.counted;
                reading.counted = reading.counted.max(next);
                match self.encode(&batch, stored, lane)? {
                    Encoded::Line => return Ok(Next::Event(next)),
                    Encoded::Filtered if first_time => {
                        self.counters.filtered.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                }
            }
            let reading = &mut self.reading[lane.index()];
            reading.next = Cursor { batch: batch.id + 1, event: 0 };
            reading.batch = None;
        }
    }

    /// Writes the line of a stored event, if it is this lane's and this output's.
    fn encode(&mut self, batch: &Batch, stored: Stored<'_>, lane: Lane) -> anyhow::Result<Encoded> {
        let source = &batch.about.source;
        if !self.readers.contains_key(source) {
            let mut reader = Reader::new(self.config, self.shared, batch)?;
            if let Some(limit) = self.longest {
                reader.shorten(self.shared, limit);
            }
            self.readers.insert(source.clone(), reader);
        }
        let Some(reader) = self.readers.get_mut(source) else { return Ok(Encoded::Other) };
        stored.record(&mut self.record);
        let Ok(entry) = Entry::new(reader.model.heading(), &self.record) else { return Ok(Encoded::Other) };
        let first = reader.priority.get(reader.model.index_of(&entry)).copied().unwrap_or(false);
        if first != (lane == Lane::Priority) {
            return Ok(Encoded::Other);
        }
        // The offset was resolved when the entry was read; the clock here only reads digits.
        let time = stored.offset.and_then(|offset| {
            let mut t = reader.clock.read(&entry)?;
            t.utc_micros -= i64::from(offset) * 1_000_000;
            t.offset = offset;
            Some(t)
        });
        let mut event = reader.model.event(entry, time);
        event.severity_floor = stored.severity_floor;
        let verdict = reader.filter.verdict(&event, &mut reader.state);
        if !verdict.is_sent() {
            return Ok(Encoded::Filtered);
        }
        verdict.raise(&mut event);
        self.line.clear();
        reader.encoder.encode(&event, &mut self.line);
        Ok(Encoded::Line)
    }
}

/// What became of a stored event.
enum Encoded {
    /// Its line is written.
    Line,
    /// The filter of the output drops it.
    Filtered,
    /// It belongs to the other lane.
    Other,
}

impl Reader {
    fn new(output: &OutputConfig, shared: &Shared, batch: &Batch) -> anyhow::Result<Reader> {
        let about = &batch.about;
        let heading =
            shared.heading(&about.heading).ok_or_else(|| anyhow!("no heading {:?} is known", about.heading))?;
        let charset = crate::decode::ebcdic::Charset::of(crate::decode::ebcdic::Ccsid(about.ccsid))
            .ok_or_else(|| anyhow!("CCSID {} is not known", about.ccsid))?;
        let options = crate::event::Options { include_guesses: output.include_guesses, ..shared.model_options.clone() };
        let model = EventModel::new(shared.catalog.clone(), heading, charset, options);
        let filter = Filter::new(&model, &output.filter, None).map_err(|e| anyhow!(e))?;
        let source = shared.config.sources.iter().find(|s| s.name == about.source);
        let settings: Settings = shared.settings(output, source.map_or_else(Given::default, SourceConfig::given));
        let encoder = Encoder::new(&model, shared.profile.clone(), settings);
        let types: BTreeSet<&str> = output.priority_types.iter().map(String::as_str).collect();
        let priority = (0..model.len()).map(|i| types.contains(model.code(i))).collect();
        let clock = Clock::new(chrono_tz::UTC, source.and_then(|s| s.dates));
        Ok(Reader { model, filter, encoder, clock, state: State::default(), priority })
    }

    /// Lines are at most so long from now on.
    fn shorten(&mut self, shared: &Shared, limit: usize) {
        let settings = self.encoder.settings().clone();
        let settings = Settings { max_size: settings.max_size.min(limit), ..settings };
        self.encoder = Encoder::new(&self.model, shared.profile.clone(), settings);
    }
}

/// The outputs of an agent, each on its thread.
pub fn start(shared: &Arc<Shared>) -> Vec<(Arc<Counters>, thread::JoinHandle<()>)> {
    let outputs = shared.config.outputs.iter().cloned();
    outputs
        .map(|config| {
            let (shared, counters) = (shared.clone(), Arc::new(Counters::default()));
            let own = counters.clone();
            (counters, thread::spawn(move || run(&config, &shared, &own)))
        })
        .collect()
}
