//! The commands that look and do not send: `explain`, `what-if` and `check`, through the program.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use harness::program::{Made, Run, count, finish, folder, head, make, qaudjrn, replay, sequence};
use harness::record::Record;
use serde_json::Value;

/// Rules of every kind that hit something in a capture of the realistic mix.
const RULES: &str = r#"
[filter]
presets = ["temp-paths"]
types.exclude = ["SF", "JS-S", "ZR"]
objects.exclude = ["QGPL/*ALL"]
ifs.exclude = ["/home"]
ifs.include = ["/home/bill"]
users.exclude = ["WEB*", "Q*"]
users.match = "either"
jobs.exclude = ["QPADEV*"]
remote.exclude = ["10.0.0.0/8"]
"#;

fn config(dir: &tempfile::TempDir, text: &str) -> String {
    let path = dir.path().join(format!("c{}.toml", text.len()));
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn capture(dir: &tempfile::TempDir) -> Made {
    make(dir, "day.type5", "--count 3000 --seed 31 --stories")
}

fn json(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout))
}

fn what_if(args: &str, capture: &Path) -> Value {
    json(&qaudjrn(&format!("what-if --json --timezone UTC {args}"), &[capture]))
}

// -------------------------------------------------------------------------------------------------------- explain

#[test]
fn n9_an_explained_entry_has_the_verdict_and_the_lines_that_replay_sends() {
    let dir = folder();
    let made = capture(&dir);
    let config = config(&dir, RULES);
    // Sequence number to line, for each format: what replay sends.
    let sent = |format: &str| -> BTreeMap<u64, String> {
        let ids = replay(&format!("--format json --config {config}"), &[&made.path]);
        let lines = replay(&format!("--format {format} --config {config}"), &[&made.path]);
        assert_eq!(ids.lines().len(), lines.lines().len());
        harness::program::sequences(&ids).into_iter().zip(lines.lines().iter().map(|l| l.to_string())).collect()
    };
    let formats = ["syslog", "cef", "leef", "leef2", "json"].map(|f| (f, sent(f)));
    let (mut dropped, mut kept) = (0, 0);
    for truth in made.truth.iter().step_by(97) {
        let n = sequence(truth);
        let e =
            json(&qaudjrn(&format!("explain --json --timezone UTC --config {config} --sequence {n}"), &[&made.path]));
        assert_eq!(e["entry"]["header"]["sequence_number"], truth["header"]["sequence_number"]);
        assert_eq!(e["entry"]["fields"], truth["fields"], "{n}");
        let is_sent = e["filter"]["verdict"] == "sent";
        *(if is_sent { &mut kept } else { &mut dropped }) += 1;
        for (format, lines) in &formats {
            assert_eq!(lines.contains_key(&n), is_sent, "{n}: {e}");
            let line = e["lines"].as_array().unwrap().iter().find(|l| l["for"] == *format).unwrap();
            assert_eq!(line["bytes"].as_u64().unwrap() as usize, line["line"].as_str().unwrap().len());
            if let Some(sent) = lines.get(&n) {
                assert_eq!(line["line"].as_str().unwrap(), sent, "{format} {n}");
            }
        }
        // The verdict names the first dimension that says drop.
        if !is_sent {
            let said = e["dimensions"].as_array().unwrap().iter().find(|d| d["says"] == "drop").unwrap();
            assert_eq!(said["rule"], e["filter"]["rule"]);
            assert!(said["rule"]["line"].as_u64().is_some_and(|l| l > 0), "{said}");
        }
    }
    assert!(dropped > 5 && kept > 5, "{dropped} {kept}");
}

#[test]
fn n9_an_entry_is_found_by_number_place_and_id_and_shown_with_its_bytes() {
    let dir = folder();
    let made = capture(&dir);
    let truth = &made.truth[41];
    let n = sequence(truth);
    let id = format!("{}:{n}", head(truth, "receiver_name"));
    let shown = |args: &str| {
        let run = qaudjrn(&format!("explain --timezone UTC {args}"), &[&made.path]);
        run.assert_output(0, &[]);
        run.stdout.clone()
    };
    let by_sequence = shown(&format!("--sequence {n}"));
    assert_eq!(by_sequence, shown("--nth 42"));
    assert_eq!(by_sequence, shown(&format!("--event-id {id}")));
    for words in [
        format!("sequence {n}"),
        format!("at offset {}", 41 * 1500),
        "  offset length  field".to_owned(),
        "  filter         looks at".to_owned(),
        "  verdict: sent".to_owned(),
        "  cef: ".to_owned(),
        "profiles with special authorities in the entries so far".to_owned(),
    ] {
        assert!(by_sequence.contains(&words), "{words:?} is not in {by_sequence}");
    }
    let run = |args: &str| qaudjrn(&format!("explain --timezone UTC {args}"), &[&made.path]);
    run("--sequence 999999999").assert_output(1, &["no entry has the sequence number 999999999"]);
    run("--nth 999999").assert_output(1, &["fewer than 999999"]);
    run("--event-id nonsense").assert_output(2, &["RECEIVER:SEQUENCE"]);
    run("").assert_output(2, &["--sequence"]);
}

