//! A session against a receiver in memory.
use std::{mem, thread::sleep};

use proptest::prelude::*;

use super::*;

const OPENED: &str = "200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog";
/// Long enough for what is there to be read on a busy machine, and under emulation (tests/tools/big_endian.sh).
const SOON: Duration = Duration::from_millis(if cfg!(target_endian = "big") { 2_000 } else { 300 });
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

impl<F: FnMut(&Got) -> String> Write for Receiver<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.input.extend_from_slice(bytes);
        while let Some(got) = self.frame() {
            let answer = (self.answer)(&got);
            self.say(&answer);
            self.got.push(got);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F> Read for Receiver<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.output.is_empty() && !self.closed {
            sleep(Duration::from_millis(1));
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = bytes.len().min(self.piece);
        self.output.read(&mut bytes[..most])
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

fn open<F: FnMut(&Got) -> String>(answer: F, window: usize) -> Session<Receiver<F>> {
    Session::open(Receiver::new(answer), SOON, window).unwrap_or_else(|e| panic!("{e}"))
}

/// A session with the lines 1 to `count` sent to a receiver that answers none of them: their transactions are 2 and on.
fn waiting(count: u64) -> Session<Receiver<Answering>> {
    let mut session = open(mute as Answering, DEFAULT_WINDOW);
    (1..=count).for_each(|id| session.send(b"x", id).unwrap());
    session.flush().unwrap();
    session
}

/// What `open` says when the receiver answers it so.
fn refusal(answer: &str) -> RelpError {
    Session::open(Receiver::new(|_: &Got| answer.to_string()), SOON, 1).map(|_| ()).unwrap_err()
}

#[test]
fn every_line_arrives_and_is_acknowledged() {
    let mut session = open(librelp, DEFAULT_WINDOW);
    let lines: Vec<Vec<u8>> = (0..1000).map(|n| format!("line {n}").into_bytes()).collect();
    for (line, id) in lines.iter().zip(5000..) {
        session.send(line, id).unwrap();
    }
    session.close(LONG).unwrap();
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(5999), 0));
    assert_eq!(session.stream().lines(), lines);
    let numbers: Vec<u32> = session.stream().got.iter().map(|got| got.0).collect();
    assert_eq!(numbers, (1..=1002).collect::<Vec<_>>());
}

#[test]
fn the_session_opens_with_the_offers_of_the_specification() {
    let mut session = open(librelp, 1);
    let (number, command, data) = session.stream().got.first().unwrap().clone();
    let offers = format!("relp_version=0\nrelp_software=qaudjrn,{}\ncommands=syslog", env!("CARGO_PKG_VERSION"));
    assert_eq!((number, command.as_str(), data), (1, "open", offers.into_bytes()));
}

#[test]
fn a_line_may_have_any_bytes_and_none() {
    let mut session = open(librelp, 2);
    let lines = [b"".as_slice(), b"a\nb\n", b"\n", b"2 rsp 6 200 OK\n", &[0, 255, 10, 13], &[b'x'; 200_000]];
    for (line, id) in lines.iter().zip(1..) {
        session.send(line, id).unwrap();
    }
    session.close(LONG).unwrap();
    assert_eq!(session.stream().lines(), lines);
    assert_eq!(session.acknowledged(), Some(6));
}

#[test]
fn nothing_is_acknowledged_before_its_answer() {
    let mut session = waiting(3);
    assert_eq!((session.acknowledged(), session.unanswered()), (None, 3));
    assert_eq!(session.poll(Duration::ZERO).unwrap(), 0);
    session.stream().say("2 rsp 6 200 OK\n3 rsp 6 200 OK\n");
    assert_eq!(session.poll(LONG).unwrap(), 2);
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(2), 1));
}

