use super::*;

#[test]
fn keepalive_finds_silence_within_its_time() {
    for limit in [3, 4, 5, 10, 30, 31, 600] {
        let (idle, interval, retries) = keep_alive_times(Duration::from_secs(limit));
        assert!(idle.as_secs() >= 1 && interval.as_secs() >= 1 && retries >= 1, "{limit}");
        assert!(idle + interval * retries <= Duration::from_secs(limit), "{limit}");
        assert!((idle + interval * retries).as_secs() * 4 >= limit * 3, "{limit}");
    }
}

#[test]
fn silence_begins_with_what_is_not_answered_and_ends_with_any_answer() {
    let seconds = Duration::from_secs_f64;
    let facts = |on_the_way, probes, sent, heard| TcpInfo {
        on_the_way,
        probes,
        since_sent: seconds(sent),
        since_heard: seconds(heard),
        unacknowledged: 0,
    };
    let (mut silence, start) = (UnansweredSince::default(), Instant::now());
    let mut look = |at: f64, f| silence.observe(start + seconds(at), &f).as_secs_f64();
    // Long idle, then sent: silence begins now, not with the last answer.
    assert_eq!(look(100.0, facts(false, 0, 90.0, 90.0)), 0.0);
    assert_eq!(look(101.0, facts(true, 0, 0.1, 91.0)), 0.0);
    assert_eq!(look(111.0, facts(true, 0, 3.0, 101.0)), 10.0);
    // Answered in between and sent again: a busy connection is never seen with everything answered.
    assert_eq!(look(112.0, facts(true, 0, 0.0, 0.5)), 0.0);
    assert_eq!(look(113.0, facts(true, 0, 0.0, 0.5)), 0.0);
    // No room, questions answered: alive, however far apart they are.
    assert_eq!(look(200.0, facts(false, 0, 80.0, 60.0)), 0.0);
    assert_eq!(look(230.0, facts(true, 0, 70.0, 60.0)), 0.0);
    // No room, and a question not answered.
    assert_eq!(look(240.0, facts(false, 1, 80.0, 70.0)), 0.0);
    assert_eq!(look(270.0, facts(false, 2, 110.0, 100.0)), 30.0);
    assert_eq!(look(271.0, facts(false, 0, 110.0, 0.1)), 0.0);
}
