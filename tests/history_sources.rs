//! History log files, exports of the log and retrieve buffers as sources of an agent: each file wholly, through kill -9 and restarts.

#[path = "history_sources/encodings.rs"]
mod encodings;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use harness::{
    agent::{Agent, Receiver, has_ids, ids, notices, signal},
    program::{folder, kept, qaudjrn, replay, tool},
};

const SOON: Duration = Duration::from_secs(120);

/// Messages or entries that are in a file: their sequence numbers.
fn expected(input: &str, path: &Path) -> BTreeSet<u64> {
    let run = replay(&format!("--input {input} --system S --format json"), &[path]);
    run.assert_output(0, &[]);
    ids(&run.stdout).into_keys().collect()
}

/// Files with `count` messages or entries each, by their kind. Nobody writes to them: all tests have the same ones.
fn made(count: u32, seed: u32) -> Vec<(&'static str, PathBuf)> {
    let names =
        [("qhst", "qhst"), ("history-csv", "csv"), ("history-json", "json"), (RJNE[0], RJNE[0]), (RJNE[1], RJNE[1])];
    let kept = kept(&format!("history sources {count} {seed}"), |folder| make(folder.path(), count, seed));
    names.map(|(kind, name)| (kind, kept.join(format!("{name}{seed}")))).into()
}

const RJNE: [&str; 2] = ["rjne0100", "rjne0200"];

fn make(folder: &Path, count: u32, seed: u32) {
    let path = |name: &str| folder.join(format!("{name}{seed}"));
    // Days that do not overlap.
    let args = format!(
        "--count {count} --seed {seed} --start 2026-11-{:02}T00:00:00 --csv {} --csv-style acs --json {} --json-style lines",
        seed + 1,
        path("csv").display(),
        path("json").display()
    );
    tool("make_qhst.py", &path("qhst"), &path("truth"), &args);
    for (n, format) in RJNE.into_iter().enumerate() {
        let first = (seed * 2 + u32::try_from(n).unwrap()) * 100_000 + 1;
        let args = format!(
            "--count {count} --seed {seed} --format {} --make=--first-sequence={first} --receiver-every 1000000",
            format.to_uppercase()
        );
        tool("make_rjne.py", &path(format), &path("truth"), &args);
    }
}

fn source(input: &str, rest: &str) -> String {
    format!("[[source]]\nname = \"in\"\ninput = \"{input}\"\nsystem = \"S\"\n{rest}\n")
}

/// A spool that is full soon: so that the file is read at the pace of the output, and an end comes in the middle of it.
const TIGHT: &str = "[spool]\nmax_size = \"17MiB\"\n";
/// The pace while it is to end in the middle: what is left then takes seconds, however busy the machine is.
const PACE: &str = "meter.events_per_second = 1200\n";

fn capture(input: &str, path: &Path, address: &str) -> String {
    let source = source(input, &format!("kind = \"capture\"\npath = \"{}\"", path.display()));
    format!(
        "{source}[[output]]\nname = \"a\"\naddress = \"{address}\"\nformat = \"json\"\n{PACE}resend_window.seconds = 1\n{TIGHT}"
    )
}

