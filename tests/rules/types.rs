//! `types.send`, `types.exclude` and the warnings about what they switch off.
use super::bench::{Bench, Row, any, entry, head, system_value};
use harness::{ebcdic, record::Record};

/// Digits stand for codes that no level lists.
fn bench() -> Bench {
    let foreign = |journal: &str, code: &str| head(Record::new("type5", code), "journal_code", journal);
    let known = [
        "PW-P", "PW-U", "PW-1", "CP-A", "AF-A", "AF-B", "AF-1", "CD-C", "ZR-R", "JS-S", "JS-M", "JS-9", "SK-A", "SK-P",
        "SK-S", "SK-9", "DO-A", "DO-I", "CO-N", "SF-C", "VP-P", "PS-A", "PF-P",
    ];
    let known = known.map(|id| {
        let (code, detail) = id.split_once('-').unwrap();
        (id, entry(code, detail))
    });
    let others = [
        ("SV-A", system_value("QDATFMT")),
        ("unknown", Record::new("type5", "Q9")),
        ("user-entry", foreign("U", "01")),
        ("receiver-change", foreign("J", "PR")),
    ];
    Bench::new(known.into_iter().chain(others))
}

const ALL: &str = "PW-P PW-U PW-1 CP-A AF-A AF-B AF-1 CD-C ZR-R JS-S JS-M JS-9 SK-A SK-P SK-S SK-9 DO-A DO-I CO-N SF-C \
    VP-P PS-A PF-P SV-A unknown user-entry receiver-change";

/// What is left of all when these are dropped.
fn without(dropped: &str) -> String {
    let dropped: Vec<&str> = dropped.split_whitespace().collect();
    ALL.split_whitespace().filter(|l| !dropped.contains(l)).collect::<Vec<_>>().join(" ")
}

