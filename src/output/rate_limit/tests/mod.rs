//! What holds for a second, for a day, and in any order. Time is made up; nothing sleeps.
mod day;
mod orders;
mod pace;
mod second;

use std::time::Duration;

use chrono_tz::Tz;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: i64 = 3_600_000_000;

/// UTC, as `2026-03-29T01:00:00`.
fn utc(text: &str) -> i64 {
    text.parse::<chrono::NaiveDateTime>().unwrap().and_utc().timestamp_micros()
}

fn meter(limits: Limits) -> RateLimiter {
    RateLimiter::new(limits, None, Duration::ZERO, 0).unwrap()
}

fn per_second(rate: f64, burst: Option<u64>) -> Limits {
    Limits { events_per_second: Some(rate), burst, ..Limits::default() }
}

fn daily(budget: u64, zone: Tz) -> Limits {
    Limits { bytes_per_day: Some(budget), zone, ..Limits::default() }
}

/// A sender with more to send than it may, whose sleeps end late by what `late` says: when its events went.
fn saturated(limits: Limits, end: Duration, mut late: impl FnMut(Duration) -> Duration) -> Vec<Duration> {
    let mut meter = meter(limits);
    let (mut now, mut taken) = (Duration::ZERO, Vec::new());
    while now < end {
        match meter.check(now, 0, 300, false) {
            Answer::Now => {
                meter.record(now, 0, 300);
                taken.push(now);
            }
            Answer::Wait(wait) => {
                assert!(!wait.is_zero());
                now += wait + late(now + wait);
            }
            Answer::OverDailyBudget(_) => unreachable!("no budget"),
        }
    }
    taken
}

/// The most that any second held, whenever it began.
fn fullest(taken: &[Duration]) -> usize {
    let until = |from: Duration| taken.partition_point(|t| *t < from + SECOND);
    taken.iter().enumerate().map(|(i, from)| until(*from) - i).max().unwrap_or(0)
}

/// The most bytes that any second held.
fn heaviest(taken: &[(Duration, u64)]) -> u64 {
    let sum = |from: Duration| taken.iter().skip_while(move |t| t.0 < from).take_while(move |t| t.0 < from + SECOND);
    taken.iter().map(|(from, _)| sum(*from).map(|t| t.1).sum()).max().unwrap_or(0)
}

fn within_one_percent(taken: &[Duration], rate: f64, seconds: u32) {
    let expected = rate * f64::from(seconds);
    let got = f64::from(u32::try_from(taken.len()).unwrap());
    assert!((got - expected).abs() <= expected / 100.0 + 1.0, "{got} instead of {expected}");
}

/// Numbers that look random and are the same in each run.
fn noise(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    }
}
