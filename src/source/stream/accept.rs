//! Accepts senders. A slow handshake never blocks another sender.
use std::{future::Future, io, time::Duration};

use tokio::{
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Listen, StreamOptions,
    connection::Wire,
    handshake::{HandshakeSlots, Secure, handshake},
    identity,
};
use crate::{
    net::unix::{self, SocketFile},
    runtime::blocking,
    source::FeedError,
};

/// How long it is seen whether a connection is closed again at once, and how long a system is left alone that is short of something.
const LOOK: Duration = Duration::from_millis(50);

/// Who can send by a Unix socket: its owner and group.
const MODE: u32 = 0o660;

/// A sender that is let in.
pub struct Sender {
    /// As the so-manieth it came.
    pub number: u64,
    /// Its address, for messages.
    pub name: String,
    /// Who it is, where that can be told: written by a stranger.
    pub identity: Option<String>,
    /// The connection.
    pub wire: Wire,
}

/// Where senders go that are let in, and what is to be said of those who are not.
pub trait Arrivals: Clone + Send + Sync + 'static {
    /// One is let in.
    fn offer(&self, sender: Sender) -> impl Future<Output = ()> + Send;

    /// Somebody is not, and this is why.
    fn refuse(&self, why: String);
}

enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// One reads the list of users at a time: hundreds that come at once need no hundred threads for it.
static READER: Semaphore = Semaphore::const_new(1);

/// A socket that is listened on. Dropped, its address is free for whoever comes next, and handshakes under way end.
pub struct Listener {
    socket: ListenSocket,
    /// Taken away with it.
    _file: Option<SocketFile>,
    secure: Option<Secure>,
}

impl Listener {
    /// Listens, where the options say so.
    pub async fn bind(options: &StreamOptions) -> Result<Listener, FeedError> {
        let io = |what: String| move |source| FeedError::Io { what, source };
        let (socket, file) = match &options.listen {
            Listen::Tcp(a) | Listen::Tls(a) => {
                let listener = TcpListener::bind((a.host.as_str(), a.port)).await;
                (ListenSocket::Tcp(listener.map_err(io(format!("listening on {a}")))?), None)
            }
            Listen::Unix(path) => {
                let (made, file) = unix::listen(path, MODE).map_err(io(format!("listening on {}", path.display())))?;
                let listener = UnixListener::from_std(made);
                (ListenSocket::Unix(listener.map_err(io(format!("listening on {}", path.display())))?), Some(file))
            }
        };
        let secure = match options.listen {
            Listen::Tls(_) => {
                let secure = Secure::new(options);
                // A mistake in the files is told at the start, not with the first sender.
                secure.config().await.map_err(FeedError::Config)?;
                Some(secure)
            }
            _ => None,
        };
        Ok(Listener { socket, _file: file, secure })
    }

    async fn next(&self) -> io::Result<(Wire, String, Option<u32>)> {
        match &self.socket {
            ListenSocket::Tcp(l) => l.accept().await.map(|(s, from)| (Wire::Tcp(s), from.to_string(), None)),
            ListenSocket::Unix(l) => {
                let (s, _) = l.accept().await?;
                let user = s.peer_cred().ok().map(|c| c.uid());
                Ok((Wire::Unix(s), "a local program".to_owned(), user))
            }
        }
    }

    /// Lets senders in, until it is dropped.
    pub async fn listen(self, arrivals: impl Arrivals) {
        let slots = HandshakeSlots::default();
        let mut handshakes = JoinSet::new();
        let mut number = 0;
        loop {
            slots.room().await;
            let (wire, name, user) = match self.next().await {
                Ok(came) => came,
                Err(_) => {
                    // The system is short of something: later.
                    sleep(LOOK).await;
                    continue;
                }
            };
            while handshakes.try_join_next().is_some() {}
            number += 1;
            let slot = match slots.begin(number, &wire.socket()) {
                Ok(slot) => slot,
                Err(e) => {
                    arrivals.refuse(format!("{name} is refused: {e}"));
                    continue;
                }
            };
            let (secure, arrivals) = (self.secure.clone(), arrivals.clone());
            // Nobody's silence holds up others.
            handshakes.spawn(async move {
                let shaken = match (secure, wire) {
                    (Some(secure), Wire::Tcp(socket)) => handshake(socket, &secure, &slot).await.map(Some),
                    (_, wire) => stays(wire).await.map(|wire| wire.map(|w| (w, None))),
                };
                let let_in = shaken.and_then(|found| {
                    let Some((wire, identity)) = found else { return Ok(None) };
                    wire.prepare().map_err(|e| e.to_string())?;
                    // One that was ended for another one takes nobody's place.
                    Ok(slot.let_in().then_some((wire, identity)))
                });
                match let_in {
                    Ok(Some((wire, identity))) => {
                        let identity = match user {
                            Some(uid) if identity.is_none() => {
                                // It is never closed.
                                let _reads = READER.acquire().await;
                                Some(blocking(|| identity::of_user(uid)))
                            }
                            _ => identity,
                        };
                        arrivals.offer(Sender { number, name, identity, wire }).await;
                    }
                    Ok(None) => {}
                    Err(why) => arrivals.refuse(format!("{name} is refused: {why}")),
                }
            });
        }
    }
}

/// A connection, unless it is closed again at once: that was somebody who only looked whether there is a listener.
async fn stays(wire: Wire) -> Result<Option<Wire>, String> {
    match timeout(LOOK, wire.speaks()).await {
        Ok(Ok(false)) => Ok(None),
        Ok(Err(e)) => Err(e.to_string()),
        Ok(Ok(true)) | Err(_) => Ok(Some(wire)),
    }
}
