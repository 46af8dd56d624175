//! `profile`: lines as another product writes them, from a table that comes with the program (`formats/dialects`) or a file of the user.
//! `docs/PROFILES.md` says what is in one.
use std::{collections::BTreeSet, io, path::Path};

use toml::de::DeValue;

use super::{
    Problem,
    files::LONGEST,
    line::header_text,
    read::{Placed, Reader, Section, kind},
};
use crate::{
    decode::journal::Catalog,
    encode::{
        Dialect, Header, Profile,
        dialect::{CONSTANTS, EventRow, Form, FormKind, KeyRow, THROUGH, TIMES, Template},
        keys,
    },
    files::read_regular,
    filter::types::distance,
};

/// Those that come with the program: name and text.
const SHIPPED: [(&str, &str); 4] = [
    ("ibm", include_str!("../../formats/dialects/ibm.toml")),
    ("logagent", include_str!("../../formats/dialects/logagent.toml")),
    ("powertech", include_str!("../../formats/dialects/powertech.toml")),
    ("powertech-interact", include_str!("../../formats/dialects/powertech-interact.toml")),
];

/// The agent's own lines.
pub const NATIVE: &str = "native";

/// CEF's words for a severity.
const WORDS: [&str; 4] = ["Low", "Medium", "High", "Very-High"];

/// The profile of a name, or in a file beside the configuration; `None` for the agent's own lines. What is wrong, of the name or
/// within the file, is told with its place.
pub fn dialect(name: &str, folder: &Path, catalog: &Catalog) -> Result<Option<Dialect>, Vec<Problem>> {
    let told = |text: String| vec![Problem::error(None, text)];
    let is_file = name.contains(['/', '\\']) || name.ends_with(".toml");
    let read;
    let (file, text) = match SHIPPED.iter().find(|(n, _)| *n == name) {
        Some((_, text)) => (format!("formats/dialects/{name}.toml"), *text),
        None if name == NATIVE => return Ok(None),
        None if is_file => {
            let path = folder.join(name);
            let bytes = read_regular(&path, LONGEST);
            read = bytes
                .and_then(|b| String::from_utf8(b).map_err(io::Error::other))
                .map_err(|e| told(format!("cannot read the profile {}: {e}", path.display())))?;
            (path.display().to_string(), read.as_str())
        }
        None => {
            let names: Vec<&str> = [NATIVE].into_iter().chain(SHIPPED.iter().map(|(n, _)| *n)).collect();
            let names = names.join(", ");
            return Err(told(format!(
                "{name:?} is no profile: known are {names}; your own file is written as a path, such as \"./mine.toml\""
            )));
        }
    };
    let mut r = Reader::new([(file.as_str(), text)]);
    let table = r.parse();
    let mut s = Section::new(&table, "");
    let dialect = Dialect { name: name.to_owned(), ..whole(&mut s, catalog, &mut r) };
    s.finish(&mut r);
    if dialect.forms.is_empty() && r.problems.is_empty() {
        r.problems
            .push(Problem::error(None, format!("{file}: a profile has one of the tables [cef], [leef] and [syslog]")));
    }
    if r.problems.is_empty() { Ok(Some(dialect)) } else { Err(r.problems) }
}

fn whole(s: &mut Section<'_>, catalog: &Catalog, r: &mut Reader<'_>) -> Dialect {
    s.string("about", r);
    let words = words(s, r);
    let known = Known { names: names(catalog), catalog, words: words.iter().map(|(name, _)| name.clone()).collect() };
    let mut forms = Vec::new();
    for kind in [FormKind::Cef, FormKind::Leef, FormKind::Syslog] {
        if s.has(kind.table()) {
            forms.push((kind, form(s, kind, &known, r)));
        } else {
            // Known here, whether it is there or not.
            drop(s.table(kind.table(), r));
        }
    }
    Dialect { name: String::new(), forms, events: events(s, &known, r), words }
}

/// What templates may name.
struct Known<'a> {
    names: BTreeSet<String>,
    words: Vec<String>,
    catalog: &'a Catalog,
}

/// The names of all values that an event can have.
fn names(catalog: &Catalog) -> BTreeSet<String> {
    let native = Profile::native().map(|p| p.values).unwrap_or_default();
    let model = native.into_iter().map(|row| row.name).filter(|n| n != "*" && n != "reason");
    let more = ["job_name", "data"].map(str::to_owned);
    let layouts = catalog.codes().filter_map(|code| catalog.layout(code)).chain([catalog.history()]);
    let of_layouts = layouts.flat_map(|l| keys::names(l).map(str::to_owned));
    CONSTANTS.map(str::to_owned).into_iter().chain(model).chain(more).chain(of_layouts).collect()
}

