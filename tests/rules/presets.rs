//! The shipped presets of `filters/`, each alone, and a user's own.
use super::bench::{Bench, any, by, data, entry, object, path, system_value};

#[test]
fn r36_ibm_profiles_drops_quiet_profiles_and_no_one_people_use() {
    let user = |name: &str| by(any("ZR"), name, name);
    let names = ["QSPL", "QSPLJOB", "QMSF", "QDBSHRDO", "QUSER", "QTCP", "QSECOFR", "QSYS", "QPGMR", "QSPLX", "BILL"];
    let entries = names.map(|name| (name, user(name)));
    // A profile of the list that somebody gives *ALLOBJ is not filtered from then on.
    let shown = data(data(by(any("CP"), "BILL", "BILL"), "user_profile", "QNETSPLF"), "special_authority_allobj", "Y");
    let others = [
        ("before", user("QNETSPLF")),
        ("shown", shown),
        ("after", user("QNETSPLF")),
        ("effective", by(any("ZR"), "BILL", "QSPLJOB")),
    ];
    let bench = Bench::new(entries.into_iter().chain(others));
    let dropped: &[(&str, &str)] = &[
        ("users.exclude QSPL", "QSPL"),
        ("users.exclude QSPLJOB", "QSPLJOB"),
        ("users.exclude QMSF", "QMSF"),
        ("users.exclude QDBSHRDO", "QDBSHRDO"),
        ("users.exclude QNETSPLF", "before"),
    ];
    let all = "QSPL QSPLJOB QMSF QDBSHRDO QUSER QTCP QSECOFR QSYS QPGMR QSPLX BILL before shown after effective";
    bench.table(&[
        ("off by default", "", all, &[]),
        (
            "on",
            r#"presets = ["ibm-profiles"]"#,
            "QUSER QTCP QSECOFR QSYS QPGMR QSPLX BILL shown after effective",
            dropped,
        ),
        (
            "with own additions",
            "presets = [\"ibm-profiles\"]\nusers.exclude = [\"QPGMR\"]",
            "QUSER QTCP QSECOFR QSYS QSPLX BILL shown after effective",
            &[dropped, &[("users.exclude QPGMR", "QPGMR")]].concat(),
        ),
        (
            "less an own exception",
            "presets = [\"ibm-profiles\"]\nusers.include = [\"QSPL*\"]",
            "QSPL QSPLJOB QUSER QTCP QSECOFR QSYS QPGMR QSPLX BILL shown after effective",
            &dropped[2..],
        ),
    ]);
}

#[test]
fn r39_low_value_system_values_drops_looks_and_keeps_clock_and_security() {
    let names =
        ["QDATFMT", "QPRTDEV", "QMCHPOOL", "QMAXACTLVL", "QTIME", "QSECURITY", "QCCSID", "QPWDMINLEN", "QAUDCTL"];
    let entries = names.map(|name| (name, system_value(name)));
    let bench = Bench::new(entries.into_iter().chain([("command", data(any("CD"), "object_name", "QDATFMT"))]));
    let dropped: &[(&str, &str)] = &[
        ("system_values.exclude QDATFMT", "QDATFMT"),
        ("system_values.exclude QPRTDEV", "QPRTDEV"),
        ("system_values.exclude QMCHPOOL", "QMCHPOOL"),
        ("system_values.exclude QMAXACTLVL", "QMAXACTLVL"),
    ];
    bench.table(&[
        ("off by default", "", &format!("{} command", names.join(" ")), &[]),
        (
            "on",
            r#"presets = ["low-value-system-values"]"#,
            "QTIME QSECURITY QCCSID QPWDMINLEN QAUDCTL command",
            dropped,
        ),
        (
            "with own additions",
            "system_values.exclude = [\"QTIM*\"]\npresets = [\"low-value-system-values\"]",
            "QSECURITY QCCSID QPWDMINLEN QAUDCTL command",
            &[dropped, &[("system_values.exclude QTIM*", "QTIME")]].concat(),
        ),
    ]);
}

