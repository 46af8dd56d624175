//! Paths of the integrated file system: rules over them, and the tree that finds the most specific one.
//!
//! A rule names an object: `/tmp` is that object and all below it, `/` everything. `*` and `?` stand for characters
//! within one component. A last component that is `*` alone names the direct children and nothing below them. Paths are
//! compared by components after `//`, `.`, `..` and trailing slashes are resolved; letters without case, except
//! under /QOpenSys, which is case-sensitive.
//!
//! A look-up costs some hash table accesses per component, however many rules there are; only globs with neither a
//! fixed beginning nor a fixed end are tried one by one.
use std::str::FromStr;

use rustc_hash::FxHashMap;

use super::{
    names::BadName,
    rule::{Lists, RuleId},
};
use crate::decode::ebcdic::{Charset, Kind, Unit};

/// A rule over paths, resolved and folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// Without case, but below /QOpenSys.
    components: Vec<String>,
    /// The last component is `*`: the direct children only.
    children_only: bool,
}

impl FromStr for PathPattern {
    type Err = BadName;

    fn from_str(text: &str) -> Result<PathPattern, BadName> {
        if !text.starts_with('/') {
            return Err(BadName(format!(
                "{text:?}: expected an absolute path such as /tmp; library objects belong in objects.exclude or objects.include"
            )));
        }
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(BadName(format!("{text:?}: {c:?} cannot stand in a path")));
        }
        let mut path = Path::default();
        path.read(text.chars().map(Unit::Char));
        let components: Vec<String> = path.components().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        let children_only = components.last().is_some_and(|c| c == "*");
        Ok(PathPattern { components, children_only })
    }
}

impl PathPattern {
    /// How specific it is: depth first, then, from the left, how many characters of a component are fixed.
    fn specificity(&self) -> (usize, Vec<usize>) {
        let fixed = |c: &String| match is_glob(c) {
            true => c.chars().filter(|c| !matches!(c, '*' | '?')).count(),
            false => usize::MAX,
        };
        (self.components.len(), self.components.iter().map(fixed).collect())
    }

    /// Whether some path matches both. Two globs at the same place count as overlapping: this is for warnings only.
    pub fn overlaps(&self, other: &PathPattern) -> bool {
        let (short, long) = if self.components.len() <= other.components.len() { (self, other) } else { (other, self) };
        let same_depth = short.components.len() == long.components.len();
        (same_depth || !short.children_only)
            && short.components.iter().zip(&long.components).all(|(a, b)| match (is_glob(a), is_glob(b)) {
                (false, false) => a == b,
                (true, false) => glob_matches(a, b),
                (false, true) => glob_matches(b, a),
                (true, true) => true,
            })
    }

    /// Whether it is tried one by one: a glob without a fixed beginning or end.
    pub fn is_slow(&self) -> bool {
        self.components.iter().any(|c| matches!(Shape::of(c), Shape::Free))
    }
}

/// The components of a path, resolved and folded; reused from entry to entry.
#[derive(Clone, Debug, Default)]
pub struct Path {
    bytes: Vec<u8>,
    /// Ends of the components in `bytes`.
    ends: Vec<usize>,
}

impl Path {
    /// The components in UTF-8.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(from, to)| self.bytes.get(*from..*to).unwrap_or(&[]))
    }

    /// As text, for people.
    pub fn text(&self) -> String {
        let parts: Vec<_> = self.components().map(String::from_utf8_lossy).collect();
        format!("/{}", parts.join("/"))
    }

    /// Reads an absolute path in a character set. `false` when it is not absolute: then it matches no rule.
    pub fn decode(&mut self, bytes: &[u8], charset: &'static Charset) -> bool {
        self.bytes.clear();
        self.ends.clear();
        let mut first = true;
        let mut absolute = false;
        let mut each = |unit: Unit| {
            if std::mem::replace(&mut first, false) {
                absolute = unit == Unit::Char('/');
            }
            self.push(unit);
        };
        match charset.kind() {
            // Nearly all paths are UTF-16 of plain letters.
            Kind::Utf16Be if bytes.len().is_multiple_of(2) && bytes.iter().step_by(2).all(|b| *b == 0) => {
                let low = bytes.iter().skip(1).step_by(2);
                low.for_each(|b| each(Unit::Char(char::from(*b))));
            }
            _ => charset.decode(bytes, &mut each),
        }
        self.end();
        absolute
    }

    fn read(&mut self, units: impl Iterator<Item = Unit>) {
        units.for_each(|u| self.push(u));
        self.end();
    }

    #[inline]
    fn push(&mut self, unit: Unit) {
        let c = match unit {
            Unit::Char('/') => return self.end(),
            Unit::Char(c) => c,
            Unit::Surrogate(_) | Unit::Byte(_) => char::REPLACEMENT_CHARACTER,
        };
        let folded = if self.is_case_sensitive() { c } else { fold(c) };
        if folded.is_ascii() {
            self.bytes.push(folded as u8);
        } else {
            self.bytes.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// Below /QOpenSys.
    #[inline]
    fn is_case_sensitive(&self) -> bool {
        self.ends.first() == Some(&8) && self.bytes.starts_with(b"qopensys")
    }

    /// Ends a component and resolves it.
    #[inline]
    fn end(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        match self.bytes.get(start..).unwrap_or(&[]) {
            b"" => {}
            b"." => self.bytes.truncate(start),
            b".." => {
                self.ends.pop();
                self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
            }
            _ => self.ends.push(self.bytes.len()),
        }
    }
}

/// Without case, one character to one: what has no single lower-case form stays as it is.
#[inline]
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(l), None) => l,
        _ => c,
    }
}

