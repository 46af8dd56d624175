//! The agent: sources in, filter, a durable spool, any number of outputs out, each at its own pace.
//!
//! A task for each source and each output; between them the [`crate::spool`]. What a source has read is on the disk,
//! with its place, before an output sees it; what an output has delivered is behind its cursor. Whatever ends, the next
//! start goes on from there: events may come twice, with the same id, and none is missing. A new configuration replaces
//! the tasks of what it changes and leaves the others alone ([`supervisor`]).
mod append;
mod burst;
mod classified;
mod context;
pub mod control;
mod fingerprint;
mod gaps;
mod heartbeat;
mod ingest;
mod lanes;
mod link;
mod losses;
mod manager;
mod metrics;
#[cfg(test)]
mod model_tests;
mod open_source;
mod output_core;
mod output_task;
mod overflow;
mod own;
mod parking;
mod paused;
mod position;
mod reminders;
mod render;
pub mod roll;
mod senders;
mod setup;
mod shares;
mod shutdown;
#[cfg(test)]
mod simulation_tests;
mod source_task;
mod stats;
pub mod supervisor;
mod tap;
mod tasks;
pub mod totals;
mod trouble;

use std::fmt::Arguments;

pub use context::{Shared, TaskContext};
pub use open_source::opener;
pub use own::test_event;
pub use roll::{Control, Handle, Pause, control};
pub use setup::Setup;
pub use shutdown::Shutdown;
pub use supervisor::run;
pub use totals::Totals;

/// Says what happens in the log: standard error, which the service manager keeps. What is odd or fails has
/// [`crate::log::warn`] and [`crate::log::error`].
#[track_caller]
pub fn log(text: Arguments<'_>) {
    crate::log::info(text);
}
