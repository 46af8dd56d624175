//! Sources that are sent to: a socket for one sender (`kind = "stream"`), and listeners, where many senders come to one
//! (`[[listener]]`).
//!
//! Each sender is a source with a task of its own ([`session`]), and none has a thread. A listener knows each by its certificate
//! or its user and has a seat for it ([`seat`]): there its newest connection waits, and takes the place of the one before. What a
//! listener says of its senders may change while it listens ([`table`]): only those whose part of it changes are interrupted.
mod seat;
mod session;
mod table;

use std::{
    future::Future,
    panic::resume_unwind,
    sync::{Arc, atomic::Ordering},
};

use tokio::{sync::mpsc, task::JoinError, time::Instant};

pub use self::table::{ListenerReceiver, ListenerSetups};
use self::{seat::Seat, session::serve, table::SenderTable};
use super::{
    Control, TaskContext,
    ingest::Of,
    log,
    stats::SourceStats,
    trouble::{Trouble, is_permanent},
};
use crate::{
    config::{SourceConfig, source::Input},
    decode::journal::Heading,
    source::{
        FeedError,
        stream::{Arrivals, Listener as StreamListener, Sender},
    },
};

/// Runs a source of one sender, until the wish to stop. What fails is tried again, unless that cannot help.
pub async fn run_stream(config: Arc<SourceConfig>, context: Arc<TaskContext>, stats: Arc<SourceStats>) {
    stats.set_down("starting");
    let mut trouble = Trouble::new(format!("source {}", config.name));
    let work = async {
        loop {
            let began = Instant::now();
            match stream(&config, &context, &stats, &mut trouble).await {
                Err(e) if !context.is_draining() && !is_permanent(&config, &e) => {
                    trouble.rest(&context, &stats, &e, began.elapsed()).await;
                }
                result => break result,
            }
        }
    };
    let result = unless_aborted(&context, Box::pin(work)).await;
    end(&context, &stats, trouble, result);
}

/// Runs a listener and all its senders, until the wish to stop.
pub async fn run_listener(told: Arc<ListenerReceiver>, context: Arc<TaskContext>, stats: Arc<SourceStats>) {
    stats.set_down("starting");
    let name = told.borrow().config.name.clone();
    let mut trouble = Trouble::new(format!("listener {name}"));
    let work = async {
        loop {
            let began = Instant::now();
            let mut told = (*told).clone();
            let result = listen(&mut told, &context, &stats, &mut trouble).await;
            match result {
                Err(e) if !context.is_draining() && !is_permanent(&told.borrow().config.usual, &e) => {
                    trouble.rest(&context, &stats, &e, began.elapsed()).await;
                }
                result => break result,
            }
        }
    };
    let result = unless_aborted(&context, Box::pin(work)).await;
    context.shared.forget_senders(&name);
    end(&context, &stats, trouble, result);
}

/// Gives up when everything is to end at once. The work is in a box: a future that is handed on is kept twice.
async fn unless_aborted(context: &TaskContext, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        result = work => result,
        () = context.abort.cancelled() => Ok(()),
    }
}

fn end(context: &TaskContext, stats: &SourceStats, mut trouble: Trouble, result: anyhow::Result<()>) {
    stats.ended.store(true, Ordering::SeqCst);
    trouble.finish(stats, result);
    context.shared.handle.say(Control::Changed);
}

/// The heading of what is sent, by the configuration.
fn heading(config: &SourceConfig, context: &TaskContext) -> Result<Arc<Heading>, FeedError> {
    let heading = config.kind.and_then(|k| context.shared.catalog.heading(k).cloned());
    heading.ok_or_else(|| FeedError::Config("a stream needs input, such as \"type5\"".to_owned()))
}

fn of<'a>(config: &'a SourceConfig, context: &'a TaskContext, stats: &'a SourceStats) -> Of<'a> {
    Of { config, setup: &context.setup, parts: &context.shared.parts, stats }
}

/// Where a socket tells of who comes.
#[derive(Clone)]
struct ArrivalQueue {
    /// `source a`, for messages.
    whose: Arc<str>,
    queue: mpsc::Sender<Sender>,
}

impl Arrivals for ArrivalQueue {
    async fn offer(&self, sender: Sender) {
        // Who is not there any more closes it.
        let _ = self.queue.send(sender).await;
    }

    fn refuse(&self, why: String) {
        log(format_args!("{}: {why}", self.whose));
    }
}

/// One sender, whoever it is: one seat.
async fn stream(
    config: &SourceConfig,
    context: &TaskContext,
    stats: &SourceStats,
    trouble: &mut Trouble,
) -> anyhow::Result<()> {
    let heading = heading(config, context)?;
    let Input::Stream(options) = &config.input else { return Ok(()) };
    let socket = StreamListener::bind(options).await?;
    let seat = Seat::default();
    let (to, mut came) = mpsc::channel(1);
    let arrivals = ArrivalQueue { whose: format!("source {}", config.name).into(), queue: to };
    let seated = async {
        while let Some(sender) = came.recv().await {
            if let Some(closed) = seat.offer(sender) {
                log(format_args!("source {}: {closed}", config.name));
            }
        }
    };
    tokio::select! {
        served = serve(of(config, context, stats), context, &heading, &seat, trouble) => served,
        () = socket.listen(arrivals) => Ok(()),
        () = seated => Ok(()),
    }
}

/// Any number of senders: a seat and a task for each.
async fn listen(
    told: &mut ListenerReceiver,
    context: &Arc<TaskContext>,
    stats: &SourceStats,
    trouble: &mut Trouble,
) -> anyhow::Result<()> {
    let setup = told.borrow_and_update().clone();
    let socket = StreamListener::bind(&setup.config.options).await?;
    trouble.is_over(stats);
    stats.set_up("listening");
    let (to, mut came) = mpsc::channel(1);
    let arrivals = ArrivalQueue { whose: format!("listener {}", setup.config.name).into(), queue: to };
    let mut table = SenderTable::new(setup, context)?;
    {
        let mut open = std::pin::pin!(socket.listen(arrivals));
        loop {
            tokio::select! {
                biased;
                () = context.drain.cancelled() => break,
                () = &mut open => break,
                // Whoever comes behind a new configuration is judged by it.
                Ok(()) = told.changed() => table.apply(told.borrow_and_update().clone())?,
                Some(sender) = came.recv() => table.admit(sender)?,
                Some(ended) = table.tasks.join_next() => joined(ended),
            }
        }
    }
    // Nobody comes any more; those who are here end with the listener.
    while let Some(ended) = table.tasks.join_next().await {
        joined(ended);
    }
    Ok(())
}

/// What a sender's mistake of the program ends is the agent.
fn joined(ended: Result<(), JoinError>) {
    if let Err(e) = ended
        && let Ok(panic) = e.try_into_panic()
    {
        resume_unwind(panic);
    }
}
