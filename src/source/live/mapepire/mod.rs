//! A client of the Mapepire protocol: `connect`, `prepare_sql_execute`, `sqlmore`, `sqlclose`, no more.
//!
//! Source: PROTOCOL.md of Mapepire-IBMi/mapepire-protocol, and frames recorded from the server. A frame is one JSON object; over
//! a WebSocket (TLS, port 8076, `socket`) or a line each over the standard input and output of a program (`program`).
//! Answers may come in another order than the requests: they are told apart by their id.
mod bounds;
mod program;
mod socket;

use std::time::Duration;

use serde::{Deserialize, de::Visitor};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use self::socket::{PORT, SocketOptions};
use self::{program::Program, socket::Socket};
use super::{
    login,
    query::{Answer as Answered, Bound, Query, QueryError, Row, Rows},
    secret,
};
use crate::net::{connect::Connector, tls::pem::Pem};

/// How the server is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// A WebSocket under TLS.
    Socket(Box<SocketOptions>),
    /// A program that is started, such as `ssh HOST java -jar mapepire-server.jar --single`.
    Program(Vec<String>),
}

/// A server and who we are to it.
#[derive(Clone, Debug)]
pub struct MapepireOptions {
    /// How it is reached.
    pub transport: Transport,
    /// `technique` of `connect`: "tcp" (jt400) or "cli" (the native driver).
    pub technique: String,
    /// JDBC properties of `connect`.
    pub properties: String,
    /// How long an answer may take.
    pub call_timeout: Duration,
}

/// The password in a file.
pub fn read_password(file: &Pem) -> Result<String, String> {
    match secret(file, "password")? {
        // The server takes the login apart at the colon and answers 403.
        p if p.contains(':') => Err(format!("{file}: Mapepire cannot take a password with a colon")),
        p => Ok(p),
    }
}

/// What carries frames.
enum Frames {
    Socket(Box<Socket>),
    Program(Box<Program>),
}

impl Frames {
    async fn send(&mut self, frame: &str, bound: &Bound) -> Result<(), QueryError> {
        match self {
            Frames::Socket(socket) => socket.send(frame, bound).await,
            Frames::Program(program) => program.send(frame, bound).await,
        }
    }

    /// The next frame.
    async fn receive(&mut self, bound: &Bound) -> Result<String, QueryError> {
        match self {
            Frames::Socket(socket) => socket.receive(bound).await,
            Frames::Program(program) => program.receive(bound).await,
        }
    }
}

/// How long the last words to a server may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// A connection that is logged in.
pub struct Mapepire {
    frames: Frames,
    number: u64,
    limit: Duration,
    stop: CancellationToken,
    /// The server job on the IBM i.
    pub job: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "bounds::id")]
    id: Option<String>,
    #[serde(default)]
    success: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    sql_state: Option<String>,
    #[serde(default)]
    sql_rc: Option<i64>,
    #[serde(default, deserialize_with = "bounds::rows")]
    data: Vec<Vec<Cell>>,
    #[serde(default)]
    is_done: bool,
    #[serde(default)]
    job: Option<String>,
}

/// What is said of an error without words.
const NO_REASON: &str = "the server says no reason";
/// Frames that answer something else before a request is given up.
const MOST_FRAMES: usize = 1_000;

/// A value of a row as its text; numbers as they are written.
struct Cell(Option<String>);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Cell, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cell;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, a number, true, false or null")
            }

            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell(None))
            }

            fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
                Ok(Cell(Some(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Cell, E> {
                Ok(Cell(Some(text)))
            }

            fn visit_bool<E>(self, is: bool) -> Result<Cell, E> {
                Ok(Cell(Some(is.to_string())))
            }

            fn visit_i64<E>(self, n: i64) -> Result<Cell, E> {
                Ok(Cell(Some(n.to_string())))
            }

            fn visit_u64<E>(self, n: u64) -> Result<Cell, E> {
                Ok(Cell(Some(n.to_string())))
            }

            fn visit_f64<E>(self, n: f64) -> Result<Cell, E> {
                Ok(Cell(Some(Value::from(n).to_string())))
            }
        }
        from.deserialize_any(Text)
    }
}

impl Answer {
    fn error(self) -> QueryError {
        QueryError::Sql {
            message: self.error.unwrap_or_else(|| NO_REASON.to_owned()),
            state: self.sql_state.unwrap_or_default(),
            code: self.sql_rc.unwrap_or(0),
        }
    }

    fn rows(self, rest: &str) -> Rows {
        let rows = self.data.into_iter().map(|row| row.into_iter().map(|cell| cell.0).collect::<Row>()).collect();
        Rows { rows, rest: (!self.is_done).then(|| rest.to_owned()) }
    }
}

