//! The journal of a live system over Mapepire. No IBM i can be had: the system is `tests/tools/ibmi`, a stand-in written apart from
//! the product, which plays back a genuine server's frames and is judged by independent clients (`test_stand_in.py`). It answers
//! the statements it knows and counts any other.

use std::{
    cell::Cell, collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration,
};

use harness::{
    agent::{Agent, notices, signal},
    arrived::{arrived, count, stop},
    program::folder,
    system::{System, tools},
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

fn agent(text: &str) -> Agent {
    Agent::new(folder(), &format!("{text}{OUTPUT}"))
}

/// Everything came, nothing else; returns how many came more than once.
#[track_caller]
fn all_came(system: &System, agent: &Agent) -> usize {
    let truth = system.truth();
    let (_, got) = arrived(&agent.read("out"));
    let missing: Vec<&String> = truth.iter().map(|(id, _)| id).filter(|id| !got.contains_key(*id)).collect();
    assert!(missing.is_empty(), "{} of {} are missing, first {:?}", missing.len(), truth.len(), missing.first());
    assert_eq!(got.len(), truth.len());
    got.values().filter(|n| **n > 1).count()
}

#[test]
fn n3_entries_arrive_as_they_are_over_tls_with_every_set_of_columns() {
    for (catalog, stamps) in [("new", "ibm"), ("middle", "iso"), ("old", "ibm")] {
        let truth = folder();
        let truth = truth.path().join("templates");
        let system = System::start(&format!(
            "--entries 500 --catalog {catalog} --stamps {stamps} --holes 40 --truth {}",
            truth.display()
        ));
        let agent = agent(&system.source("from = \"oldest\""));
        let child = agent.start();
        agent.wait("everything", SOON, || count(&agent) == system.truth().len());
        stop(&agent, child);
        assert_eq!(all_came(&system, &agent), 0);
        // Value by value: what the maker of the entries says of each.
        let path = system.dir.path().join("truth");
        system.tell(json!({"cmd": "truth", "codes": "T", "path": path}));
        let templates: Vec<Value> =
            fs::read_to_string(&truth).unwrap().split('\n').filter_map(|l| serde_json::from_str(l).ok()).collect();
        let lines: BTreeMap<String, Value> = agent
            .read("out")
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .map(|l| (l["entry_id"].as_str().unwrap_or("").to_owned(), l))
            .collect();
        let mut compared = 0;
        for entry in fs::read_to_string(&path).unwrap().lines() {
            let entry: Value = serde_json::from_str(entry).unwrap();
            let (Some(n), line) = (entry["template"].as_u64(), &lines[entry["id"].as_str().unwrap()]) else { continue };
            let head = &templates[usize::try_from(n).unwrap()]["header"];
            let text = |name: &str| head[name].as_str().unwrap_or("").trim_end().to_owned();
            assert_eq!(line["effective_user"], text("user_name"), "{line}");
            assert_eq!(line["job_user"], text("job_user"), "{line}");
            assert!(line["event_id"].as_str().unwrap().starts_with(&text("journal_entry_type")), "{line}");
            let job = line["job"].as_str().unwrap();
            assert!(job.ends_with(&format!("/{}/{}", text("job_user"), text("job_name"))), "{line}");
            let address = text("remote_address");
            // Without the columns, the entry data of some types has one of its own.
            if catalog == "new" && !address.is_empty() {
                assert_eq!(line["remote_address"], address, "{line}");
            }
            assert!(line["time"].as_str().unwrap().ends_with("+02:00"), "{line}");
            compared += 1;
        }
        assert!(compared > 300, "{compared}");
        system.was_treated_well();
    }
}

#[test]
fn n3_every_id_comes_through_rolls_a_reset_a_stale_list_a_restart_stalls_and_kill_9() {
    // QAUDJRN_LONG=1: a million entries.
    let entries: u64 = if std::env::var("QAUDJRN_LONG").is_ok() { 1_000_000 } else { 30_000 };
    let first = entries / 2;
    let system =
        System::start(&format!("--entries {first} --receivers 10 --reset-at 6 --holes 1000 --entry-bytes 600"));
    // One lane: the order in the file is that of the journal.
    let source = system.source(&format!("from = \"oldest\"\npage = {}\ncall_timeout = 3", (entries / 10).max(1_000)));
    let agent = Agent::new(folder(), &format!("{source}{OUTPUT}priority_types = []\n"));
    let mut child = agent.start();
    let each = (entries - first) / 10;
    for round in 0..10 {
        // It has read what was there, or is reading it.
        system.wait_for_looks(&agent, "CHAIN", 1);
        match round {
            1 => drop(system.tell(json!({"cmd": "kill"}))),
            2 | 6 => {
                child.kill().unwrap();
                child.wait().unwrap();
                child = agent.start();
            }
            // Longer than call_timeout.
            3 => drop(system.tell(json!({"cmd": "stall", "statement": "PAGE", "seconds": 5}))),
            4 => drop(system.tell(json!({"cmd": "stall", "statement": "CHAIN", "seconds": 2}))),
            5 => drop(system.tell(json!({"cmd": "drop", "statement": "SQLMORE", "after": 0}))),
            _ => {}
        }
        system.tell(json!({"cmd": "append", "count": each}));
        let kind = if round % 2 == 0 { "missing" } else { "last" };
        system.tell(json!({"cmd": "roll", "reset": round == 7, "stale": round % 3, "kind": kind, "hidden": round % 2}));
        system.tell(json!({"cmd": "append", "count": 3}));
    }
    let within = if entries > 100_000 { Duration::from_secs(600) } else { Duration::from_secs(120) };
    let want = system.truth().len();
    // Counted only when the file has stopped growing: it is long.
    let (size, file) = (Cell::new(0), agent.dir.path().join("out"));
    agent.wait("everything", within, || {
        let now = fs::metadata(&file).map_or(0, |m| m.len());
        size.replace(now) == now && count(&agent) == want
    });
    stop(&agent, child);
    all_came(&system, &agent);
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "{}", agent.log());
    // No jump back: what came twice came in one piece behind a kill, and the first time of each is in order.
    let truth: Vec<String> = system.truth().into_iter().map(|(id, _)| id).collect();
    let place: BTreeMap<&str, usize> = truth.iter().enumerate().map(|(n, id)| (id.as_str(), n)).collect();
    let order: Vec<usize> = arrived(&agent.read("out")).0.iter().map(|id| place[id.as_str()]).collect();
    let back: Vec<(&str, &str)> =
        order.windows(2).filter(|w| w[0] > w[1]).map(|w| (truth[w[0]].as_str(), truth[w[1]].as_str())).collect();
    assert!(back.is_empty(), "the first time of each is in order: {back:?}");
    system.was_treated_well();
}

