//! Rules over entry types: audit levels (`*SECURITY`), types (`PW`), and types with a detail (`CP-A`).
//!
//! A level takes the details it lists and any code of its types that no level lists, so that a code of a newer
//! release is not lost.
use std::str::FromStr;

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::take_while_m_n,
    character::complete::{anychar, char},
    combinator::{map, opt, recognize, rest, verify},
    sequence::preceded,
};

use super::rule::{RuleId, RulePattern};
use crate::{
    decode::{history::messages::is_message_id, journal::Catalog},
    event::{Event, EventModel},
    parse::whole,
};

/// One rule, as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeRule {
    /// `*ALL`.
    All,
    /// An auditing value.
    Level(String),
    /// A type.
    Type(String),
    /// A type and a detail code; of the history log's own type QH the code is the message id.
    Detail(String, String),
}

/// The entry type of history log messages.
const HISTORY: &str = "QH";

impl TypeRule {
    /// Whether it is about messages of the history log. `[filter] types` has none of these: `history` chooses among them.
    pub fn is_history(&self) -> bool {
        matches!(self, TypeRule::Type(t) | TypeRule::Detail(t, _) if t == HISTORY)
    }

    /// A rule of `[filter] types`.
    pub fn of_entries(s: &str) -> Result<TypeRule, UnknownType> {
        let rule: TypeRule = s.parse()?;
        let hint = ": messages of the history log are chosen by history.send".to_owned();
        if rule.is_history() { Err(UnknownType { written: s.to_owned(), hint }) } else { Ok(rule) }
    }
}

/// `types.send` and `types.exclude`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeRules {
    /// Sent; without any, or with `*ALL`, everything.
    pub send: Vec<RulePattern<TypeRule>>,
    /// Not sent, whatever `send` says.
    pub exclude: Vec<RulePattern<TypeRule>>,
    /// What an entry that no rule of `send` takes is counted under: the key itself.
    pub send_rule: Option<RuleId>,
}

impl TypeRules {
    /// All rules of it get this number.
    pub fn renumber(&mut self, to: RuleId) {
        self.send.iter_mut().chain(&mut self.exclude).for_each(|r| r.renumber(to));
        self.send_rule.iter_mut().for_each(|r| *r = to);
    }

    /// Whether everything is sent.
    pub fn is_all(&self) -> bool {
        self.exclude.is_empty() && self.sends_all()
    }

    fn sends_all(&self) -> bool {
        self.send.is_empty() || self.send.iter().any(|r| r.pattern == TypeRule::All)
    }
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
        whole(s.as_str(), rule).ok_or_else(|| UnknownType {
            written: s.clone(),
            hint: ": write PW, PW-P, *SECURITY, or CPF1164 for a message of the history log".into(),
        })
    }
}

/// `*ALL`, `*LEVEL`, a message id, `TYPE` or `TYPE-DETAIL`, in upper case.
fn rule(text: &str) -> IResult<&str, TypeRule, ()> {
    let level = recognize((char('*'), anychar, rest));
    let message = verify(rest, is_message_id);
    let code = take_while_m_n(2, 2, |c: char| c.is_ascii_alphanumeric());
    let detail = preceded(char('-'), recognize((anychar, rest)));
    alt((
        map(level, |level: &str| if level == "*ALL" { TypeRule::All } else { TypeRule::Level(level.to_owned()) }),
        map(message, |id: &str| TypeRule::Detail(HISTORY.to_owned(), id.to_owned())),
        map((code, opt(detail)), |(code, detail): (&str, Option<&str>)| match detail {
            Some(detail) => TypeRule::Detail(code.to_owned(), detail.to_owned()),
            None => TypeRule::Type(code.to_owned()),
        }),
    ))
    .parse(text)
}

impl std::fmt::Display for TypeRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TypeRule::All => f.write_str("*ALL"),
            TypeRule::Level(t) | TypeRule::Type(t) => f.write_str(t),
            TypeRule::Detail(t, d) => write!(f, "{t}-{d}"),
        }
    }
}

