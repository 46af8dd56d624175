//! The calls of the driver manager.
//!
//! A driver may block for as long as it likes, so a thread of its own holds the connection, and every call is waited for no longer
//! than its time, or until the agent stops. A thread that does not come back is left behind with its connection; only
//! [`MOST_HANGING`] of them, then no more connections are made.
//! Rows are read value by value as UTF-16: the length of a text is not always known before, and UTF-16 depends on no locale.
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use odbc_api::{
    Connection, ConnectionOptions, Cursor, CursorImpl, Error, ResultSetMetadata, environment, handles::StatementImpl,
    parameter::VarCharSlice,
};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Dialect, Login, OdbcOptions};
use crate::{
    net::connect::Connector,
    runtime::blocking,
    source::live::{
        query::{Answer, Bound, Query, QueryError, Row, Rows},
        secret,
    },
};

/// Threads that wait for a driver that does not come back.
const MOST_HANGING: usize = 8;
/// How much longer than the driver is told an answer is waited for: the driver's own error says more.
const GRACE: Duration = Duration::from_secs(2);
/// How long the end of a connection is waited for.
const GOODBYE: Duration = Duration::from_millis(500);

static HANGING: AtomicUsize = AtomicUsize::new(0);

/// What the thread is asked for.
enum Request {
    Start { sql: String, parameters: Vec<String>, rows: usize },
    More { rest: String, rows: usize },
    Close { rest: String },
}

/// A request, and where its answer goes.
type Call = (Request, oneshot::Sender<Answer>);

/// A connection that is logged in.
pub struct Odbc {
    /// Gone while a call is under way: once one was not answered in time, nothing more is asked.
    calls: Option<Sender<Call>>,
    /// Comes with the end of the thread.
    ended: oneshot::Receiver<()>,
    end: Arc<End>,
    dialect: Dialect,
    limit: Duration,
    stop: CancellationToken,
}

/// Connects and logs in; with it, the name of the database.
pub async fn connect(options: &OdbcOptions, connector: &Connector) -> Result<(Odbc, String), QueryError> {
    let hanging = HANGING.load(Ordering::SeqCst);
    if hanging >= MOST_HANGING {
        let text = format!("{hanging} calls of ODBC drivers do not come back: no more are made; restart the agent");
        return Err(QueryError::Lost(text));
    }
    let target = blocking(|| Target::read(&options.login)).map_err(QueryError::Lost)?;
    let login = ConnectionOptions { login_timeout_sec: Some(seconds(connector.limit)), packet_size: None };
    let time = options.dialect.has_query_timeout().then(|| seconds(options.call_timeout));
    let (to_thread, calls) = channel();
    let (tell_hello, hello) = oneshot::channel();
    let (tell_end, ended) = oneshot::channel();
    let end = Arc::new(End::default());
    let guard = Ended { end: end.clone(), _tell: tell_end };
    let work = move || {
        let _guard = guard;
        serve(&target, login, time, tell_hello, &calls);
    };
    let thread = thread::Builder::new().name("odbc".to_owned()).spawn(work);
    thread.map_err(|e| QueryError::Lost(format!("the system has no thread for the ODBC driver ({e})")))?;
    let (limit, stop) = (options.call_timeout + GRACE, connector.stop.clone());
    let db = Odbc { calls: Some(to_thread), ended, end, dialect: options.dialect, limit, stop };
    let bound = Bound::new(connector.limit.max(options.call_timeout) + GRACE, &db.stop);
    match within(&bound, hello).await.and_then(|hello| hello) {
        Ok(hello) => {
            let name = hello.rows.into_iter().flatten().flatten().next().unwrap_or_default();
            Ok((db, name))
        }
        Err(e) => {
            db.end().await;
            Err(e)
        }
    }
}

/// What comes from the thread, within a time.
async fn within(bound: &Bound, from: oneshot::Receiver<Answer>) -> Result<Answer, QueryError> {
    match bound.within(from).await {
        Ok(came) => came.map_err(|_| QueryError::Lost("the ODBC driver's thread ended".to_owned())),
        Err(QueryError::Lost(why)) => Err(QueryError::Lost(format!("ODBC: {why}"))),
        Err(e) => Err(e),
    }
}

/// Whole seconds, one at least.
fn seconds(time: Duration) -> u32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}

