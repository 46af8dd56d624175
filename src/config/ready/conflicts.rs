//! What two parts of a configuration cannot both have: a place to listen at, a file to write to.
use std::{
    fs,
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::Found;
use crate::{
    config::{Config, OutputConfig, source::Input, state_dir},
    output::Target,
    source::stream::{Listen, StreamOptions},
};

/// Two that listen in one place: the second would wait for ever.
pub(super) fn one_door(config: &Config, found: &mut Found) {
    let mut seen: Vec<(&Listen, String)> = Vec::new();
    let streams = config.sources.iter().filter_map(|s| match &s.input {
        Input::Stream(options) => Some((options, format!("source {}", s.name))),
        _ => None,
    });
    let listeners = config.listeners.iter().map(|l| (&l.options, format!("listener {}", l.name)));
    for (StreamOptions { listen, .. }, whose) in streams.chain(listeners) {
        match seen.iter().find(|(other, _)| meets(listen, other)) {
            Some((_, other)) => {
                found.error(format!("{whose}: listen = {listen}: {other} listens there too: give each its own"));
            }
            None => seen.push((listen, whose)),
        }
    }
}

/// Whether a system would refuse one while it has the other.
fn meets(a: &Listen, b: &Listen) -> bool {
    match (a, b) {
        (Listen::Unix(a), Listen::Unix(b)) => state_dir::whole(a) == state_dir::whole(b),
        (Listen::Tcp(a) | Listen::Tls(a), Listen::Tcp(b) | Listen::Tls(b)) => {
            let ip = |host: &str| host.parse::<IpAddr>().ok();
            // All addresses hold each; those of IPv6 hold those of IPv4 too.
            let holds = |all: Option<IpAddr>, one: Option<IpAddr>| {
                all.is_some_and(|all| all.is_unspecified() && (all.is_ipv6() || one.is_none_or(|one| one.is_ipv4())))
            };
            let (ip_a, ip_b) = (ip(&a.host), ip(&b.host));
            let same = a.host.eq_ignore_ascii_case(&b.host) || ip_a.is_some() && ip_a == ip_b;
            a.port == b.port && a.port != 0 && (same || holds(ip_a, ip_b) || holds(ip_b, ip_a))
        }
        _ => false,
    }
}

/// Two outputs that write to one file tear each other's lines.
pub(super) fn one_file(outputs: &[OutputConfig], found: &mut Found) {
    type Inode = Option<(u64, u64)>;
    let mut seen: Vec<(PathBuf, Inode, &str)> = Vec::new();
    for o in outputs {
        let Target::File(path) = &o.address else { continue };
        let meta = fs::metadata(path).ok();
        // A device, such as /dev/null, is no file of ours.
        if meta.as_ref().is_some_and(|m| !m.is_file()) {
            continue;
        }
        let inode = meta.map(|m| (m.dev(), m.ino()));
        let whole = state_dir::whole(path);
        match seen.iter().find(|(p, i, _)| *p == whole || i.is_some() && *i == inode) {
            Some((_, _, other)) => found.error(format!(
                "output {}: address = file:{}: output {other} writes to this file too: give each its own",
                o.name,
                path.display()
            )),
            None => seen.push((whole, inode, &o.name)),
        }
    }
}

/// An output that writes into what a source reads spoils it, and is read itself.
pub(super) fn no_input(config: &Config, found: &mut Found) {
    for o in &config.outputs {
        let Target::File(path) = &o.address else { continue };
        let inode = |path: &Path| fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| (m.dev(), m.ino()));
        let (whole, own) = (state_dir::whole(path), inode(path));
        for s in &config.sources {
            let reads = match &s.input {
                Input::Capture(read, _) => state_dir::whole(read) == whole || own.is_some() && inode(read) == own,
                Input::Directory(options) => whole.parent().is_some_and(|p| p == state_dir::whole(&options.path)),
                Input::Live(_) | Input::Stream(_) => false,
            };
            if reads {
                found.error(format!(
                    "output {}: address = file:{}: source {} reads this: give the output a file elsewhere",
                    o.name,
                    path.display(),
                    s.name
                ));
            }
        }
    }
}
