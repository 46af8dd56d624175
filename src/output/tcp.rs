//! A TCP or TLS connection: lines go out framed, a write that the receiver does not take is gone on with later, and a peer that
//! closed, a network that fell silent, or a peer that speaks another protocol, is seen before the next write.
//!
//! Every step does what can be done at once; [`TcpConnection::wait_ready`] waits until there is something to do again. What is written is in
//! the system's queue, which dies with the connection. So the system is asked what the peer's system has acknowledged
//! ([`LivenessMonitor::unacknowledged`]), and only that counts ([`TcpConnection::acknowledged`]).
use std::{
    io::{self, Read, Write},
    time::Duration,
};

use rustls::ClientConnection;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Framing, OutputError, Target, answer::Word, marks::Marks};
use crate::net::{
    ConnectError,
    connect::Connector,
    sys::{self, Now, TcpStream},
    tcp_info::LivenessMonitor,
    tls::client::{self, TlsOptions},
    wait::{given_up, is_would_block},
};

/// Lines are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// So long after the first line a peer that is no receiver may say so, or close, before our side is closed: a close behind
/// it would pass for the answer to ours.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// How often the system is asked what is acknowledged, at most.
const ASK: Duration = Duration::from_millis(20);

/// An open connection.
pub struct TcpConnection {
    socket: TcpStream,
    /// What makes records of bytes, and bytes of records, under TLS.
    tls: Option<Box<ClientConnection>>,
    name: String,
    framing: Framing,
    watch: LivenessMonitor,
    end: CancellationToken,
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
pub enum FlushStatus {
    /// Everything is written.
    All,
    /// The receiver takes no more at present.
    Stalled,
}

/// Why a step failed.
enum Fault {
    /// The connection has ended, and the peer may have said why before.
    Broken(io::Error),
    /// That is known already.
    Known(OutputError),
}

impl From<io::Error> for Fault {
    fn from(e: io::Error) -> Fault {
        Fault::Broken(e)
    }
}

impl TcpConnection {
    /// Connects.
    pub async fn open(
        target: &Target,
        framing: Framing,
        tls: &TlsOptions,
        connector: &Connector,
    ) -> Result<TcpConnection, OutputError> {
        let (socket, tls) = match target {
            Target::Tcp(a) => (connector.connect(a).await?, None),
            Target::Tls(a) => {
                let secure = client::connect(a, tls, connector.connect(a).await?, connector).await?;
                let (socket, conn) = secure.into_inner();
                (socket, Some(Box::new(conn)))
            }
            _ => return Err(OutputError::Address("not a stream".into())),
        };
        let watch = LivenessMonitor::new(&socket, connector.dead_peer);
        Ok(TcpConnection {
            socket,
            tls,
            name: target.to_string(),
            framing,
            watch,
            end: connector.end.clone(),
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

    /// Why it failed: the reason that the peer gave, where it gave one before it ended the connection.
    async fn explain(&mut self, fault: Fault) -> OutputError {
        let source = match fault {
            Fault::Known(e) => return e,
            Fault::Broken(e) => e,
        };
        if source.kind() != io::ErrorKind::ConnectionAborted {
            // A receiver that refuses our certificate under TLS 1.3 says so after the handshake.
            if let Some(conn) = &mut self.tls {
                if let Some(reason) = client::pending_refusal(&self.socket, conn).await {
                    return ConnectError::Handshake { to: self.name.clone(), reason }.into();
                }
            } else {
                let mut bytes = [0; 64];
                if let Ok(n) = Now(&self.socket).read(&mut bytes)
                    && let Err(Fault::Known(wrong)) = self.hear(bytes.get(..n).unwrap_or_default())
                {
                    return wrong;
                }
            }
        }
        OutputError::Write { to: self.name.clone(), source }
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
    pub fn stall_error(&self, waited: Duration) -> OutputError {
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

    /// Waits until a step may come to something: the peer says something or closes, the system takes more where it took no more,
    /// a silent network is to be looked for, or the end has come. `ends` where the connection is being [ended](Self::finish).
    /// [`check_peer`](Self::check_peer) or `finish` is to be called behind it.
    pub async fn wait_ready(&self, ends: bool) {
        let silence = (ends || self.outstanding().is_some()).then(|| self.watch.next());
        let due = match self.began.filter(|_| ends && !self.shut) {
            Some(began) => Some(silence.map_or(began + FIRST_WORD, |s| s.min(began + FIRST_WORD))),
            None => silence,
        };
        tokio::select! {
            _ = self.socket.readable() => {}
            _ = self.socket.writable(), if self.blocked.is_some() => {}
            () = self.end.cancelled() => {}
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
    }

    /// Writes what was gathered, as far as the receiver takes it. A peer that has closed is an error before anything is
    /// written: what is written to it is lost without a sign (RFC 1122, section 4.2.2.13).
    pub async fn flush(&mut self) -> Result<FlushStatus, OutputError> {
        match self.write() {
            Ok(flushed) => Ok(flushed),
            Err(fault) => Err(self.explain(fault).await),
        }
    }

    fn write(&mut self) -> Result<FlushStatus, Fault> {
        if self.at < self.buffer.len() {
            self.check_peer_now()?;
            self.began.get_or_insert_with(Instant::now);
        }
        while self.at < self.buffer.len() {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let mut socket = Now(&self.socket);
            let wrote = match &mut self.tls {
                None => socket.write(rest).inspect(|n| self.marks.wrote(*n)),
                Some(conn) => records(conn, &mut socket, &mut self.marks).and_then(|()| conn.writer().write(rest)),
            };
            match wrote {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(n) => self.at += n,
                Err(e) if is_would_block(&e) => return Ok(self.stalled()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        if let Some(conn) = &mut self.tls {
            match records(conn, &mut Now(&self.socket), &mut self.marks) {
                Ok(()) => {}
                Err(e) if is_would_block(&e) => return Ok(self.stalled()),
                Err(e) => return Err(e.into()),
            }
        }
        self.buffer.clear();
        self.at = 0;
        self.blocked = None;
        self.marks.mark(self.taken, Instant::now());
        Ok(FlushStatus::All)
    }

    fn stalled(&mut self) -> FlushStatus {
        self.blocked.get_or_insert_with(Instant::now);
        FlushStatus::Stalled
    }

    /// Whether the peer has closed, speaks another protocol, or the network is silent.
    pub async fn check_peer(&mut self) -> Result<(), OutputError> {
        match self.check_peer_now() {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.explain(fault).await),
        }
    }

    fn check_peer_now(&mut self) -> Result<(), Fault> {
        self.watch.check()?;
        match Now(&self.socket).peek() {
            Ok(0) => Err(closed()),
            Ok(_) if self.discard_input()? => Err(closed()),
            Ok(_) => Ok(()),
            Err(e) if is_would_block(&e) || e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Takes note of what the peer says.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match self.word.hear(bytes) {
            Some(s) => {
                let wrong = OutputError::WrongPort { to: self.name.clone(), what: s.what, advice: s.advice };
                Err(Fault::Known(wrong))
            }
            None => Ok(()),
        }
    }

    /// Reads what is there. Whether the peer closes with it; the alert that it gave as its reason is an error.
    fn discard_input(&mut self) -> Result<bool, Fault> {
        let mut bytes = [0; 4096];
        let mut socket = Now(&self.socket);
        let (said, closes) = match &mut self.tls {
            None => match socket.read(&mut bytes) {
                Ok(n) => (n, n == 0),
                Err(e) if is_would_block(&e) || e.kind() == io::ErrorKind::Interrupted => (0, false),
                Err(e) => return Err(e.into()),
            },
            Some(conn) => match conn.read_tls(&mut socket) {
                Ok(0) => (0, true),
                Ok(_) => match conn.process_new_packets() {
                    Ok(state) => match conn.reader().read(&mut bytes) {
                        Ok(n) => (n, state.peer_has_closed()),
                        Err(e) => (0, state.peer_has_closed() || e.kind() == io::ErrorKind::UnexpectedEof),
                    },
                    Err(e) => {
                        let refused =
                            ConnectError::Handshake { to: self.name.clone(), reason: client::describe_error(e) };
                        return Err(Fault::Known(refused.into()));
                    }
                },
                Err(e) if is_would_block(&e) || e.kind() == io::ErrorKind::Interrupted => (0, false),
                Err(e) => return Err(e.into()),
            },
        };
        self.hear(bytes.get(..said).unwrap_or_default()).map(|()| closes)
    }

    /// Whether our side is closed.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// Ends the connection, step by step: nothing more will be written, and the receiver is to close too, which it does
    /// when it has read everything. `true` when it has.
    pub async fn finish(&mut self) -> Result<bool, OutputError> {
        match self.finish_now() {
            Ok(finished) => Ok(finished),
            Err(fault) => Err(self.explain(fault).await),
        }
    }

    fn finish_now(&mut self) -> Result<bool, Fault> {
        if self.end.is_cancelled() {
            return Err(given_up().into());
        }
        self.watch.check()?;
        if self.shut {
            // It closes in answer to our end when it has read everything. One whose system lacks something that was sent (our end
            // itself counts as a byte) has closed for another reason, at the same moment.
            return match self.discard_input()? {
                true if self.watch.unacknowledged().is_ok_and(|bytes| bytes > 1) => Err(closed()),
                closes => Ok(closes),
            };
        }
        if self.began.is_some_and(|b| b.elapsed() < FIRST_WORD) {
            // One that closes before us is no receiver that has read everything.
            return if self.discard_input()? { Err(closed()) } else { Ok(false) };
        }
        self.check_peer_now()?;
        let mut socket = Now(&self.socket);
        let sent = match &mut self.tls {
            None => Ok(()),
            Some(conn) => {
                conn.send_close_notify();
                records(conn, &mut socket, &mut self.marks)
            }
        };
        match sent.and_then(|()| sys::shutdown(&self.socket)) {
            Ok(()) => (self.shut, self.blocked) = (true, None),
            Err(e) if is_would_block(&e) => _ = self.stalled(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
        Ok(false)
    }
}

/// Writes the records that TLS has ready, and counts their bytes.
fn records(conn: &mut ClientConnection, socket: &mut Now<'_>, marks: &mut Marks) -> io::Result<()> {
    while conn.wants_write() {
        match conn.write_tls(socket) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => marks.wrote(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What is said of a peer that closed while lines may still come.
fn closed() -> Fault {
    Fault::Broken(io::Error::new(io::ErrorKind::ConnectionAborted, "the receiver has closed"))
}

#[cfg(test)]
mod tests;
