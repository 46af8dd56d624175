//! The asynchronous runtime, for commands that need it for a moment, and for what waits for a disk within it.
//!
//! For: running one future to its end from plain code ([`block_on`]), and calls that may block a thread while tasks wait
//! behind it ([`blocking`] for one now and then, [`off_task`] for those that come again and again). Not for: the agent, whose runtime lives as long as the command does (`cli::run`).
use std::{future::Future, io};

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

/// Runs a future to its end on this thread. An error where the system has no descriptors for a runtime. To be called outside of one.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(future);
    // A look-up of a name that hangs holds nothing up.
    runtime.shutdown_background();
    Ok(output)
}

/// Makes a call that may wait for a disk: other tasks of this thread go on elsewhere meanwhile. Outside of a runtime with several
/// threads it is a plain call.
pub fn blocking<T>(call: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|h| h.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(call),
        _ => call(),
    }
}

/// Has a call that waits for a disk made by a thread that is there for such calls. Unlike [`blocking`] the task stays with its thread:
/// where tasks wander from thread to thread, what they need in memory is kept once for each of them. Outside of a runtime with several
/// threads it is a plain call. `None` where the runtime ends, and where the call panicked.
pub async fn off_task<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            runtime.spawn_blocking(call).await.ok()
        }
        _ => Some(call()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_blocks_is_made_within_a_runtime_and_without_one() {
        assert_eq!(blocking(|| 1), 1);
        assert_eq!(block_on(async { blocking(|| 2) }).unwrap(), 2);
        let several = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert_eq!(several.block_on(async { tokio::spawn(async { blocking(|| 3) }).await.unwrap() }), 3);
        let here = std::thread::current().id();
        assert_eq!(block_on(off_task(|| std::thread::current().id())).unwrap(), Some(here));
        let there = several.block_on(off_task(|| std::thread::current().id()));
        assert!(there.is_some_and(|t| t != here));
    }
}
