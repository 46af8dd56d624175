//! History log files (QHST), written by `tests/tools/make_qhst.py`, which shares no code with the product.

use std::{collections::BTreeMap, fs, path::PathBuf};

use harness::{
    ebcdic::plain,
    program::{Run, folder, qaudjrn, replay, tool},
};
use serde_json::Value;
use tempfile::TempDir;

/// A file, and what must come out of it.
struct Made {
    path: PathBuf,
    truth: Vec<Value>,
}

fn make(dir: &TempDir, args: &str) -> Made {
    let path = dir.path().join("QHST26324A");
    let truth = dir.path().join("truth");
    Made { truth: tool("make_qhst.py", &path, &truth, args), path }
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
        run.assert_output(0, &[]);
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
        run.assert_output(0, &[]);
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
                run.assert_output(
                    1,
                    &[&format!("offset {at}: "), "the end of the file", &message, "messages before it were read"],
                );
            } else if ends.contains(&at) {
                run.assert_output(0, &[]);
            }
        }
    }
}

#[test]
fn f05_a_damaged_record_number_costs_the_messages_that_it_touches_and_says_where_and_what() {
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
            run.assert_output(3, &[&said, "got 30583", "hold no whole message of the history log"]);
            assert!((58..60).contains(&got.len()), "{} {message}", got.len());
            let whole = |g: &Value| {
                made.truth.iter().any(|t| g["fields"]["text"] == t["text"] && g["fields"]["message_id"] == t["id"])
            };
            assert!(got.iter().all(whole), "{message}");
        }
    }
}

#[test]
fn f05_bytes_too_many_or_too_few_in_a_history_log_cost_what_they_touch() {
    let dir = folder();
    let made = make(&dir, "--count 60 --seed 23");
    let bytes = fs::read(&made.path).unwrap();
    for step in 1..12 {
        let at = bytes.len() * step / 12 + 3;
        let (mut less, mut more, mut zeros) = (bytes.clone(), bytes.clone(), bytes.clone());
        less.remove(at);
        more.insert(at, 0x40);
        zeros[at..(at + 512).min(bytes.len())].fill(0);
        for (what, damaged) in [("less", less), ("more", more), ("zeros", zeros)] {
            fs::write(&made.path, &damaged).unwrap();
            let (run, got) = decode(&made, "");
            let known: Vec<&Value> = made.truth.iter().map(|t| &t["id"]).collect();
            assert!(got.iter().all(|g| known.contains(&&g["fields"]["message_id"])), "{what} {at}");
            // Zeros may lie within texts and data alone.
            assert!(
                run.code == 3 || run.code == 1 && step == 11 || what == "zeros" && got.len() == 60,
                "{what} {at}: {} {}",
                run.code,
                run.stderr
            );
            assert!(got.len() >= 52, "{what} {at}: {} {}", got.len(), run.stderr);
        }
    }
}

/// A message of one 142-byte record and its text behind it, without data.
struct Message<'a> {
    job: &'a str,
    user: &'a str,
    id: &'a str,
    severity: u32,
    text: &'a str,
}

impl Message<'_> {
    fn bytes(&self, micros: u64) -> Vec<u8> {
        let mut parts: Vec<&str> = self.job.split('/').collect();
        parts.reverse();
        let [name, user, number] = parts[..] else { panic!("{}", self.job) };
        let text = plain(self.text);
        let head = format!(
            "{name:<10}{user:<10}{number}1261120080000{:<7}{:<10}{:<10}04{:02}{:<12}0000{:<10}    ",
            self.id, "QCPFMSG", "QSYS", self.severity, "QCMD", ""
        );
        let mut body = plain(&head);
        body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        body.extend(0u16.to_be_bytes());
        body.extend(37u32.to_be_bytes());
        body.extend(plain(&format!("{:<24}", self.user)));
        body.extend(&text);
        let dts = (1u64 << 63) + ((848_390_400_000_000 + micros) << 12);
        let part = |(mut part, n): (Vec<u8>, u16)| {
            part.resize(132, 0x40);
            [&dts.to_be_bytes()[..], &n.to_be_bytes(), &part].concat()
        };
        body.chunks(132).map(<[u8]>::to_vec).zip(1u16..).flat_map(part).collect()
    }
}

