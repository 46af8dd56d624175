//! Sensitive libraries, objects and paths that are not audited. R17, R18.
use super::{Finding, Severity, not_asked};
use crate::{
    config::doctor::ObjectName,
    doctor::answers::{Answers, Asked, Auditing, Counted, LibraryAnswer, Object, PathFound},
};

/// What follows when it is not audited; the table "Object auditing" of the Security reference.
const NONE: &str = "nobody's access to it is logged, whatever the user's auditing is. *CHANGE logs changes; *ALL logs every read as well, which may be much";
const USRPRF: &str = "it is logged for users alone that have object auditing of their own (CHGUSRAUD OBJAUD)";

pub(super) fn findings(answers: &Answers, can_see: bool) -> Vec<Finding> {
    let mut all = Vec::new();
    for found in &answers.libraries {
        library(answers, found, can_see, &mut all);
    }
    for (name, found) in &answers.objects {
        object(answers, name, found, can_see, &mut all);
    }
    for (name, found) in &answers.paths {
        path(answers, name, found, can_see, &mut all);
    }
    all
}

fn missing(answers: &Answers, requirement: &'static str, name: &str) -> Finding {
    Finding::new(
        "sensitive-missing",
        requirement,
        Severity::Warning,
        format!("{name} is not there, or {} may not see it", answers.asker),
    )
    .means("the configuration calls it sensitive: nothing can be said about its auditing")
    .names([name.to_owned()])
}

fn hidden(answers: &Answers, requirement: &'static str, name: &str) -> Finding {
    Finding::new(
        "audit-hidden",
        requirement,
        Severity::Warning,
        format!("{} may not see how {name} is audited", answers.asker),
    )
    .means("that needs *ALLOBJ or *AUDIT special authority (OBJECT_STATISTICS, IFS_OBJECT_STATISTICS)")
    .names([name.to_owned()])
}

/// Whether it is audited for everybody; what to say where it is not.
fn verdict(audit: &Auditing) -> Option<&'static str> {
    match audit.as_deref() {
        Some("*CHANGE" | "*ALL") => None,
        Some("*USRPRF") => Some(USRPRF),
        _ => Some(NONE),
    }
}

fn library(answers: &Answers, found: &LibraryAnswer, can_see: bool, all: &mut Vec<Finding>) {
    let name = found.name.as_str();
    let (itself, within) = match (&found.itself, &found.within) {
        (Err(why), _) | (_, Err(why)) => return all.push(not_asked(&format!("library {name}"), why)),
        (Ok(None), _) => return all.push(missing(answers, "R17", name)),
        (Ok(Some(itself)), Ok(within)) => (itself, within),
    };
    if !can_see || itself.audit.is_none() {
        return all.push(hidden(answers, "R17", name));
    }
    let open: Vec<&Counted> = within.iter().filter(|c| verdict(&c.audit).is_some()).collect();
    let count: u64 = open.iter().map(|c| c.count).sum();
    let total: u64 = within.iter().map(|c| c.count).sum();
    let own = verdict(&itself.audit);
    if open.is_empty() && own.is_none() {
        return;
    }
    let mut found = Vec::new();
    let mut commands = Vec::new();
    if own.is_some() {
        found.push(format!("the library itself has {}", itself.audit.as_deref().unwrap_or("*NONE")));
        commands.push(format!("CHGOBJAUD OBJ(QSYS/{name}) OBJTYPE(*LIB) OBJAUD(*CHANGE)"));
    }
    if let Some(first) = open.first() {
        found.push(format!("{count} of its {total} objects are not audited for everybody, {} among them", first.first));
        commands.push(format!("CHGOBJAUD OBJ({name}/*ALL) OBJTYPE(*ALL) OBJAUD(*CHANGE)"));
    }
    commands.push(format!("CHGLIB LIB({name}) CRTOBJAUD(*CHANGE)   /* for objects that are made later */"));
    let means = open.iter().find_map(|c| verdict(&c.audit)).or(own).unwrap_or(NONE);
    all.push(
        Finding::new(
            "library-unaudited",
            "R17",
            Severity::Warning,
            format!("sensitive library {name}: {}", found.join("; ")),
        )
        .means(means)
        .commands(commands)
        .names([name.to_owned()]),
    );
}

fn object(answers: &Answers, name: &ObjectName, found: &Asked<Option<Object>>, can_see: bool, all: &mut Vec<Finding>) {
    let ObjectName { library, name, kind } = name;
    let shown = format!("{library}/{name} {kind}");
    match found {
        Err(why) => all.push(not_asked(&shown, why)),
        Ok(None) => all.push(missing(answers, "R17", &shown)),
        Ok(Some(o)) if !can_see || o.audit.is_none() => all.push(hidden(answers, "R17", &shown)),
        Ok(Some(o)) => {
            if let Some(means) = verdict(&o.audit) {
                let audit = o.audit.as_deref().unwrap_or("*NONE");
                all.push(
                    Finding::new(
                        "object-unaudited",
                        "R17",
                        Severity::Warning,
                        format!("sensitive object {shown} has object auditing {audit}"),
                    )
                    .means(means)
                    .command(format!("CHGOBJAUD OBJ({library}/{name}) OBJTYPE({kind}) OBJAUD(*CHANGE)"))
                    .names([shown]),
                );
            }
        }
    }
}

fn path(answers: &Answers, name: &str, found: &Asked<Vec<PathFound>>, can_see: bool, all: &mut Vec<Finding>) {
    let rows = match found {
        Err(why) => return all.push(not_asked(name, why)),
        Ok(rows) if rows.is_empty() => return all.push(missing(answers, "R18", name)),
        Ok(rows) => rows,
    };
    if !can_see || rows.iter().all(|p| p.audit.is_none()) {
        return all.push(hidden(answers, "R18", name));
    }
    let open: Vec<&PathFound> = rows.iter().filter(|p| verdict(&p.audit).is_some()).collect();
    let Some(PathFound { path: first, audit }) = open.first() else { return };
    let quoted = name.replace('\'', "''");
    let others = if rows.len() > 1 {
        format!(
            "{} of the {} objects that were looked at, {first} among them, are not audited for everybody",
            open.len(),
            rows.len()
        )
    } else {
        format!("it has object auditing {}", audit.as_deref().unwrap_or("*NONE"))
    };
    let command = if rows.len() > 1 {
        format!("CHGAUD OBJ('{quoted}') OBJAUD(*CHANGE) SUBTREE(*ALL)")
    } else {
        format!("CHGAUD OBJ('{quoted}') OBJAUD(*CHANGE)")
    };
    all.push(
        Finding::new("path-unaudited", "R18", Severity::Warning, format!("sensitive path {name}: {others}"))
            .means(verdict(audit).unwrap_or(NONE))
            .command(command)
            .command(format!("CHGATR OBJ('{quoted}') ATR(*CRTOBJAUD) VALUE(*CHANGE)   /* of a directory: for objects that are made later */"))
            .names([name.to_owned()]),
    );
}
