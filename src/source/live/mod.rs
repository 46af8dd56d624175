//! The journal of a live system as a source, followed by queries: [`mapepire`] asks, [`tail`] says what and when.
//!
//! A thread asks and reads ahead by two answers; the feed hands out what it got. Everything that is sent to the system is in
//! [`statements`], and all of it is queries.
pub mod chain;
pub mod entry;
pub mod mapepire;
pub mod query;
pub mod statements;
pub mod tail;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use chrono::{Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use self::{
    entry::Reader,
    mapepire::{Mapepire, MapepireOptions},
    query::{Query, QueryError},
    statements::Columns,
    tail::{News, Seen, Tail, TailOptions, TailPlace},
};
use super::{Feed, FeedError, Place, Record, Step, WAIT};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Heading, compose::Composer},
    },
    output::{
        dial::Dial,
        wait::{Stop, jittered},
    },
};

/// Answers that are read ahead.
const AHEAD: usize = 2;
/// After how many looks that found nothing, and how many poll intervals apart, an idle journal is looked at.
const IDLE: [(u32, u32); 3] = [(60, 5), (10, 2), (0, 1)];
/// How long a connection is waited for that could not be made: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How often the system's clock is compared with the zone of the source.
const CLOCK: Duration = Duration::from_secs(60);

/// A live system and how it is followed.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// How it is asked.
    pub mapepire: MapepireOptions,
    /// What is followed.
    pub tail: TailOptions,
    /// The shortest time between two looks, 1 s at least.
    pub poll: Duration,
    /// The columns it has, where it is not to be asked for them.
    pub columns: Option<Columns>,
}

/// What the thread says.
enum Word {
    News(News),
    /// It does nothing more until the agent is told to begin again.
    Halted(String),
}

/// A journal that is followed.
pub struct LiveFeed {
    heading: Arc<Heading>,
    words: Receiver<Word>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Records that came, how far they are handed out, their numbers, and the place behind them.
    bytes: Vec<u8>,
    taken: usize,
    numbers: std::vec::IntoIter<u64>,
    place: TailPlace,
    halted: bool,
}

impl LiveFeed {
    /// Begins to follow; `stored` is the place that was stored last.
    pub fn new(
        options: LiveOptions,
        heading: Arc<Heading>,
        charset: &'static Charset,
        zone: Tz,
        system: String,
        stored: &Value,
    ) -> LiveFeed {
        let place: Option<TailPlace> =
            serde_json::from_value(stored.clone()).ok().filter(|p: &TailPlace| !p.at.receiver.is_empty());
        let (to, words) = sync_channel(AHEAD);
        let stop: Arc<AtomicBool> = Arc::default();
        let follower = Follower { options, heading: heading.clone(), charset, zone, system, stop: stop.clone(), to };
        let from = place.clone();
        let thread = thread::spawn(move || follower.run(from));
        LiveFeed {
            heading,
            words,
            stop,
            thread: Some(thread),
            bytes: Vec::new(),
            taken: 0,
            numbers: Vec::new().into_iter(),
            place: place.unwrap_or_default(),
            halted: false,
        }
    }
}

