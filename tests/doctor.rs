//! `qaudjrn doctor` against a simulated system in many states (issue 5, "What must show" 6): each finding is right, and nothing but
//! queries that the stand-in knows reaches it. What no stand-in can show is in docs/DOCTOR.md.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use harness::{
    agent::{Agent, signal},
    findings::{commands, commands_of, config, doctor, findings, ids, one, values},
    program::{folder, qaudjrn},
    system::System,
};
use serde_json::{Value, json};

const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

/// A system with nothing wrong.
fn healthy() -> System {
    let system = System::start("--entries 50 --receivers 2");
    values(&system, json!({"QAUDCTL": "*AUDLVL *OBJAUD *NOQTEMP"}));
    system
}

const ONLY_SECURITY: &str = "[filter]\ntypes.send = [\"*SECURITY\"]\n";

#[test]
fn state_1_a_system_with_nothing_wrong_has_notes_only() {
    let system = healthy();
    let all = findings(&system, ONLY_SECURITY, 0);
    assert_eq!(ids(&all), ["security-covers", "profiles-seen", "agent-audit"], "{all:#?}");
    let covers = one(&all, "security-covers");
    assert_eq!((&covers["requirement"], covers["names"].as_array().unwrap().len()), (&json!("R13"), 31));
    assert!(covers["means"].as_str().unwrap().contains("CP User profile created, changed or restored"), "{covers}");
    // The same as a table.
    let run = doctor(&system, &config(&system, ONLY_SECURITY), "", 0);
    let lines = run.lines();
    assert_eq!(lines[0], "source prod01: system PROD01, journal QSYS/QAUDJRN, asked as AUDITOR");
    assert!(lines[1].starts_with("  note    R13  *SECURITY is in force: it covers 31 entry types"), "{}", run.stdout);
    assert_eq!(lines.last(), Some(&"0 errors, 0 warnings, 3 notes; commands are shown and were not run"));
}

#[test]
fn state_2_r11_without_a_journal_the_commands_that_make_it_are_shown() {
    let system = healthy();
    system.tell(json!({"cmd": "journal", "there": false}));
    values(&system, json!({"QAUDCTL": "*NONE"}));
    let all = findings(&system, "", 3);
    let missing = one(&all, "journal-missing");
    assert_eq!((&missing["requirement"], &missing["severity"]), (&json!("R11"), &json!("error")));
    let commands = commands(missing);
    assert!(commands[1].starts_with("CRTJRNRCV JRNRCV(QGPL/AUDRCV0001)"), "{commands:?}");
    assert!(commands[2].starts_with("CRTJRN JRN(QSYS/QAUDJRN) JRNRCV(QGPL/AUDRCV0001)"), "{commands:?}");
    assert_eq!(commands[3], "CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL *OBJAUD *NOQTEMP')");
    assert!(!ids(&all).contains(&"agent-lacks"), "{all:#?}");
    // A journal without a receiver.
    system.tell(json!({"cmd": "journal", "there": true, "detached": true}));
    let all = findings(&system, "", 3);
    assert!(commands_of(&all, "receiver-missing")[1].starts_with("CHGJRN JRN(QSYS/QAUDJRN) JRNRCV("));
}

