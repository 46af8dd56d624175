//! Commands that speak to a running agent by its control socket (docs/CONTROL.md).
pub mod orders;
pub mod status;
pub mod tap;
#[cfg(not(target_os = "aix"))]
pub mod top;

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::anyhow;

use super::exit::Failure;
use crate::{
    agent::control::protocol::{Answer, Request, line},
    config::{Config, ControlConfig},
    decode::journal::Catalog,
};

/// Where packages put a configuration.
const USUAL_CONFIG: &str = "/etc/qaudjrn/agent.toml";
/// Where the unit of the packages has the socket: for a configuration that is no TOML.
const USUAL_SOCKET: &str = "/run/qaudjrn/control.sock";
/// How long an agent may take to answer: it may wait for a disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the longest answer.
const LONGEST: u64 = 64 << 20;

/// Which agent is meant.
#[derive(clap::Args, Debug)]
pub struct AgentArgs {
    /// The configuration of the agent: it says where its control socket is
    #[arg(long, value_name = "FILE", default_value = USUAL_CONFIG)]
    config: PathBuf,
    /// The control socket, where the configuration cannot be read
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl AgentArgs {
    /// Connects to it.
    pub fn connect(&self) -> Result<Agent, Failure> {
        let path = match &self.socket {
            Some(path) => path.clone(),
            None => self.find()?,
        };
        let stream = UnixStream::connect(&path).map_err(|e| no_agent(&path, &e))?;
        let limited = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.try_clone());
        let to = limited.map_err(|e| no_agent(&path, &e))?;
        let mut agent = Agent { path, from: BufReader::new(stream), to };
        agent.set_patience(Some(PATIENCE))?;
        Ok(agent)
    }

    /// Where the configuration says that it is; whatever else is wrong with it.
    fn find(&self) -> Result<PathBuf, Failure> {
        let catalog = Catalog::with_folder(None).map_err(Failure::usage)?;
        let config = Config::load(&self.config, &catalog).map_err(|e| {
            Failure::usage(anyhow!(
                "{e}; give the configuration of the agent with --config, or its control socket with --socket"
            ))
        })?;
        let ControlConfig { enabled, socket } = &config.control;
        if !enabled {
            let file = self.config.display();
            return Err(Failure::usage(anyhow!(
                "{file}: the agent has no control socket: [control] says enabled = false"
            )));
        }
        // Under systemd its reload command knows the folder of the service; others find the socket by the link beside the state.
        let runtime = std::env::var_os("RUNTIME_DIRECTORY");
        let state = config.state_dir.as_deref();
        let beside = config.control.path(state, None).filter(|path| path.symlink_metadata().is_ok());
        let of_service = config.control.path(state, runtime.as_deref());
        let found = socket
            .clone()
            .or(beside)
            .or(of_service)
            .or_else(|| Path::new(USUAL_SOCKET).exists().then(|| USUAL_SOCKET.into()));
        found.ok_or_else(|| {
            Failure::usage(anyhow!(
                "{}: it names no state_dir: give the control socket with --socket",
                self.config.display()
            ))
        })
    }
}

/// A running agent.
pub struct Agent {
    path: PathBuf,
    from: BufReader<UnixStream>,
    to: UnixStream,
}

impl Agent {
    /// Asks, and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        self.say(request)?;
        self.answer()?.ok_or_else(|| {
            Failure::failed(anyhow!("the agent ended while it was asked; start it, or look into its log"))
        })
    }

    /// Asks.
    pub fn say(&mut self, request: &Request) -> Result<(), Failure> {
        self.to.write_all(&line(request)).map_err(|e| no_agent(&self.path, &e))
    }

    /// The next answer; `None` when the agent has ended. What it cannot answer is a failure.
    pub fn answer(&mut self) -> Result<Option<Answer>, Failure> {
        let mut text = Vec::new();
        (&mut self.from).take(LONGEST).read_until(b'\n', &mut text).map_err(|e| no_agent(&self.path, &e))?;
        if text.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&text) {
            Ok(Answer::Error { error }) => Err(Failure::usage(anyhow!("{error}"))),
            Ok(answer) => Ok(Some(answer)),
            Err(e) => Err(Failure::failed(anyhow!(
                "{}: this is no answer of an agent ({e}): is it an agent of another version, or another program's socket?",
                self.path.display()
            ))),
        }
    }

    /// How long each answer may take from now on; `None`: as long as it wants.
    pub fn set_patience(&mut self, wait: Option<Duration>) -> Result<(), Failure> {
        self.from.get_ref().set_read_timeout(wait).map_err(|e| no_agent(&self.path, &e))
    }
}

/// An answer to something else than what was asked.
fn unexpected(answer: &Answer) -> Failure {
    Failure::failed(anyhow!("the agent answered something else than what it was asked: {answer:?}"))
}

fn no_agent(path: &Path, e: &io::Error) -> Failure {
    let advice = match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "no agent listens there: it does not run, still starts, or has another configuration (give it with --config)"
        }
        io::ErrorKind::PermissionDenied => "only the agent's own user and root may ask it: use sudo",
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the agent does not answer in time: look into its log",
        _ => "the agent cannot be asked",
    };
    Failure::failed(anyhow!("{}: {e}: {advice}", path.display()))
}