fn file(dir: &TempDir, messages: &[Message]) -> PathBuf {
    let path = dir.path().join("QHST");
    let bytes: Vec<u8> = messages.iter().zip(0..).flat_map(|(m, n)| m.bytes(n)).collect();
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn n4_the_lines_of_ibm_for_the_same_messages_have_the_same_fields() {
    // IBM Syslog Reporting Manager, SEKOIA-IO/intake-formats: user, job, id, text, client address.
    let samples = [
        (
            "QSYSOPR",
            "086157/QSYSOPR/UPSA_QHTTP",
            "CPC1126",
            "The user QSYSOPR has stopped the job 080352/QTMHHTTP/ADMIN.",
            "",
        ),
        (
            "QSYSOPR",
            "086157/QSYSOPR/UPSA_QHTTP",
            "CPC1126",
            "L'utilisateur QSYSOPR a arrêt{ le travail 080352/QTMHHTTP/ADMIN.",
            "",
        ),
        ("QSYS", "080211/QSYS/QSYSARB4", "CPF0927", "Subsystem QBATCH stopped", ""),
        (
            "QZRDSRMOWN",
            "722506/QZRDSRMOWN/SLMSQMONS",
            "CPF1124",
            "Job 722506/QZRDSRMOWN/SLMSQMONS started on 25.08.20 at 18:59:04 in subsystem SLSBS in QZRDSECSRM. Job entered system on 25.08.20 at 18:59:04.",
            "",
        ),
        (
            "QZRDSRMOWN",
            "086167/QZRDSRMOWN/SLMSQMONS",
            "CPF1124",
            "Travail 086167/QZRDSRMOWN/SLMSQMONS d{marr{ le 12/03/24 @ 02:08:51 dans le sous-syst}me SLSBS de QZRDSECSRM ; soumis le 12/03/24 @ 02:08:51.",
            "",
        ),
        (
            "JDOE",
            "111111/JDOE/JPRC",
            "CPF1164",
            "Job 111111/JDOE/JPRC stopped at 12/03/24 @ 02:06:54; UC time 0,002; exit code 123 .",
            "",
        ),
        (
            "QSPLJOB",
            "080694/QSPLJOB/RMTW000008",
            "CPF1164",
            "Travail 080694/QSPLJOB/RMTW000008 arrêt{ le 12/03/24 @ 02:05:56; temps UC 0,005; code fin 50 .",
            "",
        ),
        (
            "QBRMS",
            "086171/QUSER/QRWTSRVR",
            "CPI3E34",
            "User QBRMS, client 192.168.242.20, was connected to the job 086171/QUSER/QRWTSRVR in the subsystem QSYSWRK, QSYS, 12/03/24, 02:16:22.",
            "192.168.242.20",
        ),
        (
            "QBRMS",
            "086171/QUSER/QRWTSRVR",
            "CPI3E34",
            "L'utilisateur QBRMS, client 192.168.242.20, est connect{ au travail 086171/QUSER/QRWTSRVR dans le sous-syst}me QSYSWRK, QSYS, 12/03/24, 02:16:22.",
            "192.168.242.20",
        ),
        (
            "QSYS",
            "080247/QSYS/QTCPWRK",
            "TCP2617",
            "TCP/IP connection to remote system 10.1.43.58 closed, reason code 1.",
            "10.1.43.58",
        ),
    ];
    let dir = folder();
    let messages = samples.map(|(user, job, id, text, _)| Message { job, user, id, severity: 0, text });
    let path = file(&dir, &messages);
    let lines = |format: &str| {
        // By itself: the first records leave no doubt what the file is.
        let run = replay(&format!("--system EXPC3 --header none --format {format}"), &[&path]);
        run.assert_output(0, &["messages of the history log"]);
        run.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (cef, json, leef, syslog) = (lines("cef"), lines("json"), lines("leef"), lines("syslog"));
    assert_eq!(cef.len(), samples.len());
    for (n, (user, job, id, text, address)) in samples.into_iter().enumerate() {
        let got: Value = serde_json::from_str(&json[n]).unwrap();
        let job_user = job.split('/').nth(1).unwrap();
        for (key, want) in [
            ("log", "QSYS-QHST"),
            ("event_id", id),
            ("system", "EXPC3"),
            ("effective_user", user),
            ("job", job),
            ("job_user", job_user),
            ("text", text),
            ("remote_address", address),
        ] {
            assert_eq!(got[key].as_str().unwrap_or(""), want, "{key}: {got}");
        }
        let target = if id == "CPC1126" { "080352/QTMHHTTP/ADMIN" } else { "" };
        assert_eq!(got["target_job"].as_str().unwrap_or(""), target, "{got}");
        let line = &cef[n];
        assert!(line.starts_with("CEF:0|qaudjrn|IBM i audit|") && line.contains(&format!("|{id}|")), "{line}");
        for pair in [
            "cat=QSYS-QHST ".to_owned(),
            format!(" suser={user} "),
            format!(" sproc={job} "),
            format!(" msg={text} "),
            format!(" cs2Label=jobUser cs2={job_user} "),
            "dvchost=EXPC3 ".to_owned(),
        ] {
            assert!(line.contains(&pair), "{pair}: {line}");
        }
        assert_eq!(line.contains(" src="), !address.is_empty(), "{line}");
        assert!(address.is_empty() || line.contains(&format!(" src={address} ")), "{line}");
        assert!(
            leef[n].contains(&format!("|{id}|cat=QHST\t")) && leef[n].contains(&format!("\tmsg={text}\t")),
            "{}",
            leef[n]
        );
        assert!(leef[n].contains(&format!("\tusrName={user}\tjobUser={job_user}\tjobName={job}\t")), "{}", leef[n]);
        for pair in [format!("eventid=\"{id}\""), format!("text=\"{text}\""), format!("user=\"{user}\"")] {
            assert!(syslog[n].contains(&pair), "{pair}: {}", syslog[n]);
        }
    }
}

#[test]
fn ids_of_events_are_the_same_when_the_file_is_read_again_and_differ_at_equal_times() {
    let dir = folder();
    let message = |text| Message { job: "123456/QUSER/JOB", user: "BILL", id: "CPF1124", severity: 0, text };
    let bytes: Vec<u8> = ["a", "b", "c"].iter().flat_map(|t| message(t).bytes(7)).collect();
    let path = dir.path().join("QHST");
    let ids = || {
        let run = replay("--system S --format json", &[&path]);
        let line = |l: &str| serde_json::from_str::<Value>(l).unwrap()["entry_id"].as_str().unwrap().to_owned();
        run.lines().into_iter().map(line).collect::<Vec<_>>()
    };
    fs::write(&path, &bytes).unwrap();
    let all = ids();
    let micros = (848_390_400_000_000u64 + 946_684_800_000_000 + 7) * 1000;
    assert_eq!(all, [0, 1, 2].map(|n| format!("QHST:{}", micros + n)));
    // While the file grows.
    fs::write(&path, &bytes[..bytes.len() / 3 * 2]).unwrap();
    assert_eq!(ids(), all[..2]);
}

#[test]
fn r39_guesses_stay_out_of_lines_unless_asked_for() {
    let dir = folder();
    let made = make(&dir, "--count 60 --seed 31");
    let lines =
        |options: &str| replay(&format!("--system S --format json --detail full {options}"), &[&made.path]).stdout;
    assert!(!lines("").contains("guess"));
    let asked = lines("--include-guesses");
    assert!(asked.contains("\"guess_subsystem\":\"") && asked.contains("\"guess_remote_port\":"), "{asked}");
}

#[test]
fn the_severity_is_that_of_the_message_unless_the_configuration_gives_another() {
    let dir = folder();
    let message = |id, severity| Message { job: "123456/QUSER/JOB", user: "BILL", id, severity, text: "t" };
    let path = file(
        &dir,
        &[
            message("CPF1164", 0),
            message("CPF1164", 45),
            message("CPF1393", 70),
            message("USR1234", 99),
            message("USR0001", 20),
        ],
    );
    let severities = |options: &str| {
        let run = replay(&format!("--system S --format json {options}"), &[&path]);
        run.assert_output(0, &[]);
        let severity = |l: &str| serde_json::from_str::<Value>(l).unwrap()["severity"].as_u64().unwrap();
        run.lines().into_iter().map(severity).collect::<Vec<_>>()
    };
    assert_eq!(severities(""), [1, 6, 8, 9, 3]);
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[severity]\n\"CPF1164\" = 4\n\"USR1234\" = 10\n").unwrap();
    assert_eq!(severities(&format!("--config {}", config.display())), [4, 4, 8, 10, 3]);
}

#[test]
fn r37_rules_over_history_messages_count_what_they_drop_and_touch_nothing_else() {
    let dir = folder();
    let message = |id, job, severity| Message { job, user: "BILL", id, severity, text: "t" };
    let messages = [
        message("CPF1124", "000001/QUSER/QZDASOINIT", 0),
        message("CPF1164", "000001/BILL/QPADEV0001", 0),
        message("CPIAD09", "000001/QUSER/QZDASOINIT", 0),
        message("CPF2234", "000001/QSYS/QINTER", 40),
        message("CPF22E2", "000001/QUSER/QRWTSRVR", 40),
        message("CPF1393", "000001/QSYS/QINTER", 70),
        message("CPF0907", "000001/QSYS/QSYSARB5", 80),
    ];
    let path = file(&dir, &messages);
    let config = dir.path().join("agent.toml");
    let all: Vec<&str> = messages.iter().map(|m| m.id).collect();
    let failures = ["CPF1124", "CPF1164", "CPF2234", "CPF22E2", "CPF1393"];
    for (rules, sent, counted) in [
        ("history.send = \"all\"", &all[..], vec![]),
        ("history.send = \"logon_logoff\"", &["CPF1124", "CPF1164"], vec![("history.send", 2, 5)]),
        ("history.send = \"logon_logoff\"\nhistory.sign_on_failures = true", &failures, vec![("history.send", 2, 2)]),
        ("history.send = [\"CPIAD09\", \"cpf1164\"]", &["CPF1164", "CPIAD09"], vec![("history.send", 2, 5)]),
        ("history.minimum_severity = 70", &["CPF1393", "CPF0907"], vec![("history.minimum_severity 70", 2, 5)]),
        (
            "history.exclude_jobs = [\n\"QZDASOINIT\",\n\"QRWT*\"]",
            &["CPF1164", "CPF2234", "CPF1393", "CPF0907"],
            vec![("history.exclude_jobs QZDASOINIT", 3, 2), ("history.exclude_jobs QRWT*", 4, 1)],
        ),
        // Rules over entry types are about journal entries, all others about both.
        ("types.send = [\"PW\"]", &all, vec![]),
        (
            "jobs.exclude = [\"QINTER\"]",
            &["CPF1124", "CPF1164", "CPIAD09", "CPF22E2", "CPF0907"],
            vec![("jobs.exclude QINTER", 2, 2)],
        ),
        ("users.exclude = [\"BILL\"]", &[], vec![("users.exclude BILL", 2, 7)]),
    ] {
        fs::write(&config, format!("[filter]\n{rules}\n")).unwrap();
        let run = replay(&format!("--system S --format json --config {}", config.display()), &[&path]);
        let id = |l: &str| serde_json::from_str::<Value>(l).unwrap()["event_id"].as_str().unwrap().to_owned();
        assert_eq!(run.lines().into_iter().map(id).collect::<Vec<_>>(), sent, "{rules}");
        let dropped = run.summary()["filtered_by_rule"].clone();
        let got: Vec<(String, u64, u64)> = dropped
            .as_array()
            .unwrap()
            .iter()
            .map(|r| {
                (r["rule"].as_str().unwrap().to_owned(), r["line"].as_u64().unwrap(), r["dropped"].as_u64().unwrap())
            })
            .filter(|(.., n)| *n > 0)
            .collect();
        let want: Vec<(String, u64, u64)> = counted.iter().map(|(r, l, n)| ((*r).to_owned(), *l, *n)).collect();
        assert_eq!(got, want, "{rules}");
    }
    // Journal entries are not what rules over history messages are about.
    let journal = harness::program::make(&dir, "day.type5", "--count 50 --seed 1");
    fs::write(
        &config,
        "[filter]\nhistory.send = \"logon_logoff\"\nhistory.minimum_severity = 99\nhistory.exclude_jobs = [\"*ALL\"]\n",
    )
    .unwrap();
    let run = replay(&format!("--config {}", config.display()), &[&journal.path]);
    assert_eq!(run.summary()["sent"], 50);
}

#[test]
fn mistakes_in_rules_over_history_messages_are_errors_with_their_place() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    for (rules, code, said) in [
        ("history.send = \"logon\"", 2, ":2:16: error: history.send: \"logon\": expected \"all\""),
        ("history.send = [\"PW\"]", 2, "history.send: \"PW\""),
        ("history.minimum_severity = 100", 2, "expected a number from 0 to 99"),
        ("history.sign_on_failures = true", 0, "adds nothing"),
        ("history.exclude = []", 2, "unknown key"),
    ] {
        fs::write(&config, format!("[filter]\n{rules}\n")).unwrap();
        let run = qaudjrn(&format!("check --config {}", config.display()), &[]);
        assert_eq!(run.code, code, "{rules}: {}{}", run.stdout, run.stderr);
        let text = run.stdout + &run.stderr;
        assert!(text.contains(said), "{rules}: {text}");
    }
}

