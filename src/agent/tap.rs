//! Lines of an output as they are handed over, for who wants to see some: whoever looks never slows the flow.
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Lines that wait for who looks; more are not shown.
const ROOM: usize = 256;

/// Where lines are offered. Costs a look at a flag while nobody looks.
#[derive(Debug, Default)]
pub struct Tap {
    is_open: AtomicBool,
    viewers: Mutex<Vec<Viewer>>,
}

#[derive(Debug)]
struct Viewer {
    to: Sender<Vec<u8>>,
    unseen: Arc<AtomicU64>,
    filter: Option<Vec<u8>>,
}

/// What one sees who looks.
#[derive(Debug)]
pub struct Sight {
    /// Lines, with their ends as they are sent.
    pub lines: Receiver<Vec<u8>>,
    unseen: Arc<AtomicU64>,
}

impl Sight {
    /// Lines that there was no room for since this was asked last; whether they have the text that is looked for is not known.
    pub fn take_unseen(&self) -> u64 {
        self.unseen.swap(0, Ordering::Relaxed)
    }
}

impl Tap {
    /// Shows lines from now on, those with a text in them where one is given, until what is returned is dropped.
    pub fn open(&self, filter: Option<String>) -> Sight {
        let (to, lines) = channel(ROOM);
        let unseen: Arc<AtomicU64> = Arc::default();
        let viewer = Viewer { to, unseen: unseen.clone(), filter: filter.map(String::into_bytes) };
        let mut viewers = self.viewers.lock().unwrap_or_else(PoisonError::into_inner);
        viewers.push(viewer);
        self.is_open.store(true, Ordering::Relaxed);
        Sight { lines, unseen }
    }

    /// Shows a line to those who look, as far as they have room.
    #[inline]
    pub fn offer(&self, line: &[u8]) {
        if self.is_open.load(Ordering::Relaxed) {
            self.show(line);
        }
    }

    fn show(&self, line: &[u8]) {
        let mut viewers = self.viewers.lock().unwrap_or_else(PoisonError::into_inner);
        viewers.retain(|v| !v.to.is_closed());
        if viewers.is_empty() {
            self.is_open.store(false, Ordering::Relaxed);
        }
        for viewer in viewers.iter() {
            // Room first: a line for which there is none is not even looked at.
            match viewer.to.try_reserve() {
                Ok(room) if viewer.wants(line) => room.send(line.to_vec()),
                Ok(_) => {}
                Err(_) => drop(viewer.unseen.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }
}

impl Viewer {
    fn wants(&self, line: &[u8]) -> bool {
        self.filter.as_ref().is_none_or(|text| memchr::memmem::find(line, text).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_sees_what_he_has_room_for_and_hears_of_the_rest() {
        let tap = Tap::default();
        tap.offer(b"before");
        let mut all = tap.open(None);
        let mut some = tap.open(Some("7".to_owned()));
        for n in 0..ROOM + 10 {
            tap.offer(n.to_string().as_bytes());
        }
        assert_eq!((all.lines.len(), all.take_unseen(), all.take_unseen()), (ROOM, 10, 0));
        assert_eq!(all.lines.try_recv().unwrap(), b"0");
        let sevens = (0..ROOM + 10).filter(|n| n.to_string().contains('7')).count();
        assert_eq!((some.lines.len(), some.take_unseen()), (sevens, 0));
        assert_eq!(some.lines.try_recv().unwrap(), b"7");
        drop((all, some));
        tap.offer(b"behind");
        assert!(!tap.is_open.load(Ordering::Relaxed));
    }
}
