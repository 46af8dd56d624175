//! The core by any order of facts, with a time of its own.
use chrono_tz::Tz;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{output::rate_limit::Limits, spool::Cursor};

const RULES: Rules = Rules {
    resend_window: ResendPolicy { bytes: 1_000, age: Duration::from_secs(10) },
    stall_timeout: Duration::from_secs(60),
    is_paced: false,
    is_limited: false,
};

fn core(rules: Rules, limits: Limits, start: Instant) -> OutputCore {
    OutputCore::new(rules, RateLimiter::new(limits, None, Duration::ZERO, 0).unwrap(), start)
}

/// Some seconds behind the start, by both clocks.
fn at(start: Instant, seconds: f64) -> Now {
    Now { at: start + Duration::from_secs_f64(seconds), wall: (seconds * 1e6) as i64 }
}

/// What happens to an output.
#[derive(Clone, Debug)]
enum Fact {
    Taken(u8, u64),
    Written,
    Refused,
    /// So many more lines of this connection are acknowledged.
    Acknowledged(u64),
    Arrived,
    /// The same, and another connection is made.
    Closed,
    Failed,
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let fact = prop_oneof![
        8 => (0..8_u8, 1..500_u64).prop_map(|(kind, bytes)| Fact::Taken(kind, bytes)),
        3 => Just(Fact::Written),
        2 => Just(Fact::Refused),
        4 => (1..6_u64).prop_map(Fact::Acknowledged),
        1 => Just(Fact::Arrived),
        1 => Just(Fact::Closed),
        1 => Just(Fact::Failed),
    ];
    vec(fact, 1..120)
}

/// What becomes of entries, by a list of them.
#[derive(Default)]
struct Model {
    /// Lines of this connection, and whether each is an entry that is not done; how many of the first are done.
    lines: Vec<Line>,
    done: usize,
    /// The next event, and those that a connection took with it: they are taken again first.
    next: usize,
    again: Vec<usize>,
    taken: u64,
    /// Entries that are known to be lost.
    lost: u64,
    refused: u64,
}

impl Model {
    fn take(&mut self, kind: u8) -> Line {
        let event = match self.again.is_empty() {
            true => {
                self.next += 1;
                self.next
            }
            false => self.again.remove(0),
        };
        let cursor = Cursor { batch: 1, event };
        let line = match kind {
            0 => Line::Notice(Lane::Normal, cursor),
            _ => Line::Entry(Lane::Normal, cursor),
        };
        self.taken += u64::from(matches!(line, Line::Entry(..)));
        self.lines.push(line);
        line
    }

    fn on_the_way(&self) -> Vec<usize> {
        self.lines[self.done..].iter().filter_map(|l| event(*l)).collect()
    }
}

fn event(line: Line) -> Option<usize> {
    match line {
        Line::Entry(_, cursor) | Line::Notice(_, cursor) | Line::StandIn(_, cursor) => Some(cursor.event),
        Line::Beat => None,
    }
}

/// Adds what was done, as the stats of an output do.
fn add(all: &mut Sums, more: Sums) {
    all.sent += more.sent;
    all.notices += more.notices;
    all.refused += more.refused;
    all.resent += more.resent;
    all.unconfirmed += more.unconfirmed;
    all.unqueued += more.unqueued;
    all.notices_refused += more.notices_refused;
    all.recalled += more.recalled;
    all.notices_recalled += more.notices_recalled;
    all.lost += more.lost;
}

