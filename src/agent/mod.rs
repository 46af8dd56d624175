//! The agent: sources in, filter, a durable spool, any number of outputs out, each at its own pace.
//!
//! A thread for each source and each output; between them the [`crate::spool`]. What a source has read is on the disk,
//! with its position, before an output sees it; what an output has delivered is behind its cursor. Whatever ends, the
//! next start goes on from there: events may come twice, with the same id, and none is missing.
pub mod link;
pub mod source;
pub mod window;
pub mod worker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    config::{Config, OutputConfig},
    decode::journal::{Catalog, Heading, HeadingKind},
    encode::{Profile, Settings, value::Given},
    event::model,
    spool::{Spool, SpoolError},
};

/// What the threads of an agent share.
pub struct Shared {
    /// The configuration, without errors.
    pub config: Config,
    /// The tables.
    pub catalog: Arc<Catalog>,
    /// Where values stand in lines.
    pub profile: Profile,
    /// What shapes events.
    pub model_options: model::Options,
    /// Between sources and outputs.
    pub spool: Spool,
    /// The wish to stop: sources end, outputs finish what they have on the way.
    pub stop: AtomicBool,
    /// The time for that is over.
    pub stop_now: AtomicBool,
    /// Something ended that should not have.
    pub failed: AtomicBool,
    sources_left: std::sync::atomic::AtomicUsize,
}

/// What an agent did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By source: name, read, spooled, filtered, parked.
    pub sources: Vec<(String, [u64; 4])>,
    /// By output: name, sent, filtered, resent.
    pub outputs: Vec<(String, [u64; 3])>,
}

/// Says something in the log: standard error, which the service manager keeps.
pub fn log(text: std::fmt::Arguments<'_>) {
    crate::cli::say(format_args!("qaudjrn: {text}\n"));
}

impl Shared {
    /// Everything that threads need.
    pub fn new(
        config: Config,
        catalog: Arc<Catalog>,
        profile: Profile,
        model_options: model::Options,
        spool: Spool,
    ) -> Shared {
        let sources_left = config.sources.len().into();
        let (stop, stop_now, failed) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        Shared { config, catalog, profile, model_options, spool, stop, stop_now, failed, sources_left }
    }

    /// Whether every source has ended: then nothing more comes into the spool.
    pub fn sources_ended(&self) -> bool {
        self.sources_left.load(Ordering::SeqCst) == 0
    }

    /// Whether to stop at once.
    pub fn must_stop(&self) -> bool {
        self.stop_now.load(Ordering::Relaxed)
    }

    /// Waits, but not into the end.
    pub fn pause(&self, wait: Duration) {
        let end = Instant::now() + wait;
        while !self.must_stop() && !self.stop.load(Ordering::Relaxed) && Instant::now() < end {
            thread::sleep(Duration::from_millis(50).min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// The heading of a key: `type5`.
    pub fn heading(&self, key: &str) -> Option<Arc<Heading>> {
        HeadingKind::ALL.iter().find(|k| k.key() == key).and_then(|k| self.catalog.heading(*k).cloned())
    }

    /// The settings of the lines of an output.
    pub fn settings(&self, output: &OutputConfig, given: Given) -> Settings {
        output.settings(output.format, &self.config.line, &self.profile, given)
    }
}

/// Runs an agent until its sources have ended and everything is delivered, or until it is stopped. `wish` is asked all
/// the time whether to stop.
pub fn run(shared: Shared, wish: &dyn Fn() -> bool) -> Result<(Totals, bool), SpoolError> {
    let shared = Arc::new(shared);
    let names: Vec<String> = shared.config.outputs.iter().map(|o| o.name.clone()).collect();
    shared.spool.register(&names);
    let sources = source::start(&shared);
    let outputs = worker::start(&shared);
    let mut asked: Option<Instant> = None;
    let mut synced = Instant::now();
    let mut trouble = false;
    loop {
        if asked.is_none() && wish() {
            asked = Some(Instant::now());
            shared.stop.store(true, Ordering::SeqCst);
            shared.spool.wake();
        }
        if asked.is_some_and(|a| a.elapsed() >= shared.config.stop_timeout) {
            shared.stop_now.store(true, Ordering::SeqCst);
        }
        let left = sources.iter().filter(|(_, t)| !t.is_finished()).count();
        shared.sources_left.store(left, Ordering::SeqCst);
        if synced.elapsed() >= Duration::from_millis(500) {
            synced = Instant::now();
            match shared.spool.sync() {
                Ok(()) => trouble = false,
                Err(e) => {
                    if !std::mem::replace(&mut trouble, true) {
                        log(format_args!("{e}; cursors stay where they are until it can be written again"));
                    }
                }
            }
        }
        if left == 0 && outputs.iter().all(|(_, t)| t.is_finished()) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    shared.spool.sync()?;
    let load = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
    let config = &shared.config;
    let totals = Totals {
        sources: config
            .sources
            .iter()
            .zip(&sources)
            .map(|(s, (c, _))| (s.name.clone(), [&c.read, &c.spooled, &c.filtered, &c.parked].map(load)))
            .collect(),
        outputs: config
            .outputs
            .iter()
            .zip(&outputs)
            .map(|(o, (c, _))| (o.name.clone(), [&c.sent, &c.filtered, &c.resent].map(load)))
            .collect(),
    };
    Ok((totals, shared.failed.load(Ordering::Relaxed)))
}
