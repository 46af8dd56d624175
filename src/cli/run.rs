//! `run`: the agent as a service.
use std::{
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use tokio::{
    runtime::Runtime,
    sync::{Notify, mpsc, oneshot},
    task::spawn_blocking,
    time::sleep,
};

use super::{
    console::{in_words, say, tell, tell_problem},
    context::{ConfigArgs, load},
    exit::{Exit, Failure},
    signals, version,
};
use crate::{
    agent::{
        self, Control, Handle, Setup, Shared, Totals,
        control::{
            server::{ReloadRequest, Server},
            socket::ControlSocket,
        },
    },
    config::{
        Config, ConfigError, ControlConfig, Problem, ProblemLevel,
        model::model_options,
        ready::{self, Who},
    },
    decode::journal::Catalog,
    encode::Profile,
    log,
    service::Service,
    spool::{Spool, SpoolError, SpoolOptions},
};

/// Options of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    files: ConfigArgs,
    /// Warnings about the configuration are errors
    #[arg(long)]
    deny_warnings: bool,
    /// End with 3 when a gap was seen: entries may be missing
    #[arg(long)]
    strict: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    log::never_wait();
    let (handle, control) = agent::control();
    let runs = Arc::new(AtomicBool::new(false));
    let asked: Arc<Notify> = Arc::default();
    let ask = asked.clone();
    let standing = signals::standing().map_err(Failure::failed)?;
    let runtime = standing.pass_on(handle.clone(), runs.clone(), move || ask.notify_one());
    let catalog = Arc::new(args.files.catalog()?);
    let profile = Profile::native().map_err(|e| Failure::failed(anyhow!(e)))?;
    let (config, state_dir) = configuration(&args.files.config, &catalog, args.deny_warnings)?;
    say(format_args!("qaudjrn: version {} starts, commit {}\n", version::NUMBER, version::COMMIT));
    let service = Arc::new(Service::from_environment());
    service.status("starts: the spool is opened and looked through");
    let mut options = SpoolOptions::new(state_dir.clone());
    options.max_size = config.spool_max_size;
    let (spool, notes) =
        Spool::open_patiently(options, &mut waits(&state_dir, &runtime, &service)).map_err(spool_failure)?;
    for note in notes {
        say(format_args!("qaudjrn: {note}\n"));
    }
    let mut shared = Shared::new(catalog.clone(), profile.clone(), spool, handle.clone());
    shared.service = service.clone();
    let setup = setup(&profile, config);
    handle.set_limit(setup.config.stop_timeout);
    runs.store(true, Ordering::SeqCst);
    let shared = Arc::new(shared);
    let (reload_requests, requests) = mpsc::channel(1);
    let control_as_started = setup.config.control.clone();
    let _socket = control_socket(&setup.config, &state_dir).map(|(listener, socket)| {
        runtime.spawn(Server::new(shared.clone(), reload_requests).serve(listener));
        socket
    });
    let reloads = Reloads {
        path: args.files.config.clone(),
        state_dir,
        deny_warnings: args.deny_warnings,
        catalog,
        profile,
        handle,
        service,
        control: control_as_started,
    };
    runtime.spawn(Arc::new(reloads).follow(asked, requests));
    let totals = runtime.block_on(agent::run(shared, setup, control));
    // Nothing that hangs holds up the end.
    runtime.shutdown_background();
    sums(&totals);
    let not_well = totals.damaged > 0
        || totals.sources.iter().any(|(_, s)| s.parked > 0 || s.incomplete || s.lacks || args.strict && s.gaps > 0)
        || totals.outputs.iter().any(|(_, o)| o.unreadable + o.refused > 0 || o.answered);
    Ok(if totals.failed {
        Exit::Failed
    } else if not_well {
        Exit::Incomplete
    } else {
        Exit::Done
    })
}

fn setup(profile: &Profile, config: Config) -> Setup {
    Setup::new(model_options(profile, &config, false), config)
}

/// Reads the configuration again when that is asked for. On a thread for calls that block: whatever hangs there, the agent goes on,
/// and ends when it is to.
struct Reloads {
    path: PathBuf,
    state_dir: PathBuf,
    deny_warnings: bool,
    catalog: Arc<Catalog>,
    profile: Profile,
    handle: Handle,
    service: Arc<Service>,
    /// As it was at the start: the socket stays where it is.
    control: ControlConfig,
}

impl Reloads {
    async fn follow(self: Arc<Self>, asked: Arc<Notify>, mut requests: mpsc::Receiver<ReloadRequest>) {
        loop {
            // Several at once are one.
            let request = tokio::select! {
                () = asked.notified() => None,
                Some(request) = requests.recv() => Some(request),
            };
            let reloads = self.clone();
            let done = match spawn_blocking(move || reloads.reload()).await {
                Ok(Ok((hash, applied))) => match applied.await {
                    Ok(()) => Ok(hash),
                    // The agent stops: nothing is said of what is not in force.
                    Err(_) => continue,
                },
                Ok(Err(problems)) => Err(problems),
                Err(_) => continue,
            };
            // Who asked may have gone.
            let _ = request.map(|request| request.send(done));
        }
    }

