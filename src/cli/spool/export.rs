//! `spool export`: the stored entries as captures, one for each heading and CCSID. What there is, is looked at before anything is
//! written.
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::anyhow;

use crate::{
    cli::{
        console::say,
        exit::{Exit, Failure},
    },
    log::Visible,
    spool::{
        Batch,
        inspect::{Found, Inspector},
    },
};

/// What the records of one capture have in common: the name of their heading, and the CCSID of the jobs.
type Kind = (String, u16);

/// What there is to be written.
#[derive(Default)]
struct Survey {
    kinds: Vec<Kind>,
    sources: BTreeSet<String>,
    /// The last batch: an agent may add others meanwhile.
    last: i64,
}

/// What was written, and what was not.
#[derive(Default)]
struct Sums {
    entries: Vec<u64>,
    notices: u64,
    damaged: u64,
}

/// Runs `spool export`.
pub fn run(
    inspector: &Inspector,
    output: Option<&str>,
    source: Option<&str>,
    to: Option<&Path>,
) -> Result<Exit, Failure> {
    let from = match output {
        None => 1,
        Some(name) => {
            let outputs = inspector.outputs().map_err(Failure::failed)?;
            let known: Vec<&str> = outputs.keys().map(String::as_str).collect();
            let unknown = || Failure::usage(anyhow!("--output {name}: the spool knows {}", known.join(", ")));
            outputs.get(name).ok_or_else(unknown)?.batch
        }
    };
    let survey = Survey::new(inspector, from, source)?;
    known(source, &survey.sources)?;
    if survey.kinds.len() > 1 && to.is_none() {
        return Err(Failure::usage(anyhow!(
            "these entries are of more than one heading or CCSID, which no capture holds together ({}): give --to FILE, and each gets a file of its own",
            survey.kinds.iter().map(options).collect::<Vec<_>>().join(", ")
        )));
    }
    let mut files = Files::make(to, survey.kinds.len().max(1))?;
    let sums = files.fill(|sinks| write(inspector, from, source, &survey, sinks))?;
    for (kind, (file, entries)) in survey.kinds.iter().zip(files.paths.iter().zip(&sums.entries)) {
        if survey.kinds.len() > 1 {
            say(format_args!("qaudjrn: {}: {entries} entries {}\n", Visible(file.display()), words(kind)));
        }
    }
    let of = match survey.kinds.as_slice() {
        [one] => format!(" {}", words(one)),
        _ => String::new(),
    };
    let entries: u64 = sums.entries.iter().sum();
    let Sums { notices, damaged, .. } = sums;
    say(format_args!(
        "qaudjrn: {entries} entries{of}; {notices} notices and {damaged} damaged batches are not in it\n"
    ));
    Ok(if damaged > 0 { Exit::Incomplete } else { Exit::Done })
}

fn options((heading, ccsid): &Kind) -> String {
    format!("--input {heading} --ccsid {ccsid}")
}

fn words(kind: &Kind) -> String {
    format!("(replay them with {})", options(kind))
}

/// A source that nothing is known of is refused: an empty file would say that it has no entries.
pub(super) fn known(source: Option<&str>, sources: &BTreeSet<String>) -> Result<(), Failure> {
    match source {
        Some(name) if !sources.contains(name) => {
            let names: Vec<&str> = sources.iter().map(String::as_str).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(Failure::usage(anyhow!("--source {name}: the spool knows {names}")))
        }
        _ => Ok(()),
    }
}

/// The sources that have a position.
pub(super) fn sources(inspector: &Inspector) -> BTreeSet<String> {
    // One that is damaged there has batches all the same.
    inspector.sources().unwrap_or_default().into_iter().map(|s| s.name).collect()
}

impl Survey {
    fn new(inspector: &Inspector, from: i64, source: Option<&str>) -> Result<Survey, Failure> {
        let mut survey = Survey { sources: sources(inspector), ..Survey::default() };
        // What cannot be read is told when it is written.
        each(inspector, from, &mut |found| {
            survey.last = found.id;
            survey.sources.extend(found.header.map(|a| a.source).filter(|s| !s.is_empty()));
            let Ok(batch) = found.batch else { return Ok(()) };
            let kind = kind(&batch);
            let holds = || (0..batch.len()).filter_map(|n| batch.event(n)).any(|e| !e.is_notice);
            if is_wanted(&batch, source) && !kind.0.is_empty() && !survey.kinds.contains(&kind) && holds() {
                survey.kinds.push(kind);
            }
            Ok(())
        })?;
        Ok(survey)
    }
}

