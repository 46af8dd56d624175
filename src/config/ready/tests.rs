use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::{config::ProblemLevel, decode::journal::Catalog};

const PARTS: &str =
    "state_dir = \"state\"\n[[source]]\nname = \"s\"\ntimezone = \"UTC\"\npath = \"day\"\nfollow = true\n";

/// What is wrong with a configuration in a folder, for who asks.
fn found(folder: &Path, text: &str, who: Who) -> Vec<String> {
    let catalog = Catalog::shipped().unwrap();
    let config = Config::parse(text, "agent.toml", folder, &catalog);
    assert!(config.problems.iter().all(|p| p.level == ProblemLevel::Warning), "{text}: {:?}", config.problems);
    problems(&config, &catalog, who).iter().map(Problem::to_string).collect()
}

#[track_caller]
fn one(folder: &Path, text: &str, who: Who, starts: &str, says: &str) {
    let all = found(folder, text, who);
    assert!(all.len() == 1 && all[0].starts_with(starts) && all[0].contains(says), "{text}: {all:?}");
}

#[test]
fn n9_a_source_without_a_timezone_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    for who in [Who::Check, Who::Run] {
        let text = PARTS.replace("timezone = \"UTC\"\n", "");
        one(dir.path(), &text, who, "warning: source s: no timezone", "Europe/Berlin");
        assert_eq!(found(dir.path(), PARTS, who), Vec::<String>::new());
    }
}

#[test]
fn n9_a_heading_that_lacks_what_nothing_gives_is_told_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let text = |more: &str| PARTS.replace("timezone", &format!("{more}timezone"));
    for (more, gives) in [
        ("input = \"type1\"\n", Some("give system and receiver and date_format")),
        ("input = \"type2\"\nreceiver = \"R\"\n", Some("give date_format")),
        ("input = \"type4\"\n", Some("give receiver")),
        ("input = \"type4\"\nreceiver = \"R\"\n", None),
        ("input = \"type5\"\n", None),
    ] {
        match gives {
            Some(gives) => one(dir.path(), &text(more), Who::Check, "warning: source s: *TYPE", gives),
            None => assert_eq!(found(dir.path(), &text(more), Who::Check), Vec::<String>::new()),
        }
        // The agent says it when it comes to it.
        assert_eq!(found(dir.path(), &text(more), Who::Run), Vec::<String>::new());
    }
    let listener = "state_dir = \"state\"\n[[listener]]\nname = \"l\"\nlisten = \"unix:sock\"\ntimezone = \"UTC\"\ninput = \"type4\"\n";
    one(dir.path(), listener, Who::Check, "warning: listener l: *TYPE4", "give receiver");
    let row = "[[listener.sender]]\nmatch = \"a\"\n";
    one(dir.path(), &format!("{listener}{row}"), Who::Check, "warning: source l/a: *TYPE4", "give receiver");
    assert_eq!(found(dir.path(), &format!("{listener}{row}receiver = \"R\"\n"), Who::Check), Vec::<String>::new());
}

