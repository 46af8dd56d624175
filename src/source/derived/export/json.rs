//! Rows of a JSON export: an array of objects, or objects one behind the other (one a line).
//!
//! Objects are told apart before they are parsed, so that one that is damaged costs no other. What is damaged ends where JSON cannot
//! go on: at a line break within a text, and at an object that begins where none can. What a message says cannot pass for a row:
//! every quote in a text has a backslash before it.
use std::{
    fmt,
    io::{self, Read},
};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{
    Next,
    columns::{Cells, column, missing, name},
    decoded::NO_TEXT,
    lookahead::{Lookahead, ROW},
};

/// Containers within one another; a row has one.
const DEEPEST: usize = 64;

/// What stands at the front of some bytes that begin with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// An object of so many bytes.
    Object(usize),
    /// JSON cannot go on behind so many bytes.
    Damaged(usize),
    /// Its end is not there.
    Open,
}

/// Finds the end of the object that the bytes begin with.
fn object(bytes: &[u8]) -> Front {
    let mut within: Vec<u8> = Vec::new();
    let (mut in_text, mut escaped, mut last) = (false, false, 0);
    for (at, b) in bytes.iter().copied().enumerate() {
        if in_text {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                b'\n' => return Front::Damaged(at),
                _ => {}
            }
            continue;
        }
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'"' => in_text = true,
            b'{' | b'[' => {
                let fits = match within.last() {
                    None => at == 0,
                    Some(b'{') => last == b':',
                    Some(_) => matches!(last, b'[' | b','),
                };
                if !fits || within.len() == DEEPEST {
                    return Front::Damaged(at.max(1));
                }
                within.push(b);
            }
            b'}' | b']' => {
                within.pop();
                if within.is_empty() {
                    return Front::Object(at + 1);
                }
            }
            _ => {}
        }
        last = b;
    }
    Front::Open
}

/// Bytes that may stand between rows: white space, commas, the ends of an array, and record separators (RFC 7464).
fn is_between(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' | 0x1E)
}

/// Whether a file that begins so is an export.
pub fn is_export(front: &[u8]) -> bool {
    let between = front.iter().take_while(|b| is_between(**b)).count();
    let front = front.get(between..).unwrap_or(&[]);
    match object(front) {
        Front::Object(n) if front.first() == Some(&b'{') => {
            let row: Result<Parsed, _> = serde_json::from_slice(front.get(..n).unwrap_or(&[]));
            row.is_ok_and(|row| missing(|c| row.has.contains(&c)).is_none())
        }
        _ => false,
    }
}

/// Reads rows.
#[derive(Default)]
pub struct Json {
    /// The array that was begun is not ended.
    array: bool,
    /// A row was seen.
    begun: bool,
}

impl Json {
    /// The next row.
    pub fn next<R: Read>(&mut self, lookahead: &mut Lookahead<R>) -> io::Result<Next> {
        loop {
            let between = lookahead.bytes().iter().take_while(|b| is_between(**b)).count();
            for b in lookahead.bytes().get(..between).unwrap_or(&[]) {
                self.array = match b {
                    b'[' => true,
                    b']' => false,
                    _ => self.array,
                };
            }
            lookahead.pass(between);
            if !lookahead.bytes().is_empty() {
                break;
            }
            if !lookahead.ended() {
                lookahead.fill()?;
                continue;
            }
            if std::mem::take(&mut self.array) {
                let why = "expected ] behind the last row, got the end of the file: was it transferred whole?";
                return Ok(Next::Cut(why.to_owned(), Vec::new()));
            }
            return Ok(Next::End);
        }
        loop {
            let bytes = lookahead.bytes();
            let front = if bytes.first() == Some(&b'{') { object(bytes) } else { Front::Damaged(1) };
            match front {
                Front::Object(n) => {
                    let raw = bytes.get(..n).unwrap_or(&[]).to_vec();
                    lookahead.pass(n);
                    return Ok(self.row(raw));
                }
                Front::Damaged(n) => {
                    // Up to where the next row can begin.
                    let rest = bytes.get(n..).unwrap_or(&[]);
                    if let Some(more) =
                        memchr::memchr(b'{', rest).map(|m| n + m).or(lookahead.ended().then_some(bytes.len()))
                    {
                        let raw = bytes.get(..more).unwrap_or(&[]).to_vec();
                        let why = match self.begun || bytes.first() == Some(&b'{') {
                            true => "expected a row as a JSON object, got what JSON cannot be".to_owned(),
                            false => {
                                "expected JSON, an array of objects or one object a line, got something else".to_owned()
                            }
                        };
                        lookahead.pass(more);
                        // Half a character at the end of the file: the next row may begin with it.
                        if !lookahead.is_utf_8() && raw.last() == Some(&NO_TEXT) && lookahead.bytes().is_empty() {
                            self.array = false;
                            return Ok(Next::Cut(why, raw));
                        }
                        return Ok(Next::Bad(why, raw));
                    }
                }
                Front::Open if lookahead.ended() => {
                    let raw = bytes.to_vec();
                    lookahead.pass(raw.len());
                    self.array = false;
                    return Ok(Next::Cut(
                        "expected } behind the row, got the end of the file: was it transferred whole?".to_owned(),
                        raw,
                    ));
                }
                Front::Open => {}
            }
            if lookahead.bytes().len() > ROW {
                return Ok(Next::TooLong);
            }
            lookahead.fill()?;
        }
    }

