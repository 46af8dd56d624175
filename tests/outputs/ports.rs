//! Something else than a receiver of lines at the other end: wrong ports (N6), nobody at all (UDP, a closed pipe: N8).
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, UdpSocket},
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

use super::{SOON, spooled, sums};
use harness::{
    agent::{Agent, FOLLOWED, SOURCE, capture, signal},
    peers::{Kind, Receiver as Peer},
    program::{count, executable, folder, replay},
};

/// Answers whatever comes with `answer` and closes when the other side does.
fn answering(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 65_536];
            let _ = stream.read(&mut bytes);
            let _ = stream.write_all(answer);
            while matches!(stream.read(&mut bytes), Ok(1..)) {}
        }
    });
    port
}

#[test]
fn n6_lines_into_a_port_of_another_protocol_are_told_and_never_count_as_sent() {
    let tls = Peer::start(Kind::RsyslogTls);
    let relp = Peer::start(Kind::RsyslogRelp);
    let alert = answering(b"\x15\x03\x03\x00\x02\x02\x46");
    let http = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let html = answering(b"<!DOCTYPE HTML>\n<html>");
    let memcached = answering(b"ERROR\r\n");
    let http2 = answering(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80");
    for (port, words) in [
        (alert, "answers with a TLS record"),
        (http, "answers as a web server does (HTTP)"),
        (html, "answers as a web server does (HTTP)"),
        (memcached, "answers as memcached does"),
        (http2, "answers as a web server does (HTTP/2)"),
        (tls.port, ""),
        (relp.port, ""),
    ] {
        for entries in [1, 3_000] {
            let dir = folder();
            let made = capture(&dir, entries);
            // What is said before the end of the connection is also known by the command that sends once.
            let run = replay(&format!("--format json --to tcp://127.0.0.1:{port}"), &[&made.path]);
            assert_eq!(run.code, 1, "{words}: {}", run.stderr);
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
            let agent = Agent::new(
                dir,
                &format!(
                    "heartbeat = 0\n{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n"
                ),
            );
            let child = agent.start();
            agent.wait("a word of it", SOON, || {
                agent.log().contains("will be sent again") && agent.log().contains(words)
            });
            signal(&child, "TERM");
            agent.assert_exit(child, 0, SOON);
            let of = sums(&agent, "a");
            assert_eq!((of("sent"), of("waiting")), (0, spooled(&agent)), "{words}: {}", agent.log());
        }
    }
}

#[test]
fn n6_a_receiver_that_answers_in_words_that_nobody_knows_ends_with_3() {
    let port = answering(b"what do you want?\n");
    let dir = folder();
    let made = capture(&dir, 100);
    let run = replay(&format!("--format json --to tcp://127.0.0.1:{port}"), &[&made.path]);
    run.assert_output(3, &["is it the right port?"]);
    let output = format!("[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}{output}"));
    let child = agent.start();
    agent.wait("a word of it", SOON, || agent.log().contains("what do you want?"));
    signal(&child, "USR1");
    let status =
        || agent.log().lines().any(|l| l.contains("status: output a: ") && l.contains("is it the right port?"));
    agent.wait("the status", SOON, status);
    signal(&child, "TERM");
    agent.assert_exit(child, 3, SOON);
    assert!(agent.read("state/metrics.prom").contains("qaudjrn_output_answered{output=\"a\"} 1"), "{}", agent.log());
}

#[test]
fn n6_tls_and_relp_into_a_plain_port_are_told_and_never_count_as_sent() {
    let plain = Peer::start(Kind::RsyslogTcp);
    let http = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    for (address, words) in [
        (format!("tls://127.0.0.1:{http}"), "is it a TLS port?"),
        (format!("relp://127.0.0.1:{http}"), "is it a RELP port"),
        (format!("tls://127.0.0.1:{}", plain.port), "is it a TLS port?"),
        (format!("relp://127.0.0.1:{}", plain.port), "is it a RELP port"),
    ] {
        let dir = folder();
        capture(&dir, 100);
        let agent = Agent::new(
            dir,
            &format!(
                "heartbeat = 0\n{SOURCE}[[output]]\nname = \"a\"\naddress = \"{address}\"\nconnect_timeout = 2\ninsecure_skip_verify = true\n"
            ),
        );
        let child = agent.start();
        agent.wait("a word of it", SOON, || agent.log().contains(words));
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        let of = sums(&agent, "a");
        assert_eq!((of("sent"), of("waiting")), (0, spooled(&agent)), "{address}: {}", agent.log());
    }
}

