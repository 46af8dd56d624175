//! Bytes a day, with midnight where the configuration says, and clocks that may be wrong.
//!
//! 1. The spent bytes belong to a date in a zone. A new budget is given when that zone's date goes past it, once. A
//!    clock that steps back does not bring the old date back; one that comes forward again finds its date used.
//! 2. Another zone keeps the spent bytes, and the later of the two dates: a date has one budget, in whichever zones it
//!    was counted, and a date that a change of zone alone has brought has none of its own. Midnight may so be up to a
//!    day further off once.
//! 3. Where the date is behind what was counted (the clock was ahead and was set right), a budget is given after 26
//!    hours without one, the longest day there is, measured by the clock that never steps. So no wrong clock holds
//!    events back for longer than that.
//!
//! Days have 23 to 26 hours where clocks change; a day that begins at 01:00 or not at all is no special case.
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Antarctica/Troll changes by two hours.
const LONGEST_DAY: Duration = Duration::from_secs(26 * 3600);

/// What was spent of a day's budget: to be kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The date, `YYYY-MM-DD`.
    pub day: String,
    /// Where it is that date, an IANA name.
    pub zone: String,
    /// Bytes sent, those of exempt events and of events sent again too.
    pub bytes: u64,
}

/// The current day's budget.
#[derive(Debug)]
pub(super) struct DailyBudget {
    limit: Option<u64>,
    zone: Tz,
    day: NaiveDate,
    bytes: u64,
    /// When the next day begins, UTC microseconds.
    ends: i64,
    /// When the budget was given, or the agent started.
    given: Duration,
}

impl DailyBudget {
    pub(super) fn new(limit: Option<u64>, zone: Tz, spent: Option<&Spent>, now: Duration, wall: i64) -> DailyBudget {
        let (day, bytes) = match spent {
            Some(spent) => carry(spent, zone, wall),
            None => (date(zone, wall), 0),
        };
        DailyBudget { limit, zone, day, bytes, ends: end(zone, day), given: now }
    }

    /// Begins the next day when it is time.
    pub(super) fn roll(&mut self, now: Duration, wall: i64) {
        if wall < self.ends && now.saturating_sub(self.given) < LONGEST_DAY {
            return;
        }
        // An earlier date gets here only after the longest day: before its end nothing else does.
        let today = date(self.zone, wall);
        if today == self.day {
            return;
        }
        *self = DailyBudget { day: today, bytes: 0, ends: end(self.zone, today), given: now, ..*self };
    }

    /// Whether `bytes` are left. An event larger than a whole day's budget passes while anything is left.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        let Some(limit) = self.limit else { return true };
        let left = limit.saturating_sub(self.bytes);
        bytes <= left || (bytes > limit && left > 0)
    }

    /// When the next budget is given, UTC microseconds.
    pub(super) fn opens(&self, now: Duration, wall: i64) -> i64 {
        let rest = LONGEST_DAY.saturating_sub(now.saturating_sub(self.given));
        let overdue = wall.saturating_add(i64::try_from(rest.as_micros()).unwrap_or(i64::MAX));
        if date(self.zone, overdue) < self.day { overdue.min(self.ends) } else { self.ends }
    }

    pub(super) fn record(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn spent(&self) -> Spent {
        Spent { day: self.day.to_string(), zone: self.zone.name().to_owned(), bytes: self.bytes }
    }
}

/// The day that the spent bytes count for in `zone`, and what is spent of it.
fn carry(spent: &Spent, zone: Tz, wall: i64) -> (NaiveDate, u64) {
    let today = date(zone, wall);
    // A date that cannot be read is taken for today's: bytes may be counted for too long, never forgotten.
    let Ok(day) = spent.day.parse::<NaiveDate>() else {
        return (today, spent.bytes);
    };
    let over = match spent.zone.parse::<Tz>() {
        Ok(old) => date(old, wall) > day,
        // No two zones are more than a date and a bit apart.
        Err(_) => today.signed_duration_since(day) > TimeDelta::days(1),
    };
    if over && today > day { (today, 0) } else { (today.max(day), spent.bytes) }
}

/// The date in `zone`. Times before 1970 and after 9999 are no clock's.
fn date(zone: Tz, wall: i64) -> NaiveDate {
    let utc = DateTime::from_timestamp_micros(wall.clamp(0, 253_402_300_799_000_000)).unwrap_or_default();
    utc.with_timezone(&zone).date_naive()
}

/// The first moment after `day`, UTC microseconds. Midnight, or where clocks skip it the next quarter of an hour that
/// exists; where it comes twice, the first. Samoa skipped a whole day.
fn end(zone: Tz, day: NaiveDate) -> i64 {
    let Some(midnight) = day.checked_add_days(Days::new(1)).map(|next| next.and_time(NaiveTime::MIN)) else {
        return i64::MAX;
    };
    let quarters = (0..=200).filter_map(|n| midnight.checked_add_signed(TimeDelta::minutes(15 * n)));
    let mut moments = quarters.filter_map(|local| zone.from_local_datetime(&local).earliest());
    moments.next().map_or_else(|| midnight.and_utc().timestamp_micros(), |moment| moment.timestamp_micros())
}
