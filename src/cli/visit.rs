//! Going through captures entry by entry, for commands that look and do not send.
use std::{ops::ControlFlow, sync::Arc};

use anyhow::anyhow;

use super::{
    console::say,
    context::Facts,
    exit::{Exit, Failure},
    input::{InputArgs, capture_failure},
};
use crate::{
    decode::journal::{Catalog, Entry, Heading},
    encode::escape::printable,
    event::{Clock, EntryTime},
    source::{Item, capture},
};

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The capture.
    pub capture: &'a str,
    /// Bytes before its record.
    pub offset: u64,
    /// How many entries came before it, in all captures; parked records do not count.
    pub nth: u64,
}

/// What went by.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// Entries whose end the capture does not hold.
    pub incomplete: u64,
    /// Captures that are cut or damaged.
    pub torn: u64,
    /// Dates do not fit the format that was given.
    pub misread: bool,
    /// What each capture was found to be.
    pub captures: Vec<String>,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl Walked {
    /// What a command that did its work ends with.
    pub fn exit(&self) -> Exit {
        if self.misread || self.torn + self.parked > 0 { Exit::Finished } else { Exit::Done }
    }

    /// Says the warnings on standard error.
    pub fn warn(&self) {
        for w in &self.warnings {
            say(format_args!("qaudjrn: warning: {}\n", printable(w)));
        }
    }
}

/// Looks at every entry.
pub trait Visitor {
    /// What it needs for each heading: models, filters, encoders.
    type Lane;

    /// Made when the first capture with this heading is opened.
    fn lane(&mut self, heading: &Arc<Heading>) -> Result<Self::Lane, Failure>;

    /// One entry and its time; `Break` ends the walk.
    fn entry(
        &mut self,
        lane: &mut Self::Lane,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        at: At<'_>,
    ) -> Result<ControlFlow<()>, Failure>;
}

/// Visits every entry of the captures, in order.
pub fn walk<V: Visitor>(
    catalog: &Arc<Catalog>,
    input: &InputArgs,
    facts: &Facts,
    visitor: &mut V,
) -> Result<Walked, Failure> {
    capture::check_paths(&input.captures).map_err(capture_failure)?;
    let mut walked = Walked::default();
    if facts.timezone.is_none() {
        walked.warnings.push("no --timezone was given: entry times were taken as UTC".to_owned());
    }
    let mut lanes: Vec<(Arc<Heading>, V::Lane)> = Vec::new();
    for path in &input.captures {
        let mut source = input.open_dated(catalog, path, facts.dates())?;
        let heading = source.found().heading.clone();
        let name = source.name().to_owned();
        walked.captures.push(format!("{name}: {}", source.found()));
        facts.needed_by(source.found()).map_err(|e| Failure::usage(anyhow!("{}: {e}", printable(&name))))?;
        if !lanes.iter().any(|(h, _)| Arc::ptr_eq(h, &heading)) {
            if heading.user_name.is_none() {
                let kind = heading.kind.ibm_name();
                walked.warnings.push(format!("{kind} headings hold no effective user: lines carry the job user only"));
            }
            lanes.push((heading.clone(), visitor.lane(&heading)?));
        }
        let Some((_, lane)) = lanes.iter_mut().find(|(h, _)| Arc::ptr_eq(h, &heading)) else { continue };
        let mut clock = Clock::new(facts.zone(), facts.dates());
        let mut cut = false;
        while let Some(item) = source.next().map_err(capture_failure)? {
            let (record, offset) = match item {
                Item::Record(record, offset) => (record, offset),
                Item::Cut(record, offset) => {
                    cut = true;
                    walked.warnings.push(format!(
                        "{name}: offset {offset}: the capture ends within a record ({} bytes of it are there)",
                        record.len()
                    ));
                    (record, offset)
                }
            };
            walked.read += 1;
            let Ok(entry) = Entry::new(&heading, record) else {
                walked.parked += 1;
                continue;
            };
            walked.incomplete += u64::from(!entry.complete());
            let time = clock.read(&entry);
            let at = At { capture: &name, offset, nth: walked.read - walked.parked - 1 };
            if visitor.entry(lane, entry, time, at)?.is_break() {
                walked.torn += u64::from(cut);
                return Ok(walked);
            }
        }
        let end = source.ends_within();
        walked.torn += u64::from(cut || end.is_some());
        // A piece of a record at the end was told already; why there is no more was not.
        if let Some(end) = end.filter(|_| !cut || source.is_packed()) {
            walked.warnings.push(format!("{name}: {}", end.text));
        }
        if let Some(why) = clock.contradiction() {
            walked.misread = true;
            walked.warnings.push(format!("{name}: {why}"));
        }
    }
    Ok(walked)
}