#[test]
fn answers_out_of_order_count_when_those_before_have_come() {
    let mut session = waiting(4);
    for (answer, acknowledged, unanswered) in
        [("5 rsp 3 200\n", None, 4), ("3 rsp 6 200 OK\n", None, 4), ("2 rsp 6 200 OK\n", Some(2), 2)]
    {
        session.stream().say(answer);
        assert_eq!(session.poll(LONG).unwrap(), 1);
        assert_eq!((session.acknowledged(), session.unanswered()), (acknowledged, unanswered));
    }
    session.stream().say("4 rsp 6 200 OK\n");
    session.close(LONG).unwrap();
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(4), 0));
}

#[test]
fn answers_split_at_every_byte_are_understood() {
    for piece in 1..40 {
        let mut receiver = Receiver::new(librelp);
        receiver.piece = piece;
        let mut session = Session::open(receiver, SOON, 7).unwrap_or_else(|e| panic!("{e}"));
        (1..=20).for_each(|id| session.send(b"a\nb", id).unwrap());
        session.close(LONG).unwrap();
        assert_eq!(session.acknowledged(), Some(20), "{piece}");
    }
}

#[test]
fn a_full_window_waits_for_answers_and_no_more_than_the_window_is_sent() {
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
    let mut session = open(answer, 3);
    for id in 1..=50 {
        session.send(b"x", id).unwrap();
        assert!(session.unanswered() <= 3);
    }
    session.close(LONG).unwrap();
    assert_eq!(session.acknowledged(), Some(50));
}

#[test]
fn a_full_window_without_an_answer_is_an_error_after_the_timeout() {
    let mut session = waiting(DEFAULT_WINDOW as u64);
    let start = Instant::now();
    let error = session.send(b"x", 129).unwrap_err();
    assert!(matches!(error, RelpError::Silent { unanswered: 128, .. }), "{error}");
    assert_eq!(error.to_string(), format!("no answer within {} s, 128 lines have no answer", SOON.as_secs_f64()));
    assert!(start.elapsed() < LONG / 4 && error.is_retryable());
    assert!(matches!(session.send(b"x", 129), Err(RelpError::Ended)));
    assert!(matches!(session.flush(), Err(RelpError::Ended)));
    assert!(matches!(session.poll(LONG), Err(RelpError::Ended)));
    assert!(matches!(session.close(LONG), Err(RelpError::Ended)));
    assert_eq!((session.acknowledged(), session.unanswered()), (None, 128));
}

#[test]
fn a_receiver_that_owes_answers_for_too_long_is_noticed_when_polled_and_an_idle_one_is_not() {
    let mut session = waiting(1);
    assert_eq!(session.poll(Duration::ZERO).unwrap(), 0);
    assert!(matches!(session.poll(LONG), Err(RelpError::Silent { unanswered: 1, .. })));
    let mut session = open(mute, 1);
    assert_eq!(session.poll(SOON * 2).unwrap(), 0);
    // The time counts from when the line is written.
    session.send(b"x", 1).unwrap();
    assert_eq!(session.poll(Duration::ZERO).unwrap(), 0);
}

#[test]
fn hints_that_are_not_known_neither_end_a_session_nor_count_as_answers() {
    let mut session = waiting(1);
    session.stream().say("0 weather 4 rain\n0 weather 0\n2 rsp 6 200 OK\n0 rainbow 0\n");
    assert_eq!(session.poll(LONG).unwrap(), 1);
    assert_eq!(session.acknowledged(), Some(1));
}

#[test]
fn another_answer_than_200_is_an_error_that_names_it() {
    let mut session = waiting(3);
    session.stream().say("2 rsp 6 200 OK\n3 rsp 13 500 no\x1b space\n4 rsp 6 200 OK\n");
    let error = session.poll(LONG).unwrap_err();
    assert_eq!(error.to_string(), r"the receiver refused line 2: 500 no\x1b space");
    assert!(matches!(error, RelpError::Refused { id: 2, code: 500, .. }) && error.is_retryable());
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));
}

