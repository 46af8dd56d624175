//! Exports in other encodings than UTF-8: the same events, and what is no text in them told with its line and its place in the file.
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use encoding_rs::{Encoding, WINDOWS_1252};

use harness::program::{executable, folder, qaudjrn, replay};

use super::{Made, events, objects};

/// A text in an encoding, by its label; of UTF-16 with the mark of its byte order where the label is in capitals.
fn encoded(text: &str, label: &str) -> Vec<u8> {
    let mark = if label.starts_with('U') { "\u{FEFF}" } else { "" };
    let text = format!("{mark}{text}");
    match label.to_ascii_lowercase().as_str() {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        label => {
            let (bytes, _, lacks) = Encoding::for_label(label.as_bytes()).unwrap().encode(&text);
            assert!(!lacks, "{label}");
            bytes.into_owned()
        }
    }
}

#[test]
fn an_export_in_another_encoding_gives_the_same_events_whatever_reads_it() {
    for (ccsid, args, labels) in [
        (
            273,
            "--count 300 --seed 21 --ccsid 273 --language de --csv-style acs --json-style lines",
            &["UTF-16LE", "UTF-16BE", "utf-16be", "windows-1252"][..],
        ),
        (297, "--count 200 --seed 22 --ccsid 297 --language fr --columns new", &["UTF-16BE", "utf-16le", "iso-8859-1"]),
    ] {
        let made = Made::new(args);
        for (name, input) in [("log.csv", "history-csv"), ("log.json", "history-json")] {
            let text = fs::read_to_string(made.path(name)).unwrap();
            // What every encoding here has.
            let has = |c: char| !WINDOWS_1252.encode(&c.to_string()).2;
            let text: String = text.chars().filter(|c| has(*c)).collect();
            assert!(ccsid != 273 || !text.is_ascii(), "{args}");
            let plain = made.path("plain");
            fs::write(&plain, &text).unwrap();
            let want = events(&plain, &format!("--ccsid {ccsid}"));
            assert!(want.len() >= 200);
            let path = made.path("encoded");
            for label in labels {
                fs::write(&path, encoded(&text, label)).unwrap();
                // What the mark says need not be said; nor what it is, where its names leave no doubt.
                let has_mark = label.starts_with('U');
                let said = format!("--encoding {label}");
                let ways = [format!("--input {input} {said}"), said, format!("--input {input}"), String::new()];
                for way in ways.iter().take(if has_mark { 4 } else { 2 }) {
                    assert!(events(&path, &format!("--ccsid {ccsid} {way}")) == want, "{label} {way}");
                }
            }
        }
    }
}

#[test]
fn exports_come_encoded_through_a_pipe_and_packed_and_explain_and_what_if_read_them_too() {
    let made = Made::new("--count 60 --seed 23 --ccsid 273 --language de");
    let bytes = encoded(&fs::read_to_string(made.path("log.csv")).unwrap(), "utf-16be");
    let path = made.path("encoded");
    fs::write(&path, &bytes).unwrap();
    let want = events(&made.path("log.csv"), "");
    let options = "--input history-csv --encoding utf-16be";
    for command in [&["cat"][..], &["gzip", "-c"]] {
        let packed = Command::new(command[0]).args(&command[1..]).arg(&path).output().unwrap().stdout;
        let mut child = Command::new(executable())
            .args("replay --timezone UTC --system S --format json --detail full --include-guesses".split(' '))
            .args(options.split(' '))
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        packed.chunks(4_001).for_each(|piece| to.write_all(piece).unwrap());
        drop(to);
        let got = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let got: Vec<serde_json::Value> = got.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(got == want, "{command:?}");
    }
    let run = qaudjrn(&format!("explain --system S --nth 3 {options}"), &[&path]);
    run.assert_output(0, &[]);
    assert!(run.stdout.contains(want[2]["event_id"].as_str().unwrap()), "{}", run.stdout);
    let config = made.path("agent.toml");
    fs::write(&config, "[filter]\nhistory.send = \"logon_logoff\"\n").unwrap();
    qaudjrn(&format!("what-if --system S {options} --config {}", config.display()), &[&path]).assert_output(0, &[]);
    let run = qaudjrn(&format!("decode {options}"), &[&path]);
    run.assert_output(0, &[]);
    assert_eq!(objects(&run).len(), want.len());
}

