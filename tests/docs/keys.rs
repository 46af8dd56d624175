//! docs/KEYS.md: every key of every format, as the program's own plans of lines have them.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use qaudjrn::{
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Catalog, HeadingKind},
    },
    encode::{
        Format, Header, Profile, Settings,
        field_op::{FieldOp, OpKind},
        plan::Plan,
    },
    event::{EventModel, EventType, Options, SlotDetail},
};

/// What values with a place of their own are. The page fails without a line for each.
const WHAT: [(&str, &str); 38] = [
    ("entry_id", "`RECEIVER:SEQUENCE`: with the system, it is unique"),
    ("event_id", "entry type and detail, `PW-P`; in headers and class ids of the other formats"),
    ("log", "`QSYS-QHST`, in messages of the history log only"),
    ("outcome", "`failure`, where the entry records a refusal; else absent"),
    ("reason", "what the detail code means, with failures and from severity 5 on; always with `--detail full`"),
    ("time", "when the entry was written. CEF and LEEF: milliseconds since 1970; JSON: RFC 3339"),
    ("system", "the name of the system, where the header does not have it"),
    ("effective_user", "the profile the thread ran under"),
    ("job_user", "the user of the job's name"),
    ("job", "NUMBER/USER/NAME"),
    ("job_number", "its number alone"),
    ("sequence", "number of the entry in its receiver"),
    ("receiver", "journal receiver"),
    ("receiver_library", "its library"),
    ("thread", "thread of the job"),
    ("target_user", "the profile that is acted upon, or was tried"),
    ("acting_user", "who acted, where the entry says that beside the effective user"),
    (
        "remote_address",
        "where it came from. An IPv6 address is CEF `c6a2`, what is no address CEF `shost`, LEEF `remoteAddress`",
    ),
    ("remote_port", "its port; what is no port is `remotePort`"),
    ("local_address", "this end. CEF `c6a3`, `dhost`, LEEF `localAddress`, as above"),
    ("local_port", "its port; what is no port is `localPort`"),
    ("object", "LIBRARY/OBJECT"),
    ("object_type", "`*FILE` and the like"),
    ("object_attribute", "`PF`, `CLLE` and the like"),
    ("action", "what was done to it: the access type of ZC and ZR"),
    ("file_name", "part of the access data of ZC and ZR"),
    ("program", "LIBRARY/PROGRAM that wrote the entry"),
    ("target_job", "the job that is acted upon"),
    ("source_job", "the job that acted, where the entry names it"),
    ("device", "device"),
    ("path", "path in the integrated file system"),
    ("dlo", "document library object"),
    ("old_object", "LIBRARY/OBJECT before a move or rename"),
    ("old_path", "path before a move or rename"),
    ("new_value", "value behind a change"),
    ("old_value", "value before it"),
    ("command", "command string"),
    ("text", "text of a message of the history log"),
];

const FORMATS: [Format; 4] = [Format::Syslog, Format::Cef, Format::Leef, Format::Json];

/// All event types under the *TYPE5 heading, which holds most.
pub fn model(profile: &Profile) -> EventModel {
    let catalog = Arc::new(Catalog::shipped().expect("tables"));
    let heading = catalog.heading(HeadingKind::Type5).expect("a heading").clone();
    let options =
        Options { failures: profile.outcome.failure.clone(), omit: profile.full.omit.clone(), ..Options::default() };
    EventModel::new(catalog, heading, Charset::of(Ccsid(37)).expect("CCSID 37"), options)
}

/// The key that an operation writes; of a pair of CEF's msg its name.
fn key(format: Format, op: &FieldOp) -> String {
    if let OpKind::Msg(_) = op.kind {
        return op.name.clone();
    }
    let mut bytes = Vec::new();
    op.key_prefix.put(&mut bytes);
    let text = String::from_utf8(bytes).expect("a key");
    match format {
        Format::Json => text.split('"').nth(1).expect("a key").to_owned(),
        _ => text.rsplit_once('=').expect("a key").0.rsplit([' ', '\t', '^']).next().expect("a key").to_owned(),
    }
}

fn plan(kind: &EventType, format: Format, profile: &Profile) -> Plan {
    let mut settings = Settings::new(format, profile);
    (settings.full, settings.header) = (true, Header::None);
    Plan::new(kind, &settings, profile)
}

/// What a field is called in each format, what it is, and the types that have it.
#[derive(Default)]
struct Row {
    keys: [String; 4],
    label: String,
    always: BTreeSet<String>,
    full: BTreeSet<String>,
}

/// The fields that have no place of their own, by name and keys.
fn fields(model: &EventModel, profile: &Profile) -> BTreeMap<(String, [String; 4]), Row> {
    let mut rows: BTreeMap<_, Row> = BTreeMap::new();
    for kind in (0..model.len()).map(|n| model.kind(n)) {
        let plans = FORMATS.map(|format| (format, plan(kind, format, profile)));
        let mut used = plans.each_ref().map(|(_, plan)| vec![false; plan.ops.len() + plan.parts.len()]);
        for slot in kind.slots.iter().filter(|slot| !slot.named) {
            let mut keys: [String; 4] = Default::default();
            for (n, (format, plan)) in plans.iter().enumerate() {
                let ops = plan.ops.iter().chain(&plan.parts);
                // Two slots may stand in one place: each operation is that of one.
                let found = ops.enumerate().find(|(i, op)| !used[n][*i] && op.location == slot.location);
                if let Some((i, op)) = found {
                    used[n][i] = true;
                    keys[n] = key(*format, op);
                }
            }
            let row = rows.entry((slot.name.clone(), keys.clone())).or_default();
            row.keys = keys;
            let label = kind.layout.as_ref().and_then(|l| l.field(&slot.name)).map(|f| f.label.clone());
            if row.label.is_empty() {
                // What no field is called is made of several, or is a part of one.
                let part = matches!(slot.location, qaudjrn::event::ValueLocation::Part(_));
                let made = match slot.name.as_str() {
                    "data" | "text" if kind.is_foreign() => "the entry data, where no table says more",
                    _ if part => "part of the access data",
                    _ => "flags that are set",
                };
                row.label = label.unwrap_or_else(|| made.to_owned());
            }
            let code = if kind.code.is_empty() { "(unknown types)" } else { &kind.code };
            let types = if slot.detail == SlotDetail::Compact { &mut row.always } else { &mut row.full };
            types.insert(code.to_owned());
        }
    }
    rows
}

