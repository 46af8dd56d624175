//! The program as people and scripts meet it: exit codes, messages, counts, selection, pipes and sockets.
//!
//! Not here: what lines say (`lines.rs`, `properties.rs`), real receivers and TLS (`receivers.rs`). Captures are made
//! by `tests/tools/make_capture.py` in a temporary folder.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, UdpSocket},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use harness::agent::unread;
use harness::program::{
    Made, Run, count, event, executable, finish, folder, head, make, qaudjrn, replay, sequence, sequences,
};
use harness::unused_port;
use serde_json::Value;

/// Bytes of a *TYPE5 record with 891 bytes of entry data.
const RECORD: usize = 1_500;

/// A file with these bytes.
fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Asserts that everything read is accounted for, and that the counts are those of the lines.
#[track_caller]
fn adds_up(run: &Run) -> Value {
    let s = run.summary();
    let n = |key| count(&s, key);
    assert_eq!(n("read"), n("sent") + n("filtered") + n("parked") + n("not_sent"), "{s}");
    let sum = |key: &str| s[key].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum::<u64>();
    let by_rule = s["filtered_by_rule"].as_array().unwrap();
    assert_eq!(n("filtered"), by_rule.iter().map(|r| count(r, "dropped")).sum::<u64>(), "{s}");
    assert_eq!(n("parked"), sum("parked_by_reason"), "{s}");
    assert_eq!(n("read"), sum("entry_types") + n("parked"), "{s}");
    assert!(n("header_bytes") <= n("bytes_out") && n("truncated") <= n("sent") && n("incomplete") <= n("sent"), "{s}");
    s
}

// ------------------------------------------------------------------------------------------------------ bad input

