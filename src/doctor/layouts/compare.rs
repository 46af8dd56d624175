//! Field by field: what our table reads in the bytes against what IBM's column says. Pure: entries in, verdicts out.
//!
//! IBM's columns are not the bytes: blanks become null, codes words (`Y` YES, `GRT` GRANT), an ASP number an integer, a file id
//! hexadecimal digits (the pages of AUDIT_JOURNAL_CP, _CA, _AD; rzajq). So codes may be written differently, as long as each code is
//! always written as the same word: one character, or a code that the table lists (a longer one that it does not list may be half of
//! another field). Everything else must be the same text or the same number. Where IBM says null and our field
//! holds something, nothing is proven: many columns are null by design for some details.
use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Example, FieldReport, TypeReport, Verdict};
use crate::decode::{
    ebcdic::Charset,
    journal::{
        Entry, Field, FieldKind, Heading, Layout, Value,
        text::{self, Presence},
        value,
    },
};

/// A column of a table function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// What a column holds, and so how it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Characters of the job, taken as they are.
    Text,
    /// Unicode, or a large object of characters.
    Wide,
    /// A number.
    Number,
    /// A date, a time, or both.
    Time,
    /// Bytes.
    Bytes,
}

/// An entry that came twice.
#[derive(Clone, Debug)]
pub struct Pair {
    /// RECEIVER:SEQUENCE.
    pub id: String,
    /// Its *TYPE5 record.
    pub record: Vec<u8>,
    /// IBM's columns, in the order of the columns asked for; `None` for null.
    pub theirs: Vec<Option<String>>,
}

/// What one side says in one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// Nothing that can be compared: the data ends before the field, or a character set is not known.
    Unknown,
    /// Blank, zero bytes, null.
    Nothing,
    Text(String),
    Number(i64),
    Bytes(String),
}

/// Compares the fields of a layout with the columns that are the type's own.
pub fn compare(
    layout: &Layout,
    heading: &Heading,
    job: &'static Charset,
    columns: &[Column],
    pairs: &[Pair],
) -> TypeReport {
    let entries: Vec<Entry<'_>> = pairs.iter().filter_map(|p| Entry::new(heading, &p.record).ok()).collect();
    let mut report = TypeReport {
        entry_type: layout.code.clone(),
        function: format!("AUDIT_JOURNAL_{}", layout.code),
        entries: pairs.len(),
        ..TypeReport::default()
    };
    let mut taken = BTreeSet::new();
    let mut unnamed = Vec::new();
    for field in layout.fields.iter().filter(|f| !f.reserved && f.kind != FieldKind::Rest) {
        let name = field.column.clone().unwrap_or_else(|| field.name.to_uppercase());
        let ours: Vec<Said> = entries.iter().map(|e| said_by_us(layout, field, e, job)).collect();
        let found = columns.iter().position(|c| c.name == name);
        let mut tally = Tally::default();
        if let Some(at) = found {
            taken.insert(at);
            tally = Tally::of(field, columns.get(at), at, &ours, pairs);
        } else {
            unnamed.push((report.fields.len(), ours));
        }
        report.fields.push(tally.report(field, found.map(|_| name)));
    }
    for (at, ours) in unnamed {
        let alike = columns.iter().enumerate().filter(|(c, _)| !taken.contains(c)).find(|(c, column)| {
            let tally = Tally::of_values(column, column.kind == ColumnKind::Bytes, *c, &ours, pairs);
            tally.different == 0 && tally.only_ours == 0 && tally.values.len() > 1
        });
        if let (Some((_, column)), Some(f)) = (alike, report.fields.get_mut(at)) {
            f.why = format!("{}; {} has the same values", f.why, column.name);
        }
    }
    let free = columns.iter().enumerate().filter(|(at, _)| !taken.contains(at));
    report.columns_without_field = free.map(|(_, c)| c.name.clone()).collect();
    report
}

/// What our table reads.
fn said_by_us(layout: &Layout, field: &Field, entry: &Entry<'_>, job: &'static Charset) -> Said {
    match value::field_value(layout, field, entry, job) {
        Presence::Absent if field.offset >= entry.data.len() && !entry.complete() => Said::Unknown,
        Presence::Absent => Said::Nothing,
        Presence::Cut(_) => Said::Unknown,
        Presence::Whole(Value::Number(None)) => Said::Nothing,
        Presence::Whole(Value::Number(Some(n))) => Said::Number(n),
        Presence::Whole(Value::Hex(bytes)) if text::is_blank(bytes) => Said::Nothing,
        Presence::Whole(Value::Hex(bytes)) => Said::Bytes(data_encoding::HEXUPPER.encode(bytes)),
        // IBM's column holds the bytes as text, whatever they are: nothing to compare.
        Presence::Whole(Value::Microseconds(_) | Value::Dts(_)) => Said::Unknown,
        Presence::Whole(Value::Text(t)) => match t.charset {
            _ if text::is_blank(t.bytes) => Said::Nothing,
            None => Said::Unknown,
            Some(charset) => match charset.decode_string(t.bytes).trim_end_matches([' ', '\0']) {
                "" => Said::Nothing,
                text => Said::Text(text.to_owned()),
            },
        },
    }
}

