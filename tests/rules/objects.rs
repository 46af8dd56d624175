//! `objects.exclude` and `objects.include`: which entries they apply to, and in which notation.
use super::bench::{Bench, Row, any, data, entry, head, in_ccsid, moved, object, path, set_path};
use harness::{ebcdic, record::Record};

fn bench() -> Bench {
    Bench::new([
        ("cust", object("ZC", "PAYLIB/CUST:*FILE")),
        ("custdtl", object("ZR", "PAYLIB/CUSTDTL:*FILE")),
        ("custpgm", object("CO", "PAYLIB/CUST:*PGM")),
        ("pay2", object("DO", "PAY2/CUST:*FILE")),
        ("hr", object("ZC", "HR/EMP:*FILE")),
        ("temp", object("ZC", "QTEMP/WORK:*FILE")),
        ("sign-on", any("PW")),
        ("system-value", any("SV")),
    ])
}

#[test]
fn r32_objects_are_excluded_in_ibms_notation() {
    bench().table(&[
        (
            "one object, of every type",
            r#"objects.exclude = ["PAYLIB/CUST"]"#,
            "custdtl pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/CUST", "cust custpgm")],
        ),
        (
            "one object of one type",
            r#"objects.exclude = ["PAYLIB/CUST:*FILE"]"#,
            "custdtl custpgm pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/CUST:*FILE", "cust")],
        ),
        (
            "*ALL of a library",
            r#"objects.exclude = ["PAYLIB/*ALL"]"#,
            "pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/*ALL", "cust custdtl custpgm")],
        ),
        (
            "*ALL of a library, one type",
            r#"objects.exclude = ["PAYLIB/*ALL:*PGM"]"#,
            "cust custdtl pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/*ALL:*PGM", "custpgm")],
        ),
        (
            "a generic object",
            r#"objects.exclude = ["PAYLIB/CUST*"]"#,
            "pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/CUST*", "cust custdtl custpgm")],
        ),
        (
            "a generic name is no longer one than it says",
            r#"objects.exclude = ["PAYLIB/CUSTD*"]"#,
            "cust custpgm pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/CUSTD*", "custdtl")],
        ),
        (
            "a generic library",
            r#"objects.exclude = ["PAY*/CUST"]"#,
            "custdtl hr temp sign-on system-value",
            &[("objects.exclude PAY*/CUST", "cust custpgm pay2")],
        ),
        (
            "both generic",
            r#"objects.exclude = ["PAY*/CUST*:*FILE"]"#,
            "custpgm hr temp sign-on system-value",
            &[("objects.exclude PAY*/CUST*:*FILE", "cust custdtl pay2")],
        ),
        (
            "an object of that name in every library",
            r#"objects.exclude = ["*ALL/CUST"]"#,
            "custdtl hr temp sign-on system-value",
            &[("objects.exclude *ALL/CUST", "cust custpgm pay2")],
        ),
        (
            "everything that names an object, and nothing else",
            r#"objects.exclude = ["*ALL/*ALL"]"#,
            "sign-on system-value",
            &[("objects.exclude *ALL/*ALL", "cust custdtl custpgm pay2 hr temp")],
        ),
        (
            "names as people write them",
            r#"objects.exclude = ["paylib/cust:*file"]"#,
            "custdtl custpgm pay2 hr temp sign-on system-value",
            &[("objects.exclude paylib/cust:*file", "cust")],
        ),
    ]);
}

#[test]
fn r32_each_drop_counts_for_the_first_rule_that_fits() {
    let rules = "objects.exclude = [\n  # loud\n  \"PAYLIB/CUSTD*\",\n  \"QTEMP/*ALL\",\n\n  \"PAY*/*ALL\",\n]";
    bench().table(&[(
        "several lines",
        rules,
        "hr sign-on system-value",
        &[
            ("objects.exclude PAYLIB/CUSTD*", "custdtl"),
            ("objects.exclude QTEMP/*ALL", "temp"),
            ("objects.exclude PAY*/*ALL", "cust custpgm pay2"),
        ],
    )]);
}

#[test]
fn r32_an_include_beats_an_exclude() {
    bench().table(&[
        (
            "everything but one library",
            "objects.exclude = [\"*ALL/*ALL\"]\nobjects.include = [\"PAYLIB/*ALL\"]",
            "cust custdtl custpgm sign-on system-value",
            &[("objects.exclude *ALL/*ALL", "pay2 hr temp")],
        ),
        (
            "the wider rule is the include",
            "objects.exclude = [\"PAYLIB/CUST:*FILE\", \"HR/*ALL\"]\nobjects.include = [\"PAY*/*ALL\"]",
            "cust custdtl custpgm pay2 temp sign-on system-value",
            &[("objects.exclude HR/*ALL", "hr")],
        ),
        (
            "the same rule twice",
            "objects.exclude = [\"HR/EMP\"]\nobjects.include = [\"HR/EMP\"]",
            "cust custdtl custpgm pay2 hr temp sign-on system-value",
            &[],
        ),
        (
            "an include by type",
            "objects.include = [\"*ALL/*ALL:*PGM\"]\nobjects.exclude = [\"PAYLIB/*ALL\"]",
            "custpgm pay2 hr temp sign-on system-value",
            &[("objects.exclude PAYLIB/*ALL", "cust custdtl")],
        ),
        (
            "an include alone drops nothing",
            r#"objects.include = ["PAYLIB/*ALL"]"#,
            "cust custdtl custpgm pay2 hr temp sign-on system-value",
            &[],
        ),
    ]);
}

