//! Manual pages and completions of shells: one for every command, which `man` and the shells take as they are.
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use clap::CommandFactory as _;
use qaudjrn::cli::Cli;

#[path = "../packaging/pages/pages.rs"]
mod pages;

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// What a program says of a file.
fn ask(program: &str, args: &[&str], file: &Path) -> Output {
    let run = Command::new(program).args(args).arg(file).env("MANWIDTH", "200").env("LC_ALL", "C.UTF-8").output();
    run.unwrap_or_else(|e| panic!("{program}: {e}: tests/tools/fetch_judges.sh"))
}

#[test]
fn every_command_has_its_page_without_a_warning_of_man() {
    let dir = tempfile::tempdir().unwrap();
    pages::manual(dir.path()).unwrap();
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut expected = BTreeSet::from(["qaudjrn.1".to_owned(), "qaudjrn.toml.5".to_owned()]);
    for command in program.get_subcommands() {
        expected.insert(format!("qaudjrn-{}.1", command.get_name()));
        expected
            .extend(command.get_subcommands().map(|c| format!("qaudjrn-{}-{}.1", command.get_name(), c.get_name())));
    }
    assert_eq!(names(dir.path()), expected);
    for name in expected {
        let file = dir.path().join(&name);
        let run = ask("man", &["--warnings=all", "-E", "UTF-8", "-Tutf8", "-Z", "-l"], &file);
        assert!(run.status.success(), "{name}");
        assert_eq!(String::from_utf8_lossy(&run.stderr), "", "man of {name}");
        let run = ask("mandoc", &["-T", "lint", "-W", "error"], &file);
        assert_eq!(String::from_utf8_lossy(&run.stdout), "", "mandoc of {name}");
    }
}

#[test]
fn the_page_of_the_configuration_shows_the_example_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    pages::manual(dir.path()).unwrap();
    let run = ask("man", &["-E", "UTF-8", "--no-hyphenation", "-l"], &dir.path().join("qaudjrn.toml.5"));
    let shown = String::from_utf8(run.stdout).unwrap();
    let shown: BTreeSet<&str> = shown.lines().map(str::trim).collect();
    let example = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("agent.toml.example")).unwrap();
    for line in example.lines() {
        assert!(shown.contains(line.trim()), "{line}");
    }
}

#[test]
fn completions_know_every_command_and_bash_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    pages::completions(dir.path()).unwrap();
    assert_eq!(names(dir.path()), ["_qaudjrn", "qaudjrn.bash", "qaudjrn.fish"].map(str::to_owned).into());
    for name in names(dir.path()) {
        let text = fs::read_to_string(dir.path().join(&name)).unwrap();
        for command in Cli::command().get_subcommands() {
            assert!(text.contains(command.get_name()), "{name}: {}", command.get_name());
        }
    }
    let bash = ask("bash", &["-n"], &dir.path().join("qaudjrn.bash"));
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
    // The word that bash would offer.
    let script = "source \"$1\"; COMP_WORDS=(qaudjrn expl); COMP_CWORD=1; _qaudjrn qaudjrn expl qaudjrn; echo \"${COMPREPLY[@]}\"";
    let offered = Command::new("bash").args(["-c", script, "_"]).arg(dir.path().join("qaudjrn.bash")).output().unwrap();
    assert_eq!(String::from_utf8(offered.stdout).unwrap(), "explain\n");
}
