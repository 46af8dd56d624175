//! Keeping to a number of events a second: event n is not sent before n/rate seconds after the first.
use std::{
    thread,
    time::{Duration, Instant},
};

use nom::{
    bytes::complete::tag,
    combinator::{opt, verify},
    number::complete::double,
    sequence::terminated,
};

use crate::parse::whole;

/// Events a second, evenly spread.
pub struct Pace {
    interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// `events` a second.
    pub fn new(events: f64) -> Pace {
        Pace { interval: Duration::from_secs_f64(1.0 / events), next: None }
    }

    /// How long to wait before the next event, which is counted as sent then. Time that was lost is not made up
    /// for by a burst of more than 10 ms.
    pub fn delay(&mut self, now: Instant) -> Duration {
        let due = self.next.unwrap_or(now).max(now.checked_sub(Duration::from_millis(10)).unwrap_or(now));
        self.next = Some(due + self.interval);
        due.saturating_duration_since(now)
    }

    /// Waits until the next event may go.
    pub fn wait(&mut self) {
        let delay = self.delay(Instant::now());
        if !delay.is_zero() {
            thread::sleep(delay);
        }
    }
}

/// `500/s`, `500`, `0.5/s`.
pub fn parse_rate(s: &str) -> Result<f64, String> {
    let rate = verify(double, |n| n.is_finite() && *n > 0.0 && *n <= 1e9);
    whole(s, terminated(rate, opt(tag("/s")))).ok_or_else(|| format!("{s:?}: expected events a second, such as 500/s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(500.0);
        let mut now = start;
        let mut sent = Vec::new();
        for _ in 0..2_000 {
            now += pace.delay(now);
            sent.push(now - start);
        }
        for (i, at) in sent.iter().enumerate() {
            let within = sent.iter().skip(i).filter(|t| **t < *at + Duration::from_secs(1)).count();
            assert!(within <= 500, "{within} from {at:?}");
        }
        assert!(sent.last().unwrap().as_secs_f64() > 3.99);
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
}
