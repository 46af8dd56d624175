//! RELP, the Reliable Event Logging Protocol: every line is answered, so that what a receiver does not have is known.
//!
//! For: one [`Session`] over a connected stream, TCP or TLS: opening it, sending lines, knowing which were answered,
//! closing it. Not for: connecting, connecting again, and keeping lines until they are answered; the caller does that.
//!
//! ```text
//! we                                              the receiver
//! 1 open 69 relp_version=0...commands=syslog  ->
//!                                             <-  1 rsp 92 200 OK...relp_version=0...commands=syslog
//! 2 syslog 27 <110>1 2026-11-17T10:00:01Z  ->
//! 3 syslog 27 <110>1 2026-11-17T10:00:02Z  ->
//!                                             <-  2 rsp 6 200 OK
//!                                             <-  3 rsp 6 200 OK
//! 4 close 0                                   ->
//!                                             <-  4 rsp 0
//!                                             <-  0 serverclose 0
//! ```
//!
//! Invariants:
//! * A line counts as [`acknowledged`](Session::acknowledged) when it and all sent before it were answered 200. Nothing
//!   else makes it so: neither a successful write nor a clean end.
//! * At most `window` lines are sent and not acknowledged: so many can come twice when a connection breaks.
//! * What is read is bounded: one frame of 64 KiB of data and one read. A receiver that sends anything but answers
//!   to what was sent ends the session with an error; it cannot make it panic or grow.
//! * After an error the session has ended, and [`acknowledged`](Session::acknowledged) still holds.
//!
//! Specification: librelp, doc/relp.md. What is not there, but in librelp 1.11 (rsyslog's imrelp):
//! * It speaks version 0 only, and answers `close` with no data at all.
//! * Its answers go through Nagle's algorithm: the first at once, the others when its system hears from ours, which may
//!   be 40 ms later when we have nothing to say. So keep sending: waiting for all answers after every batch costs that.
//! * It counts on to 1,000,000,000 where the specification goes back to 1, and breaks the session at that transaction
//!   (`relpEngineNextTXNR`). That is one new session in a thousand million lines, and costs no line.
//! * imrelp cuts lines longer than its maxDataSize (8 KiB when nothing is said) and answers 200 all the same.
mod error;
mod frame;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    mem,
    time::{Duration, Instant},
};

pub use self::error::RelpError;
pub use self::frame::FrameError;
use self::frame::{Answer, Frame, LAST_TRANSACTION, MAX_LINE, escaped};

/// The window that librelp takes when nothing is said.
pub const DEFAULT_WINDOW: usize = 128;
/// The largest window. With more, answers nobody reads yet could fill the buffers between us and the receiver, and both
/// would wait for the other to read.
pub const MAX_WINDOW: usize = 10_000;

/// Frames are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// How much is read at once.
const READ: usize = 8 << 10;
/// How long a receiver may take to close after it answered `close`, and how long its last answers are read after a
/// write failed.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What we say when we open.
const OFFERS: &str = concat!("relp_version=0\nrelp_software=qaudjrn,", env!("CARGO_PKG_VERSION"), "\ncommands=syslog");

/// What an answer is waited for.
enum Command {
    Open,
    /// A line, with the name the caller has for it.
    Syslog(u64),
    Close,
}

/// A frame whose answer, or the answer of one sent before it, has not come.
struct Pending {
    command: Command,
    answered: bool,
}

