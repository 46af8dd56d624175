//! What is told of batches that are damaged or missing: a batch of one notice stands in their place, in the order of the log,
//! and goes to every output.
use chrono_tz::Tz;

use super::{
    batch::{BatchHeader, Builder, NewBatch},
    rows::Damaged,
};
use crate::event::{Notice, notice::GAP};

/// The batches beside what is lost, as far as there are any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside<'a> {
    pub(super) before: Option<&'a BatchHeader>,
    pub(super) after: Option<&'a BatchHeader>,
}

/// What stands in the place of a damaged batch.
pub(super) fn of_damaged(damaged: &Damaged, beside: Beside<'_>, now: i64) -> NewBatch {
    let what = format!("batch {} of the spool is damaged ({}) and set aside", damaged.id, damaged.why);
    match &damaged.header {
        Some((header, true)) => {
            let text = format!(
                "{what}: it held {} events of the entries {} to {} of {}, which are not delivered",
                damaged.events, header.first_sequence, header.last_sequence, header.receiver
            );
            let place = |sequence: u64| format!("{}:{sequence}", header.receiver);
            let before = place(header.first_sequence.saturating_sub(1));
            notice(header, [before, place(header.last_sequence.saturating_add(1))], &text, damaged.id, now)
        }
        _ => unknown(&what, damaged.id, beside, now),
    }
}

/// What stands in the place of batches that are missing.
pub(super) fn of_missing(first: i64, last: i64, beside: Beside<'_>, now: i64) -> NewBatch {
    let what = match first == last {
        true => format!("batch {first} of the spool is missing"),
        false => format!("batches {first} to {last} of the spool are missing"),
    };
    unknown(&what, first, beside, now)
}

/// What is told where nothing of a spool can be read any more: of each source that is known, or of none.
pub(super) fn of_all(sources: &[String], why: &str, now: i64) -> NewBatch {
    let text = format!(
        "the spool could not be read ({why}) and was set aside: what it held and the source does not give again is not delivered"
    );
    let mut builder = Builder::new(BatchHeader { created_at: now, since: Some(0), ..BatchHeader::default() }, &[0; 32]);
    let names = if sources.is_empty() { &[String::new()][..] } else { sources };
    for source in names {
        let header = BatchHeader { source: source.clone(), ..BatchHeader::default() };
        builder.push_notice(&told(&header, Default::default(), &text, now));
    }
    builder.finish()
}

/// What is told where the chain from batch to batch is broken.
pub(super) fn of_broken(what: &str, now: i64) -> NewBatch {
    notice(&BatchHeader::default(), Default::default(), what, 0, now)
}

/// What it held is not known: what stands beside it is.
fn unknown(what: &str, since: i64, beside: Beside<'_>, now: i64) -> NewBatch {
    let last = |c: &BatchHeader| format!("{}:{}", c.receiver, c.last_sequence);
    let first = |c: &BatchHeader| format!("{}:{}", c.receiver, c.first_sequence);
    let around = [beside.before.map(last).unwrap_or_default(), beside.after.map(first).unwrap_or_default()];
    let known = beside.before.or(beside.after);
    // Of two sources it is not known which it was.
    let one = match (beside.before, beside.after) {
        (Some(a), Some(b)) => a.source == b.source,
        _ => true,
    };
    let header = match known {
        Some(c) if one => c.clone(),
        Some(c) => BatchHeader { source: String::new(), ..c.clone() },
        None => BatchHeader::default(),
    };
    let text = format!("{what}: what was in it is not known, and not delivered");
    notice(&header, around, &text, since, now)
}

fn told(header: &BatchHeader, [before, after]: [String; 2], text: &str, now: i64) -> Notice {
    let zone: Tz = header.zone.parse().unwrap_or(Tz::UTC);
    Notice::new(GAP, &header.system, now, zone)
        .with("source", &header.source)
        .with("last_before", before)
        .with("first_after", after)
        .with("missing", text)
}

fn notice(header: &BatchHeader, around: [String; 2], text: &str, since: i64, now: i64) -> NewBatch {
    let told = told(header, around, text, now);
    let header = BatchHeader {
        source: header.source.clone(),
        zone: header.zone.clone(),
        system: header.system.clone(),
        created_at: now,
        since: Some(since),
        ..BatchHeader::default()
    };
    let mut builder = Builder::new(header, &[0; 32]);
    builder.push_notice(&told);
    builder.finish()
}
