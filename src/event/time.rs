//! Entry time: local system time without an offset, in the zone of the source.
//!
//! Time is never read from a clock here. A time that a daylight-saving fold makes ambiguous is resolved by the
//! order of the sequence: the first pass through the hour is summer time until local time steps back. A time that
//! does not exist is reported as it is, with the offset that was in force before the gap.
use chrono::{Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, offset::LocalResult};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::dates::{Contradiction, Dates};
use crate::decode::journal::Entry;

/// How *TYPE1 and *TYPE2 write dates: DATFMT of the job that ran DSPJRN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DateFormat {
    /// mmddyy.
    Mdy,
    /// ddmmyy.
    Dmy,
    /// yymmdd.
    Ymd,
    /// yyddd, the day of the year.
    Jul,
}

/// The time of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryTime {
    /// Microseconds since 1970-01-01 00:00 UTC.
    pub utc_micros: i64,
    /// Local date and time in ASCII: `YYYY-MM-DDThh:mm:ss.uuuuuu`.
    pub local: [u8; 26],
    /// Offset of local time from UTC, in seconds east.
    pub offset: i32,
}

/// Reads entry times of one source, in the order of its sequence.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Tz,
    dates: Option<DateFormat>,
    /// The minute (first 16 bytes) that was resolved last, with its UTC start in microseconds and offset.
    minute: [u8; 16],
    minute_utc: i64,
    offset: i32,
    /// The same minute as the entry has it.
    raw: [u8; 16],
    /// Whether that minute may be taken from here for the next entry too (not within a fold).
    cached: bool,
    last_local: Option<NaiveDateTime>,
    second_pass: bool,
    /// Whether the dates are in the format that they are read in.
    fit: Option<Dates>,
    told: bool,
}

impl Clock {
    /// For a zone; `dates` for headings without a timestamp.
    pub fn new(zone: Tz, dates: Option<DateFormat>) -> Clock {
        Clock {
            zone,
            dates,
            minute: [0; 16],
            raw: [0; 16],
            minute_utc: 0,
            offset: 0,
            cached: false,
            last_local: None,
            second_pass: false,
            fit: dates.map(Dates::new),
            told: false,
        }
    }

    /// What speaks against the format of the dates, by all that was read so far.
    pub fn contradiction(&self) -> Option<Contradiction> {
        self.fit.as_ref().and_then(Dates::contradiction)
    }

    /// The contradiction, when it is found for the first time.
    pub fn new_contradiction(&mut self) -> Option<Contradiction> {
        let found = if self.told { None } else { self.contradiction() };
        self.told |= found.is_some();
        found
    }

    /// Within the hour that comes twice: whether it is the second time. To be kept over a restart.
    pub fn second_pass(&self) -> bool {
        self.second_pass
    }

    /// Goes on from what [`Clock::second_pass`] said.
    pub fn set_second_pass(&mut self, second: bool) {
        self.second_pass = second;
    }

    /// The time of an entry; `None` when its bytes are no date and time.
    #[inline]
    pub fn read(&mut self, entry: &Entry<'_>) -> Option<EntryTime> {
        match entry.heading.timestamp {
            Some(span) => self.timestamp(span.of(entry.record)),
            None => self.date_and_time(entry.head(entry.heading.date), entry.head(entry.heading.time)),
        }
    }

    /// An SAA timestamp in EBCDIC: yyyy-mm-dd-hh.mm.ss.uuuuuu.
    #[inline]
    pub fn timestamp(&mut self, bytes: &[u8]) -> Option<EntryTime> {
        let bytes: &[u8; 26] = bytes.try_into().ok()?;
        // Entries come in order: nearly all are in the minute of the one before, so only seconds are new.
        let (minute, rest) = bytes.split_first_chunk::<16>()?;
        if self.cached && *minute == self.raw {
            return self.within_minute(rest);
        }
        let mut local = *b"____-__-__T__:__:__.______";
        for (i, (to, from)) in local.iter_mut().zip(bytes).enumerate() {
            if matches!(i, 4 | 7 | 10 | 13 | 16 | 19) {
                continue;
            }
            let digit = from.wrapping_sub(0xF0);
            if digit > 9 {
                return None;
            }
            *to = digit + b'0';
        }
        let time = self.finish(local)?;
        self.raw = *minute;
        Some(time)
    }

