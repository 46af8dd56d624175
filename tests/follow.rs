//! A capture that is followed: half a record at its end, rotation, truncation, replacement. Nothing is lost, and nothing comes twice but
//! what the file itself holds again.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, Command},
    thread,
    time::Duration,
};

use harness::{
    agent::{Agent, Receiver, capture, has_ids, ids, notices, read_to, signal},
    program::{folder, make},
    rest::at_rest,
    unused_port,
};

const SOON: Duration = Duration::from_secs(30);
const CONFIG: &str = "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfollow = true\n[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";

struct Followed {
    agent: Agent,
    child: Child,
    next: u32,
}

impl Followed {
    /// An agent that has read a file of 100 entries.
    fn start() -> Followed {
        let agent = Agent::new(folder(), CONFIG);
        let mut f = Followed { child: agent.start(), agent, next: 1 };
        let bytes = f.entries(100);
        fs::write(f.path(), bytes).unwrap();
        f.has(100);
        f
    }

    fn path(&self) -> PathBuf {
        self.agent.dir.path().join("day.type5")
    }

    /// So many entries that are new.
    fn entries(&mut self, count: u32) -> Vec<u8> {
        let first = self.next;
        self.next += count;
        let args = format!("--count {count} --seed {first} --first-sequence {first}");
        fs::read(make(&self.agent.dir, &format!("part{first}"), &args).path).unwrap()
    }

    fn append(&self, bytes: &[u8]) {
        fs::OpenOptions::new().create(true).append(true).open(self.path()).unwrap().write_all(bytes).unwrap();
    }

    /// Waits until all entries up to this number have come.
    #[track_caller]
    fn has(&self, count: usize) {
        self.agent.wait(&format!("entry {count}"), SOON, || has_ids(&self.agent.read("out"), count));
    }

    /// Ends it; every entry made has come, each as often as said.
    #[track_caller]
    fn finish(self, often: u32) {
        signal(&self.child, "TERM");
        self.agent.assert_exit(self.child, 0, SOON);
        let got = ids(&self.agent.read("out"));
        assert_eq!(got.len(), self.next as usize - 1, "{}", self.agent.log());
        assert!(got.values().all(|n| *n <= often), "{}", self.agent.log());
    }

    fn gaps(&self) -> usize {
        notices(&self.agent.read("out"), "AGENT-GAP").len()
    }
}

#[test]
fn n2_fault_22_a_record_that_is_written_byte_by_byte_comes_once_and_whole() {
    let mut f = Followed::start();
    let record = f.entries(1);
    for byte in &record {
        f.append(&[*byte]);
        thread::sleep(Duration::from_micros(700));
    }
    f.has(101);
    // Cut anywhere, with a pause in which it is looked at.
    for at in [1, 5, 700, 1_499] {
        let record = f.entries(1);
        f.append(&record[..at]);
        let size = fs::metadata(f.path()).unwrap().len();
        f.agent.wait("a look at its end", SOON, || read_to(&f.child, &f.path()) == size);
        f.append(&record[at..]);
    }
    f.has(105);
    assert_eq!(f.gaps(), 0);
    f.finish(1);
}

#[test]
fn n2_fault_22_a_file_that_is_renamed_is_read_to_its_end_before_the_new_one() {
    let mut f = Followed::start();
    for round in 0..3 {
        let (more, rest, new) = (f.entries(50), f.entries(7), f.entries(20));
        f.append(&more);
        let old = f.agent.dir.path().join(format!("old{round}"));
        fs::rename(f.path(), &old).unwrap();
        // Whoever wrote to it goes on for a moment.
        fs::OpenOptions::new().append(true).open(&old).unwrap().write_all(&rest).unwrap();
        f.append(&new);
        f.has(f.next as usize - 1);
    }
    assert_eq!(f.gaps(), 0, "{}", f.agent.log());
    assert!(f.agent.log().contains("is a new file; the one before was read to its end"), "{}", f.agent.log());
    f.finish(1);
}

