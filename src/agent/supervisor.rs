//! Starting and ending the threads of an agent, at its start, at its end and whenever its configuration changes.
//!
//! A thread is known by its name and by a print of everything in the configuration that it depends on. While a print
//! stays the same the thread goes on as it is, with its connection; when it changes, the old thread ends in good order and
//! a new one goes on from the same cursors.
use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Orders, Setup, Shared, intake, log,
    metrics::{self, Metrics, Whole},
    prints,
    report::Report,
    worker::{self, Counters},
};
use crate::{
    config::{OutputConfig, SourceConfig},
    spool::{SpoolError, SpoolOptions},
};

/// How often the cursors are written and passed batches deleted.
const SYNC: Duration = Duration::from_millis(500);
/// How often the threads are looked after.
const TICK: Duration = Duration::from_millis(20);

/// What whoever runs the agent wants of it.
pub enum Wish {
    /// To go on.
    GoOn,
    /// To end in good order.
    Stop,
    /// To go on with another configuration, which was checked.
    Reload(Box<Setup>),
}

/// What an agent did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By source.
    pub sources: Vec<(String, SourceTotals)>,
    /// By output.
    pub outputs: Vec<(String, OutputTotals)>,
    /// Something ended that should not have.
    pub failed: bool,
    /// Batches of the spool that were found damaged or missing.
    pub damaged: u64,
}

/// What a source did. read = filtered + refused + parked + spooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    /// Records read.
    pub read: u64,
    /// Entries dropped by rules.
    pub filtered: u64,
    /// Entries refused because the spool was nearly full.
    pub refused: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// Entries spooled.
    pub spooled: u64,
    /// Gaps seen.
    pub gaps: u64,
    /// Something that was read to its end was not whole, or was not understood.
    pub incomplete: bool,
}

/// What an output did. Of entries: spooled = sent + refused + filtered + unreadable + waiting; `resent` and `notices` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputTotals {
    /// Entries delivered.
    pub sent: u64,
    /// Entries whose datagrams are known to be lost.
    pub refused: u64,
    /// The agent's own events that were delivered.
    pub notices: u64,
    /// Events that its filter dropped.
    pub filtered: u64,
    /// Events that are stored and cannot be seen as entries again.
    pub unreadable: u64,
    /// Events that were sent once more.
    pub resent: u64,
    /// Events that wait.
    pub waiting: u64,
}

/// A thread, its orders and what it reports.
struct Unit<R> {
    name: String,
    print: String,
    orders: Arc<Orders>,
    report: Arc<R>,
    thread: thread::JoinHandle<()>,
}

/// Something that is to run: its name and print.
#[derive(Clone)]
struct Wanted<C> {
    name: String,
    print: String,
    config: C,
}

struct Supervisor {
    shared: Arc<Shared>,
    setup: Arc<Setup>,
    sources: Vec<Unit<Report>>,
    outputs: Vec<Unit<Counters>>,
    wanted_sources: Vec<Wanted<SourceConfig>>,
    wanted_outputs: Vec<Wanted<OutputConfig>>,
}