/// An open session. The stream blocks, and its caller has set a read timeout (100 ms, say: every wait here is as fine
/// as that and no finer; without one a silent receiver blocks for ever) and a write timeout.
///
/// ```no_run
/// use std::{net::TcpStream, time::Duration};
/// use qaudjrn::output::relp::{DEFAULT_WINDOW, Session};
///
/// let stream = TcpStream::connect("siem.example.com:2514")?;
/// stream.set_read_timeout(Some(Duration::from_millis(100)))?;
/// stream.set_write_timeout(Some(Duration::from_secs(60)))?;
/// let mut session = Session::open(stream, Duration::from_secs(30), DEFAULT_WINDOW)?;
/// session.send(b"<110>1 2026-11-17T10:00:01Z PROD1 qaudjrn - AF-A - -", 4711)?;
/// session.close(Duration::from_secs(30))?;
/// assert_eq!(session.acknowledged(), Some(4711));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session<S> {
    stream: S,
    /// How long the receiver may be silent while it owes answers.
    timeout: Duration,
    /// The most lines that are sent and not acknowledged.
    window: usize,
    /// Frames gathered and not yet written.
    outgoing: Vec<u8>,
    /// Bytes read that are no whole frame yet.
    incoming: Vec<u8>,
    /// Oldest first. Transaction numbers are consecutive, so the oldest one's number gives everyone's place.
    pending: VecDeque<Pending>,
    /// The transaction number of the first in `pending`, or of the next frame.
    oldest: u32,
    /// How many of `pending` were written: others cannot have been answered.
    written: usize,
    /// Since when the receiver owes an answer without giving one.
    silent_since: Instant,
    acknowledged: Option<u64>,
    /// After an error or `close` nothing more is sent or read.
    ended: bool,
}

impl<S: Read + Write> Session<S> {
    /// Opens a session on a connected stream. `timeout` is how long the receiver may be silent while it owes answers,
    /// now and later; `window` the most lines that are sent and not acknowledged, 1 to [`MAX_WINDOW`].
    pub fn open(stream: S, timeout: Duration, window: usize) -> Result<Session<S>, RelpError> {
        if !(1..=MAX_WINDOW).contains(&window) {
            return Err(RelpError::Window(window));
        }
        let mut session = Session {
            stream,
            timeout,
            window,
            outgoing: Vec::with_capacity(BATCH + (16 << 10)),
            incoming: Vec::new(),
            pending: VecDeque::with_capacity(window + 1),
            oldest: 1,
            written: 0,
            silent_since: Instant::now(),
            acknowledged: None,
            ended: false,
        };
        session.put(Command::Open, b"open", OFFERS.as_bytes());
        session.opened().map_err(|e| match e {
            RelpError::OpenRefused { .. } | RelpError::Version { .. } | RelpError::NoSyslog { .. } => e,
            other => RelpError::NotOpened(Box::new(other)),
        })?;
        Ok(session)
    }

    /// Takes one line, which may have any bytes, under the name `id`. It is written with others, when enough have come
    /// or [`Session::flush`] says so. When the window is full, waits for answers.
    ///
    /// Names should rise from line to line: [`Session::acknowledged`] gives the name of one line for all before it. After
    /// an error everything behind that one is to be sent again, this line too.
    pub fn send(&mut self, line: &[u8], id: u64) -> Result<(), RelpError> {
        if line.len() > MAX_LINE {
            return Err(RelpError::LineTooLong(line.len()));
        }
        self.unless_ended(|session| {
            if session.pending.len() >= session.window {
                session.make_room()?;
            }
            session.put(Command::Syslog(id), b"syslog", line);
            if session.outgoing.len() >= BATCH { session.write() } else { Ok(()) }
        })
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) -> Result<(), RelpError> {
        self.unless_ended(Session::write)
    }

    /// Writes what was gathered and reads the answers that are there; waits up to `wait` for the first one, and
    /// always as long as one read takes. Gives how many came. None is no error, unless the receiver owes some for
    /// longer than the session's timeout. With nothing to wait for it notices a receiver that closes.
    pub fn poll(&mut self, wait: Duration) -> Result<usize, RelpError> {
        self.unless_ended(|session| {
            session.write()?;
            let start = Instant::now();
            loop {
                match session.read()? {
                    Some(answers) if answers > 0 => return Ok(answers),
                    _ => session.check_silence()?,
                }
                if start.elapsed() >= wait {
                    return Ok(0);
                }
            }
        })
    }

    /// The name of the last line that, like all sent before it, was answered 200: the receiver has them.
    pub fn acknowledged(&self) -> Option<u64> {
        self.acknowledged
    }

