//! Which of an output's addresses is in use: the first that can be reached, in their order. While it is not the first,
//! that one is looked for in the background, by a whole connection with its handshake, which then takes over.
//!
//! Not for: what happens to events. A connection that did not end cleanly leaves its window to the next one, whichever
//! address that is.
use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{OutputError, Target, connection::Connection, options::OutputOptions};
use crate::{
    log::info as log,
    net::connect::{Connector, Resolver},
};

/// A connection that ends sooner says that its address is of no use at present.
const TOO_SHORT: Duration = Duration::from_secs(5);
/// The longest time between two looks for the first address.
const LONGEST: Duration = Duration::from_secs(600);

/// See the module.
pub struct Failover {
    config: Arc<OutputOptions>,
    connector: Connector,
    /// The place of the address in use, and since when.
    used: usize,
    since: Instant,
    /// The place of the address to try first.
    from: usize,
    /// The address that the log knows to be in use.
    told: Option<usize>,
    /// What was last said of each address that cannot be reached.
    trouble: Vec<String>,
    /// The first address, reached again.
    ready: Option<Connection>,
    search: Option<Search>,
    next_search: Instant,
    /// Between two looks; longer each time the first address proved of no use.
    interval: Duration,
}

/// A search for the first address, which ends with its owner.
struct Search {
    task: JoinHandle<Result<Connection, OutputError>>,
    /// Cancelled when it has come to an end, whatever that is.
    ended: CancellationToken,
}

impl Search {
    fn new(search: impl Future<Output = Result<Connection, OutputError>> + Send + 'static) -> Search {
        let ended = CancellationToken::new();
        let at_end = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _at_end = at_end;
            search.await
        });
        Search { task, ended }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Failover {
    /// Of an output. When it is to end no more connections are made; when it is to end at once those that are end.
    pub fn new(config: &Arc<OutputOptions>, drain: &CancellationToken, abort: &CancellationToken) -> Failover {
        let connector = Connector {
            stop: drain.clone(),
            end: abort.clone(),
            limit: config.connect_timeout,
            dead_peer: config.dead_peer_timeout,
            names: Arc::new(Resolver::default()),
            witness: None,
        };
        Failover {
            connector,
            used: 0,
            since: Instant::now(),
            from: 0,
            told: None,
            trouble: config.addresses().map(|_| String::new()).collect(),
            ready: None,
            search: None,
            next_search: Instant::now(),
            interval: config.failback_interval,
            config: config.clone(),
        }
    }

    /// Connects to the first address that can be reached.
    pub async fn open(&mut self) -> Result<Connection, OutputError> {
        if let Some(connection) = self.ready.take() {
            self.mark_active(0);
            return Ok(connection);
        }
        let config = self.config.clone();
        let all: Vec<_> = config.addresses().enumerate().collect();
        let (behind, before) = all.split_at(self.from.min(all.len()));
        let mut errors = Vec::new();
        for (place, target) in before.iter().chain(behind) {
            match Connection::open(&config, target, &self.connector).await {
                Ok(connection) => {
                    self.mark_active(*place);
                    return Ok(connection);
                }
                Err(e) if self.connector.stop.is_cancelled() => return Err(e),
                Err(e) => {
                    self.tell(*place, &e);
                    errors.push(e);
                }
            }
        }
        self.from = 0;
        if errors.len() > 1 {
            let texts: Vec<String> = errors.iter().map(OutputError::to_string).collect();
            return Err(OutputError::NoneReached(texts.join("; ")));
        }
        Err(errors.pop().unwrap_or_else(|| OutputError::NoneReached("there is none".into())))
    }

    /// The address in use, or last used.
    pub fn address(&self) -> &Target {
        self.config.addresses().nth(self.used).unwrap_or(&self.config.address)
    }

    /// A connection ended before its time.
    pub fn failed(&mut self) {
        let count = self.config.failover.len() + 1;
        if self.used == 0 && self.since.elapsed() > LONGEST {
            self.interval = self.config.failback_interval;
        }
        // Reached, and of no use: the next one gets its turn, so that an address that only takes connections cannot keep
        // the events from one that takes lines.
        self.from = if self.since.elapsed() < TOO_SHORT { (self.used + 1) % count } else { 0 };
        if self.used == 0 && self.from != 0 {
            self.interval = (self.interval * 2).min(LONGEST.max(self.config.failback_interval));
        }
    }

    /// Whether another address than the first is in use and the first can be reached again. The next
    /// [`open`](Self::open) takes it.
    pub async fn primary_recovered(&mut self) -> bool {
        if self.used == 0 || self.ready.is_some() {
            return self.used != 0;
        }
        match &mut self.search {
            Some(search) if search.ended.is_cancelled() => {
                match (&mut search.task).await {
                    Ok(Ok(connection)) => {
                        self.ready = Some(connection);
                        log(format_args!("output {}: {} is back", self.config.name, self.config.address));
                    }
                    Ok(Err(e)) => self.tell(0, &e),
                    Err(_) => {}
                }
                self.search = None;
                self.next_search = Instant::now() + self.interval;
            }
            None if Instant::now() >= self.next_search => self.search(),
            _ => {}
        }
        self.ready.is_some()
    }

    /// Waits until [`primary_recovered`](Self::primary_recovered) has something new to say, or to do.
    pub async fn wait_ready(&mut self) {
        match &self.search {
            _ if self.used == 0 => pending().await,
            _ if self.ready.is_some() => {}
            Some(search) => search.ended.cancelled().await,
            None => sleep_until(self.next_search).await,
        }
    }

    fn search(&mut self) {
        let (config, connector) = (self.config.clone(), self.connector.clone());
        let connection = async move { Connection::open(&config, &config.address, &connector).await };
        self.search = Some(Search::new(connection));
    }

    fn mark_active(&mut self, place: usize) {
        (self.used, self.since, self.from) = (place, Instant::now(), 0);
        self.next_search = Instant::now() + self.interval;
        if let Some(trouble) = self.trouble.get_mut(place) {
            trouble.clear();
        }
        // An output with one address says nothing of it until it fails.
        if self.told != Some(place) && !self.config.failover.is_empty() {
            self.told = Some(place);
            if let Some(target) = self.config.addresses().nth(place) {
                log(format_args!("output {}: using {target}", self.config.name));
            }
        }
    }

    /// Says once why an address of several cannot be reached.
    fn tell(&mut self, place: usize, e: &OutputError) {
        let text = e.to_string();
        if let Some(before) = self.trouble.get_mut(place)
            && !self.config.failover.is_empty()
            && *before != text
        {
            log(format_args!("output {}: {text}", self.config.name));
            *before = text;
        }
    }
}
