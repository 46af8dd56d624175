//! The report as one page: text, tables and [`super::charts`]; no script, nothing fetched. Names in it come from entries and so from
//! strangers: every text is escaped.
use std::fmt::Write as _;

use super::{
    blind_spots, charts,
    markup::escape,
    measure::Volume,
    report::{ComparedVolume, Report},
    text::{change, duration, gigabytes},
};
use crate::log::numbers::grouped;

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
.spots li ul { columns: 14rem; } .spots li li { overflow-wrap: anywhere; break-inside: avoid; }
.cards { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem; margin: 1.2rem 0; }
@media (min-width: 46rem) { .cards { grid-template-columns: repeat(4, minmax(9.5rem, 1fr)); } }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.45rem; line-height: 1.3; font-variant-numeric: tabular-nums; } .card span { color: var(--soft); }
svg { display: block; width: 100%; margin: .3rem 0; } svg text { fill: var(--soft); font: 12px system-ui, 'DejaVu Sans', sans-serif; }
svg .name { fill: var(--text); } .grid { stroke: var(--line); } .old { fill: var(--old); } .new { fill: var(--bar); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; color: var(--soft); } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; }
.chart { display: grid; grid-template-columns: auto 1fr; column-gap: .5rem; margin: .8rem 0; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.chart svg { height: 170px; margin: 0; } .chart b { grid-column: 2; color: var(--text); } .ticks { display: flex; flex-direction: column; justify-content: space-between; text-align: right; height: 170px; line-height: 1; }
.times { grid-column: 2; display: flex; justify-content: space-between; } .times span { text-align: center; } .times span:first-child { text-align: left; } .times span:last-child { text-align: right; }
code { overflow-wrap: anywhere; font-size: .85em; } .scroll { overflow-x: auto; }
@media (max-width: 30rem) { body { padding: 1rem .8rem 2rem; font-size: 14px; } .card { padding: .5rem .6rem; } .card b { font-size: 1.15rem; } th, td { padding: .25rem .3rem; } }
@media print { :root { color-scheme: light; --bg: #fff; --text: #000; --soft: #444; --line: #bbb; --bar: #3366cc; --old: #b9c2cc; --warn: #fff; --ok: #fff; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
body { max-width: none; padding: 0; font-size: 10pt; } h2 { break-after: avoid; } .card, .spots li, .chart, tr { break-inside: avoid; } .cards { grid-template-columns: repeat(4, 1fr); } details::details-content { display: block; content-visibility: visible; } @page { margin: 15mm; } }
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
    charts::volume_over_time(&mut h, r);
    charts::before_and_after(&mut h, r);
    charts::top_rules(&mut h, r);
    tables(&mut h, r);
    h.push_str("</body></html>\n");
    h
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
    let _ = writeln!(h, "<p class=\"soft\">made {}</p>", escape(&r.made));
    for (path, hash) in &r.hashes {
        let _ = writeln!(h, "<p class=\"soft\">{}: SHA-256 <code>{}</code></p>", escape(path), escape(hash));
    }
    for c in &r.captures {
        let _ = writeln!(h, "<p class=\"soft\">{}</p>", escape(c));
    }
    for w in &r.warnings {
        let _ = writeln!(h, "<p class=\"soft\">warning: {}</p>", escape(w));
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
    all.push((
        "events dropped",
        grouped(new.dropped.events),
        grouped(old.dropped.events),
        change(old.dropped.events as f64, new.dropped.events as f64),
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
    // Always there, so that the cards fill their rows.
    all.push(match (&new.busiest_day, &old.busiest_day) {
        (Some((_, a)), Some((_, b))) => {
            ("GB on the busiest day", gigabytes(*a as f64), gigabytes(*b as f64), change(*b as f64, *a as f64))
        }
        _ => ("GB on the busiest day", "\u{2013}".to_owned(), "\u{2013}".to_owned(), "less than a day".to_owned()),
    });
    h.push_str("<div class=\"cards\">");
    for (what, now, before, change) in all {
        let _ = write!(
            h,
            "<div class=\"card\"><span>{}</span><b>{now}</b><span>before {before} &nbsp; {}</span></div>",
            percent(what),
            percent(&change)
        );
    }
    h.push_str("</div>\n");
    for note in r.notes() {
        let _ = writeln!(h, "<p class=\"soft\">{}</p>", percent(&escape(&note)));
    }
}

/// No line ends before a percent sign.
fn percent(text: &str) -> String {
    text.replace(" %", "&nbsp;%")
}

fn spots(h: &mut String, r: &Report) {
    h.push_str("<h2>Blind spots: what the SIEM no longer sees</h2>\n");
    let off = r.off_in_both().map_or(String::new(), |off| format!("<p class=\"soft\">{}</p>\n", escape(&off)));
    if r.blind_spots.is_empty() {
        let _ = write!(h, "<div class=\"spots none\">{}</div>\n{off}", escape(&r.no_spots()));
        return;
    }
    h.push_str("<div class=\"spots\"><ul>\n");
    for line in blind_spots::lines(&r.blind_spots) {
        let _ = write!(h, "<li><b>{}</b>: {}", line.kind, escape(&line.text));
        if !line.items.is_empty() {
            h.push_str("<ul>");
            for item in &line.items {
                let _ = write!(h, "<li>{}</li>", escape(item));
            }
            h.push_str("</ul>");
        }
        h.push_str("</li>\n");
    }
    let _ = write!(h, "</ul></div>\n{off}");
}

fn tables(h: &mut String, r: &Report) {
    let mut table = |title: &str, rows: &[ComparedVolume]| {
        let _ = write!(
            h,
            "<details><summary>{title}: {}</summary><div class=\"scroll\"><table><tr><th>name</th><th>events before</th><th>events now</th><th>bytes before</th><th>bytes now</th><th>change</th></tr>",
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
                percent(&change(row.old.bytes as f64, row.new.bytes as f64))
            );
        }
        h.push_str("</table></div></details>\n");
    };
    table("All entry types", &r.types);
    table("Effective users", &r.effective_users);
    table("Job users", &r.job_users);
    let _ = write!(
        h,
        "<details><summary>Rules that dropped something: {}</summary><div class=\"scroll\"><table><tr><th>rule</th><th>place</th><th>events</th><th>bytes saved</th></tr>",
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
    h.push_str("</table></div></details>\n");
}
