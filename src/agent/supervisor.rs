//! Starting and ending the sources and outputs of an agent, at its start, at its end and whenever its configuration changes.
//!
//! Each is a task, known by its name and by a fingerprint of everything in the configuration that it depends on. While that
//! stays the same the task goes on as it is, with its connection; when it changes, the old task ends in good order and
//! a new one goes on from the same cursors.
use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::{Id, JoinError},
    time::{Instant, sleep_until},
};

use super::{
    Control, Setup, Shared, Totals,
    control::snapshot::Snapshot,
    fingerprint, log,
    manager::Manager,
    metrics::{Door, Form, MetricsFile},
    output_task,
    reminders::Reminders,
    senders::{self, ListenerSetups},
    source_task,
    stats::{OutputStats, SourceStats},
    tasks::{Exit, RunningTask, RunningTasks, TaskSpec, Tasks, start_task, start_thread},
};
use crate::config::{Config, OutputConfig, SourceConfig, source::Input};

/// How often the cursors are written and passed batches deleted, while any move.
const SYNC: Duration = Duration::from_millis(500);
/// How often it is seen whether the database is in its place, while nothing moves.
const LOOK: Duration = Duration::from_secs(5);
/// How long an output that has ended, though it is wanted, is left alone before it is started again.
const APART: Duration = Duration::from_secs(1);

/// What entries come from.
#[derive(Clone)]
enum Origin {
    Source(Box<SourceConfig>),
    /// One that goes on while what is said of its senders changes.
    Listener(senders::ListenerReceiver),
}

impl Origin {
    /// Whether it is the journal of a live system.
    fn is_live(&self) -> bool {
        matches!(self, Origin::Source(s) if matches!(s.input, Input::Live(_)))
    }

    /// All of a configuration, which the listeners are told already.
    fn specs(config: &Config, setup: &Setup, listeners: &ListenerSetups) -> Vec<TaskSpec<Origin>> {
        let sources = config.sources.iter().map(|s| TaskSpec {
            name: s.name.clone(),
            fingerprint: fingerprint::source(s, setup),
            config: Origin::Source(Box::new(s.clone())),
        });
        let listeners = config.listeners.iter().filter_map(|l| {
            let told = listeners.subscribe(&l.name)?;
            let (name, fingerprint) = (l.name.clone(), fingerprint::listener(l));
            Some(TaskSpec { name, fingerprint, config: Origin::Listener(told) })
        });
        sources.chain(listeners).collect()
    }

    /// Starts it: what waits for a network only is a task, and everything else has a thread.
    fn start(
        wanted: &TaskSpec<Origin>,
        stats: Arc<SourceStats>,
        of: (&Arc<Shared>, &Arc<Setup>),
        tasks: &mut Tasks,
    ) -> RunningTask<SourceStats> {
        match &wanted.config {
            Origin::Listener(told) => start_task(&wanted.with(told), stats, of, tasks, senders::run_listener),
            Origin::Source(s) if matches!(s.input, Input::Stream(_)) => {
                start_task(&wanted.with(&**s), stats, of, tasks, senders::run_stream)
            }
            Origin::Source(s) => start_thread(&wanted.with(&**s), stats, of, tasks, source_task::run),
        }
    }
}

impl TaskSpec<Origin> {
    /// The same of one kind.
    fn with<C: Clone>(&self, config: &C) -> TaskSpec<C> {
        TaskSpec { name: self.name.clone(), fingerprint: self.fingerprint.clone(), config: config.clone() }
    }
}

/// Looks after the tasks.
pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    setup: Arc<Setup>,
    tasks: Tasks,
    pub(super) sources: RunningTasks<SourceStats>,
    pub(super) outputs: RunningTasks<OutputStats>,
    listeners: ListenerSetups,
    source_specs: Vec<TaskSpec<Origin>>,
    output_specs: Vec<TaskSpec<OutputConfig>>,
    /// When the end began.
    stop_requested_at: Option<Instant>,
    synced: Instant,
    /// Outputs were told that the agent has started, and not yet that it stops.
    start_is_told: bool,
    metrics: MetricsFile,
    /// Where the figures are asked by HTTP.
    door: Option<Door>,
    reminders: Reminders,
    manager: Manager,
}