#[test]
fn n6_datagrams_that_are_refused_are_never_called_sent() {
    let dir = folder();
    let made = capture(&dir, 100);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = replay(&format!("--format json --to udp://127.0.0.1:{port}"), &[&made.path]);
    let summary = run.summary();
    assert_eq!(
        (run.code, count(&summary, "sent"), count(&summary, "datagrams_refused")),
        (3, 0, 100),
        "{}",
        run.stderr
    );
    let agent = Agent::new(
        dir,
        &format!(
            "heartbeat = 0\n{SOURCE}[[output]]\nname = \"a\"\naddress = \"udp://127.0.0.1:{port}\"\nformat = \"json\"\n"
        ),
    );
    agent.assert_exit(agent.start(), 3, SOON);
    let of = sums(&agent, "a");
    assert_eq!((of("sent"), of("refused"), of("waiting")), (0, 100, 0), "{}", agent.log());
    assert!(agent.read("state/metrics.prom").contains("qaudjrn_output_refused_total{output=\"a\"} 100"));
}

#[test]
fn n6_refused_datagrams_are_told_to_every_output_in_the_status_and_in_heartbeats_and_make_no_loop() {
    let dir = folder();
    capture(&dir, 500);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outputs = format!(
        "[[output]]\nname = \"u\"\naddress = \"udp://127.0.0.1:{port}\"\nformat = \"json\"\n[[output]]\nname = \"f\"\naddress = \"file:DIR/out\"\nformat = \"json\"\nheartbeat = 0\n"
    );
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{FOLLOWED}{outputs}"));
    let told = || -> Vec<Value> {
        let text = agent.read("out");
        let lines = text.lines().filter(|l| l.contains("AGENT-LOST"));
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let lost = || told().iter().map(|v| v["lost_entries"].as_str().unwrap().parse::<u64>().unwrap()).sum::<u64>();
    let child = agent.start();
    agent.wait("the notices", SOON, || lost() == 500);
    // Its own notices are refused too, and are nothing to be told.
    agent.wait("the status", SOON, || {
        signal(&child, "USR1");
        let says = ["status: output u: ", "sent 0, filtered 0, resent 0, refused 500", "waiting 0"];
        agent.log().lines().any(|line| says.iter().all(|text| line.contains(text)))
    });
    let before = told();
    assert!(before.len() <= 10 && before.iter().all(|v| v["output"] == "u" && v["severity"] == 9), "{before:?}");
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut bytes = [0; 65_536];
    let beat = loop {
        let n = socket.recv(&mut bytes).unwrap();
        let line: Value = serde_json::from_slice(&bytes[..n]).unwrap();
        if line["event_id"] == "AGENT-HEARTBEAT" {
            break line;
        }
    };
    assert_eq!(beat["output_refused"], "500", "{beat}");
    signal(&child, "TERM");
    agent.assert_exit(child, 3, SOON);
    assert_eq!((lost(), told().len()), (500, before.len()));
    let of = sums(&agent, "u");
    assert_eq!((of("sent"), of("refused"), of("waiting")), (0, 500, 0), "{}", agent.log());
}

#[test]
fn n8_standard_output_that_nobody_reads_any_more_ends_the_agent() {
    let dir = folder();
    capture(&dir, 5_000);
    let output = "[[output]]\nname = \"a\"\naddress = \"stdout\"\nformat = \"json\"\npriority_types = []\n";
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}{output}"));
    let mut child = agent.command().stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with('}'));
    drop(lines);
    agent.assert_exit(child, 1, SOON);
    let log = agent.log();
    assert!(log.contains("output a: nobody reads standard output any more: the agent ends"), "{log}");
    let of = sums(&agent, "a");
    assert!(of("waiting") > 0 && of("sent") + of("waiting") == spooled(&agent), "{log}");
    // The shell's way.
    let script = format!("'{}' run --config '{}' 2>/dev/null | head -2", executable(), agent.config.display());
    let run = Command::new("timeout").args(["60", "sh", "-c", &script]).output().unwrap();
    assert!(run.status.success());
    assert_eq!(run.stdout.iter().filter(|b| **b == b'\n').count(), 2);
}
