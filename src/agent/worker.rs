//! One output: takes events from the spool at its own cursors, and hands them to its connection at its own pace.
use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use chrono::{DateTime, Utc};

use super::{
    Orders,
    heartbeat::Heartbeat,
    lanes::{Lanes, Next},
    link::{Link, route::Route},
    log,
    window::Window,
};
use crate::{
    config::OutputConfig,
    output::{
        OutputError,
        meter::{Answer, Meter},
        stream::Flushed,
        wait::{Stop, jittered},
    },
    spool::{Cursor, Lane, SpoolError},
};

/// What an output did, for reports. spooled = sent + filtered + unreadable + waiting; `resent` and heartbeats apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events that left the window: done.
    pub sent: AtomicU64,
    /// Events that its own filter drops.
    pub filtered: AtomicU64,
    /// Events that are stored and cannot be seen as entries again.
    pub unreadable: AtomicU64,
    /// Events that were handed to a connection once more.
    pub resent: AtomicU64,
    /// It has ended.
    pub ended: AtomicBool,
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

struct Worker<'a> {
    config: &'a OutputConfig,
    orders: &'a Arc<Orders>,
    counters: &'a Counters,
    lanes: Lanes<'a>,
    window: Window,
    meter: Meter,
    /// The day's budget is spent: lanes that it holds back are not read until an event of this many bytes fits.
    spent: Option<u64>,
    /// Bytes of a line that is handed over and not counted by the meter, because it is not written.
    owed: Option<u64>,
    heartbeat: Heartbeat,
    began: Instant,
    line: Vec<u8>,
}

/// How serving a connection ended.
enum Served {
    /// Everything is delivered, or the agent stops.
    Everything,
    /// Everything that was sent is delivered; there is more to come.
    Enough,
}

/// Runs one output until everything is delivered or it is told to stop.
pub fn run(config: &OutputConfig, orders: &Arc<Orders>, counters: &Counters) {
    let spent = orders.shared.spool.spent(&config.name).and_then(|text| serde_json::from_str(&text).ok());
    let wall = Utc::now().timestamp_micros();
    match Meter::new(config.limits.clone(), spent.as_ref(), Duration::ZERO, wall) {
        Ok(meter) => {
            let mut worker = Worker::new(config, orders, counters, meter);
            worker.run();
            let nowhere = worker.lanes.take_last_nowhere();
            worker.count_nowhere(nowhere);
        }
        Err(e) => {
            log(format_args!("output {}: meter: {e}", config.name));
            orders.shared.failed.store(true, Ordering::Relaxed);
        }
    }
    counters.ended.store(true, Ordering::SeqCst);
}

