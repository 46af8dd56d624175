//! Following the history log by queries: HISTORY_LOG_INFO from the time of the last message on.
//!
//! The service has no key: rows are numbered by query. The place is a time and what was seen of it, so that of messages with equal
//! times, which may stand on both sides of a page's edge, none is lost and none comes twice. A message that is written with an older
//! time, behind a clock that was set back, is not seen.
use super::{
    entry::{hex, timestamp},
    news::{From, HistoryPlace, Mark, Poll},
    query::{Endless, Query, QueryError, Row},
    statements,
};
use crate::{
    decode::{ebcdic::Charset, history::compose::HistoryComposer},
    digest::{checksum, hex as in_hex},
    source::{
        frame,
        history::row::{self as history, Tokens},
    },
};

/// Messages of one look.
const MOST: usize = 20_000;
/// What a source begins with that wants all there is.
const OLDEST: &str = "1980-01-01-00.00.00.000000";
/// Behind every message.
const END: &str = "9999-12-30-00.00.00.000000";

/// Follows the history log.
pub struct HistoryTail {
    composer: HistoryComposer,
    charset: &'static Charset,
    place: HistoryPlace,
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
        HistoryTail { composer, charset, place }
    }

    /// Where it is.
    pub fn place(&self) -> &HistoryPlace {
        &self.place
    }

    /// Looks once. Hands out records, each behind its 4-byte length, with the mark of each.
    pub fn look(
        &mut self,
        db: &mut dyn Query,
        sink: &mut dyn FnMut(Vec<u8>, Vec<Mark>) -> bool,
    ) -> Result<Poll, QueryError> {
        if self.place.seen.len() > MOST {
            let text = format!("more than {MOST} messages of one time ({}): no system writes so many", self.place.time);
            return Err(QueryError::Lost(text));
        }
        // Those of the place's own time come again; each that was seen is passed over once.
        let mut again = self.place.seen.clone();
        let since = self.place.time.clone();
        // Numbers of messages with the same time begin with the first of them.
        self.composer.restart();
        let mut found = db.start(statements::HISTORY, &[&since, END], 1_000)?;
        let (mut read, mut endless) = (0, Endless::default());
        loop {
            endless.check(&found)?;
            let (mut bytes, mut marks) = (Vec::new(), Vec::new());
            for row in &found.rows {
                let time = timestamp(text(row, 0));
                let what = identity(row);
                let data = hex(text(row, 9)).map_err(|e| QueryError::Lost(e.to_string()))?;
                let record = columns(row, &time).compose(Tokens::Bytes(data), self.charset, &mut self.composer);
                if time == since
                    && let Some(i) = again.iter().position(|seen| *seen == what)
                {
                    again.swap_remove(i);
                    continue;
                }
                frame(&mut bytes, record);
                marks.push((time, what));
            }
            read += marks.len();
            if !marks.is_empty() {
                marks.iter().for_each(|(time, what)| self.place.pass(time, what));
                if !sink(bytes, marks) {
                    return Err(QueryError::Stopped);
                }
            }
            let Some(rest) = found.rest.take() else { break };
            if read >= MOST {
                db.close(&rest)?;
                return Ok(Poll::Behind);
            }
            found = db.more(&rest, 1_000)?;
        }
        Ok(Poll::CaughtUp)
    }
}

fn text(row: &Row, n: usize) -> &str {
    row.get(n).and_then(Option::as_deref).unwrap_or("")
}

/// The columns of [`statements::HISTORY`].
fn columns<'a>(row: &'a Row, time: &'a str) -> history::Row<'a> {
    history::Row {
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
