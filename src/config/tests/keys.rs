//! Every key: that it is read, shown with its default, and in the example.
use super::*;
use crate::filter::{Dimension, UserMatch};

#[test]
fn the_example_file_says_every_key_and_its_default() {
    let text = include_str!("../../../agent.toml.example");
    let shown = parse(text);
    assert_eq!(shown.problems, vec![]);
    let contract = crate::encode::Profile::native().unwrap().contract;
    assert_eq!(shown.line.facility, Some(contract.facility));
    assert_eq!(shown.line.vendor, Some(contract.vendor));
    assert_eq!(shown.line.product, Some(contract.product));
    assert_eq!(shown.line.sd_id, Some(contract.sd_id));
    assert_eq!(shown.line.app_name, Some(contract.app_name));
    assert!(shown.severity.is_empty() && shown.outputs.len() == 1);
    assert_eq!(shown.filter, crate::filter::Rules::default());
    assert_eq!(shown.filter.user_match, UserMatch::Effective);
    for key in ["send = \"all\"", "sign_on_failures = false", "exclude_jobs = []", "minimum_severity = 0"] {
        assert!(text.contains(&format!("\nhistory.{key}")), "{key}");
    }
    for d in Dimension::ALL.iter().copied().filter(|d| *d != Dimension::History) {
        assert!(text.contains(&format!("\n{}.exclude = []", d.key())), "{}", d.key());
    }
    assert_eq!(shown.metrics, metrics::MetricsConfig::default());
    for key in ["\n# listen = \"127.0.0.1:9117\"", "\n# file = ", "\nallow_remote = false", "\nmode = \"0600\""] {
        assert!(text.contains(key), "{key}");
    }
    assert_eq!(shown.doctor, doctor::DoctorConfig::default());
    for key in ["libraries", "objects", "paths"] {
        assert!(text.contains(&format!("\n{key} = []")), "{key}");
    }
    // A source and an output with every key are shown as comments: what they show must be right too.
    let commented = text.replace("\n# [[output]]", "\n[[output]]");
    let commented = commented
        .replace("\n# [[source]]", "\n[[source]]")
        .replace("sha256:...", &format!("sha256:{}", "ab".repeat(32)));
    let with_output: String = commented
        .lines()
        .scan(false, |inside, line| {
            *inside = line.starts_with("[[") || *inside && line.starts_with("# ");
            Some(if *inside { line.strip_prefix("# ").unwrap_or(line) } else { line }.to_owned() + "\n")
        })
        .collect();
    let shown = parse(&with_output);
    assert_eq!(shown.problems, vec![], "{with_output}");
    let o = shown.output("qradar").unwrap();
    let bare = parse("[[output]]\nname = \"qradar\"\naddress = \"tls://siem.example.com:6514\"\n");
    let bare = bare.output("qradar").unwrap();
    assert_eq!((o.format, o.full, o.include_guesses), (bare.format, bare.full, bare.include_guesses));
    assert_eq!(o.filter, bare.filter);
    assert_eq!(o.max_size, Some(o.format.default_max_size()));
    assert_eq!(o.header, Some(o.format.default_header()));
    assert_eq!((o.resend_window, o.stall_timeout), (bare.resend_window, bare.stall_timeout));
    let waits = |o: &OutputConfig| (o.connect_timeout, o.dead_peer_timeout, o.failback_interval);
    assert_eq!(waits(o), waits(bare));
    assert!(bare.failover.is_empty() && o.failover.len() == 1);
    assert_eq!((&o.priority_types, o.limits.burst), (&bare.priority_types, Some(1)));
    let Config { spool_max_size, stop_timeout, .. } = parse(text);
    let options = crate::spool::SpoolOptions::new("x".into());
    assert_eq!((spool_max_size, stop_timeout), (options.max_size, parse("").stop_timeout));
    assert_eq!(shown.sources.len(), 2);
    let bare = parse("[[source]]\nname = \"prod01\"\npath = \"day.type5\"\n");
    let (bare, s) = (&bare.sources[0], &shown.sources[1]);
    assert_eq!((s.zone, s.charset.ccsid()), (bare.zone, bare.charset.ccsid()));
    assert_eq!(format!("{:?}", s.input), format!("{:?}", bare.input));
}

#[test]
fn the_hash_is_that_of_what_is_said_and_not_of_how_it_is_written() {
    let hash = |text: &str| parse(text).hash;
    let one = hash("state_dir = \"s\"\n[filter]\ntypes.exclude = [\"SF\"]\n");
    assert_eq!(one, hash("# a comment\nstate_dir=\"s\"\n\n[filter.types]\nexclude = [ \"SF\" ]\n"));
    assert_ne!(one, hash("state_dir = \"s\"\n[filter]\ntypes.exclude = [\"SK\"]\n"));
    assert_eq!(one.len(), 64);
}

#[test]
fn the_keys_are_those_that_are_read() {
    let keys = Config::keys(&Catalog::shipped().unwrap());
    for key in
        ["state_dir", "spool.max_size", "severity", "output.meter.burst", "source.filter.users.match", "source.dsn"]
    {
        assert!(keys.contains(key), "{key} is not in {keys:?}");
    }
    assert!(!keys.contains("output.filter") && !keys.contains("output"), "tables are none");
}

#[test]
fn every_key_is_shown_with_a_value_or_with_what_counts_without_one() {
    let catalog = Catalog::shipped().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    fs::write(&path, every_table()).unwrap();
    let (_, shown) = Config::load_with_keys(&path, &catalog).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for s in &shown {
        let dot = if s.table.is_empty() { "" } else { "." };
        names.insert(format!("{}{dot}{}", shown::without_numbers(&s.table), s.key));
    }
    // A table whose keys are data shows those that it has.
    let missing: Vec<String> = Config::keys(&catalog).difference(&names).cloned().collect();
    assert_eq!(missing, ["output.fields", "severity", "test.entry", "test.line"]);
    // A default that is not noted would look like none: these have none.
    let without = [
        "state_dir",
        "name",
        "path",
        "move_to",
        "listen",
        "match",
        "address",
        "command",
        "connection",
        "dsn",
        "user",
        "password",
        "cert",
        "key",
        "pin",
        "client_ca",
        "client_crl",
        "client_names",
        "capture",
        "expect",
        "rule",
        "contains",
        "source",
        "output",
    ];
    let nothing = shown.iter().filter(|s| s.origin() == "not given" && !without.contains(&s.key.as_str()));
    assert_eq!(nothing.map(|s| format!("{}.{}", s.table, s.key)).collect::<Vec<_>>(), Vec::<String>::new());
}
