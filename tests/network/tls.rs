//! TLS that cannot be, and TLS that ends early (fault 10): events wait, the reason is told, nothing goes out in clear.
use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    thread,
    time::Duration,
};

use super::{SOON, output, proxy::Proxy, sums_balance};
use harness::{
    agent::{Agent, SOURCE, capture, nothing_lost, signal},
    peers::{Kind, Receiver as Peer, cef_ids},
    program::{executable, folder, qaudjrn},
};

/// What a receiver is, what is wrong with it or with us, and what the log must say.
struct Case {
    name: &'static str,
    kind: Kind,
    says: &'static str,
}

const CASES: [Case; 8] = [
    Case { name: "expired", kind: Kind::RsyslogTls, says: "it has expired" },
    Case { name: "expired-relp", kind: Kind::RsyslogRelpTls, says: "it has expired" },
    Case { name: "other-name", kind: Kind::SyslogNgTls, says: "it is not for the name localhost" },
    Case { name: "unknown-ca", kind: Kind::RsyslogTls, says: "no trusted CA signed it" },
    Case { name: "no-client-cert", kind: Kind::RsyslogMutualTls, says: "it may ask for a client certificate" },
    Case { name: "no-client-cert-ng", kind: Kind::SyslogNgMutualTls, says: "client certificate" },
    Case { name: "no-client-cert-relp", kind: Kind::RsyslogRelpTls, says: "client certificate" },
    Case { name: "not-tls", kind: Kind::SyslogNgNewline, says: "TLS handshake with localhost" },
];

#[test]
fn n2_fault_10_without_trust_events_wait_the_reason_is_told_and_nothing_is_sent_in_clear() {
    let dir = folder();
    let made = capture(&dir, 300);
    let mut peers: Vec<Peer> = CASES.iter().map(|c| Peer::start(c.kind)).collect();
    for (case, peer) in CASES.iter().zip(&mut peers) {
        match case.name {
            "expired" | "expired-relp" => peer.certificates.server(&["localhost"], 2020),
            "other-name" => peer.certificates.server(&["siem.example.com"], 4096),
            _ => continue,
        }
        peer.terminate();
        peer.restart();
    }
    let stranger = folder();
    let strange = harness::peers::certificates::Certificates::make(stranger.path());
    let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::to(p.port)).collect();
    proxies.iter().for_each(|p| p.controls.record.store(true, SeqCst));
    let text = |right: bool, peers: &[Peer]| -> String {
        let one = |((case, peer), proxy): ((&Case, &Peer), &Proxy)| {
            let scheme = if case.kind.is_relp() { "relp+tls" } else { "tls" };
            let text = output(case.name, peer, &format!("{scheme}://localhost:{}", proxy.port), "connect_timeout = 3");
            let without = |key: &str| text.lines().filter(|l| !l.starts_with(key)).map(|l| format!("{l}\n")).collect();
            match case.name {
                _ if right => text,
                "unknown-ca" => {
                    text.replace(&peer.certificates.ca.display().to_string(), &strange.ca.display().to_string())
                }
                name if name.starts_with("no-client-cert") => {
                    let text: String = without("cert = ");
                    text.lines().filter(|l| !l.starts_with("key = ")).map(|l| format!("{l}\n")).collect()
                }
                _ => text,
            }
        };
        CASES.iter().zip(peers).zip(&proxies).map(one).collect()
    };
    let agent = Agent::new(dir, &format!("{SOURCE}{}", text(false, &peers)));
    let child = agent.start();
    for case in &CASES {
        let of = format!("output {}: ", case.name);
        agent.wait(&format!("{of}{}", case.says), SOON, || {
            agent.log().lines().any(|l| l.contains(&of) && l.contains(case.says))
        });
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(15));
    for ((case, peer), proxy) in CASES.iter().zip(&mut peers).zip(&proxies) {
        let sent = proxy.controls.recorded.lock().unwrap();
        assert!(!sent.is_empty(), "{}: nobody tried", case.name);
        assert!(!String::from_utf8_lossy(&sent).contains("CEF:0"), "{}: in clear", case.name);
        // A TLS record, and a handshake at that.
        assert_eq!(sent.first(), Some(&0x16), "{}", case.name);
        assert!(case.name == "not-tls" || peer.count() == 0, "{}", case.name);
    }
    // All is put right, and everything that waited arrives.
    for (case, peer) in CASES.iter().zip(&mut peers).filter(|(c, _)| c.name != "not-tls") {
        peer.certificates.server(&["localhost"], 4096);
        peer.terminate();
        peer.restart();
        assert_eq!(peer.count(), 0, "{}", case.name);
    }
    let right = text(true, &peers);
    let not_tls = proxies.last().unwrap().port;
    let right = right.replace(&format!("tls://localhost:{not_tls}"), &format!("tcp://localhost:{not_tls}"));
    fs::write(&agent.config, format!("state_dir = \"state\"\n{SOURCE}{right}")).unwrap();
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    for (case, peer) in CASES.iter().zip(peers).filter(|(c, _)| c.name != "not-tls") {
        assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0, "{}", case.name);
    }
}

