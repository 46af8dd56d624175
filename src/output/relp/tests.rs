//! A session against a receiver in memory, whose answers take no time, by a clock that stands still unless everybody waits.
mod any_bytes;
mod refusals;
mod session;
mod waits;

use std::{collections::VecDeque, io::Read, mem};

use proptest::prelude::*;

use super::{
    frame::LAST_TRANSACTION,
    state::{after, place},
    *,
};

const OPENED: &str = "200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog";
const SOON: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// A frame that the receiver got: transaction, command, data.
type Got = (u32, String, Vec<u8>);

/// How a receiver answers a frame.
type Answering = fn(&Got) -> String;

/// A receiver that answers every frame at once, as `answer` says, and gives its answers out in pieces.
struct Receiver<F> {
    answer: F,
    got: Vec<Got>,
    /// Bytes written to it that are no frame yet.
    input: Vec<u8>,
    /// Bytes to be read from it.
    output: VecDeque<u8>,
    /// How many bytes a read gives.
    piece: usize,
    /// Nothing more will come: a read gives the end.
    closed: bool,
    /// A write fails.
    broken: bool,
    /// Bytes that it takes before it takes nothing more.
    takes: usize,
}

impl<F: FnMut(&Got) -> String> Receiver<F> {
    fn new(answer: F) -> Receiver<F> {
        Receiver {
            answer,
            got: vec![],
            input: vec![],
            output: VecDeque::new(),
            piece: usize::MAX,
            closed: false,
            broken: false,
            takes: usize::MAX,
        }
    }

    fn say(&mut self, text: &str) {
        self.output.extend(text.bytes());
    }

    /// The data of the lines that came.
    fn lines(&self) -> Vec<&[u8]> {
        self.got.iter().filter(|(_, command, _)| command == "syslog").map(|(_, _, data)| data.as_slice()).collect()
    }

    /// Splits the first frame off what was written; by other means than the session's own.
    fn frame(&mut self) -> Option<Got> {
        let text = String::from_utf8_lossy(&self.input).into_owned();
        let header = text.split([' ', '\n']).take(3).collect::<Vec<_>>();
        let [number, command, length] = header.as_slice() else { return None };
        let at = number.len() + command.len() + length.len() + 2;
        let length: usize = length.parse().ok()?;
        let start = at + usize::from(length > 0);
        let data = self.input.get(start..start + length)?.to_vec();
        assert_eq!(self.input.get(start + length)?, &b'\n', "{text:?}");
        let got = (number.parse().unwrap(), command.to_string(), data);
        self.input.drain(..=start + length);
        Some(got)
    }
}

impl<F: FnMut(&Got) -> String + Unpin> AsyncWrite for Receiver<F> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = bytes.len().min(self.takes);
        if taken == 0 {
            return Poll::Pending;
        }
        self.takes -= taken;
        self.input.extend_from_slice(&bytes[..taken]);
        while let Some(got) = self.frame() {
            let answer = (self.answer)(&got);
            self.say(&answer);
            self.got.push(got);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<F: Unpin> AsyncRead for Receiver<F> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Nobody wakes who waits: what it says is there before anybody reads, or never.
        if self.output.is_empty() && !self.closed {
            return Poll::Pending;
        }
        let most = bytes.remaining().min(self.piece);
        let read = self.output.read(bytes.initialize_unfilled_to(most))?;
        bytes.advance(read);
        Poll::Ready(Ok(()))
    }
}

fn rsp(transaction: u32, data: &str) -> String {
    match data.len() {
        0 => format!("{transaction} rsp 0\n"),
        length => format!("{transaction} rsp {length} {data}\n"),
    }
}

/// What librelp answers.
fn librelp((transaction, command, _): &Got) -> String {
    match command.as_str() {
        "open" => rsp(*transaction, OPENED),
        "syslog" => rsp(*transaction, "200 OK"),
        _ => rsp(*transaction, "") + "0 serverclose 0\n",
    }
}

/// Answers `open` and `close` as librelp does, and nothing else.
fn mute(got: &Got) -> String {
    if got.1 == "syslog" { String::new() } else { librelp(got) }
}

async fn open<F: FnMut(&Got) -> String + Unpin>(answer: F, window: usize) -> Session<Receiver<F>> {
    let opened = Session::open(Receiver::new(answer), Guard::default(), SOON, window).await;
    opened.unwrap_or_else(|e| panic!("{e}"))
}

/// A session with the lines 1 to `count` sent to a receiver that answers none of them: their transactions are 2 and on.
async fn waiting(count: u64) -> Session<Receiver<Answering>> {
    let mut session = open(mute as Answering, DEFAULT_WINDOW).await;
    for id in 1..=count {
        session.send(b"x", id).await.unwrap();
    }
    session.flush().await.unwrap();
    session
}

/// What `open` says when the receiver answers it so.
async fn refusal(answer: &str) -> RelpError {
    let receiver = Receiver::new(|_: &Got| answer.to_string());
    Session::open(receiver, Guard::default(), SOON, 1).await.map(|_| ()).unwrap_err()
}

/// A session without a connection, with the lines 1 to `count` sent and none answered.
fn sent_to(count: u64) -> RelpCore {
    let now = Instant::now();
    let mut core = RelpCore::new(LONG, DEFAULT_WINDOW, now).unwrap();
    core.wrote(core.outgoing().len(), now);
    assert_eq!(core.hear(rsp(1, OPENED).as_bytes(), now).unwrap(), 1);
    for id in 1..=count {
        assert!(core.offer(b"x", id).unwrap());
    }
    core.wrote(core.outgoing().len(), now);
    assert_eq!((core.unanswered() as u64, core.outgoing().len()), (count, 0));
    core
}
