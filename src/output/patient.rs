//! A connection for a protocol that writes and waits for answers (RELP): writes go on while the receiver stalls, and every
//! wait ends when the agent stops, the network is silent, or the receiver has stalled for too long.
use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use crate::net::{
    tcp_info::Watch,
    wait::{Stop, is_wait},
};

/// See the module. Reads and writes of the stream within give up after a moment.
pub struct Patient<S> {
    stream: S,
    watch: Watch,
    stop: Stop,
    /// How long a write may make no way.
    stall: Duration,
}

impl<S> Patient<S> {
    /// `watch` is of the socket below `stream`.
    pub fn new(stream: S, watch: Watch, stop: Stop, stall: Duration) -> Patient<S> {
        Patient { stream, watch, stop, stall }
    }

    fn check(&mut self) -> io::Result<()> {
        self.stop.check()?;
        self.watch.check()
    }

    fn insist<T>(&mut self, mut f: impl FnMut(&mut S) -> io::Result<T>) -> io::Result<T> {
        let since = Instant::now();
        loop {
            match f(&mut self.stream) {
                Err(e) if is_wait(&e) => self.check()?,
                other => return other,
            }
            if since.elapsed() >= self.stall {
                let text = format!("the receiver took nothing for {} s (stall_timeout)", since.elapsed().as_secs());
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, text));
            }
        }
    }
}

impl<S: Read> Read for Patient<S> {
    /// Gives up with `WouldBlock` after a moment.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        // Asked each time: answers that come without end are no reason to go on.
        self.stop.check()?;
        match self.stream.read(bytes) {
            Err(e) if is_wait(&e) => {
                self.check()?;
                Err(e)
            }
            other => other,
        }
    }
}

impl<S: Write> Write for Patient<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.insist(|s| s.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.insist(Write::flush)
    }
}
