//! The task that asks: connections, their ends, when the next look is.
use std::{convert::Infallible, time::Duration};

use tokio::{
    sync::mpsc::Sender,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    LiveOptions, LivePlace, PollerMessage, SystemContext,
    connection::Connection,
    entry::{self, Reader},
    history_tail::HistoryTail,
    journal_tail::JournalTail,
    login::{Logins, Next as AfterLogin},
    news::{Poll, Update},
    query::QueryError,
    request::{Next, Tail},
    statements::Columns,
    system::{self, System},
};
use crate::{
    clock,
    decode::{history::compose::HistoryComposer, journal::compose::Composer},
    net::{connect::Connector, wait::jittered},
};

/// After how many looks that found nothing, and how many poll intervals apart, an idle journal is looked at.
const IDLE: [(u32, u32); 3] = [(60, 5), (10, 2), (0, 1)];
/// How long a connection is waited for that could not be made: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How often the system is asked for the offset of its clock.
const CLOCK: Duration = Duration::from_secs(10);
/// What is waited beyond the interval: a question that was slow on its way and one that is quick are not to come closer than that.
const MARGIN: Duration = Duration::from_millis(30);

/// Asks one system.
pub(super) struct Poller {
    pub(super) options: LiveOptions,
    pub(super) context: SystemContext,
    pub(super) stop: CancellationToken,
    pub(super) to: Sender<PollerMessage>,
}

/// What connections before this one came to.
#[derive(Default)]
struct Past {
    /// What was last said of them.
    told: String,
    /// What was last said of the source's condition.
    down: Option<Option<String>>,
    logins: Logins,
}

/// What one connection reads with.
struct Tails {
    journal: JournalTail,
    history: HistoryTail,
}

/// The offset of the system's clock, and when it was asked for.
struct SystemClock {
    offset: Option<i32>,
    asked: Instant,
}

impl Poller {
    /// Follows until it is stopped. Where a login is refused it does nothing more until then.
    pub(super) async fn run(self, mut place: LivePlace) {
        let mut past = Past::default();
        if self.keep_connected(&mut place, &mut past).await == Err(QueryError::Stopped) {
            return;
        }
        self.stop.cancelled().await;
    }

