//! What makes a report evidence: what was read, byte for byte, and by what program, when, with which configuration.
//!
//! For: the facts, gathered while captures are visited. Not for: how they are told ([`crate::cli::page::evidence`]).
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::{
    config::files,
    decode::{
        ebcdic::Charset,
        journal::{Entry, Heading},
    },
    digest::{checksum, hex},
    encode::{HeadingDefaults, escape::printable},
    event::EntryTime,
    source::{capture::Tally, receiver_chain::JournalPlace},
};

/// What a report was made of, when and by what.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// When it was made.
    pub made: DateTime<Utc>,
    /// Files of configuration, and SHA-256 of each or why it is not known.
    pub configurations: Vec<(String, String)>,
    /// What was read.
    pub captures: Vec<CaptureFacts>,
}

impl Evidence {
    /// Of captures and the configurations that were used.
    pub fn new(configurations: &[&PathBuf], captures: Vec<CaptureFacts>) -> Evidence {
        let configurations = configurations.iter().flat_map(|path| hashes(path)).collect();
        Evidence { made: Utc::now(), configurations, captures }
    }

    /// The program and its version.
    pub fn program() -> String {
        format!("qaudjrn {}", env!("CARGO_PKG_VERSION"))
    }
}

/// Of each file of a configuration, so that a report can be held against what it speaks of.
fn hashes(path: &Path) -> Vec<(String, String)> {
    match files::read(path) {
        Ok(texts) => texts.into_iter().map(|t| (t.file, hex(&checksum(t.text.as_bytes())))).collect(),
        Err(e) => vec![(path.display().to_string(), format!("not known: {e}"))],
    }
}

/// What one capture is.
#[derive(Clone, Debug, Default)]
pub struct CaptureFacts {
    /// As it was named.
    pub name: String,
    /// What it was found to be.
    pub what: String,
    /// Bytes of the file and their SHA-256, where they were counted.
    pub sum: Option<Result<(u64, String), String>>,
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// The first entry.
    pub first: Option<EntryFacts>,
    /// The last entry.
    pub last: Option<EntryFacts>,
}

impl CaptureFacts {
    /// Counts its bytes.
    pub fn counted(&mut self, tally: Option<Tally>) {
        self.sum = tally.map(|t| t.finish().map_err(|e| e.to_string()));
    }
}

/// Which entry it is.
#[derive(Clone, Debug)]
pub struct EntryFacts {
    /// The system that it is of.
    pub system: String,
    /// Where in the journal it stands.
    pub place: JournalPlace,
    /// When it was written.
    pub time: Option<EntryTime>,
}

impl EntryFacts {
    /// Of an entry; `given` is what its heading does not hold.
    pub fn new(
        entry: &Entry<'_>,
        time: Option<EntryTime>,
        job: &'static Charset,
        given: &HeadingDefaults,
    ) -> EntryFacts {
        let h = entry.heading;
        let name = |own: &[u8], given: &[u8]| {
            let text = job.decode_string(own);
            let text = if text.trim_end().is_empty() { job.decode_string(given) } else { text };
            printable(text.trim_end())
        };
        EntryFacts {
            system: name(entry.head(h.system_name), &given.system),
            place: JournalPlace {
                library: name(entry.head(h.receiver_library), &given.receiver_library),
                receiver: name(entry.head(h.receiver_name), &given.receiver),
                sequence: entry.sequence,
            },
            time,
        }
    }
}

/// The heading of the last entry, kept as bytes: names are made of it only at the end.
#[derive(Default)]
pub struct LastEntry {
    record: Vec<u8>,
    time: Option<EntryTime>,
}

impl LastEntry {
    /// One more entry.
    #[inline]
    pub fn see(&mut self, entry: &Entry<'_>, time: Option<EntryTime>) {
        self.record.clear();
        self.record.extend_from_slice(entry.record.get(..entry.heading.length).unwrap_or(&[]));
        self.time = time;
    }

    /// Which it was.
    pub fn facts(&self, heading: &Heading, job: &'static Charset, given: &HeadingDefaults) -> Option<EntryFacts> {
        let entry = Entry::new(heading, &self.record).ok()?;
        Some(EntryFacts::new(&entry, self.time, job, given))
    }
}
