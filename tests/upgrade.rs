//! A new program on the state of an old one: everything undelivered is delivered, nothing is read twice, and what was learned and
//! spent is known. An old program on the state of a newer one leaves it as it is. `tests/upgrade/README.md` has the states.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, SystemTime},
};

use serde_json::Value;

use harness::{
    agent::Agent,
    arrived::{arrived, stop},
    program::{folder, shim},
};

const SOON: Duration = Duration::from_secs(60);

/// The state of an earlier program, and the agent that finds it.
struct Old {
    agent: Agent,
    truth: Value,
}

fn unpack(name: &str) -> Old {
    let dir = folder();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name);
    let status = Command::new("tar").args(["xzf"]).arg(archive).arg("-C").arg(dir.path()).status().unwrap();
    assert!(status.success(), "{name} cannot be unpacked");
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let truth = serde_json::from_str(&read("truth.json")).unwrap();
    // The same configuration, but the receiver that was down is there.
    let kept =
        |line: &&str| !["stop_timeout", "heartbeat", "meter.events_per_second"].iter().any(|k| line.starts_with(k));
    let text = read("agent.toml").lines().filter(kept).fold("heartbeat = 0\n".to_owned(), |t, l| t + l + "\n");
    let text = text.replace("tcp://127.0.0.1:9", "file:DIR/far").replace("file:near", "file:DIR/near");
    let agent = Agent::new(dir, &text);
    Old { agent, truth }
}

impl Old {
    fn ids(&self, what: &str, of: &str) -> BTreeSet<String> {
        let list = if of.is_empty() { &self.truth[what] } else { &self.truth[what][of] };
        list.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    fn got(&self, output: &str) -> BTreeSet<String> {
        arrived(&self.agent.read(output)).0.into_iter().collect()
    }

    /// Waits until an output has all of these.
    #[track_caller]
    fn wait(&self, output: &str, wanted: &BTreeSet<String>) {
        self.agent.wait(&format!("everything at {output}"), SOON, || self.got(output).is_superset(wanted));
    }

    /// What comes behind the places of the sources.
    fn grow(&self) {
        let dir = self.agent.dir.path();
        let more = fs::read(dir.join("more/day.type5")).unwrap();
        fs::OpenOptions::new().append(true).open(dir.join("day.type5")).unwrap().write_all(&more).unwrap();
        if dir.join("inbox").exists() {
            fs::rename(dir.join("more/inbox/3.type5"), dir.join("inbox/3.type5")).unwrap();
        }
    }

    /// The sources went on where they were, and nothing was set aside.
    #[track_caller]
    fn went_on(&self, reads: &[(&str, u32)]) {
        let log = self.agent.log();
        for (source, count) in reads {
            assert!(log.contains(&format!("source {source}: read {count} =")), "{source} is to read {count}: {log}");
        }
        for wrong in ["set aside", "set-aside", "read from its start", "gap", "panicked"] {
            assert!(!log.contains(wrong), "{wrong}: {log}");
        }
        let names = listing(&self.agent.dir.path().join("state"));
        assert!(!names.keys().any(|n| n.to_string_lossy().contains("aside")), "{:?}", names.keys());
    }
}

/// The files of a folder with what is in them.
fn listing(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    files.filter(|p| p.is_file()).map(|p| (p.clone(), fs::read(&p).unwrap())).collect()
}

fn python(script: &str, args: &[&Path]) {
    let status = Command::new("python3").args(["-c", script]).args(args).status().unwrap();
    assert!(status.success());
}

#[test]
fn a7_a_state_of_tables_1_is_delivered_whole_and_its_sources_go_on() {
    let old = unpack("tables-1.tar.gz");
    let child = old.agent.start();
    old.wait("near", &old.ids("undelivered", "near"));
    old.wait("far", &old.ids("undelivered", "far"));
    old.grow();
    // The filter drops all users of `more` but those that the old program had learned.
    let all: BTreeSet<_> = &old.ids("undelivered", "far") | &old.ids("grown", "");
    old.wait("far", &all);
    old.wait("near", &old.ids("grown", ""));
    stop(&old.agent, child);
    assert_eq!(old.got("far"), all);
    old.went_on(&[("day", 40), ("old", 0)]);
}

/// Runs an agent on the day of the archive and, behind it, on the next.
struct Days {
    shim: PathBuf,
    file: PathBuf,
    /// From now to the moment when the old program ended.
    back: i64,
}

impl Days {
    fn of(old: &Old) -> Days {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let back = old.truth["made"].as_i64().unwrap() - i64::try_from(now).unwrap();
        Days { shim: shim("clock_shim"), file: old.agent.dir.path().join("clock"), back }
    }

