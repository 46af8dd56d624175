//! What holds for every entry, whatever its bytes: any text comes back from a line as `printable` makes it, a line
//! stays one line within its size, nothing panics, no byte of a capture is lost or read twice.
//!
//! Records are made from the layout tables by `harness::record`, lines are taken apart by `harness::parse`; both
//! share no code with the program. Proptest shrinks a failure and prints it; `fuzz/` searches the same properties with
//! coverage.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    sync::{Arc, OnceLock},
};

use harness::{
    ebcdic::{self, Piece},
    parse::{self, Body, Head},
    record::{Record, filled, tables},
};
use proptest::{collection::vec, prelude::*, sample};
use qaudjrn::{
    cli::pretty,
    decode::{
        ebcdic::{Ccsid, Charset, CharsetKind, SUPPORTED, Unit},
        journal::{
            Catalog, Entry, Heading, HeadingKind,
            detect::{self, Wanted},
            record::{self, Framing, Split},
        },
    },
    encode::{Encoder, Format, Header, Profile, Settings, Written, entry_json, escape},
    event::{Clock, EventModel, Options},
    source::{Capture, Item, derived::placeholder},
};

// ---------------------------------------------------------------------------------------------------- the program

fn catalog() -> &'static Arc<Catalog> {
    static READ: OnceLock<Arc<Catalog>> = OnceLock::new();
    READ.get_or_init(|| Arc::new(Catalog::shipped().unwrap()))
}

fn profile() -> &'static Profile {
    static READ: OnceLock<Profile> = OnceLock::new();
    READ.get_or_init(|| Profile::native().unwrap())
}

fn headings() -> Vec<Arc<Heading>> {
    HeadingKind::ALL.iter().map(|k| catalog().heading(*k).unwrap().clone()).collect()
}

fn kind_of(heading: &str) -> HeadingKind {
    *HeadingKind::ALL.iter().find(|k| k.key() == heading).unwrap()
}

fn job(ccsid: u16) -> &'static Charset {
    Charset::of(Ccsid(ccsid)).unwrap()
}

/// How a line is asked for.
#[derive(Clone, Copy, Debug)]
struct Ask {
    format: Format,
    header: Header,
    full: bool,
    guesses: bool,
    max_size: usize,
    /// Vendor, product, version, application name and SD-ID as long as the configuration allows.
    long_names: bool,
}

impl Ask {
    fn plain(format: Format) -> Ask {
        Ask {
            format,
            header: format.default_header(),
            full: false,
            guesses: false,
            max_size: 1_000_000,
            long_names: false,
        }
    }

    fn settings(self) -> Settings {
        let mut s = Settings::new(self.format, profile());
        s.header = self.header;
        s.full = self.full;
        s.max_size = self.max_size;
        if self.long_names {
            s.vendor = "v".repeat(63);
            s.product = "p".repeat(63);
            s.version = "1".repeat(31);
            s.app_name = "a".repeat(48);
            s.sd_id = format!("{}@32473", "s".repeat(26));
        }
        s
    }

    fn head(self) -> Head {
        match self.header {
            Header::Rfc5424 => Head::Rfc5424,
            Header::Rfc3164 => Head::Rfc3164,
            Header::None => Head::Nothing,
        }
    }

    fn body(self) -> Body {
        match self.format {
            Format::Syslog => Body::StructuredData,
            Format::Cef => Body::Cef,
            Format::Leef => Body::Leef1,
            Format::Leef2 => Body::Leef2,
            Format::Json => Body::Json,
        }
    }
}

/// The line of a record, as `replay` writes it.
fn encode(ask: Ask, heading: HeadingKind, ccsid: u16, record: &[u8]) -> (Vec<u8>, Written) {
    let heading = catalog().heading(heading).unwrap();
    let p = profile();
    let foreign = &p.foreign;
    let options = Options {
        include_guesses: ask.guesses,
        failures: p.outcome.failure.clone(),
        omit: p.full.omit.clone(),
        foreign: qaudjrn::event::model::Foreign {
            severity: foreign.severity,
            title_unknown: foreign.title_unknown.clone(),
            title_j: foreign.title_j.clone(),
            title_u: foreign.title_u.clone(),
            title_other: foreign.title_other.clone(),
        },
        ..Options::default()
    };
    let model = EventModel::new(catalog().clone(), heading.clone(), job(ccsid), options);
    let mut encoder = Encoder::new(&model, p.clone(), ask.settings());
    let entry = Entry::new(heading, record).expect("an entry");
    let time = Clock::new(chrono_tz::UTC, None).read(&entry);
    let mut line = b"before".to_vec();
    let written = encoder.encode(&model.event(entry, time), &mut line);
    (line.split_off(6), written)
}

