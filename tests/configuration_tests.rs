//! `qaudjrn test`: `[[test]]` blocks, and what an administrator reads when one fails.
use std::fs;

use harness::program::{Run, folder, make, qaudjrn};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a capture of PW entries, the first of which is number 1.
fn with_capture() -> TempDir {
    let dir = folder();
    make(&dir, "pw.type5", "--count 4 --seed 4 --mix PW");
    dir
}

fn test(dir: &TempDir, command: &str, text: &str) -> Run {
    let config = dir.path().join("agent.toml");
    fs::write(&config, text).unwrap();
    qaudjrn(&format!("{command} --config"), &[&config])
}

const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"null\"\nformat = \"json\"\n";

fn block(rest: &str) -> String {
    format!("[[test]]\nname = \"passwords\"\ncapture = \"pw.type5\"\n{rest}\n")
}

#[test]
fn a_filter_that_drops_what_is_expected_fails_its_test_with_the_entry_and_the_rule() {
    let dir = with_capture();
    let sent = block("expect = \"sent\"");
    let good = test(&dir, "test", &sent);
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stdout.contains("ok      passwords: every entry sent (4 entries)\n1 passed, 0 failed"), "{good:?}");
    let changed = test(&dir, "test", &format!("[filter]\ntypes.exclude = [\"PW\"]\n{sent}"));
    assert_eq!(changed.code, 1, "{changed:?}");
    assert!(
        changed
            .stdout
            .contains("FAILED  passwords: expected every entry sent; entry 1 is dropped: rule types.exclude PW"),
        "{changed:?}"
    );
    assert!(changed.stdout.contains("agent.toml:2)"), "{changed:?}");
    let json: Value =
        serde_json::from_str(&test(&dir, "test --json", &format!("[filter]\ntypes.exclude = [\"PW\"]\n{sent}")).stdout)
            .unwrap();
    assert_eq!((&json["failed"], &json["tests"][0]["passed"]), (&1.into(), &false.into()));
}

