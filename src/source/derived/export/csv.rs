//! Rows of a CSV export (RFC 4180): texts in quotes may hold delimiters, quotes and line breaks.
use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::{
    Next,
    columns::{COUNT, Cells, column, missing, name, shortened},
    lookahead::{Lookahead, ROW},
};

/// What stands between values: in the standard, in the exports of spreadsheets in much of Europe, in tab-separated ones.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// The longest first line.
pub const HEADER: usize = 64 << 10;

/// The first line of an export.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    delimiter: u8,
    /// Its bytes, and those of what stands before it.
    length: usize,
    /// Its first name stands in quotes, which no name needs.
    quoted: bool,
    /// What each column is.
    columns: Vec<Option<usize>>,
}

impl Header {
    /// At the front of a file; or what is wrong with it.
    pub fn find(front: &[u8]) -> Result<Header, String> {
        let (said, begin) = separator(front);
        let front = front.get(begin..).unwrap_or(&[]);
        let mut best: Option<Header> = None;
        for delimiter in DELIMITERS.into_iter().filter(|d| said.is_none_or(|s| s == *d)).chain(said) {
            let found = Header::with(front, delimiter, begin);
            let known = |h: &Header| h.columns.iter().flatten().count();
            if best.as_ref().is_none_or(|b| known(&found) > known(b)) {
                best = Some(found);
            }
        }
        let Some(best) = best else { return Err("no delimiter".to_owned()) };
        let has = |c: usize| best.columns.contains(&Some(c));
        if let Some(twice) = (0..COUNT).find(|c| best.columns.iter().filter(|f| **f == Some(*c)).count() > 1) {
            return Err(format!("expected each column once in the first line, got {} twice", name(twice)));
        }
        match missing(has) {
            None => Ok(best),
            Some(missing) => {
                let line = front.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or(&[]);
                let got = match front {
                    [] => "the end of the file".to_owned(),
                    _ => format!("{:?}", shortened(&String::from_utf8_lossy(line))),
                };
                Err(format!(
                    "expected the names of the columns of QSYS2.HISTORY_LOG_INFO in the first line, with comma, semicolon or tab between them; {missing}: export it too, with the column names; got {got}"
                ))
            }
        }
    }

    fn with(front: &[u8], delimiter: u8, begin: usize) -> Header {
        let mut core = reader(delimiter);
        let (mut out, mut ends) = (vec![0; front.len()], vec![0; front.len() + 1]);
        let (mut result, mut length, nout, mut count) = core.read_record(front, &mut out, &mut ends);
        if result == ReadRecordResult::InputEmpty {
            let (rest, more) = (out.get_mut(nout..), ends.get_mut(count..));
            let (r, i, _, e) = core.read_record(&[], rest.unwrap_or(&mut []), more.unwrap_or(&mut []));
            (result, length, count) = (r, length + i, count + e);
        }
        if result != ReadRecordResult::Record {
            count = 0;
        }
        let columns = fields(&out, ends.get(..count).unwrap_or(&[])).map(column).collect();
        Header { delimiter, length: begin + length, quoted: front.first() == Some(&b'"'), columns }
    }
}

/// The line with which spreadsheets say the delimiter (`sep=;`): it, and the bytes of the line.
fn separator(front: &[u8]) -> (Option<u8>, usize) {
    match front {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', d, b'\r', b'\n', ..] if *d != b'"' => (Some(*d), 7),
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', d, b'\n' | b'\r', ..] if *d != b'"' => (Some(*d), 6),
        _ => (None, 0),
    }
}

fn reader(delimiter: u8) -> Reader {
    ReaderBuilder::new().delimiter(delimiter).build()
}

fn fields<'a>(out: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(from, to)| out.get(from..*to).unwrap_or(&[]))
}

/// Reads the rows behind the first line.
pub struct Csv {
    core: Reader,
    /// Every text stands in quotes: the names do, and those of the first row, which need none. Unknown before that.
    quoted: Option<bool>,
    columns: Vec<Option<usize>>,
    /// The texts of a row, one behind the other, and where each ends.
    out: Vec<u8>,
    ends: Vec<usize>,
}