impl Mapepire {
    /// Connects and logs in.
    pub async fn connect(options: &MapepireOptions, connector: &Connector) -> Result<Mapepire, QueryError> {
        let frames = match &options.transport {
            Transport::Socket(to) => Frames::Socket(Box::new(Socket::connect(to, connector).await?)),
            Transport::Program(command) => Frames::Program(Box::new(Program::start(command)?)),
        };
        let (limit, stop) = (options.call_timeout, connector.stop.clone());
        let mut own = Mapepire { frames, number: 0, limit, stop, job: String::new() };
        match own.log_in(options).await {
            Ok(job) => {
                own.job = job;
                Ok(own)
            }
            Err(e) => {
                own.end().await;
                Err(e)
            }
        }
    }

    /// Says who asks; the name of the job that answers.
    async fn log_in(&mut self, options: &MapepireOptions) -> Result<String, QueryError> {
        let request = json!({
            "type": "connect",
            "technique": options.technique,
            "props": options.properties,
            "application": "qaudjrn",
        });
        let answer = self.request(request).await?.1;
        if !answer.success {
            let reason = answer.error.as_deref().unwrap_or(NO_REASON);
            let state = answer.sql_state.as_deref().unwrap_or("");
            return Err(login::failed(reason, state, answer.sql_rc.unwrap_or(0)));
        }
        Ok(answer.job.unwrap_or_default())
    }

    /// Sends a request and waits for its answer; its id with it.
    async fn request(&mut self, mut request: Value) -> Result<(String, Answer), QueryError> {
        self.number += 1;
        let id = format!("q{}", self.number);
        let kind = request.get("type").and_then(Value::as_str).unwrap_or("").to_owned();
        if let Some(fields) = request.as_object_mut() {
            fields.insert("id".to_owned(), id.clone().into());
        }
        // Of all frames together: they may come without end.
        let bound = Bound::new(self.limit, &self.stop);
        self.frames.send(&request.to_string(), &bound).await?;
        for _ in 0..MOST_FRAMES {
            let frame = self.frames.receive(&bound).await.map_err(|e| of_kind(&kind, e))?;
            let answer: Answer = serde_json::from_str(frame.trim())
                .map_err(|e| QueryError::Lost(format!("{kind}: the server's answer is no JSON that is known: {e}")))?;
            match answer.id.as_deref() {
                Some(to) if to == id => return Ok((id, answer)),
                // An answer to a request that could not be read is to the only one that was sent.
                Some(to) if to.starts_with("incomplete_") || to.starts_with("unparseable_") => {
                    return Err(answer.error());
                }
                // To one that is not waited for any more.
                _ => {}
            }
        }
        Err(QueryError::Lost(format!("{kind}: {MOST_FRAMES} frames came that answer something else")))
    }

    /// Says that nothing more is asked, so that the job on the IBM i ends at once; nobody waits for the answer.
    pub async fn end(mut self) {
        let bound = Bound::new(GOODBYE, &CancellationToken::new());
        let _ = self.frames.send(&json!({ "id": "exit", "type": "exit" }).to_string(), &bound).await;
        if let Frames::Program(program) = self.frames {
            program.end().await;
        }
    }
}

/// An error with the request that it is of.
fn of_kind(kind: &str, e: QueryError) -> QueryError {
    match e {
        QueryError::Lost(why) => QueryError::Lost(format!("{kind}: {why}")),
        other => other,
    }
}

impl Query for Mapepire {
    async fn start(&mut self, sql: &str, parameters: &[&str], rows: usize) -> Answered {
        let mut request = json!({ "type": "sql", "sql": sql, "rows": rows, "terse": true });
        if !parameters.is_empty() {
            request["type"] = "prepare_sql_execute".into();
            request["parameters"] = parameters.into();
        }
        let (id, answer) = self.request(request).await?;
        if answer.success { Ok(answer.rows(&id)) } else { Err(answer.error()) }
    }

    async fn more(&mut self, rest: &str, rows: usize) -> Answered {
        // The answer has no field that says it is terse: it is as the first rows were.
        let (_, answer) = self.request(json!({ "type": "sqlmore", "cont_id": rest, "rows": rows })).await?;
        if answer.success { Ok(answer.rows(rest)) } else { Err(answer.error()) }
    }

    async fn close(&mut self, rest: &str) -> Result<(), QueryError> {
        self.request(json!({ "type": "sqlclose", "cont_id": rest })).await.map(|_| ())
    }

    fn whole(&self) -> Bound {
        Bound::new(self.limit, &self.stop)
    }
}
