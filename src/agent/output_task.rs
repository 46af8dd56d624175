//! One output: takes events from the spool at its own cursors, and hands them to its connection at its own pace.
//!
//! It is a task: between two waits it hands over a block of lines at most, so that others get their turn. It waits for events,
//! never for a clock alone: for a batch, what its connection has to say, the wish to stop, or the time of what is due next. It
//! ends when the agent does ([`Shared::ending`](super::Shared)) and everything is delivered, or when it is told to.
mod closing;
mod send_line;
mod serve;

use std::{collections::VecDeque, sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    TaskContext,
    heartbeat::Heartbeat,
    lanes::Lanes,
    log,
    losses::Losses,
    output_core::{Now, OutputCore, Rules},
    stats::OutputStats,
};
use crate::{
    clock,
    config::OutputConfig,
    event::Notice,
    net::wait::jittered,
    output::{OutputError, connection::Connection, failover::Failover, rate_limit::RateLimiter, resend_window::Count},
    spool::{Lane, SpoolError},
};

/// The first wait after a failed connection, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

struct OutputTask<'a> {
    config: &'a Arc<OutputConfig>,
    context: &'a Arc<TaskContext>,
    stats: &'a OutputStats,
    lanes: Lanes<'a>,
    core: OutputCore,
    heartbeat: Heartbeat,
    /// Heartbeats that are due and not sent yet.
    heartbeats_due: VecDeque<Notice>,
    /// Entries that are lost and not told of yet.
    losses: Losses,
    line: Vec<u8>,
    /// It has had a connection, and the log says so.
    was_connected: bool,
}

/// How serving a connection ended.
enum SessionEnd {
    /// Everything is delivered, or the agent stops.
    Drained,
    /// Everything that was sent is delivered; there is more to come.
    Reconnect,
}

/// Runs one output until the agent ends and everything is delivered, or until it is told to stop.
pub async fn run(config: Arc<OutputConfig>, context: Arc<TaskContext>, stats: Arc<OutputStats>) {
    let over_budget = context.shared.spool.spent(&config.name).and_then(|text| serde_json::from_str(&text).ok());
    let wall = clock::now().timestamp_micros();
    match RateLimiter::new(config.limits.clone(), over_budget.as_ref(), Duration::ZERO, wall) {
        Ok(limiter) => {
            let mut task = OutputTask::new(&config, &context, &stats, limiter);
            task.run().await;
            task.report_losses(true);
            let nowhere = task.lanes.take_last_nowhere();
            let _settling = stats.settling();
            task.lanes.tell_delivered();
            task.count_nowhere(nowhere);
        }
        Err(e) => {
            log(format_args!("output {}: meter: {e}", config.name));
            context.shared.failed.store(true, Ordering::Relaxed);
        }
    }
    stats.link.ended();
    stats.ended.store(true, Ordering::SeqCst);
}

impl<'a> OutputTask<'a> {
    fn new(
        config: &'a Arc<OutputConfig>,
        context: &'a Arc<TaskContext>,
        stats: &'a OutputStats,
        limiter: RateLimiter,
    ) -> OutputTask<'a> {
        let every = config.heartbeat.unwrap_or(context.setup.config.heartbeat);
        let limits = &config.limits;
        let rules = Rules {
            resend_window: config.resend_window,
            stall_timeout: config.stall_timeout,
            is_paced: limits.has_rate(),
            is_limited: limits.has_rate() || limits.bytes_per_day.is_some(),
        };
        OutputTask {
            config,
            context,
            stats,
            lanes: Lanes::new(config, context),
            core: OutputCore::new(rules, limiter, Instant::now()),
            heartbeat: Heartbeat::new(every),
            heartbeats_due: VecDeque::new(),
            losses: Losses::new(Instant::now()),
            line: Vec::new(),
            was_connected: false,
        }
    }

    async fn run(&mut self) {
        let mut failover = Failover::new(&Arc::new(self.config.options()), &self.context.drain, &self.context.abort);
        let mut wait = BACKOFF.0;
        let mut told = String::new();
        self.stats.ended.store(false, Ordering::SeqCst);
        self.stats.link.begins();
        while !self.is_done() {
            self.lanes.rewind();
            let connected = Instant::now();
            let end = match failover.open().await {
                Ok(mut connection) => {
                    self.stats.connections.fetch_add(1, Ordering::Relaxed);
                    self.stats.link.connected(failover.address().to_string());
                    let end = self.serve(&mut connection, &mut failover, &mut told).await;
                    if end.is_err() {
                        failover.failed();
                        // What was answered before the end is answered all the same.
                        let _ = self.advance_cursors(&mut connection);
                    }
                    self.log_messages(&mut connection);
                    end
                }
                Err(e) => Err(e.into()),
            };
            match end {
                Ok(SessionEnd::Drained) => return,
                Ok(SessionEnd::Reconnect) => wait = BACKOFF.0,
                Err(e) => {
                    self.stats.failures.fetch_add(1, Ordering::Relaxed);
                    self.stats.link.failed(now().wall, e.to_string());
                    self.failed(&e, &mut told);
                    // What is not delivered stays in the spool: an agent that stops makes no more connections.
                    if self.context.is_draining() {
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
        let Count { entries, notices, .. } = self.core.failed(now());
        self.count_sums();
        let name = &self.config.name;
        let shared = &self.context.shared;
        if e.downcast_ref().is_some_and(OutputError::is_closed_pipe) {
            // Nobody can open it again, so nothing more can be delivered there.
            let waiting: u64 = shared.spool.waiting(name).values().map(|w| w.events).sum();
            log(format_args!(
                "output {name}: nobody reads standard output any more: the agent ends; {waiting} events were not read"
            ));
            if waiting > 0 {
                shared.failed.store(true, Ordering::Relaxed);
            }
            shared.begin_shutdown();
            return;
        }
        let text = format!("output {name}: {e}");
        if text != *told {
            log(format_args!("{text}; {} events will be sent again", entries + notices));
            *told = text;
        }
        if let Some(lost) = e.downcast_ref::<SpoolError>().filter(|e| e.ends_the_agent()) {
            shared.fail(lost);
        }
    }

    /// Waits before the next connection, but not into the end.
    async fn pause(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        self.stats.link.next_try(Some(end));
        let mut view = self.context.shared.spool.view();
        loop {
            view.mark_unchanged();
            // With a new batch it is not caught up any more, which others ask.
            if Instant::now() >= end || self.is_done() || self.context.is_draining() {
                return;
            }
            tokio::select! {
                _ = view.changed() => {}
                () = self.context.drain.cancelled() => {}
                () = self.context.again.notified() => return,
                () = sleep_until(end) => {}
            }
        }
    }

    /// Everything is read and delivered and nothing more can come, or the agent is to stop at once.
    fn is_done(&self) -> bool {
        let spool = &self.context.shared.spool;
        let delivered = Lane::ALL.iter().all(|l| spool.cursor(&self.config.name, *l).batch > spool.last());
        self.caught_up(delivered);
        self.context.is_aborted() || delivered && self.context.shared.ending()
    }

    fn log_messages(&self, connection: &mut Connection) {
        if connection.has_answered() {
            self.stats.answered.store(true, Ordering::Relaxed);
        }
        for note in connection.take_messages() {
            log(format_args!("output {}: {note}", self.config.name));
        }
    }
}

/// The time by both clocks.
fn now() -> Now {
    Now { at: Instant::now(), wall: clock::now().timestamp_micros() }
}
