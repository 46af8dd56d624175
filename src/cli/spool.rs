//! `spool`: what an agent keeps between its sources and outputs: in numbers, checked, taken out, and what is kept for nobody
//! forgotten.
mod export;
mod parked;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{
    console::{print, print_json},
    context::load,
    exit::{Exit, Failure},
};
use crate::{
    config::Config,
    decode::journal::Catalog,
    log::{Visible, numbers::grouped},
    source::receiver_chain::JournalPlace,
    spool::{
        Lock, SpoolError, SpoolOptions,
        inspect::{self, Inspector},
    },
};

/// Options of `spool`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Show what is stored, where sources stand and what waits for which output; also while the agent runs
    Status {
        #[command(flatten)]
        place: Where,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Compare every batch with its checksum, and tell where numbers go back
    Verify {
        #[command(flatten)]
        place: Where,
    },
    /// Write the stored entries as a length-prefixed capture, which `replay` reads
    Export {
        #[command(flatten)]
        place: Where,
        /// Only what waits for this output
        #[arg(long, value_name = "NAME")]
        output: Option<String>,
        /// Only entries of this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// The records that are no entries, byte for byte as they were read
        #[arg(long, conflicts_with = "output")]
        parked: bool,
        /// With --parked: a JSON object a line, with source, place, reason and the bytes in hexadecimal
        #[arg(long, requires = "parked")]
        json: bool,
        /// The file to write; entries of several headings or CCSIDs go to FILE, FILE.2 and so on [default: standard output]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Drop what is kept for an output that is not in the configuration any more, or the parked records
    Forget {
        /// The output
        #[arg(required_unless_present = "parked")]
        name: Option<String>,
        /// The records that are no entries
        #[arg(long, conflicts_with = "name")]
        parked: bool,
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Which spool.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Where {
    /// That of this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// That in this folder
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// This database, such as one that was set aside
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

impl Where {
    /// The database and, where given, the configuration.
    fn find(&self) -> Result<(PathBuf, Option<Config>), Failure> {
        if let Some(path) = &self.config {
            let config = read_config(path)?;
            let folder = config.state_dir.clone().unwrap_or_default();
            return Ok((folder.join("spool.db"), Some(config)));
        }
        let folder = self.state_dir.as_ref().map(|d| d.join("spool.db"));
        Ok((folder.or_else(|| self.database.clone()).unwrap_or_default(), None))
    }
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    let catalog = Catalog::with_folder(None).map_err(Failure::usage)?;
    let config = load(path, &catalog, None, false)?;
    match config.state_dir {
        Some(_) => Ok(config),
        None => Err(Failure::usage(anyhow!("{}: state_dir is missing", path.display()))),
    }
}

/// Runs `spool`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.command {
        Command::Status { place, json } => status(place, *json),
        Command::Verify { place } => verify(place),
        Command::Export { place, source, parked: true, json, to, .. } => {
            parked::export(&open(&place.find()?.0)?, source.as_deref(), *json, to.as_deref())
        }
        Command::Export { place, output, source, to, .. } => {
            export::run(&open(&place.find()?.0)?, output.as_deref(), source.as_deref(), to.as_deref())
        }
        Command::Forget { name, config, .. } => forget(name.as_deref(), config),
    }
}

fn open(path: &Path) -> Result<Inspector, Failure> {
    Inspector::open(path).map_err(|e| match e {
        SpoolError::Io { .. } => Failure::usage(anyhow!("there is no spool: {e}")),
        // Looked at once: whether it is so again and again is not known here.
        SpoolError::Damaged { path, reason } => {
            Failure::failed(anyhow!("the spool {} is damaged: {reason}", path.display()))
        }
        _ => Failure::failed(e),
    })
}

fn number(n: i64) -> String {
    grouped(u64::try_from(n).unwrap_or(0))
}

fn status(place: &Where, as_json: bool) -> Result<Exit, Failure> {
    let (path, config) = place.find()?;
    let inspector = open(&path)?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |m| m.len());
    let bytes = size("spool.db") + size("spool.db-wal") + size("reserve");
    let most = config.as_ref().map_or(SpoolOptions::MAX_SIZE, |c| c.spool_max_size);
    let (batches, events) = inspector.counts().map_err(Failure::failed)?;
    let now = crate::clock::now().timestamp_micros();
    let mut text = format!(
        "spool {}: {} bytes of {}, {} batches, {} events\n",
        Visible(path.display()),
        grouped(bytes),
        grouped(most),
        number(batches),
        number(events)
    );
    let (parked, parked_bytes) = inspector.parked().map_err(Failure::failed)?;
    if parked > 0 {
        let _ = writeln!(
            text,
            "parked: {} records that are no entries, {} bytes (`qaudjrn spool export --parked` takes them out)",
            grouped(parked),
            grouped(parked_bytes)
        );
    }
    let mut sources = Vec::new();
    for source in inspector.sources().map_err(Failure::failed)? {
        let position: Value = serde_json::from_str(&source.position).unwrap_or_default();
        let part = |key: &str| position[key].as_str().unwrap_or("").to_owned();
        let sequence = position["sequence"].as_u64().unwrap_or(0);
        let last = JournalPlace { library: part("library"), receiver: part("receiver"), sequence };
        let system = part("system");
        let _ = writeln!(
            text,
            "{}",
            Visible(format_args!("source {}: system {system}, last entry read {last}", source.name))
        );
        sources.push(json!({"name": source.name, "system": system, "receiver_library": last.library, "receiver": last.receiver, "sequence": sequence}));
    }
    let mut outputs = Vec::new();
    for (name, cursor) in inspector.outputs().map_err(Failure::failed)? {
        let (waiting, since) = inspector.waiting(cursor).map_err(Failure::failed)?;
        let age = since.map(|s| (now - s).max(0) / 1_000_000);
        let configured = config.as_ref().map(|c| c.output(&name).is_some());
        let is_off = config.as_ref().is_some_and(|c| c.off.outputs.iter().any(|o| o.name == name));
        let left = match configured {
            Some(false) => "; not in the configuration any more (`qaudjrn spool forget`)",
            _ if is_off => "; it is off (enabled = false)",
            _ => "",
        };
        let oldest = age.map_or(String::new(), |a| format!(", the oldest for {} s", number(a)));
        let name_shown = Visible(&name);
        let _ = writeln!(text, "output {name_shown}: {} events wait{oldest}{left}", number(waiting));
        outputs.push(json!({"name": name, "waiting": waiting, "oldest_seconds": age, "configured": configured}));
    }
    let mut aside: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|f| f.file_name().to_string_lossy().into_owned())
        .filter(|n| n.contains(".set-aside-") && !n.ends_with("-wal") && !n.ends_with("-shm"))
        .collect();
    aside.sort();
    for name in &aside {
        let name = Visible(name);
        let _ = writeln!(text, "set aside: {name} (`qaudjrn spool export --database` takes out what is whole)");
    }
    if as_json {
        let whole = json!({"database": path.display().to_string(), "bytes": bytes, "max_bytes": most, "batches": batches,
            "events": events, "sources": sources, "outputs": outputs, "parked": parked, "parked_bytes": parked_bytes, "set_aside": aside});
        print_json(&format!("{whole}\n"))?;
    } else {
        print(&text)?;
    }
    Ok(Exit::Done)
}

