//! `/metrics`, `/healthz` and `/readyz`, asked by those who will: Prometheus with the alert rules that are shipped, while everything breaks.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::Command,
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

use harness::{
    agent::{AS_SHIPPED, Agent, Receiver, capture, signal},
    program::{folder, make},
    unused_port,
};

use socket2::{Domain, Socket, Type};

#[path = "metrics/prometheus.rs"]
mod prometheus;
use prometheus::{Prometheus, Scrape, get, program, shipped};

const SOON: Duration = Duration::from_secs(60);

/// Alerts that do not fire here, and why. promtool has a test for each of them too.
const ELSEWHERE: [(&str, &str); 5] = [
    ("QaudjrnFileStale", "node_exporter itself says how old a file is"),
    ("QaudjrnSumsOff", "a mistake of the program; that it never fires is what is tested"),
    ("QaudjrnSourceHalted", "a live source alone waits for another configuration"),
    ("QaudjrnOutputUnreadable", "batches of another program's version: tests/upgrade.rs"),
    ("QaudjrnSpoolStuck", "a disk that fails needs a start of its own: below"),
];

/// The rules as they are shipped, with short times.
fn rules() -> String {
    let text = fs::read_to_string(shipped("qaudjrn-alerts.yml")).unwrap();
    let mut short: String =
        text.lines()
            .map(|line| {
                if line.trim_start().starts_with("for: ") {
                    "        for: 1s\n".to_owned()
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
    for (long, now) in [
        ("oldest_waiting_seconds > 900", "oldest_waiting_seconds > 2"),
        ("last_stored_timestamp_seconds > 86400", "last_stored_timestamp_seconds > 8"),
        ("connection_failures_total[30m]) > 5", "connection_failures_total[30m]) > 2"),
    ] {
        assert!(short.contains(long), "{long} is not in the rules");
        short = short.replace(long, now);
    }
    short
}

fn alerts() -> BTreeSet<String> {
    let text = fs::read_to_string(shipped("qaudjrn-alerts.yml")).unwrap();
    text.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

fn output(name: &str, address: &str, more: &str) -> String {
    format!("[[output]]\nname = \"{name}\"\naddress = \"{address}\"\nformat = \"json\"\n{more}")
}

fn source(name: &str, path: &str, more: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\npath = \"{path}\"\ntimezone = \"UTC\"\n{more}")
}

/// Answers in words of its own, and then reads to the end.
fn talks() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 65_536]);
            let _ = stream.write_all(b"what is this?\r\n");
            while matches!(stream.read(&mut [0; 65_536]), Ok(1..)) {}
        }
    });
    port
}

/// A socket with little room for what nobody reads.
fn narrow() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(8).unwrap();
    socket.into()
}

/// The sums of docs/METRICS.md, at one scrape.
fn assert_balance(scrape: &Scrape) {
    let about = |name: &str| -> Vec<&String> { scrape.keys().filter(|(n, _)| n == name).map(|(_, a)| a).collect() };
    let value = |name: &str, about: &str| scrape[&(name.to_owned(), about.to_owned())];
    let sum = |of: &str, names: &[&str], about: &str| -> f64 {
        names.iter().map(|n| value(&format!("qaudjrn_{of}_{n}"), about)).sum()
    };
    for source in about("qaudjrn_source_read_total") {
        let became = sum("source", &["filtered_total", "refused_total", "parked_total", "spooled_total"], source);
        assert_eq!(value("qaudjrn_source_read_total", source), became, "source {source}: {scrape:?}");
    }
    let spooled: f64 =
        about("qaudjrn_source_spooled_total").iter().map(|s| value("qaudjrn_source_spooled_total", s)).sum();
    let stored = value("qaudjrn_spool_events_total", "");
    assert_eq!(stored, spooled + value("qaudjrn_spool_notices_total", ""), "{scrape:?}");
    for output in about("qaudjrn_output_queued_total") {
        let given = sum("output", &["queued_total", "unqueued_notices_total", "recalled_total"], output);
        let done = [
            "sent_total",
            "notices_total",
            "refused_total",
            "notices_refused_total",
            "filtered_total",
            "unreadable_total",
        ];
        let became = sum("output", &done, output) + sum("output", &["withdrawn_total", "waiting"], output);
        assert_eq!(given, became, "output {output}: {scrape:?}");
        // Nothing else is put before an output that is there since the start, where nothing was damaged.
        let since = sum("output", &["queued_total"], output) - sum("output", &["found_total"], output);
        if value("qaudjrn_spool_damaged_batches_total", "") == 0.0 {
            let is_first = ["file", "well"].contains(&output.as_str());
            assert!(since == stored || !is_first && since < stored, "output {output}: {since} of {stored}: {scrape:?}");
        }
    }
}

