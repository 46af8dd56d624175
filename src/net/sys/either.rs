//! For unit tests: a socket of the system, or of the network in memory that the test has settled on.
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::TcpKeepalive;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{TcpInfo, simulated, sock_diag, system};

/// A socket.
#[derive(Debug)]
pub enum TcpStream {
    System(system::TcpStream),
    Simulated(simulated::TcpStream),
}

/// The same call of whichever it is.
macro_rules! either {
    ($it:expr, $socket:pat => $call:expr) => {
        match $it {
            TcpStream::System($socket) => $call,
            TcpStream::Simulated($socket) => $call,
        }
    };
}

impl TcpStream {
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        either!(self, s => s.set_nodelay(nodelay))
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        either!(self, s => s.local_addr())
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        either!(self, s => s.peer_addr())
    }

    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, s => s.try_write(bytes))
    }

    pub async fn readable(&self) -> io::Result<()> {
        either!(self, s => s.readable().await)
    }

    pub async fn writable(&self) -> io::Result<()> {
        either!(self, s => s.writable().await)
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), s => Pin::new(s).poll_read(cx, to))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), s => Pin::new(s).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), s => Pin::new(s).poll_shutdown(cx))
    }
}

pub async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    Ok(match simulated::home() {
        Some(home) => TcpStream::Simulated(simulated::connect(home, to).await?),
        None => TcpStream::System(system::connect(to).await?),
    })
}

pub fn set_keep_alive(stream: &TcpStream, times: &TcpKeepalive) -> io::Result<()> {
    match stream {
        TcpStream::System(s) => system::set_keep_alive(s, times),
        // There is none: who is silent is found when something is sent to him.
        TcpStream::Simulated(_) => Ok(()),
    }
}

pub fn shutdown(stream: &TcpStream) -> io::Result<()> {
    match stream {
        TcpStream::System(s) => system::shutdown(s),
        TcpStream::Simulated(s) => simulated::shutdown(s),
    }
}

pub fn noise() -> u64 {
    if simulated::home().is_some() { simulated::noise() } else { system::noise() }
}

pub fn read(stream: &TcpStream, to: &mut [u8]) -> io::Result<usize> {
    match stream {
        TcpStream::System(s) => system::read(s, to),
        TcpStream::Simulated(s) => simulated::read(s, to),
    }
}

pub fn peek(stream: &TcpStream) -> io::Result<usize> {
    match stream {
        TcpStream::System(s) => system::peek(s),
        TcpStream::Simulated(s) => simulated::peek(s),
    }
}

/// See [`sock_diag::SockDiag`].
pub enum SockDiag {
    System(sock_diag::SockDiag),
    Simulated(SocketAddr, SocketAddr),
}

impl SockDiag {
    pub fn new(local: SocketAddr, peer: SocketAddr) -> io::Result<SockDiag> {
        Ok(match simulated::home() {
            Some(_) => SockDiag::Simulated(local, peer),
            None => SockDiag::System(sock_diag::SockDiag::new(local, peer)?),
        })
    }

    pub fn ask(&mut self) -> Option<TcpInfo> {
        match self {
            SockDiag::System(kernel) => kernel.ask(),
            SockDiag::Simulated(local, peer) => {
                let unacknowledged = u32::try_from(simulated::unacknowledged(*local, *peer)?).ok()?;
                // It repeats what is not answered, and gives up by itself: silence is not looked for.
                let (probes, zero) = (0, Duration::ZERO);
                Some(TcpInfo { on_the_way: false, probes, since_sent: zero, since_heard: zero, unacknowledged })
            }
        }
    }
}
