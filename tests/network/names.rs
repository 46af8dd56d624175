//! Names that change, that go away, and name servers and receivers that do not answer (fault 9).
use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::atomic::Ordering::SeqCst,
    thread,
    time::{Duration, Instant},
};

use super::{
    SOON,
    proxy::Proxy,
    seconds,
    space::{inside, sh},
    sums_balance,
};
use harness::{
    agent::{Agent, SOURCE, capture, nothing_lost, patient, signal},
    peers::{Kind, Receiver as Peer, cef_ids},
    program::folder,
    unused_port,
};

/// A file of ours in place of one of the system's, in this test only.
fn instead_of(system: &str, own: &Path, text: &str) {
    fs::write(own, text).unwrap();
    sh(&format!("mount --bind {} {system}", own.display()));
}

#[test]
fn n2_fault_9_a_name_that_moves_and_is_gone_for_a_time_is_looked_up_for_each_connection() {
    inside(
        module_path!(),
        "n2_fault_9_a_name_that_moves_and_is_gone_for_a_time_is_looked_up_for_each_connection",
        || {
            let dir = folder();
            let made = capture(&dir, 6_000);
            let hosts = dir.path().join("hosts");
            let say = |line: &str| fs::write(&hosts, format!("127.0.0.1 localhost\n{line}\n")).unwrap();
            instead_of("/etc/hosts", &hosts, "");
            say("127.0.0.2 siem.test");
            let peers = [Kind::RsyslogTcp, Kind::SyslogNgOctet].map(Peer::start);
            let first = Proxy::at(SocketAddr::from(([127, 0, 0, 2], 0)), peers[0].port);
            let second = Proxy::at(SocketAddr::from(([127, 0, 0, 3], first.port)), peers[1].port);
            let agent = Agent::new(
                dir,
                &format!(
                    "{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://siem.test:{}\"\nformat = \"cef\"\nframing = \"octet\"\nmeter = {{ events_per_second = 2000, burst = 100 }}\n",
                    first.port
                ),
            );
            let child = agent.start();
            agent.wait("lines pass", SOON, || first.controls.passed.load(SeqCst) > 200_000);
            say("");
            first.controls.close.store(true, SeqCst);
            agent.wait_for_log("cannot connect to siem.test:", SOON);
            assert!(agent.log().contains("lookup"), "{}", agent.log());
            say("127.0.0.3 siem.test");
            agent.assert_exit(child, 0, Duration::from_secs(60));
            assert_eq!((first.connections(), second.connections()), (1, 1));
            let mut got = Vec::new();
            for peer in peers {
                got.extend(peer.stop());
            }
            let twice = nothing_lost(&made, &cef_ids(&got));
            assert!(twice <= sums_balance(&agent, &made, "a"));
        },
    );
}

