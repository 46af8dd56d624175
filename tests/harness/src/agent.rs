//! Driving an agent: its configuration, its process, its log, and a receiver that keeps what it reads.
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::program::{Made, executable, first_of, sequence};

/// A limit on a machine that has other work: so many times longer as its load is of its cores. Only the end of a wait that fails
/// depends on it; no test passes because time has passed.
pub fn patient(limit: Duration) -> Duration {
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|t| t.split(' ').next()?.parse::<f64>().ok());
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    limit.mul_f64((load.unwrap_or(1.0) / cores).clamp(1.0, 12.0))
}

/// Between two looks at what a test waits for, at least.
const STEP: Duration = Duration::from_millis(20);

/// At the front of a configuration whose defaults are those of the program.
pub const AS_SHIPPED: &str = "# as shipped\n";

/// An agent under test and where its files are.
pub struct Agent {
    pub dir: TempDir,
    pub config: PathBuf,
}

impl Agent {
    /// With a configuration; `STATE` and `DIR` in it stand for folders of this test.
    pub fn new(dir: TempDir, text: &str) -> Agent {
        let config = dir.path().join("agent.toml");
        let agent = Agent { dir, config };
        agent.configure(text);
        agent
    }

    /// Starts `qaudjrn run`; its log is [`Agent::log`].
    pub fn start(&self) -> Child {
        self.command().spawn().unwrap()
    }

    /// `qaudjrn run`, to be started otherwise.
    pub fn command(&self) -> Command {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(executable());
        command.args(["run", "--config"]).arg(&self.config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// Another configuration under the same state, for the next start or for SIGHUP.
    pub fn configure(&self, text: &str) {
        // Most tests are about entries, in captures with holes: what the agent tells of itself and of these has tests of its own.
        let usual = if text.starts_with(AS_SHIPPED) { "" } else { "agent_events = false\ngaps = \"receivers\"\n" };
        let text = format!("state_dir = \"state\"\nstop_timeout = 5\n{usual}{text}");
        fs::write(&self.config, text.replace("DIR", &self.dir.path().display().to_string())).unwrap();
    }

    /// A file of this test's folder; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// Waits until something holds; how long that took.
    #[track_caller]
    pub fn wait(&self, what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
        let began = Instant::now();
        loop {
            let looked = Instant::now();
            if holds() {
                return began.elapsed();
            }
            assert!(
                began.elapsed() < within || began.elapsed() < patient(within),
                "{what} does not come: {}",
                self.log()
            );
            // To look may be to take thousands of lines apart: the agent gets the processor meanwhile.
            let step = looked.elapsed().saturating_mul(3).clamp(STEP, STEP * 10);
            thread::sleep(step);
        }
    }

    /// Waits until the log says something; how long that took.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str, within: Duration) -> Duration {
        self.wait(text, within, || self.log().contains(text))
    }

    /// Waits until so many events wait for an output, as the spool on the disk says it: none when its window is over and that is stored.
    #[track_caller]
    pub fn waits(&self, output: &str, events: u64, within: Duration) {
        let status = || -> Option<u64> {
            let mut command = Command::new(executable());
            let said =
                command.args(["spool", "status", "--json", "--config"]).arg(&self.config).output().unwrap().stdout;
            let found: Value = serde_json::from_slice(&said).ok()?;
            let outputs = found["outputs"].as_array()?;
            outputs.iter().find(|o| o["name"] == output)?["waiting"].as_u64()
        };
        self.wait(&format!("{events} events that wait for {output}"), within, || status() == Some(events));
    }

    /// Standard error of every run so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Waits for the end; kills what does not end within the time.
    #[track_caller]
    pub fn assert_exit(&self, mut child: Child, code: i32, within: Duration) {
        let began = Instant::now();
        while began.elapsed() < within || began.elapsed() < patient(within) {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(code), "{}", self.log());
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        panic!("it does not end: {}", self.log());
    }
}

/// Sends a signal, such as `TERM`.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// How far a process has read a file that it has open.
pub fn read_to(child: &Child, path: &Path) -> u64 {
    let process = Path::new("/proc").join(child.id().to_string());
    let files = fs::read_dir(process.join("fd")).unwrap().flatten();
    let of_path = files.filter(|f| fs::read_link(f.path()).is_ok_and(|to| to == path));
    let place = |name: OsString| {
        let info = fs::read_to_string(process.join("fdinfo").join(name)).ok()?;
        info.lines().find_map(|l| l.strip_prefix("pos:")?.trim().parse().ok())
    };
    of_path.filter_map(|f| place(f.file_name())).max().unwrap_or(0)
}

/// The bytes that the kernel holds for each connection to a port of this machine, where nobody has read them.
pub fn unread(port: u16) -> Vec<u64> {
    let text = fs::read_to_string("/proc/net/tcp").unwrap();
    let end = format!(":{port:04X}");
    let of_port = text.lines().skip(1).map(|l| l.split_ascii_whitespace().collect::<Vec<_>>());
    // Local address, state 01 (connected), queues as `sent:received` in hexadecimal.
    let of_port = of_port.filter(|f| f.get(1).is_some_and(|a| a.ends_with(&end)) && f.get(3) == Some(&"01"));
    of_port.filter_map(|f| u64::from_str_radix(f.get(4)?.split_once(':')?.1, 16).ok()).filter(|n| *n > 0).collect()
}

/// The notices of the agent among JSON lines.
pub fn notices(text: &str, id: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    lines.filter(|l| l["event_id"] == id).collect()
}

/// Sequence numbers in JSON lines, with how often each came. Notices of the agent have none.
pub fn ids(text: &str) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|l| l.ends_with('}')) {
        if let Ok(line) = serde_json::from_str::<Value>(line) {
            if line["event_id"].as_str().is_some_and(|id| id.starts_with("AGENT-")) {
                continue;
            }
            let n = line["sequence"].as_str().and_then(|s| s.parse().ok()).expect("a sequence number");
            *found.entry(n).or_default() += 1;
        }
    }
    found
}

