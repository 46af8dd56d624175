//! The charts of the page: events over time, and bytes before and after, by type and by rule.
use std::fmt::Write as _;

use super::{
    report::{ComparedVolume, Report},
    text::change,
};
use crate::{
    cli::page::{
        charts::{self, BARS, Bar, Kind, cut},
        markup::escape,
        words::bytes,
    },
    log::numbers::grouped,
};

/// Events over time by type, before and now.
pub fn volume_over_time(h: &mut String, r: &Report) {
    let index = |name: &str| r.codes.iter().position(|c| c == name);
    let kinds: Vec<Kind<'_>> =
        r.types.iter().filter_map(|t| Some(Kind { index: index(&t.name)?, code: &t.name, title: &t.title })).collect();
    charts::over_time(h, &[("before", &r.old.timeline), ("now", &r.new.timeline)], &kinds);
}

/// Bytes before and now, by type.
pub fn before_and_after(h: &mut String, r: &Report) {
    let rows: Vec<&ComparedVolume> = r.types.iter().take(BARS).collect();
    let most = rows.iter().map(|t| t.old.bytes.max(t.new.bytes)).max().unwrap_or(0).max(1);
    let _ = writeln!(
        h,
        "<h2>Before and after, by type</h2>\n<p class=\"legend\"><span><i style=\"background:var(--old)\"></i>bytes before</span><span><i style=\"background:var(--bar)\"></i>bytes now</span></p>"
    );
    let _ = write!(
        h,
        "<svg height=\"{}\" role=\"img\" aria-label=\"bytes before and after, by type\">",
        rows.len() * 62 + 4
    );
    for (i, t) in rows.iter().enumerate() {
        let y = i * 62;
        // In percent of the width there is, so that texts keep their size on a narrow page.
        let scale = |bytes: u64| 100.0 * bytes as f64 / most as f64;
        let _ = write!(
            h,
            "<text class=\"name\" x=\"0\" y=\"{}\">{}</text><text x=\"0\" y=\"{}\">{} &#8594; {} ({})</text>",
            y + 14,
            escape(&cut(&format!("{} {}", t.name, t.title))),
            y + 29,
            bytes(t.old.bytes),
            bytes(t.new.bytes),
            change(t.old.bytes as f64, t.new.bytes as f64)
        );
        let _ = write!(
            h,
            "<rect class=\"old\" x=\"0\" y=\"{}\" width=\"{:.2}%\" height=\"9\"/><rect class=\"new\" x=\"0\" y=\"{}\" width=\"{:.2}%\" height=\"9\"/>",
            y + 34,
            scale(t.old.bytes),
            y + 45,
            scale(t.new.bytes)
        );
    }
    h.push_str("</svg>\n");
}

/// The rules that save most bytes.
pub fn top_rules(h: &mut String, r: &Report) {
    let rules = &r.new.rules;
    h.push_str("<h2>Rules that save most</h2>\n");
    if rules.is_empty() {
        h.push_str("<p class=\"soft\">No rule dropped anything.</p>\n");
        return;
    }
    let bars: Vec<Bar> = rules
        .iter()
        .take(BARS)
        .map(|(rule, place, v)| Bar {
            name: rule.clone(),
            note: format!("{} events, {}; {place}", grouped(v.events), bytes(v.bytes)),
            value: v.bytes,
        })
        .collect();
    charts::bars(h, "bytes saved by rule", &bars);
}