impl<'a> Worker<'a> {
    fn new(config: &'a OutputConfig, orders: &'a Arc<Orders>, counters: &'a Counters, meter: Meter) -> Worker<'a> {
        let every = config.heartbeat.unwrap_or(orders.setup.config.heartbeat);
        Worker {
            config,
            orders,
            counters,
            lanes: Lanes::new(config, orders),
            window: Window::default(),
            meter,
            spent: None,
            owed: None,
            heartbeat: Heartbeat::new(every),
            began: Instant::now(),
            line: Vec::new(),
        }
    }

    fn run(&mut self) {
        let (stopping, over) = (self.orders.clone(), self.orders.clone());
        let stop = Stop::when(move || stopping.stopping() || stopping.must_stop());
        let mut route = Route::new(self.config, stop, Stop::when(move || over.must_stop()));
        let mut wait = BACKOFF.0;
        let mut told = String::new();
        let name = &self.config.name;
        while !self.is_done() {
            self.lanes.rewind();
            let connected = Instant::now();
            let served = route.open().map_err(anyhow::Error::from).and_then(|mut link| {
                let served = self.serve(&mut link, &mut route, &mut told);
                if served.is_err() {
                    route.failed();
                }
                self.tell_notes(&mut link);
                served
            });
            match served {
                Ok(Served::Everything) => return,
                Ok(Served::Enough) => wait = BACKOFF.0,
                Err(e) => {
                    self.count_owed();
                    let again = self.window.fail();
                    self.counters.resent.fetch_add(again as u64, Ordering::Relaxed);
                    let text = format!("output {name}: {e}");
                    if text != told {
                        log(format_args!("{text}; {again} events will be sent again"));
                        told = text;
                    }
                    if let Some(damaged @ SpoolError::Damaged { .. }) = e.downcast_ref() {
                        self.orders.shared.give_up(damaged);
                    }
                    // What is not delivered stays in the spool: an agent that stops makes no more connections.
                    if self.orders.stopping() {
                        return;
                    }
                    if connected.elapsed() > Duration::from_secs(10) {
                        wait = BACKOFF.0;
                    }
                    self.orders.pause(jittered(wait));
                    wait = (wait * 2).min(BACKOFF.1);
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Everything is read and delivered, or the agent is to stop at once.
    fn is_done(&self) -> bool {
        let spool = &self.orders.shared.spool;
        self.orders.must_stop()
            || self.orders.shared.sources_ended()
                && Lane::ALL.iter().all(|l| spool.cursor(&self.config.name, *l).batch > spool.last())
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
                if stalled.is_none() && self.beat(link)? == Flushed::Stalled {
                    stalled = Some(Instant::now());
                }
            }
            if self.orders.must_stop() {
                return Err(anyhow!("stopped"));
            }
            if self.orders.stopping() && stalled.is_none() && link.flush()? == Flushed::All {
                self.finish(link)?;
                return Ok(Served::Everything);
            }
            if link.is_full() || stalled.is_some() {
                match link.flush()? {
                    Flushed::All => {
                        self.count_owed();
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
            let found = self.lanes.next(self.spent.is_some())?;
            if let Next::Event(lane) = found {
                let next = self.lanes.encode(lane, &mut self.line)?;
                if self.may_go(link, lane.passes())? {
                    if self.hand_over(link, Some((lane, next)))? == Flushed::Stalled {
                        stalled.get_or_insert_with(Instant::now);
                    }
                    self.lanes.step(lane, next);
                }
                continue;
            }
            if link.flush()? == Flushed::Stalled {
                stalled.get_or_insert_with(Instant::now);
                continue;
            }
            // A stop, the connection and the clock are looked at between some batches and the next.
            if found == Next::Later {
                continue;
            }
            self.settle_at_rest(link);
            if self.spent.is_some() {
                match self.lanes.holds_back()? {
                    Next::Event(_) => {
                        self.wait_for_budget();
                        continue;
                    }
                    Next::Later => continue,
                    Next::Nothing => {}
                }
            }
            // Asked in this order: what a source stored before it ended is seen by the second look.
            if self.orders.shared.sources_ended() && self.lanes.is_at_end() {
                self.finish(link)?;
                return Ok(Served::Everything);
            }
            // What is in the window fills the spool, and nothing more can come that would push it out: a receiver that
            // closes with us has read it.
            if self.window.events() > 0 && self.orders.shared.spool.is_full() {
                self.finish(link)?;
                return Ok(Served::Enough);
            }
            let from = Lane::ALL.iter().map(|l| self.lanes.place(*l).batch).min().unwrap_or(0);
            let spool = &self.orders.shared.spool;
            spool.wait(from.max(spool.last() + 1), TICK);
        }
    }

    /// Whether there is a limit a second.
    fn is_paced(&self) -> bool {
        let limits = &self.config.limits;
        limits.events_per_second.is_some() || limits.bytes_per_second.is_some()
    }

    /// Waits until the meter lets the line in `line` go; what was gathered goes out before a wait. `false` when it has to
    /// wait for another day.
    fn may_go(&mut self, link: &mut Link, passes: bool) -> anyhow::Result<bool> {
        let bytes = self.line.len() as u64;
        loop {
            let (now, wall) = (self.now(), Utc::now().timestamp_micros());
            match self.meter.ask(now, wall, bytes, passes) {
                Answer::Now => return Ok(true),
                Answer::Wait(wait) => {
                    link.flush()?;
                    self.settle(link);
                    thread::sleep(wait.min(TICK));
                }
                Answer::Held(until) => {
                    if self.spent.replace(bytes).is_none() {
                        self.tell_spent(until);
                    }
                    return Ok(false);
                }
            }
            if self.orders.must_stop() {
                return Err(anyhow!("stopped"));
            }
        }
    }

    /// Hands the line over that may go. The limits a second hold for the wire, so where there are some it is written at
    /// once, and its time is that of the write: one that was late would else stand within a second with too many others.
    fn hand_over(&mut self, link: &mut Link, place: Option<(Lane, Cursor)>) -> anyhow::Result<Flushed> {
        self.take(link, place.map(|(lane, _)| lane))?;
        let bytes = self.line.len() as u64;
        self.window.push(place, bytes, self.now());
        self.owed = Some(bytes);
        if self.is_paced() && link.flush()? == Flushed::Stalled {
            return Ok(Flushed::Stalled);
        }
        self.count_owed();
        Ok(Flushed::All)
    }

    /// Gives the line to the connection; one that the way does not take is written again, shorter, as all after it.
    fn take(&mut self, link: &mut Link, lane: Option<Lane>) -> anyhow::Result<()> {
        loop {
            match (link.take(&self.line), lane) {
                (Err(OutputError::TooLong { to, bytes }), Some(lane)) if bytes > SHORTEST => {
                    let limit =
                        if bytes > LARGEST_DATAGRAM { LARGEST_DATAGRAM } else { (bytes - bytes / 4).max(SHORTEST) };
                    log(format_args!(
                        "output {}: {to}: the way takes no datagram of {bytes} bytes: lines are cut at {limit} from now on",
                        self.config.name
                    ));
                    self.lanes.shorten(limit);
                    self.lanes.encode(lane, &mut self.line)?;
                }
                (taken, _) => return Ok(taken?),
            }
        }
    }

    fn tell_notes(&self, link: &mut Link) {
        for note in link.notes() {
            log(format_args!("output {}: {note}", self.config.name));
        }
    }

    /// The line that was handed over last is written.
    fn count_owed(&mut self) {
        if let Some(bytes) = self.owed.take() {
            self.meter.took(self.now(), Utc::now().timestamp_micros(), bytes);
        }
    }

    fn tell_spent(&self, until: i64) {
        let until = DateTime::from_timestamp_micros(until).unwrap_or_default().with_timezone(&self.config.limits.zone);
        let rest = match self.config.pass.is_empty() {
            true => "events wait",
            false => "events wait, but for those that meter.pass_types and meter.pass_severity let through",
        };
        log(format_args!(
            "output {}: the bytes of the day are spent: {rest}; the next day begins {until}",
            self.config.name
        ));
    }

    /// Nothing may go before the next day: looks again after a while.
    fn wait_for_budget(&mut self) {
        let spool = &self.orders.shared.spool;
        spool.wait(spool.last() + 1, TICK);
        let (now, wall) = (self.now(), Utc::now().timestamp_micros());
        let bytes = self.spent.unwrap_or(0);
        if !matches!(self.meter.ask(now, wall, bytes, false), Answer::Held(_)) {
            self.spent = None;
            log(format_args!("output {}: a new day: events go again", self.config.name));
        }
    }

    /// Sends heartbeats when it is time.
    fn beat(&mut self, link: &mut Link) -> anyhow::Result<Flushed> {
        if !self.heartbeat.is_due() {
            return Ok(Flushed::All);
        }
        for notice in self.heartbeat.notices(self.config, self.orders, self.counters) {
            self.lanes.notice(&notice, &mut self.line);
            // Those that are left are sent the next time.
            if !self.may_go(link, true)? || self.hand_over(link, None)? == Flushed::Stalled {
                return Ok(Flushed::Stalled);
            }
        }
        Ok(Flushed::All)
    }

    /// Moves the cursors behind what is done.
    fn settle(&mut self, link: &mut Link) {
        let before = self.window.events();
        let now = self.now();
        let moved = link.pass(&mut self.window, self.config.resend_window, now);
        let spool = &self.orders.shared.spool;
        for lane in Lane::ALL {
            if let Some(cursor) = moved.get(lane.index()).copied().flatten() {
                spool.advance(&self.config.name, lane, cursor);
            }
        }
        let done = (before - self.window.events()) as u64;
        self.count(done, moved.get(self.lanes.notices().index()).copied().flatten().unwrap_or_default());
        if self.config.limits.bytes_per_day.is_some()
            && let Ok(spent) = serde_json::to_string(&self.meter.spent())
        {
            spool.spend(&self.config.name, spent);
        }
    }

    /// Counts what is delivered, the lane of notices up to a place, and what needs no delivery.
    fn count(&mut self, done: u64, to: Cursor) {
        let sent = done.saturating_sub(self.lanes.take_stand_ins(to));
        self.counters.sent.fetch_add(sent, Ordering::Relaxed);
        let nowhere = self.lanes.take_nowhere();
        self.count_nowhere(nowhere);
    }

    fn count_nowhere(&self, [filtered, unreadable]: [u64; 2]) {
        self.counters.filtered.fetch_add(filtered, Ordering::Relaxed);
        self.counters.unreadable.fetch_add(unreadable, Ordering::Relaxed);
    }

    /// The same between two events: a lane with nothing on the way stands where it reads, behind what it passed over.
    fn settle_at_rest(&mut self, link: &mut Link) {
        self.settle(link);
        for lane in Lane::ALL.into_iter().filter(|l| self.window.is_clear(*l)) {
            self.orders.shared.spool.advance(&self.config.name, lane, self.lanes.place(lane));
        }
    }

    /// Ends the connection cleanly: the receiver has read everything when it closes too.
    fn finish(&mut self, link: &mut Link) -> anyhow::Result<()> {
        // A slow receiver has what the system holds for it still to read: it gets the time that one that stalls gets.
        let stops = self.orders.stopping();
        let at_most = if stops { self.orders.setup.config.stop_timeout } else { self.config.stall_timeout };
        if !link.finish(at_most)? {
            return Err(anyhow!(
                "the receiver did not close within {} s: whether it read the last lines is not known",
                at_most.as_secs()
            ));
        }
        for lane in Lane::ALL {
            self.orders.shared.spool.advance(&self.config.name, lane, self.lanes.place(lane));
        }
        self.count(self.window.events() as u64, self.lanes.place(self.lanes.notices()));
        self.window = Window::default();
        Ok(())
    }
}
