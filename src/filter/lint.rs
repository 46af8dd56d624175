//! Rules that can never match, or never decide: what an administrator wrote and would wait for in vain.
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use super::{
    Lists, RuleBook, RuleId, RulePattern, Rules, TypeRule, TypeRules,
    names::{self, Name, Qualified},
    types::{self, Coverage},
};
use crate::decode::{
    ebcdic::Charset,
    journal::{Catalog, layout::Confidence},
};

/// Object types of libraries (CL topic "Object types").
const OBJECT_TYPES: [&str; 98] = [
    "*ALRTBL", "*AUTHLR", "*AUTL", "*BNDDIR", "*CFGL", "*CHTFMT", "*CLD", "*CLS", "*CMD", "*CNNL", "*COSD", "*CRG",
    "*CRQD", "*CSI", "*CSPMAP", "*CSPTBL", "*CTLD", "*DEVD", "*DOC", "*DTAARA", "*DTADCT", "*DTAQ", "*EDTD", "*EXITRG",
    "*FCT", "*FILE", "*FLR", "*FNTRSC", "*FNTTBL", "*FORMDF", "*FTR", "*GSS", "*IGCDCT", "*IGCSRT", "*IGCTBL",
    "*IMGCLG", "*IPXD", "*JOBD", "*JOBQ", "*JOBSCD", "*JRN", "*JRNRCV", "*LIB", "*LIND", "*LOCALE", "*MEDDFN", "*MENU",
    "*MGTCOL", "*MODD", "*MODULE", "*MSGF", "*MSGQ", "*M36", "*M36CFG", "*NODGRP", "*NODL", "*NTBD", "*NWID",
    "*NWSCFG", "*NWSD", "*OUTQ", "*OVL", "*PAGDFN", "*PAGSEG", "*PDFMAP", "*PDG", "*PGM", "*PNLGRP", "*PRDAVL",
    "*PRDDFN", "*PRDLOD", "*PSFCFG", "*QMFORM", "*QMQRY", "*QRYDFN", "*RCT", "*SBSD", "*SCHIDX", "*SPADCT", "*SPLF",
    "*SQLPKG", "*SQLUDT", "*SQLXSR", "*SRVPGM", "*SSND", "*SVRSTG", "*S36", "*TBL", "*TIMZON", "*USRIDX", "*USRPRF",
    "*USRQ", "*USRSPC", "*VLDL", "*WSCST", "*DDIR", "*DSTMF", "*JOB",
];
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
    // An exclude that is deeper than an include decides; the same path is a tie.
    lists(&rules.ifs, book, |a, b| a.overlaps(b), |a, b| a == b, &mut found);
    lists(&rules.users, book, names::overlap, names::covers, &mut found);
    lists(&rules.system_values, book, names::overlap, names::covers, &mut found);
    lists(&rules.programs, book, names::overlap, names::covers, &mut found);
    lists(&rules.jobs, book, names::overlap, names::covers, &mut found);
    lists(&rules.remote, book, |a, b| a.covers(b) || b.covers(a), |a, b| a.covers(b), &mut found);
    duplicates(&rules.history.exclude_jobs, book, &mut found);
    object_types(&rules.objects, &mut found);
    privileged(rules, &mut found);
    details(rules, catalog, &mut found);
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
    let with = |wanted: Coverage| -> Vec<String> {
        let is = |code: &&&String| types::coverage(catalog, rules, code, Some(level)) == wanted;
        types.iter().filter(is).map(|code| (*code).clone()).collect()
    };
    (with(Coverage::None), with(Coverage::Some))
}

/// Rules with names that the CCSID of the jobs cannot write: no entry can hold them.
pub fn unwritable(rules: &Rules, job: &'static Charset) -> Vec<(RuleId, String)> {
    fn each<const N: usize>(lists: &Lists<Qualified<N>>) -> impl Iterator<Item = (RuleId, &[Name])> {
        lists.exclude.iter().chain(&lists.include).map(|r| (r.rule, r.pattern.as_slice()))
    }
    let all = each(&rules.objects)
        .chain(each(&rules.users))
        .chain(each(&rules.system_values))
        .chain(each(&rules.programs))
        .chain(each(&rules.jobs))
        .chain(rules.history.exclude_jobs.iter().map(|r| (r.rule, r.pattern.as_slice())));
    let text = format!("it can never match: CCSID {} cannot write this name", job.ccsid());
    all.filter(|(_, names)| !names.iter().all(|n| n.fits(job))).map(|(rule, _)| (rule, text.clone())).collect()
}

fn duplicates<T: Hash + Eq>(list: &[RulePattern<T>], book: &RuleBook, found: &mut Vec<(RuleId, String)>) {
    let mut first: HashMap<&T, RuleId> = HashMap::new();
    for r in list {
        if let Some(earlier) = first.insert(&r.pattern, r.rule) {
            first.insert(&r.pattern, earlier);
            let place = |rule| book.get(rule).and_then(|r| r.place.as_ref());
            let shipped = |rule| place(rule).is_some_and(|p| p.file.starts_with("filters/"));
            // What a preset repeats is for the user to take out of the file; two presets may agree.
            match (shipped(earlier), shipped(r.rule)) {
                (true, true) => {}
                (false, true) => {
                    let file = place(r.rule).map_or(String::new(), |p| p.to_string());
                    found.push((earlier, format!("a preset has this rule already: {file}")));
                }
                _ => {
                    let place = place(earlier).map_or(String::new(), |p| format!(" in {p}"));
                    found.push((r.rule, format!("a duplicate of the rule{place}")));
                }
            }
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
        if !IFS_ONLY.contains(&kind.as_str()) && !OBJECT_TYPES.contains(&kind.as_str()) {
            let nearest = OBJECT_TYPES.iter().min_by_key(|t| types::distance(t, kind)).unwrap_or(&"*FILE");
            found.push((r.rule, format!("no object type {kind} is known: did you mean {nearest}?")));
        }
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

/// Details that no entry can have, or that no table lists.
fn details(rules: &Rules, catalog: &Catalog, found: &mut Vec<(RuleId, String)>) {
    for r in rules.types.send.iter().chain(&rules.types.exclude) {
        let TypeRule::Detail(code, detail) = &r.pattern else { continue };
        let Some(layout) = catalog.layout(code) else { continue };
        let Some(field) = layout.role("detail").and_then(|i| layout.fields.get(i)) else {
            found.push((r.rule, format!("it can never match: {code} has no details")));
            continue;
        };
        if detail.chars().count() > field.length {
            let text = format!("it can never match: a detail of {code} has at most {} characters", field.length);
            found.push((r.rule, text));
            continue;
        }
        let levels = catalog.levels();
        let listed = levels.levels.iter().filter_map(|l| l.details.get(code)).flatten().any(|d| d == detail);
        if !listed && !field.values.contains_key(detail) && levels.detail_row(code, detail).is_none() {
            let text = format!("no table lists the detail {detail} of {code}: only a newer release could write it");
            found.push((r.rule, text));
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
