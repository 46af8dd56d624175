//! The thread that asks: connections, their ends, when the next look is.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use chrono::{Offset, TimeZone};

use super::{
    LiveOptions, LivePlace, PollerMessage, SystemContext,
    entry::{self, Reader},
    history_tail::HistoryTail,
    journal_tail::JournalTail,
    login::{Logins, Next},
    news::{Poll, Update},
    query::QueryError,
    statements::Columns,
    system::System,
};
use crate::{
    clock,
    decode::{history::compose::HistoryComposer, journal::compose::Composer},
    net::{
        blocking::Dial,
        wait::{Stop, jittered},
    },
};

/// After how many looks that found nothing, and how many poll intervals apart, an idle journal is looked at.
const IDLE: [(u32, u32); 3] = [(60, 5), (10, 2), (0, 1)];
/// How long a connection is waited for that could not be made: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How often the system is asked for the offset of its clock.
const CLOCK: Duration = Duration::from_secs(10);

/// The thread that asks.
pub(super) struct Poller {
    pub(super) options: LiveOptions,
    pub(super) context: SystemContext,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) to: SyncSender<PollerMessage>,
}

/// What is waited beyond the interval: a question that was slow on its way and one that is quick are not to come closer than that.
const MARGIN: Duration = Duration::from_millis(30);

/// What connections before this one came to.
#[derive(Default)]
struct Past {
    /// What was last said of them.
    told: String,
    /// What was last said of the source's condition.
    down: Option<Option<String>>,
    logins: Logins,
}