#[test]
fn r32_either_name_of_a_move_or_rename_counts() {
    let bench = Bench::new([
        ("renamed", moved("PAYLIB/CUST:*FILE", "PAYLIB/CUSTOLD")),
        ("moved-in", moved("HR/EMP:*FILE", "QTEMP/EMP")),
        ("moved-out", moved("QTEMP/EMP:*PGM", "HR/EMP")),
        ("others", moved("HR/EMP:*FILE", "HR/EMP2")),
        ("only-old", moved("QTEMP/X:*FILE", "*N/*N")),
        ("only-new", moved("/:*FILE", "QTEMP/X")),
        // The library of the old name and the object of the new one are no object together.
        ("crossed", moved("ALIB/AOBJ:*FILE", "BLIB/BOBJ")),
    ]);
    bench.table(&[
        (
            "either library",
            r#"objects.exclude = ["QTEMP/*ALL"]"#,
            "renamed others crossed",
            &[("objects.exclude QTEMP/*ALL", "moved-in moved-out only-old only-new")],
        ),
        (
            "by type",
            r#"objects.exclude = ["QTEMP/*ALL:*PGM"]"#,
            "renamed moved-in others only-old only-new crossed",
            &[("objects.exclude QTEMP/*ALL:*PGM", "moved-out")],
        ),
        (
            "the old and the new name of a rename",
            r#"objects.exclude = ["PAYLIB/CUSTOLD", "PAYLIB/CUST", "HR/EMP2"]"#,
            "moved-in moved-out only-old only-new crossed",
            &[("objects.exclude PAYLIB/CUSTOLD", "renamed"), ("objects.exclude HR/EMP2", "others")],
        ),
        (
            "either name that is included",
            "objects.exclude = [\"*ALL/*ALL\"]\nobjects.include = [\"HR/*ALL\"]",
            "moved-in moved-out others",
            &[("objects.exclude *ALL/*ALL", "renamed only-old only-new crossed")],
        ),
        (
            "names are not mixed",
            r#"objects.exclude = ["ALIB/BOBJ", "BLIB/AOBJ"]"#,
            "renamed moved-in moved-out others only-old only-new crossed",
            &[],
        ),
    ]);
}

#[test]
fn r32_the_object_of_a_command_is_matched_only_on_request() {
    let bench =
        Bench::new([("command", object("CD", "QSYS/CRTUSRPRF:*CMD")), ("object", object("ZC", "QSYS/QCMD:*PGM"))]);
    let all = r#"objects.exclude = ["QSYS/*ALL"]"#;
    bench.table(&[
        ("not by default", all, "command", &[("objects.exclude QSYS/*ALL", "object")]),
        (
            "not when it says so",
            &format!("{all}\nobjects.commands = false"),
            "command",
            &[("objects.exclude QSYS/*ALL", "object")],
        ),
        (
            "on request",
            &format!("objects.commands = true\n{all}"),
            "",
            &[("objects.exclude QSYS/*ALL", "command object")],
        ),
        (
            "an include keeps commands",
            &format!("objects.commands = true\n{all}\nobjects.include = [\"QSYS/CRT*:*CMD\"]"),
            "command",
            &[("objects.exclude QSYS/*ALL", "object")],
        ),
    ]);
}

