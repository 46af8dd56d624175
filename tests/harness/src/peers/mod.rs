//! The receivers the product is judged by: rsyslog, syslog-ng and lognormalizer, fetched by `tests/tools/fetch_peers.sh`,
//! started by the tests on loopback ports of their own, stopped with them.
//!
//! None of this shares code with the product. A [`Receiver`] is one running rsyslogd or syslog-ng that writes every message
//! it takes as one line of JSON; [`lines`] takes CEF and LEEF lines apart; [`truth`] knows what a capture really holds;
//! [`client`] sends hand-made lines, to prove the harness before it judges anybody. Everything panics with a message: these
//! are tests.
pub mod certificates;
pub mod client;
pub mod lines;
pub mod product;
pub mod receiver;
pub mod truth;

pub use receiver::{Kind, Receiver, Record};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

/// The tree that `fetch_peers.sh` unpacked.
pub fn peers() -> PathBuf {
    peers_in(&root().join("target/peers")).unwrap_or_else(|e| panic!("{e}"))
}

/// The unpacked tree below `dest`, if the fetch was finished.
pub fn peers_in(dest: &Path) -> Result<PathBuf, String> {
    match dest.join(".complete").exists() {
        true => Ok(dest.join("root")),
        false => Err(format!(
            "the receivers are missing in {}: run ./test or tests/tools/fetch_peers.sh first",
            dest.display()
        )),
    }
}

/// The entry ids in CEF lines that real receivers wrote, with how often each came.
pub fn cef_ids(records: &[Record]) -> BTreeMap<u64, u32> {
    let mut got: BTreeMap<u64, u32> = BTreeMap::new();
    // Notices of the agent, such as heartbeats, have none.
    for record in records.iter().filter(|r| !r.raw.contains("|AGENT-")) {
        let id = record.raw.split("externalId=AUDRCV0042:").nth(1).and_then(|r| r.split(' ').next()?.parse().ok());
        *got.entry(id.unwrap_or_else(|| panic!("no id in {}", record.raw))).or_default() += 1;
    }
    got
}

/// A template or rulebase of `tests/tools/peers`.
fn template(name: &str) -> PathBuf {
    root().join("tests/tools/peers").join(name)
}

/// A program of the unpacked tree, with the library path it needs. It is killed when the thread that starts it ends, so
/// that not even a test run that is itself killed leaves it behind; start and stop it on the same thread.
fn peer_command(program: &str) -> Command {
    let root = peers();
    let triplet = match std::env::consts::ARCH {
        "aarch64" => "aarch64-linux-gnu",
        _ => "x86_64-linux-gnu",
    };
    let libraries: Vec<String> =
        [&*format!("usr/lib/{triplet}"), &format!("lib/{triplet}"), "usr/lib/syslog-ng", "usr/lib", "lib"]
            .iter()
            .map(|folder| root.join(folder).display().to_string())
            .collect();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "env"]);
    command.arg(format!("LD_LIBRARY_PATH={}", libraries.join(":")));
    command.arg(format!("RSYSLOG_MODDIR={}", root.join(format!("usr/lib/{triplet}/rsyslog/")).display()));
    command.arg(root.join(program));
    command
}