/// Runs an agent until its sources have ended and everything is delivered, or until it is told to stop. `wish` is asked
/// all the time.
pub fn run(shared: Shared, setup: Setup, wish: &mut dyn FnMut() -> Wish) -> Totals {
    let shared = Arc::new(shared);
    let setup = Arc::new(setup);
    let mut s = Supervisor {
        shared: shared.clone(),
        setup: setup.clone(),
        sources: Vec::new(),
        outputs: Vec::new(),
        wanted_sources: Vec::new(),
        wanted_outputs: Vec::new(),
    };
    s.want(setup);
    let mut asked: Option<Instant> = None;
    let mut synced = Instant::now();
    let mut trouble = false;
    let mut metrics = Metrics::new();
    loop {
        match wish() {
            Wish::GoOn => {}
            Wish::Stop => {
                asked.get_or_insert_with(Instant::now);
                shared.stop.store(true, Ordering::SeqCst);
                shared.spool.wake();
            }
            Wish::Reload(setup) if asked.is_none() => s.want(Arc::from(setup)),
            Wish::Reload(_) => {}
        }
        if shared.stop.load(Ordering::Relaxed) {
            asked.get_or_insert_with(Instant::now);
        }
        if asked.is_some_and(|a| a.elapsed() >= s.setup.config.stop_timeout) {
            shared.stop_now.store(true, Ordering::SeqCst);
        }
        s.look_after();
        if synced.elapsed() >= SYNC {
            synced = Instant::now();
            let done = shared.spool.sync();
            shared.spool.take_notes().iter().for_each(|note| log(format_args!("{note}")));
            match done {
                Ok(()) => trouble = false,
                Err(gone @ SpoolError::Gone { .. }) => shared.give_up(&gone),
                Err(e) => {
                    if !std::mem::replace(&mut trouble, true) {
                        crate::log::warn(format_args!(
                            "{e}; cursors stay where they are until it can be written again"
                        ));
                    }
                }
            }
        }
        if metrics.is_due() {
            metrics.write(shared.spool.folder(), &s.metrics());
        }
        if s.is_over() {
            break;
        }
        thread::sleep(TICK);
    }
    // What could not be written is sent again by the next start.
    if let Err(e) = shared.spool.sync() {
        shared.give_up(&e);
    }
    metrics.write(shared.spool.folder(), &s.metrics());
    s.totals()
}

impl Supervisor {
    /// A configuration is in force from now on.
    fn want(&mut self, setup: Arc<Setup>) {
        let config = &setup.config;
        self.wanted_sources = config
            .sources
            .iter()
            .map(|s| Wanted { name: s.name.clone(), print: prints::source(s, &setup), config: s.clone() })
            .collect();
        self.wanted_outputs = config
            .outputs
            .iter()
            .map(|o| Wanted { name: o.name.clone(), print: prints::output(o, &setup), config: o.clone() })
            .collect();
        let names: Vec<&str> = config.outputs.iter().map(|o| o.name.as_str()).collect();
        for (name, events) in self.shared.spool.left_behind(&names) {
            log(format_args!(
                "output {name} is not in the configuration any more; {events} events are kept for it (`qaudjrn spool forget {name}` drops them)"
            ));
        }
        self.shared.spool.set_max_size(config.spool_max_size.unwrap_or(SpoolOptions::MAX_SIZE));
        config.hash.clone_into(&mut self.shared.configuration.write().unwrap_or_else(PoisonError::into_inner));
        // One that waits for this is started again, though nothing that it depends on has changed here.
        self.shared.spool.wake();
        for unit in self.sources.iter_mut().filter(|u| u.report.halted.load(Ordering::SeqCst)) {
            unit.print.clear();
        }
        self.setup = setup;
    }

    /// Ends what is not wanted, starts what is.
    fn look_after(&mut self) {
        let (shared, setup) = (self.shared.clone(), self.setup.clone());
        let stopping = shared.stop.load(Ordering::Relaxed);
        // Outputs first: what a source reads is kept for those that are known.
        if !stopping && !shared.ending() {
            // One that has ended meanwhile has more to do.
            self.outputs.retain(|u| !u.thread.is_finished());
        }
        reconcile(&mut self.outputs, &self.wanted_outputs, stopping, |w| {
            shared.spool.register(&w.name, w.config.from, &prints::lanes(&w.config, &setup, &shared.catalog));
            start(w, &shared, &setup, shared.stats.output(&w.name), worker::run)
        });
        let changed = reconcile(&mut self.sources, &self.wanted_sources, stopping, |w| {
            start(w, &shared, &setup, shared.stats.source(&w.name), intake::run)
        });
        if changed {
            let reports = self.sources.iter().map(|u| (u.name.clone(), u.report.clone())).collect();
            *shared.reports.write().unwrap_or_else(PoisonError::into_inner) = reports;
        }
        let missing =
            self.wanted_sources.iter().any(|w| !self.sources.iter().any(|u| u.name == w.name && u.print == w.print));
        let ended = self.sources.iter().all(|u| u.report.ended.load(Ordering::SeqCst)) && (!missing || stopping);
        let before = shared.sources_ended.swap(ended, Ordering::SeqCst);
        // An output that has delivered everything goes on until all have: a reload may bring more.
        let ending = ended && self.outputs.iter().all(|u| u.report.caught_up.load(Ordering::SeqCst));
        if shared.ending.swap(ending, Ordering::SeqCst) != ending || before != ended {
            shared.spool.wake();
        }
    }

