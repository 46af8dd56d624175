//! `check --connect` and `--send-test` against real receivers and the stand-in of a live system: what is told of each, what arrives,
//! and that a login is tried once and an agent's state is left alone.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{
    agent::{Agent, SOURCE, capture, signal},
    peers::{Kind, Receiver, certificates::Certificates},
    program::{Run, folder, make, qaudjrn},
    system::System,
    unused_port,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// An output to a receiver, with its certificates.
fn output(name: &str, peer: &Receiver, more: &str) -> String {
    let c = &peer.certificates;
    let tls = match peer.kind.is_tls() {
        true => format!(
            "ca = \"{}\"\ncert = \"{}\"\nkey = \"{}\"\n",
            c.ca.display(),
            c.client_cert.display(),
            c.client_key.display()
        ),
        false => String::new(),
    };
    format!("[[output]]\nname = \"{name}\"\naddress = \"{}\"\n{tls}{more}\n", peer.address())
}

/// `qaudjrn check ARGS --config FILE`.
#[track_caller]
fn check(args: &str, config: &Path, code: i32) -> Run {
    let run = qaudjrn(&format!("check {args} --config"), &[config]);
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    run
}

/// What was tried, as objects.
#[track_caller]
fn tried(args: &str, config: &Path, code: i32) -> Vec<Value> {
    let run = check(&format!("--json {args}"), config, code);
    let all: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout));
    all["tried"].as_array().unwrap_or_else(|| panic!("nothing was tried: {all}")).clone()
}

/// Those about one thing.
fn of<'a>(all: &'a [Value], what: &str) -> Vec<&'a Value> {
    all.iter().filter(|f| f["for"] == what).collect()
}

fn text(finding: &Value) -> &str {
    finding["text"].as_str().unwrap()
}

/// Every file below a folder and what is in it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).map(|all| all.flatten().map(|f| f.path()).collect::<Vec<_>>()).unwrap_or_default();
    files.into_iter().map(|f| (f.clone(), fs::read(&f).unwrap_or_default())).collect()
}

#[test]
fn a_test_event_arrives_once_at_every_real_receiver_and_the_state_is_not_made() {
    let dir = folder();
    capture(&dir, 10);
    let kinds = [
        (Kind::RsyslogUdp, "nobody can say whether it arrived"),
        (Kind::RsyslogTcp, "the receiver has closed behind it"),
        (Kind::RsyslogMutualTls, "the receiver has closed behind it"),
        (Kind::RsyslogRelp, "the test event was acknowledged"),
        (Kind::RsyslogRelpTls, "the test event was acknowledged"),
        (Kind::SyslogNgNewline, "the test event is written"),
        (Kind::SyslogNgOctet, "the test event is written"),
        (Kind::SyslogNgTls, "the test event is written"),
    ];
    let formats = ["cef", "leef", "syslog", "json"];
    let mut peers: Vec<Receiver> = kinds.iter().map(|(kind, _)| Receiver::start(*kind)).collect();
    let outputs = peers.iter().enumerate().map(|(n, peer)| {
        let framing = if peer.kind == Kind::SyslogNgOctet { "framing = \"octet\"\n" } else { "" };
        output(&format!("o{n}"), peer, &format!("format = \"{}\"\n{framing}", formats[n % formats.len()]))
    });
    let agent = Agent::new(dir, &format!("{SOURCE}{}", outputs.collect::<String>()));
    // Nothing is sent where that was not asked for.
    let quiet = tried("--connect", &agent.config, 0);
    assert!(quiet.iter().all(|f| f["test_sent"] != json!(true)), "{quiet:#?}");
    let all = tried("--send-test", &agent.config, 0);
    for (n, (kind, words)) in kinds.iter().enumerate() {
        let found = of(&all, &format!("output o{n}"));
        assert!(text(found[0]).contains(words), "{kind:?}: {found:#?}");
        assert_eq!((&found[0]["reached"], &found[0]["test_sent"]), (&json!(true), &json!(true)), "{kind:?}");
        assert_eq!(found[0].get("verified"), kind.is_tls().then_some(&json!(true)), "{kind:?}");
        if kind.is_tls() {
            let shown = text(found[0]);
            assert!(
                shown.contains("TLS 1.3; its certificate is verified: for the name localhost, signed under"),
                "{shown}"
            );
            let certificate = &found[1]["certificate"];
            assert_eq!(certificate["names"], json!(["localhost", "127.0.0.1"]), "{found:#?}");
            assert_eq!(certificate["issuer"], "CN=qaudjrn test authority");
            assert!(certificate["days_left"].as_i64().unwrap() > 700_000, "{certificate}");
            assert!(text(found.last().unwrap()).starts_with("our own certificate"), "{found:#?}");
        }
        let peer = &mut peers[n];
        let came = peer.wait_for(1, SOON);
        let raw = &came[0].raw;
        assert!(raw.contains("AGENT-TEST") || raw.contains("AGENT_TEST"), "{kind:?}: {raw}");
        assert!(raw.contains("sent by qaudjrn check --send-test"), "{kind:?}: {raw}");
    }
    for (peer, (kind, _)) in peers.into_iter().zip(kinds) {
        let came = peer.stop();
        assert_eq!(came.len(), 1, "{kind:?}: {came:#?}");
    }
    assert!(!agent.dir.path().join("state").exists());
    assert!(text(of(&all, "state")[0]).contains("is made with the first start"), "{all:#?}");
}

