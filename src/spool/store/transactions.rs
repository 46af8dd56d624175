//! What the store writes, each in one transaction.
use rusqlite::{Connection, Transaction};

use crate::spool::{
    batch::NewBatch,
    ledger::Board,
    parked,
    positions::Positions,
    rows::{self, BatchSummary, Place},
    schema, tables,
};

/// A batch to be stored, with the place of its source behind it. Without one the source stays where it is: the batch holds only what the
/// agent itself says.
pub(in crate::spool) type ToStore<'a> = (&'a NewBatch, Option<Place<'a>>);

/// Stores batches, each with its source's position and that of a part, and what is parked, with cursors that moved. Returns the number
/// of the first, and the bytes of parked records, of which there were `kept`; `most` are kept.
pub(super) fn store(
    db: &mut Connection,
    board: &Board,
    group: &[ToStore<'_>],
    (kept, most): (u64, u64),
) -> rusqlite::Result<(i64, u64)> {
    let (snapshot, log) = {
        let ledger = board.lock();
        (ledger.moved.then(|| ledger.snapshot()), ledger.loaded.log)
    };
    let first = log.last + 1;
    let mut kept = kept;
    let t = db.transaction()?;
    for (id, (new, place)) in (first..).zip(group) {
        kept = insert(&t, id, new, *place, (kept, most))?;
    }
    let last = first + i64::try_from(group.len()).unwrap_or(0) - 1;
    let log = log.with(log.first, last).write(&t)?;
    if let Some(snapshot) = &snapshot {
        tables::write_state(&t, &snapshot.cursors, &snapshot.outputs)?;
    }
    t.commit()?;
    let mut ledger = board.lock();
    if let Some(snapshot) = &snapshot {
        ledger.written(snapshot);
    }
    ledger.loaded.log = log;
    for (id, (new, _)) in (first..).zip(group) {
        ledger.loaded.live.insert(id, BatchSummary::new(id, &new.header, new.events as usize));
        ledger.books.stored(new);
    }
    Ok((first, kept))
}

/// Writes one batch with all that goes with it. Returns the bytes of parked records.
fn insert(
    t: &Transaction<'_>,
    id: i64,
    new: &NewBatch,
    place: Option<Place<'_>>,
    (kept, most): (u64, u64),
) -> rusqlite::Result<u64> {
    let source = &new.header.source;
    rows::insert(t, id, new, place)?;
    if let Some((position, file)) = place {
        tables::write_source(t, source, (position, &new.raw_sha256))?;
        if let Some((name, position)) = file {
            tables::write_file(t, source, (name, (position, id)))?;
        }
    }
    if new.parked.is_empty() {
        return Ok(kept);
    }
    parked::insert(t, (source, id, new.header.created_at), &new.parked, (kept, most))
}

/// Writes the cursors and deletes the batches that every output has passed. Returns the positions that are passed with them. Of the
/// pages that are free then, `keep` bytes stay in the file: the next batches need them.
pub(super) fn sync(db: &mut Connection, board: &Board, keep: u64) -> rusqlite::Result<Positions> {
    let (snapshot, passed, mut log) = {
        let ledger = board.lock();
        let passed = ledger.loaded.cursors.values().map(|c| c.now.batch).min().unwrap_or(0);
        (ledger.snapshot(), passed, ledger.loaded.log)
    };
    let t = db.transaction()?;
    tables::write_state(&t, &snapshot.cursors, &snapshot.outputs)?;
    let positions = passed_positions(&t, passed)?;
    if passed > log.first {
        rows::delete_before(&t, passed)?;
        log = log.with(passed, log.last).write(&t)?;
    }
    t.commit()?;
    {
        let mut ledger = board.lock();
        ledger.written(&snapshot);
        ledger.loaded.log = log;
        ledger.loaded.live = ledger.loaded.live.split_off(&passed);
    }
    let surplus = schema::free(db)?.saturating_sub(keep) / schema::PAGE;
    if surplus > 0 {
        // Each step of this statement gives one page back.
        let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(1_000)))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(positions)
}

/// The positions of sources and parts that stand with batches before a number.
fn passed_positions(t: &Transaction<'_>, passed: i64) -> rusqlite::Result<Positions> {
    let mut positions = Positions::new();
    let mut whole = t.prepare_cached(
        "SELECT source, position, max(id) FROM batch WHERE id < ?1 AND position <> '' GROUP BY source",
    )?;
    let mut rows = whole.query([passed])?;
    while let Some(r) = rows.next()? {
        positions.entry(r.get(0)?).or_default().position = r.get(1)?;
    }
    let mut files = t.prepare_cached(
        "SELECT source, part, part_position, max(id) FROM batch WHERE id < ?1 AND part IS NOT NULL GROUP BY source, part",
    )?;
    let mut rows = files.query([passed])?;
    while let Some(r) = rows.next()? {
        positions.entry(r.get(0)?).or_default().files.insert(r.get(1)?, r.get(2)?);
    }
    Ok(positions)
}