#[test]
fn a_receiver_that_closes_leaves_what_is_to_be_sent_again() {
    let mut session = waiting(3);
    session.stream().say("2 rsp 6 200 OK\n0 serverclose 0\n");
    let error = session.poll(LONG).unwrap_err();
    assert!(matches!(error, RelpError::ClosedByServer { unanswered: 2 }), "{error}");
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));

    let mut session = waiting(3);
    session.stream().say("2 rsp 6 200 OK\n");
    session.stream().closed = true;
    assert_eq!(session.poll(LONG).unwrap(), 1);
    assert!(matches!(session.poll(LONG), Err(RelpError::Disconnected { unanswered: 2 })));
    assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));
}

#[test]
fn a_failed_write_still_takes_the_answers_that_had_come() {
    for (last, closed) in [("", false), ("0 serverclose 0\n", true)] {
        let mut session = waiting(2);
        session.stream().say(&format!("2 rsp 6 200 OK\n{last}"));
        session.stream().broken = true;
        session.send(b"x", 3).unwrap();
        let error = session.flush().unwrap_err();
        assert_eq!(matches!(error, RelpError::ClosedByServer { unanswered: 2 }), closed, "{error}");
        assert_eq!(matches!(error, RelpError::Write { unanswered: 2, .. }), !closed, "{error}");
        assert_eq!((session.acknowledged(), session.unanswered()), (Some(1), 2));
    }
}

#[test]
fn closing_fails_unless_every_line_is_answered() {
    // Answers close, but not the line.
    let mut session = waiting(1);
    let error = session.close(LONG).unwrap_err();
    assert!(matches!(error, RelpError::ClosedByServer { unanswered: 1 }), "{error}");
    // Neither.
    let mut session = open(|got: &Got| if got.1 == "open" { librelp(got) } else { String::new() }, 1);
    session.send(b"x", 1).unwrap();
    assert!(matches!(session.close(SOON), Err(RelpError::Silent { unanswered: 1, .. })));
    // Goes away after the line.
    for last in ["", "0 serverclose 0\n"] {
        let answer = move |got: &Got| if got.1 == "close" { last.into() } else { librelp(got) };
        let mut session = open(answer, 1);
        session.stream().closed = true;
        session.send(b"x", 1).unwrap();
        session.close(LONG).unwrap();
        assert_eq!(session.acknowledged(), Some(1));
        assert!(matches!(session.close(LONG), Err(RelpError::Ended)));
    }
}

#[test]
fn a_receiver_that_we_cannot_work_with_is_refused_with_its_own_words() {
    for (answer, message, retryable) in [
        (rsp(1, "500 no more room"), "the receiver refused the RELP session: 500 no more room", true),
        (rsp(1, "200 OK\ncommands=syslog"), r#"the receiver offers RELP version "": expected 0"#, false),
        (
            rsp(1, "200 OK\nrelp_version=1\ncommands=syslog"),
            r#"the receiver offers RELP version "1": expected 0"#,
            false,
        ),
        (
            rsp(1, "200 OK\nrelp_version=0\ncommands=eventlog,syslogs"),
            r#"the receiver offers the RELP commands "eventlog,syslogs": expected syslog among them"#,
            false,
        ),
        (
            "0 serverclose 0\n".into(),
            "no RELP session: the receiver closed the RELP session; \
             is it a RELP port, and TLS on for both sides or for neither?",
            true,
        ),
        (
            "HTTP/1.1 400 Bad Request\r\n".into(),
            "no RELP session: the receiver does not speak RELP: expected a transaction number, got \"HTTP/1.1 400 Bad\"; \
             is it a RELP port, and TLS on for both sides or for neither?",
            false,
        ),
        (
            String::new(),
            "no RELP session: no answer within SOON s; is it a RELP port, and TLS on for both sides or for neither?",
            true,
        ),
    ] {
        let error = refusal(&answer);
        let message = message.replace("SOON", &SOON.as_secs_f64().to_string());
        assert_eq!((error.to_string(), error.is_retryable()), (message, retryable));
    }
    for window in [0, MAX_WINDOW + 1] {
        let refused = Session::open(Receiver::new(librelp), SOON, window).map(|_| ()).unwrap_err();
        assert!(matches!(refused, RelpError::Window(_)));
    }
}

#[test]
fn answers_to_what_was_not_sent_end_the_session() {
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
        let mut session = waiting(2);
        session.stream().say(said);
        assert_eq!(session.poll(LONG).unwrap_err().to_string(), expected);
        assert_eq!((session.acknowledged(), session.unanswered()), (None, 2));
    }
    // Gathered, but not sent.
    let mut session = waiting(1);
    session.send(b"x", 2).unwrap();
    session.stream().say("3 rsp 6 200 OK\n");
    session.outgoing.clear();
    assert!(matches!(session.poll(LONG), Err(RelpError::Transaction { transaction: 3 })));
}

