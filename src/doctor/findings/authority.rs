//! What the profile of the agent may, beyond what it needs and short of it.
//!
//! DISPLAY_JOURNAL needs *USE to the journal and to each receiver, *EXECUTE to their libraries, and, because the agent names no object,
//! *OBJEXIST to the journal (IBM support page 6610275). *USE is *OBJOPR, *READ and *EXECUTE; commands name these, so that they can stand
//! beside *OBJEXIST in one list.
use std::collections::BTreeSet;

use super::{Finding, Severity, list, not_asked, users};
use crate::{
    config::doctor::ObjectName,
    doctor::answers::{Answers, Right},
};

const USE: [&str; 3] = ["*OBJOPR", "*READ", "*EXECUTE"];
const JOURNAL: [&str; 4] = ["*OBJOPR", "*READ", "*EXECUTE", "*OBJEXIST"];
const LIBRARY: [&str; 1] = ["*EXECUTE"];
/// What *ALL is.
const ALL: [&str; 10] =
    ["*OBJOPR", "*OBJMGT", "*OBJEXIST", "*OBJALTER", "*OBJREF", "*READ", "*ADD", "*UPD", "*DLT", "*EXECUTE"];

pub(super) fn findings(answers: &Answers) -> Vec<Finding> {
    let mut all = Vec::new();
    let agent = &answers.agent;
    let profiles = answers.profiles.as_ref().map_or(&[][..], Vec::as_slice);
    let special = users::of(agent, profiles);
    special_authorities(answers, &special, &mut all);
    // "A user with *ALLOBJ" lacks nothing, and what else it has does not matter.
    let has_all = special.contains(&"*ALLOBJ");
    let mut lacking: Vec<Lacking> = Vec::new();
    let mut unknown = Vec::new();
    for (name, rights) in &answers.rights {
        let rights = match rights {
            Ok(rights) => rights,
            Err(why) => {
                all.push(not_asked(&format!("the authority to {}", shown(name)), why));
                continue;
            }
        };
        all.extend(public(name, rights));
        let (has, how) = effective(answers, rights);
        match how {
            How::Unknown if !has_all => unknown.push(shown(name)),
            How::Unknown => {}
            How::Own | How::Group | How::Public => {
                let lacks: Vec<&str> = needs(name).iter().copied().filter(|n| !has.contains(n)).collect();
                if !lacks.is_empty() && !has_all && !is_proven(answers, name) {
                    let what = format!("{} to {}", list(&lacks), shown(name));
                    lacking.push(Lacking { what, commands: vec![grant(name, agent, &lacks)] });
                }
                if how == How::Own && name.kind != "*LIB" {
                    all.extend(beyond(name, agent, &has));
                }
            }
        }
    }
    owner(answers, &mut all);
    reading(answers, &mut lacking, &mut all);
    if !lacking.is_empty() {
        let what: Vec<String> = lacking.iter().map(|l| l.what.clone()).collect();
        let mut seen = BTreeSet::new();
        let commands = lacking.into_iter().flat_map(|l| l.commands).filter(|c| seen.insert(c.clone()));
        all.push(
            Finding::new("agent-lacks", "", Severity::Error, format!("{agent} lacks {}", what.join("; ")))
                .means("\"*USE authority to the journal and to all requested journal receivers\", *EXECUTE to their libraries, and *OBJEXIST to the journal, because no object is named (DISPLAY_JOURNAL)")
                .commands(commands)
                .names(what),
        );
    }
    if !unknown.is_empty() && !matches!(answers.reading, Some(Ok(()))) {
        all.push(
            Finding::new("authority-unknown", "", Severity::Note, format!("it cannot be seen what {agent} may do with {}", list(&unknown)))
                .means("the list of authorities shows all users to who has *OBJMGT or owns the object, and to others their own rows alone; authority by an authorization list or adopted authority is not in it"),
        );
    }
    all
}

/// Something that the agent cannot do, and the commands that would let it.
struct Lacking {
    what: String,
    commands: Vec<String>,
}

/// Reading an entry shows more than the lists do, which leave adopted authority out: the journal, the attached receiver and their
/// libraries may be read then.
fn is_proven(answers: &Answers, name: &ObjectName) -> bool {
    let attached = answers.journal.iter().flatten().find_map(|j| j.attached.as_ref());
    let (Some(Ok(())), Some((library, receiver))) = (&answers.reading, attached) else { return false };
    match name.kind.as_str() {
        "*JRN" => true,
        "*LIB" => name.name == *library || name.name == answers.journal_name.0,
        _ => name.library == *library && name.name == *receiver,
    }
}

