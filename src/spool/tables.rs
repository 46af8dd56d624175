//! What of the database is kept in memory beside batches: what there is in short, and the state of outputs.
use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, Transaction, params};

use super::{
    batch::Continuity,
    cursor::{self, Cursors},
};

/// A stored batch, in short.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) source: Arc<str>,
    pub(super) events: usize,
    pub(super) made: i64,
}

/// What is kept of an output beside its cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptOutput {
    /// What it has spent of its daily budget, as its meter says it.
    pub(super) spent: Option<String>,
    /// Which lane an event is in, as the configuration said when the cursors moved.
    pub(super) lanes: Option<String>,
}

pub(super) type Outputs = BTreeMap<String, KeptOutput>;

impl Live {
    pub(super) fn new(about: &Continuity, events: usize) -> Live {
        Live { source: about.source.as_str().into(), events, made: about.made }
    }
}

pub(super) fn write_state(t: &Transaction<'_>, cursors: &Cursors, outputs: &Outputs) -> rusqlite::Result<()> {
    cursor::write(t, cursors)?;
    let mut s = t.prepare_cached("INSERT OR REPLACE INTO output (name, spent, lanes) VALUES (?1, ?2, ?3)")?;
    for (name, kept) in outputs {
        s.execute(params![name, kept.spent, kept.lanes])?;
    }
    Ok(())
}

/// Takes parts of a source off the disk, in one transaction.
pub(super) fn forget_parts(db: &mut Connection, source: &str, names: &[String]) -> rusqlite::Result<()> {
    let t = db.transaction()?;
    for name in names {
        t.prepare_cached("DELETE FROM part WHERE source = ?1 AND name = ?2")?.execute([source, name])?;
    }
    t.commit()
}

pub(super) fn outputs(db: &Connection) -> rusqlite::Result<Outputs> {
    let mut s = db.prepare("SELECT name, spent, lanes FROM output")?;
    s.query_map([], |r| Ok((r.get(0)?, KeptOutput { spent: r.get(1)?, lanes: r.get(2)? })))?.collect()
}

pub(super) fn live(db: &Connection) -> rusqlite::Result<BTreeMap<i64, Live>> {
    let mut s = db.prepare("SELECT id, events, about FROM batch")?;
    let rows = s.query_map([], |r| {
        let about: Continuity = serde_json::from_str(&r.get::<_, String>(2)?).unwrap_or_default();
        Ok((r.get(0)?, Live::new(&about, usize::try_from(r.get::<_, i64>(1)?).unwrap_or(0))))
    })?;
    rows.collect()
}
