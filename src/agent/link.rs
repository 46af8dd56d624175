//! One connection of an output, whatever its transport: takes lines, says which of them are done.
pub mod route;

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use super::window::{Moved, Rules, Window};
use crate::{
    config::OutputConfig,
    net::{
        Address, ConnectError,
        blocking::{self, Dial},
        tcp_info::Watch,
        tls::steps::Steps,
    },
    output::{
        OutputError, Sink, Target,
        patient::Patient,
        relp::{DEFAULT_WINDOW, RelpError, Session},
        stream::{Flushed, Stream},
    },
};

/// Something that RELP runs over.
pub trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// A connection.
pub enum Link {
    /// TCP or TLS: nothing is acknowledged.
    Stream(Box<Stream>),
    /// RELP: every line is. The number is that of the lines taken.
    Relp(Box<Session<Box<dyn Wire>>>, u64, String),
    /// UDP, files, standard output: a line is done when it is written.
    Sink(Box<Written>),
}

/// A link whose lines are done when they are written; in a file when they are on the disk.
pub struct Written {
    sink: Sink,
    target: Target,
    dial: Dial,
    taken: u64,
    /// Lines that are done, and when the file was last synced.
    done: u64,
    synced: Instant,
    /// How often the file was begun anew.
    anew: u64,
    /// How often the name is looked up again, and when that was.
    renew: Duration,
    renewed: Instant,
    /// Refusals that were seen, how many of them were told, and whether the log knows that they go on.
    refused: u64,
    told: u64,
    going_on: bool,
    /// What was last said of the name.
    trouble: String,
    notes: Vec<String>,
}

/// How long a look-up may hold up datagrams; what comes later is used by the next one.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How often what is written to a file is made to be on the disk.
const SYNC: Duration = Duration::from_millis(500);

impl Link {
    /// Connects.
    pub fn open(o: &OutputConfig, target: &Target, dial: &Dial) -> Result<Link, OutputError> {
        let framing = o.framing();
        if let Some(key) = &o.tls.key {
            key.check_private()?;
        }
        match target {
            Target::Tcp(_) | Target::Tls(_) => Ok(Link::Stream(Box::new(Stream::open(target, framing, &o.tls, dial)?))),
            Target::Relp(a) | Target::RelpTls(a) => relp(o, target, a, dial),
            _ => Ok(Link::Sink(Box::new(Written {
                sink: Sink::open_by(target, framing, &o.tls, dial)?,
                target: target.clone(),
                dial: dial.clone(),
                taken: 0,
                done: 0,
                synced: Instant::now(),
                anew: 0,
                renew: o.failback_interval,
                renewed: Instant::now(),
                refused: 0,
                told: 0,
                going_on: false,
                trouble: String::new(),
                notes: Vec::new(),
            }))),
        }
    }

    /// What the log should say of it, once each.
    pub fn notes(&mut self) -> Vec<String> {
        match self {
            Link::Sink(w) => std::mem::take(&mut w.notes),
            Link::Stream(s) => s.note().into_iter().collect(),
            Link::Relp(..) => Vec::new(),
        }
    }

    /// Whether a receiver that has nothing to say said something: then nobody knows whether it took any line.
    pub fn has_answered(&self) -> bool {
        matches!(self, Link::Stream(s) if s.has_answered())
    }

    /// Takes a line. RELP waits here while the receiver owes answers for a whole window.
    pub fn take(&mut self, line: &[u8]) -> Result<(), OutputError> {
        match self {
            Link::Stream(s) => s.take(line),
            Link::Relp(s, taken, name) => {
                s.send(line, *taken).map_err(|e| failed(name, e))?;
                *taken += 1;
            }
            Link::Sink(w) => {
                w.sink.send(line)?;
                w.taken += 1;
            }
        }
        Ok(())
    }

    /// Whether enough was taken for a write.
    pub fn is_full(&self) -> bool {
        matches!(self, Link::Stream(s) if s.is_full())
    }

    /// Writes what was taken, as far as the receiver takes it.
    pub fn flush(&mut self) -> Result<Flushed, OutputError> {
        match self {
            Link::Stream(s) => s.flush(),
            Link::Relp(s, _, name) => s.flush().map(|()| Flushed::All).map_err(|e| failed(name, e)),
            Link::Sink(w) => w.sink.flush().map(|()| Flushed::All),
        }
    }

    /// Looks whether the receiver has gone, and reads what it answers.
    pub fn look(&mut self) -> Result<(), OutputError> {
        match self {
            Link::Stream(s) => s.look(),
            Link::Relp(s, _, name) => s.poll(Duration::ZERO).map(|_| ()).map_err(|e| failed(name, e)),
            Link::Sink(w) => w.look(),
        }
    }

    /// Lets the events leave the window that are done.
    pub fn pass(&mut self, window: &mut Window, rules: Rules, now: Duration) -> Result<Moved, OutputError> {
        match self {
            Link::Stream(s) => {
                let acknowledged = s.acknowledged();
                let oldest = s.outstanding().map(|at| now.saturating_sub(at.elapsed()));
                window.see(acknowledged, oldest, now);
                Ok(window.pass(rules))
            }
            // Lines are numbered from 0 on each connection.
            Link::Relp(s, ..) => Ok(window.acknowledge(s.acknowledged().map_or(0, |id| id + 1))),
            Link::Sink(w) => Ok(window.acknowledge(w.done()?)),
        }
    }

