//! One line over a connection that is open, and its end in good order: what is known of the line then, in words.
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::output::{OutputError, connection::Connection, tcp::FlushStatus};

/// How long a peer is listened to that should have nothing to say, and the refusal of a datagram is waited for.
const WORD: Duration = Duration::from_millis(300);
/// How long a receiver may take to close behind our end.
const PARTING: Duration = Duration::from_secs(3);

/// Sends a line where there is one, and ends the connection.
pub async fn send(mut connection: Connection, line: Option<&[u8]>, limit: Duration) -> Result<String, OutputError> {
    listen(&mut connection).await?;
    if let Some(line) = line {
        connection.make_room().await?;
        connection.take(line)?;
        while connection.flush().await? == FlushStatus::Stalled {
            connection.wait_ready().await?;
            connection.check_peer().await?;
        }
    }
    let is_sent = line.is_some();
    if connection.may_lose() {
        return datagram(connection, is_sent).await;
    }
    let is_stream = matches!(connection, Connection::Tcp(_));
    if !is_stream {
        connection.finish(limit).await?;
        return Ok(match connection {
            Connection::Relp(..) if is_sent => "the test event was acknowledged",
            Connection::Relp(..) => "a RELP session was opened and closed",
            _ if is_sent => "the test event is written, and on the disk",
            _ => "it was opened and closed",
        }
        .to_owned());
    }
    let (closed, acknowledged) = end(&mut connection).await?;
    if connection.has_answered() {
        let said = connection.take_messages().join("; ");
        return Ok(format!("it was connected, but {said}"));
    }
    Ok(match (is_sent, closed, acknowledged) {
        (false, ..) => "nothing was sent",
        (true, true, _) => "the test event is written, and the receiver has closed behind it: it has read it",
        (true, false, true) => {
            "the test event is written, and the receiver's system has acknowledged it; whether the receiver read it nobody says over TCP"
        }
        (true, false, false) => "the test event is written; the receiver's system has not acknowledged it within 3 s",
    }
    .to_owned())
}

/// A peer that speaks first, or closes at once, is no receiver.
async fn listen(connection: &mut Connection) -> Result<(), OutputError> {
    if !matches!(connection, Connection::Tcp(_)) {
        return Ok(());
    }
    if let Ok(ready) = tokio::time::timeout(WORD, connection.wait_ready()).await {
        ready?;
        connection.check_peer().await?;
    }
    Ok(())
}

async fn datagram(mut connection: Connection, is_sent: bool) -> Result<String, OutputError> {
    if !is_sent {
        return Ok(
            "nothing was sent, so nobody knows whether somebody listens there (--send-test sends one event)".to_owned()
        );
    }
    // The refusal of a datagram comes when it likes, and nothing tells of it.
    sleep(WORD).await;
    connection.check_peer().await?;
    if connection.refused() > 0 {
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        return Err(OutputError::Write { to: "the address: nobody listens there".to_owned(), source });
    }
    Ok("the test event is sent; nobody can say whether it arrived: over UDP nothing answers".to_owned())
}

/// Ends a stream: whether the receiver closed too, and whether its system has everything.
async fn end(connection: &mut Connection) -> Result<(bool, bool), OutputError> {
    let end = Instant::now() + PARTING;
    let mut closed = false;
    while !closed && Instant::now() < end {
        closed = connection.finish(PARTING).await?;
        if !closed && timeout_at(end, connection.wait_ready_to_close()).await.is_err() {
            break;
        }
    }
    let acknowledged = match connection {
        Connection::Tcp(stream) => stream.acknowledged() >= stream.written(),
        Connection::Relp(..) | Connection::Sink(_) => true,
    };
    Ok((closed, acknowledged))
}
