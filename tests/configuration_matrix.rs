//! The configuration matrix: for every key of agent.toml that shapes events, lanes or lines, a run with one value is stopped
//! half-way, with a backlog, and goes on with another value, by a restart and by SIGHUP. What came is what one run gives with the
//! values in force when each entry was read and sent; nothing is lost, and the sums balance.
//!
//! What is expected comes from `replay`, which has neither spool nor lanes. The list of keys comes from the program: a key that
//! is new there fails `every_key_has_its_row` until it has a row here.
mod matrix;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Duration,
};

use harness::{
    agent::{Agent, Receiver, notices, signal},
    program::{folder, make, qaudjrn, tool},
};
use matrix::{Counts, Kind, OTHERS, Row, filters_of_senders, rows};
use qaudjrn::{config::Config, decode::journal::Catalog};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(90);

#[test]
fn every_key_has_its_row() {
    let known = Config::keys(&Catalog::shipped().unwrap());
    let mut here: BTreeSet<String> = rows().into_iter().map(|r| r.key).collect();
    here.extend(OTHERS.iter().map(|(key, _)| (*key).to_owned()));
    here.extend(filters_of_senders());
    let missing: Vec<&String> = known.difference(&here).collect();
    let gone: Vec<&String> = here.difference(&known).collect();
    assert!(missing.is_empty() && gone.is_empty(), "without a row: {missing:?}; not known any more: {gone:?}");
}

/// The files that all rows read: what is read under the first value, and what comes then.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Files {
        let dir = folder();
        make(&dir, "one.type5", "--count 90 --seed 17 --stories --access-data --national");
        make(&dir, "two.type5", "--count 30 --seed 18 --stories --access-data --national --first-sequence 100001");
        make(&dir, "one.type1", "--count 90 --seed 17 --type type1 --start 2012-11-10T08:00:00");
        make(
            &dir,
            "two.type1",
            "--count 30 --seed 18 --type type1 --start 2012-11-10T09:00:00 --first-sequence 100001",
        );
        for (name, start) in [("one", "2026-11-20T08:00:00"), ("two", "2026-11-21T08:00:00")] {
            let at = |end: &str| dir.path().join(format!("{name}.{end}"));
            let args = format!("--count 80 --seed 7 --start {start} --csv {}", at("csv").display());
            tool("make_qhst.py", &at("qhst"), &at("truth"), &args);
        }
        Files { dir }
    }

    fn path(&self, kind: Kind, part: &str) -> PathBuf {
        let end = match kind {
            Kind::Entries => "type5",
            Kind::Type1 => "type1",
            Kind::History => "csv",
        };
        self.dir.path().join(format!("{part}.{end}"))
    }
}

/// A configuration: what is said in each table.
#[derive(Clone, Default)]
struct Said {
    top: String,
    source: String,
    output: String,
}

impl Said {
    /// A key with its value, and what goes with it, where it belongs.
    fn say(&mut self, key: &str, with: &str, value: &str) {
        let (to, prefix, name) = if let Some(name) = key.strip_prefix("source.filter.") {
            (&mut self.source, "filter.", name)
        } else if let Some(name) = key.strip_prefix("source.") {
            (&mut self.source, "", name)
        } else if let Some(name) = key.strip_prefix("output.filter.") {
            (&mut self.output, "filter.", name)
        } else if let Some(name) = key.strip_prefix("output.") {
            (&mut self.output, "", name)
        } else if let Some(name) = key.strip_prefix("filter.") {
            (&mut self.top, "filter.", name)
        } else {
            (&mut self.top, "", key)
        };
        for line in with.lines().filter(|l| !l.is_empty()) {
            let _ = writeln!(to, "{prefix}{line}");
        }
        let _ = writeln!(to, "{prefix}{name} = {value}");
    }
}

impl Row {
    fn said(&self, value: &str, budget: &str) -> Said {
        let mut said = Said::default();
        // Each value has the budget that goes with it.
        said.say(&self.key, &self.with.replace("BUDGET", budget), value);
        if self.kind == Kind::History {
            said.source.push_str("system = \"SYS1\"\n");
        }
        // A header, where it shows.
        const NAMES: [&str; 4] = ["output.profile", "output.vendor", "output.product", "output.version"];
        if self.key.starts_with("line.") || NAMES.contains(&self.key.as_str()) {
            let format = if self.key == "line.sd_id" { "syslog" } else { "cef" };
            let _ = writeln!(said.output, "format = \"{format}\"");
        } else if self.key != "output.format" {
            said.output.push_str("format = \"json\"\n");
        }
        if self.key == "source.receiver_library" {
            said.output.push_str("detail = \"full\"\n");
        }
        if self.key == "output.header" {
            said.output = said.output.replace("json", "cef");
        }
        said
    }

