//! The report for people: what the terminal shows, and the words that the page shares with it.
use std::fmt::Write as _;

use super::{
    blind_spots,
    report::{ComparedVolume, Report},
};
use crate::{
    cli::page::words::{clip, duration},
    encode::escape::printable,
    log::numbers::grouped,
};

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut t = String::new();
        let n = grouped;
        for c in &self.evidence.captures {
            let _ = writeln!(t, "{}", printable(&format!("{}: {}", c.name, c.what)));
        }
        let _ = write!(t, "{} entries", n(self.read - self.parked));
        if let Some((from, to)) = &self.from_to {
            let _ = write!(t, " from {from} to {to} UTC ({})", duration(self.span));
        }
        t.push_str("\n\n");
        let (old, new) = (&self.old, &self.new);
        let _ = writeln!(
            t,
            "{:<28} {:>18} {:>18} {:>10}",
            "",
            short(&printable(&old.name)),
            short(&printable(&new.name)),
            "change"
        );
        let mut row = |what: &str, a: String, b: String, change: String| {
            let _ = writeln!(t, "{}", format!("{what:<28} {a:>18} {b:>18} {change:>10}").trim_end());
        };
        row("lines", printable(&old.lines), printable(&new.lines), String::new());
        let count = |a: u64, b: u64| (n(a), n(b), change(a as f64, b as f64));
        for (what, a, b) in [
            ("events sent", old.sent.events, new.sent.events),
            ("events dropped", old.dropped.events, new.dropped.events),
            ("bytes sent", old.sent.bytes, new.sent.bytes),
            ("events per second, median", u64::from(old.rates.p50), u64::from(new.rates.p50)),
            ("events per second, 95 %", u64::from(old.rates.p95), u64::from(new.rates.p95)),
            ("events per second, 99 %", u64::from(old.rates.p99), u64::from(new.rates.p99)),
            ("events per second, most", u64::from(old.rates.max), u64::from(new.rates.max)),
        ] {
            let (a, b, c) = count(a, b);
            row(what, a, b, c);
        }
        row(
            "GB a day",
            gigabytes(old.bytes_a_day),
            gigabytes(new.bytes_a_day),
            change(old.bytes_a_day, new.bytes_a_day),
        );
        if let (Some((was, a)), Some((day, b))) = (&old.busiest_day, &new.busiest_day) {
            row("GB on the busiest day", gigabytes(*a as f64), gigabytes(*b as f64), change(*a as f64, *b as f64));
            row("busiest day", was.clone(), day.clone(), String::new());
        }
        for note in self.notes() {
            let _ = writeln!(t, "{note}");
        }
        if !new.rules.is_empty() {
            let _ = writeln!(t, "\ndropped by rule{:>53} {:>14}", "events", "bytes saved");
            for (rule, place, v) in new.rules.iter().take(SHOWN) {
                let _ = writeln!(
                    t,
                    "  {:<52} {:>14} {:>14}",
                    clip(&printable(&format!("{rule} ({place})")), 52),
                    n(v.events),
                    n(v.bytes)
                );
            }
            more(&mut t, new.rules.len());
        }
        table(&mut t, "by entry type", &self.types);
        table(&mut t, "by effective user", &self.effective_users);
        table(&mut t, "by job user", &self.job_users);
        t.push_str("\nblind spots: what the SIEM no longer sees\n");
        if self.blind_spots.is_empty() {
            let _ = writeln!(t, "  {}", printable(&self.no_spots()));
        }
        for line in blind_spots::lines(&self.blind_spots) {
            let list = if line.items.is_empty() { String::new() } else { format!(": {}", line.items.join(", ")) };
            let _ = writeln!(t, "  {}: {}{list}", line.kind, line.text);
        }
        if let Some(off) = self.off_in_both() {
            let _ = writeln!(t, "  {off}");
        }
        t
    }

    /// What became of the records that were read, under the new configuration.
    pub fn sums(&self) -> String {
        format!(
            "read {} = sent {} + dropped by rule {} + parked {}",
            grouped(self.read),
            grouped(self.new.sent.events),
            grouped(self.new.dropped.events),
            grouped(self.parked)
        )
    }

    /// What is said where there are no blind spots.
    pub fn no_spots(&self) -> String {
        match self.has_baseline {
            true => format!("none more than under {}", self.old.name),
            false => {
                "none: every *SECURITY and *AUTFAIL type, privileged user, audit change and library still reaches it"
                    .to_owned()
            }
        }
    }

    /// The types that were no spots, because the baseline has them off too.
    pub fn off_in_both(&self) -> Option<String> {
        let types = self.off_in_both.join(", ");
        (!types.is_empty()).then(|| format!("off in both, of *SECURITY and *AUTFAIL: {types}"))
    }

    /// What one must know to read the figures.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        // In whole numbers: less than 90 %.
        if self.active * 10 < self.span * 9 {
            let (some, all) = self.hours;
            notes.push(format!("entries in {} of {} hours: rates are over those hours", grouped(some), grouped(all)));
        }
        if (1..86_400).contains(&self.active) {
            notes.push(format!("GB a day is the rate of these {} carried on for 24 hours", duration(self.active)));
        }
        for (n, what) in [
            (self.new.kept_audit_changes, "changes to auditing are sent although a rule would drop them"),
            (
                self.incomplete,
                "entries whose end the captures do not hold (ENTDTALEN too small): path rules cannot see cut paths",
            ),
            (self.without_time, "entries without a valid time: in no rate and no chart"),
            (self.parked, "records are no entries: replay parks them"),
        ] {
            if n > 0 {
                notes.push(format!("{} {what}", grouped(n)));
            }
        }
        notes
    }
}

/// Rows of a table before the rest is only counted.
const SHOWN: usize = 15;

fn table(t: &mut String, title: &str, rows: &[ComparedVolume]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(t, "\n{title:<44} {:>12} {:>12} {:>14} {:>10}", "events", "now", "bytes now", "change");
    for r in rows.iter().take(SHOWN) {
        let name = if r.title.is_empty() { r.name.clone() } else { format!("{} {}", r.name, r.title) };
        let _ = writeln!(
            t,
            "  {:<42} {:>12} {:>12} {:>14} {:>10}",
            clip(&name, 42),
            grouped(r.old.events),
            grouped(r.new.events),
            grouped(r.new.bytes),
            change(r.old.bytes as f64, r.new.bytes as f64)
        );
    }
    more(t, rows.len());
}

fn more(t: &mut String, rows: usize) {
    if rows > SHOWN {
        let _ = writeln!(t, "  and {} more: all with --json or --html", grouped((rows - SHOWN) as u64));
    }
}

/// The end of a path: where names differ.
fn short(path: &str) -> String {
    let n = path.chars().count();
    if n <= 18 { path.to_owned() } else { format!("...{}", path.chars().skip(n - 15).collect::<String>()) }
}

/// The change in percent.
pub fn change(old: f64, new: f64) -> String {
    if old == new {
        return "=".to_owned();
    }
    if old == 0.0 { "new".to_owned() } else { format!("{:+.1} %", 100.0 * (new - old) / old) }
}

/// GB (10^9 bytes) with what digits it needs.
pub fn gigabytes(bytes: f64) -> String {
    match bytes / 1e9 {
        gb if gb >= 100.0 => format!("{gb:.0}"),
        gb if gb >= 1.0 => format!("{gb:.2}"),
        gb => format!("{gb:.4}"),
    }
}
