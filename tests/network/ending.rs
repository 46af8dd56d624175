//! SIGTERM while an output waits for something that does not come.
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::Ordering::SeqCst,
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::{SOON, proxy::Proxy};
use harness::{
    agent::{Agent, Receiver, SOURCE, capture, patient, signal, unread},
    peers::{Kind, Receiver as Peer},
    program::folder,
};

#[test]
fn r31_a_stop_is_not_held_up_by_what_an_output_waits_for() {
    // Takes connections and says nothing: no handshake, no answer to a RELP open.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|a| (a.port(), silent)).unwrap();
    // Its backlog is full: not even a connection.
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(1).unwrap();
    let to = full.local_addr().unwrap().as_socket().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&to, Duration::from_millis(300)) {
        held.push(stream);
    }
    // Read some, then nothing: a write that waits, a RELP window without answers.
    let deaf = Receiver::start();
    deaf.stop_reading.store(true, SeqCst);
    let peer = Peer::start(Kind::RsyslogRelp);
    let relp = Proxy::to(peer.port);
    let waits = [
        ("connect", format!("tcp://{to}")),
        ("handshake", format!("tls://127.0.0.1:{}", silent.0)),
        ("open", format!("relp://127.0.0.1:{}", silent.0)),
        ("relp-handshake", format!("relp+tls://127.0.0.1:{}", silent.0)),
        ("write", format!("tcp://127.0.0.1:{}", deaf.port)),
        ("answer", format!("relp://127.0.0.1:{}", relp.port)),
    ];
    let dir = folder();
    capture(&dir, 20_000);
    let one = |(name, address): &(&str, String)| {
        format!(
            "[[output]]\nname = \"{name}\"\naddress = \"{address}\"\nconnect_timeout = 3600\nstall_timeout = 3600\ninsecure_skip_verify = true\n"
        )
    };
    let agent = Agent::new(dir, &format!("{SOURCE}{}", waits.iter().map(one).collect::<String>()));
    let text = fs::read_to_string(&agent.config).unwrap();
    fs::write(&agent.config, text.replace("stop_timeout = 5", "stop_timeout = 2")).unwrap();
    let child = agent.start();
    agent.wait("lines pass", SOON, || relp.controls.passed.load(SeqCst) > 50_000 && deaf.connections.load(SeqCst) == 1);
    relp.controls.frozen.store(true, SeqCst);
    agent.wait("all have said what they say first", SOON, || {
        unread(silent.0).len() >= 3 && !unread(deaf.port).is_empty()
    });
    // The write comes to its wait, and no wait ends by itself, which can only be waited for.
    thread::sleep(Duration::from_millis(500));
    // Waits that ended by themselves would have said so.
    let told: Vec<String> =
        agent.log().lines().filter(|l| l.contains("will be sent again")).map(str::to_owned).collect();
    assert!(told.is_empty(), "{told:?}");
    signal(&child, "TERM");
    let began = Instant::now();
    agent.assert_exit(child, 0, Duration::from_secs(20));
    // stop_timeout is 2 s; the rest is for a busy machine.
    assert!(began.elapsed() < patient(Duration::from_secs(12)), "{:?}", began.elapsed());
}
