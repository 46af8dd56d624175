//! What a seed decides before a run: the output, its receivers, the systems between them, and the faults to come.
use std::time::Duration;

use turmoil_net::KernelConfig;

use super::{
    Random, Variant,
    network::{self, TICK},
    receiver::{Manner, PORT, Talk},
};

/// Longer than a packet and its answer take: then it is sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Packets wait for so long: those to a receiver, those from it, or both.
    Hold(u8, Duration, [bool; 2]),
    /// Those that are sent are lost.
    Lose(u8, Duration, [bool; 2]),
    /// Connections are reset: the agent hears of it, the receiver, or both.
    Reset(u8, bool, bool),
    /// The program of a receiver is gone, for so long.
    End(u8, Duration),
    /// Its machine is, and forgets its connections.
    Crash(u8, Duration),
    /// It reads and answers nothing for so long.
    Stall(u8, Duration),
    /// The spool is full for so long: nothing is stored, and connections are ended early so that it becomes empty.
    Full(Duration),
    /// The agent is told to stop, and started again.
    Restart,
    /// It is killed.
    Kill,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Plan {
    pub variant: Variant,
    pub manner: Manner,
    pub failover: bool,
    /// What a queue of a system holds.
    queue: usize,
    /// So often a packet is sent again before a connection is given up.
    repeats: u32,
    pub latency: (u64, u64),
    pub window_bytes: u64,
    window_seconds: u64,
    stall: u64,
    connect: u64,
    heartbeat: u64,
    rate: u64,
    pub faults: Vec<(Duration, Fault)>,
    /// When something is stored, and how many events.
    pub batches: Vec<(Duration, u64)>,
    /// How often cursors are written.
    pub sync: Duration,
    /// When the faults are over.
    pub end: Duration,
}

impl Plan {
    pub fn new(r: &mut Random) -> Plan {
        let variant = Variant { first: u8::try_from(r.below(3)).unwrap(), budget: r.one_in(2) };
        let talk = r.one_of(&[Talk::Newline, Talk::Octet, Talk::Relp, Talk::Relp]);
        let queue = r.one_of(&[3_000, 8_000, 20_000, 60_000]);
        let window_seconds = r.between(8, 20);
        let manner = Manner {
            talk,
            closes: talk == Talk::Relp || !r.one_in(4),
            answers: r.one_of(&[0, 20, 400, 3_000]),
            disorder: r.one_of(&[0, 0, 10]),
            refuses: r.one_of(&[0, 0, 60]),
            fickle: r.one_of(&[0, 0, 15, 60]),
            // Less than the window, by the time in which keepalive finds out that the receiver is gone.
            reads_within: Duration::from_secs(window_seconds - 6),
        };
        let end = Duration::from_secs(r.between(20, 100));
        let millis = u64::try_from(end.as_millis()).unwrap();
        let failover = r.one_in(3);
        let batches = (0..r.between(5, 25))
            .map(|_| (Duration::from_millis(r.below(millis)), r.one_of(&[1, 3, 10, 40])))
            .collect();
        let mut faults: Vec<(Duration, Fault)> = Vec::new();
        for _ in 0..r.between(1, 12) {
            let (at, what) = (Duration::from_millis(r.below(millis)), fault(r, failover));
            faults.push((at, what));
            // The end of a connection is when most can go wrong.
            if matches!(what, Fault::Restart | Fault::Full(_)) {
                for _ in 0..r.below(3) {
                    faults.push((at + Duration::from_millis(r.below(1_500)), fault(r, failover)));
                }
            }
        }
        let mut plan = Plan {
            variant,
            manner,
            failover,
            queue,
            repeats: u32::try_from(r.between(4, 30)).unwrap(),
            latency: r.one_of(&[(0, 0), (0, 20), (5, 40), (30, 200), (200, 150)]),
            // A queue of a receiver holds no more than this: what comes behind pushes out what was read.
            window_bytes: queue as u64 + r.below(20_000),
            window_seconds,
            stall: r.between(15, 60),
            connect: r.between(2, 15),
            heartbeat: r.one_of(&[0, 0, 7]),
            rate: r.one_of(&[0, 0, 0, 40]),
            faults,
            batches,
            sync: Duration::from_millis(r.one_of(&[200, 1_000, 5_000])),
            end,
        };
        plan.faults.sort_by_key(|(at, _)| *at);
        plan.batches.sort();
        plan
    }

