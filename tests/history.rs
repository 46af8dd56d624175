//! History log files (QHST), written by `tests/tools/make_qhst.py`, which shares no code with the product.
mod support;

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use serde_json::Value;
use support::program::{Run, folder, qaudjrn};
use tempfile::TempDir;

/// A file, and what must come out of it.
struct Made {
    path: PathBuf,
    truth: Vec<Value>,
}

fn make(dir: &TempDir, args: &str) -> Made {
    let path = dir.path().join("QHST26324A");
    let truth = dir.path().join("truth");
    let tool = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tools/make_qhst.py");
    let made = Command::new("python3")
        .arg(tool)
        .args(["--out".as_ref(), path.as_os_str(), "--truth".as_ref(), truth.as_os_str()])
        .args(args.split_whitespace())
        .output()
        .unwrap();
    assert!(made.status.success(), "make_qhst.py {args}: {}", String::from_utf8_lossy(&made.stderr));
    // A text may hold U+0085 and the like, where `lines` would not cut.
    let truth = fs::read_to_string(truth).unwrap();
    Made {
        path,
        truth: truth.split('\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect(),
    }
}

fn decode(made: &Made, options: &str) -> (Run, Vec<Value>) {
    let run = qaudjrn(&format!("decode --input qhst {options}"), &[&made.path]);
    let all = run.stdout.split('\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect();
    (run, all)
}

/// Layouts of messages.toml: which fields are guesses, and what is taken from the text.
struct Row {
    guesses: Vec<String>,
    names: Vec<String>,
    text: Vec<String>,
}

fn rows() -> BTreeMap<String, Row> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("formats/history/messages.toml");
    let table: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let texts = |v: Option<&toml::Value>, f: &dyn Fn(&toml::Value) -> Option<String>| -> Vec<String> {
        v.and_then(|v| v.as_array()).into_iter().flatten().filter_map(f).collect()
    };
    let row = |m: &toml::Value| {
        let guess = |f: &toml::Value| {
            (f["confidence"].as_str() == Some("guess")).then(|| f["name"].as_str().unwrap_or("").to_owned())
        };
        let name = |f: &toml::Value| f["name"].as_str().map(str::to_owned);
        let names = texts(m.get("fields"), &name);
        let text = texts(m.get("text"), &|t| t.as_str().map(str::to_owned));
        (m["id"].as_str().unwrap().to_owned(), Row { guesses: texts(m.get("fields"), &guess), names, text })
    };
    table["message"].as_array().unwrap().iter().map(row).collect()
}

/// Names hold no blanks and no controls: what does is no name, and is not taken.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c == ' ')
}

/// Whether a value of the truth is one that is taken, by its name.
fn looks_right(name: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return value.is_number() };
    match name {
        "job_number" => text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()),
        _ if name.ends_with("_address") => text.parse::<std::net::IpAddr>().is_ok(),
        _ => is_name(text),
    }
}

/// What message data says, in the words of our layout: guesses under `guess_NAME`.
fn expected(truth: &Value, rows: &BTreeMap<String, Row>) -> BTreeMap<String, Value> {
    let mut want = BTreeMap::new();
    let Some(row) = truth["id"].as_str().and_then(|id| rows.get(id)) else { return want };
    let fields = truth["fields"].as_object().unwrap();
    let job = ["job_name", "job_user", "job_number"];
    let has_job = job.iter().all(|n| fields.get(*n).is_some_and(|v| looks_right(n, v)));
    for (name, value) in fields {
        // What nobody knows the meaning of is not in the table: it stays in the data.
        if !row.names.contains(name) || !looks_right(name, value) || job.contains(&name.as_str()) && !has_job {
            continue;
        }
        let value = match value.as_str() {
            Some(iso) if name == "connect_time" && iso.contains('T') => iso.replace('T', "-").replace(':', ".").into(),
            _ => value.clone(),
        };
        let key = if row.guesses.contains(name) { format!("guess_{name}") } else { name.clone() };
        want.insert(key, value);
    }
    want
}

