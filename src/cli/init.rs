//! `init`: writes a first agent.toml, for one source and one SIEM, and says what is to be done on both sides.
//!
//! What it needs comes from options; what is missing is asked for on a terminal, and is an error elsewhere. What a SIEM needs is
//! in its page of docs/siem (`init/siem.rs`), so the page and the configuration say the same.
mod ask;
mod ibmi;
mod plan;
mod siem;
mod source;

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::anyhow;

use self::{
    ask::Asker,
    plan::Plan,
    siem::{Scheme, Siem},
    source::Kind,
};
use super::{
    console::{print, tell_problem},
    exit::{Exit, Failure},
};
use crate::{
    config::{
        Config, ConfigError, Problem, ProblemLevel, files,
        ready::{self, Who},
    },
    decode::journal::Catalog,
};

/// Where the agent runs.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// On a host with Linux beside the IBM i
    Relay,
    /// On the IBM i itself, in PASE (nobody has run it there yet: docs/PASE.md)
    Pase,
}

/// Options of `init`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "What is not given is asked for on a terminal; elsewhere --source, --siem, --host, --system and --timezone are needed, and --path for a file. A file that is there is never overwritten."
)]
pub struct Args {
    /// Where the agent runs [default: relay]
    #[arg(long, value_enum, value_name = "PLACE")]
    place: Option<Place>,
    /// Where entries come from
    #[arg(long, value_enum, value_name = "KIND")]
    source: Option<Kind>,
    /// What they go to
    #[arg(long, value_enum, value_name = "NAME")]
    siem: Option<Siem>,
    /// Host of the SIEM, or of its collector
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Its port [default: as its page in docs/siem says]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// How it is reached [default: as its page says]
    #[arg(long, value_enum, value_name = "TRANSPORT")]
    transport: Option<Scheme>,
    /// The CA of its certificate, PEM [default: those of this system]
    #[arg(long, value_name = "FILE", conflicts_with = "pin")]
    ca: Option<String>,
    /// Its one certificate, as `qaudjrn pin` shows it
    #[arg(long, value_name = "sha256:HEX")]
    pin: Option<String>,
    /// Name of the IBM i, such as PROD01
    #[arg(long, value_name = "NAME")]
    system: Option<String>,
    /// Its time zone, such as Europe/Berlin
    #[arg(long, value_name = "IANA")]
    timezone: Option<String>,
    /// live: host of the IBM i, with a port where it is not 8076 [default: its name, and localhost in PASE]
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// live, odbc: the profile that asks [default: QAUDLOG]
    #[arg(long, value_name = "PROFILE")]
    user: Option<String>,
    /// odbc: data source of odbc.ini [default: the name of the system]
    #[arg(long, value_name = "NAME")]
    dsn: Option<String>,
    /// folder: where captures arrive; file: the capture
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// stream: where the sender connects to [default: tls://0.0.0.0:7171, and tcp://127.0.0.1:7171 in PASE]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where the agent keeps its spool [default: /var/lib/qaudjrn, and /QOpenSys/var/lib/qaudjrn in PASE]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "agent.toml")]
    output: PathBuf,
}

/// Runs `init`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    // Before anybody answers questions for nothing.
    if args.output.symlink_metadata().is_ok() {
        return Err(there_already(&args.output));
    }
    let plan = Plan::new(args, &mut Asker::of_this_terminal())?;
    let text = plan.configuration();
    let problems = judge(&text, &args.output)?;
    write(&args.output, &text)?;
    for problem in &problems {
        tell_problem(problem);
    }
    print(&plan.steps(&args.output))?;
    Ok(Exit::Done)
}

/// What `check` says of it on this machine. What is wrong with the answers themselves is an error: nothing is written then.
fn judge(text: &str, path: &Path) -> Result<Vec<Problem>, Failure> {
    let catalog = Catalog::shipped().map_err(|e| Failure::failed(anyhow!("{e}")))?;
    let config = Config::parse(text, &path.display().to_string(), &files::folder(path), &catalog);
    let (wrong, _): (Vec<Problem>, Vec<Problem>) =
        config.problems.iter().cloned().partition(|p| p.level == ProblemLevel::Error);
    if !wrong.is_empty() {
        return Err(Failure::usage(ConfigError(wrong)));
    }
    Ok(config.problems.iter().cloned().chain(ready::problems(&config, &catalog, Who::Check)).collect())
}

fn there_already(path: &Path) -> Failure {
    Failure::usage(anyhow!(
        "{}: it is there already, and init overwrites nothing: move it away, or give another name with --output",
        path.display()
    ))
}

/// Makes the file; what came there meanwhile stays.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let mut file = opened.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => there_already(path),
        _ => Failure::failed(anyhow!("{}: it cannot be written: {e}", path.display())),
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|e| Failure::failed(anyhow!("{}: it could not be written whole: {e}", path.display())))
}
