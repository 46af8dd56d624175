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

use super::sys::{TcpStream, set_keep_alive};

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

/// What the kernel knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Something is sent and not acknowledged.
    pub on_the_way: bool,
    /// Questions for room since the last answer.
    pub probes: u8,
    /// Since data was last sent, also again.
    pub since_sent: Duration,
    /// Since the peer last acknowledged anything.
    pub since_heard: Duration,
    /// Bytes that were written and that the peer's system has not acknowledged, on the way or not yet sent (SIOCOUTQ).
    pub unacknowledged: u32,
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
    kernel: Option<kernel::SockDiag>,
    /// The kernel answered when the connection was made: later no answer means that there is no connection.
    answers: bool,
}

impl LivenessMonitor {
    /// Of a connected socket.
    pub fn new(stream: &TcpStream, limit: Duration) -> LivenessMonitor {
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let mut kernel = ends.and_then(|(local, peer)| kernel::SockDiag::new(local, peer)).ok();
        let answers = kernel.as_mut().and_then(kernel::SockDiag::ask).is_some();
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
        let Some(facts) = self.kernel.as_mut().and_then(kernel::SockDiag::ask) else { return Ok(()) };
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

#[cfg(all(target_os = "linux", not(feature = "simulation")))]
mod kernel {
    //! `sock_diag(7)`: a netlink message that names one TCP socket by its addresses, and the answer to it.
    use std::{
        io::{self, Read, Write},
        net::{IpAddr, SocketAddr},
        time::Duration,
    };

    use nom::{
        IResult, Parser,
        bytes::complete::take,
        combinator::{opt, verify},
        number::{
            Endianness,
            complete::{u8, u16, u32},
        },
        sequence::{delimited, preceded},
    };
    use socket2::{Domain, Protocol, Socket, Type};

    use super::TcpInfo;

    /// From linux/socket.h, linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h.
    const AF_NETLINK: i32 = 16;
    const NETLINK_SOCK_DIAG: i32 = 4;
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const INET_DIAG_INFO: u16 = 2;
    /// Bytes of a netlink header.
    const HEADER: usize = 16;

    pub struct SockDiag {
        socket: Socket,
        request: Vec<u8>,
    }

    impl SockDiag {
        pub fn new(local: SocketAddr, peer: SocketAddr) -> io::Result<SockDiag> {
            let socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(NETLINK_SOCK_DIAG)))?;
            socket.set_read_timeout(Some(Duration::from_millis(100)))?;
            Ok(SockDiag { socket, request: request(local, peer) })
        }

        /// `None` when the kernel does not say: the connection has ended, which the next read or write tells.
        pub fn ask(&mut self) -> Option<TcpInfo> {
            self.socket.write_all(&self.request).ok()?;
            let mut answer = [0; 4096];
            let length = self.socket.read(&mut answer).ok()?;
            facts(answer.get(..length)?)
        }
    }

