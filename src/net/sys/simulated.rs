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

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::{HostId, netstat, set_current, shim::tokio::net};

thread_local! {
    static HOME: Cell<Option<HostId>> = const { Cell::new(None) };
    static NOISE: Cell<u64> = const { Cell::new(0) };
}

/// Where the program of this thread runs, until it is dropped.
pub struct Settled(());

impl Drop for Settled {
    fn drop(&mut self) {
        HOME.set(None);
    }
}

/// The program of this thread runs on this host from now on, and its [noise](noise()) begins with this number.
#[must_use]
pub fn settle_on(host: HostId, seed: u64) -> Settled {
    HOME.set(Some(host));
    NOISE.set(seed);
    Settled(())
}

/// The host of the program of this thread, where it is simulated.
pub fn home() -> Option<HostId> {
    HOME.get()
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

/// Connects a host to an address of the network.
pub async fn connect(home: HostId, to: SocketAddr) -> io::Result<TcpStream> {
    Ok(TcpStream(Mutex::new(on(home, net::TcpStream::connect(to)).await?)))
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

pub fn read(stream: &TcpStream, to: &mut [u8]) -> io::Result<usize> {
    stream.socket().try_read(to)
}

pub fn peek(stream: &TcpStream) -> io::Result<usize> {
    let mut byte = [0];
    match stream.socket().poll_peek(&mut Context::from_waker(Waker::noop()), &mut ReadBuf::new(&mut byte)) {
        Poll::Ready(read) => read,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