#[track_caller]
fn same(want: &Value, got: &Value, rows: &BTreeMap<String, Row>, hostile: bool, sure: bool) {
    let context = || format!("{want}\n{got}");
    let (head, fields) = (&got["header"], &got["fields"]);
    for (key, name) in [("job_name", "job_name"), ("job_user", "job_user"), ("user", "user_name")] {
        assert_eq!(head[name], want[key], "{key}: {}", context());
    }
    let number = |v: &Value| v.as_u64().map_or_else(|| v.as_str().unwrap_or("").to_owned(), |n| format!("{n:06}"));
    assert_eq!(number(&head["job_number"]), want["job_number"].as_str().unwrap(), "{}", context());
    let time = want["timestamp"].as_str().unwrap().replace('T', "-").replace(':', ".");
    assert_eq!(head["entry_timestamp"], Value::from(time), "{}", context());
    for (key, name) in [
        ("id", "message_id"),
        ("type", "message_type"),
        ("severity", "message_severity"),
        ("message_file", "message_file"),
        ("message_library", "message_library"),
        ("program", "sending_program"),
        ("ccsid", "message_ccsid"),
    ] {
        assert_eq!(fields[name], want[key], "{key}: {}", context());
    }
    if want["complete"] == false {
        assert_eq!(got["complete"], false, "{}", context());
        return;
    }
    assert_eq!(got["complete"], true, "{}", context());
    // The truth is right-trimmed; a text is as long as it says.
    assert_eq!(fields["text"].as_str().unwrap().trim_end_matches(' '), want["text"].as_str().unwrap(), "{}", context());
    if !sure {
        return;
    }
    assert_eq!(fields["message_data"].as_str().unwrap_or(""), want["data"], "{}", context());
    let from_text = |name: &str| {
        rows.get(want["id"].as_str().unwrap()).is_some_and(|r| {
            r.text.iter().any(|t| match t.as_str() {
                "job" => name.starts_with("job_"),
                _ => name == "client_address",
            })
        })
    };
    let all = expected(want, rows);
    for (name, value) in &all {
        assert_eq!(fields[name.as_str()], *value, "{name}: {}", context());
    }
    // Nothing that the data does not say, but what the text does.
    let names = rows.values().flat_map(|r| &r.names);
    for name in names.flat_map(|n| [n.clone(), format!("guess_{n}")]) {
        let value = &fields[name.as_str()];
        let blank = value.is_null() || *value == "";
        if from_text(&name) {
            let truth = &want["fields"][name.as_str()];
            if !hostile && looks_right(&name, truth) {
                assert_eq!(value, truth, "{name}: {}", context());
            }
        } else if !all.contains_key(name.as_str()) {
            assert!(blank, "{name}: {}", context());
        }
    }
}

#[test]
fn n4_every_message_decodes_as_it_was_written_in_every_language_and_ccsid() {
    let rows = rows();
    for (ccsid, args) in [
        (37, "--count 400 --seed 1"),
        (37, "--count 200 --seed 2 --data-at text --datfmt ymd"),
        (273, "--count 300 --seed 3 --ccsid 273 --language de"),
        (297, "--count 300 --seed 4 --ccsid 297 --language fr --data-at text"),
        (500, "--count 200 --seed 5 --ccsid 500 --language fr --datfmt dmy"),
        (1140, "--count 200 --seed 6 --ccsid 1140 --language de"),
        (870, "--count 100 --seed 7 --ccsid 870"),
        (939, "--count 100 --seed 8 --ccsid 939"),
        (424, "--count 100 --seed 9 --ccsid 424"),
    ] {
        let dir = folder();
        let made = make(&dir, args);
        let (run, got) = decode(&made, &format!("--ccsid {ccsid}"));
        run.says(0, &[]);
        assert_eq!(got.len(), made.truth.len(), "{args}");
        for (want, got) in made.truth.iter().zip(&got) {
            same(want, got, &rows, false, true);
        }
        let ids: std::collections::BTreeSet<u64> = got
            .iter()
            .map(|g| {
                g["header"]["sequence_number"]
                    .as_str()
                    .map_or_else(|| g["header"]["sequence_number"].as_u64().unwrap(), |s| s.parse().unwrap())
            })
            .collect();
        assert_eq!(ids.len(), got.len(), "{args}: each message has a number of its own");
    }
}