/// What the rules say of one type: the rule that drops it, `None` when it is sent.
#[derive(Clone, Debug, Default)]
struct Verdicts {
    /// Of codes that no level and no rule names.
    other: Option<RuleId>,
    /// Of one-byte codes, by their EBCDIC byte, where some differ.
    by_byte: Option<Box<[Option<RuleId>; 256]>>,
    /// Of longer codes.
    by_code: Vec<(Vec<u8>, Option<RuleId>)>,
}

/// Rules compiled for a model.
#[derive(Clone, Debug)]
pub struct CompiledTypes {
    by_type: Vec<Verdicts>,
}

impl CompiledTypes {
    /// Looks every rule up in the tables.
    pub fn new(model: &EventModel, rules: &TypeRules) -> Result<CompiledTypes, UnknownType> {
        for rule in rules.send.iter().chain(&rules.exclude) {
            check(model.catalog(), &rule.pattern)?;
        }
        // Without rules no table has to be read for a verdict: a start stays a matter of milliseconds.
        let by_type =
            if rules.is_all() { Vec::new() } else { (0..model.len()).map(|i| verdicts(model, i, rules)).collect() };
        Ok(CompiledTypes { by_type })
    }

    /// The rule that drops an event.
    #[inline]
    pub fn drops(&self, ev: &Event<'_>) -> Option<RuleId> {
        let v = self.by_type.get(ev.kind.index)?;
        let Some(by_byte) = &v.by_byte else { return v.other };
        match ev.detail_code() {
            [b] => by_byte[usize::from(*b)],
            code => v.by_code.iter().find(|(c, _)| c == code).map_or(v.other, |(_, verdict)| *verdict),
        }
    }
}

/// How much of something is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coverage {
    /// Everything.
    All,
    /// Part of it.
    Some,
    /// Nothing.
    None,
}

/// How much of a type is sent: of the details that an auditing value lists, or of all that any value lists and the code
/// that none does.
pub fn coverage(catalog: &Catalog, rules: &TypeRules, code: &str, level: Option<&str>) -> Coverage {
    let levels = catalog.levels().levels.iter().filter(|l| level.is_none_or(|v| l.value == v));
    let listed = levels.filter_map(|l| l.details.get(code)).flatten().map(|d| Some(d.as_str()));
    let mut details: Vec<Option<&str>> = listed.collect();
    if details.is_empty() || level.is_none() {
        details.push(None);
    }
    let sent = details.iter().filter(|d| drops(catalog, rules, code, **d).is_none()).count();
    match sent {
        0 => Coverage::None,
        n if n == details.len() => Coverage::All,
        _ => Coverage::Some,
    }
}

/// Whether the tables know what a rule names.
pub fn check(catalog: &Catalog, rule: &TypeRule) -> Result<(), UnknownType> {
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
        TypeRule::Type(t) | TypeRule::Detail(t, _) if catalog.has(t) || rule.is_history() => Ok(()),
        TypeRule::Type(t) | TypeRule::Detail(t, _) => Err(nearest(t, &mut catalog.codes())),
    }
}

/// Whether a rule takes a detail of a type; `None` asks for codes that no level lists.
fn takes(catalog: &Catalog, rule: &TypeRule, code: &str, detail: Option<&str>) -> bool {
    match rule {
        TypeRule::All => true,
        TypeRule::Type(t) => t == code,
        TypeRule::Detail(t, d) => t == code && detail == Some(d.as_str()),
        TypeRule::Level(value) => catalog.levels().levels.iter().any(|l| {
            l.value == *value
                && l.entry_types.iter().any(|t| t == code)
                && match (detail, l.details.get(code)) {
                    (Some(d), Some(details)) => {
                        details.iter().any(|x| x == d)
                            || !catalog
                                .levels()
                                .levels
                                .iter()
                                .filter_map(|l| l.details.get(code))
                                .flatten()
                                .any(|x| x == d)
                    }
                    _ => true,
                }
        }),
    }
}

