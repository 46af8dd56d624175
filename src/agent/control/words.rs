//! How an agent is, in words: for a terminal of 80 columns.
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat};

use super::snapshot::{Output, Snapshot, Source};
use crate::log::{Visible, numbers::grouped};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// All of it, the first line saying whether all is well.
pub fn text(s: &Snapshot) -> String {
    let mut out = String::new();
    match s.wrong.as_slice() {
        [] => out.push_str("all is well\n"),
        wrong => put(&mut out, "", &format!("something is wrong: {}", wrong.join("; "))),
    }
    let up = s.uptime_seconds;
    let up = format!("{} d {:02}:{:02}:{:02}", up / 86_400, up / 3_600 % 24, up / 60 % 60, up % 60);
    put(&mut out, "", &format!("agent: version {}, up {up}, configuration {}", s.version, s.configuration));
    let percent = if s.spool.max_bytes > 0 { s.spool.bytes.saturating_mul(100) / s.spool.max_bytes } else { 0 };
    let (bytes, most, batches) = (grouped(s.spool.bytes), grouped(s.spool.max_bytes), grouped(s.spool.batches));
    put(&mut out, "", &format!("spool: {bytes} of {most} bytes ({percent} %), {batches} batches"));
    if s.damaged_batches > 0 {
        put(&mut out, "", &format!("damaged batches: {}", grouped(s.damaged_batches)));
    }
    s.sources.iter().for_each(|source| of_source(source, &mut out));
    s.outputs.iter().for_each(|output| of_output(output, &mut out));
    out
}

fn of_source(s: &Source, out: &mut String) {
    put(out, "", &format!("source {}: {}", s.name, s.state));
    if let Some(seconds) = s.down_seconds {
        put(out, "  ", &format!("not read for {} s", grouped(seconds)));
    }
    let time = s.last_entry.and_then(DateTime::from_timestamp_micros);
    let time = time.map_or(String::new(), |t| format!(" of {}", t.to_rfc3339_opts(SecondsFormat::Secs, true)));
    if s.sequence > 0 {
        put(out, "  ", &format!("last entry: {} {}:{}{time}", s.system, s.receiver, s.sequence));
    }
    let counts = [("read", s.read), ("filtered", s.filtered), ("parked", s.parked), ("refused", s.refused)];
    let more = [("spooled", s.spooled), ("gaps", s.gaps), ("missing", s.missing)];
    put(out, "  ", &listed(counts.into_iter().chain(more)));
    for r in &s.rules {
        put(out, "    ", &format!("{} dropped by {}", grouped(r.dropped), r.rule));
    }
}

fn of_output(o: &Output, out: &mut String) {
    let at = if o.address.is_empty() { String::new() } else { format!(" ({})", o.address) };
    put(out, "", &format!("output {}: {} for {} s{at}", o.name, o.state.in_words(), grouped(o.since_seconds)));
    if !o.last_error.is_empty() {
        let next = o.next_try_seconds.map_or(String::new(), |s| format!("; next try in {s} s"));
        put(out, "  ", &format!("last error: {}{next}", o.last_error));
    }
    let counts = [("sent", o.sent), ("filtered", o.filtered), ("resent", o.resent), ("refused", o.refused)];
    let more = [("unreadable", o.unreadable), ("notices", o.notices)].into_iter().filter(|(_, n)| *n > 0);
    put(out, "  ", &listed(counts.into_iter().chain(more)));
    let oldest = o.oldest_seconds.map_or(String::new(), |s| format!(", the oldest for {} s", grouped(s)));
    let (rate, window, waiting) = (o.rate, grouped(o.in_window), grouped(o.waiting));
    put(out, "  ", &format!("{rate:.1} a second, in window {window}, waiting {waiting}{oldest}"));
    if o.answered {
        put(out, "  ", "its receiver answers: is it the right port?");
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
        let s = Snapshot { sources: vec![source], outputs: vec![output], wrong: vec!["a\r".into()], ..Default::default() };
        let text = text(&s);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
        assert!(text.starts_with("something is wrong: a\\x0d\n"), "{text}");
        assert!(text.contains("next try in 3 s"), "{text}");
        assert_eq!(text.matches('x').count(), 600 + "x0d\\x1b\\x0a".matches('x').count() + text.matches("next").count());
    }

    #[test]
    fn the_first_line_says_whether_all_is_well() {
        assert!(super::text(&Snapshot::default()).starts_with("all is well\nagent: version "));
    }
}
