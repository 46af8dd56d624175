//! The history log (QHST): from the 142-byte records of a file QSYS/QHSTyydddn to messages.
//!
//! What lives here: cutting a file into messages ([`record`]). What does not: files, clocks, and what a SIEM wants.
//!
//! Invariants: no byte sequence makes any function panic; a value is given as it stands in the bytes or left out, never invented.
pub mod record;
