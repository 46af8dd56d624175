//! `qaudjrn init`: every combination of place, source and SIEM passes `check`, nothing is overwritten, what is missing is named or asked
//! for, and the pages of docs/siem are what it writes and prints.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::{
    program::{Run, executable, folder, qaudjrn},
    root,
};
use serde_json::Value;
use std::io::Write;

const SIEMS: [&str; 8] = ["qradar", "arcsight", "splunk", "sentinel", "secops", "elastic", "rsyslog", "syslog-ng"];
const SOURCES: [&str; 5] = ["live", "odbc", "folder", "file", "stream"];

/// `qaudjrn init ARGS --output FILE`, without a terminal.
fn init(args: &str, file: &Path) -> Run {
    qaudjrn(&format!("init {args} --output"), &[file])
}

/// What `check` says of it.
fn check(file: &Path) -> Value {
    let run = qaudjrn("check --json --config", &[file]);
    assert_eq!(run.code, 0, "{}: {}{}", file.display(), run.stdout, run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// The block of a page.
fn block(page: &str) -> String {
    let behind = page.lines().skip_while(|l| *l != "## The agent's part").skip(1);
    let lines = behind.take_while(|l| !l.starts_with("## ")).filter_map(|l| l.strip_prefix("    "));
    lines.map(|l| format!("{l}\n")).collect()
}

fn page(siem: &str) -> String {
    fs::read_to_string(root().join(format!("docs/siem/{siem}.md"))).unwrap()
}

#[test]
fn every_combination_of_place_source_and_siem_passes_check_and_says_what_is_to_be_done() {
    let dir = folder();
    for place in ["relay", "pase"] {
        for source in SOURCES {
            for siem in SIEMS {
                let file = dir.path().join(format!("{place}-{source}-{siem}.toml"));
                let path = if source == "file" { "--path /srv/day.type5 " } else { "" };
                let run = init(
                    &format!(
                        "--place {place} --source {source} --siem {siem} --host siem.example.com --system PROD01 --timezone Europe/Berlin {path}"
                    ),
                    &file,
                );
                assert_eq!(run.code, 0, "{source} {siem}: {}", run.stderr);
                let said = check(&file);
                // What is not on this machine, and no more.
                for problem in said["problems"].as_array().unwrap() {
                    let text = problem["text"].as_str().unwrap();
                    let of_here = ["credential:", "No such file"].iter().any(|words| text.contains(words));
                    assert!(of_here, "{place} {source} {siem}: {text}");
                }
                let text = fs::read_to_string(&file).unwrap();
                // Blocks are those of the page; no secret stands in the file.
                assert!(text.contains(&block(&page(siem))), "{siem}: {text}");
                assert!(
                    text.lines().all(|l| !l.starts_with("password") || l.contains("\"credential:prod01.password\""))
                );
                let steps = run.stdout;
                assert!(steps.contains("CHGSYSVAL SYSVAL(QAUDCTL) VALUE('*AUDLVL *OBJAUD *NOQTEMP')"), "{steps}");
                assert_eq!(
                    steps.contains("GRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER(QAUDLOG) AUT(*USE *OBJEXIST)"),
                    matches!(source, "live" | "odbc")
                );
                assert_eq!(steps.contains("DSPJRN JRN(QSYS/QAUDJRN)"), matches!(source, "folder" | "file"), "{steps}");
                assert_eq!(
                    steps.contains("CREDENTIALS_DIRECTORY"),
                    place == "pase" && matches!(source, "live" | "odbc"),
                    "{steps}"
                );
                // What the page says stands there, line by line.
                let side = page(siem);
                let side = side.split("## On its side\n").nth(1).unwrap().split("\n## ").next().unwrap();
                assert!(side.lines().filter(|l| !l.is_empty()).all(|l| steps.contains(l)), "{siem}: {steps}");
            }
        }
    }
}

#[test]
fn the_part_of_every_page_passes_check_as_it_stands_and_every_page_is_in_the_list() {
    let dir = folder();
    let list = fs::read_to_string(root().join("docs/SIEM.md")).unwrap();
    let pages: Vec<PathBuf> = fs::read_dir(root().join("docs/siem")).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(pages.len(), SIEMS.len());
    for siem in SIEMS {
        assert!(list.contains(&format!("(siem/{siem}.md)")), "{siem}");
        let file = dir.path().join(format!("{siem}.toml"));
        let source = "state_dir = \"state\"\n[[source]]\nname = \"s\"\npath = \"day.type5\"\nfollow = true\ntimezone = \"UTC\"\n";
        fs::write(&file, format!("{source}{}", block(&page(siem)))).unwrap();
        let said = check(&file);
        assert_eq!(said["warnings"], 0, "{siem}: {said:#}");
        // Sources are links, and what was tried is told.
        let text = page(siem);
        let sources = text.split("## Sources\n").nth(1).unwrap();
        assert!(sources.contains("](http") && text.contains("## Verified\n"), "{siem}");
    }
}

#[test]
fn options_are_taken_and_wrong_ones_write_nothing() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    let usual = "--source live --siem rsyslog --system PROD01 --timezone UTC";
    let run = init(
        &format!(
            "{usual} --host 2001:db8::5 --port 10514 --transport tcp --address as400.example.com:8077 --user AUDITOR --state-dir {}",
            at("state").display()
        ),
        &at("a.toml"),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = fs::read_to_string(at("a.toml")).unwrap();
    for line in [
        "address = \"tcp://[2001:db8::5]:10514\"",
        "address = \"as400.example.com:8077\"",
        "user = \"AUDITOR\"",
        "timezone = \"UTC\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(run.stdout.contains("CRTUSRPRF USRPRF(AUDITOR)"), "{}", run.stdout);
    check(&at("a.toml"));
    for (args, words) in [
        (format!("{usual} --host h --path /x"), "--path is for another --source than live"),
        (format!("{usual} --host a/b"), "output.address"),
        (format!("{usual} --host h --user TOOLONGAPROFILE"), "--user"),
        ("--source live --siem rsyslog --system PROD01 --timezone Nowhere/Else --host h".to_owned(), "timezone"),
        ("--source live --siem rsyslog --system a'b --timezone UTC --host h".to_owned(), "--system"),
        (usual.replace("rsyslog", "nagios"), "nagios"),
        (format!("{usual} --host h --user A)B"), "--user \"A)B\": expected a user profile"),
    ] {
        let run = init(&args, &at("b.toml"));
        run.assert_output(2, &[words]);
        assert!(!at("b.toml").exists(), "{args}");
    }
}

#[test]
fn a_file_that_is_there_is_never_overwritten_and_what_is_missing_is_named() {
    let dir = folder();
    let file = dir.path().join("agent.toml");
    fs::write(&file, "# mine\n").unwrap();
    let all = "--source folder --siem qradar --host h --system PROD01 --timezone UTC";
    init(all, &file).assert_output(2, &["it is there already, and init overwrites nothing"]);
    // A link to nothing is somebody's too.
    let link = dir.path().join("link.toml");
    std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
    init(all, &link).assert_output(2, &["it is there already"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
    let new = dir.path().join("new.toml");
    init("", &new).assert_output(2, &["these are missing: --source, --siem, --host, --system, --timezone"]);
    init("--source file --siem qradar --host h --system P", &new)
        .assert_output(2, &["are missing: --timezone, --path"]);
    assert!(!new.exists());
    init(all, &dir.path().join("no/such/folder.toml")).assert_output(1, &["it cannot be written"]);
}

#[test]
fn on_a_terminal_what_is_missing_is_asked_for_with_defaults() {
    let dir = folder();
    let file = dir.path().join("agent.toml");
    // `script` gives it a terminal.
    let command = format!("{} init --siem elastic --timezone UTC --output {}", executable(), file.display());
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script (util-linux) gives a terminal");
    // Where it runs: the default; what it reads: a wrong answer first.
    child.stdin.take().unwrap().write_all(b"\nnothing\nlive\n10.9.8.7\nPROD02\n\n\n").unwrap();
    let run = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    for words in [
        "Where does the agent run (relay, pase) [relay]: ",
        "Expected one of live, odbc",
        "Profile that asks [QAUDLOG]: ",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let text = fs::read_to_string(&file).unwrap();
    for line in [
        "address = \"tcp://10.9.8.7:9003\"",
        "address = \"prod02\"",
        "user = \"QAUDLOG\"",
        "state_dir = \"/var/lib/qaudjrn\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    check(&file);
}
