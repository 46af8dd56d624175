//! `spool status`, `verify`, `export` and `forget`: what is kept, whether it is what was written, getting it out, giving it up.

use std::{fs, path::Path, time::Duration};

use harness::{
    agent::{Agent, FOLLOWED, capture, ids, signal},
    program::{Made, Run, folder, head, make, qaudjrn, replay, sequence},
    unused_port,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);

/// An agent that was stopped with 3,000 entries in its spool for an output that is down.
fn spooled() -> (Agent, Made, String) {
    let dir = folder();
    let made = capture(&dir, 3_000);
    let port = unused_port();
    let text =
        format!("{FOLLOWED}[[output]]\nname = \"down\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n");
    let agent = Agent::new(dir, &text);
    let child = agent.start();
    let status = || status(&agent);
    agent.wait("the entries", SOON, || agent.dir.path().join("state/spool.db").exists() && status()["events"] == 3_000);
    // The figures while it runs.
    assert_eq!(status()["outputs"][0]["waiting"], 3_000);
    forget(&agent, "down").assert_output(2, &["down is in the configuration"]);
    forget(&agent, "other").assert_output(2, &["an agent uses"]);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    (agent, made, text)
}

fn spool(args: &str, agent: &Agent) -> Run {
    qaudjrn(&format!("spool {args} --config"), &[&agent.config])
}

fn forget(agent: &Agent, name: &str) -> Run {
    qaudjrn(&format!("spool forget {name} --config"), &[&agent.config])
}

fn status(agent: &Agent) -> Value {
    serde_json::from_str(&spool("status --json", agent).stdout).unwrap_or_default()
}

#[test]
fn status_says_what_is_stored_and_what_waits_and_export_is_a_capture_of_it() {
    let (agent, made, text) = spooled();
    let last = made.truth.last().unwrap();
    let s = status(&agent);
    assert_eq!((&s["events"], &s["outputs"][0]["waiting"]), (&3_000.into(), &3_000.into()));
    assert_eq!(s["sources"][0]["receiver"], head(last, "receiver_name"));
    assert_eq!(s["sources"][0]["sequence"], sequence(last));
    let shown = spool("status", &agent);
    assert!(shown.stdout.contains("output down: 3,000 events wait, the oldest for"), "{}", shown.stdout);
    spool("verify", &agent).assert_output(0, &[]);
    // What is taken out and replayed is what the capture itself gives.
    let out = agent.dir.path().join("out.stream");
    qaudjrn(&format!("spool export --to {} --config", out.display()), &[&agent.config])
        .assert_output(0, &["3000 entries", "--input type5"]);
    let direct = replay("--format json", &[&made.path]);
    let taken = replay("--format json --input type5 --input-framing stream", &[&out]);
    assert!(direct.stdout == taken.stdout, "the exported entries are not those of the capture");
    // Never over a file that is there.
    qaudjrn(&format!("spool export --to {} --config", out.display()), &[&agent.config])
        .assert_output(1, &["File exists"]);
    // An output that is taken out keeps its events until it is forgotten.
    agent.configure(
        &text
            .replace("name = \"down\"", "name = \"up\"")
            .replace("address = \"tcp://127.0.0.1", "address = \"udp://127.0.0.1"),
    );
    let shown = spool("status", &agent);
    assert!(
        shown.stdout.contains("output down: 3,000 events wait")
            && shown.stdout.contains("not in the configuration any more"),
        "{}",
        shown.stdout
    );
    let forgotten = forget(&agent, "down");
    forgotten.assert_output(0, &[]);
    assert!(forgotten.stdout.contains("3,000 events that waited for it are given up"), "{}", forgotten.stdout);
    forget(&agent, "down").assert_output(2, &["the spool knows no output down"]);
}

#[test]
fn verify_names_a_damaged_batch_and_what_it_held_and_export_leaves_out_just_that_one() {
    let (agent, made, _) = spooled();
    let database = agent.dir.path().join("state/spool.db");
    let copy = agent.dir.path().join("copy.db");
    fs::copy(&database, &copy).unwrap();
    let look = |command: &str| qaudjrn(&format!("spool {command} --database"), &[&copy]);
    look("verify").assert_output(0, &[]);
    // The bytes of a batch: LZ4 keeps texts that do not repeat as they are.
    let mut bytes = fs::read(&copy).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    fs::write(&copy, &bytes).unwrap();
    let found = look("verify");
    found.assert_output(3, &[]);
    assert!(
        found.stdout.contains("wrong: batch ") && found.stdout.contains("it held: source prod01, receiver"),
        "{}",
        found.stdout
    );
    let out = agent.dir.path().join("whole.stream");
    qaudjrn(&format!("spool export --to {} --database", out.display()), &[&copy])
        .assert_output(3, &["is left out: its checksum is another", "1 damaged batches"]);
    let taken = ids(&replay("--format json --input type5 --input-framing stream", &[&out]).stdout);
    assert!(!taken.is_empty() && taken.len() < made.truth.len(), "{}", taken.len());
    look("status").assert_output(0, &[]);
    qaudjrn("spool status --database", &[Path::new("/nowhere/spool.db")]).assert_output(2, &["there is no spool"]);
}