/// Runs an agent until its sources have ended and everything is delivered, or until it is told to stop.
pub async fn run(shared: Arc<Shared>, setup: Setup, mut control: UnboundedReceiver<Control>) -> Totals {
    let setup = Arc::new(setup);
    let mut s = Supervisor::new(shared.clone(), setup.clone());
    s.apply_config(setup);
    loop {
        while let Ok(word) = control.try_recv() {
            s.obey(word);
        }
        while let Some(ended) = s.tasks.try_join_next_with_id() {
            s.joined(ended);
        }
        s.reconcile_tasks();
        s.tell_manager();
        s.open_door();
        s.do_what_is_due().await;
        if s.is_over() {
            break;
        }
        // Nothing is looked at in between: who has something to say wakes us.
        let due = s.due();
        tokio::select! {
            Some(word) = control.recv() => s.obey(word),
            Some(ended) = s.tasks.join_next_with_id() => s.joined(ended),
            () = s.shared.spool.stirred() => {}
            () = sleep_until(due) => {}
        }
    }
    s.manager.stopping();
    // What could not be written is sent again by the next start.
    if let Err(e) = shared.spool.close() {
        shared.fail(&e);
    }
    s.write_metrics();
    shared.totals()
}

impl Supervisor {
    fn new(shared: Arc<Shared>, setup: Arc<Setup>) -> Supervisor {
        Supervisor {
            manager: Manager::new(shared.service.clone()),
            shared,
            setup,
            tasks: Tasks::new(),
            sources: RunningTasks::default(),
            outputs: RunningTasks::default(),
            listeners: ListenerSetups::default(),
            source_specs: Vec::new(),
            output_specs: Vec::new(),
            stop_requested_at: None,
            synced: Instant::now(),
            start_is_told: false,
            metrics: MetricsFile::new(),
            door: None,
            reminders: Reminders::default(),
        }
    }

    /// The configuration in force.
    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    fn obey(&mut self, word: Control) {
        match word {
            Control::Stop => self.shared.begin_shutdown(),
            Control::Reload(setup, applied) if self.stop_requested_at.is_none() => {
                self.apply_config(Arc::from(setup));
                // Who waits may have gone.
                let _ = applied.map(|applied| applied.send(()));
            }
            Control::Pause(pause) => self.pause(pause),
            Control::Flush => self.flush(),
            Control::Status => self.tell_status(),
            Control::Refused => self.shared.is_refused.store(true, Ordering::Relaxed),
            Control::Ping(answer) => _ = answer.send(()),
            Control::Reload(..) | Control::Changed => {}
        }
        if self.shared.is_shutting_down() {
            self.stop_requested_at.get_or_insert_with(Instant::now);
        }
    }

    /// A task has ended. One that should not have ends the agent, as it would where a panic ends the program.
    fn joined(&mut self, ended: Result<(Id, Exit), JoinError>) {
        let (task, exit) = match ended {
            Ok(ended) => ended,
            Err(e) => (e.id(), Exit::Panicked),
        };
        let name = self.sources.joined(task).or_else(|| self.outputs.joined(task));
        if exit == Exit::Panicked {
            crate::log::error(format_args!(
                "{}: ended by a mistake of the program, please report it; the agent ends, and the next start goes on where it stood",
                name.unwrap_or_default()
            ));
            self.shared.failed.store(true, Ordering::SeqCst);
            self.shared.begin_shutdown();
        }
    }

