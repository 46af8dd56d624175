//! The options that say what a capture is, and opening it.
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use encoding_rs::Encoding;

use super::exit::Failure;
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{
            Catalog, HeadingKind,
            buffer::BufferFormat,
            detect::{HistoryForm, HistoryInput, Wanted},
            record::MAX_RECORD,
        },
    },
    event::DateFormat,
    source::{
        Capture, CaptureError,
        capture::{Opener, Tally},
        derived::export::decoded::encoding,
    },
};

/// What a capture is; mostly found out from its bytes.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Captures: files of DSPJRN OUTPUT(*OUTFILE), history log files or exports, saved retrieve buffers, or - for standard input
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// What the captures are: OUTFILFMT of DSPJRN, the format of retrieve buffers, or the history log
    #[arg(long, value_enum, default_value_t = InputKind::Auto)]
    pub input: InputKind,
    /// How records follow one another: fixed length, or each after its 4-byte length
    #[arg(long, value_enum, default_value_t = FramingArg::Auto)]
    pub input_framing: FramingArg,
    /// Bytes of a fixed-length record (heading and entry data; 1500 for *TYPE5 with ENTDTALEN(891))
    #[arg(long, value_name = "N", value_parser = record_length)]
    pub record_length: Option<usize>,
    /// CCSID of the jobs that wrote the entries
    #[arg(long, value_name = "N", default_value_t = 37)]
    pub ccsid: u16,
    /// Encoding of an export of the history log: utf-16, windows-1252 [default: that of its byte order mark, or utf-8]
    #[arg(long, value_name = "LABEL", value_parser = encoding)]
    pub encoding: Option<&'static Encoding>,
    /// Folder of layout tables that add to or override the built-in ones (formats/journal)
    #[arg(long, value_name = "DIR")]
    pub layouts: Option<PathBuf>,
}

/// `--input`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Found out
    Auto,
    /// QJORDJE
    Type1,
    /// QJORDJE2
    Type2,
    /// QJORDJE3
    Type3,
    /// QJORDJE4
    Type4,
    /// QJORDJE5
    Type5,
    /// Buffers of QjoRetrieveJournalEntries
    Rjne0100,
    /// Buffers of QjoRetrieveJournalEntries, with receivers and addresses
    Rjne0200,
    /// History log files, QSYS/QHSTyydddn
    Qhst,
    /// Rows of QSYS2.HISTORY_LOG_INFO as CSV, with column names in the first line
    HistoryCsv,
    /// Rows of QSYS2.HISTORY_LOG_INFO as JSON, an array or one object a line
    HistoryJson,
}

/// `--input-framing`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingArg {
    /// Found out
    Auto,
    /// Records of one length
    Fixed,
    /// Each record after its 4-byte big-endian length
    Stream,
}

impl InputArgs {
    /// The tables.
    pub fn catalog(&self) -> Result<Arc<Catalog>, Failure> {
        Catalog::with_folder(self.layouts.as_deref()).map(Arc::new).map_err(Failure::usage)
    }

    /// The job's character set.
    pub fn charset(&self) -> Result<&'static Charset, Failure> {
        Charset::ebcdic(self.ccsid).map_err(|e| Failure::usage(anyhow::anyhow!("--ccsid {}: {e}", self.ccsid)))
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            kind: match self.input {
                InputKind::Type1 => Some(HeadingKind::Type1),
                InputKind::Type2 => Some(HeadingKind::Type2),
                InputKind::Type3 => Some(HeadingKind::Type3),
                InputKind::Type4 => Some(HeadingKind::Type4),
                InputKind::Type5 => Some(HeadingKind::Type5),
                _ => None,
            },
            stream: match self.input_framing {
                FramingArg::Auto => None,
                FramingArg::Fixed => Some(false),
                FramingArg::Stream => Some(true),
            },
            record_length: self.record_length,
            buffers: match self.input {
                InputKind::Rjne0100 => Some(BufferFormat::Rjne0100),
                InputKind::Rjne0200 => Some(BufferFormat::Rjne0200),
                _ => None,
            },
            history: match self.input {
                InputKind::Qhst => Some(HistoryInput::Sure(HistoryForm::Qhst)),
                InputKind::HistoryCsv => Some(HistoryInput::Sure(HistoryForm::Csv)),
                InputKind::HistoryJson => Some(HistoryInput::Sure(HistoryForm::Json)),
                // Whoever says something else of it knows better.
                InputKind::Auto if self.input_framing == FramingArg::Auto && self.record_length.is_none() => {
                    Some(HistoryInput::Seen)
                }
                _ => None,
            },
            encoding: self.encoding,
        }
    }

    /// Opens one capture.
    pub fn open(&self, catalog: &Arc<Catalog>, path: &Path) -> Result<Capture, Failure> {
        self.open_dated(catalog, path, None)
    }

    /// Opens one capture; it is refused where its dates are not in the format that they are said to have.
    pub fn open_dated(
        &self,
        catalog: &Arc<Catalog>,
        path: &Path,
        dates: Option<DateFormat>,
    ) -> Result<Capture, Failure> {
        self.opener(catalog, dates)?.open(path).map_err(capture_failure)
    }

    /// Opens one capture as [`InputArgs::open_dated`] does; what is read of it counts.
    pub fn open_counted(
        &self,
        catalog: &Arc<Catalog>,
        path: &Path,
        dates: Option<DateFormat>,
    ) -> Result<(Capture, Tally), Failure> {
        self.opener(catalog, dates)?.open_counted(path).map_err(capture_failure)
    }

    fn opener(&self, catalog: &Arc<Catalog>, dates: Option<DateFormat>) -> Result<Opener, Failure> {
        Ok(Opener::new(catalog, self.charset()?, self.wanted()).with_dates(dates))
    }
}

fn record_length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (126..=MAX_RECORD).contains(&n) => Ok(n),
        _ => Err(format!("expected the bytes of one record, 126 to {MAX_RECORD}")),
    }
}

/// A wrong option ends with 2, a capture that cannot be read with 1.
pub fn capture_failure(e: CaptureError) -> Failure {
    match e {
        CaptureError::Unknown { ref reason, .. } if reason.is_about_options() => Failure::usage(e),
        CaptureError::Dates { .. } => Failure::usage(e),
        _ => Failure::failed(e),
    }
}
