//! Whether the network is silent: the system below the receiver no longer answers, which a reader that only stalls does.
//!
//! * Nothing on the way: TCP keepalive asks, and ends the connection.
//! * Data on the way: Linux sends no keepalive then, and repeats the data for some 15 minutes before it gives up.
//!   TCP_USER_TIMEOUT would be shorter, but also ends connections whose receiver answers "no room" for that long. So the
//!   kernel is asked (sock_diag, as `ss -i` does) what it last sent and heard. Silence begins when something was sent
//!   after the last answer, and lasts until an answer comes.
//! * A receiver without room is asked by the kernel whether it has room again, at growing intervals of at most 2 minutes
//!   (RFC 9293, section 3.8.6.1; TCP_RTO_MAX in Linux). A network that falls silent in between is found that much later.
//!
//! On other systems than Linux, or where netlink is forbidden, keepalive alone is left.
use std::{io, time::Duration};

use socket2::TcpKeepalive;
use tokio::time::Instant;

use super::sys::{SockDiag, TcpInfo, TcpStream, set_keep_alive};

/// Sets keepalive such that silence on an idle connection is found within `limit`.
pub fn keep_alive(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let (idle, interval, retries) = keep_alive_times(limit);
    let times = TcpKeepalive::new().with_time(idle);
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd"))]
    let times = times.with_interval(interval).with_retries(retries);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd")))]
    let _ = (interval, retries);
    set_keep_alive(stream, &times)
}

/// Half of the time is quiet, then it is asked a few times. Whole seconds: the system knows no others.
fn keep_alive_times(limit: Duration) -> (Duration, Duration, u32) {
    let limit = limit.as_secs().max(3);
    let idle = limit / 2;
    let interval = (limit / 6).max(1);
    let retries = u32::try_from((limit - idle) / interval).unwrap_or(3).clamp(1, 9);
    (Duration::from_secs(idle), Duration::from_secs(interval), retries)
}

/// How long a connection has been silent. Looked at now and then, so it sees less silence than there is, never more.
#[derive(Debug, Default)]
pub struct UnansweredSince(Option<Instant>);

impl UnansweredSince {
    /// The silence so far.
    pub fn observe(&mut self, now: Instant, facts: &TcpInfo) -> Duration {
        let unanswered = facts.probes > 0 || facts.on_the_way && facts.since_heard > facts.since_sent;
        if !unanswered {
            self.0 = None;
            return Duration::ZERO;
        }
        // An answer since then, and sent again behind it.
        let so_far = self.0.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if self.0.is_none() || facts.since_heard < so_far {
            self.0 = Some(now);
            return Duration::ZERO;
        }
        so_far
    }
}

/// Watches one connection.
pub struct LivenessMonitor {
    limit: Duration,
    next: Instant,
    silence: UnansweredSince,
    kernel: Option<SockDiag>,
    /// The kernel answered when the connection was made: later no answer means that there is no connection.
    answers: bool,
}

impl LivenessMonitor {
    /// Of a connected socket.
    pub fn new(stream: &TcpStream, limit: Duration) -> LivenessMonitor {
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let mut kernel = ends.and_then(|(local, peer)| SockDiag::new(local, peer)).ok();
        let answers = kernel.as_mut().and_then(SockDiag::ask).is_some();
        LivenessMonitor { limit, next: Instant::now(), silence: UnansweredSince::default(), kernel, answers }
    }

    /// Bytes that were written and that the peer's system has not acknowledged. Where nobody says, none: what is written
    /// counts as acknowledged then. An error when the connection has ended, after which nobody will ever know.
    pub fn unacknowledged(&mut self) -> io::Result<u64> {
        match self.kernel.as_mut().filter(|_| self.answers) {
            None => Ok(0),
            Some(kernel) => match kernel.ask() {
                Some(facts) => Ok(u64::from(facts.unacknowledged)),
                None => Err(io::ErrorKind::NotConnected.into()),
            },
        }
    }

    /// When [`check`](Self::check) asks the kernel again.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// An error when the network is silent for too long. Cheap: the kernel is asked a few times in that time.
    pub fn check(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + (self.limit / 12).clamp(Duration::from_millis(200), Duration::from_secs(2));
        let Some(facts) = self.kernel.as_mut().and_then(SockDiag::ask) else { return Ok(()) };
        let silent = self.silence.observe(now, &facts);
        if silent >= self.limit {
            let text = format!(
                "the network is silent: {} s without any answer to what was sent (dead_peer_timeout)",
                silent.as_secs()
            );
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
