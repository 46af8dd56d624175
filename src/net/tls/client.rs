//! TLS 1.2 and 1.3 to a receiver, by rustls. Verification is on; there are three ways to trust a receiver:
//! a CA (`--ca`, or the system's), one certificate by fingerprint (`--pin`, RFC 5425 section 4.2.2), or nobody
//! (`--insecure-skip-verify`, which warns each time). Whoever is trusted, the handshake signature is checked.
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, Error, ProtocolVersion,
    RootCertStore, SignatureScheme,
    client::{
        WantsClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{
    pem::Pem,
    pin::{Pin, describe, has_names, verify_by_key},
};
use crate::{
    net::{
        Address, ConnectError,
        connect::Connector,
        sys::{Now, TcpStream},
        wait::is_would_block,
    },
    runtime::blocking,
};

/// A connection under TLS.
pub type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// How long a server that has shaken hands may take to refuse its client all the same.
const WORD: Duration = Duration::from_millis(300);

/// Whom to trust, and who we are.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// PEM file of the CAs to trust; without it the system's.
    pub ca: Option<Pem>,
    /// Our certificate chain, PEM.
    pub cert: Option<Pem>,
    /// Our private key, PEM.
    pub key: Option<Pem>,
    /// The name the certificate must have; without it the host.
    pub server_name: Option<String>,
    /// The certificate to trust, by fingerprint.
    pub pin: Option<Pin>,
    /// Trust nobody and anybody.
    pub insecure: bool,
}

/// Shakes hands on a connected socket, as one step of `connector`. The files of the options are read now, so certificates that are
/// renewed need no restart.
pub async fn connect(
    address: &Address,
    options: &TlsOptions,
    socket: TcpStream,
    connector: &Connector,
) -> Result<TlsStream, ConnectError> {
    let plan = blocking(|| Plan::new(address, options))?;
    let shaken =
        connector.step(TlsConnector::from(plan.config.clone()).connect(plan.server_name.clone(), socket)).await;
    if let Some(witness) = &connector.witness {
        let version = shaken.as_ref().ok().and_then(|stream| stream.get_ref().1.protocol_version());
        witness.note(version, plan.seen.lock().map(|seen| seen.clone()).unwrap_or_default());
    }
    let mut stream = shaken.map_err(|e| plan.failed(address, &e))?;
    // Under TLS 1.3 a server refuses a client, or its missing certificate, after our side of the handshake is done:
    // it gets the chance to say so before the first event.
    let (socket, conn) = stream.get_mut();
    await_early_alert(socket, conn).await.map_err(|e| plan.failed(address, &e))?;
    Ok(stream)
}

/// What a handshake needs, and what is said when it fails.
pub(in crate::net) struct Plan {
    pub(in crate::net) config: Arc<ClientConfig>,
    pub(in crate::net) server_name: ServerName<'static>,
    name: String,
    is_pinned: bool,
    seen: Seen,
}

impl Plan {
    /// Reads the files.
    pub(in crate::net) fn new(address: &Address, options: &TlsOptions) -> Result<Plan, ConnectError> {
        let seen: Seen = Arc::default();
        let config = Arc::new(config(options, seen.clone())?);
        let name = options.server_name.clone().unwrap_or_else(|| address.host.clone());
        let server_name = ServerName::try_from(name.clone())
            .map_err(|_| ConnectError::TlsOptions(format!("{name:?} is no host name: give --server-name")))?;
        Ok(Plan { config, server_name, name, is_pinned: options.pin.is_some(), seen })
    }

    /// Which certificate, which name and why.
    pub(in crate::net) fn failed(&self, address: &Address, e: &io::Error) -> ConnectError {
        let reason = reason(e, &self.name, self.is_pinned, &self.seen);
        ConnectError::Handshake { to: address.to_string(), reason }
    }
}

