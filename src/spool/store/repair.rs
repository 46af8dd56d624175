//! A database that is found damaged while it is in use: a batch is set aside alone, and where pages or tables are damaged the whole is
//! made anew of what is whole. What was found is said in sentences and counted.
use std::{
    collections::BTreeSet,
    mem,
    sync::{MutexGuard, atomic::Ordering},
};

use rusqlite::Connection;

use super::{Store, transactions};
use crate::{
    clock,
    spool::{
        SpoolError,
        books::Before,
        fault,
        files::{self, inode},
        ledger::Ledger,
        load::Loaded,
        loss, mend, open,
        rebuild::{self, Rebuilt},
        rows::Damaged,
        schema,
    },
};

impl Store {
    /// Tells, for every source that is known, that what was stored of it is lost: all in one batch.
    pub(super) fn tell_of_all(&mut self, why: &str, now: i64) -> Result<(), SpoolError> {
        let sources: Vec<String> = self.positions.positions().keys().cloned().collect();
        let new = loss::of_all(&sources, why, now);
        let id = self.store(&[(&new, None)])?;
        self.remember(id, std::iter::once(new));
        self.board.lock().damaged += sources.len().max(1) as u64;
        Ok(())
    }

    /// An error where nothing can be stored until the next start.
    pub(super) fn usable(&self) -> Result<(), SpoolError> {
        let lost = |reason: &String| SpoolError::Lost { path: self.path.clone(), reason: reason.clone() };
        self.unusable.as_ref().map_or(Ok(()), |reason| Err(lost(reason)))
    }

    /// Does something with the database. Where that finds it damaged, it is made anew of what is whole, and it is done again.
    pub(super) fn tried<T>(
        &mut self,
        mut what: impl FnMut(&mut Store) -> rusqlite::Result<T>,
    ) -> Result<T, SpoolError> {
        // A disk that failed once looks damaged once.
        let twice = what(self).or_else(|e| if fault::is_damage(&e) { what(self) } else { Err(e) });
        match twice {
            Err(e) if fault::is_damage(&e) => {
                self.rebuild(&e.to_string())?;
                what(self).map_err(|e| self.error(e))
            }
            other => other.map_err(|e| self.error(e)),
        }
    }

    /// Makes the database anew of what is whole of it, while it is in use.
    fn rebuild(&mut self, why: &str) -> Result<(), SpoolError> {
        // Nobody writes to the old file from here on.
        let nothing = Connection::open_in_memory().map_err(|e| self.error(e))?;
        drop(mem::replace(&mut self.db, nothing));
        let now = clock::now().timestamp_micros();
        let rebuilt = rebuild::rebuild(&self.path, schema::VERSION, why, now).map_err(|fault| fault.at(&self.path));
        self.board.generation.fetch_add(1, Ordering::SeqCst);
        // Also where that failed: the file as it is serves better than none.
        let opened = open::open(&self.path, now)?;
        self.db = opened.db;
        let found = inode(&self.path).map_err(|source| SpoolError::Io { path: self.path.clone(), source });
        let board = self.board.clone();
        let mut ledger = board.lock();
        let waited = ledger.before();
        ledger.inode = found?.unwrap_or_default();
        let before = mem::replace(&mut ledger.loaded, opened.loaded);
        ledger.notes.extend(opened.notes);
        ledger.damaged += opened.damaged;
        ledger.forget_recent();
        let rebuilt: Rebuilt = rebuilt?;
        if rebuilt.copied.is_none() || opened.lost.is_some() {
            return self.lost_in_use(ledger, (&before, &waited), why, now);
        }
        ledger.damaged += rebuilt.damaged();
        ledger.notes.push(rebuilt.words(&self.path, why));
        // What is in memory was never damaged.
        ledger.loaded.remember(before);
        let told = mend::mend(&mut self.db, &mut ledger.loaded, now).map_err(|e| self.error(e))?;
        ledger.damaged += told.len() as u64;
        ledger.notes.extend(told);
        ledger.rebook(&waited);
        ledger.mark_moved();
        Ok(())
    }

    /// Nothing of the old database could be read: that is told to the outputs there are, by the next start, for the sources are
    /// to be read again from the position file.
    fn lost_in_use(
        &mut self,
        mut ledger: MutexGuard<'_, Ledger>,
        (before, waited): (&Loaded, &Before),
        why: &str,
        now: i64,
    ) -> Result<(), SpoolError> {
        let mut sources: BTreeSet<String> = self.positions.positions().keys().cloned().collect();
        sources.extend(before.live.values().map(|l| l.source.to_string()).filter(|name| !name.is_empty()));
        let sources: Vec<String> = sources.into_iter().collect();
        ledger.loaded.begin_again(before);
        ledger.rebook(waited);
        ledger.mark_moved();
        ledger.damaged += sources.len().max(1) as u64;
        drop(ledger);
        let told = loss::of_all(&sources, why, now);
        transactions::store(&mut self.db, &self.board, &[(&told, None)], (self.parked, u64::MAX))
            .map_err(|e| self.error(e))?;
        files::loss_is_told(&self.path);
        self.unusable = Some(why.to_owned());
        self.board.unsettled.store(true, Ordering::Relaxed);
        self.usable()
    }

    /// Sets a batch aside.
    pub(super) fn quarantine(&mut self, damaged: &Damaged) -> Result<(), SpoolError> {
        let now = clock::now().timestamp_micros();
        let told = self.tried(|s| {
            let mut ledger = s.board.lock();
            let waited = ledger.before();
            let told = mend::one(&mut s.db, &mut ledger.loaded, damaged.clone(), now)?;
            ledger.rebook(&waited);
            Ok(told)
        })?;
        let mut ledger = self.board.lock();
        ledger.damaged += told.len() as u64;
        ledger.notes.extend(told);
        Ok(())
    }
}
