//! The journal of a live system as a source, followed by queries: [`mapepire`] or [`odbc`] asks, [`journal_tail`] says what and when.
//!
//! A task asks and reads ahead by two answers (`poll`); the feed hands out what it got. Everything that is sent to the system is in
//! [`statements`], and all of it is queries.
mod connection;
pub mod entry;
pub mod history_tail;
pub mod journal_tail;
pub mod login;
pub mod mapepire;
pub mod news;
pub mod odbc;
mod poll;
pub mod query;
mod range;
pub mod receivers;
pub mod request;
pub mod statements;
pub mod system;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration, vec};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::mpsc::{Receiver, channel},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub use self::connection::{Connection, Database};
use self::{
    journal_tail::TailOptions,
    news::{HistoryPlace, Mark, TailPlace, Update},
    poll::Poller,
    statements::Columns,
};
use super::{Checkpoint, Condition, Feed, FeedError, FeedEvent, Record, TOLD, WAIT};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Catalog, Heading},
    },
    files::read_regular,
    net::tls::pem::Pem,
};

/// Bytes of a file with a secret, at most.
const MOST_SECRET: u64 = 64 << 10;
/// Answers that are read ahead.
const AHEAD: usize = 2;

/// What the first line of a file holds that nobody else may read; `what` is its name.
pub fn secret(file: &Pem, what: &str) -> Result<String, String> {
    // A password has nothing to do with TLS, whose files are judged by the same rule.
    file.check_private()
        .map_err(|e| e.to_string().trim_start_matches("TLS: ").replace("this private key", &format!("this {what}")))?;
    let path = file.path().map_err(|e| e.to_string())?;
    let bytes = read_regular(&path, MOST_SECRET).map_err(|e| format!("{}: {e}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: expected the {what} in UTF-8", path.display()))?;
    match text.lines().next().unwrap_or("") {
        "" => Err(format!("{}: expected the {what} in the first line, found none", path.display())),
        line => Ok(line.to_owned()),
    }
}

/// A live system and how it is followed.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// How it is asked.
    pub database: Database,
    /// What is followed.
    pub tail: TailOptions,
    /// The shortest time between two looks, 1 s at least.
    pub poll: Duration,
    /// The columns it has, where it is not to be asked for them.
    pub columns: Option<Columns>,
    /// The journal is followed.
    pub journal: bool,
    /// The history log is.
    pub history: bool,
}

/// What is known of the system beside its answers.
#[derive(Clone)]
pub struct SystemContext {
    /// The tables.
    pub catalog: Arc<Catalog>,
    /// The heading of the records that are made.
    pub heading: Arc<Heading>,
    /// The character set of the jobs.
    pub charset: &'static Charset,
    /// Its time zone.
    pub zone: Tz,
    /// Its name; empty where it is asked.
    pub system: String,
}

/// A place in the journal and in the history log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LivePlace {
    #[serde(flatten)]
    journal: TailPlace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<HistoryPlace>,
}

impl LivePlace {
    fn in_journal(&self) -> Option<TailPlace> {
        Some(self.journal.clone()).filter(|p| !p.at.receiver.is_empty())
    }
}

/// What moves the place with each record.
enum Marks {
    Numbers(vec::IntoIter<u64>),
    Messages(vec::IntoIter<Mark>),
}

/// What the task says.
enum PollerMessage {
    Update(Box<Update>),
    /// It is read from now on, or why it is not.
    Condition(Option<String>),
    /// It does nothing more until the agent is told to begin again, and this is why.
    Halted(String),
}

/// A journal that is followed.
pub struct LiveFeed {
    heading: Arc<Heading>,
    messages: Receiver<PollerMessage>,
    runtime: Handle,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Records that came, how far they are handed out, and the place behind the last of these.
    bytes: Vec<u8>,
    taken: usize,
    marks: Marks,
    place: LivePlace,
    /// Something was handed out that is not stored.
    owes: bool,
    /// Why it is not read at present.
    down: Option<String>,
    /// What is to be said before anything else.
    first: Option<String>,
}

impl LiveFeed {
    /// Begins to follow, by a task of a runtime, until the wish to stop; `stored` is the place that was stored last.
    pub fn new(
        options: LiveOptions,
        context: SystemContext,
        stored: &Value,
        runtime: Handle,
        stop: &CancellationToken,
    ) -> LiveFeed {
        let (place, first) = match serde_json::from_value::<Option<LivePlace>>(stored.clone()) {
            Ok(place) => (place.unwrap_or_default(), None),
            Err(e) => {
                let text = format!("the stored place cannot be read ({e}): it begins as a source that is new");
                (LivePlace::default(), Some(text))
            }
        };
        let (to, messages) = channel(AHEAD);
        let stop = stop.child_token();
        let heading = context.heading.clone();
        let task = runtime.spawn(Poller { options, context, stop: stop.clone(), to }.run(place.clone()));
        LiveFeed {
            heading,
            messages,
            runtime,
            stop,
            task,
            bytes: Vec::new(),
            taken: 0,
            marks: Marks::Numbers(Vec::new().into_iter()),
            place,
            owes: false,
            down: Some("not reached yet".to_owned()),
            first,
        }
    }
}

