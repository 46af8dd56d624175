//! Rules that can never match, or never decide: what an administrator wrote and would wait for in vain.
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use super::{
    Lists, RuleBook, RuleId, Ruled, Rules, TypeRule, TypeRules,
    names::{self, Name, Qualified},
    types::{self, Share},
};
use crate::decode::journal::{Catalog, layout::Confidence};

/// Object types that exist in QSYS only.
const QSYS_ONLY: [&str; 16] = [
    "*LIB", "*USRPRF", "*AUTL", "*DEVD", "*CTLD", "*LIND", "*NWID", "*NWSD", "*CNNL", "*COSD", "*MODD", "*NTBD",
    "*IPXD", "*CFGL", "*RCT", "*EDTD",
];
/// Object types that are no library objects: they live in the integrated file system.
const IFS_ONLY: [&str; 9] = ["*STMF", "*DIR", "*SYMLNK", "*BLKSF", "*CHRSF", "*FIFO", "*SOCKET", "*DSTMF", "*DDIR"];
/// The longest comparison of every include with every exclude.
const PAIRS: usize = 20_000_000;
/// More free globs than this cost noticeable time for every path.
const SLOW_GLOBS: usize = 64;

/// The rules that can never match or decide, each with the reason.
pub fn never(rules: &Rules, book: &RuleBook, catalog: &Catalog) -> Vec<(RuleId, String)> {
    let mut found = Vec::new();
    duplicates(&rules.types.send, book, &mut found);
    duplicates(&rules.types.exclude, book, &mut found);
    lists(&rules.objects, book, names::overlap, names::covers, &mut found);
    lists(&rules.ifs, book, |a, b| a.overlaps(b), |_, _| false, &mut found);
    lists(&rules.users, book, names::overlap, names::covers, &mut found);
    lists(&rules.system_values, book, names::overlap, names::covers, &mut found);
    lists(&rules.programs, book, names::overlap, names::covers, &mut found);
    lists(&rules.jobs, book, names::overlap, names::covers, &mut found);
    lists(&rules.remote, book, |a, b| a.covers(b) || b.covers(a), |a, b| a.covers(b), &mut found);
    object_types(&rules.objects, &mut found);
    privileged(rules, &mut found);
    fields(rules, catalog, &mut found);
    let free = rules.ifs.exclude.iter().chain(&rules.ifs.include).filter(|r| r.pattern.is_slow());
    if let Some(rule) = free.clone().nth(SLOW_GLOBS) {
        found.push((
            rule.rule,
            format!(
                "{} path rules have neither a fixed beginning nor a fixed end in a component: each costs time for every path",
                free.count()
            ),
        ));
    }
    found
}

/// The types of an auditing value that are off, and those of which some details are.
pub fn off(rules: &TypeRules, level: &str, catalog: &Catalog) -> (Vec<String>, Vec<String>) {
    let of = catalog.levels().levels.iter().filter(|l| l.value == level).flat_map(|l| &l.entry_types);
    let mut types: Vec<&String> = of.collect();
    types.sort();
    types.dedup();
    let with = |wanted: Share| -> Vec<String> {
        let is = |code: &&&String| types::share(catalog, rules, code, Some(level)) == wanted;
        types.iter().filter(is).map(|code| (*code).clone()).collect()
    };
    (with(Share::None), with(Share::Some))
}

fn duplicates<T: Hash + Eq>(list: &[Ruled<T>], book: &RuleBook, found: &mut Vec<(RuleId, String)>) {
    let mut first: HashMap<&T, RuleId> = HashMap::new();
    for r in list {
        if let Some(earlier) = first.insert(&r.pattern, r.rule) {
            first.insert(&r.pattern, earlier);
            let place = book.get(earlier).and_then(|r| r.place.as_ref());
            let place = place.map_or(String::new(), |p| format!(" in {p}"));
            found.push((r.rule, format!("a duplicate of the rule{place}")));
        }
    }
}

