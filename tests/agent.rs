//! The agent: what its sources hold reaches every output at least once, whatever ends in between.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use harness::peers::{Kind, Receiver as Peer, cef_ids};
use harness::{
    agent::{Agent, Receiver, SOURCE, capture, has_ids, ids, nothing_lost, patient, serve, signal, unread},
    program::{folder, make},
    unused_port,
};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn n2_a_capture_reaches_a_file_whole_and_a_second_start_sends_nothing_again() {
    let dir = folder();
    let made = capture(&dir, 3_000);
    let text = format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &text);
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    let out = agent.dir.path().join("out");
    let first = fs::read_to_string(&out).unwrap();
    assert_eq!(nothing_lost(&made, &ids(&first)), 0);
    // The lines are those of replay; events that go first when an output is behind may stand before others.
    let replayed = harness::program::replay("--format json", &[&agent.dir.path().join("day.type5")]);
    let sorted = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert!(sorted(&first) == sorted(&replayed.stdout), "the lines of run are not those of replay");
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    assert!(fs::read_to_string(&out).unwrap() == first, "something was sent again");
    // A capture that has grown goes on where it was.
    let more = make(&agent.dir, "more.type5", "--count 500 --seed 18 --first-sequence 3001");
    let day = agent.dir.path().join("day.type5");
    let mut grown = fs::OpenOptions::new().append(true).open(&day).unwrap();
    grown.write_all(&fs::read(&more.path).unwrap()).unwrap();
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    let all = fs::read_to_string(&out).unwrap();
    assert_eq!(ids(&all).len(), 3_500);
    assert_eq!(all.lines().count(), 3_500);
}

#[test]
fn a_second_agent_on_the_same_state_is_refused() {
    let dir = folder();
    capture(&dir, 10);
    let agent = Agent::new(
        dir,
        "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfollow = true\n[[output]]\nname = \"a\"\naddress = \"null\"\n",
    );
    let first = agent.start();
    // The first one has the lock when it tells how it is doing.
    agent.wait("the first agent", SOON, || agent.dir.path().join("state/metrics.prom").exists());
    agent.assert_exit(agent.start(), 2, Duration::from_secs(10));
    assert!(agent.log().contains("another agent uses this state"), "{}", agent.log());
    signal(&first, "TERM");
    agent.assert_exit(first, 0, Duration::from_secs(10));
}

#[test]
fn n4_each_output_takes_what_its_filter_lets_through_and_one_that_is_down_holds_up_nobody() {
    let dir = folder();
    let made = capture(&dir, 2_000);
    let nobody = unused_port();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"all\"\naddress = \"file:DIR/all\"\nformat = \"json\"\n[[output]]\nname = \"pw\"\naddress = \"file:DIR/pw\"\nformat = \"json\"\nfilter.types.send = [\"PW\"]\nfilter.protect_audit_changes = false\n[[output]]\nname = \"down\"\naddress = \"tcp://127.0.0.1:{nobody}\"\nformat = \"json\"\n"
        ),
    );
    let child = agent.start();
    let read = |name: &str| fs::read_to_string(agent.dir.path().join(name)).unwrap_or_default();
    agent.wait("everything", SOON, || ids(&read("all")).len() >= 2_000);
    nothing_lost(&made, &ids(&read("all")));
    let pw = made.truth.iter().filter(|t| t["header"]["journal_entry_type"] == "PW").count();
    agent.wait("the passwords", SOON, || ids(&read("pw")).len() >= pw);
    assert_eq!(ids(&read("pw")).len(), pw);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
    // It comes back and gets everything; the others get nothing twice.
    let listener = TcpListener::bind(("127.0.0.1", nobody)).unwrap();
    let text: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = text.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &kept, &AtomicBool::new(false), &AtomicBool::new(false));
        }
    });
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    nothing_lost(&made, &ids(&String::from_utf8_lossy(&text.lock().unwrap())));
    assert_eq!(ids(&read("all")).values().sum::<u32>(), 2_000);
}

#[test]
fn n2_kill_9_of_the_agent_at_random_moments_loses_nothing() {
    let dir = folder();
    let made = capture(&dir, 20_000);
    let receiver = Receiver::start();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\nmeter = {{ events_per_second = 8000, burst = 100 }}\n",
            receiver.port
        ),
    );
    let rounds: u64 = std::env::var("QAUDJRN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    for round in 0..rounds {
        let mut child = agent.start();
        thread::sleep(Duration::from_millis(40 + round * 7_919 % 400));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    agent.assert_exit(agent.start(), 0, Duration::from_secs(60));
    // The receiver may still be reading what the last connection left it.
    agent.wait("everything", SOON, || has_ids(&receiver.text(), made.truth.len()));
    let twice = nothing_lost(&made, &ids(&receiver.text()));
    assert!(twice <= rounds * 20_000, "{twice}");
}

