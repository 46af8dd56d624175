//! Serving one connection: what goes next, what is due, and the wait for either.
use std::{sync::atomic::Ordering, time::Duration};

use anyhow::anyhow;
use chrono::DateTime;
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until, timeout_at},
};

use super::{OutputTask, SessionEnd};
use crate::{
    agent::{Control, lanes::Next, log},
    clock,
    output::{connection::Connection, failover::Failover, rate_limit::Answer, resend_window::Line, tcp::FlushStatus},
    spool::{Lane, View},
};

/// How soon behind an event acknowledgements are looked at, and how seldom where nothing happens.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// So long a receiver takes nothing before the log says so.
const STALLED: Duration = Duration::from_secs(5);
/// So long a receiver may take nothing that is to be left in good order.
const PARTING: Duration = Duration::from_millis(250);
/// Lines that are handed over in one go: a few milliseconds of work, and then others get their turn.
const BURST: usize = 2_000;

/// Where the loop of a connection is.
struct Turn {
    /// When the connection is looked after next, and how long until the time after that.
    next_look: Instant,
    interval: Duration,
    /// Since when the receiver takes nothing, and how much it had taken.
    stalled: Option<(Instant, u64)>,
    stall_told: bool,
    /// When the meter lets the next line go.
    paced: Option<Instant>,
}

/// What became of the next line.
enum Step {
    /// It went, or another is to be asked for.
    Went,
    /// It went, and is to be written before another goes.
    Write,
    /// The connection has no room for it.
    NoRoom,
    /// The meter holds it back.
    Later,
    /// There is none.
    None,
}

