//! The charts of the page, drawn as SVG.
use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    html::escape,
    report::{Figures, Report, Row},
    text::{change, duration},
};
use crate::cli::summary::grouped;

/// Types with a colour of their own; the others share one.
const COLOURS: [&str; 8] = ["#3366cc", "#e07b00", "#2f9e5b", "#b83280", "#7a5af5", "#00899b", "#c0392b", "#8d6e3f"];
const OTHER: &str = "#9aa3ad";

/// The loudest types, by index, with their colours.
fn coloured(r: &Report) -> Vec<(usize, &'static str)> {
    let index = |name: &str| r.codes.iter().position(|c| c == name);
    r.types.iter().filter_map(|t| index(&t.name)).zip(COLOURS).collect()
}

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 56.0;

/// Events over time by type, before and now.
pub fn volume_over_time(h: &mut String, r: &Report) {
    let (old, new) = (&r.old.timeline, &r.new.timeline);
    if old.bins.is_empty() && new.bins.is_empty() {
        return;
    }
    // One step for both: the wider one.
    let width = old.width.max(new.width);
    let joined = |f: &Figures| {
        let mut bins: BTreeMap<i64, BTreeMap<usize, u64>> = BTreeMap::new();
        for (bin, kinds) in &f.timeline.bins {
            let to = bins.entry((bin * f.timeline.width).div_euclid(width)).or_default();
            for (kind, n) in kinds {
                *to.entry(*kind).or_default() += n;
            }
        }
        bins
    };
    let (old, new) = (joined(&r.old), joined(&r.new));
    let all = || old.keys().chain(new.keys());
    let (Some(first), Some(last)) = (all().min().copied(), all().max().copied()) else { return };
    let most = old.values().chain(new.values()).map(|k| k.values().sum::<u64>()).max().unwrap_or(1).max(1);
    let colours = coloured(r);
    let _ =
        writeln!(h, "<h2>Events over time, by type</h2>\n<p class=\"soft\">events in steps of {}</p>", duration(width));
    for (what, bins) in [("before", &old), ("now", &new)] {
        let height = 170.0;
        let _ = write!(
            h,
            "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"events over time, {what}\">",
            height + 34.0
        );
        let y = |n: u64| height + 8.0 - height * n as f64 / most as f64;
        for part in [0, 1, 2] {
            let n = most * part / 2;
            let _ = write!(
                h,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/><text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
                y(n),
                LEFT - 6.0,
                y(n) + 4.0,
                grouped(n)
            );
        }
        let steps = (last - first + 1) as f64;
        let w = (WIDTH - LEFT) / steps;
        for (bin, kinds) in bins {
            let x = LEFT + w * (bin - first) as f64;
            let mut under = 0;
            let mut rest: u64 = kinds.values().sum();
            let mut put = |h: &mut String, n: u64, colour: &str, code: &str| {
                if n > 0 {
                    let _ = write!(
                        h,
                        "<rect x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{colour}\"><title>{} {}, {}</title></rect>",
                        y(under + n),
                        (w * 0.96).max(0.6),
                        y(under) - y(under + n),
                        grouped(n),
                        escape(code),
                        clock(bin * width)
                    );
                    under += n;
                }
            };
            for (kind, colour) in &colours {
                let n = kinds.get(kind).copied().unwrap_or(0);
                rest -= n;
                put(h, n, colour, r.codes.get(*kind).map_or("", String::as_str));
            }
            put(h, rest, OTHER, "others");
        }
        let _ = write!(
            h,
            "<text x=\"{LEFT}\" y=\"{0:.0}\">{1}</text><text x=\"{WIDTH}\" y=\"{0:.0}\" text-anchor=\"end\">{2}</text><text class=\"name\" x=\"{3:.0}\" y=\"{0:.0}\" text-anchor=\"middle\">{what}</text></svg>",
            height + 26.0,
            clock(first * width),
            clock((last + 1) * width),
            (LEFT + WIDTH) / 2.0
        );
        h.push('\n');
    }
    h.push_str("<p class=\"legend\">");
    for (kind, colour) in &colours {
        let code = r.codes.get(*kind).map_or("", String::as_str);
        let title = r.types.iter().find(|t| t.name == code).map_or("", |t| t.title.as_str());
        let _ = write!(h, "<span><i style=\"background:{colour}\"></i>{} {}</span>", escape(code), escape(title));
    }
    let _ = writeln!(h, "<span><i style=\"background:{OTHER}\"></i>others</span></p>");
}