#[test]
fn after_the_last_transaction_number_comes_the_first() {
    let mut session = open(librelp, 5);
    session.oldest = LAST_TRANSACTION - 3;
    (1..=20).for_each(|id| session.send(b"x", id).unwrap());
    session.close(LONG).unwrap();
    assert_eq!(session.acknowledged(), Some(20));
    let numbers: Vec<u32> = session.stream().got.iter().skip(1).map(|got| got.0).collect();
    let expected: Vec<u32> = (LAST_TRANSACTION - 3..=LAST_TRANSACTION).chain(1..=17).collect();
    assert_eq!(numbers, expected);
    assert_eq!((after(LAST_TRANSACTION, 1), place(1, LAST_TRANSACTION)), (1, 1));
}

#[test]
fn what_is_kept_of_an_unfinished_frame_is_bounded() {
    let mut session = waiting(1);
    session.stream().say(&format!("2 rsp {} 200 {}", frame::MAX_DATA, "x".repeat(frame::MAX_DATA)));
    let error = session.poll(LONG).unwrap_err();
    assert!(matches!(error, RelpError::Malformed(FrameError::Header { .. })), "{error}");
    let mut session = waiting(1);
    session.stream().say(&format!("2 rsp {} 200 {}\n", frame::MAX_DATA, "x".repeat(frame::MAX_DATA - 4)));
    assert_eq!(session.poll(LONG).unwrap(), 1);
    assert!(session.incoming.capacity() <= 2 * (frame::MAX_DATA + READ));
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
        let mut session = waiting(5);
        session.timeout = LONG;
        session.stream().output.extend(&bytes);
        session.stream().closed = true;
        session.stream().piece = piece;
        while session.poll(Duration::ZERO).is_ok() {}
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let done = session.acknowledged().unwrap_or(0);
        prop_assert_eq!(done as usize + session.unanswered(), 5);
        for id in 1..=done {
            let (short, long) = (format!("{} rsp 3 200\n", id + 1), format!("{} rsp 6 200 OK\n", id + 1));
            let data = format!("{} rsp 5 200\nx\n", id + 1);
            prop_assert!([short, long, data].iter().any(|answer| text.contains(answer)), "{} in {:?}", id, text);
        }
    }

    #[test]
    fn the_pieces_in_which_answers_come_make_no_difference(bytes in said(), piece in 1usize..20) {
        let run = |piece| {
            let mut session = waiting(5);
            session.timeout = LONG;
            session.stream().output.extend(&bytes);
            session.stream().closed = true;
            session.stream().piece = piece;
            let error = loop {
                if let Err(error) = session.poll(Duration::ZERO) {
                    break error;
                }
            };
            (mem::discriminant(&error), session.acknowledged(), session.unanswered())
        };
        prop_assert_eq!(run(piece), run(usize::MAX));
    }
}