    /// One connection after the other. Ends with an error when it is stopped, and without when a login is not to be tried again.
    async fn keep_connected(&self, place: &mut LivePlace, past: &mut Past) -> Result<(), QueryError> {
        let mut wait = BACKOFF.0;
        loop {
            let began = Instant::now();
            let ended = self.session(place, past).await;
            if self.stop.is_cancelled() {
                return Err(QueryError::Stopped);
            }
            let (pause, text) = match past.logins.next(&ended) {
                AfterLogin::Stop => return Err(QueryError::Stopped),
                AfterLogin::Halt(text) => return self.hand(PollerMessage::Halted(text)).await,
                AfterLogin::Again(pause, text) => (pause, text),
            };
            self.tell_condition(past, Some(format!("not reached: {ended}"))).await?;
            if past.told != text {
                self.say(text.clone()).await?;
                past.told = text;
            }
            if began.elapsed() > BACKOFF.1 {
                wait = BACKOFF.0;
            }
            self.pause(pause.unwrap_or_else(|| jittered(wait))).await?;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    /// One connection, until it ends.
    async fn session(&self, place: &mut LivePlace, past: &mut Past) -> QueryError {
        let connector = Connector { stop: self.stop.clone(), end: self.stop.clone(), ..Connector::default() };
        let (mut db, job) = match self.options.database.connect(&connector).await {
            Ok(connected) => connected,
            Err(e) => return e,
        };
        let ended = self.follow(&mut db, &job, place, past).await;
        db.end().await;
        match ended {
            Ok(never) => match never {},
            Err(e) => e,
        }
    }

    async fn follow(
        &self,
        db: &mut Connection,
        job: &str,
        place: &mut LivePlace,
        past: &mut Past,
    ) -> Result<Infallible, QueryError> {
        let (mut tails, mut clock) = self.begin(db, job, place, past).await?;
        let mut idle = 0_u32;
        // Before the first look too: the connection before this one, or the agent, may have looked just now.
        self.pause(self.options.poll + MARGIN).await?;
        loop {
            let began = Instant::now();
            let before = place.clone();
            let seen = self.look(&mut tails, db, place).await?;
            let is_idle = seen == Poll::CaughtUp && before == *place;
            idle = if is_idle { idle.saturating_add(1) } else { 0 };
            // Reached, but it shows nothing: that is not read either.
            self.tell_condition(past, tails.journal.trouble().map(|why| format!("not read: {why}"))).await?;
            if clock.asked.elapsed() >= CLOCK {
                clock.asked = Instant::now();
                let now = System::ask(db).await?.offset;
                if now != clock.offset {
                    clock.offset = now;
                    self.tell_clock(now).await?;
                }
            }
            let apart = IDLE.iter().find(|(looks, _)| idle >= *looks).map_or(1, |(_, times)| *times);
            self.pause((self.options.poll * apart + MARGIN).saturating_sub(began.elapsed())).await?;
        }
    }

    /// Asks who answers, and what it has.
    async fn begin(
        &self,
        db: &mut Connection,
        job: &str,
        place: &mut LivePlace,
        past: &mut Past,
    ) -> Result<(Tails, SystemClock), QueryError> {
        let columns = Columns::given_or_asked(self.options.columns, db).await?;
        let System { name: server, user, now, offset } = System::ask(db).await?;
        let user_column = if columns.user_name { "USER_NAME" } else { "CURRENT_USER" };
        let remote = if columns.remote { "with" } else { "without" };
        self.say(format!("connected to {server} as {user} ({job}); {user_column}, {remote} remote addresses")).await?;
        past.told.clear();
        past.logins.succeeded();
        self.tell_clock(offset).await?;
        let context = &self.context;
        let system = if context.system.is_empty() { &server } else { &context.system };
        let name = entry::encode(context.charset, system);
        let composer = || Composer::new(context.heading.clone()).always("system_name", &name);
        let reader = Reader::new(composer(), context.charset, columns);
        let journal = JournalTail::new(self.options.tail.clone(), columns, reader, place.in_journal());
        let composer = HistoryComposer::new(composer(), context.catalog.history(), context.catalog.messages().clone());
        let from = &self.options.tail.from;
        let history = HistoryTail::new(composer, context.charset, place.history.clone(), from, &now);
        if self.options.history && place.history.is_none() {
            place.history = Some(history.place().clone());
            self.news(Update::Began(history.place().clone())).await?;
        }
        Ok((Tails { journal, history }, SystemClock { offset, asked: Instant::now() }))
    }

    /// Looks once for what is new, and keeps how far it came, whatever ends it.
    async fn look(&self, tails: &mut Tails, db: &mut Connection, place: &mut LivePlace) -> Result<Poll, QueryError> {
        let mut seen = Poll::CaughtUp;
        if self.options.journal {
            let looked = self.look_with(&mut tails.journal, db).await;
            place.journal = tails.journal.place().cloned().unwrap_or_default();
            seen = looked?;
        }
        if self.options.history {
            let looked = self.look_with(&mut tails.history, db).await;
            place.history = Some(tails.history.place().clone());
            if looked? == Poll::Behind {
                seen = Poll::Behind;
            }
        }
        Ok(seen)
    }

    /// It waits here while nobody takes what is there: the system is the buffer.
    async fn look_with(&self, tail: &mut impl Tail, db: &mut Connection) -> Result<Poll, QueryError> {
        let mut request = tail.begin()?;
        let mut news = Vec::new();
        loop {
            let answer = request.ask(db).await;
            let next = tail.answered(answer, &mut news);
            for update in news.drain(..) {
                self.news(update).await?;
            }
            request = match next? {
                Next::Ask(request) => request,
                Next::Done(seen) => return Ok(seen),
            };
        }
    }

    /// Hands something over as soon as there is room, unless the wish to stop comes first.
    async fn hand(&self, message: PollerMessage) -> Result<(), QueryError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(QueryError::Stopped),
            handed = self.to.send(message) => handed.map_err(|_| QueryError::Stopped),
        }
    }

    async fn news(&self, update: Update) -> Result<(), QueryError> {
        self.hand(PollerMessage::Update(Box::new(update))).await
    }

    async fn say(&self, text: String) -> Result<(), QueryError> {
        self.news(Update::Say(text)).await
    }

    /// Says whether the system is read, and why it is not, when that changes.
    async fn tell_condition(&self, past: &mut Past, down: Option<String>) -> Result<(), QueryError> {
        if past.down.as_ref() != Some(&down) {
            self.hand(PollerMessage::Condition(down.clone())).await?;
            past.down = Some(down);
        }
        Ok(())
    }

