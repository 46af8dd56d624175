//! Networks of a test's own: Linux namespaces, which need root.
//!
//! [`inside`] runs a test once more in a network and with mounts of its own, so that nothing of the host's is changed and
//! nothing stays behind. [`Lab`] puts the agent behind a router there:
//!
//! ```text
//! agent 198.18.1.1 -- 198.18.1.2 router 198.18.2.2 -- 198.18.2.1 the test and its receivers
//! ```
use std::{
    fs,
    process::{Child, Command, Stdio},
};

use harness::{agent::Agent, program::executable};

/// Runs a test in its own network: `inside(module_path!(), "name of the test", || ...)`.
#[track_caller]
pub fn inside(module: &str, test: &str, run: impl FnOnce()) {
    if std::env::var_os("QAUDJRN_INSIDE").is_some() {
        return run();
    }
    let root = fs::read_to_string("/proc/self/status").unwrap();
    let root = root.lines().find(|l| l.starts_with("Uid:")).unwrap().split_ascii_whitespace().nth(2) == Some("0");
    assert!(root, "{test} makes a network of its own (unshare, ip netns): run it as root");
    let name = format!("{}::{test}", module.split_once("::").unwrap().1);
    let prepare = "ip link set lo up && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "sh", "-c", prepare])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env("QAUDJRN_INSIDE", "1")
        .stdin(Stdio::null())
        .output()
        .expect("unshare (util-linux) starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    // Figures that a test gives.
    text.lines().filter_map(|l| l.find("measured: ").map(|at| &l[at..])).for_each(|l| println!("{l}"));
    assert!(text.contains("1 passed"), "{name} did not run: {text}");
}

/// Runs `sh -c`; panics when it fails.
#[track_caller]
pub fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// See the module. Only [`inside`].
pub struct Lab;

/// Where receivers of a lab are.
pub const HERE: [u8; 4] = [198, 18, 2, 1];

impl Lab {
    pub fn new() -> Lab {
        sh("ip netns add agent; ip netns add router
            ip link add here type veth peer name to-here netns router
            ip -n router link add to-agent type veth peer name out netns agent
            ip addr add 198.18.2.1/24 dev here; ip link set here up
            ip -n router addr add 198.18.2.2/24 dev to-here; ip -n router link set to-here up
            ip -n router addr add 198.18.1.2/24 dev to-agent; ip -n router link set to-agent up
            ip -n agent addr add 198.18.1.1/24 dev out; ip -n agent link set out up; ip -n agent link set lo up
            ip -n agent route add default via 198.18.1.2; ip route add 198.18.1.0/24 via 198.18.2.2
            ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'");
        Lab
    }

    /// Starts an agent behind the router.
    pub fn start(&self, agent: &Agent) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(agent.dir.path().join("log")).unwrap();
        Command::new("ip")
            .args(["netns", "exec", "agent", executable(), "run", "--config"])
            .arg(&agent.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// The router throws everything away, in both directions and without a word.
    pub fn fall_silent(&self) {
        sh("ip -n router route add blackhole 198.18.1.1/32; ip -n router route add blackhole 198.18.2.1/32");
    }

    pub fn speak(&self) {
        sh("ip -n router route del blackhole 198.18.1.1/32; ip -n router route del blackhole 198.18.2.1/32");
    }
}