    /// A netlink header, then `struct inet_diag_req_v2` with the addresses in network order, the rest in the machine's.
    pub fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
        let (family, scope) = match local {
            SocketAddr::V4(_) => (2, 0),
            SocketAddr::V6(a) => (10, a.scope_id()),
        };
        let tcp = 6;
        let info = 1 << (INET_DIAG_INFO - 1);
        let mut out = vec![family, tcp, info, 0];
        out.extend_from_slice(&u32::MAX.to_ne_bytes());
        out.extend_from_slice(&local.port().to_be_bytes());
        out.extend_from_slice(&peer.port().to_be_bytes());
        for ip in [local.ip(), peer.ip()] {
            let mut bytes = [0; 16];
            match ip {
                IpAddr::V4(a) => bytes[..4].copy_from_slice(&a.octets()),
                IpAddr::V6(a) => bytes = a.octets(),
            }
            out.extend_from_slice(&bytes);
        }
        out.extend_from_slice(&scope.to_ne_bytes());
        // No cookie.
        out.extend_from_slice(&[0xff; 8]);
        let mut message = Vec::with_capacity(HEADER + out.len());
        message.extend_from_slice(&u32::try_from(HEADER + out.len()).unwrap_or(0).to_ne_bytes());
        message.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&out);
        message
    }

    type Parsed<'a, O> = IResult<&'a [u8], O, ()>;

    /// Numbers in the order of the machine.
    fn half(bytes: &[u8]) -> Parsed<'_, u16> {
        u16(Endianness::Native)(bytes)
    }

    fn word(bytes: &[u8]) -> Parsed<'_, u32> {
        u32(Endianness::Native)(bytes)
    }

    /// `struct nlmsghdr`, whose type is behind its length, and `struct inet_diag_msg`, of which `idiag_wqueue` is taken: what was
    /// written and is not acknowledged.
    fn message(bytes: &[u8]) -> Parsed<'_, u32> {
        let kind = verify(half, |kind| *kind == SOCK_DIAG_BY_FAMILY);
        preceded((take(4usize), kind, take(10usize)), delimited(take(60usize), word, take(8usize))).parse(bytes)
    }

    /// `struct rtattr`, its length with these four bytes and its type; its value, and what fills that up to whole words.
    fn attribute(bytes: &[u8]) -> Parsed<'_, (u16, &[u8])> {
        let (rest, (length, kind)) = (half, half).parse(bytes)?;
        let length = usize::from(length).max(4);
        let (rest, value) = take(length - 4)(rest)?;
        let (rest, _) = opt(take(length.next_multiple_of(4) - length)).parse(rest)?;
        Ok((rest, (kind, value)))
    }

    /// `struct tcp_info`: eight bytes, of which `tcpi_probes` is the fourth; then words: `tcpi_unacked`, `tcpi_last_data_sent` and
    /// `tcpi_last_ack_recv`.
    fn tcp_info(bytes: &[u8]) -> Parsed<'_, (u8, u32, Duration, Duration)> {
        let millis = || word.map(|n| Duration::from_millis(u64::from(n)));
        let words = |n: usize| take(4 * n);
        let (probes, on_the_way) = (delimited(take(3usize), u8, take(4usize)), preceded(words(4), word));
        (probes, on_the_way, preceded(words(4), millis()), preceded(words(2), millis())).parse(bytes)
    }

    /// What an answer says in its attribute INET_DIAG_INFO.
    pub fn facts(answer: &[u8]) -> Option<TcpInfo> {
        let (mut attributes, unacknowledged) = message(answer).ok()?;
        loop {
            let (rest, (kind, value)) = attribute(attributes).ok()?;
            if kind == INET_DIAG_INFO {
                let (_, (probes, on_the_way, since_sent, since_heard)) = tcp_info(value).ok()?;
                return Some(TcpInfo { on_the_way: on_the_way > 0, probes, since_sent, since_heard, unacknowledged });
            }
            attributes = rest;
        }
    }
}

#[cfg(feature = "simulation")]
mod kernel {
    //! The simulated system, which says no more than how much is not acknowledged.
    use std::{io, net::SocketAddr, time::Duration};

    use super::{super::sys::unacknowledged, TcpInfo};

    pub struct SockDiag(SocketAddr, SocketAddr);

    impl SockDiag {
        pub fn new(local: SocketAddr, peer: SocketAddr) -> io::Result<SockDiag> {
            Ok(SockDiag(local, peer))
        }

        pub fn ask(&mut self) -> Option<TcpInfo> {
            let unacknowledged = u32::try_from(unacknowledged(self.0, self.1)?).ok()?;
            // It repeats what is not answered, and gives up by itself: silence is not looked for.
            let (probes, zero) = (0, Duration::ZERO);
            Some(TcpInfo { on_the_way: false, probes, since_sent: zero, since_heard: zero, unacknowledged })
        }
    }
}

#[cfg(not(any(target_os = "linux", feature = "simulation")))]
mod kernel {
    //! Nobody to ask.
    use std::{io, net::SocketAddr};

    use super::TcpInfo;

    pub struct SockDiag;

    impl SockDiag {
        pub fn new(_: SocketAddr, _: SocketAddr) -> io::Result<SockDiag> {
            Ok(SockDiag)
        }

        pub fn ask(&mut self) -> Option<TcpInfo> {
            None
        }
    }
}

#[cfg(all(test, not(feature = "simulation")))]
mod tests;
