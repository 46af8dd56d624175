//! The sockets of whatever the program connects to: the one place where outputs name the network of the runtime.
//!
//! With the feature `simulation`, which is for tests alone, they are sockets of a network in memory (turmoil-net), whose TCP has
//! handshakes, queues, windows, acknowledgements, resets and a limit of repetitions, and whose time is that of a test. What the
//! network's system does not model is left out there and said so: keepalive, names, and what sock_diag says but for the bytes
//! that are not acknowledged. Not for: sockets that others connect to (`source::stream`), datagrams (`output::sink`).
use std::io::{self, Read, Write};

#[cfg(feature = "simulation")]
pub use self::simulated::*;
#[cfg(not(feature = "simulation"))]
pub use self::system::*;

#[cfg(all(feature = "simulation", not(debug_assertions)))]
compile_error!("the feature `simulation` is for tests: a program that is built with it reaches nobody");

/// A socket of the runtime as one that never waits: `WouldBlock` where there is nothing to be done at present.
pub struct Now<'a>(pub &'a TcpStream);

impl Now<'_> {
    /// Whether there is something to be read: 1 where there is, 0 at the end.
    pub fn peek(&self) -> io::Result<usize> {
        peek(self.0)
    }
}

impl Read for Now<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        read(self.0, to)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(feature = "simulation"))]
mod system {
    //! The network of the system.
    use std::{
        io::{self, Read},
        mem::MaybeUninit,
        net::{Shutdown, SocketAddr},
    };

    use socket2::{SockRef, Socket, TcpKeepalive};
    use tokio::io::Interest;
    pub use tokio::net::TcpStream;

    use crate::clock;

    /// Connects to an address, however long that takes.
    pub async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    /// How an idle connection is asked whether it lives.
    pub fn set_keep_alive(stream: &TcpStream, times: &TcpKeepalive) -> io::Result<()> {
        SockRef::from(stream).set_tcp_keepalive(times)
    }

    /// Closes our side: the peer reads the end behind everything that was written.
    pub fn shutdown(stream: &TcpStream) -> io::Result<()> {
        SockRef::from(stream).shutdown(Shutdown::Write)
    }

    /// A number that nobody can foresee, below 1,000.
    pub fn noise() -> u64 {
        u64::from(clock::now().timestamp_subsec_nanos()) % 1_000
    }

    pub(super) fn read(stream: &TcpStream, to: &mut [u8]) -> io::Result<usize> {
        read_by(stream, |mut socket| socket.read(to))
    }

    pub(super) fn peek(stream: &TcpStream) -> io::Result<usize> {
        // One call, for it is done before every write.
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        read_by(stream, |socket| socket.recv_with_flags(&mut [MaybeUninit::uninit()], flags))
    }

    /// Makes a call that reads, whether the runtime knows already that there is something, or only the system does. Where there
    /// is nothing, the runtime waits for the next from then on.
    fn read_by<T>(stream: &TcpStream, mut call: impl FnMut(&Socket) -> io::Result<T>) -> io::Result<T> {
        let socket = SockRef::from(stream);
        let mut is_called = false;
        let read = stream.try_io(Interest::READABLE, || {
            is_called = true;
            call(&socket)
        });
        match read {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && !is_called => call(&socket),
            read => read,
        }
    }
}

#[cfg(feature = "simulation")]
mod simulated {
    //! A network in memory, of which the program is one host. All of it is on one thread.
    use std::{
        cell::Cell,
        future::poll_fn,
        io,
        net::SocketAddr,
        pin::Pin,
        sync::{Mutex, MutexGuard, PoisonError},
        task::{Context, Poll, Waker},
    };

    use socket2::TcpKeepalive;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use turmoil_net::{HostId, netstat, set_current, shim::tokio::net};

    thread_local! {
        static HOME: Cell<Option<HostId>> = const { Cell::new(None) };
        static NOISE: Cell<u64> = const { Cell::new(0) };
    }

