//! Spool, lanes and windows as one machine: any operations in any order, against a model that is a page long.
//!
//! Two sources append, two outputs read by lanes and hand lines to receivers of their own. The clock is the peers', the disk is
//! a folder: a kill leaves what is committed, and at times one bit of a database is another before it is opened again.
//! 64 cases; QAUDJRN_MODEL gives another number, QAUDJRN_FAULTS=all 1,000.
mod ledger;
mod peer;
mod world;

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};

use self::{
    ledger::{Ledger, OUTPUTS},
    peer::Peer,
    world::World,
};
pub(super) use self::{
    ledger::{What, lane_of},
    world::{COMMON, batch, folder, notice, record},
};
use super::{
    Setup, Shared, TaskContext, fingerprint,
    lanes::{Lanes, Next},
};
use crate::{
    output::resend_window::{Count, Moved, ResendWindow},
    spool::{Lane, Spool, Start},
};

/// What says which lane an event is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    /// Which types go first.
    pub first: u8,
    /// Whether there is a daily budget, that only AF passes.
    pub budget: bool,
}

impl Variant {
    pub fn first(self) -> &'static [&'static str] {
        [&["PW", "AF"][..], &[], &["ZR"]][usize::from(self.first) % 3]
    }

    pub fn toml(self) -> String {
        let budget = "meter.bytes_per_day = \"10GB\"\nmeter.pass_types = [\"AF\"]\n";
        format!("priority_types = {:?}\n{}", self.first(), if self.budget { budget } else { "" })
    }
}

/// What happens. Numbers of outputs and sources are 0 and 1.
#[derive(Clone, Debug)]
enum Op {
    Append(usize, Vec<What>),
    /// The agent itself has something to say.
    Say,
    /// Lines are handed over, at most so many; with `spent` the budget of the day is.
    Send {
        output: usize,
        lines: u8,
        spent: bool,
    },
    /// Time goes on, while a receiver reads or not, and can be reached or not. The last `rest` answers are late.
    Time {
        output: usize,
        looks: u8,
        up: bool,
        reads: bool,
        rest: usize,
    },
    /// Lanes with nothing on the way stand where they read.
    Rest(usize),
    Fail(usize),
    Finish(usize),
    Sync,
    Configure(usize, Variant, bool),
    /// `hard`: what SQLite does when it closes is not done either. `flip`: a bit of the database.
    Kill {
        hard: bool,
        flip: Option<u32>,
    },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let what = prop_oneof![
        4 => prop::sample::select(vec!["PW", "AF", "ZR", "CD"]).prop_map(What::Entry),
        1 => Just(What::Notice)
    ];
    let variant = (0..3_u8, any::<bool>()).prop_map(|(first, budget)| Variant { first, budget });
    let output = || 0..2_usize;
    let time = (output(), 1..30_u8, prop::bool::weighted(0.8), any::<bool>(), 0..3_usize);
    let op = prop_oneof![
        16 => (0..2_usize, vec(what, 0..6)).prop_map(|(s, e)| Op::Append(s, e)),
        1 => Just(Op::Say),
        18 => (output(), 1..12_u8, any::<bool>()).prop_map(|(output, lines, spent)| Op::Send { output, lines, spent }),
        12 => time.prop_map(|(output, looks, up, reads, rest)| Op::Time { output, looks, up, reads, rest }),
        6 => output().prop_map(Op::Rest),
        4 => output().prop_map(Op::Fail),
        3 => output().prop_map(Op::Finish),
        5 => Just(Op::Sync),
        2 => (output(), variant, any::<bool>()).prop_map(|(o, v, end)| Op::Configure(o, v, end)),
        2 => (any::<bool>(), prop::option::weighted(0.15, any::<u32>())).prop_map(|(hard, flip)| Op::Kill { hard, flip }),
    ];
    vec(op, 1..120)
}

