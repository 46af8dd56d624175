//! Bytes that strangers choose: names of files, what servers answer, names of systems, certificates, user names. None of them
//! reaches a log, a terminal, a metric, a page or a table as a character that somebody would obey, and none forges a line.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use harness::{
    agent::{Agent, signal},
    ebcdic::is_format,
    program::{Run, folder, make, qaudjrn},
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use tempfile::TempDir;

/// LF, CR, ESC, BEL, DEL, C1, bidirectional, zero width, byte order mark, a tag, a separator of lines, and a forged message.
const HOSTILE: &str = "a\nqaudjrn: source prod: everything is fine\r\u{1b}[2J\u{7}\u{7f}\u{9b}2J\u{202e}\u{200b}\u{feff}\u{e0041}\u{2028}z";

/// A name of a file may hold neither NUL nor a slash, but bytes that are no text.
fn hostile_name(end: &str) -> Vec<u8> {
    [HOSTILE.as_bytes(), b"\xff\xc3", end.as_bytes()].concat()
}

/// No character that is obeyed and not seen, but the ends of lines.
#[track_caller]
fn clean(what: &str, text: &str) {
    if let Some((at, c)) = text.char_indices().find(|(_, c)| *c != '\n' && (c.is_control() || is_format(*c))) {
        panic!("{what} holds {c:?} at {at}: {text:?}");
    }
    assert!(
        !text.lines().any(|l| l.starts_with("qaudjrn: source prod: everything")),
        "{what} has a forged line: {text}"
    );
}

#[track_caller]
fn clean_run(what: &str, run: &Run) {
    clean(&format!("standard error of {what}"), &run.stderr);
    clean(&format!("standard output of {what}"), &run.stdout);
}

fn at(dir: &TempDir, name: &[u8]) -> PathBuf {
    dir.path().join(OsStr::from_bytes(name))
}

#[test]
fn h8_names_of_files_are_shown_and_never_obeyed() {
    let dir = folder();
    let drop = dir.path().join("drop");
    fs::create_dir(&drop).unwrap();
    let made = make(&dir, "day.type5", "--count 20 --seed 3");
    let (good, bad) =
        (drop.join(OsStr::from_bytes(&hostile_name("1"))), drop.join(OsStr::from_bytes(&hostile_name("2"))));
    fs::copy(&made.path, &good).unwrap();
    fs::write(&bad, "this is no capture, whatever its name says\n".repeat(40)).unwrap();
    let agent = Agent::new(
        dir,
        "[[source]]\nname = \"in\"\nkind = \"directory\"\npath = \"drop\"\ntimezone = \"UTC\"\ncomplete = \"rename\"\nafter = \"move\"\n\
         [[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"cef\"\n",
    );
    let child = agent.start();
    agent.wait("the file that was read is moved", Duration::from_secs(60), || !good.exists());
    agent
        .wait("the file that is none is named", Duration::from_secs(60), || agent.log().contains("everything is fine"));
    signal(&child, "TERM");
    // A file that cannot be read was not sent.
    agent.assert_exit(child, 3, Duration::from_secs(60));
    clean("the log", &agent.log());
    assert!(agent.log().lines().all(|l| l.starts_with("qaudjrn: ")), "{}", agent.log());
    assert!(agent.log().contains(r"a\x0aqaudjrn: source prod"), "{}", agent.log());
    clean("the metrics", &agent.read("state/metrics.prom"));
    clean("the lines", &agent.read("out"));
}