fn is_glob(component: &str) -> bool {
    component.contains(['*', '?'])
}

/// Whether `*` (any characters) and `?` (one) of a glob match a component. Linear in their product at worst.
fn glob_matches(glob: &str, component: &str) -> bool {
    let (mut g, mut c) = (glob.chars(), component.chars());
    // Where to go on when a later character does not match: behind the last `*`, one character further.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (before_g, before_c) = (g.clone(), c.clone());
        match (g.next(), c.next()) {
            (Some('*'), _) => {
                retry = Some((g.clone(), before_c.clone()));
                c = before_c;
            }
            (Some('?'), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            (None, None) => return true,
            _ => {
                drop(before_g);
                let Some((after_star, mut from)) = retry.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                (g, c) = (after_star.clone(), from.clone());
                retry = Some((after_star, from));
            }
        }
    }
}

/// How a component of a rule is found.
enum Shape<'a> {
    Literal,
    /// `*` alone.
    Any,
    /// Begins so; all globs with this beginning are tried.
    Prefix(&'a str),
    /// `*` and a fixed end.
    Suffix(&'a str),
    /// Neither.
    Free,
}

impl Shape<'_> {
    fn of(component: &str) -> Shape<'_> {
        let Some(at) = component.find(['*', '?']) else { return Shape::Literal };
        match component.get(..at) {
            _ if component == "*" => Shape::Any,
            Some(prefix) if !prefix.is_empty() => Shape::Prefix(prefix),
            _ => match component.strip_prefix('*') {
                Some(end) if !is_glob(end) => Shape::Suffix(end),
                _ => Shape::Free,
            },
        }
    }
}

/// Rules over paths, compiled.
#[derive(Clone, Debug)]
pub struct PathTree {
    nodes: Vec<Node>,
    /// By rank: the rule and whether it includes.
    ranked: Vec<(RuleId, bool)>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    literal: FxHashMap<Box<[u8]>, u32>,
    any: Option<u32>,
    prefix: Globs,
    suffix: Globs,
    free: Vec<(String, u32)>,
    /// Best rank of the rules for this object and all below.
    subtree: Option<u32>,
    /// Best rank of the rules for this object only.
    only: Option<u32>,
}

/// Globs by their fixed beginning or end.
#[derive(Clone, Debug, Default)]
struct Globs {
    lengths: Vec<usize>,
    by_text: FxHashMap<Box<[u8]>, Vec<(String, u32)>>,
}

impl Globs {
    fn child(&mut self, fixed: &str, glob: &str, next: u32) -> u32 {
        let found = self.by_text.entry(fixed.as_bytes().into()).or_default();
        if let Some((_, child)) = found.iter().find(|(g, _)| g == glob) {
            return *child;
        }
        found.push((glob.to_owned(), next));
        if !self.lengths.contains(&fixed.len()) {
            self.lengths.push(fixed.len());
        }
        next
    }

    fn each(&self, component: &[u8], at_end: bool, found: &mut Vec<u32>) {
        for n in &self.lengths {
            let fixed = match at_end {
                true => component.len().checked_sub(*n).and_then(|from| component.get(from..)),
                false => component.get(..*n),
            };
            for (glob, child) in fixed.and_then(|f| self.by_text.get(f)).into_iter().flatten() {
                if std::str::from_utf8(component).is_ok_and(|c| glob_matches(glob, c)) {
                    found.push(*child);
                }
            }
        }
    }
}

/// Room for a look-up; reused from entry to entry.
#[derive(Clone, Debug, Default)]
pub struct Room {
    now: Vec<u32>,
    next: Vec<u32>,
}

