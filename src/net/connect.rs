//! Making connections: a name becomes addresses, an address a socket, each within its time and stoppable.
//!
//! The system's resolver cannot be stopped, so it works on a thread of its own, of which there is one at most for an
//! output: who comes while it is busy waits for it.
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

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Address, ConnectError, tcp_info,
    wait::{Stop, TICK, Wait},
};

/// How long each of these may take unless something else is said: the name, the connection, the handshake.
pub const CONNECT: Duration = Duration::from_secs(15);
/// How long a silent network is waited for unless something else is said.
pub const DEAD_PEER: Duration = Duration::from_secs(30);
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_name_is_looked_up_again_each_time_and_numbers_are_not() {
        let dial = Dial::default();
        let address = |host: &str| Address { host: host.into(), port: 9 };
        assert_eq!(dial.resolve(&address("::1")).unwrap(), ["[::1]:9".parse().unwrap()]);
        for _ in 0..2 {
            assert!(dial.resolve(&address("localhost")).unwrap().iter().all(|a| a.ip().is_loopback()));
            assert!(dial.resolve(&address("no-such-host.invalid")).is_err());
        }
    }

    #[test]
    fn an_address_that_does_not_answer_is_given_up_in_time_and_at_the_wish_to_stop() {
        // A full backlog answers no more.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(1).unwrap();
        let to = listener.local_addr().unwrap().as_socket().unwrap();
        let full = || Dial { limit: Duration::from_millis(300), ..Dial::default() }.attempt(to);
        let mut held = Vec::new();
        while let Ok(stream) = full() {
            held.push(stream);
            assert!(held.len() < 500, "the backlog is never full");
        }
        let error = full().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        let began = Instant::now();
        let stop = Stop::when(move || began.elapsed() > Duration::from_millis(500));
        let error = Dial { limit: Duration::from_secs(60), stop, ..Dial::default() }.attempt(to).unwrap_err();
        assert!(error.to_string().contains("the agent stops"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
