//! `doctor --layouts`: proves the layout tables on a system, and writes what was proven as tables for `--layouts`.
use std::{
    fs,
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::anyhow;

use super::session::Profile;
use crate::{
    cli::{
        console::{print, print_json, say},
        exit::{Exit, Failure},
    },
    config::SourceConfig,
    decode::journal::{Catalog, Heading, HeadingKind, compose::Composer},
    doctor::{
        layouts::{
            compare, overlay,
            pairs::{Asker, Read, is_code},
            report::{self, SystemProof},
        },
        report::json as to_json,
    },
    files::open_regular,
    source::live::{Connection, LiveOptions, entry, query::QueryError, receivers, statements::Columns, system::System},
};

/// Options of `doctor --layouts`.
#[derive(clap::Args, Debug)]
pub struct Proof {
    /// Only these entry types; default: all that the system has a table function for
    #[arg(long, value_name = "TYPES", value_delimiter = ',', requires = "layouts")]
    types: Vec<String>,
    /// Entries of a type that are compared at most, the newest receivers first
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000), requires = "layouts")]
    entries: u16,
    /// Write a table for each type in which something agreed or differed: for --layouts of the other commands
    #[arg(long, value_name = "DIR", requires = "layouts")]
    write: Option<PathBuf>,
    /// Prove the tables of this folder instead of the shipped ones
    #[arg(long, value_name = "DIR", requires = "layouts")]
    tables: Option<PathBuf>,
}

/// Runs `doctor --layouts`.
pub fn run(
    proof: &Proof,
    profile: &Profile,
    json: bool,
    live: &[(&SourceConfig, &LiveOptions)],
) -> Result<Exit, Failure> {
    let catalog = Catalog::with_folder(proof.tables.as_deref()).map_err(Failure::usage)?;
    if let Some(code) = proof.types.iter().find(|c| !is_code(c) || !catalog.has(c)) {
        return Err(Failure::usage(anyhow!(
            "--types: {code:?} is no entry type with a table: `qaudjrn types` lists them"
        )));
    }
    if proof.write.is_some() && live.len() > 1 {
        return Err(Failure::usage(anyhow!(
            "--write: the configuration has {} live systems, and each has its own tables: add --source NAME",
            live.len()
        )));
    }
    if let Some(folder) = &proof.write {
        // Before the system is asked: that takes minutes.
        fs::create_dir_all(folder)
            .map_err(|e| Failure::failed(anyhow!("--write: cannot make the folder {}: {e}", folder.display())))?;
    }
    let mut systems = Vec::new();
    for (source, options) in live {
        let mut report = SystemProof { source: source.name.clone(), ..SystemProof::default() };
        report.failed = prove((proof, profile), source, options, &catalog, &mut report).err();
        systems.push(report);
    }
    let written = match &proof.write {
        Some(folder) => systems.iter_mut().try_for_each(|system| write(folder, &catalog, system)),
        None => Ok(()),
    };
    // What was found is shown, whatever became of the files.
    let report = report::Proof::new(systems);
    if json { print_json(&to_json(&report)) } else { print(&report.table()) }?;
    written.map_err(Failure::failed)?;
    Ok(match () {
        () if report.failed() => Exit::Failed,
        () if report.differ > 0 => Exit::Incomplete,
        () => Exit::Done,
    })
}

/// Asks a system; what was compared until something failed stays in the report.
fn prove(
    (proof, profile): (&Proof, &Profile),
    source: &SourceConfig,
    options: &LiveOptions,
    catalog: &Catalog,
    report: &mut SystemProof,
) -> Result<(), String> {
    let tail = &options.tail;
    if (tail.library.as_str(), tail.journal.as_str()) != ("QSYS", "QAUDJRN") {
        return Err(format!(
            "SYSTOOLS.AUDIT_JOURNAL_xx read QSYS/QAUDJRN only, and journal is {}/{}",
            tail.library, tail.journal
        ));
    }
    let heading = catalog.heading(HeadingKind::Type5).ok_or("there is no table of the *TYPE5 heading")?.clone();
    profile.ask(options, async |db| compare_types(db, proof, (source, options), (catalog, &heading), report).await)
}

