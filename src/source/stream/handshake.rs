//! The TLS handshake of senders: each has a time, and those that say nothing keep nobody out.
use std::{
    cmp::Reverse,
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, Shutdown},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use socket2::{SockRef, Socket};
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    StreamOptions,
    connection::{Wire, peek},
    identity,
};
use crate::{
    digest::{Hash, checksum},
    files::read_regular,
    net::tls::pin::{describe, has_name},
    runtime::blocking,
};

/// How long a handshake may take as a whole.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Connections at once that are not let in yet; one of them is ended for a new one.
const AT_ONCE: usize = 64;
/// How long all of them have where each has said something: many senders that come back at the same moment do not push each other out.
const GRACE: Duration = Duration::from_secs(1);
/// Handshakes that read files at once.
const READERS: usize = 4;
/// Bytes of a file of certificates, at most: as it is read.
const MOST: u64 = 64 << 20;

/// A connection that is not let in yet.
struct Pending {
    number: u64,
    socket: Socket,
    /// Whose it is, where that can be told.
    address: Option<IpAddr>,
    spoke: Arc<AtomicBool>,
    since: Instant,
}

impl Pending {
    /// Whether something came from it.
    fn has_spoken(&self) -> bool {
        self.spoke.load(Ordering::Relaxed) || peek(SockRef::from(&self.socket)).is_ok_and(|n| n > 0)
    }
}

/// The connections that are not let in yet, oldest first.
#[derive(Clone, Default)]
pub struct HandshakeSlots {
    inside: Arc<Inside>,
}

#[derive(Default)]
struct Inside {
    pending: Mutex<Vec<Pending>>,
    left: Notify,
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one out; whether it was there still.
    fn take(&self, number: u64) -> bool {
        let mut pending = self.lock();
        let before = pending.len();
        pending.retain(|w| w.number != number);
        let was_there = pending.len() < before;
        drop(pending);
        self.left.notify_one();
        was_there
    }
}

/// One of those in the [`HandshakeSlots`], until it is dropped.
pub struct Slot {
    number: u64,
    spoke: Arc<AtomicBool>,
    slots: HandshakeSlots,
}

impl Slot {
    /// Something came from it.
    fn mark_spoken(&self) {
        self.spoke.store(true, Ordering::Relaxed);
    }

    /// It is let in, unless it was ended for another one.
    pub fn let_in(&self) -> bool {
        self.slots.inside.take(self.number)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.inside.take(self.number);
    }
}

impl HandshakeSlots {
    /// Counts one more, under a number that no other has.
    pub fn begin(&self, number: u64, socket: &SockRef<'_>) -> io::Result<Slot> {
        let socket = socket.try_clone()?;
        let address = socket.peer_addr().ok().and_then(|a| a.as_socket()).map(|a| a.ip());
        let spoke: Arc<AtomicBool> = Arc::default();
        let mut pending = self.inside.lock();
        if pending.len() >= AT_ONCE
            && let Some(out) = pushed_out(&pending)
        {
            // Its task sees the end and says so.
            let _ = pending.remove(out).socket.shutdown(Shutdown::Both);
        }
        pending.push(Pending { number, socket, address, spoke: spoke.clone(), since: Instant::now() });
        Ok(Slot { number, spoke, slots: self.clone() })
    }

    /// Waits until one more can be counted without a wrong to another: where each has said something, all have some time.
    pub async fn room(&self) {
        loop {
            let until = {
                let pending = self.inside.lock();
                if pending.len() < AT_ONCE || pending.iter().any(|w| !w.has_spoken()) {
                    return;
                }
                pending.first().map_or_else(Instant::now, |oldest| oldest.since + GRACE)
            };
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                () = self.inside.left.notified() => {}
                () = sleep_until(until) => return,
            }
        }
    }
}

/// Who has to go: one that has said nothing before one that has, one of an address with many before one of an address with few,
/// and of those that are alike the oldest.
fn pushed_out(pending: &[Pending]) -> Option<usize> {
    let mut by_address: HashMap<Option<IpAddr>, usize> = HashMap::new();
    for one in pending {
        *by_address.entry(one.address).or_default() += 1;
    }
    let rank = |(i, one): &(usize, &Pending)| {
        (!one.has_spoken(), by_address.get(&one.address).copied().unwrap_or(0), Reverse(*i))
    };
    pending.iter().enumerate().max_by_key(rank).map(|(i, _)| i)
}

/// What is said of a connection that ends before it is let in.
const ENDED: &str = "TLS: it ended during the handshake";

/// Shakes hands. The name of the certificate that was shown comes with the connection.
pub async fn handshake(socket: TcpStream, secure: &Secure, slot: &Slot) -> Result<(Wire, Option<String>), String> {
    let shaken = timeout(HANDSHAKE, shake(socket, secure, slot)).await;
    shaken.unwrap_or_else(|_| Err(format!("TLS: the handshake took more than {} s", HANDSHAKE.as_secs())))
}

async fn shake(socket: TcpStream, secure: &Secure, slot: &Slot) -> Result<(Wire, Option<String>), String> {
    let text = |e: io::Error| match e.kind() {
        ErrorKind::UnexpectedEof => ENDED.to_owned(),
        _ => format!("TLS: {e}"),
    };
    if socket.peek(&mut [0]).await.map_err(text)? == 0 {
        return Err(ENDED.to_owned());
    }
    slot.mark_spoken();
    // Read for every connection: certificates are renewed.
    let config = secure.config().await?;
    let stream = TlsAcceptor::from(config).accept(socket).await.map_err(text)?;
    let cert = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    if let Some(names) = &secure.options.client_names
        && !cert.is_some_and(|cert| has_name(cert, names))
    {
        let shown = cert.map_or("none".to_owned(), describe);
        return Err(format!("TLS: its certificate {shown} has none of the names of client_names"));
    }
    let identity = cert.and_then(identity::of_certificate);
    Ok((Wire::Tls(Box::new(stream)), identity))
}

