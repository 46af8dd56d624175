//! Following the history log by queries: HISTORY_LOG_INFO from the time of the last message on.
//!
//! The service has no key: rows are numbered by query. The place is a time and what was seen of it, so that of messages with equal
//! times, which may stand on both sides of a page's edge, none is lost and none comes twice. A message that is written with an older
//! time, behind a clock that was set back, is not seen.
use super::{
    entry::{hex, timestamp},
    news::{From, HistoryPlace, Mark, Poll, Update},
    query::{Answer, Endless, QueryError, Row, Rows},
    request::{Next, Request, Tail},
    statements,
};
use crate::{
    decode::{ebcdic::Charset, history::compose::HistoryComposer},
    digest::{checksum, hex as in_hex},
    source::{
        derived::history_row::{self as history, Tokens},
        frame,
    },
};

/// Messages of one look, and of one answer.
const MOST: usize = 20_000;
const ANSWER: usize = 1_000;
/// What a source begins with that wants all there is.
const OLDEST: &str = "1980-01-01-00.00.00.000000";
/// Behind every message.
const END: &str = "9999-12-30-00.00.00.000000";

/// Follows the history log.
pub struct HistoryTail {
    composer: HistoryComposer,
    charset: &'static Charset,
    place: HistoryPlace,
    look: Look,
}

/// A look that is under way.
#[derive(Default)]
struct Look {
    /// The time that it began with, whose messages come again; each of these is passed over once.
    since: String,
    again: Vec<String>,
    read: usize,
    endless: Endless,
    /// It read enough, and the rest was given back.
    is_over: bool,
}

impl HistoryTail {
    /// Goes on from a place, or from where `from` says; `now` is the system's time.
    pub fn new(
        composer: HistoryComposer,
        charset: &'static Charset,
        place: Option<HistoryPlace>,
        from: &From,
        now: &str,
    ) -> HistoryTail {
        let begin = match from {
            From::Oldest => OLDEST.to_owned(),
            From::Time(time) => timestamp(time),
            From::Now | From::Entry(..) => timestamp(now),
        };
        let place = place.unwrap_or(HistoryPlace { time: begin, seen: Vec::new() });
        HistoryTail { composer, charset, place, look: Look::default() }
    }

    /// Where it is.
    pub fn place(&self) -> &HistoryPlace {
        &self.place
    }

    /// Records of an answer, each behind its 4-byte length, with the mark of each.
    fn records(&mut self, found: &Rows) -> Result<(Vec<u8>, Vec<Mark>), QueryError> {
        let (mut bytes, mut marks) = (Vec::new(), Vec::new());
        for row in &found.rows {
            let time = timestamp(text(row, 0));
            let what = identity(row);
            let data = hex(text(row, 9)).map_err(|e| QueryError::Lost(e.to_string()))?;
            let record = columns(row, &time).compose(Tokens::Bytes(data), self.charset, &mut self.composer);
            if time == self.look.since
                && let Some(i) = self.look.again.iter().position(|seen| *seen == what)
            {
                self.look.again.swap_remove(i);
                continue;
            }
            frame(&mut bytes, record);
            marks.push((time, what));
        }
        Ok((bytes, marks))
    }
}

impl Tail for HistoryTail {
    fn begin(&mut self) -> Result<Request, QueryError> {
        let HistoryPlace { time, seen } = &self.place;
        if seen.len() > MOST {
            let text = format!("more than {MOST} messages of one time ({time}): no system writes so many");
            return Err(QueryError::Lost(text));
        }
        self.look = Look { since: time.clone(), again: seen.clone(), ..Look::default() };
        // Numbers of messages with the same time begin with the first of them.
        self.composer.restart();
        let parameters = vec![time.clone(), END.to_owned()];
        Ok(Request::Start { sql: statements::HISTORY.to_owned(), parameters, rows: ANSWER })
    }

    fn answered(&mut self, answer: Answer, news: &mut Vec<Update>) -> Result<Next, QueryError> {
        let found = answer?;
        if self.look.is_over {
            return Ok(Next::Done(Poll::Behind));
        }
        self.look.endless.check(&found)?;
        let (bytes, marks) = self.records(&found)?;
        self.look.read += marks.len();
        if !marks.is_empty() {
            marks.iter().for_each(|(time, what)| self.place.pass(time, what));
            news.push(Update::History(bytes, marks));
        }
        Ok(match found.rest {
            None => Next::Done(Poll::CaughtUp),
            Some(rest) if self.look.read >= MOST => {
                self.look.is_over = true;
                Next::Ask(Request::Close { rest })
            }
            Some(rest) => Next::Ask(Request::More { rest, rows: ANSWER }),
        })
    }
}

fn text(row: &Row, n: usize) -> &str {
    row.get(n).and_then(Option::as_deref).unwrap_or("")
}

/// The columns of [`statements::HISTORY`].
fn columns<'a>(row: &'a Row, time: &'a str) -> history::HistoryRow<'a> {
    history::HistoryRow {
        time,
        id: text(row, 1),
        kind: text(row, 2),
        severity: text(row, 3),
        user: text(row, 4),
        job: text(row, 5),
        program: text(row, 6),
        library: text(row, 7),
        file: text(row, 8),
        text: text(row, 10).as_bytes(),
    }
}

/// What tells a message from another one with the same time.
fn identity(row: &Row) -> String {
    let all: Vec<&str> = [1, 4, 5, 6, 9].map(|n| text(row, n)).into();
    let mut sum = in_hex(&checksum(all.join("\u{1f}").as_bytes()));
    sum.truncate(16);
    sum
}
