//! Letting senders in: listening, and nobody who takes his time keeps others out.
use std::{
    collections::VecDeque,
    fs, io,
    net::{Shutdown, TcpListener},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{SockRef, Socket};

use super::{
    Listen, StreamOptions,
    handshake::{UnderWay, handshake, secure},
    wire::{LOOK, Wire},
};
use crate::source::FeedError;

/// How often who waits for connections looks whether that is over, where nothing else wakes him.
const AWAKE: Duration = Duration::from_millis(250);
/// Refusals that are kept to be told.
const REFUSALS: usize = 8;

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

impl Door {
    fn socket(&self) -> SockRef<'_> {
        match self {
            Door::Tcp(l) => SockRef::from(l),
            Door::Unix(l) => SockRef::from(l),
        }
    }
}

/// Who waits to be taken, and what is to be said of those who are not. Of several who wait only the newest does.
#[derive(Default)]
struct Porch {
    inside: Mutex<Inside>,
    came: Condvar,
}

#[derive(Default)]
struct Inside {
    peer: Option<Peer>,
    /// The number of the newest that was let in.
    newest: u64,
    refusals: VecDeque<String>,
    /// Refusals that are counted only.
    more: u64,
}

impl Porch {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one in that came as the so-manieth. One that came before another who is in already took longer: it comes again.
    fn enter(&self, number: u64, peer: Peer) {
        let mut inside = self.lock();
        if number < inside.newest {
            drop(inside);
            return self.refuse(format!("{} is closed: another sender came after it", peer.name));
        }
        inside.newest = number;
        let name = peer.name.clone();
        let before = inside.peer.replace(peer);
        drop(inside);
        if let Some(before) = before {
            self.refuse(format!("{} is closed: {name} came after it", before.name));
        }
        self.came.notify_all();
    }

    fn refuse(&self, why: String) {
        let mut inside = self.lock();
        if inside.refusals.len() < REFUSALS {
            inside.refusals.push_back(why);
        } else {
            inside.more += 1;
        }
    }
}

/// Listens until it is dropped.
pub struct Doors {
    porch: Arc<Porch>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The listening socket, to be shut down: who waits at it is woken.
    listener: Socket,
    socket: Option<PathBuf>,
}

impl Doors {
    /// Opens them.
    pub fn open(options: &StreamOptions) -> Result<Doors, FeedError> {
        let io = |what: String| move |source| FeedError::Io { what, source };
        let (door, socket) = match &options.listen {
            Listen::Tcp(a) | Listen::Tls(a) => {
                let listener = TcpListener::bind((a.host.as_str(), a.port)).map_err(io(format!("listening on {a}")))?;
                (Door::Tcp(listener), None)
            }
            Listen::Unix(path) => {
                let listener = unix(path).map_err(io(format!("listening on {}", path.display())))?;
                (Door::Unix(listener), Some(path.clone()))
            }
        };
        // A mistake in the files is told at the start, not with the first sender.
        if matches!(options.listen, Listen::Tls(_)) {
            secure(options).map_err(FeedError::Config)?;
        }
        // Where a shutdown does not wake who waits, the time does.
        let awake = if cfg!(target_os = "linux") { None } else { Some(AWAKE) };
        let own = door.socket();
        let listener = own.set_read_timeout(awake).and_then(|()| own.try_clone());
        let listener = listener.map_err(io("listening".to_owned()))?;
        let porch: Arc<Porch> = Arc::default();
        let over: Arc<AtomicBool> = Arc::default();
        let (options, to, own) = (options.clone(), porch.clone(), over.clone());
        let thread = thread::spawn(move || listen(&door, &options, &to, &own));
        Ok(Doors { porch, over, thread: Some(thread), listener, socket })
    }

    /// The sender that came last, if one waits.
    pub fn newest(&self) -> Option<Peer> {
        self.porch.lock().peer.take()
    }

    /// The same; waits for one.
    pub fn wait(&self, at_most: Duration) -> Option<Peer> {
        let waited = self.porch.came.wait_timeout_while(self.porch.lock(), at_most, |inside| inside.peer.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.peer.take()
    }

    /// Why senders were not let in.
    pub fn refused(&self) -> Option<String> {
        let mut inside = self.porch.lock();
        inside.refusals.pop_front().or_else(|| match std::mem::take(&mut inside.more) {
            0 => None,
            more => Some(format!("{more} more connections were refused or closed")),
        })
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.listener.shutdown(Shutdown::Both);
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

fn listen(door: &Door, options: &StreamOptions, porch: &Arc<Porch>, over: &AtomicBool) {
    let under_way = UnderWay::default();
    let is_tls = matches!(options.listen, Listen::Tls(_));
    let mut number = 0;
    while !over.load(Ordering::SeqCst) {
        let came = match door {
            Door::Tcp(l) => l.accept().map(|(s, from)| (Wire::Tcp(s), from.to_string())),
            Door::Unix(l) => l.accept().map(|(s, _)| (Wire::Unix(s), "a local program".to_owned())),
        };
        let (wire, name) = match came {
            Ok(came) => came,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => continue,
            Err(_) => {
                // The system is short of something: later.
                if !over.load(Ordering::SeqCst) {
                    thread::sleep(LOOK);
                }
                continue;
            }
        };
        number += 1;
        if !is_tls && wire.is_ready() == Some(false) {
            continue;
        }
        let spoke = match under_way.begin(number, &wire.socket()) {
            Ok(spoke) => spoke,
            Err(e) => {
                porch.refuse(format!("{name} is refused: {e}"));
                continue;
            }
        };
        let (options, porch, under_way) = (options.clone(), porch.clone(), under_way.clone());
        // Nobody's silence holds up the door.
        thread::spawn(move || {
            let shaken = match wire {
                Wire::Tcp(socket) if is_tls => handshake(socket, &options, &spoke).map(Some),
                wire => wait_for_more(wire),
            };
            under_way.end(number);
            let refused = |why| format!("{name} is refused: {why}");
            match shaken.map_err(refused).and_then(|wire| wire.map(|w| prepare(&w, &name).map(|()| w)).transpose()) {
                Ok(Some(wire)) => porch.enter(number, Peer { name, wire }),
                Ok(None) => {}
                Err(why) => porch.refuse(why),
            }
        });
    }
}

/// Whether a connection stays for a moment. One that is closed again at once was somebody who only looked whether there is a
/// listener.
fn wait_for_more(wire: Wire) -> Result<Option<Wire>, String> {
    wire.prepare().map_err(|e| e.to_string())?;
    Ok((!wire.is_closed()).then_some(wire))
}

/// Ready to be read from, or why not.
fn prepare(wire: &Wire, name: &str) -> Result<(), String> {
    wire.prepare().map_err(|e| format!("{name} is refused: {e}"))
}
