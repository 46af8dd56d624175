//! What packages put on a machine: the unit of systemd and its drop-ins, and the scripts for PASE.
use std::{collections::BTreeMap, fs, path::Path, process::Command};

use harness::program::executable;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging"))
}

/// The unit with this program in it, in a folder of its own, with drop-ins.
fn unit(drop_ins: &[&Path]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(folder().join("systemd/qaudjrn.service")).unwrap();
    let program = executable();
    fs::write(dir.path().join("qaudjrn.service"), text.replace("/usr/bin/qaudjrn", program)).unwrap();
    let of_unit = dir.path().join("qaudjrn.service.d");
    fs::create_dir(&of_unit).unwrap();
    for path in drop_ins {
        fs::copy(path, of_unit.join(path.file_name().unwrap())).unwrap();
    }
    dir
}

/// What systemd-analyze says, which is content (tests/tools/fetch_judges.sh).
#[track_caller]
fn analyze(dir: &tempfile::TempDir, args: &[&str]) -> String {
    let mut command = Command::new("systemd-analyze");
    command
        .args(args)
        .arg(dir.path().join("qaudjrn.service"))
        .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()));
    let run = command.output().expect("systemd-analyze is missing: tests/tools/fetch_judges.sh");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{args:?}: {said}");
    said
}

fn examples() -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(folder().join("systemd/examples")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 4);
    found
}

#[test]
fn systemd_finds_no_fault_with_the_unit_and_its_drop_ins() {
    let all = examples();
    let all: Vec<&Path> = all.iter().map(AsRef::as_ref).collect();
    for drop_ins in [&[][..], &all[..]] {
        let said = analyze(&unit(drop_ins), &["verify", "--man=no"]);
        // It also looks at units of this machine.
        let of_ours: Vec<&str> = said.lines().filter(|l| l.contains("qaudjrn")).collect();
        assert!(of_ours.is_empty(), "{of_ours:?}");
    }
}

#[test]
fn the_unit_exposes_little() {
    // 2.0 of 10, in tenths.
    analyze(&unit(&[]), &["security", "--offline=true", "--threshold=20", "--no-pager"]);
}

/// `key=value` lines of the section of the service; of several the last.
fn service() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("systemd/qaudjrn.service")).unwrap();
    let lines = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('='));
    lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_unit_fits_what_the_program_does() {
    let unit = service();
    let seconds = |key: &str| unit[key].parse::<u64>().unwrap();
    // The default of stop_timeout, and what the program adds before it ends itself.
    assert!(seconds("TimeoutStopSec") > 30 + 5);
    assert!(seconds("WatchdogSec") >= 60, "a disk that hangs for a moment is no reason to be killed");
    assert_eq!(unit["RestartPreventExitStatus"], (qaudjrn::cli::Exit::Usage as i32).to_string());
    assert_eq!(unit["SuccessExitStatus"], (qaudjrn::cli::Exit::Incomplete as i32).to_string());
    assert_eq!(unit["Type"], "notify");
    for family in ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"] {
        assert!(unit["RestrictAddressFamilies"].split(' ').any(|f| f == family), "{family}");
    }
}

#[test]
fn scripts_are_shell_that_can_be_read() {
    for name in ["ibmi/start.sh", "ibmi/stop.sh"] {
        let run = Command::new("sh").arg("-n").arg(folder().join(name)).output().unwrap();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    }
}
