//! The report as one page: text, tables and [`super::charts`]; no script, nothing fetched. Names in it come from entries and so from
//! strangers: every text is escaped.
use std::fmt::Write as _;

use super::{
    blind_spots, charts,
    measure::Volume,
    report::{ComparedVolume, Report},
    text::{change, gigabytes},
};
use crate::{
    cli::page::{self, markup::escape, style, words::duration},
    log::numbers::grouped,
};

/// The page.
pub fn page(r: &Report) -> String {
    let mut h = style::begin(&format!("What if: {}", r.new.name), "");
    head(&mut h, r);
    cards(&mut h, r);
    spots(&mut h, r);
    charts::volume_over_time(&mut h, r);
    charts::before_and_after(&mut h, r);
    charts::top_rules(&mut h, r);
    tables(&mut h, r);
    evidence(&mut h, r);
    style::end(&mut h);
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
    for (what, fact) in page::evidence::facts(&r.evidence).iter().take(1) {
        let _ = writeln!(h, "<p class=\"soft\">{what} {}</p>", escape(fact));
    }
    for w in &r.warnings {
        let _ = writeln!(h, "<p class=\"soft\">warning: {}</p>", escape(w));
    }
}

/// What it was made of, when and by what: so that it can be held against the files.
fn evidence(h: &mut String, r: &Report) {
    h.push_str("<h2>What was read</h2>\n");
    let mut facts = page::evidence::facts(&r.evidence);
    facts.push(("sums", r.sums()));
    page::evidence::html(h, &facts);
    for c in &r.evidence.captures {
        page::evidence::html(h, &page::evidence::capture(c));
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
