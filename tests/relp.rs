//! RELP sessions with a real rsyslog (imrelp): nothing that is acknowledged is lost, whatever happens to the receiver.
//!
//! rsyslog writes without a queue: otherwise it acknowledges what it has in memory only, and a kill loses that.

use std::{
    collections::BTreeMap,
    future::Future,
    thread::sleep,
    time::{Duration, Instant},
};

use harness::peers::{Kind, Receiver};
use qaudjrn::net::{
    Address,
    connect::Connector,
    tls::{TlsOptions, client},
};
use qaudjrn::output::relp::{DEFAULT_WINDOW, Guard, RelpError, Session};
use qaudjrn::runtime;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const LINES: u64 = 20_000;

fn line(id: u64) -> String {
    let fill = "x".repeat(usize::try_from(id % 300).unwrap());
    format!("<110>1 2026-11-17T10:00:01.000000Z PROD1 qaudjrn - AF-A - line {id} {fill}")
}

/// Runs a test to its end: receivers are started and stopped by calls that wait, and a thread is the test's own.
fn run<T>(test: impl Future<Output = T>) -> T {
    runtime::block_on(test).unwrap()
}

async fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connection");
    stream.set_nodelay(true).unwrap();
    stream
}

async fn open_by(port: u16, timeout: Duration, window: usize) -> Result<Session<TcpStream>, RelpError> {
    Session::open(connect(port).await, Guard::default(), timeout, window).await
}

async fn open(port: u16, window: usize) -> Session<TcpStream> {
    open_by(port, TIMEOUT, window).await.unwrap_or_else(|e| panic!("{e}"))
}

/// Sends the lines from `first` to `last` and closes. Gives how long it took.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(session: &mut Session<S>, first: u64, last: u64) -> Duration {
    let start = Instant::now();
    for id in first..=last {
        session.send(line(id).as_bytes(), id).await.unwrap_or_else(|e| panic!("{e}"));
    }
    session.close(TIMEOUT).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(last), 0));
    start.elapsed()
}

/// Every line once, in order.
fn assert_exact(receiver: Receiver, last: u64) {
    let raw: Vec<String> = receiver.stop().into_iter().map(|record| record.raw).collect();
    assert_eq!(raw.len() as u64, last);
    assert!(raw.into_iter().eq((1..=last).map(line)));
}

#[test]
fn every_line_arrives_once_and_in_order() {
    let receiver = Receiver::start(Kind::RsyslogRelp);
    let took = run(async { send(&mut open(receiver.port, DEFAULT_WINDOW).await, 1, LINES).await });
    println!("{LINES} lines in {took:?}");
    // Everything that is acknowledged is on file: nobody waits for rsyslog here.
    assert_exact(receiver, LINES);
}

#[test]
fn every_window_works() {
    let receiver = Receiver::start(Kind::RsyslogRelp);
    let mut first = 1;
    for window in [1, 2, 3, 1000] {
        run(async { send(&mut open(receiver.port, window).await, first, first + 1499).await });
        first += 1500;
    }
    assert_exact(receiver, first - 1);
}

#[test]
fn every_line_arrives_under_tls() {
    let receiver = Receiver::start(Kind::RsyslogRelpTls);
    let options = TlsOptions {
        ca: Some(receiver.certificates.ca.clone().into()),
        cert: Some(receiver.certificates.client_cert.clone().into()),
        key: Some(receiver.certificates.client_key.clone().into()),
        ..TlsOptions::default()
    };
    let address = Address { host: "localhost".into(), port: receiver.port };
    let took = run(async {
        let dial = Connector { limit: TIMEOUT, ..Connector::default() };
        let stream = client::connect(&address, &options, connect(receiver.port).await, &dial).await;
        let stream = stream.unwrap_or_else(|e| panic!("{e}"));
        let opened = Session::open(stream, Guard::default(), TIMEOUT, DEFAULT_WINDOW).await;
        send(&mut opened.unwrap_or_else(|e| panic!("{e}")), 1, LINES).await
    });
    println!("{LINES} lines in {took:?}");
    assert_exact(receiver, LINES);
}

/// Sends all lines over as many sessions as it takes, the way an agent does: after an error, everything that is not
/// acknowledged once more. Gives how many sessions broke.
async fn send_through(port: u16) -> u64 {
    let (mut done, mut breaks) = (0, 0);
    while done < LINES {
        let Some(mut session) = try_open(port).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let ended = send_all(&mut session, done + 1).await;
        done = session.acknowledged().unwrap_or(done);
        if let Err(error) = ended {
            println!("{error}; {done} are acknowledged");
            assert!(session.unanswered() <= DEFAULT_WINDOW, "{error}");
            breaks += 1;
        }
    }
    assert_eq!(done, LINES);
    breaks
}