    /// A configuration is in force from now on.
    fn apply_config(&mut self, setup: Arc<Setup>) {
        let config = &setup.config;
        self.listeners.apply(&setup);
        self.source_specs = Origin::specs(config, &setup, &self.listeners);
        self.output_specs = config
            .outputs
            .iter()
            .map(|o| TaskSpec { name: o.name.clone(), fingerprint: fingerprint::output(o, &setup), config: o.clone() })
            .collect();
        let names: Vec<&str> = config.outputs.iter().map(|o| o.name.as_str()).collect();
        for (name, events) in self.shared.spool.orphaned_outputs(&names) {
            if config.output(&name).is_some() {
                log(format_args!(
                    "output {name} is off (enabled = false); {events} events are kept for it, and so is what comes until it is on again"
                ));
                continue;
            }
            log(format_args!(
                "output {name} is not in the configuration any more; {events} events are kept for it (`qaudjrn spool forget {name}` drops them)"
            ));
        }
        self.shared.spool.set_max_size(config.spool_max_size);
        self.shared.handle.set_limit(config.stop_timeout);
        if self.start_is_told && fingerprint::whole(&self.setup) != fingerprint::whole(&setup) {
            self.shared.tell_configuration(&self.setup.config.hash, &setup);
        }
        self.shared.set_in_force(|f| {
            config.hash.clone_into(&mut f.configuration);
            f.outputs = config.outputs.iter().map(|o| o.name.clone()).collect();
            f.paused.retain(|name, _| f.outputs.contains(name));
        });
        for task in &mut self.sources.running {
            let (stats, wanted) = (&task.stats, &self.source_specs);
            let is_live = wanted.iter().any(|w| w.name == task.name && w.config.is_live());
            let has_failed = stats.failed.load(Ordering::SeqCst) && task.is_done();
            // One that waits for this, or has failed, is started again, though nothing that it depends on has changed here; so
            // is a live one that is not reached: a thread of its own waits before it asks again.
            if stats.halted.load(Ordering::SeqCst) || has_failed || is_live && stats.down().is_some() {
                task.fingerprint.clear();
            }
            task.context.again.notify_one();
        }
        self.metrics.configure(&config.metrics, self.shared.spool.folder());
        self.shared.is_refused.store(false, Ordering::Relaxed);
        self.setup = setup;
        self.manager.configured();
    }

    /// Ends what is not wanted, starts what is, and moves the end of the agent on.
    fn reconcile_tasks(&mut self) {
        let (shared, setup) = (self.shared.clone(), self.setup.clone());
        let of = (&shared, &setup);
        let tasks = &mut self.tasks;
        let is_draining = shared.is_shutting_down();
        // Outputs first: what a source reads is kept for those that are known.
        for task in &mut self.outputs.running {
            // One that has ended meanwhile has more to do.
            if task.is_done() && !is_draining && !shared.ending() && task.began.elapsed() >= APART {
                task.fingerprint.clear();
            }
        }
        let unpaused: Vec<_> = self.output_specs.iter().filter(|w| shared.paused(&w.name).is_none()).collect();
        let is_any_paused = unpaused.len() < self.output_specs.len();
        self.outputs.reconcile(&unpaused, is_draining, &shared, |w| {
            shared.spool.register(&w.name, w.config.from, &fingerprint::lanes(&w.config, &setup, &shared.catalog));
            start_task(w, shared.stats.output(&w.name), of, tasks, output_task::run)
        });
        let goes_on = self.sources.running.is_empty() || !shared.sources_ended();
        if !is_draining && !self.start_is_told && goes_on {
            self.start_is_told = true;
            shared.tell_start(&setup);
        }
        let changed =
            self.sources.reconcile(&self.source_specs.iter().collect::<Vec<_>>(), is_draining, &shared, |w| {
                Origin::start(w, shared.stats.source(&w.name), of, tasks)
            });
        if changed {
            let source_stats = self.sources.running.iter().map(|t| (t.name.clone(), t.stats.clone())).collect();
            *shared.source_stats.write().unwrap_or_else(PoisonError::into_inner) = source_stats;
        }
        let sources = &self.sources.running;
        let missing = self
            .source_specs
            .iter()
            .any(|w| !sources.iter().any(|t| t.name == w.name && t.fingerprint == w.fingerprint));
        let have_ended = sources.iter().all(|t| t.stats.ended.load(Ordering::SeqCst) || t.is_done());
        let ended = have_ended && (!missing || is_draining);
        let caught_up = |t: &RunningTask<OutputStats>| t.stats.caught_up.load(Ordering::SeqCst);
        // An agent does not come to its end by itself while one that is paused may have more.
        let delivered = ended && !is_any_paused && self.outputs.running.iter().all(caught_up);
        // The last word is stored when nothing comes before it any more, and is waited for as everything else.
        if (delivered || ended && is_draining) && std::mem::take(&mut self.start_is_told) {
            self.outputs.running.iter().for_each(|t| t.stats.caught_up.store(false, Ordering::SeqCst));
            let reason = if is_draining { "it was told to stop" } else { "every source is read to its end" };
            shared.tell_stop(
                &setup,
                if shared.failed.load(Ordering::SeqCst) { "its state cannot be used" } else { reason },
            );
            // They look again, whether there was something to be stored or not.
            shared.spool.wake();
        }
        // An output that has delivered everything goes on until all have: a reload may bring more.
        let ending = ended && !is_any_paused && !self.start_is_told && self.outputs.running.iter().all(caught_up);
        let before = shared.sources_ended.swap(ended, Ordering::SeqCst);
        if shared.ending.swap(ending, Ordering::SeqCst) != ending || before != ended {
            shared.spool.wake();
        }
        // Behind the sources, so that what they stored last still goes; one that hangs does not hold the outputs up for long.
        let half = self.setup.config.stop_timeout / 2;
        if is_draining
            && (ended || self.stop_requested_at.is_some_and(|a| a.elapsed() >= half))
            && !shared.shutdown.outputs.is_cancelled()
        {
            shared.shutdown.outputs.cancel();
            shared.spool.wake();
        }
    }

