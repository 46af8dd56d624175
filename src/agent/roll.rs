//! Who is at work in an agent, how it is told what to do, and the end that comes whatever hangs.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

use super::Setup;

/// How much longer than `stop_timeout` the end may take before the process is ended.
const GRACE: Duration = Duration::from_secs(5);
/// How long the log is waited for that says what hangs: it may be what hangs.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What is said to an agent.
pub enum Control {
    /// It is to end in good order.
    Stop,
    /// It is to go on with another configuration, which was checked. Who waits for it hears when it is in force, and nothing where the
    /// agent ends.
    Reload(Box<Setup>, Option<oneshot::Sender<()>>),
    /// An output is to send nothing until it is resumed, or is resumed.
    Pause(Pause),
    /// What failed is to be tried again at once, and outputs are to find out what has arrived.
    Flush,
    /// It is to say in the log how it is doing.
    Status,
    /// A new configuration was refused: it goes on with the old one.
    Refused,
    /// It is to answer, which shows that it lives.
    Ping(oneshot::Sender<()>),
    /// Something within it has changed: a source will read no more, or an output has delivered everything.
    Changed,
}

/// An output is paused, or resumed.
pub struct Pause {
    /// Its name.
    pub output: String,
    /// Whether it is to be paused.
    pub pause: bool,
    /// Who said so, for the log.
    pub by: String,
    /// Hears what became of it: a sentence, also of what cannot be.
    pub done: oneshot::Sender<Result<String, String>>,
}

/// Speaks to an agent, from before it runs to its end.
#[derive(Clone)]
pub struct Handle {
    to: UnboundedSender<Control>,
    roll: Arc<Roll>,
}

/// A handle, and where what is said by it arrives.
pub fn control() -> (Handle, UnboundedReceiver<Control>) {
    let (to, from) = unbounded_channel();
    (Handle { to, roll: Arc::default() }, from)
}

impl Handle {
    /// Says something. To an agent that has ended it does not matter.
    pub fn say(&self, what: Control) {
        if matches!(what, Control::Stop) {
            self.end_begins();
        }
        let _ = self.to.send(what);
    }

    /// How long the end may take from now on, once it begins.
    pub fn set_limit(&self, stop_timeout: Duration) {
        self.roll.limit.store(u64::try_from(stop_timeout.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// The end has begun: when its time is over and the process still runs, it is ended, and the log says what hangs.
    pub fn end_begins(&self) {
        if !self.roll.ending.swap(true, Ordering::SeqCst) {
            let roll = self.roll.clone();
            thread::spawn(move || roll.end_it());
        }
    }

    /// Somebody is at work until what is returned is dropped.
    pub fn enter(&self, name: String) -> AtWork {
        *self.roll.lock().entry(name.clone()).or_default() += 1;
        AtWork { handle: self.clone(), name }
    }
}

/// Names of those who are at work.
#[derive(Default)]
struct Roll {
    busy: Mutex<BTreeMap<String, usize>>,
    /// `stop_timeout` in milliseconds.
    limit: AtomicU64,
    ending: AtomicBool,
}

impl Roll {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process, with an error, when the time is over.
    fn end_it(&self) {
        let limit = Duration::from_millis(self.limit.load(Ordering::SeqCst));
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, to end a process that hangs")]
        thread::sleep(limit.saturating_add(GRACE));
        let names: Vec<String> = self.lock().keys().cloned().collect();
        let hung = if names.is_empty() { "the state folder".to_owned() } else { names.join(", ") };
        let seconds = (limit + GRACE).as_secs();
        let word = thread::spawn(move || {
            crate::log::error(format_args!(
                "the agent is ended {seconds} s after it was to stop, because this does not come to its end: {hung}; what was read is on the disk, and the next start goes on there"
            ));
            crate::log::finish();
        });
        let (tell, told) = channel::<()>();
        thread::spawn(move || {
            let _ = word.join();
            let _ = tell.send(());
        });
        let _ = told.recv_timeout(LAST_WORD);
        std::process::exit(1);
    }
}

/// Somebody who is at work, however that ends.
pub struct AtWork {
    handle: Handle,
    name: String,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut busy = self.handle.roll.lock();
        if let Some(n) = busy.get_mut(&self.name) {
            *n -= 1;
            if *n == 0 {
                busy.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_work_is_on_the_roll_until_it_ends() {
        let (handle, _) = control();
        let one = handle.enter("source a".to_owned());
        let other = handle.enter("source a".to_owned());
        drop(one);
        assert_eq!(handle.roll.lock().keys().collect::<Vec<_>>(), ["source a"]);
        drop(other);
        assert!(handle.roll.lock().is_empty());
    }
}
