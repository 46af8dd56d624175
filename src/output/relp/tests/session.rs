//! What a session does while the receiver answers, and when it does not.
use super::*;

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