#[test]
fn n3_a_deleted_receiver_that_was_not_read_is_one_gap_that_names_what_is_missing() {
    let system = System::start("--entries 300 --receivers 1");
    let agent = agent(&system.source("from = \"oldest\""));
    let child = agent.start();
    agent.wait("the first", SOON, || count(&agent) == system.truth().len());
    stop(&agent, child);
    // While the agent is away, a whole receiver comes and goes.
    let lost = system.tell(json!({"cmd": "roll"}))["receiver"].as_str().unwrap().to_owned();
    system.tell(json!({"cmd": "append", "count": 200}));
    system.tell(json!({"cmd": "roll"}));
    system.tell(json!({"cmd": "append", "count": 50}));
    system.tell(json!({"cmd": "delete", "receiver": lost}));
    let chain = system.tell(json!({"cmd": "chain"}));
    let (before, after) = (&chain["receivers"][0], &chain["receivers"][1]);
    let from = before["last"].as_str().map_or_else(|| before["last"].as_u64(), |s| s.parse().ok()).unwrap() + 1;
    let to = after["first"].as_str().map_or_else(|| after["first"].as_u64(), |s| s.parse().ok()).unwrap() - 1;
    let child = agent.start();
    let there = system.truth().iter().filter(|(id, _)| !id.starts_with(&lost)).count();
    agent.wait("the rest", SOON, || count(&agent) == there);
    stop(&agent, child);
    let gaps = notices(&agent.read("out"), "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let missing = gaps[0]["missing"].as_str().unwrap();
    assert!(missing.starts_with(&format!("entries {from} to {to} between")), "{missing}");
    // The one that is being read is deleted: one gap, and it goes on with what is there.
    system.tell(json!({"cmd": "roll"}));
    system.tell(json!({"cmd": "append", "count": 20}));
    let chain = system.tell(json!({"cmd": "chain"}));
    let names: Vec<String> =
        chain["receivers"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect();
    for name in &names[..names.len() - 1] {
        system.tell(json!({"cmd": "delete", "receiver": name}));
    }
    let child = agent.start();
    agent.wait("the second gap", SOON, || notices(&agent.read("out"), "AGENT-GAP").len() == 2);
    let newest = system.truth().iter().filter(|(id, _)| id.starts_with(names.last().unwrap())).count();
    agent.wait("what is there", SOON, || {
        arrived(&agent.read("out")).0.iter().filter(|id| id.starts_with(names.last().unwrap())).count() == newest
    });
    // No third one comes.
    system.wait_for_looks(&agent, "CHAIN", 2);
    stop(&agent, child);
    assert_eq!(notices(&agent.read("out"), "AGENT-GAP").len(), 2);
    system.was_treated_well();
}

#[test]
fn a_refused_login_is_never_tried_again_and_a_reload_is() {
    let system = System::start("--entries 20");
    let text = system.source("from = \"oldest\"");
    let password = system.dir.path().join("password");
    fs::write(&password, "wrong\n").unwrap();
    let agent = agent(&text);
    let child = agent.start();
    // That it is not tried again within a day either, `source/live/poll.rs` shows.
    agent.wait("the refusal", SOON, || agent.log().contains("the login is refused"));
    assert!(agent.log().contains("it is not tried again"), "{}", agent.log());
    let stats = system.tell(json!({"cmd": "stats"}));
    assert_eq!((&stats["logins"], &stats["logins_failed"]), (&json!(1), &json!(1)), "{stats}");
    assert!(agent.log().contains("Password is incorrect"), "{}", agent.log());
    assert!(!agent.log().contains("wrong"), "no password in the log");
    fs::write(&password, "secret\n").unwrap();
    signal(&child, "HUP");
    agent.wait("everything", SOON, || count(&agent) == system.truth().len());
    stop(&agent, child);
    let stats = system.was_treated_well();
    assert_eq!(stats["logins_failed"], 1);
    // Others can read it: it is not used.
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let child = agent.start();
    agent.wait("the refusal", SOON, || agent.log().contains("others can read this password (mode 0644)"));
    stop(&agent, child);
}

#[test]
fn n3_it_begins_where_it_is_told_and_goes_on_where_it_was() {
    let system = System::start("--entries 400 --receivers 4");
    let truth: Vec<String> = system.truth().into_iter().map(|(id, _)| id).collect();
    let middle = &truth[truth.len() / 2];
    // From an entry on.
    let agent = agent(&system.source(&format!("from = \"{middle}\"")));
    let child = agent.start();
    agent.wait("its half", SOON, || count(&agent) == truth.len() - truth.len() / 2);
    stop(&agent, child);
    assert_eq!(arrived(&agent.read("out")).1.get(middle), Some(&1));
    // From a time on.
    let path = system.dir.path().join("truth");
    let times: Vec<Value> =
        fs::read_to_string(&path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let micros = times[truth.len() / 2]["time"].as_i64().unwrap();
    let epoch = chrono_from(micros);
    let timed = Agent::new(folder(), &format!("{}{OUTPUT}", system.source(&format!("from = \"{epoch}\""))));
    let child = timed.start();
    timed.wait("its half", SOON, || count(&timed) == truth.len() - truth.len() / 2);
    stop(&timed, child);
    // From now on: what comes, and over a restart what came meanwhile.
    let now = Agent::new(folder(), &format!("{}{OUTPUT}", system.source("from = \"now\"")));
    let child = now.start();
    now.wait("the connection", SOON, || now.log().contains("remote addresses"));
    // The place to begin at is found by the first look and stored before the third.
    system.wait_for_looks(&now, "CHAIN", 3);
    stop(&now, child);
    system.tell(json!({"cmd": "append", "count": 30}));
    let child = now.start();
    now.wait("what came meanwhile", SOON, || count(&now) >= 30);
    system.wait_for_looks(&now, "CHAIN", 2);
    stop(&now, child);
    let new = system.truth().len() - truth.len();
    assert_eq!(count(&now), new, "{}", now.log());
    system.was_treated_well();
}

/// Microseconds of the stand-in's local time as a timestamp.
fn chrono_from(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let command =
        Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%d-%H.%M.%S"]).output().unwrap();
    format!("{}.{:06}", String::from_utf8(command.stdout).unwrap().trim(), micros.rem_euclid(1_000_000))
}

#[test]
fn r40_the_command_way_needs_no_login_and_data_longer_than_an_answer_is_fetched() {
    let tool = tools().join("ibmi/mapepire.py");
    let log = folder();
    let agent = agent(&format!(
        "[[source]]\nname = \"prod01\"\nkind = \"mapepire\"\ncommand = [\"python3\", \"{}\", \"--single\", \"--entries\", \"200\", \"--entry-bytes\", \"20000\", \"--control\", \"{}\"]\nfrom = \"oldest\"\ntimezone = \"Etc/GMT-2\"\npoll_interval = 1\n",
        tool.display(),
        log.path().join("control").display()
    ));
    let child = agent.start();
    agent.wait("everything", SOON, || count(&agent) >= 201);
    stop(&agent, child);
    assert!(!agent.read("out").contains("\"incomplete\""), "{}", agent.log());
    let batches = agent.log();
    assert!(batches.contains("connected to"), "{batches}");
    // The program is gone with the agent.
    let left = Command::new("pgrep").args(["-f", &log.path().join("control").display().to_string()]).output().unwrap();
    assert!(left.stdout.is_empty());
}

#[test]
fn the_offset_that_the_system_says_is_kept_with_each_batch() {
    let system = System::start("--entries 50");
    // Nobody takes them: the batches stay in the spool.
    let output = "[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:1\"\n";
    let agent = Agent::new(folder(), &format!("{}{output}", system.source("from = \"oldest\"")));
    let child = agent.start();
    let database = agent.dir.path().join("state/spool.db");
    let batches = || -> Vec<Value> {
        let Ok(db) = rusqlite::Connection::open_with_flags(&database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        else {
            return Vec::new();
        };
        let Ok(mut query) = db.prepare("SELECT about FROM batch ORDER BY id") else { return Vec::new() };
        let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
    };
    let read = |b: &[Value]| b.iter().map(|b| b["read"].as_u64().unwrap()).sum::<u64>();
    agent.wait("the entries", SOON, || read(&batches()) == 51);
    let before = batches().len();
    assert!(batches().iter().all(|b| b["system_offset"] == 7_200 && b["zone"] == "Etc/GMT-2"), "{:#?}", batches());
    // Summer time ends there, and the zone of the source knows of none.
    system.tell(json!({"cmd": "offset", "seconds": 3_600}));
    agent.wait("the clock", SOON, || agent.log().contains("the system's clock is +01:00 from UTC"));
    system.tell(json!({"cmd": "append", "count": 5}));
    agent.wait("the entries behind", SOON, || read(&batches()) == 56);
    stop(&agent, child);
    assert!(batches().iter().skip(before).all(|b| b["system_offset"] == 3_600), "{:#?}", batches());
}

#[test]
fn what_the_system_answers_wrong_is_told_with_what_to_do() {
    let system = System::start("--entries 50");
    system.tell(json!({"cmd": "authority", "missing": ["PAGE"]}));
    let agent = agent(&system.source("from = \"oldest\""));
    let child = agent.start();
    agent.wait("the complaint", SOON, || agent.log().contains("the user needs *USE on the journal and on receiver"));
    system.tell(json!({"cmd": "authority", "missing": []}));
    agent.wait("everything", SOON, || count(&agent) == system.truth().len());
    // An inverted range and an empty one are no losses; nor is an error that ends the connection.
    for error in ["CPF7054", "CPF7062", "CPF9801", "CPF7053", "CPF0001"] {
        system.tell(json!({"cmd": "fail", "error": error, "statement": "PAGE", "count": 2}));
        system.tell(json!({"cmd": "append", "count": 5}));
        let want = system.truth().len();
        agent.wait(error, SOON, || count(&agent) == want);
    }
    stop(&agent, child);
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "{}", agent.log());
    assert_eq!(all_came(&system, &agent), 0);
    // A clock that is not that of the zone.
    let elsewhere = Agent::new(
        folder(),
        &format!("{}{OUTPUT}", system.source("from = \"now\"").replace("Etc/GMT-2", "America/New_York")),
    );
    let child = elsewhere.start();
    elsewhere.wait("the clock", SOON, || elsewhere.log().contains("the system's clock is +02:00 from UTC"));
    stop(&elsewhere, child);
    // A server that is none, and a certificate that nobody trusts.
    let text = system.source("from = \"now\"");
    let ca = format!("ca = \"{}\"", system.dir.path().join("cert.pem").display());
    let stranger = Agent::new(folder(), &format!("{}{OUTPUT}", text.replace(&ca, "")));
    let child = stranger.start();
    stranger.wait("the distrust", SOON, || stranger.log().contains("TLS"));
    stop(&stranger, child);
    let before = system.tell(json!({"cmd": "stats"}))["logins"].clone();
    // By its fingerprint.
    let shown = harness::program::qaudjrn(&format!("pin localhost:{}", system.port), &[] as &[&Path]);
    let pin = shown.stdout.split("--pin ").nth(1).expect("a fingerprint").trim().to_owned();
    let pinned = Agent::new(folder(), &format!("{}{OUTPUT}", text.replace(&ca, &format!("pin = \"{pin}\""))));
    let child = pinned.start();
    pinned.wait("the connection", SOON, || pinned.log().contains("remote addresses"));
    stop(&pinned, child);
    assert_ne!(system.tell(json!({"cmd": "stats"}))["logins"], before);
}

#[test]
fn r38_the_history_log_comes_through_the_same_connection_and_equal_times_are_neither_lost_nor_doubled() {
    let system = System::start("--entries 100");
    // More messages with one time than an answer has rows, and some before and behind.
    let mut want = 0;
    for (count, step) in [(40, 1_000), (2_500, 0), (300, 1)] {
        system.tell(json!({"cmd": "history", "count": count, "step_us": step, "start": format!("2026-11-20-0{}.00.00.000000", 1 + want % 7)}));
        want += count;
    }
    let want =
        usize::try_from(system.tell(json!({"cmd": "history", "count": 0}))["messages"].as_u64().unwrap()).unwrap();
    let agent = agent(&system.source("from = \"oldest\"\nread = [\"journal\", \"history\"]"));
    let mut child = agent.start();
    let messages =
        || arrived(&agent.read("out")).1.into_iter().filter(|(id, _)| id.starts_with("QHST:")).collect::<Vec<_>>();
    agent.wait("some messages", SOON, || messages().len() > 500);
    child.kill().unwrap();
    child.wait().unwrap();
    child = agent.start();
    agent.wait("the messages", SOON, || messages().len() >= want);
    // Some more with the time of the last one.
    system.tell(json!({"cmd": "history", "count": 3, "step_us": 0}));
    agent.wait("the new ones", SOON, || messages().len() >= want + 3);
    // None of them comes again.
    system.wait_for_looks(&agent, "HISTORY", 2);
    stop(&agent, child);
    assert_eq!(messages().len(), want + 3);
    let of_journal = arrived(&agent.read("out")).0.iter().filter(|id| !id.starts_with("QHST:")).count();
    assert_eq!(of_journal, system.truth().len(), "the journal is read as well");
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "{}", agent.log());
    let text = agent.read("out");
    let line = text.lines().find(|l| l.contains("QHST:")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["effective_user"], &line["system"]), (&json!("BILL"), &json!("PROD01")), "{line}");
    assert!(line["job"].as_str().unwrap().ends_with("/BILL/QPADEV000F"), "{line}");
    system.was_treated_well();
}