    fn step(&self, seconds: i64) {
        let new = self.file.with_extension("new");
        fs::write(&new, (self.back + seconds).to_string()).unwrap();
        fs::rename(&new, &self.file).unwrap();
    }

    fn start(&self, old: &Old) -> Child {
        self.step(0);
        old.agent.command().env("LD_PRELOAD", &self.shim).env("CLOCK_SHIM", &self.file).spawn().unwrap()
    }
}

#[test]
fn a7_a_state_of_tables_2_is_delivered_whole_with_its_budget_spent_and_its_sources_go_on() {
    let old = unpack("tables-2.tar.gz");
    let days = Days::of(&old);
    let child = days.start(&old);
    let before = old.ids("undelivered", "far");
    old.wait("far", &before);
    old.grow();
    let all: BTreeSet<_> = &before | &old.ids("grown", "");
    old.wait("far", &all);
    // The sender is told to go on behind the last record that was acknowledged.
    let mut sender = UnixStream::connect(old.agent.dir.path().join("relay.sock")).unwrap();
    let mut greeting = [0; 64];
    sender.read_exact(&mut greeting).unwrap();
    let greeting = String::from_utf8_lossy(&greeting).into_owned();
    assert!(greeting.starts_with("QAUDJRN1") && greeting[28..48].ends_with("00020"), "{greeting}");
    drop(sender);
    // The budget of the day is spent: passwords pass, everything else waits for the next day.
    let is_password = |id: &str, text: &str| {
        let lines = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        lines.into_iter().any(|l| l["entry_id"] == id && l["event_id"].as_str().is_some_and(|e| e.starts_with("PW")))
    };
    let far = old.agent.read("far");
    let passwords: BTreeSet<_> = old.ids("grown", "").into_iter().filter(|id| is_password(id, &far)).collect();
    assert!(!passwords.is_empty());
    old.wait("near", &passwords);
    let near = old.agent.read("near");
    let held: Vec<_> = arrived(&near).0.into_iter().filter(|id| !is_password(id, &near)).collect();
    assert!(held.is_empty(), "{held:?} came though the budget is spent: {}", old.agent.log());
    days.step(86_400);
    old.wait("near", &(&old.ids("undelivered", "near") | &old.ids("grown", "")));
    stop(&old.agent, child);
    assert_eq!(old.got("far"), all);
    old.went_on(&[("day", 40), ("old", 0), ("inbox", 5), ("relay", 0)]);
    // The next start finds nothing to do.
    let lines = old.agent.read("far").lines().count();
    let child = days.start(&old);
    old.agent.wait("the second start", SOON, || old.agent.dir.path().join("relay.sock").exists());
    stop(&old.agent, child);
    assert_eq!(old.agent.read("far").lines().count(), lines);
}

#[test]
fn a7_a_state_of_a_newer_program_is_refused_with_its_version_and_left_as_it_is() {
    for in_the_log in [false, true] {
        let old = unpack("tables-2.tar.gz");
        let state = old.agent.dir.path().join("state");
        // Without a close, the number stands in the write-ahead log.
        let script = "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\ndb.execute('pragma wal_autocheckpoint = 0')\ndb.execute('pragma user_version = 9999')\nif os.path.basename(sys.argv[2]) == 'log': os._exit(0)\ndb.close()";
        python(script, &[&state.join("spool.db"), Path::new(if in_the_log { "log" } else { "file" })]);
        let index = state.join("spool.db-shm");
        let mut before = listing(&state);
        assert_eq!(before.contains_key(&state.join("spool.db-wal")), in_the_log);
        // What SQLite makes anew whenever it opens the log is nothing of ours.
        before.remove(&index);
        for _ in 0..2 {
            old.agent.assert_exit(old.agent.start(), 1, SOON);
        }
        let mut after = listing(&state);
        for new in ["lock", "spool.db-shm"] {
            after.remove(&state.join(new));
        }
        for (name, bytes) in &before {
            assert!(after.get(name) == Some(bytes), "{} is another: {}", name.display(), old.agent.log());
        }
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        let log = old.agent.log();
        assert!(log.contains("9999") && (log.contains("later version") || log.contains("newer")), "{log}");
        assert!(old.got("far").is_empty());
    }
}