#[test]
fn n2_a_receiver_that_stalls_and_dies_with_unread_lines_loses_nothing() {
    let dir = folder();
    let made = capture(&dir, 40_000);
    let receiver = Receiver::start();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\n",
            receiver.port
        ),
    );
    receiver.stop_reading.store(true, Ordering::SeqCst);
    let child = agent.start();
    agent.wait("the connection", SOON, || receiver.connections.load(Ordering::SeqCst) > 0);
    // It stalls; how much is on the way when it dies is not what is asked.
    agent.wait("lines that nobody reads", SOON, || !unread(receiver.port).is_empty());
    receiver.reset_connection.store(true, Ordering::SeqCst);
    receiver.stop_reading.store(false, Ordering::SeqCst);
    agent.assert_exit(child, 0, Duration::from_secs(60));
    agent.wait("everything", SOON, || has_ids(&receiver.text(), made.truth.len()));
    nothing_lost(&made, &ids(&receiver.text()));
    assert!(receiver.connections.load(Ordering::SeqCst) >= 2);
    assert!(agent.log().contains("events will be sent again"), "{}", agent.log());
}

#[test]
fn n2_a_spool_that_cannot_be_used_is_set_aside_and_the_source_is_read_again() {
    let dir = folder();
    let made = capture(&dir, 2_000);
    let nobody = unused_port();
    let down = format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{nobody}\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &down);
    let state = agent.dir.path().join("state");
    let spooled = |code: i32| {
        let tries = || agent.log().matches("cannot connect").count();
        let before = tries();
        let child = agent.start();
        agent.wait("the first try", SOON, || tries() > before);
        signal(&child, "TERM");
        agent.assert_exit(child, code, Duration::from_secs(10));
    };
    spooled(0);
    // What the log must say, and the damage.
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let damage: [Damage<'_>; 2] = [
        ("shorter than the head of a database", &|p| {
            fs::write(p, b"x").unwrap();
        }),
        ("its head is not that of a spool", &|p| fs::write(p, vec![7; 5_000]).unwrap()),
    ];
    for (n, (why, damage)) in damage.iter().enumerate() {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(state.join(format!("spool.db{suffix}")));
        }
        damage(&state.join("spool.db"));
        // What was damaged is told, also where the source gives it again.
        spooled(3);
        let log = agent.log();
        assert!(log.contains("was set aside as") && log.contains(why), "{why}: {log}");
        assert!(state.join(format!("spool.db.set-aside-{}", n + 1)).exists(), "{n}");
    }
    let up = down.replace(&format!("tcp://127.0.0.1:{nobody}"), &format!("file:{}/out", agent.dir.path().display()));
    fs::write(&agent.config, format!("state_dir = \"state\"\n{up}")).unwrap();
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    nothing_lost(&made, &ids(&fs::read_to_string(agent.dir.path().join("out")).unwrap()));
}

#[test]
fn r29_no_second_holds_more_than_the_limit() {
    let dir = folder();
    let made = capture(&dir, 1_500);
    let receiver = Receiver::start();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\nmeter = {{ events_per_second = 500, burst = 1 }}\n",
            receiver.port
        ),
    );
    let began = Instant::now();
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    agent.wait("everything", SOON, || has_ids(&receiver.text(), made.truth.len()));
    nothing_lost(&made, &ids(&receiver.text()));
    // 1,500 events at 500 a second take at least the two seconds between the first and the last five hundred.
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn r40_nothing_is_written_but_below_the_state_and_its_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    capture(&dir, 100);
    let agent = Agent::new(dir, &format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"null\"\n"));
    let before = fs::read(agent.dir.path().join("day.type5")).unwrap();
    agent.assert_exit(agent.start(), 0, Duration::from_secs(10));
    assert_eq!(fs::read(agent.dir.path().join("day.type5")).unwrap(), before);
    let mut names: Vec<String> =
        fs::read_dir(agent.dir.path()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["agent.toml", "day.type5", "log", "state"]);
    let state = agent.dir.path().join("state");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(&state).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