/// Which event a line is of.
fn event_of(line: &[u8]) -> ledger::Event {
    let line: serde_json::Value = serde_json::from_slice(line).unwrap();
    let sequence = line["sequence"].as_str().and_then(|s| s.parse().ok());
    let found = sequence.or_else(|| line["system"].as_str()?.strip_prefix('n')?.parse().ok());
    assert!(found.is_some() || line.to_string().contains("missing"), "{line}");
    found
}

/// One output under one configuration.
struct ModelOutput<'a> {
    output: usize,
    variant: Variant,
    context: &'a TaskContext,
    lanes: Lanes<'a>,
    window: ResendWindow,
    peer: Peer,
}

impl<'a> ModelOutput<'a> {
    fn new(output: usize, variant: Variant, context: &'a TaskContext) -> ModelOutput<'a> {
        let lanes = Lanes::new(&context.setup.config.outputs[output], context);
        ModelOutput { output, variant, context, lanes, window: ResendWindow::default(), peer: Peer::new(output == 0) }
    }

    fn spool(&self) -> &'a Spool {
        &self.context.shared.spool
    }

    /// Hands a line over. `false` when there is none.
    fn send(&mut self, spent: bool, ledger: &mut Ledger) -> bool {
        let next = match self.lanes.next_here(spent && self.variant.budget) {
            Ok(next) => next,
            Err(e) => {
                assert!(ledger.flipped, "{e}");
                self.fail();
                return true;
            }
        };
        let lane = match next {
            Next::Event(lane) => lane,
            Next::Later | Next::Unread(_) => return true,
            Next::Nothing => return false,
        };
        assert!(!spent || !self.variant.budget || lane.is_exempt(), "{lane:?} goes though the budget is spent");
        let at = self.lanes.position(lane);
        let mut line = Vec::new();
        let next = self.lanes.encode(lane, &mut line).unwrap();
        let event = event_of(&line);
        ledger.goes(self.output, self.variant, event, (lane, at));
        self.window.push(self.lanes.line(lane, next), line.len() as u64);
        self.peer.write(event, line.len() as u64);
        self.lanes.advance(lane, next);
        assert!(self.lanes.position(lane) > at, "{lane:?} does not go on behind {at:?}");
        true
    }

    fn settle(&mut self, moved: Moved, ledger: &mut Ledger) {
        let Count { entries, notices, .. } = self.window.take_done();
        self.window.take_passed().into_iter().for_each(|(batch, events)| self.lanes.delivered(batch, events));
        let gone = self.peer.leave(usize::try_from(entries + notices).unwrap());
        ledger.left(self.output, gone);
        for (lane, cursor) in Lane::ALL.into_iter().zip(moved) {
            cursor.into_iter().for_each(|c| self.spool().advance(OUTPUTS[self.output], lane, c));
        }
        self.lanes.take_nowhere();
    }

    fn rest(&mut self) {
        for lane in Lane::ALL.into_iter().filter(|l| self.window.is_clear(*l)) {
            self.spool().advance(OUTPUTS[self.output], lane, self.lanes.position(lane));
        }
    }

    fn fail(&mut self) {
        let Count { entries, notices, .. } = self.window.fail();
        assert_eq!(entries + notices, self.peer.waiting() as u64);
        self.peer = Peer::new(!self.peer.answers());
        self.lanes.rewind();
    }

    /// The receiver closes behind all it was sent.
    fn finish(&mut self, ledger: &mut Ledger) {
        let read = self.peer.finish();
        ledger.read(self.output, read);
        let moved = self.window.all();
        self.settle(moved, ledger);
        self.rest();
        self.fail();
    }
}

/// What ended a run of operations under one configuration.
enum End {
    Over,
    Configured(usize, Variant),
    Killed(bool, Option<u32>),
}

