//! A session against a receiver in memory, whose answers take no time, by a clock that stands still unless everybody waits.
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

#[tokio::test(start_paused = true)]
async fn every_line_arrives_and_is_acknowledged() {
    let mut session = open(librelp, DEFAULT_WINDOW).await;
    let lines: Vec<Vec<u8>> = (0..1000).map(|n| format!("line {n}").into_bytes()).collect();
    for (line, id) in lines.iter().zip(5000..) {
        session.send(line, id).await.unwrap();
    }
    session.close(LONG).await.unwrap();
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(5999), 0));
    assert_eq!(session.stream.lines(), lines);
    let numbers: Vec<u32> = session.stream.got.iter().map(|got| got.0).collect();
    assert_eq!(numbers, (1..=1002).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_session_opens_with_the_offers_of_the_specification() {
    let session = open(librelp, 1).await;
    let (number, command, data) = session.stream.got.first().unwrap().clone();
    let offers = format!("relp_version=0\nrelp_software=qaudjrn,{}\ncommands=syslog", env!("CARGO_PKG_VERSION"));
    assert_eq!((number, command.as_str(), data), (1, "open", offers.into_bytes()));
}

#[tokio::test(start_paused = true)]
async fn a_line_may_have_any_bytes_and_none() {
    let mut session = open(librelp, 2).await;
    let lines = [b"".as_slice(), b"a\nb\n", b"\n", b"2 rsp 6 200 OK\n", &[0, 255, 10, 13], &[b'x'; 200_000]];
    for (line, id) in lines.iter().zip(1..) {
        session.send(line, id).await.unwrap();
    }
    session.close(LONG).await.unwrap();
    assert_eq!(session.stream.lines(), lines);
    assert_eq!(session.acknowledged(), Some(6));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_its_answer() {
    let mut session = waiting(3).await;
    assert_eq!((session.acknowledged(), session.unanswered()), (None, 3));
    assert_eq!(session.poll(Duration::ZERO).await.unwrap(), 0);
    session.stream.say("2 rsp 6 200 OK\n3 rsp 6 200 OK\n");
    assert_eq!(session.poll(LONG).await.unwrap(), 2);
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(2), 1));
}

#[tokio::test(start_paused = true)]
async fn answers_out_of_order_count_when_those_before_have_come() {
    let mut session = waiting(4).await;
    for (answer, acknowledged, unanswered) in
        [("5 rsp 3 200\n", None, 4), ("3 rsp 6 200 OK\n", None, 4), ("2 rsp 6 200 OK\n", Some(2), 2)]
    {
        session.stream.say(answer);
        assert_eq!(session.poll(LONG).await.unwrap(), 1);
        assert_eq!((session.acknowledged(), session.unanswered()), (acknowledged, unanswered));
    }
    session.stream.say("4 rsp 6 200 OK\n");
    session.close(LONG).await.unwrap();
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(4), 0));
}

