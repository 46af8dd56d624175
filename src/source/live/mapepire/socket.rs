//! Frames over a WebSocket under TLS.
use std::io::{self, ErrorKind, Read, Write};

use data_encoding::BASE64;
use tungstenite::{
    ClientRequestBuilder, Error, HandshakeError, Message, WebSocket, handshake::client::ClientHandshake, http::Uri,
    protocol::WebSocketConfig,
};

use super::{Frames, QueryError, ended, read_password};
use crate::net::{
    Address,
    blocking::{self, Dial},
    tls::{client::TlsOptions, pem::Pem, steps::Steps},
    wait::Wait,
};

/// The server's port unless another is given.
pub const PORT: u16 = 8076;
/// The largest frame: the server's own limit is 50 MB.
const MAX_FRAME: usize = 64 << 20;

/// Answers of HTTP that are a refused login, whoever between us and the server gives them.
const REFUSED: [u16; 3] = [401, 403, 407];

/// Where the server is, whom to trust, who we are.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Host and port.
    pub address: Address,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// User profile.
    pub user: String,
    /// File with the password.
    pub password: Pem,
}

/// A connection.
pub struct Socket(WebSocket<Timed>);

/// A stream whose reads and writes end with a wait: a frame, or an answer to the upgrade, that comes byte by byte never lets its
/// reader ask otherwise.
pub struct Timed {
    stream: Steps,
    wait: Wait,
}

impl Read for Timed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.wait.check()?;
        self.stream.read(to)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait.check()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Connects, shakes hands twice, and shows who we are.
pub fn connect(to: &SocketOptions, dial: &Dial) -> Result<Socket, QueryError> {
    let lost = |e: &dyn std::fmt::Display| QueryError::Lost(e.to_string());
    let password = read_password(&to.password).map_err(|e| lost(&e))?;
    let socket = dial.connect(&to.address).map_err(|e| lost(&e))?;
    let stream = blocking::secure(&to.address, &to.tls, socket, &dial.wait()).map_err(|e| lost(&e))?;
    let uri: Uri = format!("wss://{}/db/", to.address).parse().map_err(|e| lost(&e))?;
    let login = BASE64.encode(format!("{}:{password}", to.user).as_bytes());
    let request = ClientRequestBuilder::new(uri).with_header("Authorization", format!("Basic {login}"));
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let wait = dial.wait();
    let stream = Timed { stream: Steps(stream), wait: wait.clone() };
    let request = tungstenite::client::IntoClientRequest::into_client_request(request).map_err(|e| lost(&e))?;
    let mut shaken = ClientHandshake::start(stream, request, Some(config)).map_err(|e| lost(&e))?.handshake();
    loop {
        match shaken {
            Ok((socket, _)) => return Ok(Socket(socket)),
            Err(HandshakeError::Interrupted(goes_on)) => {
                ended(&wait)?;
                shaken = goes_on.handshake();
            }
            Err(HandshakeError::Failure(Error::Http(answer))) if REFUSED.contains(&answer.status().as_u16()) => {
                return Err(QueryError::Refused(format!(
                    "{} answers {}: it takes no user and password of this form (user {:?})",
                    to.address,
                    answer.status(),
                    to.user
                )));
            }
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                return Err(lost(&format!(
                    "{} answers {}: expected a Mapepire server at /db/",
                    to.address,
                    answer.status()
                )));
            }
            Err(HandshakeError::Failure(_)) if dial.stop.is_wished() => return Err(QueryError::Stopped),
            Err(HandshakeError::Failure(e)) => return Err(lost(&format!("{}: {e}", to.address))),
        }
    }
}

/// Whether a call only found nothing to do within its time.
fn waits(e: &Error) -> bool {
    matches!(e, Error::Io(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted))
}

fn gone(e: Error) -> QueryError {
    match e {
        Error::ConnectionClosed | Error::AlreadyClosed => QueryError::Lost("the server has closed".to_owned()),
        Error::Io(e) if e.kind() == ErrorKind::UnexpectedEof => QueryError::Lost("the server has closed".to_owned()),
        other => QueryError::Lost(other.to_string()),
    }
}

impl Frames for Socket {
    fn send(&mut self, frame: &str, wait: &Wait) -> Result<(), QueryError> {
        self.0.get_mut().wait = wait.clone();
        let mut sent = self.0.send(Message::text(frame));
        loop {
            match sent {
                Ok(()) => return Ok(()),
                Err(e) if waits(&e) => ended(wait)?,
                Err(e) => return ended(wait).and(Err(gone(e))),
            }
            sent = self.0.flush();
        }
    }

    fn receive(&mut self, wait: &Wait) -> Result<String, QueryError> {
        self.0.get_mut().wait = wait.clone();
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(text.as_str().to_owned()),
                Ok(Message::Binary(bytes)) => {
                    return String::from_utf8(bytes.to_vec()).map_err(|e| gone(Error::Io(io::Error::other(e))));
                }
                Ok(Message::Close(_)) => return Err(QueryError::Lost("the server has closed".to_owned())),
                Ok(_) => {}
                Err(e) if waits(&e) => {}
                // Of a wait that is over, the wait itself says why.
                Err(e) => return ended(wait).and(Err(gone(e))),
            }
            ended(wait)?;
        }
    }
}
