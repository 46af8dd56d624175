//! Pins: one certificate known by the SHA-256 of its DER form (RFC 5425, section 4.2.2), and certificates in words.
use std::{fmt, path::Path, str::FromStr};

use rustls::{
    CertificateError, DigitallySignedStruct, Error,
    client::danger::HandshakeSignatureValid,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, pem::PemObject},
};
use x509_parser::{
    asn1_rs::Sequence,
    prelude::{FromDer, GeneralName, X509Certificate},
};

use crate::files::read_regular;

/// Bytes of a file with a certificate, at most.
const MOST: u64 = 1 << 20;

/// A certificate's fingerprint: `sha256:` and 64 hexadecimal digits, colons between bytes allowed.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// The fingerprint of a certificate.
    pub fn of(cert: &CertificateDer<'_>) -> Pin {
        let digest = ring_digest(cert);
        Pin(digest)
    }

    /// Whether a certificate is the pinned one.
    pub fn matches(&self, cert: &CertificateDer<'_>) -> bool {
        Pin::of(cert) == *self
    }
}

fn ring_digest(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    out.copy_from_slice(digest.as_ref());
    out
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Pin {
    /// Of the certificate in a file, DER or PEM.
    fn of_file(path: &str) -> Result<Pin, String> {
        let bytes = read_regular(Path::new(path), MOST).map_err(|e| format!("{path}: {e}"))?;
        // DER begins with a sequence.
        let cert = match bytes.first() {
            Some(0x30) => CertificateDer::from(bytes),
            _ => CertificateDer::from_pem_slice(&bytes)
                .map_err(|e| format!("{path}: no certificate in DER or PEM: {e}"))?,
        };
        if X509Certificate::from_der(&cert).is_err() {
            return Err(format!("{path}: expected a certificate in DER or PEM"));
        }
        Ok(Pin::of(&cert))
    }
}

impl FromStr for Pin {
    type Err = String;

    /// `sha256:` and the fingerprint, or `file:` and the path of the certificate itself.
    fn from_str(s: &str) -> Result<Pin, String> {
        if let Some(path) = s.strip_prefix("file:") {
            return Pin::of_file(path);
        }
        let wrong =
            || format!("{s:?}: expected sha256: and 64 hexadecimal digits, as `qaudjrn pin HOST:PORT` prints them");
        let hex: String = s.strip_prefix("sha256:").ok_or_else(wrong)?.chars().filter(|c| *c != ':').collect();
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (i, b) in bytes.iter_mut().enumerate() {
            let two = hex.get(2 * i..2 * i + 2).ok_or_else(wrong)?;
            *b = u8::from_str_radix(two, 16).map_err(|_| wrong())?;
        }
        Ok(Pin(bytes))
    }
}

/// Checks a handshake signature with nothing but the key of a certificate: one that is trusted by itself needs to be no more
/// than a key, so that certificates of version 1 and others that rustls does not read as such can be pinned.
pub fn verify_by_key(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let bad = || Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, x) = X509Certificate::from_der(cert).map_err(|_| bad())?;
    let key = x.public_key();
    // The identifier without its SEQUENCE, as the algorithms have theirs.
    let (_, whole) = Sequence::from_der(key.raw).map_err(|_| bad())?;
    let (_, id) = Sequence::from_der(&whole.content).map_err(|_| bad())?;
    let of_scheme =
        algorithms.mapping.iter().filter(|(scheme, _)| *scheme == dss.scheme).flat_map(|(_, all)| all.iter());
    let fits = |a: &&&dyn SignatureVerificationAlgorithm| a.public_key_alg_id().as_ref() == id.content.as_ref();
    let mut verified =
        of_scheme.filter(fits).map(|a| a.verify_signature(&key.subject_public_key.data, message, dss.signature()));
    if verified.any(|v| v.is_ok()) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(Error::InvalidCertificate(CertificateError::BadSignature))
    }
}

