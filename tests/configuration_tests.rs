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
