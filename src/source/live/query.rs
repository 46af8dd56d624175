//! Asking a database of an IBM i: what every way to one can do.

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

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
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

    /// All rows of a query that has few.
    fn all(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Row>, QueryError> {
        let mut found = self.start(sql, parameters, 1_000)?;
        let mut rows = found.rows;
        while let Some(rest) = found.rest {
            found = self.more(&rest, 1_000)?;
            rows.append(&mut found.rows);
        }
        Ok(rows)
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
}
