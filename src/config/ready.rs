//! Whether an agent can run with a configuration here: what a start would refuse, what it could not use, and what is better
//! known before. `check` and `run` ask the same function, so that nothing passes the one and stops the other.
//!
//! The text was checked before ([`Config::parse`]); this looks at the machine. It only looks: nothing is made, opened for
//! writing or connected to.
mod conflicts;

use std::{fs, path::Path};

use super::{Config, ListenerConfig, OutputConfig, Problem, SourceConfig, control, source::Input, state_dir};
use crate::{
    decode::journal::Catalog,
    encode::{Format, QRADAR_SIZE, RSYSLOG_SIZE, SYSLOG_NG_SIZE},
    net::tls::{TlsOptions, pem::Pem},
    output::{Target, connection::is_unreliable},
    source::{
        live::{Database, mapepire::Transport, odbc::Login},
        stream::StreamOptions,
    },
    spool::SpoolError,
};

/// The reserve of the spool, and what it needs beside it to hold batches while others are delivered.
const SPOOL: (u64, u64) = (16 << 20, 32 << 20);

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// `check`: everything that would not work is an error.
    Check,
    /// `run`: what may work later is a warning, and is tried again; one wrong source stops no other.
    Run,
}

/// Whether it is the configuration of an agent, with or without mistakes, and not a filter and outputs for other commands.
pub fn is_for_an_agent(config: &Config) -> bool {
    let has = |table: &str| config.named.contains(table);
    has("state_dir") || has("source") || has("listener")
}

/// What an agent needs and the configuration does not have.
pub fn missing(config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    // Of a file that is no TOML nobody knows what else is in it.
    if config.is_no_toml {
        return missing;
    }
    if config.state_dir.is_none() && !config.has_wrong("state_dir") {
        missing.push("state_dir is missing: where the agent keeps its spool".to_owned());
    }
    let none = config.sources.is_empty() && config.listeners.is_empty();
    if none && !config.has_wrong("source") && !config.has_wrong("listener") {
        let off = config.off.names().filter(|(kind, _)| *kind != "output");
        missing.push(format!("there is no [[source]]{}", that_is_on(off)));
    }
    if config.outputs.is_empty() && !config.has_wrong("output") {
        let off = config.off.names().filter(|(kind, _)| *kind == "output");
        missing.push(format!("there is no [[output]]{}", that_is_on(off)));
    }
    missing
}

/// What is there, but switched off.
fn that_is_on<'a>(off: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let names: Vec<String> = off.map(|(kind, name)| format!("{kind} {name}")).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(" that is on: {one} is off (enabled = false)"),
        several => format!(" that is on: {} are off (enabled = false)", several.join(", ")),
    }
}

/// Everything wrong or odd, as seen from this machine.
pub fn problems(config: &Config, catalog: &Catalog, who: Who) -> Vec<Problem> {
    let mut found = Found { who, problems: Vec::new() };
    if let Some(folder) = &config.state_dir {
        for why in state_dir::wrong(folder, config) {
            found.error(format!("state_dir = {}: {why}", folder.display()));
        }
        state(folder, &mut found);
    }
    spool(config, &mut found);
    control(config, &mut found);
    for s in &config.sources {
        source(s, &mut found);
        lacks(&format!("source {}", s.name), s, catalog, &mut found);
    }
    for l in &config.listeners {
        listener(l, &mut found);
        // Nobody else has a source.
        if l.template.is_some() {
            lacks(&format!("listener {}", l.name), &l.usual, catalog, &mut found);
        }
        for s in &l.senders {
            lacks(&format!("source {}", s.source.name), &s.source, catalog, &mut found);
        }
    }
    for o in &config.outputs {
        output(o, &mut found);
    }
    conflicts::one_door(config, &mut found);
    conflicts::one_file(&config.outputs, &mut found);
    conflicts::no_input(config, &mut found);
    found.problems
}

struct Found {
    who: Who,
    problems: Vec<Problem>,
}

impl Found {
    /// A start refuses it.
    fn error(&mut self, text: String) {
        self.problems.push(Problem::error(None, text));
    }

    /// It does not work as it is.
    fn unusable(&mut self, text: String) {
        match self.who {
            Who::Check => self.error(text),
            Who::Run => self.warning(text),
        }
    }

    fn warning(&mut self, text: String) {
        self.problems.push(Problem::warning(None, text));
    }

    /// What the agent says itself when it comes to it.
    fn advice(&mut self, text: String) {
        if self.who == Who::Check {
            self.warning(text);
        }
    }

