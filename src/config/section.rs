//! A table of the configuration, asked key by key: each wrong value is written down and the reading goes on.
//!
//! The known keys of a table are those that were asked for: [`Section::finish`] reports the others with the nearest.
use std::{ops::Range, path::PathBuf, time::Duration};

use toml::{
    Spanned, Value,
    de::{DeTable, DeValue},
};

use super::{
    read::{Placed, Reader, integer, kind, wrong_path},
    shown::Source,
};
use crate::{
    encode::escape::is_hidden,
    filter::{ConfigLocation, types::distance},
    net::tls::pem::Pem,
};

/// Keys of the agent as a whole, which belong above the first table.
const TOP: [&str; 3] = ["state_dir", "stop_timeout", "heartbeat"];

/// The longest name, in bytes.
const NAME: usize = 100;

/// A table of the file.
pub struct Section<'t> {
    table: Option<&'t DeTable<'t>>,
    path: String,
    /// The same, with the number of each table that may be there more than once.
    address: String,
    known_keys: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The table as a section; `path` is how errors name it, empty for the whole file.
    pub fn new(table: &'t DeTable<'t>, path: &str) -> Section<'t> {
        Section { table: Some(table), path: path.to_owned(), address: path.to_owned(), known_keys: Vec::new() }
    }

    /// The full name of a key.
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The address of a table within.
    fn at(&self, key: &str) -> String {
        if self.address.is_empty() { key.to_owned() } else { format!("{}.{key}", self.address) }
    }

    fn find(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known_keys.push(key);
        self.table?.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    /// The value of a key, of which note is taken.
    fn get(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = self.find(key);
        r.note(&self.address, key, value);
        value
    }

    /// Says what counts where the key is not given.
    pub fn usual(&self, key: &str, value: impl Into<Value>, r: &mut Reader<'_>) {
        if r.shown.is_some() {
            r.note_default(&self.address, key, Ok(value.into()));
        }
    }

    /// Says in words what counts where a table within, of which nothing is given, does not.
    pub fn inherits(&self, key: &str, words: &str, r: &mut Reader<'_>) {
        let (table, within) = (self.at(key), format!("{}.", self.at(key)));
        for s in r.shown.iter_mut().flatten().filter(|s| s.table == table || s.table.starts_with(&within)) {
            (s.value, s.from) = (None, Source::None(words.to_owned()));
        }
    }

    /// Says in words what counts where the key is not given.
    pub fn otherwise(&self, key: &str, words: impl Into<String>, r: &mut Reader<'_>) {
        if r.shown.is_some() {
            r.note_default(&self.address, key, Err(words.into()));
        }
    }

    fn wrong<T>(&self, r: &mut Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> Option<T> {
        let place = r.place(value.span());
        r.error(place, format!("{}: expected {expected}, got {}", self.name(key), kind(value.get_ref())));
        None
    }

    /// A table within; empty when it is not there.
    pub fn table(&mut self, key: &'static str, r: &mut Reader<'_>) -> Section<'t> {
        let (path, address) = (self.name(key), self.at(key));
        let table = self.find(key).and_then(|v| match v.get_ref() {
            DeValue::Table(t) => Some(t),
            _ => self.wrong(r, key, v, "a table"),
        });
        Section { table, path, address, known_keys: Vec::new() }
    }

    /// The tables of an array of tables (`[[output]]`), each with its place.
    pub fn tables(&mut self, key: &'static str, r: &mut Reader<'_>) -> Vec<Placed<Section<'t>>> {
        let path = self.name(key);
        let address = self.at(key);
        let Some(value) = self.find(key) else { return Vec::new() };
        let mut found = Vec::new();
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::Table(t) => found.push(Placed {
                            value: Section {
                                table: Some(t),
                                path: path.clone(),
                                address: format!("{address}[{}]", found.len()),
                                known_keys: Vec::new(),
                            },
                            place: r.place(item.span()),
                        }),
                        _ => drop(self.wrong::<()>(r, key, item, "a table")),
                    }
                }
            }
            _ => drop(self.wrong::<()>(r, key, value, &format!("tables written as [[{path}]]"))),
        }
        found
    }

    /// All keys of this table with their values: for tables whose keys are data.
    pub fn entries(&mut self, r: &mut Reader<'_>) -> Vec<(Placed<String>, &'t Spanned<DeValue<'t>>)> {
        let all = || self.table.into_iter().flat_map(|t| t.iter());
        all().for_each(|(k, v)| r.note(&self.address, k.get_ref(), Some(v)));
        all().map(|(k, v)| (Placed { value: k.get_ref().to_string(), place: r.place(k.span()) }, v)).collect()
    }

    /// A list of texts, and the place of the list; `None` when the key is not there.
    pub fn strings(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<Placed<Vec<Placed<String>>>> {
        let value = self.get(key, r)?;
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong(r, key, value, "a list such as [\"A\", \"B\"]");
        };
        let mut found = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(s) if s.contains('\0') => {
                    let _ = self.wrong::<()>(r, key, item, "a text without NUL characters");
                }
                DeValue::String(s) => {
                    let value = r.text(&self.name(key), s, item.span());
                    found.extend(value.map(|value| Placed { value, place: r.place(item.span()) }));
                }
                _ => drop(self.wrong::<()>(r, key, item, "a text in quotes")),
            }
        }
        Some(Placed { value: found, place: r.place(value.span()) })
    }

    /// A text.
    pub fn string(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<Placed<String>> {
        let value = self.get(key, r)?;
        match value.get_ref() {
            DeValue::String(s) if s.contains('\0') => self.wrong(r, key, value, "a text without NUL characters"),
            DeValue::String(s) => {
                let text = r.text(&self.name(key), s, value.span())?;
                Some(Placed { value: text, place: r.place(value.span()) })
            }
            _ => self.wrong(r, key, value, "a text in quotes"),
        }
    }

    /// A file of secrets or certificates.
    pub fn secret(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<Placed<Pem>> {
        let value = self.get(key, r)?;
        match value.get_ref() {
            DeValue::String(s) if s.contains('\0') => self.wrong(r, key, value, "a text without NUL characters"),
            DeValue::String(s) => {
                let pem = r.secret(&self.name(key), s, value.span())?;
                Some(Placed { value: pem, place: r.place(value.span()) })
            }
            _ => self.wrong(r, key, value, "a text in quotes"),
        }
    }

    /// A path, from the folder of the file.
    pub fn path(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<Placed<PathBuf>> {
        let Placed { value, place } = self.string(key, r)?;
        if let Some(why) = wrong_path(&value) {
            r.error(place, format!("{} = {value:?}: {why}", self.name(key)));
            return None;
        }
        Some(Placed { value: r.folder.join(value), place })
    }

    /// The name of a source or output: it stands in messages, in heartbeats, in metrics, and in what is typed.
    pub fn named(&mut self, r: &mut Reader<'_>) -> Option<Placed<String>> {
        let found = self.string("name", r)?;
        let name = &found.value;
        let why = if name.trim().is_empty() {
            "a name is needed"
        } else if name.len() > NAME {
            "a name has at most 100 bytes"
        } else if name.chars().any(is_hidden) {
            "a name has no control characters, and none that are not seen"
        } else {
            return Some(found);
        };
        r.error(found.place, format!("{} = {name:?}: {why}", self.name("name")));
        None
    }

    /// A word, or a list of them.
    pub fn words(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<Vec<Placed<String>>> {
        let value = self.get(key, r)?;
        match value.get_ref() {
            DeValue::String(_) => self.string(key, r).map(|word| vec![word]),
            _ => self.strings(key, r).map(|list| list.value),
        }
    }

    /// true or false.
    pub fn boolean(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<Placed<bool>> {
        let value = self.get(key, r)?;
        match value.get_ref() {
            DeValue::Boolean(b) => Some(Placed { value: *b, place: r.place(value.span()) }),
            _ => self.wrong(r, key, value, "true or false"),
        }
    }

    /// Whether a source, listener or output is started.
    pub fn enabled(&mut self, r: &mut Reader<'_>) -> bool {
        self.boolean_or("enabled", true, r)
    }

    /// A whole number within a range.
    pub fn integer(&mut self, key: &'static str, range: Range<i64>, r: &mut Reader<'_>) -> Option<i64> {
        let value = self.get(key, r)?;
        let expected = format!("a number from {} to {}", range.start, range.end - 1);
        match integer(value.get_ref()).filter(|n| range.contains(n)) {
            Some(n) => Some(n),
            None => self.wrong(r, key, value, &expected),
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], r: &mut Reader<'_>) -> Option<T> {
        let Placed { value, place } = self.string(key, r)?;
        let found = words.iter().find(|(w, _)| *w == value).map(|(_, t)| *t);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(w, _)| format!("{w:?}")).collect();
            r.error(place, format!("{} = {value:?}: expected {}", self.name(key), known.join(", ")));
        }
        found
    }

    /// Whether a key is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|t| t.iter().any(|(k, _)| k.get_ref() == key))
    }

    /// Where the value of a key stands.
    pub fn place_of(&self, key: &str, r: &Reader<'_>) -> Option<ConfigLocation> {
        self.table?.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| r.place(v.span()))
    }

    /// A number of any kind, above 0.
    pub fn positive(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<f64> {
        let value = self.get(key, r)?;
        let number = match value.get_ref() {
            DeValue::Float(f) => f.as_str().replace('_', "").parse().ok(),
            other => integer(other).map(|n| n as f64),
        };
        match number.filter(|n: &f64| n.is_finite() && *n > 0.0) {
            Some(n) => Some(n),
            None => self.wrong(r, key, value, "a number above 0"),
        }
    }

    /// A size in bytes: a number, or a text such as "10GB" or "16MiB".
    pub fn size(&mut self, key: &'static str, r: &mut Reader<'_>) -> Option<u64> {
        let value = self.get(key, r)?;
        let text = match value.get_ref() {
            DeValue::String(s) => r.text(&self.name(key), s, value.span())?,
            other => integer(other).map(|n| n.to_string()).unwrap_or_default(),
        };
        match super::size::parse_size(&text) {
            Ok(n) => Some(n),
            Err(e) => {
                let place = r.place(value.span());
                r.error(place, format!("{}: {e}", self.name(key)));
                None
            }
        }
    }

    /// true or false; where it is neither given nor wrong, the default.
    pub fn boolean_or(&mut self, key: &'static str, usual: bool, r: &mut Reader<'_>) -> bool {
        let found = self.boolean(key, r);
        self.usual(key, usual, r);
        found.map_or(usual, |b| b.value)
    }

    /// A text, or the default.
    pub fn string_or(&mut self, key: &'static str, usual: &str, r: &mut Reader<'_>) -> String {
        let found = self.string(key, r);
        self.usual(key, usual, r);
        found.map_or_else(|| usual.to_owned(), |text| text.value)
    }

    /// A whole number within a range, or the default.
    pub fn integer_or(&mut self, key: &'static str, range: Range<i64>, usual: u32, r: &mut Reader<'_>) -> u64 {
        let found = self.integer(key, range, r);
        self.usual(key, i64::from(usual), r);
        found.and_then(|n| u64::try_from(n).ok()).unwrap_or_else(|| u64::from(usual))
    }

    /// Whole seconds within a range, or the default.
    pub fn seconds_or(
        &mut self,
        key: &'static str,
        range: Range<i64>,
        usual: Duration,
        r: &mut Reader<'_>,
    ) -> Duration {
        let found = self.integer(key, range, r);
        self.usual(key, seconds(usual), r);
        found.and_then(|n| u64::try_from(n).ok()).map_or(usual, Duration::from_secs)
    }

    /// Seconds and parts of them, above 0, or the default.
    pub fn positive_or(&mut self, key: &'static str, usual: Duration, r: &mut Reader<'_>) -> Duration {
        let found = self.positive(key, r);
        self.usual(key, seconds(usual), r);
        found.map_or(usual, Duration::from_secs_f64)
    }

    /// A size in bytes, or the default.
    pub fn size_or(&mut self, key: &'static str, usual: u64, r: &mut Reader<'_>) -> u64 {
        let found = self.size(key, r);
        self.usual(key, i64::try_from(usual).unwrap_or(i64::MAX), r);
        found.unwrap_or(usual)
    }

    /// One of some words, or the default, which is one of them.
    pub fn choice_or<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        usual: T,
        r: &mut Reader<'_>,
    ) -> T {
        let found = self.choice(key, words, r);
        if let Some((word, _)) = words.iter().find(|(_, value)| *value == usual) {
            self.usual(key, *word, r);
        }
        found.unwrap_or(usual)
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self, r: &mut Reader<'_>) {
        r.keys.extend(self.known_keys.iter().map(|key| self.name(key)));
        for (key, _) in self.table.into_iter().flat_map(|t| t.iter()) {
            let name = key.get_ref().as_ref();
            if self.known_keys.contains(&name) {
                continue;
            }
            let place = r.place(key.span());
            if !self.path.is_empty() && TOP.contains(&name) {
                let text = format!(
                    "{name} stands above the first table of the file: here, behind [{}], it belongs to that table",
                    self.path
                );
                r.error(place, text);
                continue;
            }
            let lower = name.to_lowercase();
            let nearest = self.known_keys.iter().min_by_key(|k| distance(&lower, k)).map_or(String::new(), |k| {
                if distance(&lower, k) <= name.len().max(3) / 2 + 1 {
                    format!("did you mean {k}? ")
                } else {
                    String::new()
                }
            });
            let mut known = self.known_keys.clone();
            known.sort_unstable();
            known.dedup();
            r.error(place, format!("unknown key {}: {nearest}known here are {}", self.name(name), known.join(", ")));
        }
    }
}

/// Seconds as they are written: whole ones without a fraction.
fn seconds(time: Duration) -> Value {
    match i64::try_from(time.as_secs()) {
        Ok(whole) if time.subsec_nanos() == 0 => Value::Integer(whole),
        _ => Value::Float(time.as_secs_f64()),
    }
}
