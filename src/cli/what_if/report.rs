//! What was measured, in words and numbers: for the terminal and as JSON; [`super::html`] draws it.
use std::{collections::HashMap, fmt::Write as _};

use chrono::DateTime;
use serde_json::{Value, json};

use super::{
    Watching,
    blind::{self, Spot},
    measure::{Rates, Side, Timeline, Volume, rates},
    shown,
};
use crate::{
    cli::{setup::Setup, summary::grouped, walk::Walked},
    config::OutputConfig,
    decode::ebcdic::Charset,
    encode::{Format, escape::printable},
    filter::names::Key,
};

/// One configuration's figures.
pub struct Figures {
    /// The file; `everything` without one.
    pub name: String,
    /// The format whose bytes are counted, and the output it belongs to.
    pub lines: String,
    /// Sent.
    pub sent: Volume,
    /// Dropped.
    pub dropped: Volume,
    /// Events per second.
    pub rates: Rates,
    /// Bytes a day over the whole span.
    pub bytes_a_day: f64,
    /// The day with the most bytes, and how many they are; `None` for less than a day.
    pub busiest_day: Option<(String, u64)>,
    /// What each rule dropped: name, place, volume; most bytes first.
    pub rules: Vec<(String, String, Volume)>,
    /// Changes to auditing that were sent although a rule would have dropped them.
    pub kept_audit_changes: u64,
    /// Over time.
    pub timeline: Timeline,
}

/// Something before and after.
pub struct Row {
    /// Entry type, user, library.
    pub name: String,
    /// Title of the type; empty for others.
    pub title: String,
    /// Sent under the baseline.
    pub old: Volume,
    /// Sent under the new configuration.
    pub new: Volume,
}

/// All of it.
pub struct Report {
    /// What the captures are.
    pub captures: Vec<String>,
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// Entries without a valid time: in no rate and no chart.
    pub without_time: u64,
    /// First and last entry, UTC.
    pub from_to: Option<(String, String)>,
    /// Seconds between them, the last one included.
    pub span: i64,
    /// The configuration that is tried.
    pub new: Figures,
    /// What it is compared with.
    pub old: Figures,
    /// By entry type, the loudest first.
    pub types: Vec<Row>,
    /// By effective user.
    pub effective_users: Vec<Row>,
    /// By job user.
    pub job_users: Vec<Row>,
    /// What the SIEM no longer sees.
    pub blind: Vec<Spot>,
    /// Code of each event type, by index.
    pub codes: Vec<String>,
}

fn utc(second: i64, form: &str) -> String {
    DateTime::from_timestamp(second, 0).map_or_else(|| second.to_string(), |t| t.format(form).to_string())
}

