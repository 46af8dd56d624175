//! What systemd is told of the agent, where it started it: that it runs, reads its configuration again, lives, stops (sd_notify(3)).
//!
//! Each message is a datagram to the socket that systemd names in the environment. Nobody waits for it, and nothing depends on whether it
//! is read; where no manager asks, nothing is sent.
use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
    process,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use crate::log::Visible;

/// The service manager, or nobody.
#[derive(Default)]
pub struct Service {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Service {
    /// The one that started this process.
    pub fn from_environment() -> Service {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| open(&name).ok());
        let watchdog = watchdog(env::var("WATCHDOG_USEC").ok().as_deref(), env::var("WATCHDOG_PID").ok().as_deref());
        Service { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    /// How often it wants to hear that the agent lives: half of the time after which it ends it.
    pub fn alive_every(&self) -> Option<Duration> {
        self.watchdog.map(|whole| whole / 2)
    }

    /// The agent lives.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The agent runs, or goes on after it has read its configuration; how it is doing, in a line.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", Visible(status)));
    }

    /// The agent reads its configuration again. [`Self::ready`] follows.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let since = Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0));
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", since.as_micros()));
    }

    /// The agent ends.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stops: what was read is delivered as far as there is time");
    }

    /// How the agent is doing, in a line.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", Visible(status)));
    }

    fn send(&self, message: &str) {
        if let Some((socket, to)) = &self.socket {
            let _ = socket.send_to_addr(message.as_bytes(), to);
        }
    }
}

/// A socket that never waits, and where it sends to: `/PATH`, or `@NAME` where it is none of the file system.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}

/// The time of the watchdog, where it is for this process.
fn watchdog(microseconds: Option<&str>, process: Option<&str>) -> Option<Duration> {
    let is_ours = process.is_none_or(|id| id.parse() == Ok(process::id()));
    let time = microseconds?.parse().ok().filter(|n| *n > 0)?;
    is_ours.then(|| Duration::from_micros(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_ours_unless_it_is_for_another_process() {
        let own = process::id().to_string();
        assert_eq!(watchdog(Some("2000000"), Some(&own)), Some(Duration::from_secs(2)));
        assert_eq!(watchdog(Some("2000000"), None), Some(Duration::from_secs(2)));
        assert_eq!(watchdog(Some("2000000"), Some("1")), None);
        for none in [None, Some("0"), Some(""), Some("-1"), Some("soon")] {
            assert_eq!(watchdog(none, Some(&own)), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_no_socket_of_this_machine_is_told_nothing() {
        for name in ["", "vsock:2:1234", "relative"] {
            assert!(open(OsStr::new(name)).is_err(), "{name}");
        }
        // Nobody listens: that is nobody's trouble.
        let service = Service { socket: open(OsStr::new("/nowhere/notify")).ok(), watchdog: None };
        service.ready("1 source is read");
    }
}
