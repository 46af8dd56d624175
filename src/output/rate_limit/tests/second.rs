//! A second: rates, bursts, late sleeps.
use super::*;

#[test]
fn r29_500_a_second_with_burst_1_is_held_for_a_minute_and_never_exceeded() {
    let taken = saturated(per_second(500.0, Some(1)), 60 * SECOND, |_| Duration::ZERO);
    assert_eq!(taken.len(), 30_000);
    assert_eq!(fullest(&taken), 500);
    assert!(taken.windows(2).all(|w| w[1] - w[0] == 2 * MS), "evenly spread");
}

#[test]
fn odd_rates_are_reached_and_never_exceeded() {
    for rate in [0.5, 1.0, 7.0, 333.3, 999.999, 1_000.0, 12_345.6] {
        let taken = saturated(per_second(rate, Some(1)), 60 * SECOND, |_| Duration::ZERO);
        within_one_percent(&taken, rate, 60);
        let max_per_second = usize::try_from(Duration::from_secs_f64(rate).as_secs()).unwrap() + 1;
        assert!(fullest(&taken) <= max_per_second - usize::from(rate.fract() == 0.0), "{rate}: {}", fullest(&taken));
    }
}

#[test]
fn sleeps_that_end_late_cost_less_than_a_percent() {
    for rate in [7.0, 333.3, 500.0, 5_000.0] {
        // A timer that rounds up to milliseconds, and then up to 2 ms until the thread runs.
        let mut random = noise(7);
        let late = |due: Duration| {
            let tick = 1_000_000 - due.subsec_nanos() % 1_000_000;
            Duration::from_nanos(u64::from(tick) + random(2_000_000))
        };
        let taken = saturated(per_second(rate, Some(1)), 60 * SECOND, late);
        within_one_percent(&taken, rate, 60);
        assert!(fullest(&taken) <= usize::try_from(Duration::from_secs_f64(rate).as_secs()).unwrap() + 1);
    }
}

#[test]
fn a_commit_of_80_ms_each_second_costs_less_than_a_percent() {
    let mut random = noise(11);
    let late = |_| if random(200) == 0 { 80 * MS } else { Duration::from_micros(60) };
    let taken = saturated(per_second(500.0, Some(1)), 60 * SECOND, late);
    within_one_percent(&taken, 500.0, 60);
    assert!(fullest(&taken) <= 500);
}

#[test]
fn no_burst_given_is_a_burst_of_1() {
    let taken = saturated(per_second(500.0, None), 10 * SECOND, |_| Duration::ZERO);
    assert_eq!((taken.len(), fullest(&taken)), (5_000, 500));
}

#[test]
fn after_a_pause_the_burst_goes_at_once_and_not_one_more() {
    for burst in [1, 2, 1_000] {
        let mut meter = meter(per_second(500.0, Some(burst)));
        let mut now = Duration::ZERO;
        for _ in 0..3 {
            for _ in 0..burst {
                assert_eq!(meter.check(now, 0, 1, false), Answer::Now);
                meter.record(now, 0, 1);
            }
            assert_eq!(meter.check(now, 0, 1, false), Answer::Wait(2 * MS));
            now += 10 * SECOND;
        }
    }
}

#[test]
fn a_second_with_a_burst_holds_the_limit_and_the_burst() {
    let taken = saturated(per_second(500.0, Some(1_000)), 60 * SECOND, |_| Duration::ZERO);
    assert_eq!(fullest(&taken), 1_499);
    assert_eq!(taken.len(), 30_999);
}

#[test]
fn what_is_not_sent_is_not_counted() {
    let mut meter = meter(per_second(1.0, Some(1)));
    for _ in 0..10 {
        assert_eq!(meter.check(Duration::ZERO, 0, 1, false), Answer::Now);
    }
}

#[test]
fn events_sent_again_count() {
    let mut meter = meter(per_second(2.0, Some(1)));
    for _ in 0..3 {
        meter.record(Duration::ZERO, 0, 1);
    }
    assert_eq!(meter.check(Duration::ZERO, 0, 1, false), Answer::Wait(1500 * MS));
}

#[test]
fn an_event_larger_than_the_byte_burst_passes_when_the_bucket_is_full_and_is_paid_for() {
    let limits = Limits { bytes_per_second: Some(1_000), byte_burst: Some(2_000), ..Limits::default() };
    let mut meter = meter(limits);
    assert_eq!(meter.check(Duration::ZERO, 0, 10_000, false), Answer::Now);
    meter.record(Duration::ZERO, 0, 10_000);
    assert_eq!(meter.check(Duration::ZERO, 0, 100, false), Answer::Wait(8_100 * MS), "a small one waits for the debt");
    assert_eq!(
        meter.check(Duration::ZERO, 0, 10_000, false),
        Answer::Wait(10 * SECOND),
        "a large one for a full bucket"
    );
    assert_eq!(meter.check(10 * SECOND, 0, 10_000, false), Answer::Now);
    let none = Limits { bytes_per_second: Some(1_000), ..Limits::default() };
    let mut meter = RateLimiter::new(none, None, Duration::ZERO, 0).unwrap();
    assert_eq!(meter.check(Duration::ZERO, 0, 10_000, false), Answer::Now, "no byte burst given");
}

