//! One output: takes events from the spool at its own cursors, and hands them to its connection at its own pace.
//!
//! It is a task: between two waits it hands over a block of lines at most, so that others get their turn. It waits for events,
//! never for a clock alone: for a batch, what its connection has to say, the wish to stop, or the time of what is due next. It
//! ends when the agent does ([`Shared::ending`](super::Shared)) and everything is delivered, or when it is told to.
mod closing;
mod hand_over;
mod serve;

use std::{
    collections::VecDeque,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{Orders, heartbeat::Heartbeat, lanes::Lanes, log, losses::Losses};
use crate::{
    clock,
    config::OutputConfig,
    event::Notice,
    net::wait::jittered,
    output::{
        OutputError,
        connection::Link,
        failover::Route,
        rate_limit::Meter,
        resend_window::{Count, Line, Window},
    },
    spool::{Lane, SpoolError},
};

/// What an output did, for reports. Of entries: spooled = sent + refused + filtered + unreadable + waiting; the rest apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Entries that left the window: done.
    pub sent: AtomicU64,
    /// Entries whose datagrams are known to be lost: nobody listened.
    pub refused: AtomicU64,
    /// The agent's own events (gaps, heartbeats) that are done.
    pub notices: AtomicU64,
    /// Events that its own filter drops.
    pub filtered: AtomicU64,
    /// Events that are stored and cannot be seen as entries again.
    pub unreadable: AtomicU64,
    /// Entries that were handed to a connection once more.
    pub resent: AtomicU64,
    /// A receiver said something that none of syslog says, and took lines.
    pub answered: AtomicBool,
    /// It has read everything that there is.
    pub caught_up: AtomicBool,
    /// It has ended.
    pub ended: AtomicBool,
}

/// The first wait after a failed connection, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

struct Worker<'a> {
    config: &'a Arc<OutputConfig>,
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
    /// Heartbeats that are due and not sent yet.
    beats: VecDeque<Notice>,
    /// The last datagram, and how many were refused so far on this connection.
    last: Option<Line>,
    refused: u64,
    /// Entries that are lost and not counted as done yet, and notices.
    unsent: u64,
    unsent_notices: u64,
    /// Entries that are lost and not told of yet.
    losses: Losses,
    /// The receiver shows by closing that it has read everything; one that did not once is not asked for it early.
    confirms: bool,
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

/// Runs one output until the agent ends and everything is delivered, or until it is told to stop.
pub async fn run(config: Arc<OutputConfig>, orders: Arc<Orders>, counters: Arc<Counters>) {
    let spent = orders.shared.spool.spent(&config.name).and_then(|text| serde_json::from_str(&text).ok());
    let wall = clock::now().timestamp_micros();
    match Meter::new(config.limits.clone(), spent.as_ref(), Duration::ZERO, wall) {
        Ok(meter) => {
            let mut worker = Worker::new(&config, &orders, &counters, meter);
            worker.run().await;
            worker.tell_losses(true);
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
    fn new(config: &'a Arc<OutputConfig>, orders: &'a Arc<Orders>, counters: &'a Counters, meter: Meter) -> Worker<'a> {
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
            beats: VecDeque::new(),
            last: None,
            refused: 0,
            unsent: 0,
            unsent_notices: 0,
            losses: Losses::new(Instant::now()),
            confirms: true,
            began: Instant::now(),
            line: Vec::new(),
        }
    }

    async fn run(&mut self) {
        let mut route = Route::new(&Arc::new(self.config.options()), &self.orders.drain, &self.orders.abort);
        let mut wait = BACKOFF.0;
        let mut told = String::new();
        while !self.is_done() {
            self.lanes.rewind();
            (self.last, self.refused) = (None, 0);
            let connected = Instant::now();
            let served = match route.open().await {
                Ok(mut link) => {
                    let served = self.serve(&mut link, &mut route, &mut told).await;
                    if served.is_err() {
                        route.failed();
                        // What was answered before the end is answered all the same.
                        let _ = self.settle(&mut link);
                    }
                    self.tell_notes(&mut link);
                    served
                }
                Err(e) => Err(e.into()),
            };
            match served {
                Ok(Served::Everything) => return,
                Ok(Served::Enough) => wait = BACKOFF.0,
                Err(e) => {
                    self.failed(&e, &mut told);
                    // What is not delivered stays in the spool: an agent that stops makes no more connections.
                    if self.orders.stopping() {
                        return;
                    }
                    if connected.elapsed() > Duration::from_secs(10) {
                        wait = BACKOFF.0;
                    }
                    self.pause(jittered(wait)).await;
                    wait = (wait * 2).min(BACKOFF.1);
                }
            }
        }
    }

    /// A connection has ended before its time, or was not made.
    fn failed(&mut self, e: &anyhow::Error, told: &mut String) {
        self.count_owed();
        let name = &self.config.name;
        let shared = &self.orders.shared;
        let Count { entries, notices } = self.window.fail();
        self.counters.resent.fetch_add(entries, Ordering::Relaxed);
        if e.downcast_ref().is_some_and(OutputError::is_closed_pipe) {
            // Nobody can open it again, so nothing more can be delivered there.
            let waiting: u64 = shared.spool.waiting(name).values().map(|w| w.events).sum();
            log(format_args!(
                "output {name}: nobody reads standard output any more: the agent ends; {waiting} events were not read"
            ));
            if waiting > 0 {
                shared.failed.store(true, Ordering::Relaxed);
            }
            shared.begin_to_stop();
            return;
        }
        let text = format!("output {name}: {e}");
        if text != *told {
            log(format_args!("{text}; {} events will be sent again", entries + notices));
            *told = text;
        }
        if let Some(lost) = e.downcast_ref::<SpoolError>().filter(|e| e.ends_the_agent()) {
            shared.give_up(lost);
        }
    }

    /// Waits before the next connection, but not into the end.
    async fn pause(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        let mut view = self.orders.shared.spool.view();
        loop {
            view.mark_unchanged();
            // With a new batch it is not caught up any more, which others ask.
            if Instant::now() >= end || self.is_done() || self.orders.stopping() {
                return;
            }
            tokio::select! {
                _ = view.changed() => {}
                () = self.orders.drain.cancelled() => {}
                () = sleep_until(end) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Everything is read and delivered and nothing more can come, or the agent is to stop at once.
    fn is_done(&self) -> bool {
        let spool = &self.orders.shared.spool;
        let delivered = Lane::ALL.iter().all(|l| spool.cursor(&self.config.name, *l).batch > spool.last());
        self.caught_up(delivered);
        self.orders.must_stop() || delivered && self.orders.shared.ending()
    }

    fn tell_notes(&self, link: &mut Link) {
        if link.has_answered() {
            self.counters.answered.store(true, Ordering::Relaxed);
        }
        for note in link.notes() {
            log(format_args!("output {}: {note}", self.config.name));
        }
    }
}
