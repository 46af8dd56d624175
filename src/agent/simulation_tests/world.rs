//! A run: time goes on, things happen, and after each step it is looked at what must hold.
use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};
use turmoil_net::{EnterGuard, HostId};

use super::{
    super::{
        Setup, Shared, TaskContext, control, fingerprint,
        model_tests::{COMMON, What, batch, folder},
        output_task,
        stats::OutputStats,
        tasks::Kind,
        totals::OutputTotals,
    },
    Outcome, Random,
    ledger::{Ledger, OUTPUT, cursors},
    network::{self, Network, TICK},
    plan::{Fault, Plan},
    receiver::{self, Mood, PORT},
};
use crate::{
    config::{Config, model::model_options},
    digest::Hash,
    net::sys::simulated::on,
    spool::{Cursor, Lane, Spool, SpoolOptions, Start},
};

/// Whatever the faults were, everything is delivered so long after them.
const PATIENCE: Duration = Duration::from_secs(900);
/// How much longer than `stop_timeout` the end may take.
const GRACE: Duration = Duration::from_secs(5);

/// The agent from a start to its end.
struct Agent {
    shared: Arc<Shared>,
    context: Arc<TaskContext>,
    stats: Arc<OutputStats>,
    task: JoinHandle<()>,
    /// Where cursors were at the start.
    from: BTreeMap<Lane, Cursor>,
    /// Entries sent again, and entries left by connections, as they were last looked at.
    seen: (u64, u64),
}

/// See the module.
pub struct World {
    plan: Plan,
    faults: VecDeque<(Duration, Fault)>,
    batches: VecDeque<(Duration, u64)>,
    /// When cursors are written next.
    sync: Duration,
    /// Until when the spool is full.
    empty: Duration,
    random: Random,
    network: Network,
    moods: Vec<Arc<Mood>>,
    receivers: Vec<JoinHandle<()>>,
    ledger: Arc<Mutex<Ledger>>,
    setup: Arc<Setup>,
    state: TempDir,
    source: (usize, Hash),
    /// When receivers that are gone come back.
    back: BTreeMap<u8, Duration>,
    outcome: Outcome,
    /// Entries that may come again because the agent was killed.
    excused: u64,
    resent: u64,
}

impl World {
    pub fn new(plan: Plan, mut random: Random, hosts: [HostId; 2]) -> World {
        let ledger = Arc::new(Mutex::new(Ledger::new(plan.variant)));
        let network = Network::new(plan.latency, random.split());
        let moods: Vec<Arc<Mood>> = hosts.iter().map(|_| Arc::default()).collect();
        let start = |(n, host): (usize, HostId)| {
            let address = SocketAddr::new(ip(n as u8), PORT);
            moods[n].start();
            let (mood, ledger, manner) = (moods[n].clone(), ledger.clone(), plan.manner.clone());
            tokio::spawn(on(host, receiver::run(host, address, manner, mood, ledger, random.split())))
        };
        let receivers = hosts.into_iter().enumerate().map(start).collect();
        let config = Config::parse(&plan.toml(), "agent.toml", std::path::Path::new("/"), &COMMON.catalog);
        let config = config.into_valid(false).unwrap();
        let setup = Arc::new(Setup::new(model_options(&COMMON.profile, &config, false), config));
        World {
            faults: plan.faults.clone().into(),
            batches: plan.batches.clone().into(),
            sync: plan.sync,
            empty: Duration::ZERO,
            plan,
            random,
            network,
            moods,
            receivers,
            ledger,
            setup,
            state: folder(),
            source: Default::default(),
            back: BTreeMap::new(),
            outcome: Outcome::default(),
            excused: 0,
            resent: 0,
        }
    }

    pub async fn run(mut self, guard: &EnterGuard) -> Outcome {
        let mut agent = self.start();
        while self.network.now < self.plan.end {
            self.step(guard, &mut agent).await;
            let is_full = agent.shared.spool.is_full();
            while let Some((_, events)) = self.batches.pop_front_if(|(at, _)| !is_full && *at <= self.network.now) {
                self.store(&agent.shared.spool, events);
            }
            agent = match self.due() {
                Some(Fault::Restart) => self.restart(guard, agent).await,
                Some(Fault::Kill) => self.kill(agent).await,
                Some(what) => {
                    self.happens(what, guard, &agent);
                    agent
                }
                None => agent,
            };
        }
        self.drain(guard, agent).await
    }

