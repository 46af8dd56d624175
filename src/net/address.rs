//! A host and a port, as configurations name both ends of connections.
use std::{fmt, str::FromStr};

use super::ConnectError;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or address; IPv6 without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = ConnectError;

    fn from_str(s: &str) -> Result<Address, ConnectError> {
        let wrong = || ConnectError::HostPort(s.to_owned());
        let (host, port) = s.rsplit_once(':').ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').map(|h| h.strip_suffix(']')) {
            Some(inner) => inner.ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        let port = port.parse().ok().filter(|p| *p != 0).ok_or_else(wrong)?;
        if host.is_empty() || host.contains('/') {
            return Err(wrong());
        }
        Ok(Address { host: host.to_owned(), port })
    }
}
