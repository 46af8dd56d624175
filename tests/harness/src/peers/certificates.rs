//! A certificate authority for one test: server certificate for `localhost` and 127.0.0.1, one client certificate.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The PEM files a client needs; the server's, `server.pem` and `server.key`, are in the same folder.
#[derive(Clone)]
pub struct Certificates {
    pub ca: PathBuf,
    pub client_cert: PathBuf,
    pub client_key: PathBuf,
    authority: Arc<CertifiedIssuer<'static, KeyPair>>,
}

impl Certificates {
    /// Makes `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key` in `folder`.
    pub fn make(folder: &Path) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "qaudjrn test authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("key")).expect("authority");
        let ca = write(folder, "ca.pem", authority.pem());
        let at = |name: &str| folder.join(name);
        let made =
            Self { ca, client_cert: at("client.pem"), client_key: at("client.key"), authority: Arc::new(authority) };
        made.server(&["localhost", "127.0.0.1"], 4096);
        made.leaf("client", &["agent.example"], ExtendedKeyUsagePurpose::ClientAuth, 4096);
        made
    }

    /// Makes the certificate of one more client: `NAME.pem` and `NAME.key`, with this serial number.
    pub fn client(&self, name: &str, names: &[&str], serial: u64) -> (PathBuf, PathBuf) {
        self.signed(name, names, (ExtendedKeyUsagePurpose::ClientAuth, serial), 4096)
    }

    /// Makes the server's certificate anew, with these names, valid from 1975 to the beginning of a year.
    pub fn server(&self, names: &[&str], until: i32) {
        self.leaf("server", names, ExtendedKeyUsagePurpose::ServerAuth, until);
    }

    /// Writes the list of what is revoked, by serial number; the client's certificate has 77.
    pub fn revoke(&self, name: &str, serials: &[u64]) -> PathBuf {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(4096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let folder = self.ca.parent().expect("a folder");
        write(folder, name, list.signed_by(&self.authority).expect("a list").pem().expect("PEM"))
    }

    fn leaf(&self, name: &str, names: &[&str], usage: ExtendedKeyUsagePurpose, until: i32) {
        let serial = if name == "client" { 77 } else { 1 };
        self.signed(name, names, (usage, serial), until);
    }

    fn signed(
        &self,
        name: &str,
        names: &[&str],
        (usage, serial): (ExtendedKeyUsagePurpose, u64),
        until: i32,
    ) -> (PathBuf, PathBuf) {
        let folder = self.ca.parent().expect("a folder");
        let key = KeyPair::generate().expect("key");
        let mut params =
            CertificateParams::new(names.iter().map(|n| n.to_string()).collect::<Vec<_>>()).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![usage];
        params.not_after = date_time_ymd(until, 1, 1);
        let cert = params.signed_by(&key, &*self.authority).expect("certificate");
        let cert = write(folder, &format!("{name}.pem"), cert.pem());
        let key = write(folder, &format!("{name}.key"), key.serialize_pem());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a private key");
        (cert, key)
    }
}

fn write(folder: &Path, name: &str, text: String) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    path
}