/// A certificate in one line: subject, names, issuer, validity, fingerprint.
pub fn describe(cert: &CertificateDer<'_>) -> String {
    let pin = Pin::of(cert);
    match X509Certificate::from_der(cert) {
        Ok((_, x)) => {
            let names = names(&x);
            let names = listed(&names);
            format!(
                "\"{}\" (names: {names}; issued by \"{}\"; valid {} to {}; {pin})",
                clean(&x.subject().to_string()),
                clean(&x.issuer().to_string()),
                x.validity().not_before,
                x.validity().not_after
            )
        }
        Err(_) => format!("that cannot be read as X.509 ({pin})"),
    }
}

/// The names in words, ten at most: a certificate may have thousands.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.get(..SHOWN).unwrap_or(names).join(", ");
    match names.len().saturating_sub(SHOWN) {
        _ if names.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether a certificate is for any name at all.
pub fn has_names(cert: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(cert).is_ok_and(|(_, x)| !names(&x).is_empty())
}

/// Whether a certificate has one of some names, as a DNS name, an address, or the common name of its subject.
pub fn has_name(cert: &CertificateDer<'_>, wanted: &[String]) -> bool {
    let Ok((_, x)) = X509Certificate::from_der(cert) else { return false };
    let common = x.subject().iter_common_name().filter_map(|n| n.as_str().ok()).map(str::to_owned);
    names(&x).into_iter().chain(common).any(|name| wanted.iter().any(|w| w.eq_ignore_ascii_case(&name)))
}

/// The first DNS name of a certificate, else the common name of its subject, as they are written there.
pub fn first_name(cert: &CertificateDer<'_>) -> Option<String> {
    let (_, x) = X509Certificate::from_der(cert).ok()?;
    let alternatives = x.subject_alternative_name().ok()?.map(|san| san.value.general_names.as_slice());
    let dns = alternatives.unwrap_or(&[]).iter().find_map(|n| match n {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    dns.or_else(|| x.subject().iter_common_name().find_map(|n| n.as_str().ok()).map(str::to_owned))
}

/// The names a certificate is for.
pub(super) fn names(x: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(san)) = x.subject_alternative_name() else { return Vec::new() };
    san.value
        .general_names
        .iter()
        .filter_map(|n| match n {
            GeneralName::DNSName(d) => Some(clean(d)),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            GeneralName::IPAddress(b) => Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(*b).ok()?).to_string()),
            _ => None,
        })
        .collect()
}

/// A stranger's text for a terminal, and no longer than a name is.
pub(super) fn clean(text: &str) -> String {
    let shown: String = text.chars().take(256).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{}{more}", crate::encode::escape::printable(&shown))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pin_may_be_the_certificate_itself_in_der_or_pem() {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["prod01".to_owned()]).unwrap().cert;
        let (der, pem, text) = (dir.path().join("c.der"), dir.path().join("c.pem"), dir.path().join("c.txt"));
        fs::write(&der, made.der()).unwrap();
        fs::write(&pem, made.pem()).unwrap();
        fs::write(&text, "none").unwrap();
        let read = |path: &std::path::Path| format!("file:{}", path.display()).parse::<Pin>();
        assert_eq!(read(&der).unwrap(), Pin::of(made.der()));
        assert_eq!(read(&pem).unwrap(), Pin::of(made.der()));
        assert!(read(&text).unwrap_err().contains("no certificate in DER or PEM"));
        assert!(read(dir.path()).is_err());
    }

    #[test]
    fn h12_a_certificate_with_thousands_of_names_shows_ten() {
        let names: Vec<String> = (0..3_000).map(|n| format!("host{n}.example.com")).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap().cert;
        let text = describe(made.der());
        assert!(text.contains("host9.example.com and 2990 more") && text.len() < 1_000, "{text}");
    }

    #[test]
    fn a_pin_is_read_back_as_it_is_shown_and_with_colons() {
        let pin = Pin::of(&CertificateDer::from(vec![1, 2, 3]));
        assert_eq!(pin.to_string().parse::<Pin>().unwrap(), pin);
        let colons: String = pin
            .to_string()
            .char_indices()
            .map(|(i, c)| if i > 7 && i % 2 == 1 { format!(":{c}") } else { c.to_string() })
            .collect();
        assert_eq!(colons.parse::<Pin>().unwrap(), pin);
        for wrong in ["", "sha1:00", "sha256:00", "0123"] {
            assert!(wrong.parse::<Pin>().is_err());
        }
    }
}