fn lists<T: Hash + Eq>(
    lists: &Lists<T>,
    book: &RuleBook,
    overlap: impl Fn(&T, &T) -> bool,
    covers: impl Fn(&T, &T) -> bool,
    found: &mut Vec<(RuleId, String)>,
) {
    duplicates(&lists.exclude, book, found);
    duplicates(&lists.include, book, found);
    if lists.exclude.len().saturating_mul(lists.include.len()) > PAIRS {
        return;
    }
    for include in &lists.include {
        if !lists.exclude.iter().any(|e| overlap(&e.pattern, &include.pattern)) {
            found.push((include.rule, "nothing excludes what this would include".to_owned()));
        }
    }
    for exclude in &lists.exclude {
        if let Some(i) = lists.include.iter().find(|i| covers(&i.pattern, &exclude.pattern)) {
            let name = book.get(i.rule).map_or(String::new(), |r| r.to_string());
            found.push((exclude.rule, format!("it never drops anything: {name} includes all of it")));
        }
    }
}

fn object_types(objects: &Lists<Qualified<3>>, found: &mut Vec<(RuleId, String)>) {
    for r in objects.exclude.iter().chain(&objects.include) {
        let [library, _, Name::Exact(kind)] = &r.pattern else { continue };
        if IFS_ONLY.contains(&kind.as_str()) {
            found.push((
                r.rule,
                format!("it can never match: {kind} are no library objects; use ifs.exclude and paths"),
            ));
        } else if QSYS_ONLY.contains(&kind.as_str()) && !library.overlaps(&Name::Exact("QSYS".into())) {
            found.push((r.rule, format!("it can never match: {kind} objects are in library QSYS only")));
        }
    }
}

fn privileged(rules: &Rules, found: &mut Vec<(RuleId, String)>) {
    let is = |n: &Name| *n == Name::Exact("QSECOFR".into()) || rules.privileged.iter().any(|p| p.covers(n));
    let users = rules.users.exclude.iter().map(|r| (r.rule, &r.pattern[0]));
    let of_jobs = rules.jobs.exclude.iter().map(|r| (r.rule, &r.pattern[1]));
    for (rule, name) in users.chain(of_jobs) {
        if matches!(name, Name::Exact(_)) && is(name) && !rules.allow_filtering_privileged.contains(name) {
            let text = format!(
                "it never drops anything: {name} is privileged; what it does is always sent, unless users.allow_filtering_privileged names it"
            );
            found.push((rule, text));
        }
    }
}

/// Rules that look at what no entry type that is sent has.
fn fields(rules: &Rules, catalog: &Catalog, found: &mut Vec<(RuleId, String)>) {
    let codes = |rule: &TypeRule| -> BTreeSet<String> {
        match rule {
            TypeRule::All => catalog.codes().map(str::to_owned).collect(),
            TypeRule::Type(t) | TypeRule::Detail(t, _) => [t.clone()].into(),
            TypeRule::Level(l) => {
                catalog.levels().levels.iter().filter(|k| k.value == *l).flat_map(|k| k.entry_types.clone()).collect()
            }
        }
    };
    if rules.types.is_all() {
        return;
    }
    let mut sent: BTreeSet<String> = match rules.types.send.as_slice() {
        [] => codes(&TypeRule::All),
        send => send.iter().flat_map(|r| codes(&r.pattern)).collect(),
    };
    for r in &rules.types.exclude {
        if codes(&r.pattern).is_disjoint(&sent) {
            found.push((r.rule, "it never drops anything: types.send does not take these types".to_owned()));
        }
    }
    for r in &rules.types.exclude {
        if let TypeRule::Type(t) = &r.pattern {
            sent.remove(t);
        }
    }
    let has = |role: &str| {
        sent.iter().filter_map(|code| catalog.layout(code)).any(|layout| {
            let field = layout.role(role).and_then(|i| layout.fields.get(i));
            field.is_some_and(|f| f.confidence != Confidence::Guess && (layout.code != "CD" || rules.match_commands))
        })
    };
    let mut never = |rule: Option<RuleId>, role: &str, what: &str| {
        if let Some(rule) = rule.filter(|_| !has(role)) {
            found.push((rule, format!("it can never match: no entry type that is sent names a {what}")));
        }
    };
    never(rules.objects.exclude.first().map(|r| r.rule), "object_name", "library object");
    never(rules.ifs.exclude.first().map(|r| r.rule), "object_path", "path");
    never(rules.system_values.exclude.first().map(|r| r.rule), "system_value", "system value");
}
