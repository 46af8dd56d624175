//! Outputs: what counts as delivered, what a receiver that stalls, says something else or never closes does to it, files that
//! are full, torn and rotated, and what an output costs while nothing happens.

#[path = "outputs/files.rs"]
mod files;
#[path = "outputs/limits.rs"]
mod limits;
#[path = "outputs/ports.rs"]
mod ports;
#[path = "outputs/waits.rs"]
mod waits;
#[path = "outputs/window.rs"]
mod window;

use std::time::Duration;

use harness::agent::Agent;

const SOON: Duration = Duration::from_secs(60);

/// The numbers of an agent's closing line of an output, by their names: sent, filtered, resent, and what else there is.
#[track_caller]
fn sums(agent: &Agent, output: &str) -> impl Fn(&str) -> u64 {
    let log = agent.log();
    let start = format!("output {output}: sent ");
    let line =
        log.lines().rev().find(|l| l.contains(&start)).unwrap_or_else(|| panic!("no {start:?} in {log}")).to_owned();
    move |name| {
        let rest = line.split_once(&format!("{name} ")).map_or("0", |(_, rest)| rest);
        rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

/// How many entries the agent's only source has spooled since its start.
#[track_caller]
fn spooled(agent: &Agent) -> u64 {
    let log = agent.log();
    let rest = log.rsplit_once("+ spooled ").unwrap_or_else(|| panic!("no sums in {log}")).1;
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap()
}