#[tokio::test(start_paused = true)]
async fn answers_split_at_every_byte_are_understood() {
    for piece in 1..40 {
        let mut receiver = Receiver::new(librelp);
        receiver.piece = piece;
        let mut session = Session::open(receiver, Guard::default(), SOON, 7).await.unwrap_or_else(|e| panic!("{e}"));
        for id in 1..=20 {
            session.send(b"a\nb", id).await.unwrap();
        }
        session.close(LONG).await.unwrap();
        assert_eq!(session.acknowledged(), Some(20), "{piece}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_window_waits_for_answers_and_no_more_than_the_window_is_sent() {
    // Answers the oldest line only when the window is full.
    let mut waiting = VecDeque::new();
    let answer = |got: &Got| {
        if got.1 != "syslog" {
            return waiting.drain(..).map(|n| rsp(n, "200 OK")).collect::<String>() + &librelp(got);
        }
        waiting.push_back(got.0);
        assert!(waiting.len() <= 3, "{waiting:?}");
        if waiting.len() == 3 { rsp(waiting.pop_front().unwrap(), "200 OK") } else { String::new() }
    };
    let mut session = open(answer, 3).await;
    for id in 1..=50 {
        session.send(b"x", id).await.unwrap();
        assert!(session.unanswered() <= 3);
    }
    session.close(LONG).await.unwrap();
    assert_eq!(session.acknowledged(), Some(50));
}

#[tokio::test(start_paused = true)]
async fn a_full_window_without_an_answer_is_an_error_after_the_timeout() {
    let mut session = waiting(DEFAULT_WINDOW as u64).await;
    let start = Instant::now();
    let error = session.send(b"x", 129).await.unwrap_err();
    assert!(matches!(error, RelpError::Silent { unanswered: 128, .. }), "{error}");
    assert_eq!(error.to_string(), format!("no answer within {} s, 128 lines have no answer", SOON.as_secs_f64()));
    assert!(start.elapsed() < LONG / 4);
    assert!(matches!(session.send(b"x", 129).await, Err(RelpError::Ended)));
    assert!(matches!(session.flush().await, Err(RelpError::Ended)));
    assert!(matches!(session.poll(LONG).await, Err(RelpError::Ended)));
    assert!(matches!(session.close(LONG).await, Err(RelpError::Ended)));
    assert_eq!((session.acknowledged(), session.unanswered()), (None, 128));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_owes_answers_for_too_long_is_noticed_when_polled_and_an_idle_one_is_not() {
    let mut session = waiting(1).await;
    assert_eq!(session.poll(Duration::ZERO).await.unwrap(), 0);
    assert!(matches!(session.poll(LONG).await, Err(RelpError::Silent { unanswered: 1, .. })));
    let mut session = open(mute, 1).await;
    assert_eq!(session.poll(SOON * 2).await.unwrap(), 0);
    // The time counts from when the line is written.
    session.send(b"x", 1).await.unwrap();
    assert_eq!(session.poll(Duration::ZERO).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn hints_that_are_not_known_neither_end_a_session_nor_count_as_answers() {
    let mut session = waiting(1).await;
    session.stream.say("0 weather 4 rain\n0 weather 0\n2 rsp 6 200 OK\n0 rainbow 0\n");
    assert_eq!(session.poll(LONG).await.unwrap(), 1);
    assert_eq!(session.acknowledged(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn another_answer_than_200_is_an_error_that_names_it() {
    let mut session = waiting(3).await;
    session.stream.say("2 rsp 6 200 OK\n3 rsp 13 500 no\x1b space\n4 rsp 6 200 OK\n");
    let error = session.poll(LONG).await.unwrap_err();
    assert_eq!(error.to_string(), r"the receiver refused line 2: 500 no\x1b space");
    assert!(matches!(error, RelpError::Refused { id: 2, code: 500, .. }));
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_closes_leaves_what_is_to_be_sent_again() {
    let mut session = waiting(3).await;
    session.stream.say("2 rsp 6 200 OK\n0 serverclose 0\n");
    let error = session.poll(LONG).await.unwrap_err();
    assert!(matches!(error, RelpError::ClosedByServer { unanswered: 2 }), "{error}");
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));

    let mut session = waiting(3).await;
    session.stream.say("2 rsp 6 200 OK\n");
    session.stream.closed = true;
    assert_eq!(session.poll(LONG).await.unwrap(), 1);
    assert!(matches!(session.poll(LONG).await, Err(RelpError::Disconnected { unanswered: 2 })));
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_still_takes_the_answers_that_had_come() {
    for (last, closed) in [("", false), ("0 serverclose 0\n", true)] {
        let mut session = waiting(2).await;
        session.stream.say(&format!("2 rsp 6 200 OK\n{last}"));
        session.stream.broken = true;
        session.send(b"x", 3).await.unwrap();
        let error = session.flush().await.unwrap_err();
        assert_eq!(matches!(error, RelpError::ClosedByServer { unanswered: 2 }), closed, "{error}");
        assert_eq!(matches!(error, RelpError::Write { unanswered: 2, .. }), !closed, "{error}");
        assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_fails_unless_every_line_is_answered() {
    // Answers close, but not the line.
    let mut session = waiting(1).await;
    let error = session.close(LONG).await.unwrap_err();
    assert!(matches!(error, RelpError::ClosedByServer { unanswered: 1 }), "{error}");
    // Neither.
    let mut session = open(|got: &Got| if got.1 == "open" { librelp(got) } else { String::new() }, 1).await;
    session.send(b"x", 1).await.unwrap();
    assert!(matches!(session.close(SOON).await, Err(RelpError::Silent { unanswered: 1, .. })));
    // Goes away after the line.
    for last in ["", "0 serverclose 0\n"] {
        let answer = move |got: &Got| if got.1 == "close" { last.into() } else { librelp(got) };
        let mut session = open(answer, 1).await;
        session.stream.closed = true;
        session.send(b"x", 1).await.unwrap();
        session.close(LONG).await.unwrap();
        assert_eq!(session.acknowledged(), Some(1));
        assert!(matches!(session.close(LONG).await, Err(RelpError::Ended)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_we_cannot_work_with_is_refused_with_its_own_words() {
    for (answer, message) in [
        (rsp(1, "500 no more room"), "the receiver refused the RELP session: 500 no more room"),
        (rsp(1, "200 OK\ncommands=syslog"), r#"the receiver offers RELP version "": expected 0"#),
        (rsp(1, "200 OK\nrelp_version=1\ncommands=syslog"), r#"the receiver offers RELP version "1": expected 0"#),
        (
            rsp(1, "200 OK\nrelp_version=0\ncommands=eventlog,syslogs"),
            r#"the receiver offers the RELP commands "eventlog,syslogs": expected syslog among them"#,
        ),
        (
            "0 serverclose 0\n".into(),
            "no RELP session: the receiver closed the RELP session; \
             is it a RELP port, and TLS on for both sides or for neither?",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\n".into(),
            "no RELP session: the receiver does not speak RELP: expected a transaction number, got \"HTTP/1.1 400 Bad\"; \
             is it a RELP port, and TLS on for both sides or for neither?",
        ),
        (
            String::new(),
            "no RELP session: no answer within SOON s; is it a RELP port, and TLS on for both sides or for neither?",
        ),
    ] {
        let error = refusal(&answer).await;
        let message = message.replace("SOON", &SOON.as_secs_f64().to_string());
        assert_eq!(error.to_string(), message);
    }
    for window in [0, MAX_WINDOW + 1] {
        let refused =
            Session::open(Receiver::new(librelp), Guard::default(), SOON, window).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, RelpError::Window(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_to_what_was_not_sent_end_the_session() {
    for (said, expected) in [
        ("4 rsp 6 200 OK\n", "the receiver answered transaction 4, which was not waiting for an answer"),
        ("1 rsp 6 200 OK\n", "the receiver answered transaction 1, which was not waiting for an answer"),
        ("0 rsp 6 200 OK\n", "the receiver answered transaction 0, which was not waiting for an answer"),
        (
            "3 rsp 6 200 OK\n3 rsp 6 200 OK\n",
            "the receiver answered transaction 3, which was not waiting for an answer",
        ),
        ("2 syslog 1 x\n", "the receiver sent the RELP command \"syslog\": expected rsp"),
        (
            "2 rsp 2 OK\n",
            "the receiver does not speak RELP: expected an answer (three digits, blank, text), got \"OK\"",
        ),
        ("2 rsp 0\n", "the receiver does not speak RELP: expected an answer (three digits, blank, text), got \"\""),
        ("\0\0", "the receiver does not speak RELP: expected a transaction number, got \"\\x00\\x00\""),
        ("2 rsp 99999999 ", "the receiver does not speak RELP: a frame of 99999999 bytes: at most 65536 are accepted"),
    ] {
        let mut session = waiting(2).await;
        session.stream.say(said);
        assert_eq!(session.poll(LONG).await.unwrap_err().to_string(), expected);
        assert_eq!((session.acknowledged(), session.unanswered()), (None, 2));
    }
    // Gathered, but not sent, or not to its end.
    for sent in [0, 4] {
        let mut core = sent_to(1);
        assert!(core.offer(b"x", 2).unwrap());
        core.wrote(sent, Instant::now());
        let error = core.hear(b"3 rsp 6 200 OK\n", Instant::now()).unwrap_err();
        assert!(matches!(error, RelpError::Transaction { transaction: 3 }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_last_transaction_number_comes_the_first() {
    let mut session = open(librelp, 5).await;
    session.core.oldest = LAST_TRANSACTION - 3;
    for id in 1..=20 {
        session.send(b"x", id).await.unwrap();
    }
    session.close(LONG).await.unwrap();
    assert_eq!(session.acknowledged(), Some(20));
    let numbers: Vec<u32> = session.stream.got.iter().skip(1).map(|got| got.0).collect();
    let expected: Vec<u32> = (LAST_TRANSACTION - 3..=LAST_TRANSACTION).chain(1..=17).collect();
    assert_eq!(numbers, expected);
    assert_eq!((after(LAST_TRANSACTION, 1), place(1, LAST_TRANSACTION)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_of_an_unfinished_frame_is_bounded() {
    let mut session = waiting(1).await;
    session.stream.say(&format!("2 rsp {} 200 {}", frame::MAX_DATA, "x".repeat(frame::MAX_DATA)));
    let error = session.poll(LONG).await.unwrap_err();
    assert!(matches!(error, RelpError::Malformed(FrameError::Header { .. })), "{error}");
    let mut session = waiting(1).await;
    session.stream.say(&format!("2 rsp {} 200 {}\n", frame::MAX_DATA, "x".repeat(frame::MAX_DATA - 4)));
    assert_eq!(session.poll(LONG).await.unwrap(), 1);
    assert!(session.core.incoming.capacity() <= 2 * (frame::MAX_DATA + READ));
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

#[test]
fn silence_counts_from_what_is_owed_by_the_time_that_is_given() {
    let now = Instant::now();
    let at = |seconds: u64| now + Duration::from_secs(seconds);
    let mut core = RelpCore::new(LONG, 2, now).unwrap();
    // Nothing is written yet, so nothing is owed.
    assert!(!core.owes() && core.silent_at().is_none() && core.check_silence(at(1_000)).is_ok());
    let all = core.outgoing().len();
    core.wrote(all - 1, at(10));
    assert!(!core.owes());
    core.wrote(1, at(20));
    assert_eq!(core.silent_at(), Some(at(80)));
    assert!(core.check_silence(at(79)).is_ok());
    assert!(matches!(core.check_silence(at(80)), Err(RelpError::Silent { unanswered: 0, .. })));
    core.hear(rsp(1, OPENED).as_bytes(), at(30)).unwrap();
    assert!(!core.owes() && core.is_answered());
    assert!(core.offer(b"x", 1).unwrap() && core.offer(b"x", 2).unwrap() && !core.offer(b"x", 3).unwrap());
    core.wrote(core.outgoing().len(), at(100));
    // Each answer begins it anew, also one behind another that is owed.
    core.hear(b"3 rsp 6 200 OK\n", at(150)).unwrap();
    assert_eq!((core.silent_at(), core.acknowledged(), core.has_room()), (Some(at(210)), None, false));
    core.hear(b"2 rsp 6 200 OK\n", at(160)).unwrap();
    assert_eq!((core.silent_at(), core.acknowledged(), core.has_room()), (None, Some(2), true));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_nothing_has_its_time_and_no_more() {
    let mut session = open(librelp, DEFAULT_WINDOW).await;
    session.guard.stall = LONG;
    session.stream.takes = 10;
    session.send(&[b'x'; 1_000], 1).await.unwrap();
    let began = Instant::now();
    let error = session.flush().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "writing failed: the receiver took nothing for 60 s (stall_timeout), 1 line has no answer"
    );
    assert_eq!(began.elapsed().as_secs(), LONG.as_secs());
    assert!(matches!(session.flush().await, Err(RelpError::Ended)));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_agent_ends_every_wait() {
    for takes in [0, usize::MAX] {
        let mut session = waiting(1).await;
        session.set_timeout(LONG);
        session.stream.takes = takes;
        session.send(b"y", 2).await.unwrap();
        let end = session.guard.end.clone();
        let stops = async {
            sleep(SOON).await;
            end.cancel();
        };
        let began = Instant::now();
        let (error, ()) = tokio::join!(session.poll(LONG), stops);
        assert!(error.unwrap_err().to_string().contains("given up, because the agent stops"));
        assert_eq!(began.elapsed().as_millis(), SOON.as_millis());
    }
}

#[tokio::test]
async fn answers_wake_who_waits_for_them() {
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    let receiver = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut bytes = [0; 4_096];
        for (n, data) in [(1, OPENED), (2, "200 OK"), (3, "200 OK")] {
            assert!(theirs.read(&mut bytes).await.unwrap() > 0);
            theirs.write_all(rsp(n, data).as_bytes()).await.unwrap();
        }
        drop(theirs);
    });
    let mut session = Session::open(ours, Guard::default(), LONG, 1).await.unwrap_or_else(|e| panic!("{e}"));
    session.send(b"one", 1).await.unwrap();
    session.wait_ready().await.unwrap();
    assert_eq!(session.acknowledged(), Some(1));
    session.send(b"two", 2).await.unwrap();
    // The window has room again when that is answered.
    session.make_room().await.unwrap();
    assert_eq!(session.acknowledged(), Some(2));
    assert!(matches!(session.wait_ready().await, Err(RelpError::Disconnected { unanswered: 0 })));
    receiver.await.unwrap();
}

/// Bytes a receiver may say: frames, right and wrong, and noise.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let frame =
        (0u32..9, "rsp|serverclose|syslog|x", "200|200 OK|500 no||200\nx|\\PC{0,5}").prop_map(|(n, command, data)| {
            match data.len() {
                0 => format!("{n} {command} 0\n").into_bytes(),
                length => format!("{n} {command} {length} {data}\n").into_bytes(),
            }
        });
    let answer = (2u32..8).prop_map(|n| rsp(n, "200 OK").into_bytes());
    let noise = proptest::collection::vec(any::<u8>(), 0..12);
    proptest::collection::vec(prop_oneof![8 => answer, 2 => frame, 1 => noise], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_a_receiver_says_only_answered_lines_are_acknowledged(bytes in said(), piece in 1usize..50) {
        let mut core = sent_to(5);
        let _ = bytes.chunks(piece).try_for_each(|piece| core.hear(piece, Instant::now()).map(|_| ()));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let done = core.acknowledged().unwrap_or(0);
        prop_assert_eq!(done as usize + core.unanswered(), 5);
        for id in 1..=done {
            let (short, long) = (format!("{} rsp 3 200\n", id + 1), format!("{} rsp 6 200 OK\n", id + 1));
            let data = format!("{} rsp 5 200\nx\n", id + 1);
            prop_assert!([short, long, data].iter().any(|answer| text.contains(answer)), "{} in {:?}", id, text);
        }
    }

    #[test]
    fn the_pieces_in_which_answers_come_make_no_difference(bytes in said(), piece in 1usize..20) {
        let run = |piece| {
            let mut core = sent_to(5);
            let heard = bytes.chunks(piece).try_for_each(|piece| core.hear(piece, Instant::now()).map(|_| ()));
            (heard.err().map(|e| mem::discriminant(&e)), core.acknowledged(), core.unanswered())
        };
        prop_assert_eq!(run(piece), run(usize::MAX));
    }

    #[test]
    fn the_pieces_in_which_frames_are_written_make_no_difference(
        lines in proptest::collection::vec("\\PC{0,40}", 1..30),
        piece in 1usize..60,
    ) {
        let now = Instant::now();
        let mut core = sent_to(0);
        let mut receiver = Receiver::new(librelp);
        for (line, id) in lines.iter().zip(1..) {
            prop_assert!(core.offer(line.as_bytes(), id).unwrap());
        }
        while !core.outgoing().is_empty() {
            let some = core.outgoing().get(..piece).unwrap_or(core.outgoing());
            receiver.input.extend_from_slice(some);
            core.wrote(some.len(), now);
            while let Some(got) = receiver.frame() {
                // What was written whole may be answered while the rest is on its way.
                core.hear(librelp(&got).as_bytes(), now).unwrap();
                receiver.got.push(got);
            }
        }
        prop_assert_eq!(receiver.lines(), lines.iter().map(String::as_bytes).collect::<Vec<_>>());
        prop_assert_eq!((core.acknowledged(), core.unanswered()), (Some(lines.len() as u64), 0));
    }
}
