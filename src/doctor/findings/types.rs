//! Entry types that the configuration sends and the system never writes. R15.
use std::collections::{BTreeMap, BTreeSet};

use super::{Collected, Finding, Severity, Wanted, set};
use crate::{
    decode::journal::Catalog,
    doctor::answers::Answers,
    filter::types::{self, TypeRule, TypeRules},
};

/// What an entry is told apart by: its type, and its detail where the levels name it.
type Kind<'c> = (&'c str, Option<&'c str>);

/// Levels that profiles alone may have (CHGUSRAUD), not QAUDLVL.
const ONLY_USERS: &str = "*CMD";

pub(super) fn findings(answers: &Answers, c: &Collected, wanted: Wanted<'_>, catalog: &Catalog) -> Option<Finding> {
    let kinds = wanted_kinds(wanted, catalog);
    let arriving = arriving(answers, c, catalog);
    let mut missing: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    let mut whole: BTreeSet<&str> = kinds.iter().map(|k| k.0).collect();
    for kind in &kinds {
        if arriving.contains(kind) {
            whole.remove(kind.0);
        } else {
            missing.entry(kind.0).or_default().push(kind.1);
        }
    }
    if missing.is_empty() {
        return None;
    }
    let levels = levels_for(&missing, catalog);
    let needs_object_control = !c.controls("*OBJAUD") && levels.iter().any(|(_, l)| matches!(*l, "*CHANGE" | "*ALL"));
    let by = |code: &str| {
        let mut names: Vec<&str> = levels.iter().filter(|((c, _), _)| *c == code).map(|(_, l)| *l).collect();
        names.sort_unstable();
        names.dedup();
        names.join(" ")
    };
    let never: Vec<String> = whole.iter().map(|code| format!("{code} ({})", by(code))).collect();
    let partly: Vec<String> = missing
        .iter()
        .filter(|(code, _)| !whole.contains(*code))
        .map(|(code, details)| {
            let details: Vec<&str> = details.iter().flatten().copied().collect();
            format!("{code}-{} ({})", details.join("/"), by(code))
        })
        .collect();
    let part =
        |what: &str, all: &[String]| if all.is_empty() { String::new() } else { format!("{what}{}", all.join(", ")) };
    let found =
        [part("entry types that are sent and can never arrive: ", &never), part("details of others: ", &partly)];
    let found: Vec<&str> = found.iter().map(String::as_str).filter(|f| !f.is_empty()).collect();
    let for_all: BTreeSet<&str> =
        levels.iter().map(|(_, l)| *l).filter(|l| !matches!(*l, "*CHANGE" | "*ALL" | ONLY_USERS)).collect();
    let mut commands = Vec::new();
    let mut control: Vec<&str> = c.control.iter().map(String::as_str).collect();
    if !for_all.is_empty() && !c.controls("*AUDLVL") {
        control.push("*AUDLVL");
    }
    if needs_object_control {
        control.push("*OBJAUD");
    }
    if control.len() > c.control.len() {
        commands.push(set("QAUDCTL", &control));
    }
    let present = c.levels();
    let lacking: Vec<&str> = for_all.into_iter().filter(|l| !present.contains(l)).collect();
    if !lacking.is_empty() {
        commands.extend(c.adding(&lacking));
    }
    if levels.iter().any(|(_, l)| *l == ONLY_USERS) {
        commands.push(
            "CHGUSRAUD USRPRF(PROFILE) AUDLVL(*CMD)   /* for each profile; the values replace those it has */"
                .to_owned(),
        );
    }
    // Who sends everything has asked for no type by its name.
    let severity = if is_by_name(wanted) { Severity::Warning } else { Severity::Note };
    Some(
        Finding::new("never-arrive", "R15", severity, found.join("; "))
            .means("the filter lets them through, and no value in QAUDCTL, QAUDLVL, QAUDLVL2 or AUDLVL of a profile that can be seen produces them; the auditing value that would stands behind each. Some produce many entries: qaudjrn what-if")
            .commands(commands)
            .names(whole.iter().map(|w| (*w).to_owned()).chain(missing.iter().filter(|(code, _)| !whole.contains(*code)).flat_map(
                |(code, details)| details.iter().flatten().map(move |d| format!("{code}-{d}")),
            ))),
    )
}

/// Whether the configuration names types or levels that it sends.
fn is_by_name(wanted: Wanted<'_>) -> bool {
    let names = |t: &TypeRules| !t.send.is_empty() && !t.send.iter().any(|r| r.pattern == TypeRule::All);
    wanted.stages.iter().any(|t| names(t)) || !wanted.outputs.is_empty() && wanted.outputs.iter().all(|t| names(t))
}

/// All kinds whose level is known and which the filter lets through.
fn wanted_kinds<'c>(wanted: Wanted<'_>, catalog: &'c Catalog) -> BTreeSet<Kind<'c>> {
    let passes = |kind: &Kind<'_>, rules: &TypeRules| types::drops(catalog, rules, kind.0, kind.1).is_none();
    let mut all: BTreeSet<Kind<'c>> = catalog.levels().levels.iter().flat_map(|l| kinds_of(l)).collect();
    // A level that lists no details of a type produces all of them.
    let detailed: BTreeSet<&str> = all.iter().filter(|k| k.1.is_some()).map(|k| k.0).collect();
    all.retain(|k| k.1.is_some() || !detailed.contains(k.0));
    all.retain(|k| wanted.stages.iter().all(|rules| passes(k, rules)));
    all.retain(|k| wanted.outputs.is_empty() || wanted.outputs.iter().any(|rules| passes(k, rules)));
    all
}

fn kinds_of(level: &crate::decode::journal::levels::Level) -> impl Iterator<Item = Kind<'_>> {
    level.entry_types.iter().flat_map(|code| {
        let details = level.details.get(code).filter(|d| !d.is_empty());
        let none = details.is_none().then_some((code.as_str(), None));
        details.into_iter().flatten().map(move |d| (code.as_str(), Some(d.as_str()))).chain(none)
    })
}

/// What some value in force produces, for all users, for some, or for objects that are audited.
fn arriving<'c>(answers: &Answers, c: &Collected, catalog: &'c Catalog) -> BTreeSet<Kind<'c>> {
    let mut levels: BTreeSet<&str> = c.levels().into_iter().collect();
    if c.controls("*AUDLVL") {
        let profiles = answers.profiles.iter().flatten();
        levels.extend(profiles.filter_map(|p| p.actions.as_ref()).flatten().map(String::as_str));
    }
    if c.controls("*OBJAUD") {
        levels.extend(["*CHANGE", "*ALL"]);
    }
    catalog.levels().levels.iter().filter(|l| levels.contains(l.value.as_str())).flat_map(|l| kinds_of(l)).collect()
}

/// For each missing kind the narrowest value that produces it.
fn levels_for<'c>(missing: &BTreeMap<&'c str, Vec<Option<&'c str>>>, catalog: &'c Catalog) -> Vec<(Kind<'c>, &'c str)> {
    let mut found = Vec::new();
    for (code, details) in missing {
        for detail in details {
            let kind = (*code, *detail);
            let producing = catalog.levels().levels.iter().filter(|l| kinds_of(l).any(|k| k == kind));
            // A level before the auditing of single objects or users, the one of fewest types first.
            let narrowest = producing.min_by_key(|l| (l.kind != "action", l.value == ONLY_USERS, l.entry_types.len()));
            found.extend(narrowest.map(|l| (kind, l.value.as_str())));
        }
    }
    found
}
