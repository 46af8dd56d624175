//! A TCP or TLS connection: lines go out framed, a write that blocks can be given up and gone on with, and a peer that
//! closed, a network that fell silent, or a peer that speaks another protocol, is seen before the next write.
//!
//! What is written is in the system's queue, which dies with the connection. So the system is asked what the peer's system
//! has acknowledged ([`Watch::unacknowledged`]), and only that counts ([`Stream::acknowledged`]).
use std::{
    io::{self, Read, Write},
    mem::MaybeUninit,
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{Framing, OutputError, Target, marks::Marks, word::Word};
use crate::net::{
    ConnectError,
    blocking::{self, Dial, TlsStream},
    tcp_info::Watch,
    tls::client::{self, TlsOptions},
    wait::{Stop, TICK, is_wait},
};

/// Lines are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// So long after the first line a peer that is no receiver may say so, or close, before our side is closed: a close behind
/// it would pass for the answer to ours.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// How often the system is asked what is acknowledged, at most.
const ASK: Duration = Duration::from_millis(20);

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
    /// Lines taken.
    taken: u64,
    marks: Marks,
    /// When the system was last asked what is acknowledged.
    asked: Option<Instant>,
    /// Since when the system takes nothing more.
    blocked: Option<Instant>,
    /// When the first line was written.
    began: Option<Instant>,
    word: Word,
    /// Our side is closed.
    shut: bool,
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
            Target::Tls(a) => Kind::Tls(Box::new(blocking::secure(a, tls, dial.connect(a)?, &dial.wait())?)),
            _ => return Err(OutputError::Address("not a stream".into())),
        };
        let name = target.to_string();
        let socket = match &kind {
            Kind::Tcp(s) => s,
            Kind::Tls(s) => &s.sock,
        };
        // The handshake waits otherwise.
        let waits = socket.set_read_timeout(Some(TICK));
        waits.map_err(|source| ConnectError::Unreachable { to: name.clone(), source })?;
        let watch = Watch::new(socket, dial.dead_peer);
        Ok(Stream {
            kind,
            name,
            framing,
            watch,
            stop: dial.end.clone(),
            buffer: Vec::with_capacity(BATCH + (16 << 10)),
            at: 0,
            taken: 0,
            marks: Marks::default(),
            asked: None,
            blocked: None,
            began: None,
            word: Word::default(),
            shut: false,
        })
    }

    fn socket(&mut self) -> &mut TcpStream {
        match &mut self.kind {
            Kind::Tcp(s) => s,
            Kind::Tls(s) => &mut s.sock,
        }
    }

    /// Why it failed: the reason that the peer gave, where it gave one before it ended the connection.
    fn failed(&mut self, source: io::Error) -> OutputError {
        if source.kind() != io::ErrorKind::ConnectionAborted {
            // A receiver that refuses our certificate under TLS 1.3 says so after the handshake.
            if let Kind::Tls(s) = &mut self.kind
                && let Some(reason) = blocking::pending_refusal(s)
            {
                return ConnectError::Handshake { to: self.name.clone(), reason }.into();
            }
            if let Kind::Tcp(s) = &mut self.kind {
                let mut bytes = [0; 64];
                if let Ok(n) = s.set_nonblocking(true).and_then(|()| s.read(&mut bytes))
                    && let Err(wrong) = self.hear(bytes.get(..n).unwrap_or_default())
                {
                    return wrong;
                }
            }
        }
        OutputError::Write { to: self.name.clone(), source }
    }

    fn closed(&mut self) -> OutputError {
        self.failed(io::Error::new(io::ErrorKind::ConnectionAborted, CLOSED))
    }

    /// Takes a line; it is written with the next flush.
    pub fn take(&mut self, line: &[u8]) {
        self.framing.put(line, &mut self.buffer);
        self.taken += 1;
    }

    /// Whether enough is gathered for a write.
    pub fn is_full(&self) -> bool {
        self.buffer.len() - self.at >= BATCH
    }

    /// Lines that were written whole.
    pub fn written(&self) -> u64 {
        self.marks.written()
    }

    /// Lines that the peer's system has acknowledged; where no system says, those that were written. Asks it, not too often.
    pub fn acknowledged(&mut self) -> u64 {
        if self.marks.oldest().is_some()
            && self.asked.is_none_or(|at| at.elapsed() >= ASK)
            && let Ok(bytes) = self.watch.unacknowledged()
        {
            self.marks.see(bytes);
            self.asked = Some(Instant::now());
        }
        self.marks.acknowledged()
    }

    /// When the oldest of what is not acknowledged, or not even taken by the system, was to go. As of the last question.
    pub fn outstanding(&self) -> Option<Instant> {
        match (self.marks.oldest(), self.blocked) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Grows while the system takes something.
    pub fn progress(&self) -> u64 {
        self.marks.bytes()
    }

    /// The error for a receiver that took nothing for so long.
    pub fn gave_up(&self, waited: Duration) -> OutputError {
        let text = format!("the receiver took nothing for {} s", waited.as_secs());
        OutputError::Write { to: self.name.clone(), source: io::Error::new(io::ErrorKind::TimedOut, text) }
    }

    /// Whether the peer has said something unknown, which no receiver of syslog does.
    pub fn has_answered(&self) -> bool {
        self.word.is_unknown()
    }

    /// What the log should say of it.
    pub fn note(&mut self) -> Option<String> {
        self.word.tell()
    }

    /// Writes what was gathered, as far as the receiver takes it. A peer that has closed is an error before anything is
    /// written: what is written to it is lost without a sign (RFC 1122, section 4.2.2.13).
    pub fn flush(&mut self) -> Result<Flushed, OutputError> {
        if self.at < self.buffer.len() {
            self.look()?;
            self.began.get_or_insert_with(Instant::now);
        }
        while self.at < self.buffer.len() {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let wrote = match &mut self.kind {
                Kind::Tcp(s) => s.write(rest).inspect(|n| self.marks.wrote(*n)),
                Kind::Tls(s) => records(s, &mut self.marks).and_then(|()| s.conn.writer().write(rest)),
            };
            match wrote {
                Ok(0) => return Err(self.failed(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.at += n,
                Err(e) if is_wait(&e) => return Ok(self.stalled()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
        if let Kind::Tls(s) = &mut self.kind {
            match records(s, &mut self.marks) {
                Ok(()) => {}
                Err(e) if is_wait(&e) => return Ok(self.stalled()),
                Err(e) => return Err(self.failed(e)),
            }
        }
        self.buffer.clear();
        self.at = 0;
        self.blocked = None;
        self.marks.mark(self.taken, Instant::now());
        Ok(Flushed::All)
    }

    fn stalled(&mut self) -> Flushed {
        self.blocked.get_or_insert_with(Instant::now);
        Flushed::Stalled
    }

    /// Whether the peer has closed, speaks another protocol, or the network is silent.
    pub fn look(&mut self) -> Result<(), OutputError> {
        self.watch.check().map_err(|e| self.failed(e))?;
        // One call, for it is done before every write.
        let peek = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        let socket: &TcpStream = self.socket();
        match SockRef::from(socket).recv_with_flags(&mut [MaybeUninit::uninit()], peek) {
            Ok(0) => Err(self.closed()),
            Ok(_) if self.swallow()? => Err(self.closed()),
            Ok(_) => Ok(()),
            Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(self.failed(e)),
        }
    }

    /// Takes note of what the peer says.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        match self.word.hear(bytes) {
            Some(s) => Err(OutputError::WrongPort { to: self.name.clone(), what: s.what, advice: s.advice }),
            None => Ok(()),
        }
    }

    /// Reads what is there, waiting for it as long as a read does. Whether the peer closes with it; the alert that it gave
    /// as its reason is an error.
    fn swallow(&mut self) -> Result<bool, OutputError> {
        let mut bytes = [0; 4096];
        match &mut self.kind {
            Kind::Tcp(s) => match s.read(&mut bytes) {
                Ok(0) => Ok(true),
                Ok(n) => self.hear(bytes.get(..n).unwrap_or_default()).map(|()| false),
                Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => Ok(false),
                Err(e) => Err(self.failed(e)),
            },
            Kind::Tls(s) => match s.conn.read_tls(&mut s.sock) {
                Ok(0) => Ok(true),
                Ok(_) => match s.conn.process_new_packets() {
                    Ok(state) => {
                        let mut closes = state.peer_has_closed();
                        let mut said = 0;
                        match s.conn.reader().read(&mut bytes) {
                            Ok(n) => said = n,
                            Err(e) => closes |= e.kind() == io::ErrorKind::UnexpectedEof,
                        }
                        self.hear(bytes.get(..said).unwrap_or_default()).map(|()| closes)
                    }
                    Err(e) => {
                        Err(ConnectError::Handshake { to: self.name.clone(), reason: client::in_words(e) }.into())
                    }
                },
                Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => Ok(false),
                Err(e) => Err(self.failed(e)),
            },
        }
    }

    /// Whether our side is closed.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// Ends the connection, step by step: nothing more will be written, and the receiver is to close too, which it does
    /// when it has read everything. Waits for a moment; `true` when it has.
    pub fn finish(&mut self) -> Result<bool, OutputError> {
        self.stop.check().and_then(|()| self.watch.check()).map_err(|e| self.failed(e))?;
        if self.shut {
            return self.swallow();
        }
        let young = self.began.map_or(Duration::ZERO, |b| FIRST_WORD.saturating_sub(b.elapsed()));
        if !young.is_zero() {
            // One that closes before us is no receiver that has read everything.
            self.socket().set_read_timeout(Some(young)).map_err(|e| self.failed(e))?;
            let closes = self.swallow();
            self.socket().set_read_timeout(Some(TICK)).map_err(|e| self.failed(e))?;
            return if closes? { Err(self.closed()) } else { Ok(false) };
        }
        self.look()?;
        let shut = match &mut self.kind {
            Kind::Tcp(s) => s.shutdown(Shutdown::Write),
            Kind::Tls(s) => {
                s.conn.send_close_notify();
                records(s, &mut self.marks).and_then(|()| s.sock.shutdown(Shutdown::Write))
            }
        };
        match shut {
            Ok(()) => self.shut = true,
            Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(self.failed(e)),
        }
        Ok(false)
    }
}

/// Writes the records that TLS has ready, and counts their bytes.
fn records(s: &mut TlsStream, marks: &mut Marks) -> io::Result<()> {
    while s.conn.wants_write() {
        match s.conn.write_tls(&mut s.sock) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => marks.wrote(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What is said of a peer that closed while lines may still come.
const CLOSED: &str = "the receiver has closed";
