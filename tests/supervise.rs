//! What the agent does when something fails for a moment, hangs, or is asked while it starts: sources come back, ends come,
//! and what is not read is not called well.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use harness::{
    agent::{
        AS_SHIPPED, Agent, FOLLOWED, Receiver, SOURCE, capture, file, has_ids, ids, nothing_lost, notices, signal, tcp,
    },
    program::{folder, make, shim},
    unused_port,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn append(agent: &Agent, name: &str, args: &str) {
    let more = make(&agent.dir, name, args);
    let mut day = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    day.write_all(&fs::read(&more.path).unwrap()).unwrap();
}

/// The newest heartbeat in a file of an output.
fn beat(agent: &Agent, name: &str) -> Option<Value> {
    notices(&agent.read(name), "AGENT-HEARTBEAT").pop()
}

fn state(agent: &Agent, name: &str) -> String {
    beat(agent, name).map_or(String::new(), |b| b["state"].as_str().unwrap_or("").to_owned())
}

/// The severity of a heartbeat; JSON lines have it as a number or as a text.
fn severity(beat: &Value) -> u64 {
    beat["severity"].as_u64().or_else(|| beat["severity"].as_str()?.parse().ok()).expect("a severity")
}

fn metric(agent: &Agent, line: &str) -> bool {
    agent.read("state/metrics.prom").lines().any(|l| l == line)
}

/// An agent for which opening a file hangs until it is told otherwise.
fn start_hanging(agent: &Agent, path: &str) -> Child {
    let dir = agent.dir.path();
    let mut command = agent.command();
    command.env("LD_PRELOAD", shim("hang_shim")).env("HANG_PATH", path);
    command.env("HANG_UNTIL", dir.join("until")).env("HANG_SEEN", dir.join("seen"));
    command.spawn().unwrap()
}

