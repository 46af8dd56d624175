//! Frames over a WebSocket under TLS.
use std::io::{self, ErrorKind};

use data_encoding::BASE64;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{ClientRequestBuilder, Error, Message, http::Uri, protocol::WebSocketConfig},
};

use super::{Bound, QueryError, read_password};
use crate::{
    net::{
        Address,
        connect::Connector,
        tls::{
            client::{self, TlsOptions, TlsStream},
            pem::Pem,
        },
    },
    runtime::blocking,
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
pub struct Socket(WebSocketStream<TlsStream>);

impl Socket {
    /// Connects, shakes hands twice, and shows who we are.
    pub async fn connect(to: &SocketOptions, connector: &Connector) -> Result<Socket, QueryError> {
        let lost = |e: &dyn std::fmt::Display| match connector.stop.is_cancelled() {
            true => QueryError::Stopped,
            false => QueryError::Lost(e.to_string()),
        };
        let password = blocking(|| read_password(&to.password)).map_err(|e| lost(&e))?;
        let socket = connector.connect(&to.address).await.map_err(|e| lost(&e))?;
        let stream = client::connect(&to.address, &to.tls, socket, connector).await.map_err(|e| lost(&e))?;
        let uri: Uri = format!("wss://{}/db/", to.address).parse().map_err(|e| lost(&e))?;
        let login = BASE64.encode(format!("{}:{password}", to.user).as_bytes());
        let request = ClientRequestBuilder::new(uri).with_header("Authorization", format!("Basic {login}"));
        let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        let bound = Bound::new(connector.limit, &connector.stop);
        match bound.within(client_async_with_config(request, stream, Some(config))).await? {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(answer)) if REFUSED.contains(&answer.status().as_u16()) => {
                Err(QueryError::Refused(format!(
                    "{} answers {}: it takes no user and password of this form (user {:?})",
                    to.address,
                    answer.status(),
                    to.user
                )))
            }
            Err(Error::Http(answer)) => {
                Err(lost(&format!("{} answers {}: expected a Mapepire server at /db/", to.address, answer.status())))
            }
            Err(e) => Err(lost(&format!("{}: {e}", to.address))),
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &str, bound: &Bound) -> Result<(), QueryError> {
        bound.within(self.0.send(Message::text(frame))).await?.map_err(gone)
    }

    /// The next frame. One that comes byte by byte ends with its time too.
    pub async fn receive(&mut self, bound: &Bound) -> Result<String, QueryError> {
        loop {
            match bound.within(self.0.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => {
                    return String::from_utf8(bytes.to_vec()).map_err(|e| gone(Error::Io(io::Error::other(e))));
                }
                Some(Ok(Message::Close(_))) | None => return Err(gone(Error::ConnectionClosed)),
                Some(Ok(_)) => {}
                Some(Err(e)) => return Err(gone(e)),
            }
        }
    }
}

fn gone(e: Error) -> QueryError {
    match e {
        Error::ConnectionClosed | Error::AlreadyClosed => QueryError::Lost("the server has closed".to_owned()),
        Error::Io(e) if e.kind() == ErrorKind::UnexpectedEof => QueryError::Lost("the server has closed".to_owned()),
        other => QueryError::Lost(other.to_string()),
    }
}
