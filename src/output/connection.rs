//! One connection of an output, whatever its transport: takes lines, says which of them are done.
use std::{future::pending, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::Instant,
};

use super::{
    OutputError, Sink, Target,
    options::OutputOptions,
    relp::{DEFAULT_WINDOW, Guard, RelpError, Session},
    resend_window::{Moved, ResendPolicy, ResendWindow},
    tcp::{FlushStatus, TcpConnection},
};
use crate::{
    net::{Address, ConnectError, connect::Connector, tcp_info::LivenessMonitor, tls::client},
    runtime::blocking,
};

/// Something that RELP runs over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection.
pub enum Connection {
    /// TCP or TLS: nothing is acknowledged.
    Tcp(Box<TcpConnection>),
    /// RELP: every line is. The number is that of the lines taken.
    Relp(Box<Session<Box<dyn Wire>>>, u64, String),
    /// UDP, files, standard output: a line is done when it is written.
    Sink(Box<FireAndForget>),
}

/// A link whose lines are done when they are written; in a file when they are on the disk.
pub struct FireAndForget {
    sink: Sink,
    target: Target,
    connector: Connector,
    taken: u64,
    /// Lines that are done, and when the file was last synced.
    done: u64,
    synced: Instant,
    /// How often the file was begun anew.
    anew: u64,
    /// How often the name is looked up again, when that was, and the look-up that goes on.
    renew: Duration,
    renewed: Instant,
    look_up: Option<LookUp>,
    /// Refusals that were seen, how many of them were told, and whether the log knows that they go on.
    refused: u64,
    told: u64,
    going_on: bool,
    /// What was last said of the name.
    trouble: String,
    messages: Vec<String>,
}

/// A look-up in the background, which ends with its owner.
struct LookUp(JoinHandle<Result<Vec<std::net::SocketAddr>, ConnectError>>);

impl Drop for LookUp {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How often what is written to a file is made to be on the disk.
const SYNC: Duration = Duration::from_millis(500);

impl Connection {
    /// Connects.
    pub async fn open(o: &OutputOptions, target: &Target, connector: &Connector) -> Result<Connection, OutputError> {
        let framing = o.framing;
        if let Some(key) = &o.tls.key {
            blocking(|| key.check_private())?;
        }
        match target {
            Target::Tcp(_) | Target::Tls(_) => {
                Ok(Connection::Tcp(Box::new(TcpConnection::open(target, framing, &o.tls, connector).await?)))
            }
            Target::Relp(a) | Target::RelpTls(a) => relp(o, target, a, connector).await,
            Target::Udp(a) => {
                let found = connector.resolve(a).await?;
                Ok(FireAndForget::connection(o, target, connector, Sink::open_at(target, framing, &found)?))
            }
            Target::Stdout | Target::Null | Target::File(_) => {
                Ok(FireAndForget::connection(o, target, connector, blocking(|| Sink::open_at(target, framing, &[]))?))
            }
        }
    }

    /// What the log should say of it, once each.
    pub fn take_messages(&mut self) -> Vec<String> {
        match self {
            Connection::Sink(w) => std::mem::take(&mut w.messages),
            Connection::Tcp(s) => s.note().into_iter().collect(),
            Connection::Relp(..) => Vec::new(),
        }
    }

    /// Whether a receiver that has nothing to say said something: then nobody knows whether it took any line.
    pub fn has_answered(&self) -> bool {
        matches!(self, Connection::Tcp(s) if s.has_answered())
    }

    /// Whether a line may be taken: RELP has none while the receiver owes answers for a whole window.
    pub fn has_room(&self) -> bool {
        match self {
            Connection::Relp(s, ..) => s.has_room(),
            Connection::Tcp(_) | Connection::Sink(_) => true,
        }
    }

    /// Waits until there is room for a line.
    pub async fn make_room(&mut self) -> Result<(), OutputError> {
        match self {
            Connection::Relp(s, _, name) => s.make_room().await.map_err(|e| failed(name, e)),
            Connection::Tcp(_) | Connection::Sink(_) => Ok(()),
        }
    }

    /// Takes a line, for which there must be room.
    pub fn take(&mut self, line: &[u8]) -> Result<(), OutputError> {
        match self {
            Connection::Tcp(s) => s.take(line),
            Connection::Relp(s, taken, name) => {
                if !s.offer(line, *taken).map_err(|e| failed(name, e))? {
                    return Err(failed(name, RelpError::Full));
                }
                *taken += 1;
            }
            Connection::Sink(w) => {
                w.sink.take(line)?;
                w.taken += 1;
            }
        }
        Ok(())
    }

    /// Whether enough was taken for a write.
    pub fn is_full(&self) -> bool {
        match self {
            Connection::Tcp(s) => s.is_full(),
            Connection::Relp(s, ..) => s.is_full(),
            Connection::Sink(w) => w.sink.is_full(),
        }
    }

