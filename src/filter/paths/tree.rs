//! The rules over paths as a tree of components, and the most specific one for a path.
use rustc_hash::FxHashMap;

use super::{
    Path, PathPattern, QOPENSYS,
    glob::{Shape, glob_matches},
};
use crate::filter::rule::{Lists, RuleId};

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
    by_text: FxHashMap<Box<[u8]>, Ends>,
}

/// Globs with one beginning, by their fixed end; the end may be nothing.
#[derive(Clone, Debug, Default)]
struct Ends {
    lengths: Vec<usize>,
    by_text: FxHashMap<Box<[u8]>, Vec<(String, u32)>>,
}

/// What stands behind the last wildcard of a glob.
fn fixed_end(glob: &str) -> &str {
    glob.rfind(['*', '?']).and_then(|i| glob.get(i + 1..)).unwrap_or("")
}

impl Globs {
    fn child(&mut self, fixed: &str, glob: &str, next: u32) -> u32 {
        let ends = self.by_text.entry(fixed.as_bytes().into()).or_default();
        let end = fixed_end(glob);
        let found = ends.by_text.entry(end.as_bytes().into()).or_default();
        if let Some((_, child)) = found.iter().find(|(g, _)| g == glob) {
            return *child;
        }
        found.push((glob.to_owned(), next));
        for (lengths, n) in [(&mut self.lengths, fixed.len()), (&mut ends.lengths, end.len())] {
            if !lengths.contains(&n) {
                lengths.push(n);
            }
        }
        next
    }

    fn each(&self, component: &[u8], at_end: bool, found: &mut Vec<u32>) {
        let end = |n: usize| component.len().checked_sub(n).and_then(|from| component.get(from..));
        for n in &self.lengths {
            let fixed = if at_end { end(*n) } else { component.get(..*n) };
            let Some(ends) = fixed.and_then(|f| self.by_text.get(f)) else { continue };
            let globs = ends.lengths.iter().filter_map(|n| ends.by_text.get(end(*n)?)).flatten();
            for (glob, child) in globs {
                if std::str::from_utf8(component).is_ok_and(|c| glob_matches(glob, c)) {
                    found.push(*child);
                }
            }
        }
    }
}

/// Scratch for a look-up; reused from entry to entry.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
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
            let mut ends = vec![pattern.components.iter().fold(0, |at, c| tree.step(at, c))];
            if let Some(rest) = &pattern.below_qopensys {
                let at = tree.step(0, &String::from_utf8_lossy(QOPENSYS));
                ends.push(rest.iter().fold(at, |at, c| tree.step(at, c)));
            }
            for at in ends {
                let Some(node) = tree.nodes.get_mut(at as usize) else { continue };
                let place = if pattern.children_only { &mut node.only } else { &mut node.subtree };
                *place = (*place).max(Some(rank));
            }
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
    pub fn rank(&self, path: &Path, scratch: &mut Scratch) -> Option<u32> {
        let mut best: Option<u32> = None;
        scratch.now.clear();
        scratch.now.push(0);
        for component in path.components() {
            scratch.next.clear();
            for at in &scratch.now {
                let Some(node) = self.nodes.get(*at as usize) else { continue };
                best = best.max(node.subtree);
                if let Some(child) = node.literal.get(component) {
                    scratch.next.push(*child);
                }
                // Behind a glob stands what was folded; below /QOpenSys the literal has the rules with their case.
                if *at == 0 && component == QOPENSYS {
                    continue;
                }
                scratch.next.extend(node.any);
                node.prefix.each(component, false, &mut scratch.next);
                node.suffix.each(component, true, &mut scratch.next);
                for (glob, child) in &node.free {
                    if std::str::from_utf8(component).is_ok_and(|c| glob_matches(glob, c)) {
                        scratch.next.push(*child);
                    }
                }
            }
            std::mem::swap(&mut scratch.now, &mut scratch.next);
            if scratch.now.is_empty() {
                return best;
            }
        }
        for node in scratch.now.iter().filter_map(|at| self.nodes.get(*at as usize)) {
            best = best.max(node.subtree).max(node.only);
        }
        best
    }

    /// The rule of a rank, and whether it includes.
    pub fn ruling(&self, rank: u32) -> Option<(RuleId, bool)> {
        self.ranked.get(rank as usize).copied()
    }
}
