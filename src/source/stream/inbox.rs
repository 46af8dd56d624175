//! What a sender sent and nobody has taken yet, cut into records. No I/O: whoever reads the socket fills it.
use crate::decode::journal::record::{Framing, Split, split};

/// Bytes that are asked for at a time: at first, and of a sender that fills that.
const CHUNK: (usize, usize) = (4 << 10, 64 << 10);

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A record, and how many of this connection it makes.
    Record(&'a [u8], u64),
    /// Nothing whole.
    Nothing,
    /// This, where the length of a record was expected: nothing behind it can be found.
    BadLength(u32),
}

/// Bytes of one connection.
#[derive(Debug)]
pub struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    chunk: usize,
    /// What came last was all that was asked for: more is likely to be there.
    is_full: bool,
    taken: u64,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox { buffer: Vec::new(), start: 0, end: 0, chunk: CHUNK.0, is_full: false, taken: 0 }
    }
}

impl Inbox {
    /// Room for more bytes.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + self.chunk {
            self.buffer.resize(self.end + self.chunk, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or(&mut [])
    }

    /// No more than this is asked for at a time, where many share the memory; a little at least.
    pub fn ask_at_most(&mut self, bytes: usize) {
        self.chunk = self.chunk.min(bytes.max(CHUNK.0));
    }

    /// So many bytes were put there.
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
        self.is_full = bytes >= self.chunk;
        if self.is_full {
            self.chunk = (self.chunk * 2).min(CHUNK.1);
        }
    }

    /// The next record.
    #[inline]
    pub fn take_next(&mut self) -> Next<'_> {
        let bytes = self.buffer.get(self.start..self.end).unwrap_or(&[]);
        match split(Framing::Stream, bytes, false) {
            Split::Record { bytes, used } => {
                let at = self.start + used - bytes.len();
                let length = bytes.len();
                self.start += used;
                self.taken += 1;
                Next::Record(self.buffer.get(at..at + length).unwrap_or(&[]), self.taken)
            }
            Split::BadLength(got) => Next::BadLength(got),
            _ => Next::Nothing,
        }
    }

    /// Records that were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes of a record that is not whole.
    pub fn rest(&self) -> usize {
        self.end - self.start
    }

    /// Drops what nothing can be found in any more.
    pub fn drop_rest(&mut self) {
        self.start = self.end;
    }

    /// Gives its memory back and asks for little again, where everything was taken that was there: what is taken waits elsewhere, with that
    /// of many others, and a sender that sends nothing costs nothing.
    pub fn settle(&mut self) {
        if !self.is_full {
            self.relax();
        }
    }

    /// The same whatever came last.
    pub fn relax(&mut self) {
        if self.rest() == 0 {
            *self = Inbox { taken: self.taken, ..Inbox::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn give(inbox: &mut Inbox, mut bytes: &[u8], most: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let room = inbox.room();
            let n = room.len().min(bytes.len()).min(most);
            room[..n].copy_from_slice(&bytes[..n]);
            inbox.filled(n);
            bytes = &bytes[n..];
            while let Next::Record(record, _) = inbox.take_next() {
                found.push(record.to_vec());
            }
        }
        found
    }

    #[test]
    fn memory_is_given_back_when_everything_is_taken_and_no_more_is_likely() {
        let record = [&[0, 0, 0, 3][..], b"abc"].concat();
        let mut inbox = Inbox::default();
        assert_eq!(give(&mut inbox, &record, 100).len(), 1);
        inbox.settle();
        assert_eq!((inbox.buffer.capacity(), inbox.taken()), (0, 1));
        // Half a record stays, and so does the room for a sender that filled what was asked for.
        give(&mut inbox, &record[..5], 100);
        inbox.settle();
        assert_eq!(inbox.rest(), 5);
        give(&mut inbox, &record[5..], 100);
        let many = record.repeat(CHUNK.0);
        give(&mut inbox, &many[..2 * CHUNK.0 / 7 * 7], usize::MAX);
        let room = inbox.room().len();
        inbox.filled(room);
        inbox.settle();
        assert!(inbox.buffer.capacity() > 0);
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in_however_they_are_cut(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9_000), 0..20),
            most in 1_usize..70_000,
            relaxes in any::<bool>(),
        ) {
            let mut inbox = Inbox::default();
            let mut found = Vec::new();
            for record in &records {
                let framed = [&u32::try_from(record.len()).unwrap().to_be_bytes()[..], record].concat();
                found.extend(give(&mut inbox, &framed, most));
                if relaxes {
                    inbox.relax();
                }
            }
            prop_assert_eq!(inbox.rest(), 0);
            prop_assert_eq!(inbox.taken(), records.len() as u64);
            prop_assert_eq!(found, records);
        }
    }

    #[test]
    fn what_is_no_length_is_said_and_a_sender_at_rest_holds_no_memory() {
        let mut inbox = Inbox::default();
        assert_eq!(give(&mut inbox, &[0, 0, 0, 1, 7, 0, 0], 9), [[7]]);
        assert_eq!(inbox.rest(), 2);
        inbox.relax();
        assert_eq!((inbox.rest(), inbox.taken()), (2, 1), "half a record is not dropped");
        give(&mut inbox, &[0, 0], 9);
        assert_eq!(inbox.take_next(), Next::BadLength(0));
        let mut inbox = Inbox::default();
        give(&mut inbox, &[&[0, 0, 0x40, 0][..], &[9; 0x4000]].concat(), 1 << 20);
        assert!(inbox.buffer.len() > CHUNK.0);
        inbox.relax();
        assert_eq!(inbox.buffer.capacity(), 0);
    }
}
