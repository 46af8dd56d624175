//! A receiver for the benchmarks: takes lines over TCP or TLS on loopback, counts event ids, and stalls or dies when told to.
//! No part of the product. It is to be faster than any forwarder: it looks for the end of a line and for the id, no more.
//!
//!     sink IDS [FOLDER]
//!
//! counts ids up to IDS; with FOLDER it speaks TLS for `localhost` and leaves `ca.pem` there. An id is the number in
//! `externalId=RECEIVER:NUMBER` of a whole line, framed by line feeds or by octet counting. The first line on standard output is
//! the port. Commands come on standard input; each is answered by one line of JSON: lines, distinct ids, ids that came more
//! than once, connections, seconds from the first byte to the last new id.
//!
//!     status                          how things are
//!     wait DISTINCT SECONDS           until so many ids are in, at most so long
//!     quiet SECONDS AT_MOST           until nothing new came for so long
//!     fault DISTINCT STALL AWAY       when so many are in: read nothing for STALL ms, close with what is unread (a reset), and
//!                                     refuse connections for AWAY ms
//!     die AWAY                        the same at once, without the stall
//!     reset                           count from nothing
use std::{
    fs,
    io::{self, BufRead, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use memchr::memmem::Finder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

#[derive(Default)]
struct State {
    times: Vec<u8>,
    lines: u64,
    distinct: usize,
    twice: u64,
    connections: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    /// At how many ids, and how long it stalls and is away.
    fault: Option<(usize, Duration, Duration)>,
    stalled: bool,
    /// Connections of an older life end.
    life: u64,
    away: Duration,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let ids: usize = args.next().and_then(|n| n.parse().ok()).expect("usage: sink IDS [FOLDER]");
    let tls = args.next().map(|folder| server(Path::new(&folder)));
    let shared = Shared::default();
    lock(&shared).times = vec![0; ids + 1];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("a port");
    println!("{}", at.port());
    let own = shared.clone();
    thread::spawn(move || accept(listener, at, &own, tls.as_ref()));
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        command(&line, &shared);
        println!("{}", report(&lock(&shared)));
    }
}

fn report(s: &State) -> String {
    let seconds = match (s.first, s.last) {
        (Some(first), Some(last)) => (last - first).as_secs_f64(),
        _ => 0.0,
    };
    format!(
        "{{\"lines\":{},\"distinct\":{},\"twice\":{},\"connections\":{},\"seconds\":{seconds:.3}}}",
        s.lines, s.distinct, s.twice, s.connections
    )
}

fn command(line: &str, shared: &Shared) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let n = |i: usize| words.get(i).and_then(|w| w.parse::<f64>().ok()).unwrap_or(0.0);
    let ms = |i: usize| Duration::from_millis(n(i) as u64);
    match words.first().copied() {
        Some("wait") => {
            let end = Instant::now() + Duration::from_secs_f64(n(2));
            while lock(shared).distinct < n(1) as usize && Instant::now() < end {
                thread::sleep(Duration::from_millis(1));
            }
        }
        Some("quiet") => {
            let end = Instant::now() + Duration::from_secs_f64(n(2));
            let (mut seen, mut since) = (lock(shared).lines, Instant::now());
            while since.elapsed().as_secs_f64() < n(1) && Instant::now() < end {
                thread::sleep(Duration::from_millis(20));
                let now = lock(shared).lines;
                if now != seen {
                    (seen, since) = (now, Instant::now());
                }
            }
        }
        Some("fault") => lock(shared).fault = Some((n(1) as usize, ms(2), ms(3))),
        Some("die") => die(&mut lock(shared), ms(1)),
        Some("reset") => {
            let mut s = lock(shared);
            s.times.fill(0);
            (s.lines, s.distinct, s.twice, s.connections) = (0, 0, 0, 0);
            (s.first, s.last) = (None, None);
        }
        _ => {}
    }
}

fn die(s: &mut State, away: Duration) {
    s.life += 1;
    s.away = away;
    s.stalled = false;
}

