//! Listeners: many senders on one socket, each known by its certificate or its user and never by what it says, each with a place of its
//! own.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Child,
    sync::Arc,
    time::Duration,
};

use harness::peers::certificates::Certificates;
use harness::{
    agent::{Agent, has_ids, ids, signal},
    program::{Made, folder, make, sequence},
    unused_port,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);
const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

/// Records of a system, in numbers that no other has.
fn records(dir: &TempDir, n: u64, count: u32) -> Made {
    let first = n * 1_000_000 + 1;
    make(dir, &format!("{n}.stream"), &format!("--count {count} --seed {n} --framing stream --first-sequence {first}"))
}

fn bytes(made: &Made) -> Vec<u8> {
    fs::read(&made.path).unwrap()
}

/// The connection of a sender.
struct Sender<S> {
    stream: S,
    greeting: String,
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

impl<S: Read + Write> Sender<S> {
    /// Greeted, or turned away.
    fn new(mut stream: S) -> io::Result<Sender<S>> {
        let mut greeting = [0; 64];
        stream.read_exact(&mut greeting)?;
        Ok(Sender { stream, greeting: String::from_utf8_lossy(&greeting).into_owned() })
    }

    /// The number it is to go on behind.
    fn goes_on_behind(&self) -> u64 {
        self.greeting[28..48].parse().unwrap()
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Waits until so many are on the disk.
    fn acknowledged(&mut self, count: u64) -> io::Result<()> {
        let mut told = [0; 8];
        while u64::from_be_bytes(told) < count {
            self.stream.read_exact(&mut told)?;
        }
        assert_eq!(u64::from_be_bytes(told), count);
        Ok(())
    }

    fn is_closed(&mut self) -> bool {
        !matches!(self.stream.read(&mut [0; 64]), Ok(1..))
    }
}

/// A bench with an authority, a port and senders by the names of their certificates.
struct Bench {
    agent: Agent,
    certificates: Certificates,
    port: u16,
}

impl Bench {
    fn new(rest: &str) -> Bench {
        let dir = folder();
        let certificates = Certificates::make(dir.path());
        let port = unused_port();
        let agent = Agent::new(dir, "");
        let bench = Bench { agent, certificates, port };
        bench.configure(rest, OUTPUT);
        bench
    }

    fn configure(&self, rest: &str, outputs: &str) {
        self.agent.configure(&format!(
            "[[listener]]\nname = \"ibmi\"\nlisten = \"tls://127.0.0.1:{}\"\ncert = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"ca.pem\"\ninput = \"type5\"\n{rest}{outputs}",
            self.port
        ));
    }