    /// Lines that were taken and are not acknowledged: what is to be sent again if the session ends here.
    pub fn unanswered(&self) -> usize {
        self.pending.iter().filter(|p| matches!(p.command, Command::Syslog(_))).count()
    }

    /// Ends the session in good order: everything is written, answered and closed within `timeout`. `Ok` means that
    /// every line is acknowledged. Afterwards only [`Session::acknowledged`] and [`Session::unanswered`] are of use.
    pub fn close(&mut self, timeout: Duration) -> Result<(), RelpError> {
        let closed = self.unless_ended(|session| {
            session.put(Command::Close, b"close", b"");
            session.write()?;
            let start = Instant::now();
            while !session.pending.is_empty() {
                if start.elapsed() >= timeout {
                    return Err(RelpError::Silent { waited: timeout, unanswered: session.unanswered() });
                }
                session.read()?;
            }
            // The receiver now closes, with a hint or without; whoever closes first makes no difference to the lines.
            let start = Instant::now();
            while start.elapsed() < timeout.min(LAST_WORDS) && session.read().is_ok() {}
            Ok(())
        });
        self.ended = true;
        match closed {
            // A receiver that goes away first, but not before it has answered every line.
            Err(
                RelpError::ClosedByServer { unanswered: 0 }
                | RelpError::Disconnected { unanswered: 0 }
                | RelpError::Read { unanswered: 0, .. }
                | RelpError::Write { unanswered: 0, .. },
            ) => Ok(()),
            other => other,
        }
    }

    /// From now on the receiver may be silent for so long while it owes answers.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// The stream, to set its timeouts or to end TLS on it.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Waits for the answer to `open`.
    fn opened(&mut self) -> Result<(), RelpError> {
        self.write()?;
        while !self.pending.is_empty() {
            self.read()?;
            self.check_silence()?;
        }
        Ok(())
    }

