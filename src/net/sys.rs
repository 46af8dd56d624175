//! The sockets of whatever the program connects to: the one place where outputs name the network of the runtime.
//!
//! They are the system's (`system`). In unit tests a test may settle on a network in memory instead (`simulated`, of turmoil-net), whose
//! TCP has handshakes, queues, windows, acknowledgements, resets and a limit of repetitions, and whose time is that of a test. What the
//! system does beyond that is left out there and said so: keepalive, names, and what sock_diag says but for the bytes that
//! are not acknowledged. Not for: sockets that others connect to (`source::stream`), datagrams (`output::sink`).
#[cfg(test)]
#[expect(missing_docs, reason = "as in `system`")]
mod either;
#[cfg(test)]
#[expect(missing_docs, reason = "as in `system`")]
pub mod simulated;
mod sock_diag;
mod system;

use std::io::{self, Read, Write};

#[cfg(test)]
pub use self::either::*;
pub use self::sock_diag::TcpInfo;
#[cfg(not(test))]
pub use self::{sock_diag::SockDiag, system::*};

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
