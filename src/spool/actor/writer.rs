//! The thread that writes the spool: what it is asked, and which batches it stores together.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    sync::mpsc::{Receiver, error::TryRecvError},
    time::timeout,
};

use crate::spool::{
    SpoolError,
    batch::NewBatch,
    store::{Store, ToStore},
};

/// A transaction takes so many batches, and so many bytes of them, at most.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 8 << 20;
/// While several sources store little batches, a transaction begins so long after the one before it: 20 syncs a second are enough.
const APART: Duration = Duration::from_millis(50);
/// What counts as a little one: a batch that is full has more.
const LITTLE: usize = 256 << 10;
/// Sources that stored something so long ago still count as several.
const LATELY: Duration = Duration::from_secs(1);

/// A batch on its way to the disk.
pub(super) struct Append {
    pub(super) batch: NewBatch,
    pub(super) place: Option<Place>,
    /// Is told what became of it.
    pub(super) done: Done,
}

/// The position of a source, and that of a file with its name first.
pub(super) type Place = (String, Option<(String, String)>);

/// Takes the number of a batch, or why it is not stored, with the batch. Who asked may be gone.
pub(super) type Done = Box<dyn FnOnce(Stored) + Send>;

/// See [`Done`].
pub(super) type Stored = Result<i64, (Box<NewBatch>, SpoolError)>;

/// What the thread is asked.
pub(super) enum Command {
    Append(Box<Append>),
    Run(Box<dyn FnOnce(&mut Store) + Send>),
}

/// The thread.
pub(super) struct Writer {
    store: Store,
    /// When the last transaction ended.
    last: Option<Instant>,
    /// The sources that stored something lately, and when.
    sources: BTreeMap<String, Instant>,
}

impl Writer {
    pub(super) fn new(store: Store) -> Writer {
        Writer { store, last: None, sources: BTreeMap::new() }
    }

    /// Does what it is asked until nobody can ask any more.
    pub(super) fn run(mut self, runtime: &Runtime, mut commands: Receiver<Command>) {
        while let Some(command) = runtime.block_on(commands.recv()) {
            match command {
                Command::Run(what) => what(&mut self.store),
                Command::Append(first) => {
                    let group = self.gather(*first, runtime, &mut commands);
                    self.store(group);
                    self.last = Some(Instant::now());
                }
            }
        }
    }

    /// The batches that are stored together: those that wait, and where many sources store little those that come soon. Questions
    /// in between are answered: who asks one has nothing in the group.
    fn gather(&mut self, first: Append, runtime: &Runtime, commands: &mut Receiver<Command>) -> Vec<Append> {
        let (mut bytes, mut group) = (first.batch.plain.len(), vec![first]);
        let begin = self.last.map(|last| last + APART);
        let mut largest = bytes;
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let next = match commands.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let is_little = largest < LITTLE && self.sources.len() > 1;
                    let wait = begin.filter(|_| is_little).map(|b| b.saturating_duration_since(Instant::now()));
                    let Some(wait) = wait.filter(|w| !w.is_zero()) else { break };
                    let came = runtime.block_on(async { timeout(wait, commands.recv()).await });
                    let Ok(Some(next)) = came else { break };
                    next
                }
            };
            match next {
                Command::Run(what) => what(&mut self.store),
                Command::Append(append) => {
                    largest = largest.max(append.batch.plain.len());
                    bytes += append.batch.plain.len();
                    group.push(*append);
                }
            }
        }
        let now = Instant::now();
        self.sources.retain(|_, at| now.duration_since(*at) < LATELY);
        // What the agent itself says comes seldom.
        let sources = group.iter().map(|a| &a.batch.header.source).filter(|s| !s.is_empty());
        self.sources.extend(sources.map(|s| (s.clone(), now)));
        group
    }

    /// Stores a group. Where that fails, each by itself: one that cannot be stored holds up no other.
    fn store(&mut self, group: Vec<Append>) {
        let stored = {
            let all: Vec<ToStore<'_>> = group.iter().map(Append::to_store).collect();
            self.store.store(&all)
        };
        match stored {
            Ok(first) => {
                let (batches, told): (Vec<NewBatch>, Vec<Done>) = group.into_iter().map(|a| (a.batch, a.done)).unzip();
                self.store.remember(first, batches.into_iter());
                for (id, done) in (first..).zip(told) {
                    done(Ok(id));
                }
            }
            Err(e) if group.len() == 1 => {
                if let Some(append) = group.into_iter().next() {
                    (append.done)(Err((Box::new(append.batch), e)));
                }
            }
            Err(_) => group.into_iter().for_each(|append| self.store(vec![append])),
        }
    }
}

impl Append {
    fn to_store(&self) -> ToStore<'_> {
        let place = self.place.as_ref().map(|(position, file)| {
            (position.as_str(), file.as_ref().map(|(name, position)| (name.as_str(), position.as_str())))
        });
        (&self.batch, place)
    }
}
