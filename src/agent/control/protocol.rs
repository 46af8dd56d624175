//! What is said at the control socket: requests and answers, a JSON object a line (docs/CONTROL.md).
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;

/// Bytes of the longest request, its end included.
pub const LONGEST: u64 = 4 << 10;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the agent is.
    Status {},
    /// To read the configuration again.
    Reload {},
    /// To try again at once what failed, and to answer when everything that waits now is delivered.
    Flush {
        /// Only that of this output; of all without it.
        #[serde(default)]
        output: Option<String>,
        /// The longest wait, in seconds.
        timeout_seconds: u64,
    },
    /// To deliver nothing to an output until it is resumed.
    Pause {
        /// Its name.
        output: String,
    },
    /// To deliver to an output that is paused.
    Resume {
        /// Its name.
        output: String,
    },
    /// To say at least this much in the log: error, warn, info or debug.
    LogLevel {
        /// The least.
        level: String,
    },
    /// To show lines of an output as they are handed over, as far as there is time for it.
    Tap {
        /// Its name.
        output: String,
        /// Only lines with this text in them.
        #[serde(default)]
        filter: Option<String>,
        /// So many, and then the end.
        #[serde(default)]
        limit: Option<u64>,
    },
}

/// The requests that are known, for who asks something else.
const KNOWN: &str = "status, reload, flush, pause, resume, log-level, tap";

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// How the agent is.
    Status {
        /// All of it.
        status: Box<Snapshot>,
    },
    /// The configuration was read again, and is in force.
    Applied {
        /// Its hash.
        configuration: String,
    },
    /// The configuration was read again and cannot be used: the old one stays.
    Refused {
        /// What is wrong, each a line.
        problems: Vec<String>,
    },
    /// It is done.
    Done {
        /// What, as a sentence.
        done: String,
    },
    /// How far a flush has come.
    Flushed {
        /// Everything that waited is delivered.
        complete: bool,
        /// Of each output, what still waits, with what came since.
        waiting: Vec<Waiting>,
    },
    /// A line of an output.
    Line {
        /// Without its end.
        line: String,
    },
    /// Lines that a tap did not see, because there was no time for them.
    Unseen {
        /// So many since the last of these answers.
        lines: u64,
    },
    /// A tap has come to its end: as many lines as it wanted, or the agent stops.
    End {},
    /// It cannot be answered, and this is why.
    Error {
        /// A sentence.
        error: String,
    },
}

/// What waits for an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its name.
    pub output: String,
    /// Events, those in the window too.
    pub events: u64,
    /// Those that were handed over and are not known to have arrived.
    pub in_window: u64,
}

impl Request {
    /// A line without its end.
    pub fn parse(line: &[u8]) -> Result<Request, Answer> {
        serde_json::from_slice(line).map_err(|e| {
            let error = format!("expected a JSON object such as {{\"ask\":\"status\"}}, known are {KNOWN}: {e}");
            Answer::Error { error }
        })
    }
}

/// A request or an answer as a line.
pub fn line(said: &impl Serialize) -> Vec<u8> {
    // Nothing in them has no JSON.
    let mut line = serde_json::to_vec(said).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_object_and_what_is_unknown_is_told_what_is_known() {
        assert_eq!(Request::parse(br#"{"ask":"status"}"#), Ok(Request::Status {}));
        let pause = Request::Pause { output: "siem".to_owned() };
        assert_eq!(Request::parse(br#"{"ask":"pause","output":"siem"}"#), Ok(pause));
        assert_eq!(line(&Request::Reload {}), b"{\"ask\":\"reload\"}\n");
        let wrong: [&[u8]; 8] = [
            b"status",
            b"",
            b"\xff\x00",
            br#"{"ask":"dance"}"#,
            b"[]",
            br#"{"ask":7}"#,
            br#"{"ask":"pause"}"#,
            br#"{"ask":"status","more":1}"#,
        ];
        for wrong in wrong {
            let Err(Answer::Error { error }) = Request::parse(wrong) else { panic!("{wrong:?}") };
            assert!(error.contains("known are status, reload, flush"), "{error}");
        }
    }
}
