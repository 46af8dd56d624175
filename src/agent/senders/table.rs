//! The senders of a listener: who has a seat, by which part of the configuration, and what a new configuration changes of that.
//!
//! Invariants: a source has one task, which serves one session after the other, so that two never write its position; a sender whose
//! part of the configuration stays the same keeps its connection; a name that has a place on the disk, or stands in the table of
//! senders, has its seat.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::Instant,
};

use super::{heading, of, seat::Seat, session::serve};
use crate::{
    agent::{Setup, TaskContext, fingerprint, log, stats::SourceStats, trouble::Trouble},
    config::{ListenerConfig, SourceConfig},
    decode::journal::Heading,
    runtime::blocking,
    source::{FeedError, stream::Sender},
    spool::SpoolError,
};

/// What a configuration says of one listener.
pub struct ListenerSetup {
    /// Its table.
    pub config: ListenerConfig,
    /// The whole that it is of.
    setup: Arc<Setup>,
}

/// What is in force of a listener, and that it changes.
pub type ListenerReceiver = watch::Receiver<Arc<ListenerSetup>>;

/// What is in force of each listener, for those who listen: they go on while it changes.
#[derive(Default)]
pub struct ListenerSetups(BTreeMap<String, watch::Sender<Arc<ListenerSetup>>>);

impl ListenerSetups {
    /// A configuration is in force from now on.
    pub fn apply(&mut self, setup: &Arc<Setup>) {
        let listeners = &setup.config.listeners;
        self.0.retain(|name, _| listeners.iter().any(|l| l.name == *name));
        for config in listeners {
            let now = Arc::new(ListenerSetup { config: config.clone(), setup: setup.clone() });
            if let Some(to) = self.0.get(&config.name) {
                to.send_replace(now);
            } else {
                self.0.insert(config.name.clone(), watch::Sender::new(now));
            }
        }
    }

    /// What is in force of the listener of this name.
    pub fn subscribe(&self, name: &str) -> Option<ListenerReceiver> {
        self.0.get(name).map(watch::Sender::subscribe)
    }
}

/// What one sender is served by.
struct SenderSetup {
    source: SourceConfig,
    /// Of all that it depends on.
    fingerprint: String,
    heading: Arc<Heading>,
    /// It ends a session, when this is not in force any more.
    context: Arc<TaskContext>,
}

/// A sender that came since the start.
struct Seated {
    known_by: String,
    seat: Arc<Seat>,
    /// What its task goes by; `None` while it has no place in the configuration.
    told: watch::Sender<Option<Arc<SenderSetup>>>,
}

/// A listener while it listens.
pub struct SenderTable<'a> {
    setup: Arc<ListenerSetup>,
    context: &'a Arc<TaskContext>,
    /// By the name of the source.
    seated: BTreeMap<String, Seated>,
    /// Sources that have a place on the disk, or came since the start.
    known: BTreeSet<String>,
    /// How many of these are made by the template, as it is now.
    by_template: usize,
    /// A task for each sender.
    pub tasks: JoinSet<()>,
}