fn verify(place: &Where) -> Result<Exit, Failure> {
    let (path, _) = place.find()?;
    let inspector = match Inspector::open(&path) {
        Err(SpoolError::Damaged { reason, .. }) => {
            let (path, reason) = (Visible(path.display()), Visible(reason));
            print(&format!("{path}: no batch can be read\nwrong: the database: {reason}\n"))?;
            return Ok(Exit::Incomplete);
        }
        Ok(inspector) => inspector,
        Err(_) => open(&path)?,
    };
    let (mut wrong, mut remarks) = (inspector.faults(), Vec::new());
    let mut last: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    let (mut batches, mut events, mut next) = (0, 0, 1);
    loop {
        let found = match inspector.next(next) {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(e) => {
                wrong.push(format!("batches from {next} on cannot be read: {e}"));
                break;
            }
        };
        next = found.id + 1;
        batches += 1;
        events += found.events;
        let header = found.header.clone().unwrap_or_default();
        let held = format!(
            "source {}, receiver {}, sequence {} to {}, {} events",
            header.source, header.receiver, header.first_sequence, header.last_sequence, found.events
        );
        match found.batch {
            Err(why) => wrong.push(format!("batch {}: {why}; it held: {held}", found.id)),
            // It says what is damaged or missing, and nothing of entries.
            Ok(batch) if batch.header.since.is_some() => continue,
            Ok(_) => {}
        }
        let key = (header.source, header.system, header.receiver);
        let before = last.insert(key, header.last_sequence).unwrap_or(0);
        if header.last_sequence < before {
            // Captures that overlap, a journal that was reset: what was read is stored as it was read.
            remarks.push(format!("batch {}: sequence numbers go back from {before}: {held}", found.id));
        }
    }
    let mut text = format!("{}: {} batches, {} events\n", Visible(path.display()), number(batches), number(events));
    for w in &wrong {
        let _ = writeln!(text, "wrong: {}", Visible(w));
    }
    for r in &remarks {
        let _ = writeln!(text, "remark: {}", Visible(r));
    }
    if wrong.is_empty() {
        text.push_str("every batch and all state is what was written, and nothing is missing\n");
    }
    print(&text)?;
    Ok(if wrong.is_empty() { Exit::Done } else { Exit::Incomplete })
}

fn forget(name: Option<&str>, config: &Path) -> Result<Exit, Failure> {
    let config = read_config(config)?;
    if let Some(name) = name.filter(|n| config.output(n).is_some()) {
        return Err(Failure::usage(anyhow!("{name} is in the configuration: take its [[output]] out first")));
    }
    let folder = config.state_dir.unwrap_or_default();
    let database = folder.join("spool.db");
    if !database.exists() {
        return Err(Failure::usage(anyhow!("there is no spool: {}", database.display())));
    }
    let _lock = Lock::take(&folder).map_err(|e| match e {
        SpoolError::InUse { .. } => Failure::usage(anyhow!("an agent uses {}: stop it first", folder.display())),
        e => Failure::failed(e),
    })?;
    let Some(name) = name else {
        let (records, bytes) = inspect::forget_parked(&database).map_err(Failure::failed)?;
        print(&format!("{} parked records are forgotten, {} bytes\n", grouped(records), grouped(bytes)))?;
        return Ok(Exit::Done);
    };
    match inspect::forget(&database, name).map_err(Failure::failed)? {
        Some(events) => {
            print(&format!(
                "{} is forgotten; {} events that waited for it are given up\n",
                Visible(name),
                number(events)
            ))?;
            Ok(Exit::Done)
        }
        None => Err(Failure::usage(anyhow!("the spool knows no output {name}"))),
    }
}
