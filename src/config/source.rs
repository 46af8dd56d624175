//! `[[source]]`: where entries come from, and what they do not say themselves.
use std::{path::PathBuf, time::Duration};

use chrono_tz::Tz;
use encoding_rs::Encoding;

use super::{
    filter::RuleReader,
    live,
    read::{Placed, Reader, Section},
    stream::{self, Who},
    zone::zone,
};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Heading, HeadingKind, buffer::BufferFormat, detect::HistoryForm, record::MAX_RECORD},
    },
    encode::HeadingDefaults,
    event::DateFormat,
    filter::{ConfigLocation, Rules},
    source::{
        derived::export::decoded,
        directory::{After, Complete, DirectoryOptions, Order},
        live::LiveOptions,
        receiver_chain::Count,
        stream::StreamOptions,
    },
};

/// What a source is.
#[derive(Clone, Debug)]
pub enum Input {
    /// A capture file; followed as it grows, or read once.
    Capture(PathBuf, bool),
    /// A folder that captures arrive in.
    Directory(DirectoryOptions),
    /// A socket that a program on the IBM i writes to.
    Stream(StreamOptions),
    /// The journal of a live system.
    Live(Box<LiveOptions>),
}

/// One source.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name in reports, and under which its position is kept.
    pub name: String,
    /// It is started; one that is off is only checked.
    pub enabled: bool,
    /// What it is.
    pub input: Input,
    /// What of its entries it leaves out, beside what the agent does.
    pub filter: Rules,
    /// Heading, where it is not to be found out.
    pub kind: Option<HeadingKind>,
    /// It holds messages of the history log, in this form.
    pub history: Option<HistoryForm>,
    /// The encoding of an export of the history log, where it is not to be found out.
    pub encoding: Option<&'static Encoding>,
    /// It holds retrieve buffers of this format.
    pub buffers: Option<BufferFormat>,
    /// Each record after its length, where it is not to be found out.
    pub stream: Option<bool>,
    /// Bytes of a record, where they are not to be found out.
    pub record_length: Option<usize>,
    /// The character set of the jobs.
    pub charset: &'static Charset,
    /// Time zone of the system.
    pub zone: Tz,
    /// The configuration says so: otherwise it is UTC, which is seldom true.
    pub zone_is_given: bool,
    /// How the older headings write dates.
    pub dates: Option<DateFormat>,
    /// What counts as a gap, where it is not what counts everywhere.
    pub gaps: Option<Count>,
    /// What older headings do not hold, in the character set of the jobs.
    given: HeadingDefaults,
}

impl SourceConfig {
    /// What lines take from here.
    pub fn given(&self) -> HeadingDefaults {
        self.given.clone()
    }

    /// The keys that say what a heading does not hold and nothing else gives: without them entries have no time, or ids that others have.
    pub fn lacks(&self, heading: &Heading) -> Vec<&'static str> {
        let lacks = [
            ("system", heading.system_name.is_none() && self.given.system.is_empty()),
            ("receiver", heading.receiver_name.is_none() && self.given.receiver.is_empty()),
            ("date_format", heading.timestamp.is_none() && self.dates.is_none()),
        ];
        lacks.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect()
    }
}

/// `gaps`.
pub const GAPS: [(&str, Count); 2] = [("numbers", Count::Numbers), ("receivers", Count::Receivers)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Capture,
    Directory,
    Stream,
    Mapepire,
    Odbc,
}

/// Where files go that are done, within their folder.
const DONE: &str = "done";
const FOUND_OUT: &str = "found out from what there is";
const AS_HEADING: &str = "as the headings of the entries say";
const AS_LISTENER: &str = "as in the listener";

/// What a source holds.
#[derive(Clone, Copy)]
enum What {
    /// Entries with this heading.
    Entries(HeadingKind),
    /// Messages of the history log.
    History(HistoryForm),
    /// Buffers of QjoRetrieveJournalEntries.
    Buffers(BufferFormat),
}

