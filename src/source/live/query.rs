//! Asking a database of an IBM i: what every way to one can do.
use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::net::wait::no_answer;

/// Rows, and bytes in them, of an answer that is held as a whole: lists of receivers and columns have hundreds.
const MOST: (usize, usize) = (100_000, 64 << 20);
/// Answers without a row, one after the other, that say there is more.
const MOST_EMPTY: u32 = 16;

/// A row: a text for each column, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// The text of a column without blanks around it; empty for NULL.
pub fn text(row: &Row, n: usize) -> &str {
    row.get(n).and_then(Option::as_deref).unwrap_or("").trim()
}

/// Some rows of an answer.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Row>,
    /// Under which name the rest is asked for; `None` when there is no more.
    pub rest: Option<String>,
}

impl Rows {
    /// Bytes of the texts.
    pub fn size(&self) -> usize {
        self.rows.iter().flatten().flatten().map(String::len).sum()
    }
}

/// Finds answers that never end: without rows, they say again and again that there is more.
#[derive(Default)]
pub struct Endless(u32);

impl Endless {
    /// The next of an answer's rows.
    pub fn check(&mut self, found: &Rows) -> Result<(), QueryError> {
        self.0 = if found.rows.is_empty() && found.rest.is_some() { self.0 + 1 } else { 0 };
        if self.0 < MOST_EMPTY {
            return Ok(());
        }
        Err(QueryError::Lost(format!(
            "{MOST_EMPTY} answers without rows say that there is more: the server never comes to an end"
        )))
    }
}

/// Some rows, or why there are none.
pub type Answer = Result<Rows, QueryError>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A login failed, and it is not known whether it counts towards the three that disable the profile.
    #[error("the login fails: {0}")]
    Unsure(String),
    /// The login was refused. It is never tried again: three refusals disable the profile.
    #[error("the login is refused: {0}")]
    Refused(String),
    /// The database answers with an error.
    #[error("{message} (SQLSTATE {state}, SQLCODE {code})")]
    Sql {
        /// In its words.
        message: String,
        /// SQLSTATE; empty where it says none.
        state: String,
        /// SQLCODE.
        code: i64,
    },
    /// The connection is gone, or nothing comes.
    #[error("{0}")]
    Lost(String),
    /// The agent stops.
    #[error("given up, because the agent stops")]
    Stopped,
}

impl QueryError {
    /// The message id of an error of the system, such as CPF9801: it stands in the text.
    pub fn message_id(&self) -> Option<&str> {
        let QueryError::Sql { message, .. } = self else { return None };
        let is_id = |word: &&str| {
            word.len() == 7
                && word.starts_with("CPF")
                && word.bytes().skip(3).all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        };
        message.split(|c: char| !c.is_ascii_alphanumeric()).find(is_id)
    }

    /// Nothing in the range that was asked for: CPF7062, which is normal.
    pub fn is_no_entries(&self) -> bool {
        self.message_id() == Some("CPF7062")
    }

    /// The receiver or the number is not there.
    pub fn is_loss(&self) -> bool {
        matches!(self.message_id(), Some("CPF9801" | "CPF9810" | "CPF9812" | "CPF7025" | "CPF7053"))
    }

    /// The user may not.
    pub fn is_denied(&self) -> bool {
        let QueryError::Sql { state, .. } = self else { return false };
        self.message_id() == Some("CPF9802") || state == "42501"
    }
}

/// How long a call may take, and the wish to stop.
#[derive(Clone, Debug)]
pub struct Bound {
    end: Instant,
    limit: Duration,
    stop: CancellationToken,
}

impl Bound {
    /// Begins now.
    pub fn new(limit: Duration, stop: &CancellationToken) -> Bound {
        Bound { end: Instant::now() + limit, limit, stop: stop.clone() }
    }

    /// An error once it is over.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.stop.is_cancelled() {
            return Err(QueryError::Stopped);
        }
        if Instant::now() >= self.end { Err(self.over()) } else { Ok(()) }
    }

    fn over(&self) -> QueryError {
        QueryError::Lost(no_answer(self.limit).to_string())
    }

    /// What comes within it. Asked again and again by something that always has an answer at once, it ends all the same.
    pub async fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, QueryError> {
        self.check()?;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(QueryError::Stopped),
            came = call => Ok(came),
            () = sleep_until(self.end) => Err(self.over()),
        }
    }
}