impl Said {
    /// As people read it.
    fn shown(&self) -> String {
        match self {
            Said::Unknown | Said::Nothing => String::new(),
            Said::Text(t) | Said::Bytes(t) => t.clone(),
            Said::Number(n) => n.to_string(),
        }
    }

    /// Whether a column says the same.
    fn is(&self, theirs: &str, kind: ColumnKind) -> bool {
        match self {
            Said::Unknown | Said::Nothing => false,
            Said::Number(n) => number(theirs) == Some(*n),
            Said::Bytes(hex) => hex.eq_ignore_ascii_case(theirs),
            Said::Text(text) => match kind {
                ColumnKind::Number => number(text).is_some() && number(text) == number(theirs),
                ColumnKind::Time => !digits(text).is_empty() && digits(theirs).starts_with(&digits(text)),
                _ => text == theirs,
            },
        }
    }
}

/// Whether bytes that come as digits are zero bytes or blanks only, as where there is no file id.
fn is_blank_hex(hex: &str) -> bool {
    hex.bytes().all(|b| b == b'0') || hex.as_bytes().chunks(2).all(|b| b == b"40")
}

/// A whole number, as DECIMAL or INTEGER is cast to text.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole =
        text.split_once('.').map_or(text, |(whole, rest)| if rest.trim_matches('0').is_empty() { whole } else { text });
    whole.parse().ok()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What was counted of one field and one column.
#[derive(Default)]
struct Tally {
    equal: usize,
    values: BTreeSet<String>,
    different: usize,
    only_ours: usize,
    /// Entries where IBM has a special value such as *SYSBAS for what is blank.
    special: usize,
    /// Entries where the field is a path relative to a directory and the column the whole path.
    relative: usize,
    example: Option<Example>,
    /// Each of our values with IBM's, while every one of ours has one of theirs, and how often.
    words: Option<BTreeMap<String, (String, usize)>>,
    /// The field has one byte.
    one_byte: bool,
    time: bool,
}

impl Tally {
    fn of(field: &Field, column: Option<&Column>, at: usize, ours: &[Said], pairs: &[Pair]) -> Tally {
        let Some(column) = column else { return Tally::default() };
        let is_bytes = column.kind == ColumnKind::Bytes || field.kind == FieldKind::Hex;
        let mut tally = Tally::of_values(column, is_bytes, at, ours, pairs);
        let is_code = |said: &Said| match said {
            Said::Nothing | Said::Unknown => true,
            Said::Text(_) | Said::Bytes(_) if field.length == 1 => true,
            said => field.values.contains_key(&said.shown()),
        };
        let is_code = ours.iter().all(is_code);
        if !is_code {
            tally.words = None;
        }
        tally.one_byte = field.length == 1;
        tally
    }

    fn of_values(column: &Column, is_bytes: bool, at: usize, ours: &[Said], pairs: &[Pair]) -> Tally {
        let mut t = Tally { words: Some(BTreeMap::new()), time: column.kind == ColumnKind::Time, ..Tally::default() };
        for (ours, pair) in ours.iter().zip(pairs) {
            let theirs = pair.theirs.get(at).and_then(Option::as_deref).unwrap_or("").trim_end();
            let theirs = if is_bytes && is_blank_hex(theirs) { "" } else { theirs };
            t.add(ours, theirs, column.kind, &pair.id);
        }
        t
    }

    fn add(&mut self, ours: &Said, theirs: &str, kind: ColumnKind, id: &str) {
        if *ours == Said::Unknown {
            return;
        }
        let shown = ours.shown();
        // Null for a code says nothing of the code; null for a blank is one of the words.
        if !theirs.is_empty() || *ours == Said::Nothing {
            // A code that is once this and once that is no code.
            let kept = self.words.take().filter(|words| words.get(&shown).is_none_or(|(word, _)| word == theirs));
            self.words = kept.map(|mut words| {
                words.entry(shown.clone()).or_insert_with(|| (theirs.to_owned(), 0)).1 += 1;
                words
            });
        }
        match (ours, theirs) {
            // Blank and null are the same value, and one among others: a flag that is set in some entries only.
            (Said::Nothing, "") => {
                self.values.insert(String::new());
            }
            // Zero is how many fields say nothing.
            (Said::Number(0), "") => {}
            (_, "") => self.only_ours += 1,
            (Said::Nothing, special) if special.starts_with('*') => self.special += 1,
            (ours, theirs) if ours.is(theirs, kind) => {
                self.equal += 1;
                self.values.insert(shown);
            }
            (Said::Text(path), theirs)
                if !path.starts_with('/') && theirs.starts_with('/') && theirs.ends_with(path) =>
            {
                self.relative += 1;
            }
            (_, theirs) => {
                self.different += 1;
                let (entry_id, theirs) = (id.to_owned(), theirs.to_owned());
                self.example.get_or_insert(Example { entry_id, ours: shown, theirs });
            }
        }
    }

