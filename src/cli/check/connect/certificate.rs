//! The certificates of a handshake, in words: who they are of, who signed them, for which names, how many days are left.
use chrono::DateTime;
use serde_json::json;

use super::finding::{Finding, Level};
use crate::{
    clock,
    log::numbers::grouped,
    net::tls::{
        TlsOptions,
        pem::Pem,
        witness::{Certificate, Handshake},
    },
};

/// Fewer days than that are told as odd.
const FEW_DAYS: i64 = 30;
/// Names that are told of a certificate.
const SHOWN: usize = 10;

/// What the other end showed: a line for each certificate.
pub fn chain(of: &str, handshake: &Handshake) -> Vec<Finding> {
    if handshake.chain.is_empty() {
        return Vec::new();
    }
    let all = Certificate::read_all(&handshake.chain);
    if all.is_empty() {
        return vec![Finding::warning(
            of,
            "the certificate it shows cannot be read as X.509: give the receiver another one",
        )];
    }
    let count = all.len();
    all.iter().enumerate().map(|(n, c)| one(of, &format!("certificate {} of {count}", n + 1), c)).collect()
}

/// Our own, where there is one: it ends too.
pub fn own(of: &str, what: &str, pem: Option<&Pem>) -> Vec<Finding> {
    // What cannot be read was told before anything was tried.
    let Some(chain) = pem.and_then(|pem| pem.certificates().ok()) else { return Vec::new() };
    Certificate::read_all(&chain).iter().take(1).map(|c| one(of, what, c)).collect()
}

fn one(of: &str, what: &str, c: &Certificate) -> Finding {
    let days = c.days_left(clock::now().timestamp());
    let until = DateTime::from_timestamp(c.not_after, 0).map_or_else(String::new, |t| t.format("%Y-%m-%d").to_string());
    let named = c.names.get(..SHOWN).unwrap_or(&c.names).join(", ");
    let names = match c.names.len().checked_sub(SHOWN) {
        _ if c.names.is_empty() => "for no name".to_owned(),
        None | Some(0) => format!("for {named}"),
        Some(more) => format!("for {named} and {more} more"),
    };
    let signed =
        if c.issuer == c.subject { "signed by itself".to_owned() } else { format!("signed by \"{}\"", c.issuer) };
    let (level, left) = match days {
        d if d < 0 => (Level::Failed, format!("ended on {until}: it is to be renewed")),
        d if d < FEW_DAYS => (Level::Warning, format!("{d} days left, until {until}: have it renewed before")),
        d => (Level::Ok, format!("{} days left, until {until}", grouped(d.unsigned_abs()))),
    };
    Finding::new(level, of, format!("{what}: \"{}\", {names}, {signed}, {left}", c.subject)).with(
        "certificate",
        json!({
            "subject": c.subject,
            "issuer": c.issuer,
            "names": c.names,
            "not_before": rfc3339(c.not_before),
            "not_after": rfc3339(c.not_after),
            "days_left": days,
            "fingerprint": c.pin.to_string(),
        }),
    )
}

fn rfc3339(seconds: i64) -> Option<String> {
    DateTime::from_timestamp(seconds, 0).map(|t| t.to_rfc3339())
}

/// Why a certificate was trusted that was taken; whether somebody verified it.
pub fn trust(tls: &TlsOptions, host: &str) -> (bool, String) {
    let name = tls.server_name.as_deref().unwrap_or(host);
    if tls.insecure {
        return (false, "nobody verified its certificate (insecure_skip_verify = true): give ca or pin".to_owned());
    }
    if tls.pin.is_some() {
        return (true, "its certificate is the one that pin names".to_owned());
    }
    let signed = match &tls.ca {
        Some(ca) => format!("signed under {ca}"),
        None => "signed under the CAs of this system".to_owned(),
    };
    (true, format!("its certificate is verified: for the name {name}, {signed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::pin::Pin;

    #[test]
    fn a_certificate_with_fewer_than_30_days_is_odd_and_one_that_ended_fails() {
        let now = clock::now().timestamp();
        let day = 24 * 60 * 60;
        let of = |left: i64, names: usize| Certificate {
            subject: "CN=siem".to_owned(),
            issuer: "CN=ca".to_owned(),
            names: (0..names).map(|n| format!("h{n}")).collect(),
            not_before: 0,
            not_after: now + left,
            pin: Pin::of(&vec![1].into()),
        };
        for (left, names, level, words) in [
            // Some seconds may pass meanwhile.
            (31 * day, 1, Level::Ok, "certificate 1 of 1: \"CN=siem\", for h0, signed by \"CN=ca\", 30 days left"),
            (29 * day + 3_600, 12, Level::Warning, "h9 and 2 more, signed by \"CN=ca\", 29 days left"),
            (3_600, 0, Level::Warning, "for no name, signed by \"CN=ca\", 0 days left"),
            (-1, 1, Level::Failed, "ended on "),
        ] {
            let finding = one("output a", "certificate 1 of 1", &of(left, names));
            assert_eq!(finding.level, level, "{finding}");
            let shown = finding.text.replace("31 days left", "30 days left");
            assert!(shown.contains(words), "{finding}");
        }
        let trust = |tls: &TlsOptions| trust(tls, "siem.example");
        assert!(
            trust(&TlsOptions::default()).1.contains("for the name siem.example, signed under the CAs of this system")
        );
        let named = TlsOptions { server_name: Some("other".to_owned()), ..TlsOptions::default() };
        assert!(trust(&named).1.contains("for the name other"));
        assert!(!trust(&TlsOptions { insecure: true, ..TlsOptions::default() }).0);
    }
}