impl Known<'_> {
    /// A template, each value of which there is somewhere.
    fn template(&self, Placed { value, place }: Placed<String>, key: &str, r: &mut Reader<'_>) -> Option<Template> {
        let template = match Template::parse(&value) {
            Ok(template) => template,
            Err(e) => {
                r.error(place, format!("{key} = {value:?}: {e}"));
                return None;
            }
        };
        for (name, through) in template.values() {
            if !self.names.contains(name) {
                let nearest = self.names.iter().min_by_key(|known| distance(name, known)).map_or("", |n| n);
                r.error(place, format!("{key} = {value:?}: there is no value {name:?}; did you mean {nearest}? docs/PROFILES.md has all"));
                return None;
            }
            let Some(through) = through else { continue };
            let is_time = TIMES.contains(&through);
            if !THROUGH.contains(&through) && !self.words.iter().any(|w| w == through) {
                r.error(place, format!(
                    "{key} = {value:?}: {through:?} is no part of a value ({}), and there is no table [words.{through}]",
                    THROUGH.join(", ")
                ));
                return None;
            }
            let is_constant = CONSTANTS.contains(&name) && THROUGH.contains(&through);
            if is_time && name != "time" || is_constant {
                r.error(place, format!("{key} = {value:?}: {through:?} cannot be taken of {name}"));
                return None;
            }
        }
        Some(template)
    }

    /// A template of constants only: what an entry holds is not known yet where it stands.
    fn constant(&self, text: Placed<String>, key: &str, r: &mut Reader<'_>) -> Option<Template> {
        let place = text.place.clone();
        let template = self.template(text, key, r)?;
        let other = template.values().find(|(name, _)| !CONSTANTS.contains(name)).map(|(name, _)| name.to_owned());
        if let Some(name) = other {
            r.error(
                place,
                format!("{key}: {{{name}}} differs from entry to entry: expected text and {}", CONSTANTS.join(", ")),
            );
            return None;
        }
        Some(template)
    }

    /// An entry type, `*AUDIT`, `QHST`.
    fn has_type(&self, name: &str) -> bool {
        self.catalog.has(name) || matches!(name, "*AUDIT" | crate::decode::history::CATEGORY)
    }
}

fn form(s: &mut Section<'_>, kind: FormKind, known: &Known<'_>, r: &mut Reader<'_>) -> Form {
    let at = s.place_of(kind.table(), r).unwrap_or_else(|| r.place(0..0));
    let mut t = s.table(kind.table(), r);
    let own = |key: &str| format!("{}.{key}", kind.table());
    let names = kind != FormKind::Syslog;
    let required = |key: &'static str, t: &mut Section<'_>, r: &mut Reader<'_>| {
        if names && !t.has(key) {
            r.error(at.clone(), format!("{} is missing", own(key)));
        }
        if names { header_text(t, key, r).unwrap_or_default() } else { String::new() }
    };
    let (vendor, product) = (required("vendor", &mut t, r), required("product", &mut t, r));
    let version = if names { header_text(&mut t, "version", r) } else { None };
    let constant = |key: &'static str, usual: &str, t: &mut Section<'_>, r: &mut Reader<'_>| {
        let said = t.string(key, r).and_then(|text| known.constant(text, &own(key), r));
        said.or_else(|| Template::parse(usual).ok()).unwrap_or_default()
    };
    let event_id = constant("event_id", "{event_id}", &mut t, r);
    let sd_id = if names { Template::default() } else { constant("sd_id", "", &mut t, r) };
    let mut name = Template::parse("{title}").unwrap_or_default();
    let mut severity_words = false;
    if kind == FormKind::Cef {
        let said = t.string("name", r).and_then(|text| known.template(text, &own("name"), r));
        name = said.unwrap_or(name);
        severity_words = t.choice("severity", &[("numbers", false), ("words", true)], r).unwrap_or(false);
    }
    let header = t.choice("header", &[Header::Rfc5424, Header::Rfc3164, Header::None].map(|h| (h.key(), h)), r);
    let facility = t.integer("facility", 0..24, r).and_then(|n| u8::try_from(n).ok());
    let app_name = header_text(&mut t, "app_name", r);
    let keys = t.tables("key", r).into_iter().filter_map(|row| key_row(row, kind, known, r)).collect();
    t.finish(r);
    Form { vendor, product, version, event_id, name, severity_words, header, facility, app_name, sd_id, keys }
}

