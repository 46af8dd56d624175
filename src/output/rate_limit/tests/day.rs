//! A day: budgets, zones, clocks that step.
use super::*;

#[test]
fn a_spent_budget_holds_events_until_midnight_and_lets_chosen_ones_pass() {
    let berlin = chrono_tz::Europe::Berlin;
    let noon = utc("2026-01-15T11:00:00");
    let mut meter = RateLimiter::new(daily(1_000, berlin), None, Duration::ZERO, noon).unwrap();
    assert_eq!(meter.check(Duration::ZERO, noon, 600, false), Answer::Now);
    meter.record(Duration::ZERO, noon, 600);
    let midnight = utc("2026-01-15T23:00:00");
    assert_eq!(meter.check(Duration::ZERO, noon, 600, false), Answer::OverDailyBudget(midnight));
    assert_eq!(meter.check(Duration::ZERO, noon, 400, false), Answer::Now, "to the last byte");
    assert_eq!(meter.check(Duration::ZERO, noon, 600, true), Answer::Now);
    meter.record(Duration::ZERO, noon, 600);
    assert_eq!(meter.spent(), Spent { day: "2026-01-15".into(), zone: "Europe/Berlin".into(), bytes: 1_200 });
    assert_eq!(meter.check(SECOND, midnight - 1, 1, false), Answer::OverDailyBudget(midnight));
    assert_eq!(meter.check(SECOND, midnight, 600, false), Answer::Now);
    assert_eq!(meter.spent().bytes, 0);
}

#[test]
fn an_event_larger_than_the_daily_budget_does_not_wait_for_ever() {
    let mut meter = meter(daily(1_000, Tz::UTC));
    assert_eq!(meter.check(Duration::ZERO, 0, 5_000, false), Answer::Now);
    meter.record(Duration::ZERO, 0, 5_000);
    assert_eq!(meter.check(Duration::ZERO, 0, 5_000, false), Answer::OverDailyBudget(24 * HOUR));
}

