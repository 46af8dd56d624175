//! Is there a journal, and what do the system values collect? R11 to R14.
use super::{Collected, Finding, Severity, list, not_asked, set};
use crate::{
    decode::journal::Catalog,
    doctor::answers::{Answers, Journal},
};

/// What IBM recommends for QAUDCTL (Security reference, "Auditing Control (QAUDCTL)").
const CONTROL: [&str; 3] = ["*AUDLVL", "*OBJAUD", "*NOQTEMP"];
/// What QAUDLVL is set to where it has nothing.
const LEVELS: [&str; 5] = ["*AUTFAIL", "*CREATE", "*DELETE", "*SECURITY", "*SAVRST"];
/// The audit journal with its first receiver, where there is none.
pub const CREATE: [&str; 2] = [
    "CRTJRNRCV JRNRCV(QGPL/AUDRCV0001) THRESHOLD(100000) AUT(*EXCLUDE) TEXT('Auditing journal receiver')",
    "CRTJRN JRN(QSYS/QAUDJRN) JRNRCV(QGPL/AUDRCV0001) MNGRCV(*SYSTEM) DLTRCV(*NO) AUT(*EXCLUDE) TEXT('Auditing journal')",
];

/// The commands that switch auditing on as a system without any needs it: QAUDCTL, QAUDLVL.
pub fn switch_on() -> [String; 2] {
    [set("QAUDCTL", &CONTROL), set("QAUDLVL", &LEVELS)]
}

pub(super) fn findings(answers: &Answers, collected: Option<&Collected>, catalog: &Catalog) -> Vec<Finding> {
    let mut all = Vec::new();
    journal(answers, collected, &mut all);
    match (&answers.values, collected) {
        (Err(why), _) => all.push(not_asked("the system values", why)),
        (Ok(_), None) => all.push(
            Finding::new("values-hidden", "R12", Severity::Warning, format!(
                "{} may not see QAUDCTL, QAUDLVL and QAUDLVL2 (*NOTAVL): nothing is said about what is collected, nor about auditing of users and objects",
                answers.asker
            ))
            .means("\"The caller must have *ALLOBJ or *AUDIT special authority to retrieve the values\" (SYSTEM_VALUE_INFO). The agent does not need it: look with a profile that has it, qaudjrn doctor --user NAME --password FILE"),
        ),
        (Ok(_), Some(collected)) => values(collected, catalog, &mut all),
    }
    if let Ok(values) = &answers.values {
        all.extend(end_action(values.get("QAUDENDACN").map_or("", String::as_str)).filter(|f| f.id == "power-down"));
    }
    all
}

fn journal(answers: &Answers, collected: Option<&Collected>, all: &mut Vec<Finding>) {
    let (library, name) = (&answers.journal_name.0, &answers.journal_name.1);
    let is_audit = library == "QSYS" && name == "QAUDJRN";
    let found = match &answers.journal {
        Err(why) => return all.push(not_asked("the journal", why)),
        Ok(found) => found,
    };
    // "When auditing is active (the QAUDCTL system value is not *NONE), the system arbitrator job (QSYSARB) holds a lock" on it.
    let is_active = is_audit && collected.is_some_and(|c| !c.control.is_empty());
    let is_there = matches!(answers.journal_object, Ok(Some(_)));
    match found {
        None if is_active || is_there => all.push(
            Finding::new("journal-hidden", "R11", Severity::Error, format!(
                "{library}/{name} is there, and {} cannot see it in JOURNAL_INFO",
                answers.asker
            ))
            .means("\"The caller must have *EXECUTE authority to the library containing the journal, and *OBJOPR and some data authority other than *EXECUTE to the journal\" (JOURNAL_INFO): nothing can be read from it")
            .commands([super::authority::grant_journal(answers)]),
        ),
        None if is_audit => all.push(
            Finding::new("journal-missing", "R11", Severity::Error, format!(
                "there is no journal QSYS/QAUDJRN that {} can see",
                answers.asker
            ))
            .means("security events are not recorded. It \"must exist before QAUDCTL can be changed\" (Security reference, Setting up security auditing); put the receiver in a library that is saved regularly, not in QSYS")
            .command("DSPOBJD OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN)   /* is it really not there? */")
            .command(CREATE[0])
            .command(CREATE[1])
            .command(set("QAUDCTL", &CONTROL)),
        ),
        None => all.push(Finding::new("journal-missing", "R11", Severity::Error, format!(
            "there is no journal {library}/{name} that {} can see",
            answers.asker
        ))
        .means("nothing can be read from it")
        .command(format!("DSPOBJD OBJ({library}/{name}) OBJTYPE(*JRN)"))),
        Some(Journal { attached: None, .. }) => all.push(
            Finding::new("receiver-missing", "R11", Severity::Error, format!("{library}/{name} has no attached receiver"))
                .means("entries cannot be written to it")
                .command("CRTJRNRCV JRNRCV(QGPL/AUDRCV0001) THRESHOLD(100000) AUT(*EXCLUDE) TEXT('Auditing journal receiver')   /* a name that is free */")
                .command(format!("CHGJRN JRN({library}/{name}) JRNRCV(QGPL/AUDRCV0001)"))
                .commands(is_audit.then(|| set("QAUDCTL", &CONTROL))),
        ),
        Some(journal) => all.extend(keeps_receivers(library, name, journal)),
    }
}

