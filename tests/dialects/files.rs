//! Profiles in files of the user: the documented example, and what is wrong in one.
use std::fs;

use harness::{
    ebcdic::plain,
    program::{Run, folder, qaudjrn},
    record::Record,
    root,
};

use crate::parse::parse;

/// The example of the documentation.
fn example() -> String {
    let doc = fs::read_to_string(root().join("docs/PROFILES.md")).unwrap();
    let (_, behind) = doc.split_once("```toml\n").unwrap();
    behind.split_once("```").unwrap().0.to_owned()
}

fn pw(detail: &str) -> Record {
    let mut r = Record::new("type5", "PW");
    r.data("violation_type", &plain(detail));
    r.data("audit_user_name", &plain("NOBODY=1|"));
    r.head("remote_address", &plain("PC01"));
    r
}

/// A replay of these entries through `mine.toml`.
fn replay(profile: &str, records: &[Record], options: &str) -> Run {
    let dir = folder();
    let (file, capture) = (dir.path().join("mine.toml"), dir.path().join("capture"));
    fs::write(&file, profile).unwrap();
    let numbered = records.iter().zip(1..).flat_map(|(r, n)| {
        let mut r = r.clone();
        r.sequence(n);
        r.bytes().to_vec()
    });
    fs::write(&capture, numbered.collect::<Vec<u8>>()).unwrap();
    let args = format!("replay --timezone UTC --summary none {options} --profile {}", file.display());
    qaudjrn(&args, &[&capture])
}

#[test]
fn the_documented_profile_is_read_and_every_key_of_it_does_what_is_said() {
    let mut co = Record::new("type5", "CO");
    co.data("entry_type", &plain("N"));
    co.data("object_name", &plain("MASTER"));
    co.data("object_library", &plain("PAYLIB"));
    co.head("user_name", &plain(""));
    let (run, other) = (replay(&example(), &[pw("P"), pw("U"), pw("A")], ""), replay(&example(), &[co], ""));
    run.assert_output(0, &[]);
    let lines = [run.lines(), other.lines()].concat();
    let parsed: Vec<_> = lines.iter().map(|l| parse(l)).collect();
    let header = |n: usize| parsed[n].header[1..].join("|");
    assert_eq!(header(0), "Example|Old Agent|2.0|4711|Sign-on failed|8");
    assert_eq!(header(1), "Example|Old Agent|2.0|4711|Sign-on of NOBODY=1| failed|8", "a bar in the header is escaped");
    assert!(lines[1].contains(r"Sign-on of NOBODY=1\| failed|8|"), "{}", lines[1]);
    assert_eq!(header(3), "Example|Old Agent|2.0|CON|Object created|3");
    let of = |n: usize| parsed[n].pairs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    let msg = "msg=QZDASOINIT ran QCMD at 2026-11-20T08:00:01.924078Z";
    assert_eq!(of(0), ["act=password", "suser=BILL", msg]);
    assert_eq!(of(1)[0], "act=user");
    assert_eq!(of(2)[0], "act=Sign-on failed: APPC bind failure", "no word for it: the next row");
    assert_eq!(
        of(3),
        ["cs1Label=objName", "cs1=PAYLIB/MASTER", "act=Object created: new object created", "suser=", msg]
    );
    // facility 10, severity 3 of its own; RFC 3164 without a tag, because CEF stands there.
    assert!(lines[0].starts_with("<83>Nov 20 08:00:01 PROD01 CEF:0|"), "{}", lines[0]);
    let run = replay(&example(), &[pw("P")], "--format syslog");
    assert!(run.stdout.ends_with("[old@32473 user=\"BILL\"]\n"), "{run:?}");
    replay(&example(), &[pw("P")], "--format json")
        .assert_output(2, &["--format json: the profile", "it has syslog, cef"]);
}

#[test]
fn a_line_of_another_product_keeps_its_size_and_says_what_it_lost() {
    let mut cd = Record::new("type5", "CD");
    cd.data("entry_type", &plain("C"));
    cd.data("command_string", &plain(&"X".repeat(3_000)));
    let dir = folder();
    let capture = dir.path().join("capture");
    fs::write(&capture, cd.bytes()).unwrap();
    for (profile, format) in [("ibm", "cef"), ("logagent", "cef"), ("logagent", "syslog"), ("powertech", "cef")] {
        let run = qaudjrn(
            &format!("replay --timezone UTC --summary none --max-size 480 --profile {profile} --format {format}"),
            &[&capture],
        );
        run.assert_output(0, &[]);
        let line = run.lines()[0].to_owned();
        assert!(line.len() <= 480, "{line}");
        if profile == "ibm" {
            assert!(line.contains("truncated=msg"), "{line}");
        }
        parse(&line);
    }
}

