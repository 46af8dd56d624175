//! Directory sources: every file once, whatever it is called, when it is complete; put away when everybody has it.

use std::{fs, path::PathBuf, thread, time::Duration};

use harness::{
    agent::{Agent, Receiver, has_ids, ids, notices, signal},
    program::{folder, make},
    unused_port,
};

const SOON: Duration = Duration::from_secs(30);

/// An agent over the folder `drop`, with an output to a file.
fn agent(rest: &str) -> Agent {
    let dir = folder();
    fs::create_dir(dir.path().join("drop")).unwrap();
    let agent = Agent::new(dir, "");
    agent.configure(&config(rest, "file:DIR/out"));
    agent
}

fn config(rest: &str, address: &str) -> String {
    format!(
        "[[source]]\nname = \"in\"\nkind = \"directory\"\npath = \"drop\"\n{rest}\n[[output]]\nname = \"a\"\naddress = \"{address}\"\nformat = \"json\"\n"
    )
}

/// Makes a capture of `count` entries from `first` on, outside of the folder.
fn made(agent: &Agent, name: &str, first: u32, count: u32, rest: &str) -> PathBuf {
    let args = format!("--count {count} --seed {first} --first-sequence {first} {rest}");
    make(&agent.dir, name, &args).path
}

fn deliver(agent: &Agent, from: &PathBuf, name: &str) -> PathBuf {
    let drop = agent.dir.path().join("drop");
    let part = drop.join(format!("{name}.part"));
    fs::copy(from, &part).unwrap();
    let to = drop.join(name);
    fs::rename(part, &to).unwrap();
    to
}

fn count(agent: &Agent) -> usize {
    ids(&agent.read("out")).len()
}

fn twice(agent: &Agent) -> usize {
    ids(&agent.read("out")).values().filter(|n| **n > 1).count()
}

#[test]
fn files_are_read_in_order_once_whatever_they_are_called_and_one_that_has_grown_goes_on() {
    let agent = agent("complete = \"rename\"\nfollow = false");
    let (one, two) = (made(&agent, "1", 1, 500, ""), made(&agent, "2", 501, 3, ""));
    deliver(&agent, &two, "b.jrn");
    deliver(&agent, &one, "a.jrn");
    fs::write(agent.dir.path().join("drop/c.jrn.tmp"), "on its way").unwrap();
    agent.assert_exit(agent.start(), 0, SOON);
    let order: Vec<u64> = agent.read("out").lines().flat_map(|l| ids(l).into_keys()).collect();
    assert_eq!(order.len(), 503);
    assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "read in the order of their names");
    // Again, under other names: nothing. Grown, under another name: the rest.
    deliver(&agent, &one, "z.jrn");
    deliver(&agent, &two, "y.jrn");
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!((count(&agent), twice(&agent)), (503, 0));
    let three = made(&agent, "3", 504, 20, "");
    let mut grown = fs::read(&two).unwrap();
    grown.extend(fs::read(&three).unwrap());
    let grown_path = agent.dir.path().join("grown");
    fs::write(&grown_path, grown).unwrap();
    deliver(&agent, &grown_path, "x.jrn");
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!((count(&agent), twice(&agent)), (523, 0));
    // One that only begins alike is another one.
    let mut other = fs::read(&two).unwrap();
    other.truncate(1_500);
    other.extend(fs::read(made(&agent, "4", 601, 10, "")).unwrap());
    let other_path = agent.dir.path().join("other");
    fs::write(&other_path, other).unwrap();
    deliver(&agent, &other_path, "w.jrn");
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!(count(&agent), 533, "{}", agent.log());
}

#[test]
fn a_file_is_moved_when_every_output_has_delivered_it_and_not_before() {
    let port = unused_port();
    let rest = "complete = \"done\"\nafter = \"move\"";
    let agent = agent(rest);
    let down = format!("[[output]]\nname = \"b\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n");
    agent.configure(&format!("{}{down}", config(rest, "file:DIR/out")));
    let one = made(&agent, "1", 1, 190, "");
    let file = deliver(&agent, &one, "one");
    let child = agent.start();
    // Files that come behind it show that the folder was looked at.
    let and_then = |name: &str, first: u32, all: usize| {
        deliver(&agent, &made(&agent, name, first, 5, ""), name);
        fs::write(agent.dir.path().join(format!("drop/{name}.done")), "").unwrap();
        agent.wait("the entries of a file behind it", SOON, || count(&agent) == all);
    };
    and_then("then", 1_001, 5);
    assert_eq!(count(&agent), 5, "without its mark it is not complete");
    let mark = agent.dir.path().join("drop/one.done");
    fs::write(&mark, "").unwrap();
    agent.wait("the entries", SOON, || count(&agent) == 195);
    and_then("and-then", 2_001, 200);
    assert!(file.exists() && mark.exists(), "one output does not have it yet");
    let receiver = Receiver::start_on(port);
    let to = agent.dir.path().join("drop/done/one");
    // The window of a connection without acknowledgement is a minute long; the end of the agent closes it.
    agent.wait("the other output", SOON, || has_ids(&receiver.text(), 200));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let child = agent.start();
    agent.wait("the move", SOON, || to.exists());
    assert!(!file.exists() && !mark.exists() && to.with_extension("done").exists());
    // A second one of that name is not written over the first.
    deliver(&agent, &made(&agent, "2", 201, 10, ""), "one");
    fs::write(&mark, "").unwrap();
    agent.wait("its entries", SOON, || count(&agent) == 210);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let child = agent.start();
    agent.wait("the second move", SOON, || agent.dir.path().join("drop/done/one.1").exists());
    and_then("at-last", 3_001, 215);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert_eq!(twice(&agent), 0);
}

