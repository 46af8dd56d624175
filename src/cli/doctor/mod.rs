//! `doctor`: looks at the live systems of a configuration, and says what keeps entries from being written or read.
mod layouts;
mod session;

use std::path::PathBuf;

use anyhow::anyhow;

use self::session::Profile;
use super::{
    console::{print, print_json},
    context::load,
    exit::{Exit, Failure},
};
use crate::{
    config::{Config, SourceConfig, source::Input},
    decode::journal::Catalog,
    doctor::{
        answers,
        findings::{self, Finding, Wanted},
        receivers,
        report::{Report, SystemReport, json},
    },
    filter::types::TypeRules,
    source::live::{Database, LiveOptions, mapepire::Transport, odbc::Login},
};

/// Options of `doctor`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Only queries are sent; commands that would change something are shown and never run.\nExit codes: 0 nothing found, or notes only; 3 errors or warnings were found, with --receivers: a detached receiver is not delivered, with --layouts: a field differs; 1 a system or the spool could not be looked at; 2 usage or configuration."
)]
pub struct Args {
    /// The configuration: its sources of the kinds mapepire and odbc are looked at
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Which receivers are delivered to every output, and may be saved and deleted
    #[arg(long)]
    receivers: bool,
    /// Compare the layout tables with IBM's own columns (SYSTOOLS.AUDIT_JOURNAL_xx), by entries that are there
    #[arg(long, conflicts_with = "receivers")]
    layouts: bool,
    #[command(flatten)]
    proof: layouts::Proof,
    #[command(flatten)]
    profile: Profile,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `doctor`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let catalog = Catalog::with_folder(None).map_err(Failure::usage)?;
    let config = load(&args.config, &catalog, None, false)?;
    let live: Vec<(&SourceConfig, &LiveOptions)> = config
        .sources
        .iter()
        // One that is off is looked at where it is asked for: before it is switched on.
        .chain(config.off.sources.iter().filter(|_| args.source.is_some()))
        .filter(|s| args.source.as_ref().is_none_or(|name| *name == s.name))
        .filter_map(|s| if let Input::Live(options) = &s.input { Some((s, options.as_ref())) } else { None })
        .collect();
    if live.is_empty() {
        let named = args.source.as_ref().map_or(String::new(), |n| format!(" named {n}"));
        return Err(Failure::usage(anyhow!(
            "{}: there is no [[source]] of kind mapepire or odbc{named}",
            args.config.display()
        )));
    }
    if args.layouts {
        return layouts::run(&args.proof, &args.profile, args.json, &live);
    }
    let mut systems = Vec::new();
    for (source, options) in live {
        let mut report = SystemReport {
            source: source.name.clone(),
            journal: format!("{}/{}", options.tail.library, options.tail.journal),
            ..SystemReport::default()
        };
        let looked = if args.receivers {
            look_at_receivers(args, &config, source, options, &mut report)
        } else {
            look(args, &config, source, options, &catalog, &mut report)
        };
        report.failed = looked.err();
        systems.push(report);
    }
    let waits = systems.iter().filter_map(|s| s.receivers.as_ref()).any(|r| receivers::something_waits(r));
    let report = Report::new(systems);
    if args.json { print_json(&json(&report)) } else { print(&report.table()) }?;
    Ok(match args.receivers {
        _ if report.failed() => Exit::Failed,
        true if waits => Exit::Incomplete,
        false if report.errors + report.warnings > 0 => Exit::Incomplete,
        _ => Exit::Done,
    })
}

fn look(
    args: &Args,
    config: &Config,
    source: &SourceConfig,
    options: &LiveOptions,
    catalog: &Catalog,
    report: &mut SystemReport,
) -> Result<(), String> {
    // Without --user, and with a command, whoever asks is the agent.
    let agent = args.profile.user.as_ref().and_then(|_| match &options.database {
        Database::Mapepire(options) => match &options.transport {
            Transport::Socket(socket) => Some(socket.user.as_str()),
            Transport::Program(_) => None,
        },
        Database::Odbc(options) => match &options.login {
            Login::Dsn { user, .. } => user.as_ref().map(|(name, _)| name.as_str()),
            Login::Connection(_) => None,
        },
    });
    let found = args.profile.ask(options, async |db| {
        let asked = answers::ask(db, &options.tail, options.columns, agent, &config.doctor).await;
        asked.map_err(|e| e.to_string())
    })?;
    (report.system, report.asker, report.agent) = (found.system.clone(), found.asker.clone(), found.agent.clone());
    let outputs: Vec<&TypeRules> = config.outputs.iter().map(|o| &o.filter.types).collect();
    let wanted = Wanted { stages: [&config.filter.types, &source.filter.types], outputs: &outputs };
    report.findings = findings::judge(&found, wanted, catalog);
    Ok(())
}

fn look_at_receivers(
    args: &Args,
    config: &Config,
    source: &SourceConfig,
    options: &LiveOptions,
    report: &mut SystemReport,
) -> Result<(), String> {
    let state_dir = config.state_dir.as_ref().ok_or("state_dir is missing: there the agent keeps how far it is")?;
    let outputs: Vec<&str> = config.outputs.iter().map(|o| o.name.as_str()).collect();
    // The spool before the system: what comes meanwhile counts as not delivered.
    let delivered = receivers::delivered(state_dir, &source.name, &outputs).map_err(|e| e.to_string())?;
    let found = args
        .profile
        .ask(options, async |db| answers::ask_receivers(db, &options.tail).await.map_err(|e| e.to_string()))?;
    (report.system, report.asker, report.agent) = (found.system, found.asker.clone(), found.asker);
    let chain = found.chain?;
    let journal = found
        .journal?
        .ok_or_else(|| format!("there is no journal {} that {} can see", report.journal, report.asker))?;
    let kept = findings::keeps_receivers(&options.tail.library, &options.tail.journal, &journal);
    let end = found.values.ok().and_then(|v| findings::end_action(v.get("QAUDENDACN").map_or("", String::as_str)));
    let notes: Vec<Finding> = kept.into_iter().chain(end).collect();
    report.findings = notes;
    report.receivers = Some(receivers::report(&chain, journal.attached.as_ref(), &delivered));
    Ok(())
}