fn kind(batch: &Batch) -> Kind {
    (batch.header.heading.clone(), batch.header.ccsid)
}

fn is_wanted(batch: &Batch, source: Option<&str>) -> bool {
    !batch.is_empty() && source.is_none_or(|s| s == batch.header.source)
}

/// Goes through the batches. Where they cannot be read on: why.
fn each(
    inspector: &Inspector,
    from: i64,
    take: &mut dyn FnMut(Found) -> Result<(), Failure>,
) -> Result<Option<String>, Failure> {
    let mut next = from;
    loop {
        match inspector.next(next) {
            Ok(Some(found)) => {
                next = found.id + 1;
                take(found)?;
            }
            Ok(None) => return Ok(None),
            Err(e) => return Ok(Some(format!("batches from {next} on cannot be read: {e}"))),
        }
    }
}

/// Writes the entries, each kind to its own sink.
fn write(
    inspector: &Inspector,
    from: i64,
    source: Option<&str>,
    survey: &Survey,
    sinks: &mut [Box<dyn Write>],
) -> Result<Sums, Failure> {
    let mut sums = Sums { entries: vec![0; sinks.len()], ..Sums::default() };
    let mut record = Vec::new();
    let broken = each(inspector, from, &mut |found| {
        if found.id > survey.last {
            return Ok(());
        }
        let batch = match found.batch {
            Ok(batch) => batch,
            Err(why) => {
                sums.damaged += 1;
                say(format_args!("qaudjrn: batch {} is left out: {why}\n", found.id));
                return Ok(());
            }
        };
        if !is_wanted(&batch, source) {
            return Ok(());
        }
        let kind = kind(&batch);
        let place = survey.kinds.iter().position(|k| *k == kind);
        for stored in (0..batch.len()).filter_map(|n| batch.event(n)) {
            // Batches that were stored before the first record came hold notices alone.
            let Some((place, sink)) = place.filter(|_| !stored.is_notice).and_then(|p| Some((p, sinks.get_mut(p)?)))
            else {
                sums.notices += 1;
                continue;
            };
            stored.record(&mut record);
            let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes();
            sink.write_all(&length).and_then(|()| sink.write_all(&record)).map_err(Failure::failed)?;
            if let Some(n) = sums.entries.get_mut(place) {
                *n += 1;
            }
        }
        Ok(())
    })?;
    if let Some(why) = broken {
        sums.damaged += 1;
        say(format_args!("qaudjrn: {why}\n"));
    }
    Ok(sums)
}

/// Where an export goes: never over a file that is there, and private as the spool is. What was begun and not finished is taken
/// away again.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    sinks: Vec<Box<dyn Write>>,
}

impl Files {
    /// So many files: NAME, NAME.2 and so on; one that is not named is standard output.
    pub fn make(to: Option<&Path>, number: usize) -> Result<Files, Failure> {
        let mut files = Files { paths: Vec::new(), sinks: Vec::new() };
        let Some(to) = to else {
            files.sinks.push(Box::new(io::BufWriter::new(io::stdout().lock())));
            return Ok(files);
        };
        for n in 1..=number {
            let mut name = OsString::from(to);
            if n > 1 {
                name.push(format!(".{n}"));
            }
            match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
                Ok(made) => {
                    files.paths.push(PathBuf::from(name));
                    files.sinks.push(Box::new(io::BufWriter::new(made)));
                }
                Err(e) => {
                    files.remove();
                    return Err(Failure::failed(anyhow!("{}: {e}", Path::new(&name).display())));
                }
            }
        }
        Ok(files)
    }

    /// Has them written.
    pub fn fill<T>(&mut self, write: impl FnOnce(&mut [Box<dyn Write>]) -> Result<T, Failure>) -> Result<T, Failure> {
        let written = write(&mut self.sinks).and_then(|done| {
            self.sinks.iter_mut().try_for_each(Write::flush).map_err(Failure::failed)?;
            Ok(done)
        });
        written.inspect_err(|_| self.remove())
    }

    fn remove(&self) {
        self.paths.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}