/// Waits until an alert fires for something.
fn fires(agent: &Agent, prometheus: &Prometheus, all: &mut BTreeSet<String>, expected: &[(&str, &str)]) {
    for (alert, about) in expected {
        let expected = ((*alert).to_owned(), (*about).to_owned());
        agent.wait(&format!("{alert} of {about:?}"), SOON, || prometheus.firing().contains(&expected));
        all.insert((*alert).to_owned());
    }
}

#[test]
fn the_rules_are_what_promtool_takes_and_each_fires_where_its_thing_is_broken() {
    for (what, file) in [("check", "qaudjrn-alerts.yml"), ("test", "qaudjrn-alerts-test.yml")] {
        let run = Command::new(program("promtool")).args([what, "rules"]).arg(shipped(file)).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && said.contains("SUCCESS"), "{file}: {said}");
    }
    // Each has a case in which it fires and one in which it does not.
    let tests = fs::read_to_string(shipped("qaudjrn-alerts-test.yml")).unwrap();
    for alert in alerts() {
        let cases: Vec<&str> =
            tests.split("- eval_time:").filter(|c| c.contains(&format!("alertname: {alert}\n"))).collect();
        assert!(cases.iter().any(|c| c.contains("exp_alerts:\n          - exp_labels")), "{alert} fires in no test");
        assert!(
            tests.contains(&format!("eval_time: 40m, alertname: {alert} }}")),
            "{alert} is not tried where all is well"
        );
    }
}

/// Gauges that no alert looks at, and why.
const NO_ALERT: [(&str, &str); 8] = [
    ("qaudjrn_uptime_seconds", "no state"),
    ("qaudjrn_info", "no state"),
    ("qaudjrn_spool_bytes", "what is in use counts"),
    ("qaudjrn_source_down_seconds", "how long, of what is not up"),
    ("qaudjrn_output_down_seconds", "how long, of what is not up"),
    ("qaudjrn_output_unconfirmed", "part of what waits, whose age alerts"),
    ("qaudjrn_output_window", "part of what waits, whose age alerts"),
    ("qaudjrn_output_last_failure_timestamp_seconds", "connections that fail often do"),
];

/// The names of metrics in a text, other words of ours left out.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("qaudjrn_")).map(str::to_owned).collect()
}

