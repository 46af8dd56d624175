use super::*;
use crate::{
    config::doctor::ObjectName,
    doctor::answers::{Journal, Listed, Object, Profile, Right},
    source::live::{query::QueryError, receivers::Receiver},
};

fn words_of(text: &str) -> Vec<String> {
    words(text)
}

fn collected(control: &str, level: &str, level2: &str) -> Collected {
    Collected { control: words_of(control), level: words_of(level), level2: words_of(level2) }
}

fn profile(name: &str, special: &str, groups: &str) -> Profile {
    Profile {
        name: name.to_owned(),
        special: words_of(special),
        groups: words_of(groups),
        actions: Some(words_of("*CMD")),
        ..Profile::default()
    }
}

fn right(user: &str, authority: &str, single: &[&'static str]) -> Right {
    Right { user: user.to_owned(), authority: authority.to_owned(), single: single.to_vec(), ..Right::default() }
}

/// A system with nothing wrong, whose lists of authorities are empty.
fn answers() -> Answers {
    let receiver =
        Receiver { library: "JRNLIB".into(), name: "AUDRCV0042".into(), first: 1, last: 9, attached: String::new() };
    let values = [("QAUDCTL", "*AUDLVL *OBJAUD *NOQTEMP"), ("QAUDLVL", "*AUTFAIL"), ("QAUDLVL2", "*NONE")];
    Answers {
        system: "PROD01".into(),
        asker: "AGENT".into(),
        agent: "AGENT".into(),
        journal_name: ("QSYS".into(), "QAUDJRN".into()),
        values: Ok(values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()),
        journal: Ok(Some(Journal { attached: Some(("JRNLIB".into(), "AUDRCV0042".into())), deletes_receivers: false })),
        journal_object: Ok(Some(Object { owner: "QSYS".into(), audit: None })),
        chain: Ok(vec![Listed { receiver, status: "ATTACHED".into() }]),
        reading: Some(Ok(())),
        profiles: Ok(vec![profile("AGENT", "", "")]),
        rights: BTreeMap::new(),
        libraries: Vec::new(),
        objects: Vec::new(),
        paths: Vec::new(),
    }
}

fn judged(answers: &Answers) -> Vec<Finding> {
    let everything = TypeRules::default();
    judge(answers, Wanted { stages: [&everything, &everything], outputs: &[] }, &Catalog::shipped().unwrap())
}

#[track_caller]
fn one<'f>(all: &'f [Finding], id: &str) -> &'f Finding {
    let found: Vec<&Finding> = all.iter().filter(|f| f.id == id).collect();
    assert_eq!(found.len(), 1, "{id}: {all:#?}");
    found[0]
}

fn is_said(all: &[Finding], id: &str) -> bool {
    all.iter().any(|f| f.id == id)
}

#[test]
fn a_seventeenth_value_goes_to_qaudlvl2() {
    let fifteen: Vec<String> = (0..15).map(|n| format!("*L{n}")).collect();
    let full = collected("*AUDLVL", &fifteen.join(" "), "");
    let sixteen = full.adding(&["*NEW"]);
    assert_eq!(sixteen, [format!("CHGSYSVAL SYSVAL(QAUDLVL) VALUE('{} *NEW')", fifteen.join(" "))]);
    let seventeen = full.adding(&["*NEW", "*MORE"]);
    assert_eq!(seventeen[0], "CHGSYSVAL SYSVAL(QAUDLVL2) VALUE('*NEW *MORE')");
    assert_eq!(seventeen[1], format!("CHGSYSVAL SYSVAL(QAUDLVL) VALUE('{} *AUDLVL2')", fifteen.join(" ")));
    let extended = collected("*AUDLVL", "*AUTFAIL *AUDLVL2", "*SERVICE");
    assert_eq!(extended.adding(&["*NEW", "*SERVICE"]), ["CHGSYSVAL SYSVAL(QAUDLVL2) VALUE('*SERVICE *NEW')"]);
    // Sixteen already, and QAUDLVL2 has values: one makes room for *AUDLVL2.
    let sixteen: Vec<String> = (0..16).map(|n| format!("*L{n}")).collect();
    let commands = collected("*AUDLVL", &sixteen.join(" "), "*SERVICE").adding(&[]);
    assert_eq!(commands[0], "CHGSYSVAL SYSVAL(QAUDLVL2) VALUE('*SERVICE *L15')");
    assert!(commands[1].ends_with("*L14 *AUDLVL2')"), "{commands:?}");
}

