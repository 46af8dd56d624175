//! What a system says of itself and of who asks.
use chrono::{DateTime, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::{
    query::{Query, QueryError, text},
    statements,
};

/// Its answer to [`statements::SYSTEM`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// Its name.
    pub name: String,
    /// The profile that asks.
    pub user: String,
    /// Its local time, as it writes it.
    pub now: String,
    /// How far its clock is from UTC, in seconds east; `None` where it does not say.
    pub offset: Option<i32>,
}

impl System {
    /// Asks.
    pub async fn ask(db: &mut impl Query) -> Result<System, QueryError> {
        let row = db.all(statements::SYSTEM, &[]).await?.into_iter().next().unwrap_or_default();
        let own = |n: usize| text(&row, n).to_owned();
        Ok(System { name: name(&own(2)), user: name(&own(3)), now: own(0), offset: offset(text(&row, 1)) })
    }
}

/// A name of a system, a database or a profile, whatever the other side says: letters, digits and what IBM allows beside
/// them, and no more than a database's name may have. It goes into records, messages and tables.
fn name(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || "_#@$.-".contains(c);
    text.chars().take(18).map(|c| if allowed(c) { c } else { '_' }).collect()
}

impl System {
    /// What its clock showed when it answered, in UTC; `None` where it did not say, or in a form that is not known.
    pub fn utc(&self) -> Option<DateTime<Utc>> {
        let mut parts = self.now.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        let mut next = || parts.next()?.parse::<u32>().ok();
        let date = NaiveDate::from_ymd_opt(i32::try_from(next()?).ok()?, next()?, next()?)?;
        let (hour, minute, second) = (next()?, next()?, next()?);
        let fraction = format!("{:0<6.6}", parts.next().unwrap_or("0"));
        let local = date.and_hms_micro_opt(hour, minute, second, fraction.parse().ok()?)?;
        local.checked_sub_signed(TimeDelta::seconds(i64::from(self.offset?))).map(|utc| utc.and_utc())
    }
}

/// What is to be said where a system's clock, so many seconds east of UTC, is not that of the zone its times are taken as: every time
/// would be wrong.
pub fn other_zone(there: i32, zone: Tz, now: DateTime<Utc>) -> Option<String> {
    let here = zone.offset_from_utc_datetime(&now.naive_utc()).fix().local_minus_utc();
    (there != here).then(|| {
        format!(
            "the system's clock is {} from UTC, its timezone = {:?} says {}: times are taken as this zone's, so set timezone to where the system is",
            hours(there),
            zone.name(),
            hours(here)
        )
    })
}

fn hours(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// CURRENT TIMEZONE, a decimal hhmmss, in seconds.
fn offset(text: &str) -> Option<i32> {
    let number: i32 = text.trim().trim_end_matches(".0").parse().ok()?;
    let (hours, minutes, seconds) = (number / 10_000, number / 100 % 100, number % 100);
    Some(hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h8_a_name_holds_what_a_name_may_hold() {
        assert_eq!(name("PROD01"), "PROD01");
        assert_eq!(name("#HR$@_1.b-c"), "#HR$@_1.b-c");
        assert_eq!(name("a\nqaudjrn: \u{1b}[2J\u{202e}"), "a_qaudjrn____2J_");
        assert_eq!(name(&"X".repeat(64 << 10)).len(), 18);
    }

    #[test]
    fn an_offset_is_shown_as_hours_and_minutes() {
        for (seconds, shown) in [(7_200, "+02:00"), (-19_800, "-05:30"), (0, "+00:00"), (20_700, "+05:45")] {
            assert_eq!(hours(seconds), shown);
        }
    }

    #[test]
    fn its_time_is_read_in_the_forms_of_db2_and_of_others() {
        let system = |now: &str| System { now: now.to_owned(), offset: Some(7_200), ..System::default() };
        for (now, utc) in [
            ("2026-12-01-02.31.04.123456", "2026-12-01 00:31:04.123456 UTC"),
            ("2026-12-01 02:31:04.5", "2026-12-01 00:31:04.500 UTC"),
            ("2026-12-01 00:30:00", "2026-11-30 22:30:00 UTC"),
            ("2026-12-01-02.31.04.123456789012", "2026-12-01 00:31:04.123456 UTC"),
        ] {
            assert_eq!(system(now).utc().map(|t| t.to_string()).as_deref(), Some(utc), "{now}");
        }
        for wrong in ["", "now", "2026-13-01-02.31.04", "99999999999-1-1-1.1.1"] {
            assert_eq!(system(wrong).utc(), None, "{wrong}");
        }
        assert_eq!(System { offset: None, ..system("2026-12-01-02.31.04") }.utc(), None);
    }

    #[test]
    fn another_offset_than_that_of_the_zone_is_told() {
        let summer = DateTime::from_timestamp(1_783_000_000, 0).unwrap();
        assert_eq!(other_zone(7_200, Tz::Europe__Berlin, summer), None);
        let said = other_zone(0, Tz::Europe__Berlin, summer).unwrap();
        assert!(said.contains("is +00:00 from UTC") && said.contains("says +02:00"), "{said}");
    }

    #[test]
    fn an_offset_is_hours_minutes_and_seconds() {
        for (text, seconds) in [("20000", 7_200), ("-53000", -19_800), ("0", 0), ("54500", 20_700)] {
            assert_eq!(offset(text), Some(seconds));
        }
        assert_eq!(offset("CEST"), None);
    }
}
