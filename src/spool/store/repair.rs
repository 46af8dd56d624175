//! A database that is found damaged while it is in use: a batch is set aside alone, and where pages or tables are damaged the whole is
//! made anew of what is whole. What was found is said in sentences and counted.
use std::{collections::BTreeSet, mem};

use rusqlite::Connection;

use super::{Inner, Spool, transactions};
use crate::{
    clock,
    spool::{
        SpoolError, fault,
        files::{self, inode},
        load::Loaded,
        loss, mend, open,
        rebuild::{self, Rebuilt},
        rows::Damaged,
        schema,
    },
};

impl Spool {
    /// Tells, for every source that is known, that what was stored of it is lost: all in one batch.
    pub(super) fn tell_of_all(&self, why: &str, now: i64) -> Result<(), SpoolError> {
        let sources: Vec<String> = self.lock().positions.positions().keys().cloned().collect();
        self.store(&mut loss::of_all(&sources, why, now), None)?;
        self.lock().damaged += sources.len().max(1) as u64;
        Ok(())
    }

    /// An error where nothing can be stored until the next start.
    pub(super) fn usable(&self, inner: &Inner) -> Result<(), SpoolError> {
        let lost = |reason: &String| SpoolError::Lost { path: self.path.clone(), reason: reason.clone() };
        inner.unusable.as_ref().map_or(Ok(()), |reason| Err(lost(reason)))
    }

    /// Does something with the database. Where that finds it damaged, it is made anew of what is whole, and it is done again.
    pub(super) fn tried<T>(
        &self,
        inner: &mut Inner,
        mut what: impl FnMut(&mut Inner) -> rusqlite::Result<T>,
    ) -> Result<T, SpoolError> {
        // A disk that failed once looks damaged once.
        let twice = what(inner).or_else(|e| if fault::is_damage(&e) { what(inner) } else { Err(e) });
        match twice {
            Err(e) if fault::is_damage(&e) => {
                self.rebuild(inner, &e.to_string())?;
                what(inner).map_err(|e| self.error(e))
            }
            other => other.map_err(|e| self.error(e)),
        }
    }

    /// Makes the database anew of what is whole of it, while it is in use.
    fn rebuild(&self, inner: &mut Inner, why: &str) -> Result<(), SpoolError> {
        // Nobody writes to the old file from here on.
        let nothing = Connection::open_in_memory().map_err(|e| self.error(e))?;
        drop(mem::replace(&mut inner.db, nothing));
        let now = clock::now().timestamp_micros();
        let rebuilt = rebuild::rebuild(&self.path, schema::VERSION, why, now).map_err(|fault| fault.at(&self.path));
        // Also where that failed: the file as it is serves better than none.
        let opened = open::open(&self.path, now)?;
        inner.db = opened.db;
        let found = inode(&self.path).map_err(|source| SpoolError::Io { path: self.path.clone(), source });
        inner.inode = found?.unwrap_or_default();
        let before = mem::replace(&mut inner.loaded, opened.loaded);
        inner.notes.extend(opened.notes);
        inner.damaged += opened.damaged;
        inner.recent.clear();
        inner.recent_bytes = 0;
        let rebuilt: Rebuilt = rebuilt?;
        if rebuilt.copied.is_none() || opened.lost.is_some() {
            return self.lost_in_use(inner, &before, why, now);
        }
        inner.damaged += rebuilt.damaged();
        inner.notes.push(rebuilt.words(&self.path, why));
        // What is in memory was never damaged.
        inner.loaded.remember(before);
        let told = mend::mend(&mut inner.db, &mut inner.loaded, now).map_err(|e| self.error(e))?;
        inner.damaged += told.len() as u64;
        inner.notes.extend(told);
        inner.moved = true;
        Ok(())
    }

    /// Nothing of the old database could be read: that is told to the outputs there are, by the next start, for the sources are
    /// to be read again from the position file.
    fn lost_in_use(&self, inner: &mut Inner, before: &Loaded, why: &str, now: i64) -> Result<(), SpoolError> {
        let mut sources: BTreeSet<String> = inner.positions.positions().keys().cloned().collect();
        sources.extend(before.live.values().map(|l| l.source.to_string()).filter(|name| !name.is_empty()));
        let sources: Vec<String> = sources.into_iter().collect();
        inner.loaded.begin_again(before);
        inner.moved = true;
        transactions::store(inner, &loss::of_all(&sources, why, now), None, u64::MAX).map_err(|e| self.error(e))?;
        files::loss_is_told(&self.path);
        inner.damaged += sources.len().max(1) as u64;
        inner.unusable = Some(why.to_owned());
        self.usable(inner)
    }

    /// Sentences for the log that came up since the last call.
    pub fn take_notes(&self) -> Vec<String> {
        mem::take(&mut self.lock().notes)
    }

    /// Batches that were found damaged or missing since the start; each is told of in a gap event.
    pub fn damaged(&self) -> u64 {
        self.lock().damaged
    }

    /// Sets a batch aside.
    pub(super) fn set_aside(&self, damaged: &Damaged) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        let now = clock::now().timestamp_micros();
        let told = self.tried(&mut inner, |i| mend::one(&mut i.db, &mut i.loaded, damaged.clone(), now))?;
        inner.damaged += told.len() as u64;
        inner.notes.extend(told);
        Ok(())
    }
}
