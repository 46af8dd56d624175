//! Names that are none, and messages that say what to write.
use super::*;

#[test]
fn h17_a_name_is_one_that_can_be_shown() {
    let named = |table: &str, name: &str, rest: &str| problems(&format!("[[{table}]]\nname = \"{name}\"\n{rest}\n"));
    for (table, rest) in [("source", "path = \"x\""), ("output", "address = \"null\"")] {
        let long = "x".repeat(101);
        for (name, why) in [
            ("", "a name is needed"),
            ("  ", "a name is needed"),
            ("a\\nb", "no control characters"),
            ("a\\u001b[2J", "no control characters"),
            ("a\\u202eb", "none that are not seen"),
            (long.as_str(), "at most 100 bytes"),
        ] {
            let found = named(table, name, rest);
            let place = format!("agent.toml:2:8: error: {table}.name = ");
            assert!(found.len() == 1 && found[0].starts_with(&place) && found[0].contains(why), "{name}: {found:?}");
            assert!(!found[0].chars().any(crate::encode::escape::is_hidden), "{found:?}");
        }
        assert_eq!(named(table, "prod 01/Größe", rest), Vec::<String>::new());
    }
}

#[test]
fn h17_no_value_holds_a_nul() {
    for text in [
        "state_dir = \"a\\u0000b\"",
        "[[source]]\nname = \"s\"\npath = \"a\\u0000b\"",
        "[[source]]\nname = \"s\"\nkind = \"directory\"\npath = \"a\"\nafter = \"move\"\nmove_to = \"a\\u0000b\"",
        "[[output]]\nname = \"o\"\naddress = \"file:a\\u0000b\"",
        "[[output]]\nname = \"o\"\naddress = \"tls://h:1\"\nca = \"a\\u0000b\"",
    ] {
        let found = problems(text);
        assert!(found.iter().any(|p| p.contains("error") && p.contains("without NUL characters")), "{text}: {found:?}");
    }
}

#[test]
fn n13_messages_say_what_to_write() {
    let output = "[[output]]\nname = \"a\"\naddress = \"null\"\n";
    for (text, says) in [
        (format!("{output}state_dir = \"s\"\n"), "state_dir stands above the first table of the file"),
        ("[spool]\nstop_timeout = 5\n".to_owned(), "here, behind [spool], it belongs to that table"),
        ("[[source]]\nname = \"a\"\npath = \"C:\\x\"\n".to_owned(), "write a path with backslashes within '...'"),
        ("state_dir = \"C:\\data\"\n".to_owned(), "write a path with backslashes within '...'"),
        ("state_dir = \"C:\\Users\"\n".to_owned(), "write a path with backslashes within '...'"),
        ("state_dir = \"~/state\"\n".to_owned(), "~ is a sign of the shell"),
        ("[[source]]\nname = \"a\"\npath = \"~/x\"\n".to_owned(), "write the whole path"),
        (format!("{output}tls = 1\n").replace("tls = 1", "key = \"~/k\""), "write the whole path"),
        ("[[source]]\nname = \"a\"\npath = \"x\"\ntimezone = \"Berlin\"\n".to_owned(), "did you mean Europe/Berlin?"),
    ] {
        let found = problems(&text);
        assert!(found.iter().any(|p| p.contains("error") && p.contains(says)), "{text}: {found:?}");
        assert!(!found.iter().any(|p| p.contains("known here are")), "{found:?}");
    }
}

#[test]
fn n11_the_last_part_of_a_zone_counts() {
    for (text, zone) in [
        ("Berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Zurich", "Europe/Zurich"),
        ("Europe/Berln", "Europe/Berlin"),
        ("buenos aires", "America/Argentina/Buenos_Aires"),
    ] {
        let why = zone::time_zone(text).unwrap_err();
        assert!(why.ends_with(&format!("did you mean {zone}?")), "{text}: {why}");
    }
}

#[test]
fn n10_a_meter_that_no_output_could_keep_to_is_refused() {
    for (meter, said) in [
        ("bytes_per_second = 0", "bytes_per_second = 0: expected 1 or more"),
        ("bytes_per_day = 0", "bytes_per_day = 0: expected 1 or more"),
        ("events_per_second = 0.0005", "events_per_second = 0.0005: expected 0.001 to"),
        ("events_per_second = 2000000000", "expected 0.001 to"),
        ("burst = 5", "burst without events_per_second: give both"),
        ("byte_burst = 5", "byte_burst without bytes_per_second: give both"),
    ] {
        let text = format!("[[output]]\nname = \"o\"\naddress = \"null\"\nmeter.{meter}\n");
        let c = Config::parse(&text, "agent.toml", Path::new("/"), &Catalog::shipped().unwrap());
        assert!(c.problems.len() == 1 && c.problems[0].to_string().contains(said), "{meter}: {:?}", c.problems);
        assert!(c.problems[0].to_string().contains("agent.toml:4"), "{:?}", c.problems);
    }
}