    /// The agent starts, with the state that there is.
    fn start(&mut self) -> Agent {
        let (handle, _) = control();
        let options = SpoolOptions { cache: 20_000, ..SpoolOptions::new(self.state.path().to_owned()) };
        let (spool, notes) = Spool::open(options).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        let config = &self.setup.config.outputs[0];
        spool.register(OUTPUT, Start::Oldest, &fingerprint::lanes(config, &self.setup, &COMMON.catalog));
        self.ledger.lock().unwrap().reopened(&spool);
        let shared = Arc::new(Shared::new(COMMON.catalog.clone(), COMMON.profile.clone(), spool, handle));
        // Heartbeats are said of a source.
        shared.source_stats.write().unwrap().push(("s".to_owned(), shared.stats.source("s")));
        let context = Arc::new(TaskContext::new(shared.clone(), self.setup.clone(), Kind::Output));
        let stats = shared.stats.output(OUTPUT);
        let task = tokio::spawn(output_task::run(Arc::new(config.clone()), context.clone(), stats.clone()));
        self.outcome.starts += 1;
        let from = cursors(&shared.spool);
        Agent { shared, context, stats, task, from, seen: (0, 0) }
    }

    /// The next fault, if it is time.
    fn due(&mut self) -> Option<Fault> {
        self.faults.pop_front_if(|(at, _)| *at <= self.network.now).map(|(_, what)| what)
    }

    /// Time goes on by a tick, in which everybody does what can be done.
    async fn step(&mut self, guard: &EnterGuard, agent: &mut Agent) {
        sleep(TICK).await;
        self.network.tick(guard);
        if self.network.now >= self.empty {
            agent.shared.spool.set_max_size(SpoolOptions::MAX_SIZE);
        }
        if self.network.now >= self.sync {
            agent.shared.spool.sync().unwrap();
            self.sync = self.network.now + self.plan.sync;
        }
        let due: Vec<u8> = self.back.iter().filter(|(_, at)| **at <= self.network.now).map(|(n, _)| *n).collect();
        due.into_iter().for_each(|n| self.comes_back(n));
        self.look(agent).await;
    }

    /// What must hold at any time.
    async fn look(&mut self, agent: &mut Agent) {
        for receiver in &mut self.receivers {
            if receiver.is_finished() {
                std::panic::resume_unwind(receiver.await.unwrap_err().into_panic());
            }
        }
        let (given, came) = OutputTotals::of(&agent.stats, &agent.shared.spool, OUTPUT).sides();
        assert_eq!(given, came, "what was put before the output, and what came of it");
        let mut ledger = self.ledger.lock().unwrap();
        ledger.check_cursors(&agent.shared.spool);
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (resent, left) = (load(&agent.stats.resent), load(&agent.stats.unconfirmed));
        let before = std::mem::replace(&mut agent.seen, (resent, left));
        self.outcome.reconnects += u64::from(left > before.1);
        self.resent += resent - before.0;
        let most = self.plan.window(ledger.shortest);
        assert!(left <= most, "{left} entries are to be sent again: {most} are the most that a window holds");
        assert!(!agent.shared.failed.load(Ordering::SeqCst), "the output failed");
    }

    fn comes_back(&mut self, n: u8) {
        self.back.remove(&n);
        self.network.down.remove(&ip(n));
        self.moods[usize::from(n)].start();
    }

    fn happens(&mut self, what: Fault, guard: &EnterGuard, agent: &Agent) {
        match what {
            Fault::Hold(n, wait, directions) => self.network.hold(ip(n), wait, directions),
            Fault::Lose(n, wait, directions) => self.network.lose(ip(n), wait, directions),
            Fault::Reset(n, own, its) => self.network.reset(guard, ip(n), own, its),
            Fault::Stall(n, wait) => self.moods[usize::from(n)].stall(wait),
            Fault::End(n, wait) => {
                self.network.down.insert(ip(n));
                self.moods[usize::from(n)].crash();
                self.back.insert(n, self.network.now + wait);
            }
            Fault::Crash(n, wait) => {
                self.network.crash(ip(n), wait);
                self.moods[usize::from(n)].crash();
                self.back.insert(n, self.network.now + wait);
            }
            Fault::Full(wait) => {
                agent.shared.spool.set_max_size(1);
                agent.shared.spool.wake();
                self.empty = self.network.now + wait;
            }
            // It is about to end.
            Fault::Restart | Fault::Kill => {}
        }
    }

    async fn restart(&mut self, guard: &EnterGuard, mut agent: Agent) -> Agent {
        agent.context.drain.cancel();
        self.wait_for_end(guard, &mut agent, self.setup.config.stop_timeout).await;
        self.check_sums(&agent);
        // The next one does not know them.
        self.excused += agent.stats.unconfirmed.load(Ordering::Relaxed);
        agent.shared.spool.close().unwrap();
        self.gone(agent).await;
        self.start()
    }

