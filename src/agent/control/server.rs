//! Who may connect to the control socket, and how much of the agent's time he gets.
use std::{io, os::unix::net::UnixListener as StdListener, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    protocol::{Answer, LONGEST, Request, Waiting, line},
    snapshot::Snapshot,
};
use crate::{
    agent::{Control, Pause, Shared},
    log::{self, Least},
    spool::Lane,
};

/// Those who are served at a time; who comes then waits.
const MOST: usize = 16;
/// How long one may say nothing, while others wait.
const SILENT: Duration = Duration::from_secs(60);
/// How long an answer may take to be read.
const UNREAD: Duration = Duration::from_secs(10);
/// How long a system is left alone that has no descriptor for another connection.
const SHORT_OF: Duration = Duration::from_millis(500);
/// Lines that a tap shows at a time, and how long it rests behind them: some 2,000 a second at most, whatever an output sends.
const SHOWN: (usize, Duration) = (200, Duration::from_millis(100));
/// How often it is seen how far a flush has come, while somebody waits for it: cursors are written twice a second.
const LOOK: Duration = Duration::from_millis(250);

/// Where a new reading of the configuration is asked for; the answer is the hash of what is in force by then, or what is wrong.
pub type ReloadRequest = oneshot::Sender<Result<String, Vec<String>>>;

/// What answers.
pub struct Server {
    shared: Arc<Shared>,
    reloads: mpsc::Sender<ReloadRequest>,
}

/// One who has connected.
struct Client {
    server: Arc<Server>,
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
    /// Who it is, for the log.
    name: String,
}

impl Server {
    /// Of an agent.
    pub fn new(shared: Arc<Shared>, reloads: mpsc::Sender<ReloadRequest>) -> Server {
        Server { shared, reloads }
    }

    /// Answers whoever connects, until it is dropped.
    pub async fn serve(self, listener: StdListener) -> io::Result<()> {
        let listener = UnixListener::from_std(listener)?;
        let server = Arc::new(self);
        let room = Arc::new(Semaphore::new(MOST));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return Ok(()) };
            let Ok((stream, _)) = listener.accept().await else {
                sleep(SHORT_OF).await;
                continue;
            };
            let server = server.clone();
            tokio::spawn(async move {
                let _place = place;
                // One who goes is no trouble.
                let _ = Client::new(server, stream).serve().await;
            });
        }
    }
}

impl Client {
    fn new(server: Arc<Server>, stream: UnixStream) -> Client {
        // The mode of the socket has let him in; this is for the log.
        let name = stream.peer_cred().map_or_else(|_| "somebody".to_owned(), |c| format!("user id {}", c.uid()));
        let (from, to) = stream.into_split();
        Client { server, from: BufReader::new(from), to, name }
    }

    /// Answers requests until there are no more.
    async fn serve(&mut self) -> io::Result<()> {
        let mut request = Vec::new();
        loop {
            request.clear();
            let read = timeout(SILENT, (&mut self.from).take(LONGEST).read_until(b'\n', &mut request)).await;
            let read = read.map_or(Ok(0), |read| read)?;
            if read == 0 {
                return Ok(());
            }
            let Some(request) = request.strip_suffix(b"\n") else {
                if (read as u64) < LONGEST {
                    // One who goes within a request asks nothing.
                    return Ok(());
                }
                let error = format!("a request is a line of at most {LONGEST} bytes");
                return self.say(&Answer::Error { error }).await;
            };
            match Request::parse(request) {
                Ok(Request::Tap { output, filter, limit }) => self.tap(&output, filter, limit).await?,
                Ok(request) => {
                    let answer = self.answer(request).await;
                    self.say(&answer).await?;
                }
                Err(answer) => self.say(&answer).await?,
            }
        }
    }

    async fn say(&mut self, answer: &Answer) -> io::Result<()> {
        match timeout(UNREAD, self.to.write_all(&line(answer))).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        let shared = &self.server.shared;
        match request {
            Request::Status {} => Answer::Status { status: Box::new(Snapshot::of(shared)) },
            Request::Reload {} => self.reload().await,
            Request::Flush { output, timeout_seconds } => {
                self.flush(output.as_deref(), Duration::from_secs(timeout_seconds)).await
            }
            Request::Pause { output } => self.pause(output, true).await,
            Request::Resume { output } => self.pause(output, false).await,
            Request::LogLevel { level } => match Least::parse(&level) {
                Some(least) => {
                    log::set_least(least);
                    log::warn(format_args!("the log says {level} and worse from now on, by {}", self.name));
                    Answer::Done {
                        done: format!("the log says {level} and worse from now on, until the agent starts anew"),
                    }
                }
                None => error(format!("{level} is no level; there are error, warn, info, debug")),
            },
            Request::Tap { .. } => error("a tap has many answers".to_owned()),
        }
    }

