//! What is said to a running agent beside another configuration: that an output pauses or goes on, that what failed is tried again.
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Pause, log, supervisor::Supervisor};

impl Supervisor {
    /// An output is paused or goes on, until the agent ends or has another configuration without it. What comes meanwhile waits in the
    /// spool.
    pub(super) fn pause(&self, Pause { output, pause, by, done }: Pause) {
        let said = self.shared.set_in_force(|f| match f.outputs.contains(&output) {
            false => Err(format!("no output has the name {output}; there are: {}", f.outputs.join(", "))),
            true if pause => Ok(f.paused.insert(output.clone(), Instant::now()).is_none()),
            true => Ok(f.paused.remove(&output).is_some()),
        });
        let said = said.map(|is_news| {
            let state = if pause { "paused" } else { "resumed" };
            if is_news {
                // What comes from now on is not read: nobody is to think that it was.
                self.shared.stats.output(&output).caught_up.store(false, Ordering::SeqCst);
                let what = format!("output {output} was {state} by {by}");
                log(format_args!("output {output}: {state} by {by}"));
                self.shared.tell_pause(self.setup(), &what);
            }
            match (pause, is_news) {
                (true, true) => format!("output {output} is paused: what comes waits in the spool until it is resumed or the agent starts anew"),
                (true, false) => format!("output {output} was paused already"),
                (false, true) => format!("output {output} goes on"),
                (false, false) => format!("output {output} was not paused"),
            }
        });
        // Who waits may have gone.
        let _ = done.send(said);
    }

    /// What failed is tried again at once, and outputs find out what has arrived.
    pub(super) fn flush(&self) {
        self.sources.running.iter().for_each(|t| t.context.again.notify_one());
        for task in &self.outputs.running {
            task.context.flush.store(true, Ordering::SeqCst);
            task.context.again.notify_one();
        }
        self.shared.spool.wake();
    }
}
