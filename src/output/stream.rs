//! A TCP or TLS connection for a service: lines go out framed, a write that blocks can be given up and gone on with, and a
//! peer that closed is seen before the next write.
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use super::{
    Framing, OutputError, Target,
    sink::connect,
    tls::{self, TlsOptions, TlsStream},
};

/// Lines are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// How long a write waits before it looks whether to go on.
const TICK: Duration = Duration::from_millis(250);

enum Kind {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
}

/// An open connection.
pub struct Stream {
    kind: Kind,
    name: String,
    framing: Framing,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are written.
    at: usize,
    /// Lines taken, and those of them whose last byte was written.
    taken: u64,
    written: u64,
}

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flushed {
    /// Everything is written.
    All,
    /// The receiver takes no more at present.
    Stalled,
}

impl Stream {
    /// Connects.
    pub fn open(target: &Target, framing: Framing, tls: &TlsOptions) -> Result<Stream, OutputError> {
        let (kind, name) = match target {
            Target::Tcp(a) => (Kind::Tcp(connect(a)?), format!("tcp://{a}")),
            Target::Tls(a) => (Kind::Tls(Box::new(tls::connect(a, tls, connect(a)?)?)), format!("tls://{a}")),
            _ => return Err(OutputError::Address("not a stream".into())),
        };
        let mut stream = Stream { kind, name, framing, buffer: Vec::new(), at: 0, taken: 0, written: 0 };
        stream.socket().set_write_timeout(Some(TICK)).map_err(|e| stream.failed(e))?;
        Ok(stream)
    }

    fn socket(&mut self) -> &mut TcpStream {
        match &mut self.kind {
            Kind::Tcp(s) => s,
            Kind::Tls(s) => &mut s.sock,
        }
    }

    fn failed(&self, source: io::Error) -> OutputError {
        OutputError::Write { to: self.name.clone(), source }
    }

    /// Takes a line; it is written with the next flush.
    pub fn take(&mut self, line: &[u8]) {
        match self.framing {
            Framing::Newline => {
                self.buffer.extend_from_slice(line);
                self.buffer.push(b'\n');
            }
            Framing::Octet => {
                crate::encode::value::put_number(line.len() as u64, &mut self.buffer);
                self.buffer.push(b' ');
                self.buffer.extend_from_slice(line);
            }
        }
        self.taken += 1;
    }

    /// Whether enough is gathered for a write.
    pub fn is_full(&self) -> bool {
        self.buffer.len() - self.at >= BATCH
    }

    /// Lines that were written whole.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes what was gathered, as far as the receiver takes it. A peer that has closed is an error before anything is
    /// written: what is written to it is lost without a sign (RFC 1122, section 4.2.2.13).
    pub fn flush(&mut self) -> Result<Flushed, OutputError> {
        if self.at < self.buffer.len() {
            self.look()?;
        }
        while let Some(rest) = self.buffer.get(self.at..).filter(|r| !r.is_empty()) {
            let wrote = match &mut self.kind {
                Kind::Tcp(s) => s.write(rest),
                Kind::Tls(s) => s.write(rest),
            };
            match wrote {
                Ok(0) => return Err(self.failed(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.at += n,
                Err(e) if is_wait(&e) => return Ok(Flushed::Stalled),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
        if let Kind::Tls(s) = &mut self.kind {
            match s.flush() {
                Ok(()) => {}
                Err(e) if is_wait(&e) => return Ok(Flushed::Stalled),
                Err(e) => return Err(self.failed(e)),
            }
        }
        self.buffer.clear();
        self.at = 0;
        self.written = self.taken;
        Ok(Flushed::All)
    }

    /// Whether the peer has closed. What a receiver says is not read: syslog over TCP has no answers.
    pub fn look(&mut self) -> Result<(), OutputError> {
        let closed = |s: &Stream| s.failed(io::Error::new(io::ErrorKind::ConnectionAborted, "the receiver has closed"));
        let mut byte = [0; 1];
        let socket = self.socket();
        let seen = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut byte));
        let restored = socket.set_nonblocking(false);
        match seen {
            Ok(0) => return Err(closed(self)),
            Ok(_) => {
                if self.swallow() {
                    return Err(closed(self));
                }
            }
            Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(self.failed(e)),
        }
        restored.map_err(|e| self.failed(e))
    }

    /// Reads what is there; `true` when the peer closes with it.
    fn swallow(&mut self) -> bool {
        match &mut self.kind {
            Kind::Tcp(s) => {
                let mut bytes = [0; 4096];
                matches!(s.read(&mut bytes), Ok(0))
            }
            Kind::Tls(s) => match s.conn.read_tls(&mut s.sock) {
                Ok(0) => true,
                Ok(_) => s.conn.process_new_packets().map_or(true, |state| state.peer_has_closed()),
                Err(_) => false,
            },
        }
    }

    /// Ends the connection: nothing more will be written; waits for the receiver to close too, which it does when it has
    /// read everything. `false` when it did not within the time.
    pub fn finish(&mut self, at_most: Duration) -> Result<bool, OutputError> {
        let ended = match &mut self.kind {
            Kind::Tcp(s) => s.shutdown(Shutdown::Write),
            Kind::Tls(s) => {
                s.conn.send_close_notify();
                s.flush().and_then(|()| s.sock.shutdown(Shutdown::Write))
            }
        };
        ended.map_err(|e| self.failed(e))?;
        let end = Instant::now() + at_most;
        let mut bytes = [0; 4096];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let socket = self.socket();
            let read = socket.set_read_timeout(Some(left)).and_then(|()| socket.read(&mut bytes));
            match read {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(e) if is_wait(&e) => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
    }
}

fn is_wait(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
