//! The spool as the agent uses it: one thread writes it, and many batches that wait become one transaction with one sync.
//!
//! What is asked of the thread goes through a channel of bounded length. What can be answered from memory is
//! ([`super::ledger`]), so that nobody who moves a cursor waits for the disk; old batches are read by a connection of their own.
mod outputs;
mod reader;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering, mpsc::sync_channel},
    thread::{self, JoinHandle},
};

use tokio::{
    runtime,
    sync::{
        mpsc::{Sender, channel, error::TrySendError},
        oneshot, watch,
    },
};

pub use self::outputs::{Delivered, Start, Waiting};
use self::{
    reader::Reader,
    writer::{Append, Command, Done, Stored, Writer},
};
use super::{
    SpoolError, SpoolOptions,
    batch::{Batch, BatchHeader, Builder, NewBatch},
    ledger::{Board, Ledger, View},
    store::Store,
};
use crate::{
    digest::Hash,
    event::Notice,
    runtime::{blocking, off_task},
};

/// The spool in numbers, for tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Batches stored.
    pub batches: i64,
    /// Events in them.
    pub events: i64,
    /// Bytes of database, write-ahead log and reserve.
    pub size: u64,
    /// The number of the last batch ever stored.
    pub last: i64,
}

/// Questions and batches that may wait for the thread.
const QUEUE: usize = 256;

/// The spool of one agent.
pub struct Spool {
    path: PathBuf,
    board: Arc<Board>,
    /// `None` while it is dropped.
    writer: Option<(Sender<Command>, JoinHandle<()>)>,
    reader: Arc<Reader>,
}

