//! What an output is doing with its receiver at the moment, as its task says it and others read it.
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The seconds over which a rate is taken.
const SECONDS: usize = 10;
/// A receiver whose buffers are full for a shorter time is only slower than we are.
const BLINK: Duration = Duration::from_secs(1);

/// What an output is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No connection is there: one is made, or will be tried again.
    #[default]
    Connecting,
    /// The receiver takes lines.
    Connected,
    /// The receiver takes nothing.
    Stalled,
    /// The bytes of the day are spent.
    OverBudget,
    /// Somebody has said so.
    Paused,
    /// Its task has come to its end.
    Ended,
}

impl State {
    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::Stalled => "stalled",
            State::OverBudget => "over budget",
            State::Paused => "paused",
            State::Ended => "ended",
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Link(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    state: State,
    since: Instant,
    address: String,
    next_try: Option<Instant>,
    last_error: String,
    failed_at: i64,
    in_window: u64,
    rate: Rate,
}

impl Default for Inner {
    fn default() -> Self {
        let now = Instant::now();
        let (address, last_error) = (String::new(), String::new());
        let rate = Rate { began: now, second: 0, done: [0; SECONDS] };
        Inner {
            state: State::default(),
            since: now,
            address,
            next_try: None,
            last_error,
            failed_at: 0,
            in_window: 0,
            rate,
        }
    }
}

/// What was done in each of the last seconds.
#[derive(Debug)]
struct Rate {
    began: Instant,
    /// The last second in which something was done, since then.
    second: u64,
    /// By the second, modulo their number.
    done: [i64; SECONDS],
}

impl Rate {
    /// Forgets what is older than the last seconds.
    fn move_to(&mut self, now: Instant) -> usize {
        let second = now.saturating_duration_since(self.began).as_secs();
        for gone in (self.second + 1..=second).take(SECONDS) {
            if let Some(done) = self.done.get_mut(gone as usize % SECONDS) {
                *done = 0;
            }
        }
        self.second = self.second.max(second);
        self.second as usize % SECONDS
    }

    fn add(&mut self, n: i64, now: Instant) {
        let at = self.move_to(now);
        if let Some(done) = self.done.get_mut(at) {
            *done += n;
        }
    }

    fn a_second(&mut self, now: Instant) -> f64 {
        self.move_to(now);
        let lived = now.saturating_duration_since(self.began).as_secs_f64().clamp(1.0, SECONDS as f64);
        self.done.iter().sum::<i64>().max(0) as f64 / lived
    }
}

/// What it is doing, for who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// What.
    pub state: State,
    /// For how long.
    pub since: Duration,
    /// The address in use, or last used.
    pub address: String,
    /// How long until it is tried again.
    pub next_try: Option<Duration>,
    /// Why the last connection ended or was not made.
    pub last_error: String,
    /// When a connection ended or was not made last, UTC microseconds; 0 for never.
    pub failed_at: i64,
    /// Events that are not acknowledged.
    pub in_window: u64,
    /// Events that were done, a second.
    pub rate: f64,
}

impl Link {
    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Its task has come to its end.
    pub fn ended(&self) {
        self.change(|l| {
            l.set(State::Ended);
            (l.next_try, l.in_window) = (None, 0);
        });
    }

    /// A connection is there.
    pub fn connected(&self, address: String) {
        self.change(|l| {
            l.set(State::Connected);
            (l.address, l.next_try) = (address, None);
            l.last_error.clear();
        });
    }

    /// Its task begins: there is no connection yet.
    pub fn begins(&self) {
        self.change(|l| l.set(State::Connecting));
    }

    /// It has ended, or was not made, at this time (UTC microseconds).
    pub fn failed(&self, now: i64, why: String) {
        self.change(|l| {
            l.set(State::Connecting);
            (l.last_error, l.failed_at, l.in_window) = (why, now, 0);
        });
    }

    /// It is tried again at this time.
    pub fn next_try(&self, at: Option<Instant>) {
        self.change(|l| l.next_try = at);
    }

    /// Its connection does this, and so many events are not acknowledged.
    pub fn goes(&self, state: State, in_window: u64) {
        self.change(|l| {
            l.set(state);
            l.in_window = in_window;
        });
    }

    /// So many events are done; a negative number takes back.
    pub fn done(&self, events: i64) {
        if events != 0 {
            self.change(|l| l.rate.add(events, Instant::now()));
        }
    }

    /// What it is doing.
    pub fn look(&self) -> Look {
        let now = Instant::now();
        let mut l = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(l.since);
        let state = if l.state == State::Stalled && since < BLINK { State::Connected } else { l.state };
        Look {
            state,
            since,
            address: l.address.clone(),
            next_try: l.next_try.map(|at| at.saturating_duration_since(now)),
            last_error: l.last_error.clone(),
            failed_at: l.failed_at,
            in_window: l.in_window,
            rate: l.rate.a_second(now),
        }
    }
}

impl Inner {
    fn set(&mut self, state: State) {
        if self.state != state {
            (self.state, self.since) = (state, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_state_has_its_time_and_a_short_stall_is_none() {
        let link = Link::default();
        link.failed(7, "refused".to_owned());
        link.next_try(Some(Instant::now() + Duration::from_secs(5)));
        let look = link.look();
        assert_eq!((look.state, look.next_try), (State::Connecting, Some(Duration::from_secs(5))));
        link.connected("tcp://a:1".to_owned());
        link.goes(State::Stalled, 0);
        assert_eq!((link.look().state, link.look().last_error.as_str()), (State::Connected, ""));
        tokio::time::advance(Duration::from_secs(70)).await;
        link.goes(State::Stalled, 0);
        let look = link.look();
        assert_eq!((look.state, look.since, look.next_try), (State::Stalled, Duration::from_secs(70), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_that_of_the_last_ten_seconds() {
        let link = Link::default();
        link.done(100);
        assert!((link.look().rate - 100.0).abs() < 0.01);
        tokio::time::advance(Duration::from_secs(5)).await;
        link.done(50);
        link.done(-50);
        assert!((link.look().rate - 20.0).abs() < 0.01);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(link.look().rate < 0.01);
        tokio::time::advance(Duration::from_secs(1_000)).await;
        link.done(30);
        assert!((link.look().rate - 3.0).abs() < 0.01);
    }
}
