//! A source that is read by a thread of its own: from its feed into the [ingest](super::ingest), and what that hands out into the spool.
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Control, Orders,
    append::append,
    ingest::{Ingest, Of},
    log,
    position::position,
    stats::Report,
    trouble::{Trouble, is_permanent},
};
use crate::{
    config::SourceConfig,
    source::{Condition, Feed, FeedEvent, WAIT, receiver_chain::Gap},
};

/// The longest an event waits for its batch.
const PATIENCE: Duration = WAIT;

/// Runs one source until its end or the wish to stop. What fails is tried again, unless that cannot help.
pub fn run(config: &SourceConfig, orders: &Arc<Orders>, report: &Report) {
    report.set_down("starting");
    let mut trouble = Trouble::new(format!("source {}", config.name));
    let result = loop {
        let began = Instant::now();
        match take_in(config, orders, report, &mut trouble) {
            Ok(feed) => break Ok(feed),
            Err(e) if orders.stopping() || is_permanent(config, &e) => break Err(e),
            Err(e) => trouble.pause(orders, report, &e, began.elapsed()),
        }
    };
    report.ended.store(true, Ordering::SeqCst);
    orders.shared.handle.say(Control::Changed);
    let result = result.map(|mut feed| finish(config, orders, feed.as_mut()));
    trouble.finish(report, result);
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
fn take_in(
    config: &SourceConfig,
    orders: &Arc<Orders>,
    report: &Report,
    trouble: &mut Trouble,
) -> anyhow::Result<Box<dyn Feed>> {
    let (position, before, lost) = position(config, orders)?;
    let mut feed = super::open_source::open(config, orders, &position.feed)?;
    let of = Of { config, setup: &orders.setup, parts: &orders.shared.parts, report };
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
                    store(&mut ingest, of, orders, feed.as_mut())?;
                }
                return Err(e.into());
            }
        };
        if std::mem::take(&mut failed) {
            trouble.is_over(report);
        }
        let asks = take(&mut ingest, of, step)?;
        if !asks.is_record || !reads {
            reads = feed.condition() == Condition::Reading;
            report.set_condition(&feed.condition());
        }
        let stop = orders.stopping();
        let late = asks.now || asks.ended || stop || !feed.is_ready() && since.elapsed() > PATIENCE;
        if late || ingest.is_full() {
            ingest.tell(asks.ended || stop);
        }
        if ingest.is_full() || asks.moved || late && !ingest.is_empty() {
            if !store(&mut ingest, of, orders, feed.as_mut())? {
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
            settle(config, orders, feed.as_mut());
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
            of.report.incomplete.store(true, Ordering::Relaxed);
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
            of.report.halted.store(true, Ordering::SeqCst);
            Asks::NOW
        }
        FeedEvent::Poll => Asks::default(),
        FeedEvent::Boundary | FeedEvent::Idle => Asks::NOW,
        FeedEvent::End => Asks { ended: true, ..Asks::default() },
    })
}

/// Stores the batch and the place behind it. `false` when the agent stops and it is not stored.
fn store(ingest: &mut Ingest<'_>, of: Of<'_>, orders: &Orders, feed: &mut dyn Feed) -> anyhow::Result<bool> {
    let ready = ingest.batch(feed.checkpoint()?)?;
    if ingest.take_contradiction() {
        orders.shared.failed.store(true, Ordering::Relaxed);
    }
    let Some(batch) = append(of, orders, ready)? else { return Ok(false) };
    feed.on_committed(batch)?;
    ingest.stored(orders.shared.spool.pressure());
    Ok(true)
}

/// Tells a feed what every output has passed.
fn settle(config: &SourceConfig, orders: &Orders, feed: &mut dyn Feed) {
    for line in feed.on_delivered(orders.shared.spool.delivered_before()) {
        log(format_args!("source {}: {line}", config.name));
    }
    // Parts that stay on the disk are forgotten with the next start.
    if let Err(e) = orders.shared.spool.forget_files(&config.name, &feed.take_forgotten()) {
        log(format_args!("source {}: old files cannot be forgotten: {e}", config.name));
    }
}

/// What is to become of the files of a source that has ended is done when every output has passed them.
fn finish(config: &SourceConfig, orders: &Orders, feed: &mut dyn Feed) {
    settle(config, orders, feed);
    while !feed.is_done() && !orders.stopping() {
        orders.pause(PATIENCE);
        settle(config, orders, feed);
    }
}
