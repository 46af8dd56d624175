//! Events to lines, entry by entry in memory: where the time goes, without reading and sending.
//!
//! `cargo bench --bench encode`. Entries are those of `fixtures/stories.type5`.
use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use qaudjrn::{
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Catalog, Entry, HeadingKind},
    },
    encode::{Encoder, Format, Profile, Settings},
    event::{Clock, EventModel, Options},
};

const CAPTURE: &[u8] = include_bytes!("../fixtures/stories.type5");
/// Bytes of each of its records.
const RECORD: usize = 8_609;

fn main() {
    divan::main();
}

fn model() -> EventModel {
    let catalog = Arc::new(Catalog::shipped().unwrap());
    let heading = catalog.heading(HeadingKind::Type5).unwrap().clone();
    EventModel::new(catalog, heading, Charset::of(Ccsid(37)).unwrap(), Options::default())
}

/// Looking at an entry and its time, as a dropped entry costs.
#[divan::bench]
fn see(bencher: Bencher) {
    let model = model();
    let mut clock = Clock::new(chrono_tz::UTC, None);
    bencher.counter(ItemsCount::new(CAPTURE.len() / RECORD)).bench_local(|| {
        for record in CAPTURE.chunks(RECORD) {
            let entry = Entry::new(model.heading(), record).unwrap();
            divan::black_box(model.event(entry, clock.read(&entry)).kind.index);
        }
    });
}

/// The same and the line.
#[divan::bench(args = [Format::Cef, Format::Leef, Format::Syslog, Format::Json])]
fn line(bencher: Bencher, format: Format) {
    let model = model();
    let profile = Profile::native().unwrap();
    let settings = Settings::new(format, &profile);
    let mut encoder = Encoder::new(&model, profile, settings);
    let mut clock = Clock::new(chrono_tz::UTC, None);
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(CAPTURE.len() / RECORD)).bench_local(|| {
        for record in CAPTURE.chunks(RECORD) {
            let entry = Entry::new(model.heading(), record).unwrap();
            out.clear();
            encoder.encode(&model.event(entry, clock.read(&entry)), &mut out);
            divan::black_box(&out);
        }
    });
}
