//! What `--version` says, where it knows it from, and that a start says it too.
use std::{fs, path::Path, process::Command, time::Duration};

use harness::agent::Agent;
use harness::program::executable;

#[path = "../build/commit.rs"]
mod commit;

fn said(option: &str) -> String {
    let output = Command::new(executable()).arg(option).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_long_version_says_commit_target_and_features_and_the_short_one_is_a_line() {
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(said("-V"), format!("qaudjrn {number}\n"));
    let long = said("--version");
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines[0], format!("qaudjrn {number}"));
    let keys: Vec<&str> = lines[1..].iter().map(|l| l.split_once(": ").unwrap().0).collect();
    assert_eq!(keys, ["commit", "target", "features"], "{long}");
    let features = if cfg!(feature = "odbc") { "odbc" } else { "none" };
    assert_eq!(lines[3], format!("features: {features}"));
    assert!(lines[2].contains(std::env::consts::ARCH), "{long}");
}

#[test]
fn the_log_of_a_start_begins_with_version_and_commit() {
    let source = "[[source]]\nname = \"p\"\npath = \"none\"\nfollow = true\n[[output]]\nname = \"o\"\naddress = \"file:DIR/o\"\n";
    let agent = Agent::new(tempfile::tempdir().unwrap(), source);
    let child = agent.start();
    let long = said("--version");
    let commit = long.lines().find_map(|l| l.strip_prefix("commit: ")).unwrap();
    let expected = format!("qaudjrn: version {} starts, commit {commit}\n", env!("CARGO_PKG_VERSION"));
    agent.wait_for_log(&expected, Duration::from_secs(20));
    harness::agent::signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(20));
}

fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=x", "-c", "user.email=x@example.com"]).args(args);
    command.env("GIT_COMMITTER_DATE", "2026-11-30T10:00:00Z");
    assert!(command.output().unwrap().status.success(), "{args:?}");
}

#[test]
fn the_commit_is_that_of_the_checkout_and_says_when_there_is_more_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    assert_eq!(commit::of_checkout(root), None, "no repository");
    git(root, &["init", "-q"]);
    for name in ["src", "docs"] {
        fs::create_dir(root.join(name)).unwrap();
        fs::write(root.join(name).join("a"), "1").unwrap();
    }
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "one"]);
    let clean = commit::of_checkout(root).unwrap();
    assert!(clean.len() == 40 + " (2026-11-30)".len() && clean.ends_with(" (2026-11-30)"), "{clean}");
    assert_eq!(commit::moves_with(root).len(), 2, "what changes with the commit is known");
    fs::write(root.join("docs/a"), "2").unwrap();
    assert_eq!(commit::of_checkout(root).as_ref(), Some(&clean), "a page is no part of the program");
    fs::write(root.join("src/a"), "2").unwrap();
    assert_eq!(commit::of_checkout(root), Some(format!("{clean}, with changes")));
    // Sources within somebody else's repository.
    assert_eq!(commit::of_checkout(&root.join("src")), None);
}

#[test]
fn an_archive_knows_its_commit_and_a_checkout_does_not_take_its_mark_for_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("build")).unwrap();
    let file = dir.path().join("build/archive");
    fs::write(&file, "$Format:%H %cs$\n").unwrap();
    assert_eq!(commit::of_archive(dir.path()), None);
    fs::write(&file, format!("{} 2026-11-30\n", "ab".repeat(20))).unwrap();
    assert_eq!(commit::of_archive(dir.path()), Some(format!("{} (2026-11-30)", "ab".repeat(20))));
}
