//! `tap`: lines of an output as a running agent hands them over.
use super::{AgentArgs, unexpected};
use crate::{
    agent::control::protocol::{Answer, Request},
    cli::{
        console::print,
        exit::{Exit, Failure},
    },
    log,
    log::numbers::grouped,
};

/// Options of `tap`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    agent: AgentArgs,
    /// The output, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    output: String,
    /// Only lines that hold this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// So many lines, and then the end
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut agent = args.agent.connect()?;
    // An output may have nothing to send for hours.
    agent.set_patience(None)?;
    let (output, filter) = (args.output.clone(), args.filter.clone());
    agent.say(&Request::Tap { output, filter, limit: args.limit })?;
    while let Some(answer) = agent.answer()? {
        match answer {
            Answer::Line { line } => print(&(line + "\n"))?,
            Answer::Unseen { lines } => log::info(format_args!(
                "{} lines were not shown: there are more than a terminal reads; the output sends all of them",
                grouped(lines)
            )),
            Answer::End {} => return Ok(Exit::Done),
            other => return Err(unexpected(&other)),
        }
    }
    log::info(format_args!("the agent has ended"));
    Ok(Exit::Done)
}
