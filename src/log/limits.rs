//! The same message ten times, then a sum once a minute.
//!
//! A stranger who can cause a message can cause a million of it: then the log is full, or the service manager throws away
//! what else is said. So each kind of message has a window: ten pass, what comes within the same minute is counted and kept
//! back, and at the end of each minute in which some were there is one line with the last of them and their number. A minute
//! without any closes the window.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracing::Level;

/// How many messages of a shape pass.
pub const SAME: u32 = 10;

/// How many messages from one line of the program about one subject pass: names of files differ as strangers like.
pub const SIMILAR: u32 = 50;

/// How long a window is open.
const WINDOW: Duration = Duration::from_secs(60);

/// How many windows there may be; what comes beyond shares one.
const WINDOWS: usize = 500;

/// What makes messages the same, and how many of them pass.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Of place, subject and shape.
    pub hash: u64,
    /// How many pass in a window.
    pub most: u32,
}

/// A sum that is due.
#[derive(Debug, PartialEq, Eq)]
pub struct Sum {
    /// Of the last message.
    pub level: Level,
    /// The last message.
    pub last: String,
    /// How many were kept back.
    pub held: u64,
}

impl Sum {
    /// The sum as a message, with its subject in front.
    pub fn message(&self) -> String {
        let subject = super::subject(&self.last);
        let rest = self.last.strip_prefix(subject).map_or("", |r| r.trim_start_matches(": "));
        let colon = if subject.is_empty() { "" } else { ": " };
        format!("{subject}{colon}... and {} more, the last: {rest}", crate::log::numbers::grouped(self.held))
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// It is written.
    Free,
    /// It is counted, as the first of its window: a sum will be due.
    FirstHeld,
    /// It is counted.
    Held,
}

/// The windows.
#[derive(Default)]
pub struct Limits {
    windows: HashMap<u64, Window>,
}

struct Window {
    began: Instant,
    passed: u32,
    held: Option<Sum>,
}

impl Limits {
    /// Whether a message passes; otherwise it is counted.
    pub fn passes(&mut self, keys: [Key; 2], level: Level, message: &str, now: Instant) -> Passage {
        let [narrow, wide] = keys;
        // The wide one first: where it is shut, texts that are all different take no windows from anybody else.
        match self.window(wide, level, message, now) {
            // Twice the same: there is only one window.
            Passage::Free if narrow.hash != wide.hash => {
                let passage = self.window(narrow, level, message, now);
                if passage != Passage::Free
                    && let Some(window) = self.windows.get_mut(&wide.hash)
                {
                    window.passed = window.passed.saturating_sub(1);
                }
                passage
            }
            other => other,
        }
    }

    fn window(&mut self, key: Key, level: Level, message: &str, now: Instant) -> Passage {
        if key.most == u32::MAX {
            return Passage::Free;
        }
        let mut hash = key.hash;
        if self.windows.len() >= WINDOWS && !self.windows.contains_key(&hash) {
            self.windows.retain(|_, w| w.held.is_some() || now.duration_since(w.began) < WINDOW);
            if self.windows.len() >= WINDOWS {
                hash = 0;
            }
        }
        let window = self.windows.entry(hash).or_insert(Window { began: now, passed: 0, held: None });
        if window.held.is_none() && now.duration_since(window.began) >= WINDOW {
            *window = Window { began: now, passed: 0, held: None };
        }
        if window.passed < key.most {
            window.passed += 1;
            return Passage::Free;
        }
        let held = window.held.as_ref().map_or(0, |s| s.held) + 1;
        window.held = Some(Sum { level, last: message.to_owned(), held });
        if held == 1 { Passage::FirstHeld } else { Passage::Held }
    }

    /// When the next sum is due.
    pub fn due(&self) -> Option<Instant> {
        self.windows.values().filter(|w| w.held.is_some()).map(|w| w.began + WINDOW).min()
    }

    /// The sums that are due; with `all`, every one. Their windows stay closed for another minute.
    pub fn sums(&mut self, now: Instant, all: bool) -> Vec<Sum> {
        let mut due: Vec<(Instant, Sum)> = Vec::new();
        for window in self.windows.values_mut() {
            if (all || now.duration_since(window.began) >= WINDOW)
                && let Some(sum) = window.held.take()
            {
                due.push((window.began, sum));
                window.began = now;
            }
        }
        due.sort_by_key(|(began, _)| *began);
        due.into_iter().map(|(_, sum)| sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_texts_of_a_stranger_that_are_all_different_hold_nobody_elses() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        let wide = Key { hash: 7, most: SIMILAR };
        for n in 0..10 * WINDOWS as u64 {
            limits.passes([Key { hash: 1_000 + n, most: SAME }, wide], Level::WARN, "not read", now);
        }
        for n in 0..30 {
            assert_eq!(limits.passes(key(500_000 + n), Level::ERROR, "the agent ends", now), Passage::Free, "{n}");
        }
    }

    fn key(hash: u64) -> [Key; 2] {
        [Key { hash, most: SAME }, Key { hash: hash + 1_000_000, most: SIMILAR }]
    }

    #[test]
    fn h9_ten_pass_and_the_rest_is_a_sum_a_minute() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let mut passed = 0;
        for n in 0..9_980u64 {
            let text = format!("source a: offset {n}: parked");
            let passage = limits.passes(key(1), Level::WARN, &text, start + Duration::from_millis(n));
            passed += u32::from(passage == Passage::Free);
        }
        assert_eq!(passed, SAME);
        assert_eq!(limits.sums(start + Duration::from_secs(59), false), []);
        assert_eq!(limits.due(), Some(start + WINDOW));
        let sums = limits.sums(start + WINDOW, false);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[0].message(), "source a: ... and 9,970 more, the last: offset 9979: parked");
        assert_eq!(limits.due(), None);

        // The flood goes on: nothing passes, and there is a sum for this minute too.
        let mut one =
            |second| limits.passes(key(1), Level::WARN, "source a: parked", start + Duration::from_secs(second));
        assert_eq!([one(70), one(71)], [Passage::FirstHeld, Passage::Held]);
        assert_eq!(limits.sums(start + Duration::from_secs(121), false).len(), 1);
        // A quiet minute, and it is news again.
        assert_eq!(
            limits.passes(key(1), Level::WARN, "source a: parked", start + Duration::from_secs(182)),
            Passage::Free
        );
    }

    #[test]
    fn what_comes_now_and_then_is_never_kept_back() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        for n in 0..100 {
            let now = start + n * Duration::from_secs(7);
            assert_eq!(limits.passes(key(1), Level::INFO, "output a: connected again", now), Passage::Free);
        }
    }

    #[test]
    fn texts_that_differ_as_strangers_like_are_limited_too() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        let keys = |n: u64| [Key { hash: n, most: SAME }, Key { hash: 7_777, most: SIMILAR }];
        let free = |n: &u64| limits.passes(keys(*n), Level::INFO, "a", now) == Passage::Free;
        let passed = (0..10_000).filter(free).count();
        assert_eq!(passed, 50);
        assert!(limits.windows.len() <= WINDOWS + 1, "{} windows", limits.windows.len());
        let held: u64 = limits.sums(now, true).iter().map(|s| s.held).sum();
        assert_eq!(held, 9_950, "what did not pass is counted");
    }

    #[test]
    fn a_sum_without_a_subject_has_none() {
        let sum = Sum { level: Level::WARN, last: "no room".into(), held: 2 };
        assert_eq!(sum.message(), "... and 2 more, the last: no room");
    }
}