#[test]
fn n5_relp_to_rsyslog_loses_nothing_when_the_receiver_is_killed() {
    let dir = folder();
    let made = capture(&dir, 20_000);
    let mut peer = Peer::start(Kind::RsyslogRelp);
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\nmeter = {{ events_per_second = 10000, burst = 200 }}\n",
            peer.address()
        ),
    );
    let child = agent.start();
    for round in 1..3 {
        peer.wait_for(round * 3_000, patient(SOON));
        peer.kill();
        peer.restart();
    }
    agent.assert_exit(child, 0, Duration::from_secs(60));
    let got = cef_ids(&peer.stop());
    let twice = nothing_lost(&made, &got);
    // What was on the way when it died: a window each time.
    assert!(twice <= 2 * 128, "{twice}");
}

#[test]
fn n2_a_full_spool_stops_the_source_and_drops_nothing() {
    let dir = folder();
    let made = capture(&dir, 30_000);
    let port = unused_port();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[spool]\nmax_size = \"20MiB\"\n[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n"
        ),
    );
    let child = agent.start();
    agent.wait("a full spool", SOON, || agent.log().contains("not read until there is room: the spool is full"));
    let size = || -> u64 {
        fs::read_dir(agent.dir.path().join("state")).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum()
    };
    // One batch may pass the limit, and the write-ahead log be as long as a checkpoint lets it.
    assert!(size() < 26 << 20, "{} bytes", size());
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let text: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = text.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &kept, &AtomicBool::new(false), &AtomicBool::new(false));
        }
    });
    agent.assert_exit(child, 0, Duration::from_secs(90));
    agent.wait("everything", SOON, || ids(&String::from_utf8_lossy(&text.lock().unwrap())).len() >= made.truth.len());
    nothing_lost(&made, &ids(&String::from_utf8_lossy(&text.lock().unwrap())));
    assert!(agent.log().contains("reading goes on"), "{}", agent.log());
}

#[test]
fn n5_every_line_arrives_once_over_tls_mutual_tls_and_relp_under_tls() {
    for kind in [Kind::RsyslogTls, Kind::RsyslogMutualTls, Kind::SyslogNgTls, Kind::RsyslogRelpTls] {
        let dir = folder();
        let made = capture(&dir, 5_000);
        let peer = Peer::start(kind);
        let c = &peer.certificates;
        let agent = Agent::new(
            dir,
            &format!(
                "{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\nca = \"{}\"\ncert = \"{}\"\nkey = \"{}\"\n",
                peer.address(),
                c.ca.display(),
                c.client_cert.display(),
                c.client_key.display()
            ),
        );
        agent.assert_exit(agent.start(), 0, Duration::from_secs(60));
        assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0, "{kind:?}");
    }
}

#[test]
fn a_receiver_that_is_not_trusted_gets_nothing_and_the_reason_is_told() {
    let dir = folder();
    let made = capture(&dir, 100);
    let (peer, stranger) = (Peer::start(Kind::RsyslogTls), Peer::start(Kind::RsyslogTls));
    let text = |ca: &Path| {
        let ca = ca.display();
        format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\nca = \"{ca}\"\n", peer.address())
    };
    let agent = Agent::new(dir, &text(&stranger.certificates.ca));
    let child = agent.start();
    agent.wait("the reason", SOON, || agent.log().contains("TLS handshake with"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
    // The events waited; with the right CA they arrive.
    agent.configure(&text(&peer.certificates.ca));
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0);
}

#[test]
fn replay_to_an_output_trusts_and_shows_the_certificates_of_that_output() {
    let dir = folder();
    let made = capture(&dir, 500);
    let peer = Peer::start(Kind::RsyslogMutualTls);
    let c = &peer.certificates;
    let config = dir.path().join("agent.toml");
    let (address, ca) = (peer.address(), c.ca.display());
    let own = format!("cert = \"{}\"\nkey = \"{}\"\n", c.client_cert.display(), c.client_key.display());
    let text = |own: &str| format!("[[output]]\nname = \"a\"\naddress = \"{address}\"\nca = \"{ca}\"\n{own}");
    let replay = || harness::program::replay(&format!("--config {} --output a", config.display()), &[&made.path]);
    fs::write(&config, text("")).unwrap();
    replay().assert_output(1, &["CertificateRequired"]);
    fs::write(&config, text(&own)).unwrap();
    replay().assert_output(0, &[]);
    assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0);
}