/// Waits shortly for what a server says after the handshake: session tickets when it is content, an alert when not.
async fn await_early_alert(socket: &TcpStream, conn: &mut ClientConnection) -> io::Result<()> {
    if conn.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    match timeout(WORD, read_records(socket, conn)).await {
        Ok(Ok(0)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed")),
        Ok(Ok(_)) => conn.process_new_packets().map(|_| ()).map_err(io::Error::other),
        Ok(Err(e)) => Err(e),
        Err(_) => Ok(()),
    }
}

/// Reads once, when there is something; 0 at the end.
async fn read_records(socket: &TcpStream, conn: &mut ClientConnection) -> io::Result<usize> {
    loop {
        socket.readable().await?;
        match conn.read_tls(&mut Now(socket)) {
            Err(e) if is_would_block(&e) || e.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The alert that a server sent before it closed, in words.
pub async fn pending_refusal(socket: &TcpStream, conn: &mut ClientConnection) -> Option<String> {
    while matches!(timeout(WORD, read_records(socket, conn)).await, Ok(Ok(n)) if n > 0) {
        if let Err(e) = conn.process_new_packets() {
            return Some(describe_error(e));
        }
    }
    None
}

/// What ended a connection that was made.
pub fn describe_error(e: Error) -> String {
    reason(&io::Error::other(e), "", false, &Seen::default())
}

/// The certificates that the server showed, its own first.
type Seen = Arc<Mutex<Vec<CertificateDer<'static>>>>;

/// The server's own.
fn own(seen: &Seen) -> Option<CertificateDer<'static>> {
    seen.lock().ok().and_then(|all| all.first().cloned())
}

fn config(options: &TlsOptions, seen: Seen) -> Result<ClientConfig, ConnectError> {
    let wrong = |e: String| ConnectError::TlsOptions(e);
    let provider = Arc::new(ring::default_provider());
    let trust = if options.insecure {
        Trust::Insecure
    } else if let Some(pin) = &options.pin {
        Trust::Pinned(pin.clone())
    } else {
        let roots = Arc::new(roots(options.ca.as_ref())?);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|e| wrong(format!("no usable CA: {e}")))?;
        Trust::Ca(webpki)
    };
    let builder = builder(trust, seen)?;
    match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let chain = cert.certificates()?;
            builder
                .with_client_auth_cert(chain, key.private_key()?)
                .map_err(|e| wrong(format!("{cert} and {key} do not go together: {e}")))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(wrong("--cert and --key go together".into())),
    }
}

fn builder(trust: Trust, seen: Seen) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier { trust, provider: provider.clone(), seen });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ConnectError::TlsOptions(e.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

/// Connects, looks at the certificate, and goes away. Trusts nothing and sends nothing.
pub async fn look(address: &Address, server_name: Option<&str>) -> Result<CertificateDer<'static>, ConnectError> {
    let connector = Connector::default();
    let socket = connector.connect(address).await?;
    let fail = |reason: String| ConnectError::Handshake { to: address.to_string(), reason };
    let seen: Seen = Arc::default();
    let config = builder(Trust::InspectOnly, seen.clone())?.with_no_client_auth();
    let name = server_name.unwrap_or(&address.host);
    let server_name = ServerName::try_from(name.to_owned()).map_err(|_| fail(format!("{name:?} is no host name")))?;
    let shaken = connector.step(TlsConnector::from(Arc::new(config)).connect(server_name, socket)).await;
    let last = match shaken {
        Ok(_) => String::from("the receiver showed no certificate"),
        Err(e) => reason(&e, name, false, &seen),
    };
    own(&seen).ok_or_else(|| fail(last))
}

fn roots(ca: Option<&Pem>) -> Result<RootCertStore, ConnectError> {
    let mut store = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for cert in pem.certificates()? {
                store
                    .add(cert)
                    .map_err(|e| ConnectError::TlsOptions(format!("{pem}: a certificate cannot be a CA: {e}")))?;
            }
        }
        None => {
            let (added, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err(ConnectError::TlsOptions(
                    "the system has no CA certificates: give --ca FILE, or --pin (see `qaudjrn pin HOST:PORT`)".into(),
                ));
            }
        }
    }
    Ok(store)
}

