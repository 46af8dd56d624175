//! Where the connections of one sender wait to be taken. Of several that wait only the newest does.
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::source::stream::Peer;

/// See the module.
#[derive(Default)]
pub struct Seat {
    inside: Mutex<Inside>,
    came: Notify,
}

#[derive(Default)]
struct Inside {
    peer: Option<Peer>,
    /// The number of the newest that came.
    newest: u64,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody comes. One that came before another who is here already took longer: it comes again. What is to be said of who is
    /// closed for that.
    pub fn enter(&self, peer: Peer) -> Option<String> {
        let mut inside = self.lock();
        if peer.number < inside.newest {
            return Some(format!("{} is closed: another sender came after it", peer.name));
        }
        inside.newest = peer.number;
        let name = peer.name.clone();
        let before = inside.peer.replace(peer);
        drop(inside);
        self.came.notify_one();
        before.map(|before| format!("{} is closed: {name} came after it", before.name))
    }

    /// Who is here.
    pub fn take(&self) -> Option<Peer> {
        self.lock().peer.take()
    }

    /// The same; waits for somebody. Given up, nobody is lost.
    pub async fn next(&self) -> Peer {
        loop {
            if let Some(peer) = self.take() {
                return peer;
            }
            self.came.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use crate::source::stream::Wire;

    fn peer(number: u64) -> Peer {
        let (wire, _) = UnixStream::pair().unwrap();
        Peer { number, name: format!("p{number}"), identity: None, wire: Wire::Unix(wire) }
    }

    #[tokio::test]
    async fn of_those_who_wait_the_newest_is_kept_whoever_took_longer() {
        let seat = Seat::default();
        assert_eq!(seat.enter(peer(2)), None);
        assert_eq!(seat.enter(peer(1)).unwrap(), "p1 is closed: another sender came after it");
        assert_eq!(seat.enter(peer(5)).unwrap(), "p2 is closed: p5 came after it");
        assert_eq!(seat.next().await.number, 5);
        assert!(seat.take().is_none());
        assert_eq!(seat.enter(peer(4)).unwrap(), "p4 is closed: another sender came after it");
        let (came, ()) = tokio::join!(seat.next(), async { assert_eq!(seat.enter(peer(6)), None) });
        assert_eq!(came.number, 6);
    }
}