impl Spool {
    /// Opens the spool of a folder, or makes it. What was odd about it is returned in sentences for the log.
    ///
    /// After an error that [is not now](SpoolError::is_not_now) every file is as it was, but for the reserve.
    pub fn open(options: SpoolOptions) -> Result<(Spool, Vec<String>), SpoolError> {
        let path = options.state_dir.join("spool.db");
        let (store, board, notes) = Store::open(options)?;
        let (to, commands) = channel(QUEUE);
        let failed = |source| SpoolError::Io { path: path.clone(), source };
        // For the waits of the thread alone.
        let waits = runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let thread = thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || Writer::new(store).run(&waits, commands))
            .map_err(failed)?;
        let reader = Reader::new(path.clone(), board.clone());
        Ok((Spool { path, board, writer: Some((to, thread)), reader }, notes))
    }

    /// The same, however long it takes: while it does not work at present, `wait` is asked with the reason whether to try again, and
    /// waits before it answers.
    pub fn open_patiently(
        options: SpoolOptions,
        wait: &mut dyn FnMut(&SpoolError) -> bool,
    ) -> Result<(Spool, Vec<String>), SpoolError> {
        loop {
            match Spool::open(options.clone()) {
                Err(e) if e.is_not_now() && wait(&e) => {}
                other => return other,
            }
        }
    }

    fn send(&self, command: Command) -> Result<(), SpoolError> {
        let Some((to, _)) = &self.writer else { return Err(self.ended()) };
        let sent = match to.try_send(command) {
            Err(TrySendError::Full(command)) => blocking(|| to.blocking_send(command)).is_ok(),
            other => other.is_ok(),
        };
        if sent { Ok(()) } else { Err(self.ended()) }
    }

    fn ended(&self) -> SpoolError {
        SpoolError::Ended { path: self.path.clone() }
    }

    /// Has something done by the thread, and waits for it.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Store) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let (done, answer) = sync_channel(1);
        self.send(Command::Run(Box::new(move |store| _ = done.send(what(store)))))?;
        blocking(|| answer.recv()).unwrap_or_else(|_| Err(self.ended()))
    }

    /// The same for a task, which waits for it without a thread: where hundreds ask at once, hundreds of threads would wait.
    async fn ask_async<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Store) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let (to, _) = self.writer.as_ref().ok_or_else(|| self.ended())?;
        let (done, answer) = oneshot::channel();
        let command = Command::Run(Box::new(move |store| _ = done.send(what(store))));
        to.send(command).await.map_err(|_| self.ended())?;
        answer.await.unwrap_or_else(|_| Err(self.ended()))
    }

    /// Where a source goes on: its position, and the hash that its next batch is chained to.
    pub fn position(&self, source: &str) -> Result<Option<(String, Hash)>, SpoolError> {
        let source = source.to_owned();
        self.ask(move |s| s.position(&source))
    }

    /// Names of the sources that have a position, as far as they begin with this.
    pub fn sources(&self, prefix: &str) -> Result<BTreeSet<String>, SpoolError> {
        let prefix = prefix.to_owned();
        self.ask(move |s| s.sources(&prefix))
    }

    /// The same for a task.
    pub async fn position_async(&self, source: &str) -> Result<Option<(String, Hash)>, SpoolError> {
        let source = source.to_owned();
        self.ask_async(move |s| s.position(&source)).await
    }

    /// The position of a source that every output has passed, by the position file.
    pub async fn delivered_position(&self, source: &str) -> Result<Option<String>, SpoolError> {
        let source = source.to_owned();
        self.ask_async(move |s| Ok(s.delivered_position(&source))).await
    }

    /// The positions of the files of a source by their keys, and the batch that each was last read into (0: passed).
    pub fn files(&self, source: &str) -> Result<BTreeMap<String, (String, i64)>, SpoolError> {
        let source = source.to_owned();
        self.ask(move |s| s.files(&source))
    }

    /// Forgets the positions of files of a source.
    pub fn forget_files(&self, source: &str, names: &[String]) -> Result<(), SpoolError> {
        if names.is_empty() {
            return Ok(());
        }
        let (source, names) = (source.to_owned(), names.to_vec());
        self.ask(move |s| s.forget_files(&source, &names))
    }

    /// Stores a batch, its source's position, and that of the file that was read (its name first), in one transaction;
    /// when this returns, all of it is on the disk, and the batch is taken out of `new`. After an error it is not.
    pub fn append(&self, new: &mut NewBatch, position: &str, file: Option<(&str, &str)>) -> Result<i64, SpoolError> {
        self.store(new, Some(place(position, file)))
    }

    /// The same for a task, which waits for it without a thread.
    pub async fn append_async(
        &self,
        new: &mut NewBatch,
        position: &str,
        file: Option<(&str, &str)>,
    ) -> Result<i64, SpoolError> {
        let (to, _) = self.writer.as_ref().ok_or_else(|| self.ended())?;
        // Before the batch is taken: who is cancelled here keeps it.
        let permit = to.reserve().await.map_err(|_| self.ended())?;
        let (done, answer) = oneshot::channel();
        let done: Done = Box::new(move |stored| _ = done.send(stored));
        let batch = mem::replace(new, NewBatch::empty());
        permit.send(Command::Append(Box::new(Append { batch, place: Some(place(position, file)), done })));
        self.stored(new, answer.await.ok())
    }

    /// Stores what the agent itself has to say, for every output, in the order of the log; no source's position moves.
    /// `source` is the one it is about, or empty.
    pub fn notify(&self, source: &str, notices: &[Notice]) -> Result<i64, SpoolError> {
        let created_at = notices.iter().map(|n| n.utc_micros).max().unwrap_or_default();
        let header = BatchHeader { source: source.to_owned(), created_at, ..BatchHeader::default() };
        let mut builder = Builder::new(header, &[0; 32]);
        notices.iter().for_each(|n| builder.push_notice(n));
        self.store(&mut builder.finish(), None)
    }

    fn store(&self, new: &mut NewBatch, place: Option<writer::Place>) -> Result<i64, SpoolError> {
        let (done, answer) = sync_channel(1);
        let done: Done = Box::new(move |stored| _ = done.send(stored));
        let append = Append { batch: mem::replace(new, NewBatch::empty()), place, done };
        // Where the thread has ended the batch goes with it: nothing is read on.
        self.send(Command::Append(Box::new(append)))?;
        let stored = blocking(|| answer.recv()).ok();
        self.stored(new, stored)
    }

    /// What became of a batch; one that is not stored is given back. Nothing where the thread has ended.
    fn stored(&self, new: &mut NewBatch, stored: Option<Stored>) -> Result<i64, SpoolError> {
        match stored {
            Some(Ok(id)) => Ok(id),
            Some(Err((batch, e))) => {
                *new = *batch;
                Err(e)
            }
            None => Err(self.ended()),
        }
    }

    /// The first batch at or behind a number; `None` when there is none yet. One that is damaged is set aside, and what is told of
    /// it comes in its place.
    pub fn next(&self, from: i64) -> Result<Option<Arc<Batch>>, SpoolError> {
        if let Some(known) = self.reader.in_memory(from) {
            return Ok(known);
        }
        // Whatever is odd is for the thread that can mend it.
        match blocking(|| self.reader.read(from)) {
            Some(batch) => Ok(Some(batch)),
            None => self.ask(move |s| s.next(from)),
        }
    }

    /// The same, as far as the disk is not needed for it: `None` where it is.
    pub fn next_in_memory(&self, from: i64) -> Option<Option<Arc<Batch>>> {
        self.reader.in_memory(from)
    }

    /// The same for a task, from the disk: another thread reads, and the task goes on where it was.
    pub async fn next_from_disk(&self, from: i64) -> Result<Option<Arc<Batch>>, SpoolError> {
        let reader = self.reader.clone();
        match off_task(move || reader.read(from)).await.flatten() {
            Some(batch) => Ok(Some(batch)),
            None => self.ask_async(move |s| s.next(from)).await,
        }
    }

    /// What changes: the newest batch, and that somebody who waits for something else is to look again.
    pub fn view(&self) -> watch::Receiver<View> {
        self.board.view.subscribe()
    }

    /// Wakes everybody who waits: something else changed, such as the wish to stop.
    pub fn wake(&self) {
        self.board.wake();
    }

    /// The number of the last batch ever stored.
    pub fn last(&self) -> i64 {
        self.lock().loaded.log.last
    }

    /// Whether [`sync`](Self::sync) has something to write.
    pub fn wants_sync(&self) -> bool {
        !self.board.is_at_rest() || self.board.unsettled.load(Ordering::Relaxed)
    }

    /// Waits until there is something to write where there was nothing.
    pub async fn stirred(&self) {
        self.board.stirred.notified().await;
    }

    /// Writes the cursors, deletes the batches that every output has passed, and writes the position file for them.
    pub fn sync(&self) -> Result<(), SpoolError> {
        // An idle agent does not wake the thread for nothing.
        if !self.wants_sync() {
            return self.board.check_place(&self.path);
        }
        self.ask(Store::sync)
    }

    /// The same for a task.
    pub async fn sync_async(&self) -> Result<(), SpoolError> {
        if !self.wants_sync() {
            return self.board.check_place(&self.path);
        }
        self.ask_async(Store::sync).await
    }

    /// The same at the end of an agent, and the log is written into the database: a copy of that file alone is the spool, also where
    /// a thread that hangs keeps it open.
    pub fn close(&self) -> Result<(), SpoolError> {
        self.reader.close();
        self.ask(Store::close)
    }

    /// Whether it has reached its size: then the sources are not read.
    pub fn is_full(&self) -> bool {
        self.board.is_full()
    }

    /// The same for those who only want to know: nobody waits for room because of it.
    pub fn is_at_its_size(&self) -> bool {
        self.board.is_at_its_size()
    }

    /// Another size. A spool that is larger already is full until outputs have passed enough.
    pub fn set_max_size(&self, bytes: u64) {
        self.board.max_size.store(bytes, Ordering::Relaxed);
    }

    /// How much of its size is used, 0 to 1 and more.
    pub fn pressure(&self) -> f64 {
        // Parked records stay until somebody forgets them: they hold up nothing.
        if self.board.is_empty.load(Ordering::Relaxed) {
            return 0.0;
        }
        self.board.used() as f64 / self.max_size().max(1) as f64
    }

    /// The folder of the state.
    pub fn folder(&self) -> &Path {
        &self.board.folder
    }

    /// Bytes it may have.
    pub fn max_size(&self) -> u64 {
        self.board.max_size.load(Ordering::Relaxed)
    }

    /// Bytes of database, write-ahead log and reserve.
    pub fn size(&self) -> u64 {
        self.board.size()
    }

    /// Those of them that are in use: what is deleted is room.
    pub fn used(&self) -> u64 {
        self.board.used()
    }

    /// Transactions that stored batches since the start. Each is synced once.
    pub fn commits(&self) -> u64 {
        self.board.commits.load(Ordering::Relaxed)
    }

    /// The spool in numbers.
    #[cfg(test)]
    pub fn status(&self) -> Status {
        let size = self.size();
        let live = &self.lock().loaded;
        Status {
            batches: i64::try_from(live.live.len()).unwrap_or(i64::MAX),
            events: live.live.values().map(|l| i64::try_from(l.events).unwrap_or(0)).sum(),
            size,
            last: live.log.last,
        }
    }

    /// The numbers of the batches in memory.
    #[cfg(test)]
    pub(super) fn recent(&self) -> Vec<i64> {
        self.lock().recent()
    }

    /// Sentences for the log that came up since the last call.
    pub fn take_notes(&self) -> Vec<String> {
        mem::take(&mut self.lock().notes)
    }

    /// Batches that were found damaged or missing since the start; each is told of in a gap event.
    pub fn damaged(&self) -> u64 {
        self.lock().damaged
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.board.lock()
    }
}

/// The position of a source and of a file, kept for the thread.
fn place(position: &str, file: Option<(&str, &str)>) -> writer::Place {
    (position.to_owned(), file.map(|(name, position)| (name.to_owned(), position.to_owned())))
}

impl Drop for Spool {
    /// Waits for the thread: then nobody holds the folder any more.
    fn drop(&mut self) {
        self.reader.close();
        if let Some((to, thread)) = self.writer.take() {
            drop(to);
            let _ = thread.join();
        }
    }
}
