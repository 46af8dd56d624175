//! Why there is no connection.
use std::io;

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address does not say where.
    #[error("{0:?}: expected HOST:PORT, IPv6 addresses in brackets")]
    HostPort(String),
    /// The name has no address, or nobody answers there.
    #[error("cannot connect to {to}: {source}")]
    Unreachable {
        /// The address.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// TLS files or options.
    #[error("TLS: {0}")]
    TlsOptions(String),
    /// The handshake failed.
    #[error("TLS handshake with {to} failed: {reason}")]
    Handshake {
        /// The address.
        to: String,
        /// Which certificate, which name and why.
        reason: String,
    },
}
