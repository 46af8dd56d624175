//! An export of QSYS2.HISTORY_LOG_INFO, as CSV or JSON, read as length-prefixed records, one a row.
//!
//! Columns are found by their names. A row that cannot be a message becomes a record that is parked ([`placeholder`]); rows go out as they
//! stand, whatever their order. Memory is bounded by the longest row and the rows that are looked ahead at.
//!
//! MESSAGE_TOKENS is bytes: only as hexadecimal digits, as HEX() writes them, are they known. Text that something made of them is not
//! turned back, because what was in it of numbers, and in which CCSID, cannot be told: fields would be false. A text may look like
//! such digits, and its author may have wished so; so the first rows are looked at together, and what is text there is text throughout.
//! Digits of which one or two are none are damaged: of that row alone they are not known.
//!
//! What is in another encoding than UTF-8 is [decoded] first; a row with what is no text in it is parked.
pub mod columns;
pub mod csv;
pub mod decoded;
pub mod json;
pub mod lookahead;

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read},
};

use encoding_rs::Encoding;

use self::{columns::Cells, csv::Csv, decoded::WrongMark, json::Json, lookahead::Lookahead};
use super::{history_row::Tokens, placeholder, read_trace::TruncatedTail, record_queue::RecordQueue};
use crate::decode::{
    ebcdic::Charset,
    history::compose::HistoryComposer,
    journal::detect::{HistoryForm, is_utf16},
};

/// Rows with tokens that are looked at together, from the first on.
const AHEAD: usize = 64;
/// Where so many bytes or rows stand before there are as many of these: how many of them are enough.
const AHEAD_BYTES: usize = 1 << 20;
const AHEAD_ROWS: usize = 4_096;
const ENOUGH: usize = 8;
/// The front of a UTF-8 file, where it has one.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why an export cannot be read on: found in an [`io::Error`] of [`Export`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} (offset {offset}): {why}")]
pub struct ExportError {
    line: u64,
    offset: u64,
    why: String,
}

/// What a reader of rows has next.
#[derive(Debug)]
pub enum Next {
    /// A row, and its bytes.
    Row(Box<Cells>, Vec<u8>),
    /// What is no row: why, and its bytes.
    Bad(String, Vec<u8>),
    /// A row that the file ends within: why it is none, and its bytes.
    Cut(String, Vec<u8>),
    /// The first row has not all that rows need.
    Without(String),
    /// A row without an end.
    TooLong,
    /// Nothing.
    End,
}

enum Rows {
    New(HistoryForm),
    Csv(Box<Csv>),
    Json(Json),
}

/// What MESSAGE_TOKENS is in this file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Hex,
    Text,
}

/// What comes out next: a row with its line and bytes, or a record that is parked.
enum Out {
    Row(Box<Cells>, u64, Vec<u8>),
    Parked(Vec<u8>),
    Cut(Vec<u8>),
}

impl Out {
    /// MESSAGE_TOKENS of a row that has some.
    fn tokens(&self) -> &[u8] {
        match self {
            Out::Row(cells, ..) => cells.tokens(),
            Out::Parked(_) | Out::Cut(_) => &[],
        }
    }

    fn size(&self) -> usize {
        match self {
            Out::Row(_, _, raw) => raw.len(),
            Out::Parked(record) | Out::Cut(record) => record.len(),
        }
    }
}

/// What was seen of the rows ahead.
#[derive(Clone, Copy, Default)]
struct Ahead {
    rows: usize,
    bytes: usize,
    /// Rows with tokens.
    with: usize,
}

/// Turns an export into a stream of records, each behind its 4-byte length.
pub struct Export<R> {
    lookahead: Lookahead<R>,
    rows: Rows,
    composer: HistoryComposer,
    charset: &'static Charset,
    form: Form,
    ahead: VecDeque<Out>,
    seen: Ahead,
    queue: RecordQueue,
    ended: bool,
    /// What is told when the records before it are handed out.
    failed: Option<ExportError>,
}

/// Whether a file that begins so is an export, and which; in an encoding that is said, or that the mark at its front says.
pub fn is_export(front: &[u8], said: Option<&'static Encoding>) -> Option<HistoryForm> {
    let decoded = decoded::front(said, front);
    let front = decoded.as_deref().unwrap_or(front);
    let front = front.strip_prefix(MARK).unwrap_or(front);
    if json::is_export(front) {
        return Some(HistoryForm::Json);
    }
    csv::Header::find(front).is_ok().then_some(HistoryForm::Csv)
}