#[test]
fn h8_commands_show_names_of_files_and_users_and_obey_none() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 60 --seed 3");
    // A user whose name is LF, ESC and NUL in EBCDIC; a name of a system like it.
    let mut bytes = fs::read(&made.path).unwrap();
    let user = made.truth[0]["header"]["user_name"].as_str().unwrap().trim_end().to_owned();
    let system = made.truth[0]["header"]["system_name"].as_str().unwrap().trim_end().to_owned();
    for (name, to) in [(user, [0x25, 0x27, 0x00, 0x15]), (system, [0x27, 0x25, 0x15, 0x0D])] {
        let name: Vec<u8> =
            name.chars().map(|c| harness::ebcdic::table(37).iter().position(|t| *t == c).unwrap() as u8).collect();
        while let Some(found) = bytes.windows(name.len()).position(|w| w == name) {
            for (byte, to) in bytes[found..found + name.len()].iter_mut().zip(to.into_iter().cycle()) {
                *byte = to;
            }
        }
    }
    let hostile = at(&dir, &hostile_name(""));
    fs::write(&hostile, &bytes).unwrap();
    let garbage = at(&dir, &hostile_name("g"));
    fs::write(&garbage, "no capture\n".repeat(100)).unwrap();
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[filter]\ntypes.exclude = [\"ZR\"]\n").unwrap();
    let (config, page) = (config.display().to_string(), dir.path().join("page.html"));
    for args in [
        "decode --pretty".to_owned(),
        "decode".to_owned(),
        "explain --nth 1".to_owned(),
        "explain --nth 1 --json".to_owned(),
        format!("what-if --config {config} --html {}", page.display()),
        format!("what-if --config {config} --json"),
        "replay --to stdout --format cef --summary text".to_owned(),
        "replay --to stdout --format syslog --summary json".to_owned(),
        "replay --to stdout --format json --summary json".to_owned(),
    ] {
        let run = qaudjrn(
            &format!("{args} --timezone UTC")
                .replace("decode --pretty --timezone UTC", "decode --pretty")
                .replace("decode --timezone UTC", "decode"),
            &[&hostile],
        );
        assert!(run.code == 0 || run.code == 3, "{args}: {run:?}");
        assert!(!run.stdout.is_empty(), "{args}");
        // LEEF 1.0, of which `explain` shows a line, has the tab between its values.
        let stdout = if args == "explain --nth 1" { run.stdout.replace('\t', " ") } else { run.stdout };
        clean_run(&args, &Run { stdout, ..run });
        let run = qaudjrn(&args, &[&garbage]);
        assert!(run.code != 0 && run.stderr.contains("everything is fine"), "{args}: {run:?}");
        clean_run(&args, &run);
    }
    clean("the page", &fs::read_to_string(&page).unwrap());
    // As an argument that is none.
    let run = qaudjrn("decode", &[Path::new(OsStr::from_bytes(&[b"--x", hostile_name("").as_slice()].concat()))]);
    assert!(run.code == 2 && run.stderr.contains("unexpected argument"), "{run:?}");
    clean_run("an unknown option", &run);
}

/// A program that speaks Mapepire and answers with what it likes.
const SERVER: &str = r#"
import json, sys
hostile = json.load(open(sys.argv[1], encoding='utf-8'))
print(hostile, file=sys.stderr, flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    sql = asked.get("sql", "")
    answer = {"id": asked["id"], "success": False, "error": hostile, "sql_state": hostile, "sql_rc": -443}
    if asked["type"] == "connect" and sys.argv[2] == "in":
        answer = {"id": asked["id"], "success": True, "job": hostile}
    elif "CURRENT_SERVER" in sql:
        row = ["2026-11-29-12.00.00.000000", "0", hostile, hostile]
        answer = {"id": asked["id"], "success": True, "data": [row], "is_done": True}
    print(json.dumps(answer), flush=True)
"#;

#[test]
fn h8_what_a_server_says_is_shown_and_never_obeyed() {
    let dir = folder();
    let server = dir.path().join("server.py");
    fs::write(&server, SERVER).unwrap();
    let said = dir.path().join("said.json");
    fs::write(&said, serde_json::to_string(HOSTILE).unwrap()).unwrap();
    let text = |how: &str| {
        format!(
            "[[source]]\nname = \"prod01\"\nkind = \"mapepire\"\ntimezone = \"UTC\"\ncolumns = \"user_name\"\npoll_interval = 1\n\
             command = [\"python3\", \"{}\", \"{}\", \"{how}\"]\n[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\nheartbeat = 1\n",
            server.display(),
            said.display()
        )
    };
    let agent = Agent::new(dir, &text("in"));
    for (how, says) in [("in", "SQLSTATE a"), ("out", "error")] {
        agent.configure(&text(how));
        for file in ["log", "out"] {
            let _ = fs::remove_file(agent.dir.path().join(file));
        }
        let mut child = agent.start();
        agent.wait("what the server says", Duration::from_secs(60), || {
            agent.log().matches("everything is fine").count() > 1
        });
        agent.wait("a heartbeat", Duration::from_secs(60), || agent.read("out").contains("AGENT-HEARTBEAT"));
        signal(&child, "TERM");
        // How it ends with a refused login is not what this is about.
        child.wait().unwrap();
        clean("the log", &agent.log());
        assert!(agent.log().lines().all(|l| l.starts_with("qaudjrn: ")), "{says}: {}", agent.log());
        clean("the metrics", &agent.read("state/metrics.prom"));
        clean("the lines", &agent.read("out"));
    }
    for args in ["doctor", "doctor --json", "doctor --layouts", "doctor --receivers"] {
        for how in ["in", "out"] {
            agent.configure(&text(how));
            let run = qaudjrn(&format!("{args} --config {}", agent.config.display()), &[]);
            assert!(run.stdout.contains("everything is fine") || run.stderr.contains("everything is fine"), "{run:?}");
            clean_run(args, &run);
        }
    }
}

/// A server that shows a certificate of hostile names to everybody, as often as it is asked.
fn hostile_tls() -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, HOSTILE);
    name.push(DnType::OrganizationName, "siem\u{202e}moc.live");
    params.distinguished_name = name;
    let names = ["host\n\u{1b}[2Jx", "host.example.com"].map(|n| SanType::DnsName(n.try_into().unwrap()));
    params.subject_alt_names = names.to_vec();
    let cert = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
            let _ = stream.write_all(b"\r\n").and_then(|()| stream.read(&mut [0; 64]));
        }
    });
    port
}

