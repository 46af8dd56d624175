//! What the store writes, each in one transaction.
use rusqlite::params;

use super::Inner;
use crate::spool::{
    batch::{self, Hash, NewBatch},
    positions::Positions,
    schema, tables,
};

/// Where a source is behind a batch: its position, and that of a part with its name first.
pub(super) type Place<'a> = (&'a str, Option<(&'a str, &'a str)>);

/// Stores a batch, its source's position and that of a part, with cursors that moved; returns its number. Without a place
/// the source stays where it is: the batch holds only what the agent itself says.
pub(super) fn store(
    inner: &mut Inner,
    new: &NewBatch,
    about: &str,
    place: Option<Place<'_>>,
    sum: &Hash,
) -> rusqlite::Result<i64> {
    let Inner { db, cursors, outputs, moved, .. } = inner;
    let t = db.transaction()?;
    let source = &new.about.source;
    let (position, part) = place.unwrap_or(("", None));
    t.prepare_cached(
        "INSERT INTO batch (source, format, about, position, part, part_position, raw_sha256, events, blob_sha256, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        source,
        batch::FORMAT,
        about,
        position,
        part.map(|p| p.0),
        part.map(|p| p.1),
        new.raw_sha256,
        new.events,
        sum,
        new.blob
    ])?;
    let id = t.last_insert_rowid();
    if place.is_some() {
        t.prepare_cached("INSERT OR REPLACE INTO source (name, position, raw_sha256) VALUES (?1, ?2, ?3)")?
            .execute(params![source, position, new.raw_sha256])?;
    }
    if let Some((name, position)) = part {
        t.prepare_cached("INSERT OR REPLACE INTO part (source, name, position, batch) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![source, name, position, id])?;
    }
    if *moved {
        tables::write_state(&t, cursors, outputs)?;
    }
    t.commit()?;
    Ok(id)
}

/// Writes the cursors and deletes the batches before `passed`. Returns the positions that are passed with them. Of the pages
/// that are free then, `keep` bytes stay in the file: the next batches need them.
pub(super) fn sync(inner: &mut Inner, passed: i64, keep: u64) -> rusqlite::Result<Positions> {
    let Inner { db, cursors, outputs, .. } = inner;
    let t = db.transaction()?;
    tables::write_state(&t, cursors, outputs)?;
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
    t.prepare_cached("DELETE FROM batch WHERE id < ?1")?.execute([passed])?;
    t.commit()?;
    let surplus = schema::free(db)?.saturating_sub(keep) / schema::PAGE;
    if surplus > 0 {
        // Each step of this statement gives one page back.
        let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(1_000)))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(positions)
}
