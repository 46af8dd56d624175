//! The sources, or the outputs, that run: started, told to end, taken away. Each is a task that the supervisor joins.
use std::{sync::Arc, thread, time::Duration};

use tokio::{
    runtime::Handle as Runtime,
    sync::oneshot,
    task::{Id, JoinSet},
    time::Instant,
};

use super::{Orders, Setup, Shared, report::Report, worker::Counters};

/// What a unit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Ends first.
    Source,
    /// Ends behind all sources.
    Output,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Source => "source",
            Kind::Output => "output",
        }
    }
}

/// What a unit reports.
pub trait Reports: Send + Sync + 'static {
    /// Whose report it is.
    const KIND: Kind;
}

impl Reports for Report {
    const KIND: Kind = Kind::Source;
}

impl Reports for Counters {
    const KIND: Kind = Kind::Output;
}

/// How a task ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// By itself, or because it was told to.
    Done,
    /// By a mistake of the program.
    Panicked,
}

/// The tasks of an agent.
pub type Tasks = JoinSet<Exit>;

/// A source or output, its orders and what it reports.
pub struct Unit<R> {
    /// The source or output.
    pub name: String,
    /// What it was started with; empty where it is to be started anew.
    pub print: String,
    /// What it is told.
    pub orders: Arc<Orders>,
    /// What it says.
    pub report: Arc<R>,
    /// Its task, until that was joined.
    task: Option<Id>,
    /// When it was started.
    pub began: Instant,
}

impl<R> Unit<R> {
    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.task.is_none()
    }
}

/// Those of one kind.
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
        mut start: impl FnMut(&Wanted<C>) -> Unit<R>,
    ) -> bool {
        let is_wanted = |u: &Unit<R>| wanted.iter().any(|w| w.name == u.name && w.print == u.print);
        let mut told = false;
        for unit in self.units.iter_mut().filter(|u| !is_wanted(u)) {
            told |= !unit.orders.drain.is_cancelled();
            unit.orders.drain.cancel();
            // It ends, and is not what is wanted again before it has.
            unit.print.clear();
        }
        if told {
            shared.spool.wake();
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

    /// A task has ended. The name of the unit, if it is one of these.
    pub fn joined(&mut self, task: Id) -> Option<&str> {
        let unit = self.units.iter_mut().find(|u| u.task == Some(task))?;
        unit.task = None;
        Some(&unit.name)
    }
}

/// How long it is waited where the system has no thread to give.
const NO_THREAD: Duration = Duration::from_secs(1);

/// Starts a unit that has a thread of its own, because it waits for files or databases.
pub fn start_thread<C: Clone + Send + 'static, R: Reports>(
    wanted: &Wanted<C>,
    report: Arc<R>,
    (shared, setup): (&Arc<Shared>, &Arc<Setup>),
    tasks: &mut Tasks,
    run: fn(&C, &Arc<Orders>, &R),
) -> Unit<R> {
    let orders = Arc::new(Orders::new(shared.clone(), setup.clone(), R::KIND));
    let (config, own_orders, own_report) = (wanted.config.clone(), orders.clone(), report.clone());
    let name = format!("{} {}", R::KIND.name(), wanted.name);
    let task = tasks.spawn(async move {
        loop {
            let (tell, told) = oneshot::channel();
            let (config, orders, report) = (config.clone(), own_orders.clone(), own_report.clone());
            let (runtime, at_work) = (Runtime::current(), own_orders.shared.handle.enter(name.clone()));
            let thread = thread::Builder::new().name(name.clone()).spawn(move || {
                // Dropped behind everything that the thread holds.
                let _at_work = at_work;
                let _entered = runtime.enter();
                run(&config, &orders, &report);
                let _ = tell.send(());
            });
            match thread {
                Ok(_) => return told.await.map_or(Exit::Panicked, |()| Exit::Done),
                Err(e) => crate::log::error(format_args!("{name}: the system has no thread for it ({e}): tried again")),
            }
            own_orders.rest(NO_THREAD).await;
            if own_orders.stopping() {
                return Exit::Done;
            }
        }
    });
    Unit {
        name: wanted.name.clone(),
        print: wanted.print.clone(),
        orders,
        report,
        task: Some(task.id()),
        began: Instant::now(),
    }
}