#[test]
fn an_empty_file_is_refused_with_its_name_and_what_was_expected() {
    let dir = folder();
    let empty = write(&dir, "empty.type5", b"");
    for command in ["replay", "decode"] {
        let run = qaudjrn(command, &[&empty]);
        run.assert_output(1, &["empty.type5", "empty", "expected"]);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn an_ascii_file_is_refused_with_the_way_to_transfer_it() {
    let dir = folder();
    let text = write(&dir, "journal.csv", "2026-11-20,PW,BILL,10.1.2.3,password not valid\n".repeat(400).as_bytes());
    replay("", &[&text]).assert_output(1, &["journal.csv", "offset 0", "ASCII", "expected", "binary"]);
}

#[test]
fn a_gigabyte_of_zeros_is_refused_at_once() {
    let dir = folder();
    let zeros = dir.path().join("zeros");
    File::create(&zeros).unwrap().set_len(1 << 30).unwrap(); // sparse
    let begin = Instant::now();
    for args in ["", "--input type5 --record-length 1500", "--input type5 --input-framing stream"] {
        let run = replay(args, &[&zeros]);
        assert!(run.code == 1 || run.code == 2, "{args}: {run:?}");
        run.assert_output(run.code, &["zeros", "offset 0", "X'00'", "expected"]);
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn what_cannot_be_opened_is_named() {
    let dir = folder();
    let file = write(&dir, "file", b"x");
    replay("", &[dir.path()]).assert_output(1, &[&dir.path().display().to_string(), "directory", "expected a capture"]);
    replay("", &[&dir.path().join("nowhere.type5")]).assert_output(1, &["nowhere.type5", "No such file"]);
    // Root may read everything, so instead of a file without permission: a path below a file.
    replay("", &[&file.join("below.type5")]).assert_output(1, &["file/below.type5", "Not a directory"]);
    // What is missing is said before anything is sent.
    let good = make(&dir, "good.type5", "--count 5");
    let run = replay("", &[&good.path, &dir.path().join("nowhere.type5")]);
    run.assert_output(1, &["nowhere.type5"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn another_heading_than_the_option_says_is_refused_with_the_right_option() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 30");
    for (args, advice) in [
        ("--input type4 --receiver AUDRCV0042", "--input type5"),
        ("--input type5 --input-framing stream", "leave that option out, or say fixed"),
    ] {
        let run = replay(args, &[&capture.path]);
        run.assert_output(2, &["day", "offset 0", "*TYPE5", advice]);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_wrong_record_length_is_refused_with_the_one_that_fits() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 30");
    for length in ["1400", "1501", "3000"] {
        let run = replay(&format!("--record-length {length}"), &[&capture.path]);
        run.assert_output(2, &["day.type5", length, "1500"]);
        assert_eq!(run.stdout, "");
    }
    for length in ["0", "100", "100000000000", "18446744073709551615"] {
        replay(&format!("--record-length {length}"), &[&capture.path]).assert_output(2, &["--record-length"]);
    }
}

#[test]
fn f13_a_capture_that_ends_within_a_record_says_where_sends_what_is_there_and_ends_with_3() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 30");
    let bytes = fs::read(&capture.path).unwrap();
    let last = 29 * RECORD;

    // The heading is whole: the entry is sent, marked by what it lost.
    let torn = write(&dir, "torn.type5", &bytes[..last + 700]);
    let run = replay("--format json", &[&torn]);
    run.assert_output(3, &["torn.type5", &format!("offset {last}"), "ends within a record"]);
    let s = adds_up(&run);
    assert_eq!((count(&s, "read"), count(&s, "sent"), count(&s, "captures_cut_short")), (30, 30, 1));
    assert_eq!(sequences(&run), (1..=30).collect::<Vec<_>>());
    replay("--strict", &[&torn]).assert_output(3, &[]);
    qaudjrn("decode", &[&torn]).assert_output(3, &["torn.type5", "ends within the record"]);

    // It is not: the record is parked, everything before it is sent.
    let torn = write(&dir, "torn.type5", &bytes[..last + 300]);
    let run = replay("--format json", &[&torn]);
    run.assert_output(3, &["torn.type5", &format!("offset {last}"), "609 bytes", "300 bytes"]);
    let s = adds_up(&run);
    assert_eq!((count(&s, "sent"), count(&s, "parked")), (29, 1));

    let stream = make(&dir, "day.stream", "--count 30 --framing stream");
    let bytes = fs::read(&stream.path).unwrap();
    let torn = write(&dir, "torn.stream", &bytes[..bytes.len() - 40]);
    let run = replay("--format json", &[&torn]);
    run.assert_output(3, &["torn.stream", "ends within a record"]);
    assert_eq!(sequences(&run), (1..=30).collect::<Vec<_>>());
}

#[test]
fn n8_captures_that_are_cut_or_hold_what_is_no_entry_end_what_if_and_explain_with_3() {
    let dir = folder();
    let bytes = fs::read(make(&dir, "day.type5", "--count 30").path).unwrap();
    let stream = fs::read(make(&dir, "day.stream", "--count 30 --framing stream").path).unwrap();
    let mut damaged = bytes.clone();
    damaged[5 * RECORD..6 * RECORD].fill(0xff);
    let config = write(&dir, "empty.toml", b"");
    for (name, bytes, code) in [
        ("whole.type5", bytes.as_slice(), 0),
        ("torn.type5", &bytes[..29 * RECORD + 700], 3),
        ("torn.type5", &bytes[..29 * RECORD + 300], 3),
        ("torn.stream", &stream[..stream.len() - 40], 3),
        ("damaged.type5", &damaged, 3),
    ] {
        let capture = write(&dir, name, bytes);
        for command in ["what-if --config", "what-if --json --config", "explain --sequence 29 --config"] {
            let run = qaudjrn(command, &[&config, &capture]);
            assert_eq!(run.code, code, "{command} {name} of {} bytes: {}", bytes.len(), run.stderr);
        }
    }
    // Whether what it did not look at is whole is nothing that it says.
    let torn = write(&dir, "torn.type5", &bytes[..29 * RECORD + 700]);
    qaudjrn("explain --nth 1", &[&torn]).assert_output(0, &[]);
    qaudjrn("explain --nth 30", &[&torn]).assert_output(3, &["ends within a record"]);
}

#[test]
fn n8_a_replay_of_which_nothing_arrived_has_no_mean() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 50");
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = qaudjrn(&format!("replay --format json --to udp://127.0.0.1:{port}"), &[&made.path]);
    run.assert_output(3, &["bytes in "]);
    assert!(!run.stderr.contains("mean event"), "{}", run.stderr);
    let run = replay(&format!("--format json --to udp://127.0.0.1:{port}"), &[&made.path]);
    assert!(run.summary()["mean_event_bytes"].is_null(), "{}", run.stderr);
    qaudjrn("replay --format json --to null", &[&made.path]).assert_output(0, &["mean event "]);
}

#[test]
fn n4_a_damaged_length_in_a_stream_is_parked_with_its_record_and_reading_goes_on_behind_it() {
    let dir = folder();
    let stream = make(&dir, "day.stream", "--count 30 --framing stream");
    let mut bytes = fs::read(&stream.path).unwrap();
    let (mut at, mut to) = (0, 0);
    for n in 0..21 {
        at = if n == 20 { to } else { at };
        to += 4 + u32::from_be_bytes(bytes[to..to + 4].try_into().unwrap()) as usize;
    }
    bytes[at..at + 4].copy_from_slice(&[0xFF, 0, 0, 1]);
    let damaged = write(&dir, "damaged.stream", &bytes);
    for args in ["--input type5 --input-framing stream", ""] {
        let run = replay(&format!("--format json {args}"), &[&damaged]);
        let got = sequences(&run);
        run.assert_output(3, &["damaged.stream", &format!("to {} (", to - 1), "are damaged"]);
        assert!(got.starts_with(&(1..=19).collect::<Vec<_>>()) && got.ends_with(&(22..=30).collect::<Vec<_>>()));
        assert!(!got.contains(&21), "{args}: {got:?}");
        adds_up(&run);
        qaudjrn(&format!("decode {args}"), &[&damaged]).assert_output(3, &["damaged.stream", "are damaged"]);
    }
}

#[test]
fn garbage_between_records_is_parked_and_everything_around_it_is_sent() {
    let dir = folder();
    for (framing, skip, args) in [
        ("outfile", 0, "--input type5 --record-length 1500"),
        ("outfile", 0, ""),
        ("stream", 4, "--input type5 --input-framing stream"),
        ("stream", 4, ""),
    ] {
        let capture = make(&dir, "day", &format!("--count 40 --framing {framing}"));
        let mut bytes = fs::read(&capture.path).unwrap();
        let mut at = 0;
        for _ in 0..17 {
            at += match skip {
                0 => RECORD,
                _ => 4 + u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize,
            };
        }
        let at = at + skip;
        bytes[at..at + 600].fill(0x5A);
        let spoilt = write(&dir, "spoilt", &bytes);
        let run = replay(&format!("--format json {args}"), &[&spoilt]);
        run.assert_output(3, &["spoilt", &format!("offset {at}"), "parked", "the entry length in 5 EBCDIC digits"]);
        let s = adds_up(&run);
        assert_eq!((count(&s, "sent"), count(&s, "parked")), (39, 1));
        assert_eq!(sequences(&run), (1..=17).chain(19..=40).collect::<Vec<_>>());

        let run = qaudjrn(&format!("decode {args}"), &[&spoilt]);
        run.assert_output(3, &["spoilt", &format!("offset {at}"), "1 records are no journal entries"]);
        assert_eq!(run.lines().len(), 39);
    }
}

// ----------------------------------------------------------------------------------------------------- exit codes

#[test]
fn wrong_options_end_with_2_and_name_the_option() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 5");
    for (args, words) in [
        ("--format xml", &["--format", "cef"][..]),
        ("--ccsid 99", &["--ccsid 99", "the nearest is 37", "QCCSID"]),
        ("--types QQ", &["QQ"]),
        ("--types *SECURTY", &["*SECURTY", "*SECURITY"]),
        ("--since yesterday", &["--since", "2026-11-20"]),
        ("--to http://siem:514", &["http://siem:514", "tcp://HOST:PORT"]),
        ("--max-size 100", &["--max-size", "480"]),
        ("--rate fast", &["--rate"]),
        ("--cert a.pem --to tls://127.0.0.1:1", &["--key"]),
        ("--layouts /nowhere", &["/nowhere"]),
        ("--config /nowhere.toml", &["/nowhere.toml"]),
        ("--no-such-option", &["--no-such-option"]),
    ] {
        let run = qaudjrn(&format!("replay {args}"), &[&capture.path]);
        run.assert_output(2, words);
        assert_eq!(run.stdout, "", "{args}");
    }
    let config = write(&dir, "agent.toml", b"[filter]\ntypes.snd = [\"PW\"]\n");
    qaudjrn(&format!("replay --config {}", config.display()), &[&capture.path])
        .assert_output(2, &["agent.toml", "agent.toml:2:7", "snd", "send"]);
    finish(Command::new(executable())).assert_output(2, &["Usage"]);
}

#[test]
fn a_receiver_that_is_not_there_ends_with_1_and_its_address() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 5");
    let port = unused_port(); // closed again
    let to = format!("tcp://127.0.0.1:{port}");
    replay(&format!("--to {to}"), &[&capture.path]).assert_output(1, &[&format!("127.0.0.1:{port}"), "refused"]);
    replay("--to file:/nowhere/x", &[&capture.path]).assert_output(1, &["/nowhere/x"]);
}

#[test]
fn a_sequence_gap_is_told_and_ends_with_3_only_when_strict() {
    let dir = folder();
    let first = make(&dir, "first.type5", "--count 10");
    let later = make(&dir, "later.type5", "--count 10 --first-sequence 21");
    let next = make(&dir, "next.type5", "--count 10 --first-sequence 11");
    let gap = replay("", &[&first.path, &later.path]);
    gap.assert_output(0, &[]);
    let s = adds_up(&gap);
    assert_eq!((count(&s, "sequence_gaps"), count(&s, "sequence_numbers_missing")), (1, 10));
    replay("--strict", &[&first.path, &later.path]).assert_output(3, &[]);

    let whole = replay("--strict", &[&first.path, &next.path]);
    whole.assert_output(0, &[]);
    assert_eq!(count(&adds_up(&whole), "sequence_gaps"), 0);
    // Backwards is not well either, and a new receiver that begins at 1 is.
    replay("--strict", &[&next.path, &first.path]).assert_output(3, &[]);
    let new = make(&dir, "new.type5", "--count 10 --receiver AUDRCV0043");
    replay("--strict", &[&first.path, &new.path]).assert_output(0, &[]);
}

/// Starts the program on a pipe that stays open, and gives it the first bytes.
fn on_a_pipe(args: &str, bytes: &[u8]) -> (Child, std::process::ChildStdin) {
    let mut child = Command::new(executable())
        .args(args.split_whitespace())
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(bytes).unwrap();
    stdin.flush().unwrap();
    (child, stdin)
}

/// The first lines of a child, as far as they come in time.
fn first_lines(child: &mut Child, wanted: usize) -> Vec<String> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (to, from) = mpsc::channel();
    thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut lines = Vec::new();
    while lines.len() < wanted {
        match from.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => lines.push(line),
            Err(_) => break,
        }
    }
    lines
}

#[test]
fn lines_of_a_pipe_come_before_its_end() {
    let dir = folder();
    for (make_args, args) in [
        ("--framing stream", ""),
        ("--framing outfile", ""),
        ("--framing outfile", "--input type5 --record-length 1500"),
    ] {
        let capture = make(&dir, "day", &format!("--count 20 {make_args}"));
        let bytes = fs::read(&capture.path).unwrap();
        for command in ["replay", "decode"] {
            let (mut child, stdin) = on_a_pipe(&format!("{command} {args}"), &bytes);
            let lines = first_lines(&mut child, 20);
            assert_eq!(lines.len(), 20, "{command} {make_args} {args}: lines before the end of the pipe");
            drop(stdin);
            assert!(child.wait().unwrap().success());
        }
    }
}

#[test]
fn ctrl_c_on_a_silent_pipe_ends_with_130() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 20 --framing stream");
    let bytes = fs::read(&capture.path).unwrap();
    for signal in ["-INT", "-TERM"] {
        let (mut child, stdin) = on_a_pipe("replay --summary json", &bytes);
        assert_eq!(first_lines(&mut child, 20).len(), 20);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(60);
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > deadline => break None,
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        let _ = child.kill();
        let status = status.unwrap_or_else(|| panic!("it still runs 20 s after kill {signal}"));
        assert_eq!((status.code(), status.signal()), (Some(130), None), "{signal}");
        drop(stdin);
    }
}