#[test]
fn n4_hostile_messages_decode_as_they_were_written() {
    let rows = rows();
    for (ccsid, args) in [
        (37, "--count 1500 --seed 11 --hostile"),
        (37, "--count 1500 --seed 12 --hostile --data-at text"),
        (273, "--count 800 --seed 13 --hostile --ccsid 273 --language de"),
        (297, "--count 800 --seed 14 --hostile --ccsid 297 --language fr --data-at text"),
        (1026, "--count 800 --seed 15 --hostile --ccsid 1026"),
    ] {
        let dir = folder();
        let made = make(&dir, args);
        let (run, got) = decode(&made, &format!("--ccsid {ccsid}"));
        run.says(0, &[]);
        assert_eq!(got.len(), made.truth.len(), "{args}");
        for (want, got) in made.truth.iter().zip(&got) {
            same(want, got, &rows, true, true);
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_an_error_with_its_offset_and_what_is_whole_comes_out() {
    let rows = rows();
    for data_at in ["record", "text"] {
        let dir = folder();
        let whole = make(&dir, &format!("--count 40 --seed 21 --data-at {data_at}"));
        let size = fs::metadata(&whole.path).unwrap().len();
        let ends: Vec<u64> = whole
            .truth
            .iter()
            .map(|t| 142 * (t["record"].as_u64().unwrap() + t["records"].as_u64().unwrap()))
            .collect();
        for at in (1..size).step_by(499).chain((142..size).step_by(142 * 9)) {
            let made = make(&dir, &format!("--count 40 --seed 21 --data-at {data_at} --truncate-at {at}"));
            let (run, got) = decode(&made, "");
            let complete = made.truth.iter().filter(|t| t["complete"] == true).count();
            assert!(got.len() >= complete, "{at}: {} of {complete}", got.len());
            for (n, (want, got)) in made.truth.iter().zip(&got).enumerate() {
                // Records of the last message that are missing may be ones that it need not have.
                if n < complete || at % 142 != 0 {
                    same(want, got, &rows, false, true);
                }
            }
            if at % 142 != 0 {
                let message = format!("message {} of the history log", complete + 1);
                run.says(
                    1,
                    &[&format!("offset {at}: "), "the end of the file", &message, "messages before it were read"],
                );
            } else if ends.contains(&at) {
                run.says(0, &[]);
            }
        }
    }
}

#[test]
fn a_damaged_record_number_is_an_error_that_says_where_and_what() {
    let dir = folder();
    let made = make(&dir, "--count 60 --seed 22");
    let bytes = fs::read(&made.path).unwrap();
    for message in [0, 7, 30] {
        for add in 0..2u64 {
            let record = made.truth[message]["record"].as_u64().unwrap() + add;
            let at = usize::try_from(record * 142 + 8).unwrap();
            let mut damaged = bytes.clone();
            damaged[at..at + 2].copy_from_slice(&[0x77, 0x77]);
            fs::write(&made.path, &damaged).unwrap();
            let (run, got) = decode(&made, "");
            // The number of a first record also ends the message before it.
            let said = format!("offset {at}: expected record number ");
            run.says(1, &[&said, "got 30583", "messages before it were read"]);
            assert!(got.len() <= message && got.len() + 1 >= message, "{} {message}", got.len());
        }
    }
}
