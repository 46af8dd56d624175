//! Moving cursors behind what has arrived, and ending a connection such that everything has.
use std::{sync::atomic::Ordering, time::Duration};

use anyhow::anyhow;
use tokio::time::{Instant, sleep};

use super::Worker;
use crate::{
    agent::log,
    output::{
        connection::Link,
        resend_window::{Count, Moved},
    },
    spool::Lane,
};

/// How often it is asked what is acknowledged while that is what the end waits for.
const ASK: Duration = Duration::from_millis(250);

impl Worker<'_> {
    /// Moves the cursors behind what is done.
    pub(super) fn settle(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let now = self.now();
        let moved = link.pass(&mut self.window, self.config.resend_window, now)?;
        self.count_done(moved);
        Ok(())
    }

    fn count_done(&mut self, moved: Moved) {
        let Count { entries, notices } = self.window.take_done();
        let lost = self.unsent.min(entries);
        self.unsent -= lost;
        let lost_notices = self.unsent_notices.min(notices);
        self.unsent_notices -= lost_notices;
        self.counters.sent.fetch_add(entries - lost, Ordering::Relaxed);
        self.counters.notices.fetch_add(notices - lost_notices, Ordering::Relaxed);
        let spool = &self.orders.shared.spool;
        for lane in Lane::ALL {
            if let Some(cursor) = moved.get(lane.index()).copied().flatten() {
                spool.advance(&self.config.name, lane, cursor);
            }
        }
        let nowhere = self.lanes.take_nowhere();
        self.count_nowhere(nowhere);
        if self.config.limits.bytes_per_day.is_some()
            && let Ok(spent) = serde_json::to_string(&self.meter.spent())
        {
            spool.set_budget_spent(&self.config.name, spent);
        }
    }

    /// Counts what needs no delivery.
    pub(super) fn count_nowhere(&self, [filtered, unreadable]: [u64; 2]) {
        self.counters.filtered.fetch_add(filtered, Ordering::Relaxed);
        self.counters.unreadable.fetch_add(unreadable, Ordering::Relaxed);
    }

    /// The same between two events: a lane with nothing on the way stands where it reads, behind what it passed over.
    pub(super) fn settle_at_rest(&mut self, link: &mut Link) -> anyhow::Result<()> {
        self.settle(link)?;
        for lane in Lane::ALL.into_iter().filter(|l| self.window.is_clear(*l)) {
            self.orders.shared.spool.advance(&self.config.name, lane, self.lanes.place(lane));
        }
        Ok(())
    }

    /// How long until the next event may count as arrived though nothing else happens.
    pub(super) fn settles_in(&self, link: &Link) -> Option<Duration> {
        link.settles_in(&self.window, self.config.resend_window)
    }

    /// Ends the connection cleanly: the receiver has read everything when it closes too. One that does not close is waited
    /// for as long as its system has not acknowledged everything, at most `stall_timeout` without any progress, and then
    /// until everything counts as arrived by its age.
    pub(super) async fn finish(&mut self, link: &mut Link) -> anyhow::Result<()> {
        let to_confirm = self.window.events();
        let mut since = Instant::now();
        let mut stopping: Option<Instant> = None;
        let mut seen = self.window.seen();
        loop {
            let wait = self.config.stall_timeout;
            let at_most = if self.orders.stopping() { self.orders.setup.config.stop_timeout } else { wait };
            if link.finish(at_most).await? {
                break;
            }
            self.settle(link)?;
            if self.window.is_empty() && link.is_shut() {
                if to_confirm > 0 && std::mem::take(&mut self.confirms) {
                    log(format_args!(
                        "output {}: the receiver does not close when it has read everything: what was sent counts as arrived {} s after its system acknowledged it (resend_window)",
                        self.config.name,
                        self.config.resend_window.age.as_secs_f32()
                    ));
                }
                break;
            }
            if std::mem::replace(&mut seen, self.window.seen()) != self.window.seen() || self.window.is_there() {
                since = Instant::now();
            }
            let stop = self.orders.stopping().then(|| *stopping.get_or_insert_with(Instant::now));
            let waited = stop.unwrap_or(since).elapsed();
            if waited >= at_most {
                return Err(anyhow!(
                    "the receiver did not close within {} s: whether it read the last lines is not known",
                    at_most.as_secs()
                ));
            }
            self.wait_at_end(link, at_most - waited).await;
        }
        self.count_refused(link);
        let moved = self.window.all();
        for lane in Lane::ALL {
            self.orders.shared.spool.advance(&self.config.name, lane, self.lanes.place(lane));
        }
        self.count_done(moved);
        Ok(())
    }

    /// Waits until the next step of the end may come to something.
    async fn wait_at_end(&mut self, link: &mut Link, at_most: Duration) {
        let asks = if self.window.is_there() { self.settles_in(link).unwrap_or(at_most) } else { ASK };
        tokio::select! {
            () = link.stir_at_end() => {}
            () = self.orders.drain.cancelled(), if !self.orders.stopping() => {}
            () = sleep(asks.min(at_most)) => {}
        }
    }
}