#[test]
fn a_closed_pipe_is_no_error_and_nothing_is_said() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 2000 --repeat 5");
    for command in ["replay --summary none --timezone UTC", "decode", "decode --pretty"] {
        let mut shell = Command::new("bash");
        let line = format!("set -o pipefail; {} {command} {} | head -1", executable(), capture.path.display());
        shell.args(["-c", &line]);
        let run = finish(shell);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{command}");
        assert_eq!(run.lines().len(), 1);
    }
}

// --------------------------------------------------------------------------------------------------------- counts

#[test]
fn counts_add_up_with_every_kind_of_option() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 1500 --mix all --hostile --blanks --foreign --entdtalen 2000");
    let size = fs::metadata(&capture.path).unwrap().len();
    for args in [
        "",
        "--types PW,AF,CP-A",
        "--types *SECURITY --user BILL,QUSER",
        "--since 2026-11-20T08:05:00 --until 2026-11-20T08:20:00",
        "--types CD,ZC,CO --user QUSER --since 2026-11-20T08:05:00",
        "--user NOBODY",
        "--max-size 480 --detail full",
        "--detail full --include-guesses",
        "--header none",
        "--header rfc3164",
    ] {
        for format in ["syslog", "cef", "leef", "leef2", "json"] {
            let run = replay(&format!("--format {format} {args}"), &[&capture.path]);
            assert_eq!(run.code, 0, "{format} {args}: {}", run.stderr);
            let s = adds_up(&run);
            assert_eq!((count(&s, "read"), count(&s, "bytes_in")), (1500, size), "{format} {args}");
            let lines: Vec<&[u8]> = run.stdout.as_bytes().split_inclusive(|b| *b == b'\n').collect();
            assert_eq!(count(&s, "sent"), lines.len() as u64, "{format} {args}");
            assert_eq!(count(&s, "bytes_out"), (run.stdout.len() - lines.len()) as u64, "{format} {args}");
            let marked = lines.iter().filter(|l| String::from_utf8_lossy(l).contains("truncated")).count();
            assert!(count(&s, "truncated") <= marked as u64, "{format} {args}");
            let incomplete = lines.iter().filter(|l| String::from_utf8_lossy(l).contains("incomplete")).count();
            assert!(incomplete as u64 <= count(&s, "incomplete") + 1, "{format} {args}: {incomplete} of {s}");
        }
    }
}

