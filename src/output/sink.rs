//! One open output: takes lines, frames them, writes them.
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use super::{
    Address, OutputError, Target,
    dial::Dial,
    tls::{self, TlsOptions, TlsStream},
    wait::is_wait,
};

/// How lines follow one another on a stream (RFC 6587).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// A line feed behind every line; encoders never write one inside.
    Newline,
    /// The length in bytes and a blank before every line (RFC 5425 asks for it).
    Octet,
}

/// Lines are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// How long a write may block before the receiver counts as gone.
const STALL: Duration = Duration::from_secs(600);
/// How long the receiver may take to read the rest and close.
const FINISH: Duration = Duration::from_secs(30);

enum Kind {
    Stdout(io::Stdout),
    Null,
    File(File),
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
}

/// An open output.
pub struct Sink {
    kind: Kind,
    name: String,
    framing: Framing,
    batch: Vec<u8>,
    /// Lines in the batch: taken, not yet written.
    waiting: u64,
    /// Datagrams that the receiver's host refused.
    refused: u64,
}

impl Sink {
    /// Opens it: connects, shakes hands.
    pub fn open(target: &Target, framing: Framing, tls: &TlsOptions) -> Result<Sink, OutputError> {
        Sink::open_by(target, framing, tls, &Dial::default())
    }

