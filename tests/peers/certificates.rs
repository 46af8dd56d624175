//! A certificate authority for one test: server certificate for `localhost` and 127.0.0.1, one client certificate.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

/// The PEM files a client needs; the server's, `server.pem` and `server.key`, are in the same folder.
#[derive(Clone, Debug)]
pub struct Certificates {
    pub ca: PathBuf,
    pub client_cert: PathBuf,
    pub client_key: PathBuf,
}

impl Certificates {
    /// Makes `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key` in `folder`.
    pub fn make(folder: &Path) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "qaudjrn test authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("key")).expect("authority");

        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
            path
        };
        let leaf = |name: &str, names: &[&str], usage: ExtendedKeyUsagePurpose| {
            let key = KeyPair::generate().expect("key");
            let mut params =
                CertificateParams::new(names.iter().map(|n| n.to_string()).collect::<Vec<_>>()).expect("names");
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![usage];
            let cert = params.signed_by(&key, &authority).expect("certificate");
            (write(&format!("{name}.pem"), cert.pem()), write(&format!("{name}.key"), key.serialize_pem()))
        };
        leaf("server", &["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth);
        let (client_cert, client_key) = leaf("client", &["agent.example"], ExtendedKeyUsagePurpose::ClientAuth);
        Self { ca: write("ca.pem", authority.pem()), client_cert, client_key }
    }
}
