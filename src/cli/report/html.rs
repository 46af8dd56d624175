//! The report as one page that can be filed: text, tables and charts; no script, nothing fetched. Names in it come from entries and
//! so from strangers: every text is escaped.
use std::fmt::Write as _;

use super::{
    document::{Section, Set, Table},
    result::Report,
};
use crate::{
    cli::page::{
        charts::{self, Bar, Kind},
        evidence,
        markup::escape,
        style,
    },
    log::numbers::grouped,
};

/// Lists become blocks on a narrow screen: each cell under the name of its column.
const STYLE: &str = "
.list { margin: .4rem 0 1.2rem; font-size: .9em; } .list th, .list td { text-align: left; overflow-wrap: anywhere; } .list .n { text-align: right; white-space: nowrap; } .list .w { white-space: nowrap; } .list .t { min-width: 9em; } .list td.t:first-child { min-width: 14em; } .list td:empty::after { content: '\\2013'; color: var(--soft); }
.pair { display: grid; grid-template-columns: 1fr; column-gap: 2.5rem; } @media print, (min-width: 52rem) { .pair { grid-template-columns: 1fr 1fr; } }
h3 { font-size: 1rem; margin: 1.1rem 0 .2rem; } nav { margin: .8rem 0; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; } a { color: var(--bar); }
@media screen and (max-width: 52rem) { .list thead { display: none; } .list, .list tbody { display: block; } .list tr { display: block; padding: .45rem 0; border-bottom: 1px solid var(--line); } .list td, .list .n, .list .w, .list .t, .list td.t:first-child { display: grid; min-width: 0; grid-template-columns: 7.5rem minmax(0, 1fr); padding: .05rem 0; border: 0; text-align: left; white-space: normal; } .list td::before { content: attr(data-label); color: var(--soft); } .list td:empty { display: none; } .list td:first-child { font-weight: 600; } }
@media print { .list { font-size: 7.5pt; } .list .t { min-width: 6.5em; } .list td.t:first-child { min-width: 12em; } .list thead { display: table-header-group; } .list th, .list td { padding: .12rem .3rem; } nav { display: none; } h3 { break-after: avoid; } }
";

/// The page.
pub fn page(r: &Report<'_>) -> String {
    let mut h = style::begin(&r.title(), STYLE);
    let _ = writeln!(h, "<h1>{}</h1>", escape(&r.title()));
    let systems = r.c.receivers.kept.first().map_or("", |first| first.system.as_str());
    let _ = writeln!(
        h,
        "<p class=\"soft\">{}{}</p>",
        if systems.is_empty() { String::new() } else { format!("system {}; ", escape(systems)) },
        escape(&evidence::facts(&r.evidence).first().map_or(String::new(), |(what, fact)| format!("{what} {fact}")))
    );
    let sections = r.sections();
    h.push_str("<nav><a href=\"#read\">What was read</a>");
    for s in &sections {
        let _ = write!(h, "<a href=\"#{}\">{}</a>", s.id, escape(&s.title));
    }
    h.push_str("</nav>\n");
    cards(&mut h, r);
    h.push_str("<h2 id=\"read\">What was read</h2>\n");
    evidence::html(&mut h, &r.facts());
    for capture in &r.evidence.captures {
        evidence::html(&mut h, &evidence::capture(capture));
    }
    charts(&mut h, r);
    sections.iter().for_each(|s| section(&mut h, s));
    style::end(&mut h);
    h
}

fn cards(h: &mut String, r: &Report<'_>) {
    let c = &r.c;
    let at_least = if c.users.is_exact() { "" } else { "more than " };
    let gaps = c.sequence.gaps + c.sequence.back;
    h.push_str("<div class=\"cards\">");
    for (what, n, of) in [
        ("entries reported", grouped(c.reported), format!("of {} read", grouped(r.stats.read))),
        ("users", format!("{at_least}{}", grouped(c.users.len() as u64)), "by either name".to_owned()),
        ("sign-on failures", grouped(c.failures.total), format!("{} bursts", grouped(c.failures.burst_count))),
        ("privilege changes", grouped(c.privileges.total()), "CP, CA, OW, PA, PG".to_owned()),
        ("under another name", grouped(c.differ), format!("{} pairs", grouped(c.acting.len() as u64))),
        ("changes to auditing", grouped(c.auditing.total()), "and service tools".to_owned()),
        ("gaps", grouped(gaps), format!("{} numbers missing", grouped(c.sequence.missing))),
        ("parked records", grouped(r.stats.parked), "no entries".to_owned()),
    ] {
        let _ = write!(h, "<div class=\"card\"><span>{what}</span><b>{n}</b><span>{of}</span></div>");
    }
    h.push_str("</div>\n");
}

