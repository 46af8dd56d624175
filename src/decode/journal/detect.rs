//! Finding the heading and the record length of a capture from its bytes.
//!
//! A heading is recognised by what cannot be chance: digits in the lengths and the sequence number, a journal
//! code and an entry type of letters and digits, and the punctuation of the timestamp. A record length is right
//! when a heading stands at each of its multiples. Texts in a capture are written by strangers, so where two
//! lengths fit, the answer is an error that names the option to give, not a choice.
use std::sync::Arc;

use super::{
    buffer::BufferFormat,
    entry::is_letter,
    heading::{Heading, HeadingKind},
    number,
    record::{Framing, Split, split},
};

/// How many records are looked at.
const LOOK: usize = 64;
/// With this many records behind it, a length is no chance.
const SURE: usize = 5;
/// Most bytes of entry data in an outfile record (DSPJRN ENTDTALEN).
const MAX_DATA: usize = 32_766;

/// What the user already said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// `--input type5`.
    pub kind: Option<HeadingKind>,
    /// `--input-framing fixed` (false) or `stream` (true).
    pub stream: Option<bool>,
    /// `--record-length`.
    pub record_length: Option<usize>,
    /// `--input rjne0200`: not records, but buffers of QjoRetrieveJournalEntries.
    pub buffers: Option<BufferFormat>,
    /// `--input qhst`, `history-csv`, `history-json`: messages of the history log. `None`: never.
    pub history: Option<HistoryInput>,
}

/// When a file holds messages of the history log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryInput {
    /// It does, in this form.
    Sure(HistoryForm),
    /// If its front leaves no doubt.
    Seen,
}

/// How messages of the history log are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryForm {
    /// As records of a file QSYS/QHSTyydddn.
    Qhst,
    /// As rows of QSYS2.HISTORY_LOG_INFO: CSV with the names of the columns in the first line.
    Csv,
    /// As such rows: JSON objects.
    Json,
}

/// What a capture is.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its heading.
    pub heading: Arc<Heading>,
    /// Its framing.
    pub framing: Framing,
    /// Messages of the history log, in this form: the records were made of them.
    pub history: Option<HistoryForm>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let heading = self.heading.kind.ibm_name();
        match self.history {
            Some(HistoryForm::Qhst) => return f.write_str("messages of the history log (QHST)"),
            Some(HistoryForm::Csv) => return f.write_str("messages of the history log (HISTORY_LOG_INFO as CSV)"),
            Some(HistoryForm::Json) => return f.write_str("messages of the history log (HISTORY_LOG_INFO as JSON)"),
            None => {}
        }
        match self.framing {
            Framing::Fixed(n) => write!(f, "{heading} headings, records of {n} bytes"),
            Framing::Stream => write!(f, "{heading} headings, length-prefixed records"),
        }
    }
}

/// Why it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No bytes.
    #[error("the capture is empty: expected records of DSPJRN OUTPUT(*OUTFILE) or a stream of length-prefixed records")]
    Empty,
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
    /// No heading at the front.
    #[error(
        "offset 0: no journal entry heading found ({tried}); the bytes begin X'{begin}': if the capture has another record length or framing, say --input, --record-length or --input-framing"
    )]
    NoHeading {
        /// Which headings were tried.
        tried: String,
        /// The first bytes.
        begin: String,
    },
    /// A heading, but no regular distance to the next.
    #[error(
        "a {heading} heading stands at offset 0, but no record length fits the next records: give --record-length N (heading and entry data, 1500 for ENTDTALEN(891) under *TYPE5), or --input-framing stream"
    )]
    NoLength {
        /// The heading.
        heading: &'static str,
    },
    /// More than one distance fits.
    #[error(
        "a {heading} heading stands at offset 0, and both {first} and {second} fit as the record length: give --record-length N"
    )]
    Ambiguous {
        /// The heading.
        heading: &'static str,
        /// One length.
        first: usize,
        /// The other.
        second: usize,
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
    /// Another heading or framing than the options say.
    #[error("offset 0: this is a {is} capture, not what the options say: use {option}")]
    Other {
        /// What it is.
        is: &'static str,
        /// The option to give.
        option: String,
    },
    /// The second record does not begin where the length given says.
    #[error(
        "offset {offset}: no {heading} heading, although --record-length {given} says that a record begins there{hint}"
    )]
    WrongLength {
        /// The heading.
        heading: &'static str,
        /// Where.
        offset: usize,
        /// The length given.
        given: usize,
        /// The length that would fit, as a sentence.
        hint: String,
    },
}

impl Unknown {
    /// Whether other options would help; otherwise the capture itself is at fault.
    pub fn is_about_options(&self) -> bool {
        match self {
            Unknown::Empty | Unknown::Ascii | Unknown::Zeros(_) | Unknown::NoHeading { .. } => false,
            Unknown::NoLength { .. }
            | Unknown::Ambiguous { .. }
            | Unknown::Multiple { .. }
            | Unknown::Other { .. }
            | Unknown::TooShort { .. }
            | Unknown::WrongLength { .. } => true,
        }
    }
}

