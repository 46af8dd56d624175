//! Logins that fail: which of them may be tried again. Three refusals disable a profile, so a refused one never is; a system that
//! is down for its weekly save is asked until it is back.
use std::time::Duration;

use super::query::QueryError;

/// How long a login is left alone that failed for a reason nobody knows, and how often it is tried in all.
const UNSURE: (Duration, u32) = (Duration::from_secs(15 * 60), 3);

/// What a login means that was answered with an error, by its SQLSTATE and its words.
pub fn failed(message: &str, state: &str, code: i64) -> QueryError {
    let words = message.to_lowercase();
    let has = |all: &[&str]| all.iter().any(|w| words.contains(w));
    let shown = if state.is_empty() { message.to_owned() } else { format!("{message} (SQLSTATE {state})") };
    // What the security services of a system say stands in the text, under whatever state: CPF22xx, "Password is incorrect".
    if state.starts_with("28")
        || has(&[
            "cpf22",
            "cwbsy",
            "password",
            "passphrase",
            "user id",
            "userid",
            "user profile",
            "authentication failed",
        ])
        || (8_001..9_000).contains(&code)
    {
        return QueryError::Refused(shown);
    }
    let later = has(&[
        "connection refused",
        "connection reset",
        "communication link",
        "timed out",
        "not started",
        "not active",
        "not available",
        "unavailable",
        "unreachable",
        "unknown host",
        "restricted state",
        "maximum number of connections",
    ]);
    // "Server rejected the connection": JTOpen gives it for what the security services say, in the language of its Java.
    if state == "08004" && !later {
        return QueryError::Refused(shown);
    }
    let is_later = ["08", "40", "53", "57", "58", "HYT"].iter().any(|class| state.starts_with(class)) || later;
    if is_later { QueryError::Lost(format!("no login at present: {shown}")) } else { QueryError::Unsure(shown) }
}

/// What is done after a connection has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, because the agent stops.
    Stop,
    /// Nothing until the configuration is read again, and this is why.
    Halt(String),
    /// Another try, after a pause that grows, or after this one; and why.
    Again(Option<Duration>, String),
}

/// Logins that failed one after the other for a reason nobody knows.
#[derive(Default)]
pub struct Logins(u32);

impl Logins {
    /// One was let in.
    pub fn succeeded(&mut self) {
        self.0 = 0;
    }

    /// A connection has ended.
    pub fn next(&mut self, e: &QueryError) -> Next {
        match e {
            QueryError::Stopped => Next::Stop,
            QueryError::Refused(_) => Next::Halt(format!(
                "{e}; it is not tried again, because three refusals disable the profile: set it right, then SIGHUP"
            )),
            QueryError::Unsure(_) => {
                self.0 += 1;
                let (wait, most) = UNSURE;
                if self.0 >= most {
                    return Next::Halt(format!(
                        "{e}; it was tried {most} times and may count as refused, and three refusals disable the profile: set it right, then SIGHUP"
                    ));
                }
                let minutes = wait.as_secs() / 60;
                Next::Again(
                    Some(wait),
                    format!(
                        "{e}; it may count as refused: it is tried again in {minutes} minutes, {} of {most}",
                        self.0
                    ),
                )
            }
            e => Next::Again(None, format!("{e}; it is tried again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b5_a_refused_login_halts_one_of_a_system_that_is_down_does_not_and_an_unknown_one_is_tried_thrice() {
        for (message, state, code) in [
            ("Password is incorrect.", "08004", -99_999),
            ("Kennwort ist falsch.", "08004", 0),
            ("whatever it is", "28000", 0),
            ("[CPF22E3] User profile AUDITOR is disabled.", "", 0),
            ("CPF22E2", "08S01", 0),
            ("User ID is not known.", "", 0),
            ("comm rc=8002 - CWBSY0002", "08S01", 8_002),
        ] {
            let e = failed(message, state, code);
            assert!(matches!(e, QueryError::Refused(_)), "{message}: {e:?}");
            assert!(matches!(Logins::default().next(&e), Next::Halt(_)));
        }
        for (message, state) in [
            ("The application requester cannot establish the connection.", "08001"),
            ("Connection refused", ""),
            ("the database server is not started", ""),
            ("shut down", "57017"),
        ] {
            let e = failed(message, state, 0);
            assert!(matches!(e, QueryError::Lost(_)), "{message}: {e:?}");
            let mut logins = Logins::default();
            assert!((0..100).all(|_| matches!(logins.next(&e), Next::Again(None, _))));
        }
        let e = failed("no login", "", 0);
        let mut logins = Logins::default();
        for _ in 0..2 {
            assert!(matches!(logins.next(&e), Next::Again(Some(wait), _) if wait == UNSURE.0), "{e:?}");
            // What comes between does not begin the count anew.
            logins.next(&QueryError::Lost("the server has closed".to_owned()));
        }
        assert!(matches!(logins.next(&e), Next::Halt(_)));
        logins.succeeded();
        assert!(matches!(logins.next(&e), Next::Again(..)));
    }
}