#[test]
fn state_3_r12_qaudctl_none_collects_nothing_and_what_it_lacks_is_named() {
    let system = healthy();
    values(&system, json!({"QAUDCTL": "*NONE"}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert_eq!(one(&all, "qaudctl-none")["severity"], "error");
    assert_eq!(commands_of(&all, "qaudctl-none"), ["CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL *OBJAUD *NOQTEMP')"]);
    assert!(!ids(&all).contains(&"security-covers"));
    assert_eq!(one(&all, "never-arrive")["severity"], "warning");
    assert_eq!(commands_of(&all, "never-arrive"), ["CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL')"]);
    values(&system, json!({"QAUDCTL": "*AUDLVL *NOQTEMP"}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert_eq!(one(&all, "qaudctl-lacks")["names"], json!(["*OBJAUD"]));
    assert_eq!(commands_of(&all, "qaudctl-lacks"), ["CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL *NOQTEMP *OBJAUD')"]);
    values(&system, json!({"QAUDCTL": "*AUDLVL *OBJAUD", "QAUDLVL": "*NONE"}));
    let all = findings(&system, "", 3);
    assert_eq!(
        (&one(&all, "qaudctl-lacks")["severity"], &one(&all, "qaudlvl-none")["severity"]),
        (&json!("note"), &json!("warning"))
    );
}

#[test]
fn state_4_r14_values_in_qaudlvl2_that_nothing_refers_to() {
    let system = healthy();
    values(&system, json!({"QAUDLVL": "*AUTFAIL *SECURITY", "QAUDLVL2": "*SAVRST *SERVICE"}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert_eq!(
        commands_of(&all, "qaudlvl2-unused"),
        ["CHGSYSVAL SYSVAL(QAUDLVL) VALUE('*AUTFAIL *SECURITY *AUDLVL2')"]
    );
    values(&system, json!({"QAUDLVL": "*AUTFAIL *SECURITY *AUDLVL2"}));
    assert!(!ids(&findings(&system, ONLY_SECURITY, 0)).contains(&"qaudlvl2-unused"));
}

#[test]
fn state_5_r15_types_that_can_never_arrive_are_named_with_the_level_that_produces_them() {
    let system = healthy();
    values(&system, json!({"QAUDLVL": "*AUTFAIL *CREATE"}));
    let text = "[filter]\ntypes.send = [\"PW\", \"SF\", \"ST\", \"CO\", \"ZR\", \"CD\", \"DO-A\"]\n";
    let all = findings(&system, text, 3);
    // What QSECOFR's own action auditing produces arrives, of QSECOFR.
    assert_eq!(one(&all, "some-users-only")["names"], json!(["CD", "DO", "ST"]));
    system.tell(json!({"cmd": "user", "name": "QSECOFR", "cls": "*SECOFR", "special": "*ALLOBJ", "actions": "*CMD"}));
    system.tell(json!({"cmd": "user", "name": "AUDITOR", "special": "*AUDIT", "actions": "*CMD"}));
    let all = findings(&system, text, 3);
    let never = one(&all, "never-arrive");
    assert_eq!(never["names"], json!(["DO", "SF", "ST"]), "{never:#}");
    assert_eq!(never["severity"], "warning");
    for named in ["SF (*SPLFDTA)", "ST (*SERVICE)", "DO (*DELETE)"] {
        assert!(never["found"].as_str().unwrap().contains(named), "{never:#}");
    }
    assert_eq!(commands(never), ["CHGSYSVAL SYSVAL(QAUDLVL) VALUE('*AUTFAIL *CREATE *DELETE *SERVICE *SPLFDTA')"]);
    // An output that leaves them out: nobody waits for them. And what QAUDLVL2 adds arrives.
    let without = format!("{text}{OUTPUT}filter.types.exclude = [\"SF\", \"DO\", \"ST\"]\n");
    assert!(!ids(&findings(&system, &without, 0)).contains(&"never-arrive"));
    values(&system, json!({"QAUDLVL": "*AUTFAIL *CREATE *DELETE *AUDLVL2", "QAUDLVL2": "*SPLFDTA *SERVICE"}));
    assert!(!ids(&findings(&system, text, 0)).contains(&"never-arrive"));
    // Object auditing off: what it alone produces.
    values(&system, json!({"QAUDCTL": "*AUDLVL *NOQTEMP"}));
    let all = findings(&system, text, 3);
    assert_eq!(one(&all, "never-arrive")["names"], json!(["ZR"]));
    assert_eq!(commands_of(&all, "never-arrive"), ["CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL *NOQTEMP *OBJAUD')"]);
    // Who sends everything has named none: a note.
    values(&system, json!({"QAUDCTL": "*AUDLVL *OBJAUD *NOQTEMP", "QAUDLVL": "*AUTFAIL", "QAUDLVL2": "*NONE"}));
    let all = findings(&system, "", 0);
    assert_eq!(one(&all, "never-arrive")["severity"], "note");
    let levels = commands_of(&all, "never-arrive").join(" ");
    assert!(levels.contains("*SECURITY") && levels.contains("*JOBDTA") && !levels.contains("*SECCFG"), "{levels}");
}

#[test]
fn state_6_r16_powerful_profiles_without_user_auditing() {
    let system = healthy();
    for user in [
        json!({"name": "BOSS", "special": "*ALLOBJ *JOBCTL"}),
        json!({"name": "HELPDESK", "special": "*SECADM"}),
        json!({"name": "CHIEF", "cls": "*SECOFR", "status": "*DISABLED"}),
        json!({"name": "MEMBER", "group": "GRPSEC"}),
        json!({"name": "GRPSEC", "special": "*AUDIT", "actions": "*CMD"}),
        json!({"name": "OPER", "special": "*JOBCTL *SAVSYS"}),
        json!({"name": "WATCHED", "special": "*ALLOBJ", "actions": "*CMD *SERVICE"}),
        json!({"name": "HIDDEN", "special": "*ALLOBJ", "public": false}),
    ] {
        let mut command = user;
        command["cmd"] = json!("user");
        system.tell(command);
    }
    let all = findings(&system, ONLY_SECURITY, 3);
    let found: Vec<&Value> = all.iter().filter(|f| f["id"] == "user-unaudited").collect();
    let names: Vec<&str> = found.iter().map(|f| f["names"][0].as_str().unwrap()).collect();
    assert_eq!(names, ["BOSS", "CHIEF", "HELPDESK", "MEMBER"], "{found:#?}");
    assert!(commands(found[0])[0].starts_with("CHGUSRAUD USRPRF(BOSS) AUDLVL(*CMD "), "{found:#?}");
    let says = |n: usize| found[n]["found"].as_str().unwrap();
    assert_eq!(says(0), "BOSS has *ALLOBJ, and no user auditing (AUDLVL *NONE)");
    assert_eq!(says(1), "CHIEF has class *SECOFR, disabled, and no user auditing (AUDLVL *NONE)");
    assert_eq!(says(3), "MEMBER has *AUDIT by its group GRPSEC, and no user auditing (AUDLVL *NONE)");
    // One that the asker cannot see is not named, and that there may be such is said.
    assert!(one(&all, "profiles-seen")["found"].as_str().unwrap().contains("there may be others"));
}

#[test]
fn state_7_r17_r18_what_is_called_sensitive_and_not_audited() {
    let system = healthy();
    let object = |name: &str, kind: &str, audit: &str, library: &str| {
        system.tell(json!({"cmd": "object", "library": library, "name": name, "type": kind, "audit": audit}));
    };
    let path = |path: &str, audit: &str| drop(system.tell(json!({"cmd": "path", "path": path, "audit": audit})));
    object("PAYLIB", "*LIB", "*CHANGE", "QSYS");
    object("PAYMST", "*FILE", "*NONE", "PAYLIB");
    object("RATES", "*FILE", "*CHANGE", "PAYLIB");
    object("HRLIB", "*LIB", "*ALL", "QSYS");
    object("STAFF", "*FILE", "*ALL", "HRLIB");
    object("SALARY", "*FILE", "*USRPRF", "HRLIB");
    path("/home/pay", "*NONE");
    path("/home/it's", "*NONE");
    path("/home/it's/a", "*CHANGE");
    path("/home/safe", "*ALL");
    let text = format!(
        "{ONLY_SECURITY}[doctor]\nlibraries = [\"PAYLIB\", \"NOLIB\"]\nobjects = [\"PAYLIB/PAYMST:*FILE\", \"PAYLIB/RATES:*FILE\", \"HRLIB/SALARY:*FILE\"]\npaths = [\"/home/pay\", \"/home/it's\", \"/home/safe\", \"/home/none\"]\n"
    );
    let all = findings(&system, &text, 3);
    let library = one(&all, "library-unaudited");
    assert_eq!(library["requirement"], "R17");
    assert_eq!(
        library["found"],
        "sensitive library PAYLIB: 1 of its 2 objects are not audited for everybody, PAYMST among them"
    );
    assert_eq!(commands(library)[0], "CHGOBJAUD OBJ(PAYLIB/*ALL) OBJTYPE(*ALL) OBJAUD(*CHANGE)");
    let objects: Vec<&Value> = all.iter().filter(|f| f["id"] == "object-unaudited").collect();
    assert_eq!(objects.len(), 2, "{all:#?}");
    assert_eq!(commands(objects[0]), ["CHGOBJAUD OBJ(PAYLIB/PAYMST) OBJTYPE(*FILE) OBJAUD(*CHANGE)"]);
    assert!(objects[1]["means"].as_str().unwrap().contains("CHGUSRAUD OBJAUD"), "{objects:#?}");
    let paths: Vec<&Value> = all.iter().filter(|f| f["id"] == "path-unaudited").collect();
    assert_eq!(paths.len(), 2, "{all:#?}");
    assert_eq!(
        (commands(paths[0])[0], &paths[0]["requirement"]),
        ("CHGAUD OBJ('/home/pay') OBJAUD(*CHANGE)", &json!("R18"))
    );
    assert_eq!(commands(paths[1])[0], "CHGAUD OBJ('/home/it''s') OBJAUD(*CHANGE) SUBTREE(*ALL)");
    let missing: Vec<&Value> = all.iter().filter(|f| f["id"] == "sensitive-missing").map(|f| &f["names"][0]).collect();
    assert_eq!(missing, ["NOLIB", "/home/none"]);
}

#[test]
fn state_8_the_agent_may_more_than_it_needs() {
    let system = healthy();
    system.tell(json!({"cmd": "user", "name": "AUDITOR", "special": "*AUDIT *SERVICE *SPLCTL", "actions": "*CMD"}));
    system.tell(json!({"cmd": "right", "library": "QSYS", "name": "QAUDJRN", "type": "*JRN", "user": "AUDITOR", "authority": "*ALL"}));
    system.tell(json!({"cmd": "right", "library": "QSYS", "name": "QAUDJRN", "type": "*JRN", "user": "*PUBLIC", "authority": "*USE"}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert_eq!(one(&all, "agent-special")["names"], json!(["*SERVICE", "*SPLCTL"]));
    assert_eq!(commands_of(&all, "agent-special"), ["CHGUSRPRF USRPRF(AUDITOR) SPCAUT(*AUDIT)"]);
    assert_eq!(
        commands_of(&all, "agent-may-more"),
        ["RVKOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(AUDITOR) AUT(*OBJMGT *OBJALTER *OBJREF *ADD *UPD *DLT)"]
    );
    assert_eq!(
        commands_of(&all, "public-may-read"),
        ["GRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(*PUBLIC) AUT(*EXCLUDE)"]
    );
    assert!(!ids(&all).contains(&"agent-lacks"));
}

#[test]
fn state_9_the_agent_lacks_what_it_needs() {
    let system = healthy();
    let right = |name: &str, kind: &str, library: &str, authority: &str| {
        system.tell(json!({"cmd": "right", "library": library, "name": name, "type": kind, "user": "AUDITOR", "authority": authority}));
    };
    right("QAUDJRN", "*JRN", "QSYS", "*USE");
    right("AUDRCV0002", "*JRNRCV", "QGPL", "*EXCLUDE");
    right("QGPL", "*LIB", "QSYS", "*EXCLUDE");
    system.tell(json!({"cmd": "authority", "missing": ["PAGE"]}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert_eq!(one(&all, "agent-lacks")["severity"], "error");
    assert_eq!(
        commands_of(&all, "agent-lacks"),
        [
            "GRTOBJAUT OBJ(QGPL/AUDRCV0002) OBJTYPE(*JRNRCV) USER(AUDITOR) AUT(*OBJOPR *READ *EXECUTE)",
            "GRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(AUDITOR) AUT(*OBJEXIST)",
            "GRTOBJAUT OBJ(QSYS/QGPL) OBJTYPE(*LIB) USER(AUDITOR) AUT(*EXECUTE)",
        ]
    );
    // The catalog does not even show the journal: it is there all the same, because auditing is on.
    system.tell(json!({"cmd": "authority", "missing": ["JOURNAL", "CHAIN", "PAGE"]}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert_eq!(
        commands_of(&all, "journal-hidden"),
        ["GRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(AUDITOR) AUT(*OBJOPR *READ *EXECUTE *OBJEXIST)"]
    );
    assert!(!ids(&all).contains(&"journal-missing"), "{all:#?}");
    // A failure that is none of authority.
    let system = healthy();
    system.tell(json!({"cmd": "fail", "error": "CPF7025", "statement": "PAGE"}));
    assert!(one(&findings(&system, ONLY_SECURITY, 3), "cannot-read")["found"].as_str().unwrap().contains("CPF7025"));
}

#[test]
fn state_10_an_agent_without_audit_is_told_what_it_cannot_see_and_an_auditor_sees_it() {
    let system = healthy();
    system.tell(json!({"cmd": "user", "name": "AUDITOR"}));
    system.tell(json!({"cmd": "user", "name": "BOSS", "special": "*ALLOBJ"}));
    system.tell(json!({"cmd": "object", "library": "QSYS", "name": "PAYLIB", "type": "*LIB"}));
    let text = "[doctor]\nlibraries = [\"PAYLIB\"]\n";
    let all = findings(&system, text, 3);
    assert_eq!(ids(&all), ["values-hidden", "audit-hidden", "profiles-seen"], "{all:#?}");
    // With a profile of its own: the agent is still judged as the one that reads.
    system.tell(json!({"cmd": "user", "name": "CHECKER", "special": "*AUDIT *ALLOBJ", "actions": "*CMD"}));
    system.tell(json!({"cmd": "profile", "user": "CHECKER", "password": "other"}));
    let password = system.dir.path().join("other");
    fs::write(&password, "other\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let args = format!("--json --user CHECKER --password {}", password.display());
    let run = doctor(&system, &config(&system, text), &args, 3);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let found = &report["systems"][0];
    assert_eq!((&found["asker"], &found["agent"]), (&json!("CHECKER"), &json!("AUDITOR")));
    let all = found["findings"].as_array().unwrap();
    assert_eq!(one(all, "user-unaudited")["names"], json!(["BOSS"]));
    one(all, "library-unaudited");
    assert!(!ids(all).iter().any(|id| id.starts_with("agent-")), "{all:#?}");
}

#[test]
fn a_refused_login_is_tried_once_and_a_system_that_is_away_is_said() {
    let system = healthy();
    let path = config(&system, "");
    fs::write(system.dir.path().join("password"), "wrong\n").unwrap();
    system.tell(json!({"cmd": "stats", "reset": true}));
    let run = qaudjrn("doctor --config", &[&path]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("could not look: the login is refused"), "{}", run.stdout);
    assert!(run.stdout.contains("it was tried once"), "{}", run.stdout);
    let stats = system.tell(json!({"cmd": "stats"}));
    assert_eq!((&stats["logins"], &stats["logins_failed"]), (&json!(1), &json!(1)));
    // A question that is refused does not stop the others.
    config(&system, "");
    system.tell(json!({"cmd": "fail", "error": "CPF9812", "statement": "PROFILES"}));
    let all = findings(&system, ONLY_SECURITY, 3);
    assert!(one(&all, "not-answered")["found"].as_str().unwrap().starts_with("user profiles could not be asked for"));
    one(&all, "security-covers");
    // Two sources, one of which is away: the other is looked at, and it counts.
    let both = format!(
        "{}{}",
        system.source(""),
        system.source("").replace("prod01", "away").replace(&system.port.to_string(), "1")
    );
    fs::write(&path, format!("{ONLY_SECURITY}{both}")).unwrap();
    let run = qaudjrn("doctor --json --config", &[&path]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["systems"][0]["failed"], &report["systems"][0]["system"]), (&Value::Null, &json!("PROD01")));
    assert!(report["systems"][1]["failed"].is_string(), "{report}");
    // No live source at all.
    fs::write(&path, OUTPUT).unwrap();
    qaudjrn("doctor --config", &[&path]).assert_output(2, &["there is no [[source]] of kind mapepire"]);
}

#[test]
fn receivers_that_every_output_has_taken_may_be_deleted_and_no_others() {
    let system = System::start("--entries 90 --receivers 3");
    let text = format!("{}{OUTPUT}", system.source("from = \"oldest\""));
    let agent = Agent::new(folder(), &text);
    let receivers = |code: i32| -> Value {
        let run = doctor(&system, &agent.config, "--receivers --json", code);
        serde_json::from_str::<Value>(&run.stdout).unwrap()["systems"][0].clone()
    };
    let may = |system: &Value| -> Vec<bool> {
        system["receivers"].as_array().unwrap().iter().map(|r| r["may_be_deleted"].as_bool().unwrap()).collect()
    };
    // No spool yet: that is not known.
    let run = qaudjrn("doctor --receivers --config", &[&agent.config]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    let read = |n: usize| {
        let child = agent.start();
        agent.wait("the entries", Duration::from_secs(60), || agent.read("out").matches("\"entry_id\"").count() >= n);
        signal(&child, "TERM");
        agent.assert_exit(child, 0, Duration::from_secs(10));
    };
    let truth = system.truth().len();
    read(truth);
    let before = fs::metadata(agent.dir.path().join("state/spool.db")).unwrap().modified().unwrap();
    let found = receivers(0);
    assert_eq!(may(&found), [true, true, false], "{found:#}");
    assert!(found["receivers"][2]["why"].as_str().unwrap().starts_with("attached"), "{found:#}");
    assert_eq!(commands(&found["receivers"][0])[1], "DLTJRNRCV JRNRCV(QGPL/AUDRCV0001)");
    assert_eq!(found["findings"][0]["id"], "notify");
    assert_eq!(fs::metadata(agent.dir.path().join("state/spool.db")).unwrap().modified().unwrap(), before);
    // Rolled while the agent is away: the one that it has not read to its end is kept.
    system.tell(json!({"cmd": "append", "count": 20}));
    system.tell(json!({"cmd": "roll"}));
    let found = receivers(3);
    assert_eq!(may(&found), [true, true, false, false], "{found:#}");
    assert!(found["receivers"][2]["why"].as_str().unwrap().starts_with("delivered up to"), "{found:#}");
    let run = doctor(&system, &agent.config, "--receivers", 3);
    assert!(run.stdout.contains("> DLTJRNRCV JRNRCV(QGPL/AUDRCV0002)\n"), "{}", run.stdout);
    // An output that is away has taken nothing of what comes now.
    agent.configure(&format!("{text}[[output]]\nname = \"b\"\naddress = \"tcp://127.0.0.1:1\"\nformat = \"json\"\n"));
    let found = receivers(3);
    assert_eq!(may(&found), [false; 4], "{found:#}");
    read(system.truth().len());
    let found = receivers(3);
    assert_eq!(may(&found)[2..], [false, false], "{found:#}");
    // The system deletes by itself.
    system.tell(json!({"cmd": "journal", "deletes_receivers": true}));
    values(&system, json!({"QAUDENDACN": "*PWRDWNSYS"}));
    let found = receivers(3);
    let all = found["findings"].as_array().unwrap();
    assert_eq!(commands_of(all, "deletes-receivers"), ["CHGJRN JRN(QSYS/QAUDJRN) DLTRCV(*NO)"]);
    one(all, "power-down");
}
