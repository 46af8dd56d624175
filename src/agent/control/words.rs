//! How an agent is, in words: for a terminal of 80 columns.
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};

use super::snapshot::{Output, Snapshot, Source};
use crate::log::{Visible, numbers::grouped};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// All of it for a terminal, the first line saying whether all is well.
pub fn text(s: &Snapshot) -> String {
    let mut out = String::new();
    for block in blocks(s) {
        let mut front = "";
        for line in block {
            put(&mut out, front, &line);
            front = "  ";
        }
    }
    out
}

/// The same as a line for each thing that it is about.
pub fn lines(s: &Snapshot) -> impl Iterator<Item = String> {
    blocks(s).into_iter().map(|block| block.join("; "))
}

/// What there is to say, by what it is about, the first line saying whether all is well.
fn blocks(s: &Snapshot) -> Vec<Vec<String>> {
    let wrong = match s.wrong.as_slice() {
        [] => "all is well".to_owned(),
        wrong => format!("something is wrong: {}", wrong.join("; ")),
    };
    let up = duration(s.uptime_seconds);
    let agent = format!("agent: version {}, up {up}, configuration {}", s.version, s.configuration);
    let percent = s.spool.bytes.saturating_mul(100).checked_div(s.spool.max_bytes).unwrap_or(0);
    let spool = format!("spool: {} of {} bytes ({percent} %)", grouped(s.spool.bytes), grouped(s.spool.max_bytes));
    let first = [wrong, agent, spool].map(|line| vec![line]);
    first.into_iter().chain(s.sources.iter().map(of_source)).chain(s.outputs.iter().map(of_output)).collect()
}

/// A source as a line.
pub fn source(s: &Source) -> String {
    of_source(s).join("; ")
}

/// An output as a line.
pub fn output(o: &Output) -> String {
    of_output(o).join("; ")
}

fn of_source(s: &Source) -> Vec<String> {
    let mut lines = vec![format!("source {}: {}", s.name, s.state)];
    if let Some(seconds) = s.down_seconds {
        lines.push(format!("not read for {}", duration(seconds)));
    }
    let counts = [("read", s.read), ("filtered", s.filtered), ("parked", s.parked), ("refused", s.refused)];
    let more = [("spooled", s.spooled), ("gaps", s.gaps), ("missing", s.missing)];
    lines.push(listed(counts.into_iter().chain(more)));
    let time = s.last_entry.and_then(DateTime::from_timestamp_micros);
    let time = time.map_or(String::new(), |t| format!(" of {}", t.to_rfc3339_opts(SecondsFormat::Secs, true)));
    if s.sequence > 0 {
        lines.push(format!("last entry: {} {}:{}{time}", s.system, s.receiver, s.sequence));
    }
    lines.extend(s.rules.iter().map(|r| format!("{} dropped by {}", grouped(r.dropped), r.rule)));
    lines
}

fn of_output(o: &Output) -> Vec<String> {
    let at = if o.address.is_empty() { String::new() } else { format!(" ({})", o.address) };
    let mut lines = vec![format!("output {}: {} for {}{at}", o.name, o.state.in_words(), duration(o.since_seconds))];
    let counts = [("sent", o.sent), ("filtered", o.filtered), ("resent", o.resent), ("refused", o.refused)];
    let more = [("unreadable", o.unreadable), ("notices", o.notices)].into_iter().filter(|(_, n)| *n > 0);
    lines.push(listed(counts.into_iter().chain(more)));
    let oldest = o.oldest_seconds.map_or(String::new(), |s| format!(", the oldest for {}", duration(s)));
    let (rate, window, waiting) = (o.rate, grouped(o.in_window), grouped(o.waiting));
    lines.push(format!("{rate:.1} a second, in window {window}, waiting {waiting}{oldest}"));
    if !o.last_error.is_empty() {
        let next = o.next_try_seconds.map_or(String::new(), |s| format!("; next try in {s} s"));
        lines.push(format!("last error: {}{next}", o.last_error));
    }
    if o.answered {
        lines.push("its receiver answers: is it the right port?".to_owned());
    }
    lines
}

/// A time in its two largest units: `5 s`, `3 min 20 s`, `2 h 5 min`, `4 d 7 h`.
pub fn duration(seconds: u64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let shown: Vec<String> =
        parts.iter().skip_while(|(n, _)| *n == 0).take(2).map(|(n, unit)| format!("{n} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

/// A size in the largest unit that it fills: `512 bytes`, `64.0 MiB`.
pub fn bytes(n: u64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", n as f64 / *unit as f64),
        None => format!("{n} bytes"),
    }
}

fn listed(counts: impl Iterator<Item = (&'static str, u64)>) -> String {
    counts.map(|(what, n)| format!("{what} {}", grouped(n))).collect::<Vec<_>>().join(", ")
}

/// A text that may hold anything, in lines that fit, those behind the first further in.
fn put(out: &mut String, front: &str, text: &str) {
    let text = Visible(text).to_string();
    let mut width = 0;
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let room = WIDTH.saturating_sub(width + usize::from(width > front.len()));
            let length = word.chars().count();
            if width == 0 {
                out.push_str(front);
                width = front.len();
            } else if length > room && width > front.len() + 4 {
                // A line of its own.
                let _ = write!(out, "\n{front}    ");
                width = front.len() + 4;
                continue;
            } else if width > front.len() && !out.ends_with("    ") {
                out.push(' ');
                width += 1;
            }
            // One that fits into no line is cut.
            let room = WIDTH.saturating_sub(width).max(1);
            let cut = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            let (now, rest) = word.split_at(cut);
            out.push_str(now);
            width += now.chars().count();
            if rest.is_empty() {
                break;
            }
            word = rest;
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_fits_a_terminal_whatever_names_and_errors_hold() {
        let long = "x".repeat(300);
        let source = Source {
            name: "a\u{1b}[2J\n".to_owned(),
            state: format!("waits: {}", "many words ".repeat(30)),
            down_seconds: Some(7),
            sequence: u64::MAX,
            last_entry: Some(i64::MAX),
            rules: vec![super::super::snapshot::Rule { rule: long.clone(), dropped: 3 }],
            ..Source::default()
        };
        let output = Output { name: long.clone(), last_error: long, next_try_seconds: Some(3), ..Output::default() };
        let s =
            Snapshot { sources: vec![source], outputs: vec![output], wrong: vec!["a\r".into()], ..Default::default() };
        let text = text(&s);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
        assert!(text.starts_with("something is wrong: a\\x0d\n"), "{text}");
        assert!(text.contains("next try in 3 s"), "{text}");
        assert_eq!(
            text.matches('x').count(),
            900 + "x0d\\x1b\\x0a".matches('x').count() + text.matches("next").count()
        );
    }

    #[test]
    fn times_and_sizes_are_short() {
        let times = [0, 59, 61, 3_600, 7_505, 90_000, 4 * 86_400 + 5].map(duration);
        assert_eq!(times, ["0 s", "59 s", "1 min 1 s", "1 h 0 min", "2 h 5 min", "1 d 1 h", "4 d 0 h"]);
        assert_eq!([0, 1_023, 1 << 20, 3 << 29].map(bytes), ["0 bytes", "1023 bytes", "1.0 MiB", "1.5 GiB"]);
    }

    #[test]
    fn the_first_line_says_whether_all_is_well() {
        assert!(super::text(&Snapshot::default()).starts_with("all is well\nagent: version "));
    }
}
