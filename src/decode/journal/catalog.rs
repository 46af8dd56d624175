//! All tables together: the shipped ones, embedded in the program, and those a folder adds or overrides.
//!
//! A layout is parsed when an entry of its type is first met, so that a start takes a few milliseconds; a folder
//! given by the user is parsed at once, so that a mistake in it is an error before the first entry.
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use ring::digest::{Context, SHA256};

use super::{
    heading::{self, Heading, HeadingKind},
    layout::{self, Layout},
    levels::{Levels, Relevant},
};
use crate::{
    decode::{ebcdic::ebcdic, history::messages::Messages},
    digest::hex,
    files::read_regular,
};

/// Bytes of a table of the user, at most: the longest that is shipped has some 30,000.
const MOST_TABLE: u64 = 4 << 20;

include!(concat!(env!("OUT_DIR"), "/journal_tables.rs"));

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The folder cannot be read.
    #[error("cannot read the layout tables in {path}: {source}")]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder has no tables.
    #[error("{path} holds no layout tables: expected files named XX.toml, one an entry type, as in formats/journal")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// One table is wrong.
    #[error("layout table {file}: {reason}")]
    Table {
        /// The file.
        file: String,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
}

/// Headings, layouts, levels.
pub struct Catalog {
    headings: Vec<Arc<Heading>>,
    sources: BTreeMap<String, Source>,
    levels: Levels,
    relevant: Relevant,
    history: Arc<Layout>,
    messages: Arc<Messages>,
    /// SHA-256 of the texts that a folder gave.
    overlay: Option<Vec<u8>>,
}

struct Source {
    text: Cow<'static, str>,
    parsed: OnceLock<Arc<Layout>>,
}

impl Catalog {
    /// The shipped tables.
    pub fn shipped() -> Result<Catalog, CatalogError> {
        Catalog::with_folder(None)
    }

    /// The shipped tables, with those of `folder` in their place or beside them.
    pub fn with_folder(folder: Option<&Path>) -> Result<Catalog, CatalogError> {
        let mut overlay = match folder {
            Some(f) => read_folder(f)?,
            None => BTreeMap::new(),
        };
        let texts = overlay.iter().map(|(name, (_, text))| (name.as_str(), text.as_str()));
        let overlaid = folder.map(|_| hash_of(texts));
        let mut text_of = |name: &str| -> (String, String) {
            match overlay.remove(name) {
                Some((path, text)) => (path, text),
                None => {
                    let text = shipped(name).unwrap_or_default();
                    let folder = if HISTORY.iter().any(|(n, _)| *n == name) { "history" } else { "journal" };
                    (format!("formats/{folder}/{name}"), text.to_owned())
                }
            }
        };
        let table = |file: String, reason: String| CatalogError::Table { file, reason };
        let (file, text) = text_of("_headers.toml");
        let headings = heading::parse(&text).map_err(|e| table(file, e))?;
        let (file, text) = text_of("_audit_levels.toml");
        let levels = Levels::parse(&text).map_err(|e| table(file, e))?;
        let (file, text) = text_of("_relevant.toml");
        let relevant: Relevant = layout::read(&text).map_err(|e| table(file, e))?;
        let (file, text) = text_of("QH.toml");
        let history = Layout::parse(&text).map_err(|e| table(file, e))?;
        let (file, text) = text_of("messages.toml");
        let messages = Messages::parse(&text, &|name| history.field(name).is_some()).map_err(|e| table(file, e))?;

        let mut sources: BTreeMap<String, Source> = FILES
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .map(|(name, text)| {
                let code = name.trim_end_matches(".toml").to_owned();
                (code, Source { text: Cow::Borrowed(text), parsed: OnceLock::new() })
            })
            .collect();
        for (name, (path, text)) in overlay {
            if name.starts_with('_') {
                continue;
            }
            let layout = Layout::parse(&text).map_err(|e| table(path.clone(), e))?;
            if name.trim_end_matches(".toml") != layout.code {
                return Err(table(
                    path,
                    format!("its entry_type is {:?}: the file must be named {}.toml", layout.code, layout.code),
                ));
            }
            let parsed = OnceLock::new();
            let code = layout.code.clone();
            parsed.get_or_init(|| Arc::new(layout));
            sources.insert(code, Source { text: Cow::Owned(text), parsed });
        }
        Ok(Catalog {
            headings: headings.into_iter().map(Arc::new).collect(),
            sources,
            levels,
            relevant,
            history: Arc::new(history),
            messages: Arc::new(messages),
            overlay: overlaid,
        })
    }

