//! Letting senders in: listening, the handshake, and nobody who takes his time keeps others out.
use std::{
    fs, io,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::ring, server::WebPkiClientVerifier};

use super::{Listen, StreamOptions};
use crate::{output::pem::Pem, source::FeedError};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Handshakes at once; further connections are closed.
const AT_ONCE: usize = 8;
/// How often the door is looked at, and how long a read waits: what came before is stored and acknowledged then.
const LOOK: Duration = Duration::from_millis(50);

/// A connection, whatever it runs over. Reads wait for [`LOOK`] at most.
pub enum Wire {
    /// TCP.
    Tcp(TcpStream),
    /// TCP under TLS.
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Wire {
    /// Ends it.
    pub fn shut(&self) {
        let _ = match self {
            Wire::Tcp(s) => s.shutdown(Shutdown::Both),
            Wire::Tls(s) => s.sock.shutdown(Shutdown::Both),
            Wire::Unix(s) => s.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Wire {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(s) => s.read(to),
            Wire::Tls(s) => s.read(to),
            Wire::Unix(s) => s.read(to),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(s) => s.write(from),
            Wire::Tls(s) => s.write(from),
            Wire::Unix(s) => s.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Tcp(s) => s.flush(),
            Wire::Tls(s) => s.flush(),
            Wire::Unix(s) => s.flush(),
        }
    }
}

/// A sender that was let in.
pub struct Peer {
    /// Its address, for messages.
    pub name: String,
    /// The connection.
    pub wire: Wire,
}

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What came to the door.
enum Came {
    In(Peer),
    Refused(String),
}

/// Listens until it is dropped.
pub struct Doors {
    came: Receiver<Came>,
    refused: Mutex<Vec<String>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    socket: Option<PathBuf>,
}

impl Doors {
    /// Opens them.
    pub fn open(options: &StreamOptions) -> Result<Doors, FeedError> {
        let io = |what: String| move |source| FeedError::Io { what, source };
        let (door, socket) = match &options.listen {
            Listen::Tcp(a) | Listen::Tls(a) => {
                let listener = TcpListener::bind((a.host.as_str(), a.port)).map_err(io(format!("listening on {a}")))?;
                listener.set_nonblocking(true).map_err(io(a.to_string()))?;
                (Door::Tcp(listener), None)
            }
            Listen::Unix(path) => {
                let listener = unix(path).map_err(io(format!("listening on {}", path.display())))?;
                listener.set_nonblocking(true).map_err(io(path.display().to_string()))?;
                (Door::Unix(listener), Some(path.clone()))
            }
        };
        // A mistake in the files is told at the start, not with the first sender.
        if matches!(options.listen, Listen::Tls(_)) {
            secure(options).map_err(FeedError::Config)?;
        }
        let (to, came) = channel();
        let over: Arc<AtomicBool> = Arc::default();
        let (options, own) = (options.clone(), over.clone());
        let thread = thread::spawn(move || listen(&door, &options, &to, &own));
        Ok(Doors { came, refused: Mutex::default(), over, thread: Some(thread), socket })
    }

    /// The sender that came last, if one came.
    pub fn newest(&self) -> Option<Peer> {
        self.came.try_iter().filter_map(|c| self.sort(c)).last()
    }

    /// The same; waits for one.
    pub fn wait(&self, at_most: Duration) -> Option<Peer> {
        let first = self.came.recv_timeout(at_most).ok()?;
        let first = self.sort(first);
        self.newest().or(first)
    }

    /// Why senders were not let in.
    pub fn refused(&self) -> Option<String> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_empty() { None } else { Some(refused.remove(0)) }
    }

    fn sort(&self, came: Came) -> Option<Peer> {
        match came {
            Came::In(peer) => Some(peer),
            Came::Refused(why) => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                if refused.len() < AT_ONCE {
                    refused.push(why);
                }
                None
            }
        }
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Only then is the port free for whoever comes next.
            let _ = thread.join();
        }
        if let Some(socket) = &self.socket {
            let _ = fs::remove_file(socket);
        }
    }
}

