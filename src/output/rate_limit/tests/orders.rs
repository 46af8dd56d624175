//! Any arrivals, any limits, any steps of the clock.
use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Pause(u64),
    Burst(u8, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![0..2_000_u64, 0..5_000_000_u64, 0..2_500_000_000_u64];
    let bytes = prop_oneof![0..2_000_u64, 0..40_000_u64];
    vec(prop_oneof![pause.prop_map(Step::Pause), (1..60_u8, bytes).prop_map(|(n, b)| Step::Burst(n, b))], 1..60)
}

fn limits() -> impl Strategy<Value = Limits> {
    let rate = prop_oneof![0.3..5.0, 1.0..2_000.0, (1..600_u32).prop_map(f64::from)];
    let burst = prop::option::of(prop_oneof![Just(1), 1..100_u64]);
    let bytes = (100..200_000_u64, prop::option::of(prop_oneof![Just(0), 0..50_000_u64]));
    (prop::option::of((rate, burst)), prop::option::of(bytes)).prop_map(|(events, bytes)| Limits {
        events_per_second: events.map(|e| e.0),
        burst: events.and_then(|e| e.1),
        bytes_per_second: bytes.map(|b| b.0),
        byte_burst: bytes.and_then(|b| b.1),
        ..Limits::default()
    })
}

/// Fewer under emulation (tests/tools/big_endian.sh), where a case takes thirty times as long.
const CASES: u32 = if cfg!(target_endian = "big") { 12 } else { 400 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes when, whatever the limits, however late the sleeps end.
    #[test]
    fn no_second_holds_more_than_the_limit_and_the_burst(limits in limits(), steps in steps(), seed: u64) {
        let mut meter = meter(limits.clone());
        let mut random = noise(seed);
        let (mut now, mut taken) = (Duration::ZERO, Vec::new());
        for step in steps {
            let (events, bytes) = match step {
                Step::Pause(nanos) => {
                    now += Duration::from_nanos(nanos);
                    continue;
                }
                Step::Burst(events, bytes) => (events, bytes),
            };
            for _ in 0..events {
                if let Answer::Wait(wait) = meter.check(now, 0, bytes, false) {
                    // Not too early, and not later than it has to be.
                    prop_assert!(meter.check(now + wait - Duration::from_nanos(1), 0, bytes, false) != Answer::Now);
                    now += wait + Duration::from_nanos([0, 0, 50_000, 3_000_000, 150_000_000][random(5) as usize]);
                    prop_assert_eq!(meter.check(now, 0, bytes, false), Answer::Now);
                }
                // The write takes its time.
                now += Duration::from_nanos([0, 0, 0, 20_000, 900_000][random(5) as usize]);
                meter.record(now, 0, bytes);
                taken.push((now, bytes));
            }
        }
        let times: Vec<Duration> = taken.iter().map(|t| t.0).collect();
        if let Some(rate) = limits.events_per_second {
            let max_per_second = rate.ceil() as usize + limits.burst.unwrap_or(1) as usize - 1;
            prop_assert!(fullest(&times) <= max_per_second, "{} > {max_per_second}", fullest(&times));
        }
        if let Some(rate) = limits.bytes_per_second {
            let largest = taken.iter().map(|t| t.1).max().unwrap_or(0);
            let max_per_second = (rate + limits.byte_burst.unwrap_or(0)).max(largest);
            prop_assert!(heaviest(&taken) <= max_per_second, "{} > {max_per_second}", heaviest(&taken));
        }
        prop_assert_eq!(meter.spent().bytes, taken.iter().map(|t| t.1).sum::<u64>());
    }

    /// At any rate and with any burst, what always has more to send goes at the limit.
    #[test]
    fn any_rate_is_reached(rate in prop_oneof![1.0..30.0, 30.0..3_000.0], burst in 1..20_u64, seed: u64) {
        let mut random = noise(seed);
        let taken = saturated(per_second(rate, Some(burst)), 60 * SECOND, |_| Duration::from_micros(random(1_500)));
        let expected = rate * 60.0;
        let got = taken.len() as f64;
        prop_assert!(got >= expected * 0.99 - 1.0 && got <= expected + burst as f64, "{got} instead of {expected}");
    }

    /// Restarts, reloads in other zones, a clock that jumps about: a date's budget is given once, nothing is forgotten.
    #[test]
    fn a_date_has_one_budget(moves in vec((-40..40_i64, 0..6_usize), 1..80)) {
        use chrono_tz::{America::Los_Angeles, Asia::Tokyo, Europe::Berlin, Pacific::{Kiritimati, Midway}};
        let zones = [Tz::UTC, Berlin, Tokyo, Los_Angeles, Kiritimati, Midway];
        let mut wall = utc("2026-03-20T12:00:00");
        let mut meter = RateLimiter::new(daily(100, Tz::UTC), None, Duration::ZERO, wall).unwrap();
        let mut sent = std::collections::BTreeMap::<String, u64>::new();
        let mut last = meter.spent();
        for (hours, zone) in moves {
            wall += hours * HOUR;
            meter = RateLimiter::new(daily(100, zones[zone]), Some(&meter.spent()), Duration::ZERO, wall).unwrap();
            meter.check(Duration::ZERO, wall, 1, false);
            let spent = meter.spent();
            prop_assert!(spent.day >= last.day, "a date came back");
            prop_assert!(spent.bytes >= last.bytes || spent.day > last.day, "a second budget for {}", spent.day);
            match meter.check(Duration::ZERO, wall, 60, false) {
                Answer::Now => {
                    meter.record(Duration::ZERO, wall, 60);
                    *sent.entry(meter.spent().day).or_default() += 60;
                }
                Answer::OverDailyBudget(until) => {
                    prop_assert!(until > wall);
                    let mut then = RateLimiter::new(daily(100, zones[zone]), Some(&spent), Duration::ZERO, wall).unwrap();
                    let later = Duration::from_micros(u64::try_from(until - wall).unwrap());
                    prop_assert_eq!(then.check(later, until, 60, false), Answer::Now);
                }
                Answer::Wait(_) => unreachable!("no limit a second"),
            }
            last = meter.spent();
        }
        prop_assert!(sent.values().all(|bytes| *bytes <= 100), "{sent:?}");
    }
}

