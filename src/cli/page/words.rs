//! Names of entries and of files, times and spans of time, for people.
use std::path::Path;

use chrono::DateTime;

use crate::{decode::ebcdic::Charset, encode::escape::printable, event::EntryTime};

/// A name as an entry holds it.
pub fn name(bytes: &[u8], job: &'static Charset) -> String {
    printable(&job.decode_string(bytes))
}

/// A path as people gave it.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A moment, for [`utc`].
pub const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// A second since 1970, UTC, in this form.
pub fn utc(second: i64, form: &str) -> String {
    DateTime::from_timestamp(second, 0).map_or_else(|| second.to_string(), |t| t.format(form).to_string())
}

/// When an entry was written, in the system's own time, to the second.
pub fn local(time: &EntryTime) -> String {
    let text = String::from_utf8_lossy(&time.local);
    text.get(..19).unwrap_or(&text).replacen('T', " ", 1)
}

/// The same with microseconds and the offset from UTC.
pub fn iso(time: &EntryTime) -> String {
    let (sign, offset) = if time.offset < 0 { ('-', -time.offset) } else { ('+', time.offset) };
    format!("{}{sign}{:02}:{:02}", String::from_utf8_lossy(&time.local), offset / 3_600, offset / 60 % 60)
}

/// Seconds for people.
pub fn duration(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{:.0} min", s as f64 / 60.0),
        s if s < 172_800 => format!("{:.1} h", s as f64 / 3_600.0),
        s => format!("{:.1} days", s as f64 / 86_400.0),
    }
}

/// A text cut to so many characters.
pub fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let head: String = text.chars().take(width - 3).collect();
    format!("{head}...")
}

/// Bytes for people.
pub fn bytes(n: u64) -> String {
    match n {
        n if n >= 1_000_000_000 => format!("{:.2} GB", n as f64 / 1e9),
        n if n >= 1_000_000 => format!("{:.2} MB", n as f64 / 1e6),
        n if n >= 1_000 => format!("{:.1} kB", n as f64 / 1e3),
        n => format!("{n} bytes"),
    }
}
