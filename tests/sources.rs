//! Several sources of one agent, each with its own zone, CCSID, system and filter; receivers that follow one another
//! within one batch.

use std::{collections::BTreeSet, fs, io::Write, time::Duration};

use harness::{
    agent::{Agent, notices},
    program::{Made, event, folder, make, qaudjrn, sequence},
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap()).filter(|l: &Value| !l["sequence"].is_null()).collect()
}

/// The lines of one system, in the order of their sequence numbers.
fn of<'a>(lines: &'a [Value], system: &str) -> Vec<&'a Value> {
    let mut found: Vec<&Value> = lines.iter().filter(|l| l["system"] == system).collect();
    found.sort_by_key(|l| l["sequence"].as_str().unwrap().parse::<u64>().unwrap());
    found
}

/// Its own zone, CCSID and filter hold for each source; judged by the truth, and field by field by `replay`.
#[test]
fn n3_sources_side_by_side_keep_their_zone_ccsid_system_and_filter_apart() {
    let dir = folder();
    let all: [(&str, &str, &str, u16, &str); 4] = [
        ("berlin", "PROD01", "Europe/Berlin", 273, "+02:00"),
        ("york", "PROD02", "America/New_York", 37, "-04:00"),
        ("tokyo", "PROD03", "Asia/Tokyo", 939, "+09:00"),
        ("delhi", "PROD04", "Asia/Kolkata", 500, "+05:30"),
    ];
    let mut text = String::new();
    let mut made: Vec<Made> = Vec::new();
    for (name, system, zone, ccsid, _) in all {
        // The same receiver and the same sequence numbers everywhere: only the system tells them apart.
        let args = format!("--count 400 --seed {ccsid} --ccsid {ccsid} --system {system} --start 2026-07-01T08:00:00");
        made.push(make(&dir, name, &args));
        text += &format!(
            "[[source]]\nname = \"{name}\"\npath = \"{name}\"\nfollow = false\ntimezone = \"{zone}\"\nccsid = {ccsid}\n"
        );
        if name == "york" {
            text += "filter.types.exclude = [\"CO\", \"DO\"]\n";
        }
    }
    text += "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";
    let agent = Agent::new(dir, &text);
    agent.assert_exit(agent.command().arg("--strict").spawn().unwrap(), 0, SOON);
    let lines = parsed(&agent.read("out"));
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty());
    let hidden = |t: &&Value| ["CO", "DO"].contains(&event(t).0.as_str());
    for ((name, system, zone, ccsid, offset), made) in all.into_iter().zip(&made) {
        let got = of(&lines, system);
        let want: Vec<u64> = made.truth.iter().filter(|t| name != "york" || !hidden(t)).map(sequence).collect();
        let numbers: Vec<u64> = got.iter().map(|l| l["sequence"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(numbers, want, "{name}");
        assert!(got.iter().all(|l| l["time"].as_str().unwrap().ends_with(offset)), "{name}: {}", got[0]);
        let args = format!("replay --format json --timezone {zone} --ccsid {ccsid}");
        let alone = qaudjrn(&args, &[&made.path]);
        alone.assert_output(0, &[]);
        let alone = parsed(&alone.stdout);
        let alone: Vec<&Value> = of(&alone, system).into_iter().filter(|l| numbers.contains(&number(l))).collect();
        let other = got.iter().zip(&alone).find(|(got, alone)| got != alone);
        assert_eq!((got.len(), other), (alone.len(), None), "{name}");
    }
    assert!(made[1].truth.iter().any(|t| hidden(&t)), "the filter had something to do");
}

fn number(line: &Value) -> u64 {
    line["sequence"].as_str().unwrap().parse().unwrap()
}

/// A new receiver that goes on counting, one that begins at 1 again, holes: all within a few hundred records, which are
/// one batch. None of them is a gap; a number that goes back within a receiver is.
#[test]
fn n3_receivers_that_change_within_a_batch_are_no_gap_and_a_step_back_is_one() {
    let dir = folder();
    let parts =
        [("0042", 1, 90), ("0043", 91, 60), ("0044", 1, 40), ("0044", 77, 30), ("0045", 107, 10), ("0046", 1, 5)];
    let mut day = Vec::new();
    let mut want = BTreeSet::new();
    for (n, (receiver, first, count)) in parts.into_iter().enumerate() {
        let args = format!(
            "--count {count} --seed {n} --receiver AUDRCV{receiver} --first-sequence {first} --sequence-style left"
        );
        let made = make(&dir, "part", &args);
        day.extend(fs::read(&made.path).unwrap());
        want.extend(made.truth.iter().map(|t| format!("AUDRCV{receiver}:{}", sequence(t))));
    }
    fs::write(dir.path().join("day.type5"), &day).unwrap();
    let text = format!(
        "{}[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n",
        "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfollow = false\n"
    );
    let agent = Agent::new(dir, &text);
    agent.assert_exit(agent.command().arg("--strict").spawn().unwrap(), 0, SOON);
    let id = |l: &Value| format!("{}:{}", l["receiver"].as_str().unwrap(), l["sequence"].as_str().unwrap());
    let out = agent.read("out");
    assert_eq!(parsed(&out).iter().map(id).collect::<BTreeSet<_>>(), want);
    assert_eq!(out.lines().count(), want.len(), "no notice and nothing twice");

    let back =
        make(&agent.dir, "back", "--count 3 --seed 9 --receiver AUDRCV0046 --first-sequence 4 --sequence-style left");
    let mut day = fs::OpenOptions::new().append(true).open(agent.dir.path().join("day.type5")).unwrap();
    day.write_all(&fs::read(back.path).unwrap()).unwrap();
    agent.assert_exit(agent.command().arg("--strict").spawn().unwrap(), 3, SOON);
    let out = agent.read("out");
    let gaps = notices(&out, "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{out}");
    assert!(gaps[0]["first_after"].as_str().unwrap().ends_with("AUDRCV0046:4"), "{}", gaps[0]);
    assert_eq!(parsed(&out).len(), want.len() + 3, "it goes on from there");
}
