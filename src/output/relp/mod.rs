//! RELP, the Reliable Event Logging Protocol: every line is answered, so that what a receiver does not have is known.
//!
//! For: one [`Session`] over a connected stream, TCP or TLS: opening it, sending lines, knowing which were answered,
//! closing it. What frames mean is in a [`RelpCore`], which has no connection and no clock. Not for: connecting, connecting
//! again, and keeping lines until they are answered; the caller does that.
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
mod state;
#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub use self::error::RelpError;
pub use self::frame::FrameError;
pub use self::state::RelpCore;
use crate::net::{tcp_info::LivenessMonitor, wait::given_up};

/// The window that librelp takes when nothing is said.
pub const DEFAULT_WINDOW: usize = 128;
/// The largest window. With more, answers nobody reads yet could fill the buffers between us and the receiver, and both
/// would wait for the other to read.
pub const MAX_WINDOW: usize = 10_000;

/// How much is read at once.
const READ: usize = 8 << 10;
/// How long a receiver may take to close after it answered `close`, and how long its last answers are read after a
/// write failed.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long each of these answers is waited for.
const LAST_WORD: Duration = Duration::from_millis(50);

/// What else ends the waits of a session.
pub struct Guard {
    /// Looks whether the network is silent.
    pub watch: Option<LivenessMonitor>,
    /// The end of the agent.
    pub end: CancellationToken,
    /// How long a write may make no way.
    pub stall: Duration,
}

impl Default for Guard {
    /// Nothing but the timeout of the session.
    fn default() -> Guard {
        Guard { watch: None, end: CancellationToken::new(), stall: Duration::MAX }
    }
}

/// An open session.
///
/// ```no_run
/// use std::time::Duration;
/// use qaudjrn::output::relp::{DEFAULT_WINDOW, Guard, Session};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = tokio::net::TcpStream::connect("siem.example.com:2514").await?;
/// let mut session = Session::open(stream, Guard::default(), Duration::from_secs(30), DEFAULT_WINDOW).await?;
/// session.send(b"<110>1 2026-11-17T10:00:01Z PROD1 qaudjrn - AF-A - -", 4711).await?;
/// session.close(Duration::from_secs(30)).await?;
/// assert_eq!(session.acknowledged(), Some(4711));
/// # Ok(())
/// # }
/// ```
pub struct Session<S> {
    stream: S,
    core: RelpCore,
    guard: Guard,
    /// Something may be in a buffer of the stream (TLS).
    unflushed: bool,
    /// Since when the receiver takes nothing of what is to be written.
    blocked: Option<Instant>,
    /// After an error or `close` nothing more is sent or read.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Opens a session on a connected stream. `timeout` is how long the receiver may be silent while it owes answers,
    /// now and later; `window` the most lines that are sent and not acknowledged, 1 to [`MAX_WINDOW`].
    pub async fn open(stream: S, guard: Guard, timeout: Duration, window: usize) -> Result<Session<S>, RelpError> {
        let core = RelpCore::new(timeout, window, Instant::now())?;
        let mut session = Session { stream, core, guard, unflushed: false, blocked: None, ended: false };
        match session.until(RelpCore::is_answered).await {
            Ok(()) => Ok(session),
            Err(e @ (RelpError::OpenRefused { .. } | RelpError::Version { .. } | RelpError::NoSyslog { .. })) => Err(e),
            Err(other) => Err(RelpError::NotOpened(Box::new(other))),
        }
    }

    /// Whether [`offer`](Self::offer) takes a line.
    pub fn has_room(&self) -> bool {
        self.core.has_room()
    }

    /// Takes one line, which may have any bytes, under the name `id`; it is written with others, by [`flush`](Self::flush).
    /// `false` where the window is full.
    ///
    /// Names should rise from line to line: [`Session::acknowledged`] gives the name of one line for all before it. After
    /// an error everything behind that one is to be sent again, this line too.
    pub fn offer(&mut self, line: &[u8], id: u64) -> Result<bool, RelpError> {
        if self.ended { Err(RelpError::Ended) } else { self.core.offer(line, id) }
    }

    /// Waits until the window has room, and no longer: a receiver whose system holds back small packets (Nagle) sends
    /// the first answer at once and the others when it hears from us, for which the next line is as good as an empty
    /// packet that ours would delay for 40 ms.
    pub async fn make_room(&mut self) -> Result<(), RelpError> {
        self.unless_ended()?;
        self.until(RelpCore::has_room).await
    }

