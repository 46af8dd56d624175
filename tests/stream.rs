//! Stream sources: what a program on the IBM i sends is acknowledged when it is on the disk, and sent again until then. The sender
//! is `tests/tools/stream_sender.py`, which shares no code with the product.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use harness::peers::certificates::Certificates;
use harness::{
    agent::{Agent, has_ids, ids, nothing_lost, notices, signal},
    program::{Made, folder, head, make, sequence},
    unused_port,
};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);
const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

fn source(listen: &str, rest: &str) -> String {
    format!("[[source]]\nname = \"prod01\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"{listen}\"\n{rest}")
}

fn stream(dir: &TempDir, count: u32) -> Made {
    make(dir, "day.stream", &format!("--count {count} --seed 23 --framing stream"))
}

fn send(agent: &Agent, to: &str, rest: &[&str]) -> Child {
    let tool = harness::root().join("tests/tools/stream_sender.py");
    let capture = agent.dir.path().join("day.stream");
    let mut command = Command::new("python3");
    command.arg(tool).arg(capture).arg(to).args(rest);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What the sender said, when it has ended well.
#[track_caller]
fn sent(sender: Child) -> (String, String) {
    let output = sender.wait_with_output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{out}{err}");
    (out, err)
}

/// Another agent cannot listen on a socket that is taken; it says so, and tries again until it is told to stop.
#[track_caller]
fn refused_the_socket(socket: &std::path::Path) {
    let other = Agent::new(folder(), &format!("{}{OUTPUT}", source(&format!("unix:{}", socket.display()), "")));
    let child = other.start();
    other.wait("the refusal", SOON, || other.log().contains("another program listens there; it is tried again"));
    signal(&child, "TERM");
    other.assert_exit(child, 1, SOON);
}

fn stop(agent: &Agent, child: Child) {
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn n2_records_over_a_unix_socket_are_acknowledged_and_a_broken_connection_goes_on() {
    let dir = folder();
    let made = stream(&dir, 3_000);
    let socket = dir.path().join("sock");
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source("unix:DIR/sock", "")));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let to = format!("unix:{}", socket.display());
    let (greetings, again) = sent(send(&agent, &to, &["--break-after", "1500"]));
    assert!(again.contains("broken on purpose"), "{again}");
    let mut greetings = greetings.lines();
    assert_eq!(greetings.next(), Some(format!("QAUDJRN1{:20}{:020}{:16}", "", 0, "").as_str()));
    let second = greetings.next().expect("a second connection");
    assert!(
        second.starts_with(&format!("QAUDJRN1{:<10}{:<10}", "QGPL", head(&made.truth[0], "receiver_name"))),
        "{second}"
    );
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 3_000));
    stop(&agent, child);
    nothing_lost(&made, &ids(&agent.read("out")));
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "what comes again is no gap");
    let log = agent.log();
    assert!(log.contains("it takes the place of") || log.contains("that is not whole are dropped"), "{log}");
    assert!(!socket.exists());
}

#[test]
fn n2_kill_9_of_the_agent_loses_no_record_of_a_sender() {
    let dir = folder();
    let made = stream(&dir, 6_000);
    let port = unused_port();
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source(&format!("tcp://127.0.0.1:{port}"), "")));
    let mut child = agent.start();
    let mut sender = send(&agent, &format!("tcp://127.0.0.1:{port}"), &["--allow", "1200"]);
    let mut more = sender.stdin.take().unwrap();
    // Killed when the first of each share have arrived; the sender gets the next share when the agent is there again.
    for round in 0..4 {
        agent.wait("a share", SOON, || ids(&agent.read("out")).len() > round * 1_200);
        child.kill().unwrap();
        child.wait().unwrap();
        child = agent.start();
        more.write_all(b"\n").unwrap();
    }
    let (greetings, _) = sent(sender);
    assert!(greetings.lines().count() >= 5, "{greetings}");
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 6_000));
    stop(&agent, child);
    nothing_lost(&made, &ids(&agent.read("out")));
}