/// What every line must be: parsable, of the size that was reported, with keys that the profile may emit.
fn checked(ask: Ask, code: &str, line: &[u8], written: Written) -> Result<parse::Line, TestCaseError> {
    let shown = String::from_utf8_lossy(line);
    let parsed = parse::line(ask.head(), ask.body(), line).map_err(|e| TestCaseError::fail(format!("{e}: {shown}")))?;
    prop_assert_eq!(written.total, line.len(), "{}", shown);
    prop_assert!(written.header <= written.total, "{:?}", written);
    let known = known_keys(ask.format, code);
    for (key, value) in &parsed.pairs {
        prop_assert!(known.contains(key.as_str()), "the profile has no key {key}: {shown}");
        prop_assert!(!value.is_empty(), "{key} is empty: {shown}");
    }
    for (key, _) in parsed.pairs.iter().filter(|(k, _)| ask.format == Format::Cef && k.ends_with("Label")) {
        prop_assert!(parsed.get(key.trim_end_matches("Label")).is_some(), "{key} labels nothing: {shown}");
    }
    prop_assert_eq!(parsed.get("truncated").is_some(), written.truncated, "{}", shown);
    Ok(parsed)
}

/// The keys of a format: those of `formats/output/native.toml` (read here with nothing but `toml`), the names of the
/// layout for the values without a row, the marks, and what the format itself needs.
fn known_keys(format: Format, code: &str) -> BTreeSet<String> {
    static READ: OnceLock<toml::Table> = OnceLock::new();
    let native = READ.get_or_init(|| toml::from_str(include_str!("../formats/output/native.toml")).unwrap());
    let column = match format {
        Format::Syslog => "syslog",
        Format::Cef => "cef",
        Format::Leef | Format::Leef2 => "leef",
        Format::Json => "json",
    };
    let mut keys: BTreeSet<String> = ["truncated", "incomplete", "notime"].map(str::to_owned).into();
    for row in native["value"].as_array().unwrap() {
        let text = |key: &str| row.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let named = if format == Format::Json { text("json").or(text("name")) } else { text(column) };
        if let Some(key) = named {
            if text("cef_label").is_some() {
                keys.insert(format!("{key}Label"));
            }
            keys.insert(key);
        }
    }
    let own: &[&str] = match format {
        Format::Syslog => &[],
        // What is no address and no port stands under keys of its own.
        Format::Cef => &["c6a2", "c6a2Label", "c6a3", "c6a3Label", "shost", "dhost", "remotePort", "localPort"],
        Format::Leef | Format::Leef2 => &["cat", "sev", "remoteAddress", "localAddress", "remotePort", "localPort"],
        Format::Json => &["event_id", "title", "severity"],
    };
    keys.extend(own.iter().map(ToString::to_string));
    if format != Format::Cef {
        let names = tables().names.get(code).cloned().unwrap_or_else(|| vec!["text".into(), "data".into()]);
        // A layout name that is also a key of the profile has `field_` before it.
        for name in names.iter().flat_map(|n| [n.clone(), format!("field_{n}")]) {
            keys.insert(match format {
                Format::Syslog => short(&name),
                Format::Leef | Format::Leef2 => camel(&name),
                _ => name,
            });
        }
    }
    keys
}

/// The PARAM-NAME of a layout name: without `_`, at most 32 characters.
fn short(name: &str) -> String {
    name.replace('_', "").chars().take(32).collect()
}

/// The attribute key of a layout name.
fn camel(name: &str) -> String {
    let upper = |part: &str| part[..1].to_uppercase() + &part[1..];
    let mut parts = name.split('_');
    parts.next().unwrap().to_owned() + &parts.filter(|p| !p.is_empty()).map(upper).collect::<String>()
}

// --------------------------------------------------------------------------------------------------------- texts

/// A text, as bytes in a CCSID and as what those bytes mean.
#[derive(Clone, Debug)]
struct Text {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Text {
    /// Characters of a repertoire, as many as fit the room in whole.
    fn encoded(characters: &[char], ccsid: u16, room: usize) -> Text {
        let of = |count: usize| bytes_of(&characters[..count].iter().collect::<String>(), ccsid);
        // A character has a byte at least. More of them never take fewer bytes.
        let counts: Vec<usize> = (0..=characters.len().min(room)).collect();
        let count = counts.partition_point(|n| of(*n).len() <= room).saturating_sub(1);
        Text { bytes: of(count), pieces: characters[..count].iter().copied().map(Piece::Char).collect() }
    }

    /// Any bytes, and what the tables say of them.
    fn raw(bytes: &[u8], ccsid: u16, room: usize) -> Text {
        let bytes = bytes[..bytes.len().min(room)].to_vec();
        Text { pieces: pieces_of(&bytes, ccsid), bytes }
    }

    /// Behind a field: padding off. Nothing where the field says that it means nothing.
    fn padded(&self, ccsid: u16) -> Option<Text> {
        let end = self.bytes.iter().rposition(|b| *b != 0x40).map_or(0, |i| i + 1);
        let bytes = &self.bytes[..end];
        let nothing = bytes.iter().all(|b| *b == 0) || *bytes == ebcdic::plain("*N");
        let pieces = if end == self.bytes.len() { self.pieces.clone() } else { pieces_of(bytes, ccsid) };
        (!nothing && !pieces.is_empty()).then(|| Text { bytes: bytes.to_vec(), pieces })
    }

