//! Lanes without a spool: any log, read in any order, against lists of what each lane has to give.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    agent::classified::Disposition,
    spool::{Batch, BatchHeader},
};

/// A batch: what becomes of its events, and whether it stands in the place of others.
#[derive(Clone, Debug)]
struct Spec {
    dispositions: Vec<Disposition>,
    since: Option<i64>,
}

type Log = BTreeMap<i64, Spec>;

/// Bytes of an event without any of its own.
const EMPTY: usize = 14;

fn classified(id: i64, spec: &Spec, notices: Lane) -> Arc<ClassifiedBatch> {
    let header = BatchHeader { since: spec.since, ..BatchHeader::default() };
    let batch = Batch::plain(id, header, vec![0; EMPTY * spec.dispositions.len()]).unwrap();
    let mut classified = ClassifiedBatch::new(Arc::new(batch), notices);
    for disposition in &spec.dispositions {
        classified.add(match disposition {
            // Only the notices of a batch that tells of a loss go where it is said.
            Disposition::Sent(..) if spec.since.is_some() => Ok(Disposition::Sent(notices, 0)),
            disposition => Ok(*disposition),
        });
    }
    Arc::new(classified)
}

/// What goes in a lane, of lanes that are there.
fn sent(lane: Lane) -> Disposition {
    Disposition::Sent(lane, 0)
}

#[derive(Clone, Debug)]
enum Op {
    Append(Vec<Disposition>),
    /// The numbers of some batches are not there: what is said of it is.
    Lose(i64),
    Next {
        spent: bool,
        events: usize,
    },
    Acknowledge(usize, usize),
    Rest,
    Rewind,
    Count,
    Restart,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let disposition = prop_oneof![
        6 => (0..Lane::COUNT).prop_map(|n| sent(Lane::ALL[n])),
        2 => Just(Disposition::Filtered),
        1 => Just(Disposition::Unreadable),
    ];
    // Long stretches of one kind too.
    let dispositions = prop_oneof![
        vec(disposition.clone(), 0..5),
        (disposition, 0..5_usize).prop_map(|(disposition, n)| vec![disposition; n])
    ];
    let op = prop_oneof![
        8 => dispositions.prop_map(Op::Append),
        1 => (0..3_i64).prop_map(Op::Lose),
        8 => (any::<bool>(), 1..6_usize).prop_map(|(spent, events)| Op::Next { spent, events }),
        6 => (0..Lane::COUNT, 1..6_usize).prop_map(|(lane, n)| Op::Acknowledge(lane, n)),
        3 => Just(Op::Rest),
        1 => Just(Op::Rewind),
        3 => Just(Op::Count),
        1 => Just(Op::Restart),
    ];
    vec(op, 1..120)
}

/// The lanes, and what is known of them otherwise.
struct World {
    there: [bool; Lane::COUNT],
    core: LaneCore,
    log: Log,
    /// The number of the last batch.
    last: i64,
    acknowledged: [Cursor; Lane::COUNT],
    /// Where each lane is to read on.
    at: [Cursor; Lane::COUNT],
    /// Handed over and not acknowledged.
    on_the_way: [VecDeque<Cursor>; Lane::COUNT],
    /// What goes nowhere and was counted.
    nowhere: [u64; 2],
    /// By batch, as the core says, and as it was.
    delivered: (BTreeMap<i64, u64>, BTreeMap<i64, u64>),
    seen: BTreeSet<i64>,
}

impl World {
    fn new(there: [bool; Lane::COUNT]) -> World {
        let places = [Cursor { batch: 1, event: 0 }; Lane::COUNT];
        World {
            there,
            core: LaneCore::new(there, World::notices(there), places),
            log: Log::new(),
            last: 0,
            acknowledged: places,
            at: places,
            on_the_way: Default::default(),
            nowhere: [0; 2],
            delivered: Default::default(),
            seen: BTreeSet::new(),
        }
    }

    fn notices(there: [bool; Lane::COUNT]) -> Lane {
        Lane::of(there[Lane::Priority.index()], false)
    }

    fn append(&mut self, mut dispositions: Vec<Disposition>, lost: i64) {
        // Nothing is in a lane that no event can be in.
        dispositions.iter_mut().for_each(|f| {
            if matches!(f, Disposition::Sent(lane, _) if !self.there[lane.index()]) {
                *f = sent(Lane::Normal);
            }
        });
        let first = self.last + 1;
        self.last = first + lost;
        let since = (lost > 0).then_some(first);
        if since.is_some() {
            dispositions = vec![sent(World::notices(self.there))];
        }
        self.log.insert(self.last, Spec { dispositions, since });
    }

