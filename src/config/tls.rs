//! The keys of a TLS client: of outputs and of live sources alike.
use super::read::{Placed, Reader, Section};
use crate::net::tls::{TlsOptions, pin::Pin};

/// Whom to trust, and who we are. `of` is the word that messages name the table by: output, source.
pub fn tls(t: &mut Section<'_>, of: &str, r: &mut Reader<'_>) -> TlsOptions {
    let mut pem = |key: &'static str, r: &mut Reader<'_>| t.secret(key, r).map(|p| p.value);
    let (ca, cert, key) = (pem("ca", r), pem("cert", r), pem("key", r));
    let server_name = t.string("server_name", r).map(|n| n.value);
    let pin = t.string("pin", r).and_then(|Placed { value, place }| match pin(&value, r) {
        Ok(pin) => Some(pin),
        Err(e) => {
            r.error(place, format!("{of}.pin: {e}"));
            None
        }
    });
    let insecure = t.boolean("insecure_skip_verify", r);
    t.usual("insecure_skip_verify", false, r);
    t.otherwise("ca", "those that the system trusts", r);
    t.otherwise("server_name", "the host of the address", r);
    let insecure = insecure.is_some_and(|b| {
        if b.value {
            r.warning(
                b.place,
                "insecure_skip_verify: the receiver is not verified; anyone on the way can read and change the lines",
            );
        }
        b.value
    });
    TlsOptions { ca, cert, key, server_name, pin, insecure }
}

/// A fingerprint, or `file:` and the certificate, from the folder of the configuration.
fn pin(text: &str, r: &Reader<'_>) -> Result<Pin, String> {
    match text.strip_prefix("file:") {
        Some(path) => format!("file:{}", r.folder.join(path).display()).parse(),
        None => text.parse(),
    }
}
