//! The control socket: a running agent is asked how it is and told what to do, and whoever does that never harms it.
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use harness::{
    agent::{
        AS_SHIPPED, Agent, FOLLOWED, Receiver, SOURCE, capture, file, has_ids, ids, nothing_lost, notices, signal, tcp,
    },
    program::{executable, folder, make},
    unused_port,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);

fn ask(agent: &Agent, args: &[&str]) -> Output {
    let mut command = Command::new(executable());
    command.args(&args[..1]).arg("--config").arg(&agent.config).args(&args[1..]);
    command.stdin(Stdio::null()).output().unwrap()
}

/// Asks and expects an exit code; what it printed, and what it said.
#[track_caller]
fn asked(agent: &Agent, args: &[&str], code: i32) -> (String, String) {
    let out = ask(agent, args);
    let texts = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert_eq!(out.status.code(), Some(code), "{args:?}: {texts:?}: {}", agent.log());
    texts
}

fn status(agent: &Agent) -> Value {
    serde_json::from_slice(&ask(agent, &["status", "--json"]).stdout).unwrap_or_default()
}

fn output<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["outputs"].as_array().unwrap().iter().find(|o| o["name"] == name).unwrap()
}

fn socket(agent: &Agent) -> PathBuf {
    agent.dir.path().join("state/control.sock")
}

/// Starts it and waits until it answers.
fn start(agent: &Agent) -> Child {
    let child = agent.start();
    agent.wait("an answer", SOON, || ask(agent, &["status"]).status.code() != Some(1));
    child
}

#[test]
fn an_output_that_is_paused_gets_nothing_and_everything_when_it_goes_on() {
    let dir = folder();
    let made = capture(&dir, 300);
    let receiver = Receiver::start();
    let agent = Agent::new(dir, &format!("{AS_SHIPPED}{FOLLOWED}{}{}", file("all"), tcp("siem", receiver.port)));
    let child = start(&agent);
    agent.wait("all lines", SOON, || has_ids(&agent.read("all"), 300) && has_ids(&receiver.text(), 300));
    let (said, _) = asked(&agent, &["pause", "siem"], 0);
    assert!(said.starts_with("output siem is paused: "), "{said}");
    assert_eq!(asked(&agent, &["pause", "siem"], 0).0, "output siem was paused already\n");
    let more = make(&agent.dir, "more", "--count 200 --seed 9 --first-sequence 301");
    let mut day = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    day.write_all(&fs::read(&more.path).unwrap()).unwrap();
    agent.wait("the lines of the other output", SOON, || has_ids(&agent.read("all"), 500));
    let (text, _) = asked(&agent, &["status"], 3);
    assert!(text.starts_with("something is wrong: output siem is paused\n"), "{text}");
    assert!(text.contains("output siem: paused for "), "{text}");
    let now = status(&agent);
    assert!(output(&now, "siem")["waiting"].as_u64().unwrap() >= 200, "{now}");
    assert_eq!(ids(&receiver.text()).len(), 300);
    // To wait for it is in vain, and that is said.
    let (said, _) = asked(&agent, &["flush", "--timeout", "2"], 3);
    assert!(said.contains("output siem: 20") && !said.contains("output all"), "{said}");
    assert_eq!(asked(&agent, &["resume", "siem"], 0).0, "output siem goes on\n");
    assert_eq!(asked(&agent, &["resume", "siem"], 0).0, "output siem was not paused\n");
    agent.wait("the rest", SOON, || has_ids(&receiver.text(), 500));
    assert!(made.truth.iter().all(|t| ids(&receiver.text()).contains_key(&harness::program::sequence(t))));
    // Every output hears who did that.
    let told = notices(&agent.read("all"), "AGENT-CONFIG");
    let reasons: Vec<&str> = told.iter().filter_map(|n| n["reason"].as_str()).collect();
    assert!(reasons.len() == 2 && reasons[0].starts_with("output siem was paused by user id "), "{told:?}");
    let (_, said) = asked(&agent, &["pause", "sien"], 2);
    assert!(said.contains("no output has the name sien; there are: all, siem"), "{said}");
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(!socket(&agent).exists());
}