#[test]
fn what_is_shipped_and_written_names_what_is_scraped_and_every_state_has_an_alert() {
    let dir = folder();
    capture(&dir, 20);
    let agent = Agent::new(dir, &format!("{}{}", source("prod01", "day.type5", ""), output("a", "file:DIR/out", "")));
    agent.assert_exit(agent.start(), 0, SOON);
    let text = agent.read("state/metrics.prom");
    let types = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' '));
    let types: Vec<(&str, &str)> = types.collect();
    let scraped: BTreeSet<String> = types.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(scraped.len() > 50, "{scraped:?}");
    let read = |name: &str| fs::read_to_string(shipped(name)).unwrap();
    let (rules, dashboard) = (read("qaudjrn-alerts.yml"), read("qaudjrn-grafana.json"));
    let docs = fs::read_to_string(harness::root().join("docs/METRICS.md")).unwrap();
    for (what, of) in [("rules", &rules), ("dashboard", &dashboard), ("docs", &docs)] {
        let unknown: Vec<String> = named(of).difference(&scraped).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new(), "{what} name what is not scraped");
    }
    let in_docs: BTreeSet<&str> = docs.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    let missing: Vec<&String> = scraped.iter().filter(|name| !in_docs.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/METRICS.md has no row for {missing:?}");
    let in_rules = named(&rules);
    for (name, _) in types.iter().filter(|(_, kind)| *kind == "gauge") {
        let is_told = NO_ALERT.iter().any(|(exempt, _)| exempt == name);
        assert!(
            in_rules.contains(*name) != is_told,
            "{name}: no alert looks at it, or NO_ALERT says so though one does"
        );
    }
    for alert in alerts() {
        assert!(in_docs.contains(alert.as_str()), "docs/METRICS.md says nothing of {alert}");
    }
    // A dashboard with a question in each panel, which the docs list.
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 20);
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let row = format!("| {title} | {} |", panel["description"].as_str().unwrap());
        assert!(docs.lines().any(|l| l == row), "docs/METRICS.md has no row {row}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title} shows nothing");
    }
    let shown = named(&dashboard.to_string());
    let unseen: Vec<&&str> = types.iter().map(|(name, _)| name).filter(|name| !shown.contains(**name)).collect();
    let bare = [
        "qaudjrn_output_connections_total",
        "qaudjrn_output_found_total",
        "qaudjrn_spool_events_total",
        "qaudjrn_spool_notices_total",
    ];
    assert!(unseen.iter().all(|name| bare.contains(name)), "no panel shows {unseen:?}");
}

