//! Running `qaudjrn doctor` against a simulated system, and picking findings out of what it reports.
use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    program::{Run, qaudjrn},
    system::System,
};

/// A configuration with the system as its source.
pub fn config(system: &System, text: &str) -> PathBuf {
    let path = system.dir.path().join("agent.toml");
    fs::write(&path, format!("{}{text}", system.source(""))).unwrap();
    path
}

/// Runs it, and looks that it was well-behaved: one login, queries only.
#[track_caller]
pub fn doctor(system: &System, config: &Path, args: &str, code: i32) -> Run {
    system.tell(json!({"cmd": "stats", "reset": true}));
    let run = qaudjrn(&format!("doctor {args} --config"), &[config]);
    assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
    let stats = system.was_treated_well();
    assert_eq!(stats["logins"], 1, "{stats}");
    run
}

/// The findings of a run that ends with `code`; the numbers of the report agree with them.
#[track_caller]
pub fn findings(system: &System, text: &str, code: i32) -> Vec<Value> {
    let run = doctor(system, &config(system, text), "--json", code);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let all = report["systems"][0]["findings"].as_array().unwrap().clone();
    let count = |severity: &str| all.iter().filter(|f| f["severity"] == severity).count();
    assert_eq!(report["errors"], count("error"), "{report}");
    assert_eq!(report["warnings"], count("warning"), "{report}");
    assert_eq!(report["systems"][0]["system"], "PROD01");
    all
}

/// Ids of findings, in order.
pub fn ids(all: &[Value]) -> Vec<&str> {
    all.iter().map(|f| f["id"].as_str().unwrap()).collect()
}

/// The only finding of an id.
#[track_caller]
pub fn one<'a>(all: &'a [Value], id: &str) -> &'a Value {
    let found: Vec<&Value> = all.iter().filter(|f| f["id"] == id).collect();
    assert_eq!(found.len(), 1, "{id} in {all:#?}");
    found[0]
}

/// The commands that a finding proposes.
pub fn commands(finding: &Value) -> Vec<&str> {
    finding["commands"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect()
}

/// Sets system values.
pub fn values(system: &System, values: Value) {
    system.tell(json!({"cmd": "values", "values": values}));
}

/// The commands of the only finding of an id.
pub fn commands_of<'a>(all: &'a [Value], id: &str) -> Vec<&'a str> {
    commands(one(all, id))
}