/// The rule that drops a detail of a type; `None` asks for codes that no level lists.
pub fn drops(catalog: &Catalog, rules: &TypeRules, code: &str, detail: Option<&str>) -> Option<RuleId> {
    if !rules.sends_all() && !rules.send.iter().any(|r| takes(catalog, &r.pattern, code, detail)) {
        return rules.send_rule;
    }
    rules.exclude.iter().find(|r| takes(catalog, &r.pattern, code, detail)).map(|r| r.rule)
}

fn verdicts(model: &EventModel, index: usize, rules: &TypeRules) -> Verdicts {
    let catalog = model.catalog();
    let code = model.code(index);
    let verdict = |detail: Option<&str>| drops(catalog, rules, code, detail);
    let other = verdict(None);
    let mut codes: Vec<&str> =
        catalog.levels().levels.iter().filter_map(|l| l.details.get(code)).flatten().map(String::as_str).collect();
    codes.extend(rules.send.iter().chain(&rules.exclude).filter_map(|r| match &r.pattern {
        TypeRule::Detail(t, d) if t == code => Some(d.as_str()),
        _ => None,
    }));
    let mut v = Verdicts { other, by_byte: None, by_code: Vec::new() };
    for c in codes {
        let verdict = verdict(Some(c));
        let Some(bytes) = model.job_charset().encode(c).filter(|_| verdict != other) else { continue };
        let table = v.by_byte.get_or_insert_with(|| Box::new([other; 256]));
        match bytes.as_slice() {
            [b] => table[usize::from(*b)] = verdict,
            _ => v.by_code.push((bytes, verdict)),
        }
    }
    v
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_over_types_is_read_as_it_is_meant() {
        let rule = |kind: fn(String) -> TypeRule, text: &str| kind(text.to_owned());
        for (text, want) in [
            ("*ALL", TypeRule::All),
            (" *all ", TypeRule::All),
            ("*security", rule(TypeRule::Level, "*SECURITY")),
            ("*ALL-PW", rule(TypeRule::Level, "*ALL-PW")),
            ("PW", rule(TypeRule::Type, "PW")),
            ("q9", rule(TypeRule::Type, "Q9")),
            ("pw-p", TypeRule::Detail("PW".into(), "P".into())),
            ("CP-A-B", TypeRule::Detail("CP".into(), "A-B".into())),
            ("PW- ", TypeRule::Detail("PW".into(), "".into())),
            ("QH-CPF1164", TypeRule::Detail("QH".into(), "CPF1164".into())),
            ("cpf22e2", TypeRule::Detail("QH".into(), "CPF22E2".into())),
            ("A9Z00FF", TypeRule::Detail("QH".into(), "A9Z00FF".into())),
        ] {
            match text.parse::<TypeRule>() {
                Ok(found) => assert_eq!(found, want, "{text}"),
                // Blanks at the end are no detail.
                Err(e) => assert_eq!((text, e.written.as_str()), ("PW- ", "PW-")),
            }
        }
    }

    #[test]
    fn what_is_no_rule_over_types_is_told_word_for_word() {
        for wrong in [
            "", "*", "P", "PWX", "PW-", "-P", "P-W", "PWX-P", "P W", "Ü", "PÜ", "CPF116", "CPF11644", "CPF116G",
            "1PF1164", "CÜF1164",
        ] {
            let hint = "write PW, PW-P, *SECURITY, or CPF1164 for a message of the history log";
            let text = format!("{wrong:?} is no audit level, entry type or type and detail: {hint}");
            assert_eq!(wrong.parse::<TypeRule>().unwrap_err().to_string(), text);
        }
        for history in ["QH", "qh-CPF1164", "CPF1164"] {
            let hint = "messages of the history log are chosen by history.send";
            let text = format!("{history:?} is no audit level, entry type or type and detail: {hint}");
            assert_eq!(TypeRule::of_entries(history).unwrap_err().to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_a_rule_reads_back_as_it_is_shown(text in "[*1 ]?[A-Qaü]{0,3}-?[A-F0-9]{0,5}\\PC?") {
            if let Ok(rule) = text.parse::<TypeRule>() {
                proptest::prop_assert_eq!(rule.to_string().parse::<TypeRule>().unwrap(), rule);
            }
        }
    }
}