impl Csv {
    /// Takes the first line.
    pub fn new<R: Read>(lookahead: &mut Lookahead<R>) -> io::Result<Result<Csv, String>> {
        // However small the pieces are that it comes in, the same is looked at.
        while !lookahead.ended() && lookahead.bytes().len() < HEADER {
            lookahead.fill()?;
        }
        let front = lookahead.bytes();
        Ok(Header::find(front.get(..front.len().min(HEADER)).unwrap_or(&[])).map(|header| {
            lookahead.pass(header.length);
            let Header { delimiter, columns, quoted, .. } = header;
            Csv {
                core: reader(delimiter),
                quoted: (!quoted).then_some(false),
                columns,
                out: vec![0; 4_096],
                ends: vec![0; 64],
            }
        }))
    }

    /// The next row.
    pub fn next<R: Read>(&mut self, lookahead: &mut Lookahead<R>) -> io::Result<Next> {
        loop {
            let breaks = lookahead.bytes().iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
            lookahead.pass(breaks);
            if !lookahead.bytes().is_empty() || lookahead.ended() {
                break;
            }
            lookahead.fill()?;
        }
        let (nin, count) = match self.record(lookahead, 0)? {
            Record::Whole(bytes, values) => (bytes, values),
            Record::TooLong(bytes) => {
                return Ok(match self.resume(lookahead, bytes)? {
                    Some(at) => bad(lookahead, at, format!("expected the end of a row within {ROW} bytes, got none")),
                    None => Next::TooLong,
                });
            }
            Record::End => return Ok(Next::End),
        };
        let raw = lookahead.bytes().get(..nin).unwrap_or(&[]);
        // Where quotes are doubled, those of a whole row are even in number.
        let open = memchr::memchr_iter(b'"', raw).count() % 2 == 1;
        let ends = lookahead.ended() && raw.len() == lookahead.bytes().len();
        let last = ends && (open || !matches!(raw.last(), Some(b'\n' | b'\r')));
        let (want, end) = (self.columns.len(), if last { ", and the end of the file" } else { "" });
        let why = if open || count != want {
            let got = match (open, ends) {
                (true, true) => "the end of the file within a text in quotes".to_owned(),
                (true, false) => "a text in quotes with one that is not closed".to_owned(),
                (false, _) => format!("{count}{end}"),
            };
            format!("expected {want} values, as the first line has names, got {got}")
        } else if has_hole(raw) {
            // What stands before and behind it would be one row.
            format!("expected text, got {HOLE} or more bytes of X'00': the file is damaged here")
        } else if !self.has_quotes(raw, count) {
            "expected every text in quotes, as the first row has them: one is missing in this row, or before it"
                .to_owned()
        } else {
            let row = Next::Row(self.cells(count), raw.to_vec());
            lookahead.pass(nin);
            return Ok(row);
        };
        if let Some(at) = self.resume(lookahead, nin)? {
            return Ok(bad(lookahead, at, why));
        }
        if last {
            let raw = lookahead.bytes().get(..nin).unwrap_or(&[]).to_vec();
            lookahead.pass(nin);
            return Ok(Next::Cut(why, raw));
        }
        Ok(bad(lookahead, nin, why))
    }

    /// Whether a row of so many values has the quotes that rows of this file have. Where every text stands in quotes, one that does not is
    /// what is left of a text whose quote was lost: what its author wrote is no row.
    fn has_quotes(&mut self, raw: &[u8], count: usize) -> bool {
        if self.quoted == Some(false) {
            return true;
        }
        // Numbers, and times.
        let is_number = |v: &[u8]| v.iter().all(|b| b.is_ascii_digit() || b"+-.,: ".contains(b));
        let is_text = |v: &&[u8]| !is_number(v) && !v.eq_ignore_ascii_case(b"null");
        let texts = fields(&self.out, self.ends.get(..count).unwrap_or(&[])).filter(is_text).count();
        let all = memchr::memchr_iter(b'"', raw).count() >= 2 * texts;
        *self.quoted.get_or_insert(all) == all || all
    }

