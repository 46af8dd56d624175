//! How much each of many senders may gather before it is stored.
//!
//! One sender alone fills a batch. Of hundreds that all send as fast as they can, each would fill one of its own meanwhile: they
//! share so many bytes instead, and what is stored together is a transaction of many little batches, which costs no more syncs.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::ingest::BYTES;

/// Bytes of batches in the making, of all senders together.
const ALL: usize = 8 << 20;
/// What each has however many there are: some records.
const LEAST: usize = 32 << 10;

/// Counts the senders of an agent.
#[derive(Clone, Debug, Default)]
pub struct Shares(Arc<AtomicUsize>);

/// One sender among them, until it is dropped.
#[derive(Debug)]
pub struct Share(Shares);

impl Shares {
    /// One more sender.
    pub fn enter(&self) -> Share {
        self.0.fetch_add(1, Ordering::Relaxed);
        Share(self.clone())
    }
}

impl Share {
    /// Bytes that its batch may have now.
    pub fn bytes(&self) -> usize {
        let senders = self.0.0.load(Ordering::Relaxed).max(1);
        (ALL / senders).clamp(LEAST, BYTES)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_fills_a_batch_and_many_share() {
        let shares = Shares::default();
        let mut all = vec![shares.enter()];
        assert_eq!(all[0].bytes(), BYTES);
        for senders in 2..=2_000 {
            all.push(shares.enter());
            let bytes = all[0].bytes();
            assert!((LEAST..=BYTES).contains(&bytes), "{senders}: {bytes}");
            assert!(bytes == LEAST || bytes * senders <= ALL, "{senders}: {bytes}");
        }
        all.truncate(1);
        assert_eq!(all[0].bytes(), BYTES, "those who left have no share any more");
    }
}
