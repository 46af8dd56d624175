//! A disk that fails an agent while it starts, with a healthy spool that holds what nobody else has any more: records that a sender
//! was told are safe. Full, unreadable, without descriptors, without permission, locked by another program: none of these is damage.
//! Nothing is renamed, set aside, cut or deleted; the agent waits and says so, or ends with an error; when the fault is gone,
//! everything is delivered.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use harness::{
    agent::{Agent, Receiver, ids, nothing_lost, signal},
    program::{Made, executable, folder, make},
    unused_port,
};

const SOON: Duration = Duration::from_secs(60);
/// What a start may take that is refused: SQLite waits ten seconds for another program.
const REFUSED: Duration = Duration::from_secs(40);

fn shim() -> &'static PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| harness::program::shim("fault_shim"))
}

/// A state with undelivered batches, and nobody who runs on it.
struct Kept {
    agent: Agent,
    made: Made,
    port: u16,
    /// The files that have to outlive the fault.
    files: Vec<PathBuf>,
}

/// What the agent did while the fault lasted.
enum Then {
    Waits(Child),
    Ended,
}

impl Kept {
    /// Records that a sender was told are on the disk; the agent was killed (then the write-ahead log holds them) or stopped.
    fn new(killed: bool) -> Kept {
        let dir = folder();
        let made = make(&dir, "day.stream", "--count 400 --seed 23 --framing stream --entdtalen 400");
        let port = unused_port();
        let text = format!(
            "heartbeat = 0\n[[source]]\nname = \"prod01\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"unix:DIR/sock\"\n\
             [[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n"
        );
        let agent = Agent::new(dir, &text);
        let mut child = agent.start();
        let socket = agent.dir.path().join("sock");
        agent.wait("the socket", SOON, || socket.exists());
        let tool = harness::root().join("tests/tools/stream_sender.py");
        let to = format!("unix:{}", socket.display());
        let sent = Command::new("python3").arg(tool).arg(&made.path).arg(to).stdout(Stdio::null()).status().unwrap();
        assert!(sent.success(), "everything is acknowledged");
        if killed {
            child.kill().unwrap();
            child.wait().unwrap();
            fs::remove_file(&socket).unwrap();
        } else {
            signal(&child, "TERM");
            agent.assert_exit(child, 0, SOON);
        }
        let mut kept = Kept { agent, made, port, files: Vec::new() };
        // A position file comes and goes by itself only behind an output.
        kept.files =
            kept.names().into_iter().filter(|p| p.ends_with("spool.db") || p.ends_with("spool.db-wal")).collect();
        assert!(!kept.files.is_empty());
        kept
    }

    fn names(&self) -> Vec<PathBuf> {
        let mut names: Vec<_> = fs::read_dir(self.state()).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names
    }

    fn state(&self) -> PathBuf {
        self.agent.dir.path().join("state")
    }

    fn until(&self) -> PathBuf {
        self.agent.dir.path().join("room")
    }

    /// The agent, with a disk that fails it from the call `at` on.
    fn command(&self, fault: &Fault, at: u64) -> Command {
        let mut command = self.agent.command();
        command.env("LD_PRELOAD", shim()).env("FAULT_DIR", self.state()).env("FAULT_UNTIL", self.until());
        command.env("FAULT_CALLS", fault.calls).env("FAULT_HOW", fault.how).env("FAULT_NAME", fault.name);
        command.env("FAULT_AT", at.to_string()).env("FAULT_SEEN", self.agent.dir.path().join("seen"));
        command
    }

