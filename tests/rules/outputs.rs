//! `[[output]]`: a filter of its own, which can only leave out more.
use super::bench::{Bench, any, by, object, path, system_value};
use harness::program::{Run, count};

fn bench() -> Bench {
    Bench::new([
        ("bill", by(any("ZR"), "BILL", "BILL")),
        ("alice", by(any("ZR"), "ALICE", "ALICE")),
        ("secofr", by(any("ZR"), "QSECOFR", "QSECOFR")),
        ("sign-on", by(any("PW"), "EVE", "EVE")),
        ("spool", by(any("SF"), "EVE", "EVE")),
        ("hr", by(object("ZC", "HR/EMP:*FILE"), "EVE", "EVE")),
        ("tmp", by(path("CO", "/tmp/x"), "EVE", "EVE")),
        ("auditing", by(system_value("QAUDCTL"), "EVE", "EVE")),
    ])
}

/// Runs with the output `siem` and these lines in it.
fn send(bench: &Bench, filter: &str, output: &str) -> (String, Run) {
    let rules = format!("{filter}\n\n[[output]]\nname = \"siem\"\naddress = \"stdout\"\nformat = \"json\"\n{output}");
    let run = bench.run_with(&rules, "--output siem");
    (rules, run)
}

type Row = (&'static str, &'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn r25_an_output_leaves_out_more_and_never_less() {
    let rows: &[Row] = &[
        ("no filter of its own", "", "", "bill alice secofr sign-on spool hr tmp auditing", &[]),
        (
            "types",
            "",
            r#"filter.types.send = ["PW"]"#,
            "sign-on auditing",
            &[("output siem: types.send", "bill alice secofr spool hr tmp")],
        ),
        (
            "both drop",
            r#"users.exclude = ["BILL"]"#,
            r#"filter.types.exclude = ["SF", "CO"]"#,
            "alice secofr sign-on hr auditing",
            &[
                ("users.exclude BILL", "bill"),
                ("output siem: types.exclude SF", "spool"),
                ("output siem: types.exclude CO", "tmp"),
            ],
        ),
        (
            "what [filter] drops counts there",
            r#"users.exclude = ["BILL"]"#,
            r#"filter.users.exclude = ["BI*", "ALICE"]"#,
            "secofr sign-on spool hr tmp auditing",
            &[("users.exclude BILL", "bill"), ("output siem: users.exclude ALICE", "alice")],
        ),
        (
            "includes of an output bring nothing back",
            "types.exclude = [\"SF\"]\nusers.exclude = [\"BILL\"]\nobjects.exclude = [\"HR/*ALL\"]\nifs.exclude = [\"/tmp\"]",
            "filter.types.send = [\"*ALL\"]\nfilter.users.include = [\"BILL\"]\nfilter.objects.include = [\"HR/EMP\"]\n\
             filter.ifs.include = [\"/tmp/x\"]",
            "alice secofr sign-on auditing",
            &[
                ("types.exclude SF", "spool"),
                ("users.exclude BILL", "bill"),
                ("objects.exclude HR/*ALL", "hr"),
                ("ifs.exclude /tmp", "tmp"),
            ],
        ),
        (
            "includes of an output are exceptions to its own rules",
            "",
            "filter.users.exclude = [\"*ALL\"]\nfilter.users.include = [\"BI*\"]",
            "bill secofr auditing",
            &[("output siem: users.exclude *ALL", "alice sign-on spool hr tmp")],
        ),
        (
            "includes of [filter] hold nothing against an output",
            "objects.exclude = [\"*ALL/*ALL\"]\nobjects.include = [\"HR/*ALL\"]",
            r#"filter.objects.exclude = ["HR/EMP"]"#,
            "bill alice secofr sign-on spool tmp auditing",
            &[("output siem: objects.exclude HR/EMP", "hr")],
        ),
    ];
    let bench = bench();
    for (name, filter, output, sent, dropped) in rows {
        let (rules, run) = send(&bench, filter, output);
        // The line of an output's rule is looked for in its own table.
        bench.row(&(name, &rules, sent, dropped), &run);
    }
}

#[test]
fn r25_the_filter_of_an_output_is_for_that_output_only() {
    let bench = bench();
    let outputs = "[[output]]\nname = \"one\"\naddress = \"stdout\"\nformat = \"json\"\nfilter.types.send = [\"PW\"]\n\n\
        [[output]]\nname = \"two\"\naddress = \"stdout\"\nformat = \"json\"\nfilter.types.exclude = [\"ZR\"]\n";
    for (options, sent) in [
        ("--output one", &["sign-on", "auditing"][..]),
        ("--output two", &["sign-on", "spool", "hr", "tmp", "auditing"]),
        ("--format json", &["bill", "alice", "secofr", "sign-on", "spool", "hr", "tmp", "auditing"]),
    ] {
        let run = bench.run_with(outputs, options);
        run.assert_output(0, &[]);
        assert_eq!(bench.sent(&run), sent, "{options}: {}", run.stderr);
        let s = run.summary();
        assert_eq!(count(&s, "read"), count(&s, "sent") + count(&s, "filtered"), "{s}");
    }
    bench.run_with(outputs, "--output three").assert_output(2, &["three", "one", "two"]);
}

#[test]
fn r35_n11_an_output_protects_privileged_users_and_changes_to_auditing_too() {
    let bench = bench();
    let (rules, run) = send(&bench, "", "filter.users.exclude = [\"*ALL\"]");
    bench.row(
        &(
            "users",
            &rules,
            "secofr auditing",
            &[("output siem: users.exclude *ALL", "bill alice sign-on spool hr tmp")],
        ),
        &run,
    );
    let (rules, run) = send(&bench, "users.privileged = [\"EVE\"]", "filter.users.exclude = [\"*ALL\"]");
    bench.row(
        &(
            "privileged in [filter]",
            &rules,
            "secofr sign-on spool hr tmp auditing",
            &[("output siem: users.exclude *ALL", "bill alice")],
        ),
        &run,
    );
    let (rules, run) = send(&bench, "", "filter.types.exclude = [\"*ALL\"]");
    bench.row(
        &(
            "types",
            &rules,
            "auditing",
            &[("output siem: types.exclude *ALL", "bill alice secofr sign-on spool hr tmp")],
        ),
        &run,
    );
    assert!(run.stdout.contains("\"severity\":9"), "{}", run.stdout);
}