impl LiveFeed {
    /// Takes in what the task has read; nothing is returned where that is records.
    fn take(&mut self, news: Update) -> Option<FeedEvent<'static>> {
        match news {
            Update::Records(bytes, numbers, place) => {
                // The number goes up record by record.
                let sequence = self.place.journal.at.sequence;
                self.place.journal = place;
                self.place.journal.at.sequence = sequence;
                (self.bytes, self.taken, self.marks) = (bytes, 0, Marks::Numbers(numbers.into_iter()));
                None
            }
            Update::History(bytes, marks) => {
                (self.bytes, self.taken, self.marks) = (bytes, 0, Marks::Messages(marks.into_iter()));
                None
            }
            Update::Moved(place) => {
                self.place.journal = place;
                Some(FeedEvent::Moved)
            }
            Update::Missing(gap, place) => {
                self.place.journal = place;
                Some(FeedEvent::Gap(gap))
            }
            Update::Began(place) => {
                self.place.history.get_or_insert(place);
                Some(FeedEvent::Moved)
            }
            Update::Offset(seconds) => Some(FeedEvent::Offset(seconds)),
            Update::Say(text) => Some(FeedEvent::Log(text)),
        }
    }
}

impl Feed for LiveFeed {
    fn next(&mut self) -> Result<FeedEvent<'_>, FeedError> {
        if let Some(text) = self.first.take() {
            return Ok(FeedEvent::PositionLost(text));
        }
        if self.taken >= self.bytes.len() {
            // What was handed out is to be stored before long; else there is nothing to look up for. The end of the task is told too.
            let limit = if self.owes { WAIT } else { TOLD };
            let messages = &mut self.messages;
            let came = self.runtime.block_on(async { timeout(limit, messages.recv()).await });
            match came {
                Ok(Some(PollerMessage::Update(update))) => {
                    if let Some(step) = self.take(*update) {
                        return Ok(step);
                    }
                }
                Ok(Some(PollerMessage::Condition(down))) => {
                    self.down = down;
                    return Ok(FeedEvent::Idle);
                }
                Ok(Some(PollerMessage::Halted(text))) => {
                    self.down = Some(format!("stopped: {text}"));
                    return Ok(FeedEvent::Halted(text));
                }
                Err(_) => return Ok(FeedEvent::Idle),
                // Who asks is about to stop too.
                Ok(None) if self.stop.is_cancelled() => return Ok(FeedEvent::Idle),
                Ok(None) => {
                    return Err(FeedError::NotNow("its task has ended: this is a mistake of the program".into()));
                }
            }
        }
        match &mut self.marks {
            Marks::Numbers(numbers) => {
                let Some(sequence) = numbers.next() else { return Ok(FeedEvent::Poll) };
                self.place.journal.at.sequence = sequence;
            }
            Marks::Messages(marks) => {
                let Some((time, what)) = marks.next() else { return Ok(FeedEvent::Poll) };
                self.place.history.get_or_insert_default().pass(&time, &what);
            }
        }
        let length = self.bytes.get(self.taken..).and_then(|b| b.first_chunk::<4>()).copied().unwrap_or_default();
        let from = self.taken + 4;
        self.taken = from + usize::try_from(u32::from_be_bytes(length)).unwrap_or(0);
        self.owes = true;
        let bytes = self.bytes.get(from..self.taken).unwrap_or(&[]);
        Ok(FeedEvent::Record(Record {
            bytes,
            heading: &self.heading,
            offset: self.place.journal.at.sequence,
            framed: true,
        }))
    }

    fn is_ready(&self) -> bool {
        self.taken < self.bytes.len()
    }

    fn condition(&self) -> Condition<'_> {
        self.down.as_deref().map_or(Condition::Reading, |why| Condition::Down(why.into()))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, FeedError> {
        Ok(Checkpoint { source: serde_json::to_value(&self.place).unwrap_or_default(), file: None })
    }

    fn on_committed(&mut self, _: i64) -> Result<(), FeedError> {
        self.owes = false;
        Ok(())
    }
}

impl Drop for LiveFeed {
    fn drop(&mut self) {
        self.stop.cancel();
        // Nobody takes what it is about to hand over; and the job on the other side has ended before the next begins.
        let _ = self.runtime.block_on(&mut self.task);
    }
}