impl Odbc {
    async fn call(&mut self, request: Request) -> Answer {
        let (tell, told) = oneshot::channel();
        let calls = self.calls.take().filter(|to| to.send((request, tell)).is_ok());
        let Some(calls) = calls else { return Err(QueryError::Lost("the ODBC connection is gone".to_owned())) };
        let answer = within(&self.whole(), told).await?;
        self.calls = Some(calls);
        answer
    }

    /// Ends the connection: the job on the other side ends before the next begins, or the thread is given up.
    pub async fn end(mut self) {
        self.calls = None;
        let _ = timeout(GOODBYE, &mut self.ended).await;
    }
}

impl Query for Odbc {
    async fn start(&mut self, sql: &str, parameters: &[&str], rows: usize) -> Answer {
        let sql = self.dialect.statement(sql).into_owned();
        let parameters = parameters.iter().map(|p| (*p).to_owned()).collect();
        self.call(Request::Start { sql, parameters, rows }).await
    }

    async fn more(&mut self, rest: &str, rows: usize) -> Answer {
        self.call(Request::More { rest: rest.to_owned(), rows }).await
    }

    async fn close(&mut self, rest: &str) -> Result<(), QueryError> {
        self.call(Request::Close { rest: rest.to_owned() }).await.map(|_| ())
    }

    fn whole(&self) -> Bound {
        Bound::new(self.limit, &self.stop)
    }
}

impl Drop for Odbc {
    fn drop(&mut self) {
        self.end.abandon();
    }
}

/// Whether the thread has ended, and whether it was given up before.
#[derive(Default)]
struct End(Mutex<(bool, bool)>);

