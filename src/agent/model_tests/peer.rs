//! The other end of a connection by a fake clock: a receiver, and the system it runs on.
use std::time::Duration;

use super::ledger::Event;
use crate::output::resend_window::{Moved, ResendPolicy, ResendWindow};

/// When lines of an unacknowledged connection count as arrived; here a receiver's system holds no more bytes than that.
pub const POLICY: ResendPolicy = ResendPolicy { bytes: 6_000, age: Duration::from_secs(10) };
/// How often the connection is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A receiver whose system acknowledges reads within this time: the age, less what two looks and a stall cannot tell apart.
const READS_WITHIN: Duration = Duration::from_secs(8);
/// What is not acknowledged for longer is a stall.
const STALL: Duration = Duration::from_secs(1);

struct Line {
    event: Event,
    bytes: u64,
    written: Duration,
    /// Time in which the receiver could read it.
    could: Duration,
}

/// What is on the other end.
pub struct Peer {
    /// It answers for every line (RELP); else only its system acknowledges.
    answers: bool,
    now: Duration,
    lines: Vec<Line>,
    /// Lines that its system has taken, that it has read, and that have left the window.
    taken: usize,
    read: usize,
    acknowledged_lines: usize,
}

impl Peer {
    pub fn new(answers: bool) -> Peer {
        Peer { answers, now: Duration::ZERO, lines: Vec::new(), taken: 0, read: 0, acknowledged_lines: 0 }
    }

    pub fn answers(&self) -> bool {
        self.answers
    }

    /// A line was handed over.
    pub fn write(&mut self, event: Event, bytes: u64) {
        self.lines.push(Line { event, bytes, written: self.now, could: Duration::ZERO });
    }

    /// Time goes on. Returns what moved and which lines were read meanwhile.
    pub fn step(
        &mut self,
        looks: u8,
        up: bool,
        reads: bool,
        window: &mut ResendWindow,
        rest: usize,
    ) -> (Moved, Vec<Event>) {
        let before = self.read;
        let mut all: Moved = Default::default();
        for _ in 0..looks {
            let moved = self.look(up, reads, window, rest);
            for (all, moved) in all.iter_mut().zip(moved) {
                *all = moved.or(*all);
            }
        }
        (all, self.events(before, self.read))
    }

    fn events(&self, from: usize, to: usize) -> Vec<Event> {
        self.lines[from..to].iter().map(|l| l.event).collect()
    }

    fn look(&mut self, up: bool, reads: bool, window: &mut ResendWindow, rest: usize) -> Moved {
        let stalled = self.lines.get(self.taken).is_some_and(|l| self.now - l.written > STALL);
        self.now += LOOK;
        if !stalled {
            self.lines[self.read..self.taken].iter_mut().for_each(|l| l.could += LOOK);
        }
        if reads {
            self.read = self.taken;
        }
        let late = self.lines[self.read..self.taken].iter().rposition(|l| l.could >= READS_WITHIN);
        self.read += late.map_or(0, |n| n + 1);
        while let Some(next) = self.lines.get(self.taken)
            && up
            && self.lines[self.read..self.taken].iter().map(|l| l.bytes).sum::<u64>() + next.bytes <= POLICY.bytes
        {
            self.taken += 1;
        }
        if self.answers {
            // The last answers are on their way.
            return window.acknowledge(self.read.saturating_sub(rest) as u64);
        }
        let oldest = self.lines.get(self.taken).map(|l| l.written);
        window.observe(self.taken as u64, oldest, self.now);
        window.expire(POLICY)
    }

    /// The receiver reads everything and closes.
    pub fn finish(&mut self) -> Vec<Event> {
        let before = std::mem::replace(&mut self.read, self.lines.len());
        self.taken = self.read;
        self.events(before, self.read)
    }

    /// So many lines left the window: they were read. Returns them.
    pub fn leave(&mut self, count: usize) -> Vec<Event> {
        let before = self.acknowledged_lines;
        self.acknowledged_lines += count;
        assert!(
            self.acknowledged_lines <= self.read,
            "{} lines count as arrived, and {} were read",
            self.acknowledged_lines,
            self.read
        );
        self.events(before, self.acknowledged_lines)
    }

    /// Lines that are in the window.
    pub fn waiting(&self) -> usize {
        self.lines.len() - self.acknowledged_lines
    }
}