    #[inline]
    fn within_minute(&self, rest: &[u8]) -> Option<EntryTime> {
        let rest: &[u8; 10] = rest.try_into().ok()?;
        let mut local = *b"____-__-__T__:__:__.______";
        let (to_minute, to_rest) = local.split_first_chunk_mut::<16>()?;
        *to_minute = self.minute;
        let mut bad = 0;
        for (i, (to, from)) in to_rest.iter_mut().zip(rest).enumerate() {
            if i != 0 && i != 3 {
                let digit = from.wrapping_sub(0xF0);
                bad |= u8::from(digit > 9);
                *to = digit.wrapping_add(b'0');
            }
        }
        let [_, s1, s2, _, micros @ ..] = rest;
        let second = i64::from(s1 & 15) * 10 + i64::from(s2 & 15);
        let micros = micros.iter().fold(0, |n, b| n * 10 + i64::from(b & 15));
        if bad != 0 || second > 59 {
            return None;
        }
        Some(EntryTime { utc_micros: self.minute_utc + second * 1_000_000 + micros, local, offset: self.offset })
    }

    fn date_and_time(&mut self, date: &[u8], time: &[u8]) -> Option<EntryTime> {
        if let Some(dates) = &mut self.fit {
            dates.see(date);
        }
        let date = self.dates?.date(date)?;
        let t: Vec<u32> = time.iter().map_while(|b| digit(*b)).collect();
        let two = |v: &[u32], i: usize| Some(v.get(i)? * 10 + v.get(i + 1)?);
        let mut local = *b"____-__-__T__:__:__.000000";
        let digits = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.000000",
            date.year(),
            date.month(),
            date.day(),
            two(&t, 0)?,
            two(&t, 2)?,
            two(&t, 4)?
        );
        local.copy_from_slice(digits.as_bytes().get(..26)?);
        self.finish(local)
    }

    #[inline]
    fn finish(&mut self, local: [u8; 26]) -> Option<EntryTime> {
        let (minute, rest) = local.split_first_chunk::<16>()?;
        let n = |at: usize, len: usize| -> Option<i64> {
            Some(rest.get(at..at + len)?.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
        };
        let (second, micros) = (n(1, 2)?, n(4, 6)?);
        if second > 59 {
            return None;
        }
        if !(self.cached && *minute == self.minute) {
            self.resolve(*minute, second, micros)?;
        }
        Some(EntryTime { utc_micros: self.minute_utc + second * 1_000_000 + micros, local, offset: self.offset })
    }

    /// Finds the offset of a minute that was not the last one.
    #[cold]
    fn resolve(&mut self, minute: [u8; 16], second: i64, micros: i64) -> Option<()> {
        let text = std::str::from_utf8(&minute).ok()?;
        let start = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok()?;
        let exact = start + TimeDelta::microseconds(second * 1_000_000 + micros);
        let (offset, fold) = match self.zone.offset_from_local_datetime(&start) {
            LocalResult::Single(o) => (o, false),
            LocalResult::Ambiguous(first, second) => {
                // Entries may be some microseconds out of order; clocks that are put back go back by half an hour or more.
                let back = self.last_local.map_or(TimeDelta::zero(), |last| last - exact);
                if back > TimeDelta::seconds(10) && back < TimeDelta::hours(3) {
                    self.second_pass = true;
                }
                (if self.second_pass { second } else { first }, true)
            }
            LocalResult::None => {
                // Before the gap: the offset an hour or two ago is the one that was in force.
                let before = self.zone.offset_from_local_datetime(&(start - TimeDelta::hours(3)));
                (before.earliest()?, true)
            }
        };
        if !fold {
            self.second_pass = false;
        }
        self.last_local = Some(exact);
        self.offset = offset.fix().local_minus_utc();
        self.minute_utc = start.and_utc().timestamp_micros() - i64::from(self.offset) * 1_000_000;
        self.minute = minute;
        self.cached = !fold;
        Some(())
    }
}

