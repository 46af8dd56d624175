//! Going through captures entry by entry, for commands that look and do not send.
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use anyhow::anyhow;

use super::{
    console::say,
    context::HeadingArgs,
    evidence::{CaptureFacts, EntryFacts, LastEntry},
    exit::{Exit, Failure},
    input::{InputArgs, capture_failure},
    summary,
};
use crate::{
    decode::journal::{Catalog, Entry, Heading},
    encode::escape::printable,
    event::{Clock, EntryTime},
    source::{Item, capture, derived::placeholder},
};

/// Parked records that are named.
const PARKED_NAMED: usize = 20;

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
pub struct EntryLocation<'a> {
    /// The capture.
    pub capture: &'a str,
    /// Bytes before its record.
    pub offset: u64,
    /// How many entries came before it, in all captures; parked records do not count.
    pub nth: u64,
}

/// What went by.
#[derive(Clone, Debug, Default)]
pub struct VisitStats {
    /// Records read.
    pub read: u64,
    /// Records that are no entries.
    pub parked: u64,
    /// The same by reason.
    pub parked_by: BTreeMap<String, u64>,
    /// The first of them, in words.
    pub parked_first: Vec<String>,
    /// Entries whose end the capture does not hold.
    pub incomplete: u64,
    /// Records of a stream with bytes behind their entry, in which other entries may hide.
    pub overlong: u64,
    /// Captures that are cut or damaged.
    pub torn: u64,
    /// Dates do not fit the format that was given.
    pub misread: bool,
    /// What each capture is.
    pub captures: Vec<CaptureFacts>,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl VisitStats {
    /// What a command that did its work ends with.
    pub fn exit(&self) -> Exit {
        if self.misread || self.torn + self.parked + self.overlong > 0 { Exit::Incomplete } else { Exit::Done }
    }

    /// A record is no entry.
    #[cold]
    fn park(&mut self, said: String, reason: String) {
        self.parked += 1;
        *self.parked_by.entry(reason).or_default() += 1;
        if self.parked_first.len() < PARKED_NAMED {
            self.parked_first.push(said);
        }
    }

    /// A record has so many bytes behind its entry that are no padding.
    #[cold]
    fn goes_on(&mut self, name: &str, offset: u64, behind: usize) {
        self.overlong += 1;
        if self.overlong <= 5 {
            self.warnings.push(summary::goes_on(name, offset, behind));
        }
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
    type Pipeline;
    /// Whether captures are counted and hashed as they are read.
    const COUNTED: bool = false;

    /// Made when the first capture with this heading is opened.
    fn pipeline(&mut self, heading: &Arc<Heading>) -> Result<Self::Pipeline, Failure>;

    /// One entry and its time; `Break` ends the walk.
    fn entry(
        &mut self,
        pipeline: &mut Self::Pipeline,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        at: EntryLocation<'_>,
    ) -> Result<ControlFlow<()>, Failure>;
}

/// Visits every entry of the captures, in order.
pub fn visit<V: Visitor>(
    catalog: &Arc<Catalog>,
    input: &InputArgs,
    heading_args: &HeadingArgs,
    visitor: &mut V,
) -> Result<VisitStats, Failure> {
    capture::check_paths(&input.captures).map_err(capture_failure)?;
    let mut stats = VisitStats::default();
    let job = input.charset()?;
    let given = heading_args.given(job)?;
    if heading_args.timezone.is_none() {
        stats.warnings.push("no --timezone was given: entry times were taken as UTC".to_owned());
    }
    let mut pipelines: Vec<(Arc<Heading>, V::Pipeline)> = Vec::new();
    for path in &input.captures {
        let (mut source, tally) = if V::COUNTED {
            let (source, tally) = input.open_counted(catalog, path, heading_args.dates())?;
            (source, Some(tally))
        } else {
            (input.open_dated(catalog, path, heading_args.dates())?, None)
        };
        let heading = source.found().heading.clone();
        let name = source.name().to_owned();
        let (history, framed) = (source.found().history.is_some(), source.is_framed());
        let mut facts =
            CaptureFacts { name: name.clone(), what: source.found().to_string(), ..CaptureFacts::default() };
        let mut last = LastEntry::default();
        heading_args.needed_by(source.found()).map_err(|e| Failure::usage(anyhow!("{}: {e}", printable(&name))))?;
        if !pipelines.iter().any(|(h, _)| Arc::ptr_eq(h, &heading)) {
            if heading.user_name.is_none() {
                let kind = heading.kind.ibm_name();
                stats.warnings.push(format!("{kind} headings hold no effective user: lines carry the job user only"));
            }
            pipelines.push((heading.clone(), visitor.pipeline(&heading)?));
        }
        let Some((_, pipeline)) = pipelines.iter_mut().find(|(h, _)| Arc::ptr_eq(h, &heading)) else { continue };
        let mut clock = Clock::new(heading_args.zone(), heading_args.dates());
        let mut cut = false;
        while let Some(item) = source.next().map_err(capture_failure)? {
            let (record, offset) = match item {
                Item::Record(record, offset) => (record, offset),
                Item::Cut(record, offset) => {
                    cut = true;
                    stats.warnings.push(format!(
                        "{name}: offset {offset}: the capture ends within a record ({} bytes of it are there)",
                        record.len()
                    ));
                    (record, offset)
                }
            };
            stats.read += 1;
            facts.read += 1;
            let entry = match Entry::new(&heading, record) {
                Ok(entry) => entry,
                Err(e) => {
                    facts.parked += 1;
                    let (said, reason) = summary::parked(&name, offset, (placeholder::why(record), history), &e);
                    stats.park(said, reason);
                    continue;
                }
            };
            if framed && !entry.behind().is_empty() {
                stats.goes_on(&name, offset, entry.behind().len());
            }
            stats.incomplete += u64::from(!entry.complete());
            let time = clock.read(&entry);
            if facts.first.is_none() {
                facts.first = Some(EntryFacts::new(&entry, time, job, &given));
            }
            last.see(&entry, time);
            let at = EntryLocation { capture: &name, offset, nth: stats.read - stats.parked - 1 };
            if visitor.entry(pipeline, entry, time, at)?.is_break() {
                stats.torn += u64::from(cut);
                return Ok(stats);
            }
        }
        facts.last = last.facts(&heading, job, &given);
        facts.counted(tally);
        stats.captures.push(facts);
        let end = source.ends_within();
        stats.torn += u64::from(cut || end.is_some());
        // A piece of a record at the end was told already; why there is no more was not.
        if let Some(end) = end.filter(|_| !cut || source.is_packed()) {
            stats.warnings.push(format!("{name}: {}", end.text));
        }
        if let Some(why) = clock.contradiction() {
            stats.misread = true;
            stats.warnings.push(format!("{name}: {why}"));
        }
    }
    Ok(stats)
}