#[test]
fn what_cannot_be_trusted_or_reached_is_told_with_what_to_do_and_gets_nothing() {
    let dir = folder();
    capture(&dir, 10);
    let cases = [
        ("expired", Kind::RsyslogTls, "it has expired"),
        ("other-name", Kind::SyslogNgTls, "it is not for the name localhost: connect by a name it has"),
        ("unknown-ca", Kind::RsyslogTls, "no trusted CA signed it: give its CA"),
        ("not-tls", Kind::SyslogNgNewline, "is it a TLS port?"),
        ("no-client", Kind::RsyslogMutualTls, "it may ask for a client certificate"),
    ];
    let mut peers: Vec<Receiver> = cases.iter().map(|(_, kind, _)| Receiver::start(*kind)).collect();
    let stranger = folder();
    let strange = Certificates::make(stranger.path());
    let mut outputs = String::new();
    for ((name, ..), peer) in cases.iter().zip(&mut peers) {
        match *name {
            "expired" => peer.certificates.server(&["localhost"], 2020),
            "other-name" => peer.certificates.server(&["siem.example.com"], 4096),
            _ => {}
        }
        if matches!(*name, "expired" | "other-name") {
            peer.terminate();
            peer.restart();
        }
        let ca = if *name == "unknown-ca" { &strange.ca } else { &peer.certificates.ca };
        let (port, ca) = (peer.port, ca.display());
        outputs += &format!(
            "[[output]]\nname = \"{name}\"\naddress = \"tls://localhost:{port}\"\nca = \"{ca}\"\nconnect_timeout = 2\n"
        );
    }
    let dead = unused_port();
    outputs += &format!("[[output]]\nname = \"dead\"\naddress = \"tcp://127.0.0.1:{dead}\"\n");
    outputs += &format!("[[output]]\nname = \"dead-udp\"\naddress = \"udp://127.0.0.1:{dead}\"\n");
    outputs += "[[output]]\nname = \"no-name\"\naddress = \"tcp://no-such-host.invalid:514\"\n";
    let agent = Agent::new(dir, &format!("{SOURCE}{outputs}"));
    let all = tried("--send-test", &agent.config, 1);
    for (name, _, words) in cases {
        let found = of(&all, &format!("output {name}"));
        assert_eq!(found[0]["result"], "failed", "{found:#?}");
        assert!(text(found[0]).contains(words), "{name}: {found:#?}");
        // Of the one that wants to know who we are, we know who it is.
        assert_eq!(found[0]["verified"] == json!(true), name == "no-client", "{name}: {found:#?}");
    }
    // What it showed is told though it was not trusted.
    let expired = of(&all, "output expired")[1];
    assert!(text(expired).contains("ended on 2020-01-01: it is to be renewed"), "{expired:#}");
    assert!(expired["certificate"]["days_left"].as_i64().unwrap() < -2_000);
    assert_eq!(of(&all, "output other-name")[1]["certificate"]["names"], json!(["siem.example.com"]));
    let dead = of(&all, "output dead")[0];
    assert!(text(dead).contains("nobody listens there; is the receiver started, and is it this port?"), "{dead:#}");
    assert_eq!((&dead["result"], &dead["reached"]), (&json!("failed"), &json!(false)));
    assert!(text(of(&all, "output dead-udp")[0]).contains("nobody listens there"), "{all:#?}");
    assert!(text(of(&all, "output no-name")[0]).contains("is the name right"), "{all:#?}");
    for (peer, (name, ..)) in peers.iter_mut().zip(cases) {
        // One that takes lines in clear got the beginning of a handshake.
        assert!(name == "not-tls" || peer.count() == 0, "{name}");
    }
    // The same in words, a line each, in the order of the file.
    let run = check("--connect", &agent.config, 1);
    let lines: Vec<&str> = run.lines().into_iter().skip_while(|l| !l.starts_with("ok      state:")).collect();
    assert!(lines.len() > 8, "{}", run.stdout);
    let place =
        |what: &str| lines.iter().position(|l| l.contains(what)).unwrap_or_else(|| panic!("{what}: {lines:#?}"));
    assert!(lines[place(" output expired: ")].starts_with("failed  output expired: TLS handshake with localhost"));
    assert!(
        place(" output expired: ") < place(" output dead: ") && place(" source prod01: ") < place(" output expired: ")
    );
    // Over UDP nothing is known where nothing is sent.
    assert!(lines[place(" output dead-udp: ")].starts_with("note "), "{lines:#?}");
}

