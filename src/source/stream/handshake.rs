//! The TLS handshake of senders: each has a time, and those that say nothing keep nobody out.
use std::{
    io::{self, ErrorKind},
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustls::{RootCertStore, ServerConfig, ServerConnection, crypto::ring, server::WebPkiClientVerifier};

use super::{StreamOptions, wire::Wire};
use crate::output::pem::Pem;

/// How long a handshake may take as a whole.
pub const HANDSHAKE: Duration = Duration::from_secs(15);
/// Handshakes at once; the oldest is ended for a new one.
pub const AT_ONCE: usize = 8;

/// The handshakes that are under way, oldest first.
#[derive(Clone, Default)]
pub struct UnderWay {
    sockets: Arc<Mutex<Vec<(u64, TcpStream)>>>,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, TcpStream)>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more, under a number that no other has.
    pub fn begin(&self, number: u64, socket: &TcpStream) -> io::Result<()> {
        let socket = socket.try_clone()?;
        let mut sockets = self.lock();
        if sockets.len() >= AT_ONCE {
            // Its thread sees the end and says so.
            let _ = sockets.remove(0).1.shutdown(Shutdown::Both);
        }
        sockets.push((number, socket));
        Ok(())
    }

    /// It is over.
    pub fn end(&self, number: u64) {
        self.lock().retain(|(n, _)| *n != number);
    }
}

/// Shakes hands.
pub fn handshake(mut socket: TcpStream, options: &StreamOptions) -> Result<Wire, String> {
    // Read for every connection: certificates are renewed.
    let config = secure(options)?;
    let mut conn = ServerConnection::new(Arc::new(config)).map_err(|e| e.to_string())?;
    let text = |e: io::Error| format!("TLS: {e}");
    socket.set_nonblocking(false).map_err(text)?;
    let end = Instant::now() + HANDSHAKE;
    while conn.is_handshaking() || conn.wants_write() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("TLS: the handshake took more than {} s", HANDSHAKE.as_secs()));
        }
        socket.set_read_timeout(Some(left)).map_err(text)?;
        socket.set_write_timeout(Some(left)).map_err(text)?;
        let writes = conn.wants_write();
        match if writes { conn.write_tls(&mut socket) } else { conn.read_tls(&mut socket) } {
            Ok(0) if !writes => return Err("TLS: it ended during the handshake".to_owned()),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                continue;
            }
            Err(e) => return Err(text(e)),
        }
        if let Err(e) = conn.process_new_packets() {
            // The reason, if it takes it.
            let _ = conn.write_tls(&mut socket);
            return Err(format!("TLS: {e}"));
        }
    }
    Ok(Wire::Tls(Box::new(conn), socket))
}

/// The configuration of our side, from the files as they are now.
pub fn secure(options: &StreamOptions) -> Result<ServerConfig, String> {
    let (Some(cert), Some(key)) = (&options.cert, &options.key) else {
        return Err("tls:// needs cert and key".to_owned());
    };
    let key = Pem::from(key.clone());
    key.check_private().map_err(|e| e.to_string())?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for cert in Pem::from(ca.clone()).certificates().map_err(|e| e.to_string())? {
                roots.add(cert).map_err(|e| format!("{}: {e}", ca.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|e| format!("{}: {e}", ca.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = Pem::from(cert.clone()).certificates().map_err(|e| e.to_string())?;
    let key = key.private_key().map_err(|e| e.to_string())?;
    builder.with_single_cert(chain, key).map_err(|e| format!("{}: {e}", cert.display()))
}