#[test]
fn h8_h12_a_certificate_is_shown_and_never_obeyed() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 5 --seed 3");
    let port = hostile_tls();
    for address in [format!("127.0.0.1:{port}"), format!("tls://127.0.0.1:{port}")] {
        let run = qaudjrn(&format!("pin {address}"), &[]);
        assert!(run.code == 0 && run.stdout.contains(r"siem\u{202e}moc.live"), "{run:?}");
        clean_run("pin", &run);
    }
    let run = qaudjrn(&format!("replay --timezone UTC --to tls://127.0.0.1:{port}"), &[&made.path]);
    assert!(run.code == 1 && run.stderr.contains(r"siem\u{202e}moc.live"), "{run:?}");
    clean_run("replay", &run);
    let agent = Agent::new(
        dir,
        &format!(
            "{}timezone = \"UTC\"\n[[output]]\nname = \"a\"\naddress = \"tls://127.0.0.1:{port}\"\n",
            harness::agent::SOURCE
        ),
    );
    let child = agent.start();
    agent.wait("the certificate", Duration::from_secs(60), || agent.log().contains(r"siem\u{202e}moc.live"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(60));
    clean("the log", &agent.log());
}

#[test]
fn h8_a_configuration_shows_what_is_in_it_and_never_obeys_it() {
    let dir = folder();
    let config = at(&dir, &hostile_name(".toml"));
    let said = serde_json::to_string(HOSTILE).unwrap();
    // JSON writes DEL, C1 and format characters as they are, where TOML wants escapes for some.
    let said = said.replace('\u{7f}', "\\u007f");
    for text in [
        format!("[filter]\ntypes.send = [{said}]\nusers.exclude = [{said}]\n{said} = 1\n"),
        format!("[[source]]\nname = {said}\npath = {said}\n[[output]]\nname = {said}\naddress = {said}\n"),
        format!("state_dir = {said}\n[[output]]\nname = \"a\"\naddress = \"tls://h:1\"\nkey = {said}\nca = {said}\n"),
        format!("this is {HOSTILE} no TOML\n"),
    ] {
        fs::write(&config, text).unwrap();
        for args in
            ["check --config", "check --json --config", "run --config", "doctor --config", "spool status --config"]
        {
            let run = qaudjrn(args, &[&config]);
            assert!(run.code == 2, "{args}: {run:?}");
            clean_run(args, &run);
        }
    }
}

#[test]
fn f02_no_line_is_longer_than_a_receiver_takes_unless_that_was_asked_for() {
    // One CD entry; behind byte 8,096 of its line as it was stands what the user wants to be an event.
    let forge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field/forge.type5");
    for format in ["syslog", "cef", "leef", "leef2", "json"] {
        let run = qaudjrn(&format!("replay --timezone UTC --detail full --format {format}"), &[&forge]);
        let lines: Vec<usize> = run.stdout.split_terminator('\n').map(str::len).collect();
        assert!(lines.len() == 1 && lines[0] <= 8_096, "{format}: {lines:?}");
    }
    let asked = qaudjrn("replay --timezone UTC --format cef --max-size 9000", &[&forge]);
    assert!(asked.stdout.len() > 8_097, "it would be as long: {}", asked.stdout.len());
}