/// Makes a Unix socket that its owner and group can write to, and nobody else at any moment. One that nobody listens on is
/// left over and taken away; anything else at the path stays.
fn unix(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(m) if m.file_type().is_socket() => match UnixStream::connect(path) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(e) => return Err(e),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there")),
        },
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something is there that is no socket")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut folder = path.as_os_str().to_owned();
    folder.push(format!(".{}.new", std::process::id()));
    let folder = PathBuf::from(folder);
    let inner = folder.join("s");
    // What an agent of the same number left behind when it was killed.
    let _ = fs::remove_file(&inner);
    let _ = fs::remove_dir(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = UnixListener::bind(&inner).and_then(|listener| {
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o660))?;
        // A link, because that never replaces what came to be there meanwhile.
        fs::hard_link(&inner, path)?;
        Ok(listener)
    });
    let _ = fs::remove_file(&inner);
    let _ = fs::remove_dir(&folder);
    made
}

fn listen(door: &Door, options: &StreamOptions, to: &Sender<Came>, over: &AtomicBool) {
    let busy: Arc<AtomicUsize> = Arc::default();
    while !over.load(Ordering::Relaxed) {
        let came = match door {
            Door::Tcp(l) => l.accept().map(|(s, from)| (Wire::Tcp(s), from.to_string())),
            Door::Unix(l) => l.accept().map(|(s, _)| (Wire::Unix(s), "a local program".to_owned())),
        };
        let Ok((wire, name)) = came else {
            // Nobody is there, or the system is short of something: in both cases later.
            thread::sleep(LOOK);
            continue;
        };
        let Wire::Tcp(socket) = wire else {
            let _ = to.send(prepare(wire, name));
            continue;
        };
        if !matches!(options.listen, Listen::Tls(_)) {
            let _ = to.send(prepare(Wire::Tcp(socket), name));
            continue;
        }
        if busy.fetch_add(1, Ordering::SeqCst) >= AT_ONCE {
            busy.fetch_sub(1, Ordering::SeqCst);
            let _ = to.send(Came::Refused(format!("{name} is refused: {AT_ONCE} handshakes are under way")));
            continue;
        }
        let (options, to, busy) = (options.clone(), to.clone(), busy.clone());
        thread::spawn(move || {
            let came = match handshake(socket, &options) {
                Ok(wire) => prepare(wire, name),
                Err(why) => Came::Refused(format!("{name} is refused: {why}")),
            };
            busy.fetch_sub(1, Ordering::SeqCst);
            let _ = to.send(came);
        });
    }
}

fn prepare(wire: Wire, name: String) -> Came {
    let set = match &wire {
        Wire::Tcp(s) => timeouts(s),
        Wire::Tls(s) => timeouts(&s.sock),
        Wire::Unix(s) => s
            .set_nonblocking(false)
            .and_then(|()| s.set_read_timeout(Some(LOOK)))
            .and_then(|()| s.set_write_timeout(Some(HANDSHAKE))),
    };
    match set {
        Ok(()) => Came::In(Peer { name, wire }),
        Err(e) => Came::Refused(format!("{name} is refused: {e}")),
    }
}

fn timeouts(s: &TcpStream) -> io::Result<()> {
    s.set_nonblocking(false)?;
    s.set_nodelay(true)?;
    s.set_read_timeout(Some(LOOK))?;
    s.set_write_timeout(Some(HANDSHAKE))
}

fn handshake(mut socket: TcpStream, options: &StreamOptions) -> Result<Wire, String> {
    // Read for every connection: certificates are renewed.
    let config = secure(options)?;
    let mut conn = ServerConnection::new(Arc::new(config)).map_err(|e| e.to_string())?;
    let text = |e: io::Error| format!("TLS: {e}");
    socket.set_nonblocking(false).map_err(text)?;
    socket.set_read_timeout(Some(HANDSHAKE)).map_err(text)?;
    socket.set_write_timeout(Some(HANDSHAKE)).map_err(text)?;
    while conn.is_handshaking() {
        conn.complete_io(&mut socket).map_err(text)?;
    }
    Ok(Wire::Tls(Box::new(StreamOwned::new(conn, socket))))
}

fn secure(options: &StreamOptions) -> Result<ServerConfig, String> {
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