proptest! {
    /// Invariant 1, behind each fact: entries that were taken = sent + refused + in the window + resent + to be taken again, where the
    /// window holds some that are lost; and a cursor is behind what is done, never further.
    #[test]
    fn sums_balance_and_cursors_stay_behind_what_is_done(facts in facts()) {
        let start = Instant::now();
        let (mut core, mut model, mut sums) = (core(RULES, Limits::default(), start), Model::default(), Sums::default());
        core.begin(start);
        let mut in_window_lost = 0_u64;
        let (mut left, mut beats_left) = (0_u64, 0_u64);
        for (n, fact) in facts.into_iter().enumerate() {
            let now = at(start, n as f64);
            let mut moved = None;
            let (lines, done) = (model.lines.clone(), model.done);
            match fact {
                Fact::Taken(kind @ 0..7, bytes) => {
                    // Kinds are kept when they are taken again: an event is what it is.
                    let kind = if model.again.is_empty() { kind } else { 1 };
                    let kind = if kind == 0 && model.again.is_empty() { 0 } else { 1 };
                    let line = model.take(kind);
                    core.taken(|| now, line, bytes);
                }
                Fact::Taken(_, bytes) => {
                    model.lines.push(Line::Beat);
                    core.taken_unmetered(now, bytes);
                }
                Fact::Written => core.written(now),
                Fact::Refused => {
                    model.refused += 1;
                    let was_last = model.lines.last().copied();
                    let is_entry = core.refused(model.refused);
                    if is_entry {
                        prop_assert!(matches!(was_last, Some(Line::Entry(..))));
                        model.lost += 1;
                        in_window_lost += u64::from(model.done < model.lines.len());
                    }
                }
                Fact::Acknowledged(count) => {
                    let upto = (model.done as u64 + count).min(model.lines.len() as u64);
                    let result: Result<Moved, ()> = core.expire(now.at, |window, _, _| Ok(window.acknowledge(upto)));
                    moved = Some(result.unwrap());
                    model.done = upto as usize;
                }
                Fact::Arrived => {
                    moved = Some(core.everything_arrived());
                    model.done = model.lines.len();
                }
                Fact::Closed => {
                    core.everything_arrived();
                    core.begin(now.at);
                    (model.lines, model.done, model.refused) = (Vec::new(), 0, 0);
                }
                Fact::Failed => {
                    model.again = model.on_the_way();
                    model.next = model.next.max(model.again.last().copied().unwrap_or(0));
                    core.failed(now);
                    core.begin(now.at);
                    (model.lines, model.done, model.refused) = (Vec::new(), 0, 0);
                }
            }
            if let Some(moved) = moved {
                let last = model.lines[..model.done].iter().rev().find_map(|l| event(*l));
                let cursor = moved[Lane::Normal.index()].map(|c| c.event);
                prop_assert!(cursor.is_none() || cursor == last, "{cursor:?} {last:?}");
            }
            add(&mut sums, core.take_sums());
            // What left the window by this fact.
            let gone = match fact {
                Fact::Closed => lines.get(done..).unwrap_or_default(),
                Fact::Acknowledged(_) | Fact::Arrived => lines.get(done..model.done).unwrap_or_default(),
                _ => &[],
            };
            left += gone.len() as u64;
            beats_left += gone.iter().filter(|l| matches!(l, Line::Beat)).count() as u64;
            let done = (sums.sent + sums.notices) as u64 + sums.refused + sums.notices_refused;
            prop_assert_eq!(left + core.lost.entries + core.lost.notices, done);
            prop_assert_eq!(beats_left + core.lost.unqueued, sums.unqueued);
            prop_assert_eq!((core.lost.entries + core.lost.notices - core.lost.unqueued) as i64, sums.lost);
            let entries = |lines: &[Line]| lines.iter().filter(|l| matches!(l, Line::Entry(..))).count() as i64;
            let in_window = entries(&model.lines[model.done..]);
            // What is lost and not done is counted as refused and is in the window, or will be taken again.
            let twice = core.lost.entries as i64;
            prop_assert!(twice <= in_window_lost as i64);
            prop_assert_eq!(sums.refused, model.lost);
            prop_assert!(sums.sent >= 0 && sums.unconfirmed >= 0);
            prop_assert_eq!(
                model.taken as i64 + twice,
                sums.sent + sums.refused as i64 + in_window + sums.resent as i64 + sums.unconfirmed
            );
        }
    }

    /// Invariant 3: the time begins anew with whatever the receiver takes, and ends it exactly once it is over.
    #[test]
    fn a_receiver_is_given_up_when_it_took_nothing_for_its_time_and_never_before(
        looks in vec((1..20_u64, prop::bool::weighted(0.3)), 1..60)
    ) {
        let start = Instant::now();
        let mut core = core(RULES, Limits::default(), start);
        let (mut now, mut progress, mut since) = (0, 0, None);
        for (seconds, takes) in looks {
            now += seconds;
            progress += u64::from(takes);
            if takes || since.is_none() {
                since = Some(now);
            }
            let waited = now - since.unwrap_or(now);
            match core.wrote(at(start, now as f64), false, progress) {
                Stall::GiveUp(time) => {
                    prop_assert!(waited >= 60 && time.as_secs() == waited);
                    return Ok(());
                }
                Stall::Stalled { .. } => prop_assert!(waited < 60),
                Stall::Open { .. } => prop_assert!(false),
            }
            let due = core.session.stall_due(start + Duration::from_secs(now), RULES.stall_timeout);
            prop_assert!(due <= start + Duration::from_secs(since.unwrap_or(now) + 60));
        }
    }

    /// Invariant 2: however late lines are written, no second holds more of them than the limit.
    #[test]
    fn lines_keep_to_the_limit_at_the_time_of_their_write(late in vec(0..40_u64, 1..200)) {
        let start = Instant::now();
        let limits = Limits { events_per_second: Some(20.0), ..Limits::default() };
        let mut core = core(Rules { is_paced: true, is_limited: true, ..RULES }, limits, start);
        let (mut now, mut written) = (Duration::ZERO, Vec::new());
        for (n, late) in late.into_iter().enumerate() {
            let time = |now: Duration| at(start, now.as_secs_f64());
            for _ in 0..1_000 {
                if core.may_go(|| time(now), 100, false) == May::Go {
                    break;
                }
                now = core.session.paced.unwrap().saturating_duration_since(start).max(now + Duration::from_micros(1));
            }
            core.taken(|| time(now), Line::Entry(Lane::Normal, Cursor { batch: 1, event: n + 1 }), 100);
            now += Duration::from_millis(late);
            core.wrote(time(now), true, 0);
            written.push(now);
        }
        for (n, from) in written.iter().enumerate() {
            let within = written[n..].iter().take_while(|t| **t < *from + Duration::from_secs(1)).count();
            prop_assert!(within <= 20, "{within} from {from:?}");
        }
    }
}