#[test]
fn n10_relative_files_stand_beside_the_configuration() {
    use crate::{
        net::tls::pem::Pem,
        source::live::{Database, mapepire::Transport},
    };
    let text = "[[source]]\nname = \"p\"\nkind = \"mapepire\"\naddress = \"h\"\nuser = \"U\"\npassword = \"pw\"\nca = \"ca.pem\"\n\
         [[output]]\nname = \"o\"\naddress = \"tls://h:1\"\ncert = \"c\"\nkey = \"credential:k\"\n\
         [[output]]\nname = \"f\"\naddress = \"file:audit.cef\"\n";
    let c = Config::parse(text, "agent.toml", Path::new("/etc/qaudjrn"), &Catalog::shipped().unwrap());
    assert_eq!(c.problems, vec![]);
    let source::Input::Live(live) = &c.sources[0].input else { panic!("{:?}", c.sources[0].input) };
    let Database::Mapepire(options) = &live.database else { panic!("{live:?}") };
    let Transport::Socket(socket) = &options.transport else { panic!("{options:?}") };
    assert_eq!(socket.password, Pem::File("/etc/qaudjrn/pw".into()));
    assert_eq!(socket.tls.ca, Some(Pem::File("/etc/qaudjrn/ca.pem".into())));
    assert_eq!(c.outputs[0].tls.cert, Some(Pem::File("/etc/qaudjrn/c".into())));
    assert_eq!(c.outputs[0].tls.key, Some(Pem::Credential("k".into())));
    assert_eq!(c.outputs[1].address, crate::output::Target::File("/etc/qaudjrn/audit.cef".into()));
}

#[test]
fn an_encoding_in_which_no_line_can_leave_says_which_can() {
    let of = |label: &str| problems(&format!("[[output]]\nname = \"o\"\naddress = \"null\"\nencoding = \"{label}\"\n"));
    for label in ["utf-8", "windows-1252", "Shift_JIS", "gbk"] {
        assert_eq!(of(label), Vec::<String>::new());
    }
    for (label, why) in [
        ("utf-16", "UTF-16LE cannot carry lines: expected an encoding in which ASCII is ASCII, of one or two bytes"),
        ("iso-2022-jp", "ISO-2022-JP cannot carry lines: expected"),
        (
            "ebcdic",
            "expected an encoding in which ASCII is ASCII, of one or two bytes a character: utf-8, windows-1252",
        ),
        ("iso-8859-1", "expected windows-1252, which this label stands for"),
    ] {
        let found = of(label);
        let place = format!("agent.toml:4:12: error: output.encoding = {label:?}: ");
        assert!(found.len() == 1 && found[0].starts_with(&place) && found[0].contains(why), "{found:?}");
    }
}

#[test]
fn where_figures_are_had_is_this_machine_unless_somebody_says_so() {
    let of = |text: &str| {
        let config = parse(&format!("state_dir = \"/var/lib/q\"\n[metrics]\n{text}\n"));
        let told: Vec<String> = config.problems.iter().map(|p| format!("{:?} {}", p.level, p.text)).collect();
        (config.metrics, told.join("; "))
    };
    for (text, at) in [("listen = \"127.0.0.1:9117\"", "127.0.0.1:9117"), ("listen = \"[::1]:80\"", "[::1]:80")] {
        assert_eq!(of(text), (metrics::MetricsConfig { listen: at.parse().ok(), ..Default::default() }, String::new()));
    }
    let (open, told) = of("listen = \"0.0.0.0:9117\"\nallow_remote = true");
    assert!(open.listen.is_some() && told.starts_with("Warning") && told.contains("without a password"), "{told}");
    for (text, says) in [
        ("listen = \"0.0.0.0:9117\"", "take \"127.0.0.1:9117\", or say metrics.allow_remote = true"),
        ("listen = \"localhost\"", "expected an address with a port"),
        ("listen = 9117", "expected a text in quotes"),
        ("file = \"/var/lib/q/other.prom\"", "in state_dir the file is called metrics.prom"),
        ("file = \"/..\"", "expected the name of a file"),
        ("mode = \"0666\"", "expected \"0600\", \"0640\" or \"0644\""),
        ("mode = \"0004\"", "expected \"0600\""),
        ("mode = \"rw-r--r--\"", "expected \"0600\""),
        ("mode = \"+644\"", "expected \"0600\""),
        ("port = 1", "unknown key metrics.port"),
    ] {
        let (config, told) = of(text);
        assert!(told.starts_with("Error") && told.contains(says), "{text}: {told}");
        assert_eq!(config, metrics::MetricsConfig::default(), "{text}");
    }
    let (config, told) = of("file = \"agent.prom\"\nmode = \"644\"");
    assert_eq!((config.mode, told.as_str()), (0o644, ""));
    assert!(config.file.is_some_and(|f| f.ends_with("agent.prom")));
    assert_eq!(of("file = \"/var/lib/q/metrics.prom\"").1, "");
}