/// Runs operations until the end, another configuration, or a kill.
fn run(world: &mut World, outputs: &mut [ModelOutput<'_>; 2], ops: &mut dyn Iterator<Item = Op>) -> End {
    let spool = outputs[0].spool();
    for op in ops {
        match op {
            Op::Append(source, events) => world.append(spool, source, &events),
            Op::Say => {
                let n = world.event(What::Notice);
                let id = spool.notify("", &[notice(n)]).unwrap();
                world.ledger.appended(id, &[n], spool);
            }
            Op::Send { output, lines, spent } => {
                (0..lines).take_while(|_| outputs[output].send(spent, &mut world.ledger)).count();
            }
            Op::Time { output, looks, up, reads, rest } => {
                let ModelOutput { peer, window, .. } = &mut outputs[output];
                let (moved, read) = peer.step(looks, up, reads, window, rest);
                world.ledger.read(output, read);
                outputs[output].settle(moved, &mut world.ledger);
            }
            Op::Rest(output) => outputs[output].rest(),
            Op::Fail(output) => outputs[output].fail(),
            Op::Finish(output) => outputs[output].finish(&mut world.ledger),
            Op::Sync => {
                spool.sync().unwrap();
                world.ledger.committed(spool);
                world.ledger.check_deleted(spool);
            }
            Op::Configure(output, variant, in_good_order) => {
                if in_good_order {
                    outputs[output].finish(&mut world.ledger);
                }
                return End::Configured(output, variant);
            }
            Op::Kill { hard, flip } => return End::Killed(hard, flip),
        }
        for w in &*outputs {
            world.ledger.check_cursors(w.output, w.variant, spool);
        }
    }
    drain(world, outputs);
    End::Over
}

/// Everything is read, sent, delivered and deleted.
fn drain(world: &mut World, outputs: &mut [ModelOutput<'_>; 2]) {
    let spool = outputs[0].spool();
    (0..2).for_each(|source| world.append(spool, source, &[]));
    for w in outputs.iter_mut() {
        let mut steps = 0;
        while w.send(false, &mut world.ledger) {
            steps += 1;
            assert!(steps < 100_000, "{} has no end", OUTPUTS[w.output]);
        }
        w.finish(&mut world.ledger);
        assert!(w.lanes.is_at_end());
    }
    spool.sync().unwrap();
    world.ledger.check_deleted(spool);
    world.ledger.check_end();
    assert_eq!(spool.status().batches, 0);
}

/// Makes the outputs known, as the supervisor does.
fn register(world: &mut World, shared: &Shared, setup: &Setup) {
    for (n, config) in setup.config.outputs.iter().enumerate() {
        shared.spool.register(&config.name, Start::Oldest, &fingerprint::lanes(config, setup, &COMMON.catalog));
        world.ledger.registered(n, world.variants[n], &shared.spool);
    }
}

fn case(ops: Vec<Op>, cache: bool) {
    let mut ops = ops.into_iter();
    let mut world = World::new(if cache { 20_000 } else { 0 });
    loop {
        let (handle, _) = super::control();
        let spool = world.open();
        let shared = Arc::new(Shared::new(COMMON.catalog.clone(), COMMON.profile.clone(), spool, handle));
        let (hard, flip) = loop {
            let setup = COMMON.setup(world.variants);
            register(&mut world, &shared, &setup);
            let context = TaskContext::new(shared.clone(), setup, super::tasks::Kind::Output);
            let variants = world.variants;
            let mut outputs = [0, 1].map(|n| ModelOutput::new(n, variants[n], &context));
            match run(&mut world, &mut outputs, &mut ops) {
                End::Over => return,
                End::Configured(output, variant) => world.variants[output] = variant,
                End::Killed(hard, flip) => break (hard, flip),
            }
        };
        world.kill(shared, hard, flip);
    }
}

/// How many cases; fewer under emulation (tests/tools/big_endian.sh).
fn cases() -> u32 {
    let all = std::env::var("QAUDJRN_FAULTS").is_ok_and(|v| v == "all");
    let usual = if cfg!(target_endian = "big") { 6 } else { 64 };
    let wished = std::env::var("QAUDJRN_MODEL").ok().and_then(|n| n.parse().ok());
    wished.unwrap_or(if all { 1_000 } else { usual })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    /// Nothing is lost without a word, nothing is deleted or passed unread, nothing comes twice without a reason.
    #[test]
    fn spool_lanes_and_windows_lose_nothing_whatever_comes_in_which_order(ops in ops(), cache: bool) {
        case(ops, cache);
    }
}