    fn values(&self) -> (Said, Said) {
        (self.said(self.one, "9000"), self.said(self.two, "\"1GiB\""))
    }
}

/// Lines by the number of their entry.
type Lines = BTreeMap<u64, String>;

/// The number of the entry that a line is of, in whatever format.
fn number(line: &str) -> Option<u64> {
    let digits =
        |from: &str| -> Option<u64> { from.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok() };
    if let Some((_, rest)) = line.split_once("\"sequence\":\"") {
        return digits(rest);
    }
    if let Some((_, rest)) = line.split_once("externalId=") {
        return digits(rest.split_once(':').map_or(rest, |(_, n)| n));
    }
    // Another product's.
    if let Some((_, rest)) = line.split_once(" jrn_seq=") {
        return digits(rest);
    }
    line.split_once(" seq=\"").and_then(|(_, rest)| digits(rest))
}

/// What the configurations say of all entries, by `replay`: what was said when they were read, and when they are sent.
fn expected(row: &Row, files: &Files, dir: &Path, (read, sent): (&Said, &Said)) -> Lines {
    let config = dir.join("oracle.toml");
    let said =
        |text: &str, key: &str| text.lines().find_map(|l| l.strip_prefix(&format!("{key} = ")).map(str::to_owned));
    // What an output takes over from the agent it takes from what is said when it sends.
    let mut output = String::from("[[output]]\nname = \"a\"\naddress = \"stdout\"\n");
    output.push_str(&sent.output);
    for (key, usual) in [("filter.protect_audit_changes", "true"), ("filter.audit_change_severity", "9")] {
        if said(&sent.output, key).is_none() {
            let _ = writeln!(output, "{key} = {}", said(&sent.top, key).unwrap_or(usual.to_owned()));
        }
    }
    // A source's filter is one more, and what it says only comes on top.
    let filter: String = read.top.lines().filter(|l| l.starts_with("filter.")).map(|l| format!("{l}\n")).collect();
    let other: String = sent.top.lines().filter(|l| !l.starts_with("filter.")).map(|l| format!("{l}\n")).collect();
    let own: String = read.source.lines().filter(|l| l.starts_with("filter.")).map(|l| format!("{l}\n")).collect();
    fs::write(&config, format!("{other}{filter}{own}{output}")).unwrap();
    let mut args = format!("replay --summary none --to stdout --output a --config {}", config.display());
    for (key, option) in [
        ("ccsid", "--ccsid"),
        ("timezone", "--timezone"),
        ("date_format", "--date-format"),
        ("system", "--system"),
        ("receiver", "--receiver"),
        ("receiver_library", "--receiver-library"),
    ] {
        if let Some(value) = said(&read.source, key) {
            let _ = write!(args, " {option} {}", value.trim_matches('"'));
        }
    }
    if row.kind == Kind::History {
        args.push_str(" --input history-csv");
    }
    let run = qaudjrn(&args, &[&files.path(row.kind, "one"), &files.path(row.kind, "two")]);
    assert!(matches!(run.code, 0 | 3), "{}: {}", row.key, run.stderr);
    run.stdout.lines().map(|l| (number(l).unwrap_or_else(|| panic!("no number: {l}")), l.to_owned())).collect()
}

/// An agent whose first output cannot deliver at first, and whose second does so slowly.
struct Bench<'a> {
    row: &'a Row,
    files: &'a Files,
    agent: Agent,
    port: u16,
    slow: Receiver,
}

