//! Asking through an ODBC driver: IBM's on a relay host, or that of a PostgreSQL that plays the system in our tests.
//!
//! The same statements as over Mapepire; where a database speaks another SQL, [`Dialect`] rewrites them, and nothing else does.
//! Options are read in every build, so that a configuration can be told what is missing; the driver manager is called
//! with the feature `odbc` only (`driver`), because the program then needs libodbc to start.
#[cfg(feature = "odbc")]
mod driver;

use std::{borrow::Cow, time::Duration};

#[cfg(feature = "odbc")]
pub use driver::{Odbc, connect};

#[cfg(not(feature = "odbc"))]
use super::query::{Answer, Query, QueryError};
#[cfg(not(feature = "odbc"))]
use crate::net::connect::Connector;
use crate::net::tls::pem::Pem;

/// Whether this program can.
pub const IS_BUILT: bool = cfg!(feature = "odbc");
/// What to do where it cannot.
pub const NOT_BUILT: &str = "this qaudjrn is built without ODBC: build it with `cargo build --release --features odbc` (on Debian that needs unixodbc-dev)";

/// A driver, who we are to it, and the SQL it takes.
#[derive(Clone, Debug)]
pub struct OdbcOptions {
    /// How it is reached.
    pub login: Login,
    /// The SQL of the database.
    pub dialect: Dialect,
    /// How long an answer may take.
    pub call_timeout: Duration,
}

/// How a database is reached.
#[derive(Clone, Debug)]
pub enum Login {
    /// A file that holds a connection string.
    Connection(Pem),
    /// A data source of odbc.ini.
    Dsn {
        /// Its name.
        dsn: String,
        /// User, and the file with the password; where it has none of its own.
        user: Option<(String, Pem)>,
    },
}

/// The SQL of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Db2 for i: the statements as they are.
    Db2i,
    /// PostgreSQL with functions and views named as those of QSYS2.
    PostgreSql,
}

impl Dialect {
    /// A statement in this SQL. PostgreSQL has no `TABLE( )` around a table function, and reads a timestamp with dots in its time
    /// only where it is told so.
    pub fn statement(self, sql: &str) -> Cow<'_, str> {
        match self {
            Dialect::Db2i => Cow::Borrowed(sql),
            Dialect::PostgreSql => Cow::Owned(
                without_table(sql)
                    .replace("CAST(? AS TIMESTAMP)", "CAST(TO_TIMESTAMP(?, 'YYYY-MM-DD-HH24.MI.SS.US') AS TIMESTAMP)"),
            ),
        }
    }

    /// Whether the driver is told how long a query may take. IBM's compares that with what the optimizer estimates and refuses
    /// the query with SQL0666 (IBM support page 641523): it bounds nothing, so it is not told.
    pub fn has_query_timeout(self) -> bool {
        self == Dialect::PostgreSql
    }
}

/// `TABLE(f(...))` as `f(...)`. No text in our statements holds a parenthesis.
fn without_table(sql: &str) -> String {
    let mut out = sql.to_owned();
    while let Some((before, inside)) = out.split_once("TABLE(") {
        let mut open = 1_u32;
        let end = inside.find(|c| {
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            open == 0
        });
        let (function, after) = inside.split_at(end.unwrap_or(inside.len()));
        out = format!("{before}{function}{}", after.strip_prefix(')').unwrap_or(after));
    }
    out
}

/// A connection: there is none.
#[cfg(not(feature = "odbc"))]
pub enum Odbc {}

/// Cannot connect: see [`NOT_BUILT`].
#[cfg(not(feature = "odbc"))]
pub async fn connect(_: &OdbcOptions, _: &Connector) -> Result<(Odbc, String), QueryError> {
    Err(QueryError::Lost(NOT_BUILT.to_owned()))
}

#[cfg(not(feature = "odbc"))]
impl Odbc {
    /// Ends it.
    pub async fn end(self) {
        match self {}
    }
}

#[cfg(not(feature = "odbc"))]
impl Query for Odbc {
    async fn start(&mut self, _: &str, _: &[&str], _: usize) -> Answer {
        match *self {}
    }

    async fn more(&mut self, _: &str, _: usize) -> Answer {
        match *self {}
    }

    async fn close(&mut self, _: &str) -> Result<(), QueryError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::{super::statements, *};

    #[test]
    fn a_table_function_is_called_without_table_in_postgresql() {
        let page = statements::page(statements::Columns { user_name: true, remote: true });
        assert_eq!(Dialect::Db2i.statement(&page), page);
        let there = Dialect::PostgreSql.statement(&page);
        assert!(there.contains("FROM QSYS2.DISPLAY_JOURNAL(JOURNAL_LIBRARY => CAST(? AS VARCHAR(10)),"), "{there}");
        assert!(there.ends_with("ENDING_SEQUENCE => CAST(? AS DECIMAL(21,0))) AS E"), "{there}");
        let there = Dialect::PostgreSql.statement(statements::AT_TIME);
        assert!(
            there.contains("ENDING_RECEIVER_NAME => CAST(? AS VARCHAR(10))) AS E FETCH FIRST 1 ROW ONLY"),
            "{there}"
        );
        assert!(there.contains("STARTING_TIMESTAMP => CAST(TO_TIMESTAMP(?, "), "{there}");
        for sql in [statements::CHAIN, statements::JOURNAL, statements::COLUMNS, statements::SYSTEM] {
            assert_eq!(Dialect::PostgreSql.statement(sql), sql);
        }
        assert_eq!(without_table("FROM TABLE(F(1)) A, TABLE(G((2))) B"), "FROM F(1) A, G((2)) B");
    }
}