impl Poller {
    /// Follows until it is stopped, or the login is refused.
    pub(super) fn run(self, mut place: LivePlace) {
        let mut wait = BACKOFF.0;
        let mut past = Past::default();
        while !self.stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let ended = self.session(&mut place, &mut past);
            let (pause, text) = match past.logins.next(&ended) {
                Next::Stop => return,
                Next::Halt(text) => {
                    let _ = self.to.send(PollerMessage::Halted(text));
                    return;
                }
                Next::Again(pause, text) => (pause, text),
            };
            self.tell_condition(&mut past, Some(format!("not reached: {ended}")));
            if past.told != text {
                self.say(text.clone());
                past.told = text;
            }
            if began.elapsed() > BACKOFF.1 {
                wait = BACKOFF.0;
            }
            self.pause(pause.unwrap_or_else(|| jittered(wait)));
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    /// Says whether the system is read, and why it is not, when that changes.
    fn tell_condition(&self, past: &mut Past, down: Option<String>) {
        if past.down.as_ref() != Some(&down) {
            let _ = self.to.send(PollerMessage::Condition(down.clone()));
            past.down = Some(down);
        }
    }

    fn say(&self, text: String) {
        let _ = self.to.send(PollerMessage::Update(Box::new(Update::Say(text))));
    }

    /// Waits; who sets the wish to stop unparks the thread.
    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.stop.load(Ordering::Relaxed) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    /// One connection, until it ends.
    fn session(&self, place: &mut LivePlace, past: &mut Past) -> QueryError {
        match self.follow(place, past) {
            Ok(never) => match never {},
            Err(e) => e,
        }
    }

    fn follow(&self, place: &mut LivePlace, past: &mut Past) -> Result<std::convert::Infallible, QueryError> {
        let stop = Stop::when({
            let stop = self.stop.clone();
            move || stop.load(Ordering::Relaxed)
        });
        let dial = Dial { stop: stop.clone(), end: stop, ..Dial::default() };
        let (mut db, job) = self.options.database.connect(&dial)?;
        let db = db.as_mut();
        let columns = Columns::given_or_asked(self.options.columns, db)?;
        let System { name: server, user, now, mut offset } = System::ask(db)?;
        let system = if self.context.system.is_empty() { server.clone() } else { self.context.system.clone() };
        let user_column = if columns.user_name { "USER_NAME" } else { "CURRENT_USER" };
        let remote = if columns.remote { "with" } else { "without" };
        self.say(format!("connected to {server} as {user} ({job}); {user_column}, {remote} remote addresses"));
        past.told.clear();
        past.logins.succeeded();
        self.tell_clock(offset);
        let context = &self.context;
        let composer = || {
            let name = entry::encode(context.charset, &system);
            Composer::new(context.heading.clone()).always("system_name", &name)
        };
        let reader = Reader::new(composer(), context.charset, columns);
        let mut tail = JournalTail::new(self.options.tail.clone(), columns, reader, place.in_journal());
        let composer = HistoryComposer::new(composer(), context.catalog.history(), context.catalog.messages().clone());
        let from = &self.options.tail.from;
        let mut history = HistoryTail::new(composer, context.charset, place.history.clone(), from, &now);
        if self.options.history && place.history.is_none() {
            place.history = Some(history.place().clone());
            let _ = self.to.send(PollerMessage::Update(Box::new(Update::Began(history.place().clone()))));
        }
        let (mut looked_at_clock, mut idle) = (Instant::now(), 0_u32);
        // Before the first look too: the connection before this one, or the agent, may have looked just now.
        self.pause(self.options.poll + MARGIN);
        loop {
            let began = Instant::now();
            // It waits here while nobody takes what is there: the system is the buffer.
            let hand = |news| {
                self.to.send(PollerMessage::Update(Box::new(news))).is_ok() && !self.stop.load(Ordering::Relaxed)
            };
            let mut seen = Ok(Poll::CaughtUp);
            let before = place.clone();
            if self.options.journal {
                seen = tail.look(db, &mut |news| hand(news));
                place.journal = tail.place().cloned().unwrap_or_default();
            }
            if self.options.history && seen.is_ok() {
                let messages = history.look(db, &mut |bytes, marks| hand(Update::History(bytes, marks)));
                place.history = Some(history.place().clone());
                seen = match messages {
                    Ok(Poll::CaughtUp) => seen,
                    other => other,
                };
            }
            match seen? {
                _ if before != *place => idle = 0,
                Poll::Behind | Poll::Inconclusive => idle = 0,
                Poll::CaughtUp => idle = idle.saturating_add(1),
            }
            // Reached, but it shows nothing: that is not read either.
            self.tell_condition(past, tail.trouble().map(|why| format!("not read: {why}")));
            if looked_at_clock.elapsed() >= CLOCK {
                looked_at_clock = Instant::now();
                let now = System::ask(db)?.offset;
                if now != offset {
                    offset = now;
                    self.tell_clock(offset);
                }
            }
            let apart = IDLE.iter().find(|(looks, _)| idle >= *looks).map_or(1, |(_, times)| *times);
            self.pause((self.options.poll * apart + MARGIN).saturating_sub(began.elapsed()));
            if self.stop.load(Ordering::Relaxed) {
                return Err(QueryError::Stopped);
            }
        }
    }

    /// Hands on the offset of the system's clock, to be kept with what is read, and says where it is not that of the zone of the
    /// source: every time would be wrong.
    fn tell_clock(&self, offset: Option<i32>) {
        if let Some(offset) = offset {
            let _ = self.to.send(PollerMessage::Update(Box::new(Update::Offset(offset))));
        }
        let here = self.context.zone.offset_from_utc_datetime(&clock::now().naive_utc()).fix().local_minus_utc();
        match offset {
            Some(there) if there != here => self.say(format!(
                "the system's clock is {} from UTC, its timezone = {:?} says {}: times are taken as this zone's, so set timezone to where the system is",
                hours(there),
                self.context.zone.name(),
                hours(here)
            )),
            _ => {}
        }
    }
}

fn hours(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_shown_as_hours_and_minutes() {
        for (seconds, shown) in [(7_200, "+02:00"), (-19_800, "-05:30"), (0, "+00:00"), (20_700, "+05:45")] {
            assert_eq!(hours(seconds), shown);
        }
    }
}