#[test]
fn n5_tls_lets_in_who_shows_a_certificate_and_nobody_else() {
    let dir = folder();
    let made = stream(&dir, 500);
    let c = Certificates::make(dir.path());
    let port = unused_port();
    let files = format!(
        "cert = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n",
        show(&dir.path().join("server.pem")),
        show(&dir.path().join("server.key")),
        show(&c.ca)
    );
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source(&format!("tls://127.0.0.1:{port}"), &files)));
    let child = agent.start();
    agent.wait("the port", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    // One that says nothing keeps nobody out, nor does one without a certificate.
    let _silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let to = format!("tls://localhost:{port}");
    let mut stranger = send(&agent, &to, &["--ca", &show(&c.ca)]);
    agent.wait("the refusal", SOON, || agent.log().contains("is refused: TLS"));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(ids(&agent.read("out")).is_empty());
    let own = ["--ca", &show(&c.ca), "--cert", &show(&c.client_cert), "--key", &show(&c.client_key)];
    sent(send(&agent, &to, &own));
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 500));
    stop(&agent, child);
    nothing_lost(&made, &ids(&agent.read("out")));
}

#[test]
fn a_length_that_is_none_ends_the_connection_and_the_next_one_takes_the_place_of_the_one_before() {
    let dir = folder();
    let made = stream(&dir, 20);
    let bytes = fs::read(&made.path).unwrap();
    let socket = dir.path().join("sock");
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source("unix:DIR/sock", "")));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    let mut wrong = UnixStream::connect(&socket).unwrap();
    let mut greeting = [0; 64];
    wrong.read_exact(&mut greeting).unwrap();
    wrong.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    agent.wait("the end of it", SOON, || {
        agent.log().contains("expected the 4-byte length of record 1 (1 to 1048576), got 1195725856 after 0 records")
    });
    assert_eq!(wrong.read(&mut greeting).unwrap(), 0);
    // Half a record, then another sender.
    let mut first = UnixStream::connect(&socket).unwrap();
    first.read_exact(&mut greeting).unwrap();
    first.write_all(&bytes[..700]).unwrap();
    let mut second = UnixStream::connect(&socket).unwrap();
    second.read_exact(&mut greeting).unwrap();
    second.write_all(&bytes).unwrap();
    let mut acknowledged = [0; 8];
    while u64::from_be_bytes(acknowledged) < 20 {
        second.read_exact(&mut acknowledged).unwrap();
    }
    assert!(agent.log().contains("it takes the place of"), "{}", agent.log());
    // A second agent cannot take the socket, and the first keeps it.
    refused_the_socket(&socket);
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 20));
    stop(&agent, child);
    assert_eq!(made.truth.iter().map(sequence).filter(|n| !ids(&agent.read("out")).contains_key(n)).count(), 0);
}

#[test]
fn a_sender_that_shuts_down_its_side_is_told_of_everything_it_sent() {
    let dir = folder();
    let made = stream(&dir, 300);
    let socket = dir.path().join("in.p1");
    let second = dir.path().join("in.p2");
    // Two sockets whose names differ behind the last dot only.
    let other = source("unix:DIR/in.p2", "").replace("prod01", "prod02");
    let agent = Agent::new(dir, &format!("{}{other}{OUTPUT}", source("unix:DIR/in.p1", "")));
    let child = agent.start();
    agent.wait("the sockets", SOON, || socket.exists() && second.exists());
    let mut sender = UnixStream::connect(&socket).unwrap();
    sender.read_exact(&mut [0; 64]).unwrap();
    sender.write_all(&fs::read(&made.path).unwrap()).unwrap();
    sender.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = Vec::new();
    sender.read_to_end(&mut said).unwrap();
    let last = said.chunks_exact(8).next_back().map(|n| u64::from_be_bytes(n.try_into().unwrap()));
    assert_eq!(last, Some(300), "{}", agent.log());
    stop(&agent, child);
}

#[test]
fn a_file_at_the_place_of_a_socket_stays_and_a_socket_that_nobody_listens_on_is_taken_away() {
    let dir = folder();
    let place = dir.path().join("sock");
    fs::write(&place, "mine").unwrap();
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source("unix:DIR/sock", "")));
    agent.assert_exit(agent.start(), 1, SOON);
    assert!(agent.log().contains("something is there that is no socket"), "{}", agent.log());
    assert_eq!(fs::read_to_string(&place).unwrap(), "mine");
    fs::remove_file(&place).unwrap();
    let mut child = agent.start();
    agent.wait("the socket", SOON, || place.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.exists(), "left behind by kill -9");
    let child = agent.start();
    agent.wait("a new one", SOON, || UnixStream::connect(&place).is_ok());
    stop(&agent, child);
    assert!(!place.exists());
}

