//! Storing a batch, however long there is no room for it.
use std::time::Duration;

use tokio::{runtime::Handle as Runtime, time::sleep};

use super::{
    TaskContext,
    ingest::{Of, Ready},
    log,
};

/// How often it is looked whether there is room, where nobody says so: a disk that is full, of whoever, may have some.
const LOOK: Duration = Duration::from_secs(1);

/// Stores a batch for a thread of the agent, however long that takes: a spool that is full or a disk without room is waited for, and the source is
/// not read meanwhile. `None` when the agent is to stop and the batch is not stored: it will be read again.
pub fn append(of: Of<'_>, context: &TaskContext, ready: Ready) -> anyhow::Result<Option<i64>> {
    Runtime::current().block_on(append_async(of, context, ready))
}

/// The same for a task.
pub async fn append_async(of: Of<'_>, context: &TaskContext, ready: Ready) -> anyhow::Result<Option<i64>> {
    let spool = &context.shared.spool;
    let Ready { mut batch, position, file } = ready;
    let file = file.as_ref().map(|(name, place)| (name.as_str(), place.as_str()));
    let mut waiting = Waiting::new(of);
    loop {
        // Before it is looked: what changes behind this is waited for.
        let mut view = spool.view();
        let trouble = if spool.is_full() {
            FULL.to_owned()
        } else {
            match spool.append_async(&mut batch, &position, file).await {
                Ok(id) => return Ok(waiting.is_over(id)),
                Err(e) if e.is_not_now() => e.to_string(),
                Err(e) => return Err(e.into()),
            }
        };
        waiting.tell(trouble);
        if context.is_draining() {
            return Ok(None);
        }
        tokio::select! {
            () = context.drain.cancelled() => {}
            _ = view.changed() => {}
            () = sleep(LOOK) => {}
        }
    }
}

const FULL: &str = "the spool is full";

/// What is said while there is no room.
struct Waiting<'a> {
    of: Of<'a>,
    told: String,
}

impl Waiting<'_> {
    fn new(of: Of<'_>) -> Waiting<'_> {
        Waiting { of, told: String::new() }
    }

    /// Why it is waited, once.
    fn tell(&mut self, trouble: String) {
        if self.told != trouble {
            let Of { config, stats, .. } = self.of;
            crate::log::warn(format_args!("source {}: not read until there is room: {trouble}", config.name));
            stats.set_down(&format!("not read: {trouble}"));
            self.told = trouble;
        }
    }

    /// It is stored as this batch.
    fn is_over(&self, batch: i64) -> Option<i64> {
        if !self.told.is_empty() {
            log(format_args!("source {}: reading goes on", self.of.config.name));
            self.of.stats.set_up("reading");
        }
        Some(batch)
    }
}