#[test]
fn n10_files_that_cannot_be_used_are_said_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, mode| {
        let path = dir.path().join(name);
        fs::write(&path, "secret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("open", 0o644);
    write("private", 0o600);
    let live = |password: &str| {
        format!(
            "[[source]]\nname = \"p\"\nkind = \"mapepire\"\ntimezone = \"UTC\"\naddress = \"h:1\"\nuser = \"U\"\npassword = \"{password}\"\n"
        )
    };
    assert_eq!(found(dir.path(), &live("private"), Who::Check), Vec::<String>::new());
    one(dir.path(), &live("open"), Who::Check, "error: source p: password: ", "others can read this password");
    one(dir.path(), &live("open"), Who::Run, "warning: source p: password: ", "chmod 600");
    one(dir.path(), &live("nowhere"), Who::Check, "error: source p: password = ", "nowhere: No such file");
    let output = |rest: &str| format!("[[output]]\nname = \"o\"\n{rest}\n");
    for (text, says) in [
        (output("address = \"tls://h:1\"\ncert = \"nowhere\"\nkey = \"private\""), "cert = "),
        (output("address = \"tls://h:1\"\nca = \"private\""), "holds no certificate"),
        (output("address = \"file:nowhere/out\""), "nowhere: No such file"),
    ] {
        let all = found(dir.path(), &text, Who::Check);
        assert!(all.iter().any(|p| p.starts_with("error: output o: ") && p.contains(says)), "{text}: {all:?}");
        let all = found(dir.path(), &text, Who::Run);
        assert!(all.iter().any(|p| p.starts_with("warning: output o: ") && p.contains(says)), "{text}: {all:?}");
    }
    // This one is refused by a start too.
    let open = output("address = \"tls://h:1\"\nkey = \"open\"\n");
    assert!(found(dir.path(), &open, Who::Run)[0].starts_with("error: output o: key: "));
}

#[test]
fn n10_two_outputs_never_write_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("out"), "").unwrap();
    std::os::unix::fs::symlink(dir.path().join("out"), dir.path().join("link")).unwrap();
    let two = |a: &str, b: &str| {
        let at = dir.path().display();
        format!(
            "[[output]]\nname = \"a\"\naddress = \"file:{at}/{a}\"\n[[output]]\nname = \"b\"\naddress = \"file:{at}/{b}\"\n"
        )
    };
    for (a, b) in [("out", "out"), ("new", "./new"), ("out", "link")] {
        one(dir.path(), &two(a, b), Who::Run, "error: output b: ", "output a writes to this file too");
    }
    assert_eq!(found(dir.path(), &two("out", "other"), Who::Run), Vec::<String>::new());
    let null = "[[output]]\nname = \"a\"\naddress = \"file:/dev/null\"\n[[output]]\nname = \"b\"\naddress = \"file:/dev/null\"\n";
    assert_eq!(found(dir.path(), null, Who::Run), Vec::<String>::new());
}