#[test]
fn n2_fault_10_a_handshake_that_hangs_is_given_up_and_gets_nothing_in_clear() {
    let dir = folder();
    capture(&dir, 100);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let got: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = got.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let kept = kept.clone();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    kept.lock().unwrap().extend_from_slice(&bytes[..n]);
                }
            });
        }
    });
    let one = |name: &str, scheme: &str| {
        format!(
            "[[output]]\nname = \"{name}\"\naddress = \"{scheme}://127.0.0.1:{port}\"\ninsecure_skip_verify = true\nconnect_timeout = 1\n"
        )
    };
    let agent = Agent::new(dir, &format!("{SOURCE}{}{}", one("tls", "tls"), one("relp", "relp+tls")));
    let child = agent.start();
    agent.wait_for_log("output tls: TLS handshake with 127.0.0.1", SOON);
    agent.wait_for_log("output relp: TLS handshake with 127.0.0.1", SOON);
    assert!(agent.log().contains("no answer within 1 s: is it a TLS port?"), "{}", agent.log());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(15));
    let got = got.lock().unwrap();
    assert_eq!(got.first(), Some(&0x16));
    assert!(!String::from_utf8_lossy(&got).contains("CEF:0"));
}

#[test]
fn n2_fault_10_a_close_without_close_notify_costs_no_event() {
    let dir = folder();
    let made = capture(&dir, 6_000);
    let peers: Vec<Peer> = [Kind::RsyslogTls, Kind::SyslogNgTls, Kind::RsyslogRelpTls].map(Peer::start).into();
    let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::to(p.port)).collect();
    let outputs: String = peers
        .iter()
        .zip(&proxies)
        .enumerate()
        .map(|(n, (peer, proxy))| {
            let address = peer.address().replace(&peer.port.to_string(), &proxy.port.to_string());
            output(&format!("o{n}"), peer, &address, "meter = { events_per_second = 2000, burst = 100 }")
        })
        .collect();
    let agent = Agent::new(dir, &format!("{SOURCE}{outputs}"));
    let child = agent.start();
    for round in 1..=2 {
        agent.wait("lines pass", SOON, || proxies.iter().all(|p| p.controls.passed.load(SeqCst) > round * 200_000));
        proxies.iter().for_each(|p| p.controls.close.store(true, SeqCst));
    }
    agent.assert_exit(child, 0, Duration::from_secs(60));
    for (n, peer) in peers.into_iter().enumerate() {
        let twice = nothing_lost(&made, &cef_ids(&peer.stop()));
        assert!(twice <= sums_balance(&agent, &made, &format!("o{n}")), "{n}");
    }
}

