//! What counts as delivered over TCP (H4), and receivers that never answer the end of a connection (B3).
use std::{
    collections::BTreeMap,
    io::Read,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use super::{SOON, sums};
use harness::{
    agent::{Agent, FOLLOWED, Receiver, SOURCE, capture, has_ids, ids, nothing_lost, signal},
    program::folder,
    unused_port,
};

#[test]
fn h4_a_receiver_that_stalls_for_longer_than_the_window_and_dies_loses_nothing() {
    let dir = folder();
    let made = capture(&dir, 12_000);
    let receiver = with_little_room();
    let agent = Agent::new(
        dir,
        &format!(
            "heartbeat = 0\n{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\nresend_window.seconds = 1\n",
            receiver.port
        ),
    );
    let child = agent.start();
    agent.wait("the first lines", SOON, || receiver.text.lock().unwrap().len() > 1 << 18);
    receiver.stop_reading.store(true, SeqCst);
    // It is told after five seconds: a window of one second is long over.
    agent.wait("a stall", SOON, || agent.log().contains("output a: stalled"));
    receiver.reset_connection.store(true, SeqCst);
    receiver.stop_reading.store(false, SeqCst);
    agent.assert_exit(child, 0, Duration::from_secs(90));
    agent.wait("everything", SOON, || has_ids(&receiver.text(), made.truth.len()));
    nothing_lost(&made, &ids(&receiver.text()));
    assert!(receiver.connections.load(SeqCst) >= 2, "{}", agent.log());
    let of = sums(&agent, "a");
    assert_eq!((of("sent"), of("waiting")), (12_000, 0), "{}", agent.log());
}

/// A receiver whose system holds little: what it does not read waits with the agent's.
fn with_little_room() -> Receiver {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(8).unwrap();
    Receiver::start_with(socket.into())
}

/// A receiver that reads everything and never closes, as some load balancers and collectors do.
struct Clinging {
    port: u16,
    text: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicU64>,
}

impl Clinging {
    fn start() -> Clinging {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (text, connections): (Arc<Mutex<Vec<u8>>>, Arc<AtomicU64>) = Default::default();
        let (kept, count) = (text.clone(), connections.clone());
        thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, SeqCst);
                let mut bytes = [0; 65_536];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    kept.lock().unwrap().extend_from_slice(&bytes[..n]);
                }
                held.push(stream);
            }
        });
        Clinging { port, text, connections }
    }

    fn ids(&self) -> BTreeMap<u64, u32> {
        ids(&String::from_utf8_lossy(&self.text.lock().unwrap()))
    }

    fn output(&self) -> String {
        format!(
            "[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\nresend_window.seconds = 1\n",
            self.port
        )
    }
}

#[test]
fn b3_a_finite_capture_to_a_receiver_that_never_closes_ends_and_comes_once() {
    let dir = folder();
    let made = capture(&dir, 2_000);
    let receiver = Clinging::start();
    // Age is the only confirmation there is; the wait for a close is much longer.
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{SOURCE}{}", receiver.output()));
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!(nothing_lost(&made, &receiver.ids()), 0, "{}", agent.log());
    let of = sums(&agent, "a");
    assert_eq!((of("sent"), of("resent"), receiver.connections.load(SeqCst)), (2_000, 0, 1), "{}", agent.log());
    assert!(agent.log().contains("the receiver does not close when it has read everything"), "{}", agent.log());
}

#[test]
fn b3_a_spool_that_another_output_fills_ends_no_connection_and_sends_nothing_again() {
    let dir = folder();
    capture(&dir, 12_000);
    let receiver = Clinging::start();
    let nobody = unused_port();
    let dead = format!("[[output]]\nname = \"dead\"\naddress = \"tcp://127.0.0.1:{nobody}\"\nformat = \"json\"\n");
    let output = receiver.output().replace("seconds = 1", "seconds = 3") + "stall_timeout = 1\n";
    let agent = Agent::new(dir, &format!("heartbeat = 0\n{FOLLOWED}[spool]\nmax_size = \"17MiB\"\n{output}{dead}"));
    let child = agent.start();
    agent.wait("a full spool", SOON, || agent.log().contains("not read until there is room: the spool is full"));
    let metric = |name: &str| -> u64 {
        let metrics = agent.read("state/metrics.prom");
        let line = metrics.lines().find(|l| l.starts_with(&format!("qaudjrn_output_{name}{{output=\"a\"}}")));
        line.and_then(|l| l.split(' ').next_back()?.parse().ok()).unwrap_or(0)
    };
    agent.wait("what counts by its age", SOON, || metric("sent_total") > 1_000);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert_eq!(receiver.connections.load(SeqCst), 1, "{}", agent.log());
    let of = sums(&agent, "a");
    assert!(of("sent") > 1_000 && of("resent") == 0, "{}", agent.log());
    assert_eq!(receiver.ids().values().filter(|n| **n > 1).count(), 0);
}