#[test]
fn n10_no_output_writes_into_what_a_source_reads() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("drop")).unwrap();
    fs::write(dir.path().join("day"), "x").unwrap();
    fs::hard_link(dir.path().join("day"), dir.path().join("linked")).unwrap();
    let both = |source: &str, to: &str| {
        format!(
            "[[source]]\nname = \"s\"\ntimezone = \"UTC\"\n{source}\n[[output]]\nname = \"o\"\naddress = \"file:{to}\"\n"
        )
    };
    let (capture, folder) = ("path = \"day\"", "kind = \"directory\"\npath = \"drop\"");
    for (source, to) in [(capture, "day"), (capture, "./day"), (capture, "linked"), (folder, "drop/out")] {
        one(dir.path(), &both(source, to), Who::Run, "error: output o: ", "source s reads this");
    }
    for (source, to) in [(capture, "out"), (folder, "out"), (folder, "drop.out")] {
        assert_eq!(found(dir.path(), &both(source, to), Who::Run), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn n10_a_spool_smaller_than_its_reserve_is_none() {
    let dir = tempfile::tempdir().unwrap();
    one(dir.path(), "[spool]\nmax_size = \"1MiB\"\n", Who::Check, "error: spool.max_size", "reserve");
    one(dir.path(), "[spool]\nmax_size = \"20MiB\"\n", Who::Check, "warning: spool.max_size", "1GiB");
    assert_eq!(found(dir.path(), "[spool]\nmax_size = \"1GiB\"\n", Who::Check), Vec::<String>::new());
}

#[test]
fn f02_a_line_longer_than_the_receiver_takes_names_its_setting() {
    let dir = tempfile::tempdir().unwrap();
    let output = |address: &str, format: &str, size: &str| {
        format!("[[output]]\nname = \"o\"\naddress = \"{address}\"\nformat = \"{format}\"\n{size}\n")
    };
    for (address, format, size, says) in [
        ("tcp://h:1", "cef", "max_size = 8192", "maxMessageSize"),
        ("tls://h:1", "syslog", "max_size = 8097", "8096 bytes"),
        ("relp://h:1", "json", "max_size = 100000", "syslog-ng log-msg-size"),
        ("tcp://h:1", "leef", "max_size = 8000", "Max TCP Syslog Payload Length"),
    ] {
        let text = output(address, format, size);
        one(dir.path(), &text, Who::Check, "warning: output o: max_size = ", says);
        assert_eq!(found(dir.path(), &text, Who::Run), Vec::<String>::new(), "{text}");
    }
    for format in Format::ALL {
        assert!(format.default_max_size() <= RSYSLOG_SIZE, "{format:?}");
        let most = format!("max_size = {}", format.default_max_size());
        assert_eq!(found(dir.path(), &output("tcp://h:1", format.key(), &most), Who::Check), Vec::<String>::new());
        assert_eq!(
            found(dir.path(), &output("file:out", format.key(), "max_size = 99999"), Who::Check),
            Vec::<String>::new()
        );
    }
}

#[test]
fn n10_two_sources_never_listen_in_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let source = |name: &str, listen: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"stream\"\ninput = \"type5\"\ntimezone = \"UTC\"\nlisten = \"{listen}\"\n"
        )
    };
    let told = |a: &str, b: &str, who| -> Vec<String> {
        let all = found(dir.path(), &(source("a", a) + &source("b", b)), who);
        all.into_iter().filter(|p| p.contains("listens there too")).collect()
    };
    for (a, b) in [
        ("unix:sock", "unix:./sock"),
        ("tcp://127.0.0.1:6514", "tcp://127.0.0.1:6514"),
        ("tcp://0.0.0.0:6514", "tcp://127.0.0.1:6514"),
        ("tcp://127.0.0.1:6514", "tcp://[::]:6514"),
        ("tcp://Logs.example.com:6514", "tcp://logs.example.com:6514"),
    ] {
        for who in [Who::Check, Who::Run] {
            let all = told(a, b, who);
            assert!(all.len() == 1 && all[0].starts_with("error: source b: listen = "), "{a} {b}: {all:?}");
            assert!(all[0].contains("source a listens there too"), "{a} {b}: {all:?}");
        }
    }
    for (a, b) in [
        ("unix:sock", "unix:other"),
        ("tcp://127.0.0.1:6514", "tcp://127.0.0.1:6515"),
        ("tcp://127.0.0.1:6514", "tcp://127.0.0.2:6514"),
        ("tcp://0.0.0.0:6514", "tcp://[::1]:6514"),
        ("tcp://127.0.0.1:6514", "unix:sock"),
    ] {
        assert_eq!(told(a, b, Who::Run), Vec::<String>::new(), "{a} {b}");
    }
}

#[test]
fn n9_a_mistake_in_a_table_does_not_mean_that_there_is_none() {
    let missing_of = |text: &str| {
        let config = Config::parse(text, "agent.toml", Path::new("."), &Catalog::shipped().unwrap());
        missing(&config)
    };
    let output = "[[output]]\nname = \"o\"\naddress = \"null\"\n";
    assert_eq!(missing_of(&format!("{PARTS}{output}")), Vec::<&str>::new());
    assert_eq!(
        missing_of(&format!("{PARTS}[[output]]\nname = \"o\"\naddress = \"nonsense://\"\n")),
        Vec::<&str>::new()
    );
    let text = format!("state_dir = \"state\"\n[[source]]\nname = \"s\"\nkind = \"nonsense\"\n{output}");
    assert_eq!(missing_of(&text), Vec::<&str>::new());
    assert_eq!(missing_of(PARTS), ["there is no [[output]]"]);
    assert_eq!(missing_of(&format!("source = []\nstate_dir = \"state\"\n{output}")), ["there is no [[source]]"]);
}