#[test]
fn messages_are_asked_for_by_their_ids() {
    let dir = folder();
    let message = |id| Message { job: "000001/QUSER/QZDASOINIT", user: "BILL", id, severity: 0, text: "t" };
    let path = file(&dir, &["CPF1124", "CPF1164", "CPIAD09", "CPF1124"].map(message));
    for (types, sent) in [
        ("QH", &["CPF1124", "CPF1164", "CPIAD09", "CPF1124"][..]),
        ("cpf1124,CPIAD09", &["CPF1124", "CPIAD09", "CPF1124"]),
        ("QH-CPF1164", &["CPF1164"]),
        ("PW,CPF9999", &[]),
    ] {
        let run = replay(&format!("--system S --format json --types {types}"), &[&path]);
        let id = |l: &str| serde_json::from_str::<Value>(l).unwrap()["event_id"].as_str().unwrap().to_owned();
        assert_eq!(run.lines().into_iter().map(id).collect::<Vec<_>>(), sent, "{types}");
    }
    qaudjrn("replay --system S --types CPF112", &[&path])
        .assert_output(2, &["or CPF1164 for a message of the history log"]);
    // Outputs may let them pass first; `[filter] types` is about journal entries.
    let config = dir.path().join("agent.toml");
    let output = "[[output]]\nname = \"a\"\naddress = \"null\"\npriority_types = [\"*AUTFAIL\", \"CPF1393\"]\n";
    fs::write(&config, output).unwrap();
    qaudjrn(&format!("check --config {}", config.display()), &[]).assert_output(0, &[]);
    fs::write(&config, "[filter]\ntypes.send = [\"PW\", \"CPF1164\"]\ntypes.exclude = [\"QH\"]\n").unwrap();
    let run = qaudjrn(&format!("check --config {}", config.display()), &[]);
    assert_eq!(run.code, 2);
    for said in ["2:21: error: types.send: \"CPF1164\"", "3:18: error: types.exclude: \"QH\"", "chosen by history.send"]
    {
        assert!(run.stdout.contains(said), "{}", run.stdout);
    }
}