#[test]
fn explain_shows_each_output_of_a_configuration_and_what_it_learned() {
    let dir = folder();
    let made = capture(&dir);
    let config = config(
        &dir,
        "[[output]]\nname = \"siem\"\naddress = \"null\"\nformat = \"leef\"\nfilter.types.send = [\"PW\"]\n[[output]]\nname = \"all\"\naddress = \"null\"\n",
    );
    // The story in which TEMPADM is made with *ALLOBJ, and an entry behind it.
    let story = made.truth.iter().position(|t| t["fields"]["user_profile"] == "TEMPADM").unwrap();
    let explain = |nth: usize| {
        json(&qaudjrn(&format!("explain --json --timezone UTC --config {config} --nth {nth}"), &[&made.path]))
    };
    let learned = |e: &Value| e["learned_privileged"].as_array().unwrap().iter().any(|n| n == "TEMPADM");
    assert!(!learned(&explain(story)) && learned(&explain(story + 1)));
    // The command that made it is a change to auditing too, which no rule drops.
    let e = explain(story + 2);
    let of = |name: &str| e["lines"].as_array().unwrap().iter().find(|l| l["for"] == name).unwrap().clone();
    assert_eq!(of("output siem (leef)")["filter"]["verdict"], "dropped");
    assert_eq!(of("output siem (leef)")["filter"]["rule"]["rule"], "output siem: types.send");
    assert_eq!(of("output all (cef)")["filter"]["verdict"], "sent");
}

/// Outputs that differ in everything that shapes a line; the second leaves out what the first sends.
const OUTPUTS: &str = r#"
[filter]
types.exclude = ["ZR"]
[[output]]
name = "guessing"
address = "null"
format = "json"
detail = "full"
include_guesses = true
[[output]]
name = "full"
address = "null"
format = "json"
detail = "full"
filter.users.exclude = ["BILL"]
[[output]]
name = "datagrams"
address = "udp://127.0.0.1:9"
format = "cef"
detail = "full"
"#;

/// Sequence number to line: what replay sends to an output.
fn sent_to(made: &Made, config: &str, output: &str) -> BTreeMap<u64, String> {
    let args = |format: &str| format!("--to stdout --config {config} --output {output} {format}");
    let ids = replay(&args("--format json"), &[&made.path]);
    let lines = replay(&args(""), &[&made.path]);
    assert_eq!(ids.lines().len(), lines.lines().len());
    harness::program::sequences(&ids).into_iter().zip(lines.lines().iter().map(|l| l.to_string())).collect()
}

#[test]
fn n9_each_output_shows_the_line_that_replay_sends_to_it_guesses_included() {
    let dir = folder();
    let made = make(&dir, "all.type5", "--count 430 --seed 5 --mix all --entdtalen 8000");
    let config = config(&dir, OUTPUTS);
    let names = [("guessing", "json"), ("full", "json"), ("datagrams", "cef")];
    let sent = names.map(|(o, f)| (o, format!("output {o} ({f})"), sent_to(&made, &config, o)));
    let (mut differ, mut own) = (0, 0);
    for truth in made.truth.iter().skip(86).take(86) {
        let n = sequence(truth);
        let e =
            json(&qaudjrn(&format!("explain --json --timezone UTC --config {config} --sequence {n}"), &[&made.path]));
        let lines = e["lines"].as_array().unwrap();
        differ += usize::from(lines[0]["line"] != lines[1]["line"]);
        for (line, (output, name, sent)) in lines.iter().zip(&sent) {
            assert_eq!(line["for"], **name);
            assert_eq!(line["filter"]["verdict"] == "sent", sent.contains_key(&n), "{output} {n}: {line}");
            if let Some(sent) = sent.get(&n) {
                assert_eq!(line["line"].as_str().unwrap(), sent, "{output} {n}");
            }
            // The table of its own filter, where it has one.
            let says = line["dimensions"].as_array().unwrap();
            assert_eq!(says.is_empty(), *output != "full");
            own += says.iter().filter(|d| d["dimension"] == "users" && d["says"] == "drop").count();
        }
    }
    assert!(differ > 5 && own > 0, "{differ} {own}");
    let text = qaudjrn(&format!("explain --timezone UTC --config {config} --nth 1"), &[&made.path]).stdout;
    assert_eq!(text.matches("  filter         looks at").count(), 2, "the agent's and one output's: {text}");
}

