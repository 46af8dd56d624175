//! Records that were made and are not handed out yet.
use super::read_trace::{TruncatedRecord, TruncatedTail};

/// Records that are not handed out yet, each behind its 4-byte length, and how far they are.
#[derive(Default)]
pub(super) struct RecordQueue {
    bytes: Vec<u8>,
    taken: usize,
    /// Records so far, and which of them was made of what the file ends within.
    count: u64,
    cut: TruncatedTail,
}

impl RecordQueue {
    /// Puts a record in.
    pub(super) fn push(&mut self, record: &[u8]) {
        crate::source::frame::frame(&mut self.bytes, record);
        self.count += 1;
    }

    /// Puts a record in that was made of what the file ends within: where the file grows, it is made anew.
    pub(super) fn push_cut(&mut self, record: &[u8], damaged: bool) {
        self.cut.set(Some(TruncatedRecord { number: self.count, damaged }));
        self.push(record);
    }

    /// Which record was made so.
    pub(super) fn truncated_tail(&self) -> TruncatedTail {
        self.cut.clone()
    }

    /// Hands out the next bytes; `None` when there are none.
    pub(super) fn take(&mut self, to: &mut [u8]) -> Option<usize> {
        let rest = self.bytes.get(self.taken..).unwrap_or(&[]);
        if rest.is_empty() {
            self.bytes.clear();
            self.taken = 0;
            return None;
        }
        let n = rest.len().min(to.len());
        to.get_mut(..n)?.copy_from_slice(rest.get(..n)?);
        self.taken += n;
        Some(n)
    }
}
