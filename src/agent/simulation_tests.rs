//! The output task as it is, over a spool as it is, against receivers of a simulated network: a seed decides what the output is told
//! to do, what the receivers are like, and which faults come when. Time is simulated, so minutes take milliseconds.
//!
//! What must hold, whatever comes: no cursor goes past an event that no receiver took; everything arrives, in the order of its
//! lane; what comes twice was in a window when a connection ended, or was passed since cursors were last written when the agent
//! was killed; the sums hold; and the task ends when it is to.
//!
//! 200 seeds; QAUDJRN_SEEDS gives another number, QAUDJRN_SEED=n runs that one and says what the agent logs.
mod ledger;
mod network;
mod plan;
mod receiver;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use tokio::runtime::Builder;
use turmoil_net::Net;

use self::{
    network::AGENT,
    plan::{Fault, Plan},
    world::World,
};
use super::model_tests::Variant;
use crate::net::sys;

/// Numbers that a seed decides (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let a = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let b = (a ^ a >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        b ^ b >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// With a probability of one to `n`; never for 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    /// Another sequence.
    pub fn split(&mut self) -> Random {
        Random(self.next())
    }
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    events: u64,
    again: u64,
    reconnects: u64,
    starts: u64,
    seconds: u64,
    trace: u64,
}

/// The run of a seed.
fn simulate(seed: u64) -> Outcome {
    let mut random = Random(seed);
    let plan = Plan::new(&mut random);
    run(plan, random)
}

fn run(plan: Plan, mut random: Random) -> Outcome {
    let mut net = Net::with_config(plan.system());
    let agent = net.add_host(AGENT);
    let hosts = [0, 1].map(|n| net.add_host(network::receiver(n)));
    // Dropped last: sockets are closed in it.
    let guard = net.enter();
    let _settled = sys::simulated::settle_on(agent, random.next());
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new(plan, random, hosts).run(&guard).await })
}

/// Many runs, on as many threads as there are cores. Gives their sum, and the first that failed.
fn simulate_all(seeds: std::ops::Range<u64>) -> Outcome {
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX));
    let work = || {
        let mut sum = Outcome::default();
        while let seed = next.fetch_add(1, Ordering::SeqCst)
            && seed < seeds.end
            && failed.load(Ordering::SeqCst) == u64::MAX
        {
            match catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
                Ok(o) => {
                    sum.events += o.events;
                    sum.again += o.again;
                    sum.reconnects += o.reconnects;
                    sum.starts += o.starts;
                    sum.seconds += o.seconds;
                }
                Err(_) => _ = failed.fetch_min(seed, Ordering::SeqCst),
            }
        }
        sum
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all = Outcome::default();
    thread::scope(|s| {
        let workers: Vec<_> = (0..threads).map(|_| s.spawn(work)).collect();
        for sum in workers.into_iter().map(|w| w.join().unwrap()) {
            all.events += sum.events;
            all.again += sum.again;
            all.reconnects += sum.reconnects;
            all.starts += sum.starts;
            all.seconds += sum.seconds;
        }
    });
    let failed = failed.into_inner();
    assert!(
        failed == u64::MAX,
        "seed {failed} failed: QAUDJRN_SEED={failed} cargo test --profile ci --lib simulation_tests -- --nocapture"
    );
    all
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[cfg_attr(target_endian = "big", ignore = "under qemu a seed takes seconds")]
#[test]
fn whatever_the_network_does_nothing_is_lost_and_lanes_keep_their_order() {
    if let Some(seed) = number("QAUDJRN_SEED") {
        crate::log::start(crate::log::Options::default());
        println!("{:#?}", Plan::new(&mut Random(seed)));
        println!("{:?}", simulate(seed));
        return;
    }
    let seeds = number("QAUDJRN_SEEDS").unwrap_or(200);
    let began = std::time::Instant::now();
    let all = simulate_all(0..seeds);
    println!("{seeds} seeds in {:.1} s: {all:?}", began.elapsed().as_secs_f64());
    // They are no quiet ones.
    assert!(all.reconnects > seeds && all.again > seeds && all.starts > seeds, "{all:?}");
}

/// Found by a seed: the end of a program that went on its way before ours passed for the answer to it, and what was on the way for read.
#[test]
fn a_receiver_that_ends_while_lines_are_on_the_way_to_it_has_not_read_them() {
    let millis = Duration::from_millis;
    let faults = vec![(millis(4_950), Fault::End(0, millis(1_000))), (millis(5_050), Fault::Restart)];
    let outcome = run(Plan::plain(faults, vec![(millis(1_000), 3), (millis(5_000), 10)]), Random(1));
    assert!(outcome.starts == 2 && outcome.events == 16, "{outcome:?}");
}

/// Whoever looks for a mistake needs the same run again.
#[cfg_attr(target_endian = "big", ignore = "under qemu a seed takes seconds")]
#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..5 {
        assert_eq!(simulate(seed), simulate(seed), "seed {seed}");
    }
}