/// Compares type after type.
async fn compare_types(
    db: &mut Connection,
    proof: &Proof,
    (source, options): (&SourceConfig, &LiveOptions),
    (catalog, heading): (&Catalog, &Arc<Heading>),
    report: &mut SystemProof,
) -> Result<(), String> {
    let (columns, chain) = begin(db, options, report).await.map_err(|e| e.to_string())?;
    if chain.is_empty() {
        return Err(format!("QSYS/QAUDJRN has no receivers that {} can see", report.asker));
    }
    let name = entry::encode(source.charset, &report.system);
    let composer = Composer::new(heading.clone()).always("system_name", &name);
    let reader = entry::Reader::new(composer, source.charset, columns);
    let mut asker = Asker::new(db, &options.tail, columns, reader, chain);
    let types = match proof.types.as_slice() {
        [] => asker.types().await.map_err(|e| e.to_string())?.into_iter().filter(|code| catalog.has(code)).collect(),
        given => given.to_vec(),
    };
    if types.is_empty() {
        return Err(
            "this system has no table function SYSTOOLS.AUDIT_JOURNAL_xx: 7.3 and 7.4 got them by PTF".to_owned()
        );
    }
    for code in types {
        let Read { columns, pairs, without_columns, why } =
            asker.read(&code, usize::from(proof.entries)).await.map_err(|e| format!("{code}: {e}"))?;
        let Some(layout) = catalog.layout(&code) else { continue };
        // All types take minutes, because the journal is asked once a second: somebody who waits sees that it goes on.
        if io::stderr().is_terminal() {
            say(format_args!("qaudjrn: {}: {code}: {}\n", source.name, compare::entries(pairs.len())));
        }
        let mut one = compare::compare(layout, heading, source.charset, &columns, &pairs);
        (one.without_columns, one.why) = (without_columns, why);
        report.types.push(one);
    }
    Ok(())
}

/// Who answers and who asks, the columns of DISPLAY_JOURNAL, and the receivers.
async fn begin(
    db: &mut Connection,
    options: &LiveOptions,
    report: &mut SystemProof,
) -> Result<(Columns, Vec<receivers::Receiver>), QueryError> {
    let System { name, user, .. } = System::ask(db).await?;
    (report.system, report.asker) = (name, user);
    let columns = Columns::given_or_asked(options.columns, db).await?;
    Ok((columns, receivers::read(db, &options.tail.library, &options.tail.journal).await?))
}

/// Whether a table may be written there: there is nothing, or one that was written here.
fn may_write(path: &Path) -> anyhow::Result<bool> {
    let mut head = Vec::new();
    match open_regular(path).and_then(|file| file.take(overlay::MARK.len() as u64).read_to_end(&mut head)) {
        Ok(_) => Ok(head == overlay::MARK.as_bytes()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(anyhow!("cannot read {}: {e}", path.display())),
    }
}

/// Writes a table for each type in which something is to be changed; a file that was not written here is left alone.
fn write(folder: &Path, catalog: &Catalog, system: &mut SystemProof) -> anyhow::Result<()> {
    let of = format!("{}, {}", system.system, crate::clock::now().format("%Y-%m-%d"));
    for report in &mut system.types {
        let path = folder.join(format!("{}.toml", report.entry_type));
        let text = catalog.text(&report.entry_type).unwrap_or_default();
        let Some(table) = overlay::table(text, report, &of).map_err(|e| anyhow!("table {}: {e}", report.entry_type))?
        else {
            continue;
        };
        if !may_write(&path)? {
            return Err(anyhow!(
                "{} is there and was not written by doctor --layouts: it stays as it is; name another folder",
                path.display()
            ));
        }
        fs::write(&path, table).map_err(|e| anyhow!("cannot write {}: {e}", path.display()))?;
        report.written = Some(path.display().to_string());
    }
    Ok(())
}