#[test]
fn r25_temp_paths_drops_temporary_places_and_not_their_neighbours() {
    let files = ["/tmp/x", "/TMP", "/var/tmp/a/b", "/QOpenSys/var/tmp/rpm", "/dev/null", "/QIBM/UserData/OS400/SQE/d"];
    let kept = ["/tmpfoo/x", "/var/tmpfoo", "/QOpenSys/var/TMP/x", "/dev/tty", "/home/bill/tmp/x", "/"];
    let entries = files.into_iter().chain(kept).map(|p| (p, path("CO", p)));
    let others = [
        ("qtemp", object("DO", "QTEMP/WORK:*FILE")),
        ("object", object("DO", "QGPL/WORK:*FILE")),
        ("qtemp-by-path", path("CO", "/QSYS.LIB/QTEMP.LIB/WORK.FILE")),
        ("library-by-path", path("CO", "/QSYS.LIB/QTEMP2.LIB/WORK.FILE")),
    ];
    let bench = Bench::new(entries.chain(others));
    let sent = format!("{} object library-by-path", kept.join(" "));
    bench.table(&[
        ("off by default", "", &format!("{sent} {} qtemp qtemp-by-path", files.join(" ")), &[]),
        (
            "on",
            r#"presets = ["temp-paths"]"#,
            &sent,
            &[
                ("ifs.exclude /tmp", "/tmp/x /TMP"),
                ("ifs.exclude /var/tmp", "/var/tmp/a/b"),
                ("ifs.exclude /QOpenSys/var/tmp", "/QOpenSys/var/tmp/rpm"),
                ("ifs.exclude /QIBM/UserData/OS400/SQE", "/QIBM/UserData/OS400/SQE/d"),
                ("ifs.exclude /QSYS.LIB/QTEMP.LIB", "qtemp-by-path"),
                ("ifs.exclude /dev/null", "/dev/null"),
                ("objects.exclude QTEMP/*ALL", "qtemp"),
            ],
        ),
        (
            "less an own exception",
            "presets = [\"temp-paths\"]\nifs.include = [\"/tmp/x\", \"/dev\"]\nobjects.include = [\"QTEMP/W*\"]",
            &format!("{sent} /tmp/x qtemp"),
            &[
                ("ifs.exclude /tmp", "/TMP"),
                ("ifs.exclude /var/tmp", "/var/tmp/a/b"),
                ("ifs.exclude /QOpenSys/var/tmp", "/QOpenSys/var/tmp/rpm"),
                ("ifs.exclude /QIBM/UserData/OS400/SQE", "/QIBM/UserData/OS400/SQE/d"),
                ("ifs.exclude /QSYS.LIB/QTEMP.LIB", "qtemp-by-path"),
                ("ifs.exclude /dev/null", "/dev/null"),
            ],
        ),
    ]);
}