#[test]
fn values_that_may_not_be_seen_are_not_values_that_are_empty() {
    let mut hidden = answers();
    hidden.values = Ok([("QAUDCTL".to_owned(), "*NOTAVL".to_owned())].into());
    hidden.profiles =
        Ok(vec![profile("AGENT", "", ""), Profile { actions: Some(vec![]), ..profile("BOSS", "*ALLOBJ", "") }]);
    let all = judged(&hidden);
    assert!(is_said(&all, "values-hidden") && !is_said(&all, "qaudctl-none") && !is_said(&all, "user-unaudited"));
    hidden.values = Err("SQL0204".into());
    let all = judged(&hidden);
    assert!(one(&all, "not-answered").found.contains("SQL0204") && !is_said(&all, "qaudctl-none"));
}

#[test]
fn authority_is_that_of_the_user_else_of_the_groups_together_else_of_everybody() {
    let journal = ObjectName::new("QSYS", "QAUDJRN", "*JRN");
    let lacks = |rights: Vec<Right>, groups: &str| {
        let mut a = answers();
        (a.reading, a.asker) = (None, "CHECKER".into());
        a.profiles = Ok(vec![profile("AGENT", "", groups)]);
        a.rights.insert(journal.clone(), Ok(rights));
        judged(&a).into_iter().find(|f| f.id == "agent-lacks").map(|f| f.commands)
    };
    let enough = ["*OBJOPR", "*READ", "*EXECUTE", "*OBJEXIST"];
    let grant = |what: &str| Some(vec![format!("GRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(AGENT) AUT({what})")]);
    assert_eq!(lacks(vec![right("AGENT", "USER DEFINED", &enough)], ""), None);
    // Its own row counts alone, even where it excludes it and everybody else may.
    let excluded = vec![right("AGENT", "*EXCLUDE", &[]), right("*PUBLIC", "*ALL", &[])];
    assert_eq!(lacks(excluded, ""), grant("*OBJOPR *READ *EXECUTE *OBJEXIST"));
    let two = vec![
        right("GRPA", "*USE", &["*OBJOPR", "*READ", "*EXECUTE"]),
        right("GRPB", "USER DEFINED", &["*OBJEXIST"]),
        right("*PUBLIC", "*EXCLUDE", &[]),
    ];
    assert_eq!(lacks(two.clone(), "GRPA GRPB"), None);
    assert_eq!(lacks(two.clone(), "GRPA"), grant("*OBJEXIST"));
    assert_eq!(lacks(two, ""), grant("*OBJOPR *READ *EXECUTE *OBJEXIST"));
    assert_eq!(lacks(vec![], ""), None);
    // It reads, so it may, whatever the lists say; an older receiver may be another matter.
    let mut a = answers();
    a.rights.insert(journal.clone(), Ok(vec![right("AGENT", "*EXCLUDE", &[])]));
    assert!(!is_said(&judged(&a), "agent-lacks"));
    a.rights.insert(ObjectName::new("JRNLIB", "AUDRCV0041", "*JRNRCV"), Ok(vec![right("AGENT", "*EXCLUDE", &[])]));
    assert_eq!(one(&judged(&a), "agent-lacks").names, ["*OBJOPR, *READ and *EXECUTE to JRNLIB/AUDRCV0041 *JRNRCV"]);
}

#[test]
fn what_cannot_be_seen_is_said_unless_reading_shows_it() {
    let mut a = answers();
    a.rights.insert(ObjectName::new("QSYS", "QAUDJRN", "*JRN"), Ok(vec![]));
    assert!(!is_said(&judged(&a), "authority-unknown"));
    a.reading = None;
    a.asker = "CHECKER".into();
    assert_eq!(one(&judged(&a), "authority-unknown").severity, Severity::Note);
    // Secured by an authorization list: what *PUBLIC has is not what counts.
    let listed = Right { list: "AUDAUTL".into(), ..right("*PUBLIC", "*AUTL", &[]) };
    a.rights.insert(ObjectName::new("QSYS", "QAUDJRN", "*JRN"), Ok(vec![listed]));
    assert!(is_said(&judged(&a), "authority-unknown") && !is_said(&judged(&a), "agent-lacks"));
}