    /// Lines by TCP to a receiver without a mood, 200 ms away; 40 s.
    pub fn plain(faults: Vec<(Duration, Fault)>, batches: Vec<(Duration, u64)>) -> Plan {
        let reads_within = Duration::from_secs(10);
        let manner =
            Manner { talk: Talk::Newline, closes: true, answers: 0, disorder: 0, refuses: 0, fickle: 0, reads_within };
        Plan {
            variant: Variant::default(),
            manner,
            failover: false,
            queue: 20_000,
            repeats: 10,
            latency: (200, 0),
            window_bytes: 30_000,
            window_seconds: 16,
            stall: 30,
            connect: 5,
            heartbeat: 0,
            rate: 0,
            faults,
            batches,
            sync: Duration::from_secs(1),
            end: Duration::from_secs(40),
        }
    }

    /// What the systems of all hosts are like.
    pub fn system(&self) -> KernelConfig {
        let ticks = u32::try_from(AGAIN.as_millis() / TICK.as_millis()).unwrap();
        let config = KernelConfig::default().send_buf_cap(self.queue).recv_buf_cap(self.queue);
        config.retx_threshold(ticks).retx_max(self.repeats)
    }

    /// What the agent is told.
    pub fn toml(&self) -> String {
        let scheme = if self.manner.talk == Talk::Relp { "relp" } else { "tcp" };
        let address = |n| format!("\"{scheme}://{}:{PORT}\"", network::receiver(n));
        let framing = if self.manner.talk == Talk::Octet { "octet" } else { "newline" };
        let failover =
            if self.failover { format!("failover = [{}]\nfailback_interval = 5\n", address(1)) } else { String::new() };
        let rate = if self.rate > 0 { format!("meter.events_per_second = {}\n", self.rate) } else { String::new() };
        format!(
            "stop_timeout = 20\n[[output]]\nname = \"out\"\naddress = {}\n{failover}format = \"json\"\nframing = \"{framing}\"\n\
             resend_window.bytes = {}\nresend_window.seconds = {}\nstall_timeout = {}\nconnect_timeout = {}\nheartbeat = {}\n{rate}{}\
             filter.types.exclude = [\"CD\"]\n",
            address(0),
            self.window_bytes,
            self.window_seconds,
            self.stall,
            self.connect,
            self.heartbeat,
            self.variant.toml(),
        )
    }

    /// The most entries that a connection may leave to the next one.
    pub fn window(&self, shortest: usize) -> u64 {
        match self.manner.talk {
            Talk::Relp => 128,
            // The window; what is on the way or in queues; and what was gathered to be written, which is 64 KiB and a line.
            _ => (self.window_bytes + 2 * self.queue as u64 + (80 << 10)) / shortest as u64 + 1,
        }
    }
}

fn fault(r: &mut Random, failover: bool) -> Fault {
    let of = if failover { u8::try_from(r.below(2)).unwrap() } else { 0 };
    let wait = match r.below(3) {
        0 => Duration::from_millis(r.between(50, 1_000)),
        1 => Duration::from_secs(r.between(1, 8)),
        _ => Duration::from_secs(r.between(8, 40)),
    };
    let directions = r.one_of(&[[true, true], [true, true], [true, false], [false, true]]);
    match r.below(13) {
        0 | 1 => Fault::Hold(of, wait, directions),
        2 => Fault::Lose(of, wait, directions),
        3 | 4 => {
            r.one_of(&[Fault::Reset(of, true, false), Fault::Reset(of, false, true), Fault::Reset(of, true, true)])
        }
        5 => Fault::End(of, wait),
        6 => Fault::End(of, Duration::ZERO),
        7 => Fault::Crash(of, wait),
        8 | 9 => Fault::Stall(of, wait),
        10 => Fault::Restart,
        11 => Fault::Full(wait),
        _ => Fault::Kill,
    }
}
