//! Exports of QSYS2.HISTORY_LOG_INFO, written by `tests/tools/make_qhst.py` beside the history log file that has the same messages.

#[path = "history_exports/encodings.rs"]
mod encodings;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::program::{Run, executable, folder, qaudjrn, replay, tool};
use serde_json::Value;
use tempfile::TempDir;

/// The same messages as a history log file and as exports.
struct Made {
    dir: TempDir,
    log: PathBuf,
    truth: Vec<Value>,
}

impl Made {
    fn new(args: &str) -> Made {
        let dir = folder();
        let log = dir.path().join("QHST26324A");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let args = format!("{args} --csv {} --json {}", path("log.csv"), path("log.json"));
        Made { truth: tool("make_qhst.py", &log, &dir.path().join("truth"), &args), log, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn objects(run: &Run) -> Vec<Value> {
    run.stdout.split('\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn events(path: &Path, options: &str) -> Vec<Value> {
    let run = replay(&format!("--system S --format json --detail full --include-guesses {options}"), &[path]);
    run.assert_output(0, &[]);
    objects(&run)
}

/// What only a history log file says: the instruction of the sending program, and the CCSID of the text.
fn without(mut event: Value, keys: &[&str]) -> Value {
    let fields = event.as_object_mut().unwrap();
    keys.iter().for_each(|k| drop(fields.remove(*k)));
    event
}

const ONLY_IN_THE_FILE: [&str; 3] = ["sending_instruction", "written", "message_ccsid"];

#[test]
fn exports_give_the_events_of_the_file_with_the_same_messages_whatever_their_style() {
    for (ccsid, args) in [
        (37, "--count 300 --seed 1"),
        (37, "--count 200 --seed 2 --csv-style acs --json-style lines --columns new"),
        (273, "--count 200 --seed 3 --ccsid 273 --language de --csv-style tabs --json-style pretty --time-separator T"),
        (297, "--count 200 --seed 4 --ccsid 297 --language fr --csv-style acs --tokens literal"),
        (939, "--count 100 --seed 5 --ccsid 939 --columns new --json-style lines"),
    ] {
        let made = Made::new(args);
        let options = format!("--ccsid {ccsid}");
        let want = events(&made.log, &options);
        assert_eq!(want.len(), made.truth.len());
        for (name, input) in [("log.csv", "history-csv"), ("log.json", "history-json")] {
            // By itself too: the names of the columns leave no doubt.
            for input in [String::new(), format!("--input {input}")] {
                let got = events(&made.path(name), &format!("{options} {input}"));
                assert_eq!(got.len(), want.len(), "{args} {name}");
                for (want, got) in want.iter().zip(got) {
                    let (want, got) = (without(want.clone(), &ONLY_IN_THE_FILE), without(got, &ONLY_IN_THE_FILE));
                    assert_eq!(got, want, "{args} {name}");
                }
            }
        }
    }
}

#[test]
fn hostile_texts_come_through_quotes_line_breaks_and_delimiters_as_they_are() {
    for style in ["rfc --json-style array", "acs --json-style lines", "tabs --json-style pretty"] {
        let made = Made::new(&format!("--count 1200 --seed 6 --hostile --columns new --csv-style {style}"));
        for name in ["log.csv", "log.json"] {
            let run = qaudjrn("decode", &[&made.path(name)]);
            run.assert_output(0, &[]);
            let got = objects(&run);
            assert_eq!(got.len(), made.truth.len(), "{name}");
            for (want, got) in made.truth.iter().zip(&got) {
                let fields = &got["fields"];
                assert_eq!(fields["text"].as_str().unwrap_or(""), want["text"], "{want} {got}");
                assert_eq!(fields["message_data"].as_str().unwrap_or(""), want["data"], "{want} {got}");
                assert_eq!(fields["message_id"], want["id"], "{want} {got}");
                assert_eq!(got["complete"], true);
                let time = want["timestamp"].as_str().unwrap().replace('T', "-").replace(':', ".");
                assert_eq!(got["header"]["entry_timestamp"], Value::from(time));
            }
        }
    }
}

#[test]
fn rows_go_out_as_they_stand_and_nothing_is_made_of_data_that_became_text() {
    let made = Made::new("--count 200 --seed 7 --descending --tokens text");
    let want = events(&made.log, "");
    for name in ["log.csv", "log.json"] {
        let got = events(&made.path(name), "");
        assert_eq!(got.len(), want.len());
        for (want, got) in want.iter().rev().zip(&got) {
            for key in ["event_id", "time", "effective_user", "job", "text", "severity"] {
                assert_eq!(got[key], want[key], "{got}");
            }
            // What the text says is there, what only the data said is not.
            let known = ["entry_id", "sequence", "job", "remote_address", "target_job", "text"];
            for (key, value) in got.as_object().unwrap() {
                let same = want.get(key) == Some(value) || known.contains(&key.as_str());
                assert!(same, "{key}: {got} {want}");
            }
        }
        // And that is told.
        let incomplete = made.truth.iter().filter(|t| t["data"] != "").count() as u64;
        let run = replay("--system S", &[&made.path(name)]);
        assert!(incomplete > 150 && run.summary()["incomplete"] == incomplete, "{}", run.stderr);
    }
}

#[test]
fn text_that_looks_like_digits_is_no_data_where_the_rest_of_the_file_is_text() {
    let dir = folder();
    let path = dir.path().join("log.csv");
    let row = |tokens: &str| format!("CPF2234,2026-11-20 08:00:00.000001,{tokens}\n");
    let head = "MESSAGE_ID,MESSAGE_TIMESTAMP,MESSAGE_TOKENS\n";
    // Device and user in hexadecimal digits; or names that look like them.
    let forged = "C4C5E5F0F14040404040D8E2C5C3D6C6D9404040";
    let user = |rows: String| {
        fs::write(&path, format!("{head}{rows}")).unwrap();
        let run = qaudjrn("decode", &[&path]);
        run.assert_output(0, &[]);
        objects(&run).iter().map(|o| o["fields"]["user"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(user(row(forged) + &row("") + &row(forged)), ["QSECOFR", "", "QSECOFR"]);
    assert_eq!(user(row(forged) + &row("DSP01     BILL")), ["", ""]);
    assert_eq!(user(row("DSP01     BILL") + &row(forged).repeat(100))[1..], vec![""; 100]);
    let late = user(row(forged).repeat(100) + &row("DSP01     BILL") + &row(forged));
    assert_eq!(late[99..], ["QSECOFR", "", ""]);
    // Digits of which one is none, or one is missing, or one too many: nothing is known of that row's, and the others are what they are.
    for damaged in
        [forged.replacen('F', "G", 1), forged[1..].to_owned(), format!("0{forged}"), forged.replacen('F', "", 1)]
    {
        assert_eq!(user(row(&damaged) + &row(forged) + &row(&damaged) + &row(forged)), ["", "QSECOFR", "", "QSECOFR"]);
        let late = user(row(forged).repeat(100) + &row(&damaged) + &row(forged));
        assert_eq!(late[99..], ["QSECOFR", "", "QSECOFR"], "{damaged}");
    }
    // Rows without tokens before it say nothing of what tokens are; nor do a few within a lot of others.
    let after_none = user(row("").repeat(100) + &row(forged) + &row("DSP01     BILL"));
    assert_eq!(after_none[100..], ["", ""]);
    assert_eq!(user(row("").repeat(100) + &row(forged).repeat(2))[100..], ["QSECOFR", "QSECOFR"]);
    let few = user(row(forged) + &row("").repeat(5_000) + &row("DSP01     BILL"));
    assert_eq!((few[0].as_str(), few[5_001].as_str()), ("", ""));
}

/// Runs `decode` over a text under a name.
fn decoded(dir: &TempDir, name: &str, input: &str, text: &[u8]) -> (Run, Vec<Value>) {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    let run = qaudjrn(&format!("decode --input {input}"), &[&path]);
    let got = objects(&run);
    (run, got)
}

#[test]
fn a_first_line_or_row_without_what_is_needed_is_an_error_that_says_which() {
    let dir = folder();
    for (input, text, said) in [
        ("history-csv", "MESSAGE_ID,SEVERITY\nCPF1124,0\n", "MESSAGE_TIMESTAMP is missing"),
        ("history-csv", "CPF1124;2026-11-20 08:00:00\n", "MESSAGE_ID and MESSAGE_TIMESTAMP are missing"),
        ("history-csv", "", "the end of the file"),
        ("history-csv", "MESSAGE_ID;MESSAGE_TIMESTAMP;Message Id\n", "MESSAGE_ID twice"),
        ("history-json", "[{\"MESSAGE_ID\":\"CPF1124\"}]", "MESSAGE_TIMESTAMP is missing"),
        ("history-json", "", "it is empty"),
    ] {
        let (run, got) = decoded(&dir, "log", input, text.as_bytes());
        run.assert_output(1, &["log: line 1 (offset ", "): expected ", said]);
        assert_eq!(got.len(), 0);
    }
    // A day without messages.
    for (input, text) in [("history-csv", "MESSAGE_ID,MESSAGE_TIMESTAMP\n"), ("history-json", "[]\n")] {
        let (run, got) = decoded(&dir, "log", input, text.as_bytes());
        run.assert_output(0, &[]);
        assert_eq!(got.len(), 0);
    }
    let (run, got) = decoded(&dir, "log", "history-json", b"this is no JSON");
    run.assert_output(3, &["line 1: expected JSON"]);
    assert_eq!(got.len(), 0);
}

#[test]
fn a_bad_row_is_parked_with_its_line_and_the_rest_comes_out() {
    let dir = folder();
    let head = "MESSAGE_ID,MESSAGE_TIMESTAMP,FROM_USER,FROM_JOB,MESSAGE_TEXT\n";
    let good = "CPF1124,2026-11-20 08:00:00.000001,BILL,123456/BILL/J,\"of two\nlines\"\n";
    for (bad, said) in [
        ("CPF1124,20.11.2026 08:00,BILL,,\n", "expected a timestamp such as"),
        ("CPF1124,\"2026-11-20 08:00:00,1\",BILL,,\n", "expected a timestamp such as"),
        ("CPF1124,,BILL,,\n", "expected a timestamp such as"),
        ("CPF1124,2026-11-20 08:00:00,BILL,\n", "expected 5 values, as the first line has names, got 4"),
        ("CPF1124,2026-11-20 08:00:00,BILL,,,,\n", "got 7"),
        ("CPF1124,2026-11-20 08:00:00,BILLBILLBILL,,\n", "expected 10 characters in FROM_USER"),
        ("CPF1124X,2026-11-20 08:00:00,BILL,,\n", "expected 7 characters in MESSAGE_ID"),
        ("CPF1124,2026-11-20 08:00:00,BILL,QINTER,\n", "expected NUMBER/USER/NAME in FROM_JOB"),
    ] {
        let (run, got) = decoded(&dir, "log", "history-csv", format!("{head}{good}{bad}{good}").as_bytes());
        run.assert_output(3, &["log: line 4: ", said, "1 records are no journal entries"]);
        assert_eq!(got.len(), 2, "{bad}");
        let run = replay("--system S --format json", &[&dir.path().join("log")]);
        run.assert_output(3, &["line 4: ", said, ": parked"]);
        assert_eq!((run.summary()["sent"].as_u64(), run.summary()["read"].as_u64()), (Some(2), Some(3)));
    }
    let good = "{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TIMESTAMP\":\"2026-11-20T08:00:00\"}";
    for (bad, parked) in [
        ("{\"MESSAGE_ID\":\"CPF1124\"}", 1),
        ("{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TIMESTAMP\":true}", 1),
        ("{\"MESSAGE_ID\":\"1\",\"message_id\":\"2\",\"MESSAGE_TIMESTAMP\":\"2026-11-20T08:00:00\"}", 1),
        ("{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TEXT\":\"an end is mis", 1),
        ("{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TEXT\":{\"a\":1}", 1),
        ("{\"MESSAGE_ID\":\"CPF1124\",", 1),
        ("MESSAGE_ID\":\"CPF1124\"}", 1),
        ("{\"MESSAGE_ID\":\"\\ud800\",\"MESSAGE_TIMESTAMP\":\"2026-11-20T08:00:00\"}", 1),
    ] {
        for (open, between, close) in [("", "\n", ""), ("[", ",\n", "]")] {
            let text = format!("{open}{good}{between}{bad}{between}{good}{close}");
            let (run, got) = decoded(&dir, "log", "history-json", text.as_bytes());
            run.assert_output(3, &["log: line 2: expected", &format!("{parked} records are no journal entries")]);
            assert_eq!(got.len(), 2, "{text}");
        }
    }
}

#[test]
fn what_is_no_utf_8_shows_in_a_text_and_is_no_name() {
    let dir = folder();
    let head = "MESSAGE_ID,MESSAGE_TIMESTAMP,FROM_USER,MESSAGE_TEXT\nCPF1124,2026-11-20 08:00:00,";
    let text = [head.as_bytes(), b"BILL,gel\xF6scht\nCPF1124,2026-11-20 08:00:00,M\xDCLLER,x\n"].concat();
    let path = dir.path().join("log");
    fs::write(&path, &text).unwrap();
    let run = replay("--system S --format syslog", &[&path]);
    run.assert_output(3, &["line 3: expected UTF-8 in FROM_USER, got X'DC4C4C45'"]);
    assert!(run.stdout.contains("text=\"gel\\\\xf6scht\"") && run.lines().len() == 1, "{}", run.stdout);
}

#[test]
fn a_file_that_is_cut_anywhere_gives_what_is_whole_and_parks_the_rest() {
    let made = Made::new("--count 30 --seed 8 --csv-style acs");
    for (name, input) in [("log.csv", "history-csv"), ("log.json", "history-json")] {
        let bytes = fs::read(made.path(name)).unwrap();
        let whole = objects(&qaudjrn("decode", &[&made.path(name)]));
        let first_line = bytes.iter().position(|b| *b == b'\n').unwrap_or(0);
        for at in (1..bytes.len()).step_by(211) {
            let (run, got) = decoded(&made.dir, "cut", input, &bytes[..at]);
            if name == "log.csv" && at <= first_line {
                assert!(run.code == 1 || got.is_empty(), "{at} {}", run.stderr);
                continue;
            }
            assert!(got.len() <= whole.len() && run.code != 1, "{at} {}", run.stderr);
            // All but the last are as they were, and of the last nothing is false.
            for (n, (want, got)) in whole.iter().zip(&got).enumerate() {
                assert_eq!(got, want, "{name} {at} {n}");
            }
            assert!(run.code == 3 || input == "history-csv", "{name} {at} {}", run.stderr);
        }
    }
}

#[test]
fn a_row_without_an_end_costs_no_memory_and_is_an_error_with_its_place() {
    let dir = folder();
    let good = "CPF1124,2026-11-20 08:00:00,x\n";
    let text = format!(
        "MESSAGE_ID,MESSAGE_TIMESTAMP,MESSAGE_TEXT\n{good}CPF1124,2026-11-20 08:00:00,\"{}",
        "x".repeat(9 << 20)
    );
    let (run, got) = decoded(&dir, "log", "history-csv", text.as_bytes());
    run.assert_output(
        1,
        &["log: line 3 (offset 72): expected the end of a row within 1048576 bytes", "is a quote missing?"],
    );
    assert_eq!(got.len(), 1);
    let text = format!("[{{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TIMESTAMP\":\"{}", "2".repeat(9 << 20));
    let (run, got) = decoded(&dir, "log", "history-json", text.as_bytes());
    run.assert_output(1, &["log: line 1 (offset 1): expected the end of a row"]);
    assert_eq!(got.len(), 0);
    // Fields of any size that a row may have.
    let long = "y".repeat(900_000);
    let text = format!(
        "MESSAGE_ID,MESSAGE_TIMESTAMP,MESSAGE_TEXT,MESSAGE_TOKENS,X\n,2026-11-20 08:00:00,{long},,\n,2026-11-20 08:00:00,,{},{long}\n",
        "C1".repeat(70_000)
    );
    let (run, got) = decoded(&dir, "log", "history-csv", text.as_bytes());
    run.assert_output(0, &[]);
    assert_eq!(got.iter().map(|g| g["complete"].as_bool()).collect::<Vec<_>>(), [Some(false), Some(false)]);
}

#[test]
fn f05_a_quote_too_few_or_too_many_costs_the_row_that_it_stands_in_and_no_other() {
    let dir = folder();
    let row = |n: usize, text: &str| format!("\"CPF{n:04}\",\"2026-11-20 08:00:{n:02}\",\"{text}\"\n");
    // Texts with line breaks, and one whose author wished it were a row.
    let text = |n: usize| match n % 4 {
        0 => "plain".to_owned(),
        1 => "two\nlines, \"\"quoted\"\"".to_owned(),
        2 => "x\nCPF9999,2026-11-20 09:00:00,made up".to_owned(),
        _ => "x\n\"\"CPF9999\"\",\"\"2026-11-20 09:00:00\"\",\"\"made up\"\"\n".to_owned(),
    };
    let rows: Vec<String> = (0..12).map(|n| row(n, &text(n))).collect();
    let header = "\"MESSAGE_ID\",\"MESSAGE_TIMESTAMP\",\"MESSAGE_TEXT\"\n";
    let ids = |text: &str| -> (i32, Vec<String>) {
        let (run, got) = decoded(&dir, "log", "history-csv", text.as_bytes());
        (run.code, got.iter().map(|g| g["fields"]["message_id"].as_str().unwrap_or_default().to_owned()).collect())
    };
    let whole = format!("{header}{}", rows.concat());
    let want: Vec<String> = (0..12).map(|n| format!("CPF{n:04}")).collect();
    assert_eq!(ids(&whole), (0, want.clone()));
    for hurt in [0, 3, 5, 6, 11] {
        let front = header.len() + rows[..hurt].concat().len();
        let others: Vec<&String> = want.iter().filter(|id| **id != want[hurt]).collect();
        let behind = want.get(hurt + 1);
        for at in rows[hurt].match_indices('"').map(|(at, _)| front + at) {
            let (mut without, mut twice) = (whole.clone(), whole.clone());
            without.remove(at);
            twice.insert(at, '"');
            for damaged in [without, twice] {
                let (code, got) = ids(&damaged);
                let kept: Vec<&String> = got.iter().filter(|id| **id != want[hurt]).collect();
                // What the quote opens may take the next row with it.
                let fewer: Vec<&String> = others.iter().copied().filter(|id| Some(*id) != behind).collect();
                assert!(kept == others || kept == fewer, "{hurt} {at} {got:?}");
                // Without harm where a value needs no quotes.
                assert!(code == 3 || got.len() == 12, "{hurt} {at} {code} {got:?}");
            }
        }
    }
    // Where only names are in quotes, and texts that need them, as one tool writes it, rows begin bare.
    let bare = format!("{header}CPF0001,2026-11-20 08:00:01,x\nCPF0002,2026-11-20 08:00:02,\"a, b\"\n");
    assert_eq!(ids(&bare), (0, vec!["CPF0001".to_owned(), "CPF0002".to_owned()]));
    // A block of zeros takes the end of a text and the front of the next row, which would be one row of as many values.
    let begin = whole.find("plain").unwrap();
    for length in [40, 60, 100, 200] {
        let mut bytes = whole.clone().into_bytes();
        bytes[begin + 2..begin + 2 + length].fill(0);
        let (code, got) = ids(&String::from_utf8(bytes).unwrap());
        assert!(code == 3 && got.iter().all(|id| want.contains(id)) && got.len() >= 8, "{length} {code} {got:?}");
        assert!(!got.contains(&want[0]), "{length} {got:?}");
    }
    // So many that the row would be longer than any.
    let many: String = (0..20_000).map(|n| row(n % 60, "some text that is in every row of this file")).collect();
    let (code, got) = ids(&format!("{header}{}{many}", rows[0].replace("plain\"", "plain")));
    assert_eq!((code, got.len()), (3, 20_000));
}

#[test]
fn exports_come_through_a_pipe_and_explain_and_what_if_read_them_too() {
    let made = Made::new("--count 40 --seed 9 --csv-style acs --json-style lines");
    for (name, input) in [("log.csv", "history-csv"), ("log.json", "history-json")] {
        let mut child = Command::new(executable());
        child
            .args(["decode", "--input", input, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let (mut to, bytes) = (child.stdin.take().unwrap(), fs::read(made.path(name)).unwrap());
        let writer = std::thread::spawn(move || bytes.chunks(777).try_for_each(|piece| to.write_all(piece)));
        let out = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), qaudjrn("decode", &[&made.path(name)]).stdout);
        qaudjrn("replay", &[&made.path(name)]).assert_output(2, &["--system NAME"]);
        let run = qaudjrn("explain --system S --timezone UTC --nth 2", &[&made.path(name)]);
        run.assert_output(0, &[]);
        assert!(run.stdout.contains("history        CPF1164, severity 0"), "{}", run.stdout);
        let config = made.path("agent.toml");
        fs::write(&config, "[filter]\nhistory.send = \"logon_logoff\"\n").unwrap();
        let run = qaudjrn(
            &format!("what-if --system S --timezone UTC --json --config {}", config.display()),
            &[&made.path(name)],
        );
        run.assert_output(0, &[]);
        assert!(run.stdout.contains("HISTORY_LOG_INFO as"), "{}", run.stdout);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    /// Whatever stands in a file: it is read to an end, in records that are bounded, and nothing in it forges an entry of a journal.
    #[test]
    fn no_bytes_panic_or_pass_for_a_journal_entry(
        front in proptest::sample::select(vec![
            "MESSAGE_ID,MESSAGE_TIMESTAMP,MESSAGE_TOKENS,FROM_JOB,MESSAGE_TEXT\n",
            "\u{FEFF}message_id;x;message timestamp;severity\r\n",
            "[{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TIMESTAMP\":\"2026-11-20 08:00:00\"},",
            "{\"MESSAGE_ID\":1,\"MESSAGE_TIMESTAMP\":\"",
            "",
        ]),
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "CPF1164", ",", ";", "\"", "\"\"", "\n", "\r\n", "{", "}", "[", "]", ":", "2026-11-20 08:00:00", "\\", "\u{0}", "é", "C1C2", "X'",
            "{\"MESSAGE_ID\":null,\"MESSAGE_TIMESTAMP\":\"2026-11-20-08.00.00.1\"}", "123456/A/B",
        ]), 0..60),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..700),
        json: bool,
        label in proptest::sample::select(vec!["", "", "", "utf-16be", "utf-16", "windows-1252", "shift_jis", "iso-2022-jp"]),
    ) {
        use std::io::Read;
        use qaudjrn::{
            decode::{
                ebcdic::Charset,
                history::{MARK, compose::HistoryComposer},
                journal::{Catalog, Entry, HeadingKind, compose::Composer, detect::HistoryForm},
            },
            source::derived::{export::{Export, decoded::encoding, is_export}, placeholder},
        };
        static CATALOG: std::sync::OnceLock<Catalog> = std::sync::OnceLock::new();
        let catalog = CATALOG.get_or_init(|| Catalog::shipped().unwrap());
        let heading = catalog.heading(HeadingKind::Type5).unwrap();
        let composer = HistoryComposer::new(Composer::new(heading.clone()), catalog.history(), catalog.messages().clone());
        let text = format!("{front}{}", pieces.concat());
        let text = match label {
            "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            "utf-16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => text.into_bytes(),
        };
        let bytes = [&text[..], &noise].concat();
        let said = encoding(label).ok();
        let _ = is_export(&bytes, said);
        let form = if json { HistoryForm::Json } else { HistoryForm::Csv };
        let mut out = Vec::new();
        let mut export = Export::new(bytes.as_slice(), form, composer, Charset::ebcdic(37).unwrap()).with_encoding(said);
        let ended = export.read_to_end(&mut out);
        proptest::prop_assert!(ended.is_ok() || ended.unwrap_err().to_string().starts_with("line "));
        let mut rest = out.as_slice();
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let (record, behind) = more.split_at(u32::from_be_bytes(*length) as usize);
            proptest::prop_assert!(record.len() < 1 << 18);
            match Entry::new(heading, record) {
                Ok(entry) => proptest::prop_assert_eq!((entry.journal_code(), entry.entry_type()), MARK),
                Err(_) => proptest::prop_assert!(placeholder::why(record).is_some()),
            }
            rest = behind;
        }
    }
}
