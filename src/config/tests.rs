use std::{fs, path::Path};

use super::*;
use crate::source::live::odbc;

mod keys;
mod listener;
mod live;
mod naming;
mod told;

fn parse(text: &str) -> Config {
    Config::parse(text, "agent.toml", Path::new("."), &Catalog::shipped().unwrap())
}

/// The problems as lines.
fn problems(text: &str) -> Vec<String> {
    parse(text).problems.iter().map(Problem::to_string).collect()
}

#[test]
fn everything_wrong_is_said_in_one_run_with_place_and_nearest() {
    let text =
        "[filter]\ntypes.snd = [\"PW\"]\nusers.exclude = [\"TOOLONGNAMEX\", 7]\nobjects.exlude = []\n\n[lines]\n";
    let all = problems(text);
    for expected in [
        "agent.toml:2:7: error: unknown key filter.types.snd: did you mean send?",
        "agent.toml:3:18: error: users.exclude: TOOLONGNAMEX: a name has at most 10 characters",
        "agent.toml:3:34: error: filter.users.exclude: expected a text in quotes, got 7",
        "agent.toml:4:9: error: unknown key filter.objects.exlude: did you mean exclude?",
        "agent.toml:6:2: error: unknown key lines: did you mean line?",
    ] {
        assert!(all.iter().any(|p| p.starts_with(expected)), "{expected}\n{all:#?}");
    }
    assert_eq!(all.len(), 5, "{all:#?}");
}

#[test]
fn mistakes_of_toml_itself_have_their_place() {
    let all = problems("[filter\ntypes.send = [\"PW\"]\n");
    assert!(all.iter().any(|p| p.starts_with("agent.toml:1:")), "{all:?}");
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    for (text, why) in [
        ("severity.\"PW-P\" = 11", "0 to 10"),
        ("severity.\"PQ\" = 1", "did you mean"),
        ("line.facility = 24", "0 to 23"),
        ("line.sd_id = \"a b\"", "RFC 5424"),
        ("line.vendor = \"\"", "1 to 40 bytes"),
        ("line.vendor = \"a|b\"", "1 to 40 bytes"),
        ("filter.types.send = [\"PWX\"]", "write PW, PW-P, *SECURITY"),
        ("filter.types.send = [\"*SECURTY\"]", "did you mean *SECURITY"),
        ("filter.types.exclude = [\"QQ\"]", "did you mean"),
        ("filter.users.match = \"both\"", "\"effective\", \"job\", \"either\""),
        ("filter.users.allow_filtering_privileged = [\"Q*\"]", "write each name"),
        ("filter.audit_change_severity = 11", "0 to 10"),
        ("filter.presets = [\"secure\"]", "known are security"),
        ("filter.presets = [\"./nowhere.toml\"]", "cannot read"),
        ("filter.ifs.exclude = [\"tmp\"]", "absolute path"),
        ("filter.remote.exclude = [\"10.0.0.1/8\"]", "did you mean 10.0.0.0/8"),
        ("[[output]]\nname = \"a\"", "output.address is missing"),
        ("[[output]]\nname = \"a\"\naddress = \"tcp:/x\"", "output.address"),
        ("output = 7", "[[output]]"),
        ("[[output]]\nname=\"a\"\naddress=\"null\"\n[[output]]\nname=\"a\"\naddress=\"null\"", "two outputs"),
    ] {
        let c = parse(text);
        assert!(c.clone().into_valid(false).is_err(), "{text}");
        let all: Vec<String> = c.problems.iter().map(Problem::to_string).collect();
        assert!(all.iter().any(|p| p.contains(why)), "{text}: {all:?}");
    }
}

