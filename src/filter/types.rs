//! Rules over entry types: audit levels (`*SECURITY`), types (`PW`), and types with a detail (`CP-A`).
//!
//! A level takes the details it lists and any code of its types that no level lists, so that a code of a newer
//! release is not lost.
use std::str::FromStr;

use serde::Deserialize;

use crate::event::{Event, EventModel};

/// One rule, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeRule {
    /// `*ALL`.
    All,
    /// An auditing value.
    Level(String),
    /// A type.
    Type(String),
    /// A type and a detail code.
    Detail(String, String),
}

/// `types.send` and `types.exclude`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TypeRules {
    /// Sent; empty for all.
    #[serde(deserialize_with = "rules")]
    pub send: Vec<TypeRule>,
    /// Not sent, whatever `send` says.
    #[serde(deserialize_with = "rules")]
    pub exclude: Vec<TypeRule>,
}

/// A rule that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is no audit level, entry type or type and detail{hint}")]
pub struct UnknownType {
    /// The rule.
    pub written: String,
    /// The nearest that exists, as a sentence.
    pub hint: String,
}

impl FromStr for TypeRule {
    type Err = UnknownType;

    fn from_str(s: &str) -> Result<TypeRule, UnknownType> {
        let s = s.trim().to_uppercase();
        let is_type = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_alphanumeric());
        match s.split_once('-') {
            _ if s == "*ALL" => Ok(TypeRule::All),
            _ if s.len() > 1 && s.starts_with('*') => Ok(TypeRule::Level(s)),
            None if is_type(&s) => Ok(TypeRule::Type(s)),
            Some((t, d)) if is_type(t) && !d.is_empty() => Ok(TypeRule::Detail(t.to_owned(), d.to_owned())),
            _ => Err(UnknownType { written: s, hint: ": write PW, PW-P or *SECURITY".into() }),
        }
    }
}

fn rules<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<TypeRule>, D::Error> {
    let texts: Vec<String> = Vec::deserialize(d)?;
    texts.iter().map(|t| t.parse().map_err(serde::de::Error::custom)).collect()
}

/// What a set of rules says of one type.
#[derive(Clone, Debug, Default)]
struct Verdicts {
    /// Of codes that no level lists.
    other: bool,
    /// Of one-byte codes, by their EBCDIC byte: differs from `other`.
    exceptions: Vec<Vec<u8>>,
}

/// Rules compiled for a model.
#[derive(Clone, Debug)]
pub struct Compiled {
    by_type: Vec<Verdicts>,
}

impl Compiled {
    /// Looks every rule up in the tables.
    pub fn new(model: &EventModel, rules: &TypeRules) -> Result<Compiled, UnknownType> {
        for rule in rules.send.iter().chain(&rules.exclude) {
            check(model, rule)?;
        }
        // Without rules no table has to be read for a verdict: a start stays a matter of milliseconds.
        let all = rules.exclude.is_empty() && rules.send.iter().all(|r| *r == TypeRule::All);
        let by_type = if all { Vec::new() } else { (0..model.len()).map(|i| verdicts(model, i, rules)).collect() };
        Ok(Compiled { by_type })
    }

    /// Whether the rules let an event through.
    #[inline]
    pub fn sends(&self, ev: &Event<'_>) -> bool {
        match self.by_type.get(ev.kind.index) {
            Some(v) if v.exceptions.is_empty() => v.other,
            Some(v) => v.other != v.exceptions.iter().any(|e| e == ev.detail_code()),
            None => true,
        }
    }
}

fn check(model: &EventModel, rule: &TypeRule) -> Result<(), UnknownType> {
    let catalog = model.catalog();
    let nearest = |written: &str, known: &mut dyn Iterator<Item = &str>| UnknownType {
        written: written.to_owned(),
        hint: known
            .min_by_key(|k| distance(written, k))
            .map_or(String::new(), |k| format!(": did you mean {k}? `qaudjrn types` lists all")),
    };
    match rule {
        TypeRule::All => Ok(()),
        TypeRule::Level(l) if catalog.levels().levels.iter().any(|k| k.value == *l) => Ok(()),
        TypeRule::Level(l) => {
            Err(nearest(l, &mut catalog.levels().levels.iter().map(|l| l.value.as_str()).chain(["*ALL"])))
        }
        TypeRule::Type(t) | TypeRule::Detail(t, _) if catalog.layout(t).is_some() => Ok(()),
        TypeRule::Type(t) | TypeRule::Detail(t, _) => Err(nearest(t, &mut catalog.codes())),
    }
}

fn verdicts(model: &EventModel, index: usize, rules: &TypeRules) -> Verdicts {
    let kind = model.kind(index);
    let code = &kind.code;
    let listed: Vec<&String> =
        model.catalog().levels().levels.iter().filter_map(|l| l.details.get(code)).flatten().collect();
    // Of a detail; `None` asks for codes that no level lists.
    let matches = |rule: &TypeRule, detail: Option<&str>| match rule {
        TypeRule::All => true,
        TypeRule::Type(t) => t == code,
        TypeRule::Detail(t, d) => t == code && detail == Some(d.as_str()),
        TypeRule::Level(value) => model.catalog().levels().levels.iter().any(|l| {
            l.value == *value
                && l.entry_types.contains(code)
                && match (detail, l.details.get(code)) {
                    (Some(d), Some(details)) => details.iter().any(|x| x == d) || !listed.iter().any(|x| *x == d),
                    _ => true,
                }
        }),
    };
    let sent = |detail: Option<&str>| {
        (rules.send.is_empty() || rules.send.iter().any(|r| matches(r, detail)))
            && !rules.exclude.iter().any(|r| matches(r, detail))
    };
    let other = sent(None);
    let mut codes: Vec<&str> = kind.details().iter().map(|(_, d)| d.code.as_str()).collect();
    let named = rules.send.iter().chain(&rules.exclude).filter_map(|r| match r {
        TypeRule::Detail(t, d) if t == code => Some(d.as_str()),
        _ => None,
    });
    codes.extend(named);
    let exceptions =
        codes.into_iter().filter(|c| sent(Some(c)) != other).filter_map(|c| model.job_charset().encode(c)).collect();
    Verdicts { other, exceptions }
}

/// Levenshtein distance, for the nearest valid spelling.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX - 1);
            let next = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            diagonal = above;
            left = next;
            if let Some(r) = row.get_mut(j + 1) {
                *r = next;
            }
        }
    }
    row.last().copied().unwrap_or(0)
}
