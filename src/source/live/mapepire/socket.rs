//! Frames over a WebSocket under TLS.
use std::io::{self, ErrorKind};

use data_encoding::BASE64;
use tungstenite::{
    ClientRequestBuilder, Error, HandshakeError, Message, WebSocket, handshake::client::ClientHandshake, http::Uri,
    protocol::WebSocketConfig,
};

use super::{Frames, QueryError, read_password};
use crate::output::{
    Address,
    dial::Dial,
    pem::Pem,
    tls::{self, TlsOptions, TlsStream},
    wait::Wait,
};

/// The server's port unless another is given.
pub const PORT: u16 = 8076;
/// The largest frame: the server's own limit is 50 MB.
const MAX_FRAME: usize = 64 << 20;

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
pub struct Socket(WebSocket<TlsStream>);

/// Connects, shakes hands twice, and shows who we are.
pub fn connect(to: &SocketOptions, dial: &Dial) -> Result<Socket, QueryError> {
    let lost = |e: &dyn std::fmt::Display| QueryError::Lost(e.to_string());
    let password = read_password(&to.password).map_err(|e| lost(&e))?;
    let socket = dial.connect(&to.address).map_err(|e| lost(&e))?;
    let stream = tls::connect(&to.address, &to.tls, socket, &dial.wait()).map_err(|e| lost(&e))?;
    let uri: Uri = format!("wss://{}/db/", to.address).parse().map_err(|e| lost(&e))?;
    let login = BASE64.encode(format!("{}:{password}", to.user).as_bytes());
    let request = ClientRequestBuilder::new(uri).with_header("Authorization", format!("Basic {login}"));
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let wait = dial.wait();
    let request = tungstenite::client::IntoClientRequest::into_client_request(request).map_err(|e| lost(&e))?;
    let mut shaken = ClientHandshake::start(stream, request, Some(config)).map_err(|e| lost(&e))?.handshake();
    loop {
        match shaken {
            Ok((socket, _)) => return Ok(Socket(socket)),
            Err(HandshakeError::Interrupted(goes_on)) => {
                check(&wait)?;
                shaken = goes_on.handshake();
            }
            Err(HandshakeError::Failure(Error::Http(answer))) if answer.status() == 403 => {
                return Err(QueryError::Refused(format!(
                    "{} answers 403: it takes no user and password of this form (user {:?})",
                    to.address, to.user
                )));
            }
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                return Err(lost(&format!(
                    "{} answers {}: expected a Mapepire server at /db/",
                    to.address,
                    answer.status()
                )));
            }
            Err(HandshakeError::Failure(e)) => return Err(lost(&format!("{}: {e}", to.address))),
        }
    }
}

fn check(wait: &Wait) -> Result<(), QueryError> {
    wait.check().map_err(|e| match e.kind() {
        ErrorKind::TimedOut => QueryError::Lost(e.to_string()),
        _ => QueryError::Stopped,
    })
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
        let mut sent = self.0.send(Message::text(frame));
        loop {
            match sent {
                Ok(()) => return Ok(()),
                Err(e) if waits(&e) => check(wait)?,
                Err(e) => return Err(gone(e)),
            }
            sent = self.0.flush();
        }
    }

    fn receive(&mut self, wait: &Wait) -> Result<String, QueryError> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(text.as_str().to_owned()),
                Ok(Message::Binary(bytes)) => {
                    return String::from_utf8(bytes.to_vec()).map_err(|e| gone(Error::Io(io::Error::other(e))));
                }
                Ok(Message::Close(_)) => return Err(QueryError::Lost("the server has closed".to_owned())),
                Ok(_) => {}
                Err(e) if waits(&e) => {}
                Err(e) => return Err(gone(e)),
            }
            check(wait)?;
        }
    }
}
