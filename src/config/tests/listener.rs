//! `[[listener]]`: who a sender is, what it is called, and what is wrong with it.
use super::{parse, problems};
use crate::config::Config;

const TLS: &str = "[[listener]]\nname = \"ibmi\"\nlisten = \"tls://0.0.0.0:7171\"\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"ca\"\ninput = \"type5\"\ntimezone = \"Europe/Berlin\"\n";
const UNIX: &str = "[[listener]]\nname = \"local\"\nlisten = \"unix:sock\"\ninput = \"type5\"\ntimezone = \"UTC\"\n";

fn well(text: &str) -> Config {
    let c = parse(text);
    assert_eq!(c.problems, vec![], "{text}");
    c
}

/// The source of a sender that is known by this.
fn source(text: &str, known_by: &str) -> Result<String, String> {
    well(text).listeners[0].source_of(Some(known_by)).map(|s| s.name)
}

#[test]
fn a_sender_is_called_by_the_table_else_by_the_template() {
    assert_eq!(source(TLS, "prod01.example").as_deref(), Ok("ibmi/prod01.example"));
    let template = format!("{TLS}source = \"x-{{name}}.y\"\n");
    assert_eq!(source(&template, "prod01").as_deref(), Ok("ibmi/x-prod01.y"));
    let table =
        "[[listener.sender]]\nmatch = \"PROD01.example\"\nname = \"Main\"\n[[listener.sender]]\nmatch = \"prod02\"\n";
    for (known_by, name) in [("prod01.example", "ibmi/Main"), ("prod02", "ibmi/prod02")] {
        assert_eq!(source(&format!("{TLS}{table}"), known_by).as_deref(), Ok(name));
        assert_eq!(source(&format!("{template}{table}"), known_by).as_deref(), Ok(name));
    }
    assert_eq!(source(&format!("{template}{table}"), "other").as_deref(), Ok("ibmi/x-other.y"));
    let refused = source(&format!("{TLS}{table}"), "other").unwrap_err();
    assert!(refused.contains("known as \"other\", which is not in the table of senders"), "{refused}");
    // Who is called as another one is called by the table would take its place.
    let both = format!("{TLS}source = \"{{name}}\"\n{table}");
    assert!(source(&both, "Main").unwrap_err().contains("which is the name of \"prod01.example\""));
}

#[test]
fn names_of_strangers_that_a_terminal_would_obey_are_refused_and_shown_harmless() {
    for known_by in ["", "*.example", "a/b", "..\u{1b}[2J", "a b"] {
        let why = source(TLS, known_by).unwrap_err();
        assert!(why.contains("expected 1 to 100 of A-Z") && !why.contains('\u{1b}'), "{why:?}");
    }
    let why = well(TLS).listeners[0].source_of(None).unwrap_err();
    assert!(why.contains("no DNS name and no common name"), "{why}");
}

#[test]
fn what_a_sender_does_not_say_is_said_by_its_listener() {
    let c = well(&format!(
        "{TLS}ccsid = 273\nfilter.types.exclude = [\"SF\"]\n[[listener.sender]]\nmatch = \"a\"\n\
         [[listener.sender]]\nmatch = \"b\"\nccsid = 37\ntimezone = \"Asia/Tokyo\"\ninput = \"type3\"\nsystem = \"SYSB\"\ndate_format = \"YMD\"\nfilter.types.exclude = []\n"
    ));
    let of = |name: &str| c.listeners[0].source_of(Some(name)).unwrap();
    let (a, b) = (of("a"), of("b"));
    assert_eq!((a.charset.ccsid().0, a.zone.name(), a.zone_is_given), (273, "Europe/Berlin", true));
    assert_eq!((b.charset.ccsid().0, b.zone.name(), b.zone_is_given), (37, "Asia/Tokyo", true));
    assert!(!a.filter.is_empty() && b.filter.is_empty());
    assert!(a.kind != b.kind && a.given().system.is_empty() && !b.given().system.is_empty());
    assert_eq!(c.every_source().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["ibmi", "ibmi/b"]);
}

