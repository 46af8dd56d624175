//! What is said at the control socket: requests and answers, a JSON object a line.
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;

/// Bytes of the longest request.
pub const LONGEST: usize = 4 << 10;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// How the agent is.
    Status,
    /// To read the configuration again.
    Reload,
}

/// The requests that are known, for who asks something else.
const KNOWN: &str = "status, reload";

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
    /// It cannot be answered, and this is why.
    Error {
        /// A sentence.
        error: String,
    },
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
        assert_eq!(Request::parse(br#"{"ask":"status"}"#), Ok(Request::Status));
        assert_eq!(line(&Request::Reload), b"{\"ask\":\"reload\"}\n");
        for wrong in [&b"status"[..], b"", b"\xff\x00", br#"{"ask":"dance"}"#, b"[]", br#"{"ask":7}"#] {
            let Err(Answer::Error { error }) = Request::parse(wrong) else { panic!("{wrong:?}") };
            assert!(error.contains("known are status, reload"), "{error}");
        }
    }
}