fn needs(name: &ObjectName) -> &'static [&'static str] {
    match name.kind.as_str() {
        "*JRN" => &JOURNAL,
        "*LIB" => &LIBRARY,
        _ => &USE,
    }
}

fn shown(name: &ObjectName) -> String {
    format!("{}/{} {}", name.library, name.name, name.kind)
}

fn grant(name: &ObjectName, user: &str, authorities: &[&str]) -> String {
    let ObjectName { library, name, kind } = name;
    format!("GRTOBJAUT OBJ({library}/{name}) OBJTYPE({kind}) USER({user}) AUT({})", authorities.join(" "))
}

/// The command that gives the agent what it needs of the journal.
pub(super) fn grant_journal(answers: &Answers) -> String {
    let (library, journal) = &answers.journal_name;
    grant(&ObjectName::new(library, journal, "*JRN"), &answers.agent, &JOURNAL)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    /// By a row of its own.
    Own,
    /// By its groups.
    Group,
    /// As everybody.
    Public,
    /// By none that can be seen.
    Unknown,
}

/// In the system's order: the user's own authority, else that of its groups together, else that of *PUBLIC.
fn effective(answers: &Answers, rights: &[Right]) -> (BTreeSet<&'static str>, How) {
    let all = |rows: &[&Right]| rows.iter().flat_map(|r| singles(r)).collect::<BTreeSet<_>>();
    let rows = |is: &dyn Fn(&Right) -> bool| rights.iter().filter(|r| is(r)).collect::<Vec<_>>();
    let own = rows(&|r| r.user == answers.agent);
    if !own.is_empty() {
        return (all(&own), How::Own);
    }
    let profiles = answers.profiles.as_ref().map_or(&[][..], Vec::as_slice);
    let groups: Vec<&String> = profiles.iter().filter(|p| p.name == answers.agent).flat_map(|p| &p.groups).collect();
    let by_groups = rows(&|r| groups.contains(&&r.user));
    if !by_groups.is_empty() {
        return (all(&by_groups), How::Group);
    }
    let public = rows(&|r| r.user == "*PUBLIC");
    if public.is_empty() || rights.iter().any(|r| !r.list.is_empty()) {
        return (BTreeSet::new(), How::Unknown);
    }
    (all(&public), How::Public)
}

fn singles(right: &Right) -> Vec<&'static str> {
    match right.authority.as_str() {
        "*ALL" => ALL.to_vec(),
        _ => right.single.clone(),
    }
}

/// More of an object than reading it.
fn beyond(name: &ObjectName, agent: &str, has: &BTreeSet<&'static str>) -> Option<Finding> {
    let more: Vec<&str> = ALL.into_iter().filter(|a| has.contains(a) && !needs(name).contains(a)).collect();
    if more.is_empty() {
        return None;
    }
    let ObjectName { library, name: object, kind } = name;
    let all = if ALL.iter().all(|a| has.contains(a)) { " (*ALL)" } else { "" };
    Some(
        Finding::new(
            "agent-may-more",
            "",
            Severity::Warning,
            format!("{agent} has {}{all} to {}, which it does not need", list(&more), shown(name)),
        )
        .means("the agent only reads: who takes its password could change or delete what it reads")
        .command(format!("RVKOBJAUT OBJ({library}/{object}) OBJTYPE({kind}) USER({agent}) AUT({})", more.join(" ")))
        .names([shown(name)]),
    )
}

/// Everybody may read the audit journal.
fn public(name: &ObjectName, rights: &[Right]) -> Option<Finding> {
    let public = rights.iter().find(|r| r.user == "*PUBLIC").filter(|_| name.kind != "*LIB")?;
    if matches!(public.authority.as_str(), "*EXCLUDE" | "*AUTL" | "") {
        return None;
    }
    let ObjectName { library, name: object, kind } = name;
    Some(
        Finding::new(
            "public-may-read",
            "",
            Severity::Warning,
            format!("*PUBLIC has {} to {}", public.authority, shown(name)),
        )
        .means(
            "IBM: \"Specify *EXCLUDE on the AUT parameter to limit access to the information stored in the journal\"",
        )
        .command(format!("GRTOBJAUT OBJ({library}/{object}) OBJTYPE({kind}) USER(*PUBLIC) AUT(*EXCLUDE)"))
        .names([shown(name)]),
    )
}

