//! Where lines go: standard output, a file, UDP, TCP, TLS.
//!
//! For: framing lines ([`Sink::send`]), sending them whole and in order, ending a connection so that the receiver has
//! read everything ([`Sink::finish`]), keeping to limits ([`rate_limit`]).
//! Not for: what a line says, and durable delivery with reconnects (the agent's spool does that). A replay that loses
//! its receiver stops and says where it stood: the capture is still there.
pub mod answer;
pub mod connection;
pub mod endpoint;
pub mod failover;
pub mod file;
pub mod marks;
pub mod options;
pub mod rate_limit;
pub mod relp;
pub mod resend_window;
pub mod sink;
pub mod tcp;

pub use endpoint::Target;
pub use sink::{Framing, Sink};

use crate::net::ConnectError;

/// Why sending failed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The target does not say where.
    #[error(
        "{0:?}: expected stdout, null, file:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT; for `run` also relp:// and relp+tls://"
    )]
    Address(String),
    /// RELP for a command that sends once.
    #[error("{0}: RELP is for the outputs of `qaudjrn run`; use tcp:// or tls:// here")]
    RelpForRun(String),
    /// A RELP session.
    #[error("{to}: {source}")]
    Relp {
        /// The address.
        to: String,
        /// Why.
        source: Box<relp::RelpError>,
    },
    /// The file cannot be opened.
    #[error("cannot open {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// No connection, or none under TLS.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The file is none that lines can be appended to.
    #[error("{path}: {what}: expected a regular file (for a terminal or a pipe, give stdout)")]
    NoFile {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Something else than a receiver of lines listens there.
    #[error(
        "{to} answers {what}: this is no port for syslog lines, so nothing counts as delivered; check port and transport ({advice})"
    )]
    WrongPort {
        /// The address.
        to: String,
        /// What it said.
        what: &'static str,
        /// What to try.
        advice: &'static str,
    },
    /// A write failed.
    #[error("writing to {to} failed: {source}")]
    Write {
        /// The address.
        to: String,
        /// Why.
        source: std::io::Error,
    },
    /// A datagram is longer than the system or the way takes.
    #[error("{to}: a datagram of {bytes} bytes is longer than the way takes: set max_size below that")]
    TooLong {
        /// The address.
        to: String,
        /// Its bytes.
        bytes: usize,
    },
    /// No address of several can be reached.
    #[error("no address can be reached: {0}")]
    NoneReached(String),
    /// The receiver did not confirm the end of the connection.
    #[error(
        "{to} did not close the connection within {seconds} s after everything was sent: whether it read the last lines is not known"
    )]
    Unconfirmed {
        /// The address.
        to: String,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl OutputError {
    /// A reader that went away (`| head`): not an error.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, OutputError::Write { to, source } if to == "standard output" && source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
