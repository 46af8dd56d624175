//! What the program says of itself: never more than somebody can read, in the form that was asked for, and at nobody's expense.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use harness::{
    agent::{AS_SHIPPED, Agent, FOLLOWED, SOURCE, capture, has_ids, ids, nothing_lost, signal},
    program::{executable, folder, make, qaudjrn},
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

/// A capture with so many records behind it that are none.
fn spoilt(agent: &Agent, blank: usize) {
    let mut file = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    file.write_all(&vec![0x40; 1_500 * blank]).unwrap();
}

#[test]
fn b4_nobody_reads_the_log_and_everything_is_delivered_and_ends() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 500 --seed 17");
    let agent = Agent::new(dir, &format!("{SOURCE}timezone = \"UTC\"\n{OUTPUT}"));
    spoilt(&agent, 2_000);
    // The pipe is full before the program says its first word.
    let mut child = Command::new("sh")
        .args(["-c", "head -c 65536 /dev/zero >&2; exec \"$0\" run --config \"$1\"", executable()])
        .arg(&agent.config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + SOON;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("it waits for somebody who reads its log; {} events came", ids(&agent.read("out")).len());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(3), "records were parked");
    assert_eq!(nothing_lost(&made, &ids(&agent.read("out"))), 0);
}

#[test]
fn h9_a_record_that_is_none_is_no_line_each() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 500 --seed 17");
    let agent = Agent::new(dir, &format!("{SOURCE}timezone = \"UTC\"\n{OUTPUT}"));
    spoilt(&agent, 5_000);
    agent.assert_exit(agent.start(), 3, SOON);
    let log = agent.log();
    assert!(log.lines().count() < 40, "{} lines: {log}", log.lines().count());
    // Some are told one by one, and some as a run, as they come.
    let told = |line: &str| match line.split_once(" records parked") {
        Some((before, _)) => before.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok()),
        None => line.contains(": parked: bytes ").then_some(1),
    };
    assert!(log.lines().filter_map(told).sum::<u32>() >= 7, "{log}");
    assert!(log.contains("+ spooled 500"), "{log}");
    assert_eq!(nothing_lost(&made, &ids(&agent.read("out"))), 0);
}

#[test]
fn h9_gaps_that_are_gathered_for_a_sum_are_told_though_the_agent_is_killed() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 200 --seed 17");
    let all = fs::read(&made.path).unwrap();
    let every_second: Vec<u8> = all.chunks(1_500).step_by(2).flatten().copied().collect();
    fs::write(&made.path, every_second).unwrap();
    let agent = Agent::new(dir, &format!("{AS_SHIPPED}{FOLLOWED}timezone = \"UTC\"\n{OUTPUT}"));
    let mut child = agent.start();
    agent.wait("the entries", SOON, || has_ids(&agent.read("out"), 100));
    child.kill().unwrap();
    child.wait().unwrap();
    // So many are missing as is told in all.
    let told = || {
        let lines = agent.read("out");
        let gaps: BTreeSet<String> = lines.lines().filter(|l| l.contains("AGENT-GAP")).map(str::to_owned).collect();
        let missing = |l: &String| {
            let line: Value = serde_json::from_str(l).unwrap();
            line["missing_entries"].as_str().unwrap().parse::<u64>().unwrap()
        };
        gaps.iter().map(missing).sum::<u64>()
    };
    assert!(told() < 99, "{}", told());
    let child = agent.start();
    agent.wait("the sum", SOON, || told() >= 99);
    assert_eq!(told(), 99);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn the_log_is_json_or_quiet_where_that_is_asked_for() {
    let dir = folder();
    capture(&dir, 50);
    let agent = Agent::new(dir, &format!("{SOURCE}{OUTPUT}"));
    agent.assert_exit(agent.command().args(["--log-format", "json"]).spawn().unwrap(), 0, SOON);
    let lines: Vec<Value> = agent.log().lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let one = |level: &str, subject: &str, part: &str| {
        lines
            .iter()
            .any(|l| l["level"] == level && l["subject"] == subject && l["message"].as_str().unwrap().contains(part))
    };
    assert!(one("info", "source prod01", "read 50 = filtered 0"), "{lines:?}");
    assert!(one("warn", "", "no timezone is given"), "{lines:?}");
    assert!(lines.iter().all(|l| l["time"].as_str().is_some_and(|t| t.ends_with('Z'))));
    fs::remove_file(agent.dir.path().join("log")).unwrap();
    agent.assert_exit(agent.command().args(["--log-level", "error"]).spawn().unwrap(), 0, SOON);
    assert_eq!(agent.log(), "");
    let wrong = qaudjrn("--log-level error run --config /nowhere/agent.toml", &[]);
    wrong.assert_output(2, &["qaudjrn: error: cannot read the configuration /nowhere/agent.toml"]);
}

