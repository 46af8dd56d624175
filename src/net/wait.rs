//! Waits: what is said when one ends by its time or with the agent, and their spread.
use std::{io, time::Duration};

use super::sys::noise;

/// The error of a wait that the end of the agent ends.
pub fn given_up() -> io::Error {
    io::Error::other("given up, because the agent stops")
}

/// The error of a wait that is over.
pub fn no_answer(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs_f32()))
}

/// Whether a call found nothing to do within its time. `TimedOut` is not meant: Linux says that of a dead connection.
pub fn is_would_block(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
}

/// A random part is taken off a wait, so that many agents do not come back at the same moment.
pub fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + noise() as f64 / 2_000.0)
}