    /// Nothing runs any more, and nothing is to be started.
    fn is_over(&self) -> bool {
        self.shared.sources_ended()
            && self.sources.iter().all(|u| u.thread.is_finished())
            && self.outputs.iter().all(|u| u.thread.is_finished())
            && (self.shared.stop.load(Ordering::Relaxed) || self.outputs.len() == self.wanted_outputs.len())
    }

    fn metrics(&self) -> String {
        let spool = &self.shared.spool;
        let whole = Whole {
            configuration: &self.shared.configuration(),
            uptime: self.shared.began.elapsed(),
            spool: spool.size(),
            spool_max: spool.max_size(),
        };
        metrics::text(&self.totals(), &whole)
    }

    fn totals(&self) -> Totals {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let source = |(name, r): (String, Arc<Report>)| {
            let totals = SourceTotals {
                read: load(&r.read),
                filtered: load(&r.filtered),
                refused: load(&r.refused),
                parked: load(&r.parked),
                spooled: load(&r.spooled),
                gaps: load(&r.gaps),
                incomplete: r.incomplete.load(Ordering::Relaxed),
            };
            (name, totals)
        };
        let output = |(name, c): (String, Arc<Counters>)| {
            let waiting = self.shared.spool.waiting(&name).values().map(|w| w.events).sum();
            let totals = OutputTotals {
                sent: load(&c.sent),
                refused: load(&c.refused),
                notices: load(&c.notices),
                filtered: load(&c.filtered),
                unreadable: load(&c.unreadable),
                resent: load(&c.resent),
                waiting,
            };
            (name, totals)
        };
        Totals {
            sources: self.shared.stats.sources().into_iter().map(source).collect(),
            outputs: self.shared.stats.outputs().into_iter().map(output).collect(),
            failed: self.shared.failed.load(Ordering::Relaxed),
            damaged: self.shared.spool.damaged(),
        }
    }
}

/// Tells units to end that are not wanted as they are, takes away those that have ended, starts those that are missing.
/// Whether there are others now.
fn reconcile<C, R>(
    units: &mut Vec<Unit<R>>,
    wanted: &[Wanted<C>],
    stopping: bool,
    start: impl Fn(&Wanted<C>) -> Unit<R>,
) -> bool {
    let is_wanted = |u: &Unit<R>| wanted.iter().any(|w| w.name == u.name && w.print == u.print);
    for unit in units.iter().filter(|u| !is_wanted(u)) {
        unit.orders.stop.store(true, Ordering::SeqCst);
    }
    let before = units.len();
    units.retain(|u| is_wanted(u) || !u.thread.is_finished());
    let mut changed = units.len() != before;
    if stopping {
        return changed;
    }
    for w in wanted {
        // One that ends still holds the name.
        if !units.iter().any(|u| u.name == w.name) {
            units.push(start(w));
            changed = true;
        }
    }
    changed
}

fn start<C: Clone + Send + 'static, R: Send + Sync + 'static>(
    wanted: &Wanted<C>,
    shared: &Arc<Shared>,
    setup: &Arc<Setup>,
    report: Arc<R>,
    run: fn(&C, &Arc<Orders>, &R),
) -> Unit<R> {
    let orders = Arc::new(Orders::new(shared.clone(), setup.clone()));
    let (config, own_orders, own_report) = (wanted.config.clone(), orders.clone(), report.clone());
    let thread = thread::spawn(move || run(&config, &own_orders, &own_report));
    Unit { name: wanted.name.clone(), print: wanted.print.clone(), orders, report, thread }
}
