//! What is refused, contradicted or cannot be read back: it halts what it has to halt, it is told, and nothing else is lost by it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use harness::{
    agent::{Agent, SOURCE, capture, file, ids, nothing_lost, notices, signal},
    ebcdic,
    program::{folder, make},
    record::Record,
    system::private,
    unused_port,
};
use qaudjrn::{
    event::{Notice, notice::GAP},
    spool::{BatchHeader, Builder, Spool, SpoolOptions},
};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

const SOON: Duration = Duration::from_secs(60);

/// A server at `localhost` that answers everybody who wants a WebSocket with one status of HTTP.
struct Gateway {
    port: u16,
    logins: Arc<AtomicUsize>,
}

impl Gateway {
    /// Its certificate is written to a file.
    fn start(status: &'static str, ca: &Path) -> Gateway {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(ca, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let gateway = Gateway { port: listener.local_addr().unwrap().port(), logins: Arc::default() };
        let logins = gateway.logins.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
                let (mut asked, mut bytes) = (Vec::new(), [0; 4_096]);
                while !asked.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut bytes) {
                        Ok(n) if n > 0 => asked.extend_from_slice(&bytes[..n]),
                        _ => break,
                    }
                }
                let asked = String::from_utf8_lossy(&asked).to_lowercase();
                logins.fetch_add(usize::from(asked.contains("authorization: basic ")), Ordering::SeqCst);
                let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        gateway
    }

    fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }
}