    /// Writes what was taken, as far as the receiver takes it.
    pub async fn flush(&mut self) -> Result<FlushStatus, OutputError> {
        match self {
            Connection::Tcp(s) => s.flush().await,
            Connection::Relp(s, _, name) => s.flush().await.map(|()| FlushStatus::All).map_err(|e| failed(name, e)),
            Connection::Sink(w) => w.flush().map(|()| FlushStatus::All),
        }
    }

    /// Looks whether the receiver has gone, and reads what it answers.
    pub async fn check_peer(&mut self) -> Result<(), OutputError> {
        match self {
            Connection::Tcp(s) => s.check_peer().await,
            Connection::Relp(s, _, name) => s.poll(Duration::ZERO).await.map(|_| ()).map_err(|e| failed(name, e)),
            Connection::Sink(w) => w.look(),
        }
    }

    /// Waits until there is something to [look](Self::check_peer) at: the receiver says something or closes, takes more where it took no
    /// more, or answers.
    pub async fn wait_ready(&mut self) -> Result<(), OutputError> {
        match self {
            Connection::Tcp(s) => {
                s.wait_ready(false).await;
                Ok(())
            }
            Connection::Relp(s, _, name) => s.wait_ready().await.map_err(|e| failed(name, e)),
            Connection::Sink(w) => w.wait_ready().await,
        }
    }

    /// The same while the connection is [ended](Self::finish).
    pub async fn wait_ready_to_close(&mut self) {
        match self {
            Connection::Tcp(s) => s.wait_ready(true).await,
            Connection::Relp(..) | Connection::Sink(_) => pending().await,
        }
    }

    /// Whether it is to be looked at though nothing stirs.
    pub fn wants_looks(&self) -> bool {
        match self {
            // Nobody but the system says what is acknowledged, and only when asked.
            Connection::Tcp(s) => s.outstanding().is_some(),
            Connection::Relp(..) => false,
            // A file may go by another name, datagrams may be refused.
            Connection::Sink(w) => matches!(w.target, Target::File(_) | Target::Udp(_)),
        }
    }

    /// Lets the events leave the window that are done.
    pub fn expire(
        &mut self,
        window: &mut ResendWindow,
        policy: ResendPolicy,
        now: Duration,
    ) -> Result<Moved, OutputError> {
        match self {
            Connection::Tcp(s) => {
                let acknowledged = s.acknowledged();
                let oldest = s.outstanding().map(|at| now.saturating_sub(at.elapsed()));
                window.observe(acknowledged, oldest, now);
                Ok(window.expire(policy))
            }
            // Lines are numbered from 0 on each connection.
            Connection::Relp(s, ..) => Ok(window.acknowledge(s.acknowledged().map_or(0, |id| id + 1))),
            Connection::Sink(w) => Ok(window.acknowledge(w.done()?)),
        }
    }

    /// When [`expire`](Self::expire) may have something new, though nothing else happens; `None` when that is not known.
    pub fn next_expiry_in(&self, window: &ResendWindow, policy: ResendPolicy) -> Option<Duration> {
        match self {
            Connection::Tcp(_) => window.next_expiry_in(policy),
            Connection::Relp(..) => None,
            Connection::Sink(w) => w.sink.is_dirty().then(|| SYNC.saturating_sub(w.synced.elapsed())),
        }
    }

    /// Whether only the end of the connection says that its receiver has read everything.
    pub fn is_confirmed_by_its_end(&self) -> bool {
        matches!(self, Connection::Tcp(_))
    }

    /// Datagrams that are known to be lost.
    pub fn refused(&self) -> u64 {
        match self {
            Connection::Sink(w) => w.sink.refused(),
            Connection::Tcp(_) | Connection::Relp(..) => 0,
        }
    }

    /// Whether what is lost may come to be known after it was sent.
    pub fn may_lose(&self) -> bool {
        matches!(self, Connection::Sink(w) if is_unreliable(&w.target))
    }

    /// Grows while the receiver takes or answers something.
    pub fn progress(&self) -> u64 {
        match self {
            Connection::Tcp(s) => s.progress(),
            Connection::Relp(s, ..) => s.acknowledged().unwrap_or(0),
            Connection::Sink(_) => 0,
        }
    }

    /// Whether our side of it is closed: nothing more is written.
    pub fn is_shut(&self) -> bool {
        match self {
            Connection::Tcp(s) => s.is_shut(),
            Connection::Relp(..) | Connection::Sink(_) => true,
        }
    }

    /// Ends the connection: a step of it, to be repeated until it is `true`. Then everything that was taken has arrived.
    pub async fn finish(&mut self, at_most: Duration) -> Result<bool, OutputError> {
        match self {
            Connection::Tcp(s) => s.finish().await,
            Connection::Relp(s, _, name) => s.close(at_most).await.map(|()| true).map_err(|e| failed(name, e)),
            Connection::Sink(w) => {
                let finished = blocking(|| w.sink.finish());
                w.log_refusals();
                finished.map(|()| true)
            }
        }
    }
}

impl FireAndForget {
    fn connection(o: &OutputOptions, target: &Target, connector: &Connector, sink: Sink) -> Connection {
        Connection::Sink(Box::new(FireAndForget {
            sink,
            target: target.clone(),
            connector: connector.clone(),
            taken: 0,
            done: 0,
            synced: Instant::now(),
            anew: 0,
            renew: o.failback_interval,
            renewed: Instant::now(),
            look_up: None,
            refused: 0,
            told: 0,
            going_on: false,
            trouble: String::new(),
            messages: Vec::new(),
        }))
    }