#[test]
fn entries_cut_by_entdtalen_are_counted_as_incomplete() {
    let dir = folder();
    let capture = make(&dir, "day.type5", "--count 500 --mix all");
    let cut = capture.truth.iter().filter(|t| t["complete"] == false).count() as u64;
    assert!(cut > 100, "{cut}");
    let run = replay("", &[&capture.path]);
    assert_eq!(count(&adds_up(&run), "incomplete"), cut);
}

// ------------------------------------------------------------------------------------------------- older headings

#[test]
fn older_headings_ask_for_what_they_do_not_hold_and_work_with_it() {
    let dir = folder();
    let receiver = "--receiver AUDRCV0042";
    let date = "--date-format MDY";
    let system = "--system PROD01";
    for (heading, needed) in [
        ("type1", vec![system, receiver, date]),
        ("type2", vec![receiver, date]),
        ("type3", vec![receiver]),
        ("type4", vec![receiver]),
    ] {
        let capture = make(&dir, heading, &format!("--type {heading} --count 40"));
        let run = replay("", &[&capture.path]);
        let options: Vec<&str> = needed.iter().map(|o| o.split(' ').next().unwrap()).collect();
        run.assert_output(2, &options).assert_output(2, &[heading]);
        assert_eq!(run.stdout, "", "{heading}");
        for without in &needed {
            let rest: Vec<&str> = needed.iter().copied().filter(|o| o != without).collect();
            replay(&rest.join(" "), &[&capture.path]).assert_output(2, &[without.split(' ').next().unwrap()]);
        }
        let run = replay(&format!("--format json {}", needed.join(" ")), &[&capture.path]);
        run.assert_output(0, &[]);
        assert_eq!(sequences(&run), (1..=40).collect::<Vec<_>>(), "{heading}");
        for (line, truth) in run.lines().iter().zip(&capture.truth) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["entry_id"], format!("AUDRCV0042:{}", sequence(truth)), "{heading}");
            assert_eq!(line["system"], "PROD01", "{heading}");
            let time = match heading {
                "type1" | "type2" => {
                    let d = head(truth, "entry_date");
                    let t = format!("{:06}", truth["header"]["entry_time"].as_u64().unwrap());
                    format!("20{}-{}-{}T{}:{}:{}.000000Z", &d[4..], &d[..2], &d[2..4], &t[..2], &t[2..4], &t[4..])
                }
                _ => {
                    let t = head(truth, "entry_timestamp");
                    format!("{}T{}Z", &t[..10], t[11..].replacen('.', ":", 2))
                }
            };
            assert_eq!(line["time"], time, "{heading}");
        }
    }
}