impl<R: Read> Export<R> {
    /// Reads an export.
    pub fn new(input: R, form: HistoryForm, composer: HistoryComposer, charset: &'static Charset) -> Export<R> {
        Export {
            lookahead: Lookahead::new(input),
            rows: Rows::New(form),
            composer,
            charset,
            form: Form::Unknown,
            ahead: VecDeque::new(),
            seen: Ahead::default(),
            queue: RecordQueue::default(),
            ended: false,
            failed: None,
        }
    }

    /// In an encoding that is said; otherwise the mark at its front says it, and without one it is UTF-8.
    pub fn with_encoding(mut self, said: Option<&'static Encoding>) -> Export<R> {
        self.lookahead.said(said);
        self
    }

    /// Which record is one of a row that the file ends within, once it is made.
    pub fn truncated_tail(&self) -> TruncatedTail {
        self.queue.truncated_tail()
    }

    fn fails(&mut self, why: String) {
        let (line, offset) = self.lookahead.position();
        self.ended = true;
        self.failed = Some(ExportError { line, offset, why });
    }

    /// Looks at the front.
    fn begin(&mut self, form: HistoryForm) -> io::Result<()> {
        let lookahead = &mut self.lookahead;
        while lookahead.bytes().len() < MARK.len() && !lookahead.ended() {
            let Err(e) = lookahead.fill() else { continue };
            let Some(WrongMark(why)) = e.get_ref().and_then(|e| e.downcast_ref::<WrongMark>()).cloned() else {
                return Err(e);
            };
            self.fails(why);
            return Ok(());
        }
        if lookahead.is_utf_8() && is_utf16(lookahead.bytes()) {
            self.fails(
                "expected UTF-8, got what looks like UTF-16: say in which byte order, with --encoding utf-16le or utf-16be (encoding =)"
                    .to_owned(),
            );
            return Ok(());
        }
        if lookahead.bytes().starts_with(MARK) {
            lookahead.pass(MARK.len());
        }
        match form {
            _ if lookahead.bytes().is_empty() && lookahead.ended() => {
                self.fails("expected rows of QSYS2.HISTORY_LOG_INFO, got the end of the file: it is empty".to_owned());
            }
            HistoryForm::Json => self.rows = Rows::Json(Json::default()),
            _ => match Csv::new(lookahead)? {
                Ok(csv) => match lookahead.no_text(usize::MAX) {
                    Some(no_text) => self.fails(no_text.why()),
                    None => self.rows = Rows::Csv(Box::new(csv)),
                },
                Err(why) => self.fails(why),
            },
        }
        Ok(())
    }

    /// Takes the next row to those that are looked at.
    fn take(&mut self) -> io::Result<()> {
        let next = match &mut self.rows {
            Rows::New(form) => {
                let form = *form;
                return self.begin(form);
            }
            Rows::Csv(rows) => rows.next(&mut self.lookahead)?,
            Rows::Json(rows) => rows.next(&mut self.lookahead)?,
        };
        let (after, _) = self.lookahead.position();
        match self.judged(next) {
            Next::Row(cells, raw) => {
                let line = after - lines(&raw);
                self.ahead.push_back(Out::Row(cells, line, raw));
            }
            Next::Bad(why, raw) => {
                let why = format!("line {}: {why}", after - lines(&raw));
                self.ahead.push_back(Out::Parked(placeholder::record(&why, &raw)));
            }
            Next::Cut(why, raw) => {
                let why = format!("line {}: {why}", after - lines(&raw));
                self.ahead.push_back(Out::Cut(placeholder::record(&why, &raw)));
            }
            Next::Without(missing) => {
                self.fails(format!("expected the columns of QSYS2.HISTORY_LOG_INFO, {missing}: export it too"));
            }
            Next::TooLong => self.fails(format!(
                "expected the end of a row within {} bytes, got none: is a quote missing? Messages before it were read",
                lookahead::ROW
            )),
            Next::End => self.ended = true,
        }
        Ok(())
    }