/// The rest as fast as it goes.
fn unpaced(agent: &Agent, text: &str) {
    agent.configure(&text.replace(PACE, ""));
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Records that each run of the agent has read, by its closing sums.
fn read(agent: &Agent) -> Vec<u64> {
    let log = agent.log();
    let sums = log.lines().filter_map(|l| l.split_once("source in: read ")?.1.split(' ').next());
    sums.map(|n| n.replace(',', "").parse().unwrap()).collect()
}

#[test]
fn n2_kill_9_in_the_middle_of_a_file_loses_nothing_whatever_its_kind() {
    for (input, path) in made(8_000, 1) {
        let want = expected(input, &path);
        assert_eq!(want.len(), 8_000, "{input}");
        let receiver = Receiver::start();
        let address = format!("tcp://127.0.0.1:{}", receiver.port);
        let text = capture(input, &path, &address);
        let agent = Agent::new(folder(), &text);
        for share in [10, 4, 2] {
            let mut child = agent.start();
            agent.wait("a part", SOON, || has_ids(&receiver.text(), want.len() / share));
            kill(&mut child);
        }
        unpaced(&agent, &text);
        agent.assert_exit(agent.start(), 0, SOON);
        let got: BTreeSet<u64> = ids(&receiver.text()).into_keys().collect();
        assert_eq!(got, want, "{input}: {}", agent.log());
        assert!(notices(&receiver.text(), "AGENT-GAP").is_empty(), "{input}: {}", agent.log());
        // Read to its end: nothing more of it comes.
        let before = receiver.text().len();
        agent.assert_exit(agent.start(), 0, SOON);
        assert_eq!(receiver.text().len(), before, "{input}");
    }
}

/// An agent that is stopped three times within its file of 8,000 messages sends each once.
fn stopped_three_times(agent: &Agent, input: &str, text: &str, want: &BTreeMap<u64, u32>) {
    for share in [10, 4, 2] {
        let child = agent.start();
        agent.wait("a part", SOON, || has_ids(&agent.read("out"), want.len() / share));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
    }
    unpaced(agent, text);
    agent.assert_exit(agent.start(), 0, SOON);
    // Stopped within the file, and each record read by one run.
    let read = read(agent);
    assert!(read.len() == 4 && read[0] < 8_000 && read.iter().sum::<u64>() == 8_000, "{input}: {read:?}");
    assert!(ids(&agent.read("out")) == *want, "{input}: {}", agent.log());
}

#[test]
fn n2_an_agent_that_is_stopped_in_the_middle_of_a_file_sends_each_message_once() {
    for (input, path) in made(8_000, 1) {
        let want: BTreeMap<u64, u32> = expected(input, &path).into_iter().map(|n| (n, 1)).collect();
        let text = capture(input, &path, "file:DIR/out");
        let agent = Agent::new(folder(), &text);
        stopped_three_times(&agent, input, &text, &want);
    }
}

#[test]
fn n2_an_agent_that_is_stopped_in_the_middle_of_a_file_of_a_folder_sends_each_message_once() {
    let files = folder();
    // Two large buffers: the first is read ahead as a whole.
    let (input, path) = ("rjne0200", files.path().join("buffers"));
    let args = "--count 12000 --seed 9 --format RJNE0200 --entries-per-buffer 8000 --receiver-every 1000000";
    tool("make_rjne.py", &path, &files.path().join("truth"), args);
    let want: BTreeMap<u64, u32> = expected(input, &path).into_iter().map(|n| (n, 1)).collect();
    let folder_of = "kind = \"directory\"\npath = \"drop\"\ncomplete = \"rename\"\nfollow = false";
    let text = capture(input, &path, "file:DIR/out");
    let text = text.replace(&format!("kind = \"capture\"\npath = \"{}\"", path.display()), folder_of);
    let agent = Agent::new(folder(), &text);
    fs::create_dir(agent.dir.path().join("drop")).unwrap();
    deliver(&agent, "day", &fs::read(&path).unwrap());
    // Several times within what is read ahead: each time there is one place more in the same bytes.
    for share in [10, 4, 3, 2] {
        let enough = (ids(&agent.read("out")).len() + 50).max(want.len() / share);
        let child = agent.start();
        agent.wait("a part", SOON, || has_ids(&agent.read("out"), enough));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
    }
    unpaced(&agent, &text);
    agent.assert_exit(agent.start(), 0, SOON);
    let read = read(&agent);
    assert!(read.len() == 5 && read[0] < 8_000 && read.iter().sum::<u64>() == 12_000, "{input}: {read:?}");
    assert!(ids(&agent.read("out")) == want, "{input}: {}", agent.log());
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "{input}: {}", agent.log());
}

