//! A socket that a program on the IBM i writes records to as a source.
use std::path::PathBuf;

use crate::output::Address;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port.
    Tcp(Address),
    /// A TCP port, under TLS.
    Tls(Address),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The socket and who may write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Where to listen.
    pub listen: Listen,
    /// Our certificate chain for TLS, PEM.
    pub cert: Option<PathBuf>,
    /// Our private key for TLS, PEM.
    pub key: Option<PathBuf>,
    /// PEM file of the CAs one of which must have signed the certificate that the sender shows.
    pub client_ca: Option<PathBuf>,
}
