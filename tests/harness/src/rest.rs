//! Whether a process is at rest: what it uses while nothing happens, as the kernel counts it.
use std::{
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use super::agent::{Agent, patient};

/// How long nothing has to happen. That nothing happens can only be seen by waiting.
const WINDOW: Duration = Duration::from_secs(2);

/// What a process has used so far, or over some time.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// On a processor, by the threads that live.
    pub time: Duration,
    /// The same in ticks of the clock, those of threads that have ended too.
    pub ticks: u64,
    /// How often a thread that lives went on after a wait.
    pub wakes: u64,
}

impl Used {
    /// So far.
    pub fn by(child: &Child) -> Used {
        let process = Path::new("/proc").join(child.id().to_string());
        let (mut nanoseconds, mut wakes) = (0, 0);
        for task in fs::read_dir(process.join("task")).unwrap().flatten() {
            // Nanoseconds on a processor: the ticks of `stat` are too coarse for two thousandths of ten seconds.
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanoseconds += stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            wakes += line.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
        }
        // Behind the name, which may hold blanks: utime and stime are the 14th and 15th field.
        let stat = fs::read_to_string(process.join("stat")).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks = fields.skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
        Used { time: Duration::from_nanos(nanoseconds), ticks, wakes }
    }

    /// The part of a core that it is over some time. Ticks are of 10 ms; one at each end may belong to what was before.
    pub fn share(&self, over: Duration) -> f64 {
        let ticks = Duration::from_millis(self.ticks.saturating_sub(2) * 10);
        self.time.max(ticks).as_secs_f64() / over.as_secs_f64()
    }

    /// Wakes a second.
    pub fn often(&self, over: Duration) -> f64 {
        self.wakes as f64 / over.as_secs_f64()
    }
}

/// What a process uses in the next seconds, and how many these are.
fn next(child: &Child, window: Duration) -> (Used, Duration) {
    let (before, began) = (Used::by(child), Instant::now());
    thread::sleep(window);
    let (after, time) = (Used::by(child), began.elapsed());
    let used = Used {
        time: after.time.saturating_sub(before.time),
        ticks: after.ticks.saturating_sub(before.ticks),
        wakes: after.wakes.saturating_sub(before.wakes),
    };
    (used, time)
}

/// Waits until an agent has come to rest, which is what `is_rest` takes for it; and then, what it uses from there on: in two seconds, or
/// in `window`.
#[track_caller]
pub fn at_rest(
    agent: &Agent,
    child: &Child,
    window: Option<Duration>,
    is_rest: impl Fn(&Used, Duration) -> bool,
) -> (Used, Duration) {
    let began = Instant::now();
    loop {
        let (used, time) = next(child, WINDOW);
        if is_rest(&used, time) {
            return next(child, window.unwrap_or(WINDOW));
        }
        let limit = patient(Duration::from_secs(30));
        assert!(began.elapsed() < limit, "it comes to no rest: {used:?} in {time:?}: {}", agent.log());
    }
}