fn special_authorities(answers: &Answers, special: &[&str], all: &mut Vec<Finding>) {
    let agent = &answers.agent;
    let profiles = answers.profiles.as_ref().map_or(&[][..], Vec::as_slice);
    let Some(profile) = profiles.iter().find(|p| p.name == *agent) else { return };
    let own = |s: &&str| profile.special.iter().any(|o| o == *s);
    let too_much: Vec<&str> = special.iter().copied().filter(|s| *s != "*AUDIT").collect();
    if !too_much.is_empty() {
        let by_groups = if too_much.iter().all(own) {
            String::new()
        } else {
            format!(" (by its groups {})", profile.groups.join(" "))
        };
        let kept: Vec<&str> = special.iter().copied().filter(|s| *s == "*AUDIT" && own(s)).collect();
        let kept = if kept.is_empty() { "*NONE" } else { "*AUDIT" };
        let mut finding = Finding::new(
            "agent-special",
            "",
            Severity::Warning,
            format!("{agent} has {}{by_groups}, which the agent does not need", list(&too_much)),
        )
        .means("the agent needs no special authority: it only reads what GRTOBJAUT gives it")
        .names(too_much.iter().map(|s| (*s).to_owned()));
        if too_much.iter().any(own) {
            finding = finding.command(format!("CHGUSRPRF USRPRF({agent}) SPCAUT({kept})"));
        }
        if !too_much.iter().all(own) {
            finding = finding.command(format!("CHGUSRPRF USRPRF({agent}) GRPPRF(*NONE) SUPGRPPRF(*NONE)"));
        }
        all.push(finding);
    }
    if special.contains(&"*AUDIT") {
        all.push(
            Finding::new("agent-audit", "", Severity::Note, format!("{agent} has *AUDIT"))
                .means("doctor needs it to see the auditing values, run does not. \"A user with *AUDIT special authority can stop and start auditing on the system or prevent auditing of particular actions\": safer is doctor --user with a profile of its own")
                .command(format!("CHGUSRPRF USRPRF({agent}) SPCAUT(*NONE)   /* then doctor --user */")),
        );
    }
}

fn owner(answers: &Answers, all: &mut Vec<Finding>) {
    let Ok(Some(object)) = &answers.journal_object else { return };
    let (library, journal) = &answers.journal_name;
    if object.owner == answers.agent {
        all.push(
            Finding::new("agent-owns", "", Severity::Warning, format!("{} owns {library}/{journal}", answers.agent))
                .means("an owner may do everything with it, and give itself back what is taken away")
                .command(format!("CHGOBJOWN OBJ({library}/{journal}) OBJTYPE(*JRN) NEWOWN(QSYS) CUROWNAUT(*REVOKE)")),
        );
    }
}

/// What the attempt to read shows: it is right where the lists of authorities cannot be seen.
fn reading(answers: &Answers, lacking: &mut Vec<Lacking>, all: &mut Vec<Finding>) {
    let (library, journal) = &answers.journal_name;
    let to_receivers = |(library, receiver): &(String, String)| {
        [
            grant(&ObjectName::new("QSYS", library, "*LIB"), &answers.agent, &LIBRARY),
            grant(&ObjectName::new(library, &generic(receiver), "*JRNRCV"), &answers.agent, &USE),
        ]
    };
    match &answers.reading {
        None if answers.asker == answers.agent => {
            for attached in answers.journal.iter().flatten().filter_map(|j| j.attached.as_ref()) {
                let what = format!("*USE to the receivers, of which it sees no {}/{}", attached.0, attached.1);
                lacking.push(Lacking { what, commands: to_receivers(attached).into() });
            }
        }
        Some(Err(e)) if !is_authority(e) => all.push(
            Finding::new("cannot-read", "", Severity::Error, format!("{library}/{journal} cannot be read: {e}"))
                .means("DISPLAY_JOURNAL, which the agent follows the journal with, answers so for the first entry of the attached receiver"),
        ),
        Some(Err(e)) if lacking.is_empty() => {
            let mut commands = vec![grant_journal(answers)];
            commands.extend(answers.journal.iter().flatten().filter_map(|j| j.attached.as_ref()).flat_map(to_receivers));
            lacking.push(Lacking { what: format!("authority to read {library}/{journal}: {e}"), commands });
        }
        _ => {}
    }
}

fn is_authority(e: &crate::source::live::query::QueryError) -> bool {
    use crate::source::live::query::QueryError;
    matches!(e.message_id(), Some("CPF9802" | "CPF9820" | "CPF9822"))
        || matches!(e, QueryError::Sql { code: -551 | -552, .. })
}

/// The receivers of a chain: AUDRCV0042 becomes AUDRCV*.
fn generic(receiver: &str) -> String {
    match receiver.trim_end_matches(|c: char| c.is_ascii_digit()) {
        stem if stem.is_empty() || stem.len() == receiver.len() => receiver.to_owned(),
        stem => format!("{stem}*"),
    }
}