#[test]
fn what_is_wrong_in_a_profile_is_told_with_its_place_and_what_to_write() {
    let good = "[cef]\nvendor = \"a\"\nproduct = \"b\"\n[[cef.key]]\nkey = \"x\"\nvalue = \"{object}\"\n";
    let dir = folder();
    let check = |text: &str, rest: &str| {
        fs::write(dir.path().join("mine.toml"), text).unwrap();
        let output = format!("[[output]]\nname = \"o\"\naddress = \"null\"\nprofile = \"./mine.toml\"\n{rest}");
        fs::write(dir.path().join("agent.toml"), output).unwrap();
        qaudjrn("check --config", &[&dir.path().join("agent.toml")])
    };
    let told = check(good, "");
    told.assert_output(0, &[]);
    assert!(
        told.stdout.contains("agent.toml:4:11: warning: output.profile = \"./mine.toml\": the version in the header"),
        "{told:?}"
    );
    assert!(!check(good, "version = \"7.5\"\n").stdout.contains("warning: output.profile"));
    for (from, to, said) in [
        (
            "{object}",
            "{objekt}",
            "mine.toml:6:9: error: cef.key.value = \"{objekt}\": there is no value \"objekt\"; did you mean object?",
        ),
        (
            "{object}",
            "{object",
            "mine.toml:6:9: error: cef.key.value = \"{object\": \"{object\": expected a value such as {object}",
        ),
        ("{object}", "{object:half}", "\"half\" is no part of a value (ip, ipv4,"),
        ("{object}", "{object:digits}", "\"digits\" cannot be taken of object"),
        (
            "key = \"x\"",
            "key = \"a b\"",
            "mine.toml:5:7: error: cef.key.key = \"a b\": expected 1 to 63 letters, digits and _ . -",
        ),
        ("value =", "valu =", "unknown key cef.key.valu: did you mean value?"),
        ("vendor = \"a\"\n", "", "mine.toml:1:"),
        ("[cef]", "[csf]", "unknown key csf: did you mean cef?"),
        (
            "product = \"b\"",
            "product = \"b\"\nevent_id = \"{object}\"",
            "cef.event_id: {object} differs from entry to entry",
        ),
        (
            "product = \"b\"",
            "product = \"b\"\nseverity = \"high\"",
            "cef.severity = \"high\": expected \"numbers\", \"words\"",
        ),
        ("[cef]", "[[event]]\nid = \"XX\"\n[cef]", "event.id = \"XX\": expected an event id"),
        (
            "[cef]",
            "[[event]]\nid = \"PW\"\nseverity = \"11\"\n[cef]",
            "event.severity = \"11\": expected \"0\" to \"10\"",
        ),
        ("[cef]", "[words.ip]\na = \"b\"\n[cef]", "words.ip: this name stands for a part of a value"),
        ("value =", "types = [\"XX\"]\nvalue =", "cef.key.types: \"XX\": expected entry types"),
        ("[cef]", "x = ", "this is not TOML"),
    ] {
        let run = check(&good.replace(from, to), "");
        assert_eq!(run.code, 2, "{to}: {run:?}");
        assert!(run.stdout.contains(said), "{said}\n{}", run.stdout);
    }
    for (rest, said) in [
        (
            "format = \"leef\"\n",
            "agent.toml:4:11: error: output.profile = \"./mine.toml\" has no lines of the format leef: it has cef",
        ),
        ("fields.x = \"1\"\n", "output.fields.x: lines of this output have a key of this name already"),
    ] {
        assert!(check(good, rest).stdout.contains(said), "{rest} {:?}", check(good, rest));
    }
    assert!(check(good, "fields.suser = \"1\"\n").code == 0, "a key that only our own lines have");
    let named = |name: &str| {
        fs::write(
            dir.path().join("agent.toml"),
            format!("[[output]]\nname = \"o\"\naddress = \"null\"\nprofile = \"{name}\"\n"),
        )
        .unwrap();
        qaudjrn("check --config", &[&dir.path().join("agent.toml")]).stdout
    };
    assert!(named("imb").contains("\"imb\" is no profile: known are native, ibm, logagent, powertech, powertech-interact; your own file is written as a path"));
    assert!(named("no/such.toml").contains("agent.toml:4:11: error: output.profile: cannot read the profile"));
}
