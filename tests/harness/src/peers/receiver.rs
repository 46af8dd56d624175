//! One running rsyslogd or syslog-ng, and what it received.
//!
//! Each receiver has a temporary folder with its configuration, certificates, records and log, and lets the kernel choose
//! its port, so any number run side by side. It counts as started when the kernel shows its socket; it is killed on drop.

use super::certificates::Certificates;
use super::{peer_command, peers, template};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which program listens, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    RsyslogUdp,
    /// Takes both framings.
    RsyslogTcp,
    /// Takes both framings.
    RsyslogTls,
    /// TLS, and the client must show a certificate of the test's authority.
    RsyslogMutualTls,
    RsyslogRelp,
    /// RELP under TLS, and the client must show a certificate of the test's authority.
    RsyslogRelpTls,
    SyslogNgUdp,
    SyslogNgNewline,
    SyslogNgOctet,
    /// Octet counting.
    SyslogNgTls,
    /// Octet counting.
    SyslogNgMutualTls,
}

impl Kind {
    /// All that take framed lines or datagrams.
    pub const ALL: [Kind; 9] = [
        Kind::RsyslogUdp,
        Kind::RsyslogTcp,
        Kind::RsyslogTls,
        Kind::RsyslogMutualTls,
        Kind::SyslogNgUdp,
        Kind::SyslogNgNewline,
        Kind::SyslogNgOctet,
        Kind::SyslogNgTls,
        Kind::SyslogNgMutualTls,
    ];

    fn is_rsyslog(self) -> bool {
        matches!(self, Kind::RsyslogUdp | Kind::RsyslogTcp | Kind::RsyslogTls | Kind::RsyslogMutualTls)
            || self.is_relp()
    }

    pub fn is_relp(self) -> bool {
        matches!(self, Kind::RsyslogRelp | Kind::RsyslogRelpTls)
    }

    pub fn is_udp(self) -> bool {
        matches!(self, Kind::RsyslogUdp | Kind::SyslogNgUdp)
    }

    pub fn is_tls(self) -> bool {
        matches!(
            self,
            Kind::RsyslogTls
                | Kind::RsyslogMutualTls
                | Kind::RsyslogRelpTls
                | Kind::SyslogNgTls
                | Kind::SyslogNgMutualTls
        )
    }

    /// The template of the input, and what it puts for `@AUTH@`.
    fn input(self) -> (&'static str, &'static str) {
        match self {
            Kind::RsyslogUdp => ("rsyslog-udp.conf", ""),
            Kind::RsyslogTcp => ("rsyslog-tcp.conf", ""),
            Kind::RsyslogTls => ("rsyslog-tls.conf", "anon"),
            Kind::RsyslogMutualTls => ("rsyslog-tls.conf", "x509/certvalid"),
            Kind::RsyslogRelp => ("rsyslog-relp.conf", ""),
            Kind::RsyslogRelpTls => ("rsyslog-relp-tls.conf", ""),
            Kind::SyslogNgUdp => ("syslog-ng-udp.conf", ""),
            Kind::SyslogNgNewline => ("syslog-ng-newline.conf", ""),
            Kind::SyslogNgOctet => ("syslog-ng-octet.conf", ""),
            Kind::SyslogNgTls => ("syslog-ng-tls.conf", "optional-untrusted"),
            Kind::SyslogNgMutualTls => ("syslog-ng-tls.conf", "required-trusted"),
        }
    }
}

/// One message as the receiver understood it. A nil value (`-`) is the empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The message as it came, from `<PRI>` on.
    pub raw: String,
    pub pri: String,
    /// The time as the receiver shows it, in its own form.
    pub time: String,
    pub host: String,
    pub app: String,
    pub procid: String,
    pub msgid: String,
    /// SD-ID, then parameter name, then the unescaped value.
    pub sd: BTreeMap<String, BTreeMap<String, String>>,
    pub msg: String,
}

