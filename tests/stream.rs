//! Stream sources: what a program on the IBM i sends is acknowledged when it is on the disk, and sent again until then. The sender
//! is `tests/tools/stream_sender.py`, which shares no code with the product.
mod peers;
mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use peers::certificates::Certificates;
use support::{
    agent::{Agent, ids, nothing_lost, notices, signal},
    program::{Made, folder, head, make, sequence},
};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(30);
const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

fn source(listen: &str, rest: &str) -> String {
    format!("[[source]]\nname = \"prod01\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"{listen}\"\n{rest}")
}

fn stream(dir: &TempDir, count: u32) -> Made {
    make(dir, "day.stream", &format!("--count {count} --seed 23 --framing stream"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn send(agent: &Agent, to: &str, rest: &[&str]) -> Child {
    let tool = peers::checkout().join("tests/tools/stream_sender.py");
    let capture = agent.dir.path().join("day.stream");
    let mut command = Command::new("python3");
    command.arg(tool).arg(capture).arg(to).args(rest).stdout(Stdio::piped()).stderr(Stdio::piped());
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

fn stop(agent: &Agent, child: Child) {
    signal(&child, "TERM");
    agent.ends(child, 0, SOON);
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
    agent.wait("everything", SOON, || ids(&agent.read("out")).len() == 3_000);
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
    let port = free_port();
    let agent = Agent::new(dir, &format!("{}{OUTPUT}", source(&format!("tcp://127.0.0.1:{port}"), "")));
    let mut child = agent.start();
    let sender = send(&agent, &format!("tcp://127.0.0.1:{port}"), &["--pause", "0.03"]);
    for round in 0..4 {
        thread::sleep(Duration::from_millis(250 + round * 90));
        child.kill().unwrap();
        child.wait().unwrap();
        child = agent.start();
    }
    let (greetings, _) = sent(sender);
    assert!(greetings.lines().count() >= 3, "{greetings}");
    agent.wait("everything", SOON, || ids(&agent.read("out")).len() == 6_000);
    stop(&agent, child);
    nothing_lost(&made, &ids(&agent.read("out")));
}

#[test]
fn n5_tls_lets_in_who_shows_a_certificate_and_nobody_else() {
    let dir = folder();
    let made = stream(&dir, 500);
    let c = Certificates::make(dir.path());
    let port = free_port();
    let show = |p: &std::path::Path| p.display().to_string();
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
    agent.wait("everything", SOON, || ids(&agent.read("out")).len() == 500);
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
    let other = Agent::new(folder(), &format!("{}{OUTPUT}", source(&format!("unix:{}", socket.display()), "")));
    other.ends(other.start(), 1, SOON);
    assert!(other.log().contains("another program listens there"), "{}", other.log());
    agent.wait("everything", SOON, || ids(&agent.read("out")).len() == 20);
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
    agent.ends(agent.start(), 1, SOON);
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
