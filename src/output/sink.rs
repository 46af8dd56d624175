//! One open output: takes lines, frames them, writes them, by calls that wait.
use std::{
    io::{self, Write},
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, timeout_at},
};

use super::{
    OutputError, Target,
    file::{Durability, LineFile},
    tcp::{FlushStatus, TcpConnection},
};
use crate::net::{Address, ConnectError, connect::Connector, tls::client::TlsOptions};

/// How lines follow one another on a stream (RFC 6587).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// A line feed behind every line; encoders never write one inside.
    Newline,
    /// The length in bytes and a blank before every line (RFC 5425 asks for it).
    Octet,
}

impl Framing {
    /// Appends a line, framed.
    #[inline]
    pub fn put(self, line: &[u8], out: &mut Vec<u8>) {
        match self {
            Framing::Newline => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            Framing::Octet => {
                crate::encode::value::put_number(line.len() as u64, out);
                out.push(b' ');
                out.extend_from_slice(line);
            }
        }
    }
}

/// Lines are gathered to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// How long a write may block before the receiver counts as gone.
const STALL: Duration = Duration::from_secs(600);
/// How long the receiver may take to read the rest and close.
const FINISH: Duration = Duration::from_secs(30);
/// How long the refusal of the last datagram is waited for.
const REFUSAL: Duration = Duration::from_millis(100);

enum Kind {
    Stdout(io::Stdout),
    Null,
    File(Box<LineFile>),
    Udp(UdpSocket),
    /// With the runtime that its socket is of.
    Tcp(Box<TcpConnection>, Runtime),
}

/// An open output.
pub struct Sink {
    kind: Kind,
    name: String,
    framing: Framing,
    batch: Vec<u8>,
    /// Lines in the batch: taken, not yet written.
    unwritten_lines: u64,
    /// Datagrams that the receiver's host refused.
    refused: u64,
}

impl Sink {
    /// Opens it: connects, shakes hands. To be called outside of a runtime.
    pub fn open(target: &Target, framing: Framing, tls: &TlsOptions) -> Result<Sink, OutputError> {
        let Some(address) = target.has_address() else { return Sink::open_at(target, framing, &[]) };
        let unreachable = |source| ConnectError::Unreachable { to: address.to_string(), source };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(unreachable)?;
        let connector = Connector::default();
        match target {
            Target::Tcp(_) | Target::Tls(_) => {
                let stream = runtime.block_on(TcpConnection::open(target, framing, tls, &connector))?;
                Ok(Sink::new(Kind::Tcp(Box::new(stream), runtime), target.to_string(), framing))
            }
            Target::Udp(a) => Sink::open_at(target, framing, &runtime.block_on(connector.resolve(a))?),
            _ => Sink::open_at(target, framing, &[]),
        }
    }

    /// Opens what has no connection; datagrams go to the first of the addresses that takes them.
    pub fn open_at(target: &Target, framing: Framing, to: &[SocketAddr]) -> Result<Sink, OutputError> {
        let (kind, name) = match target {
            Target::Stdout => (Kind::Stdout(io::stdout()), "standard output".to_owned()),
            Target::Null => (Kind::Null, "null".to_owned()),
            Target::File(path) => (Kind::File(Box::new(LineFile::open(path, framing)?)), path.display().to_string()),
            Target::Udp(a) => (Kind::Udp(udp(a, to)?), target.to_string()),
            Target::Tcp(_) | Target::Tls(_) => return Err(OutputError::Address("not a stream".into())),
            Target::Relp(a) | Target::RelpTls(a) => return Err(OutputError::RelpForRun(a.to_string())),
        };
        Ok(Sink::new(kind, name, framing))
    }

