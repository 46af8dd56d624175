//! The time of the day, whatever the clock says.
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// Now. A clock that stands before 1970 gives a time before 1970, and one that cannot be told gives 1970.
pub fn now() -> DateTime<Utc> {
    of(SystemTime::now())
}

fn of(time: SystemTime) -> DateTime<Utc> {
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()),
        Err(before) => i64::try_from(before.duration().as_micros()).map(|m| -m),
    };
    micros.ok().and_then(DateTime::from_timestamp_micros).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn h17_a_clock_before_1970_is_a_time_like_any_other() {
        let at = |seconds: i64| {
            let far = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { UNIX_EPOCH - far } else { UNIX_EPOCH + far }
        };
        for seconds in [-2_208_988_800, -1, 0, 1_795_158_001] {
            assert_eq!(of(at(seconds)).timestamp(), seconds);
        }
        assert!((now() - Utc::now()).num_seconds().abs() < 60);
    }
}
