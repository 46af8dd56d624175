//! docs/EVENTS.md: a line of every entry type in four formats, as the program writes it.
use std::fmt::Write as _;

use harness::program::{Run, folder, make, qaudjrn, tool};
use qaudjrn::{
    encode::Profile,
    event::{EventModel, EventType},
};

use super::keys::model;

const FORMATS: [&str; 4] = ["syslog", "cef", "leef", "json"];

/// The page.
pub fn page() -> String {
    let model = model(&Profile::native().expect("the profile"));
    let mut page = String::from(HEAD);
    let codes: Vec<&str> = (0..model.len()).map(|n| model.code(n)).filter(|c| !c.is_empty() && *c != "QH").collect();
    let _ = write!(page, "\n## {} entry types\n\n", codes.len());
    let links = codes.iter().map(|code| format!("[{code}](#{})", code.to_lowercase()));
    page.push_str(&links.collect::<Vec<_>>().join(" "));
    page.push('\n');

    let dir = folder();
    // Types in turn, so that as many entries have each once; with room for the longest.
    let made = make(&dir, "all.type5", &format!("--mix all --seed 2026 --entdtalen 16000 --count {}", codes.len()));
    let lines = FORMATS.map(|format| replayed(&format!("--format {format} --timezone Europe/Berlin"), &made.path));
    for code in &codes {
        let at = made.truth.iter().position(|t| t["header"]["journal_entry_type"] == *code);
        let at = at.unwrap_or_else(|| panic!("the capture has no {code}"));
        let kind = model.kind_of(code).expect("a type");
        let _ = write!(page, "\n### {code}\n\n{}. {}\n", kind.title, details(&model, code, kind));
        block(&mut page, lines.iter().map(|l| l[at].as_str()));
    }

    page.push_str(HISTORY);
    let file = dir.path().join("QHST26324A");
    let messages = model.catalog().messages().rows.len();
    tool("make_qhst.py", &file, &dir.path().join("truth"), &format!("--count {messages} --seed 2026"));
    let options = "--system PROD01 --timezone Europe/Berlin --types QH";
    let lines = FORMATS.map(|format| replayed(&format!("--format {format} {options}"), &file));
    let id = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        (line["event_id"].as_str().expect("an id").to_owned(), line["title"].as_str().expect("a title").to_owned())
    };
    let mut order: Vec<usize> = (0..lines[3].len()).collect();
    order.sort_by_key(|n| id(&lines[3][*n]));
    order.dedup_by_key(|n| id(&lines[3][*n]));
    for at in order {
        let (id, title) = id(&lines[3][at]);
        let _ = write!(page, "\n### {id}\n\n{title}.\n");
        block(&mut page, lines.iter().map(|l| l[at].as_str()));
    }
    page
}

/// Where it comes from, and what its details are.
fn details(model: &EventModel, code: &str, kind: &EventType) -> String {
    let levels: Vec<&str> = model.catalog().levels().levels_of(code).map(|l| l.value.as_str()).collect();
    let mut text = match levels.as_slice() {
        [] => "The level that records it is not known".to_owned(),
        levels => format!("Recorded by `{}`", levels.join("`, `")),
    };
    let _ = write!(text, "; severity {}.", kind.severity);
    let mut known: Vec<String> = Vec::new();
    for (_, detail) in kind.details().iter().filter(|(_, d)| !d.code.is_empty()) {
        let meaning = detail.meaning.as_deref().unwrap_or("meaning not known");
        let severity =
            if detail.severity == kind.severity { String::new() } else { format!(" (severity {})", detail.severity) };
        known.push(format!("`{}` {meaning}{severity}", detail.code));
    }
    if !known.is_empty() {
        let _ = write!(text, " Details: {}.", known.join(", "));
    }
    text
}

fn block<'a>(page: &mut String, lines: impl Iterator<Item = &'a str>) {
    let _ = write!(page, "\n```text\n{}\n```\n", lines.collect::<Vec<_>>().join("\n\n"));
}

/// The lines of a capture, in its order.
fn replayed(options: &str, file: &std::path::Path) -> Vec<String> {
    let run: Run = qaudjrn(&format!("replay --summary none {options}"), &[file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.lines().into_iter().map(str::to_owned).collect()
}

const HEAD: &str = "\
# Events

A line of every entry type, in Syslog, CEF, LEEF (with tabs between its attributes) and JSON, as the program writes it. This page is made by `tests/docs.rs`
(`QAUDJRN_REMAKE=1 cargo test --profile ci --test docs made_of_tables`).

**The values are made up**, by an encoder of the tests that knows the layouts and not what belongs together: a profile may stand where a file would, and codes are drawn at
random. What is right in them is which keys a line has, how values are written, ids, titles and severities. A line of your own is longer or shorter; blank values are left out.
[KEYS.md](KEYS.md) has every key, `qaudjrn types XX` the layout of a type and how surely each place is known; the shipped story
(`fixtures/stories.type5`) is one whose values belong together.
";

const HISTORY: &str = "
## Messages of the history log

Those that `formats/history/messages.toml` knows; all others have the title \"History log message\". These texts are made up too.
";