#[test]
fn a_heading_without_an_effective_user_is_warned_about_and_counted() {
    let dir = folder();
    let capture = make(&dir, "old", "--type type1 --count 40");
    let given = "--receiver AUDRCV0042 --date-format MDY --system PROD01";
    let run = replay(given, &[&capture.path]);
    run.assert_output(0, &["*TYPE1", "no effective user"]);
    assert_eq!(count(&adds_up(&run), "without_effective_user"), 40);
    assert!(!run.stdout.contains("suser="), "the job user is not the effective user: {}", run.stdout);
    assert!(run.lines().iter().all(|l| l.contains("cs2Label=jobUser")));
    let text = qaudjrn(&format!("replay --timezone UTC {given}"), &[&capture.path]);
    text.assert_output(0, &["40 entries without an effective user"]);
}

#[test]
fn the_default_time_zone_is_warned_about() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 3 --start 2026-07-01T12:00:00");
    let warned = qaudjrn("replay", &[&capture.path]);
    warned.assert_output(0, &["--timezone", "UTC"]);
    let told = qaudjrn("replay --timezone Europe/Berlin", &[&capture.path]);
    assert!(!told.stderr.contains("--timezone"), "{}", told.stderr);
    assert!(
        told.lines()[0].contains("2026-07-01T12:00:0") && told.lines()[0].contains("+02:00"),
        "{}",
        told.lines()[0]
    );
}