/// Finds heading and framing. `sample` is the front of the capture, `whole` when it is all of it.
pub fn detect(headings: &[Arc<Heading>], wanted: Wanted, sample: &[u8], whole: bool) -> Result<Found, Unknown> {
    if sample.is_empty() && whole {
        return Err(Unknown::Empty);
    }
    let candidates: Vec<&Arc<Heading>> = headings.iter().filter(|h| wanted.kind.is_none_or(|k| k == h.kind)).collect();
    let found = |h: &Arc<Heading>, framing| Found { heading: h.clone(), framing, history: None };

    if wanted.stream != Some(false) && wanted.record_length.is_none() {
        for h in &candidates {
            if is_stream(h, sample, whole, wanted) {
                return Ok(found(h, Framing::Stream));
            }
        }
    }
    if wanted.stream != Some(true) {
        for h in &candidates {
            match wanted.record_length {
                Some(given) if given < h.length && wanted.kind.is_some() => {
                    return Err(Unknown::TooShort { heading: h.kind.ibm_name(), given, needs: h.length });
                }
                Some(given) if given < h.length => {}
                Some(given) if fits_at_any(h, sample, given) => {
                    check_length(h, sample, given, whole)?;
                    return Ok(found(h, Framing::Fixed(given)));
                }
                None if fits(h, sample) => {
                    return Ok(found(h, Framing::Fixed(record_length(h, sample, whole)?)));
                }
                _ => {}
            }
        }
    }
    Err(no_heading(headings, wanted, &candidates, sample))
}

/// Whether more of the capture could change the answer: with few records seen, a length may be a chance.
pub fn is_certain(found: &Found, wanted: Wanted, seen: usize) -> bool {
    match found.framing {
        Framing::Stream => true,
        Framing::Fixed(n) => wanted.record_length.is_some() || seen >= n.saturating_mul(SURE),
    }
}

/// Whether a heading of this kind stands at the front of these bytes.
pub fn fits(h: &Heading, bytes: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..h.length) else { return false };
    let alnum = |b: &u8| is_letter(*b) || (0xF0..=0xF9).contains(b);
    number::zoned(h.entry_length.of(bytes)).is_some_and(|n| n > 0)
        && number::digits(h.sequence_number.of(bytes)).is_some()
        && h.journal_code.of(bytes).iter().all(|b| is_letter(*b))
        && h.entry_type.of(bytes).iter().all(alnum)
        && h.timestamp.is_none_or(|s| is_timestamp(s.of(bytes)))
        && h.date.is_none_or(|s| is_digits_or_blank(s.of(bytes)))
        && h.time.is_none_or(|s| number::zoned(s.of(bytes)).is_some())
        && is_this_sibling(h, bytes)
}

/// *TYPE3 and *TYPE4 are equally long, and *TYPE1 is the front of *TYPE2: told apart by what stands where only
/// one of them has a flag and a reserved area.
fn is_this_sibling(h: &Heading, bytes: &[u8]) -> bool {
    let flag = |at: usize| matches!(bytes.get(at), Some(0xF0 | 0xF1));
    let blank = |a: usize, z: usize| bytes.get(a..z).is_some_and(|b| b.iter().all(|b| *b == 0x40));
    match h.kind {
        HeadingKind::Type1 => flag(117) && blank(119, 125),
        HeadingKind::Type2 => !(flag(117) && blank(119, 125)),
        HeadingKind::Type3 => flag(149) && blank(151, 169),
        HeadingKind::Type4 => !(flag(149) && blank(151, 169)),
        HeadingKind::Type5 => true,
    }
}

fn is_timestamp(b: &[u8]) -> bool {
    b.len() == 26
        && b.iter().enumerate().all(|(i, b)| match i {
            4 | 7 | 10 => *b == 0x60,
            13 | 16 | 19 => *b == 0x4B,
            _ => (0xF0..=0xF9).contains(b),
        })
}

fn is_digits_or_blank(b: &[u8]) -> bool {
    b.iter().all(|b| (0xF0..=0xF9).contains(b) || *b == 0x40) && b.first() != Some(&0x40)
}

/// A 4-byte length that is one, and a heading behind it, are no chance: the front of an outfile is no such length. What
/// comes after the first record is the reader's business, unless that one is the damaged one and the user says both.
fn is_stream(h: &Heading, sample: &[u8], whole: bool, wanted: Wanted) -> bool {
    let look = if wanted.stream == Some(true) && wanted.kind.is_some() { LOOK } else { 1 };
    let mut rest = sample;
    for _ in 0..look {
        match split(Framing::Stream, rest, whole) {
            Split::Record { bytes, .. } | Split::Cut(bytes) if fits(h, bytes) => return true,
            Split::Record { used, .. } => rest = rest.get(used..).unwrap_or(&[]),
            _ => return false,
        }
    }
    false
}

/// How many of the multiples of `length` have a heading, and how many there are in the sample.
fn hits(h: &Heading, sample: &[u8], length: usize) -> (usize, usize) {
    let (mut hits, mut all) = (0, 0);
    for k in 1..LOOK {
        let Some(at) = sample.get(k * length..).filter(|r| r.len() >= h.length) else { break };
        all += 1;
        hits += usize::from(fits(h, at));
    }
    (hits, all)
}

