//! Streams over real sockets.
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;
use crate::net::Address;

const SOON: Duration = Duration::from_secs(20);

/// An open stream, what ends it, and its receiver.
async fn connected() -> (TcpConnection, CancellationToken, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let connector = Connector::default();
    let target = Target::Tcp(address);
    let tls = TlsOptions::default();
    let opened = TcpConnection::open(&target, Framing::Newline, &tls, &connector);
    let (stream, accepted) = tokio::join!(opened, listener.accept());
    (stream.unwrap_or_else(|e| panic!("{e}")), connector.end, accepted.unwrap().0)
}

/// Waits until something stirs, which it does.
async fn stirs(stream: &TcpConnection, ends: bool) {
    assert!(timeout(SOON, stream.wait_ready(ends)).await.is_ok(), "nothing stirs");
}

#[tokio::test]
async fn a_close_stirs_an_idle_connection_and_is_an_error_before_the_next_write() {
    for (says, expected) in [
        ("", "the receiver has closed"),
        ("HTTP/1.1 400 Bad Request\r\n", "as a web server does (HTTP)"),
        ("hello\n", "the receiver has closed"),
    ] {
        let (mut stream, _, mut peer) = connected().await;
        assert!(timeout(Duration::from_millis(50), stream.wait_ready(false)).await.is_err(), "it is idle");
        peer.write_all(says.as_bytes()).await.unwrap();
        drop(peer);
        stream.take(b"one");
        let error = loop {
            stirs(&stream, false).await;
            match stream.check_peer().await {
                Ok(()) => {}
                Err(e) => break e.to_string(),
            }
        };
        assert!(error.contains(expected), "{error}");
        assert_eq!((stream.written(), stream.has_answered()), (0, says.starts_with("hello")));
    }
}

#[tokio::test]
async fn what_a_receiver_does_not_take_is_gone_on_with_when_it_reads_and_only_its_system_acknowledges() {
    let (mut stream, _, mut peer) = connected().await;
    let line = vec![b'x'; 1 << 20];
    let mut taken = 0;
    while stream.flush().await.unwrap() == FlushStatus::All {
        stream.take(&line);
        taken += 1;
        assert!(taken < 1_000, "it takes everything");
    }
    assert!(stream.outstanding().is_some() && stream.written() < taken);
    let (before, is_linux) = (stream.acknowledged(), cfg!(all(target_os = "linux", target_endian = "little")));
    assert!(!is_linux || before < taken, "{before} of {taken}");
    let reader = tokio::spawn(async move {
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).await.unwrap();
        bytes.len()
    });
    while stream.flush().await.unwrap() == FlushStatus::Stalled {
        stirs(&stream, false).await;
    }
    assert_eq!(stream.written(), taken);
    while stream.acknowledged() < taken {
        tokio::time::sleep(ASK).await;
    }
    assert!(stream.outstanding().is_none() || !is_linux);
    while !stream.finish().await.unwrap() {
        stirs(&stream, true).await;
    }
    assert_eq!(reader.await.unwrap() as u64, taken * ((1 << 20) + 1));
}

#[tokio::test]
async fn a_receiver_that_closes_before_our_side_is_closed_has_not_read_everything() {
    let (mut stream, _, peer) = connected().await;
    stream.take(b"one");
    assert_eq!(stream.flush().await.unwrap(), FlushStatus::All);
    drop(peer);
    let error = loop {
        match stream.finish().await {
            Ok(finished) => assert!(!finished && !stream.is_shut()),
            Err(e) => break e.to_string(),
        }
        stirs(&stream, true).await;
    };
    assert!(error.contains("closed") || error.contains("reset"), "{error}");
}

#[tokio::test]
async fn the_end_of_the_agent_stirs_and_ends_it() {
    let (mut stream, end, _peer) = connected().await;
    stream.take(b"one");
    assert_eq!(stream.flush().await.unwrap(), FlushStatus::All);
    end.cancel();
    stirs(&stream, true).await;
    let error = stream.finish().await.unwrap_err().to_string();
    assert!(error.contains("given up, because the agent stops"), "{error}");
}
