//! `users` and what keeps privileged users from being dropped, in rules over jobs too.
use super::bench::{Bench, Row, any, by, data, entry, in_ccsid};
use harness::record::Record;

#[test]
fn r35_users_are_excluded_by_name_and_generic_name() {
    let bench = Bench::new([
        ("bill", by(any("PW"), "BILL", "QTCP")),
        ("billy", by(any("ZR"), "BILLY", "BILLY")),
        ("bil", by(any("ZR"), "BIL", "BIL")),
        ("job-bill", by(any("CO"), "ALICE", "BILL")),
        ("qspl", by(any("SF"), "QSPL", "QSPL")),
        ("qspljob", by(any("SF"), "QSPLJOB", "QSPL")),
        ("blank", by(any("ZR"), "", "")),
        ("star-n", by(any("ZR"), "*N", "*N")),
    ]);
    bench.table(&[
        (
            "a name is the whole name, of the effective user",
            r#"users.exclude = ["BILL"]"#,
            "billy bil job-bill qspl qspljob blank star-n",
            &[("users.exclude BILL", "bill")],
        ),
        (
            "generic",
            r#"users.exclude = ["BILL*"]"#,
            "bil job-bill qspl qspljob blank star-n",
            &[("users.exclude BILL*", "bill billy")],
        ),
        (
            "several, the first that fits is named",
            "users.exclude = [\n\"QSPL\",\n\"Q*\", # the rest\n\"BILLY\"]",
            "bill bil job-bill blank star-n",
            &[("users.exclude QSPL", "qspl"), ("users.exclude Q*", "qspljob"), ("users.exclude BILLY", "billy")],
        ),
        (
            "*ALL takes what has a name",
            r#"users.exclude = ["*ALL"]"#,
            "blank star-n",
            &[("users.exclude *ALL", "bill billy bil job-bill qspl qspljob")],
        ),
        (
            "an include beats an exclude",
            "users.exclude = [\"*ALL\"]\nusers.include = [\"BIL*\", \"ALICE\"]",
            "bill billy bil job-bill blank star-n",
            &[("users.exclude *ALL", "qspl qspljob")],
        ),
        (
            "an include that is narrower, and one that is wider",
            "users.include = [\"BILLY\", \"QSPL*\"]\nusers.exclude = [\"BIL*\", \"QSPL\"]",
            "billy job-bill qspl qspljob blank star-n",
            &[("users.exclude BIL*", "bill bil")],
        ),
    ]);
}

#[test]
fn r35_a_rule_looks_at_the_user_that_match_says() {
    let bench = Bench::new([
        ("effective", by(any("ZR"), "BILL", "QTCP")),
        ("job", by(any("ZR"), "ALICE", "BILL")),
        ("both", by(any("ZR"), "BILL", "BILL")),
        ("neither", by(any("ZR"), "ALICE", "QTCP")),
    ]);
    let exclude = r#"users.exclude = ["BILL"]"#;
    let rule = "users.exclude BILL";
    bench.table(&[
        ("default", exclude, "job neither", &[(rule, "effective both")]),
        ("effective", &format!("{exclude}\nusers.match = \"effective\""), "job neither", &[(rule, "effective both")]),
        ("job", &format!("users.match = \"job\"\n{exclude}"), "effective neither", &[(rule, "job both")]),
        ("either", &format!("users.match = \"either\"\n{exclude}"), "neither", &[(rule, "effective job both")]),
        (
            "an include looks at the same user",
            "users.match = \"job\"\nusers.exclude = [\"*ALL\"]\nusers.include = [\"QTCP\"]",
            "effective neither",
            &[("users.exclude *ALL", "job both")],
        ),
        (
            "an include of either",
            "users.match = \"either\"\nusers.exclude = [\"*ALL\"]\nusers.include = [\"QTCP\"]",
            "effective neither",
            &[("users.exclude *ALL", "job both")],
        ),
    ]);
}

