//! Where the connections of one sender wait to be taken. Of several that wait only the newest does.
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::source::stream::Sender;

/// See the module.
#[derive(Default)]
pub struct Seat {
    inside: Mutex<Inside>,
    came: Notify,
}

#[derive(Default)]
struct Inside {
    sender: Option<Sender>,
    /// The number of the newest that came.
    newest: u64,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody comes. One that came before another who is here already took longer: it comes again. What is to be said of who is
    /// closed for that.
    pub fn offer(&self, sender: Sender) -> Option<String> {
        let mut inside = self.lock();
        if sender.number < inside.newest {
            return Some(format!("{} is closed: another sender came after it", sender.name));
        }
        inside.newest = sender.number;
        let name = sender.name.clone();
        let before = inside.sender.replace(sender);
        drop(inside);
        self.came.notify_one();
        before.map(|before| format!("{} is closed: {name} came after it", before.name))
    }

    /// Who is here.
    pub fn take_latest(&self) -> Option<Sender> {
        self.lock().sender.take()
    }

    /// The same; waits for somebody. Given up, nobody is lost.
    pub async fn latest(&self) -> Sender {
        loop {
            if let Some(sender) = self.take_latest() {
                return sender;
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

    fn sender(number: u64) -> Sender {
        let (wire, _) = UnixStream::pair().unwrap();
        Sender { number, name: format!("p{number}"), identity: None, wire: Wire::Unix(wire) }
    }

    #[tokio::test]
    async fn of_those_who_wait_the_newest_is_kept_whoever_took_longer() {
        let seat = Seat::default();
        assert_eq!(seat.offer(sender(2)), None);
        assert_eq!(seat.offer(sender(1)).unwrap(), "p1 is closed: another sender came after it");
        assert_eq!(seat.offer(sender(5)).unwrap(), "p2 is closed: p5 came after it");
        assert_eq!(seat.latest().await.number, 5);
        assert!(seat.take_latest().is_none());
        assert_eq!(seat.offer(sender(4)).unwrap(), "p4 is closed: another sender came after it");
        let (came, ()) = tokio::join!(seat.latest(), async { assert_eq!(seat.offer(sender(6)), None) });
        assert_eq!(came.number, 6);
    }
}
