//! The text of a configuration with its places: one file, or several as if they were one. What is wrong is written down, and the
//! reading goes on.
use std::{cell::Cell, collections::BTreeSet, env, ops::Range, path::PathBuf, sync::Arc};

use toml::{
    Spanned, Value,
    de::{DeArray, DeString, DeTable, DeValue},
    map::Entry,
};

pub use super::section::Section;
use super::{
    files::MANY,
    problem::Problem,
    shown::{Shown, Source},
    value,
};
use crate::{credential, filter::ConfigLocation, net::tls::pem::Pem};

/// Files being read, and what was wrong with them. Places are counted as if the texts stood one behind the other.
pub struct Reader<'t> {
    parts: Vec<Part<'t>>,
    /// The last place asked for, as byte and column, and where its line begins: a hundred thousand rules may be on one line.
    last: Cell<(usize, usize, usize)>,
    /// The folder of the first file: relative paths begin here.
    pub folder: PathBuf,
    /// What was wrong so far.
    pub problems: Vec<Problem>,
    /// The full names of all keys that were asked for.
    pub keys: BTreeSet<String>,
    /// Some text is no TOML.
    pub is_no_toml: bool,
    /// Every key with its value, where that is asked for.
    pub shown: Option<Vec<Shown>>,
}

/// One text of them.
struct Part<'t> {
    file: Arc<str>,
    text: &'t str,
    /// How many bytes stand before it.
    base: usize,
    /// Where its lines begin: a file may hold a hundred thousand rules, each with its place.
    lines: Vec<usize>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the file.
    pub place: ConfigLocation,
}

impl<'t> Reader<'t> {
    /// For texts, each with the name of its file.
    pub fn new(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Reader<'t> {
        let mut base = 0;
        let part = |(file, text): (&str, &'t str)| {
            let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
            let part = Part { file: file.into(), text, base, lines };
            // One more, so that the end of a text is not the beginning of the next one.
            base += text.len() + 1;
            part
        };
        Reader {
            parts: files.into_iter().map(part).collect(),
            last: Cell::new((0, 0, 0)),
            folder: PathBuf::new(),
            problems: Vec::new(),
            keys: BTreeSet::new(),
            is_no_toml: false,
            shown: None,
        }
    }

