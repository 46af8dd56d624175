//! A connection to the database of a system, whichever way leads there.
use super::{
    mapepire::{Mapepire, MapepireOptions},
    odbc::{self, Odbc, OdbcOptions},
    query::{Answer, Bound, Query, QueryError},
};
use crate::net::connect::Connector;

/// A way to the database of a system.
#[derive(Clone, Debug)]
pub enum Database {
    /// A Mapepire server.
    Mapepire(MapepireOptions),
    /// An ODBC driver.
    Odbc(OdbcOptions),
}

impl Database {
    /// Connects and logs in; with it, who answers, for the log.
    pub async fn connect(&self, connector: &Connector) -> Result<(Connection, String), QueryError> {
        match self {
            Database::Mapepire(options) => {
                let db = Mapepire::connect(options, connector).await?;
                let job = format!("job {}", db.job);
                Ok((Connection::Mapepire(Box::new(db)), job))
            }
            Database::Odbc(options) => {
                let (db, name) = odbc::connect(options, connector).await?;
                Ok((Connection::Odbc(db), name))
            }
        }
    }
}

/// A connection that is logged in.
pub enum Connection {
    /// To a Mapepire server.
    Mapepire(Box<Mapepire>),
    /// Through an ODBC driver.
    Odbc(Odbc),
}

impl Connection {
    /// Ends it, so that the job on the other side ends before the next begins; within a second. A connection that is dropped
    /// without it leaves that to the other side.
    pub async fn end(self) {
        match self {
            Connection::Mapepire(db) => db.end().await,
            Connection::Odbc(db) => db.end().await,
        }
    }
}

impl Query for Connection {
    async fn start(&mut self, sql: &str, parameters: &[&str], rows: usize) -> Answer {
        match self {
            Connection::Mapepire(db) => db.start(sql, parameters, rows).await,
            Connection::Odbc(db) => db.start(sql, parameters, rows).await,
        }
    }

    async fn more(&mut self, rest: &str, rows: usize) -> Answer {
        match self {
            Connection::Mapepire(db) => db.more(rest, rows).await,
            Connection::Odbc(db) => db.more(rest, rows).await,
        }
    }

    async fn close(&mut self, rest: &str) -> Result<(), QueryError> {
        match self {
            Connection::Mapepire(db) => db.close(rest).await,
            Connection::Odbc(db) => db.close(rest).await,
        }
    }

    fn whole(&self) -> Bound {
        match self {
            Connection::Mapepire(db) => db.whole(),
            Connection::Odbc(db) => db.whole(),
        }
    }
}
