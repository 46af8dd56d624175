//! Where a live source begins, and its journal, as texts.
use super::*;
use crate::source::live::news::From;

fn source(line: &str) -> Config {
    parse(&format!("[[source]]\nname = \"a\"\nkind = \"mapepire\"\ncommand = [\"x\"]\n{line}\n"))
}

fn from(text: &str) -> From {
    let config = source(&format!("from = {text:?}"));
    assert!(config.problems.is_empty(), "{text}: {:?}", config.problems);
    match &config.sources[0].input {
        crate::config::source::Input::Live(options) => options.tail.from.clone(),
        _ => panic!("{text}"),
    }
}

fn told(line: &str) -> Vec<String> {
    source(line).problems.iter().map(Problem::to_string).collect()
}

#[test]
fn from_is_a_word_a_place_or_a_time() {
    for (text, want) in [
        ("now", From::Now),
        ("oldest", From::Oldest),
        ("AUDRCV0042:17", From::Entry("AUDRCV0042".into(), 17)),
        ("#A$@_.9:18446744073709551615", From::Entry("#A$@_.9".into(), u64::MAX)),
        ("A:0001", From::Entry("A".into(), 1)),
        ("2026-11-20", From::Time("2026-11-20-00.00.00.000000".into())),
        ("2026-11-20 08:00:00", From::Time("2026-11-20-08.00.00.000000".into())),
        ("2026-11-20T08:00:00.5", From::Time("2026-11-20-08.00.00.500000".into())),
        ("2026-11-20-08.00.00.123456", From::Time("2026-11-20-08.00.00.123456".into())),
        ("2026/11/20", From::Time("2026-11-20-00.00.00.000000".into())),
    ] {
        assert_eq!(from(text), want, "{text}");
    }
}

#[test]
fn what_is_no_beginning_is_told_word_for_word() {
    for wrong in [
        "",
        "Now",
        "later",
        "17",
        "AUDRCV0042",
        "AUDRCV0042:",
        ":17",
        "AUDRCV0042:x",
        "AUDRCV0042:-1",
        "AUDRCV0042:1:2",
        "AUDRCV0042:18446744073709551616",
        "audrcv0042:17",
        "1RCV:17",
        "AUDRCV00042:17",
        "QSYS/AUDRCV:17",
        "20-11-2026",
        "2026-1-20",
        "2026-11",
        "20261120",
        // Half a time, a time with a zone (it is that of the system), and times that no calendar has.
        "2026-11-20 08",
        "2026-11-20 08:00",
        "2026-11-20 8:00:00",
        "2026-11-20x",
        "2026-11-20T08:00:00Z",
        "2026-11-20T08:00:00.5+01:00",
        "2026-02-29",
        "2026-13-01 08:00:00",
        "2026-11-20 08:61:00",
    ] {
        let expected = "expected now, oldest, RECEIVER:SEQUENCE or a time such as 2026-11-20 08:00:00";
        let text = format!("agent.toml:5:8: error: source.from = {wrong:?}: {expected}");
        assert_eq!(told(&format!("from = {wrong:?}")), [text]);
    }
}

#[test]
fn what_is_no_journal_is_told_word_for_word() {
    assert_eq!(told("journal = \"#LIB/A_B.C\""), Vec::<String>::new());
    for wrong in
        ["", "QAUDJRN", "/QAUDJRN", "QSYS/", "qsys/qaudjrn", "QSYS/A/B", "QSYS/9A", "QSYS/ABCDEFGHIJK", "QSYS /A"]
    {
        let text = format!(
            "agent.toml:5:11: error: source.journal = {wrong:?}: expected LIBRARY/JOURNAL, such as QSYS/QAUDJRN"
        );
        assert_eq!(told(&format!("journal = {wrong:?}")), [text]);
    }
}

#[test]
fn what_is_no_sensitive_object_is_told_word_for_word() {
    let told = |wrong: &str| problems(&format!("[doctor]\nobjects = [{wrong:?}]\n"));
    for right in ["paylib/paymst:*file", " #A/B:*PGM ", "A/B:*A234567"] {
        assert_eq!(told(right), Vec::<String>::new());
    }
    for wrong in [
        "",
        "PAYLIB/PAYMST",
        "PAYMST:*FILE",
        "A/B:FILE",
        "A/B:*",
        "A/B:*ALL",
        "A/B:*A2345678",
        "A/B:*F:*F",
        "A/B/C:*F",
        "*ALL/B:*F",
    ] {
        let expected = "expected LIBRARY/OBJECT:*TYPE, such as PAYLIB/PAYMST:*FILE";
        let text = format!("agent.toml:2:12: error: doctor.objects: {wrong:?}: {expected}");
        assert_eq!(told(wrong), [text]);
    }
}
