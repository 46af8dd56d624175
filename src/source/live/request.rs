//! What a reader of a live system asks next. Readers neither send nor wait: they are told the answers, so that a test can be the
//! system, and say what came of them.
use super::{
    news::{Poll, Update},
    query::{Answer, Query, QueryError, Rows},
};

/// A call of [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The first rows of a query.
    Start {
        /// The statement.
        sql: String,
        /// Its parameters.
        parameters: Vec<String>,
        /// Rows that are wanted at most.
        rows: usize,
    },
    /// The next rows.
    More {
        /// The name of the rest.
        rest: String,
        /// Rows that are wanted at most.
        rows: usize,
    },
    /// The rest is not wanted. It is answered without rows.
    Close {
        /// Its name.
        rest: String,
    },
    /// All rows of a query that has few.
    All {
        /// The statement.
        sql: String,
        /// Its parameters.
        parameters: Vec<String>,
    },
}

impl Request {
    /// All rows of a query that has few.
    pub fn all(sql: &str, parameters: &[&str]) -> Request {
        Request::All { sql: sql.to_owned(), parameters: parameters.iter().map(|p| (*p).to_owned()).collect() }
    }

    /// Makes the call.
    pub async fn ask(&self, db: &mut impl Query) -> Answer {
        match self {
            Request::Start { sql, parameters, rows } => db.start(sql, &texts(parameters), *rows).await,
            Request::More { rest, rows } => db.more(rest, *rows).await,
            Request::Close { rest } => db.close(rest).await.map(|()| Rows::default()),
            Request::All { sql, parameters } => {
                let rows = db.all(sql, &texts(parameters)).await?;
                Ok(Rows { rows, rest: None })
            }
        }
    }
}

fn texts(parameters: &[String]) -> Vec<&str> {
    parameters.iter().map(String::as_str).collect()
}

/// What a reader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// An answer.
    Ask(Request),
    /// Nothing more for this look.
    Done(Poll),
}

/// A reader that looks again and again for what is new.
pub trait Tail {
    /// Begins a look; one that is under way is forgotten.
    fn begin(&mut self) -> Result<Request, QueryError>;

    /// Takes the answer to what was asked last; what it brings goes to `news`. An error ends the look, and the connection is of no
    /// use any more.
    fn answered(&mut self, answer: Answer, news: &mut Vec<Update>) -> Result<Next, QueryError>;
}
