//! `${NAME}` and `credential:NAME` in the texts of a configuration, as the program reads them.
use std::{fs, path::Path, process::Command};

use harness::program::{Run, executable, finish, folder, make};
use serde_json::Value;

/// `check --json`, with these variables.
fn check(config: &Path, variables: &[(&str, &str)]) -> (Run, Value) {
    let mut command = Command::new(executable());
    command.args(["check", "--json", "--config"]).arg(config).env_remove("CREDENTIALS_DIRECTORY");
    command.envs(variables.iter().copied());
    let run = finish(command);
    let said = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", run.stdout, run.stderr));
    (run, said)
}

fn problems(said: &Value) -> Vec<String> {
    let all = said["problems"].as_array().unwrap();
    all.iter().map(|p| format!("{}:{}: {}", p["line"], p["column"], p["text"].as_str().unwrap())).collect()
}

#[test]
fn a_variable_is_one_text_wherever_a_text_stands_and_one_that_is_not_set_is_an_error_with_its_place() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    fs::write(
        &config,
        "[filter]\nusers.exclude = [\"${QAUDJRN_TEST_USER}\"]\nhistory.send = \"${QAUDJRN_TEST_WORD}\"\n\
         [spool]\nmax_size = \"${QAUDJRN_TEST_SIZE}\"\n[line]\nvendor = \"$${NO}\"\n\
         [[output]]\nname = \"a\"\naddress = \"tls://${QAUDJRN_TEST_HOST}:6514\"\n",
    )
    .unwrap();
    let variables = [
        ("QAUDJRN_TEST_USER", "BILL"),
        ("QAUDJRN_TEST_WORD", "all"),
        ("QAUDJRN_TEST_SIZE", "1GiB"),
        ("QAUDJRN_TEST_HOST", "siem.example.com"),
    ];
    let (run, said) = check(&config, &variables);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(said["filters"][0]["means"].to_string().contains("drops users BILL"), "{said}");
    let (run, said) = check(&config, variables.get(..3).unwrap());
    assert_eq!((run.code, problems(&said).len()), (2, 1), "{said}");
    let wrong = problems(&said);
    assert!(
        wrong[0].starts_with("10:11: output.address: the variable QAUDJRN_TEST_HOST of the environment is not set"),
        "{wrong:?}"
    );
    // What it holds is looked at by its key as any other text, and is never more than one.
    let hostile = [&variables[1..], &[("QAUDJRN_TEST_USER", "A\"]\ntypes.exclude = [\"PW")]].concat();
    let (run, said) = check(&config, &hostile);
    assert!(run.code == 2 && problems(&said)[0].starts_with("2:18: users.exclude: "), "{said}");
    assert!(!said["filters"].to_string().contains("all but PW"), "{said}");
}

#[test]
fn a_variable_in_a_file_of_conf_d_has_the_place_of_that_file() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(&config, "stop_timeout = 5\n").unwrap();
    fs::write(dir.path().join("conf.d/a.toml"), "\n[line]\nvendor = \"${QAUDJRN_TEST_NONE}\"\n").unwrap();
    let (_, said) = check(&config, &[]);
    let problem = said["problems"].as_array().unwrap().iter().find(|p| p["line"] == 3).unwrap();
    assert!(problem["file"].as_str().unwrap().ends_with("conf.d/a.toml") && problem["column"] == 10, "{problem}");
}

#[test]
fn a_credential_is_the_value_of_its_key_and_a_file_where_the_key_wants_one() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("siem"), "tls://siem.example.com:6514\n").unwrap();
    fs::write(credentials.join("two"), "Example\n\n").unwrap();
    let text = "[[output]]\nname = \"a\"\naddress = \"credential:siem\"\n";
    fs::write(&config, text).unwrap();
    let with = [("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())];
    let (run, said) = check(&config, &with);
    assert_eq!(run.code, 0, "{said}");
    // Without systemd it is an error, because nobody knows what would be run.
    let (run, said) = check(&config, &[]);
    assert!(run.code == 2 && problems(&said)[0].contains("$CREDENTIALS_DIRECTORY is not set"), "{said}");
    // One line feed is taken off, not two; and no content gets into the message.
    fs::write(&config, format!("{text}[line]\nvendor = \"credential:two\"\n")).unwrap();
    let (_, said) = check(&config, &with);
    assert!(
        problems(&said)[0].starts_with("5:10: line.vendor: expected") && !said.to_string().contains("Example"),
        "{said}"
    );
    for wrong in ["credential:..", "credential:", "credential:nowhere"] {
        fs::write(&config, text.replace("credential:siem", wrong)).unwrap();
        let (run, said) = check(&config, &with);
        assert!(run.code == 2 && problems(&said).iter().any(|p| p.starts_with("3:11: output.address: ")), "{said}");
    }
    // A variable that holds such a word is a text.
    fs::write(&config, text.replace("credential:siem", "${QAUDJRN_TEST_ADDRESS}")).unwrap();
    let all = [with[0], ("QAUDJRN_TEST_ADDRESS", "credential:siem")];
    assert!(problems(&check(&config, &all).1)[0].contains("output.address: "), "{}", check(&config, &all).1);
}

#[test]
fn lines_are_written_with_what_the_variables_hold() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 3 --seed 4");
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[line]\nvendor = \"${QAUDJRN_TEST_VENDOR}\"\n").unwrap();
    let mut command = Command::new(executable());
    command.args(["replay", "--timezone", "UTC", "--to", "stdout", "--config"]).arg(&config).arg(&made.path);
    command.env("QAUDJRN_TEST_VENDOR", "Example ${X}");
    let run = finish(command);
    assert!(run.stdout.contains("CEF:0|Example ${X}|"), "{} {}", run.stdout, run.stderr);
}