#[test]
fn nobody_verified_is_odd_and_a_configuration_that_is_wrong_tries_nothing() {
    let dir = folder();
    capture(&dir, 10);
    let mut peer = Receiver::start(Kind::RsyslogTls);
    let text_of =
        |key: &str| format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"tls://localhost:{}\"\n{key}\n", peer.port);
    let agent = Agent::new(dir, &text_of("insecure_skip_verify = true"));
    let all = tried("--connect", &agent.config, 3);
    let found = of(&all, "output a");
    assert_eq!((&found[0]["result"], &found[0]["verified"]), (&json!("warning"), &json!(false)), "{found:#?}");
    assert!(text(found[0]).contains("nobody verified its certificate"), "{found:#?}");
    let fingerprint = found[1]["certificate"]["fingerprint"].as_str().unwrap().to_owned();
    agent.configure(&text_of(&format!("pin = \"{fingerprint}\"")));
    let all = tried("--connect", &agent.config, 0);
    assert!(text(of(&all, "output a")[0]).contains("its certificate is the one that pin names"), "{all:#?}");
    agent.configure(&text_of("no_such_key = 1"));
    let run = check("--connect --send-test", &agent.config, 2);
    assert!(run.stdout.contains("nothing was tried: the configuration is to be put right first"), "{}", run.stdout);
    let run = check("--json --connect", &agent.config, 2);
    assert!(serde_json::from_str::<Value>(&run.stdout).unwrap().get("tried").is_none());
    assert_eq!(peer.count(), 0);
}

#[test]
fn a_live_system_is_asked_once_and_a_login_that_is_refused_is_not_tried_by_a_second_source() {
    let system = System::start("--entries 50 --receivers 2");
    let dir = folder();
    let out = "[[output]]\nname = \"a\"\naddress = \"null\"\n";
    let source = system.source("");
    let second = source.replace("\"prod01\"", "\"again\"");
    let agent = Agent::new(dir, &format!("{source}{second}{out}"));
    let all = tried("--connect", &agent.config, 0);
    let found = of(&all, "source prod01");
    let [first, journal, clock, certificate] = found[..] else { panic!("{found:#?}") };
    assert!(text(first).contains("PROD01 answers, logged in as AUDITOR (job "), "{first:#}");
    assert!(text(first).contains("its certificate is verified"), "{first:#}");
    assert!(text(journal).contains("the journal QSYS/QAUDJRN is there, with the receiver "), "{journal:#}");
    assert!(clock["clock"]["ahead_seconds"].as_f64().unwrap().abs() < 5.0, "{clock:#}");
    assert!(certificate["certificate"]["days_left"].as_i64().is_some(), "{certificate:#}");
    let stats = system.was_treated_well();
    assert_eq!((&stats["logins"], &stats["logins_failed"]), (&json!(2), &json!(0)), "{stats}");
    // Its clock is in another zone than the configuration says.
    system.tell(json!({"cmd": "offset", "seconds": 0}));
    let all = tried("--connect", &agent.config, 3);
    assert!(
        of(&all, "source prod01").iter().any(|f| text(f).contains("set timezone to where the system is")),
        "{all:#?}"
    );
    system.tell(json!({"cmd": "journal", "there": false}));
    let all = tried("--connect", &agent.config, 1);
    assert!(text(of(&all, "source prod01")[1]).contains("AUDITOR sees no journal QSYS/QAUDJRN"), "{all:#?}");
    // A wrong password: one login for both.
    system.tell(json!({"cmd": "stats", "reset": true}));
    fs::write(system.dir.path().join("password"), "wrong\n").unwrap();
    let all = tried("--connect", &agent.config, 1);
    let refused = of(&all, "source prod01")[0];
    assert_eq!(refused["login_refused"], json!(true), "{refused:#}");
    assert!(text(refused).contains("Password is incorrect"), "{refused:#}");
    assert!(text(refused).contains("it was tried once, because three refusals disable the profile"), "{refused:#}");
    assert!(text(of(&all, "source again")[0]).contains("not asked: source prod01 logs in alike"), "{all:#?}");
    let stats = system.tell(json!({"cmd": "stats"}));
    assert_eq!((&stats["logins"], &stats["logins_failed"]), (&json!(1), &json!(1)), "{stats}");
    // One that does not answer is given up, and so is who logs in alike.
    system.tell(json!({"cmd": "stall", "seconds": 30, "statement": "SYSTEM", "count": 5}));
    fs::write(system.dir.path().join("password"), "secret\n").unwrap();
    let all = tried("--connect --timeout 1", &agent.config, 1);
    assert!(text(of(&all, "source prod01")[0]).contains("no answer within 1 s (--timeout)"), "{all:#?}");
}

