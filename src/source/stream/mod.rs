//! A socket that a program on the IBM i writes records to as a source. docs/STREAM.md has the protocol, for whoever writes that
//! program: a greeting that says where to go on, records behind their lengths, and numbers that say how many of them are on
//! the disk.
//!
//! One sender at a time; a new connection takes the place of the one before it. What was not acknowledged on a connection is
//! sent again on the next one, so a record is never taken for sent before its batch is stored.
mod accept;
mod handshake;
mod wire;

use std::{io::ErrorKind, path::PathBuf, sync::Arc};

use serde_json::Value;

use self::{
    accept::{Doors, Peer},
    wire::LOOK,
};
use super::{Condition, Feed, FeedError, MOST, Place, Record, Step, chain::JournalPlace};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{
            Heading,
            record::{Framing, MAX_RECORD, Split, split},
        },
    },
    net::Address,
};

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// The longest path of a Unix socket: systems take 107 bytes, of which 14 are for the name under which it is made.
pub const LONGEST_PATH: usize = 93;
/// Bytes of the greeting.
const GREETING: usize = 64;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port.
    Tcp(Address),
    /// A TCP port, under TLS.
    Tls(Address),
    /// A Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Tcp(a) => write!(f, "tcp://{a}"),
            Listen::Tls(a) => write!(f, "tls://{a}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The socket and who may write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Where to listen.
    pub listen: Listen,
    /// Our certificate chain for TLS, PEM.
    pub cert: Option<PathBuf>,
    /// Our private key for TLS, PEM.
    pub key: Option<PathBuf>,
    /// PEM file of the CAs one of which must have signed the certificate that the sender shows.
    pub client_ca: Option<PathBuf>,
    /// Names one of which that certificate must have: a DNS name, an address, or the common name of its subject.
    pub client_names: Option<Vec<String>>,
    /// PEM file of the certificates that the CA has revoked.
    pub client_crl: Option<PathBuf>,
}

/// Says what is durable of the journal: where a sender goes on.
pub type Durable = Box<dyn Fn() -> JournalPlace>;

/// Records from a socket.
pub struct StreamFeed {
    heading: Arc<Heading>,
    job: &'static Charset,
    doors: Doors,
    durable: Durable,
    peer: Option<Peer>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Records of this connection that were handed out, and how many of them it was told are durable.
    taken: u64,
    told: u64,
    /// Reads of this connection wait long.
    patient: bool,
}

impl StreamFeed {
    /// Begins to listen.
    pub fn new(
        options: &StreamOptions,
        heading: Arc<Heading>,
        job: &'static Charset,
        durable: Durable,
    ) -> Result<StreamFeed, FeedError> {
        let doors = Doors::open(options)?;
        let (buffer, start, end, taken, told) = (Vec::new(), 0, 0, 0, 0);
        Ok(StreamFeed { heading, job, doors, durable, peer: None, buffer, start, end, taken, told, patient: false })
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or(&[])
    }

    /// Goes over to a new sender. What the one before it sent and is not whole is dropped: it was never acknowledged.
    fn welcome(&mut self, mut peer: Peer) -> Step<'static> {
        let before = self.peer.take().map_or(String::new(), |p| format!("; it takes the place of {}", p.name));
        (self.start, self.end, self.taken, self.told) = (0, 0, 0, 0);
        let greeting = greeting(&(self.durable)(), self.job);
        let name = peer.name.clone();
        if let Err(e) = peer.wire.tell(&greeting) {
            return Step::Say(format!("{name} cannot be greeted: {e}{before}"));
        }
        self.patient = false;
        self.peer = Some(peer);
        Step::Again(format!("{name} is connected{before}"))
    }

    /// The connection ends; `why` is said with how far it came.
    fn part(&mut self, why: &str) -> Step<'static> {
        let name = self.peer.take().map_or(String::new(), |p| p.name);
        let rest = match self.end - self.start {
            0 => String::new(),
            n => format!("; {n} bytes of a record that is not whole are dropped: it was not acknowledged"),
        };
        (self.start, self.end) = (0, 0);
        Step::Say(format!("{name} {why} after {} records{rest}", self.taken))
    }

    /// Reads more; `None` when something came.
    fn read(&mut self) -> Option<Step<'static>> {
        if let Some(peer) = self.doors.newest() {
            return Some(self.welcome(peer));
        }
        let Some(peer) = &mut self.peer else {
            return match self.doors.wait(MOST) {
                Some(peer) => Some(self.welcome(peer)),
                None => Some(Step::Idle),
            };
        };
        // A sender that owes nothing and is owed nothing is listened to without looking up all the time.
        let patient = self.taken == self.told && self.start == self.end;
        if patient != self.patient && peer.wire.set_patience(if patient { MOST } else { LOOK }).is_ok() {
            self.patient = patient;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
        match peer.wire.read(free) {
            // What it sent is stored and acknowledged first: it may have shut down its side only.
            Ok(0) if self.taken > self.told => Some(Step::Boundary),
            Ok(0) => Some(self.part("has closed")),
            Ok(n) => {
                self.end += n;
                None
            }
            Err(e) => match e.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Some(Step::Idle),
                ErrorKind::UnexpectedEof => Some(self.part("has closed")),
                _ => Some(self.part(&format!("is gone ({e})"))),
            },
        }
    }
}

