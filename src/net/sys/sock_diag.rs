//! What the kernel knows of a TCP connection of this machine, asked by its addresses (Linux: `sock_diag(7)`, as `ss -i` does).
use std::time::Duration;

#[cfg(target_os = "linux")]
pub use self::linux::SockDiag;
#[cfg(not(target_os = "linux"))]
pub use self::nobody::SockDiag;

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

#[cfg(target_os = "linux")]
mod linux {
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

    /// A question about one connection.
    pub struct SockDiag {
        socket: Socket,
        request: Vec<u8>,
    }

    impl SockDiag {
        /// By the addresses of its ends; an error where the kernel is not to be asked.
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
    fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
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
    pub(super) fn facts(answer: &[u8]) -> Option<TcpInfo> {
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

#[cfg(not(target_os = "linux"))]
mod nobody {
    //! Nobody to ask.
    use std::{io, net::SocketAddr};

    use super::TcpInfo;

    /// A question that nobody answers.
    pub struct SockDiag;

    impl SockDiag {
        /// Never an error.
        pub fn new(_: SocketAddr, _: SocketAddr) -> io::Result<SockDiag> {
            Ok(SockDiag)
        }

        /// Nobody says.
        pub fn ask(&mut self) -> Option<TcpInfo> {
            None
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