    /// The program of this thread runs on this host from now on, and its [noise](noise()) begins with this number.
    pub fn settle_on(host: HostId, seed: u64) {
        HOME.set(Some(host));
        NOISE.set(seed);
    }

    fn at_home() {
        if let Some(host) = HOME.get() {
            set_current(host);
        }
    }

    /// A future whose sockets are those of a host, to its end.
    pub struct On<F>(HostId, Option<Pin<Box<F>>>);

    /// See [`On`].
    pub fn on<F: Future>(host: HostId, future: F) -> On<F> {
        On(host, Some(Box::pin(future)))
    }

    impl<F: Future> Future for On<F> {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            set_current(self.0);
            match &mut self.1 {
                Some(future) => future.as_mut().poll(cx),
                None => Poll::Pending,
            }
        }
    }

    impl<F> Drop for On<F> {
        fn drop(&mut self) {
            set_current(self.0);
            self.1 = None;
        }
    }

    /// A socket of the program's host.
    #[derive(Debug)]
    pub struct TcpStream(Mutex<net::TcpStream>);

    impl Drop for TcpStream {
        fn drop(&mut self) {
            at_home();
        }
    }

    #[expect(missing_docs, reason = "as those of tokio")]
    impl TcpStream {
        fn socket(&self) -> MutexGuard<'_, net::TcpStream> {
            at_home();
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
            self.socket().set_nodelay(nodelay)
        }

        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            self.socket().local_addr()
        }

        pub fn peer_addr(&self) -> io::Result<SocketAddr> {
            self.socket().peer_addr()
        }

        pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.socket().try_write(bytes)
        }

        pub async fn readable(&self) -> io::Result<()> {
            poll_fn(|cx| self.socket().poll_peek(cx, &mut ReadBuf::new(&mut [0])).map_ok(drop)).await
        }

        /// Writing nothing waits for room, too.
        pub async fn writable(&self) -> io::Result<()> {
            poll_fn(|cx| Pin::new(&mut *self.socket()).poll_write(cx, &[]).map_ok(drop)).await
        }
    }

    impl AsyncRead for TcpStream {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut *self.socket()).poll_read(cx, to)
        }
    }

    impl AsyncWrite for TcpStream {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut *self.socket()).poll_write(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut *self.socket()).poll_shutdown(cx)
        }
    }

    /// Connects to an address of the network.
    pub async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
        match HOME.get() {
            Some(home) => Ok(TcpStream(Mutex::new(on(home, net::TcpStream::connect(to)).await?))),
            None => Err(io::ErrorKind::NetworkUnreachable.into()),
        }
    }

    /// There is no keepalive: who is silent is found when something is sent to him.
    pub fn set_keep_alive(_: &TcpStream, _: &TcpKeepalive) -> io::Result<()> {
        Ok(())
    }

    /// Closes our side, behind everything that was written.
    pub fn shutdown(stream: &TcpStream) -> io::Result<()> {
        match Pin::new(&mut *stream.socket()).poll_shutdown(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(shut) => shut,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Bytes of a connection that were written and that the peer's system has not acknowledged: the send queue of our system, as
    /// Linux counts it (SIOCOUTQ). `None` when the connection has ended.
    pub fn unacknowledged(local: SocketAddr, peer: SocketAddr) -> Option<usize> {
        let all = netstat(local.ip()).entries;
        all.into_iter().find(|e| e.local == local && e.peer == Some(peer)).map(|e| e.send_q)
    }

    /// A number below 1,000 that the seed decides.
    pub fn noise() -> u64 {
        // Knuth's generator, whose high bits are good.
        let next = NOISE.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        NOISE.set(next);
        (next >> 33) % 1_000
    }

    pub(super) fn read(stream: &TcpStream, to: &mut [u8]) -> io::Result<usize> {
        stream.socket().try_read(to)
    }

    pub(super) fn peek(stream: &TcpStream) -> io::Result<usize> {
        let mut byte = [0];
        match stream.socket().poll_peek(&mut Context::from_waker(Waker::noop()), &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
