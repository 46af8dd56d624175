//! What tasks are given: what all of them share, and what one of them is told.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle as Runtime,
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    roll::{Control, Handle},
    setup::Setup,
    shares::Shares,
    shutdown::Shutdown,
    stats::{OutputStats, SourceStats, Stats},
    tasks::Kind,
};
use crate::{
    clock,
    decode::journal::Catalog,
    encode::Profile,
    pipeline::Parts,
    service::Service,
    spool::{Spool, SpoolError},
};

/// What the threads of an agent share from its start to its end.
pub struct Shared {
    /// The tables.
    pub catalog: Arc<Catalog>,
    /// Where values stand in lines.
    pub profile: Profile,
    /// What sources and outputs have in common.
    pub parts: Parts,
    /// Between sources and outputs.
    pub spool: Spool,
    pub(super) shutdown: Shutdown,
    /// The batch in which the agent says that it stops; 0 until then.
    pub(super) last_word: AtomicI64,
    /// Something ended that should not have.
    pub(super) failed: AtomicBool,
    /// The spool cannot be written at present.
    pub(super) is_stuck: AtomicBool,
    /// A new configuration was refused, and the old one stays.
    pub(super) is_refused: AtomicBool,
    /// No source will read any more.
    pub(super) sources_ended: AtomicBool,
    /// Nothing more comes, and every output has read all there is: they may end.
    pub(super) ending: AtomicBool,
    pub(super) began: Instant,
    /// The same by the clock on the wall, UTC seconds.
    pub(super) began_at: u64,
    /// What is in force.
    pub(super) in_force: RwLock<InForce>,
    pub(super) source_stats: RwLock<Vec<NamedStats>>,
    /// The senders of listeners, behind the names of these.
    pub(super) senders: RwLock<BTreeMap<(String, String), Arc<SourceStats>>>,
    /// What those who send gather before it is stored.
    pub(super) shares: Shares,
    /// What was done under each name since the start, whatever threads did it.
    pub(super) stats: Stats,
    /// Speaks to the one who looks after the threads.
    pub(super) handle: Handle,
    /// Who started the agent as a service; nobody, unless that is said.
    pub service: Arc<Service>,
}

/// The configuration in force, and what was said to the agent since it was read.
#[derive(Default)]
pub(super) struct InForce {
    /// Its hash.
    pub(super) configuration: String,
    /// The names of its outputs, in its order.
    pub(super) outputs: Vec<String>,
    /// Those of them that are paused, since when.
    pub(super) paused: BTreeMap<String, Instant>,
}

/// A source and what it did.
pub(super) type NamedStats = (String, Arc<SourceStats>);

/// What one source or output is told.
pub struct TaskContext {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// The configuration it was started with.
    pub setup: Arc<Setup>,
    /// It is to end in good order, because the configuration in force has it no more, or because the agent stops.
    pub drain: CancellationToken,
    /// It is to end at once.
    pub abort: CancellationToken,
    /// What failed is to be tried again at once.
    pub(super) again: Notify,
    /// Somebody waits until everything is known to have arrived; of outputs.
    pub(super) flush: AtomicBool,
}

impl Shared {
    /// Everything that threads need.
    pub fn new(catalog: Arc<Catalog>, profile: Profile, spool: Spool, handle: Handle) -> Shared {
        Shared {
            parts: Parts::new(catalog.clone(), profile.clone()),
            shares: Shares::default(),
            stats: Stats::default(),
            catalog,
            profile,
            spool,
            shutdown: Shutdown::default(),
            last_word: AtomicI64::new(0),
            failed: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            sources_ended: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            began: Instant::now(),
            began_at: u64::try_from(clock::now().timestamp()).unwrap_or(0),
            in_force: RwLock::default(),
            source_stats: RwLock::default(),
            senders: RwLock::default(),
            handle,
            service: Arc::default(),
        }
    }

    /// Whether every source has ended: then nothing more comes into the spool.
    pub(super) fn sources_ended(&self) -> bool {
        self.sources_ended.load(Ordering::SeqCst)
    }