    /// Starts the agent and waits until it has ended with an error, or has said something of its trouble and goes on.
    #[track_caller]
    fn starts(&self, mut command: Command, what: &str, words: &[&str]) -> Then {
        let before = self.agent.log().len();
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + REFUSED;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(1), "{what}: it ends with an error: {}", self.agent.log());
                return Then::Ended;
            }
            let log = self.agent.log();
            if words.iter().any(|w| log[before..].contains(w)) {
                return Then::Waits(child);
            }
            if Instant::now() > end {
                let _ = child.kill();
                panic!("{what}: it neither ends nor says anything: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nothing of the state is under another name, gone or cut.
    #[track_caller]
    fn is_untouched(&self, what: &str) {
        let names = self.names();
        let log = self.agent.log();
        assert!(!names.iter().any(|n| n.to_string_lossy().contains("aside")), "{what}: {names:?}: {log}");
        assert!(!log.contains("set aside"), "{what}: {log}");
        assert!(!log.contains("panicked"), "{what}: {log}");
        let database = self.state().join("spool.db");
        assert!(database.exists(), "{what}: the database is gone: {log}");
        // Both together hold the batches; a log that was written back may be shorter or gone.
        let size = |p: &PathBuf| fs::metadata(p).map_or(0, |m| m.len());
        assert!(self.files.iter().map(size).sum::<u64>() >= 16_384, "{what}: the database is empty: {names:?}: {log}");
    }

    /// The fault is gone: everything arrives, from this run or from the next.
    #[track_caller]
    fn recovers(self, what: &str, then: Then) {
        fs::write(self.until(), "").unwrap();
        let receiver = Receiver::start_on(self.port);
        let mut child = match then {
            Then::Waits(child) => child,
            Then::Ended => self.agent.start(),
        };
        let end = Instant::now() + SOON;
        let got = || -> BTreeMap<u64, u32> { ids(&receiver.text()) };
        while got().len() < self.made.truth.len() {
            // One that waited may end when a thing failed that it cannot do again; the next start goes on.
            if child.try_wait().unwrap().is_some() {
                child = self.agent.start();
            }
            assert!(Instant::now() < end, "{what}: {} arrived: {}", got().len(), self.agent.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        signal(&child, "TERM");
        child.wait().unwrap();
        nothing_lost(&self.made, &got());
        self.is_untouched(what);
    }
}

/// Which calls fail, and how.
struct Fault {
    calls: &'static str,
    how: &'static str,
    /// Files of the state.
    name: &'static str,
    /// What the log says of it, one of them.
    words: &'static [&'static str],
}

const DATABASE: &str = "spool.db*";

fn fault(calls: &'static str, how: &'static str, name: &'static str, words: &'static [&'static str]) -> Fault {
    Fault { calls, how, name, words }
}

/// Starts the agent on such a disk until it waits, or three times where it ends.
#[track_caller]
fn survives(fault: &Fault, at: u64, killed: bool) {
    let what = format!("{} of {} with {} from call {at} on", fault.calls, fault.name, fault.how);
    let kept = Kept::new(killed);
    let mut then = Then::Ended;
    for _ in 0..3 {
        then = kept.starts(kept.command(fault, at), &what, fault.words);
        assert!(kept.agent.dir.path().join("seen").exists(), "{what}: no call failed: {}", kept.agent.log());
        kept.is_untouched(&what);
        if matches!(then, Then::Waits(_)) {
            break;
        }
    }
    kept.recovers(&what, then);
}

/// SQLite calls what it cannot write beside the database an I/O error, whatever the reason.
const FULL: &[&str] = &["disk is full", "No space", "no room", "quota", "disk I/O error"];

#[test]
fn h1_a_disk_that_is_full_at_the_start_gives_up_no_acknowledged_record() {
    for (how, killed) in [("enospc", true), ("enospc", false), ("edquot", true)] {
        survives(&fault("write,truncate", how, "*", FULL), 1, killed);
    }
}

#[test]
fn h1_a_disk_that_fills_up_at_any_write_of_the_start_gives_up_no_acknowledged_record() {
    for at in [2, 3, 5, 8] {
        let kept = Kept::new(at % 2 == 0);
        let full = fault("write,truncate", "enospc", "*", FULL);
        let what = format!("full from write {at} on");
        let then = kept.starts(
            kept.command(&full, at),
            &what,
            &["disk is full", "No space", "cannot connect", "disk I/O error"],
        );
        kept.is_untouched(&what);
        kept.recovers(&what, then);
    }
}

#[test]
fn h1_a_disk_that_cannot_be_read_at_the_start_gives_up_no_acknowledged_record() {
    let words = &["I/O error", "Input/output", "disk I/O", "Stale", "memory"];
    for (how, killed) in [("eio", true), ("eio", false), ("estale", true), ("enomem", false)] {
        survives(&fault("read", how, DATABASE, words), 1, killed);
    }
}

#[test]
fn h1_a_page_that_cannot_be_read_at_the_start_is_not_taken_for_a_damaged_one() {
    let words = &["I/O error", "Input/output", "disk I/O"];
    // SQLite calls such a page damaged. All reads fail from one of them on, or one or some, and then none.
    for (at, killed) in [(8, false), (12, true)] {
        survives(&fault("read", "eio", DATABASE, words), at, killed);
    }
    for (at, to) in [(8, 8), (12, 12), (16, 18)] {
        let kept = Kept::new(false);
        let mut command = kept.command(&fault("read", "eio", DATABASE, words), at);
        command.env_remove("FAULT_UNTIL").env("FAULT_TO", to.to_string());
        kept.recovers(&format!("reads {at} to {to} fail"), Then::Waits(command.spawn().unwrap()));
    }
}

#[test]
fn h1_a_disk_that_cannot_be_written_or_synced_at_the_start_gives_up_no_acknowledged_record() {
    let words = &["I/O error", "Input/output", "disk I/O", "Stale", "locked", "cursors stay"];
    for (calls, how) in [("write", "eio"), ("write", "estale"), ("truncate", "eio"), ("lock", "eio")] {
        survives(&fault(calls, how, DATABASE, words), 1, true);
    }
}

#[test]
fn h1_a_start_without_file_descriptors_gives_up_no_acknowledged_record() {
    let words = &["Too many open files", "unable to open", "cannot be opened"];
    for (name, how, at) in
        [("*", "emfile", 1), (DATABASE, "emfile", 1), (DATABASE, "enfile", 2), (DATABASE, "emfile", 3)]
    {
        survives(&fault("open", how, name, words), at, at % 2 == 1);
    }
}

#[test]
fn h1_a_start_without_permission_gives_up_no_acknowledged_record() {
    let words = &["Permission denied", "unable to open", "not permitted", "readonly", "read-only", "Stale"];
    for (calls, how) in
        [("open", "eacces"), ("openw", "eacces"), ("open", "eperm"), ("open", "estale"), ("openw", "erofs")]
    {
        survives(&fault(calls, how, DATABASE, words), 1, true);
    }
}

#[test]
fn h1_files_that_cannot_be_looked_at_are_not_taken_for_missing() {
    let words = &["I/O error", "Input/output", "Stale", "unable to open", "Permission denied", "taken away"];
    for how in ["eio", "estale", "eacces"] {
        survives(&fault("look", how, DATABASE, words), 1, true);
    }
}

#[test]
fn h1_a_database_that_another_program_holds_is_waited_for_or_left_alone() {
    for killed in [true, false] {
        let kept = Kept::new(killed);
        let holder = hold(&kept.state().join("spool.db"), &kept.until());
        let words = &["locked", "busy", "another program"];
        let then = kept.starts(kept.agent.command(), "a locked database", words);
        kept.is_untouched("a locked database");
        fs::write(kept.until(), "").unwrap();
        assert!(holder.wait_with_output().unwrap().status.success());
        kept.recovers("a locked database", then);
    }
}

/// Another program (a backup, somebody's `sqlite3`) that holds a database until a file is there.
fn hold(database: &Path, until: &Path) -> Child {
    let script = "import os, sqlite3, sys, time\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE'); c.execute('select count(*) from batch').fetchall()\n\
        print('held', flush=True)\n\
        while not os.path.exists(sys.argv[2]): time.sleep(0.02)\n";
    let mut child =
        Command::new("python3").args(["-c", script]).arg(database).arg(until).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    child
}

#[test]
fn h1_a_state_that_is_read_only_at_the_start_is_left_as_it_is() {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&id).trim(), "0", "this test mounts a folder read-only: run it as root");
    let kept = Kept::new(true);
    let state = kept.state();
    let script = format!(
        "mount --bind '{0}' '{0}' && mount -o remount,bind,ro '{0}' && exec '{program}' run --config '{1}'",
        state.display(),
        kept.agent.config.display(),
        program = executable()
    );
    let log = fs::OpenOptions::new().append(true).open(kept.agent.dir.path().join("log")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", &script]).stderr(log);
    let mut then = kept.starts(command, "a read-only state", &["Read-only", "readonly", "read-only"]);
    kept.is_untouched("a read-only state");
    if let Then::Waits(mut child) = then {
        // Its mount is its own: it cannot become writable.
        child.kill().unwrap();
        child.wait().unwrap();
        then = Then::Ended;
    }
    kept.recovers("a read-only state", then);
}
