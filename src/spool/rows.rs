//! The rows of batches: everything in them but the blob is under one sum, which holds the sum of the blob too.
use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    batch::{self, Batch, BatchHeader, NewBatch},
    seal::{Seal, column},
};
use crate::digest::Hash;

/// Where a source is behind a batch: its position, and that of a part with its name first.
pub(super) type Place<'a> = (&'a str, Option<(&'a str, &'a str)>);

/// Everything that a batch says of itself.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: i64,
    source: String,
    pub(super) format: i64,
    text: String,
    /// What it was made from.
    pub(super) header: BatchHeader,
    /// The position of its source behind it; empty where it moves none.
    pub(super) position: String,
    part: Option<String>,
    part_position: Option<String>,
    /// Over the records as read, chained.
    pub(super) raw: Hash,
    /// Events in it.
    pub(super) events: i64,
    pub(super) blob_sum: Hash,
    /// The hash that it is chained to.
    pub(super) previous: Hash,
}

/// A row that is there.
pub(super) enum Found {
    /// It is what was written, but for the blob, which is not looked at here.
    Whole(Box<Head>),
    /// It is not. What it says of itself may be wrong.
    Damaged(Box<Damaged>),
}

impl Found {
    /// Its number.
    fn id(&self) -> i64 {
        match self {
            Found::Whole(head) => head.id,
            Found::Damaged(damaged) => damaged.id,
        }
    }
}

/// A batch that cannot be delivered.
#[derive(Clone, Debug)]
pub(super) struct Damaged {
    pub(super) id: i64,
    /// What it says of itself, and whether that is what was written.
    pub(super) header: Option<(BatchHeader, bool)>,
    /// Events it says it has.
    pub(super) events: i64,
    /// What is wrong.
    pub(super) why: String,
}

/// A stored batch, in short.
#[derive(Clone, Debug)]
pub(super) struct BatchSummary {
    pub(super) source: Arc<str>,
    pub(super) events: usize,
    pub(super) created_at: i64,
    /// The first number that it stands for: batches that are missing are told of in the place of the last.
    pub(super) since: i64,
}

impl BatchSummary {
    pub(super) fn new(id: i64, header: &BatchHeader, events: usize) -> BatchSummary {
        BatchSummary {
            source: header.source.as_str().into(),
            events,
            created_at: header.created_at,
            since: header.since.unwrap_or(id),
        }
    }
}

impl Head {
    /// As it is to be written.
    fn of(id: i64, new: &NewBatch, place: Option<Place<'_>>) -> Head {
        let (position, part) = place.unwrap_or_default();
        Head {
            id,
            source: new.header.source.clone(),
            format: batch::FORMAT,
            text: serde_json::to_string(&new.header).unwrap_or_default(),
            header: new.header.clone(),
            position: position.to_owned(),
            part: part.map(|p| p.0.to_owned()),
            part_position: part.map(|p| p.1.to_owned()),
            raw: new.raw_sha256,
            events: i64::from(new.events),
            blob_sum: crate::digest::checksum(&new.blob),
            previous: new.previous,
        }
    }

    fn seal(&self) -> Hash {
        let seal = Seal::of("batch").number(self.id).text(&self.source).number(self.format).text(&self.text);
        let seal = seal.text(&self.position).optional(self.part.as_deref()).optional(self.part_position.as_deref());
        seal.bytes(&self.raw).number(self.events).bytes(&self.blob_sum).bytes(&self.previous).done()
    }

    /// In short.
    pub(super) fn live(&self) -> BatchSummary {
        BatchSummary::new(self.id, &self.header, usize::try_from(self.events).unwrap_or(0))
    }

    /// Opens its blob, or says what is wrong with it.
    pub(super) fn open(&self, blob: &[u8]) -> Result<Batch, Box<Damaged>> {
        let damaged = |why: &str| self.damaged(why.to_owned());
        if crate::digest::checksum(blob) != self.blob_sum {
            return Err(damaged("its checksum is another"));
        }
        let opened =
            Batch::open(self.id, self.header.clone(), blob).ok_or_else(|| damaged("its lengths do not add up"))?;
        match i64::try_from(opened.len()) {
            Ok(n) if n == self.events => Ok(opened),
            _ => Err(damaged("it has another number of events than it says")),
        }
    }

