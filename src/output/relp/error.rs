//! What can go wrong in a RELP session.
use std::{io, time::Duration};

use super::{
    MAX_WINDOW,
    frame::{FrameError, MAX_LINE},
};

/// Why a session could not be opened, or has ended. Whatever it is, lines without an answer are to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum RelpError {
    /// No window, or one that is no window any more.
    #[error("a window of {0} lines: expected 1 to {MAX_WINDOW}")]
    Window(usize),
    /// A line longer than a frame can be. The session goes on without it.
    #[error("a line of {0} bytes: a RELP frame holds at most {MAX_LINE}")]
    LineTooLong(usize),
    /// Something went wrong before the receiver had answered `open`.
    #[error("no RELP session: {0}; is it a RELP port, and TLS on for both sides or for neither?")]
    NotOpened(#[source] Box<RelpError>),
    /// The receiver answered `open` with something other than 200.
    #[error("the receiver refused the RELP session: {code} {text}")]
    OpenRefused {
        /// The answer's code.
        code: u32,
        /// The answer's text, escaped.
        text: String,
    },
    /// The receiver does not offer version 0, the only one there is.
    #[error("the receiver offers RELP version {offered:?}: expected 0")]
    Version {
        /// What it offers, escaped; empty when it says nothing.
        offered: String,
    },
    /// The receiver does not take syslog lines.
    #[error("the receiver offers the RELP commands {offered:?}: expected syslog among them")]
    NoSyslog {
        /// What it offers, escaped; empty when it says nothing.
        offered: String,
    },
    /// The receiver answered a line with something other than 200: it does not have the line.
    #[error("the receiver refused line {id}: {code} {text}")]
    Refused {
        /// The line, as [`Session::send`](super::Session::send) was told.
        id: u64,
        /// The answer's code.
        code: u32,
        /// The answer's text, escaped.
        text: String,
    },
    /// The receiver said that it closes the session.
    #[error("the receiver closed the RELP session{}", lost(*unanswered))]
    ClosedByServer {
        /// Lines to send again.
        unanswered: usize,
    },
    /// The connection ended without a word.
    #[error("the receiver closed the connection{}", lost(*unanswered))]
    Disconnected {
        /// Lines to send again.
        unanswered: usize,
    },
    /// The receiver answers no more.
    #[error("no answer within {} s{}", waited.as_secs_f32(), lost(*unanswered))]
    Silent {
        /// How long it was waited for.
        waited: Duration,
        /// Lines to send again.
        unanswered: usize,
    },
    /// A read failed.
    #[error("reading answers failed: {source}{}", lost(*unanswered))]
    Read {
        /// Why.
        source: io::Error,
        /// Lines to send again.
        unanswered: usize,
    },
    /// A write failed.
    #[error("writing failed: {source}{}", lost(*unanswered))]
    Write {
        /// Why.
        source: io::Error,
        /// Lines to send again.
        unanswered: usize,
    },
    /// The receiver sent bytes that are no frame, or no answer.
    #[error("the receiver does not speak RELP: {0}")]
    Malformed(#[from] FrameError),
    /// The receiver sent a command that only a client sends, or none that there is.
    #[error("the receiver sent the RELP command {command:?}: expected rsp")]
    Command {
        /// What it sent; letters only.
        command: String,
    },
    /// The receiver answered what was not sent, or answered twice.
    #[error("the receiver answered transaction {transaction}, which was not waiting for an answer")]
    Transaction {
        /// The number it sent.
        transaction: u32,
    },
    /// A line is given where the window has no room for it.
    #[error("the window is full: a line has to wait for an answer")]
    Full,
    /// The session is used after it ended.
    #[error("the RELP session has ended: open a new one")]
    Ended,
}

/// What is said of lines without an answer.
fn lost(unanswered: usize) -> String {
    match unanswered {
        0 => String::new(),
        1 => ", 1 line has no answer".into(),
        n => format!(", {n} lines have no answer"),
    }
}
