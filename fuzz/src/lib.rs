//! What the fuzz targets share. Each input begins with a few bytes of options; the rest is a capture or one record.
//!
//! The properties are those of `tests/properties.rs`, and lines are taken apart by the same parsers; here the search
//! is led by coverage. `seed.sh` fills the corpus, `short.sh` runs every target for some seconds, `long.sh` one for long.
use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use qaudjrn::{
    cli::pretty,
    config::Config,
    decode::{
        ebcdic::{Ccsid, Charset, SUPPORTED},
        history::{MARK, compose::HistoryComposer},
        journal::{
            Catalog, Entry, Heading, HeadingKind,
            compose::Composer,
            detect::{self, HistoryForm, Wanted},
            record::{Framing, MAX_RECORD, Split, split},
        },
    },
    encode::{Encoder, Format, Header, Profile, Settings, entry_json},
    event::{Clock, EventModel, Options},
    filter::{Filter, RuleOutcome, State, Verdict},
    source::{
        Capture, Item,
        derived::{
            export::{Export, decoded::encoding, is_export},
            placeholder,
        },
    },
};

#[path = "../../tests/harness/src/ebcdic.rs"]
pub mod ebcdic;
#[path = "../../tests/harness/src/parse.rs"]
pub mod parse;

fn catalog() -> &'static Arc<Catalog> {
    static READ: OnceLock<Arc<Catalog>> = OnceLock::new();
    READ.get_or_init(|| Arc::new(Catalog::shipped().expect("the shipped tables")))
}

fn profile() -> &'static Profile {
    static READ: OnceLock<Profile> = OnceLock::new();
    READ.get_or_init(|| Profile::native().expect("the native profile"))
}

fn headings() -> &'static [Arc<Heading>] {
    static READ: OnceLock<Vec<Arc<Heading>>> = OnceLock::new();
    READ.get_or_init(|| HeadingKind::ALL.iter().filter_map(|k| catalog().heading(*k).cloned()).collect())
}

fn job(choice: u8) -> &'static Charset {
    let ccsid = SUPPORTED[usize::from(choice) % SUPPORTED.len()];
    Charset::of(Ccsid(ccsid)).expect("a supported CCSID")
}

/// Two bytes of options, then a capture: what `detect` finds, and the records of it, whole and in pieces.
pub fn records(input: &[u8]) {
    let [options, length, capture @ ..] = input else { return };
    let wanted = Wanted {
        kind: HeadingKind::ALL.get(usize::from(options & 7)).copied(),
        stream: [None, Some(false), Some(true), None][usize::from(options >> 3 & 3)],
        record_length: (options & 0x20 != 0).then_some(126 + usize::from(*length) * 8),
        ..Wanted::default()
    };
    for whole in [false, true] {
        let _ = detect::detect(headings(), wanted, capture, whole);
    }
    for framing in [Framing::Stream, Framing::Fixed(usize::from(*length) + 1)] {
        all_bytes_once(framing, capture);
    }
    let at_once = read(capture, usize::MAX, wanted);
    let in_pieces = read(capture, 64 + usize::from(*length) * 16, wanted);
    // A pipe is taken for what its front shows, before more of it is known: the answers may differ, but not the records
    // where they are the same.
    if let (Some(whole), Some(pieces)) = (at_once, in_pieces) {
        assert!(whole.framing != pieces.framing || whole == pieces, "records depend on the size of the reads");
    }
}

/// A byte of options, then an export of the history log: it is read to an end, in records that are bounded and the same whatever
/// pieces it comes in, and nothing in it passes for an entry of a journal.
pub fn exports(input: &[u8]) {
    let [options, bytes @ ..] = input else { return };
    // The mark at the front of the bytes says it, or this does.
    let encoding = match options >> 5 {
        0..=3 => None,
        n => ["utf-16be", "windows-1252", "shift_jis", "iso-2022-jp"]
            .get(usize::from(n & 3))
            .and_then(|l| encoding(l).ok()),
    };
    let form = if options & 1 == 0 { HistoryForm::Csv } else { HistoryForm::Json };
    let _ = is_export(bytes, encoding);
    let heading = catalog().heading(HeadingKind::Type5).expect("the shipped tables");
    let read = |piece: usize| {
        let composer =
            HistoryComposer::new(Composer::new(heading.clone()), catalog().history(), catalog().messages().clone());
        let mut out = Vec::new();
        let mut export =
            Export::new(Pieces(bytes.to_vec(), 0, piece), form, composer, job(options >> 1)).with_encoding(encoding);
        let ended = export.read_to_end(&mut out).map_err(|e| e.to_string());
        (out, ended.err())
    };
    let (out, error) = read(usize::MAX);
    assert!(error.as_ref().is_none_or(|e| e.starts_with("line ")), "{error:?}");
    let mut rest = out.as_slice();
    while let Some((length, more)) = rest.split_first_chunk::<4>() {
        let (record, behind) = more.split_at(u32::from_be_bytes(*length) as usize);
        assert!(record.len() < 1 << 18);
        match Entry::new(heading, record) {
            Ok(entry) => assert_eq!((entry.journal_code(), entry.entry_type()), MARK),
            Err(_) => assert!(placeholder::why(record).is_some()),
        }
        rest = behind;
    }
    assert!(read(7) == (out, error), "records depend on the size of the reads");
}