fn charts(h: &mut String, r: &Report<'_>) {
    let c = &r.c;
    if c.reported == 0 {
        h.push_str("<p class=\"soft\">No entries: no charts.</p>\n");
        return;
    }
    let mut types: Vec<(usize, u64)> = c.by_type.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect();
    types.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let codes: Vec<(usize, String, &str)> =
        types.iter().map(|(i, _)| (*i, r.code(*i), c.types.get(*i).map_or("", |(_, title)| title.as_str()))).collect();
    let kinds: Vec<Kind<'_>> = codes.iter().map(|(index, code, title)| Kind { index: *index, code, title }).collect();
    charts::over_time(h, &[("entries, in the system's own time", &c.timeline)], &kinds);
    h.push_str("<h2>Events by hour of the day</h2>\n");
    charts::hours(h, &c.by_hour);
    h.push_str("<div class=\"pair\"><div><h2>Events by type</h2>\n");
    let entries = |n: u64| format!("{} entries", grouped(n));
    let of_type = types.iter().zip(&codes).map(|((_, n), (_, code, title))| Bar {
        name: if code == title { code.clone() } else { format!("{code} {title}") },
        note: entries(*n),
        value: *n,
    });
    charts::bars(h, "entries by type", &of_type.collect::<Vec<_>>());
    h.push_str("</div><div><h2>Events by user</h2>\n");
    let users = c.users.sorted(|k| r.name(*k));
    let of_user = users.iter().take(charts::BARS).map(|(name, key, row)| {
        let tags = r.tags(**key).join(", ");
        let note = if tags.is_empty() { entries(row.count) } else { format!("{}; {tags}", entries(row.count)) };
        Bar { name: name.clone(), note, value: row.count }
    });
    charts::bars(h, "entries by user, either name", &of_user.collect::<Vec<_>>());
    h.push_str("</div></div>\n");
}

fn section(h: &mut String, s: &Section) {
    let _ = writeln!(h, "<h2 id=\"{}\">{}</h2>", s.id, escape(&s.title));
    for note in &s.notes {
        let _ = writeln!(h, "<p class=\"soft\">{}</p>", escape(note));
    }
    s.tables.iter().for_each(|t| table(h, t));
}

fn table(h: &mut String, t: &Table) {
    if !t.title.is_empty() {
        let _ = writeln!(h, "<h3>{}</h3>", escape(&t.title));
    }
    if t.rows.is_empty() {
        h.push_str("<p class=\"soft\">None.</p>\n");
        return;
    }
    let class = |set: Set| match set {
        Set::Number => "n",
        Set::Word => "w",
        Set::Text => "t",
    };
    h.push_str("<table class=\"list\"><thead><tr>");
    for column in &t.columns {
        let _ = write!(h, "<th class=\"{}\">{}</th>", class(column.set), column.name);
    }
    h.push_str("</tr></thead><tbody>\n");
    for row in &t.rows {
        h.push_str("<tr>");
        for (cell, column) in row.iter().zip(&t.columns) {
            let _ =
                write!(h, "<td class=\"{}\" data-label=\"{}\">{}</td>", class(column.set), column.name, escape(cell));
        }
        h.push_str("</tr>\n");
    }
    h.push_str("</tbody></table>\n");
    let more = t.total.saturating_sub(t.rows.len() as u64);
    if more > 0 {
        let _ = writeln!(h, "<p class=\"soft\">and {} more</p>", grouped(more));
    }
}
