//! `qaudjrn doctor --layouts` against a simulated system whose table functions SYSTOOLS.AUDIT_JOURNAL_xx say what the generator of the
//! captures says (tests/tools/ibmi/audit_tables.py), as IBM's pages show it: which tables agree, and that each thing that is wrong is
//! found, turned off, and nothing else.

use std::{collections::BTreeMap, fs};

use harness::{
    findings::{config, doctor},
    program::{Run, folder, qaudjrn},
    system::System,
};
use serde_json::{Value, json};

/// Every entry type in turn.
fn system() -> System {
    System::start("--entries 3000 --receivers 2 --templates 860 --capture-args=--mix=all")
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", run.stdout, run.stderr))
}

/// The fields of a type: verdict and action by name.
fn fields(report: &Value, code: &str) -> BTreeMap<String, (String, String)> {
    let types = report["systems"][0]["types"].as_array().unwrap();
    let one = types.iter().find(|t| t["entry_type"] == code).unwrap_or_else(|| panic!("{code}: {report:#}"));
    let text = |f: &Value, key: &str| f[key].as_str().unwrap().to_owned();
    one["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (text(f, "field"), (text(f, "verdict"), text(f, "action"))))
        .collect()
}

#[test]
fn what_the_system_says_agrees_and_is_promoted() {
    let system = system();
    let config = config(&system, "");
    let out = folder();
    let proven = out.path().join("proven");
    let run =
        doctor(&system, &config, &format!("--layouts --json --types PW,CP,CA,OW --write {}", proven.display()), 0);
    let all = report(&run);
    let differs = |f: &&Value| f["verdict"] == "differ";
    let types = all["systems"][0]["types"].as_array().unwrap();
    assert_eq!(types.iter().flat_map(|t| t["fields"].as_array().unwrap()).find(differs), None);
    assert_eq!(types.len(), 4);
    for t in types {
        assert!(t["entries"].as_u64().unwrap() >= 30 && t["without_columns"] == 0, "{t:#}");
        assert_eq!(t["why"], "", "{t:#}");
    }
    let agree = |code: &str, name: &str| fields(&all, code)[name].0 == "agree";
    assert!(agree("PW", "violation_type") && agree("PW", "audit_user_name") && agree("PW", "device_name"));
    // Words for codes, integers for digits, other names, Unicode.
    assert!(agree("CP", "password_expired") && agree("CA", "command_type"));
    assert!(agree("OW", "object_asp_number") && agree("OW", "path_name"));
    assert!(all["promoted"].as_u64().unwrap() > 20);
    // What was promoted counts as seen with the tables that were written, and reaches lines that leave guesses out.
    assert!(
        fs::read_to_string(proven.join("CP.toml"))
            .unwrap()
            .starts_with("# Written by `qaudjrn doctor --layouts --write`, PROD01, ")
    );
    for (field, (_, action)) in fields(&all, "CP") {
        let listed = |rest: &str| {
            let run = qaudjrn(&format!("types CP {rest}"), &[]);
            run.stdout.lines().find(|l| l.split_whitespace().any(|w| w == field)).map(str::to_owned).unwrap_or_default()
        };
        let now = listed(&format!("--layouts {}", proven.display()));
        assert_eq!(now.contains("seen"), action == "promote" || listed("").contains("seen"), "{field}: {now}");
    }
    // Once more over the files that it wrote; over another's never.
    doctor(&system, &config, &format!("--layouts --types CP --entries 50 --write {}", proven.display()), 0);
    fs::write(proven.join("CP.toml"), "# mine\n").unwrap();
    let refused = qaudjrn(&format!("doctor --layouts --types CP --write {} --config", proven.display()), &[&config]);
    refused.assert_output(1, &["was not written by doctor --layouts: it stays as it is"]);
    // Nor over what cannot be read as text, or is no file.
    let bytes = [0xff, 0xfe, b'x'];
    fs::write(proven.join("CP.toml"), bytes).unwrap();
    qaudjrn(&format!("doctor --layouts --types CP --write {} --config", proven.display()), &[&config])
        .assert_output(1, &["was not written by doctor --layouts: it stays as it is"]);
    assert_eq!(fs::read(proven.join("CP.toml")).unwrap(), bytes);
    fs::write(proven.join("CP.toml"), "# mine\n").unwrap();
    assert!(refused.stdout.contains("CP  SYSTOOLS.AUDIT_JOURNAL_CP: "), "what was found is shown all the same");
    qaudjrn("doctor --layouts --types CP --write /proc/none --config", &[&config])
        .assert_output(1, &["/proc/none: No such file"]);
    assert_eq!(fs::read_to_string(proven.join("CP.toml")).unwrap(), "# mine\n");
}

#[test]
fn what_is_wrong_is_found_turned_off_and_said_to_the_person_who_decides() {
    let system = system();
    let config = config(&system, "");
    let audit = |command: Value| {
        let mut whole = json!({"cmd": "audit", "type": "PW"});
        whole.as_object_mut().unwrap().extend(command.as_object().unwrap().clone());
        system.tell(whole)
    };
    audit(json!({"column": "DEVICE_NAME", "how": "shift"}));
    audit(json!({"column": "AUDIT_USER_NAME", "how": "rename", "to": "USER_OF_AUDIT"}));
    audit(json!({"column": "REMOTE_LOCATION", "how": "null"}));
    audit(json!({"column": "NETWORK_ID", "how": "constant"}));
    audit(json!({"column": "LOCAL_LOCATION", "how": "missing"}));
    audit(json!({"lacks": 3, "backwards": true}));
    let out = folder();
    let run = doctor(&system, &config, &format!("--layouts --types PW --write {}", out.path().display()), 3);
    let has = |what: &str| assert!(run.stdout.contains(what), "{what:?} is not in: {}", run.stdout);
    let line =
        |name: &str| run.stdout.lines().find(|l| l.contains(name)).unwrap_or_else(|| panic!("{name}: {}", run.stdout));
    assert!(line("device_name").contains("DIFFER") && line("device_name").contains("turned off"), "{}", run.stdout);
    assert!(line("device_name").contains("bytes \"") && line("device_name").contains("column \""), "{}", run.stdout);
    assert!(line("network_id").contains("DIFFER") && line("violation_type").contains("agree"), "{}", run.stdout);
    has("no column of this name; USER_OF_AUDIT has the same values");
    assert!(line("remote_location").contains("IBM's column is null"), "{}", run.stdout);
    has("fields without a column: local_location\n");
    // The first three of each of the two receivers.
    has("6 entries came as bytes and not as columns");
    has("columns without a field: VIOLATION_TYPE_DETAIL USER_OF_AUDIT");
    // With the table that was written, the field has no value; the others have theirs.
    let capture = harness::program::make(&out, "pw.type5", "--mix PW --count 40 --seed 5");
    let lines = |rest: &str| -> Vec<Value> {
        let run = qaudjrn(&format!("decode {rest}"), &[&capture.path]);
        run.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let (before, after) = (lines(""), lines(&format!("--layouts {}", out.path().display())));
    let with = |all: &[Value], name: &str| all.iter().filter(|l| l["fields"].get(name).is_some()).count();
    assert!(with(&before, "device_name") > 0, "{before:#?}");
    assert_eq!((with(&after, "device_name"), with(&after, "network_id")), (0, 0));
    assert_eq!(with(&after, "audit_user_name"), with(&before, "audit_user_name"));
}

#[test]
fn what_a_system_has_not_or_refuses_is_said_and_the_other_types_are_proven() {
    let system = system();
    let told = config(&system, "");
    system.tell(json!({"cmd": "audit", "type": "PW", "there": false}));
    let run = doctor(&system, &told, "--layouts --types PW,OW --entries 20", 0);
    assert!(run.stdout.contains("this system has no SYSTOOLS.AUDIT_JOURNAL_PW"), "{}", run.stdout);
    assert!(run.stdout.contains("OW  SYSTOOLS.AUDIT_JOURNAL_OW: 20 entries"), "{}", run.stdout);
    system.tell(json!({"cmd": "fail", "statement": "AUDIT_ROWS", "error": "CPF0001", "count": 1}));
    let run = doctor(&system, &told, "--layouts --types CD,OW --entries 20", 0);
    assert!(
        run.stdout.contains("CPF0001") && run.stdout.contains("OW  SYSTOOLS.AUDIT_JOURNAL_OW: 20 entries"),
        "{}",
        run.stdout
    );
    // An older release, by the other name of the user's column.
    system.tell(json!({"cmd": "catalog", "catalog": "old"}));
    doctor(&system, &told, "--layouts --types OW --entries 20", 0);
    // No authority to read is no table that differs.
    system.tell(json!({"cmd": "authority", "missing": ["TYPED"]}));
    let run = doctor(&system, &told, "--layouts --types OW", 0);
    assert!(run.stdout.contains("CPF9802") && run.stdout.contains("0 fields agree, 0 differ"), "{}", run.stdout);
    system.tell(json!({"cmd": "authority", "missing": ["CHAIN"]}));
    let run = qaudjrn("doctor --layouts --types OW --config", &[&told]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("QSYS/QAUDJRN has no receivers that AUDITOR can see"), "{}", run.stdout);
    // Usage.
    for (args, says) in [
        ("--layouts --types QQ", "no entry type with a table"),
        ("--layouts --entries 0", "0 is not in 1..=10000"),
        ("--types PW", "--layouts"),
        ("--layouts --receivers", "cannot be used with"),
    ] {
        qaudjrn(&format!("doctor {args} --config"), &[&told]).assert_output(2, &[says]);
    }
    let other = config(&system, "journal = \"QGPL/AUDIT\"\n");
    let run = qaudjrn("doctor --layouts --config", &[&other]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("read QSYS/QAUDJRN only"), "{}", run.stdout);
}
