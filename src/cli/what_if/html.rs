//! The report as one page: charts drawn as SVG, no script, nothing fetched. Names in it come from entries and so from
//! strangers: every text is escaped.
use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    measure::Volume,
    report::{Figures, Report, Row, change, duration, gigabytes},
};
use crate::cli::summary::grouped;

/// Types with a colour of their own; the others share one.
const COLOURS: [&str; 8] = ["#3366cc", "#e07b00", "#2f9e5b", "#b83280", "#7a5af5", "#00899b", "#c0392b", "#8d6e3f"];
const OTHER: &str = "#9aa3ad";

const STYLE: &str = "
:root { color-scheme: light dark; --bg: #fff; --text: #1d2329; --soft: #5c6670; --line: #d9dee3; --bar: #3366cc; --old: #b9c2cc; --warn: #fff3e0; --warn-line: #e07b00; --ok: #e8f5ec; --ok-line: #2f9e5b; }
@media (prefers-color-scheme: dark) { :root { --bg: #14181d; --text: #e6e9ec; --soft: #9aa5b1; --line: #313a44; --bar: #6f9bf0; --old: #4d5965; --warn: #33260f; --warn-line: #e09a3e; --ok: #12291b; --ok-line: #4bb878; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 70rem; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
.spots { padding: .6rem 1rem; border-left: 4px solid var(--warn-line); background: var(--warn); }
.spots.none { border-color: var(--ok-line); background: var(--ok); } .spots ul { margin: .2rem 0; padding-left: 1.2rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.45rem; line-height: 1.3; font-variant-numeric: tabular-nums; } .card span { color: var(--soft); }
svg { display: block; width: 100%; height: auto; margin: .3rem 0; } svg text { fill: var(--soft); font: 12px system-ui, 'DejaVu Sans', sans-serif; }
svg .name { fill: var(--text); } .grid { stroke: var(--line); } .old { fill: var(--old); } .new { fill: var(--bar); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; color: var(--soft); } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--soft); }
";

/// The page.
pub fn page(r: &Report) -> String {
    let mut h = String::with_capacity(64 << 10);
    h.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    h.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    h.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(h, "<title>What if: {}</title>\n<style>{STYLE}</style></head><body>\n", escape(&r.new.name));
    head(&mut h, r);
    cards(&mut h, r);
    spots(&mut h, r);
    volume_over_time(&mut h, r);
    before_and_after(&mut h, r);
    top_rules(&mut h, r);
    tables(&mut h, r);
    h.push_str("</body></html>\n");
    h
}

/// Text in HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn head(h: &mut String, r: &Report) {
    let _ = writeln!(h, "<h1>What {} would send</h1>", escape(&r.new.name));
    let _ = writeln!(
        h,
        "<p class=\"soft\">compared with {}; lines counted: {} now, {} before</p>",
        escape(&r.old.name),
        escape(&r.new.lines),
        escape(&r.old.lines)
    );
    let _ = write!(h, "<p class=\"soft\">{} entries", grouped(r.read - r.parked));
    if let Some((from, to)) = &r.from_to {
        let _ = write!(h, " from {from} to {to} UTC ({})", duration(r.span));
    }
    h.push_str("</p>\n");
    for c in &r.captures {
        let _ = writeln!(h, "<p class=\"soft\">{}</p>", escape(c));
    }
}

