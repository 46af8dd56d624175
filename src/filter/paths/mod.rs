//! Paths of the integrated file system: rules over them, and the tree that finds the most specific one.
//!
//! A rule names an object: `/tmp` is that object and all below it, `/` everything. `*` and `?` stand for characters
//! within one component. A last component that is `*` alone names the direct children and nothing below them. Paths are
//! compared by components after `//`, `.`, `..` and trailing slashes are resolved; letters without case, except
//! under /QOpenSys, which is case-sensitive.
//!
//! A look-up costs some hash table accesses per component, however many rules there are; only globs with neither a
//! fixed beginning nor a fixed end are tried one by one.
mod glob;
mod tree;

use std::str::FromStr;

use self::glob::{Shape, glob_matches, is_glob};
pub use self::tree::{PathTree, Scratch};
use super::names::BadName;
use crate::decode::ebcdic::{Charset, CharsetKind, Unit};

/// A rule over paths, resolved and folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// Without case, but below /QOpenSys.
    components: Vec<String>,
    /// The last component is `*`: the direct children only.
    children_only: bool,
    /// Where the first component is a glob that takes /QOpenSys too: what stands behind it, with its case.
    below_qopensys: Option<Vec<String>>,
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
        let read = |keep_case: bool| -> Vec<String> {
            let mut path = Path { keep_case, ..Path::default() };
            text.chars().for_each(|c| path.push(Unit::Char(c)));
            path.end();
            path.components().map(|c| String::from_utf8_lossy(c).into_owned()).collect()
        };
        let components = read(false);
        let children_only = components.last().is_some_and(|c| c == "*");
        let takes_qopensys = |c: &String| is_glob(c) && glob_matches(c, "qopensys");
        let below_qopensys = components.first().filter(|c| takes_qopensys(c)).map(|_| read(true).split_off(1));
        Ok(PathPattern { components, children_only, below_qopensys })
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
        if short.children_only && short.components.len() < long.components.len() {
            return false;
        }
        let same = |short: &[String], long: &[String]| {
            short.iter().zip(long).all(|(a, b)| match (is_glob(a), is_glob(b)) {
                (false, false) => a == b,
                (true, false) => glob_matches(a, b),
                (false, true) => glob_matches(b, a),
                (true, true) => true,
            })
        };
        let literal = |p: &PathPattern| p.components.first().is_some_and(|c| c.as_bytes() == QOPENSYS);
        !literal(short) && !literal(long) && same(&short.components, &long.components)
            || short.components.is_empty()
            || short.under_qopensys().zip(long.under_qopensys()).is_some_and(|(short, long)| same(short, long))
    }

    /// What stands behind /QOpenSys, with its case, where it takes that directory.
    fn under_qopensys(&self) -> Option<&[String]> {
        match (&self.below_qopensys, self.components.split_first()) {
            (Some(rest), _) => Some(rest),
            (None, Some((first, rest))) if first.as_bytes() == QOPENSYS => Some(rest),
            _ => None,
        }
    }

    /// Whether it is tried one by one: a glob without a fixed beginning or end.
    pub fn is_slow(&self) -> bool {
        self.components.iter().any(|c| matches!(Shape::of(c), Shape::Free))
    }
}

/// The directory below which case counts.
const QOPENSYS: &[u8] = b"qopensys";

/// The components of a path, resolved and folded; reused from entry to entry.
#[derive(Clone, Debug, Default)]
pub struct Path {
    bytes: Vec<u8>,
    /// Ends of the components in `bytes`.
    ends: Vec<usize>,
    /// Letters stay as they are.
    keep_case: bool,
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
            CharsetKind::Utf16Be if bytes.len().is_multiple_of(2) && bytes.iter().step_by(2).all(|b| *b == 0) => {
                let low = bytes.iter().skip(1).step_by(2);
                low.for_each(|b| each(Unit::Char(char::from(*b))));
            }
            _ => charset.decode(bytes, &mut each),
        }
        self.end();
        absolute
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
        self.keep_case || self.ends.first() == Some(&8) && self.bytes.starts_with(QOPENSYS)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::ebcdic::Ccsid,
        filter::rule::{Lists, RuleId, RulePattern},
    };

    fn lists(exclude: &[&str], include: &[&str]) -> Lists<PathPattern> {
        let ruled = |list: &[&str], from: u32| -> Vec<RulePattern<PathPattern>> {
            list.iter()
                .zip(from..)
                .map(|(p, i)| RulePattern {
                    rule: RuleId(i),
                    pattern: p.parse().unwrap_or_else(|e| panic!("{p}: {e}")),
                })
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
        let spoke = tree.rank(&p, &mut Scratch::default()).and_then(|r| tree.ruling(r));
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
            ("/*/Tmp", "/QOpenSys/Tmp/x", true),
            ("/*/Tmp", "/QOpenSys/tmp", false),
            ("/Q*/T*", "/qopensys/tmp", false),
            ("/Q*/T*", "/qopensys/Tmp", true),
            ("/Q*/T*", "/QIBM/tmp", true),
            ("/q*", "/QOpenSys/x", true),
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
            ("/log/a*", "/log/a", true),
            ("/log/ab*ba", "/log/aba", false),
            ("/log/ab*ba", "/log/abba", true),
        ] {
            assert_eq!(dropped(&[rule], &[], path), expected, "{rule} {path}");
        }
    }

    #[test]
    fn overlap_is_told_for_warnings() {
        let p = |s: &str| s.parse::<PathPattern>().unwrap();
        assert!(p("/a").overlaps(&p("/a/b")) && p("/a/b").overlaps(&p("/a")));
        assert!(!p("/a/*").overlaps(&p("/a/b/c")) && p("/a/*").overlaps(&p("/a/b")));
        assert!(!p("/a").overlaps(&p("/b")));
        assert!(p("/*/TMP").overlaps(&p("/QOpenSys/TMP/keep")) && !p("/*/TMP").overlaps(&p("/QOpenSys/tmp/keep")));
        assert!("tmp".parse::<PathPattern>().is_err() && "/a\u{7}".parse::<PathPattern>().is_err());
    }
}