fn all_bytes_once(framing: Framing, bytes: &[u8]) {
    let prefix = if framing == Framing::Stream { 4 } else { 0 };
    let mut rest = bytes;
    loop {
        match split(framing, rest, true) {
            Split::Record { bytes, used } => {
                assert!(used == bytes.len() + prefix && used > 0);
                assert_eq!(bytes, &rest[prefix..used]);
                rest = &rest[used..];
            }
            Split::End => return assert!(rest.is_empty()),
            Split::Cut(cut) => return assert!(!rest.is_empty() && rest.ends_with(cut)),
            Split::BadLength(n) => return assert!(n == 0 || n as usize > MAX_RECORD),
            Split::Need(_) => panic!("more is asked for at the end"),
        }
    }
}

struct Pieces(Vec<u8>, usize, usize);

impl std::io::Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = self.2.min(to.len()).min(self.0.len() - self.1);
        to[..n].copy_from_slice(&self.0[self.1..self.1 + n]);
        self.1 += n;
        Ok(n)
    }
}

#[derive(PartialEq)]
struct Records {
    framing: Framing,
    records: Vec<(Vec<u8>, u64)>,
    error: Option<String>,
}

/// The records of a capture that is read in pieces of this size; `None` where it is found to be none.
fn read(bytes: &[u8], piece: usize, wanted: Wanted) -> Option<Records> {
    let reader = Box::new(Pieces(bytes.to_vec(), 0, piece));
    let mut capture = Capture::new("fuzz".into(), reader, None, headings(), wanted).ok()?;
    let mut found = Records { framing: capture.found().framing, records: Vec::new(), error: None };
    loop {
        match capture.next() {
            Ok(Some(Item::Record(r, at) | Item::Cut(r, at))) => found.records.push((r.to_vec(), at)),
            Ok(None) => return Some(found),
            Err(e) => {
                found.error = Some(e.to_string());
                return Some(found);
            }
        }
    }
}