    /// The same as [`offer`](Self::offer), waiting for room, and writing when enough is gathered.
    pub async fn send(&mut self, line: &[u8], id: u64) -> Result<(), RelpError> {
        while !self.offer(line, id)? {
            self.make_room().await?;
        }
        if self.is_full() { self.flush().await } else { Ok(()) }
    }

    /// Whether enough is gathered for a write.
    pub fn is_full(&self) -> bool {
        self.core.is_full()
    }

    /// Writes what was gathered. Answers that come meanwhile are taken.
    pub async fn flush(&mut self) -> Result<(), RelpError> {
        self.unless_ended()?;
        while !self.core.outgoing().is_empty() || self.unflushed {
            self.step(None).await?;
        }
        Ok(())
    }

    /// Writes what was gathered and reads the answers that are there; waits up to `wait` for the first one. Gives how many
    /// came. None is no error, unless the receiver owes some for longer than the session's timeout. With nothing to wait for
    /// it notices a receiver that closes.
    pub async fn poll(&mut self, wait: Duration) -> Result<usize, RelpError> {
        self.flush().await?;
        let end = Instant::now().checked_add(wait);
        loop {
            match self.step(end).await? {
                0 if is_over(end) => return Ok(0),
                0 => {}
                answers => return Ok(answers),
            }
        }
    }

    /// Waits until answers came, or the session has ended. What came is kept where nobody waits for it to the end.
    pub async fn wait_ready(&mut self) -> Result<(), RelpError> {
        self.unless_ended()?;
        while self.step(None).await? == 0 {}
        Ok(())
    }

    /// The name of the last line that, like all sent before it, was answered 200: the receiver has them.
    pub fn acknowledged(&self) -> Option<u64> {
        self.core.acknowledged()
    }

    /// Lines that were taken and are not acknowledged: what is to be sent again if the session ends here.
    pub fn unanswered(&self) -> usize {
        self.core.unanswered()
    }

    /// Ends the session in good order: everything is written, answered and closed within `timeout`. `Ok` means that
    /// every line is acknowledged. Afterwards only [`Session::acknowledged`] and [`Session::unanswered`] are of use.
    pub async fn close(&mut self, timeout: Duration) -> Result<(), RelpError> {
        self.unless_ended()?;
        let closed = self.say_goodbye(timeout).await;
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

    async fn say_goodbye(&mut self, timeout: Duration) -> Result<(), RelpError> {
        self.core.close();
        let end = Instant::now().checked_add(timeout);
        while !self.core.is_answered() {
            if is_over(end) {
                return Err(RelpError::Silent { waited: timeout, unanswered: self.unanswered() });
            }
            self.step_by(end, false).await?;
        }
        // The receiver now closes, with a hint or without; whoever closes first makes no difference to the lines.
        let end = Instant::now().checked_add(timeout.min(LAST_WORDS));
        while !is_over(end) && self.step_by(end, false).await.is_ok() {}
        Ok(())
    }

    /// From now on the receiver may be silent for so long while it owes answers.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.core.set_timeout(timeout);
    }

    fn unless_ended(&self) -> Result<(), RelpError> {
        if self.ended { Err(RelpError::Ended) } else { Ok(()) }
    }

    /// Writes and reads until something is so.
    async fn until(&mut self, is_so: fn(&RelpCore) -> bool) -> Result<(), RelpError> {
        while !is_so(&self.core) {
            self.step(None).await?;
        }
        Ok(())
    }

    /// Writes and reads until something came of it, or the time is over: how many answers came. An error ends the session.
    async fn step(&mut self, until: Option<Instant>) -> Result<usize, RelpError> {
        let stepped = self.step_by(until, true).await;
        self.ended |= stepped.is_err();
        stepped
    }

    /// The same; `owed` where the session's own timeout holds.
    async fn step_by(&mut self, until: Option<Instant>, owed: bool) -> Result<usize, RelpError> {
        // Asked each time: answers that come without end are no reason to go on.
        self.check(owed)?;
        let due = self.due(until, owed);
        let end = self.guard.end.clone();
        let answers = tokio::select! {
            biased;
            stepped = poll_fn(|cx| self.poll_step(cx)) => match stepped {
                Err(RelpError::Write { source, .. }) => return Err(self.read_after_failure(source).await),
                stepped => stepped?,
            },
            () = end.cancelled() => 0,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => 0,
        };
        self.check(owed)?;
        Ok(answers)
    }

