//! `ifs.exclude` and `ifs.include`: subtrees, direct children, files, globs, and which rule wins.
use super::bench::{Bench, Row, any, by_role, entry, in_ccsid, object, path, set_path, set_path_in};
use harness::{
    ebcdic,
    record::{Record, tables},
};

/// Entries about these paths, which are their labels.
fn paths(paths: &str) -> Bench {
    Bench::new(paths.split_whitespace().map(|p| (p, path("ZC", p))))
}

#[test]
fn r34_a_path_rule_takes_the_object_and_all_below_and_not_its_neighbours() {
    let bench = paths("/ /tmp /tmp/a /tmp/a/b /tmpfoo /tmpfoo/a /tm /home/tmp /home/tmp/a /home/bill/x.csv");
    bench.table(&[
        (
            "a directory",
            r#"ifs.exclude = ["/tmp"]"#,
            "/ /tmpfoo /tmpfoo/a /tm /home/tmp /home/tmp/a /home/bill/x.csv",
            &[("ifs.exclude /tmp", "/tmp /tmp/a /tmp/a/b")],
        ),
        (
            "its direct children only",
            r#"ifs.exclude = ["/tmp/*"]"#,
            "/ /tmp /tmp/a/b /tmpfoo /tmpfoo/a /tm /home/tmp /home/tmp/a /home/bill/x.csv",
            &[("ifs.exclude /tmp/*", "/tmp/a")],
        ),
        (
            "one file",
            r#"ifs.exclude = ["/home/bill/x.csv"]"#,
            "/ /tmp /tmp/a /tmp/a/b /tmpfoo /tmpfoo/a /tm /home/tmp /home/tmp/a",
            &[("ifs.exclude /home/bill/x.csv", "/home/bill/x.csv")],
        ),
        (
            "a directory further down",
            r#"ifs.exclude = ["/tmp/a"]"#,
            "/ /tmp /tmpfoo /tmpfoo/a /tm /home/tmp /home/tmp/a /home/bill/x.csv",
            &[("ifs.exclude /tmp/a", "/tmp/a /tmp/a/b")],
        ),
        (
            "direct children of the root",
            r#"ifs.exclude = ["/*"]"#,
            "/ /tmp/a /tmp/a/b /tmpfoo/a /home/tmp /home/tmp/a /home/bill/x.csv",
            &[("ifs.exclude /*", "/tmp /tmpfoo /tm")],
        ),
    ]);
}

