//! N11: changes to auditing are sent whatever the rules say, with their severity raised, and nothing else is.
use serde_json::Value;

use super::bench::{Bench, any, by, data, entry, head, moved, object, system_value};
use harness::{program::count, record::Record};

fn journal_entry(code: &str) -> Record {
    head(Record::new("type5", code), "journal_code", "J")
}

fn profile(fields: &[&str]) -> Record {
    fields.iter().fold(data(entry("CP", "A"), "user_profile", "TEMPADM"), |r, field| data(r, field, "Y"))
}

const GRANTED: &str = "special_authority_audit";
const HELD: &str = "prev_special_authority_audit";

/// Every change to auditing that the issue lists.
fn changes() -> Vec<(String, Record)> {
    let mut entries: Vec<(String, Record)> = Vec::new();
    for name in ["QAUDCTL", "QAUDLVL", "QAUDLVL2", "QAUDENDACN", "QAUDFRCLVL", "QCRTOBJAUD"] {
        entries.push((format!("SV-{name}"), system_value(name)));
    }
    for detail in ["D", "O", "U"] {
        entries.push((format!("AD-{detail}"), entry("AD", detail)));
    }
    entries.push(("CP-grants".into(), profile(&[GRANTED])));
    entries.push(("CP-removes".into(), data(profile(&[HELD]), GRANTED, "N")));
    // IBM's page says that blank is "not changed", but a removal must not be missed.
    entries.push(("CP-had".into(), profile(&[HELD])));
    // An object without a library is still that journal, and that receiver.
    entries.push(("DO-no-library".into(), object("DO", "*N/QAUDJRN:*JRN")));
    entries.push(("DO-no-name".into(), object("DO", "*N/*N:*JRNRCV")));
    for code in ["DO", "CA", "OW"] {
        entries.push((format!("{code}-journal"), object(code, "QSYS/QAUDJRN:*JRN")));
        entries.push((format!("{code}-receiver"), object(code, "QGPL/AUDRCV0042:*JRNRCV")));
    }
    entries.push(("OM-journal".into(), moved("QSYS/QAUDJRN:*JRN", "QSYS/OLDJRN")));
    entries.push(("OM-to-journal".into(), moved("QSYS/OTHER:*JRN", "QSYS/QAUDJRN")));
    entries.push(("OM-receiver".into(), moved("QGPL/AUDRCV0042:*JRNRCV", "QTEMP/AUDRCV0042")));
    for code in ["PR", "NR", "RD"] {
        entries.push((format!("J-{code}"), journal_entry(code)));
    }
    entries
}

/// Entries that look like it and are none.
fn near_misses() -> Vec<(String, Record)> {
    let mut others = vec![
        ("SV-QDATE".to_owned(), system_value("QDATE")),
        ("SV-QAUTOCFG".to_owned(), system_value("QAUTOCFG")),
        ("SV-none".to_owned(), any("SV")),
        ("AD-S".to_owned(), entry("AD", "S")),
        ("AD-unknown".to_owned(), entry("AD", "X")),
        ("CP-keeps".to_owned(), profile(&[GRANTED, HELD])),
        ("CP-never-had".to_owned(), data(data(profile(&[]), GRANTED, "N"), HELD, "N")),
        ("CP-blank".to_owned(), profile(&[])),
        ("CP-other".to_owned(), profile(&["special_authority_splctl", "prev_special_authority_allobj"])),
        ("OM-other".to_owned(), moved("QGPL/QSQJRN:*JRN", "QGPL/QSQJRN2")),
        ("ZC-journal".to_owned(), object("ZC", "QSYS/QAUDJRN:*JRN")),
        ("ZR-receiver".to_owned(), object("ZR", "QGPL/AUDRCV0042:*JRNRCV")),
        ("U-code".to_owned(), head(Record::new("type5", "PR"), "journal_code", "U")),
        ("PW".to_owned(), any("PW")),
    ];
    for code in ["DO", "CA", "OW"] {
        others.push((format!("{code}-other"), object(code, "QGPL/QSQJRN:*JRN")));
        others.push((format!("{code}-similar"), object(code, "QSYS/QAUDJRN2:*JRN")));
    }
    others
}

