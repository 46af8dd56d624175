//! Records that are no entries: what is told of them, to the log and to every output, in runs and not one by one. Their bytes are kept
//! by the spool.

use tokio::time::Instant;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::burst::Burst;
use crate::{
    config::source::Input,
    digest::hex,
    event::{Notice, notice::PARKED},
};

/// Bytes of the first record that are shown.
const SHOWN: usize = 64;

/// What the place of a record is, in what it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Its offset in bytes.
    Offset,
    /// How many records came before it and with it.
    Record,
    /// Its sequence number in the journal, or that of the entry before it where it is in none.
    Sequence,
}

impl Unit {
    /// Of a kind of source.
    pub fn of(input: &Input) -> Unit {
        match input {
            Input::Capture(..) | Input::Directory(_) => Unit::Offset,
            Input::Stream(_) => Unit::Record,
            Input::Live(_) => Unit::Sequence,
        }
    }

    /// In words: of one record, of several, and the names of the first and of the last in a notice. Of bytes the last place is behind it.
    fn words(self) -> [&'static str; 4] {
        match self {
            Unit::Offset => ["offset", "offsets", "first_offset", "end_offset"],
            Unit::Record => ["record", "records", "first_record", "last_record"],
            Unit::Sequence => ["sequence number", "sequence numbers", "first_sequence", "last_sequence"],
        }
    }
}

/// Records that are parked and not told of yet.
#[derive(Debug)]
pub struct Parking {
    unit: Unit,
    burst: Burst,
    run: Option<Run>,
}

/// Some records one behind the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    records: u64,
    bytes: u64,
    first: u64,
    /// Where the last is; of offsets, behind it.
    end: u64,
    why: String,
    /// What the first begins with.
    front: Vec<u8>,
}

impl Parking {
    /// With what was parked before and not told.
    pub fn new(now: Instant, unit: Unit, run: Option<Run>) -> Parking {
        Parking { unit, burst: Burst::new(now), run }
    }

    /// When what is not told yet is to be told; `None` where there is nothing.
    pub fn due(&self) -> Option<Instant> {
        self.run.is_some().then(|| self.burst.due())
    }

    /// What is not told yet.
    pub fn waiting(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// A record was parked that stands at this place, for this reason.
    pub fn add(&mut self, place: u64, why: &str, bytes: &[u8]) {
        let length = bytes.len() as u64;
        let run = self.run.get_or_insert_with(|| Run {
            records: 0,
            bytes: 0,
            first: place,
            end: place,
            why: why.to_owned(),
            front: bytes.iter().take(SHOWN).copied().collect(),
        });
        run.records += 1;
        run.bytes += length;
        run.end = if self.unit == Unit::Offset { place.saturating_add(length) } else { place };
    }

    /// What is to be told now, in words and as a notice; `last` when there will be no other time.
    pub fn tell(&mut self, source: &str, (system, zone, now): (&str, Tz, i64), last: bool) -> Option<(String, Notice)> {
        if self.run.is_none() {
            self.burst.calm(Instant::now());
            return None;
        }
        if !self.burst.may_tell(Instant::now()) && !last {
            return None;
        }
        let run = self.run.take()?;
        let [one, several, first_name, last_name] = self.unit.words();
        let what = match run.records {
            1 => format!("{one} {}: parked: {}", run.first, run.why),
            n => format!("{several} {} to {}: {n} records parked: the first: {}", run.first, run.end, run.why),
        };
        let notice = Notice::new(PARKED, system, now, zone)
            .with("source", source)
            .with("records", run.records)
            .with(first_name, run.first)
            .with(last_name, run.end)
            .with("bytes", run.bytes)
            .with("reason", &run.why)
            .with("first_bytes", hex(&run.front));
        Some((format!("{what}; `qaudjrn spool export --parked` gives the bytes back"), notice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f04_places_are_named_for_what_they_are() {
        for (unit, said, keys) in [
            (
                Unit::Offset,
                "offsets 100 to 208: 2 records parked: the first: it is none;",
                [("first_offset", "100"), ("end_offset", "208")],
            ),
            (
                Unit::Record,
                "records 100 to 200: 2 records parked: the first: it is none;",
                [("first_record", "100"), ("last_record", "200")],
            ),
            (
                Unit::Sequence,
                "sequence numbers 100 to 200: 2 records",
                [("first_sequence", "100"), ("last_sequence", "200")],
            ),
        ] {
            let mut parking = Parking::new(Instant::now(), unit, None);
            parking.add(100, "it is none", b"12345678");
            parking.add(200, "nor this", b"12345678");
            let (text, notice) = parking.tell("a", ("S", Tz::UTC, 0), true).unwrap();
            assert!(text.starts_with(said), "{text}");
            let fields = format!("{notice:?}");
            for (key, value) in keys {
                assert!(fields.contains(key) && fields.contains(value), "{fields}");
            }
            assert!(unit == Unit::Offset || !fields.contains("_offset"), "{fields}");
            assert_eq!(parking.waiting(), None);
        }
    }
}
