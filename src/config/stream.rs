//! A socket that programs on the IBM i write to, as a source or a listener says it: where, and whose certificates are trusted.
use super::read::{Placed, Reader, Section, wrong_path};
use crate::{
    filter::ConfigLocation,
    net::unix::LONGEST_PATH,
    source::stream::{Listen, StreamOptions},
};

/// Who sends there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// One, whoever it is.
    One,
    /// Many, each of whom must be known.
    Many,
}

/// Reads it.
pub fn stream(t: &mut Section<'_>, at: &ConfigLocation, who: Who, r: &mut Reader<'_>) -> Option<StreamOptions> {
    let listen_key = t.name("listen");
    let mut file = |key: &'static str, r: &mut Reader<'_>| t.secret(key, r).map(|p| p.value);
    let (cert, key, client_ca) = (file("cert", r), file("key", r), file("client_ca", r));
    let client_crl = file("client_crl", r);
    let client_names = t.strings("client_names", r);
    if let Some(names) = client_names.as_ref().filter(|names| names.value.is_empty() || client_ca.is_none()) {
        r.error(names.place.clone(), format!("{}: expected one name or more that the certificate of a sender may have, with client_ca, the CA that must have signed it", t.name("client_names")));
    }
    if client_crl.is_some() && client_ca.is_none() {
        r.error(
            at.clone(),
            format!("{} is for client_ca: the list of its certificates that are revoked", t.name("client_crl")),
        );
    }
    let client_names = client_names.map(|names| names.value.into_iter().map(|n| n.value).collect());
    let Some(Placed { value, place }) = t.string("listen", r) else {
        r.error(at.clone(), format!("{listen_key} is missing"));
        return None;
    };
    let wrong = format!(
        "{listen_key} = {value:?}: expected tcp://HOST:PORT, tls://HOST:PORT or unix:PATH, where the program on the IBM i connects to"
    );
    let listen = match value.split_once(':') {
        Some(("unix", path)) if wrong_path(path).is_none() => Some(Listen::Unix(r.folder.join(path))),
        Some(("tcp", rest)) => rest.strip_prefix("//").and_then(|a| a.parse().ok()).map(Listen::Tcp),
        Some(("tls", rest)) => rest.strip_prefix("//").and_then(|a| a.parse().ok()).map(Listen::Tls),
        _ => None,
    };
    let Some(listen) = listen else {
        r.error(place, wrong);
        return None;
    };
    if let Listen::Unix(path) = &listen
        && path.as_os_str().len() > LONGEST_PATH
    {
        let bytes = path.as_os_str().len();
        r.error(place, format!("{listen_key}: the path of this socket has {bytes} bytes, and may have {LONGEST_PATH}: give a shorter one"));
        return None;
    }
    let is_tls = matches!(listen, Listen::Tls(_));
    if is_tls && (cert.is_none() || key.is_none()) {
        r.error(place, format!("{listen_key}: tls:// needs cert and key: the certificate that the sender is shown"));
        return None;
    }
    if !is_tls && (cert.is_some() || key.is_some() || client_ca.is_some()) {
        r.error(place.clone(), format!("{listen_key}: cert, key and client_ca are for tls://"));
    }
    if is_tls && client_ca.is_none() && who == Who::Many {
        r.error(place, format!("{listen_key}: tls:// needs client_ca, the CA whose certificates senders must show: each is known by the name in its own"));
        return None;
    }
    if is_tls && client_ca.is_none() {
        r.warning(place.clone(), format!("{listen_key}: tls:// without client_ca: anyone who reaches this port can write entries, and take the place of the sender; give client_ca, the CA whose certificates senders must show"));
    }
    if matches!(listen, Listen::Tcp(_)) && who == Who::Many {
        r.error(place, format!("{listen_key}: nobody knows who sends over tcp://: use tls:// with client_ca, or unix:, where each sender is known; a [[source]] of kind = \"stream\" takes one sender over tcp://"));
        return None;
    }
    if let Listen::Tcp(a) = &listen
        && !matches!(a.host.as_str(), "127.0.0.1" | "::1" | "localhost")
    {
        r.warning(place, format!("{listen_key}: tcp:// on an address that others reach: anyone there can write entries and read ours on the way; use tls:// with client_ca"));
    }
    Some(StreamOptions { listen, cert, key, client_ca, client_names, client_crl })
}
