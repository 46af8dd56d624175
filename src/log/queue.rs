//! From whoever says something to standard error, with a thread between: a pipe that nobody reads blocks that thread, and
//! nothing else.
//!
//! The queue is bounded. What finds no room is counted and told when there is room again. The end of the program waits for
//! the queue as long as it moves, and not longer.
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd as _,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chrono::DateTime;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;
use tracing::Level;

use super::{
    Form,
    limits::{Key, Limits, Passage},
    subject,
};

/// Bytes that may wait.
const BYTES: usize = 1 << 20;

/// How long the end, or a command, waits for a reader who reads nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a message becomes a line.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Text or JSON.
    pub form: Form,
    /// A priority in front, as sd-daemon(3) has it.
    pub priorities: bool,
}

impl Shape {
    fn line(self, level: Level, message: &str) -> String {
        let (number, word) = match level {
            Level::ERROR => (3, "error"),
            Level::WARN => (4, "warn"),
            Level::INFO => (6, "info"),
            _ => (7, "debug"),
        };
        let priority = if self.priorities { format!("<{number}>") } else { String::new() };
        match self.form {
            Form::Human => format!("{priority}qaudjrn: {message}\n"),
            Form::Json => {
                let line = json!({
                    "time": now(),
                    "level": word,
                    "subject": subject(message),
                    "message": message,
                });
                format!("{priority}{line}\n")
            }
        }
    }
}

/// The time of the system in UTC; a clock that stands before 1970 is no reason to end.
fn now() -> String {
    let since = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(before) => -since(before.duration()),
    };
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Whether standard error is the journal of systemd, which reads priorities: it says so by device and inode.
pub fn is_journal() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let Some(there) = stderr().and_then(|f| f.metadata().ok()) else { return false };
    stream == format!("{}:{}", there.dev(), there.ino())
}

/// Standard error by a descriptor of our own: the lock of the standard library would be held while a write blocks, and a
/// panic could not be told.
fn stderr() -> Option<File> {
    io::stderr().as_fd().try_clone_to_owned().ok().map(File::from)
}

/// The queue and its writer.
pub struct Queue {
    state: Mutex<State>,
    /// There is something to write, or to wait for.
    work: Condvar,
    /// Something was written.
    done: Condvar,
    shape: Shape,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    bytes: usize,
    lost: u64,
    limits: Limits,
    /// Lines that were written, to see that it moves.
    written: u64,
    writing: bool,
    /// Nobody waits for a reader any more.
    never_wait: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.lost == 0 && !self.writing
    }

    fn put(&mut self, line: String) {
        if self.bytes + line.len() > BYTES {
            self.lost += 1;
        } else {
            self.bytes += line.len();
            self.lines.push_back(line);
        }
    }
}

impl Queue {
    /// With a writer, for as long as the program runs.
    pub fn start(shape: Shape) -> Arc<Queue> {
        let queue = Arc::new(Queue { state: Mutex::default(), work: Condvar::new(), done: Condvar::new(), shape });
        let writer = queue.clone();
        let to = stderr();
        if thread::Builder::new().name("log".to_owned()).spawn(move || writer.write(to)).is_err() {
            // Nothing will be written, so nobody is to wait.
            queue.never_wait();
        }
        queue
    }

    /// See [`super::never_wait`].
    pub fn never_wait(&self) {
        self.lock().never_wait = true;
    }

    /// Takes a message that passes its limits.
    pub fn push(&self, level: Level, message: String, keys: [Key; 2]) {
        let mut state = self.lock();
        match state.limits.passes(keys, level, &message, Instant::now()) {
            Passage::Free => {
                let line = self.shape.line(level, &message);
                self.enqueue(state, line);
            }
            // The writer may sleep without an end: now a sum is due.
            Passage::FirstHeld => self.work.notify_one(),
            Passage::Held => {}
        }
    }

    /// Takes a line as it is.
    pub fn push_line(&self, line: String) {
        self.enqueue(self.lock(), line);
    }

    fn enqueue(&self, mut state: MutexGuard<'_, State>, line: String) {
        state.put(line);
        self.work.notify_one();
        if !state.never_wait && !self.drain(state) {
            self.never_wait();
        }
    }

    /// Waits until all is written; `false` when it does not move.
    fn drain(&self, mut state: MutexGuard<'_, State>) -> bool {
        let mut seen = state.written;
        let mut end = Instant::now() + PATIENCE;
        while !state.is_idle() {
            let wait = end.saturating_duration_since(Instant::now());
            state = self.done.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            if state.written != seen {
                (seen, end) = (state.written, Instant::now() + PATIENCE);
            } else if Instant::now() >= end {
                return false;
            }
        }
        true
    }

    /// See [`super::finish`].
    pub fn finish(&self) {
        let mut state = self.lock();
        for sum in state.limits.sums(Instant::now(), true) {
            let line = self.shape.line(sum.level, &sum.message());
            state.put(line);
        }
        self.work.notify_one();
        self.drain(state);
    }

    fn write(&self, mut to: Option<File>) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            for sum in state.limits.sums(now, false) {
                let line = self.shape.line(sum.level, &sum.message());
                state.put(line);
            }
            let line = match state.lines.pop_front() {
                Some(line) => {
                    state.bytes -= line.len();
                    line
                }
                None if state.lost > 0 => {
                    let lost = std::mem::take(&mut state.lost);
                    let what = if lost == 1 { "message was" } else { "messages were" };
                    self.shape
                        .line(Level::WARN, &format!("{lost} {what} lost here: nobody read standard error in time"))
                }
                None => {
                    state = self.rest(state, now);
                    continue;
                }
            };
            state.writing = true;
            drop(state);
            // Somebody may have closed it: there is nobody to tell.
            if let Some(file) = &mut to {
                write_all(file, line.as_bytes());
            }
            state = self.lock();
            state.writing = false;
            state.written += 1;
            self.done.notify_all();
        }
    }

    /// Until there is work, or a sum is due.
    fn rest<'a>(&'a self, state: MutexGuard<'a, State>, now: Instant) -> MutexGuard<'a, State> {
        match state.limits.due() {
            Some(due) => {
                let wait = due.saturating_duration_since(now);
                self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a line. Who shares the terminal or the pipe may have made it non-blocking: then it is tried again.
fn write_all(file: &mut File, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return,
            Ok(n) => bytes = bytes.get(n..).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                // Where this fails the write says why.
                let _ = poll(&mut [PollFd::new(&*file, PollFlags::OUT)], None);
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_of_text_or_a_json_object_with_a_priority_for_systemd() {
        let human = Shape { form: Form::Human, priorities: true };
        assert_eq!(human.line(Level::ERROR, "the agent ends"), "<3>qaudjrn: the agent ends\n");
        let json = Shape { form: Form::Json, priorities: false };
        let line: serde_json::Value = serde_json::from_str(&json.line(Level::WARN, "source a: \"b\"")).unwrap();
        assert_eq!((&line["level"], &line["subject"]), (&"warn".into(), &"source a".into()));
        assert_eq!(line["message"], "source a: \"b\"");
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn b4_what_finds_no_room_is_counted_and_costs_nothing() {
        let mut state = State::default();
        for _ in 0..10 {
            state.put("x".repeat(BYTES / 4));
        }
        assert_eq!((state.lines.len(), state.lost), (4, 6));
    }
}
