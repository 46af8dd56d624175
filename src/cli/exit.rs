//! What a command ends with: the exit code, and an error with the exit code that it deserves.

/// What the program ends with.
///
/// 0 done; 1 failed (a capture that cannot be read, a receiver that cannot be reached); 2 usage or configuration;
/// 3 finished, but something was parked or, with --strict, a sequence gap was seen; 130 interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// All done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Usage or configuration.
    Usage = 2,
    /// Finished, but not everything was well.
    Incomplete = 3,
    /// Ctrl-C.
    Interrupted = 130,
}

/// An error with the exit code it deserves.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What happened.
    pub error: anyhow::Error,
}

impl Failure {
    /// Usage or configuration (2).
    pub fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Usage, error: error.into() }
    }

    /// Anything else (1).
    pub fn failed(error: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: Exit::Failed, error: error.into() }
    }
}
