//! Sockets that programs on the IBM i write records to. docs/STREAM.md has the protocol, for whoever writes such a
//! program: a greeting that says where to go on, records behind their lengths, and numbers that say how many of them are on
//! the disk.
//!
//! For: listening and letting senders in ([`Listener`]), who they are ([`identity`]), cutting what they send into records ([`inbox`]), what
//! they are told ([`greeting`]). Not for: what becomes of their records: the agent has a task for each sender, and says
//! that a record is on the disk when it is.
mod accept;
mod connection;
mod handshake;
pub mod identity;
pub mod inbox;

use std::path::PathBuf;

pub use self::{
    accept::{Arrivals, Listener, Sender},
    connection::Wire,
};
use super::receiver_chain::JournalPlace;
use crate::{
    decode::ebcdic::Charset,
    net::{Address, tls::pem::Pem},
};

/// Bytes of the greeting.
const GREETING: usize = 64;

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

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Tcp(a) => write!(f, "tcp://{a}"),
            Listen::Tls(a) => write!(f, "tls://{a}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The socket and who may write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Where to listen.
    pub listen: Listen,
    /// Our certificate chain for TLS, PEM.
    pub cert: Option<Pem>,
    /// Our private key for TLS, PEM.
    pub key: Option<Pem>,
    /// PEM file of the CAs one of which must have signed the certificate that the sender shows.
    pub client_ca: Option<Pem>,
    /// Names one of which that certificate must have: a DNS name, an address, or the common name of its subject.
    pub client_names: Option<Vec<String>>,
    /// PEM file of the certificates that the CA has revoked.
    pub client_crl: Option<Pem>,
}

/// QAUDJRN1, receiver library, receiver, sequence number in 20 digits; the rest is blank.
pub fn greeting(committed: &JournalPlace, job: &Charset) -> [u8; GREETING] {
    let mut greeting = [b' '; GREETING];
    let (library, receiver) = (invariant(&committed.library, job), invariant(&committed.receiver, job));
    let text = format!("QAUDJRN1{library:<10.10}{receiver:<10.10}{:020}", committed.sequence);
    for (to, from) in greeting.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    greeting
}

/// A name as CCSID 37 shows its bytes. In other CCSIDs the bytes of `#`, `@` and `$` are letters that ASCII lacks.
fn invariant(name: &str, job: &Charset) -> String {
    let Some(bytes) = job.encode(name) else { return name.replace(|c: char| !c.is_ascii(), "?") };
    let shown = Charset::ebcdic(37).map_or_else(|_| name.to_owned(), |c| c.decode_string(&bytes));
    shown.replace(|c: char| !c.is_ascii_graphic() && c != ' ', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_says_where_to_go_on() {
        let german = Charset::ebcdic(273).unwrap();
        let place = JournalPlace { library: "QGPL".into(), receiver: "AUDRCV0042".into(), sequence: 4711 };
        let text = String::from_utf8(greeting(&place, german).to_vec()).unwrap();
        assert_eq!(text, format!("{:<64}", "QAUDJRN1QGPL      AUDRCV004200000000000000004711"));
        let nothing = String::from_utf8(greeting(&JournalPlace::default(), german).to_vec()).unwrap();
        assert_eq!(nothing, format!("{:<64}", format!("QAUDJRN1{:20}{:020}", "", 0)));
    }

    #[test]
    fn a_greeting_is_ascii_and_keeps_its_columns_whatever_the_ccsid_calls_the_letters() {
        // X'7C' X'7B' X'5B' are @ # $ where IBM names them, and section sign, # and $ in Germany.
        let german = Charset::ebcdic(273).unwrap();
        let library = german.decode_string(&[0x7C, 0x7B, 0x5B, 0xC1]);
        let place = JournalPlace { library, receiver: "\u{20ac}\u{1f512}".into(), sequence: 1 };
        let text = String::from_utf8(greeting(&place, german).to_vec()).unwrap();
        assert_eq!(text, format!("{:<64}", "QAUDJRN1@#$A      ??        00000000000000000001"));
    }
}