fn fits_at_any(h: &Heading, sample: &[u8], length: usize) -> bool {
    fits(h, sample) || hits(h, sample, length).0 > 0
}

/// The smallest distance at which headings stand regularly. A few records in between may be damaged: with one of
/// the first damaged, a multiple of the true length would skip the good ones beside it.
fn record_length(h: &Heading, sample: &[u8], whole: bool) -> Result<usize, Unknown> {
    let heading = h.kind.ibm_name();
    let longest = (h.length + MAX_DATA).min(sample.len());
    let mut first: Option<usize> = None;
    for length in h.length..longest {
        let (hits, all) = hits(h, sample, length);
        if hits == 0 || hits * 4 < all * 3 {
            continue;
        }
        match first {
            None => first = Some(length),
            Some(f) if length % f == 0 => {}
            Some(first) => return Err(Unknown::Ambiguous { heading, first, second: length }),
        }
        // With many records behind it, a length is no chance: nothing more to look for.
        if first.is_some_and(|f| sample.len() / f >= LOOK) {
            break;
        }
    }
    match first {
        Some(n) if sample.len() / n < SURE && !gaps_are_padding(h, sample, n) => Err(Unknown::NoLength { heading }),
        Some(n) => Ok(n),
        // One record only, or one and the torn front of a second.
        None if whole && sample.len() >= h.length && sample.len() <= h.length + MAX_DATA => {
            if gaps_are_padding(h, sample, sample.len()) {
                Ok(sample.len())
            } else {
                Err(Unknown::NoLength { heading })
            }
        }
        None => Err(Unknown::NoLength { heading }),
    }
}

/// Whether nothing but padding stands between the end of each entry's data and the next record: among few records
/// the only sign that none was skipped.
fn gaps_are_padding(h: &Heading, sample: &[u8], length: usize) -> bool {
    sample.chunks(length).filter(|r| fits(h, r)).all(|record| {
        let stated = number::zoned(h.entry_length.of(record)).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let there = h
            .entry_data_length
            .and_then(|s| number::binary(s.of(record)))
            .and_then(|n| usize::try_from(n & 0xFFFF).ok())
            .map_or(stated, |n| h.length + n);
        there >= record.len() || rest_is_padding(record, there)
    })
}

fn rest_is_padding(sample: &[u8], from: usize) -> bool {
    sample.get(from..).is_some_and(|r| r.iter().all(|b| *b == 0x40 || *b == 0))
}

fn check_length(h: &Heading, sample: &[u8], given: usize, whole: bool) -> Result<(), Unknown> {
    let heading = h.kind.ibm_name();
    let (hits, all) = hits(h, sample, given);
    let fitting = record_length(h, sample, whole).ok();
    let wrong = |offset, fitting: Option<usize>| {
        let hint = fitting.map_or(String::new(), |n| format!("; {n} would fit"));
        Err(Unknown::WrongLength { heading, offset, given, hint })
    };
    match fitting {
        // Every second or third record would be read and the others lost.
        Some(n) if n < given && given.is_multiple_of(n) => Err(Unknown::Multiple { heading, given, fits: n }),
        Some(n) if n != given && hits * 2 < all => wrong(given, Some(n)),
        None if all > 0 && hits == 0 => wrong(given, None),
        _ => Ok(()),
    }
}

fn no_heading(headings: &[Arc<Heading>], wanted: Wanted, candidates: &[&Arc<Heading>], sample: &[u8]) -> Unknown {
    let front = sample.get(..512).unwrap_or(sample);
    if sample.iter().all(|b| *b == 0) {
        return Unknown::Zeros(sample.len());
    }
    let count = |wanted: fn(u8) -> bool| front.iter().filter(|b| wanted(**b)).count();
    let ascii = count(|b| matches!(b, 0x20..=0x7E | b'\n' | b'\r' | b'\t'));
    // EBCDIC letters and digits lie above X'80', and its blank is ASCII's @: a heading is never like this.
    let (high, at) = (count(|b| b >= 0x80), count(|b| b == 0x40));
    if ascii * 10 >= front.len() * 9 && high * 10 < front.len() && at * 2 < front.len() {
        return Unknown::Ascii;
    }
    let stream = sample.get(4..).unwrap_or(&[]);
    let other =
        headings.iter().find(|h| fits(h, sample) || fits(h, stream) && is_stream(h, sample, false, Wanted::default()));
    if let Some(h) = other.filter(|_| wanted.kind.is_some() || wanted.stream.is_some()) {
        let framing = if fits(h, sample) { "" } else { " --input-framing stream" };
        return Unknown::Other { is: h.kind.ibm_name(), option: format!("--input {}{framing}", h.kind.key()) };
    }
    let tried: Vec<&str> = candidates.iter().map(|h| h.kind.ibm_name()).collect();
    let begin = front.iter().take(16).map(|b| format!("{b:02X}")).collect();
    Unknown::NoHeading { tried: tried.join(", "), begin }
}

#[cfg(test)]
mod tests;
