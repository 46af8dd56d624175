//! A session without a connection: frames to be sent, what answers mean, and when a silence is too long. Whoever has the
//! connection says what was written, what came, and what time it is.
use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use super::{
    MAX_WINDOW, RelpError,
    frame::{self, Answer, Frame, LAST_TRANSACTION, MAX_LINE, escaped},
};

/// Frames are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
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
    /// Bytes of the session up to its end.
    end: u64,
    answered: bool,
}

/// See the module.
pub struct RelpCore {
    /// How long the receiver may be silent while it owes answers.
    timeout: Duration,
    /// The most lines that are sent and not acknowledged.
    window: usize,
    /// Frames gathered, of which the first `at` bytes are written.
    outgoing: Vec<u8>,
    at: usize,
    /// Bytes of all frames so far, and how many of them are written.
    framed: u64,
    wrote: u64,
    /// Bytes read that are no whole frame yet.
    pub(super) incoming: Vec<u8>,
    /// Oldest first. Transaction numbers are consecutive, so the oldest one's number gives everyone's place.
    pending: VecDeque<Pending>,
    /// The transaction number of the first in `pending`, or of the next frame.
    pub(super) oldest: u32,
    /// How many of `pending` were written whole: others cannot have been answered.
    written: usize,
    /// Since when the receiver owes an answer without giving one.
    silent_since: Instant,
    acknowledged: Option<u64>,
}

impl RelpCore {
    /// A session whose first frame is to be written. `timeout` is how long the receiver may be silent while it owes answers;
    /// `window` the most lines that are sent and not acknowledged, 1 to [`MAX_WINDOW`].
    pub fn new(timeout: Duration, window: usize, now: Instant) -> Result<RelpCore, RelpError> {
        if !(1..=MAX_WINDOW).contains(&window) {
            return Err(RelpError::Window(window));
        }
        let mut core = RelpCore {
            timeout,
            window,
            outgoing: Vec::with_capacity(BATCH + (16 << 10)),
            at: 0,
            framed: 0,
            wrote: 0,
            incoming: Vec::new(),
            pending: VecDeque::with_capacity(window + 1),
            oldest: 1,
            written: 0,
            silent_since: now,
            acknowledged: None,
        };
        core.put(Command::Open, b"open", OFFERS.as_bytes());
        Ok(core)
    }

    /// From now on the receiver may be silent for so long while it owes answers.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Whether a line may be sent: the window is not full.
    pub fn has_room(&self) -> bool {
        self.pending.len() < self.window
    }

    /// Takes one line, which may have any bytes, under the name `id`. `false` while the window is full.
    pub fn offer(&mut self, line: &[u8], id: u64) -> Result<bool, RelpError> {
        if line.len() > MAX_LINE {
            return Err(RelpError::LineTooLong(line.len()));
        }
        let has_room = self.has_room();
        if has_room {
            self.put(Command::Syslog(id), b"syslog", line);
        }
        Ok(has_room)
    }

    /// The last frame: nothing more is offered behind it.
    pub fn close(&mut self) {
        self.put(Command::Close, b"close", b"");
    }

    /// Gathers a frame.
    fn put(&mut self, command: Command, name: &[u8], data: &[u8]) {
        let before = self.outgoing.len();
        frame::put(after(self.oldest, self.pending.len()), name, data, &mut self.outgoing);
        self.framed += (self.outgoing.len() - before) as u64;
        self.pending.push_back(Pending { command, end: self.framed, answered: false });
    }

    /// What is to be written.
    pub fn outgoing(&self) -> &[u8] {
        self.outgoing.get(self.at..).unwrap_or_default()
    }

    /// Whether enough is gathered for a write.
    pub fn is_full(&self) -> bool {
        self.outgoing.len() - self.at >= BATCH
    }

    /// So many bytes of that were written.
    pub fn wrote(&mut self, bytes: usize, now: Instant) {
        self.at += bytes;
        self.wrote += bytes as u64;
        if self.at >= self.outgoing.len() {
            self.outgoing.clear();
            self.at = 0;
        }
        let before = self.written;
        while self.pending.get(self.written).is_some_and(|p| p.end <= self.wrote) {
            self.written += 1;
        }
        // The time counts from when something is owed.
        if before == 0 && self.written > 0 {
            self.silent_since = now;
        }
    }

    /// Takes bytes that came. Gives the number of answers that are whole with them.
    pub fn hear(&mut self, bytes: &[u8], now: Instant) -> Result<usize, RelpError> {
        let mut incoming = mem::take(&mut self.incoming);
        incoming.extend_from_slice(bytes);
        let (mut used, mut answers) = (0, 0);
        while let Some((frame, length)) = Frame::parse(incoming.get(used..).unwrap_or_default())? {
            used += length;
            answers += usize::from(self.take(&frame, now)?);
        }
        incoming.drain(..used);
        self.incoming = incoming;
        Ok(answers)
    }

    /// Takes one frame. Whether it was an answer.
    fn take(&mut self, frame: &Frame<'_>, now: Instant) -> Result<bool, RelpError> {
        match (frame.transaction, frame.command) {
            (0, b"serverclose") => Err(RelpError::ClosedByServer { unanswered: self.unanswered() }),
            (transaction, b"rsp") => self.take_answer(transaction, frame.data, now).map(|()| true),
            // A hint that we do not know: hints may be lost without harm.
            (0, _) => Ok(false),
            (_, other) => Err(RelpError::Command { command: escaped(other, other.len()) }),
        }
    }

    fn take_answer(&mut self, transaction: u32, data: &[u8], now: Instant) -> Result<(), RelpError> {
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
        self.silent_since = now;
        while let Some(first) = self.pending.pop_front_if(|p| p.answered) {
            if let Command::Syslog(id) = first.command {
                self.acknowledged = Some(id);
            }
            self.oldest = after(self.oldest, 1);
            self.written -= 1;
        }
        Ok(())
    }

    /// Whether everything that was gathered is written and answered.
    pub fn is_answered(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the receiver owes an answer.
    pub fn owes(&self) -> bool {
        self.written > 0
    }

    /// When the receiver will have owed an answer for too long.
    pub fn silent_at(&self) -> Option<Instant> {
        // A time that no clock reaches is none.
        if self.owes() { self.silent_since.checked_add(self.timeout) } else { None }
    }

    /// The error for a receiver that owes an answer for too long.
    pub fn check_silence(&self, now: Instant) -> Result<(), RelpError> {
        match self.silent_at().is_some_and(|at| now >= at) {
            true => Err(RelpError::Silent { waited: self.timeout, unanswered: self.unanswered() }),
            false => Ok(()),
        }
    }

    /// The name of the last line that, like all sent before it, was answered 200: the receiver has them.
    pub fn acknowledged(&self) -> Option<u64> {
        self.acknowledged
    }

    /// Lines that were taken and are not acknowledged: what is to be sent again if the session ends here.
    pub fn unanswered(&self) -> usize {
        self.pending.iter().filter(|p| matches!(p.command, Command::Syslog(_))).count()
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
pub(super) fn after(transaction: u32, count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(0) % LAST_TRANSACTION;
    (transaction - 1 + count) % LAST_TRANSACTION + 1
}

/// How many transactions after `oldest` the number `transaction` stands.
pub(super) fn place(transaction: u32, oldest: u32) -> u32 {
    (transaction + LAST_TRANSACTION - oldest) % LAST_TRANSACTION
}
