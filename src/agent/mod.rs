//! The agent: sources in, filter, a durable spool, any number of outputs out, each at its own pace.
//!
//! A thread for each source and each output; between them the [`crate::spool`]. What a source has read is on the disk,
//! with its place, before an output sees it; what an output has delivered is behind its cursor. Whatever ends, the next
//! start goes on from there: events may come twice, with the same id, and none is missing. A new configuration replaces
//! the threads of what it changes and leaves the others alone ([`supervisor`]).
mod burst;
mod feed;
mod gaps;
mod heartbeat;
mod intake;
mod lanes;
pub mod link;
mod looked;
mod metrics;
mod parking;
mod place;
mod prints;
mod reader;
mod refuse;
mod report;
pub mod supervisor;
pub mod window;
mod worker;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use report::Stats;
pub use supervisor::{Totals, Wish, run};

use crate::{
    config::Config,
    decode::journal::Catalog,
    encode::Profile,
    event::model,
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
    /// The wish to stop: sources end, outputs finish what they have on the way.
    stop: AtomicBool,
    /// The time for that is over.
    stop_now: AtomicBool,
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
    /// What was done under each name since the start, whatever threads did it.
    stats: Stats,
}

/// A source and what it did.
type NamedReport = (String, Arc<report::Report>);

/// One configuration in force.
pub struct Setup {
    /// The configuration, without errors.
    pub config: Config,
    /// What shapes events.
    pub model_options: model::Options,
}

/// What one thread is told.
pub struct Orders {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// The configuration it was started with.
    pub setup: Arc<Setup>,
    /// It is to end in good order, because the configuration in force has it no more, or otherwise.
    stop: AtomicBool,
}

/// Says what happens in the log: standard error, which the service manager keeps. What is odd or fails has
/// [`crate::log::warn`] and [`crate::log::error`].
#[track_caller]
pub fn log(text: std::fmt::Arguments<'_>) {
    crate::log::info(text);
}

impl Shared {
    /// Everything that threads need.
    pub fn new(catalog: Arc<Catalog>, profile: Profile, spool: Spool) -> Shared {
        Shared {
            parts: Parts::new(catalog.clone(), profile.clone()),
            stats: Stats::default(),
            catalog,
            profile,
            spool,
            stop: AtomicBool::new(false),
            stop_now: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            sources_ended: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            began: Instant::now(),
            configuration: RwLock::default(),
            reports: RwLock::default(),
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
        if !self.failed.swap(true, Ordering::SeqCst) {
            crate::log::error(format_args!("the agent ends: {why}"));
        }
        self.stop.store(true, Ordering::SeqCst);
        self.spool.wake();
    }

    /// The first digits of the hash of the configuration in force.
    fn configuration(&self) -> String {
        let hash = self.configuration.read().unwrap_or_else(PoisonError::into_inner);
        hash.get(..16).unwrap_or(&hash).to_owned()
    }

    fn reports(&self) -> Vec<NamedReport> {
        self.reports.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Orders {
    fn new(shared: Arc<Shared>, setup: Arc<Setup>) -> Orders {
        Orders { shared, setup, stop: AtomicBool::new(false) }
    }

    /// Whether to end in good order.
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.shared.stop.load(Ordering::Relaxed)
    }

    /// Whether to end at once.
    fn must_stop(&self) -> bool {
        self.shared.stop_now.load(Ordering::Relaxed)
    }
}