    /// A row with what is no text in the encoding of the file is none.
    fn judged(&mut self, next: Next) -> Next {
        let (Next::Row(_, raw) | Next::Bad(_, raw) | Next::Cut(_, raw)) = &next else { return next };
        let Some(no_text) = self.lookahead.no_text(raw.len()) else { return next };
        let why = no_text.why();
        match next {
            Next::Row(_, raw) if self.may_grow(&raw) => Next::Cut(why, raw),
            Next::Row(_, raw) | Next::Bad(_, raw) => Next::Bad(why, raw),
            Next::Cut(_, raw) => Next::Cut(why, raw),
            other => other,
        }
    }

    /// A line of CSV that is not ended may still grow, though it has all its values.
    fn may_grow(&self, raw: &[u8]) -> bool {
        matches!(self.rows, Rows::Csv(_)) && !matches!(raw.last(), Some(b'\n' | b'\r'))
    }

    /// Whether it is known what the tokens of the first row are.
    fn settle(&mut self) -> bool {
        if self.form != Form::Unknown {
            return true;
        }
        for out in self.ahead.iter().skip(self.seen.rows) {
            self.seen.rows += 1;
            self.seen.bytes += out.size();
            match out.tokens() {
                [] => {}
                tokens if hex(tokens).is_none() && !is_damaged_hex(tokens) => {
                    self.form = Form::Text;
                    return true;
                }
                _ => self.seen.with += 1,
            }
        }
        // What has none needs no answer; the answer is about the first that has, and those behind it.
        if self.ahead.front().is_some_and(|out| out.tokens().is_empty()) {
            return true;
        }
        let Ahead { rows, bytes, with } = self.seen;
        let full = bytes >= AHEAD_BYTES || rows >= AHEAD_ROWS;
        self.form = match with {
            0 => return self.ended,
            _ if self.ended || with >= AHEAD || full && with >= ENOUGH => Form::Hex,
            // A few that look so may be texts that somebody wrote to look so.
            _ if full => Form::Text,
            _ => return false,
        };
        true
    }

    fn compose(&mut self, cells: &Cells, line: u64, raw: &[u8]) {
        let open = self.may_grow(raw);
        let push = |queue: &mut RecordQueue, record: &[u8], damaged: bool| {
            if open { queue.push_cut(record, damaged) } else { queue.push(record) }
        };
        let checked = match cells.checked() {
            Ok(checked) => checked,
            Err(why) => return push(&mut self.queue, &placeholder::record(&format!("line {line}: {why}"), raw), true),
        };
        let text = cells.tokens();
        let tokens = match hex(text) {
            Some(bytes) if text.is_empty() || self.form == Form::Hex => Tokens::Bytes(bytes),
            None if self.form == Form::Hex && is_damaged_hex(text) => Tokens::Unknown(text.len() / 2),
            _ => {
                self.form = Form::Text;
                Tokens::Unknown(text.len())
            }
        };
        push(&mut self.queue, checked.row().compose(tokens, self.charset, &mut self.composer), false);
    }
}

/// Line breaks in a row.
fn lines(raw: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', raw).count() as u64
}

/// The bytes of hexadecimal digits, as HEX() or a binary literal (X'C1C2') has them.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let quoted = text.strip_prefix(b"X'").or(text.strip_prefix(b"x'")).and_then(|t| t.strip_suffix(b"'"));
    data_encoding::HEXUPPER_PERMISSIVE.decode(quoted.unwrap_or(text)).ok()
}

/// Whether nearly all of these, and enough of them, are hexadecimal digits.
fn is_damaged_hex(text: &[u8]) -> bool {
    let others = text.iter().filter(|b| !b.is_ascii_hexdigit()).count();
    text.len() >= 16 && others <= 2
}

impl<R: Read> Read for Export<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(n) = self.queue.take(to) {
                return Ok(n);
            }
            while !self.ended && (self.ahead.is_empty() || !self.settle()) {
                self.take()?;
            }
            self.settle();
            let next = self.ahead.pop_front();
            self.seen.rows = self.seen.rows.saturating_sub(1);
            self.seen.bytes = self.seen.bytes.saturating_sub(next.as_ref().map_or(0, Out::size));
            match next {
                Some(Out::Row(cells, line, raw)) => self.compose(&cells, line, &raw),
                Some(Out::Parked(record)) => self.queue.push(&record),
                Some(Out::Cut(record)) => self.queue.push_cut(&record, true),
                None => match &self.failed {
                    Some(failed) => return Err(io::Error::new(ErrorKind::InvalidData, failed.clone())),
                    None => return Ok(0),
                },
            }
        }
    }
}