#[test]
fn under_systemd_each_line_has_its_priority() {
    let dir = folder();
    capture(&dir, 5);
    let agent = Agent::new(dir, &format!("{SOURCE}{OUTPUT}"));
    let start = |stream: &str| {
        let mut command = agent.command();
        agent.assert_exit(command.env("JOURNAL_STREAM", stream).spawn().unwrap(), 0, SOON);
        let log = agent.log();
        fs::write(agent.dir.path().join("log"), "").unwrap();
        log
    };
    // It is made by the command.
    drop(agent.command());
    let there = fs::metadata(agent.dir.path().join("log")).unwrap();
    let log = start(&format!("{}:{}", there.dev(), there.ino()));
    assert!(log.lines().any(|l| l.starts_with("<6>qaudjrn: source prod01: read 5 =")), "{log}");
    assert!(log.lines().any(|l| l.starts_with("<4>qaudjrn: warning: source prod01: no timezone")), "{log}");
    // Another stream than the one the service manager gave.
    assert!(start("1:1").lines().all(|l| l.starts_with("qaudjrn: ")));
}

#[test]
fn n10_check_says_what_a_start_would_refuse() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    let source = "[[source]]\nname = \"s\"\nkind = \"directory\"\npath = \".\"\ntimezone = \"UTC\"\n";
    let output = "[[output]]\nname = \"o\"\naddress = \"null\"\n";
    let state = "state_dir = \"state\"\n";
    let both = |text: &str| {
        fs::write(&config, text).unwrap();
        ["check", "run"].map(|command| qaudjrn(&format!("{command} --config {}", config.display()), &[]))
    };
    for (text, says) in [
        (format!("{state}{output}"), "there is no [[source]]"),
        (format!("{state}{source}"), "there is no [[output]]"),
        (format!("{source}{output}"), "state_dir is missing"),
    ] {
        let [check, run] = both(&text);
        assert!(check.code == 2 && check.stdout.contains(&format!("error: {says}")), "{check:?}");
        run.assert_output(2, &[says]);
    }
    for (text, says) in [
        (format!("state_dir = \"~/state\"\n{source}{output}"), "~ is a sign of the shell"),
        (format!("state_dir = \".\"\n{source}{output}"), "a folder of its own"),
        (format!("{source}{output}{state}"), "state_dir stands above the first table"),
        (format!("{state}{source}[[output]]\nname = \"\"\naddress = \"null\"\n"), "a name is needed"),
    ] {
        let [check, run] = both(&text);
        assert!(check.code == 2 && check.stdout.contains(says), "{check:?}");
        run.assert_output(2, &[says]);
    }
    // Nothing was made, and nothing was made private.
    assert!(!dir.path().join("~").exists() && !dir.path().join("lock").exists());
    // A file for other commands is no mistake.
    fs::write(&config, "[filter]\ntypes.exclude = [\"ZR\"]\n").unwrap();
    let check = qaudjrn(&format!("check --config {}", config.display()), &[]);
    assert!(
        check.code == 0
            && check.stdout.contains("there is no [[source]]; there is no [[output]]: `run` refuses this file"),
        "{check:?}"
    );
}

#[test]
fn check_refuses_a_state_that_a_start_refuses_and_says_what_would_run_under_which_hash() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    let state = dir.path().join("state");
    let source = "[[source]]\nname = \"s\"\nkind = \"directory\"\npath = \"in\"\ntimezone = \"UTC\"\n";
    fs::create_dir_all(dir.path().join("in")).unwrap();
    fs::write(&config, format!("state_dir = \"state\"\n{source}[[output]]\nname = \"o\"\naddress = \"null\"\n"))
        .unwrap();
    let run = |command: &str| qaudjrn(&format!("{command} --config {}", config.display()), &[]);
    let good = run("check");
    assert_eq!(good.code, 0, "{good:?}");
    let json: serde_json::Value = serde_json::from_str(&run("check --json").stdout).unwrap();
    let hash = json["configuration"].as_str().unwrap();
    assert!(hash.len() == 64 && good.stdout.contains(&format!("configuration {hash}\n")), "{good:?}");
    assert!(good.stdout.contains("source s: reads files * that arrive in "), "{good:?}");
    assert_eq!(json["runs"][2]["for"], "output o");
    // A link in the place of the database.
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::symlink("/etc/hosts", state.join("spool.db")).unwrap();
    let check = run("check");
    assert!(check.code == 2 && check.stdout.contains("spool.db: it is a link or no regular file"), "{check:?}");
    run("run").assert_output(2, &["spool.db: it is a link or no regular file"]);
}