    /// Parses the texts as one table; mistakes of TOML itself are problems too, and so is what stands in two of them.
    pub fn parse(&mut self) -> DeTable<'t> {
        let mut all = DeTable::new();
        for (text, base) in self.parts.iter().map(|p| (p.text, p.base)).collect::<Vec<_>>() {
            let (table, errors) = DeTable::parse_recoverable(text);
            self.is_no_toml |= !errors.is_empty();
            for e in errors {
                let place = self.place(moved(e.span().unwrap_or(0..0), base));
                let advice = if ["escape", "unicode"].iter().any(|word| e.message().contains(word)) {
                    ": within \"...\" a backslash begins an escape; write a path with backslashes within '...'"
                } else {
                    ""
                };
                self.problems.push(Problem::error(Some(place), format!("this is not TOML: {}{advice}", e.message())));
            }
            if base == 0 {
                all = table.into_inner();
                continue;
            }
            for (key, value) in table.into_inner() {
                let key = Spanned::new(moved(key.span(), base), key.into_inner());
                self.join(&mut all, key, shifted(value, base));
            }
        }
        all
    }

    /// Adds what another file says.
    fn join(&mut self, all: &mut DeTable<'t>, key: Spanned<DeString<'t>>, value: Spanned<DeValue<'t>>) {
        let before = all.keys().find(|k| k.get_ref() == key.get_ref()).map(Spanned::span);
        let name = key.get_ref().to_string();
        let (is_table, place) = (matches!(value.get_ref(), DeValue::Table(_)), key.span());
        match all.entry(key) {
            Entry::Vacant(there) => drop(there.insert(value)),
            Entry::Occupied(mut there) => {
                match (there.get_mut().get_mut(), value.into_inner()) {
                    (DeValue::Array(some), DeValue::Array(more)) if MANY.contains(&name.as_str()) => {
                        more.into_iter().for_each(|item| some.push(item));
                    }
                    _ => {
                        let other = self.place(before.unwrap_or(0..0));
                        let shown = if is_table { format!("[{name}]") } else { name };
                        let place = self.place(place);
                        self.error(
                        place,
                        format!("{shown} stands in {other} too, and two files are not mixed: write all of it in one of them"),
                    );
                    }
                }
            }
        }
    }

    /// The place of a byte range.
    pub fn place(&self, span: Range<usize>) -> ConfigLocation {
        let part = self.parts.partition_point(|p| p.base <= span.start).max(1);
        let Some(part) = self.parts.get(part - 1) else {
            return ConfigLocation { file: "".into(), line: 1, column: 1 };
        };
        let at = span.start - part.base.min(span.start);
        let line = part.lines.partition_point(|start| *start <= at).max(1);
        let start = part.lines.get(line - 1).copied().unwrap_or(0);
        let (byte, column, line_start) = self.last.get();
        let (from, before) =
            if line_start == part.base + start && byte <= span.start { (byte - part.base, column) } else { (start, 0) };
        let column = before + part.text.get(from..at).map_or(0, |t| t.chars().count());
        self.last.set((span.start, column, part.base + start));
        ConfigLocation { file: part.file.clone(), line, column: column + 1 }
    }

    /// Takes note of a key, where that is asked for.
    pub fn note(&mut self, table: &str, key: &str, value: Option<&Spanned<DeValue<'_>>>) {
        let shown = match (&self.shown, value) {
            (None, _) => return,
            (Some(all), _) if all.last().is_some_and(|s| s.table == table && s.key == key) => return,
            (_, Some(value)) => Shown::said(table, key, value.get_ref(), self.place(value.span())),
            (_, None) => Shown::nothing(table, key),
        };
        self.shown.iter_mut().for_each(|all| all.push(shown.clone()));
    }

    /// Takes note of what counts where a key is not given: its default, or in words what it is.
    pub fn note_default(&mut self, table: &str, key: &str, value: Result<Value, String>) {
        let key_of = |s: &&mut Shown| s.table == table && s.key == key;
        let Some(shown) = self.shown.iter_mut().flatten().rev().find(key_of) else { return };
        if matches!(shown.from, Source::File { .. }) {
            return;
        }
        match value {
            Ok(value) => (shown.value, shown.from) = (Some(value), Source::Default),
            Err(words) => (shown.value, shown.from) = (None, Source::None(words)),
        }
    }

    /// What a text says: with the values of its variables, or what the credential holds that it is. `None` where there is none, which
    /// is told. `key` is the full name of its key.
    pub fn text(&mut self, key: &str, text: &str, span: Range<usize>) -> Option<String> {
        match credential::name(text) {
            None => self.expanded(key, text, span),
            Some(_) => {
                let text = self.expanded(key, text, span.clone())?;
                let held = credential::name(&text)?.and_then(credential::value);
                self.or_told(key, held, span)
            }
        }
    }

    /// The same for a file of secrets or certificates, which is looked into when it is used: its path, from the folder of the first
    /// file, or a credential.
    pub fn secret(&mut self, key: &str, text: &str, span: Range<usize>) -> Option<Pem> {
        let is_credential = credential::name(text).is_some();
        let text = self.expanded(key, text, span.clone())?;
        let found = match wrong_path(&text) {
            Some(why) => Err(format!("{text:?}: {why}")),
            None if is_credential => Pem::parse(&text),
            None => Ok(Pem::File(self.folder.join(text))),
        };
        self.or_told(key, found, span)
    }

    fn expanded(&mut self, key: &str, text: &str, span: Range<usize>) -> Option<String> {
        if !text.contains("${") {
            return Some(text.to_owned());
        }
        let found = value::expand(text, |name| env::var_os(name)).map(|(text, _)| text);
        self.or_told(key, found, span)
    }

    fn or_told<T>(&mut self, key: &str, found: Result<T, String>, span: Range<usize>) -> Option<T> {
        found.map_err(|e| self.error(self.place(span), format!("{key}: {e}"))).ok()
    }

    /// Writes an error down.
    pub fn error(&mut self, place: ConfigLocation, text: impl Into<String>) {
        self.problems.push(Problem::error(Some(place), text));
    }

    /// Writes a warning down.
    pub fn warning(&mut self, place: ConfigLocation, text: impl Into<String>) {
        self.problems.push(Problem::warning(Some(place), text));
    }
}

/// What is wrong with a path, whatever the file system says.
pub fn wrong_path(path: &str) -> Option<&'static str> {
    match path {
        "" => Some("expected a path"),
        home if home == "~" || home.starts_with("~/") => {
            Some("~ is a sign of the shell and means nothing here: write the whole path, such as /var/lib/qaudjrn")
        }
        _ => None,
    }
}

/// The whole number in a value.
pub fn integer(value: &DeValue<'_>) -> Option<i64> {
    let n = value.as_integer()?;
    i64::from_str_radix(n.as_str(), n.radix()).ok()
}

/// A value for a message.
pub fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) => format!("the text {:?}", s.as_ref()),
        DeValue::Integer(n) => n.as_str().to_owned(),
        DeValue::Float(n) => n.as_str().to_owned(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A range behind so many bytes.
fn moved(span: Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// A value that stands behind so many bytes.
fn shifted<'t>(value: Spanned<DeValue<'t>>, by: usize) -> Spanned<DeValue<'t>> {
    let span = moved(value.span(), by);
    let value = match value.into_inner() {
        DeValue::Table(table) => {
            let move_key = |(k, v): (Spanned<DeString<'t>>, _)| {
                (Spanned::new(moved(k.span(), by), k.into_inner()), shifted(v, by))
            };
            DeValue::Table(table.into_iter().map(move_key).collect())
        }
        DeValue::Array(items) => {
            let mut all = DeArray::new();
            items.into_iter().for_each(|item| all.push(shifted(item, by)));
            DeValue::Array(all)
        }
        other => other,
    };
    Spanned::new(span, value)
}
