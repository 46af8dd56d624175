//! Names in IBM's notation (`PAYLIB`, generic `PAY*`, `*ALL`), alone or qualified (`LIB/OBJ`, `NUMBER/USER/NAME`), and
//! the tree that finds the rule for the names of an entry.
//!
//! Names are compared as EBCDIC bytes in the CCSID of the jobs. A look-up costs one hash table access per part for the
//! exact name and one per length of generic name in use, however many rules there are.
use std::str::FromStr;

use rustc_hash::FxHashMap;

use super::rule::{RuleId, RulePattern};
use crate::decode::{
    ebcdic::{Ccsid, Charset},
    journal::text::trim_blanks,
};

/// The longest name in a [`Key`].
const WIDTH: usize = 16;

/// A name in EBCDIC, padded with blanks, ready to compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(u128);

impl Key {
    /// Of the bytes of a field. `None` for a field that holds nothing, `*N` (IBM's "not applicable") or more than a name.
    #[inline]
    pub fn of(field: &[u8]) -> Option<Key> {
        // Blank, NUL or a control character: no name begins so. In a mixed CCSID it may begin with shift-out.
        if matches!(*field.first()?, 0..=0x0D | 0x0F..=0x40) {
            return None;
        }
        Key::any(field).filter(|key| *key != Key::NOT_APPLICABLE)
    }

    /// `*N` as EBCDIC: the asterisk and letters stand at the same place in every code page.
    const NOT_APPLICABLE: Key = {
        let mut b = [0x40; WIDTH];
        b[0] = 0x5C;
        b[1] = 0xD5;
        Key(u128::from_be_bytes(b))
    };

    #[inline]
    fn any(field: &[u8]) -> Option<Key> {
        let mut bytes = [0x40; WIDTH];
        let field = if field.len() > WIDTH { trim_blanks(field) } else { field };
        bytes.get_mut(..field.len())?.copy_from_slice(field);
        Some(Key(u128::from_be_bytes(bytes)))
    }

    /// Its first `n` bytes.
    #[inline]
    fn prefix(self, n: u8) -> Key {
        let keep = u128::MAX.checked_shl(8 * (WIDTH as u32 - u32::from(n))).unwrap_or(0);
        Key(self.0 & keep | u128::from_be_bytes([0x40; WIDTH]) & !keep)
    }

    /// Its bytes without padding.
    pub fn bytes(self) -> Vec<u8> {
        trim_blanks(&self.0.to_be_bytes()).to_vec()
    }
}

/// What a name may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// `*ALL`.
    All,
    /// This one.
    Exact(String),
    /// All that begin so: `PAY*`.
    Generic(String),
}

impl Name {
    /// Whether some name matches both.
    pub fn overlaps(&self, other: &Name) -> bool {
        match (self, other) {
            (Name::All, _) | (_, Name::All) => true,
            (Name::Exact(a), Name::Exact(b)) => a == b,
            (Name::Exact(a), Name::Generic(g)) | (Name::Generic(g), Name::Exact(a)) => a.starts_with(g.as_str()),
            (Name::Generic(a), Name::Generic(b)) => a.starts_with(b.as_str()) || b.starts_with(a.as_str()),
        }
    }

    /// Whether every name that `other` matches is matched here too.
    pub fn covers(&self, other: &Name) -> bool {
        match (self, other) {
            (Name::All, _) => true,
            (_, Name::All) => false,
            (Name::Exact(a), Name::Exact(b)) => a == b,
            (Name::Exact(_), Name::Generic(_)) => false,
            (Name::Generic(g), Name::Exact(b) | Name::Generic(b)) => b.starts_with(g.as_str()),
        }
    }

    /// Whether it can be written in the character set of the jobs.
    pub fn fits(&self, job: &'static Charset) -> bool {
        match self {
            Name::All => true,
            Name::Exact(n) | Name::Generic(n) => !Name::keys(n, job).is_empty(),
        }
    }

