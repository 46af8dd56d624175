//! Finding the heading and the record length of a capture from its bytes.
//!
//! A heading is recognised by what cannot be chance: digits in the lengths and the sequence number, a journal
//! code and an entry type of letters and digits, and the punctuation of the timestamp. The record length is found
//! from where headings stand (`length`), also where some of them, or the front, are damaged. Texts in a capture are
//! written by strangers, so where two lengths fit, the answer is an error that names the option to give, not a choice.
mod foreign;
mod length;
mod unknown;

use std::sync::Arc;

use encoding_rs::Encoding;

pub use self::{
    foreign::{Foreign, is_utf16},
    unknown::Unknown,
};

use super::{
    buffer::BufferFormat,
    entry::{is_letter, is_letter_or_digit},
    heading::{Heading, HeadingKind, Span, TIMESTAMP},
    number,
    record::{Framing, MAX_RECORD, Split, split},
};

/// How many records are looked at where the first are damaged and the options say what they are.
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
    /// `--encoding`: that of an export of the history log.
    pub encoding: Option<&'static Encoding>,
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

/// Finds heading and framing. `sample` is the front of the capture, `whole` when it is all of it.
pub fn detect(headings: &[Arc<Heading>], wanted: Wanted, sample: &[u8], whole: bool) -> Result<Found, Unknown> {
    if sample.is_empty() && whole {
        return Err(Unknown::Empty);
    }
    let candidates: Vec<&Arc<Heading>> = headings.iter().filter(|h| wanted.kind.is_none_or(|k| k == h.kind)).collect();
    let found = |h: &Arc<Heading>, framing| Found { heading: h.clone(), framing, history: None };

    if wanted.stream != Some(false)
        && wanted.record_length.is_none()
        && let Some(first) = candidates.iter().find(|h| is_stream(h, sample, whole, wanted))
    {
        // The first record may be the one whose heading is damaged.
        let sibling = candidates.iter().find(|h| Some(h.kind) == first.kind.sibling());
        let more = sibling.filter(|s| in_stream(s, sample, whole) > in_stream(first, sample, whole));
        return Ok(found(more.unwrap_or(first), Framing::Stream));
    }
    if wanted.stream != Some(true) {
        // Where a heading stands at the front, that is the one; else the first that stands anywhere.
        let (front, others): (Vec<_>, Vec<_>) = candidates.iter().copied().partition(|h| fits(h, sample));
        let mut failed = None;
        // The first record may be the one whose heading is damaged: then its sibling stands in the others.
        let siblings = others.iter().copied().filter(|o| front.iter().any(|h| Some(o.kind) == h.kind.sibling()));
        for h in front.iter().copied().chain(siblings) {
            // Two lengths that fit stay a question.
            if matches!(&failed, Some(e) if !matches!(e, Unknown::NoLength { .. })) {
                break;
            }
            match fixed(h, sample, whole, wanted) {
                Ok(Some(length)) => return Ok(found(h, Framing::Fixed(length))),
                Ok(None) => {}
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if wanted.stream.is_none()
            && wanted.record_length.is_none()
            && let Some(h) = candidates.iter().find(|h| begins_somewhere(h, sample))
        {
            return Ok(found(h, Framing::Stream));
        }
        if let Some(e) = failed {
            return Err(e);
        }
        if let Some(h) = candidates.iter().find(|h| is_stream(h, sample, whole, Wanted::default())) {
            return Err(Unknown::NotFixed { heading: h.kind.ibm_name() });
        }
        for h in others {
            match fixed(h, sample, whole, wanted) {
                Ok(Some(length)) => return Ok(found(h, Framing::Fixed(length))),
                Ok(None) => {}
                // A chance in damaged bytes is no reason not to look for the others.
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
    } else if let Some(h) = candidates.iter().find(|h| begins_somewhere(h, sample)) {
        return Ok(found(h, Framing::Stream));
    }
    Err(no_heading(headings, wanted, &candidates, sample))
}

/// The length of the records with this heading, found out or as given; `None` where there are none.
fn fixed(h: &Heading, sample: &[u8], whole: bool, wanted: Wanted) -> Result<Option<usize>, Unknown> {
    match wanted.record_length {
        Some(given) if given < h.length && wanted.kind.is_some() => {
            Err(Unknown::TooShort { heading: h.kind.ibm_name(), given, needs: h.length })
        }
        Some(given) if given < h.length => Ok(None),
        Some(given) => length::check_length(h, sample, whole, given).transpose().map(|checked| checked.map(|()| given)),
        None => length::record_length(h, sample, whole).transpose(),
    }
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
    let is_type = |two: &[u8; 2]| is_letter_or_digit(two[0]) && is_letter_or_digit(two[1]);
    has_numbers(h, bytes)
        && bytes.get(h.journal_code.at).is_some_and(|b| is_letter(*b))
        && bytes.get(h.entry_type.at..).and_then(<[u8]>::first_chunk).is_some_and(is_type)
        && is_this_sibling(h, bytes)
}

/// Whether a length, a sequence number and a time stand where the heading has them.
#[inline]
fn has_numbers(h: &Heading, bytes: &[u8]) -> bool {
    // Twenty digits may be more than a number holds.
    let is_small = h.sequence_number.len < 20 || bytes.get(h.sequence_number.at) == Some(&0xF0);
    if is_small && h.entry_length.of(bytes) != [0xF0; 5] && h.usual.matches(bytes) {
        return true;
    }
    has_odd_numbers(h, bytes)
}

/// Whether a heading of this kind stands here, whose numbers are written otherwise than nearly all are.
#[cold]
fn has_odd_numbers(h: &Heading, bytes: &[u8]) -> bool {
    let (length, number) = (h.entry_length.of(bytes), h.sequence_number.of(bytes));
    number::zoned(length).is_some_and(|n| n > 0)
        && number::digits(number).is_some()
        && h.timestamp.is_none_or(|s| is_timestamp(s.of(bytes)))
        && h.date.is_none_or(|s| is_digits_or_blank(s.of(bytes)))
        && h.time.is_none_or(|s| number::zoned(s.of(bytes)).is_some())
}

/// Whether these bytes, fewer than a heading has, may be the beginning of one.
pub fn may_fit(h: &Heading, bytes: &[u8]) -> bool {
    let is = |span: Span, good: &dyn Fn(usize, u8) -> bool| {
        let end = bytes.len().min(span.at + span.len);
        bytes.get(span.at..end).unwrap_or(&[]).iter().enumerate().all(|(i, b)| good(i, *b))
    };
    let digit = |b: u8| (0xF0..=0xF9).contains(&b);
    is(h.entry_length, &|_, b| digit(b))
        && is(h.sequence_number, &|_, b| digit(b) || b == 0x40)
        && is(h.journal_code, &|_, b| is_letter(b))
        && is(h.entry_type, &|_, b| is_letter_or_digit(b))
        && h.timestamp.is_none_or(|s| is(s, &is_of_timestamp))
        && h.date.is_none_or(|s| is(s, &|_, b| digit(b) || b == 0x40))
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
    b.len() == TIMESTAMP.len() && b.iter().enumerate().all(|(i, b)| is_of_timestamp(i, *b))
}

/// What may stand at a place of a timestamp.
fn is_of_timestamp(i: usize, b: u8) -> bool {
    TIMESTAMP.get(i).is_none_or(|(least, more)| b.wrapping_sub(*least) <= *more)
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

/// How many of the first records of a stream have a heading of this kind.
fn in_stream(h: &Heading, sample: &[u8], whole: bool) -> usize {
    let (mut rest, mut count) = (sample, 0);
    for _ in 0..LOOK {
        let Split::Record { bytes, used } = split(Framing::Stream, rest, whole) else { break };
        count += usize::from(fits(h, bytes));
        rest = rest.get(used..).unwrap_or(&[]);
    }
    count
}

/// The bytes of a length-prefixed record that begins here, prefix included: the length can be one, and a heading stands behind it.
pub fn prefixed(h: &Heading, bytes: &[u8]) -> Option<usize> {
    let (prefix, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
    ((h.length..=MAX_RECORD).contains(&length) && fits(h, rest)).then_some(length + 4)
}

/// Whether two length-prefixed records follow one another somewhere.
fn begins_somewhere(h: &Heading, sample: &[u8]) -> bool {
    (0..sample.len()).any(|at| {
        let bytes = sample.get(at..).unwrap_or(&[]);
        // The longest record is shorter than 16 MiB.
        bytes.first() == Some(&0)
            && prefixed(h, bytes).and_then(|used| bytes.get(used..)).is_some_and(|next| prefixed(h, next).is_some())
    })
}

fn no_heading(headings: &[Arc<Heading>], wanted: Wanted, candidates: &[&Arc<Heading>], sample: &[u8]) -> Unknown {
    let front = sample.get(..512).unwrap_or(sample);
    if sample.iter().all(|b| *b == 0) {
        return Unknown::Zeros(sample.len());
    }
    if let Some(foreign) = foreign::foreign(front) {
        return Unknown::Foreign(foreign);
    }
    let count = |wanted: fn(u8) -> bool| front.iter().filter(|b| wanted(**b)).count();
    let ascii = count(|b| matches!(b, 0x20..=0x7E | b'\n' | b'\r' | b'\t'));
    // EBCDIC letters and digits lie above X'80', and its blank is ASCII's @: a heading is never like this.
    let (high, at) = (count(|b| b >= 0x80), count(|b| b == 0x40));
    if ascii * 10 >= front.len() * 9 && high * 10 < front.len() && at * 2 < front.len() {
        return Unknown::Ascii;
    }
    let is_prefixed = |h: &&Arc<Heading>| is_stream(h, sample, false, Wanted::default());
    if let Some(h) = candidates.iter().find(|h| fits(h, sample)).filter(|_| wanted.stream == Some(true)) {
        return Unknown::NotAStream { heading: h.kind.ibm_name() };
    }
    if let Some(h) = candidates.iter().find(|h| is_prefixed(h)) {
        return Unknown::NotFixed { heading: h.kind.ibm_name() };
    }
    let other = headings.iter().find(|h| fits(h, sample) || is_prefixed(h));
    if let Some(h) = other.filter(|_| wanted.kind.is_some() || wanted.stream.is_some()) {
        let framing = match (fits(h, sample), wanted.stream) {
            (true, Some(true)) => ", without --input-framing stream",
            (false, Some(false)) => " --input-framing stream",
            _ => "",
        };
        return Unknown::Other { is: h.kind.ibm_name(), option: format!("--input {}{framing}", h.kind.key()) };
    }
    let tried: Vec<&str> = candidates.iter().map(|h| h.kind.ibm_name()).collect();
    let begin = front.iter().take(16).map(|b| format!("{b:02X}")).collect();
    Unknown::NoHeading { tried: tried.join(", "), begin }
}

#[cfg(test)]
mod tests;