#[test]
fn explain_says_which_paths_are_not_looked_at_and_counts_entries_alone() {
    let dir = folder();
    let mut relative = Record::new("type5", "CO");
    relative.sequence(1);
    let fields = &harness::record::tables().types["CO"];
    let field = fields.iter().find(|f| f.role.as_deref() == Some("path_indicator")).unwrap();
    relative.data(&field.name, &harness::ebcdic::plain("N"));
    let path = fields.iter().find(|f| f.role.as_deref() == Some("object_path")).unwrap();
    let mut cut = Record::new("type5", "CO");
    cut.sequence(2);
    cut.data(&field.name, &harness::ebcdic::plain("Y"));
    cut.data(&path.name, &[0, 40]);
    cut.cut(path.at + 10);
    let mut bytes = Vec::new();
    for (i, record) in [&relative, &cut, &relative].into_iter().enumerate() {
        let mut record = record.bytes().to_vec();
        if i == 0 {
            // No entry: its sequence number is no number.
            record.iter_mut().take(30).for_each(|b| *b = 0xC1);
        }
        bytes.extend_from_slice(&u32::try_from(record.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&record);
    }
    let capture = dir.path().join("paths.stream");
    fs::write(&capture, bytes).unwrap();
    let config = config(&dir, "[filter]\nifs.exclude = [\"/tmp\"]\n");
    let input = format!("--timezone UTC --config {config} --input type5 --input-framing stream");
    for (nth, number, why) in [(1, 2, "cut off: not looked at"), (2, 1, "relative to a directory: not looked at")] {
        // The first record is none, which no command passes over in silence.
        let run = qaudjrn(&format!("explain --json {input} --nth {nth}"), &[&capture]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        let e: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((count(&e, "nth"), sequence(&e["entry"])), (nth, number), "{e}");
        let ifs = e["dimensions"].as_array().unwrap().iter().find(|d| d["dimension"] == "ifs").unwrap();
        assert_eq!((&ifs["not_looked_at"][0], &ifs["looks_at"][0]), (&Value::from(why), &Value::Null));
        let text = qaudjrn(&format!("explain {input} --nth {nth}"), &[&capture]).stdout;
        assert!(text.contains(&format!("ifs            {why}")), "{text}");
    }
    qaudjrn(&format!("explain {input} --nth 3"), &[&capture]).assert_output(1, &["fewer than 3"]);
    // The record that is no entry is said.
    let run = qaudjrn(&format!("what-if --json {input}"), &[&capture]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let w: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((count(&w, "parked"), count(&w, "incomplete")), (1, 1));
    let text = qaudjrn(&format!("what-if {input}"), &[&capture]).stdout;
    for words in ["1 records are no entries", "1 entries whose end the captures do not hold", "path rules cannot see"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}

#[test]
fn what_looks_says_that_no_time_zone_was_given() {
    let dir = folder();
    let made = make(&dir, "few.type5", "--count 20 --seed 2");
    let config = config(&dir, "");
    let word = "no --timezone was given: entry times were taken as UTC";
    for command in ["explain --nth 1".to_owned(), format!("what-if --config {config}")] {
        qaudjrn(&command, &[&made.path]).assert_output(0, &[word]);
        assert_eq!(qaudjrn(&format!("{command} --timezone UTC"), &[&made.path]).stderr, "");
        let run = qaudjrn(&format!("{command} --json"), &[&made.path]);
        assert_eq!((&json(&run)["warnings"][0], run.stderr.as_str()), (&Value::from(word), ""));
    }
    let page = dir.path().join("page.html");
    qaudjrn(&format!("what-if --config {config} --html {}", page.display()), &[&made.path]).assert_output(0, &[word]);
    assert!(fs::read_to_string(&page).unwrap().contains(word));
}

// -------------------------------------------------------------------------------------------------------- what-if

#[test]
fn n10_each_side_counts_the_bytes_of_its_own_output() {
    let dir = folder();
    let made = make(&dir, "all.type5", "--count 860 --seed 6 --mix all");
    let new = config(&dir, OUTPUTS);
    let old = config(&dir, &OUTPUTS.replace("include_guesses = true", "").replace("\"ZR\"", "\"ZR\", \"ZC\""));
    let bytes = |config: &str, output: &str| {
        let run = replay(&format!("--to null --config {config} --output {output}"), &[&made.path]);
        (count(&run.summary(), "sent"), count(&run.summary(), "bytes_out"))
    };
    let sent = |w: &Value, side: &str| (count(&w[side]["sent"], "events"), count(&w[side]["sent"], "bytes"));
    for output in ["guessing", "full", "datagrams"] {
        let w = what_if(&format!("--config {new} --baseline {old} --output {output}"), &made.path);
        assert_eq!((sent(&w, "new"), sent(&w, "baseline")), (bytes(&new, output), bytes(&old, output)), "{output}");
    }
    assert_ne!(bytes(&new, "guessing").1, what_if(&format!("--config {old}"), &made.path)["new"]["sent"]["bytes"]);
}

#[test]
fn n10_neither_a_gap_nor_a_wrong_clock_thins_the_rates_out() {
    let dir = folder();
    let one = make(&dir, "one.type5", "--count 4000 --seed 8");
    let two = make(&dir, "two.type5", "--count 4000 --seed 9 --start 2026-12-20T08:00:00");
    let mut wrong = Record::new("type5", "PW");
    wrong.head("entry_timestamp", &harness::ebcdic::plain("2099-01-01-00.00.05.000000"));
    let mut bytes = [fs::read(&one.path).unwrap(), fs::read(&two.path).unwrap()].concat();
    let mut record = wrong.bytes().to_vec();
    record.resize(1_500, 0x40);
    bytes.extend_from_slice(&record);
    let all = dir.path().join("all.type5");
    fs::write(&all, bytes).unwrap();

    let config = config(&dir, "");
    let alone = what_if(&format!("--config {config}"), &one.path);
    assert_eq!(alone["seconds"], alone["active_seconds"]);
    let w = what_if(&format!("--config {config}"), &all);
    // Hours of the truth, each clipped at the first and last entry of all.
    let seconds = |made: &Made| -> (i64, i64) {
        let s = |t: &Value| -> i64 {
            let p: Vec<i64> = head(t, "entry_timestamp").split(['-', '.']).map(|n| n.parse().unwrap()).collect();
            p[3] * 3_600 + p[4] * 60 + p[5]
        };
        (s(&made.truth[0]), s(&made.truth[made.truth.len() - 1]))
    };
    let ((first, last), (_, last_two)) = (seconds(&one), seconds(&two));
    assert!(first < last && last < 86_400 && last_two < 86_400, "{first} {last} {last_two}");
    let up = |s: i64| (s / 3_600 + 1) * 3_600;
    let active = (up(last) - first) + (up(last_two) - 8 * 3_600) + 6;
    assert_eq!(w["active_seconds"].as_i64(), Some(active));
    assert!(w["seconds"].as_i64().unwrap() > 70 * 365 * 86_400);
    let day = count(&w["new"]["sent"], "bytes") as f64 * 86_400.0 / active as f64;
    assert!((w["new"]["bytes_per_day"].as_f64().unwrap() - day).abs() < 1.0);
    assert_eq!(w["new"]["events_per_second"]["p95"], alone["new"]["events_per_second"]["p95"]);
    let page = dir.path().join("page.html");
    let run = qaudjrn(&format!("what-if --timezone UTC --config {config} --html {}", page.display()), &[&all]);
    let hours = up(last) / 3_600 - 8 + up(last_two) / 3_600 - 8 + 1;
    let html = fs::read_to_string(&page).unwrap();
    for text in [&run.stdout, &html] {
        assert!(text.contains(&format!("entries in {hours} of 63")), "{}", run.stdout);
        assert!(text.contains("hours: rates are over those hours"));
    }
    // The day of each side.
    assert!(run.stdout.contains("GB on the busiest day ") && run.stdout.contains("\nbusiest day "), "{}", run.stdout);
}

#[test]
fn n10_what_if_counts_what_replay_sends() {
    let dir = folder();
    let made = capture(&dir);
    let path = config(&dir, RULES);
    for format in ["cef", "leef", "syslog"] {
        let w = what_if(&format!("--config {path} --format {format}"), &made.path);
        let s = replay(&format!("--to null --format {format} --config {path}"), &[&made.path]).summary();
        let all = replay(&format!("--to null --format {format}"), &[&made.path]).summary();
        let new = &w["new"];
        assert_eq!(count(&new["sent"], "events"), count(&s, "sent"));
        assert_eq!(count(&new["sent"], "bytes"), count(&s, "bytes_out"));
        assert_eq!(count(&new["dropped"], "events"), count(&s, "filtered"));
        assert_eq!(count(&w["baseline"]["sent"], "events"), count(&all, "sent"));
        assert_eq!(count(&w["baseline"]["sent"], "bytes"), count(&all, "bytes_out"));
        assert_eq!(new["kept_audit_changes"], s["kept_audit_changes"]);
        let by = |list: &Value, n: &str| -> BTreeMap<String, u64> {
            list.as_array().unwrap().iter().map(|r| (r["rule"].as_str().unwrap().to_owned(), count(r, n))).collect()
        };
        assert_eq!(by(&new["dropped_by_rule"], "events"), by(&s["filtered_by_rule"], "dropped"));
        // Every way of dividing the events gives their sum.
        for (part, side) in [("types", "new"), ("effective_users", "new"), ("job_users", "baseline")] {
            for unit in ["events", "bytes"] {
                let sum: u64 = w[part].as_array().unwrap().iter().map(|r| count(&r[side], unit)).sum();
                assert_eq!(sum, count(&w[side]["sent"], unit), "{part} {unit}");
            }
        }
        let saved: u64 = new["dropped_by_rule"].as_array().unwrap().iter().map(|r| count(r, "bytes")).sum();
        assert_eq!(saved, count(&new["dropped"], "bytes"));
    }
}

#[test]
fn n10_rates_and_users_are_those_of_the_truth() {
    let dir = folder();
    let made = capture(&dir);
    let path = config(&dir, "[filter]\ntypes.exclude = [\"ZR\", \"ZC\"]\nprotect_audit_changes = false\n");
    let w = what_if(&format!("--config {path}"), &made.path);
    let sent: Vec<&Value> =
        made.truth.iter().filter(|t| !matches!(head(t, "journal_entry_type"), "ZR" | "ZC")).collect();
    // 2026-11-20-08.00.01.924078
    let second = |t: &Value| -> i64 {
        let p: Vec<i64> = head(t, "entry_timestamp").split(['-', '.']).map(|n| n.parse().unwrap()).collect();
        p[2] * 86_400 + p[3] * 3_600 + p[4] * 60 + p[5]
    };
    let all: Vec<i64> = made.truth.iter().map(second).collect();
    let (first, last) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
    assert_eq!(w["seconds"].as_i64(), Some(last - first + 1));
    let mut per_second = vec![0u64; usize::try_from(last - first + 1).unwrap()];
    sent.iter().for_each(|t| per_second[usize::try_from(second(t) - first).unwrap()] += 1);
    per_second.sort_unstable();
    let rates = &w["new"]["events_per_second"];
    for (name, percent) in [("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)] {
        let rank = (per_second.len() * percent).div_ceil(100);
        assert_eq!(count(rates, name), per_second[rank - 1], "{name}");
    }
    let day = count(&w["new"]["sent"], "bytes") as f64 * 86_400.0 / per_second.len() as f64;
    assert!((w["new"]["bytes_per_day"].as_f64().unwrap() - day).abs() < 1.0);
    let mut by_user: BTreeMap<&str, u64> = BTreeMap::new();
    sent.iter().for_each(|t| *by_user.entry(head(t, "user_name").trim_end()).or_default() += 1);
    for row in w["effective_users"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        assert_eq!(by_user.get(name), Some(&count(&row["new"], "events")), "{name}");
    }
}

#[test]
fn n10_blind_spots_name_types_users_libraries_and_audit_changes() {
    let dir = folder();
    let made = capture(&dir);
    let spots = |text: &str, more: &str| -> Vec<(String, String)> {
        let w = what_if(&format!("--config {} {more}", config(&dir, text)), &made.path);
        let text = |s: &Value, key: &str| s[key].as_str().unwrap().to_owned();
        w["blind_spots"].as_array().unwrap().iter().map(|s| (text(s, "kind"), text(s, "what"))).collect()
    };
    let has = |all: &[(String, String)], kind: &str, what: &str| all.iter().any(|(k, w)| k == kind && w == what);
    assert_eq!(spots("", ""), []);
    let all = spots("[filter]\ntypes.exclude = [\"PW\", \"SF\"]\n", "");
    assert!(has(&all, "type", "PW") && !has(&all, "type", "SF"), "{all:?}");
    let all = spots("[filter]\nobjects.exclude = [\"PAYLIB/*ALL\"]\n", "");
    let named = made.truth.iter().any(|t| t["fields"]["object_library"] == "PAYLIB");
    assert!(named && has(&all, "library", "PAYLIB"), "{all:?}");
    let all = spots(
        "[filter]\nusers.exclude = [\"QSECOFR\"]\nusers.match = \"either\"\nusers.allow_filtering_privileged = [\"QSECOFR\"]\nprotect_audit_changes = false\n",
        "",
    );
    assert!(has(&all, "privileged user", "QSECOFR"), "{all:?}");
    let all = spots("[filter]\nprotect_audit_changes = false\ntypes.exclude = [\"SV\"]\n", "");
    assert!(has(&all, "audit changes", "changes to auditing"), "{all:?}");
    // What the baseline did not send either is not lost now.
    let old = config(&dir, "[filter]\ntypes.exclude = [\"PW\"]\n");
    assert!(!has(&spots("[filter]\ntypes.exclude = [\"SF\", \"PW\"]\n", &format!("--baseline {old}")), "type", "PW"));
}

#[test]
fn n10_blind_spots_tell_what_is_off_in_part_and_what_is_off_in_both() {
    let dir = folder();
    let made = make(&dir, "all.type5", "--count 1720 --seed 4 --mix all");
    let run = |text: &str, more: &str| {
        let args = format!("--timezone UTC --config {} {more}", config(&dir, text));
        let told = qaudjrn(&format!("what-if {args}"), &[&made.path]);
        let (_, spots) = told.stdout.split_once("the SIEM no longer sees\n").unwrap();
        (spots.to_owned(), json(&qaudjrn(&format!("what-if --json {args}"), &[&made.path])))
    };
    let of = |w: &Value, what: &str| -> Vec<Value> {
        w["blind_spots"].as_array().unwrap().iter().filter(|s| s["what"] == what).cloned().collect()
    };
    // A type of both levels is told once; one that is off may be sent as a change to auditing.
    let off = "[filter]\ntypes.exclude = [\"DI\", \"AD\", \"AF-A\"]\nusers.exclude = [\"BILL\"]\n";
    let (text, w) = run(off, "");
    let di = of(&w, "DI");
    assert_eq!((di.len(), &di[0]["levels"]), (1, &serde_json::json!(["*SECURITY", "*AUTFAIL"])), "{text}");
    assert_eq!(text.matches("off: DI (*SECURITY, *AUTFAIL)").count(), 1, "{text}");
    let ad = &of(&w, "AD")[0];
    let still = count(ad, "new");
    assert!(still > 0 && still < count(ad, "baseline"), "{ad}");
    assert!(text.contains(&format!("{still} of them still sent as changes to auditing")), "{text}");
    let af = &of(&w, "AF")[0];
    assert!(count(af, "new") > 0 && count(af, "new") < count(af, "baseline"), "{af}");
    let words = format!("some details are off: AF (*AUTFAIL); {} of {} entries sent", af["new"], af["baseline"]);
    assert!(text.contains(&words), "{words} is not in {text}");
    // Types of which rules over something else drop a part: one line, a spot each.
    let vc = &of(&w, "VC")[0];
    assert_eq!((&vc["kind"], vc["text"].as_str().unwrap().contains("only a part is sent")), (&"type".into(), true));
    let line = text.lines().find(|l| l.contains("of these types only a part is sent: ")).unwrap();
    assert!(line.contains(&format!("VC {} of {}", vc["new"], vc["baseline"])), "{line}");
    assert!(line.contains(", ") && !line.contains("AD ") && !line.contains("AF "), "{line}");
    // Of a type that is off under one value and on under another, what is sent is no change to auditing.
    let (text, w) = run("[filter]\ntypes.send = [\"*AUTFAIL\"]\n", "");
    let kf = &of(&w, "KF")[0];
    assert!(count(kf, "new") > 0 && kf["text"].as_str().unwrap().ends_with("of them still sent"), "{kf} {text}");
    // Both sides alike: nothing is worse, and what is off is said.
    let old = config(&dir, off);
    let (text, w) = run(off, &format!("--baseline {old}"));
    assert_eq!(w["blind_spots"], serde_json::json!([]));
    assert_eq!(w["off_in_both"], serde_json::json!(["AD", "DI"]));
    assert_eq!(text, format!("  none more than under {old}\n  off in both, of *SECURITY and *AUTFAIL: AD, DI\n"));
    // Types without entries are one line, and a spot each.
    let few = make(&dir, "few.type5", "--count 40 --mix PW");
    let args = format!("what-if --timezone UTC --config {}", config(&dir, "[filter]\ntypes.send = [\"PW\"]\n"));
    let text = qaudjrn(&args, &[&few.path]).stdout;
    assert!(text.contains("  type: off, without entries in these captures: AD, AF, AU, AX, "), "{text}");
    let w = json(&qaudjrn(&format!("{args} --json"), &[&few.path]));
    assert!(w["blind_spots"].as_array().unwrap().len() > 20, "{w}");
    let page = dir.path().join("page.html");
    qaudjrn(&format!("{args} --html {}", page.display()), &[&few.path]).assert_output(0, &[]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<li><b>type</b>: off, without entries in these captures"), "{html}");
    assert!(["AD", "AF", "AU", "AX"].iter().all(|code| html.contains(&format!("<li>{code}</li>"))), "{html}");
}

#[test]
fn a_library_is_lost_although_a_change_to_auditing_in_it_is_sent() {
    let dir = folder();
    let record = |code: &str, n: u64, fields: &[(&str, &str)]| {
        let mut r = Record::new("type5", code);
        r.sequence(n);
        fields.iter().for_each(|(name, value)| r.data(name, &harness::ebcdic::plain(value)));
        let mut bytes = r.bytes().to_vec();
        bytes.resize(8_000, 0x40);
        bytes
    };
    let field = |role: &str| {
        let f = harness::record::tables().types["DO"].iter().find(|f| f.role.as_deref() == Some(role)).unwrap();
        f.name.as_str()
    };
    let (library, name, kind) = (field("object_library"), field("object_name"), field("object_type"));
    let of = |n, object, kind_of| record("DO", n, &[(library, "AUDLIB"), (name, object), (kind, kind_of)]);
    let bytes = [of(1, "CUSTMAST", "*FILE"), of(2, "AUDRCV0001", "*JRNRCV")].concat();
    let capture = dir.path().join("do.type5");
    fs::write(&capture, bytes).unwrap();
    let path = config(&dir, "[filter]\nobjects.exclude = [\"AUDLIB/*ALL\"]\n");
    let w = what_if(&format!("--config {path} --input type5 --record-length 8000"), &capture);
    let spots = w["blind_spots"].as_array().unwrap();
    let lost = spots.iter().find(|s| s["kind"] == "library").unwrap_or_else(|| panic!("{w}"));
    assert_eq!((lost["what"].as_str(), count(lost, "baseline"), count(lost, "new")), (Some("AUDLIB"), 1, 0));
    assert_eq!(w["new"]["kept_audit_changes"], 1);
}

#[test]
fn the_page_is_opened_first_and_written_last() {
    let dir = folder();
    let made = make(&dir, "few.type5", "--count 20 --seed 2");
    let what_if = |html: &str, capture: &Path| {
        qaudjrn(&format!("what-if --timezone UTC --config {} --html {html}", config(&dir, "")), &[capture])
    };
    // Before anything is read: the capture does not even exist.
    let nowhere = dir.path().join("nowhere");
    let run = what_if(&format!("{}/page.html", nowhere.display()), &nowhere);
    run.assert_output(1, &["cannot write", "page.html", "No such file"]);
    // A page that cannot be written costs the report nothing.
    let run = what_if("/dev/full", &made.path);
    run.assert_output(1, &["cannot write /dev/full"]);
    assert!(run.stdout.contains("events sent") && run.stdout.contains("blind spots"), "{}", run.stdout);
    // A run that fails leaves no new page, and an older one as it was.
    let page = dir.path().join("page.html");
    what_if(&page.display().to_string(), &nowhere).assert_output(1, &["nowhere"]);
    assert!(!page.exists());
    fs::write(&page, "x".repeat(1_000_000)).unwrap();
    what_if(&page.display().to_string(), &nowhere).assert_output(1, &["nowhere"]);
    assert_eq!(fs::metadata(&page).unwrap().len(), 1_000_000);
    what_if(&page.display().to_string(), &made.path).assert_output(0, &[]);
    assert!(fs::read_to_string(&page).unwrap().ends_with("</html>\n"));
    // Never over a capture.
    what_if(&made.path.display().to_string(), &made.path).assert_output(2, &["this is one of the captures"]);
}

#[test]
fn a_file_name_cannot_steer_the_terminal() {
    let dir = folder();
    let made = make(&dir, "few.type5", "--count 20 --seed 2");
    let [odd, config] = ["a\u{1b}[31m.type5", "c\u{1b}[31m.toml"].map(|n| dir.path().join(n));
    fs::copy(&made.path, &odd).unwrap();
    fs::write(&config, "[filter]\ntypes.exclude = [\"SV\", \"ZR\"]\n").unwrap();
    for command in ["what-if --timezone UTC", "explain --timezone UTC --nth 1"] {
        let run = qaudjrn(&format!("{command} --config {}", config.display()), &[&odd]);
        assert!(run.code == 0 && run.stdout.contains("\\x1b[31m") && !run.stdout.contains('\u{1b}'), "{}", run.stdout);
    }
}

#[test]
fn the_text_of_what_if_says_what_people_ask() {
    let dir = folder();
    let made = capture(&dir);
    let run = qaudjrn(&format!("what-if --timezone UTC --config {}", config(&dir, RULES)), &[&made.path]);
    run.assert_output(0, &[]);
    for words in [
        "events sent",
        "GB a day",
        "events per second, 95 %",
        "carried on for 24 hours",
        "dropped by rule",
        "types.exclude ZR (",
        "by entry type",
        "by effective user",
        "by job user",
        "blind spots: what the SIEM no longer sees",
    ] {
        assert!(run.stdout.contains(words), "{words:?} is not in {}", run.stdout);
    }
}

/// Runs headless Chromium on a page; no network, no profile of the user.
fn chromium(dir: &tempfile::TempDir, args: &[&str], page: &Path) -> Run {
    let mut c = Command::new("timeout");
    c.args(["--signal=KILL", "120", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", dir.path().join("chromium").display()))
        .args(args)
        .arg(format!("file://{}", page.display()));
    finish(c)
}

#[test]
fn the_page_of_what_if_shows_its_charts_in_a_browser_and_no_name_becomes_markup() {
    let dir = folder();
    let made = capture(&dir);
    // A user who wrote markup into a name.
    let mut hostile = Record::new("type5", "PW");
    hostile.head("user_name", &harness::ebcdic::plain("<B>X</B>"));
    hostile.sequence(900_000);
    let mut bytes = fs::read(&made.path).unwrap();
    let mut record = hostile.bytes().to_vec();
    record.resize(1_500, 0x40);
    bytes.extend_from_slice(&record);
    let both = dir.path().join("both.type5");
    fs::write(&both, bytes).unwrap();

    let page = dir.path().join("page.html");
    let path = config(&dir, RULES);
    qaudjrn(&format!("what-if --timezone UTC --config {path} --html {}", page.display()), &[&both])
        .assert_output(0, &[]);
    let html = fs::read_to_string(&page).unwrap();
    for words in ["events dropped</span>", "95&nbsp;%</span>", "minmax(9.5rem, 1fr)", "a rule would drop them"] {
        assert!(html.contains(words), "{words}");
    }
    n17_evidence(&html, &path, &both);
    for fetched in ["http://", "https://", "src=", "@import", "url(", "<script"] {
        assert!(!html.contains(fetched), "{fetched}");
    }

    let dom = chromium(&dir, &["--dump-dom"], &page);
    assert_eq!(dom.code, 0, "{}", dom.stderr);
    assert!(!dom.stderr.contains("CONSOLE"), "{}", dom.stderr);
    let n = |what: &str| dom.stdout.matches(what).count();
    assert_eq!(n("<svg"), 4, "over time before and now, before and after, rules");
    assert!(
        n("<rect") > 200 && n("<h2>") == 5 && n("<details>") == 4,
        "{} {} {}",
        n("<rect"),
        n("<h2>"),
        n("<details>")
    );
    assert!(dom.stdout.contains("&lt;B&gt;X&lt;/B&gt;") && !dom.stdout.contains("<b>X</b>"));
    for (kind, word) in [("type", "types.exclude ZR"), ("chart", "events over time, now"), ("cards", "GB a day")] {
        assert!(dom.stdout.contains(word), "{kind}: {word}");
    }

    let picture = dir.path().join("page.png");
    let shot = format!("--screenshot={}", picture.display());
    let run = chromium(&dir, &[&shot, "--window-size=1150,2400"], &page);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let png = fs::read(&picture).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    // A page of that size without charts compresses to some ten kilobytes.
    assert!(png.len() > 60_000, "{} bytes", png.len());
}

/// The page says what it was made of and when, prints, and keeps its form on a narrow screen.
fn n17_evidence(html: &str, config: &str, capture: &Path) {
    let hash = |path: &Path| {
        let said = Command::new("sha256sum").arg(path).output().unwrap().stdout;
        String::from_utf8(said[..64].to_vec()).unwrap()
    };
    // The capture: its bytes, its hash, its first and last entry, and what became of its entries.
    let ends = ["<dt>first entry</dt><dd>2026-11-20 08:00:", "AUDRCV0042:1, system PROD01</dd>"];
    let read = ["<dt>entries</dt><dd>3,001</dd>", "read 3,001 = sent ", " + dropped by rule ", " + parked 0"];
    for words in [format!("<dd>{}</dd>", hash(capture)), "<dd>4,501,500</dd>".to_owned()] {
        assert!(html.contains(&words), "{words}");
    }
    for words in ends.iter().chain(&read) {
        assert!(html.contains(words), "{words}");
    }
    let hash = hash(Path::new(config));
    let version = format!("UTC by qaudjrn {}", env!("CARGO_PKG_VERSION"));
    for words in [&hash, &version, "@media print", "@media (max-width: 30rem)", "preserveAspectRatio=\"none\""] {
        assert!(html.contains(words), "{words}");
    }
    assert_eq!(html.matches("class=\"card\"").count(), 8, "cards fill rows of four and of two");
    let (_, spots) = html.split_once("Blind spots").unwrap();
    let (spots, rest) = spots.split_once("<h2>").unwrap();
    assert!(spots.matches("<ul>").count() > 1, "lists in the list: {spots}");
    let (_, times) = rest.split_once("class=\"times\">").unwrap();
    assert_eq!(times.split_once("</div>").unwrap().0.matches("<span>").count(), 5);
}

// ---------------------------------------------------------------------------------------------------------- check

#[test]
fn check_says_everything_wrong_and_what_the_filter_means() {
    let dir = folder();
    let check = |text: &str, args: &str| qaudjrn(&format!("check {args} --config {}", config(&dir, text)), &[]);
    let good = check(RULES, "");
    good.assert_output(0, &[]);
    for words in [
        "filter: sends 83 of 86 types, and of 1 more some details",
        "drops objects in QGPL, in QTEMP",
        "drops paths /home, /tmp",
        "but not /home/bill",
        "no user rule drops QSECOFR",
        "0 errors, 0 warnings",
    ] {
        assert!(good.stdout.contains(words), "{words:?} is not in {}", good.stdout);
    }
    let bad = check("[filter]\ntypes.sned = [\"PW\"]\nusers.exclude = [\"A B\"]\nobjects.exclude = [\"X\"]\n", "");
    bad.assert_output(2, &[]);
    for words in [":2:7: error", ":3:18: error", ":4:20: error", "did you mean send?", "3 errors, 0 warnings"] {
        assert!(bad.stdout.contains(words), "{words:?} is not in {}", bad.stdout);
    }
    let odd = "[filter]\ntypes.exclude = [\"PW\"]\n";
    check(odd, "").assert_output(0, &[]);
    check(odd, "--deny-warnings").assert_output(2, &[]);
    let all: Value = serde_json::from_str(&check(odd, "--json").stdout).unwrap();
    assert_eq!((count(&all, "errors"), count(&all, "warnings")), (0, 1));
    assert_eq!(all["problems"][0]["line"], 2);
    qaudjrn("check --config /nowhere/agent.toml", &[]).assert_output(2, &["/nowhere/agent.toml", "No such file"]);
    // The same problems stop what would send.
    let made = capture(&dir);
    let denied = qaudjrn(&format!("replay --deny-warnings --config {}", config(&dir, odd)), &[&made.path]);
    denied.assert_output(2, &["of *AUTFAIL, these are off: PW"]);
}

#[test]
fn r35_a_start_says_that_privileged_users_may_be_filtered() {
    let dir = folder();
    let made = capture(&dir);
    let path =
        config(&dir, "[filter]\nusers.exclude = [\"QSECOFR\"]\nusers.allow_filtering_privileged = [\"QSECOFR\"]\n");
    replay(&format!("--to null --config {path}"), &[&made.path])
        .assert_output(0, &["what these privileged users do: QSECOFR"]);
}
