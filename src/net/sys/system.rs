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
