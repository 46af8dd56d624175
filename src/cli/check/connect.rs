//! `check --connect`: tries what a configuration names, each of it once: the state, the sources, the outputs.
//!
//! All at the same time, each within its time, told in the order of the file. Connections are made by the code that the agent makes them
//! with, and a login is tried once: three refusals disable a profile. Nothing of an agent's state is written, whether one runs or not.
mod certificate;
mod door;
mod files;
pub mod finding;
mod live;
mod output;
mod send;
mod state;

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use tokio::{runtime::Builder, sync::oneshot, task::JoinHandle, time::timeout};

use self::finding::{Finding, Level};
use super::super::exit::Failure;
use crate::{
    config::{Config, source::Input},
    decode::journal::Catalog,
    encode::Profile,
};

/// What is to be tried.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Trying what the configuration names")]
pub struct Trial {
    /// Look at the state, ask every source once, and make every connection of the outputs once
    #[arg(long)]
    connect: bool,
    /// The same, and send one event (AGENT-TEST) to each output
    #[arg(long)]
    send_test: bool,
    /// How long each source and each address may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
}

/// What those who try have in common.
struct Context {
    config: Arc<Config>,
    catalog: Arc<Catalog>,
    profile: Profile,
    /// How long each may take.
    limit: Duration,
    /// An event is sent to each output.
    send_test: bool,
    /// What the state says.
    state: state::State,
}

impl Trial {
    /// Whether anything is to be tried.
    pub fn is_wanted(&self) -> bool {
        self.connect || self.send_test
    }

    /// Tries it.
    pub fn run(&self, config: Config, catalog: Catalog) -> Result<Vec<Finding>, Failure> {
        let profile = Profile::native().map_err(|e| Failure::failed(anyhow!(e)))?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failure::failed)?;
        let limit = Duration::from_secs(self.timeout);
        let (config, catalog) = (Arc::new(config), Arc::new(catalog));
        let found = runtime.block_on(async {
            let looked = config.clone();
            let state = apart(limit, move || state::State::look(&looked)).await;
            let mut found = Vec::new();
            let state = match state {
                Some((state, findings)) => {
                    found.extend(findings);
                    state
                }
                None => {
                    found.push(Finding::failed("state", format!("{}: its disk does not answer", silent(limit))));
                    state::State::default()
                }
            };
            let context = Context { config, catalog, profile, limit, send_test: self.send_test, state };
            found.extend(try_all(Arc::new(context)).await);
            found
        });
        // A disk or a name server that never answers holds up nobody.
        runtime.shutdown_background();
        Ok(found)
    }
}

/// Findings of sources, each with the place of its source in the configuration.
type Placed = Vec<(usize, Vec<Finding>)>;

/// Tries all sources and outputs at the same time; their findings in the order of the configuration.
async fn try_all(context: Arc<Context>) -> Vec<Finding> {
    let config = context.config.clone();
    let mut asked: Vec<(Vec<usize>, JoinHandle<Placed>)> = Vec::new();
    // Those who log in as the same user to the same system come one after the other: the second does not try what the first was refused.
    for places in live::by_login(&config.sources) {
        asked.push((places.clone(), tokio::spawn(live::ask_in_turn(context.clone(), places))));
    }
    for (place, source) in config.sources.iter().enumerate() {
        let (context, source) = (context.clone(), source.clone());
        let task = match source.input {
            Input::Live(_) => continue,
            Input::Stream(_) => tokio::spawn(async move { vec![(place, door::source(&context, &source).await)] }),
            Input::Capture(..) | Input::Directory(_) => {
                tokio::spawn(async move { vec![(place, files::look(context, source).await)] })
            }
        };
        asked.push((vec![place], task));
    }
    let tried: Vec<_> = config
        .outputs
        .iter()
        .map(|o| {
            let (context, o) = (context.clone(), Arc::new(o.clone()));
            (o.name.clone(), tokio::spawn(async move { output::look(&context, &o).await }))
        })
        .collect();
    let mut sources = Placed::new();
    for (places, task) in asked {
        let name = |place: usize| config.sources.get(place).map_or("", |s| s.name.as_str());
        let mistake = |place: &usize| (*place, vec![Finding::failed(format!("source {}", name(*place)), MISTAKE)]);
        sources.extend(task.await.unwrap_or_else(|_| places.iter().map(mistake).collect()));
    }
    sources.sort_by_key(|(place, _)| *place);
    let mut found: Vec<Finding> = sources.into_iter().flat_map(|(_, findings)| findings).collect();
    for listener in &config.listeners {
        found.extend(door::listener(&context, listener).await);
    }
    for (name, task) in tried {
        found.extend(task.await.unwrap_or_else(|_| vec![Finding::failed(format!("output {name}"), MISTAKE)]));
    }
    found
}

/// What is said where a task ended by a panic.
const MISTAKE: &str = "it could not be tried: internal error, please report";

/// Makes a call that may never come back, on a thread that nobody waits for longer than this.
async fn apart<T: Send + 'static>(limit: Duration, call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("check".to_owned());
    let work = move || {
        let _ = tell.send(call());
    };
    thread.spawn(work).ok()?;
    timeout(limit, told).await.ok()?.ok()
}

/// What is said of who does not answer.
fn silent(limit: Duration) -> String {
    format!("no answer within {} s (--timeout)", limit.as_secs())
}

/// The worst of what was found.
pub fn worst(found: &[Finding]) -> Level {
    found.iter().map(|f| f.level).max().unwrap_or(Level::Ok)
}
