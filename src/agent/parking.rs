//! Records that are no entries: what is told of them, to the log and to every output, in runs and not one by one. Their bytes are kept
//! by the spool.
use std::time::Instant;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::burst::Burst;
use crate::{
    event::{Notice, notice::PARKED},
    spool::batch::hex,
};

/// Bytes of the first record that are shown.
const SHOWN: usize = 64;

/// Records that are parked and not told of yet.
#[derive(Debug)]
pub struct Parking {
    burst: Burst,
    run: Option<Run>,
}

/// Some records one behind the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    records: u64,
    bytes: u64,
    first: u64,
    /// Behind the last.
    end: u64,
    why: String,
    /// What the first begins with.
    front: Vec<u8>,
}

impl Parking {
    /// With what was parked before and not told.
    pub fn new(now: Instant, run: Option<Run>) -> Parking {
        Parking { burst: Burst::new(now), run }
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
        run.end = place.saturating_add(length);
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
        let what = match run.records {
            1 => format!("offset {}: parked: {}", run.first, run.why),
            n => format!("offsets {} to {}: {n} records parked: the first: {}", run.first, run.end, run.why),
        };
        let notice = Notice::new(PARKED, system, now, zone)
            .with("source", source)
            .with("records", run.records)
            .with("first_offset", run.first)
            .with("end_offset", run.end)
            .with("bytes", run.bytes)
            .with("reason", &run.why)
            .with("first_bytes", hex(&run.front));
        Some((format!("{what}; `qaudjrn spool export --parked` gives the bytes back"), notice))
    }
}