/// A cell of a table.
fn cell(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { format!("`{text}`") }
}

fn list(types: &BTreeSet<String>) -> String {
    if types.is_empty() { "-".to_owned() } else { types.iter().cloned().collect::<Vec<_>>().join(" ") }
}

/// The page.
pub fn page() -> String {
    let profile = Profile::native().expect("the profile");
    let model = model(&profile);
    let mut page = String::from(HEAD);
    page.push_str("\n## Values with a place of their own\n\n| value | Syslog | CEF | LEEF | JSON | what it is |\n| --- | --- | --- | --- | --- | --- |\n");
    let mut done = BTreeSet::new();
    for row in profile.values.iter().filter(|row| row.name != "*") {
        if !done.insert(row.name.as_str()) {
            continue;
        }
        let what = WHAT.iter().find(|(name, _)| *name == row.name);
        let what = what.unwrap_or_else(|| panic!("tests/docs/keys.rs: WHAT says nothing of {}", row.name)).1;
        let keys = FORMATS.map(|format| {
            let all = profile.values.iter().filter(|r| r.name == row.name);
            all.filter_map(|r| {
                let key = r.key(format)?;
                let label = r.cef_label.as_deref().filter(|_| format == Format::Cef);
                let mut text = match label {
                    Some(label) if key == "msg" => format!("`msg` ({label})"),
                    Some(label) => format!("`{key}` ({label})"),
                    None => format!("`{key}`"),
                };
                if format != Format::Json && (r.detail != Default::default() || r.header.is_some()) {
                    text.push('¹');
                }
                Some(text)
            })
            .next()
            .unwrap_or_else(|| "-".to_owned())
        });
        let _ = writeln!(page, "| {} | {} | {what} |", row.name, keys.join(" | "));
    }
    page.push_str(FIELDS);
    for ((name, _), row) in fields(&model, &profile) {
        let [syslog, cef, leef, json] = &row.keys;
        assert!(cef.is_empty() || leef.is_empty() || cef == leef || leef.starts_with("field"), "{name}: {cef} {leef}");
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            cell(json),
            cell(syslog),
            cell(leef),
            row.label.replace('|', "\\|"),
            list(&row.always),
            list(&row.full)
        );
    }
    page
}

/// All keys that lines can have at all, by the program's plans.
pub fn all_keys() -> BTreeSet<String> {
    let profile = Profile::native().expect("the profile");
    let model = model(&profile);
    let mut keys = BTreeSet::new();
    for kind in (0..model.len()).map(|n| model.kind(n)) {
        for format in FORMATS {
            let plan = plan(kind, format, &profile);
            keys.extend(plan.ops.iter().chain(&plan.parts).map(|op| key(format, op)));
        }
    }
    keys
}

const HEAD: &str = "\
# Keys

Every key of every format, with the value that stands behind it. This page is made of the program's tables by `tests/docs.rs`
(`QAUDJRN_REMAKE=1 cargo test --profile ci --test docs made_of_tables`); [FORMATS.md](FORMATS.md) says what holds for all lines,
[EVENTS.md](EVENTS.md) shows a line of each entry type, and `qaudjrn types XX` what each field is and how surely its place is known.

## What every line has

| | Syslog | CEF | LEEF | JSON |
| --- | --- | --- | --- | --- |
| time, system | header | header | header | `time`, `system` |
| event id | MSGID | class id | event id (`PW_P`), `cat` the type | `event_id` |
| title | behind the element | name | - | `title` |
| severity | PRI | 0 to 10 | `sev`, 1 to 10 | `severity`, 0 to 10 |
| what was cut off or left out to keep the size limit | `truncated` | `truncated` | `truncated` | `truncated` |
| the first field that the capture cut off | `incomplete` | `incomplete` | `incomplete` | `incomplete` |
| what stands in the entry where no valid time does | `notime` | `notime` | `notime` | `notime` |

Events of the agent itself (`AGENT-HEARTBEAT`, `AGENT-GAP`) have keys of their own: [RUNNING.md](RUNNING.md#what-a-siem-hears-of-the-agent).
";

const FIELDS: &str = "
In brackets: the text of the `Label` key (`cs2Label=jobUser cs2=QTCP`), or the name of the pair in `msg`.
¹ Only with `--detail full`, or behind headers that do not say it: `formats/output/native.toml`.

## Fields of entry types

What has no place of its own goes under the name of its layout, spelled as the format spells keys. In CEF these are pairs in `msg`, by the
same name as in LEEF: `msg=userClass: *SECOFR; status: *ENABLED` (in messages of the history log in `cs5`). `compact`: entry types that carry it
always, where it is not blank; `full`: those that do with `--detail full`.

| JSON | Syslog | LEEF, CEF `msg` | what it is | compact | full |
| --- | --- | --- | --- | --- | --- |
";
