//! A disk that fails: full, unable to sync, gone; and a program that ends at any moment of its writing. Whatever happens, every
//! event reaches every output at least once, the start never fails for long, and the log says what was wrong.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command},
    sync::OnceLock,
    time::Duration,
};

use harness::{
    agent::{Agent, Receiver, SOURCE, capture, has_ids, ids, nothing_lost, signal},
    program::{Made, executable, folder},
    unused_port,
};

const SOON: Duration = Duration::from_secs(60);

/// How many of the moments are tried: some in CI, all with QAUDJRN_FAULTS=all.
fn moments(count: u64, some: u64) -> Vec<u64> {
    let all = std::env::var("QAUDJRN_FAULTS").is_ok_and(|v| v == "all");
    let step = if all { 1 } else { (count / some).max(1) };
    // The first ones are those of the start; the others are spread, by another offset each day of the capture.
    (1..=count).filter(|n| *n <= 3 || n % step == step / 2).collect()
}

fn shim() -> &'static PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| harness::program::shim("fault_shim"))
}

struct Run {
    agent: Agent,
    made: Made,
}

/// A short run: 300 entries in one batch or two, two outputs.
fn short() -> Run {
    let dir = folder();
    let made = capture(&dir, 300);
    let output =
        |name: &str| format!("[[output]]\nname = \"{name}\"\naddress = \"file:DIR/{name}\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{SOURCE}{}{}", output("a"), output("b")));
    Run { agent, made }
}

impl Run {
    fn start(&self, calls: &str, how: &str, at: u64) -> Child {
        let dir = self.agent.dir.path();
        let mut command = self.agent.command();
        command.env("LD_PRELOAD", shim()).env("FAULT_DIR", dir.join("state")).env("FAULT_CALLS", calls);
        command.env("FAULT_HOW", how).env("FAULT_AT", at.to_string()).env("FAULT_COUNT", dir.join("count"));
        if how == "enospc" {
            command.env("FAULT_UNTIL", dir.join("room"));
        }
        command.spawn().unwrap()
    }

    /// How many such calls a run without faults makes.
    fn count(calls: &str) -> u64 {
        let run = short();
        run.agent.assert_exit(run.start(calls, "count", 0), 0, SOON);
        let count = run.agent.read("count").parse().unwrap();
        assert!(count > 5, "the library sees nothing: {count}");
        count
    }

    /// Starts it without faults, and looks whether everything arrived.
    #[track_caller]
    fn recovers(&self, what: &str) {
        self.agent.assert_exit(self.agent.start(), 0, SOON);
        self.all_is_there(what);
    }

    #[track_caller]
    fn all_is_there(&self, what: &str) {
        for output in ["a", "b"] {
            let got = ids(&self.agent.read(output));
            let missing = self.made.truth.len() - got.len();
            assert!(missing == 0, "{what}, output {output}: {missing} are missing: {}", self.agent.log());
            nothing_lost(&self.made, &got);
        }
        assert!(!self.agent.log().contains("panicked"), "{what}: {}", self.agent.log());
    }
}

fn code(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

#[test]
fn n2_fault_17_an_end_at_any_write_sync_or_rename_loses_nothing() {
    let count = Run::count("all");
    for (n, at) in moments(count, 16).into_iter().enumerate() {
        let how = if n % 2 == 0 { "before" } else { "after" };
        let run = short();
        let ended = code(run.start("all", how, at));
        assert!([Some(137), Some(0)].contains(&ended), "call {at} of {count}: {ended:?}: {}", run.agent.log());
        run.recovers(&format!("ended {how} call {at} of {count}"));
    }
}

#[test]
fn n2_fault_12_a_disk_that_is_full_from_any_write_on_is_waited_for_and_everything_is_delivered_when_there_is_room() {
    let count = Run::count("write");
    for at in moments(count, 8) {
        let run = short();
        let mut child = run.start("write", "enospc", at);
        // It says what is wrong, or has ended: without a database it cannot start, and behind its last write it is done.
        let said = || {
            ["not read until there is room", "cursors stay", "disk is full", "No space"]
                .iter()
                .any(|w| run.agent.log().contains(w))
        };
        let end = std::time::Instant::now() + SOON;
        let mut ended = None;
        while !said() && ended.is_none() {
            assert!(std::time::Instant::now() < end, "write {at} of {count}: it says nothing: {}", run.agent.log());
            ended = child.try_wait().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::write(run.agent.dir.path().join("room"), "").unwrap();
        let status = child.wait().unwrap().code();
        assert!([Some(0), Some(1)].contains(&status), "write {at}: {status:?}: {}", run.agent.log());
        run.recovers(&format!("full from write {at} of {count} on"));
    }
}

#[test]
fn n2_fault_13_a_sync_that_fails_moves_no_position_past_what_is_not_on_the_disk() {
    let count = Run::count("sync");
    for at in moments(count, 10) {
        let run = short();
        let status = code(run.start("sync", "eio", at));
        assert!([Some(0), Some(1)].contains(&status), "sync {at} of {count}: {status:?}: {}", run.agent.log());
        run.recovers(&format!("sync {at} of {count} failed"));
    }
}

#[track_caller]
fn needs_root() {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&id).trim(), "0", "this test mounts a small file system: run it as root");
}

