//! Connecting an output once, to each of its addresses, and what its receiver shows; with `--send-test` one event goes to the first that
//! is reached.
use std::{io, path::Path};

use rustix::fs::{Access, access, statvfs};
use tokio::time::timeout;

use super::{Context, certificate, finding::Finding, send, silent, state::megabytes};
use crate::{
    agent,
    config::OutputConfig,
    encode::{HeadingDefaults, notice},
    net::{ConnectError, connect::Connector, tls::witness::Witness},
    output::{OutputError, Target, connection::Connection, options::OutputOptions, sink::Framing},
    runtime::blocking,
};

/// Tries its addresses, one after the other.
pub async fn look(context: &Context, output: &OutputConfig) -> Vec<Finding> {
    let of = format!("output {}", output.name);
    let options = output.options();
    let mut found = Vec::new();
    let mut is_sent = !context.send_test;
    for target in output.addresses() {
        let line = (!is_sent).then(|| line(context, output));
        let (findings, sent) = match target {
            Target::Stdout | Target::Null => {
                let text = format!("{target}: nothing is connected to, and nothing was written there");
                (vec![Finding::note(&of, text)], false)
            }
            Target::File(path) => file(context, &options, &of, (target, path), line.as_deref()).await,
            _ => address(context, &options, &of, target, line.as_deref()).await,
        };
        is_sent |= sent;
        found.extend(findings.into_iter().map(|f| f.with("address", target.to_string())));
    }
    found.extend(certificate::own(&of, "our own certificate", output.tls.cert.as_ref()));
    found
}

/// The event that tries it, as a line of this output.
fn line(context: &Context, output: &OutputConfig) -> Vec<u8> {
    let config = &context.config;
    let system = config.sources.first().map(|first| {
        let given = first.charset.decode_string(&first.given().system);
        let stored = || {
            blocking(|| context.state.stored(&first.name)).0.get("system").and_then(|s| s.as_str().map(str::to_owned))
        };
        if given.trim().is_empty() { stored().unwrap_or_default() } else { given.trim().to_owned() }
    });
    let event = agent::test_event(config, &output.name, system);
    let settings = output.settings(output.format, &config.line, &context.profile, HeadingDefaults::default());
    let mut line = Vec::new();
    notice::put(&event, &settings, &context.profile, &mut line);
    line
}

/// Something that is reached over a network. Whether the event was sent comes with it.
async fn address(
    context: &Context,
    options: &OutputOptions,
    of: &str,
    target: &Target,
    line: Option<&[u8]>,
) -> (Vec<Finding>, bool) {
    let witness = Witness::default();
    let connector = Connector {
        limit: options.connect_timeout.min(context.limit),
        dead_peer: options.dead_peer_timeout,
        witness: Some(witness.clone()),
        ..Connector::default()
    };
    let mut is_reached = false;
    let tried = async {
        let connection = Connection::open(options, target, &connector).await?;
        is_reached = true;
        send::send(connection, line, context.limit).await
    };
    let tried = timeout(context.limit, tried).await;
    let handshake = witness.take();
    let (verified, how) = match &handshake {
        Some(_) => {
            let host = target.connects_to().map_or("", |a| a.host.as_str());
            let (is, how) = certificate::trust(&options.tls, host);
            (is, format!(", {}; {how}", handshake.as_ref().and_then(|h| h.version).unwrap_or("TLS")))
        }
        None => (true, String::new()),
    };
    let is_sent = line.is_some() && matches!(tried, Ok(Ok(_)));
    let finding = match tried {
        Err(_) => Finding::failed(of, format!("{target}: {}", silent(context.limit))),
        Ok(Err(e)) => {
            let before = if is_reached { format!("{target} was reached{how}, and then: ") } else { String::new() };
            Finding::failed(of, format!("{before}{e}{}", advice(&e)))
        }
        Ok(Ok(what)) => {
            let text = format!("{target}{}{how}; {what}", reached(target));
            match (target, line) {
                _ if !verified => Finding::warning(of, text),
                (Target::Udp(_), None) => Finding::note(of, text),
                _ => Finding::ok(of, text),
            }
        }
    };
    let finding = finding.with("reached", is_reached).with("test_sent", is_sent);
    let finding = if handshake.is_some() {
        let version = handshake.as_ref().and_then(|h| h.version);
        finding.with("tls", version).with("verified", verified && version.is_some())
    } else {
        finding
    };
    let chain = handshake.map_or_else(Vec::new, |h| certificate::chain(of, &h));
    (std::iter::once(finding).chain(chain).collect(), is_sent)
}

fn reached(target: &Target) -> &'static str {
    match target {
        Target::Udp(_) => " has an address",
        _ => " is reached",
    }
}

/// What to do, where the error does not say it.
fn advice(e: &OutputError) -> &'static str {
    let OutputError::Connect(ConnectError::Unreachable { source, .. }) = e else { return "" };
    match source.kind() {
        io::ErrorKind::ConnectionRefused => ": nobody listens there; is the receiver started, and is it this port?",
        io::ErrorKind::TimedOut => ": is the address right, and does no firewall on the way drop what is sent to it?",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => ": no way leads there from this machine",
        _ => ": is the name right, and does the name server know it?",
    }
}

/// A file: it is not made, and not opened, unless an event is to be written to it.
async fn file(
    context: &Context,
    options: &OutputOptions,
    of: &str,
    (target, path): (&Target, &Path),
    line: Option<&[u8]>,
) -> (Vec<Finding>, bool) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (there, what) = if path.exists() { (path, "can be written") } else { (folder, "can be made") };
    if let Err(e) = access(there, Access::WRITE_OK) {
        let text = format!(
            "{}: this user may not write there ({e}): make the folder, or let the user of the agent write in it",
            there.display()
        );
        return (vec![Finding::failed(of, text)], false);
    }
    let room = statvfs(folder)
        .map_or_else(|_| String::new(), |s| format!("; {} are free", megabytes(s.f_bavail.saturating_mul(s.f_frsize))));
    let Some(line) = line else { return (vec![Finding::ok(of, format!("{target} {what}{room}"))], false) };
    // Whoever opens a file of frames cuts off half a one at its end, which the agent may be about to finish.
    if context.state.is_in_use && options.framing == Framing::Octet {
        let text = format!(
            "{target} {what}{room}; no event was written: an agent writes to it, and two would spoil each other's frames"
        );
        return (vec![Finding::note(of, text)], false);
    }
    let connection = Connection::open(options, target, &Connector::default()).await;
    let written = match connection {
        Ok(connection) => send::send(connection, Some(line), context.limit).await,
        Err(e) => Err(e),
    };
    match written {
        Ok(sent) => (vec![Finding::ok(of, format!("{target}: {sent}{room}")).with("test_sent", true)], true),
        Err(e) => (vec![Finding::failed(of, e.to_string())], false),
    }
}
