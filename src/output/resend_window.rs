//! What was sent and is not known to have arrived. Plain TCP and TLS acknowledge nothing, but the peer's system does: an event
//! that it has acknowledged leaves the window when enough was acknowledged after it, or enough time passed since, for the
//! receiver to have read it; never before. What the receiver acknowledges (RELP) leaves it by that, in whatever order it comes:
//! cursors move behind the first lines, as far as all of them are acknowledged.
//!
//! Age is time in which the receiver could read: while something waits for longer than `STALL` to be acknowledged, its
//! system has no room, because it reads nothing, and the clock of the window stands still.
use std::{collections::VecDeque, ops::Range, time::Duration};

use crate::spool::{Cursor, Lane};

/// When events of an unacknowledged connection count as arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendPolicy {
    /// Bytes that the peer's system acknowledged after an event.
    pub bytes: u64,
    /// Time since it acknowledged the event.
    pub age: Duration,
}

impl Default for ResendPolicy {
    fn default() -> Self {
        ResendPolicy { bytes: 32 << 20, age: Duration::from_secs(60) }
    }
}

/// Longer than a packet and its acknowledgement take on any way.
const STALL: Duration = Duration::from_secs(1);

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry of its lane, and the cursor behind it.
    Entry(Lane, Cursor),
    /// A notice of the agent from the spool, in its lane as an entry.
    Notice(Lane, Cursor),
    /// A notice in the place of events that cannot be read, in its lane as an entry: those are counted as going nowhere.
    StandIn(Lane, Cursor),
    /// A heartbeat, which nobody needs again.
    Beat,
}

impl Line {
    fn place(self) -> Option<(Lane, Cursor)> {
        match self {
            Line::Entry(lane, next) | Line::Notice(lane, next) | Line::StandIn(lane, next) => Some((lane, next)),
            Line::Beat => None,
        }
    }
}

/// How many lines of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Entries.
    pub entries: u64,
    /// The agent's own: notices and heartbeats.
    pub notices: u64,
    /// Those among them that were no events of the spool: heartbeats and stand-ins.
    pub unqueued: u64,
}

impl Count {
    /// One more.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Entry(..) => self.entries += 1,
            Line::Notice(..) => self.notices += 1,
            Line::StandIn(..) | Line::Beat => {
                self.notices += 1;
                self.unqueued += 1;
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    line: Line,
    bytes: u64,
    /// When its system acknowledged it, by the clock of the window.
    at: Duration,
    /// The receiver itself acknowledged it.
    is_acknowledged: bool,
}

/// The events on one connection, in the order in which they were sent.
#[derive(Debug, Default)]
pub struct ResendWindow {
    sent: VecDeque<Sent>,
    /// How many of the first are acknowledged by the peer's system, and their bytes.
    there: usize,
    bytes: u64,
    /// Lines that left it on this connection.
    acknowledged_lines: u64,
    /// Events in it, by lane.
    lanes: [usize; Lane::COUNT],
    /// Lines that left it and were not asked for yet.
    done: Count,
    /// Of how many events of which batch these were, in runs.
    passed: Vec<(i64, u64)>,
    clock: Clock,
}

/// Counts time in which the receiver could read.
#[derive(Debug, Default)]
struct Clock {
    time: Duration,
    /// Until when it has counted.
    counted: Duration,
    stalled: bool,
}

impl Clock {
    /// `oldest` is when the oldest of what is not acknowledged was written.
    fn observe(&mut self, oldest: Option<Duration>, now: Duration) {
        let until = oldest.map_or(now, |o| o.min(now));
        let stalled = now.saturating_sub(until) > STALL;
        match (self.stalled, stalled) {
            // The time up to what waits was one in which it read.
            (false, _) => {
                self.time += until.saturating_sub(self.counted);
                self.counted = self.counted.max(until);
            }
            (true, true) => self.counted = self.counted.max(until),
            (true, false) => self.counted = now,
        }
        self.stalled = stalled;
    }
}

/// How far each lane may move.
pub type Moved = [Option<Cursor>; Lane::COUNT];

impl ResendWindow {
    /// A connection begins: its lines are counted from 0. What the one before it took has arrived, or has [failed](Self::fail).
    pub fn begin(&mut self) {
        debug_assert!(self.sent.is_empty(), "what is on the way is neither known to be there nor given up");
        (self.acknowledged_lines, self.clock) = (0, Clock::default());
    }

