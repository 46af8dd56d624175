//! Why it cannot be told what a capture is, and what to do.
use super::foreign::Foreign;

/// Why it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No bytes.
    #[error("the capture is empty: expected records of DSPJRN OUTPUT(*OUTFILE) or a stream of length-prefixed records")]
    Empty,
    /// Something else that is known.
    #[error("offset 0: this is {}, expected EBCDIC records as DSPJRN writes them: {}", .0.name, .0.advice)]
    Foreign(Foreign),
    /// Text instead of EBCDIC.
    #[error(
        "offset 0: this looks like ASCII text, expected EBCDIC records as DSPJRN writes them: transfer the outfile in binary (FTP BINARY, no CCSID conversion)"
    )]
    Ascii,
    /// Only zeros.
    #[error(
        "offset 0: the first {0} bytes are all X'00', expected a journal entry heading in EBCDIC: is this the right file, and was it transferred whole?"
    )]
    Zeros(usize),
    /// No heading at all in what was looked at.
    #[error(
        "offset 0: no journal entry heading found ({tried}); the bytes begin X'{begin}': if the capture has another record length or framing, say --input, --record-length or --input-framing"
    )]
    NoHeading {
        /// Which headings were tried.
        tried: String,
        /// The first bytes.
        begin: String,
    },
    /// A heading, but the next record cannot be found.
    #[error(
        "offset {at}: a {heading} heading, but nothing says where the next record begins: give the bytes of one record with --record-length N (heading and entry data; 1500 for *TYPE5 with ENTDTALEN(891), as DSPJRN wrote the outfile)"
    )]
    NoLength {
        /// The heading.
        heading: &'static str,
        /// Where it stands.
        at: usize,
    },
    /// Two lengths fit.
    #[error(
        "offset {at}: records of {length} bytes fit, but within {within} of the {all} that were looked at stands another {heading} heading: somebody may have written one into a text, or a record begins there; say --record-length {length} or --record-length {shorter}, whichever the records of the outfile have"
    )]
    Ambiguous {
        /// The heading.
        heading: &'static str,
        /// The first heading within a record.
        at: usize,
        /// The length that fits.
        length: usize,
        /// The length with which that heading begins a record.
        shorter: usize,
        /// Records with one.
        within: usize,
        /// Records.
        all: usize,
    },
    /// An encoding is said, of what is no export.
    #[error(
        "an encoding ({encoding}) is only for exports of QSYS2.HISTORY_LOG_INFO, and this is not seen to be one: say --input history-csv or history-json, or leave out --encoding"
    )]
    NoExport {
        /// The encoding that is said.
        encoding: &'static str,
    },
    /// The length given is too short.
    #[error("--record-length {given} is shorter than a {heading} heading ({needs} bytes)")]
    TooShort {
        /// The heading.
        heading: &'static str,
        /// The length given.
        given: usize,
        /// Bytes of the heading.
        needs: usize,
    },
    /// The length given is a multiple of the one that fits.
    #[error(
        "--record-length {given}: {heading} headings stand every {fits} bytes, so only one record in {} would be read: give --record-length {fits}", given / fits
    )]
    Multiple {
        /// The heading.
        heading: &'static str,
        /// The length given.
        given: usize,
        /// The length that fits.
        fits: usize,
    },
    /// Another heading than the options say.
    #[error("offset 0: this is a {is} capture, not what the options say: use {option}")]
    Other {
        /// What it is.
        is: &'static str,
        /// The option to give.
        option: String,
    },
    /// Records of one length, where the options say that each stands behind its length.
    #[error(
        "offset 0: a {heading} heading stands here at once, without the 4-byte length that --input-framing stream (input_framing = \"stream\") says comes before each record: leave that option out, or say fixed"
    )]
    NotAStream {
        /// The heading.
        heading: &'static str,
    },
    /// Records behind their lengths, where the options say that they are of one length.
    #[error(
        "offset 0: each record stands behind its 4-byte length ({heading} headings), but the options say records of one length: leave --record-length and --input-framing fixed out, or say --input-framing stream"
    )]
    NotFixed {
        /// The heading.
        heading: &'static str,
    },
    /// Headings stand where the length given says that none is, or none where it says that one is.
    #[error(
        "offset {offset}: {}, although --record-length {given} says that {}{hint}",
        if *within { format!("a {heading} heading") } else { format!("no {heading} heading") },
        if *within { "no record begins there" } else { "a record begins there" }
    )]
    WrongLength {
        /// The heading.
        heading: &'static str,
        /// Where one stands within a record, or should stand.
        offset: usize,
        /// The length given.
        given: usize,
        /// A heading stands within a record, not: none stands where one should.
        within: bool,
        /// The length that would fit, as a sentence.
        hint: String,
    },
}

impl Unknown {
    /// Whether other options would help; otherwise the capture itself is at fault.
    pub fn is_about_options(&self) -> bool {
        match self {
            Unknown::Empty | Unknown::Foreign(_) | Unknown::Ascii | Unknown::Zeros(_) | Unknown::NoHeading { .. } => {
                false
            }
            Unknown::NoLength { .. }
            | Unknown::Ambiguous { .. }
            | Unknown::Multiple { .. }
            | Unknown::Other { .. }
            | Unknown::NotAStream { .. }
            | Unknown::NotFixed { .. }
            | Unknown::NoExport { .. }
            | Unknown::TooShort { .. }
            | Unknown::WrongLength { .. } => true,
        }
    }
}
