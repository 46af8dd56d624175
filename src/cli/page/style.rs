//! How pages look, and what stands around what they say. No script, nothing fetched; light and dark, narrow and wide, on paper.
use std::fmt::Write as _;

use super::markup::escape;

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
dl.facts { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .1rem 1rem; margin: .6rem 0 1.1rem; } dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--soft); }
";

/// A page of this title, up to its first heading; `more` is style of its own.
pub fn begin(title: &str, more: &str) -> String {
    let mut h = String::with_capacity(64 << 10);
    h.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    h.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    h.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(h, "<title>{}</title>\n<style>{STYLE}{more}</style></head><body>\n", escape(title));
    h
}

/// Its end.
pub fn end(h: &mut String) {
    h.push_str("</body></html>\n");
}