fn accept(first: TcpListener, at: SocketAddr, shared: &Shared, tls: Option<&Arc<ServerConfig>>) {
    let mut listener = Some(first);
    let mut life = 0;
    loop {
        let (now, away) = {
            let s = lock(shared);
            (s.life, s.away)
        };
        if now != life {
            life = now;
            listener = None;
            thread::sleep(away);
        }
        let open = listener.get_or_insert_with(|| {
            loop {
                match TcpListener::bind(at) {
                    Ok(l) => break l,
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        open.set_nonblocking(true).expect("a socket that does not wait");
        match open.accept() {
            Ok((stream, _)) => {
                let (own, tls) = (shared.clone(), tls.cloned());
                lock(shared).connections += 1;
                thread::spawn(move || serve(stream, &own, tls, life));
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared, tls: Option<Arc<ServerConfig>>, life: u64) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    match tls {
        None => read(stream, shared, life),
        Some(config) => {
            let session = ServerConnection::new(config).expect("a session");
            read(StreamOwned::new(session, stream), shared, life);
        }
    }
}

fn read(mut stream: impl Read, shared: &Shared, life: u64) {
    let finder = Finder::new("externalId=");
    let mut buffer = vec![0; 512 << 10];
    let (mut end, mut found) = (0, Vec::new());
    loop {
        {
            let s = lock(shared);
            if s.life != life {
                return; // what is unread makes this a reset
            }
            if s.stalled {
                drop(s);
                thread::sleep(Duration::from_millis(2));
                continue;
            }
        }
        match stream.read(&mut buffer[end..]) {
            Ok(0) => return,
            Ok(n) => end += n,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        found.clear();
        let mut at = 0;
        let mut lines = 0;
        while let Some((line, used)) = frame(&buffer[at..end]) {
            lines += 1;
            found.extend(id(line, &finder));
            at += used;
        }
        buffer.copy_within(at..end, 0);
        end -= at;
        assert!(end < buffer.len(), "a line of {end} bytes");
        count(shared, lines, &found);
    }
}

/// The line at the front, if it is whole, and the bytes it takes.
fn frame(bytes: &[u8]) -> Option<(&[u8], usize)> {
    if bytes.first()?.is_ascii_digit() {
        let blank = memchr::memchr(b' ', bytes)?;
        let length: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
        let line = bytes.get(blank + 1..blank + 1 + length)?;
        return Some((line, blank + 1 + length));
    }
    let end = memchr::memchr(b'\n', bytes)?;
    Some((&bytes[..end], end + 1))
}

fn id(line: &[u8], finder: &Finder<'_>) -> Option<usize> {
    let rest = &line[finder.find(line)? + 11..];
    let rest = &rest[memchr::memchr(b':', rest)? + 1..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit());
    Some(digits.fold(0, |n, b| n * 10 + usize::from(b - b'0')))
}

fn count(shared: &Shared, lines: u64, found: &[usize]) {
    let mut s = lock(shared);
    let now = Instant::now();
    s.first.get_or_insert(now);
    s.lines += lines;
    for id in found {
        match s.times.get_mut(*id) {
            Some(0) => {
                s.times[*id] = 1;
                s.distinct += 1;
                s.last = Some(now);
            }
            Some(n) => {
                *n = n.saturating_add(1);
                s.twice += 1;
            }
            None => eprintln!("sink: id {id} was not sent"),
        }
    }
    if let Some((_, stall, away)) = s.fault.filter(|f| s.distinct >= f.0) {
        s.fault = None;
        s.stalled = true;
        let own = shared.clone();
        thread::spawn(move || {
            thread::sleep(stall);
            die(&mut lock(&own), away);
        });
    }
}

/// A certificate for `localhost`, signed by an authority whose certificate is left in the folder.
fn server(folder: &Path) -> Arc<ServerConfig> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    fs::write(folder.join("ca.pem"), authority.pem()).expect("ca.pem");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&key, &authority).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).expect("a certificate"))
}