    /// Writes what was taken: standard output and disks may take their time.
    fn flush(&mut self) -> Result<(), OutputError> {
        if self.sink.unwritten_lines() == 0 { Ok(()) } else { blocking(|| self.sink.flush()) }
    }

    /// Lines that are done.
    fn done(&mut self) -> Result<u64, OutputError> {
        if self.sink.is_dirty() && self.synced.elapsed() >= SYNC {
            blocking(|| self.sink.sync())?;
            self.synced = Instant::now();
        }
        if !self.sink.is_dirty() {
            self.done = self.taken.saturating_sub(self.sink.unwritten_lines());
        }
        Ok(self.done)
    }

    /// Counts what was refused since the last look, tells when that begins and ends, and follows a name to another address,
    /// or to another file.
    fn look(&mut self) -> Result<(), OutputError> {
        match self.target {
            Target::File(_) => blocking(|| self.sink.look())?,
            _ => self.sink.look()?,
        }
        let anew = self.sink.renewed();
        if std::mem::replace(&mut self.anew, anew) != anew {
            self.messages.push(format!("{}: the file went by another name: it is begun anew", self.target));
        }
        let refused = self.sink.refused();
        let more = refused > self.refused;
        self.refused = refused;
        if more && !std::mem::replace(&mut self.going_on, true) {
            self.messages.push(format!("{}: nobody listens there: datagrams are refused, and lost", self.target));
        }
        if self.renewed.elapsed() >= self.renew {
            self.renewed = Instant::now();
            if !more {
                self.log_refusals();
            }
            self.look_up();
        }
        Ok(())
    }

    /// Looks the name up again in the background: datagrams go on meanwhile.
    fn look_up(&mut self) {
        let Target::Udp(address) = &self.target else { return };
        if self.look_up.is_none() {
            let (connector, address) = (self.connector.clone(), address.clone());
            self.look_up = Some(LookUp(tokio::spawn(async move { connector.resolve(&address).await })));
        }
    }

    /// Waits for the look-up that goes on.
    async fn wait_ready(&mut self) -> Result<(), OutputError> {
        let Some(look_up) = &mut self.look_up else { return pending().await };
        let found = (&mut look_up.0).await;
        self.look_up = None;
        let Target::Udp(address) = &self.target else { return Ok(()) };
        let renewed = match found {
            Ok(found) => found.map_err(OutputError::from).and_then(|found| self.sink.re_resolve(address, &found)),
            Err(_) => Ok(()),
        };
        match renewed {
            Ok(()) => self.trouble.clear(),
            Err(OutputError::Connect(ConnectError::Unreachable { source, .. }))
                if source.kind() == std::io::ErrorKind::TimedOut => {}
            Err(e) => {
                let text = e.to_string();
                if text != self.trouble {
                    self.messages.push(format!("{text}; datagrams go where they went before"));
                    self.trouble = text;
                }
            }
        }
        Ok(())
    }

    fn log_refusals(&mut self) {
        self.refused = self.sink.refused();
        self.going_on = false;
        if self.refused > self.told {
            self.told = self.refused;
            self.messages.push(format!("{}: {} datagrams were refused so far", self.target, self.refused));
        }
    }
}

async fn relp(
    o: &OutputOptions,
    target: &Target,
    address: &Address,
    connector: &Connector,
) -> Result<Connection, OutputError> {
    let name = target.to_string();
    let socket = connector.connect(address).await?;
    let watch = LivenessMonitor::new(&socket, connector.dead_peer);
    let wire: Box<dyn Wire> = match target {
        Target::RelpTls(_) => Box::new(client::connect(address, &o.tls, socket, connector).await?),
        _ => Box::new(socket),
    };
    let guard = Guard { watch: Some(watch), end: connector.end.clone(), stall: o.stall_timeout };
    let opened = Session::open(wire, guard, connector.limit, DEFAULT_WINDOW).await;
    let mut session = opened.map_err(|e| failed(&name, e))?;
    // A receiver that takes its time with answers is slow, not gone: a silent network is found below.
    session.set_timeout(o.stall_timeout);
    Ok(Connection::Relp(Box::new(session), 0, name))
}

fn failed(name: &str, source: RelpError) -> OutputError {
    OutputError::Relp { to: name.to_owned(), source: Box::new(source) }
}

/// Whether lines to this target may be lost without a sign whatever is done: said at start.
pub fn is_unreliable(target: &Target) -> bool {
    matches!(target, Target::Udp(_))
}