/// What the files were, by their hash, and what was made of them.
type Made = (Hash, Arc<ServerConfig>);

/// Our side of TLS: made of the files as they are, and shared by all connections while these stay the same.
#[derive(Clone)]
pub struct Secure {
    options: Arc<StreamOptions>,
    readers: Arc<Semaphore>,
    last: Arc<Mutex<Option<Made>>>,
}

impl Secure {
    /// By these options.
    pub fn new(options: &StreamOptions) -> Secure {
        let readers = Arc::new(Semaphore::new(READERS));
        Secure { options: Arc::new(options.clone()), readers, last: Arc::default() }
    }

    /// The configuration, from the files as they are now.
    pub async fn config(&self) -> Result<Arc<ServerConfig>, String> {
        // It is never closed.
        let _reads = self.readers.acquire().await;
        blocking(|| self.read())
    }

    fn read(&self) -> Result<Arc<ServerConfig>, String> {
        let before = self.print();
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some((of, config)), Some(now)) = (known, before)
            && of == now
            && let Some(key) = &self.options.key
        {
            key.check_private().map_err(|e| e.to_string())?;
            return Ok(config);
        }
        let config = Arc::new(secure(&self.options)?);
        // Of files that changed meanwhile nobody knows which were read.
        if let Some(print) = before.filter(|p| self.print() == Some(*p)) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((print, config.clone()));
        }
        Ok(config)
    }

    /// A hash of all files; `None` where one cannot be read.
    fn print(&self) -> Option<Hash> {
        let StreamOptions { cert, key, client_ca, client_crl, .. } = &*self.options;
        let mut all = Vec::new();
        for pem in [cert, key, client_ca, client_crl].into_iter().flatten() {
            all.extend_from_slice(&checksum(&read_regular(&pem.path().ok()?, MOST).ok()?));
        }
        Some(checksum(&all))
    }
}

/// The configuration of our side, from the files as they are now.
fn secure(options: &StreamOptions) -> Result<ServerConfig, String> {
    let (Some(cert), Some(key)) = (&options.cert, &options.key) else {
        return Err("tls:// needs cert and key".to_owned());
    };
    key.check_private().map_err(|e| e.to_string())?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for cert in ca.certificates().map_err(|e| e.to_string())? {
                roots.add(cert).map_err(|e| format!("{}: {e}", ca))?;
            }
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if let Some(crl) = &options.client_crl {
                let revoked = crl.revoked().map_err(|e| e.to_string())?;
                verifier = verifier.with_crls(revoked).only_check_end_entity_revocation();
            }
            let verifier = verifier.build().map_err(|e| format!("{}: {e}", ca))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = cert.certificates().map_err(|e| e.to_string())?;
    let key = key.private_key().map_err(|e| e.to_string())?;
    let mut config = builder.with_single_cert(chain, key).map_err(|e| format!("{}: {e}", cert))?;
    // Every connection shows its certificate: one that was revoked meanwhile does not go on with what was agreed before.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn pairs() -> impl FnMut() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        move || {
            let own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (own, listener.accept().unwrap().0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn h13_who_says_nothing_is_pushed_out_before_who_has_spoken_whatever_is_older() {
        let mut connect = pairs();
        let slots = HandshakeSlots::default();
        // The oldest is the only one that has said something.
        let (mut honest, its) = connect();
        honest.write_all(b"\x16").unwrap();
        its.peek(&mut [0]).unwrap();
        let slot = slots.begin(0, &SockRef::from(&its)).unwrap();
        let mut others = Vec::new();
        for number in 1..=AT_ONCE as u64 * 2 {
            slots.room().await;
            let (own, other) = connect();
            others.push((slots.begin(number, &SockRef::from(&other)).unwrap(), own, other));
        }
        let numbers: Vec<u64> = slots.inside.lock().iter().map(|w| w.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[1]), (AT_ONCE, 0, AT_ONCE as u64 + 2));
        assert!(!others[0].0.let_in() && slot.let_in());
        drop(slot);
        assert!(slots.inside.lock().iter().all(|w| w.number != 0));
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_come_at_once_and_speak_wait_for_each_other_and_nobody_for_long() {
        let mut connect = pairs();
        let slots = HandshakeSlots::default();
        let mut taken = Vec::new();
        for number in 0..AT_ONCE as u64 {
            slots.room().await;
            let (own, other) = connect();
            let slot = slots.begin(number, &SockRef::from(&other)).unwrap();
            slot.mark_spoken();
            taken.push((slot, own, other));
        }
        let began = Instant::now();
        let other = slots.clone();
        let waits = tokio::spawn(async move { other.room().await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        // One is through.
        taken.pop();
        waits.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        let (_own, other) = connect();
        let last = slots.begin(1_000, &SockRef::from(&other)).unwrap();
        last.mark_spoken();
        // Nobody comes through any more: the oldest has had its time.
        slots.room().await;
        assert!(began.elapsed() >= GRACE && began.elapsed() < GRACE * 2);
        let (_own, other) = connect();
        let _newest = slots.begin(1_001, &SockRef::from(&other)).unwrap();
        assert!(!taken[0].0.let_in() && taken[1].0.let_in());
    }
}