#[test]
fn addresses_to_fail_over_to_are_checked_with_their_place() {
    let output =
        |address: &str, more: &str| problems(&format!("[[output]]\nname = \"a\"\naddress = \"{address}\"\n{more}\n"));
    assert_eq!(output("tls://a:1", "failover = [\"tls://b:1\", \"tls://a:2\"]"), Vec::<String>::new());
    for (address, more, why) in [
        ("tls://a:1", "failover = [\"tls://b\"]", "agent.toml:4:13: error: output.failover: \"tls://b\": expected"),
        (
            "tls://a:1",
            "failover = [\"tls://b:1\", \"tcp://c:1\"]",
            "agent.toml:4:26: error: output.failover: \"tcp://c:1\": expected tls://HOST:PORT",
        ),
        ("relp://a:1", "failover = [\"relp+tls://b:1\"]", "expected relp://HOST:PORT, as in address"),
        ("tls://a:1", "failover = [\"tls://a:1\"]", "is there already"),
        ("tls://a:1", "failover = [\"tls://b:1\", \"tls://b:1\"]", "agent.toml:4:26"),
        (
            "udp://a:1",
            "failover = [\"udp://b:1\"]",
            "agent.toml:4:12: error: output.failover: expected an address of tcp, tls",
        ),
        (
            "tls://a:1",
            "dead_peer_timeout = 2",
            "agent.toml:4:21: error: output.dead_peer_timeout: expected a number from 3",
        ),
        (
            "tls://a:1",
            "key = \"credential:../x\"",
            "agent.toml:4:7: error: output.key: \"credential:../x\": expected credential:NAME",
        ),
    ] {
        let all = output(address, more);
        assert!(all.iter().any(|p| p.contains(why)), "{more}: {all:?}");
        assert_eq!(all.len(), 1, "{all:?}");
    }
}

