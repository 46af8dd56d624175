//! Receivers that die, stall, dawdle, close and reset (faults 2, 4, 5, 7 and 8).
use std::{fs, io::Write, sync::atomic::Ordering::SeqCst, thread, time::Duration};

use super::{SOON, most_memory, output, proxy::Proxy, seconds, sums_balance};
use harness::{
    agent::{Agent, Receiver, SOURCE, capture, has_ids, ids, nothing_lost, signal},
    peers::{Kind, Receiver as Peer, cef_ids},
    program::{folder, make, replay},
};

#[test]
fn n2_fault_2_a_receiver_that_is_killed_and_comes_back_when_it_is_missed_has_everything() {
    let dir = folder();
    let made = capture(&dir, 6_000);
    let kinds = [Kind::RsyslogTcp, Kind::RsyslogTls, Kind::RsyslogRelp, Kind::SyslogNgNewline, Kind::SyslogNgTls];
    let mut peers: Vec<Peer> = kinds.into_iter().map(Peer::start).collect();
    let meter = "meter = { events_per_second = 2000, burst = 100 }";
    let outputs: Vec<String> =
        peers.iter().enumerate().map(|(n, p)| output(&format!("o{n}"), p, &p.address(), meter)).collect();
    let agent = Agent::new(dir, &format!("{SOURCE}{}", outputs.join("")));
    let child = agent.start();
    agent.wait("lines pass", SOON, || peers.iter_mut().all(|p| p.count() > 1_000));
    peers.iter_mut().for_each(Peer::kill);
    for n in 0..peers.len() {
        let output = format!("output o{n}: ");
        agent.wait("each is missed", SOON, || {
            agent.log().lines().any(|l| l.contains(&output) && l.contains("will be sent again"))
        });
    }
    peers.iter_mut().for_each(Peer::restart);
    agent.assert_exit(child, 0, Duration::from_secs(90));
    for (n, peer) in peers.into_iter().enumerate() {
        let kind = peer.kind;
        let twice = nothing_lost(&made, &cef_ids(&peer.stop()));
        let resent = sums_balance(&agent, &made, &format!("o{n}"));
        assert!(twice <= resent, "{kind:?}: {twice} came twice, {resent} were sent again");
    }
}

#[test]
fn n2_fault_4_a_receiver_that_reads_nothing_keeps_its_connection_and_the_agent_its_memory() {
    let dir = folder();
    let made = capture(&dir, 11_000);
    let own = Receiver::start();
    let peers: Vec<Peer> = [Kind::RsyslogTls, Kind::RsyslogRelp, Kind::SyslogNgOctet].map(Peer::start).into();
    own.stop_reading.store(true, SeqCst);
    let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::to(p.port)).collect();
    let more = "dead_peer_timeout = 3\nframing = \"octet\"";
    let outputs: Vec<String> = peers
        .iter()
        .zip(&proxies)
        .enumerate()
        .map(|(n, (p, proxy))| {
            output(&format!("o{n}"), p, &p.address().replace(&p.port.to_string(), &proxy.port.to_string()), more)
        })
        .collect();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"own\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\ndead_peer_timeout = 3\n{}",
            own.port,
            outputs.join("")
        ),
    );
    let child = agent.start();
    agent.wait("all are connected and lines pass", SOON, || {
        proxies.iter().all(|p| p.controls.passed.load(SeqCst) > 100_000) && own.connections.load(SeqCst) > 0
    });
    proxies.iter().for_each(|p| p.controls.frozen.store(true, SeqCst));
    // That is said after 5 s. With one more, twice dead_peer_timeout passes, and nothing is to happen.
    agent.wait_for_log("output own: stalled", SOON);
    thread::sleep(seconds(1, 300));
    let memory = most_memory(&child);
    assert!(memory <= 96, "{memory} MiB");
    own.stop_reading.store(false, SeqCst);
    proxies.iter().for_each(|p| p.controls.frozen.store(false, SeqCst));
    agent.assert_exit(child, 0, Duration::from_secs(120));
    assert!(agent.log().contains("output own: the receiver reads again"), "{}", agent.log());
    // One connection each, so nothing came twice.
    assert_eq!(own.connections.load(SeqCst), 1, "{}", agent.log());
    assert!(proxies.iter().all(|p| p.connections() == 1), "{}", agent.log());
    agent.wait("everything at our own", SOON, || has_ids(&own.text(), made.truth.len()));
    assert_eq!(nothing_lost(&made, &ids(&own.text())), 0);
    for (n, peer) in peers.into_iter().enumerate() {
        assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0, "{n}");
        assert_eq!(sums_balance(&agent, &made, &format!("o{n}")), 0);
    }
}

#[test]
fn n2_fault_4_a_receiver_that_reads_nothing_for_stall_timeout_is_left_and_gets_its_window_again() {
    let dir = folder();
    let made = capture(&dir, 20_000);
    let own = Receiver::start();
    own.stop_reading.store(true, SeqCst);
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"own\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\nstall_timeout = 3\n",
            own.port
        ),
    );
    let child = agent.start();
    agent.wait_for_log("the receiver took nothing for 3 s", SOON);
    own.stop_reading.store(false, SeqCst);
    agent.assert_exit(child, 0, Duration::from_secs(60));
    agent.wait("everything", SOON, || has_ids(&own.text(), made.truth.len()));
    let twice = nothing_lost(&made, &ids(&own.text()));
    assert!(twice <= sums_balance(&agent, &made, "own"));
}