impl End {
    /// Nobody waits for the thread any more: one that is at work still counts as hanging until it ends.
    fn abandon(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.0 {
            state.1 = true;
            HANGING.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Tells the end of the thread, however it comes.
struct Ended {
    end: Arc<End>,
    /// Its other half wakes when this is dropped.
    _tell: oneshot::Sender<()>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let mut state = self.end.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if state.1 {
            HANGING.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// What is connected to: with the secrets.
enum Target {
    Connection(String),
    Dsn { dsn: String, user: String, password: String },
}

impl Target {
    fn read(login: &Login) -> Result<Target, String> {
        Ok(match login {
            Login::Connection(file) => Target::Connection(secret(file, "connection string")?),
            Login::Dsn { dsn, user: None } => Target::Connection(format!("DSN={dsn}")),
            Login::Dsn { dsn, user: Some((user, file)) } => {
                Target::Dsn { dsn: dsn.clone(), user: user.clone(), password: secret(file, "password")? }
            }
        })
    }

    fn connect(&self, options: ConnectionOptions) -> Result<Connection<'static>, QueryError> {
        let environment = environment().map_err(|e| wrong(&e))?;
        let connected = match self {
            Target::Connection(text) => environment.connect_with_connection_string(text, options),
            Target::Dsn { dsn, user, password } => environment.connect(dsn, user, password, options),
        };
        connected.map_err(|e| match wrong(&e) {
            QueryError::Sql { message, state, code } if is_refusal(&message, &state, code) => {
                QueryError::Refused(format!("{message} (SQLSTATE {state})"))
            }
            other => QueryError::Lost(other.to_string()),
        })
    }
}

/// Whether a connection that could not be made was refused as a login. What nobody answered may be tried again; of
/// the rest, anything may count towards the three that disable a profile.
fn is_refusal(message: &str, state: &str, code: i64) -> bool {
    // IBM's driver says why with a message of its security services, under the state of a broken connection, and gives
    // their return code; psqlodbc passes on the words of the server.
    let is_ibms = message.contains("CWBSY") || (8_001..9_000).contains(&code);
    let of_postgresql = ["authentication failed", "no password supplied", "pg_hba.conf", "role \"", "database \""];
    let is_nobody = ["08", "IM", "57", "53", "HYT"].iter().any(|class| state.starts_with(class));
    is_ibms || !is_nobody || of_postgresql.iter().any(|words| message.contains(words))
}

/// The thread: connects, and answers until nobody asks.
fn serve(
    target: &Target,
    login: ConnectionOptions,
    time: Option<u32>,
    hello: oneshot::Sender<Answer>,
    calls: &Receiver<Call>,
) {
    let connection = match target.connect(login) {
        Ok(connection) => connection,
        Err(e) => {
            let _ = hello.send(Err(e));
            return;
        }
    };
    let name = connection.database_management_system_name().unwrap_or_else(|_| "ODBC".to_owned());
    if hello.send(Ok(Rows { rows: vec![vec![Some(name)]], rest: None })).is_err() {
        return;
    }
    let mut open = Open { connection: &connection, timeout: time, cursors: HashMap::new(), number: 0 };
    while let Ok((request, tell)) = calls.recv() {
        if tell.send(open.answer(request)).is_err() {
            return;
        }
    }
}

/// Answers that are not read to their end, by name.
struct Open<'c> {
    connection: &'c Connection<'static>,
    timeout: Option<u32>,
    cursors: HashMap<String, CursorImpl<StatementImpl<'c>>>,
    number: u64,
}

impl<'c> Open<'c> {
    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Start { sql, parameters, rows } => {
                let parameters: Vec<VarCharSlice<'_>> =
                    parameters.iter().map(|p| VarCharSlice::new(p.as_bytes())).collect();
                let mut statement = self.connection.preallocate().map_err(|e| wrong(&e))?;
                if let Some(seconds) = self.timeout.and_then(|s| usize::try_from(s).ok()) {
                    // Where a driver cannot, the caller's wait is the bound.
                    let _ = statement.set_query_timeout_sec(seconds);
                }
                let cursor = statement.into_cursor(&sql, parameters.as_slice()).map_err(|e| wrong(&e))?;
                let Some(cursor) = cursor else { return Ok(Rows::default()) };
                self.number += 1;
                self.fetch(format!("c{}", self.number), cursor, rows)
            }
            Request::More { rest, rows } => match self.cursors.remove(&rest) {
                Some(cursor) => self.fetch(rest, cursor, rows),
                None => Err(QueryError::Lost(format!("there is no open answer {rest}"))),
            },
            Request::Close { rest } => {
                self.cursors.remove(&rest);
                Ok(Rows::default())
            }
        }
    }

    /// The next rows; the cursor is kept when there may be more.
    fn fetch(&mut self, name: String, mut cursor: CursorImpl<StatementImpl<'c>>, most: usize) -> Answer {
        let columns = u16::try_from(cursor.num_result_cols().map_err(|e| wrong(&e))?).unwrap_or(0);
        let (mut rows, mut text) = (Vec::new(), Vec::<u16>::new());
        while rows.len() < most {
            let Some(mut found) = cursor.next_row().map_err(|e| wrong(&e))? else {
                return Ok(Rows { rows, rest: None });
            };
            let mut row = Row::with_capacity(columns.into());
            for column in 1..=columns {
                let is_there = found.get_wide_text(column, &mut text).map_err(|e| wrong(&e))?;
                row.push(is_there.then(|| String::from_utf16_lossy(&text)));
            }
            rows.push(row);
        }
        self.cursors.insert(name.clone(), cursor);
        Ok(Rows { rows, rest: Some(name) })
    }
}

/// An error of the driver manager or of the driver, on one line.
fn wrong(e: &Error) -> QueryError {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match e {
        Error::Diagnostics { record, .. } => QueryError::Sql {
            message: one_line(&String::from_utf16_lossy(&record.message)),
            state: record.state.as_str().to_owned(),
            code: record.native_error.into(),
        },
        other => QueryError::Lost(format!("ODBC: {}", one_line(&other.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_counts_as_refused_unless_nobody_answered() {
        for (message, state, code) in [
            ("comm rc=8002 - CWBSY0002 - Password for user X on system Y is not correct", "08S01", 8_002),
            ("invalid authorization specification", "28000", 0),
            ("FATAL: password authentication failed for user \"auditor\"", "08001", 101),
            ("whatever it is", "HY000", 1),
        ] {
            assert!(is_refusal(message, state, code), "{message}");
        }
        for (message, state, code) in [
            ("connection to server at \"127.0.0.1\" failed: Connection refused", "08001", 101),
            ("[unixODBC][Driver Manager]Data source name not found, and no default driver specified", "IM002", 0),
            ("FATAL: the database system is starting up", "57P03", 210),
            ("comm rc=10061 - CWBCO1003 - Sockets error, function connect() returned 10061", "08S01", 10_061),
            ("Timeout expired", "HYT00", 0),
        ] {
            assert!(!is_refusal(message, state, code), "{message}");
        }
    }
}
