//! Several addresses for one output: the next while one cannot be reached, the first again when it is back.
use std::{
    net::{TcpListener, TcpStream},
    sync::atomic::Ordering::SeqCst,
    thread,
    time::Duration,
};

use super::{SOON, output, proxy::Proxy, sums_balance};
use harness::{
    agent::{Agent, SOURCE, capture, nothing_lost, unread},
    peers::{Kind, Receiver as Peer, cef_ids},
    program::folder,
    unused_port,
};

/// All at the same time.
fn each<const N: usize>(kinds: [Kind; N], test: impl Fn(Kind) + Sync) {
    thread::scope(|scope| {
        kinds
            .map(|kind| {
                scope.spawn({
                    let test = &test;
                    move || test(kind)
                })
            })
            .map(|t| t.join().unwrap())
    });
}

#[test]
fn failover_goes_to_the_next_address_and_back_to_the_first_and_ends_both_cleanly() {
    each([Kind::RsyslogTcp, Kind::RsyslogRelp], |kind| {
        let dir = folder();
        let made = capture(&dir, 6_000);
        let second = Peer::start(kind);
        let (first, third) = (unused_port(), unused_port());
        let scheme = second.address().split_once("://").unwrap().0.to_owned();
        let more = format!(
            "failover = [\"{scheme}://127.0.0.1:{third}\", \"{}\"]\nfailback_interval = 1\nmeter = {{ events_per_second = 1000, burst = 10 }}",
            second.address()
        );
        let text = output("a", &second, &format!("{scheme}://127.0.0.1:{first}"), &more);
        let agent = Agent::new(dir, &format!("{SOURCE}{text}"));
        let mut second = second;
        let child = agent.start();
        agent.wait("lines pass to the second", SOON, || second.count() > 1_000);
        assert!(agent.log().contains(&format!("output a: using {}", second.address())), "{}", agent.log());
        let mut back = Peer::start_on(kind, first);
        agent.wait("lines pass to the first", SOON, || back.count() > 500);
        agent.assert_exit(child, 0, Duration::from_secs(30));
        let (here, there) = (second.stop(), back.stop());
        let log = agent.log();
        for text in [format!("127.0.0.1:{first} is back"), format!("using {scheme}://127.0.0.1:{first}")] {
            assert!(log.contains(&text), "{text}: {log}");
        }
        assert!(log.contains(&format!("cannot connect to 127.0.0.1:{third}: Connection refused")), "{log}");
        let all: Vec<_> = here.into_iter().chain(there).collect();
        // The change was no broken connection: nothing came twice.
        assert_eq!(nothing_lost(&made, &cef_ids(&all)), 0, "{log}");
        assert_eq!(sums_balance(&agent, &made, "a"), 0);
    });
}

#[test]
fn failover_sends_the_window_of_a_dead_receiver_to_the_next_one() {
    each([Kind::SyslogNgNewline, Kind::RsyslogTls, Kind::RsyslogRelp], |kind| {
        let dir = folder();
        let made = capture(&dir, 5_000);
        let (mut first, second) = (Peer::start(kind), Peer::start(kind));
        // One configuration for both: the second shows the certificate that the first's authority signed.
        for name in ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"] {
            let (from, to) = (first.certificates.ca.with_file_name(name), second.certificates.ca.with_file_name(name));
            std::fs::copy(from, to).unwrap();
        }
        let mut second = second;
        second.terminate();
        second.restart();
        let more =
            format!("failover = [\"{}\"]\nmeter = {{ events_per_second = 2000, burst = 100 }}", second.address());
        let agent = Agent::new(dir, &format!("{SOURCE}{}", output("a", &first, &first.address(), &more)));
        let child = agent.start();
        agent.wait("lines pass", SOON, || first.count() > 1_000);
        // It dies with lines that it has not read: one that keeps up has none.
        let port = first.address().rsplit_once(':').unwrap().1.parse().unwrap();
        first.pause();
        agent.wait("lines that nobody reads", SOON, || !unread(port).is_empty());
        first.kill();
        agent.assert_exit(child, 0, Duration::from_secs(60));
        let there = second.stop();
        // What the first had in its window when it died is with the second: together with what was acknowledged
        // before, everything is somewhere.
        first.restart();
        let all: Vec<_> = first.stop().into_iter().chain(there).collect();
        let twice = nothing_lost(&made, &cef_ids(&all));
        let resent = sums_balance(&agent, &made, "a");
        assert!(resent > 0 && twice <= resent, "{kind:?}: {twice} {resent}");
    });
}

#[test]
fn failover_leaves_an_address_that_only_takes_connections() {
    let dir = folder();
    let made = capture(&dir, 1_000);
    let peer = Peer::start(Kind::SyslogNgOctet);
    // A load balancer without anybody behind it: takes each connection and closes it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(|s: TcpStream| drop(s)));
    let more = format!("framing = \"octet\"\nfailover = [\"{}\"]", peer.address());
    let agent = Agent::new(dir, &format!("{SOURCE}{}", output("a", &peer, &format!("tcp://127.0.0.1:{port}"), &more)));
    agent.assert_exit(agent.start(), 0, Duration::from_secs(60));
    nothing_lost(&made, &cef_ids(&peer.stop()));
}

#[test]
fn failover_leaves_a_handshake_that_hangs_and_finds_the_first_address_again_while_events_go_on() {
    let dir = folder();
    let made = capture(&dir, 8_000);
    let peer = Peer::start(Kind::RsyslogTls);
    let proxy = Proxy::to(peer.port);
    proxy.controls.frozen.store(true, SeqCst);
    let direct = peer.address();
    let more = format!(
        "failover = [\"{direct}\"]\nfailback_interval = 1\nconnect_timeout = 1\nmeter = {{ events_per_second = 1000, burst = 10 }}"
    );
    let agent =
        Agent::new(dir, &format!("{SOURCE}{}", output("a", &peer, &format!("tls://localhost:{}", proxy.port), &more)));
    let mut peer = peer;
    let child = agent.start();
    agent.wait("lines pass beside the one that hangs", SOON, || peer.count() > 1_000);
    assert!(agent.log().contains("no answer within 1 s: is it a TLS port?"), "{}", agent.log());
    let before = peer.count();
    agent.wait("it is looked for and lines go on", SOON, || proxy.connections() >= 3 && peer.count() > before + 1_000);
    proxy.controls.frozen.store(false, SeqCst);
    agent.wait_for_log("is back", SOON);
    agent.assert_exit(child, 0, Duration::from_secs(60));
    assert!(proxy.controls.passed.load(SeqCst) > 100_000, "the first address got lines again");
    assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0, "{}", agent.log());
    assert_eq!(sums_balance(&agent, &made, "a"), 0);
}
