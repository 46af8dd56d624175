//! A stream under TLS that is read step by step.
use std::io::{self, ErrorKind, Read, Write};

use crate::net::blocking::TlsStream;

/// A connection whose `read` gives up behind one read of the socket, also where what came is no whole record, or one without data:
/// rustls' own goes on until there is some, and a peer that sends a byte now and then would hold it for ever.
pub struct Steps(pub TlsStream);

impl Read for Steps {
    /// `WouldBlock` where nothing is there yet.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let TlsStream { conn, sock } = &mut self.0;
        match conn.reader().read(to) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
        if conn.wants_write() {
            conn.write_tls(sock)?;
        }
        conn.read_tls(sock)?;
        if let Err(e) = conn.process_new_packets() {
            // The reason, if it takes it.
            let _ = conn.write_tls(sock);
            return Err(io::Error::new(ErrorKind::InvalidData, e));
        }
        conn.reader().read(to)
    }
}

impl Write for Steps {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