    async fn reload(&self) -> Answer {
        log::info(format_args!("{} asks to read the configuration again", self.name));
        let (tell, told) = oneshot::channel();
        if self.server.reloads.send(tell).await.is_err() {
            return error(STOPS.to_owned());
        }
        match told.await {
            Ok(Ok(configuration)) => Answer::Applied { configuration },
            Ok(Err(problems)) => Answer::Refused { problems },
            Err(_) => error(STOPS.to_owned()),
        }
    }

    async fn pause(&self, output: String, pause: bool) -> Answer {
        let (done, told) = oneshot::channel();
        self.server.shared.handle.say(Control::Pause(Pause { output, pause, by: self.name.clone(), done }));
        match told.await {
            Ok(Ok(done)) => Answer::Done { done },
            Ok(Err(why)) => error(why),
            Err(_) => error(STOPS.to_owned()),
        }
    }

    /// Waits until everything that waits now is delivered.
    async fn flush(&self, output: Option<&str>, wait: Duration) -> Answer {
        let shared = &self.server.shared;
        let mut names: Vec<String> = shared.output_stats().into_iter().map(|(name, _)| name).collect();
        if let Some(output) = output {
            if !names.iter().any(|name| name == output) {
                return error(unknown(output, &names));
            }
            names.retain(|name| name == output);
        }
        let last = shared.spool.last();
        shared.handle.say(Control::Flush);
        let is_through = |name: &String| Lane::ALL.iter().all(|l| shared.spool.cursor(name, *l).batch > last);
        let end = Instant::now() + wait;
        while !names.iter().all(is_through) && Instant::now() < end {
            sleep(LOOK.min(end - Instant::now())).await;
        }
        let now = Snapshot::of(shared);
        let waiting = now.outputs.into_iter().filter(|o| names.contains(&o.name));
        let waiting = waiting.map(|o| Waiting { output: o.name, events: o.waiting, in_window: o.in_window }).collect();
        Answer::Flushed { complete: names.iter().all(is_through), waiting }
    }

    /// Shows lines until there are as many as were wanted, or nobody reads them.
    async fn tap(&mut self, output: &str, filter: Option<String>, limit: Option<u64>) -> io::Result<()> {
        let outputs = self.server.shared.output_stats();
        let Some((_, stats)) = outputs.iter().find(|(name, _)| name == output) else {
            let names: Vec<String> = outputs.into_iter().map(|(name, _)| name).collect();
            return self.say(&error(unknown(output, &names))).await;
        };
        let mut sight = stats.tap.open(filter);
        let mut left = limit.unwrap_or(u64::MAX);
        let mut lines = Vec::new();
        while left > 0 {
            // Who has gone reads nothing and says nothing.
            let mut byte = [0];
            tokio::select! {
                n = sight.lines.recv_many(&mut lines, SHOWN.0) => if n == 0 { break },
                _ = self.from.read(&mut byte) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            let mut text = Vec::new();
            for shown in lines.drain(..).take(usize::try_from(left).unwrap_or(usize::MAX)) {
                left -= 1;
                text.extend(line(&Answer::Line { line: in_text(&shown) }));
            }
            let unseen = sight.take_unseen();
            if unseen > 0 {
                text.extend(line(&Answer::Unseen { lines: unseen }));
            }
            match timeout_at(Instant::now() + UNREAD, self.to.write_all(&text)).await {
                Ok(written) => written?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
            if left > 0 {
                sleep(SHOWN.1).await;
            }
        }
        self.say(&Answer::End {}).await
    }
}

/// Why nothing is done.
const STOPS: &str = "the agent stops";

fn error(error: String) -> Answer {
    Answer::Error { error }
}

fn unknown(output: &str, names: &[String]) -> String {
    format!("no output has the name {output}; there are: {}", names.join(", "))
}

/// A line as it is sent, without its end.
fn in_text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").or_else(|| line.strip_suffix(b"\0")).unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}