#[test]
fn r35_privileged_users_are_never_dropped() {
    let bench = Bench::new([
        ("secofr", by(any("PW"), "QSECOFR", "QSECOFR")),
        ("as-secofr", by(any("ZR"), "QSECOFR", "QTCP")),
        ("job-of-secofr", by(any("ZR"), "QSPL", "QSECOFR")),
        ("qsecofr2", by(any("ZR"), "QSECOFR2", "QSPL")),
        ("qspl", by(any("ZR"), "QSPL", "QSPL")),
        ("admin", by(any("CD"), "ADMIN", "QTMHHTTP")),
        ("bill", by(any("CD"), "BILL", "ADMIN")),
    ]);
    bench.table(&[
        (
            "by their own name",
            r#"users.exclude = ["QSECOFR"]"#,
            "secofr as-secofr job-of-secofr qsecofr2 qspl admin bill",
            &[],
        ),
        (
            "by a generic name",
            r#"users.exclude = ["Q*"]"#,
            "secofr as-secofr job-of-secofr admin bill",
            &[("users.exclude Q*", "qsecofr2 qspl")],
        ),
        (
            "by *ALL",
            r#"users.exclude = ["*ALL"]"#,
            "secofr as-secofr job-of-secofr",
            &[("users.exclude *ALL", "qsecofr2 qspl admin bill")],
        ),
        (
            "by the job user",
            "users.match = \"job\"\nusers.exclude = [\"Q*\"]",
            "secofr as-secofr job-of-secofr bill",
            &[("users.exclude Q*", "qsecofr2 qspl admin")],
        ),
        (
            "by either",
            "users.match = \"either\"\nusers.exclude = [\"Q*\", \"ADMIN\"]",
            "secofr as-secofr job-of-secofr",
            &[("users.exclude Q*", "qsecofr2 qspl admin"), ("users.exclude ADMIN", "bill")],
        ),
        (
            "those that the configuration names",
            "users.privileged = [\"ADMIN\"]\nusers.exclude = [\"*ALL\"]",
            "secofr as-secofr job-of-secofr admin bill",
            &[("users.exclude *ALL", "qsecofr2 qspl")],
        ),
        (
            "an include does not take protection away",
            "users.exclude = [\"*ALL\"]\nusers.include = [\"BILL\"]",
            "secofr as-secofr job-of-secofr bill",
            &[("users.exclude *ALL", "qsecofr2 qspl admin")],
        ),
        (
            "only user rules are held off",
            "types.exclude = [\"ZR\"]\nusers.exclude = [\"Q*\"]",
            "secofr admin bill",
            &[("types.exclude ZR", "as-secofr job-of-secofr qsecofr2 qspl")],
        ),
    ]);
}

/// A CP entry: what it shows `user` to hold, as `field` = Y.
fn profile(user: &str, fields: &[&str]) -> Record {
    let mut r = by(data(entry("CP", "A"), "user_profile", user), "OPER", "OPER");
    for field in fields {
        r = data(r, field, "Y");
    }
    data(r, "command_type", "CHG")
}

#[test]
fn r35_a_profile_is_privileged_from_the_entry_on_that_shows_it() {
    for (authority, privileged) in [
        ("special_authority_allobj", true),
        ("special_authority_secadm", true),
        ("special_authority_service", true),
        ("special_authority_iosyscfg", true),
        ("special_authority_jobctl", false),
        ("special_authority_savsys", false),
        ("special_authority_splctl", false),
    ] {
        let bench = Bench::new([
            ("before", by(any("ZR"), "BOB", "QTCP")),
            ("shown", profile("BOB", &[authority])),
            ("after", by(any("ZR"), "BOB", "QTCP")),
            ("his-job", by(any("ZR"), "QSPL", "BOB")),
            ("bobby", by(any("ZR"), "BOBBY", "QTCP")),
            ("shown-again", profile("BOB", &[])),
            ("later", by(any("PW"), "BOB", "BOB")),
        ]);
        let (sent, dropped) = match privileged {
            true => ("shown shown-again after his-job later", "before bobby"),
            false => ("shown shown-again his-job", "before after bobby later"),
        };
        let rules = r#"users.exclude = ["BOB*"]"#;
        bench.table(&[(authority, rules, sent, &[("users.exclude BOB*", dropped)])]);
        if privileged {
            let rules = "users.match = \"either\"\nusers.exclude = [\"*ALL\"]\nusers.include = [\"OPER\"]";
            bench.table(&[(authority, rules, sent, &[("users.exclude *ALL", dropped)])]);
        }
    }
}