    /// Says to the service manager what it is to know.
    fn tell_manager(&mut self) {
        if self.shared.is_shutting_down() {
            self.manager.stopping();
        } else if self.manager.has_news() {
            let totals = self.shared.totals();
            self.manager.running(&totals);
        }
        self.manager.say_what_is_due();
    }

    /// When something is due next.
    fn due(&self) -> Instant {
        let whole = self.setup.config.stop_timeout;
        let waits = self.outputs.running.iter().filter(|t| t.is_done()).map(|t| t.began + APART);
        let stop = self.stop_requested_at.into_iter().flat_map(|a| [a + whole / 2, a + whole]);
        let now = Instant::now();
        let later = stop.chain(waits).filter(|t| *t > now).min();
        let routine = self.sync_due().min(self.metrics.due());
        let routine = self.manager.due().map_or(routine, |t| t.min(routine));
        later.map_or(routine, |t| t.min(routine))
    }

    /// When the spool is to be synced, or looked at.
    fn sync_due(&self) -> Instant {
        self.synced + if self.shared.spool.wants_sync() { SYNC } else { LOOK }
    }

    async fn do_what_is_due(&mut self) {
        let shared = self.shared.clone();
        if self.stop_requested_at.is_some_and(|a| a.elapsed() >= self.setup.config.stop_timeout)
            && !shared.shutdown.abort.is_cancelled()
        {
            shared.abort();
        }
        if self.sync_due() <= Instant::now() {
            self.synced = Instant::now();
            let done = shared.spool.sync_async().await;
            shared.spool.take_notes().iter().for_each(|note| log(format_args!("{note}")));
            match done {
                Ok(()) => shared.is_stuck.store(false, Ordering::Relaxed),
                Err(e) if e.ends_the_agent() => shared.fail(&e),
                Err(e) => {
                    if !shared.is_stuck.swap(true, Ordering::Relaxed) {
                        crate::log::warn(format_args!(
                            "{e}; cursors stay where they are until it can be written again"
                        ));
                    }
                }
            }
        }
        if self.metrics.due() <= Instant::now() {
            self.write_metrics();
        }
    }

    /// What is said every few seconds of how the agent is: to the service manager, in the log where something stays wrong, in the file.
    fn write_metrics(&mut self) {
        let totals = self.shared.totals();
        self.manager.status(&totals);
        for line in self.reminders.look(&Snapshot::with(&self.shared, &totals)) {
            crate::log::warn(format_args!("still wrong: {line}"));
        }
        if let Ok(text) = self.shared.metrics(totals, Form::Prometheus) {
            self.metrics.write(&text);
        }
    }

    /// Opens and closes what the configuration says of it.
    fn open_door(&mut self) {
        let wanted = self.setup.config.metrics.listen;
        if self.door.as_ref().map(|door| door.at) != wanted {
            // The old one first: it may be the same port.
            self.door = None;
            self.door = wanted.map(|at| Door::open(at, self.shared.clone()));
        }
    }

    /// Nothing runs any more, and nothing is to be started.
    fn is_over(&self) -> bool {
        self.shared.sources_ended()
            && self.sources.running.iter().all(RunningTask::is_done)
            && self.outputs.running.iter().all(RunningTask::is_done)
            && (self.shared.is_shutting_down() || self.outputs.running.len() == self.output_specs.len())
    }
}