    fn new(kind: Kind, name: String, framing: Framing) -> Sink {
        Sink { kind, name, framing, batch: Vec::with_capacity(BATCH + (16 << 10)), unwritten_lines: 0, refused: 0 }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes one line, which has no line end, and writes when enough is gathered.
    #[inline]
    pub fn send(&mut self, line: &[u8]) -> Result<(), OutputError> {
        self.take(line)?;
        if self.is_full() { self.flush() } else { Ok(()) }
    }

    /// Whether enough is gathered for a write.
    #[inline]
    pub fn is_full(&self) -> bool {
        match &self.kind {
            Kind::Tcp(stream, _) => stream.is_full(),
            _ => self.batch.len() >= BATCH,
        }
    }

    /// Takes one line, which has no line end. It is sent at once by UDP, with the next flush by others.
    #[inline]
    pub fn take(&mut self, line: &[u8]) -> Result<(), OutputError> {
        match &mut self.kind {
            Kind::Null => Ok(()),
            Kind::Udp(socket) => match send_datagram(socket, line, &mut self.refused) {
                Ok(()) => {
                    self.unwritten_lines = 0;
                    Ok(())
                }
                Err(source) => {
                    self.unwritten_lines = 1;
                    if is_too_long(&source) {
                        return Err(OutputError::TooLong { to: self.name.clone(), bytes: line.len() });
                    }
                    Err(self.write_error(source))
                }
            },
            Kind::Tcp(stream, _) => {
                self.unwritten_lines += 1;
                stream.take(line);
                Ok(())
            }
            Kind::Stdout(_) | Kind::File(_) => {
                self.unwritten_lines += 1;
                self.framing.put(line, &mut self.batch);
                Ok(())
            }
        }
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        if self.unwritten_lines == 0 {
            return Ok(());
        }
        let result = match &mut self.kind {
            Kind::Stdout(w) => w.write_all(&self.batch).and_then(|()| w.flush()),
            Kind::File(file) => file.write(&self.batch).map_err(|(whole, e)| {
                // Lines before the failure are there.
                let rest = self.batch.get(whole..).unwrap_or_default();
                self.unwritten_lines = lines(self.framing, rest).min(self.unwritten_lines);
                e
            }),
            Kind::Tcp(stream, runtime) => {
                runtime.block_on(insist(stream))?;
                Ok(())
            }
            Kind::Null | Kind::Udp(_) => Ok(()),
        };
        self.batch.clear();
        match result {
            Ok(()) => {
                self.unwritten_lines = 0;
                Ok(())
            }
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Lines that were taken and never written whole: 0 unless writing failed.
    pub fn unwritten_lines(&self) -> u64 {
        self.unwritten_lines
    }

    /// Datagrams that came back as refused (nobody listens on the port); others may be lost without a sign.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What the receiver said, which no receiver of syslog does; once.
    pub fn note(&mut self) -> Option<String> {
        match &mut self.kind {
            Kind::Tcp(stream, _) => stream.note(),
            _ => None,
        }
    }

    /// Datagrams go to these addresses of their receiver from now on: no receiver ends a connection that there is not.
    pub fn re_resolve(&mut self, address: &Address, found: &[SocketAddr]) -> Result<(), OutputError> {
        let Kind::Udp(socket) = &mut self.kind else { return Ok(()) };
        if socket.peer_addr().is_ok_and(|now| found.contains(&now)) {
            return Ok(());
        }
        *socket = udp(address, found)?;
        Ok(())
    }

    /// What lines are that were written, after everything is made as safe as it gets.
    pub fn sync(&mut self) -> Result<Durability, OutputError> {
        match &mut self.kind {
            Kind::File(file) => match file.sync() {
                Ok(durability) => Ok(durability),
                Err(source) => Err(self.write_error(source)),
            },
            _ => Ok(Durability::PageCache),
        }
    }

    /// Whether lines were written that are not on the disk yet.
    pub fn is_dirty(&self) -> bool {
        matches!(&self.kind, Kind::File(file) if file.is_dirty())
    }

    /// Looks whether a file goes by another name, and whether a datagram was refused.
    pub fn look(&mut self) -> Result<(), OutputError> {
        match &mut self.kind {
            Kind::File(file) => {
                if let Err(source) = file.renew() {
                    return Err(self.write_error(source));
                }
            }
            Kind::Udp(socket) => {
                // Asking takes it away: the next datagram need not be sent twice.
                self.refused += u64::from(matches!(socket.take_error(), Ok(Some(e)) if is_refusal(&e)));
            }
            Kind::Stdout(_) | Kind::Null | Kind::Tcp(..) => {}
        }
        Ok(())
    }

    /// How often a file was begun anew, because another went by its name.
    pub fn renewed(&self) -> u64 {
        match &self.kind {
            Kind::File(file) => file.renewed(),
            _ => 0,
        }
    }

    /// Ends it: everything is written, and a stream receiver has read it all, which it shows by closing too.
    pub fn finish(&mut self) -> Result<(), OutputError> {
        self.flush()?;
        match &mut self.kind {
            Kind::File(_) => self.sync().map(|_| ()),
            Kind::Udp(socket) => {
                let waits = socket.set_read_timeout(Some(REFUSAL)).and_then(|()| socket.recv(&mut [0; 16]));
                self.refused += u64::from(matches!(waits, Err(e) if is_refusal(&e)));
                Ok(())
            }
            Kind::Tcp(stream, runtime) => {
                if runtime.block_on(finish(stream))? {
                    return Ok(());
                }
                Err(OutputError::Unconfirmed { to: self.name.clone(), seconds: FINISH.as_secs() })
            }
            Kind::Stdout(_) | Kind::Null => Ok(()),
        }
    }

    fn write_error(&self, source: io::Error) -> OutputError {
        OutputError::Write { to: self.name.clone(), source }
    }
}

/// Writes everything, however often the receiver takes no more, up to [`STALL`].
async fn insist(stream: &mut TcpConnection) -> Result<(), OutputError> {
    let (mut since, mut at) = (Instant::now(), stream.progress());
    while stream.flush().await? == FlushStatus::Stalled {
        if stream.progress() != at {
            (since, at) = (Instant::now(), stream.progress());
        } else if since.elapsed() >= STALL {
            return Err(stream.stall_error(STALL));
        }
        if timeout_at(since + STALL, stream.wait_ready(false)).await.is_ok() {
            stream.check_peer().await?;
        }
    }
    Ok(())
}

/// Ends a connection; whether the receiver closed within its time.
async fn finish(stream: &mut TcpConnection) -> Result<bool, OutputError> {
    let end = Instant::now() + FINISH;
    while !stream.finish().await? {
        if Instant::now() >= end {
            return Ok(false);
        }
        let _ = timeout_at(end, stream.wait_ready(true)).await;
    }
    Ok(true)
}

/// How many lines a piece of a batch holds; it begins with a whole one.
fn lines(framing: Framing, bytes: &[u8]) -> u64 {
    match framing {
        Framing::Newline => memchr::memchr_iter(b'\n', bytes).count() as u64,
        Framing::Octet => super::file::frames(bytes).0,
    }
}

fn is_refusal(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::ConnectionRefused
}

/// The system reports the refusal (ICMP) of an earlier datagram on a later send: it is counted, and this one is sent again.
fn send_datagram(socket: &UdpSocket, line: &[u8], refused: &mut u64) -> io::Result<()> {
    match socket.send(line) {
        Err(e) if is_refusal(&e) => {
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
    let error = |source| ConnectError::Unreachable { to: address.to_string(), source };
    let any = if to.first().is_some_and(SocketAddr::is_ipv6) { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).map_err(error)?;
    socket.connect(to).map_err(error)?;
    socket.set_write_timeout(Some(Duration::from_secs(2))).map_err(error)?;
    Ok(socket)
}
