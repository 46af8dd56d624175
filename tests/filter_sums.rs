//! The sums of design.md under many filters: read = sent + filtered + parked, and every count by rule is what a recount
//! from the truth file gives.
//!
//! The recount (`rules/recount.rs`) is written for this test alone. What single rules do is in `filter_rules.rs`.
#[path = "rules/recount.rs"]
mod recount;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use harness::program::{Made, Run, count, folder, make, replay, sequences};
use recount::recount;
use tempfile::TempDir;

/// What is made, and the options that `replay` needs for it.
const CAPTURES: [(&str, &str, &str); 12] = [
    ("day", "--count 1500 --stories --foreign --seed 11", ""),
    ("all", "--count 1500 --mix all --seed 12", ""),
    ("whole", "--count 700 --mix all --foreign --entdtalen 16000 --seed 13", ""),
    ("hostile", "--count 1500 --mix all --hostile --foreign --blanks --seed 14", ""),
    ("short", "--count 1000 --mix all --foreign --entdtalen 70 --seed 15", ""),
    ("stream", "--count 1000 --mix all --hostile --foreign --framing stream --seed 16", ""),
    ("german", "--count 700 --mix all --ccsid 273 --national --seed 17", "--ccsid 273"),
    ("japanese", "--count 700 --mix all --ccsid 939 --hostile --foreign --seed 18", "--ccsid 939"),
    ("type1", "--count 700 --mix all --type type1 --foreign --seed 19", "--receiver R --system S --date-format MDY"),
    ("type2", "--count 700 --mix all --type type2 --hostile --seed 20", "--receiver R --date-format MDY"),
    ("type3", "--count 700 --mix all --type type3 --blanks --seed 21", "--receiver R"),
    ("type4", "--count 700 --mix all --type type4 --foreign --seed 22", "--receiver R"),
];

const FILTERS: [(&str, &str); 10] = [
    ("nothing", ""),
    (
        "types",
        r#"
        types.send = ["*SECURITY", "*AUTFAIL", "JS-S", "CD", "SF", "SK", "ZC", "*SPLFDTA"]
        types.exclude = ["PW-P", "SF", "*NETSCK", "AF-B", "*PGMFAIL", "CP"]
        "#,
    ),
    (
        "objects",
        r#"
        objects.exclude = [
            "QTEMP/*ALL",
            "PAYLIB/CUST*:*FILE",
            "*ALL/*ALL:*PGM",
            "*ALL/*ALL",
        ]
        objects.include = ["PROD*/*ALL", "HRDATA/EMP*", "*ALL/CLAIMS:*LIB"]
        objects.commands = true
        "#,
    ),
    (
        "paths",
        r#"
        ifs.exclude = ["/", "/home/bill", "/WWW/*/conf", "/tmp", "/exports/日本"]
        ifs.include = ["/home", "/tmp/*", "/www", "/QIBM/UserData/OS400/cert/key.kdb"]
        "#,
    ),
    (
        "either user",
        r#"
        users.match = "either"
        users.exclude = ["Q*", "BILL", "TSTUSR#*", "A*", "WEBAPP", "HRCLERK"]
        users.include = ["QTMH*"]
        users.privileged = ["AUDITOR"]
        users.allow_filtering_privileged = ["WEBAPP", "QSECOFR", "QUSER", "QSYSOPR", "AKHAN"]
        "#,
    ),
    (
        "effective user, and the smaller kinds",
        r#"
        users.exclude = ["MWOLFE", "DEV*", "PAYADM"]
        users.allow_filtering_privileged = ["MWOLFE"]
        system_values.exclude = ["QDATFMT", "QPWD*", "*ALL"]
        system_values.include = ["QSECURITY"]
        programs.exclude = ["QSYS/PAY*", "QZDA*"]
        jobs.exclude = ["QZLSFILET", "QTCP/QTFTP*", "OPSNGT/*ALL"]
        jobs.include = ["NIGHT*"]
        remote.exclude = ["10.0.0.0/8", "2001:db8::/32", "203.0.113.77", "::ffff:172.16.0.0/108"]
        remote.include = ["10.9.0.0/16"]
        "#,
    ),
    (
        "everything at once",
        r#"
        types.exclude = ["ZR", "JS-A", "*PRTDTA"]
        users.match = "job"
        users.exclude = ["QUSER", "*ALL"]
        users.include = ["PAY*", "QTMHHTTP"]
        users.privileged = ["OPSNGT"]
        objects.exclude = ["Q*/*ALL", "*ALL/*ALL:*FILE"]
        objects.include = ["QGPL/*ALL"]
        ifs.exclude = ["/payroll", "/var"]
        system_values.exclude = ["Q*"]
        programs.exclude = ["QSYS/QCMD"]
        jobs.exclude = ["PAYROLL*"]
        remote.exclude = ["0.0.0.0/0"]
        "#,
    ),
    (
        "all presets",
        r#"
        presets = ["security", "ibm-profiles", "low-value-system-values", "temp-paths"]
        users.exclude = ["JSMITH"]
        types.exclude = ["CO"]
        "#,
    ),
    (
        "without protection",
        r#"
        protect_audit_changes = false
        types.exclude = ["AD-O", "CP"]
        users.exclude = ["QSECOFR", "SEC*", "*ALL"]
        users.allow_filtering_privileged = ["QSECOFR"]
        system_values.exclude = ["QAUD*"]
        "#,
    ),
    ("everything off", "types.exclude = [\"*ALL\"]\n"),
];

