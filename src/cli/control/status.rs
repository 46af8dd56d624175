//! `status`: how a running agent is.
use super::{AgentArgs, unexpected};
use crate::{
    agent::control::{
        protocol::{Answer, Request},
        snapshot::Snapshot,
        words,
    },
    cli::{
        console::{print, print_json},
        exit::{Exit, Failure},
    },
};

/// Options of `status`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 all is well; 3 something is wrong, which the first line says; 1 no agent answers."
)]
pub struct Args {
    #[command(flatten)]
    agent: AgentArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let snapshot = match args.agent.connect()?.ask(&Request::Status {})? {
        Answer::Status { status } => status,
        other => return Err(unexpected(&other)),
    };
    match args.json {
        true => print_json(&json(&snapshot)?)?,
        false => print(&words::text(&snapshot))?,
    }
    Ok(if snapshot.wrong.is_empty() { Exit::Done } else { Exit::Incomplete })
}

fn json(snapshot: &Snapshot) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(snapshot).map_err(Failure::failed)? + "\n")
}