impl Feed for LiveFeed {
    fn next(&mut self) -> Result<Step<'_>, FeedError> {
        if self.taken >= self.bytes.len() {
            if self.halted {
                thread::sleep(WAIT);
                return Ok(Step::Idle);
            }
            match self.words.recv_timeout(WAIT) {
                Ok(Word::News(News::Records(bytes, numbers, place))) => {
                    // The number goes up record by record.
                    let sequence = self.place.at.sequence;
                    self.place = place;
                    self.place.at.sequence = sequence;
                    (self.bytes, self.taken, self.numbers) = (bytes, 0, numbers.into_iter());
                }
                Ok(Word::News(News::Moved(place))) => {
                    self.place = place;
                    return Ok(Step::Moved);
                }
                Ok(Word::News(News::Missing(gap, place))) => {
                    self.place = place;
                    return Ok(Step::Missing(gap));
                }
                Ok(Word::News(News::Say(text))) => return Ok(Step::Say(text)),
                Ok(Word::Halted(text)) => {
                    self.halted = true;
                    return Ok(Step::Halted(text));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Step::Idle),
                Err(RecvTimeoutError::Disconnected) => {
                    self.halted = true;
                    return Ok(Step::Halted("its thread has ended: this is a mistake of the program".to_owned()));
                }
            }
        }
        let Some(sequence) = self.numbers.next() else { return Ok(Step::Wait) };
        self.place.at.sequence = sequence;
        let length = self.bytes.get(self.taken..).and_then(|b| b.first_chunk::<4>()).copied().unwrap_or_default();
        let from = self.taken + 4;
        self.taken = from + usize::try_from(u32::from_be_bytes(length)).unwrap_or(0);
        let bytes = self.bytes.get(from..self.taken).unwrap_or(&[]);
        Ok(Step::Record(Record { bytes, heading: &self.heading, offset: sequence }))
    }

    fn is_ready(&self) -> bool {
        self.taken < self.bytes.len()
    }

    fn place(&mut self) -> Result<Place, FeedError> {
        Ok(Place { whole: serde_json::to_value(&self.place).unwrap_or_default(), part: None })
    }

    fn stored(&mut self, _: i64) -> Result<(), FeedError> {
        Ok(())
    }

    fn passed(&mut self, _: i64) -> Vec<String> {
        Vec::new()
    }

    fn is_settled(&self) -> bool {
        true
    }
}