    /// Takes one record apart that begins at a place of the lookahead.
    fn record<R: Read>(&mut self, lookahead: &mut Lookahead<R>, at: usize) -> io::Result<Record> {
        self.core.reset();
        let (mut nin, mut nout, mut count) = (0, 0, 0);
        loop {
            let input = lookahead.bytes().get(at + nin..).unwrap_or(&[]);
            if input.is_empty() && !lookahead.ended() {
                lookahead.fill()?;
                continue;
            }
            let (out, ends) = (self.out.get_mut(nout..), self.ends.get_mut(count..));
            let (result, i, o, e) = self.core.read_record(input, out.unwrap_or(&mut []), ends.unwrap_or(&mut []));
            (nin, nout, count) = (nin + i, nout + o, count + e);
            match result {
                ReadRecordResult::InputEmpty if nin > ROW => return Ok(Record::TooLong(nin)),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.out.resize(2 * self.out.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => return Ok(Record::Whole(nin, count)),
                ReadRecordResult::End => return Ok(Record::End),
            }
        }
    }

    /// The columns of the record that was taken apart last.
    fn cells(&self, count: usize) -> Box<Cells> {
        let mut cells = Box::<Cells>::default();
        let values = fields(&self.out, self.ends.get(..count).unwrap_or(&[]));
        for (value, column) in values.zip(&self.columns) {
            if let Some(cell) = column.and_then(|c| cells.0.get_mut(c)) {
                *cell = value.to_vec();
            }
        }
        cells
    }

    /// Within the bytes of what is no row: where the next one begins. A quote that is missing, or one too many, joins rows.
    ///
    /// Only a line counts that begins with one quote and is a row as all are. What a message says cannot pass for such a line: within a text
    /// every quote is doubled.
    fn resume<R: Read>(&mut self, lookahead: &mut Lookahead<R>, bytes: usize) -> io::Result<Option<usize>> {
        let mut from = 0;
        while let Some(at) = quoted_line(lookahead.bytes().get(..bytes).unwrap_or(&[]), from) {
            if let Record::Whole(_, count) = self.record(lookahead, at)?
                && count == self.columns.len()
                && self.cells(count).checked().is_ok()
            {
                return Ok(Some(at));
            }
            from = at;
        }
        Ok(None)
    }
}

/// What begins at a place.
enum Record {
    /// Its bytes and its values.
    Whole(usize, usize),
    /// So many bytes without an end.
    TooLong(usize),
    /// Nothing.
    End,
}

/// So many bytes of X'00' in a row are no data of a message that became text, but a block of the file that was lost. A row has more.
const HOLE: usize = 32;

fn has_hole(raw: &[u8]) -> bool {
    memchr::memchr(0, raw).is_some()
        && raw.chunk_by(|a, b| a == b).any(|run| run.first() == Some(&0) && run.len() >= HOLE)
}

/// Takes so many bytes for no row.
fn bad<R: Read>(lookahead: &mut Lookahead<R>, bytes: usize, why: String) -> Next {
    let raw = lookahead.bytes().get(..bytes).unwrap_or(&[]).to_vec();
    lookahead.pass(bytes);
    Next::Bad(why, raw)
}

/// The first line behind a place that begins with one quote.
fn quoted_line(bytes: &[u8], from: usize) -> Option<usize> {
    let starts = memchr::memchr_iter(b'"', bytes.get(from..)?).map(|n| from + n);
    let begins = |at: &usize| {
        let before = at.checked_sub(1).and_then(|b| bytes.get(b));
        *at > from && matches!(before, Some(b'\n' | b'\r')) && bytes.get(at + 1) != Some(&b'"')
    };
    starts.into_iter().find(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_names_of_the_first_line() {
        for (text, delimiter, columns) in [
            ("MESSAGE_ID,MESSAGE_TIMESTAMP\n1", b',', 2),
            ("\"MESSAGE_ID\";\"x, y\";\"MESSAGE_TIMESTAMP\"\r\n", b';', 3),
            ("sep=|\r\nMESSAGE_ID|MESSAGE_TIMESTAMP", b'|', 2),
            ("message_timestamp\tMessage Id", b'\t', 2),
        ] {
            let header = Header::find(text.as_bytes()).unwrap();
            assert_eq!((header.delimiter, header.columns.len()), (delimiter, columns), "{text}");
        }
    }

    #[test]
    fn a_first_line_without_what_is_needed_says_what_is_missing() {
        for (text, said) in [
            (&b"MESSAGE_ID;SEVERITY"[..], "MESSAGE_TIMESTAMP is missing"),
            (b"MESSAGE_TIMESTAMP", "MESSAGE_ID is missing"),
            (b"", "got the end of the file"),
            (b"MESSAGE_ID,MESSAGE_TIMESTAMP,message id", "MESSAGE_ID twice"),
            (b"some text", "got \"some text\""),
        ] {
            let error = Header::find(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