impl SenderTable<'_> {
    /// Nobody came yet.
    pub fn new(setup: Arc<ListenerSetup>, context: &Arc<TaskContext>) -> Result<SenderTable<'_>, SpoolError> {
        let prefix = format!("{}/", setup.config.name);
        let known = blocking(|| context.shared.spool.sources(&prefix))?;
        let mut table =
            SenderTable { setup, context, seated: BTreeMap::new(), known, by_template: 0, tasks: JoinSet::new() };
        table.count();
        Ok(table)
    }

    /// Counts the seats that the template has given away.
    fn count(&mut self) {
        let config = &self.setup.config;
        self.by_template = self.known.iter().filter(|name| config.is_by_template(name)).count();
    }

    /// Lets one in that was let in by the socket, if it is known who it is.
    pub fn admit(&mut self, sender: Sender) -> Result<(), FeedError> {
        let listener = &self.setup.config.name;
        let source = match self.setup.config.source_of(sender.identity.as_deref()) {
            Ok(source) => source,
            Err(why) => {
                log(format_args!("listener {listener}: {} is refused: {why}", sender.name));
                return Ok(());
            }
        };
        if let Some(why) = self.is_one_too_many(&source.name) {
            log(format_args!("listener {listener}: {} is refused: {why}", sender.name));
            return Ok(());
        }
        let seat = self.seat(source, sender.identity.clone().unwrap_or_default())?;
        if let Some(closed) = seat.offer(sender) {
            log(format_args!("listener {}: {closed}", self.setup.config.name));
        }
        Ok(())
    }

    /// Why there is no seat for a source, where there is none. Those of the table of senders have theirs.
    fn is_one_too_many(&self, source: &str) -> Option<String> {
        let config = &self.setup.config;
        let taken = config.senders.len() + self.by_template;
        let is_new = config.is_by_template(source) && !self.known.contains(source);
        (is_new && taken >= config.max_senders).then(|| {
            format!(
                "it would be source {source}, and there are {taken} senders already, in the table or with a place on the disk: max_senders says how many may be"
            )
        })
    }

    /// The seat of a source, which is given to it where it has none.
    fn seat(&mut self, source: SourceConfig, known_by: String) -> Result<Arc<Seat>, FeedError> {
        let name = source.name.clone();
        if let Some(seated) = self.seated.get(&name)
            && seated.told.borrow().is_some()
        {
            return Ok(seated.seat.clone());
        }
        let stats = self.context.shared.sender(&self.setup.config.name, &name);
        let setup = Arc::new(sender_setup(source, &self.setup.setup, self.context)?);
        if self.known.insert(name.clone()) && self.setup.config.is_by_template(&name) {
            self.by_template += 1;
        }
        if let Some(seated) = self.seated.get_mut(&name) {
            // Its task waits for this.
            seated.known_by = known_by;
            seated.told.send_replace(Some(setup));
            return Ok(seated.seat.clone());
        }
        let seat: Arc<Seat> = Arc::default();
        let told = watch::Sender::new(Some(setup));
        self.tasks.spawn(run_sender(told.subscribe(), self.context.clone(), stats, seat.clone()));
        self.seated.insert(name, Seated { known_by, seat: seat.clone(), told });
        Ok(seat)
    }

    /// Another configuration is in force. Who is in it as before goes on with his connection; whose part of it has changed comes again, and who
    /// has no place in it any more is refused when he does.
    pub fn apply(&mut self, setup: Arc<ListenerSetup>) -> Result<(), FeedError> {
        self.setup = setup;
        self.count();
        let ListenerSetup { config, setup } = &*self.setup;
        for (name, seated) in &self.seated {
            let Some(before) = seated.told.borrow().clone() else { continue };
            let source = config.source_of(Some(&seated.known_by)).ok().filter(|s| s.name == *name);
            let next = match source {
                Some(source) if fingerprint::source(&source, setup) == before.fingerprint => {
                    // What failed is tried again at once.
                    before.context.again.notify_one();
                    continue;
                }
                Some(source) => Some(Arc::new(sender_setup(source, setup, self.context)?)),
                None => None,
            };
            let why = if next.is_some() { "its settings have changed" } else { "it is in the configuration no more" };
            log(format_args!("source {name}: {why}: what it sent is stored, and its connection is closed"));
            if next.is_none() {
                drop(seated.seat.take_latest());
                self.context.shared.forget_sender(&config.name, name);
            }
            // Before its session ends: what it goes on with is there by then.
            seated.told.send_replace(next);
            before.context.drain.cancel();
        }
        Ok(())
    }
}

/// What a sender is served by from now on; it ends with the listener, or before.
fn sender_setup(source: SourceConfig, setup: &Arc<Setup>, listener: &TaskContext) -> Result<SenderSetup, FeedError> {
    let context = TaskContext {
        shared: listener.shared.clone(),
        setup: setup.clone(),
        drain: listener.drain.child_token(),
        abort: listener.abort.clone(),
        again: Notify::new(),
        flush: AtomicBool::new(false),
    };
    let heading = heading(&source, &context)?;
    let fingerprint = fingerprint::source(&source, setup);
    Ok(SenderSetup { source, fingerprint, heading, context: Arc::new(context) })
}

/// Runs one sender of a listener, until the wish to stop: one session, whatever the connections, while what is in force of it stays the same.
async fn run_sender(
    mut told: watch::Receiver<Option<Arc<SenderSetup>>>,
    listener: Arc<TaskContext>,
    stats: Arc<SourceStats>,
    seat: Arc<Seat>,
) {
    loop {
        let setup = told.borrow_and_update().clone();
        if let Some(setup) = setup {
            serve_sender(&setup, &stats, &seat).await;
        }
        if listener.is_draining() {
            return;
        }
        tokio::select! {
            () = listener.drain.cancelled() => return,
            changed = told.changed() => if changed.is_err() { return },
        }
    }
}

/// Serves a sender until its context ends it. What fails closes its connection, and it may come again.
async fn serve_sender(setup: &SenderSetup, stats: &SourceStats, seat: &Seat) {
    let SenderSetup { source, heading, context, .. } = setup;
    stats.ended.store(false, Ordering::SeqCst);
    let mut trouble = Trouble::new(format!("source {}", source.name));
    let result = loop {
        let began = Instant::now();
        match serve(of(source, context, stats), context, heading, seat, &mut trouble).await {
            Err(e) if !context.is_draining() => trouble.rest(context, stats, &e, began.elapsed()).await,
            result => break result,
        }
    };
    stats.ended.store(true, Ordering::SeqCst);
    trouble.finish(stats, result);
}
