//! Making connections: a name becomes addresses, an address a socket, each within its time and stoppable.
//!
//! The system's resolver cannot be stopped, so it works on a thread of its own, of which there is one at most for an
//! output: who comes while it is busy waits for it.
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Address, ConnectError,
    sys::{self, TcpStream},
    tcp_info,
    tls::witness::Witness,
    wait::{given_up, no_answer},
};

/// How long each of these may take unless something else is said: the name, the connection, the handshake.
pub const CONNECT: Duration = Duration::from_secs(15);
/// How long a silent network is waited for unless something else is said.
pub const DEAD_PEER: Duration = Duration::from_secs(30);
/// So many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;

/// How connections are made.
#[derive(Clone)]
pub struct Connector {
    /// The wish to make no more connections.
    pub stop: CancellationToken,
    /// The end of those that are made.
    pub end: CancellationToken,
    /// How long each of these may take: the name, the connection, the handshake.
    pub limit: Duration,
    /// When a silent network counts as gone.
    pub dead_peer: Duration,
    /// Looks names up.
    pub names: Arc<Resolver>,
    /// Looks on at handshakes; nobody, unless somebody wants to tell what they showed.
    pub witness: Option<Witness>,
}

impl Default for Connector {
    /// Nobody wishes to stop: for commands that Ctrl-C ends.
    fn default() -> Self {
        Connector {
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            limit: CONNECT,
            dead_peer: DEAD_PEER,
            names: Arc::default(),
            witness: None,
        }
    }
}

impl Connector {
    /// Does one step within its time, unless the wish to stop comes first. What is ready at once is done in any case.
    pub async fn step<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        tokio::select! {
            biased;
            done = timeout(self.limit, step) => done.unwrap_or_else(|_| Err(no_answer(self.limit))),
            () = self.stop.cancelled() => Err(given_up()),
        }
    }

    /// The addresses of a host, as the system knows them now.
    pub async fn resolve(&self, address: &Address) -> Result<Vec<SocketAddr>, ConnectError> {
        let error = |source| ConnectError::Unreachable { to: address.to_string(), source };
        let mut found = self.step(self.names.resolve(address)).await.map_err(|e| error(of_name(e, address)))?;
        found.truncate(MOST_ADDRESSES);
        if found.is_empty() {
            return Err(error(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        Ok(found)
    }

    /// Connects to the first address that answers.
    pub async fn connect(&self, address: &Address) -> Result<TcpStream, ConnectError> {
        let error = |source| ConnectError::Unreachable { to: address.to_string(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for to in self.resolve(address).await? {
            match self.connect_addr(to).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
            if self.stop.is_cancelled() {
                return Err(error(given_up()));
            }
        }
        Err(error(last))
    }

    async fn connect_addr(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.step(sys::connect(to)).await?;
        stream.set_nodelay(true)?;
        tcp_info::keep_alive(&stream, self.dead_peer)?;
        Ok(stream)
    }
}

/// A look-up that came to no end within its time is the name server's.
fn of_name(e: io::Error, address: &Address) -> io::Error {
    match e.kind() {
        // The system's own words have a number, or come from the resolver.
        io::ErrorKind::TimedOut if e.raw_os_error().is_none() => {
            io::Error::new(e.kind(), format!("looking up {:?}: {e} from the name server", address.host))
        }
        _ => e,
    }
}

type Found = io::Result<Vec<SocketAddr>>;

/// Looks names up, one at a time.
#[derive(Default)]
pub struct Resolver {
    /// What the thread is asked, and where its answer comes.
    busy: Mutex<Option<(Address, oneshot::Receiver<Found>)>>,
}

impl Resolver {
    /// The addresses of a host, however long that takes. Who gives up leaves the answer to the next who asks for the same.
    pub async fn resolve(&self, address: &Address) -> Found {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        let mut busy = self.busy.lock().await;
        loop {
            let (asked, answer) = busy.get_or_insert_with(|| (address.clone(), look_up(address.clone())));
            let found = answer.await;
            let is_mine = asked == address;
            *busy = None;
            if is_mine {
                return found.unwrap_or_else(|_| Err(io::Error::other("the look-up ended without an answer")));
            }
        }
    }
}

/// Asks the system. A thread that never comes back holds up no runtime that ends.
fn look_up(address: Address) -> oneshot::Receiver<Found> {
    let (to, answer) = oneshot::channel();
    thread::spawn(move || {
        let found = (address.host.as_str(), address.port).to_socket_addrs().map(Iterator::collect);
        let _ = to.send(found);
    });
    answer
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn address(host: &str) -> Address {
        Address { host: host.into(), port: 9 }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_again_each_time_and_numbers_are_not() {
        let connector = Connector::default();
        assert_eq!(connector.resolve(&address("::1")).await.unwrap(), ["[::1]:9".parse().unwrap()]);
        for _ in 0..2 {
            assert!(connector.resolve(&address("localhost")).await.unwrap().iter().all(|a| a.ip().is_loopback()));
            assert!(connector.resolve(&address("no-such-host.invalid")).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_is_for_the_next_who_asks_for_it_and_nobody_else_is_asked_meanwhile() {
        let connector = Connector::default();
        let (to, answer) = oneshot::channel();
        *connector.names.busy.lock().await = Some((address("slow.test"), answer));
        let error = connector.resolve(&address("slow.test")).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot connect to slow.test:9: looking up \"slow.test\": no answer within 15 s from the name server"
        );
        // Another name has to wait for that look-up too.
        assert!(
            connector.resolve(&address("localhost")).await.unwrap_err().to_string().contains("no answer within 15 s")
        );
        to.send(Ok(vec!["192.0.2.1:9".parse().unwrap()])).unwrap();
        assert_eq!(connector.resolve(&address("slow.test")).await.unwrap(), ["192.0.2.1:9".parse().unwrap()]);
        assert!(connector.names.busy.lock().await.is_none());
        let stop = connector.stop.clone();
        let (_to, answer) = oneshot::channel::<Found>();
        *connector.names.busy.lock().await = Some((address("slow.test"), answer));
        tokio::spawn(async move { stop.cancel() });
        let error = connector.resolve(&address("slow.test")).await.unwrap_err().to_string();
        assert_eq!(error, "cannot connect to slow.test:9: given up, because the agent stops");
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_given_up_in_time_and_at_the_wish_to_stop() {
        // A full backlog answers no more.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(1).unwrap();
        let to = listener.local_addr().unwrap().as_socket().unwrap();
        let full = Connector { limit: Duration::from_millis(300), ..Connector::default() };
        let mut held = Vec::new();
        while let Ok(stream) = full.connect_addr(to).await {
            held.push(stream);
            assert!(held.len() < 500, "the backlog is never full");
        }
        let error = full.connect_addr(to).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::TimedOut, "no answer within 0.3 s".into()));
        let began = Instant::now();
        let connector = Connector { limit: Duration::from_secs(60), ..Connector::default() };
        let (attempted, ()) = tokio::join!(connector.connect_addr(to), async { connector.stop.cancel() });
        let error = attempted.unwrap_err();
        assert!(error.to_string().contains("the agent stops"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
