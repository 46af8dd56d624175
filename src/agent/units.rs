//! The threads of one kind: started, told to end, taken away.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use super::{Orders, Setup, Shared, report::Report, worker::Counters};

/// What a thread reports.
pub trait Reports: Send + Sync + 'static {
    /// What it is called in the log.
    const KIND: &'static str;
}

impl Reports for Report {
    const KIND: &'static str = "source";
}

impl Reports for Counters {
    const KIND: &'static str = "output";
}

/// A thread, its orders and what it reports.
pub struct Unit<R> {
    /// The source or output.
    pub name: String,
    /// What it was started with; empty where it is to be started anew.
    pub print: String,
    /// What it is told.
    pub orders: Arc<Orders>,
    /// What it says.
    pub report: Arc<R>,
    done: Arc<AtomicBool>,
    /// When it was started.
    pub began: Instant,
}

impl<R> Unit<R> {
    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }
}

/// Threads of one kind, and what all of them have reported since the start of the agent.
pub struct Units<R> {
    /// Those that run, or have run to their end.
    pub units: Vec<Unit<R>>,
}

impl<R> Default for Units<R> {
    fn default() -> Self {
        Units { units: Vec::new() }
    }
}

/// Something that is to run: its name and print.
#[derive(Clone)]
pub struct Wanted<C> {
    /// The source or output.
    pub name: String,
    /// Of all that it depends on.
    pub print: String,
    /// What it is to do.
    pub config: C,
}

impl<R: Reports> Units<R> {
    /// Tells units to end that are not wanted as they are, takes away those that have ended, starts those that are missing.
    /// Whether there are others now.
    pub fn reconcile<C>(
        &mut self,
        wanted: &[Wanted<C>],
        stopping: bool,
        shared: &Shared,
        start: impl Fn(&Wanted<C>) -> Unit<R>,
    ) -> bool {
        let is_wanted = |u: &Unit<R>| wanted.iter().any(|w| w.name == u.name && w.print == u.print);
        let mut told = false;
        for unit in self.units.iter_mut().filter(|u| !is_wanted(u)) {
            told |= !unit.orders.stop.swap(true, Ordering::SeqCst);
            // It ends, and is not what is wanted again before it has.
            unit.print.clear();
        }
        if told {
            shared.wake();
        }
        let before = self.units.len();
        self.units.retain(|u| is_wanted(u) || !u.is_done());
        let mut changed = self.units.len() != before;
        if stopping {
            return changed;
        }
        for w in wanted {
            // One that ends still holds the name.
            if !self.units.iter().any(|u| u.name == w.name) {
                self.units.push(start(w));
                changed = true;
            }
        }
        changed
    }
}

/// Starts a thread.
pub fn start<C: Clone + Send + 'static, R: Reports>(
    wanted: &Wanted<C>,
    report: Arc<R>,
    shared: &Arc<Shared>,
    setup: &Arc<Setup>,
    run: fn(&C, &Arc<Orders>, &R),
) -> Unit<R> {
    let orders = Arc::new(Orders::new(shared.clone(), setup.clone(), R::KIND == Counters::KIND));
    let (config, own_orders, own_report) = (wanted.config.clone(), orders.clone(), report.clone());
    let at_work = shared.handle.enter(format!("{} {}", R::KIND, wanted.name));
    let done = at_work.done.clone();
    thread::spawn(move || {
        // Dropped behind everything that the thread holds.
        let _at_work = at_work;
        run(&config, &own_orders, &own_report);
    });
    Unit { name: wanted.name.clone(), print: wanted.print.clone(), orders, report, done, began: Instant::now() }
}
