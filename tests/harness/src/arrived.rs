//! What arrived of a journal that is followed: entries by their ids.
use std::{collections::BTreeMap, process::Child, time::Duration};

use serde_json::Value;

use super::agent::{Agent, signal};

/// Lines of entries, those of the agent's own notices left out.
pub fn entries(text: &str) -> impl Iterator<Item = (String, Value)> + '_ {
    text.lines().filter(|l| l.ends_with('}') && !l.contains("\"AGENT-")).map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["entry_id"].as_str().expect("an id").to_owned(), line)
    })
}

/// Ids in the lines, in the order in which each came first, with how often it came.
pub fn arrived(text: &str) -> (Vec<String>, BTreeMap<String, u32>) {
    let (mut order, mut found) = (Vec::new(), BTreeMap::new());
    for (id, _) in entries(text) {
        let times = found.entry(id.clone()).or_insert(0);
        *times += 1;
        if *times == 1 {
            order.push(id);
        }
    }
    (order, found)
}

/// How many different entries are in the file of the output.
pub fn count(agent: &Agent) -> usize {
    arrived(&agent.read("out")).0.len()
}

/// Ends an agent that has no reason to complain.
pub fn stop(agent: &Agent, child: Child) {
    signal(&child, "TERM");
    agent.assert_exit(child, 0, Duration::from_secs(10));
}
