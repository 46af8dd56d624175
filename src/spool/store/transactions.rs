//! What the store writes, each in one transaction.
use super::Inner;
use crate::spool::{
    batch::NewBatch,
    cursor, parked,
    positions::Positions,
    rows::{self, Place},
    schema, tables,
};

/// Stores a batch, its source's position and that of a part, what is parked, with cursors that moved; returns its number. Without
/// a place the source stays where it is: the batch holds only what the agent itself says. `most` bytes of parked records are kept.
pub(super) fn store(inner: &mut Inner, new: &NewBatch, place: Option<Place<'_>>, most: u64) -> rusqlite::Result<i64> {
    let Inner { db, loaded, moved, .. } = inner;
    let t = db.transaction()?;
    let source = &new.about.source;
    let id = loaded.log.last + 1;
    rows::insert(&t, id, new, place)?;
    if let Some((position, part)) = place {
        tables::write_source(&t, source, (position, &new.raw_sha256))?;
        if let Some((name, position)) = part {
            tables::write_part(&t, source, (name, (position, id)))?;
        }
    }
    let mut kept = inner.parked;
    if !new.parked.is_empty() {
        kept = parked::insert(&t, (source, id, new.about.made), &new.parked, (kept, most))?;
    }
    let log = loaded.log.with(loaded.log.first, id).write(&t)?;
    if *moved {
        tables::write_state(&t, &loaded.cursors, &loaded.outputs)?;
    }
    t.commit()?;
    if std::mem::take(moved) {
        cursor::written(&mut loaded.cursors);
    }
    loaded.log = log;
    inner.parked = kept;
    Ok(id)
}

/// Writes the cursors and deletes the batches that every output has passed. Returns the positions that are passed with them. Of the
/// pages that are free then, `keep` bytes stay in the file: the next batches need them.
pub(super) fn sync(inner: &mut Inner, keep: u64) -> rusqlite::Result<Positions> {
    let Inner { db, loaded, moved, .. } = inner;
    let passed = loaded.cursors.values().map(|c| c.now.batch).min().unwrap_or(0);
    let t = db.transaction()?;
    tables::write_state(&t, &loaded.cursors, &loaded.outputs)?;
    let mut positions = Positions::new();
    {
        let mut whole = t.prepare_cached(
            "SELECT source, position, max(id) FROM batch WHERE id < ?1 AND position <> '' GROUP BY source",
        )?;
        let mut rows = whole.query([passed])?;
        while let Some(r) = rows.next()? {
            positions.entry(r.get(0)?).or_default().position = r.get(1)?;
        }
        let mut parts = t.prepare_cached(
            "SELECT source, part, part_position, max(id) FROM batch WHERE id < ?1 AND part IS NOT NULL GROUP BY source, part",
        )?;
        let mut rows = parts.query([passed])?;
        while let Some(r) = rows.next()? {
            positions.entry(r.get(0)?).or_default().parts.insert(r.get(1)?, r.get(2)?);
        }
    }
    let mut log = loaded.log;
    if passed > log.first {
        rows::delete_before(&t, passed)?;
        log = log.with(passed, log.last).write(&t)?;
    }
    t.commit()?;
    cursor::written(&mut loaded.cursors);
    *moved = false;
    loaded.log = log;
    loaded.live = loaded.live.split_off(&passed);
    let surplus = schema::free(db)?.saturating_sub(keep) / schema::PAGE;
    if surplus > 0 {
        // Each step of this statement gives one page back.
        let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(1_000)))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(positions)
}
