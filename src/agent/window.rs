//! What was sent and is not known to have arrived. Plain TCP and TLS acknowledge nothing: an event leaves the window when
//! enough was sent after it, or enough time passed since, for it to have left the buffers on the way; never while it is
//! not written. What the receiver acknowledges (RELP) leaves it by that.
use std::{collections::VecDeque, time::Duration};

use crate::spool::{Cursor, Lane};

/// When events of an unacknowledged connection count as arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Bytes sent after an event.
    pub bytes: u64,
    /// Time since it was written.
    pub age: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { bytes: 32 << 20, age: Duration::from_secs(60) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Its lane, and the cursor of that behind it; `None` for a heartbeat, which nobody needs again.
    place: Option<(Lane, Cursor)>,
    bytes: u64,
    at: Duration,
}

/// The events on one connection, in the order in which they were sent.
#[derive(Debug, Default)]
pub struct Window {
    sent: VecDeque<Sent>,
    bytes: u64,
    /// Events that left it on this connection.
    left: u64,
    /// Events in it, by lane.
    lanes: [usize; Lane::COUNT],
}

/// How far each lane may move.
pub type Moved = [Option<Cursor>; Lane::COUNT];

impl Window {
    /// A line was handed to the connection: an event, with its lane and the cursor behind it, or a heartbeat.
    pub fn push(&mut self, place: Option<(Lane, Cursor)>, bytes: u64, now: Duration) {
        self.sent.push_back(Sent { place, bytes, at: now });
        self.bytes += bytes;
        if let Some((lane, _)) = place {
            self.lanes[lane.index()] += 1;
        }
    }

    /// Events in it, heartbeats not counted.
    pub fn events(&self) -> usize {
        self.lanes.iter().sum()
    }

    /// Whether a lane has nothing in it.
    pub fn is_clear(&self, lane: Lane) -> bool {
        self.lanes[lane.index()] == 0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Lets the events go that count as arrived, of those among the first `written` of this connection.
    pub fn pass(&mut self, rules: Rules, written: u64, now: Duration) -> Moved {
        let mut moved = [None; Lane::COUNT];
        while let Some(first) = self.sent.front() {
            let after = self.bytes - first.bytes;
            let arrived = after >= rules.bytes || now.saturating_sub(first.at) >= rules.age;
            if !arrived || self.left >= written {
                break;
            }
            self.pop(&mut moved);
        }
        moved
    }

    /// Lets the first events of this connection go, up to `count` since it was opened: they are acknowledged.
    pub fn acknowledge(&mut self, count: u64) -> Moved {
        let mut moved = [None; Lane::COUNT];
        while self.left < count && !self.sent.is_empty() {
            self.pop(&mut moved);
        }
        moved
    }

    fn pop(&mut self, moved: &mut Moved) {
        if let Some(s) = self.sent.pop_front() {
            self.bytes -= s.bytes;
            self.left += 1;
            if let Some((lane, next)) = s.place {
                self.lanes[lane.index()] -= 1;
                moved[lane.index()] = Some(next);
            }
        }
    }

    /// The connection is gone; what was in the window will be sent again. Returns how many events that are.
    pub fn fail(&mut self) -> usize {
        let n = self.events();
        *self = Window::default();
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(event: usize) -> Cursor {
        Cursor { batch: 1, event }
    }

    fn normal(cursor: Option<Cursor>) -> Moved {
        [None, None, cursor, None]
    }

    #[test]
    fn an_event_leaves_by_bytes_after_it_or_by_age_and_never_unwritten() {
        let rules = Rules { bytes: 100, age: Duration::from_secs(60) };
        let mut w = Window::default();
        for n in 0..10 {
            w.push(Some((Lane::Normal, at(n + 1))), 30, Duration::from_secs(n as u64));
        }
        // 270 bytes follow the first, 120 the sixth, 90 the seventh: six may go, but only two are written.
        assert_eq!(w.pass(rules, 2, Duration::from_secs(10)), normal(Some(at(2))));
        assert_eq!(w.pass(rules, 10, Duration::from_secs(10)), normal(Some(at(6))));
        assert_eq!(w.pass(rules, 10, Duration::from_secs(65)), normal(None));
        assert_eq!(w.pass(rules, 10, Duration::from_secs(68)), normal(Some(at(9))));
        assert_eq!(w.fail(), 1);
        assert!(w.is_empty());
    }

    #[test]
    fn lanes_move_on_their_own_and_acknowledgements_let_events_go_in_order() {
        let mut w = Window::default();
        for n in 0..6 {
            let lane = if n % 2 == 0 { Lane::Priority } else { Lane::Normal };
            w.push(Some((lane, at(n + 1))), 1, Duration::ZERO);
        }
        // A heartbeat is acknowledged as any line, and moves nothing.
        w.push(None, 1, Duration::ZERO);
        assert_eq!(w.events(), 6);
        assert_eq!(w.acknowledge(3), [Some(at(3)), None, Some(at(2)), None]);
        assert_eq!(w.acknowledge(3), [None; 4]);
        assert_eq!(w.acknowledge(6), [Some(at(5)), None, Some(at(6)), None]);
        assert!(!w.is_empty());
        assert_eq!(w.acknowledge(7), [None; 4]);
        assert!(w.is_empty());
    }
}