    /// A file of secrets or certificates; `of` says whose.
    fn pem(&mut self, of: &str, pem: &Pem, is_right: impl Fn(&Pem) -> Result<(), String>) {
        let path = match pem.path() {
            Ok(path) => path,
            // systemd gives credentials to the service, and not to who checks its configuration.
            Err(e) => return self.advice(format!("{of}: {e}")),
        };
        match fs::metadata(&path) {
            Err(e) => self.unusable(format!("{of} = {pem}: {e}")),
            Ok(m) if !m.is_file() => self.unusable(format!("{of} = {pem}: this is no file")),
            Ok(_) => {
                if let Err(e) = is_right(pem) {
                    self.unusable(format!("{of}: {e}"));
                }
            }
        }
    }
}

fn certificates(pem: &Pem) -> Result<(), String> {
    pem.certificates().map(drop).map_err(|e| e.to_string())
}

fn revoked(pem: &Pem) -> Result<(), String> {
    pem.revoked().map(drop).map_err(|e| e.to_string())
}

fn private_key(pem: &Pem) -> Result<(), String> {
    pem.check_private().and_then(|()| pem.private_key().map(drop)).map_err(|e| e.to_string())
}

fn secret(pem: &Pem) -> Result<(), String> {
    crate::source::live::secret(pem, "password").map(drop)
}

fn connection(pem: &Pem) -> Result<(), String> {
    crate::source::live::secret(pem, "connection string").map(drop)
}

/// Whether a start takes the state that is there.
fn state(folder: &Path, found: &mut Found) {
    match crate::spool::is_ours(folder) {
        // An administrator checks what the user of the agent runs.
        Err(e @ SpoolError::NotOurs { other_user: true, .. }) if rustix::process::geteuid().is_root() => {
            found.advice(format!("state_dir = {}: {e}", folder.display()));
        }
        Err(e @ SpoolError::NotOurs { .. }) if found.who == Who::Check => {
            found.error(format!("state_dir = {}: {e}", folder.display()));
        }
        // The start says that itself, and waits for what may be over in a moment.
        _ => {}
    }
}

fn spool(config: &Config, found: &mut Found) {
    let size = config.spool_max_size;
    let (reserve, enough) = SPOOL;
    if size <= reserve {
        found.unusable(format!(
            "spool.max_size = {size}: the reserve of the spool alone is {reserve} bytes: give \"1GiB\" or more"
        ));
    } else if size < enough {
        found.warning(format!(
            "spool.max_size = {size}: {reserve} bytes of it are the reserve of the spool: sources wait whenever an output does; give \"1GiB\" or more"
        ));
    }
}

/// Where no socket can be though none is named: the state folder has a long path. An agent works without one.
fn control(config: &Config, found: &mut Found) {
    if config.control.socket.is_some() {
        return;
    }
    let runtime = std::env::var_os("RUNTIME_DIRECTORY");
    let path = config.control.path(config.state_dir.as_deref(), runtime.as_deref());
    if let Some(why) = path.as_deref().and_then(control::too_long) {
        found.unusable(why);
    }
}

fn source(s: &SourceConfig, found: &mut Found) {
    let of = |key: &str| format!("source {}: {key}", s.name);
    if !s.zone_is_given {
        found.warning(format!(
            "source {}: no timezone is given: times of its entries are taken as UTC; write where the system is, such as timezone = \"Europe/Berlin\"",
            s.name
        ));
    }
    match &s.input {
        Input::Capture(path, follow) => match fs::metadata(path) {
            Ok(m) if m.is_dir() => {
                found.unusable(format!(
                    "{} = {}: this is a directory: kind = \"directory\" reads the files in it",
                    of("path"),
                    path.display()
                ));
            }
            Err(e) if !follow => found.advice(format!("{} = {}: {e}", of("path"), path.display())),
            _ => {}
        },
        Input::Directory(options) => match fs::metadata(&options.path) {
            Ok(m) if !m.is_dir() => {
                found.unusable(format!("{} = {}: this is no directory", of("path"), options.path.display()));
            }
            Err(e) => found.advice(format!("{} = {}: {e}", of("path"), options.path.display())),
            Ok(_) => {}
        },
        Input::Stream(options) => door(options, of, found),
        Input::Live(options) => match &options.database {
            Database::Mapepire(options) => {
                if let Transport::Socket(socket) = &options.transport {
                    found.pem(&of("password"), &socket.password, secret);
                    tls(&of(""), &socket.tls, |_| false, found);
                }
            }
            Database::Odbc(options) => match &options.login {
                Login::Connection(file) => found.pem(&of("connection"), file, connection),
                Login::Dsn { user: Some((_, file)), .. } => found.pem(&of("password"), file, secret),
                Login::Dsn { user: None, .. } => {}
            },
        },
    }
}

