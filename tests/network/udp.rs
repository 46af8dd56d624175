//! Datagrams that are refused or too long (fault 11).
use std::{
    collections::BTreeSet,
    fs,
    net::UdpSocket,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{
    SOON,
    space::{inside, sh},
    sums_balance,
};
use harness::{
    agent::{Agent, SOURCE, capture},
    peers::{Kind, Receiver as Peer},
    program::{folder, make, replay, sequence},
};

#[test]
fn n2_fault_11_datagrams_longer_than_the_path_takes_arrive_whole() {
    inside(module_path!(), "n2_fault_11_datagrams_longer_than_the_path_takes_arrive_whole", || {
        // Every line is longer than a packet.
        sh("ip link set lo mtu 300");
        for kind in [Kind::RsyslogUdp, Kind::SyslogNgUdp] {
            let dir = folder();
            let made = make(&dir, "day.type5", "--count 300 --seed 5 --hostile --mix all");
            let lines: BTreeSet<String> =
                replay("--format cef --detail full", &[&made.path]).lines().iter().map(|l| (*l).to_owned()).collect();
            let peer = Peer::start_large(kind);
            let agent = Agent::new(
                dir,
                &format!(
                    "{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\ndetail = \"full\"\nmax_size = 8192\nmeter = {{ events_per_second = 200, burst = 1 }}\n",
                    peer.address()
                ),
            );
            agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
            let got: BTreeSet<String> = peer.finish(300, Duration::from_secs(10)).into_iter().map(|r| r.raw).collect();
            assert!(got == lines, "{kind:?}: {} of {}", got.len(), lines.len());
            assert!(lines.iter().any(|l| l.len() > 1_500));
            sums_balance(&agent, &made, "a");
        }
    });
}

/// The entry data of some records made as long as their outfile allows: 32,000 bytes, some of which take two in UTF-8.
fn lengthen(path: &std::path::Path, places: &[usize]) {
    let (heading, length) = (609, 32_000);
    let mut bytes = fs::read(path).unwrap();
    for place in places {
        let record = &mut bytes[place * (heading + length)..(place + 1) * (heading + length)];
        record[heading - 2..heading].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        for (n, b) in record[heading..].iter_mut().enumerate() {
            // CCSID 37: a to i, and a with a ring.
            *b = if n % 7 == 3 { 0x47 } else { 0x81 + u8::try_from(n % 9).unwrap() };
        }
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn n2_fault_11_an_event_longer_than_any_datagram_is_sent_shorter_with_its_mark_and_not_lost() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 40 --seed 3 --foreign --entdtalen 32000");
    let foreign: Vec<usize> =
        made.truth.iter().enumerate().filter(|(_, t)| t.get("data").is_some()).map(|(n, _)| n).take(3).collect();
    assert_eq!(foreign.len(), 3);
    lengthen(&made.path, &foreign);
    let whole = replay("--format json --max-size 1000000", &[&made.path]);
    let longest = whole.lines().iter().map(|l| l.len()).max().unwrap();
    assert!(longest > 65_507, "{longest} bytes: no fault to test");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let got: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = got.clone();
    thread::spawn(move || {
        let mut bytes = vec![0; 70_000];
        while let Ok(n) = socket.recv(&mut bytes) {
            kept.lock().unwrap().push(bytes[..n].to_vec());
        }
    });
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"a\"\naddress = \"udp://127.0.0.1:{port}\"\nformat = \"json\"\nmax_size = 1000000\nmeter = {{ events_per_second = 100, burst = 1 }}\n"
        ),
    );
    agent.assert_exit(agent.start(), 0, Duration::from_secs(30));
    agent.wait("all are there", SOON, || got.lock().unwrap().len() >= 40);
    let log = agent.log();
    assert_eq!(log.matches("lines are cut at 65507 from now on").count(), 1, "{log}");
    sums_balance(&agent, &made, "a");
    let got = got.lock().unwrap();
    let mut ids = BTreeSet::new();
    let mut cut = 0;
    for datagram in got.iter() {
        // Valid UTF-8 and valid JSON: cut at the boundary of a character, and closed.
        let line: Value = serde_json::from_slice(datagram).unwrap();
        ids.insert(line["sequence"].as_str().unwrap().parse::<u64>().unwrap());
        cut += usize::from(line.get("truncated").is_some());
    }
    assert_eq!(ids, made.truth.iter().map(sequence).collect());
    assert_eq!((got.len(), cut), (40, 3), "{log}");
}

#[test]
fn n2_fault_11_refused_datagrams_are_counted_and_told_once() {
    let dir = folder();
    let made = capture(&dir, 100);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let agent = Agent::new(
        dir,
        &format!(
            "{SOURCE}[[output]]\nname = \"a\"\naddress = \"udp://127.0.0.1:{port}\"\nformat = \"json\"\nmeter = {{ events_per_second = 50, burst = 1 }}\n"
        ),
    );
    let child = agent.start();
    agent.wait_for_log("nobody listens there: datagrams are refused, and lost", SOON);
    agent.assert_exit(child, 3, Duration::from_secs(30));
    let log = agent.log();
    assert_eq!(log.matches("nobody listens there").count(), 1, "{log}");
    let line = log.lines().find(|l| l.contains("datagrams were refused so far")).unwrap_or_else(|| panic!("{log}"));
    let count: u64 = line.split(' ').rev().nth(5).unwrap().parse().unwrap();
    assert!(count >= 50, "{line}");
    // None of them counts as sent.
    let sums = log.lines().rev().find(|l| l.contains("output a: sent ")).unwrap_or_default();
    assert!(sums.contains("sent 0, ") && sums.contains(&format!("refused {}", made.truth.len())), "{sums}");
}
