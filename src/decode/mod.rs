//! From bytes to records: EBCDIC text and journal entries. Plain functions over slices; no files, no clock.
pub mod ebcdic;
pub mod journal;
