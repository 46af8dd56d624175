//! A rule as written, and where: what a verdict names, a report counts and an error points to.
use std::{fmt, sync::Arc};

/// A place in a configuration file, 1-based.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLocation {
    /// The file as it was named, or the name of a preset.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for ConfigLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The number of a rule in [`RuleBook`], in the order of the files: of two that match, the first speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct RuleId(pub u32);

impl RuleId {
    /// For tables beside the book.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The key that holds it: `objects.exclude`, or the option of a selection.
    pub key: Arc<str>,
    /// As written.
    pub written: String,
    /// Where; `None` for options.
    pub place: Option<ConfigLocation>,
}

impl Rule {
    /// Its name in reports: key and text.
    pub fn name(&self) -> String {
        if self.written.is_empty() { self.key.to_string() } else { format!("{} {}", self.key, self.written) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match &self.place {
            Some(p) => write!(f, " ({}:{})", p.file, p.line),
            None => Ok(()),
        }
    }
}

/// All rules of one filter, by their number.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    rules: Vec<Rule>,
}

impl RuleBook {
    /// Writes a rule in.
    pub fn add(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(u32::try_from(self.rules.len()).unwrap_or(u32::MAX));
        self.rules.push(rule);
        id
    }

    /// The rule of a number.
    pub fn get(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }

    /// How many there are: the length of a table of counts.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        self.rules.iter().enumerate().map(|(i, r)| (RuleId(u32::try_from(i).unwrap_or(u32::MAX)), r))
    }
}

/// A pattern and the rule it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePattern<T> {
    /// The rule.
    pub rule: RuleId,
    /// What it matches.
    pub pattern: T,
}

/// What one dimension leaves out and what it lets through nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists<T> {
    /// Left out.
    pub exclude: Vec<RulePattern<T>>,
    /// Sent nevertheless.
    pub include: Vec<RulePattern<T>>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists { exclude: Vec::new(), include: Vec::new() }
    }
}

impl<T> RulePattern<T> {
    /// Another number.
    pub fn renumber(&mut self, to: RuleId) {
        self.rule = to;
    }
}

impl<T> Lists<T> {
    /// All rules of it get this number.
    pub fn renumber(&mut self, to: RuleId) {
        self.exclude.iter_mut().chain(&mut self.include).for_each(|r| r.renumber(to));
    }

    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        self.exclude.is_empty()
    }
}
