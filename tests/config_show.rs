//! `config show`: what is in force, and where each value comes from.
use std::{fs, path::Path, process::Command};

use harness::program::{Run, executable, finish, folder};
use serde_json::Value;

fn show(config: &Path, json: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(executable());
    command.args(["config", "show"]).args(json.split_whitespace()).arg("--config").arg(config);
    command.envs(variables.iter().copied());
    finish(command)
}

const TEXT: &str = "stop_timeout = 7\n[[source]]\nname = \"prod01\"\nkind = \"mapepire\"\naddress = \"${QAUDJRN_TEST_HOST}\"\nuser = \"QAUDLOG\"\n\
    password = \"${QAUDJRN_TEST_PASSWORD}\"\nproperties = \"naming=sql;password=hunter2\"\n";

#[test]
fn every_value_has_its_place_its_variable_or_is_a_default_and_secrets_are_masked() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("vendor"), "topsecret\n").unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(&config, TEXT).unwrap();
    let more = "[line]\nvendor = \"credential:vendor\"\n[[output]]\nname = \"a\"\naddress = \"null\"\n";
    fs::write(dir.path().join("conf.d/a.toml"), more).unwrap();
    let variables = [
        ("QAUDJRN_TEST_HOST", "prod01.example.com"),
        ("QAUDJRN_TEST_PASSWORD", "/hidden/password/file"),
        ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap()),
    ];
    let shown = show(&config, "", &variables);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let place = |file: &str, at: &str| format!("{}:{at}", dir.path().join(file).display());
    for line in [
        format!("stop_timeout = 7  # {}", place("agent.toml", "1:16")),
        "heartbeat = 60  # default".to_owned(),
        "# state_dir: not given".to_owned(),
        format!(
            "address = \"${{QAUDJRN_TEST_HOST}}\"  # {}, environment QAUDJRN_TEST_HOST: \"prod01.example.com\"",
            place("agent.toml", "5:11")
        ),
        format!(
            "password = \"${{QAUDJRN_TEST_PASSWORD}}\"  # {}, environment QAUDJRN_TEST_PASSWORD, masked",
            place("agent.toml", "7:12")
        ),
        format!("properties = \"naming=sql;password=***\"  # {}, masked", place("agent.toml", "8:14")),
        format!("vendor = \"credential:vendor\"  # {}, credential vendor, masked", place("conf.d/a.toml", "2:10")),
        "poll_interval = 2  # default".to_owned(),
        "# header: of the format: rfc5424".to_owned(),
        "filter.types.send = [\"*ALL\"]  # default".to_owned(),
        "# filter.users.match: as in [filter]: \"effective\"".to_owned(),
    ] {
        assert!(shown.stdout.lines().any(|l| l == line), "{line}\nis not in\n{}", shown.stdout);
    }
    for secret in ["hunter2", "/hidden/password/file", "topsecret"] {
        assert!(!shown.stdout.contains(secret), "{secret}");
    }
    let json = show(&config, "--json", &variables);
    assert!(!json.stdout.contains("hunter2") && !json.stdout.contains("topsecret") && !json.stdout.contains("/hidden"));
    let said: Value = serde_json::from_str(&json.stdout).unwrap();
    let keys = said["keys"].as_array().unwrap();
    let of = |table: &str, key: &str| keys.iter().find(|k| k["table"] == table && k["key"] == key).unwrap();
    assert_eq!(of("source[0]", "address")["holds"], "prod01.example.com");
    assert_eq!(
        (&of("source[0]", "page")["value"], &of("source[0]", "page")["from"]),
        (&100_000.into(), &"default".into())
    );
    assert_eq!(of("line", "vendor")["credentials"][0], "vendor");
    assert_eq!(of("source[0]", "password")["masked"], true);
}

#[test]
fn a_configuration_with_errors_is_not_shown() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[lime]\n").unwrap();
    show(&config, "", &[]).assert_output(2, &["agent.toml:1:2: error: unknown key lime: did you mean line?"]);
}
