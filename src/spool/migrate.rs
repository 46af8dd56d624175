//! Databases of earlier versions, made into those of this one: a version at a time, each in one transaction. Nothing in them is
//! given up, and batches keep their numbers.
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

use super::{
    batch, cursor,
    rows::{self, Damaged, Head},
    schema,
    seal::column,
    tables::{self, Log},
};

/// Brings a database to the version that this program writes. An error comes with the version that it has then.
pub(super) fn up(db: &mut Connection, from: i64) -> Result<(), (i64, rusqlite::Error)> {
    if from < 2 {
        one_to_two(db).map_err(|e| (1, e))?;
    }
    if from < 3 {
        two_to_three(db).map_err(|e| (2, e))?;
    }
    Ok(())
}

/// Makes a table of another version in the place of the one that goes by its name, which is `old_NAME` from then on.
fn replace(t: &Transaction<'_>, version: i64, name: &str) -> rusqlite::Result<()> {
    t.execute_batch(&format!("ALTER TABLE {name} RENAME TO old_{name}"))?;
    create(t, version, name)
}

fn create(t: &Transaction<'_>, version: i64, name: &str) -> rusqlite::Result<()> {
    let begins = format!("CREATE TABLE {name} (");
    let sql = schema::tables(version).iter().find(|sql| sql.starts_with(&begins)).copied().unwrap_or_default();
    t.execute_batch(sql)
}

/// Version 2 has parts of sources, what outputs keep, four lanes in place of two, and events that say what they are.
fn one_to_two(db: &mut Connection) -> rusqlite::Result<()> {
    let (cursors, _) = cursor::read(db, 1)?;
    let last = last_number(db)?;
    let t = db.transaction()?;
    replace(&t, 2, "batch")?;
    replace(&t, 2, "cursor")?;
    create(&t, 2, "part")?;
    create(&t, 2, "output")?;
    {
        let mut s = t.prepare("SELECT id, position, blob_sha256, blob FROM old_batch ORDER BY id")?;
        let mut all = s.query([])?;
        while let Some(r) = all.next()? {
            let position: Option<String> = column(r, 1)?;
            let (sum, blob): (Option<crate::digest::Hash>, Option<Vec<u8>>) = (column(r, 2)?, column(r, 3)?);
            let blob = blob.filter(|blob| sum == Some(crate::digest::checksum(blob)));
            let blob = blob.and_then(|blob| batch::of_format_1(&blob));
            // What is damaged stays as it is, and is told of behind the migration.
            t.prepare_cached(
                "INSERT INTO batch (id, source, format, about, position, raw_sha256, events, blob_sha256, blob)
                SELECT id, source, ?2, about, coalesce(?3, position), raw_sha256, events, coalesce(?4, blob_sha256), coalesce(?5, blob)
                FROM old_batch WHERE id = ?1",
            )?
            .execute(params![
                r.get::<_, i64>(0)?,
                batch::FORMAT,
                position.as_deref().map(position_of_1),
                blob.as_deref().map(crate::digest::checksum),
                blob
            ])?;
        }
        let mut s = t.prepare("INSERT INTO cursor (output, lane, batch, event) VALUES (?1, ?2, ?3, ?4)")?;
        for ((output, lane), kept) in &cursors {
            s.execute(params![output, lane.index() as i64, kept.now.batch, kept.now.event as i64])?;
        }
    }
    t.execute_batch("DROP TABLE old_batch; DROP TABLE old_cursor;")?;
    {
        let mut s = t.prepare("SELECT name, position FROM source")?;
        let all: Vec<(Option<String>, Option<String>)> =
            s.query_map([], |r| Ok((column(r, 0)?, column(r, 1)?)))?.collect::<rusqlite::Result<_>>()?;
        // A row that is damaged is left out by the next step.
        for (name, position) in all.into_iter().filter_map(|(name, position)| name.zip(position)) {
            t.execute("UPDATE source SET position = ?1 WHERE name = ?2", [position_of_1(&position), name])?;
        }
    }
    // Numbers are never used again, also where every batch was delivered.
    t.execute("DELETE FROM sqlite_sequence WHERE name = 'batch'", [])?;
    t.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('batch', ?1)", [last])?;
    schema::mark(&t, 2)?;
    t.commit()
}

/// A batch of version 1 in the present form, with its blob, or what is wrong with it.
pub(super) fn batch_of_1(mut head: Head, blob: &[u8]) -> Result<(Head, Vec<u8>), Box<Damaged>> {
    if crate::digest::checksum(blob) != head.blob_sum {
        return Err(head.damaged("its checksum is another".to_owned()));
    }
    let now = batch::of_format_1(blob).ok_or_else(|| head.damaged("its lengths do not add up".to_owned()))?;
    head.format = batch::FORMAT;
    head.blob_sum = crate::digest::checksum(&now);
    head.position = position_of_1(&head.position);
    Ok((head, now))
}

/// A position of version 1 in the present form: the place in the file stood beside the last entry, and now stands below `feed`.
pub(super) fn position_of_1(text: &str) -> String {
    let Ok(Value::Object(mut position)) = serde_json::from_str(text) else { return text.to_owned() };
    let files =
        ["offset", "front", "front_length"].map(|key| position.remove(key).map(|value| (key.to_owned(), value)));
    if files.iter().all(Option::is_some) {
        position.insert("feed".to_owned(), Value::Object(files.into_iter().flatten().collect()));
    }
    Value::Object(position).to_string()
}

/// The number of the last batch that was ever stored, in versions 1 and 2.
fn last_number(db: &Connection) -> rusqlite::Result<i64> {
    let stored: Option<Option<i64>> =
        db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'batch'", [], |r| column(r, 0)).optional()?;
    let there: Option<i64> = db.query_row("SELECT max(id) FROM batch", [], |r| r.get(0))?;
    Ok(stored.flatten().unwrap_or(0).max(there.unwrap_or(0)))
}

/// Version 3 has a sum over every row, cursors in two generations, the numbers of the log, and what is parked or damaged. The
/// blobs stay where they are.
fn two_to_three(db: &mut Connection) -> rusqlite::Result<()> {
    let (cursors, _) = cursor::read(db, 2)?;
    let (outputs, _) = tables::outputs(db, 2)?;
    let (sources, _) = tables::sources(db, 2)?;
    let (files, _) = tables::files(db, 2, None)?;
    let last = last_number(db)?;
    let first: Option<i64> = db.query_row("SELECT min(id) FROM batch", [], |r| r.get(0))?;
    let mut heads = Vec::new();
    rows::heads(db, 2, &mut |found| heads.push(found))?;
    let t = db.transaction()?;
    for name in ["cursor", "output", "source", "part"] {
        replace(&t, 3, name)?;
        t.execute_batch(&format!("DROP TABLE old_{name}"))?;
    }
    for name in ["seal", "log", "parked", "damaged"] {
        create(&t, 3, name)?;
    }
    rows::seal_all(&t, heads)?;
    tables::write_state(&t, &cursors, &outputs)?;
    for (name, (position, raw)) in &sources {
        tables::write_source(&t, name, (position, raw))?;
    }
    for (source, (name, (position, batch))) in &files {
        tables::write_file(&t, source, (name, (position, *batch)))?;
    }
    Log::new(first.unwrap_or(last + 1), last).write(&t)?;
    schema::mark(&t, 3)?;
    t.commit()
}