/// Whether the system itself deletes receivers that the agent may not have read yet.
pub fn keeps_receivers(library: &str, name: &str, journal: &Journal) -> Option<Finding> {
    journal.deletes_receivers.then(|| {
        Finding::new("deletes-receivers", "R11", Severity::Warning, format!("{library}/{name} has DLTRCV(*YES)"))
            .means("the system deletes a detached receiver when it does not need it any more, read by the agent or not: an agent that is away for longer misses its entries")
            .command(format!("CHGJRN JRN({library}/{name}) DLTRCV(*NO)"))
    })
}

fn values(c: &Collected, catalog: &Catalog, all: &mut Vec<Finding>) {
    if c.control.is_empty() {
        all.push(
            Finding::new("qaudctl-none", "R12", Severity::Error, "QAUDCTL is *NONE: nothing is collected")
                .means("\"No auditing of user actions and no auditing of objects is performed\" (QAUDCTL), whatever QAUDLVL, user profiles and objects say")
                .command(set("QAUDCTL", &CONTROL)),
        );
        return;
    }
    let lacks: Vec<&str> = CONTROL.into_iter().filter(|v| !c.controls(v)).collect();
    let mut whole: Vec<&str> = c.control.iter().map(String::as_str).collect();
    whole.extend(&lacks);
    let what = |value: &&str| match *value {
        "*AUDLVL" => "QAUDLVL, QAUDLVL2 and the action auditing of users have no effect",
        "*OBJAUD" => "the auditing of objects (CHGOBJAUD, CHGDLOAUD, CHGAUD) has no effect",
        _ => "objects in QTEMP are audited too: many entries of no interest",
    };
    if !lacks.is_empty() {
        let severity = if lacks == ["*NOQTEMP"] { Severity::Note } else { Severity::Warning };
        let effects: Vec<&str> = lacks.iter().map(what).collect();
        all.push(
            Finding::new(
                "qaudctl-lacks",
                "R12",
                severity,
                format!("QAUDCTL lacks {}: it is {}", list(&lacks), c.control.join(" ")),
            )
            .means(effects.join("; "))
            .command(set("QAUDCTL", &whole))
            .names(lacks.iter().map(|l| (*l).to_owned())),
        );
    }
    let has_second = c.level.iter().any(|l| l == "*AUDLVL2");
    if !has_second && !c.level2.is_empty() {
        all.push(
            Finding::new("qaudlvl2-unused", "R14", Severity::Warning, format!(
                "QAUDLVL2 has {}, and QAUDLVL lacks *AUDLVL2: they have no effect",
                c.level2.join(" ")
            ))
            .means("\"For the QAUDLVL2 system value to take effect, the QAUDCTL system value must include *AUDLVL and the QAUDLVL system value must include *AUDLVL2\"")
            .commands(c.adding(&[])),
        );
    }
    if c.controls("*AUDLVL") && c.levels().is_empty() {
        all.push(
            Finding::new("qaudlvl-none", "R12", Severity::Warning, "QAUDLVL has no values in force")
                .means("\"No events controlled by the QAUDLVL or QAUDLVL2 system values are logged. Events are logged for individual users based on the AUDLVL values of user profiles\"")
                .command(set("QAUDLVL", &LEVELS)),
        );
    }
    if c.levels().contains(&"*SECURITY") {
        all.push(security(catalog));
    }
}

/// R13.
fn security(catalog: &Catalog) -> Finding {
    let levels = catalog.levels();
    let codes: Vec<String> =
        levels.levels.iter().filter(|l| l.value == "*SECURITY").flat_map(|l| l.entry_types.clone()).collect();
    let titled: Vec<String> =
        codes.iter().map(|c| levels.type_row(c).map_or(c.clone(), |row| format!("{c} {}", row.title))).collect();
    Finding::new(
        "security-covers",
        "R13",
        Severity::Note,
        format!("*SECURITY is in force: it covers {} entry types", codes.len()),
    )
    .means(format!(
        "*SECURITY is *SECCFG, *SECDIRSRV, *SECIPC, *SECNAS, *SECRUN, *SECSCKD, *SECVFY and *SECVLDL together: {}",
        titled.join(", ")
    ))
    .names(codes)
}

/// What the system does when it cannot write an audit entry.
pub fn end_action(value: &str) -> Option<Finding> {
    let finding = |id, found: &str, means: &str| Finding::new(id, "", Severity::Note, found).means(means);
    match value {
        "*PWRDWNSYS" => Some(finding(
            "power-down",
            "QAUDENDACN is *PWRDWNSYS",
            "\"If the system is unable to write an audit journal entry, the system powers down immediately\": room for receivers is a matter of availability; save and delete those that are delivered",
        )),
        "*NOTIFY" => Some(finding(
            "notify",
            "QAUDENDACN is *NOTIFY",
            "if the system is unable to write an audit entry, message CPI2283 is sent to QSYSOPR every hour and QAUDCTL is set to *NONE: auditing stops and the system goes on, so room for receivers is a matter of security; save and delete those that are delivered",
        )),
        _ => None,
    }
}