#[test]
fn bytes_a_second_are_reached_and_never_exceeded() {
    // Without a burst three events of 300 fill a second of 1000 as far as they can.
    for (burst, expected) in [(None, 53_700..=54_000), (Some(300), 59_700..=60_300), (Some(5_000), 64_000..=65_000)] {
        let limits = Limits { bytes_per_second: Some(1_000), byte_burst: burst, ..Limits::default() };
        let taken = saturated(limits, 60 * SECOND, |_| Duration::ZERO);
        let bytes = taken.len() * 300;
        assert!(expected.contains(&bytes), "{burst:?}: {bytes}");
        assert!(fullest(&taken) * 300 <= 1_000 + usize::try_from(burst.unwrap_or(0)).unwrap());
    }
}

#[test]
fn late_sleeps_bring_no_byte_too_many_into_a_second() {
    let limits = Limits { bytes_per_second: Some(500), byte_burst: Some(7), ..Limits::default() };
    let mut meter = meter(limits);
    let (mut now, mut taken, mut random) = (Duration::ZERO, Vec::new(), noise(3));
    while now < 20 * SECOND {
        match meter.check(now, 0, 1, false) {
            Answer::Now => {
                meter.record(now, 0, 1);
                taken.push(now);
            }
            Answer::Wait(wait) => now += wait + Duration::from_micros(random(40_000)),
            Answer::OverDailyBudget(_) => unreachable!("no budget"),
        }
    }
    assert_eq!(fullest(&taken), 507);
}

#[test]
fn waits_are_rounded_up() {
    let mut meter = meter(per_second(3.0, None));
    meter.record(Duration::ZERO, 0, 1);
    assert_eq!(meter.check(Duration::ZERO, 0, 1, false), Answer::Wait(Duration::from_nanos(333_333_334)));
    assert_eq!(meter.check(Duration::from_nanos(333_333_333), 0, 1, false), Answer::Wait(Duration::from_nanos(1)));
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut meter = meter(per_second(10.0, None));
    meter.record(5 * SECOND, 0, 1);
    assert_eq!(meter.check(SECOND, 0, 1, false), Answer::Wait(100 * MS));
    assert_eq!(meter.check(5 * SECOND + 50 * MS, 0, 1, false), Answer::Wait(50 * MS));
    assert_eq!(meter.check(5 * SECOND + 100 * MS, 0, 1, false), Answer::Now);
}

#[test]
fn extremes_neither_overflow_nor_panic() {
    let limits = Limits {
        events_per_second: Some(1e9),
        burst: Some(u64::MAX),
        bytes_per_second: Some(u64::MAX),
        byte_burst: Some(u64::MAX),
        bytes_per_day: Some(u64::MAX),
        zone: chrono_tz::Asia::Tokyo,
    };
    let slow = Limits { bytes_per_second: Some(1), ..per_second(0.001, None) };
    for limits in [limits, slow] {
        let mut meter = RateLimiter::new(limits, None, Duration::ZERO, i64::MAX).unwrap();
        for now in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX / 2, Duration::MAX] {
            for wall in [i64::MIN, 0, i64::MAX] {
                for bytes in [0, 1, u64::MAX] {
                    meter.check(now, wall, bytes, false);
                    meter.record(now, wall, bytes);
                }
            }
        }
    }
}

#[test]
fn limits_that_cannot_be_kept_are_refused() {
    for (limits, says) in [
        (per_second(0.0, None), "events_per_second = 0: expected 0.001"),
        (per_second(f64::NAN, None), "events_per_second = NaN"),
        (per_second(-1.0, None), "events_per_second = -1"),
        (per_second(f64::INFINITY, None), "events_per_second = inf"),
        (per_second(500.0, Some(0)), "burst = 0: expected 1 or more"),
        (daily(0, Tz::UTC), "bytes_per_day = 0"),
        (Limits { bytes_per_second: Some(0), ..Limits::default() }, "bytes_per_second = 0"),
        (Limits { burst: Some(5), ..Limits::default() }, "burst without events_per_second"),
        (Limits { byte_burst: Some(5), ..Limits::default() }, "byte_burst without bytes_per_second"),
    ] {
        let error = RateLimiter::new(limits, None, Duration::ZERO, 0).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}