    fn start(&self) -> Child {
        let child = self.agent.start();
        self.agent.wait("the port", SOON, || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        child
    }

    fn dir(&self) -> &TempDir {
        &self.agent.dir
    }

    /// A certificate for these names; its files are called as the first.
    fn certificate(&self, names: &[&str], serial: u64) -> (PathBuf, PathBuf) {
        self.certificates.client(names[0], names, serial)
    }

    fn connect(&self, by: &(PathBuf, PathBuf)) -> io::Result<Sender<Tls>> {
        Sender::new(tls(&self.certificates.ca, by, self.port)?)
    }

    /// The same, when the one before may not be gone yet.
    fn connected(&self, by: &(PathBuf, PathBuf)) -> Sender<Tls> {
        self.connect(by).unwrap_or_else(|e| panic!("{e}: {}", self.agent.log()))
    }

    fn stop(&self, child: Child) {
        signal(&child, "TERM");
        self.agent.assert_exit(child, 0, SOON);
    }

    fn says(&self, words: &str) {
        self.agent.wait(words, SOON, || self.agent.log().contains(words));
    }
}

fn tls(ca: &Path, (cert, key): &(PathBuf, PathBuf), port: u16) -> io::Result<Tls> {
    let pem = |p: &Path| fs::read(p).unwrap();
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(&pem(ca)) {
        roots.add(ca.unwrap()).unwrap();
    }
    let own = CertificateDer::pem_slice_iter(&pem(cert)).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem(key)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_client_auth_cert(own, key).unwrap();
    let mut conn = ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SOON))?;
    while conn.is_handshaking() || conn.wants_write() {
        conn.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(conn, socket))
}

#[test]
fn n5_each_sender_is_a_source_by_the_name_of_its_certificate_in_the_table_or_the_template() {
    let bench = Bench::new(
        "timezone = \"Europe/Berlin\"\nsource = \"x-{name}\"\n[[listener.sender]]\nmatch = \"prod01.example\"\nname = \"main\"\ntimezone = \"Asia/Tokyo\"\nfilter.types.exclude = [\"CD\"]\n",
    );
    let made = [records(bench.dir(), 1, 200), records(bench.dir(), 2, 100)];
    let by =
        [bench.certificate(&["PROD01.example", "prod09.example"], 101), bench.certificate(&["prod02.example"], 102)];
    let child = bench.start();
    // Side by side, and neither says a word of the other's place.
    let mut senders: Vec<_> = by.iter().map(|by| bench.connected(by)).collect();
    for (sender, made) in senders.iter_mut().zip(&made) {
        assert_eq!(sender.goes_on_behind(), 0);
        sender.send(&bytes(made)).unwrap();
    }
    for (sender, count) in senders.iter_mut().zip([200, 100]) {
        sender.acknowledged(count).unwrap();
    }
    let tokyo = |out: &str| out.lines().filter(|l| l.contains("+09:00")).count();
    bench.agent.wait("all of the second", SOON, || {
        let out = bench.agent.read("out");
        made[1].truth.iter().all(|e| ids(&out).contains_key(&sequence(e)))
    });
    bench.says("source ibmi/main: ");
    signal(&child, "USR1");
    bench.says("status: source ibmi/x-prod02.example: reading; read 100, ");
    bench.says("status: source ibmi: listening; read 0, ");
    bench.stop(child);
    let (out, log) = (bench.agent.read("out"), bench.agent.log());
    let of = |n: u64| ids(&out).keys().filter(|s| **s / 1_000_000 == n).count();
    assert_eq!(of(2), 100);
    assert!(of(1) > 0 && of(1) < 200 && tokyo(&out) == of(1), "{} {} {log}", of(1), tokyo(&out));
    assert!(log.contains("source ibmi/main: read 200 = filtered "), "{log}");
    assert!(log.contains("source ibmi/x-prod02.example: read 100 = filtered 0 + parked 0 + spooled 100"), "{log}");
    let metrics = bench.agent.read("state/metrics.prom");
    assert!(metrics.contains("qaudjrn_source_read_total{source=\"ibmi/main\"} 200"), "{metrics}");
}

#[test]
fn n5_who_is_not_known_is_refused_in_words_and_the_others_go_on() {
    let bench = Bench::new("[[listener.sender]]\nmatch = \"a.example\"\n");
    let child = bench.start();
    let a = bench.certificate(&["a.example"], 101);
    let _in = bench.connected(&a);
    assert!(bench.connect(&bench.certificate(&["other.example"], 104)).is_err());
    bench.says("is refused: it is known as \"other.example\", which is not in the table of senders");
    assert!(bench.connect(&bench.certificate(&["*.example"], 105)).is_err());
    bench.says("is refused: it is known as \"*.example\": expected 1 to 100 of A-Z");
    // Those who were here may come again.
    bench.connected(&a);
    bench.stop(child);
}

#[test]
fn n5_those_in_the_table_and_those_with_a_place_have_a_seat_also_behind_a_restart() {
    let bench = Bench::new("max_senders = 2\nsource = \"{name}\"\n[[listener.sender]]\nmatch = \"a.example\"\n");
    let [a, b, c] =
        [("a.example", 101), ("b.example", 102), ("c.example", 103)].map(|(n, s)| bench.certificate(&[n], s));
    let made = records(bench.dir(), 2, 10);
    let child = bench.start();
    // One of the two seats is that of the table, though nobody came for it.
    let mut first = bench.connected(&b);
    first.send(&bytes(&made)).unwrap();
    first.acknowledged(10).unwrap();
    assert!(bench.connect(&c).is_err());
    bench.says("it would be source ibmi/c.example, and there are 2 senders already, in the table or with a place on the disk: max_senders");
    bench.connected(&a);
    bench.stop(child);
    let child = bench.start();
    assert!(bench.connect(&c).is_err(), "it takes no seat of who has a place");
    bench.connected(&a);
    assert_eq!(bench.connected(&b).goes_on_behind(), sequence(&made.truth[9]));
    // One more, while it runs.
    bench.configure("max_senders = 3\nsource = \"{name}\"\n[[listener.sender]]\nmatch = \"a.example\"\n", OUTPUT);
    signal(&child, "HUP");
    bench.agent.wait("the third seat", SOON, || bench.connect(&c).is_ok());
    bench.stop(child);
}

#[test]
fn n2_the_newest_connection_of_a_sender_wins_and_nobody_else_is_touched() {
    let bench = Bench::new("");
    let made = [records(bench.dir(), 1, 40), records(bench.dir(), 2, 40)];
    let by = [bench.certificate(&["a.example"], 101), bench.certificate(&["b.example"], 102)];
    let child = bench.start();
    let mut first = bench.connected(&by[0]);
    let mut other = bench.connected(&by[1]);
    other.send(&bytes(&made[1])[..5_000]).unwrap();
    first.send(&bytes(&made[0])[..5_000]).unwrap();
    let mut second = bench.connected(&by[0]);
    assert!({
        while first.stream.read(&mut [0; 8]).is_ok_and(|n| n > 0) {}
        first.is_closed()
    });
    bench.says("it takes the place of");
    // Behind what is on the disk, which the other one may not have been told.
    let behind = second.goes_on_behind();
    let rest: Vec<u8> = {
        let all = bytes(&made[0]);
        let (mut at, mut kept) = (0, Vec::new());
        for entry in &made[0].truth {
            let end = at + 4 + u32::from_be_bytes(all[at..at + 4].try_into().unwrap()) as usize;
            if sequence(entry) > behind {
                kept.extend_from_slice(&all[at..end]);
            }
            at = end;
        }
        kept
    };
    second.send(&rest).unwrap();
    other.send(&bytes(&made[1])[5_000..]).unwrap();
    other.acknowledged(40).unwrap();
    bench.agent.wait("everything", SOON, || has_ids(&bench.agent.read("out"), 80));
    bench.stop(child);
    assert_eq!(bench.agent.log().matches("it takes the place of").count(), 1);
    assert!(ids(&bench.agent.read("out")).values().all(|n| *n == 1), "greeted behind what is on the disk");
}

#[test]
fn n2_kill_9_costs_no_sender_a_record_and_each_is_told_its_own_place() {
    let bench = Bench::new("");
    let made: Vec<Made> = (1..=3).map(|n| records(bench.dir(), n, 300)).collect();
    let by: Vec<_> = (1..=3).map(|n| bench.certificate(&[&format!("s{n}.example")], 100 + n)).collect();
    let mut child = bench.start();
    // Each has another share on the disk when the agent is killed.
    let share = |made: &Made, count: usize| {
        let all = bytes(made);
        let mut at = 0;
        for _ in 0..count {
            at += 4 + u32::from_be_bytes(all[at..at + 4].try_into().unwrap()) as usize;
        }
        at
    };
    let mut senders: Vec<_> = by.iter().map(|by| bench.connected(by)).collect();
    for (n, (sender, made)) in senders.iter_mut().zip(&made).enumerate() {
        let count = 50 * (n + 1);
        sender.send(&bytes(made)[..share(made, count)]).unwrap();
        sender.acknowledged(count as u64).unwrap();
        // And something under way.
        let _ = sender.send(&bytes(made)[share(made, count)..share(made, count + 20)]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    child = bench.start();
    for (n, (by, made)) in by.iter().zip(&made).enumerate() {
        let mut sender = bench.connected(by);
        let behind = sender.goes_on_behind();
        let stored = made.truth.iter().filter(|e| sequence(e) <= behind).count();
        assert!(stored >= 50 * (n + 1) && behind / 1_000_000 == n as u64 + 1, "{n}: {behind}");
        sender.send(&bytes(made)[share(made, stored)..]).unwrap();
        sender.acknowledged(300 - stored as u64).unwrap();
    }
    bench.agent.wait("everything", SOON, || has_ids(&bench.agent.read("out"), 900));
    bench.stop(child);
}

#[test]
fn h13_silent_handshakes_keep_no_sender_out() {
    let bench = Bench::new("");
    let by = bench.certificate(&["a.example"], 101);
    let child = bench.start();
    let silent: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(("127.0.0.1", bench.port)).unwrap()).collect();
    let made = records(bench.dir(), 1, 20);
    let mut sender = bench.connected(&by);
    sender.send(&bytes(&made)).unwrap();
    sender.acknowledged(20).unwrap();
    bench.says("is refused: TLS: it ended during the handshake");
    drop(silent);
    bench.stop(child);
}

#[test]
fn h11_a_revoked_certificate_lets_nobody_in_and_no_other_out() {
    let bench = Bench::new("client_crl = \"crl.pem\"\n");
    bench.certificates.revoke("crl.pem", &[101]);
    let by = [bench.certificate(&["a.example"], 101), bench.certificate(&["b.example"], 102)];
    let child = bench.start();
    assert!(bench.connect(&by[0]).is_err());
    bench.says("Revoked");
    let mut other = bench.connected(&by[1]);
    // Who is revoked later is let in no more.
    bench.certificates.revoke("crl.pem", &[102]);
    assert!(bench.connect(&by[1]).is_err());
    bench.connected(&by[0]);
    let made = records(bench.dir(), 2, 10);
    other.send(&bytes(&made)).unwrap();
    other.acknowledged(10).unwrap();
    bench.stop(child);
}

/// Some records, and that so many of this connection are on the disk then.
fn give(sender: &mut Sender<Tls>, made: &Made, count: u64) {
    sender.send(&bytes(made)).unwrap();
    sender.acknowledged(count).unwrap();
}

#[test]
fn o4_a_reload_closes_the_connections_of_those_whose_settings_change_and_of_nobody_else() {
    const A: &str = "[[listener.sender]]\nmatch = \"a.example\"\n";
    const C: &str = "[[listener.sender]]\nmatch = \"c.example\"\nname = \"new\"\n";
    const TEMPLATE: &str = "source = \"{name}\"\n";
    let bench = Bench::new(&format!("{TEMPLATE}{A}"));
    let [a, b, c] =
        [("a.example", 101), ("b.example", 102), ("c.example", 103)].map(|(n, s)| bench.certificate(&[n], s));
    let made = |n: u64| [0, 1, 2, 3].map(|part| records(bench.dir(), n * 10 + part, 10));
    let (of_a, of_b, of_c) = (made(1), made(2), made(3));
    let child = bench.start();
    let (mut first, mut second) = (bench.connected(&a), bench.connected(&b));
    give(&mut first, &of_a[0], 10);
    give(&mut second, &of_b[0], 10);
    let reload = |rest: &str, outputs: &str| {
        let before = bench.agent.log().matches("was read again").count();
        bench.configure(rest, outputs);
        signal(&child, "HUP");
        bench.agent.wait("the reload", SOON, || bench.agent.log().matches("was read again").count() > before);
    };
    // Another output, and another sender in the table: nobody is interrupted, and who is new may come.
    let more = format!("{OUTPUT}[[output]]\nname = \"b\"\naddress = \"null\"\nformat = \"json\"\n");
    reload(&format!("{TEMPLATE}{A}"), &more);
    reload(&format!("{TEMPLATE}{A}{C}"), &more);
    give(&mut first, &of_a[1], 20);
    give(&mut second, &of_b[1], 20);
    let mut third = bench.connected(&c);
    give(&mut third, &of_c[0], 10);
    bench.says("source ibmi/new: ");
    // The row of one of them is another one: it comes again, and goes on.
    reload(&format!("{TEMPLATE}{A}ccsid = 273\n{C}"), &more);
    assert!(first.is_closed());
    bench.says("source ibmi/a.example: its settings have changed: ");
    give(&mut second, &of_b[2], 30);
    give(&mut third, &of_c[1], 20);
    first = bench.connected(&a);
    assert_eq!(first.goes_on_behind(), sequence(&of_a[1].truth[9]));
    give(&mut first, &of_a[2], 10);
    // A row is gone, and so is the template: who has no place any more is closed, and refused.
    reload(C, &more);
    assert!(first.is_closed() && second.is_closed());
    bench.says("source ibmi/b.example: it is in the configuration no more: ");
    assert!(bench.connect(&b).is_err());
    give(&mut third, &of_c[2], 30);
    signal(&child, "USR1");
    bench.says("status: source ibmi/new: reading; read 30, ");
    assert!(!bench.agent.log().contains("status: source ibmi/b.example"), "{}", bench.agent.log());
    // And it may come back to where it was, without a start of the agent.
    reload(&format!("{TEMPLATE}{C}"), &more);
    second = bench.connected(&b);
    assert_eq!(second.goes_on_behind(), sequence(&of_b[2].truth[9]));
    give(&mut second, &of_b[3], 10);
    give(&mut third, &of_c[3], 40);
    bench.stop(child);
    let found = ids(&bench.agent.read("out"));
    assert_eq!(found.len(), 110, "{}", bench.agent.log());
    assert!(found.values().all(|n| *n == 1));
}

#[test]
fn o4_a_listener_whose_socket_changes_closes_it_and_everybody_comes_again_to_the_new_one() {
    let bench = Bench::new("");
    let by = bench.certificate(&["a.example"], 101);
    let made = [1, 2].map(|n| records(bench.dir(), n, 10));
    let child = bench.start();
    let mut sender = bench.connected(&by);
    give(&mut sender, &made[0], 10);
    bench.configure("client_names = [\"a.example\"]\n", OUTPUT);
    signal(&child, "HUP");
    assert!(sender.is_closed());
    bench.agent.wait("the listener", SOON, || bench.connect(&by).is_ok());
    let mut sender = bench.connected(&by);
    assert_eq!(sender.goes_on_behind(), sequence(&made[0].truth[9]));
    give(&mut sender, &made[1], 10);
    bench.stop(child);
    assert_eq!(ids(&bench.agent.read("out")).len(), 20);
}

#[test]
fn three_hundred_senders_are_three_hundred_sources_and_no_thread_more() {
    const SENDERS: u64 = 300;
    let bench = Bench::new("");
    let made = records(bench.dir(), 1, 4);
    let all = bytes(&made);
    let by: Vec<_> = (0..SENDERS).map(|n| bench.certificate(&[&format!("s{n}.example")], 1_000 + n)).collect();
    let child = bench.start();
    let mut senders: Vec<_> = by.iter().map(|by| bench.connected(by)).collect();
    // Each sends what others send: they are sources of their own.
    for _ in 0..3 {
        senders.iter_mut().for_each(|s| s.send(&all).unwrap());
    }
    senders.iter_mut().for_each(|s| s.acknowledged(12).unwrap());
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().count();
    assert!(threads < 40, "{threads} threads");
    bench.agent.wait("everything", SOON, || ids(&bench.agent.read("out")).values().sum::<u32>() == 12 * SENDERS as u32);
    bench.stop(child);
    // The log sums up what so many say at once.
    let metrics = bench.agent.read("state/metrics.prom");
    for n in 0..SENDERS {
        let line = format!("qaudjrn_source_read_total{{source=\"ibmi/s{n}.example\"}} 12");
        assert!(metrics.lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn n5_a_local_sender_is_known_by_its_user() {
    let dir = folder();
    let made = records(&dir, 1, 20);
    let socket = dir.path().join("sock");
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let user = user.trim();
    let listener = "[[listener]]\nname = \"local\"\nlisten = \"unix:DIR/sock\"\ninput = \"type5\"\n";
    let agent = Agent::new(dir, &format!("{listener}{OUTPUT}"));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    let mut sender = Sender::new(UnixStream::connect(&socket).unwrap()).unwrap();
    sender.send(&bytes(&made)).unwrap();
    sender.acknowledged(20).unwrap();
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(agent.log().contains(&format!("source local/{user}: read 20 = ")), "{}", agent.log());
    // The same user, in a table that does not know it.
    agent.configure(&format!("{listener}[[listener.sender]]\nmatch = \"nobody-else\"\n{OUTPUT}"));
    let child = agent.start();
    agent.wait("the socket", SOON, || socket.exists());
    assert!(Sender::new(UnixStream::connect(&socket).unwrap()).is_err());
    agent.wait("the refusal", SOON, || agent.log().contains(&format!("it is known as \"{user}\"")));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}