    fn row(&mut self, raw: Vec<u8>) -> Next {
        let row: Parsed = match serde_json::from_slice(&raw) {
            Ok(row) => row,
            Err(e) => return Next::Bad(format!("expected a row as a JSON object, got what is none: {e}"), raw),
        };
        // Where NULL is left out, an id may be missing in a row; in the first one it tells that it was not exported.
        let first = !std::mem::replace(&mut self.begun, true);
        match missing(|c| row.has.contains(&c)) {
            Some(missing) if first => Next::Without(missing),
            _ => Next::Row(Box::new(row.cells), raw),
        }
    }
}

/// A row, and which columns it has.
#[derive(Default)]
struct Parsed {
    cells: Cells,
    has: Vec<usize>,
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Parsed, D::Error> {
        from.deserialize_map(OfRow)
    }
}

struct OfRow;

impl<'de> Visitor<'de> for OfRow {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the columns of a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut row = Parsed::default();
        while let Some(key) = map.next_key::<String>()? {
            let Some(column) = column(key.as_bytes()) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if row.has.contains(&column) {
                return Err(A::Error::custom(format_args!("{} stands in it twice", name(column))));
            }
            row.has.push(column);
            let text = match map.next_value()? {
                Value::Null => String::new(),
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => return Err(A::Error::custom(format_args!("{} is no text and no number", name(column)))),
            };
            if let Some(cell) = row.cells.0.get_mut(column) {
                *cell = text.into_bytes();
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_end_where_they_do_and_damage_ends_where_json_cannot_go_on() {
        for (text, want) in [
            (r#"{}x"#, Front::Object(2)),
            (r#"{"a":"}\"{","b":[{"c":1},{}]} {"#, Front::Object(29)),
            (r#"{"a":"b"#, Front::Open),
            ("{\"a\":\"b\n{", Front::Damaged(7)),
            ("{\"a\":1\n{\"a\":2}", Front::Damaged(7)),
            ("{\"a\":1,\n{\"a\":2}", Front::Damaged(8)),
            ("{\"a\":{\n\"b\":[[1]]}}", Front::Object(18)),
        ] {
            assert_eq!(object(text.as_bytes()), want, "{text}");
        }
        assert_eq!(object("{\"a\":".repeat(100).as_bytes()), Front::Damaged(5 * 64));
    }

    #[test]
    fn a_file_is_an_export_when_its_first_row_has_what_is_needed() {
        for (text, is) in [
            (r#"[ {"message_id":"CPF1124","MESSAGE_TIMESTAMP":null}"#, true),
            ("{\"MESSAGE_ID\":1,\n\"MESSAGE_TIMESTAMP\":2}", true),
            (r#"{"MESSAGE_ID":"CPF1124"}"#, false),
            (r#"{"MESSAGE_ID":"1","message_id":"1","MESSAGE_TIMESTAMP":""}"#, false),
            (r#"["MESSAGE_ID","MESSAGE_TIMESTAMP"]"#, false),
            ("", false),
        ] {
            assert_eq!(is_export(text.as_bytes()), is, "{text}");
        }
    }
}
