//! The agent: sources in, filter, a durable spool, any number of outputs out, each at its own pace.
//!
//! A task for each source and each output; between them the [`crate::spool`]. What a source has read is on the disk,
//! with its place, before an output sees it; what an output has delivered is behind its cursor. Whatever ends, the next
//! start goes on from there: events may come twice, with the same id, and none is missing. A new configuration replaces
//! the tasks of what it changes and leaves the others alone ([`supervisor`]).
mod append;
mod burst;
mod classified;
mod fingerprint;
mod gaps;
mod heartbeat;
mod ingest;
mod lanes;
mod losses;
mod metrics;
#[cfg(test)]
mod model_tests;
mod open_source;
mod output_task;
mod overflow;
mod own;
mod parking;
mod position;
mod render;
pub mod roll;
mod senders;
mod source_task;
mod stats;
pub mod supervisor;
mod tasks;
pub mod totals;
mod trouble;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use tokio::{runtime::Handle as Runtime, sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

pub use roll::{Control, Handle, control};
pub use supervisor::run;
pub use totals::Totals;

use self::{
    stats::{Report, Stats},
    tasks::Kind,
};
use crate::{
    config::Config,
    decode::journal::Catalog,
    digest::{checksum, hex},
    encode::Profile,
    event::model,
    files::read_regular,
    pipeline::Parts,
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
    shutdown: Shutdown,
    /// The batch in which the agent says that it stops; 0 until then.
    last_word: AtomicI64,
    /// Something ended that should not have.
    failed: AtomicBool,
    /// No source will read any more.
    sources_ended: AtomicBool,
    /// Nothing more comes, and every output has read all there is: they may end.
    ending: AtomicBool,
    began: Instant,
    /// The hash of the configuration in force.
    configuration: RwLock<String>,
    reports: RwLock<Vec<NamedReport>>,
    /// The senders of listeners, behind the names of these.
    senders: RwLock<BTreeMap<(String, String), Arc<Report>>>,
    /// What was done under each name since the start, whatever threads did it.
    stats: Stats,
    /// Speaks to the one who looks after the threads.
    handle: Handle,
}

/// How an agent ends: its sources first, then its outputs in good order, and at once when the time for that is over.
#[derive(Default)]
pub struct Shutdown {
    /// The wish to stop: sources end.
    sources: CancellationToken,
    /// No source will add anything: outputs finish what they have on the way.
    outputs: CancellationToken,
    /// The time is over: whatever goes on ends.
    abort: CancellationToken,
}

impl Shutdown {
    /// Tells those of one kind to end in good order.
    fn drain(&self, kind: Kind) -> &CancellationToken {
        match kind {
            Kind::Source => &self.sources,
            Kind::Output => &self.outputs,
        }
    }
}

/// A source and what it did.
type NamedReport = (String, Arc<Report>);

/// One configuration in force.
pub struct Setup {
    /// The configuration, without errors.
    pub config: Config,
    /// What shapes events.
    pub model_options: model::Options,
    /// The files of its outputs' certificates and keys, as they were when it was read: their hash, or why they cannot be read.
    pems: BTreeMap<PathBuf, String>,
}

impl Setup {
    /// Looks into the files that it names: to be called where a disk that hangs hangs nothing else.
    pub fn new(model_options: model::Options, config: Config) -> Setup {
        let pems = config.outputs.iter().flat_map(|o| [&o.tls.ca, &o.tls.cert, &o.tls.key]).flatten();
        let paths = pems.filter_map(|pem| pem.path().ok());
        let look = |path: PathBuf| {
            let hash = read_regular(&path, MOST_PEM).map_or_else(|e| e.to_string(), |b| hex(&checksum(&b)));
            (path, hash)
        };
        let pems = paths.map(look).collect();
        Setup { config, model_options, pems }
    }
}

/// Bytes of a file of certificates, at most.
const MOST_PEM: u64 = 16 << 20;

/// What one source or output is told.
pub struct Orders {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// The configuration it was started with.
    pub setup: Arc<Setup>,
    /// It is to end in good order, because the configuration in force has it no more, or because the agent stops.
    pub drain: CancellationToken,
    /// It is to end at once.
    pub abort: CancellationToken,
    /// What failed is to be tried again at once.
    again: Notify,
}

/// Says what happens in the log: standard error, which the service manager keeps. What is odd or fails has
/// [`crate::log::warn`] and [`crate::log::error`].
#[track_caller]
pub fn log(text: std::fmt::Arguments<'_>) {
    crate::log::info(text);
}

impl Shared {
    /// Everything that threads need.
    pub fn new(catalog: Arc<Catalog>, profile: Profile, spool: Spool, handle: Handle) -> Shared {
        Shared {
            parts: Parts::new(catalog.clone(), profile.clone()),
            stats: Stats::default(),
            catalog,
            profile,
            spool,
            shutdown: Shutdown::default(),
            last_word: AtomicI64::new(0),
            failed: AtomicBool::new(false),
            sources_ended: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            began: Instant::now(),
            configuration: RwLock::default(),
            reports: RwLock::default(),
            senders: RwLock::default(),
            handle,
        }
    }