#[test]
fn n2_fault_22_a_file_that_is_copied_and_cut_short_is_read_again_from_its_start_and_that_is_a_gap() {
    let mut f = Followed::start();
    fs::copy(f.path(), f.agent.dir.path().join("copy")).unwrap();
    let new = f.entries(30);
    fs::OpenOptions::new().write(true).open(f.path()).unwrap().set_len(0).unwrap();
    f.append(&new);
    f.has(130);
    assert_eq!(f.gaps(), 1, "{}", f.agent.log());
    // Longer than before at once: the size alone would not show it.
    let longer = f.entries(400);
    fs::write(f.path(), longer).unwrap();
    f.has(530);
    assert_eq!(f.gaps(), 2, "{}", f.agent.log());
    f.finish(1);
}

#[test]
fn n2_fault_22_a_copy_that_takes_its_place_goes_on_where_it_was_and_another_file_is_read_from_its_start() {
    let mut f = Followed::start();
    let mut all = fs::read(f.path()).unwrap();
    all.extend(f.entries(40));
    let copy = f.agent.dir.path().join("copy");
    fs::write(&copy, &all).unwrap();
    fs::rename(&copy, f.path()).unwrap();
    f.has(140);
    assert_eq!((f.gaps(), f.agent.log().contains("was replaced by a copy")), (0, true), "{}", f.agent.log());
    // While the agent does not run: the same file, grown; then another one.
    signal(&f.child, "TERM");
    let child = std::mem::replace(&mut f.child, Command::new("true").spawn().unwrap());
    f.agent.assert_exit(child, 0, SOON);
    let more = f.entries(10);
    f.append(&more);
    f.child = f.agent.start();
    f.has(150);
    assert_eq!(f.gaps(), 0);
    signal(&f.child, "TERM");
    let child = std::mem::replace(&mut f.child, Command::new("true").spawn().unwrap());
    f.agent.assert_exit(child, 0, SOON);
    let other = f.entries(25);
    fs::write(f.path(), other).unwrap();
    f.child = f.agent.start();
    f.has(175);
    assert_eq!(f.gaps(), 1, "what was written behind the old place is not known: {}", f.agent.log());
    f.finish(1);
}

