//! Which lines the peer's system has: lines end somewhere in the bytes on the wire (under TLS in those of its records), and
//! the system says how many of these are not acknowledged.
use std::collections::VecDeque;

use tokio::time::Instant;

/// So many lines are whole within so many bytes of the wire.
struct Mark {
    lines: u64,
    bytes: u64,
    /// When the last of them was written.
    at: Instant,
}

/// See the module. Of one connection.
#[derive(Default)]
pub struct Marks {
    /// Bytes written to the system.
    wrote: u64,
    /// Places behind lines, those that are not acknowledged.
    waiting: VecDeque<Mark>,
    marked: u64,
    acknowledged: u64,
}

impl Marks {
    /// The system took some bytes.
    pub fn wrote(&mut self, bytes: usize) {
        self.wrote += bytes as u64;
    }

    /// Bytes written to the system so far.
    pub fn bytes(&self) -> u64 {
        self.wrote
    }

    /// All lines so far are within the bytes so far.
    pub fn mark(&mut self, lines: u64, at: Instant) {
        if lines > self.marked {
            self.marked = lines;
            self.waiting.push_back(Mark { lines, bytes: self.wrote, at });
        }
    }

    /// Takes note of how many of the bytes are not acknowledged.
    pub fn see(&mut self, unacknowledged: u64) {
        let there = self.wrote.saturating_sub(unacknowledged);
        while let Some(mark) = self.waiting.pop_front_if(|m| m.bytes <= there) {
            self.acknowledged = mark.lines;
        }
    }

    /// Lines that the peer's system has.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Lines that were written whole.
    pub fn written(&self) -> u64 {
        self.marked
    }

    /// When the oldest lines were written that are not acknowledged.
    pub fn oldest(&self) -> Option<Instant> {
        self.waiting.front().map(|m| m.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_there_when_their_last_byte_is_acknowledged_and_not_before() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        marks.wrote(100);
        marks.mark(1, now);
        marks.wrote(50);
        marks.mark(1, now);
        marks.wrote(50);
        marks.mark(3, now);
        marks.see(200);
        assert_eq!((marks.acknowledged(), marks.written(), marks.oldest()), (0, 3, Some(now)));
        marks.see(101);
        assert_eq!(marks.acknowledged(), 0);
        marks.see(100);
        assert_eq!(marks.acknowledged(), 1);
        marks.see(1);
        assert_eq!(marks.acknowledged(), 1);
        // More than was ever written: the end of our side is counted too.
        marks.see(1_000);
        assert_eq!(marks.acknowledged(), 1);
        marks.see(0);
        assert_eq!((marks.acknowledged(), marks.oldest()), (3, None));
    }
}