#[test]
fn a_stall_is_told_once_and_its_end_too() {
    let start = Instant::now();
    let mut core = core(RULES, Limits::default(), start);
    let tells: Vec<Stall> = [0.0, 4.9, 5.1, 8.0].map(|t| core.wrote(at(start, t), false, 7)).to_vec();
    let [no, yes] = [false, true].map(|tell| Stall::Stalled { tell });
    assert_eq!(tells, [no, no, yes, no]);
    assert_eq!(core.wrote(at(start, 9.0), true, 8), Stall::Open { again: true });
    assert_eq!(core.wrote(at(start, 10.0), true, 9), Stall::Open { again: false });
    // One that is over before the log knows of it is not told at all.
    assert_eq!(core.wrote(at(start, 11.0), false, 9), no);
    assert_eq!(core.wrote(at(start, 12.0), true, 9), Stall::Open { again: false });
}

#[test]
fn a_spent_day_holds_back_what_is_not_exempt_until_the_next_one() {
    let start = Instant::now();
    let limits = Limits { bytes_per_day: Some(1_000), zone: Tz::UTC, ..Limits::default() };
    let mut core = core(Rules { is_limited: true, ..RULES }, limits, start);
    let line = |event| Line::Entry(Lane::Normal, Cursor { batch: 1, event });
    assert_eq!(core.may_go(|| at(start, 1.0), 900, false), May::Go);
    core.taken(|| at(start, 1.0), line(1), 900);
    let midnight = 86_400_000_000;
    assert_eq!(core.may_go(|| at(start, 2.0), 200, false), May::OverBudget { until: midnight, newly: true });
    assert_eq!(core.may_go(|| at(start, 3.0), 200, false), May::OverBudget { until: midnight, newly: false });
    assert_eq!(core.may_go(|| at(start, 3.0), 200, true), May::Go);
    assert!(core.is_over_budget() && !core.is_new_day(at(start, 86_399.0)));
    assert!(core.is_new_day(at(start, 86_400.0)) && !core.is_over_budget());
}

#[test]
fn a_heartbeat_waits_a_second_at_most_for_the_limits() {
    let start = Instant::now();
    let limits = Limits { events_per_second: Some(0.01), ..Limits::default() };
    let mut core = core(Rules { is_paced: true, is_limited: true, ..RULES }, limits, start);
    assert_eq!(core.may_beat(at(start, 0.0), 100), MayBeat::Go);
    core.taken(|| at(start, 0.0), Line::Beat, 100);
    core.written(at(start, 0.0));
    assert_eq!(core.may_beat(at(start, 1.0), 100), MayBeat::GoUnmetered);
    core.taken_unmetered(at(start, 1.0), 100);
    assert_eq!(core.may_beat(at(start, 99.5), 100), MayBeat::Later);
    assert_eq!(core.session.paced, Some(start + Duration::from_secs(100)));
}

#[test]
fn nothing_is_due_where_nothing_is_to_be_done_and_never_at_once() {
    let start = Instant::now();
    let session = Session::new(start);
    assert_eq!(session.due(start, [None, None], false), None);
    assert_eq!(session.due(start, [Some(Duration::from_secs(3)), None], false), Some(start + Duration::from_secs(3)));
    assert_eq!(session.due(start, [None], true), Some(start + Duration::from_millis(100)));
    // What is due already is asked for again behind a moment.
    assert_eq!(session.due(start, [Some(Duration::ZERO)], true), Some(start + Duration::from_micros(50)));
}
