//! Reading a range of entries of one receiver: an answer at a time, with the data that did not come with its entry.
use std::{fmt::Display, vec};

use super::{
    entry::{self, Reader},
    journal_tail::TailOptions,
    query::{Answer, Endless, QueryError, Row},
    receivers::Receiver,
    request::Request,
    statements::{self, Columns, DATA},
};
use crate::source::frame;

/// Bytes of an answer, by those of the answer before; and rows that are asked for while nothing is known of their bytes. Entries
/// may be 200 bytes or 30,000, twice that in hexadecimal.
const ANSWER: usize = 4 << 20;
const FEW_ROWS: usize = 100;
/// Bytes of data of an entry that are asked for: a record holds no more.
const MOST_DATA: usize = 65_535;

/// Reads one range after the other.
pub(super) struct RangeReader {
    options: TailOptions,
    page: String,
    rest: String,
    reader: Reader,
    /// Rows that are asked for at a time, so that an answer is no longer than it may be.
    rows: usize,
    range: Option<Range>,
}

/// The range that is read.
struct Range {
    receiver: Receiver,
    to: u64,
    /// The last number of which the row came.
    read: u64,
    endless: Endless,
    /// Rows of the last answer that are no records yet.
    rows: vec::IntoIter<Row>,
    /// The entry whose data is asked for.
    partial: Option<Partial>,
    records: Records,
    /// Under which name more rows are asked for.
    rest: Option<String>,
}

/// An entry whose data did not all come with it.
struct Partial {
    row: Row,
    sequence: u64,
    stated: usize,
    data: Vec<u8>,
}

/// Records of one answer.
#[derive(Default)]
pub(super) struct Records {
    /// Each behind its 4-byte length.
    pub(super) bytes: Vec<u8>,
    /// The number of each.
    pub(super) numbers: Vec<u64>,
}

/// What came of an answer.
pub(super) enum Progress {
    /// More is to be asked before anything can be handed out.
    Ask(Request),
    /// Records, and what is asked for next; nothing where the range is read.
    Read(Records, Option<Request>),
}

impl RangeReader {
    pub(super) fn new(options: TailOptions, columns: Columns, reader: Reader) -> RangeReader {
        let (page, rest) = (statements::page(columns), statements::rest());
        RangeReader { options, page, rest, reader, rows: FEW_ROWS, range: None }
    }

    /// Begins with a range of a receiver, both ends in it.
    pub(super) fn begin(&mut self, receiver: &Receiver, from: u64, to: u64) -> Request {
        self.range = Some(Range {
            receiver: receiver.clone(),
            to,
            read: from.saturating_sub(1),
            endless: Endless::default(),
            rows: Vec::new().into_iter(),
            partial: None,
            records: Records::default(),
            rest: None,
        });
        Request::Start {
            sql: self.page.clone(),
            parameters: parameters(&self.options, receiver, from, to).into(),
            rows: self.rows.min(self.options.rows),
        }
    }

    /// Takes an answer. Behind an error the range is given up.
    pub(super) fn answered(&mut self, answer: Answer) -> Result<Progress, QueryError> {
        let Some(mut range) = self.range.take() else { return Err(wrong(&"an answer that nobody asked for")) };
        let found = answer?;
        match range.partial.take() {
            Some(mut partial) => {
                let more = found.rows.first().and_then(|row| row.first()).and_then(Option::as_deref).unwrap_or("");
                let more = entry::hex(more).map_err(|e| wrong(&e))?;
                // A short answer is the end: what is stated and not there makes the entry an incomplete one.
                let short = more.len() < DATA;
                partial.data.extend(more);
                if let Some(request) = self.complete(&mut range, partial, short) {
                    self.range = Some(range);
                    return Ok(Progress::Ask(request));
                }
            }
            None => {
                range.endless.check(&found)?;
                if !found.rows.is_empty() {
                    self.rows = (ANSWER / (found.size() / found.rows.len()).max(1)).clamp(1, self.options.rows);
                }
                range.records.numbers.reserve(found.rows.len());
                (range.rows, range.rest) = (found.rows.into_iter(), found.rest);
            }
        }
        self.go_on(range)
    }

    /// Makes records of the rows, until one lacks data or there are none.
    fn go_on(&mut self, mut range: Range) -> Result<Progress, QueryError> {
        while let Some(row) = range.rows.next() {
            let partial = self.partial(&mut range, row)?;
            if let Some(request) = self.complete(&mut range, partial, false) {
                self.range = Some(range);
                return Ok(Progress::Ask(request));
            }
        }
        let records = std::mem::take(&mut range.records);
        let more = range.rest.take().map(|rest| Request::More { rest, rows: self.rows });
        if more.is_some() {
            self.range = Some(range);
        }
        Ok(Progress::Read(records, more))
    }

    /// A row that is one of those that were asked for.
    fn partial(&self, range: &mut Range, row: Row) -> Result<Partial, QueryError> {
        let sequence = self.reader.sequence(&row).map_err(|e| wrong(&e))?;
        let r = &range.receiver;
        let (library, name) = self.reader.receiver(&row);
        if sequence <= range.read || sequence > range.to || (library, name) != (r.library.as_str(), r.name.as_str()) {
            return Err(wrong(&format!(
                "asked for {} to {} of {}, the system answers with {library}/{name}:{sequence}",
                range.read.saturating_add(1),
                range.to,
                r.name
            )));
        }
        let (stated, data) = self.reader.data(&row).map_err(|e| wrong(&e))?;
        range.read = sequence;
        Ok(Partial { row, sequence, stated, data })
    }

    /// Makes the record, or keeps the entry and asks for more of its data.
    fn complete(&mut self, range: &mut Range, partial: Partial, is_all: bool) -> Option<Request> {
        let Partial { row, sequence, stated, data } = &partial;
        if !is_all && data.len() < (*stated).min(MOST_DATA) {
            let mut all = vec![(data.len() + 1).to_string()];
            all.extend(parameters(&self.options, &range.receiver, *sequence, *sequence));
            range.partial = Some(partial);
            return Some(Request::All { sql: self.rest.clone(), parameters: all });
        }
        frame(&mut range.records.bytes, self.reader.record(row, *sequence, data, *stated));
        range.records.numbers.push(*sequence);
        None
    }
}

/// The parameters of [`statements::page`].
fn parameters(o: &TailOptions, r: &Receiver, from: u64, to: u64) -> [String; 9] {
    let (from, to) = (from.to_string(), to.to_string());
    [&o.library, &o.journal, &r.library, &r.name, &from, &o.codes, &r.library, &r.name, &to].map(String::clone)
}

fn wrong(e: &dyn Display) -> QueryError {
    QueryError::Lost(e.to_string())
}