// ------------------------------------------------------------------------------------------------------ selection

/// The sequence numbers of the truths that are wanted.
fn wanted(capture: &Made, wanted: impl Fn(&Value) -> bool) -> Vec<u64> {
    capture.truth.iter().filter(|t| wanted(t)).map(sequence).collect()
}

#[test]
fn selection_sends_exactly_what_the_truth_says() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 3000 --foreign --stories --seed 5");
    let check = |args: &str, expected: Vec<u64>| {
        let run = replay(&format!("--format json {args}"), &[&capture.path]);
        run.assert_output(0, &[]);
        assert!(!expected.is_empty() && expected.len() < 3000, "{args}: the capture proves nothing");
        assert_eq!(sequences(&run), expected, "{args}");
        adds_up(&run);
    };
    let audit = |t: &Value| head(t, "journal_code") == "T";
    let is = |t: &Value, types: &[&str]| audit(t) && types.contains(&event(t).0.as_str());
    check("--types PW,AF", wanted(&capture, |t| is(t, &["PW", "AF"])));
    check("--types pw", wanted(&capture, |t| is(t, &["PW"])));
    check("--types PW-P,CD", wanted(&capture, |t| is(t, &["CD"]) || is(t, &["PW"]) && event(t).1 == "P"));

    let by = |t: &Value, users: &[&str]| [head(t, "user_name"), head(t, "job_user")].iter().any(|u| users.contains(u));
    check("--user BILL", wanted(&capture, |t| by(t, &["BILL"])));
    check("--user bill,QUSER", wanted(&capture, |t| by(t, &["BILL", "QUSER"])));

    // The first microsecond is in, the last is out.
    let time = |n: usize| head(&capture.truth[n], "entry_timestamp").to_owned();
    let iso = |t: &str| format!("{}T{}", &t[..10], t[11..].replacen('.', ":", 2));
    let (from, to) = (time(700), time(1900));
    let within = |t: &Value| head(t, "entry_timestamp") >= from.as_str() && head(t, "entry_timestamp") < to.as_str();
    check(&format!("--since {} --until {}", iso(&from), iso(&to)), wanted(&capture, within));
    check(&format!("--since {}", iso(&from)), wanted(&capture, |t| head(t, "entry_timestamp") >= from.as_str()));
    check(&format!("--until {}Z", iso(&to)), wanted(&capture, |t| head(t, "entry_timestamp") < to.as_str()));
    check(
        &format!("--types CD,ZR --user BILL --since {}", iso(&from)),
        wanted(&capture, |t| is(t, &["CD", "ZR"]) && by(t, &["BILL"]) && head(t, "entry_timestamp") >= from.as_str()),
    );
}

