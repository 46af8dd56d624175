//! Charts of pages, drawn as SVG: events over time by type, and bars.
use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    markup::escape,
    timeline::Timeline,
    words::{TIME, duration, utc},
};
use crate::log::numbers::grouped;

/// Types with a colour of their own; the others share one.
const COLOURS: [&str; 8] = ["#3366cc", "#e07b00", "#2f9e5b", "#b83280", "#7a5af5", "#00899b", "#c0392b", "#8d6e3f"];
const OTHER: &str = "#9aa3ad";

/// An event type: its index in a [`Timeline`], its code and its title.
pub struct Kind<'a> {
    /// In the timeline.
    pub index: usize,
    /// `PW`.
    pub code: &'a str,
    /// What it records.
    pub title: &'a str,
}

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 170.0;

/// Steps of one width to events by type.
type Bins = BTreeMap<i64, BTreeMap<usize, u64>>;

/// Events over time by type, a drawing for each timeline with its name. Of `kinds` the first ones, the loudest, get a colour.
pub fn over_time(h: &mut String, rows: &[(&str, &Timeline)], kinds: &[Kind<'_>]) {
    // One step for all: the widest one.
    let width = rows.iter().map(|(_, t)| t.width).max().unwrap_or(1);
    let joined: Vec<(&str, Bins)> = rows.iter().map(|(what, t)| (*what, t.in_steps_of(width))).collect();
    let all = || joined.iter().flat_map(|(_, bins)| bins.keys());
    let (Some(first), Some(last)) = (all().min().copied(), all().max().copied()) else { return };
    let bins = joined.iter().flat_map(|(_, bins)| bins.values());
    let most = bins.map(|k| k.values().sum::<u64>()).max().unwrap_or(1).max(1);
    let _ =
        writeln!(h, "<h2>Events over time, by type</h2>\n<p class=\"soft\">events in steps of {}</p>", duration(width));
    for (what, bins) in &joined {
        drawing(h, what, bins, (first, last, width), most, kinds);
    }
    h.push_str("<p class=\"legend\">");
    for (kind, colour) in kinds.iter().zip(COLOURS) {
        let _ =
            write!(h, "<span><i style=\"background:{colour}\"></i>{} {}</span>", escape(kind.code), escape(kind.title));
    }
    let _ = writeln!(h, "<span><i style=\"background:{OTHER}\"></i>others</span></p>");
}

/// One drawing. Texts stand beside it: it is stretched to the width there is, and they keep their size.
fn drawing(
    h: &mut String,
    what: &str,
    bins: &Bins,
    (first, last, width): (i64, i64, i64),
    most: u64,
    kinds: &[Kind<'_>],
) {
    ticks(h, what, most);
    let _ = write!(
        h,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"events over time, {what}\">"
    );
    let y = |n: u64| HEIGHT - HEIGHT * n as f64 / most as f64;
    grid(h);
    let w = WIDTH / (last - first + 1) as f64;
    for (bin, counts) in bins {
        let x = w * (bin - first) as f64;
        let mut under = 0;
        let mut rest: u64 = counts.values().sum();
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
                    utc(bin * width, TIME)
                );
                under += n;
            }
        };
        for (kind, colour) in kinds.iter().zip(COLOURS) {
            let n = counts.get(&kind.index).copied().unwrap_or(0);
            rest -= n;
            put(h, n, colour, kind.code);
        }
        put(h, rest, OTHER, "others");
    }
    h.push_str("</svg><div class=\"times\">");
    let (from, to) = (first * width, (last + 1) * width);
    for part in 0..=4 {
        let _ = write!(h, "<span>{}</span>", utc(from + (to - from) * part / 4, TIME).replace(' ', "<br>"));
    }
    h.push_str("</div></div>\n");
}

/// The beginning of a chart with its scale.
fn ticks(h: &mut String, what: &str, most: u64) {
    let ticks: String = [2, 1, 0].map(|part| format!("<span>{}</span>", grouped(most * part / 2))).concat();
    let _ = write!(h, "<div class=\"chart\"><b>{what}</b><div class=\"ticks\">{ticks}</div>");
}

/// Lines at the ticks.
fn grid(h: &mut String) {
    for part in [0.0, 1.0, 2.0] {
        let at = (HEIGHT - HEIGHT * part / 2.0).clamp(0.5, HEIGHT - 0.5);
        let _ = write!(h, "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
    }
}

/// Events by hour of the day.
pub fn hours(h: &mut String, hours: &[u64; 24]) {
    let most = hours.iter().max().copied().unwrap_or(0).max(1);
    ticks(h, "entries, all days together", most);
    let _ = write!(
        h,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"events by hour of the day\">"
    );
    grid(h);
    let w = WIDTH / 24.0;
    for (hour, n) in hours.iter().enumerate() {
        let height = HEIGHT * *n as f64 / most as f64;
        let _ = write!(
            h,
            "<rect class=\"new\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\"><title>{} from {hour}:00 to {hour}:59</title></rect>",
            w * (hour as f64 + 0.05),
            HEIGHT - height,
            w * 0.9,
            grouped(*n)
        );
    }
    h.push_str("</svg><div class=\"times\">");
    [0, 6, 12, 18, 24].iter().for_each(|hour| {
        let _ = write!(h, "<span>{hour:02}:00</span>");
    });
    h.push_str("</div></div>\n");
}

/// One bar of a list.
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// What is said of it.
    pub note: String,
    /// How long it is.
    pub value: u64,
}

/// Rows of a chart.
pub const BARS: usize = 16;

/// Bars below one another, each under its name and note; so many of them as a page has room for. Widths are in percent of the
/// width there is, so that texts keep their size on a narrow page.
pub fn bars(h: &mut String, label: &str, bars: &[Bar]) {
    let most = bars.iter().map(|b| b.value).max().unwrap_or(0).max(1);
    let _ =
        write!(h, "<svg height=\"{}\" role=\"img\" aria-label=\"{}\">", bars.len().min(BARS) * 54 + 4, escape(label));
    for (i, bar) in bars.iter().take(BARS).enumerate() {
        let y = i * 54;
        let _ = write!(
            h,
            "<text class=\"name\" x=\"0\" y=\"{}\">{}</text><text x=\"0\" y=\"{}\">{}</text><rect class=\"new\" x=\"0\" y=\"{}\" width=\"{:.2}%\" height=\"10\"/>",
            y + 14,
            escape(&cut(&bar.name)),
            y + 29,
            escape(&bar.note),
            y + 34,
            100.0 * bar.value as f64 / most as f64
        );
    }
    h.push_str("</svg>\n");
}

/// A label that fits a narrow page; the tables have the whole.
pub fn cut(label: &str) -> String {
    match label.char_indices().nth(54) {
        Some((at, _)) => format!("{}\u{2026}", label.get(..at).unwrap_or(label)),
        None => label.to_owned(),
    }
}