fn cards(h: &mut String, r: &Report) {
    let (old, new) = (&r.old, &r.new);
    let mut all: Vec<(&str, String, String, String)> = Vec::new();
    let per = |a: u32, b: u32| (a.to_string(), b.to_string(), change(f64::from(b), f64::from(a)));
    all.push((
        "GB a day",
        gigabytes(new.bytes_a_day),
        gigabytes(old.bytes_a_day),
        change(old.bytes_a_day, new.bytes_a_day),
    ));
    all.push((
        "events sent",
        grouped(new.sent.events),
        grouped(old.sent.events),
        change(old.sent.events as f64, new.sent.events as f64),
    ));
    for (what, a, b) in [
        ("events per second, median", new.rates.p50, old.rates.p50),
        ("events per second, 95 %", new.rates.p95, old.rates.p95),
        ("events per second, 99 %", new.rates.p99, old.rates.p99),
        ("events per second, most", new.rates.max, old.rates.max),
    ] {
        let (now, before, change) = per(a, b);
        all.push((what, now, before, change));
    }
    if let (Some((_, a)), Some((_, b))) = (&new.busiest_day, &old.busiest_day) {
        all.push(("GB on the busiest day", gigabytes(*a as f64), gigabytes(*b as f64), change(*b as f64, *a as f64)));
    }
    h.push_str("<div class=\"cards\">");
    for (what, now, before, change) in all {
        let _ = write!(
            h,
            "<div class=\"card\"><span>{what}</span><b>{now}</b><span>before {before} &nbsp; {}</span></div>",
            change.replace(' ', "&nbsp;")
        );
    }
    h.push_str("</div>\n");
    if r.span > 0 && r.span < 86_400 {
        let _ = writeln!(
            h,
            "<p class=\"soft\">GB a day is the rate of these {} carried on for 24 hours.</p>",
            duration(r.span)
        );
    }
}

fn spots(h: &mut String, r: &Report) {
    h.push_str("<h2>Blind spots: what the SIEM no longer sees</h2>\n");
    if r.blind.is_empty() {
        h.push_str("<div class=\"spots none\">None: every *SECURITY and *AUTFAIL type, privileged user, audit change and library still reaches it.</div>\n");
        return;
    }
    h.push_str("<div class=\"spots\"><ul>\n");
    for (kind, text) in r.blind_lines() {
        let _ = writeln!(h, "<li><b>{kind}</b>: {}</li>", escape(&text));
    }
    h.push_str("</ul></div>\n");
}

/// The loudest types, by index, with their colours.
fn coloured(r: &Report) -> Vec<(usize, &'static str)> {
    let index = |name: &str| r.codes.iter().position(|c| c == name);
    r.types.iter().filter_map(|t| index(&t.name)).zip(COLOURS).collect()
}

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 56.0;

fn volume_over_time(h: &mut String, r: &Report) {
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

fn before_and_after(h: &mut String, r: &Report) {
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

fn top_rules(h: &mut String, r: &Report) {
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

fn tables(h: &mut String, r: &Report) {
    let mut table = |title: &str, rows: &[Row]| {
        let _ = write!(
            h,
            "<details><summary>{title}: {}</summary><table><tr><th>name</th><th>events before</th><th>events now</th><th>bytes before</th><th>bytes now</th><th>change</th></tr>",
            grouped(rows.len() as u64)
        );
        for row in rows.iter().take(2_000) {
            let cells = |v: &Volume| (grouped(v.events), grouped(v.bytes));
            let ((a, x), (b, y)) = (cells(&row.old), cells(&row.new));
            let _ = write!(
                h,
                "<tr><td>{} <span class=\"soft\">{}</span></td><td>{a}</td><td>{b}</td><td>{x}</td><td>{y}</td><td>{}</td></tr>",
                escape(&row.name),
                escape(&row.title),
                change(row.old.bytes as f64, row.new.bytes as f64)
            );
        }
        h.push_str("</table></details>\n");
    };
    table("All entry types", &r.types);
    table("Effective users", &r.effective_users);
    table("Job users", &r.job_users);
    let _ = write!(
        h,
        "<details><summary>Rules that dropped something: {}</summary><table><tr><th>rule</th><th>place</th><th>events</th><th>bytes saved</th></tr>",
        grouped(r.new.rules.len() as u64)
    );
    for (rule, place, v) in r.new.rules.iter().take(2_000) {
        let _ = write!(
            h,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(rule),
            escape(place),
            grouped(v.events),
            grouped(v.bytes)
        );
    }
    h.push_str("</table></details>\n");
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