    /// What IBM writes for our codes: every code one word, different ones for different codes, and two of them at least.
    fn coded(&self) -> Option<Vec<(String, String)>> {
        let words = self.words.as_ref()?;
        let different: BTreeSet<&String> = words.values().map(|(word, _)| word).collect();
        (words.len() > 1 && different.len() == words.len()).then(|| self.pairs())
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let words = self.words.iter().flatten();
        words.map(|(ours, (theirs, _))| (ours.clone(), theirs.clone())).collect()
    }

    /// Whether words for codes show that this is the place: any two bytes that differ once could stand for two words. So the table
    /// must know the codes, or there are two at least, and each was seen twice.
    fn words_are_proof(&self, field: &Field) -> bool {
        let codes: Vec<(&String, usize)> =
            self.words.iter().flatten().filter(|(code, _)| !code.is_empty()).map(|(code, (_, n))| (code, *n)).collect();
        let are_known = codes.iter().all(|(code, _)| field.values.contains_key(*code));
        are_known || codes.len() > 1 && codes.iter().all(|(_, n)| *n > 1)
    }

    /// One code, and IBM's word for it: it may be right, and shows nothing.
    fn is_one_code(&self) -> bool {
        self.words.as_ref().is_some_and(|words| words.len() == 1 && (self.one_byte || !words.contains_key("")))
    }

    fn report(mut self, field: &Field, column: Option<String>) -> FieldReport {
        let mut codes = Vec::new();
        if self.different > 0
            && let Some(found) = self.coded()
        {
            self.equal += self.different;
            self.values.extend(found.iter().map(|(ours, _)| ours.clone()));
            (self.different, self.example, codes) = (0, None, found);
        }
        let (verdict, why) = match &column {
            None => (Verdict::NotComparable, super::NO_COLUMN.to_owned()),
            Some(_) if self.different > 0 && self.time => {
                (Verdict::NotComparable, "IBM gives a time, the field is none".to_owned())
            }
            Some(_) if self.different > 0 && self.equal == 0 && self.is_one_code() => {
                codes = self.pairs();
                (Verdict::NotComparable, "one code only, which IBM writes as a word".to_owned())
            }
            Some(_) if self.different > 0 => (Verdict::Differ, String::new()),
            Some(_) if self.equal > 0 => (Verdict::Agree, String::new()),
            Some(_) if self.only_ours > 0 => (Verdict::NotComparable, "IBM's column is null".to_owned()),
            Some(_) if self.relative > 0 => (Verdict::NotComparable, "relative paths only".to_owned()),
            Some(_) => (Verdict::NotComparable, "no value in these entries".to_owned()),
        };
        if verdict != Verdict::Differ {
            (self.different, self.example) = (0, None);
        }
        // One value, however often, may stand at many places: it takes two to show that this is the place.
        let two_values = self.values.len() > 1;
        let enough = codes.is_empty() || self.words_are_proof(field);
        let shown = verdict == Verdict::Agree && two_values && enough && self.only_ours == 0;
        let action = match verdict {
            Verdict::Differ => Action::TurnOff,
            _ if shown && field.confidence.word() != "seen" => Action::Promote,
            _ => Action::None,
        };
        let why = match verdict {
            Verdict::Agree if self.only_ours > 0 => {
                format!("null in IBM's column in {} where ours has a value", entries(self.only_ours))
            }
            Verdict::Agree if !shown && field.confidence.word() != "seen" => {
                let few = if two_values { "too few entries for words" } else { "one value only" };
                format!("{few}: not promoted")
            }
            _ => why,
        };
        FieldReport {
            field: field.name.clone(),
            column: column.unwrap_or_default(),
            confidence: field.confidence.word(),
            verdict,
            action,
            equal: self.equal,
            values: self.values.len(),
            different: self.different,
            only_ours: self.only_ours,
            codes,
            example: self.example,
            why,
        }
    }
}

/// "1 entry", "2 entries".
pub fn entries(n: usize) -> String {
    format!("{n} {}", if n == 1 { "entry" } else { "entries" })
}