#[test]
fn n2_fault_5_a_slow_receiver_stops_the_source_and_no_timeout_makes_a_loss_or_a_duplicate_of_it() {
    let dir = folder();
    let made = capture(&dir, 4_000);
    let peer = Peer::start(Kind::SyslogNgOctet);
    let proxy = Proxy::to(peer.port);
    proxy.controls.rate.store(8_000, SeqCst);
    let more = "framing = \"octet\"\ndead_peer_timeout = 3\nconnect_timeout = 3\nresend_window = { bytes = 10000000, seconds = 100 }";
    let output = output("slow", &peer, &format!("tcp://127.0.0.1:{}", proxy.port), more);
    let agent = Agent::new(dir, &format!("{SOURCE}[spool]\nmax_size = 17000000\n{output}"));
    let child = agent.start();
    agent.wait_for_log("not read until there is room: the spool is full", SOON);
    // What is on the way fills the spool: the connection is ended, to know that it arrived. The receiver takes long to read
    // what the systems between hold, longer than any wait but stall_timeout.
    let passed = agent.wait("the first connection has ended", Duration::from_secs(150), || {
        proxy.connections() > 1 || agent.log().contains("again")
    });
    println!("measured: {} bytes in {passed:?}", proxy.controls.passed.load(SeqCst));
    proxy.controls.rate.store(0, SeqCst);
    agent.assert_exit(child, 0, Duration::from_secs(60));
    assert_eq!(nothing_lost(&made, &cef_ids(&peer.stop())), 0, "{}", agent.log());
    assert_eq!(sums_balance(&agent, &made, "slow"), 0);
    assert!(passed > Duration::from_secs(31), "{passed:?}: no wait of 30 s was in the way");
}

#[test]
fn n2_fault_7_an_event_after_the_receiver_closed_an_idle_connection_arrives() {
    let dir = folder();
    let made = capture(&dir, 50);
    let peers: Vec<Peer> =
        [Kind::RsyslogTcp, Kind::RsyslogTls, Kind::SyslogNgNewline, Kind::RsyslogRelp].map(Peer::start).into();
    let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::to(p.port)).collect();
    let outputs: Vec<String> = peers
        .iter()
        .zip(&proxies)
        .enumerate()
        .map(|(n, (p, proxy))| {
            let address = p.address().replace(&p.port.to_string(), &proxy.port.to_string());
            output(&format!("o{n}"), p, &address, "resend_window.seconds = 1")
        })
        .collect();
    let agent = Agent::new(dir, &format!("{SOURCE}follow = true\n{}", outputs.join("")));
    let mut peers = peers;
    let child = agent.start();
    agent.wait("the first 50 are there", SOON, || peers.iter_mut().all(|p| p.count() >= 50));
    // Their window is over: nothing but the new event is to come.
    let over = || (0..4).for_each(|n| agent.waits(&format!("o{n}"), 0, SOON));
    over();
    for round in 0..2 {
        proxies.iter().for_each(|p| p.controls.close.store(true, SeqCst));
        agent.wait("all have closed", SOON, || proxies.iter().all(|p| !p.controls.close.load(SeqCst)));
        let one = make(&agent.dir, "one", &format!("--count 1 --seed {round} --first-sequence {}", 51 + round));
        let day = agent.dir.path().join("day.type5");
        let mut grown = fs::OpenOptions::new().append(true).open(&day).unwrap();
        grown.write_all(&fs::read(&one.path).unwrap()).unwrap();
        let all = 51 + usize::try_from(round).unwrap();
        agent.wait("the event after it is there", SOON, || peers.iter_mut().all(|p| p.count() >= all));
        over();
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
    for peer in peers {
        let kind = peer.kind;
        let got = cef_ids(&peer.stop());
        assert_eq!(got.keys().copied().collect::<Vec<_>>(), (1..=52).collect::<Vec<_>>(), "{kind:?}");
    }
    assert_eq!(made.truth.len(), 50);
}

#[test]
fn n2_fault_8_a_reset_in_the_middle_of_a_frame_makes_no_half_event() {
    let dir = folder();
    let made = capture(&dir, 4_000);
    let lines: std::collections::BTreeSet<String> =
        replay("--format cef", &[&made.path]).lines().iter().map(|l| (*l).to_owned()).collect();
    let peers: Vec<Peer> =
        [Kind::SyslogNgOctet, Kind::RsyslogTcp, Kind::RsyslogTls, Kind::RsyslogRelp].map(Peer::start).into();
    let proxies: Vec<Proxy> = peers.iter().map(|p| Proxy::to(p.port)).collect();
    let outputs: Vec<String> = peers
        .iter()
        .zip(&proxies)
        .enumerate()
        .map(|(n, (p, proxy))| {
            let address = p.address().replace(&p.port.to_string(), &proxy.port.to_string());
            output(
                &format!("o{n}"),
                p,
                &address,
                "framing = \"octet\"\nmeter = { events_per_second = 2000, burst = 100 }",
            )
        })
        .collect();
    let agent = Agent::new(dir, &format!("{SOURCE}{}", outputs.join("")));
    // No multiple of anything: in the middle of a frame.
    proxies.iter().for_each(|p| p.controls.reset_after.store(100_003, SeqCst));
    let child = agent.start();
    agent.wait("all were reset", SOON, || proxies.iter().all(|p| p.controls.reset_after.load(SeqCst) == 0));
    agent.assert_exit(child, 0, Duration::from_secs(60));
    for (n, peer) in peers.into_iter().enumerate() {
        let kind = peer.kind;
        let records = peer.stop();
        for record in &records {
            assert!(lines.contains(&record.raw), "{kind:?}: this was never a line: {}", record.raw);
        }
        let twice = nothing_lost(&made, &cef_ids(&records));
        let resent = sums_balance(&agent, &made, &format!("o{n}"));
        assert!(resent > 0 && twice <= resent, "{kind:?}: {twice} {resent}");
    }
}