    /// It is damaged, though what it says of itself is as it was written.
    pub(super) fn damaged(&self, why: String) -> Box<Damaged> {
        Box::new(Damaged { id: self.id, header: Some((self.header.clone(), true)), events: self.events, why })
    }

    /// Writes it, with its blob.
    fn write(&self, t: &Transaction<'_>, blob: &[u8]) -> rusqlite::Result<()> {
        t.prepare_cached(
            "INSERT INTO batch (id, source, format, about, position, part, part_position, raw_sha256, events, blob_sha256, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            self.id,
            self.source,
            self.format,
            self.text,
            self.position,
            self.part,
            self.part_position,
            self.raw,
            self.events,
            self.blob_sum,
            blob
        ])?;
        self.write_seal(t)
    }

    /// Writes its sum and what it is chained to.
    fn write_seal(&self, t: &Transaction<'_>) -> rusqlite::Result<()> {
        t.prepare_cached("INSERT OR REPLACE INTO seal (id, previous, sum) VALUES (?1, ?2, ?3)")?.execute(params![
            self.id,
            self.previous,
            self.seal()
        ])?;
        Ok(())
    }
}

/// Writes a batch.
pub(super) fn insert(t: &Transaction<'_>, id: i64, new: &NewBatch, place: Option<Place<'_>>) -> rusqlite::Result<()> {
    Head::of(id, new, place).write(t, &new.blob)
}

/// Copies a row that is whole into another database.
pub(super) fn copy(t: &Transaction<'_>, head: &Head, blob: &[u8]) -> rusqlite::Result<()> {
    head.write(t, blob)
}

/// Writes the sums of rows that have none yet: those of an earlier version, each chained to the one of its source before it.
pub(super) fn seal_all(t: &Transaction<'_>, found: Vec<Found>) -> rusqlite::Result<()> {
    let mut chain: BTreeMap<String, Hash> = BTreeMap::new();
    for row in found {
        // A row that cannot be read is given no sum: it is found damaged.
        let Found::Whole(mut head) = row else { continue };
        head.previous = chain.insert(head.source.clone(), head.raw).unwrap_or_default();
        head.write_seal(t)?;
    }
    Ok(())
}

