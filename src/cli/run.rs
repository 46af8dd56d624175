//! `run`: the agent as a service.
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::anyhow;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{
    Exit, Failure, say,
    setup::{load, model_options},
};
use crate::{
    agent::{self, Shared, link},
    decode::journal::Catalog,
    encode::Profile,
    spool::{Spool, SpoolError, SpoolOptions},
};

/// Options of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of layout tables that add to or override the built-in ones (formats/journal)
    #[arg(long, value_name = "DIR")]
    layouts: Option<PathBuf>,
    /// Warnings about the configuration are errors
    #[arg(long)]
    deny_warnings: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let catalog = Arc::new(Catalog::with_folder(args.layouts.as_deref()).map_err(Failure::usage)?);
    let profile = Profile::native().map_err(|e| Failure::failed(anyhow!(e)))?;
    let config = load(&args.config, &catalog, None, args.deny_warnings)?;
    let missing = |what: &str| Failure::usage(anyhow!("{}: {what}", args.config.display()));
    let state_dir =
        config.state_dir.clone().ok_or_else(|| missing("state_dir is missing: where the agent keeps its spool"))?;
    if config.sources.is_empty() {
        return Err(missing("there is no [[source]]"));
    }
    if config.outputs.is_empty() {
        return Err(missing("there is no [[output]]"));
    }
    for key in config.outputs.iter().filter_map(|o| o.tls.key.as_ref()) {
        key.check_private().map_err(Failure::usage)?;
    }
    for o in config.outputs.iter().filter(|o| link::is_unreliable(&o.address)) {
        say(format_args!("qaudjrn: warning: output {}: UDP loses lines without a sign\n", o.name));
    }
    let mut options = SpoolOptions::new(state_dir);
    options.max_size = config.spool_max_size.unwrap_or(options.max_size);
    let (spool, notes) = Spool::open(options).map_err(spool_failure)?;
    for note in notes {
        say(format_args!("qaudjrn: {note}\n"));
    }
    let model_options = model_options(&profile, &config, false);
    let shared = Shared::new(config, catalog, profile, model_options, spool);
    let stop = stop_flag()?;
    let (totals, failed) = agent::run(shared, &|| stop.load(Ordering::Relaxed)).map_err(spool_failure)?;
    for (name, [read, spooled, filtered, parked]) in &totals.sources {
        say(format_args!(
            "qaudjrn: source {name}: read {read} = filtered {filtered} + parked {parked} + spooled {spooled}\n"
        ));
    }
    for (name, [sent, filtered, resent]) in &totals.outputs {
        say(format_args!("qaudjrn: output {name}: sent {sent}, filtered {filtered}, resent {resent}\n"));
    }
    let parked = totals.sources.iter().any(|(_, [.., parked])| *parked > 0);
    Ok(if failed {
        Exit::Failed
    } else if parked {
        Exit::Finished
    } else {
        Exit::Done
    })
}

fn spool_failure(e: SpoolError) -> Failure {
    match e {
        SpoolError::InUse { .. } => Failure::usage(e),
        _ => Failure::failed(e),
    }
}

/// Set by SIGTERM and Ctrl-C. A second one ends the program at once: what was read is on the disk.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::failed)?;
    let flag = stop.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    });
    Ok(stop)
}