impl OutputTask<'_> {
    /// Serves one connection.
    pub(super) async fn serve(
        &mut self,
        connection: &mut Connection,
        failover: &mut Failover,
        told: &mut String,
    ) -> anyhow::Result<SessionEnd> {
        if !std::mem::take(told).is_empty() {
            log(format_args!("output {}: connected again", self.config.name));
        }
        let now = Instant::now();
        let mut turn =
            Turn { next_look: now + LOOK.0, interval: LOOK.0, stalled: None, stall_told: false, paced: None };
        let mut view = self.context.shared.spool.view();
        loop {
            // Before anything is asked: what changes from now on ends the wait below.
            view.mark_unchanged();
            if self.context.is_aborted() {
                return Err(anyhow!("stopped"));
            }
            if Instant::now() >= turn.next_look
                && let Some(end) = self.check_connection(connection, failover, &mut turn).await?
            {
                return Ok(end);
            }
            if self.context.is_draining()
                && turn.stalled.is_none()
                && !self.has_last_word()?
                && connection.flush().await? == FlushStatus::All
            {
                self.finish(connection).await?;
                return Ok(SessionEnd::Drained);
            }
            if (connection.is_full() || turn.stalled.is_some()) && !self.continue_write(connection, &mut turn).await? {
                self.wait_for_receiver(connection, &turn).await?;
                continue;
            }
            turn.paced = None;
            let next = match self.send_heartbeats(connection, &mut turn).await? {
                Step::None => self.next_lines(connection, &mut turn).await?,
                other => other,
            };
            if matches!(next, Step::Went) {
                turn.interval = LOOK.0;
                turn.next_look = turn.next_look.min(Instant::now() + LOOK.0);
                yield_now().await;
                continue;
            }
            // What was gathered goes out before a wait.
            if connection.flush().await? == FlushStatus::Stalled {
                turn.stall(connection);
                continue;
            }
            self.meter_pending();
            self.advance_idle_lanes(connection)?;
            if matches!(next, Step::None)
                && let Some(end) = self.at_end(connection).await?
            {
                return Ok(end);
            }
            self.wait(connection, failover, &mut turn, &mut view).await?;
        }
    }

    /// Waits until there is something to do: the spool has more, the connection has something to say, something is due, or the
    /// end has come.
    async fn wait(
        &mut self,
        connection: &mut Connection,
        failover: &mut Failover,
        turn: &mut Turn,
        view: &mut watch::Receiver<View>,
    ) -> anyhow::Result<()> {
        let due = self.due(connection, turn);
        let (context, is_shutting_down) = (self.context, self.context.is_draining());
        tokio::select! {
            biased;
            () = context.abort.cancelled() => {}
            () = context.drain.cancelled(), if !is_shutting_down => {}
            ready = connection.wait_ready() => {
                ready?;
                turn.next_look = Instant::now();
            }
            () = failover.wait_ready() => turn.next_look = Instant::now(),
            _ = view.changed() => {}
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        Ok(())
    }

    /// Waits until a receiver that takes nothing takes something, or its time is over.
    async fn wait_for_receiver(&mut self, connection: &mut Connection, turn: &Turn) -> anyhow::Result<()> {
        let since = turn.stalled.map_or_else(Instant::now, |(since, _)| since);
        // Told as soon as it is longer than that.
        let told = (!turn.stall_told).then(|| since + STALLED + Duration::from_millis(1));
        let due =
            [Some(turn.next_look), told, since.checked_add(self.config.stall_timeout)].into_iter().flatten().min();
        tokio::select! {
            ready = connection.wait_ready() => {
                ready?;
                connection.check_peer().await?;
            }
            () = self.context.drain.cancelled(), if !self.context.is_draining() => {}
            () = sleep_until(due.unwrap_or(turn.next_look)) => {}
        }
        Ok(())
    }

    /// Whether nothing is left to be sent but that the agent stops: then that goes too.
    fn has_last_word(&mut self) -> anyhow::Result<bool> {
        let word = self.context.shared.last_word.load(Ordering::SeqCst);
        let is_next = word > 0 && Lane::ALL.iter().all(|l| self.lanes.position(*l).batch >= word);
        Ok(is_next && matches!(self.lanes.next(self.over_budget.is_some())?, Next::Event(_)))
    }

    /// When something is to be done though nothing happens.
    fn due(&self, connection: &Connection, turn: &Turn) -> Option<Instant> {
        let now = Instant::now();
        let waits = [self.heartbeat.due_in(), self.next_expiry_in(connection)];
        let waits = waits.into_iter().flatten().filter_map(|wait| now.checked_add(wait));
        // A day may begin at any moment: somebody may set the clock.
        let look = (connection.wants_looks() || self.over_budget.is_some()).then_some(turn.next_look);
        let due = waits.chain(turn.paced).chain(look).min()?;
        Some(due.max(now + Duration::from_micros(50)))
    }

    /// Looks at the connection, moves cursors, goes back to the first address when that is there again.
    async fn check_connection(
        &mut self,
        connection: &mut Connection,
        failover: &mut Failover,
        turn: &mut Turn,
    ) -> anyhow::Result<Option<SessionEnd>> {
        connection.check_peer().await?;
        self.count_refused(connection);
        self.report_losses(false);
        self.log_messages(connection);
        self.advance_idle_lanes(connection)?;
        turn.next_look = Instant::now() + turn.interval;
        // Less and less often while nothing happens.
        turn.interval = (turn.interval * 2).min(LOOK.1);
        if !failover.primary_recovered().await {
            return Ok(None);
        }
        if self.part(connection).await? == FlushStatus::Stalled {
            return Err(anyhow!("the first address is back, and this receiver takes nothing"));
        }
        self.finish(connection).await?;
        Ok(Some(SessionEnd::Reconnect))
    }

    /// Writes what was taken to a receiver that is left; one that takes nothing is not waited for.
    async fn part(&mut self, connection: &mut Connection) -> anyhow::Result<FlushStatus> {
        let (mut since, mut at) = (Instant::now(), connection.progress());
        loop {
            if self.write_out(connection).await? == FlushStatus::All {
                return Ok(FlushStatus::All);
            }
            if connection.progress() != at {
                (since, at) = (Instant::now(), connection.progress());
            }
            match timeout_at(since + PARTING, connection.wait_ready()).await {
                Ok(ready) => ready?,
                Err(_) => return Ok(FlushStatus::Stalled),
            }
            connection.check_peer().await?;
        }
    }

    /// Writes on. `false` while the receiver takes nothing.
    async fn continue_write(&mut self, connection: &mut Connection, turn: &mut Turn) -> anyhow::Result<bool> {
        let name = &self.config.name;
        if self.write_out(connection).await? == FlushStatus::All {
            turn.stalled = None;
            if std::mem::take(&mut turn.stall_told) {
                log(format_args!("output {name}: the receiver reads again"));
            }
            return Ok(true);
        }
        let since = turn.stall(connection);
        if since.elapsed() >= self.config.stall_timeout {
            return Err(anyhow!("the receiver took nothing for {} s", since.elapsed().as_secs()));
        }
        if !turn.stall_told && since.elapsed() > STALLED {
            turn.stall_told = true;
            let most = self.config.stall_timeout.as_secs();
            log(format_args!(
                "output {name}: stalled: the receiver takes nothing at present; it has {most} s (stall_timeout)"
            ));
        }
        Ok(false)
    }

    /// Hands events over, and waits where each is to be written or has to wait for room.
    async fn next_lines(&mut self, connection: &mut Connection, turn: &mut Turn) -> anyhow::Result<Step> {
        match self.burst(connection, turn)? {
            Step::Write => {
                if self.write_out(connection).await? == FlushStatus::Stalled {
                    turn.stall(connection);
                }
                Ok(Step::Went)
            }
            Step::NoRoom => {
                connection.make_room().await?;
                Ok(Step::Went)
            }
            step => Ok(step),
        }
    }

    /// Hands events over until enough is gathered for a write, others should get their turn, or one may not go. No waits here:
    /// this is what most of the time is spent with.
    fn burst(&mut self, connection: &mut Connection, turn: &mut Turn) -> anyhow::Result<Step> {
        for n in 0..BURST {
            match self.next_line(connection, turn)? {
                Step::Went if connection.is_full() => return Ok(Step::Went),
                Step::Went => {}
                // What went before is told first.
                Step::None | Step::Later if n > 0 => return Ok(Step::Went),
                step => return Ok(step),
            }
        }
        Ok(Step::Went)
    }

    /// Hands the next event over, if there is one and it may go.
    fn next_line(&mut self, connection: &mut Connection, turn: &mut Turn) -> anyhow::Result<Step> {
        let lane = match self.lanes.next(self.over_budget.is_some())? {
            Next::Event(lane) => lane,
            Next::Nothing => return self.look_at_budget(),
            // There is more to look through; what was found so far goes out meanwhile. A stop, the connection and the clock are
            // looked at between some batches and the next.
            Next::Later => return Ok(Step::Write),
        };
        if !connection.has_room() {
            return Ok(Step::NoRoom);
        }
        self.caught_up(false);
        let next = self.lanes.encode(lane, &mut self.line)?;
        let (now, wall) = (self.now(), clock::now().timestamp_micros());
        match self.limiter.check(now, wall, self.line.len() as u64, lane.is_exempt()) {
            Answer::Now => {}
            Answer::Wait(wait) => {
                turn.paced = Some(Instant::now() + wait);
                return Ok(Step::Later);
            }
            Answer::OverDailyBudget(until) => {
                if self.over_budget.replace(self.line.len() as u64).is_none() {
                    self.log_over_budget(until);
                }
                return Ok(Step::Went);
            }
        }
        let line = match self.lanes.is_notice(lane) {
            true => Line::Notice(lane, next),
            false => Line::Entry(lane, next),
        };
        self.send_line(connection, line)?;
        self.lanes.advance(lane, next);
        Ok(if self.is_paced() { Step::Write } else { Step::Went })
    }

    /// Nothing may go before the next day, where a lane is held back: looks whether it has begun.
    fn look_at_budget(&mut self) -> anyhow::Result<Step> {
        let Some(bytes) = self.over_budget else { return Ok(Step::None) };
        match self.lanes.holds_back()? {
            Next::Event(_) => {}
            Next::Later => return Ok(Step::Went),
            Next::Nothing => return Ok(Step::None),
        }
        let (now, wall) = (self.now(), clock::now().timestamp_micros());
        if matches!(self.limiter.check(now, wall, bytes, false), Answer::OverDailyBudget(_)) {
            return Ok(Step::Later);
        }
        self.over_budget = None;
        log(format_args!("output {}: a new day: events go again", self.config.name));
        Ok(Step::Went)
    }

    fn log_over_budget(&self, until: i64) {
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

    /// Sends heartbeats when it is time. Those that the meter would hold back for longer go outside its limits a second: an
    /// output of an event an hour would else be silent, or send nothing but heartbeats.
    async fn send_heartbeats(&mut self, connection: &mut Connection, turn: &mut Turn) -> anyhow::Result<Step> {
        if self.heartbeat.is_due() {
            self.heartbeats_due = self.heartbeat.notices(self.config, self.context, self.stats).into();
        }
        let Some(notice) = self.heartbeats_due.front() else { return Ok(Step::None) };
        self.lanes.notice(notice, &mut self.line);
        let (now, wall) = (self.now(), clock::now().timestamp_micros());
        let answer = self.limiter.check(now, wall, self.line.len() as u64, true);
        if let Answer::Wait(wait) = answer
            && wait <= PATIENCE
        {
            turn.paced = Some(Instant::now() + wait);
            return Ok(Step::Later);
        }
        if !connection.has_room() {
            connection.make_room().await?;
        }
        let flushed = match answer {
            Answer::Wait(_) => self.send_unmetered(connection).await?,
            Answer::Now | Answer::OverDailyBudget(_) => {
                self.send_line(connection, Line::Beat)?;
                if self.is_paced() { self.write_out(connection).await? } else { FlushStatus::All }
            }
        };
        self.heartbeats_due.pop_front();
        if flushed == FlushStatus::Stalled {
            turn.stall(connection);
        }
        Ok(Step::Went)
    }

    /// Nothing is left to be sent. Something when that ends the connection.
    async fn at_end(&mut self, connection: &mut Connection) -> anyhow::Result<Option<SessionEnd>> {
        if connection.may_lose() {
            // What is lost is told before the last word.
            connection.check_peer().await?;
            self.count_refused(connection);
            self.report_losses(self.context.shared.sources_ended());
        }
        // Asked in this order: what a source stored before it ended is seen by the second look.
        let ending = self.context.shared.ending();
        let at_end = self.lanes.is_at_end();
        self.caught_up(at_end && self.losses.are_told());
        if ending && at_end {
            self.finish(connection).await?;
            return Ok(Some(SessionEnd::Drained));
        }
        // What is in the window fills the spool, and nothing more can come that would push it out: a receiver that closes
        // with us has read it. One that another output fills gets no emptier by that.
        if self.confirms && self.window.events() > 0 && self.context.shared.spool.is_full() && self.pins() {
            self.finish(connection).await?;
            return Ok(Some(SessionEnd::Reconnect));
        }
        Ok(None)
    }

    /// Whether the spool would get emptier if what is in the window had arrived: all outputs that have passed no more than this
    /// one have read everything too.
    fn pins(&self) -> bool {
        let outputs = self.context.shared.stats.outputs();
        let has_read_all = |name: &String| outputs.iter().any(|(n, c)| n == name && c.caught_up.load(Ordering::SeqCst));
        self.context.shared.spool.no_further(&self.config.name).iter().all(has_read_all)
    }

    pub(super) fn caught_up(&self, so: bool) {
        if self.stats.caught_up.swap(so, Ordering::SeqCst) != so && so && self.context.shared.sources_ended() {
            // Whoever decides about the end wants to know.
            self.context.shared.handle.say(Control::Changed);
        }
    }
}

/// How long a heartbeat waits for the meter.
const PATIENCE: Duration = Duration::from_secs(1);

impl Turn {
    /// The receiver takes nothing at present. Since when.
    fn stall(&mut self, connection: &Connection) -> Instant {
        let progress = connection.progress();
        match self.stalled {
            Some((since, at)) if at == progress => since,
            _ => {
                let now = Instant::now();
                self.stalled = Some((now, progress));
                now
            }
        }
    }
}