    /// The same, with its own times and stoppable.
    pub fn open_by(target: &Target, framing: Framing, tls: &TlsOptions, dial: &Dial) -> Result<Sink, OutputError> {
        let (kind, name) = match target {
            Target::Stdout => (Kind::Stdout(io::stdout()), "standard output".to_owned()),
            Target::Null => (Kind::Null, "null".to_owned()),
            Target::File(path) => {
                let name = path.display().to_string();
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .map_err(|source| OutputError::File { path: name.clone(), source })?;
                (Kind::File(file), name)
            }
            Target::Udp(a) => (Kind::Udp(udp(a, &dial.resolve(a)?)?), target.to_string()),
            Target::Tcp(a) => (Kind::Tcp(patient(dial.connect(a)?, a)?), target.to_string()),
            Target::Tls(a) => {
                let mut stream = tls::connect(a, tls, dial.connect(a)?, &dial.wait())?;
                stream.sock = patient(stream.sock, a)?;
                (Kind::Tls(Box::new(stream)), target.to_string())
            }
            Target::Relp(a) | Target::RelpTls(a) => return Err(OutputError::RelpForRun(a.to_string())),
        };
        Ok(Sink { kind, name, framing, batch: Vec::with_capacity(BATCH + (16 << 10)), waiting: 0, refused: 0 })
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes one line, which has no line end. It is written at once for UDP, with others for streams.
    #[inline]
    pub fn send(&mut self, line: &[u8]) -> Result<(), OutputError> {
        match &mut self.kind {
            Kind::Null => Ok(()),
            Kind::Udp(socket) => match send_datagram(socket, line, &mut self.refused) {
                Ok(()) => {
                    self.waiting = 0;
                    Ok(())
                }
                Err(source) => {
                    self.waiting = 1;
                    if is_too_long(&source) {
                        return Err(OutputError::TooLong { to: self.name.clone(), bytes: line.len() });
                    }
                    Err(self.write_error(source))
                }
            },
            _ => {
                self.waiting += 1;
                match self.framing {
                    Framing::Newline => {
                        self.batch.extend_from_slice(line);
                        self.batch.push(b'\n');
                    }
                    Framing::Octet => {
                        crate::encode::value::put_number(line.len() as u64, &mut self.batch);
                        self.batch.push(b' ');
                        self.batch.extend_from_slice(line);
                    }
                }
                if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
            }
        }
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let result = match &mut self.kind {
            Kind::Stdout(w) => w.write_all(&self.batch).and_then(|()| w.flush()),
            Kind::File(w) => w.write_all(&self.batch),
            Kind::Tcp(w) => w.write_all(&self.batch),
            Kind::Tls(w) => w.write_all(&self.batch).and_then(|()| w.flush()),
            Kind::Null | Kind::Udp(_) => Ok(()),
        };
        self.batch.clear();
        match result {
            Ok(()) => {
                self.waiting = 0;
                Ok(())
            }
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Lines that were taken and never written whole: 0 unless writing failed.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Datagrams that came back as refused (nobody listens on the port); others may be lost without a sign.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Looks up again where datagrams go: no receiver ends a connection that there is not.
    pub fn renew(&mut self, target: &Target, dial: &Dial) -> Result<(), OutputError> {
        let (Kind::Udp(socket), Target::Udp(address)) = (&mut self.kind, target) else { return Ok(()) };
        let found = dial.resolve(address)?;
        if socket.peer_addr().is_ok_and(|now| found.contains(&now)) {
            return Ok(());
        }
        *socket = udp(address, &found)?;
        Ok(())
    }

    /// Ends it: everything is written, and a stream receiver has read it all, which it shows by closing too.
    pub fn finish(&mut self) -> Result<(), OutputError> {
        self.flush()?;
        let closed = match &mut self.kind {
            Kind::File(f) => return f.sync_all().map_err(|source| self.write_error(source)),
            Kind::Tcp(s) => s.shutdown(Shutdown::Write).and_then(|()| wait_for_close(s)),
            Kind::Tls(s) => {
                s.conn.send_close_notify();
                s.flush().and_then(|()| s.sock.shutdown(Shutdown::Write)).and_then(|()| wait_for_close(&mut s.sock))
            }
            Kind::Stdout(_) | Kind::Null | Kind::Udp(_) => return Ok(()),
        };
        match closed {
            Ok(true) => Ok(()),
            Ok(false) => Err(OutputError::Unconfirmed { to: self.name.clone(), seconds: FINISH.as_secs() }),
            Err(source) => Err(self.write_error(source)),
        }
    }

    fn write_error(&mut self, source: io::Error) -> OutputError {
        // A receiver that refuses our certificate under TLS 1.3 says so after the handshake; the write only sees a
        // closed connection.
        if let Kind::Tls(s) = &mut self.kind
            && let Some(reason) = tls::pending_refusal(s)
        {
            return OutputError::Handshake { to: self.name.clone(), reason };
        }
        OutputError::Write { to: self.name.clone(), source }
    }
}

/// `Ok(true)` when the peer closed cleanly; a reset is an error, because unread lines may be lost with it.
fn wait_for_close(stream: &mut TcpStream) -> io::Result<bool> {
    let end = Instant::now() + FINISH;
    let mut bytes = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(e) if is_wait(&e) => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The system reports the refusal (ICMP) of an earlier datagram on a later send: it is counted, and this one is sent again.
fn send_datagram(socket: &UdpSocket, line: &[u8], refused: &mut u64) -> io::Result<()> {
    match socket.send(line) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            *refused += 1;
            socket.send(line).map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

/// Whether a datagram was longer than the system or the way takes: EMSGSIZE, which the standard library has no name for.
fn is_too_long(e: &io::Error) -> bool {
    let number = if cfg!(target_os = "linux") {
        90
    } else if cfg!(target_os = "aix") {
        59
    } else {
        // The BSDs and macOS.
        40
    };
    e.raw_os_error() == Some(number)
}

fn udp(address: &Address, to: &[SocketAddr]) -> Result<UdpSocket, OutputError> {
    let error = |source| OutputError::Connect { to: address.to_string(), source };
    let any = if to.first().is_some_and(SocketAddr::is_ipv6) { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).map_err(error)?;
    socket.connect(to).map_err(error)?;
    socket.set_write_timeout(Some(Duration::from_secs(2))).map_err(error)?;
    Ok(socket)
}

/// Its writes wait as long as a receiver may stall.
fn patient(stream: TcpStream, address: &Address) -> Result<TcpStream, OutputError> {
    match stream.set_write_timeout(Some(STALL)) {
        Ok(()) => Ok(stream),
        Err(source) => Err(OutputError::Connect { to: address.to_string(), source }),
    }
}
