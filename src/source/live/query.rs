//! Asking a database of an IBM i: what every way to one can do.

use std::time::Duration;

use crate::net::wait::{Stop, Wait};

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
}

/// A connection to a database. Every call ends: by its answer, by its time, or by the wish to stop.
pub trait Query {
    /// Runs a query; its first rows, `rows` at most. Parameters are texts.
    fn start(&mut self, sql: &str, parameters: &[&str], rows: usize) -> Result<Rows, QueryError>;

    /// The next rows.
    fn more(&mut self, rest: &str, rows: usize) -> Result<Rows, QueryError>;

    /// The rest is not wanted.
    fn close(&mut self, rest: &str) -> Result<(), QueryError>;

    /// A wait for a call as a whole, however many answers it has.
    fn whole(&self) -> Wait {
        Wait::new(Duration::from_secs(60), &Stop::never())
    }

    /// All rows of a query that has few.
    fn all(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Row>, QueryError> {
        let wait = self.whole();
        let mut found = self.start(sql, parameters, 1_000)?;
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
            ended(&wait)?;
            found = self.more(&rest, 1_000)?;
        }
    }
}

/// An error once a wait is over, in the terms of queries.
pub fn ended(wait: &Wait) -> Result<(), QueryError> {
    wait.check().map_err(|e| match e.kind() {
        std::io::ErrorKind::TimedOut => QueryError::Lost(e.to_string()),
        _ => QueryError::Stopped,
    })
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

    /// A database whose lists never end.
    struct Flood(usize);

    impl Query for Flood {
        fn start(&mut self, _: &str, _: &[&str], _: usize) -> Result<Rows, QueryError> {
            let row = vec![Some("X".repeat(1_000))];
            Ok(Rows { rows: vec![row; self.0], rest: Some("more".to_owned()) })
        }

        fn more(&mut self, _: &str, rows: usize) -> Result<Rows, QueryError> {
            self.start("", &[], rows)
        }

        fn close(&mut self, _: &str) -> Result<(), QueryError> {
            Ok(())
        }
    }

    #[test]
    fn h7_a_list_that_never_ends_is_given_up_by_its_rows_its_bytes_or_because_nothing_comes() {
        for (rows, words) in [(1_000, "goes on behind"), (0, "never comes to an end")] {
            let error = Flood(rows).all("", &[]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
