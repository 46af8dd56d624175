//! Moving cursors behind what has arrived, and ending a connection such that everything has.
use std::{sync::atomic::Ordering, time::Duration};

use anyhow::anyhow;
use tokio::time::{Instant, sleep};

use super::OutputTask;
use crate::{
    agent::log,
    output::{connection::Connection, resend_window::Moved},
    spool::Lane,
};

/// How often it is asked what is acknowledged while that is what the end waits for.
const ASK: Duration = Duration::from_millis(250);

/// The lanes that stand where they read, because nothing of them is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Not asked.
    None,
    /// Those with nothing in the window.
    Clear,
    /// All: everything has arrived.
    All,
}

impl OutputTask<'_> {
    /// Moves the cursors behind what is done.
    pub(super) fn advance_cursors(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let moved = self.expire(connection)?;
        self.settle(moved, Rest::None);
        Ok(())
    }

    fn expire(&mut self, connection: &mut Connection) -> anyhow::Result<Moved> {
        Ok(self.core.expire(Instant::now(), |window, policy, now| connection.expire(window, policy, now))?)
    }

    /// Counts what is done, and moves the cursors behind it: in one step for those who ask for the sums.
    fn settle(&mut self, moved: Moved, rest: Rest) {
        let _settling = self.stats.settling();
        self.stats.add(self.core.take_sums());
        self.core.take_passed().into_iter().for_each(|(batch, events)| self.lanes.delivered(batch, events));
        // Before a cursor passes their batch.
        self.lanes.tell_delivered();
        let spool = &self.context.shared.spool;
        for lane in Lane::ALL {
            if let Some(cursor) = moved.get(lane.index()).copied().flatten() {
                spool.advance(&self.config.name, lane, cursor);
            }
            if rest == Rest::All || rest == Rest::Clear && self.core.is_clear(lane) {
                spool.advance(&self.config.name, lane, self.lanes.position(lane));
            }
        }
        let nowhere = self.lanes.take_nowhere();
        self.count_nowhere(nowhere);
        self.say_how_it_goes();
        if self.config.limits.bytes_per_day.is_some()
            && let Ok(spent) = serde_json::to_string(&self.core.spent())
        {
            spool.set_budget_spent(&self.config.name, spent);
        }
    }

    /// Counts what needs no delivery.
    pub(super) fn count_nowhere(&self, [filtered, unreadable]: [u64; 2]) {
        self.stats.filtered.fetch_add(filtered, Ordering::Relaxed);
        self.stats.unreadable.fetch_add(unreadable, Ordering::Relaxed);
    }

    /// The same between two events: a lane with nothing on the way stands where it reads, behind what it passed over.
    pub(super) fn advance_idle_lanes(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let moved = self.expire(connection)?;
        self.settle(moved, Rest::Clear);
        Ok(())
    }

    /// How long until the next event may count as arrived though nothing else happens.
    pub(super) fn next_expiry_in(&self, connection: &Connection) -> Option<Duration> {
        connection.next_expiry_in(self.core.window(), self.config.resend_window)
    }

    /// Ends the connection cleanly: the receiver has read everything when it closes too. One that does not close is waited
    /// for as long as its system has not acknowledged everything, at most `stall_timeout` without any progress, and then
    /// until everything counts as arrived by its age.
    pub(super) async fn finish(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let to_confirm = self.core.window().events();
        let mut since = Instant::now();
        let mut is_draining: Option<Instant> = None;
        let mut seen = self.core.window().seen();
        loop {
            let wait = self.config.stall_timeout;
            let at_most = if self.context.is_draining() { self.context.setup.config.stop_timeout } else { wait };
            if connection.finish(at_most).await? {
                break;
            }
            self.advance_cursors(connection)?;
            if self.core.window().is_empty() && connection.is_shut() {
                if to_confirm > 0 && std::mem::take(&mut self.core.confirms) {
                    log(format_args!(
                        "output {}: the receiver does not close when it has read everything: what was sent counts as arrived {} s after its system acknowledged it (resend_window)",
                        self.config.name,
                        self.config.resend_window.age.as_secs_f32()
                    ));
                }
                break;
            }
            if std::mem::replace(&mut seen, self.core.window().seen()) != self.core.window().seen()
                || self.core.window().is_there()
            {
                since = Instant::now();
            }
            let stop = self.context.is_draining().then(|| *is_draining.get_or_insert_with(Instant::now));
            let waited = stop.unwrap_or(since).elapsed();
            if waited >= at_most {
                return Err(anyhow!(
                    "the receiver did not close within {} s: whether it read the last lines is not known",
                    at_most.as_secs()
                ));
            }
            self.wait_at_end(connection, at_most - waited).await;
        }
        self.count_refused(connection);
        let moved = self.core.everything_arrived();
        self.settle(moved, Rest::All);
        Ok(())
    }

    /// Waits until the next step of the end may come to something.
    async fn wait_at_end(&mut self, connection: &mut Connection, at_most: Duration) {
        let asks = if self.core.window().is_there() { self.next_expiry_in(connection).unwrap_or(at_most) } else { ASK };
        tokio::select! {
            () = connection.wait_ready_to_close() => {}
            () = self.context.drain.cancelled(), if !self.context.is_draining() => {}
            () = sleep(asks.min(at_most)) => {}
        }
    }
}