#[test]
fn what_is_no_capture_is_told_and_stays_and_headings_may_differ_from_file_to_file() {
    let agent = agent("complete = \"rename\"\nfollow = false\nafter = \"delete\"\nreceiver = \"AUDRCV0042\"");
    deliver(&agent, &made(&agent, "1", 1, 50, ""), "1");
    fs::write(agent.dir.path().join("drop/2"), vec![b'x'; 9_000]).unwrap();
    deliver(&agent, &made(&agent, "3", 51, 50, "--type type4"), "3");
    fs::write(agent.dir.path().join("drop/4"), "").unwrap();
    deliver(&agent, &made(&agent, "5", 101, 50, "--framing stream"), "5");
    agent.assert_exit(agent.start(), 3, SOON);
    assert_eq!(count(&agent), 150, "{}", agent.log());
    let gaps = notices(&agent.read("out"), "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0]["missing"].as_str().unwrap().contains("drop/2"), "{gaps:?}");
    let mut left: Vec<_> =
        fs::read_dir(agent.dir.path().join("drop")).unwrap().map(|f| f.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["2", "4"], "{}", agent.log());
}

#[test]
fn n2_kill_9_while_files_arrive_loses_nothing_and_sends_no_file_again() {
    let agent = agent("complete = \"stable\"\nstable_seconds = 1\nfollow = true");
    let mut child = agent.start();
    for n in 0..5u32 {
        deliver(&agent, &made(&agent, &n.to_string(), n * 3_000 + 1, 3_000, ""), &format!("day{n}"));
        thread::sleep(Duration::from_millis(350 + u64::from(n) * 130));
        child.kill().unwrap();
        child.wait().unwrap();
        child = agent.start();
    }
    agent.wait("everything", SOON, || count(&agent) == 15_000);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
}

#[test]
fn n3_every_system_has_its_chain_and_a_receiver_that_does_not_come_is_a_gap() {
    let agent = agent("complete = \"rename\"\nfollow = false\norder = \"time\"");
    for (n, args) in [
        "--system PROD01 --receiver AUDRCV0001",
        "--system PROD02 --receiver RCV0700",
        "--system PROD01 --receiver AUDRCV0002",
        "--system PROD02 --receiver RCV0702",
    ]
    .iter()
    .enumerate()
    {
        let path = deliver(
            &agent,
            &made(&agent, &n.to_string(), u32::try_from(n).unwrap() * 100 + 1, 20, args),
            &format!("{}", 9 - n),
        );
        let time = std::time::SystemTime::now() - Duration::from_secs(100 - n as u64);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }
    agent.assert_exit(agent.command().arg("--strict").spawn().unwrap(), 3, SOON);
    let gaps = notices(&agent.read("out"), "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0]["missing"], "receiver RCV0701 is missing between RCV0700 and RCV0702");
    assert_eq!(gaps[0]["system"], "PROD02");
}

#[test]
fn a_move_that_fails_is_told_once_and_tried_again_and_nothing_is_read_twice() {
    let agent = agent("complete = \"rename\"\nafter = \"move\"\nmove_to = \"../done\"");
    // A file where the folder is to be.
    let done = agent.dir.path().join("done");
    fs::write(&done, "").unwrap();
    let file = deliver(&agent, &made(&agent, "1", 1, 40, ""), "day");
    let child = agent.start();
    agent.wait("the complaint", SOON, || agent.log().contains("it is delivered and cannot be put away"));
    // More tries, of which nothing is to be seen: it is told once.
    thread::sleep(Duration::from_millis(1_000));
    assert!(file.exists());
    fs::remove_file(&done).unwrap();
    agent.wait("the move", SOON, || done.join("day").exists());
    // Of the same name again, twice: none is written over.
    for (n, name) in [(2, "day.1"), (3, "day.2")] {
        deliver(&agent, &made(&agent, "more", n * 100, 10, ""), "day");
        agent.wait("the next", SOON, || done.join(name).exists());
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert_eq!((count(&agent), twice(&agent)), (60, 0));
    assert_eq!(agent.log().matches("cannot be put away").count(), 1, "{}", agent.log());
}

#[test]
fn what_is_no_capture_is_told_once_and_the_others_go_on() {
    let agent = agent("complete = \"rename\"");
    fs::write(agent.dir.path().join("drop/0"), vec![b'x'; 9_000]).unwrap();
    let child = agent.start();
    for n in 1..4 {
        deliver(&agent, &made(&agent, "1", n * 10, 10, ""), &n.to_string());
        agent.wait("the next", SOON, || count(&agent) == 10 * n as usize);
    }
    signal(&child, "TERM");
    agent.assert_exit(child, 3, SOON);
    assert_eq!(agent.log().matches("a file cannot be read, and stays where it is").count(), 1, "{}", agent.log());
    // The gap was a batch of its own, before any record.
    assert_eq!(notices(&agent.read("out"), "AGENT-GAP").len(), 1);
}

#[test]
fn n3_a_file_that_is_cut_short_while_it_is_read_is_a_gap_and_stays() {
    let agent = agent("complete = \"rename\"\nafter = \"delete\"");
    // A full spool holds the source in the middle of the file.
    let port = unused_port();
    let rest = "complete = \"rename\"\nafter = \"delete\"";
    let text = config(rest, &format!("tcp://127.0.0.1:{port}"));
    agent.configure(&format!("{text}[spool]\nmax_size = \"18MiB\"\n"));
    let file = deliver(&agent, &made(&agent, "1", 1, 20_000, ""), "day");
    let child = agent.start();
    agent.wait("a full spool", SOON, || agent.log().contains("the spool is full"));
    let size = fs::metadata(&file).unwrap().len();
    fs::File::options().write(true).open(&file).unwrap().set_len(size - 15_000).unwrap();
    let receiver = Receiver::start_on(port);
    agent.wait("the gap", SOON, || !notices(&receiver.text(), "AGENT-GAP").is_empty());
    agent.wait("the entries", SOON, || has_ids(&receiver.text(), 19_990));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let gaps = notices(&receiver.text(), "AGENT-GAP");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let missing = gaps[0]["missing"].as_str().unwrap();
    assert!(missing.contains("was cut short to 29985000 while it was read"), "{missing}");
}

#[test]
fn b1_a_file_that_cannot_be_opened_or_read_at_present_is_tried_again_and_the_source_says_so() {
    let shim = harness::program::shim("fault_shim");
    for (calls, how, at) in
        [("open", "eio", 1), ("open", "emfile", 1), ("open", "eacces", 1), ("read", "eio", 1), ("read", "estale", 3)]
    {
        let agent = agent("complete = \"rename\"\nfollow = true\nafter = \"delete\"");
        agent.configure(&format!(
            "heartbeat = 1\n{}",
            config("complete = \"rename\"\nfollow = true\nafter = \"delete\"", "file:DIR/out")
        ));
        let one = made(&agent, "1", 1, 400, "");
        let to = deliver(&agent, &one, "a.jrn");
        let dir = agent.dir.path().display().to_string();
        let mut command = agent.command();
        command.env("LD_PRELOAD", &shim).env("FAULT_DIR", format!("{dir}/drop")).env("FAULT_NAME", "a.jrn");
        command.env("FAULT_CALLS", calls).env("FAULT_HOW", how).env("FAULT_AT", at.to_string());
        command.env("FAULT_SEEN", format!("{dir}/seen")).env("FAULT_UNTIL", format!("{dir}/well"));
        let child = command.spawn().unwrap();
        agent.wait("the failure", SOON, || agent.log().contains("the file is tried again until that works"));
        let down = || {
            let text = agent.read("out");
            notices(&text, "AGENT-HEARTBEAT").iter().any(|b| b["state"].as_str().is_some_and(|s| s.contains("a.jrn")))
        };
        agent.wait("a heartbeat that says so", SOON, down);
        assert!(to.exists(), "{calls} {how}");
        fs::write(format!("{dir}/well"), "").unwrap();
        agent.wait("everything", SOON, || count(&agent) == 400);
        agent.wait("the end of the file", SOON, || !to.exists());
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        // Nothing is missing, and nobody is told that something is.
        assert!(notices(&agent.read("out"), "AGENT-GAP").is_empty(), "{calls} {how}: {}", agent.log());
    }
}
