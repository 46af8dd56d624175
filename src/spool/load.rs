//! What a start reads of a database: all that is needed later, but for the blobs. What is not as it was written is found here.
use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{
    cursor::{self, Cursor, Cursors, Kept, Lane},
    rows::{self, BatchSummary, Damaged, Found, Head},
    tables::{self, Log, Outputs},
};
use crate::digest::Hash;

/// What is in a database.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) log: Log,
    pub(super) cursors: Cursors,
    pub(super) outputs: Outputs,
    pub(super) live: BTreeMap<i64, BatchSummary>,
    /// Batches whose rows are not what was written.
    pub(super) damaged: Vec<Damaged>,
    /// Batches that are to be there and are not: the first and the last number of each run of them.
    pub(super) missing: Vec<(i64, i64)>,
    /// Sentences about state that is damaged, which costs duplicates.
    pub(super) notes: Vec<String>,
    /// Sentences about what proves that something is wrong that cannot be named.
    pub(super) broken: Vec<String>,
    /// Rows about outputs are damaged: one that is not known may have been.
    pub(super) forgets_outputs: bool,
}

impl Loaded {
    /// Takes over what was known of a database before it was copied: the numbers that are to be there, and where the outputs stand.
    pub(super) fn remember(&mut self, before: Loaded) {
        for (key, kept) in before.cursors {
            let mut now = kept.now;
            // In the place of a damaged batch stands what is told of it.
            let events = |live: &BTreeMap<i64, BatchSummary>| live.get(&now.batch).map(|l| l.events);
            if events(&self.live) != events(&before.live) {
                now.event = 0;
            }
            self.cursors.entry(key).or_insert(Kept::new(now)).now = now;
        }
        self.outputs.extend(before.outputs);
        let log = self.log.with(before.log.first.min(self.log.first), before.log.last.max(self.log.last));
        count(self, Some(log));
    }

    /// Takes over the outputs of a database of which nothing else is left: they begin again.
    pub(super) fn begin_again(&mut self, before: &Loaded) {
        let first = Cursor { batch: self.log.first.max(1), event: 0 };
        self.cursors = before.cursors.keys().map(|key| (key.clone(), Kept::new(first))).collect();
        self.outputs.clone_from(&before.outputs);
    }
}

/// The chain of hashes from batch to batch, by source.
#[derive(Default)]
struct Links(BTreeMap<String, (i64, Hash)>);

impl Links {
    /// Takes the next batch. A sentence says where it does not follow on the one before.
    fn next(&mut self, head: &Head) -> Option<String> {
        if head.header.since.is_some() {
            // The chain goes through what was in this place and is told of.
            self.0.clear();
        }
        // What the agent itself says is in no chain.
        if head.position.is_empty() {
            return None;
        }
        let before = self.0.insert(head.header.source.clone(), (head.id, head.raw));
        match before {
            // A chain that begins anew did so because its end could not be read.
            Some((id, raw)) if head.previous != raw && head.previous != [0; 32] => Some(format!(
                "batch {} of source {} does not follow on batch {id}: something between them was taken away or changed",
                head.id, head.header.source
            )),
            _ => None,
        }
    }

    /// The source's own row says another hash than its last batch.
    fn end(&self, source: &str, raw: &Hash) -> Option<String> {
        let (id, last) = self.0.get(source)?;
        let told = || {
            format!(
                "the last batch of source {source} is not {id}, the last that is here: what came behind it was taken away"
            )
        };
        (last != raw).then(told)
    }
}

