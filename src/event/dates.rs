//! Whether the dates of *TYPE1 and *TYPE2 headings fit the format that they are said to have.
//!
//! Six digits are a date in three orders, and a wrong one goes unseen while days are below 13. Entries come in the order of
//! their sequence, so the right format has no impossible date and no step back. Where the format that was given has some and
//! another one has (nearly) none, the option is wrong. Where both have none, dates that go on by a month or a year with every new
//! day while those of another format go on by a day are a sign.
use std::fmt;

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::DateFormat;

/// What was seen of a source.
#[derive(Clone, Debug)]
pub struct Dates {
    given: DateFormat,
    last: Vec<u8>,
    seen: u64,
    tallies: [(DateFormat, Tally); 4],
}

/// How one format fits.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Entries without a date in this format.
    bad: u64,
    /// Dates before the one before.
    back: u64,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    /// Dates that are not the one before.
    steps: u64,
}

/// The dates do not fit the format that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The format that was given.
    pub given: DateFormat,
    /// The one that fits.
    pub fits: DateFormat,
    /// Entries that were looked at.
    pub seen: u64,
    /// Of them, those without a date in the given format.
    pub bad: u64,
    /// Steps back in time.
    pub back: u64,
    /// Dates, one after the other.
    pub steps: u64,
}

impl Contradiction {
    /// Whether dates are impossible or run back, and not only odd.
    pub fn is_sure(&self) -> bool {
        self.bad + self.back > 0
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contradiction { given, fits, seen, bad, back, steps } = self;
        let (given, fits) = (given.word(), fits.word());
        write!(f, "the dates of the entries are not {given}: ")?;
        match (bad, back) {
            (0, 0) => write!(
                f,
                "each of {steps} dates is a month or more behind the one before, and {fits} makes them days of one row"
            )?,
            (0, n) => {
                write!(f, "they go back in time {n} times while the entries go on, and {fits} keeps their order")?
            }
            (n, _) => write!(f, "{n} of {seen} entries have no date in {given}, and {fits} fits")?,
        }
        write!(f, ": give {fits}, the DATFMT of the job that made the capture")
    }
}

impl Dates {
    /// For a format that was given.
    pub fn new(given: DateFormat) -> Dates {
        Dates { given, last: Vec::new(), seen: 0, tallies: DateFormat::ALL.map(|f| (f, Tally::default())) }
    }

    /// Looks at the date of the next entry.
    pub fn see(&mut self, date: &[u8]) {
        self.seen += 1;
        let same = self.last == date;
        for (format, tally) in &mut self.tallies {
            if same {
                // Of the date before: no step, and bad again where it was bad.
                tally.bad += u64::from(tally.last.is_none());
            } else {
                tally.see(format.date(date));
            }
        }
        if !same {
            self.last = date.to_vec();
        }
    }

    /// What speaks against the format, by all that was seen.
    pub fn contradiction(&self) -> Option<Contradiction> {
        let of = |f: DateFormat| self.tallies.iter().find(|(g, _)| *g == f).map(|(_, t)| t);
        let given = of(self.given)?;
        let others = self.tallies.iter().filter(|(f, t)| *f != self.given && t.bad < self.seen);
        let (fits, _) = if given.wrong() > 0 {
            others.filter(|(_, t)| t.wrong() * 4 < given.wrong()).min_by_key(|(_, t)| (t.wrong(), t.days()))?
        } else if given.steps >= 4 && given.days() >= 60 {
            others.filter(|(_, t)| t.wrong() == 0 && t.days() * 10 <= given.days()).min_by_key(|(_, t)| t.days())?
        } else {
            return None;
        };
        Some(Contradiction {
            given: self.given,
            fits: *fits,
            seen: self.seen,
            bad: given.bad,
            back: given.back,
            steps: given.steps,
        })
    }
}

impl Tally {
    fn see(&mut self, date: Option<NaiveDate>) {
        let Some(date) = date else {
            self.bad += 1;
            self.last = None;
            return;
        };
        // Entries of two jobs can be a little out of order around midnight.
        if self.last.is_some_and(|last| last - date > TimeDelta::days(1)) {
            self.back += 1;
        }
        self.steps += 1;
        self.first = self.first.or(Some(date));
        self.last = Some(date);
    }

    fn wrong(&self) -> u64 {
        self.bad + self.back
    }

