//! Sends hand-made lines to a receiver over plain std sockets and rustls, to prove the harness without the product.

use super::certificates::Certificates;
use super::{Kind, Receiver};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// How lines are told apart in a stream (RFC 6587).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Newline,
    Octet,
}

impl Framing {
    /// Every line framed, in one piece.
    pub fn frame(self, lines: &[String]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            match self {
                Framing::Newline => bytes.extend([line.as_bytes(), b"\n"].concat()),
                Framing::Octet => bytes.extend([format!("{} ", line.len()).as_bytes(), line.as_bytes()].concat()),
            }
        }
        bytes
    }
}

/// The framings a receiver of this kind takes; UDP has none and ignores it.
pub fn framings(kind: Kind) -> &'static [Framing] {
    match kind {
        Kind::RsyslogTcp | Kind::RsyslogTls | Kind::RsyslogMutualTls => &[Framing::Newline, Framing::Octet],
        Kind::SyslogNgNewline => &[Framing::Newline],
        _ => &[Framing::Octet],
    }
}

/// Sends the lines to `receiver` the way its kind wants them; with its client certificate where one is required.
pub fn send(receiver: &Receiver, framing: Framing, lines: &[String]) {
    let address = ("127.0.0.1", receiver.port);
    let mutual = matches!(receiver.kind, Kind::RsyslogMutualTls | Kind::SyslogNgMutualTls);
    if receiver.kind.is_udp() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("socket");
        for line in lines {
            let sent = socket.send_to(line.as_bytes(), address).expect("datagram");
            assert_eq!(sent, line.len());
        }
    } else if receiver.kind.is_tls() {
        send_tls(receiver, framing, lines, mutual).expect("the receiver takes the TLS connection");
    } else {
        let mut stream = TcpStream::connect(address).expect("connection");
        stream.write_all(&framing.frame(lines)).expect("write");
    }
}

/// TLS, with or without the client certificate. Under TLS 1.3 a client may learn of its refusal only at its next read.
pub fn send_tls(
    receiver: &Receiver,
    framing: Framing,
    lines: &[String],
    with_certificate: bool,
) -> std::io::Result<()> {
    let config = client_config(&receiver.certificates, with_certificate);
    let name = ServerName::try_from("localhost").expect("name");
    let session = ClientConnection::new(Arc::new(config), name).expect("client");
    let socket = TcpStream::connect(("127.0.0.1", receiver.port))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = StreamOwned::new(session, socket);
    stream.write_all(&framing.frame(lines))?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn client_config(certificates: &Certificates, with_certificate: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificates.ca).expect("authority")).expect("authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    if !with_certificate {
        return builder.with_no_client_auth();
    }
    let chain = vec![CertificateDer::from_pem_file(&certificates.client_cert).expect("certificate")];
    let key = PrivateKeyDer::from_pem_file(&certificates.client_key).expect("key");
    builder.with_client_auth_cert(chain, key).expect("client certificate")
}
