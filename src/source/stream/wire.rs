//! The connection of a sender, whatever it runs over: every call ends soon, whatever the sender does.
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustls::ServerConnection;
use socket2::SockRef;

/// How long a read waits: what came before is stored and acknowledged then.
pub const LOOK: Duration = Duration::from_millis(50);
/// How long an acknowledgement may take to get into the sender's socket: it is some bytes, and there is room for tens of
/// thousands of them.
const TOLD: Duration = Duration::from_secs(5);

/// A connection.
pub enum Wire {
    /// TCP.
    Tcp(TcpStream),
    /// TCP under TLS.
    Tls(Box<ServerConnection>, TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Wire {
    /// Sets the times that its calls wait.
    pub fn prepare(&self) -> io::Result<()> {
        match self {
            Wire::Tcp(s) | Wire::Tls(_, s) => {
                s.set_nonblocking(false)?;
                s.set_nodelay(true)
            }
            Wire::Unix(s) => s.set_nonblocking(false),
        }?;
        let s = self.socket();
        s.set_read_timeout(Some(LOOK))?;
        s.set_write_timeout(Some(LOOK))
    }

    /// Sets how long a read waits.
    pub fn set_patience(&self, wait: Duration) -> io::Result<()> {
        self.socket().set_read_timeout(Some(wait))
    }

    /// The socket below it.
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            Wire::Tcp(s) | Wire::Tls(_, s) => SockRef::from(s),
            Wire::Unix(s) => SockRef::from(s),
        }
    }

    /// What can be told of it at once: `Some(true)` where something came, `Some(false)` where it is closed again.
    pub fn is_ready(&self) -> Option<bool> {
        let peek = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        match self.socket().recv_with_flags(&mut [std::mem::MaybeUninit::uninit()], peek) {
            Ok(n) => Some(n > 0),
            Err(e) if e.kind() == ErrorKind::WouldBlock => None,
            Err(_) => Some(false),
        }
    }

    /// Whether it is closed again before anything came, within [`LOOK`]: somebody who only looks whether there is a listener.
    pub fn is_closed(&self) -> bool {
        matches!(self.socket().peek(&mut [std::mem::MaybeUninit::uninit()]), Ok(0))
    }

    /// Ends it.
    pub fn shut(&self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Reads what is there; waits for [`LOOK`], or as long as was set, at most ([`ErrorKind::WouldBlock`]), also where what comes is no whole TLS record.
    pub fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(s) => s.read(to),
            Wire::Unix(s) => s.read(to),
            Wire::Tls(conn, s) => {
                match conn.reader().read(to) {
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    read => return read,
                }
                conn.read_tls(s)?;
                if let Err(e) = conn.process_new_packets() {
                    // The reason, if it takes it.
                    let _ = conn.write_tls(s);
                    return Err(io::Error::new(ErrorKind::InvalidData, e));
                }
                conn.reader().read(to)
            }
        }
    }

    /// Writes all of some bytes, within [`TOLD`].
    pub fn tell(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = Instant::now() + TOLD;
        let again = |e: io::Error| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted if Instant::now() < end => Ok(0),
            _ => Err(e),
        };
        let mut rest = bytes;
        if let Wire::Tls(conn, s) = self {
            conn.writer().write_all(bytes)?;
            while conn.wants_write() {
                conn.write_tls(s).or_else(again)?;
            }
            return Ok(());
        }
        while !rest.is_empty() {
            let written = match self {
                Wire::Unix(s) => s.write(rest),
                Wire::Tcp(s) | Wire::Tls(_, s) => s.write(rest),
            };
            rest = rest.get(written.or_else(again)?..).unwrap_or(&[]);
        }
        Ok(())
    }
}
