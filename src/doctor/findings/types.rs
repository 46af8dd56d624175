//! Entry types that the configuration sends and the system never writes. R15.
use std::collections::{BTreeMap, BTreeSet};

use super::{Collected, Finding, Severity, Wanted, set};
use crate::{
    decode::journal::{Catalog, levels::Level},
    doctor::answers::Answers,
    filter::types::{self, TypeRule, TypeRules},
};

/// What an entry is told apart by: its type, and its detail where the levels name it.
type Kind<'c> = (&'c str, Option<&'c str>);

/// Levels that profiles alone may have (CHGUSRAUD), not QAUDLVL.
const ONLY_USERS: &str = "*CMD";

pub(super) fn findings(answers: &Answers, c: &Collected, wanted: Wanted<'_>, catalog: &Catalog) -> Vec<Finding> {
    let kinds = wanted_kinds(wanted, catalog);
    let (for_all, for_some) = (arriving(c, catalog), arriving_for_users(answers, c, catalog));
    let missing: BTreeSet<Kind<'_>> =
        kinds.iter().filter(|k| !for_all.contains(k) && !for_some.contains(k)).copied().collect();
    let only_some: BTreeSet<&str> =
        kinds.iter().filter(|k| !for_all.contains(k) && for_some.contains(k)).map(|k| k.0).collect();
    let mut all = Vec::new();
    if !missing.is_empty() {
        all.push(never(c, &kinds, &missing, wanted, catalog));
    }
    if !only_some.is_empty() {
        let codes: Vec<&str> = only_some.into_iter().collect();
        all.push(
            Finding::new("some-users-only", "R15", Severity::Note, format!("of some profiles only, entries of {}", codes.join(", ")))
                .means("no value in QAUDLVL or QAUDLVL2 produces them, or not all of their details; the AUDLVL of profiles does, for what these do")
                .names(codes.iter().map(|c| (*c).to_owned())),
        );
    }
    all
}