/// Reads a database of version 3.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Loaded> {
    let mut loaded = Loaded::default();
    let mut links = Links::default();
    let mut damaged_chain = false;
    rows::heads(db, 3, &mut |found| match found {
        Found::Whole(head) => {
            loaded.broken.extend(links.next(&head));
            loaded.live.insert(head.id, head.live());
        }
        Found::Damaged(damaged) => {
            damaged_chain = true;
            loaded.damaged.push(*damaged);
        }
    })?;
    let (cursors, notes) = cursor::read(db, 3)?;
    loaded.cursors = cursors;
    let (outputs, damaged) = tables::outputs(db, 3)?;
    loaded.outputs = outputs;
    loaded.forgets_outputs = !notes.is_empty() || !damaged.is_empty();
    loaded.notes.extend(notes);
    loaded.notes.extend(damaged.iter().map(|name| {
        format!("what the spool keeps of output {name:?} is damaged: its daily budget begins anew, and events may come twice")
    }));
    let (sources, damaged) = tables::sources(db, 3)?;
    loaded.notes.extend(damaged.iter().map(|name| {
        format!("where source {name:?} stands is damaged in the spool: it goes on behind its last batch that is whole, and entries may come twice")
    }));
    loaded.broken.extend(sources.iter().filter_map(|(name, (_, raw))| links.end(name, raw)));
    let (_, damaged) = tables::files(db, 3, None)?;
    if damaged > 0 {
        loaded.notes.push(format!(
            "{damaged} files of a folder are read again from their start: where they stand is damaged in the spool"
        ));
    }
    count(&mut loaded, Log::read(db)?);
    complete(&mut loaded);
    if damaged_chain || !loaded.missing.is_empty() {
        // What is damaged or missing is told by itself.
        loaded.broken.clear();
    }
    Ok(loaded)
}

/// Gives every output all its lanes. Where one stood that is not there any more, nobody knows: it may have been the slowest, so it begins
/// with the oldest batch.
fn complete(loaded: &mut Loaded) {
    let mut outputs: Vec<String> = loaded.cursors.keys().map(|(output, _)| output.clone()).collect();
    outputs.extend(loaded.outputs.keys().cloned());
    outputs.sort_unstable();
    outputs.dedup();
    let first = Cursor { batch: loaded.log.first.max(1), event: 0 };
    for output in outputs {
        let is_missing = |lane: &Lane| !loaded.cursors.contains_key(&(output.clone(), *lane));
        let missing: Vec<Lane> = Lane::ALL.into_iter().filter(is_missing).collect();
        if missing.is_empty() {
            continue;
        }
        let names: Vec<&str> = missing.iter().map(|lane| lane.name()).collect();
        loaded.notes.push(format!(
            "the spool does not say any more where output {output:?} stands with its events ({}): it begins with the oldest that are there, and events may come twice",
            names.join("; ")
        ));
        loaded.cursors.extend(missing.into_iter().map(|lane| ((output.clone(), lane), Kept::new(first))));
    }
}

/// Which numbers are to be there, and which of them are not.
pub(super) fn count(loaded: &mut Loaded, log: Option<Log>) {
    let there = || loaded.live.keys().copied().chain(loaded.damaged.iter().map(|d| d.id));
    let passed = loaded.cursors.values().map(|c| c.now.batch).min();
    let behind = loaded.cursors.values().map(|c| c.now.batch - 1).max();
    let last = [log.map(|l| l.last), there().max(), behind].into_iter().flatten().max().unwrap_or(0);
    let first = match log {
        // An older generation knows less of what was deleted than the cursors do. Of those, the slowest may be the one that is lost:
        // what is there was not passed by all.
        Some(log) => log.first.max(passed.unwrap_or(log.first).min(there().min().unwrap_or(i64::MAX))),
        None => there().min().unwrap_or(last + 1),
    };
    let mut next = first.max(1);
    let mut ids: Vec<(i64, i64)> = loaded.live.iter().map(|(id, l)| (*id, l.since)).collect();
    ids.extend(loaded.damaged.iter().map(|d| (d.id, d.id)));
    ids.sort_unstable();
    for (id, since) in ids {
        if since > next {
            loaded.missing.push((next, since - 1));
        }
        next = id + 1;
    }
    if next <= last {
        loaded.missing.push((next, last));
    }
    // What stood before the first is deleted: nobody waits for it.
    for kept in loaded.cursors.values_mut().filter(|k| k.now.batch < first) {
        kept.now = Cursor { batch: first, event: 0 };
    }
    loaded.log = log.map_or(Log::new(first, last), |l| l.with(first, last));
}
