//! What a capture is, byte for byte: counted and hashed on the way to whoever reads it, for reports that are evidence.
//!
//! The bytes are those of the file, packed or not, so that `sha256sum` says the same.
use std::{
    cell::RefCell,
    io::{self, Read},
    rc::Rc,
};

use ring::digest::{Context, SHA256};

use crate::digest::hex;

/// Bytes read at a time of what nobody else read.
const CHUNK: usize = 128 << 10;

/// Counts and hashes what is read.
pub struct Tally(Rc<RefCell<Counted>>);

/// The reader whose bytes count.
pub(super) struct Tallied(Rc<RefCell<Counted>>);

struct Counted {
    read: Box<dyn Read>,
    sum: Context,
    bytes: u64,
}

impl Tally {
    /// Over a reader; what is read of the second one counts.
    pub(super) fn new(read: Box<dyn Read>) -> (Tally, Tallied) {
        let counted = Rc::new(RefCell::new(Counted { read, sum: Context::new(&SHA256), bytes: 0 }));
        (Tally(counted.clone()), Tallied(counted))
    }

    /// Bytes and SHA-256 of all there is. What was not read is read now: behind damage, or behind the end of what is packed.
    pub fn finish(&self) -> io::Result<(u64, String)> {
        let mut counted = self.0.borrow_mut();
        let mut piece = vec![0; CHUNK];
        loop {
            match counted.read(&mut piece) {
                Ok(0) => return Ok((counted.bytes, hex(counted.sum.clone().finish().as_ref()))),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Read for Tallied {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(to)
    }
}

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.read.read(to)?;
        self.sum.update(to.get(..n).unwrap_or(&[]));
        self.bytes += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::checksum;

    #[test]
    fn all_bytes_count_whoever_reads_them() {
        let bytes: Vec<u8> = (0..400_000u32).map(|n| n as u8).collect();
        let (tally, mut read) = Tally::new(Box::new(io::Cursor::new(bytes.clone())));
        let mut some = vec![0; 1_000];
        read.read_exact(&mut some).unwrap();
        assert_eq!(tally.finish().unwrap(), (400_000, hex(&checksum(&bytes))));
        assert_eq!(tally.finish().unwrap().0, 400_000, "once");
    }
}