impl Record {
    fn from_json(line: &str) -> Self {
        let bad =
            |e: &dyn std::fmt::Display| -> ! { panic!("the receiver wrote a record that cannot be read, {e}: {line}") };
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| bad(&e));
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let filled = |name: &str| match text(name) {
            nil if nil == "-" => String::new(),
            other => other,
        };
        // rsyslog gives the parsed structured data as JSON in a string, syslog-ng as an object.
        let sd = match value.get("sd").and_then(Value::as_str) {
            Some("") | None => value.get("_SDATA").cloned().unwrap_or_default(),
            Some(inner) => serde_json::from_str(inner).unwrap_or_else(|e| bad(&e)),
        };
        let elements = sd.as_object().cloned().unwrap_or_default();
        let sd = elements
            .into_iter()
            .map(|(id, params)| {
                let params = params.as_object().cloned().unwrap_or_default();
                (id, params.into_iter().map(|(name, v)| (name, v.as_str().unwrap_or_default().to_string())).collect())
            })
            .collect();
        Self {
            raw: text("raw"),
            pri: text("pri"),
            time: text("time"),
            host: filled("host"),
            app: filled("app"),
            procid: filled("procid"),
            msgid: filled("msgid"),
            sd,
            msg: text("msg"),
        }
    }
}

/// A running receiver. See the module.
pub struct Receiver {
    pub kind: Kind,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// What a TLS receiver shows and trusts; made for the others too, so that a test may try them.
    pub certificates: Certificates,
    folder: TempDir,
    /// It takes larger lines than as it is shipped.
    large: bool,
    child: Child,
    /// Records counted so far, and the file offset that count goes to.
    counted: (usize, u64),
}

const START_TIMEOUT: Duration = Duration::from_secs(120);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long nothing may come before a count is taken as final.
const QUIET: Duration = Duration::from_millis(300);

impl Receiver {
    /// Starts a receiver on a free port of 127.0.0.1.
    pub fn start(kind: Kind) -> Self {
        Self::start_on(kind, 0)
    }

    /// Starts a receiver that takes lines of up to 64 KiB, which rsyslog as shipped does not.
    pub fn start_large(kind: Kind) -> Self {
        Self::start_with(kind, 0, true)
    }

    /// Starts a receiver on `port`, to take the place of one that is gone; 0 is a free port.
    pub fn start_on(kind: Kind, port: u16) -> Self {
        Self::start_with(kind, port, false)
    }

    fn start_with(kind: Kind, port: u16, large: bool) -> Self {
        let folder = TempDir::with_prefix("qaudjrn-peer-").expect("temporary folder");
        let certificates = Certificates::make(folder.path());
        fs::write(folder.path().join("records"), "").expect("records");
        let child = spawn(kind, folder.path(), port, large);
        // From here on dropping `receiver` ends the process.
        let mut receiver = Self { kind, port, certificates, folder, large, child, counted: (0, 0) };
        receiver.listen();
        receiver
    }

