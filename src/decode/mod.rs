//! From bytes to records: EBCDIC text, journal entries and history log messages. Plain functions over slices; no files, no clock.
pub mod ebcdic;
pub mod history;
pub mod journal;