#[test]
fn an_agent_does_not_come_to_its_end_while_an_output_is_paused_and_stops_when_told() {
    let dir = folder();
    let port = unused_port();
    let made = capture(&dir, 100);
    let agent = Agent::new(dir, &format!("{SOURCE}{}{}", file("all"), tcp("siem", port)));
    let child = start(&agent);
    asked(&agent, &["pause", "siem"], 0);
    agent.wait("the lines of the other output", SOON, || has_ids(&agent.read("all"), 100));
    asked(&agent, &["flush", "--output", "all"], 0);
    // It would have ended by now.
    asked(&agent, &["status"], 3);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    // A pause ends with the agent: the next one delivers.
    let receiver = Receiver::start();
    agent.configure(&format!("{SOURCE}{}{}", file("all"), tcp("siem", receiver.port)));
    let child = start(&agent);
    agent.assert_exit(child, 0, SOON);
    nothing_lost(&made, &ids(&receiver.text()));
}

#[test]
fn a_flush_tries_at_once_what_failed_and_waits_until_it_is_delivered() {
    let dir = folder();
    let made = capture(&dir, 100);
    let port = unused_port();
    let agent = Agent::new(dir, &format!("{FOLLOWED}{}", tcp("siem", port)));
    let child = start(&agent);
    // Tries are seconds apart by then.
    agent.wait("a long pause", SOON, || output(&status(&agent), "siem")["next_try_seconds"].as_u64() >= Some(3));
    let now = status(&agent);
    assert!(now["wrong"][0].as_str().unwrap().contains("output siem is not connected"), "{now}");
    assert!(output(&now, "siem")["last_error"].as_str().unwrap().contains("refused"), "{now}");
    let receiver = Receiver::start_on(port);
    asked(&agent, &["flush"], 0);
    nothing_lost(&made, &ids(&receiver.text()));
    let (text, _) = asked(&agent, &["status"], 0);
    assert!(
        text.starts_with("all is well\n")
            && text.contains("output siem: connected for ")
            && text.contains(&format!(" (tcp://127.0.0.1:{port})")),
        "{text}"
    );
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn a_reload_says_whether_the_configuration_is_in_force_or_why_not() {
    let dir = folder();
    capture(&dir, 100);
    let good = format!("{FOLLOWED}{}", file("one"));
    let agent = Agent::new(dir, &good);
    let child = start(&agent);
    let before = status(&agent)["configuration"].as_str().unwrap().to_owned();
    agent.configure(&format!("{good}{}", file("two")));
    let (said, _) = asked(&agent, &["reload"], 0);
    let now = status(&agent);
    let hash = now["configuration"].as_str().unwrap();
    assert!(said.starts_with(&format!("the configuration is in force: {hash}")) && before != hash, "{said}: {now}");
    assert_eq!(output(&now, "two")["name"], "two");
    agent.wait("lines of the new output's own", SOON, || output(&status(&agent), "two")["state"] == "connected");
    let wrong = [
        (format!("{good}[broken"), "this is not TOML"),
        (format!("{good}[[output]]\nname = \"x\"\n"), "address is missing"),
        (good.replace("follow = true", "follow = true\nzone = 7"), "unknown key source.zone"),
    ];
    for (text, says) in wrong {
        agent.configure(&text);
        let (_, said) = asked(&agent, &["reload"], 2);
        assert!(said.contains(says) && said.contains("the new configuration is refused, the old one stays"), "{said}");
        assert_eq!(status(&agent)["configuration"], *hash);
        // The old one stays, and that is not well.
        agent.wait("a word of that", SOON, || {
            let out = ask(&agent, &["status"]);
            let says = "a new configuration was refused";
            out.status.code() == Some(3) && String::from_utf8_lossy(&out.stdout).contains(says)
        });
    }
    fs::write(&agent.config, fs::read_to_string(&agent.config).unwrap().replace("\"state\"", "\"other\"")).unwrap();
    let mut command = Command::new(executable());
    let out = command.args(["reload", "--socket"]).arg(socket(&agent)).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let (_, said) = asked(&agent, &["reload"], 1);
    assert!(said.contains("no agent listens there"), "{said}");
}

#[test]
fn a_tap_shows_lines_of_its_output_and_takes_none() {
    let dir = folder();
    let made = capture(&dir, 3_000);
    let slow = file("out") + "meter = { events_per_second = 500 }\n";
    let agent = Agent::new(dir, &format!("{FOLLOWED}{slow}"));
    let child = start(&agent);
    let (lines, _) = asked(&agent, &["tap", "--output", "out", "--limit", "50"], 0);
    assert_eq!(lines.lines().count(), 50);
    let (other, _) = asked(&agent, &["tap", "--output", "out", "--limit", "5", "--filter", "\"event_id\":\"CD-C\""], 0);
    assert!(other.lines().count() == 5 && other.lines().all(|l| l.contains("\"event_id\":\"CD-C\"")), "{other}");
    let (_, said) = asked(&agent, &["tap", "--output", "in"], 2);
    assert!(said.contains("no output has the name in; there are: out"), "{said}");
    agent.wait("the rest", SOON, || has_ids(&agent.read("out"), 3_000));
    let all = agent.read("out");
    assert!(lines.lines().chain(other.lines()).all(|l| all.contains(l)), "a tap shows what is sent");
    nothing_lost(&made, &ids(&all));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn who_asks_and_reads_nothing_or_asks_nonsense_does_no_harm() {
    let dir = folder();
    let made = capture(&dir, 20_000);
    let receiver = Receiver::start();
    let agent = Agent::new(dir, &format!("{FOLLOWED}{}", tcp("siem", receiver.port)));
    let child = start(&agent);
    let connect = || UnixStream::connect(socket(&agent)).unwrap();
    // Ones that look and never read, and one that says half a request.
    let silent: Vec<UnixStream> = (0..6)
        .map(|n| {
            let mut stream = connect();
            let request = if n == 0 { "{\"ask\":" } else { "{\"ask\":\"tap\",\"output\":\"siem\"}\n" };
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let answer_to = |request: &[u8]| {
        let mut stream = connect();
        stream.write_all(request).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answers = String::new();
        let _ = stream.read_to_string(&mut answers);
        answers
    };
    for nonsense in
        [&b"\n"[..], b"\xff\xfe\x00\n", b"{\"ask\":\"status\",\"and\":1}\n", b"GET / HTTP/1.0\r\n", b"[[[[\n"]
    {
        assert!(answer_to(nonsense).contains("known are status, reload"), "{nonsense:?}");
    }
    assert!(answer_to(&vec![b'['; 10_000]).contains("a request is a line of at most 4096 bytes"));
    assert_eq!(answer_to(b"{\"ask\":\"status\"}"), answer_to(b""), "half a request is none");
    // Several on one connection are answered in their order.
    let mut stream = connect();
    stream.write_all(b"{\"ask\":\"resume\",\"output\":\"siem\"}\n{\"ask\":\"status\"}\n").unwrap();
    let answers: Vec<String> = BufReader::new(stream).lines().take(2).map(Result::unwrap).collect();
    assert!(answers[0].contains("\"done\"") && answers[1].contains("\"status\""), "{answers:?}");
    agent.wait("all lines", SOON * 2, || has_ids(&receiver.text(), 20_000));
    nothing_lost(&made, &ids(&receiver.text()));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    drop(silent);
}

#[test]
fn the_socket_is_for_its_owner_and_is_found_wherever_it_is() {
    let dir = folder();
    capture(&dir, 10);
    let runtime = folder();
    let text = format!("{FOLLOWED}{}", file("out"));
    let agent = Agent::new(dir, &text);
    let mut child = start(&agent);
    assert_eq!(fs::metadata(socket(&agent)).unwrap().mode() & 0o7777, 0o600);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(socket(&agent).exists(), "killed, it leaves its socket");
    let (_, said) = asked(&agent, &["status"], 1);
    assert!(said.contains("no agent listens there"), "{said}");
    // Under a service manager the socket is elsewhere, and commands without its environment find it.
    let child = agent.command().env("RUNTIME_DIRECTORY", runtime.path()).spawn().unwrap();
    agent.wait("an answer", SOON, || ask(&agent, &["status"]).status.code() != Some(1));
    assert!(fs::symlink_metadata(socket(&agent)).unwrap().is_symlink());
    assert!(runtime.path().join("control.sock").exists());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(fs::symlink_metadata(socket(&agent)).is_err() && !runtime.path().join("control.sock").exists());
    // Another place counts from the next start, and a reload says so.
    let child = start(&agent);
    agent.configure(&format!("{text}[control]\nsocket = \"DIR/s\"\n"));
    signal(&child, "HUP");
    agent.wait_for_log("[control] says something else: that counts from the next start", SOON);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    // By its path, and not at all.
    let long = "x".repeat(120);
    agent.configure(&format!("{text}[control]\nsocket = \"DIR/s\"\n"));
    let child = start(&agent);
    assert!(agent.dir.path().join("s").exists());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    agent.configure(&format!("{text}[control]\nsocket = \"DIR/{long}\"\n"));
    let (said, _) = asked(&agent, &["check"], 2);
    assert!(said.contains("bytes too long for a Unix socket: give a shorter one"), "{said}");
    agent.configure(&format!("{text}[control]\nenabled = false\n"));
    let child = agent.start();
    agent.wait("lines", SOON, || has_ids(&agent.read("out"), 10));
    let (_, said) = asked(&agent, &["status"], 2);
    assert!(said.contains("[control] says enabled = false"), "{said}");
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn the_log_says_more_or_less_from_the_next_message_on() {
    let dir = folder();
    capture(&dir, 10);
    let text = format!("{FOLLOWED}{}", file("out"));
    let agent = Agent::new(dir, &text);
    let child = start(&agent);
    asked(&agent, &["log-level", "error"], 0);
    asked(&agent, &["reload"], 0);
    assert!(!agent.log().contains("was read again"), "{}", agent.log());
    asked(&agent, &["log-level", "info"], 0);
    asked(&agent, &["reload"], 0);
    agent.wait_for_log("the configuration was read again", SOON);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn top_draws_a_running_agent_on_a_terminal_and_says_when_it_is_gone() {
    let dir = folder();
    capture(&dir, 100);
    let agent = Agent::new(dir, &format!("{FOLLOWED}{}", file("out")));
    let child = start(&agent);
    let (_, said) = asked(&agent, &["top"], 2);
    assert!(said.contains("standard output is none: use `qaudjrn status`"), "{said}");
    // script(1) is a terminal of 80 columns for it.
    let command =
        format!("stty cols 80 rows 24; exec {} top --no-color --config {}", executable(), agent.config.display());
    let mut top = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = top.stdout.take().unwrap();
    let mut drawn = Vec::new();
    let mut draws = |text: &str| {
        let mut part = [0; 4096];
        while memchr::memmem::find(&drawn, text.as_bytes()).is_none() {
            let n = screen.read(&mut part).unwrap();
            assert!(n > 0, "{text} is not drawn: {}", String::from_utf8_lossy(&drawn));
            drawn.extend_from_slice(&part[..n]);
        }
    };
    // Blanks are not drawn where there are blanks.
    draws("well");
    draws("prod01");
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    draws("ANSWER");
    top.stdin.take().unwrap().write_all(b"q").unwrap();
    assert_eq!(top.wait().unwrap().code(), Some(0));
}