#[test]
fn days_are_as_long_as_the_zone_says() {
    use chrono_tz::{Africa::Cairo, America::Havana, Antarctica::Troll, Asia::Tokyo, Europe::Berlin, Pacific::Apia};
    for (zone, from, until) in [
        (Tokyo, "2026-03-28T15:00:00", "2026-03-29T15:00:00"),
        // 23 and 25 hours.
        (Berlin, "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
        (Berlin, "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
        // Clocks go from 00:00 to 01:00, from 01:00 to 00:00, by two hours, over a whole day.
        (Cairo, "2024-04-24T22:00:00", "2024-04-25T22:00:00"),
        (Cairo, "2024-04-25T22:00:00", "2024-04-26T21:00:00"),
        (Havana, "2025-11-01T04:00:00", "2025-11-02T04:00:00"),
        (Havana, "2025-11-02T04:00:00", "2025-11-03T05:00:00"),
        (Troll, "2025-10-25T22:00:00", "2025-10-27T00:00:00"),
        (Apia, "2011-12-29T10:00:00", "2011-12-30T10:00:00"),
    ] {
        let (from, until) = (utc(from), utc(until));
        let mut meter = RateLimiter::new(daily(1, zone), None, Duration::ZERO, from).unwrap();
        meter.record(Duration::ZERO, from, 1);
        assert_eq!(meter.check(Duration::ZERO, from, 1, false), Answer::OverDailyBudget(until), "{zone} {from}");
        assert_eq!(meter.check(Duration::ZERO, until - 1, 1, false), Answer::OverDailyBudget(until), "{zone} {from}");
        assert_eq!(meter.check(Duration::ZERO, until, 1, false), Answer::Now, "{zone} {from}");
        let mut before = RateLimiter::new(daily(1, zone), None, Duration::ZERO, from - 1).unwrap();
        before.record(Duration::ZERO, from - 1, 1);
        assert_eq!(before.check(Duration::ZERO, from - 1, 1, false), Answer::OverDailyBudget(from), "{zone} {from}");
    }
}

#[test]
fn a_clock_that_steps_over_midnight_gives_one_budget() {
    let mut meter = meter(daily(100, Tz::UTC));
    let midnight = 24 * HOUR;
    let (first, second) = ("1970-01-01", "1970-01-02");
    for (wall, answer, day) in [
        (0, Answer::Now, first),
        (midnight - 1, Answer::OverDailyBudget(midnight), first),
        (midnight, Answer::Now, second),
        (midnight - 1, Answer::OverDailyBudget(2 * midnight), second),
        (midnight, Answer::OverDailyBudget(2 * midnight), second),
        (0, Answer::OverDailyBudget(2 * midnight), second),
        (midnight + HOUR, Answer::OverDailyBudget(2 * midnight), second),
        (-midnight, Answer::OverDailyBudget(2 * HOUR), second),
        (2 * midnight - 1, Answer::OverDailyBudget(2 * midnight), second),
        (2 * midnight, Answer::Now, "1970-01-03"),
    ] {
        assert_eq!(meter.check(Duration::ZERO, wall, 100, false), answer, "{wall}");
        if answer == Answer::Now {
            meter.record(Duration::ZERO, wall, 100);
        }
        assert_eq!(meter.spent(), Spent { day: day.into(), zone: "UTC".into(), bytes: 100 }, "{wall}");
    }
}

#[test]
fn a_clock_that_was_years_ahead_holds_events_back_for_a_day_and_not_for_years() {
    let today = utc("2026-01-15T11:00:00");
    let ahead = Spent { day: "2030-06-01".into(), zone: "UTC".into(), bytes: 100 };
    let mut meter = RateLimiter::new(daily(100, Tz::UTC), Some(&ahead), Duration::ZERO, today).unwrap();
    assert_eq!(meter.check(Duration::ZERO, today, 1, false), Answer::OverDailyBudget(today + 26 * HOUR));
    let hours = |n: u32| (3_600 * SECOND * n, today + i64::from(n) * HOUR);
    let (now, wall) = hours(25);
    assert_eq!(meter.check(now, wall, 1, false), Answer::OverDailyBudget(wall + HOUR));
    let (now, wall) = hours(26);
    assert_eq!(meter.check(now, wall, 100, false), Answer::Now);
    meter.record(now, wall, 100);
    assert_eq!(meter.spent().day, "2026-01-16");
    assert_eq!(
        meter.check(now, wall, 1, false),
        Answer::OverDailyBudget(utc("2026-01-17T00:00:00")),
        "from here on as ever"
    );
}

#[test]
fn the_spent_part_outlives_the_agent_for_its_day() {
    let wall = utc("2026-01-15T11:00:00");
    let mut meter = RateLimiter::new(daily(100, Tz::UTC), None, Duration::ZERO, wall).unwrap();
    meter.record(Duration::ZERO, wall, 70);
    let kept = serde_json::to_string(&meter.spent()).unwrap();
    assert_eq!(kept, r#"{"day":"2026-01-15","zone":"UTC","bytes":70}"#);
    let kept: Spent = serde_json::from_str(&kept).unwrap();
    let left = |spent: &Spent, wall| {
        let mut meter = RateLimiter::new(daily(100, Tz::UTC), Some(spent), Duration::ZERO, wall).unwrap();
        (1..=100).rev().find(|bytes| meter.check(Duration::ZERO, wall, *bytes, false) == Answer::Now)
    };
    assert_eq!(left(&kept, wall + HOUR), Some(30));
    assert_eq!(left(&kept, wall - 24 * HOUR), Some(30));
    assert_eq!(left(&kept, wall + 24 * HOUR), Some(100));
    let damaged = Spent { day: "yesterday".into(), ..kept };
    assert_eq!(left(&damaged, wall), Some(30), "counted, not forgotten");
}

/// What a meter in `zone` makes of 100 bytes spent on 15 January in `old`: its date, its bytes, when the next begins.
fn moved(old: &str, zone: Tz, wall: &str) -> (String, u64, i64) {
    let spent = Spent { day: "2026-01-15".into(), zone: old.into(), bytes: 100 };
    let wall = utc(wall);
    let mut meter = RateLimiter::new(daily(100, zone), Some(&spent), Duration::ZERO, wall).unwrap();
    let now = meter.spent();
    let next = match meter.check(Duration::ZERO, wall, 1, false) {
        Answer::OverDailyBudget(until) => until,
        _ => wall,
    };
    (now.day, now.bytes, next)
}

#[test]
fn another_zone_gives_no_second_budget_and_loses_nothing() {
    use chrono_tz::{America::Los_Angeles, Asia::Tokyo, Europe::Berlin};
    let day = |n: u32| format!("2026-01-{n}");
    // Tokyo is at the 16th already, a date it has not begun by itself.
    assert_eq!(moved("UTC", Tokyo, "2026-01-15T20:00:00"), (day(16), 100, utc("2026-01-16T15:00:00")));
    // Los Angeles is still at the 14th: the 15th, when it comes, is the one that was spent.
    assert_eq!(moved("Asia/Tokyo", Los_Angeles, "2026-01-14T16:00:00"), (day(15), 100, utc("2026-01-16T08:00:00")));
    // The same date in both.
    assert_eq!(moved("UTC", Berlin, "2026-01-15T12:00:00"), (day(15), 100, utc("2026-01-15T23:00:00")));
    // Over in the old zone, not in the new one; then over in both.
    assert_eq!(moved("Asia/Tokyo", Tz::UTC, "2026-01-15T20:00:00"), (day(15), 100, utc("2026-01-16T00:00:00")));
    assert_eq!(moved("Asia/Tokyo", Tz::UTC, "2026-01-16T00:00:00"), (day(16), 0, utc("2026-01-16T00:00:00")));
    // A zone that this program does not know.
    assert_eq!(moved("Mars/Olympus", Tz::UTC, "2026-01-16T12:00:00").1, 100);
    assert_eq!(moved("Mars/Olympus", Tz::UTC, "2026-01-17T12:00:00").1, 0);
}

#[test]
fn a_reload_with_another_zone_keeps_the_spent_part() {
    let wall = utc("2026-01-15T20:00:00");
    let mut meter = RateLimiter::new(daily(100, Tz::UTC), None, Duration::ZERO, wall).unwrap();
    meter.record(Duration::ZERO, wall, 100);
    for zone in [chrono_tz::Asia::Tokyo, Tz::UTC, chrono_tz::Pacific::Kiritimati, chrono_tz::Pacific::Midway] {
        meter = RateLimiter::new(daily(100, zone), Some(&meter.spent()), Duration::ZERO, wall).unwrap();
        assert!(matches!(meter.check(Duration::ZERO, wall, 1, false), Answer::OverDailyBudget(_)), "{zone}");
        assert_eq!(meter.spent(), Spent { day: "2026-01-16".into(), zone: zone.name().into(), bytes: 100 });
    }
}
