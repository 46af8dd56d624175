//! The charts of the page, drawn as SVG.
use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    markup::escape,
    report::{ComparedVolume, Figures, Report},
    text::{change, duration},
};
use crate::log::numbers::grouped;

/// Types with a colour of their own; the others share one.
const COLOURS: [&str; 8] = ["#3366cc", "#e07b00", "#2f9e5b", "#b83280", "#7a5af5", "#00899b", "#c0392b", "#8d6e3f"];
const OTHER: &str = "#9aa3ad";

/// The loudest types, by index, with their colours.
fn coloured(r: &Report) -> Vec<(usize, &'static str)> {
    let index = |name: &str| r.codes.iter().position(|c| c == name);
    r.types.iter().filter_map(|t| index(&t.name)).zip(COLOURS).collect()
}

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 170.0;

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
    // Texts stand beside the drawing: it is stretched to the width there is, and they keep their size.
    for (what, bins) in [("before", &old), ("now", &new)] {
        let ticks: String = [2, 1, 0].map(|part| format!("<span>{}</span>", grouped(most * part / 2))).concat();
        let _ = write!(
            h,
            "<div class=\"chart\"><b>{what}</b><div class=\"ticks\">{ticks}</div><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"events over time, {what}\">"
        );
        let y = |n: u64| HEIGHT - HEIGHT * n as f64 / most as f64;
        for part in [0, 1, 2] {
            let at = y(most * part / 2).clamp(0.5, HEIGHT - 0.5);
            let _ = write!(h, "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
        }
        let w = WIDTH / (last - first + 1) as f64;
        for (bin, kinds) in bins {
            let x = w * (bin - first) as f64;
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
        h.push_str("</svg><div class=\"times\">");
        let (from, to) = (first * width, (last + 1) * width);
        for part in 0..=4 {
            let _ = write!(h, "<span>{}</span>", clock(from + (to - from) * part / 4).replace(' ', "<br>"));
        }
        h.push_str("</div></div>\n");
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

/// A label that fits a narrow page; the tables have the whole.
fn cut(label: &str) -> String {
    match label.char_indices().nth(54) {
        Some((at, _)) => format!("{}\u{2026}", label.get(..at).unwrap_or(label)),
        None => label.to_owned(),
    }
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
    let _ = write!(h, "<svg height=\"{}\" role=\"img\" aria-label=\"bytes saved by rule\">", shown * 54 + 4);
    for (i, (rule, place, v)) in rules.iter().take(BARS).enumerate() {
        let y = i * 54;
        let _ = write!(
            h,
            "<text class=\"name\" x=\"0\" y=\"{}\">{}</text><text x=\"0\" y=\"{}\">{} events, {}; {}</text><rect class=\"new\" x=\"0\" y=\"{}\" width=\"{:.2}%\" height=\"10\"/>",
            y + 14,
            escape(&cut(rule)),
            y + 29,
            grouped(v.events),
            bytes(v.bytes),
            escape(place),
            y + 34,
            100.0 * v.bytes as f64 / most as f64
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