/// Whether there are so many different ones. For waits: nothing is taken apart before there are as many lines.
pub fn has_ids(text: &str, count: usize) -> bool {
    text.matches('\n').count() >= count && ids(text).len() >= count
}

/// Every entry of the truth at least once; returns how many came more than once.
#[track_caller]
pub fn nothing_lost(made: &Made, got: &BTreeMap<u64, u32>) -> u64 {
    let missing: Vec<u64> = made.truth.iter().map(sequence).filter(|n| !got.contains_key(n)).collect();
    assert!(missing.is_empty(), "{} of {} are missing, first {:?}", missing.len(), made.truth.len(), missing.first());
    assert_eq!(got.len(), made.truth.len(), "what came was sent");
    got.values().map(|n| u64::from(n - 1)).sum()
}

/// A receiver that keeps what it reads, connection after connection.
pub struct Receiver {
    pub port: u16,
    pub text: Arc<Mutex<Vec<u8>>>,
    pub connections: Arc<AtomicU64>,
    /// Reads nothing while set.
    pub stop_reading: Arc<AtomicBool>,
    /// Closes with what is unread, once.
    pub reset_connection: Arc<AtomicBool>,
}

impl Receiver {
    /// On a free port.
    pub fn start() -> Receiver {
        Receiver::start_on(0)
    }

    /// On a port that was free a moment ago.
    pub fn start_on(port: u16) -> Receiver {
        Receiver::start_with(TcpListener::bind(("127.0.0.1", port)).unwrap())
    }

    /// On a socket that listens already.
    pub fn start_with(listener: TcpListener) -> Receiver {
        let r = Receiver {
            port: listener.local_addr().unwrap().port(),
            text: Arc::default(),
            connections: Arc::default(),
            stop_reading: Arc::default(),
            reset_connection: Arc::default(),
        };
        let (text, connections, stop_reading, reset_connection) =
            (r.text.clone(), r.connections.clone(), r.stop_reading.clone(), r.reset_connection.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                serve(stream, &text, &stop_reading, &reset_connection);
            }
        });
        r
    }

    /// All whole lines so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

/// Keeps what comes over one connection until its end.
pub fn serve(mut stream: TcpStream, text: &Mutex<Vec<u8>>, stop_reading: &AtomicBool, reset_connection: &AtomicBool) {
    let mut got = Vec::new();
    let mut bytes = [0; 65_536];
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    loop {
        if reset_connection.swap(false, Ordering::SeqCst) {
            // Unread bytes make this a reset.
            break;
        }
        if stop_reading.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
            continue;
        }
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => got.extend_from_slice(&bytes[..n]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        // Whole lines only: half of one at the end of a connection is no event.
        if let Some(end) = got.iter().rposition(|b| *b == b'\n') {
            let rest = got.split_off(end + 1);
            text.lock().unwrap().extend_from_slice(&got);
            got = rest;
        }
    }
}

/// `day.type5`, a capture of so many entries, and its truth: the first ones of what is made once for all tests.
pub fn capture(dir: &TempDir, count: u32) -> Made {
    first_of("--seed 17", count, &dir.path().join("day.type5"))
}

/// An output into a file of this test's folder.
pub fn file(name: &str) -> String {
    format!("[[output]]\nname = \"{name}\"\naddress = \"file:DIR/{name}\"\nformat = \"json\"\n")
}

/// An output to a port of this machine.
pub fn tcp(name: &str, port: u16) -> String {
    format!("[[output]]\nname = \"{name}\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n")
}

/// A source that reads `day.type5` once.
pub const SOURCE: &str = "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\n";

/// A source that follows `day.type5`.
pub const FOLLOWED: &str = "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfollow = true\n";