impl Bench<'_> {
    fn configure(&self, said: &Said, follow: bool) {
        let source = match self.row.kind {
            Kind::History => "kind = \"directory\"\npath = \"in\"\ncomplete = \"rename\"\ninput = \"history-csv\"\n",
            _ => "path = \"day\"\n",
        };
        let output = |name: &str, port: u16, more: &str| {
            format!("[[output]]\nname = \"{name}\"\naddress = \"tcp://127.0.0.1:{port}\"\n{more}{}", said.output)
        };
        // It shows what is stored, whatever the row does.
        let seen = "[[output]]\nname = \"seen\"\naddress = \"file:DIR/seen\"\nformat = \"json\"\nheartbeat = 1\n";
        let slow = "meter.events_per_second = 60\nmeter.burst = 1\n";
        self.agent.configure(&format!(
            "heartbeat = 0\n{}[[source]]\nname = \"s\"\n{source}follow = {follow}\n{}{}{}{seen}",
            said.top,
            said.source,
            output("down", self.port, ""),
            output("slow", self.slow.port, slow)
        ));
    }

    /// A part of what is read arrives.
    fn arrives(&self, part: &str) {
        let from = self.files.path(self.row.kind, part);
        let dir = self.agent.dir.path();
        if self.row.kind == Kind::History {
            fs::create_dir_all(dir.join("in")).unwrap();
            fs::copy(from, dir.join("on-its-way")).unwrap();
            fs::rename(dir.join("on-its-way"), dir.join("in").join(format!("{part}.csv"))).unwrap();
            return;
        }
        let mut day = fs::OpenOptions::new().create(true).append(true).open(dir.join("day")).unwrap();
        day.write_all(&fs::read(from).unwrap()).unwrap();
    }

    /// The sums of the log.
    fn sum(&self, of: &str, key: &str) -> u64 {
        let log = self.agent.log();
        let lines = log.lines().filter_map(|l| l.strip_prefix("qaudjrn: ")?.strip_prefix(of));
        let number = |l: &str| -> Option<u64> {
            let (_, rest) = l.split_once(key)?;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
        };
        lines.filter_map(number).sum()
    }
}

fn lines(receiver: &Receiver) -> Vec<(u64, String)> {
    let text = receiver.text();
    let lines = text.lines().filter(|l| !l.contains("AGENT-") && !l.contains("AGENT_"));
    lines.map(|l| (number(l).unwrap_or_else(|| panic!("no number: {l}")), l.to_owned())).collect()
}

/// A port of our own on which nobody listens yet: many walks run at a time.
fn reserved_port() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

fn listen(socket: Socket) -> Receiver {
    socket.listen(16).unwrap();
    Receiver::start_with(socket.into())
}

fn walk(row: &Row, files: &Files, by_restart: bool) {
    let (one, two) = row.values();
    let dir = folder();
    let then = expected(row, files, dir.path(), (&one, &one));
    let between = expected(row, files, dir.path(), (&one, &two));
    let now = expected(row, files, dir.path(), (&two, &two));
    assert!(row.counts == Counts::Order || then != now, "the two values do the same");
    let agent = Agent::new(dir, "");
    let (socket, port) = reserved_port();
    let bench = Bench { row, files, agent, port, slow: Receiver::start() };
    bench.configure(&one, true);
    bench.arrives("one");
    let agent = &bench.agent;
    let mut child = agent.start();
    let first = files_of(row, files);
    let enough = then.keys().filter(|n| first.contains(n)).count().min(5);
    agent.wait("the first lines", SOON, || lines(&bench.slow).len() >= enough);
    agent.wait("a failed connection", SOON, || agent.log().contains("output down: "));
    let all = Some(first.len().to_string());
    agent.wait("all of the first part", SOON, || {
        let beats = notices(&agent.read("seen"), "AGENT-HEARTBEAT");
        beats.iter().any(|b| b["read"].as_str().map(str::to_owned) == all)
    });
    bench.configure(&two, !by_restart);
    let down = if by_restart {
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        bench.arrives("two");
        let down = listen(socket);
        child = agent.start();
        agent.assert_exit(child, 0, SOON);
        down
    } else {
        signal(&child, "HUP");
        agent.wait("the second value", SOON, || agent.log().contains("was read again"));
        bench.arrives("two");
        let down = listen(socket);
        let all = |r: &Receiver, sure: &dyn Fn(u64) -> bool| {
            let got: BTreeSet<u64> = lines(r).into_iter().map(|(n, _)| n).collect();
            between.keys().chain(now.keys()).filter(|n| sure(**n)).all(|n| got.contains(n))
        };
        // Of the first part what both values send, of the second what both send whenever it was read.
        let sure = |n: u64| match first.contains(&n) {
            true => between.contains_key(&n) && then.contains_key(&n),
            false => now.contains_key(&n) && between.contains_key(&n),
        };
        agent.wait("everything", SOON, || all(&down, &sure) && all(&bench.slow, &sure));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        down
    };
    judge(&bench, by_restart, &first, [&lines(&down), &lines(&bench.slow)], [&then, &between, &now]);
}

