//! Opening captures: a file or standard input, as it is or as records made out of something else.
use std::{
    fs::{self, File, FileType},
    io::{self, Read},
    os::unix::fs::{FileExt, FileTypeExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Capture, CaptureError,
    derived_records::DerivedSource,
    gzip::{FromStart, MAGIC, Unpacked},
    tally::Tally,
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
    files::open_regular,
    source::derived::{
        export::{self, Export},
        history_log::History,
        read_trace::{TracedReader, TruncatedTail},
        retrieve_buffers::Buffers,
    },
};

/// Bytes at the front of a file that tell whether it holds messages of the history log.
const FRONT: u64 = 64 << 10;

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

    /// Opens a capture of a command line: `-` is standard input, and a named pipe is read as it comes.
    pub fn open(&self, path: &Path) -> Result<Capture, CaptureError> {
        let (name, input) = Input::open(path, true)?;
        self.capture(name, input)
    }

    /// Opens a capture of a command line as [`Opener::open`] does; what is read of it counts.
    pub fn open_counted(&self, path: &Path) -> Result<(Capture, Tally), CaptureError> {
        let (name, input) = Input::open(path, true)?;
        let (tally, read) = Tally::new(input.read);
        Ok((self.capture(name, Input { read: Box::new(read), ..input })?, tally))
    }

    /// Opens a file that can be read again, and nothing else; without waiting for anybody.
    pub fn open_file(&self, path: &Path) -> Result<Capture, CaptureError> {
        let (name, input) = Input::open(path, false)?;
        self.capture(name, input)
    }

    /// Finds out what it is.
    fn capture(&self, name: String, Input { read, size, file, packed }: Input) -> Result<Capture, CaptureError> {
        let form = self.form(file.as_ref(), packed);
        if let Some(encoding) = self.wanted.encoding
            && !matches!(form, Some(HistoryForm::Csv | HistoryForm::Json))
        {
            return Err(CaptureError::Unknown { name, reason: Unknown::NoExport { encoding: encoding.name() } });
        }
        let traced = |read| TracedReader::new(read, file.as_ref().and_then(|f| f.try_clone().ok()));
        if form.is_none() && self.wanted.buffers.is_none() {
            let capture = if packed {
                let read = traced(read);
                let trace = read.trace();
                let (read, live) = (Box::new(Unpacked::new(read)), file.is_none());
                let capture = Capture::read(name, read, None, live, &self.headings, self.wanted)?;
                Capture { file, packed: Some(trace), ..capture }
            } else {
                let capture = Capture::read(name, read, size, file.is_none(), &self.headings, self.wanted)?;
                Capture { file, ..capture }
            };
            return match self.dates.and_then(|given| capture.contradicts(given)) {
                Some(why) => Err(CaptureError::Dates { name: capture.name, why }),
                None => Ok(capture),
            };
        }
        let heading = self.type5(&name)?;
        let composer = || Composer::new(heading.clone());
        let history = || HistoryComposer::new(composer(), self.catalog.history(), self.catalog.messages().clone());
        let input = traced(read);
        let trace = input.trace();
        let input: Box<dyn Read> = if packed { Box::new(Unpacked::new(input)) } else { Box::new(input) };
        let (records, cut): (Box<dyn Read>, TruncatedTail) = match (form, self.wanted.buffers) {
            (Some(HistoryForm::Qhst), _) => {
                let log = History::new(input, history());
                let cut = log.truncated_tail();
                (Box::new(log), cut)
            }
            (Some(form), _) => {
                let export = Export::new(input, form, history(), self.charset).with_encoding(self.wanted.encoding);
                let cut = export.truncated_tail();
                (Box::new(export), cut)
            }
            (None, format) => {
                let format = format.unwrap_or(BufferFormat::Rjne0200);
                (Box::new(Buffers::new(input, format, composer())), TruncatedTail::default())
            }
        };
        let packed = packed.then(|| trace.clone());
        let capture = Capture::derived(DerivedSource { name, records, heading, history: form, file, trace, cut })?;
        Ok(Capture { packed, ..capture })
    }

    /// The form in which a file holds messages of the history log. Of standard input nothing is read to find out.
    fn form(&self, file: Option<&File>, packed: bool) -> Option<HistoryForm> {
        match self.wanted.history? {
            HistoryInput::Sure(form) => Some(form),
            HistoryInput::Seen => {
                let mut front = Vec::new();
                let start = FromStart::of(file?);
                let read: Box<dyn Read> = if packed { Box::new(Unpacked::new(start)) } else { Box::new(start) };
                // Where that fails, reading says so.
                let _ = read.take(FRONT).read_to_end(&mut front);
                if is_history(&front) {
                    Some(HistoryForm::Qhst)
                } else {
                    export::is_export(&front, self.wanted.encoding)
                }
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
    /// It is compressed with gzip.
    packed: bool,
}

impl Input {
    /// Opens it; with it, its name for messages. Where `pipes` are read too, opening one waits for whoever writes to it.
    fn open(path: &Path, pipes: bool) -> Result<(String, Input), CaptureError> {
        if pipes && path == Path::new("-") {
            return Ok(("standard input".to_owned(), Input::pipe(Box::new(io::stdin().lock()))));
        }
        let name = path.display().to_string();
        match open_regular(path) {
            Ok(file) => {
                let io = |source| CaptureError::Io { name: name.clone(), offset: 0, source };
                let size = file.metadata().map_err(io)?.len();
                let mut front = [0; MAGIC.len()];
                let packed = file.read_at(&mut front, 0).is_ok_and(|n| front.get(..n) == Some(&MAGIC));
                let moves = file.try_clone().map_err(io)?;
                let size = (!packed).then_some(size);
                Ok((name.clone(), Input { read: Box::new(file), size, file: Some(moves), packed }))
            }
            // What it is now is asked only for the message, or to read what comes out of it.
            Err(e) => match fs::metadata(path).map(|m| m.file_type()) {
                Ok(kind) if kind.is_dir() => Err(CaptureError::Directory { name }),
                Ok(kind) if kind.is_file() => Err(CaptureError::Open { name, source: e }),
                Ok(kind) if pipes && !kind.is_socket() => match File::open(path) {
                    Ok(file) => Ok((name, Input::pipe(Box::new(file)))),
                    Err(source) => Err(CaptureError::Open { name, source }),
                },
                Ok(kind) => Err(CaptureError::NotAFile { name, what: kind_of(kind) }),
                Err(_) => Err(CaptureError::Open { name, source: e }),
            },
        }
    }

    /// What cannot be read twice.
    fn pipe(mut read: Box<dyn Read>) -> Input {
        let mut front = Vec::new();
        // What fails here fails again.
        let _ = Read::by_ref(&mut read).take(MAGIC.len() as u64).read_to_end(&mut front);
        let packed = front == MAGIC;
        Input { read: Box::new(io::Cursor::new(front).chain(read)), size: None, file: None, packed }
    }
}

fn kind_of(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// The captures of a command line, checked to be there before the first is read. Pipes are left alone: whoever writes to one would
/// find it closed again.
pub fn check_paths(paths: &[PathBuf]) -> Result<(), CaptureError> {
    for path in paths.iter().filter(|p| *p != Path::new("-")) {
        let name = path.display().to_string();
        let open = |source| CaptureError::Open { name: name.clone(), source };
        let kind = fs::metadata(path).map_err(open)?.file_type();
        if kind.is_dir() {
            return Err(CaptureError::Directory { name });
        }
        if kind.is_file() {
            open_regular(path).map_err(open)?;
        }
    }
    Ok(())
}