#[test]
fn r32_what_names_no_library_object_is_never_matched() {
    let mut stream_file = object("ZC", "*N/*N:*STMF");
    set_path(&mut stream_file, "ZC", "object_path", "/home/bill/x.csv", "Y");
    let mut cut = object("ZC", "HR/EMP:*FILE");
    cut.cut(20); // the library ends one byte early
    let everything = r#"objects.exclude = ["*ALL/*ALL"]"#;
    let bench = Bench::new([
        ("object", object("ZC", "HR/EMP:*FILE")),
        ("stream-file", stream_file),
        ("no-name", any("ZC")),
        ("no-object", object("ZC", "HR/:*FILE")),
        ("no-library", object("ZC", "/EMP:*FILE")),
        ("star-n-object", object("ZC", "HR/*N:*FILE")),
        ("star-n-library", object("ZC", "*N/EMP:*FILE")),
        ("path", path("CO", "/QSYS.LIB/HR.LIB/EMP.FILE")),
        ("sign-on", any("PW")),
        // Libraries without an object (CP, RU), other names (SF: file and output queue) and places that are guesses (ST).
        ("profile", data(any("CP"), "object_library", "HR")),
        ("restored", data(any("RU"), "object_library", "HR")),
        ("spooled", data(data(entry("SF", "C"), "database_library", "HR"), "database_file", "EMP")),
        ("guess", data(data(entry("ST", "A"), "object_library", "HR"), "object_name", "EMP")),
        // The heading's object fields are not used by audit entries.
        ("heading", head(head(any("PS"), "object_library", "HR"), "object_name", "EMP")),
        ("cut-library", cut),
        ("unknown", Record::new("type5", "Q9")),
    ]);
    let rest = "stream-file no-name no-object no-library star-n-object star-n-library path sign-on profile restored \
        spooled guess heading cut-library unknown";
    bench.table(&[
        ("everything", everything, rest, &[("objects.exclude *ALL/*ALL", "object")]),
        ("a library", r#"objects.exclude = ["HR/*ALL"]"#, rest, &[("objects.exclude HR/*ALL", "object")]),
        ("a name", r#"objects.exclude = ["*ALL/EMP"]"#, rest, &[("objects.exclude *ALL/EMP", "object")]),
    ]);
}

#[test]
fn r32_every_type_that_names_an_object_is_matched() {
    // The fields have other names in each of these: subsystem, job description, file, validation list, group.
    let names = ["AX", "CU", "IR", "JD", "OR", "PU", "RJ", "SE", "VO", "YR", "AF", "OW", "CA"];
    let mut entries: Vec<(&str, Record)> = names.iter().map(|code| (*code, object(code, "HR/EMP"))).collect();
    let mut decryption = entry("PW", "S");
    decryption.data("decrypt_object_library", &ebcdic::plain("HR"));
    decryption.data("decrypt_object_name", &ebcdic::plain("EMP"));
    entries.push(("PW", decryption));
    entries.push(("other", object("AF", "PAYLIB/EMP")));
    let dropped = format!("{} PW", names.join(" "));
    Bench::new(entries).table(&[(
        "by role, not by field name",
        r#"objects.exclude = ["HR/EMP"]"#,
        "other",
        &[("objects.exclude HR/EMP", &dropped)],
    )]);
}

#[test]
fn r32_names_with_national_characters_are_matched_in_the_ccsid_of_the_source() {
    let records = |ccsid: u16| {
        [("hash", "ACT#1"), ("hash2", "ACT#22"), ("at", "ACT@1"), ("dollar", "ACT$1"), ("plain", "ACT1")].map(
            |(label, name)| {
                let mut r = any("ZC");
                r.data("object_library", &in_ccsid(ccsid, "LIB#A"));
                r.data("object_name", &in_ccsid(ccsid, name));
                (label, r)
            },
        )
    };
    let table: [Row; 5] = [
        (
            "#",
            r#"objects.exclude = ["LIB#A/ACT#*"]"#,
            "at dollar plain",
            &[("objects.exclude LIB#A/ACT#*", "hash hash2")],
        ),
        (
            "@",
            r#"objects.exclude = ["LIB#A/ACT@*"]"#,
            "hash hash2 dollar plain",
            &[("objects.exclude LIB#A/ACT@*", "at")],
        ),
        (
            "$",
            r#"objects.exclude = ["LIB#A/ACT$1"]"#,
            "hash hash2 at plain",
            &[("objects.exclude LIB#A/ACT$1", "dollar")],
        ),
        (
            "library",
            r#"objects.exclude = ["LIB#*/ACT1"]"#,
            "hash hash2 at dollar",
            &[("objects.exclude LIB#*/ACT1", "plain")],
        ),
        ("nothing", r#"objects.exclude = ["LIB@*/ACT1"]"#, "hash hash2 at dollar plain", &[]),
    ];
    // In CCSID 297 # is X'B1', @ X'44' and $ X'5B'; in 37 they are X'7B', X'7C' and X'5B'.
    assert_eq!((in_ccsid(297, "#@$"), in_ccsid(37, "#@$")), (vec![0xB1, 0x44, 0x5B], vec![0x7B, 0x7C, 0x5B]));
    Bench::new(records(37)).table(&table);
    for ccsid in [297, 273, 500] {
        Bench::new(records(ccsid)).with(&format!("--ccsid {ccsid}")).table(&table);
    }
    // Read in the wrong CCSID the bytes are other characters, and no rule for # may take them.
    let misread = Bench::new(records(297));
    misread.table(&[(table[0].0, table[0].1, "hash hash2 at dollar plain", &[])]);
}

#[test]
fn r32_what_a_french_system_shows_for_the_bytes_of_a_hash_is_matched() {
    // X'7B' is allowed in a name on every system. CCSID 297 shows it as £, and a rule says what is shown.
    let mut r = any("ZC");
    r.data("object_library", &ebcdic::plain("HR"));
    r.data("object_name", b"\xC1\x7B\xF1");
    let bench = Bench::new([("name", r), ("other", object("ZC", "HR/EMP"))]).with("--ccsid 297");
    bench.table(&[
        ("generic", r#"objects.exclude = ["HR/A£*"]"#, "other", &[("objects.exclude HR/A£*", "name")]),
        ("whole", r#"objects.exclude = ["HR/A£1"]"#, "other", &[("objects.exclude HR/A£1", "name")]),
    ]);
}
