//! Waits that end: by their time, or by the wish to stop, which is asked in every one of them.
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a single call to the system may block before the wish to stop is asked again.
pub const TICK: Duration = Duration::from_millis(250);

/// The wish to stop at once.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Asked all the time.
    pub fn when(wish: impl Fn() -> bool + Send + Sync + 'static) -> Stop {
        Stop(Arc::new(wish))
    }

    /// Nobody wishes to stop: for commands that Ctrl-C ends.
    pub fn never() -> Stop {
        Stop::when(|| false)
    }

    /// The same wish, or a flag of the caller's.
    pub fn or(&self, flag: Arc<AtomicBool>) -> Stop {
        let wish = self.0.clone();
        Stop::when(move || wish() || flag.load(Ordering::Relaxed))
    }

    /// Whether to stop.
    pub fn is_wished(&self) -> bool {
        (self.0)()
    }

    /// An error once it is.
    pub fn check(&self) -> io::Result<()> {
        if self.is_wished() { Err(given_up()) } else { Ok(()) }
    }
}

/// A wait of a certain length.
#[derive(Clone)]
pub struct Wait {
    end: Instant,
    /// Its length.
    pub limit: Duration,
    stop: Stop,
}

impl Wait {
    /// Begins now.
    pub fn new(limit: Duration, stop: &Stop) -> Wait {
        Wait { end: Instant::now() + limit, limit, stop: stop.clone() }
    }

    /// An error once it is over.
    pub fn check(&self) -> io::Result<()> {
        self.stop.check()?;
        if Instant::now() >= self.end {
            return Err(no_answer(self.limit));
        }
        Ok(())
    }
}

/// The error of a wait that the end of the agent ends.
pub fn given_up() -> io::Error {
    io::Error::other("given up, because the agent stops")
}

/// The error of a wait that is over.
pub fn no_answer(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs_f32()))
}

/// Whether a call found nothing to do within its time. `TimedOut` is not meant: Linux says that of a dead connection.
pub fn is_wait(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
}

/// A random part is taken off a wait, so that many agents do not come back at the same moment.
pub fn jittered(wait: Duration) -> Duration {
    let noise = u64::from(crate::clock::now().timestamp_subsec_nanos()) % 1_000;
    wait.mul_f64(0.5 + noise as f64 / 2_000.0)
}
