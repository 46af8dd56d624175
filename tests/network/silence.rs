//! Networks that fall silent, with data on the way and without (fault 6).
use std::{sync::atomic::Ordering::SeqCst, thread, time::Duration};

use super::{
    SOON,
    proxy::Proxy,
    space::{HERE, Lab, inside},
    sums_balance,
};
use harness::{
    agent::{Agent, SOURCE, capture, nothing_lost},
    peers::{Kind, Receiver as Peer, cef_ids},
    program::folder,
};

/// Real receivers behind a router, with an output each.
fn outputs(peers: &[Peer], proxies: &[Proxy], more: &str) -> String {
    let host = HERE.map(|n| n.to_string()).join(".");
    let one = |(n, (p, proxy)): (usize, (&Peer, &Proxy))| {
        let scheme = p.address().split_once("://").unwrap().0.to_owned();
        let c = &p.certificates;
        format!(
            "[[output]]\nname = \"o{n}\"\naddress = \"{scheme}://{host}:{}\"\nformat = \"cef\"\nserver_name = \"localhost\"\nframing = \"octet\"\nca = \"{}\"\ncert = \"{}\"\nkey = \"{}\"\n{more}\n",
            proxy.port,
            c.ca.display(),
            c.client_cert.display(),
            c.client_key.display()
        )
    };
    peers.iter().zip(proxies).enumerate().map(one).collect()
}

const KINDS: [Kind; 4] = [Kind::RsyslogTcp, Kind::SyslogNgTls, Kind::RsyslogRelp, Kind::RsyslogRelpTls];

#[test]
fn n2_fault_6_a_network_that_falls_silent_with_data_on_the_way_is_found_and_the_window_sent_again() {
    inside(
        module_path!(),
        "n2_fault_6_a_network_that_falls_silent_with_data_on_the_way_is_found_and_the_window_sent_again",
        || {
            let lab = Lab::new();
            let dir = folder();
            let made = capture(&dir, 7_000);
            let peers: Vec<Peer> = KINDS.map(Peer::start).into();
            let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::on(HERE.into(), p.port)).collect();
            let more = "dead_peer_timeout = 4\nconnect_timeout = 2\nmeter = { events_per_second = 1500, burst = 100 }";
            let agent = Agent::new(dir, &format!("{SOURCE}{}", outputs(&peers, &proxies, more)));
            let child = lab.start(&agent);
            agent.wait("lines pass", SOON, || proxies.iter().all(|p| p.controls.passed.load(SeqCst) > 200_000));
            lab.fall_silent();
            let mut found = Duration::ZERO;
            for n in 0..peers.len() {
                let line = format!("output o{n}: ");
                let silent = || {
                    let log = agent.log();
                    log.lines().any(|l| l.contains(&line) && l.contains("the network is silent"))
                };
                found += agent.wait(&line, SOON, silent);
            }
            println!("measured: found after {found:?}, dead_peer_timeout is 4 s");
            assert!(found >= Duration::from_secs(3), "sooner than it may: {found:?}");
            lab.speak();
            agent.assert_exit(child, 0, Duration::from_secs(90));
            for (n, peer) in peers.into_iter().enumerate() {
                let twice = nothing_lost(&made, &cef_ids(&peer.stop()));
                let resent = sums_balance(&agent, &made, &format!("o{n}"));
                assert!(resent > 0 && twice <= resent, "{n}: {twice} {resent}");
            }
        },
    );
}

#[test]
fn n2_fault_6_a_network_that_falls_silent_while_nothing_is_sent_is_found_by_keepalive() {
    inside(
        module_path!(),
        "n2_fault_6_a_network_that_falls_silent_while_nothing_is_sent_is_found_by_keepalive",
        || {
            let lab = Lab::new();
            let dir = folder();
            capture(&dir, 50);
            let mut peers: Vec<Peer> = KINDS.map(Peer::start).into();
            let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::on(HERE.into(), p.port)).collect();
            let more = "dead_peer_timeout = 4\nconnect_timeout = 2";
            let agent = Agent::new(dir, &format!("{SOURCE}follow = true\n{}", outputs(&peers, &proxies, more)));
            let child = lab.start(&agent);
            agent.wait("all is there", SOON, || peers.iter_mut().all(|p| p.count() >= 50));
            // Its acknowledgements are behind that: what is silent then is a connection on which nothing is sent.
            thread::sleep(Duration::from_millis(100));
            lab.fall_silent();
            for n in 0..peers.len() {
                // ETIMEDOUT, which keepalive ends a connection with.
                let line = format!("output o{n}: ");
                agent.wait(&line, SOON, || {
                    let log = agent.log();
                    log.lines().any(|l| l.contains(&line) && l.contains("timed out"))
                });
            }
            lab.speak();
            agent.wait("all are connected again", Duration::from_secs(60), || {
                (0..peers.len()).all(|n| agent.log().contains(&format!("output o{n}: connected again")))
            });
            harness::agent::signal(&child, "TERM");
            agent.assert_exit(child, 0, Duration::from_secs(15));
            for peer in peers {
                assert_eq!(cef_ids(&peer.stop()).len(), 50);
            }
        },
    );
}

#[test]
fn n2_fault_6_a_receiver_without_room_is_alive_and_a_silent_network_before_it_is_not() {
    inside(module_path!(), "n2_fault_6_a_receiver_without_room_is_alive_and_a_silent_network_before_it_is_not", || {
        let lab = Lab::new();
        let dir = folder();
        let made = capture(&dir, 11_000);
        let peers: Vec<Peer> = [Kind::RsyslogTcp].map(Peer::start).into();
        let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::on(HERE.into(), p.port)).collect();
        let more = "dead_peer_timeout = 3\nconnect_timeout = 2";
        let agent = Agent::new(dir, &format!("{SOURCE}{}", outputs(&peers, &proxies, more)));
        let child = lab.start(&agent);
        agent.wait("lines pass", SOON, || proxies.iter().all(|p| p.controls.passed.load(SeqCst) > 100_000));
        proxies.iter().for_each(|p| p.controls.frozen.store(true, SeqCst));
        // That is said after 5 s. With one more, twice dead_peer_timeout passes without a byte taken, and nothing is to happen.
        agent.wait_for_log("output o0: stalled", SOON);
        thread::sleep(Duration::from_secs(1));
        assert!(!agent.log().contains("the network is silent"), "{}", agent.log());
        assert_eq!(proxies[0].connections(), 1);
        lab.fall_silent();
        // The kernel's next question for room may be as far away as the stall is old, and goes without an answer.
        let found = agent.wait_for_log("the network is silent", Duration::from_secs(90));
        println!("measured: found after {found:?}, dead_peer_timeout is 3 s, the receiver had no room for some 6 s");
        proxies.iter().for_each(|p| p.controls.frozen.store(false, SeqCst));
        lab.speak();
        agent.assert_exit(child, 0, Duration::from_secs(90));
        for peer in peers {
            nothing_lost(&made, &cef_ids(&peer.stop()));
        }
    });
}
