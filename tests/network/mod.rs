//! Tests of an agent whose network or receivers misbehave, a file for each kind of fault. Numbers are those of the list of
//! faults in docs/RELIABILITY.md.
//!
//! The long forms (`QAUDJRN_LONG=1`) keep a fault up for minutes instead of seconds.
mod ending;
mod failover;
mod names;
mod proxy;
mod silence;
mod space;
mod streams;
mod tls;
mod udp;

use std::{fs, process::Child, time::Duration};

use harness::{agent::Agent, peers::Receiver, program::Made};

/// What comes soon, as [`Agent::wait`] takes it.
const SOON: Duration = Duration::from_secs(30);

/// Short in CI, long where asked for.
fn seconds(short: u64, long: u64) -> Duration {
    Duration::from_secs(if std::env::var_os("QAUDJRN_LONG").is_some() { long } else { short })
}

/// An output to a real receiver, with its certificates.
fn output(name: &str, peer: &Receiver, address: &str, more: &str) -> String {
    let c = &peer.certificates;
    format!(
        "[[output]]\nname = \"{name}\"\naddress = \"{address}\"\nformat = \"cef\"\nca = \"{}\"\ncert = \"{}\"\nkey = \"{}\"\n{more}\n",
        c.ca.display(),
        c.client_cert.display(),
        c.client_key.display()
    )
}

/// The numbers of the agent's closing lines: everything that was read is accounted for, and each output sent all of it.
#[track_caller]
fn sums_balance(agent: &Agent, made: &Made, output: &str) -> u64 {
    let log = agent.log();
    let numbers = |start: &str| -> Vec<u64> {
        let line = log.lines().rev().find(|l| l.contains(start)).unwrap_or_else(|| panic!("no {start:?} in {log}"));
        let rest = line.split_once(start).map_or("", |(_, rest)| rest);
        rest.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
    };
    let count = made.truth.len() as u64;
    let source = numbers("source prod01: read ");
    let [read, filtered, parked, spooled] = source[..] else { panic!("{source:?}: {log}") };
    assert_eq!((read, filtered + parked + spooled), (count, count), "{log}");
    let sums = numbers(&format!("output {output}: sent "));
    // What may follow is waiting, and the agent's own events.
    let [sent, filtered, resent, ..] = sums[..] else { panic!("{sums:?}: {log}") };
    assert_eq!(sent + filtered, spooled, "{log}");
    resent
}

/// The most memory a process had, in MiB.
fn most_memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a running process");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("VmHWM");
    line.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("kB") >> 10
}