fn digit(b: u8) -> Option<u32> {
    (0xF0..=0xF9).contains(&b).then(|| u32::from(b - 0xF0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ebcdic(s: &str) -> Vec<u8> {
        s.bytes()
            .map(|b| match b {
                b'0'..=b'9' => b - b'0' + 0xF0,
                b'-' => 0x60,
                _ => 0x4B,
            })
            .collect()
    }

    fn at(clock: &mut Clock, s: &str) -> (i64, i32) {
        let t = clock.timestamp(&ebcdic(s)).unwrap();
        (t.utc_micros / 1_000_000, t.offset / 3600)
    }

    #[test]
    fn a_timestamp_becomes_utc_by_the_zone() {
        let mut c = Clock::new(chrono_tz::Europe::Berlin, None);
        assert_eq!(at(&mut c, "2026-07-20-13.03.14.123456"), (1_784_545_394, 2));
        assert_eq!(at(&mut c, "2026-11-20-08.00.01.924078"), (1_795_158_001, 1));
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_apart_by_the_sequence() {
        let mut c = Clock::new(chrono_tz::Europe::Berlin, None);
        let (first, o1) = at(&mut c, "2026-10-25-02.30.00.000000");
        let (_, o2) = at(&mut c, "2026-10-25-02.59.59.000000");
        let (second, o3) = at(&mut c, "2026-10-25-02.30.00.000000");
        let (_, o4) = at(&mut c, "2026-10-25-02.45.00.000000");
        assert_eq!((o1, o2, o3, o4), (2, 2, 1, 1));
        assert_eq!(second - first, 3600);
    }

    #[test]
    fn entries_a_little_out_of_order_are_no_fold() {
        let mut c = Clock::new(chrono_tz::Europe::Berlin, None);
        assert_eq!(at(&mut c, "2026-10-25-02.10.00.000100").1, 2);
        assert_eq!(at(&mut c, "2026-10-25-02.10.00.000000").1, 2);
        assert_eq!(at(&mut c, "2026-10-25-02.40.00.000000").1, 2);
        assert_eq!(at(&mut c, "2026-10-25-02.05.00.000000").1, 1);
    }

    #[test]
    fn a_time_that_does_not_exist_is_reported_as_it_is() {
        let mut c = Clock::new(chrono_tz::Europe::Berlin, None);
        let t = c.timestamp(&ebcdic("2026-03-29-02.30.00.000000")).unwrap();
        assert_eq!(&t.local, b"2026-03-29T02:30:00.000000");
        assert_eq!(t.offset, 3600);
    }

    #[test]
    fn garbage_is_no_time() {
        let mut c = Clock::new(chrono_tz::UTC, None);
        for s in [
            "2026-13-20-13.03.14.123456",
            "2026-02-30-13.03.14.123456",
            "2026-02-20-25.03.14.123456",
            "2026-02-20-13.03.75.123456",
            "",
        ] {
            assert_eq!(c.timestamp(&ebcdic(s)), None, "{s}");
        }
        assert_eq!(c.timestamp(&[0x40; 26]), None);
    }

    #[test]
    fn six_digit_dates_follow_the_format_and_the_century_window() {
        for (format, date) in [
            (DateFormat::Mdy, "112026"),
            (DateFormat::Dmy, "201126"),
            (DateFormat::Ymd, "261120"),
            (DateFormat::Jul, "26324"),
        ] {
            let mut c = Clock::new(chrono_tz::UTC, Some(format));
            let t = c.date_and_time(&ebcdic(date), &ebcdic("080001")).unwrap();
            assert_eq!(&t.local, b"2026-11-20T08:00:01.000000", "{format:?}");
        }
        let mut c = Clock::new(chrono_tz::UTC, Some(DateFormat::Ymd));
        assert_eq!(&c.date_and_time(&ebcdic("991231"), &ebcdic("235959")).unwrap().local[..4], b"1999");
    }
}