    /// What a receiver must read out of a line.
    fn received(&self, format: Format) -> String {
        if format == Format::Json {
            // JSON carries the value itself; what is no text is U+FFFD there.
            let whole = |p: &Piece| if let Piece::Char(c) = p { *c } else { char::REPLACEMENT_CHARACTER };
            return self.pieces.iter().map(whole).collect();
        }
        let text = ebcdic::printable(&self.pieces);
        match format {
            Format::Leef => text.replace('|', "_"),
            Format::Leef2 => text.replace(['|', '^'], "_"),
            _ => text,
        }
    }
}

/// The bytes of a text: single-byte sets by their table; for double-byte ones the program's encoder, which its own
/// tests hold against iconv.
fn bytes_of(text: &str, ccsid: u16) -> Vec<u8> {
    match ccsid {
        1200 | 13488 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        1208 => text.as_bytes().to_vec(),
        _ if job(ccsid).kind() == CharsetKind::SingleByte => {
            let table = ebcdic::table(ccsid);
            text.chars().map(|c| table.iter().position(|t| *t == c).expect("in the table") as u8).collect()
        }
        _ => job(ccsid).encode(text).expect("in the table"),
    }
}

fn pieces_of(bytes: &[u8], ccsid: u16) -> Vec<Piece> {
    let charset = job(ccsid);
    if charset.kind() == CharsetKind::SingleByte {
        return bytes.iter().map(|b| Piece::Char(ebcdic::table(ccsid)[usize::from(*b)])).collect();
    }
    let mut pieces = Vec::new();
    charset.decode(bytes, &mut |unit| {
        pieces.push(match unit {
            Unit::Char(c) => Piece::Char(c),
            Unit::Surrogate(s) => Piece::Code(s.into()),
            Unit::Byte(b) => Piece::Code(b.into()),
        });
    });
    pieces
}

/// A character of a CCSID from a number: mostly any of its set, often one that formats escape.
fn character(ccsid: u16, seed: u32) -> char {
    const HOSTILE: [char; 28] = [
        '=',
        '|',
        '\\',
        '"',
        ']',
        '[',
        '^',
        ' ',
        ' ',
        '\t',
        '\n',
        '\r',
        '\0',
        '\u{85}',
        '\u{7F}',
        '\u{2028}',
        '\u{2029}',
        ';',
        '*',
        'N',
        '\'',
        'x',
        '0',
        ':',
        '\u{202E}',
        '\u{200B}',
        '\u{FEFF}',
        '\u{E0041}',
    ];
    let (choice, rest) = (seed % 8, seed / 8);
    let in_set = |c: char| match ccsid {
        1200 | 13488 | 1208 => true,
        // Mixed sets cannot say the shifts, and say some characters in two ways.
        _ if job(ccsid).kind() == CharsetKind::Mixed => {
            job(ccsid).encode(&c.to_string()).is_some_and(|b| job(ccsid).decode_string(&b) == c.to_string())
        }
        _ => c != char::REPLACEMENT_CHARACTER && ebcdic::table(ccsid).contains(&c),
    };
    let hostile = HOSTILE[rest as usize % HOSTILE.len()];
    let any = match ccsid {
        1200 | 13488 | 1208 => char::from_u32(rest % 0x11_0000),
        _ if job(ccsid).kind() == CharsetKind::Mixed && choice > 4 => {
            let pair = [0x0E, 0x41 + (rest >> 8) as u8 % 0x60, 0x41 + rest as u8 % 0xBE, 0x0F];
            let text = job(ccsid).decode_string(&pair);
            text.chars().next().filter(|_| text.chars().count() == 1)
        }
        _ => Some(ebcdic::table(ccsid)[rest as usize % 256]),
    };
    let wanted = if choice < 3 { Some(hostile) } else { any };
    wanted.filter(|c| *c != char::REPLACEMENT_CHARACTER && in_set(*c)).unwrap_or('A')
}

/// What a text is made from; its CCSID and room are known only later.
#[derive(Clone)]
enum Source {
    Seeds(Vec<u32>),
    Bytes(Vec<u8>),
}

/// On one line: a command has some thousand numbers.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Source::Seeds(seeds) => format!("Seeds(vec!{seeds:?})"),
            Source::Bytes(bytes) => format!("Bytes(vec!{bytes:?})"),
        };
        f.write_str(&text)
    }
}

impl Source {
    fn text(&self, ccsid: u16, room: usize) -> Text {
        match self {
            Source::Seeds(seeds) => {
                let characters: Vec<char> = seeds.iter().map(|s| character(ccsid, *s)).collect();
                Text::encoded(&characters, ccsid, room)
            }
            Source::Bytes(bytes) => Text::raw(bytes, ccsid, room),
        }
    }
}

fn source(most: usize) -> impl Strategy<Value = Source> {
    prop_oneof![
        2 => vec(any::<u32>(), 0..most).prop_map(Source::Seeds),
        1 => vec(any::<u8>(), 0..most).prop_map(Source::Bytes),
    ]
}

fn any_ccsid() -> impl Strategy<Value = u16> {
    sample::select(SUPPORTED)
}

