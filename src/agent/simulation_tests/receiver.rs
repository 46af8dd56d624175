//! A receiver of lines on a host of its own: by TCP, whose system alone acknowledges, or by RELP, where it does so itself. It takes
//! its time, stalls, refuses, closes, and forgets what it has not taken.
use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use turmoil_net::{
    HostId, netstat,
    shim::tokio::net::{TcpListener, TcpStream},
};

use super::{Random, ledger::Ledger};
use crate::net::sys::simulated::on;

/// The port that every receiver listens on.
pub const PORT: u16 = 514;
/// More than a queue of the network holds, so that a read empties it: its system tells of room only when half of it is free.
const READ: usize = 1 << 17;
/// How often a receiver that stalls asks whether it still may.
const ASK: Duration = Duration::from_millis(100);
/// What waits for so long to be acknowledged is a stall to the agent too.
const STALL: Duration = Duration::from_secs(1);

/// How lines come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Talk {
    Newline,
    Octet,
    Relp,
}

/// What a receiver is like.
#[derive(Clone, Debug)]
pub struct Manner {
    pub talk: Talk,
    /// It closes when it has read everything; others never do.
    pub closes: bool,
    /// How long it takes for an answer, in milliseconds at most.
    pub answers: u64,
    /// Of so many answers one is given before another that is due, and one is a refusal; 0 for none.
    pub disorder: u64,
    pub refuses: u64,
    /// It closes a connection out of the blue, after some reads of so many; 0 for never.
    pub fickle: u64,
    /// TCP: how long it may leave lines unread that its system has acknowledged, while its queue has room. With more, those are
    /// lost that docs/RELIABILITY.md says are: nobody can know of them.
    pub reads_within: Duration,
}

/// What is told to a receiver.
#[derive(Default)]
pub struct Mood {
    /// It reads and answers nothing until then.
    stalled: Mutex<Option<Instant>>,
    /// It is good from now on.
    calm: AtomicBool,
    /// Its program runs.
    up: AtomicBool,
    /// Its program is gone, with what it had not taken: its system closes the connections.
    crash: Notify,
}

impl Mood {
    pub fn stall(&self, wait: Duration) {
        *self.stalled.lock().unwrap() = Some(Instant::now() + wait);
    }

    pub fn calm(&self) {
        *self.stalled.lock().unwrap() = None;
        self.calm.store(true, Ordering::SeqCst);
    }

    pub fn start(&self) {
        self.up.store(true, Ordering::SeqCst);
    }

    pub fn crash(&self) {
        self.up.store(false, Ordering::SeqCst);
        self.crash.notify_one();
    }

    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst)
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    fn is_stalled(&self) -> bool {
        self.stalled.lock().unwrap().is_some_and(|until| Instant::now() < until)
    }
}