    /// The keys for which to look. `#`, `@` and `$` have two forms: the bytes of the jobs' CCSID, and those of CCSID 37,
    /// which the system gives to these characters in names whatever the CCSID is.
    fn keys(text: &str, job: &'static Charset) -> Vec<Key> {
        let invariant = |c: char| Charset::of(Ccsid(37)).and_then(|l| l.encode(c.encode_utf8(&mut [0; 4])));
        let bytes = |ibm: bool| {
            let mut out = Vec::new();
            for c in text.chars() {
                let own = job.encode(c.encode_utf8(&mut [0; 4]));
                out.extend(if ibm && matches!(c, '#' | '@' | '$') { invariant(c) } else { own }?);
            }
            Key::any(&out)
        };
        let mut keys: Vec<Key> = [bytes(false), bytes(true)].into_iter().flatten().collect();
        keys.dedup();
        keys
    }
}

/// What stands where a name is expected and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(pub String);

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Name, BadName> {
        let bad = |why: String| Err(BadName(why));
        let text = text.trim();
        let name = if text.starts_with('"') { text.trim().to_owned() } else { text.trim().to_uppercase() };
        match name.as_str() {
            "" => return bad("a name is missing: it is empty".into()),
            "*ALL" => return Ok(Name::All),
            "*" => return bad("* alone is no name: write *ALL".into()),
            special if special.starts_with('*') => {
                return bad(format!("{special} is no name: expected a name, a generic name such as PAY*, or *ALL"));
            }
            _ => {}
        }
        let (stem, generic) = match name.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (name.as_str(), false),
        };
        if stem.contains('*') {
            return bad(format!("{name}: a generic name has one * and it is the last character, such as PAY*"));
        }
        let length = stem.chars().count();
        if length > 10 {
            return bad(format!("{name}: a name has at most 10 characters, this one {length}"));
        }
        let quoted = stem.starts_with('"');
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '#' | '@' | '$' | '_' | '.' | '£' | '§' | '¥' | '-');
        if let Some(c) = stem.chars().find(|c| if quoted { c.is_control() || *c == ' ' } else { !legal(*c) }) {
            return bad(format!("{name}: {c:?} cannot stand in a name"));
        }
        Ok(if generic { Name::Generic(stem.to_owned()) } else { Name::Exact(stem.to_owned()) })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::All => f.write_str("*ALL"),
            Name::Exact(n) => f.write_str(n),
            Name::Generic(n) => write!(f, "{n}*"),
        }
    }
}

/// A name in `N` parts, the most significant first.
pub type Qualified<const N: usize> = [Name; N];

/// Whether some names match both.
pub fn overlap<const N: usize>(a: &Qualified<N>, b: &Qualified<N>) -> bool {
    a.iter().zip(b).all(|(a, b)| a.overlaps(b))
}

/// Whether all names that `b` matches are matched by `a`.
pub fn covers<const N: usize>(a: &Qualified<N>, b: &Qualified<N>) -> bool {
    a.iter().zip(b).all(|(a, b)| a.covers(b))
}

/// A library object: library, name, type.
pub fn object(text: &str) -> Result<Qualified<3>, BadName> {
    if text.starts_with('/') {
        return Err(BadName(format!("{text}: this is a path: it belongs in ifs.exclude or ifs.include")));
    }
    let (qualified, object_type) = match text.split_once(':') {
        Some((q, t)) => (q, object_type(t)?),
        None => (text, Name::All),
    };
    match qualified.split_once('/') {
        Some((library, name)) if !name.contains('/') => Ok([library.parse()?, name.parse()?, object_type]),
        _ => Err(BadName(format!(
            "{text}: expected LIBRARY/OBJECT, such as PAYLIB/*ALL, PAY*/CUST* or QTEMP/*ALL:*FILE; *ALL/{qualified} for every library"
        ))),
    }
}

fn object_type(text: &str) -> Result<Name, BadName> {
    let t = text.trim().to_uppercase();
    match t.strip_prefix('*') {
        Some("ALL") => Ok(Name::All),
        Some(rest) if !rest.is_empty() && rest.len() <= 7 && rest.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Ok(Name::Exact(t))
        }
        _ => Err(BadName(format!("{text:?}: expected an object type, such as *FILE, *PGM or *ALL"))),
    }
}

/// A program: library, name. The library may be left out.
pub fn program(text: &str) -> Result<Qualified<2>, BadName> {
    match text.split_once('/') {
        None => Ok([Name::All, text.parse()?]),
        Some((library, name)) if !name.contains('/') => Ok([library.parse()?, name.parse()?]),
        Some(_) => Err(BadName(format!("{text}: expected PROGRAM or LIBRARY/PROGRAM"))),
    }
}

