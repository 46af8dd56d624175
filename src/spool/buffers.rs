//! Large buffers, used again. A batch needs three of a MiB, several times a second: the C library gives each back to the system, which makes
//! their pages anew for the next batch, and that took a tenth of the processor.
use std::sync::{Mutex, PoisonError};

/// Smaller ones are not kept: many senders have many of them.
const SMALL: usize = 128 << 10;
/// Larger ones neither: they are rare.
const LARGE: usize = 4 << 20;
/// How many are kept, for all sources of the process.
const KEPT: usize = 4;

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer with room for so many bytes.
pub(super) fn take(bytes: usize) -> Vec<u8> {
    if bytes >= SMALL {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let enough =
            (0..free.len()).filter(|n| free.get(*n).is_some_and(|b| (bytes..=bytes * 2).contains(&b.capacity())));
        if let Some(n) = enough.min_by_key(|n| free.get(*n).map(Vec::capacity)) {
            return free.swap_remove(n);
        }
    }
    Vec::with_capacity(bytes)
}

/// Whether one is kept when it is given back.
pub(super) fn is_kept(buffer: &Vec<u8>) -> bool {
    (SMALL..=LARGE).contains(&buffer.capacity())
}

/// Gives one back that nobody needs any more.
pub(super) fn give(mut buffer: Vec<u8>) {
    if is_kept(&buffer) {
        buffer.clear();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() >= KEPT {
            free.remove(0);
        }
        free.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests use them too, at the same time: what is asserted holds whoever takes what.
    #[test]
    fn a_buffer_is_empty_has_room_and_no_more_than_twice_that() {
        for bytes in [0, 1, SMALL - 1, SMALL, 300_000, 1 << 20, LARGE, LARGE + 1] {
            for _ in 0..2 * KEPT {
                let mut buffer = take(bytes);
                assert!(
                    buffer.is_empty() && (bytes..=bytes * 2).contains(&buffer.capacity()),
                    "{bytes}: {}",
                    buffer.capacity()
                );
                buffer.push(7);
                give(buffer);
            }
            assert!(FREE.lock().unwrap().len() <= KEPT);
        }
    }
}
