//! Serving one connection: what goes next, what is due, and the wait for either.
use std::{sync::atomic::Ordering, time::Duration};

use anyhow::anyhow;
use chrono::DateTime;
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until, timeout_at},
};

use super::{OutputTask, SessionEnd, now};
use crate::{
    agent::{
        Control,
        lanes::Next,
        link::State,
        log,
        output_core::{May, MayBeat, Stall},
    },
    output::{connection::Connection, failover::Failover, resend_window::Line, tcp::FlushStatus},
    spool::{Lane, View},
};

/// So long a receiver may take nothing that is to be left in good order.
const PARTING: Duration = Duration::from_millis(250);
/// Lines that are handed over in one go: a few milliseconds of work, and then others get their turn.
const BURST: usize = 2_000;

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
    /// A batch is to be read from the disk first.
    Read(i64),
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
        let (name, address) = (&self.config.name, failover.address());
        if !std::mem::take(told).is_empty() {
            log(format_args!("output {name}: connected again, to {address}"));
        } else if !std::mem::replace(&mut self.was_connected, true) {
            log(format_args!("output {name}: connected to {address}"));
        }
        self.core.begin(Instant::now());
        let mut view = self.context.shared.spool.view();
        loop {
            // Before anything is asked: what changes from now on ends the wait below.
            view.mark_unchanged();
            self.say_how_it_goes();
            if self.context.is_aborted() {
                return Err(anyhow!("stopped"));
            }
            if self.core.session.is_look_due(Instant::now())
                && let Some(end) = self.check_connection(connection, failover).await?
            {
                return Ok(end);
            }
            if self.context.is_draining()
                && !self.core.session.is_stalled()
                && !self.has_last_word().await?
                && connection.flush().await? == FlushStatus::All
            {
                self.finish(connection).await?;
                return Ok(SessionEnd::Drained);
            }
            let is_stalled = self.core.session.is_stalled();
            if (connection.is_full() || is_stalled) && !self.continue_write(connection).await? {
                self.wait_for_receiver(connection).await?;
                continue;
            }
            self.core.session.paced = None;
            let next = match self.send_heartbeats(connection).await? {
                Step::None => self.next_lines(connection).await?,
                other => other,
            };
            if matches!(next, Step::Went) {
                self.core.session.went(Instant::now());
                yield_now().await;
                continue;
            }
            // What was gathered goes out before a wait.
            if !self.continue_write(connection).await? {
                continue;
            }
            self.advance_idle_lanes(connection)?;
            if matches!(next, Step::None)
                && let Some(end) = self.at_end(connection).await?
            {
                return Ok(end);
            }
            self.wait(connection, failover, &mut view).await?;
        }
    }

    /// What the connection is doing, for who asks.
    pub(super) fn say_how_it_goes(&self) {
        let state = match () {
            () if self.core.session.is_stalled() => State::Stalled,
            () if self.core.is_over_budget() => State::OverBudget,
            () => State::Connected,
        };
        self.stats.link.goes(state, self.core.window().events() as u64);
    }

    /// Waits until there is something to do: the spool has more, the connection has something to say, something is due, or the
    /// end has come.
    async fn wait(
        &mut self,
        connection: &mut Connection,
        failover: &mut Failover,
        view: &mut watch::Receiver<View>,
    ) -> anyhow::Result<()> {
        let due = self.due(connection);
        let (context, is_shutting_down) = (self.context, self.context.is_draining());
        tokio::select! {
            biased;
            () = context.abort.cancelled() => {}
            () = context.drain.cancelled(), if !is_shutting_down => {}
            ready = connection.wait_ready() => {
                ready?;
                self.core.session.look_at_once(Instant::now());
            }
            () = failover.wait_ready() => self.core.session.look_at_once(Instant::now()),
            _ = view.changed() => {}
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        Ok(())
    }

    /// Waits until a receiver that takes nothing takes something, or its time is over.
    async fn wait_for_receiver(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let due = self.core.session.stall_due(Instant::now(), self.config.stall_timeout);
        tokio::select! {
            ready = connection.wait_ready() => {
                ready?;
                connection.check_peer().await?;
            }
            () = self.context.drain.cancelled(), if !self.context.is_draining() => {}
            () = sleep_until(due) => {}
        }
        Ok(())
    }

    /// Whether nothing is left to be sent but that the agent stops: then that goes too.
    async fn has_last_word(&mut self) -> anyhow::Result<bool> {
        let word = self.context.shared.last_word.load(Ordering::SeqCst);
        if word == 0 || Lane::ALL.iter().any(|l| self.lanes.position(*l).batch < word) {
            return Ok(false);
        }
        loop {
            match self.lanes.next(self.core.is_over_budget())? {
                Next::Unread(from) => self.lanes.read(from).await?,
                next => return Ok(matches!(next, Next::Event(_))),
            }
        }
    }

    /// When something is to be done though nothing happens.
    fn due(&self, connection: &Connection) -> Option<Instant> {
        // A day may begin at any moment: somebody may set the clock.
        let looks = connection.wants_looks() || self.core.is_over_budget();
        self.core.session.due(Instant::now(), [self.heartbeat.due_in(), self.next_expiry_in(connection)], looks)
    }

    /// Looks at the connection, moves cursors, goes back to the first address when that is there again.
    async fn check_connection(
        &mut self,
        connection: &mut Connection,
        failover: &mut Failover,
    ) -> anyhow::Result<Option<SessionEnd>> {
        connection.check_peer().await?;
        self.count_refused(connection);
        self.report_losses(false);
        self.log_messages(connection);
        self.advance_idle_lanes(connection)?;
        self.core.session.looked(Instant::now());
        if !failover.primary_recovered().await {
            return Ok(None);
        }
        if self.write_before_leaving(connection).await? == FlushStatus::Stalled {
            return Err(anyhow!("the first address is back, and this receiver takes nothing"));
        }
        self.finish(connection).await?;
        Ok(Some(SessionEnd::Reconnect))
    }

    /// Writes what was taken to a receiver that is left; one that takes nothing is not waited for.
    async fn write_before_leaving(&mut self, connection: &mut Connection) -> anyhow::Result<FlushStatus> {
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
    async fn continue_write(&mut self, connection: &mut Connection) -> anyhow::Result<bool> {
        let name = &self.config.name;
        let is_open = connection.flush().await? == FlushStatus::All;
        match self.core.wrote(now(), is_open, connection.progress()) {
            Stall::Open { again } => {
                if again {
                    log(format_args!("output {name}: the receiver reads again"));
                }
                return Ok(true);
            }
            Stall::Stalled { tell: true } => {
                let most = self.config.stall_timeout.as_secs();
                log(format_args!(
                    "output {name}: stalled: the receiver takes nothing at present; it has {most} s (stall_timeout)"
                ));
            }
            Stall::Stalled { tell: false } => {}
            Stall::GiveUp(waited) => return Err(anyhow!("the receiver took nothing for {} s", waited.as_secs())),
        }
        Ok(false)
    }

    /// Hands events over, and waits where each is to be written or has to wait for room.
    async fn next_lines(&mut self, connection: &mut Connection) -> anyhow::Result<Step> {
        match self.burst(connection)? {
            Step::Write => {
                self.continue_write(connection).await?;
                Ok(Step::Went)
            }
            Step::NoRoom => {
                connection.make_room().await?;
                Ok(Step::Went)
            }
            // What was gathered goes out before the disk is waited for.
            Step::Read(from) => {
                self.continue_write(connection).await?;
                self.lanes.read(from).await?;
                Ok(Step::Went)
            }
            step => Ok(step),
        }
    }

    /// Hands events over until enough is gathered for a write, others should get their turn, or one may not go. No waits here:
    /// this is what most of the time is spent with.
    fn burst(&mut self, connection: &mut Connection) -> anyhow::Result<Step> {
        for n in 0..BURST {
            match self.next_line(connection)? {
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
    fn next_line(&mut self, connection: &mut Connection) -> anyhow::Result<Step> {
        let lane = match self.lanes.next(self.core.is_over_budget())? {
            Next::Event(lane) => lane,
            Next::Nothing => return self.look_at_budget(),
            // There is more to look through; what was found so far goes out meanwhile. A stop, the connection and the clock are
            // looked at between some batches and the next.
            Next::Later => return Ok(Step::Write),
            Next::Unread(from) => return Ok(Step::Read(from)),
        };
        if !connection.has_room() {
            return Ok(Step::NoRoom);
        }
        self.caught_up(false);
        let next = self.lanes.encode(lane, &mut self.line)?;
        match self.core.may_go(now, self.line.len() as u64, lane.is_exempt()) {
            May::Go => {}
            May::Later => return Ok(Step::Later),
            May::OverBudget { until, newly } => {
                if newly {
                    self.log_over_budget(until);
                }
                return Ok(Step::Went);
            }
        }
        let line = self.lanes.line(lane, next);
        self.send_line(connection, line)?;
        self.lanes.advance(lane, next);
        Ok(if self.core.writes_at_once() { Step::Write } else { Step::Went })
    }

    /// Nothing may go before the next day, where a lane is held back: looks whether it has begun.
    fn look_at_budget(&mut self) -> anyhow::Result<Step> {
        if !self.core.is_over_budget() {
            return Ok(Step::None);
        }
        match self.lanes.holds_back()? {
            Next::Event(_) => {}
            Next::Later => return Ok(Step::Went),
            Next::Unread(from) => return Ok(Step::Read(from)),
            Next::Nothing => return Ok(Step::None),
        }
        if !self.core.is_new_day(now()) {
            return Ok(Step::Later);
        }
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
    async fn send_heartbeats(&mut self, connection: &mut Connection) -> anyhow::Result<Step> {
        if self.heartbeat.is_due() {
            self.heartbeats_due = self.heartbeat.notices(self.config, self.context, self.stats).into();
        }
        let Some(notice) = self.heartbeats_due.front() else { return Ok(Step::None) };
        self.lanes.notice(notice, &mut self.line);
        let may = self.core.may_beat(now(), self.line.len() as u64);
        if may == MayBeat::Later {
            return Ok(Step::Later);
        }
        if !connection.has_room() {
            connection.make_room().await?;
        }
        if may == MayBeat::GoUnmetered {
            self.send_unmetered(connection)?;
        } else {
            self.send_line(connection, Line::Beat)?;
        }
        self.heartbeats_due.pop_front();
        if may == MayBeat::GoUnmetered || self.core.writes_at_once() {
            self.continue_write(connection).await?;
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
        // A receiver that closes with us has read what is in the window. That is worth a connection where somebody waits for it, or where the
        // window fills the spool and nothing more can come that would push it out. One that another output fills gets no emptier by that.
        let is_flushed =
            at_end && self.context.flush.swap(false, Ordering::SeqCst) && connection.is_confirmed_by_its_end();
        if self.core.confirms
            && self.core.window().events() > 0
            && (is_flushed || self.context.shared.spool.is_full() && self.pins())
        {
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
