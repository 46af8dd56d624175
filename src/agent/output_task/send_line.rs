//! Handing one line to the connection, whatever its length, and counting it where it belongs.
use std::sync::atomic::Ordering;

use super::{OutputStats, OutputTask};
use crate::{
    agent::log,
    clock,
    output::{OutputError, connection::Connection, resend_window::Line, tcp::FlushStatus},
};

/// What an IPv4 datagram holds beside its headers (RFC 791, RFC 768).
const LARGEST_DATAGRAM: usize = 65_507;
/// The smallest `max_size`.
const SHORTEST: usize = 480;

impl OutputTask<'_> {
    /// Whether there is a limit a second.
    pub(super) fn is_paced(&self) -> bool {
        let limits = &self.config.limits;
        limits.events_per_second.is_some() || limits.bytes_per_second.is_some()
    }

    /// Hands the line over that may go. The limits a second hold for the wire, so where there are some it is
    /// [written](Self::write_out) at once, and its time is that of the write: one that was late would else stand within a second
    /// with too many others.
    pub(super) fn send_line(&mut self, connection: &mut Connection, line: Line) -> anyhow::Result<()> {
        if self.enqueue(connection, line)? {
            self.unmetered_bytes = Some(self.line.len() as u64);
            if !self.is_paced() {
                self.meter_pending();
            }
        }
        Ok(())
    }

    /// Writes what was handed over, and counts what was owed.
    pub(super) async fn write_out(&mut self, connection: &mut Connection) -> anyhow::Result<FlushStatus> {
        let flushed = connection.flush().await?;
        if flushed == FlushStatus::All {
            self.meter_pending();
        }
        Ok(flushed)
    }

    /// Hands a heartbeat over outside the limits a second.
    pub(super) async fn send_unmetered(&mut self, connection: &mut Connection) -> anyhow::Result<FlushStatus> {
        if self.enqueue(connection, Line::Beat)? {
            self.limiter.record_exempt(self.now(), clock::now().timestamp_micros(), self.line.len() as u64);
        }
        Ok(connection.flush().await?)
    }

    /// Gives the line to the connection; one that the way does not take is written again, shorter, as all after it. `false`
    /// for a heartbeat that no way takes: the next one comes.
    fn enqueue(&mut self, connection: &mut Connection, line: Line) -> anyhow::Result<bool> {
        while let Err(e) = connection.take(&self.line) {
            let OutputError::TooLong { bytes, .. } = e else { return Err(e.into()) };
            if bytes > SHORTEST && self.shorten(line, bytes)? {
                continue;
            }
            if line != Line::Beat {
                return Err(e.into());
            }
            log(format_args!("output {}: a heartbeat is left out: {e}", self.config.name));
            return Ok(false);
        }
        // A refusal that came with it is of the one before.
        self.count_refused(connection);
        self.last = Some(line);
        self.window.push(line, self.line.len() as u64);
        if matches!(line, Line::Entry(..)) {
            self.count_again();
        }
        Ok(true)
    }

    /// An entry is handed over. Behind a connection that ended, those that were on their way go first.
    fn count_again(&self) {
        let OutputStats { unconfirmed, resent, .. } = self.stats;
        let before = unconfirmed.load(Ordering::Relaxed);
        if before > 0 {
            unconfirmed.store(before - 1, Ordering::Relaxed);
            resent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the line again, shorter than so many bytes. Whether it became so.
    fn shorten(&mut self, line: Line, bytes: usize) -> anyhow::Result<bool> {
        let limit = if bytes > LARGEST_DATAGRAM { LARGEST_DATAGRAM } else { (bytes - bytes / 4).max(SHORTEST) };
        log(format_args!(
            "output {}: the way takes no datagram of {bytes} bytes: lines are cut at {limit} from now on",
            self.config.name
        ));
        self.lanes.shorten(limit);
        match line {
            Line::Entry(lane, _) | Line::Notice(lane, _) => drop(self.lanes.encode(lane, &mut self.line)?),
            Line::Beat => {
                if let Some(notice) = self.heartbeats_due.front() {
                    self.lanes.notice(notice, &mut self.line);
                }
            }
        }
        Ok(self.line.len() < bytes)
    }

    /// Counts a datagram that is known to be lost: never as sent.
    pub(super) fn count_refused(&mut self, connection: &Connection) {
        let refused = connection.refused();
        if std::mem::replace(&mut self.refused, refused) >= refused {
            return;
        }
        let (sent, unsent) = match self.last.take() {
            Some(Line::Entry(..)) => {
                self.stats.refused.fetch_add(1, Ordering::Relaxed);
                self.losses.add(1);
                (&self.stats.sent, &mut self.unsent)
            }
            // No notice of a notice that is lost: that would be lost too, without end.
            Some(Line::Notice(..) | Line::Beat) => (&self.stats.notices, &mut self.unsent_notices),
            None => return,
        };
        // It may have been counted already, with all that is written.
        if sent.load(Ordering::Relaxed) > 0 {
            sent.fetch_sub(1, Ordering::Relaxed);
        } else {
            *unsent += 1;
        }
    }

    /// Tells every output what is lost, when it is time to; `last` when there will be no other time.
    pub(super) fn report_losses(&mut self, last: bool) {
        let Some(lost) = self.losses.tell(last) else { return };
        let in_all = self.stats.refused.load(Ordering::Relaxed);
        let is_told = self.context.shared.tell_lost(&self.context.setup, &self.config.name, lost, in_all);
        // A state that cannot be written holds up no end: the log and the exit code say it then.
        if !is_told && !last {
            self.losses.add(lost);
        }
    }

    /// The line that was handed over last is written.
    pub(super) fn meter_pending(&mut self) {
        if let Some(bytes) = self.unmetered_bytes.take() {
            self.limiter.record(self.now(), clock::now().timestamp_micros(), bytes);
        }
    }
}