proptest! {
    // Seconds full of events: a case takes a tenth of a second without optimisation.
    #![proptest_config(ProptestConfig { cases: CASES / 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// However late sleeps end, as long as it is 10 ms at most, and whatever the lines: at least 98.9 percent of the limit, and no second
    /// with more than it.
    #[test]
    fn late_sleeps_cost_hardly_anything(rate in prop_oneof![1.0..30.0, 30.0..3_000.0], bytes in 300_000..3_000_000_u64, seed: u64) {
        let mut random = noise(seed);
        let mut late = || Duration::from_micros(random(10_000));
        let taken = saturated(per_second(rate, None), 60 * SECOND, |_| late());
        let expected = rate * 60.0;
        prop_assert!(taken.len() as f64 >= expected * 0.989 - 1.0, "{} instead of {expected}", taken.len());
        prop_assert!(fullest(&taken) <= rate.ceil() as usize, "{} of {rate}", fullest(&taken));
        // Lines of 300 bytes.
        let limits = Limits { bytes_per_second: Some(bytes), ..Limits::default() };
        let taken = saturated(limits, 20 * SECOND, |_| late());
        let sent = taken.len() as u64 * 300;
        prop_assert!(sent as f64 >= bytes as f64 * 20.0 * 0.989, "{sent} instead of {bytes} a second");
        prop_assert!(fullest(&taken) as u64 * 300 <= bytes, "{} of {bytes}", fullest(&taken) * 300);
    }
}
