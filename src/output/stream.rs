//! A TCP or TLS connection for a service: lines go out framed, a write that blocks can be given up and gone on with, and a
//! peer that closed, or a network that fell silent, is seen before the next write.
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use super::{
    Framing, OutputError, Target,
    dial::Dial,
    silence::Watch,
    tls::{self, TlsOptions, TlsStream},
    wait::{Stop, Wait, is_wait},
};

/// Lines are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;

enum Kind {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
}

/// An open connection.
pub struct Stream {
    kind: Kind,
    name: String,
    framing: Framing,
    watch: Watch,
    stop: Stop,
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
    pub fn open(target: &Target, framing: Framing, tls: &TlsOptions, dial: &Dial) -> Result<Stream, OutputError> {
        let kind = match target {
            Target::Tcp(a) => Kind::Tcp(dial.connect(a)?),
            Target::Tls(a) => Kind::Tls(Box::new(tls::connect(a, tls, dial.connect(a)?, &dial.wait())?)),
            _ => return Err(OutputError::Address("not a stream".into())),
        };
        let watch = Watch::new(
            match &kind {
                Kind::Tcp(s) => s,
                Kind::Tls(s) => &s.sock,
            },
            dial.dead_peer,
        );
        let (name, stop) = (target.to_string(), dial.end.clone());
        Ok(Stream { kind, name, framing, watch, stop, buffer: Vec::new(), at: 0, taken: 0, written: 0 })
    }

    fn socket(&mut self) -> &mut TcpStream {
        match &mut self.kind {
            Kind::Tcp(s) => s,
            Kind::Tls(s) => &mut s.sock,
        }
    }

    fn failed(&mut self, source: io::Error) -> OutputError {
        // A receiver that refuses our certificate under TLS 1.3 says so after the handshake.
        if let Kind::Tls(s) = &mut self.kind
            && source.kind() != io::ErrorKind::ConnectionAborted
            && let Some(reason) = tls::pending_refusal(s)
        {
            return OutputError::Handshake { to: self.name.clone(), reason };
        }
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

    /// Whether the peer has closed or the network is silent. What a receiver says is thrown away: syslog over TCP has no
    /// answers.
    pub fn look(&mut self) -> Result<(), OutputError> {
        self.watch.check().map_err(|e| self.failed(e))?;
        let closed = |s: &mut Stream| s.failed(io::Error::new(io::ErrorKind::ConnectionAborted, CLOSED));
        let mut byte = [0; 1];
        let socket = self.socket();
        let seen = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut byte));
        let restored = socket.set_nonblocking(false);
        match seen {
            Ok(0) => return Err(closed(self)),
            Ok(_) => {
                if let Some(refused) = self.swallow() {
                    return Err(match refused {
                        Some(reason) => OutputError::Handshake { to: self.name.clone(), reason },
                        None => closed(self),
                    });
                }
            }
            Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(self.failed(e)),
        }
        restored.map_err(|e| self.failed(e))
    }

    /// Reads what is there; something when the peer closes with it, and the alert that it gave as its reason.
    fn swallow(&mut self) -> Option<Option<String>> {
        let mut bytes = [0; 4096];
        match &mut self.kind {
            Kind::Tcp(s) => matches!(s.read(&mut bytes), Ok(0)).then_some(None),
            Kind::Tls(s) => match s.conn.read_tls(&mut s.sock) {
                Ok(0) => Some(None),
                Ok(_) => match s.conn.process_new_packets() {
                    Ok(state) => {
                        while matches!(s.conn.reader().read(&mut bytes), Ok(n) if n > 0) {}
                        state.peer_has_closed().then_some(None)
                    }
                    Err(e) => Some(Some(tls::in_words(e))),
                },
                Err(_) => None,
            },
        }
    }

    /// Ends the connection: nothing more will be written; waits for the receiver to close too, which it does when it has
    /// read everything. `false` when it did not within the time.
    pub fn finish(&mut self, at_most: Duration) -> Result<bool, OutputError> {
        let wait = Wait::new(at_most, &self.stop);
        if let Kind::Tls(s) = &mut self.kind {
            s.conn.send_close_notify();
        }
        let mut shut = false;
        let mut bytes = [0; 4096];
        loop {
            self.stop.check().and_then(|()| self.watch.check()).map_err(|e| self.failed(e))?;
            if wait.check().is_err() {
                return Ok(false);
            }
            let step = match &mut self.kind {
                Kind::Tcp(s) if !shut => s.shutdown(Shutdown::Write).map(|()| 1),
                Kind::Tls(s) if !shut => s.flush().and_then(|()| s.sock.shutdown(Shutdown::Write)).map(|()| 1),
                _ => self.socket().read(&mut bytes),
            };
            match step {
                Ok(0) => return Ok(true),
                Ok(_) => shut = true,
                Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
    }
}

/// What is said of a peer that closed while lines may still come.
const CLOSED: &str = "the receiver has closed";