fn key_row(
    Placed { value: mut t, place }: Placed<Section<'_>>,
    kind: FormKind,
    known: &Known<'_>,
    r: &mut Reader<'_>,
) -> Option<KeyRow> {
    let of = format!("{}.key", kind.table());
    let key = t.string("key", r);
    let value = t.string("value", r).map(|text| known.template(text, &format!("{of}.value"), r));
    let label = if kind == FormKind::Cef { t.string("label", r) } else { None };
    let types = t.strings("types", r);
    let blank = t.boolean("blank", r).is_some_and(|b| b.value);
    for missing in ["key", "value"].into_iter().filter(|key| !t.has(key)) {
        r.error(place.clone(), format!("{of}.{missing} is missing"));
    }
    t.finish(r);
    let key = key?;
    let most = if kind == FormKind::Syslog { 32 } else { 63 };
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if key.value.is_empty() || key.value.len() > most || !key.value.bytes().all(legal) {
        r.error(key.place, format!("{of}.key = {:?}: expected 1 to {most} letters, digits and _ . -", key.value));
        return None;
    }
    let mut all = Vec::new();
    for Placed { value, place } in types.into_iter().flat_map(|l| l.value) {
        if !known.has_type(&value) {
            r.error(
                place,
                format!("{of}.types: {value:?}: expected entry types such as \"PW\", \"*AUDIT\" or \"QHST\""),
            );
        }
        all.push(value);
    }
    let label = label.map(|l| l.value).filter(|l| !l.is_empty());
    Some(KeyRow { key: key.value, label, value: value.flatten()?, types: all, blank })
}

fn events(s: &mut Section<'_>, known: &Known<'_>, r: &mut Reader<'_>) -> Vec<EventRow> {
    let mut found: Vec<EventRow> = Vec::new();
    for Placed { value: mut t, place } in s.tables("event", r) {
        let id = t.string("id", r);
        let event_id = t.string("event_id", r).and_then(|text| known.constant(text, "event.event_id", r));
        let name = t.string("name", r).and_then(|text| known.template(text, "event.name", r));
        let (title, meaning) = (t.string("title", r).map(|t| t.value), t.string("meaning", r).map(|t| t.value));
        let severity = severity(&mut t, r);
        let syslog_severity = t.integer("syslog_severity", 0..8, r).and_then(|n| u8::try_from(n).ok());
        t.finish(r);
        let Some(Placed { value: id, place: at }) = id else {
            r.error(
                place,
                "event.id is missing: an event id (\"AF-A\"), an entry type (\"AF\"), a message id or \"QHST\"",
            );
            continue;
        };
        let code = id.split('-').next().unwrap_or("");
        let is_message = crate::decode::history::messages::is_message_id(&id);
        if !is_message && (code.starts_with('*') || !known.has_type(code)) {
            r.error(at, format!("event.id = {id:?}: expected an event id (\"AF-A\"), an entry type (\"AF\"), a message id or \"QHST\""));
        } else if found.iter().any(|row| row.id == id) {
            r.error(at, format!("event.id = {id:?}: there is a table of this id already"));
        } else {
            found.push(EventRow { id, event_id, name, title, meaning, severity, syslog_severity });
        }
    }
    found
}

/// CEF's severity of an event, a number or one of its words, in quotes.
fn severity(t: &mut Section<'_>, r: &mut Reader<'_>) -> Option<String> {
    let Placed { value, place } = t.string("severity", r)?;
    let is_number = value.parse::<u8>().is_ok_and(|n| n <= 10);
    if !is_number && !WORDS.contains(&value.as_str()) {
        r.error(place, format!("event.severity = {value:?}: expected \"0\" to \"10\", or one of {}", WORDS.join(", ")));
        return None;
    }
    Some(value)
}

/// `[words.NAME]`: a word for each value.
fn words(s: &mut Section<'_>, r: &mut Reader<'_>) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    for (Placed { value: name, place }, table) in s.table("words", r).entries(r) {
        let DeValue::Table(table) = table.get_ref() else {
            r.error(place, format!("words.{name}: expected a table, got {}", kind(table.get_ref())));
            continue;
        };
        if THROUGH.contains(&name.as_str()) {
            r.error(place, format!("words.{name}: this name stands for a part of a value: take another"));
            continue;
        }
        let mut words = Vec::new();
        for (Placed { value: of, place }, word) in Section::new(table, &format!("words.{name}")).entries(r) {
            match word.get_ref() {
                DeValue::String(word) => words.push((of, word.to_string())),
                other => r.error(place, format!("words.{name}.{of}: expected a text in quotes, got {}", kind(other))),
            }
        }
        found.push((name, words));
    }
    found
}