    /// Hands on the offset of the system's clock, to be kept with what is read, and says where it is not that of the zone of the
    /// source: every time would be wrong.
    async fn tell_clock(&self, offset: Option<i32>) -> Result<(), QueryError> {
        let Some(there) = offset else { return Ok(()) };
        self.news(Update::Offset(there)).await?;
        match system::other_zone(there, self.context.zone, clock::now()) {
            Some(text) => self.say(text).await,
            None => Ok(()),
        }
    }

    /// Waits, unless the wish to stop comes first.
    async fn pause(&self, time: Duration) -> Result<(), QueryError> {
        tokio::select! {
            () = self.stop.cancelled() => Err(QueryError::Stopped),
            () = sleep(time) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use tokio::{sync::mpsc::channel, time};

    use super::*;
    use crate::{
        decode::{
            ebcdic::Charset,
            journal::{Catalog, HeadingKind},
        },
        source::live::{
            Database,
            journal_tail::TailOptions,
            mapepire::{MapepireOptions, Transport},
            news::From,
        },
    };

    /// Follows a system that a shell script plays.
    fn poller(script: &str, to: Sender<PollerMessage>, stop: &CancellationToken) -> Poller {
        let catalog = Arc::new(Catalog::shipped().unwrap());
        let mapepire = MapepireOptions {
            transport: Transport::Program(["sh", "-c", script].map(str::to_owned).into()),
            technique: "tcp".to_owned(),
            properties: String::new(),
            call_timeout: Duration::from_secs(60),
        };
        let tail = TailOptions {
            library: "QSYS".to_owned(),
            journal: "QAUDJRN".to_owned(),
            from: From::Now,
            codes: "T".to_owned(),
            page: 100,
            rows: 100,
        };
        let options = LiveOptions {
            database: Database::Mapepire(mapepire),
            tail,
            poll: Duration::from_secs(1),
            columns: None,
            journal: true,
            history: false,
        };
        let context = SystemContext {
            heading: catalog.heading(HeadingKind::Type5).unwrap().clone(),
            catalog,
            charset: Charset::ebcdic(37).unwrap(),
            zone: chrono_tz::UTC,
            system: String::new(),
        };
        Poller { options, context, stop: stop.clone(), to }
    }

    #[cfg_attr(target_endian = "big", ignore = "beside other tests the shell may give no answer under qemu-user")]
    #[tokio::test]
    async fn b5_a_refused_login_is_not_tried_again_within_a_day_and_the_task_ends_when_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let tries = dir.path().join("tries");
        let refusal = r#"{"id":"q1","success":false,"error":"Password is incorrect.","sql_state":"08004"}"#;
        let script = format!("echo one >> '{}'; read connect; echo '{refusal}'; cat > /dev/null", tries.display());
        let (to, mut messages) = channel(2);
        let stop = CancellationToken::new();
        let task = tokio::spawn(poller(&script, to, &stop).run(LivePlace::default()));
        let Some(PollerMessage::Halted(text)) = messages.recv().await else { panic!("it does not halt") };
        assert!(text.contains("Password is incorrect") && text.contains("it is not tried again"), "{text}");
        time::pause();
        time::sleep(Duration::from_secs(24 * 60 * 60)).await;
        assert_eq!(fs::read_to_string(&tries).unwrap(), "one\n");
        assert!(messages.try_recv().is_err() && !task.is_finished());
        stop.cancel();
        task.await.unwrap();
        assert!(messages.recv().await.is_none());
    }

    #[cfg_attr(target_endian = "big", ignore = "beside other tests the shell may give no answer under qemu-user")]
    #[tokio::test]
    async fn the_wish_to_stop_ends_a_wait_for_an_answer_and_one_for_room() {
        // Nothing is answered, and what could be said has no room.
        for room in [2, 1] {
            let (to, mut messages) = channel(room);
            if room == 1 {
                to.send(PollerMessage::Condition(None)).await.unwrap();
            }
            let dir = tempfile::tempdir().unwrap();
            let read = dir.path().join("read");
            let script = if room == 2 { "read connect; echo > 'READ'; cat > /dev/null" } else { "echo > 'READ'" };
            let script = script.replace("READ", &read.display().to_string());
            let stop = CancellationToken::new();
            let task = tokio::spawn(poller(&script, to, &stop).run(LivePlace::default()));
            while !read.exists() {
                tokio::task::yield_now().await;
            }
            stop.cancel();
            task.await.unwrap();
            messages.close();
        }
    }
}
