//! The connection of a sender, whatever it runs over.
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::server::TlsStream;

/// How long an acknowledgement may take to get into the sender's socket: it is some bytes, and there is room for tens of
/// thousands of them.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection.
pub enum Wire {
    /// TCP.
    Tcp(TcpStream),
    /// TCP under TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Wire {
    /// The socket below it.
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            Wire::Tcp(s) => SockRef::from(s),
            Wire::Tls(s) => SockRef::from(s.get_ref().0),
            Wire::Unix(s) => SockRef::from(s),
        }
    }

    /// Small acknowledgements are not held back.
    pub fn prepare(&self) -> io::Result<()> {
        match self {
            Wire::Tcp(s) => s.set_nodelay(true),
            Wire::Tls(s) => s.get_ref().0.set_nodelay(true),
            Wire::Unix(_) => Ok(()),
        }
    }

    /// Waits until something came (`true`), or it is closed again, without taking anything. Not for TLS.
    pub async fn speaks(&self) -> io::Result<bool> {
        loop {
            let peeked = match self {
                Wire::Tcp(s) => {
                    s.readable().await?;
                    s.try_io(Interest::READABLE, || peek(SockRef::from(s)))
                }
                Wire::Unix(s) => {
                    s.readable().await?;
                    s.try_io(Interest::READABLE, || peek(SockRef::from(s)))
                }
                Wire::Tls(_) => return Ok(true),
            };
            match peeked {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other.map(|n| n > 0),
            }
        }
    }

    /// Writes all of some bytes, within `SEND_TIMEOUT`. After an error it is of no more use.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let write = async {
            self.write_all(bytes).await?;
            self.flush().await
        };
        timeout(SEND_TIMEOUT, write).await?
    }
}

/// What lies in a socket, without a wait.
pub fn peek(socket: SockRef<'_>) -> io::Result<usize> {
    socket.recv_with_flags(&mut [MaybeUninit::uninit()], libc::MSG_PEEK | libc::MSG_DONTWAIT)
}

/// The same call of whatever it runs over.
macro_rules! of_each {
    ($wire:expr, $s:ident => $call:expr) => {
        match $wire.get_mut() {
            Wire::Tcp($s) => $call,
            Wire::Tls($s) => $call,
            Wire::Unix($s) => $call,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        of_each!(self, s => Pin::new(s).poll_read(cx, to))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        of_each!(self, s => Pin::new(s).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_each!(self, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_each!(self, s => Pin::new(s).poll_shutdown(cx))
    }
}