fn clock(second: i64) -> String {
    chrono::DateTime::from_timestamp(second, 0).map_or_else(String::new, |t| t.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Rows of a chart.
const BARS: usize = 16;

/// Bytes before and now, by type.
pub fn before_and_after(h: &mut String, r: &Report) {
    let rows: Vec<&Row> = r.types.iter().take(BARS).collect();
    let most = rows.iter().map(|t| t.old.bytes.max(t.new.bytes)).max().unwrap_or(0).max(1);
    let _ = writeln!(
        h,
        "<h2>Before and after, by type</h2>\n<p class=\"legend\"><span><i style=\"background:var(--old)\"></i>bytes before</span><span><i style=\"background:var(--bar)\"></i>bytes now</span></p>"
    );
    let height = rows.len() as f64 * 34.0 + 4.0;
    let _ = write!(
        h,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"bytes before and after, by type\">"
    );
    for (i, t) in rows.iter().enumerate() {
        let y = i as f64 * 34.0;
        let x = 330.0;
        let scale = |bytes: u64| (WIDTH - x - 230.0) * bytes as f64 / most as f64;
        let label: String = format!("{} {}", t.name, t.title).chars().take(46).collect();
        let _ = write!(
            h,
            "<text class=\"name\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x - 8.0,
            y + 19.0,
            escape(&label)
        );
        let _ = write!(
            h,
            "<rect class=\"old\" x=\"{x}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"/><rect class=\"new\" x=\"{x}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"/>",
            y + 3.0,
            scale(t.old.bytes),
            y + 16.0,
            scale(t.new.bytes)
        );
        let _ = write!(
            h,
            "<text x=\"{:.1}\" y=\"{:.1}\">{} &#8594; {} ({})</text>",
            x + scale(t.old.bytes.max(t.new.bytes)) + 8.0,
            y + 19.0,
            bytes(t.old.bytes),
            bytes(t.new.bytes),
            change(t.old.bytes as f64, t.new.bytes as f64)
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
    let most = rules.iter().map(|(.., v)| v.bytes).max().unwrap_or(0).max(1);
    let shown = rules.len().min(BARS);
    let _ = write!(
        h,
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"bytes saved by rule\">",
        shown as f64 * 40.0 + 4.0
    );
    for (i, (rule, place, v)) in rules.iter().take(BARS).enumerate() {
        let y = i as f64 * 40.0;
        let w = (WIDTH - 230.0) * v.bytes as f64 / most as f64;
        let name: String = rule.chars().take(70).collect();
        let _ = write!(
            h,
            "<text class=\"name\" x=\"0\" y=\"{:.1}\">{} <tspan fill=\"var(--soft)\">{}</tspan></text><rect class=\"new\" x=\"0\" y=\"{:.1}\" width=\"{w:.1}\" height=\"13\"/><text x=\"{:.1}\" y=\"{:.1}\">{} events, {}</text>",
            y + 15.0,
            escape(&name),
            escape(place),
            y + 20.0,
            w + 8.0,
            y + 31.0,
            grouped(v.events),
            bytes(v.bytes)
        );
    }
    h.push_str("</svg>\n");
}

/// Bytes for people.
fn bytes(n: u64) -> String {
    match n {
        n if n >= 1_000_000_000 => format!("{:.2} GB", n as f64 / 1e9),
        n if n >= 1_000_000 => format!("{:.2} MB", n as f64 / 1e6),
        n if n >= 1_000 => format!("{:.1} kB", n as f64 / 1e3),
        n => format!("{n} bytes"),
    }
}
