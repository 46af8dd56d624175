//! What was measured, made ready to be told: [`super::text`], [`super::json`] and [`super::html`] do that.
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{
    blind_spots::BlindSpot,
    comparison::Comparison,
    measure::{Rates, Side, Timeline, Volume, rates},
    names::{name, shown},
};
use crate::{
    cli::{context::Setup, visit::VisitStats},
    config::{OutputConfig, files::LONGEST},
    encode::Format,
    files::read_regular,
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
    /// Bytes a day at the rate of the hours with entries.
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
pub struct ComparedVolume {
    /// Entry type, user, library.
    pub name: String,
    /// Title of the type; empty for others.
    pub title: String,
    /// Sent under the baseline.
    pub old: Volume,
    /// Sent under the new configuration.
    pub new: Volume,
}

/// Everything that is told of a run.
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
    /// Seconds of the clock hours that hold entries: what rates are over.
    pub active: i64,
    /// Clock hours that hold entries, and all from the first to the last.
    pub hours: (u64, u64),
    /// Entries whose end the captures do not hold.
    pub incomplete: u64,
    /// What people should know.
    pub warnings: Vec<String>,
    /// The configuration that is tried.
    pub new: Figures,
    /// What it is compared with.
    pub old: Figures,
    /// By entry type, the loudest first.
    pub types: Vec<ComparedVolume>,
    /// By effective user.
    pub effective_users: Vec<ComparedVolume>,
    /// By job user.
    pub job_users: Vec<ComparedVolume>,
    /// What the SIEM no longer sees.
    pub blind_spots: Vec<BlindSpot>,
    /// Types of *SECURITY and *AUTFAIL that are off in both configurations.
    pub off_in_both: Vec<String>,
    /// Whether it is compared with a configuration, and not with everything.
    pub has_baseline: bool,
    /// Code of each event type, by index.
    pub codes: Vec<String>,
    /// When and by what program it was made.
    pub made: String,
    /// The configurations and the SHA-256 of their files.
    pub hashes: Vec<(String, String)>,
}

const TIME: &str = "%Y-%m-%d %H:%M:%S";

fn utc(second: i64, form: &str) -> String {
    DateTime::from_timestamp(second, 0).map_or_else(|| second.to_string(), |t| t.format(form).to_string())
}

impl Report {
    /// From what was seen.
    pub fn new(w: Comparison<'_>, stats: VisitStats) -> Report {
        let (span, active) = (w.hours.span(), w.hours.active());
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
        let (blind_spots, off_in_both) = w.detector.spots((w.new, w.outputs.0), (w.old, w.outputs.1), &codes);
        let config = Some(shown(&w.args.config));
        let baseline = w.args.baseline.as_deref().map(shown);
        let hashed = |path: &std::path::Path| (shown(path), sha256(path));
        let hashes =
            [Some(&w.args.config), w.args.baseline.as_ref()].into_iter().flatten().map(|p| hashed(p)).collect();
        let (new_side, old_side) = w.sides;
        Report {
            made: format!("{} UTC by qaudjrn {}", Utc::now().format(TIME), env!("CARGO_PKG_VERSION")),
            hashes,
            captures: stats.captures,
            read: stats.read,
            parked: stats.parked,
            without_time: w.without_time,
            from_to: w.hours.edges.map(|(first, last)| (utc(first, TIME), utc(last, TIME))),
            span,
            active,
            hours: w.hours.counts(),
            incomplete: stats.incomplete,
            warnings: stats.warnings,
            has_baseline: baseline.is_some(),
            new: figures(w.new, config, w.outputs.0, w.formats.0, new_side, (span, active)),
            old: figures(w.old, baseline, w.outputs.1, w.formats.1, old_side, (span, active)),
            types,
            effective_users,
            job_users,
            blind_spots,
            off_in_both,
            codes,
        }
    }
}

/// Of a file, so that a page can be held against the configuration that it speaks of.
fn sha256(path: &std::path::Path) -> String {
    match read_regular(path, LONGEST) {
        Ok(bytes) => data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref()),
        Err(e) => format!("not known: {e}"),
    }
}

fn rows<'m, K: Eq + std::hash::Hash + Copy + 'm, M>(
    new: &'m M,
    old: &'m M,
    label: impl Fn(&K) -> (String, String),
) -> Vec<ComparedVolume>
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
    let mut rows: Vec<ComparedVolume> = all
        .into_iter()
        .map(|(k, (new, old))| {
            let (name, title) = label(&k);
            ComparedVolume { name, title, old, new }
        })
        .collect();
    let loudest = |r: &ComparedVolume| r.old.bytes.max(r.new.bytes);
    rows.sort_by(|a, b| loudest(b).cmp(&loudest(a)).then(a.name.cmp(&b.name)));
    rows
}

fn figures(
    setup: &Setup,
    config: Option<String>,
    output: Option<&OutputConfig>,
    format: Format,
    side: Side,
    (span, active): (i64, i64),
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
        rates: rates(&side, active),
        bytes_a_day: if active > 0 { side.sent.bytes as f64 * 86_400.0 / active as f64 } else { 0.0 },
        busiest_day: busiest.filter(|_| span >= 86_400).map(|(day, bytes)| (utc(day * 86_400, "%Y-%m-%d"), *bytes)),
        rules,
        kept_audit_changes: side.kept_audit_changes,
        timeline: side.timeline,
        sent: side.sent,
        dropped: side.dropped,
    }
}