const WHAT: [(&str, What); 10] = [
    ("type1", What::Entries(HeadingKind::Type1)),
    ("type2", What::Entries(HeadingKind::Type2)),
    ("type3", What::Entries(HeadingKind::Type3)),
    ("type4", What::Entries(HeadingKind::Type4)),
    ("type5", What::Entries(HeadingKind::Type5)),
    ("rjne0100", What::Buffers(BufferFormat::Rjne0100)),
    ("rjne0200", What::Buffers(BufferFormat::Rjne0200)),
    ("qhst", What::History(HistoryForm::Qhst)),
    ("history-csv", What::History(HistoryForm::Csv)),
    ("history-json", What::History(HistoryForm::Json)),
];

/// Reads all sources. `agent` are the rules of `[filter]`.
pub fn sources(
    s: &mut Section<'_>,
    agent: &Rules,
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Vec<SourceConfig> {
    let mut found: Vec<SourceConfig> = Vec::new();
    for Placed { value: mut t, place } in s.tables("source", r) {
        let name = t.named(r);
        let has_name = t.has("name");
        let enabled = t.enabled(r);
        let kinds = [
            ("capture", Kind::Capture),
            ("directory", Kind::Directory),
            ("stream", Kind::Stream),
            ("mapepire", Kind::Mapepire),
            ("odbc", Kind::Odbc),
        ];
        let input = match t.choice_or("kind", &kinds, Kind::Capture, r) {
            Kind::Capture => capture(&mut t, &place, r),
            Kind::Directory => directory(&mut t, &place, r),
            Kind::Stream => stream::stream(&mut t, &place, Who::One, r).map(Input::Stream),
            Kind::Mapepire => live::mapepire(&mut t, &place, r).map(|o| Input::Live(Box::new(o))),
            Kind::Odbc => live::odbc(&mut t, &place, r).map(|o| Input::Live(Box::new(o))),
        };
        rules.prefix = format!("source {}: ", name.as_ref().map_or("", |n| n.value.as_str()));
        let filter = t.table("filter", r);
        let filter = rules.filter(filter, Some(agent), r);
        rules.prefix.clear();
        let what = t.choice("input", &WHAT, r);
        t.otherwise("input", FOUND_OUT, r);
        let (mut kind, mut history, mut buffers) = (None, None, None);
        match what {
            Some(What::Entries(heading)) => kind = Some(heading),
            Some(What::History(form)) => history = Some(form),
            Some(What::Buffers(format)) => buffers = Some(format),
            None => {}
        }
        if matches!(input, Some(Input::Stream(_))) && what.is_none() {
            r.error(
                place.clone(),
                "source.input is missing: the heading of the records of a stream, such as \"type5\"",
            );
        }
        let stream = t.choice("input_framing", &[("fixed", false), ("stream", true)], r);
        t.otherwise("input_framing", FOUND_OUT, r);
        let record_length =
            t.integer("record_length", 126..MAX_RECORD as i64 + 1, r).and_then(|n| usize::try_from(n).ok());
        t.otherwise("record_length", FOUND_OUT, r);
        let encoding = encoding(&mut t, history, r);
        t.otherwise("encoding", "of exports of the history log: by their byte order mark, else UTF-8", r);
        if history.is_some() || buffers.is_some() {
            whole_files(&t, &input, r);
        }
        let content = content(&mut t, None, r);
        if history.is_some() && content.as_ref().is_none_or(|c| c.given.system.is_empty()) {
            r.error(place.clone(), "source.system is missing: the history log does not hold the name of the system");
        }
        t.finish(r);
        if !has_name {
            r.error(place, "source.name is missing");
        }
        let (Some(name), Some(input), Some(content)) = (name, input, content) else { continue };
        if found.iter().any(|s| s.name == name.value) {
            r.error(name.place, format!("source.name: there are two sources named {:?}", name.value));
        }
        let plain = plain(name.value, (input, kind), filter, content);
        found.push(SourceConfig { enabled, history, encoding, buffers, stream, record_length, ..plain });
    }
    found
}

/// What is said of the entries of a source, a listener or a sender, whatever they come from.
#[derive(Clone)]
struct Content {
    charset: &'static Charset,
    zone: Tz,
    zone_is_given: bool,
    dates: Option<DateFormat>,
    gaps: Option<Count>,
    given: HeadingDefaults,
}

/// Reads it; what is not there is as `usual`.
fn content(t: &mut Section<'_>, usual: Option<&SourceConfig>, r: &mut Reader<'_>) -> Option<Content> {
    let own_charset = t.has("ccsid");
    let charset = charset(t, r);
    if usual.is_some() {
        t.otherwise("ccsid", AS_LISTENER, r);
    }
    let charset = if own_charset { charset } else { usual.map(|u| u.charset).or(charset) };
    let own_zone = t.has("timezone");
    let zone = zone(t, r);
    t.otherwise("timezone", usual.map_or("UTC, because nothing is given", |_| AS_LISTENER), r);
    let formats =
        [("MDY", DateFormat::Mdy), ("DMY", DateFormat::Dmy), ("YMD", DateFormat::Ymd), ("JUL", DateFormat::Jul)];
    let dates = t.choice("date_format", &formats, r).or(usual.and_then(|u| u.dates));
    t.otherwise("date_format", usual.map_or(AS_HEADING, |_| AS_LISTENER), r);
    let gaps = t.choice("gaps", &GAPS, r).or(usual.and_then(|u| u.gaps));
    t.otherwise("gaps", usual.map_or("as gaps above the first table", |_| AS_LISTENER), r);
    let mut text = |key: &'static str, r: &mut Reader<'_>| -> Vec<u8> {
        let name = t.string(key, r);
        t.otherwise(key, AS_HEADING, r);
        let (Some(Placed { value, place }), Some(charset)) = (name, charset) else { return Vec::new() };
        charset.name(&value).unwrap_or_else(|e| {
            r.error(place, format!("{}: {e}", t.name(key)));
            Vec::new()
        })
    };
    let given = HeadingDefaults {
        system: text("system", r),
        receiver: text("receiver", r),
        receiver_library: text("receiver_library", r),
    };
    Some(Content {
        charset: charset?,
        zone: usual.filter(|_| !own_zone).map_or(zone, |u| u.zone),
        zone_is_given: own_zone || usual.is_some_and(|u| u.zone_is_given),
        dates,
        gaps,
        given,
    })
}

/// A sender's heading: no other records come over a socket.
pub fn sent(t: &mut Section<'_>, r: &mut Reader<'_>) -> Option<HeadingKind> {
    let headings = WHAT.iter().filter_map(|(word, what)| match what {
        What::Entries(kind) => Some((*word, *kind)),
        _ => None,
    });
    let found = t.choice("input", &headings.collect::<Vec<_>>(), r);
    t.otherwise("input", "as the other input of the listener", r);
    found
}

/// Where entries are sent to: what stands in a listener, or in a sender of it, where what it does not say is as `usual`.
pub fn sender(
    t: &mut Section<'_>,
    (name, options): (String, &StreamOptions),
    (usual, filter): (Option<&SourceConfig>, Rules),
    r: &mut Reader<'_>,
) -> Option<SourceConfig> {
    let kind = sent(t, r).or(usual.and_then(|u| u.kind));
    Some(plain(name, (Input::Stream(options.clone()), kind), filter, content(t, usual, r)?))
}

/// A source of records, of whose form nothing else is said.
fn plain(name: String, (input, kind): (Input, Option<HeadingKind>), filter: Rules, content: Content) -> SourceConfig {
    let Content { charset, zone, zone_is_given, dates, gaps, given } = content;
    let (history, encoding, buffers, stream, record_length) = (None, None, None, None, None);
    SourceConfig {
        name,
        enabled: true,
        input,
        filter,
        kind,
        history,
        encoding,
        buffers,
        stream,
        record_length,
        charset,
        zone,
        zone_is_given,
        dates,
        gaps,
        given,
    }
}

/// What records are made of is read in whole files: what is wrong with keys that say otherwise.
fn whole_files(t: &Section<'_>, input: &Option<Input>, r: &mut Reader<'_>) {
    let mut wrong = |key: &str, why: &str| {
        if let Some(place) = t.place_of(key, r) {
            r.error(place, format!("source.{key}: {why}"));
        }
    };
    match input {
        Some(Input::Capture(_, true)) => wrong(
            "follow",
            "the history log, its exports and retrieve buffers come as whole files, and are not followed as they grow: let them arrive in a folder (kind = \"directory\"), or follow the live system (kind = \"mapepire\")",
        ),
        Some(Input::Stream(_) | Input::Live(_)) => {
            wrong(
                "input",
                "the history log, its exports and retrieve buffers are files: only with kind = \"capture\" or \"directory\"",
            );
        }
        _ => {}
    }
    for key in ["input_framing", "record_length"] {
        wrong(key, "only for records of DSPJRN");
    }
}

/// `path`, which is needed.
fn path(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<PathBuf> {
    let path = t.path("path", r).map(|p| p.value);
    if !t.has("path") {
        r.error(at.clone(), "source.path is missing");
    }
    path
}

fn capture(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<Input> {
    let follow = t.boolean_or("follow", false, r);
    Some(Input::Capture(path(t, at, r)?, follow))
}

fn directory(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<Input> {
    let follow = t.boolean_or("follow", true, r);
    let pattern = t.string_or("pattern", "*", r);
    let quiet = t.positive_or("stable_seconds", Duration::from_secs(10), r);
    let ways = [("stable", Complete::Stable(quiet)), ("rename", Complete::Rename), ("done", Complete::Done)];
    let complete = t.choice_or("complete", &ways, Complete::Stable(quiet), r);
    let order = t.choice_or("order", &[("name", Order::Name), ("time", Order::Time)], Order::Name, r);
    let after = t.choice_or("after", &[("keep", 0), ("move", 1), ("delete", 2)], 0, r);
    let move_to = t.string("move_to", r);
    if after == 1 {
        t.usual("move_to", DONE, r);
    }
    let path = path(t, at, r)?;
    let after = match (after, move_to) {
        (1, to) => After::Move(path.join(to.map_or(DONE.to_owned(), |t| t.value))),
        (after, Some(to)) => {
            r.error(to.place, "source.move_to: only with after = \"move\"");
            if after == 2 { After::Delete } else { After::Keep }
        }
        (2, None) => After::Delete,
        _ => After::Keep,
    };
    Some(Input::Directory(DirectoryOptions { path, pattern, complete, order, after, follow }))
}

/// `encoding`: of exports of the history log only.
fn encoding(t: &mut Section<'_>, history: Option<HistoryForm>, r: &mut Reader<'_>) -> Option<&'static Encoding> {
    let Placed { value, place } = t.string("encoding", r)?;
    if !matches!(history, Some(HistoryForm::Csv | HistoryForm::Json)) {
        r.error(place, "source.encoding: only with input = \"history-csv\" or \"history-json\": everything else is read by its CCSID (ccsid)");
        return None;
    }
    decoded::encoding(&value).map_err(|e| r.error(place, format!("source.encoding = {value:?}: {e}"))).ok()
}

/// `ccsid`; 37 unless one is given.
fn charset(t: &mut Section<'_>, r: &mut Reader<'_>) -> Option<&'static Charset> {
    let ccsid = u16::try_from(t.integer_or("ccsid", 0..65_536, 37, r)).unwrap_or(37);
    let found = Charset::ebcdic(ccsid);
    if let (Err(e), Some(place)) = (&found, t.place_of("ccsid", r)) {
        r.error(place, format!("{} = {ccsid}: {e}", t.name("ccsid")));
    }
    found.ok()
}