#[test]
fn sources_of_files_say_what_would_be_read_first_and_where_an_agent_has_read() {
    let dir = folder();
    capture(&dir, 40);
    fs::create_dir(dir.path().join("in")).unwrap();
    make(&dir, "in/b.type5", "--count 5 --seed 2");
    make(&dir, "in/a.type5", "--count 5 --seed 3");
    let folder_source = "[[source]]\nname = \"drop\"\nkind = \"directory\"\npath = \"in\"\npattern = \"*.type5\"\ncomplete = \"rename\"\ntimezone = \"UTC\"\nfollow = false\nsystem = \"PROD2\"\n";
    let port = unused_port();
    let stream = format!(
        "[[source]]\nname = \"door\"\nkind = \"stream\"\nlisten = \"tcp://127.0.0.1:{port}\"\ninput = \"type5\"\ntimezone = \"UTC\"\n"
    );
    let missing = "[[source]]\nname = \"gone\"\npath = \"gone.type5\"\nfollow = true\ntimezone = \"UTC\"\n";
    let out = "[[output]]\nname = \"out\"\naddress = \"file:DIR/out\"\n";
    let agent = Agent::new(dir, &format!("{SOURCE}{folder_source}{stream}{missing}{out}"));
    let all = tried("--connect", &agent.config, 0);
    let said = |all: &[Value], what: &str| text(of(all, what)[0]).to_owned();
    let first = said(&all, "source prod01");
    assert!(first.contains("can be read; first comes entry 1 (") && first.contains("*TYPE5"), "{first}");
    assert!(said(&all, "source drop").contains("/in/a.type5"), "{all:#?}");
    assert!(said(&all, "source door").contains("is free"), "{all:#?}");
    assert!(said(&all, "source gone").contains("is not there yet"), "{all:#?}");
    assert!(of(&all, "source prod01")[1]["text"].as_str().unwrap().contains("clock"), "{all:#?}");
    assert!(!agent.dir.path().join("out").exists() && !agent.dir.path().join("state").exists());
    // An agent reads them, and goes on: the state is told to be in use, and is not touched.
    let child = agent.start();
    agent.wait("everything", SOON, || agent.read("out").lines().filter(|l| l.contains("externalId=")).count() >= 50);
    agent.waits("out", 0, SOON);
    let status = |agent: &Agent| qaudjrn("spool status --json --config", &[&agent.config]).stdout;
    let before: Value = serde_json::from_str(&status(&agent)).unwrap();
    let all = tried("--send-test", &agent.config, 0);
    assert_eq!(of(&all, "state")[0]["in_use"], json!(true), "{all:#?}");
    assert!(said(&all, "source prod01").contains("an agent has read all of it"), "{all:#?}");
    assert!(said(&all, "source drop").contains("no file that fits *.type5 waits in it"), "{all:#?}");
    assert!(said(&all, "source door").contains("by the agent that runs"), "{all:#?}");
    assert!(said(&all, "output out").contains("written, and on the disk"), "{all:#?}");
    assert!(agent.read("out").contains("|AGENT-TEST|"), "{}", agent.read("out"));
    let after: Value = serde_json::from_str(&status(&agent)).unwrap();
    assert_eq!((&before["outputs"], &before["batches"]), (&after["outputs"], &after["batches"]));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(30));
    // Of an agent that does not run every byte of the state is as it was.
    let state = agent.dir.path().join("state");
    let before = contents(&state);
    assert!(before.len() > 2);
    let all = tried("--send-test", &agent.config, 0);
    assert_eq!(of(&all, "state")[0]["in_use"], json!(false));
    assert!(contents(&state) == before, "{:?}", contents(&state).keys());
    // A folder that is none of ours to write, and a file that is no capture.
    fs::write(agent.dir.path().join("in/c.type5"), "this is no capture\n").unwrap();
    fs::write(agent.dir.path().join("gone.type5"), "this is no capture either, however long it goes on\n").unwrap();
    let all = tried("--connect", &agent.config, 1);
    assert_eq!(of(&all, "source gone")[0]["result"], "failed", "{all:#?}");
}
