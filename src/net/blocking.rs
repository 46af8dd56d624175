//! [`connect`](super::connect) for threads, and the handshake, until the last of them is a task: do not use it for anything new.
use std::{
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread,
    time::Duration,
};

use rustls::{ClientConnection, ProtocolVersion, StreamOwned};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Address, ConnectError,
    connect::{CONNECT, DEAD_PEER},
    tcp_info,
    tls::client::{Plan, TlsOptions},
    wait::{Stop, TICK, Wait, is_wait},
};

/// So many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;

/// How connections are made.
#[derive(Clone)]
pub struct Dial {
    /// The wish to make no more connections.
    pub stop: Stop,
    /// The end of those that are made.
    pub end: Stop,
    /// How long each of these may take: the name, the connection, the handshake.
    pub limit: Duration,
    /// When a silent network counts as gone.
    pub dead_peer: Duration,
    /// Looks names up.
    pub names: Arc<Names>,
}

impl Default for Dial {
    fn default() -> Self {
        Dial { stop: Stop::never(), end: Stop::never(), limit: CONNECT, dead_peer: DEAD_PEER, names: Arc::default() }
    }
}

impl Dial {
    /// A wait for one step.
    pub fn wait(&self) -> Wait {
        Wait::new(self.limit, &self.stop)
    }

    /// The addresses of a host, as the system knows them now.
    pub fn resolve(&self, address: &Address) -> Result<Vec<SocketAddr>, ConnectError> {
        let error = |source| ConnectError::Unreachable { to: address.to_string(), source };
        let mut found = self.names.resolve(address, &self.wait()).map_err(error)?;
        found.truncate(MOST_ADDRESSES);
        if found.is_empty() {
            return Err(error(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        Ok(found)
    }

    /// Connects to the first address that answers. The socket gives reads and writes up after [`TICK`].
    pub fn connect(&self, address: &Address) -> Result<TcpStream, ConnectError> {
        let error = |source| ConnectError::Unreachable { to: address.to_string(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for to in self.resolve(address)? {
            match self.attempt(to) {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
            self.stop.check().map_err(error)?;
        }
        Err(error(last))
    }

    fn attempt(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        let wait = self.wait();
        match socket.connect_timeout(&to.into(), TICK.min(self.limit)) {
            Ok(()) => {}
            // It goes on without us; an answer of the system itself would have its number.
            Err(e) if e.kind() == io::ErrorKind::TimedOut && e.raw_os_error().is_none() => {
                while socket.peer_addr().is_err() {
                    if let Some(refused) = socket.take_error()? {
                        return Err(refused);
                    }
                    wait.check()?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Err(e) => return Err(e),
        }
        socket.set_tcp_nodelay(true)?;
        tcp_info::keep_alive(&socket, self.dead_peer)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(stream)
    }
}

/// A connection under TLS.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands on a connected socket whose reads and writes give up after a moment.
pub fn secure(
    address: &Address,
    options: &TlsOptions,
    mut socket: TcpStream,
    wait: &Wait,
) -> Result<TlsStream, ConnectError> {
    let plan = Plan::new(address, options)?;
    let mut conn = ClientConnection::new(plan.config.clone(), plan.server_name.clone())
        .map_err(|e| ConnectError::TlsOptions(e.to_string()))?;
    shake_hands(&mut conn, &mut socket, wait).map_err(|e| plan.failed(address, &e))?;
    let mut stream = StreamOwned::new(conn, socket);
    wait_for_word(&mut stream).map_err(|e| plan.failed(address, &e))?;
    Ok(stream)
}

fn shake_hands(conn: &mut ClientConnection, socket: &mut TcpStream, wait: &Wait) -> io::Result<()> {
    // A step at a time: one that comes byte by byte ends with its wait too.
    while conn.is_handshaking() || conn.wants_write() {
        wait.check()?;
        let writes = conn.wants_write();
        match if writes { conn.write_tls(socket) } else { conn.read_tls(socket) } {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(e) if is_wait(&e) || e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        }
        if let Err(e) = conn.process_new_packets() {
            // The reason, if it takes it.
            let _ = conn.write_tls(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, e));
        }
    }
    Ok(())
}

fn wait_for_word(stream: &mut TlsStream) -> io::Result<()> {
    if stream.conn.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    stream.sock.set_read_timeout(Some(Duration::from_millis(300)))?;
    match stream.conn.read_tls(&mut stream.sock) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed")),
        Ok(_) => stream.conn.process_new_packets().map(|_| ()).map_err(io::Error::other),
        Err(e) if is_wait(&e) => Ok(()),
        Err(e) => Err(e),
    }
}

type Found = io::Result<Vec<SocketAddr>>;

/// Looks names up, one at a time.
#[derive(Default)]
pub struct Names {
    /// What the thread is asked, and where its answer comes.
    busy: Mutex<Option<(Address, Receiver<Found>)>>,
}

impl Names {
    /// The addresses of a host within a wait. An answer that comes too late is used by the next who asks for it.
    pub fn resolve(&self, address: &Address, wait: &Wait) -> Found {
        if let Ok(ip) = address.host.parse::<std::net::IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        loop {
            if let Some(found) = self.look(address) {
                return found;
            }
            wait.check().map_err(|e| match e.kind() {
                io::ErrorKind::TimedOut => {
                    io::Error::new(e.kind(), format!("looking up {:?}: {e} from the name server", address.host))
                }
                _ => e,
            })?;
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The answer, if it is there; asks if nobody is asked.
    fn look(&self, address: &Address) -> Option<Found> {
        let mut busy = self.busy.lock().ok()?;
        if let Some((asked, answer)) = &*busy {
            let found = match answer.try_recv() {
                Err(TryRecvError::Empty) => return None,
                Ok(found) => found,
                Err(TryRecvError::Disconnected) => Err(io::Error::other("the look-up ended without an answer")),
            };
            let mine = asked == address;
            *busy = None;
            return mine.then_some(found);
        }
        let (to, answer) = channel();
        let asked = address.clone();
        thread::spawn(move || {
            let found = (asked.host.as_str(), asked.port).to_socket_addrs().map(Iterator::collect);
            let _ = to.send(found);
        });
        *busy = Some((address.clone(), answer));
        None
    }
}