    /// Whether every source has ended: then nothing more comes into the spool.
    fn sources_ended(&self) -> bool {
        self.sources_ended.load(Ordering::SeqCst)
    }

    /// Whether outputs that have delivered everything are to end. The supervisor decides: a reload may bring more events.
    fn ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// The agent cannot go on with its state: it ends in good order, with an error, and the next start sees what is to be
    /// done.
    fn give_up(&self, why: &SpoolError) {
        self.failed.store(true, Ordering::SeqCst);
        if !self.is_stopping() {
            crate::log::error(format_args!("the agent ends: {why}"));
        }
        self.begin_to_stop();
    }

    /// The sources end, then the outputs.
    fn begin_to_stop(&self) {
        self.shutdown.sources.cancel();
        self.handle.end_begins();
        self.handle.say(Control::Changed);
        self.spool.wake();
    }

    /// Whether the agent is to end.
    fn is_stopping(&self) -> bool {
        self.shutdown.sources.is_cancelled()
    }

    /// Ends whatever goes on.
    fn abort(&self) {
        let Shutdown { sources, outputs, abort } = &self.shutdown;
        [abort, sources, outputs].into_iter().for_each(CancellationToken::cancel);
        self.spool.wake();
    }

    /// The first digits of the hash of the configuration in force.
    fn configuration(&self) -> String {
        let hash = self.configuration.read().unwrap_or_else(PoisonError::into_inner);
        hash.get(..16).unwrap_or(&hash).to_owned()
    }

    /// Those of all sources that there are, the senders of listeners behind the others.
    fn reports(&self) -> Vec<NamedReport> {
        let mut all = self.reports.read().unwrap_or_else(PoisonError::into_inner).clone();
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        all.extend(senders.iter().map(|((_, name), report)| (name.clone(), report.clone())));
        all
    }

    /// The report of a sender that came to a listener, under the name of its source.
    fn sender(&self, listener: &str, source: &str) -> Arc<Report> {
        let report = self.stats.source(source);
        let mut senders = self.senders.write().unwrap_or_else(PoisonError::into_inner);
        senders.insert((listener.to_owned(), source.to_owned()), report.clone());
        report
    }

    /// A listener listens no more: nothing is said of its senders any more but what they did.
    fn forget_senders(&self, listener: &str) {
        self.senders.write().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != listener);
    }
}

impl Orders {
    fn new(shared: Arc<Shared>, setup: Arc<Setup>, kind: Kind) -> Orders {
        let drain = shared.shutdown.drain(kind).child_token();
        let abort = shared.shutdown.abort.clone();
        Orders { shared, setup, drain, abort, again: Notify::new() }
    }

    /// Whether to end in good order.
    fn stopping(&self) -> bool {
        self.drain.is_cancelled() || self.must_stop()
    }

    /// Whether to end at once.
    fn must_stop(&self) -> bool {
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
    pub async fn rest_before_again(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.rest(wait) => false,
            () = self.again.notified() => true,
        }
    }

    /// The same as [`rest`](Self::rest), for a thread of the agent.
    fn pause(&self, wait: Duration) {
        Runtime::current().block_on(self.rest(wait));
    }
}