    /// A line was handed to the connection.
    pub fn push(&mut self, line: Line, bytes: u64) {
        self.sent.push_back(Sent { line, bytes, at: Duration::ZERO, is_acknowledged: false });
        if let Some((lane, _)) = line.place() {
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

    /// The lines that left it since the last call.
    pub fn take_done(&mut self) -> Count {
        std::mem::take(&mut self.done)
    }

    /// The events that left it since the last call: how many of which batch, in runs.
    pub fn take_passed(&mut self) -> Vec<(i64, u64)> {
        std::mem::take(&mut self.passed)
    }

    /// The peer's system has acknowledged so many lines of this connection; of the others the oldest was written at `oldest`.
    pub fn observe(&mut self, acknowledged: u64, oldest: Option<Duration>, now: Duration) {
        self.clock.observe(oldest, now);
        while self.acknowledged_lines + (self.there as u64) < acknowledged
            && let Some(sent) = self.sent.get_mut(self.there)
        {
            sent.at = self.clock.time;
            self.bytes += sent.bytes;
            self.there += 1;
        }
    }

    /// Lets the events go that count as arrived.
    pub fn expire(&mut self, policy: ResendPolicy) -> Moved {
        let mut moved = [None; Lane::COUNT];
        while self.there > 0
            && let Some(first) = self.sent.front()
        {
            let after = self.bytes.saturating_sub(first.bytes);
            if after < policy.bytes && self.clock.time.saturating_sub(first.at) < policy.age {
                break;
            }
            self.pop(&mut moved);
        }
        moved
    }

    /// How long until the next may go by its age, if nothing else happens; `None` when that is not known.
    pub fn next_expiry_in(&self, policy: ResendPolicy) -> Option<Duration> {
        let first = self.sent.front().filter(|_| self.there > 0 && !self.clock.stalled)?;
        Some((first.at + policy.age).saturating_sub(self.clock.time))
    }

    /// Lines of this connection that the peer's system has acknowledged.
    pub fn seen(&self) -> u64 {
        self.acknowledged_lines + self.there as u64
    }

    /// Whether everything in it is acknowledged by the peer's system.
    pub fn is_there(&self) -> bool {
        self.there == self.sent.len()
    }

    /// Lets the first events of this connection go, up to `count` since it was opened: they are acknowledged.
    pub fn acknowledge(&mut self, count: u64) -> Moved {
        let mut moved = [None; Lane::COUNT];
        while self.acknowledged_lines < count && !self.sent.is_empty() {
            self.pop(&mut moved);
        }
        moved
    }

    /// The receiver has acknowledged some lines of this connection, which are numbered from 0 in the order in which they were
    /// handed over. Lets the first go, as far as all of them are acknowledged.
    pub fn acknowledge_range(&mut self, lines: Range<u64>) -> Moved {
        let place = |line: u64| {
            usize::try_from(line.saturating_sub(self.acknowledged_lines)).unwrap_or(usize::MAX).min(self.sent.len())
        };
        let places = place(lines.start)..place(lines.end).max(place(lines.start));
        self.sent.range_mut(places).for_each(|s| s.is_acknowledged = true);
        let mut moved = [None; Lane::COUNT];
        while self.sent.front().is_some_and(|s| s.is_acknowledged) {
            self.pop(&mut moved);
        }
        moved
    }

    /// Lets everything go: the receiver has read it.
    pub fn all(&mut self) -> Moved {
        self.acknowledge(u64::MAX)
    }

    fn pop(&mut self, moved: &mut Moved) {
        if let Some(s) = self.sent.pop_front() {
            if self.there > 0 {
                self.there -= 1;
                self.bytes = self.bytes.saturating_sub(s.bytes);
            }
            self.acknowledged_lines += 1;
            self.done.add(s.line);
            if let Some((lane, next)) = s.line.place() {
                self.lanes[lane.index()] -= 1;
                moved[lane.index()] = Some(next);
                match self.passed.last_mut() {
                    _ if matches!(s.line, Line::StandIn(..)) => {}
                    Some((batch, events)) if *batch == next.batch => *events += 1,
                    _ => self.passed.push((next.batch, 1)),
                }
            }
        }
    }

    /// The connection is gone; what was in the window will be sent again. Returns how much that is: heartbeats are not.
    pub fn fail(&mut self) -> Count {
        let mut again = Count::default();
        for sent in self.sent.iter().filter(|s| s.line != Line::Beat) {
            again.add(sent.line);
        }
        *self = ResendWindow::default();
        again
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn entry(lane: Lane, event: usize) -> Line {
        Line::Entry(lane, Cursor { batch: 1, event })
    }

    fn normal(event: usize) -> Moved {
        let cursor = (event > 0).then_some(Cursor { batch: 1, event });
        [None, None, cursor, None]
    }

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    const POLICY: ResendPolicy = ResendPolicy { bytes: 100, age: Duration::from_secs(60) };

    #[test]
    fn h4_an_event_leaves_by_bytes_or_age_after_its_acknowledgement_and_never_without() {
        let mut w = ResendWindow::default();
        for n in 0..10 {
            w.push(entry(Lane::Normal, n + 1), 30);
        }
        w.observe(0, Some(seconds(0.0)), seconds(0.5));
        assert_eq!((w.expire(POLICY), w.next_expiry_in(POLICY)), (normal(0), None));
        // Of six, 120 bytes follow the second and 90 the third.
        w.observe(6, Some(seconds(1.0)), seconds(1.5));
        assert_eq!(w.expire(POLICY), normal(2));
        w.observe(10, None, seconds(10.0));
        assert_eq!(w.expire(POLICY), normal(6));
        w.observe(10, None, seconds(69.9));
        assert_eq!((w.expire(POLICY), w.is_there()), (normal(0), true));
        assert!(w.next_expiry_in(POLICY).unwrap() <= seconds(0.2));
        w.observe(10, None, seconds(70.1));
        assert_eq!(w.expire(POLICY), normal(10));
        assert_eq!(w.take_done(), Count { entries: 10, ..Count::default() });
        assert!(w.is_empty());
    }

    #[test]
    fn h4_age_stands_still_while_what_was_sent_is_not_acknowledged() {
        let mut w = ResendWindow::default();
        for n in 0..3 {
            w.push(entry(Lane::Normal, n + 1), 10);
        }
        w.observe(2, Some(seconds(5.0)), seconds(5.0));
        // The third waits for ten minutes; something trickles meanwhile.
        for s in 6..605 {
            w.observe(2, Some(seconds(5.0 + f64::from(s) / 600.0)), seconds(f64::from(s)));
            assert_eq!(w.expire(POLICY), normal(0), "{s}");
            assert!(s < 7 || w.next_expiry_in(POLICY).is_none(), "{s}");
        }
        w.observe(3, None, seconds(605.0));
        assert_eq!(w.expire(POLICY), normal(0));
        // A second of the stall counted, until it was one.
        w.observe(3, None, seconds(663.0));
        assert_eq!(w.expire(POLICY), normal(0));
        w.observe(3, None, seconds(666.0));
        assert_eq!(w.expire(POLICY), normal(3));
    }

    #[test]
    fn h4_a_way_on_which_something_is_always_in_flight_lets_age_pass() {
        let mut w = ResendWindow::default();
        w.push(entry(Lane::Normal, 1), 10);
        w.push(entry(Lane::Normal, 2), 10);
        for s in 0..700 {
            let now = f64::from(s) / 10.0;
            w.observe(1, Some(seconds((now - 0.1).max(0.0))), seconds(now));
        }
        assert_eq!(w.expire(POLICY), normal(1));
        assert_eq!(w.fail(), Count { entries: 1, ..Count::default() });
    }

    /// What a test does with a window that is acknowledged in any order.
    #[derive(Clone, Debug)]
    enum Step {
        Push(usize, bool),
        Acknowledge(u64, u64),
        Fail,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..Lane::COUNT, prop::bool::weighted(0.1)).prop_map(|(lane, beat)| Step::Push(lane, beat)),
            5 => (0..40_u64, 0..8_u64).prop_map(|(from, count)| Step::Acknowledge(from, from + count)),
            1 => Just(Step::Fail),
        ];
        vec(step, 1..80)
    }

    proptest! {
        /// The model is a list of lines and whether each is acknowledged.
        #[test]
        fn ranges_in_any_order_move_cursors_behind_the_first_lines_that_are_all_acknowledged(steps in steps()) {
            let mut window = ResendWindow::default();
            let mut model: Vec<(Line, bool)> = Vec::new();
            let (mut acknowledged_lines, mut event) = (0, 0);
            for step in steps {
                match step {
                    Step::Push(lane, beat) => {
                        event += 1;
                        let line = if beat { Line::Beat } else { entry(Lane::ALL[lane], event) };
                        window.push(line, 1);
                        model.push((line, false));
                    }
                    Step::Acknowledge(from, to) => {
                        let moved = window.acknowledge_range(from..to);
                        for (n, (_, is_acknowledged)) in model.iter_mut().enumerate() {
                            *is_acknowledged |= (from..to).contains(&(n as u64));
                        }
                        let front = model.iter().take_while(|(_, done)| *done).count();
                        for lane in Lane::ALL {
                            let last = model[acknowledged_lines..front].iter().rev().filter_map(|(l, _)| l.place()).find(|(l, _)| *l == lane);
                            prop_assert_eq!(moved[lane.index()], last.map(|(_, cursor)| cursor));
                        }
                        let mut done = Count::default();
                        model[acknowledged_lines..front].iter().for_each(|(line, _)| done.add(*line));
                        prop_assert_eq!(window.take_done(), done);
                        acknowledged_lines = front;
                    }
                    Step::Fail => {
                        let again = model[acknowledged_lines..].iter().filter(|(line, _)| *line != Line::Beat).count() as u64;
                        let Count { entries, notices, .. } = window.fail();
                        prop_assert_eq!(entries + notices, again);
                        (model, acknowledged_lines) = (Vec::new(), 0);
                    }
                }
                prop_assert_eq!(window.events(), model[acknowledged_lines..].iter().filter(|(line, _)| *line != Line::Beat).count());
                prop_assert_eq!(window.is_empty(), acknowledged_lines == model.len());
                for lane in Lane::ALL {
                    let has = model[acknowledged_lines..].iter().any(|(line, _)| line.place().is_some_and(|(l, _)| l == lane));
                    prop_assert_eq!(window.is_clear(lane), !has);
                }
            }
            // Everything at once, as a prefix.
            window.acknowledge(model.len() as u64);
            prop_assert!(window.is_empty());
        }
    }

    #[test]
    fn lanes_move_on_their_own_and_acknowledgements_let_events_go_in_order() {
        let mut w = ResendWindow::default();
        for n in 0..6 {
            let lane = if n % 2 == 0 { Lane::Priority } else { Lane::Normal };
            w.push(entry(lane, n + 1), 1);
        }
        let at = |event| Cursor { batch: 1, event };
        w.push(Line::Notice(Lane::Priority, at(9)), 1);
        // A heartbeat is acknowledged as any line, and moves nothing.
        w.push(Line::Beat, 1);
        assert_eq!(w.events(), 7);
        assert_eq!(w.acknowledge(3), [Some(at(3)), None, Some(at(2)), None]);
        assert_eq!(w.acknowledge(3), [None; 4]);
        assert_eq!(w.acknowledge(6), [Some(at(5)), None, Some(at(6)), None]);
        assert_eq!(w.acknowledge(7), [Some(at(9)), None, None, None]);
        assert!(!w.is_empty());
        assert_eq!(w.all(), [None; 4]);
        assert_eq!(w.take_done(), Count { entries: 6, notices: 2, unqueued: 1 });
        assert!(w.is_empty());
    }
}