#[test]
fn the_rule_that_spoke_is_compared_by_its_name_or_its_list() {
    let dir = with_capture();
    let filter = "[filter]\ntypes.exclude = [\"PW\"]\n";
    for (rule, code) in [("types.exclude PW", 0), ("types.exclude", 0), ("types.exclude ZR", 1), ("users.exclude", 1)] {
        let run =
            test(&dir, "test", &format!("{filter}{}", block(&format!("expect = \"dropped\"\nrule = \"{rule}\""))));
        assert_eq!(run.code, code, "{rule}: {run:?}");
        assert!(code == 0 || run.stdout.contains("is dropped by another: rule types.exclude PW"), "{run:?}");
    }
    // Of an output, and of a source.
    let own = format!("{OUTPUT}filter.types.exclude = [\"PW\"]\n");
    let run = test(
        &dir,
        "test",
        &format!("{own}{}", block("output = \"a\"\nexpect = \"dropped\"\nrule = \"output a: types.exclude PW\"")),
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        test(&dir, "test", &format!("{own}{}", block("expect = \"sent\""))).code,
        0,
        "without the output it is sent"
    );
    let source = "[[source]]\nname = \"s\"\npath = \"x\"\nfilter.types.exclude = [\"PW\"]\n";
    let run = test(&dir, "test", &format!("{source}{}", block("source = \"s\"\nexpect = \"dropped\"")));
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn the_line_of_an_output_is_read_by_its_fields_in_every_format() {
    let dir = with_capture();
    for (format, key) in [("json", "sequence"), ("cef", "externalId"), ("leef", "jrnSeq"), ("syslog", "seq")] {
        let output = OUTPUT.replace("json", format);
        let of = |value: &str| {
            let test_of =
                block(&format!("sequence = 2\noutput = \"a\"\nexpect = \"sent\"\nline = {{ {key} = \"{value}\" }}"));
            test(&dir, "test", &format!("{output}{test_of}"))
        };
        // Whatever the field holds, a wrong value shows it.
        let wrong = of("nothing of the kind");
        assert_eq!(wrong.code, 1, "{format}: {wrong:?}");
        let said =
            wrong.stdout.split_once(&format!("has {key} = \"")).unwrap_or_else(|| panic!("{format}: {wrong:?}")).1;
        let value = said.split_once("\" in its line").unwrap().0.to_owned();
        assert!(value.ends_with('2'), "{format}: {value}");
        assert_eq!(of(&value).code, 0, "{format}: {value}");
    }
    let of = |rest: &str| {
        test(&dir, "test", &format!("{OUTPUT}{}", block(&format!("output = \"a\"\nexpect = \"sent\"\n{rest}"))))
    };
    assert_eq!(of("contains = [\"sequence\"]").code, 0);
    assert!(of("contains = [\"no such text\"]").stdout.contains("has no \"no such text\" in its line"));
    assert!(of("line.nofield = 1").stdout.contains("has no nofield in its line; it has "));
}

#[test]
fn a_test_that_cannot_be_made_fails_and_what_is_written_wrong_is_an_error_of_the_configuration() {
    let dir = with_capture();
    let none = test(&dir, "test", &block("sequence = 99\nexpect = \"sent\""));
    assert!(none.code == 1 && none.stdout.contains("has no such entry"), "{none:?}");
    let gone = test(&dir, "test", &block("expect = \"sent\"").replace("pw.type5", "gone.type5"));
    assert!(gone.code == 1 && gone.stdout.contains("the entries cannot be read"), "{gone:?}");
    for (rest, said) in [
        (
            "expect = \"sent\"\noutput = \"b\"",
            "5:10: error: test.output = \"b\": there is no [[output]] of this name; there is none",
        ),
        ("expect = \"sent\"\nline.a = \"b\"", "test.line: give output"),
        ("", "test.expect is missing"),
        ("expect = \"lost\"", "expected \"sent\", \"dropped\""),
    ] {
        let check = test(&dir, "check", &block(rest));
        assert!(check.code == 2 && check.stdout.contains(said), "{said}: {check:?}");
        test(&dir, "test", &block(rest)).assert_output(2, &[said]);
    }
    // What only follows from another mistake is not told.
    let wrong =
        format!("{OUTPUT}{}", block("expect = \"sent\"\noutput = \"a\"")).replace("null", "${NO_SUCH_VARIABLE}");
    let check = test(&dir, "check", &wrong);
    assert!(check.stdout.contains("NO_SUCH_VARIABLE") && check.stdout.contains(": 1 error, "), "{check:?}");
    let check = test(&dir, "check", &block("expect = \"sent\""));
    assert!(
        check.code == 0 && check.stdout.contains("note: 1 test ([[test]]), which `qaudjrn test` runs"),
        "{check:?}"
    );
}

fn written(entry: &str, rest: &str) -> String {
    format!("[[test]]\nname = \"one\"\nentry = {entry}\n{rest}\n")
}

#[test]
fn an_entry_written_down_goes_through_filter_and_line_as_one_of_a_capture() {
    let dir = folder();
    let pw = r#"{ type = "PW", violation_type = "P", audit_user_name = "QSECOFR", user = "QUSER", job = "123456/QUSER/QZSOSIGN", remote = "10.1.2.3", system = "PROD01", time = "2026-11-20T08:00:00" }"#;
    let line = r#"line = { event_id = "PW-P", effective_user = "QUSER", target_user = "QSECOFR", job = "123456/QUSER/QZSOSIGN", remote_address = "10.1.2.3", system = "PROD01", time = "2026-11-20T08:00:00.000000Z" }"#;
    let sent =
        test(&dir, "test", &format!("{OUTPUT}{}", written(pw, &format!("output = \"a\"\nexpect = \"sent\"\n{line}"))));
    assert_eq!(sent.code, 0, "{sent:?}");
    assert!(sent.stdout.contains("ok      one: the entry sent at output a\n1 passed, 0 failed"), "{sent:?}");
    // A filter by user, by address, by type and by object says what it would say of an entry.
    let co = r#"{ type = "CO", entry_type = "N", object_name = "MASTER", object_library = "QTEMP", object_type = "*FILE", user = "BILL", job_user = "QUSER" }"#;
    for (filter, entry, rule) in [
        ("types.exclude = [\"PW\"]", pw, "types.exclude PW"),
        ("remote.exclude = [\"10.0.0.0/8\"]", pw, "remote.exclude 10.0.0.0/8"),
        ("objects.exclude = [\"QTEMP/*ALL\"]", co, "objects.exclude QTEMP/*ALL"),
        ("users.exclude = [\"BILL\"]", co, "users.exclude BILL"),
        ("users.exclude = [\"QUSER\"]\nusers.match = \"job\"", co, "users.exclude QUSER"),
    ] {
        let of = |expect: &str| {
            test(&dir, "test", &format!("[filter]\n{filter}\n{}", written(entry, &format!("expect = \"{expect}\""))))
        };
        let dropped = of(&format!("dropped\"\nrule = \"{rule}"));
        assert_eq!(dropped.code, 0, "{dropped:?}");
        let failed = of("sent");
        assert!(
            failed.code == 1
                && failed.stdout.contains(&format!("FAILED  one: expected the entry sent; it is dropped: rule {rule}")),
            "{failed:?}"
        );
    }
    // Texts are in the CCSID of the source, paths in their own, numbers in their fields.
    let source = "[[source]]\nname = \"s\"\npath = \"x\"\nccsid = 273\ntimezone = \"Europe/Berlin\"\n";
    let zc = r#"{ type = "ZC", access_type = 7, path_name = "/tmp/Größe", object_type = "*STMF", user = "JÜRGEN" }"#;
    let filter = "[filter]\nifs.exclude = [\"/tmp\"]\n";
    let run = test(
        &dir,
        "test",
        &format!(
            "{filter}{source}{}",
            written(zc, "source = \"s\"\nexpect = \"dropped\"\nrule = \"ifs.exclude /tmp\"")
        ),
    );
    assert_eq!(run.code, 0, "{run:?}");
    let run = test(
        &dir,
        "test",
        &format!(
            "{source}{OUTPUT}{}",
            written(
                zc,
                "source = \"s\"\noutput = \"a\"\nexpect = \"sent\"\nline = { path = \"/tmp/Größe\", effective_user = \"JÜRGEN\" }"
            )
        ),
    );
    assert_eq!(run.code, 0, "{run:?}");
    // What is not named is blank: no time, no user.
    let run = test(
        &dir,
        "test",
        &format!("{OUTPUT}{}", written("{ type = \"PW\" }", "output = \"a\"\nexpect = \"sent\"\nline.time = \"x\"")),
    );
    assert!(run.stdout.contains("it has no time in its line; it has entry_id, event_id, notime"), "{run:?}");
}

#[test]
fn an_entry_that_cannot_be_is_an_error_with_its_place_and_what_there_is() {
    let dir = folder();
    for (entry, said) in [
        ("{ type = \"PX\" }", "agent.toml:3:18: error: test.entry.type = \"PX\": no such entry type; did you mean AX?"),
        (
            "{ violation_type = \"P\" }",
            "agent.toml:3:9: error: test.entry.type is missing: the entry type, such as type = \"PW\"",
        ),
        (
            "{ type = \"PW\", violation = \"P\" }",
            "agent.toml:3:24: error: test.entry.violation: entries of type PW have no such field; did you mean ",
        ),
        (
            "{ type = \"PW\", object_nam = \"P\" }",
            "`qaudjrn types PW` has them, and of the heading there are user, job, job_user, program, system, receiver, remote, time",
        ),
        (
            "{ type = \"PW\", violation_type = \"PP\" }",
            "agent.toml:3:41: error: test.entry.violation_type = \"PP\": expected at most 1 bytes, got 2",
        ),
        ("{ type = \"PW\", user = \"ELEVENCHARS\" }", "test.entry.user = \"ELEVENCHARS\": \"ELEVENCHARS\": "),
        ("{ type = \"PW\", job = \"QUSER\" }", "test.entry.job = \"QUSER\": expected the form 123456/QUSER/QZDASOINIT"),
        ("{ type = \"PW\", job = \"1/QUSER/X\" }", "expected six digits for the number of the job"),
        ("{ type = \"PW\", remote = \"pc1\" }", "test.entry.remote = \"pc1\": expected an address of IPv4 or IPv6"),
        (
            "{ type = \"PW\", time = \"today\" }",
            "test.entry.time = \"today\": expected a time of the system such as 2026-11-20T08:00:00",
        ),
        (
            "{ type = \"ZC\", access_type = \"x\" }",
            "test.entry.access_type = \"x\": expected a whole number, got \"x\"",
        ),
        ("{ type = \"PW\", user = true }", "test.entry.user: expected a text in quotes, or a number, got true"),
        ("\"PW\"", "test.entry: expected a table, got the text \"PW\""),
        ("{ type = \"PW\" }\ncapture = \"x\"", "test.entry: it is this entry, or those of capture, and not both"),
        ("{ type = \"PW\" }\nsequence = 1", "test.sequence: it is for entries of a capture"),
    ] {
        let check = test(&dir, "check", &written(entry, "expect = \"sent\""));
        assert!(check.code == 2 && check.stdout.contains(said), "{said}: {check:?}");
    }
    let none = test(&dir, "check", "[[test]]\nname = \"one\"\nexpect = \"sent\"\n");
    assert!(none.stdout.contains("agent.toml:1:1: error: test.capture is missing: where the entries are; or write one down as entry = { type = \"PW\""), "{none:?}");
}