fn any_ask(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Ask> {
    let header = sample::select(vec![Header::Rfc5424, Header::Rfc3164, Header::None]);
    (sample::select(Format::ALL.to_vec()), header, any::<[bool; 3]>(), sizes).prop_map(
        |(format, header, [full, guesses, long_names], max_size)| Ask {
            format,
            header,
            full,
            guesses,
            max_size,
            long_names,
        },
    )
}

/// The texts of one entry that strangers write.
#[derive(Clone, Debug)]
struct Story {
    ccsid: u16,
    /// CCSID of the path; 0 and 65535 mean the job's.
    path_ccsid: u32,
    user: Source,
    job_user: Source,
    library: Source,
    object: Source,
    command: Source,
    path: Source,
}

fn story(command: usize) -> impl Strategy<Value = Story> {
    let path_ccsid = prop_oneof![
        3 => sample::select(vec![1200, 13488, 1208]),
        1 => sample::select(vec![0, 65535]),
        1 => any_ccsid().prop_map(u32::from),
    ];
    (any_ccsid(), path_ccsid, (source(12), source(12), source(12), source(12)), source(command), source(command))
        .prop_map(|(ccsid, path_ccsid, (user, job_user, library, object), command, path)| Story {
            ccsid,
            path_ccsid,
            user,
            job_user,
            library,
            object,
            command,
            path,
        })
}

/// The entry of a story, and what must come out under each key: `Err` holds what must not be there.
struct Told {
    record: Record,
    code: &'static str,
    user: Option<Text>,
    job_user: Option<Text>,
    library: Option<Text>,
    object: Option<Text>,
    command: Option<Text>,
    path: Option<Text>,
}

/// No entry type has both a command and a path: CD has the one, CO the other.
fn tell(s: &Story, code: &'static str) -> Told {
    let mut record = Record::new("type5", code);
    let name = |source: &Source| source.text(s.ccsid, 10);
    let (user, job_user, library, object) = (name(&s.user), name(&s.job_user), name(&s.library), name(&s.object));
    record.head("user_name", &user.bytes);
    record.head("job_user", &job_user.bytes);
    record.data("object_library", &library.bytes);
    record.data("object_name", &object.bytes);
    let (mut command, mut path) = (None, None);
    if code == "CD" {
        let text = s.command.text(s.ccsid, 6_000);
        record.data("command_string", &text.bytes);
        command = text.padded(s.ccsid);
    } else {
        let own = match s.path_ccsid {
            0 | 65535 => s.ccsid,
            n => u16::try_from(n).unwrap(),
        };
        let text = s.path.text(own, 5_000);
        record.number("path_name_ccsid", s.path_ccsid);
        record.number("path_name_length", u32::try_from(text.bytes.len()).unwrap());
        record.counted("path_name", &text.bytes);
        // A counted text has no padding; only all NULs and `*N` mean nothing.
        let nothing = text.bytes.iter().all(|b| *b == 0)
            || [&ebcdic::plain("*N")[..], b"*N", b"\0*\0N"].contains(&text.bytes.as_slice());
        path = (!nothing).then_some(text);
    }
    let pad = |t: Text| t.padded(s.ccsid);
    Told {
        record,
        code,
        user: pad(user),
        job_user: pad(job_user),
        library: pad(library),
        object: pad(object),
        command,
        path,
    }
}

impl Told {
    /// Key and value of each text in a format, `None` where there must be no such key.
    fn expected(&self, format: Format) -> Vec<(&'static str, Option<String>)> {
        let [user, job_user, object, command, path] = match format {
            Format::Syslog => ["user", "jobuser", "object", "command", "path"],
            Format::Cef => ["suser", "cs2", "cs1", "cs6", "filePath"],
            Format::Leef | Format::Leef2 => ["usrName", "jobUser", "objName", "command", "path"],
            Format::Json => ["effective_user", "job_user", "object", "command", "path"],
        };
        let text = |t: &Option<Text>| t.as_ref().map(|t| t.received(format));
        let qualified: Vec<String> = [text(&self.library), text(&self.object)].into_iter().flatten().collect();
        vec![
            (user, text(&self.user)),
            (job_user, text(&self.job_user)),
            (object, (!qualified.is_empty()).then(|| qualified.join("/"))),
            (command, text(&self.command)),
            (path, text(&self.path)),
        ]
    }
}

/// Half a surrogate pair in a text: JSON has no way to say it that every parser reads.
fn has_surrogate(t: &Option<Text>) -> bool {
    t.iter().flat_map(|t| &t.pieces).any(|p| matches!(p, Piece::Code(0xD800..=0xDFFF)))
}

// ----------------------------------------------------------------------------------------------------- properties

fn config(cases: u32) -> ProptestConfig {
    // No file beside the test: a failure prints the values, which become a test of their own.
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 1_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn any_text_comes_back_from_every_format_as_printable_makes_it(s in story(80), full: bool, header in 0..3usize) {
        for code in ["CD", "CO"] {
            let told = tell(&s, code);
            for format in Format::ALL {
                if format == Format::Json && has_surrogate(&told.path) {
                    continue; // has a test of its own
                }
                let header = [Header::Rfc5424, Header::Rfc3164, Header::None][header];
                let ask = Ask { full, header, ..Ask::plain(format) };
                let (line, written) = encode(ask, HeadingKind::Type5, s.ccsid, told.record.bytes());
                let parsed = checked(ask, told.code, &line, written)?;
                prop_assert!(!written.truncated);
                for (key, value) in told.expected(format) {
                    prop_assert_eq!(parsed.get(key), value.as_deref(), "{} in {}", key, String::from_utf8_lossy(&line));
                }
            }
        }
    }

    #[test]
    fn a_line_keeps_to_its_size_and_names_what_it_lost(
        s in story(5_900),
        ask in any_ask(480..8_192),
        code in sample::select(vec!["CD", "CO"]),
    ) {
        let told = tell(&s, code);
        if ask.format == Format::Json && has_surrogate(&told.path) {
            return Ok(());
        }
        let (line, written) = encode(ask, HeadingKind::Type5, s.ccsid, told.record.bytes());
        let parsed = checked(ask, told.code, &line, written)?;
        prop_assert!(
            line.len() <= ask.max_size, "{} bytes of {}: {}", line.len(), ask.max_size, String::from_utf8_lossy(&line)
        );
        let lost: Vec<&str> = parsed.get("truncated").map_or(Vec::new(), |t| t.split(',').collect());
        prop_assert_eq!(written.truncated, !lost.is_empty());
        for (key, value) in told.expected(ask.format) {
            let got = parsed.get(key);
            if got == value.as_deref() {
                continue;
            }
            let begins = got.is_none_or(|got| value.as_deref().unwrap_or("").starts_with(got));
            prop_assert!(begins, "{key} is {got:?}, which does not begin {value:?}");
            // CEF names a custom key by its label, which went with it.
            let label = match key {
                "cs1" => "objName",
                "cs2" => "jobUser",
                "cs6" => "command",
                key => key,
            };
            prop_assert!(lost.contains(&label) || lost.contains(&"..."), "{key} went without a word: {lost:?}");
        }
    }

    #[test]
    fn an_entry_that_no_table_knows_is_one_line_too(
        ccsid in any_ccsid(),
        ask in any_ask(480..8_192),
        journal_code in sample::select(vec!["T", "J", "U", "A"]),
        code in any::<[u8; 2]>(),
        data in vec(any::<u8>(), 0..3_000),
    ) {
        let mut record = Record::new("type5", "ZZ").bytes().to_vec();
        record[25] = ebcdic::plain(journal_code)[0];
        record[26..28].copy_from_slice(&code);
        record[607..609].copy_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        record[..5].copy_from_slice(&ebcdic::plain(&format!("{:05}", 609 + data.len())));
        record.extend(&data);
        let known = HeadingKind::Type5;
        let codes: Vec<&str> = catalog().codes().collect();
        let text: String = code.iter().map(|b| ebcdic::table(37)[usize::from(*b)]).collect();
        prop_assume!(!codes.contains(&text.as_str()));
        let (line, written) = encode(ask, known, ccsid, &record);
        checked(ask, "ZZ", &line, written)?;
        prop_assert!(
            line.len() <= ask.max_size, "{} bytes of {}: {}", line.len(), ask.max_size, String::from_utf8_lossy(&line)
        );
    }

    #[test]
    fn every_entry_of_any_bytes_is_one_line_within_its_size(
        code in sample::select(tables().types.keys().cloned().collect::<Vec<_>>()),
        ccsid in any_ccsid(),
        ask in any_ask(480..8_192),
        mess in mess(),
    ) {
        for heading in ["type5", "type3", "type1"] {
            let record = mess.of(Record::new(heading, &code).bytes());
            let kind = kind_of(heading);
            if Entry::new(catalog().heading(kind).unwrap(), &record).is_err() {
                continue;
            }
            let (line, written) = encode(ask, kind, ccsid, &record);
            if ask.format == Format::Json && std::str::from_utf8(&line).is_ok_and(|l| l.contains("\\ud")) {
                continue; // half a surrogate pair: has a test of its own
            }
            // The mess may have hit the journal code or the type.
            let type_at = tables().headings[heading].1.iter().find(|f| f.name == "journal_code").unwrap().at;
            let same = record[type_at..type_at + 3] == [&ebcdic::plain("T")[..], &ebcdic::plain(&code)].concat();
            if same {
                checked(ask, &code, &line, written)?;
            } else {
                parse::line(ask.head(), ask.body(), &line).map_err(TestCaseError::fail)?;
            }
            prop_assert!(
                line.len() <= ask.max_size, "{} bytes of {}: {}", line.len(), ask.max_size, String::from_utf8_lossy(&line)
            );
        }
    }
}

/// Ways to spoil a record: bytes written over it, its front cut, garbage behind it.
#[derive(Clone, Debug)]
struct Mess {
    fill: Vec<u8>,
    spots: Vec<(u16, Vec<u8>)>,
    keep: Option<u16>,
    more: Vec<u8>,
    /// Leave the lengths, the sequence number and the code as they were, so that it stays an entry.
    gentle: bool,
}

fn mess() -> impl Strategy<Value = Mess> {
    let spots = vec((any::<u16>(), vec(any::<u8>(), 1..40)), 0..12);
    (vec(any::<u8>(), 1..64), spots, any::<Option<u16>>(), vec(any::<u8>(), 0..20), proptest::bool::weighted(0.8))
        .prop_map(|(fill, spots, keep, more, gentle)| Mess { fill, spots, keep, more, gentle })
}

impl Mess {
    fn of(&self, whole: &[u8]) -> Vec<u8> {
        let front = 35.min(whole.len());
        let mut record = whole.to_vec();
        let length = record.len();
        // The first byte of `fill` decides whether all of the record is filled with the others.
        if let [0..=100, fill @ ..] = self.fill.as_slice()
            && !fill.is_empty()
        {
            for (b, f) in record.iter_mut().zip(fill.iter().cycle()).skip(front) {
                *b = *f;
            }
        }
        for (at, bytes) in &self.spots {
            for (i, b) in bytes.iter().enumerate() {
                record[(usize::from(*at) + i) % length] = *b;
            }
        }
        if self.gentle {
            record[..front].copy_from_slice(&whole[..front]);
        }
        if let Some(keep) = self.keep {
            record.truncate(usize::from(keep) % (length + 1));
        }
        record.extend(&self.more);
        record
    }
}

/// Decodes in every way that `decode` knows: the JSON must be JSON, the text for people must not move their cursor.
fn decode_all_ways(heading: &Heading, ccsid: u16, record: &[u8]) -> Result<(), TestCaseError> {
    let Ok(entry) = Entry::new(heading, record) else { return Ok(()) };
    let code: String = entry.entry_type().iter().map(|b| ebcdic::table(37)[usize::from(*b)]).collect();
    let known = catalog().layout(&code).map(|l| &**l);
    for layout in [known, None] {
        let mut out = Vec::new();
        pretty::put_entry(&entry, layout, catalog().levels(), job(ccsid), 7, &mut out);
        let text = std::str::from_utf8(&out).expect("UTF-8");
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        for expand in [false, true] {
            let mut out = Vec::new();
            entry_json::put_entry(&entry, layout, job(ccsid), expand, &mut out);
            let text = String::from_utf8(out).expect("UTF-8");
            prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            if text.contains("\\ud") {
                continue; // half a surrogate pair: has a test of its own
            }
            let pairs = parse::json(&text).map_err(TestCaseError::fail)?;
            let keys: Vec<&str> = pairs.iter().map(|(k, _)| k.as_str()).collect();
            prop_assert!(["header", if layout.is_some() { "fields" } else { "data" }] == keys[..2], "{keys:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn decode_never_panics_whatever_the_bytes(
        heading in 0..5usize,
        code in sample::select(tables().types.keys().cloned().collect::<Vec<_>>()),
        ccsid in any_ccsid(),
        mess in mess(),
        noise in vec(any::<u8>(), 0..1_000),
    ) {
        let heading = &headings()[heading];
        decode_all_ways(heading, ccsid, &noise)?;
        let key = ["type1", "type2", "type3", "type4", "type5"].into_iter().find(|k| *k == heading.kind.key()).unwrap();
        decode_all_ways(heading, ccsid, &mess.of(Record::new(key, &code).bytes()))?;
        decode_all_ways(heading, ccsid, &mess.of(filled(key, &code).bytes()))?;
    }

    #[test]
    fn detect_never_panics_whatever_the_bytes_and_the_options(
        noise in vec(any::<u8>(), 0..4_000),
        records in vec((0..5usize, mess()), 0..5),
        stream: Option<bool>,
        kind in proptest::option::of(0..5usize),
        record_length in proptest::option::of(prop_oneof![0..3_000usize, Just(usize::MAX), Just(usize::MAX / 2)]),
        whole: bool,
        clean: bool,
    ) {
        let wanted = Wanted { kind: kind.map(|k| HeadingKind::ALL[k]), stream, record_length, ..Wanted::default() };
        let mut capture = Vec::new();
        for (heading, mess) in &records {
            let key = ["type1", "type2", "type3", "type4", "type5"][*heading];
            let whole = Record::new(key, "CD");
            let record = if clean { whole.bytes().to_vec() } else { mess.of(whole.bytes()) };
            if stream == Some(true) {
                capture.extend(u32::try_from(record.len()).unwrap().to_be_bytes());
            }
            capture.extend(&record);
        }
        for sample in [&noise, &capture] {
            match detect::detect(&headings(), wanted, sample, whole) {
                Ok(found) => {
                    prop_assert!(wanted.kind.is_none_or(|k| k == found.heading.kind));
                    prop_assert!(wanted.stream.is_none_or(|s| s == (found.framing == Framing::Stream)));
                    if let Framing::Fixed(n) = found.framing {
                        prop_assert!(n >= found.heading.length, "records of {n} bytes hold no heading");
                        prop_assert!(wanted.record_length.is_none_or(|w| w == n));
                    }
                }
                Err(e) => prop_assert!(!e.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn splitting_spends_every_byte_once_whatever_the_pieces(
        bytes in vec(prop_oneof![3 => 0..4u8, 1 => any::<u8>()], 0..300),
        pieces in vec(1..9usize, 1..20),
        length in proptest::option::of(1..40usize),
    ) {
        let framing = length.map_or(Framing::Stream, Framing::Fixed);
        let prefix = if length.is_some() { 0 } else { 4 };
        let (mut at, mut end, mut turn) = (0, 0, pieces.iter().cycle());
        let mut spent = Vec::new();
        loop {
            let ended = end == bytes.len();
            match record::split(framing, &bytes[at..end], ended) {
                Split::Record { bytes: record, used } => {
                    prop_assert_eq!(used, record.len() + prefix);
                    prop_assert_eq!(record, &bytes[at + prefix..at + used]);
                    spent.push(record.len());
                    at += used;
                }
                Split::Need(n) => {
                    prop_assert!(!ended && n > end - at, "asks for {} of {} bytes", n, end - at);
                    end = (end + turn.next().unwrap()).min(bytes.len());
                }
                Split::End => {
                    prop_assert!(ended && at == bytes.len());
                    break;
                }
                Split::Cut(rest) => {
                    prop_assert!(ended && bytes[at..].ends_with(rest) && rest.len() + prefix >= bytes.len() - at);
                    break;
                }
                Split::BadLength(n) => {
                    prop_assert!(n == 0 || n as usize > record::MAX_RECORD);
                    prop_assert_eq!(&bytes[at..at + 4], n.to_be_bytes());
                    break;
                }
            }
        }
        // The same at one go.
        let mut rest = &bytes[..];
        for n in spent {
            match record::split(framing, rest, true) {
                Split::Record { bytes: record, used } => {
                    prop_assert_eq!(record.len(), n);
                    rest = &rest[used..];
                }
                other => prop_assert!(false, "{:?} where a record of {} bytes came in pieces", other, n),
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------------ captures

/// A reader that gives its bytes in pieces.
struct Pieces {
    bytes: Arc<Vec<u8>>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        let size = self.sizes[self.turn % self.sizes.len()];
        if size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = size.min(to.len()).min(self.bytes.len() - self.at);
        to[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// The records of a capture with their offsets: `true` for whole ones; and the error at its end.
type Records = (Vec<(bool, Vec<u8>, u64)>, Option<String>);

fn records(bytes: &Arc<Vec<u8>>, sizes: Vec<usize>, wanted: Wanted) -> Records {
    let reader = Pieces { bytes: bytes.clone(), at: 0, sizes, turn: 0 };
    let mut found = Vec::new();
    let mut capture = match Capture::new("test".into(), Box::new(reader), None, &headings(), wanted) {
        Ok(capture) => capture,
        Err(e) => return (found, Some(e.to_string())),
    };
    loop {
        match capture.next() {
            Ok(Some(Item::Record(r, at))) => match placeholder::bytes(r) {
                // Damaged bytes, the length before the first record among them.
                Some(bytes) => {
                    let prefix = if wanted.stream == Some(true) { 4 } else { 0 };
                    found.push((false, bytes[prefix.min(bytes.len())..].to_vec(), at));
                }
                None => found.push((true, r.to_vec(), at)),
            },
            Ok(Some(Item::Cut(r, at))) => found.push((false, r.to_vec(), at)),
            Ok(None) => return (found, None),
            Err(e) => return (found, Some(e.to_string())),
        }
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn a_capture_read_in_pieces_has_the_records_of_one_read_at_once(
        stream: bool,
        // Above and below one MiB, the front that is read to find the heading.
        count in prop_oneof![2 => 1..40usize, 1 => 700..900usize],
        cut in 0..1_500usize,
        bad_at in proptest::option::weighted(0.3, 0..900usize),
        sizes in prop_oneof![
            vec(0..3usize, 2..4), vec(1..5_000usize, 1..8), vec(prop_oneof![Just(1usize), 100_000..300_000usize], 2..5)
        ],
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for n in 0..count {
            let mut record = Record::new("type5", "CD");
            record.sequence(n as u64 + 1);
            record.cut(891);
            if stream {
                if bad_at == Some(n) && n > 0 {
                    bytes.extend([0xFF; 4]);
                    break;
                }
                bytes.extend(1_500u32.to_be_bytes());
            }
            expected.push((true, record.bytes().to_vec(), bytes.len() as u64));
            bytes.extend(record.bytes());
        }
        if bytes.len() > cut && expected.len() == count && count > 1 {
            bytes.truncate(bytes.len() - cut);
        }
        let mut sizes = sizes;
        sizes.push(7); // a reader that only ever interrupts never ends
        let bytes = Arc::new(bytes);
        let wanted = Wanted {
            kind: Some(HeadingKind::Type5),
            stream: Some(stream),
            record_length: (!stream).then_some(1_500),
            ..Wanted::default()
        };
        let whole = records(&bytes, vec![usize::MAX], wanted);
        let pieces = records(&bytes, sizes, wanted);
        prop_assert!(whole == pieces, "{} records at once, {} in pieces", whole.0.len(), pieces.0.len());
        let found: Vec<_> = whole.0.iter().filter(|r| r.0).cloned().collect();
        prop_assert!(expected.starts_with(&found), "records differ from those written");
        let used: usize = whole.0.iter().map(|r| r.1.len() + if stream { 4 } else { 0 }).sum();
        prop_assert!(whole.1.is_some() || used == bytes.len() || stream && used > bytes.len() - 4);
    }
}

// ------------------------------------------------------------------------------------------------------ examples

#[test]
fn printable_is_the_one_of_the_design() {
    for code in (0..0x3000u32).chain(0xD700..0xE100).chain(0x1F500..0x1F600) {
        let Some(c) = char::from_u32(code) else { continue };
        assert_eq!(escape::printable(&c.to_string()), ebcdic::printable(&[Piece::Char(c)]), "{code:x}");
    }
}

#[test]
fn a_line_with_every_field_of_a_type_has_no_key_twice() {
    let mut wrong = Vec::new();
    for code in tables().types.keys() {
        let record = filled("type5", code);
        for format in Format::ALL {
            for header in [Header::Rfc5424, Header::Rfc3164, Header::None] {
                for (full, guesses) in [(true, true), (true, false), (false, false)] {
                    let ask = Ask { full, guesses, header, ..Ask::plain(format) };
                    let (line, written) = encode(ask, HeadingKind::Type5, 37, record.bytes());
                    assert!(!written.truncated);
                    if let Err(e) = checked(ask, code, &line, written) {
                        wrong.push(format!("{code}, {ask:?}: {e}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} lines are wrong; {}", wrong.len(), wrong.iter().take(3).cloned().collect::<String>());
}

#[test]
fn with_every_detail_a_line_carries_every_field_that_is_not_blank() {
    let omitted = ["file_id", "ccsid", "_length", "country_id", "language_id", "asp_name", "asp_number", "asp_device"];
    for (code, fields) in &tables().types {
        let record = filled("type5", code);
        for format in Format::ALL {
            let ask = Ask { full: true, guesses: true, header: Header::None, ..Ask::plain(format) };
            let (line, _) = encode(ask, HeadingKind::Type5, 37, record.bytes());
            let line = String::from_utf8(line).unwrap();
            for f in fields {
                let plain = !f.reserved
                    && !f.flag
                    && f.kind == "char"
                    && f.length >= 6
                    && f.codes.is_empty()
                    && f.ccsid_field.is_none();
                if !plain || omitted.iter().any(|o| f.name.ends_with(o)) {
                    continue;
                }
                let word: String =
                    format!("V{}", f.name).to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
                let value: String = word.chars().cycle().take(f.length).collect();
                // A second address or port says something only where the first is missing; access data is shown in parts.
                let replaced =
                    f.name.contains("address") || f.name.contains("port") || f.name == "access_specific_data";
                assert!(line.contains(&value) || replaced, "{format:?}: {code}.{} is not in {line}", f.name);
            }
        }
    }
}

#[test]
fn a_line_that_was_cut_names_what_it_lost_by_the_keys_of_its_format() {
    let mut record = filled("type5", "CD");
    record.data("command_string", &ebcdic::plain(&"CALL ".repeat(1_200)));
    for format in Format::ALL {
        let ask = Ask { max_size: 480, full: true, ..Ask::plain(format) };
        let (line, written) = encode(ask, HeadingKind::Type5, 37, record.bytes());
        let parsed = checked(ask, "CD", &line, written).unwrap();
        let (uncut, _) = encode(Ask { max_size: 1_000_000, ..ask }, HeadingKind::Type5, 37, record.bytes());
        let uncut = parse::line(ask.head(), ask.body(), &uncut).unwrap();
        let values = |k: &str| uncut.pairs.iter().any(|(_, label)| format == Format::Cef && label.contains(k));
        for name in parsed.get("truncated").expect("a mark").split(',').filter(|n| *n != "...") {
            let known = uncut.get(name).is_some() || values(name);
            assert!(known, "{format:?}: {name} is no key of the uncut line: {}", String::from_utf8_lossy(&line));
        }
    }
}

#[test]
fn a_text_of_nothing_but_shifts_is_left_out_with_its_key() {
    // Shift-out and shift-in, in a mixed CCSID: bytes, but no character.
    for shifts in [&[0x0E, 0x0F, 0x0E, 0x0F][..], &[0x0F], &[0x0E]] {
        let mut record = Record::new("type5", "CD");
        record.data("object_name", shifts);
        record.data("object_type", shifts);
        record.data("command_string", shifts);
        record.head("user_name", shifts);
        for format in Format::ALL {
            let ask = Ask::plain(format);
            let (line, written) = encode(ask, HeadingKind::Type5, 939, record.bytes());
            checked(ask, "CD", &line, written).unwrap_or_else(|e| panic!("{format:?}: {shifts:02x?}: {e}"));
        }
    }
}

#[test]
fn an_entry_type_cannot_move_the_cursor_of_the_person_who_reads_it() {
    // X'27' is ESC.
    let mut record = Record::new("type5", "CD");
    record.head("journal_entry_type", &[0x27, 0x0D]);
    decode_all_ways(catalog().heading(HeadingKind::Type5).unwrap(), 37, record.bytes()).unwrap();
}

#[test]
fn half_a_surrogate_pair_is_json_that_every_parser_reads() {
    let mut record = Record::new("type5", "CO");
    let path = [0x00, 0x2F, 0xD8, 0x00, 0x00, 0x61];
    record.number("path_name_ccsid", 1200);
    record.number("path_name_length", 6);
    record.counted("path_name", &path);
    let (line, _) = encode(Ask::plain(Format::Json), HeadingKind::Type5, 37, record.bytes());
    parse::line(Head::Nothing, Body::Json, &line).unwrap();

    let heading = catalog().heading(HeadingKind::Type5).unwrap();
    let entry = Entry::new(heading, record.bytes()).unwrap();
    let mut out = Vec::new();
    entry_json::put_entry(&entry, catalog().layout("CO").map(|l| &**l), job(37), false, &mut out);
    parse::json(std::str::from_utf8(&out).unwrap()).unwrap();
}