#[test]
fn what_is_no_text_in_its_encoding_is_parked_with_its_line_and_place_and_the_rest_comes_out() {
    let dir = folder();
    let path = dir.path().join("log");
    let head = "MESSAGE_ID,MESSAGE_TIMESTAMP,FROM_USER,MESSAGE_TEXT\n";
    let row = |user: &str, text: &str| format!("CPF1124,2026-11-20 08:00:00.000001,{user},{text}\n");
    let good = row("BILL", "\"gelöscht,\nund mehr\"");
    for (label, bad, hex) in [
        ("UTF-16LE", &[0x00, 0xD8][..], "00D8"),
        ("UTF-16BE", &[0xDC, 0x00], "DC00"),
        ("shift_jis", &[0x81, 0x20], "81"),
        ("euc-kr", &[0xFF], "FF"),
    ] {
        let good = if label.starts_with('U') { good.clone() } else { good.replace('ö', "oe") };
        for in_name in [true, false] {
            // In a name, and in a text.
            let (user, text) = if in_name { ("BI", "x") } else { ("BILL", "ein ") };
            let row = row(user, text);
            let at = row.find(if in_name { ",x" } else { "\n" }).unwrap();
            let front = encoded(&format!("{head}{good}{}", &row[..at]), label);
            let rest = format!("{}{good}", &row[at..]);
            let rest = encoded(&rest, &label.to_ascii_lowercase());
            fs::write(&path, [&front[..], bad, &rest].concat()).unwrap();
            let run = replay(&format!("--system S --format json --encoding {label} --input history-csv"), &[&path]);
            let place = format!("line 4: offset {}: expected {}, got X'{hex}'", front.len(), name(label));
            run.assert_output(3, &[&place, ": parked", "--encoding"]);
            assert_eq!(run.summary()["read"], 3, "{label}");
            assert_eq!(run.lines().len(), 2, "{label}: {}", run.stdout);
            assert!(!run.stdout.contains('\u{FFFD}'), "{}", run.stdout);
        }
    }
    // In JSON, and in the first line of CSV.
    let good = "{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TIMESTAMP\":\"2026-11-20T08:00:00\"}";
    let front = encoded(&format!("[{good},{{\"MESSAGE_ID\":\"CPF1124"), "UTF-16LE");
    let rest = encoded(&format!("\",\"MESSAGE_TIMESTAMP\":\"2026-11-20T08:00:00\"}},{good}]"), "utf-16le");
    fs::write(&path, [&front[..], &[0, 0xDC], &rest].concat()).unwrap();
    let run = replay("--system S --format json --input history-json", &[&path]);
    run.assert_output(3, &[&format!("line 1: offset {}: expected UTF-16LE, got X'00DC'", front.len()), ": parked"]);
    assert_eq!(run.lines().len(), 2, "{}", run.stdout);
    let front = encoded("MESSAGE_ID,MESSAGE_TIMESTAMP,X", "UTF-16LE");
    let rest = encoded("\nCPF1124,2026-11-20T08:00:00,\n", "utf-16le");
    fs::write(&path, [&front[..], &[0, 0xDC], &rest].concat()).unwrap();
    let run = replay("--system S --input history-csv", &[&path]);
    run.assert_output(1, &["line 2 (offset ", &format!("offset {}: expected UTF-16LE, got X'00DC'", front.len())]);
}

fn name(label: &str) -> &'static str {
    Encoding::for_label(label.as_bytes()).unwrap().name()
}

#[test]
fn a_utf_16_export_that_is_cut_anywhere_gives_what_is_whole_and_parks_the_rest() {
    let made = Made::new("--count 30 --seed 24 --ccsid 273 --language de --csv-style acs --json-style lines");
    let path = made.path("cut");
    for (name, input) in [("log.csv", "history-csv"), ("log.json", "history-json")] {
        let text = fs::read_to_string(made.path(name)).unwrap();
        let bytes = encoded(&text, "UTF-16BE");
        let whole = objects(&qaudjrn("decode", &[&made.path(name)]));
        let first_line = encoded(text.lines().next().unwrap(), "UTF-16BE").len();
        for at in (first_line + 40..bytes.len()).step_by(419) {
            for at in [at, at + 1] {
                fs::write(&path, &bytes[..at]).unwrap();
                let run = qaudjrn(&format!("decode --input {input}"), &[&path]);
                let got = objects(&run);
                assert!(got.len() <= whole.len() && run.code != 1, "{at} {}", run.stderr);
                for (n, (want, got)) in whole.iter().zip(&got).enumerate() {
                    assert_eq!(got, want, "{name} {at} {n}");
                }
                // Half a character is never taken for the end of a text.
                if at % 2 == 1 {
                    run.assert_output(3, &[&format!("offset {}: expected UTF-16BE, got X'", at - 1)]);
                }
            }
        }
    }
}

#[test]
fn what_is_said_and_does_not_go_is_an_error_that_says_what_to_write() {
    let dir = folder();
    let path = dir.path().join("log");
    let text = "MESSAGE_ID,MESSAGE_TIMESTAMP\nCPF1124,2026-11-20 08:00:00\n";
    let run = |options: &str, bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        replay(&format!("--system S {options}"), &[&path])
    };
    run("--encoding latin-one", text.as_bytes())
        .assert_output(2, &["--encoding", "utf-16 (utf-16le, utf-16be), windows-1252"]);
    run("--encoding ibm037", text.as_bytes()).assert_output(2, &["EBCDIC is none of them"]);
    let little = encoded(text, "utf-16le");
    run("", &little)
        .assert_output(1, &["UTF-16 text", "--input history-csv or history-json", "--encoding utf-16le or utf-16be"]);
    for input in ["history-csv", "history-json"] {
        let said = "line 1 (offset 0): expected UTF-8, got what looks like UTF-16: say in which byte order";
        run(&format!("--input {input}"), &little).assert_output(1, &[said]);
    }
    let marked = encoded(text, "UTF-16LE");
    for label in ["windows-1252", "utf-8"] {
        let said = "as is said, got the byte order mark of UTF-16LE: leave out the encoding";
        run(&format!("--input history-csv --encoding {label}"), &marked)
            .assert_output(1, &["line 1 (offset 0): expected", said]);
    }
    run("--encoding windows-1252 --input qhst", text.as_bytes())
        .assert_output(2, &["is only for exports of QSYS2.HISTORY_LOG_INFO"]);
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stories.type5");
    replay("--encoding utf-16", &[&capture]).assert_output(2, &["UTF-16LE", "leave out --encoding"]);
    // What is no UTF-8 says how to read it.
    let row = "MESSAGE_ID,MESSAGE_TIMESTAMP,FROM_USER\nCPF1124,2026-11-20 08:00:00,M";
    let bytes = [row.as_bytes(), b"\xDCLLER\n"].concat();
    run("", &bytes).assert_output(3, &["expected UTF-8 in FROM_USER, got X'DC", "--encoding, such as windows-1252"]);
    assert!(run("--encoding windows-1252 --format json", &bytes).stdout.contains("\"MÜLLER\""));
}
