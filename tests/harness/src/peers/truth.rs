//! What a capture really holds (the truth file of `make_capture.py`), and what a receiver must therefore give back.
//!
//! The tables [`SD`], [`CEF`] and [`LEEF`] name each value's place in a line; this is the one place to edit when a name
//! changes. Every expected value is [`printable`]; one that is empty must be absent.

use crate::ebcdic::is_format;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A value of the truth as a line shows it, `None` where the line leaves it out.
type Expected = fn(&Truth) -> Option<String>;

/// Name in a line, and the value it must have.
pub type Names = &'static [(&'static str, Expected)];

/// RFC 5424 structured data: parameters that are not layout fields, of whatever SD-ID the product uses.
pub const SD: Names = &[
    ("user", |t| t.header("user_name")),
    ("jobuser", |t| t.header("job_user")),
    ("receiver", |t| t.header("receiver_name")),
    ("seq", |t| Some(t.sequence().to_string())),
    ("job", Truth::job),
    ("program", Truth::program),
    ("remoteaddr", |t| t.header("remote_address")),
    ("remoteport", |t| t.header("remote_port")),
];

/// CEF extension keys; a name in quotation marks is the label of a custom string.
pub const CEF: Names = &[
    ("suser", |t| t.header("user_name")),
    ("\"jobUser\"", |t| t.header("job_user")),
    ("externalId", Truth::event_id),
    ("sproc", Truth::job),
];

/// LEEF attributes.
pub const LEEF: Names = &[
    ("usrName", |t| t.header("user_name")),
    ("jobUser", |t| t.header("job_user")),
    ("jobName", Truth::job),
    ("pgmName", Truth::program),
    ("jrnSeq", |t| Some(t.sequence().to_string())),
    ("jrnRcv", |t| t.header("receiver_name")),
    ("srcPort", |t| t.header("remote_port")),
];

/// One entry of the capture.
pub struct Truth(Value);

impl Truth {
    /// Reads a truth file.
    pub fn read(path: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("truth {}: {e}", path.display()));
        text.lines()
            .map(|line| Self(serde_json::from_str(line).unwrap_or_else(|e| panic!("truth {e}: {line}"))))
            .collect()
    }

    /// A header field as a line shows it.
    pub fn header(&self, name: &str) -> Option<String> {
        shown(self.0.get("header")?.get(name).unwrap_or_else(|| panic!("the truth has no header field {name}")))
    }

    /// A field of the entry data as a line shows it; the outer `None`: the entry has no such field.
    pub fn field(&self, name: &str) -> Option<Option<String>> {
        self.0.get("fields")?.get(name).map(shown)
    }

    pub fn sequence(&self) -> u64 {
        self.header("sequence_number").and_then(|s| s.trim().parse().ok()).expect("sequence number in the truth")
    }

    /// `NNNNNN/USER/NAME`.
    pub fn job(&self) -> Option<String> {
        let number: u32 = self.header("job_number")?.parse().ok()?;
        Some(format!("{number:06}/{}/{}", self.header("job_user")?, self.header("job_name")?))
    }

    /// `LIB/PGM`, left out for `*NONE`.
    pub fn program(&self) -> Option<String> {
        let name = self.header("program_name").filter(|n| n != "*NONE")?;
        Some(format!("{}/{name}", self.header("program_library")?))
    }

    /// `RECEIVER:SEQUENCE`.
    pub fn event_id(&self) -> Option<String> {
        Some(format!("{}:{}", self.header("receiver_name")?, self.sequence()))
    }
}

fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => printable(text),
        other => other.to_string(),
    };
    Some(text).filter(|t| !t.is_empty())
}

/// Text as every line shows it, before any escaping: C0, DEL, C1 and format characters as `\xHH` or `\u{H}`, no blanks at the end.
pub fn printable(text: &str) -> String {
    let mut shown = String::new();
    for c in text.trim_end_matches(' ').chars() {
        match c {
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => shown += &format!("\\x{:02x}", u32::from(c)),
            '\u{ad}' => shown += r"\xad",
            c if is_format(c) => shown += &format!("\\u{{{:x}}}", u32::from(c)),
            _ => shown.push(c),
        }
    }
    shown
}

/// What a LEEF line can hold of a value: there is no escaping, so a pipe and the delimiter become `_`.
pub fn leef_value(text: &str, delimiter: char) -> String {
    text.replace(['|', delimiter], "_")
}