#[test]
fn r35_audit_special_authority_is_learned_too() {
    let bench = Bench::new([
        ("before", by(any("ZR"), "BOB", "QTCP")),
        ("grant", by(profile("BOB", &["special_authority_audit"]), "BOB", "BOB")),
        ("after", by(any("ZR"), "BOB", "QTCP")),
    ]);
    bench.table(&[("*AUDIT", r#"users.exclude = ["BOB"]"#, "grant after", &[("users.exclude BOB", "before")])]);
}

#[test]
fn r35_authority_that_is_taken_away_teaches_nothing() {
    let taken = data(profile("BOB", &["prev_special_authority_allobj"]), "special_authority_allobj", "N");
    let bench = Bench::new([("taken", taken), ("after", by(any("ZR"), "BOB", "QTCP"))]);
    bench.table(&[("N now, Y before", r#"users.exclude = ["BOB"]"#, "taken", &[("users.exclude BOB", "after")])]);
}

#[test]
fn r35_the_entry_that_shows_it_protects_its_own_user() {
    let bench = Bench::new([("own", by(profile("BOB", &["special_authority_allobj"]), "BOB", "BOB"))]);
    bench.table(&[("from that entry on", r#"users.exclude = ["BOB"]"#, "own", &[])]);
}

#[test]
fn r35_an_entry_teaches_also_when_it_is_not_sent() {
    let entries = || {
        [
            ("before", by(any("ZR"), "BOB", "QTCP")),
            ("shown", profile("BOB", &["special_authority_allobj"])),
            ("after", by(any("ZR"), "BOB", "QTCP")),
        ]
    };
    let bench = Bench::new(entries());
    bench.table(&[
        (
            "dropped by type",
            "users.exclude = [\"BOB\"]\ntypes.exclude = [\"CP\"]",
            "after",
            &[("types.exclude CP", "shown"), ("users.exclude BOB", "before")],
        ),
        (
            "dropped by user",
            r#"users.exclude = ["BOB", "OPER"]"#,
            "after",
            &[("users.exclude OPER", "shown"), ("users.exclude BOB", "before")],
        ),
    ]);
    // Not selected on the command line either: the rules know of it all the same.
    let run = bench.run_with(r#"users.exclude = ["BOB"]"#, "--format json --types ZR");
    assert_eq!(bench.sent(&run), ["after"], "{}", run.stderr);
    let run = Bench::new(entries()).run_with(r#"users.exclude = ["BOB"]"#, "--format json --user BOB");
    assert_eq!(run.lines().len(), 1, "{}", run.stderr);
}

#[test]
fn r35_only_the_audit_journal_and_whole_fields_teach() {
    let mut own = profile("BOB", &["special_authority_allobj"]);
    own.head("journal_code", &in_ccsid(37, "U"));
    let mut cut = profile("BOB", &["special_authority_allobj"]);
    cut.cut(35); // the first special authority is the 36th byte
    let bench = Bench::new([
        ("users-own-entry", own),
        ("cut", cut),
        ("blank", profile("", &["special_authority_allobj"])),
        ("after", by(any("ZR"), "BOB", "QTCP")),
        ("no-user", by(any("ZR"), "", "")),
    ]);
    bench.table(&[(
        "nothing is learned",
        r#"users.exclude = ["BOB"]"#,
        "users-own-entry cut blank no-user",
        &[("users.exclude BOB", "after")],
    )]);
}

#[test]
fn r35_only_the_named_override_filters_privileged_users_and_says_so() {
    let bench = Bench::new([
        ("secofr", by(any("ZR"), "QSECOFR", "QSECOFR")),
        ("secofr-for-admin", by(any("ZR"), "QSECOFR", "ADMIN")),
        ("admin", by(any("ZR"), "ADMIN", "ADMIN")),
        ("shown", profile("BOB", &["special_authority_allobj"])),
        ("bob", by(any("ZR"), "BOB", "QTCP")),
        ("bill", by(any("ZR"), "BILL", "QTCP")),
    ]);
    let privileged = "users.privileged = [\"ADMIN\"]\nusers.exclude = [\"*ALL\"]\nusers.include = [\"OPER\"]\n";
    let rows: [(&str, &[&str], &str, &str); 4] = [
        ("", &[], "secofr secofr-for-admin admin shown bob", "bill"),
        // The job user of the second entry is still protected.
        (
            "users.allow_filtering_privileged = [\"QSECOFR\"]",
            &["QSECOFR"],
            "secofr-for-admin admin shown bob",
            "secofr bill",
        ),
        (
            "users.allow_filtering_privileged = [\"QSECOFR\", \"ADMIN\"]",
            &["QSECOFR", "ADMIN"],
            "shown bob",
            "secofr secofr-for-admin admin bill",
        ),
        ("users.allow_filtering_privileged = [\"BOB\"]", &["BOB"], "secofr secofr-for-admin admin shown", "bob bill"),
    ];
    for (allow, named, sent, dropped) in rows {
        let rules = format!("{privileged}{allow}");
        let row: Row = (allow, &rules, sent, &[("users.exclude *ALL", dropped)]);
        let run = bench.run(&rules);
        bench.row(&row, &run);
        let warning: String = run.stderr.lines().filter(|l| l.contains("allow_filtering_privileged")).collect();
        for name in named {
            assert!(warning.contains(name), "{name} may be filtered, and start-up says so: {}", run.stderr);
        }
        assert_eq!(warning.is_empty(), named.is_empty(), "{}", run.stderr);
    }
}

#[test]
fn r35_a_job_rule_that_names_a_user_is_a_user_rule() {
    let bench = Bench::new([
        ("secofr", by(any("ZR"), "QSECOFR", "QSECOFR")),
        ("for-secofr", by(any("ZR"), "QSECOFR", "BILL")),
        ("bill", by(any("ZR"), "BILL", "BILL")),
        ("shown", profile("BOB", &["special_authority_secadm"])),
        ("bob", by(any("ZR"), "BOB", "BOB")),
    ]);
    bench.table(&[
        ("QSECOFR's jobs", r#"jobs.exclude = ["QSECOFR/QZDASOINIT"]"#, "secofr for-secofr bill shown bob", &[]),
        (
            "a generic user that covers QSECOFR",
            r#"jobs.exclude = ["Q*/QZDASOINIT", "B*/QZDASOINIT"]"#,
            "secofr for-secofr shown bob",
            &[("jobs.exclude B*/QZDASOINIT", "bill")],
        ),
        (
            "a job in which QSECOFR is the effective user",
            r#"jobs.exclude = ["480001/BILL/QZDA*"]"#,
            "secofr for-secofr shown bob",
            &[("jobs.exclude 480001/BILL/QZDA*", "bill")],
        ),
        ("what an entry has shown", r#"jobs.exclude = ["BO*/QZDASOINIT"]"#, "secofr for-secofr bill shown bob", &[]),
        (
            "the override",
            "users.allow_filtering_privileged = [\"BOB\"]\njobs.exclude = [\"BO*/QZDASOINIT\"]",
            "secofr for-secofr bill shown",
            &[("jobs.exclude BO*/QZDASOINIT", "bob")],
        ),
        (
            "a rule that names no user is none",
            r#"jobs.exclude = ["QZDASOINIT"]"#,
            "",
            &[("jobs.exclude QZDASOINIT", "secofr for-secofr bill shown bob")],
        ),
    ]);
}

#[test]
fn r35_user_names_are_compared_in_the_ccsid_of_the_source() {
    let named = |name: &str| {
        let mut r = any("ZR");
        r.head("user_name", &in_ccsid(297, name));
        r
    };
    let bench =
        Bench::new([("svc", named("SVC#1")), ("rene", named("RENÉ")), ("other", named("SVC1"))]).with("--ccsid 297");
    bench.table(&[
        ("#", r#"users.exclude = ["SVC#*"]"#, "rene other", &[("users.exclude SVC#*", "svc")]),
        ("é", r#"users.exclude = ["RENÉ"]"#, "svc other", &[("users.exclude RENÉ", "rene")]),
    ]);
}