    /// The events of a lane from a place on.
    fn events(&self, lane: Lane, from: Cursor) -> impl Iterator<Item = Cursor> {
        let dispositions = self
            .log
            .range(from.batch..)
            .flat_map(|(id, spec)| spec.dispositions.iter().enumerate().map(move |f| (id, f)));
        let of = dispositions
            .filter(move |(_, (_, disposition))| matches!(disposition, Disposition::Sent(l, _) if *l == lane));
        of.map(|(id, (event, _))| Cursor { batch: *id, event }).filter(move |c| *c >= from)
    }

    fn search(&mut self, mut search: Search) -> Wish {
        let (mut last, mut unseen) = (self.last, 0);
        loop {
            let wish = self.core.next(&mut search, last);
            let Wish::Read(from, lane) = wish else {
                assert!(unseen <= 2 * AHEAD, "{unseen} batches in one search");
                return wish;
            };
            let Some((id, spec)) = self.log.range(from..).next() else {
                last = from - 1;
                continue;
            };
            if *id > from && self.core.leap(lane, *id) {
                continue;
            }
            unseen += usize::from(self.seen.insert(*id));
            let notices = self.core.lane_of_notices(*id, spec.since.is_some(), lane);
            self.core.take(lane, &classified(*id, spec, notices));
        }
    }

    /// Hands the next event over. `false` where there is none.
    fn next(&mut self, spent: bool) -> bool {
        let lane = match self.search(self.core.search(spent)) {
            Wish::Event(lane) => lane,
            Wish::Later => return true,
            Wish::Nothing => {
                for lane in Lane::ALL.into_iter().filter(|l| !spent || l.is_exempt()) {
                    assert_eq!(self.events(lane, self.at[lane.index()]).next(), None, "{lane:?}");
                }
                return false;
            }
            Wish::Read(..) => unreachable!(),
        };
        assert!(!spent || lane.is_exempt());
        let (batch, n) = self.core.next_event(lane).unwrap();
        let found = Cursor { batch: batch.batch.id, event: n };
        let expected = self.events(lane, self.at[lane.index()]).next();
        assert_eq!(Some(found), expected, "{lane:?} from {:?}", self.at[lane.index()]);
        let next = Cursor { event: n + 1, ..found };
        self.core.advance(lane, next);
        self.at[lane.index()] = next;
        self.on_the_way[lane.index()].push_back(next);
        true
    }

    fn acknowledge(&mut self, lane: usize, events: usize) {
        for _ in 0..events {
            let Some(next) = self.on_the_way[lane].pop_front() else { return };
            self.acknowledged[lane] = next;
            self.core.delivered(next.batch, 1);
            *self.delivered.1.entry(next.batch).or_default() += 1;
        }
    }

    fn slowest(&self) -> Cursor {
        self.acknowledged.into_iter().zip(self.there).filter(|(_, t)| *t).map(|(c, _)| c).min().unwrap()
    }

    fn rest(&mut self) {
        for lane in Lane::ALL {
            if self.on_the_way[lane.index()].is_empty() {
                let to = self.core.position(lane);
                self.acknowledged[lane.index()] = self.acknowledged[lane.index()].max(to);
            }
        }
    }

    fn rewind(&mut self) {
        // Who stands behind what is told of a loss, in its batch, is told once more: see the other test.
        for at in &mut self.acknowledged {
            if at.event > 0 && self.log.get(&at.batch).is_some_and(|spec| spec.since.is_some()) {
                *at = Cursor { batch: at.batch + 1, event: 0 };
            }
        }
        self.core.rewind(self.acknowledged);
        self.at = self.acknowledged;
        self.on_the_way = Default::default();
    }

    /// What goes nowhere before a place.
    fn nowhere_before(&self, to: Cursor) -> [u64; 2] {
        let mut sum = [0; 2];
        for (id, spec) in self.log.range(..=to.batch) {
            let events = if *id == to.batch { to.event } else { spec.dispositions.len() };
            for disposition in spec.dispositions.iter().take(events) {
                sum[0] += u64::from(*disposition == Disposition::Filtered);
                sum[1] += u64::from(*disposition == Disposition::Unreadable);
            }
        }
        sum
    }

    fn count(&mut self, within: bool) {
        let to = self.slowest();
        let add = |sum: &mut [u64; 2], more: [u64; 2]| sum.iter_mut().zip(more).for_each(|(s, m)| *s += m);
        add(&mut self.nowhere, self.core.take_nowhere(to));
        if within && self.core.is_partly_counted(to) {
            let classified = classified(to.batch, &self.log[&to.batch], World::notices(self.there));
            add(&mut self.nowhere, self.core.take_nowhere_within(&classified, to));
        }
        let counted = if within { to } else { Cursor { event: 0, ..to } };
        let least = self.nowhere_before(counted);
        assert!(self.nowhere.iter().zip(least).all(|(n, least)| *n >= least), "{:?} before {counted:?}", self.nowhere);
        if within {
            assert_eq!(self.nowhere, self.nowhere_before(to), "{to:?}");
        }
        self.check_delivered(to);
    }