/// A job: number, user, name, as IBM qualifies it. Number, or number and user, may be left out.
pub fn job(text: &str) -> Result<Qualified<3>, BadName> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [name] => Ok([Name::All, Name::All, name.parse()?]),
        [user, name] => Ok([Name::All, user.parse()?, name.parse()?]),
        [number, user, name] => {
            let number: Name = number.parse()?;
            if let Name::Exact(n) | Name::Generic(n) = &number
                && !n.bytes().all(|b| b.is_ascii_digit())
            {
                return Err(BadName(format!("{text}: a job number has digits only: NUMBER/USER/NAME")));
            }
            Ok([number, user.parse()?, name.parse()?])
        }
        _ => Err(BadName(format!("{text}: expected NAME, USER/NAME or NUMBER/USER/NAME"))),
    }
}

/// Rules over names in `N` parts, compiled for a character set.
#[derive(Clone, Debug)]
pub struct NameTree<const N: usize> {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    exact: FxHashMap<Key, u32>,
    generic: FxHashMap<Key, u32>,
    /// Bit n: generic names of n bytes are in use.
    lengths: u32,
    all: Option<u32>,
    /// At the last part: the first rule that ends here.
    rule: Option<RuleId>,
}

impl<const N: usize> NameTree<N> {
    /// Compiles patterns. What the character set cannot write matches nothing: see [`Name::fits`].
    pub fn new<'p>(
        patterns: impl Iterator<Item = &'p RulePattern<Qualified<N>>>,
        job: &'static Charset,
    ) -> NameTree<N> {
        let mut tree = NameTree { nodes: vec![Node::default()] };
        for p in patterns {
            let mut ends = vec![0u32];
            for part in &p.pattern {
                ends = ends.into_iter().flat_map(|at| tree.step(at, part, job)).collect();
            }
            for at in ends {
                if let Some(node) = tree.nodes.get_mut(at as usize) {
                    node.rule = Some(node.rule.map_or(p.rule, |r| r.min(p.rule)));
                }
            }
        }
        tree
    }

    fn step(&mut self, at: u32, part: &Name, job: &'static Charset) -> Vec<u32> {
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let mut made = 0;
        let Some(node) = self.nodes.get_mut(at as usize) else { return Vec::new() };
        let mut child = || {
            made += 1;
            next + made - 1
        };
        let found: Vec<u32> = match part {
            Name::All => vec![*node.all.get_or_insert_with(&mut child)],
            Name::Exact(n) => {
                Name::keys(n, job).into_iter().map(|k| *node.exact.entry(k).or_insert_with(&mut child)).collect()
            }
            Name::Generic(n) => Name::keys(n, job)
                .into_iter()
                .map(|k| {
                    node.lengths |= 1 << k.bytes().len();
                    *node.generic.entry(k).or_insert_with(&mut child)
                })
                .collect(),
        };
        self.nodes.resize_with(self.nodes.len() + made as usize, Node::default);
        found
    }

    /// Whether there are no rules.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// The first rule that matches these names. A part that is `None` (a field the entry does not hold) is matched by
    /// `*ALL` only.
    #[inline]
    pub fn find(&self, names: &[Option<Key>; N]) -> Option<RuleId> {
        if self.is_empty() { None } else { self.walk(0, names) }
    }

    fn walk(&self, at: u32, names: &[Option<Key>]) -> Option<RuleId> {
        let node = self.nodes.get(at as usize)?;
        let Some((name, rest)) = names.split_first() else { return node.rule };
        let mut best: Option<RuleId> = None;
        let mut take = |child: Option<&u32>| {
            if let Some(rule) = child.and_then(|c| self.walk(*c, rest)) {
                best = Some(best.map_or(rule, |b| b.min(rule)));
            }
        };
        if let Some(name) = name {
            if !node.exact.is_empty() {
                take(node.exact.get(name));
            }
            let mut lengths = node.lengths;
            while lengths != 0 {
                let n = lengths.trailing_zeros() as u8;
                lengths &= lengths - 1;
                take(node.generic.get(&name.prefix(n)));
            }
        }
        take(node.all.as_ref());
        best
    }
}

#[cfg(test)]
mod tests;
