//! The journal through ODBC (issue 5, "What must show" 3): unixODBC, psqlodbc and a PostgreSQL that has a QSYS2 (`tests/tools/odbc`).
//! It shows the client and the tailing over a real driver; what only IBM's driver and Db2 for i can show is in docs/LIVE.md.
#![cfg(feature = "odbc")]

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use harness::{
    agent::{Agent, notices, signal},
    arrived::{arrived, count, entries, stop},
    postgres::{PASSWORD, Postgres},
    program::{event, folder, head, qaudjrn},
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\npriority_types = []\n";

fn agent(text: &str) -> Agent {
    Agent::new(folder(), &format!("{text}{OUTPUT}"))
}

/// Everything came, in order, and nothing else; returns how many came more than once.
#[track_caller]
fn all_came(system: &Postgres, agent: &Agent) -> usize {
    let truth: Vec<String> = system.truth().into_iter().map(|(id, _)| id).collect();
    let (order, got) = arrived(&agent.read("out"));
    let missing: Vec<&String> = truth.iter().filter(|id| !got.contains_key(*id)).collect();
    assert!(
        missing.is_empty(),
        "{} of {} are missing, first {:?}: {}",
        missing.len(),
        truth.len(),
        missing.first(),
        agent.log()
    );
    assert_eq!(order, truth);
    got.values().filter(|n| **n > 1).count()
}

/// How often it was asked for entries.
fn asked(system: &Postgres) -> f64 {
    system.number("SELECT count(*) FROM ibmi.asked")
}

/// Never two queries of entries within a second.
#[track_caller]
fn was_treated_well(system: &Postgres) {
    let shortest = system.sql(
        "SELECT min(d) FROM (SELECT extract(epoch FROM at - lag(at) OVER (ORDER BY at)) AS d FROM ibmi.asked) AS x",
    );
    assert!(shortest.is_empty() || shortest.parse::<f64>().unwrap() > 0.99, "{shortest}");
}

#[test]
fn n3_entries_arrive_as_they_are_over_odbc() {
    let system = Postgres::start("--count 400 --seed 11 --mix all");
    system.sql("SELECT ibmi.append(400)");
    let newer = agent(&system.source("from = \"oldest\""));
    let older = agent(&system.source_by_dsn("from = \"oldest\"\ncolumns = \"current_user\""));
    for (agent, remote) in [(&newer, true), (&older, false)] {
        let child = agent.command().env("ODBCINI", system.odbc_ini()).spawn().unwrap();
        agent.wait("everything", SOON, || count(agent) == 400);
        stop(agent, child);
        assert_eq!(all_came(&system, agent), 0);
        let says = if remote { "USER_NAME, with remote" } else { "CURRENT_USER, without remote" };
        assert!(
            agent.log().contains(&format!("connected to PROD01 as AUDITOR (PostgreSQL); {says}")),
            "{}",
            agent.log()
        );
        assert!(!agent.log().contains("the system's clock is"), "{}", agent.log());
        let times: BTreeMap<String, String> = system
            .sql("SELECT r.name || ':' || e.sequence || ' ' || to_char(e.stamp, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+02:00' FROM ibmi.entry e JOIN ibmi.receiver r ON r.place = e.receiver")
            .lines()
            .map(|l| l.split_once(' ').unwrap())
            .map(|(id, time)| (id.to_owned(), time.to_owned()))
            .collect();
        let text = agent.read("out");
        let got: BTreeMap<String, Value> = entries(&text).collect();
        for (id, template) in system.truth() {
            let (line, truth) = (&got[&id], &system.templates[template]);
            let (code, detail) = event(truth);
            let wanted = if detail.is_empty() { code } else { format!("{code}-{detail}") };
            assert_eq!(line["event_id"], wanted, "{line}");
            assert_eq!(line["time"], times[&id], "{line}");
            assert_eq!(line["effective_user"], head(truth, "user_name").trim_end(), "{line}");
            assert_eq!(line["job_user"], head(truth, "job_user").trim_end(), "{line}");
            let number = truth["header"]["job_number"].as_u64().unwrap_or(0);
            let job =
                format!("{number:06}/{}/{}", head(truth, "job_user").trim_end(), head(truth, "job_name").trim_end());
            assert_eq!(line["job"], job, "{line}");
            let address = head(truth, "remote_address").trim_end();
            if remote && !address.is_empty() {
                assert_eq!(line["remote_address"], address, "{line}");
            }
        }
    }
    // The bytes of the entry data are the same as in a capture: so is every field that comes from them.
    let fields = |line: &Value| {
        let mut own = line.as_object().unwrap().clone();
        let of_place = ["entry_id", "sequence", "time", "receiver", "receiver_library", "system", "raw_time"];
        own.retain(|name, _| {
            !of_place.contains(&name.as_str()) && !name.starts_with("agent") && !name.starts_with("object")
        });
        own
    };
    let capture = system.dir.path().join("day.type5");
    let run = qaudjrn("replay --format json --record-length 32609 --timezone Etc/GMT-2", &[capture.as_path()]);
    let replayed: Vec<Value> = run.lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(replayed.len(), 400, "{}", run.stderr);
    let text = newer.read("out");
    let got: BTreeMap<String, Value> = entries(&text).collect();
    for (id, template) in system.truth() {
        assert_eq!(fields(&got[&id]), fields(&replayed[template]), "{id}");
    }
}

#[test]
fn n3_every_id_comes_through_rolls_a_reset_a_restart_of_the_server_stalls_and_kill_9_over_odbc() {
    let mut system = Postgres::start("--count 300 --seed 5");
    // Data that does not come with its row.
    system
        .sql("UPDATE ibmi.template SET entry_data = entry_data || decode(repeat('40', 40000), 'hex') WHERE number = 7");
    system.sql("SELECT ibmi.append(3000)");
    let agent = agent(&system.source("from = \"oldest\"\npage = 1000\ncall_timeout = 2"));
    let mut child = agent.start();
    let mut before = 0.0;
    for round in 0..8 {
        // It is reading what was written last.
        agent.wait("another question", SOON, || asked(&system) > before);
        match round {
            1 => {
                let tries = || agent.log().matches("it is tried again").count();
                let before = tries();
                system.stop_server();
                agent.wait("the loss", SOON, || tries() > before);
                system.start_server();
            }
            2 | 6 => {
                child.kill().unwrap();
                child.wait().unwrap();
                child = agent.start();
            }
            // Longer than call_timeout, in the server: it is told how long it may take.
            3 => {
                let mut locked = system.sql_meanwhile("BEGIN; LOCK TABLE ibmi.entry; SELECT pg_sleep(60); COMMIT");
                agent.wait("the end of the query", SOON, || {
                    agent.log().contains("canceling statement due to statement timeout")
                });
                system.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'");
                locked.wait().unwrap();
            }
            // And where nothing comes at all.
            5 => {
                let pids = system.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'AUDITOR'");
                let each = |name: &str| {
                    for pid in pids.lines() {
                        let _ = Command::new("kill").args([&format!("-{name}"), pid]).status();
                    }
                };
                each("STOP");
                agent.wait("the end of the wait", SOON, || agent.log().contains("ODBC: no answer within 4 s"));
                each("CONT");
            }
            _ => {}
        }
        before = asked(&system);
        system.sql("SELECT ibmi.append(500)");
        system.sql(&format!("SELECT ibmi.roll({})", round == 4));
        system.sql("SELECT ibmi.append(3)");
    }
    let want = system.truth().len();
    agent.wait("everything", Duration::from_secs(120), || count(&agent) == want);
    stop(&agent, child);
    all_came(&system, &agent);
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "{}", agent.log());
    // The rest of the long ones was asked for, 16,000 bytes at a time.
    assert!(system.number("SELECT count(*) FROM ibmi.asked WHERE first = last") >= 4.0);
    // A receiver that comes and goes while the agent is away is one gap.
    let lost = system.sql("SELECT ibmi.roll()");
    system.sql("SELECT ibmi.append(200)");
    system.sql("SELECT ibmi.roll()");
    system.sql("SELECT ibmi.append(50)");
    system.sql(&format!("DELETE FROM ibmi.receiver WHERE name = '{lost}'"));
    let child = agent.start();
    agent.wait("the rest", SOON, || count(&agent) == want + 50);
    stop(&agent, child);
    let gaps = notices(&agent.read("out"), "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0]["missing"].as_str().unwrap().contains("are missing"), "{gaps:?}");
}

#[test]
fn a_login_that_odbc_refuses_is_tried_once_and_a_reload_is_another() {
    let system = Postgres::start("--count 30 --seed 3");
    system.sql("SELECT ibmi.append(30)");
    for by_dsn in [false, true] {
        let text = if by_dsn { system.source_by_dsn("from = \"oldest\"") } else { system.source("from = \"oldest\"") };
        let (name, right, wrong) = if by_dsn {
            ("password", PASSWORD.to_owned(), "wr0ng".to_owned())
        } else {
            ("connection", system.connection(PASSWORD), system.connection("wr0ng"))
        };
        let refused = || system.log().matches("FATAL:  password authentication failed").count();
        let before = refused();
        let path = system.private(name, &wrong);
        let agent = agent(&text);
        let child = agent.command().env("ODBCINI", system.odbc_ini()).spawn().unwrap();
        agent.wait("the refusal", SOON, || agent.log().contains("the login is refused"));
        assert_eq!(refused() - before, 1, "{}", agent.log());
        assert!(agent.log().contains("it is not tried again") && !agent.log().contains("wr0ng"), "{}", agent.log());
        // Others can read it: it is not used.
        system.private(name, &right);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        signal(&child, "HUP");
        agent.wait("the complaint", SOON, || agent.log().contains("others can read this"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        agent.wait("everything", SOON, || count(&agent) == 30);
        stop(&agent, child);
        assert_eq!((refused() - before, all_came(&system, &agent)), (1, 0));
    }
    was_treated_well(&system);
}

#[test]
fn what_a_time_begins_with_the_history_log_and_what_is_not_there_are_told_over_odbc() {
    let system = Postgres::start("--count 30 --seed 4");
    system.sql("SELECT ibmi.append(10)");
    let time = system.sql("SELECT to_char(clock_timestamp()::timestamp, 'YYYY-MM-DD HH24:MI:SS.US')");
    system.sql("SELECT ibmi.append(5)");
    let messages_of = |count: u32| {
        system.sql(&format!(
            "INSERT INTO ibmi.message (id, type, severity, stamp, from_user, from_job, from_program, library, file, tokens, text)
             SELECT 'CPF1124', 'INFORMATIONAL', 0, localtimestamp, 'BILL', '123456/BILL/QPADEV0001', 'QWTPIIPP', 'QSYS', 'QCPFMSG', '\\xC1C2',
                 'Job 123456/BILL/QPADEV0001 gestartet für Böß ' || n FROM generate_series(1, {count}) n",
        ));
    };
    messages_of(3);
    let agent = agent(&system.source(&format!("from = \"{time}\"\nread = [\"journal\", \"history\"]")));
    let child = agent.start();
    let messages = || agent.read("out").lines().filter(|l| l.contains("\"CPF1124\"")).count();
    agent.wait("both", SOON, || count(&agent) >= 8 && messages() == 3);
    // What comes behind them comes alone.
    system.sql("SELECT ibmi.append(1)");
    messages_of(1);
    agent.wait("one more of each", SOON, || count(&agent) >= 10 && messages() >= 4);
    stop(&agent, child);
    assert_eq!((count(&agent), messages()), (10, 4), "{}", agent.read("out"));
    assert!(agent.read("out").contains("gestartet für Böß 2"), "UTF-16 on the way: {}", agent.read("out"));
    // A user that may not, and a data source that is not there: the first is told, the second is tried again.
    system.sql("REVOKE SELECT ON qsys2.journal_receiver_info FROM \"AUDITOR\"");
    let denied = Agent::new(folder(), &format!("{}{OUTPUT}", system.source("from = \"oldest\"")));
    let child = denied.start();
    denied.wait("the error", SOON, || {
        denied.log().contains("permission denied") && denied.log().contains("SQLSTATE 42501")
    });
    stop(&denied, child);
    let stranger =
        Agent::new(folder(), &format!("{}{OUTPUT}", system.source_by_dsn("").replace("\"PROD01\"", "\"NOWHERE\"")));
    let child = stranger.command().env("ODBCINI", system.odbc_ini()).spawn().unwrap();
    stranger
        .wait("the error", SOON, || stranger.log().contains("IM002") && stranger.log().contains("it is tried again"));
    stop(&stranger, child);
}

#[test]
fn odbc_needs_a_connection_or_a_data_source() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    for (text, says) in [
        ("", "source.connection is missing: a file that holds an ODBC connection string"),
        ("connection = \"c\"\ndsn = \"PROD01\"", "source.dsn: connection is there too"),
        ("connection = \"c\"\nuser = \"X\"", "user and password stand in the connection string"),
        ("dsn = \"PROD01\"\nuser = \"X\"", "user and password go together"),
        ("dsn = \"Driver=x;UID=X\"", "expected the name of a data source of odbc.ini"),
        ("dsn = \"PROD01\"\ndialect = \"oracle\"", "source.dialect = \"oracle\": expected \"db2i\", \"postgresql\""),
    ] {
        fs::write(&config, format!("[[source]]\nname = \"prod01\"\nkind = \"odbc\"\n{text}\n")).unwrap();
        let run = qaudjrn(&format!("check --config {}", config.display()), &[] as &[&Path]);
        assert!(run.code == 2 && (run.stderr.clone() + &run.stdout).contains(says), "{text}: {run:?}");
    }
}