#[test]
fn certificates_that_are_renewed_are_used_by_the_next_connection_without_a_restart() {
    let dir = folder();
    let made = capture(&dir, 300);
    let peer = Peer::start(Kind::RsyslogMutualTls);
    let stranger = folder();
    let strange = harness::peers::certificates::Certificates::make(stranger.path());
    let at = |name: &str| dir.path().join(name);
    let put = |from: &Path, name: &str| assert!(fs::copy(from, at(name)).unwrap() > 0);
    put(&strange.ca, "ca.pem");
    put(&strange.client_cert, "own.pem");
    put(&strange.client_key, "own.key");
    let text = format!(
        "{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\nca = \"DIR/ca.pem\"\ncert = \"DIR/own.pem\"\nkey = \"DIR/own.key\"\n",
        peer.address()
    );
    let copy =
        |agent: &Agent, from: &Path, name: &str| assert!(fs::copy(from, agent.dir.path().join(name)).unwrap() > 0);
    let agent = Agent::new(dir, &text);
    let child = agent.start();
    agent.wait_for_log("no trusted CA signed it", SOON);
    copy(&agent, &peer.certificates.ca, "ca.pem");
    // Ours is not one that the receiver knows.
    agent.wait_for_log("the receiver refused it with the alert", Duration::from_secs(60));
    copy(&agent, &peer.certificates.client_cert, "own.pem");
    copy(&agent, &peer.certificates.client_key, "own.key");
    agent.assert_exit(child, 0, Duration::from_secs(90));
    assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0);
}

#[test]
fn n6_a_private_key_that_others_can_read_is_refused_and_never_shown() {
    let dir = folder();
    capture(&dir, 10);
    let c = harness::peers::certificates::Certificates::make(dir.path());
    let text = format!(
        "{SOURCE}[[output]]\nname = \"a\"\naddress = \"tls://127.0.0.1:1\"\ncert = \"{}\"\nkey = \"{}\"\n",
        c.client_cert.display(),
        c.client_key.display()
    );
    let agent = Agent::new(dir, &text);
    let secret = fs::read_to_string(&c.client_key).unwrap();
    for (mode, refused) in [(0o644, true), (0o640, true), (0o604, true), (0o600, false), (0o400, false)] {
        fs::set_permissions(&c.client_key, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(agent.dir.path().join("log"), "").unwrap();
        let child = agent.start();
        if refused {
            agent.assert_exit(child, 2, Duration::from_secs(10));
            assert!(agent.log().contains(&format!("others can read this private key (mode {mode:04o}): chmod 600")));
        } else {
            agent.wait_for_log("cannot connect to 127.0.0.1:1", SOON);
            signal(&child, "TERM");
            agent.assert_exit(child, 0, Duration::from_secs(10));
        }
        assert!(secret.lines().all(|line| !agent.log().contains(line)));
    }
    // A key that is none, and whose bytes are nobody's business.
    fs::set_permissions(&c.client_key, fs::Permissions::from_mode(0o600)).unwrap();
    let hidden = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
    fs::write(&c.client_key, format!("-----BEGIN PRIVATE KEY-----\n{hidden}\n-----END PRIVATE KEY-----\n")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = fs::read_to_string(&agent.config).unwrap();
    fs::write(&agent.config, text.replace("127.0.0.1:1\"", &format!("127.0.0.1:{port}\""))).unwrap();
    let child = agent.start();
    agent.wait_for_log("TLS: ", SOON);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
    for part in [hidden, "secret-secret"] {
        assert!(!agent.log().contains(part), "{}", agent.log());
    }
    assert!(!qaudjrn(&format!("check --config {}", agent.config.display()), &[]).stdout.contains(hidden));
}

#[test]
fn n6_credentials_of_systemd_are_used_by_their_names() {
    let dir = folder();
    let made = capture(&dir, 300);
    let peer = Peer::start(Kind::RsyslogMutualTls);
    let c = &peer.certificates;
    let text = format!(
        "{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\nca = \"credential:ca.pem\"\ncert = \"credential:client.pem\"\nkey = \"credential:client.key\"\n",
        peer.address()
    );
    let agent = Agent::new(dir, &text);
    agent.assert_exit(agent.start(), 2, Duration::from_secs(10));
    assert!(agent.log().contains("credential:client.key: $CREDENTIALS_DIRECTORY is not set"), "{}", agent.log());
    let run = |folder: &Path| {
        let log = fs::OpenOptions::new().append(true).open(agent.dir.path().join("log")).unwrap();
        let mut command = Command::new(executable());
        command.args(["run", "--config"]).arg(&agent.config).env("CREDENTIALS_DIRECTORY", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    };
    agent.assert_exit(run(c.ca.parent().unwrap()), 0, Duration::from_secs(30));
    assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0);
}