#[test]
fn an_attempt_to_read_that_is_refused_shows_what_the_lists_do_not() {
    let error = |message: &str, code| QueryError::Sql { message: message.into(), state: "38501".into(), code };
    let mut a = answers();
    a.reading = Some(Err(error("[CPF9802] Not authorized to object AUDRCV0042 in JRNLIB.", -443)));
    assert_eq!(
        one(&judged(&a), "agent-lacks").commands,
        [
            "GRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(AGENT) AUT(*OBJOPR *READ *EXECUTE *OBJEXIST)",
            "GRTOBJAUT OBJ(QSYS/JRNLIB) OBJTYPE(*LIB) USER(AGENT) AUT(*EXECUTE)",
            "GRTOBJAUT OBJ(JRNLIB/AUDRCV*) OBJTYPE(*JRNRCV) USER(AGENT) AUT(*OBJOPR *READ *EXECUTE)",
        ]
    );
    a.reading = Some(Err(error("SQL0551: not authorized", -551)));
    assert!(is_said(&judged(&a), "agent-lacks"));
    a.reading = Some(Err(error("[CPF7025] damaged", -443)));
    assert!(is_said(&judged(&a), "cannot-read") && !is_said(&judged(&a), "agent-lacks"));
    // It sees the journal and none of its receivers.
    a.chain = Ok(vec![]);
    a.reading = None;
    assert!(one(&judged(&a), "agent-lacks").found.contains("it sees no JRNLIB/AUDRCV0042"));
}

#[test]
fn all_object_lacks_nothing_and_is_too_much_also_by_a_group() {
    let mut a = answers();
    a.profiles = Ok(vec![profile("AGENT", "", "GRPALL"), profile("GRPALL", "*ALLOBJ", "")]);
    a.rights.insert(ObjectName::new("QSYS", "QAUDJRN", "*JRN"), Ok(vec![right("*PUBLIC", "*EXCLUDE", &[])]));
    let all = judged(&a);
    assert!(!is_said(&all, "agent-lacks"), "{all:#?}");
    assert_eq!(one(&all, "agent-special").commands, ["CHGUSRPRF USRPRF(AGENT) GRPPRF(*NONE) SUPGRPPRF(*NONE)"]);
}

#[test]
fn an_owner_may_everything() {
    let mut a = answers();
    a.journal_object = Ok(Some(Object { owner: "AGENT".into(), audit: None }));
    assert!(one(&judged(&a), "agent-owns").commands[0].starts_with("CHGOBJOWN OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN)"));
}

#[test]
fn types_of_object_auditing_need_the_switch_and_commands_need_users() {
    let everything = TypeRules::default();
    let wanted = Wanted { stages: [&everything, &everything], outputs: &[] };
    let catalog = Catalog::shipped().unwrap();
    let mut a = answers();
    a.profiles = Ok(vec![]);
    let never = |a: &Answers, c: &Collected| types::findings(a, c, wanted, &catalog).remove(0);
    let off = never(&a, &collected("*AUDLVL", "*AUTFAIL", ""));
    for code in ["ZR", "ZC", "CD", "SF"] {
        assert!(off.names.iter().any(|n| n == code), "{code}: {:?}", off.names);
    }
    assert!(!off.names.iter().any(|n| n == "PW"), "{:?}", off.names);
    assert_eq!(off.commands[0], "CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL *OBJAUD')");
    let on = never(&a, &collected("*AUDLVL *OBJAUD", "*AUTFAIL", ""));
    assert!(!on.names.iter().any(|n| n == "ZR" || n == "ZC"), "{:?}", on.names);
    // One detail of a type arrives, another does not: JS.
    let jobs = never(&a, &collected("*AUDLVL *OBJAUD", "*JOBBAS", ""));
    assert!(jobs.names.iter().any(|n| n == "JS-M") && !jobs.names.iter().any(|n| n == "JS" || n == "JS-S"));
}

#[test]
fn all_that_is_asked_are_queries() {
    use crate::doctor::questions::{CONTENTS, OBJECT, PATH, PROFILES, RIGHTS, VALUES};
    for sql in [CONTENTS, OBJECT, PATH, PROFILES, RIGHTS, VALUES] {
        assert!(sql.starts_with("SELECT ") && !sql.contains(';') && sql.contains(" FROM "), "{sql}");
    }
}