fn labels(entries: &[(String, Record)]) -> String {
    entries.iter().map(|e| e.0.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn n11_no_list_of_types_drops_a_change_to_auditing() {
    let (sent, dropped) = (labels(&changes()), labels(&near_misses()));
    let bench = Bench::new(changes().into_iter().chain(near_misses()));
    let mut without_pw = dropped.clone();
    without_pw.truncate(without_pw.find(" PW").unwrap());
    let without_pw = format!("{without_pw}{}", &dropped[dropped.find(" PW").unwrap() + 3..]);
    bench.table(&[
        ("exclude everything", r#"types.exclude = ["*ALL"]"#, &sent, &[("types.exclude *ALL", &dropped)]),
        ("send something else", r#"types.send = ["SF"]"#, &sent, &[("types.send", &dropped)]),
        ("send PW", r#"types.send = ["PW"]"#, &format!("{sent} PW"), &[("types.send", &without_pw)]),
    ]);
    let run = bench.run(r#"types.exclude = ["*ALL"]"#);
    let kept = count(&run.summary(), "kept_audit_changes");
    assert_eq!(kept, changes().len() as u64, "those that a rule would have dropped are counted: {}", run.stderr);
}

#[test]
fn n11_no_rule_of_another_kind_drops_a_change_to_auditing() {
    // All of them from one place, so that one rule fits all that have something it looks at.
    let located = |entries: Vec<(String, Record)>| -> Vec<(String, Record)> {
        let place = |r| head(head(by(r, "BILL", "BILL"), "program_library", "QSYS"), "remote_address", "10.1.2.3");
        entries.into_iter().map(|(label, r)| (label, place(r))).collect()
    };
    let sent = labels(&changes());
    let other = near_misses().into_iter().filter(|e| e.0 == "DO-other" || e.0 == "SV-QDATE").collect::<Vec<_>>();
    let bench = Bench::new(located(changes().into_iter().chain(other).collect()));
    for (rules, rule, dropped) in [
        (r#"objects.exclude = ["*ALL/*ALL"]"#, "objects.exclude *ALL/*ALL", "DO-other"),
        (r#"system_values.exclude = ["*ALL"]"#, "system_values.exclude *ALL", "SV-QDATE"),
        (r#"users.exclude = ["*ALL"]"#, "users.exclude *ALL", "DO-other SV-QDATE"),
        (r#"programs.exclude = ["QSYS/*ALL"]"#, "programs.exclude QSYS/*ALL", "DO-other SV-QDATE"),
        (r#"jobs.exclude = ["*ALL"]"#, "jobs.exclude *ALL", "DO-other SV-QDATE"),
        (r#"jobs.exclude = ["BILL/QZDA*"]"#, "jobs.exclude BILL/QZDA*", "DO-other SV-QDATE"),
        (r#"remote.exclude = ["0.0.0.0/0"]"#, "remote.exclude 0.0.0.0/0", "DO-other SV-QDATE"),
    ] {
        let rest: Vec<&str> = ["DO-other", "SV-QDATE"].into_iter().filter(|l| !dropped.contains(l)).collect();
        bench.table(&[(rules, rules, &format!("{sent} {}", rest.join(" ")), &[(rule, dropped)])]);
    }

    let audited = |detail: &str| {
        let mut r = entry("AD", detail);
        super::bench::set_path(&mut r, "AD", "object_path", "/home/bill", "Y");
        r
    };
    let bench = Bench::new([("AD-O", audited("O")), ("AD-S", audited("S"))]);
    bench.table(&[("paths", r#"ifs.exclude = ["/"]"#, "AD-O", &[("ifs.exclude /", "AD-S")])]);
}

/// Severity by label, from JSON lines.
fn severities(bench: &Bench, rules: &str) -> Vec<(String, u64)> {
    let run = bench.run(rules);
    run.assert_output(0, &[]);
    let severity = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["severity"].as_u64().unwrap();
    let labels = bench.sent(&run).into_iter().map(str::to_owned);
    labels.zip(run.lines().iter().map(severity)).collect()
}

#[test]
fn n11_the_severity_of_a_change_to_auditing_is_raised() {
    let bench = Bench::new(changes().into_iter().chain(near_misses()));
    let (raised, normal) = (severities(&bench, ""), severities(&bench, "protect_audit_changes = false"));
    assert_eq!(raised.len(), normal.len());
    for ((label, with), (_, without)) in raised.iter().zip(&normal) {
        match changes().iter().any(|c| c.0 == *label) {
            true => assert_eq!(*with, 9, "{label}"),
            false => assert_eq!(with, without, "{label}"),
        }
        assert!(*without < 9, "{label}: the table has {without}, which shows nothing");
    }
    for (label, severity) in severities(&bench, "audit_change_severity = 10\ntypes.exclude = [\"*ALL\"]") {
        assert_eq!(severity, 10, "{label}");
    }
    // Raised is not lowered: neither what is above it already, nor by a number below the table's.
    let normal: Vec<_> = normal.into_iter().collect();
    assert_eq!(severities(&bench, "audit_change_severity = 0"), normal);
    let above = "[severity]\n\"SV-A\" = 10\n\"AD-O\" = 3";
    for (label, severity) in severities(&bench, above) {
        match label.as_str() {
            l if l.starts_with("SV-") => assert_eq!(severity, 10, "{label}"),
            "AD-O" => assert_eq!(severity, 9, "{label}"),
            _ => {}
        }
    }
}

#[test]
fn n11_every_format_says_the_raised_severity() {
    let bench = Bench::new([("change", system_value("QAUDCTL")), ("other", system_value("QDATE"))]);
    for (format, mark) in
        [("cef", "|SV-A|System value, service attribute or clock changed|9|"), ("leef", "sev=9\t"), ("leef2", "sev=9^")]
    {
        let run = bench.run_with("", &format!("--format {format}"));
        run.assert_output(0, &[]);
        assert!(run.lines()[0].contains(mark), "{format}: {}", run.stdout);
        assert!(!run.lines()[1].contains(mark), "{format}: {}", run.stdout);
    }
    // Structured data has no such key, the priority of the header says it: facility 13, severity 2 for 9 and 10.
    let priority = |severity: u8| {
        let run = bench.run_with(&format!("audit_change_severity = {severity}"), "--format syslog");
        run.stdout.split_once('>').unwrap().0.trim_start_matches('<').parse::<u8>().unwrap()
    };
    assert!(priority(10) < priority(1), "{} and {}", priority(10), priority(1));
}

#[test]
fn n11_without_protection_rules_drop_changes_to_auditing_and_say_so() {
    let all = labels(&changes());
    let bench = Bench::new(changes());
    let off = "protect_audit_changes = false\n";
    let objects =
        "DO-journal DO-receiver CA-journal CA-receiver OW-journal OW-receiver OM-journal OM-to-journal OM-receiver";
    let rest: Vec<&str> = all.split(' ').filter(|l| !objects.split(' ').any(|o| o == *l)).collect();
    bench.table(&[
        ("types", &format!("{off}types.exclude = [\"*ALL\"]"), "", &[("types.exclude *ALL", &all)]),
        (
            "objects",
            &format!("{off}objects.exclude = [\"*ALL/*ALL\"]"),
            &rest.join(" "),
            &[("objects.exclude *ALL/*ALL", objects)],
        ),
        ("nothing is dropped without a rule", off, &all, &[]),
    ]);
    bench.run(off).assert_output(0, &["protect_audit_changes"]);
    assert_eq!(count(&bench.run(off).summary(), "kept_audit_changes"), 0);
}