#[test]
fn n2_fault_22_a_file_written_anew_while_a_full_spool_holds_up_its_source_is_a_gap_and_read_from_its_start() {
    let dir = folder();
    let old = capture(&dir, 30_000);
    let new = make(&dir, "new", "--count 36000 --seed 2 --first-sequence 100001");
    let port = unused_port();
    let text = format!(
        "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfollow = true\n[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n[spool]\nmax_size = \"18MiB\"\n"
    );
    let agent = Agent::new(dir, &text);
    let child = agent.start();
    agent.wait("a full spool", SOON, || agent.log().contains("not read until there is room"));
    fs::write(agent.dir.path().join("day.type5"), fs::read(&new.path).unwrap()).unwrap();
    let receiver = Receiver::start_on(port);
    let came = || ids(&receiver.text()).keys().filter(|n| **n > 100_000).count();
    agent
        .wait("all of the new file", Duration::from_secs(90), || has_ids(&receiver.text(), 36_000) && came() == 36_000);
    let gaps = notices(&receiver.text(), "AGENT-GAP");
    assert!(!gaps.is_empty() && agent.log().contains("is not what was read there"), "{}", agent.log());
    assert!(ids(&receiver.text()).len() < 36_000 + old.truth.len(), "it was written over before it was read");
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn n2_half_a_record_at_the_end_of_a_capture_that_was_read_once_is_read_again_when_the_rest_is_there() {
    for kind in ["", "kind = \"directory\"\nfollow = false\ncomplete = \"rename\"\n"] {
        let dir = folder();
        let made = make(&dir, "all", "--count 100 --seed 3");
        let bytes = fs::read(&made.path).unwrap();
        let file = if kind.is_empty() { dir.path().join("day.type5") } else { dir.path().join("drop/day") };
        fs::create_dir(dir.path().join("drop")).unwrap();
        let path = if kind.is_empty() { "day.type5" } else { "drop" };
        let config = format!(
            "[[source]]\nname = \"p\"\npath = \"{path}\"\n{kind}[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n"
        );
        let agent = Agent::new(dir, &config);
        fs::write(&file, &bytes[..50 * 1_500 + 750]).unwrap();
        let code = agent.start().wait().unwrap().code();
        assert_eq!(code, Some(3), "{}", agent.log());
        fs::write(&file, &bytes).unwrap();
        let code = agent.start().wait().unwrap().code();
        assert_eq!(code, Some(0), "{}", agent.log());
        harness::agent::nothing_lost(&made, &ids(&agent.read("out")));
        assert_eq!(notices(&agent.read("out"), "AGENT-GAP").len(), 1, "told once, by the first: {}", agent.log());
    }
}

#[test]
fn a_named_pipe_as_a_capture_is_refused_at_once() {
    let agent = Agent::new(folder(), "");
    assert!(Command::new("mkfifo").arg(agent.dir.path().join("day.type5")).status().unwrap().success());
    agent.configure(&CONFIG.replace("follow = true", "follow = false"));
    agent.assert_exit(agent.start(), 1, Duration::from_secs(10));
    assert!(agent.log().contains("expected a capture file, found a named pipe"), "{}", agent.log());
}

#[test]
fn h6_a_followed_capture_that_becomes_a_pipe_is_waited_for_and_the_file_that_comes_later_is_read() {
    let mut f = Followed::start();
    fs::remove_file(f.path()).unwrap();
    assert!(Command::new("mkfifo").arg(f.path()).status().unwrap().success());
    f.agent.wait("the refusal", SOON, || f.agent.log().contains("found a named pipe"));
    fs::remove_file(f.path()).unwrap();
    // A socket and a folder are no files either.
    let socket = std::os::unix::net::UnixListener::bind(f.path()).unwrap();
    f.agent.wait("the second refusal", SOON, || f.agent.log().contains("found a socket"));
    drop(socket);
    fs::remove_file(f.path()).unwrap();
    fs::create_dir(f.path()).unwrap();
    f.agent.wait("the third refusal", SOON, || f.agent.log().contains("this is a directory"));
    fs::remove_dir(f.path()).unwrap();
    let more = f.entries(20);
    fs::write(f.path(), more).unwrap();
    f.has(120);
    assert_eq!(f.agent.log().matches("found a named pipe").count(), 1, "{}", f.agent.log());
    f.finish(1);
}

#[test]
fn h6_a_stop_ends_an_agent_whose_capture_is_a_pipe() {
    let agent = Agent::new(folder(), CONFIG);
    assert!(Command::new("mkfifo").arg(agent.dir.path().join("day.type5")).status().unwrap().success());
    let child = agent.start();
    agent.wait("the refusal", SOON, || agent.log().contains("found a named pipe"));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn h2_an_idle_capture_and_an_idle_folder_cost_nothing() {
    for (kind, name) in [("", "day.type5"), ("kind = \"directory\"\ncomplete = \"rename\"\n", "drop")] {
        let config = CONFIG.replace("path = \"day.type5\"\n", &format!("path = \"{name}\"\n{kind}"));
        let agent = Agent::new(folder(), &config);
        let made = make(&agent.dir, "made", "--count 100 --seed 1");
        let to = if kind.is_empty() { agent.dir.path().join(name) } else { agent.dir.path().join("drop/day") };
        fs::create_dir(agent.dir.path().join("drop")).unwrap();
        fs::copy(&made.path, to).unwrap();
        let child = agent.start();
        agent.wait("the entries", SOON, || has_ids(&agent.read("out"), 100));
        // What was read is on its way; then nothing is to be done.
        let (used, time) = at_rest(&agent, &child, None, |used, _| used.ticks <= 4);
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        assert!(used.ticks <= 4, "{name}: {} hundredths of a second of CPU in {time:?}", used.ticks);
    }
}
