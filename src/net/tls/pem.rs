//! Where certificates and keys are: a file, or a credential that systemd hands to the service.
//!
//! They are read each time they are used. Nothing of what a key file holds gets into a message.
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject};

use crate::{credential, files::read_regular, net::ConnectError};

/// Bytes of a file, at most: lists of revoked certificates are the longest.
const MOST: u64 = 64 << 20;

/// A PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// By its path.
    File(PathBuf),
    /// By its name in `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`).
    Credential(String),
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Pem {
        Pem::File(path)
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(path) => path.display().fmt(f),
            Pem::Credential(name) => write!(f, "{}{name}", credential::PREFIX),
        }
    }
}

impl Pem {
    /// `PATH` or `credential:NAME`.
    pub fn parse(text: &str) -> Result<Pem, String> {
        match credential::name(text) {
            Some(name) => name.map(|name| Pem::Credential(name.to_owned())),
            None => Ok(Pem::File(text.into())),
        }
    }

    /// The same, a relative path from this folder.
    pub fn within(self, folder: &Path) -> Pem {
        match self {
            Pem::File(path) => Pem::File(folder.join(path)),
            credential => credential,
        }
    }

    fn wrong(&self, why: impl fmt::Display) -> ConnectError {
        ConnectError::TlsOptions(format!("{self}: {why}"))
    }

    /// Where it is.
    pub fn path(&self) -> Result<PathBuf, ConnectError> {
        match self {
            Pem::File(path) => Ok(path.clone()),
            Pem::Credential(name) => credential::path(name).map_err(|e| self.wrong(e)),
        }
    }

    /// What is in the file, which may be any other by now.
    fn bytes(&self) -> Result<Vec<u8>, ConnectError> {
        read_regular(&self.path()?, MOST).map_err(|e| self.wrong(e))
    }

    /// The certificates that it says are revoked.
    pub fn revoked(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, ConnectError> {
        let bytes = self.bytes()?;
        let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
        let found = found.map_err(|e| self.wrong(e))?;
        if found.is_empty() {
            return Err(self.wrong("holds no list of revoked certificates in PEM (-----BEGIN X509 CRL-----)"));
        }
        Ok(found)
    }

    /// The certificates in it, one at least.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
        let bytes = self.bytes()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let found = found.map_err(|e| self.wrong(e))?;
        if found.is_empty() {
            return Err(self.wrong("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"));
        }
        Ok(found)
    }

    /// The private key in it.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, ConnectError> {
        PrivateKeyDer::from_pem_slice(&self.bytes()?).map_err(|e| self.wrong(format!("no private key in PEM: {e}")))
    }

    /// Refuses a file that others than its owner can read.
    pub fn check_private(&self) -> Result<(), ConnectError> {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(self.path()?).map_err(|e| self.wrong(e))?;
        if !found.is_file() {
            return Err(self.wrong("this is no file"));
        }
        let mode = found.permissions().mode() & 0o777;
        // systemd lets the user of a service in by an access list, whose mask shows as the rights of the group.
        let others = if matches!(self, Pem::Credential(_)) { 0o007 } else { 0o077 };
        if mode & others != 0 {
            return Err(self.wrong(format!(
                "others can read this private key (mode {mode:04o}): chmod 600, owned by the user of the agent"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_name_and_never_a_way_out_of_its_folder() {
        assert_eq!(Pem::parse("/etc/x.pem"), Ok(Pem::File("/etc/x.pem".into())));
        assert_eq!(Pem::parse("credential:siem.key"), Ok(Pem::Credential("siem.key".into())));
        for wrong in ["credential:", "credential:..", "credential:../x", "credential:/etc/passwd"] {
            assert!(Pem::parse(wrong).unwrap_err().contains("credential:NAME"), "{wrong}");
        }
    }
}