impl Drop for LiveFeed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It may be about to hand something over: nobody takes it.
        while let Ok(_) | Err(RecvTimeoutError::Timeout) = self.words.recv_timeout(Duration::from_millis(20)) {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread that asks.
struct Follower {
    options: LiveOptions,
    heading: Arc<Heading>,
    charset: &'static Charset,
    zone: Tz,
    system: String,
    stop: Arc<AtomicBool>,
    to: SyncSender<Word>,
}

impl Follower {
    fn run(self, mut place: Option<TailPlace>) {
        let mut wait = BACKOFF.0;
        let mut told = String::new();
        while !self.stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let ended = self.session(&mut place, &mut told);
            match ended {
                QueryError::Stopped => return,
                e @ QueryError::Refused(_) => {
                    let text = format!(
                        "{e}; it is not tried again, because three refusals disable the profile: set it right, then SIGHUP"
                    );
                    let _ = self.to.send(Word::Halted(text));
                    return;
                }
                e => {
                    let text = e.to_string();
                    if told != text {
                        self.say(format!("{text}; it is tried again"));
                        told = text;
                    }
                }
            }
            if began.elapsed() > BACKOFF.1 {
                wait = BACKOFF.0;
            }
            self.pause(jittered(wait));
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    fn say(&self, text: String) {
        let _ = self.to.send(Word::News(News::Say(text)));
    }

    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// One connection, until it ends.
    fn session(&self, place: &mut Option<TailPlace>, told: &mut String) -> QueryError {
        match self.follow(place, told) {
            Ok(never) => match never {},
            Err(e) => e,
        }
    }

    fn follow(&self, place: &mut Option<TailPlace>, told: &mut String) -> Result<std::convert::Infallible, QueryError> {
        let stop = Stop::when({
            let stop = self.stop.clone();
            move || stop.load(Ordering::Relaxed)
        });
        let dial = Dial { stop: stop.clone(), end: stop, ..Dial::default() };
        let mut db = Mapepire::connect(&self.options.mapepire, &dial)?;
        let job = db.job.clone();
        let columns = match self.options.columns {
            Some(columns) => columns,
            None => {
                let names = db.all(statements::COLUMNS, &["DISPLAY_JOURNAL"])?;
                let names = names.iter().filter_map(|row| row.first().and_then(Option::as_deref));
                Columns::of(names)
            }
        };
        let (server, user, mut offset) = self.system(&mut db)?;
        let system = if self.system.is_empty() { server.clone() } else { self.system.clone() };
        let user_column = if columns.user_name { "USER_NAME" } else { "CURRENT_USER" };
        let remote = if columns.remote { "with" } else { "without" };
        self.say(format!("connected to {server} as {user} (job {job}); {user_column}, {remote} remote addresses"));
        told.clear();
        self.compare_clock(offset);
        let reader = Reader::new(Composer::new(self.heading.clone()), self.charset, columns, &system);
        let mut tail = Tail::new(self.options.tail.clone(), columns, reader, place.clone());
        let (mut looked_at_clock, mut idle) = (Instant::now(), 0_u32);
        // Before the first look too: the connection before this one, or the agent, may have looked just now.
        self.pause(self.options.poll);
        loop {
            let began = Instant::now();
            let seen = tail.look(&mut db, &mut |news| {
                // It waits here while nobody takes what is there: the system is the buffer.
                self.to.send(Word::News(news)).is_ok() && !self.stop.load(Ordering::Relaxed)
            });
            let before = std::mem::replace(place, tail.place().cloned());
            match seen? {
                _ if before != *place => idle = 0,
                Seen::Behind | Seen::Doubt => idle = 0,
                Seen::All => idle = idle.saturating_add(1),
            }
            if looked_at_clock.elapsed() >= CLOCK {
                looked_at_clock = Instant::now();
                let now = self.system(&mut db)?.2;
                if now != offset {
                    offset = now;
                    self.compare_clock(offset);
                }
            }
            let apart = IDLE.iter().find(|(looks, _)| idle >= *looks).map_or(1, |(_, times)| *times);
            self.pause((self.options.poll * apart).saturating_sub(began.elapsed()));
            if self.stop.load(Ordering::Relaxed) {
                return Err(QueryError::Stopped);
            }
        }
    }

    /// Name of the system, of the user, and the offset from UTC in seconds.
    fn system(&self, db: &mut dyn Query) -> Result<(String, String, Option<i32>), QueryError> {
        let rows = db.all(statements::SYSTEM, &[])?;
        let text = |n: usize| rows.first().and_then(|r| r.get(n)).and_then(Option::as_deref).unwrap_or("").trim();
        Ok((text(2).to_owned(), text(3).to_owned(), offset(text(1))))
    }

    /// Says where the clock of the system is not that of the zone of the source: every time would be wrong.
    fn compare_clock(&self, offset: Option<i32>) {
        let here = self.zone.offset_from_utc_datetime(&Utc::now().naive_utc()).fix().local_minus_utc();
        match offset {
            Some(there) if there != here => self.say(format!(
                "the system's clock is {} from UTC, its timezone = {:?} says {}: times are taken as this zone's, so set timezone to where the system is",
                hours(there),
                self.zone.name(),
                hours(here)
            )),
            _ => {}
        }
    }
}

/// CURRENT TIMEZONE, a decimal hhmmss, in seconds.
fn offset(text: &str) -> Option<i32> {
    let number: i32 = text.trim().trim_end_matches(".0").parse().ok()?;
    let (hours, minutes, seconds) = (number / 10_000, number / 100 % 100, number % 100);
    Some(hours * 3_600 + minutes * 60 + seconds)
}

fn hours(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod clock {
    use super::*;

    #[test]
    fn an_offset_is_hours_minutes_and_seconds() {
        for (text, seconds, shown) in
            [("20000", 7_200, "+02:00"), ("-53000", -19_800, "-05:30"), ("0", 0, "+00:00"), ("54500", 20_700, "+05:45")]
        {
            assert_eq!(offset(text), Some(seconds));
            assert_eq!(hours(seconds), shown);
        }
        assert_eq!(offset("CEST"), None);
    }
}
