//! A source that is read by a thread of its own: from its feed into the [ingest](super::ingest), and what that hands out into the spool.
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Handle as Runtime, time::Instant};

use super::{
    Control, TaskContext,
    append::append,
    ingest::{Ingest, Of},
    log,
    position::position,
    stats::SourceStats,
    trouble::{Trouble, is_permanent},
};
use crate::{
    config::SourceConfig,
    source::{Condition, Feed, FeedEvent, WAIT, receiver_chain::Gap},
};

/// The longest an event waits for its batch.
const MAX_BATCH_DELAY: Duration = WAIT;

/// Runs one source until its end or the wish to stop. What fails is tried again, unless that cannot help.
pub fn run(config: &SourceConfig, context: &Arc<TaskContext>, stats: &SourceStats) {
    stats.set_down("starting");
    let mut trouble = Trouble::new(format!("source {}", config.name));
    let result = loop {
        let began = Instant::now();
        match run_source(config, context, stats, &mut trouble) {
            Ok(feed) => break Ok(feed),
            Err(e) if context.is_draining() || is_permanent(config, &e) => break Err(e),
            Err(e) => trouble.pause(context, stats, &e, began.elapsed()),
        }
    };
    stats.ended.store(true, Ordering::SeqCst);
    context.shared.handle.say(Control::Changed);
    let result = result.map(|mut feed| finish(config, context, feed.as_mut()));
    trouble.finish(stats, result);
}

/// What a step asks for.
#[derive(Default)]
struct Asks {
    /// It is a record.
    is_record: bool,
    /// What was taken is stored now.
    now: bool,
    /// The place alone is something to be stored.
    moved: bool,
    /// Nothing comes behind it.
    ended: bool,
    /// The offset of what comes behind it.
    offset: Option<i32>,
}

impl Asks {
    const NOW: Asks = Asks { is_record: false, now: true, moved: false, ended: false, offset: None };
}

/// Reads to the end, or until the wish to stop.
fn run_source(
    config: &SourceConfig,
    context: &Arc<TaskContext>,
    stats: &SourceStats,
    trouble: &mut Trouble,
) -> anyhow::Result<Box<dyn Feed>> {
    let (position, before, lost) = Runtime::current().block_on(position(config, context))?;
    let mut feed = super::open_source::open(config, context, &position.feed)?;
    let of = Of { config, setup: &context.setup, parts: &context.shared.parts, stats };
    let mut ingest = Ingest::new(of, position, &before);
    if let Some(text) = lost {
        ingest.gap(Gap::of(text));
    }
    let (mut failed, mut reads) = (true, false);
    let mut since = Instant::now();
    loop {
        let step = match feed.next() {
            Ok(step) => step,
            Err(e) => {
                // What was handed out is whole: whatever becomes of the rest, it is not read again, and what was found is told.
                ingest.tell(true);
                if !ingest.is_empty() {
                    store(&mut ingest, of, context, feed.as_mut())?;
                }
                return Err(e.into());
            }
        };
        if std::mem::take(&mut failed) {
            trouble.is_over(stats);
        }
        let asks = take(&mut ingest, of, step)?;
        if !asks.is_record || !reads {
            reads = feed.condition() == Condition::Reading;
            stats.set_condition(&feed.condition());
        }
        let stop = context.is_draining();
        let late = asks.now || asks.ended || stop || !feed.is_ready() && since.elapsed() > MAX_BATCH_DELAY;
        if late || ingest.is_full() {
            ingest.tell(asks.ended || stop);
        }
        if ingest.is_full() || asks.moved || late && !ingest.is_empty() {
            if !store(&mut ingest, of, context, feed.as_mut())? {
                return Ok(feed);
            }
            since = Instant::now();
        }
        if let Some(seconds) = asks.offset {
            ingest.set_system_offset(seconds);
        }
        if ingest.is_empty() {
            since = Instant::now();
        }
        if asks.now {
            dispose_delivered(config, context, feed.as_mut());
        }
        if asks.ended || stop {
            return Ok(feed);
        }
    }
}

/// Takes what a feed has next.
#[inline]
fn take(ingest: &mut Ingest<'_>, of: Of<'_>, step: FeedEvent<'_>) -> anyhow::Result<Asks> {
    let name = &of.config.name;
    Ok(match step {
        FeedEvent::Record(record) => {
            ingest.record(&record)?;
            Asks { is_record: true, ..Asks::default() }
        }
        FeedEvent::Log(text) => {
            log(format_args!("source {name}: {text}"));
            Asks::NOW
        }
        FeedEvent::Rewound(text) => {
            log(format_args!("source {name}: {text}"));
            ingest.allow_replay();
            Asks::NOW
        }
        FeedEvent::PositionLost(text) => {
            // In the batch that is stored with the place behind it: whatever ends the agent, it is told.
            ingest.lost(text);
            Asks::NOW
        }
        FeedEvent::Incomplete { text, newly } => {
            of.stats.incomplete.store(true, Ordering::Relaxed);
            if newly {
                ingest.lost(text);
            } else {
                log(format_args!("source {name}: {text}"));
            }
            Asks::NOW
        }
        FeedEvent::Gap(gap) => {
            ingest.forget_last();
            ingest.gap(gap);
            Asks::NOW
        }
        FeedEvent::Moved => {
            ingest.forget_last();
            Asks { moved: true, ..Asks::NOW }
        }
        // What came before is stored with the offset from before.
        FeedEvent::Offset(seconds) => Asks { offset: Some(seconds), ..Asks::NOW },
        FeedEvent::Halted(text) => {
            crate::log::error(format_args!("source {name}: {text}"));
            of.stats.halted.store(true, Ordering::SeqCst);
            Asks::NOW
        }
        FeedEvent::Poll => Asks::default(),
        FeedEvent::Boundary | FeedEvent::Idle => Asks::NOW,
        FeedEvent::End => Asks { ended: true, ..Asks::default() },
    })
}

/// Stores the batch and the place behind it. `false` when the agent stops and it is not stored.
fn store(ingest: &mut Ingest<'_>, of: Of<'_>, context: &TaskContext, feed: &mut dyn Feed) -> anyhow::Result<bool> {
    let ready = ingest.batch(feed.checkpoint()?)?;
    if ingest.take_contradiction() {
        context.shared.failed.store(true, Ordering::Relaxed);
    }
    let Some(batch) = append(of, context, ready)? else { return Ok(false) };
    feed.on_committed(batch)?;
    ingest.stored(context.shared.spool.pressure());
    Ok(true)
}

/// Tells a feed what every output has passed.
fn dispose_delivered(config: &SourceConfig, context: &TaskContext, feed: &mut dyn Feed) {
    for line in feed.on_delivered(context.shared.spool.delivered_before()) {
        log(format_args!("source {}: {line}", config.name));
    }
    // Parts that stay on the disk are forgotten with the next start.
    if let Err(e) = context.shared.spool.forget_files(&config.name, &feed.take_forgotten()) {
        log(format_args!("source {}: old files cannot be forgotten: {e}", config.name));
    }
}

/// What is to become of the files of a source that has ended is done when every output has passed them.
fn finish(config: &SourceConfig, context: &TaskContext, feed: &mut dyn Feed) {
    dispose_delivered(config, context, feed);
    while !feed.is_done() && !context.is_draining() {
        context.pause(MAX_BATCH_DELAY);
        dispose_delivered(config, context, feed);
    }
}