#[test]
fn n5_a_folder_of_others_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = folder();
    capture(&dir, 5);
    let agent = Agent::new(dir, &format!("{SOURCE}{OUTPUT}"));
    let state = agent.dir.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(state.join("thesis.txt"), "years").unwrap();
    agent.assert_exit(agent.start(), 2, SOON);
    assert!(agent.log().contains("there are files of others in it (thesis.txt)"), "{}", agent.log());
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    fs::remove_file(state.join("thesis.txt")).unwrap();
    agent.assert_exit(agent.start(), 0, SOON);
    // It is ours now, whatever somebody puts there.
    fs::write(state.join("notes.txt"), "of an administrator").unwrap();
    agent.assert_exit(agent.start(), 0, SOON);
}

#[test]
fn n9_a_source_without_a_timezone_is_warned_of_everywhere() {
    let dir = folder();
    let made = capture(&dir, 5);
    let agent = Agent::new(dir, &format!("{SOURCE}{OUTPUT}"));
    let check = qaudjrn(&format!("check --config {}", agent.config.display()), &[]);
    let says = "warning: source prod01: no timezone is given: times of its entries are taken as UTC";
    assert!(check.code == 0 && check.stdout.contains(says), "{check:?}");
    agent.assert_exit(agent.start(), 0, SOON);
    assert!(agent.log().contains(says), "{}", agent.log());
    let replay = qaudjrn(&format!("replay --to null --config {}", agent.config.display()), &[&made.path]);
    replay.assert_output(0, &["no --timezone was given: entry times were taken as UTC"]);
}

#[test]
fn n9_a_source_whose_headings_lack_what_nothing_gives_is_warned_of() {
    let dir = folder();
    make(&dir, "day.type2", "--type type2 --count 5 --seed 8");
    let agent = Agent::new(dir, "");
    for (keys, lacks) in [
        ("", Some("give receiver and date_format")),
        ("receiver = \"AUDRCV0001\"\n", Some("give date_format")),
        ("receiver = \"AUDRCV0001\"\ndate_format = \"MDY\"\n", None),
    ] {
        let source = format!("[[source]]\nname = \"prod01\"\npath = \"day.type2\"\ntimezone = \"UTC\"\n{keys}");
        agent.configure(&format!("{source}{OUTPUT}"));
        let _ = fs::remove_dir_all(agent.dir.path().join("state"));
        let _ = fs::remove_file(agent.dir.path().join("log"));
        // The exit code says so too.
        agent.assert_exit(agent.start(), if lacks.is_some() { 3 } else { 0 }, SOON);
        let said = agent.log().lines().find(|l| l.contains("*TYPE2 headings do not hold")).map(str::to_owned);
        assert_eq!(said.is_some(), lacks.is_some(), "{}", agent.log());
        assert!(lacks.is_none_or(|l| said.unwrap().ends_with(l)), "{}", agent.log());
    }
}

#[test]
fn n10_the_example_passes_and_runs_as_it_is_shipped() {
    let dir = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = dir.path().join("agent.toml");
    fs::copy(root.join("agent.toml.example"), &config).unwrap();
    fs::create_dir(dir.path().join("fixtures")).unwrap();
    fs::copy(root.join("fixtures/stories.type5"), dir.path().join("fixtures/stories.type5")).unwrap();
    let check = qaudjrn(&format!("check --deny-warnings --config {}", config.display()), &[]);
    assert!(check.code == 0 && check.stdout.contains("0 errors, 0 warnings"), "{check:?}");
    let run = qaudjrn(&format!("run --deny-warnings --config {}", config.display()), &[]);
    run.assert_output(0, &["source sample: read 45 = ", "output screen: sent "]);
    assert!(run.lines().iter().filter(|l| l.contains("CEF:0|")).count() >= 45, "{run:?}");
}

#[test]
fn n13_messages_name_what_is_wrong() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = folder();
    let agent = Agent::new(dir, &format!("{SOURCE}{OUTPUT}"));
    agent.assert_exit(agent.start(), 1, SOON);
    assert!(
        agent.log().contains("there is no such file") && !agent.log().contains("entity not found"),
        "{}",
        agent.log()
    );
    let password = agent.dir.path().join("pw");
    fs::write(&password, "secret\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    // From the folder of the configuration, wherever the program was started.
    agent.configure(&format!(
        "[[source]]\nname = \"p\"\nkind = \"mapepire\"\ntimezone = \"UTC\"\naddress = \"127.0.0.1:1\"\nuser = \"U\"\npassword = \"pw\"\n{OUTPUT}"
    ));
    let check = qaudjrn(&format!("check --config {}", agent.config.display()), &[]);
    assert!(check.stdout.contains("others can read this password (mode 0644): chmod 600"), "{check:?}");
    assert!(!check.stdout.contains("TLS") && !check.stdout.contains("secret"), "{check:?}");
}