#[test]
fn a_configuration_filters_and_names_the_lines() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 2000 --seed 6");
    let config = write(
        &dir,
        "agent.toml",
        b"[filter]\nprotect_audit_changes = false\ntypes.send = [\"PW\", \"AF\", \"CD\"]\ntypes.exclude = [\"AF-A\"]\n[line]\nvendor = \"ACME\"\n[severity]\nCD = 9\n",
    );
    let config = format!("--config {}", config.display());
    let sent = |t: &Value| match event(t) {
        (code, detail) if code == "AF" => detail != "A",
        (code, _) => code == "PW" || code == "CD",
    };
    let run = replay(&format!("--format json {config}"), &[&capture.path]);
    run.assert_output(0, &[]);
    assert_eq!(sequences(&run), wanted(&capture, sent));
    let s = adds_up(&run);
    let by_rule = s["filtered_by_rule"].as_array().unwrap();
    let rules: Vec<&str> = by_rule.iter().filter_map(|r| r["rule"].as_str()).collect();
    assert_eq!(rules, ["types.send", "types.exclude AF-A"]);
    assert_eq!((by_rule[0]["line"].as_u64(), by_rule[1]["line"].as_u64()), (Some(3), Some(4)));

    // What --types selects is taken from what the configuration sends.
    let run = replay(&format!("--format json {config} --types PW,ZR"), &[&capture.path]);
    assert_eq!(sequences(&run), wanted(&capture, |t| event(t).0 == "PW"));
    let run = replay(&format!("{config} --types CD"), &[&capture.path]);
    assert!(run.lines().iter().all(|l| l.contains("CEF:0|ACME|") && l.contains("|9|")), "{}", run.stdout);
}

// -------------------------------------------------------------------------------------------------------- outputs

#[test]
fn a_file_is_appended_to() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 30");
    let to = write(&dir, "out.cef", b"what was there\n");
    for times in 1..=2 {
        replay(&format!("--to file:{}", to.display()), &[&capture.path]).assert_output(0, &[]);
        let text = fs::read_to_string(&to).unwrap();
        assert!(text.starts_with("what was there\n") && text.ends_with('\n'));
        assert_eq!(text.lines().count(), 1 + 30 * times);
    }
}

#[test]
fn a_receiver_that_goes_away_ends_with_1_and_says_what_was_handed_over() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 2000 --repeat 20");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let receiver = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 100_000]).unwrap(); // and closes with the rest unread: a reset
    });
    let run = replay(&format!("--to tcp://127.0.0.1:{port}"), &[&capture.path]);
    receiver.join().unwrap();
    let s = adds_up(&run);
    let sent = count(&s, "sent");
    assert!(sent > 0 && sent < 40_000, "{s}");
    run.assert_output(
        1,
        &[&format!("tcp://127.0.0.1:{port}"), &format!("{sent} lines"), "send the whole capture again"],
    );
}