/// Two bytes of options, then a record: decoded in every way.
pub fn decode(input: &[u8]) {
    let [heading, ccsid, record @ ..] = input else { return };
    let (heading, job) = (&headings()[usize::from(*heading) % headings().len()], job(*ccsid));
    let Ok(entry) = Entry::new(heading, record) else { return };
    let code = job.decode_string(&entry.entry_type());
    for layout in [catalog().layout(&code).map(|l| &**l), None] {
        let mut out = Vec::new();
        pretty::put_entry(&entry, layout, catalog().levels(), job, 0, &mut out);
        let text = std::str::from_utf8(&out).expect("UTF-8");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        for parts in [false, true] {
            let mut out = Vec::new();
            entry_json::put_entry(&entry, layout, job, parts, &mut out);
            let text = std::str::from_utf8(&out).expect("UTF-8");
            parse::json(text).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

/// A model is made once and lives as long as the process: its tables are larger than most inputs.
fn model(heading: &Arc<Heading>, job: &'static Charset, include_guesses: bool) -> &'static EventModel {
    type Key = (HeadingKind, Ccsid, bool);
    static MADE: Mutex<BTreeMap<Key, &'static EventModel>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("one thread");
    made.entry((heading.kind, job.ccsid(), include_guesses)).or_insert_with(|| {
        let p = profile();
        let options = Options {
            include_guesses,
            failures: p.outcome.failure.clone(),
            omit: p.full.omit.clone(),
            foreign: qaudjrn::event::model::Foreign {
                severity: p.foreign.severity,
                title_unknown: p.foreign.title_unknown.clone(),
                title_j: p.foreign.title_j.clone(),
                title_u: p.foreign.title_u.clone(),
                title_other: p.foreign.title_other.clone(),
            },
            ..Options::default()
        };
        Box::leak(Box::new(EventModel::new(catalog().clone(), heading.clone(), job, options)))
    })
}

/// Four bytes of options (heading; CCSID; header, detail and guesses; size), then a record: its line must parse, hold
/// no key twice, and keep to its size.
pub fn encode(format: Format, body: parse::Body, input: &[u8]) {
    let [heading, ccsid, options, size, record @ ..] = input else { return };
    let heading = &headings()[usize::from(*heading) % headings().len()];
    let Ok(entry) = Entry::new(heading, record) else { return };
    let (header, head) = match options & 3 {
        0 => (Header::Rfc5424, parse::Head::Rfc5424),
        1 => (Header::Rfc3164, parse::Head::Rfc3164),
        _ => (Header::None, parse::Head::Nothing),
    };
    let p = profile();
    let mut settings = Settings::new(format, p);
    settings.header = header;
    settings.full = options & 4 != 0;
    settings.max_size = 480 + usize::from(*size) * 30;
    let model = model(heading, job(*ccsid), options & 8 != 0);
    let mut encoder = Encoder::new(model, p.clone(), settings);
    let time = Clock::new(chrono_tz::UTC, None).read(&entry);
    let mut line = Vec::new();
    let written = encoder.encode(&model.event(entry, time), &mut line);
    let shown = String::from_utf8_lossy(&line);
    let parsed = parse::line(head, body, &line).unwrap_or_else(|e| panic!("{e}: {shown}"));
    assert_eq!(written.total, line.len());
    assert!(line.len() <= encoder.settings().max_size, "{} of {}: {shown}", line.len(), encoder.settings().max_size);
    assert_eq!(parsed.get("truncated").is_some(), written.truncated, "{shown}");
    assert!(parsed.pairs.iter().all(|(_, v)| !v.is_empty()), "an empty value: {shown}");
}

/// Rules of every kind, exact, generic and for everything, with presets: hardly an entry matches none.
const RULES: &str = r##"
[filter]
presets = ["security", "temp-paths", "ibm-profiles", "low-value-system-values"]
objects = { exclude = ["PAY*/CUST*", "*ALL/X*:*FILE", "#LIB/@A$"], include = ["PAYLIB/CUSTMAST"], commands = true }
ifs = { exclude = ["/", "/home/*/x?z", "/QOpenSys/A*b*c", "/*a*"], include = ["/home/bill", "/etc/*"] }
users = { exclude = ["Q*", "BILL"], include = ["QTCP"], match = "either", privileged = ["SEC*"] }
system_values = { exclude = ["*ALL"] }
programs = { exclude = ["QSYS/Q*", "PGM"] }
jobs = { exclude = ["*ALL/QUSER/QZ*", "4*/*ALL/Q*"] }
remote = { exclude = ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"], include = ["203.0.113.0/24"] }
"##;

/// Two bytes of options, then a record: the verdict is the same each time and agrees with what every dimension says.
pub fn filter(input: &[u8]) {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    type Made = BTreeMap<(HeadingKind, Ccsid), &'static Filter>;
    static FILTERS: Mutex<Made> = Mutex::new(BTreeMap::new());
    let [heading, ccsid, record @ ..] = input else { return };
    let (heading, job) = (&headings()[usize::from(*heading) % headings().len()], job(*ccsid));
    let Ok(entry) = Entry::new(heading, record) else { return };
    let config = CONFIG.get_or_init(|| {
        let config = Config::parse(RULES, "fuzz.toml", Path::new("."), catalog());
        config.into_valid(false).expect("rules without errors")
    });
    let model = model(heading, job, false);
    let mut filters = FILTERS.lock().expect("one thread");
    let filter = filters
        .entry((heading.kind, job.ccsid()))
        .or_insert_with(|| Box::leak(Box::new(Filter::new(model, &config.filter, None).expect("rules that compile"))));
    let event = model.event(entry, None);
    let mut state = State::default();
    let verdict = filter.verdict(&event, &mut state);
    assert_eq!(verdict, filter.verdict(&event, &mut state));
    let said = filter.explain(&event, &mut state);
    let dropped = said.iter().find_map(|(_, said)| match said {
        Some(RuleOutcome::Drop(rule)) => Some(*rule),
        _ => None,
    });
    match verdict {
        Verdict::Sent => assert_eq!(dropped, None),
        Verdict::AuditChange(_, rule) => assert_eq!(rule, dropped),
        Verdict::Dropped(rule) => assert_eq!(Some(rule), dropped),
    }
    for (dimension, _) in said {
        filter.seen(dimension, &event);
    }
}

/// Any text as a configuration: everything wrong with it has a place that is in it.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let config = Config::parse(text, "fuzz.toml", Path::new("/nowhere"), catalog());
    let lines = text.matches('\n').count() + 1;
    for place in config.problems.iter().filter_map(|p| p.place.as_ref()).filter(|p| &*p.file == "fuzz.toml") {
        assert!((1..=lines).contains(&place.line) && place.column >= 1, "{place}");
    }
}