/// Runs a capture under a filter and holds every number against the recount. Gives the rules that dropped something.
fn check(dir: &TempDir, capture: &Made, options: &str, (name, filter): (&str, &str), parked: u64) -> BTreeSet<String> {
    let text = format!("[filter]\n{filter}\n");
    let config = dir.path().join("agent.toml");
    fs::write(&config, &text).unwrap();
    let run = replay(&format!("--format json {options} --config {}", config.display()), &[&capture.path]);
    let what = format!("{name} on {}", capture.path.display());
    assert_eq!(run.code, if parked > 0 { 3 } else { 0 }, "{what}: {}", run.stderr);
    let expected = recount(&text, &capture.truth);

    let summary = run.summary();
    let n = |key| count(&summary, key);
    assert_eq!(n("read"), n("sent") + n("filtered") + n("parked"), "{what}: {summary}");
    assert_eq!(n("read"), capture.truth.len() as u64 + parked, "{what}: {summary}");
    assert_eq!((n("parked"), n("not_sent")), (parked, 0), "{what}: {summary}");
    assert_eq!(n("sent"), run.lines().len() as u64, "{what}: {summary}");
    let by_rule = by_rule(&run);
    assert_eq!(by_rule, expected.by_rule, "{what}: drops by rule\n{}", difference(&run, &expected.sent, capture));
    assert_eq!(sequences(&run), expected.sent, "{what}: {}", difference(&run, &expected.sent, capture));
    assert_eq!(n("kept_audit_changes"), expected.kept, "{what}: {summary}");
    by_rule.into_keys().collect()
}

fn by_rule(run: &Run) -> BTreeMap<String, u64> {
    let summary = run.summary();
    let rules = summary["filtered_by_rule"].as_array().unwrap();
    rules.iter().map(|r| (r["rule"].as_str().unwrap().to_owned(), count(r, "dropped"))).collect()
}

/// The first entry that was sent and should not have been, or the other way round.
fn difference(run: &Run, expected: &[u64], capture: &Made) -> String {
    let sent: BTreeSet<u64> = sequences(run).into_iter().collect();
    let expected: BTreeSet<u64> = expected.iter().copied().collect();
    let first = sent.symmetric_difference(&expected).next().copied();
    let truth = capture.truth.iter().find(|t| Some(harness::program::sequence(t)) == first);
    truth.map_or("the same entries were sent".to_owned(), |t| {
        format!("first difference (sent: {}): {t}", first.is_some_and(|n| sent.contains(&n)))
    })
}

#[test]
fn r41_every_sum_by_rule_is_what_a_recount_from_the_truth_gives() {
    let dir = folder();
    let captures = CAPTURES.map(|(name, args, options)| (make(&dir, name, args), options));
    for filter in FILTERS {
        let mut dropped = BTreeSet::new();
        for (capture, options) in &captures {
            dropped.extend(check(&dir, capture, options, filter, 0));
        }
        // A rule that never drops anything here would prove nothing.
        let text = format!("[filter]\n{}", filter.1);
        let config: toml::Table = toml::from_str(&text).unwrap();
        for (kind, lists) in config["filter"].as_table().unwrap() {
            for rule in lists.get("exclude").and_then(toml::Value::as_array).into_iter().flatten() {
                let rule = format!("{kind}.exclude {}", rule.as_str().unwrap());
                assert!(dropped.contains(&rule), "{}: {rule} dropped nothing in any capture: {dropped:?}", filter.0);
            }
        }
    }
}

#[test]
fn r41_what_is_parked_is_in_the_sums_and_changes_nothing_for_the_others() {
    let dir = folder();
    let mut capture = make(&dir, "garbage", "--count 600 --mix all --foreign --seed 23");
    let bytes = fs::read(&capture.path).unwrap();
    let mut mixed = Vec::new();
    let mut parked = 0;
    for (n, record) in bytes.chunks(1_500).enumerate() {
        mixed.extend_from_slice(record);
        // Not the heading of an entry: zeros, noise, and text of another machine.
        let garbage = match n {
            _ if n % 40 != 39 => continue,
            n if n % 3 == 0 => vec![0; 1_500],
            n if n % 3 == 1 => vec![0xFF; 1_500],
            _ => b"2026-11-20 ".iter().copied().cycle().take(1_500).collect(),
        };
        mixed.extend(garbage);
        parked += 1;
    }
    assert!(parked > 10);
    capture.path = dir.path().join("garbage-between");
    fs::write(&capture.path, mixed).unwrap();
    for filter in FILTERS {
        check(&dir, &capture, "--input type5 --record-length 1500", filter, parked);
    }
}
