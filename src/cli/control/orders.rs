//! `reload`, `flush`, `pause`, `resume`, `log-level`: what a running agent is told to do.
use std::time::Duration;

use anyhow::anyhow;
use tracing::Level;

use super::{AgentArgs, unexpected};
use crate::{
    agent::control::protocol::{Answer, Request},
    cli::{
        console::print,
        exit::{Exit, Failure},
    },
    log::{self, Least, numbers::grouped},
};

/// How much longer than a flush its answer may take.
const GRACE: Duration = Duration::from_secs(30);
/// How long a new configuration may take: its files may be on a disk that is slow.
const RELOAD: Duration = Duration::from_secs(120);

/// Options of `reload`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 the configuration is in force; 2 it is refused, and the old one stays; 1 no agent answers."
)]
pub struct ReloadArgs {
    #[command(flatten)]
    agent: AgentArgs,
}

/// Options of `flush`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 everything that waited is delivered; 3 not all of it, in that time; 1 no agent answers."
)]
pub struct FlushArgs {
    #[command(flatten)]
    agent: AgentArgs,
    /// Only what waits for this output
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// The longest wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=86_400))]
    timeout: u64,
}

/// Options of `pause` and `resume`.
#[derive(clap::Args, Debug)]
pub struct PauseArgs {
    #[command(flatten)]
    agent: AgentArgs,
    /// The output, by its name in the configuration
    #[arg(value_name = "OUTPUT")]
    output: String,
}

/// Options of `log-level`.
#[derive(clap::Args, Debug)]
pub struct LogLevelArgs {
    #[command(flatten)]
    agent: AgentArgs,
    /// The least that the log says
    #[arg(value_enum, value_name = "LEVEL")]
    level: Least,
}

/// Has the configuration read again.
pub fn reload(args: &ReloadArgs) -> Result<Exit, Failure> {
    let mut agent = args.agent.connect()?;
    agent.set_patience(Some(RELOAD))?;
    match agent.ask(&Request::Reload {})? {
        Answer::Applied { configuration } => print(&format!("the configuration is in force: {configuration}\n"))?,
        Answer::Refused { problems } => {
            problems.iter().for_each(|problem| log::each(Level::ERROR, format_args!("{problem}")));
            return Err(Failure::usage(anyhow!("the new configuration is refused, the old one stays")));
        }
        other => return Err(unexpected(&other)),
    }
    Ok(Exit::Done)
}

/// Waits until what waits is delivered.
pub fn flush(args: &FlushArgs) -> Result<Exit, Failure> {
    let mut agent = args.agent.connect()?;
    agent.set_patience(Some(Duration::from_secs(args.timeout) + GRACE))?;
    let request = Request::Flush { output: args.output.clone(), timeout_seconds: args.timeout };
    let (complete, waiting) = match agent.ask(&request)? {
        Answer::Flushed { complete, waiting } => (complete, waiting),
        other => return Err(unexpected(&other)),
    };
    let mut text = match complete {
        true => "everything that waited is delivered\n".to_owned(),
        false => format!("not everything that waited was delivered within {} s\n", args.timeout),
    };
    for w in waiting.iter().filter(|w| w.events > 0) {
        let sent = if w.in_window > 0 {
            format!(", of which {} are sent and not acknowledged", grouped(w.in_window))
        } else {
            String::new()
        };
        text += &format!("output {}: {} events wait{sent}\n", w.output, grouped(w.events));
    }
    print(&text)?;
    Ok(if complete { Exit::Done } else { Exit::Incomplete })
}

/// Pauses an output.
pub fn pause(args: &PauseArgs) -> Result<Exit, Failure> {
    done(&args.agent, &Request::Pause { output: args.output.clone() })
}

/// Lets an output go on.
pub fn resume(args: &PauseArgs) -> Result<Exit, Failure> {
    done(&args.agent, &Request::Resume { output: args.output.clone() })
}

/// Changes what the log says.
pub fn log_level(args: &LogLevelArgs) -> Result<Exit, Failure> {
    done(&args.agent, &Request::LogLevel { level: args.level.name().to_owned() })
}

fn done(agent: &AgentArgs, request: &Request) -> Result<Exit, Failure> {
    match agent.connect()?.ask(request)? {
        Answer::Done { done } => print(&format!("{done}\n"))?,
        other => return Err(unexpected(&other)),
    }
    Ok(Exit::Done)
}