impl Feed for StreamFeed {
    fn next(&mut self) -> Result<Step<'_>, FeedError> {
        if let Some(refused) = self.doors.refused() {
            return Ok(Step::Say(refused));
        }
        match split(Framing::Stream, self.bytes(), false) {
            Split::Record { bytes, used } => {
                let length = bytes.len();
                let at = self.start + used - length;
                self.start += used;
                self.taken += 1;
                let bytes = self.buffer.get(at..at + length).unwrap_or(&[]);
                return Ok(Step::Record(Record { bytes, heading: &self.heading, offset: self.taken, framed: true }));
            }
            Split::BadLength(got) => {
                let why = format!(
                    "is disconnected: expected the 4-byte length of record {} (1 to {MAX_RECORD}), got {got}",
                    self.taken + 1
                );
                (self.start, self.end) = (0, 0);
                return Ok(self.part(&why));
            }
            _ => {}
        }
        // Nothing whole is there: one read, and what it brought is for the next call.
        Ok(self.read().unwrap_or(Step::Wait))
    }

    fn is_ready(&self) -> bool {
        matches!(split(Framing::Stream, self.bytes(), false), Split::Record { .. })
    }

    fn condition(&self) -> Condition<'_> {
        if self.peer.is_some() { Condition::Reading } else { Condition::Listening }
    }

    fn place(&mut self) -> Result<Place, FeedError> {
        Ok(Place { whole: Value::Null, part: None })
    }

    /// Tells the sender how many of its records are durable.
    fn stored(&mut self, _: i64) -> Result<(), FeedError> {
        let Some(peer) = &mut self.peer else { return Ok(()) };
        if self.taken > self.told {
            self.told = self.taken;
            let told = peer.wire.tell(&self.taken.to_be_bytes());
            if told.is_err() {
                // It sends again what it was not told of; the next read sees that it is gone.
                peer.wire.shut();
            }
        }
        Ok(())
    }
}

/// QAUDJRN1, receiver library, receiver, sequence number in 20 digits; the rest is blank.
fn greeting(durable: &JournalPlace, job: &Charset) -> [u8; GREETING] {
    let mut greeting = [b' '; GREETING];
    let (library, receiver) = (invariant(&durable.library, job), invariant(&durable.receiver, job));
    let text = format!("QAUDJRN1{library:<10.10}{receiver:<10.10}{:020}", durable.sequence);
    for (to, from) in greeting.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    greeting
}

/// A name as CCSID 37 shows its bytes. In other CCSIDs the bytes of `#`, `@` and `$` are letters that ASCII lacks.
fn invariant(name: &str, job: &Charset) -> String {
    let Some(bytes) = job.encode(name) else { return name.replace(|c: char| !c.is_ascii(), "?") };
    let shown = Charset::ebcdic(37).map_or_else(|_| name.to_owned(), |c| c.decode_string(&bytes));
    shown.replace(|c: char| !c.is_ascii_graphic() && c != ' ', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_says_where_to_go_on() {
        let german = Charset::ebcdic(273).unwrap();
        let place = JournalPlace { library: "QGPL".into(), receiver: "AUDRCV0042".into(), sequence: 4711 };
        let text = String::from_utf8(greeting(&place, german).to_vec()).unwrap();
        assert_eq!(text, format!("{:<64}", "QAUDJRN1QGPL      AUDRCV004200000000000000004711"));
        let nothing = String::from_utf8(greeting(&JournalPlace::default(), german).to_vec()).unwrap();
        assert_eq!(nothing, format!("{:<64}", format!("QAUDJRN1{:20}{:020}", "", 0)));
    }

    #[test]
    fn a_greeting_is_ascii_and_keeps_its_columns_whatever_the_ccsid_calls_the_letters() {
        // X'7C' X'7B' X'5B' are @ # $ where IBM names them, and section sign, # and $ in Germany.
        let german = Charset::ebcdic(273).unwrap();
        let library = german.decode_string(&[0x7C, 0x7B, 0x5B, 0xC1]);
        let place = JournalPlace { library, receiver: "\u{20ac}\u{1f512}".into(), sequence: 1 };
        let text = String::from_utf8(greeting(&place, german).to_vec()).unwrap();
        assert_eq!(text, format!("{:<64}", "QAUDJRN1@#$A      ??        00000000000000000001"));
    }
}
