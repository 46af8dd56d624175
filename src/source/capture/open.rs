//! Opening captures: a file or standard input, as it is or as records made out of something else.
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Capture, CaptureError};
use crate::{
    decode::{
        history::{
            compose::HistoryComposer,
            record::{RECORD, is_history},
        },
        journal::{
            Catalog, Heading, HeadingKind,
            compose::Composer,
            detect::{HistoryInput, Unknown, Wanted},
        },
    },
    source::{buffers::Buffers, history::History},
};

/// The heading of records that are made.
fn type5(headings: &[Arc<Heading>], name: &str) -> Result<Arc<Heading>, CaptureError> {
    headings.iter().find(|h| h.kind == HeadingKind::Type5).cloned().ok_or_else(|| CaptureError::Unknown {
        name: name.to_owned(),
        reason: Unknown::NoHeading { tried: "*TYPE5".to_owned(), begin: String::new() },
    })
}

impl Capture {
    /// Opens a capture (`-` is standard input) and finds out what it is.
    pub fn open(path: &Path, headings: &[Arc<Heading>], wanted: Wanted) -> Result<Capture, CaptureError> {
        let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
        let io = |source| CaptureError::Io { name: name.clone(), offset: 0, source };
        let (input, size, moves): (Box<dyn Read>, Option<u64>, Option<File>) = if path == Path::new("-") {
            (Box::new(io::stdin().lock()), None, None)
        } else {
            let file = File::open(path).map_err(io)?;
            let meta = file.metadata().map_err(io)?;
            if meta.is_dir() {
                return Err(CaptureError::Directory { name });
            }
            let moves = if meta.is_file() { file.try_clone().ok() } else { None };
            (Box::new(file), meta.is_file().then_some(meta.len()), moves)
        };
        // Read as the records that stand in the buffers; a place among these is none in the file.
        if let Some(format) = wanted.buffers {
            let composer = Composer::new(type5(headings, &name)?);
            return Capture::made(name, Box::new(Buffers::new(input, format, composer)), headings);
        }
        let capture = Capture::new(name, input, size, headings, wanted)?;
        Ok(Capture { file: moves, ..capture })
    }

    /// Opens a history log file: as records that are made of its messages.
    pub fn open_history(path: &Path, catalog: &Catalog, headings: &[Arc<Heading>]) -> Result<Capture, CaptureError> {
        let (name, input) = if path == Path::new("-") {
            ("standard input".to_owned(), Box::new(io::stdin().lock()) as Box<dyn Read>)
        } else {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|source| CaptureError::Io { name: name.clone(), offset: 0, source })?;
            (name, Box::new(file) as Box<dyn Read>)
        };
        let composer = Composer::new(type5(headings, &name)?);
        let composer = HistoryComposer::new(composer, catalog.history(), catalog.messages().clone());
        let mut capture = Capture::made(name, Box::new(History::new(input, composer)), headings)?;
        capture.found.history = true;
        Ok(capture)
    }

    /// Whether a file is to be opened as a history log file. Of standard input nothing is read to find out.
    pub fn is_history(path: &Path, wanted: Wanted) -> bool {
        match wanted.history {
            None => false,
            Some(HistoryInput::Sure) => true,
            Some(HistoryInput::Seen) => {
                let mut front = [0; 2 * RECORD];
                let file = File::open(path).ok().filter(|f| f.metadata().is_ok_and(|m| m.is_file()));
                let got = file.and_then(|f| f.read_at(&mut front, 0).ok()).unwrap_or(0);
                is_history(front.get(..got).unwrap_or(&[]))
            }
        }
    }

    /// Records that were made out of something else.
    fn made(name: String, records: Box<dyn Read>, headings: &[Arc<Heading>]) -> Result<Capture, CaptureError> {
        let wanted = Wanted { kind: Some(HeadingKind::Type5), stream: Some(true), ..Wanted::default() };
        Capture::new(name, records, None, headings, wanted)
    }
}

/// The captures of a command line, checked to be there before the first is read.
pub fn check_paths(paths: &[PathBuf]) -> Result<(), CaptureError> {
    for path in paths.iter().filter(|p| *p != Path::new("-")) {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| CaptureError::Io { name: name.clone(), offset: 0, source })?;
        if file.metadata().is_ok_and(|m| m.is_dir()) {
            return Err(CaptureError::Directory { name });
        }
    }
    Ok(())
}