/// What the headings that are to come do not hold, and nothing gives: `replay` refuses that.
fn lacks(of: &str, s: &SourceConfig, catalog: &Catalog, found: &mut Found) {
    let Some(heading) = s.kind.and_then(|kind| catalog.heading(kind)) else { return };
    let lacks = s.lacks(heading);
    if !lacks.is_empty() {
        found.advice(format!(
            "{of}: {} headings do not hold everything that identifies an entry to a SIEM, and entries would be sent without it: give {}",
            heading.kind.ibm_name(),
            lacks.join(" and ")
        ));
    }
}

/// The files of a socket that is listened on.
fn door(
    StreamOptions { cert, key, client_ca, client_crl, .. }: &StreamOptions,
    of: impl Fn(&str) -> String,
    found: &mut Found,
) {
    for (name, path) in [("cert", cert), ("client_ca", client_ca)] {
        if let Some(path) = path {
            found.pem(&of(name), path, certificates);
        }
    }
    if let Some(key) = key {
        found.pem(&of("key"), key, private_key);
    }
    if let Some(crl) = client_crl {
        found.pem(&of("client_crl"), crl, revoked);
    }
}

fn listener(l: &ListenerConfig, found: &mut Found) {
    if l.lacks_zone() {
        found.warning(format!(
            "listener {}: no timezone is given: times of the entries of its senders are taken as UTC; write where the systems are, such as timezone = \"Europe/Berlin\", or a [[listener.sender]] for each",
            l.name
        ));
    }
    door(&l.options, |key| format!("listener {}: {key}", l.name), found);
}

/// The files of an output or a live source; of a key that was `said` to be wrong, no more is said.
fn tls(of: &str, options: &TlsOptions, said: impl Fn(&Pem) -> bool, found: &mut Found) {
    for (name, pem) in [("ca", &options.ca), ("cert", &options.cert)] {
        if let Some(pem) = pem {
            found.pem(&format!("{of}{name}"), pem, certificates);
        }
    }
    if let Some(key) = options.key.as_ref().filter(|key| !said(key)) {
        found.pem(&format!("{of}key"), key, private_key);
    }
    let (have, lack) = if options.cert.is_some() { ("cert", "key") } else { ("key", "cert") };
    if options.cert.is_some() != options.key.is_some() {
        found.unusable(format!("{of}{have} needs {lack}: our certificate and its key go together"));
    }
}

fn output(o: &OutputConfig, found: &mut Found) {
    let of = format!("output {}: ", o.name);
    // Whoever reads it can be us: the agent does not start with such a key.
    if let Some(key) = &o.tls.key
        && (found.who == Who::Run || matches!(key, Pem::File(_)))
        && let Err(e) = key.check_private()
    {
        found.error(format!("{of}key: {e}"));
    }
    let said = |key: &Pem| matches!(key, Pem::File(_)) && key.check_private().is_err();
    tls(&of, &o.tls, said, found);
    match &o.address {
        udp if is_unreliable(udp) => found.warning(format!("{of}UDP loses lines without a sign")),
        Target::File(path) => file(&of, path, found),
        _ => {}
    }
    let Some(size) = o.max_size else { return };
    let (receiver, takes, setting) = match (&o.address, o.format) {
        (Target::Stdout | Target::Null | Target::File(_), _) => return,
        (_, Format::Leef | Format::Leef2) => ("QRadar", QRADAR_SIZE, "Max TCP Syslog Payload Length"),
        (Target::Udp(_), _) if size > super::output::UDP_SIZE && size <= RSYSLOG_SIZE => {
            return found.advice(format!(
                "{of}max_size = {size}: a receiver need not take a datagram of more than {} bytes (RFC 5426), and the way may drop it",
                super::output::UDP_SIZE
            ));
        }
        _ => ("rsyslog", RSYSLOG_SIZE, "maxMessageSize"),
    };
    if size > takes {
        let more = if size > SYSLOG_NG_SIZE && receiver == "rsyslog" { ", syslog-ng log-msg-size" } else { "" };
        found.advice(format!(
            "{of}max_size = {size}: {receiver} as it is shipped takes {takes} bytes of a line and makes an event of its own of the rest, whoever wrote it: raise its {setting}{more} first"
        ));
    }
}

fn file(of: &str, path: &Path, found: &mut Found) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match fs::metadata(folder) {
        Err(e) => {
            found.unusable(format!("{of}address = file:{}: the folder {}: {e}", path.display(), folder.display()));
        }
        Ok(m) if !m.is_dir() => {
            found.unusable(format!("{of}address = file:{}: {} is no folder", path.display(), folder.display()));
        }
        Ok(_) if path.is_dir() => found.unusable(format!("{of}address = file:{}: this is a folder", path.display())),
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests;
