//! Opening captures: a file or standard input, as it is or as records made out of something else.
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Capture, CaptureError,
    made::{CutOff, Source, Taped},
};
use crate::{
    decode::{
        ebcdic::Charset,
        history::{compose::HistoryComposer, record::is_history},
        journal::{
            Catalog, Entry, Heading, HeadingKind,
            buffer::BufferFormat,
            compose::Composer,
            detect::{HistoryForm, HistoryInput, Unknown, Wanted},
            record::{Split, split},
        },
    },
    event::{
        DateFormat,
        dates::{Contradiction, Dates},
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
    dates: Option<DateFormat>,
}

impl Opener {
    /// With the tables and the character set of the jobs, for what is wanted.
    pub fn new(catalog: &Arc<Catalog>, charset: &'static Charset, wanted: Wanted) -> Opener {
        let headings = HeadingKind::ALL.iter().filter_map(|k| catalog.heading(*k).cloned()).collect();
        Opener { catalog: catalog.clone(), headings, charset, wanted, dates: None }
    }

    /// With the format that the dates of older headings are said to have: a capture whose front speaks against it is refused.
    pub fn with_dates(self, dates: Option<DateFormat>) -> Opener {
        Opener { dates, ..self }
    }

    /// Opens a capture (`-` is standard input) and finds out what it is.
    pub fn open(&self, path: &Path) -> Result<Capture, CaptureError> {
        let (name, Input { read, size, file }) = Input::open(path)?;
        let form = self.form(file.as_ref());
        if form.is_none() && self.wanted.buffers.is_none() {
            let capture = Capture::new(name, read, size, &self.headings, self.wanted)?;
            let capture = Capture { file, ..capture };
            return match self.dates.and_then(|given| capture.contradicts(given)) {
                Some(why) => Err(CaptureError::Dates { name: capture.name, why }),
                None => Ok(capture),
            };
        }
        let heading = self.type5(&name)?;
        let composer = || Composer::new(heading.clone());
        let history = || HistoryComposer::new(composer(), self.catalog.history(), self.catalog.messages().clone());
        let input = Taped::new(read, file.as_ref().and_then(|f| f.try_clone().ok()));
        let tape = input.tape();
        let (records, cut): (Box<dyn Read>, CutOff) = match (form, self.wanted.buffers) {
            (Some(HistoryForm::Qhst), _) => {
                let log = History::new(input, history());
                let cut = log.cut_off();
                (Box::new(log), cut)
            }
            (Some(form), _) => {
                let export = Export::new(input, form, history(), self.charset);
                let cut = export.cut_off();
                (Box::new(export), cut)
            }
            (None, format) => {
                let format = format.unwrap_or(BufferFormat::Rjne0200);
                (Box::new(Buffers::new(input, format, composer())), CutOff::default())
            }
        };
        Capture::made(Source { name, records, heading, history: form, file, tape, cut })
    }

    /// The form in which a file holds messages of the history log. Of standard input nothing is read to find out.
    fn form(&self, file: Option<&File>) -> Option<HistoryForm> {
        match self.wanted.history? {
            HistoryInput::Sure(form) => Some(form),
            HistoryInput::Seen => {
                let mut front = vec![0; FRONT];
                let got = file?.read_at(&mut front, 0).ok()?;
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

impl Capture {
    /// What the records that were read to find out what it is say against a format of dates, beyond doubt.
    fn contradicts(&self, given: DateFormat) -> Option<Contradiction> {
        if self.found.heading.timestamp.is_some() {
            return None;
        }
        let mut dates = Dates::new(given);
        let mut rest = self.buffer.get(..self.end).unwrap_or(&[]);
        while let Split::Record { bytes, used } = split(self.found.framing, rest, self.ended) {
            if let Ok(entry) = Entry::new(&self.found.heading, bytes) {
                dates.see(entry.head(entry.heading.date));
            }
            rest = rest.get(used..).unwrap_or(&[]);
        }
        dates.contradiction().filter(Contradiction::is_sure)
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