#[test]
fn a_slow_receiver_gets_every_line_before_the_program_ends() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 1000");
    for (framing, octets) in [("newline", false), ("octet", true)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // All that the systems between take is on the way, or the program has written everything and waits.
            let mut before = Vec::new();
            while before.is_empty() || unread(port) != before {
                before = unread(port);
                thread::sleep(Duration::from_millis(50));
            }
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            all
        });
        let run = replay(&format!("--to tcp://127.0.0.1:{port} --tcp-framing {framing}"), &[&capture.path]);
        run.assert_output(0, &[]);
        let all = String::from_utf8(receiver.join().unwrap()).unwrap();
        let mut lines = 0;
        let mut rest = all.as_str();
        while !rest.is_empty() {
            rest = if octets {
                let (length, line) = rest.split_once(' ').unwrap();
                &line[length.parse::<usize>().unwrap()..]
            } else {
                rest.split_once('\n').unwrap().1
            };
            lines += 1;
        }
        assert_eq!(lines, 1000, "{framing}");
    }
}

#[test]
fn udp_lines_are_one_datagram_of_at_most_2048_bytes() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 600 --mix all --hostile --entdtalen 16000");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let (done, ended) = mpsc::channel::<()>();
    let receiver = thread::spawn(move || {
        let mut datagrams = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            match socket.recv(&mut buffer) {
                Ok(n) => datagrams.push(buffer[..n].to_vec()),
                Err(_) if ended.try_recv().is_ok() => return datagrams,
                Err(_) => {}
            }
        }
    });
    let run = replay(&format!("--to udp://127.0.0.1:{port} --detail full --rate 1500/s"), &[&capture.path]);
    done.send(()).unwrap();
    let datagrams = receiver.join().unwrap();
    run.assert_output(0, &[]);
    let s = adds_up(&run);
    assert_eq!((count(&s, "sent"), datagrams.len()), (600, 600));
    assert_eq!(count(&s, "bytes_out"), datagrams.iter().map(|d| d.len() as u64).sum::<u64>());
    let longest = datagrams.iter().map(Vec::len).max().unwrap();
    assert!((1_500..=2_048).contains(&longest), "{longest}");
    assert!(datagrams.iter().all(|d| d.starts_with(b"<") && !d.contains(&b'\n')));
    let ids: BTreeSet<_> = datagrams.iter().map(|d| String::from_utf8(d.clone()).unwrap()).collect();
    assert_eq!(ids.len(), 600);
}

// --------------------------------------------------------------------------------------------------------- memory

/// Peak memory in KiB of a command, under an address space of 256 MiB: Python's own child accounting, taken by the
/// kernel when the child ends.
fn peak_memory(args: &[&str], stdin: Option<&Path>) -> u64 {
    const WRAPPER: &str = "import resource, subprocess, sys\n\
        stdin = open(sys.argv[1], 'rb') if sys.argv[1] else subprocess.DEVNULL\n\
        run = subprocess.run(sys.argv[2:], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n\
        sys.stderr.buffer.write(run.stderr)\n\
        print(run.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut command = Command::new("python3");
    command.args(["-c", WRAPPER]).arg(stdin.unwrap_or(Path::new("")));
    command.args(["prlimit", "--as=268435456", executable()]).args(args);
    let run = finish(command);
    let (code, kib) = run.stdout.trim().split_once(' ').unwrap();
    assert_eq!(code, "0", "{args:?}: {}", run.stderr);
    kib.parse().unwrap()
}

#[test]
fn a_hundred_thousand_entries_fit_in_64_mib_of_memory() {
    let dir = folder();
    let capture = make(&dir, "day", "--count 2000 --mix all --repeat 50");
    let path = capture.path.display().to_string();
    for args in [
        &["replay", "--timezone", "UTC", "--summary", "none", &path][..],
        &["replay", "--timezone", "UTC", "--summary", "none", "--format", "syslog", "--detail", "full", &path],
        &["replay", "--timezone", "UTC", "--summary", "none", "--types", "PW", &path],
        &["decode", &path],
        &["decode", "--pretty", "--sequence", "99999", &path],
    ] {
        let kib = peak_memory(args, None);
        assert!(kib <= 64 << 10, "{args:?}: {kib} KiB");
    }
    let kib = peak_memory(&["replay", "--summary", "none", "-"], Some(&capture.path));
    assert!(kib <= 64 << 10, "from standard input: {kib} KiB");
}