    /// The hash of what was read, and what tells when it is in force; or what is wrong.
    fn reload(&self) -> Result<(String, oneshot::Receiver<()>), Vec<String>> {
        self.service.reloading();
        let refused = |why: &str| {
            self.handle.say(Control::Refused);
            self.service.ready("a new configuration was refused, the old one stays; the log says why");
            say(format_args!("qaudjrn: the new configuration is refused, the old one stays:{why}\n"));
        };
        match configuration(&self.path, &self.catalog, self.deny_warnings) {
            Ok((_, other)) if other != self.state_dir => {
                refused(" another state_dir needs a new start");
                Err(vec!["another state_dir needs a new start".to_owned()])
            }
            Ok((config, _)) => {
                say(format_args!("qaudjrn: the configuration was read again: {}\n", config.hash));
                if config.control != self.control {
                    log::warn(format_args!("[control] says something else: that counts from the next start"));
                }
                let (tell, told) = oneshot::channel();
                let hash = config.hash.clone();
                self.handle.say(Control::Reload(Box::new(setup(&self.profile, config)), Some(tell)));
                Ok((hash, told))
            }
            Err(e) => {
                refused("");
                tell(&e);
                Err(in_words(&e))
            }
        }
    }
}

/// Makes the socket by which the agent is asked how it is. Without one it works as well.
fn control_socket(config: &Config, state_dir: &Path) -> Option<(UnixListener, ControlSocket)> {
    let runtime = std::env::var_os("RUNTIME_DIRECTORY");
    let path = config.control.path(Some(state_dir), runtime.as_deref())?;
    match ControlSocket::open(&path, config.control.sign(state_dir)) {
        Ok(made) => Some(made),
        Err(e) => {
            log::warn(format_args!(
                "the control socket {} cannot be made: {e}; the agent goes on without: `qaudjrn status` and `reload` do not reach it, signals do",
                path.display()
            ));
            None
        }
    }
}

/// Reads a configuration and looks whether an agent can run with it. Its `state_dir` comes with it.
fn configuration(path: &Path, catalog: &Catalog, deny_warnings: bool) -> Result<(Config, PathBuf), Failure> {
    let config = load(path, catalog, None, deny_warnings)?;
    let missing = |what: &str| Failure::usage(anyhow!("{}: {what}", path.display()));
    let lacks = ready::missing(&config).into_iter().next();
    let (None, Some(state_dir)) = (&lacks, config.state_dir.clone()) else {
        return Err(missing(lacks.as_deref().unwrap_or("")));
    };
    let found = ready::problems(&config, catalog, Who::Run);
    let (stopping, odd): (Vec<Problem>, Vec<Problem>) =
        found.into_iter().partition(|p| deny_warnings || p.level == ProblemLevel::Error);
    if !stopping.is_empty() {
        return Err(Failure::usage(ConfigError(stopping)));
    }
    odd.iter().for_each(tell_problem);
    Ok((config, state_dir))
}

/// The sums: what was read became something, and what was spooled too.
fn sums(totals: &Totals) {
    for (name, s) in &totals.sources {
        let refused = if s.refused > 0 { format!(" + refused {}", s.refused) } else { String::new() };
        let missing = if s.missing > 0 { format!(", entries missing {}", s.missing) } else { String::new() };
        let gaps = if s.gaps > 0 { format!("; gaps {}{missing}", s.gaps) } else { String::new() };
        say(format_args!(
            "qaudjrn: source {name}: read {} = filtered {} + parked {}{refused} + spooled {}{gaps}\n",
            s.read, s.filtered, s.parked, s.spooled
        ));
    }
    for (name, o) in &totals.outputs {
        let more: String = [
            ("unreadable", o.unreadable),
            ("waiting", o.waiting),
            ("unconfirmed", o.unconfirmed),
            ("refused", o.refused),
            ("notices", o.notices),
        ]
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(what, n)| format!(", {what} {n}"))
        .collect();
        let answers = if o.answered { "; its receiver answers: is it the right port?" } else { "" };
        say(format_args!(
            "qaudjrn: output {name}: sent {}, filtered {}, resent {}{more}{answers}\n",
            o.sent, o.filtered, o.resent
        ));
    }
}

/// Bytes below which a disk counts as full: what SQLite needs beside the database before it reads it.
const MIN_ROOM: u64 = 1 << 20;

/// What is done while the spool cannot be opened at present: it is said once, and tried again with growing pauses. Nothing is lost by
/// waiting, and nothing in the state is touched.
fn waits<'a>(state_dir: &Path, runtime: &Runtime, service: &'a Service) -> impl FnMut(&SpoolError) -> bool + 'a {
    let runtime = runtime.handle().clone();
    let (mut pause, mut told) = (Duration::from_millis(500), String::new());
    let folder = state_dir.to_owned();
    move |e| {
        let text = e.to_string();
        if text != told {
            // SQLite has one word for a disk that fails and one that is full.
            let room = rustix::fs::statvfs(&folder).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize));
            let full = if room < MIN_ROOM { " (the disk has no room left)" } else { "" };
            say(format_args!(
                "qaudjrn: {text}{full}; the agent waits until that works again, and leaves the state as it is\n"
            ));
            service.status(&format!("waits: {text}{full}"));
            told = text;
        }
        runtime.block_on(async { sleep(pause).await });
        pause = (pause * 2).min(Duration::from_secs(30));
        true
    }
}

fn spool_failure(e: SpoolError) -> Failure {
    match e {
        SpoolError::InUse { .. } | SpoolError::NotOurs { .. } => Failure::usage(e),
        _ => Failure::failed(e),
    }
}
