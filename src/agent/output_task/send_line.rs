//! Handing one line to the connection, whatever its length, and counting it where it belongs.
use std::sync::atomic::Ordering;

use super::{OutputTask, now};
use crate::{
    agent::log,
    output::{OutputError, connection::Connection, resend_window::Line, tcp::FlushStatus},
};

/// What an IPv4 datagram holds beside its headers (RFC 791, RFC 768).
const LARGEST_DATAGRAM: usize = 65_507;
/// The smallest `max_size`.
const SHORTEST: usize = 480;

impl OutputTask<'_> {
    /// Hands the line over that may go. Where it is to be [written](Self::write_out) at once, that is to be done next.
    pub(super) fn send_line(&mut self, connection: &mut Connection, line: Line) -> anyhow::Result<()> {
        if self.enqueue(connection, line)? {
            self.core.taken(now, line, self.line.len() as u64);
        }
        Ok(())
    }

    /// Writes what was handed over.
    pub(super) async fn write_out(&mut self, connection: &mut Connection) -> anyhow::Result<FlushStatus> {
        let flushed = connection.flush().await?;
        if flushed == FlushStatus::All {
            self.core.written(now());
        }
        Ok(flushed)
    }

    /// Hands a heartbeat over outside the limits a second.
    pub(super) fn send_unmetered(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        if self.enqueue(connection, Line::Beat)? {
            self.core.taken_unmetered(now(), self.line.len() as u64);
        }
        Ok(())
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
        self.stats.tap.offer(&self.line);
        // A refusal that came with it is of the one before.
        self.count_refused(connection);
        Ok(true)
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
            Line::Entry(lane, _) | Line::Notice(lane, _) | Line::StandIn(lane, _) => {
                self.lanes.encode(lane, &mut self.line)?;
            }
            Line::Beat => {
                if let Some(notice) = self.heartbeats_due.front() {
                    self.lanes.notice(notice, &mut self.line);
                }
            }
        }
        Ok(self.line.len() < bytes)
    }

    /// Counts a datagram that is known to be lost.
    pub(super) fn count_refused(&mut self, connection: &Connection) {
        // No notice of a notice that is lost: that would be lost too, without end.
        if self.core.refused(connection.refused()) {
            self.losses.add(1);
            self.count_sums();
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

    /// Adds what was done to the stats.
    pub(super) fn count_sums(&mut self) {
        let _settling = self.stats.settling();
        self.stats.add(self.core.take_sums());
    }
}