#[test]
fn n11_entries_of_two_kinds_of_one_source_are_exported_to_a_file_each_and_an_unknown_source_is_refused() {
    let (agent, made, text) = spooled();
    let other =
        make(&agent.dir, "other.type1", "--count 200 --seed 9 --type type1 --ccsid 273 --first-sequence 100000");
    let source = "path = \"other.type1\"\nccsid = 273\ninput = \"type1\"\ndate_format = \"MDY\"\ntimezone = \"UTC\"\n";
    agent.configure(&text.replace("path = \"day.type5\"\n", source));
    let child = agent.start();
    agent.wait("the entries of the other kind", SOON, || status(&agent)["events"] == 3_201);
    signal(&child, "TERM");
    // Its headings hold neither system nor receiver, and nothing gives them: that is said.
    agent.assert_exit(child, 3, SOON);
    let export = |args: &str| spool(&format!("export {args}"), &agent);
    let at = |name: &str| agent.dir.path().join(name);
    for args in ["--source nobody", "--source nobody --parked"] {
        let to = at("none");
        export(&format!("{args} --to {}", to.display())).assert_output(2, &["--source nobody: the spool knows prod01"]);
        assert!(!to.exists(), "{args}");
    }
    // No capture holds both.
    let run = export("--source prod01");
    run.assert_output(2, &["--input type5 --ccsid 37", "--input type1 --ccsid 273", "give --to FILE"]);
    assert_eq!(run.stdout, "");
    // Nothing is left of what cannot be finished.
    fs::write(at("out.2"), "mine").unwrap();
    let to = format!("--source prod01 --to {}", at("out").display());
    export(&to).assert_output(1, &["out.2: File exists"]);
    assert!(!at("out").exists());
    assert_eq!(fs::read_to_string(at("out.2")).unwrap(), "mine");
    fs::remove_file(at("out.2")).unwrap();
    export(&to).assert_output(
        0,
        &[
            "out: 3000 entries (replay them with --input type5 --ccsid 37)",
            "out.2: 200 entries",
            "qaudjrn: 3200 entries;",
        ],
    );
    for (name, input, path) in [
        ("out", "type5 --ccsid 37", &made.path),
        ("out.2", "type1 --ccsid 273 --date-format MDY --system S --receiver R", &other.path),
    ] {
        let direct = replay(&format!("--format json --input {input}"), &[path]);
        let taken = replay(&format!("--format json --input {input} --input-framing stream"), &[&at(name)]);
        assert!(!taken.stdout.is_empty() && direct.stdout == taken.stdout, "{name}: {}", taken.stderr);
    }
}

#[test]
fn n11_numbers_that_go_back_are_a_remark_and_no_damage() {
    let dir = folder();
    capture(&dir, 100);
    let output = "[[output]]\nname = \"down\"\naddress = \"tcp://127.0.0.1:9\"\n";
    let agent = Agent::new(dir, &format!("{FOLLOWED}{output}"));
    let child = agent.start();
    agent.wait("the entries", SOON, || status(&agent)["events"] == 100);
    // Some of the entries again, in a file that takes the place of the first.
    make(&agent.dir, "again", "--count 50 --seed 1");
    fs::rename(agent.dir.path().join("again"), agent.dir.path().join("day.type5")).unwrap();
    agent.wait("the entries again", SOON, || status(&agent)["events"].as_u64() >= Some(150));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let run = spool("verify", &agent);
    run.assert_output(0, &[]);
    assert!(run.stdout.contains("remark: batch ") && !run.stdout.contains("wrong: "), "{}", run.stdout);
    assert!(run.stdout.contains("sequence numbers go back from 100"), "{}", run.stdout);
}

#[test]
fn n11_a_database_that_cannot_be_opened_as_one_is_named_and_ends_verify_with_3() {
    let (agent, _, _) = spooled();
    let copy = agent.dir.path().join("copy.db");
    let whole = fs::read(agent.dir.path().join("state/spool.db")).unwrap();
    for bytes in [&whole[..30_000], b"no database at all, but long enough to be looked at".as_slice(), b""] {
        fs::write(&copy, bytes).unwrap();
        let run = qaudjrn("spool verify --database", &[&copy]);
        run.assert_output(3, &[]);
        assert!(run.stdout.contains("copy.db") && run.stdout.contains("wrong: the database: "), "{}", run.stdout);
        let run = qaudjrn("spool status --database", &[&copy]);
        assert!(run.code == 1 && run.stderr.contains("is damaged: "), "{}", run.stderr);
    }
}