#[derive(Debug)]
enum Trust {
    Ca(Arc<WebPkiServerVerifier>),
    Pinned(Pin),
    Insecure,
    /// For looking only.
    InspectOnly,
}

/// Checks the certificate by [`Trust`], the signature always, and remembers what was seen for the error message.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl Verifier {
    /// A certificate that nobody has to have signed counts by its key where rustls cannot read it (version 1).
    fn by_key_too(
        &self,
        found: Result<HandshakeSignatureValid, Error>,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let unread = matches!(&found, Err(Error::InvalidCertificate(e)) if *e != CertificateError::BadSignature);
        match self.trust {
            Trust::Pinned(_) | Trust::Insecure if unread => {
                verify_by_key(message, cert, dss, &self.provider.signature_verification_algorithms)
            }
            _ => found,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = std::iter::once(end_entity).chain(intermediates).map(|c| c.clone().into_owned()).collect();
        }
        match &self.trust {
            Trust::Ca(webpki) => webpki.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            Trust::Pinned(pin) if pin.matches(end_entity) => Ok(ServerCertVerified::assertion()),
            Trust::Pinned(_) => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            Trust::Insecure => Ok(ServerCertVerified::assertion()),
            Trust::InspectOnly => Err(Error::General("looked at".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.by_key_too(verify_tls12_signature(message, cert, dss, algorithms), message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.by_key_too(verify_tls13_signature(message, cert, dss, algorithms), message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Which certificate, which name and why.
fn reason(e: &io::Error, name: &str, pinned: bool, seen: &Seen) -> String {
    let tls = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let why = match tls {
        // Whoever gave the pin is not told to give it.
        Some(Error::InvalidCertificate(e)) if pinned && *e != CertificateError::ApplicationVerificationFailure => {
            format!(
                "it is the one that --pin names, but the receiver does not prove to have its key ({e:?}): look at the key that the receiver uses"
            )
        }
        // A bad signature is that of another authority with the same name: one that was made anew.
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "no trusted CA signed it: give its CA with --ca, or trust this one certificate with --pin".to_owned()
        }
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            "it is not the one that --pin names".to_owned()
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => match own(seen) {
            Some(cert) if !has_names(&cert) => format!(
                "it is not for the name {name}, nor for any: it has no subjectAltName; trust this one certificate with --pin, or give the receiver one that has its name"
            ),
            _ => format!("it is not for the name {name}: connect by a name it has, or give --server-name"),
        },
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "it has expired".to_owned()
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => "it is not valid yet".to_owned(),
        Some(Error::InvalidCertificate(other)) => {
            format!("it cannot be verified ({other:?}): if it is the receiver's own certificate, trust it with --pin")
        }
        Some(Error::AlertReceived(alert)) => {
            return format!(
                "the receiver refused it with the alert {alert:?}{}",
                match alert {
                    rustls::AlertDescription::CertificateRequired | rustls::AlertDescription::HandshakeFailure =>
                        ": it may ask for a client certificate (--cert and --key)",
                    _ => "",
                }
            );
        }
        Some(other @ Error::InvalidMessage(_)) => {
            return format!("what it answers is no TLS ({other}): is it a TLS port?");
        }
        Some(other) => return other.to_string(),
        None if e.kind() == io::ErrorKind::TimedOut => return format!("{e}: is it a TLS port?"),
        None if e.kind() == io::ErrorKind::UnexpectedEof => {
            return "the receiver closed the connection: is it a TLS port, or does it ask for a client certificate?"
                .into();
        }
        None => return e.to_string(),
    };
    match own(seen) {
        Some(cert) => format!("the certificate {}: {why}", describe(&cert)),
        None => why,
    }
}
