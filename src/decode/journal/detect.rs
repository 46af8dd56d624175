//! Finding the heading and the record length of a capture from its bytes.
//!
//! A heading is recognised by what cannot be chance: digits in the lengths and the sequence number, a journal
//! code and an entry type of letters and digits, and the punctuation of the timestamp. A record length is right
//! when a heading stands at each of its multiples. Texts in a capture are written by strangers, so where two
//! lengths fit, the answer is an error that names the option to give, not a choice.
use std::sync::Arc;

use super::{
    entry::is_letter,
    heading::{Heading, HeadingKind},
    number,
    record::{Framing, MAX_RECORD, Split, split},
};

/// How many records are looked at.
const LOOK: usize = 64;

/// What the user already said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// `--input type5`.
    pub kind: Option<HeadingKind>,
    /// `--input-framing fixed` (false) or `stream` (true).
    pub stream: Option<bool>,
    /// `--record-length`.
    pub record_length: Option<usize>,
}

/// What a capture is.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its heading.
    pub heading: Arc<Heading>,
    /// Its framing.
    pub framing: Framing,
    /// Whether anything had to be found out.
    pub guessed: bool,
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

/// Finds heading and framing. `sample` is the front of the capture, `whole` when it is all of it.
pub fn detect(headings: &[Arc<Heading>], wanted: Wanted, sample: &[u8], whole: bool) -> Result<Found, Unknown> {
    if sample.is_empty() && whole {
        return Err(Unknown::Empty);
    }
    let candidates: Vec<&Arc<Heading>> = headings.iter().filter(|h| wanted.kind.is_none_or(|k| k == h.kind)).collect();
    let guessed = wanted.kind.is_none() || wanted.stream.is_none() && wanted.record_length.is_none();
    let found = |h: &Arc<Heading>, framing| Found { heading: h.clone(), framing, guessed };

    if wanted.stream != Some(false) && wanted.record_length.is_none() {
        for h in &candidates {
            if is_stream(h, sample, whole) {
                return Ok(found(h, Framing::Stream));
            }
        }
    }
    if wanted.stream != Some(true) {
        for h in &candidates {
            if let Some(given) = wanted.record_length {
                if given < h.length {
                    if wanted.kind.is_some() {
                        let (heading, needs) = (h.kind.ibm_name(), h.length);
                        return Err(Unknown::TooShort { heading, given, needs });
                    }
                    continue;
                }
                if fits(h, sample) {
                    check_length(h, sample, given)?;
                    return Ok(found(h, Framing::Fixed(given)));
                }
            } else if fits(h, sample) {
                return Ok(found(h, Framing::Fixed(record_length(h, sample, whole)?)));
            }
        }
    }
    Err(no_heading(&candidates, sample))
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

fn is_stream(h: &Heading, sample: &[u8], whole: bool) -> bool {
    let mut rest = sample;
    let mut seen = 0;
    while seen < LOOK {
        match split(Framing::Stream, rest, whole) {
            Split::Record { bytes, used } if fits(h, bytes) => {
                seen += 1;
                rest = rest.get(used..).unwrap_or(&[]);
            }
            Split::Need(_) | Split::End => return seen > 0,
            Split::Cut(bytes) => return seen > 0 || bytes.len() >= h.length && fits(h, bytes),
            _ => return false,
        }
    }
    true
}

/// Whether a heading stands at every multiple of `length`, as far as the sample goes; `None` when there is no second record to tell.
fn repeats(h: &Heading, sample: &[u8], length: usize) -> Option<bool> {
    let mut told = None;
    for k in 1..LOOK {
        let Some(at) = sample.get(k * length..).filter(|r| r.len() >= h.length) else { break };
        if !fits(h, at) {
            return Some(false);
        }
        told = Some(true);
    }
    told
}

fn record_length(h: &Heading, sample: &[u8], whole: bool) -> Result<usize, Unknown> {
    let heading = h.kind.ibm_name();
    let last = MAX_RECORD.min(sample.len());
    let mut first: Option<usize> = None;
    for length in h.length..last {
        let here = sample.get(length..).unwrap_or(&[]);
        if !fits(h, here) || repeats(h, sample, length) != Some(true) {
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
        Some(n) => Ok(n),
        // One record only, or one and the torn front of a second.
        None if whole && sample.len() >= h.length && sample.len() <= MAX_RECORD => {
            let total = number::zoned(h.entry_length.of(sample)).and_then(|n| usize::try_from(n).ok());
            match total {
                Some(n) if n < sample.len() && sample.len() - n >= 32 && !rest_is_padding(sample, n) => {
                    Err(Unknown::NoLength { heading })
                }
                _ => Ok(sample.len()),
            }
        }
        None => Err(Unknown::NoLength { heading }),
    }
}

fn rest_is_padding(sample: &[u8], from: usize) -> bool {
    sample.get(from..).is_some_and(|r| r.iter().all(|b| *b == 0x40 || *b == 0))
}

fn check_length(h: &Heading, sample: &[u8], given: usize) -> Result<(), Unknown> {
    // One bad record among good ones is the reader's business; a length is wrong when the second and third both miss.
    let missing = |k: usize| sample.get(k * given..).is_some_and(|r| r.len() >= h.length && !fits(h, r));
    if missing(1) && (missing(2) || sample.len() < 3 * given) {
        let hint = match record_length(h, sample, true) {
            Ok(n) if n != sample.len() => format!(": {n} would fit"),
            _ => String::new(),
        };
        return Err(Unknown::WrongLength { heading: h.kind.ibm_name(), offset: given, given, hint });
    }
    Ok(())
}

fn no_heading(candidates: &[&Arc<Heading>], sample: &[u8]) -> Unknown {
    let front = sample.get(..512).unwrap_or(sample);
    if sample.iter().all(|b| *b == 0) {
        return Unknown::Zeros(sample.len());
    }
    let ascii = front.iter().filter(|b| matches!(b, 0x20..=0x7E | b'\n' | b'\r' | b'\t')).count();
    // EBCDIC letters and digits lie above X'80', so an EBCDIC heading is mostly outside ASCII (blanks, X'40', are not).
    let high = front.iter().filter(|b| **b >= 0x80).count();
    if ascii * 10 >= front.len() * 9
        && high * 10 < front.len()
        && front.iter().filter(|b| **b == 0x40).count() * 2 < front.len()
    {
        return Unknown::Ascii;
    }
    let tried: Vec<&str> = candidates.iter().map(|h| h.kind.ibm_name()).collect();
    let begin = front.iter().take(16).map(|b| format!("{b:02X}")).collect();
    Unknown::NoHeading { tried: tried.join(", "), begin }
}