#[test]
fn other_files_are_no_history_log_and_explain_and_what_if_read_it_too() {
    let dir = folder();
    let path = dir.path().join("text");
    fs::write(&path, "this is no history log".repeat(50)).unwrap();
    qaudjrn("decode --input qhst", &[&path]).assert_output(1, &["offset 8: expected record number 1"]);
    fs::write(&path, "").unwrap();
    qaudjrn("decode --input qhst", &[&path]).assert_output(1, &["empty"]);
    let made = make(&dir, "--count 40 --seed 41");
    qaudjrn("replay", &[&made.path]).assert_output(2, &["--system NAME"]);
    let run = qaudjrn("explain --system S --timezone UTC --nth 2", &[&made.path]);
    run.assert_output(0, &[]);
    assert!(run.stdout.contains("history        CPF1164, severity 0"), "{}", run.stdout);
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[filter]\nhistory.send = \"logon_logoff\"\n").unwrap();
    let options = format!("what-if --system S --timezone UTC --json --config {}", config.display());
    let run = qaudjrn(&options, &[&made.path]);
    run.assert_output(0, &[]);
    qaudjrn("types QH", &[]).assert_output(0, &[]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// From bytes to lines: whatever stands in the file, the program neither panics nor loses what it read.
    #[test]
    fn no_bytes_panic(
        seed in proptest::collection::vec(proptest::num::u8::ANY, 1..700),
        id in 0usize..28,
        lengths in proptest::array::uniform2(0u16..400),
    ) {
        use qaudjrn::{
            decode::{
                ebcdic::{Ccsid, Charset},
                history::{compose::HistoryComposer, record::{Split, split}},
                journal::{Catalog, Entry, HeadingKind, compose::Composer},
            },
            encode::{Encoder, Format, Profile, Settings, entry_json},
            event::{Clock, EventModel, Options},
        };
        let catalog = std::sync::Arc::new(Catalog::shipped().unwrap());
        let heading = catalog.heading(HeadingKind::Type5).unwrap().clone();
        let job = Charset::of(Ccsid(37)).unwrap();
        let options = Options { include_guesses: true, ..Options::default() };
        let model = EventModel::new(catalog.clone(), heading.clone(), job, options);
        let mut composer =
            HistoryComposer::new(Composer::new(heading.clone()), catalog.history(), catalog.messages().clone());
        // Records in order, with a known id and lengths that the file may hold, and anything else in them.
        let mut bytes: Vec<u8> = seed.iter().cycle().take(142 * 9).copied().collect();
        for (n, record) in (1u16..).zip(bytes.chunks_mut(142)) {
            record[8..10].copy_from_slice(&n.to_be_bytes());
        }
        bytes[49..56].copy_from_slice(&plain(&catalog.messages().rows[id].id));
        bytes[110..112].copy_from_slice(&lengths[0].to_be_bytes());
        bytes[112..114].copy_from_slice(&lengths[1].to_be_bytes());
        let message = match split(&bytes, true, None) {
            Split::Message { message, .. } | Split::Cut(message, _) => message,
            _ => return Ok(()),
        };
        let record = composer.compose(&message);
        let entry = Entry::new(&heading, record).unwrap();
        let event = model.event(entry, Clock::new(chrono_tz::UTC, None).read(&entry));
        proptest::prop_assert!(event.kind.is_history() && event.severity() <= 10);
        let mut out = Vec::new();
        entry_json::put_entry(&entry, event.kind.layout.as_deref(), job, true, &mut out);
        proptest::prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        for format in [Format::Syslog, Format::Cef, Format::Leef, Format::Leef2, Format::Json] {
            let profile = Profile::native().unwrap();
            let mut settings = Settings::new(format, &profile);
            settings.full = true;
            let mut line = Vec::new();
            let written = Encoder::new(&model, profile, settings).encode(&event, &mut line);
            proptest::prop_assert_eq!(written.severity, event.severity());
            proptest::prop_assert!(!line.iter().any(|b| matches!(b, b'\n' | b'\r' | 0)));
        }
    }
}
