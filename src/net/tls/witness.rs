//! What a handshake showed, for whoever wants to tell it: the certificates of the other end, whoever trusted them or not.
//!
//! Not for: deciding anything. Who is trusted is decided in [`client`](super::client); a witness only looks on.
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ProtocolVersion, pki_types::CertificateDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pin::{Pin, clean, names};

/// Certificates of a chain that are looked at.
const MOST: usize = 10;
/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// A handshake that came as far as the other end's certificates.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// TLS 1.2 or 1.3, where it came to its end.
    pub version: Option<&'static str>,
    /// The certificates as they came, that of the other end first.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Keeps the last handshake of a connection that is being made.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Option<Handshake>>>);

impl Witness {
    /// Keeps it.
    pub(super) fn note(&self, version: Option<ProtocolVersion>, chain: Vec<CertificateDer<'static>>) {
        let version = version.map(|v| match v {
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            ProtocolVersion::TLSv1_2 => "TLS 1.2",
            _ => "TLS",
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Handshake { version, chain });
    }

    /// What was kept; `None` where no certificate was seen.
    pub fn take(&self) -> Option<Handshake> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        found.filter(|h| !h.chain.is_empty())
    }
}

/// A certificate, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Who it is of, printable.
    pub subject: String,
    /// Who signed it, printable.
    pub issuer: String,
    /// DNS names and addresses it is for (subjectAltName), printable.
    pub names: Vec<String>,
    /// From when on it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    /// Its fingerprint.
    pub pin: Pin,
}

impl Certificate {
    /// Reads one; `None` for what is no X.509.
    pub fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
        let (_, x) = X509Certificate::from_der(der).ok()?;
        Some(Certificate {
            subject: clean(&x.subject().to_string()),
            issuer: clean(&x.issuer().to_string()),
            names: names(&x),
            not_before: x.validity().not_before.timestamp(),
            not_after: x.validity().not_after.timestamp(),
            pin: Pin::of(der),
        })
    }

    /// Those of a chain, in its order; ten at most.
    pub fn read_all(chain: &[CertificateDer<'_>]) -> Vec<Certificate> {
        chain.iter().take(MOST).filter_map(Certificate::read).collect()
    }

    /// Whole days until it ends, below 0 behind that; `now` in seconds since 1970.
    pub fn days_left(&self, now: i64) -> i64 {
        self.not_after.saturating_sub(now).div_euclid(DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_its_names_and_how_many_days_are_left() {
        let made = rcgen::generate_simple_self_signed(vec!["siem.example".to_owned(), "10.0.0.1".to_owned()]).unwrap();
        let chain = [made.cert.der().clone(), CertificateDer::from(vec![1, 2, 3])];
        let [one] = &Certificate::read_all(&chain)[..] else { panic!("one can be read") };
        assert_eq!(one.names, ["siem.example", "10.0.0.1"]);
        assert_eq!(one.subject, one.issuer);
        let end = one.not_after;
        for (now, days) in [(end - 30 * DAY, 30), (end - 30 * DAY + 1, 29), (end, 0), (end + 1, -1)] {
            assert_eq!(one.days_left(now), days);
        }
        let witness = Witness::default();
        witness.note(None, Vec::new());
        assert!(witness.take().is_none());
        witness.note(Some(ProtocolVersion::TLSv1_3), chain.to_vec());
        assert_eq!(witness.take().and_then(|h| h.version), Some("TLS 1.3"));
        assert!(witness.take().is_none());
    }
}
