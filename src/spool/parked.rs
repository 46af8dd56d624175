//! Records that are no entries, kept with their bytes until somebody forgets them: bounded, the oldest go first.
use rusqlite::{Connection, Row, Transaction, params};

use super::{
    batch::Parked,
    seal::{Seal, column},
};
use crate::digest::Hash;

/// Bytes of records that are kept, at most; of a small spool an eighth.
const MOST: u64 = 64 << 20;

/// How many bytes of records a spool of a size keeps.
pub(super) fn most(max_size: u64) -> u64 {
    MOST.min(max_size / 8)
}

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub id: i64,
    /// The source that it came from.
    pub source: String,
    /// The batch that it was read with.
    pub batch: i64,
    /// When it was read, UTC microseconds.
    pub at: i64,
    /// The record.
    pub parked: Parked,
}

fn seal(source: &str, batch: i64, at: i64, place: i64, why: &str, bytes: &[u8]) -> Hash {
    Seal::of("parked").text(source).number(batch).number(at).number(place).text(why).bytes(bytes).done()
}

/// Writes records, and lets the oldest go until what is kept is not more than `most` bytes. Returns the bytes that are kept then,
/// where there were `kept` before.
pub(super) fn insert(
    t: &Transaction<'_>,
    (source, batch, at): (&str, i64, i64),
    records: &[Parked],
    (kept, most): (u64, u64),
) -> rusqlite::Result<u64> {
    let mut kept = kept;
    for record in records {
        let place = i64::try_from(record.place).unwrap_or(i64::MAX);
        t.prepare_cached(
            "INSERT INTO parked (source, batch, at, place, why, sum, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            source,
            batch,
            at,
            place,
            record.why,
            seal(source, batch, at, place, &record.why, &record.bytes),
            record.bytes
        ])?;
        kept += record.bytes.len() as u64;
    }
    while kept > most {
        let oldest: Option<(i64, i64)> = t
            .prepare_cached("SELECT id, length(bytes) FROM parked ORDER BY id LIMIT 1")?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
            .next()
            .transpose()?;
        let Some((id, length)) = oldest else { break };
        t.prepare_cached("DELETE FROM parked WHERE id = ?1")?.execute([id])?;
        kept = kept.saturating_sub(u64::try_from(length).unwrap_or(0));
    }
    Ok(kept)
}

/// Records and bytes that are kept.
pub(super) fn count(db: &Connection) -> rusqlite::Result<(u64, u64)> {
    let sums = db.query_row("SELECT count(*), coalesce(sum(length(bytes)), 0) FROM parked", [], |r| {
        Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?))
    })?;
    Ok((u64::try_from(sums.0).unwrap_or(0), u64::try_from(sums.1).unwrap_or(0)))
}

/// The number of a row, and the record where it is what was written.
fn kept(row: &Row<'_>) -> rusqlite::Result<(i64, Option<Kept>)> {
    let id = row.get(0)?;
    let [source, why]: [Option<String>; 2] = [column(row, 1)?, column(row, 5)?];
    let [batch, at, place]: [Option<i64>; 3] = [column(row, 2)?, column(row, 3)?, column(row, 4)?];
    let (sum, bytes): (Option<Hash>, Option<Vec<u8>>) = (column(row, 6)?, column(row, 7)?);
    let whole = || {
        let (source, batch, at, place, why, bytes) = (source?, batch?, at?, place?, why?, bytes?);
        let is = sum? == seal(&source, batch, at, place, &why, &bytes);
        let parked = Parked { place: u64::try_from(place).ok()?, why, bytes };
        is.then_some(Kept { id, source, batch, at, parked })
    };
    Ok((id, whole()))
}

/// Goes through the records in the order in which they were read; of one that is damaged there is the number alone.
pub(super) fn each(
    db: &Connection,
    take: &mut dyn FnMut(i64, Option<Kept>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut s = db.prepare("SELECT id, source, batch, at, place, why, sum, bytes FROM parked ORDER BY id")?;
    let mut rows = s.query([])?;
    while let Some(row) = rows.next()? {
        let (id, record) = kept(row)?;
        take(id, record)?;
    }
    Ok(())
}

/// Copies what is whole into another database.
pub(super) fn copy(from: &Connection, t: &Transaction<'_>) -> rusqlite::Result<()> {
    each(from, &mut |_, record| {
        if let Some(k) = record {
            insert(t, (&k.source, k.batch, k.at), &[k.parked], (0, u64::MAX))?;
        }
        Ok(())
    })
}