fn never(
    c: &Collected,
    kinds: &BTreeSet<Kind<'_>>,
    missing: &BTreeSet<Kind<'_>>,
    wanted: Wanted<'_>,
    catalog: &Catalog,
) -> Finding {
    let whole: BTreeSet<&str> =
        missing.iter().map(|k| k.0).filter(|code| kinds.iter().all(|k| k.0 != *code || missing.contains(k))).collect();
    let levels: Vec<(Kind<'_>, &str)> = missing.iter().filter_map(|k| Some((*k, level_for(*k, catalog)?))).collect();
    let by = |code: &str| {
        let names: BTreeSet<&str> = levels.iter().filter(|(k, _)| k.0 == code).map(|(_, l)| *l).collect();
        names.into_iter().collect::<Vec<_>>().join(" ")
    };
    let never: Vec<String> = whole.iter().map(|code| format!("{code} ({})", by(code))).collect();
    let mut details: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (code, detail) in missing.iter().filter(|k| !whole.contains(k.0)) {
        details.entry(code).or_default().extend(detail);
    }
    let partly: Vec<String> =
        details.iter().map(|(code, d)| format!("{code}-{} ({})", d.join("/"), by(code))).collect();
    let mut found = Vec::new();
    if !never.is_empty() {
        found.push(format!("entry types that are sent and can never arrive: {}", never.join(", ")));
    }
    if !partly.is_empty() {
        found.push(format!("details that can never arrive: {}", partly.join(", ")));
    }
    let named = details.iter().flat_map(|(code, d)| d.iter().map(move |d| format!("{code}-{d}")));
    // Who sends everything has asked for no type by its name.
    let severity = if is_by_name(wanted) { Severity::Warning } else { Severity::Note };
    Finding::new("never-arrive", "R15", severity, found.join("; "))
        .means("the filter lets them through, and no value in QAUDCTL, QAUDLVL and QAUDLVL2, nor in the AUDLVL of a profile that can be seen, produces them; the auditing value that would stands behind each. Some produce many entries")
        .names(whole.iter().map(|w| (*w).to_owned()).chain(named))
        .commands(commands(c, &levels, kinds, catalog))
}

/// What would make them arrive: first the switch, then the values that are not there yet.
fn commands(c: &Collected, levels: &[(Kind<'_>, &str)], kinds: &BTreeSet<Kind<'_>>, catalog: &Catalog) -> Vec<String> {
    let is_object = |level: &str| matches!(level, "*CHANGE" | "*ALL");
    let mut with = c.clone();
    for (switch, needed) in
        [("*AUDLVL", levels.iter().any(|(_, l)| !is_object(l))), ("*OBJAUD", levels.iter().any(|(_, l)| is_object(l)))]
    {
        if needed && !c.controls(switch) {
            with.control.push(switch.to_owned());
        }
    }
    let mut commands = Vec::new();
    if with.control != c.control {
        commands.push(set("QAUDCTL", &with.control.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    let then = arriving(&with, catalog);
    let still: BTreeSet<&str> = levels.iter().filter(|(k, _)| !then.contains(k)).map(|(_, l)| *l).collect();
    let lacking: Vec<&str> = still.iter().copied().filter(|l| !is_object(l) && *l != ONLY_USERS).collect();
    if !lacking.is_empty() {
        commands.extend(with.adding(&widened(lacking, kinds, catalog)));
    }
    if still.contains(ONLY_USERS) {
        commands.push(
            "CHGUSRAUD USRPRF(PROFILE) AUDLVL(*CMD)   /* for each profile; the values replace those it has */"
                .to_owned(),
        );
    }
    commands
}

/// A level in place of several that it holds, such as *SECURITY for its eight, where all that it produces is sent.
fn widened<'c>(mut chosen: Vec<&'c str>, kinds: &BTreeSet<Kind<'_>>, catalog: &'c Catalog) -> Vec<&'c str> {
    let of = |value: &str| -> BTreeSet<Kind<'c>> { produced(&BTreeSet::from([value]), catalog) };
    let mut wide: Vec<&Level> =
        catalog.levels().levels.iter().filter(|l| l.kind == "action" && l.value != ONLY_USERS).collect();
    wide.sort_by_key(|l| std::cmp::Reverse(l.entry_types.len()));
    for level in wide {
        let whole = of(&level.value);
        let held = |l: &&str| *l != level.value && of(l).is_subset(&whole);
        if chosen.iter().filter(|l| held(l)).count() > 1 && whole.is_subset(kinds) {
            chosen.retain(|l| !held(l));
            chosen.push(&level.value);
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Whether the configuration names types or levels that it sends.
fn is_by_name(wanted: Wanted<'_>) -> bool {
    let names = |t: &TypeRules| !t.send.is_empty() && !t.send.iter().any(|r| r.pattern == TypeRule::All);
    wanted.stages.iter().any(|t| names(t)) || !wanted.outputs.is_empty() && wanted.outputs.iter().all(|t| names(t))
}

/// All kinds whose level is known and which the filter lets through.
fn wanted_kinds<'c>(wanted: Wanted<'_>, catalog: &'c Catalog) -> BTreeSet<Kind<'c>> {
    let passes = |kind: &Kind<'_>, rules: &TypeRules| types::drops(catalog, rules, kind.0, kind.1).is_none();
    let mut all: BTreeSet<Kind<'c>> = catalog.levels().levels.iter().flat_map(kinds_of).collect();
    // A level that lists no details of a type produces all of them.
    let detailed: BTreeSet<&str> = all.iter().filter(|k| k.1.is_some()).map(|k| k.0).collect();
    all.retain(|k| k.1.is_some() || !detailed.contains(k.0));
    all.retain(|k| wanted.stages.iter().all(|rules| passes(k, rules)));
    all.retain(|k| wanted.outputs.is_empty() || wanted.outputs.iter().any(|rules| passes(k, rules)));
    all
}

fn kinds_of(level: &Level) -> impl Iterator<Item = Kind<'_>> {
    level.entry_types.iter().flat_map(|code| {
        let details = level.details.get(code).filter(|d| !d.is_empty());
        let none = details.is_none().then_some((code.as_str(), None));
        details.into_iter().flatten().map(move |d| (code.as_str(), Some(d.as_str()))).chain(none)
    })
}

/// What the values in force produce, of everybody, or of objects that are audited.
fn arriving<'c>(c: &Collected, catalog: &'c Catalog) -> BTreeSet<Kind<'c>> {
    let mut levels: BTreeSet<&str> = c.levels().into_iter().collect();
    if c.controls("*OBJAUD") {
        levels.extend(["*CHANGE", "*ALL"]);
    }
    produced(&levels, catalog)
}

/// What the action auditing of profiles produces, of these.
fn arriving_for_users<'c>(answers: &Answers, c: &Collected, catalog: &'c Catalog) -> BTreeSet<Kind<'c>> {
    let profiles = answers.profiles.iter().flatten().filter(|_| c.controls("*AUDLVL"));
    produced(&profiles.filter_map(|p| p.actions.as_ref()).flatten().map(String::as_str).collect(), catalog)
}

fn produced<'c>(levels: &BTreeSet<&str>, catalog: &'c Catalog) -> BTreeSet<Kind<'c>> {
    catalog.levels().levels.iter().filter(|l| levels.contains(l.value.as_str())).flat_map(kinds_of).collect()
}

/// The narrowest value that produces it: a level before the auditing of single objects or users, the one of fewest types first.
fn level_for<'c>(kind: Kind<'_>, catalog: &'c Catalog) -> Option<&'c str> {
    let producing = catalog.levels().levels.iter().filter(|l| kinds_of(l).any(|k| k == kind));
    producing.min_by_key(|l| (l.kind != "action", l.value == ONLY_USERS, l.entry_types.len())).map(|l| l.value.as_str())
}
