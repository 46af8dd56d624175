//! `config show`: every key in force, its value, and where that comes from.
use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    console::{print, print_json},
    context::ConfigArgs,
    exit::{Exit, Failure},
};
use crate::config::{
    Config, Shown,
    shown::{self, Source},
};

/// Options of `config`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print every key with its value and where it comes from, as a configuration that is the same; secrets are masked
    Show {
        #[command(flatten)]
        files: ConfigArgs,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let Command::Show { files, json } = &args.command;
    let catalog = files.catalog()?;
    let (config, all) = Config::load_with_keys(&files.config, &catalog).map_err(Failure::usage)?;
    let config = config.into_valid(false).map_err(Failure::usage)?;
    if *json {
        let keys: Vec<Value> = all.iter().map(key).collect();
        print_json(&format!("{}\n", json!({"configuration": config.hash, "keys": keys})))?;
    } else {
        print(&format!("# configuration {}\n{}", config.hash, shown::document(&all)))?;
    }
    Ok(Exit::Done)
}

fn key(s: &Shown) -> Value {
    let (from, place, environment, credentials, holds) = match &s.from {
        Source::File { place, environment, credentials, holds } => {
            ("file", Some(place), environment.as_slice(), credentials.as_slice(), holds.as_ref())
        }
        Source::Default => ("default", None, [].as_slice(), [].as_slice(), None),
        Source::None(_) => ("none", None, [].as_slice(), [].as_slice(), None),
    };
    json!({
        "table": s.table,
        "key": s.key,
        "value": s.value,
        "from": from,
        "file": place.map(|p| p.file.as_ref()),
        "line": place.map(|p| p.line),
        "column": place.map(|p| p.column),
        "environment": environment,
        "credentials": credentials,
        "holds": holds,
        "masked": s.is_masked,
        "words": s.origin(),
    })
}
