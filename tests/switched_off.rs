//! `enabled = false`: a source, listener or output is checked as ever and not started, and nothing that waits for it is lost.
use std::{fs, time::Duration};

use harness::{
    agent::{Agent, FOLLOWED, Receiver, capture, has_ids, ids, nothing_lost, signal, tcp},
    program::{folder, make, qaudjrn},
    unused_port,
};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn an_output_that_is_off_keeps_what_waits_and_gets_it_when_it_is_on_again() {
    let dir = folder();
    let made = capture(&dir, 200);
    let (up, down) = (Receiver::start(), unused_port());
    let text = |enabled: bool| {
        format!("heartbeat = 0\n{FOLLOWED}{}{}enabled = {enabled}\n", tcp("up", up.port), tcp("down", down))
    };
    let agent = Agent::new(dir, &text(true));
    let child = agent.start();
    agent.waits("down", 200, SOON);
    agent.configure(&text(false));
    signal(&child, "HUP");
    agent.wait_for_log("output down is off (enabled = false); 200 events are kept for it", SOON);
    assert!(!agent.log().contains("not in the configuration any more"), "{}", agent.log());
    let status = qaudjrn("spool status --config", &[&agent.config]);
    assert!(status.stdout.contains("output down: 200 events wait"), "{}", status.stdout);
    assert!(status.stdout.contains("; it is off (enabled = false)"), "{}", status.stdout);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    // What was kept is not dropped while the output is in the configuration.
    qaudjrn("spool forget down --config", &[&agent.config]).assert_output(2, &["down is in the configuration"]);
    let late = Receiver::start_on(down);
    agent.configure(&text(true));
    let child = agent.start();
    agent.wait("what was kept", SOON, || has_ids(&late.text(), 200));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert_eq!(nothing_lost(&made, &ids(&late.text())), 0);
}

#[test]
fn a_source_that_is_off_is_not_read_and_goes_on_where_it_was() {
    let dir = folder();
    capture(&dir, 30);
    make(&dir, "other.type5", "--count 20 --seed 3 --system PROD02 --receiver AUDRCV0007 --first-sequence 1001");
    let up = Receiver::start();
    let text = |enabled: bool| {
        format!(
            "heartbeat = 0\n{FOLLOWED}[[source]]\nname = \"other\"\npath = \"other.type5\"\nenabled = {enabled}\n{}",
            tcp("up", up.port)
        )
    };
    let agent = Agent::new(dir, &text(false));
    let child = agent.start();
    agent.wait("the source that is on", SOON, || has_ids(&up.text(), 30));
    assert!(!up.text().contains("PROD02"));
    agent.configure(&text(true));
    signal(&child, "HUP");
    agent.wait("the other one", SOON, || has_ids(&up.text(), 50));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(ids(&up.text()).values().all(|n| *n == 1));
}

#[test]
fn what_is_off_is_checked_and_named_and_an_agent_without_anything_that_is_on_does_not_start() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    let off = "[[source]]\nname = \"prod01\"\nenabled = false\npath = \"day.type5\"\n";
    let output = "[[output]]\nname = \"a\"\naddress = \"null\"\n";
    fs::write(&config, format!("state_dir = \"state\"\n{off}{output}")).unwrap();
    let said = "there is no [[source]] that is on: source prod01 is off (enabled = false)";
    qaudjrn("run --config", &[&config]).assert_output(2, &[said]);
    let check = qaudjrn("check --config", &[&config]);
    assert!(check.stdout.contains("note: source prod01 is off"), "{}", check.stdout);
    assert!(check.stdout.contains(said), "{}", check.stdout);
    // Its text is checked all the same; what is wrong with the machine is not asked.
    fs::write(&config, format!("state_dir = \"state\"\n{off}kid = 1\n{output}")).unwrap();
    assert!(qaudjrn("check --config", &[&config]).stdout.contains("unknown key source.kid"));
    let twice = format!("{output}[[output]]\nname = \"b\"\nenabled = false\naddress = \"file:nowhere/at/all\"\n");
    fs::write(&config, format!("state_dir = \"state\"\n{}{twice}", off.replace("false", "true"))).unwrap();
    let check = qaudjrn("check --config", &[&config]);
    assert!(check.stdout.contains("note: output b is off") && !check.stdout.contains("nowhere"), "{}", check.stdout);
    // Two of one name are two, whether they are off or not.
    fs::write(&config, format!("{output}{}", output.replace("address", "enabled = false\naddress"))).unwrap();
    assert!(qaudjrn("check --config", &[&config]).stdout.contains("two outputs named"));
}
