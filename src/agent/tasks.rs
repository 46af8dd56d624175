//! The sources, or the outputs, that run: started, told to end, taken away. Each is a task that the supervisor joins.
use std::{sync::Arc, thread, time::Duration};

use tokio::{
    runtime::Handle as Runtime,
    sync::oneshot,
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    Setup, Shared, TaskContext,
    stats::{OutputStats, SourceStats},
};

/// What a task does.
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

/// What a task reports.
pub trait Reports: Send + Sync + 'static {
    /// Whose report it is.
    const KIND: Kind;
}

impl Reports for SourceStats {
    const KIND: Kind = Kind::Source;
}

impl Reports for OutputStats {
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
pub struct RunningTask<R> {
    /// The source or output.
    pub name: String,
    /// That of the configuration it was started with; empty where it is to be started anew.
    pub fingerprint: String,
    /// What it is told.
    pub context: Arc<TaskContext>,
    /// What it says.
    pub stats: Arc<R>,
    /// Its id, until it was joined.
    id: Option<Id>,
    /// When it was started.
    pub began: Instant,
}

impl<R> RunningTask<R> {
    fn new<C>(wanted: &TaskSpec<C>, context: Arc<TaskContext>, stats: Arc<R>, id: Id) -> RunningTask<R> {
        let (name, fingerprint) = (wanted.name.clone(), wanted.fingerprint.clone());
        RunningTask { name, fingerprint, context, stats, id: Some(id), began: Instant::now() }
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.id.is_none()
    }
}

/// Those of one kind.
pub struct RunningTasks<R> {
    /// Those that run, or have run to their end.
    pub running: Vec<RunningTask<R>>,
}

impl<R> Default for RunningTasks<R> {
    fn default() -> Self {
        RunningTasks { running: Vec::new() }
    }
}

/// What is to run.
#[derive(Clone)]
pub struct TaskSpec<C> {
    /// The source or output.
    pub name: String,
    /// A hash of all that it depends on.
    pub fingerprint: String,
    /// What it is to do.
    pub config: C,
}

impl<R: Reports> RunningTasks<R> {
    /// Stops tasks whose spec changed, removes finished ones, starts missing ones. Returns whether the set changed.
    pub fn reconcile<C>(
        &mut self,
        wanted: &[&TaskSpec<C>],
        is_draining: bool,
        shared: &Shared,
        mut start: impl FnMut(&TaskSpec<C>) -> RunningTask<R>,
    ) -> bool {
        let is_wanted = |t: &RunningTask<R>| wanted.iter().any(|w| w.name == t.name && w.fingerprint == t.fingerprint);
        let mut told = false;
        for task in self.running.iter_mut().filter(|t| !is_wanted(t)) {
            told |= !task.context.drain.is_cancelled();
            task.context.drain.cancel();
            // It ends, and is not what is wanted again before it has.
            task.fingerprint.clear();
        }
        if told {
            shared.spool.wake();
        }
        let before = self.running.len();
        self.running.retain(|t| is_wanted(t) || !t.is_done());
        let mut changed = self.running.len() != before;
        if is_draining {
            return changed;
        }
        for w in wanted {
            // One that ends still holds the name.
            if !self.running.iter().any(|t| t.name == w.name) {
                self.running.push(start(w));
                changed = true;
            }
        }
        changed
    }

    /// Takes note that a task has ended. Its name, if it is one of these.
    pub fn joined(&mut self, id: Id) -> Option<&str> {
        let task = self.running.iter_mut().find(|t| t.id == Some(id))?;
        task.id = None;
        Some(&task.name)
    }
}

/// Starts what is a task of the runtime.
pub fn start_task<C: Clone, R: Reports, F: Future<Output = ()> + Send + 'static>(
    wanted: &TaskSpec<C>,
    stats: Arc<R>,
    (shared, setup): (&Arc<Shared>, &Arc<Setup>),
    tasks: &mut Tasks,
    run: fn(Arc<C>, Arc<TaskContext>, Arc<R>) -> F,
) -> RunningTask<R> {
    let context = Arc::new(TaskContext::new(shared.clone(), setup.clone(), R::KIND));
    let at_work = shared.handle.enter(format!("{} {}", R::KIND.name(), wanted.name));
    // In a box: as a part of the task it would be in it twice.
    let work = Box::pin(run(Arc::new(wanted.config.clone()), context.clone(), stats.clone()));
    let task = tasks.spawn(async move {
        // Dropped behind everything that the task holds.
        let _at_work = at_work;
        work.await;
        Exit::Done
    });
    RunningTask::new(wanted, context, stats, task.id())
}

/// How long it is waited where the system has no thread to give.
const NO_THREAD: Duration = Duration::from_secs(1);

/// Starts a task that has a thread of its own, because it waits for files or databases.
pub fn start_thread<C: Clone + Send + 'static, R: Reports>(
    wanted: &TaskSpec<C>,
    stats: Arc<R>,
    (shared, setup): (&Arc<Shared>, &Arc<Setup>),
    tasks: &mut Tasks,
    run: fn(&C, &Arc<TaskContext>, &R),
) -> RunningTask<R> {
    let context = Arc::new(TaskContext::new(shared.clone(), setup.clone(), R::KIND));
    let (config, of_task, its_stats) = (wanted.config.clone(), context.clone(), stats.clone());
    let name = format!("{} {}", R::KIND.name(), wanted.name);
    let task = tasks.spawn(async move {
        loop {
            let (tell, told) = oneshot::channel();
            let (config, context, stats) = (config.clone(), of_task.clone(), its_stats.clone());
            let (runtime, at_work) = (Runtime::current(), of_task.shared.handle.enter(name.clone()));
            let thread = thread::Builder::new().name(name.clone()).spawn(move || {
                // Dropped behind everything that the thread holds.
                let _at_work = at_work;
                let _entered = runtime.enter();
                run(&config, &context, &stats);
                let _ = tell.send(());
            });
            match thread {
                Ok(_) => return told.await.map_or(Exit::Panicked, |()| Exit::Done),
                Err(e) => crate::log::error(format_args!("{name}: the system has no thread for it ({e}): tried again")),
            }
            of_task.rest(NO_THREAD).await;
            if of_task.is_draining() {
                return Exit::Done;
            }
        }
    });
    RunningTask::new(wanted, context, stats, task.id())
}