impl PathTree {
    /// Compiles rules: of two that are as specific as each other, an include ranks above an exclude, then the first.
    pub fn new(lists: &Lists<PathPattern>) -> PathTree {
        let mut rules: Vec<(&PathPattern, bool, RuleId)> = lists
            .exclude
            .iter()
            .map(|r| (&r.pattern, false, r.rule))
            .chain(lists.include.iter().map(|r| (&r.pattern, true, r.rule)))
            .collect();
        rules.sort_by_cached_key(|(p, include, rule)| (p.specificity(), *include, std::cmp::Reverse(*rule)));
        let mut tree = PathTree { nodes: vec![Node::default()], ranked: Vec::with_capacity(rules.len()) };
        for ((pattern, include, rule), rank) in rules.into_iter().zip(0..) {
            tree.ranked.push((rule, include));
            let at = pattern.components.iter().fold(0, |at, c| tree.step(at, c));
            let Some(node) = tree.nodes.get_mut(at as usize) else { continue };
            let place = if pattern.children_only { &mut node.only } else { &mut node.subtree };
            *place = (*place).max(Some(rank));
        }
        tree
    }

    fn step(&mut self, at: u32, component: &str) -> u32 {
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(at as usize) else { return at };
        let child = match Shape::of(component) {
            Shape::Literal => *node.literal.entry(component.as_bytes().into()).or_insert(next),
            Shape::Any => *node.any.get_or_insert(next),
            Shape::Prefix(p) => node.prefix.child(p, component, next),
            Shape::Suffix(s) => node.suffix.child(s, component, next),
            Shape::Free => match node.free.iter().find(|(g, _)| g == component) {
                Some((_, child)) => *child,
                None => {
                    node.free.push((component.to_owned(), next));
                    next
                }
            },
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// The rank of the most specific rule for a path: ranks of several paths can be compared.
    pub fn rank(&self, path: &Path, room: &mut Room) -> Option<u32> {
        let mut best: Option<u32> = None;
        room.now.clear();
        room.now.push(0);
        for component in path.components() {
            room.next.clear();
            for at in &room.now {
                let Some(node) = self.nodes.get(*at as usize) else { continue };
                best = best.max(node.subtree);
                if let Some(child) = node.literal.get(component) {
                    room.next.push(*child);
                }
                room.next.extend(node.any);
                node.prefix.each(component, false, &mut room.next);
                node.suffix.each(component, true, &mut room.next);
                for (glob, child) in &node.free {
                    if std::str::from_utf8(component).is_ok_and(|c| glob_matches(glob, c)) {
                        room.next.push(*child);
                    }
                }
            }
            std::mem::swap(&mut room.now, &mut room.next);
            if room.now.is_empty() {
                return best;
            }
        }
        for node in room.now.iter().filter_map(|at| self.nodes.get(*at as usize)) {
            best = best.max(node.subtree).max(node.only);
        }
        best
    }

    /// The rule of a rank, and whether it includes.
    pub fn ruling(&self, rank: u32) -> Option<(RuleId, bool)> {
        self.ranked.get(rank as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::ebcdic::Ccsid, filter::rule::Ruled};

    fn lists(exclude: &[&str], include: &[&str]) -> Lists<PathPattern> {
        let ruled = |list: &[&str], from: u32| -> Vec<Ruled<PathPattern>> {
            list.iter()
                .zip(from..)
                .map(|(p, i)| Ruled { rule: RuleId(i), pattern: p.parse().unwrap_or_else(|e| panic!("{p}: {e}")) })
                .collect()
        };
        Lists { exclude: ruled(exclude, 0), include: ruled(include, 100) }
    }

    fn utf16(s: &str) -> Vec<u8> {
        s.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    fn dropped(exclude: &[&str], include: &[&str], path: &str) -> bool {
        let tree = PathTree::new(&lists(exclude, include));
        let mut p = Path::default();
        let absolute = p.decode(&utf16(path), Charset::of(Ccsid(1200)).unwrap());
        let spoke = tree.rank(&p, &mut Room::default()).and_then(|r| tree.ruling(r));
        absolute && spoke.is_some_and(|(_, include)| !include)
    }

    #[test]
    fn a_path_rule_is_that_object_and_all_below_and_nothing_beside() {
        for (path, expected) in [
            ("/tmp", true),
            ("/tmp/", true),
            ("/tmp/a/b", true),
            ("/TMP/A", true),
            ("//tmp//./a", true),
            ("/x/../tmp/a", true),
            ("/tmp/../etc/passwd", false),
            ("/tmpfoo", false),
            ("/tm", false),
            ("/", false),
            ("/x/tmp", false),
            ("tmp/a", false),
            ("", false),
        ] {
            assert_eq!(dropped(&["/tmp"], &[], path), expected, "{path}");
        }
    }

    #[test]
    fn a_last_star_is_the_direct_children_only() {
        for (path, expected) in [("/tmp", false), ("/tmp/a", true), ("/tmp/a/b", false), ("/tmpa", false)] {
            assert_eq!(dropped(&["/tmp/*"], &[], path), expected, "{path}");
        }
        assert!(dropped(&["/*"], &[], "/a") && !dropped(&["/*"], &[], "/a/b") && !dropped(&["/*"], &[], "/"));
    }

    #[test]
    fn root_is_everything() {
        for path in ["/", "/a", "/QOpenSys/a/b"] {
            assert!(dropped(&["/"], &[], path), "{path}");
        }
        assert!(!dropped(&["/"], &[], "a/b"), "relative to a directory: matches no rule");
    }

    #[test]
    fn case_counts_under_qopensys_only() {
        for (rule, path, expected) in [
            ("/QOpenSys/var/Log", "/qopensys/var/Log/x", true),
            ("/QOpenSys/var/Log", "/QOpenSys/var/log/x", false),
            ("/qopensys/a", "/QOPENSYS/a", true),
            ("/qopensys/a", "/QOPENSYS/A", false),
            ("/QOpenSysX/A", "/qopensysx/a", true),
            ("/QOpenSys/../Home/A", "/home/a", true),
            ("/home/ÄRGER", "/HOME/ärger/x", true),
        ] {
            assert_eq!(dropped(&[rule], &[], path), expected, "{rule} {path}");
        }
    }

    #[test]
    fn the_most_specific_rule_wins_and_an_include_on_a_tie() {
        for (exclude, include, path, expected) in [
            (&["/home"][..], &["/home/joe"][..], "/home/joe/x", false),
            (&["/home"], &["/home/joe"], "/home/jack", true),
            (&["/home", "/home/joe/tmp"], &["/home/joe"], "/home/joe/tmp/x", true),
            (&["/home/joe"], &["/home/joe"], "/home/joe/x", false),
            (&["/home/joe"], &["/home/*"], "/home/joe", true),
            (&["/home/j*"], &["/home/jo*"], "/home/joe", false),
            (&["/home/jo*"], &["/home/j*"], "/home/joe", true),
            (&["/a*/b"], &["/*b/b"], "/ab/b", false),
            (&["/"], &["/etc"], "/etc/x", false),
        ] {
            assert_eq!(dropped(exclude, include, path), expected, "{exclude:?} {include:?} {path}");
        }
    }

    #[test]
    fn globs_match_within_one_component() {
        for (rule, path, expected) in [
            ("/home/*/cache", "/home/joe/cache/x", true),
            ("/home/*/cache", "/home/a/b/cache", false),
            ("/log/*.tmp", "/log/a.tmp", true),
            ("/log/*.tmp", "/log/a.tmp/below", true),
            ("/log/*.tmp", "/log/a.tmpx", false),
            ("/log/a?c", "/log/abc", true),
            ("/log/a?c", "/log/äbc", false),
            ("/log/?bc", "/log/äbc", true),
            ("/log/a*b*c", "/log/aXbXbYc", true),
            ("/log/*a*", "/log/bab", true),
            ("/log/*a*", "/log/bbb", false),
        ] {
            assert_eq!(dropped(&[rule], &[], path), expected, "{rule} {path}");
        }
    }

    #[test]
    fn globs_match_as_a_naive_matcher_says() {
        fn naive(g: &[char], c: &[char]) -> bool {
            match (g.split_first(), c.split_first()) {
                (None, None) => true,
                (Some(('*', rest)), _) => naive(rest, c) || c.split_first().is_some_and(|(_, c)| naive(g, c)),
                (Some(('?', g)), Some((_, c))) => naive(g, c),
                (Some((a, g)), Some((b, c))) => a == b && naive(g, c),
                _ => false,
            }
        }
        let word = |mut n: usize, letters: &[char]| {
            let mut w = Vec::new();
            while n > 0 {
                w.push(letters[n % letters.len()]);
                n /= letters.len();
            }
            w
        };
        for g in 0..1024 {
            for c in 0..200 {
                let (glob, name) = (word(g, &['a', '*', 'b', '?']), word(c, &['a', 'b', 'ä']));
                let text = |w: &[char]| w.iter().collect::<String>();
                assert_eq!(glob_matches(&text(&glob), &text(&name)), naive(&glob, &name), "{glob:?} {name:?}");
            }
        }
    }

    #[test]
    fn overlap_is_told_for_warnings() {
        let p = |s: &str| s.parse::<PathPattern>().unwrap();
        assert!(p("/a").overlaps(&p("/a/b")) && p("/a/b").overlaps(&p("/a")));
        assert!(!p("/a/*").overlaps(&p("/a/b/c")) && p("/a/*").overlaps(&p("/a/b")));
        assert!(!p("/a").overlaps(&p("/b")));
        assert!("tmp".parse::<PathPattern>().is_err() && "/a\u{7}".parse::<PathPattern>().is_err());
    }
}