#[test]
fn n2_fault_9_datagrams_follow_a_name_that_moves() {
    inside(module_path!(), "n2_fault_9_datagrams_follow_a_name_that_moves", || {
        let dir = folder();
        capture(&dir, 2_000);
        let hosts = dir.path().join("hosts");
        instead_of("/etc/hosts", &hosts, "127.0.0.2 siem.test\n");
        let first = UdpSocket::bind("127.0.0.2:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let second = UdpSocket::bind(("127.0.0.3", port)).unwrap();
        let agent = Agent::new(
            dir,
            &format!(
                "{SOURCE}[[output]]\nname = \"a\"\naddress = \"udp://siem.test:{port}\"\nfailback_interval = 1\nmeter = {{ events_per_second = 100, burst = 1 }}\n"
            ),
        );
        let child = agent.start();
        let mut bytes = [0; 4096];
        let mut gets = |socket: &UdpSocket| {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            assert!(socket.recv(&mut bytes).is_ok(), "{}", agent.log());
        };
        gets(&first);
        fs::write(&hosts, "\n").unwrap();
        agent.wait_for_log("datagrams go where they went before", SOON);
        fs::write(&hosts, "127.0.0.3 siem.test\n").unwrap();
        gets(&second);
        signal(&child, "TERM");
        agent.assert_exit(child, 0, Duration::from_secs(15));
        assert_eq!(agent.log().matches("datagrams go where they went before").count(), 1, "{}", agent.log());
    });
}

#[test]
fn n2_fault_9_a_name_server_that_does_not_answer_is_waited_for_in_one_thread_and_not_into_the_end() {
    inside(
        module_path!(),
        "n2_fault_9_a_name_server_that_does_not_answer_is_waited_for_in_one_thread_and_not_into_the_end",
        || {
            let dir = folder();
            capture(&dir, 10);
            // Takes questions and never answers.
            let server = UdpSocket::bind("127.0.0.1:53").unwrap();
            let resolv = "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n";
            instead_of("/etc/resolv.conf", &dir.path().join("resolv.conf"), resolv);
            instead_of("/etc/nsswitch.conf", &dir.path().join("nsswitch.conf"), "hosts: dns\n");
            let agent = Agent::new(
                dir,
                &format!(
                    "{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://siem.test:514\"\nconnect_timeout = 1\nfailover = [\"tcp://other.test:514\"]\n"
                ),
            );
            let child = agent.start();
            agent.wait_for_log("looking up \"siem.test\": no answer within 1 s from the name server", SOON);
            agent.wait_for_log("looking up \"other.test\": no answer within 1 s from the name server", SOON);
            let threads = || fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().count();
            let before = threads();
            // Another try, of which nothing is to be seen.
            thread::sleep(Duration::from_secs(1));
            assert!(threads() <= before, "{before} threads became {}", threads());
            let mut question = [0; 512];
            server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            assert!(server.recv(&mut question).is_ok(), "nobody asked");
            signal(&child, "TERM");
            let began = Instant::now();
            agent.assert_exit(child, 0, Duration::from_secs(20));
            assert!(began.elapsed() < patient(Duration::from_secs(15)), "{:?}", began.elapsed());
        },
    );
}

#[test]
fn n2_fault_9_refused_connections_are_tried_again_ever_more_seldom_and_not_in_step() {
    inside(module_path!(), "n2_fault_9_refused_connections_are_tried_again_ever_more_seldom_and_not_in_step", || {
        let dir = folder();
        let made = capture(&dir, 500);
        let free = unused_port();
        let agent = Agent::new(
            dir,
            &format!("{SOURCE}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{free}\"\nformat = \"cef\"\n"),
        );
        // All connections of this network are the agent's.
        let attempts = || -> u64 {
            let text = fs::read_to_string("/proc/self/net/snmp").unwrap();
            let mut tcp = text.lines().filter(|l| l.starts_with("Tcp:"));
            let (names, values) = (tcp.next().unwrap(), tcp.next().unwrap());
            let at = names.split(' ').position(|n| n == "ActiveOpens").unwrap();
            values.split(' ').nth(at).unwrap().parse().unwrap()
        };
        let child = agent.start();
        let (mut times, began) = (Vec::new(), Instant::now());
        let mut seen = attempts();
        let lasts = seconds(6, 600);
        while began.elapsed() < lasts {
            if attempts() > seen {
                seen = attempts();
                times.push(began.elapsed().as_secs_f64());
            }
            thread::sleep(Duration::from_millis(10));
        }
        println!("measured: attempts after {times:.2?} s");
        let waits: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        // 0.5 s, doubled, at most 60 s, and up to half of it taken off at random; each time some moments on top, and on a busy machine the
        // first of two may be seen late.
        for (n, wait) in waits.iter().enumerate() {
            let full = (0.5 * 2f64.powi(i32::try_from(n).unwrap())).min(60.0);
            assert!((full * 0.5 - 0.2..full + 3.0).contains(wait), "{n}: {wait} of {full}");
        }
        assert!(waits.len() >= 3, "{times:?}");
        let peer = Peer::start_on(Kind::SyslogNgNewline, free);
        agent.assert_exit(child, 0, Duration::from_secs(100));
        assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0);
        assert_eq!(agent.log().matches("cannot connect").count(), 1, "said once: {}", agent.log());
    });
}