/// Takes a row out.
pub(super) fn delete(t: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    t.prepare_cached("DELETE FROM batch WHERE id = ?1")?.execute([id])?;
    t.prepare_cached("DELETE FROM seal WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Deletes the rows before one.
pub(super) fn delete_before(t: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    t.prepare_cached("DELETE FROM batch WHERE id < ?1")?.execute([id])?;
    t.prepare_cached("DELETE FROM seal WHERE id < ?1")?.execute([id])?;
    Ok(())
}

/// The columns of a head. Version 3 has a sum for it, the ones before it do not.
fn columns(version: i64) -> String {
    let parts = if version < 2 { "NULL, NULL" } else { "b.part, b.part_position" };
    let (seal, join) =
        if version < 3 { ("NULL, NULL", "") } else { ("s.previous, s.sum", "LEFT JOIN seal s ON s.id = b.id") };
    format!(
        "SELECT b.id, b.source, b.format, b.about, b.position, {parts}, b.raw_sha256, b.events, b.blob_sha256, {seal}, b.blob FROM batch b {join}"
    )
}

/// Where each column of a head stands in a row: source, format, about, position, part, its position, raw hash, events, hash of the
/// blob, what it is chained to, sum. The number stands first.
type Places = [usize; 11];
const SELECTED: Places = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const SALVAGED: Places = [5, 6, 7, 8, 9, 10, 11, 12, 13, 2, 3];

fn found(row: &Row<'_>, version: i64) -> rusqlite::Result<Found> {
    found_at(row, version, &SELECTED)
}

fn found_at(row: &Row<'_>, version: i64, at: &Places) -> rusqlite::Result<Found> {
    let [source, format, text, position, part, part_position, raw, events, blob_sum, previous, sum] = *at;
    let id: i64 = row.get(0)?;
    let [source, text, position]: [Option<String>; 3] =
        [column(row, source)?, column(row, text)?, column(row, position)?];
    let [part, part_position]: [Option<Option<String>>; 2] = [column(row, part)?, column(row, part_position)?];
    let [format, events]: [Option<i64>; 2] = [column(row, format)?, column(row, events)?];
    let [raw, blob_sum]: [Option<Hash>; 2] = [column(row, raw)?, column(row, blob_sum)?];
    let [previous, sum]: [Option<Option<Hash>>; 2] = [column(row, previous)?, column(row, sum)?];
    let header: Option<BatchHeader> = text.as_deref().and_then(|t| serde_json::from_str(t).ok());
    let said = (header.clone(), events);
    let head = || {
        let previous = match (version < 3, previous) {
            (true, _) => [0; 32],
            (false, previous) => previous??,
        };
        let head = Head {
            id,
            source: source?,
            format: format?,
            text: text?,
            header: header?,
            position: position?,
            part: part?,
            part_position: part_position?,
            raw: raw?,
            events: events?,
            blob_sum: blob_sum?,
            previous,
        };
        let is = version < 3 || sum == Some(Some(head.seal()));
        is.then_some(head)
    };
    let damaged = |why: String| {
        let header = said.0.clone().map(|a| (a, false));
        Found::Damaged(Box::new(Damaged { id, header, events: said.1.unwrap_or(0), why }))
    };
    Ok(match head() {
        None => damaged("what it says of itself is not what was written".to_owned()),
        Some(head) if head.format > batch::FORMAT || head.format < 1 => {
            damaged(format!("it has format {}", head.format))
        }
        Some(head) => Found::Whole(Box::new(head)),
    })
}

/// Goes through the rows in the order of their numbers, without their blobs.
pub(super) fn heads(db: &Connection, version: i64, each: &mut dyn FnMut(Found)) -> rusqlite::Result<()> {
    let mut s = db.prepare(&format!("{} ORDER BY b.id", columns(version)))?;
    let mut rows = s.query([])?;
    while let Some(row) = rows.next()? {
        each(found(row, version)?);
    }
    Ok(())
}

/// A row with its blob; of a blob that is none, nothing.
pub(super) type WithBlob = (Found, Vec<u8>);

/// The first row at or behind a number, or the last at or before it.
pub(super) fn near(db: &Connection, version: i64, id: i64, forward: bool) -> rusqlite::Result<Option<WithBlob>> {
    let (compare, order) = if forward { (">=", "ASC") } else { ("<=", "DESC") };
    db.prepare_cached(&format!("{} WHERE b.id {compare} ?1 ORDER BY b.id {order} LIMIT 1", columns(version)))?
        .query_row([id], |row| {
            let blob: Option<Vec<u8>> = column(row, 12)?;
            Ok((found(row, version)?, blob.unwrap_or_default()))
        })
        .optional()
}

/// A row of a database that is damaged, with its blob: by the order of its columns, whatever they are called now. From version 3 on
/// only one whose seal is found.
pub(super) fn salvage(db: &Connection, version: i64, id: i64) -> rusqlite::Result<Option<WithBlob>> {
    if version < 2 {
        return near(db, version, id, true).map(|row| row.filter(|(found, _)| found.id() == id));
    }
    let sealed = "SELECT b.rowid, s.*, b.* FROM batch b JOIN seal s ON s.rowid = b.rowid WHERE b.rowid = ?1";
    let plain = "SELECT b.rowid, NULL, NULL, NULL, b.* FROM batch b WHERE b.rowid = ?1";
    db.prepare_cached(if version < 3 { plain } else { sealed })?
        .query_row([id], |row| {
            let blob: Option<Vec<u8>> = column(row, 14)?;
            Ok((found_at(row, version, &SALVAGED)?, blob.unwrap_or_default()))
        })
        .optional()
}

/// The number of the first batch at or behind another, or of the last at or before it.
pub(super) fn neighbour(db: &Connection, id: i64, forward: bool) -> rusqlite::Result<Option<i64>> {
    let (compare, order) = if forward { (">=", "ASC") } else { ("<=", "DESC") };
    db.prepare_cached(&format!("SELECT rowid FROM batch WHERE rowid {compare} ?1 ORDER BY rowid {order} LIMIT 1"))?
        .query_row([id], |r| r.get(0))
        .optional()
}

/// Where a source stood behind its last batch that is whole.
pub(super) fn last_position(db: &Connection, source: &str) -> rusqlite::Result<Option<(String, Hash)>> {
    let mut s = db.prepare(&format!("{} WHERE b.source = ?1 AND b.position <> '' ORDER BY b.id DESC", columns(3)))?;
    let mut rows = s.query([source])?;
    while let Some(row) = rows.next()? {
        if let Found::Whole(head) = found(row, 3)? {
            return Ok(Some((head.position, head.raw)));
        }
    }
    Ok(None)
}