async fn send_all(session: &mut Session<TcpStream>, first: u64) -> Result<(), RelpError> {
    for id in first..=LINES {
        session.send(line(id).as_bytes(), id).await?;
    }
    session.close(TIMEOUT).await
}

/// A session, unless the receiver is away.
async fn try_open(port: u16) -> Option<Session<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    Session::open(stream, Guard::default(), TIMEOUT, DEFAULT_WINDOW).await.ok()
}

/// Sends all lines to a receiver that `end` ends and that is started again, each time it has got `every` more: every
/// line arrives, and after each break at most a window of them comes twice.
fn nothing_is_lost(every: usize, end: fn(&mut Receiver)) {
    let mut receiver = Receiver::start(Kind::RsyslogRelp);
    let port = receiver.port;
    let breaks = std::thread::scope(|scope| {
        let sender = scope.spawn(move || run(send_through(port)));
        for next in (every..LINES as usize).step_by(every) {
            // On a busy machine all may have been sent before this thread looks again: `breaks` says whether one was early enough.
            while receiver.count() < next && !sender.is_finished() {
                sleep(Duration::from_millis(1));
            }
            if sender.is_finished() {
                break;
            }
            end(&mut receiver);
            receiver.restart();
        }
        sender.join().expect("sender")
    });
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for record in receiver.stop() {
        *times.entry(record.raw).or_default() += 1;
    }
    if let Some(id) = (1..=LINES).find(|id| !times.contains_key(&line(*id))) {
        panic!("line {id} is lost");
    }
    assert_eq!(times.len() as u64, LINES);
    let twice: u64 = times.values().map(|n| n - 1).sum();
    println!("{twice} lines came twice over {breaks} breaks");
    assert!(breaks > 0 && twice <= breaks * DEFAULT_WINDOW as u64, "{twice} lines came twice over {breaks} breaks");
}

#[test]
fn a_receiver_that_is_killed_loses_nothing_and_gets_at_most_a_window_twice() {
    nothing_is_lost(2_900, Receiver::kill);
}

#[test]
fn a_receiver_that_is_stopped_loses_nothing_and_gets_at_most_a_window_twice() {
    nothing_is_lost(2_900, Receiver::terminate);
}

#[test]
fn a_receiver_that_is_stopped_says_so_to_an_idle_session() {
    let mut receiver = Receiver::start(Kind::RsyslogRelp);
    let error = run(async {
        let mut session = open(receiver.port, DEFAULT_WINDOW).await;
        session.send(line(1).as_bytes(), 1).await.unwrap();
        while session.unanswered() > 0 {
            session.poll(TIMEOUT).await.unwrap();
        }
        assert_eq!(session.poll(Duration::ZERO).await.unwrap(), 0);
        receiver.terminate();
        // Whoever only waits hears of it too.
        session.wait_ready().await.unwrap_err()
    });
    assert!(matches!(error, RelpError::ClosedByServer { unanswered: 0 }), "{error}");
}

#[test]
fn a_receiver_that_hangs_is_noticed_and_nothing_is_lost_when_it_goes_on() {
    let receiver = Receiver::start(Kind::RsyslogRelp);
    let done = run(async {
        let mut session = open_by(receiver.port, Duration::from_millis(300), DEFAULT_WINDOW).await.unwrap();
        receiver.pause();
        let error = send_all(&mut session, 1).await.unwrap_err();
        assert!(matches!(error, RelpError::Silent { unanswered: DEFAULT_WINDOW, .. }), "{error}");
        // It may have gone on for some lines after the signal.
        let done = session.acknowledged().unwrap_or(0);
        receiver.resume();
        send(&mut open(receiver.port, DEFAULT_WINDOW).await, done + 1, done + 500).await;
        done
    });
    let mut raw: Vec<String> = receiver.finish(done as usize + 500, TIMEOUT).into_iter().map(|r| r.raw).collect();
    // What the first session had sent arrives too.
    assert!(raw.len() <= done as usize + 500 + DEFAULT_WINDOW, "{}", raw.len());
    raw.sort();
    raw.dedup();
    assert_eq!(raw.len() as u64, done + 500);
}

#[test]
fn a_port_without_relp_is_told_from_one_with() {
    for kind in [Kind::RsyslogTcp, Kind::RsyslogTls, Kind::RsyslogRelpTls] {
        let receiver = Receiver::start(kind);
        let opened = run(open_by(receiver.port, Duration::from_millis(500), 1));
        let error = opened.map(|_| ()).unwrap_err();
        assert!(matches!(error, RelpError::NotOpened(_)), "{kind:?}: {error}");
        println!("{kind:?}: {error}");
    }
}