#[test]
fn an_export_that_was_cut_off_is_a_gap_and_stays_where_it_is() {
    let made = made(50, 12);
    let whole = |input: &str| fs::read(&made.iter().find(|(i, _)| *i == input).unwrap().1).unwrap();
    let cut = |bytes: Vec<u8>, off: usize| bytes[..bytes.len() - off].to_vec();
    // Within the last row, and behind all its values: that may be how it ends.
    for (input, bytes, stays) in [
        ("history-csv", cut(whole("history-csv"), 15), true),
        ("history-json", cut(whole("history-json"), 15), true),
        ("history-csv", cut(whole("history-csv"), 1), false),
    ] {
        let agent = watching(input, "follow = false\nafter = \"delete\"");
        deliver(&agent, "day", &bytes);
        let drop = agent.dir.path().join("drop/day");
        for start in 1..3 {
            let code = if stays { 3 } else { 0 };
            agent.assert_exit(agent.start(), code, SOON);
            let gaps = notices(&agent.read("out"), "AGENT-GAP");
            assert_eq!(gaps.len(), usize::from(stays), "{input}, start {start}: {}", agent.log());
            assert!(gaps.iter().all(|g| g.to_string().contains("it ends within a row")), "{gaps:?}");
            assert_eq!(drop.exists(), stays, "{input}, start {start}: {}", agent.log());
        }
    }
}

/// An agent over the folder `drop`.
fn watching(input: &str, rest: &str) -> Agent {
    let dir = folder();
    fs::create_dir(dir.path().join("drop")).unwrap();
    let source = source(input, &format!("kind = \"directory\"\npath = \"drop\"\ncomplete = \"rename\"\n{rest}"));
    Agent::new(dir, &format!("{source}[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n"))
}

fn deliver(agent: &Agent, name: &str, bytes: &[u8]) {
    let drop = agent.dir.path().join("drop");
    fs::write(drop.join(format!("{name}.part")), bytes).unwrap();
    fs::rename(drop.join(format!("{name}.part")), drop.join(name)).unwrap();
}

#[test]
fn n2_kill_9_while_files_arrive_loses_nothing_and_sends_no_file_again() {
    let days: Vec<_> = (1..4).map(|seed| made(4_000, seed)).collect();
    let other = made(20, 4);
    for kind in 0..5 {
        let input = days[0][kind].0;
        let agent = watching(input, "follow = true");
        let mut want = BTreeSet::new();
        let mut child = agent.start();
        for (n, day) in days.iter().enumerate() {
            want.extend(expected(input, &day[kind].1));
            deliver(&agent, &format!("day{n}"), &fs::read(&day[kind].1).unwrap());
            // Before the file is looked at, when the first of it has arrived, and later.
            agent.wait("some of it", SOON, || has_ids(&agent.read("out"), 1_500 * n));
            kill(&mut child);
            child = agent.start();
        }
        agent.wait("everything", SOON, || has_ids(&agent.read("out"), want.len()));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        assert!(ids(&agent.read("out")).into_keys().eq(want.iter().copied()), "{input}");
        // Known again under other names, and after another start.
        let lines = agent.read("out").lines().count();
        for (n, day) in days.iter().enumerate() {
            deliver(&agent, &format!("again{n}"), &fs::read(&day[kind].1).unwrap());
        }
        // Files come in the order of their names: when this one has arrived, the others were looked at.
        let new = expected(input, &other[kind].1);
        deliver(&agent, "other", &fs::read(&other[kind].1).unwrap());
        let child = agent.start();
        agent.wait("the new one", SOON, || has_ids(&agent.read("out"), want.len() + new.len()));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        assert_eq!(agent.read("out").lines().count(), lines + new.len(), "{input}: {}", agent.log());
    }
}

