//! Where senders come to: whether the agent could listen there. Nobody is let in.
use std::{fs, io, path::Path};

use super::{Context, certificate, finding::Finding};
use crate::{
    config::{ListenerConfig, SourceConfig, source::Input},
    source::{
        FeedError,
        stream::{Listen, Listener, StreamOptions},
    },
};

/// A source that somebody sends to.
pub async fn source(context: &Context, source: &SourceConfig) -> Vec<Finding> {
    match &source.input {
        Input::Stream(options) => look(context, &format!("source {}", source.name), options).await,
        _ => Vec::new(),
    }
}

/// A listener.
pub async fn listener(context: &Context, listener: &ListenerConfig) -> Vec<Finding> {
    look(context, &format!("listener {}", listener.name), &listener.options).await
}

async fn look(context: &Context, of: &str, options: &StreamOptions) -> Vec<Finding> {
    let first = match &options.listen {
        Listen::Unix(path) => unix(of, path),
        // Bound, and given back at once.
        Listen::Tcp(_) | Listen::Tls(_) => match Listener::bind(options).await {
            Ok(_) => Finding::ok(of, format!("{} is free, so the agent can listen there", options.listen)),
            Err(FeedError::Io { source, .. }) => taken(context, of, &options.listen, &source),
            Err(e) => Finding::failed(of, e.to_string()),
        },
    };
    let clock = "the clock of a sender is not known: what it sends has times, and no time of sending";
    let mut found = vec![first.with("listen", options.listen.to_string()), Finding::note(of, clock)];
    found.extend(certificate::own(of, "the certificate that senders are shown", options.cert.as_ref()));
    found
}

fn taken(context: &Context, of: &str, listen: &Listen, e: &io::Error) -> Finding {
    match e.kind() {
        io::ErrorKind::AddrInUse if context.state.is_in_use => {
            Finding::ok(of, format!("{listen} is in use: by the agent that runs, as far as can be told from here"))
        }
        io::ErrorKind::AddrInUse => {
            Finding::failed(of, format!("{listen} is in use, and no agent runs: ss -ltnp shows by whom"))
        }
        io::ErrorKind::PermissionDenied => Finding::failed(
            of,
            format!(
                "{listen}: this user may not listen there ({e}): ports below 1024 need a right of their own, or take another port"
            ),
        ),
        _ => Finding::failed(
            of,
            format!("{listen}: the agent cannot listen there: {e}; is it an address of this machine?"),
        ),
    }
}

/// The folder of a socket in the file system.
fn unix(of: &str, path: &Path) -> Finding {
    let folder = path.parent().unwrap_or(path);
    match fs::metadata(folder) {
        Ok(m) if m.is_dir() && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok() => {
            Finding::ok(of, format!("the socket {} can be made in its folder", path.display()))
        }
        Ok(_) => Finding::failed(
            of,
            format!(
                "this user may not make the socket {}: let the user of the agent write in its folder",
                path.display()
            ),
        ),
        Err(e) => {
            Finding::failed(of, format!("the folder of the socket {} is not there: {e}; make it", path.display()))
        }
    }
}