/// A connection to a database. Every call ends: by its answer, by its time, or by the wish to stop. One that was given up, or whose
/// future was dropped, may leave a connection that answers nothing more.
pub trait Query: Send {
    /// Runs a query; its first rows, `rows` at most. Parameters are texts.
    fn start(&mut self, sql: &str, parameters: &[&str], rows: usize) -> impl Future<Output = Answer> + Send;

    /// The next rows.
    fn more(&mut self, rest: &str, rows: usize) -> impl Future<Output = Answer> + Send;

    /// The rest is not wanted.
    fn close(&mut self, rest: &str) -> impl Future<Output = Result<(), QueryError>> + Send;

    /// The bound of a call as a whole, however many answers it has.
    fn whole(&self) -> Bound {
        Bound::new(Duration::from_secs(60), &CancellationToken::new())
    }

    /// All rows of a query that has few.
    fn all(&mut self, sql: &str, parameters: &[&str]) -> impl Future<Output = Result<Vec<Row>, QueryError>> + Send {
        async move {
            let bound = self.whole();
            let mut found = self.start(sql, parameters, 1_000).await?;
            let (mut rows, mut size, mut endless) = (Vec::new(), 0, Endless::default());
            loop {
                endless.check(&found)?;
                size += found.size();
                rows.append(&mut found.rows);
                if rows.len() > MOST.0 || size > MOST.1 {
                    return Err(QueryError::Lost(format!(
                        "a list that has some hundred rows goes on behind {} rows and {size} bytes",
                        rows.len()
                    )));
                }
                let Some(rest) = found.rest else { return Ok(rows) };
                bound.check()?;
                found = self.more(&rest, 1_000).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_are_found_in_the_text() {
        let error = |message: &str| QueryError::Sql { message: message.into(), state: String::new(), code: -443 };
        assert_eq!(error("[CPF9801] Object AUDRCV0001 in library QGPL not found.").message_id(), Some("CPF9801"));
        assert_eq!(error("SQL0443: CPF70A2 is none of CPF12").message_id(), Some("CPF70A2"));
        assert_eq!(error("nothing").message_id(), None);
    }

    /// A database whose lists never end, and come after so long.
    struct Flood(usize, Duration);

    impl Query for Flood {
        async fn start(&mut self, _: &str, _: &[&str], _: usize) -> Answer {
            tokio::time::sleep(self.1).await;
            let row = vec![Some("X".repeat(1_000))];
            Ok(Rows { rows: vec![row; self.0], rest: Some("more".to_owned()) })
        }

        async fn more(&mut self, _: &str, rows: usize) -> Answer {
            self.start("", &[], rows).await
        }

        async fn close(&mut self, _: &str) -> Result<(), QueryError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn h7_a_list_that_never_ends_is_given_up_by_its_rows_its_bytes_its_time_or_because_nothing_comes() {
        let quick = Duration::ZERO;
        for (rows, takes, words) in [
            (1_000, quick, "goes on behind"),
            (0, quick, "never comes to an end"),
            (1, Duration::from_secs(1), "no answer within 60 s"),
        ] {
            let error = Flood(rows, takes).all("", &[]).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn h7_a_call_ends_by_its_answer_its_time_or_the_wish_to_stop() {
        let stop = CancellationToken::new();
        let bound = Bound::new(Duration::from_secs(3), &stop);
        assert_eq!(bound.within(async { 1 }).await, Ok(1));
        let never = bound.within(std::future::pending::<()>()).await;
        assert_eq!(never, Err(QueryError::Lost("no answer within 3 s".to_owned())));
        // Also where there is always one more answer.
        assert_eq!(bound.within(async { 1 }).await, Err(QueryError::Lost("no answer within 3 s".to_owned())));
        let bound = Bound::new(Duration::from_secs(3), &stop);
        let stopped = tokio::join!(bound.within(std::future::pending::<()>()), async { stop.cancel() }).0;
        assert_eq!(stopped, Err(QueryError::Stopped));
        assert_eq!(bound.within(async { 1 }).await, Err(QueryError::Stopped));
    }
}
