//! The TLS handshake of senders: each has a time, and those that say nothing keep nobody out.
use std::{
    cmp::Reverse,
    collections::HashMap,
    io::{self, ErrorKind},
    mem::MaybeUninit,
    net::{IpAddr, Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::{RootCertStore, ServerConfig, ServerConnection, crypto::ring, server::WebPkiClientVerifier};
use socket2::{SockRef, Socket};

use super::{StreamOptions, wire::Wire};
use crate::net::tls::{
    pem::Pem,
    pin::{describe, has_name},
};

/// How long a handshake may take as a whole.
pub const HANDSHAKE: Duration = Duration::from_secs(15);
/// Connections at once that are not let in yet; one of them is ended for a new one.
pub const AT_ONCE: usize = 64;

/// A connection that is not let in yet.
struct Guest {
    number: u64,
    socket: Socket,
    /// Whose it is, where that can be told.
    address: Option<IpAddr>,
    spoke: Arc<AtomicBool>,
}

impl Guest {
    /// Whether something came from it.
    fn has_spoken(&self) -> bool {
        let peek = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        self.spoke.load(Ordering::Relaxed)
            || self.socket.recv_with_flags(&mut [MaybeUninit::uninit()], peek).is_ok_and(|n| n > 0)
    }
}

/// The connections that are not let in yet, oldest first.
#[derive(Clone, Default)]
pub struct UnderWay {
    guests: Arc<Mutex<Vec<Guest>>>,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, Vec<Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more, under a number that no other has. What is returned is set when something came from it.
    pub fn begin(&self, number: u64, socket: &SockRef<'_>) -> io::Result<Arc<AtomicBool>> {
        let socket = socket.try_clone()?;
        let address = socket.peer_addr().ok().and_then(|a| a.as_socket()).map(|a| a.ip());
        let spoke: Arc<AtomicBool> = Arc::default();
        let mut guests = self.lock();
        if guests.len() >= AT_ONCE
            && let Some(out) = pushed_out(&guests)
        {
            // Its thread sees the end and says so.
            let _ = guests.remove(out).socket.shutdown(Shutdown::Both);
        }
        guests.push(Guest { number, socket, address, spoke: spoke.clone() });
        Ok(spoke)
    }

    /// It is over.
    pub fn end(&self, number: u64) {
        self.lock().retain(|g| g.number != number);
    }
}

/// Who has to go: one that has said nothing before one that has, one of an address with many before one of an address with few,
/// and of those that are alike the oldest.
fn pushed_out(guests: &[Guest]) -> Option<usize> {
    let mut by_address: HashMap<Option<IpAddr>, usize> = HashMap::new();
    for guest in guests {
        *by_address.entry(guest.address).or_default() += 1;
    }
    let rank = |(i, guest): &(usize, &Guest)| {
        (!guest.has_spoken(), by_address.get(&guest.address).copied().unwrap_or(0), Reverse(*i))
    };
    guests.iter().enumerate().max_by_key(rank).map(|(i, _)| i)
}

/// Shakes hands.
pub fn handshake(mut socket: TcpStream, options: &StreamOptions, spoke: &AtomicBool) -> Result<Wire, String> {
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
            Ok(_) if writes => {}
            Ok(_) => spoke.store(true, Ordering::Relaxed),
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
    if let Some(names) = &options.client_names {
        let cert = conn.peer_certificates().and_then(|chain| chain.first());
        if !cert.is_some_and(|cert| has_name(cert, names)) {
            let shown = cert.map_or("none".to_owned(), describe);
            return Err(format!("TLS: its certificate {shown} has none of the names of client_names"));
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
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if let Some(crl) = &options.client_crl {
                let revoked = Pem::from(crl.clone()).revoked().map_err(|e| e.to_string())?;
                verifier = verifier.with_crls(revoked).only_check_end_entity_revocation();
            }
            let verifier = verifier.build().map_err(|e| format!("{}: {e}", ca.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = Pem::from(cert.clone()).certificates().map_err(|e| e.to_string())?;
    let key = key.private_key().map_err(|e| e.to_string())?;
    builder.with_single_cert(chain, key).map_err(|e| format!("{}: {e}", cert.display()))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use super::*;

    #[test]
    fn h13_who_says_nothing_is_pushed_out_before_who_has_spoken_whatever_is_older() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || {
            let own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (own, listener.accept().unwrap().0)
        };
        let under_way = UnderWay::default();
        // The oldest is the only one that has said something.
        let (mut honest, its) = connect();
        honest.write_all(b"\x16").unwrap();
        its.peek(&mut [0]).unwrap();
        under_way.begin(0, &SockRef::from(&its)).unwrap();
        let mut others = Vec::new();
        for number in 1..=AT_ONCE as u64 * 2 {
            let (own, other) = connect();
            under_way.begin(number, &SockRef::from(&other)).unwrap();
            others.push((own, other));
        }
        let numbers: Vec<u64> = under_way.lock().iter().map(|g| g.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[1]), (AT_ONCE, 0, AT_ONCE as u64 + 2));
        under_way.end(0);
        assert!(under_way.lock().iter().all(|g| g.number != 0));
    }
}
