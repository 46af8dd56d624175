//! What an output does while it waits: for the meter (C5), for more events (B2), and what waiting costs.
use std::{
    fs,
    net::UdpSocket,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use super::{SOON, spooled, sums};
use harness::{
    agent::{Agent, FOLLOWED, Receiver, SOURCE, capture, has_ids, ids, notices, signal},
    program::{folder, make},
    rest::{Used, at_rest},
    unused_port,
};

fn tcp(name: &str, port: u16, more: &str) -> String {
    format!("[[output]]\nname = \"{name}\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n{more}")
}

#[test]
fn c5_an_output_that_waits_for_its_meter_sends_heartbeats_sees_its_peer_and_obeys_a_stop() {
    let dir = folder();
    capture(&dir, 50);
    let receiver = Receiver::start();
    // One lane: what waits is counted from where the slowest of them is.
    let slow = "meter = { events_per_second = 0.01 }\nheartbeat = 1\npriority_types = []\n";
    let agent = Agent::new(dir, &format!("{SOURCE}{}", tcp("a", receiver.port, slow)));
    let text = fs::read_to_string(&agent.config).unwrap();
    fs::write(&agent.config, text.replace("stop_timeout = 5", "stop_timeout = 40")).unwrap();
    let child = agent.start();
    agent.wait("an event and heartbeats", SOON, || {
        ids(&receiver.text()).len() == 1 && notices(&receiver.text(), "AGENT-HEARTBEAT").len() >= 3
    });
    let began = Instant::now();
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // The end was confirmed: nothing of the window is sent again by the next start.
    let of = sums(&agent, "a");
    assert_eq!((of("sent"), of("waiting")), (1, spooled(&agent) - 1), "{}", agent.log());
    assert!(of("notices") >= 3, "{}", agent.log());
    let child = agent.start();
    agent.wait("the next", SOON, || has_ids(&receiver.text(), 2) && receiver.connections.load(SeqCst) == 2);
    // The peer closes: it is seen within the wait.
    receiver.reset_connection.store(true, SeqCst);
    agent.wait("another connection", SOON, || receiver.connections.load(SeqCst) == 3);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert_eq!(ids(&receiver.text()).values().sum::<u32>(), 2);
}

#[test]
fn b2_an_output_that_has_delivered_everything_takes_what_a_reload_brings() {
    let dir = folder();
    capture(&dir, 20);
    let nobody = unused_port();
    let good = "[[output]]\nname = \"good\"\naddress = \"file:DIR/good\"\nformat = \"json\"\n";
    let outputs = format!("{good}{}", tcp("dead", nobody, ""));
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{SOURCE}{outputs}"));
    let child = agent.start();
    agent.wait("everything", SOON, || ids(&agent.read("good")).len() == 20);
    let beats = || notices(&agent.read("good"), "AGENT-HEARTBEAT").len();
    agent.wait("heartbeats though nothing comes", SOON, || beats() >= 3);
    agent.configure(&format!("heartbeat = 1\n{FOLLOWED}{outputs}"));
    signal(&child, "HUP");
    agent.wait("the new configuration", SOON, || agent.log().contains("was read again"));
    let more = make(&agent.dir, "more", "--count 30 --seed 9 --first-sequence 1000");
    let mut day = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    std::io::Write::write_all(&mut day, &fs::read(&more.path).unwrap()).unwrap();
    agent.wait("what came later", SOON, || ids(&agent.read("good")).len() == 50);
    let before = beats();
    agent.wait("more heartbeats", SOON, || beats() > before);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn b8_a_heartbeat_that_is_longer_than_a_datagram_loses_its_rules_and_no_connection() {
    let dir = folder();
    capture(&dir, 200);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    // Rules with long names that all drop something.
    let users: Vec<String> = (0..26u8).map(|n| format!("\"{}*\"", char::from(b'A' + n))).collect();
    let filter = format!("[filter]\nusers.exclude = [{}]\n", users.join(", "));
    let output =
        format!("[[output]]\nname = \"a\"\naddress = \"udp://127.0.0.1:{port}\"\nformat = \"json\"\nmax_size = 700\n");
    let agent = Agent::new(dir, &format!("heartbeat = 1\n{filter}{FOLLOWED}{output}"));
    let child = agent.start();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let (mut beats, mut bytes) = (0, vec![0; 70_000]);
    while beats < 3 {
        let length = socket.recv(&mut bytes).unwrap();
        assert!(length <= 700, "{length} bytes: {}", String::from_utf8_lossy(&bytes[..length]));
        beats += usize::from(String::from_utf8_lossy(&bytes[..length]).contains("AGENT-HEARTBEAT"));
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(!agent.log().contains("will be sent again"), "{}", agent.log());
}

#[test]
fn sent_counts_entries_and_notices_apart() {
    let dir = folder();
    capture(&dir, 100);
    let file = "[[output]]\nname = \"a\"\naddress = \"file:DIR/a\"\nformat = \"json\"\n";
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{SOURCE}{file}"));
    agent.assert_exit(agent.start(), 0, SOON);
    // Numbers that go back: a gap, which is an event at the output.
    let back = make(&agent.dir, "back", "--count 10 --seed 7 --first-sequence 3");
    let mut day = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    std::io::Write::write_all(&mut day, &fs::read(&back.path).unwrap()).unwrap();
    agent.assert_exit(agent.start(), 0, SOON);
    let of = sums(&agent, "a");
    assert_eq!(notices(&agent.read("a"), "AGENT-GAP").len(), 1);
    assert!(of("sent") == 10 && of("notices") >= 1, "{}", agent.log());
}

#[test]
fn h2_twenty_idle_outputs_hardly_wake_up() {
    let dir = folder();
    capture(&dir, 50);
    let receivers: Vec<Receiver> = (0..20).map(|_| Receiver::start()).collect();
    let outputs: String = receivers
        .iter()
        .enumerate()
        .map(|(n, r)| tcp(&format!("o{n}"), r.port, "resend_window.seconds = 1\n"))
        .collect();
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}{outputs}"));
    let child = agent.start();
    agent.wait("everything", SOON, || receivers.iter().all(|r| ids(&r.text()).len() == 50));
    // When their windows are over no output looks at anything: what is left is the supervisor, the spool and the source.
    let is_rest = |used: &Used, time| used.often(time) <= 20.0;
    let (used, time) = at_rest(&agent, &child, None, is_rest);
    assert!(is_rest(&used, time), "{used:?} in {time:?}");
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}