    /// Waits until it listens, and sets its port.
    fn listen(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        let kind = self.kind;
        loop {
            if let Some(bound) = bound_port(self.child.id(), kind.is_udp()) {
                self.port = bound;
                return;
            }
            if let Some(status) = self.child.try_wait().expect("child state") {
                panic!("{kind:?} ended at its start with {status}: {}", self.log());
            }
            assert!(Instant::now() < deadline, "{kind:?} does not listen after {START_TIMEOUT:?}: {}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// Ends it with no warning, as a crash does. What it wrote stays.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("child state");
    }

    /// Starts it again after [`Receiver::kill`] or [`Receiver::terminate`], on the same port and with its records.
    pub fn restart(&mut self) {
        self.child = spawn(self.kind, self.folder.path(), self.port, self.large);
        self.listen();
    }

    /// The `--to` address of the product for this receiver.
    pub fn address(&self) -> String {
        match self.kind {
            k if k.is_udp() => format!("udp://127.0.0.1:{}", self.port),
            k if k.is_relp() && k.is_tls() => format!("relp+tls://localhost:{}", self.port),
            k if k.is_relp() => format!("relp://127.0.0.1:{}", self.port),
            k if k.is_tls() => format!("tls://localhost:{}", self.port),
            _ => format!("tcp://127.0.0.1:{}", self.port),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Messages on file now.
    pub fn count(&mut self) -> usize {
        let mut file = File::open(self.folder.path().join("records")).expect("records");
        file.seek(SeekFrom::Start(self.counted.1)).expect("seek");
        let mut buffer = Vec::new();
        file.read_to_end(&mut buffer).expect("records");
        self.counted.0 += buffer.iter().filter(|b| **b == b'\n').count();
        self.counted.1 += buffer.len() as u64;
        self.counted.0
    }

    /// Waits until at least `n` messages are on file and gives all of them.
    /// Panics after `timeout` and says how many came; kernel drops and the receiver's own log are in the message.
    pub fn wait_for(&mut self, n: usize, timeout: Duration) -> Vec<Record> {
        let deadline = Instant::now() + timeout;
        while self.count() < n {
            if Instant::now() >= deadline {
                let (kind, came, drops) = (self.kind, self.counted.0, udp_drops(self.port));
                panic!(
                    "{kind:?} received {came} of {n} messages within {timeout:?}; dropped by the kernel: {drops}; its log: {}",
                    self.log()
                );
            }
            sleep(Duration::from_millis(20));
        }
        self.records()
    }

    /// Waits for `n` messages, then until nothing more comes, stops the receiver, and gives everything it received.
    pub fn finish(mut self, n: usize, timeout: Duration) -> Vec<Record> {
        self.wait_for(n, timeout);
        let mut seen = self.count();
        loop {
            sleep(QUIET);
            match self.count() {
                now if now == seen => return self.stop(),
                now => seen = now,
            }
        }
    }

    /// Waits for `n` messages, stops the receiver, and gives the bytes of each as they came, whatever their encoding.
    pub fn finish_bytes(mut self, n: usize, timeout: Duration) -> Vec<Vec<u8>> {
        let deadline = Instant::now() + timeout;
        while self.count() < n {
            assert!(Instant::now() < deadline, "{:?} received {} of {n} messages", self.kind, self.counted.0);
            sleep(Duration::from_millis(20));
        }
        self.terminate();
        let bytes = fs::read(self.folder.path().join("records")).expect("records");
        bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(raw).collect()
    }

    /// Ends the receiver in good order and gives everything it received.
    pub fn stop(mut self) -> Vec<Record> {
        self.terminate();
        self.records()
    }

    /// Ends the receiver in good order.
    pub fn terminate(&mut self) {
        self.signal("TERM");
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.child.try_wait().expect("child state").is_none() {
            assert!(Instant::now() < deadline, "{:?} does not end within {STOP_TIMEOUT:?}: {}", self.kind, self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// Stops reading, as a receiver that hangs does, until [`Receiver::resume`]. Returns when no thread of it runs: the signal alone does not
    /// say so.
    pub fn pause(&self) {
        self.signal("STOP");
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !stopped(self.pid()) {
            assert!(Instant::now() < deadline, "{:?} runs on: {}", self.kind, self.log());
            sleep(Duration::from_millis(5));
        }
    }

    /// Goes on after [`Receiver::pause`].
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// What the receiver said.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for name in ["output", "log"] {
            let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
            text += &String::from_utf8_lossy(&bytes);
        }
        let start = text.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
        text.split_off(start)
    }

    fn records(&self) -> Vec<Record> {
        let bytes = fs::read(self.folder.path().join("records")).expect("records");
        let text = String::from_utf8(bytes).expect("the receiver got bytes that are not UTF-8");
        // What follows the last line feed is a record being written.
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.split('\n').filter(|line| !line.is_empty()).map(Record::from_json).collect()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(
            sent.is_ok_and(|s| s.success()),
            "cannot send SIG{name} to {:?}: it is gone; its log: {}",
            self.kind,
            self.log()
        );
    }
}

/// The bytes of the message in a record, which is JSON but for their encoding.
fn raw(record: &[u8]) -> Vec<u8> {
    let mut rest = record.strip_prefix(b"{\"raw\":\"").expect("raw comes first").iter().copied();
    let mut bytes = Vec::new();
    loop {
        match rest.next().expect("the end of raw") {
            b'"' => return bytes,
            b'\\' => bytes.push(match rest.next().expect("an escape") {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                b'u' => {
                    let digits: Vec<u8> = rest.by_ref().take(4).collect();
                    let code = u8::from_str_radix(std::str::from_utf8(&digits).expect("digits"), 16);
                    code.expect("a control character")
                }
                other => other,
            }),
            b => bytes.push(b),
        }
    }
}

/// Whether every thread of a process is stopped (`T` in proc(5)).
fn stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold blanks and parentheses.
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    })
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program in `folder`, to listen on `port`.
fn spawn(kind: Kind, folder: &Path, port: u16, large: bool) -> Child {
    let at = |name: &str| folder.join(name);
    let config = at("receiver.conf");
    fs::write(&config, configuration(kind, folder, port, large)).expect("configuration");
    // A process that was killed left its own.
    let _ = fs::remove_file(at("pid"));
    let mut command = if kind.is_rsyslog() {
        let mut c = peer_command("usr/sbin/rsyslogd");
        c.arg("-n").arg("-f").arg(&config).arg("-i").arg(at("pid"));
        c
    } else {
        let mut c = peer_command("usr/sbin/syslog-ng");
        c.args(["--foreground", "--stderr", "--no-caps"]).arg("--cfgfile").arg(&config);
        c.arg("--persist-file").arg(at("persist")).arg("--pidfile").arg(at("pid")).arg("--control").arg(at("control"));
        c.arg("--module-path").arg(peers().join("usr/lib/syslog-ng/3.38"));
        c
    };
    let output = File::options().create(true).append(true).open(at("output")).expect("output file");
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("output file"))
        .stderr(output)
        .spawn()
        .expect("setpriv (util-linux) starts the receiver")
}

fn configuration(kind: Kind, folder: &Path, port: u16, large: bool) -> String {
    let read = |name: &str| fs::read_to_string(template(name)).unwrap_or_else(|e| panic!("template {name}: {e}"));
    let (input, auth) = kind.input();
    let whole = if kind.is_rsyslog() { "rsyslog.conf" } else { "syslog-ng.conf" };
    let dir = folder.display().to_string();
    let place = if kind.is_rsyslog() { "\n@INPUT@\n" } else { "\n@SOURCE@\n" };
    read(whole)
        .replace(place, &format!("\n{}\n", read(input)))
        .replace("@LIMIT@", if large { "maxMessageSize=\"64k\"" } else { "" })
        .replace("@AUTH@", auth)
        .replace("@PORT@", &port.to_string())
        .replace("@DIR@", &dir)
}

/// The IPv4 port process `pid` listens on, found by its socket's inode: nobody else's socket can be mistaken for it.
fn bound_port(pid: u32, udp: bool) -> Option<u16> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()))
        .collect();
    // Of the network that the process is in.
    let (table, listening) = if udp { ("udp", "07") } else { ("tcp", "0A") };
    fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok()?.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
        let port = u16::from_str_radix(local.split(':').nth(1)?, 16).ok()?;
        (*state == listening && port != 0 && sockets.iter().any(|s| s == inode)).then_some(port)
    })
}

/// Datagrams the kernel threw away because the receiver's buffer was full.
fn udp_drops(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let of_port = |line: &&str| {
        line.split_ascii_whitespace().nth(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}")))
    };
    let line = table.lines().find(of_port);
    line.and_then(|l| l.split_ascii_whitespace().last()?.parse().ok()).unwrap_or(0)
}