#[test]
fn r19_the_default_sends_everything() {
    bench().table(&[
        ("no rule", "", ALL, &[]),
        ("the default, written out", r#"types.send = ["*ALL"]"#, ALL, &[]),
        ("*ALL beside others narrows nothing", r#"types.send = ["*ALL", "PW"]"#, ALL, &[]),
    ]);
}

#[test]
fn r21_r22_types_details_and_levels_are_switched_on() {
    let bench = bench();
    // A change of receivers is a change of auditing (N11): it is sent under every list.
    for (rules, sent) in [
        (r#"types.send = ["PW"]"#, "PW-P PW-U PW-1"),
        (r#"types.send = ["PW-P"]"#, "PW-P"),
        (r#"types.send = ["PW-P", "ZR", "PW-U"]"#, "PW-P PW-U ZR-R"),
        (r#"types.send = ["pw-p", "zr"]"#, "PW-P ZR-R"),
        // The listed details, and a code that no level lists.
        (r#"types.send = ["*AUTFAIL"]"#, "PW-P PW-U PW-1 AF-A AF-B AF-1 VP-P"),
        (r#"types.send = ["*PGMFAIL"]"#, "AF-B AF-1"),
        (r#"types.send = ["*NETFAIL"]"#, "SK-P SK-9"),
        (r#"types.send = ["*NETSECURE"]"#, "SK-S SK-9"),
        (r#"types.send = ["*JOBCHGUSR"]"#, "JS-M JS-9"),
        (r#"types.send = ["*JOBDTA"]"#, "JS-S JS-M JS-9"),
        (r#"types.send = ["*JOBBAS", "JS-M"]"#, "JS-S JS-M JS-9"),
        (r#"types.send = ["*DELETE"]"#, "DO-A DO-I"),
        (r#"types.send = ["*PTFOPR"]"#, "PF-P"),
        (r#"types.send = ["*CMD", "*SPLFDTA", "*CREATE"]"#, "CD-C SF-C CO-N"),
        (r#"types.send = ["*AUTFAIL", "*SECURITY"]"#, "PW-P PW-U PW-1 AF-A AF-B AF-1 VP-P CP-A DO-A PS-A SV-A"),
    ] {
        let sent = format!("{sent} receiver-change");
        bench.table(&[(rules, rules, &sent, &[("types.send", &without(&sent))])]);
    }
}

#[test]
fn r23_security_alone_is_on_and_everything_else_is_off() {
    let sent = "CP-A SV-A DO-A PS-A receiver-change";
    bench().table(&[("alone", r#"types.send = ["*SECURITY"]"#, sent, &[("types.send", &without(sent))])]);
}

#[test]
fn r21_types_details_and_levels_are_switched_off() {
    let rows: &[(&str, &[(&str, &str)])] = &[
        (r#"types.exclude = ["SF"]"#, &[("types.exclude SF", "SF-C")]),
        (r#"types.exclude = ["PW-P"]"#, &[("types.exclude PW-P", "PW-P")]),
        (
            "types.exclude = [\n  \"PW-U\", # a comment\n  \"ZR\",\n]",
            &[("types.exclude PW-U", "PW-U"), ("types.exclude ZR", "ZR-R")],
        ),
        (r#"types.exclude = ["*NETFAIL"]"#, &[("types.exclude *NETFAIL", "SK-P SK-9")]),
        // The first rule that fits is the one that counts.
        (
            r#"types.exclude = ["AF-B", "*PGMFAIL", "*AUTFAIL"]"#,
            &[
                ("types.exclude AF-B", "AF-B"),
                ("types.exclude *PGMFAIL", "AF-1"),
                ("types.exclude *AUTFAIL", "PW-P PW-U PW-1 AF-A VP-P"),
            ],
        ),
    ];
    let bench = bench();
    for (rules, dropped) in rows {
        let sent = without(&dropped.iter().map(|d| d.1).collect::<Vec<_>>().join(" "));
        bench.table(&[(rules, rules, &sent, dropped)]);
    }
}

#[test]
fn r21_exclude_takes_away_from_what_send_gives() {
    let sent = "PW-U PW-1 AF-B AF-1 VP-P receiver-change";
    let off = without(&format!("{sent} PW-P AF-A"));
    let row: Row = (
        "levels less a detail",
        "types.send = [\"*AUTFAIL\"]\ntypes.exclude = [\"PW-P\", \"AF-A\"]",
        sent,
        &[("types.send", &off), ("types.exclude PW-P", "PW-P"), ("types.exclude AF-A", "AF-A")],
    );
    bench().table(&[row]);
    let row: Row = (
        "everything off by exclude",
        r#"types.exclude = ["*ALL"]"#,
        "receiver-change",
        &[("types.exclude *ALL", &without("receiver-change"))],
    );
    bench().table(&[row]);
}

#[test]
fn r21_what_a_code_says_outside_the_audit_journal_is_no_entry_type_of_it() {
    // A user's own entry (journal code U) may carry PW as its type: it is no failed sign-on.
    let mut own = any("PW");
    own.head("journal_code", &ebcdic::plain("U"));
    let bench = Bench::new([("audit", any("PW")), ("own", own)]);
    bench.table(&[
        ("PW off", r#"types.exclude = ["PW"]"#, "own", &[("types.exclude PW", "audit")]),
        ("PW on", r#"types.send = ["PW"]"#, "audit", &[("types.send", "own")]),
    ]);
}

#[test]
fn r21_a_detail_that_lines_show_is_the_one_that_rules_look_at() {
    // The place of the detail code of X1 is a guess, the only one that is shown and looked at all the same.
    let bench = Bench::new([("X1-F", entry("X1", "F")), ("X1-G", entry("X1", "G"))]);
    let run = bench.run("");
    for id in ["X1-F", "X1-G"] {
        assert!(run.lines().iter().any(|l| l.contains(&format!("\"event_id\":\"{id}\""))), "{}", run.stdout);
    }
    bench.table(&[
        ("a level that lists F", r#"types.send = ["*AUTFAIL"]"#, "X1-F", &[("types.send", "X1-G")]),
        ("the other detail", r#"types.exclude = ["X1-G"]"#, "X1-F", &[("types.exclude X1-G", "X1-G")]),
        ("the type", r#"types.exclude = ["X1"]"#, "", &[("types.exclude X1", "X1-F X1-G")]),
    ]);
}

/// Types that the warning about a level names, with and without details.
fn warned(run_stderr: &str, level: &str) -> String {
    run_stderr.lines().filter(|l| l.contains("warning") && l.contains(&format!("of {level},"))).collect()
}

#[test]
fn r24_each_security_and_autfail_type_that_is_off_is_warned_about() {
    let bench = bench();
    let security = "AD AU AX CA CP CQ CY DI DO DS EV GR GS IP JD KF NA OW PA PG PS SE SO SV VA VO VU X0 X1 X2 XD";
    let autfail = "AF CV DI GR IP KF PW VC VN VO VP X1 XD";
    let words = |line: &str| -> Vec<String> {
        let names = line.split_once("are off").map_or("", |(_, names)| names);
        let names = names.split(|c: char| !c.is_ascii_alphanumeric()).filter(|n| n.len() == 2);
        names.filter(|n| !n.contains(|c: char| c.is_ascii_lowercase())).map(str::to_owned).collect()
    };
    // Rules, then those types of *SECURITY and of *AUTFAIL that the warnings must and must not name.
    for (rules, security_off, autfail_off) in [
        ("", "", ""),
        (r#"types.exclude = ["SF", "ZR", "ZC"]"#, "", ""),
        (r#"types.send = ["*SECURITY", "*AUTFAIL"]"#, "", ""),
        (r#"types.send = ["PW", "SF"]"#, security, "AF CV DI IP KF VC VN VO VP X1"),
        (r#"types.send = ["*AUTFAIL"]"#, "AD AU CA CP CY DO OW PS SV", ""),
        (r#"types.exclude = ["*ALL"]"#, security, autfail),
        (r#"types.exclude = ["CP", "PW"]"#, "CP", "PW"),
        // A detail alone is worth a word too.
        (r#"types.exclude = ["PW-P"]"#, "", "PW"),
        (r#"types.exclude = ["SV-D"]"#, "SV", ""),
    ] {
        let run = bench.run(rules);
        run.assert_output(0, &[]);
        for (level, off, members) in [("*SECURITY", security_off, security), ("*AUTFAIL", autfail_off, autfail)] {
            let line = warned(&run.stderr, level);
            let named = words(&line);
            for code in off.split_whitespace() {
                assert!(named.iter().any(|n| n == code), "{rules}: {code} of {level} is off: {}", run.stderr);
            }
            assert!(!off.is_empty() || line.is_empty(), "{rules}: nothing of {level} is off: {line}");
            assert!(
                named.iter().all(|n| members.split_whitespace().any(|m| m == n)),
                "{rules}: no type of {level}: {line}"
            );
        }
    }
    // On: neither the level nor a type of it is named.
    let line = warned(&bench.run(r#"types.exclude = ["CP", "PW"]"#).stderr, "*SECURITY");
    assert!(!words(&line).contains(&"AD".to_owned()), "{line}");
    bench.run_with(r#"types.exclude = ["PW"]"#, "--format json --deny-warnings").assert_output(2, &["*AUTFAIL", "PW"]);
}

#[test]
fn r41_a_rule_that_is_said_to_drop_nothing_counts_no_drops() {
    let bench = bench();
    for rules in [
        "types.send = [\"PW\"]\ntypes.exclude = [\"ZR\"]",
        "types.exclude = [\"ZR\"]\ntypes.send = [\"PW\"]",
        "presets = [\"security\"]\ntypes.exclude = [\"ZR\"]",
    ] {
        let run = bench.run(rules);
        let warned = run.stderr.contains("types.exclude ZR: it never drops anything");
        let counted =
            run.summary()["filtered_by_rule"].as_array().unwrap().iter().any(|r| r["rule"] == "types.exclude ZR");
        assert!(!(warned && counted), "warned about and counted under\n{rules}\n{}", run.stderr);
    }
}