    /// From the first date to the last.
    fn days(&self) -> i64 {
        self.first.zip(self.last).map_or(0, |(first, last)| (last - first).num_days().abs())
    }
}

impl DateFormat {
    /// All of them.
    pub const ALL: [DateFormat; 4] = [DateFormat::Mdy, DateFormat::Dmy, DateFormat::Ymd, DateFormat::Jul];

    /// As options and configurations write it.
    pub fn word(self) -> &'static str {
        match self {
            DateFormat::Mdy => "MDY",
            DateFormat::Dmy => "DMY",
            DateFormat::Ymd => "YMD",
            DateFormat::Jul => "JUL",
        }
    }

    /// A date in EBCDIC digits; years before 40 are of this century, as in IBM's job formats.
    pub fn date(self, bytes: &[u8]) -> Option<NaiveDate> {
        let mut digits = [0u32; 6];
        let mut n = 0;
        for (to, b) in digits.iter_mut().zip(bytes.iter().take_while(|b| (0xF0..=0xF9).contains(*b))) {
            *to = u32::from(b - 0xF0);
            n += 1;
        }
        let [a, b, c, d, e, f] = digits;
        let (one, two, three) = (a * 10 + b, c * 10 + d, e * 10 + f);
        let year = |yy: u32| i32::try_from(if yy < 40 { 2000 + yy } else { 1900 + yy }).ok();
        match (self, n) {
            (DateFormat::Mdy, 6) => NaiveDate::from_ymd_opt(year(three)?, one, two),
            (DateFormat::Dmy, 6) => NaiveDate::from_ymd_opt(year(three)?, two, one),
            (DateFormat::Ymd, 6) => NaiveDate::from_ymd_opt(year(one)?, two, three),
            (DateFormat::Jul, 5) => NaiveDate::from_yo_opt(year(one)?, c * 100 + d * 10 + e),
            _ => None,
        }
        .filter(|d| d.year() >= 1940)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of dates of digits that are given as a format.
    fn said(given: DateFormat, dates: &[&str]) -> Option<(DateFormat, u64, u64)> {
        let mut seen = Dates::new(given);
        for d in dates {
            seen.see(&d.bytes().map(|b| b - b'0' + 0xF0).collect::<Vec<_>>());
        }
        seen.contradiction().map(|c| (c.fits, c.bad, c.back))
    }

    const MAY: [&str; 12] = [
        "080526", "090526", "100526", "110526", "120526", "130526", "140526", "150526", "160526", "170526", "180526",
        "190526",
    ];

    #[test]
    fn f09_a_format_that_makes_impossible_dates_is_contradicted() {
        assert_eq!(said(DateFormat::Mdy, &MAY), Some((DateFormat::Dmy, 7, 0)));
        assert_eq!(said(DateFormat::Dmy, &MAY), None);
        assert_eq!(said(DateFormat::Dmy, &["260508", "260509", "260531", "260601"]), Some((DateFormat::Ymd, 0, 1)));
        assert_eq!(said(DateFormat::Mdy, &["26324", "26325"]), Some((DateFormat::Jul, 2, 0)));
        assert_eq!(said(DateFormat::Jul, &MAY), Some((DateFormat::Dmy, 12, 0)));
    }

    #[test]
    fn f09_a_format_that_makes_months_or_years_of_days_is_contradicted() {
        assert_eq!(said(DateFormat::Mdy, &MAY[..5]), Some((DateFormat::Dmy, 0, 0)));
        assert_eq!(said(DateFormat::Ymd, &MAY), Some((DateFormat::Dmy, 0, 0)));
    }

    #[test]
    fn f09_dates_that_run_back_while_entries_go_on_are_contradicted() {
        // The end of May and the first days of June: the fifth of June is before in MDY.
        let days = ["310526", "010626", "020626", "030626", "120626", "010726"];
        assert_eq!(said(DateFormat::Dmy, &days), None);
        assert_eq!(
            said(DateFormat::Mdy, &["110526", "120526", "010626", "020626"]).map(|s| s.0),
            Some(DateFormat::Dmy)
        );
    }

    #[test]
    fn f09_one_damaged_date_and_midnight_are_no_contradiction() {
        let mut dates = vec!["052026"; 50];
        dates.push("133126");
        dates.extend(["052126", "052026", "052126", "052226"]);
        assert_eq!(said(DateFormat::Mdy, &dates), None);
        assert_eq!(said(DateFormat::Mdy, &["052026"]), None);
    }
}
