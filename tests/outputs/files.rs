//! Files that lines are appended to: full disks, torn lines, permissions, rotation, names of something else.
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{SOON, sums};
use harness::{
    agent::{Agent, FOLLOWED, SOURCE, capture, file, ids, nothing_lost, signal},
    program::{folder, make, qaudjrn, replay, shim},
};

/// Every line is whole: JSON from its first byte to its last.
#[track_caller]
fn whole_lines(text: &str) {
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

fn append(agent: &Agent, name: &str, args: &str) {
    let more = make(&agent.dir, name, args);
    let mut day = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    day.write_all(&fs::read(&more.path).unwrap()).unwrap();
}

#[test]
fn a4_a_disk_that_is_full_within_a_line_leaves_no_half_line_and_loses_none() {
    let dir = folder();
    let made = capture(&dir, 3_000);
    let out = dir.path().join("small");
    fs::create_dir(&out).unwrap();
    let agent = Agent::new(
        dir,
        &format!("heartbeat = 0\n{SOURCE}{}", file("small/a").replace("name = \"small/a\"", "name = \"a\"")),
    );
    // A file system of some pages in the place of the folder, which grows when the log says that it is full.
    let script = format!(
        "mount -t tmpfs -o size=200k none '{0}' && '{1}' run --config '{2}' & sleep 0.1; \
         until grep -q 'No space left' '{3}'; do sleep 0.05; done; cp '{0}/a' '{3}.full'; mount -o remount,size=100m '{0}'; wait; cp '{0}/a' '{3}.out'",
        out.display(),
        harness::program::executable(),
        agent.config.display(),
        agent.dir.path().join("log").display()
    );
    let log = fs::OpenOptions::new().create(true).append(true).open(agent.dir.path().join("log")).unwrap();
    let mut child = Command::new("timeout")
        .args(["100", "unshare", "-m", "--propagation", "private", "sh", "-c", &script])
        .current_dir(agent.dir.path())
        .stderr(log)
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success(), "{}", agent.log());
    whole_lines(&agent.read("log.full"));
    whole_lines(&agent.read("log.out"));
    nothing_lost(&made, &ids(&agent.read("log.out")));
    assert_eq!(sums(&agent, "a")("sent"), 3_000, "{}", agent.log());
}

#[test]
fn h15_a_line_torn_by_kill_9_is_ended_before_the_next_and_files_are_private() {
    let dir = folder();
    let made = capture(&dir, 100);
    let path = dir.path().join("a");
    fs::write(&path, "{\"torn\":").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{SOURCE}{}{}", file("a"), file("new")));
    agent.assert_exit(agent.start(), 0, SOON);
    let text = agent.read("a");
    let (torn, rest) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"torn\":");
    whole_lines(rest);
    assert_eq!(nothing_lost(&made, &ids(rest)), 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&agent.dir.path().join("new"))), (0o640, 0o600));
    // Those of the commands too, whatever the umask.
    let (lines, stream) = (agent.dir.path().join("lines"), agent.dir.path().join("stream"));
    fs::write(&lines, "half").unwrap();
    let day = agent.dir.path().join("day.type5");
    let run = replay(&format!("--format json --to file:{}", lines.display()), &[&day]);
    run.assert_output(0, &[]);
    assert!(fs::read_to_string(&lines).unwrap().starts_with("half\n{"));
    let script = format!(
        "umask 0; '{}' spool export --config '{}' --to '{}'",
        harness::program::executable(),
        agent.config.display(),
        stream.display()
    );
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    assert_eq!(mode(&stream), 0o600);
}

#[test]
fn a5_lines_are_on_the_disk_before_the_spool_forgets_them() {
    let dir = folder();
    let made = capture(&dir, 300);
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}{}", file("a")));
    // No sync of the file succeeds before there is room.
    let room = agent.dir.path().join("room");
    let mut command = agent.command();
    command.env("LD_PRELOAD", shim("fault_shim")).env("FAULT_DIR", agent.dir.path().join("a"));
    command.env("FAULT_CALLS", "sync").env("FAULT_HOW", "eio").env("FAULT_AT", "1").env("FAULT_UNTIL", &room);
    let child = command.spawn().unwrap();
    agent.wait("a failed sync", SOON, || agent.log().contains("Input/output error"));
    assert!(agent.log().contains("events will be sent again"), "{}", agent.log());
    fs::write(&room, "").unwrap();
    agent.wait("the file again", SOON, || agent.log().contains("output a: connected again"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    agent.assert_exit(agent_until_end(&agent), 0, SOON);
    nothing_lost(&made, &ids(&agent.read("a")));
}

/// The same agent, until everything is delivered.
fn agent_until_end(agent: &Agent) -> std::process::Child {
    agent.configure(&format!("heartbeat = 0\n{SOURCE}{}", file("a")));
    agent.start()
}

#[test]
fn n1_a_file_that_is_rotated_is_begun_anew_and_nothing_is_in_neither() {
    let dir = folder();
    capture(&dir, 500);
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}{}", file("a")));
    let child = agent.start();
    agent.wait("the first", SOON, || ids(&agent.read("a")).len() == 500);
    let (path, old) = (agent.dir.path().join("a"), agent.dir.path().join("a.1"));
    fs::rename(&path, &old).unwrap();
    // What gzip leaves of it.
    let archive = fs::read_to_string(&old).unwrap();
    fs::remove_file(&old).unwrap();
    append(&agent, "more", "--count 100 --seed 9 --first-sequence 1000");
    agent.wait("the others in a new file", SOON, || ids(&agent.read("a")).len() == 100);
    assert_eq!(ids(&archive).len(), 500);
    agent.wait("a word of it", SOON, || agent.log().contains("the file went by another name: it is begun anew"));
    // Without any event, too: the old file is let go, and the new one is there.
    fs::rename(&path, &old).unwrap();
    signal(&child, "HUP");
    agent.wait("the file", SOON, || path.exists());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert_eq!(sums(&agent, "a")("sent"), 600, "{}", agent.log());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn h6_a_fifo_in_the_place_of_a_file_holds_up_nobody_and_no_stop() {
    let dir = folder();
    let made = capture(&dir, 100);
    assert!(Command::new("mkfifo").arg(dir.path().join("fifo")).status().unwrap().success());
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{SOURCE}{}{}", file("fifo"), file("good")));
    let child = agent.start();
    agent.wait("a word of it", SOON, || agent.log().contains("fifo: a FIFO (named pipe): expected a regular file"));
    agent.wait("the other output", SOON, || ids(&agent.read("good")).len() == 100);
    let began = Instant::now();
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // A file that takes its place gets everything.
    fs::remove_file(agent.dir.path().join("fifo")).unwrap();
    agent.assert_exit(agent.start(), 0, SOON);
    nothing_lost(&made, &ids(&agent.read("fifo")));
}

#[test]
fn n1_lines_to_a_device_count_as_written() {
    let dir = folder();
    capture(&dir, 50);
    let output = "[[output]]\nname = \"a\"\naddress = \"file:/dev/null\"\nformat = \"json\"\n";
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}{output}"));
    let child = agent.start();
    let waiting = || {
        let shown = qaudjrn("spool status --json --config", &[&agent.config]).stdout;
        let status: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
        let read = status["sources"][0]["sequence"].as_u64().is_some_and(|n| n > 0);
        status["outputs"][0]["waiting"].as_u64().filter(|_| read)
    };
    agent.wait("the cursor", SOON, || waiting() == Some(0));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}