#[test]
fn a_file_that_has_grown_goes_on_and_what_was_cut_off_in_it_is_read_again() {
    for (input, path) in made(300, 5) {
        let whole = fs::read(&path).unwrap();
        let want = expected(input, &path);
        let agent = watching(input, "follow = false");
        // Somewhere within a message; and between a quarter and the whole.
        for end in [whole.len() / 3 + 41, whole.len() / 2 + 7, whole.len()] {
            fs::write(agent.dir.path().join("drop/log"), &whole[..end]).unwrap();
            let mut child = agent.start();
            let code = child.wait().unwrap().code();
            assert!(matches!(code, Some(0 | 3)), "{input} {code:?}: {}", agent.log());
        }
        let out = agent.read("out");
        let got = ids(&out);
        assert!(got.keys().copied().eq(want.iter().copied()), "{input}: {}", agent.log());
        // Only a message of which a part was sent comes again.
        let twice: Vec<u64> = got.iter().filter(|(_, n)| **n > 1).map(|(id, _)| *id).collect();
        assert!(twice.len() <= if input == "qhst" { 2 } else { 0 }, "{input}: {twice:?} {}", agent.log());
        let alone = replay(&format!("--input {input} --system S --format json"), &[&path]);
        for line in alone.lines() {
            assert!(out.contains(line), "{input}: {line}");
        }
    }
}

#[test]
fn the_last_line_of_an_export_may_grow_though_it_has_all_its_values() {
    let agent = watching("history-csv", "follow = false");
    let text = "MESSAGE_ID,MESSAGE_TIMESTAMP,MESSAGE_TEXT\nCPF1124,2026-11-20 08:00:00,one\nCPF1124,2026-11-20 08:00:01,two and more\n";
    for end in [text.len() - 10, text.len() - 1, text.len()] {
        fs::write(agent.dir.path().join("drop/log"), &text[..end]).unwrap();
        agent.assert_exit(agent.start(), 0, SOON);
    }
    let out = agent.read("out");
    assert_eq!(ids(&out).into_values().collect::<Vec<_>>(), [1, 3], "{out}");
    assert!(out.lines().last().unwrap().contains("\"text\":\"two and more\""), "{out}");
}

#[test]
fn exports_that_only_begin_alike_keep_their_places_apart() {
    let agent = watching("history-json", "follow = false");
    let row = |n: u32| {
        format!(
            "{{\"MESSAGE_ID\":\"CPF1124\",\"MESSAGE_TIMESTAMP\":\"2026-11-20 08:00:00.{n:06}\",\"MESSAGE_TEXT\":\"number {n}\"}}"
        )
    };
    let export = |rows: u32| format!("[{}]", (0..rows).map(row).collect::<Vec<_>>().join(","));
    deliver(&agent, "a", export(100).as_bytes());
    deliver(&agent, "b", export(101).as_bytes());
    agent.assert_exit(agent.start(), 0, SOON);
    // The array ended: the second is another file.
    assert_eq!(agent.read("out").lines().count(), 201, "{}", agent.log());
    for _ in 0..2 {
        agent.assert_exit(agent.start(), 0, SOON);
        assert_eq!(agent.read("out").lines().count(), 201, "{}", agent.log());
    }
}