    /// Whether outputs that have delivered everything are to end. The supervisor decides: a reload may bring more events.
    pub(super) fn ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// The agent cannot go on with its state: it ends in good order, with an error, and the next start sees what is to be
    /// done.
    pub(super) fn fail(&self, why: &SpoolError) {
        self.failed.store(true, Ordering::SeqCst);
        if !self.is_shutting_down() {
            crate::log::error(format_args!("the agent ends: {why}"));
        }
        self.begin_shutdown();
    }

    /// The sources end, then the outputs.
    pub(super) fn begin_shutdown(&self) {
        self.shutdown.sources.cancel();
        self.handle.end_begins();
        self.handle.say(Control::Changed);
        self.spool.wake();
    }

    /// Whether the agent is to end.
    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutdown.sources.is_cancelled()
    }

    /// Ends whatever goes on.
    pub(super) fn abort(&self) {
        let Shutdown { sources, outputs, abort } = &self.shutdown;
        [abort, sources, outputs].into_iter().for_each(CancellationToken::cancel);
        self.spool.wake();
    }

    /// The first digits of the hash of the configuration in force.
    pub(super) fn configuration(&self) -> String {
        let hash = &self.in_force.read().unwrap_or_else(PoisonError::into_inner).configuration;
        hash.get(..16).unwrap_or(hash).to_owned()
    }

    /// What is in force is changed.
    pub(super) fn set_in_force<R>(&self, change: impl FnOnce(&mut InForce) -> R) -> R {
        change(&mut self.in_force.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Since when an output of the configuration in force is paused, if it is.
    pub(super) fn paused(&self, output: &str) -> Option<Instant> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).paused.get(output).copied()
    }

    /// The outputs of the configuration in force, with what they did.
    pub(super) fn output_stats(&self) -> Vec<(String, Arc<OutputStats>)> {
        self.wanted_outputs().into_iter().map(|name| (name.clone(), self.stats.output(&name))).collect()
    }

    /// The outputs that the configuration in force has.
    pub(super) fn wanted_outputs(&self) -> Vec<String> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).outputs.clone()
    }

    /// Those of all sources that there are, the senders of listeners behind the others.
    pub(super) fn source_stats(&self) -> Vec<NamedStats> {
        let mut all = self.source_stats.read().unwrap_or_else(PoisonError::into_inner).clone();
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        all.extend(senders.iter().map(|((_, name), stats)| (name.clone(), stats.clone())));
        all
    }

    /// The report of a sender that came to a listener, under the name of its source.
    pub(super) fn sender(&self, listener: &str, source: &str) -> Arc<SourceStats> {
        let stats = self.stats.source(source);
        let mut senders = self.senders.write().unwrap_or_else(PoisonError::into_inner);
        senders.insert((listener.to_owned(), source.to_owned()), stats.clone());
        stats
    }

    /// A sender has no place in the configuration any more: nothing is said of it any more but what it did.
    pub(super) fn forget_sender(&self, listener: &str, source: &str) {
        let key = (listener.to_owned(), source.to_owned());
        self.senders.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    /// A listener listens no more: nothing is said of its senders any more but what they did.
    pub(super) fn forget_senders(&self, listener: &str) {
        self.senders.write().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != listener);
    }
}

impl TaskContext {
    pub(super) fn new(shared: Arc<Shared>, setup: Arc<Setup>, kind: Kind) -> TaskContext {
        let drain = shared.shutdown.drain(kind).child_token();
        let abort = shared.shutdown.abort.clone();
        TaskContext { shared, setup, drain, abort, again: Notify::new(), flush: AtomicBool::new(false) }
    }

    /// Whether to end in good order.
    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_cancelled() || self.is_aborted()
    }

    /// Whether to end at once.
    pub(super) fn is_aborted(&self) -> bool {
        self.abort.is_cancelled()
    }

    /// Waits for so long, or until the end begins.
    pub async fn rest(&self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.drain.cancelled() => {}
        }
    }

    /// Waits before something is tried again: until the time is over, the end, or the configuration was read again (`true`).
    pub async fn pause_before_retry(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.rest(wait) => false,
            () = self.again.notified() => true,
        }
    }

    /// The same as [`rest`](Self::rest), for a thread of the agent.
    pub(super) fn pause(&self, wait: Duration) {
        Runtime::current().block_on(self.rest(wait));
    }
}
