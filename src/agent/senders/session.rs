//! One sender: from its connection into the [ingest](crate::agent::ingest), what that hands out into the spool, and to the sender how
//! much of what it sent is on the disk.
//!
//! Nothing is looked at in between: the task is woken by bytes, by another connection, by the end, and while a batch is open by its time.
use std::{
    io::{self, ErrorKind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep_until},
};

use super::seat::Seat;
use crate::{
    agent::{
        TaskContext,
        append::append_async,
        ingest::{Ingest, Of},
        log,
        position::position,
        shares::Share,
        trouble::Trouble,
    },
    decode::journal::{Heading, record::MAX_RECORD},
    source::{
        Checkpoint, Record, WAIT,
        receiver_chain::Gap,
        stream::{
            Sender, Wire, greeting,
            inbox::{Inbox, Next},
        },
    },
};

/// How long a batch waits for more of a sender that pauses, and how long for more of one that does not.
const QUIET: Duration = Duration::from_millis(50);
const PATIENCE: Duration = WAIT;

/// A connection and what came from it.
struct Connection {
    name: String,
    wire: Wire,
    inbox: Inbox,
    /// Records of it that were acknowledged: they are on the disk.
    acknowledged: u64,
}

/// The batch in the making.
struct Open {
    since: Instant,
    /// When something came last.
    last: Instant,
}

struct Session<'a> {
    of: Of<'a>,
    context: &'a TaskContext,
    heading: &'a Arc<Heading>,
    ingest: Ingest<'a>,
    share: Share,
    connection: Option<Connection>,
    open: Option<Open>,
}

/// What wakes it.
enum Woken {
    Stop,
    Came(Box<Sender>),
    Read(io::Result<usize>),
    Due,
}

/// Whether the agent goes on: one that stops while there is no room does not store what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    No,
}

/// Serves a sender until the wish to stop, one connection after another.
pub async fn serve(
    of: Of<'_>,
    context: &TaskContext,
    heading: &Arc<Heading>,
    seat: &Seat,
    trouble: &mut Trouble,
) -> anyhow::Result<()> {
    let (position, before, lost) = position(of.config, context).await?;
    let mut ingest = Ingest::new(of, position, &before);
    if let Some(text) = lost {
        ingest.gap(Gap::of(text));
    }
    trouble.is_over(of.stats);
    of.stats.set_up("listening");
    let share = context.shared.shares.enter();
    let mut session = Session { of, context, heading, ingest, share, connection: None, open: None };
    loop {
        let goes = match session.wait(seat).await {
            Woken::Came(sender) => session.greet(*sender, seat).await?,
            Woken::Read(read) => session.take_in(read).await?,
            Woken::Due => session.store(false).await?,
            Woken::Stop => {
                session.store(true).await?;
                return Ok(());
            }
        };
        if goes == Goes::No {
            return Ok(());
        }
    }
}