#[test]
fn h5_a_followed_file_whose_path_fails_for_a_moment_is_read_on_and_says_so_meanwhile() {
    let dir = folder();
    capture(&dir, 40);
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{FOLLOWED}{}", file("a")));
    let child = agent.start();
    agent.wait("the capture", SOON, || ids(&agent.read("a")).len() == 40);
    let (day, real) = (agent.dir.path().join("day.type5"), agent.dir.path().join("real"));
    fs::rename(&day, &real).unwrap();
    symlink("day.type5", &day).unwrap();
    agent.wait("the failure", SOON, || agent.log().contains("it is tried again"));
    agent.wait("a heartbeat that says so", SOON, || state(&agent, "a").starts_with("failed, and tried again: "));
    agent.wait("its severity", SOON, || severity(&beat(&agent, "a").unwrap()) >= 7);
    fs::remove_file(&day).unwrap();
    fs::rename(&real, &day).unwrap();
    append(&agent, "more", "--count 20 --seed 5 --first-sequence 1000");
    // Tried at once, whatever the pause has grown to.
    signal(&child, "HUP");
    agent.wait("what came later", SOON, || ids(&agent.read("a")).len() == 60);
    agent.wait("a good heartbeat", SOON, || {
        state(&agent, "a") == "reading" && severity(&beat(&agent, "a").unwrap()) == 0
    });
    let log = agent.log();
    let failures: Vec<&str> = log.lines().filter(|l| l.contains("it is tried again")).collect();
    let different: std::collections::BTreeSet<&&str> = failures.iter().collect();
    assert_eq!(failures.len(), different.len(), "the same words once: {log}");
    assert!(agent.log().contains("it is read again"), "{}", agent.log());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn b1_a_source_that_is_wanted_again_before_it_has_ended_is_read_on() {
    let dir = folder();
    capture(&dir, 40);
    let other = "[[source]]\nname = \"other\"\npath = \"other.type5\"\nfollow = true\n";
    let with = format!("{FOLLOWED}{other}{}", file("a"));
    let agent = Agent::new(dir, &with);
    let child = agent.start();
    agent.wait("the capture", SOON, || ids(&agent.read("a")).len() == 40);
    // Often enough that it ends in time in some rounds, and not in others.
    for round in 1..=4 {
        for text in [format!("{other}{}", file("a")), with.clone()] {
            let before = agent.log().matches("was read again").count();
            agent.configure(&text);
            signal(&child, "HUP");
            agent.wait("the configuration", SOON, || agent.log().matches("was read again").count() > before);
        }
        append(&agent, &format!("more{round}"), &format!("--count 10 --seed 5 --first-sequence {}", round * 1_000));
        agent.wait("what came later", SOON, || ids(&agent.read("a")).len() == 40 + 10 * round);
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn b1_a_folder_that_is_none_for_a_moment_is_read_on() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 30 --seed 5");
    let source = "[[source]]\nname = \"prod01\"\nkind = \"directory\"\npath = \"in\"\ncomplete = \"rename\"\n";
    fs::write(dir.path().join("in"), "no folder").unwrap();
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{source}{}", file("a")));
    let child = agent.start();
    agent.wait("the failure", SOON, || agent.log().contains("it is tried again"));
    agent.wait("the metric", SOON, || metric(&agent, "qaudjrn_source_up{source=\"prod01\"} 0"));
    let folder = agent.dir.path().join("in");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::rename(&made.path, folder.join("day")).unwrap();
    agent.wait("the file", SOON, || ids(&agent.read("a")).len() == 30);
    agent.wait("the metric", SOON, || metric(&agent, "qaudjrn_source_up{source=\"prod01\"} 1"));
    // The folder goes away, and comes back.
    let away = agent.dir.path().join("away");
    fs::rename(&folder, &away).unwrap();
    agent.wait("the state", SOON, || state(&agent, "a").ends_with("in is not there"));
    fs::rename(&away, &folder).unwrap();
    agent.wait("the state", SOON, || state(&agent, "a") == "reading");
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn b1_a_source_that_failed_for_good_is_started_again_by_a_reload() {
    let dir = folder();
    let made = capture(&dir, 25);
    let once = SOURCE.replace("day.type5", "later.type5");
    // The other source keeps the agent alive.
    let other = FOLLOWED.replace("prod01", "prod02");
    let agent = Agent::new(dir, &format!("{once}{other}{}", file("a")));
    let child = agent.start();
    agent.wait("the failure", SOON, || agent.log().contains("source prod01: ") && ids(&agent.read("a")).len() == 25);
    let later = make(&agent.dir, "part", "--count 7 --seed 3 --system PROD09 --first-sequence 5000");
    fs::rename(&later.path, agent.dir.path().join("later.type5")).unwrap();
    signal(&child, "HUP");
    agent.wait("the file", SOON, || ids(&agent.read("a")).len() == made.truth.len() + 7);
    signal(&child, "TERM");
    // It is well again, and so is the agent.
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn b1_a_port_that_is_taken_is_listened_on_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let source = format!(
        "[[source]]\nname = \"prod01\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"tcp://127.0.0.1:{port}\"\n"
    );
    let agent = Agent::new(folder(), &format!("heartbeat = 1\n{source}{}", file("a")));
    let child = agent.start();
    agent.wait("the state", SOON, || state(&agent, "a").contains("listening on"));
    drop(taken);
    agent.wait("the port", SOON, || state(&agent, "a") == "listening");
    let sender = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    agent.wait("a sender", SOON, || state(&agent, "a") == "reading");
    drop(sender);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn b2_an_output_that_has_delivered_everything_is_started_again_when_a_source_is() {
    let dir = folder();
    capture(&dir, 50);
    let good = Receiver::start();
    let dead = tcp("dead", unused_port());
    let text = |source: &str| format!("{source}{}{dead}", tcp("good", good.port));
    let agent = Agent::new(dir, &text(SOURCE));
    let child = agent.start();
    agent.wait("the capture", SOON, || has_ids(&good.text(), 50));
    agent.wait("its end", SOON, || agent.log().contains("output dead: "));
    agent.configure(&text(FOLLOWED));
    signal(&child, "HUP");
    agent.wait("the reload", SOON, || agent.log().contains("was read again"));
    append(&agent, "more", "--count 30 --seed 5 --first-sequence 1000");
    agent.wait("what came later", SOON, || has_ids(&good.text(), 80));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    // Counted since the start of the agent, whatever was started again.
    assert!(agent.log().contains("source prod01: read 80 = "), "{}", agent.log());
}

#[test]
fn h6d_a_pipe_in_the_place_of_a_certificate_hangs_nothing() {
    let dir = folder();
    capture(&dir, 20);
    let (ca, port) = (dir.path().join("ca.pem"), unused_port());
    fs::write(&ca, "").unwrap();
    let tls = format!("[[output]]\nname = \"tls\"\naddress = \"tls://127.0.0.1:{port}\"\nca = \"ca.pem\"\n");
    let agent = Agent::new(dir, &format!("{FOLLOWED}{tls}{}", file("a")));
    let child = agent.start();
    agent.wait("the capture", SOON, || ids(&agent.read("a")).len() == 20);
    fs::remove_file(&ca).unwrap();
    mkfifo(&ca);
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    signal(&child, "HUP");
    agent.wait("what is wrong", SOON, || agent.log().contains("expected a file, found a named pipe"));
    append(&agent, "more", "--count 5 --seed 5 --first-sequence 1000");
    agent.wait("what came later", SOON, || ids(&agent.read("a")).len() == 25);
    signal(&child, "HUP");
    agent.wait("another reload", SOON, || agent.log().matches("was read again").count() == 2);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn h6_a_pipe_in_the_place_of_the_configuration_or_of_a_preset_hangs_no_reload() {
    let dir = folder();
    capture(&dir, 20);
    let preset = dir.path().join("mine.toml");
    fs::write(&preset, "users.exclude = [\"NOBODY\"]\n").unwrap();
    let text = format!("filter.presets = [\"./mine.toml\"]\n{FOLLOWED}{}", file("a"));
    let agent = Agent::new(dir, &text);
    let child = agent.start();
    agent.wait("the capture", SOON, || ids(&agent.read("a")).len() == 20);
    let whole = fs::read(&agent.config).unwrap();
    for (n, path) in [&preset, &agent.config].into_iter().enumerate() {
        fs::remove_file(path).unwrap();
        mkfifo(path);
        signal(&child, "HUP");
        agent.wait("what is wrong", SOON, || agent.log().matches("expected a file, found a named pipe").count() > n);
        fs::remove_file(path).unwrap();
        fs::write(&preset, "").unwrap();
    }
    fs::write(&agent.config, whole).unwrap();
    signal(&child, "HUP");
    agent.wait("the reload", SOON, || agent.log().contains("was read again"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn h14_signals_while_the_agent_starts_do_not_end_it_unless_that_is_what_they_ask_for() {
    let dir = folder();
    let made = capture(&dir, 20);
    let agent = Agent::new(dir, &format!("{SOURCE}{}", file("a")));
    let child = start_hanging(&agent, "/spool.db");
    let seen = agent.dir.path().join("seen");
    agent.wait("the start", SOON, || seen.exists());
    signal(&child, "HUP");
    signal(&child, "USR1");
    agent.wait("its state", SOON, || agent.log().contains("the agent starts"));
    fs::write(agent.dir.path().join("until"), "").unwrap();
    agent.wait("the reload", SOON, || agent.log().contains("was read again"));
    agent.assert_exit(child, 0, SOON);
    nothing_lost(&made, &ids(&agent.read("a")));
    // A wish to stop is obeyed there and then.
    fs::remove_file(agent.dir.path().join("until")).unwrap();
    fs::remove_file(&seen).unwrap();
    let child = start_hanging(&agent, "/spool.db");
    agent.wait("the start", SOON, || seen.exists());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
    assert!(agent.log().contains("stopped while it started"), "{}", agent.log());
}

#[test]
fn n7_sigusr1_writes_the_state_to_the_log_and_ends_nothing() {
    let dir = folder();
    capture(&dir, 30);
    let agent = Agent::new(dir, &format!("{FOLLOWED}{}", file("a")));
    let child = agent.start();
    agent.wait("the capture", SOON, || ids(&agent.read("a")).len() == 30);
    signal(&child, "USR1");
    agent.wait("the state", SOON, || agent.log().contains("status: output a: "));
    let log = agent.log();
    assert!(
        log.contains("status: source prod01: reading; read 30, filtered 0, parked 0, refused 0, spooled 30, gaps 0"),
        "{log}"
    );
    append(&agent, "more", "--count 5 --seed 5 --first-sequence 1000");
    agent.wait("what came later", SOON, || ids(&agent.read("a")).len() == 35);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn c3_an_agent_ends_in_its_time_and_says_what_hangs() {
    let dir = folder();
    capture(&dir, 10);
    let agent = Agent::new(dir, &format!("{FOLLOWED}{}", file("a")));
    agent.configure(&format!("{FOLLOWED}{}", file("a")).replace("day.type5", "hung.type5"));
    let text = fs::read_to_string(&agent.config).unwrap().replace("stop_timeout = 5", "stop_timeout = 1");
    fs::write(&agent.config, text).unwrap();
    fs::rename(agent.dir.path().join("day.type5"), agent.dir.path().join("hung.type5")).unwrap();
    let child = start_hanging(&agent, "/hung.type5");
    let seen = agent.dir.path().join("seen");
    agent.wait("the source to hang", SOON, || seen.exists());
    signal(&child, "TERM");
    agent.assert_exit(child, 1, Duration::from_secs(20));
    assert!(agent.log().contains("does not come to its end: source prod01;"), "{}", agent.log());
}

#[test]
fn f01_a_file_that_is_not_there_and_a_system_that_is_not_reached_are_not_called_read() {
    let dir = folder();
    fs::write(dir.path().join("pw"), "secret\n").unwrap();
    let private = Command::new("chmod").arg("600").arg(dir.path().join("pw")).status().unwrap();
    assert!(private.success());
    let live = format!(
        "[[source]]\nname = \"live\"\nkind = \"mapepire\"\naddress = \"127.0.0.1:{}\"\nuser = \"QAUDLOG\"\npassword = \"pw\"\npin = \"sha256:{}\"\n",
        unused_port(),
        "0".repeat(64)
    );
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{live}{FOLLOWED}{}", file("a")));
    let child = agent.start();
    let newest = |source: &str| {
        notices(&agent.read("a"), "AGENT-HEARTBEAT").into_iter().rfind(|b| b["source"] == source).unwrap_or_default()
    };
    let lag = |source: &str| newest(source)["lag_seconds"].as_str().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    agent.wait("a lag that grows", SOON, || lag("live") >= 2 && lag("prod01") >= 2);
    assert!(newest("live")["state"].as_str().unwrap().starts_with("not reached: "), "{}", newest("live"));
    assert!(newest("prod01")["state"].as_str().unwrap().ends_with("day.type5 is not there"), "{}", newest("prod01"));
    assert!(!agent.read("a").contains("\"state\":\"reading\""), "never, from the first heartbeat on");
    for source in ["live", "prod01"] {
        assert!(severity(&newest(source)) >= 7, "{}", newest(source));
        agent.wait("the metric", SOON, || metric(&agent, &format!("qaudjrn_source_up{{source=\"{source}\"}} 0")));
    }
    capture(&agent.dir, 10);
    agent.wait("the file", SOON, || newest("prod01")["state"] == "reading" && lag("prod01") == 0);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

/// A Mapepire server on standard input and output that misbehaves, as `python3 -c` runs it.
fn misbehaving(mode: &str, call_timeout: u32) -> String {
    let text = r#"
import json, sys
mode = sys.argv[1]
def out(o):
    sys.stdout.write(json.dumps(o) + chr(10)); sys.stdout.flush()
for line in sys.stdin:
    q = json.loads(line); i = q.get('id'); sql = q.get('sql', '')
    if q.get('type') == 'connect':
        if mode == 'refused': out(dict(id=i, success=False, error='[CPF22E3] User profile QAUDLOG is disabled.')); continue
        if mode == 'later': out(dict(id=i, success=False, error='the database server is not started', sql_state='08001')); continue
        if mode == 'unknown': out(dict(id=i, success=False, error='no login')); continue
        while mode == 'wrongid': out(dict(id='zzz', success=True))
        out(dict(id=i, success=True, job='1/QUSER/QZDA')); continue
    if mode == 'flood': out(dict(id=i, success=True, data=[['X' * 1000]] * 1000, is_done=False)); continue
    if mode == 'empty': out(dict(id=i, success=True, data=[], is_done=False)); continue
    out(dict(id=i, success=True, data=[], is_done=True))
"#;
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!(
        "[[source]]\nname = \"s\"\nkind = \"mapepire\"\ncommand = [\"python3\", \"-c\", \"{text}\", \"{mode}\"]\nfrom = \"oldest\"\ntimezone = \"UTC\"\ncall_timeout = {call_timeout}\n"
    )
}

#[test]
fn h7_a_server_whose_answers_never_end_costs_one_call_and_obeys_the_stop() {
    for (mode, words) in [
        ("wrongid", &["no answer within 2 s", "answer something else"][..]),
        ("flood", &["no answer within 2 s", "goes on behind"][..]),
        ("empty", &["never comes to an end"][..]),
    ] {
        let agent = Agent::new(folder(), &format!("heartbeat = 1\n{}{}", misbehaving(mode, 2), file("a")));
        let child = agent.start();
        agent.wait("the end of the call", SOON, || words.iter().any(|w| agent.log().contains(w)));
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|n| n.trim().strip_suffix(" kB"));
        assert!(peak.is_none_or(|n| n.parse::<u64>().unwrap() < 400 << 10), "{mode}: {peak:?}");
        agent.wait("the state", SOON, || state(&agent, "a").starts_with("not reached: "));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, Duration::from_secs(20));
    }
}

#[test]
fn b5_logins_that_fail_are_sorted_by_what_they_say() {
    for (mode, words, again) in [
        ("refused", "it is not tried again, because three refusals disable the profile", false),
        ("later", "no login at present: the database server is not started", true),
        ("unknown", "it is tried again in 15 minutes, 1 of 3", false),
    ] {
        let agent = Agent::new(folder(), &format!("heartbeat = 1\n{}{}", misbehaving(mode, 30), file("a")));
        let child = agent.start();
        agent.wait("the reason", SOON, || agent.log().contains(words));
        agent.wait("the state", SOON, || {
            let state = state(&agent, "a");
            state.starts_with("not reached: ") || state.starts_with("stopped: ")
        });
        assert_eq!(state(&agent, "a").starts_with("stopped: "), mode == "refused", "{}", state(&agent, "a"));
        assert_eq!(agent.log().contains("; it is tried again\n"), again, "{}", agent.log());
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
    }
}

#[test]
fn n3_numbers_that_are_missing_are_one_gap_with_their_range_in_run_and_in_replay() {
    let dir = folder();
    let one = make(&dir, "one", "--count 50 --seed 5");
    let two = make(&dir, "two", "--count 50 --seed 6 --first-sequence 151");
    let mut day = fs::read(&one.path).unwrap();
    day.extend(fs::read(&two.path).unwrap());
    let day_path = dir.path().join("day.type5");
    fs::write(&day_path, day).unwrap();
    let agent = Agent::new(dir, &format!("{AS_SHIPPED}{SOURCE}{}", file("a")));
    let strict = |code| agent.assert_exit(agent.command().arg("--strict").spawn().unwrap(), code, SOON);
    strict(3);
    let gaps = notices(&agent.read("a"), "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let missing = gaps[0]["missing"].as_str().unwrap();
    assert!(missing.starts_with("entries 51 to 150 of receiver "), "{missing}");
    assert_eq!(gaps[0]["missing_entries"], "100");
    assert!(agent.log().contains(missing), "{}", agent.log());
    assert!(agent.log().contains("gaps 1, entries missing 100"), "{}", agent.log());
    assert!(metric(&agent, "qaudjrn_source_missing_entries_total{source=\"prod01\"} 100"));
    let replayed = harness::program::replay("--strict", &[&day_path]);
    replayed.assert_output(3, &[missing]);
    assert_eq!(replayed.summary()["sequence_numbers_missing"], 100);
    assert_eq!(replayed.summary()["gaps"][0], missing);
    // Where holes are normal, they are so in both.
    fs::remove_dir_all(agent.dir.path().join("state")).unwrap();
    agent.configure(&format!("{AS_SHIPPED}gaps = \"receivers\"\n{SOURCE}{}", file("b")));
    strict(0);
    assert!(notices(&agent.read("b"), "AGENT-GAP").is_empty());
    harness::program::replay(&format!("--strict --config {}", agent.config.display()), &[&day_path])
        .assert_output(0, &[]);
}

#[test]
fn agent_start_stop_and_configuration_are_events_at_every_output() {
    let dir = folder();
    capture(&dir, 20);
    let text = |more: &str| format!("{AS_SHIPPED}{more}{FOLLOWED}{}{}", file("a"), file("b"));
    let agent = Agent::new(dir, &text(""));
    let child = agent.start();
    agent.wait("the capture", SOON, || ids(&agent.read("a")).len() == 20);
    agent.configure(&text("heartbeat = 600\n"));
    signal(&child, "HUP");
    agent.wait("the configuration", SOON, || notices(&agent.read("b"), "AGENT-CONFIG").len() == 1);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    for name in ["a", "b"] {
        let of = |id: &str| notices(&agent.read(name), id);
        let ([start], [config], [stop]) = (&of("AGENT-START")[..], &of("AGENT-CONFIG")[..], &of("AGENT-STOP")[..])
        else {
            panic!("{}", agent.read(name));
        };
        assert_eq!(start["configuration"], config["configuration_before"]);
        assert_ne!(config["configuration"], config["configuration_before"]);
        assert_eq!(config["configuration"], stop["configuration"]);
        assert_eq!(stop["reason"], "it was told to stop");
        assert_eq!(config["configuration"].as_str().unwrap().len(), 64);
    }
    let lines = agent.read("a");
    let place = |id: &str| lines.lines().position(|l| l.contains(id)).unwrap();
    assert!(place("AGENT-START") == 0 && place("AGENT-STOP") == lines.lines().count() - 1, "{lines}");
    // They can be left out.
    agent.configure(&format!("{AS_SHIPPED}agent_events = false\n{SOURCE}{}", file("c")));
    agent.assert_exit(agent.start(), 0, SOON);
    assert!(!agent.read("c").contains("AGENT-START"));
}

#[test]
fn a_preset_that_says_something_else_is_another_configuration_though_its_hash_is_the_same() {
    let dir = folder();
    capture(&dir, 20);
    let preset = dir.path().join("ours.toml");
    fs::write(&preset, "types.exclude = [\"SF\"]\n").unwrap();
    let text = format!("{AS_SHIPPED}{FOLLOWED}{}filter.presets = [\"ours.toml\"]\n", file("a"));
    let agent = Agent::new(dir, &text);
    let child = agent.start();
    agent.wait("the capture", SOON, || !ids(&agent.read("a")).is_empty());
    // Nothing is another: nothing is told.
    signal(&child, "HUP");
    agent.wait("the same configuration", SOON, || agent.log().contains("was read again"));
    fs::write(&preset, "types.exclude = [\"SF\", \"PW\"]\n").unwrap();
    signal(&child, "HUP");
    agent.wait("another", SOON, || !notices(&agent.read("a"), "AGENT-CONFIG").is_empty());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let told = notices(&agent.read("a"), "AGENT-CONFIG");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["configuration"], told[0]["configuration_before"]);
}

#[test]
fn h17_a_clock_before_1970_ends_nothing() {
    let dir = folder();
    let made = capture(&dir, 20);
    fs::write(dir.path().join("clock"), "-3000000000").unwrap();
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{SOURCE}{}", file("a")));
    let mut command = agent.command();
    command.env("LD_PRELOAD", shim("clock_shim")).env("CLOCK_SHIM", agent.dir.path().join("clock"));
    agent.assert_exit(command.spawn().unwrap(), 0, SOON);
    nothing_lost(&made, &ids(&agent.read("a")));
}