#[test]
fn rules_that_can_never_match_are_warnings() {
    for (text, why) in [
        ("objects.exclude = [\"A/B\", \"a/b\"]", "a duplicate of the rule in agent.toml:2:20"),
        ("objects.include = [\"A/B\"]", "nothing excludes"),
        ("objects.exclude = [\"A/B\"]\nobjects.include = [\"A/*ALL\"]", "never drops anything: objects.include A/*ALL"),
        ("objects.exclude = [\"A/B:*STMF\"]", "no library objects"),
        ("objects.exclude = [\"A/B:*USRPRF\"]", "QSYS only"),
        ("types.send = [\"SV\"]\nobjects.exclude = [\"A/B\"]", "no entry type that is sent names a library object"),
        ("types.send = [\"PW\"]\nifs.exclude = [\"/a\"]", "names a path"),
        ("types.exclude = [\"SV\"]\nsystem_values.exclude = [\"QDATE\"]", "names a system value"),
        ("types.send = [\"PW\"]\ntypes.exclude = [\"SF\"]", "types.send does not take"),
        ("types.send = [\"*ALL\", \"PW\"]", "adds nothing"),
        ("types.send = [\"*AUTFAIL\"]", "of *SECURITY, these are off: AD, "),
        ("types.exclude = [\"PW-P\", \"AF\"]", "of *AUTFAIL, these are off: AF; details of these: PW"),
        (
            "[[output]]\nname = \"a\"\naddress = \"null\"\nfilter.types.send = [\"*SECURITY\"]",
            "of *AUTFAIL, these are off",
        ),
        ("users.exclude = [\"QSECOFR\"]", "privileged"),
        ("jobs.exclude = [\"QSECOFR/*ALL\"]", "privileged"),
        ("types.send = []", "narrows nothing"),
        ("types.exclude = [\"PW-PPP\"]", "at most 1 characters"),
        ("types.exclude = [\"CP-9\"]", "no table lists"),
        ("objects.exclude = [\"A/B:*FILES\"]", "did you mean *FILE?"),
        ("ifs.exclude = [\"/tmp\"]\nifs.include = [\"/tmp\"]", "never drops anything"),
        ("presets = [\"temp-paths\", \"temp-paths\"]", "listed twice"),
        (
            "presets = [\"temp-paths\"]\nifs.exclude = [\"/tmp\"]",
            "a preset has this rule already: filters/temp-paths.toml:",
        ),
        ("users.exclude = [\"Q*\"]\nusers.include = [\"BILL\"]", "nothing excludes"),
        ("users.allow_filtering_privileged = [\"QSECOFR\"]", "may drop what these privileged users do: QSECOFR"),
        ("ifs.exclude = [\"/tmp\", \"/TMP/\"]", "a duplicate"),
        ("ifs.include = [\"/a/b\"]\nifs.exclude = [\"/c\"]", "nothing excludes"),
        ("remote.exclude = [\"10.0.0.0/8\"]\nremote.include = [\"192.168.0.0/16\"]", "nothing excludes"),
        ("protect_audit_changes = false", "changes to auditing"),
    ] {
        let c = parse(&format!("[filter]\n{text}\n"));
        let all: Vec<String> = c.problems.iter().map(Problem::to_string).collect();
        assert!(all.iter().any(|p| p.contains(why)), "{text}: {all:?}");
        assert!(c.clone().into_valid(false).is_ok() && c.into_valid(true).is_err(), "{text}");
    }
    for text in [
        "types.exclude = [\"SF\"]",
        "objects.exclude = [\"*ALL/*ALL\"]\nobjects.include = [\"PAYLIB/*ALL\"]",
        "objects.exclude = [\"QSYS/*ALL:*USRPRF\", \"*ALL/X:*LIB\"]",
        "users.exclude = [\"Q*\"]\nusers.include = [\"QTCP\"]",
        "ifs.exclude = [\"/\"]\nifs.include = [\"/home/*\"]",
        "ifs.exclude = [\"/*/TMP\"]\nifs.include = [\"/QOpenSys/TMP/keep\"]",
    ] {
        assert_eq!(problems(&format!("[filter]\n{text}\n")), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn names_that_the_ccsid_cannot_write_are_warnings() {
    let mut c = parse("[filter]\nusers.exclude = [\"ЖУК\", \"#A\"]\nobjects.exclude = [\"LIB/Ж*\"]\n");
    let job = |n| Charset::of(crate::decode::ebcdic::Ccsid(n)).unwrap();
    c.validate_names(job(1025));
    assert_eq!(c.problems, vec![]);
    c.validate_names(job(37));
    let all: Vec<String> = c.problems.iter().map(Problem::to_string).collect();
    assert_eq!(all.len(), 2, "{all:?}");
    let expected = "agent.toml:2:18: warning: users.exclude ЖУК: it can never match: CCSID 37";
    assert!(all.iter().any(|p| p.starts_with(expected)), "{all:?}");
}

#[test]
fn a_file_that_is_no_utf8_is_said_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latin.toml");
    fs::write(&path, b"[filter]\nusers.exclude = [\"\xC5SE\"]\n").unwrap();
    let e = Config::load(&path, &Catalog::shipped().unwrap()).unwrap_err().to_string();
    assert!(e.contains("latin.toml:2:19: error: this byte is no UTF-8"), "{e}");
}

#[test]
fn every_shipped_preset_is_without_problems() {
    for name in presets::names() {
        let all = problems(&format!("filter.presets = [{name:?}]"));
        assert_eq!(all, Vec::<String>::new(), "{name}");
    }
    let all: Vec<String> = presets::names().map(|n| format!("{n:?}")).collect();
    assert_eq!(problems(&format!("filter.presets = [{}]", all.join(", "))), Vec::<String>::new());
}

#[test]
fn a_preset_joins_the_lists_and_all_beside_it_narrows_nothing() {
    let c = parse("[filter]\npresets = [\"security\"]\ntypes.send = [\"*ALL\"]\n");
    assert!(!c.filter.types.send.is_empty());
    let rule = c.book.get(c.filter.types.send_rule.unwrap()).unwrap();
    assert_eq!(rule.place.as_ref().unwrap().file.as_ref(), "filters/security.toml");
    let c = parse("[filter]\npresets = [\"temp-paths\"]\nifs.exclude = [\"/x\"]\n");
    assert!(c.filter.ifs.exclude.len() > 2 && !c.filter.objects.exclude.is_empty());
}

#[test]
fn a_file_of_the_user_is_a_preset_too_and_its_mistakes_have_its_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.toml"), "[users]\nexclude = [\"A B\"]\nmatch = \"job\"\n").unwrap();
    let c = Config::parse("filter.presets = [\"./mine.toml\"]", "x", dir.path(), &Catalog::shipped().unwrap());
    let all: Vec<String> = c.problems.iter().map(Problem::to_string).collect();
    assert!(all.iter().any(|p| p.contains("mine.toml:2:12: error") && p.contains("cannot stand in a name")), "{all:?}");
    assert!(all.iter().any(|p| p.contains("mine.toml:3:1: error: unknown key users.match")), "{all:?}");
}

#[test]
fn an_output_inherits_what_protects_and_names_its_rules() {
    let c = parse(
        "[filter]\nprotect_audit_changes = false\nusers.privileged = [\"BOSS\"]\n[[output]]\nname = \"a\"\naddress = \"null\"\nfilter.types.exclude = [\"SF\"]\n",
    );
    let o = c.output("a").unwrap();
    assert!(!o.filter.protect_audit_changes && o.filter.privileged == c.filter.privileged);
    assert_eq!(c.book.get(o.filter.types.exclude[0].rule).unwrap().name(), "output a: types.exclude SF");
}

#[test]
fn sources_of_every_kind_are_read_and_their_mistakes_placed() {
    use crate::source::{
        directory::{After, Complete, Order},
        stream::Listen,
    };
    let c = parse(
        "[[source]]\nname = \"in\"\nkind = \"directory\"\npath = \"drop\"\npattern = \"*.jrn\"\ncomplete = \"done\"\norder = \"time\"\nafter = \"move\"\n\
         [[source]]\nname = \"s\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"unix:sock\"\nfilter.types.exclude = [\"SF\"]\n",
    );
    assert_eq!(c.problems, vec![]);
    let source::Input::Directory(d) = &c.sources[0].input else { panic!("{:?}", c.sources[0].input) };
    assert_eq!((d.complete, d.order, d.follow, d.pattern.as_str()), (Complete::Done, Order::Time, true, "*.jrn"));
    assert_eq!(d.after, After::Move(d.path.join("done")));
    let source::Input::Stream(s) = &c.sources[1].input else { panic!("{:?}", c.sources[1].input) };
    assert!(matches!(&s.listen, Listen::Unix(path) if path.ends_with("sock")));
    assert!(!c.sources[1].filter.is_empty() && c.sources[0].filter.is_empty());
    for (text, says) in [
        ("kind = \"directory\"\n", "agent.toml:1:1: error: source.path is missing"),
        (
            "kind = \"directory\"\npath = \"d\"\nmove_to = \"x\"\n",
            "agent.toml:5:11: error: source.move_to: only with after",
        ),
        (
            "kind = \"directory\"\npath = \"d\"\nafter = \"shred\"\n",
            "agent.toml:5:9: error: source.after = \"shred\": expected \"keep\"",
        ),
        ("kind = \"stream\"\ninput = \"type5\"\n", "agent.toml:1:1: error: source.listen is missing"),
        (
            "kind = \"stream\"\ninput = \"type5\"\nlisten = \"udp://h:1\"\n",
            "expected tcp://HOST:PORT, tls://HOST:PORT or unix:PATH",
        ),
        ("kind = \"stream\"\ninput = \"type5\"\nlisten = \"tls://h:1\"\n", "tls:// needs cert and key"),
        (
            "kind = \"stream\"\ninput = \"type5\"\nlisten = \"tcp://0.0.0.0:1\"\n",
            "warning: source.listen: tcp:// on an address that others reach",
        ),
        (
            "kind = \"stream\"\ninput = \"type5\"\nlisten = \"tls://127.0.0.1:1\"\ncert = \"c\"\nkey = \"k\"\n",
            "warning: source.listen: tls:// without client_ca: anyone who reaches this port",
        ),
        ("kind = \"pipe\"\n", "expected \"capture\", \"directory\", \"stream\""),
    ] {
        let found = problems(&format!("[[source]]\nname = \"a\"\n{text}"));
        assert!(found.iter().any(|p| p.contains(says)), "{says:?} is not in {found:?}");
    }
}

#[test]
fn what_the_doctor_looks_at_is_named_in_full() {
    let c = parse(
        "[doctor]\nlibraries = [\"paylib\", \"#HR\"]\nobjects = [\"PAYLIB/PAYMST:*FILE\"]\npaths = [\"/home/pay/\", \"/\"]\n",
    );
    assert_eq!(c.problems, vec![]);
    assert_eq!(c.doctor.libraries, ["PAYLIB", "#HR"]);
    assert_eq!(c.doctor.objects, [doctor::ObjectName::new("PAYLIB", "PAYMST", "*FILE")]);
    assert_eq!(c.doctor.paths, ["/home/pay", "/"]);
    for (text, says) in [
        ("libraries = [\"*ALL\"]", "agent.toml:2:14: error: doctor.libraries: \"*ALL\": expected a library"),
        ("objects = [\"PAYLIB/PAYMST\"]", "expected LIBRARY/OBJECT:*TYPE"),
        ("objects = [\"PAYLIB/PAY*:*FILE\"]", "expected LIBRARY/OBJECT:*TYPE"),
        ("paths = [\"home\"]", "expected an absolute path"),
        ("library = []", "unknown key doctor.library: did you mean libraries?"),
    ] {
        let found = problems(&format!("[doctor]\n{text}\n"));
        assert!(found.iter().any(|p| p.contains(says)), "{says:?} is not in {found:?}");
    }
}

#[test]
fn an_odbc_source_has_one_way_in_and_no_secret_in_the_configuration() {
    let odbc = |rest: &str| {
        let found = problems(&format!("[[source]]\nname = \"p\"\nkind = \"odbc\"\ntimezone = \"UTC\"\n{rest}\n"));
        let (built, rest): (Vec<String>, Vec<String>) = found.into_iter().partition(|p| p.contains("without ODBC"));
        // Where the program cannot, that is said, with what to do; the keys are checked all the same.
        assert_eq!(built.is_empty(), odbc::IS_BUILT, "{built:?}");
        assert!(
            built.iter().all(|p| p.starts_with("agent.toml:3:8: error: ") && p.contains("--features odbc")),
            "{built:?}"
        );
        rest
    };
    assert_eq!(odbc("connection = \"c\"\ndialect = \"postgresql\"\nfrom = \"oldest\""), Vec::<String>::new());
    assert_eq!(odbc("dsn = \"PROD01\"\nuser = \"AUDITOR\"\npassword = \"p\""), Vec::<String>::new());
    assert_eq!(odbc("dsn = \"PROD01\""), Vec::<String>::new());
    for (text, says) in [
        ("", "source.connection is missing"),
        ("connection = \"c\"\ndsn = \"PROD01\"", "agent.toml:6:7: error: source.dsn: connection is there too"),
        (
            "connection = \"c\"\nuser = \"AUDITOR\"",
            "agent.toml:6:8: error: source.connection: user and password stand in",
        ),
        ("dsn = \"PROD01\"\nuser = \"AUDITOR\"", "user and password go together"),
        ("dsn = \"DRIVER=x;PWD=y\"", "expected the name of a data source"),
        ("dsn = \"PROD01\"\ndialect = \"oracle\"", "expected \"db2i\", \"postgresql\""),
        ("dsn = \"PROD01\"\naddress = \"prod01\"", "unknown key source.address"),
    ] {
        let found = odbc(text);
        assert!(found.iter().any(|p| p.contains(says)), "{says:?} is not in {found:?}");
    }
}

#[test]
fn what_passes_a_budget_needs_one_and_names_types_that_exist() {
    let output = |rest: &str| problems(&format!("[[output]]\nname = \"a\"\naddress = \"null\"\n{rest}"));
    assert_eq!(
        output("meter = { bytes_per_day = \"1GB\", pass_types = [\"*AUTFAIL\", \"CP-A\"], pass_severity = 8 }"),
        Vec::<String>::new()
    );
    let found = output("meter.pass_severity = 8");
    assert!(
        found[0].contains("agent.toml:4:23: error: output.meter: pass_types and pass_severity need bytes_per_day"),
        "{found:?}"
    );
    let found = output("priority_types = [\"PW\", \"QQ\"]");
    assert!(found[0].starts_with("agent.toml:4:25: error: \"QQ\" is no audit level, entry type"), "{found:?}");
    let found = output("meter = { bytes_per_day = 1, pass_types = [\"*AUTFIAL\"] }");
    assert!(found[0].contains("error: \"*AUTFIAL\"") && found[0].contains("*AUTFAIL"), "{found:?}");
}

#[test]
fn n9_a_socket_whose_path_no_system_takes_is_refused() {
    let source = |path: &str| {
        format!(
            "[[source]]\nname = \"s\"\nkind = \"stream\"\ninput = \"type5\"\ntimezone = \"UTC\"\nlisten = \"unix:{path}\"\n"
        )
    };
    let path = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
    assert_eq!(problems(&source(&path(93))), Vec::<String>::new());
    for bytes in [94, 108, 1_000] {
        let all = problems(&source(&path(bytes)));
        let says = format!("the path of this socket has {bytes} bytes, and may have 93");
        assert!(all.len() == 1 && all[0].contains("error: source.listen: ") && all[0].contains(&says), "{all:?}");
    }
}