    /// When [`pass`](Self::pass) may have something new, though nothing else happens; `None` when that is not known.
    pub fn settles_in(&self, window: &Window, rules: Rules) -> Option<Duration> {
        match self {
            Link::Stream(_) => window.next_in(rules),
            Link::Relp(..) => None,
            Link::Sink(w) => w.sink.is_dirty().then(|| SYNC.saturating_sub(w.synced.elapsed())),
        }
    }

    /// Datagrams that are known to be lost.
    pub fn refused(&self) -> u64 {
        match self {
            Link::Sink(w) => w.sink.refused(),
            Link::Stream(_) | Link::Relp(..) => 0,
        }
    }

    /// Whether what is lost may come to be known after it was sent.
    pub fn may_lose(&self) -> bool {
        matches!(self, Link::Sink(w) if is_unreliable(&w.target))
    }

    /// Grows while the receiver takes or answers something.
    pub fn progress(&self) -> u64 {
        match self {
            Link::Stream(s) => s.progress(),
            Link::Relp(s, ..) => s.acknowledged().unwrap_or(0),
            Link::Sink(_) => 0,
        }
    }

    /// Whether our side of it is closed: nothing more is written.
    pub fn is_shut(&self) -> bool {
        match self {
            Link::Stream(s) => s.is_shut(),
            Link::Relp(..) | Link::Sink(_) => true,
        }
    }

    /// Ends the connection: a step of it, to be repeated until it is `true`. Then everything that was taken has arrived.
    pub fn finish(&mut self, at_most: Duration) -> Result<bool, OutputError> {
        match self {
            Link::Stream(s) => s.finish(),
            Link::Relp(s, _, name) => s.close(at_most).map(|()| true).map_err(|e| failed(name, e)),
            Link::Sink(w) => {
                let finished = w.sink.finish();
                w.tell_refusals();
                finished.map(|()| true)
            }
        }
    }
}

impl Written {
    /// Lines that are done.
    fn done(&mut self) -> Result<u64, OutputError> {
        if self.sink.is_dirty() && self.synced.elapsed() >= SYNC {
            self.sink.sync()?;
            self.synced = Instant::now();
        }
        if !self.sink.is_dirty() {
            self.done = self.taken.saturating_sub(self.sink.waiting());
        }
        Ok(self.done)
    }

    /// Counts what was refused since the last look, tells when that begins and ends, and follows a name to another address,
    /// or to another file.
    fn look(&mut self) -> Result<(), OutputError> {
        self.sink.look()?;
        let anew = self.sink.renewed();
        if std::mem::replace(&mut self.anew, anew) != anew {
            self.notes.push(format!("{}: the file went by another name: it is begun anew", self.target));
        }
        let refused = self.sink.refused();
        let more = refused > self.refused;
        self.refused = refused;
        if more && !std::mem::replace(&mut self.going_on, true) {
            self.notes.push(format!("{}: nobody listens there: datagrams are refused, and lost", self.target));
        }
        if self.renewed.elapsed() >= self.renew {
            self.renewed = Instant::now();
            if !more {
                self.tell_refusals();
            }
            self.renew();
        }
        Ok(())
    }

    fn renew(&mut self) {
        let dial = Dial { limit: LOOK_UP.min(self.dial.limit), ..self.dial.clone() };
        match self.sink.renew(&self.target, &dial) {
            Ok(()) => self.trouble.clear(),
            Err(OutputError::Connect(ConnectError::Unreachable { source, .. }))
                if source.kind() == std::io::ErrorKind::TimedOut => {}
            Err(e) => {
                let text = e.to_string();
                if text != self.trouble {
                    self.notes.push(format!("{text}; datagrams go where they went before"));
                    self.trouble = text;
                }
            }
        }
    }

    fn tell_refusals(&mut self) {
        self.refused = self.sink.refused();
        self.going_on = false;
        if self.refused > self.told {
            self.told = self.refused;
            self.notes.push(format!("{}: {} datagrams were refused so far", self.target, self.refused));
        }
    }
}

fn relp(o: &OutputConfig, target: &Target, address: &Address, dial: &Dial) -> Result<Link, OutputError> {
    let name = target.to_string();
    let socket = dial.connect(address)?;
    let own = socket.try_clone();
    let watch = Watch::new(&socket, dial.dead_peer);
    let wire: Box<dyn Wire> = match target {
        Target::RelpTls(_) => {
            let secure = blocking::secure(address, &o.tls, socket, &dial.wait())?;
            Box::new(Patient::new(Steps(secure), watch, dial.end.clone(), o.stall_timeout))
        }
        _ => Box::new(Patient::new(socket, watch, dial.end.clone(), o.stall_timeout)),
    };
    // The session waits in steps of the read timeout; set last, because the handshake sets its own.
    own.and_then(|s| s.set_read_timeout(Some(Duration::from_millis(50))))
        .map_err(|source| ConnectError::Unreachable { to: name.clone(), source })?;
    let mut session = Session::open(wire, dial.limit, DEFAULT_WINDOW).map_err(|e| failed(&name, e))?;
    // A receiver that takes its time with answers is slow, not gone: a silent network is found below.
    session.set_timeout(o.stall_timeout);
    Ok(Link::Relp(Box::new(session), 0, name))
}

fn failed(name: &str, source: RelpError) -> OutputError {
    OutputError::Relp { to: name.to_owned(), source: Box::new(source) }
}

/// Whether lines to this target may be lost without a sign whatever is done: said at start.
pub fn is_unreliable(target: &Target) -> bool {
    matches!(target, Target::Udp(_))
}
