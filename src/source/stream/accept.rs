//! Letting senders in: listening, and nobody who takes his time keeps others out.
use std::{
    collections::VecDeque,
    fs, io,
    net::TcpListener,
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

use super::{
    Listen, StreamOptions,
    handshake::{UnderWay, handshake, secure},
    wire::{LOOK, Wire},
};
use crate::source::FeedError;

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

/// Who waits to be taken, and what is to be said of those who are not. Of several who wait only the newest does.
#[derive(Default)]
struct Porch {
    inside: Mutex<(Option<Peer>, VecDeque<String>, u64)>,
    came: Condvar,
}

impl Porch {
    fn lock(&self) -> MutexGuard<'_, (Option<Peer>, VecDeque<String>, u64)> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, peer: Peer) {
        let name = peer.name.clone();
        let before = self.lock().0.replace(peer);
        if let Some(before) = before {
            self.refuse(format!("{} is closed: {name} came after it", before.name));
        }
        self.came.notify_all();
    }

    fn refuse(&self, why: String) {
        let mut inside = self.lock();
        if inside.1.len() < REFUSALS {
            inside.1.push_back(why);
        } else {
            inside.2 += 1;
        }
    }
}

/// Listens until it is dropped.
pub struct Doors {
    porch: Arc<Porch>,
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
        let porch: Arc<Porch> = Arc::default();
        let over: Arc<AtomicBool> = Arc::default();
        let (options, to, own) = (options.clone(), porch.clone(), over.clone());
        let thread = thread::spawn(move || listen(&door, &options, &to, &own));
        Ok(Doors { porch, over, thread: Some(thread), socket })
    }

    /// The sender that came last, if one waits.
    pub fn newest(&self) -> Option<Peer> {
        self.porch.lock().0.take()
    }

    /// The same; waits for one.
    pub fn wait(&self, at_most: Duration) -> Option<Peer> {
        let waited = self.porch.came.wait_timeout_while(self.porch.lock(), at_most, |inside| inside.0.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.0.take()
    }

    /// Why senders were not let in.
    pub fn refused(&self) -> Option<String> {
        let mut inside = self.porch.lock();
        inside.1.pop_front().or_else(|| match std::mem::take(&mut inside.2) {
            0 => None,
            more => Some(format!("{more} more connections were refused or closed")),
        })
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

fn listen(door: &Door, options: &StreamOptions, porch: &Arc<Porch>, over: &AtomicBool) {
    let under_way = UnderWay::default();
    let mut number = 0;
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
        let socket = match wire {
            Wire::Tcp(socket) if matches!(options.listen, Listen::Tls(_)) => socket,
            wire => {
                match prepare(&wire, &name) {
                    Ok(()) if wire.is_closed() => {}
                    Ok(()) => porch.enter(Peer { name, wire }),
                    Err(why) => porch.refuse(why),
                }
                continue;
            }
        };
        number += 1;
        if let Err(e) = under_way.begin(number, &socket) {
            porch.refuse(format!("{name} is refused: {e}"));
            continue;
        }
        let (options, porch, under_way) = (options.clone(), porch.clone(), under_way.clone());
        thread::spawn(move || {
            let shaken = handshake(socket, &options).map_err(|why| format!("{name} is refused: {why}"));
            under_way.end(number);
            match shaken.and_then(|wire| prepare(&wire, &name).map(|()| wire)) {
                Ok(wire) => porch.enter(Peer { name, wire }),
                Err(why) => porch.refuse(why),
            }
        });
    }
}

/// Ready to be read from, or why not.
fn prepare(wire: &Wire, name: &str) -> Result<(), String> {
    wire.prepare().map_err(|e| format!("{name} is refused: {e}"))
}
