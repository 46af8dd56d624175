//! What systemd hears of an agent that it started: by the socket that it names in the environment.
use std::{
    os::{linux::net::SocketAddrExt, unix::net::SocketAddr, unix::net::UnixDatagram},
    process::{Child, Command},
    time::Duration,
};

use harness::agent::{Agent, patient, signal};

/// Waits for more at its end.
const GOES_ON: &str = "[[source]]\nname = \"p\"\npath = \"day\"\nfollow = true\n[[output]]\nname = \"siem\"\naddress = \"file:DIR/out\"\n";
const LONG: Duration = Duration::from_secs(20);

/// An agent as systemd starts it, and the socket that it tells.
struct Told {
    agent: Agent,
    socket: UnixDatagram,
    command: Command,
}

impl Told {
    fn new() -> Told {
        let agent = Agent::new(tempfile::tempdir().unwrap(), GOES_ON);
        let path = agent.dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(patient(LONG))).unwrap();
        let mut command = agent.command();
        command.env("NOTIFY_SOCKET", path);
        Told { agent, socket, command }
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4_096];
        let n = self.socket.recv(&mut bytes).unwrap_or_else(|e| panic!("{e}: {}", self.agent.log()));
        String::from_utf8(bytes[..n].to_vec()).unwrap()
    }

    /// What it said up to a message that begins so.
    fn until(&self, beginning: &str) -> Vec<String> {
        let mut said = Vec::new();
        while !said.last().is_some_and(|m: &String| m.starts_with(beginning)) {
            said.push(self.next());
        }
        said
    }

    fn stop(&self, child: Child) -> Vec<String> {
        signal(&child, "TERM");
        let said = self.until("STOPPING=1");
        self.agent.assert_exit(child, 0, LONG);
        said
    }
}

fn alive(said: &[String]) -> usize {
    said.iter().filter(|m| *m == "WATCHDOG=1").count()
}

#[test]
fn it_is_ready_when_its_tasks_run_and_says_that_it_stops() {
    let mut told = Told::new();
    let child = told.command.spawn().unwrap();
    let mut said = told.until("READY=1");
    assert_eq!(said[0], "STATUS=starts: the spool is opened and looked through");
    let ready = said.last().unwrap();
    assert!(ready.starts_with("READY=1\nSTATUS=") && ready.contains(" of 1 sources are read; siem: "), "{said:?}");
    said.extend(told.stop(child));
    assert_eq!(alive(&said), 0, "nobody asked whether it lives: {said:?}");
    assert_eq!(said.iter().filter(|m| m.starts_with("READY")).count(), 1, "{said:?}");
}

#[test]
fn a_reload_begins_and_ends_with_a_message_also_when_it_is_refused() {
    let mut told = Told::new();
    let child = told.command.spawn().unwrap();
    told.until("READY=1");
    told.agent.configure(&GOES_ON.replace("\"siem\"", "\"other\""));
    signal(&child, "HUP");
    let began = told.until("RELOADING=1").pop().unwrap();
    let at = began.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse::<u64>().unwrap();
    assert!(at > 0);
    assert!(told.until("READY=1").pop().unwrap().contains("other: "));
    told.agent.configure("nonsense = 1\n");
    signal(&child, "HUP");
    told.until("RELOADING=1");
    assert!(told.until("READY=1").pop().unwrap().contains("STATUS=a new configuration was refused"));
    told.stop(child);
}

#[test]
fn a_watchdog_hears_that_it_lives_at_half_its_time_and_only_one_of_this_process() {
    let mut told = Told::new();
    let child = told.command.env("WATCHDOG_USEC", "100000").spawn().unwrap();
    told.until("READY=1");
    for _ in 0..3 {
        told.until("WATCHDOG=1");
    }
    told.stop(child);
    let mut told = Told::new();
    let child = told.command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1").spawn().unwrap();
    let mut said = told.until("READY=1");
    told.agent.wait_for_log("day", LONG);
    said.extend(told.stop(child));
    assert_eq!(alive(&said), 0, "{said:?}");
}

#[test]
fn an_abstract_socket_is_one_too_and_nobody_at_the_socket_is_no_trouble() {
    let mut told = Told::new();
    let name = format!("qaudjrn-{}", std::process::id());
    told.socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    told.socket.set_read_timeout(Some(patient(LONG))).unwrap();
    let child = told.command.env("NOTIFY_SOCKET", format!("@{name}")).spawn().unwrap();
    told.until("READY=1");
    told.stop(child);
    let mut told = Told::new();
    let child = told.command.env("NOTIFY_SOCKET", "/nowhere/notify").spawn().unwrap();
    told.agent.wait_for_log("day", LONG);
    signal(&child, "TERM");
    told.agent.assert_exit(child, 0, LONG);
}
