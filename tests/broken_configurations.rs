//! What `check` says of broken configurations, word for word, and that `run` refuses each with the same exit code.
//!
//! `tests/golden/broken/NAME.toml` is one mistake that somebody makes, `NAME.txt` what `check` says of it. `QAUDJRN_REMAKE=1` writes the
//! latter anew: read the difference.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::program::{Run, executable, finish, folder};

/// As many as there are, so that none gets lost.
const CONFIGURATIONS: usize = 69;

/// What is broken for one source or output alone, or may be right later: `run` warns of it and works on the rest, so that nothing else waits;
/// with `--deny-warnings` it refuses these too.
const WARNED_OF: [&str; 3] =
    ["live_password_file_is_missing", "output_certificate_without_key", "spool_smaller_than_its_reserve"];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/broken")
}

/// The configurations by their names.
fn names() -> Vec<String> {
    let entries = fs::read_dir(golden()).unwrap().flatten();
    let names = entries.filter_map(|e| e.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A command with a copy of a configuration, in a folder where nothing else is.
fn with_copy(command: &str, name: &str) -> Run {
    let dir = folder();
    let file = format!("{name}.toml");
    fs::copy(golden().join(&file), dir.path().join(&file)).unwrap();
    let mut program = Command::new("timeout");
    program.args(["--signal=KILL", "60", executable()]).args(command.split_whitespace()).args(["--config", &file]);
    program.current_dir(dir.path()).env_remove("CREDENTIALS_DIRECTORY");
    let run = finish(program);
    assert!(!dir.path().join("state").exists(), "{command} {name}: it has made a state");
    run
}

#[test]
fn check_says_of_every_broken_configuration_what_it_always_said() {
    let names = names();
    assert_eq!(names.len(), CONFIGURATIONS);
    let mut wrong = Vec::new();
    for name in &names {
        let run = with_copy("check", name);
        let said = format!("exit code {}\n{}{}", run.code, run.stdout, run.stderr);
        let path = golden().join(format!("{name}.txt"));
        if std::env::var_os("QAUDJRN_REMAKE").is_some() {
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != said {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are told otherwise (QAUDJRN_REMAKE=1 writes them anew):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn run_refuses_every_one_with_the_exit_code_of_check() {
    for name in names() {
        let check = with_copy("check", &name);
        assert_eq!(check.code, 2, "{name}: {check:?}");
        let is_warned_of = WARNED_OF.contains(&name.as_str());
        let run = with_copy(if is_warned_of { "run --deny-warnings" } else { "run" }, &name);
        assert_eq!(run.code, check.code, "{name}: {run:?}");
    }
}