/// The numbers of the first part.
fn files_of(row: &Row, files: &Files) -> BTreeSet<u64> {
    let args = match row.kind {
        Kind::History => "decode --input history-csv",
        Kind::Type1 => "decode --input type1",
        Kind::Entries => "decode",
    };
    let run = qaudjrn(args, &[&files.path(row.kind, "one")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let value = |l: &str| -> Option<u64> {
        let entry: serde_json::Value = serde_json::from_str(l).ok()?;
        let n = &entry["header"]["sequence_number"];
        n.as_u64().or_else(|| n.as_str()?.trim().parse().ok())
    };
    let found: BTreeSet<u64> = run.stdout.lines().filter_map(value).collect();
    assert!(!found.is_empty(), "{}", run.stdout.lines().next().unwrap_or(""));
    found
}

fn judge(
    bench: &Bench<'_>,
    by_restart: bool,
    first: &BTreeSet<u64>,
    got: [&[(u64, String)]; 2],
    expected: [&Lines; 3],
) {
    let [down, slow] = got;
    let [then, between, now] = expected;
    // The first output sent nothing under the first value.
    let mut seen = BTreeSet::new();
    for (n, line) in down {
        let right = match first.contains(n) {
            true => between.get(n) == Some(line),
            false => now.get(n) == Some(line) || !by_restart && between.get(n) == Some(line),
        };
        assert!(right, "down: {n} is\n{line}\nand not\n{:?}\n{:?}", between.get(n), now.get(n));
        seen.insert(*n);
    }
    for n in between.keys().filter(|n| first.contains(n)).chain(now.keys().filter(|n| !first.contains(n) && by_restart))
    {
        assert!(seen.contains(n), "down: {n} is lost");
    }
    // The second one sent some under the first and the others under the second.
    let mut seen = BTreeSet::new();
    for (n, line) in slow {
        let right = [Some(then).filter(|_| first.contains(n)), Some(between), Some(now).filter(|_| !first.contains(n))];
        assert!(
            right.into_iter().flatten().any(|l| l.get(n) == Some(line)),
            "slow: {n} is\n{line}\nand not\n{:?}",
            between.get(n)
        );
        seen.insert(*n);
    }
    for n in then.keys().filter(|n| between.contains_key(n) && now.contains_key(n)) {
        assert!(seen.contains(n), "slow: {n} is lost");
    }
    let spooled = bench.sum("source s: ", "spooled ");
    let log = bench.agent.log();
    assert!(spooled > 0, "{log}");
    for (name, lines) in [("down", down), ("slow", slow)] {
        let of = format!("output {name}: ");
        let (sent, filtered) = (bench.sum(&of, "sent "), bench.sum(&of, "filtered "));
        let resent = bench.sum(&of, "resent ");
        let unconfirmed = bench.sum(&of, "unconfirmed ");
        assert_eq!(sent + resent + unconfirmed, lines.len() as u64, "{name}: {log}");
        // Where lanes begin again at the slowest, what the faster ones had sent comes twice.
        let again = (lines.len() - lines.iter().map(|(n, _)| n).collect::<BTreeSet<_>>().len()) as u64;
        if name == "down" {
            assert_eq!(sent + filtered, spooled, "{name}: {log}");
        } else {
            // An agent that was told to stop leaves what waits to the next start.
            let waiting = if by_restart { 0 } else { bench.sum(&of, "waiting ") };
            let balanced = sent + filtered <= spooled + again && sent + filtered + waiting >= spooled;
            assert!(balanced || bench.row.counts == Counts::Sent, "{name}: {log}");
        }
    }
}

#[test]
fn matrix_every_key_that_shapes_events_lanes_or_lines_may_change_half_way() {
    let files = Files::new();
    let rows = rows();
    let only = std::env::var("QAUDJRN_ROW").unwrap_or_default();
    let walks: Vec<(&Row, bool)> =
        rows.iter().filter(|r| r.key.contains(&only)).flat_map(|r| [(r, true), (r, false)]).collect();
    let next = Mutex::new(walks.iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let Some((row, by_restart)) = next.lock().unwrap().next() else { return };
                    if let Err(e) = catch_unwind(AssertUnwindSafe(|| walk(row, &files, *by_restart))) {
                        let text = e.downcast_ref::<String>().cloned();
                        let text = text.or_else(|| e.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                        let how = if *by_restart { "by restart" } else { "by SIGHUP" };
                        wrong.lock().unwrap().push(format!("{} {how}: {}", row.key, text.unwrap_or_default()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), walks.len(), wrong.join("\n\n"));
}