/// See the module. To its end, which does not come: its port is always open, and the network answers for it while it is down,
/// because ports of this network cannot be taken again while one of their connections is left.
pub async fn run(
    host: HostId,
    address: SocketAddr,
    manner: Manner,
    mood: Arc<Mood>,
    ledger: Arc<Mutex<Ledger>>,
    mut random: Random,
) {
    let listener = TcpListener::bind(address).await.unwrap();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = mood.crash.notified() => connections = JoinSet::new(),
            accepted = listener.accept() => {
                let (socket, agent) = accepted.unwrap();
                if mood.is_up() {
                    let (manner, mood, ledger, ends) = (manner.clone(), mood.clone(), ledger.clone(), (address, agent));
                    let connection = Connection { socket, ends, manner, mood, ledger, random: random.split(), spent: None };
                    connections.spawn(on(host, connection.run()));
                }
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}

struct Connection {
    socket: TcpStream,
    /// Its address, and that of the agent.
    ends: (SocketAddr, SocketAddr),
    manner: Manner,
    mood: Arc<Mood>,
    ledger: Arc<Mutex<Ledger>>,
    random: Random,
    /// How long lines have been unread, and since when the agent has something that is not acknowledged.
    spent: Option<(Duration, Duration)>,
}

impl Connection {
    /// The end of a connection is no mistake, however it comes.
    async fn run(mut self) {
        let ended = match self.manner.talk {
            Talk::Relp => self.relp().await,
            _ => self.lines().await,
        };
        if matches!(ended, Ok(true)) && !self.manner.closes && !self.mood.is_calm() {
            pending::<()>().await;
        }
    }

    fn is_fickle(&mut self) -> bool {
        self.random.one_in(self.manner.fickle) && !self.mood.is_calm()
    }

    fn takes(&self, line: &[u8]) {
        self.ledger.lock().unwrap().takes(line);
    }

    /// Reads lines to the end. Whether that is the end of the agent's side.
    async fn lines(&mut self) -> io::Result<bool> {
        let (mut bytes, mut chunk) = (Vec::new(), vec![0; READ]);
        loop {
            self.socket.peek(&mut [0]).await?;
            while self.leaves_unread() {
                sleep(ASK).await;
            }
            if self.is_fickle() {
                return Ok(false);
            }
            let n = self.socket.read(&mut chunk).await?;
            // Half a line is left where the agent gave up, or was killed: whoever has it throws it away.
            if n == 0 {
                return Ok(true);
            }
            bytes.extend_from_slice(&chunk[..n]);
            while let Some((line, length)) = whole_line(self.manner.talk, &bytes) {
                self.takes(line);
                bytes.drain(..length);
            }
        }
    }

    /// Whether it stalls, and still may: time counts in which its queue has something to read, and has room, which it has when
    /// nothing waits at the agent.
    fn leaves_unread(&mut self) -> bool {
        if !self.mood.is_stalled() {
            self.spent = None;
            return false;
        }
        let queue = |(local, peer): (SocketAddr, SocketAddr)| {
            netstat(local.ip()).entries.into_iter().find(|e| e.local == local && e.peer == Some(peer))
        };
        let waits = queue((self.ends.1, self.ends.0)).is_some_and(|e| e.send_q > 0);
        let (mut unread, mut waited) = self.spent.unwrap_or_default();
        waited = if waits { waited + ASK } else { Duration::ZERO };
        if waited <= STALL {
            unread += ASK;
        }
        self.spent = Some((unread, waited)).filter(|_| unread < self.manner.reads_within);
        self.spent.is_some()
    }

    /// Takes lines and answers, each in its time. Whether the session ended in good order.
    async fn relp(&mut self) -> io::Result<bool> {
        let (mut bytes, mut chunk) = (Vec::new(), vec![0; READ]);
        let mut owed: VecDeque<Owed> = VecDeque::new();
        let mut closing = None;
        loop {
            while self.mood.is_stalled() {
                sleep(ASK).await;
            }
            let due = owed.front().map(|o| o.at);
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if !self.answer(&mut owed).await? {
                        return Ok(false);
                    }
                }
                read = self.socket.read(&mut chunk), if closing.is_none() => {
                    let n = read?;
                    if n == 0 || self.is_fickle() {
                        return Ok(false);
                    }
                    bytes.extend_from_slice(&chunk[..n]);
                    while let Some((transaction, command, data, length)) = frame(&bytes) {
                        match command.as_str() {
                            "open" => {
                                let offers = "200 OK\nrelp_version=0\nrelp_software=simulation\ncommands=syslog";
                                self.say(transaction, offers).await?;
                            }
                            "close" => closing = Some(transaction),
                            _ => {
                                let wait = Duration::from_millis(self.random.below(self.manner.answers + 1));
                                owed.push_back(Owed { at: Instant::now() + wait, transaction, line: Some(data) });
                            }
                        }
                        bytes.drain(..length);
                    }
                }
            }
            if let Some(transaction) = closing.filter(|_| owed.is_empty()) {
                self.say(transaction, "").await?;
                self.socket.write_all(b"0 serverclose 0\n").await?;
                return Ok(true);
            }
        }
    }

    /// Takes a line that is due, and says so; where it answers another first, all lines up to that one are taken. `false` where it
    /// refuses one: then it is to hear no more.
    async fn answer(&mut self, owed: &mut VecDeque<Owed>) -> io::Result<bool> {
        let is_refused = self.random.one_in(self.manner.refuses) && !self.mood.is_calm();
        let place = if !is_refused && self.random.one_in(self.manner.disorder) {
            self.random.below(owed.len() as u64)
        } else {
            0
        };
        let place = usize::try_from(place).unwrap();
        let taken: Vec<Vec<u8>> = owed.iter_mut().take(place + 1).filter_map(|o| o.line.take()).collect();
        // What was taken cannot be refused any more.
        if is_refused && !taken.is_empty() {
            self.say(owed[0].transaction, "500 no room").await?;
            return Ok(false);
        }
        taken.iter().for_each(|line| self.takes(line));
        let answered = owed.remove(place).unwrap();
        self.say(answered.transaction, "200 OK").await.map(|()| true)
    }

    async fn say(&mut self, transaction: u32, text: &str) -> io::Result<()> {
        let blank = if text.is_empty() { "" } else { " " };
        self.socket.write_all(format!("{transaction} rsp {}{blank}{text}\n", text.len()).as_bytes()).await
    }
}

/// A line that is not answered.
struct Owed {
    at: Instant,
    transaction: u32,
    /// Until it is taken.
    line: Option<Vec<u8>>,
}

/// The first line that is whole, and the bytes it takes.
fn whole_line(talk: Talk, bytes: &[u8]) -> Option<(&[u8], usize)> {
    if talk == Talk::Newline {
        let end = bytes.iter().position(|b| *b == b'\n')?;
        return Some((&bytes[..end], end + 1));
    }
    let blank = bytes.iter().position(|b| *b == b' ')?;
    let end = blank + 1 + std::str::from_utf8(&bytes[..blank]).unwrap().parse::<usize>().unwrap();
    bytes.get(blank + 1..end).map(|line| (line, end))
}

/// The first RELP frame that is whole: transaction, command, data, and the bytes it takes.
fn frame(bytes: &[u8]) -> Option<(u32, String, Vec<u8>, usize)> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    let mut words = text.split([' ', '\n']);
    let (transaction, command, length) = (words.next()?, words.next()?, words.next()?);
    words.next()?;
    let from = transaction.len() + command.len() + length.len() + 2;
    let length: usize = length.parse().unwrap();
    let from = if length > 0 { from + 1 } else { from };
    let data = bytes.get(from..from + length)?.to_vec();
    (*bytes.get(from + length)? == b'\n')
        .then(|| (transaction.parse().unwrap(), command.to_owned(), data, from + length + 1))
}
