//! Records one behind the other in memory, as captures with lengths hold them.

/// Puts a record behind others, each behind its 4-byte length.
pub(super) fn frame(to: &mut Vec<u8>, record: &[u8]) {
    to.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(record);
}
