//! An agent that has nothing to do does nothing: seconds without work, with every kind of source and one, five and twenty outputs, wake a
//! thread a few times a second, whatever the machine. The kernel counts. The long form holds it to 0.2 percent of a core too, which is a
//! measurement: the machine should have nothing else to do, and the program be optimised.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use harness::{
    agent::{Agent, FOLLOWED, capture},
    arrived::stop,
    program::{folder, make},
    rest::at_rest,
    system::System,
};

const SOON: Duration = Duration::from_secs(120);
/// What it may take of a core, in the long form.
const SHARE: f64 = 0.002;

/// Whether nothing happens for 60 s instead of 2, and time counts.
fn long() -> bool {
    std::env::var("QAUDJRN_LONG").is_ok_and(|v| v == "1")
}

/// For sources that ask a system every 5 s: any window of 10 s has the same number of questions, one of 2 s has none or one.
const POLLED: Duration = Duration::from_secs(10);

/// How often a second a thread may go on after a wait: sources, the spool and each output look around every 5 s, unless something happens.
const TOLD: f64 = 3.0;
/// Where a source is one that asks a system.
const ASKS: f64 = 6.0;

fn most_wakes(sources: f64, outputs: usize) -> f64 {
    sources + 0.5 * outputs as f64
}

/// A receiver that reads and waits, and uses nothing itself.
struct Quiet {
    port: u16,
    lines: Arc<AtomicU64>,
}

impl Quiet {
    fn start() -> Quiet {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let quiet = Quiet { port: listener.local_addr().unwrap().port(), lines: Arc::default() };
        let lines = quiet.lines.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = lines.clone();
                thread::spawn(move || count(&mut stream, &lines));
            }
        });
        quiet
    }
}

fn count(stream: &mut TcpStream, lines: &AtomicU64) {
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        let ends = bytes.iter().take(n).filter(|b| **b == b'\n').count();
        lines.fetch_add(ends as u64, Ordering::SeqCst);
    }
}

fn outputs(receivers: &[Quiet]) -> String {
    let output = |(n, r): (usize, &Quiet)| {
        format!("[[output]]\nname = \"o{n}\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\n", r.port)
    };
    receivers.iter().enumerate().map(output).collect()
}

/// Waits until everything is delivered, and then until the agent has come to rest; what it uses from then on is what is asked.
#[track_caller]
fn idles(agent: &Agent, child: &Child, receivers: &[Quiet], events: u64, window: Option<Duration>) {
    // Only those that ask have a window of their own.
    let sources = if window.is_some() { ASKS } else { TOLD };
    let all = || receivers.iter().all(|r| r.lines.load(Ordering::SeqCst) >= events);
    agent.wait("everything at every output", SOON, all);
    // Behind the last acknowledgement cursors and metrics are written once more, and pauses between looks grow.
    let most = most_wakes(sources, receivers.len());
    let window = if long() { Some(Duration::from_secs(60)) } else { window };
    let (used, time) = at_rest(agent, child, window, |used, time| used.often(time) < most);
    let (share, often) = (used.share(time), used.often(time));
    let found = format!(
        "{} outputs: {used:?} of {time:?}, {:.3} percent of a core, {often:.1} wakes a second",
        receivers.len(),
        share * 100.0,
    );
    println!("{found}");
    assert!(often < most, "{found}; expected under {most} wakes a second");
    // A thread that never waits is not woken either: a fiftieth of a core is far from it, and far from what waits cost anywhere.
    assert!(share < if long() { SHARE } else { 0.02 }, "{found}");
    assert!(all(), "{}", agent.log());
}

/// An agent over some sources and so many outputs; what else there is to do before all is quiet.
fn quiet(sources: &str, agent: impl FnOnce(&str) -> Agent, events: u64, count: usize, then: impl FnOnce(&Agent)) {
    quiet_over(None, sources, agent, events, count, then);
}

/// The same, and how long nothing has to happen (2 s where nothing is said).
fn quiet_over(
    window: Option<Duration>,
    sources: &str,
    agent: impl FnOnce(&str) -> Agent,
    events: u64,
    count: usize,
    then: impl FnOnce(&Agent),
) {
    let receivers: Vec<Quiet> = (0..count).map(|_| Quiet::start()).collect();
    // Heartbeats are work that was asked for, once a minute; they would come within the long form.
    let agent = agent(&format!("heartbeat = 0\n{sources}{}", outputs(&receivers)));
    let child = agent.start();
    then(&agent);
    idles(&agent, &child, &receivers, events, window);
    stop(&agent, child);
}

#[test]
fn h2_a_followed_capture_that_does_not_grow_costs_nothing_whatever_the_outputs() {
    for count in [1, 5, 20] {
        let dir = folder();
        capture(&dir, 100);
        quiet(FOLLOWED, |text| Agent::new(dir, text), 100, count, |_| {});
    }
}

#[test]
fn h2_a_folder_in_which_nothing_arrives_costs_nothing() {
    let dir = folder();
    fs::create_dir(dir.path().join("in")).unwrap();
    make(&dir, "in/a.type5", "--count 50 --seed 3");
    make(&dir, "in/b.type5", "--count 50 --seed 4 --first-sequence 1001");
    for truth in ["in/a.type5.truth", "in/b.type5.truth"] {
        fs::remove_file(dir.path().join(truth)).unwrap();
    }
    let source =
        "[[source]]\nname = \"prod01\"\nkind = \"directory\"\npath = \"in\"\nfollow = true\ncomplete = \"rename\"\n";
    quiet(source, |text| Agent::new(dir, text), 100, 1, |_| {});
}

#[test]
fn h2_a_stream_whose_sender_says_nothing_costs_nothing() {
    use std::os::unix::net::UnixStream;
    let dir = folder();
    let made = make(&dir, "day.stream", "--count 100 --seed 23 --framing stream");
    let socket = dir.path().join("sock");
    let source = "[[source]]\nname = \"prod01\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"unix:DIR/sock\"\n";
    let mut sender = None;
    let send = |agent: &Agent| {
        agent.wait("the socket", SOON, || socket.exists());
        let mut to = UnixStream::connect(&socket).unwrap();
        to.read_exact(&mut [0; 64]).unwrap();
        to.write_all(&fs::read(&made.path).unwrap()).unwrap();
        sender = Some(to);
    };
    quiet(source, |text| Agent::new(dir, text), 100, 1, send);
    drop(sender);
}

#[test]
fn h2_a_live_system_on_which_nothing_happens_costs_nothing() {
    let system = System::start("--entries 100");
    // As it is asked by default.
    let source = system.source("from = \"oldest\"").replace("poll_interval = 1\n", "");
    let events = system.truth().len() as u64;
    quiet_over(Some(POLLED), &source, |text| Agent::new(folder(), text), events, 1, |_| {});
}

#[test]
fn h2_every_kind_of_source_at_once_with_five_outputs_costs_nothing() {
    let system = System::start("--entries 100");
    let live = system.source("from = \"oldest\"").replace("poll_interval = 1\n", "").replace("prod01", "live");
    let dir = folder();
    capture(&dir, 100);
    fs::create_dir(dir.path().join("in")).unwrap();
    let sources = format!(
        "{FOLLOWED}{live}[[source]]\nname = \"folder\"\nkind = \"directory\"\npath = \"in\"\nfollow = true\n\
         [[source]]\nname = \"stream\"\nkind = \"stream\"\ninput = \"type5\"\nlisten = \"unix:DIR/sock\"\n"
    );
    let events = 100 + system.truth().len() as u64;
    quiet_over(Some(POLLED), &sources, |text| Agent::new(dir, text), events, 5, |_| {});
}
