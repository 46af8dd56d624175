//! Why a capture cannot be read.
use std::io;

use crate::{
    decode::journal::detect::Unknown,
    event::dates::Contradiction,
    source::derived::{
        export::ExportError, history_log::HistoryError, read_trace::WrittenOver, retrieve_buffers::BufferError,
    },
};

/// Why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("{name}: cannot open it: {source}{}", advice(source))]
    Open {
        /// File name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Something that cannot be read twice.
    #[error(
        "{name}: expected a capture file, found {what}: what is read from it could not be read again; let its writer send to a source of kind = \"stream\", or write a file, or read it with `qaudjrn replay`"
    )]
    NotAFile {
        /// File name.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("{name}: cannot read it at offset {offset}: {source}")]
    Io {
        /// File name.
        name: String,
        /// Bytes read before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A directory.
    #[error(
        "{name}: this is a directory, expected a capture file: name its files, for example {name}/*, or, in a configuration, say kind = \"directory\""
    )]
    Directory {
        /// File name.
        name: String,
    },
    /// It is no capture, or not the one that the options say.
    #[error("{name}: {reason}")]
    Unknown {
        /// File name.
        name: String,
        /// Why.
        reason: Unknown,
    },
    /// The dates are not in the format that they are said to have.
    #[error("{name}: {why}")]
    Dates {
        /// File name.
        name: String,
        /// What speaks against it, and what fits.
        why: Contradiction,
    },
    /// Buffers of QjoRetrieveJournalEntries that are not what they are to be.
    #[error("{name}: {why}")]
    Buffer {
        /// File name.
        name: String,
        /// What is wrong, and where.
        why: BufferError,
    },
    /// A history log file that is not what it is to be.
    #[error("{name}: {why}")]
    History {
        /// File name.
        name: String,
        /// What is wrong, and where.
        why: HistoryError,
    },
    /// An export of the history log that is not what it is to be.
    #[error("{name}: {why}")]
    Export {
        /// File name.
        name: String,
        /// What is wrong, and where.
        why: ExportError,
    },
    /// The file was written over while it was read.
    #[error("{name}: what stood before byte {offset} is not what was read there: the file was written anew")]
    Changed {
        /// File name.
        name: String,
        /// Where reading was to go on.
        offset: u64,
    },
    /// A length prefix that cannot be one: what follows cannot be told apart.
    #[error(
        "{name}: offset {offset}: expected the 4-byte length of a record (1 to 1048576), got {got}: the stream is damaged from here on; entries before it were read"
    )]
    BadLength {
        /// File name.
        name: String,
        /// Offset of the prefix in the file.
        offset: u64,
        /// The number that stands there.
        got: u32,
    },
}

/// What to do where a file cannot be opened.
fn advice(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::NotFound => {
            ": there is no such file at this path, which in a configuration is taken from the folder of that file; one that comes later is waited for with follow = true"
        }
        io::ErrorKind::PermissionDenied => {
            ": the user that this program runs as needs the right to read it, and to search the folders that it is in"
        }
        _ => "",
    }
}

impl CaptureError {
    /// What the operating system said, where that is why.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            CaptureError::Open { source, .. } | CaptureError::Io { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether it stays so until somebody changes the file or the configuration; otherwise trying again may help.
    pub fn is_permanent(&self) -> bool {
        match self {
            CaptureError::Open { .. }
            | CaptureError::NotAFile { .. }
            | CaptureError::Io { .. }
            | CaptureError::Directory { .. }
            | CaptureError::Changed { .. } => false,
            CaptureError::Unknown { .. }
            | CaptureError::Buffer { .. }
            | CaptureError::History { .. }
            | CaptureError::Export { .. }
            | CaptureError::Dates { .. }
            | CaptureError::BadLength { .. } => true,
        }
    }

    /// What reading failed with.
    pub(super) fn reading(name: String, offset: u64, source: io::Error) -> CaptureError {
        let inner = source.get_ref();
        if let Some(why) = inner.and_then(|e| e.downcast_ref::<BufferError>()) {
            return CaptureError::Buffer { name, why: why.clone() };
        }
        if let Some(why) = inner.and_then(|e| e.downcast_ref::<HistoryError>()) {
            return CaptureError::History { name, why: why.clone() };
        }
        if let Some(why) = inner.and_then(|e| e.downcast_ref::<ExportError>()) {
            return CaptureError::Export { name, why: why.clone() };
        }
        if let Some(WrittenOver(offset)) = inner.and_then(|e| e.downcast_ref()) {
            return CaptureError::Changed { name, offset: *offset };
        }
        CaptureError::Io { name, offset, source }
    }
}