    /// SHA-256 of all tables, in hexadecimal: the same hash, the same tables.
    pub fn hash(&self) -> String {
        static SHIPPED: OnceLock<Vec<u8>> = OnceLock::new();
        let shipped = SHIPPED.get_or_init(|| hash_of(FILES.iter().chain(HISTORY).copied()));
        let mut all = Context::new(&SHA256);
        all.update(shipped);
        all.update(self.overlay.as_deref().unwrap_or(&[]));
        hex(all.finish().as_ref())
    }

    /// The heading of this kind.
    pub fn heading(&self, kind: HeadingKind) -> Option<&Arc<Heading>> {
        self.headings.iter().find(|h| h.kind == kind)
    }

    /// The layout of an entry type; `None` for a type that no table knows.
    pub fn layout(&self, code: &str) -> Option<&Arc<Layout>> {
        if code == self.history.code {
            return Some(&self.history);
        }
        let source = self.sources.get(code)?;
        if let Some(l) = source.parsed.get() {
            return Some(l);
        }
        // The shipped tables are parsed by a test; a table that failed here would be a type nobody knows.
        let layout = Layout::parse(&source.text).ok()?;
        Some(source.parsed.get_or_init(|| Arc::new(layout)))
    }

    /// The table of an entry type as text: JSON as the build makes it, or TOML as a folder has it.
    pub fn text(&self, code: &str) -> Option<&str> {
        Some(&self.sources.get(code)?.text)
    }

    /// The layout of history log messages, our own entry type QH. It is none of [`Catalog::codes`].
    pub fn history(&self) -> &Arc<Layout> {
        &self.history
    }

    /// The history log messages that are known.
    pub fn messages(&self) -> &Arc<Messages> {
        &self.messages
    }

    /// Whether an entry type has a table; reads none.
    pub fn has(&self, code: &str) -> bool {
        self.sources.contains_key(code)
    }

    /// The entry types that have a table, in order.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Auditing values, titles, severities.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The fields beside the roles that a line of this type carries at the compact detail.
    pub fn relevant(&self, code: &str) -> &[String] {
        self.relevant.get(code).map_or(&[], Vec::as_slice)
    }
}

/// The two bytes of an entry type in EBCDIC. Entry types are upper-case letters and digits, which stand in the
/// same place in every supported code page.
pub fn entry_type_bytes(code: &str) -> Option<[u8; 2]> {
    ebcdic(code)?.try_into().ok()
}

fn hash_of<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut all = Context::new(&SHA256);
    for (name, text) in texts {
        for part in [name, text] {
            all.update(&(part.len() as u64).to_be_bytes());
            all.update(part.as_bytes());
        }
    }
    all.finish().as_ref().to_vec()
}

fn shipped(name: &str) -> Option<&'static str> {
    FILES.iter().chain(HISTORY).find(|(n, _)| *n == name).map(|(_, t)| *t)
}

/// File name to (path, text) of the tables in a folder.
fn read_folder(folder: &Path) -> Result<BTreeMap<String, (String, String)>, CatalogError> {
    let error = |path: &Path| {
        let path = path.to_owned();
        move |source| CatalogError::Folder { path, source }
    };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(error(folder))? {
        let path = entry.map_err(error(folder))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()).map(str::to_owned) else {
            continue;
        };
        if name.ends_with(".toml") {
            let bytes = read_regular(&path, MOST_TABLE).map_err(error(&path))?;
            let text = String::from_utf8(bytes).map_err(|e| error(&path)(io::Error::other(e)))?;
            found.insert(name, (path.display().to_string(), text));
        }
    }
    if found.is_empty() {
        return Err(CatalogError::Empty { path: folder.to_owned() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h6_a_pipe_among_the_tables_of_a_folder_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("CP.toml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let refused = Catalog::with_folder(Some(dir.path())).err().unwrap().to_string();
        assert!(refused.contains("CP.toml") && refused.contains("found a named pipe"), "{refused}");
        fs::remove_file(&pipe).unwrap();
        fs::write(&pipe, [b'a', 0xff]).unwrap();
        let refused = Catalog::with_folder(Some(dir.path())).err().unwrap().to_string();
        assert!(refused.contains("CP.toml") && refused.contains("invalid utf-8"), "{refused}");
    }

    #[test]
    fn every_shipped_table_parses_and_there_are_86() {
        let catalog = Catalog::shipped().unwrap();
        for code in catalog.codes() {
            let text = catalog.text(code).unwrap();
            let layout = Layout::parse(text).unwrap_or_else(|e| panic!("{code}: {e}"));
            assert_eq!(layout.code, code);
            assert!(catalog.levels().type_row(code).is_some(), "{code} has no title");
            for name in catalog.relevant(code) {
                assert!(layout.field(name).is_some(), "{code}: relevant field {name} is not in the table");
            }
        }
        assert_eq!(catalog.codes().count(), 86);
    }
}