#[test]
fn what_is_wrong_with_a_listener_is_said_with_its_place_and_what_to_do() {
    let sender = |text: &str| format!("{UNIX}[[listener.sender]]\n{text}");
    for (text, says) in [
        ("[[listener]]\n".to_owned(), "agent.toml:1:1: error: listener.name is missing"),
        ("[[listener]]\nname = \"a\"\n".to_owned(), "agent.toml:1:1: error: listener.listen is missing"),
        (
            UNIX.replace("unix:sock", "tcp://127.0.0.1:1"),
            "agent.toml:3:10: error: listener.listen: nobody knows who sends over tcp://: use tls://",
        ),
        (
            UNIX.replace("unix:sock", "udp:x"),
            "agent.toml:3:10: error: listener.listen = \"udp:x\": expected tcp://HOST:PORT",
        ),
        (TLS.replace("client_ca", "# "), "error: listener.listen: tls:// needs client_ca"),
        (UNIX.replace("input", "# "), "agent.toml:1:1: error: listener.input is missing"),
        (UNIX.replace("type5", "qhst"), "listener.input = \"qhst\": expected \"type1\""),
        (format!("{UNIX}source = \"all\"\n"), "agent.toml:6:10: error: listener.source = \"all\": expected one {name}"),
        (format!("{UNIX}source = \"a/{{name}}\"\n"), "error: listener.source = \"a/{name}\": expected one {name}"),
        (format!("{UNIX}max_senders = 0\n"), "listener.max_senders: expected a number from 1"),
        (
            format!(
                "{}[[listener.sender]]\nmatch = \"b\"\n",
                sender("match = \"a\"\n").replace("input", "max_senders = 1\ninput")
            ),
            "agent.toml:1:1: error: listener.max_senders = 1: the table has 2 senders, each of whom has a seat",
        ),
        (format!("{UNIX}sourc = \"x\"\n"), "unknown key listener.sourc: did you mean source?"),
        (format!("{UNIX}{UNIX}"), "error: listener.name = \"local\": there are two listeners of this name"),
        (
            format!("{UNIX}[[source]]\nname = \"local/x\"\npath = \"d\"\n"),
            "error: listener.name = \"local\": the source \"local/x\" is called so too",
        ),
        (sender("name = \"a\"\n"), "agent.toml:6:1: error: listener.sender.match is missing"),
        (sender("match = \"*.b\"\n"), "agent.toml:7:9: error: listener.sender.match = \"*.b\": expected 1 to 100 of"),
        (
            sender("match = \"a\"\n[[listener.sender]]\nmatch = \"a\"\n"),
            "listener.sender.match = \"a\": it is in the table twice",
        ),
        (
            sender("match = \"a\"\n[[listener.sender]]\nmatch = \"b\"\nname = \"a\"\n"),
            "error: listener.sender.name = \"a\": \"a\" is called so too",
        ),
        (
            sender("match = \"a\"\ntimezone = \"Berlin\"\n"),
            "error: listener.sender.timezone = \"Berlin\": expected an IANA time zone",
        ),
        (sender("match = \"a\"\nccsid = 1\n"), "error: listener.sender.ccsid = 1: "),
        (sender("match = \"a\"\nlisten = \"unix:x\"\n"), "unknown key listener.sender.listen: "),
    ] {
        let found = problems(&text);
        assert!(found.iter().any(|p| p.contains(says)), "{says:?} is not in {found:#?}");
    }
    // Users of a system are who they are in either case; names of hosts are not.
    let two = "[[listener.sender]]\nmatch = \"a\"\n[[listener.sender]]\nmatch = \"A\"\nname = \"b\"\n";
    assert_eq!(problems(&format!("{UNIX}{two}")), Vec::<String>::new());
    assert!(problems(&format!("{TLS}{two}"))[0].contains("in the table twice"));
}

#[test]
fn sources_that_the_template_makes_are_known_from_those_of_the_table() {
    let table = "[[listener.sender]]\nmatch = \"a\"\nname = \"x-b\"\n";
    let listener = |text: &str| well(text).listeners.remove(0);
    let both = listener(&format!("{UNIX}source = \"x-{{name}}\"\n{table}"));
    for (source, is) in [
        ("local/x-a", true),
        ("local/x-b", false),
        ("local/x-", false),
        ("local/a", false),
        ("local/x-*", false),
        ("other/x-a", false),
        ("localx-a", false),
    ] {
        assert_eq!(both.is_by_template(source), is, "{source}");
    }
    assert!(!listener(&format!("{UNIX}{table}")).is_by_template("local/a"));
    // A long table needs no limit.
    let long: String = (0..1_500).map(|n| format!("[[listener.sender]]\nmatch = \"s{n}\"\n")).collect();
    assert_eq!(listener(&format!("{UNIX}{long}")).max_senders, 1_500);
}