#[test]
fn n2_fault_12_a_file_system_that_is_really_full_stops_the_source_and_empties_again() {
    needs_root();
    let dir = folder();
    let made = capture(&dir, 40_000);
    let port = unused_port();
    let output = format!("[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &format!("{SOURCE}{output}"));
    let state = agent.dir.path().join("state");
    fs::create_dir(&state).unwrap();
    // 22 MiB: the reserve, and room for some batches.
    let script = format!(
        "mount -t tmpfs -o size=22m tmpfs '{}' && exec '{program}' run --config '{}'",
        state.display(),
        agent.config.display(),
        program = executable()
    );
    let mut command = agent.command();
    let log = fs::OpenOptions::new().append(true).open(agent.dir.path().join("log")).unwrap();
    command = {
        let _ = command;
        Command::new("unshare")
    };
    command.args(["-m", "--propagation", "private", "sh", "-c", &script]).stderr(log);
    let child = command.spawn().unwrap();
    agent.wait("a full disk", SOON, || agent.log().contains("not read until there is room: the spool"));
    assert!(agent.log().contains("disk is full"), "{}", agent.log());
    let receiver = Receiver::start_on(port);
    agent.assert_exit(child, 0, Duration::from_secs(120));
    agent.wait("everything", SOON, || has_ids(&receiver.text(), made.truth.len()));
    nothing_lost(&made, &ids(&receiver.text()));
    assert!(agent.log().contains("reading goes on"), "{}", agent.log());
}

#[test]
fn n2_fault_18_a_database_that_is_taken_away_ends_the_agent_and_the_next_start_loses_nothing() {
    for how in ["removed", "renamed", "replaced"] {
        let dir = folder();
        let made = capture(&dir, 2_000);
        let port = unused_port();
        let output =
            |address: &str| format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"{address}\"\nformat = \"json\"\n");
        let agent = Agent::new(dir, &output(&format!("tcp://127.0.0.1:{port}")));
        let child = agent.start();
        agent.wait("the output's try", SOON, || agent.log().contains("cannot connect"));
        agent.waits("a", 2_000, SOON);
        let database = agent.dir.path().join("state/spool.db");
        match how {
            "removed" => fs::remove_file(&database).unwrap(),
            "renamed" => fs::rename(&database, database.with_extension("away")).unwrap(),
            _ => {
                fs::remove_file(&database).unwrap();
                fs::write(&database, "something else").unwrap();
            }
        }
        agent.assert_exit(child, 1, SOON);
        assert!(agent.log().contains("was taken away or replaced while it was in use"), "{how}: {}", agent.log());
        agent.configure(&output("file:DIR/out"));
        // Where it is known that there was one, it is told, also what the source gives again.
        let code = agent.start().wait().unwrap().code();
        assert!([Some(0), Some(3)].contains(&code), "{how}: {code:?}: {}", agent.log());
        nothing_lost(&made, &ids(&agent.read("out")));
    }
}

#[test]
fn n2_fault_18_a_state_that_becomes_read_only_is_told_and_nothing_is_lost() {
    needs_root();
    let dir = folder();
    let made = capture(&dir, 500);
    let output = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";
    let agent = Agent::new(dir, &format!("{SOURCE}{output}"));
    let path = agent.dir.path().to_owned();
    fs::create_dir(path.join("state")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs '{0}/state' && '{program}' run --config '{0}/agent.toml' && mount -o remount,ro '{0}/state' && cp '{0}/day.type5' '{0}/more' && cat '{0}/more' >> '{0}/day.type5'; '{program}' run --config '{0}/agent.toml'; echo ended with $? >&2",
        path.display(),
        program = executable()
    );
    let log = fs::OpenOptions::new().create(true).append(true).open(path.join("log")).unwrap();
    let mut child = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", &script])
        .stderr(log)
        .spawn()
        .unwrap();
    child.wait().unwrap();
    let log = agent.log();
    assert!(log.contains("Read-only file system") && log.contains("ended with 1"), "{log}");
    nothing_lost(&made, &ids(&agent.read("out")));
}

#[test]
fn n2_fault_19_sigterm_under_load_with_the_output_down_ends_in_time_with_everything_in_the_spool() {
    let dir = folder();
    let made = capture(&dir, 30_000);
    let port = unused_port();
    let output =
        |address: &str| format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"{address}\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &output(&format!("tcp://127.0.0.1:{port}")));
    let child = agent.start();
    agent.wait("the start", SOON, || agent.log().contains("cannot connect"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
    let log = agent.log();
    let number = |after: &str| -> u64 {
        let rest = log.split(after).nth(1).unwrap_or_default();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(u64::MAX)
    };
    assert_eq!(number("+ spooled "), number(", waiting "), "{log}");
    agent.configure(&output("file:DIR/out"));
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!(nothing_lost(&made, &ids(&agent.read("out"))), 0);
}
