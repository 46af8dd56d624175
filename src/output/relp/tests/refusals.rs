//! Receivers that a session cannot work with, and answers that belong to nothing.
use super::*;

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