#[test]
fn h10_a_login_that_http_refuses_is_never_tried_again_and_a_server_that_is_down_is() {
    let dir = folder();
    private(&dir.path().join("password"), "secret\n");
    let statuses = ["401 Unauthorized", "403 Forbidden", "407 Proxy Authentication Required"];
    let later = "503 Service Unavailable";
    let (mut text, mut gateways) = (String::from("heartbeat = 1\n"), Vec::new());
    for (n, status) in statuses.into_iter().chain([later]).enumerate() {
        let gateway = Gateway::start(status, &dir.path().join(format!("ca{n}.pem")));
        text += &format!(
            "[[source]]\nname = \"s{n}\"\nkind = \"mapepire\"\naddress = \"localhost:{}\"\nuser = \"AUDITOR\"\npassword = \"password\"\nca = \"ca{n}.pem\"\ntimezone = \"UTC\"\n",
            gateway.port
        );
        gateways.push(gateway);
    }
    let agent = Agent::new(dir, &format!("{text}{}", file("a")));
    let child = agent.start();
    let state = |n: usize| {
        let beats = notices(&agent.read("a"), "AGENT-HEARTBEAT");
        let mine = beats.iter().rfind(|b| b["source"] == format!("s{n}").as_str());
        mine.map_or(String::new(), |b| b["state"].as_str().unwrap_or("").to_owned())
    };
    for round in 1..=2 {
        // By then the others would have tried again as often.
        let before = gateways[3].logins();
        agent.wait("the server that is down", SOON, || gateways[3].logins() >= before + 3);
        for (n, status) in statuses.iter().enumerate() {
            agent.wait(status, SOON, || {
                let told = format!("source s{n}: the login is refused: localhost:");
                agent.log().lines().filter(|l| l.contains(&told) && l.contains(status)).count() == round
            });
            agent.wait("the state", SOON, || state(n).starts_with("stopped: the login is refused"));
            assert_eq!(gateways[n].logins(), round, "{status}: {}", agent.log());
        }
        assert!(state(3).starts_with("not reached: "), "{}", state(3));
        if round == 1 {
            signal(&child, "HUP");
        }
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(!agent.log().contains("secret"), "no password in the log");
}

/// Entries of these days of May, in *TYPE2, day first.
fn dated(days: std::ops::RangeInclusive<u32>) -> Vec<u8> {
    let entry = |day: u32| {
        let mut r = Record::new("type2", "PW");
        r.head("sequence_number", &ebcdic::plain(&format!("{day:010}")));
        r.head("entry_date", &ebcdic::plain(&format!("{day:02}0526")));
        r.head("entry_time", &ebcdic::plain("080001"));
        r.bytes().to_vec()
    };
    days.flat_map(entry).collect()
}

const DATED: &str = "[[source]]\nname = \"prod01\"\npath = \"day\"\nreceiver = \"AUDRCV0001\"\ntimezone = \"UTC\"\n";

#[test]
fn f09_dates_that_contradict_the_format_are_an_event_and_a_failed_run() {
    // All of these are dates in the format that was given, so they are read before anything speaks against it.
    for (given, days, code) in [("MDY", 8..=12, 1), ("YMD", 8..=19, 1), ("DMY", 8..=19, 0)] {
        let count = days.clone().count();
        let agent = Agent::new(folder(), &format!("{DATED}date_format = \"{given}\"\n{}", file("a")));
        fs::write(agent.dir.path().join("day"), dated(days)).unwrap();
        agent.assert_exit(agent.start(), code, SOON);
        let told = notices(&agent.read("a"), "AGENT-CONTRADICTION");
        assert_eq!(told.len(), usize::try_from(code).unwrap(), "{given}: {}", agent.log());
        assert_eq!(ids(&agent.read("a")).len(), count, "{given}: what was read is sent");
        for notice in &told {
            assert_eq!((&notice["source"], &notice["option"]), (&"prod01".into(), &"date_format".into()));
            assert!(notice["problem"].as_str().unwrap().contains("give DMY"), "{notice}");
            assert!(agent.log().contains("give DMY"), "{}", agent.log());
        }
    }
}

#[test]
fn f09_a_capture_whose_dates_are_impossible_is_refused_and_one_that_grows_so_is_told_of() {
    let agent = Agent::new(folder(), &format!("{DATED}date_format = \"MDY\"\n{}", file("a")));
    let day = agent.dir.path().join("day");
    fs::write(&day, dated(8..=19)).unwrap();
    agent.assert_exit(agent.start(), 1, SOON);
    assert!(agent.log().contains("give DMY") && agent.read("a").is_empty(), "{}", agent.log());
    // Nothing speaks against two days; what comes behind them does, and is sent as it reads.
    let text = format!("{DATED}follow = true\ndate_format = \"MDY\"\n{}", file("a"));
    let agent = Agent::new(folder(), &text);
    let day = agent.dir.path().join("day");
    fs::write(&day, dated(8..=9)).unwrap();
    let child = agent.start();
    agent.wait("two entries", SOON, || ids(&agent.read("a")).len() == 2);
    assert!(notices(&agent.read("a"), "AGENT-CONTRADICTION").is_empty());
    let mut grown = fs::OpenOptions::new().append(true).open(&day).unwrap();
    grown.write_all(&dated(10..=19)).unwrap();
    agent.wait("the rest", SOON, || ids(&agent.read("a")).len() == 12);
    agent.wait("the event", SOON, || notices(&agent.read("a"), "AGENT-CONTRADICTION").len() == 1);
    signal(&child, "TERM");
    agent.assert_exit(child, 1, SOON);
}

/// Stores a position that is no JSON, behind a batch that somebody still waits for.
fn spoil_position(agent: &Agent) {
    let (spool, _) = Spool::open(SpoolOptions::new(agent.dir.path().join("state"))).unwrap();
    let (_, before) = spool.position("prod01").unwrap().expect("a position");
    let header = BatchHeader { source: "prod01".into(), heading: "type5".into(), ..BatchHeader::default() };
    let mut builder = Builder::new(header, &before);
    builder.push_notice(&Notice::new(GAP, "waits", 7, chrono_tz::UTC));
    spool.append(&mut builder.finish(), "this is no JSON", None).unwrap();
}

#[test]
fn b7_a_position_that_is_not_json_costs_what_came_behind_an_older_one_and_never_the_source() {
    let dir = folder();
    let made = capture(&dir, 20);
    let port = unused_port();
    // Whom nobody answers: no output but this one may pass the batch, so the position file stays as it is.
    let down = format!("[[output]]\nname = \"down\"\naddress = \"tcp://127.0.0.1:{port}\"\n");
    let agent = Agent::new(dir, &format!("{SOURCE}{}", file("a")));
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!(nothing_lost(&made, &ids(&agent.read("a"))), 0);
    spoil_position(&agent);
    let more = make(&agent.dir, "more", "--count 7 --seed 3 --first-sequence 1000");
    let day = agent.dir.path().join("day.type5");
    let mut grown = fs::OpenOptions::new().append(true).open(&day).unwrap();
    grown.write_all(&fs::read(&more.path).unwrap()).unwrap();
    agent.configure(&format!("{SOURCE}{}{down}", file("a")));
    let child = agent.start();
    agent.wait("what came behind it", SOON, || ids(&agent.read("a")).len() == 27);
    assert!(ids(&agent.read("a")).values().all(|n| *n == 1), "the older position is that of the end");
    assert!(agent.log().contains("that of the position file is used"), "{}", agent.log());
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    // Without a position file it begins anew, and says that something may be missing.
    spoil_position(&agent);
    for n in 1..=2 {
        let _ = fs::remove_file(agent.dir.path().join(format!("state/position.{n}")));
    }
    let told = || {
        let gaps = notices(&agent.read("a"), "AGENT-GAP");
        gaps.iter().filter(|g| g.to_string().contains("the stored position cannot be read")).count()
    };
    assert_eq!(told(), 0);
    let child = agent.start();
    agent.wait("all of it again", SOON, || ids(&agent.read("a")).values().all(|n| *n == 2));
    agent.wait("the event", SOON, || told() == 1);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}