    /// Does it, or says that the session has ended; an error ends it.
    fn unless_ended<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, RelpError>) -> Result<T, RelpError> {
        if self.ended {
            return Err(RelpError::Ended);
        }
        let result = f(self);
        self.ended = result.is_err();
        result
    }

    /// Waits until the window has room, and no longer: a receiver whose system holds back small packets (Nagle) sends
    /// the first answer at once and the others when it hears from us, for which the next line is as good as an empty
    /// packet that ours would delay for 40 ms.
    fn make_room(&mut self) -> Result<(), RelpError> {
        self.write()?;
        while self.pending.len() >= self.window {
            self.read()?;
            self.check_silence()?;
        }
        Ok(())
    }

    /// Gathers a frame.
    fn put(&mut self, command: Command, name: &[u8], data: &[u8]) {
        frame::put(after(self.oldest, self.pending.len()), name, data, &mut self.outgoing);
        self.pending.push_back(Pending { command, answered: false });
    }

    /// Writes what was gathered.
    fn write(&mut self) -> Result<(), RelpError> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let result = self.stream.write_all(&self.outgoing).and_then(|()| self.stream.flush());
        self.outgoing.clear();
        if self.written == 0 {
            self.silent_since = Instant::now();
        }
        self.written = self.pending.len();
        result.map_err(|source| self.last_words(source))
    }

    /// A receiver that goes away while we write may have sent answers and a reason before: they are still there.
    fn last_words(&mut self, source: io::Error) -> RelpError {
        let start = Instant::now();
        while start.elapsed() < LAST_WORDS {
            match self.read() {
                Ok(Some(_)) => {}
                Ok(None) | Err(RelpError::Disconnected { .. } | RelpError::Read { .. }) => break,
                Err(reason) => return reason,
            }
        }
        RelpError::Write { source, unanswered: self.unanswered() }
    }

    /// Reads once and takes what came. Gives the number of answers; `None` if nothing at all came.
    fn read(&mut self) -> Result<Option<usize>, RelpError> {
        let mut bytes = [0; READ];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(RelpError::Disconnected { unanswered: self.unanswered() }),
            Ok(length) => {
                self.incoming.extend_from_slice(bytes.get(..length).unwrap_or_default());
                self.take_frames().map(Some)
            }
            Err(e) => match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                // TLS without its end.
                io::ErrorKind::UnexpectedEof => Err(RelpError::Disconnected { unanswered: self.unanswered() }),
                _ => Err(RelpError::Read { source: e, unanswered: self.unanswered() }),
            },
        }
    }

    /// Whether the receiver owes an answer for too long.
    fn check_silence(&self) -> Result<(), RelpError> {
        match self.written > 0 && self.silent_since.elapsed() >= self.timeout {
            true => Err(RelpError::Silent { waited: self.timeout, unanswered: self.unanswered() }),
            false => Ok(()),
        }
    }

    /// Takes the whole frames among the bytes read. Gives the number of answers.
    fn take_frames(&mut self) -> Result<usize, RelpError> {
        let mut incoming = mem::take(&mut self.incoming);
        let (mut used, mut answers) = (0, 0);
        while let Some((frame, length)) = Frame::parse(incoming.get(used..).unwrap_or_default())? {
            used += length;
            answers += usize::from(self.take(&frame)?);
        }
        incoming.drain(..used);
        self.incoming = incoming;
        Ok(answers)
    }

    /// Takes one frame. Whether it was an answer.
    fn take(&mut self, frame: &Frame<'_>) -> Result<bool, RelpError> {
        match (frame.transaction, frame.command) {
            (0, b"serverclose") => Err(RelpError::ClosedByServer { unanswered: self.unanswered() }),
            (transaction, b"rsp") => self.take_answer(transaction, frame.data).map(|()| true),
            // A hint that we do not know: hints may be lost without harm.
            (0, _) => Ok(false),
            (_, other) => Err(RelpError::Command { command: escaped(other, other.len()) }),
        }
    }

    fn take_answer(&mut self, transaction: u32, data: &[u8]) -> Result<(), RelpError> {
        let place = usize::try_from(place(transaction, self.oldest)).unwrap_or(usize::MAX);
        let pending = self.pending.get_mut(place).filter(|p| transaction != 0 && place < self.written && !p.answered);
        let Some(pending) = pending else { return Err(RelpError::Transaction { transaction }) };
        match pending.command {
            Command::Open => accept(&Answer::parse(data)?)?,
            Command::Syslog(id) => {
                let answer = Answer::parse(data)?;
                if answer.code != 200 {
                    return Err(RelpError::Refused { id, code: answer.code, text: escaped(answer.text, 80) });
                }
            }
            // librelp's is empty, and nobody's could change anything.
            Command::Close => {}
        }
        pending.answered = true;
        self.silent_since = Instant::now();
        while let Some(first) = self.pending.pop_front_if(|p| p.answered) {
            if let Command::Syslog(id) = first.command {
                self.acknowledged = Some(id);
            }
            self.oldest = after(self.oldest, 1);
            self.written -= 1;
        }
        Ok(())
    }
}

/// Whether the answer to `open` is one that we can work with.
fn accept(answer: &Answer<'_>) -> Result<(), RelpError> {
    if answer.code != 200 {
        return Err(RelpError::OpenRefused { code: answer.code, text: escaped(answer.text, 80) });
    }
    let version = answer.offer("relp_version").unwrap_or_default();
    if version != b"0" {
        return Err(RelpError::Version { offered: escaped(version, 80) });
    }
    let commands = answer.offer("commands").unwrap_or_default();
    match commands.split(|b| *b == b',').any(|command| command == b"syslog") {
        true => Ok(()),
        false => Err(RelpError::NoSyslog { offered: escaped(commands, 80) }),
    }
}

/// The transaction number `count` after `transaction`; after the last one comes 1.
fn after(transaction: u32, count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(0) % LAST_TRANSACTION;
    (transaction - 1 + count) % LAST_TRANSACTION + 1
}

/// How many transactions after `oldest` the number `transaction` stands.
fn place(transaction: u32, oldest: u32) -> u32 {
    (transaction + LAST_TRANSACTION - oldest) % LAST_TRANSACTION
}