impl Session<'_> {
    /// Waits for what comes next.
    async fn wait(&mut self, seat: &Seat) -> Woken {
        let (due, context, connection) = (self.due(), self.context, &mut self.connection);
        let timer = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let read = async {
            match connection {
                Some(c) => c.wire.read(c.inbox.room()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = context.drain.cancelled() => Woken::Stop,
            sender = seat.latest() => Woken::Came(Box::new(sender)),
            () = timer => Woken::Due,
            read = read => Woken::Read(read),
        }
    }

    /// When something is to be stored or told.
    fn due(&self) -> Option<Instant> {
        let open = self.open.as_ref().map(|o| (o.since + PATIENCE).min(o.last + QUIET));
        open.or_else(|| self.ingest.tells_at())
    }

    /// Goes over to another connection. What the one before sent and is not whole is dropped: it was never acknowledged.
    async fn greet(&mut self, sender: Sender, seat: &Seat) -> anyhow::Result<Goes> {
        let before = self.connection.take().map_or(String::new(), |c| format!("; it takes the place of {}", c.name));
        // So that it need not be sent again. That may take long, and another may come.
        if self.store(false).await? == Goes::No {
            return Ok(Goes::No);
        }
        let sender = match seat.take_latest() {
            Some(newer) => {
                self.say(format_args!("{} is closed: {} came after it", sender.name, newer.name));
                newer
            }
            None => sender,
        };
        let Sender { name, mut wire, .. } = sender;
        let greeting = greeting(self.ingest.last(), self.of.config.charset);
        if let Err(e) = wire.send(&greeting).await {
            self.say(format_args!("{name} cannot be greeted: {e}{before}"));
            self.of.stats.set_up("listening");
            return Ok(Goes::On);
        }
        self.say(format_args!("{name} is connected{before}"));
        self.of.stats.set_up("reading");
        self.ingest.allow_replay();
        self.connection = Some(Connection { name, wire, inbox: Inbox::default(), acknowledged: 0 });
        Ok(Goes::On)
    }

    /// Takes what was read.
    async fn take_in(&mut self, read: io::Result<usize>) -> anyhow::Result<Goes> {
        let why = match read {
            // What it sent is stored and acknowledged first: it may have shut down its side only.
            Ok(0) => "has closed".to_owned(),
            Ok(bytes) => {
                if let Some(c) = &mut self.connection {
                    c.inbox.filled(bytes);
                }
                return self.records().await;
            }
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => "has closed".to_owned(),
            Err(e) => format!("is gone ({e})"),
        };
        self.disconnect(&why).await
    }

    /// Takes all that is whole.
    async fn records(&mut self) -> anyhow::Result<Goes> {
        let share = self.share.bytes();
        self.ingest.set_most(share);
        loop {
            let Some(c) = &mut self.connection else { return Ok(Goes::On) };
            match c.inbox.take_next() {
                Next::Record(bytes, offset) => {
                    self.ingest.record(&Record { bytes, heading: self.heading, offset, framed: true })?;
                }
                Next::Nothing => break,
                Next::BadLength(got) => {
                    let number = c.inbox.taken() + 1;
                    c.inbox.drop_rest();
                    let why = format!(
                        "is disconnected: expected the 4-byte length of record {number} (1 to {MAX_RECORD}), got {got}"
                    );
                    return self.disconnect(&why).await;
                }
            }
            if self.ingest.is_full() && self.store(false).await? == Goes::No {
                return Ok(Goes::No);
            }
        }
        if let Some(c) = &mut self.connection {
            c.inbox.ask_at_most(share / 2);
            c.inbox.settle();
        }
        if !self.ingest.is_empty() {
            let now = Instant::now();
            self.open.get_or_insert(Open { since: now, last: now }).last = now;
        }
        Ok(Goes::On)
    }

    /// The connection ends; `why` is said with how far it came.
    async fn disconnect(&mut self, why: &str) -> anyhow::Result<Goes> {
        let goes = self.store(false).await?;
        if let Some(Connection { name, inbox, .. }) = self.connection.take() {
            let rest = match inbox.rest() {
                0 => String::new(),
                n => format!("; {n} bytes of a record that is not whole are dropped: it was not acknowledged"),
            };
            self.say(format_args!("{name} {why} after {} records{rest}", inbox.taken()));
        }
        self.of.stats.set_up("listening");
        Ok(goes)
    }

    /// Tells what is to be told; stores what was taken, and acknowledges it. `last` when there is no other time.
    async fn store(&mut self, last: bool) -> anyhow::Result<Goes> {
        self.open = None;
        self.ingest.tell(last);
        if !self.ingest.is_empty() {
            let shared = &self.context.shared;
            let ready = self.ingest.batch(Checkpoint { source: Value::Null, file: None })?;
            if self.ingest.take_contradiction() {
                shared.failed.store(true, Ordering::Relaxed);
            }
            if append_async(self.of, self.context, ready).await?.is_none() {
                return Ok(Goes::No);
            }
            self.ingest.stored(shared.spool.pressure());
        }
        self.acknowledge().await;
        Ok(Goes::On)
    }

    /// Tells the sender how many of its records are on the disk: all that were taken.
    async fn acknowledge(&mut self) {
        let Some(c) = &mut self.connection else { return };
        let taken = c.inbox.taken();
        if taken > c.acknowledged {
            c.acknowledged = taken;
            if let Err(e) = c.wire.send(&taken.to_be_bytes()).await {
                // It sends again what it has no acknowledgement of.
                let name = std::mem::take(&mut c.name);
                self.connection = None;
                self.say(format_args!("{name} is gone ({e}) after {taken} records"));
                self.of.stats.set_up("listening");
                return;
            }
        }
        c.inbox.relax();
    }

    #[track_caller]
    fn say(&self, text: std::fmt::Arguments<'_>) {
        log(format_args!("source {}: {text}", self.of.config.name));
    }
}