#[test]
fn n28_at_every_scrape_sums_balance_and_each_alert_fires_when_its_thing_breaks() {
    let dir = folder();
    capture(&dir, 16_000);
    make(&dir, "jump.type5", "--count 20 --seed 3 --system PROD02 --receiver AUDRCV0007 --first-sequence 1001");
    make(&dir, "old.type1", "--count 20 --seed 4 --type type1");
    let (port, dead, other) = (unused_port(), unused_port(), talks());
    let (well, deaf) = (Receiver::start(), Receiver::start_with(narrow()));
    deaf.stop_reading.store(true, Ordering::SeqCst);
    let tcp = |name: &str, port: u16, more: &str| output(name, &format!("tcp://127.0.0.1:{port}"), more);
    let metrics = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\nfile = \"DIR/q.prom\"\nmode = \"0644\"\n");
    let always =
        source("prod01", "day.type5", "follow = true\ngaps = \"receivers\"\nfilter.types.exclude = [\"CD\"]\n")
            + &output("file", "file:DIR/out", "filter.types.exclude = [\"PW\"]\n")
            + &tcp("well", well.port, "resend_window = { seconds = 1 }\n");
    let kept = tcp("kept", dead, "");
    let agent = Agent::new(dir, &format!("{AS_SHIPPED}heartbeat = 1\n{always}{metrics}"));
    let mut child = agent.start();
    let prometheus = Prometheus::start(agent.dir.path(), port, &rules());
    let request = |path: &str| get(port, &format!("GET {path} HTTP/1.0")).unwrap_or_default();
    agent.wait("a scrape", SOON, || prometheus.has_scraped());
    agent.wait("everything", SOON, || request("/metrics").1.contains("qaudjrn_output_waiting{output=\"well\"} 0"));
    assert!(request("/healthz").0.starts_with("HTTP/1.0 200"), "{:?}", request("/healthz"));
    agent.wait("all is well", SOON, || request("/readyz").1 == "ready\n");
    // The entries are older than a quarter of an hour, which is a lag, and nothing comes behind them.
    let firing = prometheus.firing();
    let others: Vec<_> =
        firing.iter().filter(|(a, _)| !["QaudjrnSourceLagging", "QaudjrnSourceSilent"].contains(&a.as_str())).collect();
    assert!(others.is_empty(), "{others:?} fire though all is well");

    // An output that is to be taken away, with what waits for it.
    agent.configure(&format!("{AS_SHIPPED}heartbeat = 1\n{always}{kept}{metrics}"));
    signal(&child, "HUP");
    let mut all = BTreeSet::new();
    fires(
        &agent,
        &prometheus,
        &mut all,
        &[("QaudjrnOutputDown", "kept"), ("QaudjrnOutputFlapping", "kept"), ("QaudjrnOutputLagging", "kept")],
    );

    // Everything at once that a configuration can break.
    let mut cut = fs::read(agent.dir.path().join("jump.type5")).unwrap();
    cut.splice(4_500..4_500, [0xAA; 77]);
    cut.truncate(20_000);
    fs::write(agent.dir.path().join("cut.type5"), cut).unwrap();
    let broken = source("gone", "gone.type5", "follow = true\n")
        + &source("never", "never.type5", "")
        + &source("jump", "jump.type5", "follow = true\n")
        + &source("cut", "cut.type5", "")
        + &source("old", "old.type1", "follow = true\n")
        + &tcp("dead", unused_port(), "")
        + &tcp("deaf", deaf.port, "")
        + &tcp("other", other, "")
        + &output("nobody", &format!("udp://127.0.0.1:{}", unused_port()), "")
        + &tcp("budget", Receiver::start().port, "meter = { bytes_per_day = 1000 }\n");
    agent.configure(&format!("{AS_SHIPPED}heartbeat = 1\n{always}{broken}{metrics}"));
    signal(&child, "HUP");
    fires(
        &agent,
        &prometheus,
        &mut all,
        &[("QaudjrnOutputOrphaned", "kept"), ("QaudjrnSourceDown", "gone"), ("QaudjrnFailed", "")],
    );
    make(&agent.dir, "more.type5", "--count 20 --seed 5 --system PROD02 --receiver AUDRCV0007 --first-sequence 9001");
    append(&agent, "jump.type5", "more.type5");
    fires(
        &agent,
        &prometheus,
        &mut all,
        &[
            ("QaudjrnGap", "jump"),
            ("QaudjrnSourceIncomplete", "cut"),
            ("QaudjrnParked", "cut"),
            ("QaudjrnSourceLacks", "old"),
            ("QaudjrnSourceSilent", "prod01"),
        ],
    );
    // What all outputs have to send: more than a receiver that reads nothing has room for.
    fs::copy(agent.dir.path().join("day.type5"), agent.dir.path().join("again.type5")).unwrap();
    append(&agent, "day.type5", "again.type5");
    fires(
        &agent,
        &prometheus,
        &mut all,
        &[
            ("QaudjrnSourceLagging", "prod01"),
            ("QaudjrnOutputStalled", "deaf"),
            ("QaudjrnOutputAnswered", "other"),
            ("QaudjrnOutputRefused", "nobody"),
            ("QaudjrnOutputOverBudget", "budget"),
        ],
    );
    let (head, lines) = request("/readyz");
    assert!(head.starts_with("HTTP/1.0 503"), "{head}");
    for line in [
        "source gone: not read for ",
        "source never: ",
        "output dead: no connection for ",
        "output deaf: its receiver takes nothing",
    ] {
        assert!(lines.lines().any(|l| l.starts_with(line)), "{line} is not in {lines}");
    }
    assert!(request("/healthz").0.starts_with("HTTP/1.0 200"));

    // A mistake in the configuration; then a spool that is nearly full, and one that is.
    let mended = fs::read_to_string(&agent.config).unwrap();
    fs::write(&agent.config, mended.clone() + "nonsense = 1\n").unwrap();
    signal(&child, "HUP");
    fires(&agent, &prometheus, &mut all, &[("QaudjrnConfigRefused", "")]);
    let figure = |name: &str| -> u64 {
        let text = request("/metrics").1;
        text.lines()
            .find_map(|l| l.strip_prefix(name)?.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let size = |bytes: u64| format!("[spool]\nmax_size = {bytes}\nwhen_full = \"drop_lowest_severity\"\n");
    // Sources read this with their next batch.
    fs::write(&agent.config, mended.clone() + &size(figure("qaudjrn_spool_used_bytes") * 100 / 97)).unwrap();
    signal(&child, "HUP");
    fires(&agent, &prometheus, &mut all, &[("QaudjrnSpoolNearlyFull", "")]);
    // How full it is is looked at behind each batch.
    for more in ["more.type5", "jump.type5"] {
        let before = figure("qaudjrn_source_read_total{source=\"prod01\"}");
        append(&agent, "day.type5", more);
        agent.wait("a batch", SOON, || figure("qaudjrn_source_read_total{source=\"prod01\"}") > before);
    }
    fires(&agent, &prometheus, &mut all, &[("QaudjrnSourceRefused", "prod01")]);
    fs::write(&agent.config, mended.clone() + &size(17 << 20)).unwrap();
    signal(&child, "HUP");
    fires(&agent, &prometheus, &mut all, &[("QaudjrnSpoolFull", "")]);
    assert!(request("/readyz").1.contains("spool: it is full"));

    // It is killed, again and again; at last something else has written into its spool.
    child.kill().unwrap();
    child.wait().unwrap();
    fires(&agent, &prometheus, &mut all, &[("QaudjrnDown", "")]);
    fs::write(&agent.config, &mended).unwrap();
    let is_told = |alert: &str| prometheus.firing().contains(&(alert.to_owned(), String::new()));
    // Starts within the same second are one.
    for start in 0.. {
        assert!(start < 30, "it was started {start} times");
        child = agent.start();
        agent.wait("a scrape of a start", SOON, || prometheus.has_scraped());
        agent.wait("an evaluation of it", SOON, || !is_told("QaudjrnDown"));
        if is_told("QaudjrnRestarts") {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        agent.wait("its end", SOON, || is_told("QaudjrnDown"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    all.insert("QaudjrnRestarts".to_owned());
    let damage = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('UPDATE batch SET blob = zeroblob(20)'); d.commit()";
    let done =
        Command::new("python3").args(["-c", damage]).arg(agent.dir.path().join("state/spool.db")).status().unwrap();
    assert!(done.success());
    let child = agent.start();
    fires(&agent, &prometheus, &mut all, &[("QaudjrnSpoolDamaged", "")]);

    let file = agent.dir.path().join("q.prom");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
    assert!(agent.read("q.prom").contains("# TYPE qaudjrn_source_read_total counter\n"));
    assert!(!agent.dir.path().join("state/metrics.prom").exists(), "there is one file");
    signal(&child, "TERM");
    let scrapes = prometheus.scrapes();
    scrapes.iter().filter(|s| s.keys().any(|(name, _)| name == "qaudjrn_info")).for_each(assert_balance);
    assert!(scrapes.len() > 60, "{}", scrapes.len());
    assert!(!prometheus.firing().iter().any(|(alert, _)| alert == "QaudjrnSumsOff"));
    all.extend(ELSEWHERE.map(|(alert, _)| alert.to_owned()));
    assert_eq!(all, alerts());
    assert!(agent.log().lines().all(|l| !l.contains("panicked")), "{}", agent.log());
    let mut child = child;
    let _ = child.kill();
    let _ = child.wait();
}

/// Writes a file behind another.
fn append(agent: &Agent, to: &str, from: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(agent.dir.path().join(to)).unwrap();
    file.write_all(&fs::read(agent.dir.path().join(from)).unwrap()).unwrap();
}

/// A disk that fails the spool needs a start of its own: the rule itself is promtool's to try.
#[test]
fn a_spool_that_cannot_be_written_is_stuck_until_it_can() {
    let dir = folder();
    capture(&dir, 20);
    fs::copy(dir.path().join("day.type5"), dir.path().join("more.type5")).unwrap();
    let port = unused_port();
    let metrics = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n");
    let text = source("prod01", "day.type5", "follow = true\n") + &output("a", "file:DIR/out", "") + &metrics;
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{text}"));
    let (state, room) = (agent.dir.path().join("state"), agent.dir.path().join("room"));
    let mut command = agent.command();
    command
        .env("LD_PRELOAD", harness::program::shim("fault_shim"))
        .env("FAULT_DIR", state)
        .env("FAULT_NAME", "spool.db*");
    command.env("FAULT_CALLS", "write").env("FAULT_HOW", "enospc").env("FAULT_AT", "150").env("FAULT_UNTIL", &room);
    let child = command.spawn().unwrap();
    let says = |path: &str, text: &str| {
        get(port, &format!("GET {path} HTTP/1.0")).is_some_and(|(_, body)| body.lines().any(|l| l == text))
    };
    agent.wait("an answer", SOON, || says("/metrics", "qaudjrn_spool_stuck 0"));
    // What comes is written, until that fails.
    agent.wait("a disk that fails", SOON, || {
        append(&agent, "day.type5", "more.type5");
        says("/metrics", "qaudjrn_spool_stuck 1")
    });
    assert!(says("/readyz", "spool: it cannot be written at present"));
    fs::write(room, "").unwrap();
    agent.wait("room", SOON, || says("/metrics", "qaudjrn_spool_stuck 0"));
    agent.wait("readiness", SOON, || says("/readyz", "ready"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

/// The rest of what is asked of a server that faces others: what is no request holds up nobody.
#[test]
fn whoever_asks_for_nonsense_or_holds_connections_keeps_nobody_from_the_figures() {
    let dir = folder();
    capture(&dir, 20);
    let port = unused_port();
    let text = format!(
        "{}{}[metrics]\nlisten = \"127.0.0.1:{port}\"\n",
        source("prod01", "day.type5", "follow = true\n"),
        output("a", "file:DIR/out", "")
    );
    let agent = Agent::new(dir, &text);
    let child = agent.start();
    agent.wait("an answer", SOON, || get(port, "GET /healthz HTTP/1.0").is_some());
    for (request, status) in [
        ("GET /metrics HTTP/1.0", "200 OK"),
        ("HEAD /metrics HTTP/1.0", "200 OK"),
        ("GET /metrics?x=1 HTTP/1.0", "200 OK"),
        ("GET / HTTP/1.0", "404 Not Found"),
        ("GET /../etc/passwd HTTP/1.0", "404 Not Found"),
        ("POST /metrics HTTP/1.0", "405 Method Not Allowed"),
        ("DELETE /healthz HTTP/1.0", "405 Method Not Allowed"),
        ("\x16\x03\x01\x02\0", "400 Bad Request"),
        (&format!("GET /{} HTTP/1.0", "x".repeat(100_000)), "431 Request Header Fields Too Large"),
        (&format!("GET /metrics HTTP/1.0\r\n{}x: y", "a: b\r\n".repeat(500)), "431 Request Header Fields Too Large"),
    ] {
        // What is refused before it is read may be answered by a reset.
        let (head, body) = get(port, request).unwrap_or_default();
        let is_long = request.len() > 1_000 && head.is_empty();
        assert!(head.contains(status) || is_long, "{:.80}: {head}", request);
        assert!(
            request.starts_with("HEAD") == (body.is_empty() && !is_long) || status.starts_with('4'),
            "{:.80}: {body}",
            request
        );
    }
    let (_, open) = get(port, "GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text;version=1.0.0").unwrap();
    assert!(open.ends_with("# EOF\n"), "{open}");
    // More than there are seats, who say nothing: they are closed, and then there is room again.
    let held: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    agent.wait("an answer behind those who say nothing", SOON, || {
        get(port, "GET /healthz HTTP/1.0").is_some_and(|(h, _)| h.contains("200"))
    });
    drop(held);
    // A reload closes the address; the port is free again.
    let without = fs::read_to_string(&agent.config).unwrap().replace("listen = ", "# listen = ");
    fs::write(&agent.config, without).unwrap();
    signal(&child, "HUP");
    agent.wait("a closed address", SOON, || TcpListener::bind(("127.0.0.1", port)).is_ok());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}
