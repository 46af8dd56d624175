//! One connection of an output, whatever its transport: takes lines, says which of them are done.
use std::{
    io::{Read, Write},
    time::Duration,
};

use super::window::{Moved, Rules, Window};
use crate::{
    config::OutputConfig,
    output::{
        Address, OutputError, Sink, Target,
        relp::{DEFAULT_WINDOW, RelpError, Session},
        sink::connect,
        stream::{Flushed, Stream},
        tls,
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
    Sink(Box<Sink>, u64),
}

/// How long a RELP receiver may owe answers and give none before it counts as gone.
const SILENCE: Duration = Duration::from_secs(60);

impl Link {
    /// Connects.
    pub fn open(o: &OutputConfig) -> Result<Link, OutputError> {
        let framing = o.framing();
        match &o.address {
            Target::Tcp(_) | Target::Tls(_) => Ok(Link::Stream(Box::new(Stream::open(&o.address, framing, &o.tls)?))),
            Target::Relp(a) => relp(a, None),
            Target::RelpTls(a) => relp(a, Some(o)),
            _ => Ok(Link::Sink(Box::new(Sink::open(&o.address, framing, &o.tls)?), 0)),
        }
    }

    /// Takes a line. RELP waits here while the receiver owes answers for a whole window.
    pub fn take(&mut self, line: &[u8]) -> Result<(), OutputError> {
        match self {
            Link::Stream(s) => s.take(line),
            Link::Relp(s, taken, name) => {
                s.send(line, *taken).map_err(|e| failed(name, e))?;
                *taken += 1;
            }
            Link::Sink(s, taken) => {
                s.send(line)?;
                *taken += 1;
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
            Link::Sink(s, _) => s.flush().map(|()| Flushed::All),
        }
    }

    /// Looks whether the receiver has gone, and reads what it answers.
    pub fn look(&mut self) -> Result<(), OutputError> {
        match self {
            Link::Stream(s) => s.look(),
            Link::Relp(s, _, name) => s.poll(Duration::ZERO).map(|_| ()).map_err(|e| failed(name, e)),
            Link::Sink(..) => Ok(()),
        }
    }

    /// Lets the events leave the window that are done.
    pub fn pass(&mut self, window: &mut Window, rules: Rules, now: Duration) -> Moved {
        match self {
            Link::Stream(s) => window.pass(rules, s.written(), now),
            // Lines are numbered from 0 on each connection.
            Link::Relp(s, ..) => window.acknowledge(s.acknowledged().map_or(0, |id| id + 1)),
            Link::Sink(s, taken) => window.acknowledge(*taken - s.waiting().min(*taken)),
        }
    }

    /// Ends the connection. `true` when everything that was taken has arrived.
    pub fn finish(&mut self, at_most: Duration) -> Result<bool, OutputError> {
        match self {
            Link::Stream(s) => s.finish(at_most),
            Link::Relp(s, _, name) => s.close(at_most).map(|()| true).map_err(|e| failed(name, e)),
            Link::Sink(s, _) => s.finish().map(|()| true),
        }
    }
}

fn relp(address: &Address, secure: Option<&OutputConfig>) -> Result<Link, OutputError> {
    let name = format!("relp{}://{address}", if secure.is_some() { "+tls" } else { "" });
    let socket = connect(address)?;
    let own = socket.try_clone();
    let wire: Box<dyn Wire> = match secure {
        Some(o) => Box::new(tls::connect(address, &o.tls, socket)?),
        None => Box::new(socket),
    };
    // The session waits in steps of the read timeout; set last, because the handshake sets its own.
    own.and_then(|s| s.set_read_timeout(Some(Duration::from_millis(50))))
        .map_err(|source| OutputError::Connect { to: name.clone(), source })?;
    let session = Session::open(wire, SILENCE, DEFAULT_WINDOW).map_err(|e| failed(&name, e))?;
    Ok(Link::Relp(Box::new(session), 0, name))
}

fn failed(name: &str, source: RelpError) -> OutputError {
    OutputError::Relp { to: name.to_owned(), source: Box::new(source) }
}

/// Whether lines to this target may be lost without a sign whatever is done: said at start.
pub fn is_unreliable(target: &Target) -> bool {
    matches!(target, Target::Udp(_))
}
