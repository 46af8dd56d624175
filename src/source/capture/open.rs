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
        ebcdic::Charset,
        history::{compose::HistoryComposer, record::is_history},
        journal::{
            Catalog, Heading, HeadingKind,
            compose::Composer,
            detect::{Found, HistoryForm, HistoryInput, Unknown, Wanted},
            record::Framing,
        },
    },
    source::{
        buffers::Buffers,
        history::{
            History,
            export::{self, Export},
        },
    },
};

/// Bytes at the front of a file that tell whether it holds messages of the history log.
const FRONT: usize = 64 << 10;

/// Opens captures of one kind.
#[derive(Clone)]
pub struct Opener {
    catalog: Arc<Catalog>,
    headings: Vec<Arc<Heading>>,
    charset: &'static Charset,
    wanted: Wanted,
}

impl Opener {
    /// With the tables and the character set of the jobs, for what is wanted.
    pub fn new(catalog: &Arc<Catalog>, charset: &'static Charset, wanted: Wanted) -> Opener {
        let headings = HeadingKind::ALL.iter().filter_map(|k| catalog.heading(*k).cloned()).collect();
        Opener { catalog: catalog.clone(), headings, charset, wanted }
    }

    /// Opens a capture (`-` is standard input) and finds out what it is.
    pub fn open(&self, path: &Path) -> Result<Capture, CaptureError> {
        let (name, input) = Input::open(path)?;
        // Read as the records that are made; a place among these is none in the file.
        if let Some(form) = self.form(&input) {
            let composer = Composer::new(self.type5(&name)?);
            let composer = HistoryComposer::new(composer, self.catalog.history(), self.catalog.messages().clone());
            let records: Box<dyn Read> = match form {
                HistoryForm::Qhst => Box::new(History::new(input.read, composer)),
                form => Box::new(Export::new(input.read, form, composer, self.charset)),
            };
            return Capture::made(name.clone(), records, self.type5(&name)?, Some(form));
        }
        if let Some(format) = self.wanted.buffers {
            let heading = self.type5(&name)?;
            let buffers = Buffers::new(input.read, format, Composer::new(heading.clone()));
            return Capture::made(name, Box::new(buffers), heading, None);
        }
        let capture = Capture::new(name, input.read, input.size, &self.headings, self.wanted)?;
        Ok(Capture { file: input.file, ..capture })
    }

    /// The form in which a file holds messages of the history log. Of standard input nothing is read to find out.
    fn form(&self, input: &Input) -> Option<HistoryForm> {
        match self.wanted.history? {
            HistoryInput::Sure(form) => Some(form),
            HistoryInput::Seen => {
                let mut front = vec![0; FRONT];
                let got = input.file.as_ref()?.read_at(&mut front, 0).ok()?;
                let front = front.get(..got).unwrap_or(&[]);
                if is_history(front) { Some(HistoryForm::Qhst) } else { export::is_export(front) }
            }
        }
    }

    /// The heading of records that are made.
    fn type5(&self, name: &str) -> Result<Arc<Heading>, CaptureError> {
        self.catalog.heading(HeadingKind::Type5).cloned().ok_or_else(|| CaptureError::Unknown {
            name: name.to_owned(),
            reason: Unknown::NoHeading { tried: "*TYPE5".to_owned(), begin: String::new() },
        })
    }
}

/// What is read.
struct Input {
    read: Box<dyn Read>,
    size: Option<u64>,
    /// The same file, to move in it; `None` for a pipe.
    file: Option<File>,
}

impl Input {
    /// Opens it; with it, its name for messages.
    fn open(path: &Path) -> Result<(String, Input), CaptureError> {
        if path == Path::new("-") {
            let read = Box::new(io::stdin().lock());
            return Ok(("standard input".to_owned(), Input { read, size: None, file: None }));
        }
        let name = path.display().to_string();
        let io = |source| CaptureError::Io { name: name.clone(), offset: 0, source };
        let file = File::open(path).map_err(io)?;
        let meta = file.metadata().map_err(io)?;
        if meta.is_dir() {
            return Err(CaptureError::Directory { name });
        }
        let moves = if meta.is_file() { file.try_clone().ok() } else { None };
        Ok((name, Input { read: Box::new(file), size: meta.is_file().then_some(meta.len()), file: moves }))
    }
}

impl Capture {
    /// Records that were made out of something else. What they are is known: nothing is to be found out from them.
    fn made(
        name: String,
        mut records: Box<dyn Read>,
        heading: Arc<Heading>,
        history: Option<HistoryForm>,
    ) -> Result<Capture, CaptureError> {
        let mut buffer = vec![0; super::CHUNK];
        // The first read tells whether it is what it is to be.
        let got = records.read(&mut buffer).map_err(|e| CaptureError::reading(name.clone(), 0, e))?;
        buffer.truncate(got);
        let is_export = matches!(history, Some(HistoryForm::Csv | HistoryForm::Json));
        if got == 0 && !is_export {
            return Err(CaptureError::Unknown { name, reason: Unknown::Empty });
        }
        let found = Found { heading, framing: Framing::Stream, history };
        Ok(Capture {
            name,
            input: records,
            found,
            certain: true,
            head: buffer.get(..got.min(super::MARK)).unwrap_or(&[]).to_vec(),
            behind: Vec::new(),
            cut: 0,
            start: 0,
            end: got,
            buffer,
            offset: 0,
            ended: got == 0,
            size: None,
            file: None,
        })
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