#[test]
fn damage_is_a_gap_or_a_parked_row_and_what_is_whole_comes_out() {
    let all = made(200, 6);
    for (input, path) in &all[..] {
        let mut bytes = fs::read(path).unwrap();
        let agent = watching(input, "follow = false");
        let parks = input.starts_with("history") || *input == "qhst";
        match *input {
            "history-csv" => {
                let line = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
                bytes.splice(line..line, b"\"CPF1124\";\"too few\"\r\n".iter().copied());
            }
            "history-json" => drop(bytes.splice(0..0, b"{\"MESSAGE_ID\":\"CPF1124\",\n".iter().copied())),
            "qhst" => {
                let at = bytes.len() / 142 / 2 * 142 + 8;
                bytes[at..at + 2].copy_from_slice(&[0x77, 0x77]);
            }
            _ => {
                let at = bytes.len() * 2 / 3;
                bytes.truncate(at);
            }
        }
        deliver(&agent, "1", &bytes);
        deliver(&agent, "2", b"this is something else, and longer than a record of a history log file has to be: 142 bytes, which are these and some more behind them. So.");
        // What is damaged was not sent: parked, or a file that is not whole.
        agent.assert_exit(agent.start(), 3, SOON);
        let (out, want) = (agent.read("out"), expected(input, path));
        let got = ids(&out);
        assert!(got.keys().all(|n| want.contains(n)), "{input}");
        let gaps: Vec<String> =
            notices(&out, "AGENT-GAP").iter().map(|g| g["missing"].as_str().unwrap().to_owned()).collect();
        if parks {
            // A number that is wrong may be of the first record of one message, and end the one before.
            let lost = if *input == "qhst" { 1..=2 } else { 0..=0 };
            assert!(lost.contains(&(want.len() - got.len())), "{input}: {} {}", got.len(), agent.log());
            assert!(agent.log().contains("drop/1") || agent.log().contains(": parked"), "{}", agent.log());
        } else {
            assert!(!got.is_empty() && got.len() < want.len(), "{input}: {}", got.len());
            assert!(
                gaps.iter().any(|g| g.contains("drop/1") && g.contains("the rest of this file is not read")),
                "{gaps:?}"
            );
        }
        // Text is no JSON either, row by row.
        if *input != "history-json" {
            let stays = |g: &String| g.contains("drop/2") && g.contains("stays where it is");
            assert!(gaps.iter().any(stays), "{input}: {gaps:?} {}", agent.log());
        }
    }
}

#[test]
fn keys_that_do_not_go_with_whole_files_are_errors_with_their_place() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    for (text, said) in [
        ("kind = \"capture\"\npath = \"x\"\ninput = \"qhst\"\n", "source.system is missing"),
        (
            "kind = \"capture\"\npath = \"x\"\ninput = \"history-csv\"\nsystem = \"S\"\nfollow = true\n",
            ":8:10: error: source.follow: the history log, its exports and retrieve buffers come as whole files",
        ),
        (
            "kind = \"capture\"\npath = \"x\"\ninput = \"rjne0200\"\nrecord_length = 1500\n",
            "source.record_length: only for records of DSPJRN",
        ),
        (
            "kind = \"directory\"\npath = \"x\"\ninput = \"history-json\"\nsystem = \"S\"\ninput_framing = \"fixed\"\n",
            "source.input_framing: only for",
        ),
        (
            "kind = \"stream\"\nlisten = \"unix:x\"\ninput = \"qhst\"\nsystem = \"S\"\n",
            "source.input: the history log, its exports and retrieve buffers are files",
        ),
        ("kind = \"capture\"\npath = \"x\"\ninput = \"csv\"\n", "expected \"type1\", \"type2\""),
    ] {
        let text = format!(
            "state_dir = \"s\"\n[[source]]\nname = \"a\"\n{text}[[output]]\nname = \"o\"\naddress = \"null\"\n"
        );
        fs::write(&config, text).unwrap();
        let run = qaudjrn(&format!("check --config {}", config.display()), &[]);
        assert!(run.code == 2 && run.stdout.contains(said), "{said}: {}{}", run.stdout, run.stderr);
    }
    for input in ["qhst", "history-csv", "history-json", "rjne0100", "rjne0200"] {
        for kind in ["capture", "directory"] {
            let text = format!(
                "state_dir = \"s\"\n{}[[output]]\nname = \"o\"\naddress = \"null\"\n",
                source(input, &format!("kind = \"{kind}\"\npath = \"x\""))
            );
            fs::write(&config, text).unwrap();
            qaudjrn(&format!("check --config {}", config.display()), &[]).assert_output(0, &[]);
        }
    }
}