    async fn kill(&mut self, agent: Agent) -> Agent {
        agent.task.abort();
        // What was sent again and not said yet is among them.
        self.excused += agent.stats.unconfirmed.load(Ordering::Relaxed);
        self.gone(agent).await;
        let agent = self.start();
        self.excused += self.ledger.lock().unwrap().reopened(&agent.shared.spool);
        agent
    }

    /// Waits until the task has ended; when its time is over, it is to end at once, as the supervisor has it.
    async fn wait_for_end(&mut self, guard: &EnterGuard, agent: &mut Agent, within: Duration) {
        let end = self.network.now + within;
        while !agent.task.is_finished() {
            self.step(guard, agent).await;
            if let Some(what) = self.due() {
                self.happens(what, guard, agent);
            }
            if self.network.now >= end {
                agent.shared.abort();
            }
            assert!(self.network.now < end + GRACE, "the output does not end within {within:?}");
        }
        self.look(agent).await;
    }

    /// The agent is no more: nobody holds its state.
    async fn gone(&self, agent: Agent) {
        match agent.task.await {
            Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
            _ => drop(agent.context),
        }
        assert_eq!(Arc::strong_count(&agent.shared), 1);
    }

    /// What the output says it sent and dropped is what its cursors passed.
    fn check_sums(&self, agent: &Agent) {
        let ledger = self.ledger.lock().unwrap();
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (before, now) = (ledger.passed(&agent.from), ledger.passed(&cursors(&agent.shared.spool)));
        let said = (load(&agent.stats.sent), load(&agent.stats.filtered));
        assert_eq!(said, (now.0 - before.0, now.1 - before.1), "sent and dropped: said and true");
        assert_eq!((load(&agent.stats.refused), load(&agent.stats.unreadable)), (0, 0));
        let allowed = self.resent + self.excused;
        assert!(ledger.again <= allowed, "{} entries came again, and {allowed} were sent again", ledger.again);
    }

    /// The faults are over: everything is stored, delivered, and deleted.
    async fn drain(mut self, guard: &EnterGuard, mut agent: Agent) -> Outcome {
        self.faults.clear();
        self.empty = Duration::ZERO;
        self.network.repair();
        self.moods.iter().for_each(|m| m.calm());
        (0..2).for_each(|n| self.comes_back(n));
        self.store(&agent.shared.spool, 3);
        agent.shared.sources_ended.store(true, Ordering::SeqCst);
        agent.shared.spool.wake();
        let end = self.network.now + PATIENCE;
        while !agent.stats.caught_up.load(Ordering::SeqCst) {
            self.step(guard, &mut agent).await;
            assert!(self.network.now < end, "not everything is sent within {PATIENCE:?}");
        }
        agent.shared.ending.store(true, Ordering::SeqCst);
        agent.shared.spool.wake();
        self.wait_for_end(guard, &mut agent, PATIENCE).await;
        self.check_sums(&agent);
        agent.shared.spool.sync().unwrap();
        assert_eq!(agent.shared.spool.status().batches, 0, "what is delivered is deleted");
        self.gone(agent).await;
        let ledger = self.ledger.lock().unwrap();
        ledger.check_end();
        let Outcome { reconnects, starts, .. } = self.outcome;
        Outcome {
            events: ledger.len(),
            again: ledger.again,
            reconnects,
            starts,
            seconds: self.network.now.as_secs(),
            trace: ledger.trace,
        }
    }

    /// A source stores events, and now and then the agent says something.
    fn store(&mut self, spool: &Spool, events: u64) {
        let mut ledger = self.ledger.lock().unwrap();
        let codes = ["PW", "AF", "ZR", "ZR", "ZR", "CD"];
        let mut what = || match self.random.one_in(15) {
            true => What::Notice,
            false => What::Entry(self.random.one_of(&codes)),
        };
        let events: Vec<u64> = (0..events).map(|_| ledger.event(what())).collect();
        let mut batch = batch("s", &events, |n| ledger.what(n), &self.source.1);
        self.source = (self.source.0 + events.len(), batch.raw_sha256);
        let id = spool.append(&mut batch, &self.source.0.to_string(), None).unwrap();
        ledger.stored(id, events);
    }
}

impl Drop for World {
    /// Sockets are closed while there is a network.
    fn drop(&mut self) {
        self.receivers.iter().for_each(JoinHandle::abort);
    }
}

fn ip(n: u8) -> IpAddr {
    network::receiver(n)
}
