//! Damaged batches are set aside, each alone, and what is told of them and of missing ones takes their places in the log: all of
//! it in one transaction.
use rusqlite::{Connection, Transaction, params};

use super::{
    batch::{BatchHeader, NewBatch},
    cursor::{self, Cursor},
    load::Loaded,
    loss::{self, Beside},
    rows::{self, BatchSummary, Damaged, Found},
};

/// The most damaged batches whose bytes are kept.
const KEPT: i64 = 100;

/// Sets aside what is damaged and tells of it and of what is missing. Returns sentences for the log.
pub(super) fn mend(db: &mut Connection, loaded: &mut Loaded, now: i64) -> rusqlite::Result<Vec<String>> {
    let (damaged, missing) = (std::mem::take(&mut loaded.damaged), std::mem::take(&mut loaded.missing));
    let broken = std::mem::take(&mut loaded.broken);
    if damaged.is_empty() && missing.is_empty() && broken.is_empty() {
        return Ok(Vec::new());
    }
    let mut told = Vec::new();
    let t = db.transaction()?;
    for d in &damaged {
        quarantine(&t, d, now)?;
        let new = loss::of_damaged(d, Around::of(&t, d.id, d.id)?.beside(), now);
        replace(&t, loaded, (d.id, d.id), &new)?;
        told.push(format!(
            "the spool: batch {} is damaged: {}; it is set aside, and a gap event tells of it",
            d.id, d.why
        ));
    }
    for (first, last) in missing {
        let new = loss::of_missing(first, last, Around::of(&t, first, last)?.beside(), now);
        replace(&t, loaded, (first, last), &new)?;
        told.push(format!("the spool: batches {first} to {last} are missing; a gap event tells of it"));
    }
    for what in broken {
        loaded.log.last += 1;
        let id = loaded.log.last;
        replace(&t, loaded, (id, id), &loss::of_broken(&what, now))?;
        told.push(format!("the spool: {what}; a gap event tells of it"));
    }
    loaded.log = loaded.log.write(&t)?;
    let moved = cursor::moved(&loaded.cursors);
    cursor::write(&t, &moved)?;
    t.commit()?;
    cursor::written(&mut loaded.cursors, &moved);
    Ok(told)
}

/// Keeps the bytes of a batch as they were found.
fn quarantine(t: &Transaction<'_>, d: &Damaged, now: i64) -> rusqlite::Result<()> {
    let kept: i64 = t.query_row("SELECT count(*) FROM damaged WHERE blob IS NOT NULL", [], |r| r.get(0))?;
    let blob = if kept < KEPT { "blob" } else { "NULL" };
    t.execute(
        &format!(
            "INSERT INTO damaged (id, found, why, source, about, position, blob) SELECT id, ?2, ?3, source, about, position, {blob} FROM batch WHERE id = ?1"
        ),
        params![d.id, now, d.why],
    )?;
    rows::delete(t, d.id)
}

/// Puts a batch into the place of the last of others: whoever stands before them or among them comes to it next.
fn replace(
    t: &Transaction<'_>,
    loaded: &mut Loaded,
    (first, last): (i64, i64),
    new: &NewBatch,
) -> rusqlite::Result<()> {
    rows::insert(t, last, new, None)?;
    loaded
        .live
        .insert(last, BatchSummary { since: first, ..BatchSummary::new(last, &new.header, new.events as usize) });
    for kept in loaded.cursors.values_mut().filter(|k| k.now.batch == last) {
        kept.now = Cursor { batch: last, event: 0 };
    }
    Ok(())
}

/// What the batches beside some others say of themselves.
struct Around {
    before: Option<BatchHeader>,
    after: Option<BatchHeader>,
}

impl Around {
    fn of(db: &Connection, first: i64, last: i64) -> rusqlite::Result<Around> {
        let header = |id: i64, forward: bool| -> rusqlite::Result<Option<BatchHeader>> {
            Ok(match rows::near(db, 3, id, forward)? {
                // What the agent itself says is of no entries.
                Some((Found::Whole(head), _)) if head.header.last_sequence > 0 => Some(head.header),
                _ => None,
            })
        };
        Ok(Around { before: header(first - 1, false)?, after: header(last + 1, true)? })
    }

    fn beside(&self) -> Beside<'_> {
        Beside { before: self.before.as_ref(), after: self.after.as_ref() }
    }
}

/// Sets one batch aside that was found damaged while the agent runs.
pub(super) fn one(
    db: &mut Connection,
    loaded: &mut Loaded,
    damaged: Damaged,
    now: i64,
) -> rusqlite::Result<Vec<String>> {
    loaded.damaged.push(damaged);
    mend(db, loaded, now)
}