/// A sender's side of TLS, whose records are handed to the wire by the test.
fn tls(c: &Certificates, port: u16) -> (rustls::ClientConnection, TcpStream) {
    let pem = |p: &std::path::Path| fs::read(p).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    for ca in CertificateDer::pem_slice_iter(&pem(&c.ca)) {
        roots.add(ca.unwrap()).unwrap();
    }
    let own = CertificateDer::pem_slice_iter(&pem(&c.client_cert)).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem(&c.client_key)).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_client_auth_cert(own, key).unwrap();
    let mut conn = rustls::ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_nodelay(true).unwrap();
    while conn.is_handshaking() || conn.wants_write() {
        conn.complete_io(&mut socket).unwrap();
    }
    (conn, socket)
}

fn tls_agent(dir: TempDir) -> (Agent, Certificates, u16) {
    let c = Certificates::make(dir.path());
    let port = unused_port();
    let files = format!("cert = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"{}\"\n", c.ca.display());
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source(&format!("tls://127.0.0.1:{port}"), &files)));
    (agent, c, port)
}

#[test]
fn n2_a_sender_that_trickles_tls_records_holds_neither_its_source_nor_the_end() {
    let dir = folder();
    let made = stream(&dir, 50);
    let (agent, c, port) = tls_agent(dir);
    let child = agent.start();
    agent.wait("the port", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let (mut conn, mut socket) = tls(&c, port);
    let mut records = Vec::new();
    conn.set_buffer_limit(None);
    conn.writer().write_all(&fs::read(&made.path).unwrap()).unwrap();
    while conn.wants_write() {
        conn.write_tls(&mut records).unwrap();
    }
    // All but the end of the last TLS record, so that nothing is whole; then that byte by byte, without an end.
    let (whole, rest) = records.split_at(records.len() - 600);
    socket.write_all(whole).unwrap();
    agent.wait("what is whole", SOON, || ids(&agent.read("out")).len() > 30);
    let mut slow = socket.try_clone().unwrap();
    let rest = rest.to_vec();
    let trickle = thread::spawn(move || {
        for byte in rest {
            if slow.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    thread::sleep(Duration::from_millis(500));
    signal(&child, "TERM");
    // The rest takes twelve seconds.
    agent.assert_exit(child, 0, Duration::from_secs(4));
    drop(socket);
    trickle.join().unwrap();
    // What was whole was acknowledged; the next start takes the rest.
    assert!(ids(&agent.read("out")).len() < 50);
    let child = agent.start();
    let own = ["--ca", &show(&c.ca), "--cert", &show(&c.client_cert), "--key", &show(&c.client_key)];
    sent(send(&agent, &format!("tls://localhost:{port}"), &own));
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 50));
    stop(&agent, child);
}

fn show(p: &std::path::Path) -> String {
    p.display().to_string()
}

#[test]
fn n5_connections_that_say_nothing_keep_nobody_out_and_handshakes_have_an_end() {
    let dir = folder();
    stream(&dir, 20);
    let (agent, c, port) = tls_agent(dir);
    let child = agent.start();
    agent.wait("the port", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let silent: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    // One that trickles its first record for ever.
    let mut slow = TcpStream::connect(("127.0.0.1", port)).unwrap();
    slow.write_all(&[22, 3, 1, 2, 0]).unwrap();
    let trickle = thread::spawn(move || {
        let mut bytes = 0;
        while slow.write_all(&[0]).is_ok() {
            bytes += 1;
            thread::sleep(Duration::from_millis(100));
        }
        bytes
    });
    let own = ["--ca", &show(&c.ca), "--cert", &show(&c.client_cert), "--key", &show(&c.client_key)];
    sent(send(&agent, &format!("tls://localhost:{port}"), &own));
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 20));
    assert!(agent.log().contains("is refused: TLS: it ended during the handshake"), "{}", agent.log());
    // 512 bytes at ten a second are 51 s.
    assert!(trickle.join().unwrap() < 300, "the handshake as a whole has a time");
    drop(silent);
    stop(&agent, child);
}

#[test]
fn n2_of_the_senders_that_wait_while_the_spool_is_full_only_the_newest_is_kept_and_nothing_is_lost() {
    let dir = folder();
    let made = stream(&dir, 8_000);
    let socket = dir.path().join("sock");
    let to = |address: &str| {
        format!(
            "{}[[output]]
name = \"a\"
address = \"{address}\"
format = \"json\"
[spool]
max_size = \"18MiB\"
",
            source("unix:DIR/sock", "")
        )
    };
    // Nobody listens there.
    let agent = Agent::new(dir, &to(&format!("tcp://127.0.0.1:{}", unused_port())));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    let sender = send(&agent, &format!("unix:{}", socket.display()), &[]);
    agent.wait("a full spool", SOON, || agent.log().contains("the spool is full"));
    // Others come and wait: all but the last are closed.
    let mut waiting: Vec<UnixStream> = (0..40)
        .map(|_| {
            thread::sleep(Duration::from_millis(60));
            UnixStream::connect(&socket).unwrap()
        })
        .collect();
    let mut last = waiting.pop().unwrap();
    // A full spool may have room for a moment, and somebody be let in.
    let closed = |other: &mut UnixStream| {
        other.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        matches!(other.read(&mut [0; 64]), Ok(0))
    };
    let closed = waiting.iter_mut().filter_map(|w| closed(w).then_some(())).count();
    assert!(closed >= 36, "{closed} of 39: {}", agent.log());
    last.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let kept = last.read(&mut [0; 64]).unwrap_err();
    assert!(matches!(kept.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kept}");
    drop(last);
    agent.configure(&to("file:DIR/out"));
    signal(&child, "HUP");
    // The sender's place may have been taken by one of the others: it connects again and sends what was not acknowledged.
    sent(sender);
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 8_000));
    stop(&agent, child);
    nothing_lost(&made, &ids(&agent.read("out")));
    assert!(agent.log().contains("came after it"), "{}", agent.log());
}