    /// Writes and reads as far as the stream goes.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, RelpError>> {
        let wrote = match self.poll_write(cx) {
            Ok(wrote) => wrote,
            Err(source) => return Poll::Ready(Err(RelpError::Write { source, unanswered: self.unanswered() })),
        };
        match self.poll_read(cx) {
            Poll::Pending if wrote => Poll::Ready(Ok(0)),
            read => read,
        }
    }

    /// Whether anything was written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut wrote = false;
        while !self.core.outgoing().is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.core.outgoing()) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.core.wrote(n, Instant::now());
                    (self.blocked, self.unflushed, wrote) = (None, true, true);
                }
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(e)) => return Err(e),
                Poll::Pending => break,
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(flushed) => flushed.map(|()| self.unflushed = false)?,
                Poll::Pending => {}
            }
        }
        let is_done = self.core.outgoing().is_empty() && !self.unflushed;
        self.blocked = if is_done { None } else { Some(self.blocked.unwrap_or_else(Instant::now)) };
        Ok(wrote)
    }

    /// Reads once and takes what came. Gives the number of answers.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, RelpError>> {
        let mut bytes = [0; READ];
        let mut bytes = ReadBuf::new(&mut bytes);
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut bytes) else { return Poll::Pending };
        Poll::Ready(match read {
            Ok(()) if bytes.filled().is_empty() => Err(RelpError::Disconnected { unanswered: self.unanswered() }),
            Ok(()) => self.core.hear(bytes.filled(), Instant::now()),
            Err(e) => match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                // TLS without its end.
                io::ErrorKind::UnexpectedEof => Err(RelpError::Disconnected { unanswered: self.unanswered() }),
                _ => Err(RelpError::Read { source: e, unanswered: self.unanswered() }),
            },
        })
    }

    /// When something is to be looked at though nothing happens.
    fn due(&self, until: Option<Instant>, owed: bool) -> Option<Instant> {
        let waits = self.blocked.is_some() || self.core.owes();
        let silence = self.guard.watch.as_ref().filter(|_| waits).map(LivenessMonitor::next);
        let answer = self.core.silent_at().filter(|_| owed && self.blocked.is_none());
        let stall = self.blocked.and_then(|since| since.checked_add(self.guard.stall));
        [until, silence, answer, stall].into_iter().flatten().min()
    }

    /// An error when the agent ends, the network is silent, the receiver takes nothing or owes answers for too long.
    fn check(&mut self, owed: bool) -> Result<(), RelpError> {
        if self.guard.end.is_cancelled() {
            return Err(self.broken(given_up()));
        }
        if let Some(Err(e)) = self.guard.watch.as_mut().map(LivenessMonitor::check) {
            return Err(self.broken(e));
        }
        match self.blocked.map(|since| since.elapsed()) {
            Some(waited) if waited >= self.guard.stall => {
                let text = format!("the receiver took nothing for {} s (stall_timeout)", waited.as_secs());
                Err(self.broken(io::Error::new(io::ErrorKind::ConnectionAborted, text)))
            }
            // What it is to answer may not have reached it.
            Some(_) => Ok(()),
            None if owed => self.core.check_silence(Instant::now()),
            None => Ok(()),
        }
    }

    fn broken(&self, source: io::Error) -> RelpError {
        let unanswered = self.unanswered();
        match self.blocked {
            Some(_) => RelpError::Write { source, unanswered },
            None => RelpError::Read { source, unanswered },
        }
    }

    /// A receiver that goes away while we write may have sent answers and a reason before: they are still there.
    async fn read_after_failure(&mut self, source: io::Error) -> RelpError {
        let end = Instant::now() + LAST_WORDS;
        let reason = loop {
            let read = tokio::select! {
                biased;
                read = poll_fn(|cx| self.poll_read(cx)) => read,
                () = sleep(LAST_WORD) => break None,
            };
            match read {
                Ok(_) if Instant::now() < end => {}
                Ok(_) | Err(RelpError::Disconnected { .. } | RelpError::Read { .. }) => break None,
                Err(reason) => break Some(reason),
            }
        };
        reason.unwrap_or_else(|| RelpError::Write { source, unanswered: self.unanswered() })
    }
}

/// Whether a time has come; one that no clock reaches is none.
fn is_over(end: Option<Instant>) -> bool {
    end.is_some_and(|end| Instant::now() >= end)
}
