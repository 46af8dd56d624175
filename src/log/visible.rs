//! Text of strangers for people: nothing in it that a terminal, a log or a file of lines would obey.
use std::fmt::{self, Write as _};

use crate::{
    decode::ebcdic::Unit,
    encode::escape::{Escape, is_hidden, put_str, put_unit},
};

/// The longest message; what is longer is cut, and says so.
const LONGEST: usize = 16 << 10;

/// Shows a value with `printable` applied to all that it writes.
#[derive(Clone, Copy, Debug)]
pub struct Visible<T>(pub T);

impl<T: fmt::Display> fmt::Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { to: f, keep: |_| false }, "{}", self.0)
    }
}

/// A text of several lines: only what ends a line is left of what a terminal obeys.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // A String takes everything.
    let _ = Escaping { to: &mut out, keep: |c| c == '\n' }.write_str(text);
    out
}

/// JSON as it was written, but for characters that its writer let through: they become escapes of JSON.
pub fn json(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !c.is_ascii_control() || c == '\u{7f}' {
            put_unit(Escape::Json, Unit::Char(c), &mut out);
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A message as one line, without the line feed at its end, and not longer than a message may be.
pub fn line(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    // What is cut off need not be escaped: a certificate or a server may have written megabytes.
    let end = (0..=text.len().min(LONGEST)).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
    let (kept, cut) = text.split_at(end);
    let mut out = Visible(kept).to_string();
    if !cut.is_empty() {
        let _ = write!(out, " ... ({} bytes more)", cut.len());
    }
    out
}

/// Passes on what is written to it, escaped but for the characters to keep.
struct Escaping<'a, W> {
    to: &'a mut W,
    keep: fn(char) -> bool,
}

impl<W: fmt::Write> fmt::Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut escaped = Vec::with_capacity(text.len());
        for piece in text.split_inclusive(self.keep) {
            let end = piece.char_indices().next_back().filter(|(_, c)| (self.keep)(*c)).map_or(piece.len(), |(n, _)| n);
            let (before, kept) = piece.split_at(end);
            put_str(Escape::Text, before, &mut escaped);
            escaped.extend_from_slice(kept.as_bytes());
        }
        self.to.write_str(&String::from_utf8_lossy(&escaped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h8_a_message_is_one_line_whatever_is_in_it() {
        assert_eq!(line("a\nqaudjrn: all is fine\u{1b}[2J\u{202e}\n"), r"a\x0aqaudjrn: all is fine\x1b[2J\u{202e}");
        assert_eq!(Visible(format_args!("{}-{}", "a\r", "b")).to_string(), r"a\x0d-b");
    }

    #[test]
    fn h12_a_message_is_cut_where_it_is_no_message_any_more() {
        let long = line(&"ä".repeat(40_000));
        assert!(
            long.len() < LONGEST + 40 && long.ends_with("ä ... (63616 bytes more)"),
            "{}",
            &long[long.len() - 40..]
        );
    }

    #[test]
    fn json_stays_json_and_what_it_says() {
        let value = serde_json::json!({"a\u{85}": "x\u{1b}\n\u{7f}\u{202e}\u{e0041}\"ß"});
        let text = json(&format!("{value}\n"));
        assert!(text.trim_end_matches('\n').chars().all(|c| !is_hidden(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn lines_keep_their_ends_and_nothing_else() {
        assert_eq!(lines("one\ntwo\r\n\u{9b}2J\n\n"), "one\ntwo\\x0d\n\\x9b2J\n\n");
        assert_eq!(lines("no end"), "no end");
    }
}