    /// What waits is what is not delivered and not counted: the sums balance.
    fn check_delivered(&mut self, to: Cursor) {
        self.delivered.0.extend(self.core.take_delivered().into_iter().map(|d| (d.batch, d.events)));
        let all = |log: &Log, from: i64| -> u64 { log.range(from..).map(|(_, s)| s.dispositions.len() as u64).sum() };
        let said: u64 = self.delivered.0.range(to.batch..).map(|(_, n)| n).sum();
        let done: u64 = self.delivered.1.values().sum();
        let waiting = all(&self.log, to.batch) - said;
        // A batch that nobody has looked through since the restart is taken for one that waits.
        let unseen = self.log.range(to.batch..).any(|(id, _)| !self.seen.contains(id));
        let sum = done + self.nowhere.iter().sum::<u64>() + waiting;
        assert!(sum == all(&self.log, 0) || unseen && sum > all(&self.log, 0), "{done} {:?} {waiting}", self.nowhere);
    }

    fn restart(&mut self) {
        // What is told of a loss is told once more to a lane that comes to it behind that of notices: see the other test.
        let behind = self.slowest().batch..=self.acknowledged[World::notices(self.there).index()].batch;
        if !behind.is_empty() && self.log.range(behind).any(|(_, spec)| spec.since.is_some()) {
            return;
        }
        self.count(true);
        self.core = LaneCore::new(self.there, World::notices(self.there), self.acknowledged);
        self.delivered.0.clear();
        self.seen.clear();
        self.rewind();
    }
}

proptest! {
    /// Each lane gives its events in the order of the log, each once between two rewinds, none is passed over, no search is long, what
    /// goes nowhere is counted once, and at any moment what was read is delivered, counted or waits.
    #[test]
    fn lanes_give_all_their_events_in_order_whatever_comes_when(first: bool, budget: bool, ops in ops()) {
        let mut world = World::new([first, first && budget, true, budget]);
        for op in ops {
            match op {
                Op::Append(dispositions) => world.append(dispositions, 0),
                Op::Lose(lost) => world.append(Vec::new(), lost),
                Op::Next { spent, events } => _ = (0..events).take_while(|_| world.next(spent && budget)).count(),
                Op::Acknowledge(lane, events) => world.acknowledge(lane, events),
                Op::Rest => world.rest(),
                Op::Rewind => world.rewind(),
                Op::Count => world.count(false),
                Op::Restart => world.restart(),
            }
        }
        while world.next(false) {}
        (0..Lane::COUNT).for_each(|lane| world.acknowledge(lane, usize::MAX));
        world.rest();
        world.count(true);
        let events = |lane: Lane| world.events(lane, Cursor::default()).count() as u64;
        let delivered: u64 = world.delivered.1.values().sum();
        prop_assert_eq!(delivered, Lane::ALL.into_iter().map(events).sum::<u64>());
        prop_assert!(world.slowest().batch > world.last);
    }

    /// Whoever stands within a batch that turns out to be damaged, or before it, is told of it: each lane at most once, and at least one.
    #[test]
    fn a7_what_is_told_in_the_place_of_a_batch_is_told_wherever_lanes_stood_in_it(
        places in [(1..4_i64, 0..7_usize), (1..4, 0..7), (1..4, 0..7), (1..4, 0..7)],
        first: bool,
        budget: bool,
    ) {
        let there = [first, first && budget, true, budget];
        let notices = World::notices(there);
        let places = places.map(|(batch, event)| Cursor { batch, event: if batch == 2 { event } else { 0 } });
        let log: Log = [
            (1, Spec { dispositions: vec![Disposition::Filtered; 2], since: None }),
            (2, Spec { dispositions: vec![sent(notices)], since: Some(2) }),
            (3, Spec { dispositions: vec![Disposition::Filtered; 2], since: None }),
        ].into();
        let mut core = LaneCore::new(there, notices, places);
        let mut told = Vec::new();
        let mut last = 3;
        let mut search = core.search(false);
        loop {
            match core.next(&mut search, last) {
                Wish::Read(from, lane) => match log.range(from..).next() {
                    Some((id, spec)) => {
                        let notices = core.lane_of_notices(*id, spec.since.is_some(), lane);
                        core.take(lane, &classified(*id, spec, notices));
                    }
                    None => last = from - 1,
                },
                Wish::Event(lane) => {
                    let (classified, n) = core.next_event(lane).unwrap();
                    prop_assert_eq!((classified.batch.id, n), (2, 0));
                    told.push(lane);
                    core.advance(lane, Cursor { batch: 2, event: 1 });
                    search = core.search(false);
                }
                Wish::Later => search = core.search(false),
                Wish::Nothing => break,
            }
        }
        let stood = Lane::ALL.into_iter().filter(|l| there[l.index()] && places[l.index()].batch <= 2).count();
        prop_assert!(told.len() <= stood && (stood == 0 || !told.is_empty()), "{told:?} of {places:?}");
    }
}