#[test]
fn r23_security_sends_attacks_and_changes_and_not_daily_work() {
    let ids = [
        "PW-P", "AF-A", "CP-A", "CA-A", "SV-A", "OR-N", "CO-N", "DO-I", "OM-R", "CD-C", "JS-M", "JS-J", "AP-A", "AP-S",
        "IM-P", "PF-P", "DI-EX", "FT-A", "ZR-R", "ZC-C", "JS-S", "JS-E", "AP-E", "SF-C", "SK-A", "PU-P", "DI-ZR",
        "SG-A", "PO-D",
    ];
    let bench = Bench::new(ids.map(|id| {
        let (code, detail) = id.split_once('-').unwrap();
        (id, entry(code, detail))
    }));
    let on = ids[..18].join(" ");
    let off = ids[18..].join(" ");
    bench.table(&[
        ("off by default", "", &ids.join(" "), &[]),
        ("on", r#"presets = ["security"]"#, &on, &[("types.send", &off)]),
        ("*ALL narrows nothing", "presets = [\"security\"]\ntypes.send = [\"*ALL\"]", &on, &[("types.send", &off)]),
        (
            "own exclusions",
            "presets = [\"security\"]\ntypes.exclude = [\"CO\", \"DO-I\"]",
            &ids[..18].iter().filter(|id| !["CO-N", "DO-I"].contains(id)).copied().collect::<Vec<_>>().join(" "),
            &[("types.send", &off), ("types.exclude CO", "CO-N"), ("types.exclude DO-I", "DO-I")],
        ),
    ]);
    // Own additions: the list that dropped the others is now in two files, so only the entries are looked at.
    let run = bench.run("presets = [\"security\"]\ntypes.send = [\"ZR\", \"JS-S\"]");
    run.assert_output(0, &[]);
    let sent = bench.sent(&run);
    let expected: Vec<&str> = ids.into_iter().filter(|id| on.contains(id) || ["ZR-R", "JS-S"].contains(id)).collect();
    assert_eq!(sent, expected, "{}", run.stderr);
}

#[test]
fn r36_a_users_own_file_is_a_preset_like_the_shipped_ones() {
    let bench = Bench::new(
        [
            ("bill", by(any("ZR"), "BILL", "BILL")),
            ("secofr", by(any("ZR"), "QSECOFR", "QSECOFR")),
            ("tmp", path("CO", "/tmp/x")),
            ("scratch", path("CO", "/scratch/x")),
            ("hr", object("ZC", "HR/EMP:*FILE")),
            ("sf", any("SF")),
            ("sv", system_value("QTIME")),
            ("alice", by(any("ZR"), "ALICE", "ALICE")),
        ]
        .map(|(label, r)| (label, if ["bill", "secofr", "alice"].contains(&label) { r } else { by(r, "EVE", "EVE") })),
    );
    let own = "about = \"Ours.\"\n\n[users]\nexclude = [\n  \"BILL\", # test runs\n  \"Q*\",\n]\n\n[ifs]\nexclude = [\"/scratch\"]\n\n\
        [objects]\nexclude = [\"HR/*ALL\"]\n\n[types]\nexclude = [\"SF\"]\n\n[system_values]\nexclude = [\"QTIME\"]\n";
    bench.write("mine.toml", own);
    let dropped: &[(&str, &str)] = &[
        ("users.exclude BILL", "bill"),
        ("ifs.exclude /scratch", "scratch"),
        ("objects.exclude HR/*ALL", "hr"),
        ("types.exclude SF", "sf"),
        ("system_values.exclude QTIME", "sv"),
    ];
    // The path counts from the folder of agent.toml, not from where the program was started.
    bench.table(&[
        ("alone", r#"presets = ["./mine.toml"]"#, "secofr tmp alice", dropped),
        (
            "with a shipped one and own rules",
            "presets = [\"temp-paths\", \"./mine.toml\"]\nusers.exclude = [\"ALICE\"]",
            "secofr",
            &[dropped, &[("ifs.exclude /tmp", "tmp"), ("users.exclude ALICE", "alice")]].concat(),
        ),
    ]);
    let absolute = format!("presets = [\"{}\"]", bench.path("mine.toml").display());
    bench.table(&[("an absolute path", &absolute, "secofr tmp alice", dropped)]);
    let run = bench.run(r#"presets = ["./mine.toml"]"#);
    let files = run.summary()["filtered_by_rule"].as_array().unwrap().clone();
    assert!(files.iter().all(|r| r["file"].as_str().unwrap().ends_with("mine.toml")), "{files:?}");
}

#[test]
fn r36_a_preset_that_is_not_there_or_not_right_is_an_error_with_its_place() {
    let bench = Bench::new([("bill", by(any("ZR"), "BILL", "BILL"))]);
    bench.write("bad.toml", "about = \"Ours.\"\n[users]\nexlude = [\"BILL\"]\n");
    for (rules, words) in [
        (r#"presets = ["securty"]"#, &["agent.toml:2:12", "security"][..]),
        (r#"presets = ["./nowhere.toml"]"#, &["agent.toml:2:12", "nowhere.toml"]),
        (r#"presets = ["./bad.toml"]"#, &["bad.toml:3:1", "exlude", "exclude"]),
    ] {
        let run = bench.run(rules);
        run.assert_output(2, words);
        assert_eq!(run.stdout, "", "{rules}");
    }
}