#[test]
fn r33_the_root_is_every_path_and_nothing_without_a_path() {
    let bench = Bench::new([
        ("root", path("ZC", "/")),
        ("file", path("CO", "/home/bill/x.csv")),
        ("share", path("AF", "/QNTC/server/share")),
        ("object", object("ZC", "HR/EMP:*FILE")),
        ("sign-on", any("PW")),
    ]);
    bench.table(&[
        ("everything", r#"ifs.exclude = ["/"]"#, "object sign-on", &[("ifs.exclude /", "root file share")]),
        (
            "everything but",
            "ifs.exclude = [\"/\"]\nifs.include = [\"/home\"]",
            "file object sign-on",
            &[("ifs.exclude /", "root share")],
        ),
    ]);
}

#[test]
fn r34_globs_stay_within_a_component() {
    let bench = paths(
        "/home/bill /home/bill/x.csv /home/bill/y.txt /home/bob/x.csv /home/bob/in/x.csv /homes/bill/x.csv /a[1]/x",
    );
    bench.table(&[
        (
            "a star for a directory",
            r#"ifs.exclude = ["/home/*/x.csv"]"#,
            "/home/bill /home/bill/y.txt /home/bob/in/x.csv /homes/bill/x.csv /a[1]/x",
            &[("ifs.exclude /home/*/x.csv", "/home/bill/x.csv /home/bob/x.csv")],
        ),
        (
            "a star within a name, and all below",
            r#"ifs.exclude = ["/home/b*"]"#,
            "/homes/bill/x.csv /a[1]/x",
            &[(
                "ifs.exclude /home/b*",
                "/home/bill /home/bill/x.csv /home/bill/y.txt /home/bob/x.csv /home/bob/in/x.csv",
            )],
        ),
        (
            "an end of a name",
            r#"ifs.exclude = ["/home/*/*.csv"]"#,
            "/home/bill /home/bill/y.txt /home/bob/in/x.csv /homes/bill/x.csv /a[1]/x",
            &[("ifs.exclude /home/*/*.csv", "/home/bill/x.csv /home/bob/x.csv")],
        ),
        (
            "one character",
            r#"ifs.exclude = ["/home/b?b"]"#,
            "/home/bill /home/bill/x.csv /home/bill/y.txt /homes/bill/x.csv /a[1]/x",
            &[("ifs.exclude /home/b?b", "/home/bob/x.csv /home/bob/in/x.csv")],
        ),
        (
            "? is no slash",
            r#"ifs.exclude = ["/home?bob"]"#,
            "/home/bill /home/bill/x.csv /home/bill/y.txt /home/bob/x.csv /home/bob/in/x.csv /homes/bill/x.csv /a[1]/x",
            &[],
        ),
        (
            "direct children two down",
            r#"ifs.exclude = ["/home/*/*"]"#,
            "/home/bill /home/bob/in/x.csv /homes/bill/x.csv /a[1]/x",
            &[("ifs.exclude /home/*/*", "/home/bill/x.csv /home/bill/y.txt /home/bob/x.csv")],
        ),
    ]);
}

#[test]
fn r34_paths_are_normalised_first() {
    let bench = Bench::new([
        ("plain", path("ZC", "/tmp/a")),
        ("slashes", path("ZC", "//tmp///a")),
        ("dot", path("ZC", "/tmp/./a/.")),
        ("up", path("ZC", "/home/../tmp/a")),
        ("above-the-root", path("ZC", "/../../tmp/a")),
        ("trailing", path("ZC", "/tmp/")),
        ("away", path("ZC", "/tmp/../etc/passwd")),
        ("away-below", path("ZC", "/home/tmp/../x")),
        ("three-dots", path("ZC", "/tmp/.../x")),
        ("hidden", path("ZC", "/tmp/.ssh")),
        ("elsewhere", path("ZC", "/.tmp/x")),
    ]);
    let below = "plain slashes dot up above-the-root trailing three-dots hidden";
    let rest = "away away-below elsewhere";
    let rows = ["/tmp", "/tmp/", "//tmp", "/./tmp", "/home/../tmp"].map(|rule| {
        let toml = format!("ifs.exclude = [\"{rule}\"]");
        (rule, toml)
    });
    for (rule, toml) in &rows {
        let run = bench.run(toml);
        run.assert_output(0, &[]);
        let mut sent = bench.sent(&run);
        sent.sort_unstable();
        let mut expected: Vec<&str> = rest.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(sent, expected, "{rule}");
    }
    bench.table(&[
        ("a path", &rows[0].1, rest, &[("ifs.exclude /tmp", below)]),
        (
            "the target of dots",
            r#"ifs.exclude = ["/etc"]"#,
            &format!("{below} away-below elsewhere"),
            &[("ifs.exclude /etc", "away")],
        ),
    ]);
}

#[test]
fn r34_case_counts_under_qopensys_only() {
    let bench = paths(
        "/tmp/up /TMP/Up /Home/Münch /HOME/MÜNCH /QOpenSys /QOpenSys/var/x /QOpenSys/Var/x /qopensys/var/y /QOPENSYS/VAR/y \
         /QOpenSysX/Var/x /QOpenSys/../VAR/z",
    );
    bench.table(&[
        (
            "the root file system",
            r#"ifs.exclude = ["/tmp/UP"]"#,
            "/Home/Münch /HOME/MÜNCH /QOpenSys /QOpenSys/var/x /QOpenSys/Var/x /qopensys/var/y /QOPENSYS/VAR/y \
             /QOpenSysX/Var/x /QOpenSys/../VAR/z",
            &[("ifs.exclude /tmp/UP", "/tmp/up /TMP/Up")],
        ),
        (
            "letters beyond ASCII",
            r#"ifs.exclude = ["/home/mÜnch"]"#,
            "/tmp/up /TMP/Up /QOpenSys /QOpenSys/var/x /QOpenSys/Var/x /qopensys/var/y /QOPENSYS/VAR/y /QOpenSysX/Var/x \
             /QOpenSys/../VAR/z",
            &[("ifs.exclude /home/mÜnch", "/Home/Münch /HOME/MÜNCH")],
        ),
        (
            "under /QOpenSys, itself a name of the root",
            r#"ifs.exclude = ["/QOpenSys/var"]"#,
            "/tmp/up /TMP/Up /Home/Münch /HOME/MÜNCH /QOpenSys /QOpenSys/Var/x /QOPENSYS/VAR/y /QOpenSysX/Var/x \
             /QOpenSys/../VAR/z",
            &[("ifs.exclude /QOpenSys/var", "/QOpenSys/var/x /qopensys/var/y")],
        ),
        (
            "a rule that writes /QOpenSys otherwise",
            r#"ifs.exclude = ["/qOPENsys/Var"]"#,
            "/tmp/up /TMP/Up /Home/Münch /HOME/MÜNCH /QOpenSys /QOpenSys/var/x /qopensys/var/y /QOPENSYS/VAR/y \
             /QOpenSysX/Var/x /QOpenSys/../VAR/z",
            &[("ifs.exclude /qOPENsys/Var", "/QOpenSys/Var/x")],
        ),
        (
            "/QOpenSysX and what leaves /QOpenSys are not under it",
            r#"ifs.exclude = ["/qopensysx/var", "/var"]"#,
            "/tmp/up /TMP/Up /Home/Münch /HOME/MÜNCH /QOpenSys /QOpenSys/var/x /QOpenSys/Var/x /qopensys/var/y \
             /QOPENSYS/VAR/y",
            &[("ifs.exclude /qopensysx/var", "/QOpenSysX/Var/x"), ("ifs.exclude /var", "/QOpenSys/../VAR/z")],
        ),
        (
            "globs under it",
            r#"ifs.exclude = ["/QOpenSys/v*"]"#,
            "/tmp/up /TMP/Up /Home/Münch /HOME/MÜNCH /QOpenSys /QOpenSys/Var/x /QOPENSYS/VAR/y /QOpenSysX/Var/x \
             /QOpenSys/../VAR/z",
            &[("ifs.exclude /QOpenSys/v*", "/QOpenSys/var/x /qopensys/var/y")],
        ),
    ]);
}

#[test]
fn r34_the_most_specific_rule_wins_and_an_include_on_a_tie() {
    let bench = paths("/tmp /tmp/a /tmp/a/b /tmp/a/b/c /tmp/z /home/bill/x.csv /home/bob/x.csv");
    bench.table(&[
        (
            "an include further down",
            "ifs.exclude = [\"/tmp\"]\nifs.include = [\"/tmp/a\"]",
            "/tmp/a /tmp/a/b /tmp/a/b/c /home/bill/x.csv /home/bob/x.csv",
            &[("ifs.exclude /tmp", "/tmp /tmp/z")],
        ),
        (
            "an exclude below an include below an exclude",
            "ifs.exclude = [\"/\", \"/tmp/a/b\"]\nifs.include = [\"/tmp/a\"]",
            "/tmp/a",
            &[
                ("ifs.exclude /", "/tmp /tmp/z /home/bill/x.csv /home/bob/x.csv"),
                ("ifs.exclude /tmp/a/b", "/tmp/a/b /tmp/a/b/c"),
            ],
        ),
        (
            "the more specific of two excludes is named",
            r#"ifs.exclude = ["/tmp", "/tmp/a/b", "/tmp/a"]"#,
            "/home/bill/x.csv /home/bob/x.csv",
            &[
                ("ifs.exclude /tmp", "/tmp /tmp/z"),
                ("ifs.exclude /tmp/a/b", "/tmp/a/b /tmp/a/b/c"),
                ("ifs.exclude /tmp/a", "/tmp/a"),
            ],
        ),
        (
            "a tie",
            "ifs.exclude = [\"/tmp/a\"]\nifs.include = [\"/tmp/a\"]",
            "/tmp /tmp/a /tmp/a/b /tmp/a/b/c /tmp/z /home/bill/x.csv /home/bob/x.csv",
            &[],
        ),
        (
            "a tie of globs",
            "ifs.include = [\"/home/*/x.csv\"]\nifs.exclude = [\"/home/*/x.csv\", \"/tmp/z\"]",
            "/tmp /tmp/a /tmp/a/b /tmp/a/b/c /home/bill/x.csv /home/bob/x.csv",
            &[("ifs.exclude /tmp/z", "/tmp/z")],
        ),
        (
            "direct children are more specific than the subtree",
            "ifs.exclude = [\"/tmp\"]\nifs.include = [\"/tmp/*\"]",
            "/tmp/a /tmp/z /home/bill/x.csv /home/bob/x.csv",
            &[("ifs.exclude /tmp", "/tmp /tmp/a/b /tmp/a/b/c")],
        ),
        (
            "a name is more specific than a glob in its place",
            "ifs.exclude = [\"/home/b*\"]\nifs.include = [\"/home/bill\"]",
            "/tmp /tmp/a /tmp/a/b /tmp/a/b/c /tmp/z /home/bill/x.csv",
            &[("ifs.exclude /home/b*", "/home/bob/x.csv")],
        ),
        (
            "and so it is the other way round",
            "ifs.include = [\"/home/b*\"]\nifs.exclude = [\"/home/bill\"]",
            "/tmp /tmp/a /tmp/a/b /tmp/a/b/c /tmp/z /home/bob/x.csv",
            &[("ifs.exclude /home/bill", "/home/bill/x.csv")],
        ),
    ]);
}

#[test]
fn r34_either_path_of_a_rename_counts() {
    let renamed = |old: &str, new: &str| {
        let mut r = any("OM");
        set_path(&mut r, "OM", "old_object_path", old, "Y");
        set_path(&mut r, "OM", "object_path", new, "Y");
        r
    };
    let mut relative = renamed("tmp/x", "/home/x");
    set_path(&mut relative, "OM", "old_object_path", "tmp/x", "N");
    let mut half = renamed("/tmp/x", "x");
    set_path(&mut half, "OM", "object_path", "x", "N");
    let bench = Bench::new([
        ("out", renamed("/tmp/x", "/home/x")),
        ("in", renamed("/home/x", "/tmp/x")),
        ("within", renamed("/tmp/x", "/tmp/y")),
        ("elsewhere", renamed("/home/x", "/home/y")),
        ("old-relative", relative),
        ("new-relative", half),
    ]);
    let tmp = r#"ifs.exclude = ["/tmp"]"#;
    bench.table(&[
        ("either", tmp, "elsewhere old-relative", &[("ifs.exclude /tmp", "out in within new-relative")]),
        (
            "the new one",
            r#"ifs.exclude = ["/tmp/y"]"#,
            "out in elsewhere old-relative new-relative",
            &[("ifs.exclude /tmp/y", "within")],
        ),
        (
            "the most specific rule over both paths, the include",
            "ifs.exclude = [\"/\"]\nifs.include = [\"/home\"]",
            "out in elsewhere old-relative",
            &[("ifs.exclude /", "within new-relative")],
        ),
        (
            "the most specific rule over both paths, the exclude",
            "ifs.exclude = [\"/tmp/x\"]\nifs.include = [\"/home\"]",
            "elsewhere old-relative",
            &[("ifs.exclude /tmp/x", "out in within new-relative")],
        ),
        (
            "a tie over both paths",
            "ifs.exclude = [\"/tmp\"]\nifs.include = [\"/home\"]",
            "out in elsewhere old-relative",
            &[("ifs.exclude /tmp", "within new-relative")],
        ),
    ]);
}

#[test]
fn r33_a_relative_path_matches_no_rule() {
    let with = |text: &str, indicator: &str| {
        let mut r = any("ZC");
        set_path(&mut r, "ZC", "object_path", text, indicator);
        r
    };
    let bench = Bench::new([
        ("absolute", with("/tmp/a", "Y")),
        ("relative", with("tmp/a", "N")),
        ("relative-with-slash", with("/tmp/a", "N")),
        ("relative-up", with("../tmp/a", "N")),
        ("empty", with("", "Y")),
    ]);
    let sent = "relative relative-with-slash relative-up empty";
    bench.table(&[
        ("a directory", r#"ifs.exclude = ["/tmp"]"#, sent, &[("ifs.exclude /tmp", "absolute")]),
        ("everything", r#"ifs.exclude = ["/"]"#, sent, &[("ifs.exclude /", "absolute")]),
    ]);
}

#[test]
fn r33_every_type_that_names_a_path_is_matched_in_every_ccsid() {
    let utf16: Vec<u8> = "/tmp/é".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let encoded = |bytes: &[u8], ccsid: u32| {
        let mut r = any("ZC");
        set_path_in(&mut r, "ZC", "object_path", (bytes, ccsid), "Y");
        r
    };
    let mut entries = vec![
        ("utf-16".to_owned(), encoded(&utf16, 1200)),
        ("ucs-2".to_owned(), encoded(&utf16, 13488)),
        ("utf-8".to_owned(), encoded("/tmp/é".as_bytes(), 1208)),
        ("ebcdic".to_owned(), encoded(&in_ccsid(37, "/tmp/é"), 37)),
        ("french".to_owned(), encoded(&in_ccsid(297, "/tmp/é"), 297)),
    ];
    let mut guesses = String::new();
    for (code, fields) in &tables().types {
        let Some(field) = fields.iter().find(|f| f.role.as_deref() == Some("object_path")) else { continue };
        let record: Record = match field.kind.as_str() {
            // Of AD only S is no change of auditing, which no rule drops (N11).
            "varpath" if code == "AD" => {
                let mut r = entry(code, "S");
                set_path(&mut r, code, "object_path", "/tmp/é", "Y");
                r
            }
            "varpath" => path(code, "/tmp/é"),
            _ => {
                let mut r = any(code);
                r.data(&field.name, &ebcdic::plain("/tmp/é"));
                r
            }
        };
        if by_role(code, "object_path").guess {
            guesses = format!("{guesses} {code}");
        }
        entries.push((code.clone(), record));
    }
    assert!(entries.len() > 20 && !guesses.is_empty(), "the tables hold paths, some of them guesses: {guesses}");
    let dropped: Vec<&str> =
        entries.iter().map(|e| e.0.as_str()).filter(|l| !guesses.split(' ').any(|g| g == *l)).collect();
    let dropped = dropped.join(" ");
    let row: Row = ("by role", r#"ifs.exclude = ["/tmp/É"]"#, &guesses, &[("ifs.exclude /tmp/É", &dropped)]);
    Bench::new(entries).table(&[row]);
}