#[test]
fn who_only_looks_whether_there_is_a_listener_takes_nobodys_place() {
    let dir = folder();
    let made = stream(&dir, 20);
    let bytes = fs::read(&made.path).unwrap();
    let socket = dir.path().join("sock");
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source("unix:DIR/sock", "")));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    let mut sender = UnixStream::connect(&socket).unwrap();
    sender.read_exact(&mut [0; 64]).unwrap();
    sender.write_all(&bytes[..10_000]).unwrap();
    refused_the_socket(&socket);
    drop(UnixStream::connect(&socket).unwrap());
    thread::sleep(Duration::from_millis(400));
    sender.write_all(&bytes[10_000..]).unwrap();
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 20));
    assert!(!agent.log().contains("it takes the place of"), "{}", agent.log());
    stop(&agent, child);
}

#[test]
fn n5_keys_that_others_can_read_are_refused_and_renewed_certificates_are_shown_without_a_restart() {
    let dir = folder();
    stream(&dir, 5);
    let (agent, c, port) = tls_agent(dir);
    let key = agent.dir.path().join("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    agent.assert_exit(agent.start(), 1, SOON);
    assert!(agent.log().contains("server.key") && agent.log().contains("0644"), "{}", agent.log());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let child = agent.start();
    agent.wait("the port", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let shown = |conn: &rustls::ClientConnection| conn.peer_certificates().unwrap()[0].to_vec();
    let (conn, _socket) = tls(&c, port);
    let first = shown(&conn);
    c.server(&["localhost"], 4095);
    let (conn, _socket) = tls(&c, port);
    assert_ne!(shown(&conn), first);
    stop(&agent, child);
}

#[test]
fn h11_a_certificate_needs_one_of_the_names_and_must_not_be_revoked() {
    let dir = folder();
    stream(&dir, 10);
    let c = Certificates::make(dir.path());
    let port = unused_port();
    let text = |rest: &str| {
        let files = format!("cert = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"{}\"\n", c.ca.display());
        format!("{}{OUTPUT}", source(&format!("tls://127.0.0.1:{port}"), &format!("{files}{rest}")))
    };
    let agent = Agent::new(dir, &text("client_names = [\"prod01.example\"]\n"));
    let child = agent.start();
    agent.wait("the port", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let own = ["--ca", &show(&c.ca), "--cert", &show(&c.client_cert), "--key", &show(&c.client_key)];
    let refused = |why: &str| {
        let mut sender = send(&agent, &format!("tls://localhost:{port}"), &own);
        agent.wait(why, SOON, || agent.log().contains(why));
        sender.kill().unwrap();
        sender.wait().unwrap();
        assert!(ids(&agent.read("out")).is_empty());
    };
    refused("has none of the names of client_names");
    // In the list of what the authority has revoked.
    c.revoke("crl.pem", &[77]);
    agent.configure(&text("client_names = [\"AGENT.example\"]\nclient_crl = \"crl.pem\"\n"));
    signal(&child, "HUP");
    agent.wait("the reload", SOON, || agent.log().contains("was read again"));
    refused("Revoked");
    // The list is read again for every connection.
    c.revoke("crl.pem", &[78]);
    sent(send(&agent, &format!("tls://localhost:{port}"), &own));
    agent.wait("everything", SOON, || has_ids(&agent.read("out"), 10));
    stop(&agent, child);
}

#[test]
fn h11_a_number_that_no_journal_comes_to_is_a_gap_and_does_not_move_the_greeting() {
    let dir = folder();
    let made = stream(&dir, 5);
    let far = make(&dir, "far.stream", "--count 1 --seed 3 --framing stream --first-sequence 18446744073709551615");
    let socket = dir.path().join("sock");
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source("unix:DIR/sock", "")));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    let greeted = |bytes: &[u8], records: u64| {
        let mut sender = UnixStream::connect(&socket).unwrap();
        let mut greeting = [0; 64];
        sender.read_exact(&mut greeting).unwrap();
        sender.write_all(bytes).unwrap();
        let mut told = [0; 8];
        while u64::from_be_bytes(told) < records {
            sender.read_exact(&mut told).unwrap();
        }
        String::from_utf8_lossy(&greeting[28..48]).parse::<u64>().unwrap()
    };
    greeted(&fs::read(&made.path).unwrap(), 5);
    let last = sequence(made.truth.last().unwrap());
    assert_eq!(greeted(&fs::read(&far.path).unwrap(), 1), last);
    agent.wait("the gap", SOON, || notices(&agent.read("out"), "AGENT-GAP").len() == 1);
    assert_eq!(greeted(&[], 0), last);
    stop(&agent, child);
    let child = agent.start();
    agent.wait("the socket", SOON, || UnixStream::connect(&socket).is_ok());
    assert_eq!(greeted(&[], 0), last, "over a restart too");
    stop(&agent, child);
    let gaps = notices(&agent.read("out"), "AGENT-GAP");
    assert!(gaps[0]["missing"].as_str().unwrap().starts_with("the sequence number jumps from "), "{gaps:?}");
}

#[test]
fn f05_a_record_whose_length_takes_in_the_next_one_is_not_acknowledged_as_if_it_were_one() {
    let dir = folder();
    let made = stream(&dir, 10);
    let mut bytes = fs::read(&made.path).unwrap();
    let length = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let first = length(&bytes, 0);
    let second = length(&bytes, 4 + first as usize);
    bytes[..4].copy_from_slice(&(first + 4 + second).to_be_bytes());
    fs::write(&made.path, &bytes).unwrap();
    let whole: Vec<u64> =
        made.truth.iter().map(sequence).enumerate().filter(|(n, _)| *n != 1).map(|(_, s)| s).collect();
    // From a sender, and from a file.
    let agent = Agent::new(folder(), &format!("{}{OUTPUT}", source("unix:DIR/sock", "")));
    let child = agent.start();
    let socket = agent.dir.path().join("sock");
    agent.wait("the socket", SOON, || socket.exists());
    let mut to = UnixStream::connect(&socket).unwrap();
    to.read_exact(&mut [0; 64]).unwrap();
    to.write_all(&bytes).unwrap();
    agent.wait("what is whole", SOON, || has_ids(&agent.read("out"), whole.len()));
    signal(&child, "TERM");
    agent.assert_exit(child, 3, SOON);
    let path = made.path.display();
    let from = format!("[[source]]\nname = \"prod01\"\npath = \"{path}\"\ninput = \"type5\"\nfollow = false\n");
    let other = Agent::new(folder(), &format!("{from}{OUTPUT}"));
    other.assert_exit(other.start(), 3, SOON);
    for agent in [agent, other] {
        let out = agent.read("out");
        assert!(ids(&out).keys().eq(whole.iter()), "{}", agent.log());
        let parked = notices(&out, "AGENT-PARKED");
        let said = format!("the record goes on for {} bytes behind its entry", 4 + second);
        assert!(parked.len() == 1 && parked[0]["reason"].as_str().unwrap().contains(&said), "{parked:?}");
    }
}
