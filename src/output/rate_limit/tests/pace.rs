//! The pace of a command: its text, and its waits with a timer of whole milliseconds.
use super::*;

#[tokio::test(start_paused = true)]
async fn no_second_holds_more_than_the_rate_and_late_timers_cost_less_than_a_percent() {
    let began = Instant::now();
    let mut pace = Pace::new(500.0);
    let mut sent = Vec::new();
    for _ in 0..2_000 {
        pace.wait().await;
        sent.push(began.elapsed());
    }
    assert!(fullest(&sent) <= 500, "{}", fullest(&sent));
    let record = sent.last().unwrap().as_secs_f64();
    assert!((3.998..4.04).contains(&record), "{record}");
}

#[tokio::test(start_paused = true)]
async fn an_event_in_hours_and_a_thousand_million_in_a_second_are_paces_too() {
    let mut slow = Pace::new(0.000_1);
    slow.wait().await;
    assert_eq!(slow.check(), Err(10_000 * SECOND));
    for rate in [1e-12, 1e-9] {
        let mut never = Pace::new(rate);
        never.wait().await;
        assert!(never.check().unwrap_err() > 1_000_000 * SECOND);
    }
    let began = Instant::now();
    let mut fast = Pace::new(1e9);
    for _ in 0..100_000 {
        fast.wait().await;
    }
    assert!(began.elapsed() < 3 * MS, "{:?}", began.elapsed());
}

#[test]
fn rates_are_read_with_and_without_their_unit() {
    assert_eq!(parse_rate("500/s"), Ok(500.0));
    assert_eq!(parse_rate("0.5"), Ok(0.5));
    for (text, rate) in [("1e3/s", 1_000.0), (".5", 0.5), ("5.", 5.0), ("+5/s", 5.0), ("1000000000", 1e9)] {
        assert_eq!(parse_rate(text), Ok(rate), "{text}");
    }
    for wrong in [
        "",
        "0",
        "-1",
        "fast",
        "inf",
        "NaN",
        "5/min",
        "/s",
        "5/s/s",
        "5 /s",
        " 5",
        "5/",
        "5s",
        "1e",
        "1e999",
        "1000000001",
        "0x5",
        "5,0",
        "1_000",
    ] {
        assert_eq!(parse_rate(wrong), Err(format!("{wrong:?}: expected events a second, such as 500/s")));
    }
}