impl Report {
    /// From what was seen.
    pub(super) fn new(w: Watching<'_>, walked: Walked) -> Report {
        let span = w.span.map_or(0, |(first, last)| last - first + 1);
        let codes: Vec<String> =
            w.titles.iter().map(|(code, title)| if code.is_empty() { title.clone() } else { code.clone() }).collect();
        let job = w.new.job;
        let types = rows(&w.sides.0.types, &w.sides.1.types, |i| {
            let title = w.titles.get(*i).map(|(_, t)| t.clone()).unwrap_or_default();
            (codes.get(*i).cloned().unwrap_or_default(), title)
        });
        let by_user = |new: &HashMap<Option<Key>, Volume>, old: &HashMap<Option<Key>, Volume>| {
            rows(new, old, |k| (k.map_or("(none)".to_owned(), |k| name(&k.bytes(), job)), String::new()))
        };
        let effective_users = by_user(&w.sides.0.effective_users, &w.sides.1.effective_users);
        let job_users = by_user(&w.sides.0.job_users, &w.sides.1.job_users);
        let blind = blind::spots(&w, &codes);
        let config = Some(shown(&w.args.config));
        let baseline = w.args.baseline.as_deref().map(shown);
        let (new_side, old_side) = w.sides;
        Report {
            captures: walked.captures,
            read: walked.read,
            parked: walked.parked,
            without_time: w.without_time,
            from_to: w.span.map(|(first, last)| (utc(first, TIME), utc(last, TIME))),
            span,
            new: figures(w.new, config, w.outputs.0, w.formats.0, new_side, span),
            old: figures(w.old, baseline, w.outputs.1, w.formats.1, old_side, span),
            types,
            effective_users,
            job_users,
            blind,
            codes,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut t = String::new();
        let n = grouped;
        for c in &self.captures {
            let _ = writeln!(t, "{c}");
        }
        let _ = write!(t, "{} entries", n(self.read - self.parked));
        if let Some((from, to)) = &self.from_to {
            let _ = write!(t, " from {from} to {to} UTC ({})", duration(self.span));
        }
        if self.parked > 0 {
            let _ = write!(t, "; {} records are no entries", n(self.parked));
        }
        t.push_str("\n\n");
        let (old, new) = (&self.old, &self.new);
        let _ = writeln!(t, "{:<28} {:>18} {:>18} {:>10}", "", short(&old.name), short(&new.name), "change");
        let mut row = |what: &str, a: String, b: String, change: String| {
            let _ = writeln!(t, "{}", format!("{what:<28} {a:>18} {b:>18} {change:>10}").trim_end());
        };
        row("lines", old.lines.clone(), new.lines.clone(), String::new());
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
        if let (Some((_, a)), Some((day, b))) = (&old.busiest_day, &new.busiest_day) {
            let what = format!("GB on the busiest day, {day}");
            row(&what, gigabytes(*a as f64), gigabytes(*b as f64), change(*a as f64, *b as f64));
        }
        if self.span < 86_400 && self.span > 0 {
            let _ = writeln!(t, "GB a day is the rate of these {} carried on for 24 hours", duration(self.span));
        }
        if new.kept_audit_changes > 0 {
            let _ = writeln!(
                t,
                "{} changes to auditing are sent although a rule would drop them",
                n(new.kept_audit_changes)
            );
        }
        if !new.rules.is_empty() {
            let _ = writeln!(t, "\ndropped by rule{:>53} {:>14}", "events", "bytes saved");
            for (rule, place, v) in new.rules.iter().take(SHOWN) {
                let _ = writeln!(
                    t,
                    "  {:<52} {:>14} {:>14}",
                    clip(&format!("{rule} ({place})"), 52),
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
        if self.blind.is_empty() {
            t.push_str("  none: every *SECURITY and *AUTFAIL type, privileged user, audit change and library still reaches it\n");
        }
        for (kind, text) in self.blind_lines() {
            let _ = writeln!(t, "  {kind}: {text}");
        }
        t
    }

    /// The blind spots as sentences; privileged users of whom a part is sent in one.
    pub fn blind_lines(&self) -> Vec<(&'static str, String)> {
        let is_part = |s: &&Spot| s.kind == blind::PRIVILEGED && s.counts.new > 0;
        let mut lines: Vec<_> = self.blind.iter().filter(|s| !is_part(s)).map(|s| (s.kind, s.text.clone())).collect();
        let parts: Vec<String> = self
            .blind
            .iter()
            .filter(is_part)
            .map(|s| format!("{} {} of {}", s.what, grouped(s.counts.new), grouped(s.counts.old)))
            .collect();
        if !parts.is_empty() {
            lines.push((blind::PRIVILEGED, format!("of what these do, only a part is sent: {}", parts.join(", "))));
        }
        lines
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let volume = |v: &Volume| json!({"events": v.events, "bytes": v.bytes});
        let figures = |f: &Figures| {
            json!({
                "configuration": f.name, "lines": f.lines, "sent": volume(&f.sent), "dropped": volume(&f.dropped),
                "events_per_second": {
                    "p50": f.rates.p50, "p95": f.rates.p95, "p99": f.rates.p99, "max": f.rates.max, "mean": f.rates.mean,
                },
                "bytes_per_day": f.bytes_a_day,
                "busiest_day": f.busiest_day.as_ref().map(|(day, bytes)| json!({"day": day, "bytes": bytes})),
                "kept_audit_changes": f.kept_audit_changes,
                "dropped_by_rule": f.rules.iter().map(|(rule, place, v)| json!({
                    "rule": rule, "place": place, "events": v.events, "bytes": v.bytes,
                })).collect::<Vec<_>>(),
            })
        };
        let rows = |rows: &[Row]| -> Vec<Value> {
            rows.iter()
                .map(|r| json!({"name": r.name, "title": r.title, "baseline": volume(&r.old), "new": volume(&r.new)}))
                .collect()
        };
        json!({
            "captures": self.captures,
            "read": self.read,
            "parked": self.parked,
            "without_time": self.without_time,
            "from": self.from_to.as_ref().map(|(f, _)| f),
            "to": self.from_to.as_ref().map(|(_, t)| t),
            "seconds": self.span,
            "new": figures(&self.new),
            "baseline": figures(&self.old),
            "types": rows(&self.types),
            "effective_users": rows(&self.effective_users),
            "job_users": rows(&self.job_users),
            "blind_spots": self.blind.iter().map(|s| json!({
                "kind": s.kind, "what": s.what, "text": s.text, "baseline": s.counts.old, "new": s.counts.new,
            })).collect::<Vec<_>>(),
        })
    }
}

/// Rows of a table before the rest is only counted.
const SHOWN: usize = 15;
const TIME: &str = "%Y-%m-%d %H:%M:%S";

fn table(t: &mut String, title: &str, rows: &[Row]) {
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

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let head: String = text.chars().take(width - 3).collect();
    format!("{head}...")
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

/// Seconds for people.
pub fn duration(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{:.0} min", s as f64 / 60.0),
        s if s < 172_800 => format!("{:.1} h", s as f64 / 3_600.0),
        s => format!("{:.1} days", s as f64 / 86_400.0),
    }
}

pub(super) fn name(bytes: &[u8], job: &'static Charset) -> String {
    printable(&job.decode_string(bytes))
}

fn rows<'m, K: Eq + std::hash::Hash + Copy + 'm, M>(
    new: &'m M,
    old: &'m M,
    label: impl Fn(&K) -> (String, String),
) -> Vec<Row>
where
    &'m M: IntoIterator<Item = (&'m K, &'m Volume)>,
{
    let mut all: HashMap<K, (Volume, Volume)> = HashMap::new();
    for (k, v) in new {
        all.entry(*k).or_default().0 = *v;
    }
    for (k, v) in old {
        all.entry(*k).or_default().1 = *v;
    }
    let mut rows: Vec<Row> = all
        .into_iter()
        .map(|(k, (new, old))| {
            let (name, title) = label(&k);
            Row { name, title, old, new }
        })
        .collect();
    let loudest = |r: &Row| r.old.bytes.max(r.new.bytes);
    rows.sort_by(|a, b| loudest(b).cmp(&loudest(a)).then(a.name.cmp(&b.name)));
    rows
}

fn figures(
    setup: &Setup,
    config: Option<String>,
    output: Option<&OutputConfig>,
    format: Format,
    side: Side,
    span: i64,
) -> Figures {
    let mut rules: Vec<(String, String, Volume)> = side
        .rules
        .iter()
        .filter_map(|(id, v)| {
            let rule = setup.config.book.get(*id)?;
            let place = rule.place.as_ref().map_or(String::new(), |p| format!("{}:{}", p.file, p.line));
            Some((rule.name(), place, *v))
        })
        .collect();
    rules.sort_by_key(|(.., v)| std::cmp::Reverse(v.bytes));
    let busiest = side.days.iter().max_by_key(|(_, bytes)| **bytes);
    Figures {
        name: config.unwrap_or_else(|| "everything".to_owned()),
        lines: match output {
            Some(o) => format!("{} ({})", o.name, format.key()),
            None => format.key().to_owned(),
        },
        rates: rates(&side, span),
        bytes_a_day: if span > 0 { side.sent.bytes as f64 * 86_400.0 / span as f64 } else { 0.0 },
        busiest_day: busiest.filter(|_| span >= 86_400).map(|(day, bytes)| (utc(day * 86_400, "%Y-%m-%d"), *bytes)),
        rules,
        kept_audit_changes: side.kept_audit_changes,
        timeline: side.timeline,
        sent: side.sent,
        dropped: side.dropped,
    }
}
