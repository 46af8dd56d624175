//! How long a session waits, and what ends a wait.
use super::*;

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
